//! Times as people type them.

use exchange::Time;

use crate::fault::Fault;

/// A day, in nanoseconds.
pub(crate) const DAY: i64 = 86_400_000_000_000;

/// So many whole days as are typed, from 1 to `most`.
pub(crate) fn days(text: &str, most: u16) -> Result<u16, Fault> {
    let expected = || Fault::bad(format!("`days`: expected a whole number of days from 1 to {most}"));
    text.trim().parse().ok().filter(|days| (1..=most).contains(days)).ok_or_else(expected)
}

/// A time so many days later; earlier where they are negative.
pub(crate) fn later(time: Time, days: i64) -> Time {
    Time::from_nanos(time.nanos().saturating_add(days.saturating_mul(DAY)))
}

/// A time as it is typed: a day, a day and a minute, or a time in any form that logs have. None where nothing was typed.
pub(crate) fn typed(field: &str, text: &str) -> Result<Option<Time>, Fault> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{}:00Z", text.replace(' ', "T")),
        _ => text.to_owned(),
    };
    let expected = || {
        Fault::bad(format!("`{field}`: `{text}` is no time; expected such as 2026-03-01 or 2026-03-01 09:30, in UTC"))
    };
    whole.parse().map(Some).map_err(|_| expected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_and_so_many() {
        let most = crate::limits::TRIED_DAYS_MAX;
        assert_eq!(days(&format!(" {most} "), most).unwrap(), most);
        for odd in ["", "0", "-1", "1.5", &(most + 1).to_string()] {
            assert!(days(odd, most).is_err(), "{odd}");
        }
    }

    #[test]
    fn times_are_typed_as_days_or_whole() {
        let typed = |text: &str| typed("from", text).ok().flatten().map(|time| time.to_string());
        assert_eq!(typed("2026-03-01").as_deref(), Some("2026-03-01T00:00:00Z"));
        assert_eq!(typed("2026-03-01T09:30").as_deref(), Some("2026-03-01T09:30:00Z"));
        assert_eq!(typed("2026-03-01 09:30").as_deref(), Some("2026-03-01T09:30:00Z"));
        assert_eq!(typed(" "), None);
        assert!(super::typed("from", "yesterday").is_err());
    }
}
