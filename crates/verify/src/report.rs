//! What a check shows, for people: in words that say what counts and what does not.
//!
//! Promises that nothing in what is checked can move a terminal or pass for words of ours: whatever does not print stands escaped.

use crate::case;
use crate::checkpoint::SignedCheckpoint;
use crate::civil::utc;
use crate::exhibit::Shown;
use crate::ledger::Checked;
use crate::note::VerifierKey;
use crate::timestamp::Stamp;
use crate::trust::Trust;

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
    out += &match &shown.stamp {
        None => "\nThe time is that of the clock of whoever kept the ledger.\n".to_owned(),
        Some(stamp) => format!("\nIt was there {}\n", dated(stamp)),
    };
    out
}

/// What a timestamp shows, from "there" on.
fn dated(stamp: &Stamp) -> String {
    let time = stamp.time.as_str();
    match &stamp.by {
        Some(name) => format!("at {time} at the latest: {} says so (RFC 3161).", plain(name)),
        None => format!(
            "at {time} at the latest, says a timestamp that is with it. It was not checked who signed that: name the authority's certificate by --authority."
        ),
    }
}

/// What a case file shows.
#[must_use]
pub fn case(checked: &case::Checked, trust: &Trust) -> String {
    let case::Checked { manifest, export, entries, dated, witnessed, records, sealed, opened, .. } = checked;
    let mut out = format!(
        "It counts: case {} about {}, exported by {} {}.\n{}",
        plain(&manifest.case),
        plain(&manifest.campaign),
        plain(&manifest.by),
        plain(&manifest.made_at),
        signers(&export.checkpoint),
    );
    let receipts = entries.len() as u64 + 1;
    out += &format!(
        "  {}, each with the hash that was exported, and none besides\n  {} of the ledger {}, the export itself as entry {}\n",
        number(manifest.files.len() as u64, "file", "files"),
        number(receipts, "entry", "entries"),
        plain(trust.log().name()),
        export.index,
    );
    out += &format!(
        "  {}, as the ledger has them; {sealed} sealed, of which {opened} open by the keys that are with them\n",
        number(*records, "recorded line", "recorded lines"),
    );
    if *dated > 0 {
        let last = entries
            .values()
            .chain([export])
            .filter_map(|shown| shown.stamp.as_ref())
            .max_by(|a, b| a.time.cmp(&b.time));
        let last = last.map(self::dated).unwrap_or_default();
        out += &format!(
            "  {dated} of {receipts} receipts have a timestamp; the latest entry that has one was there {last}\n"
        );
    }
    if !trust.witnesses().is_empty() {
        out += &format!("  {witnessed} of {receipts} receipts are signed by every witness\n");
    }
    if *dated == 0 {
        out += "  no receipt has a timestamp, so that all times are those of whoever kept the ledger\n";
    }
    out + "\nNot checked: whether its report is right, which is an inference, and follows from all that was recorded, of which this file has a part.\n"
}

/// What a whole ledger shows.
#[must_use]
pub fn ledger(checked: &Checked, key: &VerifierKey) -> String {
    let mut out = log(&checked.checkpoint, key);
    out += &format!("What was said is here for {}, and fits each.\n", checked.statements);
    if let Some((entries, stamp)) = &checked.last_timestamp {
        let (entries, count) =
            (number(*entries, "entry", "entries"), number(checked.timestamps, "timestamp", "timestamps"));
        out += &format!("{count}, which no entry contradicts. Of the last, {entries} were there {}\n", dated(stamp));
    }
    out
}

/// A number of things.
fn number(count: u64, one: &str, more: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {more}") }
}

/// What a log shows by itself.
#[must_use]
pub fn log(checkpoint: &SignedCheckpoint, key: &VerifierKey) -> String {
    let size = checkpoint.tree().size;
    let entries = number(size, "entry", "entries");
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
