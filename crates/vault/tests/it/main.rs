//! Models, keys and signatures, as whoever signs, whoever checks and whoever tampers meets them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests of what is written here")]

mod formats;
mod locked;
mod models;
mod register;
mod signatures;
