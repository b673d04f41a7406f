//! A source of records as bytes: decompressed, cut into chunks of whole records, with their line numbers.
//!
//! Compression and text encodings are told by the first bytes ([`decode`]), and so are six layouts: a record to a line,
//! records spread over lines (pretty-printed), arrays of records, records joined without anything between them, rows
//! of a table whose header is known ([`rows`]), and lines of a container runtime ([`container`]).
//! Memory is bounded by one chunk and one record of at most [`limits::RECORD_BYTES_MAX`]; a longer record is shortened
//! as it comes ([`shorten`]), so that compression bombs cost time and no memory. What was unpacked before a stream breaks
//! is always delivered; damage takes at most [`limits::UNPACK_BYTES`] before it along.

mod container;
mod decode;
mod lines;
mod rows;
mod scanner;
mod shorten;

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use decode::{Refused, Stream, Unsupported};
use lines::Lines;
use scanner::{RECORD_SEPARATOR, Scanner};

use crate::bad::{BadRecord, Damage};
use crate::limits;

/// A source being read; yields its chunks in order.
///
/// After an error it yields nothing more.
pub struct Source<'r> {
    name: Arc<str>,
    progress: Progress,
    state: State<'r>,
    lines: Lines,
}

/// What the first bytes of a file say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glance {
    /// Records, or something compressed that may hold them.
    Records,
    /// Nothing but white space.
    Nothing,
    /// Something that is known and not read.
    Unsupported {
        /// What it is.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Nothing that is known.
    Other,
}

impl Glance {
    /// Looks at the first bytes of a file, a few hundred or more.
    #[must_use]
    pub fn at(first: &[u8]) -> Glance {
        let Unsupported { what, advice } = match decode::packed(first) {
            Ok(true) => return Glance::Records,
            Ok(false) => match lines::begins(first) {
                Ok(glance) => return glance,
                Err(unsupported) => unsupported,
            },
            Err(unsupported) => unsupported,
        };
        Glance::Unsupported { what, advice }
    }
}

/// How many bytes of a source, as stored, have been read so far; to be looked at from another thread.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

/// Some whole records of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The name of the source.
    pub source: Arc<str>,
    /// The records, each ending in a newline except perhaps the last.
    pub text: Vec<u8>,
    /// The line the first record begins on, counted from 1.
    pub first_line: u64,
    /// The line of every record, where they are not consecutive.
    starts: Vec<u64>,
    /// The lines of records that were damaged before they came here, and how.
    damaged: Vec<(u64, Damage)>,
    /// Records that were stepped over while this chunk was read.
    skipped: Vec<Skipped>,
}

/// Whole records that were found and not handed out yet, one to a line.
#[derive(Debug, Default)]
struct Records {
    text: Vec<u8>,
    starts: Vec<u64>,
    damaged: Vec<(u64, Damage)>,
    skipped: Vec<Skipped>,
}

impl Records {
    fn push(&mut self, record: &[u8], start: u64) {
        self.text.extend_from_slice(record);
        self.text.push(b'\n');
        self.starts.push(start);
    }

    /// Hands them out; `line` is where reading goes on.
    fn take(&mut self, source: &Arc<str>, line: u64) -> Chunk {
        let Records { text, starts, damaged, skipped } = std::mem::take(self);
        let first_line = starts.first().copied().unwrap_or(line);
        Chunk { source: source.clone(), text, first_line, starts, damaged, skipped }
    }
}

/// The line a record begins on, and why it is not here.
type Skipped = (u64, BadRecord);

/// Why a source ended before its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A compressed stream stops in the middle.
    #[error("{name}: truncated: the compressed data ends too early; everything before was read")]
    Truncated {
        /// The source.
        name: Arc<str>,
    },
    /// The source could not be read on.
    #[error("{name}: cannot be read on")]
    Failed {
        /// The source.
        name: Arc<str>,
        /// Why.
        source: io::Error,
    },
    /// The source is of a kind that is known and not read.
    #[error("{name}: this is {what}, which is not read; {advice}")]
    Unsupported {
        /// The source.
        name: Arc<str>,
        /// What it is.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
}

impl Progress {
    /// Bytes read so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Chunk {
    /// Whole records, one to a line, of which the first begins on `first_line` of `source`.
    #[must_use]
    pub fn of_lines(source: Arc<str>, text: Vec<u8>, first_line: u64) -> Chunk {
        Chunk { source, text, first_line, starts: Vec::new(), damaged: Vec::new(), skipped: Vec::new() }
    }

