//! Responses over the admin API: listed, taken, approved, undone.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use exchange::{Assurance, Time};
use policy::response::{Approval, Budget, Joiners, Target, Undone};
use policy::{AccountId, Response, ResponseId, Rung, Suspicion};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::{Answer, Body, Part, Problem, Sent, bad, beside, id, part, person, words};
use crate::context::{Admin, Shared};
use crate::endpoint::Endpoint;
use crate::registry::Registry;
use crate::registry::responses::{Listed, likely};

pub(crate) fn endpoints() -> Vec<Endpoint<Arc<Admin>>> {
    vec![
        Endpoint::get("/responses", "Every response by id, a part at a time; those that are over or undone among them", get(responses))
            .lists::<Told>("responses", "The responses"),
        Endpoint::post(
            "/responses",
            "Responds to an account, or to a campaign that stands. A block of more accounts than one person may block waits for approval",
            post(respond),
        )
        .takes::<NewResponse>()
        .gives::<Told>(StatusCode::CREATED, "The response")
        .fails(StatusCode::NOT_FOUND, "There is no such account or campaign"),
        Endpoint::get("/responses/{id}", "A response, with a part of the accounts that it covers", get(response))
            .lists_of::<Told, AccountId>(("response", "accounts"), "The response, and whom it covers")
            .fails(StatusCode::NOT_FOUND, "There is none"),
        Endpoint::post("/responses/{id}/approve", "A second person approves a response", post(approve))
            .takes::<ApprovedBy>()
            .gives::<Told>(StatusCode::OK, "The response as it is now")
            .fails(StatusCode::FORBIDDEN, "It is the person who took it")
            .fails(StatusCode::NOT_FOUND, "There is none")
            .fails(StatusCode::CONFLICT, "It waits for nobody"),
        Endpoint::post("/responses/{id}/undo", "Takes a response back; everybody is as before", post(undo))
            .takes::<UndoneBy>()
            .gives::<Told>(StatusCode::OK, "The response as it is now")
            .fails(StatusCode::NOT_FOUND, "There is none")
            .fails(StatusCode::CONFLICT, "It is undone already"),
        Endpoint::get("/suspicions", "What detection says of accounts, by account, a part at a time", get(suspicions))
            .lists::<Suspicion>("suspicions", "What is said"),
    ]
}

/// A response as it is told.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ToldResponse")]
struct Told {
    #[serde(flatten)]
    response: Response,
    /// `holds`, `shadow`, `later`, `waits`, `over` or `undone`.
    state: &'static str,
    /// How many accounts it covers.
    accounts: u64,
}

impl Told {
    fn of(admin: &Admin, response: &Response, accounts: u64) -> Told {
        Told { response: response.clone(), state: state(response, admin.clock.now()), accounts }
    }
}

/// How a response stands at `now`: `undone`, `over`, `waits` for a second person, begins `later`, tells only (`shadow`) or `holds`.
#[must_use]
pub fn state(response: &Response, now: Time) -> &'static str {
    if response.undone.is_some() {
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
    }
}

async fn responses(State(admin): Shared, query: Result<Query<Part>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let responses = admin.registry.responses().await;
    let responses = responses.iter().map(|(response, accounts)| Told::of(&admin, response, *accounts)).collect();
    Ok(Json(part("responses", responses, |told: &Told| told.response.id.to_string(), &query)?))
}

async fn response(
    State(admin): Shared,
    Path(name): Path<String>,
    query: Result<Query<Part>, QueryRejection>,
) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let (response, covered) = admin.registry.response(&id(&name)?).await?;
    let told = Told::of(&admin, &response, covered.len() as u64);
    Ok(Json(beside(part("accounts", covered, AccountId::to_string, &query)?, "response", &told)))
}

/// What is told of a new response.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewResponse {
    /// What it is about.
    pub target: Target,
    /// What is done.
    pub rung: Rung,
    /// For [`Rung::Verify`]: how well whoever is covered has to be known.
    #[serde(default)]
    pub assurance: Assurance,
    /// For [`Rung::ShareBudget`]: what all may take together.
    pub budget: Option<Budget>,
    /// How likely an account must take part to be covered, in percent.
    pub probability: Option<i64>,
    /// Whether accounts that join later are covered as well.
    #[serde(default)]
    pub joiners: Joiners,
    /// Whether it only tells what it would change.
    #[serde(default)]
    pub shadow: bool,
    /// Until when it holds.
    pub until: Option<Time>,
    /// Why.
    pub reason: String,
    /// Who takes it.
    pub author: String,
}

async fn respond(State(admin): Shared, body: Body<NewResponse>) -> Answer<(StatusCode, Json<Told>)> {
    let Sent(new) = body?;
    let (response, accounts) = take(&admin, new).await?;
    Ok((StatusCode::CREATED, Json(Told::of(&admin, &response, accounts))))
}

/// Takes a response.
///
/// # Errors
///
/// When something of it cannot be, its target is not there, detection does not know all members yet, or it cannot be written.
pub async fn take(admin: &Admin, new: NewResponse) -> Answer<Listed> {
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
        Target::Campaign(campaign) => (members(admin, campaign, probability)?, admin.source()),
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
    Ok(admin.registry.respond(response, &members, alone).await?)
}

/// Members are those who take part more likely than not, and nobody does for certain.
pub const PROBABILITY_MIN: i64 = 50;
/// The most likely that can be asked for, in percent.
pub const PROBABILITY_MAX: i64 = 99;

/// The accounts of a campaign that stands, those that take part likely enough.
fn members(admin: &Admin, campaign: &str, probability: i64) -> Answer<Vec<AccountId>> {
    if admin.is_detection_reading() {
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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ApprovedBy {
    author: String,
}

async fn approve(State(admin): Shared, Path(name): Path<String>, body: Body<ApprovedBy>) -> Answer<Json<Told>> {
    let Sent(ApprovedBy { author }) = body?;
    person(&author)?;
    let response = id::<ResponseId>(&name)?;
    let approved = admin.registry.approve_response(&response, &author).await?;
    let (_, covered) = admin.registry.response(&response).await?;
    Ok(Json(Told::of(&admin, &approved, covered.len() as u64)))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UndoneBy {
    author: String,
    reason: String,
}

async fn undo(State(admin): Shared, Path(name): Path<String>, body: Body<UndoneBy>) -> Answer<Json<Told>> {
    let Sent(UndoneBy { author, reason }) = body?;
    person(&author)?;
    words("reason", &reason)?;
    let response = id::<ResponseId>(&name)?;
    let undone = Undone { time: admin.clock.now(), author, reason };
    let undone = admin.registry.undo_response(&response, undone).await?;
    let (_, covered) = admin.registry.response(&response).await?;
    Ok(Json(Told::of(&admin, &undone, covered.len() as u64)))
}

async fn suspicions(State(admin): Shared, query: Result<Query<Part>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let suspicions = admin.registry.suspicions().await.iter().map(|said| Suspicion::clone(said)).collect();
    Ok(Json(part("suspicions", suspicions, |said: &Suspicion| said.account.to_string(), &query)?))
}
