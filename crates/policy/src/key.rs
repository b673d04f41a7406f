//! API keys: how they look, what is kept of one, and what it may be used for.
//!
//! A key is `sw_`, its public id (12 letters and digits), `_`, its secret (32 random bytes, base64url) and 8
//! hexadecimal digits of a checksum; an administrator's begins with `swadm_`. So a scanner knows one when it leaks, and
//! a typing mistake is told from a stranger without looking anything up. The secret itself is never kept: only its
//! keyed hash is ([`Key::hash`]), so a stolen table opens nothing.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use exchange::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;
use zeroize::{Zeroize, Zeroizing};

use crate::action::{Action, Actions};
use crate::id::{AccountId, KeyId};
use crate::network::Network;

/// What the keys of callers begin with.
pub const BRAND: &str = "sw_";
/// What the keys of administrators begin with.
pub const ADMIN_BRAND: &str = "swadm_";
/// Random bytes that a new key needs: for its id and its secret.
pub const RANDOM_BYTES: usize = 12 + SECRET_BYTES;

const ID_CHARS: usize = 12;
const SECRET_BYTES: usize = 32;
const SECRET_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 8;
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// A key in clear: shown once, when it is made. Overwritten when it is dropped.
#[derive(PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The key as its holder sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a secret")
    }
}

/// Makes and checks keys; holds what their hashes are keyed with.
pub struct Keys {
    pepper: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("what keys are hashed with")
    }
}

/// A text that is no key, told without looking anything up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAKey {
    /// It does not begin as ours do.
    #[error("not one of our keys; expected it to begin with `{BRAND}`")]
    Brand,
    /// It is too short, too long, or has characters that no key has.
    #[error("not a whole key")]
    Shape,
    /// The checksum is wrong: a typing mistake, or made up.
    #[error("not a key; its checksum is wrong")]
    Checksum,
}

impl Keys {
    /// Keys whose hashes are keyed with `pepper`.
    #[must_use]
    pub fn new(pepper: [u8; 32]) -> Keys {
        Keys { pepper: Zeroizing::new(pepper) }
    }

    /// Makes a key from random bytes: the public id, the key in clear, and its hash.
    #[must_use]
    pub fn mint(&self, brand: &'static str, mut random: [u8; RANDOM_BYTES]) -> (KeyId, Secret, KeyHash) {
        let (id, secret) = random.split_at(ID_CHARS);
        let letter = |byte: &u8| char::from(ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'a'));
        let id: String = id.iter().map(letter).collect();
        let mut text = Zeroizing::new(format!("{brand}{id}_"));
        URL_SAFE_NO_PAD.encode_string(secret, &mut text);
        let sum = checksum(&text);
        text.push_str(&sum);
        random.zeroize();
        let hash = self.hash(&text);
        (KeyId::of_plain(&id), Secret(text), hash)
    }

    /// The public id in a key, and its hash.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn read<'k>(&self, brand: &str, text: &'k str) -> Result<(&'k str, KeyHash), NotAKey> {
        let rest = text.strip_prefix(brand).ok_or(NotAKey::Brand)?;
        if rest.len() != ID_CHARS + 1 + SECRET_CHARS + CHECKSUM_CHARS || !rest.is_ascii() {
            return Err(NotAKey::Shape);
        }
        let (id, secret) = rest.split_at(ID_CHARS);
        if !id.bytes().all(|byte| ALPHABET.contains(&byte)) || !secret.starts_with('_') {
            return Err(NotAKey::Shape);
        }
        let (unsummed, sum) = text.split_at(text.len() - CHECKSUM_CHARS);
        if checksum(unsummed) != sum {
            return Err(NotAKey::Checksum);
        }
        Ok((id, self.hash(text)))
    }

    fn hash(&self, text: &str) -> KeyHash {
        KeyHash(*blake3::keyed_hash(&self.pepper, text.as_bytes()).as_bytes())
    }
}

fn checksum(text: &str) -> String {
    format!("{:08x}", xxh3_64(text.as_bytes()) as u32)
}

/// What is kept of an API key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its public id: part of the key as the customer sees it, and the name of the key in lists and logs.
    pub id: KeyId,
    /// Whose it is.
    pub account: AccountId,
    /// What for; a name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The keyed BLAKE3 hash of the secret.
    pub hash: KeyHash,
    /// What it may be used for, at most.
    #[serde(default)]
    pub scope: Scope,
    /// What a caller must prove besides, so that a key that was sold is useless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// From when it holds.
    pub created: Time,
    /// Until when it holds; without it, until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// From when it no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Time>,
    /// The key that it takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<KeyId>,
}

/// The keyed hash of a key's secret: 32 bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyHash(pub [u8; 32]);

/// What a key may be used for, at most; what its account may is decided apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Models, by name or by a beginning that ends in `*`; empty for all.
    pub models: Vec<String>,
    /// Actions.
    pub actions: Actions,
    /// Networks it may be used from, as `address/bits`; empty for all.
    pub networks: Vec<Network>,
}

/// What the holder of a key must prove besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// A proof (RFC 9449) signed by the key with this thumbprint (RFC 7638, base64url).
    Dpop(String),
    /// A client certificate (RFC 8705) with this SHA-256 thumbprint (base64url).
    Certificate(String),
}

