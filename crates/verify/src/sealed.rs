//! Sealed records: one line of a record whose texts are encrypted, and how it is opened by the key of that one record.
//!
//! Promises that a line opens to one text only: the seal commits to its key (its [`Sealed::commitment`] follows from the key, and the tag of
//! AES-256-GCM from both), and to everything that stands in clear beside it. So the key of one record can be handed to somebody who then
//! knows that text to be what was sealed, and nothing of any other record.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::hash::{from_hex, to_hex};

/// Bytes of a key, of a salt, and of a commitment.
pub const KEY_BYTES: usize = 32;

/// What the sealed part of a line is called.
const FIELD: &[u8] = b",\"sealed\":";
/// What a line of a record may begin with: its length and its sum, which say nothing of the exchange.
const SUM: &[u8] = b"\"sum\":\"";
const SUM_BYTES: usize = 8 + 1 + 16;

const KEY_INFO: &[u8] = b"stillwatch seal 1 key";
const COMMITMENT_INFO: &[u8] = b"stillwatch seal 1 commitment";

/// The key of one record.
#[derive(Clone)]
pub struct RecordKey(Zeroizing<[u8; KEY_BYTES]>);

impl std::fmt::Debug for RecordKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the key of a record")
    }
}

impl RecordKey {
    /// The key with these bytes.
    #[must_use]
    pub fn new(bytes: [u8; KEY_BYTES]) -> RecordKey {
        RecordKey(Zeroizing::new(bytes))
    }

    /// The key that 64 hexadecimal digits say.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<RecordKey> {
        from_hex(text).map(RecordKey::new)
    }

    /// As hexadecimal digits: whoever has them reads the record.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(to_hex(self.0.as_ref()))
    }

    fn derived(&self, info: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        let prk = Prk::new_less_safe(HKDF_SHA256, self.0.as_ref());
        prk.expand(&[info], HKDF_SHA256).ok()?.fill(bytes.as_mut()).ok()?;
        Some(bytes)
    }

    /// A key seals one text, so that its nonce is always the same.
    fn cipher(&self) -> Option<(LessSafeKey, Nonce)> {
        let key = UnboundKey::new(&AES_256_GCM, self.derived(KEY_INFO)?.as_ref()).ok()?;
        Some((LessSafeKey::new(key), Nonce::assume_unique_for_key([0; 12])))
    }
}

/// The sealed part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The key of the account that the record's key follows from, by its id.
    pub key: String,
    /// What makes the record's key another than those of other records. Random.
    pub salt: [u8; KEY_BYTES],
    /// What only this record's key comes to.
    pub commitment: [u8; KEY_BYTES],
    /// The encrypted text, with its tag.
    pub text: Vec<u8>,
}

/// Why a text is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotOpened {
    /// The line is no sealed one.
    #[error(
        "not a sealed record; expected a line with `\"sealed\":{{\"key\":…,\"salt\":…,\"commitment\":…,\"text\":…}}` at its end"
    )]
    NotSealed,
    /// The key is another's.
    #[error("the key is not that of this record")]
    OtherKey,
    /// The line was changed.
    #[error("the record is not what was sealed: what stands in clear or what is encrypted was changed")]
    Changed,
    /// The cryptography failed.
    #[error("the record cannot be encrypted")]
    Crypto,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    key: String,
    salt: String,
    commitment: String,
    text: String,
}

impl Sealed {
    /// Seals a text by a key that seals nothing else, bound to what stands in clear beside it.
    ///
    /// # Errors
    ///
    /// When the cryptography fails.
    pub fn close(
        key_id: &str,
        salt: [u8; KEY_BYTES],
        key: &RecordKey,
        clear: &[u8],
        mut text: Vec<u8>,
    ) -> Result<Sealed, NotOpened> {
        let (cipher, nonce) = key.cipher().ok_or(NotOpened::Crypto)?;
        let commitment = *key.derived(COMMITMENT_INFO).ok_or(NotOpened::Crypto)?;
        cipher.seal_in_place_append_tag(nonce, Aad::from(clear), &mut text).map_err(|_| NotOpened::Crypto)?;
        Ok(Sealed { key: key_id.to_owned(), salt, commitment, text })
    }

    /// The text, by the key of this record and what stands in clear beside it.
    ///
    /// # Errors
    ///
    /// When the key is another's, or anything was changed.
    pub fn open(&self, key: &RecordKey, clear: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let commitment = key.derived(COMMITMENT_INFO).ok_or(NotOpened::Crypto)?;
        verify_slices_are_equal(commitment.as_ref(), &self.commitment).map_err(|_| NotOpened::OtherKey)?;
        let (cipher, nonce) = key.cipher().ok_or(NotOpened::Crypto)?;
        let mut text = Zeroizing::new(self.text.clone());
        let opened = cipher.open_in_place(nonce, Aad::from(clear), &mut text).map_err(|_| NotOpened::Changed)?.len();
        text.truncate(opened);
        Ok(text)
    }

