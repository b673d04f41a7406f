//! Signed notes (C2SP `signed-note`), with Ed25519 signatures and Ed25519 cosignatures (C2SP `tlog-cosignature`).
//!
//! Promises that a text counts as signed only by keys that the caller trusts, and that a wrong signature of one of these spoils the whole note.
//! Signatures of others are passed over. Bounded by [`NOTE_BYTES_MAX`] and [`SIGNATURES_MAX`].

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature as Ed25519Signature, VerifyingKey};

use crate::hash::{Hash, from_hex, to_hex};
use crate::limits::{KEY_NAME_BYTES_MAX, NOTE_BYTES_MAX, SIGNATURES_MAX};

/// How every signature begins.
const DASH: &str = "\u{2014} ";
const KEY_ID_BYTES: usize = 4;
const TIME_BYTES: usize = 8;

/// What a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A signature over the text.
    Ed25519,
    /// A signature over the text and a time, by a witness.
    Cosignature,
}

impl Scheme {
    fn byte(self) -> u8 {
        match self {
            Scheme::Ed25519 => 1,
            Scheme::Cosignature => 4,
        }
    }
}

/// A key whose signatures can be checked, as text: `NAME+ID+BASE64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    scheme: Scheme,
    key: VerifyingKey,
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a key of notes; expected `NAME+ID+BASE64` of an Ed25519 key, such as `stillwatch ledger key` prints")]
pub struct NotAKey;

impl VerifierKey {
    /// A key by its name and its 32 bytes.
    ///
    /// # Errors
    ///
    /// Where the name cannot be one, or the bytes are no key.
    pub fn new(name: &str, scheme: Scheme, public: &[u8; 32]) -> Result<VerifierKey, NotAKey> {
        if !is_name(name) {
            return Err(NotAKey);
        }
        let key = VerifyingKey::from_bytes(public).map_err(|_| NotAKey)?;
        Ok(VerifierKey { name: name.to_owned(), scheme, key })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs with.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its id: with the name it tells keys apart.
    #[must_use]
    pub fn id(&self) -> [u8; KEY_ID_BYTES] {
        let hash = Hash::of(&[self.name.as_bytes(), b"\n", &[self.scheme.byte()], self.key.as_bytes()]);
        let [a, b, c, d, ..] = *hash.bytes();
        [a, b, c, d]
    }

    /// Whether `signature` is this key's over `text`; when, where it says so.
    fn checked(&self, text: &str, signature: &[u8]) -> Option<Signed> {
        let (message, time, signature) = match self.scheme {
            Scheme::Ed25519 => (text.to_owned(), None, signature),
            Scheme::Cosignature => {
                let (time, signature) = signature.split_first_chunk::<TIME_BYTES>()?;
                let seconds = u64::from_be_bytes(*time);
                (format!("cosignature/v1\ntime {seconds}\n{text}"), Some(seconds), signature)
            }
        };
        let signature = Ed25519Signature::from_slice(signature).ok()?;
        self.key.verify_strict(message.as_bytes(), &signature).ok()?;
        Some(Signed { key: self.clone(), time })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = [&[self.scheme.byte()], self.key.as_bytes().as_slice()].concat();
        write!(out, "{}+{}+{}", self.name, to_hex(&self.id()), STANDARD.encode(material))
    }
}

impl FromStr for VerifierKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<VerifierKey, NotAKey> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NotAKey);
        };
        let material = STANDARD.decode(material).map_err(|_| NotAKey)?;
        let (scheme, public) = match material.split_first() {
            Some((1, public)) => (Scheme::Ed25519, public),
            Some((4, public)) => (Scheme::Cosignature, public),
            _ => return Err(NotAKey),
        };
        let key = VerifierKey::new(name, scheme, public.try_into().map_err(|_| NotAKey)?)?;
        if from_hex(id) == Some(key.id()) { Ok(key) } else { Err(NotAKey) }
    }
}

/// Whether a key can vouch for checkpoints of the log `log`: it signs the time as well, and is of somebody else.
#[must_use]
pub fn can_witness(key: &VerifierKey, log: &VerifierKey) -> bool {
    key.scheme == Scheme::Cosignature && key.key != log.key
}

/// Whether keys can have this name.
fn is_name(name: &str) -> bool {
    let is_fine = |sign: char| !sign.is_whitespace() && !sign.is_control() && sign != '+';
    (1..=KEY_NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(is_fine)
}

/// What a key that is trusted signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The key.
    pub key: VerifierKey,
    /// When it signed, in seconds since 1970, where it says so.
    pub time: Option<u64>,
}

/// A text with signatures that nobody has checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Line>,
}

