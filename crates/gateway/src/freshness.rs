//! How old what the gate knows is: when the database last confirmed it.
//!
//! Promises an answer without a lock, since every request asks, and one that errs towards old: what was never confirmed
//! ages from its beginning, a question that hangs ages what is known like one that fails, and a confirmation that comes
//! late does not undo a newer one. Time is counted by a clock that nobody sets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// When what is known was last confirmed.
#[derive(Debug)]
pub struct Freshness {
    /// From when time is counted.
    began: Instant,
    /// Nanoseconds from then on.
    confirmed: AtomicU64,
}

impl Freshness {
    /// Of what is confirmed at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Freshness {
        Freshness { began: now, confirmed: AtomicU64::new(0) }
    }

    /// The database was asked at `asked`, and what it answered is known.
    pub fn confirm(&self, asked: Instant) {
        self.confirmed.fetch_max(nanos(asked.saturating_duration_since(self.began)), Ordering::Release);
    }

    /// How old what is known is at `now`.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        let confirmed = Duration::from_nanos(self.confirmed.load(Ordering::Acquire));
        now.saturating_duration_since(self.began).saturating_sub(confirmed)
    }

    /// Whether it is older at `now` than it may be; without a limit it never is.
    #[must_use]
    pub fn is_lost(&self, max: Option<Duration>, now: Instant) -> bool {
        max.is_some_and(|max| self.age(now) > max)
    }
}

impl Default for Freshness {
    fn default() -> Freshness {
        Freshness::new(Instant::now())
    }
}

/// 584 years of them have room.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_holds_to_its_limit_and_not_past_it() {
        let (began, max) = (Instant::now(), Some(Duration::from_secs(3_600)));
        let after = |seconds| began + Duration::from_secs(seconds);
        let nanosecond = Duration::from_nanos(1);
        let freshness = Freshness::new(began);
        assert!(!freshness.is_lost(max, after(3_600)));
        assert!(freshness.is_lost(max, after(3_600) + nanosecond));
        assert!(!freshness.is_lost(None, after(1 << 30)), "without a limit it holds for ever");
        // The database is back, and is away again.
        freshness.confirm(after(5_000));
        assert_eq!(freshness.age(after(5_007)), Duration::from_secs(7));
        assert!(!freshness.is_lost(max, after(8_600)));
        assert!(freshness.is_lost(max, after(8_600) + nanosecond));
    }

    #[test]
    fn an_older_answer_that_comes_late_changes_nothing() {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let freshness = Freshness::new(began);
        freshness.confirm(after(20));
        freshness.confirm(after(10));
        assert_eq!(freshness.age(after(25)), Duration::from_secs(5));
        assert_eq!(freshness.age(began), Duration::ZERO, "a question from before its time has no age");
    }
}
