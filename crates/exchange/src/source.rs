//! A source of records as bytes: decompressed, cut into chunks of whole records, with their line numbers.
//!
//! Recognises zstd and gzip by their first bytes (also several frames or members in a row) and three layouts: a record
//! to a line, records spread over lines (pretty-printed), and arrays of records. Memory is bounded by one chunk and one
//! record of at most [`limits::RECORD_BYTES_MAX`]; a longer record is stepped over without being held, so that
//! compression bombs cost time and no memory. What was unpacked before a stream breaks is always delivered; damage takes at
//! most [`limits::UNPACK_BYTES`] before it along.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::bad::BadRecord;
use crate::limits;

/// A source being read; yields its chunks in order.
///
/// After an error it yields nothing more.
pub struct Source<R: Read> {
    name: Arc<str>,
    progress: Progress,
    state: State<R>,
    lines: Lines,
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
    /// Records that were stepped over while this chunk was read.
    skipped: Vec<(u64, BadRecord)>,
}

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
}

impl Progress {
    /// Bytes read so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Chunk {
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
                (self.starts.get(index).copied().unwrap_or(consecutive), line.trim_ascii())
            })
            .filter(|(_, line)| !line.is_empty())
    }

    /// Records that were too long to be delivered, with the line each begins on.
    pub fn skipped(&self) -> impl Iterator<Item = (u64, &BadRecord)> {
        self.skipped.iter().map(|(line, reason)| (*line, reason))
    }
}

impl<R: Read> Source<R> {
    /// Reads `input`, in chunks of about [`limits::CHUNK_BYTES`].
    pub fn new(name: impl Into<Arc<str>>, input: R) -> Self {
        Source::with_chunk_bytes(name, input, limits::CHUNK_BYTES)
    }

    /// Reads `input`, in chunks of about `chunk_bytes` (at least 1).
    pub fn with_chunk_bytes(name: impl Into<Arc<str>>, input: R, chunk_bytes: usize) -> Self {
        let progress = Progress::default();
        let counted = Counted { input, progress: progress.clone() };
        Source {
            name: name.into(),
            progress,
            state: State::Unopened(counted),
            lines: Lines::new(chunk_bytes.max(1), limits::RECORD_BYTES_MAX),
        }
    }

    /// Counts the bytes read, before decompression.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    fn error(&self, error: io::Error) -> SourceError {
        let name = self.name.clone();
        match error.kind() {
            io::ErrorKind::UnexpectedEof => SourceError::Truncated { name },
            _ => SourceError::Failed { name, source: error },
        }
    }

    /// Reads on until a chunk is full or the source ends.
    fn step(&mut self) -> Option<Result<Chunk, SourceError>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return None,
                State::Broken(error) => return Some(Err(self.error(error))),
                State::Unopened(input) => {
                    self.state = match decode(input) {
                        Ok(decoded) => State::Open(Box::new(decoded)),
                        Err(error) => State::Broken(error),
                    };
                }
                State::Open(mut decoded) => {
                    let end = match self.lines.fill(&mut decoded) {
                        Ok(true) => {
                            self.state = State::Open(decoded);
                            match self.lines.full(&self.name) {
                                Some(chunk) => return Some(Ok(chunk)),
                                None => continue,
                            }
                        }
                        Ok(false) => State::Done,
                        Err(error) => State::Broken(error),
                    };
                    self.state = end;
                    if let Some(rest) = self.lines.rest(&self.name) {
                        return Some(Ok(rest));
                    }
                }
            }
        }
    }
}

impl<R: Read> Iterator for Source<R> {
    type Item = Result<Chunk, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step()
    }
}

