//! The engine: takes in signals in the order of time, and knows at any time which groups act together.
//!
//! Deterministic: the same signals in the same order give the same findings, byte for byte. O(fingerprints) an exchange;
//! what is heavier happens when a family has grown by a twelfth or the traffic by a quarter, so its cost an exchange
//! stays bounded too. No clock, no randomness, no IO.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;

use exchange::{AccountFact, Time};
use signals::{Capability, Hash, Signals};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use crate::account::{Account, AccountNo, Accounts, SESSION_SECONDS};
use crate::calibrate::{Calibration, Credence, Others, Unit};
use crate::conduct::Conduct;
use crate::decision;
use crate::dense;
use crate::direction::Direction;
use crate::evalue;
use crate::evidence::sign_up::SignUps;
use crate::evidence::{self, Scene, membership};
use crate::family::{Exhibit, Family, Key};
use crate::finding::{Discovery, Findings};
use crate::group::{self, Group};
use crate::hypothesis::{Assessment, Hypothesis};
use crate::kin;
use crate::label::{LabelNo, Labels};
use crate::limits::{FAMILIES_MAX, GROUPS_MAX, MATCHES_MAX, SHINGLES_MAX};
use crate::output::Outputs;
use crate::shingle::{Owner, Shingles, Touched};
use crate::timeline::Timeline;
use crate::trace::Trace;
use crate::value::{Kind, Values};

/// How sure a finding must be.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The level at which the false discovery rate is held, under the nulls of the evidence, and how likely each honest explanation may
    /// be beside a campaign.
    pub alpha: f64,
}

impl Default for Config {
    fn default() -> Self {
        Config { alpha: 0.05 }
    }
}

/// The engine.
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) accounts: Accounts,
    pub(crate) values: Values,
    pub(crate) labels: Labels,
    pub(crate) families: Vec<Family>,
    sign_ups: SignUps,
    pub(crate) calibration: Calibration,
    pub(crate) exchanges: u64,
    pub(crate) timeline: Timeline,
    pub(crate) first: Option<Time>,
    pub(crate) last: Option<Time>,
    pub(crate) hypotheses: u64,
    /// The groups that had all that is asked of a campaign but maybe evidence enough for how many are tested, when groups were last
    /// measured: of several that share accounts the strongest. Each with its evidence (log10) and accounts.
    contenders: Vec<(f64, Vec<AccountNo>)>,
    pub(crate) families_refused: u64,
    /// Families by infrastructure.
    pools: usize,
    shingles: Shingles,
    /// Exchanges without any text to compare.
    pub(crate) textless: u64,
    /// Exchanges whose text is not to be had, only fingerprints of it.
    pub(crate) sealed: u64,
    outputs: Outputs,
    /// What all exchanges mean.
    pub(crate) meaning: Direction,
    /// How all exchanges are sent.
    pub(crate) conduct: Conduct,
    intents: [u64; Capability::ALL.len()],
    /// Accounts that ask for a capability in a good part of their requests, of those in `by_intent`.
    asking: [Option<u64>; Capability::ALL.len()],
    /// The families of exchanges that are after a capability.
    by_intent: [Option<u32>; Capability::ALL.len()],
    next_calibration: u64,
    /// How often two families matched the same exchange.
    pub(crate) together: HashMap<(u32, u32), u32, BuildHasherDefault<Xxh3Default>>,
    /// Families that a label is about, with the labels.
    pub(crate) known: BTreeMap<u32, BTreeSet<LabelNo>>,
    /// What was seen so far of the template of each label.
    pub(crate) shown: BTreeMap<LabelNo, BTreeSet<u64>>,
    scratch: Scratch,
}

/// Buffers kept between exchanges.
#[derive(Default)]
struct Scratch {
    hot: Vec<u64>,
    owned: Vec<(Owner, u64)>,
    hits: Vec<Hits>,
}

/// How much of a family's skeleton an exchange has.
#[derive(Clone, Copy)]
struct Hits {
    family: u32,
    core: u32,
    frozen: u32,
}

impl Engine {
    /// An engine that has seen nothing.
    #[must_use]
    pub fn new(config: Config) -> Engine {
        Engine::with_labels(config, Labels::default())
    }

    /// An engine that has seen nothing and knows what people said of earlier findings.
    #[must_use]
    pub fn with_labels(config: Config, labels: Labels) -> Engine {
        Engine {
            config,
            labels,
            accounts: Accounts::default(),
            values: Values::default(),
            families: Vec::new(),
            sign_ups: SignUps::default(),
            calibration: Calibration::default(),
            exchanges: 0,
            timeline: Timeline::default(),
            first: None,
            last: None,
            hypotheses: 0,
            contenders: Vec::new(),
            families_refused: 0,
            pools: 0,
            shingles: Shingles::new(SHINGLES_MAX),
            textless: 0,
            sealed: 0,
            outputs: Outputs::default(),
            meaning: Direction::default(),
            conduct: Conduct::default(),
            intents: [0; Capability::ALL.len()],
            asking: [None; Capability::ALL.len()],
            by_intent: [None; Capability::ALL.len()],
            next_calibration: FIRST_CALIBRATION,
            together: HashMap::default(),
            known: BTreeMap::new(),
            shown: BTreeMap::new(),
            scratch: Scratch::default(),
        }
    }

