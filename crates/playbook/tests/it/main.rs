//! Playbooks, runs and deadlines, as those who walk through them and those who write their own meet them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests of what is written here")]

mod deadlines;
mod runs;
