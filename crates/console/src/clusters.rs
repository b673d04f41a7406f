//! Clusters that act together and were not reported, and verdicts: what people said of a finding, and taking that back.

use std::sync::Arc;

use admin::person::Role;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use exchange::Time;
use findings::{Cleared, Evidence, Findings, Identity, Verdict};
use report::words::{confidence, counted, either, judgement, minute, verdict_of_person};
use serde::Deserialize;
use watch::labels::Entry;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::form;
use crate::frame::{Frame, drawn};
use crate::limits::ACCOUNTS_NAMED_MAX;
use crate::route::{Needs, Route};
use crate::session::Visit;
use crate::table::{Asked, Cell, Column, Row, Table};
use crate::times;
use crate::verdicts::{self, Said, known_by};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/clusters", Needs::Role(Role::Viewer), get(clusters)),
        Route::get("/clusters/{id}", Needs::Role(Role::Viewer), get(cluster)),
        Route::post("/verdicts/several", Needs::Role(Role::Analyst), post(say_of_several)),
        Route::post("/verdicts", Needs::Role(Role::Analyst), post(say)),
        Route::post("/verdicts/{id}/undo", Needs::Role(Role::Analyst), post(take_back)),
    ]
}

#[derive(Template)]
#[template(path = "clusters.html")]
struct Clusters {
    frame: Frame,
    cleared: Table,
    verdicts: Table,
    in_force: Vec<String>,
    guarantee: String,
    cut_off: bool,
    can_say: bool,
}

async fn clusters(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let found = console.desk.findings(&console.admin).await;
    let unknown = found.as_ref().err().map(|fault| fault.message().to_owned());
    let findings = found.unwrap_or_default();
    let book = verdicts::book(&console).await?;
    let cleared = cleared_table(&findings, visit.may(Role::Analyst));
    let cleared = match unknown {
        Some(why) => cleared.or(format!("Not known. {why}")),
        None => cleared,
    };
    let verdicts = verdict_table(&book.labels);
    if let Some(saved) = cleared.saved(&asked).or_else(|| verdicts.saved(&asked)) {
        return Ok(saved);
    }
    let may = visit.may(Role::Analyst);
    let cleared = cleared.part(&asked);
    drawn(&Clusters {
        can_say: may && !cleared.is_empty(),
        frame: Frame::new(&console, &visit, "Clusters", "/clusters"),
        in_force: if may { book.in_force().map(|label| label.id.clone()).collect() } else { Vec::new() },
        cut_off: book.cut_off.is_some(),
        cleared: if may { cleared.choice("choose") } else { cleared },
        verdicts: verdicts.part(&asked),
        guarantee: findings.guarantee.text.clone(),
    })
}

fn cleared_table(findings: &Findings, with_texts: bool) -> Table {
    let row = |cleared: &Cleared| {
        let said = cleared.judgements.last().map_or("nobody said", |judgement| verdict_of_person(judgement.verdict));
        let label = if with_texts { cleared.label.as_str() } else { "texts are for analysts" };
        let cells = vec![
            Cell::text(&cleared.id).to(format!("/clusters/{}", cleared.id)),
            Cell::number(cleared.accounts),
            Cell::number(cleared.exchanges),
            Cell::text(confidence(cleared.log10_e)),
            Cell::text(&cleared.reason),
            Cell::text(said),
            Cell::text(label),
        ];
        // Clusters are named by their place among others, which changes.
        Row::new(&cleared.id, cells).chosen_as(format!("{} {}", cleared.id, known_by(&cleared.identity)))
    };
    let columns = [
        Column::text("cluster"),
        Column::number("accounts"),
        Column::number("exchanges"),
        Column::text("evidence"),
        Column::text("why it is not reported"),
        Column::text("verdict"),
        Column::text("its text begins"),
    ];
    Table::new("clusters", "Looked at and not reported", &columns, findings.cleared.iter().map(row).collect())
        .or("No cluster acts together but those that are reported as campaigns.")
}

