//! Recorded exchanges: the search for them, a page for each, and its text, which is read for a reason that is put down first.

use std::sync::Arc;

use admin::answer::words as some_words;
use admin::person::Role;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use exchange::{Content, Exchange, Notes, Part, Role as Speaker, Time};
use findings::Capability;
use lake::row::Row as Recorded;
use lake::search::Found;
use report::words::{encoded, exchange_page, grouped, minute, printable, words};
use serde::Deserialize;
use serde_json::json;
use verify::entry::Statement;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::frame::{Frame, drawn};
use crate::limits::{ROWS_MAX, ROWS_SAVED_AT_ONCE, TEXT_CHARS_MAX};
use crate::route::{Needs, Route};
use crate::search::{self, Sought, broken, lake, one, place, read_place};
use crate::session::Visit;
use crate::table::{Asked, Cell, Column, Row, Table};
use crate::words::word;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/exchanges", Needs::Role(Role::Viewer), get(found)),
        Route::get("/exchange", Needs::Role(Role::Viewer), get(exchange)),
        Route::post("/exchange", Needs::Role(Role::Analyst), post(read)),
    ]
}

/// The address of the page of an exchange.
fn address(exchange: &Exchange<'_>) -> String {
    exchange_page(exchange.time, exchange.account.as_str(), exchange.id.as_str())
}

/// What is asked for, and which part of it.
#[derive(Clone, Debug, Default, Deserialize)]
struct Typed {
    #[serde(flatten)]
    sought: Sought,
    #[serde(flatten)]
    asked: Asked,
}

#[derive(Template)]
#[template(path = "exchanges.html")]
struct Exchanges {
    frame: Frame,
    typed: Typed,
    capabilities: Vec<(&'static str, &'static str)>,
    campaigns: Vec<String>,
    table: Table,
    further: Option<String>,
    told: Vec<String>,
}

async fn found(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Typed>, QueryRejection>,
) -> Page {
    let Query(typed) = query?;
    let most = if typed.asked.is_saved() { ROWS_SAVED_AT_ONCE } else { ROWS_MAX };
    let (found, findings) = search::look(&console, &typed.sought, most).await?;
    let table = table(&found.rows).within(&fields(&typed.sought)).without(missing(&found));
    if let Some(saved) = table.saved(&typed.asked) {
        return Ok(saved);
    }
    let capabilities = Capability::ALL.map(|capability| (capability.id(), words(capability)));
    drawn(&Exchanges {
        frame: Frame::new(&console, &visit, "Exchanges", "/exchanges"),
        capabilities: capabilities.to_vec(),
        campaigns: findings.campaigns.iter().map(|campaign| campaign.id.clone()).collect(),
        further: further(&typed, &found),
        told: told(&found),
        typed,
        table,
    })
}

/// What a search was narrowed by, for the address of its next page.
fn fields(sought: &Sought) -> [(&'static str, &str); 8] {
    [
        ("from", &sought.from),
        ("until", &sought.until),
        ("account", &sought.account),
        ("campaign", &sought.campaign),
        ("capability", &sought.capability),
        ("network", &sought.network),
        ("model", &sought.model),
        ("like", &sought.like),
    ]
}

/// The address of the page behind this one.
fn further(typed: &Typed, found: &Found) -> Option<String> {
    let mut fields: Vec<(&str, String)> = fields(&typed.sought).map(|(name, value)| (name, value.to_owned())).into();
    match (found.is_more, found.tired) {
        (true, _) => fields.push(("behind", place(found.rows.last()?.exchange()))),
        (false, Some(until)) => {
            fields.retain(|(name, _)| *name != "until");
            fields.push(("until", until.to_string()));
        }
        (false, None) => return None,
    }
    fields.retain(|(_, value)| !value.is_empty());
    serde_urlencoded::to_string(fields).ok().map(|query| format!("?{query}"))
}

/// What is to be said of a file that has not all rows.
fn missing(found: &Found) -> Option<String> {
    let mut missing = Vec::new();
    if found.is_more {
        missing.push(format!("only the latest {} exchanges are here; narrow the search for others", found.rows.len()));
    }
    missing.extend(told(found));
    (!missing.is_empty()).then(|| missing.join("; "))
}

/// What is to be said of a page besides its rows.
fn told(found: &Found) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(until) = found.tired.filter(|_| !found.is_more) {
        told.push(format!(
            "{} exchanges were looked at; those before {} were not yet.",
            grouped(found.looked_at),
            minute(until)
        ));
    }
    if let Some(first) = found.broken.first() {
        told.push(format!("{} parts of the lake cannot be read; {first}", found.broken.len()));
    }
    told
}

