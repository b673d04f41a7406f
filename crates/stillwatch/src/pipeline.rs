//! From files to the engine: read, parse in parallel, put in order of time, observe.
//!
//! Promises that the engine sees the same signals in the same order whatever the number of threads. One thread reads and
//! cuts chunks, several parse them and compute signals, and the caller's thread puts records of one call together and feeds
//! the engine; queues between them are bounded by [`CHUNKS_AHEAD_MAX`]. Several files are merged by time; what is out of
//! order by less than [`REORDER_MAX`] exchanges is put right, and the rest is counted as late. While a call waits for another
//! record, later ones wait behind it, up to [`HELD_BACK_MAX`].

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use detect::{Engine, Findings, Labels, Trace};
use exchange::{
    AccountFact, Call, CallKey, Chunk, Joiner, KnownAccount, KnownAccounts, Named, Progress, ReadOptions, ReadReport,
    Source, Time, first_time, parse_accounts, parse_chunk,
};
use signals::Signals;

use crate::inputs::{self, InputError, Inputs};

/// How to run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How records are read.
    pub read: ReadOptions,
    /// Threads that parse.
    pub threads: usize,
    /// How sure a finding must be.
    pub engine: detect::Config,
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
}

/// Runs a hunt over `inputs` that heeds `labels`, telling `watch` how far it is.
///
/// # Errors
///
/// When a file cannot be opened.
pub(crate) fn run(
    inputs: &Inputs,
    settings: &Settings,
    labels: Labels,
    watch: &mut dyn FnMut(Step),
) -> Result<Outcome, InputError> {
    let mut engine = Engine::with_labels(settings.engine, labels);
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
    let mut reorder = Reorder::default();
    let mut sink = |signals, earliest| reorder.push(signals, earliest, &mut engine);
    let exchanges = each(inputs, &settings, watch, &mut sink)?;
    reorder.drain(&mut engine);
    let (mut findings, trace) = engine.finish_traced();
    findings.population.late = reorder.late;
    Ok(Outcome { findings, trace, exchanges, accounts, read: settings.read })
}

/// Lets `options` know the accounts of the accounts file, and by a look at the beginning of each file, which identity of the
/// records these are. A pipe can be read only once, so nothing is looked at there.
pub(crate) fn know(inputs: &Inputs, options: &mut ReadOptions, known: Vec<KnownAccount>) {
    let known: KnownAccounts = known.into_iter().collect();
    if !known.is_empty() && options.account.is_empty() {
        let mut named = Named::default();
        let files = inputs.exchanges.iter().filter(|path| path.is_file()).take(FILES_LOOKED_AT_MAX);
        for chunk in files.filter_map(|path| inputs::source(path).ok()?.next()?.ok()) {
            let mut see = |call: Call<'_>, _| named.see(&call, &known);
            parse_chunk(&chunk, options, &mut see, &mut ReadReport::default());
        }
        options.account_is = named.account_is();
    }
    options.known = Some(known);
}

/// Goes through `inputs` once more and hands every exchange that belongs to a campaign to `sink`, in the order of the files.
///
/// # Errors
///
/// When a file cannot be opened.
pub(crate) fn again(
    inputs: &Inputs,
    settings: &Settings,
    trace: &Trace,
    watch: &mut dyn FnMut(Step),
    sink: &mut dyn FnMut(&str, &Signals),
) -> Result<(), InputError> {
    each(inputs, settings, watch, &mut |signals, _| {
        if let Some(campaign) = trace.campaign(&signals) {
            sink(campaign, &signals);
        }
    })?;
    Ok(())
}

