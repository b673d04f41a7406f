//! Time as the records tell it. No clock is read anywhere in the core crates.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// The earliest time that can be written down.
    pub const MIN: Time = Time(i64::MIN);

    /// What a time is read from, for messages.
    pub const EXPECTED: &'static str = "an RFC 3339 time or a positive epoch number";

    /// What a text was expected to be that is no time, for messages.
    pub(crate) fn expected(text: &str) -> &'static str {
        match split_zone(text) {
            Some((_, zone)) if zone_seconds(zone).is_none() => {
                "an offset such as +02:00 for a time zone whose name is unknown or has several meanings"
            }
            _ => Time::EXPECTED,
        }
    }

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

/// RFC 3339 and what is written instead of it: a space for the `T`; an offset without its colon, behind a space, or
/// missing, which then means UTC; `UTC` or `GMT` for `Z`; a zone in brackets or behind the offset; the name of a zone that
/// has one meaning; the time of an access log (`15/Jun/2026:08:02:27 +0200`) and of HTTP (RFC 9110). Or an epoch number.
impl FromStr for Time {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        if let Some(time) = timestamp(text) {
            return Ok(time);
        }
        if let Ok(number) = text.parse::<i64>() {
            return Time::from_epoch_whole(number).ok_or(BadTime);
        }
        if let Ok(number) = text.parse::<f64>() {
            return Time::from_epoch_float(number).ok_or(BadTime);
        }
        if let Some(number) = odd_epoch(text) {
            return Time::from_epoch_float(number).ok_or(BadTime);
        }
        if let Some((moment, zone)) = split_zone(text) {
            let seconds = zone_seconds(zone).ok_or(BadTime)?;
            let time: Time = moment.parse()?;
            return time.0.checked_sub(seconds * 1_000_000_000).map(Time).ok_or(BadTime);
        }
        if let Ok(zoned) = jiff::fmt::rfc2822::parse(text.trim()) {
            return from_jiff(zoned.timestamp()).ok_or(BadTime);
        }
        if let Some(time) = us_american(text).or_else(|| with_month_names(text)) {
            return Ok(time);
        }
        // A day and a clock, then perhaps an offset, then perhaps the name of a zone, which says nothing more.
        let text = text.trim().trim_start_matches('[').trim_end_matches(']');
        let text = text.split(['[', '(']).next().unwrap_or_default().trim();
        let text = access_log(text).unwrap_or_else(|| text.to_owned());
        let mut words = text.split_ascii_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        let (moment, offset) = match second {
            Some(clock) if !first.contains('T') && clock.contains(':') && !clock.starts_with(['+', '-']) => {
                (format!("{first}T{clock}"), words.next())
            }
            offset => (first.to_owned(), offset),
        };
        let offset = match offset {
            None | Some("UTC" | "GMT" | "Z" | "utc") => "Z",
            Some(offset) if offset.starts_with(['+', '-']) => offset,
            Some(_) => return Err(BadTime),
        };
        timestamp(&moment).or_else(|| timestamp(&format!("{moment}{offset}"))).ok_or(BadTime)
    }
}

fn timestamp(text: &str) -> Option<Time> {
    plain(text.as_bytes()).or_else(|| from_jiff(text.parse().ok()?))
}

/// `2026-07-20T10:58:12.406Z`, as nearly all logs write it: in a fifth of the instructions that any other form takes.
fn plain(text: &[u8]) -> Option<Time> {
    let (whole, fraction) = text.strip_suffix(b"Z")?.split_at_checked("2026-07-20T10:58:12".len())?;
    let [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2] = whole else {
        return None;
    };
    let two = |tens: &u8, ones: &u8| Some(10 * digit(*tens)? as i8 + digit(*ones)? as i8);
    let year = i16::from(two(y1, y2)?) * 100 + i16::from(two(y3, y4)?);
    let nanos = match fraction.split_first() {
        None => 0,
        Some((b'.', digits)) if (1..=9).contains(&digits.len()) => {
            let read = digits.iter().try_fold(0, |sum, byte| Some(10 * sum + i32::from(digit(*byte)?)))?;
            (digits.len()..9).fold(read, |sum, _| 10 * sum)
        }
        Some(_) => return None,
    };
    let date = jiff::civil::Date::new(year, two(mo1, mo2)?, two(d1, d2)?).ok()?;
    let clock = jiff::civil::Time::new(two(h1, h2)?, two(mi1, mi2)?, two(s1, s2)?, nanos).ok()?;
    from_jiff(jiff::tz::Offset::UTC.to_timestamp(date.to_datetime(clock)).ok()?)
}

fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then_some(byte & 0xf)
}

fn from_jiff(timestamp: jiff::Timestamp) -> Option<Time> {
    i64::try_from(timestamp.as_nanosecond()).map(Time).ok()
}

/// A time without the name of its zone, and that name. A name beside an offset says nothing more; one in brackets neither.
fn split_zone(text: &str) -> Option<(String, &str)> {
    let outside = text.split(['[', '(']).next().unwrap_or_default();
    let mut words = outside.split_ascii_whitespace();
    let mut zones = words.clone().filter(|word| is_zone(word));
    let zone = zones.next()?;
    let has_digits = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
    let is_offset = |word: &str| word.trim_start_matches("GMT").starts_with(['+', '-']) && has_digits(word);
    if !has_digits(outside) || words.any(is_offset) {
        return None;
    }
    // Several words are the name of none.
    if zones.next().is_some() {
        return Some((String::new(), outside));
    }
    let others: Vec<&str> = outside.split_ascii_whitespace().filter(|word| *word != zone).collect();
    Some((others.join(" "), zone))
}

/// Whether a word of a time can be nothing but the name of a zone.
fn is_zone(word: &str) -> bool {
    let begins = |names: &[&str]| names.iter().any(|name| word.starts_with(name));
    word.bytes().all(|byte| byte.is_ascii_alphabetic())
        && !begins(&MONTHS)
        && !begins(&["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
        && !["am", "pm", "at", "t"].iter().any(|other| other.eq_ignore_ascii_case(word))
}

/// Seconds east of UTC of a zone whose name has one meaning: those of RFC 822 and those that no other country uses. India,
/// Israel and Ireland share `IST`, Arabia and Canada `AST`, China and America
/// `CST`.
fn zone_seconds(name: &str) -> Option<i64> {
    let minutes = match name.to_ascii_uppercase().as_str() {
        "UTC" | "GMT" | "UT" | "Z" | "WET" => 0,
        "CET" | "MEZ" | "WEST" | "BST" | "WAT" => 60,
        "CEST" | "MESZ" | "EET" | "SAST" | "CAT" => 120,
        "EEST" | "MSK" | "TRT" | "EAT" => 180,
        "PKT" => 300,
        "NPT" => 345,
        "WIB" => 420,
        "AWST" | "HKT" | "SGT" => 480,
        "JST" | "KST" => 540,
        "ACST" => 570,
        "AEST" => 600,
        "ACDT" => 630,
        "AEDT" => 660,
        "NZST" => 720,
        "NZDT" => 780,
        "BRT" => -180,
        "EDT" => -240,
        "EST" | "CDT" => -300,
        "MDT" => -360,
        "MST" | "PDT" => -420,
        "PST" | "AKDT" => -480,
        "AKST" => -540,
        "HST" => -600,
        _ => return None,
    };
    Some(minutes * 60)
}

/// An epoch number with a comma before its fraction, or as .NET writes it (`/Date(1781510547454+0200)/`, always UTC).
fn odd_epoch(text: &str) -> Option<f64> {
    if let Some(inner) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        return inner.get(..inner.find(['+', '-']).unwrap_or(inner.len()))?.parse().ok();
    }
    let (whole, fraction) = text.split_once(',')?;
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(whole) && is_number(fraction)).then(|| format!("{whole}.{fraction}").parse().ok())?
}

