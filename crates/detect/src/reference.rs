//! What honest traffic looks like in this deployment: the numbers that every null is made of.
//!
//! Taken anew from time to time from the engine's own state, so that nothing is tuned to one provider: families that
//! nobody suspects give how far honest groups cluster by sign-up and infrastructure; the accounts give the quantiles of sign-up times and ages. Where a deployment is too small to say, cautious constants stand in, named below.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::account::{Account, AccountNo};
use crate::engine::Engine;
use crate::evidence::{infrastructure, pivot, reply, sign_up, silence, takeover};
use crate::family::Family;
use crate::finding::Discovery;
use crate::group::{Group, Since};

/// The numbers.
#[derive(Clone, Debug)]
pub struct Reference {
    /// How far honest families cluster by sign-up or infrastructure, in ln per account.
    pub allowance: f64,
    /// The 15 points that part the accounts' sign-up times, in seconds, into 16 equal bins; empty when unknown.
    pub created: Vec<i64>,
    /// The same of ages at first use.
    pub ages: Vec<i64>,
    /// The statistic of honest families for silence,
    pub silences: Vec<f64>,
    /// for takeover,
    pub takeovers: Vec<f64>,
    /// for pivot,
    pub pivots: Vec<f64>,
    /// and for reply.
    pub replies: Vec<f64>,
    /// Families that the numbers rest on.
    pub families: usize,
}

impl Default for Reference {
    fn default() -> Self {
        Reference {
            allowance: ALLOWANCE_MIN,
            created: Vec::new(),
            ages: Vec::new(),
            silences: Vec::new(),
            takeovers: Vec::new(),
            pivots: Vec::new(),
            replies: Vec::new(),
            families: 0,
        }
    }
}

impl Reference {
    /// From the engine's state.
    #[must_use]
    pub(crate) fn of(engine: &Engine) -> Reference {
        let Engine { families, accounts, labels, .. } = engine;
        let seen = || accounts.iter().filter(|account| account.exchanges > 0 && !labels.confirmed(account));
        let mut reference = Reference {
            created: sixteenths(seen().filter_map(|account| account.created).map(|time| time.seconds())),
            ages: sixteenths(seen().filter_map(|a| Some(a.first.seconds() - a.created?.seconds()))),
            ..Reference::default()
        };
        let mut units = labels.habits().to_vec();
        for (number, family) in
            families.iter().enumerate().filter(|(_, family)| unsuspected(family)).take(FAMILIES_READ_MAX)
        {
            units.extend(Habits::of(number as u32, family, engine, &reference));
        }
        reference.families = units.len();
        let mut allowances: Vec<f64> = units.iter().flat_map(|unit| &unit.allowances).copied().collect();
        reference.silences = units.iter().filter_map(|unit| unit.silence).collect();
        reference.takeovers = units.iter().map(|unit| unit.takeover).collect();
        reference.pivots = units.iter().filter_map(|unit| unit.pivot).collect();
        reference.replies = units.iter().filter_map(|unit| unit.reply).collect();
        reference.allowance =
            quantile(&mut allowances, 0.75).unwrap_or(ALLOWANCE_MIN).clamp(ALLOWANCE_MIN, ALLOWANCE_MAX);
        reference
    }
}

/// What one family says of what is usual: a unit of what the numbers rest on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Habits {
    /// How far it clusters, in ln per account, by each kind of sign-up and infrastructure that is known.
    pub allowances: Vec<f64>,
    /// How silent it is while everybody else is not.
    pub silence: Option<f64>,
    /// How much others took over of what was closed; nothing when nothing was closed.
    pub takeover: f64,
    /// How far apart it uses its models.
    pub pivot: Option<f64>,
    /// How much it takes its answers once and in one way.
    pub reply: Option<f64>,
}

