//! Files of a folder, read up to a length.

use std::io;
use std::path::Path;

use verify::tiles::{Source, read_bounded};

/// A log or a ledger in a folder.
#[derive(Clone, Debug)]
pub struct Folder(Box<Path>);

impl Folder {
    /// The folder at `path`.
    #[must_use]
    pub fn new(path: &Path) -> Folder {
        Folder(path.into())
    }
}

impl Source for Folder {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        read_file(&self.0.join(path), bytes_max)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(self.0.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        // What has no name that is text is none of ours.
        let name = |entry: io::Result<std::fs::DirEntry>| entry.map(|entry| entry.file_name().into_string().ok());
        entries.filter_map(|entry| name(entry).transpose()).collect()
    }
}

/// A file of at most `bytes_max`. What is no file, and might never end, is refused.
///
/// # Errors
///
/// When it cannot be read, or is longer.
pub fn read_file(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    // Before it is opened, which for a pipe would wait for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    read_bounded(std::fs::File::open(path)?, bytes_max)
}

/// A text file, likewise.
///
/// # Errors
///
/// When it cannot be read, is longer, or is no text.
pub fn read_text(path: &Path, bytes_max: usize) -> io::Result<String> {
    String::from_utf8(read_file(path, bytes_max)?).map_err(|_| io::Error::other("it is no text"))
}
