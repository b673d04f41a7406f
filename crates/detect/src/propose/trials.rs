//! Proposals that become trials: texts that enough payers are devoted to, groups by infrastructure, cohorts, variants of one template.

use std::collections::{BTreeMap, BTreeSet};

use event::{Hash, Signals};
use exchange::Time;
use findings::Discovery;

use crate::group::membership;
use crate::limits::GROUPS_MAX;
use crate::propose::cohorts::Cohort;
use crate::propose::text::Hits;
use crate::propose::{cohorts, pools, variants};
use crate::state::account::{Account, AccountNo, SESSION_SECONDS};
use crate::state::cluster::Cluster;
use crate::state::trial::Trial;
use crate::state::{Seen, State};

impl State {
    /// Counts an exchange for a cluster it matches.
    pub(crate) fn count_for(&mut self, hits: Hits, signals: &Signals, seen: Seen, item: u64, vouched: bool) {
        let room = self.has_room_for_likeness();
        let number = seen.account;
        let Some(cluster) = self.clusters.get_mut(hits.cluster as usize).filter(|cluster| !cluster.gone) else {
            return;
        };
        if let Some(change) = cluster.count(signals, hits.core, number) {
            self.exhibits.changed(hits.cluster, change);
        }
        let matches = cluster.trial.as_ref().is_some_and(|trial| hits.frozen >= trial.needed);
        let followed =
            |cluster: u32| self.clusters.get(cluster as usize).is_some_and(|cluster| cluster.trial.is_some());
        let Some(account) = self.accounts.get_mut(number) else { return };
        let (payer, before, total, vetted) = (account.payer, account.before, account.exchanges, account.vetted);
        let (Some(tally), new) = account.tally_mut(hits.cluster, signals.time, followed) else { return };
        let begins = self.first.is_none_or(|first| signals.time.seconds_since(first) <= SESSION_SECONDS as f64);
        let session = begins || new || signals.time.seconds_since(tally.last) > SESSION_SECONDS as f64;
        tally.count(signals.time, before, hits.core, matches && !vouched);
        tally.spend(signals);
        tally.vouched = vouched;
        let Some(cluster) = self.clusters.get_mut(hits.cluster as usize) else { return };
        if new && cluster.members.last() != Some(&number) {
            cluster.members.push(number);
        }
        let Some(trial) = cluster.trial.as_deref_mut().filter(|_| matches) else { return };
        trial.matched = trial.matched.saturating_add(1);
        if vetted || vouched {
            return;
        }
        if tally.entered {
            trial.count(payer, item, signals, seen.echo);
            if session {
                self.followed += usize::from(trial.likeness.count(payer, signals, room));
            }
        } else if membership::enters(tally.exchanges, total, trial.p0) {
            // What made it a member does not count.
            tally.enter(total, trial.exposure);
            trial.entered = trial.entered.saturating_add(1);
        }
    }

    /// Forgets the oldest examples where all of them take too much room.
    pub(crate) fn keep_room_for_exhibits(&mut self) {
        while let Some(number) = self.exhibits.next_to_go() {
            let Some(cluster) = self.clusters.get_mut(number as usize) else { continue };
            let is_found = cluster.trial.as_ref().is_some_and(|trial| trial.detected_at.is_some());
            if !is_found && !cluster.samples.is_empty() {
                let oldest = cluster.samples.remove(0);
                self.exhibits.forget(&[oldest]);
            }
        }
    }

    /// Counts anew whose likeness is followed: groups end, and with them that.
    pub(crate) fn count_followed(&mut self) {
        let trials = self.clusters.iter().filter_map(|cluster| cluster.trial.as_deref());
        self.followed = trials.map(|trial| trial.likeness.followed()).sum();
    }

    /// Follows groups that are densely joined by rare infrastructure: a new one is a trial from now on, one that is
    /// followed already takes in those who joined.
    pub(crate) fn follow_pools(&mut self, now: Time) {
        for accounts in pools::groups(&self.accounts, &self.values) {
            let known = self.mostly_in(&accounts, |account| account.pool);
            let Some(pool) = known.or_else(|| self.begin_group(Discovery::Infrastructure, now)) else { continue };
            for number in accounts {
                self.join(number, pool, |account| &mut account.pool, now);
            }
        }
    }