fn verdict_table(labels: &[Entry]) -> Table {
    let row = |entry: &Entry| {
        let label = &entry.label;
        let state = match (&entry.undone, overruling(entry, labels)) {
            (Some(undone), _) => Cell::text(format!("taken back by {}: {}", undone.by, undone.reason)).tone("quiet"),
            (None, Some(later)) => Cell::text(format!("overruled by {later}")).tone("quiet"),
            (None, None) => Cell::text("in force"),
        };
        let until = label.until.map_or_else(|| "no end".to_owned(), minute);
        let cells = vec![
            Cell::text(&label.id),
            Cell::text(verdict_of_person(label.verdict)),
            Cell::text(&entry.finding),
            Cell::number(label.identity.accounts.len() as u64),
            Cell::text(&label.by),
            Cell::text(minute(label.time)),
            Cell::text(until),
            Cell::text(&label.reason),
            state,
        ];
        Row::new(&label.id, cells)
    };
    let columns = [
        Column::text("verdict"),
        Column::text("it is"),
        Column::text("said of"),
        Column::number("accounts"),
        Column::text("by"),
        Column::text("when"),
        Column::text("until"),
        Column::text("why"),
        Column::text("state"),
    ];
    Table::new("verdicts", "Verdicts, the latest first", &columns, labels.iter().rev().map(row).collect())
        .or("Nobody said yet what a finding is. That is said on the page of a campaign or a cluster.")
}

/// A later verdict on the same group that speaks for all whom this one speaks for, if there is one.
fn overruling<'l>(entry: &Entry, labels: &'l [Entry]) -> Option<&'l str> {
    let mut later = labels.iter().skip_while(|other| other.label.id != entry.label.id).skip(1);
    let own = &entry.label.identity;
    let speaks = |other: &&Entry| {
        let identity = &other.label.identity;
        other.undone.is_none() && own.accounts.is_subset(&identity.accounts) && own.same(identity)
    };
    later.find(speaks).map(|other| other.label.id.as_str())
}

#[derive(Template)]
#[template(path = "cluster.html")]
struct ClusterPage {
    frame: Frame,
    id: String,
    summary: String,
    reason: String,
    label: Option<String>,
    evidence: Table,
    judgements: Vec<String>,
    accounts: Vec<String>,
    accounts_more: usize,
    verdict: Option<VerdictForm>,
}

/// The form by which somebody says what a finding is.
pub(crate) struct VerdictForm {
    pub(crate) finding: String,
    pub(crate) known: String,
}

impl VerdictForm {
    pub(crate) fn of(finding: &str, identity: &Identity) -> VerdictForm {
        VerdictForm { finding: finding.to_owned(), known: known_by(identity) }
    }
}

async fn cluster(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let findings = console.desk.findings(&console.admin).await?;
    let missing = || Fault::missing(format!("there is no cluster `{id}` now; what stands is under Clusters"));
    let cleared = findings.cleared.iter().find(|cleared| cleared.id == id).ok_or_else(missing)?;
    let evidence = evidence_table(&cleared.evidence);
    if let Some(saved) = evidence.saved(&asked) {
        return Ok(saved);
    }
    let may = visit.may(Role::Analyst);
    drawn(&ClusterPage {
        frame: Frame::new(&console, &visit, format!("Cluster {id}"), "/clusters"),
        summary: format!(
            "{} sent {} together. The evidence is {}.",
            counted(cleared.accounts, "account"),
            counted(cleared.exchanges, "exchange"),
            confidence(cleared.log10_e)
        ),
        reason: cleared.reason.clone(),
        label: may.then(|| cleared.label.clone()),
        evidence: evidence.part(&asked),
        judgements: cleared.judgements.iter().map(judgement).collect(),
        accounts: cleared.identity.accounts.iter().take(ACCOUNTS_NAMED_MAX).cloned().collect(),
        accounts_more: cleared.identity.accounts.len().saturating_sub(ACCOUNTS_NAMED_MAX),
        verdict: may.then(|| VerdictForm::of(&id, &cleared.identity)),
        id,
    })
}

fn evidence_table(evidence: &[Evidence]) -> Table {
    let row = |piece: &Evidence| {
        let weight = if piece.counts { format!("10^{:.1}", piece.log10_e) } else { "not counted".to_owned() };
        let cells = vec![
            Cell::text(report::words::signal_name(piece.family)),
            Cell::text(weight),
            Cell::text(&piece.text),
            Cell::number(piece.observations),
        ];
        Row::new(report::words::signal_name(piece.family), cells)
    };
    let columns =
        [Column::text("sign"), Column::number("weight"), Column::text("what was seen"), Column::number("observations")];
    Table::new("evidence", "Sign by sign", &columns, evidence.iter().map(row).collect())
}

/// A verdict as it is filled in.
#[derive(Debug, Deserialize)]
struct Spoken {
    finding: String,
    /// By what the finding was known that was looked at.
    known: String,
    verdict: String,
    #[serde(default)]
    days: String,
    reason: String,
}

