//! The rows of a file of the corpora.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::error::SimulateError;
use crate::limits::CORPUS_ROWS_MAX;

/// The lines of a compressed file.
pub(super) fn rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, SimulateError> {
    let file = |cause| SimulateError::File { path: path.to_owned(), cause };
    let open = File::open(path).and_then(zstd::Decoder::new).map_err(file)?;
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(open).lines()) {
        let bad = |problem: String| SimulateError::Row { path: PathBuf::from(path), line: number, problem };
        if rows.len() == CORPUS_ROWS_MAX {
            return Err(bad(format!("expected at most {CORPUS_ROWS_MAX} rows")));
        }
        let line = line.map_err(file)?;
        rows.push(serde_json::from_str(&line).map_err(|error| bad(error.to_string()))?);
    }
    Ok(rows)
}
