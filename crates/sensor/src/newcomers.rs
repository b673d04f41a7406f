//! Accounts that sensors tell of and that are not known yet.
//!
//! Promises that whoever is told of is made an account soon after, in the order in which they were first told of, so that a response can cover
//! it. Bounded by [`NEWCOMERS_MAX`].

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use policy::AccountId;

use crate::limits::{NEWCOMERS_AT_ONCE, NEWCOMERS_MAX};

/// Accounts that wait to be made.
#[derive(Debug, Default)]
pub struct Newcomers(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    order: VecDeque<AccountId>,
    /// The same, to find them by.
    known: HashSet<AccountId>,
}

impl Newcomers {
    /// One more, unless too many wait.
    pub(crate) fn add(&self, id: &AccountId) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.order.len() < NEWCOMERS_MAX && waiting.known.insert(id.clone()) {
            waiting.order.push_back(id.clone());
        }
    }

    /// Some of those that wait. They wait no longer: who cannot be made comes again with what it asks next.
    #[must_use]
    pub fn take(&self) -> Vec<AccountId> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.order.len().min(NEWCOMERS_AT_ONCE);
        let taken: Vec<AccountId> = waiting.order.drain(..count).collect();
        for id in &taken {
            waiting.known.remove(id);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_first_is_taken_first() {
        let newcomers = Newcomers::default();
        for id in ["acc_z", "acc_a", "acc_z", "acc_m"] {
            newcomers.add(&id.parse().unwrap());
        }
        let taken: Vec<String> = newcomers.take().iter().map(ToString::to_string).collect();
        assert_eq!(taken, ["acc_z", "acc_a", "acc_m"]);
        newcomers.add(&"acc_z".parse().unwrap());
        assert_eq!(newcomers.take().len(), 1, "who was taken may come again");
    }

    #[test]
    fn they_wait_once_and_have_a_limit() {
        let newcomers = Newcomers::default();
        for n in 0..=NEWCOMERS_MAX {
            newcomers.add(&format!("acc_{n}").parse().unwrap());
            newcomers.add(&"acc_0".parse().unwrap());
        }
        let taken: Vec<usize> =
            std::iter::from_fn(|| Some(newcomers.take().len()).filter(|&taken| taken > 0)).collect();
        assert_eq!(taken.iter().sum::<usize>(), NEWCOMERS_MAX);
        assert!(taken.iter().all(|&taken| taken <= NEWCOMERS_AT_ONCE));
    }
}
