//! The key file: the public half of an evidence key, and who may use its private half for what.
//!
//! Promises that a grant gives the private half only to whoever holds its lock, and only as the name and for the purposes that it was made
//! with: the lock is bound to both, so that neither can be changed by whoever can write the file. Whoever got the private half once could keep it:
//! what purposes there are is a rule for those who keep it, not a lock.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use store::whole;
use verify::tiles::read_bounded;

use crate::error::SealError;
use crate::evidence::{EvidenceKey, PublicKey};
use crate::limits::{GRANTS_MAX, KEY_FILE_BYTES_MAX, WORD_BYTES_MAX};
use crate::lock::{Lock, Locked};

const KIND: &str = "stillwatch evidence key 1";
/// The purpose of whoever grants, rotates and erases.
pub const ADMINISTRATION: &str = "administration";

/// Who may use the private half, for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Who.
    pub name: String,
    /// For what, in small letters.
    pub purposes: Vec<String>,
    locked: Locked,
}

/// A key file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    public: PublicKey,
    grants: Vec<Grant>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: String,
    public: String,
    grants: Vec<Grant>,
}

/// The private half, as it was granted.
#[derive(Debug)]
pub struct Granted {
    /// The private half.
    pub key: EvidenceKey,
    /// To whom.
    pub name: String,
    /// For what.
    pub purpose: String,
}

impl KeyFile {
    /// One for a new evidence key, with its first grant.
    ///
    /// # Errors
    ///
    /// When the grant cannot be made.
    pub fn new(key: &EvidenceKey, name: &str, purposes: &[String], lock: &Lock) -> Result<KeyFile, SealError> {
        let mut file = KeyFile { public: key.public().clone(), grants: Vec::new() };
        file.grant(key, name, purposes, lock)?;
        Ok(file)
    }

    /// Lets somebody use the private half, or what they may use it for be something else.
    ///
    /// # Errors
    ///
    /// When it cannot be granted.
    pub fn grant(&mut self, key: &EvidenceKey, name: &str, purposes: &[String], lock: &Lock) -> Result<(), SealError> {
        if key.public() != &self.public {
            return Err(SealError::Refused("the key is not that of this file".to_owned()));
        }
        let is_word = |word: &str| {
            (1..=WORD_BYTES_MAX).contains(&word.len())
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte))
        };
        if !is_word(name) || purposes.is_empty() || !purposes.iter().all(|purpose| is_word(purpose)) {
            let expected = "expected a name and purposes of up to 64 letters, digits and `._-@`";
            return Err(SealError::Refused(expected.to_owned()));
        }
        let others = self.grants.iter().filter(|grant| grant.name != name).count();
        if others >= GRANTS_MAX {
            return Err(SealError::Refused(format!("there are {GRANTS_MAX} grants; expected at most as many")));
        }
        let locked = lock.close(key.private(), &bound(&self.public, name, purposes))?;
        self.grants.retain(|grant| grant.name != name);
        self.grants.push(Grant { name: name.to_owned(), purposes: purposes.to_vec(), locked });
        Ok(())
    }

    /// Takes a grant away; whether there was one. Whoever kept the private half can use it still: rotate it.
    pub fn revoke(&mut self, name: &str) -> bool {
        let before = self.grants.len();
        self.grants.retain(|grant| grant.name != name);
        self.grants.len() < before
    }

    /// The private half, as somebody for a purpose.
    ///
    /// # Errors
    ///
    /// When it is not granted.
    pub fn open(&self, name: &str, purpose: &str, lock: &Lock) -> Result<Granted, SealError> {
        let grant = self.grants.iter().find(|grant| grant.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.grants.iter().map(|grant| grant.name.as_str()).collect();
            SealError::Refused(format!("nothing is granted to `{name}`; granted is to {}", names.join(", ")))
        })?;
        if !grant.purposes.iter().any(|granted| granted == purpose) {
            let granted = grant.purposes.join(", ");
            return Err(SealError::Refused(format!("`{purpose}` is not granted to `{name}`; granted is {granted}")));
        }
        let private = lock.open(&grant.locked, &bound(&self.public, name, &grant.purposes))?;
        let key = EvidenceKey::of(private, &self.public)?;
        Ok(Granted { key, name: name.to_owned(), purpose: purpose.to_owned() })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Who may use the private half for what.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is no key file.
    pub fn read(path: &Path) -> Result<KeyFile, SealError> {
        let malformed = |reason: String| SealError::Malformed { path: path.to_owned(), reason };
        let bytes = std::fs::File::open(path).and_then(|file| read_bounded(file, KEY_FILE_BYTES_MAX));
        let bytes = bytes.map_err(|source| SealError::Failed { path: path.to_owned(), source })?;
        let expected =
            |why: String| malformed(format!("{why}; expected the key file that `stillwatch seal key` wrote"));
        let written: Written = serde_json::from_slice(&bytes).map_err(|error| expected(error.to_string()))?;
        if written.kind != KIND || written.grants.len() > GRANTS_MAX {
            return Err(expected(format!("`{}` with {} grants", written.kind, written.grants.len())));
        }
        let public = written.public.parse().map_err(|error: SealError| malformed(error.to_string()))?;
        Ok(KeyFile { public, grants: written.grants })
    }

    /// Writes it, readable for the owner only.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), SealError> {
        let written = Written { kind: KIND.to_owned(), public: self.public.to_string(), grants: self.grants.clone() };
        let failed = |source: io::Error| SealError::Failed { path: path.to_owned(), source };
        let mut text = serde_json::to_vec_pretty(&written).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        whole::write(path, &text).map_err(failed)
    }
}

/// What a grant's lock is bound to.
fn bound(public: &PublicKey, name: &str, purposes: &[String]) -> Vec<u8> {
    // None of these words has a line break.
    format!("{public}\n{name}\n{}", purposes.join("\n")).into_bytes()
}
