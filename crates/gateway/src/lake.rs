//! `[lake]` of the configuration: whether recorded exchanges go into a lake, where it is, how often they do, and for how long they stay.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[lake]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LakeTable {
    /// Whether recorded exchanges go into a lake, without their texts.
    pub enabled: bool,
    /// Where it is; the folder `lake` of the data folder when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<PathBuf>,
    /// How often, in seconds.
    pub seconds: u64,
    /// After how many days exchanges are removed from it, but for those of accounts that are held. They stay when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u32>,
}

/// What places in a store begin with.
pub const STORE: &str = "s3://";
/// Seconds between two times, at least.
const SECONDS_MIN: u64 = 10;

impl Default for LakeTable {
    fn default() -> LakeTable {
        LakeTable { enabled: false, place: None, seconds: 3600, keep_days: None }
    }
}

impl LakeTable {
    /// Whether a place is in a store of objects, as `s3://BUCKET/FOLDER`.
    #[must_use]
    pub fn is_in_store(place: &Path) -> bool {
        place.to_str().is_some_and(|place| place.starts_with(STORE))
    }

    /// Why it cannot be used, if it cannot: the key, and what was expected.
    pub(crate) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        match self {
            LakeTable { seconds, .. } if *seconds < SECONDS_MIN => Some(("seconds", "expected at least 10")),
            LakeTable { keep_days: Some(0), .. } => Some(("keep_days", "expected at least 1")),
            LakeTable { enabled: false, place: Some(_), .. } => Some(("place", "expected `enabled = true` beside it")),
            LakeTable { enabled: false, keep_days: Some(_), .. } => {
                Some(("keep_days", "expected `enabled = true` beside it"))
            }
            _ => None,
        }
    }
}
