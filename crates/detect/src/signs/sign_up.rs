//! Sign-up: did the accounts come into being together, and were they put to use at once?
//!
//! Two statistics. *Bursts*: how many more accounts of the group signed up within a short time of each other than their own
//! number within a longer time and the rest of the population's sign-ups explain: a group that signed up over a year while
//! most customers are new has none, and neither has a launch day that brought everybody. *Age*: how old accounts were at
//! their first exchange, in the median. Both are weighed against the deployment's own groups, as is the sign-up programme, and
//! averaged. Sign-ups like everybody's speak against a campaign as far as campaigns buy aged accounts seldom.
//! Fails to tell an event (a class, a hackathon) from a campaign, which is a rival.

use crate::evalue::mean;
use crate::signs::calibrate::{Number, Sign};
use crate::signs::distribution::Law;
use crate::signs::infrastructure;
use crate::signs::scene::{Scene, evidence};
use crate::state::account::Account;
use crate::state::sign_ups::{SignUps, shortest_half, within};
use crate::state::timeline::span;
use crate::state::value::Kind;
use findings::number::{counted, grouped};
use findings::{Estimate, Evidence, SignalFamily};

/// Weighs sign-up times, ages and programmes.
#[must_use]
pub(crate) fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let members: Vec<&Account> = scene.group.iter(scene.accounts).collect();
    let one_a_payer = scene.group.one_a_payer(scene.accounts);
    let measured = [
        (Some(BURSTS), bursts(&one_a_payer, &near(scene), scene.sign_ups, scene.group.one_in)),
        (Some(AGE), age(&one_a_payer)),
        (
            infrastructure::shared(Kind::Program),
            infrastructure::measure(&members, Kind::Program, scene.values, scene.group.one_in),
        ),
    ];
    let pieces: Vec<_> =
        measured.into_iter().filter_map(|(sign, measured)| Some(scene.others.weigh(&sign?, measured?))).collect();
    let basis = pieces.iter().min_by_key(|weight| weight.groups)?.basis();
    let text = describe(&members, scene.sign_ups);
    let ln_e = mean(&pieces.iter().map(|weight| weight.ln_e).collect::<Vec<_>>());
    Some(evidence(SignalFamily::SignUp, ln_e, known(&members), format!("{text} {basis}")))
}

/// The evidence that a group was found by, for a person: it does not count. Of its members a share of `chance` would have signed up at the usual
/// rate.
#[must_use]
pub(crate) fn found_by(members: &[&Account], all: &SignUps, chance: f64) -> Option<Evidence> {
    let text = format!(
        "{} At the rate of the time around {} would have signed up while they did. The group was found by this, so it does not count towards \
         the threshold.",
        describe(members, all),
        share(chance)
    );
    let odds = (1.0 - chance).max(0.0) / chance.max(f64::MIN_POSITIVE);
    Some(Evidence { counts: false, ..evidence(SignalFamily::SignUp, odds.ln().max(0.0), known(members), text) })
}

fn share(chance: f64) -> String {
    match (1.0 / chance.max(f64::MIN_POSITIVE)).round() {
        one_in if one_in <= 1000.0 => format!("one in {one_in} of them"),
        _ => "less than one in a thousand of them".to_owned(),
    }
}

/// When they signed up, in words.
fn describe(members: &[&Account], all: &SignUps) -> String {
    let created = sorted(members);
    let accounts = counted(members.len() as u64, "account");
    match shortest_half(&created) {
        Some(seconds) => {
            let here = all.half().map(|here| format!(", and half of all accounts here within {}", span(here)));
            format!(
                "Sign-up is known for {} of {accounts}; half of them signed up within {}{}.",
                grouped(created.len() as u64),
                span(seconds),
                here.unwrap_or_default()
            )
        }
        None => format!("The sign-up programme of {accounts} was compared with that of all others."),
    }
}

/// Of how many it is known when they signed up.
fn known(members: &[&Account]) -> u64 {
    members.iter().filter(|account| account.created.is_some()).count() as u64
}

/// Accounts beside a group that are no unrelated customers.
#[must_use]
pub(crate) fn near<'a>(scene: &Scene<'a>) -> Vec<&'a Account> {
    scene.group.near.iter().filter_map(|&number| scene.accounts.get(number)).collect()
}

