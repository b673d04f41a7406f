//! Everything that holds for exercises, runs and reports.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod exercises;
mod runs;
