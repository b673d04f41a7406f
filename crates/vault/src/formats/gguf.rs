//! Whether a file is GGUF: a version, counts, typed metadata and tensors, whose places are within the file.

use std::io;

use super::exact::exactly;
use crate::limits::{GGUF_METADATA_MAX, GGUF_NESTING_MAX, NAME_BYTES_MAX, TENSORS_MAX};

/// Versions that are known. Those before counted with 32 bits.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=3;
/// The most sides that a tensor has.
const SIDES_MAX: u32 = 8;

/// Why a file of so many bytes is none, where it is none.
pub(super) fn check(from: &mut (impl io::Read + io::Seek), bytes: u64) -> io::Result<Result<(), String>> {
    let mut file = Reading { from: io::BufReader::new(from), left: bytes };
    match file.walk() {
        Ok(()) => Ok(Ok(())),
        Err(Stop::Io(error)) => Err(error),
        Err(Stop::Wrong(why)) => Ok(Err(why)),
    }
}

enum Stop {
    Io(io::Error),
    Wrong(String),
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Wrong(why.into()))
}

/// A file, with the bytes that are left of it.
struct Reading<F> {
    from: io::BufReader<F>,
    left: u64,
}

impl<F: io::Read + io::Seek> Reading<F> {
    fn walk(&mut self) -> Result<(), Stop> {
        let _magic: [u8; 4] = self.bytes()?;
        let version = self.number()?;
        if !VERSIONS.contains(&version) {
            return wrong(format!("its version is {version}; expected 2 or 3, in little endian"));
        }
        let (tensors, entries) = (self.long()?, self.long()?);
        if tensors > TENSORS_MAX as u64 || entries > GGUF_METADATA_MAX {
            return wrong(format!("it has more than {TENSORS_MAX} tensors or {GGUF_METADATA_MAX} entries of metadata"));
        }
        for _ in 0..entries {
            self.text(NAME_BYTES_MAX as u64)?;
            let kind = self.number()?;
            self.value(kind, 0)?;
        }
        let mut furthest = 0;
        for _ in 0..tensors {
            self.text(NAME_BYTES_MAX as u64)?;
            let sides = self.number()?;
            if sides > SIDES_MAX {
                return wrong(format!("a tensor has {sides} sides; expected at most {SIDES_MAX}"));
            }
            for _ in 0..sides {
                self.long()?;
            }
            let _kind = self.number()?;
            furthest = self.long()?.max(furthest);
        }
        // Where the first tensor begins depends on an alignment; what is checked is that the last does not begin behind the end.
        if tensors > 0 && furthest >= self.left {
            return wrong("a tensor lies behind its end");
        }
        Ok(())
    }

    /// Passes over a value of metadata.
    fn value(&mut self, kind: u32, depth: usize) -> Result<(), Stop> {
        match kind {
            0 | 1 | 7 => self.skip(1),
            2 | 3 => self.skip(2),
            4..=6 => self.skip(4),
            10..=12 => self.skip(8),
            8 => self.text(u64::MAX),
            9 if depth < GGUF_NESTING_MAX => {
                let (kind, count) = (self.number()?, self.long()?);
                let each = match kind {
                    0 | 1 | 7 => 1,
                    2 | 3 => 2,
                    4..=6 => 4,
                    10..=12 => 8,
                    // Of texts and lists each has its length, of 8 bytes at least: more than are left of the file cannot be there.
                    _ => {
                        if count.checked_mul(8).is_none_or(|least| least > self.left) {
                            return wrong("a list is longer than it");
                        }
                        for _ in 0..count {
                            self.value(kind, depth + 1)?;
                        }
                        return Ok(());
                    }
                };
                count.checked_mul(each).map_or_else(|| wrong("a list is longer than it"), |bytes| self.skip(bytes))
            }
            9 => wrong(format!("lists lie more than {GGUF_NESTING_MAX} deep within each other")),
            other => wrong(format!("a value has the type {other}, which is not known")),
        }
    }

    fn text(&mut self, most: u64) -> Result<(), Stop> {
        let length = self.long()?;
        if length > most {
            return wrong(format!("a name has more than {most} bytes"));
        }
        self.skip(length)
    }

    fn number(&mut self) -> Result<u32, Stop> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn long(&mut self) -> Result<u64, Stop> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let bytes = exactly(&mut self.from).map_err(Stop::Io)?;
        let Some(bytes) = bytes else { return wrong("it ends in its header") };
        self.left = self.left.saturating_sub(N as u64);
        Ok(bytes)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Stop> {
        let Some(left) = self.left.checked_sub(bytes) else { return wrong("it ends in its header") };
        let Ok(step) = i64::try_from(bytes) else { return wrong("it ends in its header") };
        self.from.seek_relative(step).map_err(Stop::Io)?;
        self.left = left;
        Ok(())
    }
}
