//! Seals what people wrote: each record by a key of its own, which follows from a key of its account for a day.
//!
//! Promises that whoever seals cannot read what was sealed before it started: account keys lie on disk only wrapped for the holder of the
//! evidence key ([`EvidenceKey`]), of which a sealing machine has the public half. Promises that an account is erased, and a day forgotten,
//! by destroying its keys ([`Keys`]); whatever copies of the records there are stay closed from then on. Everything is bounded ([`limits`]).
//!
//! [`account`] are the keys of accounts, [`evidence`] the pair that they are wrapped for, [`grant`] who may use its private half for what, and
//! [`lock`] and [`token`] what that is locked by; [`keys`] keeps wrapped keys by day, and [`sealer`] is used while records are written.

pub mod account;
pub mod error;
pub mod evidence;
pub mod grant;
pub mod keys;
pub mod limits;
pub mod lock;
pub mod sealer;
pub mod token;

pub use account::{AccountKey, Day};
pub use error::SealError;
pub use evidence::{EvidenceKey, PublicKey};
pub use grant::{Grant, KeyFile};
pub use keys::Keys;
pub use lock::Lock;
pub use sealer::Sealer;
pub use token::Token;
