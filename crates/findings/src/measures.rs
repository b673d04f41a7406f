//! What is measured of a group: one number for each sign.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number with its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// How uncertain it is, by the scatter between accounts.
    pub error: f64,
    /// Accounts that it rests on, or payers where an organisation counts once.
    pub accounts: usize,
}

impl Estimate {
    /// A share on a scale on which it is as exact near none as near half: four times the arcsine of its root, 0 for none, 3.1 for half
    /// and 6.3 for all (Anscombe 1948). `yes` of `trials`, which depend on each other as if there were half as many.
    #[must_use]
    pub fn share(yes: f64, trials: f64, accounts: usize) -> Estimate {
        let share = ((yes + 0.375) / (trials + 0.75)).clamp(0.0, 1.0);
        let error = 2.0 / (trials / 2.0 + 0.5).sqrt();
        Estimate { value: 4.0 * libm::asin(share.sqrt()), error, accounts }
    }
}

/// What was measured of a group since τ: what is known of it by each sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Measures {
    /// How even its shares are,
    pub dispersion: Option<Estimate>,
    /// how it works in sessions,
    pub sessions: Option<Estimate>,
    /// how its items overlap,
    pub items: Option<Estimate>,
    /// how unlike its accounts are in content
    pub content: Option<Estimate>,
    /// and in hours,
    pub hours: Option<Estimate>,
    /// how little they signed up in bursts
    pub bursts: Option<Estimate>,
    /// and how old they were at first use,
    pub age: Option<Estimate>,
    /// how few share a payment instrument,
    pub payment: Option<Estimate>,
    /// a mail domain,
    pub email_domain: Option<Estimate>,
    /// an address block,
    pub block: Option<Estimate>,
    /// a network operator
    pub asn: Option<Estimate>,
    /// or a sign-up programme;
    pub program: Option<Estimate>,
    /// how silent it is while everybody else is not,
    pub silence: Option<f64>,
    /// how much others took over of what was closed,
    pub takeover: Option<f64>,
    /// how far apart it uses its models
    pub pivot: Option<f64>,
    /// and how much it takes its answers once and in one way.
    pub reply: Option<f64>,
}
