//! Takeover: when accounts of the group are closed, do new ones carry on where they stopped?
//!
//! Demand does not end with the accounts that are banned: within minutes a second pool sends what the first one did, as much of
//! it as before. Honest people whose accounts are closed write to support. Statistic: for each wave of closures
//! ([`crate::comeback`]) the accounts that took over by the number that were closed, times the demand that came back, each one
//! at most; of the waves the largest. Null: the group is like the deployment's own families that nobody suspects. Calibrated by
//! rank among these ([`crate::evalue::conformal`]). Says nothing where no wave of closures is known. Fails where honest newcomers
//! keep coming anyway, which the other families show as well; and says little where few families are there to compare with.

use super::{Scene, conduct_evidence};
use crate::account::Accounts;
use crate::comeback::{self, Span};
use crate::finding::{Evidence, SignalFamily};
use crate::group::Group;
use crate::number::percent;
use crate::timeline::Timeline;

/// Weighs what came after closures.
#[must_use]
pub fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let taken = taken_over(scene.group, scene.number, scene.accounts, &scene.family.timeline)?;
    let text = format!(
        "When accounts of the group were closed, others that had not sent the template before went on with {} of what these \
         had sent. Nobody carries on for a customer whose account is closed.",
        percent(taken)
    );
    conduct_evidence(SignalFamily::Takeover, taken, &scene.reference.takeovers, text)
}

/// How much of what was closed others took over; none when nothing was closed.
#[must_use]
pub fn taken_over(group: &Group, number: u32, accounts: &Accounts, timeline: &Timeline) -> Option<f64> {
    let spans: Vec<Span> = group
        .iter(accounts)
        .filter_map(|account| Some(Span { first: account.stride(number)?.first, closed: account.closed }))
        .collect();
    let share = |wave: &comeback::Wave| {
        let accounts = wave.successors.len() as f64 / wave.closed.max(1) as f64;
        accounts.min(1.0) * wave.demand.unwrap_or(0.0).min(1.0)
    };
    comeback::waves(&spans, timeline).iter().map(share).max_by(f64::total_cmp)
}
