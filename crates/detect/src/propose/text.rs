//! Proposals by text: which clusters an exchange matches, and how they come to be, grow, part and merge.

use event::{Capability, Signals};
use exchange::Time;

use crate::limits::MATCHES_MAX;
use crate::state::State;
use crate::state::account::AccountNo;
use crate::state::cluster::{Cluster, Key};
use crate::state::shingle::{Owner, Touched};

/// Buffers kept between exchanges.
#[derive(Default)]
pub(crate) struct Scratch {
    hot: Vec<u64>,
    owned: Vec<(Owner, u64)>,
    hits: Vec<Hits>,
}

/// How much of a cluster's skeleton an exchange has.
#[derive(Clone, Copy)]
pub(crate) struct Hits {
    /// The cluster.
    pub cluster: u32,
    /// Shingles of its core,
    pub core: u32,
    /// and of what was frozen.
    pub frozen: u32,
}

/// The clusters that an exchange matches.
pub(crate) struct Matches {
    /// Each, those by text first.
    pub hits: Vec<Hits>,
    /// How many are by text.
    by_text: usize,
    /// The work item: what the exchange says beyond their cores.
    pub item: u64,
}

impl Matches {
    /// Those by text.
    #[must_use]
    pub(crate) fn by_text(&self) -> &[Hits] {
        self.hits.get(..self.by_text).unwrap_or_default()
    }
}

impl State {
    /// Finds the clusters of one exchange and lets them grow.
    pub(crate) fn matches(&mut self, signals: &Signals, number: AccountNo, scratch: &mut Scratch) -> Option<Matches> {
        let payer = self.accounts.get(number)?.payer;
        scratch.clear();
        // 0 stands for an entry that is free.
        let stamp = (self.exchanges as u32).max(1);
        self.shingles.read_ahead(signals.prints.iter().map(|print| print.key));
        for print in &signals.prints {
            match self.shingles.touch(print.key, payer.0, stamp) {
                Touched::Hot => scratch.hot.push(print.key),
                Touched::Owned(owner) => scratch.owned.push((owner, print.key)),
                Touched::Cold | Touched::Skipped => {}
            }
        }
        self.count_hits(scratch);
        self.release(scratch);
        if !scratch.hot.is_empty() {
            self.grow(scratch, signals.time);
        }
        self.leave_misses(&mut scratch.hits);
        scratch.hits.sort_by_key(|hits| (std::cmp::Reverse(hits.core), hits.cluster));
        scratch.hits.truncate(MATCHES_MAX);
        let by_text = scratch.hits.len();
        self.hit_variants(&mut scratch.hits);
        let account = self.accounts.get(number)?;
        let groups = account.pool.into_iter().chain(account.cohort);
        scratch.hits.extend(groups.map(|cluster| Hits { cluster, core: 0, frozen: 0 }));
        if account.exchanges == 1 {
            self.join_burst(number, signals.time);
        }
        if !scratch.hits.iter().take(by_text).any(|hits| hits.core as usize * TEMPLATED >= signals.prints.len()) {
            self.hit_intents(signals, &mut scratch.hits);
        }
        let item = self.item(signals, scratch);
        Some(Matches { hits: scratch.hits.clone(), by_text, item })
    }

    /// Sums, by cluster, how many core shingles of its skeleton the exchange has.
    fn count_hits(&mut self, scratch: &mut Scratch) {
        for &(owner, key) in &scratch.owned {
            let Some(cluster) = self.clusters.get_mut(owner.cluster as usize) else { continue };
            if cluster.hit(owner.place, key) != Some(true) {
                continue;
            }
            let frozen = cluster.trial.as_ref().is_some_and(|trial| owner.place < trial.skeleton);
            let at = scratch.hits.iter().position(|hits| hits.cluster == owner.cluster);
            match at.and_then(|at| scratch.hits.get_mut(at)) {
                Some(hits) => {
                    hits.core += 1;
                    hits.frozen += u32::from(frozen);
                }
                None => scratch.hits.push(Hits { cluster: owner.cluster, core: 1, frozen: frozen.into() }),
            }
        }
    }

    /// Leaves out clusters of which the exchange has too little. What many such exchanges have in common becomes a cluster of its own.
    fn leave_misses(&mut self, hits: &mut Vec<Hits>) {
        hits.retain(|hits| {
            let Some(cluster) = self.clusters.get_mut(hits.cluster as usize) else { return false };
            let matches = hits.core >= cluster.needed();
            if !matches && cluster.miss() {
                let wider = cluster.wider();
                self.split_off(hits.cluster, &wider);
            }
            matches
        });
    }

