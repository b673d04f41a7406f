//! `stillwatch hunt`: from files to findings, told to a person or to a machine.

use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use detect::{Config, Engine, Findings, Labels, Recount, Trace};
use event::Signals;
use exchange::{BadLine, BadRecord, ReadOptions, ReadReport};
use serde::Serialize;

use super::label;
use crate::cli::{Hunt, Records, Run};
use crate::failure::{Exit, Failure};
use crate::inputs::Inputs;
use crate::output::{OutputFile, print};
use crate::pipeline::{self, Outcome, Settings, Span};
use crate::prices::{self, Prices};
use crate::reading::Reading;
use crate::{accounts_file, calls, campaigns_file, clock, progress, table};
use report::{page, words};

/// Ends this process once nothing more can come from whoever began it, which is gone then, however it ended.
fn end_with_input() {
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    eprintln!("ended: the process that began this hunt is gone");
    std::process::exit(i32::from(Exit::Io.code()));
}

/// Hunts, and says what was found.
pub(crate) fn run(args: &Hunt) -> Result<Exit, Failure> {
    if args.schema {
        let mut schema = serde_json::to_string_pretty(&findings::schema()).map_err(Failure::unreadable)?;
        schema.push('\n');
        print(&schema)?;
        return Ok(Exit::Nothing);
    }
    if args.ends_with_input {
        std::thread::spawn(end_with_input);
    }
    let span = Span { from: args.from, until: args.until };
    if span.from.zip(span.until).is_some_and(|(from, until)| from >= until) {
        return Err(Failure::usage("--from has to be before --until"));
    }
    let inputs = Inputs::find(&args.paths, args.accounts.as_deref()).map_err(Failure::unreadable)?;
    tell_what_was_passed_over(&inputs);
    if args.exchanges_out.is_some() && inputs.bytes.is_none() {
        return Err(Failure::usage(
            "--exchanges-out reads the input twice, which standard input cannot be; name a file",
        ));
    }
    let prices = args.prices.as_deref().map(prices::read).transpose().map_err(Failure::unreadable)?;
    let labels = args.labels.as_deref().map_or_else(|| Ok(Labels::default()), label::in_force)?;
    let engine = engine(args, labels)?;
    let goes_on = engine.last_seen().is_some();
    // A place that cannot be written is told before the work is done.
    let create = |path: &Option<PathBuf>| path.as_deref().map(OutputFile::create).transpose();
    let (campaigns, exchanges) = (create(&args.campaigns_out)?, create(&args.exchanges_out)?);
    let (accounts, page, state) = (create(&args.accounts_out)?, create(&args.report)?, create(&args.state)?);
    let mut outcome = hunt_with(&inputs, args.run, span, &args.records, engine, state.is_some())?;
    tell_what_was_read(&outcome);
    if args.json {
        // The table says it itself.
        for warning in &reading(&outcome).warnings {
            eprintln!("warning: {}", words::printable(warning, LINE_CHARS));
        }
    }
    readable(&outcome, args)?;
    if let Some((file, remembered)) = state.zip(outcome.remembered.take()) {
        file.write_whole(&remembered)?;
    }
    // The file of exchanges and all that is told of them have the same numbers: those of the second pass, unless earlier logs are gone.
    // What was found is shown whatever becomes of the files.
    let counted_again = exchanges.is_some() && !goes_on;
    let written = exchanges.map_or(Ok(()), |file| write_exchanges(file, &inputs, &mut outcome, args, counted_again));
    let printed = print(&if args.json { json(&outcome, prices.as_ref())? } else { shown(&outcome, prices.as_ref()) });
    if let Some(file) = campaigns {
        let mut bytes = Vec::new();
        campaigns_file::write(&outcome.findings, &mut bytes).map_err(|error| file.failure(&error))?;
        file.write_whole(&bytes)?;
    }
    if let Some(file) = accounts {
        let mut bytes = Vec::new();
        accounts_file::write(&outcome.findings, &mut bytes).map_err(|error| file.failure(&error))?;
        file.write_whole(&bytes)?;
    }
    if let Some(file) = page {
        let sources = args.paths.iter().map(|path| path.display().to_string()).collect();
        let counted_again = counted_again && written.is_ok();
        file.write_whole(self::page(&outcome, sources, prices, counted_again)?.as_bytes())?;
    }
    written?;
    printed?;
    Ok(if outcome.findings.campaigns.is_empty() { Exit::Nothing } else { Exit::Found })
}

/// The engine that goes on from what an earlier hunt remembered, or one that has seen nothing.
fn engine(args: &Hunt, labels: Labels) -> Result<Engine, Failure> {
    let config = Config { alpha: args.run.alpha };
    let Some(path) = args.state.as_deref().filter(|path| path.exists()) else {
        return Ok(Engine::with_labels(config, labels));
    };
    let snapshot = std::fs::read(path).map_err(|error| Failure::bad_input(format!("`{}`: {error}", path.display())))?;
    Engine::restore(config, labels, &snapshot)
        .map_err(|error| Failure::bad_input(format!("`{}`: {error}", path.display())))
}

