//! Clusters: exchanges that share a skeleton of fingerprints, and the rules by which skeletons grow and match.
//!
//! A cluster begins when shingles become shared by several payers in one exchange, and grows by the shingles that become
//! shared in its exchanges. Those that a fair share of its exchanges have are its *core*; popular slot values are not, and
//! give their places up. An exchange *matches* when it has a fair part of the core that exchanges of the cluster have on
//! average, so that a template whose wording varies matches by the little that stays, and a long fixed one only as a whole.
//! Wordings may scatter over several clusters first; those that keep matching the same exchanges are merged.

use event::{Capability, Signals};
use exchange::Time;
use findings::Discovery;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::limits::{SAMPLES_MAX, SKELETON_MAX};
use crate::state::account::AccountNo;
use crate::state::conduct::Conduct;
use crate::state::direction::Direction;
use crate::state::exhibit::{Change, Exhibit};
use crate::state::timeline::Timeline;
use crate::state::trial::{Frozen, Trial};

/// The number of what a person said.
pub(crate) type LabelNo = u32;

/// One cluster.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cluster {
    /// How it was discovered. A cluster by infrastructure has no skeleton: every exchange of its members is in it. Nor has
    /// one of variants: every exchange of the clusters that are its variants is in it; nor one by intent.
    pub discovery: Discovery,
    /// Its skeleton, in the order in which the shingles became shared.
    pub keys: Vec<Key>,
    /// Its exchanges.
    pub exchanges: u32,
    /// Core shingles that its exchanges had, in total.
    pub core_hits: u64,
    /// How its exchanges are sent.
    pub conduct: Conduct,
    /// Fingerprints of any kind that its exchanges had, in total.
    pub prints: u64,
    /// What its exchanges mean, in total.
    pub meaning: Box<Direction>,
    /// Places in the skeleton that can be used again.
    free: Vec<u16>,
    /// Whether nearly all exchanges have a text in common.
    broad: bool,
    /// Exchanges that have some of its core and too little of it to match.
    missed: u32,
    /// The first of them.
    pub first: Time,
    /// The last of them.
    pub last: Time,
    /// Accounts that ever matched it.
    pub members: Vec<AccountNo>,
    /// Some of its exchanges.
    pub samples: Vec<Exhibit>,
    /// When its exchanges happened.
    pub timeline: Timeline,
    /// The number of exchanges at which it is looked at next.
    pub next_look: u32,
    /// Whether that is due and waits to be done.
    pub waits: bool,
    /// What is being tested about it.
    pub trial: Option<Box<Trial>>,
    /// What people said of it.
    pub labels: Vec<LabelNo>,
    /// Whether it was merged into another or forgotten.
    pub gone: bool,
    /// The group of variants that it is in.
    pub variant_of: Option<u32>,
    /// What its exchanges are after, where that is what makes them its own.
    pub asks: Option<Capability>,
}

/// A shingle of a skeleton.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Key {
    /// The shingle.
    pub key: u64,
    /// The cluster's exchanges that had it.
    pub hits: u32,
    /// The cluster's exchanges when it was added.
    pub since: u32,
}

impl Cluster {
    /// A cluster that begins at `time`.
    #[must_use]
    pub(crate) fn new(time: Time) -> Cluster {
        Cluster {
            discovery: Discovery::Text,
            keys: Vec::new(),
            exchanges: 0,
            core_hits: 0,
            conduct: Conduct::default(),
            prints: 0,
            meaning: Box::default(),
            free: Vec::new(),
            broad: false,
            missed: 0,
            first: time,
            last: time,
            members: Vec::new(),
            samples: Vec::new(),
            timeline: Timeline::default(),
            next_look: FIRST_LOOK,
            waits: false,
            trial: None,
            labels: Vec::new(),
            gone: false,
            variant_of: None,
            asks: None,
        }
    }

    /// A cluster that is not known by a skeleton of its own.
    #[must_use]
    pub(crate) fn without_skeleton(discovery: Discovery, time: Time) -> Cluster {
        Cluster { discovery, ..Cluster::new(time) }
    }

