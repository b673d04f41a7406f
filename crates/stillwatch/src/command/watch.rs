//! `stillwatch watch`: follows logs, or the record of a gateway, and tells what comes out while they grow.
//!
//! Reads only, and keeps nothing: what it knows ends with it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use exchange::ReadOptions;
use findings::number::{counted, grouped};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use watch::detector::{Told, What};
use watch::facts::{Accounts, Progress};
use watch::logs::{Logs, Reader};
use watch::{Detector, Follower, Position};

use super::hunt;
use crate::cli;
use crate::failure::{Exit, Failure};
use crate::inputs::Inputs;
use crate::output::print;
use crate::{data_folder, pipeline};
use report::words::{self, MESSAGE_CHARS_MAX, printable};

/// How often it is looked for more where nothing new was there.
const POLL_TIME: Duration = Duration::from_millis(250);
/// How often folders are looked through for files that are new.
const LOOK_TIME: Duration = Duration::from_secs(2);

/// Follows until it is told to end.
pub(crate) fn run(args: &cli::Watch) -> Result<Exit, Failure> {
    let settings = watch::Settings { alpha: args.alpha, lateness_seconds: args.lateness_seconds };
    let mut detector = Detector::new(&settings);
    let mut followed = Followed::open(args)?;
    let mut teller = Teller { json: args.json };
    let failed = |error| Failure::io("signals cannot be heard", error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        loop {
            let is_new = followed.read(&mut detector)?;
            teller.tell(&mut detector)?;
            if args.once && !is_new {
                break;
            }
            let wait = if is_new { Duration::ZERO } else { POLL_TIME };
            tokio::select! {
                biased;
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        Ok::<(), Failure>(())
    })?;
    followed.finish(&mut detector);
    detector.finish();
    teller.tell(&mut detector)?;
    teller.end(&detector);
    Ok(if detector.board().campaigns.is_empty() { Exit::Nothing } else { Exit::Found })
}

/// What is followed.
enum Followed {
    /// The record of a gateway.
    Record { follower: Follower, accounts: Accounts },
    /// Logs of others.
    Logs {
        named: Vec<PathBuf>,
        found: Vec<PathBuf>,
        looked: Option<Instant>,
        logs: Logs,
        reader: Box<Reader>,
        accounts: Option<Accounts>,
    },
}

impl Followed {
    fn open(args: &cli::Watch) -> Result<Followed, Failure> {
        if let [only] = args.paths.as_slice()
            && let Some(folder) = data_folder::recorded(only)
        {
            let accounts = args.accounts.clone().unwrap_or_else(|| data_folder::facts_in(&folder));
            let accounts = Accounts::new(accounts, Progress::default());
            return Ok(Followed::Record { follower: Follower::new(&folder, Position::default()), accounts });
        }
        for path in &args.paths {
            let is_stream =
                path.as_os_str() == "-" || path.metadata().is_ok_and(|path| !path.is_file() && !path.is_dir());
            if is_stream || path.is_file() && !is_plain(path) {
                let path = path.display();
                return Err(Failure::usage(format!(
                    "`{path}` is no file that grows: expected plain files, or folders of them; `stillwatch hunt` reads it"
                )));
            }
        }
        let inputs = Inputs::find(&args.paths, args.accounts.as_deref()).map_err(Failure::unreadable)?;
        if let Some(events) = inputs.events.first() {
            let events = events.display();
            return Err(Failure::usage(format!(
                "`{events}` holds compact events, which do not grow; `stillwatch hunt` reads them"
            )));
        }
        let mut options: ReadOptions = hunt::read_options(&args.records);
        // Those that come later are not from the future.
        options.now = None;
        pipeline::know(&inputs, &mut options, Vec::new());
        let accounts = inputs.accounts.first().map(|path| Accounts::new(path.clone(), Progress::default()));
        let (named, reader) = (args.paths.clone(), Box::new(Reader::new(options)));
        Ok(Followed::Logs { named, found: Vec::new(), looked: None, logs: Logs::default(), reader, accounts })
    }

    /// Reads some of what is new; whether there was any.
    fn read(&mut self, detector: &mut Detector) -> Result<bool, Failure> {
        let failed = |error| Failure::io("what is followed cannot be read", error);
        match self {
            Followed::Record { follower, accounts } => {
                hear(accounts, detector)?;
                let Some(lines) = follower.read().map_err(failed)? else { return Ok(false) };
                detector.take(lines);
            }
            Followed::Logs { named, found, looked, logs, reader, accounts } => {
                accounts.as_mut().map_or(Ok(()), |accounts| hear(accounts, detector))?;
                if looked.is_none_or(|looked| looked.elapsed() >= LOOK_TIME) {
                    *found = plain(named);
                    *looked = Some(now());
                }
                let Some(chunk) = logs.read(found).map_err(failed)? else { return Ok(false) };
                let mut read = Vec::new();
                reader.read(&chunk, &mut |exchange| read.push(Box::new(signals::of(exchange))));
                detector.see(read, reader.earliest());
            }
        }
        Ok(true)
    }

    fn finish(&mut self, detector: &mut Detector) {
        if let Followed::Logs { reader, .. } = self {
            let mut read = Vec::new();
            reader.finish(&mut |exchange| read.push(Box::new(signals::of(exchange))));
            detector.see(read, None);
            hunt::tell(reader.report(), "exchanges");
        }
    }
}

fn hear(accounts: &mut Accounts, detector: &mut Detector) -> Result<(), Failure> {
    loop {
        let said = accounts.read().map_err(|error| Failure::io("the file of accounts cannot be read", error))?;
        if said.is_empty() {
            return Ok(());
        }
        detector.hear(said);
    }
}

/// The files behind what was named, but for compressed ones, which do not grow. None while there is none.
fn plain(named: &[PathBuf]) -> Vec<PathBuf> {
    let inputs = Inputs::find(named, None).unwrap_or_default();
    inputs.exchanges.into_iter().filter(|path| is_plain(path)).collect()
}

/// Whether a file is not compressed, by its name.
fn is_plain(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    !["gz", "gzip", "zst", "zstd"].contains(&ending.to_ascii_lowercase().as_str())
}

/// Tells what changed.
struct Teller {
    json: bool,
}

impl Teller {
    fn tell(&mut self, detector: &mut Detector) -> Result<(), Failure> {
        let changes = detector.take_changes();
        if changes.is_empty() {
            return Ok(());
        }
        let text: String = if self.json {
            changes.iter().map(|change| format!("{}\n", as_json(change))).collect()
        } else {
            // Who joined or left is told in one line for all who did at once, and not of those whom a campaign was detected with.
            let same = |a: &Told, b: &Told| kind(a) == kind(b) && a.campaign == b.campaign && a.time == b.time;
            let mut detected = None;
            let mut text = String::new();
            for (first, count) in changes.chunk_by(same).filter_map(|group| Some((group.first()?, group.len()))) {
                let at = Some((first.campaign.as_str(), first.time));
                if kind(first) == "detected" {
                    detected = at;
                }
                if kind(first) != "joined" || detected != at {
                    text += &sentence(first, count);
                }
            }
            text
        };
        print(&text)
    }

    fn end(&self, detector: &Detector) {
        if !self.json {
            let (counts, standing) = (detector.counts(), detector.board().campaigns.len());
            let seen = detector.seen().map_or_else(String::new, |seen| format!(", up to {}", words::minute(seen)));
            eprintln!(
                "{} read{seen}; {} at the end",
                counted(counts.exchanges, "exchange"),
                counted(standing as u64, "campaign")
            );
        }
    }
}

/// The kind of a change.
fn kind(change: &Told) -> &'static str {
    match change.what {
        What::Detected { .. } => "detected",
        What::Joined(_) => "joined",
        What::Left(_) => "left",
        What::Withdrawn => "withdrawn",
    }
}

