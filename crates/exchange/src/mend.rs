//! Damaged JSON, read as far as it goes.
//!
//! A caller decides what stands in his prompts, and so he could make a strict parser refuse the record that accuses him.
//! This parser refuses nothing: what JSON cannot represent is replaced, what is missing at the end is closed, and every
//! such step is told as a [`Damage`]. A value that the end of the text cut through is missing, since half an id is another
//! id; only texts, which are long or stand in lists, are kept as far as they go. It runs only where the strict parser failed. Nesting is bounded by
//! [`limits::NESTING_MAX`], the tree by [`limits::JSON_VALUES_MAX`] values.

use std::borrow::Cow;

use crate::bad::{Damage, Damages};
use crate::json::{Json, Object};
use crate::limits;
use crate::seam::Quoted;

/// One value read from the beginning of some bytes.
pub(crate) struct Mended {
    /// The value.
    pub(crate) json: Json<'static>,
    /// What was wrong with it.
    pub(crate) damage: Damages,
    /// Where it ended.
    pub(crate) end: usize,
}

/// Reads the object or list that `bytes` begins with.
fn mend(bytes: &[u8]) -> Mended {
    run(bytes, false)
}

/// As [`mend`], and marks each object with what was wrong in it, for [`Object::take_damage`].
pub(crate) fn mend_marking(bytes: &[u8]) -> Mended {
    run(bytes, true)
}

impl<'a> Json<'a> {
    /// As [`Json::unwrapped`], also where the JSON is damaged or cut off in the middle: what is whole of it is kept. Tells
    /// what was wrong.
    pub(crate) fn opened(self) -> (Json<'a>, Damages) {
        let none = Damages::default();
        let json = self.unwrapped();
        let Json::Text(text) = &json else { return (json, none) };
        // Only what cannot be anything else: a text may begin with a bracket, too.
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).take(2).collect();
        if !matches!(compact.as_str(), "[{" | "{\"") {
            return (json, none);
        }
        let mended = mend(text.trim_start().as_bytes());
        if mended.json.is_empty() { (json, none) } else { (mended.json, mended.damage) }
    }
}

fn run(bytes: &[u8], marks: bool) -> Mended {
    let mut mender = Mender { bytes, at: 0, values: 0, damage: Damages::default(), within: Damages::default(), marks };
    let json = mender.value(0, false);
    mender.damage.extend(mender.within);
    Mended { json, damage: mender.damage, end: mender.at }
}

struct Mender<'t> {
    bytes: &'t [u8],
    at: usize,
    values: usize,
    /// What was wrong with the object that is being read, without those within it.
    damage: Damages,
    /// What was wrong with objects that were read.
    within: Damages,
    marks: bool,
}

