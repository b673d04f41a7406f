//! The thread that detects: follows the record, writes down what is known, answers questions.
//!
//! Promises that nobody waits for it but who asks it something, and that a checkpoint is whole or the one before it. What goes wrong is
//! told ([`Status::trouble`]), and tried again; what cannot be restored is read again from the record.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use detect::Findings;
use exchange::Time;
use store::whole;

use crate::board::Board;
use crate::checkpoint::{self, Restored};
use crate::detector::{Counts, Detector, Settings, Told};
use crate::facts::{self, Accounts, Verdicts};
use crate::follower::{Follower, Lost, Position};
use crate::limits::{CHECKPOINT_TIME, PAST_TIME, POLL_TIME, QUESTIONS_MAX};
use crate::past::Past;

/// What a watcher works with.
pub struct Setup {
    /// The folder in which exchanges are recorded.
    pub folder: PathBuf,
    /// The file that says what is known of accounts, one line whenever something changes.
    pub accounts: PathBuf,
    /// Says what people said of findings, where it is something else than what is handed in.
    pub verdicts: Judged,
    /// Where what is known is written down, to go on from at the next start; nowhere, for one that only looks on.
    pub checkpoint: Option<PathBuf>,
    /// Where it is written down how campaigns were last known; nowhere, for one that only looks on.
    pub past: Option<PathBuf>,
    /// How to detect.
    pub settings: Settings,
    /// Gives a number that no other beginning has, for when the record is read from its beginning: names of campaigns begin anew then.
    pub new_generation: Box<dyn FnMut() -> u64 + Send>,
    /// What the thread does first, such as to stand back behind others.
    pub begin: Box<dyn FnOnce() + Send>,
    /// Hears of trouble, in words without any text of a caller.
    pub say: Box<dyn Fn(&str) + Send>,
    /// Hears what changed, as it comes out.
    pub tell: Tell,
}

/// Says what people said, where that is new.
pub type Judged = Box<dyn FnMut(Option<&Verdicts>) -> Option<Verdicts> + Send>;

/// Hears what changed.
pub type Tell = Box<dyn FnMut(&[Told]) + Send>;

impl std::fmt::Debug for Setup {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Setup { folder, checkpoint, settings, .. } = self;
        let mut shown = out.debug_struct("Setup");
        shown
            .field("folder", folder)
            .field("checkpoint", checkpoint)
            .field("settings", settings)
            .finish_non_exhaustive()
    }
}

/// How detection goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Since which beginning campaigns have their names; none before it has taken up what it knew.
    pub generation: Option<u64>,
    /// Whether it has come to the end of the record since it began. Before that it may not know of everybody whom it knew before.
    pub has_caught_up: bool,
    /// What was read.
    pub counts: Counts,
    /// What could not be read.
    pub lost: Lost,
    /// When the latest exchange was sent that was taken into account.
    pub seen: Option<Time>,
    /// Bytes that are recorded and not read yet.
    pub behind_bytes: u64,
    /// Exchanges that were read and wait for earlier ones.
    pub waiting: usize,
    /// Lines about accounts that could not be read.
    pub unread_facts: u64,
    /// Exchanges that were recorded a second time.
    pub duplicates: u64,
    /// What goes wrong now.
    pub trouble: Option<String>,
}

/// What others see of a watcher.
#[derive(Debug)]
pub struct Watched {
    board: ArcSwap<Board>,
    past: ArcSwap<Past>,
    status: Mutex<Status>,
    questions: SyncSender<SyncSender<Findings>>,
    ends: AtomicBool,
}

/// Why there are no findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Too many ask at once.
    #[error("{QUESTIONS_MAX} others wait for findings already")]
    Busy,
    /// Detection has ended, or does not come to an answer.
    #[error("detection does not answer")]
    Silent,
}

impl Watched {
    /// How everybody stands.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        self.board.load_full()
    }

    /// How campaigns were last known, also those that stand no longer.
    #[must_use]
    pub fn past(&self) -> Arc<Past> {
        self.past.load_full()
    }

    /// How detection goes.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is found so far. Waits until the thread has come to the end of what it does, at most for `patience`.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn findings(&self, patience: Duration) -> Result<Findings, Unanswered> {
        let (answer, answered) = sync_channel(1);
        self.questions.try_send(answer).map_err(|error| match error {
            TrySendError::Full(_) => Unanswered::Busy,
            TrySendError::Disconnected(_) => Unanswered::Silent,
        })?;
        answered.recv_timeout(patience).map_err(|_| Unanswered::Silent)
    }
}

/// A watcher, running.
#[derive(Debug)]
pub struct Watcher {
    watched: Arc<Watched>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn start(setup: Setup) -> io::Result<Watcher> {
        let (questions, asked) = sync_channel(QUESTIONS_MAX);
        let (board, past, status) = (ArcSwap::default(), ArcSwap::default(), Mutex::default());
        let watched = Arc::new(Watched { board, past, status, questions, ends: AtomicBool::new(false) });
        let seen = Arc::clone(&watched);
        let thread =
            thread::Builder::new().name("detection".to_owned()).spawn(move || Loop::new(setup, seen).run(&asked))?;
        Ok(Watcher { watched, thread: Some(thread) })
    }