    /// Takes in what the provider says of an account.
    pub fn learn(&mut self, fact: &AccountFact<'_>) {
        self.accounts.learn(fact, &mut self.values);
    }

    /// Takes in one exchange.
    pub fn observe(&mut self, signals: &Signals) {
        self.exchanges += 1;
        self.first = Some(self.first.map_or(signals.time, |first| first.min(signals.time)));
        self.last = Some(self.last.map_or(signals.time, |last| last.max(signals.time)));
        self.timeline.count(signals.time);
        self.textless += u64::from(signals.prints.is_empty());
        self.sealed += u64::from(signals.excerpt.is_empty() && !signals.prints.is_empty());
        let Some(number) = self.accounts.observe(signals, &mut self.values) else { return };
        if let Some(model) = signals.model {
            self.values.intern_named(Kind::Model, model.0, &signals.model_name);
        }
        for capability in signals.intents.iter() {
            if let Some(count) = self.intents.get_mut(capability.index()) {
                *count += 1;
            }
        }
        self.meaning.add(&signals.meaning);
        self.conduct.count(signals);
        let echo = self.outputs.echo(&signals.prints);
        self.outputs.remember(&signals.output);
        self.place(signals, number, echo);
        if self.exchanges >= self.next_calibration {
            self.next_calibration = self.exchanges + self.exchanges / 4;
            self.calibrate();
            self.follow_pools(signals.time);
            self.follow_kin(signals.time);
        }
    }

    /// Ends the run: looks at everything once more and tells what was found.
    #[must_use]
    pub fn finish(self) -> Findings {
        self.finish_traced().0
    }

    /// Ends the run like [`Engine::finish`], and tells with what a second pass finds the exchanges of each campaign.
    #[must_use]
    pub fn finish_traced(mut self) -> (Findings, Trace) {
        // What is reported sets the threshold of what else is.
        for _ in 0..LAST_LOOKS_MAX {
            let before = self.reported();
            self.calibrate();
            for family in 0..self.families.len() as u32 {
                self.look(family);
            }
            if self.reported() == before {
                break;
            }
        }
        crate::campaign::findings(&self)
    }

    /// Finds the families of one exchange, lets them grow, and counts it for those it matches.
    fn place(&mut self, signals: &Signals, number: AccountNo, echo: bool) {
        let Some(payer) = self.accounts.get(number).map(|account| account.payer) else { return };
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let stamp = self.exchanges as u32;
        for print in &signals.prints {
            match self.shingles.touch(print.key, payer.0, stamp) {
                Touched::Hot => scratch.hot.push(print.key),
                Touched::Owned(owner) => scratch.owned.push((owner, print.key)),
                Touched::Cold | Touched::Skipped => {}
            }
        }
        self.count_hits(&mut scratch);
        self.release(&mut scratch);
        if !scratch.hot.is_empty() {
            self.grow(&mut scratch, signals.time);
        }
        self.leave_misses(&mut scratch.hits);
        scratch.hits.sort_by_key(|hits| (std::cmp::Reverse(hits.core), hits.family));
        scratch.hits.truncate(MATCHES_MAX);
        let by_text = scratch.hits.len();
        self.hit_kin(&mut scratch.hits);
        if let Some(family) = self.accounts.get(number).and_then(|account| account.pool) {
            scratch.hits.push(Hits { family, core: 0, frozen: 0 });
        }
        if !scratch.hits.iter().take(by_text).any(|hits| hits.core as usize * TEMPLATED >= signals.prints.len()) {
            self.hit_intents(signals, &mut scratch.hits);
        }
        let item = self.item(signals, &scratch);
        for &hits in &scratch.hits {
            self.count(hits, signals, number, payer, item, echo);
        }
        self.merge_what_goes_together(scratch.hits.get(..by_text).unwrap_or_default());
        for &Hits { family, .. } in &scratch.hits {
            if self.families.get(family as usize).is_some_and(|f| f.exchanges >= f.next_look && f.merged_into.is_none())
            {
                self.look(family);
            }
        }
        self.scratch = scratch;
    }

    /// Sums, by family, how many core shingles of its skeleton the exchange has.
    fn count_hits(&mut self, scratch: &mut Scratch) {
        for &(owner, key) in &scratch.owned {
            let Some(family) = self.families.get_mut(owner.family as usize) else { continue };
            if family.hit(owner.place, key) != Some(true) {
                continue;
            }
            let frozen = family.hypothesis.as_ref().is_some_and(|hypothesis| owner.place < hypothesis.skeleton);
            let at = scratch.hits.iter().position(|hits| hits.family == owner.family);
            match at.and_then(|at| scratch.hits.get_mut(at)) {
                Some(hits) => {
                    hits.core += 1;
                    hits.frozen += u32::from(frozen);
                }
                None => scratch.hits.push(Hits { family: owner.family, core: 1, frozen: frozen.into() }),
            }
        }
    }

