//! The recorder: takes exchanges from the queue and writes them to disk, in a thread of its own.
//!
//! Promises never to make a request wait, and to say when it cannot write: what could not be kept is counted, and
//! [`Recording::is_failing`] tells those who would rather turn requests away than serve them unrecorded. What was counted
//! as recorded was handed to the system, so it outlives the process; by [`Sync::Always`] it outlives the machine as well.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use exchange::Time;
use store::segment::{Segments, write_line};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::limits::{RECORD_BATCH_BYTES, RECORD_GATHER_TIME, RECORD_TIDY_TIME, RECORD_TIME_MAX};
use crate::record::{Next, Records};

/// When what was written is made to outlive the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// When the system thinks fit.
    Never,
    /// At such intervals.
    Every(Duration),
    /// After each batch, before it counts as recorded.
    Always,
}

/// How recording goes; seen by requests, metrics and whoever asks whether all is well.
#[derive(Debug, Default)]
pub struct Recording {
    recorded: AtomicU64,
    lost: AtomicU64,
    removed_files: AtomicU64,
    failing: AtomicBool,
    trouble: Mutex<Option<String>>,
}

impl Recording {
    /// Exchanges that were recorded.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    /// Exchanges for which there was no room while the disk could not be written.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Files that were removed because they were the oldest of too much.
    #[must_use]
    pub fn removed_files(&self) -> u64 {
        self.removed_files.load(Ordering::Relaxed)
    }

    /// Whether the last attempt to write failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Why, in words.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().ok().and_then(|trouble| trouble.clone())
    }

    fn outcome(&self, outcome: std::io::Result<()>, say: &dyn Fn(&str)) {
        let failed = outcome.is_err();
        let before = self.failing.swap(failed, Ordering::Relaxed);
        if let Ok(mut trouble) = self.trouble.lock() {
            *trouble = outcome.err().map(|error| error.to_string());
            match &*trouble {
                Some(trouble) if !before => say(&format!("exchanges cannot be recorded: {trouble}")),
                None if before => say("exchanges are recorded again"),
                _ => {}
            }
        }
    }
}

/// The recorder, running; ends when no tap is left.
#[derive(Debug)]
pub struct Recorder {
    thread: Option<JoinHandle<()>>,
}

/// What the recorder works with.
pub struct Setup {
    /// Where exchanges come from.
    pub records: Records,
    /// What they go through; where nothing, they are written as they are.
    pub closing: Option<Box<dyn Closing>>,
    /// Where they go.
    pub segments: Segments,
    /// When what was written is made to outlive the machine.
    pub sync: Sync,
    /// Tells the time.
    pub clock: Box<dyn Clock>,
    /// Hears of trouble, in words without any text of a caller.
    pub say: Box<dyn Fn(&str) + Send>,
    /// Hears of each key that was used, and when.
    pub used: Used,
}

/// What lines go through before they are written.
pub trait Closing: Send {
    /// Puts sealed lines in the place of whole lines; how many could not be sealed, and are left out.
    fn close(&mut self, lines: &mut Vec<u8>) -> u64;

    /// Hands to the system what opens the lines that were sealed so far, and waits until it is on disk where `is_synced`.
    ///
    /// # Errors
    ///
    /// When it cannot be; then none of these lines may be written.
    fn flush(&mut self, is_synced: bool) -> std::io::Result<()>;
}

/// Hears of a key, by its public id, and when it was used.
pub type Used = Box<dyn Fn(&str, Time) + Send>;

