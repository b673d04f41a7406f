//! Evenness: is work spread over payers more evenly than people use anything?
//!
//! Null: payers who joined at about the same time share the group's further requests like a Pólya urn whose shape is at
//! most that of the deployment's own families ([`crate::reference::Reference::shape`]): requests beget requests, so a few
//! payers send most. Alternative: a balanced split (shapes of four times that and more, mixed). The first request of each payer brings
//! it into view and is not counted.
//! Fails when an attacker draws rates from a heavy-tailed law, or when a group of honest users is held to equal use (a
//! timer, a lesson): the latter is why evenness alone never makes a campaign.

use super::{Scene, evidence};
use crate::evalue::{dirichlet_multinomial, mean};
use crate::finding::{Evidence, SignalFamily};
use crate::group::Payer;
use crate::number::{counted, grouped};

/// Weighs the counts and their order.
#[must_use]
pub fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let payers = &scene.group.payers;
    let further: u64 = payers.iter().map(|payer| payer.exchanges.saturating_sub(1)).sum();
    if payers.len() < PAYERS_MIN || further == 0 {
        return None;
    }
    let spread = spread(payers, scene.reference.shape);
    let mut counts: Vec<u64> = payers.iter().map(|payer| payer.exchanges).collect();
    counts.sort_unstable();
    let quantile = |q: usize| counts.get((counts.len() - 1) * q / 100).copied().unwrap_or(0);
    let text = format!(
        "{} sent {}; the middle 80 % of them sent {} to {} each. {}",
        counted(counts.len() as u64, "payer"),
        counted(counts.iter().sum::<u64>(), "request"),
        grouped(quantile(10)),
        grouped(quantile(90)),
        if spread >= 0.0 {
            "That is more even than use by unrelated customers, of whom a few send most."
        } else {
            "That is as uneven as use by unrelated customers, of whom a few send most."
        },
    );
    Some(evidence(SignalFamily::Evenness, spread, further, text))
}

/// ln of the e-value that the counts are a balanced split, against the likeliest urn of shape `organic` or less.
#[must_use]
pub fn spread(payers: &[Payer], organic: f64) -> f64 {
    let null = UNEVEN.map(|part| likelihood(payers, organic * part)).into_iter().fold(f64::NEG_INFINITY, f64::max);
    mean(&BALANCED.map(|times| likelihood(payers, organic * times) - null))
}

/// ln of the likelihood of the payers' further requests under urns of `shape`, one for each cohort by time of joining:
/// those who joined late had less time.
#[must_use]
pub fn likelihood(payers: &[Payer], shape: f64) -> f64 {
    let cohorts = (payers.len() / COHORT_MIN).clamp(1, COHORTS_MAX);
    let size = payers.len().div_ceil(cohorts).max(1);
    let counts = |cohort: &[Payer]| cohort.iter().map(|payer| payer.exchanges.saturating_sub(1)).collect::<Vec<u64>>();
    payers.chunks(size).map(|cohort| dirichlet_multinomial(&counts(cohort), shape)).sum()
}

/// Shapes tried for organic use, as parts of the least uneven that is usual.
const UNEVEN: [f64; 4] = [1.0, 0.5, 0.25, 0.125];
/// Shapes tried for a balanced split, as multiples of the same.
const BALANCED: [f64; 3] = [4.0, 16.0, f64::INFINITY];
/// Fewer payers give no evidence.
const PAYERS_MIN: usize = 6;
/// Payers in a cohort, at least.
const COHORT_MIN: usize = 24;
/// Cohorts, at most. Heavy users are seen first, so many cohorts would hide how uneven use is.
const COHORTS_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::Time;

    fn payers(counts: &[u64]) -> Vec<Payer> {
        counts
            .iter()
            .map(|&exchanges| Payer { payer: signals::Hash(0), exchanges, first: Time::from_seconds(0) })
            .collect()
    }

    #[test]
    fn balanced_work_is_even_and_organic_use_is_not() {
        let balanced: Vec<u64> = (0..60).map(|i| 4 + i % 2).collect();
        assert!(spread(&payers(&balanced), 1.0) > 10.0);
        let organic: Vec<u64> = (0..60_u64).map(|i| 1 + 300 / (i * 37 % 60 + 1)).collect();
        assert!(spread(&payers(&organic), 1.0) < -5.0);
    }

    #[test]
    fn single_requests_say_nothing() {
        assert!(spread(&payers(&[1; 40]), 1.0).abs() < 1e-9);
    }
}
