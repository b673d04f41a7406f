//! What detection has found so far, over the admin API: how it goes, the campaigns that stand, all findings.
//!
//! Nothing here decides anything, and nothing is told without the admin credential.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Json, routing::get};
use exchange::Time;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use watch::{Campaign, Member, Watched};

use crate::answer::{Answer, Part, Problem, beside, part};
use crate::context::{Admin, Shared};
use crate::endpoint::Endpoint;

/// How long detection may take to come to the end of what it does.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn endpoints() -> Vec<Endpoint<Arc<Admin>>> {
    vec![
        Endpoint::get("/detection", "How detection goes", get(detection))
            .gives::<Progress>(StatusCode::OK, "What it has read, and what it has not")
            .fails(StatusCode::CONFLICT, NONE),
        Endpoint::get("/campaigns", "The campaigns that stand", get(campaigns))
            .gives::<Campaigns>(StatusCode::OK, "They, without their members")
            .fails(StatusCode::CONFLICT, NONE),
        Endpoint::get("/campaigns/{id}", "One campaign, with a part of its members", get(campaign))
            .lists_of::<Stands, Takes>(("campaign", "members"), "The campaign, and its members by account")
            .fails(StatusCode::NOT_FOUND, "There is none now")
            .fails(StatusCode::CONFLICT, NONE),
        Endpoint::get("/findings", "All that is found so far, as a hunt writes it", get(findings))
            .gives::<findings::Findings>(StatusCode::OK, "The findings")
            .fails(StatusCode::CONFLICT, NONE)
            .fails(StatusCode::SERVICE_UNAVAILABLE, "Detection is busy; ask again"),
    ]
}

const NONE: &str = "No detection runs in this process";

/// How detection goes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DetectionProgress")]
struct Progress {
    /// Since which beginning campaigns have their names, 16 hexadecimal digits: with another one `cmp_1` is another campaign. It begins anew
    /// where detection lost what it knew, and after a verdict was taken back. None before detection has taken up what it knew.
    generation: Option<String>,
    /// Whether it has come to the end of the record since it began.
    has_caught_up: bool,
    /// The time of the latest exchange that it has seen.
    seen: Option<Time>,
    /// Exchanges that it has seen.
    exchanges: u64,
    /// Records that could not be read.
    unread: u64,
    /// Damaged records.
    damaged: u64,
    /// Records that were cut off.
    torn: u64,
    /// Files that went before they were read.
    missed_files: u64,
    /// Exchanges that came too late to be put in their order.
    late: u64,
    /// Account facts that could not be read.
    unread_facts: u64,
    /// Exchanges that came twice and counted once.
    duplicates: u64,
    /// Exchanges that wait for earlier ones.
    waiting: usize,
    /// Bytes that are recorded and not read yet.
    behind_bytes: u64,
    /// Why it does not go on.
    trouble: Option<String>,
    /// Campaigns that stand.
    campaigns: usize,
    /// Their members, all together.
    members: usize,
}

/// A campaign that stands.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StandingCampaign")]
struct Stands {
    id: String,
    /// When it was detected.
    since: Time,
    /// The evidence, as a power of ten.
    log10_e: f64,
    /// The evidence that is asked for, as a power of ten.
    log10_threshold: f64,
    /// The honest explanation that comes nearest.
    rival: String,
    /// How many members it has.
    accounts: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StandingCampaigns")]
struct Campaigns {
    campaigns: Vec<Stands>,
}

/// A member of a campaign.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CampaignMember")]
struct Takes {
    account: String,
    /// How likely it takes part.
    probability: f64,
}

fn watched(admin: &Admin) -> Answer<&Arc<Watched>> {
    let message =
        "no detection runs in this process: it is turned off (`[detection] enabled`), or another process has that role";
    admin.detection.as_ref().ok_or_else(|| Problem::new(StatusCode::CONFLICT, "no_detection", message))
}

async fn detection(State(admin): Shared) -> Answer<Json<Progress>> {
    let watched = watched(&admin)?;
    let (status, board) = (watched.status(), watched.board());
    Ok(Json(Progress {
        generation: status.generation.map(|generation| format!("{generation:016x}")),
        has_caught_up: status.has_caught_up,
        seen: status.seen,
        exchanges: status.counts.exchanges,
        unread: status.counts.unread,
        damaged: status.lost.damaged,
        torn: status.lost.torn,
        missed_files: status.lost.files,
        late: status.counts.late,
        unread_facts: status.unread_facts,
        duplicates: status.duplicates,
        waiting: status.waiting,
        behind_bytes: status.behind_bytes,
        trouble: status.trouble,
        campaigns: board.campaigns.len(),
        members: board.campaigns.iter().map(|campaign| campaign.members.len()).sum(),
    }))
}

impl Stands {
    fn of(campaign: &Campaign) -> Stands {
        let Campaign { id, since, log10_e, log10_threshold, rival, members } = campaign.clone();
        Stands { id, since, log10_e, log10_threshold, rival, accounts: members.len() }
    }
}

async fn campaigns(State(admin): Shared) -> Answer<Json<Campaigns>> {
    let board = watched(&admin)?.board();
    Ok(Json(Campaigns { campaigns: board.campaigns.iter().map(Stands::of).collect() }))
}

async fn campaign(
    State(admin): Shared,
    Path(id): Path<String>,
    query: Result<Query<Part>, QueryRejection>,
) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let board = watched(&admin)?.board();
    let missing = || Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is no campaign `{id}` now"));
    let campaign = board.campaigns.iter().find(|campaign| campaign.id == id).ok_or_else(missing)?;
    let mut members: Vec<Takes> = campaign
        .members
        .iter()
        .map(|Member { account, probability }| Takes { account: account.clone(), probability: *probability })
        .collect();
    members.sort_by(|one, other| one.account.cmp(&other.account));
    let part = part("members", members, |member| member.account.clone(), &query)?;
    Ok(Json(beside(part, "campaign", &Stands::of(campaign))))
}

async fn findings(State(admin): Shared) -> Answer<Json<findings::Findings>> {
    let watched = Arc::clone(watched(&admin)?);
    let asked = tokio::task::spawn_blocking(move || watched.findings(PATIENCE)).await;
    let unanswered = |error: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error);
    let answered = asked.map_err(|error| unanswered(error.to_string()))?;
    answered.map(Json).map_err(|error| unanswered(error.to_string()))
}