enum State<R: Read> {
    Unopened(Counted<R>),
    Open(Box<Decoded<R>>),
    Broken(io::Error),
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

type Stored<R> = BufReader<io::Chain<io::Cursor<Vec<u8>>, Counted<R>>>;

enum Decoded<R: Read> {
    Plain(Stored<R>),
    Gzip(BufReader<flate2::bufread::MultiGzDecoder<Stored<R>>>),
    Zstd(BufReader<zstd::stream::read::Decoder<'static, Stored<R>>>),
}

impl<R: Read> Decoded<R> {
    /// The next bytes; none at the end.
    ///
    /// A decoder that meets damage gives up what it unpacked in the same call, so it is asked for the same few bytes each
    /// time: little is lost, and the same whatever the size of the chunks.
    fn ready(&mut self) -> io::Result<&[u8]> {
        match self {
            Decoded::Plain(input) => input.fill_buf(),
            Decoded::Gzip(input) => input.fill_buf(),
            Decoded::Zstd(input) => input.fill_buf(),
        }
    }

    fn consume(&mut self, bytes: usize) {
        match self {
            Decoded::Plain(input) => input.consume(bytes),
            Decoded::Gzip(input) => input.consume(bytes),
            Decoded::Zstd(input) => input.consume(bytes),
        }
    }
}

/// Looks at the first bytes of `input` and sets up decompression.
fn decode<R: Read>(mut input: Counted<R>) -> io::Result<Decoded<R>> {
    let mut magic = Vec::with_capacity(MAGIC_BYTES as usize);
    Read::by_ref(&mut input).take(MAGIC_BYTES).read_to_end(&mut magic)?;
    let kind = magic.first_chunk::<4>().copied().unwrap_or_default();
    let stored = BufReader::with_capacity(STORED_BUFFER_BYTES, io::Cursor::new(magic).chain(input));
    Ok(match kind {
        [0x1f, 0x8b, _, _] => Decoded::Gzip(unpacked(flate2::bufread::MultiGzDecoder::new(stored))),
        // A frame, or a skippable frame before it.
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(stored)?;
            decoder.window_log_max(limits::ZSTD_WINDOW_LOG_MAX)?;
            Decoded::Zstd(unpacked(decoder))
        }
        _ => Decoded::Plain(stored),
    })
}

fn unpacked<D: Read>(decoder: D) -> BufReader<D> {
    BufReader::with_capacity(limits::UNPACK_BYTES, decoder)
}

const MAGIC_BYTES: u64 = 4;
const STORED_BUFFER_BYTES: usize = 128 * 1024;

/// Cuts a stream of bytes into records.
struct Lines {
    chunk_bytes: usize,
    record_bytes_max: usize,
    /// Read and not yet cut; in the layout `Lines`, always from the start of a line.
    buffer: Vec<u8>,
    /// How much of the buffer is known to hold no newline.
    searched: usize,
    /// The line that the buffer starts on.
    line: u64,
    layout: Layout,
    skipped: Vec<(u64, BadRecord)>,
}

enum Layout {
    /// Too little was read to tell whether there is a byte order mark.
    Unmarked,
    /// Too little was read to tell.
    Unknown,
    /// A record to a line.
    Lines,
    /// A line too long to be a record, which is being stepped over.
    Overlong,
    /// Records spread over lines, or in arrays.
    Spread(Box<Scanner>),
}

impl Lines {
    fn new(chunk_bytes: usize, record_bytes_max: usize) -> Self {
        Lines {
            chunk_bytes,
            record_bytes_max,
            buffer: Vec::new(),
            searched: 0,
            line: 1,
            layout: Layout::Unmarked,
            skipped: Vec::new(),
        }
    }

    /// Reads about a chunk. Says whether there may be more; keeps what was read before an error.
    fn fill<R: Read>(&mut self, input: &mut Decoded<R>) -> io::Result<bool> {
        let mut left = self.chunk_bytes;
        while left > 0 {
            let ready = match input.ready() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                ready => ready?,
            };
            if ready.is_empty() {
                return Ok(false);
            }
            let taken = ready.get(..left).unwrap_or(ready);
            self.buffer.extend_from_slice(taken);
            let bytes = taken.len();
            input.consume(bytes);
            left -= bytes;
        }
        Ok(true)
    }

