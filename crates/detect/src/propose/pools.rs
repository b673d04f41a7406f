//! The second way to discover a group: payers densely joined by rare values, whatever they ask.
//!
//! Payers and the values they hold (payment instruments, mail domains, address blocks) make a graph with two kinds of
//! nodes. Popular values are left out, since everybody shares those. What remains is peeled to its core: payers with values
//! of at least two kinds that each some other payers of the core hold too; addresses alone join the customers of one carrier. A household or a chance meeting falls off; a pool
//! that buys cards, domains and proxies in bulk stays, and so do a class and an office, which is why a group found here is
//! a trial only and its infrastructure counts nothing in the test. Where chance joins much of the population, more
//! holders are asked for until it does not.
//! A null that deals the values out anew under the same degrees was tried and does not help: a pool that is most of those
//! who share anything looks the same after dealing. What parts it from others is that it shares at all.
//! Deterministic; O(accounts + edges) each time.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use event::Hash;
use foldhash::fast::FixedState;

use crate::limits::{GROUPS_MAX, HELD_MAX};
use crate::propose::community;
use crate::state::account::{Account, AccountNo, Accounts};
use crate::state::value::{Kind, Value, Values};

/// Groups of accounts densely joined by rare values, largest first, at most [`GROUPS_MAX`].
#[must_use]
pub(crate) fn groups(accounts: &Accounts, values: &Values) -> Vec<Vec<AccountNo>> {
    let graph = Graph::of(accounts, values);
    let cores = HOLDERS_MIN.into_iter().map(|holders_min| (holders_min, graph.core(holders_min)));
    let population = |part: &Vec<usize>| part.len() * POPULATION_ONE_IN > graph.all;
    let apart = |(_, core): &(usize, Core)| !graph.components(core).iter().any(population);
    let mut groups: Vec<Vec<AccountNo>> = cores
        .into_iter()
        .find(apart)
        .into_iter()
        .flat_map(|(holders_min, core)| graph.parts(&core, holders_min))
        .filter(|payers| payers.len() >= PAYERS_MIN)
        .map(|payers| {
            let mut members: Vec<AccountNo> =
                payers.iter().flat_map(|&payer| of(&graph.members, payer)).map(|&(_, number)| number).collect();
            members.sort_unstable();
            without_neighbours(members, accounts, values)
        })
        .filter(|members| members.len() >= PAYERS_MIN)
        .collect();
    groups.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    groups.truncate(GROUPS_MAX);
    groups
}

/// The group without those whose shared values mostly others hold: customers of the carrier or of the mail service that part of a pool
/// uses too.
fn without_neighbours(mut members: Vec<AccountNo>, accounts: &Accounts, values: &Values) -> Vec<AccountNo> {
    for _ in 0..ROUNDS_MAX {
        let mut inside: HashMap<Value, u64, FixedState> = HashMap::default();
        for account in members.iter().filter_map(|&number| accounts.get(number)) {
            for value in KINDS.into_iter().flat_map(|kind| account.values(kind)) {
                *inside.entry(value).or_default() += 1;
            }
        }
        // The share of the others who hold it that are of the group.
        let theirs = |value: Value| {
            let inside = inside.get(&value).copied().unwrap_or(0).saturating_sub(1);
            inside as f64 / values.holders(value).saturating_sub(1).max(inside).max(1) as f64
        };
        let most = |account: &Account, kind: Kind| account.values(kind).map(theirs).fold(0.0, f64::max);
        let belongs =
            |account: &Account| KINDS.into_iter().map(|kind| 1.0 - most(account, kind)).product::<f64>() <= 0.5;
        let before = members.len();
        members.retain(|&number| accounts.get(number).is_some_and(belongs));
        if members.len() == before {
            break;
        }
    }
    members
}

/// At most [`HELD_MAX`] of them, evenly.
fn sample(held: &[usize]) -> Vec<usize> {
    held.iter().copied().step_by(held.len().div_ceil(HELD_MAX).max(1)).collect()
}

