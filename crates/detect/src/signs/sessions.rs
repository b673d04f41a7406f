//! Sessions: do requests come as from people, or as from a dispatcher?
//!
//! People and the tools in their hands work in sessions: one request soon follows another. A dispatcher passes each item to
//! the next account, so an account's requests are far apart. Of one account of each payer the first few requests since it entered the group
//! are taken as they come ([`crate::state::account::TRIALS_MAX`]), so that no heavy user decides; the statistic is the log-odds that one
//! follows anything the account sent before within [`SESSION_SECONDS`]. Weighed against the deployment's own groups, of which some
//! never work in sessions. Fails (says "dispatcher") for honest programs on a clock and single requests, which are rivals.

use crate::group::Group;
use crate::signs::calibrate::{Number, Sign};
use crate::signs::distribution::Law;
use crate::signs::scene::{Scene, evidence};
use crate::state::account::{Accounts, SESSION_SECONDS};
use crate::state::timeline::span;
use findings::number::percent;
use findings::{Estimate, Evidence, SignalFamily};

/// How often the first requests of a group's payers follow soon: how many count, and how many do.
fn trials(group: &Group, number: u32, accounts: &Accounts) -> (u64, u64) {
    let tallies = group.one_a_payer(accounts).into_iter().filter_map(|account| account.tally(number));
    tallies.fold((0, 0), |(trials, follow_ons), tally| {
        (trials + u64::from(tally.trials), follow_ons + u64::from(tally.follow_ons))
    })
}

/// The log-odds of following soon. A log that is shorter than a few sessions cannot tell.
#[must_use]
pub(crate) fn measure(scene: &Scene<'_>) -> Option<Estimate> {
    let (trials, follow_ons) = trials(scene.group, scene.number, scene.accounts);
    if trials < TRIALS_MIN || too_short(scene) {
        return None;
    }
    // Whether it is one in a hundred or one in a thousand tells nobody apart.
    let soon = (follow_ons as f64).max(trials as f64 * SHARE_MIN);
    let (yes, no) = (soon + 0.5, trials as f64 - soon + 0.5);
    // Requests of one account are no three trials: as if each had half as many.
    let error = (2.0 * (1.0 / yes + 1.0 / no)).sqrt();
    Some(Estimate { value: (yes / no).ln(), error, accounts: scene.group.payers.len() })
}

/// How much likelier (log10) such a number is of people at one occasion than of a dispatcher; at most 0, since what speaks for
/// sessions is weighed by [`weigh`].
#[must_use]
pub(crate) fn in_sessions(measured: Estimate) -> f64 {
    let density = |(centre, deviation): (f64, f64)| {
        let deviation = measured.error.hypot(deviation);
        let z = (measured.value - centre) / deviation;
        libm::exp(-0.5 * z * z) / deviation
    };
    let dealt = density(SIGN.law.dispatched);
    let people = (1.0 - SINGLE) * density(OCCASION) + SINGLE * dealt;
    if dealt > 0.0 { libm::log10(people / dealt).min(0.0) } else { 0.0 }
}

/// Whether the log is too short to show times.
#[must_use]
pub(crate) fn too_short(scene: &Scene<'_>) -> bool {
    scene.seconds < SESSIONS_MIN * SESSION_SECONDS as f64
}

/// Weighs how requests follow one another.
#[must_use]
pub(crate) fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let measured = measure(scene)?;
    let (trials, follow_ons) = trials(scene.group, scene.number, scene.accounts);
    let weight = scene.others.weigh(&SIGN, measured);
    let text = format!(
        "Of the first requests of each payer since it became a member, {} came within {} of the one before. People and their \
         tools send several requests in one session; a program that hands work to many accounts in turn leaves long gaps in \
         each. {}",
        percent(follow_ons as f64 / trials.max(1) as f64),
        span(SESSION_SECONDS),
        weight.basis()
    );
    Some(evidence(SignalFamily::Rhythm, weight.ln_e, trials, text))
}

/// How honest groups and dispatched ones work in sessions.
pub(crate) const SIGN: Sign = Sign {
    family: SignalFamily::Rhythm,
    law: Law {
        scale: 0.0,
        // Half of the requests, give or take.
        honest: (0.0, 1.8),
        // A request in fifty.
        dispatched: (-4.0, 1.2),
        imitated: 0.3,
        smoothed: 0.5,
        one_sided: true,
    },
    number: Number::Sessions,
};
/// Centre and deviation of classes, courses and hackathons: three requests in four follow soon. The lowest of 60 in the simulated worlds
/// is 0.0.
const OCCASION: (f64, f64) = (1.0, 1.2);
/// One occasion in ten asks one thing of each at a time.
const SINGLE: f64 = 0.1;
/// Smaller shares of requests that follow soon are all alike.
const SHARE_MIN: f64 = 0.01;
/// A log of fewer sessions' length shows no gaps between them.
const SESSIONS_MIN: f64 = 6.0;
/// Fewer requests give no evidence.
const TRIALS_MIN: u64 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_at_one_occasion_work_in_sessions() {
        let of = |value, error| in_sessions(Estimate { value, error, accounts: 60 });
        assert_eq!(of(1.0, 0.5), 0.0, "sessions are no evidence for an occasion by themselves");
        assert!((-1.0..-0.9).contains(&of(-4.5, 0.5)), "{}", of(-4.5, 0.5));
        assert!(of(-4.5, 3.0) > -0.8, "a rough number says less: {}", of(-4.5, 3.0));
    }
}
