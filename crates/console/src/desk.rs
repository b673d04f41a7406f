//! Findings as pages show them: asked for at most every few seconds, however many people look.

use std::sync::Arc;

use admin::Admin;
use axum::http::StatusCode;
use findings::{Campaign, Findings};
use tokio::sync::Mutex;
use tokio::time::Instant;
use watch::Watched;

use crate::fault::Fault;
use crate::limits::{FINDINGS_AGE_MAX, FINDINGS_TIME_MAX};

/// The latest findings.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    latest: Mutex<Option<Latest>>,
}

#[derive(Clone, Debug)]
struct Latest {
    findings: Arc<Findings>,
    /// Of which state of the board they are.
    sequence: u64,
    asked: Instant,
}

/// Why no findings can be shown.
const NO_DETECTION: &str =
    "No detection runs in this process: it is turned off (`[detection] enabled`), or another process has that role.";

impl Desk {
    /// What is found so far. Whoever asks at the same time waits for the same answer.
    pub(crate) async fn findings(&self, admin: &Admin) -> Result<Arc<Findings>, Fault> {
        let watched = admin.detection.as_ref().ok_or_else(|| Fault::new(StatusCode::CONFLICT, NO_DETECTION))?;
        let mut latest = self.latest.lock().await;
        let sequence = watched.board().sequence;
        if let Some(known) = latest.as_ref()
            && known.sequence == sequence
            && known.asked.elapsed() < FINDINGS_AGE_MAX
        {
            return Ok(Arc::clone(&known.findings));
        }
        let asked = Instant::now();
        let findings = Arc::new(ask(Arc::clone(watched)).await?);
        *latest = Some(Latest { findings: Arc::clone(&findings), sequence, asked });
        Ok(findings)
    }
}

/// A campaign that is known now, by its name.
pub(crate) fn campaign_of<'f>(admin: &Admin, findings: &'f Findings, id: &str) -> Result<&'f Campaign, Fault> {
    let missing = || {
        let why = if admin.is_detection_reading() {
            "detection is still reading what was recorded, as it does after a verdict was taken back; "
        } else {
            ""
        };
        Fault::missing(format!("there is no campaign `{id}` now: {why}what stands is under Campaigns"))
    };
    findings.campaigns.iter().find(|campaign| campaign.id == id).ok_or_else(missing)
}

async fn ask(watched: Arc<Watched>) -> Result<Findings, Fault> {
    let silent = |why: String| Fault::new(StatusCode::SERVICE_UNAVAILABLE, why);
    let asked = tokio::task::spawn_blocking(move || watched.findings(FINDINGS_TIME_MAX)).await;
    asked.map_err(|error| silent(error.to_string()))?.map_err(|error| silent(error.to_string()))
}
