//! From files to the engine: read, parse in parallel, put in order of time, observe.
//!
//! Promises that the engine sees the same signals in the same order whatever the number of threads. One thread reads and
//! cuts chunks, several parse them and compute signals, and the caller's thread feeds the engine; queues between them are
//! bounded by [`CHUNKS_AHEAD_MAX`]. Several files are merged by time; what is out of order by less than
//! [`REORDER_MAX`] exchanges is put right, and the rest is counted as late.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use detect::{Engine, Findings, Labels, Trace};
use exchange::{Chunk, Format, Progress, ReadReport, Source, Time, first_time, parse_accounts, parse_chunk};
use signals::Signals;

use crate::inputs::{self, InputError, Inputs};

/// How to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// The format of every record; recognised by content when absent.
    pub format: Option<Format>,
    /// Threads that parse.
    pub threads: usize,
    /// Now: records much later than this are refused.
    pub now: Option<Time>,
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
    for path in &inputs.accounts {
        learn_accounts(path, settings, &mut engine, &mut accounts)?;
    }
    let mut reorder = Reorder::default();
    let exchanges = each(inputs, settings, watch, &mut |signals| reorder.push(signals, &mut engine))?;
    reorder.drain(&mut engine);
    let (mut findings, trace) = engine.finish_traced();
    findings.population.late = reorder.late;
    Ok(Outcome { findings, trace, exchanges, accounts })
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
    each(inputs, settings, watch, &mut |signals| {
        if let Some(campaign) = trace.campaign(&signals) {
            sink(campaign, &signals);
        }
    })?;
    Ok(())
}

/// Reads and parses `inputs` in parallel and hands the signals to `sink`, in the order of the files.
fn each(
    inputs: &Inputs,
    settings: &Settings,
    watch: &mut dyn FnMut(Step),
    sink: &mut dyn FnMut(Signals),
) -> Result<ReadReport, InputError> {
    let sources: Vec<Source<'static>> = inputs.exchanges.iter().map(|path| source(path)).collect::<Result<_, _>>()?;
    let progress: Vec<Progress> = sources.iter().map(Source::progress).collect();
    let mut exchanges = ReadReport::default();
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
            parsed.signals.into_iter().for_each(&mut *sink);
            step.exchanges = exchanges.records;
            step.bytes = progress.iter().map(Progress::bytes).sum();
            watch(step);
        }
    });
    Ok(exchanges)
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
    done: SyncSender<Parsed>,
}

struct Parsed {
    signals: Vec<Signals>,
    report: ReadReport,
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
                heads.push(Reverse((first_time(&chunk, settings.format).unwrap_or(Time::MIN), at)));
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
    while let Some(Reverse((_, at))) = heads.pop() {
        let Some(chunk) = chunks.get_mut(at).and_then(Option::take) else { continue };
        let (done, result) = sync_channel(1);
        if jobs.send(Job { chunk, done }).is_err() || ordered.send(result).is_err() {
            return;
        }
        advance(at, &mut chunks, &mut heads);
    }
    let (done, result) = sync_channel(1);
    // The receiver lives as long as the results are read.
    if done.send(Parsed { signals: Vec::new(), report: broken }).is_ok() {
        ordered.send(result).ok();
    }
}

fn parse(waiting: &Mutex<Receiver<Job>>, settings: &Settings) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { chunk, done }) = job else { return };
        let mut report = ReadReport::default();
        let mut signals = Vec::new();
        let mut sink = |exchange: exchange::Exchange<'_>| signals.push(Signals::of(&exchange));
        parse_chunk(&chunk, settings.format, settings.now, &mut sink, &mut report);
        if done.send(Parsed { signals, report }).is_err() {
            return;
        }
    }
}

fn learn_accounts(
    path: &Path,
    settings: &Settings,
    engine: &mut Engine,
    report: &mut ReadReport,
) -> Result<(), InputError> {
    for chunk in source(path)? {
        match chunk {
            Ok(chunk) => parse_accounts(&chunk, settings.now, &mut |fact| engine.learn(&fact), report),
            Err(error) => report.source_broke(&error),
        }
    }
    Ok(())
}

fn source(path: &Path) -> Result<Source<'static>, InputError> {
    let name = if path.as_os_str() == "-" { "standard input".into() } else { path.display().to_string() };
    let input = inputs::open(path).map_err(|source| InputError::Unreadable { path: name.clone(), source })?;
    Ok(Source::new(name, input))
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
    fn push(&mut self, signals: Signals, engine: &mut Engine) {
        self.arrived += 1;
        self.heap.push(Reverse(Waiting { time: signals.time, arrival: self.arrived, signals: Box::new(signals) }));
        while self.heap.len() > REORDER_MAX {
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

/// Chunks read ahead of the parsers and of the engine, each.
const CHUNKS_AHEAD_MAX: usize = 8;
/// Exchanges that may wait for earlier ones.
pub(crate) const REORDER_MAX: usize = 16_384;
