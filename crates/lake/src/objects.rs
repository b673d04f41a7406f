//! Where parts are kept: named objects that are written whole or not at all.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name, with `/` between folders.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// An object of which parts are read.
pub trait Stored: Send + Sync + fmt::Debug {
    /// So many bytes from a place on.
    ///
    /// # Errors
    ///
    /// When they cannot be read, or there are fewer.
    fn read_at(&self, start: u64, length: usize) -> io::Result<Vec<u8>>;
}

impl Stored for File {
    fn read_at(&self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }
}

/// Held while nobody else may write.
pub trait Held: Send {}

impl Held for File {}

/// A store of named objects.
///
/// Each method fails as the store does. Who changes objects holds [`Objects::lock`].
pub trait Objects: Send + Sync + fmt::Debug {
    /// Where it is, for people.
    fn place(&self) -> String;

    /// All objects, in the order of their names.
    ///
    /// # Errors
    ///
    /// When they cannot be listed.
    fn list(&self) -> io::Result<Vec<Object>>;

    /// A whole object of at most so many bytes; nothing where it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or has more.
    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Vec<u8>>>;

    /// An object of so many bytes, as it was listed, of which parts are read; and how many bytes it has.
    ///
    /// # Errors
    ///
    /// When it cannot be read; [`io::ErrorKind::NotFound`] when it is not there any more.
    fn open(&self, name: &str, bytes: u64) -> io::Result<(Box<dyn Stored>, u64)>;

    /// Puts an object in the place of what has its name: whoever reads sees all of the one or all of the other.
    ///
    /// # Errors
    ///
    /// When it cannot be written; what was there stays.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Removes an object; one that is not there is gone already.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Has what is stored be changed by one alone, until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// When somebody else has it.
    fn lock(&self) -> io::Result<Box<dyn Held>>;

    /// Removes a lock that somebody left who was killed; whether there was one. A folder's ends with its process.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    fn unlock(&self) -> io::Result<bool> {
        Ok(false)
    }
}

/// What says that a store is a lake.
pub(crate) const LAKE: &str = "_lake.json";
const LOCK: &str = "_lock";

/// Makes a folder with those that it is in, so that they outlive the machine.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => store::whole::sync_folder(folder),
    }
}

/// A folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Objects in a folder, which is made with the first object.
    #[must_use]
    pub fn new(path: &Path) -> Folder {
        Folder { path: path.to_owned() }
    }

    /// Whether the folder is a lake.
    #[must_use]
    pub fn holds_a_lake(&self) -> bool {
        self.path.join(LAKE).is_file()
    }

    fn below(&self, folder: &Path, found: &mut Vec<Object>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                unless_gone(self.below(&entry.path(), found))?;
            } else if !kind.is_file() {
                let path = entry.path();
                return Err(io::Error::other(format!("`{}` is neither a file nor a folder", path.display())));
            } else if let Some(name) = entry.path().strip_prefix(&self.path).ok().and_then(Path::to_str)
                && name != LOCK
                && let Some(is) = unless_gone(entry.metadata())?
            {
                found.push(Object { name: name.replace(std::path::MAIN_SEPARATOR, "/"), bytes: is.len() });
            }
        }
        Ok(())
    }
}

/// What was found, unless somebody removed it since it was listed.
fn unless_gone<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

impl Objects for Folder {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn list(&self) -> io::Result<Vec<Object>> {
        let mut found = Vec::new();
        if self.path.is_dir() {
            self.below(&self.path, &mut found)?;
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        match store::bounded::read_file(&self.path.join(name), bytes_max) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    fn open(&self, name: &str, _bytes: u64) -> io::Result<(Box<dyn Stored>, u64)> {
        let file = File::open(self.path.join(name))?;
        let bytes = file.metadata()?.len();
        Ok((Box::new(file), bytes))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path.join(name);
        if let Some(folder) = path.parent() {
            make(folder)?;
        }
        store::whole::write(&path, bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            removed => removed?,
        }
        // What was erased does not come back with a machine that loses its power.
        store::whole::sync_folder(&path)?;
        // Folders without anything in them go as well; one with something stays.
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != self.path) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn Held>> {
        make(&self.path)?;
        Ok(Box::new(store::lock::exclusive(&self.path.join(LOCK))?))
    }
}
