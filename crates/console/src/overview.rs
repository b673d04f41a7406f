//! The overview: whether somebody is taking the model, what is done about it, what waits for whom, and whether detection sees everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use admin::Admin;
use admin::person::Role;
use admin::registry::responses::Listed;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::routing::get;
use exchange::Time;
use findings::{Findings, Verdict};
use policy::response::Target;
use report::page::overview as lanes;
use report::plot::Lanes;
use report::words::{counted, either, grouped, minute, verdict};

use watch::labels::Label;

use crate::campaigns::{campaign_table, in_force};
use crate::changes::{self, Changed};
use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::frame::{Frame, drawn};
use crate::route::{Needs, Route};
use crate::session::Visit;
use crate::table::{Asked, Table};
use crate::verdicts::book;

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get("/", Needs::Role(Role::Viewer), get(overview))]
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    /// `found`, `clear`, `unknown`.
    tone: &'static str,
    answer: String,
    sentence: String,
    waits: Vec<Waits>,
    /// Since when they were not here, and what changed.
    changed: Option<(String, Vec<Changed>)>,
    /// Responses that hold for campaigns which do not stand any more.
    left: String,
    set_aside: usize,
    lanes: Vec<Lanes>,
    campaigns: Option<Table>,
    facts: Vec<Fact>,
    troubles: Vec<String>,
    blind_spots: Vec<String>,
}

/// Something that waits for a person.
struct Waits {
    what: String,
    to: &'static str,
}

/// A number with its name.
struct Fact {
    label: &'static str,
    value: String,
}

async fn overview(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let admin = &console.admin;
    let found = console.desk.findings(admin).await;
    let campaigns = match &found {
        Ok(findings) => Some(campaign_table(&console, findings).await),
        Err(_) => None,
    };
    if let Some(saved) = campaigns.as_ref().and_then(|table| table.saved(&asked)) {
        return Ok(saved);
    }
    let responses = admin.registry.responses().await;
    let now = admin.clock.now();
    let blocked: BTreeSet<&str> = match &found {
        Ok(findings) => findings
            .campaigns
            .iter()
            .filter(|campaign| in_force(&responses, admin, &campaign.id, now).next().is_some())
            .map(|campaign| campaign.id.as_str())
            .collect(),
        Err(_) => BTreeSet::new(),
    };
    let left = match &found {
        Ok(findings) => left(&responses, findings, now),
        Err(_) => String::new(),
    };
    let (tone, answer, sentence) = answer(&found, blocked.len(), admin.is_detection_reading());
    let changed = match visit.before() {
        None => None,
        Some(before) => Some((minute(before), changes::since(&console, found.as_deref().ok(), before).await)),
    };
    drawn(&Overview {
        frame: Frame::new(&console, &visit, "Overview", "/"),
        tone,
        answer,
        sentence,
        waits: waits(admin, now).await,
        changed,
        left,
        set_aside: set_aside(&console, now).await,
        lanes: found.as_ref().map(|findings| lanes(findings)).unwrap_or_default(),
        campaigns: campaigns.map(|table| table.part(&asked)),
        facts: facts(admin, found.as_deref().ok()).await,
        troubles: admin::ready(admin).1,
        blind_spots: found.as_ref().map(|findings| findings.blind_spots.clone()).unwrap_or_default(),
    })
}

/// Whether somebody is taking the model, in a few words and in a sentence. While detection `is_reading` what was recorded earlier, that it
/// knows of nobody says nothing.
fn answer(found: &Result<Arc<Findings>, Fault>, answered: usize, is_reading: bool) -> (&'static str, String, String) {
    match found {
        Err(fault) => {
            ("unknown", "Nobody looks whether somebody is taking the model".to_owned(), fault.message().to_owned())
        }
        Ok(findings) if findings.population.exchanges == 0 => (
            "unknown",
            "No traffic was seen yet".to_owned(),
            "As soon as exchanges are recorded, detection reads them.".to_owned(),
        ),
        Ok(findings) => match findings.campaigns.len() {
            0 if is_reading => (
                "unknown",
                "Detection is still reading what was recorded".to_owned(),
                "Nobody is known to take the model so far; whoever was known before is named again when detection comes to it."
                    .to_owned(),
            ),
            0 => ("clear", "Nobody is known to take the model".to_owned(), verdict(findings)),
            count => {
                let open = count.saturating_sub(answered);
                let done = match open {
                    0 if count == 1 => "a response holds".to_owned(),
                    0 => "a response holds for each".to_owned(),
                    open => format!(
                        "nothing is done yet about {}",
                        if open == count {
                            either(count as u64, "it", "any of them").to_owned()
                        } else {
                            grouped(open as u64)
                        }
                    ),
                };
                let are = either(count as u64, "is", "are");
                (
                    "found",
                    format!(
                        "Somebody is taking the model: {} {are} known, and {done}",
                        counted(count as u64, "campaign")
                    ),
                    verdict(findings),
                )
            }
        },
    }
}

