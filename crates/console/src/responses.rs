//! Responses: what is in force, by whom and until when; taking one, approving it, undoing it; and appeals against them.

use std::sync::Arc;

use admin::answer::words;
use admin::person::Role;
use admin::responses::{NewResponse, state};
use askama::Template;
use axum::Extension;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form as Filled, Path, Query, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use exchange::{Assurance, Time};
use policy::amount::{Per, Unit};
use policy::appeal::{Appeal, Ruling};
use policy::response::{Budget, Joiners, Target, Undone};
use policy::{AccountId, AppealId, Response, ResponseId, Rung};
use report::words::{counted, encoded, minute, printable};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::frame::{Frame, drawn};
use crate::route::{Needs, Route};
use crate::session::Visit;
use crate::table::{Asked, Cell, Column, Row, Table};
use crate::words::{rung, word};

const HOUR: i64 = 3_600_000_000_000;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/responses", Needs::Role(Role::Viewer), get(responses)),
        Route::post("/responses", Needs::Role(Role::Responder), post(respond)),
        Route::get("/responses/{id}", Needs::Role(Role::Viewer), get(response)),
        Route::post("/responses/{id}/approve", Needs::Role(Role::Responder), post(approve)),
        Route::post("/responses/{id}/undo", Needs::Role(Role::Responder), post(undo)),
        Route::post("/appeals", Needs::Role(Role::Analyst), post(open_appeal)),
        Route::post("/appeals/{id}", Needs::Role(Role::Responder), post(decide_appeal)),
    ]
}

/// The form by which something is done about an account or a campaign.
pub(crate) struct Form {
    /// `account` or `campaign`.
    pub(crate) kind: &'static str,
    pub(crate) target: String,
}

impl Form {
    pub(crate) fn to_campaign(id: &str) -> Form {
        Form { kind: "campaign", target: id.to_owned() }
    }

    pub(crate) fn to_account(id: &str) -> Form {
        Form { kind: "account", target: id.to_owned() }
    }
}

/// Responses that are asked for, the latest first.
pub(crate) async fn response_table(console: &Console, is_asked: impl Fn(&Response) -> bool) -> Table {
    let now = console.admin.clock.now();
    let mut all = console.admin.registry.responses().await;
    all.retain(|(response, _)| is_asked(response));
    all.sort_by_key(|(response, _)| std::cmp::Reverse((response.undone.is_none(), response.since)));
    let row = |(response, accounts): &(Arc<Response>, u64)| {
        let stands = state(response, now);
        let tone = match stands {
            "holds" => "calm",
            "waits" => "alarm",
            _ => "quiet",
        };
        let cells = vec![
            Cell::text(rung(response.rung)).to(format!("/responses/{}", response.id)),
            Cell::text(in_words(stands)).tone(tone),
            target_cell(&response.target),
            Cell::number(*accounts),
            Cell::text(&response.author),
            Cell::text(minute(response.since)),
            Cell::text(response.until.map_or_else(|| "no end".to_owned(), minute)),
            Cell::text(&response.reason),
        ];
        Row::new(response.id.as_str(), cells)
    };
    let columns = [
        Column::text("what"),
        Column::text("state"),
        Column::text("about"),
        Column::number("accounts"),
        Column::text("by"),
        Column::text("since"),
        Column::text("until"),
        Column::text("why"),
    ];
    Table::new("responses", "Responses, those that are not undone first", &columns, all.iter().map(row).collect())
}

fn target_cell(target: &Target) -> Cell {
    match target {
        Target::Account(account) => Cell::text(account.as_str()).to(format!("/accounts/{}", encoded(account.as_str()))),
        Target::Campaign(campaign) => Cell::text(campaign).to(format!("/campaigns/{campaign}")),
    }
}

/// How a response stands, in words.
fn in_words(state: &str) -> &str {
    match state {
        "waits" => "waits for a second person",
        "shadow" => "only tells (shadow)",
        "later" => "begins later",
        other => other,
    }
}

/// Appeals that are asked for, those that wait first.
pub(crate) async fn appeal_table(console: &Console, is_asked: impl Fn(&Appeal) -> bool) -> Table {
    let mut all = console.admin.registry.appeals().await;
    all.retain(|appeal| is_asked(appeal));
    all.sort_by_key(|appeal| (appeal.ruling.is_some(), std::cmp::Reverse(appeal.since)));
    let row = |appeal: &Appeal| {
        let decided = match &appeal.ruling {
            None => Cell::text("waits").tone("alarm"),
            Some(Ruling { upheld, author, .. }) => {
                Cell::text(format!("{} by {author}", if *upheld { "upheld" } else { "rejected" }))
            }
        };
        let cells = vec![
            Cell::text(appeal.id.as_str()),
            Cell::text(appeal.account.as_str()).to(format!("/accounts/{}", encoded(appeal.account.as_str()))),
            decided,
            Cell::text(minute(appeal.since)),
            Cell::text(&appeal.author),
            Cell::text(&appeal.text),
            Cell::text(appeal.ruling.as_ref().map_or("", |ruling| ruling.reason.as_str())),
        ];
        Row::new(appeal.id.as_str(), cells)
    };
    let columns = [
        Column::text("appeal"),
        Column::text("account"),
        Column::text("decided"),
        Column::text("since"),
        Column::text("entered by"),
        Column::text("what it says"),
        Column::text("why"),
    ];
    Table::new("appeals", "Appeals, those that wait first", &columns, all.iter().map(row).collect())
        .or("Nobody appealed.")
}

