//! Hunts: over a span of what is recorded, or in files that somebody sends, run beside the gateway; what earlier ones found.

use std::sync::Arc;

use admin::person::Role;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use findings::{Campaign, Findings};
use report::campaign::Card;
use report::words::{counted, encoded, grouped, members, minute, printable, verdict};
use serde::Deserialize;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::form;
use crate::frame::{Frame, drawn};
use crate::guard;
use crate::hunt::{Asked as AskedHunt, Hunt, HuntState, NotBegun, Place, Where};
use crate::limits::{FIELD_CHARS_MAX, UPLOAD_BYTES_MAX, UPLOAD_TIME_MAX, VIEW_NAME_CHARS_MAX};
use crate::route::{Needs, Route};
use crate::schedules;
use crate::session::Visit;
use crate::table::{Asked, Cell, Column, Row, Table};
use crate::times;
use crate::upload::{Fields, Upload};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/hunts", Needs::Role(Role::Viewer), get(hunts)),
        Route::post("/hunts", Needs::Role(Role::Analyst), post(begin)),
        Route::upload("/hunts/log", Needs::Role(Role::Analyst), post(begin_in_log)),
        Route::post("/hunts/{id}/stop", Needs::Role(Role::Analyst), post(stop)),
        Route::get("/hunts/{id}", Needs::Role(Role::Viewer), get(hunt)),
        Route::get("/hunts/{id}/findings", Needs::Role(Role::Analyst), get(saved)),
    ]
}

#[derive(Template)]
#[template(path = "hunts.html")]
struct Hunts {
    frame: Frame,
    table: Table,
    schedules: Table,
    /// The ids and names of schedules.
    can_remove: Vec<(String, String)>,
    can_begin: bool,
    most_gib: u64,
}

async fn hunts(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let hunts = known(&console).await?;
    let scheduled = console.admin.registry.schedules().await;
    let (table, schedules) =
        (table(&hunts, visit.may(Role::Analyst)), schedules::table(&scheduled, console.admin.clock.now()));
    if let Some(saved) = table.saved(&asked).or_else(|| schedules.saved(&asked)) {
        return Ok(saved);
    }
    let can_begin = visit.may(Role::Analyst);
    drawn(&Hunts {
        frame: Frame::new(&console, &visit, "Hunts", "/hunts"),
        table: table.part(&asked),
        schedules: schedules.part(&asked),
        can_remove: scheduled
            .into_iter()
            .filter(|_| can_begin)
            .map(|schedule| (schedule.id, printable(&schedule.name, VIEW_NAME_CHARS_MAX)))
            .collect(),
        can_begin,
        most_gib: UPLOAD_BYTES_MAX >> 30,
    })
}

pub(crate) async fn known(console: &Arc<Console>) -> Result<Vec<Hunt>, Fault> {
    let there = Arc::clone(console);
    tokio::task::spawn_blocking(move || there.hunter.hunts()).await.map_err(broken)?.map_err(broken)
}

fn broken(why: impl std::fmt::Display) -> Fault {
    Fault::new(StatusCode::SERVICE_UNAVAILABLE, format!("hunts cannot be read: {why}"))
}

