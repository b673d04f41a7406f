//! What was received and is to be put on record: lines in files of their own, and a thread that reads them.
//!
//! Promises that what was kept goes on record once its call is whole, also after a restart, and is removed then, but for the file that is written: the position up to which everything is on record is
//! written down, and what comes after it is read again. So a record may go on record twice, under the same id, and counts once.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, UNIX_EPOCH};

use exchange::{Chunk, Exchange, ReadOptions, Time};
use store::segment::{Rotation, Segments, write_line};
use store::whole;
use tokio::time::Instant;
use watch::logs::Reader;
use watch::{Follower, Position};

use crate::counts::{Counts, add};
use crate::desk::Desk;
use crate::limits::{
    JOIN_TIME_MAX, LATENESS_SECONDS, POLL_TIME, POSITION_TIME, RECEIVED_BYTES_MAX, RECEIVED_FILE_BYTES,
    RECEIVED_FILE_TIME, SETTLE_TIME,
};

/// What was received.
#[derive(Debug)]
pub(crate) struct Received {
    desk: Arc<Desk>,
    segments: Mutex<Segments>,
}

impl Received {
    /// Keeps lines in `folder`.
    pub(crate) fn open(desk: Arc<Desk>, folder: &Path) -> io::Result<Received> {
        let rotation = Rotation {
            bytes_max: RECEIVED_FILE_BYTES,
            age_max: RECEIVED_FILE_TIME,
            kept_bytes_max: RECEIVED_BYTES_MAX,
        };
        Ok(Received { desk, segments: Mutex::new(Segments::open(folder, rotation)?) })
    }

    /// Keeps lines. They outlive the process when this returns.
    pub(crate) fn keep(&self, lines: &[Vec<u8>]) -> io::Result<()> {
        let mut text = Vec::new();
        for line in lines {
            write_line(&mut text, |to| to.extend_from_slice(line));
        }
        let now = UNIX_EPOCH + Duration::from_nanos(u64::try_from(self.desk.now().nanos()).unwrap_or(0));
        let mut segments = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        // What could not be written before goes first, or there is no room for more.
        segments.flush(now)?;
        if segments.append(&mut text) > 0 {
            return Err(io::Error::other("there is no room"));
        }
        segments.flush(now)
    }

    /// Removes what is on record, by the position up to which everything is.
    fn remove(&self, position: &Position) -> io::Result<()> {
        let mut segments = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        position.finished().try_for_each(|(name, bytes)| segments.remove(name, bytes))
    }

    fn expire(&self) -> io::Result<u64> {
        let removed = self.segments.lock().unwrap_or_else(PoisonError::into_inner).expire()?;
        Ok(removed.0)
    }
}

/// Puts on record what was received.
#[derive(Debug)]
pub(crate) struct Filing {
    thread: JoinHandle<()>,
    ends: Arc<AtomicBool>,
}

/// What filing works with.
pub(crate) struct Setup {
    pub(crate) desk: Arc<Desk>,
    pub(crate) received: Arc<Received>,
    pub(crate) counts: Arc<Counts>,
    /// Where lines are kept.
    pub(crate) folder: PathBuf,
    /// The file with the position.
    pub(crate) position: PathBuf,
    pub(crate) options: ReadOptions,
    pub(crate) say: fn(&str),
}

impl Filing {
    /// Begins.
    pub(crate) fn start(setup: Setup) -> io::Result<Filing> {
        let position = match std::fs::read(&setup.position) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|_| {
                // What was on record before is recorded again, under the same ids.
                (setup.say)("the position among received records cannot be read; all that are kept are read again");
                Position::default()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Position::default(),
            Err(error) => return Err(error),
        };
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let thread =
            thread::Builder::new().name("sensors".to_owned()).spawn(move || Clerk::new(setup, position).run(&told))?;
        Ok(Filing { thread, ends })
    }

    /// Ends, when all that was received is read.
    pub(crate) fn finish(self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
    }
}

struct Clerk {
    setup: Setup,
    follower: Follower,
    reader: Reader,
    /// Positions before which everything was read, with when that was, the oldest first.
    read: VecDeque<(Instant, Position)>,
    /// A position that is to be written down once everything before it is on record.
    next: Option<(Instant, Position)>,
    /// What is written down.
    written: Position,
    trouble: Option<String>,
}

