//! Responses over the admin API: listed, taken, approved, undone.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use exchange::{Assurance, Time};
use policy::response::{Approval, Budget, Joiners, Target, Undone};
use policy::{AccountId, Response, ResponseId, Rung};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Body, Part, Problem, bad, id, part, person, words};
use crate::context::Admin;
use crate::registry::Registry;
use crate::registry::responses::likely;

type Shared = State<Arc<Admin>>;

/// Paths under `/api/v1`.
pub(crate) fn routes() -> Router<Arc<Admin>> {
    Router::new()
        .route("/responses", get(responses).post(respond))
        .route("/responses/{id}", get(response))
        .route("/responses/{id}/approve", post(approve))
        .route("/responses/{id}/undo", post(undo))
        .route("/suspicions", get(suspicions))
}

/// A response as it is told.
fn told(admin: &Admin, response: &Response, accounts: u64) -> Value {
    let now = admin.clock.now();
    let state = if response.undone.is_some() {
        "undone"
    } else if response.until.is_some_and(|until| until <= now) {
        "over"
    } else if response.approval == Approval::Wanted {
        "waits"
    } else if now < response.since {
        "later"
    } else if response.shadow {
        "shadow"
    } else {
        "holds"
    };
    let mut told = json!(response);
    if let Some(told) = told.as_object_mut() {
        told.insert("state".to_owned(), json!(state));
        told.insert("accounts".to_owned(), json!(accounts));
    }
    told
}

async fn responses(State(admin): Shared, query: Result<Query<Part>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let responses = admin.registry.responses().await;
    let responses = responses.iter().map(|(response, accounts)| told(&admin, response, *accounts)).collect();
    let id = |told: &Value| told.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Json(part("responses", responses, id, &query)))
}

async fn response(
    State(admin): Shared,
    Path(name): Path<String>,
    query: Result<Query<Part>, QueryRejection>,
) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let (response, covered) = admin.registry.response(&id(&name)?).await?;
    let told = told(&admin, &response, covered.len() as u64);
    let mut answer = part("accounts", covered, AccountId::to_string, &query);
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("response".to_owned(), told);
    }
    Ok(Json(answer))
}

/// What is told of a new response.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewResponse {
    target: Target,
    rung: Rung,
    #[serde(default)]
    assurance: Assurance,
    budget: Option<Budget>,
    /// How likely an account must take part to be covered, in percent.
    probability: Option<i64>,
    #[serde(default)]
    joiners: Joiners,
    #[serde(default)]
    shadow: bool,
    until: Option<Time>,
    reason: String,
    author: String,
}

async fn respond(State(admin): Shared, body: Body<NewResponse>) -> Answer<(StatusCode, Json<Value>)> {
    let Json(new) = body?;
    let NewResponse { target, rung, assurance, budget, probability, joiners, shadow, until, reason, author } = new;
    let now = admin.clock.now();
    check(rung, assurance, budget)?;
    words("reason", &reason)?;
    person(&author)?;
    let probability = probability.unwrap_or(PROBABILITY_MIN);
    if !(PROBABILITY_MIN..=PROBABILITY_MAX).contains(&probability) {
        return Err(bad(format!("`probability`: expected {PROBABILITY_MIN} to {PROBABILITY_MAX}, in percent")));
    }
    if until.is_some_and(|until| until <= now) {
        return Err(bad("`until` is over already"));
    }
    let (members, source) = match &target {
        Target::Account(_) => (Vec::new(), String::new()),
        Target::Campaign(campaign) => (members(&admin, campaign, probability)?, admin.source()),
    };
    let response = Response {
        id: Registry::response_id()?,
        target,
        rung,
        assurance,
        budget,
        probability,
        joiners,
        shadow,
        since: now,
        until,
        reason,
        author,
        approval: Approval::Needless,
        source,
        undone: None,
    };
    let alone = admin.settings.load().block_alone_max;
    let (response, accounts) = admin.registry.respond(response, &members, alone).await?;
    Ok((StatusCode::CREATED, Json(told(&admin, &response, accounts))))
}

/// Members are those who take part more likely than not, and nobody does for certain.
const PROBABILITY_MIN: i64 = 50;
const PROBABILITY_MAX: i64 = 99;

/// The accounts of a campaign that stands, those that take part likely enough.
fn members(admin: &Admin, campaign: &str, probability: i64) -> Answer<Vec<AccountId>> {
    if let Some(watched) = &admin.detection
        && !watched.status().has_caught_up
    {
        let message =
            "detection has not come to the end of the record since it began, and may not know all members; ask again";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message));
    }
    let board = admin.detection.as_ref().map(|watched| watched.board()).unwrap_or_default();
    let missing = || Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is no campaign `{campaign}` now"));
    let campaign = board.campaigns.iter().find(|known| known.id == campaign).ok_or_else(missing)?;
    Ok(likely(campaign, probability).collect())
}

/// Whether what belongs to a rung is there, and nothing else.
fn check(rung: Rung, assurance: Assurance, budget: Option<Budget>) -> Answer<()> {
    if rung == Rung::None {
        return Err(bad("`none` is no response; undo the one that holds"));
    }
    if (rung == Rung::Verify) != (assurance != Assurance::None) {
        return Err(bad("`verify`, and no other rung, needs the `assurance` that lifts it, such as `phone`"));
    }
    if budget.is_some_and(|budget| budget.amount == 0) {
        return Err(bad("`budget`: expected an amount of at least 1; whoever is to get nothing is blocked"));
    }
    if (rung == Rung::ShareBudget) != budget.is_some() {
        return Err(bad("`share_budget`, and no other rung, needs a `budget` with `unit`, `amount` and `per`"));
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApprovedBy {
    author: String,
}

async fn approve(State(admin): Shared, Path(name): Path<String>, body: Body<ApprovedBy>) -> Answer<Json<Value>> {
    let Json(ApprovedBy { author }) = body?;
    person(&author)?;
    let response = id::<ResponseId>(&name)?;
    let approved = admin.registry.approve_response(&response, &author).await?;
    let (_, covered) = admin.registry.response(&response).await?;
    Ok(Json(told(&admin, &approved, covered.len() as u64)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UndoneBy {
    author: String,
    reason: String,
}

async fn undo(State(admin): Shared, Path(name): Path<String>, body: Body<UndoneBy>) -> Answer<Json<Value>> {
    let Json(UndoneBy { author, reason }) = body?;
    person(&author)?;
    words("reason", &reason)?;
    let response = id::<ResponseId>(&name)?;
    let undone = Undone { time: admin.clock.now(), author, reason };
    let undone = admin.registry.undo_response(&response, undone).await?;
    let (_, covered) = admin.registry.response(&response).await?;
    Ok(Json(told(&admin, &undone, covered.len() as u64)))
}

async fn suspicions(State(admin): Shared, query: Result<Query<Part>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let suspicions = admin.registry.suspicions().await.iter().map(|said| json!(**said)).collect();
    let account = |said: &Value| said.get("account").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Json(part("suspicions", suspicions, account, &query)))
}
