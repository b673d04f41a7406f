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

use crate::cases::{OpeningForm, case_table};
use crate::clusters::VerdictForm;
use crate::context::Console;
use crate::desk::campaign_of;
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

/// All campaigns, surest first.
pub(crate) async fn campaign_table(console: &Console, findings: &Findings) -> Table {
    let admin = &console.admin;
    let responses = admin.registry.responses().await;
    let now = admin.clock.now();
    let row = |campaign: &Campaign| {
        let held: Vec<&Response> = in_force(&responses, admin, &campaign.id, now).collect();
        let strictest = held
            .iter()
            .filter(|response| admin::responses::state(response, now) == "holds")
            .max_by_key(|response| response.rung);
        let done = match (strictest, held.first()) {
            (Some(response), _) => Cell::text(rung(response.rung)).tone("calm"),
            (None, Some(response)) => {
                Cell::text(format!("{}, {}", rung(response.rung), admin::responses::state(response, now))).tone("quiet")
            }
            (None, None) => Cell::text("nothing").tone("alarm"),
        };
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
            done,
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
}

async fn campaigns(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let findings = console.desk.findings(&console.admin).await?;
    let campaigns = campaign_table(&console, &findings).await;
    if let Some(saved) = campaigns.saved(&asked) {
        return Ok(saved);
    }
    drawn(&Campaigns {
        frame: Frame::new(&console, &visit, "Campaigns", "/campaigns"),
        campaigns: campaigns.part(&asked),
    })
}

#[derive(Template)]
#[template(path = "campaign.html")]
struct CampaignPage {
    frame: Frame,
    id: String,
    summary: String,
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
    let campaign = campaign_of(&console.admin, &findings, &id)?;
    let accounts = accounts(campaign);
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
    let shown = if visit.may(Role::Analyst) { campaign.clone() } else { without_texts(campaign) };
    drawn(&CampaignPage {
        frame: Frame::new(&console, &visit, format!("Campaign {id}"), "/campaigns"),
        summary: summary(campaign),
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
        form: visit.may(Role::Responder).then(|| ResponseForm::to_campaign(&id)),
        verdict: visit.may(Role::Analyst).then(|| VerdictForm::of(&id, &campaign.identity)),
        opening: visit
            .may(Role::Analyst)
            .then(|| OpeningForm { campaign: id.clone(), title: format!("Campaign {id}") }),
        accounts: accounts.part(&asked),
        is_left_out: !visit.may(Role::Analyst),
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

/// The same campaign for somebody who may not read what was asked.
pub(crate) fn without_texts(campaign: &Campaign) -> Campaign {
    Campaign { skeleton: Vec::new(), samples: Vec::new(), ..campaign.clone() }
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
