//! Proposals that become trials: texts that enough payers are devoted to, groups by infrastructure, variants of one template.

use std::collections::{BTreeMap, BTreeSet};

use exchange::Time;
use findings::Discovery;
use signals::{Hash, Signals};

use crate::group::membership;
use crate::limits::{FAMILIES_MAX, GROUPS_MAX};
use crate::propose::text::Hits;
use crate::propose::{pools, variants};
use crate::state::account::{AccountNo, SESSION_SECONDS};
use crate::state::cluster::Family;
use crate::state::trial::Hypothesis;
use crate::state::{Seen, State};

impl State {
    /// Counts an exchange for a family it matches.
    pub fn count_for(&mut self, hits: Hits, signals: &Signals, seen: Seen, item: u64, covered: bool) {
        let number = seen.account;
        let Some(family) = self.families.get_mut(hits.family as usize) else { return };
        family.count(signals, hits.core, number);
        let matches = family.hypothesis.as_ref().is_some_and(|hypothesis| hits.frozen >= hypothesis.needed);
        let followed = |family: u32| self.families.get(family as usize).is_some_and(|f| f.hypothesis.is_some());
        let Some(account) = self.accounts.get_mut(number) else { return };
        let (payer, before, total, vetted) = (account.payer, account.before, account.exchanges, account.vetted);
        let (Some(stride), new) = account.stride_mut(hits.family, signals.time, followed) else { return };
        let begins = self.first.is_none_or(|first| signals.time.seconds_since(first) <= SESSION_SECONDS as f64);
        let session = begins || new || signals.time.seconds_since(stride.last) > SESSION_SECONDS as f64;
        stride.count(signals.time, before, hits.core, matches && !covered);
        stride.spend(signals);
        stride.covered = covered;
        let Some(family) = self.families.get_mut(hits.family as usize) else { return };
        if new && family.members.last() != Some(&number) {
            family.members.push(number);
        }
        let Some(hypothesis) = family.hypothesis.as_deref_mut().filter(|_| matches) else { return };
        hypothesis.matched = hypothesis.matched.saturating_add(1);
        if vetted || covered {
            return;
        }
        if stride.entered {
            hypothesis.count(payer, item, signals, seen.echo);
            if session {
                hypothesis.likeness.count(number, signals);
            }
        } else if membership::probability(stride.exchanges, total, hypothesis.p0) >= 0.5 {
            // What made it a member does not count.
            stride.enter(total, hypothesis.exposure);
            hypothesis.entered = hypothesis.entered.saturating_add(1);
        }
    }

    /// Follows groups that are densely joined by rare infrastructure: a new one is a hypothesis from now on, one that is
    /// followed already takes in those who joined.
    pub fn follow_pools(&mut self, now: Time) {
        for accounts in pools::groups(&self.accounts, &self.values) {
            let mut known: BTreeMap<u32, usize> = BTreeMap::new();
            for pool in accounts.iter().filter_map(|&number| self.accounts.get(number)?.pool) {
                *known.entry(pool).or_default() += 1;
            }
            let known = known.into_iter().max_by_key(|&(pool, members)| (members, std::cmp::Reverse(pool)));
            let pool = match known {
                Some((pool, members)) if members * 2 > accounts.len() || members * 2 > self.pool_len(pool) => pool,
                _ if self.pools >= GROUPS_MAX || self.families.len() >= FAMILIES_MAX => continue,
                _ => {
                    self.pools += 1;
                    self.suppose(Discovery::Infrastructure, now)
                }
            };
            for number in accounts {
                self.join_pool(number, pool, now);
            }
        }
    }

    /// A hypothesis about a group that has no skeleton.
    fn suppose(&mut self, discovery: Discovery, now: Time) -> u32 {
        let mut family = Family::without_skeleton(discovery, now);
        // Who is in such a group is decided by other things than by what they send.
        self.trials += 1;
        let hypothesis = Hypothesis::freeze(self.trials, now, family.frozen(), CHANCE_OF_A_GROUP);
        family.hypothesis = Some(Box::new(hypothesis));
        self.families.push(family);
        (self.families.len() - 1) as u32
    }

    /// Follows groups of families that the same accounts send. One that has mostly the same families as before takes in those
    /// that are new; one that is made up anew is a new hypothesis in place of the old.
    pub fn follow_kin(&mut self, now: Time) {
        let mut before: BTreeMap<u32, usize> = BTreeMap::new();
        for kin in self.families.iter().filter_map(|family| family.kin) {
            *before.entry(kin).or_default() += 1;
        }
        for families in variants::groups(&self.families, &self.accounts, &self.meaning) {
            let mut known: BTreeMap<u32, usize> = BTreeMap::new();
            for kin in families.iter().filter_map(|&number| self.family(number)?.kin) {
                *known.entry(kin).or_default() += 1;
            }
            let known = known.into_iter().max_by_key(|&(kin, families)| (families, std::cmp::Reverse(kin)));
            let same = known.filter(|&(kin, common)| {
                let detected = self.family(kin).and_then(|kin| kin.hypothesis.as_ref()?.detected_at).is_some();
                detected || common * 3 >= before.get(&kin).copied().unwrap_or(0) * 2 && common * 2 >= families.len()
            });
            let kin = match same {
                Some((kin, _)) => kin,
                None if self.families.len() >= FAMILIES_MAX => continue,
                None => {
                    self.dissolve(&families);
                    self.suppose(Discovery::Kin, now)
                }
            };
            for number in families {
                self.join_kin(number, kin, now);
            }
        }
    }