/// A signature as it stands in a note.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    name: String,
    id: [u8; KEY_ID_BYTES],
    signature: Vec<u8>,
}

/// Why a note does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadNote {
    /// It is longer than a note may be.
    #[error("a note of {0} bytes; expected at most {NOTE_BYTES_MAX}")]
    TooLong(usize),
    /// It has more signatures than a note may have.
    #[error("more than {SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// It is no note.
    #[error("not a signed note; expected a text, an empty line, and lines that begin with a dash (U+2014)")]
    Malformed,
    /// A key that is trusted did not sign this.
    #[error("the signature of `{0}` is wrong: the text was changed, or another key signed it")]
    WrongSignature(String),
    /// Nobody who is trusted signed it.
    #[error("no key that is trusted signed it; it names {}", names(.0))]
    Unsigned(Vec<String>),
}

fn names(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl Note {
    /// Takes a note apart.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(note: &str) -> Result<Note, BadNote> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(BadNote::TooLong(note.len()));
        }
        if note.chars().any(|sign| sign < ' ' && sign != '\n') {
            return Err(BadNote::Malformed);
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(BadNote::Malformed)?;
        let signatures = signatures.strip_suffix('\n').ok_or(BadNote::Malformed)?;
        if signatures.split('\n').count() > SIGNATURES_MAX {
            return Err(BadNote::TooManySignatures);
        }
        let signatures = signatures.split('\n').map(Line::parse).collect::<Option<_>>().ok_or(BadNote::Malformed)?;
        Ok(Note { text: format!("{text}\n"), signatures })
    }

    /// Its text, whoever signed it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Those of `keys` that signed it, each once.
    ///
    /// # Errors
    ///
    /// When one of them did not, though the note says so, or none did.
    pub fn signed_by(&self, keys: &[VerifierKey]) -> Result<Vec<Signed>, BadNote> {
        let mut signed: Vec<Signed> = Vec::new();
        let mut known: Vec<&VerifierKey> = Vec::new();
        for line in &self.signatures {
            let Some(key) = keys.iter().find(|key| key.name == line.name && key.id() == line.id) else { continue };
            let one = key.checked(&self.text, &line.signature);
            let one = one.ok_or_else(|| BadNote::WrongSignature(line.name.clone()))?;
            if !known.contains(&key) {
                known.push(key);
                signed.push(one);
            }
        }
        if signed.is_empty() {
            return Err(BadNote::Unsigned(self.signatures.iter().map(|line| line.name.clone()).collect()));
        }
        Ok(signed)
    }
}

impl Line {
    fn parse(line: &str) -> Option<Line> {
        let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
        let signature = STANDARD.decode(signature).ok()?;
        let (id, signature) = signature.split_first_chunk::<KEY_ID_BYTES>()?;
        if !is_name(name) || signature.is_empty() {
            return None;
        }
        Some(Line { name: name.to_owned(), id: *id, signature: signature.to_vec() })
    }
}

/// The line of a note that says that `key` signed it.
#[must_use]
pub fn line(key: &VerifierKey, signature: &[u8]) -> String {
    format!("{DASH}{} {}\n", key.name, STANDARD.encode([key.id().as_slice(), signature].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(text: &str, signatures: usize) -> String {
        // The base point of the curve.
        let mut public = [0x66; 32];
        public[0] = 0x58;
        let key = VerifierKey::new("n", Scheme::Ed25519, &public).unwrap();
        let lines: String = (0..signatures).map(|_| line(&key, &[1])).collect();
        format!("{text}\n\n{lines}")
    }

    #[test]
    fn a_note_has_limits() {
        let around = note("", 1).len();
        assert!(Note::parse(&note(&"x".repeat(NOTE_BYTES_MAX - around), 1)).is_ok());
        let long = Note::parse(&note(&"x".repeat(NOTE_BYTES_MAX - around + 1), 1));
        assert_eq!(long, Err(BadNote::TooLong(NOTE_BYTES_MAX + 1)));
        assert!(Note::parse(&note("x", SIGNATURES_MAX)).is_ok());
        assert_eq!(Note::parse(&note("x", SIGNATURES_MAX + 1)), Err(BadNote::TooManySignatures));
    }

    #[test]
    fn what_is_no_note_is_refused() {
        for wrong in [
            "",
            "x",
            "x\n\n",
            "x\n\ny\n",
            "\u{7}\n\n\u{2014} n AAAA\n",
            "x\n\n\u{2014} n AAAAAAA=",
            "x\n\n\u{2014} a+b AAAAAAA=\n",
        ] {
            assert_eq!(Note::parse(wrong), Err(BadNote::Malformed), "{wrong:?}");
        }
        assert!(Note::parse("x\n\n\u{2014} n AAAAAAA=\n").is_ok());
    }
}
