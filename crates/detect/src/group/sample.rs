//! Accounts of a group, or an even sample of them: who is in two groups can be told by samples of both.
//!
//! Of a cluster of more than [`LOOKED_AT_MAX`] members one account in two, four, eight … is looked at, by a hash of its number. Samples lie
//! within each other, so that of two groups those accounts are compared that are in the smaller sample.

use serde::{Deserialize, Serialize};

use crate::limits::LOOKED_AT_MAX;
use crate::state::account::AccountNo;

/// Accounts of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// In order, each once.
    accounts: Vec<AccountNo>,
    /// One in so many of all.
    one_in: u32,
}

impl Sample {
    /// These, which are one in so many.
    #[must_use]
    pub(crate) fn new(mut accounts: Vec<AccountNo>, one_in: u32) -> Sample {
        accounts.sort_unstable();
        accounts.dedup();
        Sample { accounts, one_in }
    }

    /// Those in it, in order.
    #[must_use]
    pub(crate) fn accounts(&self) -> &[AccountNo] {
        &self.accounts
    }

    /// Whether two groups share more than a quarter of the smaller one's accounts.
    #[must_use]
    pub(crate) fn overlaps(&self, other: &Sample) -> bool {
        self.are_one(other, common(&self.accounts, &other.accounts))
    }

    /// The same where it is known how many accounts are in both samples.
    #[must_use]
    pub(crate) fn are_one(&self, other: &Sample, both: usize) -> bool {
        both * OVERLAP_ONE_IN > self.also_in(other).min(other.also_in(self))
    }

    /// How many of its accounts could be in another sample as well.
    fn also_in(&self, other: &Sample) -> usize {
        if other.one_in <= self.one_in {
            return self.accounts.len();
        }
        self.accounts.iter().filter(|&&account| is_sampled(account, other.one_in)).count()
    }
}

/// One account in how many is looked at where there are so many members.
#[must_use]
pub(crate) fn one_in(members: usize) -> u32 {
    members.div_ceil(LOOKED_AT_MAX).max(1).next_power_of_two() as u32
}

/// Whether an account is in a sample of one in so many, a power of two.
#[must_use]
pub(crate) fn is_sampled(account: AccountNo, one_in: u32) -> bool {
    // By a hash, since neighbouring numbers are of accounts that came together.
    one_in <= 1 || account.wrapping_mul(0x9E37_79B1).leading_zeros() >= one_in.trailing_zeros()
}

/// How many are in both, which are in order.
fn common(a: &[AccountNo], b: &[AccountNo]) -> usize {
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if few.len().saturating_mul(SOUGHT_ONE_IN) < many.len() {
        // Each is looked up: to go along all of the many takes longer.
        return few.iter().filter(|account| many.binary_search(account).is_ok()).count();
    }
    let (mut i, mut j, mut both) = (0, 0, 0);
    while let (Some(x), Some(y)) = (few.get(i), many.get(j)) {
        both += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    both
}

/// Groups that share more than one account in this many are not apart.
const OVERLAP_ONE_IN: usize = 4;
/// Accounts are looked up in a list that is so many times as long.
const SOUGHT_ONE_IN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(accounts: &[AccountNo]) -> Sample {
        Sample::new(accounts.to_vec(), 1)
    }

    #[test]
    fn groups_that_share_accounts_are_not_apart() {
        let overlap = |a: &[AccountNo], b: &[AccountNo]| all(a).overlaps(&all(b));
        assert!(!overlap(&[1, 2, 3, 4], &[4, 5, 6, 7]));
        assert!(overlap(&[1, 2, 3, 4], &[3, 4, 6, 7]));
        assert!(!overlap(&[], &[1]));
        // The same where one list is many times as long.
        let many: Vec<AccountNo> = (0..100).collect();
        assert!(overlap(&[1, 2, 500, 501], &many) && !overlap(&many, &[1, 500, 501, 502]));
    }

    #[test]
    fn samples_tell_who_is_in_two_groups() {
        let sample = |accounts: std::ops::Range<AccountNo>, one_in| {
            Sample::new(accounts.filter(|&account| is_sampled(account, one_in)).collect(), one_in)
        };
        for (a, b) in [(1, 1), (1, 8), (8, 1), (4, 16)] {
            assert!(sample(0..4000, a).overlaps(&sample(2000..4000, b)), "{a} {b}");
            assert!(sample(0..4000, a).overlaps(&sample(2600..6600, b)), "{a} {b}");
            assert!(!sample(0..4000, a).overlaps(&sample(3400..7400, b)), "{a} {b}");
        }
    }

    #[test]
    fn members_are_looked_at_up_to_the_limit_and_of_more_an_even_sample() {
        assert_eq!((one_in(0), one_in(LOOKED_AT_MAX), one_in(LOOKED_AT_MAX + 1)), (1, 1, 2));
        assert_eq!((one_in(2 * LOOKED_AT_MAX), one_in(2 * LOOKED_AT_MAX + 1)), (2, 4));
        for one_in in [1, 2, 16] {
            let sample: Vec<AccountNo> = (0..1 << 16).filter(|&account| is_sampled(account, one_in)).collect();
            let expected = f64::from(1 << 16) / f64::from(one_in);
            assert!((sample.len() as f64 / expected - 1.0).abs() < 0.02, "{one_in}: {}", sample.len());
            assert!(sample.iter().all(|&account| is_sampled(account, one_in / 2)), "samples lie within each other");
            let even = sample.iter().filter(|&account| account % 2 == 0).count() as f64;
            assert!((even / sample.len() as f64 - 0.5).abs() < 0.02, "whoever takes turns is in as often: {even}");
        }
    }
}
