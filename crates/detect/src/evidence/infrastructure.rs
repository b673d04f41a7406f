//! Infrastructure: do members share payment instruments, mail domains, address blocks that hardly anybody else has?
//!
//! Null: what a member holds is drawn like what the other accounts of the deployment hold, so a popular value (a carrier's
//! network, a public mail service) says nothing by itself: its popularity is the discount. Alternative: members take from
//! values that earlier members had (a Chinese restaurant process, over three rates of new values). What honest groups of
//! the deployment share too is allowed for.
//! Fails when every account has its own card and address. An office or a campus shares infrastructure honestly, which is
//! why this shares one vote with sign-up.

use std::collections::BTreeMap;

use super::{Scene, evidence, hedged};
use crate::account::Account;
use crate::evalue::mean;
use crate::finding::{Evidence, SignalFamily};
use crate::number::{counted, either, grouped, one_or_many};
use crate::value::{Kind, Value, Values};

/// Weighs what is shared.
#[must_use]
pub fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let members: Vec<&Account> = scene.group.iter(scene.accounts).collect();
    let allowance = scene.reference.allowance * members.len() as f64;
    let mut pieces: Vec<(Kind, f64)> = KINDS
        .into_iter()
        .filter_map(|kind| Some((kind, hedged(sharing(&members, kind, scene.values)? - allowance))))
        .collect();
    let ln_e = mean(&pieces.iter().map(|&(_, ln)| ln).collect::<Vec<_>>());
    pieces.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (strongest, _) = *pieces.first()?;
    let known = members.iter().filter(|account| account.holds(strongest).known()).count() as u64;
    let text = if ln_e > 0.0 {
        describe(&members, strongest, scene.values)
    } else {
        format!(
            "{} of which it is known share no payment instrument, mail domain, address block or network operator more often \
             than it is common among all accounts here.",
            counted(known, "account")
        )
    };
    Some(evidence(SignalFamily::Infrastructure, ln_e, known, text))
}

/// The evidence that a group was found by, for a person: it does not count.
#[must_use]
pub fn found_by(members: &[&Account], values: &Values) -> Option<Evidence> {
    let pieces = KINDS.into_iter().filter_map(|kind| Some((kind, sharing(members, kind, values)?)));
    let (kind, ln_e) = pieces.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let known = members.iter().filter(|account| account.holds(kind).known()).count() as u64;
    let text = format!(
        "{} The group was found by this, so it does not count towards the threshold.",
        describe(members, kind, values)
    );
    Some(Evidence { counts: false, ..evidence(SignalFamily::Infrastructure, ln_e, known, text) })
}

/// ln of the likelihood ratio that members draw their values of `kind` from each other rather than from the population.
#[must_use]
pub fn sharing(members: &[&Account], kind: Kind, values: &Values) -> Option<f64> {
    let held: Vec<Value> = members.iter().map(|account| account.holds(kind)).filter(|value| value.known()).collect();
    if held.len() < MEMBERS_MIN {
        return None;
    }
    let mut inside: BTreeMap<Value, u64> = BTreeMap::new();
    for &value in &held {
        *inside.entry(value).or_default() += 1;
    }
    let outside = values.known(kind).saturating_sub(held.len() as u64) as f64;
    let popularity = |value: Value| -> f64 {
        let elsewhere = values.holders(value).saturating_sub(inside.get(&value).copied().unwrap_or(0)) as f64;
        (elsewhere + 0.5) / (outside + 1.0)
    };
    let ratios: Vec<f64> = NEW_VALUE_RATES
        .into_iter()
        .map(|rate: f64| {
            let mut before: BTreeMap<Value, u64> = BTreeMap::new();
            let mut ln = 0.0;
            for (i, &value) in held.iter().enumerate() {
                let seen = before.entry(value).or_default();
                ln += ((*seen as f64 / popularity(value) + rate) / (i as f64 + rate)).ln();
                *seen += 1;
            }
            ln
        })
        .collect();
    Some(mean(&ratios))
}

fn counts<'a>(members: impl Iterator<Item = &'a Account>, kind: Kind) -> BTreeMap<Value, u64> {
    let mut counts: BTreeMap<Value, u64> = BTreeMap::new();
    for value in members.map(|account| account.holds(kind)).filter(|value| value.known()) {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

/// How members hold values of `kind`, in words: the value that is most theirs and how much sharing there is.
fn describe(members: &[&Account], kind: Kind, values: &Values) -> String {
    let counts = counts(members.iter().copied(), kind);
    let known: u64 = counts.values().sum();
    let shared: u64 = counts.values().filter(|&&count| count > 1).sum();
    let Some((value, count)) = most_particular(&counts, kind, values) else { return String::new() };
    let elsewhere = values.holders(value).saturating_sub(count);
    format!(
        "{} of the group {} {}; {} of them {} one with another account of the group. {} {} {}, {}. Customers who have \
         nothing to do with each other share one only as often as it is common here.",
        counted(known, "account"),
        either(known, "has", "have"),
        one_or_many(counts.len() as u64, &format!("{} in all", kind.name()), &format!("different {}s", kind.name())),
        grouped(shared),
        either(shared, "shares", "share"),
        grouped(count),
        either(count, "has", "have"),
        values.name(value),
        match elsewhere {
            0 => "which no account outside the group has".to_owned(),
            1 => "which 1 account outside the group has too".to_owned(),
            more => format!("which {} accounts outside the group have too", grouped(more)),
        }
    )
}

/// The value that is most particular to those who hold `counts`: they hold it more often than the others do, and often.
#[must_use]
pub fn most_particular(counts: &BTreeMap<Value, u64>, kind: Kind, values: &Values) -> Option<(Value, u64)> {
    let known: u64 = counts.values().sum();
    let surprise = |value: Value, count: u64| {
        let elsewhere = values.holders(value).saturating_sub(count) as f64;
        let expected = known as f64 * (elsewhere + 0.5) / (values.known(kind).saturating_sub(known) as f64 + 1.0);
        count as f64 * (count as f64 / expected).ln()
    };
    let most = counts.iter().max_by(|a, b| surprise(*a.0, *a.1).total_cmp(&surprise(*b.0, *b.1)).then(b.0.cmp(a.0)));
    most.map(|(&value, &count)| (value, count))
}

/// Kinds in which sharing means something. Software and settings come with the tool that an honest group shares as well.
pub const KINDS: [Kind; 4] = [Kind::Payment, Kind::EmailDomain, Kind::Block, Kind::Asn];
/// How readily members bring new values: hardly, sometimes, often.
const NEW_VALUE_RATES: [f64; 3] = [1.0, 10.0, 100.0];
/// Fewer known members give no evidence.
const MEMBERS_MIN: usize = 6;