    /// Gives up the groups of kin that any of `families` is in, but for those that were detected.
    fn dissolve(&mut self, families: &[u32]) {
        let of: BTreeSet<u32> = families.iter().filter_map(|&number| self.family(number)?.kin).collect();
        for kin in of {
            let Some(group) = self.families.get_mut(kin as usize) else { continue };
            if group.hypothesis.as_ref().is_some_and(|hypothesis| hypothesis.detected_at.is_some()) {
                continue;
            }
            group.hypothesis = None;
            self.families.iter_mut().filter(|family| family.kin == Some(kin)).for_each(|family| family.kin = None);
        }
    }

    /// Puts a family into a group of kin, with what its accounts sent of it so far.
    fn join_kin(&mut self, number: u32, kin: u32, now: Time) {
        let Some(family) = self.families.get_mut(number as usize).filter(|family| family.kin.is_none()) else { return };
        family.kin = Some(kin);
        let members = std::mem::take(&mut family.members);
        let exposure = self.exposure(kin);
        let followed = |family: u32| self.families.get(family as usize).is_some_and(|f| f.hypothesis.is_some());
        let mut joined = Vec::new();
        for &member in &members {
            let Some(account) = self.accounts.get_mut(member) else { continue };
            let Some(sent) = account.stride(number).copied() else { continue };
            let total = account.exchanges;
            let (Some(stride), new) = account.stride_mut(kin, now, followed) else { continue };
            if new {
                stride.enter(total, exposure);
                joined.push(member);
            }
            // Some exchanges are in several of the families, so this is a bound.
            stride.exchanges = (stride.exchanges + sent.exchanges).min(total);
            stride.input_tokens = stride.input_tokens.saturating_add(sent.input_tokens);
            stride.output_tokens = stride.output_tokens.saturating_add(sent.output_tokens);
            // A stride begins and ends with exchanges, and not when the account was taken into the group.
            stride.first = stride.first.min(sent.first);
            stride.last = if new { sent.last } else { stride.last.max(sent.last) };
        }
        if let Some(family) = self.families.get_mut(number as usize) {
            family.members = members;
        }
        if let Some(kin) = self.families.get_mut(kin as usize) {
            if let Some(hypothesis) = kin.hypothesis.as_deref_mut() {
                hypothesis.entered = hypothesis.entered.saturating_add(joined.len() as u32);
            }
            kin.members.append(&mut joined);
        }
    }

    fn join_pool(&mut self, number: AccountNo, pool: u32, now: Time) {
        let exposure = self.exposure(pool);
        let Some(account) = self.accounts.get_mut(number).filter(|account| account.pool.is_none()) else { return };
        account.pool = Some(pool);
        let total = account.exchanges;
        if let (Some(stride), true) = account.stride_mut(pool, now, |_| false) {
            stride.enter(total, exposure);
        }
        if let Some(family) = self.families.get_mut(pool as usize) {
            family.members.push(number);
            if let Some(hypothesis) = family.hypothesis.as_deref_mut() {
                hypothesis.entered = hypothesis.entered.saturating_add(1);
            }
        }
    }

    /// Makes a hypothesis of a family that enough payers are devoted to.
    pub fn freeze(&mut self, number: u32) {
        let Some(family) = self.families.get_mut(number as usize) else { return };
        let mut payers: Vec<Hash> = family
            .members
            .iter()
            .filter_map(|&account| self.accounts.get(account))
            .filter(|account| !account.vetted)
            .filter(|account| account.stride(number).is_some_and(|s| !s.covered && membership::is_devoted(account, s)))
            .map(|account| account.payer)
            .collect();
        payers.sort_unstable();
        payers.dedup();
        if payers.len() < PAYERS_MIN {
            return;
        }
        let accounts = &self.accounts;
        let since_first = family.members.iter().filter_map(|&account| {
            let account = accounts.get(account)?;
            Some(u64::from(account.exchanges.saturating_sub(account.stride(number)?.began)))
        });
        let p0 = membership::chance(family.members.len() as u64, self.exchanges.saturating_sub(since_first.sum()));
        self.trials += 1;
        let mut hypothesis = Hypothesis::freeze(self.trials, family.last, family.frozen(), p0);
        for &account in &family.members {
            let Some(account) = self.accounts.get_mut(account) else { continue };
            let (total, vetted) = (account.exchanges, account.vetted);
            let Some(stride) = account.strides.iter_mut().find(|stride| stride.family == number) else { continue };
            stride.leave();
            if !vetted && !stride.covered && membership::probability(stride.exchanges, total, p0) >= 0.5 {
                stride.enter(total, 0.0);
                hypothesis.entered = hypothesis.entered.saturating_add(1);
            }
        }
        family.hypothesis = Some(Box::new(hypothesis));
    }

    /// What an even share of a group's exchanges since τ has come to.
    fn exposure(&self, number: u32) -> f64 {
        self.family(number).and_then(|family| family.hypothesis.as_ref()).map_or(0.0, |hypothesis| hypothesis.exposure)
    }

    fn pool_len(&self, pool: u32) -> usize {
        self.family(pool).map_or(0, |family| family.members.len())
    }
}

/// Payers devoted to a family before it is worth a hypothesis.
const PAYERS_MIN: usize = 6;
/// Stands where membership is not decided by how often somebody sends a text.
const CHANCE_OF_A_GROUP: f64 = 0.05;
