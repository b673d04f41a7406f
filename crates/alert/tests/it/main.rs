//! Alerts as they are written, and as they come to small servers on loopback.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]
#![expect(clippy::indexing_slicing, reason = "as above")]

mod deliveries;
mod forms;
mod servers;
