//! Accounts and the organisations behind them: what the provider knows of who asks.

use exchange::{Assurance, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, OrganisationId, PaymentGroup};

/// Who pays, and the unit that responses are about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// A name for people; no decision looks at it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The verified organisation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<OrganisationId>,
    /// What it has bought.
    #[serde(default)]
    pub tier: Tier,
    /// How well the provider knows who it is.
    #[serde(default)]
    pub assurance: Assurance,
    /// How it came.
    #[serde(default)]
    pub programme: Programme,
    /// Accounts that pay with the same instrument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentGroup>,
    /// Where it is served, as the provider names its regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether it may do anything at all.
    #[serde(default)]
    pub status: Status,
    /// When it signed up; of one that was discovered, when that was.
    pub created: Time,
    /// Since when it is cleared: a person decided that it belongs to no campaign, whatever detection says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared: Option<Time>,
    /// Whether it was made since a sensor told of it: then nothing is known of its sign-up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub discovered: bool,
}

/// A verified organisation: its accounts count as one customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// A name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How well the provider knows it; an account has the greater of its own and this.
    #[serde(default)]
    pub assurance: Assurance,
    /// When it was entered.
    pub created: Time,
}

/// What an account has bought, least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Nothing: a trial.
    #[default]
    Free,
    /// Pays for what it uses.
    Standard,
    /// A plan for companies.
    Business,
    /// A contract of its own.
    Enterprise,
}

/// How an account came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Programme {
    /// By itself.
    #[default]
    None,
    /// A free trial.
    Trial,
    /// Schools and universities.
    Education,
    /// Security and other research.
    Research,
    /// Young companies.
    Startup,
    /// A partner's.
    Partner,
}

/// Whether an account may do anything at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It may what policy says.
    #[default]
    Active,
    /// It may nothing until somebody lifts that.
    Suspended,
    /// It may nothing, for good.
    Closed,
}
