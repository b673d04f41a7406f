//! A whole log: every entry, every tile, and the checkpoint over them.
//!
//! Promises that a log passes only if every tile is what follows from the entries, the root is what the log signed, and no entry is older than
//! the one before it. Reads it once, from its beginning, and keeps one tile a level.

use crate::checkpoint::{BadCheckpoint, SignedCheckpoint};
use crate::entry::{Entry, EntryTime, NotAnEntry};
use crate::hash::Hash;
use crate::note::VerifierKey;
use crate::tiles::{BadTiles, CHECKPOINT, Of, Source, Tiles, WIDTH, of_row, path, width};

/// Where a log is not what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadLog {
    /// The checkpoint does not count.
    #[error("{CHECKPOINT}: {0}")]
    Checkpoint(#[from] BadCheckpoint),
    /// A file cannot be read, or has another length.
    #[error(transparent)]
    Tiles(#[from] BadTiles),
    /// A file of entries holds something else.
    #[error("entry {index}, in {path}: {source}")]
    Entry {
        /// Which entry, counted from 0.
        index: u64,
        /// In which file.
        path: String,
        /// Why.
        source: NotAnEntry,
    },
    /// An entry is not the one that was hashed.
    #[error("entry {index}, in {path}: it is not the one that was logged; it or its hash was changed")]
    OtherEntry {
        /// Which entry, counted from 0.
        index: u64,
        /// In which file.
        path: String,
    },
    /// A tile does not follow from those below it.
    #[error("{path}: hash {place} does not follow from the hashes below it")]
    OtherHash {
        /// In which file.
        path: String,
        /// Which hash, counted from 0.
        place: usize,
    },
    /// An entry is older than the one before it.
    #[error("entry {index}, in {path}: it says a time before that of the entry before it")]
    Backdated {
        /// Which entry, counted from 0.
        index: u64,
        /// In which file.
        path: String,
    },
    /// The whole does not come to what was signed.
    #[error("{CHECKPOINT}: the log's {size} entries do not come to the root that was signed")]
    OtherRoot {
        /// How many entries.
        size: u64,
    },
}

/// That a log is what it says; its checkpoint.
///
/// # Errors
///
/// The first place where it is not.
pub fn check<S: Source>(
    tiles: &Tiles<S>,
    log: &VerifierKey,
    witnesses: &[VerifierKey],
) -> Result<SignedCheckpoint, BadLog> {
    let note = tiles.source().read(CHECKPOINT, crate::limits::NOTE_BYTES_MAX);
    let note = note.map_err(|source| BadTiles::Unread { path: CHECKPOINT.to_owned(), source })?;
    let note = String::from_utf8(note).map_err(|_| BadCheckpoint::Malformed)?;
    let checkpoint = SignedCheckpoint::parse(&note, log, witnesses)?;
    let tree = checkpoint.tree();
    let mut rows = Rows { tiles, size: tree.size, rows: Vec::new() };
    let mut last: Option<EntryTime> = None;
    for n in 0..tree.size.div_ceil(WIDTH) {
        let file = || path(Of::Entries, n, width(0, n, tree.size));
        let hashes = tiles.hashes(0, n, tree.size)?;
        for (index, (bytes, hash)) in (n * WIDTH..).zip(tiles.entries(n, tree.size)?.iter().zip(hashes)) {
            if Hash::of_leaf(bytes) != hash {
                return Err(BadLog::OtherEntry { index, path: file() });
            }
            let entry = Entry::parse(bytes).map_err(|source| BadLog::Entry { index, path: file(), source })?;
            if last.is_some_and(|last| entry.at < last) {
                return Err(BadLog::Backdated { index, path: file() });
            }
            last = Some(entry.at);
            rows.add(0, index, hash)?;
        }
    }
    if rows.root()? == tree.root { Ok(checkpoint) } else { Err(BadLog::OtherRoot { size: tree.size }) }
}

/// The tile of each level that is being filled, computed from what is below it.
struct Rows<'t, S> {
    tiles: &'t Tiles<S>,
    size: u64,
    rows: Vec<Vec<Hash>>,
}

impl<S: Source> Rows<'_, S> {
    /// Adds the hash `place` of a level.
    fn add(&mut self, level: u32, place: u64, hash: Hash) -> Result<(), BadLog> {
        while self.rows.len() <= level as usize {
            self.rows.push(Vec::new());
        }
        let Some(row) = self.rows.get_mut(level as usize) else { return Ok(()) };
        row.push(hash);
        if (row.len() as u64) < WIDTH {
            return Ok(());
        }
        let row = std::mem::take(row);
        self.compare(level, place / WIDTH, &row)?;
        match of_row(&row) {
            Some(above) => self.add(level + 1, place / WIDTH, above),
            None => Ok(()),
        }
    }

    /// Whether a tile is the one that was computed. The lowest level was compared with the entries.
    fn compare(&self, level: u32, n: u64, row: &[Hash]) -> Result<(), BadLog> {
        if level == 0 {
            return Ok(());
        }
        let written = self.tiles.hashes(level, n, self.size)?;
        match written.iter().zip(row).position(|(written, computed)| written != computed) {
            None => Ok(()),
            Some(place) => Err(BadLog::OtherHash { path: path(Of::Hashes(level), n, row.len() as u64), place }),
        }
    }

    fn root(&self) -> Result<Hash, BadLog> {
        let mut root = None;
        for (level, row) in (0..).zip(&self.rows) {
            if !row.is_empty() {
                self.compare(level, self.size.checked_shr(level * 8).unwrap_or(0) / WIDTH, row)?;
            }
            // What came of the levels below stands for fewer entries than each hash here.
            root = of_row(&row.iter().copied().chain(root).collect::<Vec<_>>());
        }
        Ok(root.unwrap_or_else(Hash::of_nothing))
    }
}
