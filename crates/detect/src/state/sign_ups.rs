//! When the accounts of the deployment signed up.

use crate::limits::SIGN_UPS_MAX;
use crate::state::account::{Account, Accounts};
use crate::state::value::{Kind, Value};
use serde::{Deserialize, Serialize};

/// When the accounts of the deployment signed up: an even sample of at most [`SIGN_UPS_MAX`], in order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SignUps {
    times: Vec<i64>,
    /// Accounts that each time stands for.
    each: f64,
}

impl SignUps {
    /// Of all accounts that asked something.
    #[must_use]
    pub(crate) fn of(accounts: &Accounts) -> SignUps {
        let seen = accounts.iter().filter(|account| account.exchanges > 0);
        let mut times: Vec<i64> = seen.filter_map(|account| account.created).map(|time| time.seconds()).collect();
        times.sort_unstable();
        let every = times.len().div_ceil(SIGN_UPS_MAX).max(1);
        SignUps { times: times.into_iter().step_by(every).collect(), each: every as f64 }
    }

    /// How many accounts signed up at most `seconds` before or after `time`, about.
    #[must_use]
    pub(crate) fn around(&self, time: i64, seconds: i64) -> f64 {
        within(&self.times, time, seconds) as f64 * self.each
    }

    /// The shortest time in which half of all accounts signed up, in seconds.
    #[must_use]
    pub(crate) fn half(&self) -> Option<i64> {
        shortest_half(&self.times)
    }
}

/// A time in which many more signed up than around it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Burst {
    /// From the first of them, in seconds,
    pub from: i64,
    /// to the last.
    pub to: i64,
    /// What they use.
    pub software: Software,
}

/// The client software of those who signed up in a burst; accounts of which it is not known have one in common.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Software {
    /// This.
    Only(Value),
    /// Any but those of which no more came than usual.
    AllBut(Vec<Value>),
}

impl Burst {
    /// Whether an account signed up in it.
    #[must_use]
    pub(crate) fn has(&self, account: &Account) -> bool {
        let software = account.holds(Kind::Software);
        account.created.is_some_and(|created| (self.from..=self.to).contains(&created.seconds()))
            && match &self.software {
                Software::Only(only) => software == *only,
                Software::AllBut(others) => !others.contains(&software),
            }
    }
}

/// How many of the sorted `times` lie at most `seconds` from `time`.
#[must_use]
pub(crate) fn within(times: &[i64], time: i64, seconds: i64) -> usize {
    let from = times.partition_point(|&other| other < time.saturating_sub(seconds));
    let to = times.partition_point(|&other| other <= time.saturating_add(seconds));
    to - from
}

/// The shortest time in which half of the sorted `times` lie, in seconds.
#[must_use]
pub(crate) fn shortest_half(times: &[i64]) -> Option<i64> {
    let half = times.len().div_ceil(2);
    (times.len() >= 2).then(|| times.windows(half).filter_map(|w| Some(w.last()? - w.first()?)).min())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::Time;

    #[test]
    fn sign_ups_are_sampled_up_to_their_limit() {
        for (given, kept) in [(SIGN_UPS_MAX, SIGN_UPS_MAX), (SIGN_UPS_MAX + 1, SIGN_UPS_MAX / 2 + 1)] {
            let mut accounts = Accounts::default();
            for i in 0..given {
                let number = accounts.number(&i.to_string()).unwrap();
                let account = accounts.get_mut(number).unwrap();
                (account.exchanges, account.created) = (1, Some(Time::from_seconds(i as i64)));
            }
            let all = SignUps::of(&accounts);
            assert_eq!(all.times.len(), kept);
            assert!((all.around(10_000, 100) - 201.0).abs() < 2.0);
        }
    }

    #[test]
    fn the_shortest_half() {
        assert_eq!(shortest_half(&[0, 10, 11, 12, 500]), Some(2));
        assert_eq!(shortest_half(&[7]), None);
    }
}
