//! Changing a lake: rows added, recorded files taken in, parts merged, days closed, accounts erased.
//!
//! Promises that each of these can be interrupted anywhere: what was acknowledged is there, what was erased does not come back, no row is there
//! twice, and the next change goes on where it was. Only one process changes a lake at a time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use exchange::{Notes, Time};

use crate::error::LakeError;
use crate::lake::{Known, Lake, Parts, list};
use crate::limits::{
    ERASED_AT_ONCE_MAX, GATHERED_BYTES_MAX, GATHERED_ROWS_MAX, MERGED_MAX, PART_BYTES_MAX, PARTITIONS_MAX,
    STEM_LETTERS_MAX,
};
use crate::notes::{self, AllTaken, Erased, Erasure, Taken};
use crate::objects::Held;
use crate::part::{PartError, Reading, Writing};
use crate::place::{Day, PartName, Partition, shard_of};
use crate::row::{Row, Rows};

/// A lake that this process alone may change.
pub struct Changing {
    lake: Lake,
    erased: Erased,
    taken: AllTaken,
    /// What is in the partitions that were looked at last.
    partitions: BTreeMap<Partition, Looked>,
    /// How often partitions were looked at.
    looks: u64,
    _held: Box<dyn Held>,
}

impl std::fmt::Debug for Changing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Changing").field("lake", &self.lake).finish_non_exhaustive()
    }
}

/// What is in a partition.
#[derive(Default)]
struct Looked {
    names: BTreeSet<String>,
    /// Its rows, by a hash of time, account and id.
    rows: BTreeSet<u128>,
    /// When it was looked at last.
    look: u64,
}

/// How objects end that were not written to their end.
const HALF_WRITTEN: &str = ".part";

/// What a change came to, or would come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Rows that were added, merged, or removed.
    pub rows: u64,
    /// Parts that were written anew.
    pub written: u64,
    /// Parts that were removed.
    pub removed: u64,
    /// Bytes of parts before.
    pub bytes_before: u64,
    /// Bytes of them after.
    pub bytes_after: u64,
}

impl Changed {
    fn add(&mut self, other: Changed) {
        self.rows += other.rows;
        self.written += other.written;
        self.removed += other.removed;
        self.bytes_before += other.bytes_before;
        self.bytes_after += other.bytes_after;
    }
}

/// Whether something is done, or only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is done.
    Do,
    /// It is counted only.
    Count,
}

/// Hears after each part how many of how many are done.
pub type Watch<'w> = &'w mut dyn FnMut(usize, usize);

impl Lake {
    /// Has the lake for this process alone. Erasures that were interrupted are [`Changing::unfinished`] and for the caller to finish.
    ///
    /// # Errors
    ///
    /// When another process has it, or what somebody left who was killed cannot be removed.
    pub fn change(self) -> Result<Changing, LakeError> {
        let held = self.objects().lock().map_err(|error| LakeError::object(self.objects(), "_lock", error))?;
        self.change_held(held)
    }

    /// The same where the lock is held already.
    pub(crate) fn change_held(self, held: Box<dyn Held>) -> Result<Changing, LakeError> {
        let (erased, taken) = (self.erased()?, AllTaken::read(self.objects())?);
        let changing = Changing { lake: self, erased, taken, partitions: BTreeMap::new(), looks: 0, _held: held };
        let objects = changing.lake.objects();
        for object in list(objects)?.into_iter().filter(|object| object.name.ends_with(HALF_WRITTEN)) {
            objects.remove(&object.name).map_err(|error| LakeError::object(objects, &object.name, error))?;
        }
        for name in changing.lake.parts()?.superseded {
            changing.remove(&name)?;
        }
        Ok(changing)
    }
}

impl Changing {
    /// The lake.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// Accounts whose erasure was begun and not finished, each until when. Nobody reads anything of them.
    #[must_use]
    pub fn unfinished(&self) -> BTreeMap<String, Time> {
        let open = self.erased.0.iter().filter(|(_, erasure)| !erasure.done);
        open.map(|(account, erasure)| (account.clone(), erasure.until)).collect()
    }

    /// Adds what is known of accounts, a line of JSON each as in `accounts.jsonl`; lines that are there already, and those of what was erased, are left out.
    ///
    /// # Errors
    ///
    /// When there would be too much of it, or it cannot be written.
    pub fn add_facts(&mut self, lines: &str) -> Result<(), LakeError> {
        let before = self.lake.facts()?;
        let mut met = BTreeSet::new();
        let mut all = String::new();
        for line in before.lines().chain(lines.lines()) {
            let fact = exchange::read_account(line.as_bytes(), &mut Notes::default());
            let is_kept = fact.is_ok_and(|fact| !self.erased.has(fact.account.as_str(), fact.time));
            if is_kept && met.insert(line) {
                all += line;
                all.push('\n');
            }
        }
        if all == before {
            return Ok(());
        }
        notes::write_facts(self.lake.objects(), &all)
    }

