//! A record that is too long, made short enough to be read: its strings are cut, its envelope stays.
//!
//! Whoever sends a prompt decides how long it is; the record that says who sent it must not get lost with it. Strings
//! are cut at [`limits::LONG_STRING_BYTES_MAX`]; if that is not enough, what is nested deeper than the record's own keys
//! is left out. The result need not be JSON; [`mend`](crate::mend) reads it.

use crate::limits;

/// Takes a record byte by byte.
#[derive(Debug)]
pub(super) struct Shortener {
    kept: Vec<u8>,
    kept_max: usize,
    depth: usize,
    /// Opening brackets that were left out and not closed yet.
    left_out: usize,
    string: Option<Text>,
}

/// A string that is being taken.
#[derive(Debug)]
struct Text {
    bytes: usize,
    escaped: bool,
    /// Whether the rest of it is left out.
    full: bool,
    /// Whether all of it is.
    left_out: bool,
}

impl Shortener {
    /// Begins with what was read of a record before it was known to be too long.
    pub(super) fn new(begun: &[u8], kept_max: usize) -> Self {
        let mut shortener = Shortener { kept: Vec::new(), kept_max, depth: 0, left_out: 0, string: None };
        begun.iter().for_each(|byte| shortener.push(*byte));
        shortener
    }

    pub(super) fn push(&mut self, byte: u8) {
        match &mut self.string {
            Some(_) => self.within(byte),
            None => self.between(byte),
        }
    }

    /// What is left, at most as much as may be kept; none if even the record's own keys are too much.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        (self.kept.len() <= self.kept_max).then_some(self.kept)
    }

    fn within(&mut self, byte: u8) {
        let Some(text) = &mut self.string else { return };
        let ends = byte == b'"' && !text.escaped;
        if ends {
            let left_out = text.left_out;
            self.string = None;
            if !left_out {
                self.keep(byte);
            }
            return;
        }
        text.full |= text.bytes >= limits::LONG_STRING_BYTES_MAX && !text.escaped;
        text.bytes += 1;
        text.escaped = !text.escaped && byte == b'\\';
        if !text.full {
            self.keep(byte);
        }
    }

    fn between(&mut self, byte: u8) {
        let drops = self.left_out > 0 || (self.depth >= 2 && self.kept.len() >= self.kept_max / 2);
        match byte {
            b'"' => self.string = Some(Text { bytes: 0, escaped: false, full: drops, left_out: drops }),
            b'{' | b'[' if drops => self.left_out += 1,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.left_out > 0 => self.left_out -= 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.keep(byte);
            }
            byte if byte.is_ascii_whitespace() => return,
            _ => {}
        }
        if !drops {
            self.keep(byte);
        }
    }

    fn keep(&mut self, byte: u8) {
        // One byte too many says that there were too many.
        if self.kept.len() <= self.kept_max {
            self.kept.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortened(text: &str, kept_max: usize) -> Option<String> {
        Shortener::new(text.as_bytes(), kept_max).finish().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn strings_are_cut_and_the_rest_stays() {
        let long = "x".repeat(limits::LONG_STRING_BYTES_MAX + 9);
        let cut = "x".repeat(limits::LONG_STRING_BYTES_MAX);
        let text = |text: &str| format!(r#"{{"p":"{text}","account":"a"}}"#);
        assert_eq!(shortened(&text(&long), 1 << 24), Some(text(&cut)));
        assert_eq!(shortened(&text(&cut), 1 << 24), Some(text(&cut)));
        // An escape is kept whole or not at all.
        let escapes = format!("{}{}", "x".repeat(limits::LONG_STRING_BYTES_MAX - 1), r#"\"\""#);
        let kept = format!("{}{}", "x".repeat(limits::LONG_STRING_BYTES_MAX - 1), r#"\""#);
        assert_eq!(shortened(&text(&escapes), 1 << 24), Some(text(&kept)));
    }

    #[test]
    fn what_is_nested_is_left_out_before_the_envelope() {
        let turns = r#"{"role":"user","content":"[}"},"#.repeat(100);
        let text = format!(r#"{{"messages":[{turns}], "account":"a"}}"#);
        let kept = shortened(&text, 400).unwrap();
        assert!(kept.len() < 300 && kept.ends_with(r#"],"account":"a"}"#), "{kept}");
    }

    #[test]
    fn too_many_keys_are_given_up() {
        let keys: String = (0..100).map(|n| format!(r#""key{n}":1,"#)).collect();
        assert_eq!(shortened(&format!("{{{keys}}}"), 100), None);
    }
}
