//! What the admin API works with: everything of the running gateway that it changes or tells.

use std::sync::Arc;

use arc_swap::ArcSwap;
use exchange::Time;
use gateway::clock::Clock;
use gateway::record::Counters;
use gateway::recorder::Recording;
use gateway::worker::{Settings, Stats};
use policy::KeyHash;
use policy::key::Keys;
use watch::Watched;

use crate::registry::Registry;

/// What a handler is given.
pub(crate) type Shared = axum::extract::State<Arc<Admin>>;

/// What the API works with.
pub struct Admin {
    /// Who there is.
    pub registry: Arc<Registry>,
    /// The hash of the admin credential.
    pub credential: KeyHash,
    /// What it is hashed with.
    pub keys: Keys,
    /// Tells the time.
    pub clock: Box<dyn Clock>,
    /// What the gateway counts.
    pub stats: Arc<Stats>,
    /// What is counted of the queue of exchanges.
    pub queue: Arc<Counters>,
    /// How recording goes.
    pub recording: Arc<Recording>,
    /// The gateway's settings, as they are now.
    pub settings: Arc<ArcSwap<Settings>>,
    /// Detection, where it is not turned off.
    pub detection: Option<Arc<Watched>>,
    /// What is counted of alerts.
    pub alerts: Arc<alert::Counts>,
    /// What is counted of sensors, by name.
    pub sensors: Option<Counted>,
    /// The name of the folder of that detection, where several work on one database.
    pub folder: String,
}

/// Numbers, each with its name, as they are now.
pub type Counted = Box<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>;

impl std::fmt::Debug for Admin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Admin")
            .field("registry", &self.registry)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Admin {
    /// When the first of these campaigns was detected, of those that are known, in the time of the exchanges.
    #[must_use]
    pub fn detected(&self, campaigns: &[String]) -> Option<Time> {
        let watched = self.detection.as_ref()?;
        let (board, past) = (watched.board(), watched.past());
        let detected = |id: &String| {
            let stands = board.campaigns.iter().find(|campaign| campaign.id == *id).map(|campaign| campaign.since);
            stands.or_else(|| past.of(id).map(|known| known.campaign.detected_at))
        };
        campaigns.iter().filter_map(detected).min()
    }

    /// Whether a detection is still on its way through what was recorded, so that it may not know of everybody whom it will know. None where none runs.
    #[must_use]
    pub fn is_detection_reading(&self) -> bool {
        self.detection.as_ref().is_some_and(|watched| !watched.status().has_caught_up)
    }

    /// The name of that detection since campaigns have the names that they have now: `FOLDER.GENERATION`.
    #[must_use]
    pub fn source(&self) -> String {
        let generation = self.detection.as_ref().and_then(|watched| watched.status().generation);
        source(&self.folder, generation.unwrap_or_default())
    }
}

/// The name of a detection: of its folder, and since which beginning campaigns have their names.
#[must_use]
pub fn source(folder: &str, generation: u64) -> String {
    format!("{folder}.{generation:016x}")
}
