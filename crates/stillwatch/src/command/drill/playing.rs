//! A drill while it runs, as those see it who send, look and answer: one clock, one run, and whether it is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drill::Run;
use drill::exercise::Milestone;
use drill::run::Now;
use exchange::Time;
use tokio::time::Instant;

/// How often it is looked whether a drill is over, while somebody waits.
const LOOK_TIME: Duration = Duration::from_millis(200);

/// A drill while it runs.
#[derive(Debug)]
pub(super) struct Playing {
    run: Mutex<Run>,
    began: Instant,
    /// What time it was for the staging instance when it began.
    begins: Time,
    speed: u32,
    /// How long the traffic takes.
    takes: Duration,
    is_over: AtomicBool,
}

impl Playing {
    /// Begins now.
    pub(super) fn begin(run: Run, begins: Time, speed: u32, takes: Duration) -> Playing {
        Playing { run: Mutex::new(run), began: Instant::now(), begins, speed, takes, is_over: AtomicBool::new(false) }
    }

    /// The run.
    pub(super) fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What time it is.
    pub(super) fn now(&self) -> Now {
        let passed = self.began.elapsed();
        let nanos = passed.as_nanos().saturating_mul(u128::from(self.speed));
        let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
        Now {
            seconds: passed.as_secs_f64(),
            staging: Time::from_nanos(self.begins.nanos().saturating_add(nanos)),
            traffic: (passed.as_secs_f64() / self.takes.as_secs_f64().max(1e-9)).min(1.0),
        }
    }

    /// How long it has been running.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// How long the traffic takes.
    pub(super) fn takes(&self) -> Duration {
        self.takes
    }

    /// How long ago something was reached, as the team lives it.
    pub(super) fn since(&self, milestone: Milestone) -> Option<Duration> {
        let at = self.run().reached(milestone)?;
        Some(Duration::from_secs_f64((self.now().seconds - at.seconds).max(0.0)))
    }

    /// A request of an account was sent.
    pub(super) fn sent(&self, account: &str, is_answered: bool) {
        let now = self.now();
        self.run().sent(now, account, is_answered);
    }

    /// Waits until it is so late for the staging instance; whether the drill still runs then.
    pub(super) async fn wait_until(&self, due: Time) -> bool {
        loop {
            let nanos = due.nanos().saturating_sub(self.now().staging.nanos());
            let wait = u64::try_from(nanos).unwrap_or(0) / u64::from(self.speed);
            if self.is_over() {
                return false;
            }
            if wait == 0 {
                return true;
            }
            tokio::time::sleep(Duration::from_nanos(wait).min(LOOK_TIME)).await;
        }
    }

    /// Ends it.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}
