//! Cuts a stream of text into chunks of whole records.

use std::io::{self, BufRead};
use std::sync::Arc;

use super::chunk::Chunk;
use super::container::{self, Container};
use super::decode::Unsupported;
use super::rows::{Header, Rows};
use super::scanner::Scanner;
use crate::seam::Quoted;

/// What was read and not handed out yet.
pub(super) struct Lines {
    chunk_bytes: usize,
    record_bytes_max: usize,
    /// Read and not yet cut; in the layout `Lines`, always from the start of a line.
    buffer: Vec<u8>,
    /// How much of the buffer is known to hold no newline.
    searched: usize,
    /// The line that the buffer starts on.
    line: u64,
    layout: Layout,
}

enum Layout {
    /// Too little was read to tell whether there is a byte order mark.
    Unmarked,
    /// Too little was read to tell.
    Unknown,
    /// A record to a line.
    Lines,
    /// A line too long to be a record; it may hold several, or one that has to be shortened.
    Overlong(Box<Scanner>),
    /// Records spread over lines, in arrays, or joined without newlines.
    Spread(Box<Scanner>),
    /// Rows of a table.
    Rows(Box<Rows>),
    /// Lines of a container runtime.
    Container(Box<Container>),
    /// Something that is known and not read.
    Refused(Unsupported),
}

impl Lines {
    pub(super) fn new(chunk_bytes: usize, record_bytes_max: usize) -> Self {
        Lines { chunk_bytes, record_bytes_max, buffer: Vec::new(), searched: 0, line: 1, layout: Layout::Unmarked }
    }

