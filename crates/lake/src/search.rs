//! Rows that are asked for, the latest first, a page at a time.
//!
//! Promises that pages that go on behind each other's last row hold every row once, as long as nothing is added to the days between, and that no more rows
//! are looked at for one page than were allowed and those of one more day. Parts, shards and row groups in which nothing can be are not read.

use std::collections::{BTreeMap, BTreeSet};

use exchange::{Exchange, Time};

use crate::error::LakeError;
use crate::lake::{Known, LISTED_AGAIN_MAX, Lake};
pub use crate::limits::SEARCH_ROWS_MAX;
use crate::notes::Erased;
pub use crate::only::{Column, Only};
use crate::part::PartError;
use crate::place::{Day, Partition, shard_of};
use crate::row::Row;

const NANOS_A_MICRO: i64 = 1000;

/// What rows are put in order by: time, account, id.
pub type Key = (Time, String, String);

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Wanted<'w> {
    /// From this time on.
    pub from: Option<Time>,
    /// Before this time.
    pub until: Option<Time>,
    /// Behind this row of an earlier page.
    pub behind: Option<&'w Key>,
    /// Of these accounts only.
    pub accounts: Option<&'w BTreeSet<String>>,
    /// Only rows in which these columns are as asked; others are not read whole.
    pub only: &'w [Only],
    /// How many rows are looked at, at most, and those of one more day; [`SEARCH_ROWS_MAX`] for a page that somebody waits for.
    pub rows_max: u64,
    /// Whether with everything in them, sealed texts and all.
    pub is_whole: bool,
    /// And what else they have to be.
    pub is_wanted: &'w dyn Fn(&Exchange<'_>) -> bool,
}

impl std::fmt::Debug for Wanted<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Wanted").field("from", &self.from).field("until", &self.until).finish_non_exhaustive()
    }
}

/// A page.
#[derive(Debug, Default)]
pub struct Found {
    /// Rows, the latest first.
    pub rows: Vec<Row<'static>>,
    /// Whether there may be more behind the last of them.
    pub is_more: bool,
    /// Where looking stopped since it had looked at so many rows: whatever was before this time was not looked at.
    pub tired: Option<Time>,
    /// How many rows were looked at.
    pub looked_at: u64,
    /// Parts that cannot be read, each with the reason.
    pub broken: Vec<LakeError>,
}

impl Lake {
    /// The latest rows that are asked for, at most `most`.
    ///
    /// # Errors
    ///
    /// When parts cannot be listed.
    pub fn latest(&self, wanted: Wanted<'_>, most: usize) -> Result<Found, LakeError> {
        let shards: Option<BTreeSet<u64>> =
            wanted.accounts.map(|accounts| accounts.iter().map(|account| shard_of(account)).collect());
        let end = wanted.behind.map(|(time, _, _)| *time).into_iter().chain(wanted.until).min();
        let (first, last) = (wanted.from.map(Day::of), end.map(Day::of));
        let is_asked = |at: &Partition| {
            first.as_ref().is_none_or(|first| at.day >= *first)
                && last.as_ref().is_none_or(|last| at.day <= *last)
                && shards.as_ref().is_none_or(|shards| shards.contains(&at.shard))
        };
        let mut search =
            Search { lake: self, erased: self.erased()?, wanted, most, kept: BTreeMap::new(), found: Found::default() };
        for (day, partitions) in self.days(&is_asked)?.into_iter().rev() {
            if search.found.looked_at >= wanted.rows_max {
                search.found.tired = Some(day.end());
                break;
            }
            let parts = self.parts_where(&|at| partitions.contains(at))?;
            search.found.broken.extend(parts.broken);
            let sound = search.found.broken.len();
            search.day(&parts.live);
            // Parts that were merged since they were listed are read under their new names; rows that are kept already stay as they are.
            for _ in 0..LISTED_AGAIN_MAX {
                if !search.found.broken.iter().skip(sound).any(LakeError::is_gone) {
                    break;
                }
                search.found.broken.truncate(sound);
                search.day(&self.parts_where(&|at| partitions.contains(at))?.live);
            }
            // What is on days before is earlier than all of it.
            if search.kept.len() > most {
                break;
            }
        }
        Ok(search.end())
    }