async fn say(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<Spoken>, FormRejection>,
) -> Page {
    let Form(Spoken { finding, known, verdict, days, reason }) = form?;
    let (verdict, until) = typed(&verdict, &days, console.admin.clock.now())?;
    let said = Said { finding: finding.clone(), known: Some(known), verdict, until, reason };
    let (id, accounts) = verdicts::say(&console, visit.name(), said).await?;
    let told = format!(
        "{id} is written: {finding} is {}, for the {} that {} looked at. Detection heeds it once it has seen traffic up to now.",
        verdict_of_person(verdict),
        counted(accounts, "account"),
        either(accounts, "was", "were")
    );
    console.sessions.leave(&visit, told);
    Ok(Redirect::to("/clusters#verdicts").into_response())
}

/// A verdict, and until when it holds, as they are typed.
fn typed(verdict: &str, days: &str, now: Time) -> Result<(Verdict, Option<Time>), Fault> {
    let verdict = match verdict {
        "benign" => Verdict::Benign,
        "research" => Verdict::Research,
        "campaign" => Verdict::Campaign,
        _ => return Err(Fault::bad("`verdict`: expected `benign`, `research` or `campaign`")),
    };
    let until = match (verdict, days.trim()) {
        (Verdict::Research, days) if !days.is_empty() => Some(times::later(now, times::days(days, u16::MAX)?.into())),
        _ => None,
    };
    Ok((verdict, until))
}

/// Says the same of several clusters.
async fn say_of_several(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Page {
    let Form(fields) = form?;
    let field = |name: &str| {
        let found = fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let chosen = form::chosen(&fields, "cluster")?;
    let (verdict, until) = typed(field("verdict"), field("days"), console.admin.clock.now())?;
    let several = counted(chosen.len() as u64, "cluster");
    for (done, chosen) in chosen.into_iter().enumerate() {
        let (finding, known) =
            chosen.split_once(' ').ok_or_else(|| Fault::bad("`chosen`: expected clusters, as the page has them"))?;
        let (finding, known, reason) = (finding.to_owned(), Some(known.to_owned()), field("reason").to_owned());
        let said = verdicts::say(&console, visit.name(), Said { finding, known, verdict, until, reason }).await;
        said.map_err(|fault| Fault::new(fault.status(), format!("{}, after {done} of {several}", fault.message())))?;
    }
    console.sessions.leave(&visit, format!("Said of {several}: {}.", verdict_of_person(verdict)));
    Ok(Redirect::to("/clusters#verdicts").into_response())
}

#[derive(Debug, Deserialize)]
struct Reason {
    reason: String,
}

async fn take_back(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(label): Path<String>,
    form: Result<Form<Reason>, FormRejection>,
) -> Page {
    let Form(Reason { reason }) = form?;
    verdicts::take_back(&console, visit.name(), &label, reason).await?;
    console.sessions.leave(&visit, format!("{label} is taken back."));
    Ok(Redirect::to("/clusters#verdicts").into_response())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_later_verdict_on_the_same_accounts_overrules_an_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let line = |id: u8, template: &str, accounts: &str| {
            format!(
                r#"{{"version":1,"id":"lbl_{id}","time":"2026-08-01T00:00:00Z","by":"ann","reason":"x","verdict":"benign","finding":"cmp_1","identity":{{"infrastructure":false,"template":"{template}","accounts":[{accounts}],"payers":"","habits":null}}}}"#
            ) + "\n"
        };
        let undo =
            r#"{"version":1,"id":"lbl_5","time":"2026-08-01T00:00:00Z","by":"ann","reason":"no","undo":"lbl_4"}"#;
        let (one, other) = ("0000000000000001", "0000000000000002");
        let lines = [
            line(1, one, r#""a","b""#),
            line(2, other, r#""a","b""#),
            line(3, one, r#""a""#),
            line(4, other, r#""a","b","c""#),
            undo.to_owned() + "\n",
            line(6, one, r#""a","b","c""#),
        ];
        fs::write(folder.path().join("verdicts.jsonl"), lines.concat()).unwrap();
        let labels = watch::labels::read(&folder.path().join("verdicts.jsonl")).unwrap().labels;
        let overruled: Vec<Option<&str>> = labels.iter().map(|entry| overruling(entry, &labels)).collect();
        assert_eq!(overruled, [Some("lbl_6"), None, Some("lbl_6"), None, None]);
    }
}
