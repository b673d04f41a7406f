//! Lines of a container runtime, which cuts long ones at about 16 KB, which a record easily is.
//!
//! The Container Runtime Interface (CRI) writes a time, the stream, and a tag before each line: `P` for a part, `F` for the
//! last one. Docker writes objects with the text under `log`: its file logger leaves the newline of a part out, its other
//! loggers say `partial_message`. Parts of several lines may alternate. A record that grows over what a record may be is
//! ended there.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::chunk::{Chunk, Records};
use crate::limits;

/// Whether a line was written by a container runtime.
pub(super) fn wrote(line: &[u8]) -> bool {
    let is_docker = || {
        let object: Option<Map<String, Value>> = serde_json::from_slice(line).ok();
        object.is_some_and(|object| {
            let has = |key| object.contains_key(key);
            is_stream(&object) && has("log") && (has("time") && object.len() <= 4 || has("container_id"))
        })
    };
    if line.first() == Some(&b'{') { is_docker() } else { Line::of_cri(line).is_some() }
}

/// A line taken apart.
struct Line<'l> {
    /// What it has in common with other parts of the same line.
    of: Cow<'l, str>,
    is_part: bool,
    text: Cow<'l, [u8]>,
    /// The object around the text.
    around: Option<Map<String, Value>>,
}

impl<'l> Line<'l> {
    fn of_cri(line: &'l [u8]) -> Option<Self> {
        let mut words = line.splitn(4, |byte| *byte == b' ');
        let (time, stream, tags) = (words.next()?, words.next()?, words.next()?);
        let is_time = time.len() >= TIME_BYTES_MIN && time.first()?.is_ascii_digit() && time.contains(&b'T');
        let of = STREAMS.into_iter().find(|name| name.as_bytes() == stream)?;
        // More tags may follow behind colons.
        let is_part = match tags.split(|byte| *byte == b':').next()? {
            b"P" => true,
            b"F" => false,
            _ => return None,
        };
        let text = words.next().unwrap_or_default();
        let text = Cow::Borrowed(text.strip_suffix(b"\r").unwrap_or(text));
        is_time.then_some(Line { of: Cow::Borrowed(of), is_part, text, around: None })
    }

    fn of_docker(line: &[u8]) -> Option<Self> {
        let object: Map<String, Value> = serde_json::from_slice(line).ok().filter(is_stream)?;
        let text = object.get("log")?.as_str()?.to_owned();
        let word = |key| object.get(key).and_then(Value::as_str);
        let (of, is_part) = if word("partial_message") == Some("true") {
            (word("partial_id").or_else(|| word("container_id"))?.to_owned(), word("partial_last") != Some("true"))
        } else {
            let is_whole = || serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            (stream(&object)?.to_owned(), is_cut(&text) && !is_whole())
        };
        Some(Line { of: Cow::Owned(of), is_part, text: Cow::Owned(text.into_bytes()), around: Some(object) })
    }
}

/// Whether Docker's file logger cut a text, which ends in a newline otherwise. Other programs take the newline away, so it
/// must be as long as a part is.
fn is_cut(text: &str) -> bool {
    text.len() >= PART_BYTES && !text.ends_with('\n')
}

fn stream(object: &Map<String, Value>) -> Option<&str> {
    let stream = object.get("stream").or_else(|| object.get("source"))?.as_str()?;
    STREAMS.contains(&stream).then_some(stream)
}

fn is_stream(object: &Map<String, Value>) -> bool {
    stream(object).is_some()
}

const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// `2026-06-15T08:00:00Z`.
const TIME_BYTES_MIN: usize = 20;

/// Bytes of a part that Docker cuts off (moby, `daemon/logger/copier.go`).
const PART_BYTES: usize = 16 * 1024;

/// Such a text being read.
pub(super) struct Container {
    record_bytes_max: usize,
    whole: Records,
    /// The line that is being read.
    line: u64,
    rest: Vec<u8>,
    /// Lines of which not all parts have come, the oldest first.
    begun: Vec<Begun>,
}

/// The parts of a line that have come.
struct Begun {
    of: String,
    text: Vec<u8>,
    /// The line that the first of them stands on.
    start: u64,
    around: Option<Map<String, Value>>,
}

impl Begun {
    /// The record, in what stood around its first part.
    fn into_record(self) -> (Vec<u8>, u64) {
        let Some(mut object) = self.around else { return (self.text, self.start) };
        object.retain(|key, _| !key.starts_with("partial_"));
        object.insert("log".to_owned(), Value::String(String::from_utf8_lossy(&self.text).into_owned()));
        // Writing to memory does not fail.
        (serde_json::to_vec(&object).unwrap_or_default(), self.start)
    }
}

impl Container {
    pub(super) fn new(line: u64, record_bytes_max: usize) -> Self {
        Container { record_bytes_max, whole: Records::default(), line, rest: Vec::new(), begun: Vec::new() }
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
        for begun in std::mem::take(&mut self.begun) {
            self.hand_out(begun);
        }
    }

    fn end_line(&mut self, raw: &[u8]) {
        let line = if raw.first() == Some(&b'{') {
            let may_be_part = !self.begun.is_empty() || raw.len() > PART_BYTES || is_told_partial(raw);
            if may_be_part { Line::of_docker(raw) } else { None }
        } else {
            Line::of_cri(raw)
        };
        let Some(Line { of, is_part, text, around }) = line else { return self.record(raw, self.line) };
        let at = self.begun.iter().position(|begun| begun.of == of);
        let mut begun = match at {
            Some(at) => self.begun.remove(at),
            None if !is_part && around.is_some() => return self.record(raw, self.line),
            None => Begun { of: of.into_owned(), text: Vec::new(), start: self.line, around },
        };
        begun.text.extend_from_slice(&text);
        if !is_part || begun.text.len() > self.record_bytes_max {
            return self.hand_out(begun);
        }
        self.begun.push(begun);
        if self.begun.len() > limits::LINES_BEGUN_MAX {
            let oldest = self.begun.remove(0);
            self.hand_out(oldest);
        }
    }

    fn hand_out(&mut self, begun: Begun) {
        let (record, start) = begun.into_record();
        self.record(&record, start);
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

fn is_told_partial(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"\"partial_message\"").is_some()
}
