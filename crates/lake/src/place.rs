//! Where a row is: its day, and the shard of its account.

use std::fmt;

use exchange::Time;
use xxhash_rust::xxh3::xxh3_64;

use crate::limits::SHARDS;

const ENDING: &str = ".parquet";
/// Letters of the name of a part.
const NAME_LETTERS_MAX: usize = 120;

/// A day in UTC, as `2026-03-01`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(String);

impl Day {
    /// The day of a time.
    #[must_use]
    pub fn of(time: Time) -> Day {
        Day(time.to_string().chars().take(FORM.len()).collect())
    }

    /// The day that a text is, if it is one.
    #[must_use]
    pub fn named(text: &str) -> Option<Day> {
        let is_digit = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
        let is_day = text.len() == FORM.len() && text.bytes().zip(FORM.bytes()).all(is_digit);
        is_day.then(|| Day(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When the next one begins; at the end of all times where the text is no day of a calendar.
    #[must_use]
    pub fn end(&self) -> Time {
        const DAY_NANOS: i64 = 86_400_000_000_000;
        let begin = format!("{}T00:00:00Z", self.0).parse::<Time>().map_or(i64::MAX, Time::nanos);
        Time::from_nanos(begin.saturating_add(DAY_NANOS))
    }
}

const FORM: &str = "0000-00-00";

impl fmt::Display for Day {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What one folder of the lake holds: a day of the accounts of a shard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Partition {
    /// The day.
    pub day: Day,
    /// The shard.
    pub shard: u64,
}

impl Partition {
    /// Where rows of an account at a time are.
    #[must_use]
    pub fn of(time: Time, account: &str) -> Partition {
        Partition { day: Day::of(time), shard: shard_of(account) }
    }
}

/// The shard of an account.
#[must_use]
pub fn shard_of(account: &str) -> u64 {
    xxh3_64(account.as_bytes()) % SHARDS
}

/// A part by where it is: `day=2026-03-01/shard=07/NAME.parquet`, which readers of Hive's partitions understand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartName {
    /// Its partition.
    pub partition: Partition,
    /// What it is called there.
    pub name: String,
}

impl PartName {
    /// The part that an object's name says, if it is one.
    #[must_use]
    pub fn read(object: &str) -> Option<PartName> {
        let mut steps = object.split('/');
        let day = Day::named(steps.next()?.strip_prefix("day=")?)?;
        let shard = steps.next()?.strip_prefix("shard=")?;
        let shard = shard.parse().ok().filter(|number| *number < SHARDS && shard.len() == 2)?;
        let name = steps.next()?.strip_suffix(ENDING)?;
        let is_name = is_name(name) && steps.next().is_none();
        is_name.then(|| PartName { partition: Partition { day, shard }, name: name.to_owned() })
    }
}

/// Whether parts may be called so.
fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_LETTERS_MAX).contains(&name.len()) && !name.starts_with(['.', '_']) && name.bytes().all(is_letter)
}

impl fmt::Display for PartName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PartName { partition: Partition { day, shard }, name } = self;
        write!(out, "day={day}/shard={shard:02}/{name}{ENDING}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_told_by_its_name() {
        let part = PartName {
            partition: Partition::of(Time::from_seconds(1_780_000_000), "acc"),
            name: "20260101-1-0".to_owned(),
        };
        let name = part.to_string();
        assert!(name.starts_with("day=2026-05-28/shard="), "{name}");
        assert_eq!(PartName::read(&name), Some(part));
        for wrong in [
            "day=2026-05-28/shard=16/a.parquet",
            "day=2026-05-28/shard=1/a.parquet",
            "day=2026-5-28/shard=01/a.parquet",
            "day=2026-05-28/shard=01/.a.parquet",
            "day=2026-05-28/shard=01/a/b.parquet",
            "day=2026-05-28/shard=01/.parquet",
            "day=2026-05-28/shard=01/a.parquet.part",
            "_lake.json",
        ] {
            assert_eq!(PartName::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn accounts_are_spread_and_stay_where_they_are() {
        let mut counts = [0_u32; SHARDS as usize];
        for n in 0..1600 {
            counts[shard_of(&format!("acc_{n}")) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (60..=140).contains(count)), "{counts:?}");
        // XXH3 of nothing is 2d06800538d394c2. With another shard, rows that are there are not found any more.
        assert_eq!([shard_of("acc_7f3a"), shard_of("")], [15, 2]);
    }
}
