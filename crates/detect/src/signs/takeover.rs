//! Takeover: when accounts of the group are closed, do new ones carry on where they stopped?
//!
//! Demand does not end with the accounts that are banned: within minutes a second pool sends what the first one did, as much of
//! it as before. Honest people whose accounts are closed write to support. Statistic: for each wave of closures
//! ([`crate::group::closures`]) the accounts that took over by the number that were closed, times the demand that came back, each one
//! at most; of the waves the largest. Null: the group is like the deployment's other groups. Calibrated by
//! rank among these ([`crate::evalue::conformal`]). Says nothing where no wave of closures is known. Fails where honest newcomers
//! keep coming anyway, which the other groups show as well; and says little where few groups are there to compare with.

use crate::group::closures::{self, Span};
use crate::signs::scene::{Scene, conduct_evidence};
use findings::number::percent;
use findings::{Evidence, SignalFamily};

/// Weighs what came after closures.
#[must_use]
pub(crate) fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let taken = taken_over(scene)?;
    let text = format!(
        "When accounts of the group were closed, others that had not sent the template before went on with {} of what these \
         had sent. Nobody carries on for a customer whose account is closed.",
        percent(taken)
    );
    conduct_evidence(scene, SignalFamily::Takeover, |measures| measures.takeover, taken, text)
}

/// How much of what was closed since τ others took over; none when nothing was closed.
#[must_use]
pub(crate) fn taken_over(scene: &Scene<'_>) -> Option<f64> {
    let Scene { group, trial, .. } = scene;
    let spans: Vec<Span> = group
        .iter(scene.accounts)
        .filter_map(|account| Some(Span { first: account.tally(scene.number)?.first, closed: account.closed }))
        .collect();
    let share = |wave: &closures::Wave| {
        let accounts = wave.successors.len() as f64 / wave.closed.max(1) as f64;
        accounts.min(1.0) * wave.demand.unwrap_or(0.0).min(1.0)
    };
    let waves = closures::waves(&spans, &trial.timeline);
    waves.iter().filter(|wave| wave.time >= trial.frozen_at).map(share).max_by(f64::total_cmp)
}
