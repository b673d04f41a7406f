//! Labelled model traffic with campaigns in it, and the harness that scores a hunt.
//!
//! [`simulate()`] writes what a [`Scenario`] describes: exchanges, account facts and labels. The same scenario, seed and
//! corpora give the same bytes on every machine. It refuses scenarios over its [`limits`], and nothing that it writes
//! but the labels tells who is who: everything that is not behaviour comes from the same code for everybody.

mod arrival;
mod asked;
mod corpora;
mod draw;
mod error;
pub mod evaluate;
pub mod fields;
pub mod frontier;
pub mod limits;
mod network;
mod plan;
mod render;
mod role;
pub mod scenario;
mod script;
mod simulate;
mod text;
pub mod worlds;

pub use error::SimulateError;
pub use role::Role;
pub use scenario::{BadScenario, Campaign, Scenario, World, WorldKind};
pub use simulate::{Compression, Output, Summary, simulate, simulate_into};