    /// Follows groups that signed up in one burst, likewise. Whoever is seen to have signed up in another, or in none since more is known
    /// of the time around, is of the group no longer.
    pub(crate) fn follow_cohorts(&mut self, now: Time) {
        self.bursts.clear();
        let mut followed: BTreeMap<u32, BTreeSet<AccountNo>> = BTreeMap::new();
        for Cohort { burst, accounts, chance } in cohorts::groups(&self.accounts, now) {
            let known = self.mostly_in(&accounts, |account| account.cohort);
            let known = known.filter(|known| !followed.contains_key(known));
            let Some(cohort) = known.or_else(|| self.begin_group(Discovery::SignUp, now)) else { continue };
            let trial = self.clusters.get_mut(cohort as usize).and_then(|cluster| cluster.trial.as_deref_mut());
            trial.into_iter().for_each(|trial| trial.p0 = chance);
            self.bursts.push((burst, cohort));
            followed.insert(cohort, accounts.into_iter().collect());
        }
        for (&cohort, accounts) in &followed {
            self.keep_in_cohort(cohort, accounts);
        }
        for (&cohort, accounts) in &followed {
            for &number in accounts {
                self.join(number, cohort, |account| &mut account.cohort, now);
            }
        }
        let cohorts =
            self.clusters.iter_mut().filter(|cluster| cluster.discovery == Discovery::SignUp && !cluster.gone);
        for cohort in cohorts.filter(|cohort| cohort.members.is_empty()) {
            (cohort.gone, cohort.trial) = (true, None);
            self.cohorts = self.cohorts.saturating_sub(1);
        }
    }

    /// Takes all other accounts out of a cohort.
    fn keep_in_cohort(&mut self, cohort: u32, kept: &BTreeSet<AccountNo>) {
        let Some(cluster) = self.clusters.get_mut(cohort as usize) else { return };
        let (stay, leave) = std::mem::take(&mut cluster.members).into_iter().partition(|number| kept.contains(number));
        cluster.members = stay;
        let leave: Vec<AccountNo> = leave;
        for number in leave {
            let Some(account) = self.accounts.get_mut(number) else { continue };
            account.cohort = None;
            account.tallies.retain(|tally| tally.cluster != cohort);
        }
    }

    /// The group that most of these accounts are in, or that is mostly of these.
    fn mostly_in(&self, accounts: &[AccountNo], group: fn(&Account) -> Option<u32>) -> Option<u32> {
        let mut known: BTreeMap<u32, usize> = BTreeMap::new();
        for group in accounts.iter().filter_map(|&number| group(self.accounts.get(number)?)) {
            *known.entry(group).or_default() += 1;
        }
        let (group, members) = known.into_iter().max_by_key(|&(group, members)| (members, std::cmp::Reverse(group)))?;
        let all = self.cluster(group).map_or(0, |cluster| cluster.members.len());
        (members * 2 > accounts.len() || members * 2 > all).then_some(group)
    }

    /// A new group of accounts that were found in one of these ways; none where as many as can be are followed.
    fn begin_group(&mut self, discovery: Discovery, now: Time) -> Option<u32> {
        if *self.of_accounts(discovery) >= GROUPS_MAX {
            return None;
        }
        let group = self.suppose(discovery, now)?;
        *self.of_accounts(discovery) += 1;
        Some(group)
    }

    /// How many groups of accounts are followed that were found in this way.
    fn of_accounts(&mut self, discovery: Discovery) -> &mut usize {
        if discovery == Discovery::SignUp { &mut self.cohorts } else { &mut self.pools }
    }

    /// A trial about a group that has no skeleton.
    fn suppose(&mut self, discovery: Discovery, now: Time) -> Option<u32> {
        let mut cluster = Cluster::without_skeleton(discovery, now);
        // Who is in such a group is decided by other things than by what they send.
        self.trials += 1;
        let trial = Trial::freeze(self.trials, now, cluster.frozen(), CHANCE_OF_A_GROUP);
        cluster.trial = Some(Box::new(trial));
        self.begin_cluster(cluster)
    }

    /// Follows groups of clusters that the same accounts send. One that has mostly the same clusters as before takes in those
    /// that are new; one that is made up anew is a new trial in place of the old.
    pub(crate) fn follow_variants(&mut self, now: Time) {
        let mut before: BTreeMap<u32, usize> = BTreeMap::new();
        for group in self.clusters.iter().filter_map(|cluster| cluster.variant_of) {
            *before.entry(group).or_default() += 1;
        }
        for clusters in variants::groups(&self.clusters, &self.accounts, &self.meaning) {
            let mut known: BTreeMap<u32, usize> = BTreeMap::new();
            for group in clusters.iter().filter_map(|&number| self.cluster(number)?.variant_of) {
                *known.entry(group).or_default() += 1;
            }
            let known = known.into_iter().max_by_key(|&(group, clusters)| (clusters, std::cmp::Reverse(group)));
            let same = known.filter(|&(group, common)| {
                let detected = self.cluster(group).and_then(|group| group.trial.as_ref()?.detected_at).is_some();
                detected || common * 3 >= before.get(&group).copied().unwrap_or(0) * 2 && common * 2 >= clusters.len()
            });
            let group = match same {
                Some((group, _)) => group,
                None => {
                    self.dissolve(&clusters);
                    match self.suppose(Discovery::Variants, now) {
                        Some(group) => group,
                        None => continue,
                    }
                }
            };
            for number in clusters {
                self.join_variants(number, group, now);
            }
        }
    }

