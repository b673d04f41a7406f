//! Reading chunks: every record of a chunk to a sink, and an account of what could not be read.
//!
//! Nothing here ends a run. A chunk is read on its own, so chunks can be read in parallel; the reports of a source,
//! merged in the order of its chunks, say the same whatever the sizes of the chunks were.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::account::{AccountFact, may_be_account, read_account};
use crate::bad::{BadRecord, Damage, Damages, Notes, Remark};
use crate::call::{Call, Who};
use crate::census::Census;
use crate::format::Format;
use crate::limits;
use crate::options::ReadOptions;
use crate::reader;
use crate::record::Exchange;
use crate::source::{Chunk, SourceError};
use crate::time::Time;

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
    /// Records that were read although something was wrong with them.
    pub damaged: u64,
    /// The same by what was wrong, with the first place of each.
    pub damage: BTreeMap<Damage, Tally>,
    /// The same by account; at most [`limits::DAMAGED_ACCOUNTS_MAX`] accounts.
    pub damaged_accounts: BTreeMap<String, u64>,
    /// What was done with records besides reading them, with the first place of each.
    pub remarks: BTreeMap<Remark, Tally>,
    /// Who and what they name.
    pub census: Census,
    /// Sources that ended before their end, as messages.
    pub broken_sources: Vec<String>,
}

/// How often something was met, and where first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// The name of the source where it was met first.
    pub source: Arc<str>,
    /// The line there, counted from 1.
    pub line: u64,
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
    /// Where no account was found, the fields of the record that may hold one, by name only.
    pub may_be_account: Vec<String>,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.source, self.line, self.reason)?;
        if !self.may_be_account.is_empty() {
            write!(f, "; the record has `{}`", self.may_be_account.join("`, `"))?;
        }
        Ok(())
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
        self.census.merge(later.census);
        self.damaged += later.damaged;
        for (damage, tally) in later.damage {
            self.damage.entry(damage).and_modify(|have| have.count += tally.count).or_insert(tally);
        }
        for (remark, tally) in later.remarks {
            self.remarks.entry(remark).and_modify(|have| have.count += tally.count).or_insert(tally);
        }
        for (account, count) in later.damaged_accounts {
            self.damaged_by(account, count);
        }
        self.broken_sources.extend(later.broken_sources);
    }

    /// Counts an exchange that stood in no text, as a native record counts.
    pub fn see(&mut self, exchange: &Exchange<'_>, options: &ReadOptions) {
        self.records += 1;
        *self.by_format.entry(Format::Native).or_default() += 1;
        self.census.see_exchange(exchange, Who::Account, options);
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

    pub(crate) fn remark(&mut self, remark: Remark, source: &Arc<str>, line: u64) {
        let first = || Tally { count: 0, source: source.clone(), line };
        self.remarks.entry(remark).or_insert_with(first).count += 1;
    }

    fn damaged_by(&mut self, account: String, count: u64) {
        if self.damaged_accounts.len() < limits::DAMAGED_ACCOUNTS_MAX || self.damaged_accounts.contains_key(&account) {
            *self.damaged_accounts.entry(account).or_default() += count;
        }
    }

    /// Puts down what was wrong with a record that was read.
    fn note_damage(&mut self, damage: Damages, source: &Arc<str>, line: u64) {
        self.damaged += 1;
        for damage in damage.iter() {
            let first = || Tally { count: 0, source: source.clone(), line };
            self.damage.entry(damage).or_insert_with(first).count += 1;
        }
    }

    pub(crate) fn bad(&mut self, source: &Arc<str>, line: u64, reason: BadRecord) {
        self.bad_lines += 1;
        if self.kept.len() < limits::BAD_LINES_KEPT_MAX {
            self.kept.push(BadLine { source: source.clone(), line, reason, may_be_account: Vec::new() });
        }
    }

    /// The same for a record that is there to look at: where only its account is missing, its reader can name the field.
    fn bad_record(&mut self, source: &Arc<str>, line: u64, reason: BadRecord, text: &[u8]) {
        let lacks_account = matches!(reason, BadRecord::Missing { field: "account", .. });
        let is_kept = self.kept.len() < limits::BAD_LINES_KEPT_MAX;
        self.bad(source, line, reason);
        if let Some(bad) = self.kept.last_mut().filter(|_| lacks_account && is_kept) {
            bad.may_be_account = may_be_account(text);
        }
    }
}

