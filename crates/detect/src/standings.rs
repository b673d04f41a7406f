//! Who stands where: the campaigns that are known, each with a number that it keeps, and what changed since one last looked.
//!
//! A campaign that is reported again is the same as before when it has a trial in common with it, or more than half of the smaller one's
//! accounts. One that no longer is reported keeps its number, so that it has the same when it comes back; at most
//! [`CAMPAIGNS_MAX`] are kept, and those that were withdrawn longest ago go first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use exchange::Time;
use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use crate::limits::CAMPAIGNS_MAX;
use crate::state::account::AccountNo;

/// A campaign as it is reported now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reported {
    /// The numbers of its trials.
    pub trials: BTreeSet<u64>,
    /// Its members, those more likely in than not, each with how likely.
    pub members: BTreeMap<AccountNo, f64>,
    /// When it was detected.
    pub since: Time,
    /// The evidence (log10).
    pub log10_e: f64,
    /// What it had to come to.
    pub log10_threshold: f64,
    /// The honest explanation that comes nearest.
    pub rival: String,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A group is tested from now on: a trial, which is no finding.
    Proposed {
        /// Its number, among those of a campaign that comes of it.
        trial: u64,
    },
    /// A campaign is reported that was not before.
    Detected {
        /// Its number.
        campaign: u32,
    },
    /// An account belongs to a campaign now.
    Joined {
        /// The campaign's number.
        campaign: u32,
        /// The account.
        account: AccountNo,
    },
    /// An account no longer belongs to a campaign that is still reported.
    Left {
        /// The campaign's number.
        campaign: u32,
        /// The account.
        account: AccountNo,
    },
    /// A campaign is no longer reported.
    Withdrawn {
        /// Its number.
        campaign: u32,
    },
}

/// How an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The number of its campaign.
    pub campaign: u32,
    /// When that was detected.
    pub since: Time,
    /// The evidence for the campaign (log10).
    pub log10_e: f64,
    /// How likely the account takes part.
    pub probability: f64,
}

/// How a campaign stands.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignStanding<'e> {
    /// Its number.
    pub campaign: u32,
    /// When it was detected.
    pub since: Time,
    /// The evidence (log10).
    pub log10_e: f64,
    /// What it had to come to (log10).
    pub log10_threshold: f64,
    /// The honest explanation that comes nearest.
    pub rival: &'e str,
    /// Its members by their ids, each with how likely it takes part.
    pub members: Vec<(&'e str, f64)>,
}

/// All campaigns that are known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Standings {
    /// Campaigns that were ever numbered.
    numbered: u32,
    known: BTreeMap<u32, Known>,
    /// The surest standing of each account.
    #[serde(with = "crate::state::written::sorted")]
    of: HashMap<AccountNo, Standing, FixedState>,
}

/// A campaign that was reported.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Known {
    trials: BTreeSet<u64>,
    members: BTreeMap<AccountNo, f64>,
    since: Time,
    log10_e: f64,
    log10_threshold: f64,
    rival: String,
    /// Whether it is reported now.
    stands: bool,
    /// The update at which it last was, to forget the oldest.
    last: u64,
}

