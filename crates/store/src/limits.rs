//! Every limit of this crate, and what happens at it.

/// Bytes of one sealed entry. A longer one is refused when it is written, and is damage when it is read.
pub const ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;
