//! Hunts that people run beside the gateway, as the console knows them.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use exchange::Time;
use findings::Findings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A hunt that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hunt {
    /// Its name.
    pub id: String,
    /// Who asked for it.
    pub by: String,
    /// When.
    pub asked: Time,
    /// Where it looks.
    pub place: Place,
    /// From when; everything before without it.
    pub from: Option<Time>,
    /// Before when; everything after without it.
    pub until: Option<Time>,
    /// The names of the files that it looks in, where somebody sent them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// The schedule that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// How far it is.
    pub state: HuntState,
}

/// Where a hunt looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "HuntPlace")]
pub enum Place {
    /// In the files that the gateway recorded.
    Recorded,
    /// In the lake.
    Lake,
    /// In files that somebody sent.
    Sent,
}

/// How far a hunt is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HuntState {
    /// It waits for others to end.
    Waiting,
    /// It runs.
    Running,
    /// It ended.
    Done {
        /// When.
        at: Time,
        /// Campaigns that it found.
        campaigns: u64,
        /// Exchanges that it read.
        exchanges: u64,
    },
    /// Somebody ended it.
    Stopped {
        /// When.
        at: Time,
        /// Who.
        by: String,
    },
    /// It did not come to its end.
    Failed {
        /// When that was noticed.
        at: Time,
        /// Why.
        why: String,
    },
}

/// What is asked for.
#[derive(Debug)]
pub struct Asked {
    /// Who asks.
    pub by: String,
    /// When it is now.
    pub now: Time,
    /// Where to look.
    pub place: Where,
    /// From when.
    pub from: Option<Time>,
    /// Before when.
    pub until: Option<Time>,
    /// The schedule that asks.
    pub schedule: Option<String>,
}

/// Where to look.
#[derive(Debug)]
pub enum Where {
    /// In the files that the gateway recorded.
    Recorded,
    /// In the lake.
    Lake,
    /// In files that somebody sent.
    Sent(Sent),
}

/// Files that somebody sent, which are gone with this.
#[derive(Debug)]
pub struct Sent {
    folder: PathBuf,
    /// The names of the logs.
    pub logs: Vec<String>,
    /// The name of the file of account facts.
    pub facts: Option<String>,
    /// Which field is the account, where that was said.
    pub account: Option<String>,
    /// What form the records have, where that was said.
    pub format: Option<String>,
}

impl Sent {
    /// No files yet, in a folder of their own.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made.
    pub fn into_folder(folder: PathBuf) -> io::Result<Sent> {
        fs::create_dir_all(&folder)?;
        Ok(Sent { folder, logs: Vec::new(), facts: None, account: None, format: None })
    }

    /// Where they are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new file.
    ///
    /// # Errors
    ///
    /// When there is one of this name, or it cannot be made.
    pub(crate) fn file(&self, name: &str) -> io::Result<File> {
        File::create_new(self.folder.join(name))
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        // Where that fails, the next start removes it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Why a hunt is not begun.
#[derive(Debug)]
pub enum NotBegun {
    /// So many wait already.
    Full(usize),
    /// There is no such place.
    Nowhere(String),
    /// It failed.
    Failed(String),
}

/// Runs hunts beside the gateway, one at a time; others wait.
pub trait Hunter: Debug + Send + Sync {
    /// A place for files that somebody sends.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    fn place(&self) -> io::Result<Sent>;

    /// Begins one, or lets it wait; its name.
    ///
    /// # Errors
    ///
    /// When too many wait, there is nothing to look in, or it cannot be begun.
    fn begin(&self, asked: Asked) -> Result<String, NotBegun>;

    /// Ends one that runs or waits; whether there was one.
    fn stop(&self, id: &str, by: &str) -> bool;

    /// Those that are kept, the latest first.
    ///
    /// # Errors
    ///
    /// When they cannot be read: why.
    fn hunts(&self) -> Result<Vec<Hunt>, String>;

    /// What one found, where it came to its end.
    ///
    /// # Errors
    ///
    /// When it cannot be read: why.
    fn findings(&self, id: &str) -> Result<Option<Findings>, String>;
}
