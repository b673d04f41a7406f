//! Hashes of a Merkle tree, as RFC 6962 (section 2.1) computes them with SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The bytes of a hash.
pub const HASH_BYTES: usize = 32;

/// A hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; HASH_BYTES]);

impl Hash {
    /// The hash with these bytes.
    #[must_use]
    pub fn new(bytes: [u8; HASH_BYTES]) -> Hash {
        Hash(bytes)
    }

    /// SHA-256 of the parts, one after the other.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Hash {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Hash(hasher.finalize().into())
    }

    /// The root of a tree without entries.
    #[must_use]
    pub fn of_nothing() -> Hash {
        Hash::of(&[])
    }

    /// The hash of an entry.
    #[must_use]
    pub fn of_leaf(entry: &[u8]) -> Hash {
        Hash::of(&[&[0], entry])
    }

    /// The hash of what two hashes stand for.
    #[must_use]
    pub fn of_node(left: &Hash, right: &Hash) -> Hash {
        Hash::of(&[&[1], &left.0, &right.0])
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// The hash that base64 says, without anything around it.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Hash> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Hash)
    }

    /// As base64.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// The hash that 64 hexadecimal digits in lower case say.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Hash> {
        from_hex(text).map(Hash)
    }

    /// As hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        to_hex(&self.0)
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.to_hex())
    }
}

/// Bytes as hexadecimal digits in lower case.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that hexadecimal digits in lower case say, exactly `N` of them.
#[must_use]
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_say_what_they_are_made_of() {
        assert_eq!(from_hex::<3>(&to_hex(&[0, 0x9a, 0xff])), Some([0, 0x9a, 0xff]));
        for wrong in ["", "00", "0000", "00000g", "00000A", "0000000", "é0000"] {
            assert_eq!(from_hex::<3>(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nothing_hashes_to_what_the_standard_says() {
        // FIPS 180-4 of the empty string, and RFC 6962's root of no entries.
        assert_eq!(Hash::of_nothing().to_hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Hash::of_leaf(b"").to_hex(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    }
}
