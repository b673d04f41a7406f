//! What a check shows, for people: in words that say what counts and what does not.
//!
//! Promises that nothing in what is checked can move a terminal or pass for words of ours: whatever does not print stands escaped.

use crate::checkpoint::SignedCheckpoint;
use crate::exhibit::Shown;
use crate::note::VerifierKey;

/// Characters of a text from outside that are shown.
const CHARS_MAX: usize = 2_000;

/// What a receipt shows that was signed by `key`.
#[must_use]
pub fn receipt(shown: &Shown, key: &VerifierKey) -> String {
    let mut out = format!(
        "It counts: entry {} of {} in {}.\n{}\n  logged  {}\n  kind    {}\n",
        shown.index,
        shown.checkpoint.tree().size,
        plain(key.name()),
        signers(&shown.checkpoint),
        shown.entry.at.as_str(),
        shown.entry.kind,
    );
    match &shown.statement {
        Some(said) => {
            let detail = (!said.detail.is_null()).then(|| said.detail.to_string());
            let lines = [
                ("who", Some(&said.actor)),
                ("what", Some(&said.subject)),
                ("why", said.reason.as_ref()),
                ("before", said.before.as_ref()),
                ("after", said.after.as_ref()),
                ("detail", detail.as_ref()),
            ];
            for (name, text) in lines {
                if let Some(text) = text {
                    out += &format!("  {name:<7} {}\n", plain(text));
                }
            }
        }
        None => out += "  what was said is not in it: it is only shown that something was\n",
    }
    out + "\nThe time is that of the clock of whoever kept the ledger.\n"
}

/// What a whole ledger shows, of which `statements` are there.
#[must_use]
pub fn ledger(checkpoint: &SignedCheckpoint, statements: u64, key: &VerifierKey) -> String {
    format!("{}What was said is here for {statements}, and fits each.\n", log(checkpoint, key))
}

/// What a log shows by itself.
#[must_use]
pub fn log(checkpoint: &SignedCheckpoint, key: &VerifierKey) -> String {
    let size = checkpoint.tree().size;
    let entries = if size == 1 { "1 entry".to_owned() } else { format!("{size} entries") };
    format!(
        "It counts: {entries} in {}, none changed, removed, moved or put in, up to the signed root.\n{}",
        plain(key.name()),
        signers(checkpoint),
    )
}

/// Who signed a checkpoint, a line each.
fn signers(checkpoint: &SignedCheckpoint) -> String {
    let line = |signed: &crate::note::Signed| match signed.time {
        None => format!("Signed by {}.\n", plain(signed.key.name())),
        Some(time) => format!("Signed by the witness {}, who saw it {}.\n", plain(signed.key.name()), utc(time)),
    };
    checkpoint.signed().iter().map(line).collect()
}

/// Seconds since 1970 as a time in UTC.
fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March end with the day that not all of them have.
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era.saturating_mul(400).saturating_add(year + next);
    format!("{year:04}-{month:02}-{day_of_month:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// Text from outside, with whatever does not print escaped.
#[must_use]
pub fn plain(text: &str) -> String {
    let shown = text.chars().take(CHARS_MAX).flat_map(|sign| {
        let is_shown = sign == '"' || sign == '\'' || sign == '\\' || sign == ' ';
        let escaped = (!is_shown).then(|| sign.escape_debug());
        is_shown.then_some(sign).into_iter().chain(escaped.into_iter().flatten())
    });
    let mut shown: String = shown.collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        shown += "…";
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_told_as_times() {
        for (seconds, told) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_772_356_350, "2026-03-01T09:12:30Z"),
        ] {
            assert_eq!(utc(seconds), told);
        }
        assert!(utc(u64::MAX).ends_with('Z'));
    }

    #[test]
    fn what_does_not_print_is_escaped() {
        assert_eq!(plain("a \"class\" of 30 é"), "a \"class\" of 30 é");
        for hostile in ["\u{1b}[2J", "a\nIt counts", "\u{202e}x", "\u{9b}2J", "\r", "\u{200b}"] {
            let shown = plain(hostile);
            assert!(shown.contains("\\u{") || shown.contains("\\n") || shown.contains("\\r"), "{shown}");
        }
        assert_eq!(plain(&"x".repeat(CHARS_MAX)).chars().count(), CHARS_MAX);
        assert!(plain(&"x".repeat(CHARS_MAX + 1)).ends_with("x…"));
    }
}
