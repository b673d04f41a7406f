//! Accounts and their keys: the list, a page for each, and what can be done about one.

use std::sync::Arc;

use admin::limits::WORDS_BYTES_MAX;
use admin::person::Role;
use admin::registry::NewKey;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use exchange::Time;
use policy::{Account, AccountId, Key, KeyId, Status};
use report::words::{encoded, minute, percent, printable};
use serde::Deserialize;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::frame::{Frame, drawn};
use crate::responses::{Form as ResponseForm, appeal_table, response_table};
use crate::route::{Needs, Route};
use crate::session::Visit;
use crate::table::{Asked, Cell, Column, Row, Table};
use crate::words::{rung, word};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/accounts", Needs::Role(Role::Viewer), get(accounts)),
        Route::get("/accounts/{id}", Needs::Role(Role::Viewer), get(account)),
        Route::post("/accounts/{id}/status", Needs::Role(Role::Responder), post(change_status)),
        Route::post("/accounts/{id}/keys", Needs::Role(Role::Responder), post(add_key)),
        Route::get("/keys", Needs::Role(Role::Viewer), get(keys)),
        Route::post("/keys/{id}/revoke", Needs::Role(Role::Responder), post(revoke)),
    ]
}

/// What a list is narrowed by.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    /// A part of an id or a name.
    #[serde(default)]
    q: String,
    /// `suspected`, `covered`, or a status.
    #[serde(default)]
    only: String,
    #[serde(flatten)]
    asked: Asked,
}

#[derive(Template)]
#[template(path = "accounts.html")]
struct Accounts {
    frame: Frame,
    q: String,
    only: String,
    choices: Vec<(&'static str, &'static str)>,
    table: Table,
    can_change: bool,
}

