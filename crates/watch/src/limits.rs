//! Every limit of this crate, and what happens at it.

use std::time::Duration;

/// Bytes of recorded lines that are read at once. The rest waits in its file.
pub const READ_BYTES: usize = 4 * 1024 * 1024;
/// The longest recorded line in bytes. A longer one is cut there, so that neither part is whole, and counted as damaged.
pub const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long to wait where nothing new is recorded.
pub const POLL_TIME: Duration = Duration::from_millis(100);
/// How often what is known is written down, where something new was read. A restart reads again what was recorded since.
pub const CHECKPOINT_TIME: Duration = Duration::from_secs(60);
/// How often it is put down how campaigns stand, where that changed; a new one at once.
pub const PAST_TIME: Duration = Duration::from_secs(30);
/// Campaigns that stand no longer and are still known. The oldest go.
pub const PAST_MAX: usize = 100;
/// Questions that wait for the thread of detection. Whoever asks one more is turned away.
pub const QUESTIONS_MAX: usize = 16;
/// The most seconds by which an exchange may be late and still come in order: as long as the longest answer that is waited for.
pub const LATENESS_SECONDS_MAX: u32 = 3_600;
