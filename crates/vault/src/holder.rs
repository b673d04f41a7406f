//! Holders: people, or machines, each with a pair of keys of their own. What is sealed for one is opened by nobody else (HPKE, RFC 9180).

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey, HpkePublicKey};
use seal::Lock;
use seal::lock::Locked as LockedSecret;
use serde::{Deserialize, Serialize};
use store::bounded::read_file;
use store::whole;
use verify::hash::Hash;
use zeroize::Zeroizing;

use crate::error::VaultError;
use crate::limits::KEY_BYTES_MAX;
use crate::shares::{SECRET_BYTES, Secret};

const KIND: &str = "stillwatch holder key 1";
const PREFIX: &str = "stillwatch-holder+";
/// What HPKE is told it is used for, so that nothing else that is sealed counts here.
const INFO: &[u8] = b"stillwatch vault share 1";
/// Hexadecimal digits of what tells keys apart.
const ID_DIGITS: usize = 16;

/// The half of a holder's key that everybody may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderKey(Vec<u8>);

impl HolderKey {
    /// What tells it from others.
    #[must_use]
    pub fn id(&self) -> String {
        Hash::of(&[&self.0]).to_hex().chars().take(ID_DIGITS).collect()
    }

    /// A secret that only the holder opens, and only as what it is `bound` to.
    ///
    /// # Errors
    ///
    /// When the cryptography fails.
    pub fn seal(&self, secret: &Secret, bound: &[u8]) -> Result<SealedSecret, VaultError> {
        let public = HpkePublicKey(self.0.clone());
        let sealed = DH_KEM_X25519_HKDF_SHA256_AES_256.seal(INFO, bound, secret.as_ref(), &public);
        let (enc, sealed) = sealed.map_err(|_| VaultError::Crypto)?;
        Ok(SealedSecret { holder: self.id(), enc: STANDARD.encode(enc.0), sealed: STANDARD.encode(sealed) })
    }
}

impl fmt::Display for HolderKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{PREFIX}{}+{}", self.id(), STANDARD.encode(&self.0))
    }
}

impl FromStr for HolderKey {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<HolderKey, VaultError> {
        let wrong =
            || VaultError::Key(format!("expected the public half of a holder's key, which begins with `{PREFIX}`"));
        let (id, bytes) = text.trim().strip_prefix(PREFIX).and_then(|rest| rest.split_once('+')).ok_or_else(wrong)?;
        let bytes = STANDARD.decode(bytes).ok().filter(|bytes| bytes.len() == SECRET_BYTES).ok_or_else(wrong)?;
        Some(HolderKey(bytes)).filter(|key| key.id() == id).ok_or_else(wrong)
    }
}

/// A secret that one holder opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedSecret {
    /// Who opens it, by the id of the key.
    pub holder: String,
    enc: String,
    sealed: String,
}

/// A key in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: String,
    public: String,
    locked: LockedSecret,
}

/// What a private half is locked as: the lock opens no other.
fn locked_as(public: &str) -> Vec<u8> {
    format!("{KIND}\n{public}").into_bytes()
}

/// Both halves of a holder's key. The private one is wiped from memory when it is dropped.
pub struct Holder {
    private: Secret,
    public: HolderKey,
}

impl fmt::Debug for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the private half of the holder's key {}", self.public.id())
    }
}

impl Holder {
    /// A key that nobody has seen.
    ///
    /// # Errors
    ///
    /// When the cryptography fails.
    pub fn random() -> Result<Holder, VaultError> {
        let pair = DH_KEM_X25519_HKDF_SHA256_AES_256.generate_key_pair().map_err(|_| VaultError::Crypto)?;
        let (public, private) = pair;
        let private = private.secret_bytes().try_into().map_err(|_| VaultError::Crypto)?;
        Ok(Holder { private: Zeroizing::new(private), public: HolderKey(public.0) })
    }

    /// Writes the key to a file of its own, locked.
    ///
    /// # Errors
    ///
    /// When what locks it cannot be used, or the file cannot be written.
    pub fn write(&self, path: &Path, lock: &Lock) -> Result<(), VaultError> {
        let public = self.public.to_string();
        let locked = lock.close(self.private.as_ref(), &locked_as(&public)).map_err(VaultError::lock(path))?;
        let written = Written { kind: KIND.to_owned(), public, locked };
        let text = serde_json::to_vec_pretty(&written).map_err(|_| VaultError::Crypto)?;
        whole::write(path, &text).map_err(VaultError::io(path))
    }

