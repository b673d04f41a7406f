//! Campaigns: the list of them, and a page for each with everything that its finding rests on.

use std::sync::Arc;

use admin::Admin;
use admin::person::Role;
use admin::registry::responses::Listed;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use exchange::Time;
use findings::{Campaign, Findings};
use policy::Response;
use policy::response::Target;
use report::campaign::{Card, Place};
use report::words::{confidence, counted, encoded, grouped, members, minute, percent, words};
use watch::LastKnown;

use crate::cases::{OpeningForm, case_table};
use crate::clusters::VerdictForm;
use crate::context::Console;
use crate::desk::{Known, campaign_of, past_campaigns};
use crate::fault::Page;
use crate::frame::{Frame, drawn};
use crate::responses::{Form as ResponseForm, response_table};
use crate::route::{Needs, Route};
use crate::session::Visit;
use crate::table::{Asked, Cell, Column, Row, Table};
use crate::words::rung;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/campaigns", Needs::Role(Role::Viewer), get(campaigns)),
        Route::get("/campaigns/{id}", Needs::Role(Role::Viewer), get(campaign)),
    ]
}

/// The responses to a campaign that hold now, also those that only tell.
pub(crate) fn in_force<'r>(
    responses: &'r [Listed],
    admin: &Admin,
    campaign: &str,
    now: Time,
) -> impl Iterator<Item = &'r Response> {
    let source = admin.source();
    responses.iter().map(|(response, _)| &**response).filter(move |response| {
        matches!(&response.target, Target::Campaign(target) if target == campaign)
            && response.source == source
            && ["holds", "shadow", "waits"].contains(&admin::responses::state(response, now))
    })
}

/// What is done about a campaign now; none where that is nothing.
fn done_about(responses: &[Listed], admin: &Admin, campaign: &str, now: Time) -> Option<Cell> {
    let held: Vec<&Response> = in_force(responses, admin, campaign, now).collect();
    let strictest = held
        .iter()
        .filter(|response| admin::responses::state(response, now) == "holds")
        .max_by_key(|response| response.rung);
    if let Some(response) = strictest {
        return Some(Cell::text(rung(response.rung)).tone("calm"));
    }
    let response = held.first()?;
    Some(Cell::text(format!("{}, {}", rung(response.rung), admin::responses::state(response, now))).tone("quiet"))
}

/// Campaigns that stand no longer, the latest first.
async fn past_table(console: &Console, findings: &Findings) -> Table {
    let admin = &console.admin;
    let responses = admin.registry.responses().await;
    let now = admin.clock.now();
    let row = |known: &LastKnown| {
        let LastKnown { as_of, campaign } = known;
        let cells = vec![
            Cell::text(&campaign.id).to(format!("/campaigns/{}", campaign.id)),
            Cell::number(members(campaign).count() as u64),
            Cell::number(campaign.exchanges),
            Cell::text(minute(campaign.detected_at)),
            Cell::text(minute(*as_of)),
            done_about(&responses, admin, &campaign.id, now).unwrap_or_else(|| Cell::text("nothing")),
        ];
        Row::new(&campaign.id, cells)
    };
    let columns = [
        Column::text("campaign"),
        Column::number("accounts"),
        Column::number("exchanges"),
        Column::text("detected"),
        Column::text("stood until"),
        Column::text("still done about it"),
    ];
    let rows = past_campaigns(admin, findings).iter().map(row).collect();
    Table::new("past", "Campaigns that stand no longer, the latest first", &columns, rows)
}

/// All campaigns, surest first.
pub(crate) async fn campaign_table(console: &Console, findings: &Findings) -> Table {
    let admin = &console.admin;
    let responses = admin.registry.responses().await;
    let now = admin.clock.now();
    let row = |campaign: &Campaign| {
        let done = done_about(&responses, admin, &campaign.id, now);
        let takes: Vec<&str> = campaign.capabilities.iter().map(|capability| words(*capability)).collect();
        let judged = campaign.judgements.last().map(|judgement| report::words::verdict_of_person(judgement.verdict));
        let cells = vec![
            Cell::text(&campaign.id).to(format!("/campaigns/{}", campaign.id)),
            Cell::number(members(campaign).count() as u64),
            Cell::number(campaign.exchanges),
            Cell::text(if takes.is_empty() { "not known".to_owned() } else { takes.join(", ") }),
            Cell::text(confidence(campaign.log10_e)),
            Cell::text(minute(campaign.first_seen)),
            Cell::text(minute(campaign.last_seen)),
            done.unwrap_or_else(|| Cell::text("nothing").tone("alarm")),
            Cell::text(judged.unwrap_or("nobody said")),
        ];
        Row::new(&campaign.id, cells)
    };
    let columns = [
        Column::text("campaign"),
        Column::number("accounts"),
        Column::number("exchanges"),
        Column::text("takes"),
        Column::text("evidence"),
        Column::text("first seen"),
        Column::text("last seen"),
        Column::text("done about it"),
        Column::text("verdict"),
    ];
    Table::new("campaigns", "Campaigns, surest first", &columns, findings.campaigns.iter().map(row).collect())
        .or("No campaign is known.")
}

