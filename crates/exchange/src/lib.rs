//! The record of one exchange with a model API, and readers for every format such records arrive in.
//!
//! This crate promises that whatever can be read is read: a line that is not a record is counted and reported with its
//! file, line and reason, and never ends a run. It refuses records over [`limits::RECORD_BYTES_MAX`] and times far in
//! the future. It does no IO of its own beyond reading what it is handed, and knows nothing of detection.
//!
//! A [`Source`] cuts bytes into [`Chunk`]s, [`parse_chunk`] reads a chunk's [`Exchange`]s, and a [`ReadReport`] says what
//! could not be read. [`read`] reads a single text. A [`Joiner`] makes one exchange of the records of one call.
//!
//! ```
//! let line = r#"{"time": 1780000000, "account": "a", "request": {"messages": "What is a warp?"}}"#;
//! let mut notes = exchange::Notes::default();
//! let mut accounts = Vec::new();
//! exchange::read_exchanges(line, &mut notes, &mut |exchange| accounts.push(exchange.account.as_str().to_owned()))?;
//! assert_eq!(accounts, ["a"]);
//! # Ok::<(), exchange::BadRecord>(())
//! ```

pub mod account;
mod address;
mod bad;
mod body;
mod call;
mod census;
mod content;
mod envelope;
mod fields;
mod format;
mod join;
mod json;
pub mod limits;
mod mapped;
mod mapping;
mod mend;
mod objects;
mod options;
mod owned;
mod place;
mod position;
mod reader;
mod recognise;
pub mod record;
mod report;
mod route;
mod seam;
mod secret;
mod source;
mod span;
mod table;
pub mod time;
mod typed;
mod wrapper;
mod write;

pub mod anthropic;
pub mod native;
pub mod openai;

pub use account::{AccountFact, read_account};
pub use bad::{BadRecord, Damage, Notes, Remark, Warning};
pub use call::{Call, Who};
pub use census::{Census, Field};
pub use format::{Format, SourceId, UnknownFormat};
pub use join::{CallKey, Joiner};
pub use options::{KnownAccount, KnownAccounts, Named, OrgsNamed, ReadOptions};
pub use place::{Half, Side, Span};
pub use position::Position;
pub use reader::{read, read_exchanges};
pub use record::{
    AccountId, Assurance, Client, Content, EndUserId, Exchange, ExchangeId, Fingerprint, KeyId, Message, Network,
    Operation, OrgId, Params, Part, Request, Response, Role, SessionId, Tool, Usage,
};
pub use report::{BadLine, ReadReport, Tally, first_time, parse_accounts, parse_chunk};
pub use source::{Chunk, Glance, Progress, Source, SourceError};
pub use time::Time;
pub use write::{write_account, write_native};