    /// What others see of it.
    #[must_use]
    pub fn watched(&self) -> &Arc<Watched> {
        &self.watched
    }

    /// Ends it once it has read what is recorded by now and written down what it knows.
    pub fn finish(mut self) {
        self.watched.ends.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Loop {
    setup: Setup,
    watched: Arc<Watched>,
    follower: Follower,
    detector: Detector,
    accounts: Accounts,
    generation: u64,
    has_caught_up: bool,
    written: Instant,
    /// Which state of the board was put down last, and when.
    noted: (u64, Instant),
    /// Whether something was read that is not written down.
    is_unwritten: bool,
    trouble: Option<String>,
    /// Why what is known could not be written down last.
    unwritten: Option<String>,
    /// The same of how campaigns stood.
    unnoted: Option<String>,
}

impl Loop {
    fn new(mut setup: Setup, watched: Arc<Watched>) -> Loop {
        std::mem::replace(&mut setup.begin, Box::new(|| {}))();
        let Restored { generation, position, accounts, detector } = restored(&mut setup);
        let follower = Follower::new(&setup.folder, position);
        let accounts = Accounts::new(setup.accounts.clone(), accounts);
        let past = setup.past.as_ref().map_or_else(|| Ok(Past::begun(generation)), |path| Past::read(path, generation));
        let past = past.unwrap_or_else(|error| {
            (setup.say)(&format!("how campaigns were last known cannot be read ({error}), and begins anew"));
            Past::begun(generation)
        });
        watched.past.store(Arc::new(past));
        Loop {
            setup,
            watched,
            follower,
            detector,
            accounts,
            generation,
            has_caught_up: false,
            written: now(),
            noted: (0, now()),
            is_unwritten: false,
            trouble: None,
            unwritten: None,
            unnoted: None,
        }
    }

    fn run(mut self, questions: &Receiver<SyncSender<Findings>>) {
        self.publish();
        loop {
            // Before what is recorded is looked at: what was recorded until then is read.
            let ends = self.watched.ends.load(Ordering::Acquire);
            let went = self.step();
            let is_idle = !matches!(went, Ok(true));
            self.has_caught_up |= matches!(went, Ok(false));
            self.outcome(went.err().map(|error| format!("the record cannot be read: {error}")));
            self.note(ends && is_idle);
            self.publish();
            if ends && is_idle {
                break;
            }
            if self.is_unwritten && self.written.elapsed() >= CHECKPOINT_TIME {
                self.write_down();
            }
            let wait = if is_idle { POLL_TIME } else { Duration::ZERO };
            match questions.recv_timeout(wait) {
                // Whoever gave up waiting needs no answer.
                Ok(answer) => drop(answer.try_send(self.detector.findings())),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
        if self.is_unwritten {
            self.write_down();
            self.publish();
        }
    }

    /// Reads some of what is recorded; whether there was any.
    fn step(&mut self) -> io::Result<bool> {
        // Before the exchanges that come after it.
        loop {
            let said = self.accounts.read()?;
            if said.is_empty() {
                break;
            }
            self.detector.hear(said);
            self.is_unwritten = true;
        }
        if let Some(verdicts) = (self.setup.verdicts)(self.detector.judged()) {
            if takes_back(self.detector.judged(), &verdicts) {
                (self.setup.say)(
                    "a verdict was taken back: the record is read again, and names of campaigns begin anew",
                );
                self.begin_anew();
            }
            self.detector.judge(verdicts);
            self.is_unwritten = true;
            // Where the record is read again, what is said of accounts comes first.
            return Ok(true);
        }
        let Some(lines) = self.follower.read()? else { return Ok(false) };
        self.detector.take(lines);
        self.is_unwritten = true;
        let changes = self.detector.take_changes();
        if !changes.is_empty() {
            (self.setup.tell)(&changes);
        }
        Ok(true)
    }

    /// Reads the record from its beginning. What was sent while a verdict held did not count, and an engine cannot count it later.
    fn begin_anew(&mut self) {
        let Restored { generation, position, accounts, detector } = beginning(&mut self.setup);
        let sequence = self.detector.board().sequence;
        self.follower = Follower::new(&self.setup.folder, position);
        self.accounts = Accounts::new(self.setup.accounts.clone(), accounts);
        self.detector = detector.after(sequence);
        (self.generation, self.has_caught_up) = (generation, false);
        self.noted = (sequence, now());
        self.watched.past.store(Arc::new(Past::begun(generation)));
    }

    /// Puts down how campaigns stand, where that changed: a new one at once and otherwise now and then, or because it `ends`.
    fn note(&mut self, ends: bool) {
        let board = self.detector.board();
        let (noted, since) = self.noted;
        if board.sequence == noted || board.campaigns.is_empty() {
            return;
        }
        let past = self.watched.past.load();
        let is_new = board.campaigns.iter().any(|campaign| !past.has(&campaign.id));
        if !is_new && !ends && since.elapsed() < PAST_TIME {
            return;
        }
        self.noted = (board.sequence, now());
        let mut past = Past::clone(&past);
        past.note(self.detector.findings(), self.detector.seen().unwrap_or(Time::from_nanos(0)));
        let written = self.setup.past.as_ref().map_or(Ok(()), |path| past.write(path));
        self.watched.past.store(Arc::new(past));
        let failed = written.err().map(|error| format!("how campaigns stand cannot be written down: {error}"));
        match (&self.unnoted, &failed) {
            (None, Some(failed)) => (self.setup.say)(failed),
            (Some(_), None) => (self.setup.say)("how campaigns stand is written down again"),
            _ => {}
        }
        self.unnoted = failed;
    }

    fn write_down(&mut self) {
        self.written = now();
        let Some(path) = &self.setup.checkpoint else { return };
        let bytes =
            checkpoint::write(self.generation, self.follower.position(), self.accounts.progress(), &self.detector);
        let failed = whole::write(path, &bytes).err();
        self.is_unwritten = failed.is_some();
        let failed = failed.map(|error| format!("what detection knows cannot be written down: {error}"));
        match (&self.unwritten, &failed) {
            (None, Some(failed)) => (self.setup.say)(failed),
            (Some(_), None) => (self.setup.say)("what detection knows is written down again"),
            _ => {}
        }
        self.unwritten = failed;
    }

    /// Takes note of trouble, and says once that it began and once that it is over.
    fn outcome(&mut self, trouble: Option<String>) {
        match (&self.trouble, &trouble) {
            (None, Some(trouble)) => (self.setup.say)(trouble),
            (Some(_), None) => (self.setup.say)("detection goes on"),
            _ => {}
        }
        self.trouble = trouble;
    }

    fn publish(&self) {
        if self.watched.board.load().sequence != self.detector.board().sequence {
            let board = Board { generation: self.generation, ..(**self.detector.board()).clone() };
            self.watched.board.store(Arc::new(board));
        }
        let status = Status {
            generation: Some(self.generation),
            has_caught_up: self.has_caught_up,
            counts: self.detector.counts(),
            lost: self.follower.position().lost,
            seen: self.detector.seen(),
            behind_bytes: self.follower.waiting_bytes(),
            waiting: self.detector.waiting(),
            unread_facts: self.accounts.progress().unread,
            duplicates: self.detector.duplicates(),
            trouble: self.trouble.clone().or_else(|| self.unwritten.clone()).or_else(|| self.unnoted.clone()),
        };
        *self.watched.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

/// What was written down, or a beginning.
fn restored(setup: &mut Setup) -> Restored {
    let Some(path) = &setup.checkpoint else { return beginning(setup) };
    let why = match fs::read(path) {
        Ok(bytes) => match checkpoint::read(&bytes, &setup.settings) {
            Ok(restored) => return restored,
            Err(error) => format!("what detection knew cannot be restored ({error})"),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if store::segment::files(&setup.folder).map_or(true, |files| files.is_empty()) {
                return beginning(setup);
            }
            "nothing is written down of what detection knew".to_owned()
        }
        Err(error) => format!("what detection knew cannot be read ({error})"),
    };
    (setup.say)(&format!("{why}: the record is read again, and names of campaigns begin anew"));
    beginning(setup)
}

fn beginning(setup: &mut Setup) -> Restored {
    Restored {
        generation: (setup.new_generation)(),
        position: Position::default(),
        accounts: facts::Progress::default(),
        detector: Detector::new(&setup.settings),
    }
}

/// Whether somebody no longer vouches for a group, and did before: what it sent meanwhile is to count after all.
fn takes_back(known: Option<&Verdicts>, (_, said): &Verdicts) -> bool {
    let vouched = known.into_iter().flat_map(|(_, labels)| labels).filter(|label| label.vouches());
    vouched.into_iter().any(|label| said.iter().all(|other| other.id != label.id))
}

#[expect(clippy::disallowed_methods, reason = "how often something is done, and nothing that is found depends on it")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_may_wait_for_findings_and_no_more() {
        let (questions, asked) = sync_channel(QUESTIONS_MAX);
        let (board, past, status) = (ArcSwap::default(), ArcSwap::default(), Mutex::default());
        let watched = Watched { board, past, status, questions, ends: AtomicBool::new(false) };
        let ask = || watched.findings(Duration::ZERO).map(|_| ()).unwrap_err();
        assert!((0..QUESTIONS_MAX).all(|_| ask() == Unanswered::Silent));
        assert_eq!(ask(), Unanswered::Busy);
        drop(asked);
        assert_eq!(ask(), Unanswered::Silent, "detection has ended");
    }
}
