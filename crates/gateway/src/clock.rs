//! Where time comes in: nothing else in this crate reads a clock.

use std::sync::Arc;
use std::time::Instant;

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

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Time {
        (**self).now()
    }
}

/// A clock for drills: it begins at a time of its own and runs faster than the machine's, so that days of traffic pass in minutes.
#[derive(Clone, Copy, Debug)]
pub struct DrillClock {
    begins: Time,
    began: Instant,
    speed: u32,
}

impl DrillClock {
    /// One that begins now, at `begins`, and runs `speed` times as fast.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a clock; everything below is handed its time")]
    pub fn new(begins: Time, speed: u32) -> DrillClock {
        DrillClock { begins, began: Instant::now(), speed }
    }
}

impl Clock for DrillClock {
    fn now(&self) -> Time {
        let passed = self.began.elapsed().as_nanos().saturating_mul(u128::from(self.speed));
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        Time::from_nanos(self.begins.nanos().saturating_add(passed))
    }
}
