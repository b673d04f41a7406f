//! Exchanges kept as examples of groups, and which of them go when their texts take too much room.
//!
//! Promises that all of them together take at most [`EXHIBITS_BYTES_MAX`] besides those of campaigns that were found, whose examples a
//! finding has to show. The oldest go first.

use std::collections::VecDeque;

use exchange::Time;
use serde::{Deserialize, Serialize};

use crate::limits::{CLUSTERS_MAX, EXHIBITS_BYTES_MAX, SAMPLES_MAX};
use crate::state::account::AccountNo;

/// An exchange kept as an example.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Exhibit {
    /// The exchange's id.
    pub exchange: Box<str>,
    /// Its account.
    pub account: AccountNo,
    /// Its time.
    pub time: Time,
    /// The beginning of what was asked.
    pub excerpt: Box<str>,
    /// The beginning of the answer; empty where it was not recorded.
    pub answer: Box<str>,
}

impl Exhibit {
    /// The room it takes.
    fn bytes(&self) -> usize {
        size_of::<Exhibit>() + self.exchange.len() + self.excerpt.len() + self.answer.len()
    }
}

/// What a new example changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    added: usize,
    /// None where it takes nobody's place.
    replaced: Option<usize>,
}

impl Change {
    /// That `new` stands beside the others of its cluster, or in the place of `old`.
    pub(crate) fn of(new: &Exhibit, old: Option<&Exhibit>) -> Change {
        Change { added: new.bytes(), replaced: old.map(Exhibit::bytes) }
    }
}

/// The room that all examples take, and of which clusters the oldest are.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Exhibits {
    #[serde(skip, default = "bytes_max")]
    limit: usize,
    bytes: usize,
    /// A cluster for each example that was taken, the oldest first; some of these are gone.
    order: VecDeque<u32>,
}

fn bytes_max() -> usize {
    EXHIBITS_BYTES_MAX
}

impl Default for Exhibits {
    fn default() -> Exhibits {
        Exhibits { limit: EXHIBITS_BYTES_MAX, bytes: 0, order: VecDeque::new() }
    }
}

impl Exhibits {
    /// Notes that a cluster has a new example.
    pub(crate) fn changed(&mut self, cluster: u32, change: Change) {
        self.bytes = (self.bytes + change.added).saturating_sub(change.replaced.unwrap_or(0));
        if change.replaced.is_none() {
            self.order.push_back(cluster);
        }
    }

    /// Notes that these are gone.
    pub(crate) fn forget(&mut self, gone: &[Exhibit]) {
        self.bytes = self.bytes.saturating_sub(bytes(gone));
    }

    /// Counts anew what is kept.
    pub(crate) fn count_anew<'e>(&mut self, kept: impl Iterator<Item = &'e [Exhibit]>) {
        self.bytes = kept.map(bytes).sum();
    }

    /// The cluster whose oldest example is to go; none where there is room.
    pub(crate) fn next_to_go(&mut self) -> Option<u32> {
        let is_over = self.bytes > self.limit || self.order.len() > ORDER_MAX;
        is_over.then(|| self.order.pop_front()).flatten()
    }

    /// Keeps fewer, to try what happens at the limit.
    #[cfg(test)]
    pub(crate) fn limited(limit: usize) -> Exhibits {
        Exhibits { limit, ..Exhibits::default() }
    }
}

fn bytes(exhibits: &[Exhibit]) -> usize {
    exhibits.iter().map(Exhibit::bytes).sum()
}

/// Examples of which it is remembered which is older: as many as there can be.
const ORDER_MAX: usize = CLUSTERS_MAX * SAMPLES_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn exhibit(text: &str) -> Exhibit {
        Exhibit {
            exchange: "e".into(),
            account: 0,
            time: Time::from_seconds(0),
            excerpt: text.into(),
            answer: "".into(),
        }
    }

    #[test]
    fn what_is_replaced_or_gone_takes_no_room() {
        let (long, short) = (exhibit("a text of some length"), exhibit("a"));
        let mut exhibits = Exhibits::limited(long.bytes() + short.bytes());
        exhibits.changed(1, Change::of(&long, None));
        exhibits.changed(2, Change::of(&long, None));
        exhibits.changed(2, Change::of(&short, Some(&long)));
        assert_eq!(exhibits.next_to_go(), None, "as much as there may be");
        exhibits.changed(3, Change::of(&exhibit(""), None));
        assert_eq!(exhibits.next_to_go(), Some(1));
        exhibits.forget(std::slice::from_ref(&long));
        assert_eq!(exhibits.next_to_go(), None);
        exhibits.count_anew([[long.clone(), long].as_slice(), &[exhibit("")]].into_iter());
        assert_eq!([(); 3].map(|()| exhibits.next_to_go()), [Some(2), Some(3), None], "each was taken once");
    }

    #[test]
    fn the_order_of_examples_has_a_limit_of_its_own() {
        let mut exhibits = Exhibits { order: VecDeque::from(vec![7; ORDER_MAX]), ..Exhibits::default() };
        assert_eq!(exhibits.next_to_go(), None);
        exhibits.order.push_back(8);
        assert_eq!((exhibits.next_to_go(), exhibits.next_to_go()), (Some(7), None));
        assert_eq!(Exhibits::default().limit, EXHIBITS_BYTES_MAX);
    }
}