/// Hunts as rows; why one failed may have texts in it.
fn table(hunts: &[Hunt], with_texts: bool) -> Table {
    let row = |hunt: &Hunt| {
        let (state, exchanges) = match &hunt.state {
            HuntState::Waiting => (Cell::text("waits for others"), String::new()),
            HuntState::Running => (Cell::text("runs"), String::new()),
            HuntState::Done { campaigns: 0, exchanges, .. } => {
                (Cell::text("nobody found").tone("calm"), grouped(*exchanges))
            }
            HuntState::Done { campaigns, exchanges, .. } => {
                (Cell::text(format!("{} found", counted(*campaigns, "campaign"))).tone("alarm"), grouped(*exchanges))
            }
            HuntState::Stopped { by, .. } => (Cell::text(format!("stopped by {by}")).tone("quiet"), String::new()),
            HuntState::Failed { .. } if !with_texts => (Cell::text("failed"), String::new()),
            HuntState::Failed { why, .. } => (Cell::text(format!("failed: {}", last_line(why))), String::new()),
        };
        let cells = vec![
            Cell::text(&hunt.id).to(format!("/hunts/{}", encoded(&hunt.id))),
            Cell::text(span(hunt)),
            Cell::text(place(hunt)),
            state,
            Cell::text(exchanges),
            Cell::text(by(hunt)),
            Cell::text(minute(hunt.asked)),
        ];
        Row::new(&hunt.id, cells)
    };
    let columns = [
        Column::text("hunt"),
        Column::text("sent"),
        Column::text("in"),
        Column::text("came to"),
        Column::number("exchanges"),
        Column::text("asked by"),
        Column::text("when"),
    ];
    Table::new("hunts", "Hunts, the latest first", &columns, hunts.iter().map(row).collect())
        .or("Nobody hunted from here yet. Live detection looks at what is sent as it comes; a hunt looks again at a span of what was recorded.")
}

fn place(hunt: &Hunt) -> String {
    match hunt.place {
        Place::Recorded => "recorded files".to_owned(),
        Place::Lake => "the lake".to_owned(),
        Place::Sent => sent(&hunt.files),
    }
}

/// The names of files, of many the first.
fn sent(files: &[String]) -> String {
    match files {
        [first, _, _, ..] => format!("{first} and {} more", counted(files.len() as u64 - 1, "file")),
        files => files.join(", "),
    }
}

/// The last line of what a hunt said, which tells why it ended.
fn last_line(why: &str) -> &str {
    why.trim_end().lines().last().unwrap_or_default()
}

fn by(hunt: &Hunt) -> String {
    let schedule = hunt.schedule.as_ref().map(|_| " (schedule)").unwrap_or_default();
    format!("{}{schedule}", hunt.by)
}

fn span(hunt: &Hunt) -> String {
    match (hunt.from, hunt.until) {
        (None, None) => "at any time".to_owned(),
        (Some(from), None) => format!("from {}", minute(from)),
        (None, Some(until)) => format!("before {}", minute(until)),
        (Some(from), Some(until)) => format!("{} to {}", minute(from), minute(until)),
    }
}

/// A hunt as it is filled in.
#[derive(Debug, Deserialize)]
struct Filled {
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
    place: String,
}

async fn begin(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<Filled>, FormRejection>,
) -> Page {
    let Form(Filled { from, until, place }) = form?;
    let place = match place.as_str() {
        "recorded" => Where::Recorded,
        "lake" => Where::Lake,
        _ => return Err(Fault::bad("`place`: expected `recorded` or `lake`")),
    };
    asked(&console, &visit, place, (&from, &until)).await
}

/// Begins a hunt in files that come with the form.
async fn begin_in_log(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Extension(upload): Extension<Upload>,
) -> Page {
    let _place = console.uploads.try_acquire().map_err(|_| {
        Fault::new(StatusCode::SERVICE_UNAVAILABLE, "several people send files already; try again in some minutes")
    })?;
    let mut sent = console.hunter.place().map_err(broken)?;
    let too_slow = |_| {
        let minutes = UPLOAD_TIME_MAX.as_secs() / 60;
        Fault::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("expected the files within {minutes} minutes; nothing was kept"),
        )
    };
    let fields: Fields =
        tokio::time::timeout(UPLOAD_TIME_MAX, upload.save(&mut sent, UPLOAD_BYTES_MAX)).await.map_err(too_slow)??;
    // Files take a while.
    guard::still(&console, &visit).await?;
    if sent.logs.is_empty() {
        return Err(Fault::bad("`log`: expected a file"));
    }
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let said = |name: &str| {
        let text = form::line(name, field(name), 0..=FIELD_CHARS_MAX)?;
        Ok::<_, Fault>(Some(text.to_owned()).filter(|text| !text.is_empty()))
    };
    (sent.account, sent.format) = (said("account")?, said("format")?);
    asked(&console, &visit, Where::Sent(sent), (field("from"), field("until"))).await
}