/// Payers, rare values and who holds what.
struct Graph {
    /// How many payers there are, with rare values or without.
    all: usize,
    /// Those with rare values.
    payers: usize,
    /// Each payer's accounts, in order.
    members: Vec<(usize, AccountNo)>,
    /// Payer and value, by kind, in a fixed order.
    edges: Vec<(Kind, usize, Value)>,
}

/// What is left after peeling: which payers, and which values.
struct Core {
    payers: Vec<bool>,
    values: HashMap<Value, Vec<usize>, FixedState>,
}

/// How many values of each of [`KINDS`] a payer has left.
#[derive(Clone, Copy, Default)]
struct Left([i32; KINDS.len()]);

impl Left {
    fn change(&mut self, kind: Kind, by: i32) {
        let place = KINDS.iter().position(|&known| known == kind);
        if let Some(count) = place.and_then(|place| self.0.get_mut(place)) {
            *count += by;
        }
    }

    fn kinds(&self) -> usize {
        self.0.iter().filter(|&&count| count > 0).count()
    }
}

impl Graph {
    fn of(accounts: &Accounts, values: &Values) -> Graph {
        let mut numbers: HashMap<Hash, usize, FixedState> = HashMap::default();
        let mut graph = Graph { all: 0, payers: 0, members: Vec::new(), edges: Vec::new() };
        let mut all: HashSet<Hash, FixedState> = HashSet::default();
        let popular = |kind: Kind| match kind {
            // Nobody has a stranger's card, but a word that stands for none.
            Kind::Payment => (values.known(kind) / CARD_ONE_IN).max(POPULAR_MIN),
            _ => (accounts.count() as u64 / POPULAR_ONE_IN).max(POPULAR_MIN),
        };
        let rare = |&(kind, value): &(Kind, Value)| (2..=popular(kind)).contains(&values.holders(value));
        let mut left: Vec<Left> = Vec::new();
        let mut held: Vec<(Kind, Value)> = Vec::new();
        for (number, account) in accounts.iter().enumerate() {
            if account.exchanges == 0 || account.vetted {
                continue;
            }
            all.insert(account.payer);
            held.clear();
            held.extend(
                KINDS.into_iter().flat_map(|kind| account.values(kind).map(move |value| (kind, value))).filter(rare),
            );
            if held.is_empty() {
                continue;
            }
            let payer = *numbers.entry(account.payer).or_insert_with(|| {
                left.push(Left::default());
                left.len() - 1
            });
            graph.members.push((payer, number as AccountNo));
            for &(kind, value) in &held {
                left.get_mut(payer).into_iter().for_each(|left| left.change(kind, 1));
                graph.edges.push((kind, payer, value));
            }
        }
        graph.payers = left.len();
        // Most have rare values of one kind at most, and are in no core.
        let several = |payer: usize| left.get(payer).is_some_and(|left| left.kinds() >= VALUE_KINDS_MIN);
        graph.members.retain(|&(payer, _)| several(payer));
        graph.edges.retain(|&(_, payer, _)| several(payer));
        graph.all = all.len();
        graph.members.sort_unstable();
        graph.edges.sort_unstable();
        graph.edges.dedup();
        graph
    }

