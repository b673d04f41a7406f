//! What a rule is: what it looks at, what it finds, how grave that is, and which requirements of others it speaks to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::catalogue::Requirement;
use crate::facts::{Facts, Part};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Informational,
    /// A control is weaker than it could be.
    Low,
    /// A control against extraction is missing, or a trace of it would be.
    Medium,
    /// The model, its answers or the evidence can be taken now.
    High,
}

/// How sure it is that a finding is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// It follows from something that may have other reasons.
    Low,
    /// It may be made up for elsewhere, where this program does not look.
    Medium,
    /// It is so.
    High,
}

/// For whom a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Persona {
    /// Whoever runs it: what should be mended.
    Regular,
    /// Whoever wants everything that is to be had.
    Pedantic,
    /// Whoever has to answer for it: what is a choice, and has to be one.
    Auditor,
}

macro_rules! named {
    ($kind:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl $kind {
            /// All of them, least first.
            pub const ALL: &[$kind] = &[$($kind::$variant),+];

            /// Its name, as it is typed and printed.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($kind::$variant => $name),+ }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.name())
            }
        }

        impl FromStr for $kind {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                let names = || $kind::ALL.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
                $kind::ALL.iter().copied().find(|one| one.name() == name).ok_or_else(|| format!("expected one of {}", names()))
            }
        }
    };
}

named!(Severity { Informational = "informational", Low = "low", Medium = "medium", High = "high" });
named!(Confidence { Low = "low", Medium = "medium", High = "high" });
named!(Persona { Regular = "regular", Pedantic = "pedantic", Auditor = "auditor" });

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The file or folder, where it is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What there: a key of the configuration, an account, an address.
    pub name: String,
}

impl Place {
    /// Something in a file or folder; in none where it has no name.
    pub(crate) fn within(file: &str, name: impl Into<String>) -> Place {
        Place { file: Some(file.to_owned()).filter(|file| !file.is_empty()), name: name.into() }
    }

    /// Something that is in none.
    pub(crate) fn of(name: impl Into<String>) -> Place {
        Place { file: None, name: name.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(out, "{file}: {}", self.name),
            None => out.write_str(&self.name),
        }
    }
}

/// Something that a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) place: Place,
    pub(crate) message: String,
}

impl Hit {
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Hit {
        Hit { place, message: message.into() }
    }
}

/// What a rule says of some facts: nothing where nobody looked at what it needs.
pub(crate) type Checked = Option<Vec<Hit>>;

/// A rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// What it is called.
    pub id: &'static str,
    /// What is wrong where it finds something.
    pub title: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// What it looks at.
    pub part: Part,
    /// How grave it is.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// For whom it is.
    pub persona: Persona,
    /// Requirements of others that it speaks to.
    pub requirements: &'static [Requirement],
    pub(crate) check: fn(&Facts) -> Checked,
}

impl fmt::Debug for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.id)
    }
}

/// A finding where something holds.
pub(crate) fn when(holds: bool, place: Place, message: impl Into<String>) -> Vec<Hit> {
    if holds { vec![Hit::new(place, message)] } else { Vec::new() }
}
