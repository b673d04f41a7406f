//! Every limit of this crate, and what happens at it.

/// Bytes of a note. A longer one is refused.
pub const NOTE_BYTES_MAX: usize = 1024 * 1024;
/// Signatures of a note. One with more is refused.
pub const SIGNATURES_MAX: usize = 64;
/// Bytes of the name of a key. A longer one is refused.
pub const KEY_NAME_BYTES_MAX: usize = 255;
/// Hashes of a proof: a tree of 2^63 entries needs as many. A longer proof is refused.
pub const PROOF_HASHES_MAX: usize = 63;
/// Bytes of an entry of a log: its length is written with 16 bits, so that none is longer.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Bytes of the name of a kind of statements. An entry with a longer one is refused.
pub const KIND_BYTES_MAX: usize = 32;
/// Bytes of a receipt with its entry. A longer one is refused.
pub const RECEIPT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a file of statements, of which it has 256 at most. A longer one is refused.
pub const STATEMENTS_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Certificates of authorities, and of a timestamp. More are refused.
pub const CERTIFICATES_MAX: usize = 16;
/// Bytes of a timestamp as an authority gives it. A longer one is refused.
pub const TIMESTAMP_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a case file. A longer one is refused.
pub const CASE_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Files in a case file. One with more is refused.
pub const CASE_FILES_MAX: u64 = 50_000;
