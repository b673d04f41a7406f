//! Lines of a container runtime (CRI): a time, the stream, and a tag before each, and long lines in parts.
//!
//! Runtimes cut lines at about 16 KB, which a record easily is. A part has the tag `P`, the last one `F`; parts of both
//! streams may alternate. A record that grows over what a record may be is ended there.

use std::sync::Arc;

use super::{Chunk, Records};

/// Whether a line was written by a container runtime.
pub(super) fn wrote(line: &[u8]) -> bool {
    Line::of(line).is_some()
}

/// A line taken apart.
struct Line<'l> {
    is_error: bool,
    is_part: bool,
    text: &'l [u8],
}

impl<'l> Line<'l> {
    fn of(line: &'l [u8]) -> Option<Self> {
        let mut words = line.splitn(4, |byte| *byte == b' ');
        let (time, stream, tags) = (words.next()?, words.next()?, words.next()?);
        let is_time = time.len() >= TIME_BYTES_MIN && time.first()?.is_ascii_digit() && time.contains(&b'T');
        let is_error = match stream {
            b"stdout" => false,
            b"stderr" => true,
            _ => return None,
        };
        // More tags may follow behind colons.
        let is_part = match tags.split(|byte| *byte == b':').next()? {
            b"P" => true,
            b"F" => false,
            _ => return None,
        };
        is_time.then_some(Line { is_error, is_part, text: words.next().unwrap_or_default() })
    }
}

/// `2026-06-15T08:00:00Z`.
const TIME_BYTES_MIN: usize = 20;

/// Such a text being read.
pub(super) struct Container {
    record_bytes_max: usize,
    whole: Records,
    /// The line that is being read.
    line: u64,
    rest: Vec<u8>,
    /// What came of a record on standard output and on standard error, with the line it began on.
    parts: [(Vec<u8>, u64); 2],
}

impl Container {
    pub(super) fn new(line: u64, record_bytes_max: usize) -> Self {
        Container {
            record_bytes_max,
            whole: Records::default(),
            line,
            rest: Vec::new(),
            parts: [(Vec::new(), line), (Vec::new(), line)],
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.whole.text.len()
    }

    pub(super) fn read(&mut self, bytes: &[u8]) {
        let mut lines = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            self.rest.extend_from_slice(line);
            let ends = lines.peek().is_some();
            if ends || self.rest.len() > self.record_bytes_max {
                let line = std::mem::take(&mut self.rest);
                self.end_line(&line);
                self.line += u64::from(ends);
            }
        }
    }

    /// What is left at the end.
    pub(super) fn finish(&mut self) {
        let line = std::mem::take(&mut self.rest);
        self.end_line(&line);
        for (part, start) in std::mem::take(&mut self.parts) {
            self.record(&part, start);
        }
    }

    fn end_line(&mut self, line: &[u8]) {
        let Some(Line { is_error, is_part, text }) = Line::of(line) else { return self.record(line, self.line) };
        let [output, errors] = &mut self.parts;
        let (part, start) = if is_error { errors } else { output };
        if part.is_empty() {
            *start = self.line;
        }
        part.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
        if !is_part || part.len() > self.record_bytes_max {
            let (whole, start) = (std::mem::take(part), *start);
            self.record(&whole, start);
        }
    }

    fn record(&mut self, record: &[u8], start: u64) {
        if !record.trim_ascii().is_empty() {
            self.whole.push(record, start);
        }
    }

    pub(super) fn take(&mut self, source: &Arc<str>) -> Chunk {
        self.whole.take(source, self.line)
    }
}