/// Writes the exchanges of every campaign, as JSON lines, as they are met, and counts the campaigns anew by them if asked to.
fn write_exchanges(
    mut file: OutputFile,
    inputs: &Inputs,
    outcome: &mut Outcome,
    args: &Hunt,
    count_again: bool,
) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Line<'a> {
        campaign: &'a str,
        exchange: &'a str,
        account: &'a str,
        time: exchange::Time,
    }
    let mut written = Ok(());
    let mut recount = Recount::new(&outcome.trace, &outcome.findings);
    let mut sink = |signals: &Signals| {
        let Some(campaign) = recount.count(signals) else { return };
        let line = Line { campaign, exchange: &signals.exchange, account: &signals.account, time: signals.time };
        if written.is_ok() {
            written = serde_json::to_writer(&mut file, &line)
                .map_err(io::Error::from)
                .and_then(|()| io::Write::write_all(&mut file, b"\n"));
        }
    };
    let span = Span { from: args.from, until: args.until };
    again(inputs, args.run, span, &outcome.read, &mut sink)?;
    written.map_err(|error| file.failure(&error))?;
    if count_again {
        recount.put_into(&mut outcome.findings);
    }
    file.finish()
}

/// Hands every exchange of a campaign to `sink`.
pub(crate) fn trace(
    inputs: &Inputs,
    run: Run,
    read: &ReadOptions,
    trace: &Trace,
    sink: &mut dyn FnMut(&str, &Signals),
) -> Result<(), Failure> {
    again(inputs, run, Span::default(), read, &mut |signals| {
        if let Some(campaign) = trace.campaign(signals) {
            sink(campaign, signals);
        }
    })
}

/// Hands every exchange to `sink` a second time, with a progress bar.
fn again(
    inputs: &Inputs,
    run: Run,
    span: Span,
    read: &ReadOptions,
    sink: &mut dyn FnMut(&Signals),
) -> Result<(), Failure> {
    let bar = progress::reading(inputs.bytes);
    let mut watch = |step: calls::Step| bar.set_position(step.bytes);
    let went = pipeline::again(inputs, &settings(run, read.clone(), false, span), &mut watch, sink);
    bar.finish_and_clear();
    went.map_err(Failure::unreadable)
}

fn settings(run: Run, read: ReadOptions, remember: bool, span: Span) -> Settings {
    Settings { read, threads: threads(run.threads), remember, span }
}

/// As many threads as were asked for, or as there are processors.
pub(crate) fn threads(asked: Option<NonZeroUsize>) -> usize {
    asked.or_else(|| std::thread::available_parallelism().ok()).map_or(1, usize::from)
}

/// What was typed, as how to read records.
pub(crate) fn read_options(records: &Records) -> ReadOptions {
    ReadOptions {
        format: records.format,
        account: records.account.clone(),
        trusted_proxies: records.trusted_proxies,
        now: clock::now(),
        ..ReadOptions::default()
    }
}

/// Runs the pipeline with a progress bar.
pub(crate) fn hunt(inputs: &Inputs, run: Run) -> Result<Outcome, Failure> {
    hunt_with(inputs, run, Span::default(), &Records::default(), Engine::new(Config { alpha: run.alpha }), false)
}

/// The same with an engine that may have seen more.
fn hunt_with(
    inputs: &Inputs,
    run: Run,
    span: Span,
    records: &Records,
    engine: Engine,
    remember: bool,
) -> Result<Outcome, Failure> {
    let bar = progress::reading(inputs.bytes);
    let settings = settings(run, read_options(records), remember, span);
    let outcome = pipeline::run(inputs, &settings, engine, &mut |step| {
        bar.set_position(step.bytes);
        bar.set_message(format!("{} exchanges", step.exchanges));
    });
    bar.finish_and_clear();
    let mut outcome = outcome.map_err(Failure::unreadable)?;
    // What makes a result worth little is the first thing that could not be seen.
    let warnings = reading(&outcome).warnings;
    outcome.findings.blind_spots.splice(0..0, warnings);
    Ok(outcome)
}

/// The page for a person. `counted_again`: whether the numbers are those of a second pass.
pub(crate) fn page(
    outcome: &Outcome,
    sources: Vec<String>,
    prices: Option<Prices>,
    counted_again: bool,
) -> Result<String, Failure> {
    let run = page::Run {
        sources,
        version: env!("CARGO_PKG_VERSION"),
        records: outcome.exchanges.records,
        read: reading(outcome).sentences(),
        broken_sources: outcome.exchanges.broken_sources.clone(),
        account_facts: outcome.accounts.records,
        prices,
        counted_again,
    };
    page::html(&outcome.findings, &run).map_err(Failure::unreadable)
}

/// The table for a terminal.
pub(crate) fn shown(outcome: &Outcome, prices: Option<&Prices>) -> String {
    table::render(&outcome.findings, prices, &reading(outcome).sentences(), width(), is_coloured())
}

/// Whether standard output shows colours.
pub(crate) fn is_coloured() -> bool {
    io::stdout().is_terminal() && terminal::colors_enabled()
}

