//! The register of models: every place that holds the weights of one, what it held when it was put down, since when, and who answers for it.
//!
//! Promises that a place is there once for each host, that what was put down is compared by content, and that of a place that cannot be looked at from
//! here that is said, instead of that it is as it was.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use store::bounded::read_file;
use store::whole;

use crate::digest::{Algorithm, Digest, Progress};
use crate::error::VaultError;
use crate::files::{Choice, files};
use crate::formats::{self, Format};
use crate::limits::{COPIES_MAX, REGISTER_BYTES_MAX, SEARCHED_MAX, WEIGHTS_BYTES_MIN};
use crate::locked::Head;
use crate::manifest::{Difference, Key, Manifest, Method};
use crate::name::Name;

const KIND: &str = "stillwatch models 1";
/// The register's file in the data folder.
const FILE: &str = "models.json";

/// Every place that holds a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    kind: String,
    /// How many were put down so far: numbers are not given out again.
    count: u64,
    copies: Vec<Copy>,
}

/// A place that holds a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// What it is called here: `copy_1`, `copy_2`, ….
    pub id: String,
    /// What the model is called.
    pub model: String,
    /// The machine, or the service, that has it.
    pub host: String,
    /// Where it is there.
    pub place: String,
    /// Who answers for it.
    pub by: String,
    /// Since when it is put down, as a time of RFC 3339.
    pub since: String,
    /// When somebody last said that it is still needed there, and by those who may read it.
    pub reviewed: String,
    /// The key that signed it, where a signature was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// What it holds.
    pub content: Content,
}

/// What a place holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Content {
    /// Files in clear.
    Clear {
        /// One hash for all, as `stillwatch vault hash` tells it.
        digest: String,
        /// How they are hashed.
        algorithm: String,
        /// Bytes of a part that has a hash of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part_bytes: Option<NonZeroU64>,
        /// What does not count.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<String>,
        /// Whether a link to a file counts as the file.
        #[serde(default)]
        allow_links: bool,
        /// Each file, or part of one, with its hash.
        files: BTreeMap<String, String>,
    },
    /// A locked model.
    Locked {
        /// Which.
        id: String,
        /// One hash for all of it as it lies there, encrypted.
        digest: String,
        /// Each file as it lies there, with its hash (BLAKE3).
        files: BTreeMap<String, String>,
    },
    /// Something that cannot be read here, such as a bucket.
    Elsewhere {
        /// The hash that somebody told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
}

impl Content {
    /// What lies at a place: a locked model, or files in clear, as a manifest tells them.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Content {
        let Method { algorithm, part_bytes, choice } = &manifest.method;
        Content::Clear {
            digest: manifest.digest().to_string(),
            algorithm: algorithm.name().to_owned(),
            part_bytes: *part_bytes,
            left_out: choice.left_out.iter().map(Name::to_string).collect(),
            allow_links: choice.allow_links,
            files: manifest.digests().map(|(key, digest)| (key.to_string(), digest.to_string())).collect(),
        }
    }

    /// A locked model, as a manifest tells its encrypted files.
    #[must_use]
    pub fn locked(id: String, manifest: &Manifest) -> Content {
        let files = manifest.digests().map(|(key, digest)| (key.to_string(), digest.to_string())).collect();
        Content::Locked { id, digest: manifest.digest().to_string(), files }
    }

    /// How the files of a locked model are hashed as they lie there.
    #[must_use]
    pub fn method_of_locked() -> Method {
        Method { algorithm: Algorithm::Blake3, part_bytes: None, choice: Choice::default() }
    }

    /// What it is, in a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Content::Clear { .. } => "in clear",
            Content::Locked { .. } => "locked",
            Content::Elsewhere { .. } => "elsewhere",
        }
    }

    /// The hash of all of it, where one is known.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        match self {
            Content::Clear { digest, .. } | Content::Locked { digest, .. } => Some(digest),
            Content::Elsewhere { digest } => digest.as_deref(),
        }
    }
}

/// What became of a place since it was put down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It holds what it held.
    Same,
    /// It holds something else.
    Changed(Vec<Difference>),
    /// It holds another model, or none.
    Other(String),
    /// Nothing is there.
    Gone,
    /// It cannot be looked at from here.
    NotHere,
}

impl State {
    /// Whether it is another than it was.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        matches!(self, State::Changed(_) | State::Other(_) | State::Gone)
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Same => out.write_str("as it was"),
            State::Changed(differences) => match &differences[..] {
                [one] => write!(out, "changed: {one}"),
                many => write!(out, "changed: {} differences", many.len()),
            },
            State::Other(why) => out.write_str(why),
            State::Gone => out.write_str("nothing is there any more"),
            State::NotHere => out.write_str("not to be looked at from this machine"),
        }
    }
}

