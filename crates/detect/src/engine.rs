//! The engine: takes in signals in the order of time, and knows at any time which groups act together.
//!
//! Deterministic: the same calls in the same order give the same findings, byte for byte. O(fingerprints) an exchange, but for the one by
//! which two clusters become one, which moves their members. What is heavier waits for [`Engine::tick`], and comes when a cluster has grown by
//! a twelfth, the traffic by a quarter or a week has passed, so its cost an exchange stays bounded too. What nobody used for long is
//! forgotten in slices ([`crate::forget`]). No clock, no randomness, no IO.

use std::collections::VecDeque;

use event::Signals;
use event::file::Fingerprints;
use exchange::{AccountFact, Time};
use findings::{Discovery, Findings};

use crate::forget::Step;
use crate::judge::{Config, Judge, Round};
use crate::labels::{self, Labels};
use crate::propose::text::Scratch;
use crate::report::{self, Trace};
use crate::snapshot::{self, Unrestored};
use crate::standings::{CampaignStanding, Change, Standing, Standings};
use crate::state::State;
use crate::state::account::AccountNo;

/// The engine.
pub struct Engine {
    state: State,
    judge: Judge,
    /// Clusters that have grown and wait for a look, each once; so at most all that there are.
    due: VecDeque<u32>,
    /// What is under way of measuring all groups anew.
    round: Option<Round>,
    /// How everybody stood when that was last asked for.
    standings: Standings,
    scratch: Scratch,
}

impl Engine {
    /// An engine that has seen nothing.
    #[must_use]
    pub fn new(config: Config) -> Engine {
        Engine::with_labels(config, Labels::default())
    }

    /// An engine that has seen nothing and knows what people said of earlier findings.
    #[must_use]
    pub fn with_labels(config: Config, labels: Labels) -> Engine {
        Engine {
            state: State::default(),
            judge: Judge::new(config, labels),
            due: VecDeque::new(),
            round: None,
            standings: Standings::default(),
            scratch: Scratch::default(),
        }
    }