impl std::fmt::Debug for Setup {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Setup").field("segments", &self.segments).field("sync", &self.sync).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn start(setup: Setup, recording: Arc<Recording>) -> std::io::Result<Recorder> {
        let thread = thread::Builder::new().name("recorder".to_owned()).spawn(move || record(setup, &recording))?;
        Ok(Recorder { thread: Some(thread) })
    }

    /// Waits until everything that was handed over is written, once no tap is left.
    pub fn finish(mut self) {
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn record(setup: Setup, recording: &Recording) {
    let Setup { mut records, mut closing, mut segments, sync, clock, say, used } = setup;
    let (mut synced, mut tidied) = (Instant::now(), Instant::now());
    // Exchanges that wait to be written, and whether something that was written waits to be synced.
    let (mut waiting, mut unsynced) = (0, false);
    let mut line = Vec::new();
    let is_always = sync == Sync::Always;
    loop {
        let before = waiting;
        let mut lost = 0;
        // Whole ones first: where no tap is left, no line can come after them.
        let ended = loop {
            match records.try_next() {
                Next::Seen(seen) => {
                    seen.key.iter().for_each(|key| used(key, seen.time));
                    write_line(&mut line, |line| seen.write_line(line));
                    let left_out = closing.as_mut().map_or(0, |closing| closing.close(&mut line));
                    let no_room = segments.append(&mut line) + left_out;
                    line.clear();
                    (waiting, lost) = (waiting + 1 - no_room, lost + no_room);
                }
                Next::Nothing => break false,
                Next::Ended => break true,
            }
            if segments.waiting_bytes() >= RECORD_BATCH_BYTES {
                break false;
            }
        };
        records.take_lines(|lines| {
            lines.used.iter().for_each(|(key, time)| used(key, *time));
            waiting += lines.count;
            for piece in &mut lines.pieces {
                // Each for itself while the processor has it at hand; what cannot be written is told below.
                unsynced |= segments.waiting_bytes() > 0;
                let _ = flush(&mut segments, closing.as_deref_mut(), is_always, &*clock);
                let left_out = closing.as_mut().map_or(0, |closing| closing.close(piece));
                let no_room = segments.append(piece) + left_out;
                (waiting, lost) = (waiting - no_room, lost + no_room);
            }
        });
        recording.lost.fetch_add(lost, Ordering::Relaxed);
        let any = waiting > before;
        // More than is written at once may wait still.
        let is_lull = segments.waiting_bytes() < RECORD_BATCH_BYTES;
        let is_due = match sync {
            Sync::Never => ended,
            Sync::Always => true,
            Sync::Every(interval) => ended || synced.elapsed() >= interval,
        };
        if segments.waiting_bytes() > 0 || unsynced && is_due {
            unsynced |= segments.waiting_bytes() > 0;
            let mut written = flush(&mut segments, closing.as_deref_mut(), is_due, &*clock);
            if written.is_ok() && is_due {
                written = segments.sync();
                (synced, unsynced) = (Instant::now(), written.is_err());
            }
            if segments.waiting_bytes() == 0 && (sync != Sync::Always || written.is_ok()) {
                recording.recorded.fetch_add(std::mem::take(&mut waiting), Ordering::Relaxed);
            }
            recording.outcome(written, &*say);
        }
        if ended {
            if waiting > 0 {
                recording.lost.fetch_add(waiting, Ordering::Relaxed);
                say(&format!("{waiting} exchanges were not recorded: the disk could not be written to the end"));
            }
            return;
        }
        if is_lull || recording.is_failing() {
            thread::sleep(if any && !recording.is_failing() { RECORD_GATHER_TIME } else { RECORD_TIME_MAX });
        }
        if tidied.elapsed() >= RECORD_TIDY_TIME {
            tidied = Instant::now();
            match segments.expire() {
                Ok((0, _)) => {}
                Ok((files, bytes)) => {
                    recording.removed_files.fetch_add(files, Ordering::Relaxed);
                    say(&format!("{files} recorded files of {bytes} bytes were removed: more is kept than allowed"));
                }
                Err(error) => say(&format!("recorded files cannot be removed: {error}")),
            }
        }
    }
}

/// Hands what waits to the system, behind what opens it.
fn flush(
    segments: &mut Segments,
    closing: Option<&mut (dyn Closing + 'static)>,
    is_synced: bool,
    clock: &dyn Clock,
) -> std::io::Result<()> {
    closing.map_or(Ok(()), |closing| closing.flush(is_synced))?;
    segments.flush(time_of(clock))
}

fn time_of(clock: &dyn Clock) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(clock.now().nanos()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bytes::Bytes;
    use serde_json::json;
    use store::segment::{Rotation, check};

    use super::*;
    use crate::clock::SystemClock;
    use crate::record::{Seen, Tap, queue};
    use crate::trust::Caller;

    fn seen(n: usize) -> Box<Seen> {
        let account = json!({"id": "acct", "created": "1970-01-01T00:00:00Z"});
        Box::new(Seen {
            time: Time::from_seconds(1_780_000_000),
            id: format!("ex_{n}"),
            account: Arc::new(serde_json::from_value(account).unwrap()),
            key: Some("key-1".to_owned()),
            path: "/v1/chat/completions".to_owned(),
            caller: Some(Caller { address: "192.0.2.1".parse().unwrap(), ja4: None, asn: None, country: None }),
            user_agent: None,
            decision: crate::record::Decision::default(),
            request: Bytes::from_static(br#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#),
            reply: vec![Bytes::from_static(br#"{"choices":[{"message":{"content":"y"}}]}"#)],
            streamed: false,
            status: 200,
            duration: Duration::ZERO,
        })
    }

    fn start(folder: &Path, sync: Sync) -> (Tap, Recorder, Arc<Recording>, Arc<Mutex<Vec<String>>>) {
        start_with(folder, sync, None)
    }

    fn start_with(
        folder: &Path,
        sync: Sync,
        closing: Option<Box<dyn Closing>>,
    ) -> (Tap, Recorder, Arc<Recording>, Arc<Mutex<Vec<String>>>) {
        let (tap, records) = queue();
        let (recording, said) = (Arc::new(Recording::default()), Arc::new(Mutex::new(Vec::new())));
        let rotation = Rotation { bytes_max: 1 << 30, age_max: Duration::from_secs(3600), kept_bytes_max: 1 << 40 };
        let heard = Arc::clone(&said);
        let setup = Setup {
            records,
            closing,
            segments: Segments::open(folder, rotation).unwrap(),
            sync,
            clock: Box::new(SystemClock),
            say: Box::new(move |text| heard.lock().unwrap().push(text.to_owned())),
            used: Box::new(|key, _| assert_eq!(key, "key-1")),
        };
        let recorder = Recorder::start(setup, Arc::clone(&recording)).unwrap();
        (tap, recorder, recording, said)
    }

    fn lines(folder: &Path) -> Vec<String> {
        let files =
            std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
        files.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn everything_handed_over_is_on_disk_when_it_is_done() {
        for sync in [Sync::Never, Sync::Every(Duration::ZERO), Sync::Always] {
            let folder = tempfile::tempdir().unwrap();
            let (tap, recorder, recording, said) = start(folder.path(), sync);
            (0..100).for_each(|n| tap.offer(seen(n)));
            drop(tap);
            recorder.finish();
            let lines = lines(folder.path());
            assert_eq!((lines.len(), recording.recorded(), recording.lost()), (100, 100, 0));
            assert!(lines.iter().all(|line| check(line.as_bytes())) && said.lock().unwrap().is_empty());
        }
    }

    /// Whoever ends it while nothing can be written learns what is lost.
    #[test]
    fn what_cannot_be_written_to_the_end_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let (tap, recorder, recording, said) = start(&inner, Sync::Never);
        std::fs::remove_dir(&inner).unwrap();
        (0..3).for_each(|n| tap.offer(seen(n)));
        drop(tap);
        recorder.finish();
        assert_eq!((recording.recorded(), recording.lost()), (0, 3));
        assert!(said.lock().unwrap().iter().any(|said| said.starts_with("3 exchanges were not recorded")));
    }

    /// Lets every second line through, once what opens them could be kept.
    struct Half {
        seen: u64,
        failing: Arc<AtomicBool>,
    }

    impl Closing for Half {
        fn close(&mut self, lines: &mut Vec<u8>) -> u64 {
            self.seen += 1;
            let is_left_out = self.seen.is_multiple_of(2);
            if is_left_out {
                lines.clear();
            }
            u64::from(is_left_out)
        }

        fn flush(&mut self, _: bool) -> std::io::Result<()> {
            if self.failing.load(Ordering::Relaxed) { Err(std::io::Error::other("no keys")) } else { Ok(()) }
        }
    }

    #[test]
    fn what_cannot_be_sealed_is_lost_and_nothing_is_written_before_what_opens_it() {
        let folder = tempfile::tempdir().unwrap();
        let failing = Arc::new(AtomicBool::new(true));
        let closing = Half { seen: 0, failing: Arc::clone(&failing) };
        let (tap, recorder, recording, said) = start_with(folder.path(), Sync::Never, Some(Box::new(closing)));
        (0..4).for_each(|n| tap.offer(seen(n)));
        let is_failing = || {
            (0..500).any(|_| {
                recording.is_failing() || {
                    thread::sleep(Duration::from_millis(10));
                    false
                }
            })
        };
        assert!(is_failing() && lines(folder.path()).is_empty());
        failing.store(false, Ordering::Relaxed);
        drop(tap);
        recorder.finish();
        assert_eq!((lines(folder.path()).len(), recording.recorded(), recording.lost()), (2, 2, 2));
        assert!(said.lock().unwrap().iter().any(|said| said.contains("no keys")));
    }

    /// A full disk is told once, and nothing is lost of what waits when it can be written again.
    #[test]
    fn trouble_is_told_and_what_waits_is_written_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let (tap, recorder, recording, said) = start(&inner, Sync::Never);
        std::fs::remove_dir(&inner).unwrap();
        tap.offer(seen(1));
        let wait = |until: &dyn Fn() -> bool| {
            (0..500).any(|_| {
                until() || {
                    thread::sleep(Duration::from_millis(10));
                    false
                }
            })
        };
        assert!(wait(&|| recording.is_failing()) && recording.trouble().is_some() && recording.recorded() == 0);
        tap.offer(seen(2));
        std::fs::create_dir(&inner).unwrap();
        assert!(wait(&|| recording.recorded() == 2) && !recording.is_failing());
        drop(tap);
        recorder.finish();
        assert_eq!(lines(&inner).len(), 2);
        let said = said.lock().unwrap();
        assert!(said.len() == 2 && said[0].starts_with("exchanges cannot be recorded: ") && said[1].ends_with("again"));
    }
}
