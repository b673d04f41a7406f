//! Appeals over the admin API: listed, entered, decided.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use policy::appeal::{Appeal, Ruling};
use policy::{AccountId, AppealId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::answer::{Answer, Body, Part, Sent, id, part, person, words};
use crate::context::{Admin, Shared};
use crate::endpoint::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint<Arc<Admin>>> {
    vec![
        Endpoint::get("/appeals", "Appeals by id, a part at a time", get(appeals))
            .lists::<Appeal>("appeals", "The appeals; one without a `ruling` waits"),
        Endpoint::post("/appeals", "Enters an appeal of an account", post(open))
            .takes::<NewAppeal>()
            .gives::<Appeal>(StatusCode::CREATED, "The appeal")
            .fails(StatusCode::NOT_FOUND, "There is no such account")
            .fails(StatusCode::INSUFFICIENT_STORAGE, "Too many wait"),
        Endpoint::post(
            "/appeals/{id}/decide",
            "Decides an appeal, also anew; one that is upheld clears the account",
            post(decide),
        )
        .takes::<Decided>()
        .gives::<Appeal>(StatusCode::OK, "The appeal with its ruling")
        .fails(StatusCode::NOT_FOUND, "There is none"),
    ]
}

async fn appeals(State(admin): Shared, query: Result<Query<Part>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let appeals = admin.registry.appeals().await;
    Ok(Json(part("appeals", appeals, |appeal| appeal.id.to_string(), &query)?))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewAppeal {
    account: AccountId,
    text: String,
    author: String,
}

async fn open(State(admin): Shared, body: Body<NewAppeal>) -> Answer<(StatusCode, Json<Appeal>)> {
    let Sent(NewAppeal { account, text, author }) = body?;
    words("text", &text)?;
    person(&author)?;
    let appeal = admin.registry.open_appeal(account, text, author, admin.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(appeal)))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AppealDecision")]
struct Decided {
    upheld: bool,
    author: String,
    reason: String,
}

async fn decide(State(admin): Shared, Path(name): Path<String>, body: Body<Decided>) -> Answer<Json<Appeal>> {
    let Sent(Decided { upheld, author, reason }) = body?;
    person(&author)?;
    words("reason", &reason)?;
    let ruling = Ruling { upheld, author, reason, time: admin.clock.now() };
    let appeal = admin.registry.decide_appeal(&id::<AppealId>(&name)?, ruling).await?;
    Ok(Json(appeal))
}