impl Habits {
    /// What a family says, without the accounts of confirmed campaigns; none when too few payers are left.
    pub(crate) fn of(number: u32, family: &Family, engine: &Engine, reference: &Reference) -> Option<Habits> {
        let Engine { accounts, values, labels, .. } = engine;
        let group = Group::of(number, family, accounts, Since::Beginning, 1e-3);
        let confirmed = |number: &AccountNo| accounts.get(*number).is_some_and(|account| labels.confirmed(account));
        let others: BTreeSet<AccountNo> = group.accounts.iter().copied().filter(confirmed).collect();
        let group = group.without(&others, accounts);
        if group.payers.len() < PAYERS_MIN {
            return None;
        }
        let members: Vec<&Account> = group.iter(accounts).collect();
        let mut pieces = sign_up::clusterings(&members, reference);
        pieces.extend(
            infrastructure::KINDS.into_iter().filter_map(|kind| infrastructure::sharing(&members, kind, values)),
        );
        Some(Habits {
            allowances: pieces.into_iter().map(|ln| ln / members.len() as f64).collect(),
            silence: silence::silent(&family.timeline, &engine.timeline),
            takeover: takeover::taken_over(&group, number, accounts, &family.timeline).unwrap_or(0.0),
            pivot: pivot::apart(&family.conduct, &engine.conduct),
            reply: reply::taken_once(&family.conduct),
        })
    }
}

/// A family that was neither reported nor comes near to it, and that nobody said anything of.
fn unsuspected(family: &Family) -> bool {
    family.merged_into.is_none()
        && family.labels.is_empty()
        && family.discovery == Discovery::Family
        && family.members.len() >= PAYERS_MIN
        && family.hypothesis.as_ref().is_none_or(|hypothesis| {
            hypothesis.detected_at.is_none() && hypothesis.assessment.as_ref().is_none_or(|a| a.log10_e < SUSPICION)
        })
}

/// The 15 points that part `times` into 16 equal bins; none when there are too few, or too many alike to part.
fn sixteenths(times: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut times: Vec<i64> = times.collect();
    times.sort_unstable();
    if times.len() < TIMES_MIN {
        return Vec::new();
    }
    let edges: Vec<i64> = (1..16).filter_map(|i| times.get(times.len() * i / 16).copied()).collect();
    let distinct = edges.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
    if distinct { edges } else { Vec::new() }
}

fn quantile(numbers: &mut [f64], q: f64) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let last = numbers.len().checked_sub(1)?;
    numbers.get((last as f64 * q).round() as usize).copied()
}

const ALLOWANCE_MIN: f64 = 0.1;
const ALLOWANCE_MAX: f64 = 1.5;
/// Fewer payers make no family to learn from.
const PAYERS_MIN: usize = 12;
/// Families with at least this total (log10) are not learnt from.
const SUSPICION: f64 = 2.0;
/// Fewer times are not parted.
const TIMES_MIN: usize = 64;
/// Families read each time, at most.
const FAMILIES_READ_MAX: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn times_that_cannot_be_parted_are_unknown() {
        assert!(sixteenths((0..63).map(|i| i * 10)).is_empty());
        assert_eq!(sixteenths((0..64).map(|i| i * 10)).len(), 15);
        assert!(sixteenths((0..64).map(|_| 5)).is_empty());
    }

    #[test]
    fn what_a_label_says_is_one_unit_and_kept_within_bounds() {
        use crate::engine::Config;
        use crate::label::{Identity, Label, Labels, Prints, Verdict};
        use exchange::Time;
        let label = |number: u64, verdict, allowance| Label {
            id: format!("lbl_{number}"),
            verdict,
            by: "ann".into(),
            time: Time::from_seconds(0),
            reason: "a course".into(),
            until: None,
            identity: Identity {
                template: Prints((number * 100..number * 100 + 10).collect()),
                accounts: [format!("acc_{number}")].into(),
                habits: Some(Habits { allowances: vec![allowance], ..Habits::default() }),
                ..Identity::default()
            },
        };
        let of = |labels| Reference::of(&Engine::with_labels(Config::default(), Labels::new(labels)));
        let wild = of(vec![label(1, Verdict::Benign, 1e9)]);
        assert_eq!(wild.allowance, ALLOWANCE_MAX);
        assert_eq!(wild.families, 1);
        let tame: Vec<Label> = (1..8).map(|number| label(number, Verdict::Benign, 0.5)).collect();
        let poisoned = [tame.clone(), vec![label(9, Verdict::Benign, 1e9)]].concat();
        assert_eq!(of(tame).allowance, of(poisoned).allowance, "one of eight does not move the upper quarter");
        assert_eq!(of(vec![label(1, Verdict::Campaign, 1e9)]).families, 0);
    }
}
