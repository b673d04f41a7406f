//! The fourth way to discover a group: clusters that the same accounts send.
//!
//! A template in many wordings, in several languages or cut into parts makes many clusters, each of which few accounts
//! send and none of which tells enough. But the accounts that send one send others of them too, and strangers do not.
//! Clusters and the payers devoted to them make a graph; clusters are *variants* when more payers are devoted to both than
//! chance explains, given how many are devoted to each. They are clustered by modularity ([`community`]); then the clusters that many send who send
//! no other of the cluster are left out: a phrase that strangers use too. What comes out is a trial: a company's own prompts are variants as well.
//! Deterministic; O(accounts + pairs of clusters) each time, over at most [`ACCOUNTS_READ_MAX`] accounts.

use std::collections::{BTreeMap, HashMap, HashSet};

use event::Hash;
use foldhash::fast::FixedState;

use crate::group::membership;
use crate::limits::VARIANTS_MAX;
use crate::propose::community;
use crate::state::account::Accounts;
use crate::state::cluster::Cluster;
use crate::state::direction::{self, Direction};
use findings::Discovery;

/// Groups of clusters that the same payers send, by number, those with most clusters first, at most [`VARIANTS_MAX`].
#[must_use]
pub(crate) fn groups(clusters: &[Cluster], accounts: &Accounts, all: &Direction) -> Vec<Vec<u32>> {
    let (numbers, sent) = sent(clusters, accounts);
    let cluster = |node: usize| numbers.get(node).copied();
    let by_senders =
        joined(numbers.len(), &sent).into_iter().map(|nodes| nodes.into_iter().filter_map(cluster).collect());
    let mut groups = alike(by_senders.collect(), clusters, accounts, all);
    groups.retain(|group| group.len() >= CLUSTERS_MIN);
    groups.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    groups.truncate(VARIANTS_MAX);
    groups
}

/// What is compared by meaning: a cluster, or clusters that are variants already.
struct Candidate {
    clusters: Vec<u32>,
    meaning: Direction,
    /// Exchanges of any kind that a sender has, the median.
    typical_use: u32,
}

