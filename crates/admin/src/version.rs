//! Versions of policies: what was applied, when, and by whom.

use exchange::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Policies that were applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PoliciesVersion")]
pub struct Version {
    /// Which one it is, from 1.
    pub number: u64,
    /// As Cedar writes them; none for those that Stillwatch comes with.
    #[serde(default)]
    pub text: Option<String>,
    /// From when they held.
    pub since: Time,
    /// Who applied them.
    pub by: String,
}
