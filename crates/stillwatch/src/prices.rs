//! Prices, from a file that the provider writes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use policy::limits::PRICES_BYTES_MAX;
pub(crate) use policy::price::Prices;

/// Why prices could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PricesError {
    /// The file cannot be read.
    #[error("`{path}` cannot be read: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It holds something else.
    #[error("`{path}`:{line}: {reason}")]
    Bad {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why, with the field.
        reason: String,
    },
}

/// The prices in a file.
///
/// # Errors
///
/// When it cannot be read, or holds anything else.
pub(crate) fn read(path: &Path) -> Result<Prices, PricesError> {
    let unreadable = |error| PricesError::Io { path: path.to_owned(), error };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(PRICES_BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(unreadable)?;
    Prices::parse(&text).map_err(|bad| PricesError::Bad { path: path.to_owned(), line: bad.line, reason: bad.reason })
}