impl Register {
    /// The register in a data folder; an empty one where there is none yet.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is none.
    pub fn read(data: &Path) -> Result<Register, VaultError> {
        let path = data.join(FILE);
        let text = match read_file(&path, REGISTER_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Register { kind: KIND.to_owned(), count: 0, copies: Vec::new() });
            }
            text => text.map_err(VaultError::io(&path))?,
        };
        let not = |why: String| VaultError::model(&path, format!("it is no register of models: {why}"));
        let register: Register = serde_json::from_slice(&text).map_err(|error| not(error.to_string()))?;
        if register.kind != KIND {
            return Err(not(format!("expected `{KIND}`")));
        }
        if register.copies.len() > COPIES_MAX {
            return Err(not(format!("expected at most {COPIES_MAX} places")));
        }
        Ok(register)
    }

    /// Writes it into a data folder.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or would be too long to be read again.
    pub fn write(&self, data: &Path) -> Result<(), VaultError> {
        let path = data.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|_| VaultError::Crypto)?;
        if text.len() > REGISTER_BYTES_MAX {
            return Err(VaultError::Refused(format!("the register would have more than {REGISTER_BYTES_MAX} bytes")));
        }
        whole::write(&path, &text).map_err(VaultError::io(&path))
    }

    /// Every place, in the order in which they were put down.
    #[must_use]
    pub fn copies(&self) -> &[Copy] {
        &self.copies
    }

    /// A place, by what it is called here.
    #[must_use]
    pub fn copy(&self, id: &str) -> Option<&Copy> {
        self.copies.iter().find(|copy| copy.id == id)
    }

    /// Puts a place down. One that is known keeps its name and since when it is known; what it was before is answered.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub fn put(&mut self, mut copy: Copy) -> Result<(Option<Copy>, String), VaultError> {
        if let Some(known) = self.copies.iter_mut().find(|known| known.host == copy.host && known.place == copy.place) {
            (copy.id, copy.since) = (known.id.clone(), known.since.clone());
            let id = copy.id.clone();
            return Ok((Some(std::mem::replace(known, copy)), id));
        }
        if self.copies.len() >= COPIES_MAX {
            return Err(VaultError::Refused(format!(
                "expected at most {COPIES_MAX} places; remove those that hold nothing any more"
            )));
        }
        self.count = self.count.saturating_add(1);
        copy.id = format!("copy_{}", self.count);
        let id = copy.id.clone();
        self.copies.push(copy);
        Ok((None, id))
    }

    /// Says of a place that it is still needed; whether it is known.
    pub fn review(&mut self, id: &str, at: &str) -> bool {
        let found = self.copies.iter_mut().find(|copy| copy.id == id);
        found.map(|copy| at.clone_into(&mut copy.reviewed)).is_some()
    }

    /// Takes a place out.
    pub fn remove(&mut self, id: &str) -> Option<Copy> {
        let at = self.copies.iter().position(|copy| copy.id == id)?;
        Some(self.copies.remove(at))
    }

    /// What lies below some folders and is in no place that is put down for a host.
    ///
    /// # Errors
    ///
    /// When one of them is not there, or there is too much to look at.
    pub fn search(&self, host: &str, below: &[PathBuf]) -> Result<Searched, VaultError> {
        let known: Vec<&Path> =
            self.copies.iter().filter(|copy| copy.host == host).map(|copy| Path::new(copy.place.as_str())).collect();
        let mut searched = Searched::default();
        for folder in below {
            let whole = folder.canonicalize().map_err(VaultError::io(folder))?;
            search(&whole, &known, &mut searched)?;
        }
        for list in [&mut searched.found, &mut searched.unread] {
            list.sort();
            list.dedup();
        }
        Ok(searched)
    }
}

/// What a search came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// Folders that hold weights.
    pub found: Vec<PathBuf>,
    /// What may not be looked at.
    pub unread: Vec<PathBuf>,
    /// Files that were looked at.
    files: usize,
}

/// Folders of the system that hold no files of a disk.
const NO_DISKS: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Endings of files that hold weights, in formats that are not known by their content.
const ENDINGS: [&str; 13] =
    ["ckpt", "engine", "gguf", "h5", "keras", "mlmodel", "npz", "onnx", "pb", "pt", "pth", "safetensors", "tflite"];

fn search(folder: &Path, known: &[&Path], searched: &mut Searched) -> Result<(), VaultError> {
    // With its own list, since a disk may have deeper folders than a thread has room for.
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        if known.iter().any(|place| folder.starts_with(place)) || NO_DISKS.iter().any(|it| folder == Path::new(it)) {
            continue;
        }
        if Head::read(&folder).is_ok() {
            searched.found.push(folder);
            continue;
        }
        let Some(entries) = looked(&folder, fs::read_dir(&folder), searched)? else { continue };
        for entry in entries {
            let Some(entry) = looked(&folder, entry, searched)? else { continue };
            searched.files += 1;
            if searched.files > SEARCHED_MAX {
                let told = format!("expected at most {SEARCHED_MAX} files to look at; name smaller folders");
                return Err(VaultError::model(&folder, told));
            }
            let path = entry.path();
            let Some(kind) = looked(&path, entry.file_type(), searched)? else { continue };
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file()
                && !known.contains(&path.as_path())
                && looked(&path, holds_weights(&path), searched)?.unwrap_or_else(|| is_called_so(&path))
            {
                searched.found.push(folder.clone());
            }
        }
    }
    Ok(())
}

