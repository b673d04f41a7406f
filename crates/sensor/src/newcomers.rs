//! Accounts that sensors tell of and that are not known yet.
//!
//! Promises that whoever is told of is made an account soon after, so that a response can cover it. Bounded by [`NEWCOMERS_MAX`].

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use policy::AccountId;

use crate::limits::{NEWCOMERS_AT_ONCE, NEWCOMERS_MAX};

/// Accounts that wait to be made.
#[derive(Debug, Default)]
pub struct Newcomers(Mutex<BTreeSet<AccountId>>);

impl Newcomers {
    /// One more, unless too many wait.
    pub(crate) fn add(&self, id: &AccountId) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < NEWCOMERS_MAX {
            waiting.insert(id.clone());
        }
    }

    /// Some of those that wait. They wait no longer: who cannot be made comes again with what it asks next.
    #[must_use]
    pub fn take(&self) -> Vec<AccountId> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| waiting.pop_first()).take(NEWCOMERS_AT_ONCE).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