    /// Leaves out families of which the exchange has too little. What many such exchanges have in common becomes a family of its own.
    fn leave_misses(&mut self, hits: &mut Vec<Hits>) {
        hits.retain(|hits| {
            let Some(family) = self.families.get_mut(hits.family as usize) else { return false };
            let matches = hits.core >= family.needed();
            if !matches && family.miss() {
                let wider = family.wider();
                self.split_off(hits.family, &wider);
            }
            matches
        });
    }

    /// Takes shingles out of a family whose common text most of its exchanges have without them: a template below a system prompt that
    /// everybody sends, where both became shared at once. Those that one exchange has go together.
    fn release(&mut self, scratch: &mut Scratch) {
        for at in 0..scratch.hits.len() {
            let Some(&Hits { family: number, .. }) = scratch.hits.get(at) else { continue };
            let detected = |family: &Family| family.hypothesis.as_ref().is_some_and(|h| h.detected_at.is_some());
            let splits = |family: &&mut Family| family.is_broad() && !detected(family);
            let Some(family) = self.families.get_mut(number as usize).filter(splits) else { continue };
            let own = scratch.owned.iter().filter(|(owner, _)| owner.family == number);
            let narrow: Vec<u64> =
                own.filter(|(owner, key)| family.is_narrow(owner.place, *key)).map(|&(_, key)| key).collect();
            if narrow.len() >= RELEASED_MIN {
                // What was frozen was another text.
                family.hypothesis = None;
                family.forget(&narrow);
                scratch.owned.retain(|(owner, key)| owner.family != number || !narrow.contains(key));
                scratch.hot.extend(narrow);
            }
        }
    }

    /// Adds the groups of kin that the families hit are in. An exchange has as much of such a group as it has of the family,
    /// compared to what is usual there.
    fn hit_kin(&self, hits: &mut Vec<Hits>) {
        for at in 0..hits.len() {
            let Some(&Hits { family, core, .. }) = hits.get(at) else { continue };
            let Some((family, kin)) = self.family(family).and_then(|family| Some((family, family.kin?))) else {
                continue;
            };
            if hits.iter().all(|hits| hits.family != kin) {
                let usual = family.core_hits as f64 / f64::from(family.exchanges.max(1));
                let core = (f64::from(core) / usual.max(1.0) * USUAL_DEPTH).clamp(1.0, USUAL_DEPTH * USUAL_DEPTH);
                hits.push(Hits { family: kin, core: core as u32, frozen: 0 });
            }
        }
    }

    /// Adds the families of what an exchange without a template is after, new where nobody asked for it before: who sends a template is in
    /// a group by that.
    fn hit_intents(&mut self, signals: &Signals, hits: &mut Vec<Hits>) {
        for capability in signals.intents.iter().filter(|capability| WATCHED.contains(capability)) {
            let known = self.by_intent.get(capability.index()).copied().flatten();
            let family = match known {
                Some(family) => family,
                None if self.families.len() >= FAMILIES_MAX => continue,
                None => {
                    self.families.push(Family::after(capability, signals.time));
                    (self.families.len() - 1) as u32
                }
            };
            if let Some(place) = self.by_intent.get_mut(capability.index()) {
                *place = Some(family);
            }
            hits.push(Hits { family, core: 0, frozen: 0 });
        }
    }

    /// Gives newly shared shingles to the family that the exchange shows most of, or to a new one. What becomes shared only
    /// now is no part of a text that many exchanges had without it: what stands below a system prompt that everybody sends is a
    /// text of its own.
    fn grow(&mut self, scratch: &mut Scratch, time: Time) {
        let joins = |hits: &&Hits| {
            self.family(hits.family).is_some_and(|family| {
                family.exchanges <= GROWS_FOR
                    && hits.core as usize * JOIN_TIMES >= scratch.hot.len()
                    && (hits.core >= JOIN_HITS || hits.core >= family.needed())
            })
        };
        let joined =
            scratch.hits.iter().filter(joins).max_by_key(|hits| (hits.core, std::cmp::Reverse(hits.family))).copied();
        let number = match joined {
            Some(best) => best.family,
            None if self.families.len() < FAMILIES_MAX => {
                self.families.push(Family::new(time));
                let family = (self.families.len() - 1) as u32;
                scratch.hits.push(Hits { family, core: 0, frozen: 0 });
                family
            }
            None => {
                self.families_refused += 1;
                return;
            }
        };
        let Some(family) = self.families.get_mut(number as usize) else { return };
        let mut added = 0;
        for &key in &scratch.hot {
            if let Some(place) = family.add(key) {
                self.shingles.give(key, Owner { family: number, place });
                added += 1;
            }
        }
        if let Some(hits) = scratch.hits.iter_mut().find(|hits| hits.family == number) {
            hits.core += added;
        }
    }

    /// The work item: what of the exchange is in the skeleton of no family that it matches.
    fn item(&self, signals: &Signals, scratch: &Scratch) -> u64 {
        if scratch.hits.is_empty() {
            return 0;
        }
        let in_skeleton = |(owner, key): &&(Owner, u64)| {
            scratch.hits.iter().any(|hits| hits.family == owner.family)
                && self.family(owner.family).is_some_and(|family| family.has_core(owner.place, *key))
        };
        let mut skeleton: Vec<u64> = scratch.owned.iter().filter(in_skeleton).map(|&(_, key)| key).collect();
        skeleton.sort_unstable();
        let varying = signals.prints.iter().filter(|print| skeleton.binary_search(&print.key).is_err());
        let mut varying: Vec<u32> = varying.map(|print| print.exact).collect();
        varying.sort_unstable();
        varying.dedup();
        // The smallest few hashes stand for all of what varies: equal items agree, and so, mostly, do near-equal ones, but
        // not those that merely share a part.
        varying
            .iter()
            .take(ITEM_PRINTS)
            .fold(0, |item, &print| (item ^ u64::from(print)).wrapping_mul(ITEM_SPREAD).rotate_left(29))
    }

