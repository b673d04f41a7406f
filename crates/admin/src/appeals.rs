//! Appeals over the admin API: listed, entered, decided.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use policy::appeal::Ruling;
use policy::{AccountId, AppealId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Body, Part, id, part, person, words};
use crate::context::Admin;

type Shared = State<Arc<Admin>>;

/// Paths under `/api/v1`.
pub(crate) fn routes() -> Router<Arc<Admin>> {
    Router::new().route("/appeals", get(appeals).post(open)).route("/appeals/{id}/decide", post(decide))
}

async fn appeals(State(admin): Shared, query: Result<Query<Part>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let appeals = admin.registry.appeals().await;
    Ok(Json(part("appeals", appeals, |appeal| appeal.id.to_string(), &query)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAppeal {
    account: AccountId,
    text: String,
    author: String,
}

async fn open(State(admin): Shared, body: Body<NewAppeal>) -> Answer<(StatusCode, Json<Value>)> {
    let Json(NewAppeal { account, text, author }) = body?;
    words("text", &text)?;
    person(&author)?;
    let appeal = admin.registry.open_appeal(account, text, author, admin.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(json!(appeal))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decided {
    upheld: bool,
    author: String,
    reason: String,
}

async fn decide(State(admin): Shared, Path(name): Path<String>, body: Body<Decided>) -> Answer<Json<Value>> {
    let Json(Decided { upheld, author, reason }) = body?;
    person(&author)?;
    words("reason", &reason)?;
    let ruling = Ruling { upheld, author, reason, time: admin.clock.now() };
    let appeal = admin.registry.decide_appeal(&id::<AppealId>(&name)?, ruling).await?;
    Ok(Json(json!(appeal)))
}
