//! The time of day, for those who cannot do without.

use exchange::Time;

/// The time of day, for two purposes only: records from the far future are bad, and a label says when it was given.
#[expect(clippy::disallowed_methods, reason = "the one place where the clock is read; detection never sees it")]
pub(crate) fn now() -> Option<Time> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Time::from_seconds(i64::try_from(since.as_secs()).ok()?))
}
