//! Brings the alerts of one queue to their destination, one after the other, and tries again what failed.
//!
//! Promises that an alert overtakes no other of its destination, that each comes to an end ([`Pace`]), and that the log hears once that a
//! destination fails and once that it does not any more.

use std::sync::Arc;
use std::time::Duration;

use exchange::Time;

use crate::counts::Counts;
use crate::notice::Origin;
use crate::pace::Pace;
use crate::queue::{Queue, Waiting};
use crate::send::Target;

/// What lies outside: the time, chance, the log.
#[derive(Clone)]
pub struct World {
    /// Now, as the receivers count it.
    pub now: Arc<dyn Fn() -> Time + Send + Sync>,
    /// A number that nobody can foresee.
    pub random: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Hears of trouble.
    pub say: Arc<dyn Fn(&str) + Send + Sync>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the world")
    }
}

/// What one destination is delivered with.
#[derive(Debug)]
pub struct Delivery {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub target: Target,
    /// Where alerts come from.
    pub origin: Origin,
    /// What waits for it.
    pub queue: Arc<Queue>,
    /// How failures are tried again.
    pub pace: Pace,
    /// What is counted.
    pub counts: Arc<Counts>,
    /// What lies outside.
    pub world: World,
}

impl Delivery {
    /// Delivers, for ever.
    pub async fn run(self) {
        let mut failures: u32 = 0;
        loop {
            let waiting = self.queue.first().await;
            let sent = self.target.send(&waiting.notice, &self.origin, (self.world.now)()).await;
            match sent {
                Ok(()) => {
                    self.queue.finish_first();
                    self.counts.add_sent();
                    if failures > 0 {
                        (self.world.say)(&format!("alerts reach `{}` again", self.name));
                    }
                    failures = 0;
                }
                Err(error) => {
                    let is_over = error.is_final() || self.is_over(&waiting);
                    if failures == 0 {
                        let what = if error.is_final() { "it is given up" } else { "it is tried again" };
                        (self.world.say)(&format!("an alert cannot be delivered to `{}`: {error}; {what}", self.name));
                    } else if is_over {
                        (self.world.say)(&format!("an alert for `{}` is given up: {error}", self.name));
                    }
                    if is_over {
                        self.queue.finish_first();
                        self.counts.add_failed();
                    }
                    // Also before the next one: whoever fails is not asked again at once.
                    tokio::time::sleep(self.pace.pause(failures, (self.world.random)())).await;
                    failures = failures.saturating_add(1);
                }
            }
        }
    }

    fn is_over(&self, waiting: &Waiting) -> bool {
        let waited = (self.world.now)().nanos().saturating_sub(waiting.since.nanos());
        Duration::from_nanos(u64::try_from(waited).unwrap_or(0)) >= self.pace.time_max
    }
}