    /// The records with their line numbers: trimmed, the empty ones left out.
    pub fn records(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut begin = 0;
        memchr::memchr_iter(b'\n', &self.text)
            .chain([self.text.len()])
            .enumerate()
            .map(move |(index, end)| {
                let line = self.text.get(begin..end).unwrap_or_default();
                begin = end + 1;
                let consecutive = self.first_line + index as u64;
                (self.starts.get(index).copied().unwrap_or(consecutive), trimmed(line))
            })
            .filter(|(_, line)| !line.is_empty())
    }

    /// How the record that begins on `line` was damaged before it came here.
    pub(crate) fn damage_at(&self, line: u64) -> impl Iterator<Item = Damage> {
        let first = self.damaged.partition_point(|(damaged, _)| *damaged < line);
        let rest = self.damaged.get(first..).unwrap_or_default().iter();
        rest.take_while(move |(damaged, _)| *damaged == line).map(|(_, damage)| *damage)
    }

    /// Records that were too long to be delivered, with the line each begins on.
    pub fn skipped(&self) -> impl Iterator<Item = (u64, &BadRecord)> {
        self.skipped.iter().map(|(line, reason)| (*line, reason))
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.skipped.is_empty()
    }

    /// A record of this chunk that is longer than [`limits::RECORD_BYTES_MAX`], as a chunk of records that are not.
    pub(crate) fn cut_up(&self, line: u64, record: &[u8]) -> Chunk {
        let mut scanner = Scanner::new(line, limits::RECORD_BYTES_MAX);
        scanner.scan(record);
        scanner.end_record();
        scanner.take(&self.source)
    }
}

/// A record without white space around it, nor the separator of a JSON text sequence.
fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    line.strip_prefix(&[RECORD_SEPARATOR]).map_or(line, <[u8]>::trim_ascii)
}

impl<'r> Source<'r> {
    /// Reads `input`, in chunks of about [`limits::CHUNK_BYTES`].
    pub fn new(name: impl Into<Arc<str>>, input: impl Read + Send + 'r) -> Self {
        Source::with_chunk_bytes(name, input, limits::CHUNK_BYTES)
    }

    /// Reads `input`, in chunks of about `chunk_bytes` (at least 1).
    pub fn with_chunk_bytes(name: impl Into<Arc<str>>, input: impl Read + Send + 'r, chunk_bytes: usize) -> Self {
        let progress = Progress::default();
        let counted = Counted { input, progress: progress.clone() };
        Source {
            name: name.into(),
            progress,
            state: State::Unopened(Box::new(counted)),
            lines: Lines::new(chunk_bytes.max(1), limits::RECORD_BYTES_MAX),
        }
    }

    /// Counts the bytes read, before decompression.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    fn error(&self, refused: Refused) -> SourceError {
        let name = self.name.clone();
        match refused {
            Refused::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => SourceError::Truncated { name },
            Refused::Io(source) => SourceError::Failed { name, source },
            Refused::Unsupported(Unsupported { what, advice }) => SourceError::Unsupported { name, what, advice },
        }
    }

    /// Reads on until a chunk is full or the source ends.
    fn step(&mut self) -> Option<Result<Chunk, SourceError>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return None,
                State::Ended(error) => {
                    if let Some(rest) = self.lines.rest(&self.name) {
                        self.state = State::Ended(error);
                        return Some(Ok(rest));
                    }
                    return error.map(|error| Err(self.error(error)));
                }
                State::Unopened(input) => {
                    self.state = match decode::open(input) {
                        Ok(stream) => State::Open(stream),
                        Err(error) => State::Ended(Some(error)),
                    };
                }
                State::Open(mut stream) => match self.lines.fill(&mut *stream) {
                    Ok(true) => {
                        self.state = State::Open(stream);
                        if let Some(refused) = self.lines.refusal(false) {
                            self.state = State::Ended(Some(Refused::Unsupported(refused)));
                        } else if let Some(chunk) = self.lines.full(&self.name) {
                            return Some(Ok(chunk));
                        }
                    }
                    Ok(false) => self.state = State::Ended(self.lines.refusal(true).map(Refused::Unsupported)),
                    Err(error) => self.state = State::Ended(Some(error.into())),
                },
            }
        }
    }
}

impl Iterator for Source<'_> {
    type Item = Result<Chunk, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step()
    }
}

enum State<'r> {
    Unopened(Box<dyn Read + Send + 'r>),
    Open(Stream<'r>),
    /// Nothing more can be read, perhaps for a reason.
    Ended(Option<Refused>),
    Done,
}

/// Counts what it reads.
struct Counted<R> {
    input: R,
    progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.progress.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