fn table(rows: &[Recorded<'_>]) -> Table {
    let tokens = |count: Option<u64>| count.map_or_else(String::new, grouped);
    let row = |row: &Recorded<'_>| {
        let exchange = row.exchange();
        let intents = exchange.fingerprint.as_ref().map(|print| print.intents.join(", ")).unwrap_or_default();
        let cells = vec![
            Cell::text(second(exchange.time)).to(address(exchange)),
            Cell::text(exchange.account.as_str()).to(format!("/accounts/{}", encoded(exchange.account.as_str()))),
            Cell::text(exchange.model.as_deref().unwrap_or_default()),
            Cell::text(exchange.status.map_or_else(String::new, |status| status.to_string())),
            Cell::text(tokens(exchange.usage.input_tokens)),
            Cell::text(tokens(exchange.usage.output_tokens)),
            Cell::text(exchange.client.ip.as_deref().unwrap_or_default()),
            Cell::text(intents.replace('_', " ")),
            Cell::text(exchange.id.as_str()),
        ];
        Row::new(exchange.id.as_str(), cells)
    };
    let columns = [
        Column::text("when"),
        Column::text("account"),
        Column::text("model"),
        Column::text("status"),
        Column::number("tokens in"),
        Column::number("tokens out"),
        Column::text("network"),
        Column::text("capability"),
        Column::text("exchange"),
    ];
    Table::new("exchanges", "Exchanges, the latest first", &columns, rows.iter().map(row).collect())
        .or("No exchange is as asked.")
}

/// A time to the second.
fn second(time: Time) -> String {
    time.to_string().chars().take(19).collect::<String>().replace('T', " ")
}

#[derive(Template)]
#[template(path = "exchange.html")]
struct ExchangePage {
    frame: Frame,
    at: String,
    account: String,
    facts: Vec<(&'static str, String)>,
    /// How its text can be read.
    text: Text,
    turns: Vec<Turn>,
}

/// How a text can be read.
#[derive(PartialEq, Eq)]
enum Text {
    /// By somebody else.
    NotYours,
    /// Where the evidence key is.
    Sealed,
    /// Not any more, or it never was recorded.
    Gone,
    /// Here, for a reason.
    Asks,
    /// It is shown.
    Shown,
}

/// Something that was said.
struct Turn {
    who: &'static str,
    text: String,
}

#[derive(Debug, Deserialize)]
struct At {
    #[serde(default)]
    at: String,
    #[serde(default)]
    reason: String,
}

async fn exchange(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<At>, QueryRejection>,
) -> Page {
    let Query(At { at, .. }) = query?;
    let row = row(&console, &at).await?;
    let text = match (visit.may(Role::Analyst), row.sealed().is_some(), row.origin()) {
        (false, _, _) => Text::NotYours,
        (true, true, _) => Text::Sealed,
        (true, false, None) => Text::Gone,
        (true, false, Some(_)) => Text::Asks,
    };
    drawn(&page(&console, &visit, &row, text, Vec::new()))
}

async fn row(console: &Arc<Console>, at: &str) -> Result<Recorded<'static>, Fault> {
    let key = read_place(at).ok_or_else(|| Fault::bad("`at`: expected the place of an exchange"))?;
    let lake = lake(console).await?;
    tokio::task::spawn_blocking(move || one(&lake, &key)).await.map_err(broken)?
}

fn page(console: &Console, visit: &Visit, row: &Recorded<'_>, text: Text, turns: Vec<Turn>) -> ExchangePage {
    let exchange = row.exchange();
    ExchangePage {
        frame: Frame::new(console, visit, format!("Exchange {}", printable(exchange.id.as_str(), 200)), "/exchanges"),
        at: place(exchange),
        account: exchange.account.as_str().to_owned(),
        facts: facts(row),
        text,
        turns,
    }
}

fn facts(row: &Recorded<'_>) -> Vec<(&'static str, String)> {
    let exchange = row.exchange();
    let (client, params, usage) = (&exchange.client, &exchange.request.params, &exchange.usage);
    let mut facts = vec![("when", exchange.time.to_string())];
    let mut fact = |name, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.push((name, printable(&value, 2_000)));
        }
    };
    let own = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
    fact("organisation", exchange.org.as_ref().map(|org| org.as_str().to_owned()));
    fact("operation", exchange.operation.map(|operation| operation.name().to_owned()));
    fact("model", own(&exchange.model));
    fact("status", exchange.status.map(|status| status.to_string()));
    fact("took", exchange.duration_ms.map(|took| format!("{took:.0} ms")));
    fact("tokens of the request", usage.input_tokens.map(grouped));
    fact("tokens of the answer", usage.output_tokens.map(grouped));
    fact("tokens of reasoning", usage.reasoning_tokens.map(grouped));
    fact("address", own(&client.ip));
    fact("network", client.network.map(|network| network.name().to_owned()));
    fact("network operator", client.asn.map(|asn| format!("AS{asn}")));
    fact("country", own(&client.country));
    fact("client", own(&client.user_agent));
    fact("JA4", own(&client.ja4));
    fact("temperature", params.temperature.map(|value| value.to_string()));
    fact("top p", params.top_p.map(|value| value.to_string()));
    fact("most tokens", params.max_tokens.map(|value| grouped(u64::from(value))));
    fact("logprobs", params.logprobs.map(|value| value.to_string()));
    fact("seed", params.seed.map(|value| value.to_string()));
    fact("streamed", params.stream.map(|value| value.to_string()));
    fact("reasoning effort", own(&params.reasoning_effort));
    let after = exchange.fingerprint.as_ref().map(|print| print.intents.join(", ").replace('_', " "));
    fact("after", after);
    fact("recorded in", row.origin().map(|origin| format!("{}, line {}", origin.file, origin.line + 1)));
    facts
}

