//! Why something cannot be done with a lake.

use std::io;

use crate::limits::{ERASED_AT_ONCE_MAX, SHARDS};
use crate::objects::Objects;
use crate::part::{PartError, VERSION};

/// Why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// There is none.
    #[error("there is no lake in `{0}`; `stillwatch lake add` or `stillwatch lake compact` begins one")]
    NoLake(String),
    /// There is one where none may be.
    #[error("there is a lake in `{0}` already; name another place, or remove it first")]
    LakeThere(String),
    /// A copy to it was interrupted.
    #[error(
        "a copy to `{0}` was interrupted, and what is there is no whole lake; `stillwatch lake backup` or `lake restore` to it begins anew"
    )]
    HalfCopied(String),
    /// There are parts, and nothing says which lake they are of.
    #[error(
        "there are {parts} files of a lake in `{place}`, but no `_lake.json`, which says what they are: put it back from a backup, or move the folder away"
    )]
    NotWhole {
        /// Where.
        place: String,
        /// How many.
        parts: usize,
    },
    /// What was copied is not what it has to be.
    #[error("what was copied to `{place}` is not sound: {fault}")]
    NotSound {
        /// Where to.
        place: String,
        /// The first fault.
        fault: String,
    },
    /// It was made by another version.
    #[error(
        "the lake in `{place}` has version {version} and {shards} shards, and this program reads version {VERSION} with {SHARDS}"
    )]
    OtherLake {
        /// Where it is.
        place: String,
        /// Its version.
        version: u32,
        /// Its shards.
        shards: u64,
    },
    /// Its fingerprints cannot be compared with those that are to be added.
    #[error(
        "the lake in `{place}` has fingerprints of {has}, and what is to be added has those of {given}: a hunt cannot compare them; use the key that the lake was begun with, or begin another lake"
    )]
    OtherFingerprints {
        /// Where it is.
        place: String,
        /// What its fingerprints are.
        has: String,
        /// What those are that were given.
        given: String,
    },
    /// An object cannot be read or written.
    #[error("`{name}` in `{place}`: {error}")]
    Object {
        /// Where the lake is.
        place: String,
        /// The object.
        name: String,
        /// Why.
        error: io::Error,
    },
    /// The store cannot be used.
    #[error("{error}")]
    Store {
        /// Where it is.
        place: String,
        /// Why.
        error: io::Error,
    },
    /// A part is not what it has to be.
    #[error("`{name}` in `{place}`: {error}")]
    Part {
        /// Where the lake is.
        place: String,
        /// The part.
        name: String,
        /// Why.
        error: Box<PartError>,
    },
    /// Too many accounts at once.
    #[error("{0} accounts cannot be erased at once; expected {ERASED_AT_ONCE_MAX} at most")]
    TooMany(usize),
}

impl LakeError {
    pub(crate) fn object(objects: &dyn Objects, name: &str, error: io::Error) -> LakeError {
        LakeError::Object { place: objects.place(), name: name.to_owned(), error }
    }

    pub(crate) fn part(objects: &dyn Objects, name: &impl ToString, error: PartError) -> LakeError {
        LakeError::Part { place: objects.place(), name: name.to_string(), error: Box::new(error) }
    }

    /// Whether it is about an object that is not there any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, LakeError::Object { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether it is the store that failed, and not what is stored.
    #[must_use]
    pub fn is_io(&self) -> bool {
        let error = match self {
            LakeError::Object { error, .. } | LakeError::Store { error, .. } => error,
            _ => return false,
        };
        error.kind() != io::ErrorKind::InvalidData
    }
}
