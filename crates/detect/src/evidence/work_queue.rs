//! Work queue: is a list of items split without overlap?
//!
//! What varies in a template is the work item. A sharded list repeats nothing across payers; independent people repeat
//! what is popular; a class, a benchmark or a load test repeats nearly everything. Null: of the requests that could repeat
//! another payer's item a share p does, p ~ Beta(½, ³⁄₂), from almost nothing to almost all. Alternative: hardly any
//! (Beta(½, 60)) or few (Beta(1, 8), a queue with retries).
//! Disjoint items alone are weak evidence, since free text hardly ever repeats; overlap is strong evidence *against* a
//! campaign, and that is what this is for. Fails (gives too little against) when the same item is worded anew each time.

use super::{Scene, evidence};
use crate::evalue::{beta_binomial, mean};
use crate::finding::{Evidence, SignalFamily};

/// Weighs the overlap of items.
#[must_use]
pub fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let (first, again) = scene.hypothesis.items.first_and_again();
    let trials = first + again;
    if trials < TRIALS_MIN {
        return None;
    }
    let text = match again {
        0 => {
            format!("Of {trials} work items followed, none was asked by two payers: the list is split without overlap.")
        }
        _ => format!(
            "Of {trials} requests for the work items followed, {again} ({:.0} %) ask what another payer already asked.",
            again as f64 * 100.0 / trials as f64
        ),
    };
    Some(evidence(SignalFamily::WorkQueue, disjointness(again, trials), trials, text))
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
