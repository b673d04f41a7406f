//! From recorded lines, and what is said meanwhile, to how everybody stands: read, put in the order of time, observe, ask.
//!
//! Deterministic: the same lines in the same order give the same findings and the same numbers of campaigns, however they are cut into
//! pieces and however often it was written down and restored in between. So time comes from the exchanges alone, also for when the
//! engine is asked: once a second of theirs at most, and where something was looked at. Does no IO.

use std::sync::Arc;

use detect::{Change, Config, Engine, Findings, Labels, Order, Unrestored};
use event::Signals;
use exchange::{Call, Chunk, Notes, ReadOptions, ReadReport, Time, parse_chunk, read_account};
use serde::{Deserialize, Serialize};

use crate::board::{Board, Campaign, Member};
use crate::facts::{Said, Verdicts};
use crate::follower::Lines;
use crate::limits::LATENESS_SECONDS_MAX;

/// How to detect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How sure a finding must be: the share of campaigns that may be honest groups.
    pub alpha: f64,
    /// By how many seconds an exchange may be recorded later than one that began after it. At most [`LATENESS_SECONDS_MAX`].
    pub lateness_seconds: u32,
}

/// Reads lines and knows how everybody stands.
pub struct Detector {
    engine: Engine,
    progress: Progress,
    board: Arc<Board>,
    /// What changed since somebody last asked.
    changes: Vec<Told>,
}

/// What a detector remembers beside its engine.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Progress {
    order: Order<Event>,
    counts: Counts,
    /// The verdicts in force, and when the last of them was given.
    verdicts: Option<Verdicts>,
    /// The second at which the engine was last asked how everybody stands.
    asked: Option<i64>,
    /// Whether something was looked at since.
    is_to_ask: bool,
}

/// What comes in the order of time.
#[derive(Debug, Serialize, Deserialize)]
enum Event {
    Exchange(Box<Signals>),
    Said(Said),
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Exchanges.
    pub exchanges: u64,
    /// Exchanges that came later than is allowed for, and were observed out of order.
    pub late: u64,
    /// Lines that are no exchange.
    pub unread: u64,
}

/// What changed, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The time of the exchange by which it came out.
    pub time: Time,
    /// The campaign.
    pub campaign: String,
    /// How many accounts it has then.
    pub accounts: usize,
    /// What became of it.
    pub what: What,
}

/// What became of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// It was detected.
    Detected {
        /// The evidence (log10).
        log10_e: f64,
        /// What it had to come to (log10).
        log10_threshold: f64,
        /// The honest explanation that comes nearest.
        rival: String,
    },
    /// An account belongs to it now.
    Joined(String),
    /// An account no longer does.
    Left(String),
    /// It stands no longer.
    Withdrawn,
}

impl Detector {
    /// One that has read nothing.
    #[must_use]
    pub fn new(settings: &Settings) -> Detector {
        let order = Order::with_lateness(lateness(settings), None);
        let progress = Progress { order, counts: Counts::default(), verdicts: None, asked: None, is_to_ask: false };
        Detector::of(Engine::new(config(settings)), progress)
    }

    /// The one that was written down as `engine` and `progress`.
    pub(crate) fn restore(settings: &Settings, engine: &[u8], mut progress: Progress) -> Result<Detector, Unrestored> {
        progress.order.allow_lateness(lateness(settings));
        let labels = progress.verdicts.as_ref().map(|(_, labels)| labels.clone()).unwrap_or_default();
        Ok(Detector::of(Engine::restore(config(settings), Labels::new(labels), engine)?, progress))
    }

    fn of(engine: Engine, progress: Progress) -> Detector {
        let mut detector = Detector { engine, progress, board: Arc::default(), changes: Vec::new() };
        detector.write_board();
        detector
    }

    /// The same, where others saw `sequence` boards before this one.
    pub(crate) fn after(mut self, sequence: u64) -> Detector {
        let board = Board { sequence: sequence + 1, ..(*self.board).clone() };
        self.board = Arc::new(board);
        self
    }

    /// What it remembers.
    pub(crate) fn remembered(&self) -> (Vec<u8>, &Progress) {
        (self.engine.snapshot(), &self.progress)
    }

    /// Takes in what is said, when its time comes.
    pub fn hear(&mut self, said: impl IntoIterator<Item = (Time, Said)>) {
        for (time, said) in said {
            self.progress.order.push_aside(time, Event::Said(said));
        }
        self.observe_what_is_ready();
    }

    /// What people said last, as far as it was heard of.
    #[must_use]
    pub fn judged(&self) -> Option<&Verdicts> {
        self.progress.verdicts.as_ref()
    }

    /// Takes in what people say, when its time comes.
    pub fn judge(&mut self, (time, labels): Verdicts) {
        self.progress.verdicts = Some((time, labels.clone()));
        self.hear([(time, Said::Verdicts(labels))]);
    }