/// How little the members signed up in bursts: minus ln of how many more signed up near each other than is explained by `all` others but
/// those `near` the group, at the scale where that is most. One in so many of the group is known, and of those near it.
#[must_use]
pub(crate) fn bursts(members: &[&Account], near: &[&Account], all: &SignUps, one_in: u32) -> Option<Estimate> {
    let created = sorted(members);
    if created.len() < MEMBERS_MIN {
        return None;
    }
    let count = created.len() as f64;
    let beside = sorted(near);
    let each = f64::from(one_in);
    let excess = |&seconds: &i64| {
        let (mut near, mut explained) = (0.0, 0.0);
        for &time in &created {
            let (own_near, own_far) =
                (each * own(&created, time, seconds), each * own(&created, time, seconds * LONGER));
            near += own_near;
            let others = |seconds, own: f64| {
                let beside = each * within(&beside, time, seconds) as f64;
                (all.around(time, seconds) - beside - own - 1.0).max(0.0)
            };
            let (far, near) = (others(seconds * LONGER, own_far), others(seconds, own_near));
            explained += own_far * (near + FEW) / (far + FEW * LONGER as f64);
        }
        // A neighbour more or less for every second account tells nothing.
        libm::log((near / count + 0.5) / (explained / count + 0.5))
    };
    let most = SCALES.iter().map(excess).fold(f64::NEG_INFINITY, f64::max);
    Some(Estimate { value: -most, error: ROUGH / count.sqrt(), accounts: created.len() })
}

/// The logarithm of the accounts' median age at their first exchange, in hours.
#[must_use]
pub(crate) fn age(members: &[&Account]) -> Option<Estimate> {
    let ages = members.iter().filter_map(|account| Some(account.first.seconds_since(account.created?).max(0.0)));
    let mut lns: Vec<f64> = ages.map(|seconds| libm::log1p(seconds / 3600.0)).collect();
    lns.sort_by(f64::total_cmp);
    if lns.len() < MEMBERS_MIN {
        return None;
    }
    let at = |quarter: usize| lns.get((lns.len() - 1) * quarter / 4).copied().unwrap_or(0.0);
    // A bell's median is this rough, by the width of its middle half.
    let error = (0.93 * (at(3) - at(1)) / (lns.len() as f64).sqrt()).max(ROUGH / lns.len() as f64);
    Some(Estimate { value: at(2), error, accounts: lns.len() })
}

fn sorted(members: &[&Account]) -> Vec<i64> {
    let mut created: Vec<i64> =
        members.iter().filter_map(|account| account.created).map(|time| time.seconds()).collect();
    created.sort_unstable();
    created
}

/// How many others of a group do.
fn own(times: &[i64], time: i64, seconds: i64) -> f64 {
    within(times, time, seconds).saturating_sub(1) as f64
}

