//! Timestamps on the checkpoints of a ledger: where they are kept, and what they show of the times that entries say.
//!
//! A timestamp is over the text of a checkpoint without its signatures, so that it says when that many entries with that root were there,
//! whoever signs them. Kept as two files for each, which other tools read: the text, and the authority's answer.

use std::io;

use crate::checkpoint::Checkpoint;
use crate::entry::{Entry, EntryTime};
use crate::hash::Hash;
use crate::limits::{NOTE_BYTES_MAX, TIMESTAMP_BYTES_MAX};
use crate::note::VerifierKey;
use crate::tiles::{BadTiles, Source, Tiles};
use crate::timestamp::{self, Authorities, BadTimestamp, Stamp};
use crate::tree::is_included;

/// The folder of timestamps, in that of a ledger.
pub const TIMESTAMPS: &str = "timestamps";
/// By how many seconds the clock of the ledger and that of an authority may differ.
pub const CLOCKS_DIFFER_SECONDS_MAX: u64 = 300;

const ANSWER: &str = ".tsr";
const TEXT: &str = ".checkpoint";

/// Where the authority's answer over the checkpoint of `size` entries is, in the folder of timestamps.
#[must_use]
pub fn answer_path(size: u64) -> String {
    format!("{size:020}{ANSWER}")
}

/// Where that checkpoint is.
#[must_use]
pub fn text_path(size: u64) -> String {
    format!("{size:020}{TEXT}")
}

/// Of how many entries the checkpoint is whose answer has this name.
#[must_use]
pub fn size_of(name: &str) -> Option<u64> {
    let size = name.strip_suffix(ANSWER)?.parse().ok()?;
    (answer_path(size) == name).then_some(size)
}

/// A checkpoint, and an authority's answer over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated {
    /// The checkpoint's text, without signatures.
    pub checkpoint: String,
    /// The answer, as the authority gave it.
    pub answer: Vec<u8>,
}

/// Why a timestamp of a checkpoint does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadDate {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unread(#[from] io::Error),
    /// The timestamp does not count.
    #[error(transparent)]
    Timestamp(#[from] BadTimestamp),
    /// What was stamped is no checkpoint of this log.
    #[error("what was stamped is no checkpoint of this ledger")]
    OtherText,
    /// What was stamped is not what is there.
    #[error("what was stamped is not what is there: the first {0} entries had another root then")]
    OtherRoot(u64),
    /// There were more entries than there are.
    #[error(
        "there were {stamped} entries when this was stamped, and there are {size}: the ledger was put back to an older copy"
    )]
    PutBack {
        /// How many there were.
        stamped: u64,
        /// How many there are.
        size: u64,
    },
    /// The proof does not lead to it.
    #[error("the proof does not show that the entry was there when the checkpoint of {0} entries was stamped")]
    NotIncluded(u64),
    /// An entry says a time before that of a checkpoint that does not have it.
    #[error(
        "entry {index} says {says}, and it was not there yet when an authority saw the entries before it, {seen}: it is backdated, or the clock was wrong"
    )]
    Backdated {
        /// Which entry.
        index: u64,
        /// What it says.
        says: String,
        /// What the authority says.
        seen: String,
    },
    /// An entry says a time after that of a checkpoint that has it.
    #[error("entry {index} says {says}, and an authority saw it before that, {seen}: the clock was wrong")]
    Ahead {
        /// Which entry.
        index: u64,
        /// What it says.
        says: String,
        /// What the authority says.
        seen: String,
    },
    /// The tiles cannot be read.
    #[error(transparent)]
    Tiles(#[from] BadTiles),
}

