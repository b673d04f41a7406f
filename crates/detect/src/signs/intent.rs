//! Intent: is what the group asks for worth harvesting, and rare among what others ask?
//!
//! Null: the group is like one of the deployment's other groups, of which a share asks for a capability; templates ask for grades, data
//! and code far more often than requests without one do. Where there are few groups, the share of all other accounts that ask for
//! it in a good part of their requests stands in, as [`PRIOR_GROUPS`] groups, and at least [`MISTAKEN`]. Where another group asks for it, the tested
//! one is one of those that the share is of: otherwise few groups of one habit would each be rare among the others. Alternative: it is drawn
//! like the campaigns that providers have published. The e-value is a sum: the share of campaigns whose aim is not known or not recognised, which
//! look like any group, and, for each capability that a good part of the group's requests shows, [`PUBLISHED`] share / that share, times how often
//! a wording is recognised. The group counts once, however many requests it sends, so this can say little, and does.
//! Fails when hints are wrong for a language or a wording, and says nothing when most of the traffic asks the same.

use event::{Capability, Intents};

use crate::signs::scene::{Scene, evidence};
use crate::state::trial::Trial;
use findings::number::percent;
use findings::{Evidence, SignalFamily};

/// Weighs what is asked for.
#[must_use]
pub(crate) fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let total = scene.trial.exchanges;
    if total < EXCHANGES_MIN {
        return None;
    }
    let taken = taken(&scene.trial.intents, total);
    let mut asked = Vec::new();
    let mut words = Vec::new();
    for &(capability, share) in &taken {
        let (asking, groups) = scene.others.asking(capability);
        let prior = among_accounts(scene, capability).unwrap_or_else(|| elsewhere(scene, capability));
        asked.push((capability, self::share(asking, groups, prior)));
        words.push(format!(
            "{} ({} of them, {} of everybody else's, and a good part of {} of the other groups)",
            capability.name(),
            percent(share),
            percent(elsewhere(scene, capability)),
            percent(if groups > 0.0 { asking / groups } else { 0.0 })
        ));
    }
    let text = match words.as_slice() {
        [] => "Few requests ask for anything that is known to be collected as training data.".to_owned(),
        words => format!("A good part of the requests asks for what models are trained on: {}.", words.join(", ")),
    };
    Some(evidence(SignalFamily::Intent, ratio(&asked).ln(), u64::from(total), text))
}

/// How many times as often a campaign asks for just this as other groups do, of which a share asks for each.
fn ratio(asked: &[(Capability, f64)]) -> f64 {
    // A campaign that is after nothing known, or after it in words that are not, shows what other groups show, no more and no less.
    let like_others = published(Capability::General) + (1.0 - RECOGNISED) * (1.0 - published(Capability::General));
    let aimed = |&(capability, share): &(Capability, f64)| RECOGNISED * published(capability) / share;
    like_others + asked.iter().map(aimed).sum::<f64>()
}

/// The share of groups that ask for something: `asking` of so many other `groups` do, and of accounts the share `prior`.
fn share(asking: f64, groups: f64, prior: f64) -> f64 {
    let itself = asking.min(1.0);
    ((asking + itself + PRIOR_GROUPS * prior.max(MISTAKEN)) / (groups + itself + PRIOR_GROUPS)).max(MISTAKEN)
}

/// The share of other accounts that ask for `capability` in a good part of their requests; none where that is not followed.
fn among_accounts(scene: &Scene<'_>, capability: Capability) -> Option<f64> {
    let asking = scene.asking.get(capability.index()).copied().flatten()?;
    let own = scene.group.accounts.len() as f64;
    let others = (scene.accounts.count() as f64 - own).max(0.0);
    Some(((asking as f64 - own).max(0.0) + 1.0) / (others + 1.0))
}

/// Whether an account that sent `exchanges` of `all` after something is after it.
#[must_use]
pub(crate) fn is_after(exchanges: u32, all: u32) -> bool {
    f64::from(exchanges) >= GOOD_PART * f64::from(all)
}

/// What a good part of the requests of a group is after; none where too little was seen.
#[must_use]
pub(crate) fn asks(trial: &Trial) -> Option<Intents> {
    let taken = || taken(&trial.intents, trial.exchanges);
    (trial.exchanges >= EXCHANGES_MIN).then(|| taken().into_iter().map(|(capability, _)| capability).collect())
}

/// The share of everybody else's exchanges that show `capability`.
fn elsewhere(scene: &Scene<'_>, capability: Capability) -> f64 {
    let all = scene.intents.get(capability.index()).copied().unwrap_or(0);
    let own = scene.trial.intents.get(capability.index()).map_or(0, |&count| u64::from(count));
    // What the group sent before τ was not counted by capability: it is taken to be like what it sent since.
    let tested = f64::from(scene.trial.exchanges.max(1));
    let own_all = f64::from(scene.cluster.exchanges);
    let own = own as f64 / tested * own_all;
    ((all as f64 - own).max(0.0) + 1.0) / ((scene.exchanges as f64 - own_all).max(0.0) + 1.0)
}