impl Mender<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn skip_blank(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// The next byte that is no white space, left where it is; tells if there is none.
    fn ahead(&mut self) -> Option<u8> {
        self.skip_blank();
        if self.peek().is_none() {
            self.damage.insert(Damage::Cut);
        }
        self.peek()
    }

    fn value(&mut self, depth: usize, in_list: bool) -> Json<'static> {
        self.values += 1;
        match self.ahead() {
            None => Json::Null,
            Some(b'"') => {
                let (text, ended) = self.string();
                let is_text = ended || in_list || text.len() > limits::ID_BYTES_MAX;
                if is_text { Json::Text(Cow::Owned(text)) } else { Json::Null }
            }
            Some(b'{' | b'[') if depth >= limits::NESTING_MAX => self.step_over(Damage::Nesting),
            Some(b'{' | b'[') if self.values > limits::JSON_VALUES_MAX => self.step_over(Damage::Values),
            Some(b'{') => self.object(depth, in_list),
            Some(b'[') => self.list(depth),
            Some(_) => self.word(),
        }
    }

    fn object(&mut self, depth: usize, in_list: bool) -> Json<'static> {
        self.at += 1;
        let around = std::mem::take(&mut self.damage);
        let mut object = Object::default();
        loop {
            match self.ahead() {
                None => break,
                Some(b'}') => {
                    self.at += 1;
                    break;
                }
                Some(b'"') => {
                    let (key, _) = self.string();
                    if self.ahead() != Some(b':') {
                        self.damage.insert(Damage::Syntax);
                        continue;
                    }
                    self.at += 1;
                    let full = self.values >= limits::JSON_VALUES_MAX && depth > 0;
                    let value = self.value(depth + 1, in_list);
                    if full {
                        self.damage.insert(Damage::Values);
                    } else {
                        object.push(Cow::Owned(key), value);
                    }
                }
                Some(other) => self.between(other),
            }
        }
        if object.repeats_a_key() {
            self.damage.insert(Damage::DuplicateKey);
        }
        if self.marks {
            object.mark_damage(self.damage);
        }
        self.within.extend(std::mem::replace(&mut self.damage, around));
        Json::Object(object)
    }

    fn list(&mut self, depth: usize) -> Json<'static> {
        self.at += 1;
        let mut list = Vec::new();
        loop {
            match self.ahead() {
                None => break,
                Some(b']') => {
                    self.at += 1;
                    break;
                }
                // An object that was never closed ends with the list around it.
                Some(b'}') => {
                    self.damage.insert(Damage::Syntax);
                    break;
                }
                Some(b',') => self.at += 1,
                Some(_) => {
                    let full = self.values >= limits::JSON_VALUES_MAX;
                    let value = self.value(depth + 1, true);
                    if full {
                        self.damage.insert(Damage::Values);
                    } else {
                        list.push(value);
                    }
                }
            }
        }
        Json::List(list)
    }

    /// Steps over a byte between the entries of an object.
    fn between(&mut self, byte: u8) {
        self.at += 1;
        if byte != b',' {
            self.damage.insert(Damage::Syntax);
        }
    }

    /// Steps over a list or an object without building it.
    fn step_over(&mut self, why: Damage) -> Json<'static> {
        self.damage.insert(why);
        let mut depth = 0_usize;
        let mut string = Quoted::default();
        while let Some(byte) = self.next() {
            match byte {
                byte if string.holds(byte) => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Json::Null;
                    }
                }
                _ => {}
            }
        }
        self.damage.insert(Damage::Cut);
        Json::Null
    }

    /// A number, a literal, or what is neither.
    fn word(&mut self) -> Json<'static> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            if byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']' | b'{' | b'[' | b'"' | b':') {
                break;
            }
            self.at += 1;
        }
        if self.at == start {
            // A colon where a value should be.
            self.at += 1;
            self.damage.insert(Damage::Syntax);
            return Json::Null;
        }
        let word = self.bytes.get(start..self.at).unwrap_or_default();
        let word = std::str::from_utf8(word).unwrap_or_default();
        if self.at == self.bytes.len() {
            self.damage.insert(Damage::Cut);
            return Json::Null;
        }
        match word {
            "null" => return Json::Null,
            "true" => return Json::Bool(true),
            "false" => return Json::Bool(false),
            _ => {}
        }
        if let Ok(number) = word.parse::<u64>() {
            return Json::Unsigned(number);
        }
        if let Ok(number) = word.parse::<i64>() {
            return Json::Signed(number);
        }
        match word.parse::<f64>() {
            Ok(number) if number.is_finite() => Json::Float(number),
            // `NaN`, `Infinity`, `1e999`.
            Ok(_) => {
                self.damage.insert(Damage::Number);
                Json::Null
            }
            Err(_) => {
                self.damage.insert(Damage::Syntax);
                Json::Null
            }
        }
    }

    /// A string, and whether it came to its end.
    fn string(&mut self) -> (String, bool) {
        self.at += 1;
        let mut text = Vec::new();
        let ended = loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
            let run = rest.get(..plain).unwrap_or_default();
            if run.iter().any(u8::is_ascii_control) {
                self.damage.insert(Damage::Control);
            }
            text.extend_from_slice(run);
            self.at += plain;
            match self.next() {
                None => {
                    self.damage.insert(Damage::Cut);
                    break false;
                }
                Some(b'"') => break true,
                Some(_) => self.escape(&mut text),
            }
        };
        let text = String::from_utf8(text).unwrap_or_else(|error| {
            self.damage.insert(Damage::Utf8);
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        });
        (text, ended)
    }

    fn escape(&mut self, text: &mut Vec<u8>) {
        let plain = match self.next() {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'u') => self.unicode(),
            Some(_) => {
                self.at -= 1;
                self.damage.insert(Damage::Escape);
                char::REPLACEMENT_CHARACTER
            }
            None => return,
        };
        text.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// What follows `\u`; half of a surrogate pair is replaced.
    fn unicode(&mut self) -> char {
        let Some(first) = self.hex() else {
            self.damage.insert(Damage::Escape);
            return char::REPLACEMENT_CHARACTER;
        };
        if let Some(c) = char::from_u32(first) {
            return c;
        }
        let behind = self.at;
        if (0xd800..0xdc00).contains(&first) && self.next() == Some(b'\\') && self.next() == Some(b'u') {
            let second = self.hex().filter(|second| (0xdc00..0xe000).contains(second));
            let pair = second.and_then(|low| char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00)));
            if let Some(c) = pair {
                return c;
            }
        }
        self.at = behind;
        self.damage.insert(Damage::Surrogate);
        char::REPLACEMENT_CHARACTER
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = std::str::from_utf8(self.bytes.get(self.at..self.at + 4)?).ok()?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str, damage: &[Damage]) {
        let mended = mend(text.as_bytes());
        assert_eq!(mended.json.to_text(), expected, "{text}");
        assert_eq!(mended.damage.iter().collect::<Vec<_>>(), damage, "{text}");
    }

    #[test]
    fn what_json_cannot_represent_is_replaced() {
        check(r#"{"a":"x\ud83dy"}"#, r#"{"a":"x�y"}"#, &[Damage::Surrogate]);
        check(r#"{"a":"\udc00"}"#, r#"{"a":"�"}"#, &[Damage::Surrogate]);
        check(r#"{"a":"\ud83d\u0041"}"#, r#"{"a":"�A"}"#, &[Damage::Surrogate]);
        check(r#"{"a":"\ud83d\ude00"}"#, r#"{"a":"😀"}"#, &[]);
        check("{\"a\":\"x\0y\"}", r#"{"a":"x\u0000y"}"#, &[Damage::Control]);
        check(r#"{"a":"\x41"}"#, r#"{"a":"�x41"}"#, &[Damage::Escape]);
        check(r#"{"a":NaN,"b":-Infinity,"c":1e999,"d":1}"#, r#"{"a":null,"b":null,"c":null,"d":1}"#, &[Damage::Number]);
        check(r#"{"a":1,"a":2}"#, r#"{"a":1,"a":2}"#, &[Damage::DuplicateKey]);
    }

    #[test]
    fn what_is_cut_is_closed() {
        check(r#"{"a":[{"b":"xy"#, r#"{"a":[{"b":"xy"}]}"#, &[Damage::Cut]);
        check(r#"{"a":1,"b"#, r#"{"a":1}"#, &[Damage::Cut, Damage::Syntax]);
        check(r#"{"a":1,"b":tru"#, r#"{"a":1,"b":null}"#, &[Damage::Cut]);
        check(r#"["#, "[]", &[Damage::Cut]);
        check(r#"["\"#, r#"[""]"#, &[Damage::Cut]);
        // Half an id would be another id, and half a number another number.
        check(r#"{"a":"acc_12"#, r#"{"a":null}"#, &[Damage::Cut]);
        check(r#"{"a":12"#, r#"{"a":null}"#, &[Damage::Cut]);
        let text = "x".repeat(limits::ID_BYTES_MAX);
        check(&format!(r#"{{"a":"{text}"#), r#"{"a":null}"#, &[Damage::Cut]);
        check(&format!(r#"{{"a":"{text}x"#), &format!(r#"{{"a":"{text}x"}}"#), &[Damage::Cut]);
    }

    #[test]
    fn what_is_wrong_is_stepped_over() {
        check(r#"{"a":1,"b":2,}"#, r#"{"a":1,"b":2}"#, &[]);
        check(r#"{"a":1 "b":2}"#, r#"{"a":1,"b":2}"#, &[]);
        check(r#"{x,"a":1}"#, r#"{"a":1}"#, &[Damage::Syntax]);
        check(r#"{"a"::1}"#, r#"{"a":null}"#, &[Damage::Syntax]);
        check(r#"{"m":[{],"a":1}"#, r#"{"m":[{"a":1}]}"#, &[Damage::Cut, Damage::Syntax]);
    }

    #[test]
    fn it_says_where_the_value_ended() {
        assert_eq!(mend(br#"{"a":"\ud800"}{"b":1}"#).end, 14);
    }

    #[test]
    fn depth_and_values_end_at_their_limits() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(mend(nested(limits::NESTING_MAX).as_bytes()).damage.is_empty());
        assert!(mend(nested(limits::NESTING_MAX + 1).as_bytes()).damage.iter().eq([Damage::Nesting]));
        let values = |count: usize| format!(r#"{{"x":[{}],"time":1}}"#, "0,".repeat(count));
        // The object and the list count too.
        let fits = mend(values(limits::JSON_VALUES_MAX - 2).as_bytes());
        assert!(fits.damage.is_empty());
        let more = mend(values(limits::JSON_VALUES_MAX - 1).as_bytes());
        assert!(more.damage.iter().eq([Damage::Values]));
        // What stands at the top is kept however much came before.
        assert!(more.json.object().unwrap().has("time"));
    }
}
