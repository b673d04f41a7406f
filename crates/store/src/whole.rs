//! Files that are written whole: what is read back is all that was written last, or all that was written before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Writes `bytes` to `path`, readable for the owner only. On disk when this returns.
///
/// # Errors
///
/// When it cannot be written; then what was there before is there still.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_as(path, bytes, 0o600)
}

/// The same for everybody to read.
///
/// # Errors
///
/// When it cannot be written; then what was there before is there still.
pub fn write_for_all(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_as(path, bytes, 0o644)
}

fn write_as(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let written = || {
        // What lies there, be it from before a crash or a link to somewhere else, is not written into.
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    written().inspect_err(|_| drop(fs::remove_file(&part)))?;
    sync_folder(path)
}

/// Makes a new, renamed or removed name in the folder of `path` outlive the machine's power.
///
/// # Errors
///
/// When that cannot be done.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known");
        write(&path, b"first").unwrap();
        write(&path, b"then").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"then");
        // Nothing is written through a link that lies in the way.
        let elsewhere = folder.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, folder.path().join("known.part")).unwrap();
        write(&path, b"then").unwrap();
        assert!(!elsewhere.exists());
        fs::create_dir(folder.path().join("known.part")).unwrap();
        assert!(write(&path, b"never").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"then");
    }
}
