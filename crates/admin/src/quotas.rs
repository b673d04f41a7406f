//! Quotas over the API: listed, put, removed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use policy::quota::Quota;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Answer, Body, Sent, id};
use crate::context::{Admin, Shared};
use crate::endpoint::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint<Arc<Admin>>> {
    vec![
        Endpoint::get("/quotas", "Every quota", get(quotas)).gives::<Listed>(StatusCode::OK, "The quotas"),
        Endpoint::post("/quotas", "Adds or changes a quota", post(put_quota))
            .takes::<Quota>()
            .gives::<Quota>(StatusCode::CREATED, "The quota")
            .fails(StatusCode::INSUFFICIENT_STORAGE, "There are too many"),
        Endpoint::delete("/quotas/{id}", "A quota holds no longer", delete(remove_quota))
            .does("It is gone")
            .fails(StatusCode::NOT_FOUND, "There is none"),
    ]
}

/// Every quota.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Quotas")]
struct Listed {
    quotas: Vec<Quota>,
    /// Always null: they come whole.
    next: Option<String>,
}

async fn quotas(State(admin): Shared) -> Json<Listed> {
    Json(Listed { quotas: admin.registry.quotas().await, next: None })
}

async fn put_quota(State(admin): Shared, body: Body<Quota>) -> Answer<(StatusCode, Json<Quota>)> {
    let Sent(quota) = body?;
    admin.registry.put_quota(&quota).await?;
    Ok((StatusCode::CREATED, Json(quota)))
}

async fn remove_quota(State(admin): Shared, Path(name): Path<String>) -> Answer<StatusCode> {
    admin.registry.remove_quota(&id(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
