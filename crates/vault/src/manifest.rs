//! What a model consists of: each file, or part of one, with its hash.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU64;
use std::path::Path;

use crate::digest::{Algorithm, Digest, Hasher, Piece, Progress, Span, digests, pieces};
use crate::error::VaultError;
use crate::files::{Choice, ModelFile, files};
use crate::name::Name;

/// How a manifest is made, so that another one of the same files can be compared with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// How hashes are made.
    pub algorithm: Algorithm,
    /// Bytes of a part that gets a hash of its own; of whole files without it.
    pub part_bytes: Option<NonZeroU64>,
    /// What counts.
    pub choice: Choice,
}

/// A file, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The file.
    pub name: Name,
    /// Which part, where it is one.
    pub span: Option<Span>,
}

impl Key {
    /// The one that a text is, where it is one; of a part where `is_part`.
    pub(crate) fn of(text: &str, is_part: bool) -> Option<Key> {
        if !is_part {
            return Some(Key { name: Name::of(text)?, span: None });
        }
        let mut from_end = text.rsplitn(3, ':');
        let (until, from) = (from_end.next()?.parse().ok()?, from_end.next()?.parse().ok()?);
        let name = Name::of(from_end.next()?)?;
        (from < until).then_some(Key { name, span: Some(Span { from, until }) })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span {
            None => write!(out, "{}", self.name),
            Some(Span { from, until }) => write!(out, "{}:{from}:{until}", self.name),
        }
    }
}

/// What a model consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What the model is called: its folder or its file. It says nothing about what is in it.
    pub model: String,
    /// How this was made.
    pub method: Method,
    pub(crate) digests: BTreeMap<Key, Digest>,
}

/// What is another than it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A file, or a part of one, that was not there.
    Added(Key),
    /// One that is gone.
    Missing(Key),
    /// One with another content.
    Changed(Key),
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Added(key) => write!(out, "`{key}` was added"),
            Difference::Missing(key) => write!(out, "`{key}` is missing"),
            Difference::Changed(key) => write!(out, "`{key}` was changed"),
        }
    }
}

impl Manifest {
    /// That of the model at `root`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is no model.
    pub fn of(root: &Path, method: &Method, threads: usize, progress: &Progress) -> Result<Manifest, VaultError> {
        Manifest::of_files(root, &files(root, &method.choice)?, method, threads, progress)
    }

    /// That of files which were found already.
    ///
    /// # Errors
    ///
    /// When one cannot be read.
    pub fn of_files(
        root: &Path,
        files: &[ModelFile],
        method: &Method,
        threads: usize,
        progress: &Progress,
    ) -> Result<Manifest, VaultError> {
        let pieces = pieces(files, method.part_bytes)?;
        let digests = digests(files, &pieces, method.algorithm, threads, progress)?;
        let key = |Piece { file, span }: &Piece| Some(Key { name: files.get(*file)?.name.clone(), span: *span });
        let digests = pieces.iter().zip(digests).filter_map(|(piece, digest)| Some((key(piece)?, digest))).collect();
        Ok(Manifest { model: model_name(root), method: method.clone(), digests })
    }

    /// The files and parts, with their hashes, in their order.
    pub fn digests(&self) -> impl Iterator<Item = (&Key, &Digest)> {
        self.digests.iter()
    }

    /// The hash of a whole file.
    #[must_use]
    pub fn digest_of(&self, name: &Name) -> Option<Digest> {
        self.digests.get(&Key { name: name.clone(), span: None }).copied()
    }

    /// One hash for all: SHA-256 over the hashes, in their order.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        self.digests.values().for_each(|digest| hasher.update(digest.bytes()));
        hasher.finish()
    }

    /// What is another in `now` than it is here.
    #[must_use]
    pub fn differences(&self, now: &Manifest) -> Vec<Difference> {
        let here = self.digests.iter().filter_map(|(key, digest)| match now.digests.get(key) {
            None => Some(Difference::Missing(key.clone())),
            Some(other) => (other != digest).then(|| Difference::Changed(key.clone())),
        });
        let added = now.digests.keys().filter(|key| !self.digests.contains_key(key));
        here.chain(added.cloned().map(Difference::Added)).collect()
    }
}

/// What a model is called: the last part of its path.
fn model_name(root: &Path) -> String {
    let whole = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
