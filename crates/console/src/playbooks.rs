//! Playbooks on the page of a case: what is done, what is to be done, and forms that say so.

use std::sync::Arc;

use admin::answer::words as some_words;
use admin::person::Role;
use axum::Extension;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::post;
use playbook::cacao::{Playbook, Step as OfPlaybook, StepKind};
use playbook::limits::NOTE_BYTES_MAX;
use playbook::run::{Done, Outcome, Run};
use playbook::shipped;
use report::words::{minute, printable};
use serde::Deserialize;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::route::{Needs, Route};
use crate::runs::{NotTaken, Said, Step};
use crate::session::Visit;

/// Characters of a text of a playbook that is shown.
const TEXT_CHARS: usize = 1_000;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/cases/{id}/playbooks", Needs::Role(Role::Analyst), post(begin)),
        Route::post("/cases/{id}/playbooks/{run}", Needs::Role(Role::Analyst), post(step)),
    ]
}

/// A playbook that somebody walks through, as it is shown.
pub(crate) struct ShownRun {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) begun: String,
    pub(crate) is_over: bool,
    pub(crate) done: Vec<ShownDone>,
    pub(crate) next: Vec<ShownStep>,
}

/// A step that is done.
pub(crate) struct ShownDone {
    pub(crate) at: String,
    pub(crate) by: String,
    pub(crate) name: String,
    pub(crate) outcome: &'static str,
    pub(crate) note: String,
}

/// A step that is to be done.
pub(crate) struct ShownStep {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    /// What is done by hand.
    pub(crate) manual: Vec<String>,
    /// What is typed somewhere, which nobody runs here.
    pub(crate) typed: Vec<String>,
    /// What is asked, where it is a question.
    pub(crate) question: String,
}

/// The playbooks that can be begun, each with its name.
pub(crate) fn choices() -> Vec<(&'static str, String)> {
    shipped::all().into_iter().map(|(name, playbook)| (name, plain(&playbook.name))).collect()
}

/// Those that are walked through for a case, the latest first.
pub(crate) async fn about(console: &Arc<Console>, case: &str) -> Result<Vec<ShownRun>, Fault> {
    let (there, case) = (Arc::clone(console), case.to_owned());
    let runs = tokio::task::spawn_blocking(move || there.runs.about(&case)).await.map_err(broken)?.map_err(broken)?;
    Ok(runs.iter().rev().map(|(run, playbook)| shown(run, playbook)).collect())
}

fn shown(run: &Run, playbook: &Playbook) -> ShownRun {
    let done = |done: &Done| {
        let step = playbook.step(&done.step);
        let is_question = step.is_some_and(|step| matches!(step.kind, StepKind::Condition { .. }));
        ShownDone {
            at: minute(done.at),
            by: plain(&done.by),
            name: step.map(|step| plain(&step.name)).unwrap_or_default(),
            outcome: match (done.outcome, is_question) {
                (Outcome::Done, false) => "done",
                (Outcome::Failed, false) => "failed",
                (Outcome::Done, true) => "yes",
                (Outcome::Failed, true) => "no",
            },
            note: printable(&done.note, NOTE_BYTES_MAX),
        }
    };
    let next = run.next().into_iter().filter_map(|id| Some(to_do(id, playbook.step(id)?)));
    ShownRun {
        id: run.id.clone(),
        name: plain(&playbook.name),
        begun: format!("{} by {}", minute(run.since), plain(&run.by)),
        is_over: run.is_over(),
        done: run.done.iter().map(done).collect(),
        next: next.collect(),
    }
}

fn to_do(id: &str, step: &OfPlaybook) -> ShownStep {
    let mut shown = ShownStep {
        id: id.to_owned(),
        name: plain(&step.name),
        description: plain(&step.description),
        manual: Vec::new(),
        typed: Vec::new(),
        question: String::new(),
    };
    match &step.kind {
        StepKind::Action { commands, .. } => {
            for command in commands {
                let told = if command.kind == "manual" { &mut shown.manual } else { &mut shown.typed };
                told.push(plain(&command.command));
            }
        }
        StepKind::Condition { condition, .. } => shown.question = plain(condition),
        _ => {}
    }
    shown
}

fn plain(text: &str) -> String {
    printable(text, TEXT_CHARS)
}

#[derive(Debug, Deserialize)]
struct Beginning {
    playbook: String,
    reason: String,
}

async fn begin(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    form: Result<Form<Beginning>, FormRejection>,
) -> Page {
    let Form(Beginning { playbook, reason }) = form?;
    some_words("reason", &reason)?;
    let case = console.admin.registry.case(&id).await?.id;
    let said = said(&console, &visit, Some(reason));
    let (there, about) = (Arc::clone(&console), case.clone());
    let begun = tokio::task::spawn_blocking(move || there.runs.begin(&playbook, &about, said)).await;
    begun.map_err(broken)?.map_err(not_taken)?;
    Ok(Redirect::to(&format!("/cases/{case}#playbooks")).into_response())
}

#[derive(Debug, Deserialize)]
struct Stepped {
    step: String,
    /// `done` or `failed`; of a question, for yes and no.
    outcome: String,
    #[serde(default)]
    note: String,
}

async fn step(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path((id, run)): Path<(String, String)>,
    form: Result<Form<Stepped>, FormRejection>,
) -> Page {
    let Form(Stepped { step, outcome, note }) = form?;
    let outcome = match outcome.as_str() {
        "done" => Outcome::Done,
        "failed" => Outcome::Failed,
        _ => return Err(Fault::bad("`outcome`: expected done or failed")),
    };
    let note = note.trim().to_owned();
    let case = console.admin.registry.case(&id).await?.id;
    let said = said(&console, &visit, Some(note.clone()).filter(|note| !note.is_empty()));
    let (there, about) = (Arc::clone(&console), case.clone());
    let step = Step { id: step, outcome, note };
    let stepped = tokio::task::spawn_blocking(move || there.runs.step(&about, &run, step, said)).await;
    stepped.map_err(broken)?.map_err(not_taken)?;
    Ok(Redirect::to(&format!("/cases/{case}#playbooks")).into_response())
}

fn said(console: &Console, visit: &Visit, reason: Option<String>) -> Said {
    Said { by: visit.name().to_owned(), at: console.admin.clock.now(), reason }
}

fn broken(why: impl std::fmt::Display) -> Fault {
    Fault::new(StatusCode::SERVICE_UNAVAILABLE, format!("playbooks cannot be read or kept: {why}"))
}

fn not_taken(not_taken: NotTaken) -> Fault {
    match not_taken {
        NotTaken::Refused(why) => Fault::bad(why),
        NotTaken::Failed(why) => broken(why),
    }
}