/// `06/15/2026 08:02:27 AM`. Without the half of the day it could as well be a day of a month.
fn us_american(text: &str) -> Option<Time> {
    let mut words = text.split_ascii_whitespace();
    let (date, clock, half) = (words.next()?, words.next()?, words.next()?);
    let mut date = date.trim_end_matches(',').split('/');
    let (month, day, year) = (date.next()?, date.next()?, date.next()?);
    let (hour, rest) = clock.split_once(':')?;
    let hour: u8 = hour.parse().ok().filter(|hour| (1..=12).contains(hour))?;
    let hour = hour % 12 + if half.eq_ignore_ascii_case("pm") { 12 } else { 0 };
    let is_half = half.eq_ignore_ascii_case("am") || half.eq_ignore_ascii_case("pm");
    let seconds = if rest.contains(':') { "" } else { ":00" };
    if !is_half || date.next().is_some() || !matches!(words.next(), None | Some("UTC" | "GMT" | "Z")) {
        return None;
    }
    timestamp(&format!("{year}-{month:0>2}-{day:0>2}T{hour:02}:{rest}{seconds}Z"))
}

/// `Mon Jun 15 2026 08:02:27 GMT+0000 (…)`, `Mon Jun 15 08:02:27 2026`, `Jun 15, 2026 @ 08:02:27.000`,
/// `15 Jun 2026 08:02:27 UTC`: what scripts print.
fn with_month_names(text: &str) -> Option<Time> {
    let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let at = words.iter().position(|word| month(word).is_some()).filter(|at| *at <= 2)?;
    let month = month(words.get(at)?)?;
    // `15 Jun` or `Jun 15`.
    let is_day = |word: &&&str| word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    let before = at.checked_sub(1).and_then(|before| words.get(before)).filter(is_day);
    let (day, used) = before.map_or_else(|| Some((words.get(at + 1)?, at + 2)), |day| Some((day, at + 1)))?;
    let rest = || words.iter().skip(used);
    let year = rest().find(|word| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit()))?;
    let clock = rest().find(|word| word.matches(':').count() == 2)?;
    let is_offset = |offset: &&str| offset.len() > 1 && offset.starts_with(['+', '-']);
    let offset = rest().map(|word| word.strip_prefix("GMT").unwrap_or(word)).find(is_offset).unwrap_or("Z");
    timestamp(&format!("{year}-{month:02}-{day:0>2}T{clock}{offset}"))
}

