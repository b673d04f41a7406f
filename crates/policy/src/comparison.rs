//! What requests got, and what they would have got under something else: other policies, or another response.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::action::Actions;

/// What a request is held back of what it asks for; none where it is refused.
pub type Outcome = Option<Actions>;

/// What requests got, and what they would have got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Of all requests.
    pub total: Compared,
    /// Of those of each account.
    pub accounts: BTreeMap<String, Compared>,
    /// Records that say too little: cut off, or of accounts or calls that are not known.
    pub left_out: u64,
    /// Whether there are earlier requests that were not looked at.
    pub is_cut: bool,
}

/// What so many requests got, or would have got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Got {
    /// Those that are answered.
    pub allowed: u64,
    /// Of those that are allowed: of how many something is held back that they asked for.
    pub held_back: u64,
    /// Those that are turned away.
    pub refused: u64,
}

/// The same requests, twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// As it is.
    pub now: Got,
    /// As it would be.
    pub then: Got,
    /// Requests that would have got something else.
    pub different: u64,
}

impl Comparison {
    /// Counts a request of an account.
    pub fn add(&mut self, account: &str, was: Outcome, would: Outcome) {
        let account = match self.accounts.get_mut(account) {
            Some(known) => known,
            None => self.accounts.entry(account.to_owned()).or_default(),
        };
        for compared in [&mut self.total, account] {
            compared.now.add(was);
            compared.then.add(would);
            compared.different += u64::from(was != would);
        }
    }

    /// The accounts of which requests would have got something else, those with most of them first.
    #[must_use]
    pub fn different(&self) -> Vec<(&str, &Compared)> {
        let mut different: Vec<(&str, &Compared)> = self
            .accounts
            .iter()
            .filter(|(_, compared)| compared.different > 0)
            .map(|(id, compared)| (id.as_str(), compared))
            .collect();
        different.sort_by_key(|(id, compared)| (std::cmp::Reverse(compared.different), *id));
        different
    }
}

impl Got {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            None => self.refused += 1,
            Some(held) => {
                self.allowed += 1;
                self.held_back += u64::from(!held.is_empty());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_different_is_counted_by_account() {
        let mut comparison = Comparison::default();
        comparison.add("a", Some(Actions::NONE), Some(Actions::NONE));
        comparison.add("a", Some(Actions::NONE), None);
        comparison.add("b", Some(Actions::NONE), Some(Actions::ALL));
        comparison.add("b", None, Some(Actions::NONE));
        let total = comparison.total;
        assert_eq!((total.now, total.different), (Got { allowed: 3, held_back: 0, refused: 1 }, 3));
        assert_eq!(total.then, Got { allowed: 3, held_back: 1, refused: 1 });
        assert_eq!(comparison.different().iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["b", "a"]);
    }
}
