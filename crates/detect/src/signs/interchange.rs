//! Interchangeability: do the payers differ from each other, as people who share a tool do?
//!
//! [`crate::state::likeness`] measures how much more alike a payer's own requests are than those of different payers: in what they
//! say, and in the hour of the day. Strangers bring their own subjects and hours; accounts that one dispatcher feeds are
//! samples of one stream, however unevenly they are used and in whatever sessions. Weighed against the deployment's own groups.
//! Fails when a thief gives every account a life of its own, which costs him most of what makes a list useful, and says too much
//! where one occasion gives everybody one subject and one evening: a class, a contest. That is a rival.

use crate::signs::calibrate::{Number, Sign};
use crate::signs::distribution::Law;
use crate::signs::scene::{Scene, evidence};
use crate::state::likeness::Likeness;
use findings::{Estimate, Evidence, SignalFamily};

/// How unlike in content payers are, on the scale of [`CONTENT`].
#[must_use]
pub(crate) fn content(likeness: &Likeness) -> Option<Estimate> {
    likeness.words().map(|words| CONTENT.law.scaled(words))
}

/// How unlike in hours they are, on the scale of [`HOURS`].
#[must_use]
pub(crate) fn hours(likeness: &Likeness) -> Option<Estimate> {
    likeness.hours().map(|hours| HOURS.law.scaled(hours))
}

/// Weighs how alike payers are in content.
#[must_use]
pub(crate) fn weigh_content(scene: &Scene<'_>) -> Option<Evidence> {
    let raw = scene.trial.likeness.words()?;
    let (ln_e, basis) = weigh(scene, &CONTENT, CONTENT.law.scaled(raw));
    let text = format!(
        "Two requests of one payer are {} alike in what varies than two of different payers (by {}). Strangers who share a tool \
         bring subjects of their own; accounts that are fed from one list do not. {basis}",
        more(raw),
        number(raw),
    );
    Some(evidence(SignalFamily::Content, ln_e, raw.accounts as u64, text))
}

/// Weighs how alike payers are in their hours.
#[must_use]
pub(crate) fn weigh_hours(scene: &Scene<'_>) -> Option<Evidence> {
    let raw = scene.trial.likeness.hours()?;
    let (ln_e, basis) = weigh(scene, &HOURS, HOURS.law.scaled(raw));
    let text = format!(
        "From one day to another the hours of one payer are {} alike than those of different payers (by {}). People keep their \
         own hours. {basis}",
        more(raw),
        number(raw),
    );
    Some(evidence(SignalFamily::Hours, ln_e, raw.accounts as u64, text))
}

fn weigh(scene: &Scene<'_>, sign: &Sign, measured: Estimate) -> (f64, String) {
    let weight = scene.others.weigh(sign, measured);
    (weight.ln_e, weight.basis())
}

fn more(raw: Estimate) -> &'static str {
    if raw.value > 2.0 * raw.error { "more" } else { "no more" }
}

fn number(raw: Estimate) -> String {
    format!("{:+.3}, standard error {:.3}, {} payers", raw.value, raw.error, raw.accounts)
}

/// Excess likeness in words. Traffic of other hands: 0.07 to 0.35 for independent people and shops with a tool, up to 0.02 for
/// most campaigns, 0.05 to 0.08 for some that deal parts of a list to accounts. Far below 0 lie those who go through one
/// list each: a class, a benchmark.
pub(crate) const CONTENT: Sign = Sign {
    family: SignalFamily::Content,
    law: Law {
        scale: 0.01,
        honest: (3.0, 0.8),
        dispatched: (0.0, 0.6),
        imitated: 0.05,
        smoothed: 0.15,
        one_sided: false,
    },
    number: Number::Content,
};
/// Excess likeness in hours: 0.11 to 0.32 for people, none for campaigns.
pub(crate) const HOURS: Sign = Sign {
    family: SignalFamily::Hours,
    law: Law {
        scale: 0.03,
        honest: (2.2, 0.7),
        dispatched: (-0.3, 0.6),
        imitated: 0.2,
        smoothed: 0.15,
        one_sided: false,
    },
    number: Number::Hours,
};
