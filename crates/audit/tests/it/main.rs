//! Audits of deployments that are right, and that are wrong in every way.

#![expect(clippy::unwrap_used, reason = "tests of what is written here")]

mod audits;
mod deployments;
mod others;
