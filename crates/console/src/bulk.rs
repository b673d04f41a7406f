//! One decision about several accounts at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use admin::answer::{id, words as some_words};
use admin::person::Role;
use admin::responses::{NewResponse, take};
use axum::Extension;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::post;
use exchange::{Assurance, Time};
use policy::response::{Joiners, Target};
use policy::{AccountId, Rung, Status};
use report::words::counted;
use serde_json::json;
use verify::entry::Statement;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::form;
use crate::limits::RESPONSE_DAYS_MAX;
use crate::route::{Needs, Route};
use crate::session::Visit;
use crate::times;

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::post("/accounts/change", Needs::Role(Role::Responder), post(change))]
}

/// What is done about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Status(Status),
    Respond(Rung),
}

impl Decision {
    fn of(name: &str) -> Result<Decision, Fault> {
        Ok(match name {
            "active" => Decision::Status(Status::Active),
            "suspended" => Decision::Status(Status::Suspended),
            "observe" => Decision::Respond(Rung::Observe),
            "shield" => Decision::Respond(Rung::Shield),
            "block" => Decision::Respond(Rung::Block),
            _ => return Err(Fault::bad("`what`: expected active, suspended, observe, shield or block")),
        })
    }

    /// Whether nothing is answered any more to whom it is about.
    fn shuts_out(self) -> bool {
        matches!(self, Decision::Status(Status::Suspended) | Decision::Respond(Rung::Block))
    }
}

async fn change(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Page {
    let Form(fields) = form?;
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let chosen = chosen(&fields)?;
    let decision = Decision::of(field("what").unwrap_or_default())?;
    let reason = field("reason").unwrap_or_default().to_owned();
    some_words("reason", &reason)?;
    let now = console.admin.clock.now();
    let until = until(field("days").unwrap_or_default(), now)?;
    let alone = console.admin.settings.load().block_alone_max;
    if decision.shuts_out() && chosen.len() > alone as usize {
        let message = format!(
            "{} are more than the {alone} that one person may shut out; block the campaign that they belong to, which waits for a second person",
            counted(chosen.len() as u64, "account")
        );
        return Err(Fault::new(StatusCode::FORBIDDEN, message));
    }
    // Nothing is done where one of them is not there.
    let directory = console.admin.registry.directory().await;
    if let Some(missing) = chosen.iter().find(|account| directory.account(account).is_none()) {
        return Err(Fault::missing(format!("there is no account `{missing}`; nothing was done")));
    }
    for (done, account) in chosen.iter().enumerate() {
        let outcome = one(&console, &visit, account, decision, (&reason, until)).await;
        outcome.map_err(|fault| {
            let so_far = format!("{} after {} of {}", fault.message(), done, counted(chosen.len() as u64, "account"));
            Fault::new(fault.status(), so_far)
        })?;
    }
    console.sessions.leave(&visit, format!("Done for {}.", counted(chosen.len() as u64, "account")));
    Ok(Redirect::to("/accounts").into_response())
}

fn chosen(fields: &[(String, String)]) -> Result<BTreeSet<AccountId>, Fault> {
    Ok(form::chosen(fields, "account")?.into_iter().map(id).collect::<Result<_, _>>()?)
}

/// When what is done ends by itself; never where no days are named.
fn until(days: &str, now: Time) -> Result<Option<Time>, Fault> {
    if days.trim().is_empty() {
        return Ok(None);
    }
    Ok(Some(times::later(now, times::days(days, RESPONSE_DAYS_MAX)?.into())))
}

async fn one(
    console: &Arc<Console>,
    visit: &Visit,
    account: &AccountId,
    decision: Decision,
    (reason, until): (&str, Option<Time>),
) -> Result<(), Fault> {
    match decision {
        Decision::Status(status) => {
            put_down(console, visit, account, status, reason).await?;
            console.registry(visit).change_account(account, |account| account.status = status).await?;
        }
        Decision::Respond(rung) => {
            let new = NewResponse {
                target: Target::Account(account.clone()),
                rung,
                assurance: Assurance::None,
                budget: None,
                probability: None,
                joiners: Joiners::Leave,
                shadow: false,
                until,
                reason: reason.to_owned(),
                author: visit.name().to_owned(),
            };
            take(&console.admin, new).await?;
        }
    }
    Ok(())
}

/// Puts down why an account gets another status, before it does; the change itself has no place for it.
async fn put_down(
    console: &Arc<Console>,
    visit: &Visit,
    account: &AccountId,
    status: Status,
    reason: &str,
) -> Result<(), Fault> {
    let statement = Statement {
        at: String::new(),
        kind: "decision".to_owned(),
        actor: format!("person:{}", visit.name()),
        reason: Some(reason.to_owned()),
        subject: format!("account:{account}"),
        before: None,
        after: None,
        detail: json!({"status": status}),
    };
    let broken = |why: String| Fault::new(StatusCode::SERVICE_UNAVAILABLE, format!("it cannot be put down: {why}"));
    let there = Arc::clone(console);
    let written = tokio::task::spawn_blocking(move || there.scribe.put_down(statement)).await;
    written.map_err(|error| broken(error.to_string()))?.map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_that_is_chosen_is_an_account() {
        let fields = |name: &str| [("chosen".to_owned(), name.to_owned())];
        assert_eq!(chosen(&fields("a")).unwrap().len(), 1);
        assert!(chosen(&fields("a/b")).is_err());
    }

    #[test]
    fn whom_a_decision_shuts_out_is_known() {
        for (name, shuts_out) in
            [("active", false), ("suspended", true), ("observe", false), ("shield", false), ("block", true)]
        {
            assert_eq!(Decision::of(name).unwrap().shuts_out(), shuts_out, "{name}");
        }
        assert!(Decision::of("closed").is_err());
    }

    #[test]
    fn it_ends_after_whole_days() {
        let now = Time::from_seconds(0);
        assert_eq!(until(" 2 ", now).unwrap(), Some(Time::from_seconds(2 * 86_400)));
        assert_eq!(until("", now).unwrap(), None);
        let (most, more) = (RESPONSE_DAYS_MAX.to_string(), (RESPONSE_DAYS_MAX + 1).to_string());
        assert_eq!(until(&most, now).unwrap(), Some(Time::from_seconds(i64::from(RESPONSE_DAYS_MAX) * 86_400)));
        assert!(until("0", now).is_err() && until(&more, now).is_err() && until("1.5", now).is_err());
    }
}
