//! Rows of a table of comma-separated values, each as a JSON object under the names of its header.
//!
//! Commas, semicolons and tabs divide; quotes may go over several lines (RFC 4180). An empty cell is a missing field. A cell
//! is cut at [`limits::LONG_STRING_BYTES_MAX`] once its row is longer than [`limits::RECORD_BYTES_MAX`].

use std::sync::Arc;

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};

use super::chunk::{Chunk, Records};
use super::decode::Unsupported;
use crate::bad::Damage;
use crate::{limits, recognise};

/// What the first line of a text that is no JSON says it is.
pub(super) enum Header {
    /// Nothing that is known.
    Unknown,
    /// A table whose columns are known.
    Table(Table),
    /// Something that is known and not read.
    Unsupported(Unsupported),
}

/// How a table is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    delimiter: u8,
    /// Whether its columns are known in lower case and with underscores for blanks only.
    folds: bool,
}

impl Header {
    pub(super) fn of(line: &[u8]) -> Header {
        let line = String::from_utf8_lossy(line);
        let line = line.trim().trim_start_matches('\u{feff}');
        if is_access_log(line) {
            return Header::Unsupported(Unsupported {
                what: "an access log",
                advice: "it has no prompts and no accounts; hunt in the log of the gateway or of the application",
            });
        }
        if let Some(unsupported) = TEXTS.iter().find(|(begins, _)| starts_with(line, begins)).map(|(_, what)| *what) {
            return Header::Unsupported(unsupported);
        }
        for delimiter in [b',', b'\t', b';'] {
            let names: Vec<&str> =
                line.split(char::from(delimiter)).map(|name| bare(name.trim().trim_matches('"'))).collect();
            // A log shipper's, with the record in one of them.
            let is_shipper = ["@message", "message", "_raw"].iter().any(|name| names.contains(name));
            let columns_min = if is_shipper { SHIPPER_COLUMNS_MIN } else { COLUMNS_MIN };
            if names.len() < columns_min || !names.iter().all(|name| is_name(name)) {
                continue;
            }
            if is_shipper || recognise::knows_columns(&names) {
                return Header::Table(Table { delimiter, folds: false });
            }
            let folded: Vec<String> = names.iter().map(|name| folded(name)).collect();
            if recognise::knows_columns(&folded.iter().map(String::as_str).collect::<Vec<_>>()) {
                return Header::Table(Table { delimiter, folds: true });
            }
            return Header::Unsupported(Unsupported {
                what: "a table whose columns no known source has",
                advice: "name its columns time, account, model and messages, or one of the sources that \
                         `stillwatch inspect --formats` lists",
            });
        }
        Header::Unknown
    }
}

/// A column's name without the zone of its times, as Log Analytics exports them.
fn bare(name: &str) -> &str {
    name.strip_suffix(" [UTC]").unwrap_or(name)
}

/// A column's name as sources write theirs.
fn folded(name: &str) -> String {
    name.to_lowercase().replace([' ', '-'], "_")
}

fn starts_with(line: &str, begins: &str) -> bool {
    line.get(..begins.len()).is_some_and(|start| start.eq_ignore_ascii_case(begins))
}

/// Texts that are no logs, by what they begin with.
const TEXTS: [(&str, Unsupported); 5] = [
    ("<!doctype html", PAGE),
    ("<html", PAGE),
    (
        "<?xml",
        Unsupported {
            what: "XML, perhaps an error of the store that it came from",
            advice: "look into it, and fetch the log again",
        },
    ),
    ("%PDF-", Unsupported { what: "a PDF", advice: "name a log instead" }),
    (
        "version https://git-lfs.github.com/",
        Unsupported { what: "a pointer of Git LFS and not the file", advice: "fetch the file with git lfs pull" },
    ),
];

const PAGE: Unsupported =
    Unsupported { what: "a web page, perhaps one to log in", advice: "look into it, and fetch the log again" };

fn is_name(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|c| c.is_alphabetic() || c == '_' || c == '@')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '@' | '/' | ':' | '(' | ')'))
}

/// Common and combined log format: an address, two words, a time in brackets.
fn is_access_log(line: &str) -> bool {
    let mut words = line.split(' ');
    let address = words.next().unwrap_or_default();
    let time = words.nth(2).unwrap_or_default();
    !address.is_empty() && time.starts_with('[') && time.matches('/').count() == 2 && time.matches(':').count() >= 3
}

const COLUMNS_MIN: usize = 3;
/// A time and the record.
const SHIPPER_COLUMNS_MIN: usize = 2;

/// Whether quotation marks within cells have a backslash before them, instead of being doubled: where they are doubled, none
/// of them stands before a letter.
fn escapes(text: &[u8]) -> bool {
    let begins = memchr::memmem::find_iter(text, b"\\\"").filter_map(|at| text.get(at + 2));
    begins.take(MARKS_LOOKED_AT).any(u8::is_ascii_alphabetic)
}