    /// The records that are whole by now, if they make a chunk.
    fn full(&mut self, source: &Arc<str>) -> Option<Chunk> {
        self.settle(false);
        match &mut self.layout {
            Layout::Unmarked | Layout::Unknown => None,
            Layout::Lines => {
                let fresh = self.buffer.get(self.searched..).unwrap_or_default();
                if let Some(end) = memchr::memrchr(b'\n', fresh) {
                    return self.cut(self.searched + end + 1, source);
                }
                self.searched = self.buffer.len();
                // One byte more than a record may have, for the carriage return.
                if self.buffer.len() > self.record_bytes_max + 1 {
                    self.skipped.push((self.line, BadRecord::TooLong));
                    self.buffer.clear();
                    self.searched = 0;
                    self.layout = Layout::Overlong;
                }
                None
            }
            Layout::Overlong => {
                if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                    self.buffer.drain(..=end);
                    self.line += 1;
                    self.layout = Layout::Lines;
                    return self.full(source);
                }
                self.buffer.clear();
                None
            }
            Layout::Spread(scanner) => {
                scanner.scan(&self.buffer);
                self.buffer.clear();
                (scanner.text.len() >= self.chunk_bytes).then(|| scanner.take(source))
            }
        }
    }

    /// What is left at the end of the source.
    fn rest(&mut self, source: &Arc<str>) -> Option<Chunk> {
        self.settle(true);
        match &mut self.layout {
            Layout::Unmarked | Layout::Unknown | Layout::Lines => {}
            Layout::Overlong => match memchr::memchr(b'\n', &self.buffer) {
                Some(end) => {
                    self.buffer.drain(..=end);
                    self.line += 1;
                }
                None => self.buffer.clear(),
            },
            Layout::Spread(scanner) => {
                scanner.scan(&self.buffer);
                self.buffer.clear();
                scanner.end_record();
                let chunk = scanner.take(source);
                return (!chunk.text.is_empty() || !chunk.skipped.is_empty()).then_some(chunk);
            }
        }
        if self.buffer.is_empty() && self.skipped.is_empty() {
            return None;
        }
        self.cut(self.buffer.len(), source)
    }

    /// Makes a chunk of the first `end` bytes.
    fn cut(&mut self, end: usize, source: &Arc<str>) -> Option<Chunk> {
        let rest = self.buffer.split_off(end);
        let text = std::mem::replace(&mut self.buffer, rest);
        self.searched = 0;
        let first_line = self.line;
        self.line += memchr::memchr_iter(b'\n', &text).count() as u64;
        let skipped = std::mem::take(&mut self.skipped);
        Some(Chunk { source: source.clone(), text, first_line, starts: Vec::new(), skipped })
    }

    /// Decides the layout as soon as the first line with anything on it is there.
    fn settle(&mut self, at_end: bool) {
        if matches!(self.layout, Layout::Unmarked) && (self.buffer.len() >= BYTE_ORDER_MARK.len() || at_end) {
            if self.buffer.starts_with(&BYTE_ORDER_MARK) {
                self.buffer.drain(..BYTE_ORDER_MARK.len());
            }
            self.layout = Layout::Unknown;
        }
        if !matches!(self.layout, Layout::Unknown) {
            return;
        }
        self.skip_blank();
        let line_end = memchr::memchr(b'\n', &self.buffer);
        let spread = match self.buffer.first() {
            None => false,
            Some(b'[') => true,
            Some(b'{') => line_end.and_then(|end| self.buffer.get(..end)).is_some_and(continues),
            Some(_) => false,
        };
        let decided = spread || line_end.is_some() || at_end || self.buffer.len() > self.record_bytes_max;
        if decided {
            self.layout = if spread {
                Layout::Spread(Box::new(Scanner::new(self.line, self.record_bytes_max)))
            } else {
                Layout::Lines
            };
        }
    }

    /// Lets go of white space at the start, which may be all there is for gigabytes.
    fn skip_blank(&mut self) {
        let blank = self.buffer.len() - self.buffer.trim_ascii_start().len();
        self.line += self.buffer.drain(..blank).filter(|byte| *byte == b'\n').count() as u64;
    }
}

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Whether a line is the beginning of a pretty-printed object, and not a damaged record.
fn continues(line: &[u8]) -> bool {
    let mut scanner = Scanner::new(1, line.len());
    scanner.scan(line);
    scanner.depth > 0 && !scanner.in_string && matches!(line.trim_ascii_end().last(), Some(b'{' | b'[' | b','))
}