    /// What it remembers, to go on from another time with [`Engine::restore`].
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        self.begin_snapshot().end(&self.standings)
    }

    /// The engine that a snapshot was taken of. What was labelled since is heeded from the next look on.
    ///
    /// # Errors
    ///
    /// What is no snapshot of this version, or a damaged one.
    pub fn restore(config: Config, labels: Labels, snapshot: &[u8]) -> Result<Engine, Unrestored> {
        let remembered = snapshot::read(snapshot, config, labels)?;
        Ok(Engine {
            state: remembered.state,
            judge: remembered.judge,
            due: remembered.due,
            round: remembered.round,
            standings: remembered.standings,
            scratch: Scratch::default(),
        })
    }

    /// When the latest exchange that it has seen was sent.
    #[must_use]
    pub fn last_seen(&self) -> Option<Time> {
        self.state.last
    }

    /// Says what the fingerprints are of what comes from now on; none where that is not known.
    ///
    /// # Errors
    ///
    /// When others were said before: what those fingerprints are. They cannot be compared with these.
    pub fn accept(&mut self, fingerprints: Option<&Fingerprints>) -> Result<(), Fingerprints> {
        let Some(fingerprints) = fingerprints else { return Ok(()) };
        let known = self.state.fingerprints.get_or_insert_with(|| fingerprints.clone());
        if known == fingerprints { Ok(()) } else { Err(known.clone()) }
    }

    /// Takes in what the provider says of an account.
    pub fn learn(&mut self, fact: &AccountFact<'_>) {
        self.state.learn(fact);
    }

    /// Exchanges that came a second time among the latest [`crate::limits::RECENT_MAX`], and were not counted again.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.state.duplicates
    }

    /// Takes in what people say from now on of what was found.
    pub fn heed(&mut self, labels: Labels) {
        self.state.forget_labels();
        self.judge.labels = labels;
        // Whether a text is half of what a label is about shows once all pieces of it were seen.
        for _ in 0..2 {
            for number in 0..self.state.clusters.len() as u32 {
                labels::heed(&mut self.state, &self.judge.labels, number);
            }
        }
        // What somebody speaks for must not wait until it grows.
        for (number, cluster) in (0..).zip(&mut self.state.clusters) {
            if cluster.trial.is_some() {
                cluster.next_look = 0;
                if !std::mem::replace(&mut cluster.waits, true) {
                    self.due.push_back(number);
                }
            }
        }
    }

    /// Takes in one exchange, unless it came before. What is heavier is left to [`Engine::tick`].
    pub fn observe(&mut self, signals: &Signals) {
        let Some(seen) = self.state.count(signals) else { return };
        if let Some(matches) = self.state.matches(signals, seen.account, &mut self.scratch) {
            for &hits in &matches.hits {
                let vouched = labels::covers(&self.state, &self.judge.labels, hits.cluster, seen.account, signals.time);
                self.state.count_for(hits, signals, seen, matches.item, vouched);
            }
            self.state.keep_room_for_exhibits();
            self.state.merge_what_goes_together(matches.by_text());
            for number in matches.hits.iter().map(|hits| hits.cluster) {
                let cluster = self.state.clusters.get_mut(number as usize);
                if let Some(cluster) = cluster.filter(|cluster| cluster.is_due() && !cluster.waits) {
                    cluster.waits = true;
                    self.due.push_back(number);
                }
            }
        }
    }

    /// Takes in one exchange and does all the work that it makes due, as a hunt over a log does.
    pub fn hunt(&mut self, signals: &Signals) {
        self.observe(signals);
        while self.tick() {}
    }

    /// Does some of the work that waits: looks at a cluster that has grown, measures some of all groups anew once the traffic has grown by a
    /// quarter or a week has passed, or forgets some of what has not been seen for long. Whether there was any. Called until there is none
    /// after every exchange, as a hunt does, it leaves nothing undone; called less often, it delays detection and nothing else.
    pub fn tick(&mut self) -> bool {
        if let Some(number) = self.due.pop_front() {
            if let Some(cluster) = self.state.clusters.get_mut(number as usize) {
                cluster.waits = false;
                if cluster.is_due() {
                    self.look(number);
                }
            }
            return true;
        }
        if let Some((round, now)) = self.round.take().zip(self.state.last) {
            self.round = self.go_on(round, now);
            return true;
        }
        if self.judge.is_to_calibrate(&self.state) {
            self.round = Some(Round::Groups(self.judge.begin_measuring(&self.state)));
            return true;
        }
        self.sweep()
    }

    /// Goes on with measuring all groups anew; what is left of it.
    fn go_on(&mut self, round: Round, now: Time) -> Option<Round> {
        match round {
            Round::Groups(mut measuring) => {
                let more = self.judge.measure(&self.state, &mut measuring);
                Some(if more { Round::Groups(measuring) } else { Round::Pools })
            }
            Round::Pools => {
                self.state.count_followed();
                self.state.follow_pools(now);
                Some(Round::Cohorts)
            }
            Round::Cohorts => {
                self.state.follow_cohorts(now);
                Some(Round::Variants)
            }
            Round::Variants => {
                self.state.follow_variants(now);
                None
            }
        }
    }

    /// Forgets some of what has not been seen for long. Whether there is more to do.
    fn sweep(&mut self) -> bool {
        match self.state.sweep() {
            Step::Idle => false,
            Step::More => true,
            Step::Over { gone, epoch_turned } => {
                self.standings.forget(&gone.accounts);
                if epoch_turned {
                    self.judge.begin_epoch(&self.state);
                }
                self.judge.calibrate(&self.state);
                true
            }
        }
    }

    /// Brings up to date how everybody stands, as the last looks left it, and tells what changed since this was last asked for.
    pub fn update(&mut self) -> Vec<Change> {
        let proposed = self.judge.take_proposed().into_iter().map(|trial| Change::Proposed { trial });
        let changed = self.standings.update(&report::reported(&self.state, &self.judge)).1;
        proposed.chain(changed).collect()
    }

    /// How an account stood when the engine was last brought up to date; none that belongs to no campaign.
    #[must_use]
    pub fn standing(&self, account: &str) -> Option<Standing> {
        self.standings.of(self.state.accounts.known(account)?)
    }

    /// How every campaign stood when the engine was last brought up to date, in the order of their numbers.
    #[must_use]
    pub fn campaigns(&self) -> Vec<CampaignStanding<'_>> {
        self.standings.campaigns(|number| self.account(number))
    }

    /// The id of an account that a change is about.
    #[must_use]
    pub fn account(&self, number: AccountNo) -> Option<&str> {
        self.state.accounts.get(number).map(|account| &*account.id)
    }

    /// What is found so far, as the last looks left it. A campaign has the number that it has whenever one asks.
    #[must_use]
    pub fn findings(&self) -> Findings {
        report::findings(&self.state, &self.judge, &mut self.standings.clone()).0
    }

    /// Ends the run: looks at everything once more and tells what was found.
    #[must_use]
    pub fn finish(self) -> Findings {
        self.finish_traced().0
    }

    /// Ends the run like [`Engine::finish`], and tells with what a second pass finds the exchanges of each campaign.
    #[must_use]
    pub fn finish_traced(mut self) -> (Findings, Trace) {
        self.look_once_more();
        report::findings(&self.state, &self.judge, &mut self.standings)
    }

    /// Ends the run like [`Engine::finish_traced`], with a snapshot from which another goes on as if this one had not ended, but for the
    /// numbers that campaigns have.
    #[must_use]
    pub fn finish_remembered(mut self) -> (Findings, Trace, Vec<u8>) {
        let begun = self.begin_snapshot();
        self.look_once_more();
        let (findings, trace) = report::findings(&self.state, &self.judge, &mut self.standings);
        (findings, trace, begun.end(&self.standings))
    }

    fn begin_snapshot(&self) -> snapshot::Begun {
        snapshot::begin(&self.state, &self.judge, &self.due, self.round.as_ref())
    }

    /// Looks at everything: what is reported sets the threshold of what else is.
    fn look_once_more(&mut self) {
        for _ in 0..LAST_LOOKS_MAX {
            let before = self.judge.reported(&self.state);
            self.judge.calibrate(&self.state);
            for cluster in 0..self.state.clusters.len() as u32 {
                self.look(cluster);
            }
            if self.judge.reported(&self.state) == before {
                break;
            }
        }
    }

    /// Looks at a cluster: makes a trial, makes it anew, or weighs the evidence for it.
    fn look(&mut self, number: u32) {
        if self.state.cluster(number).is_none_or(|cluster| cluster.gone) {
            return;
        }
        labels::heed(&mut self.state, &self.judge.labels, number);
        let Some(cluster) = self.state.clusters.get_mut(number as usize) else { return };
        if cluster.is_of_accounts() || cluster.discovery == Discovery::Variants {
            cluster.tidy(0);
            self.judge.assess(&mut self.state, number);
            return;
        }
        let wider = cluster.wider();
        cluster.tidy(cluster.trial.as_ref().map_or(0, |trial| trial.skeleton));
        if cluster.is_to_be_frozen() {
            self.state.freeze(number);
        } else {
            self.judge.assess(&mut self.state, number);
        }
        self.state.split_off(number, &wider);
    }
}

/// Times that everything is looked at once more at the end.
const LAST_LOOKS_MAX: usize = 3;
