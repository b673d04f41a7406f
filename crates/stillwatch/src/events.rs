//! Files of compact events: read in the order of time, and written from exchanges.
//!
//! Refuses to compare fingerprints of two schemes or two keys. Of a file that is damaged what stands before the damage is read, and the rest is
//! told as missing.

use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::{cmp, mem, vec};

use event::Signals;
use event::file::{self, Fingerprints, HEAD_BYTES, Head, MAGIC, Unread};
use exchange::{ReadReport, Time};

use crate::calls::Step;
use crate::inputs::InputError;

/// Files that are read together.
pub(crate) struct Events {
    files: Vec<EventFile>,
}

impl Events {
    /// Opens files.
    ///
    /// # Errors
    ///
    /// When one cannot be read as a file of events, or has fingerprints of another kind than the first.
    pub(crate) fn open(paths: &[PathBuf]) -> Result<Events, InputError> {
        let files: Vec<EventFile> = paths.iter().map(|path| EventFile::open(path)).collect::<Result<_, _>>()?;
        let events = Events { files };
        match events.files.iter().find(|file| Some(&file.kind) != events.fingerprints()) {
            Some(other) => Err(events.mismatch(&format!("`{}`", other.name), &other.kind)),
            None => Ok(events),
        }
    }

    /// What their fingerprints are.
    pub(crate) fn fingerprints(&self) -> Option<&Fingerprints> {
        self.files.first().map(|file| &file.kind)
    }

    /// That they cannot be compared with something else.
    pub(crate) fn mismatch(&self, other: &str, other_kind: &Fingerprints) -> InputError {
        InputError::Mismatch {
            path: self.files.first().map(|file| file.name.clone()).unwrap_or_default(),
            kind: self.fingerprints().map(Fingerprints::to_string).unwrap_or_default(),
            other: other.to_owned(),
            other_kind: other_kind.to_string(),
        }
    }

    /// Hands every event to `sink`, the files merged by time.
    pub(crate) fn each(self, watch: &mut dyn FnMut(Step), sink: &mut dyn FnMut(Box<Signals>)) -> ReadReport {
        let mut report = ReadReport::default();
        let mut step = Step::default();
        thread::scope(|scope| {
            let (batches, read) = sync_channel::<Batch>(BATCHES_AHEAD_MAX);
            scope.spawn(move || {
                let mut merged = Merged::of(self.files);
                loop {
                    let batch = merged.batch();
                    let over = batch.events.is_empty();
                    // The receiver lives as long as it gets anything.
                    if batches.send(batch).is_err() || over {
                        return;
                    }
                }
            });
            for batch in read {
                report.records += batch.events.len() as u64;
                report.broken_sources.extend(batch.broken);
                batch.events.into_iter().for_each(|event| sink(Box::new(event)));
                (step.bytes, step.exchanges) = (batch.bytes, report.records);
                watch(step);
            }
        });
        report
    }
}

/// Events that come next, how many bytes were read for all so far, and what turned out to be damaged.
#[derive(Default)]
struct Batch {
    events: Vec<Signals>,
    bytes: u64,
    broken: Vec<String>,
}

/// One file.
struct EventFile {
    name: String,
    input: BufReader<File>,
    kind: Fingerprints,
    /// The events of the last block that are not handed on yet.
    block: vec::IntoIter<Signals>,
    bytes: u64,
    read: u64,
}

impl EventFile {
    fn open(path: &Path) -> Result<EventFile, InputError> {
        let name = path.display().to_string();
        let no_file = |source| InputError::Unreadable { path: name.clone(), source };
        let no_events = |source| InputError::Events { path: name.clone(), source };
        let mut input = BufReader::with_capacity(READ_BYTES, File::open(path).map_err(no_file)?);
        let mut first = [0; MAGIC.len() + size_of::<u16>()];
        let cut = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => no_events(Unread::Damaged("it ends within its head")),
            _ => no_file(error),
        };
        input.read_exact(&mut first).map_err(cut)?;
        file::check_begin(&first).map_err(no_events)?;
        let mut head = [0; HEAD_BYTES];
        input.read_exact(&mut head).map_err(cut)?;
        let head = Head::read(head).map_err(no_events)?;
        let mut described = vec![0; head.len()];
        input.read_exact(&mut described).map_err(cut)?;
        let kind = head.fingerprints(&described).map_err(no_events)?;
        let bytes = (first.len() + HEAD_BYTES + described.len()) as u64;
        Ok(EventFile { name, input, kind, block: Vec::new().into_iter(), bytes, read: 0 })
    }

    /// The next event; none at the end. What is damaged ends the file, and is told.
    fn next(&mut self) -> Result<Option<Signals>, String> {
        loop {
            if let Some(event) = self.block.next() {
                self.read += 1;
                return Ok(Some(event));
            }
            let Some(block) = self.block().map_err(|why| self.broken(&why))? else { return Ok(None) };
            self.block = block.into_iter();
        }
    }

    fn block(&mut self) -> Result<Option<Vec<Signals>>, String> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        (&mut self.input).take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(|error| error.to_string())?;
        if head.is_empty() {
            return Ok(None);
        }
        let cut = |_| "it is cut off".to_owned();
        let head = Head::read(head.try_into().map_err(cut)?).map_err(|error| error.to_string())?;
        let mut bytes = vec![0; head.len()];
        self.input.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "it is cut off".to_owned(),
            _ => error.to_string(),
        })?;
        self.bytes += (HEAD_BYTES + bytes.len()) as u64;
        head.events(&bytes).map(Some).map_err(|error: Unread| error.to_string())
    }

    fn broken(&self, why: &str) -> String {
        format!("`{}` was read up to its event {} only: {why}", self.name, self.read)
    }
}

/// Several files as one.
struct Merged {
    files: Vec<EventFile>,
    /// The first event of each, the earliest on top.
    heads: BinaryHeap<Next>,
    broken: Vec<String>,
}

struct Next {
    key: cmp::Reverse<(Time, usize)>,
    event: Box<Signals>,
}

impl Merged {
    fn of(files: Vec<EventFile>) -> Merged {
        let mut merged = Merged { heads: BinaryHeap::new(), broken: Vec::new(), files };
        (0..merged.files.len()).for_each(|at| merged.advance(at));
        merged
    }

    fn advance(&mut self, at: usize) {
        match self.files.get_mut(at).map(EventFile::next) {
            Some(Ok(Some(event))) => {
                self.heads.push(Next { key: cmp::Reverse((event.time, at)), event: Box::new(event) });
            }
            Some(Err(broken)) => self.broken.push(broken),
            Some(Ok(None)) | None => {}
        }
    }

    fn batch(&mut self) -> Batch {
        let mut batch = Batch::default();
        while batch.events.len() < BATCH_EVENTS {
            let Some(Next { key: cmp::Reverse((_, at)), event }) = self.heads.pop() else { break };
            batch.events.push(*event);
            self.advance(at);
        }
        batch.bytes = self.files.iter().map(|file| file.bytes).sum();
        batch.broken = mem::take(&mut self.broken);
        batch
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Next {}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// Events handed on at once.
const BATCH_EVENTS: usize = 512;
/// Batches read ahead of the engine.
const BATCHES_AHEAD_MAX: usize = 8;
/// Bytes read at once.
const READ_BYTES: usize = 1 << 18;
