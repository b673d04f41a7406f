//! What is written: files whole or not at all, and standard output.
//!
//! A file is written beside its place, synced, and renamed into it, so that no half of it is ever seen there, not even after
//! a crash. It is begun before the work whose result it takes, so that a place that cannot be written is told at once.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::failure::{Exit, Failure};

/// Prints JSON on one line.
pub(crate) fn print_json(json: &serde_json::Value) -> Result<Exit, Failure> {
    print(&format!("{json}\n"))?;
    Ok(Exit::Nothing)
}

/// A file being written.
pub(crate) struct OutputFile {
    path: PathBuf,
    /// Where it is written; its place itself where that is no ordinary file, such as a pipe.
    part: Option<PathBuf>,
    file: BufWriter<File>,
}

impl OutputFile {
    /// Begins to write to `path`.
    ///
    /// # Errors
    ///
    /// When nothing can be written there.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let is_special = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        let part = (!is_special).then(|| {
            let mut part = path.as_os_str().to_owned();
            part.push(".part");
            PathBuf::from(part)
        });
        if path.is_dir() {
            return Err(Failure::unwritable(path, &io::Error::from(io::ErrorKind::IsADirectory)));
        }
        let file = File::create(part.as_deref().unwrap_or(path)).map_err(|error| Failure::unwritable(path, &error))?;
        Ok(OutputFile { path: path.to_owned(), part, file: BufWriter::new(file) })
    }

    /// Writes all of `bytes` and puts the file into its place.
    pub(crate) fn write_whole(mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.write_all(bytes);
        written.map_err(|error| Failure::unwritable(&self.path, &error))?;
        self.finish()
    }

    /// Puts the file into its place.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let synced = self.file.flush().and_then(|()| match &self.part {
            Some(_) => self.file.get_ref().sync_all(),
            None => Ok(()),
        });
        let renamed = synced.and_then(|()| match self.part.take() {
            Some(part) => fs::rename(&part, &self.path).inspect_err(|_| self.part = Some(part)),
            None => Ok(()),
        });
        renamed.map_err(|error| Failure::unwritable(&self.path, &error))
    }

    /// The failure to write to it.
    pub(crate) fn failure(&self, error: &io::Error) -> Failure {
        Failure::unwritable(&self.path, error)
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            fs::remove_file(part).ok();
        }
    }
}

/// Prints to standard output.
///
/// # Errors
///
/// When not all of it could be written, be it that the disk is full or that the reader went away.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(|error| Failure::unwritable(Path::new("standard output"), &error))
}

/// Writes a file whole.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    OutputFile::create(path)?.write_whole(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("stillwatch-output-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("found.jsonl");
        let mut begun = OutputFile::create(&path).unwrap_or_else(|failure| panic!("{failure}"));
        begun.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(begun);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "the part was left behind");
        OutputFile::create(&path)
            .and_then(|file| file.write_whole(b"whole"))
            .unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert!(OutputFile::create(&folder.join("missing/x")).is_err() && OutputFile::create(&folder).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
