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
/// Bytes of the beginning of a file by which its format is told. What comes later is not looked at, but in headers of safetensors and GGUF.
pub const LOOK_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the header of a safetensors file, as the format has it. A file with a longer one counts as damaged.
pub const SAFETENSORS_HEADER_MAX: u64 = 100_000_000;
/// Tensors of one file. One with more counts as damaged.
pub const TENSORS_MAX: usize = 1_000_000;
/// Entries of metadata of a GGUF file. One with more counts as damaged.
pub const GGUF_METADATA_MAX: u64 = 1_000_000;
/// Lists within each other in metadata of a GGUF file. Deeper ones count as damaged.
pub const GGUF_NESTING_MAX: usize = 4;
/// Places in the register of models. Further ones are refused.
pub const COPIES_MAX: usize = 10_000;
/// Bytes of the register of models. A longer one is refused, and not written.
pub const REGISTER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Files that are looked at when weights are searched for that are in no register. With more, nothing is said.
pub const SEARCHED_MAX: usize = 2_000_000;
/// Bytes of a file from which on it may hold weights. Shorter ones are not looked at when weights are searched for.
pub const WEIGHTS_BYTES_MIN: u64 = 1 << 20;
/// Threads that hash at once. No more are begun.
pub const THREADS_MAX: usize = 64;
