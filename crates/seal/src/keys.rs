//! Wrapped keys of accounts in a folder: a file for each day, a line for each key.
//!
//! Promises that what was erased is gone from these files, also where that was interrupted: what is asked for is written down first, so that
//! the next one can finish it. Whoever changes them holds a lock. Promises that no line is lost that cannot be read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use store::bounded::read_file;
use store::whole::{self, sync_folder};

use crate::account::Day;
use crate::error::SealError;
use crate::evidence::{EvidenceKey, Wrapped};
use crate::limits::{DAY_BYTES_MAX, ERASING_BYTES_MAX};

const LOCK: &str = "lock";
/// Accounts that are being erased.
const ERASING: &str = "erasing";
const ENDING: &str = ".keys";

/// Wrapped keys in a folder.
#[derive(Clone, Debug)]
pub struct Keys(PathBuf);

/// A line, and the key that it says, if it says one.
type Line = (Vec<u8>, Option<Wrapped>);

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Keys.
    pub keys: u64,
    /// Days that they were of.
    pub days: u64,
}

/// What was wrapped anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Keys that are for the current evidence key now.
    pub wrapped: u64,
    /// Keys that are for an evidence key that is in no key file: they stay as they are.
    pub others: u64,
}

impl Keys {
    /// The keys in `folder`, which is made where it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
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
        Ok(keys)
    }

    fn failed(&self, source: io::Error) -> SealError {
        SealError::Failed { path: self.0.clone(), source }
    }

    fn lock(&self) -> Result<File, SealError> {
        let path = self.0.join(LOCK);
        store::lock::exclusive(&path).map_err(|source| SealError::Failed { path, source })
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

    /// The keys of a day. What cannot be read as a key, as after a crash, is passed over.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn of(&self, day: &Day) -> Result<Vec<Wrapped>, SealError> {
        Ok(self.lines(day)?.into_iter().filter_map(|(_, key)| key).collect())
    }

    /// The lines of a day, each with the key that it says, if it says one.
    fn lines(&self, day: &Day) -> Result<Vec<Line>, SealError> {
        let path = self.file(day);
        let bytes = match read_file(&path, DAY_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(SealError::Failed { path, source }),
        };
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.map(|line| (line.to_vec(), serde_json::from_slice(line).ok())).collect())
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

    /// Writes down that the keys of these accounts are to be destroyed, which [`Keys::finish_erasing`] does, also after a crash.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn begin_erasing(&self, accounts: &BTreeSet<String>) -> Result<(), SealError> {
        let _lock = self.lock()?;
        let mut all = self.erasing()?;
        all.extend(accounts.iter().cloned());
        let path = self.0.join(ERASING);
        let text = serde_json::to_vec(&all).map_err(|_| SealError::Crypto)?;
        if text.len() > ERASING_BYTES_MAX {
            let reason = format!(
                "more than {ERASING_BYTES_MAX} bytes of accounts are to be erased at once; erase them in parts"
            );
            return Err(SealError::Refused(reason));
        }
        whole::write(&path, &text).map_err(|source| SealError::Failed { path, source })
    }

    /// The accounts that are being erased: of whom the keys may be there still.
    ///
    /// # Errors
    ///
    /// When that cannot be read.
    pub fn erasing(&self) -> Result<BTreeSet<String>, SealError> {
        let path = self.0.join(ERASING);
        match read_file(&path, ERASING_BYTES_MAX) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| SealError::Malformed { path, reason: error.to_string() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(source) => Err(SealError::Failed { path, source }),
        }
    }

    /// Destroys all keys of the accounts that are being erased, for good: what was sealed for them is closed from then on.
    ///
    /// # Errors
    ///
    /// When they cannot be written. What is not destroyed then is by the next call.
    pub fn finish_erasing(&self) -> Result<Erased, SealError> {
        let _lock = self.lock()?;
        let accounts = self.erasing()?;
        let mut erased = Erased::default();
        if accounts.is_empty() {
            return Ok(erased);
        }
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

    /// Wraps every key for the current evidence key that is wrapped for a retired one.
    ///
    /// # Errors
    ///
    /// When one cannot be opened or written. Then it can be done again: none is lost.
    pub fn rewrap(&self, key: &EvidenceKey) -> Result<Rewrapped, SealError> {
        let mut rewrapped = Rewrapped::default();
        for day in self.days()? {
            // A day at a time, so that whoever seals does not wait for all of them.
            let _lock = self.lock()?;
            let mut lines = self.lines(&day)?;
            let before = rewrapped.wrapped;
            for (line, wrapped) in &mut lines {
                let Some(old) = wrapped.as_ref().filter(|old| old.by != key.public().id()) else { continue };
                match key.unwrap(old, &day) {
                    Ok(account) => {
                        let anew = key.public().wrap_as(&old.id, &account, &old.account, &day)?;
                        *line = serde_json::to_vec(&anew).map_err(|_| SealError::Crypto)?;
                        rewrapped.wrapped += 1;
                    }
                    Err(_) => rewrapped.others += 1,
                }
            }
            if rewrapped.wrapped > before {
                self.write(&day, lines.into_iter().map(|(line, _)| line))?;
            }
        }
        Ok(rewrapped)
    }

    /// Keeps of a day's keys those that `is_kept` says; how many are gone. What cannot be read as a key stays as it is.
    fn keep(&self, day: &Day, is_kept: &mut dyn FnMut(&Wrapped) -> bool) -> Result<u64, SealError> {
        let lines = self.lines(day)?;
        let before = lines.len();
        let kept: Vec<Vec<u8>> =
            lines.into_iter().filter(|(_, key)| key.as_ref().is_none_or(&mut *is_kept)).map(|(line, _)| line).collect();
        let gone = (before - kept.len()) as u64;
        match (gone, kept.is_empty()) {
            (0, _) => {}
            (_, true) => {
                let path = self.file(day);
                let removed = fs::remove_file(&path).and_then(|()| sync_folder(&path));
                removed.map_err(|source| SealError::Failed { path, source })?;
            }
            (_, false) => self.write(day, kept.into_iter())?,
        }
        Ok(gone)
    }

    fn write(&self, day: &Day, lines: impl Iterator<Item = Vec<u8>>) -> Result<(), SealError> {
        let path = self.file(day);
        let mut text = Vec::new();
        for line in lines {
            text.extend_from_slice(&line);
            text.push(b'\n');
        }
        whole::write(&path, &text).map_err(|source| SealError::Failed { path, source })
    }
}