    /// Begins to add rows, in any order; those that are in the lake already, by time, account and id, are left out. Parts are called after the recorded file
    /// that rows come from, where they do.
    pub fn add(&mut self, file: Option<&str>) -> Adding<'_> {
        let name = file.map_or_else(|| "log".to_owned(), called);
        Adding { changing: self, rows: Vec::new(), bytes: 0, added: Added::default(), name }
    }

    /// How much of a recorded file is in the lake.
    #[must_use]
    pub fn taken(&self, file: &str) -> Taken {
        self.taken.0.get(file).cloned().unwrap_or_default()
    }

    /// Writes down that a recorded file is in the lake up to there.
    ///
    /// # Errors
    ///
    /// When that cannot be written down.
    pub fn took(&mut self, file: &str, lines: u64, bytes: u64) -> Result<(), LakeError> {
        self.taken.0.insert(file.to_owned(), Taken { lines, bytes });
        self.taken.write(self.lake.objects())
    }

    /// Merges the parts of each partition whose day is over, and those of others once there are `parts_max` of them.
    ///
    /// # Errors
    ///
    /// When parts cannot be read or written.
    pub fn merge(&mut self, today: &Day, parts_max: usize, mode: Mode, watch: Watch<'_>) -> Result<Changed, LakeError> {
        let Parts { live, broken, .. } = self.lake.parts()?;
        first_of(broken)?;
        let mut partitions: BTreeMap<Partition, Vec<Known>> = BTreeMap::new();
        for part in live {
            partitions.entry(part.name.partition.clone()).or_default().push(part);
        }
        partitions.retain(|partition, parts| parts.len() > 1 && (partition.day < *today || parts.len() >= parts_max));
        let groups: Vec<Vec<Known>> = partitions.into_values().flat_map(groups).collect();
        let mut changed = Changed::default();
        let count = groups.len();
        for (done, group) in groups.into_iter().enumerate() {
            changed.add(self.merge_group(&group, mode)?);
            watch(done + 1, count);
        }
        Ok(changed)
    }

    fn merge_group(&mut self, group: &[Known], mode: Mode) -> Result<Changed, LakeError> {
        let Some((first, others)) = group.split_first() else { return Ok(Changed::default()) };
        let mut changed = Changed {
            rows: group.iter().map(|part| part.rows).sum(),
            written: 1,
            removed: others.len() as u64,
            bytes_before: group.iter().map(|part| part.bytes).sum(),
            bytes_after: 0,
        };
        if mode == Mode::Count {
            return Ok(changed);
        }
        let broken = |error| LakeError::part(self.lake.objects(), &first.name, error);
        let mut lanes = Vec::new();
        for part in group {
            let reading = self.lake.part(&part.name, part.bytes)?.whole();
            let lane = reading.and_then(Lane::begin);
            lanes.extend(lane.map_err(|error| LakeError::part(self.lake.objects(), &part.name, error))?);
        }
        let mut writing = Writing::new(self.lake.fingerprints()).map_err(broken)?;
        merged(lanes, &mut |row| writing.push(row)).map_err(broken)?;
        let of: Vec<String> = group
            .iter()
            .flat_map(|part| part.of.iter().chain([&part.name.name]))
            .filter(|name| **name != first.name.name)
            .cloned()
            .collect();
        changed.bytes_after = self.put(&first.name, writing, &of)?;
        for part in others {
            self.remove(&part.name)?;
        }
        Ok(changed)
    }

    /// Removes the days before `first`, but for rows of accounts that are held.
    ///
    /// # Errors
    ///
    /// When parts cannot be read or written.
    pub fn expire(
        &mut self,
        first: &Day,
        held: &BTreeSet<String>,
        mode: Mode,
        watch: Watch<'_>,
    ) -> Result<Changed, LakeError> {
        let Parts { live, broken, .. } = self.lake.parts_where(&|partition| partition.day < *first)?;
        first_of(broken)?;
        self.keep(&live, &|row| held.contains(row.exchange().account.as_str()), mode, watch)
    }

    /// What an erasure of these accounts up to a time would remove.
    ///
    /// # Errors
    ///
    /// When parts cannot be read.
    pub fn would_erase(
        &mut self,
        accounts: &BTreeSet<String>,
        until: Time,
        watch: Watch<'_>,
    ) -> Result<Changed, LakeError> {
        let all = accounts.iter().map(|account| (account.clone(), Erasure { until, done: false })).collect();
        self.without(&Erased(all), Mode::Count, watch)
    }

    /// Begins to erase what accounts sent up to a time: nobody reads it from now on, and nothing of it comes back with what is added later.
    ///
    /// # Errors
    ///
    /// When they are too many, or it cannot be written down.
    pub fn begin_erasing(&mut self, accounts: &BTreeSet<String>, until: Time) -> Result<(), LakeError> {
        if accounts.len() > ERASED_AT_ONCE_MAX {
            return Err(LakeError::TooMany(accounts.len()));
        }
        let accounts = accounts.iter().map(|account| (account.clone(), until)).collect();
        self.erased.heed(notes::erasures(&accounts));
        self.erased.write(self.lake.objects())
    }

    /// Removes the rows of accounts whose erasure was begun, and what was known of them.
    ///
    /// # Errors
    ///
    /// When parts cannot be read or written; it stays unfinished then.
    pub fn finish_erasing(&mut self, watch: Watch<'_>) -> Result<Changed, LakeError> {
        let open: BTreeMap<String, Erasure> =
            self.erased.0.iter().filter(|(_, erasure)| !erasure.done).map(|(a, e)| (a.clone(), e.clone())).collect();
        if open.is_empty() {
            return Ok(Changed::default());
        }
        let changed = self.without(&Erased(open), Mode::Do, watch)?;
        self.add_facts("")?;
        self.erased.0.values_mut().for_each(|erasure| erasure.done = true);
        self.erased.write(self.lake.objects())?;
        Ok(changed)
    }

    fn without(&mut self, erased: &Erased, mode: Mode, watch: Watch<'_>) -> Result<Changed, LakeError> {
        let shards: BTreeSet<u64> = erased.0.keys().map(|account| shard_of(account)).collect();
        let Parts { live, broken, .. } = self.lake.parts_where(&|partition| shards.contains(&partition.shard))?;
        first_of(broken)?;
        self.keep(&live, &|row| !erased.has(row.exchange().account.as_str(), row.exchange().time), mode, watch)
    }

    /// Writes each part anew that has a row which is not to be kept.
    fn keep(
        &mut self,
        parts: &[Known],
        is_kept: &dyn Fn(&Row<'_>) -> bool,
        mode: Mode,
        watch: Watch<'_>,
    ) -> Result<Changed, LakeError> {
        self.partitions.clear();
        let mut changed = Changed::default();
        for (done, part) in parts.iter().enumerate() {
            let gone = self.count(part, &|row| !is_kept(row))?;
            if gone > 0 {
                changed.rows += gone;
                changed.bytes_before += part.bytes;
                let is_removed = gone == part.rows;
                let count = if is_removed { &mut changed.removed } else { &mut changed.written };
                *count += 1;
                match mode {
                    Mode::Count => {}
                    Mode::Do if is_removed => self.remove(&part.name)?,
                    Mode::Do => changed.bytes_after += self.rewrite(part, is_kept)?,
                }
            }
            watch(done + 1, parts.len());
        }
        Ok(changed)
    }

    fn count(&self, part: &Known, is_counted: &dyn Fn(&Row<'_>) -> bool) -> Result<u64, LakeError> {
        let broken = |error| LakeError::part(self.lake.objects(), &part.name, error);
        let mut count = 0;
        for rows in self.lake.part(&part.name, part.bytes)?.whose().map_err(broken)? {
            let mut see = |row: Row<'_>| {
                count += u64::from(is_counted(&row));
                Ok::<(), PartError>(())
            };
            rows.and_then(|rows| rows.each(&mut see)).map_err(broken)?;
        }
        Ok(count)
    }

    fn rewrite(&mut self, part: &Known, is_kept: &dyn Fn(&Row<'_>) -> bool) -> Result<u64, LakeError> {
        let broken = |error| LakeError::part(self.lake.objects(), &part.name, error);
        let mut writing = Writing::new(self.lake.fingerprints()).map_err(broken)?;
        for rows in self.lake.part(&part.name, part.bytes)?.whole().map_err(broken)? {
            let mut see = |row: Row<'_>| if is_kept(&row) { writing.push(&row) } else { Ok(()) };
            rows.and_then(|rows| rows.each(&mut see)).map_err(broken)?;
        }
        self.put(&part.name, writing, &part.of)
    }

    /// Puts a part in its place; how many bytes it has.
    fn put(&self, name: &PartName, writing: Writing, of: &[String]) -> Result<u64, LakeError> {
        let bytes = writing.finish(of).map_err(|error| LakeError::part(self.lake.objects(), name, error))?;
        let object = name.to_string();
        let written = self.lake.objects().write(&object, &bytes);
        written.map_err(|error| LakeError::object(self.lake.objects(), &object, error))?;
        Ok(bytes.len() as u64)
    }

    fn remove(&self, name: &PartName) -> Result<(), LakeError> {
        let object = name.to_string();
        let removed = self.lake.objects().remove(&object);
        removed.map_err(|error| LakeError::object(self.lake.objects(), &object, error))
    }

    /// Looks what is in a partition, unless that is remembered.
    fn look(&mut self, partition: &Partition) -> Result<(), LakeError> {
        if !self.partitions.contains_key(partition) {
            let oldest =
                self.partitions.iter().min_by_key(|(_, looked)| looked.look).map(|(partition, _)| partition.clone());
            if let Some(oldest) = oldest.filter(|_| self.partitions.len() >= PARTITIONS_MAX) {
                self.partitions.remove(&oldest);
            }
            let Parts { live, broken, .. } = self.lake.parts_where(&|other| other == partition)?;
            first_of(broken)?;
            let mut looked = Looked::default();
            for part in live {
                let broken = |error| LakeError::part(self.lake.objects(), &part.name, error);
                for rows in self.lake.part(&part.name, part.bytes)?.whose().map_err(broken)? {
                    let mut see = |row: Row<'_>| {
                        looked.rows.insert(row.hash());
                        Ok::<(), PartError>(())
                    };
                    rows.and_then(|rows| rows.each(&mut see)).map_err(broken)?;
                }
                looked.names.extend(part.of.into_iter().chain([part.name.name]));
            }
            self.partitions.insert(partition.clone(), looked);
        }
        self.looks += 1;
        if let Some(looked) = self.partitions.get_mut(partition) {
            looked.look = self.looks;
        }
        Ok(())
    }
}

