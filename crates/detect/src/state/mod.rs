//! What is remembered of the traffic: plain data, bounded by [`crate::limits`], that knows of no sign and no verdict.

pub(crate) mod account;
pub(crate) mod cluster;
pub(crate) mod conduct;
pub(crate) mod direction;
pub(crate) mod epochs;
pub(crate) mod exhibit;
pub(crate) mod facts;
pub(crate) mod likeness;
pub(crate) mod output;
pub(crate) mod recent;
pub(crate) mod room;
pub(crate) mod shingle;
pub(crate) mod sign_ups;
pub(crate) mod sparse;
pub(crate) mod timeline;
pub(crate) mod trial;
pub(crate) mod value;
pub(crate) mod written;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use event::file::Fingerprints;
use event::{Capability, Signals};
use exchange::{AccountFact, Time};
use findings::Discovery;
use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::limits::{CLUSTERS_MAX, LIKENESS_PAYERS_ALL_MAX, RECENT_MAX, SHINGLES_MAX};
use account::{AccountNo, Accounts};
use cluster::{Cluster, LabelNo};
use conduct::Conduct;
use direction::Direction;
use epochs::{Epochs, Sweep};
use exhibit::Exhibits;
use output::Outputs;
use recent::Recent;
use shingle::Shingles;
use sign_ups::Burst;
use timeline::Timeline;
use value::{Kind, Values};

/// Everything that is remembered.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    /// Who asks,
    pub accounts: Accounts,
    /// and what they hold.
    pub values: Values,
    /// Texts that several payers share, and groups found in other ways.
    pub clusters: Vec<Cluster>,
    /// Numbers of clusters that are forgotten, to give out again.
    pub free_clusters: BTreeSet<u32>,
    /// The clusters by their fingerprints.
    pub shingles: Shingles,
    /// The room that their examples take.
    pub exhibits: Exhibits,
    /// Shared texts that found no place.
    pub clusters_refused: u64,
    /// Clusters by infrastructure,
    pub pools: usize,
    /// and by sign-up.
    pub cohorts: usize,
    /// The bursts of sign-ups as they were last found, each with the cluster of who signed up in it.
    pub bursts: Vec<(Burst, u32)>,
    /// The clusters of exchanges that are after a capability.
    pub by_intent: [Option<u32>; Capability::ALL.len()],
    /// How often two clusters matched the same exchange.
    #[serde(with = "written::sorted")]
    pub together: HashMap<(u32, u32), u32, FixedState>,
    /// Payers whose likeness is followed in all groups together, as of when all groups were last measured and those that are new since.
    pub followed: usize,
    /// Trials begun.
    pub trials: u64,
    /// All exchanges.
    pub exchanges: u64,
    /// The first of them.
    pub first: Option<Time>,
    /// The last of them.
    pub last: Option<Time>,
    /// When they came.
    pub timeline: Timeline,
    /// What they mean.
    pub meaning: Direction,
    /// How they are sent.
    pub conduct: Conduct,
    /// How many are after each capability.
    pub intents: [u64; Capability::ALL.len()],
    /// Those without any text to compare.
    pub textless: u64,
    /// Those whose text is not to be had, only fingerprints of it.
    pub sealed: u64,
    /// What was answered.
    pub outputs: Outputs,
    /// The latest exchanges, by what makes two records of one the same.
    pub recent: Recent<RECENT_MAX>,
    /// Exchanges that came again.
    pub duplicates: u64,
    /// Clusters that a label is about, with the labels.
    pub known: BTreeMap<u32, BTreeSet<LabelNo>>,
    /// What was seen so far of the template of each label.
    pub shown: BTreeMap<LabelNo, BTreeSet<u64>>,
    /// Accounts that were forgotten before their time, to make room.
    pub forgotten_early: u64,
    /// What the fingerprints of its exchanges are, where that was said.
    pub fingerprints: Option<Fingerprints>,
    /// Which epoch it is.
    pub epochs: Epochs,
    /// What is being forgotten.
    pub sweep: Option<Sweep>,
}

impl Default for State {
    fn default() -> State {
        State {
            accounts: Accounts::default(),
            values: Values::default(),
            clusters: Vec::new(),
            free_clusters: BTreeSet::new(),
            shingles: Shingles::new(SHINGLES_MAX),
            exhibits: Exhibits::default(),
            clusters_refused: 0,
            pools: 0,
            cohorts: 0,
            bursts: Vec::new(),
            by_intent: [None; Capability::ALL.len()],
            together: HashMap::default(),
            followed: 0,
            trials: 0,
            exchanges: 0,
            first: None,
            last: None,
            timeline: Timeline::default(),
            meaning: Direction::default(),
            conduct: Conduct::default(),
            intents: [0; Capability::ALL.len()],
            textless: 0,
            sealed: 0,
            outputs: Outputs::default(),
            recent: Recent::default(),
            duplicates: 0,
            known: BTreeMap::new(),
            shown: BTreeMap::new(),
            forgotten_early: 0,
            fingerprints: None,
            epochs: Epochs::default(),
            sweep: None,
        }
    }
}

/// What the whole of the traffic knows of one exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Its account.
    pub account: AccountNo,
    /// Whether an answer came back in it.
    pub echo: bool,
}

