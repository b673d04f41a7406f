//! Cases over the API and on pages: listed, opened, changed, noted.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, patch, post};
use exchange::Time;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::answer::{Answer, Body, Part, Sent, bad, part, person, told, words};
use crate::case::{Case, Note, Severity, State as CaseState};
use crate::context::{Admin, Shared};
use crate::endpoint::Endpoint;
use crate::limits::{CASE_LINKS_MAX, NOTE_BYTES_MAX};
use crate::person::Role;
use crate::registry::Registry;

pub(crate) fn endpoints() -> Vec<Endpoint<Arc<Admin>>> {
    vec![
        Endpoint::get("/cases", "Cases by id, a part at a time", get(cases)).lists::<Case>("cases", "The cases"),
        Endpoint::post("/cases", "Opens a case", post(open_one))
            .takes::<NewCase>()
            .gives::<Case>(StatusCode::CREATED, "The case; nobody owns it yet")
            .fails(StatusCode::INSUFFICIENT_STORAGE, "Too many are open"),
        Endpoint::get("/cases/{id}", "One case", get(case))
            .gives::<Case>(StatusCode::OK, "The case")
            .fails(StatusCode::NOT_FOUND, "There is none"),
        Endpoint::patch("/cases/{id}", "Changes what is given; null takes away", patch(change_one))
            .takes::<CaseChange>()
            .gives::<Case>(StatusCode::OK, "The case as it is now")
            .fails(StatusCode::NOT_FOUND, "There is no such case or person"),
        Endpoint::post("/cases/{id}/notes", "Notes something about a case", post(note_one))
            .takes::<NewNote>()
            .gives::<Case>(StatusCode::CREATED, "The case with its notes")
            .fails(StatusCode::NOT_FOUND, "There is none")
            .fails(StatusCode::INSUFFICIENT_STORAGE, "It has too many notes"),
    ]
}

async fn cases(State(admin): Shared, query: Result<Query<Part>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(query) = query?;
    Ok(Json(part("cases", admin.registry.cases().await, |case| case.id.clone(), &query)?))
}

async fn case(State(admin): Shared, Path(id): Path<String>) -> Answer<Json<Case>> {
    Ok(Json(admin.registry.case(&id).await?))
}

/// What is told of a new case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewCase {
    /// What it is about, in a few words.
    title: String,
    severity: Severity,
    /// The campaigns that it is about, by their names.
    #[serde(default)]
    campaigns: Vec<String>,
    /// Who opens it.
    author: String,
}

async fn open_one(State(admin): Shared, body: Body<NewCase>) -> Answer<(StatusCode, Json<Case>)> {
    let Sent(NewCase { title, severity, campaigns, author }) = body?;
    person(&author)?;
    words("title", &title)?;
    if campaigns.len() > CASE_LINKS_MAX {
        return Err(bad(format!("`campaigns`: expected at most {CASE_LINKS_MAX}")));
    }
    for campaign in &campaigns {
        words("campaigns", campaign)?;
    }
    let detected = admin.detected(&campaigns);
    let (about, now) = ((campaigns, detected), admin.clock.now());
    Ok((StatusCode::CREATED, Json(admin.registry.open_case(title, severity, about, &author, now).await?)))
}

/// What is to be different of a case; what is not there stays as it is, `null` takes away.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseChange {
    /// What it is about.
    pub title: Option<String>,
    /// How far it is.
    pub state: Option<CaseState>,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// Whose it is: somebody who may sign in as an analyst or above.
    #[serde(default, deserialize_with = "told")]
    #[schemars(with = "Option<String>")]
    pub owner: Option<Option<String>>,
    /// By when something has to be done.
    #[serde(default, deserialize_with = "told")]
    #[schemars(with = "Option<Time>")]
    pub due: Option<Option<Time>>,
    /// Addresses of what belongs to it elsewhere.
    pub links: Option<Vec<String>>,
}

impl CaseChange {
    /// The change, where it can be made.
    ///
    /// # Errors
    ///
    /// When a text is too long, a link is no address, or the owner may not work on cases.
    pub async fn checked(self, registry: &Registry) -> Answer<CaseChange> {
        if let Some(title) = &self.title {
            words("title", title)?;
        }
        if let Some(Some(name)) = &self.owner {
            let owner = registry.person(name).await?;
            if owner.role < Role::Analyst || owner.ended.is_some() {
                return Err(bad(format!("`owner`: {name} may not work on cases; expected an analyst or above")));
            }
        }
        self.links.iter().try_for_each(|links| check_links(links))?;
        Ok(self)
    }

    /// Changes a case so.
    pub fn apply(self, case: &mut Case) {
        let CaseChange { title, state, severity, owner, due, links } = self;
        case.title = title.unwrap_or(std::mem::take(&mut case.title));
        case.state = state.unwrap_or(case.state);
        case.severity = severity.unwrap_or(case.severity);
        case.owner = owner.unwrap_or(case.owner.take());
        case.due = due.unwrap_or(case.due);
        case.links = links.unwrap_or(std::mem::take(&mut case.links));
    }
}

fn check_links(links: &[String]) -> Answer<()> {
    if links.len() > CASE_LINKS_MAX {
        return Err(bad(format!("`links`: expected at most {CASE_LINKS_MAX}")));
    }
    for link in links {
        words("links", link)?;
        let is_address = link.starts_with("https://") || link.starts_with("http://");
        if !is_address || link.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let shown: String = link.chars().take(200).flat_map(char::escape_default).collect();
            return Err(bad(format!("`links`: `{shown}` is no address; expected such as https://tickets.example/17")));
        }
    }
    Ok(())
}

async fn change_one(State(admin): Shared, Path(id): Path<String>, body: Body<CaseChange>) -> Answer<Json<Case>> {
    let Sent(change) = body?;
    let change = change.checked(&admin.registry).await?;
    Ok(Json(admin.registry.change_case(&id, |case| change.apply(case)).await?))
}

/// What is noted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewNote {
    text: String,
    /// Who notes it.
    author: String,
}

async fn note_one(
    State(admin): Shared,
    Path(id): Path<String>,
    body: Body<NewNote>,
) -> Answer<(StatusCode, Json<Case>)> {
    let Sent(NewNote { text, author }) = body?;
    person(&author)?;
    let note = noted(text, author, admin.clock.now())?;
    Ok((StatusCode::CREATED, Json(admin.registry.note(&id, note).await?)))
}

/// A note, where its text is one.
///
/// # Errors
///
/// When it says nothing, or too much.
pub fn noted(text: String, by: String, time: Time) -> Answer<Note> {
    if text.trim().is_empty() || text.len() > NOTE_BYTES_MAX {
        return Err(bad(format!("`text`: expected 1 to {NOTE_BYTES_MAX} bytes of text")));
    }
    Ok(Note { time, by, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_addresses_only_and_are_so_many() {
        let many = |count: usize| vec!["https://a.example/1".to_owned(); count];
        assert!(check_links(&many(CASE_LINKS_MAX)).is_ok() && check_links(&many(CASE_LINKS_MAX + 1)).is_err());
        for odd in ["javascript:alert(1)", "https://a b", "", "ftp://a.example", "https://a\n"] {
            assert!(check_links(&[odd.to_owned()]).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_note_is_so_long() {
        let of = |bytes: usize| noted("x".repeat(bytes), "ann".to_owned(), Time::from_seconds(0));
        assert!(of(NOTE_BYTES_MAX).is_ok() && of(NOTE_BYTES_MAX + 1).is_err() && of(0).is_err());
    }
}
