//! Models that lie encrypted: a folder with each file as a FLOE message, and its key divided among holders.
//!
//! Promises that nothing of a model is on disk in clear, that a file is read in parts without the rest of it, that every byte that is read was
//! written by whoever had the key, as that part of that file of that model, and that a folder is there whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use fast_floe::io::EncryptWriter;
use fast_floe::random_access::Reader;
use fast_floe::{Key, Parameters};
use serde::{Deserialize, Serialize};
use verify::hash::{from_hex, to_hex};
use zeroize::Zeroizing;

use crate::digest::{Digest, Hasher, Progress};
use crate::error::VaultError;
use crate::files::ModelFile;
use crate::holder::{Holder, HolderKey, SealedSecret};
use crate::limits::{FILES_MAX, HEAD_BYTES_MAX, HOLDERS_MAX, INDEX_BYTES_MAX, NAME_BYTES_MAX};
use crate::manifest::Manifest;
use crate::name::Name;
use crate::shares::{self, Secret, Share};

const KIND: &str = "stillwatch locked model 1";
const RELEASE_KIND: &str = "stillwatch released share 1";
/// What says whose shares open it.
const HEAD: &str = "vault.json";
/// The list of files, encrypted as they are.
const INDEX: &str = "index";
/// Bytes of a part that is encrypted by itself: of a part that is read no more than this is decrypted besides.
const SEGMENT_BYTES: u32 = 64 * 1024;
/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;
/// Bytes that tell locked models apart.
const ID_BYTES: usize = 16;

/// Whose shares open a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    kind: String,
    /// What tells it from others.
    pub id: String,
    /// What the model is called.
    pub model: String,
    /// How many holders are needed.
    pub needed: usize,
    /// Their shares, each sealed for one of them; the first is share 1.
    pub shares: Vec<SealedSecret>,
}

/// The files of a locked model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    /// How files are hashed.
    algorithm: String,
    files: Vec<IndexedFile>,
}

/// A file of a locked model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexedFile {
    name: String,
    bytes: u64,
    digest: String,
}

/// Encrypts a model into a folder that is not there yet, for holders of whom so many are needed to open it.
///
/// Each file is hashed on the way and compared with what is `expected`, so that what is locked is what was signed.
///
/// # Errors
///
/// When the model cannot be read or is another than expected, the folder cannot be written, or the key cannot be divided.
pub fn lock(
    files: &[ModelFile],
    expected: &Manifest,
    holders: &[HolderKey],
    needed: usize,
    folder: &Path,
    progress: &Progress,
) -> Result<Head, VaultError> {
    let key = shares::random()?;
    let mut id = [0; ID_BYTES];
    aws_lc_rs::rand::fill(&mut id).map_err(|_| VaultError::Crypto)?;
    let id = to_hex(&id);
    let shares = sealed(&key, &id, holders, needed)?;
    let head = Head { kind: KIND.to_owned(), shares, id, model: expected.model.clone(), needed };
    if folder.exists() {
        return Err(VaultError::Refused(format!("`{}` is there already", folder.display())));
    }
    let part = beside(folder);
    // What an earlier try left.
    removed(&part)?;
    let filled = fill(&part, files, expected, &head, &key, progress);
    let placed = filled.and_then(|()| fs::rename(&part, folder).map_err(VaultError::io(folder)));
    if placed.is_err() {
        removed(&part)?;
    }
    placed?;
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    synced(parent).map_err(VaultError::io(parent))?;
    Ok(head)
}

