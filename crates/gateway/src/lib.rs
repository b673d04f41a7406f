//! The inline proxy: knows who is asking, forwards what their credential allows, and hands over what went by.
//!
//! Promises that nothing forbidden passes and that handing over never makes a request wait. Refuses whatever it does
//! not understand: paths, bodies, credentials. What passes is passed as it is, byte for byte, unless something is held
//! back. Everything is bounded ([`limits`]). A request's way is in [`proxy`], top to bottom.

pub mod admission;
pub mod alerts;
pub mod ask;
mod batch;
pub mod clock;
pub mod config;
pub mod encoding;
pub mod environment;
mod fields;
pub mod flight;
mod form;
pub mod freshness;
pub mod gate;
mod headers;
pub mod health;
pub mod identity;
pub mod lake;
pub mod ledger;
pub mod limits;
pub mod mock;
pub mod outward;
pub mod owners;
pub mod proxy;
pub mod record;
pub mod recorder;
mod references;
pub mod refuse;
pub mod relay;
pub mod route;
pub mod sealing;
pub mod sensors;
pub mod server;
pub mod shield;
pub mod sign_in;
mod stats;
mod stored;
mod thoughts;
pub mod tls;
pub mod trust;
pub mod upstream;
mod usage;
mod values;
pub mod worker;
