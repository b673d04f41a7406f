//! A whole ledger: its log, and the statements beside it.
//!
//! Promises what [`log::check`] does, and that every statement that is there is the one that its entry commits to. A statement that is not there
//! proves nothing: it was destroyed, or kept back.

use std::io;

use crate::checkpoint::SignedCheckpoint;
use crate::entry::{BadOpening, Entry};
use crate::limits::STATEMENTS_BYTES_MAX;
use crate::log::{self, BadLog};
use crate::note::VerifierKey;
use crate::statements::{self, BadLine};
use crate::tiles::{Source, Tiles, WIDTH};

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
}

/// That a ledger is what it says; its checkpoint, and how many statements are there.
///
/// # Errors
///
/// The first place where it is not.
pub fn check<S: Source>(
    folder: &S,
    key: &VerifierKey,
    witnesses: &[VerifierKey],
) -> Result<(SignedCheckpoint, u64), BadLedger> {
    let tiles = Tiles::new(Below(folder, LOG));
    let checkpoint = log::check(&tiles, key, witnesses)?;
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
    Ok((checkpoint, count))
}