impl State {
    /// Takes in what the provider says of an account.
    pub(crate) fn learn(&mut self, fact: &AccountFact<'_>) {
        self.accounts.learn(fact, &mut self.values);
    }

    /// Counts one exchange for the whole of the traffic; none that came before, and none of an account beyond the limit.
    pub(crate) fn count(&mut self, signals: &Signals) -> Option<Seen> {
        if !self.recent.insert(identity(signals)) {
            self.duplicates += 1;
            return None;
        }
        self.exchanges += 1;
        self.first = Some(self.first.map_or(signals.time, |first| first.min(signals.time)));
        self.last = Some(self.last.map_or(signals.time, |last| last.max(signals.time)));
        self.timeline.count(signals.time);
        self.epochs.count(signals.time);
        self.textless += u64::from(signals.prints.is_empty());
        self.sealed += u64::from(signals.excerpt.is_empty() && !signals.prints.is_empty());
        let account = self.accounts.observe(signals, &mut self.values)?;
        if let Some(model) = signals.model {
            self.values.intern_named(Kind::Model, model.0, &signals.model_name);
        }
        for capability in signals.intents.iter() {
            if let Some(count) = self.intents.get_mut(capability.index()) {
                *count += 1;
            }
        }
        self.meaning.add(&signals.meaning);
        self.conduct.count(signals);
        let echo = self.outputs.echo(&signals.prints);
        self.outputs.remember(&signals.output);
        Some(Seen { account, echo })
    }

    /// Begins a cluster; its number, none where there are as many as can be.
    pub(crate) fn begin_cluster(&mut self, cluster: Cluster) -> Option<u32> {
        if let Some(number) = self.free_clusters.pop_first() {
            *self.clusters.get_mut(number as usize)? = cluster;
            return Some(number);
        }
        if self.clusters.len() >= CLUSTERS_MAX {
            return None;
        }
        room::for_one_more(&mut self.clusters, 64);
        self.clusters.push(cluster);
        Some((self.clusters.len() - 1) as u32)
    }

    /// Forgets what is known of labels, since they are others now.
    pub(crate) fn forget_labels(&mut self) {
        self.known.clear();
        self.shown.clear();
        self.clusters.iter_mut().for_each(|cluster| cluster.labels.clear());
        self.accounts.iter_mut().flat_map(|account| &mut account.tallies).for_each(|tally| tally.vouched = false);
    }

    /// The cluster with this number.
    #[must_use]
    pub(crate) fn cluster(&self, number: u32) -> Option<&Cluster> {
        self.clusters.get(number as usize)
    }

    /// Whether the likeness of one more payer may be followed.
    #[must_use]
    pub(crate) fn has_room_for_likeness(&self) -> bool {
        self.followed < LIKENESS_PAYERS_ALL_MAX
    }

    /// The clusters by text behind a cluster: itself, or those that are its variants.
    #[must_use]
    pub(crate) fn texts(&self, number: u32) -> Vec<(u32, &Cluster)> {
        let own = |cluster: &(u32, &Cluster)| cluster.0 == number || cluster.1.variant_of == Some(number);
        let by_text = |cluster: &(u32, &Cluster)| cluster.1.discovery == Discovery::Text && !cluster.1.gone;
        match self.cluster(number) {
            Some(cluster) if cluster.discovery == Discovery::Variants => {
                (0..).zip(&self.clusters).filter(own).filter(by_text).collect()
            }
            Some(cluster) => vec![(number, cluster)].into_iter().filter(by_text).collect(),
            None => Vec::new(),
        }
    }
}

/// What two records of one exchange have in common: its id, its account, its time and what was asked. An id alone says little: a caller may
/// choose it, and some logs give one to a whole conversation.
fn identity(signals: &Signals) -> u64 {
    let mut hash = Xxh3::new();
    for text in [&signals.exchange, &signals.account] {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(&signals.time.nanos().to_le_bytes());
    for print in &signals.prints {
        hash.update(&print.key.to_le_bytes());
        hash.update(&print.exact.to_le_bytes());
    }
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_followed_of_so_many_payers_in_all() {
        for (followed, room) in [(LIKENESS_PAYERS_ALL_MAX - 1, true), (LIKENESS_PAYERS_ALL_MAX, false)] {
            assert_eq!(State { followed, ..State::default() }.has_room_for_likeness(), room);
        }
    }

    #[test]
    fn the_texts_behind_a_cluster_are_itself_or_its_variants() {
        let start = Time::from_seconds(0);
        let mut state = State::default();
        (0..4).for_each(|_| state.clusters.push(Cluster::new(start)));
        state.clusters.push(Cluster::without_skeleton(Discovery::Variants, start));
        state.clusters.push(Cluster::without_skeleton(Discovery::Infrastructure, start));
        for (number, gone) in [(0_usize, false), (2, false), (3, true)] {
            let cluster = state.clusters.get_mut(number).unwrap();
            (cluster.variant_of, cluster.gone) = (Some(4), gone);
        }
        let texts = |number| state.texts(number).into_iter().map(|(number, _)| number).collect::<Vec<_>>();
        assert_eq!(texts(4), [0, 2], "not the one that was merged, nor one that is no variant");
        assert_eq!(texts(1), [1]);
        assert_eq!((texts(3), texts(5), texts(9)), (vec![], vec![], vec![]));
    }
}
