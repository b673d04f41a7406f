//! The shingle table: for each recent shingle, how many different payers sent it, and the cluster it belongs to.
//!
//! Set-associative and of fixed size: a lookup touches one bucket of [`WAYS`] entries. A full bucket forgets the entry that
//! fewest payers sent, oldest first, and never one that a cluster owns while another can go; so one-off texts, which are
//! nearly all of the traffic, push each other out and shared ones stay. Distinct payers are counted by a 32-bit linear
//! counter, which can only undercount.

use std::ops::Range;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::SHINGLES_MAX;
/// A shingle's owner: a cluster and the place in its skeleton.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The cluster.
    pub cluster: u32,
    /// The place in its skeleton.
    pub place: u16,
}

/// What the table knows of a shingle after it was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// Few payers sent it so far.
    Cold,
    /// Enough payers sent it, and no cluster owns it yet.
    Hot,
    /// A cluster owns it.
    Owned(Owner),
    /// It already occurred in this exchange, or cannot be kept.
    Skipped,
}

/// The table.
pub(crate) struct Shingles {
    entries: Vec<Entry>,
    buckets: usize,
}

/// What is known of one shingle, by the places below; plain numbers, since a table of zeros takes no memory before it is used.
type Entry = [u32; 4];
/// Bits of the shingle.
const TAG: usize = 0;
/// Which payers sent it, each a bit.
const PAYERS: usize = 1;
/// Cluster number plus one in the high 20 bits, place in the skeleton in the low 12; zero for none.
const OWNER: usize = 2;
/// The exchange in which it came last; zero for no shingle.
const STAMP: usize = 3;

impl Shingles {
    /// A table of about `slots` entries.
    #[must_use]
    pub(crate) fn new(slots: usize) -> Shingles {
        let buckets = (slots / WAYS).next_power_of_two();
        Shingles { entries: vec![Entry::default(); buckets * WAYS], buckets }
    }

    /// Reads where these keys are, all at once: one by one each waits for memory.
    pub(crate) fn read_ahead(&self, keys: impl Iterator<Item = u64>) {
        let read = |key| {
            let bucket = self.entries.get(self.bucket(key)).unwrap_or_default();
            bucket.first().map_or(0, |entry| entry[STAMP]) ^ bucket.last().map_or(0, |entry| entry[STAMP])
        };
        std::hint::black_box(keys.map(read).fold(0, |all, one| all ^ one));
    }

    /// Notes that the payer with hash `payer` sent `key` in the exchange numbered `stamp` (from 1).
    pub(crate) fn touch(&mut self, key: u64, payer: u64, stamp: u32) -> Touched {
        let (tag, bit) = (tag(key), 1_u32 << (payer >> 59));
        let bucket = self.bucket(key);
        let Some(entries) = self.entries.get_mut(bucket) else { return Touched::Skipped };
        if let Some(entry) = entries.iter_mut().find(|entry| entry[STAMP] != 0 && entry[TAG] == tag) {
            if entry[STAMP] == stamp {
                return Touched::Skipped;
            }
            entry[STAMP] = stamp;
            entry[PAYERS] |= bit;
            return match unpack(entry[OWNER]) {
                Some(owner) => Touched::Owned(owner),
                None if entry[PAYERS].count_ones() >= HOT_PAYERS => Touched::Hot,
                None => Touched::Cold,
            };
        }
        // An entry that few payers sent and that was not seen for long goes first.
        let victim = entries.iter_mut().min_by_key(|entry| {
            let age = stamp.wrapping_sub(entry[STAMP]);
            let kept = if entry[OWNER] != 0 { 64 } else { entry[PAYERS].count_ones() };
            (entry[STAMP] != 0, kept.saturating_sub(age / FORGET_AFTER), u32::MAX - age)
        });
        match victim {
            Some(entry) if entry[OWNER] == 0 => {
                *entry = [tag, bit, 0, stamp];
                Touched::Cold
            }
            _ => Touched::Skipped,
        }
    }

    /// Gives `key` to a cluster.
    pub(crate) fn give(&mut self, key: u64, owner: Owner) {
        let (tag, bucket) = (tag(key), self.bucket(key));
        let entries = self.entries.get_mut(bucket).unwrap_or_default();
        if let Some(entry) = entries.iter_mut().find(|entry| entry[STAMP] != 0 && entry[TAG] == tag) {
            entry[OWNER] = pack(owner);
        }
    }

    /// How many places it has.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes the shingles at these places back from owners that, by their tags, do not have them, and forgets those that nobody owns
    /// and that were not seen for `idle` exchanges or more before the one numbered `stamp`.
    pub(crate) fn sweep(&mut self, places: Range<usize>, owns: impl Fn(Owner, u32) -> bool, stamp: u32, idle: u32) {
        for entry in self.entries.get_mut(places).unwrap_or_default() {
            if unpack(entry[OWNER]).is_some_and(|owner| !owns(owner, entry[TAG])) {
                entry[OWNER] = 0;
            }
            if entry[OWNER] == 0 && stamp.wrapping_sub(entry[STAMP]) >= idle {
                *entry = Entry::default();
            }
        }
    }

