//! What a watcher knows, as bytes: how far it has read, what waits, and what its engine remembers.
//!
//! Promises that bytes that are missing or changed are told, and that another version is refused and not guessed at; then the record is
//! read again from its beginning. They hold excerpts of requests and names of accounts, as the record does, and belong beside it.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::detector::{Detector, Progress, Settings};
use crate::facts;
use crate::follower::Position;

/// Why a checkpoint was not restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrestored {
    /// It does not begin as one.
    #[error("it is no checkpoint")]
    NoCheckpoint,
    /// It was written by another version.
    #[error("it has version {found}, and this build reads version {VERSION}")]
    Version {
        /// Its version.
        found: u16,
    },
    /// Bytes are missing or changed.
    #[error("it is cut off or damaged")]
    Damaged,
    /// What the engine remembers cannot be restored.
    #[error(transparent)]
    Engine(#[from] detect::Unrestored),
}

/// What was written down.
pub struct Restored {
    /// Since which beginning campaigns have their names, as a number that no other beginning has.
    pub generation: u64,
    /// How far the record is read.
    pub position: Position,
    /// How far the file of accounts is.
    pub accounts: facts::Progress,
    /// What came of it.
    pub detector: Detector,
}

/// Writes down how far the record and the file of accounts are read, and what came of it.
#[must_use]
pub fn write(generation: u64, position: &Position, accounts: facts::Progress, detector: &Detector) -> Vec<u8> {
    #[derive(Serialize)]
    struct Written<'a>(u64, &'a Position, facts::Progress, &'a Progress, &'a [u8]);

    let (engine, progress) = detector.remembered();
    // Nothing in there has a length that is not known, which is all that this could fail for.
    let body = postcard::to_allocvec(&Written(generation, position, accounts, progress, &engine)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(MAGIC.len() + 10 + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&xxh3_64(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// What was written down.
///
/// # Errors
///
/// What is no checkpoint of this version, or a damaged one.
pub fn read(bytes: &[u8], settings: &Settings) -> Result<Restored, Unrestored> {
    #[derive(Deserialize)]
    struct Written<'a>(u64, Position, facts::Progress, Progress, &'a [u8]);

    let rest = bytes.strip_prefix(MAGIC).ok_or(Unrestored::NoCheckpoint)?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(Unrestored::Damaged)?;
    let found = u16::from_le_bytes(*version);
    if found != VERSION {
        return Err(Unrestored::Version { found });
    }
    let (sum, body) = rest.split_first_chunk::<8>().ok_or(Unrestored::Damaged)?;
    if u64::from_le_bytes(*sum) != xxh3_64(body) {
        return Err(Unrestored::Damaged);
    }
    let Written(generation, position, accounts, progress, engine) =
        postcard::from_bytes(body).map_err(|_| Unrestored::Damaged)?;
    Ok(Restored { generation, position, accounts, detector: Detector::restore(settings, engine, progress)? })
}

/// What a checkpoint begins with.
const MAGIC: &[u8] = b"stillwatch checkpoint\n";
/// The version of the form; another one whenever what is written changes. What the engine remembers has one of its own.
pub const VERSION: u16 = 1;
