//! Verified organisations: customers whose accounts count as one.

use std::collections::BTreeMap;
use std::sync::Arc;

use admin::answer::words as some_words;
use admin::person::Role;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use exchange::Assurance;
use policy::{Organisation, OrganisationId};
use report::words::minute;
use serde::Deserialize;
use serde_json::json;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::frame::{Frame, drawn};
use crate::route::{Needs, Route};
use crate::session::Visit;
use crate::table::{Asked, Cell, Column, Row, Table};
use crate::words::word;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/organisations", Needs::Role(Role::Viewer), get(organisations)),
        Route::post("/organisations", Needs::Role(Role::Responder), post(put)),
    ]
}

#[derive(Template)]
#[template(path = "organisations.html")]
struct Organisations {
    frame: Frame,
    table: Table,
    can_change: bool,
}

async fn organisations(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let registry = &console.admin.registry;
    let mut accounts: BTreeMap<OrganisationId, u64> = BTreeMap::new();
    for account in registry.directory().await.accounts() {
        if let Some(organisation) = &account.organisation {
            *accounts.entry(organisation.clone()).or_default() += 1;
        }
    }
    let row = |organisation: &Arc<Organisation>| {
        let cells = vec![
            Cell::text(organisation.id.as_str()),
            Cell::text(&organisation.name),
            Cell::text(word(&organisation.assurance)),
            Cell::number(accounts.get(&organisation.id).copied().unwrap_or_default()),
            Cell::text(minute(organisation.created)),
        ];
        Row::new(organisation.id.as_str(), cells)
    };
    let columns = [
        Column::text("organisation"),
        Column::text("name"),
        Column::text("known by"),
        Column::number("accounts"),
        Column::text("since"),
    ];
    let rows = registry.organisations().await.iter().map(row).collect();
    let table = Table::new("organisations", "Verified organisations", &columns, rows)
        .or("No organisation is known. Accounts of one count as one customer, and share what holds for organisations.");
    if let Some(saved) = table.saved(&asked) {
        return Ok(saved);
    }
    drawn(&Organisations {
        frame: Frame::new(&console, &visit, "Organisations", "/accounts"),
        table: table.part(&asked),
        can_change: visit.may(Role::Responder),
    })
}

/// An organisation as it is filled in.
#[derive(Debug, Deserialize)]
struct Filled {
    id: String,
    #[serde(default)]
    name: String,
    assurance: String,
}

async fn put(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<Filled>, FormRejection>,
) -> Page {
    let Form(Filled { id, name, assurance }) = form?;
    let id: OrganisationId = id.trim().parse().map_err(|error| Fault::bad(format!("`id`: {error}")))?;
    if !name.is_empty() {
        some_words("name", &name)?;
    }
    let assurance: Assurance = serde_json::from_value(json!(assurance))
        .map_err(|_| Fault::bad("`assurance`: expected none, email, phone, payment, business or contract"))?;
    let known = console.admin.registry.organisations().await.into_iter().find(|known| known.id == id);
    let created = known.map_or_else(|| console.admin.clock.now(), |known| known.created);
    console.registry(&visit).put_organisation(Organisation { id: id.clone(), name, assurance, created }).await?;
    console.sessions.leave(&visit, format!("{id} is written."));
    Ok(Redirect::to("/organisations").into_response())
}
