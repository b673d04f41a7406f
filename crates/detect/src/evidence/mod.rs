//! The evidence, one family of signals a file. Each says what it assumes of honest groups (its null), where the numbers
//! of that null come from, what its e-value means, and when it fails.
//!
//! Nulls are about the deployment's own groups ([`crate::calibrate`]), not about any provider the authors know. Every null is
//! a model and models are wrong at the ends, so each e-value is capped ([`CAP`]): no single family of signals can carry a
//! finding far beyond the threshold. What is missing gives no evidence either way.

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
use crate::calibrate::{ConductSign, Measures, Others};
use crate::conduct::Conduct;
use crate::evalue;
use crate::family::Family;
use crate::finding::{Discovery, Evidence, SignalFamily};
use crate::group::Group;
use crate::hypothesis::Hypothesis;
use crate::number::counted;
use crate::timeline::Timeline;
use crate::value::{Kind, Values};
use sign_up::SignUps;

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
        (scene.family.discovery != Discovery::Intent).then(|| intent::weigh(scene)).flatten(),
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

/// Measures a group by every sign that is compared with other groups.
#[must_use]
pub fn measure(scene: &Scene<'_>) -> Measures {
    let Scene { group, hypothesis, .. } = scene;
    let (payers, members) = (group.payers.len(), group.iter(scene.accounts).collect::<Vec<_>>());
    let one_a_payer = group.one_a_payer(scene.accounts);
    let shared = |kind: Kind| infrastructure::measure(&members, kind, scene.values);
    Measures {
        dispersion: dispersion::measure(&group.payers),
        sessions: sessions::measure(scene),
        items: work_queue::measure(&hypothesis.items, payers),
        content: interchange::content(&hypothesis.likeness),
        hours: interchange::hours(&hypothesis.likeness),
        bursts: sign_up::bursts(&one_a_payer, &sign_up::near(scene), scene.sign_ups),
        age: sign_up::age(&one_a_payer),
        payment: shared(Kind::Payment),
        email_domain: shared(Kind::EmailDomain),
        block: shared(Kind::Block),
        asn: shared(Kind::Asn),
        program: shared(Kind::Program),
        silence: silence::silent(&hypothesis.timeline, scene.timeline),
        takeover: takeover::taken_over(scene),
        pivot: pivot::apart(&hypothesis.conduct, scene.conduct),
        reply: reply::taken_once(&hypothesis.conduct),
        asks: intent::asks(hypothesis),
    }
}

/// Evidence by rank among the deployment's own groups; none where there are too few of them.
fn conduct_evidence(
    scene: &Scene<'_>,
    (family, sign): (SignalFamily, ConductSign),
    statistic: f64,
    text: String,
) -> Option<Evidence> {
    let weight = scene.others.rank(sign, statistic)?;
    let groups = counted(weight.groups as u64, "other group");
    let text = format!("{text} The weight comes from a comparison with {groups} of this log.");
    Some(evidence(family, weight.ln_e, weight.groups as u64, text))
}

/// No family of signals counts for more than this, as log10 of its e-value, in either direction.
pub const CAP: f64 = 6.0;
