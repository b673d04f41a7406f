//! Every rule, by what it is about.

mod access;
mod budgets;
mod common;
mod endpoint;
mod host;
mod keys;
mod ledgers;
mod models;
mod network;
mod people;
mod recording;
mod watching;

pub use self::models::REVIEW_DAYS_MAX;
use crate::rule::Rule;

/// Every rule, in the order in which findings are told.
#[must_use]
pub fn all() -> Vec<&'static Rule> {
    let groups = [
        network::RULES,
        watching::RULES,
        access::RULES,
        budgets::RULES,
        keys::RULES,
        people::RULES,
        recording::RULES,
        ledgers::RULES,
        models::RULES,
        host::RULES,
        endpoint::RULES,
    ];
    groups.into_iter().flatten().collect()
}
