//! `stillwatch inspect`: what a log holds and what was made of it, before anybody hunts in it.
//!
//! Reads everything once and looks for nobody. Fails when a path has nothing in it that can be read. Texts are shown cut
//! short, credentials never.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use exchange::{Census, Exchange, Field, Format, KnownAccount, ReadOptions, ReadReport, Who, parse_accounts};
use serde::Serialize;
use serde_json::Value;

use super::hunt;
use crate::cli::Inspect;
use crate::failure::{Exit, Failure};
use crate::inputs::{self, Inputs};
use crate::output::print;
use crate::reading::Reading;
use crate::{calls, pipeline, progress};
use report::words;

/// Reads, and says what was read.
pub(crate) fn run(args: &Inspect) -> Result<Exit, Failure> {
    if args.formats {
        print(&formats(args.json)?)?;
        return Ok(Exit::Nothing);
    }
    let inputs = Inputs::find(&args.paths, args.accounts.as_deref()).map_err(Failure::unreadable)?;
    hunt::tell_what_was_passed_over(&inputs);
    let mut options = hunt::read_options(&args.records);
    let (known, accounts) = known(&inputs, &options)?;
    pipeline::know(&inputs, &mut options, known);
    let (calls::Read { report: exchanges, by_source }, samples) = read(&inputs, &options)?;
    hunt::tell(&exchanges, "exchanges");
    hunt::tell(&accounts, "account facts");
    let found = Found::of(Reading::of(&exchanges, &accounts, &options), &exchanges, samples);
    print(&if args.json { found.json()? } else { found.text() })?;
    match args.paths.iter().find(|path| gave_nothing(path, &inputs, &by_source)) {
        None => Ok(Exit::Nothing),
        Some(path) => Err(Failure::bad_input(format!(
            "nothing in `{}` could be read as an exchange; {}, and `stillwatch inspect --formats` lists the formats",
            path.display(),
            hunt::advice(&exchanges)
        ))),
    }
}

/// Whether a path that was typed has files, and none of them gave a record.
fn gave_nothing(path: &Path, inputs: &Inputs, by_source: &BTreeMap<Arc<str>, u64>) -> bool {
    let mut within = inputs.exchanges.iter().filter(|file| file.starts_with(path)).peekable();
    let records = |file: &Path| by_source.get(inputs::name(file).as_str()).copied().unwrap_or_default();
    within.peek().is_some() && within.all(|file| records(file) == 0)
}

/// The accounts of the accounts files.
fn known(inputs: &Inputs, options: &ReadOptions) -> Result<(Vec<KnownAccount>, ReadReport), Failure> {
    let (mut known, mut report) = (Vec::new(), ReadReport::default());
    for path in &inputs.accounts {
        for chunk in inputs::source(path).map_err(Failure::unreadable)? {
            match chunk {
                Ok(chunk) => {
                    let mut learn = |fact: exchange::AccountFact<'_>| {
                        known.push(KnownAccount::from(fact.account.as_str()));
                    };
                    parse_accounts(&chunk, options.now, &mut learn, &mut report);
                }
                Err(error) => report.source_broke(&error),
            }
        }
    }
    Ok((known, report))
}

/// Reads all exchanges: what was read, and an exchange of each kind, as kinds differ in the fields that they have.
fn read(inputs: &Inputs, options: &ReadOptions) -> Result<(calls::Read, Vec<Value>), Failure> {
    let mut samples: BTreeMap<Vec<String>, (usize, Value)> = BTreeMap::new();
    let bar = progress::reading(inputs.bytes);
    // The first of each chunk is enough to look at.
    let first = || {
        let mut is_first = true;
        move |exchange: &Exchange<'_>| std::mem::take(&mut is_first).then(|| sample(exchange))
    };
    let mut keep = |shown: Option<Value>, _| {
        let Some(Value::Object(fields)) = shown else { return };
        let kind = fields.keys().cloned().collect();
        let met = samples.len();
        if met < SAMPLES {
            samples.entry(kind).or_insert((met, Value::Object(fields)));
        }
    };
    let mut watch = |step: calls::Step| bar.set_position(step.bytes);
    let read = calls::each(inputs, options, hunt::threads(None), &first, &mut watch, &mut keep);
    bar.finish_and_clear();
    let mut samples: Vec<(usize, Value)> = samples.into_values().collect();
    samples.sort_by_key(|(met, _)| *met);
    Ok((read.map_err(Failure::unreadable)?, samples.into_iter().map(|(_, shown)| shown).collect()))
}

/// What a log holds.
#[derive(Debug, Serialize)]
struct Found {
    read: Reading,
    /// Accounts, up to a limit of the reader.
    accounts: usize,
    /// End users, up to a limit of the reader.
    end_users: usize,
    first: Option<exchange::Time>,
    last: Option<exchange::Time>,
    /// The share of calls that have each field.
    fields: Vec<Share>,
    /// What a hunt in this log could not see.
    blind: Vec<&'static str>,
    /// What was made of a record of each format, texts cut short.
    samples: Vec<Value>,
}

#[derive(Debug, Serialize)]
struct Share {
    field: &'static str,
    share: f64,
}

impl Found {
    fn of(read: Reading, report: &ReadReport, samples: Vec<Value>) -> Found {
        let census = &report.census;
        let shares =
            Field::ALL.iter().filter_map(|field| Some(Share { field: field.name(), share: census.share(*field)? }));
        Found {
            accounts: census.accounts(),
            end_users: census.users(),
            first: census.span.map(|(first, _)| first),
            last: census.span.map(|(_, last)| last),
            fields: shares.collect(),
            blind: blind(census, read.account_facts),
            samples,
            read,
        }
    }

