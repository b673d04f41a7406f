//! Membership: does an account send this cluster more often than accounts do by chance?
//!
//! Null: given the past, each of the account's requests falls into the cluster with probability at most p0. The mixture of
//! Bernoulli likelihood ratios over rates above p0 is an e-process, so by Ville's inequality it ever exceeds 1/α with
//! probability at most α, whenever one stops, and without independence or stationarity (Ville 1939; Ramdas et al.,
//! "Game-theoretic statistics and safe anytime-valid inference", 2023).
//! What it cannot say: whether the cluster is an honest shared tool. It names *who*, not *why*, so it never counts towards
//! a campaign's threshold.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::evalue::{Rates, ebh, log10, more_often};
use crate::state::account::{Account, Tally};
use crate::state::cluster::Cluster;
use findings::number::{counted, either, many};
use findings::{Evidence, SignalFamily};

/// Whether an account is more likely in a cluster on purpose than not, from [`PRIOR_ODDS`] and with p0 as it was seen: what it sends from
/// then on counts for what is measured of the group. The widening that an error level needs would keep accounts of few requests out for
/// most of them where little was seen before τ.
#[must_use]
pub(crate) fn enters(hits: u32, exchanges: u32, p0: f64) -> bool {
    posterior(PRIOR_ODDS, more_often(hits.into(), exchanges.into(), (p0 / CLUSTERING).max(CHANCE_MIN))) >= 0.5
}

/// The odds, before seeing how often one account sends it, that an account which touched the cluster means to: those that explain best
/// how often all of them send it, given the evidence of each (ln). A few strangers who once used a phrase and many who live by it are
/// another matter than the other way round.
#[must_use]
pub(crate) fn prior_odds(lns: &[f64]) -> f64 {
    let mut odds = PRIOR_ODDS;
    for _ in 0..ROUNDS {
        // As if one account with these odds had been seen besides.
        let known = lns.iter().map(|&ln| posterior(odds, ln)).sum::<f64>() + share(PRIOR_ODDS);
        let all = lns.len() as f64 + 1.0;
        odds = (known / (all - known).max(f64::MIN_POSITIVE)).clamp(ODDS.0, ODDS.1);
    }
    odds
}

/// The probability that an account takes part on purpose, given its evidence (ln) and what is believed beforehand.
#[must_use]
pub(crate) fn posterior(prior_odds: f64, ln: f64) -> f64 {
    share(prior_odds * ln.exp())
}

fn share(odds: f64) -> f64 {
    if odds.is_infinite() { 1.0 } else { odds / (1.0 + odds) }
}

/// ln of the e-value that an account takes part in a cluster on purpose.
#[must_use]
pub(crate) fn evidence(account: &Account, tally: &Tally, p0: f64) -> f64 {
    more_often(tally.exchanges.into(), account.exchanges.into(), p0)
}

/// ln of how much likelier an account's requests are of one that takes part on purpose than of one that does not: with p0 as it was seen,
/// without the widening that an error level needs, and given that it sent one, as everybody did who is looked at.
pub(crate) fn likelihood(p0: f64) -> impl FnMut(&Account, &Tally) -> f64 {
    let rates = Rates::above(p0 / CLUSTERING);
    // Many accounts sent as much.
    let mut known: HashMap<(u32, u32), f64, FixedState> = HashMap::default();
    move |account, tally| {
        let (hits, requests) = (tally.exchanges, account.exchanges);
        *known.entry((hits, requests)).or_insert_with(|| rates.more_often_given_one(hits.into(), requests.into()))
    }
}

/// ln of the e-value that an account takes part on purpose, on what came after τ alone: what the guarantee of membership is about.
#[must_use]
pub(crate) fn since_frozen(account: &Account, tally: &Tally, p0: f64) -> f64 {
    more_often(tally.after.into(), account.exchanges.saturating_sub(tally.base).into(), p0)
}

/// Whether an account sends a good part of its requests to a cluster.
#[must_use]
pub(crate) fn is_devoted(account: &Account, tally: &Tally) -> bool {
    u64::from(tally.exchanges) * DEVOTED_ONE_IN >= account.exchanges.into()
}

