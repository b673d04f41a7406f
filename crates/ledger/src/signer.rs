//! The key that a ledger signs with.
//!
//! Promises that the private half is never shown but by [`SigningKey::to_text`], and is wiped from memory when it is dropped. As text it is what
//! other tools for signed notes write: `PRIVATE+KEY+NAME+ID+BASE64`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use store::whole::sync_folder;
use verify::hash::to_hex;
use verify::note::{Scheme, VerifierKey};
use zeroize::Zeroizing;

const PREFIX: &str = "PRIVATE+KEY+";
const ED25519: u8 = 1;
const SEED_BYTES: usize = 32;

/// A key that signs.
pub struct SigningKey {
    seed: Zeroizing<[u8; SEED_BYTES]>,
    pair: Ed25519KeyPair,
    public: VerifierKey,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "the key `{}`", self.public.name())
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It cannot be read or written.
    #[error("{path}: cannot be read or written")]
    Failed {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{path}: not a key of a ledger; expected one line that begins with `{PREFIX}`")]
    NotAKey {
        /// Which file.
        path: PathBuf,
    },
    /// A key cannot have this name.
    #[error(
        "`{0}` cannot name a ledger; expected up to 255 letters, digits and `./_:-`, such as `evidence.example.com/2026`"
    )]
    Name(String),
}

impl SigningKey {
    /// A key by its name and 32 random bytes.
    ///
    /// # Errors
    ///
    /// When the name cannot be one.
    pub fn new(name: &str, seed: [u8; SEED_BYTES]) -> Result<SigningKey, KeyError> {
        let seed = Zeroizing::new(seed);
        let wrong = || KeyError::Name(name.to_owned());
        // Names are shown to people, and written into commands.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./_:-".contains(&byte);
        if !name.bytes().all(is_plain) {
            return Err(wrong());
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|_| wrong())?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| wrong())?;
        let public = VerifierKey::new(name, Scheme::Ed25519, &public).map_err(|_| wrong())?;
        Ok(SigningKey { seed, pair, public })
    }

    /// The key that a text says.
    fn parse(text: &str) -> Option<SigningKey> {
        let mut parts = text.trim_end_matches(['\r', '\n']).strip_prefix(PREFIX)?.splitn(3, '+');
        let (name, id, material) = (parts.next()?, parts.next()?, parts.next()?);
        let material = Zeroizing::new(STANDARD.decode(material).ok()?);
        let (&ED25519, seed) = material.split_first()? else { return None };
        let key = SigningKey::new(name, seed.try_into().ok()?).ok()?;
        (id == to_hex(&key.public.id())).then_some(key)
    }

    /// As text.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let material = Zeroizing::new([&[ED25519], self.seed.as_slice()].concat());
        let id = to_hex(&self.public.id());
        Zeroizing::new(format!("{PREFIX}{}+{id}+{}", self.public.name(), STANDARD.encode(&*material)))
    }

    /// Reads the key of a file.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn read(path: &Path) -> Result<SigningKey, KeyError> {
        let text = fs::read_to_string(path).map(Zeroizing::new);
        let text = text.map_err(|source| KeyError::Failed { path: path.to_owned(), source })?;
        SigningKey::parse(&text).ok_or_else(|| KeyError::NotAKey { path: path.to_owned() })
    }

    /// Writes it to a file that is not there yet, which only its owner may read.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or there is such a file.
    pub fn write(&self, path: &Path) -> Result<(), KeyError> {
        let written = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(self.to_text().as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            sync_folder(path)
        };
        written().map_err(|source| KeyError::Failed { path: path.to_owned(), source })
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> &VerifierKey {
        &self.public
    }

    /// A note with its signature.
    pub(crate) fn note(&self, text: &str) -> String {
        let signature = self.pair.sign(text.as_bytes());
        format!("{text}\n{}", verify::note::line(&self.public, signature.as_ref()))
    }
}
