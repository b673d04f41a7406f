//! Wrapped keys of accounts in a folder: a file for each day, a line for each key.
//!
//! Promises that what was erased is gone from these files, also where that was interrupted: what is asked for is written down first, and done
//! by the next who opens the folder. Whoever changes them holds a lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use store::whole::{self, sync_folder};
use verify::tiles::read_bounded;

use crate::account::Day;
use crate::error::SealError;
use crate::evidence::{EvidenceKey, PublicKey, Wrapped};
use crate::limits::DAY_BYTES_MAX;

const LOCK: &str = "lock";
/// Accounts that are being erased.
const ERASING: &str = "erasing";
const ENDING: &str = ".keys";

/// Wrapped keys in a folder.
#[derive(Clone, Debug)]
pub struct Keys(PathBuf);

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Keys.
    pub keys: u64,
    /// Days that they were of.
    pub days: u64,
}

impl Keys {
    /// The keys in `folder`, which is made where it is not there. What was not erased to its end is.
    ///
    /// # Errors
    ///
    /// When it cannot be read or written.
    pub fn open(folder: &Path) -> Result<Keys, SealError> {
        let keys = Keys(folder.to_owned());
        let made = || {
            if !folder.is_dir() {
                fs::create_dir_all(folder)?;
                sync_folder(folder)?;
            }
            Ok(())
        };
        made().map_err(|source| keys.failed(source))?;
        let lock = keys.lock()?;
        let accounts = keys.erasing()?;
        if !accounts.is_empty() {
            keys.finish_erasing(&accounts)?;
        }
        drop(lock);
        Ok(keys)
    }

    fn failed(&self, source: io::Error) -> SealError {
        SealError::Failed { path: self.0.clone(), source }
    }

    fn lock(&self) -> Result<File, SealError> {
        let locked = || {
            let file =
                OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(self.0.join(LOCK))?;
            file.lock()?;
            Ok(file)
        };
        locked().map_err(|source| self.failed(source))
    }

    fn file(&self, day: &Day) -> PathBuf {
        self.0.join(format!("{}{ENDING}", day.as_str()))
    }

