//! `[ledger]` of the configuration: whether what is found and done is put down so that it can be proved, and by which name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of the name of a ledger.
const NAME_BYTES_MAX: usize = 255;

/// `[ledger]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerTable {
    /// Whether there is one.
    pub enabled: bool,
    /// What it is called in checkpoints and receipts, for good: a place of yours without `https://`, such as `evidence.example.com/2026`. One is
    /// made up when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Default for LedgerTable {
    fn default() -> Self {
        LedgerTable { enabled: true, name: None }
    }
}

impl LedgerTable {
    /// Why it cannot be used, if it cannot: the key, and what was expected.
    pub(crate) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let name = self.name.as_ref()?;
        let is_fine = |sign: char| !sign.is_whitespace() && !sign.is_control() && sign != '+';
        let is_name = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(is_fine);
        (!is_name).then_some((
            "name",
            "expected 1 to 255 bytes without white space and `+`, such as `evidence.example.com/2026`",
        ))
    }
}
