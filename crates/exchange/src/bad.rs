//! Why something could not be read. Messages are lower case, put user input in backticks and cut it short.

use std::fmt;

use crate::limits;
use crate::time::Time;

/// Why a text is not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRecord {
    /// The text is not JSON.
    #[error("not JSON: {reason} at column {column}")]
    NotJson {
        /// What the parser met.
        reason: String,
        /// Where, counted in bytes from 1.
        column: usize,
    },
    /// The bytes are not UTF-8.
    #[error("not UTF-8 at byte {column}")]
    NotUtf8 {
        /// The first wrong byte, counted from 1.
        column: usize,
    },
    /// The text is longer than [`limits::RECORD_BYTES_MAX`].
    #[error("longer than {} bytes", limits::RECORD_BYTES_MAX)]
    TooLong,
    /// The text holds more JSON values than [`limits::JSON_VALUES_MAX`].
    #[error("more than {} JSON values in one record", limits::JSON_VALUES_MAX)]
    TooManyValues,
    /// A required field is missing or null.
    #[error("`{field}` is missing, expected {expected}")]
    Missing {
        /// The field.
        field: &'static str,
        /// What it has to hold.
        expected: &'static str,
    },
    /// A required field holds something else.
    #[error("`{field}` is {found}, expected {expected}")]
    Wrong {
        /// The field.
        field: &'static str,
        /// What it holds, cut short.
        found: String,
        /// What it has to hold.
        expected: &'static str,
    },
    /// The record lies more than [`limits::FUTURE_SECONDS_MAX`] after the reader's reference time.
    #[error("`time` is `{time}`, more than {} hours ahead", limits::FUTURE_SECONDS_MAX / 3600)]
    Future {
        /// The record's time.
        time: Time,
    },
    /// The record lies more than [`limits::PAST_SECONDS_MAX`] before the reader's reference time.
    #[error("`time` is `{time}`, more than {} years back, as of a clock that was never set", limits::PAST_SECONDS_MAX / (365 * 24 * 3600))]
    Past {
        /// The record's time.
        time: Time,
    },
    /// Nothing in the object says which format it is.
    #[error("in no known format, expected `time`, `account` and `request`, or a log of a known kind")]
    UnknownFormat,
}

/// An optional field that was dropped because it held something else than expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Warning {
    /// The object the field is in, dotted; empty at the top.
    pub path: &'static str,
    /// The field.
    pub key: &'static str,
    /// What it has to hold.
    pub expected: &'static str,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.path.is_empty() || self.key.starts_with('[') { "" } else { "." };
        write!(f, "`{}{dot}{}` dropped, expected {}", self.path, self.key, self.expected)
    }
}

/// What was wrong with a record that was read all the same.
///
/// Most of it lies in the hand of whoever sends a prompt, so it costs no record, is counted, and is told by account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Damage {
    /// Half of a surrogate pair, replaced by U+FFFD.
    Surrogate,
    /// A control character that JSON does not allow in a string, kept.
    Control,
    /// An escape that JSON does not have, replaced by U+FFFD.
    Escape,
    /// Bytes that are not UTF-8, replaced by U+FFFD.
    Utf8,
    /// A number that JSON cannot hold (`NaN`, `Infinity`, `1e999`), taken for missing.
    Number,
    /// Values deeper than [`limits::NESTING_MAX`], taken for missing.
    Nesting,
    /// More than [`limits::JSON_VALUES_MAX`] values; those beyond are missing.
    Values,
    /// Longer than [`limits::RECORD_BYTES_MAX`]; long strings in it are cut.
    Overlong,
    /// The text ends before its JSON does.
    Cut,
    /// The same key twice in one object; the last counts.
    DuplicateKey,
    /// Anything else that is not JSON, stepped over.
    Syntax,
}

