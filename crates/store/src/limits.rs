//! Every limit of this crate, and what happens at it.

use std::time::Duration;

/// Bytes of one entry of control state. A longer one is refused when it is written, and is damage when it is read.
pub const ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Connections to the database that control state is in, at once. Further requests wait.
pub const CONTROL_CONNECTIONS_MAX: u32 = 4;
/// How long it may take to get a connection to that database. Then it counts as away.
pub const CONTROL_CONNECT_TIME_MAX: Duration = Duration::from_secs(3);
/// How long one change or one question may take, connection and all. Then the database counts as away.
pub const CONTROL_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of recorded lines that wait to be written. A further line is refused.
pub const SEGMENT_WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Things of one kind that a model server keeps for one account. Further ones are refused.
pub const OWNED_MAX: u32 = 10_000;
/// Changes of the journal that are read at once. Further ones are read next.
pub const JOURNAL_ROWS_MAX: i64 = 1_024;
/// How long somebody who changes something waits for another one to have done so. Then it is told.
pub const LOCK_TIME_MAX: Duration = Duration::from_secs(10);
/// Entries that are read with one question. The rest comes with the next one.
pub const ENTRIES_AT_ONCE: usize = 10_000;
