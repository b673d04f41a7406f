//! `[sealing]` of the configuration: whether recorded texts are sealed, for whom, and for how long they can be opened.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[sealing]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SealingTable {
    /// The file with the public half of the evidence key that recorded texts are sealed for. Without it they are recorded in clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// After how many days sealed texts can be opened no longer, but for those of accounts that are held. For good when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u32>,
}

impl SealingTable {
    /// Why it cannot be used, if it cannot: the key, and what was expected.
    pub(crate) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        match self.keep_days {
            Some(0) => Some(("keep_days", "expected at least 1")),
            Some(_) if self.key.is_none() => Some(("keep_days", "expected `key` beside it: nothing is sealed")),
            _ => None,
        }
    }
}
