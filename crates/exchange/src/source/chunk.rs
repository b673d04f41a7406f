//! Whole records of a source, each with the line it begins on.

use std::sync::Arc;

use crate::bad::{BadRecord, Damage};

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
    pub(super) starts: Vec<u64>,
    /// The lines of records that were damaged before they came here, and how.
    pub(super) damaged: Vec<(u64, Damage)>,
    /// Records that were stepped over while this chunk was read.
    pub(super) skipped: Vec<Skipped>,
}

/// Whole records that were found and not handed out yet, one to a line.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) text: Vec<u8>,
    pub(super) starts: Vec<u64>,
    pub(super) damaged: Vec<(u64, Damage)>,
    pub(super) skipped: Vec<Skipped>,
}

impl Records {
    pub(super) fn push(&mut self, record: &[u8], start: u64) {
        self.text.extend_from_slice(record);
        self.text.push(b'\n');
        self.starts.push(start);
    }

    /// Hands them out; `line` is where reading goes on.
    pub(super) fn take(&mut self, source: &Arc<str>, line: u64) -> Chunk {
        let Records { text, starts, damaged, skipped } = std::mem::take(self);
        let first_line = starts.first().copied().unwrap_or(line);
        Chunk { source: source.clone(), text, first_line, starts, damaged, skipped }
    }
}

/// The line a record begins on, and why it is not here.
pub(super) type Skipped = (u64, BadRecord);

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

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.skipped.is_empty()
    }
}

/// A record without white space around it, nor the separator of a JSON text sequence.
fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    line.strip_prefix(&[RECORD_SEPARATOR]).map_or(line, <[u8]>::trim_ascii)
}

/// Stands before each text of a JSON text sequence (RFC 7464).
pub(super) const RECORD_SEPARATOR: u8 = 0x1e;
