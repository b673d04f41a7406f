//! Who is asking, and what they may: accounts, organisations, and the credentials that stand for them; policies and the
//! permits made of them; quotas.
//!
//! Promises one answer for one question: nothing here does IO, reads a clock or draws a random number; time and
//! randomness are handed in. Refuses to fail open: whatever cannot be decided is nobody. Every table and length is
//! bounded ([`limits`]).

pub mod account;
pub mod action;
pub mod amount;
pub mod appeal;
pub mod comparison;
pub mod directory;
pub mod id;
pub mod key;
pub mod limits;
pub mod network;
pub mod permit;
pub mod policies;
pub mod price;
pub mod proof;
pub mod quota;
pub mod response;
pub mod suspicion;
pub mod token;
pub mod who;

pub use account::{Account, Organisation, Programme, Status, Tier};
pub use action::{Action, Actions};
pub use id::{AccountId, AppealId, BadId, KeyId, OrganisationId, PaymentGroup, ResponseId};
pub use key::{Binding, Key, KeyHash, Scope};
pub use permit::Permit;
pub use policies::Policies;
pub use response::{Response, Responses, Rung};
pub use suspicion::Suspicion;
