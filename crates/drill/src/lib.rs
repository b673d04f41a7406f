//! Exercises for those who respond to campaigns: a campaign runs against a staging instance, injects arrive while it does, and it is measured what the
//! team does and when.
//!
//! An [`Exercise`] says what traffic runs and what arrives when. A [`Run`] is handed everything that happens, in the order of time, and says what arrives
//! next; at its end stands a [`Report`]. Nothing here reads a clock, a file or a network.

pub mod exercise;
pub mod limits;
pub mod look;
pub mod moment;
pub mod report;
pub mod run;
pub mod shipped;
pub mod traffic;

pub use exercise::{Difficulty, Exercise};
pub use report::Report;
pub use run::Run;
