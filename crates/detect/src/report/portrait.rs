//! The group drawn against the population: the numbers behind every picture of a finding.

use std::collections::BTreeMap;

use crate::limits::{SHARED_HOLDERS_MIN, SHARED_MAX, SHARED_RATIO_MIN};
use crate::report::view::View;
use crate::signs::infrastructure;
use crate::state::account::{Account, AccountNo};
use crate::state::timeline::Timeline;
use crate::state::value::{Kind, Value};
use findings::{Mark, Portrait, ShareBin, Shared, TimeBin, TokenSharing, Traffic};

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
        shared: shared(view, group),
        marks,
    }
}

/// All exchanges over time.
pub(crate) fn traffic(view: View<'_>) -> Vec<Traffic> {
    let seconds = view.state.timeline.seconds().max(1) as u32;
    view.state.timeline.iter().map(|(start, exchanges)| Traffic { start, seconds, exchanges }).collect()
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

/// Kinds of values by which accounts hang together.
const TIES: [Kind; 6] = [Kind::Payment, Kind::EmailDomain, Kind::Block, Kind::Asn, Kind::Program, Kind::Software];

/// The values that members share more than others do: at least [`SHARED_HOLDERS_MIN`] of them, and [`SHARED_RATIO_MIN`] times as often.
fn shared(view: View<'_>, group: &[Subject<'_>]) -> Vec<Shared> {
    let values = &view.state.values;
    let mut found: Vec<(f64, Shared)> = Vec::new();
    for kind in TIES {
        let mut holders: BTreeMap<Value, Vec<&Subject<'_>>> = BTreeMap::new();
        for subject in group {
            let value = subject.account.holds(kind);
            if value.known() {
                holders.entry(value).or_default().push(subject);
            }
        }
        let known: usize = holders.values().map(Vec::len).sum();
        let others = values.known(kind).saturating_sub(known as u64).max(1) as f64;
        for (value, holders) in holders {
            let elsewhere = (values.holders(value).saturating_sub(holders.len() as u64) as f64 / others).min(1.0);
            let Some(surprise) = surprise(holders.len(), known, elsewhere, others) else { continue };
            let shared = Shared {
                kind: kind.name().to_owned(),
                value: values.name(value).to_owned(),
                accounts: holders.iter().map(|subject| subject.account.id.to_string()).collect(),
                population_share: elsewhere,
            };
            found.push((surprise, shared));
        }
    }
    most_surprising(found)
}

/// How unlikely it would be that so many of the `known` members hold a value if they held it as `others` do, of whom this share does; none where
/// too few of them do, or too seldom beside the others.
fn surprise(holders: usize, known: usize, elsewhere: f64, others: f64) -> Option<f64> {
    let within = holders as f64 / known as f64;
    let is_shared = holders >= SHARED_HOLDERS_MIN && within >= SHARED_RATIO_MIN * elsewhere;
    is_shared.then(|| holders as f64 * (within / (elsewhere + 0.5 / others)).ln())
}

/// The first [`SHARED_MAX`].
fn most_surprising(mut found: Vec<(f64, Shared)>) -> Vec<Shared> {
    found.sort_by(|(a, one), (b, other)| {
        b.total_cmp(a).then_with(|| (&one.kind, &one.value).cmp(&(&other.kind, &other.value)))
    });
    found.truncate(SHARED_MAX);
    found.into_iter().map(|(_, shared)| shared).collect()
}

/// Seconds of a day.
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
    fn a_value_is_shared_by_two_who_hold_it_twice_as_often_as_others() {
        assert!(surprise(SHARED_HOLDERS_MIN, 10, 0.0, 100.0).is_some());
        assert!(surprise(SHARED_HOLDERS_MIN - 1, 10, 0.0, 100.0).is_none());
        assert_eq!((SHARED_HOLDERS_MIN, SHARED_RATIO_MIN), (2, 2.0));
        // Four of ten beside a fifth, and a little more, of the others.
        assert!(surprise(4, 10, 0.2, 100.0).is_some() && surprise(4, 10, 0.201, 100.0).is_none());
        assert!(surprise(8, 10, 0.2, 100.0) > surprise(4, 10, 0.2, 100.0));
    }

    #[test]
    fn the_most_surprising_values_are_told_and_so_many() {
        let value = |number: usize| {
            let (kind, value) = ("payment instrument".to_owned(), format!("v{number}"));
            (number as f64, Shared { kind, value, accounts: Vec::new(), population_share: 0.0 })
        };
        let told = |count: usize| most_surprising((0..count).map(value).collect());
        assert_eq!(told(SHARED_MAX).len(), SHARED_MAX);
        let more = told(SHARED_MAX + 1);
        assert_eq!((more.len(), more[0].value.as_str()), (SHARED_MAX, "v40"));
        assert!(more.iter().all(|shared| shared.value != "v0"));
    }

    #[test]
    fn shares_sum_to_one_on_each_side() {
        let bins = shares(&["a", "b"], [0, 1, 1].into_iter(), [0].into_iter());
        assert_eq!(bins.iter().map(|bin| bin.group).sum::<f64>(), 1.0);
        assert_eq!(bins[0].population, 1.0);
    }
}