/// Writes a locked model into a folder that counts as none yet.
fn fill(
    part: &Path,
    files: &[ModelFile],
    expected: &Manifest,
    head: &Head,
    key: &Secret,
    progress: &Progress,
) -> Result<(), VaultError> {
    let algorithm = expected.method.algorithm;
    let listed = files.iter().map(|file| {
        let another = || VaultError::model(&file.path, "it is another than when it was hashed");
        let digest = expected.digest_of(&file.name).ok_or_else(another)?;
        Ok((file, digest))
    });
    let listed = listed.collect::<Result<Vec<(&ModelFile, Digest)>, VaultError>>()?;
    let index = Index {
        algorithm: algorithm.name().to_owned(),
        files: listed
            .iter()
            .map(|(file, digest)| IndexedFile {
                name: file.name.to_string(),
                bytes: file.bytes,
                digest: digest.to_string(),
            })
            .collect(),
    };
    // Before anything is encrypted: what could not be read again is not written.
    let text = serde_json::to_vec(&index).map_err(|_| VaultError::Crypto)?;
    if text.len() > INDEX_BYTES_MAX {
        return Err(VaultError::Refused(format!("expected a list of files of at most {INDEX_BYTES_MAX} bytes")));
    }
    fs::create_dir_all(part).map_err(VaultError::io(part))?;
    let mut to = Sealing::begin(&part.join(INDEX), key, &bound(&head.id, &Part::Index))?;
    to.write(&text)?;
    to.finish()?;
    let mut buffer = Zeroizing::new(vec![0; READ_BYTES]);
    for (number, (file, digest)) in listed.iter().enumerate() {
        let mut hasher = Hasher::new(algorithm);
        let mut to = Sealing::begin(&part.join(number.to_string()), key, &bound(&head.id, &Part::File(number)))?;
        let mut from = File::open(&file.path).map_err(VaultError::io(&file.path))?;
        loop {
            let read = from.read(&mut buffer).map_err(VaultError::io(&file.path))?;
            let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
            hasher.update(chunk);
            to.write(chunk)?;
            progress.add(read as u64);
        }
        to.finish()?;
        if hasher.finish() != *digest {
            return Err(VaultError::model(&file.path, "it is another than when it was hashed"));
        }
    }
    let text = serde_json::to_vec_pretty(head).map_err(|_| VaultError::Crypto)?;
    written(&part.join(HEAD), &text).and_then(|()| synced(part)).map_err(VaultError::io(part))
}

/// Removes a folder, if it is there.
fn removed(folder: &Path) -> Result<(), VaultError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(VaultError::io(folder)(error)),
        _ => Ok(()),
    }
}

/// Where a folder is written before it is whole.
fn beside(folder: &Path) -> PathBuf {
    let mut path = folder.as_os_str().to_owned();
    path.push(".part");
    PathBuf::from(path)
}

