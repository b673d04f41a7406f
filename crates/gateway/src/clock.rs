//! Where time comes in: nothing else in this crate reads a clock.

use exchange::Time;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, as people count it; it may jump.
    fn now(&self) -> Time;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the gateway serves now; everything below is handed its time")]
    fn now(&self) -> Time {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Time::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }
}
