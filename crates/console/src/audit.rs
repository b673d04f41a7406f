//! The audit trail: the ledger's entries, latest first, each with who, what, why, and what there was before and after; and receipts to hand over.

use std::sync::Arc;

use admin::person::Role;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse as _;
use axum::routing::get;
use exchange::Time;
use ledger::{Known, View};
use report::words::{grouped, minute, printable};
use serde::Deserialize;
use verify::exhibit;
use verify::tiles::WIDTH;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::frame::{Frame, drawn};
use crate::limits::{PARTS_LOOKED_AT, ROWS_MAX};
use crate::route::{Needs, Route};
use crate::session::Visit;
use crate::table::{Asked, Cell, Column, Row, Table};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/audit", Needs::Role(Role::Viewer), get(trail)),
        Route::get("/audit/{index}", Needs::Role(Role::Viewer), get(entry)),
        Route::get("/audit/{index}/receipt", Needs::Role(Role::Viewer), get(receipt)),
    ]
}

/// What the trail is narrowed by.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    kind: String,
    /// A part of who, of what, or of why.
    #[serde(default)]
    q: String,
    /// Entries before this one only.
    #[serde(default)]
    until: String,
    #[serde(flatten)]
    asked: Asked,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Trail {
    frame: Frame,
    kind: String,
    q: String,
    size: String,
    name: String,
    table: Table,
    /// Where looking goes on.
    older: Option<u64>,
    address: String,
}

/// Everything that a page says of an entry.
fn said(known: &Known, field: impl Fn(&verify::entry::Statement) -> &str) -> String {
    known.statement.as_ref().map_or_else(|| "(not here)".to_owned(), |statement| field(statement).to_owned())
}

async fn trail(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Page {
    let Query(Wanted { kind, q, until, asked }) = query?;
    let view = view(&console)?;
    let (wanted_kind, part) = (kind.clone(), q.trim().to_lowercase());
    let until: Option<u64> = until.parse().ok();
    let most = if asked.is_saved() { usize::MAX } else { ROWS_MAX };
    let looked = tokio::task::spawn_blocking(move || {
        let is_asked = |known: &Known| {
            let texts = [
                known.entry.at.as_str().to_owned(),
                said(known, |statement| &statement.actor),
                said(known, |statement| &statement.subject),
                said(known, |statement| statement.reason.as_deref().unwrap_or_default()),
            ];
            (wanted_kind.is_empty() || known.entry.kind == wanted_kind)
                && (part.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&part)))
        };
        latest(&view, until, most, &is_asked)
    });
    let Looked { size, name, found, older } = looked.await.map_err(|error| broken(error.to_string()))??;
    let table = table(&found).within(&[("kind", &kind), ("q", &q)]);
    if let Some(saved) = table.saved(&asked) {
        return Ok(saved);
    }
    let query = serde_urlencoded::to_string([("kind", &kind), ("q", &q)]).unwrap_or_default();
    let frame = Frame::new(&console, &visit, "Audit trail", "/audit");
    drawn(&Trail { frame, kind, q, size: grouped(size), name, table, older, address: format!("?{query}&") })
}

fn view(console: &Console) -> Result<View, Fault> {
    let none = "This gateway keeps no ledger (`[ledger] enabled = false`), so nothing is put down of what is done.";
    console.ledger.clone().ok_or_else(|| Fault::new(StatusCode::CONFLICT, none))
}

fn broken(why: impl std::fmt::Display) -> Fault {
    Fault::new(StatusCode::SERVICE_UNAVAILABLE, format!("the ledger cannot be read: {why}"))
}

/// What was found in a ledger.
struct Looked {
    size: u64,
    name: String,
    found: Vec<Known>,
    older: Option<u64>,
}

/// The latest entries before `until` that are asked for, at most `most`.
fn latest(view: &View, until: Option<u64>, most: usize, is_asked: &dyn Fn(&Known) -> bool) -> Result<Looked, Fault> {
    let (_, checkpoint) = view.checkpoint().map_err(broken)?;
    let size = checkpoint.tree().size;
    let end = until.unwrap_or(size).min(size);
    let mut found = Vec::new();
    let mut part = end.div_ceil(WIDTH);
    let mut looked_at = 0;
    let mut older = None;
    while part > 0 {
        if looked_at >= PARTS_LOOKED_AT {
            older = Some(part * WIDTH);
            break;
        }
        part -= 1;
        looked_at += 1;
        let entries = view.part(part, size).map_err(broken)?;
        for known in entries.into_iter().rev().filter(|known| known.index < end) {
            if found.len() >= most {
                older = Some(known.index + 1);
                break;
            }
            if is_asked(&known) {
                found.push(known);
            }
        }
        if older.is_some() {
            break;
        }
    }
    Ok(Looked { size, name: view.key().name().to_owned(), found, older })
}