/// The upper bound p0 on how often an account outside the group sends the cluster, fixed at τ: how often anybody who had not sent it
/// before sent it next, over everybody who sent anything, those who send the cluster included, so that nobody is left out for
/// what is tested. `first` accounts sent it a first time, in `requests` of all accounts up to then; widened since accounts cluster.
#[must_use]
pub(crate) fn chance(first: u64, requests: u64) -> f64 {
    (CLUSTERING * (first as f64 + 3.0) / (requests as f64 + 3.0)).clamp(CHANCE_MIN, CHANCE_MAX)
}

/// The evidence that a person reads: how many of `everybody` send the template, or one of so many, that unrelated accounts do not.
#[must_use]
pub(crate) fn describe<'a>(
    tallies: impl Iterator<Item = (&'a Account, &'a Tally)>,
    everybody: usize,
    cluster: &Cluster,
    templates: usize,
    p0: f64,
    alpha: f64,
) -> Evidence {
    let lns: Vec<f64> = tallies.map(|(account, tally)| since_frozen(account, tally, p0)).collect();
    let ln_e: f64 = lns.iter().map(|ln| ln.max(0.0)).sum();
    let enough = ebh(&lns, everybody, alpha);
    let sure = lns.iter().filter(|&&ln| enough.is_some_and(|enough| ln >= enough)).count();
    let what = match cluster.asks {
        Some(capability) => format!("requests for {}", capability.name()),
        None if templates > 1 => format!("one of these {} templates", many(templates)),
        None => "this template".into(),
    };
    let text = format!(
        "{} {} {what} far more often than chance explains: at most {} of everybody else's requests are such (tested for {} \
         by e-BH at {}). This says who belongs together, not why, and does not count towards the threshold.",
        counted(sure as u64, "account"),
        either(sure as u64, "sends", "send"),
        percent(p0),
        counted(everybody.max(lns.len()) as u64, "account"),
        percent(alpha)
    );
    Evidence {
        family: SignalFamily::Template,
        log10_e: log10(ln_e).min(SHOWN_MAX),
        counts: false,
        text,
        observations: u64::from(cluster.exchanges),
    }
}

fn percent(share: f64) -> String {
    if share >= 0.01 { format!("{:.1} %", share * 100.0) } else { format!("{:.3} %", share * 100.0) }
}

/// Odds, before seeing its traffic, that an account that touched a cluster means to.
const PRIOR_ODDS: f64 = 0.2;
/// The odds lie between these: nobody is more likely in than not without evidence of his own.
const ODDS: (f64, f64) = (0.05, 0.8);
/// Rounds in which they settle.
const ROUNDS: usize = 8;
/// An account is devoted to a cluster when at least one in this many of its exchanges is in it.
const DEVOTED_ONE_IN: u64 = 20;
/// Widening of p0 for accounts that act alike.
const CLUSTERING: f64 = 3.0;
/// Larger e-values (log10) mean nothing more to anybody.
const SHOWN_MAX: f64 = 300.0;
/// p0 is never taken to be less: one request in a thousand, since of few requests nothing rarer can be told,
const CHANCE_MIN: f64 = 1e-3;
/// and never more: what every fifth request is, everybody sends.
const CHANCE_MAX: f64 = 0.2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_templates_make_members_quickly_and_common_phrases_do_not() {
        for (hits, exchanges, p0, member) in [
            (1, 1, 1e-3, true),
            (4, 4, 1e-3, true),
            (3, 30, 1e-3, true),
            (1, 30, 1e-3, false),
            (1, 1, CHANCE_MAX, true),
            (1, 2, CHANCE_MAX, false),
            (2, 20, 0.1, false),
            (20, 20, 0.1, true),
            (1, 100, 0.2, false),
            (0, 10_000, 1e-3, false),
        ] {
            assert_eq!(enters(hits, exchanges, p0), member, "{hits} of {exchanges} at {p0}");
        }
    }

    #[test]
    fn the_odds_follow_what_all_send_and_name_nobody_without_evidence_of_his_own() {
        let devoted = prior_odds(&[6.0; 40]);
        let strangers = prior_odds(&[[6.0; 4].as_slice(), &[-1.5; 60]].concat());
        assert!((devoted - ODDS.1).abs() < 1e-12 && strangers < PRIOR_ODDS, "{devoted} {strangers}");
        assert!(posterior(devoted, 0.0) < 0.5 && posterior(devoted, 1.0) > 0.6);
        assert!(prior_odds(&[-9.0; 400]) >= ODDS.0);
        assert!((prior_odds(&[]) - PRIOR_ODDS).abs() < 1e-9);
    }
}