/// Responses that hold for campaigns which do not stand any more, in a sentence; nothing where there is none.
fn left(responses: &[Listed], findings: &Findings, now: Time) -> String {
    let stands = |id: &str| findings.campaigns.iter().any(|campaign| campaign.id == id);
    let left = responses.iter().filter(|(response, _)| {
        matches!(&response.target, Target::Campaign(id) if !stands(id))
            && admin::responses::state(response, now) == "holds"
    });
    let (count, accounts) = left.fold((0, 0), |(count, accounts), (_, covered)| (count + 1, accounts + covered));
    if count == 0 {
        return String::new();
    }
    format!(
        "{} for {} of campaigns that do not stand any more",
        format_args!("{} {}", grouped(count), either(count, "response holds", "responses hold")),
        counted(accounts, "account")
    )
}

/// Verdicts by which groups are not reported that would be.
async fn set_aside(console: &Arc<Console>, now: Time) -> usize {
    let book = book(console).await.unwrap_or_default();
    let holds = |label: &&Label| label.verdict != Verdict::Campaign && label.until.is_none_or(|until| until > now);
    book.in_force().filter(holds).count()
}

async fn waits(admin: &Admin, now: Time) -> Vec<Waits> {
    let responses = admin.registry.responses().await;
    let approvals = responses.iter().filter(|(response, _)| admin::responses::state(response, now) == "waits").count();
    let appeals = admin.registry.appeals().await.iter().filter(|appeal| appeal.ruling.is_none()).count();
    let waits = |count: usize, one: &str, many: &str, to| {
        (count > 0)
            .then(|| Waits { what: format!("{} {}", grouped(count as u64), either(count as u64, one, many)), to })
    };
    [
        waits(approvals, "response waits for a second person", "responses wait for a second person", "/responses"),
        waits(appeals, "appeal waits for a decision", "appeals wait for a decision", "/responses#appeals"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn facts(admin: &Admin, findings: Option<&Findings>) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut fact = |label, value: String| facts.push(Fact { label, value });
    if let Some(findings) = findings {
        fact("exchanges seen", grouped(findings.population.exchanges));
        fact("accounts seen", grouped(findings.population.accounts));
        fact("groups tested", grouped(findings.guarantee.hypotheses));
    }
    fact("accounts that may ask", grouped(admin.registry.directory().await.len() as u64));
    fact("exchanges recorded since the start", grouped(admin.recording.recorded()));
    if let Some(watched) = &admin.detection {
        let status = watched.status();
        fact("detection has seen up to", status.seen.map_or_else(|| "nothing".to_owned(), minute));
        fact("recorded and not read yet", counted(status.behind_bytes, "byte"));
    }
    facts
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn responses_that_hold_for_nobody_who_stands_are_told() {
        let response = |state: Value| -> Listed {
            let mut response = json!({
                "id": "rsp_1", "target": {"campaign": "cmp_1"}, "rung": "block", "since": "2026-07-20T00:00:00Z", "reason": "x", "author": "ann",
            });
            if let (Value::Object(response), Value::Object(state)) = (&mut response, state) {
                response.extend(state);
            }
            (Arc::new(serde_json::from_value(response).unwrap()), 64)
        };
        let told = |responses: &[Listed]| left(responses, &Findings::default(), Time::from_seconds(1_800_000_000));
        assert_eq!(
            told(&[response(json!({}))]),
            "1 response holds for 64 accounts of campaigns that do not stand any more"
        );
        let others =
            [json!({"target": {"account": "a"}}), json!({"until": "2026-07-21T00:00:00Z"}), json!({"shadow": true})];
        assert_eq!(told(&others.map(response)), "");
    }

    #[test]
    fn the_answer_is_in_the_first_words() {
        let of = |findings: &Findings, is_reading| answer(&Ok(Arc::new(findings.clone())), 0, is_reading).1;
        assert_eq!(of(&Findings::default(), false), "No traffic was seen yet");
        let mut quiet = Findings::default();
        quiet.population.exchanges = 7;
        assert_eq!(of(&quiet, false), "Nobody is known to take the model");
        assert_eq!(of(&quiet, true), "Detection is still reading what was recorded");
    }
}
