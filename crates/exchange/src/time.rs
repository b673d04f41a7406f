//! Time as the records tell it. No clock is read anywhere in the core crates.

use std::fmt;
use std::str::FromStr;

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// The earliest time that can be written down.
    pub const MIN: Time = Time(i64::MIN);

    /// What a time is read from, for messages.
    pub const EXPECTED: &'static str = "an RFC 3339 time or a positive epoch number";

    /// From nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Time(nanos)
    }

    /// From whole seconds since the epoch; saturates at the ends of the range.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Time(seconds.saturating_mul(1_000_000_000))
    }

    /// From a number since the epoch whose unit shows in its size: seconds below 10¹¹ (the year 5138), milliseconds below
    /// 10¹⁴, microseconds below 10¹⁷, else nanoseconds. Zero and below is no time.
    #[must_use]
    pub fn from_epoch_whole(number: i64) -> Option<Self> {
        let nanos_per_unit = match number {
            i64::MIN..=0 => return None,
            1..100_000_000_000 => 1_000_000_000,
            100_000_000_000..100_000_000_000_000 => 1_000_000,
            100_000_000_000_000..100_000_000_000_000_000 => 1_000,
            100_000_000_000_000_000.. => 1,
        };
        number.checked_mul(nanos_per_unit).map(Time)
    }

    /// As [`Time::from_epoch_whole`] for a number with a fraction, rounded to microseconds: more it cannot carry.
    #[must_use]
    pub fn from_epoch_float(number: f64) -> Option<Self> {
        let micros_per_unit = match number {
            ..1e11 => 1e6,
            1e11..1e14 => 1e3,
            1e14..1e17 => 1.0,
            _ => 1e-3,
        };
        let micros = (number * micros_per_unit).round();
        (micros > 0.0 && micros < 9.2e15).then(|| Time((micros as i64).saturating_mul(1_000)))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded towards the past.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Seconds from `earlier` to `self`; negative when `self` came first.
    #[must_use]
    pub fn seconds_since(self, earlier: Time) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e9
    }
}

/// A text that is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", Time::EXPECTED)]
pub struct BadTime;

/// RFC 3339 (a space for the `T` and a missing offset, which then means UTC, are taken too), or an epoch number.
impl FromStr for Time {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
            return i64::try_from(timestamp.as_nanosecond()).map(Time).map_err(|_| BadTime);
        }
        if let Ok(number) = text.parse::<i64>() {
            return Time::from_epoch_whole(number).ok_or(BadTime);
        }
        if let Ok(number) = text.parse::<f64>() {
            return Time::from_epoch_float(number).ok_or(BadTime);
        }
        let utc = format!("{text}Z").parse::<jiff::Timestamp>().map_err(|_| BadTime)?;
        i64::try_from(utc.as_nanosecond()).map(Time).map_err(|_| BadTime)
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC, with as many digits of the second as the time needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(timestamp) => write!(f, "{timestamp}"),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
