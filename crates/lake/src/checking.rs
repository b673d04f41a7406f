//! Whether a lake is what it has to be, and what is in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::LakeError;
use crate::lake::{Known, Lake, Parts, list};
use crate::notes::{self, AllTaken};
use crate::part::PartError;
use crate::place::{Day, Partition};
use crate::row::Row;

/// What checking a lake came to.
#[derive(Debug, Default)]
pub struct Checked {
    /// Parts that were read.
    pub parts: u64,
    /// Rows in them.
    pub rows: u64,
    /// What is wrong, in words.
    pub faults: Vec<String>,
    /// Objects that are none of the lake's.
    pub others: Vec<String>,
}

/// What a day holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfDay {
    /// Parts.
    pub parts: u64,
    /// Rows.
    pub rows: u64,
    /// Of them, those with sealed texts.
    pub sealed: u64,
    /// Bytes of parts.
    pub bytes: u64,
    /// Accounts.
    pub accounts: u64,
}

/// What a lake holds.
#[derive(Debug, Default)]
pub struct Stat {
    /// By day.
    pub days: BTreeMap<Day, OfDay>,
    /// Accounts in all.
    pub accounts: u64,
}

impl Lake {
    /// Reads every row of every part, and says what is wrong: damage, rows that were changed, that are out of order, in the wrong place, or were erased.
    /// `see` hears of each row; what it gives is wrong with that row.
    ///
    /// # Errors
    ///
    /// When objects cannot be listed.
    pub fn check(
        &self,
        watch: &mut dyn FnMut(usize, usize),
        see: &mut dyn FnMut(&Row<'_>) -> Option<String>,
    ) -> Result<Checked, LakeError> {
        let Parts { live, superseded, broken } = self.parts()?;
        let erased = self.erased()?;
        let mut checked = Checked { faults: broken.iter().map(LakeError::to_string).collect(), ..Checked::default() };
        // What stands beside the parts can be read.
        let taken = AllTaken::read(self.objects()).map(drop);
        checked
            .faults
            .extend([taken, self.facts().map(drop)].into_iter().filter_map(Result::err).map(|error| error.to_string()));
        let (mut met, mut partition_now, mut unfinished) = (BTreeSet::new(), None, 0_u64);
        checked.faults.extend(superseded.iter().map(|name| {
            format!("`{name}` stands in another part as well; the next `stillwatch lake compact` removes it")
        }));
        let count = live.len();
        for (done, part) in live.iter().enumerate() {
            if partition_now.as_ref() != Some(&part.name.partition) {
                met.clear();
                partition_now = Some(part.name.partition.clone());
            }
            let mut wrong = Vec::new();
            let result = self.part(&part.name, part.bytes).and_then(|read| {
                let look = &mut |row: &Row<'_>| {
                    let exchange = row.exchange();
                    let is_here = Partition::of(exchange.time, exchange.account.as_str()) == part.name.partition;
                    let is_erased = erased.has(exchange.account.as_str(), exchange.time);
                    let is_first = met.insert(row.hash());
                    unfinished += u64::from(is_erased);
                    let why = match () {
                        () if is_erased => None,
                        () if !is_here => Some("it belongs to another day or shard".to_owned()),
                        () if !is_first => Some("it is there twice".to_owned()),
                        () => see(row),
                    };
                    if let Some(why) = why {
                        wrong.push(format!(
                            "`{}` in `{}`: exchange `{}`: {why}",
                            part.name,
                            self.place(),
                            exchange.id.as_str()
                        ));
                    }
                };
                read.check(look).map_err(|error| LakeError::part(self.objects(), &part.name, error))
            });
            checked.faults.append(&mut wrong);
            checked.faults.extend(result.err().map(|error| error.to_string()));
            checked.parts += 1;
            checked.rows += part.rows;
            watch(done + 1, count);
        }
        if unfinished > 0 {
            checked.faults.push(format!(
                "{unfinished} exchanges of erased accounts are still there, which nobody reads; the next `stillwatch lake compact` removes them"
            ));
        }
        let listed = list(self.objects())?;
        let is_other = |name: &str| crate::place::PartName::read(name).is_none() && !notes::is_ours(name);
        checked.others = listed.into_iter().map(|object| object.name).filter(|name| is_other(name)).collect();
        Ok(checked)
    }

    /// What the lake holds, by day.
    ///
    /// # Errors
    ///
    /// When a part cannot be read.
    pub fn stat(&self, watch: &mut dyn FnMut(usize, usize)) -> Result<Stat, LakeError> {
        let Parts { live, broken, .. } = self.parts()?;
        if let Some(error) = broken.into_iter().next() {
            return Err(error);
        }
        let mut stat = Stat::default();
        let mut all: BTreeSet<Box<str>> = BTreeSet::new();
        let (mut of_day, mut day_now): (BTreeSet<Box<str>>, Option<Day>) = (BTreeSet::new(), None);
        let count = live.len();
        for (done, Known { name, bytes, rows, .. }) in live.into_iter().enumerate() {
            let Partition { day, .. } = &name.partition;
            if day_now.as_ref() != Some(day) {
                of_day.clear();
                day_now = Some(day.clone());
            }
            let part = self.part(&name, bytes)?;
            let broken = |error| LakeError::part(self.objects(), &name, error);
            for batch in part.whose().map_err(broken)? {
                let mut see = |row: Row<'_>| {
                    let account = row.exchange().account.as_str();
                    if !of_day.contains(account) {
                        of_day.insert(account.into());
                        all.insert(account.into());
                    }
                    Ok::<(), PartError>(())
                };
                batch.and_then(|rows| rows.each(&mut see)).map_err(broken)?;
            }
            let entry = stat.days.entry(day.clone()).or_default();
            entry.parts += 1;
            entry.rows += rows;
            entry.sealed += part.sealed();
            entry.bytes += bytes;
            entry.accounts = of_day.len() as u64;
            watch(done + 1, count);
        }
        stat.accounts = all.len() as u64;
        Ok(stat)
    }
}