    /// Counts an exchange for a family it matches.
    fn count(&mut self, hits: Hits, signals: &Signals, number: AccountNo, payer: Hash, item: u64, echo: bool) {
        let Some(family) = self.families.get_mut(hits.family as usize) else { return };
        family.exchanges += 1;
        family.core_hits += u64::from(hits.core);
        family.conduct.count(signals);
        family.prints += signals.prints.len() as u64;
        family.meaning.add(&signals.meaning);
        family.last = family.last.max(signals.time);
        family.timeline.count(signals.time);
        let exhibit = || Exhibit {
            exchange: signals.exchange.clone(),
            account: number,
            time: signals.time,
            excerpt: signals.excerpt.clone(),
            answer: signals.answer.clone(),
        };
        family.exhibit(xxh3_64(signals.exchange.as_bytes()), exhibit, number);
        let covered =
            self.accounts.get(number).is_some_and(|account| self.labels.cover(&family.labels, account, signals.time));
        let matches = family.hypothesis.as_ref().is_some_and(|hypothesis| hits.frozen >= hypothesis.needed);
        let followed = |family: u32| self.families.get(family as usize).is_some_and(|f| f.hypothesis.is_some());
        let Some(account) = self.accounts.get_mut(number) else { return };
        let (before, total, vetted) = (account.before, account.exchanges, account.vetted);
        let (Some(stride), new) = account.stride_mut(hits.family, signals.time, followed) else { return };
        let begins = self.first.is_none_or(|first| signals.time.seconds_since(first) <= SESSION_SECONDS as f64);
        let session = begins || new || signals.time.seconds_since(stride.last) > SESSION_SECONDS as f64;
        stride.count(signals.time, before, hits.core, matches && !covered);
        stride.spend(signals);
        stride.covered = covered;
        let Some(family) = self.families.get_mut(hits.family as usize) else { return };
        if new && family.members.last() != Some(&number) {
            family.members.push(number);
        }
        let Some(hypothesis) = family.hypothesis.as_deref_mut().filter(|_| matches) else { return };
        hypothesis.matched = hypothesis.matched.saturating_add(1);
        if vetted || covered {
            return;
        }
        if stride.entered {
            hypothesis.count(payer, item, signals, echo);
            if session {
                hypothesis.likeness.count(number, signals);
            }
        } else if membership::probability(stride.exchanges, total, hypothesis.p0) >= 0.5 {
            // What made it a member does not count.
            stride.enter(total, hypothesis.exposure);
            hypothesis.entered = hypothesis.entered.saturating_add(1);
        }
    }

    /// Follows groups that are densely joined by rare infrastructure: a new one is a hypothesis from now on, one that is
    /// followed already takes in those who joined.
    fn follow_pools(&mut self, now: Time) {
        for accounts in dense::groups(&self.accounts, &self.values) {
            let mut known: BTreeMap<u32, usize> = BTreeMap::new();
            for pool in accounts.iter().filter_map(|&number| self.accounts.get(number)?.pool) {
                *known.entry(pool).or_default() += 1;
            }
            let known = known.into_iter().max_by_key(|&(pool, members)| (members, std::cmp::Reverse(pool)));
            let pool = match known {
                Some((pool, members)) if members * 2 > accounts.len() || members * 2 > self.pool_len(pool) => pool,
                _ if self.pools >= GROUPS_MAX || self.families.len() >= FAMILIES_MAX => continue,
                _ => {
                    self.pools += 1;
                    self.suppose(Discovery::Infrastructure, now)
                }
            };
            for number in accounts {
                self.join_pool(number, pool, now);
            }
        }
    }

    /// A hypothesis about a group that has no skeleton.
    fn suppose(&mut self, discovery: Discovery, now: Time) -> u32 {
        let mut family = Family::without_skeleton(discovery, now);
        // Who is in such a group is decided by other things than by what they send.
        family.hypothesis = Some(Box::new(Hypothesis::freeze(now, &family, CHANCE_OF_A_GROUP)));
        self.families.push(family);
        (self.families.len() - 1) as u32
    }