/// Puts clusters and groups of them together that mean the same and whose senders use the model equally much. Few senders of
/// few requests each have no clusters in common yet; but a benchmark run that asks the same has senders of another kind.
fn alike(groups: Vec<Vec<u32>>, clusters: &[Cluster], accounts: &Accounts, all: &Direction) -> Vec<Vec<u32>> {
    let grouped: HashSet<u32> = groups.iter().flatten().copied().collect();
    // A phrase in texts of other matter means what those texts mean.
    let much_of_it = |cluster: &Cluster| cluster.core_hits * MUCH_ONE_IN >= cluster.prints;
    let single = clusters.iter().zip(0_u32..).filter(|&(cluster, number)| {
        is_tested(cluster) && is_known(cluster) && much_of_it(cluster) && !grouped.contains(&number)
    });
    let mut single: Vec<(u32, u32)> = single.map(|(cluster, number)| (cluster.exchanges, number)).collect();
    single.sort_unstable_by(|a, b| b.cmp(a));
    single.truncate(COMPARED_MAX);
    let mut candidates: Vec<Candidate> = groups
        .into_iter()
        .chain(single.into_iter().map(|(_, number)| vec![number]))
        .map(|numbers| Candidate::of(numbers, clusters, accounts))
        .collect();
    let seen: Vec<_> = candidates.iter().map(|candidate| candidate.meaning.seen_from(all)).collect();
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (a, (one, seen_one)) in candidates.iter().zip(&seen).enumerate() {
        for (b, (other, seen_other)) in candidates.iter().zip(&seen).enumerate().skip(a + 1) {
            let (Some(seen_one), Some(seen_other)) = (seen_one, seen_other) else { continue };
            let cosine = direction::cosine(seen_one, seen_other);
            if cosine >= ALIKE && one.uses_like(other) {
                pairs.push((cosine, a, b));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut home: Vec<usize> = (0..candidates.len()).collect();
    for (_, a, b) in pairs {
        let (Some(&a), Some(&b)) = (home.get(a), home.get(b)) else { continue };
        // Not a chain of neighbours: the groups as they are by now must be alike.
        let still = candidates.get(a).zip(candidates.get(b)).is_some_and(|(a, b)| {
            let seen = a.meaning.seen_from(all).zip(b.meaning.seen_from(all));
            seen.is_some_and(|(a, b)| direction::cosine(&a, &b) >= ALIKE)
        });
        if a == b || !still {
            continue;
        }
        let Some(taken) = candidates.get_mut(b).map(|candidate| std::mem::take(&mut candidate.clusters)) else {
            continue;
        };
        let meaning = candidates.get(b).map(|candidate| candidate.meaning.clone()).unwrap_or_default();
        if let Some(candidate) = candidates.get_mut(a) {
            candidate.clusters.extend(taken);
            candidate.meaning.merge(&meaning);
        }
        home.iter_mut().filter(|home| **home == b).for_each(|home| *home = a);
    }
    candidates.into_iter().map(|candidate| candidate.clusters).collect()
}

impl Candidate {
    fn of(numbers: Vec<u32>, clusters: &[Cluster], accounts: &Accounts) -> Candidate {
        let (mut meaning, mut uses) = (Direction::default(), Vec::new());
        for cluster in numbers.iter().filter_map(|&number| clusters.get(number as usize)) {
            meaning.merge(&cluster.meaning);
            uses.extend(
                cluster.members.iter().take(MEMBERS_READ_MAX).filter_map(|&n| Some(accounts.get(n)?.exchanges)),
            );
        }
        uses.sort_unstable();
        Candidate { clusters: numbers, meaning, typical_use: uses.get(uses.len() / 2).copied().unwrap_or(0) }
    }

    fn uses_like(&self, other: &Candidate) -> bool {
        self.typical_use.max(other.typical_use) <= self.typical_use.min(other.typical_use).saturating_mul(USE_TIMES)
    }
}

/// Whether there is a trial about a cluster by text, which what it did since does not speak against: what people use as they
/// like stays apart from a campaign, whatever it says and whoever sends it too.
fn is_tested(cluster: &Cluster) -> bool {
    let against = |weighed: f64| weighed <= AGAINST;
    cluster.discovery == Discovery::Text
        && cluster.trial.as_ref().is_some_and(|trial| !trial.weighed.is_some_and(against))
}

/// Whether enough was seen of it to know that.
fn is_known(cluster: &Cluster) -> bool {
    cluster.trial.as_ref().is_some_and(|trial| trial.exchanges >= KNOWN_EXCHANGES)
}

/// Clusters of nodes, given which nodes each payer is devoted to.
fn joined(nodes: usize, sent: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let homes = community::homes(nodes, sent, sent.len(), LIFT);
    let mut clusters = close(&homes, sent);
    clusters.retain(|cluster| cluster.len() >= CLUSTERS_MIN);
    clusters.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    clusters.truncate(VARIANTS_MAX);
    clusters
}

/// The tested clusters, by node, and for each payer the nodes it is devoted to.
fn sent(clusters: &[Cluster], accounts: &Accounts) -> (Vec<u32>, Vec<Vec<usize>>) {
    let every = (accounts.count() / ACCOUNTS_READ_MAX).max(1);
    let tested = |number: u32| clusters.get(number as usize).filter(|cluster| is_tested(cluster)).map(|_| number);
    let (mut numbers, mut all) = (Vec::new(), Vec::new());
    let mut nodes: HashMap<u32, usize, FixedState> = HashMap::default();
    let mut payers: HashSet<Hash, FixedState> = HashSet::default();
    for account in accounts.iter().step_by(every).filter(|account| account.exchanges > 0 && !account.vetted) {
        if !payers.insert(account.payer) {
            continue;
        }
        let devoted = account.tallies.iter().filter(|tally| membership::is_devoted(account, tally));
        let mut sent: Vec<u32> = devoted.filter_map(|tally| tested(tally.cluster)).collect();
        sent.sort_unstable();
        let mut node = |cluster: u32| {
            *nodes.entry(cluster).or_insert_with(|| {
                numbers.push(cluster);
                numbers.len() - 1
            })
        };
        all.push(sent.into_iter().map(&mut node).collect());
    }
    (numbers, all)
}

/// The clusters without the nodes that are sent by too many payers who send no other of the cluster.
fn close(homes: &[usize], sent: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut homes: Vec<Option<usize>> = homes.iter().copied().map(Some).collect();
    let home = |homes: &[Option<usize>], node: usize| homes.get(node).copied().flatten();
    loop {
        let (mut with_others, mut alone) = (vec![0_usize; homes.len()], vec![0_usize; homes.len()]);
        for nodes in sent {
            for (at, &node) in nodes.iter().enumerate() {
                let Some(own) = home(&homes, node) else { continue };
                let others = nodes.iter().enumerate().any(|(other, &n)| other != at && home(&homes, n) == Some(own));
                let count = if others { with_others.get_mut(node) } else { alone.get_mut(node) };
                count.into_iter().for_each(|count| *count += 1);
            }
        }
        let open: Vec<usize> = (0..homes.len())
            .filter(|&node| home(&homes, node).is_some())
            .filter(|&node| with_others.get(node) < alone.get(node).map(|alone| alone * WITH_OTHERS).as_ref())
            .collect();
        if open.is_empty() {
            break;
        }
        for node in open {
            homes.get_mut(node).into_iter().for_each(|home| *home = None);
        }
    }
    let mut clusters: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (node, home) in homes.into_iter().enumerate() {
        home.into_iter().for_each(|home| clusters.entry(home).or_default().push(node));
    }
    clusters.into_values().collect()
}

/// Fewer clusters are no variants.
const CLUSTERS_MIN: usize = 2;
/// How many times as often as by chance payers are devoted to both of two clusters that are variants.
const LIFT: f64 = 3.0;
/// For each payer who sends a cluster alone at least this many send others of its variants too.
const WITH_OTHERS: usize = 8;
/// Clusters, or groups of them, whose directions as seen from the middle of all traffic have this cosine mean the same.
const ALIKE: f64 = 0.78;
/// A template is at least one in this many of the fingerprints of its exchanges, to be compared by meaning.
const MUCH_ONE_IN: u64 = 5;
/// Evidence (log10) from here down speaks against a cluster.
const AGAINST: f64 = -1.5;
/// Exchanges since τ before a cluster is compared by meaning.
const KNOWN_EXCHANGES: u32 = 12;
/// Senders use the model equally much when the median of one group is at most this many times that of the other.
const USE_TIMES: u32 = 2;
/// Clusters compared by meaning, at most; the largest.
const COMPARED_MAX: usize = 512;
/// Senders of a cluster whose use is read, at most.
const MEMBERS_READ_MAX: usize = 64;
/// Accounts read each time, at most about.
const ACCOUNTS_READ_MAX: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Payers that send four of `of` each, drawn by hash; some are the same.
    fn senders(of: &[usize], payers: u64) -> Vec<Vec<usize>> {
        let draw = |i: u64| of[xxhash_rust::xxh3::xxh3_64(&i.to_le_bytes()) as usize % of.len()];
        (0..payers).map(|i| sorted((0..4).map(|j| draw(i * 4 + j)).collect())).collect()
    }

    fn sorted(mut nodes: Vec<usize>) -> Vec<usize> {
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    #[test]
    fn what_the_same_payers_send_is_kin() {
        let mut sent = senders(&[0, 2, 4, 6, 8, 10, 12, 14, 16, 18], 60);
        // Strangers send one of the others each, and nothing with it.
        sent.extend((0..400).map(|i| vec![1 + 2 * (i % 10)]));
        assert_eq!(joined(20, &sent), [vec![0, 2, 4, 6, 8, 10, 12, 14, 16, 18]]);
    }

    #[test]
    fn a_phrase_that_strangers_use_too_is_no_kin() {
        let campaign = senders(&[0, 1, 2, 3], 60).into_iter().map(|nodes| sorted([nodes, vec![4]].concat()));
        let strangers = |count: usize| (0..count).map(|_| vec![4]).chain((0..300).map(|_| Vec::new()));
        let few: Vec<Vec<usize>> = campaign.clone().chain(strangers(7)).collect();
        let many: Vec<Vec<usize>> = campaign.chain(strangers(8)).collect();
        assert_eq!(joined(5, &few), [vec![0, 1, 2, 3, 4]]);
        assert_eq!(joined(5, &many), [vec![0, 1, 2, 3]]);
    }

    #[test]
    fn popular_prompts_are_not_kin_of_each_other() {
        // Every payer tries two of six prompts, whichever.
        let sent: Vec<Vec<usize>> = (0..300).map(|i| sorted(vec![i % 6, (i / 6 + i * 5) % 6])).collect();
        assert!(joined(6, &sent).is_empty());
    }

    #[test]
    fn the_number_of_groups_stays_within_its_limit() {
        for extra in [0, 1] {
            let groups = VARIANTS_MAX + extra;
            let sent: Vec<Vec<usize>> = (0..groups * 8).map(|i| vec![i / 8 * 2, i / 8 * 2 + 1]).collect();
            assert_eq!(joined(groups * 2, &sent).len(), VARIANTS_MAX);
        }
    }

    proptest! {
        #[test]
        fn every_cluster_is_in_one_group_at_most(sent in prop::collection::vec(prop::collection::vec(0_usize..24, 0..6), 0..120)) {
            let sent: Vec<Vec<usize>> = sent.into_iter().map(sorted).collect();
            let found = joined(24, &sent);
            let mut all: Vec<usize> = found.concat();
            all.sort_unstable();
            let count = all.len();
            all.dedup();
            prop_assert_eq!(count, all.len());
        }
    }
}
