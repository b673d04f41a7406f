//! Appeals: an account asks to be looked at again, and what a person decided.

use exchange::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, AppealId};

/// That an account asks to be looked at again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Appeal {
    /// Its id.
    pub id: AppealId,
    /// Whose it is.
    pub account: AccountId,
    /// What it says.
    pub text: String,
    /// Who entered it.
    pub author: String,
    /// When it was entered.
    pub since: Time,
    /// What was decided; none until somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Ruling>,
}

/// What was decided about an appeal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ruling {
    /// Whether the account is in the right: then it is cleared.
    pub upheld: bool,
    /// Who decided.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When.
    pub time: Time,
}