/// Columns of the terminal, or as many as read well where there is none.
pub(crate) fn width() -> usize {
    terminal::Term::stdout().size_checked().map_or(PIPE_WIDTH, |(_, columns)| usize::from(columns))
}

/// The account of what was read.
pub(crate) fn reading(outcome: &Outcome) -> Reading {
    Reading::of(&outcome.exchanges, &outcome.accounts, &outcome.read)
}

/// What could not be read, so that nobody takes silence for completeness.
pub(crate) fn tell_what_was_read(outcome: &Outcome) {
    tell(&outcome.exchanges, "exchanges");
    tell(&outcome.accounts, "account facts");
}

/// The files of folders that are no logs, in a line each.
pub(crate) fn tell_what_was_passed_over(inputs: &Inputs) {
    for reason in inputs.passed_over.iter().take(BAD_LINES_SHOWN) {
        eprintln!("passed over: {}", words::printable(reason, LINE_CHARS));
    }
    let more = inputs.passed_over.len().saturating_sub(BAD_LINES_SHOWN);
    if more > 0 {
        eprintln!("passed over: {} more", words::counted(more as u64, "file"));
    }
}

/// The lines of one kind that could not be read.
pub(crate) fn tell(read: &ReadReport, what: &str) {
    for line in read.kept.iter().take(BAD_LINES_SHOWN) {
        eprintln!("skipped {}", words::printable(&line.to_string(), LINE_CHARS));
    }
    let more = read.bad_lines.saturating_sub(BAD_LINES_SHOWN as u64);
    if more > 0 {
        eprintln!("skipped {} more {} of {what}", words::grouped(more), words::either(more, "line", "lines"));
    }
    for broken in &read.broken_sources {
        eprintln!("incomplete: {}", words::printable(broken, LINE_CHARS));
    }
}

/// Whether enough could be read.
fn readable(outcome: &Outcome, args: &Hunt) -> Result<(), Failure> {
    let read = &outcome.exchanges;
    if read.records == 0 {
        return Err(Failure::bad_input(nothing_read(read)));
    }
    let nothing = |read: &ReadReport| read.records == 0 && (read.bad_lines > 0 || !read.broken_sources.is_empty());
    if let Some(path) = args.accounts.as_deref().filter(|_| nothing(&outcome.accounts)) {
        return Err(Failure::bad_input(format!("no line of `{}` could be read as an account fact", path.display())));
    }
    if read.bad_share() > args.run.bad_lines_max {
        return Err(Failure::bad_input(format!(
            "{} of {} could not be read, more than --bad-lines-max {} allows",
            words::grouped(read.bad_lines),
            words::counted(read.bad_lines + read.records, "line"),
            args.run.bad_lines_max
        )));
    }
    Ok(())
}

/// Why there was no exchange, and what to do.
fn nothing_read(read: &ReadReport) -> String {
    if read.bad_lines > 0 || !read.broken_sources.is_empty() {
        return format!("no line could be read as an exchange; {}", advice(read));
    }
    match read.remarks.iter().max_by_key(|(_, tally)| tally.count) {
        Some((remark, tally)) => format!(
            "none of the records is an exchange: {} ({}), first {}:{}; `stillwatch inspect` says what was made of them",
            remark,
            words::counted(tally.count, "record"),
            tally.source,
            tally.line
        ),
        None => "there is nothing to read in what was named: no record at all".to_owned(),
    }
}

/// What to try where lines could not be read.
pub(crate) fn advice(read: &ReadReport) -> &'static str {
    let lacks_account = |line: &BadLine| matches!(line.reason, BadRecord::Missing { field: "account", .. });
    if read.kept.iter().any(lacks_account) {
        "name the field that tells customers apart by --account"
    } else {
        "if the format is known, name it by --format"
    }
}

/// Everything for a machine.
fn json<'a>(outcome: &'a Outcome, prices: Option<&'a Prices>) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Document<'a> {
        read: Reading,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        costs: Vec<Cost<'a>>,
        #[serde(flatten)]
        findings: &'a Findings,
    }
    #[derive(Serialize)]
    struct Cost<'a> {
        campaign: &'a str,
        currency: &'a str,
        amount: f64,
        models_without_price: Vec<String>,
    }
    let cost = |prices: &'a Prices| {
        let campaigns = outcome.findings.campaigns.iter();
        campaigns.map(|campaign| {
            let cost = report::cost::cost_of(prices, campaign);
            Cost {
                campaign: &campaign.id,
                currency: prices.currency(),
                amount: cost.amount,
                models_without_price: cost.unpriced,
            }
        })
    };
    let costs = prices.into_iter().flat_map(cost).collect();
    let document = Document { read: reading(outcome), costs, findings: &outcome.findings };
    let mut text = serde_json::to_string_pretty(&document).map_err(Failure::unreadable)?;
    text.push('\n');
    Ok(text)
}

/// Columns where there is no terminal to ask.
const PIPE_WIDTH: usize = 100;
/// Bad lines that are shown each; all are counted.
const BAD_LINES_SHOWN: usize = 10;
/// Characters of a message about a line.
const LINE_CHARS: usize = 300;