    /// Follows groups of families that the same accounts send. One that has mostly the same families as before takes in those
    /// that are new; one that is made up anew is a new hypothesis in place of the old.
    fn follow_kin(&mut self, now: Time) {
        let mut before: BTreeMap<u32, usize> = BTreeMap::new();
        for kin in self.families.iter().filter_map(|family| family.kin) {
            *before.entry(kin).or_default() += 1;
        }
        for families in kin::groups(&self.families, &self.accounts, &self.meaning) {
            let mut known: BTreeMap<u32, usize> = BTreeMap::new();
            for kin in families.iter().filter_map(|&number| self.family(number)?.kin) {
                *known.entry(kin).or_default() += 1;
            }
            let known = known.into_iter().max_by_key(|&(kin, families)| (families, std::cmp::Reverse(kin)));
            let same = known.filter(|&(kin, common)| {
                let detected = self.family(kin).and_then(|kin| kin.hypothesis.as_ref()?.detected_at).is_some();
                detected || common * 3 >= before.get(&kin).copied().unwrap_or(0) * 2 && common * 2 >= families.len()
            });
            let kin = match same {
                Some((kin, _)) => kin,
                None if self.families.len() >= FAMILIES_MAX => continue,
                None => {
                    self.dissolve(&families);
                    self.suppose(Discovery::Kin, now)
                }
            };
            for number in families {
                self.join_kin(number, kin, now);
            }
        }
    }

    /// Gives up the groups of kin that any of `families` is in, but for those that were detected.
    fn dissolve(&mut self, families: &[u32]) {
        let of: BTreeSet<u32> = families.iter().filter_map(|&number| self.family(number)?.kin).collect();
        for kin in of {
            let Some(group) = self.families.get_mut(kin as usize) else { continue };
            if group.hypothesis.as_ref().is_some_and(|hypothesis| hypothesis.detected_at.is_some()) {
                continue;
            }
            group.hypothesis = None;
            self.families.iter_mut().filter(|family| family.kin == Some(kin)).for_each(|family| family.kin = None);
        }
    }

    /// Puts a family into a group of kin, with what its accounts sent of it so far.
    fn join_kin(&mut self, number: u32, kin: u32, now: Time) {
        let Some(family) = self.families.get_mut(number as usize).filter(|family| family.kin.is_none()) else { return };
        family.kin = Some(kin);
        let members = std::mem::take(&mut family.members);
        let exposure = self.exposure(kin);
        let followed = |family: u32| self.families.get(family as usize).is_some_and(|f| f.hypothesis.is_some());
        let mut joined = Vec::new();
        for &member in &members {
            let Some(account) = self.accounts.get_mut(member) else { continue };
            let Some(sent) = account.stride(number).copied() else { continue };
            let total = account.exchanges;
            let (Some(stride), new) = account.stride_mut(kin, now, followed) else { continue };
            if new {
                stride.enter(total, exposure);
                joined.push(member);
            }
            // Some exchanges are in several of the families, so this is a bound.
            stride.exchanges = (stride.exchanges + sent.exchanges).min(total);
            stride.input_tokens = stride.input_tokens.saturating_add(sent.input_tokens);
            stride.output_tokens = stride.output_tokens.saturating_add(sent.output_tokens);
            // A stride begins and ends with exchanges, and not when the account was taken into the group.
            stride.first = stride.first.min(sent.first);
            stride.last = if new { sent.last } else { stride.last.max(sent.last) };
        }
        if let Some(family) = self.families.get_mut(number as usize) {
            family.members = members;
        }
        if let Some(kin) = self.families.get_mut(kin as usize) {
            if let Some(hypothesis) = kin.hypothesis.as_deref_mut() {
                hypothesis.entered = hypothesis.entered.saturating_add(joined.len() as u32);
            }
            kin.members.append(&mut joined);
        }
    }

    /// What an even share of a group's exchanges since τ has come to.
    fn exposure(&self, number: u32) -> f64 {
        self.family(number).and_then(|family| family.hypothesis.as_ref()).map_or(0.0, |hypothesis| hypothesis.exposure)
    }

    fn pool_len(&self, pool: u32) -> usize {
        self.family(pool).map_or(0, |family| family.members.len())
    }

    fn join_pool(&mut self, number: AccountNo, pool: u32, now: Time) {
        let exposure = self.exposure(pool);
        let Some(account) = self.accounts.get_mut(number).filter(|account| account.pool.is_none()) else { return };
        account.pool = Some(pool);
        let total = account.exchanges;
        if let (Some(stride), true) = account.stride_mut(pool, now, |_| false) {
            stride.enter(total, exposure);
        }
        if let Some(family) = self.families.get_mut(pool as usize) {
            family.members.push(number);
            if let Some(hypothesis) = family.hypothesis.as_deref_mut() {
                hypothesis.entered = hypothesis.entered.saturating_add(1);
            }
        }
    }

    /// Looks at a family: makes a hypothesis, makes it anew, or weighs the evidence for it.
    fn look(&mut self, number: u32) {
        let Some(family) = self.families.get_mut(number as usize) else { return };
        if family.merged_into.is_some() {
            return;
        }
        self.heed_labels(number);
        let Some(family) = self.families.get_mut(number as usize) else { return };
        if matches!(family.discovery, Discovery::Infrastructure | Discovery::Kin) {
            family.tidy(0);
            family.members.sort_unstable();
            family.members.dedup();
            self.assess(number);
            return;
        }
        let wider = family.wider();
        family.tidy(family.hypothesis.as_ref().map_or(0, |hypothesis| hypothesis.skeleton));
        // A member whose stride was replaced and taken up again is listed twice.
        family.members.sort_unstable();
        family.members.dedup();
        let outgrown = family.hypothesis.as_ref().is_some_and(|hypothesis| {
            let grown = family.core_len() * 10 > usize::from(hypothesis.core) * 13 + 20;
            hypothesis.detected_at.is_none()
                && (grown || hypothesis.is_left_behind(family.exchanges))
                && family.exchanges >= hypothesis.exchanges_before * REFREEZE_GROWTH
        });
        if family.hypothesis.is_none() || outgrown {
            self.freeze(number);
        } else {
            self.assess(number);
        }
        self.split_off(number, &wider);
    }

