//! A trial: "this skeleton is a campaign's", frozen at a time τ and tested on later records only.
//!
//! What is counted here was all seen after τ. When a skeleton keeps growing the trial is dropped and made anew with a
//! later τ and a number of its own, so that nothing is ever tested on the records it was made from. O(1) an exchange;
//! at most [`ITEMS_MAX`] work items are followed.

use event::{Capability, Hash, Signals};
use exchange::Time;
use serde::{Deserialize, Serialize};

use crate::limits::ITEMS_MAX;
use crate::state::conduct::Conduct;
use crate::state::likeness::Likeness;
use crate::state::room;
use crate::state::timeline::Timeline;

/// A frozen trial and what was seen since.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Trial {
    /// Which trial it is, from 1 in the order in which they began.
    pub id: u64,
    /// Which trial of its epoch it is, in the order in which they were first tested; 0 while too few take part.
    pub number: u64,
    /// τ.
    pub frozen_at: Time,
    /// The skeleton's length at τ; only so much of it matches.
    pub skeleton: u16,
    /// The skeleton's core at τ.
    pub core: u16,
    /// How many of its shingles an exchange needs to match.
    pub needed: u32,
    /// The bound on how often an account outside the group sends the cluster, from everybody's exchanges before τ.
    pub p0: f64,
    /// The cluster's exchanges at τ.
    pub exchanges_before: u32,
    /// Exchanges since that have what was frozen, of whomever.
    pub matched: u32,
    /// Accounts that entered the group.
    pub entered: u32,
    /// What an even share of the exchanges since τ comes to, for an account that was in from the beginning.
    pub exposure: f64,
    /// Exchanges since.
    pub exchanges: u32,
    /// Work items since.
    pub items: Items,
    /// Exchanges since, by capability.
    pub intents: [u32; Capability::ALL.len()],
    /// How exchanges were sent since.
    pub conduct: Conduct,
    /// How interchangeable the accounts are.
    pub likeness: Likeness,
    /// When.
    pub timeline: Timeline,
    /// Exchanges since in which the model's own earlier output came back.
    pub echoes: u32,
    /// When the evidence crossed the threshold.
    pub detected_at: Option<Time>,
    /// What all evidence came to at the last look (log10).
    pub weighed: Option<f64>,
}

/// What is frozen of a cluster: so much of its skeleton, and what an exchange needs of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Frozen {
    /// The skeleton's length; only so much of it matches.
    pub skeleton: u16,
    /// The skeleton's core.
    pub core: u16,
    /// How many of its shingles an exchange needs to match.
    pub needed: u32,
    /// The cluster's exchanges so far.
    pub exchanges: u32,
}

impl Trial {
    /// The trial with this number, frozen now.
    #[must_use]
    pub(crate) fn freeze(id: u64, time: Time, frozen: Frozen, p0: f64) -> Trial {
        Trial {
            id,
            number: 0,
            frozen_at: time,
            skeleton: frozen.skeleton,
            core: frozen.core,
            needed: frozen.needed,
            p0,
            exchanges_before: frozen.exchanges,
            matched: 0,
            entered: 0,
            exposure: 0.0,
            exchanges: 0,
            items: Items::default(),
            intents: [0; Capability::ALL.len()],
            conduct: Conduct::default(),
            likeness: Likeness::default(),
            timeline: Timeline::default(),
            echoes: 0,
            detected_at: None,
            weighed: None,
        }
    }

    /// Whether most of what the cluster of now `exchanges` took in since lacks what was frozen: another text has taken it over.
    #[must_use]
    pub(crate) fn is_left_behind(&self, exchanges: u32) -> bool {
        u64::from(self.matched) * 2 < u64::from(exchanges.saturating_sub(self.exchanges_before))
    }

    /// Forgets what was counted of everybody together, and what came of it: it is the trial `id` from now on. τ stays, and what is
    /// counted by account.
    pub(crate) fn forget(&mut self, id: u64) {
        self.id = id;
        self.exchanges = 0;
        self.items = Items::default();
        self.likeness = Likeness::default();
        self.intents = [0; Capability::ALL.len()];
        self.echoes = 0;
        self.detected_at = None;
        self.weighed = None;
    }

