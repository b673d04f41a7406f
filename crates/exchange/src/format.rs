//! The formats that records arrive in, by their names.

use std::fmt;
use std::str::FromStr;

use crate::bad::quote;
use crate::mapping::Mapping;

/// A format of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Stillwatch's own; see [`native`](crate::native).
    Native,
    /// Logged OpenAI bodies; see [`openai`](crate::openai).
    OpenAi,
    /// Logged Anthropic bodies; see [`anthropic`](crate::anthropic).
    Anthropic,
    /// A source that is read by its table.
    Mapped(SourceId),
}

/// A source that has a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub(crate) usize);

impl Format {
    /// Every format.
    pub fn all() -> impl Iterator<Item = Format> {
        let mapped = (0..Mapping::all().len()).map(|at| Format::Mapped(SourceId(at)));
        [Format::Native, Format::OpenAi, Format::Anthropic].into_iter().chain(mapped)
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Native => "native",
            Format::OpenAi => "openai",
            Format::Anthropic => "anthropic",
            Format::Mapped(source) => source.table().map_or("", |table| table.name.as_str()),
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Format::Native => "Stillwatch's own records",
            Format::OpenAi => "logged OpenAI bodies",
            Format::Anthropic => "logged Anthropic bodies",
            Format::Mapped(source) => source.table().map_or("", |table| table.title.as_str()),
        }
    }

    /// Where its names are documented, and the version that was read; none for what this project or an API defines.
    #[must_use]
    pub fn documented(self) -> Option<(&'static str, &'static str)> {
        let Format::Mapped(source) = self else { return None };
        source.table().map(|table| (table.source.as_str(), table.version.as_str()))
    }

    /// Where its records name the caller's own user, for who takes these for accounts.
    #[must_use]
    pub fn end_user_path(self) -> Option<&'static str> {
        match self {
            Format::Native => Some("end_user"),
            Format::OpenAi => Some("request.user"),
            Format::Anthropic => Some("request.metadata.user_id"),
            Format::Mapped(source) => source.table()?.end_user.first().map(String::as_str),
        }
    }
}

impl SourceId {
    fn table(self) -> Option<&'static Mapping> {
        Mapping::all().get(self.0)
    }

    pub(crate) fn table_at(self) -> Option<(usize, &'static Mapping)> {
        self.table().map(|table| (self.0, table))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let found = Format::all().find(|format| format.name() == name);
        found.ok_or_else(|| UnknownFormat { name: quote(name), known: names() })
    }
}

fn names() -> String {
    let names: Vec<&str> = Format::all().map(Format::name).collect();
    match names.split_last() {
        Some((last, names)) => format!("{} or {last}", names.join(", ")),
        None => String::new(),
    }
}

/// A name that is no format's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {name}, expected {known}")]
pub struct UnknownFormat {
    name: String,
    known: String,
}
