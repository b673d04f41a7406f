//! People who may sign in to the console, over the admin API: listed, added, changed.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, patch, post};
use exchange::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::{Answer, Body, Part, Sent, part, person};
use crate::context::{Admin, Shared};
use crate::endpoint::Endpoint;
use crate::person::{Person, PersonChange, Role};

pub(crate) fn endpoints() -> Vec<Endpoint<Arc<Admin>>> {
    vec![
        Endpoint::get("/people", "People who may sign in to the console, by name, a part at a time", get(people))
            .lists::<Shown>("people", "Who there is; never a password"),
        Endpoint::post("/people", "Lets somebody sign in", post(add))
            .takes::<NewPerson>()
            .gives::<WithPassword>(StatusCode::CREATED, "The person, with a password that has to be changed")
            .fails(StatusCode::CONFLICT, "The name is taken"),
        Endpoint::patch("/people/{id}", "Gives another role, shuts out or lets in again", patch(change))
            .takes::<Change>()
            .gives::<Shown>(StatusCode::OK, "The person as it is now")
            .fails(StatusCode::NOT_FOUND, "There is none")
            .fails(StatusCode::CONFLICT, "Nobody would be left who may let people in"),
        Endpoint::post("/people/{id}/password", "Makes a new password, and ends all sessions", post(reset))
            .gives::<NewPassword>(StatusCode::OK, "The password, which has to be changed")
            .fails(StatusCode::NOT_FOUND, "There is none"),
    ]
}

/// A person without anything of the password.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Person")]
struct Shown {
    name: String,
    role: Role,
    /// Whether the password has to be changed first.
    must_change: bool,
    /// When somebody let them in.
    since: Time,
    /// When role, password or state changed last.
    changed: Time,
    /// Since when they are shut out.
    ended: Option<Time>,
    /// `active` or `shut_out`.
    state: &'static str,
}

impl Shown {
    fn of(person: &Person) -> Shown {
        let Person { name, role, must_change, since, changed, ended, .. } = person.clone();
        Shown {
            name,
            role,
            must_change,
            since,
            changed,
            ended,
            state: if ended.is_some() { "shut_out" } else { "active" },
        }
    }
}

/// A person who was let in.
#[derive(Serialize, JsonSchema)]
struct WithPassword {
    #[serde(flatten)]
    person: Shown,
    /// To be told to them, and never shown again.
    password: String,
}

/// Another password.
#[derive(Serialize, JsonSchema)]
struct NewPassword {
    name: String,
    /// To be told to them, and never shown again.
    password: String,
}

async fn people(State(admin): Shared, query: Result<Query<Part>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let people: Vec<Shown> = admin.registry.people().await.iter().map(Shown::of).collect();
    Ok(Json(part("people", people, |person| person.name.clone(), &query)?))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPerson {
    name: String,
    role: Role,
}

async fn add(State(admin): Shared, body: Body<NewPerson>) -> Answer<(StatusCode, Json<WithPassword>)> {
    let Sent(NewPerson { name, role }) = body?;
    person(&name)?;
    let (added, password) = admin.registry.add_person(&name, role, admin.clock.now()).await?;
    let told = WithPassword { person: Shown::of(&added), password: password.as_str().to_owned() };
    Ok((StatusCode::CREATED, Json(told)))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PersonChange")]
struct Change {
    role: Option<Role>,
    ended: Option<bool>,
}

async fn change(State(admin): Shared, Path(name): Path<String>, body: Body<Change>) -> Answer<Json<Shown>> {
    let Sent(Change { role, ended }) = body?;
    let change = PersonChange { role, is_ended: ended };
    Ok(Json(Shown::of(&admin.registry.change_person(&name, change, admin.clock.now()).await?)))
}

async fn reset(State(admin): Shared, Path(name): Path<String>) -> Answer<Json<NewPassword>> {
    let password = admin.registry.reset_password(&name, admin.clock.now()).await?;
    Ok(Json(NewPassword { name, password: password.as_str().to_owned() }))
}
