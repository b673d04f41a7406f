//! Risks that somebody accepts: which, why, by whom and until when.

use exchange::Time;
use serde::{Deserialize, Serialize};

use crate::limits::ACCEPTED_MAX;
use crate::rule::Place;

/// A risk that somebody accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The rule.
    pub rule: String,
    /// The place, as findings tell it; every place when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: String,
    /// Until when, as a time of RFC 3339. Then it is a finding again.
    pub until: Time,
}

/// Why a risk cannot be accepted so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("accepted risk {number}: {why}")]
pub struct NotAccepted {
    /// Which, counted from 1.
    pub number: usize,
    /// Why not.
    pub why: String,
}

impl Accepted {
    /// Whether it holds for something that was found.
    #[must_use]
    pub fn holds_for(&self, rule: &str, place: &Place, at: Time) -> bool {
        self.rule == rule && self.until > at && self.place.as_ref().is_none_or(|it| *it == place.to_string())
    }

    /// Whether all of them can be used: each names a rule that there is, with a reason and somebody.
    ///
    /// # Errors
    ///
    /// Says which is not, and why.
    pub fn check(all: &[Accepted], rules: &[&str]) -> Result<(), NotAccepted> {
        if all.len() > ACCEPTED_MAX {
            return Err(NotAccepted { number: all.len(), why: format!("expected at most {ACCEPTED_MAX}") });
        }
        for (number, it) in (1..).zip(all) {
            let wrong = |why: String| Err(NotAccepted { number, why });
            if !rules.contains(&it.rule.as_str()) {
                return wrong(format!(
                    "there is no rule `{}`; `stillwatch audit --rules` names them",
                    it.rule.escape_debug()
                ));
            }
            if it.reason.trim().is_empty() || it.by.trim().is_empty() {
                return wrong("expected a reason, and by whom".to_owned());
            }
        }
        Ok(())
    }
}