    /// Takes shingles out of a cluster whose common text most of its exchanges have without them: a template below a system prompt that
    /// everybody sends, where both became shared at once. Those that one exchange has go together.
    fn release(&mut self, scratch: &mut Scratch) {
        for at in 0..scratch.hits.len() {
            let Some(&Hits { cluster: number, .. }) = scratch.hits.get(at) else { continue };
            let detected = |cluster: &Cluster| cluster.trial.as_ref().is_some_and(|h| h.detected_at.is_some());
            let splits = |cluster: &&mut Cluster| cluster.is_broad() && !detected(cluster);
            let Some(cluster) = self.clusters.get_mut(number as usize).filter(splits) else { continue };
            let own = scratch.owned.iter().filter(|(owner, _)| owner.cluster == number);
            let narrow: Vec<u64> =
                own.filter(|(owner, key)| cluster.is_narrow(owner.place, *key)).map(|&(_, key)| key).collect();
            if narrow.len() >= RELEASED_MIN {
                cluster.forget(&narrow);
                if cluster.is_frozen_text_gone() {
                    cluster.trial = None;
                }
                scratch.owned.retain(|(owner, key)| owner.cluster != number || !narrow.contains(key));
                scratch.hot.extend(narrow);
            }
        }
    }

    /// Adds the groups of variants that the clusters hit are in. An exchange has as much of such a group as it has of the cluster,
    /// compared to what is usual there.
    fn hit_variants(&self, hits: &mut Vec<Hits>) {
        for at in 0..hits.len() {
            let Some(&Hits { cluster, core, .. }) = hits.get(at) else { continue };
            let Some((cluster, group)) = self.cluster(cluster).and_then(|cluster| Some((cluster, cluster.variant_of?)))
            else {
                continue;
            };
            if hits.iter().all(|hits| hits.cluster != group) {
                let usual = cluster.core_hits as f64 / f64::from(cluster.exchanges.max(1));
                let core = (f64::from(core) / usual.max(1.0) * USUAL_DEPTH).clamp(1.0, USUAL_DEPTH * USUAL_DEPTH);
                hits.push(Hits { cluster: group, core: core as u32, frozen: 0 });
            }
        }
    }

    /// Adds the clusters of what an exchange without a template is after, new where nobody asked for it before: who sends a template is in
    /// a group by that.
    fn hit_intents(&mut self, signals: &Signals, hits: &mut Vec<Hits>) {
        for capability in signals.intents.iter().filter(|capability| WATCHED.contains(capability)) {
            let known = self.by_intent.get(capability.index()).copied().flatten();
            let cluster = match known {
                Some(cluster) => cluster,
                None => match self.begin_cluster(Cluster::after(capability, signals.time)) {
                    Some(cluster) => cluster,
                    None => continue,
                },
            };
            if let Some(place) = self.by_intent.get_mut(capability.index()) {
                *place = Some(cluster);
            }
            hits.push(Hits { cluster, core: 0, frozen: 0 });
        }
    }

    /// Gives newly shared shingles to the cluster that the exchange shows most of, or to a new one. What becomes shared only
    /// now is no part of a text that many exchanges had without it: what stands below a system prompt that everybody sends is a
    /// text of its own.
    fn grow(&mut self, scratch: &mut Scratch, time: Time) {
        let joins = |hits: &&Hits| {
            self.cluster(hits.cluster).is_some_and(|cluster| {
                cluster.exchanges <= GROWS_FOR
                    && hits.core as usize * JOIN_TIMES >= scratch.hot.len()
                    && (hits.core >= JOIN_HITS || hits.core >= cluster.needed())
            })
        };
        let joined =
            scratch.hits.iter().filter(joins).max_by_key(|hits| (hits.core, std::cmp::Reverse(hits.cluster))).copied();
        let number = match joined {
            Some(best) => best.cluster,
            None => {
                let Some(cluster) = self.begin_cluster(Cluster::new(time)) else {
                    self.clusters_refused += 1;
                    return;
                };
                scratch.hits.push(Hits { cluster, core: 0, frozen: 0 });
                cluster
            }
        };
        let Some(cluster) = self.clusters.get_mut(number as usize) else { return };
        let mut added = 0;
        for &key in &scratch.hot {
            if let Some(place) = cluster.add(key) {
                self.shingles.give(key, Owner { cluster: number, place });
                added += 1;
            }
        }
        if let Some(hits) = scratch.hits.iter_mut().find(|hits| hits.cluster == number) {
            hits.core += added;
        }
    }

