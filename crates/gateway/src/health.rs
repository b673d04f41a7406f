//! How a model server is, as all workers see it: by how requests fared, and by what it says when it is asked.
//!
//! Promises that a server that fails [`FAILURES_MAX`] requests in a row rests for a while that doubles, and one that fails
//! [`CHECKS_FAILED_MAX`] checks in a row until it passes one.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::limits::TIDY_TIME;

/// Failures in a row after which a server rests.
pub const FAILURES_MAX: u32 = 3;
/// How long it rests first.
pub const REST_MIN: Duration = Duration::from_secs(1);
/// How long it rests at most.
pub const REST_MAX: Duration = Duration::from_secs(30);
/// Checks that fail in a row after which a server rests.
pub const CHECKS_FAILED_MAX: u32 = 2;

/// How a server is.
#[derive(Debug, Default)]
pub struct Health {
    failures: AtomicU32,
    rests_until_ms: AtomicU64,
    checks_failed: AtomicU32,
    next_check_ms: AtomicU64,
}

impl Health {
    /// Whether it takes part at `now_ms`.
    #[must_use]
    pub fn is_well(&self, now_ms: u64) -> bool {
        self.rests_until_ms.load(Ordering::Relaxed) <= now_ms && !self.fails_checks()
    }

    /// It answered.
    pub fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.rests_until_ms.store(0, Ordering::Relaxed);
        }
    }

    /// It did not.
    pub fn failed(&self, now_ms: u64) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures >= FAILURES_MAX {
            let doublings = (failures - FAILURES_MAX).min(10);
            let rest = REST_MIN.saturating_mul(1 << doublings).min(REST_MAX);
            self.rests_until_ms.store(now_ms.saturating_add(rest.as_millis() as u64), Ordering::Relaxed);
        }
    }

    /// Whether it fails its checks.
    #[must_use]
    pub fn fails_checks(&self) -> bool {
        self.checks_failed.load(Ordering::Relaxed) >= CHECKS_FAILED_MAX
    }

    /// Whether it is to be asked how it is; who hears yes is the one to ask.
    #[must_use]
    pub fn is_check_due(&self, now_ms: u64) -> bool {
        let due = self.next_check_ms.load(Ordering::Relaxed);
        // All workers ask about as often; a little early is not early.
        let next = now_ms.saturating_add(TIDY_TIME.as_millis() as u64 * 9 / 10);
        due <= now_ms && self.next_check_ms.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// What it said, or that it said nothing.
    pub fn checked(&self, is_well: bool) {
        if is_well {
            self.checks_failed.store(0, Ordering::Relaxed);
        } else if !self.fails_checks() {
            self.checks_failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_rests_and_comes_back() {
        let health = Health::default();
        for _ in 0..FAILURES_MAX {
            assert!(health.is_well(0));
            health.failed(0);
        }
        assert!(!health.is_well(REST_MIN.as_millis() as u64 - 1) && health.is_well(REST_MIN.as_millis() as u64));
        for _ in 0..20 {
            health.failed(0);
        }
        assert!(!health.is_well(REST_MAX.as_millis() as u64 - 1) && health.is_well(REST_MAX.as_millis() as u64));
        health.succeeded();
        assert!(health.is_well(0));
    }

    #[test]
    fn who_fails_checks_rests_until_one_is_passed() {
        let health = Health::default();
        for _ in 0..CHECKS_FAILED_MAX {
            assert!(health.is_well(0));
            health.checked(false);
        }
        health.succeeded();
        assert!(!health.is_well(u64::MAX), "requests that succeed do not count here");
        health.checked(true);
        assert!(health.is_well(0));
    }

    #[test]
    fn one_of_all_asks() {
        let health = Health::default();
        let every = TIDY_TIME.as_millis() as u64;
        for (now, is_due) in
            [(0, true), (0, false), (every / 2, false), (every, true), (every, false), (3 * every, true)]
        {
            assert_eq!(health.is_check_due(now), is_due, "{now}");
        }
    }
}