impl Standings {
    /// Takes in what is reported now, the strongest first. The number of each, and what changed, in the order of numbers.
    pub(crate) fn update(&mut self, reported: &[Reported]) -> (Vec<u32>, Vec<Change>) {
        let now = 1 + self.known.values().map(|known| known.last).max().unwrap_or(0);
        let (mut numbers, mut changes) = (Vec::new(), Vec::new());
        self.of.clear();
        for campaign in reported {
            let number = self.same(campaign, &numbers).unwrap_or_else(|| {
                self.numbered = self.numbered.saturating_add(1);
                self.numbered
            });
            numbers.push(number);
            let known = self.known.entry(number).or_default();
            if !known.stands {
                changes.push(Change::Detected { campaign: number });
                known.members.clear();
            }
            let joined = campaign.members.keys().filter(|account| !known.members.contains_key(account));
            changes.extend(joined.map(|&account| Change::Joined { campaign: number, account }));
            let left = known.members.keys().filter(|account| !campaign.members.contains_key(account));
            changes.extend(left.map(|&account| Change::Left { campaign: number, account }));
            *known = Known {
                trials: campaign.trials.clone(),
                members: campaign.members.clone(),
                since: campaign.since,
                log10_e: campaign.log10_e,
                log10_threshold: campaign.log10_threshold,
                rival: campaign.rival.clone(),
                stands: true,
                last: now,
            };
            for (&account, &probability) in &campaign.members {
                let (since, log10_e) = (campaign.since, campaign.log10_e);
                let standing = Standing { campaign: number, since, log10_e, probability };
                let surest = self.of.entry(account).or_insert(standing);
                if surest.probability < probability {
                    *surest = standing;
                }
            }
        }
        for (&campaign, known) in &mut self.known {
            if std::mem::replace(&mut known.stands, known.last == now) && !known.stands {
                changes.push(Change::Withdrawn { campaign });
            }
        }
        while self.known.len() > CAMPAIGNS_MAX {
            let oldest =
                self.known.iter().min_by_key(|&(number, known)| (known.last, *number)).map(|(&number, _)| number);
            oldest.and_then(|number| self.known.remove(&number));
        }
        changes.sort_by_key(|change: &Change| change.campaign());
        (numbers, changes)
    }

    /// Forgets accounts, and campaigns that are no longer reported and have none left.
    pub(crate) fn forget(&mut self, accounts: &BTreeSet<AccountNo>) {
        self.of.retain(|account, _| !accounts.contains(account));
        self.known.values_mut().for_each(|known| known.members.retain(|member, _| !accounts.contains(member)));
        self.known.retain(|_, known| known.stands || !known.members.is_empty());
    }

    /// How an account stands; none that belongs to no campaign.
    #[must_use]
    pub(crate) fn of(&self, account: AccountNo) -> Option<Standing> {
        self.of.get(&account).copied()
    }

    /// The campaigns that were reported when that was last asked for, in the order of their numbers. `id` names an account.
    pub(crate) fn campaigns<'e>(&'e self, id: impl Fn(AccountNo) -> Option<&'e str>) -> Vec<CampaignStanding<'e>> {
        let standing = self.known.iter().filter(|(_, known)| known.stands);
        let told = |(&campaign, known): (&u32, &'e Known)| CampaignStanding {
            campaign,
            since: known.since,
            log10_e: known.log10_e,
            log10_threshold: known.log10_threshold,
            rival: &known.rival,
            members: known.members.iter().filter_map(|(&member, &likely)| Some((id(member)?, likely))).collect(),
        };
        standing.map(told).collect()
    }

    /// The known campaign that one is the same as, of those without a number among `taken`.
    fn same(&self, campaign: &Reported, taken: &[u32]) -> Option<u32> {
        let free = || self.known.iter().filter(|(number, _)| !taken.contains(number));
        let common = |known: &Known| known.trials.intersection(&campaign.trials).count();
        let by_trials = free().map(|(&number, known)| (common(known), number)).filter(|&(common, _)| common > 0);
        let best = |found: &(usize, u32)| (found.0, std::cmp::Reverse(found.1));
        if let Some((_, number)) = by_trials.max_by_key(best) {
            return Some(number);
        }
        let shared =
            |known: &Known| known.members.keys().filter(|member| campaign.members.contains_key(member)).count();
        let by_members = free().map(|(&number, known)| (shared(known), number, known.members.len()));
        let enough = by_members.filter(|&(shared, _, of)| shared * 2 > of.min(campaign.members.len()));
        enough.map(|(shared, number, _)| (shared, number)).max_by_key(best).map(|(_, number)| number)
    }
}