/// What parts of a recorded file are called after it: its name up to the first dot, where parts may be called so.
fn called(file: &str) -> String {
    let stem = file.split('.').next().unwrap_or_default();
    let is_fine = (1..=STEM_LETTERS_MAX).contains(&stem.len())
        && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_fine { stem.to_owned() } else { "record".to_owned() }
}

/// The first of what is broken: nothing is changed beside what cannot be read.
fn first_of(broken: Vec<LakeError>) -> Result<(), LakeError> {
    broken.into_iter().next().map_or(Ok(()), Err)
}

/// Parts in groups that make one part each.
fn groups(parts: Vec<Known>) -> Vec<Vec<Known>> {
    let mut groups: Vec<Vec<Known>> = Vec::new();
    let mut bytes = 0;
    for part in parts {
        let fits = bytes + part.bytes <= PART_BYTES_MAX as u64;
        match groups.last_mut().filter(|group| fits && group.len() < MERGED_MAX) {
            Some(group) => {
                bytes += part.bytes;
                group.push(part);
            }
            None => {
                bytes = part.bytes;
                groups.push(vec![part]);
            }
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// What adding came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Rows that are in the lake now.
    pub rows: u64,
    /// Of them, rows that were there already.
    pub known: u64,
    /// Rows of accounts that were erased, which are left out.
    pub erased: u64,
    /// Parts that were written.
    pub parts: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// Rows that are being added; those that are not [finished](Adding::finish) may be lost.
#[derive(Debug)]
pub struct Adding<'c> {
    changing: &'c mut Changing,
    rows: Vec<Row<'static>>,
    bytes: usize,
    added: Added,
    name: String,
}

impl Adding<'_> {
    /// Adds a row.
    ///
    /// # Errors
    ///
    /// When rows before it cannot be written.
    pub fn push(&mut self, row: Row<'_>) -> Result<(), LakeError> {
        self.bytes += row.bytes();
        self.rows.push(row.into_owned());
        if self.rows.len() >= GATHERED_ROWS_MAX || self.bytes >= GATHERED_BYTES_MAX {
            self.write()?;
        }
        Ok(())
    }

    /// Writes what is left.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<Added, LakeError> {
        self.write()?;
        Ok(self.added)
    }

    fn write(&mut self) -> Result<(), LakeError> {
        self.bytes = 0;
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut partitions: BTreeMap<Partition, Vec<Row<'static>>> = BTreeMap::new();
        for row in rows {
            let (time, account, _) = row.order();
            partitions.entry(Partition::of(time, account)).or_default().push(row);
        }
        partitions.iter().try_for_each(|(partition, rows)| self.write_partition(partition, rows))
    }

    fn write_partition(&mut self, partition: &Partition, rows: &[Row<'static>]) -> Result<(), LakeError> {
        let changing = &mut *self.changing;
        let mut fresh = Vec::new();
        changing.look(partition)?;
        let mut looked = changing.partitions.remove(partition).unwrap_or_default();
        for row in rows {
            let (time, account, _) = row.order();
            if changing.erased.has(account, time) {
                self.added.erased += 1;
                continue;
            }
            self.added.rows += 1;
            if looked.rows.insert(row.hash()) {
                fresh.push(row);
            } else {
                self.added.known += 1;
            }
        }
        let mut rows = fresh.into_iter().peekable();
        while rows.peek().is_some() {
            let named = (0_u64..).map(|n| format!("{}-{n:06}", self.name)).find(|name| !looked.names.contains(name));
            let part = PartName { partition: partition.clone(), name: named.unwrap_or_default() };
            let broken = |error| LakeError::part(changing.lake.objects(), &part, error);
            let mut writing = Writing::new(changing.lake.fingerprints()).map_err(broken)?;
            while let Some(row) = rows.next_if(|_| !writing.is_full()) {
                writing.push(row).map_err(broken)?;
            }
            self.added.bytes += changing.put(&part, writing, &[])?;
            self.added.parts += 1;
            looked.names.insert(part.name);
        }
        changing.partitions.insert(partition.clone(), looked);
        Ok(())
    }
}

/// A part that is merged with others.
struct Lane {
    reading: Reading,
    rows: Rows,
    at: usize,
}

impl Lane {
    /// The part at its first row, if it has one.
    fn begin(mut reading: Reading) -> Result<Option<Lane>, PartError> {
        let Some(rows) = reading.next() else { return Ok(None) };
        let mut lane = Lane { reading, rows: rows?, at: 0 };
        Ok(lane.is_at_a_row()?.then_some(lane))
    }

    /// Goes on to the next row, if there is one.
    fn advance(&mut self) -> Result<bool, PartError> {
        self.at += 1;
        self.is_at_a_row()
    }

    fn is_at_a_row(&mut self) -> Result<bool, PartError> {
        while self.at >= self.rows.len() {
            let Some(rows) = self.reading.next() else { return Ok(false) };
            (self.rows, self.at) = (rows?, 0);
        }
        Ok(true)
    }
}

/// The rows of all lanes in their order.
fn merged(mut lanes: Vec<Lane>, sink: &mut dyn FnMut(&Row<'_>) -> Result<(), PartError>) -> Result<(), PartError> {
    let mut heads = BinaryHeap::new();
    for (at, lane) in lanes.iter().enumerate() {
        heads.push(Reverse((lane.rows.key(lane.at)?, at)));
    }
    let mut last = None;
    while let Some(Reverse((key, at))) = heads.pop() {
        let Some(lane) = lanes.get_mut(at) else { continue };
        // What is there twice is kept once.
        if last.as_ref() != Some(&key) {
            sink(&lane.rows.get(lane.at)?)?;
        }
        last = Some(key);
        if lane.advance()? {
            heads.push(Reverse((lane.rows.key(lane.at)?, at)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(n: usize, bytes: u64) -> Known {
        let partition = Partition { day: Day::of(Time::from_seconds(0)), shard: 0 };
        Known { name: PartName { partition, name: format!("log-{n:06}") }, bytes, rows: 1, of: Vec::new() }
    }

    #[test]
    fn parts_are_merged_up_to_the_limits() {
        let sizes = |parts: Vec<Known>| groups(parts).iter().map(Vec::len).collect::<Vec<_>>();
        let many = |count: usize| (0..count).map(|n| part(n, 1)).collect();
        assert_eq!(sizes(many(MERGED_MAX)), [MERGED_MAX]);
        assert_eq!(sizes(many(MERGED_MAX + 2)), [MERGED_MAX, 2]);
        let half = PART_BYTES_MAX as u64 / 2;
        assert_eq!(sizes(vec![part(0, half), part(1, half)]), [2]);
        assert_eq!(sizes(vec![part(0, half), part(1, half + 1)]), Vec::<usize>::new());
    }

    #[test]
    fn parts_are_called_after_files_up_to_a_length() {
        let stem = "x".repeat(STEM_LETTERS_MAX);
        assert_eq!(called(&format!("{stem}.jsonl")), stem);
        assert_eq!(called(&format!("{stem}x.jsonl")), "record");
        assert_eq!([called("a b.jsonl"), called(".jsonl")], ["record", "record"]);
    }
}
