//! Every limit of this crate, and what happens at it.

/// Statements that are appended at once. More are refused; whoever has more appends them in parts.
pub const APPENDED_MAX: usize = 65_536;
/// Bytes of one statement. A longer one is refused.
pub const STATEMENT_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a file of statements that is read.
pub const STATEMENTS_FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;
