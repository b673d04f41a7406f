//! The page of a drill: what has arrived, and forms to answer it.
//!
//! Promises that only whoever was given its address sees and answers anything: the address has a part that nobody can guess.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use drill::exercise::Question;
use drill::moment::clock;
use drill::run::Arrived;
use report::words::{minute, printable};
use serde::Deserialize;
use verify::hash::to_hex;

use super::playing::Playing;
use super::words;
use crate::failure::Failure;

/// Bytes of the part of the address that nobody can guess.
const TOKEN_BYTES: usize = 16;
/// Characters of a text that is shown.
const TEXT_CHARS: usize = 8_000;
const SCRIPT: &str = include_str!("../../../templates/room.js");
/// Nothing from elsewhere, and nothing that an exercise says is run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// The page of a drill.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) playing: Arc<Playing>,
    /// Where the team works.
    pub(super) console: String,
    /// Who takes part, each with the password to sign in with first.
    pub(super) people: Vec<(String, String)>,
    /// Where the report will be.
    pub(super) report: String,
    /// The part of the address that nobody can guess, with a slash before it.
    pub(super) base: String,
}

/// An address that nobody can guess.
pub(super) fn unguessable() -> Result<String, Failure> {
    let mut bytes = [0; TOKEN_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Failure::service("the machine gives no random bytes"))?;
    Ok(format!("/{}", to_hex(&bytes)))
}

/// What it serves.
pub(super) fn router(room: Arc<Room>) -> Router {
    let at = |path: &str| format!("{}/{path}", room.base);
    let base = at("");
    Router::new()
        .route(&room.base, get(async move || Redirect::to(&base)))
        .route(&at(""), get(page))
        .route(&at("room.js"), get(async || ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)))
        .route(&at("changes"), get(changes))
        .route(&at("answer"), post(answer))
        .route(&at("end"), post(end))
        .with_state(room)
}

#[derive(Template)]
#[template(path = "room.html")]
struct Page<'a> {
    title: String,
    subtitle: String,
    base: &'a str,
    state: String,
    is_over: bool,
    is_answered: bool,
    is_tutorial: bool,
    clock: String,
    takes: String,
    staging: String,
    console: &'a str,
    people: &'a [(String, String)],
    problem: String,
    /// How many injects wait for something.
    open: usize,
    seconds: f64,
    /// Where the report will be.
    report: &'a str,
    /// What was answered last.
    last: Option<Shown>,
    injects: Vec<Shown>,
}

/// An inject, as it is shown.
struct Shown {
    id: String,
    title: String,
    from: String,
    at: String,
    paragraphs: Vec<String>,
    within: String,
    asks: Asks,
}

enum Asks {
    Nothing,
    Question(Asked),
    ToBeDone(&'static str),
    Answered(Answered),
}

struct Asked {
    options: Vec<String>,
    is_number: bool,
}

struct Answered {
    at: String,
    by: String,
    said: String,
    verdict: &'static str,
    class: &'static str,
    expected: String,
    why: String,
}

impl Shown {
    fn is_open(&self) -> bool {
        matches!(self.asks, Asks::Question(_) | Asks::ToBeDone(_))
    }

