//! The graph of a campaign: what its accounts share, as a picture and as a table that go together.

use std::sync::Arc;

use admin::person::Role;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::routing::get;
use findings::Shared;
use report::plot::graph::Graph;
use report::words::{grouped, percent, printable};

use crate::context::Console;
use crate::desk::{Known, campaign_of};
use crate::fault::Page;
use crate::frame::{Frame, drawn};
use crate::limits::ACCOUNTS_NAMED_MAX;
use crate::route::{Needs, Route};
use crate::session::Visit;

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get("/campaigns/{id}/graph", Needs::Role(Role::Viewer), get(graph))]
}

#[derive(Template)]
#[template(path = "graph.html")]
struct GraphPage {
    frame: Frame,
    id: String,
    graph: Graph,
    values: Vec<Value>,
}

/// A value that accounts share, as a row of the table.
struct Value {
    number: usize,
    kind: String,
    value: String,
    count: String,
    elsewhere: String,
    accounts: Vec<String>,
    more: usize,
}

async fn graph(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
) -> Page {
    let findings = console.desk.findings(&console.admin).await?;
    let Known { campaign, .. } = campaign_of(&console.admin, &findings, &id)?;
    let value = |(shared, number): (&Shared, usize)| Value {
        number,
        kind: shared.kind.clone(),
        value: printable(&shared.value, 200),
        count: grouped(shared.accounts.len() as u64),
        elsewhere: percent(shared.population_share),
        accounts: shared.accounts.iter().take(ACCOUNTS_NAMED_MAX).cloned().collect(),
        more: shared.accounts.len().saturating_sub(ACCOUNTS_NAMED_MAX),
    };
    drawn(&GraphPage {
        frame: Frame::new(&console, &visit, format!("Graph of {id}"), "/campaigns"),
        graph: Graph::draw(&campaign),
        values: campaign.portrait.shared.iter().zip(1..).map(value).collect(),
        id,
    })
}
