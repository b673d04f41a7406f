//! The evidence key: a pair of which the public half wraps account keys (HPKE, RFC 9180), and the private half opens them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey, HpkePublicKey};
use serde::{Deserialize, Serialize};
use verify::hash::Hash;
use verify::sealed::KEY_BYTES;
use zeroize::Zeroizing;

use crate::account::{AccountKey, Day, fill};
use crate::error::SealError;
use crate::limits::{ACCOUNT_BYTES_MAX, RETIRED_MAX};

const PREFIX: &str = "stillwatch-evidence+";
const INFO: &[u8] = b"stillwatch account key 1";
/// Bytes that tell keys apart.
const ID_BYTES: usize = 8;

/// The public half: what seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// What tells it from others.
    #[must_use]
    pub fn id(&self) -> String {
        Hash::of(&[&self.0]).to_hex().chars().take(ID_BYTES * 2).collect()
    }

    /// Wraps the key of an account.
    ///
    /// # Errors
    ///
    /// When the cryptography fails, or the account's name is too long.
    pub fn wrap(&self, key: &AccountKey, account: &str, day: &Day) -> Result<Wrapped, SealError> {
        let mut id = [0; ID_BYTES];
        fill(&mut id)?;
        self.wrap_as(&verify::hash::to_hex(&id), key, account, day)
    }

    /// The same, by the id that it has.
    pub(crate) fn wrap_as(&self, id: &str, key: &AccountKey, account: &str, day: &Day) -> Result<Wrapped, SealError> {
        if account.len() > ACCOUNT_BYTES_MAX {
            return Err(SealError::Refused(format!("the name of an account has more than {ACCOUNT_BYTES_MAX} bytes")));
        }
        let public = HpkePublicKey(self.0.clone());
        let sealed = DH_KEM_X25519_HKDF_SHA256_AES_256.seal(INFO, &bound(id, account, day), key.bytes(), &public);
        let (secret, wrapped) = sealed.map_err(|_| SealError::Crypto)?;
        let (id, account) = (id.to_owned(), account.to_owned());
        Ok(Wrapped { id, account, by: self.id(), enc: STANDARD.encode(secret.0), key: STANDARD.encode(wrapped) })
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{PREFIX}{}+{}", self.id(), STANDARD.encode(&self.0))
    }
}

impl std::str::FromStr for PublicKey {
    type Err = SealError;

    fn from_str(text: &str) -> Result<PublicKey, SealError> {
        let (id, bytes) =
            text.trim().strip_prefix(PREFIX).and_then(|rest| rest.split_once('+')).ok_or(SealError::NotAKey)?;
        let bytes = STANDARD.decode(bytes).ok().filter(|bytes| bytes.len() == KEY_BYTES).ok_or(SealError::NotAKey)?;
        let key = PublicKey(bytes);
        if key.id() == id { Ok(key) } else { Err(SealError::NotAKey) }
    }
}

/// The key of an account, as it lies on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wrapped {
    /// What tells it from others; sealed records name it.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// The evidence key that it is wrapped for.
    pub by: String,
    enc: String,
    key: String,
}

/// What a wrapped key is bound to.
fn bound(id: &str, account: &str, day: &Day) -> Vec<u8> {
    format!("{id}\n{}\n{account}", day.as_str()).into_bytes()
}

/// The private half: what opens, with those that it took the place of. Wiped from memory when it is dropped.
pub struct EvidenceKey {
    current: Pair,
    /// The latest first.
    retired: Vec<Pair>,
}

/// A private half and its public one.
type Pair = (Zeroizing<[u8; KEY_BYTES]>, PublicKey);

impl std::fmt::Debug for EvidenceKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "the evidence key {}", self.public().id())
    }
}

impl EvidenceKey {
    /// A pair that nobody has seen.
    ///
    /// # Errors
    ///
    /// When the cryptography fails.
    pub fn random() -> Result<EvidenceKey, SealError> {
        let pair = DH_KEM_X25519_HKDF_SHA256_AES_256.generate_key_pair();
        let (public, private) = pair.map_err(|_| SealError::NoRandom)?;
        let bytes = private.secret_bytes().try_into().map_err(|_| SealError::Crypto)?;
        Ok(EvidenceKey { current: (Zeroizing::new(bytes), PublicKey(public.0)), retired: Vec::new() })
    }

    /// Another pair, which opens what this one does as well.
    ///
    /// # Errors
    ///
    /// When the cryptography fails, or there are too many.
    pub fn next(&self) -> Result<EvidenceKey, SealError> {
        if self.retired.len() >= RETIRED_MAX {
            return Err(SealError::Refused(format!("{RETIRED_MAX} keys are retired; expected at most as many")));
        }
        let EvidenceKey { current, .. } = EvidenceKey::random()?;
        Ok(EvidenceKey { current, retired: self.pairs().cloned().collect() })
    }

    /// The pairs with these private halves, where they are those of the public ones.
    pub(crate) fn of(private: &[u8], publics: &[PublicKey]) -> Result<EvidenceKey, SealError> {
        let wrong = || SealError::Locked("the private key is not that of the public one".into());
        let (halves, rest) = private.as_chunks::<KEY_BYTES>();
        if halves.len() != publics.len() || !rest.is_empty() {
            return Err(wrong());
        }
        let mut pairs = halves.iter().map(|half| Zeroizing::new(*half)).zip(publics.iter().cloned());
        let key = EvidenceKey { current: pairs.next().ok_or_else(wrong)?, retired: pairs.collect() };
        // A key that opens what the public half wraps is its private half.
        let day = Day::of("1970-01-01").ok_or(SealError::Crypto)?;
        for public in publics {
            let probe = public.wrap(&AccountKey::random()?, "", &day)?;
            key.unwrap(&probe, &day).map_err(|_| wrong())?;
        }
        Ok(key)
    }

    fn pairs(&self) -> impl Iterator<Item = &Pair> {
        std::iter::once(&self.current).chain(&self.retired)
    }

    pub(crate) fn private(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.pairs().flat_map(|(private, _)| private.iter().copied()).collect())
    }

    /// The public half of the current pair.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.current.1
    }

    /// The public halves, the current one first.
    pub(crate) fn publics(&self) -> Vec<PublicKey> {
        self.pairs().map(|(_, public)| public.clone()).collect()
    }

    /// The key of an account.
    ///
    /// # Errors
    ///
    /// When it is wrapped for another evidence key, or was changed.
    pub fn unwrap(&self, wrapped: &Wrapped, day: &Day) -> Result<AccountKey, SealError> {
        let opened = || {
            let (private, _) = self.pairs().find(|(_, public)| public.id() == wrapped.by)?;
            let (enc, key) = (STANDARD.decode(&wrapped.enc).ok()?, STANDARD.decode(&wrapped.key).ok()?);
            let private = HpkePrivateKey::from(private.to_vec());
            let bound = bound(&wrapped.id, &wrapped.account, day);
            let suite = DH_KEM_X25519_HKDF_SHA256_AES_256;
            let key = Zeroizing::new(suite.open(&EncapsulatedSecret(enc), INFO, &bound, &key, &private).ok()?);
            key.as_slice().try_into().ok().map(AccountKey::new)
        };
        opened().ok_or_else(|| SealError::NotOurs { key: wrapped.id.clone(), by: wrapped.by.clone() })
    }
}
