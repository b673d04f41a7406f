//! Case files: an archive (ZIP, nothing compressed) of a report, facts, recorded lines and receipts, under one hash that a ledger has.
//!
//! Promises that a case file counts only whole: every file in it is in its manifest with its hash and none besides, the manifest is the one that an entry of
//! the ledger commits to, every receipt counts, and every recorded line is one that the ledger committed to. What a report says is an inference and
//! is not checked: what it rests on is.

use std::collections::BTreeMap;

use rawzip::{CompressionMethod, ZipArchive};
use serde::{Deserialize, Serialize};

use crate::entry::Statement;
use crate::exhibit::{self, BadExhibit, Shown};
use crate::hash::Hash;
use crate::limits::{CASE_BYTES_MAX, CASE_FILES_MAX};
use crate::recorded;
use crate::sealed::{self, RecordKey};
use crate::trust::{Lacking, Trust};

/// The list of what is in a case file.
pub const MANIFEST: &str = "manifest.json";
/// The receipt of the entry that commits to the manifest.
pub const EXPORT: &str = "export.tlog-proof";
/// The folder of receipts of entries.
pub const ENTRIES: &str = "entries/";
/// The folder of recorded lines.
pub const RECORDS: &str = "records/";
/// The folder of what sealed lines say that were opened.
pub const TEXTS: &str = "texts/";
/// The kind of entries that commit to a case file.
pub const KIND: &str = "export";

/// What an archive begins with.
pub const BEGINS: &[u8] = b"PK";

const VERSION: u32 = 1;

/// The list of what is in a case file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this form.
    pub version: u32,
    /// What the case is called.
    pub case: String,
    /// The campaign that it is about.
    pub campaign: String,
    /// When it was made, by the clock of who made it.
    pub made_at: String,
    /// Who made it.
    pub by: String,
    /// Every file but this one and the receipt over it, in the order of their paths.
    pub files: Vec<Listed>,
}

/// A file of a case file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Where it is.
    pub path: String,
    /// How long it is.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// The list of these files.
    #[must_use]
    pub fn of(case: &str, campaign: &str, made_at: &str, by: &str, files: &BTreeMap<String, Vec<u8>>) -> Manifest {
        let listed = |(path, bytes): (&String, &Vec<u8>)| Listed {
            path: path.clone(),
            bytes: bytes.len() as u64,
            sha256: Hash::of(&[bytes]).to_hex(),
        };
        Manifest {
            version: VERSION,
            case: case.to_owned(),
            campaign: campaign.to_owned(),
            made_at: made_at.to_owned(),
            by: by.to_owned(),
            files: files.iter().map(listed).collect(),
        }
    }
}

/// A recorded line in a case file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The file that it was recorded in.
    pub file: String,
    /// Its number in that, counted from 0.
    pub line: u64,
    /// The entry that commits to it.
    pub entry: u64,
    /// What leads from it to the root that the entry has, in base64.
    pub proof: Vec<String>,
    /// The key that opens it, where it is sealed and shown in plain, as hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The line, as it was recorded, without its newline.
    pub record: String,
}

/// Why a case file does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadCase {
    /// It is no archive, or is cut off.
    #[error("not a case file, or cut off: {0}; expected a ZIP archive that `stillwatch case export` wrote")]
    Malformed(String),
    /// It is more than is read.
    #[error("more than is read of a case file: {0}")]
    TooLarge(String),
    /// A file is not what the manifest says.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// Somebody who was asked for vouches for none of its receipts.
    #[error(transparent)]
    Lacking(#[from] Lacking),
    /// A receipt does not count.
    #[error("{path}: {source}")]
    Receipt {
        /// Which.
        path: String,
        /// Why.
        source: BadExhibit,
    },
}

/// What a case file shows.
#[derive(Debug)]
pub struct Checked {
    /// What is in it.
    pub manifest: Manifest,
    /// The entry that commits to it.
    pub export: Shown,
    /// The entries whose receipts are in it, by their numbers.
    pub entries: BTreeMap<u64, Shown>,
    /// How many receipts have a timestamp with them, the export's included.
    pub dated: u64,
    /// How many every witness that was asked for has signed.
    pub witnessed: u64,
    /// How many recorded lines are in it.
    pub records: u64,
    /// How many of these are sealed.
    pub sealed: u64,
    /// How many of the sealed ones open by the key that is with them.
    pub opened: u64,
    /// How many of the opened ones have their text beside them.
    pub shown: u64,
}

