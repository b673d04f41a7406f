//! The group drawn against the population: the numbers behind every picture of a finding.

use std::collections::BTreeMap;

use crate::report::view::View;
use crate::signs::infrastructure;
use crate::state::account::{Account, AccountNo};
use crate::state::timeline::Timeline;
use crate::state::value::{Kind, Value};
use findings::{Mark, Portrait, ShareBin, TimeBin, TokenSharing};

/// A member with its exchanges in the campaign.
pub(crate) struct Subject<'a> {
    /// Its number.
    pub number: AccountNo,
    /// The account.
    pub account: &'a Account,
    /// Its exchanges in the campaign.
    pub exchanges: u64,
}

/// Draws a group.
pub(crate) fn draw(view: View<'_>, group: &[Subject<'_>], timelines: &[&Timeline], marks: Vec<Mark>) -> Portrait {
    let inside: std::collections::BTreeSet<AccountNo> = group.iter().map(|subject| subject.number).collect();
    let outside = || {
        let accounts = view.state.accounts.iter().enumerate();
        accounts
            .filter(|(number, account)| account.exchanges > 0 && !inside.contains(&(*number as AccountNo)))
            .map(|(_, a)| a)
    };
    Portrait {
        timeline: timeline(view, timelines),
        rates: shares(
            &RATES.map(|(label, _)| label),
            group.iter().map(|subject| bin(&RATES, subject.exchanges as i64)),
            outside().map(|account| bin(&RATES, account.exchanges.into())),
        ),
        hours: shares(&HOURS, group.iter().flat_map(|subject| awake(subject.account)), outside().flat_map(awake)),
        ages: shares(
            &AGES.map(|(label, _)| label),
            group.iter().filter_map(|subject| age_bin(subject.account)),
            outside().filter_map(age_bin),
        ),
        infrastructure: Kind::ALL.into_iter().filter_map(|kind| sharing(view, group, kind)).collect(),
        marks,
    }
}

/// The group's exchanges and everybody else's, in the population's bins.
fn timeline(view: View<'_>, timelines: &[&Timeline]) -> Vec<TimeBin> {
    let seconds = view.state.timeline.seconds().max(1);
    let mut group: BTreeMap<i64, u64> = BTreeMap::new();
    for (start, count) in timelines.iter().flat_map(|timeline| timeline.iter()) {
        *group.entry(start.seconds().div_euclid(seconds)).or_default() += count;
    }
    view.state
        .timeline
        .iter()
        .map(|(start, all)| {
            let group = group.get(&start.seconds().div_euclid(seconds)).copied().unwrap_or(0).min(all);
            TimeBin { start, seconds: seconds as u32, group, population: all - group }
        })
        .collect()
}

fn shares(
    labels: &[&str],
    group: impl Iterator<Item = usize>,
    population: impl Iterator<Item = usize>,
) -> Vec<ShareBin> {
    let count = |bins: &mut dyn Iterator<Item = usize>| {
        let mut counts = vec![0_u64; labels.len()];
        bins.for_each(|bin| counts.iter_mut().skip(bin).take(1).for_each(|count| *count += 1));
        let total = counts.iter().sum::<u64>().max(1) as f64;
        counts.into_iter().map(|count| count as f64 / total).collect::<Vec<f64>>()
    };
    let (mut group, mut population) = (group, population);
    let (group, population) = (count(&mut group), count(&mut population));
    let bins = labels.iter().zip(group).zip(population);
    bins.map(|((label, group), population)| ShareBin { label: (*label).to_owned(), group, population }).collect()
}

/// The bin whose upper end (inclusive) is the first to reach `number`.
fn bin<const N: usize>(bins: &[(&str, i64); N], number: i64) -> usize {
    bins.partition_point(|&(_, upper)| upper < number).min(N - 1)
}

fn awake(account: &Account) -> impl Iterator<Item = usize> {
    let hours = account.hours;
    (0..24).filter(move |hour| hours >> hour & 1 == 1)
}

fn age_bin(account: &Account) -> Option<usize> {
    Some(bin(&AGES, (account.first.seconds() - account.created?.seconds()).max(0)))
}

fn sharing(view: View<'_>, group: &[Subject<'_>], kind: Kind) -> Option<TokenSharing> {
    let mut counts: BTreeMap<Value, u64> = BTreeMap::new();
    for subject in group {
        let value = subject.account.holds(kind);
        if value.known() {
            *counts.entry(value).or_default() += 1;
        }
    }
    let (value, largest) = infrastructure::most_particular(&counts, kind, &view.state.values)?;
    let known: u64 = counts.values().sum();
    let elsewhere = view.state.values.holders(value).saturating_sub(largest) as f64;
    let others = view.state.values.known(kind).saturating_sub(known).max(1) as f64;
    Some(TokenSharing {
        kind: kind.name().to_owned(),
        known,
        distinct: counts.len() as u64,
        largest,
        largest_value: view.state.values.name(value).to_owned(),
        population_share: (elsewhere / others).min(1.0),
    })
}

const DAY: i64 = 86_400;
const RATES: [(&str, i64); 11] = [
    ("1", 1),
    ("2", 2),
    ("3–4", 4),
    ("5–8", 8),
    ("9–16", 16),
    ("17–32", 32),
    ("33–64", 64),
    ("65–128", 128),
    ("129–256", 256),
    ("257–512", 512),
    ("> 512", i64::MAX),
];
const AGES: [(&str, i64); 7] = [
    ("< 1 h", 3600),
    ("1 h–1 d", DAY),
    ("1–7 d", 7 * DAY),
    ("7–30 d", 30 * DAY),
    ("30–90 d", 90 * DAY),
    ("90 d–1 y", 365 * DAY),
    ("> 1 y", i64::MAX),
];
const HOURS: [&str; 24] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20",
    "21", "22", "23",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fall_into_their_bins() {
        for (number, label) in [(1, "1"), (3, "3–4"), (4, "3–4"), (5, "5–8"), (512, "257–512"), (513, "> 512")]
        {
            assert_eq!(RATES[bin(&RATES, number)].0, label);
        }
    }

    #[test]
    fn shares_sum_to_one_on_each_side() {
        let bins = shares(&["a", "b"], [0, 1, 1].into_iter(), [0].into_iter());
        assert_eq!(bins.iter().map(|bin| bin.group).sum::<f64>(), 1.0);
        assert_eq!(bins[0].population, 1.0);
    }
}
