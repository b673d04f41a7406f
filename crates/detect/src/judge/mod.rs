//! What the evidence comes to: every trial is weighed against the others, and against every honest explanation.

pub(crate) mod decision;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use event::Capability;
use exchange::Time;
use findings::{Discovery, Evidence};
use serde::{Deserialize, Serialize};

use crate::evalue;
use crate::group::sample::{self, Sample};
use crate::group::{self, Group};
use crate::judge::decision::Decision;
use crate::labels::Labels;
use crate::limits::{COMPARED_MAX, PROPOSED_MAX};
use crate::signs::calibrate::{Calibration, Credence, Others, Unit};
use crate::signs::scene::Scene;
use crate::signs::{self, intent, sessions, work_queue};
use crate::state::State;
use crate::state::account::{Account, AccountNo};
use crate::state::cluster::{Cluster, LabelNo};
use crate::state::sign_ups::SignUps;
use crate::state::trial::Trial;

/// How sure a finding must be.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The level at which the false discovery rate is held, under the nulls of the evidence, and how likely each honest explanation may
    /// be beside a campaign.
    pub alpha: f64,
}

impl Default for Config {
    fn default() -> Self {
        Config { alpha: 0.05 }
    }
}

/// Who weighs, with what was measured of all groups and what came of each at its last look.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Judge {
    /// How sure a finding must be.
    #[serde(skip)]
    pub config: Config,
    /// What people said of earlier findings.
    #[serde(skip)]
    pub labels: Labels,
    /// Trials that were ever tested.
    pub tested: u64,
    /// What was measured of the groups that others are compared with.
    pub calibration: Calibration,
    schedule: Schedule,
    sign_ups: SignUps,
    /// Accounts that ask for a capability in a good part of their requests, of those that are followed.
    asking: [Option<u64>; Capability::ALL.len()],
    /// The groups that had all that is asked of a campaign but maybe evidence enough for how many are tested, when groups were last
    /// measured: of several that share accounts the strongest. Each with its evidence (log10) and accounts.
    contenders: Vec<(f64, Sample)>,
    /// Trials that are tested since somebody last asked which.
    proposed: VecDeque<u64>,
    /// What came of each cluster's trial at its last look.
    assessments: BTreeMap<u32, (u64, Assessment)>,
}

/// What is measured anew from time to time, one after another: a piece of it is what `Engine::tick` does at once.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Round {
    /// The groups that others are compared with,
    Groups(Measuring),
    /// then groups by infrastructure are looked for,
    Pools,
    /// those that signed up together,
    Cohorts,
    /// and variants.
    Variants,
}

/// Groups that are being measured to compare others with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Measuring {
    /// Clusters that have not been measured yet: those with smaller numbers.
    left: u32,
    /// What was measured so far.
    units: Vec<Unit>,
}

/// What the evidence came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Assessment {
    /// By family of signals; not kept of a last look where the group is not reported.
    pub evidence: Vec<Evidence>,
    /// How likely it leaves the group honest, when others are compared with it.
    pub honest: Credence,
    /// What counts towards the threshold.
    pub log10_e: f64,
    /// The threshold.
    pub log10_threshold: f64,
    /// The honest explanation that comes nearest, and by how much it loses (log10).
    pub rival: (Cow<'static, str>, f64),
    /// Whether all that is asked of it beside the threshold is there.
    pub contends: bool,
    /// Why it is not reported, when it is not.
    pub cleared: Option<String>,
    /// Whether enough was seen of it to test it.
    pub testable: bool,
    /// Members by payer.
    pub payers: u64,
}

impl Assessment {
    fn new(evidence: Vec<Evidence>, decision: Decision, log10_threshold: f64, seen: (usize, u32)) -> Assessment {
        Assessment {
            honest: Credence::by(|sign| decision::total_without(&evidence, sign)),
            evidence,
            log10_e: decision.log10_e,
            log10_threshold,
            rival: (decision.rival.0.into(), decision.rival.1),
            contends: decision.contends,
            cleared: decision.cleared,
            testable: decision::is_testable(seen),
            payers: seen.0 as u64,
        }
    }
}

