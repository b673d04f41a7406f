//! The record of one exchange with a model API, and readers for every format such records arrive in.
//!
//! This crate promises that whatever can be read is read: a line that is not a record is counted and reported with its
//! file, line and reason, and never ends a run. It refuses records over [`limits::RECORD_BYTES_MAX`] and times far in
//! the future. It does no IO of its own beyond reading what it is handed, and knows nothing of detection.

pub mod account;
pub mod limits;
pub mod record;
pub mod time;

pub use account::AccountFact;
pub use record::{
    AccountId, Assurance, Client, Content, EndUserId, Exchange, ExchangeId, KeyId, Message, Network, Operation, OrgId, Params,
    Part, Request, Response, Role, SessionId, Tool, Usage,
};
pub use time::Time;
