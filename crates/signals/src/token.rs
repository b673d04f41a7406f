//! Text to tokens: words for scripts with spaces, overlapping character triples for scripts without.
//!
//! Promises that texts which a reader would call the same give the same tokens: case, width, punctuation, zero-width
//! characters and white space do not matter. Each token has two hashes: `masked`, in which every run of digits is the
//! same, so that counters and dates do not break a template, and `exact`, in which they differ, so that work items do.
//! Takes O(bytes), allocates nothing, and cannot fail.

/// One token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Hash with runs of digits made equal.
    pub masked: u64,
    /// Hash of the token as it stands.
    pub exact: u64,
    /// Byte offset of its first character.
    pub start: usize,
    /// Byte offset past its last character.
    pub end: usize,
}

/// The tokens of `text`, in order.
pub fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text, at: 0, triple: [('\0', 0); 2], in_run: 0 }
}

/// Iterator over tokens; see [`tokens`].
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// The last two characters of the current run of an unspaced script, with their offsets.
    triple: [(char, usize); 2],
    /// Length of that run so far, up to two.
    in_run: u8,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if byte.is_ascii() {
                self.in_run = 0;
                if byte.is_ascii_alphanumeric() {
                    return Some(self.word());
                }
                self.at += 1;
                continue;
            }
            let Some(c) = self.text.get(self.at..).and_then(|rest| rest.chars().next()) else { break };
            match class(c) {
                Class::Word => {
                    self.in_run = 0;
                    return Some(self.word());
                }
                Class::Unspaced => {
                    if let Some(token) = self.push_unspaced(c) {
                        return Some(token);
                    }
                }
                Class::Ignored => self.at += c.len_utf8(),
                Class::Break => {
                    self.in_run = 0;
                    self.at += c.len_utf8();
                }
            }
        }
        None
    }
}

impl Tokens<'_> {
    /// A word: letters, digits, marks, and apostrophes within.
    fn word(&mut self) -> Token {
        let start = self.at;
        let bytes = self.text.as_bytes();
        // Most words are ASCII letters alone, and then both hashes are the same.
        let letters = bytes.get(start..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_alphabetic());
        let mut plain = SEED;
        for byte in letters {
            plain = mix(plain, u64::from(byte | 0x20));
            self.at += 1;
        }
        match bytes.get(self.at) {
            Some(&byte) if !byte.is_ascii() || byte.is_ascii_digit() || byte == b'\'' => self.rest(start, plain),
            _ => Token { masked: plain, exact: plain, start, end: self.at },
        }
    }

    /// What follows the letters of a word that began at `start` and have this hash.
    fn rest(&mut self, start: usize, letters: u64) -> Token {
        let (mut masked, mut exact, mut in_number) = (letters, letters, false);
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if byte.is_ascii_digit() {
                exact = mix(exact, u64::from(byte));
                if !in_number {
                    masked = mix(masked, DIGITS);
                }
                in_number = true;
                self.at += 1;
            } else if byte.is_ascii_alphabetic() {
                let lower = u64::from(byte | 0x20);
                exact = mix(exact, lower);
                masked = mix(masked, lower);
                in_number = false;
                self.at += 1;
            } else if byte == b'\'' {
                self.at += 1;
            } else if byte.is_ascii() {
                break;
            } else {
                let Some(c) = self.text.get(self.at..).and_then(|rest| rest.chars().next()) else { break };
                match class(c) {
                    Class::Ignored => self.at += c.len_utf8(),
                    Class::Word => {
                        for lower in narrow(c).to_lowercase() {
                            exact = mix(exact, u64::from(lower));
                            masked = mix(masked, u64::from(lower));
                        }
                        in_number = false;
                        self.at += c.len_utf8();
                    }
                    Class::Unspaced | Class::Break => break,
                }
            }
        }
        Token { masked, exact, start, end: self.at }
    }

    /// The next character of a run without spaces; a token from the third on, overlapping.
    fn push_unspaced(&mut self, c: char) -> Option<Token> {
        let [before, last] = self.triple;
        let at = self.at;
        self.at += c.len_utf8();
        self.triple = [last, (c, at)];
        if self.in_run < 2 {
            self.in_run += 1;
            return None;
        }
        let hash = hash([before.0, last.0, c].into_iter());
        Some(Token { masked: hash, exact: hash, start: before.1, end: self.at })
    }
}

