//! A whole ledger: its log, and the statements beside it.
//!
//! Promises what [`log::check`] does, and that every statement that is there is the one that its entry commits to. A statement that is not there
//! proves nothing: it was destroyed, or kept back. Every timestamp that is there is over what is there, and no entry's time contradicts one.

use std::io;

use crate::checkpoint::SignedCheckpoint;
use crate::dated::{self, BadDate, TIMESTAMPS};
use crate::entry::{BadOpening, Entry};
use crate::limits::STATEMENTS_BYTES_MAX;
use crate::log::{self, BadLog};
use crate::statements::{self, BadLine};
use crate::tiles::{Source, Tiles, WIDTH};
use crate::timestamp::Stamp;
use crate::trust::{Lacking, Trust};

/// The folder of the log, in that of a ledger.
pub const LOG: &str = "log";
/// The folder of the statements.
pub const STATEMENTS: &str = "statements";

/// Where a ledger is not what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadLedger {
    /// In its log.
    #[error("{LOG}/{0}")]
    Log(#[from] BadLog),
    /// A file of statements cannot be read.
    #[error("{path}: {source}")]
    Unread {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file of statements holds something else.
    #[error("{path}: {source}")]
    Malformed {
        /// Which.
        path: String,
        /// Why.
        source: BadLine,
    },
    /// A timestamp does not count.
    #[error("{TIMESTAMPS}/{path}: {source}")]
    Timestamp {
        /// Which.
        path: String,
        /// Why.
        source: BadDate,
    },
    /// Somebody who was asked for does not vouch for it.
    #[error(transparent)]
    Lacking(#[from] Lacking),
    /// A statement is not the one that was logged.
    #[error("entry {index}, in {path}: {source}")]
    Statement {
        /// Which entry.
        index: u64,
        /// In which file.
        path: String,
        /// Why.
        source: BadOpening,
    },
}

/// A folder within another.
struct Below<'s, S>(&'s S, &'static str);

impl<S: Source> Source for Below<'_, S> {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        self.0.read(&format!("{}/{path}", self.1), bytes_max)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.0.list(&format!("{}/{path}", self.1))
    }
}

/// What a ledger is shown to be.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The checkpoint over it.
    pub checkpoint: SignedCheckpoint,
    /// How many statements are there.
    pub statements: u64,
    /// How many timestamps are there.
    pub timestamps: u64,
    /// The last of them, and how many entries it is over.
    pub last_timestamp: Option<(u64, Stamp)>,
}

/// That a ledger is what it says, by those who are trusted.
///
/// # Errors
///
/// The first place where it is not.
pub fn check<S: Source>(folder: &S, trust: &Trust) -> Result<Checked, BadLedger> {
    let tiles = Tiles::new(Below(folder, LOG));
    let checkpoint = log::check(&tiles, trust.log(), trust.witnesses())?;
    trust.witnessed(&checkpoint)?;
    let size = checkpoint.tree().size;
    let mut count = 0;
    for n in 0..size.div_ceil(WIDTH) {
        let path = format!("{STATEMENTS}/{}", statements::path(n));
        let bytes = match folder.read(&path, STATEMENTS_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(BadLedger::Unread { path, source }),
        };
        let (lines, _) =
            statements::read(&bytes, n).map_err(|source| BadLedger::Malformed { path: path.clone(), source })?;
        let entries = tiles.entries(n, size).map_err(BadLog::from)?;
        // What comes after the checkpoint was never acknowledged.
        for line in lines.iter().filter(|line| line.index < size) {
            let wrong = |source| BadLedger::Statement { index: line.index, path: path.clone(), source };
            let place = line.index.checked_sub(n * WIDTH).and_then(|place| entries.get(usize::try_from(place).ok()?));
            let entry = place.and_then(|bytes| Entry::parse(bytes).ok()).ok_or_else(|| wrong(BadOpening::Malformed))?;
            line.opening.check(&entry).map_err(wrong)?;
            count += 1;
        }
    }
    let stamps = Below(folder, TIMESTAMPS);
    let stamps = dated::all(&stamps, &tiles, size, trust.log(), trust.authorities())
        .map_err(|(size, source)| BadLedger::Timestamp { path: dated::answer_path(size), source })?;
    trust.dated(!stamps.is_empty())?;
    let timestamps = stamps.len() as u64;
    Ok(Checked { checkpoint, statements: count, timestamps, last_timestamp: stamps.into_iter().next_back() })
}