    fn json(&self) -> Result<String, Failure> {
        let mut text = serde_json::to_string_pretty(self).map_err(Failure::unreadable)?;
        text.push('\n');
        Ok(text)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let formats: Vec<String> =
            self.read.formats.iter().map(|(name, count)| format!("{name} {}", words::grouped(*count))).collect();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<12} {value}");
        };
        line("exchanges", format!("{} ({})", words::grouped(self.read.exchanges), join(&formats, "no format")));
        if let (Some(first), Some(last)) = (self.first, self.last) {
            line("time", format!("{} to {}", words::minute(first), words::minute(last)));
        }
        let from: Vec<String> =
            self.read.accounts_from.iter().map(|(who, count)| format!("{who} {}", words::grouped(*count))).collect();
        line("accounts", format!("{} (taken from: {})", words::grouped(self.accounts as u64), join(&from, "nothing")));
        line("end users", words::grouped(self.end_users as u64));
        line("facts", format!("{} about accounts", words::counted(self.read.account_facts, "record")));
        let shares: Vec<String> =
            self.fields.iter().map(|share| format!("{} {}", share.field, percent(share.share))).collect();
        let _ = writeln!(text, "\nFields, in the share of exchanges that have them");
        for row in shares.chunks(FIELDS_A_ROW) {
            let cells: Vec<String> = row.iter().map(|cell| format!("{cell:<22}")).collect();
            let _ = writeln!(text, "  {}", cells.concat().trim_end());
        }
        section(&mut text, "What was done with records", &self.read.sentences());
        section(&mut text, "A hunt could not see", &self.blind);
        section(&mut text, "Before you trust a hunt", &self.read.warnings);
        for sample in &self.samples {
            let record = serde_json::to_string_pretty(sample).unwrap_or_default();
            let _ = writeln!(text, "\nA record, as it was read\n{record}");
        }
        text
    }
}

fn section(text: &mut String, heading: &str, lines: &[impl AsRef<str>]) {
    if !lines.is_empty() {
        let _ = writeln!(text, "\n{heading}");
        for line in lines {
            let _ = writeln!(text, "  - {}", words::printable(line.as_ref(), words::MESSAGE_CHARS_MAX));
        }
    }
}

fn join(parts: &[String], nothing: &str) -> String {
    if parts.is_empty() { nothing.to_owned() } else { parts.join(", ") }
}

fn percent(share: f64) -> String {
    match share {
        0.0 => "–".to_owned(),
        share if share < 0.01 => "<1 %".to_owned(),
        share => format!("{:.0} %", (share * 100.0).floor()),
    }
}

/// What a hunt in such a log is blind to.
fn blind(census: &Census, facts: u64) -> Vec<&'static str> {
    let rare = |field: Field| census.share(field).is_some_and(|share| share < RARE_SHARE);
    let mut blind = Vec::new();
    if rare(Field::Prompt) {
        blind.push("templates: hardly any record has a prompt");
    }
    if rare(Field::Answer) {
        blind.push("answers that come back as input: hardly any record has an answer");
    }
    if rare(Field::Address) && rare(Field::Network) {
        blind.push("shared networks: hardly any record says where a request came from");
    }
    if rare(Field::UserAgent) && rare(Field::Tls) {
        blind.push("shared software: hardly any record has a user agent or a TLS fingerprint");
    }
    if rare(Field::Settings) {
        blind.push("shared settings: hardly any record has any");
    }
    if facts == 0 {
        blind.push("sign-ups, payments and closures: there is no accounts file");
    }
    if census.found_as(Who::Service) * 2 > census.calls {
        blind.push("customers: most records name only a service");
    }
    blind
}

/// An exchange as JSON, texts cut short and credentials left out.
fn sample(exchange: &Exchange<'_>) -> Value {
    let mut value = serde_json::from_str(&exchange.to_json()).unwrap_or_default();
    shorten(&mut value);
    if let Some(key) = value.get_mut("key") {
        *key = Value::from("…");
    }
    value
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => *text = words::printable(text, SAMPLE_CHARS),
        Value::Array(list) => {
            let more = list.len().saturating_sub(SAMPLE_ITEMS);
            list.truncate(SAMPLE_ITEMS);
            list.iter_mut().for_each(shorten);
            if more > 0 {
                list.push(Value::from(format!("… and {more} more")));
            }
        }
        Value::Object(object) => object.values_mut().for_each(shorten),
        _ => {}
    }
}

/// Every format: its name, what it is, and where its names are documented.
fn formats(json: bool) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Known {
        name: &'static str,
        what: &'static str,
        source: Option<&'static str>,
        version: Option<&'static str>,
    }
    let known: Vec<Known> = Format::all()
        .map(|format| Known {
            name: format.name(),
            what: format.title(),
            source: format.documented().map(|(source, _)| source),
            version: format.documented().map(|(_, version)| version),
        })
        .collect();
    if json {
        let mut text = serde_json::to_string_pretty(&known).map_err(Failure::unreadable)?;
        text.push('\n');
        return Ok(text);
    }
    let mut text = String::new();
    for Known { name, what, source, version } in known {
        let _ = writeln!(text, "{name:<14} {what}");
        if let (Some(source), Some(version)) = (source, version) {
            let _ = writeln!(text, "{:<14}   after {source}; version {version}", "");
        }
    }
    Ok(text)
}

/// Records that are shown.
const SAMPLES: usize = 5;
/// Characters of each text in them.
const SAMPLE_CHARS: usize = 60;
/// Items of each list in them.
const SAMPLE_ITEMS: usize = 3;
const FIELDS_A_ROW: usize = 3;
/// A field in fewer records than this says nothing.
const RARE_SHARE: f64 = 0.1;