fn as_json(change: &Told) -> Value {
    let mut told =
        json!({"time": change.time, "campaign": change.campaign, "change": kind(change), "accounts": change.accounts});
    let more = match &change.what {
        What::Joined(account) | What::Left(account) => json!({"account": account}),
        What::Detected { log10_e, log10_threshold, rival } => {
            json!({"log10_e": log10_e, "log10_threshold": log10_threshold, "rival": rival})
        }
        What::Withdrawn => json!({}),
    };
    if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
        told.extend(more);
    }
    told
}

/// A change, or several of one kind, as a line for a person.
fn sentence(change: &Told, count: usize) -> String {
    let all = grouped(change.accounts as u64);
    let what = match &change.what {
        What::Detected { log10_e, log10_threshold, rival } => format!(
            "detected, {}, evidence 10^{log10_e:.1} (10^{log10_threshold:.1} is needed); the honest explanation that comes nearest: \
             {rival}",
            counted(change.accounts as u64, "account")
        ),
        What::Joined(_) => format!("{} joined, {all} now", counted(count as u64, "account")),
        What::Left(_) => format!("{} left, {all} now", counted(count as u64, "account")),
        What::Withdrawn => "stands no longer".to_owned(),
    };
    format!("{}  {}  {what}\n", words::minute(change.time), printable(&change.campaign, MESSAGE_CHARS_MAX))
}

#[expect(
    clippy::disallowed_methods,
    reason = "how often folders are looked through; nothing that is found depends on it"
)]
fn now() -> Instant {
    Instant::now()
}
