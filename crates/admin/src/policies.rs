//! Policies over the API: shown, applied, put back; and what an account may do by them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, put};
use policy::policies::Explanation;
use policy::{Policies, Rung};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Body, Sent, id};
use crate::context::{Admin, Shared};
use crate::endpoint::Endpoint;
use crate::version::Version;

pub(crate) fn endpoints() -> Vec<Endpoint<Arc<Admin>>> {
    vec![
        Endpoint::get(
            "/accounts/{id}/permit",
            "What an account may do with a model, and which policies say so",
            get(permit),
        )
        .query::<PermitAsked>()
        .gives::<Permitted>(StatusCode::OK, "Each action, with why")
        .fails(StatusCode::NOT_FOUND, "There is no such account"),
        Endpoint::get("/policies", "The policies that hold", get(policies)).gives::<Shown>(StatusCode::OK, "They"),
        Endpoint::put("/policies", "Applies policies, whole or not at all", put(put_policies))
            .takes::<PoliciesText>()
            .gives::<Shown>(StatusCode::OK, "They hold")
            .fails(
                StatusCode::UNPROCESSABLE_ENTITY,
                "They cannot be used; `error.problems` has line, column and message of each problem",
            ),
        Endpoint::get("/policies/versions", "Policies that were applied, the latest first", get(versions))
            .gives::<Versions>(StatusCode::OK, "The versions that are kept"),
        Endpoint::delete("/policies", "The policies that are shipped hold again", delete(remove_policies))
            .gives::<Shown>(StatusCode::OK, "They hold"),
    ]
}

/// What is asked about a permit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PermitAsked {
    /// The model; without it, what is allowed of requests that name none.
    model: Option<String>,
}

/// What an account may do.
#[derive(Debug, Serialize, JsonSchema)]
struct Permitted {
    account: String,
    model: Option<String>,
    /// What is done about it.
    rung: Rung,
    actions: Vec<Explanation>,
}

async fn permit(
    State(admin): Shared,
    Path(name): Path<String>,
    query: Result<Query<PermitAsked>, QueryRejection>,
) -> Answer<Json<Permitted>> {
    let Query(PermitAsked { model }) = query?;
    let (rung, actions) = admin.registry.explain(&id(&name)?, model.as_deref(), admin.clock.now()).await?;
    Ok(Json(Permitted { account: name, model, rung, actions }))
}

async fn policies(State(admin): Shared) -> Json<Shown> {
    let (policies, are_applied) = admin.registry.policies().await;
    Json(Shown::of(&policies, are_applied))
}

/// Policies as they are told.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PoliciesThatHold")]
struct Shown {
    source: Source,
    /// How many there are.
    count: usize,
    /// As Cedar writes them.
    text: String,
}

/// Where policies are from.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PoliciesSource")]
enum Source {
    /// Somebody applied them.
    Applied,
    /// They are those that are shipped, or that a file names.
    Default,
}

impl Shown {
    fn of(policies: &Policies, are_applied: bool) -> Shown {
        let source = if are_applied { Source::Applied } else { Source::Default };
        Shown { source, count: policies.len(), text: policies.text().to_string() }
    }
}

/// Who applies policies over the API.
const CREDENTIAL: &str = "whoever holds the admin credential";

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PoliciesVersions")]
struct Versions {
    versions: Vec<Version>,
}

async fn versions(State(admin): Shared) -> Json<Versions> {
    Json(Versions { versions: admin.registry.policy_versions().await })
}

/// Policies as Cedar writes them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PoliciesText {
    /// As Cedar writes them.
    text: String,
}

async fn put_policies(State(admin): Shared, body: Body<PoliciesText>) -> Answer<Json<Shown>> {
    let Sent(PoliciesText { text }) = body?;
    Ok(Json(Shown::of(&*admin.registry.put_policies(Some(&text), CREDENTIAL, admin.clock.now()).await?, true)))
}

async fn remove_policies(State(admin): Shared) -> Answer<Json<Shown>> {
    Ok(Json(Shown::of(&*admin.registry.put_policies(None, CREDENTIAL, admin.clock.now()).await?, false)))
}
