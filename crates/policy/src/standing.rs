//! The standing of an account: which measure was taken against it, by whom, why, and until when.
//!
//! Promises that a measure ends when it should: what is over counts as none ([`Standing::rung`]). Says nothing of what a
//! measure takes away; policies do.

use exchange::{Assurance, Time};
use serde::{Deserialize, Serialize};

use crate::id::AccountId;

/// The measures, mildest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Rung {
    /// No measure.
    #[default]
    None,
    /// It is watched more closely.
    Observe,
    /// Somebody was told.
    Alert,
    /// It has to show better who it is.
    Verify,
    /// It shares one budget with others.
    ShareBudget,
    /// Its answers come without what helps most to train on them.
    Shield,
    /// It gets nothing.
    Block,
}

impl Rung {
    /// All of them, mildest first.
    pub const ALL: [Rung; 7] =
        [Rung::None, Rung::Observe, Rung::Alert, Rung::Verify, Rung::ShareBudget, Rung::Shield, Rung::Block];

    /// Its name in policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Rung::None => "none",
            Rung::Observe => "observe",
            Rung::Alert => "alert",
            Rung::Verify => "verify",
            Rung::ShareBudget => "share_budget",
            Rung::Shield => "shield",
            Rung::Block => "block",
        }
    }
}

/// The measure that was taken against an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Whose it is.
    pub account: AccountId,
    /// The measure.
    pub rung: Rung,
    /// How well the account has to be known for a measure that asks for that; by nothing else lifted.
    #[serde(default)]
    pub assurance: Assurance,
    /// From when.
    pub since: Time,
    /// Until when; without it, until it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Why, for the operator; callers never learn it.
    pub reason: String,
    /// Who took it, or which rule.
    pub author: String,
}

impl Standing {
    /// The measure that holds at `now`.
    #[must_use]
    pub fn rung(&self, now: Time) -> Rung {
        let holds = self.since <= now && self.until.is_none_or(|until| now < until);
        if holds { self.rung } else { Rung::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rung_has_its_name() {
        for (index, rung) in Rung::ALL.into_iter().enumerate() {
            assert_eq!(rung as usize, index);
            assert_eq!(serde_json::to_string(&rung).unwrap(), format!("\"{}\"", rung.name()));
        }
    }

    #[test]
    fn a_measure_holds_for_its_time() {
        let at = Time::from_seconds;
        let standing = Standing {
            account: "a".parse().unwrap(),
            rung: Rung::Block,
            assurance: Assurance::None,
            since: at(10),
            until: Some(at(20)),
            reason: String::new(),
            author: "ann".to_owned(),
        };
        for (now, expected) in [(9, Rung::None), (10, Rung::Block), (19, Rung::Block), (20, Rung::None)] {
            assert_eq!(standing.rung(at(now)), expected, "{now}");
        }
        assert_eq!(Standing { until: None, ..standing }.rung(at(1_000_000)), Rung::Block);
    }
}
