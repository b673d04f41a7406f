//! What stands beside the parts: which lake it is, what was taken in, what was erased.

use std::collections::BTreeMap;
use std::io;

use exchange::Time;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::LakeError;
use crate::limits::{FACTS_BYTES_MAX, NOTE_BYTES_MAX, SHARDS};
use crate::objects::{LAKE, Objects};
use crate::part::VERSION;

const TAKEN: &str = "_taken.json";
/// There while a lake is copied to a place, until it was read again.
const COPYING: &str = "_copying.json";
const ERASED: &str = "_erased.json";
/// What is known of accounts. Like all that is no part it begins so that other tools pass it over.
pub const FACTS: &str = "_accounts.jsonl";

/// What was erased, as accounts and times.
pub(crate) fn erasures(accounts: &BTreeMap<String, Time>) -> Erased {
    let erasure = |(account, until): (&String, &Time)| (account.clone(), Erasure { until: *until, done: false });
    Erased(accounts.iter().map(erasure).collect())
}

/// Which lake it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) version: u32,
    pub(crate) shards: u64,
    /// What fingerprints in it are, since those of two kinds cannot be compared.
    pub(crate) fingerprints: String,
}

impl About {
    pub(crate) fn new(fingerprints: &str) -> About {
        About { version: VERSION, shards: SHARDS, fingerprints: fingerprints.to_owned() }
    }

    pub(crate) fn read(objects: &dyn Objects) -> Result<Option<About>, LakeError> {
        let Some(about) = read::<About>(objects, LAKE)? else { return Ok(None) };
        if about.version != VERSION || about.shards != SHARDS {
            return Err(LakeError::OtherLake { place: objects.place(), version: about.version, shards: about.shards });
        }
        Ok(Some(about))
    }

    pub(crate) fn write(&self, objects: &dyn Objects) -> Result<(), LakeError> {
        write(objects, LAKE, self)
    }
}

/// Whether a copy to a place was interrupted.
pub(crate) fn is_copying(objects: &dyn Objects) -> Result<bool, LakeError> {
    bytes(objects, COPYING, NOTE_BYTES_MAX).map(|there| there.is_some())
}

/// Writes down that a copy begins.
pub(crate) fn begin_copying(objects: &dyn Objects) -> Result<(), LakeError> {
    write(objects, COPYING, &BTreeMap::<String, String>::new())
}

/// The same for its end.
pub(crate) fn end_copying(objects: &dyn Objects) -> Result<(), LakeError> {
    objects.remove(COPYING).map_err(|error| LakeError::object(objects, COPYING, error))
}

/// How much of a recorded file is in the lake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Lines that are in it.
    pub lines: u64,
    /// Where the last of them ends.
    pub bytes: u64,
}

/// Which recorded files were taken in, by their names.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct AllTaken(pub(crate) BTreeMap<String, Taken>);

impl AllTaken {
    pub(crate) fn read(objects: &dyn Objects) -> Result<AllTaken, LakeError> {
        let all: AllTaken = read(objects, TAKEN)?.unwrap_or_default();
        // Each line has a byte at least.
        if let Some((file, _)) = all.0.iter().find(|(_, taken)| taken.lines > taken.bytes) {
            let why = format!("of `{file}` it says more lines than bytes");
            return Err(LakeError::object(objects, TAKEN, io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        Ok(all)
    }

    pub(crate) fn write(&self, objects: &dyn Objects) -> Result<(), LakeError> {
        write(objects, TAKEN, self)
    }
}

/// An account that was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Erasure {
    /// Up to which time.
    pub(crate) until: Time,
    /// Whether nothing of it is there any more.
    pub(crate) done: bool,
}

/// Which accounts were erased. Kept, so that nothing of them comes back with what is taken in later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Erased(pub(crate) BTreeMap<String, Erasure>);

impl Erased {
    pub(crate) fn read(objects: &dyn Objects) -> Result<Erased, LakeError> {
        Ok(read(objects, ERASED)?.unwrap_or_default())
    }

    pub(crate) fn write(&self, objects: &dyn Objects) -> Result<(), LakeError> {
        write(objects, ERASED, self)
    }

    /// Has erasures that others know of be done here as well.
    pub(crate) fn heed(&mut self, others: Erased) {
        for (account, other) in others.0 {
            let until = self.0.get(&account).map_or(other.until, |known| known.until.max(other.until));
            self.0.insert(account, Erasure { until, done: false });
        }
    }

    /// Erasures of several lakes: what is erased in one is erased in all.
    pub(crate) fn of_all(all: Vec<Erased>) -> Erased {
        let mut together = Erased::default();
        all.into_iter().for_each(|erased| together.heed(erased));
        together
    }

    /// Whether what an account sent at a time is erased.
    pub(crate) fn has(&self, account: &str, time: Time) -> bool {
        self.0.get(account).is_some_and(|erasure| time <= erasure.until)
    }
}

/// What is known of accounts.
pub(crate) fn facts(objects: &dyn Objects) -> Result<String, LakeError> {
    let bytes = bytes(objects, FACTS, FACTS_BYTES_MAX)?.unwrap_or_default();
    String::from_utf8(bytes).map_err(|_| LakeError::object(objects, FACTS, io::Error::other("it is no text")))
}

pub(crate) fn write_facts(objects: &dyn Objects, lines: &str) -> Result<(), LakeError> {
    let failed = |error| LakeError::object(objects, FACTS, error);
    if lines.len() > FACTS_BYTES_MAX {
        return Err(failed(io::Error::other(format!("it would have more than {FACTS_BYTES_MAX} bytes"))));
    }
    objects.write(FACTS, lines.as_bytes()).map_err(failed)
}

/// Whether an object is none of the parts and belongs to a lake all the same.
pub(crate) fn is_ours(object: &str) -> bool {
    [LAKE, TAKEN, ERASED, FACTS, COPYING].contains(&object)
}

/// An object as bytes, up to a length; nothing where it is not there.
fn bytes(objects: &dyn Objects, name: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, LakeError> {
    objects.read(name, bytes_max).map_err(|error| LakeError::object(objects, name, error))
}

fn read<T: DeserializeOwned>(objects: &dyn Objects, name: &str) -> Result<Option<T>, LakeError> {
    let Some(bytes) = bytes(objects, name, NOTE_BYTES_MAX)? else { return Ok(None) };
    let unread = |error| LakeError::object(objects, name, io::Error::new(io::ErrorKind::InvalidData, error));
    serde_json::from_slice(&bytes).map(Some).map_err(unread)
}

fn write<T: Serialize>(objects: &dyn Objects, name: &str, note: &T) -> Result<(), LakeError> {
    let written = serde_json::to_vec(note).map_err(io::Error::from).and_then(|bytes| {
        // What could not be read back is not written.
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(io::Error::other(format!("it would have more than {NOTE_BYTES_MAX} bytes")));
        }
        objects.write(name, &bytes)
    });
    written.map_err(|error| LakeError::object(objects, name, error))
}