/// The capabilities that a good part of the requests shows, strongest first.
#[must_use]
pub(crate) fn taken(intents: &[u32; Capability::ALL.len()], total: u32) -> Vec<(Capability, f64)> {
    let share = |capability: Capability| {
        intents.get(capability.index()).map_or(0.0, |&count| f64::from(count) / f64::from(total.max(1)))
    };
    let mut taken: Vec<(Capability, f64)> = Capability::ALL
        .into_iter()
        .map(|capability| (capability, share(capability)))
        .filter(|&(_, share)| share >= GOOD_PART)
        .collect();
    taken.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    taken
}

/// Shares of capabilities among published campaigns (provider incident reports of 2026), rounded; they sum to one. That of concealment
/// is assumed, and taken from reasoning: no report tells how often it was.
const PUBLISHED: [(Capability, f64); 10] = [
    (Capability::ReasoningTrace, 0.25),
    (Capability::Grading, 0.15),
    (Capability::DataGeneration, 0.15),
    (Capability::ToolUse, 0.1),
    (Capability::Coding, 0.1),
    (Capability::Logits, 0.05),
    (Capability::TraceCleaning, 0.05),
    (Capability::Translation, 0.05),
    (Capability::Concealment, 0.05),
    (Capability::General, 0.05),
];

fn published(capability: Capability) -> f64 {
    PUBLISHED.iter().find(|&&(c, _)| c == capability).map_or(0.0, |&(_, share)| share)
}

/// The share of campaigns whose wording is recognised. Assumed, between two measurements: 0.26 to 0.40 of wordings that avoid the usual
/// words (`crates/signals/tests/intents`), nearly all prompts of five of eight published campaigns.
const RECOGNISED: f64 = 0.5;
/// What everybody asks for weighs as so many groups.
const PRIOR_GROUPS: f64 = 10.0;
/// So large a share of the requests is what the group is after: a template is recognised in part of its wordings only.
const GOOD_PART: f64 = 0.3;
/// Fewer exchanges give no evidence.
const EXCHANGES_MIN: u32 = 12;
/// So large a share of groups is taken to ask for a capability at least: 24 of 1,031 look-alikes and ordinary requests by another hand are taken
/// for a request for one (`crates/signals/tests/intents`).
const MISTAKEN: f64 = 0.023;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_shares_sum_to_one() {
        assert!((PUBLISHED.iter().map(|&(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(Capability::ALL.iter().all(|&c| published(c) > 0.0));
    }

    #[test]
    fn the_mean_under_the_null_is_one_and_what_everybody_asks_for_costs_a_factor_of_two_at_most() {
        let aims = || PUBLISHED.iter().map(|&(capability, _)| capability).filter(|&c| c != Capability::General);
        let nothing = ratio(&[]);
        // Each capability is asked for by its share of groups, so that it adds this much in the mean.
        let adds = |(i, capability)| {
            let share = 0.02 + 0.1 * f64::from(i);
            share * (ratio(&[(capability, share)]) - nothing)
        };
        let mean = nothing + (0..).zip(aims()).map(adds).sum::<f64>();
        assert!((mean - 1.0).abs() < 1e-12, "{mean}");
        assert!(aims().all(|c| ratio(&[(c, 1.0)]) > nothing) && nothing > 0.5);
        assert!(ratio(&[(Capability::ReasoningTrace, 0.02)]) > 6.0);
    }

    #[test]
    fn what_other_groups_ask_for_is_no_rarer_than_the_tested_one_makes_it() {
        let of = |asking, groups| share(asking, groups, 0.0);
        // Where nobody else asks: what is mistaken for asking, however many groups there are.
        assert!((of(0.0, 0.0) - MISTAKEN).abs() < 1e-12 && (of(0.0, 500.0) - MISTAKEN).abs() < 1e-12);
        // Where one does, two of all do, and what is believed beforehand.
        assert!((of(1.0, 29.0) - (2.0 + PRIOR_GROUPS * MISTAKEN) / 40.0).abs() < 1e-12);
        assert!(share(0.0, 0.0, 0.3) > 0.29, "of accounts, where there are no groups");
        // The mean over 30 groups of which `asking` ask, each in turn among the others: hardly more than one, since what is believed
        // beforehand takes a habit of many for a little rarer than it is.
        for asking in 2..30 {
            let others = f64::from(asking - 1);
            let asked = f64::from(asking) / 30.0;
            let mean = 1.0 + asked * (ratio(&[(Capability::ReasoningTrace, of(others, 29.0))]) - ratio(&[]))
                - RECOGNISED * published(Capability::ReasoningTrace);
            assert!(mean < 1.05, "{asking}: {mean}");
        }
    }

    #[test]
    fn what_a_good_part_of_the_requests_shows_is_taken() {
        let mut intents = [0; Capability::ALL.len()];
        intents[Capability::Coding.index()] = 90;
        intents[Capability::Grading.index()] = 29;
        assert_eq!(taken(&intents, 100), [(Capability::Coding, 0.9)]);
        assert_eq!(taken(&[0; 10], 0), []);
    }
}