fn table(found: &[Known]) -> Table {
    let row = |known: &Known| {
        let when = known.entry.at.as_str().parse::<Time>().map_or_else(|_| known.entry.at.as_str().to_owned(), minute);
        let cells = vec![
            Cell::text(known.index.to_string()).to(format!("/audit/{}", known.index)),
            Cell::text(when),
            Cell::text(&known.entry.kind),
            Cell::text(said(known, |statement| &statement.actor)),
            Cell::text(said(known, |statement| &statement.subject)),
            Cell::text(said(known, |statement| statement.reason.as_deref().unwrap_or_default())),
        ];
        Row::new(known.index.to_string(), cells)
    };
    let columns = [
        Column::text("entry"),
        Column::text("when"),
        Column::text("kind"),
        Column::text("who"),
        Column::text("what"),
        Column::text("why"),
    ];
    Table::new("audit", "Entries, the latest first", &columns, found.iter().map(row).collect())
        .or("No entry is as asked.")
}

#[derive(Template)]
#[template(path = "entry.html")]
struct EntryPage {
    frame: Frame,
    index: u64,
    facts: Vec<(&'static str, String)>,
    detail: String,
}

async fn entry(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(index): Path<u64>,
) -> Page {
    let view = view(&console)?;
    let known = tokio::task::spawn_blocking(move || find(&view, index)).await.map_err(broken)??;
    let mut facts = vec![
        ("when", known.entry.at.as_str().to_owned()),
        ("kind", known.entry.kind.clone()),
        ("hash", known.entry.hash.to_hex()),
    ];
    let mut detail = String::new();
    match &known.statement {
        None => facts.push(("statement", "it is not here any more".to_owned())),
        Some(statement) => {
            facts.push(("who", printable(&statement.actor, 2_000)));
            facts.push(("what", printable(&statement.subject, 2_000)));
            facts.push(("why", printable(statement.reason.as_deref().unwrap_or("no reason was given"), 2_000)));
            let hash = |hash: &Option<String>| hash.clone().unwrap_or_else(|| "nothing".to_owned());
            facts.push(("before (SHA-256)", hash(&statement.before)));
            facts.push(("after (SHA-256)", hash(&statement.after)));
            let text = serde_json::to_string_pretty(&statement.detail).unwrap_or_default();
            detail = text
                .lines()
                .map(|line| format!("{}{}", indent(line), printable(line, 20_000)))
                .collect::<Vec<_>>()
                .join("\n");
        }
    }
    let frame = Frame::new(&console, &visit, format!("Entry {index}"), "/audit");
    drawn(&EntryPage { frame, index, facts, detail })
}

/// The blanks that a line begins with.
fn indent(line: &str) -> &str {
    line.get(..line.len() - line.trim_start().len()).unwrap_or_default()
}

fn find(view: &View, index: u64) -> Result<Known, Fault> {
    let size = view.checkpoint().map_err(broken)?.1.tree().size;
    if index >= size {
        return Err(Fault::missing(format!("there is no entry {index}; the ledger has {size}")));
    }
    view.entry(index, size).map_err(broken)
}

/// The receipt of an entry, as a file.
async fn receipt(State(console): State<Arc<Console>>, Path(index): Path<u64>) -> Page {
    let view = view(&console)?;
    let made = tokio::task::spawn_blocking(move || {
        let known = find(&view, index)?;
        let (receipt, stamp) = (view.receipt(index).map_err(broken)?, view.timestamp(index).map_err(broken)?);
        exhibit::exhibit(receipt, &known.entry, known.opening, stamp.as_ref())
            .map(|made| made.to_string())
            .map_err(broken)
    });
    let text = made.await.map_err(broken)??;
    let name = format!("attachment; filename=\"entry-{index}.tlog-proof\"");
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)], text).into_response())
}
