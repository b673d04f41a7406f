//! People: who may sign in, and what they may do.

use std::sync::Arc;

use admin::answer::person as plain_name;
use admin::person::{Person, PersonChange, Role};
use askama::Template;
use axum::Extension;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use report::words::{counted, minute};
use serde::Deserialize;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::frame::{Frame, drawn};
use crate::route::{Needs, Route};
use crate::session::Visit;
use crate::table::{Asked, Cell, Column, Row, Table};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/people", Needs::Role(Role::Admin), get(people)),
        Route::post("/people", Needs::Role(Role::Admin), post(add)),
        Route::post("/people/{name}", Needs::Role(Role::Admin), post(change)),
    ]
}

#[derive(Template)]
#[template(path = "people.html")]
struct People {
    frame: Frame,
    table: Table,
    others: Vec<Other>,
    roles: [&'static str; 4],
    /// A password that was just made, and whose.
    made: Option<(String, String)>,
}

/// Somebody who can be changed.
struct Other {
    name: String,
    role: &'static str,
    is_ended: bool,
}

async fn page(console: &Console, visit: &Visit, made: Option<(String, String)>) -> People {
    let people = console.admin.registry.people().await;
    let row = |person: &Person| {
        let state = match (person.ended, person.must_change) {
            (Some(since), _) => Cell::text(format!("shut out since {}", minute(since))).tone("quiet"),
            (None, _) if !person.has_password() => Cell::text("signs in at the provider"),
            (None, true) => Cell::text("has to change the password"),
            (None, false) if !person.passkeys.is_empty() => {
                Cell::text(format!("may sign in, also by {}", counted(person.passkeys.len() as u64, "passkey")))
            }
            (None, false) => Cell::text("may sign in"),
        };
        let cells =
            vec![Cell::text(&person.name), Cell::text(person.role.name()), state, Cell::text(minute(person.since))];
        Row::new(&person.name, cells)
    };
    let columns = [Column::text("name"), Column::text("role"), Column::text("state"), Column::text("since")];
    let table = Table::new("people", "People who may sign in", &columns, people.iter().map(row).collect());
    People {
        frame: Frame::new(console, visit, "People", "/people"),
        table,
        others: people
            .iter()
            .map(|person| Other {
                name: person.name.clone(),
                role: person.role.name(),
                is_ended: person.ended.is_some(),
            })
            .collect(),
        roles: Role::ALL.map(Role::name),
        made,
    }
}

async fn people(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let page = page(&console, &visit, None).await;
    match page.table.saved(&asked) {
        Some(saved) => Ok(saved),
        None => drawn(&People { table: page.table.part(&asked), ..page }),
    }
}

fn role(name: &str) -> Result<Role, Fault> {
    name.parse().map_err(|()| Fault::bad("`role`: expected `viewer`, `analyst`, `responder` or `admin`"))
}

#[derive(Debug, Deserialize)]
struct NewPerson {
    name: String,
    role: String,
}

async fn add(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<NewPerson>, FormRejection>,
) -> Page {
    let Form(new) = form?;
    plain_name(&new.name)?;
    let registry = console.registry(&visit);
    let (person, password) = registry.add_person(&new.name, role(&new.role)?, console.admin.clock.now()).await?;
    drawn(&page(&console, &visit, Some((person.name, password.to_string()))).await)
}

#[derive(Debug, Deserialize)]
struct Change {
    /// `role`, `shut_out`, `let_in` or `reset`.
    what: String,
    #[serde(default)]
    role: String,
}

async fn change(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(name): Path<String>,
    form: Result<Form<Change>, FormRejection>,
) -> Page {
    let Form(asked) = form?;
    let (registry, now) = (console.registry(&visit), console.admin.clock.now());
    let change = match asked.what.as_str() {
        "reset" => {
            let password = registry.reset_password(&name, now).await?;
            return drawn(&page(&console, &visit, Some((name, password.to_string()))).await);
        }
        "role" => PersonChange { role: Some(role(&asked.role)?), is_ended: None },
        "shut_out" => PersonChange { role: None, is_ended: Some(true) },
        "let_in" => PersonChange { role: None, is_ended: Some(false) },
        _ => return Err(Fault::bad("`what`: expected `role`, `shut_out`, `let_in` or `reset`")),
    };
    let person = registry.change_person(&name, change, now).await?;
    let state = if person.ended.is_some() { "is shut out" } else { "may sign in" };
    console.sessions.leave(&visit, format!("{} {state}, as {}.", person.name, person.role.name()));
    Ok(Redirect::to("/people").into_response())
}
