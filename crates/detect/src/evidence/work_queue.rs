//! Work queue: is a list of items split without overlap?
//!
//! What varies in a template is the work item. A sharded list gives each item to one payer, or to a few when every item is
//! sampled several times; a class, a benchmark or a load test gives the same items to nearly everybody. What counts is how
//! likely another payer of the group asks for an item that one asked for. Null: that is p ~ Beta(½, ³⁄₂), from almost
//! nothing to almost all. Alternative: hardly ever (Beta(½, 60)) or seldom (Beta(1, 8)).
//! Disjoint items alone are weak evidence, since free text hardly ever repeats; common items are strong evidence *against*
//! a campaign, and that is what this is for. Fails (gives too little against) when the same item is worded anew each time.

use super::{Scene, evidence};
use crate::evalue::{beta_binomial, mean};
use crate::finding::{Evidence, SignalFamily};
use crate::number::{counted, percent};

/// Weighs the overlap of items.
#[must_use]
pub fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let (items, again) = scene.hypothesis.items.first_and_again();
    let trials = items + again;
    let others = (scene.group.payers.len() as u64).saturating_sub(1);
    if trials < TRIALS_MIN || others == 0 {
        return None;
    }
    // How likely another payer of the group asks for an item that one asked for, over as many trials as there were.
    let common = (again as f64 / (items * others) as f64).min(1.0);
    let text = match again {
        0 => {
            format!(
                "The template was filled with {}, and no two payers sent the same one, as when one list of tasks is divided \
                 among accounts. A class, a benchmark or a load test sends the same inputs from most accounts.",
                counted(trials, "different input")
            )
        }
        _ => format!(
            "The template was filled with {}; on average {} of the other payers sent the same one too. A list of tasks \
             divided among accounts repeats hardly any; a class, a benchmark or a load test repeats most.",
            counted(items, "different input"),
            percent(common)
        ),
    };
    Some(evidence(SignalFamily::WorkQueue, disjointness((common * trials as f64).round() as u64, trials), trials, text))
}

/// ln of the e-value that `again` of `trials` requests repeat another payer's item under a sharded list.
#[must_use]
pub fn disjointness(again: u64, trials: u64) -> f64 {
    let sharded = mean(&[beta_binomial(again, trials, (0.5, 60.0)), beta_binomial(again, trials, (1.0, 8.0))]);
    sharded - beta_binomial(again, trials, (0.5, 1.5))
}

/// Fewer requests give no evidence.
const TRIALS_MIN: u64 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_speaks_against_and_disjointness_a_little_for() {
        assert!((0.5..3.0).contains(&disjointness(0, 300)));
        assert!(disjointness(30, 300) > -1.0, "a queue with some retries is still a queue");
        assert!(disjointness(200, 300) < -4.0);
        assert!(disjointness(295, 300) < -10.0);
    }
}