    /// The days that there are keys of, in order.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn days(&self) -> Result<Vec<Day>, SealError> {
        let listed = || {
            let mut days = Vec::new();
            for entry in fs::read_dir(&self.0)? {
                let name = entry?.file_name();
                let day = name.to_str().and_then(|name| name.strip_suffix(ENDING)).and_then(Day::of);
                days.extend(day.filter(|day| Some(format!("{}{ENDING}", day.as_str()).as_str()) == name.to_str()));
            }
            days.sort_unstable();
            Ok(days)
        };
        listed().map_err(|source| self.failed(source))
    }

    /// The keys of a day. A last line that was cut off is passed over.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn of(&self, day: &Day) -> Result<Vec<Wrapped>, SealError> {
        let path = self.file(day);
        let bytes = match File::open(&path).and_then(|file| read_bounded(file, DAY_BYTES_MAX)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(SealError::Failed { path, source }),
        };
        let mut keys = Vec::new();
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(key) => keys.push(key),
                // What follows it was written after a crash.
                Err(error) if error.is_eof() => {}
                Err(error) => {
                    return Err(SealError::Malformed {
                        path,
                        reason: format!("line {}: {error}; expected a wrapped key", at + 1),
                    });
                }
            }
        }
        Ok(keys)
    }

    /// Adds keys of a day. They are handed to the system when this returns, and on disk after [`Keys::sync`].
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    pub fn add(&self, day: &Day, keys: &[Wrapped]) -> Result<(), SealError> {
        let _lock = self.lock()?;
        let path = self.file(day);
        let added = || {
            // A line that a crash cut off is ended by the newline before the next.
            let mut text = vec![b'\n'];
            for key in keys {
                serde_json::to_writer(&mut text, key)?;
                text.push(b'\n');
            }
            let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
            file.write_all(&text)
        };
        added().map_err(|source| SealError::Failed { path: path.clone(), source })
    }

    /// Waits until the keys of a day are on disk.
    ///
    /// # Errors
    ///
    /// When that cannot be.
    pub fn sync(&self, day: &Day) -> Result<(), SealError> {
        let _lock = self.lock()?;
        let path = self.file(day);
        match File::open(&path).and_then(|file| file.sync_data()).and_then(|()| sync_folder(&path)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(SealError::Failed { path, source }),
            // All of them were erased meanwhile.
            _ => Ok(()),
        }
    }

    /// What these keys are wrapped as, by their ids, and of which day each is.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn find(&self, ids: &BTreeSet<String>) -> Result<BTreeMap<String, (Day, Wrapped)>, SealError> {
        let mut found = BTreeMap::new();
        for day in self.days()? {
            let keys = self.of(&day)?.into_iter().filter(|key| ids.contains(&key.id));
            found.extend(keys.map(|key| (key.id.clone(), (day.clone(), key))));
        }
        Ok(found)
    }

    /// Destroys all keys of these accounts, for good: what was sealed for them is closed from then on.
    ///
    /// # Errors
    ///
    /// When they cannot be written. What is not destroyed then is by the next who opens the folder.
    pub fn erase(&self, accounts: &BTreeSet<String>) -> Result<Erased, SealError> {
        let _lock = self.lock()?;
        let path = self.0.join(ERASING);
        let text = serde_json::to_vec(accounts).map_err(|_| SealError::Crypto)?;
        whole::write(&path, &text).map_err(|source| SealError::Failed { path, source })?;
        self.finish_erasing(accounts)
    }

    fn erasing(&self) -> Result<BTreeSet<String>, SealError> {
        let path = self.0.join(ERASING);
        match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| SealError::Malformed { path, reason: error.to_string() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(source) => Err(SealError::Failed { path, source }),
        }
    }

    fn finish_erasing(&self, accounts: &BTreeSet<String>) -> Result<Erased, SealError> {
        let mut erased = Erased::default();
        for day in self.days()? {
            let count = self.keep(&day, &mut |key| !accounts.contains(&key.account))?;
            erased.keys += count;
            erased.days += u64::from(count > 0);
        }
        let path = self.0.join(ERASING);
        fs::remove_file(&path)
            .and_then(|()| sync_folder(&path))
            .map_err(|source| SealError::Failed { path, source })?;
        Ok(erased)
    }

    /// How many keys of days before `first` are of no account that is held.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn expired(&self, first: &Day, held: &BTreeSet<String>) -> Result<Erased, SealError> {
        let mut erased = Erased::default();
        for day in self.days()?.into_iter().filter(|day| day < first) {
            let count = self.of(&day)?.iter().filter(|key| !held.contains(&key.account)).count() as u64;
            erased.keys += count;
            erased.days += u64::from(count > 0);
        }
        Ok(erased)
    }

    /// Destroys the keys of days before `first`, but for those of accounts that are held.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    pub fn expire(&self, first: &Day, held: &BTreeSet<String>) -> Result<Erased, SealError> {
        let _lock = self.lock()?;
        let mut erased = Erased::default();
        for day in self.days()?.into_iter().filter(|day| day < first) {
            let count = self.keep(&day, &mut |key| held.contains(&key.account))?;
            erased.keys += count;
            erased.days += u64::from(count > 0);
        }
        Ok(erased)
    }

    /// Wraps every key for another evidence key; how many.
    ///
    /// # Errors
    ///
    /// When one cannot be opened or written. Some days may be wrapped anew then, and the others as before: both evidence keys are needed until it is done again.
    pub fn rewrap(&self, from: &EvidenceKey, to: &PublicKey) -> Result<u64, SealError> {
        let _lock = self.lock()?;
        let mut count = 0;
        for day in self.days()? {
            let mut changed = Vec::new();
            for key in self.of(&day)? {
                if key.by == to.id() {
                    changed.push(key);
                    continue;
                }
                changed.push(to.wrap_as(&key.id, &from.unwrap(&key, &day)?, &key.account, &day)?);
                count += 1;
            }
            self.write(&day, &changed)?;
        }
        Ok(count)
    }

    /// Keeps of a day's keys those that `is_kept` says; how many are gone.
    fn keep(&self, day: &Day, is_kept: &mut dyn FnMut(&Wrapped) -> bool) -> Result<u64, SealError> {
        let keys = self.of(day)?;
        let before = keys.len();
        let kept: Vec<Wrapped> = keys.into_iter().filter(|key| is_kept(key)).collect();
        if kept.len() == before {
            return Ok(0);
        }
        if kept.is_empty() {
            let path = self.file(day);
            let removed = fs::remove_file(&path).and_then(|()| sync_folder(&path));
            removed.map_err(|source| SealError::Failed { path, source })?;
        } else {
            self.write(day, &kept)?;
        }
        Ok((before - kept.len()) as u64)
    }

    fn write(&self, day: &Day, keys: &[Wrapped]) -> Result<(), SealError> {
        let path = self.file(day);
        let mut text = Vec::new();
        for key in keys {
            serde_json::to_writer(&mut text, key).map_err(|_| SealError::Crypto)?;
            text.push(b'\n');
        }
        whole::write(&path, &text).map_err(|source| SealError::Failed { path, source })
    }
}
