//! A part: rows in the order of time as one Parquet file, which says itself which parts went into it.
//!
//! Promises that a part of which a bit was changed is not read as if it were whole: it has sums over everything in it.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicate, ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowFilter,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, RowGroupMetaData, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;
use serde::{Deserialize, Serialize};

use crate::columns::{Building, is_for_a_hunt, is_for_a_search, is_whose, schema};
use crate::limits::{BATCH_BYTES, BATCH_ROWS, GROUP_BYTES_MAX, GROUP_ROWS_MAX, PART_BYTES_MAX, READ_BYTES};
use crate::objects::Stored;
use crate::only::Only;
use crate::row::{Missing, Row, Rows};
use crate::sums::{self, Sound};

/// The version of what a part says of itself, and of its columns.
pub const VERSION: u32 = 1;
/// Under which key a part says what it is.
const ABOUT: &str = "stillwatch.lake";
/// Levels above it cost more time than bytes.
const ZSTD_LEVEL: i32 = 3;
/// What is encrypted does not get shorter.
const ENCRYPTED: [&str; 3] = ["sealed_salt", "sealed_commitment", "sealed_text"];

/// Why a part is not what it has to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// It cannot be read or written as Parquet.
    #[error("{0}")]
    Parquet(#[from] ParquetError),
    /// Rows cannot be put together or taken apart.
    #[error("{0}")]
    Arrow(#[from] ArrowError),
    /// A row lacks what every row has.
    #[error("{0}")]
    Missing(#[from] Missing),
    /// It is no part of a lake.
    #[error("it is not a part of a lake: expected `{ABOUT}` among what the file says of itself")]
    NoPart,
    /// It was written by a later version.
    #[error("it has version {0} of the lake, and this program reads {VERSION}; take a newer one")]
    Version(u32),
    /// Its rows are not those that were written.
    #[error("its rows are not those that were written: {what}")]
    Changed {
        /// What differs.
        what: &'static str,
    },
}

/// What a part says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct About {
    version: u32,
    rows: u64,
    sealed: u64,
    fingerprints: String,
    /// The sum of each column chunk, in the order of row groups and columns.
    sums: String,
    /// The parts that were merged into it, by their names, without its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    of: Vec<String>,
}

/// A part that is being written, into memory: it is put in its place whole.
pub struct Writing {
    writer: ArrowWriter<Vec<u8>>,
    building: Building,
    /// Rows and bytes of them that are not handed to the writer yet.
    waiting: (usize, usize),
    rows: u64,
    sealed: u64,
    fingerprints: String,
}

impl std::fmt::Debug for Writing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Writing").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Writing {
    /// A part without rows, of a lake with these fingerprints.
    ///
    /// # Errors
    ///
    /// When nothing can be written.
    pub fn new(fingerprints: &str) -> Result<Writing, PartError> {
        let writer = ArrowWriter::try_new(Vec::new(), schema(), Some(properties()?))?;
        Ok(Writing {
            writer,
            building: Building::new(),
            waiting: (0, 0),
            rows: 0,
            sealed: 0,
            fingerprints: fingerprints.to_owned(),
        })
    }

    /// Appends a row; rows come in their order.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), PartError> {
        row.push(&mut self.building);
        self.rows += 1;
        self.sealed += u64::from(row.sealed().is_some());
        self.waiting = (self.waiting.0 + 1, self.waiting.1 + row.bytes());
        if self.waiting.0 >= BATCH_ROWS || self.waiting.1 >= BATCH_BYTES {
            self.hand_over()?;
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), PartError> {
        self.waiting = (0, 0);
        Ok(self.writer.write(&self.building.take()?)?)
    }

    /// Whether it is as long as a part is to be.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.writer.bytes_written() + self.writer.in_progress_size() + self.waiting.1 >= PART_BYTES_MAX
    }

    /// How many rows it has so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The whole part, into which others of these names were merged.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(mut self, of: &[String]) -> Result<Vec<u8>, PartError> {
        if self.waiting.0 > 0 {
            self.hand_over()?;
        }
        self.writer.flush()?;
        let written = self.writer.sync();
        let written = written.and_then(|()| self.writer.write_all(&sums::gap())).and_then(|()| self.writer.sync());
        written.map_err(|error| ParquetError::External(error.into()))?;
        let sums = sums::of_chunks(self.writer.flushed_row_groups(), self.writer.inner())?;
        let about = About {
            version: VERSION,
            rows: self.rows,
            sealed: self.sealed,
            fingerprints: self.fingerprints,
            sums,
            of: of.to_vec(),
        };
        // A struct of numbers and texts is always written.
        let about = serde_json::to_string(&about).unwrap_or_default();
        self.writer.append_key_value_metadata(KeyValue::new(ABOUT.to_owned(), about));
        let mut part = self.writer.into_inner()?;
        sums::close(&mut part)?;
        Ok(part)
    }
}

