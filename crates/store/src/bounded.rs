//! Files that are read up to a length.
//!
//! Refuses what is longer, and what is no file: it might never end.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// A file of at most `bytes_max`.
///
/// # Errors
///
/// When it cannot be read, is longer, or is no file.
pub fn read_file(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    // Before it is opened, which for a pipe would wait for its other end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        return Err(io::Error::other(format!("it has more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// A text file, likewise.
///
/// # Errors
///
/// When it cannot be read, is longer, is no file, or is no text.
pub fn read_text(path: &Path, bytes_max: usize) -> io::Result<String> {
    String::from_utf8(read_file(path, bytes_max)?).map_err(|_| io::Error::other("it is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_or_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"1234\xff").unwrap();
        assert_eq!(read_file(&path, 5).unwrap(), b"1234\xff");
        assert!(read_file(&path, 4).is_err() && read_text(&path, 5).is_err());
        assert!(read_file(folder.path(), 5).is_err());
    }
}
