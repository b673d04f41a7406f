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
    let (known, distinct, largest, name) = commonest(&members, strongest, scene.values);
    let text = if ln_e > 0.0 {
        format!("{known} accounts hold {distinct} different values of {}; {largest} share {name}.", plural(strongest))
    } else {
        format!("No rare infrastructure is shared: {known} accounts hold {distinct} different values of {}.", plural(strongest))
    };
    Some(evidence(SignalFamily::Infrastructure, ln_e, known, text))
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

fn commonest<'a>(members: &[&Account], kind: Kind, values: &'a Values) -> (u64, u64, u64, &'a str) {
    let mut counts: BTreeMap<Value, u64> = BTreeMap::new();
    for account in members {
        if account.holds(kind).known() {
            *counts.entry(account.holds(kind)).or_default() += 1;
        }
    }
    let largest = counts.iter().max_by_key(|&(&value, &count)| (count, std::cmp::Reverse(value)));
    let (value, count) = largest.map_or((Value::default(), 0), |(&value, &count)| (value, count));
    (counts.values().sum(), counts.len() as u64, count, values.name(value))
}

fn plural(kind: Kind) -> String {
    format!("{}s", kind.name()).replace("kind of networks", "kinds of network").replace("countrys", "countries")
}

/// Kinds in which sharing means something. Software and settings come with the tool that an honest group shares as well.
pub const KINDS: [Kind; 4] = [Kind::Payment, Kind::EmailDomain, Kind::Block, Kind::Asn];
/// How readily members bring new values: hardly, sometimes, often.
const NEW_VALUE_RATES: [f64; 3] = [1.0, 10.0, 100.0];
/// Fewer known members give no evidence.
const MEMBERS_MIN: usize = 6;
