//! What programs may ask of the console: verdicts, the search for recorded exchanges, and hunts. They are part of the admin API.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use admin::Endpoint;
use admin::answer::{Answer, Body, Problem, Sent, person};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use exchange::{Exchange, Time};
use findings::{Findings, Verdict};
use lake::search::Found;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watch::labels::Entry;

use crate::context::Console;
use crate::fault::Fault;
use crate::hunt::{Asked, Hunt, Where};
use crate::hunts;
use crate::limits::ROWS_MAX;
use crate::search::{self, Sought, place};
use crate::verdicts::{self, Said};

/// Everything that the API has.
pub fn endpoints(console: &Arc<Console>) -> Vec<Endpoint> {
    let mut endpoints = admin::endpoints(&console.admin);
    endpoints.extend(own(console));
    endpoints
}

/// What is asked of the console itself.
fn own(console: &Arc<Console>) -> Vec<Endpoint> {
    [
        Endpoint::get("/verdicts", "What people said of findings, the latest first", get(verdicts_said))
            .gives::<Verdicts>(StatusCode::OK, "The verdicts, those that were taken back among them"),
        Endpoint::post("/verdicts", "Says what a finding is; detection heeds it at once", post(say))
            .takes::<NewVerdict>()
            .gives::<Spoken>(StatusCode::CREATED, "The verdict is written")
            .fails(StatusCode::NOT_FOUND, "There is no such finding now")
            .fails(StatusCode::CONFLICT, "The finding could not be known again, or no detection runs here"),
        Endpoint::post("/verdicts/{id}/undo", "Takes a verdict back", post(take_back))
            .takes::<TakenBack>()
            .does("It holds no longer")
            .fails(StatusCode::NOT_FOUND, "There is none that holds"),
        Endpoint::get(
            "/exchanges",
            "Recorded exchanges of the lake, the latest first; never their texts",
            get(exchanges),
        )
        .query::<Sought>()
        .gives::<Exchanges>(StatusCode::OK, "A part of what was found")
        .fails(StatusCode::CONFLICT, "There is no lake"),
        Endpoint::get("/hunts", "The last hunts, the latest first", get(hunts_known))
            .gives::<Hunts>(StatusCode::OK, "The hunts, those that wait and run among them"),
        Endpoint::post("/hunts", "Hunts in what was recorded, once those before have ended", post(hunt))
            .takes::<NewHunt>()
            .gives::<Hunt>(StatusCode::CREATED, "The hunt")
            .fails(StatusCode::CONFLICT, "Too many wait, or there is no lake"),
        Endpoint::get("/hunts/{id}", "One hunt", get(one_hunt))
            .gives::<Hunt>(StatusCode::OK, "The hunt")
            .fails(StatusCode::NOT_FOUND, "There is none"),
        Endpoint::get("/hunts/{id}/findings", "What a hunt found", get(hunt_findings))
            .gives::<Findings>(StatusCode::OK, "The findings")
            .fails(StatusCode::NOT_FOUND, "There is no such hunt, or it has not come to its end"),
        Endpoint::post("/hunts/{id}/stop", "Ends a hunt that waits or runs", post(stop_hunt))
            .takes::<Stopping>()
            .does("It ends, or had ended")
            .fails(StatusCode::NOT_FOUND, "There is none"),
    ]
    .into_iter()
    .map(|endpoint| endpoint.with_state(Arc::clone(console)))
    .collect()
}

/// A verdict as it is told.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VerdictSaid")]
struct ToldVerdict {
    id: String,
    verdict: Verdict,
    /// The finding, by its name then.
    finding: String,
    /// How many accounts it is about.
    accounts: u64,
    /// Who said it.
    author: String,
    time: Time,
    until: Option<Time>,
    reason: String,
    undone: Option<Undone>,
}

/// How a verdict was taken back.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UndoneVerdict")]
struct Undone {
    author: String,
    time: Time,
    reason: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Verdicts {
    verdicts: Vec<ToldVerdict>,
}

impl ToldVerdict {
    fn of(Entry { label, finding, undone }: Entry) -> ToldVerdict {
        ToldVerdict {
            id: label.id,
            verdict: label.verdict,
            finding,
            accounts: label.identity.accounts.len() as u64,
            author: label.by,
            time: label.time,
            until: label.until,
            reason: label.reason,
            undone: undone.map(|undone| Undone { author: undone.by, time: undone.time, reason: undone.reason }),
        }
    }
}

async fn verdicts_said(State(console): State<Arc<Console>>) -> Answer<Json<Verdicts>> {
    let book = verdicts::book(&console).await?;
    Ok(Json(Verdicts { verdicts: book.labels.into_iter().rev().map(ToldVerdict::of).collect() }))
}

/// What is said of a finding.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewVerdict {
    /// A campaign or a cluster, by its name now.
    finding: String,
    verdict: Verdict,
    /// For `research`: until when it holds.
    until: Option<Time>,
    reason: String,
    /// Who says it.
    author: String,
}

/// A verdict that was written.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WrittenVerdict")]
struct Spoken {
    id: String,
    /// How many accounts it is about.
    accounts: u64,
}

async fn say(State(console): State<Arc<Console>>, body: Body<NewVerdict>) -> Answer<(StatusCode, Json<Spoken>)> {
    let Sent(NewVerdict { finding, verdict, until, reason, author }) = body?;
    person(&author)?;
    if until.is_some_and(|until| verdict != Verdict::Research || until <= console.admin.clock.now()) {
        return Err(Problem::bad(
            "`until`: expected a time that is to come, and `research`, which alone ends by itself",
        ));
    }
    let (id, accounts) =
        verdicts::say(&console, &author, Said { finding, known: None, verdict, until, reason }).await?;
    Ok((StatusCode::CREATED, Json(Spoken { id, accounts })))
}

