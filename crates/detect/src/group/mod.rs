//! A group under test: the accounts that take part in a cluster, by payer, with what they did since τ.

pub(crate) mod closures;
pub(crate) mod depth;
pub(crate) mod membership;
pub(crate) mod sample;
pub(crate) mod usage;

use std::collections::{BTreeMap, BTreeSet};

use event::Hash;
use exchange::Time;

use crate::limits::CONTENDERS_MAX;
use crate::state::account::{Account, AccountNo, Accounts, Tally};
use crate::state::cluster::Cluster;
use depth::Depth;
use findings::Discovery;
use sample::{Sample, is_sampled};

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    /// Accounts, in the order in which they joined the cluster.
    pub accounts: Vec<AccountNo>,
    /// Payers, in the order of their first exchange.
    pub payers: Vec<Payer>,
    /// One in so many of the cluster's members is looked at, by number: a power of two, 1 where all are.
    pub one_in: u32,
    /// Accounts that send a good part of their requests to the cluster and are not counted as members: too few requests yet, or vouched
    /// for. They are no unrelated customers to compare the group with.
    pub near: Vec<AccountNo>,
}

/// One payer of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payer {
    /// Who it is.
    pub payer: Hash,
    /// Of its accounts the one that came first.
    pub account: AccountNo,
    /// Its exchanges in the cluster.
    pub exchanges: u64,
    /// What an even share of the group's exchanges since it entered would be, that of one payer however many accounts it has.
    pub share: f64,
    /// The first of them.
    pub first: Time,
}

/// An account that may belong to a cluster's group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member<'a> {
    /// Its number.
    pub number: AccountNo,
    /// The account.
    pub account: &'a Account,
    /// How it takes part.
    pub tally: &'a Tally,
    /// How likely it takes part on purpose.
    pub probability: f64,
}

/// The accounts that touched a cluster, neither a contract nor a person vouches for and whose requests show as much of it as is usual among
/// those more likely in it than not.
#[must_use]
pub(crate) fn members<'a>(number: u32, cluster: &Cluster, accounts: &'a Accounts, p0: f64) -> Vec<Member<'a>> {
    sampled(number, cluster, accounts, p0, 1)
}

/// The same of one account in so many.
fn sampled<'a>(number: u32, cluster: &Cluster, accounts: &'a Accounts, p0: f64, one_in: u32) -> Vec<Member<'a>> {
    // A member whose tally was replaced and taken up again is listed twice until the next look.
    let mut numbers: Vec<AccountNo> = cluster.members.iter().copied().filter(|&no| is_sampled(no, one_in)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut members: Vec<Member<'a>> = numbers
        .into_iter()
        .filter_map(|account_no| {
            let account = accounts.get(account_no).filter(|account| !account.vetted)?;
            let tally = account.tally(number).filter(|tally| !tally.vouched)?;
            Some(Member { number: account_no, account, tally, probability: IN_POOL })
        })
        .collect();
    if cluster.discovery == Discovery::SignUp {
        // Who signed up at the usual rate cannot be told from the others.
        members.iter_mut().for_each(|member| member.probability = (1.0 - p0).min(IN_POOL));
    } else if cluster.discovery != Discovery::Infrastructure {
        let mut likelihood = membership::likelihood(p0);
        let lns: Vec<f64> = members.iter().map(|member| likelihood(member.account, member.tally)).collect();
        let odds = membership::prior_odds(&lns);
        members.iter_mut().zip(lns).for_each(|(member, ln)| member.probability = membership::posterior(odds, ln));
    }
    let sure = members.iter().filter(|member| member.probability >= 0.5).map(|member| member.tally);
    if let Some(depth) = Depth::usual(sure) {
        members.retain(|member| depth.fits(member.tally));
    }
    if cluster.discovery == Discovery::Variants {
        leave_out_occasional(&mut members);
    }
    members
}

/// Leaves out who sends much less of it than half of the members do: of many templates a stranger uses one phrase or another
/// now and then.
fn leave_out_occasional(members: &mut Vec<Member<'_>>) {
    let share = |member: &Member<'_>| f64::from(member.tally.exchanges) / f64::from(member.account.exchanges.max(1));
    let mut shares: Vec<f64> = members.iter().filter(|member| member.probability >= 0.5).map(share).collect();
    shares.sort_by(f64::total_cmp);
    let Some(&usual) = shares.get(shares.len() / 2) else { return };
    members.retain(|member| share(member) * OCCASIONAL_TIMES >= usual);
}

/// Of groups that share accounts the one with most evidence, strongest first, at most [`CONTENDERS_MAX`]. Each has its evidence and
/// its accounts.
#[must_use]
pub(crate) fn distinct(mut groups: Vec<(f64, Sample)>) -> Vec<(f64, Sample)> {
    groups.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut distinct: Vec<(f64, Sample)> = Vec::new();
    for (evidence, accounts) in groups {
        if distinct.len() < CONTENDERS_MAX && distinct.iter().all(|(_, other)| !other.overlaps(&accounts)) {
            distinct.push((evidence, accounts));
        }
    }
    distinct
}

