//! The evidence, one family of signals a file. Each says what it assumes of honest groups (its null), where the numbers
//! of that null come from, what its e-value means, and when it fails.
//!
//! Nulls are about the deployment's own traffic ([`crate::reference::Reference`]), not about any provider the authors
//! know. Every null is a model and models are wrong at the ends, so each e-value is capped ([`CAP`]): no single family of
//! signals can carry a finding far beyond the threshold. What is missing gives no evidence either way.

pub mod dispersion;
pub mod infrastructure;
pub mod intent;
pub mod interchange;
pub mod membership;
pub mod pivot;
pub mod reply;
pub mod sessions;
pub mod sign_up;
pub mod silence;
pub mod takeover;
pub mod work_queue;

use signals::Capability;

use crate::account::Accounts;
use crate::calibrate::Calibration;
use crate::conduct::Conduct;
use crate::evalue;
use crate::family::Family;
use crate::finding::{Discovery, Evidence, SignalFamily};
use crate::group::Group;
use crate::hypothesis::Hypothesis;
use crate::number::counted;
use crate::reference::Reference;
use crate::timeline::Timeline;
use crate::value::Values;

/// What a piece of evidence may look at.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The group under test.
    pub group: &'a Group,
    /// The number of its family.
    pub number: u32,
    /// Its family.
    pub family: &'a Family,
    /// The hypothesis, with what was counted since τ.
    pub hypothesis: &'a Hypothesis,
    /// All accounts.
    pub accounts: &'a Accounts,
    /// All values.
    pub values: &'a Values,
    /// What honest traffic looks like here.
    pub reference: &'a Reference,
    /// The groups that this one is compared to.
    pub calibration: &'a Calibration,
    /// All exchanges by capability.
    pub intents: &'a [u64; Capability::ALL.len()],
    /// When all exchanges happened.
    pub timeline: &'a Timeline,
    /// How all exchanges were sent.
    pub conduct: &'a Conduct,
    /// All exchanges.
    pub exchanges: u64,
}

/// Weighs everything that can be weighed.
#[must_use]
pub fn weigh(scene: &Scene<'_>) -> Vec<Evidence> {
    let pieces = [
        dispersion::weigh(scene),
        sessions::weigh(scene),
        interchange::weigh_content(scene),
        interchange::weigh_hours(scene),
        work_queue::weigh(scene),
        sign_up::weigh(scene),
        // What a group was found by cannot count for it as well.
        (scene.family.discovery != Discovery::Infrastructure).then(|| infrastructure::weigh(scene)).flatten(),
        intent::weigh(scene),
        silence::weigh(scene),
        takeover::weigh(scene),
        pivot::weigh(scene),
        reply::weigh(scene),
    ];
    pieces.into_iter().flatten().collect()
}

/// Evidence with its e-value given by the natural logarithm, capped.
fn evidence(family: SignalFamily, ln_e: f64, observations: u64, text: String) -> Evidence {
    let log10_e = evalue::log10(ln_e).clamp(-CAP, CAP);
    Evidence { family, log10_e, counts: true, text, observations }
}

/// Evidence by comparison with the deployment's own honest families; none where there are too few of them.
fn conduct_evidence(family: SignalFamily, statistic: f64, honest: &[f64], text: String) -> Option<Evidence> {
    let e = evalue::conformal(statistic, honest)?;
    let groups = counted(honest.len() as u64, "group");
    let text = format!("{text} The weight comes from a comparison with {groups} of this log that nobody suspects.");
    Some(evidence(family, hedged(e.ln()), honest.len() as u64, text))
}

/// ln of the e-value of a mixture of "nothing here" and `ln_e`: costs a factor of two at most when it was nothing.
fn hedged(ln_e: f64) -> f64 {
    evalue::mean(&[0.0, ln_e])
}

/// No family of signals counts for more than this, as log10 of its e-value, in either direction.
pub const CAP: f64 = 6.0;
