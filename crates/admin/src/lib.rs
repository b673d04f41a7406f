//! Management of a running gateway: who there is ([`registry`]), and the HTTP API by which that is changed ([`api`]).
//!
//! Promises that a change is on disk before anybody hears of it, that the gate knows it within the same call (or within
//! [`limits::REFRESH_TIME`], where another process made it), and that nothing is changed or told without the admin
//! credential. Secrets are shown once, in the reply that made them. Everything is bounded ([`limits`]).

mod answer;
pub mod api;
mod appeals;
mod context;
mod detection;
mod health;
pub mod journal;
mod kind;
pub mod limits;
pub mod registry;
mod responses;

pub use api::serve;
pub use context::{Admin, Counted, source};
pub use registry::Registry;
