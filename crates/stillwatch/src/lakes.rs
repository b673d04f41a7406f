//! Lakes by the place that names them, and what their fingerprints are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use event::file::Fingerprints;
use exchange::Time;
use gateway::lake::LakeTable;
use lake::objects::{Folder, Objects};
use lake::place::Day;
use lake::{Changing, Lake, LakeError};
use serde_json::{Value, json};
use signals::fingerprint::FingerprintKey;
use signals::sketch::SCHEME;
use verify::entry::Statement;

use crate::failure::Failure;
use crate::sealing::DAY_SECONDS;
use crate::{buckets, ledgers};

/// Where the lake of a data folder is, if no other is named.
const FOLDER: &str = "lake";
/// The kind of entries that say what was erased.
pub(crate) const ERASURE: &str = "erasure";
/// What stands between a scheme and the key.
const UNDER_KEY: &str = " under key ";

/// Where the lake of a data folder is.
pub(crate) fn of_data(data: &Path) -> PathBuf {
    data.join(FOLDER)
}

/// What a place keeps: a folder, or `s3://BUCKET/FOLDER`.
pub(crate) fn objects(place: &Path) -> Result<Arc<dyn Objects>, LakeError> {
    if !LakeTable::is_in_store(place) {
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

/// The lake in a place, which is begun if need be. What the ledger of the data folder says was erased does not come into one that is begun.
pub(crate) fn begin(place: &Path, data: &Path, key: &FingerprintKey) -> Result<Lake, Failure> {
    let erased = match open(place) {
        Err(LakeError::NoLake(_)) => erased(data)?,
        _ => BTreeMap::new(),
    };
    Ok(Lake::begin(objects(place)?, &kind(key).to_string(), &erased)?)
}

/// Has a lake for this process alone, and finishes erasures that were interrupted, after `put_down` has put them down.
pub(crate) fn change(
    lake: Lake,
    put_down: &mut dyn FnMut(Statement) -> Result<(), Failure>,
) -> Result<Changing, Failure> {
    let mut changing = lake.change()?;
    for (account, until) in changing.unfinished() {
        let said = ledgers::statement(ERASURE, "stillwatch", format!("account:{account}"), erasure(until));
        put_down(Statement { reason: Some("an erasure that was interrupted".to_owned()), ..said })?;
    }
    changing.finish_erasing(&mut |_, _| {})?;
    Ok(changing)
}

/// The first day that is not older than so many days at `now`.
pub(crate) fn first_day(now: Time, days: u32) -> Day {
    Day::of(Time::from_seconds(now.seconds() - i64::from(days) * DAY_SECONDS))
}

/// What the ledger says besides of an erasure in a lake.
pub(crate) fn erasure(until: Time) -> Value {
    json!({"of": "lake", "until": until})
}

/// The accounts whose rows were erased, each until when, as the ledger of a data folder says.
pub(crate) fn erased(data: &Path) -> Result<BTreeMap<String, Time>, Failure> {
    let mut erased = BTreeMap::new();
    if !ledgers::folder(data).is_dir() {
        return Ok(erased);
    }
    for Statement { kind, subject, detail, .. } in ledgers::statements(&ledgers::view(data)?)? {
        let account = subject.strip_prefix("account:").filter(|_| kind == ERASURE);
        let is_of_lake = detail.get("of").and_then(Value::as_str) == Some("lake");
        let until = detail.get("until").and_then(Value::as_str).and_then(|until| until.parse().ok());
        if let (Some(account), true, Some(until)) = (account, is_of_lake, until) {
            erased.insert(account.to_owned(), until);
        }
    }
    Ok(erased)
}

/// Whether a place that was named is a lake.
pub(crate) fn is_lake(place: &Path) -> bool {
    LakeTable::is_in_store(place) || Folder::new(place).holds_a_lake()
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