    /// Peels off, until nothing more comes off, payers with values of fewer than two kinds and values with too few holders.
    fn core(&self, holders_min: usize) -> Core {
        let mut of_payer: Vec<(usize, Value)> = self.edges.iter().map(|&(_, payer, value)| (payer, value)).collect();
        of_payer.sort_unstable();
        let mut left: Vec<Left> = vec![Left::default(); self.payers];
        let mut of_value: HashMap<Value, (Kind, Vec<usize>), FixedState> = HashMap::default();
        for &(kind, payer, value) in &self.edges {
            if let Some(left) = left.get_mut(payer) {
                left.change(kind, 1);
            }
            of_value.entry(value).or_insert_with(|| (kind, Vec::new())).1.push(payer);
        }
        let mut holders: HashMap<Value, usize, FixedState> =
            of_value.iter().map(|(&value, (_, payers))| (value, payers.len())).collect();
        let mut gone: VecDeque<usize> = VecDeque::new();
        let mut payers: Vec<bool> = vec![true; self.payers];
        let mut lone: VecDeque<Value> =
            holders.iter().filter(|&(_, &count)| count < holders_min).map(|(&value, _)| value).collect();
        let mut off = |payer: usize, left: &[Left], gone: &mut VecDeque<usize>| {
            if let (Some(still), Some(left)) = (payers.get_mut(payer), left.get(payer))
                && *still
                && left.kinds() < VALUE_KINDS_MIN
            {
                *still = false;
                gone.push_back(payer);
            }
        };
        (0..left.len()).for_each(|payer| off(payer, &left, &mut gone));
        loop {
            if let Some(value) = lone.pop_front() {
                let Some((kind, payers)) = of_value.remove(&value) else { continue };
                for payer in payers {
                    if let Some(left) = left.get_mut(payer) {
                        left.change(kind, -1);
                    }
                    off(payer, &left, &mut gone);
                }
            } else if let Some(payer) = gone.pop_front() {
                for (_, value) in of(&of_payer, payer) {
                    if let Some(count) = holders.get_mut(value) {
                        if *count == holders_min {
                            lone.push_back(*value);
                        }
                        *count = count.saturating_sub(1);
                    }
                }
            } else {
                break;
            }
        }
        let mut values: HashMap<Value, Vec<usize>, FixedState> =
            of_value.into_iter().map(|(value, (_, holders))| (value, holders)).collect();
        for holders in values.values_mut() {
            holders.retain(|&payer| payers.get(payer).copied().unwrap_or(false));
        }
        Core { payers, values }
    }

    /// The parts of the core: two pools that share a value or some customers of a carrier are two. Each is a core in itself.
    fn parts(&self, core: &Core, holders_min: usize) -> Vec<Vec<usize>> {
        let mut values: Vec<Value> = core.values.keys().copied().collect();
        values.sort_unstable();
        let node = |value: Value| values.binary_search(&value).ok();
        let mut held: Vec<Vec<usize>> = vec![Vec::new(); self.payers];
        for &(_, payer, value) in &self.edges {
            if core.payers.get(payer) == Some(&true)
                && let (Some(held), Some(node)) = (held.get_mut(payer), node(value))
            {
                held.push(node);
            }
        }
        for held in &mut held {
            held.sort_unstable();
            *held = sample(held);
        }
        let homes = community::homes(values.len(), &held, self.all, 1.0);
        // A payer is in the community that it holds most values of.
        let home_of = |payer: usize| {
            let mut count: BTreeMap<usize, usize> = BTreeMap::new();
            for home in held.get(payer).into_iter().flatten().filter_map(|&node| homes.get(node)) {
                *count.entry(*home).or_default() += 1;
            }
            count.into_iter().max_by_key(|&(home, count)| (count, std::cmp::Reverse(home))).map(|(home, _)| home)
        };
        let payers: Vec<Option<usize>> = (0..self.payers).map(home_of).collect();
        let stays = |&&(_, payer, value): &&(Kind, usize, Value)| {
            let home = node(value).and_then(|node| homes.get(node));
            home.is_some() && payers.get(payer).and_then(Option::as_ref) == home
        };
        let edges = self.edges.iter().filter(stays).copied().collect();
        let within = Graph { all: self.all, payers: self.payers, members: Vec::new(), edges };
        within.components(&within.core(holders_min))
    }

