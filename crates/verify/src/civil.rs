//! Days of the calendar and seconds since 1970, in UTC.

/// Days from 1 March of the year 0 to 1 January 1970.
const DAYS_BEFORE: u64 = 719_468;
/// Days of 400 years.
const ERA_DAYS: u64 = 146_097;

/// Seconds since 1970 as a time in UTC: `2026-03-01T09:12:30Z`.
pub(crate) fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March end with the day that not all of them have.
    let days = days.saturating_add(DAYS_BEFORE);
    let (era, day) = (days / ERA_DAYS, days % ERA_DAYS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era.saturating_mul(400).saturating_add(year + next);
    format!("{year:04}-{month:02}-{day_of_month:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// The seconds since 1970 of a text that begins as `2026-03-01T09:12:30` does; none where there is no such time, or it is before 1970.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_time = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    if !is_time || year < 1970 {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let (era, year) = (year / 400, year % 400);
    let days = era * ERA_DAYS + year * 365 + year / 4 - year / 100 + day_of_year - DAYS_BEFORE;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_times_are_told_apart_by_no_day() {
        for (number, told) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_772_356_350, "2026-03-01T09:12:30Z"),
        ] {
            assert_eq!(utc(number), told);
            assert_eq!(seconds(told), Some(number));
        }
        for day in 0..60_000 {
            assert_eq!(seconds(&utc(day * 86_400 + 7)), Some(day * 86_400 + 7));
        }
        assert!(utc(u64::MAX).ends_with('Z'));
        for none in ["1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-01T24:00:00Z", ""]
        {
            assert_eq!(seconds(none), None, "{none}");
        }
    }
}