impl Damage {
    const ALL: [Damage; 11] = [
        Damage::Surrogate,
        Damage::Control,
        Damage::Escape,
        Damage::Utf8,
        Damage::Number,
        Damage::Nesting,
        Damage::Values,
        Damage::Overlong,
        Damage::Cut,
        Damage::DuplicateKey,
        Damage::Syntax,
    ];
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::Surrogate => "half a surrogate pair",
            Damage::Control => "a control character in a string",
            Damage::Escape => "an unknown escape",
            Damage::Utf8 => "bytes that are not UTF-8",
            Damage::Number => "a number that JSON cannot hold",
            Damage::Nesting => "nested too deeply",
            Damage::Values => "too many values",
            Damage::Overlong => "too long, texts cut",
            Damage::Cut => "cut off before its end",
            Damage::DuplicateKey => "the same key twice",
            Damage::Syntax => "not JSON in places",
        })
    }
}

/// A set of [`Damage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Damages(u16);

impl From<Damage> for Damages {
    fn from(damage: Damage) -> Self {
        Damages(1 << damage as u16)
    }
}

impl Damages {
    pub(crate) fn insert(&mut self, damage: Damage) {
        self.0 |= 1 << damage as u16;
    }

    pub(crate) fn extend(&mut self, other: Damages) {
        self.0 |= other.0;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Damages(u16::try_from(bits).unwrap_or_default())
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Damage> {
        Damage::ALL.into_iter().filter(move |damage| self.0 & (1 << *damage as u16) != 0)
    }
}

/// What is worth telling about records that were read all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// How often each optional field was dropped.
    pub warnings: std::collections::BTreeMap<Warning, u64>,
    /// What was wrong with the record that is being read.
    pub(crate) damage: Damages,
    /// Whether objects of its text are marked with what was wrong with each.
    pub(crate) marked: bool,
    /// What was done with it.
    pub(crate) remarks: Vec<Remark>,
}

/// What was done with a record, or with a part of it, besides reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remark {
    /// It was taken out of a wrapper.
    Unwrapped(&'static str),
    /// It was stepped over because it is no exchange.
    Skipped(&'static str),
    /// Its bodies lie in another place, so it has no texts.
    Elsewhere,
    /// It says the same as a record before.
    Duplicate,
    /// It was put together with another record of the same call.
    Joined(&'static str),
    /// It holds facts about a call that was not there.
    Unjoined(&'static str),
    /// It was an attempt at a call that was tried again.
    Attempt,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::Unwrapped(by) => write!(f, "unwrapped: {by}"),
            Remark::Skipped(why) => write!(f, "skipped: {why}"),
            Remark::Elsewhere => f.write_str("no texts: the bodies lie in another place"),
            Remark::Duplicate => f.write_str("duplicate: the same call again"),
            Remark::Joined(how) => write!(f, "joined: {how}"),
            Remark::Unjoined(what) => write!(f, "not joined: {what}"),
            Remark::Attempt => f.write_str("attempt: failed and tried again"),
        }
    }
}

impl Notes {
    /// Counts a dropped field.
    pub(crate) fn warn(&mut self, path: &'static str, key: &'static str, expected: &'static str) {
        *self.warnings.entry(Warning { path, key, expected }).or_default() += 1;
    }

    /// Adds what `other` noted.
    pub fn merge(&mut self, other: Notes) {
        for (warning, count) in other.warnings {
            *self.warnings.entry(warning).or_default() += count;
        }
    }

    /// Takes note of what was done.
    pub(crate) fn remark(&mut self, remark: Remark) {
        self.remarks.push(remark);
    }
}

/// User input for a message: in backticks, control characters escaped, cut at [`limits::QUOTE_CHARS_MAX`].
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("`");
    let mut chars = text.chars();
    for c in chars.by_ref().take(limits::QUOTE_CHARS_MAX) {
        if c.is_control() {
            quoted.extend(c.escape_default());
        } else {
            quoted.push(c);
        }
    }
    quoted.push_str(if chars.next().is_some() { "…`" } else { "`" });
    quoted
}