/// Finds the objects in a stream of JSON: one after the other or in arrays, on any number of lines.
///
/// It counts brackets outside of strings and checks nothing else. What is no object becomes a record of its own to the
/// end of its line, so that the reader reports it. Damage is contained where JSON allows to see it: a line that ends
/// inside a string, and an object that follows a brace without a comma or a key, end the record they are in.
#[derive(Debug)]
struct Scanner {
    record_bytes_max: usize,
    /// Whole records, one to a line.
    text: Vec<u8>,
    starts: Vec<u64>,
    skipped: Vec<(u64, BadRecord)>,
    /// The record being read.
    record: Vec<u8>,
    start: u64,
    overlong: bool,
    line: u64,
    depth: u64,
    in_string: bool,
    escaped: bool,
    in_junk: bool,
    /// The last byte outside of strings that is no white space.
    before: u8,
}

impl Scanner {
    /// Starts at `line`.
    fn new(line: u64, record_bytes_max: usize) -> Self {
        Scanner {
            record_bytes_max,
            text: Vec::new(),
            starts: Vec::new(),
            skipped: Vec::new(),
            record: Vec::new(),
            start: line,
            overlong: false,
            line,
            depth: 0,
            in_string: false,
            escaped: false,
            in_junk: false,
            before: 0,
        }
    }

    fn scan(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.step(*byte);
            self.line += u64::from(*byte == b'\n');
        }
    }

    fn step(&mut self, byte: u8) {
        if self.in_junk || (self.in_string && byte == b'\n') {
            return if byte == b'\n' {
                self.end_record();
            } else {
                self.keep(byte);
            };
        }
        if self.in_string {
            self.in_string = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return self.keep(byte);
        }
        if byte == b'{' && matches!(self.before, b'{' | b'}') && self.depth > 0 {
            self.end_record();
        }
        if self.depth == 0 {
            self.start = self.line;
            match byte {
                b'{' => {}
                b'[' | b']' | b',' => return,
                byte if byte.is_ascii_whitespace() => return,
                _ => self.in_junk = true,
            }
        }
        self.keep(if byte == b'\n' { b' ' } else { byte });
        match byte {
            b'"' => self.in_string = !self.in_junk,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            self.before = byte;
        }
        if self.depth == 0 && !self.in_junk {
            self.end_record();
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.record.len() < self.record_bytes_max {
            self.record.push(byte);
        } else {
            self.overlong = true;
        }
    }

    fn end_record(&mut self) {
        if self.overlong {
            self.skipped.push((self.start, BadRecord::TooLong));
            self.record = Vec::new();
        } else if !self.record.is_empty() {
            self.text.append(&mut self.record);
            self.text.push(b'\n');
            self.starts.push(self.start);
        }
        self.overlong = false;
        self.depth = 0;
        self.in_string = false;
        self.escaped = false;
        self.in_junk = false;
        self.before = 0;
        self.start = self.line;
    }

    fn take(&mut self, source: &Arc<str>) -> Chunk {
        let starts = std::mem::take(&mut self.starts);
        Chunk {
            source: source.clone(),
            text: std::mem::take(&mut self.text),
            first_line: starts.first().copied().unwrap_or(self.line),
            starts,
            skipped: std::mem::take(&mut self.skipped),
        }
    }
}
