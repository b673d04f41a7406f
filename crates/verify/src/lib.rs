//! Checks what a ledger proves, without the ledger and without the rest of Stillwatch.
//!
//! Promises that nothing counts that is not shown: a note only with the signature of a key that the caller trusts, an entry only with a proof
//! that leads from it to a signed checkpoint, a statement only with the entry that commits to it. Reads no file, no clock and no network.
//! Everything is bounded ([`limits`]).
//!
//! [`hash`] and [`tree`] are the Merkle tree, [`note`] signed texts, [`tiles`] a log as files, [`checkpoint`] and [`receipt`] what a log hands out, [`entry`] what is in it, [`statements`] what opens that, [`log`] the whole of one, [`ledger`] that with its statements, and [`exhibit`] one entry of it with its receipt. [`witness`] is how others vouch for checkpoints, [`timestamp`] and [`dated`] how they say when, [`trust`] whose word is taken, [`sealed`] and [`recorded`] are recorded lines, [`case`] a case file, [`report`] what a check shows.

pub mod case;
pub mod checkpoint;
mod civil;
pub mod dated;
pub mod entry;
pub mod exhibit;
pub mod hash;
pub mod ledger;
pub mod limits;
pub mod log;
pub mod note;
pub mod receipt;
pub mod recorded;
pub mod report;
pub mod sealed;
pub mod statements;
pub mod tiles;
pub mod timestamp;
pub mod tree;
pub mod trust;
pub mod witness;
