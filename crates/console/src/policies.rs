//! Policies: the Cedar text that holds, and another one, checked, compared and tried on recorded requests before it is applied; versions, and going back to one.

use std::sync::Arc;

use admin::person::Role;
use admin::version::Version;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use policy::Policies;
use policy::comparison::{Compared, Comparison, Got};
use policy::policies::{BadPolicies, DEFAULT};
use report::words::{counted, either, encoded, grouped, minute};
use serde::Deserialize;

use crate::context::{Console, Trial};
use crate::fault::{Fault, Page};
use crate::frame::Frame;
use crate::limits::{ACCOUNTS_TRIED_MAX, TRIED_DAYS_MAX};
use crate::route::{Needs, Route};
use crate::session::Visit;
use crate::table::{Asked, Cell, Column, Row, Table};
use crate::times;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/policies", Needs::Role(Role::Viewer), get(policies)),
        Route::post("/policies", Needs::Role(Role::Admin), post(change)),
    ]
}

#[derive(Template)]
#[template(path = "policies.html")]
struct PoliciesPage {
    frame: Frame,
    source: &'static str,
    count: String,
    text: String,
    draft: Option<String>,
    problems: Vec<String>,
    difference: Vec<Line>,
    is_checked: bool,
    can_change: bool,
    days: u16,
    /// What recorded requests would have got.
    trial: Option<Tried>,
    versions: Table,
}

/// What recorded requests would have got.
struct Tried {
    sentence: String,
    sums: Vec<[String; 4]>,
    accounts: Table,
    notes: Vec<String>,
}

/// A line of a difference.
struct Line {
    /// `gone` or `new`.
    kind: &'static str,
    sign: char,
    text: String,
}

async fn page(console: &Console, visit: &Visit) -> PoliciesPage {
    let (policies, are_applied) = console.admin.registry.policies().await;
    PoliciesPage {
        frame: Frame::new(console, visit, "Policies", "/policies"),
        source: if are_applied { "applied by a person" } else { "those that Stillwatch comes with" },
        count: format!("{} {}", grouped(policies.len() as u64), either(policies.len() as u64, "policy", "policies")),
        text: policies.text().to_string(),
        draft: None,
        problems: Vec::new(),
        difference: Vec::new(),
        is_checked: false,
        can_change: visit.may(Role::Admin),
        days: DAYS,
        trial: None,
        versions: versions(&console.admin.registry.policy_versions().await),
    }
}

/// Days of which requests are tried, where nobody says another number.
const DAYS: u16 = 7;

fn versions(versions: &[Version]) -> Table {
    let row = |version: &Version| {
        let number = version.number.to_string();
        let what = match &version.text {
            Some(text) => counted(text.lines().count() as u64, "line"),
            None => "those that Stillwatch comes with".to_owned(),
        };
        let cells = vec![
            Cell::text(format!("version {number}")).to(format!("/policies?version={number}")),
            Cell::text(minute(version.since)),
            Cell::text(&version.by),
            Cell::text(what),
        ];
        Row::new(&number, cells)
    };
    let columns = [Column::text("version"), Column::text("applied"), Column::text("by"), Column::text("what")];
    Table::new("versions", "Versions, the latest first", &columns, versions.iter().map(row).collect())
        .or("Nobody applied policies yet; those that Stillwatch comes with hold.")
}

/// Which version is looked at.
#[derive(Debug, Default, Deserialize)]
struct Looked {
    #[serde(default)]
    version: String,
    #[serde(flatten)]
    asked: Asked,
}

async fn policies(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Looked>, QueryRejection>,
) -> Page {
    let Query(Looked { version, asked }) = query?;
    let page = page(&console, &visit).await;
    if let Some(saved) = page.versions.saved(&asked) {
        return Ok(saved);
    }
    let page = PoliciesPage { versions: page.versions.part(&asked), ..page };
    if version.is_empty() {
        return shown(&page, StatusCode::OK);
    }
    let number: u64 = version.parse().map_err(|_| Fault::bad("`version`: expected a number"))?;
    let versions = console.admin.registry.policy_versions().await;
    let known = versions.into_iter().find(|known| known.number == number);
    let known = known.ok_or_else(|| Fault::missing(format!("version {number} is not kept any more")))?;
    let text = known.text.unwrap_or_else(|| DEFAULT.to_owned());
    shown(&checked(page, text), StatusCode::OK)
}

/// The page with a draft that was checked.
fn checked(page: PoliciesPage, text: String) -> PoliciesPage {
    let problems = match Policies::parse(&text) {
        Ok(_) => Vec::new(),
        Err(BadPolicies(problems)) => problems.iter().map(ToString::to_string).collect(),
    };
    let difference = difference(&page.text, &text);
    PoliciesPage { draft: Some(text), problems, difference, is_checked: true, ..page }
}

fn shown(page: &PoliciesPage, status: StatusCode) -> Result<Response, Fault> {
    Ok((status, Html(page.render()?)).into_response())
}

#[derive(Debug, Deserialize)]
struct Draft {
    #[serde(default)]
    text: String,
    /// `check`, `try`, `apply` or `default`.
    what: String,
    /// Of how many days requests are tried.
    #[serde(default)]
    days: String,
}