impl Judge {
    /// With what is asked of a finding and what people said of earlier ones.
    #[must_use]
    pub(crate) fn new(config: Config, labels: Labels) -> Judge {
        Judge { config, labels, ..Judge::default() }
    }

    /// Weighs the evidence since τ.
    pub(crate) fn assess(&mut self, state: &mut State, number: u32) {
        let Some(mut assessment) = self.assessment(state, number, &BTreeSet::new()) else { return };
        let Some(trial) = state.cluster(number).and_then(|cluster| cluster.trial.as_deref()) else { return };
        let tested = trial.number == 0 && assessment.testable;
        if tested {
            // Tested from now on, at a level of its own.
            self.tested += 1;
            let Some(again) = self.assessment(state, number, &BTreeSet::new()) else { return };
            assessment = again;
        }
        let Some(cluster) = state.clusters.get_mut(number as usize) else { return };
        let now = cluster.last;
        let Some(trial) = cluster.trial.as_deref_mut() else { return };
        if tested {
            trial.number = self.tested;
            self.proposed.push_back(trial.id);
            if self.proposed.len() > PROPOSED_MAX {
                self.proposed.pop_front();
            }
        }
        if assessment.cleared.is_none() && trial.detected_at.is_none() {
            trial.detected_at = Some(now);
        }
        trial.weighed = Some(assessment.log10_e);
        if assessment.cleared.is_some() {
            // Of the few that are told it is found anew when they are told.
            assessment.evidence = Vec::new();
        }
        self.assessments.insert(number, (trial.id, assessment));
    }

    /// The trials that are tested since this was last asked; of more than [`PROPOSED_MAX`] the latest.
    pub(crate) fn take_proposed(&mut self) -> VecDeque<u64> {
        std::mem::take(&mut self.proposed)
    }

    /// What came of a cluster's trial at its last look.
    #[must_use]
    pub(crate) fn last(&self, number: u32, trial: &Trial) -> Option<&Assessment> {
        self.assessments.get(&number).filter(|(id, _)| *id == trial.id).map(|(_, assessment)| assessment)
    }

    /// Counts what is tested in the epoch that begins: the trials there are. Each epoch has the error level to itself.
    pub(crate) fn begin_epoch(&mut self, state: &State) {
        let trials = state.clusters.iter().filter_map(|cluster| cluster.trial.as_deref());
        self.tested = trials.filter(|trial| trial.number > 0).count() as u64;
    }

    /// The evidence since τ for those in the group who are not among `others`; of a large cluster that of a sample.
    #[must_use]
    pub(crate) fn assessment(&self, state: &State, number: u32, others: &BTreeSet<AccountNo>) -> Option<Assessment> {
        let cluster = state.cluster(number)?;
        let trial = cluster.trial.as_deref()?;
        let one_in = sample::one_in(cluster.members.len());
        let group = Group::of(number, cluster, &state.accounts, trial.p0, one_in).without(others, &state.accounts);
        let (payers, exchanges) = decision::seen(group.payers.iter().map(|payer| payer.exchanges));
        let seen = (payers * one_in as usize, exchanges.saturating_mul(one_in));
        if !decision::is_testable(seen) {
            return Some(self.untested(seen));
        }
        let own = group.who();
        let others = self.calibration.apart_from(number, &own);
        let scene = self.scene(state, (number, cluster), trial, &group, &others);
        let evidence = signs::weigh(&scene);
        let apart = self.contenders.iter().filter(|(_, other)| !other.overlaps(&own));
        let contending: Vec<f64> = apart.map(|&(log10_e, _)| log10_e).collect();
        let log10_threshold = evalue::ebh_threshold(self.tested.max(TESTED_MIN), &contending, self.config.alpha);
        let likeness = &trial.likeness;
        let overlap = work_queue::Overlap::of(&trial.items, group.payers.len()).unwrap_or_default();
        // Whatever is that short comes at one time of the day and of the hour.
        let too_short = sessions::too_short(&scene);
        let circumstances = decision::Circumstances {
            concentrated: likeness.concentrated() && !too_short,
            clocks: if too_short { 0.0 } else { likeness.clocks() },
            in_sessions: sessions::measure(&scene).map_or(0.0, sessions::in_sessions),
            common: overlap.common,
            once: overlap.once,
        };
        let bar = decision::Bar::at(self.config.alpha, log10_threshold);
        let decision = decision::decide(&evidence, circumstances, seen, bar);
        Some(Assessment::new(evidence, decision, log10_threshold, seen))
    }

