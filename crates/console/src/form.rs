//! What people fill in, as far as several forms ask for it alike.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::fault::Fault;
use crate::limits::CHOSEN_MAX;

/// A text of so many characters on one line, without the blanks around it.
pub(crate) fn line<'t>(field: &str, text: &'t str, chars: RangeInclusive<usize>) -> Result<&'t str, Fault> {
    let text = text.trim();
    if chars.contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    let (least, most) = chars.into_inner();
    Err(Fault::bad(format!("`{field}`: expected {least} to {most} characters on one line")))
}

/// The rows of a table that are chosen by the boxes before them, each once; `what` one of them is.
pub(crate) fn chosen<'f>(fields: &'f [(String, String)], what: &str) -> Result<BTreeSet<&'f str>, Fault> {
    let fields = fields.iter().filter(|(name, _)| name == "chosen");
    let chosen: BTreeSet<&str> = fields.map(|(_, chosen)| chosen.as_str()).collect();
    match chosen.len() {
        0 => Err(Fault::bad(format!("no {what} is chosen; choose some by the boxes before their names"))),
        1..=CHOSEN_MAX => Ok(chosen),
        _ => Err(Fault::bad(format!("more than {CHOSEN_MAX} are chosen; choose fewer at once"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{FIELD_CHARS_MAX, PASSKEY_NAME_CHARS_MAX, VIEW_NAME_CHARS_MAX};

    #[test]
    fn a_line_has_so_many_characters() {
        for most in [VIEW_NAME_CHARS_MAX, PASSKEY_NAME_CHARS_MAX, FIELD_CHARS_MAX] {
            let full = "ä".repeat(most);
            assert_eq!(line("name", &format!(" {full} "), 1..=most).unwrap(), full);
            assert!(line("name", &format!("{full}x"), 1..=most).is_err());
        }
        assert!(line("name", " ", 1..=9).is_err() && line("name", "a\nb", 1..=9).is_err());
        assert_eq!(line("name", " ", 0..=9).unwrap(), "");
    }

    #[test]
    fn so_many_rows_are_chosen() {
        let fields = |count: usize| (0..count).map(|n| ("chosen".to_owned(), format!("a{n}"))).collect::<Vec<_>>();
        assert_eq!(chosen(&fields(CHOSEN_MAX), "case").unwrap().len(), CHOSEN_MAX);
        assert!(chosen(&fields(CHOSEN_MAX + 1), "case").is_err() && chosen(&[], "case").is_err());
        let twice = [("chosen".to_owned(), "a".to_owned()), ("chosen".to_owned(), "a".to_owned())];
        assert_eq!(chosen(&twice, "case").unwrap().len(), 1);
    }
}
