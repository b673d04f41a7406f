//! What a sign may look at, and how it says what it found.

use event::Capability;
use findings::number::counted;
use findings::{Evidence, Measures, SignalFamily};

use crate::evalue;
use crate::group::Group;
use crate::signs::calibrate::Others;
use crate::state::account::Accounts;
use crate::state::cluster::Cluster;
use crate::state::conduct::Conduct;
use crate::state::sign_ups::SignUps;
use crate::state::timeline::Timeline;
use crate::state::trial::Trial;
use crate::state::value::Values;

/// What a piece of evidence may look at.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// The group under test.
    pub group: &'a Group,
    /// The number of its cluster.
    pub number: u32,
    /// Its cluster.
    pub cluster: &'a Cluster,
    /// The trial, with what was counted since τ.
    pub trial: &'a Trial,
    /// All accounts.
    pub accounts: &'a Accounts,
    /// All values.
    pub values: &'a Values,
    /// When accounts signed up here.
    pub sign_ups: &'a SignUps,
    /// The groups that this one is compared to.
    pub others: &'a Others<'a>,
    /// Accounts that ask for a capability in a good part of their requests, of those that are followed.
    pub asking: &'a [Option<u64>; Capability::ALL.len()],
    /// All exchanges by capability.
    pub intents: &'a [u64; Capability::ALL.len()],
    /// When all exchanges happened.
    pub timeline: &'a Timeline,
    /// How all exchanges were sent.
    pub conduct: &'a Conduct,
    /// All exchanges.
    pub exchanges: u64,
    /// From the first of them to the last, in seconds.
    pub seconds: f64,
}

/// Evidence with its e-value given by the natural logarithm, capped.
#[must_use]
pub(crate) fn evidence(family: SignalFamily, ln_e: f64, observations: u64, text: String) -> Evidence {
    let log10_e = evalue::log10(ln_e).clamp(-CAP, CAP);
    Evidence { family, log10_e, counts: true, text, observations }
}

/// Evidence by rank among the deployment's own groups; none where there are too few of them.
#[must_use]
pub(crate) fn conduct_evidence(
    scene: &Scene<'_>,
    family: SignalFamily,
    of: fn(&Measures) -> Option<f64>,
    statistic: f64,
    text: String,
) -> Option<Evidence> {
    let weight = scene.others.rank(of, statistic)?;
    let groups = counted(weight.groups as u64, "other group");
    let text = format!("{text} The weight comes from a comparison with {groups} of this log.");
    Some(evidence(family, weight.ln_e, weight.groups as u64, text))
}

/// No family of signals counts for more than this, as log10 of its e-value, in either direction.
pub(crate) const CAP: f64 = 6.0;
