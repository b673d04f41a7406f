//! Seams: where a record that was cut off ends in the middle and the next one begins.
//!
//! Log writers die, disks fill and streams break, so half a record may stand right before a whole one, without a newline
//! between them. In sound JSON nothing but a comma, a colon or a closing bracket follows a closing quotation mark, and an
//! object begins only where a value may. Where one of these does not hold, another record began. What stands in a string
//! can never make it so, since its quotation marks are escaped: a caller cannot split the record that accuses him.

use crate::limits;

/// Follows the strings of JSON, byte by byte: brackets count outside of them only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quoted {
    is_open: bool,
    escaped: bool,
}

impl Quoted {
    /// Whether the last byte left a string open.
    pub(crate) fn is_open(self) -> bool {
        self.is_open
    }

    /// Takes the next byte; whether it belongs to a string, the quotation marks around it included.
    pub(crate) fn holds(&mut self, byte: u8) -> bool {
        let was_open = self.is_open;
        if was_open {
            self.is_open = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
        } else {
            self.is_open = byte == b'"';
        }
        was_open || self.is_open
    }
}

/// Follows the brackets and strings of JSON, byte by byte.
#[derive(Debug, Default)]
pub(crate) struct Seams {
    /// What is open, from outside to inside: whether it is a list.
    open: Vec<bool>,
    /// What is open within [`limits::BRACKETS_FOLLOWED_MAX`] others; where it is no zero nothing is checked.
    beyond: usize,
    string: Quoted,
    /// Whether the last byte of the string that is no white space is a brace, as where `{"` cut through it.
    ends_in_brace: bool,
    /// The last byte outside of strings that is no white space.
    before: u8,
}

/// What a byte is to the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It belongs to the record.
    Within,
    /// It is the brace that another record begins with.
    Here,
    /// Another record began with `{"`, the last two bytes before this one that are no white space.
    Before,
}

impl Seams {
    /// Whether the last byte was within a string.
    pub(crate) fn in_string(&self) -> bool {
        self.string.is_open
    }

    /// Whether nothing is open.
    pub(crate) fn is_closed(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether the string that is open may have been cut by a record that began with a brace.
    pub(crate) fn ends_in_brace(&self) -> bool {
        self.in_string() && self.ends_in_brace
    }

    /// Whether the next byte stands in a string as it is.
    pub(crate) fn in_plain_string(&self) -> bool {
        self.in_string() && !self.string.escaped
    }

    /// Takes bytes that stand in a string as they are, without quotation marks and backslashes.
    pub(crate) fn pass(&mut self, run: &[u8]) {
        if let Some(last) = run.iter().rev().find(|byte| !byte.is_ascii_whitespace()) {
            self.ends_in_brace = *last == b'{';
        }
    }

    /// Takes the next byte, unless it shows that another record began: then nothing is changed.
    pub(crate) fn step(&mut self, byte: u8) -> Step {
        if self.in_string() {
            self.within_string(byte);
            return Step::Within;
        }
        if byte.is_ascii_whitespace() {
            return Step::Within;
        }
        if !self.is_closed() && self.beyond == 0 {
            if self.before == b'"' && self.ends_in_brace && !matches!(byte, b',' | b':' | b'}' | b']') {
                return Step::Before;
            }
            if byte == b'{' && !self.may_hold_an_object() {
                return Step::Here;
            }
        }
        // A comma behind nothing separates nothing, so no object may follow it either.
        let separates = byte != b',' || !matches!(self.before, b'[' | b'{' | b',' | b':');
        self.before = if separates { byte } else { 0 };
        match byte {
            // Before the first bracket there are no strings but what somebody wrote there.
            b'"' if !self.is_closed() => {
                self.string.holds(byte);
                self.ends_in_brace = false;
            }
            b'{' | b'[' if self.open.len() >= limits::BRACKETS_FOLLOWED_MAX => self.beyond += 1,
            b'{' | b'[' => self.open.push(byte == b'['),
            b'}' | b']' if self.beyond > 0 => self.beyond -= 1,
            b'}' | b']' => {
                self.open.pop();
            }
            _ => {}
        }
        Step::Within
    }

    fn within_string(&mut self, byte: u8) {
        self.string.holds(byte);
        if self.in_string() && !byte.is_ascii_whitespace() {
            self.ends_in_brace = byte == b'{';
        }
    }

    fn may_hold_an_object(&self) -> bool {
        match self.open.last() {
            Some(true) => matches!(self.before, b'[' | b','),
            Some(false) => self.before == b':',
            None => true,
        }
    }
}

/// The parts of a damaged text, each of which holds no more than one record that was cut off.
pub(crate) fn parts(text: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut begin, mut at) = (Vec::new(), 0, 0);
    let mut seams = Seams::default();
    while let Some(byte) = text.get(at) {
        if seams.in_plain_string()
            && let Some(rest) = text.get(at..)
        {
            let run = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            seams.pass(rest.get(..run).unwrap_or_default());
            at += run;
            if run > 0 {
                continue;
            }
        }
        let seam = match seams.step(*byte) {
            Step::Within => {
                at += 1;
                continue;
            }
            Step::Here => at,
            // A brace stands before it, so it is found.
            Step::Before => text.iter().take(at).rposition(|byte| *byte == b'{').unwrap_or(at),
        };
        // A brace alone is the beginning of nothing.
        parts.extend(text.get(begin..seam).filter(|part| part.trim_ascii() != b"{"));
        seams = Seams::default();
        // The brace is the first of its part, so it is no seam, and the text goes on behind it.
        seams.step(b'{');
        begin = seam;
        at = seam + 1;
    }
    parts.extend(text.get(begin..));
    parts
}

