//! Files that are read up to a length.

use std::io;
use std::path::Path;

use verify::tiles::read_bounded;

/// A file of at most `bytes_max`. What is no file, and might never end, is refused.
pub(crate) fn read_file(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    // Before it is opened, which for a pipe would wait for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    read_bounded(std::fs::File::open(path)?, bytes_max)
}