/// What was looked at. What went meanwhile is none, and so is what may not be looked at, which is told.
fn looked<T>(path: &Path, found: io::Result<T>, searched: &mut Searched) -> Result<Option<T>, VaultError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            searched.unread.push(path.to_owned());
            Ok(None)
        }
        Err(error) => Err(VaultError::io(path)(error)),
    }
}

/// Whether a file is as long as weights are, and of a format or a name that they have.
fn holds_weights(path: &Path) -> io::Result<bool> {
    let mut file = fs::File::open(path)?;
    if file.metadata()?.len() < WEIGHTS_BYTES_MIN {
        return Ok(false);
    }
    // Many programs call their files `.bin`: what PyTorch writes there is a ZIP archive or a pickle by its content.
    let is_bin = path.extension().is_some_and(|ending| ending == "bin");
    let called = if is_bin { Path::new("weights") } else { path };
    let format = formats::look(called, &mut file)?.format;
    Ok(is_called_so(path) || format.holds_weights() || (is_bin && format == Format::Archive))
}

fn is_called_so(path: &Path) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending))
}

impl Copy {
    /// What became of it, looked at from a host.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be read, or was put down in a way that is not known.
    pub fn state(&self, host: &str, threads: usize, progress: &Progress) -> Result<State, VaultError> {
        let place = Path::new(&self.place);
        if self.host != host || matches!(self.content, Content::Elsewhere { .. }) {
            return Ok(State::NotHere);
        }
        if let Err(error) = fs::symlink_metadata(place) {
            let is_gone = error.kind() == io::ErrorKind::NotFound;
            return if is_gone { Ok(State::Gone) } else { Err(VaultError::io(place)(error)) };
        }
        match &self.content {
            Content::Locked { id, .. } if Head::read(place).is_ok_and(|head| head.id != *id) => {
                Ok(State::Other("another locked model is there".to_owned()))
            }
            Content::Locked { .. } if Head::read(place).is_err() => {
                Ok(State::Other("no locked model is there any more".to_owned()))
            }
            Content::Clear { .. } | Content::Locked { .. } => {
                let before = self.manifest()?;
                let now = Manifest::of_files(
                    place,
                    &files(place, &before.method.choice)?,
                    &before.method,
                    threads,
                    progress,
                )?;
                Ok(Some(before.differences(&now)).filter(|all| !all.is_empty()).map_or(State::Same, State::Changed))
            }
            Content::Elsewhere { .. } => Ok(State::NotHere),
        }
    }

    /// Bytes that are read to tell what became of it; 0 where it is not there.
    #[must_use]
    pub fn bytes(&self, host: &str) -> u64 {
        if let Content::Elsewhere { .. } = self.content {
            return 0;
        }
        let found = self.manifest().and_then(|manifest| files(Path::new(&self.place), &manifest.method.choice));
        let found = found.unwrap_or_default();
        if self.host == host { found.iter().map(|file| file.bytes).sum() } else { 0 }
    }

    /// What it held when it was put down, in clear or encrypted.
    fn manifest(&self) -> Result<Manifest, VaultError> {
        let odd = |what: &str| VaultError::Refused(format!("{} was put down with {what} that is not known", self.id));
        let digests = |files: &BTreeMap<String, String>, in_parts: bool| {
            let each = files.iter().map(|(key, digest)| {
                let key = Key::of(key, in_parts).ok_or_else(|| odd("a name"))?;
                Ok((key, Digest::of_hex(digest).ok_or_else(|| odd("a hash"))?))
            });
            each.collect::<Result<_, VaultError>>()
        };
        if let Content::Locked { files, .. } = &self.content {
            let (model, method) = (self.model.clone(), Content::method_of_locked());
            return Ok(Manifest { model, method, digests: digests(files, false)? });
        }
        let Content::Clear { algorithm, part_bytes, left_out, allow_links, files, .. } = &self.content else {
            return Err(odd("a content"));
        };
        let algorithm = Algorithm::of(algorithm).ok_or_else(|| odd("a hash"))?;
        let left_out = left_out.iter().map(|name| Name::of(name).ok_or_else(|| odd("a name")));
        let choice = Choice { left_out: left_out.collect::<Result<_, _>>()?, allow_links: *allow_links };
        Ok(Manifest {
            model: self.model.clone(),
            method: Method { algorithm, part_bytes: *part_bytes, choice },
            digests: digests(files, part_bytes.is_some())?,
        })
    }
}
