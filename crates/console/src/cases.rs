//! Cases: what somebody works on, whose it is, and by when.

use std::sync::Arc;

use admin::answer::words as some_words;
use admin::case::{Case, Severity, State as CaseState};
use admin::cases::{CaseChange, noted};
use admin::limits::NOTE_BYTES_MAX;
use admin::person::Role;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use exchange::Time;
use report::words::{counted, minute, printable};
use serde::Deserialize;

use crate::context::Console;
use crate::desk::campaign_of;
use crate::fault::{Fault, Page};
use crate::form;
use crate::frame::{Frame, drawn};
use crate::playbooks::{self, ShownRun};
use crate::route::{Needs, Route};
use crate::session::Visit;
use crate::table::{Asked, Cell, Column, Row, Table};

/// An hour, in nanoseconds.
const HOUR: u64 = 3_600_000_000_000;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/cases", Needs::Role(Role::Viewer), get(cases)),
        Route::post("/cases", Needs::Role(Role::Analyst), post(open)),
        Route::post("/cases/change", Needs::Role(Role::Analyst), post(change_many)),
        Route::get("/cases/{id}", Needs::Role(Role::Viewer), get(case)),
        Route::post("/cases/{id}", Needs::Role(Role::Analyst), post(change)),
        Route::post("/cases/{id}/notes", Needs::Role(Role::Analyst), post(note)),
    ]
}

/// What the list is narrowed by.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    /// `all`, `mine`, `closed`, or nothing for those that are not closed.
    #[serde(default)]
    only: String,
    #[serde(flatten)]
    asked: Asked,
}

/// The cases that are asked for, the gravest and soonest due first.
pub(crate) async fn case_table(console: &Console, is_asked: impl Fn(&Case) -> bool) -> Table {
    let now = console.admin.clock.now();
    let mut all = console.admin.registry.cases().await;
    all.retain(|case| is_asked(case));
    all.sort_by_key(|case| {
        let due = case.due.unwrap_or(Time::from_nanos(i64::MAX));
        (case.state == CaseState::Closed, std::cmp::Reverse(case.severity), due, case.since)
    });
    let row = |case: &Case| {
        let severity = Cell::text(case.severity.name());
        let is_late = case.state != CaseState::Closed && case.due.is_some_and(|due| due < now);
        let due = Cell::text(case.due.map_or_else(|| "no time".to_owned(), minute));
        let cells = vec![
            Cell::text(&case.title).to(format!("/cases/{}", case.id)),
            Cell::text(case.state.name()),
            if case.severity >= Severity::High { severity.tone("alarm") } else { severity },
            Cell::text(case.owner.as_deref().unwrap_or("nobody")),
            if is_late { due.tone("alarm") } else { due },
            Cell::text(case.campaigns.join(", ")),
            Cell::text(minute(case.since)),
            Cell::number(case.notes.len() as u64),
        ];
        Row::new(&case.id, cells)
    };
    let columns = [
        Column::text("case"),
        Column::text("state"),
        Column::text("severity"),
        Column::text("owner"),
        Column::text("due"),
        Column::text("campaigns"),
        Column::text("opened"),
        Column::number("notes"),
    ];
    Table::new("cases", "Cases, the gravest first", &columns, all.iter().map(row).collect())
}

/// The form by which a case is opened.
#[derive(Default)]
pub(crate) struct OpeningForm {
    /// The campaign that it is about, if it is about one.
    pub(crate) campaign: String,
    pub(crate) title: String,
}

#[derive(Template)]
#[template(path = "cases.html")]
struct Cases {
    frame: Frame,
    only: String,
    choices: [(&'static str, &'static str); 4],
    table: Table,
    can_change: bool,
    opening: Option<OpeningForm>,
    people: Vec<String>,
    severities: &'static [Severity],
    states: &'static [CaseState],
}