    /// The days and partitions that are asked for and have any part.
    fn days(&self, is_asked: &dyn Fn(&Partition) -> bool) -> Result<BTreeMap<Day, BTreeSet<Partition>>, LakeError> {
        let mut days: BTreeMap<Day, BTreeSet<Partition>> = BTreeMap::new();
        for partition in self.partitions()?.into_iter().filter(is_asked) {
            days.entry(partition.day.clone()).or_default().insert(partition);
        }
        Ok(days)
    }
}

struct Search<'s> {
    lake: &'s Lake,
    erased: Erased,
    wanted: Wanted<'s>,
    most: usize,
    /// The latest rows so far: one more than a page has, to know whether there is another.
    kept: BTreeMap<Key, Row<'static>>,
    found: Found,
}

impl Search<'_> {
    fn day(&mut self, parts: &[Known]) {
        for known in parts {
            let read = self.lake.part(&known.name, known.bytes).and_then(|part| {
                let broken = |error| LakeError::part(self.lake.objects(), &known.name, error);
                for (group, (first, last)) in part.groups().into_iter().enumerate().rev() {
                    if self.may_have(first, last) {
                        self.found.looked_at += part.rows_of(group);
                        let reading = part.group(group, self.wanted.is_whole, self.wanted.only);
                        self.rows(reading.map_err(broken)?).map_err(broken)?;
                    }
                }
                Ok(())
            });
            self.found.broken.extend(read.err());
        }
    }

    /// Whether anything that is asked for, and later than what is kept, can be among rows between these microseconds.
    fn may_have(&self, first: i64, last: i64) -> bool {
        let micros = |time: Time| time.nanos().div_euclid(NANOS_A_MICRO);
        let earliest = self.kept.keys().next().filter(|_| self.kept.len() > self.most).map(|(time, _, _)| *time);
        let from = self.wanted.from.into_iter().chain(earliest).max();
        let end = self.wanted.behind.map(|(time, _, _)| *time).into_iter().chain(self.wanted.until).min();
        from.is_none_or(|from| last >= micros(from)) && end.is_none_or(|end| first <= micros(end))
    }

    fn rows(&mut self, reading: crate::part::Reading) -> Result<(), PartError> {
        for rows in reading {
            rows?.each(&mut |row| {
                if self.is_wanted(&row) {
                    self.keep(row);
                }
                Ok::<(), PartError>(())
            })?;
        }
        Ok(())
    }

    fn is_wanted(&self, row: &Row<'_>) -> bool {
        let exchange = row.exchange();
        let (time, account) = (exchange.time, exchange.account.as_str());
        let Wanted { from, until, behind, accounts, is_wanted, .. } = self.wanted;
        from.is_none_or(|from| time >= from)
            && until.is_none_or(|until| time < until)
            && behind.is_none_or(|(at, whose, id)| {
                (time, account, exchange.id.as_str()) < (*at, whose.as_str(), id.as_str())
            })
            && accounts.is_none_or(|accounts| accounts.contains(account))
            && is_wanted(exchange)
            && !self.erased.has(account, time)
    }

    fn keep(&mut self, row: Row<'_>) {
        let (time, account, id) = row.order();
        let is_early = |known: &Key| (known.0, known.1.as_str(), known.2.as_str()) >= (time, account, id);
        if self.kept.len() > self.most && self.kept.keys().next().is_some_and(is_early) {
            return;
        }
        let key = (time, account.to_owned(), id.to_owned());
        // What stands in two parts is there once.
        self.kept.insert(key, row.into_owned());
        if self.kept.len() > self.most + 1 {
            self.kept.pop_first();
        }
    }

    fn end(self) -> Found {
        let Search { kept, most, mut found, .. } = self;
        found.is_more = kept.len() > most;
        found.rows = kept.into_values().rev().take(most).collect();
        found
    }
}