fn written(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn synced(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The shares of a key, each sealed for a holder.
fn sealed(key: &Secret, id: &str, holders: &[HolderKey], needed: usize) -> Result<Vec<SealedSecret>, VaultError> {
    let twice = holders.iter().enumerate().find(|(at, holder)| holders.iter().take(*at).any(|other| other == *holder));
    if let Some((_, holder)) = twice {
        return Err(VaultError::Refused(format!("the holder {} is named twice", holder.id())));
    }
    let divided = shares::divide(key, needed, holders.len())?;
    let both = divided.iter().zip(holders);
    both.map(|(share, holder)| holder.seal(&share.bytes, &bound(id, &Part::Share { number: share.number, needed })))
        .collect()
}

/// A part of a locked model.
enum Part<'t> {
    Index,
    File(usize),
    Share { number: u8, needed: usize },
    Release { number: u8, until: &'t str },
}

/// What a part is bound to: it counts as nothing else.
fn bound(id: &str, part: &Part<'_>) -> Vec<u8> {
    let part = match part {
        Part::Index => "index".to_owned(),
        Part::File(number) => format!("file {number}"),
        Part::Share { number, needed } => format!("share {number}, {needed} needed"),
        Part::Release { number, until } => format!("share {number}, released until {until}"),
    };
    format!("{KIND}\n{id}\n{part}").into_bytes()
}

/// A file that is being encrypted.
struct Sealing {
    path: PathBuf,
    writer: EncryptWriter<File>,
}

impl Sealing {
    fn begin(path: &Path, key: &Secret, bound: &[u8]) -> Result<Sealing, VaultError> {
        let parameters = Parameters::with_segment_length(SEGMENT_BYTES).map_err(|_| VaultError::Crypto)?;
        let file = File::create_new(path).map_err(VaultError::io(path))?;
        let writer = EncryptWriter::new(file, &Key::from_bytes(**key), bound, parameters);
        Ok(Sealing { path: path.to_owned(), writer: writer.map_err(VaultError::io(path))? })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), VaultError> {
        self.writer.write_all(bytes).map_err(VaultError::io(&self.path))
    }

    fn finish(self) -> Result<(), VaultError> {
        let file = self.writer.finish().map_err(|error| error.into_error());
        file.and_then(|file| file.sync_all()).map_err(VaultError::io(&self.path))
    }
}

impl Head {
    /// That of the locked model in a folder.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is none.
    pub fn read(folder: &Path) -> Result<Head, VaultError> {
        let path = folder.join(HEAD);
        let not = |why: String| VaultError::model(folder, format!("it is no locked model: {why}"));
        let mut text = Vec::new();
        let file = File::open(&path).map_err(VaultError::io(&path))?;
        file.take(HEAD_BYTES_MAX as u64 + 1).read_to_end(&mut text).map_err(VaultError::io(&path))?;
        if text.len() > HEAD_BYTES_MAX {
            return Err(not(format!("expected at most {HEAD_BYTES_MAX} bytes in `{HEAD}`")));
        }
        let head: Head = serde_json::from_slice(&text).map_err(|error| not(error.to_string()))?;
        if head.kind != KIND {
            return Err(not(format!("expected `{KIND}`")));
        }
        if from_hex::<ID_BYTES>(&head.id).is_none() || head.model.len() > NAME_BYTES_MAX {
            return Err(not("its id or its name is none".to_owned()));
        }
        if head.shares.len() > HOLDERS_MAX || head.needed == 0 || head.needed > head.shares.len() {
            return Err(not(format!("expected 1 to {HOLDERS_MAX} shares, and at most as many that are needed")));
        }
        Ok(head)
    }

    /// A holder's share.
    ///
    /// # Errors
    ///
    /// When the holder has none, or it was changed.
    pub fn share(&self, holder: &Holder) -> Result<Share, VaultError> {
        let id = holder.public().id();
        let found = (1..).zip(&self.shares).find(|(_, share)| share.holder == id);
        let (number, sealed) =
            found.ok_or_else(|| VaultError::Refused(format!("the holder {id} has no share of {}", self.id)))?;
        let bytes = holder.open(sealed, &bound(&self.id, &Part::Share { number, needed: self.needed }))?;
        Ok(Share { number, bytes })
    }

    /// A holder's share, for another key.
    ///
    /// # Errors
    ///
    /// When the holder has none, or the cryptography fails.
    pub fn release(&self, holder: &Holder, to: &HolderKey, until: &str) -> Result<Release, VaultError> {
        let Share { number, bytes } = self.share(holder)?;
        let to = to.seal(&bytes, &bound(&self.id, &Part::Release { number, until }))?;
        Ok(Release { kind: RELEASE_KIND.to_owned(), model: self.id.clone(), number, until: until.to_owned(), to })
    }
}

/// A share that its holder gives on, to one other key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    kind: String,
    /// Of which model, by its id.
    pub model: String,
    /// Which share.
    number: u8,
    /// Until when it holds, as a time of RFC 3339. Whoever opens it once could keep it: that is a rule for those who keep it, not a lock.
    pub until: String,
    /// The key that it is for.
    to: SealedSecret,
}

impl Release {
    /// The release that a text is.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn of(text: &[u8]) -> Result<Release, VaultError> {
        let not = |why: &str| VaultError::Refused(format!("it is no share that somebody released: {why}"));
        let release: Release = serde_json::from_slice(text).map_err(|error| not(&error.to_string()))?;
        Some(release)
            .filter(|release| release.kind == RELEASE_KIND)
            .ok_or_else(|| not(&format!("expected `{RELEASE_KIND}`")))
    }

    /// The share, for whoever it was given to.
    ///
    /// # Errors
    ///
    /// When it is of another model or for another key, or was changed.
    pub fn share(&self, head: &Head, own: &Holder) -> Result<Share, VaultError> {
        if self.model != head.id {
            return Err(VaultError::Refused(format!(
                "the share is of the model {}, and not of {}",
                self.model, head.id
            )));
        }
        let Release { number, until, to, .. } = self;
        let bytes = own.open(to, &bound(&head.id, &Part::Release { number: *number, until }))?;
        Ok(Share { number: *number, bytes })
    }
}

