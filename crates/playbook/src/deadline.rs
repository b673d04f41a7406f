//! By when others have to be told: deadlines as data, counted from when somebody became aware.
//!
//! Which of them apply to whom is for counsel to say. What is here is when each would end.

use exchange::Time;
use jiff::tz::Offset;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::limits::DEADLINES_MAX;

/// Those that come with the program.
const SHIPPED: &str = include_str!("../deadlines.json");

/// A deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// What it is called.
    pub id: String,
    /// The law or code.
    pub law: String,
    /// Where in it.
    pub place: String,
    /// What has to be done, and when that applies.
    pub what: String,
    /// After how many hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
    /// After how many days of the calendar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// After how many months of the calendar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub months: Option<u32>,
    /// The deadline that it counts from the end of, instead of from when somebody became aware: at the latest then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A deadline with its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due<'d> {
    /// Which.
    pub deadline: &'d Deadline,
    /// When it ends.
    pub at: Time,
}

/// Why something is no list of deadlines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no list of deadlines: {0}")]
pub struct BadDeadlines(String);

/// The deadlines that come with the program.
#[must_use]
pub fn shipped() -> Vec<Deadline> {
    // A test reads them.
    read(SHIPPED).unwrap_or_default()
}

/// Reads a list of deadlines.
///
/// # Errors
///
/// Says what is wrong with it.
pub fn read(text: &str) -> Result<Vec<Deadline>, BadDeadlines> {
    let all: Vec<Deadline> = serde_json::from_str(text).map_err(|error| BadDeadlines(error.to_string()))?;
    if all.len() > DEADLINES_MAX {
        return Err(BadDeadlines(format!("expected at most {DEADLINES_MAX}")));
    }
    for (number, it) in all.iter().enumerate() {
        let bad = |why: String| Err(BadDeadlines(format!("`{}`: {why}", it.id.escape_debug())));
        if [it.hours, it.days, it.months].into_iter().flatten().count() != 1 {
            return bad("expected one of hours, days and months".to_owned());
        }
        if all.iter().take(number).any(|other| other.id == it.id) {
            return bad("it is there twice".to_owned());
        }
        // Those before it only, so that none counts from itself.
        if let Some(after) = &it.after
            && !all.iter().take(number).any(|other| other.id == *after)
        {
            return bad(format!("it counts from `{}`, which does not stand before it", after.escape_debug()));
        }
    }
    Ok(all)
}

/// When each ends, counted from a time, the earliest first. One that no calendar has is left out.
#[must_use]
pub fn due(all: &[Deadline], from: Time) -> Vec<Due<'_>> {
    let mut ends: Vec<Due<'_>> = Vec::new();
    for deadline in all {
        let from = match &deadline.after {
            None => Some(from),
            Some(after) => ends.iter().find(|due| due.deadline.id == *after).map(|due| due.at),
        };
        if let Some(at) = from.and_then(|from| ends_at(deadline, from)) {
            ends.push(Due { deadline, at });
        }
    }
    ends.sort_by_key(|due| due.at);
    ends
}

fn ends_at(deadline: &Deadline, from: Time) -> Option<Time> {
    let span = Span::new()
        .try_hours(deadline.hours.unwrap_or_default())
        .and_then(|span| span.try_days(deadline.days.unwrap_or_default()))
        .and_then(|span| span.try_months(deadline.months.unwrap_or_default()))
        .ok()?;
    let from = Offset::UTC.to_datetime(Timestamp::from_nanosecond(from.nanos().into()).ok()?);
    let at = Offset::UTC.to_timestamp(from.checked_add(span).ok()?).ok()?.as_nanosecond();
    i64::try_from(at).ok().map(Time::from_nanos)
}