impl Change {
    /// The number of the campaign that it is about; none of a trial.
    #[must_use]
    pub fn campaign(&self) -> Option<u32> {
        match *self {
            Change::Proposed { .. } => None,
            Change::Detected { campaign }
            | Change::Joined { campaign, .. }
            | Change::Left { campaign, .. }
            | Change::Withdrawn { campaign } => Some(campaign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(trials: &[u64], members: std::ops::Range<AccountNo>) -> Reported {
        Reported {
            trials: trials.iter().copied().collect(),
            members: members.map(|member| (member, 0.9)).collect(),
            ..Reported::default()
        }
    }

    #[test]
    fn a_campaign_keeps_its_number_and_what_changed_is_told_once() {
        let mut standings = Standings::default();
        let (numbers, changes) = standings.update(&[reported(&[7], 0..3)]);
        let joined = |campaign, account| Change::Joined { campaign, account };
        let detected = |campaign| Change::Detected { campaign };
        assert_eq!((numbers, changes), (vec![1], vec![detected(1), joined(1, 0), joined(1, 1), joined(1, 2)]));
        // The same trial with others, and one that is new and stronger.
        let (numbers, changes) = standings.update(&[reported(&[9], 20..21), reported(&[7, 8], 1..4)]);
        let left = Change::Left { campaign: 1, account: 0 };
        assert_eq!((numbers, changes), (vec![2, 1], vec![joined(1, 3), left, detected(2), joined(2, 20)]));
        assert_eq!(standings.update(&[reported(&[9], 20..21), reported(&[7], 1..4)]).1, []);
        assert_eq!(standings.of(20).map(|standing| standing.campaign), Some(2));
        let told = standings.campaigns(|number| ["a", "b", "c", "d"].get(number as usize).copied());
        let told: Vec<_> = told.iter().map(|told| (told.campaign, told.members.as_slice())).collect();
        assert_eq!(told, [(1, [("b", 0.9), ("c", 0.9), ("d", 0.9)].as_slice()), (2, &[])]);
        // Other trials of the same accounts.
        let (numbers, changes) = standings.update(&[reported(&[30], 1..4)]);
        assert_eq!((numbers, changes), (vec![1], vec![Change::Withdrawn { campaign: 2 }]));
        assert_eq!((standings.of(20), standings.of(0)), (None, None));
        // It comes back under its number.
        assert_eq!(standings.update(&[reported(&[9], 20..22)]).0, [2]);
    }

    #[test]
    fn half_of_the_accounts_are_not_the_same_campaign() {
        let mut standings = Standings::default();
        standings.update(&[reported(&[1], 0..4)]);
        assert_eq!(standings.clone().update(&[reported(&[2], 2..6)]).0, [2]);
        assert_eq!(standings.update(&[reported(&[2], 1..5)]).0, [1]);
    }

    #[test]
    fn an_account_of_two_campaigns_stands_where_it_is_surest() {
        let mut standings = Standings::default();
        let mut other = reported(&[2], 3..6);
        other.members.insert(3, 0.99);
        standings.update(&[reported(&[1], 0..4), other]);
        assert_eq!(standings.of(3).map(|standing| standing.campaign), Some(2));
        assert_eq!(standings.of(2).map(|standing| standing.campaign), Some(1));
    }

    #[test]
    fn campaigns_withdrawn_longest_ago_are_forgotten_beyond_the_limit() {
        for (others, number) in [(CAMPAIGNS_MAX - 1, 1), (CAMPAIGNS_MAX, CAMPAIGNS_MAX as u32 + 2)] {
            let mut standings = Standings::default();
            standings.update(&[reported(&[0], 0..1)]);
            let all: Vec<Reported> =
                (1..=others as u64).map(|trial| reported(&[trial], trial as u32..trial as u32 + 1)).collect();
            standings.update(&all);
            assert_eq!(standings.update(&[reported(&[0], 0..1)]).0, [number], "{others}");
        }
    }
}