impl Group {
    /// The members of a cluster that are more likely in it on purpose than by chance and for whom no contract vouches: one in so many of
    /// them.
    #[must_use]
    pub(crate) fn of(number: u32, cluster: &Cluster, accounts: &Accounts, p0: f64, one_in: u32) -> Group {
        let exposure = cluster.trial.as_ref().map_or(0.0, |trial| trial.exposure);
        let mut payers: BTreeMap<Hash, Payer> = BTreeMap::new();
        let mut members = Vec::new();
        for member in sampled(number, cluster, accounts, p0, one_in) {
            let (account, tally) = (member.account, member.tally);
            if !tally.entered {
                continue;
            }
            let (exchanges, first) = (tally.after, tally.first_after);
            members.push(member.number);
            let new = Payer { payer: account.payer, account: member.number, exchanges: 0, share: 0.0, first };
            let payer = payers.entry(account.payer).or_insert(new);
            payer.share = payer.share.max(exposure - f64::from(tally.exposure));
            payer.exchanges += u64::from(exchanges);
            payer.first = payer.first.min(first);
            let known = accounts.get(payer.account);
            if known.is_some_and(|known| (account.first, &account.id) < (known.first, &known.id)) {
                payer.account = member.number;
            }
        }
        let mut payers: Vec<Payer> = payers.into_values().collect();
        payers.sort_by_key(|payer| (payer.first, payer.exchanges));
        let known: BTreeSet<AccountNo> = members.iter().copied().collect();
        let devoted = |account: &AccountNo| {
            let account = accounts.get(*account)?;
            Some(membership::is_devoted(account, account.tally(number)?))
        };
        let near = cluster.members.iter().copied().filter(|&account| is_sampled(account, one_in));
        let near = near.filter(|account| !known.contains(account) && devoted(account) == Some(true)).collect();
        Group { accounts: members, payers, one_in, near }
    }

    /// The same group without some of its accounts. Payers go with their accounts.
    #[must_use]
    pub(crate) fn without(mut self, others: &BTreeSet<AccountNo>, accounts: &Accounts) -> Group {
        let payer = |number: &AccountNo| accounts.get(*number).map(|account| account.payer);
        let gone: BTreeSet<Hash> =
            self.accounts.iter().filter(|number| others.contains(number)).filter_map(payer).collect();
        self.accounts.retain(|number| !others.contains(number));
        self.payers.retain(|member| !gone.contains(&member.payer));
        self
    }

    /// Of each payer the account that came first.
    #[must_use]
    pub(crate) fn one_a_payer<'a>(&self, accounts: &'a Accounts) -> Vec<&'a Account> {
        self.payers.iter().filter_map(|payer| accounts.get(payer.account)).collect()
    }

    /// Who is in it, to compare with other groups.
    #[must_use]
    pub(crate) fn who(&self) -> Sample {
        Sample::new(self.accounts.clone(), self.one_in)
    }

    /// Its accounts.
    pub(crate) fn iter<'a>(&'a self, accounts: &'a Accounts) -> impl Iterator<Item = &'a Account> {
        self.accounts.iter().filter_map(|&number| accounts.get(number))
    }
}

/// Who sends this many times less of a group's templates than usual is no member.
const OCCASIONAL_TIMES: f64 = 4.0;
/// The probability that an account takes part that shares two rare values with others of the pool: of 1,109 in simulated campaigns 987 in a
/// thousand did; a value can be shared by chance.
const IN_POOL: f64 = 0.98;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::trial::Trial;

    #[test]
    fn a_payer_has_one_share_however_many_accounts_and_stands_for_them_by_the_first() {
        let mut accounts = Accounts::default();
        for (id, org, first) in [("a", None, 5), ("b", Some("firm"), 9), ("c", Some("firm"), 3), ("d", Some("firm"), 4)]
        {
            let number = accounts.number(id).unwrap();
            let account = accounts.get_mut(number).unwrap();
            account.payer = org.map_or(account.payer, Hash::of);
            (account.first, account.exchanges) = (Time::from_seconds(first), 10);
            let mut tally = Tally::new(0, account.first, 0);
            (tally.exchanges, tally.entered, tally.after, tally.exposure) = (10, true, 9, number as f32);
            account.tallies.push(tally);
        }
        let mut cluster = Cluster::without_skeleton(Discovery::Infrastructure, Time::from_seconds(0));
        let mut trial = Trial::freeze(1, Time::from_seconds(0), cluster.frozen(), 1e-3);
        trial.exposure = 9.0;
        (cluster.trial, cluster.members) = (Some(Box::new(trial)), vec![0, 1, 2, 3]);
        let group = Group::of(0, &cluster, &accounts, 1e-3, 1);
        let payers: Vec<_> = group.payers.iter().map(|payer| (payer.account, payer.exchanges, payer.share)).collect();
        assert_eq!(payers, [(2, 27, 8.0), (0, 9, 9.0)]);
        assert_eq!(group.one_a_payer(&accounts).iter().map(|account| &*account.id).collect::<Vec<_>>(), ["c", "a"]);
    }

    #[test]
    fn one_campaign_in_many_groups_is_one() {
        let group = |evidence, accounts: &[AccountNo]| (evidence, Sample::new(accounts.to_vec(), 1));
        let (weak, strong) = (group(3.0, &[1, 2, 3]), group(4.0, &[1, 2]));
        let others = [group(2.0, &[7, 8]), group(1.0, &[3, 9, 10, 11])];
        let kept = [std::slice::from_ref(&strong), others.as_slice()].concat();
        assert_eq!(distinct([&[weak, strong], others.as_slice()].concat()), kept);
    }

    #[test]
    fn distinct_groups_are_counted_up_to_the_limit() {
        for (given, kept) in [(CONTENDERS_MAX, CONTENDERS_MAX), (CONTENDERS_MAX + 1, CONTENDERS_MAX)] {
            assert_eq!(
                distinct((0..given as u32).map(|account| (1.0, Sample::new(vec![account], 1))).collect()).len(),
                kept
            );
        }
    }
}