    /// The parts of the core that no value joins to another.
    fn components(&self, core: &Core) -> Vec<Vec<usize>> {
        let mut parent: Vec<usize> = (0..self.payers).collect();
        for holders in core.values.values() {
            for pair in holders.windows(2) {
                if let [a, b] = *pair {
                    let (a, b) = (root(&mut parent, a), root(&mut parent, b));
                    // The smaller number leads, so that the outcome does not depend on the order of values.
                    if let Some(up) = parent.get_mut(a.max(b)) {
                        *up = a.min(b);
                    }
                }
            }
        }
        let mut components: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for payer in (0..self.payers).filter(|&payer| core.payers.get(payer) == Some(&true)) {
            components.entry(root(&mut parent, payer)).or_default().push(payer);
        }
        components.into_values().collect()
    }
}

/// What belongs to `payer`, of pairs in order.
fn of<T>(pairs: &[(usize, T)], payer: usize) -> &[(usize, T)] {
    let from = pairs.partition_point(|(of, _)| *of < payer);
    let rest = pairs.get(from..).unwrap_or_default();
    rest.get(..rest.partition_point(|(of, _)| *of == payer)).unwrap_or_default()
}

fn root(parent: &mut [usize], mut node: usize) -> usize {
    while let Some(&up) = parent.get(node) {
        if up == node {
            break;
        }
        let above = parent.get(up).copied().unwrap_or(up);
        if let Some(link) = parent.get_mut(node) {
            *link = above;
        }
        node = above;
    }
    node
}