    fn of(arrived: &Arrived, deadline: Option<f64>) -> Shown {
        let inject = &arrived.inject;
        let plain = |text: &str| printable(text, TEXT_CHARS);
        let asks = match (&inject.ask, &arrived.answered) {
            (None, _) => Asks::Nothing,
            (Some(ask), Some(answered)) => Asks::Answered(Answered {
                at: answered.at.clock(),
                by: plain(&answered.by),
                said: plain(&answered.said),
                verdict: match (answered.is_right, answered.is_in_time) {
                    (None, _) => "",
                    (Some(false), _) => "Not right.",
                    (Some(true), true) => "Right.",
                    (Some(true), false) => "Right, but late.",
                },
                class: if answered.is_right == Some(false) { "wrong" } else { "right" },
                expected: if answered.is_right == Some(false) { plain(&answered.expected) } else { String::new() },
                why: plain(&ask.why),
            }),
            (Some(ask), None) => match &ask.question {
                Question::Do(milestone) => Asks::ToBeDone(words::to_be_done(*milestone)),
                Question::Choice { options, .. } => Asks::Question(Asked {
                    options: options.iter().map(|option| plain(option)).collect(),
                    is_number: false,
                }),
                Question::Number { .. } => Asks::Question(Asked { options: Vec::new(), is_number: true }),
                Question::Words => Asks::Question(Asked { options: Vec::new(), is_number: false }),
            },
        };
        Shown {
            id: inject.id.clone(),
            title: plain(&inject.title),
            from: plain(&inject.from),
            at: arrived.at.clock(),
            paragraphs: words::paragraphs(&inject.text).map(|paragraph| plain(&paragraph)).collect(),
            within: deadline.map_or_else(String::new, |until| format!("Until {}.", clock(until))),
            asks,
        }
    }
}

/// By what a page knows that something changed.
fn state(playing: &Playing) -> String {
    let is_over = playing.is_over();
    let run = playing.run();
    let answered = run.arrived().iter().filter(|arrived| arrived.answered.is_some()).count();
    format!("{}.{answered}.{is_over}", run.arrived().len())
}

async fn changes(State(room): State<Arc<Room>>) -> String {
    state(&room.playing)
}

async fn page(State(room): State<Arc<Room>>) -> Response {
    shown(&room, StatusCode::OK, String::new())
}

fn shown(room: &Room, status: StatusCode, problem: String) -> Response {
    let (now, state) = (room.playing.now(), state(&room.playing));
    let run = room.playing.run();
    let injects: Vec<Shown> =
        run.arrived().iter().rev().map(|arrived| Shown::of(arrived, run.deadline(arrived))).collect();
    // In the order of answers, of which the last is told at the top.
    let last = run.arrived().iter().filter_map(|arrived| Some((arrived.answered.as_ref()?.at.seconds, arrived)));
    let last = last.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, arrived)| Shown::of(arrived, None));
    let page = Page {
        last,
        seconds: now.seconds,
        report: &room.report,
        title: printable(&run.exercise().title, TEXT_CHARS),
        subtitle: printable(&run.exercise().teaches, TEXT_CHARS),
        base: &room.base,
        state,
        is_over: room.playing.is_over(),
        is_answered: run.is_answered(),
        is_tutorial: run.exercise().is_tutorial,
        clock: clock(now.seconds),
        takes: clock(room.playing.takes().as_secs_f64()),
        staging: minute(now.staging),
        console: &room.console,
        people: &room.people,
        problem,
        open: injects.iter().filter(|inject| inject.is_open()).count(),
        injects,
    };
    let rendered = page.render();
    drop(run);
    match rendered {
        Ok(html) => {
            (status, [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")], Html(html))
                .into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    inject: String,
    said: String,
    by: String,
}

async fn answer(State(room): State<Arc<Room>>, Form(answer): Form<Answer>) -> Response {
    if room.playing.is_over() {
        return shown(&room, StatusCode::CONFLICT, "The drill is over.".to_owned());
    }
    // Whoever takes part answers, and nobody else.
    if !room.people.iter().any(|(name, _)| *name == answer.by) {
        return shown(
            &room,
            StatusCode::UNPROCESSABLE_ENTITY,
            "The answer was not taken: expected a name of the team.".to_owned(),
        );
    }
    let now = room.playing.now();
    let taken = room.playing.run().answer(now, &answer.inject, &answer.by, &answer.said);
    match taken {
        Ok(_) => Redirect::to(&format!("{}/", room.base)).into_response(),
        Err(not_taken) => {
            let problem = printable(&format!("The answer was not taken: {not_taken}."), TEXT_CHARS);
            shown(&room, StatusCode::UNPROCESSABLE_ENTITY, problem)
        }
    }
}

async fn end(State(room): State<Arc<Room>>) -> Response {
    room.playing.end();
    Redirect::to(&format!("{}/", room.base)).into_response()
}
