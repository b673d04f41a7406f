//! Campaigns as they were last known, also those that stand no longer: a campaign that was contained sends too little to be named, and whoever
//! works on it needs to see what it was.
//!
//! Promises one version of each campaign, the latest, of the names that hold now; without any text of a caller, since it is written down in
//! clear. Of those that stand no longer at most [`PAST_MAX`], the oldest go. Written as JSON, whole or as it was before; what cannot be read is told
//! and begun anew, since it is known from the record as long as the campaign stands.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use exchange::Time;
use findings::{Campaign, Findings};
use serde::{Deserialize, Serialize};
use store::whole;

use crate::limits::PAST_MAX;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// Campaigns as they were last known.
#[derive(Clone, Debug, Default)]
pub struct Past {
    generation: u64,
    campaigns: Vec<LastKnown>,
}

/// A campaign as it was when it last stood, without the texts that it sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastKnown {
    /// When the latest exchange was sent that was taken into account.
    pub as_of: Time,
    /// The campaign.
    pub campaign: Campaign,
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    generation: u64,
    campaigns: Vec<LastKnown>,
}

impl Past {
    /// What was written down, where it is of the names that begin with `generation`.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be read.
    pub(crate) fn read(path: &Path, generation: u64) -> io::Result<Past> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Past::begun(generation)),
            Err(error) => return Err(error),
        };
        let File { version, generation: of, campaigns } = serde_json::from_slice(&bytes)?;
        if version != VERSION {
            return Err(io::Error::other(format!("it has version {version}, and this build reads version {VERSION}")));
        }
        let campaigns = if of == generation { campaigns } else { Vec::new() };
        Ok(Past { generation, campaigns })
    }

    /// None of the names that begin with `generation`.
    pub(crate) fn begun(generation: u64) -> Past {
        Past { generation, campaigns: Vec::new() }
    }

    /// Writes it down.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let Past { generation, campaigns } = self.clone();
        let bytes = serde_json::to_vec(&File { version: VERSION, generation, campaigns })?;
        whole::write(path, &bytes)
    }

    /// Puts down how campaigns stand now.
    pub(crate) fn note(&mut self, findings: Findings, as_of: Time) {
        let standing: BTreeSet<String> = findings.campaigns.iter().map(|campaign| campaign.id.clone()).collect();
        self.campaigns.retain(|known| !standing.contains(&known.campaign.id));
        let over = self.campaigns.len().saturating_sub(PAST_MAX);
        self.campaigns.drain(..over);
        let now = findings.campaigns.iter().map(|campaign| LastKnown { as_of, campaign: campaign.without_texts() });
        self.campaigns.extend(now);
    }

    /// Whether it has a campaign of this name.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.of(id).is_some()
    }

    /// A campaign as it was last known.
    #[must_use]
    pub fn of(&self, id: &str) -> Option<&LastKnown> {
        self.campaigns.iter().find(|known| known.campaign.id == id)
    }

    /// All of them, those that stopped standing first at the front.
    #[must_use]
    pub fn campaigns(&self) -> &[LastKnown] {
        &self.campaigns
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn campaign(id: &str) -> Campaign {
        let campaign = json!({
            "id": id, "operator": "", "lineage": [], "discovery": "text", "frozen_at": at(0), "detected_at": at(0),
            "first_seen": at(0), "last_seen": at(0), "exchanges": 9, "input_tokens": 0, "output_tokens": 0, "tokens_known": 0.0, "models": [],
            "further_wordings": 0, "accounts": [], "capabilities": [], "evidence": [], "log10_e": 4.0, "log10_threshold": 3.0,
            "skeleton": [{"fixed": "a text of somebody"}], "samples": [], "not_observed": [], "alternatives": [],
            "portrait": {"timeline": [], "rates": [], "hours": [], "ages": [], "infrastructure": [], "marks": []},
            "identity": {"infrastructure": false, "template": "", "accounts": [], "payers": "", "habits": null},
        });
        serde_json::from_value(campaign).unwrap()
    }

    fn found(ids: &[&str]) -> Findings {
        Findings { campaigns: ids.iter().map(|id| campaign(id)).collect(), ..Findings::default() }
    }

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    #[test]
    fn what_stands_no_longer_is_known_as_it_was_and_without_texts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("past.json");
        let mut past = Past::read(&path, 7).unwrap();
        past.note(found(&["cmp_1", "cmp_2"]), at(10));
        past.note(found(&["cmp_2"]), at(20));
        past.write(&path).unwrap();
        let read = Past::read(&path, 7).unwrap();
        let known: Vec<(&str, Time)> =
            read.campaigns().iter().map(|known| (known.campaign.id.as_str(), known.as_of)).collect();
        assert_eq!(known, [("cmp_1", at(10)), ("cmp_2", at(20))]);
        assert!(!std::fs::read_to_string(&path).unwrap().contains("a text of somebody"));
        assert!(Past::read(&path, 8).unwrap().campaigns().is_empty(), "names begin anew");
        for bad in ["{}", "[", r#"{"version":2,"generation":7,"campaigns":[]}"#] {
            std::fs::write(&path, bad).unwrap();
            assert!(Past::read(&path, 7).is_err(), "{bad}");
        }
    }

    #[test]
    fn so_many_are_known_that_stand_no_longer_and_the_oldest_go() {
        let mut past = Past::begun(1);
        let name = |number: usize| format!("cmp_{number}");
        for number in 0..=PAST_MAX {
            past.note(found(&[&name(number)]), at(0));
        }
        past.note(found(&["last"]), at(0));
        assert!(!past.has(&name(0)) && past.has(&name(1)) && past.has("last"));
        assert_eq!(past.campaigns().len(), PAST_MAX + 1);
    }
}
