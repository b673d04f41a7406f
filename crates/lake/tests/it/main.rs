//! Tests of the lake.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed, as it should")]

mod changes;
mod crashes;
mod help;
mod rows;
mod search;
