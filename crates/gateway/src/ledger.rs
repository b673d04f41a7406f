//! `[ledger]` of the configuration: whether what is found and done is put down so that it can be proved, and by which name.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of the name of a ledger.
const NAME_BYTES_MAX: usize = 255;

/// Witnesses. A configuration with more is refused: each is asked about every checkpoint.
const WITNESSES_MAX: usize = 16;

/// `[[ledger.witness]]`: somebody who signs checkpoints that go on from those that were shown before (C2SP tlog-witness).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WitnessTable {
    /// Where checkpoints are shown: what `/add-checkpoint` is put behind.
    pub url: String,
    /// The key that it signs with, as `NAME+ID+BASE64`.
    pub key: String,
    /// The certificates of authorities whose word about it is taken, instead of those of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<PathBuf>,
}

/// `[ledger.timestamp]`: an authority that says when a checkpoint was there (RFC 3161).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimestampTable {
    /// Where it takes requests.
    pub url: String,
    /// The certificates (PEM) of whoever vouches for what it signs.
    pub authority: PathBuf,
    /// How often it is asked, where there is something new, in seconds.
    #[serde(default = "a_minute")]
    pub seconds: u64,
}

fn a_minute() -> u64 {
    60
}

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
    /// How often witnesses are asked, where there is something new, in seconds.
    pub witness_seconds: u64,
    /// Who is shown checkpoints, and signs them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witness: Vec<WitnessTable>,
    /// Who says when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<TimestampTable>,
}

impl Default for LedgerTable {
    fn default() -> Self {
        LedgerTable { enabled: true, name: None, witness_seconds: 60, witness: Vec::new(), timestamp: None }
    }
}

impl LedgerTable {
    /// Why it cannot be used, if it cannot: the key, and what was expected.
    pub(crate) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./_:-".contains(&byte);
        let is_name = |name: &String| (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain);
        if self.name.as_ref().is_some_and(|name| !is_name(name)) {
            Some(("name", "expected 1 to 255 letters, digits and `./_:-`, such as `evidence.example.com/2026`"))
        } else if self.witness_seconds == 0 {
            Some(("witness_seconds", "expected at least 1"))
        } else if self.timestamp.as_ref().is_some_and(|table| table.seconds == 0) {
            Some(("timestamp.seconds", "expected at least 1"))
        } else if self.witness.len() > WITNESSES_MAX {
            Some(("witness", "expected at most 16"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_witnesses_have_limits() {
        let witness = || WitnessTable { url: String::new(), key: String::new(), authorities: None };
        let of = |name: usize, witnesses: usize| LedgerTable {
            name: Some("n".repeat(name)),
            witness: (0..witnesses).map(|_| witness()).collect(),
            ..LedgerTable::default()
        };
        assert_eq!(of(NAME_BYTES_MAX, WITNESSES_MAX).wrong(), None);
        assert_eq!(of(NAME_BYTES_MAX + 1, 0).wrong().map(|(name, _)| name), Some("name"));
        assert_eq!(of(1, WITNESSES_MAX + 1).wrong().map(|(name, _)| name), Some("witness"));
    }
}