async fn cases(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Page {
    let Query(Wanted { only, asked }) = query?;
    let can_change = visit.may(Role::Analyst);
    let is_asked = |case: &Case| match only.as_str() {
        "all" => true,
        "mine" => case.owner.as_deref() == Some(visit.name()) && case.state != CaseState::Closed,
        "closed" => case.state == CaseState::Closed,
        _ => case.state != CaseState::Closed,
    };
    let table = case_table(&console, is_asked).await.within(&[("only", &only)]);
    let table = table.or("There is no case. One is opened below, or on the page of a campaign.");
    if let Some(saved) = table.saved(&asked) {
        return Ok(saved);
    }
    drawn(&Cases {
        frame: Frame::new(&console, &visit, "Cases", "/cases"),
        only,
        choices: [("", "not closed"), ("mine", "mine"), ("closed", "closed"), ("all", "all")],
        table: if can_change { table.part(&asked).choice("choose") } else { table.part(&asked) },
        can_change,
        opening: can_change.then(OpeningForm::default),
        people: names(&console).await,
        severities: Severity::ALL,
        states: CaseState::ALL,
    })
}

/// Who may own a case.
async fn names(console: &Console) -> Vec<String> {
    let people = console.admin.registry.people().await;
    let may = people.iter().filter(|person| person.ended.is_none() && person.role >= Role::Analyst);
    may.map(|person| person.name.clone()).collect()
}

#[derive(Debug, Deserialize)]
struct NewCase {
    title: String,
    severity: String,
    #[serde(default)]
    campaign: String,
}

async fn open(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<NewCase>, FormRejection>,
) -> Page {
    let Form(NewCase { title, severity, campaign }) = form?;
    some_words("title", &title)?;
    let severity = severity.parse().map_err(|()| Fault::bad("`severity`: expected low, medium, high or critical"))?;
    let campaigns = if campaign.is_empty() {
        Vec::new()
    } else {
        let findings = console.desk.findings(&console.admin).await?;
        vec![campaign_of(&console.admin, &findings, &campaign)?.campaign.id.clone()]
    };
    let detected = console.admin.detected(&campaigns);
    let (about, now) = ((campaigns, detected), console.admin.clock.now());
    let case = console.registry(&visit).open_case(title, severity, about, visit.name(), now).await?;
    console.sessions.leave(&visit, "The case is open. Nobody owns it yet.".to_owned());
    Ok(Redirect::to(&format!("/cases/{}", case.id)).into_response())
}

#[derive(Template)]
#[template(path = "case.html")]
struct CasePage {
    frame: Frame,
    case: Case,
    due: String,
    opened: String,
    notes: Vec<(String, String, String)>,
    people: Vec<String>,
    severities: &'static [Severity],
    states: &'static [CaseState],
    can_change: bool,
    counted_from: String,
    clocks: Table,
    runs: Vec<ShownRun>,
    playbooks: Vec<(&'static str, String)>,
}

async fn case(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let case = console.admin.registry.case(&id).await?;
    let (from, counted_from) = aware(&console, &case);
    let clocks = clocks(from, console.admin.clock.now(), case.state == CaseState::Closed);
    if let Some(saved) = clocks.saved(&asked) {
        return Ok(saved);
    }
    let notes = case.notes.iter().rev();
    let notes = notes.map(|note| (minute(note.time), note.by.clone(), printable_lines(&note.text))).collect();
    let mut people = names(&console).await;
    people.extend(case.owner.clone().filter(|owner| !people.contains(owner)));
    drawn(&CasePage {
        frame: Frame::new(&console, &visit, printable(&case.title, 200), "/cases"),
        due: case.due.map(minute).unwrap_or_default(),
        opened: minute(case.since),
        notes,
        people,
        severities: Severity::ALL,
        states: CaseState::ALL,
        can_change: visit.may(Role::Analyst),
        counted_from,
        clocks: clocks.part(&asked),
        runs: playbooks::about(&console, &case.id).await?,
        playbooks: playbooks::choices(),
        case,
    })
}

/// From when clocks count, and why: when detection first named a campaign of the case, where one was named, or when the case was opened.
fn aware(console: &Console, case: &Case) -> (Time, String) {
    match case.detected.or_else(|| console.admin.detected(&case.campaigns)) {
        Some(detected) if detected < case.since => {
            (detected, format!("{}, when detection first named a campaign of it", minute(detected)))
        }
        _ => (case.since, format!("{}, when the case was opened", minute(case.since))),
    }
}

/// By when others may have to be told.
fn clocks(from: Time, now: Time, is_closed: bool) -> Table {
    let all = playbook::deadline::shipped();
    let row = |due: &playbook::Due<'_>| {
        let left = due.at.nanos() - now.nanos();
        let hours = left.unsigned_abs() / HOUR;
        let told = if hours < 2 * 24 { counted(hours, "hour") } else { counted(hours / 24, "day") };
        let left = match (left < 0, is_closed) {
            (true, false) => Cell::text(format!("ended {told} ago")).tone("alarm"),
            (true, true) => Cell::text(format!("ended {told} ago")).tone("quiet"),
            (false, _) => Cell::text(told),
        };
        let law = format!("{}, {}", due.deadline.law, due.deadline.place);
        Row::new(
            &due.deadline.id,
            vec![Cell::text(minute(due.at)), left, Cell::text(law), Cell::text(&due.deadline.what)],
        )
    };
    let columns = [Column::text("by"), Column::text("left"), Column::text("law"), Column::text("what")];
    let rows = playbook::deadline::due(&all, from).iter().map(row).collect();
    Table::new("clocks", "By when others may have to be told", &columns, rows)
}

/// A text with its lines, each without what moves a cursor.
fn printable_lines(text: &str) -> String {
    text.lines().map(|line| printable(line, NOTE_BYTES_MAX)).collect::<Vec<_>>().join("\n")
}

/// What is to be different of cases; what is empty stays.
#[derive(Debug, Default, Deserialize)]
struct Change {
    #[serde(default)]
    title: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    severity: String,
    /// A name, or `-` for nobody.
    #[serde(default)]
    owner: String,
    /// A time, or `-` for none.
    #[serde(default)]
    due: String,
    /// Addresses, one a line; `-` for none.
    #[serde(default)]
    links: String,
}

impl Change {
    async fn read(self, console: &Console) -> Result<CaseChange, Fault> {
        let mut read = CaseChange::default();
        if !self.title.trim().is_empty() {
            read.title = Some(self.title);
        }
        if !self.state.is_empty() {
            let state = self.state.parse();
            read.state = Some(state.map_err(|()| Fault::bad("`state`: expected open, working, waiting or closed"))?);
        }
        if !self.severity.is_empty() {
            let severity = self.severity.parse();
            read.severity =
                Some(severity.map_err(|()| Fault::bad("`severity`: expected low, medium, high or critical"))?);
        }
        read.owner = match self.owner.as_str() {
            "" => None,
            "-" => Some(None),
            name => Some(Some(name.to_owned())),
        };
        read.due = match self.due.trim() {
            "" => None,
            "-" => Some(None),
            text => Some(crate::times::typed("due", text)?),
        };
        read.links = match self.links.trim() {
            "" => None,
            "-" => Some(Vec::new()),
            text => Some(lines(text)),
        };
        Ok(read.checked(&console.admin.registry).await?)
    }
}

/// Addresses, one a line.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

async fn change(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    form: Result<Form<Change>, FormRejection>,
) -> Page {
    let Form(mut change) = form?;
    // The form has all of it, so that what is empty is to be none.
    for field in [&mut change.due, &mut change.links] {
        if field.trim().is_empty() {
            "-".clone_into(field);
        }
    }
    let change = change.read(&console).await?;
    let case = console.registry(&visit).change_case(&id, |case| change.apply(case)).await?;
    console.sessions.leave(&visit, "Changed.".to_owned());
    Ok(Redirect::to(&format!("/cases/{}", case.id)).into_response())
}

/// The same change of several cases.
async fn change_many(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Page {
    let Form(fields) = form?;
    let field =
        |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default();
    let chosen = form::chosen(&fields, "case")?;
    let asked =
        Change { state: field("state"), severity: field("severity"), owner: field("owner"), ..Change::default() };
    let change = asked.read(&console).await?;
    for id in &chosen {
        console.admin.registry.case(id).await?;
    }
    let registry = console.registry(&visit);
    for id in &chosen {
        let change = change.clone();
        registry.change_case(id, |case| change.apply(case)).await?;
    }
    console.sessions.leave(&visit, format!("{} changed.", counted(chosen.len() as u64, "case")));
    Ok(Redirect::to("/cases").into_response())
}

#[derive(Debug, Deserialize)]
struct Noted {
    text: String,
}

async fn note(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    form: Result<Form<Noted>, FormRejection>,
) -> Page {
    let Form(Noted { text }) = form?;
    let note = noted(text, visit.name().to_owned(), console.admin.clock.now())?;
    let case = console.registry(&visit).note(&id, note).await?;
    Ok(Redirect::to(&format!("/cases/{}", case.id)).into_response())
}
