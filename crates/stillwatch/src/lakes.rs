//! Lakes by the place that names them, and what their fingerprints are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use event::file::Fingerprints;
use lake::objects::{Folder, Objects};
use lake::{Lake, LakeError};
use signals::fingerprint::FingerprintKey;
use signals::sketch::SCHEME;

use crate::buckets;

/// Where the lake of a data folder is, if no other is named.
const FOLDER: &str = "lake";
/// What stands between a scheme and the key.
const UNDER_KEY: &str = " under key ";

/// Where the lake of a data folder is.
pub(crate) fn of_data(data: &Path) -> PathBuf {
    data.join(FOLDER)
}

/// What a place keeps: a folder, or `s3://BUCKET/FOLDER`.
pub(crate) fn objects(place: &Path) -> Result<Arc<dyn Objects>, LakeError> {
    if !buckets::is_in_store(place) {
        return Ok(Arc::new(Folder::new(place)));
    }
    let store = buckets::Store::open(place);
    let store = store.map_err(|error| LakeError::Store { place: place.display().to_string(), error })?;
    Ok(Arc::new(store))
}

/// The lake in a place.
pub(crate) fn open(place: &Path) -> Result<Lake, LakeError> {
    Lake::open(objects(place)?)
}

/// Whether a place that was named is a lake.
pub(crate) fn is_lake(place: &Path) -> bool {
    buckets::is_in_store(place) || Folder::new(place).holds_a_lake()
}

/// How many bytes the files of a lake have.
pub(crate) fn bytes(place: &Path) -> Result<u64, LakeError> {
    let objects = objects(place)?;
    let listed = objects.list().map_err(|error| LakeError::Store { place: objects.place(), error })?;
    Ok(listed.iter().map(|object| object.bytes).sum())
}

/// What fingerprints by a key are called.
pub(crate) fn kind(key: &FingerprintKey) -> Fingerprints {
    Fingerprints { scheme: SCHEME.to_owned(), key: Some(key.id()) }
}

/// What the fingerprints of these lakes are.
pub(crate) fn kinds(places: &[PathBuf]) -> Result<Vec<(String, Fingerprints)>, LakeError> {
    places.iter().map(|place| open(place).map(|lake| (lake.place(), read_kind(lake.fingerprints())))).collect()
}

/// As [`Fingerprints`] are written for people, which is how a lake keeps it.
fn read_kind(text: &str) -> Fingerprints {
    let keyed = text.split_once(UNDER_KEY);
    let keyed = keyed.and_then(|(scheme, key)| Some((scheme, u64::from_str_radix(key, 16).ok()?)));
    match keyed {
        Some((scheme, key)) => Fingerprints { scheme: scheme.to_owned(), key: Some(key) },
        None => Fingerprints { scheme: text.to_owned(), key: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_as_they_are_written() {
        let kind = kind(&FingerprintKey::parse("00112233445566778899aabbccddeeff").unwrap());
        assert_eq!(read_kind(&kind.to_string()), kind);
    }
}
