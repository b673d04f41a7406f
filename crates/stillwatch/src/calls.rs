//! From files to exchanges: read, parse in parallel, put records of one call together.
//!
//! Promises the same exchanges in the same order whatever the number of threads, to whoever reads a log: `hunt`, `inspect` and
//! `fingerprint`. One thread reads and cuts chunks, several parse them, and the caller's thread puts records of one call
//! together; queues between them are bounded by [`CHUNKS_AHEAD_MAX`]. Several files are merged by time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use exchange::{
    Call, CallKey, Chunk, Exchange, Joiner, Progress, ReadOptions, ReadReport, Source, Time, first_time, parse_chunk,
};

use crate::inputs::{self, InputError, Inputs};
use crate::lakes;

/// What a reading came to.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// What was read.
    pub report: ReadReport,
    /// Records of calls by the name of their file.
    pub by_source: BTreeMap<Arc<str>, u64>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Step {
    /// Bytes read, as stored.
    pub bytes: u64,
    /// Exchanges read.
    pub exchanges: u64,
}

/// Reads `inputs` and hands what `make` makes of every exchange to `sink`, in the order of the files, each with the earliest
/// time that may still come. `make` is asked for anew for each chunk, in any thread.
///
/// # Errors
///
/// When a file cannot be opened.
pub(crate) fn each<T: Send, M: FnMut(&Exchange<'_>) -> T>(
    inputs: &Inputs,
    options: &ReadOptions,
    threads: usize,
    make: &(impl Fn() -> M + Sync),
    watch: &mut dyn FnMut(Step),
    sink: &mut dyn FnMut(T, Option<Time>),
) -> Result<Read, InputError> {
    if let Some(events) = inputs.events.first() {
        return Err(InputError::EventsAmongRecords(events.display().to_string()));
    }
    if !inputs.lakes.is_empty() {
        return lakes(inputs, options, threads, make, watch, sink);
    }
    let sources: Vec<Source<'static>> =
        inputs.exchanges.iter().map(|path| inputs::source(path)).collect::<Result<_, _>>()?;
    let progress: Vec<Progress> = sources.iter().map(Source::progress).collect();
    let mut all = Read::default();
    let mut joiner = Joiner::new(options.clone());
    let mut joined = make();
    thread::scope(|scope| {
        let (jobs, waiting) = sync_channel::<Job<T>>(CHUNKS_AHEAD_MAX);
        let (ordered, results) = sync_channel::<Receiver<Parsed<T>>>(CHUNKS_AHEAD_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads.max(1) {
            let waiting = Arc::clone(&waiting);
            scope.spawn(move || parse(&waiting, options, make));
        }
        scope.spawn(move || read(sources, options, &jobs, &ordered));
        let mut step = Step::default();
        for result in results {
            let Ok(parsed) = result.recv() else { break };
            all.report.merge(parsed.report);
            if let Some(first) = parsed.first {
                let mut whole = Vec::new();
                joiner.advance(first, &mut |exchange| whole.push(joined(&exchange)));
                whole.into_iter().for_each(|made| sink(made, joiner.earliest()));
                *all.by_source.entry(parsed.source.clone()).or_default() += parsed.calls.len() as u64;
            }
            for call in parsed.calls {
                join(call, &parsed.source, &mut joiner, &mut joined, sink);
            }
            all.report.merge(joiner.take_report());
            step.exchanges = all.report.records;
            step.bytes = progress.iter().map(Progress::bytes).sum();
            watch(step);
        }
    });
    joiner.finish(&mut |exchange| sink(joined(&exchange), None));
    all.report.merge(joiner.take_report());
    Ok(all)
}

/// The same for lakes.
fn lakes<T: Send, M: FnMut(&Exchange<'_>) -> T>(
    inputs: &Inputs,
    options: &ReadOptions,
    threads: usize,
    make: &(impl Fn() -> M + Sync),
    watch: &mut dyn FnMut(Step),
    sink: &mut dyn FnMut(T, Option<Time>),
) -> Result<Read, InputError> {
    let lakes = inputs.lakes.iter().map(|path| lakes::open(path)).collect::<Result<Vec<_>, _>>()?;
    let report = Mutex::new(ReadReport::default());
    let counted = || {
        let mut make = make();
        let report = &report;
        move |exchange: &Exchange<'_>| {
            report.lock().unwrap_or_else(PoisonError::into_inner).see(exchange, options);
            make(exchange)
        }
    };
    let bytes = inputs.bytes.unwrap_or_default() as f64;
    let mut watch = |step: lake::Step| {
        let share = step.rows as f64 / step.of.max(1) as f64;
        watch(Step { bytes: (bytes * share) as u64, exchanges: step.rows });
    };
    let broken = lake::by_time(&lakes, threads, &counted, &mut watch, &mut |_, made| sink(made, None))?;
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.broken_sources.extend(broken.iter().map(ToString::to_string));
    Ok(Read { report, by_source: BTreeMap::new() })
}

/// Hands on what a record gave, unless it has to wait or was there before.
fn join<T>(
    call: Made<T>,
    source: &Arc<str>,
    joiner: &mut Joiner,
    make: &mut impl FnMut(&Exchange<'_>) -> T,
    sink: &mut dyn FnMut(T, Option<Time>),
) {
    match call {
        Made::Alone { made, key, line } => {
            if joiner.passes(key, source, line) {
                sink(made, joiner.earliest());
            }
        }
        Made::Waiting { call, line } => {
            let mut whole = Vec::new();
            joiner.push(*call, source, line, &mut |exchange| whole.push(make(&exchange)));
            whole.into_iter().for_each(|made| sink(made, joiner.earliest()));
        }
    }
}

struct Job<T> {
    chunk: Chunk,
    /// The time of its first exchange; no chunk after it begins earlier.
    first: Time,
    done: SyncSender<Parsed<T>>,
}

struct Parsed<T> {
    source: Arc<str>,
    /// The time of the first exchange, where one could be read.
    first: Option<Time>,
    calls: Vec<Made<T>>,
    report: ReadReport,
}

/// A call that was read.
enum Made<T> {
    /// Nothing of it can stand in another record, so it is what was made of it.
    Alone { made: T, key: CallKey, line: u64 },
    /// It may wait for another record.
    Waiting { call: Box<Call<'static>>, line: u64 },
}

/// Cuts chunks off the sources, the earliest first, and queues them for the parsers and, in the same order, for the engine.
fn read<T>(
    mut sources: Vec<Source<'static>>,
    options: &ReadOptions,
    jobs: &SyncSender<Job<T>>,
    ordered: &SyncSender<Receiver<Parsed<T>>>,
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
                heads.push(Reverse((first_time(&chunk, options).unwrap_or(Time::MIN), at)));
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

fn parse<T, M: FnMut(&Exchange<'_>) -> T>(
    waiting: &Mutex<Receiver<Job<T>>>,
    options: &ReadOptions,
    make: &impl Fn() -> M,
) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { chunk, first, done }) = job else { return };
        let mut report = ReadReport::default();
        let (mut calls, mut make) = (Vec::new(), make());
        let mut sink = |call: Call<'_>, line| {
            calls.push(if call.stands_alone() {
                Made::Alone { made: make(&call.exchange), key: call.key(), line }
            } else {
                Made::Waiting { call: Box::new(call.into_owned()), line }
            });
        };
        parse_chunk(&chunk, options, &mut sink, &mut report);
        if done.send(Parsed { source: chunk.source, first: Some(first), calls, report }).is_err() {
            return;
        }
    }
}

/// Chunks read ahead of the parsers and of the caller, each.
const CHUNKS_AHEAD_MAX: usize = 8;
