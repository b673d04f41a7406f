//! What outlives the process, as JSON: what was told to each destination, and what waits for it.
//!
//! Promises that whoever reads a file of another version or a damaged one is told so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::planner;
use crate::queue::Waiting;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// What is known of one destination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Destination {
    /// What was told.
    pub told: planner::Kept,
    /// What was to be told and is not delivered.
    pub waiting: Vec<Waiting>,
}

/// All of it, by the names of the destinations.
pub type Destinations = BTreeMap<String, Destination>;

#[derive(Serialize, Deserialize)]
struct File<D> {
    version: u32,
    destinations: D,
}

/// Why what was kept cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unread {
    /// It is no JSON, or not what it should be.
    #[error(transparent)]
    Wrong(#[from] serde_json::Error),
    /// Another version wrote it.
    #[error("version {0}, expected {VERSION}")]
    Version(u32),
}

/// It as bytes.
///
/// # Errors
///
/// When a number in it is none.
pub fn write(destinations: &Destinations) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&File { version: VERSION, destinations })
}

/// It from bytes.
///
/// # Errors
///
/// When they are something else.
pub fn read(bytes: &[u8]) -> Result<Destinations, Unread> {
    let file: File<Destinations> = serde_json::from_slice(bytes)?;
    if file.version == VERSION { Ok(file.destinations) } else { Err(Unread::Version(file.version)) }
}
