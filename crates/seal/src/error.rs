//! Why something cannot be sealed or opened.

use std::io;
use std::path::PathBuf;

/// Why something cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A file cannot be read or written.
    #[error("{path}: cannot be read or written")]
    Failed {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{path}: {reason}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A text is no public key.
    #[error("not an evidence key; expected one line that begins with `stillwatch-evidence+`")]
    NotAKey,
    /// The machine gives no random bytes.
    #[error("the machine gives no random bytes")]
    NoRandom,
    /// The cryptography failed.
    #[error("the cryptography failed")]
    Crypto,
    /// A wrapped key opens by another evidence key, or was changed.
    #[error("the key `{key}` was wrapped for the evidence key {by}, which is not in the key file, or was changed")]
    NotOurs {
        /// Which.
        key: String,
        /// For whom it says that it was wrapped.
        by: String,
    },
    /// Nothing opens a private key.
    #[error("{0}")]
    Locked(String),
    /// Something is not allowed.
    #[error("{0}")]
    Refused(String),
}
