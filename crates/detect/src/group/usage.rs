//! Usage: how much of what an account sends is what its group sends, and whether that is like the rest of the group.
//!
//! The accounts of one campaign are run alike: they send its template in much the same share of their requests. An honest account that
//! uses the same text for a purpose of its own, shares a network with the campaign or signed up in the same hour is not run with them,
//! and its share is another one. So a member's probability is weighed with its share: how likely that is among the others of the group,
//! whose shares are taken to be beta distributed with the mean and the dispersion that they show, against how likely it is of somebody
//! else. A group whose accounts differ doubts nobody, and neither does one that is too small. It never speaks for an account.
//! Of a group by text it is the share of its text, after the account's first request with it; of a group of accounts that of whatever its
//! accounts send and others hardly do. O(tallies of the members).

use std::collections::{BTreeMap, BTreeSet};

use crate::group::{IN_POOL, Member};
use crate::state::State;
use crate::state::cluster::Cluster;

/// Lowers the probability of members of the group of `cluster` whose use is unlike that of the others.
pub(crate) fn weigh(members: &mut [Member<'_>], cluster: &Cluster, state: &State) {
    if cluster.is_of_accounts() {
        let (common, elsewhere) = common(members, state);
        let used: Vec<Used> = members.iter().map(|member| Used::of_common(member, &common)).collect();
        let strangers = Shares { mean: elsewhere.clamp(MEAN.0, MEAN.1), ..ANY };
        let likelier = likelier(members, &used, strangers, STRANGERS);
        // Whoever is no member is a stranger.
        lower(members, likelier, |doubt, likelier| doubt * likelier.max(1.0));
    } else {
        let used: Vec<Used> = members.iter().map(Used::of_text).collect();
        let likelier = likelier(members, &used, ANY, OTHER_USE);
        lower(members, likelier, |doubt, likelier| doubt + OTHER_USE * likelier);
    }
}

/// Lowers each probability by the odds against it, which `doubted` works out of those so far and of how much likelier the use is elsewhere.
fn lower(members: &mut [Member<'_>], likelier: Option<Vec<f64>>, doubted: impl Fn(f64, f64) -> f64) {
    for (member, likelier) in members.iter_mut().zip(likelier.unwrap_or_default()) {
        let doubt = doubted(1.0 / member.probability - 1.0, likelier);
        member.probability = member.probability.min(1.0 / (1.0 + doubt));
    }
}

/// How much likelier each use is of somebody with `other` shares than within the group, of which the share `others` is such; none where
/// too few sent enough to tell what is usual.
///
/// What is usual begins with the half of the members whose shares lie closest together, and goes on to all that are like them: whoever is
/// not must not make the others look as if they differed. Where that leaves out more than a few, the group has several habits, and all of
/// them are usual.
fn likelier(members: &[Member<'_>], used: &[Used], other: Shares, others: f64) -> Option<Vec<f64>> {
    let (low, high) = closest_half(members, used)?;
    let likelier = |usual: Shares, used: &Used| libm::exp(other.ln_chance(*used) - usual.ln_chance(*used));
    let weighed = |weight: &dyn Fn(&Used) -> f64| -> Vec<(Used, f64)> {
        members.iter().zip(used).map(|(member, used)| (*used, member.probability * weight(used))).collect()
    };
    let mut like = weighed(&|used| f64::from(u8::from((low..=high).contains(&used.share()))));
    let mut usual = Shares::of(&like)?;
    for _ in 0..ROUNDS {
        like = weighed(&|used| 1.0 / (1.0 + others * likelier(usual, used)));
        usual = Shares::of(&like)?;
    }
    let all = weighed(&|_| 1.0);
    let weight = |used: &[(Used, f64)]| used.iter().map(|(_, weight)| weight).sum::<f64>();
    if weight(&like) < (1.0 - UNLIKE_MAX) * weight(&all) {
        usual = Shares::of(&all)?;
    }
    Some(used.iter().map(|used| likelier(usual, used)).collect())
}

/// Between which shares half of those lie closest together who are more likely members than not.
fn closest_half(members: &[Member<'_>], used: &[Used]) -> Option<(f64, f64)> {
    let sure = members.iter().zip(used).filter(|(member, used)| member.probability >= 0.5 && used.of >= 2);
    let mut shares: Vec<f64> = sure.map(|(_, used)| used.share()).collect();
    shares.sort_by(f64::total_cmp);
    if shares.len() < ACCOUNTS_MIN {
        return None;
    }
    let halves = shares.windows(shares.len().div_ceil(2)).filter_map(|half| Some((*half.first()?, *half.last()?)));
    halves.min_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)))
}

/// The clusters that members send to much more than others do, and the share of others' requests that do.
fn common(members: &[Member<'_>], state: &State) -> (BTreeSet<u32>, f64) {
    let mut sent: BTreeMap<u32, (f64, u64, u32)> = BTreeMap::new();
    for Member { account, .. } in members {
        for tally in account.tallies.iter().filter(|tally| tally.exchanges > 0) {
            let (share, exchanges, senders) = sent.entry(tally.cluster).or_default();
            *share += f64::from(tally.exchanges) / f64::from(account.exchanges.max(1));
            *exchanges += u64::from(tally.exchanges);
            *senders += 1;
        }
    }
    let all: u64 = members.iter().map(|member| u64::from(member.account.exchanges)).sum();
    let others = state.exchanges.saturating_sub(all) as f64 + 1.0;
    let (mut common, mut elsewhere) = (BTreeSet::new(), 0.0);
    for (cluster, (share, exchanges, senders)) in sent {
        let Some(known) = state.cluster(cluster).filter(|known| !known.gone && !known.is_of_accounts()) else {
            continue;
        };
        let share = share / members.len() as f64;
        let by_others = u64::from(known.exchanges).saturating_sub(exchanges) as f64 / others;
        if senders >= SENDERS_MIN && share >= SHARE_MIN && share >= RARER * by_others {
            common.insert(cluster);
            elsewhere += by_others;
        }
    }
    (common, elsewhere)
}

/// How many of so many requests of an account are its group's.
#[derive(Clone, Copy, Debug)]
struct Used {
    sent: u32,
    of: u32,
}

impl Used {
    /// Of those after its first of the group's text, which everybody in the group sent.
    fn of_text(member: &Member<'_>) -> Used {
        let of = member.account.exchanges.saturating_sub(member.tally.began);
        Used { sent: member.tally.exchanges.saturating_sub(1).min(of), of }
    }

    fn of_common(Member { account, .. }: &Member<'_>, common: &BTreeSet<u32>) -> Used {
        let sent = account.tallies.iter().filter(|tally| common.contains(&tally.cluster)).map(|tally| tally.exchanges);
        // One exchange may be in several clusters.
        Used { sent: sent.fold(0, u32::saturating_add).min(account.exchanges), of: account.exchanges }
    }

    fn share(self) -> f64 {
        f64::from(self.sent) / f64::from(self.of.max(1))
    }
}

/// What shares of their requests accounts send to something: beta distributed.
#[derive(Clone, Copy, Debug)]
struct Shares {
    mean: f64,
    /// How much two requests of one account go together, as a correlation.
    alike: f64,
}

impl Shares {
    /// From accounts of two requests or more, each with a weight: by the mean share and how much likelier two requests of one account are
    /// both such than requests of two accounts.
    fn of(used: &[(Used, f64)]) -> Option<Shares> {
        let (mut weights, mut mean, mut pairs) = (0.0, 0.0, 0.0);
        for &(used, weight) in used.iter().filter(|(used, _)| used.of >= 2) {
            let (sent, of) = (f64::from(used.sent), f64::from(used.of));
            weights += weight;
            mean += weight * sent / of;
            pairs += weight * sent * (sent - 1.0) / (of * (of - 1.0));
        }
        if weights <= 0.0 {
            return None;
        }
        let (mean, pairs) = (mean / weights, pairs / weights);
        let spread = mean * (1.0 - mean);
        let alike = if spread > 0.0 { (pairs - mean * mean) / spread } else { 0.0 };
        Some(Shares { mean: mean.clamp(MEAN.0, MEAN.1), alike: alike.clamp(ALIKE.0, ALIKE.1) })
    }

    /// ln of the chance that just these of an account's requests are such, and the rest are not.
    fn ln_chance(self, used: Used) -> f64 {
        let weight = (1.0 - self.alike) / self.alike;
        let (alpha, beta) = (self.mean * weight, (1.0 - self.mean) * weight);
        let ln_beta = |a: f64, b: f64| libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
        let (sent, others) = (f64::from(used.sent), f64::from(used.of - used.sent));
        ln_beta(alpha + sent, beta + others) - ln_beta(alpha, beta)
    }
}

/// Any share is as likely as any other.
const ANY: Shares = Shares { mean: 0.5, alike: 1.0 / 3.0 };
/// The odds that an account which sends a campaign's text, and more often than by chance, uses it for a purpose of its own: before use was
/// compared, of 18,856 accounts that were named in simulated worlds 25 were honest.
const OTHER_USE: f64 = 1e-3;
/// The share of a group of accounts that are strangers, to tell what is usual in it.
const STRANGERS: f64 = 1.0 - IN_POOL;
/// Where more than this share of a group is unlike the others, they are no strangers among them.
const UNLIKE_MAX: f64 = 0.125;
/// Rounds in which what is usual settles.
const ROUNDS: usize = 6;
/// So many members send what counts as common, at least,
const SENDERS_MIN: u32 = 3;
/// in so large a share of their requests,
const SHARE_MIN: f64 = 0.05;
/// which is so many times that of others.
const RARER: f64 = 4.0;
/// Accounts of two requests or more, to tell what shares are usual.
const ACCOUNTS_MIN: usize = 8;
/// A mean share lies between these: nobody is taken to send it never, or nothing else.
const MEAN: (f64, f64) = (1e-3, 0.98);
/// How much two requests of one account go together lies between these.
const ALIKE: (f64, f64) = (0.02, 0.98);

#[cfg(test)]
mod tests {
    use exchange::Time;
    use findings::Discovery;

    use super::*;
    use crate::group;
    use crate::state::account::Tally;

    /// The probabilities of accounts that sent so many of so many requests to a cluster, after each had a probability of nearly one.
    fn weighed(used: &[(u32, u32)]) -> Vec<f64> {
        let mut state = State::default();
        let text = state.begin_cluster(Cluster::new(Time::from_seconds(0))).unwrap();
        let pool = state.begin_cluster(Cluster::without_skeleton(Discovery::Infrastructure, Time::MIN)).unwrap();
        for (n, &(sent, of)) in used.iter().enumerate() {
            let number = state.accounts.number(&format!("a{n}")).unwrap();
            let account = state.accounts.get_mut(number).unwrap();
            account.exchanges = of;
            state.exchanges += u64::from(of);
            for cluster in [text, pool] {
                let mut tally = Tally::new(cluster, Time::from_seconds(0), 1);
                tally.exchanges = if cluster == text { sent } else { of };
                account.tallies.extend((tally.exchanges > 0).then_some(tally));
            }
        }
        state.clusters[text as usize].exchanges = used.iter().map(|used| used.0).sum();
        // As many requests of others, none of which is such.
        state.exchanges *= 2;
        let all: Vec<u32> = (0..used.len() as u32).collect();
        [text, pool].into_iter().for_each(|cluster| state.clusters[cluster as usize].members.clone_from(&all));
        let weighed = |number: u32| {
            let cluster = state.cluster(number).unwrap();
            let mut members = group::members(number, cluster, &state.accounts, 1e-3);
            members.iter_mut().for_each(|member| member.probability = member.probability.max(0.98));
            weigh(&mut members, cluster, &state);
            members.iter().map(|member| member.probability).collect::<Vec<_>>()
        };
        let (by_text, by_pool) = (weighed(text), weighed(pool));
        by_text.into_iter().zip(by_pool).map(|(text, pool)| text.max(pool)).collect()
    }

    #[test]
    fn an_account_whose_use_is_unlike_that_of_the_others_is_doubted() {
        let run = |share: u32| (0..40).map(move |n| (share + n % 2, 30));
        // Nearly all of what the others send, or nearly nothing.
        for (others, odd) in [(28, (25, 260)), (28, (4, 45)), (3, (200, 260))] {
            let weighed = weighed(&run(others).chain([odd]).collect::<Vec<_>>());
            assert!(weighed[40] < 0.5, "{odd:?} among {others} of 30: {}", weighed[40]);
            assert!(weighed[..40].iter().all(|&probability| probability > 0.95), "{others}: {weighed:?}");
        }
    }

    #[test]
    fn several_who_are_unlike_the_others_do_not_hide_each_other() {
        let used: Vec<(u32, u32)> = (0..40).map(|_| (30, 30)).chain([(1, 28), (55, 260), (9, 90)]).collect();
        let weighed = weighed(&used);
        assert!(weighed[40..].iter().all(|&probability| probability < 0.5), "{:?}", &weighed[40..]);
        assert!(weighed[..40].iter().all(|&probability| probability > 0.95));
    }

    #[test]
    fn a_group_whose_accounts_differ_or_are_few_doubts_nobody() {
        let differ: Vec<(u32, u32)> = (0..40).map(|n| (3 + 27 * (n % 2), 30)).chain([(25, 260)]).collect();
        let few: Vec<(u32, u32)> = (2..ACCOUNTS_MIN).map(|_| (30, 30)).chain([(25, 260)]).collect();
        for used in [differ, few] {
            assert!(weighed(&used).iter().all(|&probability| probability > 0.9), "{used:?}");
        }
        // Three of 31 are few, and four of 32 are a habit.
        for (odd, doubted) in [(3, true), (4, false)] {
            let used: Vec<(u32, u32)> = (0..28).map(|_| (30, 30)).chain((0..odd).map(|_| (25, 260))).collect();
            assert_eq!(weighed(&used).last().is_some_and(|&probability| probability < 0.5), doubted, "{odd}");
        }
        let enough: Vec<(u32, u32)> = (0..ACCOUNTS_MIN).map(|_| (30, 30)).chain([(25, 260)]).collect();
        assert!(weighed(&enough).last().is_some_and(|&probability| probability < 0.5));
    }

    #[test]
    fn what_a_group_of_accounts_has_in_common_is_rare_elsewhere() {
        let mut state = State::default();
        let text = state.begin_cluster(Cluster::new(Time::from_seconds(0))).unwrap();
        for n in 0..4 {
            let number = state.accounts.number(&format!("a{n}")).unwrap();
            let account = state.accounts.get_mut(number).unwrap();
            account.exchanges = 100;
            let mut tally = Tally::new(text, Time::from_seconds(0), 1);
            tally.exchanges = if n < 3 { 20 } else { 0 };
            account.tallies.push(tally);
        }
        let pool = Cluster::without_skeleton(Discovery::Infrastructure, Time::MIN);
        let pool = state.begin_cluster(pool).unwrap();
        state.clusters[pool as usize].members = vec![0, 1, 2, 3];
        for n in 0..4 {
            let mut tally = Tally::new(pool, Time::from_seconds(0), 1);
            tally.exchanges = 100;
            state.accounts.get_mut(n).unwrap().tallies.push(tally);
        }
        state.exchanges = 400 + 999;
        // The members' 15 in a hundred, and as many of others' as a quarter of that comes to, or more.
        for (others, known) in [(37, true), (38, false)] {
            state.clusters[text as usize].exchanges = 60 + others;
            let members = group::members(pool, state.cluster(pool).unwrap(), &state.accounts, 1e-3);
            assert_eq!(common(&members, &state).0.contains(&text), known, "{others}");
        }
        // Two senders of four are too few.
        state.clusters[text as usize].exchanges = 60;
        state.accounts.get_mut(0).unwrap().tallies[0].exchanges = 0;
        let members = group::members(pool, state.cluster(pool).unwrap(), &state.accounts, 1e-3);
        assert!(common(&members, &state).0.is_empty());
    }
}
