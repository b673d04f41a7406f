//! The evidence, one family of signals a file. Each says what it assumes of honest groups (its null), where the numbers
//! of that null come from, what its e-value means, and when it fails.
//!
//! Nulls are about the deployment's own groups ([`crate::signs::calibrate`]), not about any provider the authors know. Every null is
//! a model and models are wrong at the ends, so each e-value is capped ([`scene::CAP`]): no single family of signals can carry a
//! finding far beyond the threshold. What is missing gives no evidence either way.

pub(crate) mod calibrate;
pub(crate) mod dispersion;
pub(crate) mod distribution;
pub(crate) mod infrastructure;
pub(crate) mod intent;
pub(crate) mod interchange;
pub(crate) mod pivot;
pub(crate) mod reply;
pub(crate) mod scene;
pub(crate) mod sessions;
pub(crate) mod sign_up;
pub(crate) mod silence;
pub(crate) mod takeover;
pub(crate) mod work_queue;

use findings::{Discovery, Evidence, Measures};

use crate::state::value::Kind;
use scene::Scene;

/// Weighs everything that can be weighed.
#[must_use]
pub(crate) fn weigh(scene: &Scene<'_>) -> Vec<Evidence> {
    let pieces = [
        dispersion::weigh(scene),
        sessions::weigh(scene),
        interchange::weigh_content(scene),
        interchange::weigh_hours(scene),
        work_queue::weigh(scene),
        // What a group was found by cannot count for it as well.
        (scene.cluster.discovery != Discovery::SignUp).then(|| sign_up::weigh(scene)).flatten(),
        (scene.cluster.discovery != Discovery::Infrastructure).then(|| infrastructure::weigh(scene)).flatten(),
        (scene.cluster.discovery != Discovery::Intent).then(|| intent::weigh(scene)).flatten(),
        silence::weigh(scene),
        takeover::weigh(scene),
        pivot::weigh(scene),
        reply::weigh(scene),
    ];
    pieces.into_iter().flatten().collect()
}

/// Measures a group by every sign that is compared with other groups.
#[must_use]
pub(crate) fn measure(scene: &Scene<'_>) -> Measures {
    let Scene { group, trial, .. } = scene;
    let (payers, members) = (group.payers.len(), group.iter(scene.accounts).collect::<Vec<_>>());
    let one_a_payer = group.one_a_payer(scene.accounts);
    let shared = |kind: Kind| infrastructure::measure(&members, kind, scene.values, group.one_in);
    Measures {
        dispersion: dispersion::measure(&group.payers),
        sessions: sessions::measure(scene),
        items: work_queue::measure(&trial.items, payers),
        content: interchange::content(&trial.likeness),
        hours: interchange::hours(&trial.likeness),
        bursts: sign_up::bursts(&one_a_payer, &sign_up::near(scene), scene.sign_ups, group.one_in),
        age: sign_up::age(&one_a_payer),
        payment: shared(Kind::Payment),
        email_domain: shared(Kind::EmailDomain),
        block: shared(Kind::Block),
        asn: shared(Kind::Asn),
        program: shared(Kind::Program),
        silence: silence::silent(&trial.timeline, scene.timeline),
        takeover: takeover::taken_over(scene),
        pivot: pivot::apart(&trial.conduct, scene.conduct),
        reply: reply::taken_once(&trial.conduct),
    }
}
