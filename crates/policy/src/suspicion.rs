//! What detection says of an account: a fact that policies may look at, and that does nothing by itself.

use exchange::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::AccountId;

/// That an account takes part in a campaign, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suspicion {
    /// Whose it is.
    pub account: AccountId,
    /// The campaign, by its name.
    pub campaign: String,
    /// The evidence for the campaign as a power of ten, rounded down: 6 for a million to one.
    pub strength: i64,
    /// How likely the account takes part, in percent, rounded down.
    pub probability: i64,
    /// When the campaign was detected.
    pub since: Time,
    /// The honest explanation that comes nearest, in words.
    pub rival: String,
    /// Which detection says so, where several work on one database.
    pub source: String,
}
