//! Hashes of files and of parts of them, made by several threads at once.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::num::NonZeroU64;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use crate::error::VaultError;
use crate::files::ModelFile;
use crate::limits::{PARTS_MAX, THREADS_MAX};

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;

/// How a hash is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256, which every program knows.
    Sha256,
    /// BLAKE3, several times as fast.
    Blake3,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Blake3];

    /// What signatures call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Blake3 => "blake3",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// A hash, of 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub(crate) [u8; 32]);

impl Digest {
    /// The one that a text is in hexadecimal.
    #[must_use]
    pub fn of_hex(text: &str) -> Option<Digest> {
        verify::hash::from_hex(text).map(Digest)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&verify::hash::to_hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// A part of a file that gets a hash of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Where it begins.
    pub from: u64,
    /// Where it ends; that byte is no more in it.
    pub until: u64,
}

/// What is hashed: a file of the list, whole or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Which file, by its place in the list.
    pub(crate) file: usize,
    /// Which part, where it is one.
    pub(crate) span: Option<Span>,
}

/// The parts of files that get a hash each: whole files, or parts of `bytes` of which the last may be shorter. A file without bytes has no part.
///
/// # Errors
///
/// When there are too many.
pub(crate) fn pieces(files: &[ModelFile], bytes: Option<NonZeroU64>) -> Result<Vec<Piece>, VaultError> {
    let mut all = Vec::new();
    for (file, ModelFile { path, bytes: length, .. }) in files.iter().enumerate() {
        let Some(bytes) = bytes else {
            all.push(Piece { file, span: None });
            continue;
        };
        let parts = length.div_ceil(bytes.get());
        if parts > (PARTS_MAX - all.len().min(PARTS_MAX)) as u64 {
            return Err(VaultError::model(
                path,
                format!("expected a model of at most {PARTS_MAX} parts; make them larger"),
            ));
        }
        all.extend((0..parts).map(|part| {
            let from = part * bytes.get();
            Piece { file, span: Some(Span { from, until: from.saturating_add(bytes.get()).min(*length) }) }
        }));
    }
    Ok(all)
}

/// How far hashing is.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
}

impl Progress {
    pub(crate) fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes that were hashed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// The hashes of pieces of files, in their order.
///
/// # Errors
///
/// When a file cannot be read, or is another length than it was.
pub(crate) fn digests(
    files: &[ModelFile],
    pieces: &[Piece],
    algorithm: Algorithm,
    threads: usize,
    progress: &Progress,
) -> Result<Vec<Digest>, VaultError> {
    let bytes = |piece: &Piece| match piece.span {
        Some(Span { from, until }) => until - from,
        None => files.get(piece.file).map_or(0, |file| file.bytes),
    };
    // The largest first, so that none is begun at the end alone.
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(pieces.get(*at).map_or(0, bytes)));
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done: Mutex<Vec<(usize, Result<Digest, VaultError>)>> = Mutex::default();
    let work = || {
        while !failed.load(Ordering::Relaxed)
            && let Some(at) = order.get(next.fetch_add(1, Ordering::Relaxed))
            && let Some(piece) = pieces.get(*at)
            && let Some(file) = files.get(piece.file)
        {
            let made = digest(file, piece.span, algorithm, progress);
            failed.fetch_or(made.is_err(), Ordering::Relaxed);
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((*at, made));
        }
    };
    thread::scope(|scope| {
        let others = threads.clamp(1, THREADS_MAX).min(pieces.len().max(1)) - 1;
        (0..others).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, made)| made).collect()
}

/// The hash of a file, or of a part of one.
fn digest(
    file: &ModelFile,
    span: Option<Span>,
    algorithm: Algorithm,
    progress: &Progress,
) -> Result<Digest, VaultError> {
    let io = |error| VaultError::io(&file.path)(error);
    let mut from = File::open(&file.path).map_err(io)?;
    let length = match span {
        None => file.bytes,
        Some(Span { from: begin, until }) => {
            from.seek(SeekFrom::Start(begin)).map_err(io)?;
            until - begin
        }
    };
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; READ_BYTES];
    let mut left = length;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES);
        let read = from.read(buffer.get_mut(..most).unwrap_or_default()).map_err(io)?;
        if read == 0 {
            return Err(VaultError::model(&file.path, "it became shorter while it was read"));
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
        left -= read as u64;
        progress.add(read as u64);
    }
    if span.is_none() && from.read(buffer.get_mut(..1).unwrap_or_default()).map_err(io)? > 0 {
        return Err(VaultError::model(&file.path, "it became longer while it was read"));
    }
    Ok(hasher.finish())
}

/// A hash that is being made.
pub(crate) enum Hasher {
    Sha256(aws_lc_rs::digest::Context),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Hasher {
        match algorithm {
            Algorithm::Sha256 => Hasher::Sha256(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256)),
            Algorithm::Blake3 => Hasher::Blake3(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(context) => context.update(bytes),
            Hasher::Blake3(hasher) => drop(hasher.update(bytes)),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Hasher::Sha256(context) => {
                let mut bytes = [0; 32];
                bytes.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
                Digest(bytes)
            }
            Hasher::Blake3(hasher) => Digest(hasher.finalize().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::name::Name;

    #[test]
    fn so_many_parts_and_no_more() {
        let count = |bytes: u64| {
            let file = ModelFile { name: Name::of("a").unwrap(), path: PathBuf::from("a"), bytes };
            pieces(&[file], NonZeroU64::new(1)).map(|pieces| pieces.len()).ok()
        };
        assert_eq!(count(PARTS_MAX as u64), Some(PARTS_MAX));
        assert_eq!(count(PARTS_MAX as u64 + 1), None);
    }
}