    /// Of a group that is too small to be tested nothing is weighed: most looks are at such.
    fn untested(&self, seen: (usize, u32)) -> Assessment {
        let log10_threshold = evalue::ebh_threshold(self.tested.max(TESTED_MIN), &[], self.config.alpha);
        let bar = decision::Bar::at(self.config.alpha, log10_threshold);
        let decision = decision::decide(&[], decision::Circumstances::default(), seen, bar);
        Assessment::new(Vec::new(), decision, log10_threshold, seen)
    }

    /// Clusters that the evidence at their last look is enough for.
    #[must_use]
    pub(crate) fn reported(&self, state: &State) -> Vec<u32> {
        let reported = |(number, cluster): (u32, &Cluster)| {
            let assessment = self.last(number, cluster.trial.as_deref()?)?;
            assessment.cleared.is_none().then_some(number)
        };
        (0..).zip(&state.clusters).filter_map(reported).collect()
    }

    /// What is measured of a group; none where too few payers take part, or any of a campaign that a person confirmed.
    #[must_use]
    pub(crate) fn measured(&self, state: &State, number: u32) -> Option<Unit> {
        let cluster = state.cluster(number).filter(|cluster| !cluster.gone)?;
        let trial = cluster.trial.as_deref()?;
        let one_in = sample::one_in(cluster.members.len());
        let group = Group::of(number, cluster, &state.accounts, trial.p0, one_in);
        let confirmed = group.iter(&state.accounts).any(|account| self.labels.confirmed(account));
        if group.payers.len() < COMPARED_PAYERS_MIN || confirmed {
            return None;
        }
        // What is measured of a group does not depend on others.
        let others = self.calibration.apart_from(number, &Sample::default());
        let measures = signs::measure(&self.scene(state, (number, cluster), trial, &group, &others));
        let honest = self.last(number, trial).map_or_else(Credence::default, |assessment| assessment.honest);
        let asks = intent::asks(trial);
        Some(Unit { number: Some(number), vouched: false, honest, who: group.who(), measures, asks })
    }

    /// When accounts signed up, as of when all groups were last measured.
    #[must_use]
    pub(crate) fn sign_ups(&self) -> &SignUps {
        &self.sign_ups
    }

    /// Whether it is time to measure all groups anew.
    #[must_use]
    pub(crate) fn is_to_calibrate(&self, state: &State) -> bool {
        state.last.is_some_and(|now| self.schedule.is_due(state.exchanges, now))
    }

    /// Measures the groups that others are compared to, at once.
    pub(crate) fn calibrate(&mut self, state: &State) {
        let mut measuring = self.begin_measuring(state);
        while self.measure(state, &mut measuring) {}
    }

    /// Begins to measure the groups that others are compared to: what people vouched for, and the latest of this log, since habits change.
    #[must_use]
    pub(crate) fn begin_measuring(&mut self, state: &State) -> Measuring {
        self.assessments.retain(|&number, (id, _)| {
            state.cluster(number).and_then(|cluster| cluster.trial.as_ref()).is_some_and(|trial| trial.id == *id)
        });
        self.sign_ups = SignUps::of(&state.accounts);
        self.asking = state.by_intent.map(|number| asking(state, number?));
        // A cluster is not compared with what was measured of itself when somebody vouched for it.
        let cluster =
            |label: &LabelNo| state.known.iter().find(|(_, about)| about.contains(label)).map(|(&cluster, _)| cluster);
        let vouched = self.labels.habits().iter();
        let vouched = vouched.map(|(label, measures)| Unit {
            number: cluster(label),
            vouched: true,
            honest: Credence::default(),
            who: Sample::default(),
            measures: *measures,
            asks: None,
        });
        let units = vouched.collect();
        if let Some(now) = state.last {
            self.schedule = Schedule::after(state.exchanges, now);
        }
        Measuring { left: state.clusters.len() as u32, units }
    }