    /// Gives shingles that are far commoner than the family's matches a family of their own: a phrase that first came up
    /// inside a longer shared text.
    fn split_off(&mut self, number: u32, wider: &[Key]) {
        let Some(family) = self.families.get_mut(number as usize).filter(|_| !wider.is_empty()) else { return };
        let mut split = Family::new(family.last);
        family.forget(&wider.iter().map(|key| key.key).collect::<Vec<_>>());
        if self.families.len() >= FAMILIES_MAX {
            self.families_refused += 1;
            return;
        }
        let family = self.families.len() as u32;
        for key in wider {
            if let Some(place) = split.add(key.key) {
                self.shingles.give(key.key, Owner { family, place });
            }
        }
        self.families.push(split);
    }

    /// Makes a hypothesis of a family that enough payers are devoted to.
    fn freeze(&mut self, number: u32) {
        let Some(family) = self.families.get_mut(number as usize) else { return };
        let mut payers: Vec<Hash> = family
            .members
            .iter()
            .filter_map(|&account| self.accounts.get(account))
            .filter(|account| !account.vetted)
            .filter(|account| account.stride(number).is_some_and(|s| !s.covered && membership::is_devoted(account, s)))
            .map(|account| account.payer)
            .collect();
        payers.sort_unstable();
        payers.dedup();
        if payers.len() < PAYERS_MIN {
            return;
        }
        let accounts = &self.accounts;
        let since_first = family.members.iter().filter_map(|&account| {
            let account = accounts.get(account)?;
            Some(u64::from(account.exchanges.saturating_sub(account.stride(number)?.began)))
        });
        let p0 = membership::chance(family.members.len() as u64, self.exchanges.saturating_sub(since_first.sum()));
        let mut hypothesis = Hypothesis::freeze(family.last, family, p0);
        for &account in &family.members {
            let Some(account) = self.accounts.get_mut(account) else { continue };
            let (total, vetted) = (account.exchanges, account.vetted);
            let Some(stride) = account.strides.iter_mut().find(|stride| stride.family == number) else { continue };
            stride.leave();
            if !vetted && !stride.covered && membership::probability(stride.exchanges, total, p0) >= 0.5 {
                stride.enter(total, 0.0);
                hypothesis.entered = hypothesis.entered.saturating_add(1);
            }
        }
        family.hypothesis = Some(Box::new(hypothesis));
    }

    /// Weighs the evidence since τ.
    fn assess(&mut self, number: u32) {
        let Some(mut assessment) = self.assessment(number, &BTreeSet::new()) else { return };
        let Some(family) = self.families.get_mut(number as usize) else { return };
        let now = family.last;
        let Some(hypothesis) = family.hypothesis.as_deref_mut() else { return };
        let enough = hypothesis.exchanges >= decision::EXCHANGES_MIN;
        if hypothesis.number == 0 && enough && assessment.payers >= decision::PAYERS_MIN as u64 {
            // Tested from now on, at a level of its own.
            self.hypotheses += 1;
            hypothesis.number = self.hypotheses;
            let Some(tested) = self.assessment(number, &BTreeSet::new()) else { return };
            assessment = tested;
        }
        let Some(hypothesis) =
            self.families.get_mut(number as usize).and_then(|family| family.hypothesis.as_deref_mut())
        else {
            return;
        };
        if assessment.cleared.is_none() && hypothesis.detected_at.is_none() {
            hypothesis.detected_at = Some(now);
        }
        hypothesis.assessment = Some(assessment);
    }

    /// The evidence since τ for those in the group who are not among `others`.
    pub(crate) fn assessment(&self, number: u32, others: &BTreeSet<AccountNo>) -> Option<Assessment> {
        let family = self.families.get(number as usize)?;
        let hypothesis = family.hypothesis.as_deref()?;
        let group = Group::of(number, family, &self.accounts, self.chance(number));
        let group = group.without(others, &self.accounts);
        let others = self.calibration.apart_from(number, &group.accounts);
        let scene = self.scene((number, family), hypothesis, &group, &others);
        let evidence = evidence::weigh(&scene);
        let mut own = group.accounts.clone();
        own.sort_unstable();
        let apart = self.contenders.iter().filter(|(_, accounts)| !group::overlap(accounts, &own));
        let contending: Vec<f64> = apart.map(|&(log10_e, _)| log10_e).collect();
        let log10_threshold = evalue::ebh_threshold(self.hypotheses.max(TESTED_MIN), &contending, self.config.alpha);
        let likeness = &hypothesis.likeness;
        let overlap = evidence::work_queue::Overlap::of(&hypothesis.items, group.payers.len()).unwrap_or_default();
        // Whatever is that short comes at one time of the day and of the hour.
        let too_short = evidence::sessions::too_short(&scene);
        let circumstances = decision::Circumstances {
            concentrated: likeness.concentrated() && !too_short,
            clocks: if too_short { 0.0 } else { likeness.clocks() },
            sittings: evidence::sessions::measure(&scene).map_or(0.0, evidence::sessions::sittings),
            common: overlap.common,
            once: overlap.once,
        };
        let seen = (group.payers.len(), hypothesis.exchanges);
        let bar = decision::Bar::at(self.config.alpha, log10_threshold);
        let decision = decision::decide(&evidence, circumstances, seen, bar);
        Some(Assessment {
            evidence,
            log10_e: decision.log10_e,
            log10_threshold,
            rival: decision.rival,
            contends: decision.contends,
            cleared: decision.cleared,
            payers: group.payers.len() as u64,
        })
    }