    /// Reads about a chunk. Says whether there may be more; keeps what was read before an error.
    pub(super) fn fill(&mut self, input: &mut dyn BufRead) -> io::Result<bool> {
        let mut left = self.chunk_bytes;
        while left > 0 {
            let ready = match input.fill_buf() {
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
    pub(super) fn full(&mut self, source: &Arc<str>) -> Option<Chunk> {
        self.settle(false);
        match &mut self.layout {
            Layout::Unmarked | Layout::Unknown | Layout::Refused(_) => None,
            Layout::Rows(rows) => {
                if !self.buffer.is_empty() {
                    rows.read(&self.buffer);
                    self.buffer.clear();
                }
                (rows.bytes() >= self.chunk_bytes).then(|| rows.take(source))
            }
            Layout::Container(container) => {
                container.read(&self.buffer);
                self.buffer.clear();
                (container.bytes() >= self.chunk_bytes).then(|| container.take(source))
            }
            Layout::Lines => {
                let fresh = self.buffer.get(self.searched..).unwrap_or_default();
                if let Some(end) = memchr::memrchr(b'\n', fresh) {
                    return self.cut(self.searched + end + 1, source);
                }
                self.searched = self.buffer.len();
                // One byte more than a record may have, for the carriage return.
                if self.buffer.len() > self.record_bytes_max + 1 {
                    self.layout = Layout::Overlong(Box::new(Scanner::new(self.line, self.record_bytes_max)));
                    return self.full(source);
                }
                None
            }
            Layout::Overlong(scanner) => {
                let end = memchr::memchr(b'\n', &self.buffer);
                let rest = self.buffer.split_off(end.map_or(self.buffer.len(), |end| end + 1));
                scanner.scan(&self.buffer);
                self.buffer = rest;
                if end.is_none() {
                    return (scanner.bytes() >= self.chunk_bytes).then(|| scanner.take(source));
                }
                scanner.end_record();
                let chunk = scanner.take(source);
                self.line += 1;
                self.searched = 0;
                self.layout = Layout::Lines;
                if chunk.is_empty() { self.full(source) } else { Some(chunk) }
            }
            Layout::Spread(scanner) => {
                scanner.scan(&self.buffer);
                self.buffer.clear();
                (scanner.bytes() >= self.chunk_bytes).then(|| scanner.take(source))
            }
        }
    }

    /// What is left at the end of the source; to be asked for until there is nothing.
    pub(super) fn rest(&mut self, source: &Arc<str>) -> Option<Chunk> {
        self.settle(true);
        match &mut self.layout {
            Layout::Unmarked | Layout::Unknown | Layout::Lines => {
                if self.buffer.is_empty() {
                    return None;
                }
                self.cut(self.buffer.len(), source)
            }
            Layout::Refused(_) => None,
            Layout::Rows(rows) => {
                if !self.buffer.is_empty() {
                    rows.read(&self.buffer);
                    self.buffer.clear();
                }
                rows.read(&[]);
                Some(rows.take(source)).filter(|chunk| !chunk.is_empty())
            }
            Layout::Container(container) => {
                container.read(&self.buffer);
                self.buffer.clear();
                container.finish();
                Some(container.take(source)).filter(|chunk| !chunk.is_empty())
            }
            Layout::Overlong(_) if memchr::memchr(b'\n', &self.buffer).is_some() => self.full(source),
            Layout::Overlong(scanner) | Layout::Spread(scanner) => {
                scanner.scan(&self.buffer);
                self.buffer.clear();
                scanner.end_record();
                Some(scanner.take(source)).filter(|chunk| !chunk.is_empty())
            }
        }
    }

    /// Makes a chunk of the first `end` bytes.
    fn cut(&mut self, end: usize, source: &Arc<str>) -> Option<Chunk> {
        let left = self.buffer.get(end..).unwrap_or_default();
        // Room for the next chunk at once: to grow into it would copy it several times.
        let mut rest = Vec::with_capacity(left.len() + self.chunk_bytes);
        rest.extend_from_slice(left);
        let mut text = std::mem::replace(&mut self.buffer, rest);
        text.truncate(end);
        self.searched = 0;
        let first_line = self.line;
        self.line += memchr::memchr_iter(b'\n', &text).count() as u64;
        Some(Chunk {
            source: source.clone(),
            text,
            first_line,
            starts: Vec::new(),
            damaged: Vec::new(),
            skipped: Vec::new(),
        })
    }

    /// What the source is, where that is known and not read.
    pub(super) fn refusal(&mut self, at_end: bool) -> Option<Unsupported> {
        self.settle(at_end);
        let Layout::Refused(unsupported) = &self.layout else { return None };
        self.buffer.clear();
        Some(*unsupported)
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
        let first = self.buffer.get(..line_end.unwrap_or(self.buffer.len())).unwrap_or_default();
        let spread = match first.first() {
            None => false,
            Some(b'[') => true,
            Some(b'{') => joined(first) || (line_end.is_some() && continues(first)),
            Some(_) => false,
        };
        // A header may stand behind other lines.
        let is_text = !matches!(first.first(), Some(b'{' | b'[') | None);
        let lines = if is_text { HEADER_LINES_MAX } else { 1 };
        let has_lines = memchr::memchr_iter(b'\n', &self.buffer).take(lines).count() == lines;
        let decided = spread || has_lines || at_end || self.buffer.len() > self.record_bytes_max;
        if !decided {
            return;
        }
        self.layout = match first.first() {
            _ if spread => Layout::Spread(Box::new(Scanner::new(self.line, self.record_bytes_max))),
            Some(_) if container::wrote(first) => {
                Layout::Container(Box::new(Container::new(self.line, self.record_bytes_max)))
            }
            Some(b'{') | None => Layout::Lines,
            Some(_) => match header(&self.buffer) {
                (_, Header::Unknown) => Layout::Lines,
                (before, Header::Table(table)) => {
                    self.line += self.buffer.drain(..before).filter(|byte| *byte == b'\n').count() as u64;
                    Layout::Rows(Box::new(Rows::new(table, self.line)))
                }
                (_, Header::Unsupported(unsupported)) => Layout::Refused(unsupported),
            },
        };
    }

    /// Lets go of white space at the start, which may be all there is for gigabytes.
    fn skip_blank(&mut self) {
        let blank = self.buffer.len() - self.buffer.trim_ascii_start().len();
        self.line += self.buffer.drain(..blank).filter(|byte| *byte == b'\n').count() as u64;
    }
}

/// The header of a table, and how many bytes stand before it: what a program wrote about its export, or headings over the
/// columns.
pub(super) fn header(text: &[u8]) -> (usize, Header) {
    let mut before = 0;
    let mut lines = text.split(|byte| *byte == b'\n').take(HEADER_LINES_MAX);
    let first = lines.next().unwrap_or_default();
    let of = |line: &[u8]| Header::of(line.get(..HEADER_BYTES_MAX).unwrap_or(line));
    let found = of(first);
    if matches!(found, Header::Table(_)) || memchr::memchr(b'{', first).is_some() {
        return (0, found);
    }
    let mut last = first;
    for line in lines {
        before += last.len() + 1;
        last = line;
        if let table @ Header::Table(_) = of(line) {
            return (before, table);
        }
    }
    (0, found)
}

/// Among how many lines the header of a table is looked for.
const HEADER_LINES_MAX: usize = 8;

/// Whether a line is the beginning of a pretty-printed object, and not a damaged record.
fn continues(line: &[u8]) -> bool {
    let mut scanner = Scanner::new(1, line.len());
    scanner.scan(line);
    scanner.is_open() && matches!(line.trim_ascii_end().last(), Some(b'{' | b'[' | b','))
}

/// Whether another object follows the first on its line, as delivery streams join them.
fn joined(line: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut string = Quoted::default();
    for (at, byte) in line.iter().enumerate() {
        match byte {
            byte if string.holds(*byte) => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    let rest = line.get(at + 1..).unwrap_or_default();
                    return rest.trim_ascii_start().first() == Some(&b'{');
                }
            }
            _ => {}
        }
    }
    false
}

pub(super) const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The longest header of a table, in bytes.
const HEADER_BYTES_MAX: usize = 64 * 1024;