/// How much of a table is looked at to see how it is written, in bytes.
const STYLE_BYTES_MAX: usize = 64 * 1024;
const MARKS_LOOKED_AT: usize = 4096;

/// A table being read.
pub(super) struct Rows {
    /// None until it is known how quotation marks are written.
    reader: Option<Reader>,
    delimiter: u8,
    /// What was read before that.
    held: Vec<u8>,
    folds: bool,
    header: Vec<String>,
    row: Vec<Vec<u8>>,
    cell: Vec<u8>,
    /// Bytes of the row so far, also of what is not kept.
    row_bytes: usize,
    /// The line the row begins on.
    start: u64,
    first_line: u64,
    whole: Records,
}

impl Rows {
    pub(super) fn new(table: Table, first_line: u64) -> Self {
        Rows {
            reader: None,
            delimiter: table.delimiter,
            held: Vec::new(),
            folds: table.folds,
            header: Vec::new(),
            row: Vec::new(),
            cell: Vec::new(),
            row_bytes: 0,
            start: first_line,
            first_line,
            whole: Records::default(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.whole.text.len()
    }

    /// Reads some more of the table; nothing more means its end.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        let at_end = bytes.is_empty();
        if self.reader.is_none() {
            self.held.extend_from_slice(bytes);
            if !at_end && self.held.len() < STYLE_BYTES_MAX {
                return;
            }
            let escape = escapes(self.held.get(..STYLE_BYTES_MAX).unwrap_or(&self.held)).then_some(b'\\');
            self.reader = Some(ReaderBuilder::new().delimiter(self.delimiter).escape(escape).build());
            let held = std::mem::take(&mut self.held);
            if !held.is_empty() {
                self.read_on(&held, false);
            }
            if !at_end {
                return;
            }
        }
        self.read_on(bytes, at_end);
    }

    fn read_on(&mut self, mut bytes: &[u8], at_end: bool) {
        let Some(mut reader) = self.reader.take() else { return };
        let mut buffer = [0; 4096];
        // No input means the end to the reader, so it is not asked with what is used up.
        while at_end || !bytes.is_empty() {
            let (result, taken, given) = reader.read_field(bytes, &mut buffer);
            bytes = bytes.get(taken..).unwrap_or_default();
            self.row_bytes += given;
            let is_long = self.row_bytes > limits::RECORD_BYTES_MAX;
            if !is_long || self.cell.len() < limits::LONG_STRING_BYTES_MAX {
                self.cell.extend_from_slice(buffer.get(..given).unwrap_or_default());
            }
            match result {
                ReadFieldResult::InputEmpty if !at_end => break,
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                ReadFieldResult::Field { record_end } => {
                    self.row.push(std::mem::take(&mut self.cell));
                    if record_end {
                        self.end_row(reader.line());
                    }
                }
                ReadFieldResult::End => break,
            }
        }
        self.reader = Some(reader);
    }

    /// Ends the row before line `line` of the table.
    fn end_row(&mut self, line: u64) {
        let mut row = std::mem::take(&mut self.row);
        let is_long = std::mem::take(&mut self.row_bytes) > limits::RECORD_BYTES_MAX;
        let start = std::mem::replace(&mut self.start, self.first_line - 1 + line);
        if self.header.is_empty() {
            let name = |name: &Vec<u8>| bare(String::from_utf8_lossy(name).trim()).to_owned();
            self.header = row.iter().map(name).map(|name| if self.folds { folded(&name) } else { name }).collect();
            return;
        }
        if is_long {
            row.iter_mut().for_each(|cell| cell.truncate(limits::LONG_STRING_BYTES_MAX));
            self.whole.damaged.push((start, Damage::Overlong));
        }
        // A row that was cut within quotation marks goes on to the next mark, in another row.
        if self.start > start + 1 && row.len() != self.header.len() {
            self.whole.damaged.push((start, Damage::Syntax));
        }
        let mut record = Vec::new();
        record.push(b'{');
        let filled = self.header.iter().zip(&row).filter(|(_, cell)| !cell.is_empty());
        for (index, (name, cell)) in filled.enumerate() {
            if index > 0 {
                record.push(b',');
            }
            // Writing to memory does not fail.
            serde_json::to_writer(&mut record, name).ok();
            record.push(b':');
            serde_json::to_writer(&mut record, &String::from_utf8_lossy(cell)).ok();
        }
        record.push(b'}');
        self.whole.push(&record, start);
    }

    pub(super) fn take(&mut self, source: &Arc<str>) -> Chunk {
        self.whole.take(source, self.start)
    }
}