    /// Families that the evidence at their last look is enough for.
    fn reported(&self) -> Vec<u32> {
        let reported = |family: &Family| family.hypothesis.as_ref().is_some_and(|hypothesis| hypothesis.is_reported());
        (0..).zip(&self.families).filter(|(_, family)| reported(family)).map(|(number, _)| number).collect()
    }

    /// Those of [`Self::contenders`] as of now. One campaign makes many groups, which are one discovery.
    fn contend(&self) -> Vec<(f64, Vec<AccountNo>)> {
        let contender = |(number, family): (u32, &Family)| {
            let hypothesis = family.hypothesis.as_deref().filter(|_| family.merged_into.is_none())?;
            let assessment = hypothesis.assessment.as_ref().filter(|assessment| assessment.contends)?;
            let mut accounts = Group::of(number, family, &self.accounts, hypothesis.p0).accounts;
            accounts.sort_unstable();
            Some((assessment.log10_e, accounts))
        };
        group::distinct((0..).zip(&self.families).filter_map(contender).collect())
    }

    fn scene<'a>(
        &'a self,
        (number, family): (u32, &'a Family),
        hypothesis: &'a Hypothesis,
        group: &'a Group,
        others: &'a Others<'a>,
    ) -> Scene<'a> {
        Scene {
            group,
            number,
            family,
            hypothesis,
            accounts: &self.accounts,
            values: &self.values,
            sign_ups: &self.sign_ups,
            others,
            asking: &self.asking,
            intents: &self.intents,
            timeline: &self.timeline,
            conduct: &self.conduct,
            exchanges: self.exchanges,
            seconds: self.first.zip(self.last).map_or(0.0, |(first, last)| last.seconds_since(first)),
        }
    }

    /// What is measured of a group; none where too few payers take part, or any of a campaign that a person confirmed.
    pub(crate) fn measured(&self, number: u32) -> Option<Unit> {
        let family = self.family(number).filter(|family| family.merged_into.is_none())?;
        let hypothesis = family.hypothesis.as_deref()?;
        let group = Group::of(number, family, &self.accounts, hypothesis.p0);
        let confirmed = group.iter(&self.accounts).any(|account| self.labels.confirmed(account));
        if group.payers.len() < COMPARED_PAYERS_MIN || confirmed {
            return None;
        }
        // What is measured of a group does not depend on others.
        let measures = evidence::measure(&self.scene((number, family), hypothesis, &group, &Others::default()));
        let mut accounts = group.accounts;
        accounts.sort_unstable();
        let honest = match &hypothesis.assessment {
            Some(assessment) => Credence::by(|sign| decision::total_without(&assessment.evidence, sign)),
            None => Credence::default(),
        };
        Some(Unit { number: Some(number), vouched: false, honest, accounts, measures })
    }

    /// Measures the groups that others are compared to: what people vouched for, and the latest of this log, since habits change.
    fn calibrate(&mut self) {
        self.sign_ups = SignUps::of(&self.accounts);
        self.asking = self.by_intent.map(|number| self.asking(number?));
        // A family is not compared with what was measured of itself when somebody vouched for it.
        let family =
            |label: &LabelNo| self.known.iter().find(|(_, about)| about.contains(label)).map(|(&family, _)| family);
        let vouched = self.labels.habits().iter();
        let vouched = vouched.map(|(label, measures)| Unit {
            number: family(label),
            vouched: true,
            honest: Credence::default(),
            accounts: Vec::new(),
            measures: *measures,
        });
        let numbers = 0..self.families.len() as u32;
        let by_text = |number: &u32| self.family(*number).is_some_and(|family| family.discovery == Discovery::Family);
        let measured = numbers.rev().filter(by_text).filter_map(|number| self.measured(number));
        self.calibration = Calibration::new(vouched.chain(measured));
        self.contenders = self.contend();
    }

    /// How many accounts send a good part of their requests to a family.
    fn asking(&self, number: u32) -> Option<u64> {
        let members = self.family(number)?.members.iter().filter_map(|&account| self.accounts.get(account));
        let after = |account: &&Account| {
            account.stride(number).is_some_and(|stride| evidence::intent::is_after(stride.exchanges, account.exchanges))
        };
        Some(members.filter(after).count() as u64)
    }

    fn family(&self, number: u32) -> Option<&Family> {
        self.families.get(number as usize)
    }

    /// The upper bound on how often an account outside the group sends the family, as it was fixed at τ.
    pub(crate) fn chance(&self, number: u32) -> f64 {
        self.family(number).and_then(|family| family.hypothesis.as_ref()).map_or(1.0, |hypothesis| hypothesis.p0)
    }

    /// Merges families that keep matching the same exchanges: wordings of one template.
    fn merge_what_goes_together(&mut self, hits: &[Hits]) {
        for (i, a) in hits.iter().enumerate() {
            for b in hits.iter().skip(i + 1) {
                let pair = (a.family.min(b.family), a.family.max(b.family));
                if self.together.len() >= PAIRS_MAX && !self.together.contains_key(&pair) {
                    continue;
                }
                let count = self.together.entry(pair).or_default();
                *count += 1;
                if *count >= MERGE_LOOK && count.is_multiple_of(MERGE_LOOK) {
                    let count = *count;
                    self.merge(pair, count);
                }
            }
        }
    }

    fn merge(&mut self, (a, b): (u32, u32), together: u32) {
        let exchanges = |family: u32| self.families.get(family as usize).map_or(0, |family| family.exchanges);
        let (fewer, more) = (exchanges(a).min(exchanges(b)), exchanges(a).max(exchanges(b)));
        if together * 2 < fewer || together * 2 < more {
            return;
        }
        let (into, from) = if exchanges(a) >= exchanges(b) { (a, b) } else { (b, a) };
        let Some(source) = self.families.get_mut(from as usize) else { return };
        if source.merged_into.is_some() || source.hypothesis.as_ref().is_some_and(|h| h.detected_at.is_some()) {
            return;
        }
        source.merged_into = Some(into);
        source.hypothesis = None;
        let (keys, members) = (std::mem::take(&mut source.keys), std::mem::take(&mut source.members));
        let Some(target) = self.families.get_mut(into as usize) else { return };
        for key in keys {
            let Some(place) = target.add(key.key) else { break };
            self.shingles.give(key.key, Owner { family: into, place });
        }
        for number in members {
            let Some(account) = self.accounts.get_mut(number) else { continue };
            let Some(at) = account.strides.iter().position(|stride| stride.family == from) else { continue };
            let moved = account.strides.swap_remove(at);
            let (stride, new) = account.stride_mut(into, moved.first, |_| true);
            if let Some(stride) = stride {
                // Most of its exchanges were counted for both.
                stride.exchanges = stride.exchanges.max(moved.exchanges);
                stride.began = stride.began.min(moved.began);
                stride.input_tokens = stride.input_tokens.max(moved.input_tokens);
                stride.output_tokens = stride.output_tokens.max(moved.output_tokens);
                stride.core_hits = stride.core_hits.saturating_add(moved.core_hits);
                stride.first = stride.first.min(moved.first);
                stride.last = stride.last.max(moved.last);
            }
            if new {
                target.members.push(number);
            }
        }
    }
}

