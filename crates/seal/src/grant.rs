//! The key file: the public half of an evidence key, and who may use its private half for what.
//!
//! Promises that a grant gives the private half only to whoever holds its lock, and only as the name and for the purposes that it was made
//! with: the lock is bound to both, so that neither can be changed by whoever can write the file. Whoever got the private half once could keep it:
//! what purposes there are is a rule for those who keep it, not a lock.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use store::bounded::read_file;
use store::whole;

use crate::error::SealError;
use crate::evidence::{EvidenceKey, PublicKey};
use crate::limits::{GRANTS_MAX, KEY_FILE_BYTES_MAX, RETIRED_MAX, WORD_BYTES_MAX};
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
    /// The current public half first, then the retired ones.
    publics: Vec<PublicKey>,
    grants: Vec<Grant>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: String,
    public: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    retired: Vec<String>,
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
        let mut file = KeyFile { publics: key.publics(), grants: Vec::new() };
        file.grant(key, name, purposes, lock)?;
        Ok(file)
    }

    /// Lets somebody use the private half, or what they may use it for be something else.
    ///
    /// # Errors
    ///
    /// When it cannot be granted.
    pub fn grant(&mut self, key: &EvidenceKey, name: &str, purposes: &[String], lock: &Lock) -> Result<(), SealError> {
        if key.publics() != self.publics {
            return Err(SealError::Refused("the key is not that of this file".to_owned()));
        }
        if !is_word(name) || purposes.is_empty() || !purposes.iter().all(|purpose| is_word(purpose)) {
            let expected = "expected a name and purposes of up to 64 letters, digits and `._-@`";
            return Err(SealError::Refused(expected.to_owned()));
        }
        let others = self.grants.iter().filter(|grant| grant.name != name).count();
        if others >= GRANTS_MAX {
            return Err(SealError::Refused(format!("there are {GRANTS_MAX} grants; expected at most as many")));
        }
        let locked = lock.close(&key.private(), &bound(&self.publics, name, purposes))?;
        let grant = Grant { name: name.to_owned(), purposes: purposes.to_vec(), locked };
        let others = self.grants.iter().filter(|grant| grant.name != name).cloned();
        self.put(others.chain([grant]).collect())
    }

    /// Takes a grant away. Whoever kept the private half can use it still: rotate it.
    ///
    /// # Errors
    ///
    /// When there is none of that name, or nobody could grant any more.
    pub fn revoke(&mut self, name: &str) -> Result<(), SealError> {
        if self.grants.iter().all(|grant| grant.name != name) {
            return Err(self.nothing(name));
        }
        self.put(self.grants.iter().filter(|grant| grant.name != name).cloned().collect())
    }

    /// Puts these grants in the place of those that there are.
    fn put(&mut self, grants: Vec<Grant>) -> Result<(), SealError> {
        if !grants.iter().any(|grant| grant.purposes.iter().any(|purpose| purpose == ADMINISTRATION)) {
            let reason =
                format!("nobody would have the purpose `{ADMINISTRATION}`, and nothing could be granted any more");
            return Err(SealError::Refused(format!("{reason}; grant it to somebody else first")));
        }
        self.grants = grants;
        Ok(())
    }

    fn nothing(&self, name: &str) -> SealError {
        let names: Vec<&str> = self.grants.iter().map(|grant| grant.name.as_str()).collect();
        SealError::Refused(format!("nothing is granted to `{name}`; granted is to {}", names.join(", ")))
    }

    /// The private half, as somebody for a purpose.
    ///
    /// # Errors
    ///
    /// When it is not granted.
    pub fn open(&self, name: &str, purpose: &str, lock: &Lock) -> Result<Granted, SealError> {
        let grant = self.grants.iter().find(|grant| grant.name == name).ok_or_else(|| self.nothing(name))?;
        if !grant.purposes.iter().any(|granted| granted == purpose) {
            let granted = grant.purposes.join(", ");
            return Err(SealError::Refused(format!("`{purpose}` is not granted to `{name}`; granted is {granted}")));
        }
        let private = lock.open(&grant.locked, &bound(&self.publics, name, &grant.purposes))?;
        let key = EvidenceKey::of(&private, &self.publics)?;
        Ok(Granted { key, name: name.to_owned(), purpose: purpose.to_owned() })
    }

    /// Who may use the private half for what.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// Takes the lock of a file, for whoever changes it: held until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// When another process holds it for too long.
    pub fn lock(path: &Path) -> Result<std::fs::File, SealError> {
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        store::lock::exclusive(Path::new(&lock)).map_err(|source| SealError::Failed { path: path.to_owned(), source })
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is no key file.
    pub fn read(path: &Path) -> Result<KeyFile, SealError> {
        let malformed = |reason: String| SealError::Malformed { path: path.to_owned(), reason };
        let bytes = read_file(path, KEY_FILE_BYTES_MAX)
            .map_err(|source| SealError::Failed { path: path.to_owned(), source })?;
        let expected =
            |why: String| malformed(format!("{why}; expected the key file that `stillwatch seal key` wrote"));
        let written: Written = serde_json::from_slice(&bytes).map_err(|error| expected(error.to_string()))?;
        if written.kind != KIND || written.grants.len() > GRANTS_MAX {
            return Err(expected(format!("`{}` with {} grants", written.kind, written.grants.len())));
        }
        let publics = [&written.public].into_iter().chain(&written.retired);
        let publics = publics.map(|public| public.parse()).collect::<Result<Vec<PublicKey>, _>>();
        let publics = publics.map_err(|error| malformed(error.to_string()))?;
        let names: BTreeSet<&str> = written.grants.iter().map(|grant| grant.name.as_str()).collect();
        let words = |grant: &Grant| is_word(&grant.name) && grant.purposes.iter().all(|purpose| is_word(purpose));
        if publics.len() > RETIRED_MAX + 1 || names.len() < written.grants.len() || !written.grants.iter().all(words) {
            return Err(expected("names, purposes or retired keys that none has".to_owned()));
        }
        Ok(KeyFile { publics, grants: written.grants })
    }

    /// Writes it, readable for the owner only.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), SealError> {
        let mut publics = self.publics.iter().map(PublicKey::to_string);
        let written = Written {
            kind: KIND.to_owned(),
            public: publics.next().unwrap_or_default(),
            retired: publics.collect(),
            grants: self.grants.clone(),
        };
        let failed = |source: io::Error| SealError::Failed { path: path.to_owned(), source };
        let mut text = serde_json::to_vec_pretty(&written).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        whole::write(path, &text).map_err(failed)
    }
}

/// Whether somebody or a purpose can be called so.
fn is_word(word: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    (1..=WORD_BYTES_MAX).contains(&word.len()) && word.bytes().all(is_fine)
}

/// What a grant's lock is bound to. None of these words has a line break.
fn bound(publics: &[PublicKey], name: &str, purposes: &[String]) -> Vec<u8> {
    let publics: String = publics.iter().map(|public| format!("{public}\n")).collect();
    format!("{publics}\n{name}\n{}", purposes.join("\n")).into_bytes()
}
