//! A log as files (C2SP `tlog-tiles`): where they are, and the proofs that follow from them.
//!
//! Promises that what is read has the length that a tree of its size asks for. Whether it is what was signed is for whoever asks to check: the
//! root that follows from it is that of the checkpoint, or it is not. Reads through a [`Source`] and remembers nothing.

use std::io::{self, Read as _};

use crate::hash::{HASH_BYTES, Hash};
use crate::limits::ENTRY_BYTES_MAX;

/// Hashes in a full tile, and entries in a full bundle.
pub const WIDTH: u64 = 256;
/// Levels of the tree in a tile.
const HEIGHT: u32 = 8;
const LENGTH_BYTES: usize = 2;
/// Where the checkpoint is.
pub const CHECKPOINT: &str = "checkpoint";
/// Bytes of a bundle at most.
const BUNDLE_BYTES_MAX: usize = WIDTH as usize * (LENGTH_BYTES + ENTRY_BYTES_MAX);

/// Where the files of a log are.
pub trait Source {
    /// The file at this path, which has `/` between its parts; refused where it is longer than `bytes_max`.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read.
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>>;

    /// The names of the files in the folder at this path; none where there is no such folder.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;
}

/// Everything that is read; refused where it is more than `bytes_max`.
///
/// # Errors
///
/// When it cannot be read, or is more.
pub fn read_bounded(from: impl io::Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        return Err(io::Error::other(format!("it has more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

impl<S: Source + ?Sized> Source for &S {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        (*self).read(path, bytes_max)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        (*self).list(path)
    }
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Entries.
    Entries,
    /// Hashes, at a level counted from the leaves.
    Hashes(u32),
}

/// Where a tile or bundle is: the `n`-th of its level, with `width` entries or hashes.
#[must_use]
pub fn path(of: Of, n: u64, width: u64) -> String {
    let mut place = format!("{:03}", n % 1_000);
    let mut rest = n / 1_000;
    while rest > 0 {
        place = format!("x{:03}/{place}", rest % 1_000);
        rest /= 1_000;
    }
    let level = match of {
        Of::Entries => "entries".to_owned(),
        Of::Hashes(level) => level.to_string(),
    };
    let part = if width < WIDTH { format!(".p/{width}") } else { String::new() };
    format!("tile/{level}/{place}{part}")
}

/// Hashes that the `n`-th tile of a level has, in a tree of `size` entries.
#[must_use]
pub fn width(level: u32, n: u64, size: u64) -> u64 {
    let on_level = size.checked_shr(level.saturating_mul(HEIGHT)).unwrap_or(0);
    on_level.saturating_sub(n.saturating_mul(WIDTH)).min(WIDTH)
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadTiles {
    /// A file cannot be read.
    #[error("{path}: cannot be read: {source}")]
    Unread {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path}: expected {expected}")]
    Malformed {
        /// Which.
        path: String,
        /// What was expected.
        expected: String,
    },
    /// Something was asked for that is not in the tree.
    #[error("there is no entry {index}; the log has {size}")]
    Outside {
        /// Which.
        index: u64,
        /// How many there are.
        size: u64,
    },
}

/// The tiles of a log.
#[derive(Clone, Debug)]
pub struct Tiles<S> {
    source: S,
}

impl<S: Source> Tiles<S> {
    /// Reads from `source`.
    pub fn new(source: S) -> Tiles<S> {
        Tiles { source }
    }

    /// Where it reads from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The file of the `n`-th tile or bundle, or the full one where one that was partial is gone.
    fn file(&self, of: Of, n: u64, width: u64, bytes_max: usize) -> Result<(String, Vec<u8>), BadTiles> {
        let first = path(of, n, width);
        match self.source.read(&first, bytes_max) {
            Ok(bytes) => Ok((first, bytes)),
            Err(source) if source.kind() == io::ErrorKind::NotFound && width < WIDTH => {
                let full = path(of, n, WIDTH);
                let bytes = self.source.read(&full, bytes_max);
                bytes.map(|bytes| (full, bytes)).map_err(|_| BadTiles::Unread { path: first, source })
            }
            Err(source) => Err(BadTiles::Unread { path: first, source }),
        }
    }

    /// The hashes of the `n`-th tile of a level, in a tree of `size` entries.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or has fewer.
    pub fn hashes(&self, level: u32, n: u64, size: u64) -> Result<Vec<Hash>, BadTiles> {
        let width = width(level, n, size);
        let (path, bytes) = self.file(Of::Hashes(level), n, width, WIDTH as usize * HASH_BYTES)?;
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        let is_full = hashes.len() as u64 == WIDTH && width < WIDTH;
        if !rest.is_empty() || (hashes.len() as u64 != width && !is_full) {
            let expected = format!("{width} hashes of {HASH_BYTES} bytes");
            return Err(BadTiles::Malformed { path, expected });
        }
        Ok(hashes.iter().take(width as usize).map(|bytes| Hash::new(*bytes)).collect())
    }

    /// The entries of the `n`-th bundle, in a tree of `size` entries.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or has fewer.
    pub fn entries(&self, n: u64, size: u64) -> Result<Vec<Vec<u8>>, BadTiles> {
        let width = width(0, n, size);
        let (path, bytes) = self.file(Of::Entries, n, width, BUNDLE_BYTES_MAX)?;
        let mut rest = bytes.as_slice();
        let mut entries = Vec::new();
        while let Some((length, behind)) = rest.split_first_chunk::<LENGTH_BYTES>() {
            let Some((entry, behind)) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length))) else {
                break;
            };
            entries.push(entry.to_vec());
            rest = behind;
        }
        let is_full = entries.len() as u64 == WIDTH && width < WIDTH;
        if !rest.is_empty() || (entries.len() as u64 != width && !is_full) {
            let expected = format!("{width} entries, each after its length in two bytes");
            return Err(BadTiles::Malformed { path, expected });
        }
        entries.truncate(width as usize);
        Ok(entries)
    }

    /// One entry, in a tree of `size` entries.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read.
    pub fn entry(&self, index: u64, size: u64) -> Result<Vec<u8>, BadTiles> {
        if index >= size {
            return Err(BadTiles::Outside { index, size });
        }
        let mut entries = self.entries(index / WIDTH, size)?;
        let place = (index % WIDTH) as usize;
        if place < entries.len() { Ok(entries.swap_remove(place)) } else { Err(BadTiles::Outside { index, size }) }
    }

    /// The root that the first `old` entries had, in a tree of `size` entries.
    ///
    /// # Errors
    ///
    /// When there are fewer, or tiles cannot be read.
    pub fn root(&self, old: u64, size: u64) -> Result<Hash, BadTiles> {
        match old {
            0 => Ok(Hash::of_nothing()),
            _ if old > size => Err(BadTiles::Outside { index: old, size }),
            _ => self.range(0, old, size),
        }
    }

    /// What shows that the entry `index` is in the tree of the first `size`.
    ///
    /// # Errors
    ///
    /// When it is not, or tiles cannot be read.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, BadTiles> {
        if index >= size {
            return Err(BadTiles::Outside { index, size });
        }
        let mut proof = Vec::new();
        let (mut from, mut to) = (0, size);
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                proof.push(self.range(middle, to, size)?);
                to = middle;
            } else {
                proof.push(self.range(from, middle, size)?);
                from = middle;
            }
        }
        proof.reverse();
        Ok(proof)
    }

    /// What shows that the first `old` entries are the first of the tree of the first `size`.
    ///
    /// # Errors
    ///
    /// When there are fewer, or tiles cannot be read.
    pub fn continuation(&self, old: u64, size: u64) -> Result<Vec<Hash>, BadTiles> {
        if old > size {
            return Err(BadTiles::Outside { index: old, size });
        }
        let mut proof = Vec::new();
        if old == 0 || old == size {
            return Ok(proof);
        }
        let (mut from, mut to) = (0, size);
        // Downwards to where the old tree ends at the end of a subtree.
        while old != to {
            let middle = from + split(to - from);
            if old <= middle {
                proof.push(self.range(middle, to, size)?);
                to = middle;
            } else {
                proof.push(self.range(from, middle, size)?);
                from = middle;
            }
        }
        // The first subtree, if it is not the old tree itself.
        if from != 0 {
            proof.push(self.range(from, to, size)?);
        }
        proof.reverse();
        Ok(proof)
    }

    /// The hash of the entries from `from` to `to`, in a tree of `size`.
    fn range(&self, from: u64, to: u64, size: u64) -> Result<Hash, BadTiles> {
        let count = to - from;
        if count.is_power_of_two() && from.is_multiple_of(count) {
            return self.subtree(count.trailing_zeros(), from / count, size);
        }
        let middle = from + split(count);
        Ok(Hash::of_node(&self.range(from, middle, size)?, &self.range(middle, to, size)?))
    }

    /// The hash of the `n`-th whole subtree of a height.
    fn subtree(&self, height: u32, n: u64, size: u64) -> Result<Hash, BadTiles> {
        let (level, within) = (height / HEIGHT, height % HEIGHT);
        let first = n << within;
        let hashes = self.hashes(level, first / WIDTH, size)?;
        let start = (first % WIDTH) as usize;
        let inside = hashes.get(start..start + (1 << within));
        inside.and_then(of_row).ok_or(BadTiles::Outside { index: n, size })
    }
}