async fn change(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<Draft>, FormRejection>,
) -> Page {
    let Form(Draft { text, what, days }) = form?;
    // Browsers send lines that end as on a typewriter.
    let text = text.replace("\r\n", "\n");
    let text = if what == "default" { DEFAULT.to_owned() } else { text };
    let page = checked(page(&console, &visit).await, text);
    let text = page.draft.as_deref().unwrap_or_default();
    let is_usable = page.problems.is_empty();
    if is_usable && (what == "apply" || what == "default") {
        let text = (what != "default").then_some(text);
        let now = console.admin.clock.now();
        console.registry(&visit).put_policies(text, visit.name(), now).await?;
        console.sessions.leave(&visit, "The policies hold from now on.".to_owned());
        return Ok(Redirect::to("/policies").into_response());
    }
    if is_usable && what == "try" {
        let days = times::days(&days, TRIED_DAYS_MAX)?;
        let trial = Some(tried(&console, text, days).await?);
        return shown(&PoliciesPage { trial, days, ..page }, StatusCode::OK);
    }
    let status = if is_usable { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    shown(&page, status)
}

/// Tries policies on what was recorded.
async fn tried(console: &Arc<Console>, text: &str, days: u16) -> Result<Tried, Fault> {
    let then = Policies::parse(text).map_err(|_| Fault::bad("these policies cannot be used"))?;
    let admin = &console.admin;
    let at = admin.clock.now();
    let trial = Trial {
        directory: admin.registry.directory().await,
        now: admin.registry.policies().await.0,
        then: Arc::new(then),
        since: times::later(at, -i64::from(days)),
        at,
    };
    let there = Arc::clone(console);
    let broken =
        |why: String| Fault::new(StatusCode::SERVICE_UNAVAILABLE, format!("recorded requests cannot be read: {why}"));
    let compared = tokio::task::spawn_blocking(move || there.records.simulate(trial)).await;
    let comparison = compared.map_err(|error| broken(error.to_string()))?.map_err(broken)?;
    let Comparison { total, left_out, is_cut, .. } = &comparison;
    let different = comparison.different();
    let requests = total.now.allowed.saturating_add(total.now.refused);
    let sums =
        |name: &str, got: Got| [name.to_owned(), grouped(got.allowed), grouped(got.held_back), grouped(got.refused)];
    let mut notes = Vec::new();
    if *is_cut {
        notes.push("There are earlier requests, which were not looked at: it would have taken too long.".to_owned());
    }
    if *left_out > 0 {
        notes.push(format!(
            "{} {} left out: cut off, or of accounts or calls that are not known.",
            counted(*left_out, "record"),
            either(*left_out, "was", "were")
        ));
    }
    Ok(Tried {
        sentence: format!(
            "Of {} of the last {}, {} would have got something else, of {}.",
            counted(requests, "request"),
            counted(u64::from(days), "day"),
            grouped(total.different),
            counted(different.len() as u64, "account"),
        ),
        sums: vec![sums("as they hold", total.now), sums("as they are here", total.then)],
        accounts: affected(&different),
        notes,
    })
}

fn affected(different: &[(&str, &Compared)]) -> Table {
    let row = |(id, compared): &(&str, &Compared)| {
        let cells = vec![
            Cell::text(*id).to(format!("/accounts/{}", encoded(id))),
            Cell::number(compared.different),
            Cell::number(compared.now.refused),
            Cell::number(compared.then.refused),
            Cell::number(compared.now.held_back),
            Cell::number(compared.then.held_back),
        ];
        Row::new(*id, cells)
    };
    let columns = [
        Column::text("account"),
        Column::number("different"),
        Column::number("refused now"),
        Column::number("refused then"),
        Column::number("held back now"),
        Column::number("held back then"),
    ];
    let rows = different.iter().take(ACCOUNTS_TRIED_MAX).map(row).collect();
    let caption = match different.len() {
        many if many > ACCOUNTS_TRIED_MAX => {
            format!("The {ACCOUNTS_TRIED_MAX} accounts with most of them; stillwatch policy simulate tells all")
        }
        _ => "Accounts whose requests would have got something else".to_owned(),
    };
    Table::new("affected", &caption, &columns, rows).or("No request would have got anything else.").answer()
}

/// What is different between two texts, without the lines that both begin and end with.
fn difference(old: &str, new: &str) -> Vec<Line> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let front = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
    let rest = old.len().min(new.len()) - front;
    let back = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(one, other)| one == other).count();
    let middle = |lines: &[&str]| -> Vec<String> {
        lines.get(front..lines.len() - back).unwrap_or_default().iter().map(|line| (*line).to_owned()).collect()
    };
    let line = |kind, sign| move |text: String| Line { kind, sign, text };
    middle(&old).into_iter().map(line("gone", '−')).chain(middle(&new).into_iter().map(line("new", '+'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_what_is_gone_and_what_is_new() {
        let told = |old: &str, new: &str| -> Vec<String> {
            difference(old, new).iter().map(|line| format!("{}{}", line.sign, line.text)).collect()
        };
        assert_eq!(told("a\nb\nc", "a\nx\nc"), ["−b", "+x"]);
        assert_eq!(told("a\na", "a"), ["−a"]);
        assert_eq!(told("a", "a\na\nb"), ["+a", "+b"]);
        assert!(told("a\nb", "a\nb").is_empty());
    }
}
