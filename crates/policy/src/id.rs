//! The ids of what policy knows: short, printable, each of a type of its own.
//!
//! An id is 1 to [`ID_BYTES_MAX`] bytes of letters, digits and `-_.:@+`; anything else is refused when it is parsed, so
//! an id is safe in a log line, a header, a path and a policy.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::ID_BYTES_MAX;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// The id as it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                checked(text).map(|text| $name(text.into()))
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": format!("^[A-Za-z0-9_.:@+-]{{1,{ID_BYTES_MAX}}}$") })
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// An account: who pays, and the unit that is measured against.
    AccountId,
    /// A verified organisation that several accounts may belong to.
    OrganisationId,
    /// A credential's public id, never its secret.
    KeyId,
    /// Accounts that pay with the same instrument: an opaque fingerprint chosen by the provider.
    PaymentGroup,
    /// A response to an account or a campaign.
    ResponseId,
    /// An appeal of an account.
    AppealId,
}

impl KeyId {
    /// An id that was made here, of letters and digits only.
    pub(crate) fn of_plain(text: &str) -> KeyId {
        KeyId(text.into())
    }
}

/// A text that is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no id; expected 1 to {ID_BYTES_MAX} letters, digits or -_.:@+")]
pub struct BadId(String);

fn checked(text: &str) -> Result<&str, BadId> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@+".contains(&byte);
    if (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text)
    } else {
        Err(BadId(text.chars().take(ID_BYTES_MAX).flat_map(char::escape_default).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_and_printable() {
        for good in ["a", "acct-7", "user@example.com", "org:4+1_x", &"a".repeat(ID_BYTES_MAX)] {
            assert_eq!(good.parse::<AccountId>().map(|id| id.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "a b", "a/b", "é", "a\n", "\"", "../x", &"a".repeat(ID_BYTES_MAX + 1)] {
            assert!(bad.parse::<AccountId>().is_err(), "`{bad}`");
        }
    }

    #[test]
    fn what_is_read_is_checked_too() {
        assert!(serde_json::from_str::<KeyId>("\"k-1\"").is_ok());
        assert!(serde_json::from_str::<KeyId>("\"k 1\"").is_err());
    }
}