/// The largest power of two that is less than `count`, of at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The hash of a row of hashes whose last may stand for fewer entries than the others; none where there are none.
#[must_use]
pub fn of_row(hashes: &[Hash]) -> Option<Hash> {
    match hashes {
        [] => None,
        [one] => Some(*one),
        more => {
            let (left, right) = more.split_at_checked(split(more.len() as u64) as usize)?;
            Some(Hash::of_node(&of_row(left)?, &of_row(right)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(path(Of::Hashes(0), 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(Of::Hashes(2), 0, 1), "tile/2/000.p/1");
        assert_eq!(path(Of::Entries, 273, 112), "tile/entries/273.p/112");
    }

    #[test]
    fn what_is_read_has_a_limit() {
        assert_eq!(read_bounded(&b"1234"[..], 4).unwrap(), b"1234");
        assert!(read_bounded(&b"12345"[..], 4).is_err());
        assert!(read_bounded(io::repeat(0), 4).is_err(), "what never ends");
    }

    #[test]
    fn widths_are_those_of_the_specification() {
        let of = |level| (0..300).map(|n| width(level, n, 70_000)).take_while(|width| *width > 0).collect::<Vec<_>>();
        assert_eq!((of(0).len(), of(0).last().copied()), (274, Some(112)));
        assert_eq!(of(1), [256, 17]);
        assert_eq!(of(2), [1]);
        assert_eq!(width(1, 0, 256), 1);
        assert_eq!(width(u32::MAX, 0, u64::MAX), 0);
    }
}
