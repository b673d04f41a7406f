//! Cases: what people work on, whose it is, how bad it is and by when something has to be done.
//!
//! A case holds no evidence; that is in campaigns, in the ledger and in case files. It says who looks after it.

use std::str::FromStr;

use exchange::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// What it is about, in a few words.
    pub title: String,
    /// How far it is.
    pub state: State,
    /// How bad it is.
    pub severity: Severity,
    /// Whose it is, by their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The campaigns that it is about, by their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub campaigns: Vec<String>,
    /// Addresses of what belongs to it elsewhere, such as a ticket.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// By when something has to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Time>,
    /// When detection first named a campaign that it is about, where one was named when it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected: Option<Time>,
    /// When it was opened.
    pub since: Time,
    /// Who opened it.
    pub by: String,
    /// What was noted, the earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// Something that somebody noted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// When.
    pub time: Time,
    /// Who.
    pub by: String,
    /// What.
    pub text: String,
}

macro_rules! named {
    ($(#[$doc:meta])* $type:ident as $told:literal { $($(#[$each:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        #[schemars(rename = $told)]
        pub enum $type {
            $($(#[$each])* $variant,)*
        }

        impl $type {
            /// All of them, in order.
            pub const ALL: &[$type] = &[$($type::$variant,)*];

            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name,)*
                }
            }
        }

        impl FromStr for $type {
            type Err = ();

            fn from_str(name: &str) -> Result<$type, ()> {
                $type::ALL.iter().copied().find(|one| one.name() == name).ok_or(())
            }
        }
    };
}

named! {
    /// How far a case is.
    State as "CaseState" {
        /// Nobody began.
        Open = "open",
        /// Somebody works on it.
        Working = "working",
        /// Somebody else has to do something.
        Waiting = "waiting",
        /// It is done.
        Closed = "closed",
    }
}

named! {
    /// How bad a case is, least first.
    Severity as "Severity" {
        /// To be looked at when there is time.
        Low = "low",
        /// To be looked at this week.
        Medium = "medium",
        /// To be looked at today.
        High = "high",
        /// To be looked at now.
        Critical = "critical",
    }
}