    fn bucket(&self, key: u64) -> Range<usize> {
        let bucket = key as usize & (self.buckets - 1);
        bucket * WAYS..(bucket + 1) * WAYS
    }
}

/// The entries in use, each with its place, after the number of buckets.
impl Serialize for Shingles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let used = (0_u32..).zip(&self.entries).filter(|(_, entry)| entry[STAMP] != 0);
        (self.buckets as u64, used.collect::<Vec<_>>()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Shingles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shingles, D::Error> {
        let (buckets, used) = <(u64, Vec<(u32, Entry)>)>::deserialize(deserializer)?;
        if !buckets.is_power_of_two() || buckets > (SHINGLES_MAX / WAYS).next_power_of_two() as u64 {
            return Err(D::Error::custom(format_args!("a table of {buckets} buckets")));
        }
        let mut shingles = Shingles::new(buckets as usize * WAYS);
        for (place, entry) in used {
            let slot = shingles.entries.get_mut(place as usize);
            *slot.ok_or_else(|| D::Error::custom(format_args!("a shingle at place {place}")))? = entry;
        }
        Ok(shingles)
    }
}

/// Entries in a bucket.
pub(crate) const WAYS: usize = 8;
/// Distinct payers from which a shingle is shared.
pub(crate) const HOT_PAYERS: u32 = 3;
/// Exchanges after which a shingle that was not seen again counts as sent by one payer less.
const FORGET_AFTER: u32 = 1 << 20;

fn tag(key: u64) -> u32 {
    (key >> 32) as u32
}

fn pack(owner: Owner) -> u32 {
    (owner.cluster + 1) << 12 | u32::from(owner.place & 0xFFF)
}

fn unpack(owner: u32) -> Option<Owner> {
    Some(Owner { cluster: (owner >> 12).checked_sub(1)?, place: (owner & 0xFFF) as u16 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payer(n: u64) -> u64 {
        n << 59
    }

    #[test]
    fn a_written_table_that_is_larger_than_any_or_has_no_place_for_a_shingle_is_refused() {
        let largest = (SHINGLES_MAX / WAYS).next_power_of_two() as u64;
        let read = |buckets: u64, place: u32| {
            let written = (buckets, vec![(place, [1_u32, 1, 0, 1])]);
            postcard::from_bytes::<Shingles>(&postcard::to_allocvec(&written).unwrap()).is_ok()
        };
        assert!(read(largest, 7) && !read(largest * 2, 7));
        assert!(read(2, 2 * WAYS as u32 - 1) && !read(2, 2 * WAYS as u32));
        assert!(!read(3, 7) && !read(0, 7));
    }

    #[test]
    fn shingles_of_three_payers_are_hot_and_of_one_payer_never() {
        let mut table = Shingles::new(64);
        let touched: Vec<Touched> = (1..=6).map(|stamp| table.touch(7, payer(1), stamp)).collect();
        assert!(touched.iter().all(|&t| t == Touched::Cold));
        assert_eq!(table.touch(7, payer(2), 7), Touched::Cold);
        assert_eq!(table.touch(7, payer(2), 7), Touched::Skipped);
        assert_eq!(table.touch(7, payer(3), 8), Touched::Hot);
    }

    #[test]
    fn owners_come_back_and_are_not_pushed_out() {
        let mut table = Shingles::new(WAYS);
        for key in 0..WAYS as u64 {
            table.touch(key << 32, payer(1), 1 + key as u32);
            table.give(key << 32, Owner { cluster: 41, place: 4095 });
        }
        assert_eq!(table.touch(99 << 32, payer(1), 100), Touched::Skipped);
        assert_eq!(table.touch(3 << 32, payer(1), 101), Touched::Owned(Owner { cluster: 41, place: 4095 }));
    }

    #[test]
    fn a_full_bucket_forgets_the_oldest_that_fewest_sent() {
        let mut table = Shingles::new(WAYS);
        for key in 0..WAYS as u64 {
            table.touch(key << 32, payer(1), 1 + key as u32);
        }
        table.touch(0, payer(2), 50);
        assert_eq!(table.touch(77 << 32, payer(1), 51), Touched::Cold);
        // Key 1 was the oldest with one payer; key 0 has two and stays one payer short of hot.
        assert_eq!(table.touch(0, payer(3), 52), Touched::Hot);
        assert_eq!(table.touch(1 << 32, payer(2), 53), Touched::Cold);
        assert_eq!(table.touch(1 << 32, payer(3), 54), Touched::Cold);
    }
}
