//! All of it together: what is to be told goes to the queues of the destinations, and what was told is written down.
//!
//! Promises that [`Alerter::step`] waits for no destination, and that a process that is killed loses no alert that it wrote down: it is delivered
//! after the next start, perhaps twice, under the same name.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use exchange::Time;
use store::whole;
use tokio::task::JoinHandle;
use watch::Board;

use crate::counts::Counts;
use crate::delivery::{Delivery, World};
use crate::kept::{self, Destinations};
use crate::limits::{FINISH_TIME_MAX, STEP_TIME};
use crate::notice::{Notice, Origin};
use crate::pace::Pace;
use crate::planner::{Planner, Rules};
use crate::queue::{Queue, Waiting};
use crate::send::Target;

/// Who is told, and how.
#[derive(Debug)]
pub struct Destination {
    /// Its name, which no other has.
    pub name: String,
    /// How often and when.
    pub rules: Rules,
    /// Where.
    pub target: Target,
    /// Where a campaign is looked at, with `{id}` in the place of its name; the usual place when absent.
    pub link: Option<String>,
}

/// What an alerter works with.
#[derive(Debug)]
pub struct Setup {
    /// Who is told.
    pub destinations: Vec<Destination>,
    /// Where alerts come from.
    pub origin: Origin,
    /// Where what was told is written down.
    pub file: PathBuf,
    /// How failures are tried again.
    pub pace: Pace,
    /// What is counted.
    pub counts: Arc<Counts>,
    /// What lies outside.
    pub world: World,
}

/// Tells whoever was named.
#[derive(Debug)]
pub struct Alerter {
    channels: Vec<Channel>,
    file: PathBuf,
    counts: Arc<Counts>,
    world: World,
    /// The sum of what changes, when it was written down.
    written: Option<u64>,
    is_failing: bool,
    /// The board that was looked at last, and when.
    looked: Option<(u64, Time)>,
}

/// One destination.
#[derive(Debug)]
struct Channel {
    name: String,
    planner: Planner,
    queue: Arc<Queue>,
    task: JoinHandle<()>,
    /// Whether its queue had no room, and that was said.
    is_full: bool,
}

impl Alerter {
    /// Starts to deliver, within a runtime. Goes on from what was written down.
    ///
    /// # Errors
    ///
    /// When what was written down cannot be read. What cannot be understood is said, and begun anew.
    pub fn start(setup: Setup) -> io::Result<Alerter> {
        let Setup { destinations, origin, file, pace, counts, world } = setup;
        let mut known = match fs::read(&file) {
            Ok(bytes) => kept::read(&bytes).unwrap_or_else(|error| {
                (world.say)(&format!("what was told of campaigns cannot be read ({error}): it is told again"));
                Destinations::new()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Destinations::new(),
            Err(error) => return Err(error),
        };
        let channels = destinations.into_iter().map(|destination| {
            let Destination { name, rules, target, link } = destination;
            let kept::Destination { told, waiting } = known.remove(&name).unwrap_or_default();
            let queue = Arc::new(Queue::default());
            let is_full = !waiting.into_iter().all(|waiting| queue.push(waiting));
            let origin = Origin { link: link.unwrap_or_else(|| origin.link.clone()), ..origin.clone() };
            let (counts, world) = (Arc::clone(&counts), world.clone());
            let delivery =
                Delivery { name: name.clone(), target, origin, queue: Arc::clone(&queue), pace, counts, world };
            Channel { name, planner: Planner::new(rules, told), queue, task: tokio::spawn(delivery.run()), is_full }
        });
        let channels = channels.collect();
        Ok(Alerter { channels, file, counts, world, written: None, is_failing: false, looked: None })
    }

    /// Looks at how everybody stands, hands over what is to be told, and writes down what was; which notices go to whom from now on. `is_behind`
    /// says whether detection is far behind what is recorded.
    pub fn step(&mut self, now: Time, board: &Board, is_behind: bool) -> Vec<(String, Notice)> {
        let mut handed = Vec::new();
        let is_new = self.looked.is_none_or(|(sequence, time)| {
            sequence != board.sequence || (now.nanos() - time.nanos()).unsigned_abs() >= nanos(STEP_TIME)
        });
        if is_new {
            self.looked = Some((board.sequence, now));
            let since = (self.world.now)();
            for channel in &mut self.channels {
                let mut left = 0_u64;
                for notice in channel.planner.step(now, board, is_behind) {
                    if channel.queue.push(Waiting { since, notice: notice.clone() }) {
                        handed.push((channel.name.clone(), notice));
                    } else {
                        left += 1;
                    }
                }
                if left == 0 {
                    channel.is_full &= !channel.queue.is_empty();
                    continue;
                }
                self.counts.add_dropped(left);
                if !std::mem::replace(&mut channel.is_full, true) {
                    let name = &channel.name;
                    (self.world.say)(&format!("the queue of alerts for `{name}` is full; what has no room is counted"));
                }
            }
        }
        self.write_down();
        handed
    }

    /// Writes down what was told and what waits, where that changed.
    fn write_down(&mut self) {
        let sum = self.channels.iter().map(|channel| channel.planner.revision() + channel.queue.revision()).sum();
        if self.written == Some(sum) {
            return;
        }
        let of = |channel: &Channel| {
            let known = kept::Destination { told: channel.planner.kept().clone(), waiting: channel.queue.all() };
            (channel.name.clone(), known)
        };
        let bytes = kept::write(&self.channels.iter().map(of).collect()).map_err(io::Error::other);
        match bytes.and_then(|bytes| whole::write(&self.file, &bytes)) {
            Ok(()) => {
                self.written = Some(sum);
                if std::mem::take(&mut self.is_failing) {
                    (self.world.say)("what was told of campaigns is written down again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    (self.world.say)(&format!("what was told of campaigns cannot be written down: {error}"));
                }
            }
        }
    }

    /// Ends it: what waits has a short while to be delivered, and the rest is written down for the next start.
    pub async fn finish(mut self) {
        let all_sent = async {
            while self.channels.iter().any(|channel| !channel.queue.is_empty()) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        // What is left then is written down.
        let _ = tokio::time::timeout(FINISH_TIME_MAX, all_sent).await;
        for channel in &self.channels {
            channel.task.abort();
        }
        self.write_down();
    }
}

impl Drop for Alerter {
    fn drop(&mut self) {
        self.channels.iter().for_each(|channel| channel.task.abort());
    }
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
