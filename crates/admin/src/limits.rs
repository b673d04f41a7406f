//! Every limit of this crate, and what happens at it.

use std::time::Duration;

/// Bytes of the body of a request to the admin API. A longer one is refused with 413.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Items of one reply that lists something. The rest comes with the next one, by `after`.
pub const PAGE_MAX: usize = 1_000;
/// Bytes of a reason and of an author's name. A longer one is refused.
pub const WORDS_BYTES_MAX: usize = 1_000;
/// Appeals that are kept. At the limit the one that was rejected longest ago goes; where none was, further ones are refused.
pub const APPEALS_MAX: usize = 20_000;
/// How often the database is asked what other processes changed.
pub const REFRESH_TIME: Duration = Duration::from_millis(500);
/// Keys whose last use is remembered between two writes to the database. The use of further ones is not.
pub const USES_MAX: usize = 100_000;
/// Changes in one statement of the ledger. Further ones are in the next.
pub const STATEMENT_CHANGES_MAX: usize = 256;
/// Bytes of what things are now, in one statement. What is longer is told by its hash.
pub const TOLD_BYTES_MAX: usize = 256 * 1024;