impl PartialEq for KeyHash {
    /// In the same time whatever differs.
    fn eq(&self, other: &KeyHash) -> bool {
        blake3::Hash::from_bytes(self.0) == blake3::Hash::from_bytes(other.0)
    }
}

impl Eq for KeyHash {}

impl Key {
    /// Why it does not hold at `now`, if so.
    #[must_use]
    pub fn lapsed(&self, now: Time) -> Option<Lapsed> {
        if now < self.created {
            Some(Lapsed::NotYet)
        } else if self.revoked.is_some_and(|revoked| revoked <= now) {
            Some(Lapsed::Revoked)
        } else if self.expires.is_some_and(|expires| expires <= now) {
            Some(Lapsed::Expired)
        } else {
            None
        }
    }
}

/// Why a key does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lapsed {
    /// It was made later.
    #[error("the key does not hold yet")]
    NotYet,
    /// It was revoked.
    #[error("the key was revoked")]
    Revoked,
    /// Its time is over.
    #[error("the key expired")]
    Expired,
}

impl Lapsed {
    /// Its name in lists.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Lapsed::NotYet => "not_yet",
            Lapsed::Revoked => "revoked",
            Lapsed::Expired => "expired",
        }
    }
}

impl Scope {
    /// Whether `model` is in it.
    #[must_use]
    pub fn has_model(&self, model: &str) -> bool {
        let fits = |known: &String| match known.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning),
            None => known == model,
        };
        self.models.is_empty() || self.models.iter().any(fits)
    }

    /// Whether `address` is in it.
    #[must_use]
    pub fn has_address(&self, address: std::net::IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(address))
    }

    /// Whether `action` is in it.
    #[must_use]
    pub fn has(&self, action: Action) -> bool {
        self.actions.has(action)
    }
}

impl Default for Scope {
    fn default() -> Self {
        Scope { models: Vec::new(), actions: Actions::ALL, networks: Vec::new() }
    }
}

impl From<KeyHash> for String {
    fn from(hash: KeyHash) -> String {
        blake3::Hash::from_bytes(hash.0).to_hex().to_string()
    }
}

impl TryFrom<String> for KeyHash {
    type Error = BadHash;

    fn try_from(text: String) -> Result<Self, BadHash> {
        blake3::Hash::from_hex(&text).map(|hash| KeyHash(*hash.as_bytes())).map_err(|_| BadHash)
    }
}

/// A text that is no hash of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no hash of a key; expected 64 hexadecimal digits")]
pub struct BadHash;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn minted(seed: u8) -> (KeyId, Secret, KeyHash) {
        Keys::new([3; 32]).mint(BRAND, std::array::from_fn(|at| (at as u8).wrapping_mul(seed)))
    }

    #[test]
    fn a_key_is_known_by_its_hash_and_no_other_way() {
        let (id, secret, hash) = minted(7);
        let keys = Keys::new([3; 32]);
        assert_eq!(keys.read(BRAND, secret.expose()), Ok((id.as_str(), hash)));
        assert_ne!(Keys::new([4; 32]).read(BRAND, secret.expose()).unwrap().1, hash, "another pepper");
        assert_eq!(keys.read(ADMIN_BRAND, secret.expose()), Err(NotAKey::Brand));
        assert_eq!(keys.read(BRAND, "sk-proj-abc"), Err(NotAKey::Brand));
        assert_eq!(keys.read(BRAND, "sw_"), Err(NotAKey::Shape));
        assert_eq!(format!("{secret:?}{keys:?}"), "a secretwhat keys are hashed with");
        assert_eq!(secret.expose().len(), BRAND.len() + ID_CHARS + 1 + SECRET_CHARS + CHECKSUM_CHARS);
    }

    #[test]
    fn keys_hold_between_their_times() {
        let at = Time::from_seconds;
        let (id, _, hash) = minted(1);
        let mut key = Key {
            id,
            account: "a".parse().unwrap(),
            name: String::new(),
            hash,
            scope: Scope::default(),
            binding: None,
            created: at(10),
            expires: Some(at(20)),
            revoked: None,
            replaces: None,
        };
        let lapsed = |key: &Key| [9, 10, 15, 19, 20].map(|second| key.lapsed(at(second)));
        assert_eq!(lapsed(&key), [Some(Lapsed::NotYet), None, None, None, Some(Lapsed::Expired)]);
        key.revoked = Some(at(15));
        assert_eq!(lapsed(&key)[1..4], [None, Some(Lapsed::Revoked), Some(Lapsed::Revoked)]);
    }

    proptest! {
        /// A key with any one character changed is no key, and no text makes the reader fail otherwise.
        #[test]
        fn changed_keys_are_not_read(at in 0_usize..70, to in "[ -~]", any in ".{0,90}") {
            let (_, secret, _) = minted(9);
            let keys = Keys::new([3; 32]);
            let at = at % secret.expose().len();
            let mut changed = secret.expose().to_owned();
            changed.replace_range(at..=at, &to);
            prop_assert!(changed == secret.expose() || keys.read(BRAND, &changed).is_err());
            prop_assert!(keys.read(BRAND, &any).is_err());
        }
    }
}