    /// Whether it is a group of accounts, whatever they send.
    #[must_use]
    pub(crate) fn is_of_accounts(&self) -> bool {
        matches!(self.discovery, Discovery::Infrastructure | Discovery::SignUp)
    }

    /// The cluster of all exchanges that are after `capability`, in whatever words.
    #[must_use]
    pub(crate) fn after(capability: Capability, time: Time) -> Cluster {
        Cluster { asks: Some(capability), ..Cluster::without_skeleton(Discovery::Intent, time) }
    }

    /// What of it is frozen for a trial that begins now.
    #[must_use]
    pub(crate) fn frozen(&self) -> Frozen {
        Frozen {
            skeleton: self.keys.len() as u16,
            core: self.core_len() as u16,
            needed: self.needed(),
            exchanges: self.exchanges,
        }
    }

    /// Whether a trial is to begin or to begin anew: there is none, or the text has outgrown what was frozen, or left it behind. One that was
    /// detected goes on.
    #[must_use]
    pub(crate) fn is_to_be_frozen(&self) -> bool {
        self.trial.as_ref().is_none_or(|trial| {
            let grown = self.core_len() * 10 > usize::from(trial.core) * 13 + 20;
            trial.detected_at.is_none()
                && (grown || trial.is_left_behind(self.exchanges))
                && self.exchanges >= trial.exchanges_before * REFREEZE_GROWTH
        })
    }

    /// Whether nearly all exchanges have too little of what was frozen for the trial to match it.
    #[must_use]
    pub(crate) fn is_frozen_text_gone(&self) -> bool {
        self.trial.as_ref().is_some_and(|trial| {
            let left = (0..trial.skeleton).filter(|&place| self.is_common(place)).count();
            left < trial.needed as usize
        })
    }

    /// Whether it is time to look at it.
    #[must_use]
    pub(crate) fn is_due(&self) -> bool {
        self.exchanges >= self.next_look && !self.gone
    }

    /// Counts an exchange of an account with so many shingles of its core; what changes of its examples.
    pub(crate) fn count(&mut self, signals: &Signals, core: u32, account: AccountNo) -> Option<Change> {
        self.exchanges = self.exchanges.saturating_add(1);
        self.core_hits += u64::from(core);
        self.conduct.count(signals);
        self.prints += signals.prints.len() as u64;
        self.meaning.add(&signals.meaning);
        self.last = self.last.max(signals.time);
        self.timeline.count(signals.time);
        let exhibit = || Exhibit {
            exchange: signals.exchange.clone(),
            account,
            time: signals.time,
            excerpt: signals.excerpt.clone(),
            answer: signals.answer.clone(),
        };
        self.exhibit(xxh3_64(signals.exchange.as_bytes()), exhibit, account)
    }

    /// Whether its skeleton has no room for more of the text.
    #[must_use]
    pub(crate) fn is_full(&self) -> bool {
        self.keys.len() >= SKELETON_MAX && self.free.is_empty()
    }

    /// Adds a shingle; its place, none when the skeleton is full.
    pub(crate) fn add(&mut self, key: u64) -> Option<u16> {
        let key = Key { key, hits: 1, since: self.exchanges };
        if let Some(place) = self.free.pop() {
            *self.keys.get_mut(place as usize)? = key;
            return Some(place);
        }
        if self.keys.len() >= SKELETON_MAX {
            return None;
        }
        self.keys.push(key);
        Some((self.keys.len() - 1) as u16)
    }

    /// Notes that an exchange has the shingle `key`, said to be at `place`. Whether it is core; none when the place was
    /// given to another shingle.
    pub(crate) fn hit(&mut self, place: u16, key: u64) -> Option<bool> {
        let found = self.keys.get_mut(place as usize).filter(|known| known.key == key)?;
        found.hits = found.hits.saturating_add(1);
        Some(self.is_core(place))
    }

    /// Notes that an exchange has too little of its core to match. Whether it is time to see what such exchanges have in common: a text
    /// that came up within a longer one.
    pub(crate) fn miss(&mut self) -> bool {
        self.missed = self.missed.saturating_add(1);
        self.missed.is_multiple_of(WIDER_HITS_MIN)
    }