#[derive(Template)]
#[template(path = "responses.html")]
struct Responses {
    frame: Frame,
    responses: Table,
    appeals: Table,
}

async fn responses(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let responses = response_table(&console, |_| true)
        .await
        .or("Nothing was done about anybody yet. Responses are taken on the page of a campaign or an account.");
    let appeals = appeal_table(&console, |_| true).await;
    if let Some(saved) = responses.saved(&asked).or_else(|| appeals.saved(&asked)) {
        return Ok(saved);
    }
    let frame = Frame::new(&console, &visit, "Responses", "/responses");
    drawn(&Responses { frame, responses: responses.part(&asked), appeals: appeals.part(&asked) })
}

/// A response as it is filled in.
#[derive(Debug, Deserialize)]
struct Taken {
    kind: String,
    target: String,
    rung: String,
    #[serde(default)]
    assurance: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    per: String,
    #[serde(default)]
    probability: String,
    #[serde(default)]
    joiners: String,
    #[serde(default)]
    shadow: String,
    #[serde(default)]
    hours: String,
    reason: String,
}

fn one_of<T: DeserializeOwned>(field: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_value(json!(text)).map_err(|error| Fault::bad(format!("`{field}`: {error}")))
}

fn number<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Fault> {
    text.trim().parse().map_err(|_| Fault::bad(format!("`{field}`: `{text}` is no number; expected a whole one")))
}

impl Taken {
    fn response(self, now: Time, author: &str) -> Result<NewResponse, Fault> {
        let target = match self.kind.as_str() {
            "campaign" => Target::Campaign(self.target),
            "account" => Target::Account(admin::answer::id::<AccountId>(&self.target)?),
            _ => return Err(Fault::bad("`kind`: expected `campaign` or `account`")),
        };
        let rung: Rung = one_of("what is done", &self.rung)?;
        let assurance = if rung == Rung::Verify { one_of("assurance", &self.assurance)? } else { Assurance::None };
        let budget = if rung == Rung::ShareBudget {
            let (unit, per): (Unit, Per) = (one_of("unit", &self.unit)?, one_of("per", &self.per)?);
            Some(Budget { unit, amount: number("amount", &self.amount)?, per })
        } else {
            None
        };
        let probability =
            if self.probability.is_empty() { None } else { Some(number("probability", &self.probability)?) };
        let until = if self.hours.trim().is_empty() {
            None
        } else {
            let hours: u32 = number("hours", &self.hours)?;
            Some(Time::from_nanos(now.nanos().saturating_add(i64::from(hours).saturating_mul(HOUR))))
        };
        Ok(NewResponse {
            target,
            rung,
            assurance,
            budget,
            probability,
            joiners: if self.joiners == "inherit" { Joiners::Inherit } else { Joiners::Leave },
            shadow: !self.shadow.is_empty(),
            until,
            reason: self.reason,
            author: author.to_owned(),
        })
    }
}

async fn respond(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Filled<Taken>, FormRejection>,
) -> Page {
    let Filled(taken) = form?;
    let new = taken.response(console.admin.clock.now(), visit.name())?;
    let (response, accounts) = admin::responses::take(&console.admin, new).await?;
    let told = match state(&response, console.admin.clock.now()) {
        "waits" => {
            "It blocks more accounts than one person may. It does nothing until a second person approves it.".to_owned()
        }
        "shadow" => format!(
            "From now on it is told what this would do to {}; nothing else changes.",
            counted(accounts, "account")
        ),
        _ => format!("Done: {} from now on: {}.", counted(accounts, "account"), rung(response.rung)),
    };
    console.sessions.leave(&visit, told);
    Ok(Redirect::to(&format!("/responses/{}", response.id)).into_response())
}