    /// The work item: what of the exchange is in the skeleton of no cluster that it matches.
    fn item(&self, signals: &Signals, scratch: &Scratch) -> u64 {
        if scratch.hits.is_empty() {
            return 0;
        }
        let in_skeleton = |(owner, key): &&(Owner, u64)| {
            scratch.hits.iter().any(|hits| hits.cluster == owner.cluster)
                && self.cluster(owner.cluster).is_some_and(|cluster| cluster.has_core(owner.place, *key))
        };
        let mut skeleton: Vec<u64> = scratch.owned.iter().filter(in_skeleton).map(|&(_, key)| key).collect();
        skeleton.sort_unstable();
        // The smallest few hashes stand for all of what varies: equal items agree, and so, mostly, do near-equal ones, but
        // not those that merely share a part.
        let mut smallest = [u32::MAX; ITEM_PRINTS];
        let mut count = 0;
        for print in &signals.prints {
            let full = count == ITEM_PRINTS;
            if full && smallest.last() <= Some(&print.exact) || skeleton.binary_search(&print.key).is_ok() {
                continue;
            }
            let Err(place) = smallest.get(..count).unwrap_or_default().binary_search(&print.exact) else { continue };
            if let Some(larger) = smallest.get_mut(place..) {
                larger.rotate_right(1);
                larger.first_mut().into_iter().for_each(|first| *first = print.exact);
            }
            count = (count + 1).min(ITEM_PRINTS);
        }
        smallest
            .iter()
            .take(count)
            .fold(0, |item, &print| (item ^ u64::from(print)).wrapping_mul(ITEM_SPREAD).rotate_left(29))
    }

    /// Gives shingles that are far commoner than the cluster's matches a cluster of their own: a phrase that first came up
    /// inside a longer shared text.
    pub(crate) fn split_off(&mut self, number: u32, wider: &[Key]) {
        let Some(cluster) = self.clusters.get_mut(number as usize).filter(|_| !wider.is_empty()) else { return };
        let mut split = Cluster::new(cluster.last);
        cluster.forget(&wider.iter().map(|key| key.key).collect::<Vec<_>>());
        let places: Vec<Option<u16>> = wider.iter().map(|key| split.add(key.key)).collect();
        let Some(cluster) = self.begin_cluster(split) else {
            self.clusters_refused += 1;
            return;
        };
        for (key, place) in wider.iter().zip(places) {
            if let Some(place) = place {
                self.shingles.give(key.key, Owner { cluster, place });
            }
        }
    }

