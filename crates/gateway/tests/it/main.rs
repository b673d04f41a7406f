//! The gateway in front of real sockets.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed, as it should")]

mod elsewhere;
mod encoding;
mod faults;
mod identity;
mod proxy;
mod rig;
mod stored;
mod tls;