    /// Measures some more groups, the latest first. Whether there are more; where not, others are compared to these from now on.
    pub(crate) fn measure(&mut self, state: &State, measuring: &mut Measuring) -> bool {
        for _ in 0..CLUSTERS_AT_ONCE {
            if measuring.left == 0 || measuring.units.len() >= COMPARED_MAX {
                self.calibration = Calibration::new(std::mem::take(&mut measuring.units).into_iter());
                self.contenders = self.contend(state);
                return false;
            }
            measuring.left -= 1;
            let by_text = |cluster: &Cluster| cluster.discovery == Discovery::Text;
            if state.cluster(measuring.left).is_some_and(by_text) {
                measuring.units.extend(self.measured(state, measuring.left));
            }
        }
        true
    }

    /// Those of [`Self::contenders`] as of now. One campaign makes many groups, which are one discovery.
    fn contend(&self, state: &State) -> Vec<(f64, Sample)> {
        let contender = |(number, cluster): (u32, &Cluster)| {
            let trial = cluster.trial.as_deref().filter(|_| !cluster.gone)?;
            let assessment = self.last(number, trial).filter(|assessment| assessment.contends)?;
            let one_in = sample::one_in(cluster.members.len());
            let group = Group::of(number, cluster, &state.accounts, trial.p0, one_in);
            Some((assessment.log10_e, group.who()))
        };
        group::distinct((0..).zip(&state.clusters).filter_map(contender).collect())
    }

    fn scene<'a>(
        &'a self,
        state: &'a State,
        (number, cluster): (u32, &'a Cluster),
        trial: &'a Trial,
        group: &'a Group,
        others: &'a Others<'a>,
    ) -> Scene<'a> {
        Scene {
            group,
            number,
            cluster,
            trial,
            accounts: &state.accounts,
            values: &state.values,
            sign_ups: &self.sign_ups,
            others,
            asking: &self.asking,
            intents: &state.intents,
            timeline: &state.timeline,
            conduct: &state.conduct,
            exchanges: state.exchanges,
            seconds: state.first.zip(state.last).map_or(0.0, |(first, last)| last.seconds_since(first)),
        }
    }
}

/// When all groups are measured anew.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Schedule {
    /// When so many exchanges have come,
    exchanges: u64,
    /// or at this time.
    time: Option<Time>,
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule { exchanges: FIRST_CALIBRATION, time: None }
    }
}

impl Schedule {
    /// The next time after one at which there were so many exchanges: when the traffic has grown by a quarter, or a week later.
    fn after(exchanges: u64, now: Time) -> Schedule {
        Schedule {
            exchanges: exchanges + exchanges / 4,
            time: Some(Time::from_seconds(now.seconds().saturating_add(CALIBRATED_FOR))),
        }
    }

    fn is_due(&self, exchanges: u64, now: Time) -> bool {
        exchanges >= self.exchanges || self.time.is_some_and(|time| now >= time)
    }
}

/// How many accounts send a good part of their requests to a cluster.
fn asking(state: &State, number: u32) -> Option<u64> {
    let members = &state.cluster(number)?.members;
    let one_in = sample::one_in(members.len());
    let sampled = members.iter().filter(|&&account| sample::is_sampled(account, one_in));
    let after = |account: &&Account| {
        account.tally(number).is_some_and(|tally| intent::is_after(tally.exchanges, account.exchanges))
    };
    let known = sampled.filter_map(|&account| state.accounts.get(account));
    Some(known.filter(after).count() as u64 * u64::from(one_in))
}

/// As if so many groups had been tested at least: among few groups there is little to compare with, and more is asked.
const TESTED_MIN: u64 = 20;
/// Clusters that are looked through at once for what is measured.
const CLUSTERS_AT_ONCE: usize = 32;
/// Fewer payers make no group to compare with.
const COMPARED_PAYERS_MIN: usize = 8;
/// Exchanges after which groups are first measured to compare with.
const FIRST_CALIBRATION: u64 = 1000;
/// Seconds after which all groups are measured anew at the latest.
const CALIBRATED_FOR: i64 = 7 * 86_400;
