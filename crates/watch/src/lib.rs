//! Detection beside a running gateway.
//!
//! Promises to slow no request: a [`Watcher`] follows the recorded files from a position of its own, in a thread of its own, and whatever
//! it is behind is told ([`Status`]) and made up for later. Promises that a restart changes nothing: what was found is a function of
//! what was recorded, so a checkpoint and the rest of the record come to what the whole record comes to. Refuses to act: it tells how everybody
//! stands ([`Board`]), and policy decides what follows.
//!
//! [`Follower`] reads the folder, [`facts`] what is said meanwhile, [`Detector`] puts lines into the engine and asks how things stand,
//! [`checkpoint`] writes down both, [`past`] how campaigns were last known, and [`Watcher`] is the thread that runs them. [`logs`] reads what others than the gateway write, [`labels`] what people said of findings.

pub mod board;
pub mod checkpoint;
pub mod detector;
pub mod facts;
pub mod follower;
pub mod labels;
pub mod limits;
pub mod logs;
pub mod past;
pub mod watcher;

pub use board::{Board, Campaign, Member};
pub use detector::{Detector, Settings};
pub use follower::{Follower, Position};
pub use past::{LastKnown, Past};
pub use watcher::{Setup, Status, Watched, Watcher};