/// Reads and parses `inputs` in parallel and hands the signals to `sink`, in the order of the files, each with the earliest
/// time that may still come.
fn each(
    inputs: &Inputs,
    settings: &Settings,
    watch: &mut dyn FnMut(Step),
    sink: &mut dyn FnMut(Signals, Option<Time>),
) -> Result<ReadReport, InputError> {
    let sources: Vec<Source<'static>> =
        inputs.exchanges.iter().map(|path| inputs::source(path)).collect::<Result<_, _>>()?;
    let progress: Vec<Progress> = sources.iter().map(Source::progress).collect();
    let mut exchanges = ReadReport::default();
    let mut joiner = Joiner::new(settings.read.clone());
    thread::scope(|scope| {
        let (jobs, waiting) = sync_channel::<Job>(CHUNKS_AHEAD_MAX);
        let (ordered, results) = sync_channel::<Receiver<Parsed>>(CHUNKS_AHEAD_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..settings.threads.max(1) {
            let waiting = Arc::clone(&waiting);
            scope.spawn(move || parse(&waiting, settings));
        }
        scope.spawn(move || read(sources, settings, &jobs, &ordered));
        let mut step = Step::default();
        for result in results {
            let Ok(parsed) = result.recv() else { break };
            exchanges.merge(parsed.report);
            if let Some(first) = parsed.first {
                let mut whole = Vec::new();
                joiner.advance(first, &mut |exchange| whole.push(Signals::of(&exchange)));
                whole.into_iter().for_each(|signals| sink(signals, joiner.earliest()));
            }
            for read in parsed.calls {
                join(read, &parsed.source, &mut joiner, sink);
            }
            exchanges.merge(joiner.take_report());
            step.exchanges = exchanges.records;
            step.bytes = progress.iter().map(Progress::bytes).sum();
            watch(step);
        }
    });
    joiner.finish(&mut |exchange| sink(Signals::of(&exchange), None));
    exchanges.merge(joiner.take_report());
    Ok(exchanges)
}

/// Hands on what a record gave, unless it has to wait or was there before.
fn join(read: Read, source: &Arc<str>, joiner: &mut Joiner, sink: &mut dyn FnMut(Signals, Option<Time>)) {
    match read {
        Read::Alone { signals, key, line } => {
            if joiner.passes(key, source, line) {
                sink(*signals, joiner.earliest());
            }
        }
        Read::Waiting { call, line } => {
            let mut whole = Vec::new();
            joiner.push(*call, source, line, &mut |exchange| whole.push(Signals::of(&exchange)));
            whole.into_iter().for_each(|signals| sink(signals, joiner.earliest()));
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Step {
    /// Bytes read, as stored.
    pub bytes: u64,
    /// Exchanges read.
    pub exchanges: u64,
}

struct Job {
    chunk: Chunk,
    /// The time of its first exchange; no chunk after it begins earlier.
    first: Time,
    done: SyncSender<Parsed>,
}

struct Parsed {
    source: Arc<str>,
    /// The time of the first exchange, where one could be read.
    first: Option<Time>,
    calls: Vec<Read>,
    report: ReadReport,
}

/// A call that was read.
enum Read {
    /// Nothing of it can stand in another record.
    Alone { signals: Box<Signals>, key: CallKey, line: u64 },
    /// It may wait for another record.
    Waiting { call: Box<Call<'static>>, line: u64 },
}

/// Cuts chunks off the sources, the earliest first, and queues them for the parsers and, in the same order, for the engine.
fn read(
    mut sources: Vec<Source<'static>>,
    settings: &Settings,
    jobs: &SyncSender<Job>,
    ordered: &SyncSender<Receiver<Parsed>>,
) {
    let mut heads: BinaryHeap<Reverse<(Time, usize)>> = BinaryHeap::new();
    let mut chunks: Vec<Option<Chunk>> = sources.iter().map(|_| None).collect();
    let mut broken = ReadReport::default();
    let mut advance =
        |at: usize, chunks: &mut [Option<Chunk>], heads: &mut BinaryHeap<Reverse<(Time, usize)>>| match sources
            .get_mut(at)
            .and_then(Iterator::next)
        {
            Some(Ok(chunk)) => {
                heads.push(Reverse((first_time(&chunk, &settings.read).unwrap_or(Time::MIN), at)));
                if let Some(slot) = chunks.get_mut(at) {
                    *slot = Some(chunk);
                }
            }
            Some(Err(error)) => broken.source_broke(&error),
            None => {}
        };
    for at in 0..chunks.len() {
        advance(at, &mut chunks, &mut heads);
    }
    while let Some(Reverse((first, at))) = heads.pop() {
        let Some(chunk) = chunks.get_mut(at).and_then(Option::take) else { continue };
        let (done, result) = sync_channel(1);
        if jobs.send(Job { chunk, first, done }).is_err() || ordered.send(result).is_err() {
            return;
        }
        advance(at, &mut chunks, &mut heads);
    }
    let (done, result) = sync_channel(1);
    // The receiver lives as long as the results are read.
    if done.send(Parsed { source: "".into(), first: None, calls: Vec::new(), report: broken }).is_ok() {
        ordered.send(result).ok();
    }
}

fn parse(waiting: &Mutex<Receiver<Job>>, settings: &Settings) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { chunk, first, done }) = job else { return };
        let mut report = ReadReport::default();
        let mut calls = Vec::new();
        let mut sink = |call: Call<'_>, line| {
            calls.push(if call.stands_alone() {
                Read::Alone { signals: Box::new(Signals::of(&call.exchange)), key: call.key(), line }
            } else {
                Read::Waiting { call: Box::new(call.into_owned()), line }
            });
        };
        parse_chunk(&chunk, &settings.read, &mut sink, &mut report);
        if done.send(Parsed { source: chunk.source, first: Some(first), calls, report }).is_err() {
            return;
        }
    }
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

/// Exchanges waiting for earlier ones.
#[derive(Default)]
struct Reorder {
    heap: BinaryHeap<Reverse<Waiting>>,
    arrived: u64,
    latest: Option<Time>,
    late: u64,
}

struct Waiting {
    time: Time,
    arrival: u64,
    signals: Box<Signals>,
}

impl Reorder {
    /// Takes an exchange, none of which is later to come before `earliest`.
    fn push(&mut self, signals: Signals, earliest: Option<Time>, engine: &mut Engine) {
        self.arrived += 1;
        self.heap.push(Reverse(Waiting { time: signals.time, arrival: self.arrived, signals: Box::new(signals) }));
        while self.heap.len() > REORDER_MAX {
            let first = self.heap.peek().map(|Reverse(waiting)| waiting.time);
            let is_held_back = earliest.is_some() && first >= earliest;
            if is_held_back && self.heap.len() <= REORDER_MAX + HELD_BACK_MAX {
                return;
            }
            self.pop(engine);
        }
    }

    fn pop(&mut self, engine: &mut Engine) {
        let Some(Reverse(Waiting { time, signals, .. })) = self.heap.pop() else { return };
        self.late += u64::from(self.latest.is_some_and(|latest| time < latest));
        self.latest = self.latest.max(Some(time));
        engine.observe(&signals);
    }

    fn drain(&mut self, engine: &mut Engine) {
        while !self.heap.is_empty() {
            self.pop(engine);
        }
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.arrival).cmp(&(other.time, other.arrival))
    }
}

/// Files whose beginning is looked at before a run.
const FILES_LOOKED_AT_MAX: usize = 16;
/// Chunks read ahead of the parsers and of the engine, each.
const CHUNKS_AHEAD_MAX: usize = 8;
/// Exchanges that may wait for earlier ones.
pub(crate) const REORDER_MAX: usize = 16_384;
/// Exchanges that may wait besides, behind one that waits for another record.
const HELD_BACK_MAX: usize = 65_536;
