//! Rhythm: do requests come as from people, or as from a dispatcher?
//!
//! People and the tools in their hands work in sittings: one request soon follows another. A dispatcher passes each item to
//! the next account, so an account's requests are hours apart. Of an account's further requests, those within
//! [`SITTING_SECONDS`] of anything it sent before are follow-ons: what a busy program sends now and then is no sign of a
//! dispatcher. Null: any share from half of what is usual in the deployment's own
//! honest families ([`crate::reference::Reference::sitting`]) up; alternative: hardly any (Beta(1, b) mixed over b), or as
//! many as fall together by chance at the accounts' own rates, since a fast dispatcher's do too. At most
//! [`TRIALS_EACH_MAX`] requests of each account count, so that no heavy user decides.
//! Sittings speak against a dispatcher. Fails (says "dispatcher") for honest programs on a timer, which is why rhythm
//! counts less than other evidence; says nothing where honest accounts come one request at a time anyway.

use super::{Scene, evidence};
use crate::account::Accounts;
use crate::evalue::{beta_binomial, mean};
use crate::finding::{Evidence, SignalFamily};
use crate::group::{Group, Since};
use crate::number::percent;
use crate::timeline::span;

/// Requests of one account at most this far apart belong to one sitting.
pub const SITTING_SECONDS: i64 = 600;

/// Weighs how requests follow one another.
#[must_use]
pub fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let sitting = sitting(scene.group, scene.number, scene.accounts, Since::Frozen);
    let share = sitting.share()?;
    let text = format!(
        "After an account's first request, {} of its requests came within {} of the one before; in groups of this log that \
         nobody suspects {} or more do. People and their tools send several requests in one sitting; a program that hands \
         work to many accounts in turn leaves long gaps in each.",
        percent(share),
        span(SITTING_SECONDS),
        percent(scene.reference.sitting)
    );
    let mut evidence =
        evidence(SignalFamily::Rhythm, dispatched(&sitting, scene.reference.sitting), sitting.trials, text);
    evidence.log10_e = evidence.log10_e.clamp(-RHYTHM_MAX, RHYTHM_MAX);
    Some(evidence)
}

/// How often requests follow soon.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sitting {
    /// Further requests that count.
    pub trials: u64,
    /// Those that follow within a sitting.
    pub follow_ons: u64,
    /// How many of them would by chance, were each account's requests spread evenly over its time.
    pub chance: f64,
}

impl Sitting {
    /// The share that follows; none when too few count.
    #[must_use]
    pub fn share(self) -> Option<f64> {
        (self.trials >= TRIALS_MIN).then(|| self.follow_ons as f64 / self.trials as f64)
    }
}

/// How often the requests of a group's accounts in family `number` follow soon.
#[must_use]
pub fn sitting(group: &Group, number: u32, accounts: &Accounts, since: Since) -> Sitting {
    let mut sum = Sitting::default();
    for (account, stride) in group.iter(accounts).filter_map(|account| Some((account, account.stride(number)?))) {
        let (exchanges, follow_ons) = match since {
            Since::Beginning => (stride.exchanges, stride.follow_ons),
            Since::Frozen => (stride.after, stride.follow_ons_after),
        };
        let further = u64::from(exchanges.saturating_sub(1));
        let trials = further.min(TRIALS_EACH_MAX);
        // An account that was seen for an hour only may have been in one sitting.
        let seconds = account.last.seconds_since(account.first).max(SPAN_MIN_SECONDS);
        let others = f64::from(account.exchanges.saturating_sub(1));
        sum.chance += trials as f64 * -(-others * SITTING_SECONDS as f64 / seconds).exp_m1();
        sum.trials += trials;
        // Rounded to the nearest, for the trials that count.
        sum.follow_ons += (u64::from(follow_ons) * trials + further / 2).checked_div(further).unwrap_or(0).min(trials);
    }
    sum
}

/// ln of the e-value that requests follow soon by chance only, against a share of half of `honest` or more.
#[must_use]
pub fn dispatched(sitting: &Sitting, honest: f64) -> f64 {
    let &Sitting { trials, follow_ons, chance } = sitting;
    let likeliest = (follow_ons as f64 / trials.max(1) as f64).clamp(honest / 2.0, 1.0 - f64::EPSILON);
    let others = trials.saturating_sub(follow_ons) as f64;
    let null = follow_ons as f64 * likeliest.ln() + others * (1.0 - likeliest).ln();
    let by_chance = (chance / trials.max(1) as f64).clamp(CHANCE_MIN, 1.0 - CHANCE_MIN);
    let seldom = SELDOM.map(|b| (1.0, b));
    let at_their_rate = CONCENTRATIONS.map(|c| (c * by_chance, c * (1.0 - by_chance)));
    let priors = [seldom, at_their_rate].concat();
    mean(&priors.into_iter().map(|prior| beta_binomial(follow_ons, trials, prior) - null).collect::<Vec<_>>())
}

/// Mean shares of one in twenty-one and in a hundred and one.
const SELDOM: [f64; 2] = [20.0, 100.0];
/// How surely the share is that of chance: about, and closely.
const CONCENTRATIONS: [f64; 2] = [20.0, 100.0];
/// Chance is never taken to be rarer than this.
const CHANCE_MIN: f64 = 0.001;
/// Rates are taken over at least this long.
const SPAN_MIN_SECONDS: f64 = 43_200.0;
/// Further requests of one account that count, at most.
const TRIALS_EACH_MAX: u64 = 3;
/// Fewer further requests give no evidence.
const TRIALS_MIN: u64 = 12;
/// Rhythm counts for at most this (log10), in either direction.
pub const RHYTHM_MAX: f64 = 3.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Stride;
    use exchange::Time;

    #[test]
    fn a_dispatcher_has_no_sittings_and_people_have() {
        let ln_e = |follow_ons, trials, honest| dispatched(&Sitting { trials, follow_ons, chance: 0.0 }, honest);
        assert!(ln_e(4, 300, 0.5) > 50.0);
        assert!(ln_e(150, 300, 0.5) < -2.0);
        assert!(ln_e(2, 12, 0.1) < 1.0, "where honest requests seldom follow soon, none is little evidence");
    }

    #[test]
    fn a_fast_dispatcher_is_not_taken_for_people() {
        let ln_e = |chance| dispatched(&Sitting { trials: 300, follow_ons: 90, chance }, 0.6);
        assert!(ln_e(0.0) < -5.0, "as people of so few requests would");
        assert!(ln_e(90.0) > -2.0, "as chance has it at this rate");
    }

    #[test]
    fn sittings_end_at_their_limit() {
        let follow_ons = |gap: i64| {
            let mut stride = Stride::new(0, Time::from_seconds(0));
            stride.count(Time::from_seconds(0), Time::MIN, 1, false);
            stride.count(Time::from_seconds(gap), Time::from_seconds(0), 1, false);
            stride.follow_ons
        };
        assert_eq!(follow_ons(SITTING_SECONDS), 1);
        assert_eq!(follow_ons(SITTING_SECONDS + 1), 0);
    }
}
