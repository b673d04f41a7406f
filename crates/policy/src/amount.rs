//! How much of what, in which time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const SECOND: i64 = 1_000_000_000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Requests.
    Requests,
    /// Tokens, read and written.
    Tokens,
    /// Millionths of the currency that prices are in.
    MicroCost,
}

/// In which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day, from midnight UTC.
    Day,
    /// 30 days.
    ThirtyDays,
}

impl Per {
    pub(crate) const fn nanos(self) -> i64 {
        match self {
            Per::Second => SECOND,
            Per::Minute => 60 * SECOND,
            Per::Hour => 3_600 * SECOND,
            Per::Day => 86_400 * SECOND,
            Per::ThirtyDays => 30 * 86_400 * SECOND,
        }
    }

    /// Whether it is a budget of a window, which does not refill before the next one.
    pub(crate) const fn is_window(self) -> bool {
        matches!(self, Per::Day | Per::ThirtyDays)
    }
}

/// How much is taken of each unit: by default one request of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// Requests: 1, or as many as a batch has.
    pub requests: u64,
    /// Tokens, read and written.
    pub tokens: u64,
    /// Millionths of the currency that prices are in; none where nothing has a price.
    pub micro_cost: Option<u64>,
}

impl Default for Amounts {
    fn default() -> Self {
        Amounts { requests: 1, tokens: 0, micro_cost: None }
    }
}

impl Amounts {
    pub(crate) fn of(self, unit: Unit) -> Option<u64> {
        match unit {
            Unit::Requests => Some(self.requests),
            Unit::Tokens => Some(self.tokens),
            Unit::MicroCost => self.micro_cost,
        }
    }
}