/// The files of an archive.
///
/// # Errors
///
/// When it is none, has a file twice, or more than is read.
pub fn files(archive: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, BadCase> {
    if archive.len() > CASE_BYTES_MAX {
        return Err(BadCase::TooLarge(format!("{} bytes, of at most {CASE_BYTES_MAX}", archive.len())));
    }
    let malformed = |error: rawzip::Error| BadCase::Malformed(error.to_string());
    let zip = ZipArchive::from_slice(archive).map_err(malformed)?;
    if zip.entries_hint() > CASE_FILES_MAX {
        return Err(BadCase::TooLarge(format!("{} files, of at most {CASE_FILES_MAX}", zip.entries_hint())));
    }
    let mut files = BTreeMap::new();
    let mut entries = zip.entries();
    while let Some(entry) = entries.next_entry().map_err(malformed)? {
        let path = entry.file_path().try_normalize().map_err(malformed)?.as_ref().to_owned();
        let wrong = |reason: &str| BadCase::File { path: path.clone(), reason: reason.to_owned() };
        if entry.compression_method() != CompressionMethod::STORE {
            return Err(wrong(
                "it is compressed, which nothing in a case file is: the archive was packed again; use the original, or pack it without compression",
            ));
        }
        let local = zip.get_entry(entry.wayfinder()).map_err(malformed)?;
        let bytes = local.data().to_vec();
        if files.len() as u64 >= zip.entries_hint() || files.insert(path.clone(), bytes).is_some() {
            return Err(wrong("it is there twice"));
        }
    }
    if files.len() as u64 != zip.entries_hint() {
        return Err(BadCase::Malformed(format!("{} files, where its end says {}", files.len(), zip.entries_hint())));
    }
    Ok(files)
}

/// Checks a case file.
///
/// # Errors
///
/// The first place where it is not what it says.
pub fn check(archive: &[u8], trust: &Trust) -> Result<Checked, BadCase> {
    let mut files = files(archive)?;
    let missing = |path: &str| BadCase::File { path: path.to_owned(), reason: "it is missing".to_owned() };
    let manifest_bytes = files.remove(MANIFEST).ok_or_else(|| missing(MANIFEST))?;
    let export = files.remove(EXPORT).ok_or_else(|| missing(EXPORT))?;
    let export = receipt(EXPORT, &export, trust)?;
    let commits = |statement: &Statement| {
        statement.kind == KIND && statement.after.as_deref() == Some(&*Hash::of(&[&manifest_bytes]).to_hex())
    };
    if !export.statement.as_ref().is_some_and(commits) {
        let reason = "the entry commits to another manifest: it was changed, or is of another case file".to_owned();
        return Err(BadCase::File { path: MANIFEST.to_owned(), reason });
    }
    let wrong = |path: &str, reason: String| BadCase::File { path: path.to_owned(), reason };
    let manifest: Manifest = serde_json::from_slice(&manifest_bytes)
        .map_err(|error| wrong(MANIFEST, format!("{error}; expected a manifest")))?;
    if manifest.version != VERSION {
        return Err(wrong(MANIFEST, format!("version {}; this program reads {VERSION}", manifest.version)));
    }
    for Listed { path, bytes, sha256 } in &manifest.files {
        let found = files.get(path).ok_or_else(|| missing(path))?;
        if found.len() as u64 != *bytes || Hash::of(&[found]).to_hex() != *sha256 {
            return Err(wrong(path, "it is not what was exported: its hash is another".to_owned()));
        }
    }
    if let Some(path) = files.keys().find(|path| manifest.files.iter().all(|listed| listed.path != **path)) {
        return Err(wrong(path, "it is not in the manifest: it was put in later".to_owned()));
    }
    let mut entries = BTreeMap::new();
    for (path, bytes) in files.iter().filter(|(path, _)| path.starts_with(ENTRIES)) {
        let shown = receipt(path, bytes, trust)?;
        entries.insert(shown.index, shown);
    }
    let receipts = || entries.values().chain([&export]);
    let dated = receipts().filter(|shown| shown.stamp.is_some()).count() as u64;
    let witnessed = receipts().filter(|shown| trust.witnessed(&shown.checkpoint).is_ok()).count() as u64;
    trust.dated(dated > 0)?;
    if witnessed == 0 {
        trust.witnessed(&export.checkpoint)?;
    }
    let mut checked =
        Checked { manifest, export, entries, dated, witnessed, records: 0, sealed: 0, opened: 0, shown: 0 };
    for (path, bytes) in files.iter().filter(|(path, _)| path.starts_with(RECORDS)) {
        let name = path.strip_prefix(RECORDS).unwrap_or_default();
        let text = files.get(&format!("{TEXTS}{name}")).map(Vec::as_slice);
        checked.record(bytes, text).map_err(|reason| wrong(path, reason))?;
    }
    // A text that no record vouches for would pass for one that was checked.
    let texts = files.keys().filter(|path| path.starts_with(TEXTS)).count() as u64;
    if texts > checked.shown {
        return Err(wrong(TEXTS, "a text is there that no opened record is of".to_owned()));
    }
    Ok(checked)
}

fn receipt(path: &str, bytes: &[u8], trust: &Trust) -> Result<Shown, BadCase> {
    let text = std::str::from_utf8(bytes);
    let text = text.map_err(|_| BadCase::File { path: path.to_owned(), reason: "it is no text".to_owned() })?;
    exhibit::shown(text, trust).map_err(|source| BadCase::Receipt { path: path.to_owned(), source })
}

impl Checked {
    /// Checks a recorded line, and what it is said to say.
    fn record(&mut self, bytes: &[u8], text: Option<&[u8]>) -> Result<(), String> {
        let record: Record = serde_json::from_slice(bytes)
            .map_err(|error| format!("{error}; expected a recorded line and its proof"))?;
        let line = record.record.as_bytes();
        let statement = self.entries.get(&record.entry).and_then(|shown| shown.statement.as_ref());
        let statement =
            statement.ok_or_else(|| format!("no receipt of the entry {} says what it commits to", record.entry))?;
        let proof: Option<Vec<Hash>> = record.proof.iter().map(|hash| Hash::from_base64(hash)).collect();
        let is_there = proof.is_some_and(|proof| recorded::is_committed(statement, line, record.line, &proof));
        if !is_there || recorded::file(statement) != Some(&record.file) {
            return Err(format!(
                "the entry {} does not commit to this line: the line or its proof was changed, or is of another place",
                record.entry
            ));
        }
        self.records += 1;
        let sealed = sealed::split(line);
        self.sealed += u64::from(sealed.is_some());
        if let Some(key) = &record.key {
            let (clear, sealed) = sealed.ok_or("a key is with it, and the line is not sealed")?;
            let key = RecordKey::from_hex(key).ok_or("its key is no 64 hexadecimal digits")?;
            let opened = sealed.open(&key, clear).map_err(|error| error.to_string())?;
            if text.is_some_and(|text| text != opened.as_slice()) {
                return Err(format!("what {TEXTS} says of it is not what it says"));
            }
            self.opened += 1;
            self.shown += u64::from(text.is_some());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(count: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut archive = rawzip::ZipArchiveWriter::new(&mut out);
        for n in 0..count {
            let name = n.to_string();
            let file = archive.new_file(name.as_str()).compression_method(CompressionMethod::STORE);
            let (mut entry, config) = file.start().unwrap();
            let (_, descriptor) = config.wrap(&mut entry).finish().unwrap();
            entry.finish(descriptor).unwrap();
        }
        archive.finish().unwrap();
        out
    }

    #[test]
    fn what_is_read_of_a_case_file_has_limits() {
        assert_eq!(files(&packed(CASE_FILES_MAX)).unwrap().len() as u64, CASE_FILES_MAX);
        assert!(matches!(files(&packed(CASE_FILES_MAX + 1)), Err(BadCase::TooLarge(_))));
        assert!(matches!(files(&vec![0; CASE_BYTES_MAX]), Err(BadCase::Malformed(_))));
        assert!(matches!(files(&vec![0; CASE_BYTES_MAX + 1]), Err(BadCase::TooLarge(_))));
    }
}