enum Class {
    Word,
    Unspaced,
    /// Characters that do not show: they neither join nor part.
    Ignored,
    Break,
}

fn class(c: char) -> Class {
    match u32::from(c) {
        0x200B..=0x200F | 0x2060..=0x2064 | 0xFEFF | 0x00AD | 0xFE00..=0xFE0F | 0xE0000..=0xE007F => Class::Ignored,
        // Apostrophes typed by word processors.
        0x2019 | 0x02BC => Class::Ignored,
        // Thai, Lao, Myanmar, Khmer; kana; Han with its extensions and compatibility forms.
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF => Class::Unspaced,
        0x3041..=0x30FF | 0x31F0..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF => Class::Unspaced,
        0x20000..=0x3FFFF => Class::Unspaced,
        0x0300..=0x036F => Class::Word,
        _ if c.is_alphanumeric() => Class::Word,
        _ => Class::Break,
    }
}

/// Full-width forms of ASCII to ASCII.
fn narrow(c: char) -> char {
    match u32::from(c) {
        code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(c),
        _ => c,
    }
}

/// The hash of a token without digits that consists of these characters.
pub(crate) fn hash(characters: impl Iterator<Item = char>) -> u64 {
    characters.fold(SEED, |hash, c| mix(hash, u64::from(c)))
}

fn mix(hash: u64, value: u64) -> u64 {
    (hash ^ value).wrapping_mul(0x0000_0100_0000_01B3)
}

/// What the hash of a token begins with, and each character is mixed in by a prime (both of FNV-1a with 64 bits).
const SEED: u64 = 0xCBF2_9CE4_8422_2325;
/// What every run of digits hashes to; outside the range of characters.
const DIGITS: u64 = 0x11_0000;

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> Vec<u64> {
        tokens(text).map(|token| token.masked).collect()
    }

    fn slices(text: &str) -> Vec<&str> {
        tokens(text).map(|token| &text[token.start..token.end]).collect()
    }

    #[test]
    fn same_to_a_reader_is_same_here() {
        for (a, b) in [
            ("Let's think, step by step.", "lets  THINK step—by—step"),
            ("ABC def", "\u{FF21}\u{FF22}\u{FF23} \u{FF44}ef"),
            ("hid\u{200B}den", "hidden"),
            ("don\u{2019}t", "don't"),
            ("請逐步 推理", "請逐步推理"),
        ] {
            if a.contains('請') {
                // A space parts a run of Han: fewer triples, but none that the whole does not have.
                let whole = masked(b);
                assert!(masked(a).iter().all(|hash| whole.contains(hash)), "{a}");
            } else {
                assert_eq!(masked(a), masked(b), "{a}");
            }
        }
    }

    #[test]
    fn digits_differ_exactly_but_not_masked() {
        let (a, b): (Vec<_>, Vec<_>) = (tokens("item 17b").collect(), tokens("item 9042b").collect());
        assert_eq!(a[1].masked, b[1].masked);
        assert_ne!(a[1].exact, b[1].exact);
        assert_ne!(masked("item b"), masked("item 1b"));
    }

    #[test]
    fn words_and_triples_with_their_places() {
        assert_eq!(slices("Ask: 你好世界 ok"), ["Ask", "你好世", "好世界", "ok"]);
        assert_eq!(slices(""), [] as [&str; 0]);
        assert_eq!(slices("你好"), [] as [&str; 0]);
        assert_eq!(slices("naïve Ärger"), ["naïve", "Ärger"]);
    }
}
