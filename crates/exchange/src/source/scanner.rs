//! Finds the objects in a stream of JSON: one after the other or in arrays, on any number of lines.

use std::sync::Arc;

use super::chunk::{Chunk, RECORD_SEPARATOR, Records};
use super::shorten::Shortener;
use crate::bad::{BadRecord, Damage};
use crate::limits;
use crate::seam::{self, Quoted, Seams, Step};

/// Follows brackets and strings and checks nothing else. What is no object becomes a record of its own to the end of its
/// line, so that the reader reports it. Damage is contained where JSON allows to see it: a line that ends inside a string,
/// and a [seam], end the record they are in.
#[derive(Debug)]
pub(super) struct Scanner {
    record_bytes_max: usize,
    whole: Records,
    /// The record being read.
    record: Vec<u8>,
    start: u64,
    /// The same where it is too long.
    overlong: Option<Shortener>,
    line: u64,
    seams: Seams,
    in_junk: bool,
    /// Whether an item of an array may begin.
    at_item: bool,
    /// The record, where it is a text that stands in an array.
    text: Quoted,
}

impl Scanner {
    /// Starts at `line`.
    pub(super) fn new(line: u64, record_bytes_max: usize) -> Self {
        Scanner {
            record_bytes_max,
            whole: Records::default(),
            record: Vec::new(),
            start: line,
            overlong: None,
            line,
            seams: Seams::default(),
            in_junk: false,
            at_item: false,
            text: Quoted::default(),
        }
    }

    /// Whether bytes are the beginning of one object spread over lines.
    pub(super) fn is_open(&self) -> bool {
        !self.seams.is_closed() && !self.seams.in_string()
    }

    /// Bytes of the records that are whole.
    pub(super) fn bytes(&self) -> usize {
        self.whole.text.len()
    }

    pub(super) fn scan(&mut self, mut bytes: &[u8]) {
        while let Some((byte, rest)) = bytes.split_first() {
            if let Some((run, behind)) = self.within_string(bytes) {
                self.seams.pass(run);
                self.keep_run(run);
                bytes = behind;
                continue;
            }
            self.step(*byte);
            self.line += u64::from(*byte == b'\n');
            bytes = rest;
        }
    }

    /// The bytes from here on that change nothing but the text of a string, and those behind them.
    fn within_string<'b>(&self, bytes: &'b [u8]) -> Option<(&'b [u8], &'b [u8])> {
        if self.in_junk || self.text.is_open() || !self.seams.in_plain_string() {
            return None;
        }
        let end = memchr::memchr3(b'"', b'\\', b'\n', bytes).unwrap_or(bytes.len());
        bytes.split_at_checked(end).filter(|(run, _)| !run.is_empty())
    }

    fn step(&mut self, byte: u8) {
        if self.in_junk {
            return self.junk(byte);
        }
        if self.text.is_open() {
            return self.in_text(byte);
        }
        if self.seams.in_string() && byte == b'\n' {
            return if self.seams.ends_in_brace() {
                self.begin_again(b"{");
            } else {
                self.end_record();
            };
        }
        if self.seams.is_closed() {
            self.start = self.line;
            match byte {
                b'{' => {}
                b'[' | b']' | b',' | RECORD_SEPARATOR => {
                    self.at_item = true;
                    return;
                }
                byte if byte.is_ascii_whitespace() => return,
                b'"' if self.at_item => {
                    self.text.holds(byte);
                    return self.keep(byte);
                }
                _ => {
                    self.in_junk = true;
                    return self.keep(byte);
                }
            }
        }
        match self.seams.step(byte) {
            Step::Within => {}
            Step::Here => {
                self.end_record();
                self.seams.step(byte);
            }
            Step::Before => {
                self.begin_again(b"{\"");
                self.seams.step(byte);
            }
        }
        self.keep(if byte == b'\n' { b' ' } else { byte });
        if self.seams.is_closed() {
            self.end_record();
        }
    }

    /// What is no object goes to the end of its line, or to the next object where it is longer than what stands before one.
    fn junk(&mut self, byte: u8) {
        match byte {
            b'\n' => self.end_record(),
            b'{' if self.record.len() > limits::JUNK_BYTES_MAX || self.overlong.is_some() => {
                self.end_record();
                self.step(byte);
            }
            _ => self.keep(byte),
        }
    }

    /// A record as JSON in a text.
    fn in_text(&mut self, byte: u8) {
        if byte == b'\n' {
            return self.end_record();
        }
        self.keep(byte);
        self.text.holds(byte);
        if !self.text.is_open() {
            self.end_record();
        }
    }

    /// Ends the record before `begun`, which turned out to be the beginning of the next one.
    fn begin_again(&mut self, begun: &[u8]) {
        self.close(true);
        for byte in begun {
            self.seams.step(*byte);
            self.keep(*byte);
        }
    }

    fn keep_run(&mut self, run: &[u8]) {
        if self.overlong.is_none() && self.record.len() + run.len() <= self.record_bytes_max {
            self.record.extend_from_slice(run);
        } else {
            run.iter().for_each(|byte| self.keep(*byte));
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
        self.close(false);
    }

    fn close(&mut self, takes_back: bool) {
        if let Some(shortener) = self.overlong.take() {
            match shortener.finish() {
                Some(record) => {
                    self.whole.damaged.push((self.start, Damage::Overlong));
                    self.record = record;
                }
                None => self.whole.skipped.push((self.start, BadRecord::TooLong)),
            }
        }
        if takes_back {
            seam::take_back(&mut self.record);
        }
        // A brace alone, before the brace of another record, is the beginning of nothing.
        let is_nothing = self.record.is_empty() || takes_back && self.record.trim_ascii() == b"{";
        if !is_nothing {
            self.whole.push(&self.record, self.start);
        }
        self.record.clear();
        self.seams = Seams::default();
        self.in_junk = false;
        self.at_item = false;
        self.text = Quoted::default();
        self.start = self.line;
    }

    pub(super) fn take(&mut self, source: &Arc<str>) -> Chunk {
        self.whole.take(source, self.line)
    }
}

impl Chunk {
    /// A record of this chunk that is longer than [`limits::RECORD_BYTES_MAX`], as a chunk of records that are not.
    pub(crate) fn cut_up(&self, line: u64, record: &[u8]) -> Chunk {
        let mut scanner = Scanner::new(line, limits::RECORD_BYTES_MAX);
        scanner.scan(record);
        scanner.end_record();
        scanner.take(&self.source)
    }
}
