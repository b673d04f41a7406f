//! Files of a locked model in memory only, for programs that read files and know nothing of locked models.
//!
//! Promises that what is read lies in no file on a disk, that nobody writes to it once it is whole, and that a folder is only ever emptied of links that
//! this program left.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};
use zeroize::Zeroizing;

use crate::digest::Progress;
use crate::error::VaultError;
use crate::locked::Locked;
use crate::name::Name;

/// What files in memory are called in lists of open files.
const LABEL: &str = "locked-model";
/// Bytes that are decrypted at once.
const READ_BYTES: usize = 1 << 20;
/// Where a process finds what it and others have open.
const PROCESSES: &str = "/proc";

/// The files of a model, in memory. They are there as long as this, and whatever program takes the place of this one, has them open.
#[derive(Debug)]
pub struct InMemory {
    files: Vec<(Name, File)>,
}

impl InMemory {
    /// Decrypts every file of a model.
    ///
    /// # Errors
    ///
    /// When a file was changed, or there is no room for it.
    pub fn of(model: &Locked, progress: &Progress) -> Result<InMemory, VaultError> {
        let files = model.files().map(|(name, bytes, _)| {
            let file = decrypted(model, name, bytes, progress)?;
            Ok((if name.is_whole() { model.called() } else { name.clone() }, file))
        });
        Ok(InMemory { files: files.collect::<Result<_, VaultError>>()? })
    }

    /// Makes a folder of links by which this process, and those that it begins, find the files under their names.
    ///
    /// A folder that an earlier process left is emptied before.
    ///
    /// # Errors
    ///
    /// When there is something else, or the folder cannot be written.
    pub fn link(&self, at: &Path) -> Result<(), VaultError> {
        unlink(at)?;
        let mut folders = fs::DirBuilder::new();
        folders.recursive(true).mode(0o700);
        folders.create(at).map_err(VaultError::io(at))?;
        for (name, file) in &self.files {
            let link = name.within(at);
            let parent = link.parent().unwrap_or(at);
            folders.create(parent).map_err(VaultError::io(parent))?;
            let to = format!("{PROCESSES}/{}/fd/{}", std::process::id(), file.as_raw_fd());
            symlink(to, &link).map_err(VaultError::io(&link))?;
        }
        Ok(())
    }
}

/// A file of a model in memory, which nobody can write to any more.
fn decrypted(model: &Locked, name: &Name, bytes: u64, progress: &Progress) -> Result<File, VaultError> {
    let path = PathBuf::from(name.to_string());
    let told = |error: rustix::io::Errno| VaultError::io(&path)(error.into());
    // Without CLOEXEC: the program that takes the place of this one keeps it.
    let mut file = File::from(memfd_create(LABEL, MemfdFlags::ALLOW_SEALING).map_err(told)?);
    let mut from = model.read(name)?;
    let mut buffer = Zeroizing::new(vec![0; READ_BYTES]);
    let mut left = bytes;
    while left > 0 {
        let read = io::Read::read(&mut from, &mut buffer).map_err(VaultError::io(&path))?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else {
            return Err(VaultError::model(&path, "it ends before its length"));
        };
        io::Write::write_all(&mut file, part).map_err(VaultError::io(&path))?;
        progress.add(read as u64);
        left = left.saturating_sub(read as u64);
    }
    fchmod(&file, Mode::RUSR).map_err(told)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL).map_err(told)?;
    Ok(file)
}

/// Removes a folder of links that this or an earlier process made.
///
/// # Errors
///
/// When anything else lies in it: then nothing is removed.
pub fn unlink(at: &Path) -> Result<(), VaultError> {
    match fs::symlink_metadata(at) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(VaultError::io(at)(error)),
        Ok(metadata) if !metadata.is_dir() => return Err(VaultError::model(at, "expected a folder, or nothing yet")),
        Ok(_) => {}
    }
    only_links(at, 0)?;
    fs::remove_dir_all(at).map_err(VaultError::io(at))
}

fn only_links(folder: &Path, depth: usize) -> Result<(), VaultError> {
    if depth > crate::limits::DEPTH_MAX {
        return Err(VaultError::model(folder, "it is too deep to be a folder of links to a locked model"));
    }
    for entry in fs::read_dir(folder).map_err(VaultError::io(folder))? {
        let entry = entry.map_err(VaultError::io(folder))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(VaultError::io(folder))?);
        if kind.is_dir() {
            only_links(&path, depth + 1)?;
        } else if !kind.is_symlink() || !fs::read_link(&path).is_ok_and(|to| to.starts_with(PROCESSES)) {
            return Err(VaultError::model(
                &path,
                "it is no link to a locked model; name a folder that is empty, or not there yet",
            ));
        }
    }
    Ok(())
}