/// Begins a hunt over a span, as it is typed.
async fn asked(console: &Arc<Console>, visit: &Visit, place: Where, (from, until): (&str, &str)) -> Page {
    let (from, until) = (times::typed("from", from)?, times::typed("until", until)?);
    if from.zip(until).is_some_and(|(from, until)| from >= until) {
        return Err(Fault::bad("`from`: expected a time before `until`"));
    }
    let now = console.admin.clock.now();
    let asked = AskedHunt { by: visit.name().to_owned(), now, place, from, until, schedule: None };
    let id = ask(console, asked).await?;
    console.sessions.leave(visit, format!("{id} is under way. This page shows when it ends."));
    Ok(Redirect::to("/hunts").into_response())
}

/// Begins a hunt; its name.
pub(crate) async fn ask(console: &Arc<Console>, asked: AskedHunt) -> Result<String, Fault> {
    let there = Arc::clone(console);
    let begun = tokio::task::spawn_blocking(move || there.hunter.begin(asked)).await.map_err(broken)?;
    begun.map_err(|why| match why {
        NotBegun::Full(most) => Fault::new(
            StatusCode::CONFLICT,
            format!("{most} hunts wait already, which is the most; stop one, or wait until some have ended"),
        ),
        NotBegun::Nowhere(why) => Fault::new(StatusCode::CONFLICT, why),
        NotBegun::Failed(why) => {
            Fault::new(StatusCode::SERVICE_UNAVAILABLE, format!("the hunt cannot be begun: {why}"))
        }
    })
}

/// Ends a hunt that waits or runs; whether it did.
pub(crate) async fn end(console: &Arc<Console>, id: &str, by: &str) -> Result<bool, Fault> {
    one(console, id).await?;
    let (there, by, id) = (Arc::clone(console), by.to_owned(), id.to_owned());
    tokio::task::spawn_blocking(move || there.hunter.stop(&id, &by)).await.map_err(broken)
}

async fn stop(State(console): State<Arc<Console>>, Extension(visit): Extension<Visit>, Path(id): Path<String>) -> Page {
    let told = if end(&console, &id, visit.name()).await? { "is being stopped" } else { "had ended before" };
    console.sessions.leave(&visit, format!("{id} {told}."));
    Ok(Redirect::to("/hunts").into_response())
}

/// Which campaign of a hunt is shown.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    campaign: String,
    #[serde(flatten)]
    asked: Asked,
}