    /// Merges clusters that keep matching the same exchanges: wordings of one template.
    pub(crate) fn merge_what_goes_together(&mut self, hits: &[Hits]) {
        for (i, a) in hits.iter().enumerate() {
            for b in hits.iter().skip(i + 1) {
                let pair = (a.cluster.min(b.cluster), a.cluster.max(b.cluster));
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
        let exchanges = |cluster: u32| self.clusters.get(cluster as usize).map_or(0, |cluster| cluster.exchanges);
        let (fewer, more) = (exchanges(a).min(exchanges(b)), exchanges(a).max(exchanges(b)));
        if together * 2 < fewer || together * 2 < more {
            return;
        }
        let (into, from) = if exchanges(a) >= exchanges(b) { (a, b) } else { (b, a) };
        let Some(source) = self.clusters.get_mut(from as usize) else { return };
        if source.gone || source.trial.as_ref().is_some_and(|h| h.detected_at.is_some()) {
            return;
        }
        source.gone = true;
        source.trial = None;
        self.exhibits.forget(&std::mem::take(&mut source.samples));
        let (keys, members) = (std::mem::take(&mut source.keys), std::mem::take(&mut source.members));
        let Some(target) = self.clusters.get_mut(into as usize) else { return };
        for key in keys {
            let Some(place) = target.add(key.key) else { break };
            self.shingles.give(key.key, Owner { cluster: into, place });
        }
        for number in members {
            let Some(account) = self.accounts.get_mut(number) else { continue };
            let Some(at) = account.tallies.iter().position(|tally| tally.cluster == from) else { continue };
            let moved = account.tallies.swap_remove(at);
            let (tally, new) = account.tally_mut(into, moved.first, |_| true);
            if let Some(tally) = tally {
                // Most of its exchanges were counted for both.
                tally.exchanges = tally.exchanges.max(moved.exchanges);
                tally.began = tally.began.min(moved.began);
                tally.input_tokens = tally.input_tokens.max(moved.input_tokens);
                tally.output_tokens = tally.output_tokens.max(moved.output_tokens);
                tally.core_hits = tally.core_hits.saturating_add(moved.core_hits);
                tally.first = tally.first.min(moved.first);
                tally.last = tally.last.max(moved.last);
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
/// Exchanges of a cluster during which what becomes shared belongs to it.
const GROWS_FOR: u32 = 60;
/// Fewer shingles that most exchanges of a cluster lack are no text of their own.
const RELEASED_MIN: usize = 6;
/// Shingles shared with a cluster that make newly shared ones belong to it, even where they do not make a match.
const JOIN_HITS: u32 = 2;
/// Newly shared shingles more than this many times as many are a text of their own, which shares a phrase with the cluster.
const JOIN_TIMES: usize = 3;
/// How much of its cluster an exchange that has as much as usual has, for a group of variants.
const USUAL_DEPTH: f64 = 16.0;
/// Fingerprints that stand for a work item.
const ITEM_PRINTS: usize = 6;
/// An odd constant with well spread bits.
const ITEM_SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
/// Pairs of clusters whose common matches are counted.
const PAIRS_MAX: usize = 1 << 18;
/// Common matches between looks at whether to merge.
const MERGE_LOOK: u32 = 12;

#[cfg(test)]
mod tests {
    use exchange::{Exchange, Notes};

    use super::*;
    use crate::state::account::Tally;

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    fn account(state: &mut State, name: &str) -> AccountNo {
        let record = format!(r#"{{"time":1,"account":"{name}","request":{{}}}}"#);
        let mut sink = |exchange: Exchange<'_>| {
            state.count(&signals::of(&exchange)).unwrap();
        };
        exchange::read_exchanges(&record, &mut Notes::default(), &mut sink).unwrap();
        state.accounts.known(name).unwrap()
    }

    #[test]
    fn clusters_that_mostly_go_together_become_the_larger_of_them() {
        for (larger, merged) in [(2 * MERGE_LOOK, true), (2 * MERGE_LOOK + 1, false)] {
            let mut state = State::default();
            let (both, one) = (account(&mut state, "both"), account(&mut state, "one"));
            let tallies = [
                (
                    both,
                    1,
                    Tally {
                        exchanges: 5,
                        core_hits: 30,
                        input_tokens: 7,
                        output_tokens: 1,
                        last: at(300),
                        ..Tally::new(1, at(200), 3)
                    },
                ),
                (
                    both,
                    0,
                    Tally {
                        exchanges: 4,
                        core_hits: 20,
                        input_tokens: 2,
                        output_tokens: 9,
                        last: at(400),
                        ..Tally::new(0, at(100), 1)
                    },
                ),
                (one, 0, Tally { exchanges: 2, last: at(60), ..Tally::new(0, at(50), 1) }),
            ];
            for exchanges in [MERGE_LOOK, larger] {
                let mut cluster = Cluster::new(at(1));
                cluster.exchanges = exchanges;
                state.begin_cluster(cluster).unwrap();
            }
            for (account, cluster, tally) in tallies {
                state.accounts.get_mut(account).unwrap().tallies.push(tally);
                state.clusters.get_mut(cluster).unwrap().members.push(account);
            }
            let hits = [1, 0].map(|cluster| Hits { cluster, core: 9, frozen: 0 });
            (1..MERGE_LOOK).for_each(|_| state.merge_what_goes_together(&hits));
            assert!(!state.cluster(0).unwrap().gone, "too early to tell");
            state.merge_what_goes_together(&hits);
            assert_eq!((state.cluster(0).unwrap().gone, state.cluster(1).unwrap().gone), (merged, false), "{larger}");
            if !merged {
                continue;
            }
            assert_eq!(state.cluster(1).unwrap().members, [both, one]);
            let part = |account| {
                let account = state.accounts.get(account).unwrap();
                assert!(account.tally(0).is_none());
                let tally = account.tally(1).unwrap();
                let tokens = (tally.input_tokens, tally.output_tokens);
                (tally.exchanges, tally.began, tally.core_hits, tokens, tally.first, tally.last)
            };
            assert_eq!(part(both), (5, 1, 50, (7, 9), at(100), at(400)));
            assert_eq!(part(one), (2, 1, 0, (0, 0), at(50), at(60)));
        }
    }
}