    /// Appends a line: what stands in clear, the fields of an object without its braces, and the seal. Without a newline.
    pub fn write_line(&self, clear: &[u8], line: &mut Vec<u8>) {
        line.push(b'{');
        line.extend_from_slice(clear);
        line.extend_from_slice(FIELD);
        let written = Written {
            key: self.key.clone(),
            salt: STANDARD.encode(self.salt),
            commitment: STANDARD.encode(self.commitment),
            text: STANDARD.encode(&self.text),
        };
        // Writing into memory does not fail.
        let _ = serde_json::to_writer(&mut *line, &written);
        line.push(b'}');
    }
}

/// A sealed line as what stands in clear and the seal; none where it is no sealed line.
#[must_use]
pub fn split(line: &[u8]) -> Option<(&[u8], Sealed)> {
    let inside = line.trim_ascii_end().strip_prefix(b"{")?.strip_suffix(b"}")?;
    let inside = match inside.strip_prefix(SUM).and_then(|rest| rest.get(SUM_BYTES..)) {
        Some(rest) => rest.strip_prefix(b"\",")?,
        None => inside,
    };
    // Within a text of JSON a quotation mark stands escaped, so that nobody's text can look like it.
    let at = inside.windows(FIELD.len()).position(|window| window == FIELD)?;
    let (clear, sealed) = inside.split_at_checked(at)?;
    let written: Written = serde_json::from_slice(sealed.get(FIELD.len()..)?).ok()?;
    let array = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
    let (salt, commitment) = (array(&written.salt)?, array(&written.commitment)?);
    Some((clear, Sealed { key: written.key, salt, commitment, text: STANDARD.decode(&written.text).ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAR: &[u8] = br#""id":"ex_1","account":"acc_1","user_agent":"x\",\"sealed\":{""#;

    fn key(byte: u8) -> RecordKey {
        RecordKey::new([byte; KEY_BYTES])
    }

    fn sealed() -> Sealed {
        Sealed::close("k1", [5; KEY_BYTES], &key(7), CLEAR, b"what was asked".to_vec()).unwrap()
    }

    #[test]
    fn a_line_opens_by_its_own_key_and_only_as_it_was() {
        let mut line = Vec::new();
        sealed().write_line(CLEAR, &mut line);
        let (clear, read) = split(&line).unwrap();
        assert_eq!((clear, &read), (CLEAR, &sealed()));
        assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
        assert!(!String::from_utf8(line.clone()).unwrap().contains("asked"));
        assert_eq!(read.open(&key(7), clear).unwrap().as_slice(), b"what was asked");
        assert_eq!(read.open(&key(8), clear), Err(NotOpened::OtherKey));
        assert_eq!(read.open(&key(7), b"\"id\":\"ex_2\""), Err(NotOpened::Changed));
        // A key that is not the record's own cannot be made to fit by another commitment.
        let other = *key(8).derived(COMMITMENT_INFO).unwrap();
        assert_eq!(Sealed { commitment: other, ..read.clone() }.open(&key(8), clear), Err(NotOpened::Changed));
        for bit in 0..read.text.len() * 8 {
            let mut changed = read.clone();
            changed.text[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(changed.open(&key(7), clear), Err(NotOpened::Changed), "{bit}");
        }
    }

    #[test]
    fn the_sum_of_a_line_is_none_of_what_is_sealed() {
        let mut line = Vec::new();
        sealed().write_line(CLEAR, &mut line);
        let summed = [b"{\"sum\":\"00000000-0123456789abcdef\",", line.strip_prefix(b"{").unwrap()].concat();
        assert_eq!(split(&summed).unwrap(), split(&line).unwrap());
        for none in [&b""[..], b"{}", b"{\"sum\":\"", br#"{"id":"x"}"#, br#"{"id":"x","sealed":{}}"#] {
            assert!(split(none).is_none());
        }
    }

    #[test]
    fn what_is_sealed_is_what_others_make_of_the_same() {
        // Made by Node's `crypto` (HMAC-SHA-256 as HKDF-Expand, AES-256-GCM), of the same key, salt, text and what stands in clear.
        let expected = r#"{"id":"ex_1","sealed":{"key":"k1","salt":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=","commitment":"huBTmD7lfqRcPIbwaJhAHAayQAAtcazUOtC1X3UE6GA=","text":"SF5gohCnIdPRkAwBbrz1JvnbcsGnmVNl5uip0/jP"}}"#;
        let clear = br#""id":"ex_1""#;
        let sealed = Sealed::close("k1", [5; KEY_BYTES], &key(7), clear, b"what was asked".to_vec()).unwrap();
        let mut line = Vec::new();
        sealed.write_line(clear, &mut line);
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn keys_are_hexadecimal_digits_and_never_shown() {
        let key = RecordKey::from_hex(&"0f".repeat(32)).unwrap();
        assert_eq!(key.to_hex().as_str(), "0f".repeat(32));
        assert_eq!(format!("{key:?}"), "the key of a record");
        assert!(RecordKey::from_hex("0f").is_none());
    }
}