#[derive(Template)]
#[template(path = "campaigns.html")]
struct Campaigns {
    frame: Frame,
    campaigns: Table,
    past: Option<Table>,
}

async fn campaigns(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let findings = console.desk.findings(&console.admin).await?;
    let campaigns = campaign_table(&console, &findings).await;
    let past = past_table(&console, &findings).await;
    if let Some(saved) = campaigns.saved(&asked).or_else(|| past.saved(&asked)) {
        return Ok(saved);
    }
    drawn(&Campaigns {
        frame: Frame::new(&console, &visit, "Campaigns", "/campaigns"),
        campaigns: campaigns.part(&asked),
        past: (!past.is_empty()).then(|| past.part(&asked)),
    })
}

#[derive(Template)]
#[template(path = "campaign.html")]
struct CampaignPage {
    frame: Frame,
    id: String,
    summary: String,
    /// Where it stands no longer: what that means.
    over: Option<String>,
    card: Option<Card>,
    responses: Table,
    cases: Table,
    form: Option<ResponseForm>,
    verdict: Option<VerdictForm>,
    opening: Option<OpeningForm>,
    accounts: Table,
    is_left_out: bool,
}

async fn campaign(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let findings = console.desk.findings(&console.admin).await?;
    let Known { campaign, until } = campaign_of(&console.admin, &findings, &id)?;
    let accounts = accounts(&campaign);
    let responses = response_table(&console, |response| {
        matches!(&response.target, Target::Campaign(target) if *target == id)
            && response.source == console.admin.source()
    })
    .await
    .or("Nothing was done about it yet.");
    let cases = case_table(&console, |case| case.campaigns.contains(&id)).await.or("No case is about it.");
    if let Some(saved) = accounts.saved(&asked).or_else(|| responses.saved(&asked)).or_else(|| cases.saved(&asked)) {
        return Ok(saved);
    }
    let shown = if visit.may(Role::Analyst) { Campaign::clone(&campaign) } else { campaign.without_texts() };
    drawn(&CampaignPage {
        frame: Frame::new(&console, &visit, format!("Campaign {id}"), "/campaigns"),
        summary: summary(&campaign),
        over: until.map(over),
        card: Some(Card::new(
            "campaign".to_owned(),
            &shown,
            &findings.cleared,
            0,
            Place::Console { exchanges_have_pages: true },
            None,
        )),
        responses: responses.part(&asked),
        cases: cases.part(&asked),
        // What stands no longer has no members that a response could follow, and none whom a verdict could be about.
        form: (until.is_none() && visit.may(Role::Responder)).then(|| ResponseForm::to_campaign(&id)),
        verdict: (until.is_none() && visit.may(Role::Analyst)).then(|| VerdictForm::of(&id, &campaign.identity)),
        opening: visit
            .may(Role::Analyst)
            .then(|| OpeningForm { campaign: id.clone(), title: format!("Campaign {id}") }),
        accounts: accounts.part(&asked),
        is_left_out: until.is_none() && !visit.may(Role::Analyst),
        id,
    })
}

/// The campaign in a sentence.
fn summary(campaign: &Campaign) -> String {
    format!(
        "{} act together; they sent {} since {}. The evidence is {}.",
        counted(members(campaign).count() as u64, "account"),
        counted(campaign.exchanges, "exchange"),
        minute(campaign.first_seen),
        confidence(campaign.log10_e)
    )
}

/// What it means that a campaign stands no longer, which was last known to at `until`.
fn over(until: Time) -> String {
    format!(
        "Detection does not name it any more. This is how it stood at {}, without texts: who is contained sends too little to be named, \
         and what was done about it holds until it ends or is undone.",
        minute(until)
    )
}

