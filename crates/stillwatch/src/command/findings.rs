//! `stillwatch findings`: what a running gateway has found so far.

use findings::Findings;
use hyper::Method;
use serde::Deserialize as _;
use serde_json::Value;

use super::hunt;
use crate::admin_client::AdminClient;
use crate::cli;
use crate::failure::{Exit, Failure};
use crate::output::{OutputFile, print, print_json};
use crate::table;
use report::{page, words};

/// Asks the gateway, and shows it as a hunt shows its own.
pub(crate) fn run(args: &cli::Findings) -> Result<Exit, Failure> {
    let client = AdminClient::new(&args.server)?;
    let page = args.report.as_deref().map(OutputFile::create).transpose()?;
    let told = client.ask(Method::GET, "/api/v1/findings", None)?;
    let unknown = |error| Failure::service(format!("what the gateway found cannot be read: {error}"));
    let findings = Findings::deserialize(&told).map_err(unknown)?;
    let went = client.ask(Method::GET, "/api/v1/detection", None)?;
    let read = sentences(&went);
    if args.server.json {
        print_json(&told)?;
    } else {
        print(&table::render(&findings, None, &read, hunt::width(), hunt::is_coloured()))?;
    }
    if let Some(page) = page {
        let run = page::Run {
            sources: vec![format!("what the gateway with the data folder `{}` recorded", args.server.data.display())],
            version: env!("CARGO_PKG_VERSION"),
            records: findings.population.exchanges,
            read,
            broken_sources: Vec::new(),
            account_facts: 0,
            prices: None,
            counted_again: false,
        };
        page.write_whole(page::html(&findings, &run).map_err(Failure::unreadable)?.as_bytes())?;
    }
    Ok(if findings.campaigns.is_empty() { Exit::Nothing } else { Exit::Found })
}

/// How far detection is, and what it could not read.
fn sentences(went: &Value) -> Vec<String> {
    let count = |name: &str| went.get(name).and_then(Value::as_u64).unwrap_or(0);
    let seen = went.get("seen").and_then(Value::as_str).map_or_else(String::new, |seen| format!(", up to {seen}"));
    let mut sentences = vec![format!("{} of a running gateway{seen}.", words::counted(count("exchanges"), "exchange"))];
    let behind = count("behind_bytes");
    if behind > 0 {
        sentences.push(format!("{} that are recorded are not read yet.", words::counted(behind, "byte")));
    }
    let waiting = count("waiting");
    if waiting > 0 {
        sentences.push(format!(
            "{} wait for earlier ones that may still be recorded, and do not count yet.",
            words::counted(waiting, "exchange")
        ));
    }
    let lost = count("unread") + count("damaged") + count("torn");
    if lost > 0 {
        sentences.push(format!("{} could not be read.", words::counted(lost, "recorded line")));
    }
    let missed = count("missed_files");
    if missed > 0 {
        sentences.push(format!("{} had been removed before detection came to them.", words::counted(missed, "file")));
    }
    sentences
}
