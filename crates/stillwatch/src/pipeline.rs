//! From exchanges to the engine: put in order of time, observe.
//!
//! Promises that the engine sees the same signals in the same order whatever the number of threads. What is out of order by
//! less than [`detect::limits::WAITING_MAX`] exchanges is put right, and the rest is counted as late. While a call waits for another record,
//! later ones wait behind it.

use std::path::Path;

use detect::{Engine, Findings, Order, Trace};
use event::Signals;
use exchange::{
    AccountFact, Call, Exchange, KnownAccount, KnownAccounts, Named, OrgsNamed, ReadOptions, ReadReport, Time,
    parse_accounts, parse_chunk,
};

use crate::calls::{self, Step};
use crate::events::Events;
use crate::inputs::{self, InputError, Inputs};
use crate::lakes;

/// How to run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How records are read.
    pub read: ReadOptions,
    /// Threads that parse.
    pub threads: usize,
    /// Whether what is remembered at the end is kept for another hunt.
    pub remember: bool,
    /// Of which time exchanges count.
    pub span: Span,
}

/// A span of time, open where it has no end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    /// From when.
    pub from: Option<Time>,
    /// Before when.
    pub until: Option<Time>,
}

impl Span {
    fn has(self, time: Time) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time < until)
    }
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What was found.
    pub findings: Findings,
    /// With what to find the exchanges of each campaign again.
    pub trace: Trace,
    /// What was read of the exchanges.
    pub exchanges: ReadReport,
    /// What was read of the accounts.
    pub accounts: ReadReport,
    /// How they were read.
    pub read: ReadOptions,
    /// What is remembered, where that was asked for.
    pub remembered: Option<Vec<u8>>,
}

/// Runs a hunt over `inputs` with an engine that may have seen others before, telling `watch` how far it is.
///
/// # Errors
///
/// When a file cannot be opened.
pub(crate) fn run(
    inputs: &Inputs,
    settings: &Settings,
    mut engine: Engine,
    watch: &mut dyn FnMut(Step),
) -> Result<Outcome, InputError> {
    let mut accounts = ReadReport::default();
    let mut known: Vec<KnownAccount> = Vec::new();
    for path in &inputs.accounts {
        let mut learn = |fact: AccountFact<'_>| {
            known.push(fact.account.as_str().into());
            engine.learn(&fact);
        };
        learn_accounts(path, settings, &mut learn, &mut accounts)?;
    }
    let mut settings = settings.clone();
    know(inputs, &mut settings.read, known);
    let events = events(inputs)?;
    if let Some(events) = &events {
        let accepted = engine.accept(events.fingerprints());
        accepted.map_err(|other| events.mismatch("what the file named by --state remembers", &other))?;
    }
    for (place, kind) in lakes::kinds(&inputs.lakes)? {
        engine.accept(Some(&kind)).map_err(|other| InputError::Mismatch {
            path: place,
            kind: kind.to_string(),
            other: "another lake, or what the file named by --state remembers".to_owned(),
            other_kind: other.to_string(),
        })?;
    }
    let mut order = Order::new(engine.last_seen());
    let mut sink = |signals: Box<Signals>, earliest| {
        order.hold_back(earliest);
        order.push(signals.time, signals);
        while let Some(signals) = order.ready() {
            engine.hunt(&signals);
        }
    };
    let exchanges = each(events, inputs, &settings, watch, &mut sink)?;
    while let Some(signals) = order.next() {
        engine.hunt(&signals);
    }
    let (mut findings, trace, remembered) = if settings.remember {
        let (findings, trace, remembered) = engine.finish_remembered();
        (findings, trace, Some(remembered))
    } else {
        let (findings, trace) = engine.finish_traced();
        (findings, trace, None)
    };
    findings.population.late = order.late();
    Ok(Outcome { findings, trace, exchanges, accounts, read: settings.read, remembered })
}

/// Lets `options` know the accounts of the accounts file, and by a look at the beginning of each file, which identity of the
/// records these are. A pipe can be read only once, so nothing is looked at there.
pub(crate) fn know(inputs: &Inputs, options: &mut ReadOptions, known: Vec<KnownAccount>) {
    let known: KnownAccounts = known.into_iter().collect();
    let (mut named, mut orgs) = (Named::default(), OrgsNamed::default());
    let files = inputs.exchanges.iter().filter(|path| path.is_file()).take(FILES_LOOKED_AT_MAX);
    for chunk in files.filter_map(|path| inputs::source(path).ok()?.next()?.ok()) {
        let mut see = |call: Call<'_>, _| {
            named.see(&call, &known);
            if call.is_call {
                orgs.see(&call);
            }
        };
        parse_chunk(&chunk, options, &mut see, &mut ReadReport::default());
    }
    if !known.is_empty() && options.account.is_empty() {
        options.account_is = named.account_is();
    }
    options.one_org = orgs.are_one();
    options.known = Some(known);
}

/// Goes through `inputs` once more and hands every exchange to `sink`, in the order of the files.
///
/// # Errors
///
/// When a file cannot be opened.
pub(crate) fn again(
    inputs: &Inputs,
    settings: &Settings,
    watch: &mut dyn FnMut(Step),
    sink: &mut dyn FnMut(&Signals),
) -> Result<(), InputError> {
    each(events(inputs)?, inputs, settings, watch, &mut |signals, _| sink(&signals))?;
    Ok(())
}

/// The files of events among the inputs; then there are no others.
fn events(inputs: &Inputs) -> Result<Option<Events>, InputError> {
    (!inputs.events.is_empty()).then(|| Events::open(&inputs.events)).transpose()
}

/// Hands on what events or records show, each with the earliest time that may still come.
fn each(
    events: Option<Events>,
    inputs: &Inputs,
    settings: &Settings,
    watch: &mut dyn FnMut(Step),
    sink: &mut dyn FnMut(Box<Signals>, Option<Time>),
) -> Result<ReadReport, InputError> {
    let mut within = |signals: Box<Signals>, earliest| {
        if settings.span.has(signals.time) {
            sink(signals, earliest);
        }
    };
    match events {
        Some(events) => Ok(events.each(watch, &mut |signals| within(signals, None))),
        None => Ok(calls::each(inputs, &settings.read, settings.threads, &|| boxed, watch, &mut within)?.report),
    }
}

fn boxed(exchange: &Exchange<'_>) -> Box<Signals> {
    Box::new(signals::of(exchange))
}

fn learn_accounts(
    path: &Path,
    settings: &Settings,
    learn: &mut dyn FnMut(AccountFact<'_>),
    report: &mut ReadReport,
) -> Result<(), InputError> {
    for chunk in inputs::source(path)? {
        match chunk {
            Ok(chunk) => parse_accounts(&chunk, settings.read.now, learn, report),
            Err(error) => report.source_broke(&error),
        }
    }
    Ok(())
}

/// Files whose beginning is looked at before a run.
const FILES_LOOKED_AT_MAX: usize = 16;