/// Why a verdict is taken back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "VerdictUndoing")]
struct TakenBack {
    reason: String,
    /// Who takes it back.
    author: String,
}

async fn take_back(
    State(console): State<Arc<Console>>,
    Path(verdict): Path<String>,
    body: Body<TakenBack>,
) -> Answer<StatusCode> {
    let Sent(TakenBack { reason, author }) = body?;
    person(&author)?;
    verdicts::take_back(&console, &author, &verdict, reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A part of what was found.
#[derive(Debug, Serialize, JsonSchema)]
struct Exchanges {
    exchanges: Vec<Row>,
    /// Where the next part begins: `behind` of it. Null where there is none, or where looking stopped at `looked_until`.
    next: Option<String>,
    /// Where looking stopped, since it had looked at so much: ask again with this as `until` for what was before.
    looked_until: Option<Time>,
    /// Parts of the lake that cannot be read, each with the reason.
    unreadable: Vec<String>,
}

/// A recorded exchange without its texts.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RecordedExchange")]
struct Row {
    /// Its place, for `like` and `behind`.
    place: String,
    id: String,
    time: Time,
    account: String,
    model: Option<String>,
    status: Option<u16>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    /// The block of its address.
    #[schemars(with = "Option<String>")]
    network: Option<IpAddr>,
    /// What it is after.
    capabilities: BTreeSet<String>,
}

impl Row {
    fn of(exchange: &Exchange<'_>) -> Row {
        let intents = exchange.fingerprint.iter().flat_map(|print| &print.intents);
        Row {
            place: place(exchange),
            id: exchange.id.as_str().to_owned(),
            time: exchange.time,
            account: exchange.account.as_str().to_owned(),
            model: exchange.model.as_deref().map(str::to_owned),
            status: exchange.status,
            input_tokens: exchange.usage.input_tokens,
            output_tokens: exchange.usage.output_tokens,
            network: exchange.client.ip.as_deref().and_then(|ip| ip.parse().ok()),
            capabilities: intents.map(ToString::to_string).collect(),
        }
    }
}

async fn exchanges(
    State(console): State<Arc<Console>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Answer<Json<Exchanges>> {
    let Query(fields) = query?;
    let sought = Sought::of(fields)?;
    let (Found { rows, is_more, tired, broken, .. }, _) = search::look(&console, &sought, ROWS_MAX).await?;
    Ok(Json(Exchanges {
        next: rows.last().filter(|_| is_more).map(|row| place(row.exchange())),
        looked_until: tired.filter(|_| !is_more),
        unreadable: broken.iter().map(ToString::to_string).collect(),
        exchanges: rows.iter().map(|row| Row::of(row.exchange())).collect(),
    }))
}

#[derive(Debug, Serialize, JsonSchema)]
struct Hunts {
    hunts: Vec<Hunt>,
}

async fn hunts_known(State(console): State<Arc<Console>>) -> Answer<Json<Hunts>> {
    Ok(Json(Hunts { hunts: hunts::known(&console).await? }))
}

/// A hunt that is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewHunt {
    /// Whether to look in the lake, and not in recorded files.
    #[serde(default)]
    in_lake: bool,
    /// From when; from the beginning without it.
    from: Option<Time>,
    /// Before when; up to now without it.
    until: Option<Time>,
    /// Who asks.
    author: String,
}

async fn hunt(State(console): State<Arc<Console>>, body: Body<NewHunt>) -> Answer<(StatusCode, Json<Hunt>)> {
    let Sent(NewHunt { in_lake, from, until, author }) = body?;
    person(&author)?;
    if from.zip(until).is_some_and(|(from, until)| from >= until) {
        return Err(Problem::bad("`from`: expected a time before `until`"));
    }
    let place = if in_lake { Where::Lake } else { Where::Recorded };
    let asked = Asked { by: author, now: console.admin.clock.now(), place, from, until, schedule: None };
    let id = hunts::ask(&console, asked).await?;
    Ok((StatusCode::CREATED, Json(hunts::one(&console, &id).await?)))
}

async fn one_hunt(State(console): State<Arc<Console>>, Path(id): Path<String>) -> Answer<Json<Hunt>> {
    Ok(Json(hunts::one(&console, &id).await?))
}

async fn hunt_findings(State(console): State<Arc<Console>>, Path(id): Path<String>) -> Answer<Json<Findings>> {
    hunts::one(&console, &id).await?;
    let none = || Fault::missing(format!("{id} has not come to its end"));
    Ok(Json(hunts::found(&console, &id).await?.ok_or_else(none)?))
}

/// Who ends a hunt.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HuntStopping")]
struct Stopping {
    author: String,
}

async fn stop_hunt(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    body: Body<Stopping>,
) -> Answer<StatusCode> {
    let Sent(Stopping { author }) = body?;
    person(&author)?;
    hunts::end(&console, &id, &author).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use admin::openapi::document;

    use super::*;
    use crate::rig::Rig;

    /// The document that is in the repository is that of this build.
    #[tokio::test]
    async fn the_document_is_that_of_this_build() {
        let rig = Rig::new().await;
        let made = serde_json::to_string_pretty(&document(&endpoints(&rig.console))).unwrap() + "\n";
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        if std::fs::read_to_string(&golden).unwrap_or_default() != made {
            let new = golden.with_extension("json.new");
            std::fs::write(&new, made).unwrap();
            panic!("docs/openapi.json is of another build; look at docs/openapi.json.new and move it there");
        }
    }
}