async fn accounts(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Page {
    let Query(Wanted { q, only, asked }) = query?;
    let (directory, now) = (console.admin.registry.directory().await, console.admin.clock.now());
    let part = q.trim().to_lowercase();
    let is_wanted = |account: &Account| {
        let is_named = part.is_empty()
            || account.id.as_str().to_lowercase().contains(&part)
            || account.name.to_lowercase().contains(&part);
        is_named
            && match only.as_str() {
                "suspected" => directory.suspicion_of(account).is_some(),
                "covered" => directory.responses_to(&account.id).force(now).rung > policy::Rung::None,
                "active" => account.status == Status::Active,
                "suspended" => account.status == Status::Suspended,
                "closed" => account.status == Status::Closed,
                _ => true,
            }
    };
    let wanted: Vec<&Arc<Account>> = directory.accounts().filter(|account| is_wanted(account)).collect();
    let by = |one: &&Arc<Account>, other: &&Arc<Account>| one.id.cmp(&other.id);
    let row = |account: &&Arc<Account>| {
        let suspicion = directory.suspicion_of(account);
        let suspected = suspicion.map_or_else(
            || Cell::text("no").tone("quiet"),
            |said| Cell::text(format!("{} ({} %)", said.campaign, said.probability)).tone("alarm"),
        );
        let cells = vec![
            Cell::text(account.id.as_str()).to(format!("/accounts/{}", encoded(account.id.as_str()))),
            Cell::text(&account.name),
            Cell::text(account.organisation.as_ref().map_or("", |id| id.as_str())),
            Cell::text(word(&account.tier)),
            Cell::text(word(&account.assurance)),
            Cell::text(word(&account.status)),
            suspected,
            Cell::text(rung(directory.responses_to(&account.id).force(now).rung)),
            Cell::text(minute(account.created)),
        ];
        Row::new(account.id.as_str(), cells)
    };
    let columns = [
        Column::text("account"),
        Column::text("name"),
        Column::text("organisation"),
        Column::text("tier"),
        Column::text("known by"),
        Column::text("status"),
        Column::text("in a campaign"),
        Column::text("response"),
        Column::text("created"),
    ];
    let table = Table::of("accounts", "Accounts by id", &columns, (wanted, by), row, &asked)
        .within(&[("q", q.as_str()), ("only", only.as_str())])
        .or("No account is as asked.");
    if let Some(saved) = table.saved(&asked) {
        return Ok(saved);
    }
    let choices = vec![
        ("", "all"),
        ("suspected", "in a campaign"),
        ("covered", "with a response"),
        ("active", "active"),
        ("suspended", "suspended"),
        ("closed", "closed"),
    ];
    let frame = Frame::new(&console, &visit, "Accounts", "/accounts");
    let can_change = visit.may(Role::Responder);
    let table = table.part(&asked);
    let table = if can_change { table.choice("choose") } else { table };
    drawn(&Accounts { frame, q, only, choices, table, can_change })
}

/// Keys that are asked for.
async fn key_table(console: &Console, is_asked: impl Fn(&Key) -> bool, asked: &Asked) -> Table {
    let now = console.admin.clock.now();
    let row = |(key, used): &(Arc<Key>, Option<Time>)| {
        let state = key.lapsed(now).map_or("active", policy::key::Lapsed::name);
        let cells = vec![
            Cell::text(key.id.as_str()),
            Cell::text(key.account.as_str()).to(format!("/accounts/{}", encoded(key.account.as_str()))),
            Cell::text(&key.name),
            Cell::text(state).tone(if state == "active" { "" } else { "quiet" }),
            Cell::text(minute(key.created)),
            Cell::text(used.map_or_else(|| "never".to_owned(), minute)),
            Cell::text(key.expires.map_or_else(|| "never".to_owned(), minute)),
        ];
        Row::new(key.id.as_str(), cells)
    };
    let columns = [
        Column::text("key"),
        Column::text("account"),
        Column::text("name"),
        Column::text("state"),
        Column::text("made"),
        Column::text("last used"),
        Column::text("expires"),
    ];
    let keys = console.admin.registry.keys(is_asked).await;
    let by = |(one, _): &(Arc<Key>, Option<Time>), (other, _): &(Arc<Key>, Option<Time>)| one.id.cmp(&other.id);
    Table::of("keys", "Keys", &columns, (keys, by), row, asked).or("There is no key.")
}

#[derive(Template)]
#[template(path = "keys.html")]
struct Keys {
    frame: Frame,
    q: String,
    table: Table,
}

async fn keys(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Page {
    let Query(Wanted { q, asked, .. }) = query?;
    let part = q.trim().to_lowercase();
    let is_asked = |key: &Key| {
        [key.id.as_str(), key.account.as_str(), &key.name].iter().any(|text| text.to_lowercase().contains(&part))
    };
    let table = key_table(&console, is_asked, &asked).await.within(&[("q", &q)]);
    if let Some(saved) = table.saved(&asked) {
        return Ok(saved);
    }
    let frame = Frame::new(&console, &visit, "Keys", "/keys");
    drawn(&Keys { frame, q, table: table.part(&asked) })
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    id: String,
    is_known: bool,
    facts: Vec<(&'static str, String)>,
    memberships: Table,
    permits: Table,
    responses: Table,
    keys: Table,
    live_keys: Vec<String>,
    appeals: Table,
    open_appeals: Vec<String>,
    form: Option<ResponseForm>,
    statuses: Vec<&'static str>,
    can_respond: bool,
    can_appeal: bool,
}

async fn account(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(name): Path<String>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let admin = &console.admin;
    let known = match name.parse::<AccountId>() {
        Ok(id) => admin.registry.account(&id).await.ok(),
        Err(_) => None,
    };
    let memberships = memberships(&console, &name).await;
    let Some(account) = known else {
        // Who is found in a record need not be managed here.
        if memberships.is_empty() {
            return Err(Fault::missing(format!("there is no account `{name}`")));
        }
        return unmanaged(&console, &visit, name, memberships, &asked);
    };
    let id = account.id.clone();
    let directory = admin.registry.directory().await;
    let covered: Vec<_> = directory.responses_to(&id).iter().map(|response| response.id.clone()).collect();
    let responses =
        response_table(&console, |response| covered.contains(&response.id)).await.or("No response covers it.");
    let keys = key_table(&console, |key| key.account == id, &asked).await;
    let appeals = appeal_table(&console, |appeal| appeal.account == id).await;
    let (_, explained) = admin.registry.explain(&id, None, admin.clock.now()).await?;
    let row = |explained: &policy::policies::Explanation| {
        let (word, tone) = if explained.allowed { ("yes", "") } else { ("no", "alarm") };
        let cells = vec![
            Cell::text(explained.action.name()),
            Cell::text(word).tone(tone),
            Cell::text(explained.policies.join(", ")),
        ];
        Row::new(explained.action.name(), cells)
    };
    let columns = [Column::text("action"), Column::text("allowed"), Column::text("because of the policies")];
    let permits = Table::new(
        "permits",
        "What it may do now, with a model that no policy names",
        &columns,
        explained.iter().map(row).collect(),
    );
    for table in [&memberships, &responses, &keys, &appeals, &permits] {
        if let Some(saved) = table.saved(&asked) {
            return Ok(saved);
        }
    }
    let now = admin.clock.now();
    let mut live_keys = admin.registry.keys(|key| key.account == id && key.lapsed(now).is_none()).await;
    live_keys.sort_unstable_by(|(one, _), (other, _)| one.id.cmp(&other.id));
    let open = admin.registry.appeals().await;
    let open = open.iter().filter(|appeal| appeal.account == id && appeal.ruling.is_none());
    let can_respond = visit.may(Role::Responder);
    let statuses = match account.status {
        Status::Active => vec!["suspended", "closed"],
        Status::Suspended => vec!["active", "closed"],
        Status::Closed => vec!["active"],
    };
    drawn(&AccountPage {
        frame: Frame::new(&console, &visit, format!("Account {id}"), "/accounts"),
        is_known: true,
        facts: facts(&account),
        memberships: memberships.part(&asked),
        permits: permits.part(&asked),
        responses: responses.part(&asked),
        live_keys: live_keys.iter().map(|(key, _)| key.id.to_string()).collect(),
        keys: keys.part(&asked),
        open_appeals: open.map(|appeal| appeal.id.to_string()).collect(),
        appeals: appeals.part(&asked),
        form: can_respond.then(|| ResponseForm::to_account(id.as_str())),
        statuses: if can_respond { statuses } else { Vec::new() },
        can_respond,
        can_appeal: visit.may(Role::Analyst),
        id: id.to_string(),
    })
}

/// The page of an account that stands in the record and is not managed here.
fn unmanaged(console: &Console, visit: &Visit, id: String, memberships: Table, asked: &Asked) -> Page {
    if let Some(saved) = memberships.saved(asked) {
        return Ok(saved);
    }
    let none = || Table::new("none", "", &[], Vec::new());
    drawn(&AccountPage {
        frame: Frame::new(console, visit, format!("Account {id}"), "/accounts"),
        is_known: false,
        facts: Vec::new(),
        memberships: memberships.part(asked),
        permits: none(),
        responses: none(),
        keys: none(),
        live_keys: Vec::new(),
        appeals: none(),
        open_appeals: Vec::new(),
        form: None,
        statuses: Vec::new(),
        can_respond: false,
        can_appeal: false,
        id,
    })
}

/// The campaigns that an account takes part in.
async fn memberships(console: &Console, account: &str) -> Table {
    let found = console.desk.findings(&console.admin).await;
    let none = match &found {
        Ok(_) => "It takes part in no campaign that is known.".to_owned(),
        Err(fault) => format!("Not known. {}", fault.message()),
    };
    let findings = found.unwrap_or_default();
    let rows = findings.campaigns.iter().filter_map(|campaign| {
        let member = campaign.accounts.iter().find(|member| member.account == account)?;
        let cells = vec![
            Cell::text(&campaign.id).to(format!("/campaigns/{}", campaign.id)),
            Cell::text(percent(member.probability)),
            Cell::number(member.exchanges),
            Cell::number(member.exchanges_total),
            Cell::text(minute(member.first_seen)),
            Cell::text(minute(member.last_seen)),
        ];
        Some(Row::new(&campaign.id, cells))
    });
    let columns = [
        Column::text("campaign"),
        Column::number("takes part"),
        Column::number("exchanges in it"),
        Column::number("all its exchanges"),
        Column::text("first seen"),
        Column::text("last seen"),
    ];
    Table::new("memberships", "Campaigns that it takes part in", &columns, rows.collect()).or(none)
}

fn facts(account: &Account) -> Vec<(&'static str, String)> {
    let mut facts = vec![("status", word(&account.status)), ("created", minute(account.created))];
    let mut fact = |name, value: String| {
        if !value.is_empty() {
            facts.push((name, value));
        }
    };
    fact("name", account.name.clone());
    fact("organisation", account.organisation.as_ref().map(ToString::to_string).unwrap_or_default());
    fact("tier", word(&account.tier));
    fact("known by", word(&account.assurance));
    fact("programme", word(&account.programme));
    fact("payment group", account.payment.as_ref().map(ToString::to_string).unwrap_or_default());
    fact("region", account.region.clone().unwrap_or_default());
    fact("cleared since", account.cleared.map(minute).unwrap_or_default());
    if account.discovered {
        fact("discovered", "by a sensor; nothing is known of its sign-up".to_owned());
    }
    facts.into_iter().map(|(name, value)| (name, printable(&value, 2_000))).collect()
}

#[derive(Debug, Deserialize)]
struct NewStatus {
    status: String,
}

async fn change_status(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(name): Path<String>,
    form: Result<Form<NewStatus>, FormRejection>,
) -> Page {
    let Form(NewStatus { status }) = form?;
    let status = match status.as_str() {
        "active" => Status::Active,
        "suspended" => Status::Suspended,
        "closed" => Status::Closed,
        _ => return Err(Fault::bad("`status`: expected `active`, `suspended` or `closed`")),
    };
    let id = admin::answer::id::<AccountId>(&name)?;
    let account = console.registry(&visit).change_account(&id, |account| account.status = status).await?;
    console.sessions.leave(&visit, format!("The account is {} from now on.", word(&account.status)));
    Ok(Redirect::to(&format!("/accounts/{}", encoded(id.as_str()))).into_response())
}

#[derive(Debug, Deserialize)]
struct KeyAsked {
    #[serde(default)]
    name: String,
}

#[derive(Template)]
#[template(path = "key_made.html")]
struct KeyMade {
    frame: Frame,
    account: String,
    key: String,
}

async fn add_key(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(name): Path<String>,
    form: Result<Form<KeyAsked>, FormRejection>,
) -> Page {
    let Form(KeyAsked { name: key_name }) = form?;
    if key_name.len() > WORDS_BYTES_MAX {
        return Err(Fault::bad(format!("`name`: expected at most {WORDS_BYTES_MAX} bytes")));
    }
    let account = admin::answer::id::<AccountId>(&name)?;
    let new = NewKey { account, name: key_name, scope: policy::Scope::default(), binding: None, expires: None };
    let (key, secret) = console.registry(&visit).add_key(new, console.admin.clock.now()).await?;
    let frame = Frame::new(&console, &visit, format!("Key {}", key.id), "/keys");
    drawn(&KeyMade { frame, account: name, key: secret.expose().to_owned() })
}

async fn revoke(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(name): Path<String>,
) -> Page {
    let id = admin::answer::id::<KeyId>(&name)?;
    let key = console.registry(&visit).revoke_key(&id, console.admin.clock.now()).await?;
    console.sessions.leave(&visit, format!("The key {id} is revoked."));
    Ok(Redirect::to(&format!("/accounts/{}", encoded(key.account.as_str()))).into_response())
}
