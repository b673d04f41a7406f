//! What is to be simulated: who is there, who attacks, and every knob of the attack.
//!
//! Promises that a scenario is plain data: the same scenario and seed give the same files. [`Scenario::check`] refuses
//! what is over [`limits`](crate::limits) or makes no sense, naming the knob. [`Scenario::by_name`] knows the presets of
//! [`Scenario::NAMES`].

mod campaign;
mod knobs;
mod presets;
mod range;
mod whole;
mod worlds;

pub use campaign::{Balance, BanTime, Bans, Campaign, Encoding, Harvest, Language, Schedule, SignUp, Stack, WordedBy};
pub use knobs::BadKnob;
pub use range::BadScenario;
pub use whole::{Crowd, Preamble, Scenario};
pub use worlds::{World, WorldKind};