/// A locked model whose key is known.
pub struct Locked {
    folder: PathBuf,
    id: String,
    model: String,
    key: Secret,
    files: BTreeMap<Name, (usize, u64, Digest)>,
}

impl std::fmt::Debug for Locked {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Locked").field("folder", &self.folder).field("id", &self.id).finish_non_exhaustive()
    }
}

impl Locked {
    /// The locked model in a folder, opened by the shares of as many holders as are needed.
    ///
    /// # Errors
    ///
    /// When there are too few, or they do not open it.
    pub fn open(folder: &Path, head: &Head, shares: &[Share]) -> Result<Locked, VaultError> {
        if shares.len() < head.needed {
            return Err(VaultError::Refused(format!(
                "{} of the {} holders are needed, and {} opened their shares",
                head.needed,
                head.shares.len(),
                shares.len()
            )));
        }
        let key = shares::join(shares)?;
        let not = |why: &str| VaultError::model(folder, format!("its list of files cannot be read: {why}"));
        let mut reader = reader(&folder.join(INDEX), &key, &bound(&head.id, &Part::Index))?;
        if reader.plaintext_length() > INDEX_BYTES_MAX as u64 {
            return Err(not("it is too long"));
        }
        let mut text = Vec::new();
        reader.read_to_end(&mut text).map_err(|error| not(&error.to_string()))?;
        let index: Index = serde_json::from_slice(&text).map_err(|error| not(&error.to_string()))?;
        if index.files.len() > FILES_MAX {
            return Err(not("it has too many files"));
        }
        let mut files = BTreeMap::new();
        for (number, IndexedFile { name, bytes, digest }) in index.files.iter().enumerate() {
            let (name, digest) =
                Name::of(name).zip(Digest::of_hex(digest)).ok_or_else(|| not("a name or hash is none"))?;
            files.insert(name, (number, *bytes, digest));
        }
        Ok(Locked { folder: folder.to_owned(), id: head.id.clone(), model: head.model.clone(), key, files })
    }

    /// What its file is called, where it is one file. Whoever locked it said so in clear: it is a name within a folder, and otherwise nothing.
    #[must_use]
    pub fn called(&self) -> Name {
        Name::of(&self.model).filter(Name::is_plain).unwrap_or_else(Name::nameless)
    }

    /// Its files, each with its bytes and its hash, in the order of their names.
    pub fn files(&self) -> impl Iterator<Item = (&Name, u64, &Digest)> {
        self.files.iter().map(|(name, (_, bytes, digest))| (name, *bytes, digest))
    }

    /// Reads a file, from anywhere in it.
    ///
    /// # Errors
    ///
    /// When there is none of that name, or it was changed.
    pub fn read(&self, name: &Name) -> Result<impl Read + Seek + use<>, VaultError> {
        let missing = || VaultError::Refused(format!("there is no file `{name}` in this model"));
        let (number, bytes, _) = self.files.get(name).ok_or_else(missing)?;
        let path = self.folder.join(number.to_string());
        let reader = reader(&path, &self.key, &bound(&self.id, &Part::File(*number)))?;
        if reader.plaintext_length() != *bytes {
            return Err(VaultError::model(&path, "it has another length than the list of files says"));
        }
        Ok(reader)
    }
}

fn reader(path: &Path, key: &Secret, bound: &[u8]) -> Result<Reader<File>, VaultError> {
    let file = File::open(path).map_err(VaultError::io(path))?;
    let parameters = Parameters::with_segment_length(SEGMENT_BYTES).map_err(|_| VaultError::Crypto)?;
    Reader::new_with_parameters(file, &Key::from_bytes(**key), bound, parameters)
        .map_err(|error| VaultError::model(path, format!("it does not open: {error}")))
}