    /// Takes in recorded lines.
    pub fn take(&mut self, lines: Lines) {
        let chunk = Chunk::of_lines(lines.source, lines.text, 1);
        // Bodies are recorded as they were sent, in the form of whichever API that was.
        let options = ReadOptions::default();
        let mut report = ReadReport::default();
        let mut read: Vec<Box<Signals>> = Vec::new();
        let mut see = |call: Call<'_>, _| {
            if call.is_call {
                read.push(Box::new(signals::of(&call.exchange)));
            }
        };
        parse_chunk(&chunk, &options, &mut see, &mut report);
        self.progress.counts.unread += report.bad_lines;
        self.see(read, None);
    }

    /// Takes in what was read of exchanges; what is at `earliest` or later waits for others that may still come.
    pub fn see(&mut self, read: Vec<Box<Signals>>, earliest: Option<Time>) {
        self.progress.counts.exchanges += read.len() as u64;
        self.progress.order.hold_back(earliest);
        for signals in read {
            self.progress.order.push(signals.time, Event::Exchange(signals));
            self.observe_what_is_ready();
        }
    }

    /// Takes in what waits, as if nothing earlier could come any more, and says how everybody stands then.
    pub fn finish(&mut self) {
        while let Some(event) = self.progress.order.next() {
            self.take_in(event);
        }
        if let Some(seen) = self.seen() {
            self.ask(seen);
        }
    }

    fn observe_what_is_ready(&mut self) {
        while let Some(event) = self.progress.order.ready() {
            self.take_in(event);
        }
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::Exchange(signals) => self.observe(&signals),
            Event::Said(Said::Account(line)) => {
                // It was read before.
                if let Ok(fact) = read_account(&line, &mut Notes::default()) {
                    self.engine.learn(&fact);
                }
            }
            Event::Said(Said::Verdicts(labels)) => {
                self.engine.heed(Labels::new(labels));
                self.progress.is_to_ask = true;
            }
        }
    }

    fn observe(&mut self, signals: &Signals) {
        let second = signals.time.seconds();
        if self.progress.is_to_ask && self.progress.asked.is_none_or(|asked| asked < second) {
            self.progress.asked = Some(second);
            self.progress.is_to_ask = false;
            self.ask(signals.time);
        }
        self.progress.counts.late += u64::from(self.engine.last_seen().is_some_and(|seen| signals.time < seen));
        self.engine.observe(signals);
        while self.engine.tick() {
            self.progress.is_to_ask = true;
        }
    }

    /// Asks the engine how everybody stands.
    fn ask(&mut self, time: Time) {
        let changes = self.engine.update();
        self.write_board();
        let standing = |id: &str| self.board.campaigns.iter().find(|campaign| campaign.id == id);
        let account = |number| self.engine.account(number).map(str::to_owned);
        let told = changes.into_iter().filter_map(|change| {
            let campaign = findings::campaign_id(change.campaign()?);
            let standing = standing(&campaign);
            let what = match change {
                Change::Proposed { .. } => return None,
                Change::Detected { .. } => standing.map(|standing| What::Detected {
                    log10_e: standing.log10_e,
                    log10_threshold: standing.log10_threshold,
                    rival: standing.rival.clone(),
                })?,
                Change::Joined { account: number, .. } => What::Joined(account(number)?),
                Change::Left { account: number, .. } => What::Left(account(number)?),
                Change::Withdrawn { .. } => What::Withdrawn,
            };
            Some(Told { time, campaign, accounts: standing.map_or(0, |standing| standing.members.len()), what })
        });
        let told: Vec<Told> = told.collect();
        self.changes.extend(told);
    }

    fn write_board(&mut self) {
        let campaigns = self.engine.campaigns().into_iter().map(|standing| Campaign {
            id: findings::campaign_id(standing.campaign),
            since: standing.since,
            log10_e: standing.log10_e,
            log10_threshold: standing.log10_threshold,
            rival: standing.rival.to_owned(),
            members: standing
                .members
                .into_iter()
                .map(|(account, probability)| Member { account: account.to_owned(), probability })
                .collect(),
        });
        let Board { generation, sequence, .. } = *self.board;
        let board = Board { generation, sequence, campaigns: campaigns.collect() };
        if board != *self.board {
            self.board = Arc::new(Board { sequence: board.sequence + 1, ..board });
        }
    }

    /// How everybody stands, as of the last time that the engine was asked.
    #[must_use]
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// What changed since this was last called.
    pub fn take_changes(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.changes)
    }

    /// What is found so far.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let mut findings = self.engine.findings();
        findings.population.late = self.progress.counts.late;
        findings
    }

    /// What was read.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.progress.counts
    }

    /// Exchanges that were recorded a second time, and were not counted again.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.engine.duplicates()
    }

    /// When the latest exchange was sent that the engine has seen.
    #[must_use]
    pub fn seen(&self) -> Option<Time> {
        self.engine.last_seen()
    }

    /// Exchanges, and what is said, that wait for what is earlier.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.progress.order.waiting()
    }
}

fn config(settings: &Settings) -> Config {
    Config { alpha: settings.alpha }
}

fn lateness(settings: &Settings) -> i64 {
    i64::from(settings.lateness_seconds.min(LATENESS_SECONDS_MAX))
}