#[derive(Template)]
#[template(path = "hunt.html")]
struct HuntPage {
    frame: Frame,
    id: String,
    facts: Vec<(&'static str, String)>,
    sentence: String,
    why: Option<String>,
    campaigns: Table,
    card: Option<Card>,
    shown: String,
    blind_spots: Vec<String>,
    can_save: bool,
    can_stop: bool,
    is_left_out: bool,
}

async fn hunt(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Page {
    let Query(Wanted { campaign, asked }) = query?;
    let hunt = one(&console, &id).await?;
    let found = found(&console, &id).await?;
    let is_live = matches!(hunt.state, HuntState::Waiting | HuntState::Running);
    let campaigns =
        campaign_table(&id, found.as_ref()).or(if is_live { "It has not ended yet." } else { "No campaign." });
    if let Some(saved) = campaigns.saved(&asked) {
        return Ok(saved);
    }
    let may = visit.may(Role::Analyst);
    let findings = found.unwrap_or_default();
    let shown = match campaign.as_str() {
        "" => findings.campaigns.first(),
        wanted => Some(
            findings
                .campaigns
                .iter()
                .find(|known| known.id == wanted)
                .ok_or_else(|| Fault::missing(format!("{id} found no campaign `{wanted}`")))?,
        ),
    };
    let card = |campaign: &Campaign| {
        let campaign = if may { campaign.clone() } else { campaign.without_texts() };
        let at = report::campaign::Place::Console { exchanges_have_pages: false };
        Card::new("campaign".to_owned(), &campaign, &findings.cleared, 0, at, None)
    };
    let (sentence, why) = match &hunt.state {
        HuntState::Waiting => ("It waits for others to end.".to_owned(), None),
        HuntState::Running => ("It runs.".to_owned(), None),
        HuntState::Done { .. } => (verdict(&findings), None),
        HuntState::Stopped { by, .. } => (format!("It was stopped by {by}."), None),
        // A log that cannot be read is told with what stands in it.
        HuntState::Failed { .. } if !may => ("It did not come to its end; why is for analysts.".to_owned(), None),
        HuntState::Failed { why, .. } => ("It did not come to its end.".to_owned(), Some(why.clone())),
    };
    let mut facts = vec![("sent", span(&hunt)), ("in", place(&hunt)), ("asked by", by(&hunt))];
    facts.push(("asked", minute(hunt.asked)));
    if let HuntState::Done { at, .. } | HuntState::Stopped { at, .. } | HuntState::Failed { at, .. } = &hunt.state {
        facts.push(("ended", minute(*at)));
    }
    drawn(&HuntPage {
        frame: Frame::new(&console, &visit, format!("Hunt {id}"), "/hunts"),
        facts,
        sentence,
        why,
        campaigns: campaigns.part(&asked),
        shown: shown.map(|campaign| campaign.id.clone()).unwrap_or_default(),
        card: shown.map(card),
        blind_spots: findings.blind_spots.clone(),
        can_save: may && matches!(hunt.state, HuntState::Done { .. }),
        can_stop: may && is_live,
        is_left_out: !may && shown.is_some(),
        id,
    })
}

pub(crate) async fn one(console: &Arc<Console>, id: &str) -> Result<Hunt, Fault> {
    let hunt = known(console).await?.into_iter().find(|hunt| hunt.id == id);
    hunt.ok_or_else(|| Fault::missing(format!("there is no hunt `{id}`; the last ones are under Hunts")))
}

pub(crate) async fn found(console: &Arc<Console>, id: &str) -> Result<Option<Findings>, Fault> {
    let (there, id) = (Arc::clone(console), id.to_owned());
    tokio::task::spawn_blocking(move || there.hunter.findings(&id)).await.map_err(broken)?.map_err(broken)
}

fn campaign_table(id: &str, findings: Option<&Findings>) -> Table {
    let row = |campaign: &Campaign| {
        let cells = vec![
            Cell::text(&campaign.id).to(format!("/hunts/{}?campaign={}", encoded(id), encoded(&campaign.id))),
            Cell::number(members(campaign).count() as u64),
            Cell::number(campaign.exchanges),
            Cell::text(report::words::confidence(campaign.log10_e)),
            Cell::text(minute(campaign.first_seen)),
            Cell::text(minute(campaign.last_seen)),
        ];
        Row::new(&campaign.id, cells)
    };
    let columns = [
        Column::text("campaign"),
        Column::number("accounts"),
        Column::number("exchanges"),
        Column::text("evidence"),
        Column::text("first seen"),
        Column::text("last seen"),
    ];
    let rows = findings.map(|findings| findings.campaigns.iter().map(row).collect()).unwrap_or_default();
    Table::new("campaigns", "What it found, surest first", &columns, rows)
}

/// The findings as a hunt writes them.
async fn saved(State(console): State<Arc<Console>>, Path(id): Path<String>) -> Page {
    let hunt = one(&console, &id).await?;
    let none = || Fault::missing(format!("{} has no findings", hunt.id));
    let findings = found(&console, &id).await?.ok_or_else(none)?;
    let text = serde_json::to_string(&findings).map_err(broken)?;
    let file = format!("attachment; filename=\"{}.json\"", hunt.id);
    Ok(([(CONTENT_TYPE, "application/json".to_owned()), (CONTENT_DISPOSITION, file)], text).into_response())
}
