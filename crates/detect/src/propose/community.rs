//! Communities: nodes that the same payers hold more often than chance gives.
//!
//! Nodes are what payers hold or send (values of infrastructure, clusters), and two are joined by the payers who hold both. Clusters maximise
//! modularity with a resolution that says how much more (Blondel et al., "Fast unfolding of communities in large networks", 2008).
//! Deterministic; O(payers × nodes of each squared) to build, and then a few rounds over the edges.

use std::collections::BTreeMap;

/// The cluster of each of `nodes`, under the number of one of its nodes, given which nodes each payer holds, of `payers` in all.
/// Nodes of one cluster are held together more than `lift` times as often as by chance.
#[must_use]
pub(crate) fn homes(nodes: usize, held: &[Vec<usize>], payers: usize, lift: f64) -> Vec<usize> {
    let graph = Graph::of(nodes, held, payers, lift);
    let mut homes = graph.settle();
    loop {
        // Clusters move as wholes in turn.
        let moved = graph.coarse(&homes).settle();
        if moved.iter().enumerate().all(|(node, &home)| node == home) {
            return homes;
        }
        homes = homes.iter().map(|&home| moved.get(home).copied().unwrap_or(home)).collect();
    }
}

/// Nodes, or clusters of them.
#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
    /// All holders there are, of any node or none.
    payers: f64,
    /// How many times as often as by chance.
    lift: f64,
}

#[derive(Default)]
struct Node {
    /// Who holds this node and another.
    edges: BTreeMap<usize, f64>,
    /// Who holds this node.
    holders: f64,
}

impl Graph {
    fn of(nodes: usize, held: &[Vec<usize>], payers: usize, lift: f64) -> Graph {
        let mut graph = Graph::empty(nodes, payers as f64, lift);
        for nodes in held {
            for (i, &a) in nodes.iter().enumerate() {
                graph.hold(a, 1.0);
                nodes.iter().skip(i + 1).for_each(|&b| graph.join(a, b, 1.0));
            }
        }
        graph
    }

    fn empty(nodes: usize, payers: f64, lift: f64) -> Graph {
        Graph { nodes: (0..nodes).map(|_| Node::default()).collect(), payers, lift }
    }

    fn hold(&mut self, node: usize, payers: f64) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.holders += payers;
        }
    }

    fn join(&mut self, a: usize, b: usize, payers: f64) {
        for (a, b) in [(a, b), (b, a)] {
            if let Some(node) = self.nodes.get_mut(a).filter(|_| a != b) {
                *node.edges.entry(b).or_default() += payers;
            }
        }
    }

    /// The graph whose nodes are the clusters, under the number of one of their nodes.
    fn coarse(&self, homes: &[usize]) -> Graph {
        let mut coarse = Graph::empty(self.nodes.len(), self.payers, self.lift);
        let home = |node: usize| homes.get(node).copied().unwrap_or(node);
        for (a, node) in self.nodes.iter().enumerate() {
            coarse.hold(home(a), node.holders);
            node.edges.range(a + 1..).for_each(|(&b, &weight)| coarse.join(home(a), home(b), weight));
        }
        coarse
    }

    /// Moves every node to the cluster with most weight above what chance gives, until none moves. The cluster of each, under
    /// the number of one of its nodes.
    fn settle(&self) -> Vec<usize> {
        let mut homes: Vec<usize> = (0..self.nodes.len()).collect();
        let mut holders: Vec<f64> = self.nodes.iter().map(|node| node.holders).collect();
        for _ in 0..ROUNDS_MAX {
            let mut moved = false;
            for (number, node) in self.nodes.iter().enumerate() {
                let Some(&now) = homes.get(number) else { continue };
                let to = self.weights(node, &homes);
                let gain = |cluster: usize| {
                    let within = holders.get(cluster).copied().unwrap_or_default();
                    let others = if cluster == now { within - node.holders } else { within };
                    to.get(&cluster).copied().unwrap_or_default() - self.lift * self.chance(node.holders, others)
                };
                let best = to.keys().map(|&cluster| (gain(cluster), cluster));
                // Of equals the smallest number, and never away for nothing.
                let best = best.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
                let Some((_, best)) = best.filter(|&(gained, _)| gained > gain(now) + 1e-9) else { continue };
                for (cluster, change) in [(now, -node.holders), (best, node.holders)] {
                    if let Some(sum) = holders.get_mut(cluster) {
                        *sum += change;
                    }
                }
                if let Some(home) = homes.get_mut(number) {
                    *home = best;
                }
                moved = true;
            }
            if !moved {
                break;
            }
        }
        homes
    }

    /// A node's weights by cluster; its own is always among them.
    fn weights(&self, node: &Node, homes: &[usize]) -> BTreeMap<usize, f64> {
        let mut to: BTreeMap<usize, f64> = BTreeMap::new();
        for (&other, &weight) in &node.edges {
            *to.entry(homes.get(other).copied().unwrap_or(other)).or_default() += weight;
        }
        to
    }

    /// How many holders of a node hold others by chance.
    fn chance(&self, holders: f64, others: f64) -> f64 {
        if self.payers > 0.0 { holders * others / self.payers } else { 0.0 }
    }
}

/// Rounds of moving, at most; a handful settle most graphs.
const ROUNDS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    #[test]
    fn what_the_same_payers_hold_is_one_community_and_what_chance_joins_is_none() {
        // Two pools of three cards and two domains each, which one payer joins.
        let pool = |first: usize| (0..12).map(move |i| vec![first + i % 3, first + 3 + i % 2]);
        let held: Vec<Vec<usize>> = pool(0).chain(pool(5)).chain([vec![0, 5]]).collect();
        let homes = super::homes(10, &held, 1000, 3.0);
        assert!(homes[..5].iter().all(|&home| home == homes[0]) && homes[5..].iter().all(|&home| home == homes[5]));
        assert_ne!(homes[0], homes[5]);
        let chance: Vec<Vec<usize>> = (0..600).map(|i| vec![i % 20, 20 + i / 20 % 30]).collect();
        assert_eq!(super::homes(50, &chance, 600, 3.0), (0..50).collect::<Vec<_>>());
    }
}