fn properties() -> Result<WriterProperties, PartError> {
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("stillwatch ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS_MAX))
        .set_max_row_group_bytes(Some(GROUP_BYTES_MAX))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        // Nothing stands between the sum of the footer and the footer.
        .set_offset_index_disabled(true)
        .set_column_bloom_filter_enabled(ColumnPath::from("account"), true)
        .set_column_dictionary_enabled(ColumnPath::from("id"), false);
    for column in ["prints", "output_prints", "words", "meaning", "clear"].into_iter().chain(ENCRYPTED) {
        let column = ColumnPath::from(column);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_statistics_enabled(column, EnabledStatistics::None);
    }
    for column in ENCRYPTED {
        properties = properties.set_column_compression(ColumnPath::from(column), Compression::UNCOMPRESSED);
    }
    let place = |name: &str| schema().index_of(name).ok().and_then(|at| i32::try_from(at).ok());
    let by = ["time", "time_nanos", "account", "id"].into_iter().filter_map(place);
    let sorted = by.map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false });
    Ok(properties.set_sorting_columns(Some(sorted.collect())).build())
}

/// A part that is there.
#[derive(Debug)]
pub struct Part {
    sound: Sound,
    metadata: ArrowReaderMetadata,
    about: About,
    /// Bytes of a row, uncompressed, on the average.
    row_bytes: usize,
}