/// Reads the calls of a chunk, in order, each with its line. A [`Joiner`](crate::Joiner) makes exchanges of them, and counts them.
///
/// Each record is recognised on its own unless the options say what it is. Where they say what time it is, exchanges more
/// than [`limits::FUTURE_SECONDS_MAX`] later or [`limits::PAST_SECONDS_MAX`] earlier are bad.
pub fn parse_chunk(chunk: &Chunk, options: &ReadOptions, sink: &mut dyn FnMut(Call<'_>, u64), report: &mut ReadReport) {
    each_record(chunk, report, &mut |text, line, report| {
        let mut refused = Ok(());
        let mut damaged = Vec::new();
        let census = &mut report.census;
        let mut checked = |mut call: Call<'_>| match check_time(call.exchange.time, options.now) {
            Ok(()) => {
                if call.is_call || call.is_outer {
                    // What waits for another record is counted when it goes on.
                    if call.stands_alone() {
                        census.see(&call, options);
                    }
                    if !call.damage.is_empty() {
                        damaged.push((call.exchange.account.as_str().to_owned(), call.damage));
                    }
                }
                if options.one_org && call.stands_alone() {
                    call.exchange.org = None;
                }
                sink(call, line);
            }
            Err(reason) => refused = Err(reason),
        };
        let outcome = reader::read(options, text, &chunk.source, line, &mut report.notes, &mut checked);
        for remark in std::mem::take(&mut report.notes.remarks) {
            report.remark(remark, &chunk.source, line);
        }
        for (account, damage) in damaged {
            report.note_damage(damage, &chunk.source, line);
            report.damaged_by(account, 1);
        }
        outcome.and(refused)
    });
}

/// Reads the account facts of a chunk, in order, as [`parse_chunk`] reads exchanges.
pub fn parse_accounts(
    chunk: &Chunk,
    reference_time: Option<Time>,
    sink: &mut dyn FnMut(AccountFact<'_>),
    report: &mut ReadReport,
) {
    each_record(chunk, report, &mut |text, line, report| {
        let fact = read_account(text, &mut report.notes)?;
        check_time(fact.time, reference_time)?;
        report.records += 1;
        let damage = std::mem::take(&mut report.notes.damage);
        if !damage.is_empty() {
            report.note_damage(damage, &chunk.source, line);
            report.damaged_by(fact.account.as_str().to_owned(), 1);
        }
        sink(fact);
        Ok(())
    });
}

/// The time of the first exchange of a chunk that can be read, looking at a few records at most.
#[must_use]
pub fn first_time(chunk: &Chunk, options: &ReadOptions) -> Option<Time> {
    let mut notes = Notes::default();
    chunk.records().take(limits::FIRST_TIME_RECORDS_MAX).find_map(|(line, record)| {
        let mut time = None;
        reader::read(options, record, &chunk.source, line, &mut notes, &mut |call| {
            time = time.or(Some(call.exchange.time));
        })
        .ok();
        time
    })
}

/// Reads the record that begins on a line.
type ReadRecord<'f> = dyn FnMut(&[u8], u64, &mut ReadReport) -> Result<(), BadRecord> + 'f;

/// Hands every record of `chunk` to `read` and puts down what went wrong, in the order of lines.
fn each_record(chunk: &Chunk, report: &mut ReadReport, read: &mut ReadRecord<'_>) {
    let mut skipped = chunk.skipped().peekable();
    for (line, bytes) in chunk.records() {
        while let Some((at, reason)) = skipped.next_if(|(at, _)| *at < line) {
            report.bad(&chunk.source, at, reason.clone());
        }
        report.notes.damage = Damages::default();
        chunk.damage_at(line).for_each(|damage| report.notes.damage.insert(damage));
        if bytes.len() > limits::RECORD_BYTES_MAX && chunk.damage_at(line).all(|damage| damage != Damage::Overlong) {
            each_record(&chunk.cut_up(line, bytes), report, read);
            continue;
        }
        if let Err(reason) = read(bytes, line, report) {
            report.bad_record(&chunk.source, line, reason, bytes);
        }
    }
    for (at, reason) in skipped {
        report.bad(&chunk.source, at, reason.clone());
    }
}

fn check_time(time: Time, reference_time: Option<Time>) -> Result<(), BadRecord> {
    let Some(reference) = reference_time else { return Ok(()) };
    let latest = reference.nanos().saturating_add(limits::FUTURE_SECONDS_MAX * 1_000_000_000);
    let earliest = reference.nanos().saturating_sub(limits::PAST_SECONDS_MAX * 1_000_000_000);
    if time.nanos() > latest {
        Err(BadRecord::Future { time })
    } else if time.nanos() < earliest {
        Err(BadRecord::Past { time })
    } else {
        Ok(())
    }
}