impl Clerk {
    fn new(setup: Setup, position: Position) -> Clerk {
        let follower = Follower::new(&setup.folder, position.clone());
        let reader = Reader::new(setup.options.clone());
        Clerk { setup, follower, reader, read: VecDeque::new(), next: None, written: position, trouble: None }
    }

    fn run(mut self, ends: &AtomicBool) {
        let mut tidied = Instant::now();
        loop {
            // Asked first, so that what came before is read.
            let is_last = ends.load(Ordering::Relaxed);
            let read = self.step();
            let trouble = read.as_ref().err().map(ToString::to_string);
            if let (None, Some(trouble)) = (&self.trouble, &trouble) {
                (self.setup.say)(&format!("received records cannot be put on record: {trouble}"));
            }
            self.trouble = trouble;
            if read.is_ok_and(|any| any) {
                continue;
            }
            if is_last {
                break;
            }
            thread::sleep(POLL_TIME);
            if tidied.elapsed() >= Duration::from_secs(60) {
                tidied = Instant::now();
                match self.setup.received.expire() {
                    Ok(0) => {}
                    Ok(files) => {
                        self.setup.counts.removed_files.fetch_add(files, Ordering::Relaxed);
                        (self.setup.say)(&format!(
                            "{files} files of received records were removed: more is kept than allowed"
                        ));
                    }
                    Err(error) => (self.setup.say)(&format!("received records cannot be removed: {error}")),
                }
            }
        }
        // What still waits for the rest of its call is read again by the next start.
        self.next = None;
        let noted = self.note().and_then(|()| {
            thread::sleep(SETTLE_TIME);
            self.note()
        });
        if let Err(error) = noted {
            (self.setup.say)(&format!("received records will be read again by the next start: {error}"));
        }
    }

    /// Reads on; whether there was anything.
    fn step(&mut self) -> io::Result<bool> {
        let before = self.follower.position().clone();
        let lines = self.follower.read()?;
        let is_idle = lines.is_none();
        let (desk, counts) = (&self.setup.desk, &self.setup.counts);
        let mut each = |exchange: &Exchange<'_>| file(desk, counts, exchange);
        match lines {
            Some(lines) => {
                let chunk = Chunk::of_lines(lines.source, lines.text, 1);
                self.reader.read(&chunk, &mut each);
                self.setup.counts.bad_records.store(self.reader.report().bad_lines, Ordering::Relaxed);
            }
            None => {
                let now = desk.now().nanos();
                self.reader.advance(Time::from_nanos(now.saturating_sub(LATENESS_SECONDS * 1_000_000_000)), &mut each);
            }
        }
        let is_due = self.read.back().is_none_or(|(read, _)| read.elapsed() >= POSITION_TIME);
        if !is_idle && is_due {
            self.read.push_back((Instant::now(), before));
        }
        self.note()?;
        Ok(!is_idle)
    }

    /// Writes down up to where everything is on record.
    fn note(&mut self) -> io::Result<()> {
        if !self.reader.waits() {
            self.read.clear();
            self.next.get_or_insert_with(|| (Instant::now(), self.follower.position().clone()));
        }
        while self.read.front().is_some_and(|(read, _)| read.elapsed() >= JOIN_TIME_MAX) {
            let Some((_, position)) = self.read.pop_front() else { break };
            self.next.get_or_insert_with(|| (Instant::now(), position));
        }
        if self.next.as_ref().is_none_or(|(since, _)| since.elapsed() < SETTLE_TIME) || self.setup.desk.is_failing() {
            return Ok(());
        }
        if let Some((_, position)) = self.next.take().filter(|(_, position)| *position != self.written) {
            whole::write(&self.setup.position, &serde_json::to_vec(&position)?)?;
            // What is on record is not kept twice.
            self.setup.received.remove(&position)?;
            self.written = position;
        }
        Ok(())
    }
}

/// Puts an exchange on record, however long that takes.
fn file(desk: &Desk, counts: &Counts, exchange: &Exchange<'_>) {
    desk.meet(exchange.account.as_str());
    let line = exchange.to_json();
    while !desk.record(line.as_bytes()) {
        thread::sleep(POLL_TIME);
    }
    add(&counts.recorded);
}
