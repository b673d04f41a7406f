//! Every limit of this crate, and what happens at it.

/// Statements that are appended at once. More are refused; whoever has more appends them in parts.
pub const APPENDED_MAX: usize = 65_536;
/// Bytes of one statement. A longer one is refused.
pub const STATEMENT_BYTES_MAX: usize = 1024 * 1024;
