//! What goes wrong with the files of a model, and with signatures of them.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why something was not done.
#[derive(Debug, Error)]
pub enum VaultError {
    /// A file or folder cannot be used.
    #[error("`{path}`: {source}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file or folder is not one that a model has.
    #[error("`{path}`: {why}", path = path.display())]
    Model {
        /// Which.
        path: PathBuf,
        /// What it is, and what was expected.
        why: String,
    },
    /// It is no signature that this program knows.
    #[error("this is no signature of a model: {0}")]
    NotASignature(String),
    /// A signature does not hold.
    #[error("the signature does not hold: {0}")]
    DoesNotHold(String),
    /// A key cannot be used.
    #[error("the key cannot be used: {0}")]
    Key(String),
    /// What locks a key does not open it, or cannot be used.
    #[error("`{path}`", path = path.display())]
    Lock {
        /// The key file.
        path: PathBuf,
        /// Why.
        source: seal::SealError,
    },
    /// It may not be, or cannot be, done.
    #[error("{0}")]
    Refused(String),
    /// The cryptography failed.
    #[error("the cryptography failed")]
    Crypto,
}

impl VaultError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> VaultError {
        let path = path.to_owned();
        move |source| VaultError::Io { path, source }
    }

    pub(crate) fn lock(path: &Path) -> impl FnOnce(seal::SealError) -> VaultError {
        let path = path.to_owned();
        move |source| VaultError::Lock { path, source }
    }

    pub(crate) fn model(path: &Path, why: impl Into<String>) -> VaultError {
        VaultError::Model { path: path.to_owned(), why: why.into() }
    }
}
