//! Sums over a part, so that nothing damaged reaches the decoder: Parquet's own may end the process where bytes are not what it expects.
//!
//! The footer lists a sum for each column chunk. The footer's own sum stands in the bytes before it, which other readers skip.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf as _, Bytes};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use xxhash_rust::xxh3::xxh3_64;

use crate::objects::Stored;

/// What stands before the footer, and its sum behind that.
const BEFORE_FOOTER: &[u8; 8] = b"stwfoot1";
/// Bytes of both.
pub(crate) const GAP_BYTES: usize = BEFORE_FOOTER.len() + size_of::<u64>();
/// The length of the footer and the mark of Parquet's files.
const TAIL_BYTES: usize = 8;
const MAGIC: &[u8] = b"PAR1";
/// Bytes of a footer. None of ours is longer.
const FOOTER_BYTES_MAX: usize = 64 * 1024 * 1024;
const DIGITS: usize = 16;

/// The part is not what was written.
fn damaged(what: &str) -> ParquetError {
    ParquetError::General(format!("damaged: {what}"))
}

/// What keeps the place for the sum of the footer.
pub(crate) fn gap() -> [u8; GAP_BYTES] {
    let mut gap = [0; GAP_BYTES];
    let (mark, _) = gap.split_at_mut(BEFORE_FOOTER.len());
    mark.copy_from_slice(BEFORE_FOOTER);
    gap
}

/// The sums of all column chunks of row groups in `bytes`, as text.
pub(crate) fn of_chunks(groups: &[RowGroupMetaData], bytes: &[u8]) -> Result<String, ParquetError> {
    let mut sums = String::new();
    for column in groups.iter().flat_map(RowGroupMetaData::columns) {
        let (start, length) = range(column.byte_range());
        let chunk = bytes
            .get(start..start.saturating_add(length))
            .ok_or_else(|| damaged("a column chunk ends behind the part"))?;
        sums += &format!("{:016x}", xxh3_64(chunk));
    }
    Ok(sums)
}

/// Puts the sum of the footer in its place.
pub(crate) fn close(part: &mut [u8]) -> Result<(), ParquetError> {
    let wrong = || damaged("there is no footer");
    let footer = footer_bytes(part.get(part.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default())?;
    let at = part.len().checked_sub(footer + TAIL_BYTES).ok_or_else(wrong)?;
    let (before, footer) = part.split_at_mut(at);
    let gap = before.last_chunk_mut::<GAP_BYTES>().filter(|gap| gap.starts_with(BEFORE_FOOTER)).ok_or_else(wrong)?;
    let (_, sum) = gap.split_at_mut(BEFORE_FOOTER.len());
    sum.copy_from_slice(&xxh3_64(footer).to_le_bytes());
    Ok(())
}

/// How long the footer is that a tail names.
fn footer_bytes(tail: &[u8]) -> Result<usize, ParquetError> {
    let length = tail.strip_suffix(MAGIC).and_then(|length| length.try_into().ok()).map(u32::from_le_bytes);
    let length = length.and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= FOOTER_BYTES_MAX);
    length.ok_or_else(|| damaged("it does not end as a Parquet file"))
}

fn range((start, length): (u64, u64)) -> (usize, usize) {
    (usize::try_from(start).unwrap_or(usize::MAX), usize::try_from(length).unwrap_or(usize::MAX))
}

/// What the footer says, if it is the one that was written.
pub(crate) fn footer(object: &dyn Stored, bytes: u64) -> Result<ParquetMetaData, ParquetError> {
    let length = usize::try_from(bytes).unwrap_or(usize::MAX);
    let short = || damaged("it is too short");
    let tail = read(object, length.checked_sub(TAIL_BYTES).ok_or_else(short)?, TAIL_BYTES)?;
    let footer = footer_bytes(&tail)?;
    let at = length.checked_sub(footer + TAIL_BYTES + GAP_BYTES).ok_or_else(short)?;
    let read = read(object, at, GAP_BYTES + footer + TAIL_BYTES)?;
    let (gap, behind) = read.split_at_checked(GAP_BYTES).ok_or_else(short)?;
    let sum = gap
        .strip_prefix(BEFORE_FOOTER)
        .ok_or_else(|| damaged("it is not a part of a lake, or its footer was changed"))?;
    if *sum != xxh3_64(behind).to_le_bytes() {
        return Err(damaged("its footer was changed"));
    }
    ParquetMetaDataReader::decode_metadata(behind.get(..footer).unwrap_or_default())
}

fn read(object: &dyn Stored, start: usize, length: usize) -> io::Result<Vec<u8>> {
    object.read_at(start as u64, length)
}

/// A column chunk.
#[derive(Debug)]
struct Chunk {
    start: usize,
    length: usize,
    sum: u64,
    column: usize,
}

/// A part whose chunks are handed out only as they were written. Of each column one chunk is kept in memory.
#[derive(Clone, Debug)]
pub(crate) struct Sound {
    object: Arc<dyn Stored>,
    bytes: u64,
    chunks: Arc<[Chunk]>,
    at_hand: Arc<Mutex<HashMap<usize, (usize, Bytes)>>>,
}

impl Sound {
    /// The part in an object of so many bytes, with what its footer says and the sums that stand there.
    pub(crate) fn new(
        object: Arc<dyn Stored>,
        bytes: u64,
        metadata: &ParquetMetaData,
        sums: &str,
    ) -> Result<Sound, ParquetError> {
        let mut sums = sums
            .as_bytes()
            .chunks(DIGITS)
            .map(|digits| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        let mut chunks = Vec::new();
        for group in metadata.row_groups() {
            for (column, chunk) in group.columns().iter().enumerate() {
                let sum = sums.next().flatten().ok_or_else(|| damaged("a column chunk has no sum"))?;
                let (start, length) = range(chunk.byte_range());
                chunks.push(Chunk { start, length, sum, column });
            }
        }
        chunks.sort_by_key(|chunk| chunk.start);
        Ok(Sound { object, bytes, chunks: chunks.into(), at_hand: Arc::default() })
    }

    /// What stands from `start` on in its chunk.
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let after = self.chunks.partition_point(|chunk| chunk.start <= start);
        let at = after.checked_sub(1).ok_or_else(|| damaged("what is asked for is in no column"))?;
        let chunk = self.chunks.get(at).ok_or_else(|| damaged("what is asked for is in no column"))?;
        let mut at_hand = self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        let known = at_hand.get(&chunk.column).filter(|(known, _)| *known == at).map(|(_, bytes)| bytes.clone());
        let bytes = match known {
            Some(bytes) => bytes,
            None => {
                let bytes = Bytes::from(read(&*self.object, chunk.start, chunk.length)?);
                if xxh3_64(&bytes) != chunk.sum {
                    return Err(damaged("a column was changed"));
                }
                at_hand.insert(chunk.column, (at, bytes.clone()));
                bytes
            }
        };
        bytes
            .get(start - chunk.start..)
            .map(|rest| bytes.slice_ref(rest))
            .ok_or_else(|| damaged("what is asked for is in no column"))
    }
}

impl Length for Sound {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Sound {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start)?;
        bytes.get(..length).map(|part| bytes.slice_ref(part)).ok_or_else(|| damaged("a page ends behind its column"))
    }
}