impl Scratch {
    fn clear(&mut self) {
        self.hot.clear();
        self.owned.clear();
        self.hits.clear();
    }
}

/// What a provider would not hand out in bulk and hardly anybody asks for: worth a group of its own. Code, translations and tools
/// are what everybody asks for.
const WATCHED: [Capability; 5] = [
    Capability::ReasoningTrace,
    Capability::Grading,
    Capability::DataGeneration,
    Capability::TraceCleaning,
    Capability::Concealment,
];
/// An exchange that shows a shared text in one of so many of its fingerprints is after what that text is after.
const TEMPLATED: usize = 3;
/// As if so many groups had been tested at least: among few groups there is little to compare with, and more is asked.
const TESTED_MIN: u64 = 20;
/// Payers devoted to a family before it is worth a hypothesis.
const PAYERS_MIN: usize = 6;
/// Stands where membership is not decided by how often somebody sends a text.
const CHANCE_OF_A_GROUP: f64 = 0.05;
/// Fewer payers make no group to compare with.
const COMPARED_PAYERS_MIN: usize = 8;
/// Times that everything is looked at once more at the end.
const LAST_LOOKS_MAX: usize = 3;
/// Exchanges after which groups are first measured to compare with.
const FIRST_CALIBRATION: u64 = 1000;
/// A hypothesis is made anew only when its family has grown by this factor since.
const REFREEZE_GROWTH: u32 = 3;
/// Exchanges of a family during which what becomes shared belongs to it.
const GROWS_FOR: u32 = 60;
/// Fewer shingles that most exchanges of a family lack are no text of their own.
const RELEASED_MIN: usize = 6;
/// Shingles shared with a family that make newly shared ones belong to it, even where they do not make a match.
const JOIN_HITS: u32 = 2;
/// Newly shared shingles more than this many times as many are a text of their own, which shares a phrase with the family.
const JOIN_TIMES: usize = 3;
/// How much of its family an exchange that has as much as usual has, for a group of kin.
const USUAL_DEPTH: f64 = 16.0;
/// Fingerprints that stand for a work item.
const ITEM_PRINTS: usize = 6;
/// An odd constant with well spread bits.
const ITEM_SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
/// Pairs of families whose common matches are counted.
const PAIRS_MAX: usize = 1 << 18;
/// Common matches between looks at whether to merge.
const MERGE_LOOK: u32 = 12;
