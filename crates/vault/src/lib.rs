//! The vault: what the weights of a model consist of, and who vouches for that.
//!
//! Promises that a signature says something only once it holds ([`Signed`]), that nothing outside a model counts as a part of it, and that a link, a
//! device or a file that changes while it is read is refused and not passed over. Everything is bounded ([`limits`]).
//!
//! [`locked`] keeps models encrypted, with keys that [`shares`] divides among [`holder`]s; `memory` has their files for programs, on Linux.
//!
//! [`register`] has every place that holds a model, and tells what became of it.
//!
//! [`files`] says which files a model has, [`formats`] what they are, [`digest`] hashes them, [`manifest`] is what comes of that, and [`signature`] and [`key`] sign and check it.

pub mod digest;
pub mod error;
pub mod files;
pub mod formats;
pub mod holder;
pub mod key;
pub mod limits;
pub mod locked;
pub mod manifest;
#[cfg(target_os = "linux")]
pub mod memory;
pub mod name;
pub mod register;
pub mod shares;
pub mod signature;

pub use digest::{Algorithm, Digest, Progress};
pub use error::VaultError;
pub use formats::Format;
pub use holder::{Holder, HolderKey};
pub use key::{FileKey, PublicKey, Signs, TokenKey};
pub use locked::{Head, Locked, Release};
pub use manifest::{Difference, Manifest, Method};
pub use name::Name;
pub use register::{Content, Copy, Register, Searched, State};
pub use signature::{Signed, sign};
