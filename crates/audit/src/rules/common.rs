//! What rules have in common: where the configuration says something, and how long ago something was.

use exchange::Time;

use crate::facts::{Configuration, Facts};
use crate::rule::{Checked, Hit, Place};

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

/// Checks the configuration, where somebody looked at it.
pub(super) fn configuration(facts: &Facts, check: impl FnOnce(&Configuration) -> Vec<Hit>) -> Checked {
    facts.configuration.as_ref().map(check)
}

/// A key of the configuration.
pub(super) fn key(it: &Configuration, name: &str) -> Place {
    Place::within(&it.file, name)
}

/// Whether something was more than so many days before `at`.
pub(super) fn is_older(since: Time, at: Time, days: i64) -> bool {
    at.nanos().saturating_sub(since.nanos()) > days * DAY
}
