//! Sign-up: did the accounts come into being together?
//!
//! Null: members' sign-up times, their ages at first use and their sign-up programmes are drawn like those of the other
//! accounts of the deployment, apart from what its honest groups show too ([`crate::reference::Reference::allowance`]
//! per account). Times are compared by rank among the population (16 bins), with the Krichevsky–Trofimov mixture; the
//! average of the e-values is an e-value whatever their dependence.
//! Fails to tell an event (a class, a hackathon) from a campaign, which is why it shares one vote with infrastructure.

use super::{Scene, evidence, hedged, infrastructure};
use crate::account::Account;
use crate::evalue::{dirichlet_multinomial, mean};
use crate::finding::{Evidence, SignalFamily};
use crate::number::{counted, grouped};
use crate::reference::Reference;
use crate::timeline::span;
use crate::value::Kind;

/// Weighs sign-up times, ages and programmes.
#[must_use]
pub fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let members: Vec<&Account> = scene.group.iter(scene.accounts).collect();
    let known = members.iter().filter(|account| account.created.is_some()).count() as u64;
    let allowance = scene.reference.allowance * members.len() as f64;
    let pieces: Vec<f64> = clusterings(&members, scene.reference)
        .into_iter()
        .chain(infrastructure::sharing(&members, Kind::Program, scene.values))
        .map(|ln| hedged(ln - allowance))
        .collect();
    if pieces.is_empty() {
        return None;
    }
    let mut created: Vec<i64> =
        members.iter().filter_map(|account| account.created.map(|time| time.seconds())).collect();
    created.sort_unstable();
    let half = shortest_half(&created);
    let accounts = counted(members.len() as u64, "account");
    let text = match half {
        Some(seconds) => {
            let here = half_of_all(&scene.reference.created)
                .map(|here| format!(", and half of all accounts here over about {}", span(here)))
                .unwrap_or_default();
            format!(
                "Sign-up is known for {} of {accounts}; half of them signed up within {}{here}.",
                grouped(known),
                span(seconds)
            )
        }
        None => format!("The sign-up programme of {accounts} was compared with that of all others."),
    };
    Some(evidence(SignalFamily::SignUp, mean(&pieces), known, text))
}

/// ln of the likelihood ratios that sign-up times, and ages at first use, cluster among the population's.
#[must_use]
pub fn clusterings(members: &[&Account], reference: &Reference) -> Vec<f64> {
    let created = members.iter().filter_map(|account| account.created).map(|time| time.seconds());
    let ages = members.iter().filter_map(|account| Some(account.first.seconds() - account.created?.seconds()));
    [clustering(created, &reference.created), clustering(ages, &reference.ages)].into_iter().flatten().collect()
}

/// ln of the likelihood ratio that `times` cluster in the bins parted by `edges`, each equally likely under the null.
fn clustering(times: impl Iterator<Item = i64>, edges: &[i64]) -> Option<f64> {
    let bins = edges.len() + 1;
    let mut counts = vec![0_u64; bins];
    for time in times {
        let bin = edges.partition_point(|&edge| edge <= time);
        if let Some(count) = counts.get_mut(bin) {
            *count += 1;
        }
    }
    let total: u64 = counts.iter().sum();
    (bins > 1 && total >= MEMBERS_MIN).then(|| dirichlet_multinomial(&counts, 0.5) + total as f64 * (bins as f64).ln())
}

/// The shortest time in which half of the sorted `times` lie, in seconds.
fn shortest_half(times: &[i64]) -> Option<i64> {
    let half = times.len().div_ceil(2);
    (times.len() >= 2).then(|| times.windows(half).filter_map(|w| Some(w.last()? - w.first()?)).min())?
}

/// The shortest time in which about half of all accounts signed up, in seconds, where the edges of sixteenths are known.
fn half_of_all(edges: &[i64]) -> Option<i64> {
    edges.windows(EDGES_OF_HALF).filter_map(|window| Some(window.last()? - window.first()?)).min()
}

/// Half of all accounts lie between the first and the last of so many edges of sixteenths.
const EDGES_OF_HALF: usize = 9;
/// Fewer known members give no evidence.
const MEMBERS_MIN: u64 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_one_bin_cluster_and_spread_ones_do_not() {
        let edges: Vec<i64> = (1..16).map(|i| i * 100).collect();
        let together = clustering((0..40).map(|i| 730 + i % 20), &edges).unwrap();
        assert!(together > 50.0, "{together}");
        let apart = clustering((0..40).map(|i| i * 40), &edges).unwrap();
        assert!(apart < 0.0, "{apart}");
        assert_eq!(clustering([1, 2].into_iter(), &edges), None);
        assert_eq!(clustering((0..40).map(|i| i * 40), &[]), None);
    }

    #[test]
    fn the_shortest_half() {
        assert_eq!(shortest_half(&[0, 10, 11, 12, 500]), Some(2));
        assert_eq!(shortest_half(&[7]), None);
    }
}