/// How bursty honest groups and dispatched ones sign up.
pub(crate) const BURSTS: Sign = Sign {
    family: SignalFamily::SignUp,
    law: Law {
        scale: 0.0,
        // Half as many again near each other.
        honest: (-0.4, 0.5),
        // Eight times as many.
        dispatched: (-2.0, 0.7),
        // Accounts that were bought, one by one or long before.
        imitated: 0.4,
        smoothed: 0.5,
        one_sided: true,
    },
    number: Number::Bursts,
};
/// How old their accounts are.
pub(crate) const AGE: Sign = Sign {
    family: SignalFamily::SignUp,
    law: Law {
        scale: 0.0,
        // Two weeks, give or take.
        honest: (6.0, 1.5),
        // A day.
        dispatched: (3.0, 1.0),
        imitated: 0.5,
        smoothed: 0.5,
        one_sided: true,
    },
    number: Number::Age,
};
/// An hour, a day and a week.
const SCALES: [i64; 3] = [3600, 86_400, 7 * 86_400];
/// The longer time is so many times the short one.
const LONGER: i64 = 16;
/// Others who sign up, as if there were so many more in any short time: where nobody else is known, sign-ups are taken to be
/// even.
const FEW: f64 = 0.5;
/// How rough both numbers are for a single account.
const ROUGH: f64 = 2.0;
/// Fewer known members give no evidence.
const MEMBERS_MIN: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::account::Accounts;
    use crate::state::account::tests::fact;
    use exchange::{AccountFact, Time};

    const DAY: i64 = 86_400;

    /// Minus the bursts and the age of the first `members` of accounts that signed up at `created` and came `age` later.
    fn of(members: usize, created: impl Iterator<Item = i64>, age_seconds: i64) -> (f64, f64) {
        let (accounts, _) = population(created, age_seconds);
        let group: Vec<&Account> = accounts.iter().take(members).collect();
        (-bursts(&group, &[], &SignUps::of(&accounts), 1).unwrap().value, age(&group).unwrap().value)
    }

    fn population(created: impl Iterator<Item = i64>, age_seconds: i64) -> (Accounts, crate::state::value::Values) {
        let (mut accounts, mut values) = (Accounts::default(), crate::state::value::Values::default());
        for (i, seconds) in created.enumerate() {
            let id = format!("a{i}");
            let number = accounts.number(&id).unwrap();
            let account = accounts.get_mut(number).unwrap();
            (account.exchanges, account.first) = (1, Time::from_seconds(seconds + age_seconds));
            let fact = AccountFact { created: Some(Time::from_seconds(seconds)), ..fact(&id) };
            accounts.learn(&fact, &mut values);
        }
        (accounts, values)
    }

    fn spread(count: i64, days: i64) -> impl Iterator<Item = i64> {
        (0..count).map(move |i| (i * 7919 % count) * days * DAY / count)
    }

    #[test]
    fn sign_ups_within_hours_are_a_burst_and_those_of_a_year_are_none() {
        let (burst, _) = of(60, (0..60).map(|i| 200 * DAY + i * 300).chain(spread(600, 400)), 0);
        assert!(burst > 2.0, "{burst}");
        let (year, _) = of(60, spread(60, 365).chain(spread(600, 400)), 0);
        assert!(year < 0.8, "{year}");
        // A third of the population is new, and so is a third of the group.
        let recent = |count: i64| spread(count, 365).chain(spread(count / 2, 14).map(|time| time + 365 * DAY));
        let (growth, _) = of(60, recent(40).chain(recent(600)), 0);
        assert!(growth < 0.8, "{growth}");
        // A launch day that brought everybody.
        let launch = |count: i64| (0..count).map(|i| 100 * DAY + i * 7919 % 20_000);
        let (day, _) = of(60, launch(60).chain(launch(900)).chain(spread(600, 400)), 0);
        assert!(day < 0.8, "{day}");
    }

    #[test]
    fn who_is_near_the_group_does_not_excuse_it() {
        let created = (0..660).map(|i| 200 * DAY + i % 60 * 300).chain(spread(600, 400));
        let (accounts, _) = population(created, 0);
        let group: Vec<&Account> = accounts.iter().take(60).collect();
        let near: Vec<&Account> = accounts.iter().skip(60).take(600).collect();
        let burst = |near: &[&Account]| -bursts(&group, near, &SignUps::of(&accounts), 1).unwrap().value;
        assert!(burst(&near) > 2.0 && burst(&[]) < 1.0, "{} {}", burst(&near), burst(&[]));
        // The same where every second of both is known.
        let group: Vec<&Account> = group.iter().copied().step_by(2).collect();
        let near: Vec<&Account> = near.iter().copied().step_by(2).collect();
        let sampled = -bursts(&group, &near, &SignUps::of(&accounts), 2).unwrap().value;
        assert!(sampled > 2.0, "{sampled}");
    }

    #[test]
    fn a_sample_of_a_group_says_what_all_of_it_say() {
        for created in [200 * DAY, 0] {
            // In one burst, or evenly over the year as everybody else.
            let group = (0..800).map(|i| if created > 0 { created + i * 20 } else { i * 7919 % 800 * 365 * DAY / 800 });
            let (accounts, _) = population(group.chain(spread(800, 365)), 0);
            let sign_ups = SignUps::of(&accounts);
            let of = |one_in: u32| {
                let group: Vec<&Account> = accounts.iter().take(800).step_by(one_in as usize).collect();
                bursts(&group, &[], &sign_ups, one_in).unwrap().value
            };
            assert!((of(1) - of(8)).abs() < 0.3, "{} {}", of(1), of(8));
        }
    }

    #[test]
    fn ages_are_those_of_the_median() {
        let (_, at_once) = of(20, spread(20, 100), 3600);
        let (_, aged) = of(20, spread(20, 100), 60 * DAY);
        assert!(at_once < 1.0 && aged > 7.0, "{at_once} {aged}");
    }
}
