//! Reading chunks: every record of a chunk to a sink, and an account of what could not be read.
//!
//! Nothing here ends a run. A chunk is read on its own, so chunks can be read in parallel; the reports of a source,
//! merged in the order of its chunks, say the same whatever the sizes of the chunks were.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::account::read_account;
use crate::bad::{BadRecord, Notes};
use crate::format::{self, Format};
use crate::source::{Chunk, SourceError};
use crate::{AccountFact, Exchange, Time, limits};

/// What reading came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Exchanges or account facts read.
    pub records: u64,
    /// Exchanges by format.
    pub by_format: BTreeMap<Format, u64>,
    /// Lines that were no record, or held a wrong one.
    pub bad_lines: u64,
    /// The first [`limits::BAD_LINES_KEPT_MAX`] of them.
    pub kept: Vec<BadLine>,
    /// What was noted about records that were read.
    pub notes: Notes,
    /// Sources that ended before their end, as messages.
    pub broken_sources: Vec<String>,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// The name of the source.
    pub source: Arc<str>,
    /// The line, counted from 1.
    pub line: u64,
    /// Why.
    pub reason: BadRecord,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.source, self.line, self.reason)
    }
}

impl ReadReport {
    /// Adds what came after this.
    pub fn merge(&mut self, later: ReadReport) {
        self.records += later.records;
        for (format, count) in later.by_format {
            *self.by_format.entry(format).or_default() += count;
        }
        self.bad_lines += later.bad_lines;
        let room = limits::BAD_LINES_KEPT_MAX.saturating_sub(self.kept.len());
        self.kept.extend(later.kept.into_iter().take(room));
        self.notes.merge(later.notes);
        self.broken_sources.extend(later.broken_sources);
    }

    /// Takes note of a source that ended before its end.
    pub fn source_broke(&mut self, error: &SourceError) {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        self.broken_sources.push(format!("{error}{cause}"));
    }

    /// Of all lines with anything on them, the share that was bad; 0 when there was none.
    #[must_use]
    pub fn bad_share(&self) -> f64 {
        let lines = self.records + self.bad_lines;
        if lines == 0 { 0.0 } else { self.bad_lines as f64 / lines as f64 }
    }

    fn bad(&mut self, source: &Arc<str>, line: u64, reason: BadRecord) {
        self.bad_lines += 1;
        if self.kept.len() < limits::BAD_LINES_KEPT_MAX {
            self.kept.push(BadLine { source: source.clone(), line, reason });
        }
    }
}

/// Reads the exchanges of a chunk, in order.
///
/// Each record is recognised on its own unless `format` says what it is. With a `reference_time`, exchanges more than
/// [`limits::FUTURE_SECONDS_MAX`] later are bad.
pub fn parse_chunk<'c>(
    chunk: &'c Chunk,
    format: Option<Format>,
    reference_time: Option<Time>,
    sink: &mut dyn FnMut(Exchange<'c>),
    report: &mut ReadReport,
) {
    each_record(chunk, report, |text, line, report| {
        let mut read: u64 = 0;
        let mut future = None;
        let mut checked = |exchange: Exchange<'c>| match check_future(exchange.time, reference_time) {
            Ok(()) => {
                read += 1;
                sink(exchange);
            }
            Err(reason) => future = Some(reason),
        };
        let outcome = format::read(format, text, &chunk.source, line, &mut report.notes, &mut checked);
        report.records += read;
        let (format, outcome) = match outcome {
            Ok(format) => (Some(format), Ok(())),
            // Only OTLP texts hold good exchanges beside bad ones.
            Err(reason) => ((read > 0).then_some(Format::Otlp), Err(reason)),
        };
        if let (Some(format), 1..) = (format, read) {
            *report.by_format.entry(format).or_default() += read;
        }
        outcome.and(future.map_or(Ok(()), Err))
    });
}

/// Reads the account facts of a chunk, in order, as [`parse_chunk`] reads exchanges.
pub fn parse_accounts<'c>(
    chunk: &'c Chunk,
    reference_time: Option<Time>,
    sink: &mut dyn FnMut(AccountFact<'c>),
    report: &mut ReadReport,
) {
    each_record(chunk, report, |text, _, report| {
        let fact = read_account(text, &mut report.notes)?;
        check_future(fact.time, reference_time)?;
        report.records += 1;
        sink(fact);
        Ok(())
    });
}

/// The time of the first exchange of a chunk that can be read, looking at a few records at most.
#[must_use]
pub fn first_time(chunk: &Chunk, format: Option<Format>) -> Option<Time> {
    let mut notes = Notes::default();
    chunk.records().take(limits::FIRST_TIME_RECORDS_MAX).find_map(|(line, record)| {
        let mut time = None;
        let text = std::str::from_utf8(record).ok()?;
        format::read(format, text, &chunk.source, line, &mut notes, &mut |exchange| {
            time = Some(exchange.time);
        })
        .ok()?;
        time
    })
}

/// Hands every record of `chunk` to `read` and puts down what went wrong, in the order of lines.
fn each_record<'c>(
    chunk: &'c Chunk,
    report: &mut ReadReport,
    mut read: impl FnMut(&'c str, u64, &mut ReadReport) -> Result<(), BadRecord>,
) {
    let mut skipped = chunk.skipped().peekable();
    for (line, bytes) in chunk.records() {
        while let Some((at, reason)) = skipped.next_if(|(at, _)| *at < line) {
            report.bad(&chunk.source, at, reason.clone());
        }
        let outcome = if bytes.len() > limits::RECORD_BYTES_MAX {
            Err(BadRecord::TooLong)
        } else {
            std::str::from_utf8(bytes)
                .map_err(|error| BadRecord::NotUtf8 { column: error.valid_up_to() + 1 })
                .and_then(|text| read(text, line, report))
        };
        if let Err(reason) = outcome {
            report.bad(&chunk.source, line, reason);
        }
    }
    for (at, reason) in skipped {
        report.bad(&chunk.source, at, reason.clone());
    }
}

fn check_future(time: Time, reference_time: Option<Time>) -> Result<(), BadRecord> {
    let Some(reference) = reference_time else { return Ok(()) };
    let latest = reference.nanos().saturating_add(limits::FUTURE_SECONDS_MAX * 1_000_000_000);
    if time.nanos() > latest { Err(BadRecord::Future { time }) } else { Ok(()) }
}
