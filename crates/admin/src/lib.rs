//! Management of a running gateway: who there is ([`registry`]), and the HTTP API by which that is changed ([`api`]).
//!
//! Promises that a change is on disk before anybody hears of it, that the gate knows it within the same call (or within
//! [`limits::REFRESH_TIME`], where another process made it), and that nothing is changed or told without the admin
//! credential. Secrets are shown once, in the reply that made them. Everything is bounded ([`limits`]).

mod accounts;
pub mod answer;
pub mod api;
mod appeals;
pub mod case;
pub mod cases;
mod context;
mod detection;
mod endpoint;
mod health;
pub mod journal;
mod keys;
mod kind;
pub mod limits;
pub mod openapi;
pub mod order;
mod people;
pub mod person;
mod policies;
mod quotas;
pub mod registry;
pub mod responses;
pub mod schedule;
mod types;
pub mod version;

pub use answer::Problem;
pub use api::{endpoints, router};
pub use context::{Admin, Counted, source};
pub use endpoint::Endpoint;
pub use health::ready;
pub use registry::Registry;