fn month(name: &str) -> Option<usize> {
    Some(MONTHS.iter().position(|month| *month == name)? + 1)
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `15/Jun/2026:08:02:27 +0200` as a day, a clock and an offset.
fn access_log(text: &str) -> Option<String> {
    let (first, rest) = text.split_once('/')?;
    let (month, rest) = rest.split_once('/')?;
    // 2026/06/15 08:02:27
    if first.len() == 4 {
        return Some(format!("{first}-{month}-{rest}"));
    }
    let (day, (year, clock)) = (first, rest.split_once(':')?);
    let month = self::month(month)?;
    Some(format!("{year}-{month:02}-{day:0>2} {clock}"))
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

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A time in UTC (RFC 3339).", "type": "string", "format": "date-time" })
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> serde::Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return i64::deserialize(deserializer).map(Time);
        }
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_form_is_read_as_any_other() {
        for text in [
            "2026-07-20T10:58:12Z",
            "2026-07-20T10:58:12.4Z",
            "2026-07-20T10:58:12.406123789Z",
            "2024-02-29T23:59:59.999Z",
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59.5Z",
        ] {
            assert!(plain(text.as_bytes()).is_some());
            assert_eq!(plain(text.as_bytes()), from_jiff(text.parse().unwrap()), "{text}");
        }
        for text in [
            "2026-02-29T10:58:12Z",
            "2026-13-20T10:58:12Z",
            "2026-07-20T24:00:00Z",
            "2026-07-20T10:58:12.Z",
            "2026-07-20T10:58:12.4061237891Z",
            "2026-07-20T10:58:12+00:00",
            "2026-07-20 10:58:12Z",
            "20260720T105812Z",
            "2026-07-2010:58:12Z",
            "2026-07-20T10:58:1xZ",
            "Z",
            "",
        ] {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn every_form_in_use_is_read() {
        for text in [
            "2026-06-15T08:02:27.5Z",
            "2026-06-15 08:02:27.5",
            "2026-06-15T08:02:27.5",
            "2026-06-15 08:02:27.5 UTC",
            "2026-06-15 08:02:27.5 GMT",
            "2026-06-15 08:02:27.500000+00:00",
            "2026-06-15T10:02:27.5+0200",
            "2026-06-15T10:02:27.5+02",
            "2026-06-15 10:02:27.5 +0200",
            "2026-06-15 10:02:27.5 +02:00",
            "2026-06-15 10:02:27.5 +0200 CEST",
            "2026-06-15T10:02:27.5+02:00[Europe/Berlin]",
            "2026-06-15T08:02:27.5Z[UTC]",
            "2026-06-15T08:02:27.5[UTC]",
            " 2026-06-15 08:02:27.5 ",
            "1781510547.5",
            "1781510547500",
            "1781510547500000",
            "1781510547500000000",
            "1781510547500.0",
        ] {
            assert_eq!(
                text.parse::<Time>().map(|time| time.to_string()),
                Ok("2026-06-15T08:02:27.5Z".into()),
                "{text}"
            );
        }
        for text in [
            "15/Jun/2026:10:02:27 +0200",
            "[15/Jun/2026:10:02:27 +0200]",
            "2026/06/15 08:02:27",
            "Mon Jun 15 2026 10:02:27 GMT+0200 (Central European Summer Time)",
            "Mon Jun 15 08:02:27 2026",
            "Jun 15, 2026 @ 08:02:27",
            "Mon, 15 Jun 2026 08:02:27 GMT",
            "Mon, 15 Jun 2026 10:02:27 +0200",
            "Mon, 15 Jun 2026 08:02:27 UTC",
            "Mon, 15 Jun 2026 08:02:27 Z",
            "15 Jun 2026 08:02:27 GMT",
            "06/15/2026, 08:02:27 AM",
            "1781510547,0",
            "/Date(1781510547000)/",
            "/Date(1781510547000+0200)/",
            "06/15/2026 08:02:27 AM",
            "6/15/2026 8:02:27 am UTC",
            "15 Jun 2026 10:02:27 CEST",
            "Mon Jun 15 10:02:27 CEST 2026",
            "Mon Jun 15 10:02:27 +0200 2026",
            "Mon, 15 Jun 2026 04:02:27 EDT",
            "2026-06-15 17:02:27 JST",
            "15/Jun/2026:18:02:27 AEST",
            "06/15/2026 09:02:27 AM BST",
            "Mon Jun 15 2026 10:02:27 GMT+0200 (IST)",
            "2026-06-15 10:02:27 +0200 IST",
        ] {
            assert_eq!(text.parse::<Time>().map(|time| time.to_string()), Ok("2026-06-15T08:02:27Z".into()), "{text}");
        }
        for text in [
            "",
            "soon",
            "2026-06-15",
            "0",
            "-5",
            "2026-13-01T00:00:00Z",
            "2026-06-15 08:02:27 Mars",
            "2026-06-15 08:02:27 CST",
            "1781510547,x",
            "/Date(x)/",
            "06/15/2026",
            "15/06/2026 08:02:27 AM",
            "06/15/2026 13:02:27 PM",
        ] {
            assert_eq!(text.parse::<Time>(), Err(BadTime), "{text}");
        }
        // Wrong by hours, if they were taken for UTC.
        for text in ["15 Jun 2026 08:02:27 XYZ", "Mon Jun 15 08:02:27 IST 2026", "Mon, 15 Jun 2026 08:02:27 AST"] {
            assert_eq!(text.parse::<Time>(), Err(BadTime), "{text}");
            assert!(Time::expected(text).contains("time zone"), "{text}");
        }
        assert_eq!(Time::expected("soon"), Time::EXPECTED);
    }
}