/// Its accounts, surest first.
fn accounts(campaign: &Campaign) -> Table {
    let row = |member: &findings::Member| {
        let cells = vec![
            Cell::text(&member.account).to(format!("/accounts/{}", encoded(&member.account))),
            Cell::text(percent(member.probability)),
            Cell::number(member.exchanges),
            Cell::number(member.exchanges_total),
            Cell::text(minute(member.first_seen)),
            Cell::text(minute(member.last_seen)),
            Cell::text(member.input_tokens.map_or_else(|| "not recorded".to_owned(), grouped)),
            Cell::text(member.output_tokens.map_or_else(|| "not recorded".to_owned(), grouped)),
        ];
        Row::new(&member.account, cells)
    };
    let columns = [
        Column::text("account"),
        Column::number("takes part"),
        Column::number("in the campaign"),
        Column::number("all exchanges"),
        Column::text("first seen"),
        Column::text("last seen"),
        Column::number("tokens in"),
        Column::number("tokens out"),
    ];
    Table::new("accounts", "Its accounts, surest first", &columns, campaign.accounts.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use admin::case::Severity;
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use serde_json::{Value, json};
    use tower::ServiceExt as _;

    use crate::rig::Rig;

    /// A campaign that stood when detection last wrote it down.
    fn known() -> Value {
        let at = |day| format!("2026-07-{day}T00:00:00Z");
        json!({"version": 1, "generation": 7, "campaigns": [{"as_of": at(23), "campaign": {
            "id": "cmp_5", "operator": "", "lineage": [], "discovery": "text", "frozen_at": at(20), "detected_at": at(21),
            "first_seen": at(20), "last_seen": at(22), "exchanges": 90, "input_tokens": 0, "output_tokens": 0, "tokens_known": 0.0,
            "models": [], "further_wordings": 0, "accounts": [], "capabilities": [], "evidence": [], "log10_e": 4.0,
            "log10_threshold": 3.0, "skeleton": [], "samples": [], "not_observed": [], "alternatives": [],
            "portrait": {"timeline": [], "rates": [], "hours": [], "ages": [], "infrastructure": [], "marks": []},
            "identity": {"infrastructure": false, "template": "", "accounts": [], "payers": "", "habits": null},
        }}]})
    }

    #[tokio::test]
    async fn a_campaign_that_stands_no_longer_keeps_its_page_and_its_case_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        std::fs::write(place("past.json"), known().to_string()).unwrap();
        let watcher = watch::Watcher::start(watch::Setup {
            folder: folder.path().to_owned(),
            accounts: place("accounts.jsonl"),
            verdicts: Box::new(|_| None),
            checkpoint: None,
            past: Some(place("past.json")),
            settings: watch::Settings { alpha: 0.05, lateness_seconds: 0 },
            new_generation: Box::new(|| 7),
            begin: Box::new(|| {}),
            say: Box::new(|said| panic!("{said}")),
            tell: Box::new(|_| {}),
        });
        let watcher = watcher.unwrap();
        let rig = Rig::detecting(watcher.watched()).await;
        let viewer = rig.everybody().await.remove(0);
        let page = async |path: &str| {
            let request = Request::get(path).header("cookie", format!("{}={}", crate::session::COOKIE, viewer.1));
            let answer = rig.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let status = answer.status();
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        };
        let (status, campaign) = page("/campaigns/cmp_5").await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            campaign.contains("Detection does not name it any more. This is how it stood at 2026-07-23 00:00"),
            "{campaign}"
        );
        let (_, list) = page("/campaigns").await;
        assert!(list.contains("No longer named") && list.contains("/campaigns/cmp_5"), "{list}");
        assert_eq!(page("/campaigns/cmp_5/graph").await.0, StatusCode::OK);
        assert_eq!(page("/campaigns/cmp_6").await.0, StatusCode::NOT_FOUND);

        let about = vec!["cmp_6".to_owned(), "cmp_5".to_owned()];
        let detected = rig.admin.detected(&about);
        let now = rig.admin.clock.now();
        let case =
            rig.admin.registry.open_case("x".to_owned(), Severity::High, (about, detected), "ann", now).await.unwrap();
        assert_eq!(case.detected, Some("2026-07-21T00:00:00Z".parse().unwrap()));
        let (_, case) = page(&format!("/cases/{}", case.id)).await;
        assert!(case.contains("2026-07-21 00:00, when detection first named a campaign of it"), "{case}");
    }
}