    /// Gives up the groups of variants that any of `clusters` is in, but for those that were detected.
    fn dissolve(&mut self, clusters: &[u32]) {
        let of: BTreeSet<u32> = clusters.iter().filter_map(|&number| self.cluster(number)?.variant_of).collect();
        for number in of {
            let Some(group) = self.clusters.get_mut(number as usize) else { continue };
            if group.trial.as_ref().is_some_and(|trial| trial.detected_at.is_some()) {
                continue;
            }
            group.trial = None;
            self.clusters
                .iter_mut()
                .filter(|cluster| cluster.variant_of == Some(number))
                .for_each(|cluster| cluster.variant_of = None);
        }
    }

    /// Puts a cluster into a group of variants, with what its accounts sent of it so far.
    fn join_variants(&mut self, number: u32, group: u32, now: Time) {
        let Some(cluster) = self.clusters.get_mut(number as usize).filter(|cluster| cluster.variant_of.is_none())
        else {
            return;
        };
        cluster.variant_of = Some(group);
        let members = std::mem::take(&mut cluster.members);
        let exposure = self.exposure(group);
        let followed =
            |cluster: u32| self.clusters.get(cluster as usize).is_some_and(|cluster| cluster.trial.is_some());
        let mut joined = Vec::new();
        for &member in &members {
            let Some(account) = self.accounts.get_mut(member) else { continue };
            let Some(sent) = account.tally(number).copied() else { continue };
            let total = account.exchanges;
            let (Some(tally), new) = account.tally_mut(group, now, followed) else { continue };
            if new {
                tally.enter(total, exposure);
                joined.push(member);
            }
            // Some exchanges are in several of the clusters, so this is a bound.
            tally.exchanges = (tally.exchanges + sent.exchanges).min(total);
            tally.input_tokens = tally.input_tokens.saturating_add(sent.input_tokens);
            tally.output_tokens = tally.output_tokens.saturating_add(sent.output_tokens);
            // A tally begins and ends with exchanges, and not when the account was taken into the group.
            tally.first = tally.first.min(sent.first);
            tally.last = if new { sent.last } else { tally.last.max(sent.last) };
        }
        if let Some(cluster) = self.clusters.get_mut(number as usize) {
            cluster.members = members;
        }
        if let Some(variants) = self.clusters.get_mut(group as usize) {
            if let Some(trial) = variants.trial.as_deref_mut() {
                trial.entered = trial.entered.saturating_add(joined.len() as u32);
            }
            variants.members.append(&mut joined);
        }
    }

    /// Takes an account that came for the first time into the cohort that it signed up with.
    pub(crate) fn join_burst(&mut self, number: AccountNo, now: Time) {
        let Some(account) = self.accounts.get(number).filter(|account| !account.vetted) else { return };
        if let Some((_, cohort)) = self.bursts.iter().find(|(burst, _)| burst.has(account)) {
            let cohort = *cohort;
            self.join(number, cohort, |account| &mut account.cohort, now);
        }
    }

    /// Takes an account into a group that has no skeleton, unless it is in one of the kind.
    fn join(&mut self, number: AccountNo, group: u32, of: fn(&mut Account) -> &mut Option<u32>, now: Time) {
        let exposure = self.exposure(group);
        let Some(account) = self.accounts.get_mut(number) else { return };
        let place = of(account);
        if place.is_some() {
            return;
        }
        *place = Some(group);
        let total = account.exchanges;
        if let (Some(tally), true) = account.tally_mut(group, now, |_| false) {
            tally.enter(total, exposure);
        }
        if let Some(cluster) = self.clusters.get_mut(group as usize) {
            cluster.members.push(number);
            if let Some(trial) = cluster.trial.as_deref_mut() {
                trial.entered = trial.entered.saturating_add(1);
            }
        }
    }