/// What stands behind the end of a record whose beginning is missing; none if the text is no such end.
///
/// A caller may have put objects into that record, so nothing in it is a record itself until its own brace is closed.
pub(crate) fn behind_an_end(text: &[u8]) -> Option<&[u8]> {
    let first = memchr::memchr2(b'{', b'[', text).unwrap_or(text.len());
    let is_structure = |byte: &u8| matches!(byte, b',' | b':' | b'}' | b']');
    let quotes = memchr::memchr_iter(b'"', text.get(..first)?);
    let next = |at: usize| text.get(at + 1..).unwrap_or_default().iter().find(|byte| !byte.is_ascii_whitespace());
    // A quotation mark that closes a string, as only JSON writes them.
    let begin = quotes.into_iter().find(|at| next(*at).is_some_and(is_structure))? + 1;
    let (mut depth, mut string) = (0_usize, Quoted::default());
    for (at, byte) in text.iter().enumerate().skip(begin) {
        match byte {
            byte if string.holds(*byte) => {}
            b'{' => depth += 1,
            b'}' if depth == 0 => {
                let rest = text.get(at + 1..).unwrap_or_default().trim_ascii_start();
                // Lists and objects around it may end, too.
                if matches!(rest.first(), None | Some(b'{')) {
                    return Some(rest);
                }
            }
            b'}' => depth -= 1,
            _ => {}
        }
    }
    Some(&[])
}

/// Takes back the `{"` that turned out to begin another record.
pub(crate) fn take_back(record: &mut Vec<u8>) {
    let blank = |record: &mut Vec<u8>| record.truncate(record.trim_ascii_end().len());
    for byte in [b'"', b'{'] {
        blank(record);
        if record.last() == Some(&byte) {
            record.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> =
            parts(text.as_bytes()).into_iter().map(|part| std::str::from_utf8(part).unwrap()).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_record_ends_where_another_begins() {
        // Within a string, a key, an escape, a number, after a comma, and after a value.
        check(r#"{"a":"bc{"a":1}{"a":2}"#, &[r#"{"a":"bc"#, r#"{"a":1}{"a":2}"#]);
        check(r#"{"a":1,"b{ "a":1}"#, &[r#"{"a":1,"b"#, r#"{ "a":1}"#]);
        check(r#"{"a":"\{"a":1}"#, &[r#"{"a":"\"#, r#"{"a":1}"#]);
        check(r#"{"a":1{"a":1}"#, &[r#"{"a":1"#, r#"{"a":1}"#]);
        check(r#"{"a":1,{"a":1}"#, &[r#"{"a":1,"#, r#"{"a":1}"#]);
        check(r#"{"a":{"b":1}{"a":1}"#, &[r#"{"a":{"b":1}"#, r#"{"a":1}"#]);
        check(r#"{"a":[1{"a":1}"#, &[r#"{"a":[1"#, r#"{"a":1}"#]);
        // Several, one after the other.
        check(r#"{"a":"x{"a":"y{"a":1}"#, &[r#"{"a":"x"#, r#"{"a":"y"#, r#"{"a":1}"#]);
        // Braces that begin nothing.
        check(r#"{{{"a":1}"#, &[r#"{"a":1}"#]);
        // Behind a piece that began in the middle of a string, everything within strings seems outside of them.
        check(r#"{"a":x","b":"y"}{"a":1}"#, &[r#"{"a":x","b":"y"}"#, r#"{"a":1}"#]);
    }

    #[test]
    fn sound_records_are_whole_whatever_stands_in_their_texts() {
        for text in [
            r#"{"a":"{","b":"{"}"#,
            r#"{"a":"{\"x\":1}{\"x\":2}"}"#,
            r#"{"{":{"{":"{"},"b":["{",{"c":"{"},{"d":1}]}"#,
            r#"{"a":"\\","b":"{ "}"#,
            r#"{"a":1}{"b":2}"#,
            r#"time="x" {x} {"a":1}"#,
        ] {
            check(text, &[text]);
        }
    }

    #[test]
    fn a_record_follows_the_end_of_another_only_behind_its_last_brace() {
        for (text, expected) in [
            (r#"bc","x":{"a":1},"y":2}{"a":2}"#, Some(r#"{"a":2}"#)),
            (r#"bc"}],"x":[{"a":1}]}} {"a":2}"#, Some(r#"{"a":2}"#)),
            (r#"bc", {"a":1}]}"#, Some("")),
            (r#"bc", {"a":1}"#, Some("")),
            (r#"bc","}{":"}{"}{"a":2}"#, Some(r#"{"a":2}"#)),
            // What somebody writes before a record.
            (r#"2026-06-15 "GET /" [x] {"a":1}"#, None),
            (r#"x {"a":"b"}"#, None),
        ] {
            let found = behind_an_end(text.as_bytes()).map(|rest| std::str::from_utf8(rest).unwrap());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn brackets_are_followed_to_a_limit() {
        let text = |depth: usize| format!(r#"{}"x"{{"a":1}}"#, "[".repeat(depth));
        assert_eq!(parts(text(limits::BRACKETS_FOLLOWED_MAX).as_bytes()).len(), 2);
        assert_eq!(parts(text(limits::BRACKETS_FOLLOWED_MAX + 1).as_bytes()).len(), 1);
    }

    #[test]
    fn what_began_another_record_is_taken_back() {
        for (text, expected) in [("x{\"", "x"), ("x{ \"", "x"), ("x{", "x"), ("x", "x"), ("\"", "")] {
            let mut record = text.as_bytes().to_vec();
            take_back(&mut record);
            assert_eq!(record, expected.as_bytes());
        }
    }
}
