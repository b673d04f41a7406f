//! Every limit of this crate, in one table. Each is tested at the limit and one past it.

/// The longest record, in bytes of text before any parsing. Longer lines are reported and skipped.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How far a record's time may lie ahead of the reader's reference time, in seconds, before it is refused.
pub const FUTURE_SECONDS_MAX: i64 = 24 * 60 * 60;

/// The most messages kept of one request. Later turns matter most, so the oldest are dropped first.
pub const MESSAGES_MAX: usize = 4096;

/// The most bad lines whose file, line and reason are kept; all of them are counted.
pub const BAD_LINES_KEPT_MAX: usize = 1000;
