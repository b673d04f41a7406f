//! Intent: is what the group asks for worth harvesting, and rare among what others ask?
//!
//! Null: whether a group asks for a capability is like drawing one of everybody else's exchanges. Alternative: it is drawn
//! like the campaigns that providers have published. The e-value is the sum over the capabilities that most of the
//! group's requests show of [`PUBLISHED`] share / that share, times how often a wording is recognised; its mean under the null is at
//! most one. The unit is
//! the group: it counts once, however many requests it sends, so this can say little, and does.
//! Fails when hints are wrong for a language or a wording, and says nothing when most of the traffic asks the same.

use signals::Capability;

use super::{Scene, evidence};
use crate::finding::{Evidence, SignalFamily};
use crate::number::percent;

/// Weighs what is asked for.
#[must_use]
pub fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let total = scene.hypothesis.exchanges;
    if total < EXCHANGES_MIN {
        return None;
    }
    let taken = taken(&scene.hypothesis.intents, total);
    let mut ratio = 0.0;
    let mut words = Vec::new();
    for &(capability, share) in &taken {
        let elsewhere = elsewhere(scene, capability);
        ratio += RECOGNISED * published(capability) / elsewhere.max(SHARE_MIN);
        words.push(format!(
            "{} ({} of them, {} of everybody else's)",
            capability.name(),
            percent(share),
            percent(elsewhere)
        ));
    }
    // Nothing that is known is asked for, or it is asked for in words that are not.
    let general = published(Capability::General) + (1.0 - RECOGNISED) * (1.0 - published(Capability::General));
    let text = match words.as_slice() {
        [] => "Most requests ask for nothing that is known to be collected as training data.".to_owned(),
        words => format!("Most requests ask for what models are trained on: {}.", words.join(", ")),
    };
    let ln_e = if taken.is_empty() { general.ln() } else { ratio.ln() };
    Some(evidence(SignalFamily::Intent, ln_e, u64::from(total), text))
}

/// The share of everybody else's exchanges that show `capability`.
fn elsewhere(scene: &Scene<'_>, capability: Capability) -> f64 {
    let all = scene.intents.get(capability.index()).copied().unwrap_or(0);
    let own = scene.hypothesis.intents.get(capability.index()).map_or(0, |&count| u64::from(count));
    // What the group sent before τ was not counted by capability: it is taken to be like what it sent since.
    let tested = f64::from(scene.hypothesis.exchanges.max(1));
    let own_all = f64::from(scene.family.exchanges);
    let own = own as f64 / tested * own_all;
    ((all as f64 - own).max(0.0) + 1.0) / ((scene.exchanges as f64 - own_all).max(0.0) + 1.0)
}

/// The capabilities that most requests show, strongest first.
#[must_use]
pub fn taken(intents: &[u32; Capability::ALL.len()], total: u32) -> Vec<(Capability, f64)> {
    let share = |capability: Capability| {
        intents.get(capability.index()).map_or(0.0, |&count| f64::from(count) / f64::from(total.max(1)))
    };
    let mut taken: Vec<(Capability, f64)> = Capability::ALL
        .into_iter()
        .map(|capability| (capability, share(capability)))
        .filter(|&(_, share)| share >= 0.5)
        .collect();
    taken.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    taken
}

/// Shares of capabilities among published campaigns (provider incident reports of 2026), rounded; they sum to one.
const PUBLISHED: [(Capability, f64); 9] = [
    (Capability::ReasoningTrace, 0.3),
    (Capability::Grading, 0.15),
    (Capability::DataGeneration, 0.15),
    (Capability::ToolUse, 0.1),
    (Capability::Coding, 0.1),
    (Capability::Logits, 0.05),
    (Capability::TraceCleaning, 0.05),
    (Capability::Translation, 0.05),
    (Capability::General, 0.05),
];

fn published(capability: Capability) -> f64 {
    PUBLISHED.iter().find(|&&(c, _)| c == capability).map_or(0.0, |&(_, share)| share)
}

/// The share of campaigns whose wording is recognised. Assumed; `crates/signals/tests/intents` is there to measure it.
const RECOGNISED: f64 = 0.5;
/// Fewer exchanges give no evidence.
const EXCHANGES_MIN: u32 = 12;
/// A capability's share elsewhere is never taken to be smaller than this.
const SHARE_MIN: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_shares_sum_to_one() {
        assert!((PUBLISHED.iter().map(|&(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(Capability::ALL.iter().all(|&c| published(c) > 0.0));
    }

    #[test]
    fn what_most_requests_show_is_taken() {
        let mut intents = [0; Capability::ALL.len()];
        intents[Capability::Coding.index()] = 90;
        intents[Capability::Grading.index()] = 49;
        assert_eq!(taken(&intents, 100), [(Capability::Coding, 0.9)]);
        assert_eq!(taken(&[0; 9], 0), []);
    }
}
