//! A log or a ledger as files of a folder.

use std::io;
use std::path::Path;

use store::bounded::read_file;
use verify::tiles::Source;

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