    /// The key in a file, unlocked.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is none, or is locked by something else.
    pub fn read(path: &Path, lock: &Lock) -> Result<Holder, VaultError> {
        let text = read_file(path, KEY_BYTES_MAX).map_err(VaultError::io(path))?;
        let wrong = |why: &str| {
            VaultError::Key(format!("`{}`: {why}; expected what `stillwatch vault key` wrote", path.display()))
        };
        let written: Written = serde_json::from_slice(&text).map_err(|error| wrong(&error.to_string()))?;
        if written.kind != KIND {
            return Err(wrong("it is another kind of key"));
        }
        let public: HolderKey = written.public.parse()?;
        let private = lock.open(&written.locked, &locked_as(&written.public)).map_err(VaultError::lock(path))?;
        let private = private.as_slice().try_into().map(Zeroizing::new).map_err(|_| wrong("it has another length"))?;
        let holder = Holder { private, public };
        // A key that opens what the public half seals is its private half.
        let probe = holder.public.seal(&holder.private, b"probe")?;
        holder.open(&probe, b"probe").map_err(|_| wrong("its halves do not belong together"))?;
        Ok(holder)
    }

    /// The half that everybody may know.
    #[must_use]
    pub fn public(&self) -> &HolderKey {
        &self.public
    }

    /// The secret that was sealed for this key, as what it is `bound` to.
    ///
    /// # Errors
    ///
    /// When it was sealed for another key or as something else, or was changed.
    pub fn open(&self, sealed: &SealedSecret, bound: &[u8]) -> Result<Secret, VaultError> {
        let opened = || {
            let enc = EncapsulatedSecret(STANDARD.decode(&sealed.enc).ok()?);
            let bytes = STANDARD.decode(&sealed.sealed).ok()?;
            let private = HpkePrivateKey::from(self.private.to_vec());
            let opened = DH_KEM_X25519_HKDF_SHA256_AES_256.open(&enc, INFO, bound, &bytes, &private).ok()?;
            Zeroizing::new(opened).as_slice().try_into().ok().map(Zeroizing::new)
        };
        opened()
            .ok_or_else(|| VaultError::Refused(format!("{self:?} does not open what was sealed for {}", sealed.holder)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shares::random;

    #[test]
    fn a_secret_is_opened_by_its_holder_as_what_it_is() {
        let (ann, bob, secret) = (Holder::random().unwrap(), Holder::random().unwrap(), random().unwrap());
        let sealed = ann.public().seal(&secret, b"share 1").unwrap();
        assert_eq!(*ann.open(&sealed, b"share 1").unwrap(), *secret);
        assert!(ann.open(&sealed, b"share 2").is_err() && bob.open(&sealed, b"share 1").is_err());
        let other = ann.public().seal(&secret, b"share 1").unwrap();
        let mixed = SealedSecret { enc: other.enc, ..sealed };
        assert!(ann.open(&mixed, b"share 1").is_err());
    }

    #[test]
    fn a_key_in_a_file_opens_by_its_lock_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ann.key");
        let holder = Holder::random().unwrap();
        let lock = |words: &str| Lock::Passphrase(Zeroizing::new(words.to_owned()));
        holder.write(&path, &lock("words of ann")).unwrap();
        assert_eq!(*Holder::read(&path, &lock("words of ann")).unwrap().private, *holder.private);
        assert!(Holder::read(&path, &lock("words of bob")).is_err());
        let text = std::fs::read_to_string(&path).unwrap();
        let other = Holder::random().unwrap().public().to_string();
        std::fs::write(&path, text.replace(&holder.public().to_string(), &other)).unwrap();
        assert!(Holder::read(&path, &lock("words of ann")).is_err(), "another public half");
        let filled = |bytes: usize| std::fs::write(&path, format!("{text}{}", " ".repeat(bytes - text.len()))).unwrap();
        filled(KEY_BYTES_MAX);
        assert!(Holder::read(&path, &lock("words of ann")).is_ok());
        filled(KEY_BYTES_MAX + 1);
        assert!(Holder::read(&path, &lock("words of ann")).is_err());
    }

    #[test]
    fn public_halves_are_read_as_they_are_written() {
        let key = Holder::random().unwrap().public().clone();
        assert_eq!(key.to_string().parse::<HolderKey>().unwrap(), key);
        let other = Holder::random().unwrap().public().to_string();
        let (_, bytes) = other.rsplit_once('+').unwrap();
        for odd in ["", "stillwatch-holder+", &format!("{PREFIX}{}+{bytes}", key.id()), &other[1..]] {
            assert!(odd.parse::<HolderKey>().is_err(), "{odd}");
        }
    }
}
