//! A source of records as bytes: decompressed, cut into chunks of whole records, with their line numbers.
//!
//! Compression and text encodings are told by the first bytes ([`decode`]), and so are six layouts: a record to a line,
//! records spread over lines (pretty-printed), arrays of records, records joined without anything between them, rows
//! of a table whose header is known ([`rows`]), and lines of a container runtime ([`container`]).
//! Memory is bounded by one chunk and one record of at most [`limits::RECORD_BYTES_MAX`]; a longer record is shortened
//! as it comes ([`shorten`]), so that compression bombs cost time and no memory. What was unpacked before a stream breaks
//! is always delivered; damage takes at most [`limits::UNPACK_BYTES`] before it along.

mod chunk;
mod container;
mod decode;
mod glance;
mod lines;
mod rows;
mod scanner;
mod shorten;

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use decode::{Refused, Stream, Unsupported};
use lines::Lines;

pub use chunk::Chunk;
pub use glance::Glance;

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

/// How many bytes of a source, as stored, have been read so far; to be looked at from another thread.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

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
