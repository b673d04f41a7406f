//! What seals records while they are written.
//!
//! Promises that the wrapped key of a record is handed to the system before [`Sealer::flush`] returns, so that no record is on disk whose key
//! is nowhere. Bounded by [`KNOWN_MAX`] keys.

use std::collections::{BTreeMap, BTreeSet};

use verify::sealed::{KEY_BYTES, Sealed};

use crate::account::{AccountKey, Day, fill};
use crate::error::SealError;
use crate::evidence::{PublicKey, Wrapped};
use crate::keys::Keys;
use crate::limits::{DAYS_MAX, KNOWN_MAX};

/// Seals records.
#[derive(Debug)]
pub struct Sealer {
    public: PublicKey,
    keys: Keys,
    /// The keys of accounts by day, with their ids.
    known: BTreeMap<Day, BTreeMap<Box<str>, (String, AccountKey)>>,
    /// Those that are in no file yet.
    new: Vec<(Day, Wrapped)>,
    /// Days whose files have keys that may not be on disk yet.
    unsynced: BTreeSet<Day>,
}

impl Sealer {
    /// One that seals for the holder of an evidence key.
    #[must_use]
    pub fn new(public: PublicKey, keys: Keys) -> Sealer {
        Sealer { public, keys, known: BTreeMap::new(), new: Vec::new(), unsynced: BTreeSet::new() }
    }

    /// Appends a sealed line: what stands in clear, the fields of an object without its braces, and `text`, which an account sent on a day.
    ///
    /// # Errors
    ///
    /// When it cannot be sealed.
    pub fn seal(
        &mut self,
        account: &str,
        day: &Day,
        clear: &[u8],
        text: Vec<u8>,
        line: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        if !self.known.contains_key(day) && self.known.len() >= DAYS_MAX {
            // The oldest of them: what comes late is mostly of yesterday.
            self.known.pop_first();
        }
        if self.known.values().map(BTreeMap::len).sum::<usize>() >= KNOWN_MAX {
            self.known.clear();
        }
        let accounts = self.known.entry(day.clone()).or_default();
        if !accounts.contains_key(account) {
            let key = AccountKey::random()?;
            let wrapped = self.public.wrap(&key, account, day)?;
            accounts.insert(account.into(), (wrapped.id.clone(), key));
            self.new.push((day.clone(), wrapped));
        }
        let Some((id, key)) = accounts.get(account) else { return Err(SealError::Crypto) };
        let mut salt = [0; KEY_BYTES];
        fill(&mut salt)?;
        let sealed = Sealed::close(id, salt, &key.record(&salt)?, clear, text).map_err(|_| SealError::Crypto)?;
        sealed.write_line(clear, line);
        Ok(())
    }

    /// Hands new keys to the system, and waits until they are on disk where `is_synced`.
    ///
    /// # Errors
    ///
    /// When they cannot be written; then they wait on.
    pub fn flush(&mut self, is_synced: bool) -> Result<(), SealError> {
        while let Some((day, _)) = self.new.first() {
            let day = day.clone();
            let of_day = self.new.iter().take_while(|(other, _)| *other == day).count();
            let keys: Vec<Wrapped> = self.new.iter().take(of_day).map(|(_, key)| key.clone()).collect();
            self.keys.add(&day, &keys)?;
            self.unsynced.insert(day);
            self.new.drain(..of_day);
        }
        while let Some(day) = self.unsynced.first().filter(|_| is_synced) {
            self.keys.sync(day)?;
            self.unsynced.pop_first();
        }
        Ok(())
    }
}