#[derive(Template)]
#[template(path = "response.html")]
struct ResponsePage {
    frame: Frame,
    id: String,
    what: &'static str,
    state: String,
    facts: Vec<(&'static str, String)>,
    about: (String, String),
    accounts: Table,
    can_undo: bool,
    can_approve: bool,
    is_own: bool,
}

async fn response(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let (response, covered) = console.admin.registry.response(&admin::answer::id::<ResponseId>(&id)?).await?;
    let row = |account: &AccountId| {
        let cell = Cell::text(account.as_str()).to(format!("/accounts/{}", encoded(account.as_str())));
        Row::new(account.as_str(), vec![cell])
    };
    let table =
        Table::new("covered", "Accounts that it covers", &[Column::text("account")], covered.iter().map(row).collect())
            .or("It covers nobody.");
    if let Some(saved) = table.saved(&asked) {
        return Ok(saved);
    }
    let stands = state(&response, console.admin.clock.now());
    let about = match &response.target {
        Target::Account(account) => (account.to_string(), format!("/accounts/{}", encoded(account.as_str()))),
        Target::Campaign(campaign) => (campaign.clone(), format!("/campaigns/{campaign}")),
    };
    let may = visit.may(Role::Responder);
    drawn(&ResponsePage {
        frame: Frame::new(&console, &visit, format!("Response {id}"), "/responses"),
        what: rung(response.rung),
        state: in_words(stands).to_owned(),
        facts: facts(&response),
        about,
        accounts: table.part(&asked),
        can_undo: may && response.undone.is_none() && stands != "over",
        can_approve: may && stands == "waits",
        is_own: response.author == visit.name(),
        id,
    })
}

/// What a response says of itself.
fn facts(response: &Response) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("taken by", response.author.clone()),
        ("why", response.reason.clone()),
        ("since", minute(response.since)),
        ("until", response.until.map_or_else(|| "no end".to_owned(), minute)),
    ];
    let mut fact = |name, value| facts.push((name, value));
    if matches!(response.target, Target::Campaign(_)) {
        fact("covers who takes part with", format!("{} % or more", response.probability));
        let joiners = if response.joiners == Joiners::Inherit { "are covered as well" } else { "are left alone" };
        fact("accounts that join later", joiners.to_owned());
    }
    if response.rung == Rung::Verify {
        fact("lifted by", word(&response.assurance));
    }
    if let Some(Budget { unit, amount, per }) = &response.budget {
        fact("budget", format!("{amount} {} per {}", word(unit), word(per)));
    }
    match &response.approval {
        policy::response::Approval::By(name) => fact("approved by", name.clone()),
        policy::response::Approval::Wanted => fact("approved by", "nobody yet".to_owned()),
        policy::response::Approval::Needless => {}
    }
    if let Some(Undone { time, author, reason }) = &response.undone {
        fact("undone", format!("{} by {author}: {reason}", minute(*time)));
    }
    facts.into_iter().map(|(name, value)| (name, printable(&value, 2_000))).collect()
}

async fn approve(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
) -> Page {
    let response = admin::answer::id::<ResponseId>(&id)?;
    console.registry(&visit).approve_response(&response, visit.name()).await?;
    console.sessions.leave(&visit, "Approved: it holds from now on.".to_owned());
    Ok(Redirect::to(&format!("/responses/{response}")).into_response())
}

#[derive(Debug, Deserialize)]
struct Reason {
    reason: String,
}

async fn undo(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    form: Result<Filled<Reason>, FormRejection>,
) -> Page {
    let Filled(Reason { reason }) = form?;
    words("reason", &reason)?;
    let response = admin::answer::id::<ResponseId>(&id)?;
    let undone = Undone { time: console.admin.clock.now(), author: visit.name().to_owned(), reason };
    console.registry(&visit).undo_response(&response, undone).await?;
    console.sessions.leave(
        &visit,
        "Undone: it holds for nobody any more. Other responses to the same accounts hold as before.".to_owned(),
    );
    Ok(Redirect::to(&format!("/responses/{response}")).into_response())
}

#[derive(Debug, Deserialize)]
struct NewAppeal {
    account: String,
    text: String,
}

async fn open_appeal(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Filled<NewAppeal>, FormRejection>,
) -> Page {
    let Filled(NewAppeal { account, text }) = form?;
    words("what it says", &text)?;
    let account = admin::answer::id::<AccountId>(&account)?;
    let (author, now) = (visit.name().to_owned(), console.admin.clock.now());
    console.registry(&visit).open_appeal(account.clone(), text, author, now).await?;
    console.sessions.leave(&visit, "The appeal is entered, and waits for a decision.".to_owned());
    Ok(Redirect::to(&format!("/accounts/{}", encoded(account.as_str()))).into_response())
}

#[derive(Debug, Deserialize)]
struct Decided {
    ruling: String,
    reason: String,
}

async fn decide_appeal(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    form: Result<Filled<Decided>, FormRejection>,
) -> Page {
    let Filled(Decided { ruling, reason }) = form?;
    words("reason", &reason)?;
    let upheld = match ruling.as_str() {
        "uphold" => true,
        "reject" => false,
        _ => return Err(Fault::bad("`ruling`: expected `uphold` or `reject`")),
    };
    let ruling = Ruling { upheld, author: visit.name().to_owned(), reason, time: console.admin.clock.now() };
    let appeal = console.registry(&visit).decide_appeal(&admin::answer::id::<AppealId>(&id)?, ruling).await?;
    let told = if upheld {
        "Upheld: the account is cleared, and what was taken against it alone is undone."
    } else {
        "Rejected: the account is not cleared. What an earlier decision undid stays undone."
    };
    console.sessions.leave(&visit, told.to_owned());
    Ok(Redirect::to(&format!("/accounts/{}", encoded(appeal.account.as_str()))).into_response())
}
