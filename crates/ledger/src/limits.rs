//! Every limit of this crate, and what happens at it.

/// Statements that are appended at once. More are refused; whoever has more appends them in parts.
pub const APPENDED_MAX: usize = 65_536;
/// Bytes of one statement. A longer one is refused.
pub const STATEMENT_BYTES_MAX: usize = 1024 * 1024;
/// How long somebody who appends waits for another one to have done so. Then it is told.
pub const LOCK_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(10);
