//! The ledger: an append-only transparency log of what was found and done, in files that anybody's tools read (C2SP `tlog-tiles`), and the
//! statements that its entries commit to.
//!
//! Promises that an entry, once acknowledged, is never changed, moved or removed, and that whoever has an older checkpoint can be shown so.
//! Statements are kept apart, so that they can be destroyed while the log stays whole. Everything is bounded ([`limits`]).
//!
//! [`signer`] holds the key, [`log`] the ledger in its folder, [`folder`] reads files.

mod edge;
pub mod folder;
pub mod limits;
pub mod log;
pub mod signer;
mod statements;

pub use folder::Folder;
pub use log::{Known, Ledger, LedgerError, View};
pub use signer::{KeyError, SigningKey};
