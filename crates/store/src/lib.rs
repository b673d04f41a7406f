//! What outlives the process: control state in a database, recorded lines in segments, and files that are written whole.
//!
//! Promises that what was flushed comes back after the process dies, or that the reader says what is torn or damaged.
//! Lengths are bounded ([`limits`]). Refuses to overwrite: a file is written once, under a number of its own.

pub mod bounded;
pub mod control;
pub mod limits;
pub mod lock;
pub mod owned;
#[cfg(test)]
mod postgres;
pub mod segment;
pub mod whole;
