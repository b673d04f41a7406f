//! Keyed fingerprints: what detection needs of a text, for a provider that keeps no texts.
//!
//! Computed where the texts are, with a key that stays there, and sent on instead of them. Equal shingles have equal
//! fingerprints under one key and unrelated ones under another, so campaigns are found as before, and nobody without the key
//! can try whether a text occurs (SipHash-2-4 as a pseudorandom function). What equality itself shows stays visible: that two
//! requests share a phrase, how long texts are, what they are after. Exhibits and the template's wording are not to be had.

use std::hash::Hasher;

use exchange::{Exchange, Fingerprint};
use siphasher::sip::SipHasher24;
use zeroize::{Zeroize, ZeroizeOnDrop};

use event::Print;
use event::file::PRINTS_MAX;
use event::{Capability, Intents, Meaning};
use event::{OUTPUT_PRINTS_MAX, Signals};

/// The key of fingerprints. Not shown by `Debug`, and overwritten when it is no longer needed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct FingerprintKey([u8; 16]);

/// Why a key could not be read. The text itself is never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 32 hexadecimal digits, as `openssl rand -hex 16` writes them")]
pub struct BadKey;

impl FingerprintKey {
    /// The key written as 32 hexadecimal digits, with white space around it.
    ///
    /// # Errors
    ///
    /// When it is anything else.
    pub fn parse(text: &str) -> Result<FingerprintKey, BadKey> {
        let digits = text.trim();
        if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadKey);
        }
        u128::from_str_radix(digits, 16).map(|key| FingerprintKey(key.to_be_bytes())).map_err(|_| BadKey)
    }

    /// A number that tells this key from others and does not show it.
    #[must_use]
    pub fn id(&self) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(b"id of a key");
        hasher.finish()
    }

    fn print(&self, print: Print) -> Print {
        Print { key: self.key(print.key), exact: self.exact(print.exact) }
    }

    fn key(&self, key: u64) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write_u64(key);
        hasher.finish()
    }

    fn exact(&self, exact: u32) -> u32 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write_u32(exact);
        (hasher.finish() >> 32) as u32
    }
}

impl std::fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FingerprintKey(…)")
    }
}

/// Signals without texts, and with fingerprints under `key`. What they mean stays, coarsely; credentials, end users and sessions are in no signals.
#[must_use]
pub fn keyed(signals: Signals, key: &FingerprintKey) -> Signals {
    Signals {
        prints: signals.prints.iter().map(|&print| key.print(print)).collect(),
        words: keyed_words(&signals.words, key),
        output: signals.output.iter().map(|&print| key.key(print)).collect(),
        excerpt: "".into(),
        answer: "".into(),
        ..signals
    }
}

fn keyed_words(words: &[u32], key: &FingerprintKey) -> Box<[u32]> {
    let mut words: Box<[u32]> = words.iter().map(|&word| key.exact(word)).collect();
    words.sort_unstable();
    words
}

/// The exchange without its texts, and with fingerprints of them under `key`. Of the address its block stays; credentials,
/// end users and sessions do not.
#[must_use]
pub fn without_texts<'a>(exchange: &Exchange<'a>, key: &FingerprintKey) -> Exchange<'a> {
    let signals = crate::of(exchange);
    let prints: String = signals
        .prints
        .iter()
        .map(|&print| key.print(print))
        .map(|Print { key, exact }| format!("{key:016x}{exact:08x}"))
        .collect();
    let output: String = signals.output.iter().map(|&print| format!("{:016x}", key.key(print))).collect();
    let words = keyed_words(&signals.words, key);
    let meaning: String = signals.meaning.0.iter().map(|number| format!("{number:02x}")).collect();
    let mut client = exchange.client.clone();
    client.ip = signals.client.block.map(|block| block.base().to_string().into());
    Exchange {
        id: exchange.id.clone(),
        time: exchange.time,
        account: exchange.account.clone(),
        org: exchange.org.clone(),
        key: None,
        end_user: None,
        session: None,
        operation: exchange.operation,
        model: exchange.model.clone(),
        client,
        request: exchange::Request { params: exchange.request.params.clone(), ..exchange::Request::default() },
        response: exchange::Response::default(),
        usage: exchange.usage,
        status: exchange.status,
        duration_ms: exchange.duration_ms,
        fingerprint: Some(Fingerprint {
            prints: prints.into(),
            output: output.into(),
            words: words.iter().map(|word| format!("{word:08x}")).collect::<String>().into(),
            meaning: if signals.meaning.known() { meaning.into() } else { "".into() },
            intents: signals.intents.iter().map(|capability| capability.id().into()).collect(),
            follow_up: signals.follow_up,
        }),
    }
}

/// Fingerprints of what was asked, as written; those that are not numbers are left out.
pub(crate) fn prints(fingerprint: &Fingerprint<'_>) -> Vec<Print> {
    let print = |digits: &str| {
        let (key, exact) = digits.split_at_checked(Fingerprint::OUTPUT_DIGITS)?;
        Some(Print { key: u64::from_str_radix(key, 16).ok()?, exact: u32::from_str_radix(exact, 16).ok()? })
    };
    pieces(&fingerprint.prints, Fingerprint::PRINT_DIGITS).filter_map(print).take(PRINTS_MAX).collect()
}