    /// Whether `key` is core at `place`.
    #[must_use]
    pub(crate) fn has_core(&self, place: u16, key: u64) -> bool {
        self.keys.get(place as usize).is_some_and(|known| known.key == key) && self.is_core(place)
    }

    /// Whether the shingle at `place` is core: in a fair share of the exchanges since it was added.
    #[must_use]
    pub(crate) fn is_core(&self, place: u16) -> bool {
        self.keys.get(place as usize).is_some_and(|key| {
            let chances = self.exchanges.saturating_sub(key.since);
            chances < CORE_TRIAL || key.hits.saturating_mul(CORE_ONE_IN) >= chances
        })
    }

    /// How many shingles are core.
    #[must_use]
    pub(crate) fn core_len(&self) -> usize {
        (0..self.keys.len()).filter(|&place| self.is_core(place as u16)).count()
    }

    /// The core shingles.
    pub(crate) fn core(&self) -> impl Iterator<Item = u64> + '_ {
        let places = self.keys.iter().zip(0_u16..).filter(|&(_, place)| self.is_core(place));
        places.map(|(key, _)| key.key)
    }

    /// How many core shingles an exchange needs to match: a quarter of what exchanges of the cluster have on average, and
    /// [`NEEDED_MIN`] unless most have fewer; none where there is no skeleton.
    #[must_use]
    pub(crate) fn needed(&self) -> u32 {
        if self.discovery != Discovery::Text {
            return 0;
        }
        // Not of the skeleton's length: one exchange with a long text of its own that others copied would ask of all others what
        // only it has.
        let average = match self.exchanges {
            0 => self.keys.len() as u32,
            exchanges => u32::try_from(self.core_hits / u64::from(exchanges)).unwrap_or(u32::MAX),
        };
        average.div_ceil(4).max(NEEDED_MIN.min(average.div_ceil(2))).max(1)
    }

    /// Keeps an exchange as an example, of as many accounts as there is room for; later ones replace earlier ones ever
    /// more rarely, chosen by the exchange's own hash.
    fn exhibit(&mut self, hash: u64, exhibit: impl FnOnce() -> Exhibit, account: AccountNo) -> Option<Change> {
        if self.samples.len() < SAMPLES_MAX {
            let is_new = self.samples.iter().all(|sample| sample.account != account);
            return is_new.then(|| {
                let exhibit = exhibit();
                let change = Change::of(&exhibit, None);
                self.samples.reserve_exact(1);
                self.samples.push(exhibit);
                change
            });
        }
        let place = hash % u64::from(self.exchanges.max(1));
        let slot = self.samples.get_mut(place as usize)?;
        let exhibit = exhibit();
        let change = Change::of(&exhibit, Some(slot));
        *slot = exhibit;
        Some(change)
    }

    /// Shingles that occur far more often than the cluster matches: they belong to something wider. None of a campaign that was found.
    #[must_use]
    pub(crate) fn wider(&self) -> Vec<Key> {
        if self.trial.as_ref().is_some_and(|trial| trial.detected_at.is_some()) {
            return Vec::new();
        }
        let wider = |key: &&Key| {
            let chances = self.exchanges.saturating_sub(key.since);
            chances >= CORE_TRIAL && key.hits >= WIDER_HITS_MIN && key.hits / WIDER_TIMES >= chances
        };
        self.keys.iter().filter(wider).copied().collect()
    }

    /// Whether there is a text that nearly all of its exchanges have, as of the last look.
    #[must_use]
    pub(crate) fn is_broad(&self) -> bool {
        self.broad
    }

    /// Whether `key` at `place` is in fewer than half of the exchanges since it was added, long enough to tell.
    #[must_use]
    pub(crate) fn is_narrow(&self, place: u16, key: u64) -> bool {
        self.keys.get(place as usize).filter(|known| known.key == key).is_some_and(|key| {
            let chances = self.exchanges.saturating_sub(key.since);
            chances >= NARROW_TRIAL && u64::from(key.hits) * 2 < u64::from(chances)
        })
    }

    /// Takes shingles out of the skeleton; their places can be used again, but for those that were frozen.
    pub(crate) fn forget(&mut self, keys: &[u64]) {
        let kept = self.trial.as_ref().map_or(0, |trial| trial.skeleton);
        for (place, key) in (0_u16..).zip(&mut self.keys) {
            if keys.contains(&key.key) && !self.free.contains(&place) {
                *key = Key { key: 0, hits: 0, since: 0 };
                if place >= kept {
                    self.free.push(place);
                }
            }
        }
    }

    /// Gives up places that are not core, except those below `kept`, puts its members in order, and sets when to look next: often at
    /// first, then whenever the cluster has grown by a twelfth.
    pub(crate) fn tidy(&mut self, kept: u16) {
        // A member whose tally was replaced and taken up again is listed twice.
        self.members.sort_unstable();
        self.members.dedup();
        self.free = (kept..self.keys.len() as u16).filter(|&place| !self.is_core(place)).collect();
        self.next_look = self.exchanges + (self.exchanges / 12).max(6);
        self.broad = (0..self.keys.len() as u16).filter(|&place| self.is_common(place)).count() >= BROAD_MIN;
    }

    /// Whether the shingle at `place` is in nearly all exchanges since it was added, long enough to tell.
    fn is_common(&self, place: u16) -> bool {
        self.keys.get(place as usize).is_some_and(|key| {
            let chances = self.exchanges.saturating_sub(key.since);
            chances >= NARROW_TRIAL && u64::from(key.hits) * 5 >= u64::from(chances) * 4
        })
    }
}