impl Dated {
    /// The one over `size` entries in a folder of timestamps.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read<S: Source>(folder: &S, size: u64) -> io::Result<Dated> {
        let answer = folder.read(&answer_path(size), TIMESTAMP_BYTES_MAX)?;
        let text = folder.read(&text_path(size), NOTE_BYTES_MAX)?;
        let checkpoint = String::from_utf8(text).map_err(|_| io::Error::other("the checkpoint is no text"))?;
        Ok(Dated { checkpoint, answer })
    }

    /// What it says, and of which checkpoint of the log with this key.
    ///
    /// # Errors
    ///
    /// When it does not count.
    pub fn check(&self, log: &VerifierKey, authorities: &Authorities) -> Result<(Stamp, Checkpoint), BadDate> {
        let checkpoint = Checkpoint::parse(&self.checkpoint).ok().filter(|checkpoint| checkpoint.origin == log.name());
        let checkpoint = checkpoint.ok_or(BadDate::OtherText)?;
        let stamp = timestamp::check(&self.answer, &Hash::of(&[self.checkpoint.as_bytes()]), authorities)?;
        Ok((stamp, checkpoint))
    }

    /// When it shows that the entry `index` was there at the latest, by a proof that leads to what was stamped.
    ///
    /// # Errors
    ///
    /// When it does not count.
    pub fn shows(
        &self,
        (index, bytes, entry): (u64, &[u8], &Entry),
        proof: &[Hash],
        log: &VerifierKey,
        authorities: &Authorities,
    ) -> Result<Stamp, BadDate> {
        let (stamp, Checkpoint { tree, .. }) = self.check(log, authorities)?;
        if !is_included(index, tree.size, Hash::of_leaf(bytes), proof, tree.root) {
            return Err(BadDate::NotIncluded(tree.size));
        }
        not_ahead(index, entry, &stamp.time)?;
        Ok(stamp)
    }
}

/// The timestamps that count, by the number of entries that each is over. `log` is the whole log, of `size` entries. Those by authorities that were not
/// named are passed over.
pub(crate) fn all<S: Source, L: Source>(
    folder: &S,
    log: &Tiles<L>,
    size: u64,
    key: &VerifierKey,
    authorities: &Authorities,
) -> Result<Vec<(u64, Stamp)>, (u64, BadDate)> {
    let sizes = sizes(folder).map_err(|error| (0, BadDate::Unread(error)))?;
    let each = |stamped: u64| -> Result<Option<(u64, Stamp)>, BadDate> {
        let (stamp, checkpoint) = match Dated::read(folder, stamped)?.check(key, authorities) {
            // By an authority that was not named, which says nothing to whoever checks.
            Err(BadDate::Timestamp(BadTimestamp::NotTrusted { .. })) => return Ok(None),
            dated => dated?,
        };
        if stamped > size {
            return Err(BadDate::PutBack { stamped, size });
        }
        if checkpoint.tree.size != stamped || log.root(stamped, size)? != checkpoint.tree.root {
            return Err(BadDate::OtherRoot(stamped));
        }
        let entry = |index: u64| -> Result<Option<Entry>, BadDate> {
            Ok(if index < size { Entry::parse(&log.entry(index, size)?).ok() } else { None })
        };
        if let Some((index, last)) =
            stamped.checked_sub(1).map(|index| Ok::<_, BadDate>((index, entry(index)?))).transpose()?
        {
            last.map_or(Ok(()), |last| not_ahead(index, &last, &stamp.time))?;
        }
        if let Some(next) = entry(stamped)?
            && next.at.seconds().unwrap_or_default() + CLOCKS_DIFFER_SECONDS_MAX
                < stamp.time.seconds().unwrap_or_default()
        {
            let (says, seen) = (next.at.as_str().to_owned(), stamp.time.as_str().to_owned());
            return Err(BadDate::Backdated { index: stamped, says, seen });
        }
        Ok(Some((stamped, stamp)))
    };
    let counted = |stamped: u64| each(stamped).map_err(|wrong| (stamped, wrong)).transpose();
    sizes.into_iter().filter_map(counted).collect()
}

/// The checkpoints that have a timestamp in a folder, by how many entries they are of, in order.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn sizes<S: Source>(folder: &S) -> io::Result<Vec<u64>> {
    let mut sizes: Vec<u64> = folder.list("")?.iter().filter_map(|name| size_of(name)).collect();
    sizes.sort_unstable();
    Ok(sizes)
}

fn not_ahead(index: u64, entry: &Entry, seen: &EntryTime) -> Result<(), BadDate> {
    if entry.at.seconds().unwrap_or(u64::MAX) > seen.seconds().unwrap_or_default() + CLOCKS_DIFFER_SECONDS_MAX {
        let (says, seen) = (entry.at.as_str().to_owned(), seen.as_str().to_owned());
        return Err(BadDate::Ahead { index, says, seen });
    }
    Ok(())
}
