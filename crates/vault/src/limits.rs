//! Every limit of this crate, and what happens at it.

/// Files of one model. A model with more is refused.
pub const FILES_MAX: usize = 100_000;
/// Folders within each other in one model. A deeper one is refused.
pub const DEPTH_MAX: usize = 32;
/// Bytes of the name of a file of a model, with its folders. A longer one is refused.
pub const NAME_BYTES_MAX: usize = 4_096;
/// Bytes of a signature file. A longer one is refused.
pub const SIGNATURE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a file with a key. A longer one is refused.
pub const KEY_BYTES_MAX: usize = 64 * 1024;
/// Parts that files are divided into to be hashed, altogether. More are refused.
pub const PARTS_MAX: usize = 1_000_000;
/// Paths that a signature leaves out. One with more is refused.
pub const LEFT_OUT_MAX: usize = 1_000;
/// Holders among whom the key of a locked model is divided. More are refused.
pub const HOLDERS_MAX: usize = 32;
/// Bytes of what is written down in clear of a locked model. More are refused.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the list of its files. A model with a longer one is not locked.
pub const INDEX_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Threads that hash at once. No more are begun.
pub const THREADS_MAX: usize = 64;