    /// Makes a trial of a cluster that enough payers are devoted to.
    pub(crate) fn freeze(&mut self, number: u32) {
        let Some(cluster) = self.clusters.get_mut(number as usize) else { return };
        let mut payers: Vec<Hash> = cluster
            .members
            .iter()
            .filter_map(|&account| self.accounts.get(account))
            .filter(|account| !account.vetted)
            .filter(|account| account.tally(number).is_some_and(|s| !s.vouched && membership::is_devoted(account, s)))
            .map(|account| account.payer)
            .collect();
        payers.sort_unstable();
        payers.dedup();
        if payers.len() < PAYERS_MIN {
            return;
        }
        let accounts = &self.accounts;
        let since_first = cluster.members.iter().filter_map(|&account| {
            let account = accounts.get(account)?;
            Some(u64::from(account.exchanges.saturating_sub(account.tally(number)?.began)))
        });
        let p0 = membership::chance(cluster.members.len() as u64, self.exchanges.saturating_sub(since_first.sum()));
        self.trials += 1;
        let mut trial = Trial::freeze(self.trials, cluster.last, cluster.frozen(), p0);
        for &account in &cluster.members {
            let Some(account) = self.accounts.get_mut(account) else { continue };
            let (total, vetted) = (account.exchanges, account.vetted);
            let Some(tally) = account.tallies.iter_mut().find(|tally| tally.cluster == number) else { continue };
            tally.leave();
            if !vetted && !tally.vouched && membership::enters(tally.exchanges, total, p0) {
                tally.enter(total, 0.0);
                trial.entered = trial.entered.saturating_add(1);
            }
        }
        cluster.trial = Some(Box::new(trial));
    }

    /// What an even share of a group's exchanges since τ has come to.
    fn exposure(&self, number: u32) -> f64 {
        self.cluster(number).and_then(|cluster| cluster.trial.as_ref()).map_or(0.0, |trial| trial.exposure)
    }
}

/// Payers devoted to a cluster before it is worth a trial.
const PAYERS_MIN: usize = 6;
/// Stands where membership is not decided by how often somebody sends a text.
const CHANCE_OF_A_GROUP: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SAMPLES_MAX;
    use crate::state::exhibit::{Exhibit, Exhibits};
    use crate::state::trial::Frozen;

    /// An exchange whose id has as many letters as that of any other.
    fn signals(number: u32) -> Signals {
        let text = format!(
            r#"{{"time":1,"id":"e{number:03}","account":"a","request":{{"messages":[{{"role":"user","content":"{ASKED}"}}]}}}}"#
        );
        let mut read = None;
        let mut sink = |exchange: exchange::Exchange<'_>| read = Some(signals::of(&exchange));
        exchange::read_exchanges(&text, &mut exchange::Notes::default(), &mut sink).unwrap();
        read.unwrap()
    }

    const ASKED: &str = "what is asked";

    /// The accounts of the examples of two clusters, of which the second was found, after `counted` exchanges of each and with room for so
    /// many examples.
    fn kept(counted: u32, room: usize) -> [Vec<AccountNo>; 2] {
        let time = Time::from_seconds(1);
        let found = Trial { detected_at: Some(time), ..Trial::freeze(1, time, Frozen::default(), 0.0) };
        let mut clusters = vec![Cluster::new(time), Cluster::new(time)];
        clusters[1].trial = Some(Box::new(found));
        let mut state = State {
            clusters,
            exhibits: Exhibits::limited((size_of::<Exhibit>() + "e000".len() + ASKED.len()) * room),
            ..State::default()
        };
        for number in 0..counted {
            for (place, cluster) in state.clusters.iter_mut().enumerate() {
                if let Some(change) = cluster.count(&signals(number), 0, number) {
                    state.exhibits.changed(place as u32, change);
                }
            }
            state.keep_room_for_exhibits();
        }
        [0, 1].map(|place: usize| state.clusters[place].samples.iter().map(|sample| sample.account).collect())
    }

    #[test]
    fn beyond_their_limit_the_oldest_examples_go_but_for_those_of_what_was_found() {
        assert_eq!(kept(3, 6), [vec![0, 1, 2], vec![0, 1, 2]], "at the limit");
        assert_eq!(kept(4, 7), [vec![1, 2, 3], vec![0, 1, 2, 3]], "one more");
        assert_eq!(kept(5, 3), [vec![], vec![0, 1, 2, 3, 4]], "room for fewer than what was found");
        assert_eq!(kept(SAMPLES_MAX as u32, 100)[0].len(), SAMPLES_MAX);
    }
}
