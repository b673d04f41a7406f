//! Findings as people read them: in words ([`words`]), as pictures ([`plot`]), on a page ([`page`]); audits and drills on others ([`audit_page`], [`drill_page`]).
//!
//! Promises no IO, no script and no text from outside that is not escaped and without control characters. How much is shown is bounded by
//! limits that stand beside what they bound; what is left out is counted.

pub mod audit_page;
pub mod campaign;
pub mod cost;
pub mod drill_page;
pub mod limits;
pub mod page;
mod pieces;
pub mod plot;
pub mod words;

#[cfg(test)]
#[path = "../tests/fixtures/findings.rs"]
pub(crate) mod fixtures;
