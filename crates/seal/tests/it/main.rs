//! Keys, grants and sealed records, as whoever keeps them and whoever attacks them meets them.

#![expect(clippy::unwrap_used, reason = "tests of what is written here")]

mod grants;
mod keys;