    /// Counts one matching exchange of a member, later than what made it one.
    pub(crate) fn count(&mut self, payer: Hash, item: u64, signals: &Signals, echo: bool) {
        self.exchanges = self.exchanges.saturating_add(1);
        self.exposure += 1.0 / f64::from(self.entered.max(1));
        self.echoes += u32::from(echo);
        self.conduct.count(signals);
        self.timeline.count(signals.time);
        for capability in signals.intents.iter() {
            if let Some(count) = self.intents.get_mut(capability.index()) {
                *count += 1;
            }
        }
        self.items.count(item, payer);
    }
}

/// Work items: a sample by smallest hash, each with the requests for it and the payers that asked.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Items {
    /// By hash; most trials have one or two, which a tree would give room for eleven.
    sample: Vec<(u64, Item)>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Item {
    requests: u32,
    /// A linear counter of payers (Whang and others, 1990): a bit for each hash of one.
    payers: [u64; PAYER_WORDS],
}

impl Items {
    /// Counts one request for `item`.
    pub(crate) fn count(&mut self, item: u64, payer: Hash) {
        // Spread the hashes, so that "smallest" means nothing about the text.
        let item = item.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
        let place = match self.sample.binary_search_by_key(&item, |&(item, _)| item) {
            Ok(place) => place,
            Err(place) => {
                if self.sample.len() >= ITEMS_MAX {
                    if place >= self.sample.len() {
                        return;
                    }
                    self.sample.pop();
                }
                room::for_one_more(&mut self.sample, 1);
                self.sample.insert(place, (item, Item::default()));
                place
            }
        };
        if let Some((_, item)) = self.sample.get_mut(place) {
            item.count(payer);
        }
    }

    /// Of each item in the sample, how many requests there were and by how many payers, about.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, f64)> + '_ {
        self.sample.iter().map(|(_, item)| (item.requests, item.payers()))
    }
}

impl Item {
    fn count(&mut self, payer: Hash) {
        self.requests = self.requests.saturating_add(1);
        let bit = payer.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - PAYER_BITS.ilog2());
        if let Some(word) = self.payers.get_mut(bit as usize / 64) {
            *word |= 1 << (bit % 64);
        }
    }

    fn payers(&self) -> f64 {
        let ones: u32 = self.payers.iter().map(|word| word.count_ones()).sum();
        let zeros = f64::from((PAYER_BITS as u32 - ones).max(1));
        let payers = -(PAYER_BITS as f64) * libm::log(zeros / PAYER_BITS as f64);
        // No request without a payer, and no payer without a request.
        payers.clamp(1.0, f64::from(self.requests))
    }
}

/// Bits of the counter of payers: good up to a thousand of them or so.
const PAYER_BITS: usize = 256;
/// Words of 64 bits that these take.
const PAYER_WORDS: usize = PAYER_BITS / 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_most_of_its_cluster_lacks_is_left_behind() {
        let frozen = Frozen { exchanges: 40, ..Frozen::default() };
        let trial = Trial { matched: 50, ..Trial::freeze(1, Time::from_seconds(0), frozen, 0.01) };
        assert!(!trial.is_left_behind(140), "half have it");
        assert!(trial.is_left_behind(141));
    }

    #[test]
    fn items_count_payers_and_not_requests() {
        let mut items = Items::default();
        for payer in [1, 1, 2, 1, 3] {
            items.count(7, Hash(payer));
        }
        items.count(8, Hash(1));
        let mut counts: Vec<(u32, u64)> = items.iter().map(|(asked, by)| (asked, by.round() as u64)).collect();
        counts.sort_unstable();
        assert_eq!(counts, [(1, 1), (5, 3)]);
    }

    #[test]
    fn payers_that_take_turns_are_counted_once_each() {
        let mut items = Items::default();
        (0..1000).for_each(|i: u64| items.count(7, Hash::of(&(i % 100).to_string())));
        let (requests, payers) = items.iter().next().unwrap();
        assert_eq!(requests, 1000);
        assert!((90.0..110.0).contains(&payers), "{payers}");
    }

    #[test]
    fn the_sample_of_items_stays_within_its_limit_and_does_not_depend_on_order() {
        let of = |items: Vec<u64>| {
            let mut sample = Items::default();
            items.into_iter().for_each(|item| sample.count(item, Hash(1)));
            sample.sample.into_iter().map(|(item, _)| item).collect::<Vec<_>>()
        };
        let forward = of((0..=ITEMS_MAX as u64).collect());
        assert_eq!(forward.len(), ITEMS_MAX);
        assert_eq!(forward, of((0..=ITEMS_MAX as u64).rev().collect()));
    }
}