/// Fingerprints of what was answered.
pub(crate) fn output(fingerprint: &Fingerprint<'_>) -> Vec<u64> {
    let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
    pieces(&fingerprint.output, Fingerprint::OUTPUT_DIGITS).filter_map(number).take(OUTPUT_PRINTS_MAX).collect()
}

/// The words, as hashes.
pub(crate) fn words(fingerprint: &Fingerprint<'_>) -> Vec<u32> {
    let number = |digits: &str| u32::from_str_radix(digits, 16).ok();
    pieces(&fingerprint.words, Fingerprint::WORD_DIGITS).filter_map(number).collect()
}

/// The meaning; an unknown one where none is told.
pub(crate) fn meaning(fingerprint: &Fingerprint<'_>) -> Meaning {
    let number = |digits: &str| Some(u8::from_str_radix(digits, 16).ok()?.cast_signed());
    let numbers: Option<Vec<i8>> = pieces(&fingerprint.meaning, 2).map(number).collect();
    numbers.and_then(|numbers| numbers.try_into().ok()).map(Meaning).unwrap_or_default()
}

/// The intents that are named; unknown names are left out.
pub(crate) fn intents(fingerprint: &Fingerprint<'_>) -> Intents {
    Capability::ALL.into_iter().filter(|known| fingerprint.intents.iter().any(|name| name == known.id())).collect()
}

fn pieces(text: &str, length: usize) -> impl Iterator<Item = &str> {
    (0..text.len() / length).filter_map(move |at| text.get(at * length..(at + 1) * length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::Notes;

    const RECORD: &str = r#"{"id":"e","time":"2026-07-20T12:00:00Z","account":"a","key":"k_1","end_user":"u","session":"s",
        "model":"m","client":{"ip":"203.0.113.77","asn":64500,"user_agent":"x/1"},
        "request":{"messages":[{"role":"user","content":"Grade the answer below from 1 to 5 by this rubric, and give your reasons first."},
        {"role":"assistant","content":"4"},{"role":"user","content":"Now grade the next answer in the same way, please, and be stricter"}],
        "params":{"temperature":0.7,"max_tokens":64}},
        "response":{"content":"The answer is to the point and the reasons are given, so that it deserves a four out of five."}}"#;

    fn with<T>(record: &str, look: impl Fn(&Exchange<'_>) -> T) -> T {
        let mut seen = None;
        let mut sink = |exchange: Exchange<'_>| seen = Some(look(&exchange));
        exchange::read_exchanges(record, &mut Notes::default(), &mut sink).unwrap();
        seen.unwrap()
    }

    fn printed(key: &str) -> String {
        let key = FingerprintKey::parse(key).unwrap();
        with(RECORD, |exchange| without_texts(exchange, &key).to_json())
    }

    #[test]
    fn what_has_no_texts_gives_the_same_signals_under_other_names() {
        let (plain, read) = (with(RECORD, crate::of), with(&printed(&"0f".repeat(16)), crate::of));
        assert_eq!(read.prints.len(), plain.prints.len());
        assert!(plain.prints.len() > 8 && plain.output.len() > 3);
        assert!(read.prints.iter().zip(&plain.prints).all(|(a, b)| a.key != b.key));
        assert_eq!(read.output.len(), plain.output.len());
        let same = |signals: &event::Signals| {
            (
                signals.time,
                signals.account.clone(),
                signals.intents,
                signals.params,
                signals.client.clone(),
                signals.follow_up,
                signals.meaning,
                signals.words.len(),
            )
        };
        assert_eq!(same(&read), same(&plain));
        assert!(read.meaning.known() && read.words.len() > 8 && read.words.is_sorted());
        assert!(read.excerpt.is_empty());
    }

    #[test]
    fn nothing_of_the_texts_and_no_credential_goes_along() {
        let printed = printed(&"0f".repeat(16));
        for word in ["rubric", "Grade", "answer is", "k_1", "\"u\"", "\"s\"", "113.77"] {
            assert!(!printed.contains(word), "{word}: {printed}");
        }
    }

    #[test]
    fn keys_part_what_they_print() {
        let (one, two) = (with(&printed(&"0f".repeat(16)), crate::of), with(&printed(&"1f".repeat(16)), crate::of));
        assert!(one.prints.iter().zip(&two.prints).all(|(a, b)| a.key != b.key));
        assert_eq!(one.prints, with(&printed(&"0f".repeat(16)), crate::of).prints);
    }

    #[test]
    fn keys_are_read_strictly_and_never_shown() {
        for bad in ["", "0f", &"0g".repeat(16), &"0f".repeat(17), "+f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"] {
            assert!(FingerprintKey::parse(bad).is_err(), "{bad}");
        }
        let key = FingerprintKey::parse(&format!(" {}\n", "Ab".repeat(16))).unwrap();
        assert_eq!(format!("{key:?}"), "FingerprintKey(…)");
    }
}
