//! The streaming detection engine: families, hypotheses, tests, campaigns.
//!
//! Promises the same findings for the same records in the same order, in bounded state ([`limits`]). Refuses to read a
//! clock, to do IO, to ban on a score: it writes facts. An exchange goes through [`Engine::observe`]: its shared shingles
//! make and find families ([`family`]); a family that enough payers are devoted to becomes a [`hypothesis`], frozen at τ;
//! later records are weighed as [`evidence`] against the other groups of this deployment ([`calibrate`]); [`decision`] says
//! what must come together; and [`Engine::finish`] writes the [`Findings`].

pub mod account;
pub mod calibrate;
mod campaign;
mod comeback;
mod community;
pub mod conduct;
mod cover;
pub mod decision;
pub mod dense;
pub mod depth;
pub mod direction;
pub mod engine;
pub mod evalue;
pub mod evidence;
pub mod family;
pub mod finding;
pub mod group;
pub mod hypothesis;
pub mod kin;
pub mod label;
pub mod likeness;
pub mod limits;
pub mod number;
pub mod output;
mod portrait;
pub mod shingle;
mod skeleton;
mod spend;
pub mod timeline;
pub mod told;
pub mod trace;
pub mod value;

pub use engine::{Config, Engine};
pub use finding::Findings;
pub use label::Labels;
pub use trace::{Recount, Trace};
