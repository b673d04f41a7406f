//! Findings as pages show them: asked for at most every few seconds, however many people look.

use std::borrow::Cow;
use std::sync::Arc;

use admin::Admin;
use axum::http::StatusCode;
use exchange::Time;
use findings::{Campaign, Findings};
use tokio::sync::Mutex;
use tokio::time::Instant;
use watch::{LastKnown, Watched};

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

/// A campaign by its name.
pub(crate) struct Known<'f> {
    pub(crate) campaign: Cow<'f, Campaign>,
    /// Where it stands no longer: when it was last known to stand.
    pub(crate) until: Option<Time>,
}

/// A campaign that stands, or as it was when it last stood.
pub(crate) fn campaign_of<'f>(admin: &Admin, findings: &'f Findings, id: &str) -> Result<Known<'f>, Fault> {
    if let Some(campaign) = findings.campaigns.iter().find(|campaign| campaign.id == id) {
        return Ok(Known { campaign: Cow::Borrowed(campaign), until: None });
    }
    let past = admin.detection.as_ref().map(|watched| watched.past());
    if let Some(known) = past.as_ref().and_then(|past| past.of(id)) {
        return Ok(Known { campaign: Cow::Owned(known.campaign.clone()), until: Some(known.as_of) });
    }
    let why = if admin.is_detection_reading() {
        "detection is still reading what was recorded, as it does after a verdict was taken back; "
    } else {
        ""
    };
    Err(Fault::missing(format!("there is no campaign `{id}`: {why}what is known is under Campaigns")))
}

/// Campaigns that stand no longer, the latest first.
pub(crate) fn past_campaigns(admin: &Admin, findings: &Findings) -> Vec<LastKnown> {
    let past = admin.detection.as_ref().map(|watched| watched.past());
    let stands = |known: &&LastKnown| findings.campaigns.iter().any(|campaign| campaign.id == known.campaign.id);
    let past = past.iter().flat_map(|past| past.campaigns().iter().rev());
    past.filter(|known| !stands(known)).cloned().collect()
}

async fn ask(watched: Arc<Watched>) -> Result<Findings, Fault> {
    let silent = |why: String| Fault::new(StatusCode::SERVICE_UNAVAILABLE, why);
    let asked = tokio::task::spawn_blocking(move || watched.findings(FINDINGS_TIME_MAX)).await;
    asked.map_err(|error| silent(error.to_string()))?.map_err(|error| silent(error.to_string()))
}