/// Shows the text of an exchange, once the ledger says who reads it and why.
async fn read(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<At>, FormRejection>,
) -> Page {
    let Form(At { at, reason }) = form?;
    some_words("reason", &reason)?;
    let row = row(&console, &at).await?;
    let gone = || Fault::missing("the text of this exchange is not recorded any more");
    if console.ledger.is_none() {
        let message = "texts are read only where it is put down who reads them, and this gateway keeps no ledger";
        return Err(Fault::new(StatusCode::CONFLICT, message));
    }
    let origin = row.origin().cloned().ok_or_else(gone)?;
    let exchange = row.exchange();
    let statement = Statement {
        at: String::new(),
        kind: "reading".to_owned(),
        actor: format!("person:{}", visit.name()),
        reason: Some(reason),
        subject: format!("exchange:{}", exchange.id.as_str()),
        before: None,
        after: None,
        detail: json!({"account": exchange.account.as_str(), "time": exchange.time, "file": origin.file, "line": origin.line}),
    };
    let (there, id) = (Arc::clone(&console), exchange.id.as_str().to_owned());
    let shown = tokio::task::spawn_blocking(move || {
        let line = there.records.line(&origin.file, origin.line).map_err(broken)?.ok_or_else(gone)?;
        let turns = turns(&line, &id).ok_or_else(gone)?;
        there.scribe.put_down(statement).map_err(broken)?;
        Ok::<_, Fault>(turns)
    });
    let turns = shown.await.map_err(broken)??;
    drawn(&page(&console, &visit, &row, Text::Shown, turns))
}

/// What was said in the exchange of a recorded line.
fn turns(line: &[u8], id: &str) -> Option<Vec<Turn>> {
    let text = std::str::from_utf8(line).ok()?;
    let mut found = None;
    let mut see = |exchange: Exchange<'_>| {
        if exchange.id.as_str() == id {
            found = Some(said(&exchange));
        }
    };
    exchange::read_exchanges(text, &mut Notes::default(), &mut see).ok()?;
    found
}

fn said(exchange: &Exchange<'_>) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut turn = |who, text: &str| turns.push(Turn { who, text: lines(text) });
    if let Some(system) = &exchange.request.system {
        turn("system", &whole(system));
    }
    for message in &exchange.request.messages {
        let who = match message.role {
            Speaker::System => "system",
            Speaker::User => "user",
            Speaker::Assistant => "model, before",
            Speaker::Tool => "tool",
            Speaker::Other => "other",
        };
        turn(who, &whole(&message.content));
    }
    let answer = &exchange.response;
    if let Some(reasoning) = &answer.reasoning {
        turn("model, reasoning", reasoning);
    }
    if let Some(content) = &answer.content {
        turn("model, answering", content);
    }
    if !answer.tool_calls.is_empty() {
        turn("model, calling tools", &answer.tool_calls.join(", "));
    }
    turns
}

/// All texts of a content, and names of what is none.
fn whole(content: &Content<'_>) -> String {
    match content {
        Content::Text(text) => text.to_string(),
        Content::Parts(parts) => parts.iter().map(in_words).collect::<Vec<_>>().join("\n"),
    }
}

fn in_words(part: &Part<'_>) -> String {
    match part {
        Part::Text(text) | Part::Reasoning(text) => text.to_string(),
        Part::SealedReasoning(_) => "[reasoning that is sealed]".to_owned(),
        Part::ToolCall { name, input } => format!("[calls {name}: {input}]"),
        other => format!("[{}]", word(other)),
    }
}

/// A text with its lines, without what moves a cursor or turns a line around.
fn lines(text: &str) -> String {
    let cut: String = text.chars().take(TEXT_CHARS_MAX).collect();
    let more = if text.chars().nth(TEXT_CHARS_MAX).is_some() { "\n… the rest is left out" } else { "" };
    cut.split('\n').map(|line| printable(line, TEXT_CHARS_MAX)).collect::<Vec<_>>().join("\n") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_its_limit_and_that_is_told() {
        let long = "x".repeat(TEXT_CHARS_MAX);
        assert_eq!(lines(&long), long);
        assert!(lines(&(long + "y")).ends_with("the rest is left out"));
        assert_eq!(lines("a\n\u{202e}b\u{1b}[2J"), "a\nb\u{fffd}[2J");
    }
}
