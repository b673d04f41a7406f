//! A group as it was looked at: by what it is known again, and what a person said of it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::measures::Measures;

/// What a person says of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// An honest family: one product, one class, one tool that its users share.
    Benign,
    /// Approved research: it works like a campaign and may.
    Research,
    /// A campaign.
    Campaign,
}

/// A group as it was at one time: by what it is known again, and who was in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Whether shared infrastructure joined it, or a burst of sign-ups; such a group is known again by its accounts.
    pub infrastructure: bool,
    /// The cores of its templates, all in one: which of them make a family of their own differs from log to log.
    pub template: Prints,
    /// Its accounts.
    pub accounts: BTreeSet<String>,
    /// Those who pay for them, apart from accounts that stand for themselves.
    pub payers: Prints,
    /// What was measured of it, and would be of an honest group if it is one; none when it is too small to say.
    pub habits: Option<Measures>,
}

/// A set of fingerprints; written as 16 hexadecimal digits for each, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prints(pub BTreeSet<u64>);

impl fmt::Display for Prints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|print| write!(f, "{print:016x}"))
    }
}

impl JsonSchema for Prints {
    fn schema_name() -> Cow<'static, str> {
        "Prints".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Fingerprints, 16 hexadecimal digits for each.",
            "type": "string",
            "pattern": format!("^([0-9a-f]{{{DIGITS}}})*$"),
        })
    }
}

impl Serialize for Prints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Prints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Prints, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || de::Error::custom("expected 16 hexadecimal digits for each fingerprint");
        if !text.len().is_multiple_of(DIGITS) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let prints = (0..text.len()).step_by(DIGITS).map(|at| text.get(at..at + DIGITS));
        let prints = prints.map(|digits| u64::from_str_radix(digits.unwrap_or_default(), 16).map_err(|_| wrong()));
        prints.collect::<Result<_, _>>().map(Prints)
    }
}

impl Identity {
    /// Whether `other` is the same group: half of each one's template is in the other's, or shared infrastructure joined both and they have
    /// half of the smaller one's accounts in common.
    #[must_use]
    pub fn same(&self, other: &Identity) -> bool {
        let (mine, theirs) = (&self.template.0, &other.template.0);
        let shown = mine.intersection(theirs).count();
        let common = || self.accounts.intersection(&other.accounts).count();
        // Less than half of either would be a phrase that both use, and most of one of them something else.
        (shown > 0 && shown * 2 >= mine.len() && shown * 2 >= theirs.len())
            || (self.infrastructure
                && other.infrastructure
                && common() * 2 >= self.accounts.len().min(other.accounts.len()).max(1))
    }

    /// Whether an account was looked at, or who pays for it (a hash) was.
    #[must_use]
    pub fn has(&self, account: &str, payer: u64) -> bool {
        self.accounts.contains(account) || self.payers.0.contains(&payer)
    }
}

/// Hexadecimal digits of a fingerprint.
const DIGITS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_they_are_written() {
        let prints = Prints([0, 7, u64::MAX].into());
        let text = serde_json::to_string(&prints).unwrap();
        assert_eq!(text, r#""00000000000000000000000000000007ffffffffffffffff""#);
        assert_eq!(serde_json::from_str::<Prints>(&text).unwrap(), prints);
        for wrong in [r#""7""#, r#""000000000000000g""#, r#""+000000000000007""#, "7", r#""ééééééé7é""#] {
            assert!(serde_json::from_str::<Prints>(wrong).is_err(), "{wrong}");
        }
    }
}
