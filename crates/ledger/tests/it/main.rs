//! The ledger against other implementations, crashes and whoever tampers with it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod append;
mod kills;
mod oracle;
mod stand;
mod tampering;
