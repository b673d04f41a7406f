//! What detection has found so far, over the admin API: how it goes, the campaigns that stand, all findings.
//!
//! Nothing here decides anything, and nothing is told without the admin credential.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use watch::{Campaign, Member, Watched};

use crate::answer::{Answer, Part, Problem, part};
use crate::context::Admin;

/// How long detection may take to come to the end of what it does.
const PATIENCE: Duration = Duration::from_secs(20);

type Shared = State<Arc<Admin>>;

/// Paths under `/api/v1`.
pub(crate) fn routes() -> Router<Arc<Admin>> {
    Router::new()
        .route("/detection", get(detection))
        .route("/campaigns", get(campaigns))
        .route("/campaigns/{id}", get(campaign))
        .route("/findings", get(findings))
}

fn watched(admin: &Admin) -> Answer<&Arc<Watched>> {
    let message =
        "no detection runs in this process: it is turned off (`[detection] enabled`), or another process has that role";
    admin.detection.as_ref().ok_or_else(|| Problem::new(StatusCode::CONFLICT, "no_detection", message))
}

async fn detection(State(admin): Shared) -> Answer<Json<Value>> {
    let watched = watched(&admin)?;
    let (status, board) = (watched.status(), watched.board());
    let members: usize = board.campaigns.iter().map(|campaign| campaign.members.len()).sum();
    Ok(Json(json!({
        "has_caught_up": status.has_caught_up,
        "seen": status.seen,
        "exchanges": status.counts.exchanges,
        "unread": status.counts.unread,
        "damaged": status.lost.damaged,
        "torn": status.lost.torn,
        "missed_files": status.lost.files,
        "late": status.counts.late,
        "unread_facts": status.unread_facts,
        "duplicates": status.duplicates,
        "waiting": status.waiting,
        "behind_bytes": status.behind_bytes,
        "trouble": status.trouble,
        "campaigns": board.campaigns.len(),
        "members": members,
    })))
}

fn told(campaign: &Campaign) -> Value {
    json!({
        "id": campaign.id,
        "since": campaign.since,
        "log10_e": campaign.log10_e,
        "log10_threshold": campaign.log10_threshold,
        "rival": campaign.rival,
        "accounts": campaign.members.len(),
    })
}

async fn campaigns(State(admin): Shared) -> Answer<Json<Value>> {
    let board = watched(&admin)?.board();
    Ok(Json(json!({"campaigns": board.campaigns.iter().map(told).collect::<Vec<_>>()})))
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
    let mut members: Vec<&Member> = campaign.members.iter().collect();
    members.sort_by(|one, other| one.account.cmp(&other.account));
    let members = members.into_iter().map(|member| {
        let Member { account, probability } = member;
        json!({"account": account, "probability": probability})
    });
    let account = |member: &Value| member.get("account").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut answer = part("members", members.collect(), account, &query);
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("campaign".to_owned(), told(campaign));
    }
    Ok(Json(answer))
}

async fn findings(State(admin): Shared) -> Answer<Json<findings::Findings>> {
    let watched = Arc::clone(watched(&admin)?);
    let asked = tokio::task::spawn_blocking(move || watched.findings(PATIENCE)).await;
    let unanswered = |error: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error);
    let answered = asked.map_err(|error| unanswered(error.to_string()))?;
    answered.map(Json).map_err(|error| unanswered(error.to_string()))
}
