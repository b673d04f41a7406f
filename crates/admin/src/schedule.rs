//! Schedules: hunts that are run again and again.

use exchange::Time;
use serde::{Deserialize, Serialize};

const HOUR: i64 = 3_600_000_000_000;

/// A hunt that is run again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether it looks in the lake, and not in recorded files.
    pub in_lake: bool,
    /// How many days before it runs it looks at; all that there is without it.
    pub days: Option<u16>,
    /// Every how many hours it runs.
    pub hours: u16,
    /// When it runs first.
    pub first: Time,
    /// Since when there is this schedule.
    pub since: Time,
    /// Who made it.
    pub by: String,
}

impl Schedule {
    /// When it was last to run, if ever.
    #[must_use]
    pub fn last(&self, now: Time) -> Option<Time> {
        let since_first = now.nanos().saturating_sub(self.first.nanos());
        (since_first >= 0).then(|| Time::from_nanos(now.nanos() - since_first % self.period()))
    }

    /// When it is to run next.
    #[must_use]
    pub fn next(&self, now: Time) -> Time {
        self.last(now).map_or(self.first, |last| Time::from_nanos(last.nanos().saturating_add(self.period())))
    }

    /// Whether it is to run now, where it last ran at `ran`. What was missed is made up for once.
    #[must_use]
    pub fn is_due(&self, ran: Option<Time>, now: Time) -> bool {
        self.last(now).is_some_and(|last| ran.is_none_or(|ran| ran < last))
    }

    fn period(&self) -> i64 {
        i64::from(self.hours.max(1)) * HOUR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_once_a_period_and_once_for_what_was_missed() {
        let at = |hours: i64| Time::from_nanos(1_800_000_000_000_000_000 + hours * HOUR);
        let schedule = Schedule {
            id: "sch_1".to_owned(),
            name: "nightly".to_owned(),
            in_lake: false,
            days: Some(1),
            hours: 24,
            first: at(10),
            since: at(0),
            by: "ann".to_owned(),
        };
        assert_eq!((schedule.last(at(9)), schedule.next(at(9)), schedule.is_due(None, at(9))), (None, at(10), false));
        assert_eq!((schedule.last(at(10)), schedule.next(at(10))), (Some(at(10)), at(34)));
        assert!(schedule.is_due(None, at(10)) && !schedule.is_due(Some(at(10)), at(33)));
        // Three were missed.
        assert!(schedule.is_due(Some(at(10)), at(90)) && !schedule.is_due(Some(at(90)), at(100)));
        assert_eq!(schedule.last(at(90)), Some(at(82)));
    }
}
