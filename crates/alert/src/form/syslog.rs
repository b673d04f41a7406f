//! A notice as a message of syslog (RFC 5424): what is told as structured data, and the JSON of the chosen form as its text.
//!
//! Promises one line, in which nothing that stands in a value ends it.

use crate::notice::{Kind, Notice, Origin};

/// Facility 13, log audit.
const FACILITY: u8 = 13;
/// By what our structured data is told apart; the number is the one that RFC 5612 has for documentation, since none is registered.
const STRUCTURE: &str = "campaign@32473";

/// The message, without any framing.
#[must_use]
pub fn message(notice: &Notice, origin: &Origin, text: &str) -> String {
    let severity = match notice.kind {
        // Critical, warning, notice.
        Kind::Detected => 2,
        Kind::Joined => 4,
        Kind::Withdrawn => 5,
    };
    let values = [
        ("id", notice.campaign.clone()),
        ("source", origin.source.clone()),
        ("since", notice.since.to_string()),
        ("accounts", notice.accounts.to_string()),
        ("joined", notice.joined.to_string()),
        ("evidence", format!("{:.1}", notice.log10_e)),
        ("threshold", format!("{:.1}", notice.log10_threshold)),
        ("rival", notice.rival.clone()),
        ("link", origin.link(notice)),
    ];
    let values: String = values.iter().map(|(name, value)| format!(" {name}=\"{}\"", escaped(value))).collect();
    let seconds = exchange::Time::from_nanos(notice.time.nanos().div_euclid(1_000) * 1_000);
    // The host is not known here, and whoever receives it knows where it came from.
    format!(
        "<{}>1 {seconds} - stillwatch - {} [{STRUCTURE}{values}] {}",
        FACILITY * 8 + severity,
        notice.kind.name(),
        text.replace(['\n', '\r'], " ")
    )
}

/// A value within quotes (RFC 5424, section 6.3.3).
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '"' | '\\' | ']' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_ends_it() {
        assert_eq!(escaped("a\"b\\c]d\ne"), "a\\\"b\\\\c\\]d e");
    }
}
