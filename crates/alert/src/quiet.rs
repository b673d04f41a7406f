//! Quiet hours: a part of each day in UTC, which may go over midnight.

use std::str::FromStr;

use exchange::Time;

/// A part of each day, in UTC: its first minute belongs to it, and its last does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    from_minute: u32,
    to_minute: u32,
}

/// The text names no part of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `HH:MM-HH:MM` in UTC, such as `22:00-07:00`")]
pub struct NotQuiet;

impl FromStr for Quiet {
    type Err = NotQuiet;

    fn from_str(text: &str) -> Result<Quiet, NotQuiet> {
        let (from, to) = text.split_once('-').ok_or(NotQuiet)?;
        let (from_minute, to_minute) = (minute(from).ok_or(NotQuiet)?, minute(to).ok_or(NotQuiet)?);
        // Whoever wants to hear nothing at all does not name a destination.
        if from_minute == to_minute { Err(NotQuiet) } else { Ok(Quiet { from_minute, to_minute }) }
    }
}

/// The minute of the day that `HH:MM` is.
fn minute(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, end: u32| {
        let is_two_digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|number| is_two_digits && *number < end)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

impl Quiet {
    /// Whether `time` is in it.
    #[must_use]
    pub fn contains(self, time: Time) -> bool {
        let minute = u32::try_from(time.seconds().rem_euclid(86_400) / 60).unwrap_or(0);
        if self.from_minute < self.to_minute {
            (self.from_minute..self.to_minute).contains(&minute)
        } else {
            minute >= self.from_minute || minute < self.to_minute
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_may_go_over_midnight() {
        let at = |text: &str| format!("2026-03-01T{text}Z").parse::<Time>().unwrap();
        let night: Quiet = "22:00-07:00".parse().unwrap();
        for (time, is_quiet) in [
            ("21:59:59", false),
            ("22:00:00", true),
            ("23:59:59", true),
            ("00:00:00", true),
            ("06:59:59", true),
            ("07:00:00", false),
        ] {
            assert_eq!(night.contains(at(time)), is_quiet, "{time}");
        }
        let noon: Quiet = "12:00-13:30".parse().unwrap();
        assert!(noon.contains(at("13:29:59")) && !noon.contains(at("13:30:00")) && !noon.contains(at("00:00:00")));
    }

    #[test]
    fn what_names_no_part_of_a_day_is_refused() {
        for text in ["", "22:00", "22:00-24:00", "22:60-07:00", "7:00-8:00", "+1:00-08:00", "22:00-22:00", "a:b-c:d"] {
            assert_eq!(text.parse::<Quiet>(), Err(NotQuiet), "{text}");
        }
    }
}