impl Part {
    /// Opens one of so many bytes.
    ///
    /// # Errors
    ///
    /// When it is none of ours, or damaged where it says what it is.
    pub fn open(object: Box<dyn Stored>, bytes: u64) -> Result<Part, PartError> {
        let metadata = sums::footer(&*object, bytes)?;
        let about =
            metadata.file_metadata().key_value_metadata().into_iter().flatten().find(|entry| entry.key == ABOUT);
        let about = about.and_then(|entry| entry.value.as_deref()).ok_or(PartError::NoPart)?;
        let about: About = serde_json::from_str(about).map_err(|_| PartError::NoPart)?;
        if about.version != VERSION {
            return Err(PartError::Version(about.version));
        }
        let unpacked: i64 = metadata.row_groups().iter().map(RowGroupMetaData::total_byte_size).sum();
        let row_bytes =
            usize::try_from(unpacked).unwrap_or(usize::MAX) / usize::try_from(about.rows).unwrap_or(1).max(1);
        let sound = Sound::new(object.into(), bytes, &metadata, &about.sums)?;
        let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new())?;
        Ok(Part { sound, metadata, about, row_bytes })
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.about.rows
    }

    /// The parts that were merged into it, by their names, without its own.
    #[must_use]
    pub fn of(&self) -> &[String] {
        &self.about.of
    }

    /// Its rows with everything in them.
    ///
    /// # Errors
    ///
    /// When it is damaged.
    pub fn whole(&self) -> Result<Reading, PartError> {
        self.reading(&|_| true)
    }

    /// Its rows with what a hunt needs.
    ///
    /// # Errors
    ///
    /// When it is damaged.
    pub fn for_a_hunt(&self) -> Result<Reading, PartError> {
        self.reading(&is_for_a_hunt)
    }

    /// Its row groups, each with the microseconds between which its rows were.
    #[must_use]
    pub(crate) fn groups(&self) -> Vec<(i64, i64)> {
        let column = schema().index_of("time").unwrap_or_default();
        let span = |group: &RowGroupMetaData| match group.columns().get(column).and_then(|chunk| chunk.statistics()) {
            Some(Statistics::Int64(times)) => {
                (times.min_opt().copied().unwrap_or(i64::MIN), times.max_opt().copied().unwrap_or(i64::MAX))
            }
            // Where it does not say, it may be any time.
            _ => (i64::MIN, i64::MAX),
        };
        self.metadata.metadata().row_groups().iter().map(span).collect()
    }

    /// How many rows a row group has.
    pub(crate) fn rows_of(&self, group: usize) -> u64 {
        let rows = self.metadata.metadata().row_groups().get(group).map_or(0, RowGroupMetaData::num_rows);
        u64::try_from(rows).unwrap_or_default()
    }

    /// The rows of one row group that pass `only`, with what a search needs, or with everything in them.
    pub(crate) fn group(&self, group: usize, is_whole: bool, only: &[Only]) -> Result<Reading, PartError> {
        self.reading_of(&|name| is_whole || is_for_a_search(name), Some((group, only)))
    }

    /// Its rows with the id, the time and the account only.
    ///
    /// # Errors
    ///
    /// When it is damaged.
    pub fn whose(&self) -> Result<Reading, PartError> {
        self.reading(&is_whose)
    }

    /// What its fingerprints are.
    #[must_use]
    pub fn fingerprints(&self) -> &str {
        &self.about.fingerprints
    }

    /// How many of its rows have sealed texts, as far as it says so.
    #[must_use]
    pub fn sealed(&self) -> u64 {
        self.about.sealed
    }

    fn reading(&self, is_needed: &dyn Fn(&str) -> bool) -> Result<Reading, PartError> {
        self.reading_of(is_needed, None)
    }

    fn reading_of(&self, is_needed: &dyn Fn(&str) -> bool, of: Option<(usize, &[Only])>) -> Result<Reading, PartError> {
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.sound.clone(), self.metadata.clone());
        let mask = |builder: &ParquetRecordBatchReaderBuilder<Sound>, is_needed: &dyn Fn(&str) -> bool| {
            let needed = schema().fields().iter().filter(|field| is_needed(field.name())).cloned().collect::<Vec<_>>();
            let places = needed.iter().filter_map(|field| builder.schema().index_of(field.name()).ok());
            ProjectionMask::roots(builder.parquet_schema(), places)
        };
        if let Some((group, only)) = of {
            builder = builder.with_row_groups(vec![group]);
            let predicates: Vec<Box<dyn ArrowPredicate>> = only
                .iter()
                .map(|only| {
                    let (of_column, only) = (mask(&builder, &|name| name == only.column.name()), only.clone());
                    let predicate = move |batch: RecordBatch| Ok(only.passes(&batch));
                    Box::new(ArrowPredicateFn::new(of_column, predicate)) as Box<dyn ArrowPredicate>
                })
                .collect();
            if !predicates.is_empty() {
                builder = builder.with_row_filter(RowFilter::new(predicates));
            }
        }
        let rows = (READ_BYTES / self.row_bytes.max(1)).clamp(1, BATCH_ROWS);
        let projection = mask(&builder, is_needed);
        Ok(Reading { reader: builder.with_projection(projection).with_batch_size(rows).build()? })
    }

    /// Reads everything, and says whether it is what was written.
    ///
    /// # Errors
    ///
    /// When it is damaged, changed, or out of order.
    pub fn check(&self, see: &mut dyn FnMut(&Row<'_>)) -> Result<(), PartError> {
        let (mut rows, mut sealed) = (0, 0);
        let mut last: Option<(exchange::Time, String, String)> = None;
        let mut is_sorted = true;
        for batch in self.whole()? {
            batch?.each(&mut |row| {
                rows += 1;
                sealed += u64::from(row.sealed().is_some());
                let (time, account, id) = row.order();
                is_sorted &= last.as_ref().is_none_or(|(t, a, i)| (*t, a.as_str(), i.as_str()) <= (time, account, id));
                last = Some((time, account.to_owned(), id.to_owned()));
                see(&row);
                Ok::<(), PartError>(())
            })?;
        }
        match () {
            () if (rows, sealed) != (self.about.rows, self.about.sealed) => {
                Err(PartError::Changed { what: "there are more or fewer" })
            }
            () if !is_sorted => Err(PartError::Changed { what: "they are out of order" }),
            () => Ok(()),
        }
    }
}

/// Rows of a part, as they are read.
#[derive(Debug)]
pub struct Reading {
    reader: ParquetRecordBatchReader,
}

impl Iterator for Reading {
    type Item = Result<Rows, PartError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.reader.next()?.map(Rows::new).map_err(PartError::from))
    }
}
