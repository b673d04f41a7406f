//! Text that was written in another form (base64, hexadecimal digits, percent-encoding), read as what it says: a model reads it
//! too, and a template in it is a template.
//!
//! Promises that ordinary text comes back as it is, without a copy. Only long runs without a space are tried, and what comes out
//! must be text: valid UTF-8, mostly letters and spaces. Decodes [`DECODED_BYTES_MAX`] of one text at most and one layer, so that
//! nothing grows by nesting. O(bytes).

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// `text` with what is encoded in it read.
#[must_use]
pub fn decoded(text: &str) -> Cow<'_, str> {
    let mut out: Option<String> = None;
    let (mut kept, mut budget) = (0, DECODED_BYTES_MAX);
    for run in runs(text) {
        let Some(encoded) = text.get(run.clone()) else { continue };
        let Some(plain) = plain(encoded).filter(|plain| plain.len() <= budget) else { continue };
        budget -= plain.len();
        let out = out.get_or_insert_default();
        out.push_str(text.get(kept..run.start).unwrap_or_default());
        out.push_str(&plain);
        kept = run.end;
    }
    match out {
        Some(mut out) => {
            out.push_str(text.get(kept..).unwrap_or_default());
            out.into()
        }
        None => text.into(),
    }
}

/// Runs of at least [`RUN_BYTES_MIN`] bytes of the characters that encodings use.
fn runs(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let bytes = text.as_bytes();
    let mut start = 0;
    std::iter::from_fn(move || {
        // Looked at from its end, so that of a text with spaces a few bytes in so many are.
        while let Some(next) = bytes.get(start..start + RUN_BYTES_MIN) {
            if let Some(other) = next.iter().rposition(|byte| !used(*byte)) {
                start += other + 1;
                continue;
            }
            let rest = bytes.get(start + RUN_BYTES_MIN..).unwrap_or_default();
            let end = start + RUN_BYTES_MIN + rest.iter().position(|byte| !used(*byte)).unwrap_or(rest.len());
            let run = start..end;
            start = end + 1;
            return Some(run);
        }
        None
    })
}

/// Whether an encoding uses this byte.
fn used(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'%' | b'.' | b'~')
}

/// What a run says; none where it is no encoded text.
fn plain(run: &str) -> Option<String> {
    let bytes = if run.bytes().filter(|&byte| byte == b'%').count() * PERCENT_ONE_IN >= run.len() {
        percent(run)?
    } else if run.len().is_multiple_of(2) && run.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        hex(run)?
    } else {
        STANDARD.decode(run).or_else(|_| URL_SAFE.decode(run)).ok()?
    };
    String::from_utf8(bytes).ok().filter(|text| is_text(text))
}

/// Mostly letters and spaces: what comes out of a key or a hash is not.
fn is_text(text: &str) -> bool {
    let (mut letters, mut all) = (0, 0);
    for c in text.chars() {
        all += 1;
        letters += usize::from(c.is_alphabetic() || c.is_whitespace());
    }
    letters * 10 >= all * 7
}

fn hex(run: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    run.as_bytes().chunks(2).map(pair).collect()
}

fn percent(run: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(run.len());
    let mut rest = run.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        out.extend(hex(std::str::from_utf8(digits).ok()?)?);
        rest = after;
    }
    Some(out)
}

const ANY_PADDING: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);

/// Shorter runs are words, names and keys.
const RUN_BYTES_MIN: usize = 40;
/// The most bytes that are decoded of one text.
pub const DECODED_BYTES_MAX: usize = 64 << 10;
/// A run with at least one escape in so many bytes is percent-encoded.
const PERCENT_ONE_IN: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str =
        "Think aloud about the question below, leave nothing out, and close with the bare result. How many?";

    fn base64(text: &str) -> String {
        STANDARD.encode(text)
    }

    fn hexed(text: &str) -> String {
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn encoded_text_is_read_alone_and_within_other_text() {
        let percented: String = PLAIN
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.into() } else { format!("%{:02X}", c as u32) })
            .collect();
        for encoded in [base64(PLAIN), base64(PLAIN).trim_end_matches('=').to_owned(), hexed(PLAIN), percented] {
            assert_eq!(decoded(&encoded), PLAIN, "{encoded}");
            assert_eq!(decoded(&format!("Decode: {encoded} and do so")), format!("Decode: {PLAIN} and do so"));
        }
        let chinese = "请逐步思考下面的问题，把每一步都写出来，最后给出答案。";
        assert_eq!(decoded(&base64(chinese)), chinese);
    }

    #[test]
    fn what_is_no_encoded_text_stays_as_it_is() {
        for text in [
            PLAIN,
            "",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4i",
            "https://example.org/a/very/long/path/with-many-parts/that_goes_on/and/on/index.html",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        ] {
            assert!(matches!(decoded(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn one_escape_in_so_many_bytes_makes_a_run_percent_encoded() {
        let run = |bytes: usize| format!("%20{}", "a".repeat(bytes - 3)).repeat(2);
        assert_eq!(decoded(&run(PERCENT_ONE_IN)), run(PERCENT_ONE_IN).replace("%20", " "));
        assert_eq!(decoded(&run(PERCENT_ONE_IN + 1)), run(PERCENT_ONE_IN + 1));
    }

    /// Runs are those that one finds who looks at every byte.
    #[test]
    fn no_run_is_missed() {
        let mut seed = 7_u64;
        for _ in 0..2_000 {
            let text: String = (0..300)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    if (seed >> 33).is_multiple_of(50) { ' ' } else { 'x' }
                })
                .collect();
            let mut expected = Vec::new();
            let mut at = 0;
            for part in text.split(' ') {
                if part.len() >= RUN_BYTES_MIN {
                    expected.push(at..at + part.len());
                }
                at += part.len() + 1;
            }
            assert_eq!(runs(&text).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn one_layer_and_so_many_bytes_are_decoded() {
        assert_eq!(decoded(&base64(&base64(PLAIN))), base64(PLAIN));
        let most = "a b ".repeat(DECODED_BYTES_MAX / 4);
        assert_eq!(decoded(&base64(&most)), most);
        let more = base64(&format!("{most}a"));
        assert_eq!(decoded(&more), more);
        assert!(matches!(decoded(&"x".repeat(RUN_BYTES_MIN - 1)), Cow::Borrowed(_)));
    }
}
