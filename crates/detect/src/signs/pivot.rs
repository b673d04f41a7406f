//! Pivot: does the whole group change from one model to another at once?
//!
//! Half of a campaign's traffic moved to a new model within a day of its release; customers change over one by one, over
//! weeks. Statistic: how far the times at which the group used its two commonest models lie apart, in units of their spread, less
//! the same for everybody else's use of these models (who have the new one no earlier). Null: the group is like the
//! deployment's other groups. Calibrated by comparison with these ([`crate::evalue::conformal`]). Says nothing where a group
//! uses one model. Fails for one customer's product that is moved over in a release of its own; such a customer is one
//! payer.

use event::Hash;
use exchange::Time;

use crate::signs::scene::{Scene, conduct_evidence};
use crate::state::conduct::{Conduct, ModelUse};
use crate::state::value::Kind;
use findings::{Evidence, SignalFamily};

/// Weighs how the group changed models.
#[must_use]
pub(crate) fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let apart = apart(&scene.trial.conduct, scene.conduct)?;
    let (a, b) = scene.trial.conduct.two_models()?;
    let (from, to) = if a.middle() <= b.middle() { (a, b) } else { (b, a) };
    let name = |model: ModelUse| match scene.values.name(scene.values.find_hash(Kind::Model, model.model.0)) {
        "" => "a model without a name",
        name => name,
    };
    let text = if apart >= 1.0 {
        format!(
            "The accounts changed from {} (used around {}) to {} (used around {}) together, and others did not at that \
             time. Customers change models one by one, over weeks.",
            name(from),
            day(from.middle()),
            name(to),
            day(to.middle())
        )
    } else {
        format!("The accounts use {} and {} side by side, or changed when other customers did.", name(from), name(to))
    };
    conduct_evidence(scene, SignalFamily::Pivot, |measures| measures.pivot, apart, text)
}

/// The day of a time in seconds.
fn day(seconds: f64) -> String {
    let text = Time::from_seconds(seconds as i64).to_string();
    text.get(..10).unwrap_or(&text).to_owned()
}

/// How much further apart the use of two models lies than with everybody; none when there are no two.
#[must_use]
pub(crate) fn apart(group: &Conduct, everybody: &Conduct) -> Option<f64> {
    let (a, b) = group.two_models().filter(|(_, b)| b.exchanges >= EXCHANGES_MIN)?;
    let model = |model: Hash| everybody.model(model);
    let usual = model(a.model).zip(model(b.model)).map_or(0.0, |(a, b)| separation(&a, &b));
    Some((separation(&a, &b) - usual).max(0.0))
}

/// The distance of the middles in units of the spreads.
fn separation(a: &ModelUse, b: &ModelUse) -> f64 {
    (a.middle() - b.middle()).abs() / (a.spread() + b.spread()).max(SPREAD_MIN_SECONDS)
}

/// Fewer exchanges with the second model say nothing.
const EXCHANGES_MIN: f64 = 12.0;
/// Spreads below an hour are taken to be an hour.
const SPREAD_MIN_SECONDS: f64 = 3600.0;