/// What is bought in bulk. A network operator has too many customers, a program too many users.
const KINDS: [Kind; 3] = [Kind::Payment, Kind::EmailDomain, Kind::Block];
/// A value is popular when more than one account in this many holds it,
const POPULAR_ONE_IN: u64 = 100;
/// and more than this many do.
const POPULAR_MIN: u64 = 64;
/// A payment instrument is popular when more than one account in this many of those with one holds it.
const CARD_ONE_IN: u64 = 10;
/// Kinds of values of the core that a payer of the core holds, at least.
const VALUE_KINDS_MIN: usize = 2;
/// Holders in the core that a value of the core has, at least: what is tried, in turn.
const HOLDERS_MIN: [usize; 5] = [3, 4, 6, 9, 13];
/// A component with more than one in this many of all payers is the population, joined by chance.
const POPULATION_ONE_IN: usize = 3;
/// Fewer payers are no group.
const PAYERS_MIN: usize = 6;
/// Rounds in which neighbours of a group leave it; a handful are enough.
const ROUNDS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::account::tests::fact;
    use exchange::AccountFact;
    use proptest::prelude::*;

    /// Accounts with a card and a mail domain each, all of them seen.
    fn world(held: &[(String, String)]) -> (Accounts, Values) {
        let (mut accounts, mut values) = (Accounts::default(), Values::default());
        for (i, (card, domain)) in held.iter().enumerate() {
            let id = format!("a{i:04}");
            let number = accounts.number(&id).unwrap();
            accounts.get_mut(number).unwrap().exchanges = 1;
            let fact = AccountFact {
                payment: Some(card.as_str().into()),
                email_domain: Some(domain.as_str().into()),
                ..fact(&id)
            };
            accounts.learn(&fact, &mut values);
        }
        (accounts, values)
    }

    fn pool(size: usize, cards: usize, domains: usize) -> Vec<(String, String)> {
        (0..size).map(|i| (format!("card{}", i % cards), format!("domain{}.example", i % domains))).collect()
    }

    fn strangers(count: usize) -> Vec<(String, String)> {
        (0..count).map(|i| (format!("own{i}"), "public.example".to_owned())).collect()
    }

    #[test]
    fn a_pool_is_found_among_strangers() {
        let mut held = strangers(2000);
        held.extend(pool(60, 9, 7));
        let (accounts, values) = world(&held);
        assert_eq!(groups(&accounts, &values), [(2000..2060).collect::<Vec<_>>()]);
    }

    #[test]
    fn a_payer_is_placed_by_up_to_so_many_values() {
        for (given, kept) in [(HELD_MAX, HELD_MAX), (HELD_MAX + 1, HELD_MAX / 2 + 1)] {
            assert_eq!(sample(&(0..given).collect::<Vec<_>>()).len(), kept);
        }
        assert!(sample(&[]).is_empty());
    }

    #[test]
    fn a_card_of_many_is_no_popular_one_and_what_stands_for_none_is() {
        for (holders, found) in [(150, true), (300, false)] {
            let mut held = strangers(2000);
            held.extend((0..holders).map(|i| ("one card".to_owned(), format!("domain{}.example", i / 30))));
            let (accounts, values) = world(&held);
            assert_eq!(groups(&accounts, &values).len(), usize::from(found), "{holders}");
        }
    }

    #[test]
    fn customers_of_what_a_pool_uses_too_are_not_of_it() {
        let mut held = strangers(2000);
        held.extend(pool(40, 5, 4));
        // Some of it use a service that others use as well, and three of those use both.
        held.extend((0..6).map(|i| ("resold".to_owned(), format!("domain{}.example", i % 4))));
        held.extend((0..6).map(|i| (format!("card{}", i % 5), "letters.example".to_owned())));
        held.extend((0..50).map(|i| ("resold".to_owned(), format!("firm{i}.example"))));
        held.extend((0..50).map(|i| (format!("mine{i}"), "letters.example".to_owned())));
        held.extend((0..3).map(|_| ("resold".to_owned(), "letters.example".to_owned())));
        let (accounts, values) = world(&held);
        assert_eq!(groups(&accounts, &values), [(2000..2052).collect::<Vec<_>>()]);
    }

    #[test]
    fn households_and_popular_values_make_no_group() {
        let mut held = strangers(2000);
        held.extend((0..200).map(|i| (format!("cluster{}", i / 2), format!("cluster{}.example", i / 2))));
        let (accounts, values) = world(&held);
        assert!(groups(&accounts, &values).is_empty());
    }

    #[test]
    fn what_joins_the_whole_population_makes_no_group() {
        // Everybody holds one of few cards and domains.
        let held = (0..400).map(|i: usize| (format!("card{}", i * 7919 % 83), format!("d{}", i * 104_729 % 79)));
        let (accounts, values) = world(&held.collect::<Vec<_>>());
        assert!(groups(&accounts, &values).is_empty());
    }

    #[test]
    fn too_many_groups_are_cut_at_the_limit() {
        let held: Vec<(String, String)> = (0..=GROUPS_MAX)
            .flat_map(|group| (0..8).map(move |_| (format!("card{group}"), format!("domain{group}"))))
            .collect();
        let (accounts, values) = world(&held);
        assert_eq!(groups(&accounts, &values).len(), GROUPS_MAX, "of {}", GROUPS_MAX + 1);
    }

    proptest! {
        /// Whatever the graph, everybody in a group holds values of two kinds that others of the core hold.
        #[test]
        fn cores_are_cores(held in prop::collection::vec((0_u8..12, 0_u8..12), 0..120)) {
            let held: Vec<(String, String)> =
                held.into_iter().map(|(card, domain)| (format!("c{card}"), format!("d{domain}"))).collect();
            let (accounts, values) = world(&held);
            let graph = Graph::of(&accounts, &values);
            for holders_min in HOLDERS_MIN {
                let core = graph.core(holders_min);
                let inside: Vec<(Kind, usize, Value)> =
                    graph.edges.iter().copied().filter(|&(_, payer, value)| core.payers[payer] && core.values.contains_key(&value)).collect();
                for (payer, _) in core.payers.iter().enumerate().filter(|&(_, &left)| left) {
                    let kinds: HashSet<usize> = inside.iter().filter(|edge| edge.1 == payer).map(|edge| edge.0 as usize).collect();
                    prop_assert!(kinds.len() >= VALUE_KINDS_MIN);
                }
                for value in core.values.keys() {
                    prop_assert!(inside.iter().filter(|edge| edge.2 == *value).count() >= holders_min);
                }
            }
        }
    }
}