/// A trial begins anew only when its cluster has grown by this factor since.
const REFREEZE_GROWTH: u32 = 3;
/// Exchanges since a shingle was added before it is known to be in few or in nearly all.
const NARROW_TRIAL: u32 = 60;
/// Fewer shingles that four exchanges of five have are no text in common.
const BROAD_MIN: usize = 6;
/// Exchanges before a cluster is looked at.
const FIRST_LOOK: u32 = 12;
/// Exchanges during which a new shingle counts as core.
const CORE_TRIAL: u32 = 20;
/// Core shingles needed for a match where exchanges of the cluster have at least twice as many.
const NEEDED_MIN: u32 = 3;
/// A core shingle is in at least one exchange in this many.
const CORE_ONE_IN: u32 = 10;
/// A shingle with this many hits,
const WIDER_HITS_MIN: u32 = 24;
/// and this many times as many as the cluster has exchanges, belongs to something wider.
const WIDER_TIMES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skeletons_stop_at_their_limit() {
        let mut cluster = Cluster::new(Time::from_seconds(0));
        for key in 0..SKELETON_MAX as u64 {
            assert!(!cluster.is_full() && cluster.add(key).is_some());
        }
        assert!(cluster.is_full());
        assert_eq!(cluster.add(1 << 40), None);
        assert_eq!(cluster.keys.len(), SKELETON_MAX);
    }

    #[test]
    fn one_long_exchange_does_not_ask_of_all_others_what_only_it_has() {
        let mut cluster = Cluster::new(Time::from_seconds(0));
        (0..400).for_each(|key| {
            cluster.add(key);
        });
        (cluster.exchanges, cluster.core_hits) = (10, 400 + 9 * 40);
        assert_eq!(cluster.needed(), 19, "a quarter of what they have on average");
    }

    #[test]
    fn a_text_in_few_exchanges_of_a_cluster_with_one_in_all_is_narrow() {
        let mut cluster = Cluster::new(Time::from_seconds(0));
        let common: Vec<u16> = (0..BROAD_MIN as u64).map(|key| cluster.add(key).unwrap()).collect();
        let few = cluster.add(99).unwrap();
        let mut after = |exchanges: u32, hits: u32| {
            cluster.exchanges = exchanges;
            common.iter().for_each(|&place| cluster.keys[place as usize].hits = exchanges * 4 / 5);
            cluster.keys[few as usize].hits = hits;
            cluster.tidy(0);
            (cluster.is_broad(), cluster.is_narrow(few, 99))
        };
        assert_eq!(after(NARROW_TRIAL, NARROW_TRIAL / 2 - 1), (true, true));
        assert_eq!(after(NARROW_TRIAL, NARROW_TRIAL / 2), (true, false), "half have it");
        assert_eq!(after(NARROW_TRIAL - 1, 1), (false, false), "too early to tell");
        cluster.trial = Some(Box::new(Trial::freeze(1, cluster.last, cluster.frozen(), 0.01)));
        let needed = |cluster: &mut Cluster, needed: u32| {
            let trial = cluster.trial.as_mut().expect("there is one");
            trial.needed = needed;
            cluster.exchanges = NARROW_TRIAL;
            cluster.keys.iter_mut().for_each(|key| key.hits = NARROW_TRIAL);
            cluster.keys[few as usize].hits = 1;
            cluster.is_frozen_text_gone()
        };
        assert!(!needed(&mut cluster, BROAD_MIN as u32), "what all have is enough to match");
        assert!(needed(&mut cluster, BROAD_MIN as u32 + 1));
        cluster.trial = None;
        cluster.forget(&[0]);
        cluster.tidy(0);
        assert!(!cluster.is_broad(), "{BROAD_MIN} shingles make a common text");
    }

    #[test]
    fn rare_shingles_leave_the_core() {
        let mut cluster = Cluster::new(Time::from_seconds(0));
        let place = cluster.add(1).unwrap();
        cluster.exchanges = CORE_TRIAL - 1;
        assert!(cluster.is_core(place));
        cluster.exchanges = 11;
        cluster.keys[0].hits = 1;
        cluster.exchanges = CORE_TRIAL;
        assert!(!cluster.is_core(place));
        cluster.keys[0].hits = CORE_TRIAL / CORE_ONE_IN;
        assert!(cluster.is_core(place));
    }

    #[test]
    fn what_a_match_needs_follows_what_exchanges_have() {
        for (average, needed) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (16, 4), (200, 50)] {
            let mut cluster = Cluster::new(Time::from_seconds(0));
            cluster.exchanges = CORE_TRIAL;
            cluster.core_hits = average * u64::from(CORE_TRIAL);
            assert_eq!(cluster.needed(), needed, "{average}");
        }
    }

    #[test]
    fn places_of_rare_shingles_are_used_again_and_no_longer_answer_to_them() {
        let mut cluster = Cluster::new(Time::from_seconds(0));
        cluster.add(1);
        let place = cluster.add(2).unwrap();
        cluster.exchanges = 100;
        cluster.keys[0].hits = 100;
        cluster.tidy(0);
        assert_eq!(cluster.add(3), Some(place));
        assert_eq!(cluster.hit(place, 2), None);
        assert_eq!(cluster.hit(place, 3), Some(true));
        cluster.exchanges = 300;
        cluster.tidy(2);
        assert_eq!(cluster.add(4), Some(2), "places below the kept ones stay");
    }

    #[test]
    fn one_miss_in_so_many_asks_what_they_have_in_common() {
        let mut cluster = Cluster::new(Time::from_seconds(0));
        let asks: Vec<u32> = (1..=2 * WIDER_HITS_MIN).filter(|_| cluster.miss()).collect();
        assert_eq!(asks, [WIDER_HITS_MIN, 2 * WIDER_HITS_MIN]);
    }

    #[test]
    fn exhibits_stay_within_their_limit() {
        let mut cluster = Cluster::new(Time::from_seconds(0));
        for i in 0..=SAMPLES_MAX as u32 {
            cluster.exchanges += 1;
            let exhibit = || Exhibit {
                exchange: "e".into(),
                account: i,
                time: Time::from_seconds(0),
                excerpt: "".into(),
                answer: "".into(),
            };
            cluster.exhibit(u64::from(i), exhibit, i);
        }
        assert_eq!(cluster.samples.len(), SAMPLES_MAX);
    }
}
