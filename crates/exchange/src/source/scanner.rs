//! Finds the objects in a stream of JSON: one after the other or in arrays, on any number of lines.

use std::sync::Arc;

use super::shorten::Shortener;
use super::{Chunk, Skipped};
use crate::bad::BadRecord;

/// Counts brackets outside of strings and checks nothing else. What is no object becomes a record of its own to the end of
/// its line, so that the reader reports it. Damage is contained where JSON allows to see it: a line that ends inside a
/// string, and an object that follows a brace without a comma or a key, end the record they are in.
#[derive(Debug)]
pub(super) struct Scanner {
    record_bytes_max: usize,
    /// Whole records, one to a line.
    text: Vec<u8>,
    starts: Vec<u64>,
    shortened: Vec<u64>,
    skipped: Vec<Skipped>,
    /// The record being read.
    record: Vec<u8>,
    start: u64,
    /// The same where it is too long.
    overlong: Option<Shortener>,
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
    pub(super) fn new(line: u64, record_bytes_max: usize) -> Self {
        Scanner {
            record_bytes_max,
            text: Vec::new(),
            starts: Vec::new(),
            shortened: Vec::new(),
            skipped: Vec::new(),
            record: Vec::new(),
            start: line,
            overlong: None,
            line,
            depth: 0,
            in_string: false,
            escaped: false,
            in_junk: false,
            before: 0,
        }
    }

    /// Whether bytes are the beginning of one object spread over lines.
    pub(super) fn is_open(&self) -> bool {
        self.depth > 0 && !self.in_string
    }

    /// Bytes of the records that are whole.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    pub(super) fn scan(&mut self, bytes: &[u8]) {
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
                b'[' | b']' | b',' | RECORD_SEPARATOR => return,
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
        if let Some(shortener) = &mut self.overlong {
            shortener.push(byte);
        } else if self.record.len() < self.record_bytes_max {
            self.record.push(byte);
        } else {
            let mut shortener = Shortener::new(&self.record, self.record_bytes_max);
            shortener.push(byte);
            self.record = Vec::new();
            self.overlong = Some(shortener);
        }
    }

    pub(super) fn end_record(&mut self) {
        if let Some(shortener) = self.overlong.take() {
            match shortener.finish() {
                Some(record) => {
                    self.shortened.push(self.start);
                    self.record = record;
                }
                None => self.skipped.push((self.start, BadRecord::TooLong)),
            }
        }
        if !self.record.is_empty() {
            self.text.append(&mut self.record);
            self.text.push(b'\n');
            self.starts.push(self.start);
        }
        self.depth = 0;
        self.in_string = false;
        self.escaped = false;
        self.in_junk = false;
        self.before = 0;
        self.start = self.line;
    }

    pub(super) fn take(&mut self, source: &Arc<str>) -> Chunk {
        let starts = std::mem::take(&mut self.starts);
        Chunk {
            source: source.clone(),
            text: std::mem::take(&mut self.text),
            first_line: starts.first().copied().unwrap_or(self.line),
            starts,
            shortened: std::mem::take(&mut self.shortened),
            skipped: std::mem::take(&mut self.skipped),
        }
    }
}

/// Stands before each text of a JSON text sequence (RFC 7464).
pub(super) const RECORD_SEPARATOR: u8 = 0x1e;
