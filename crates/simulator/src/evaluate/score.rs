//! The score itself: what is labelled and what was found, set against each other.

use std::collections::{BTreeMap, BTreeSet};

use exchange::Time;
use serde::Serialize;

/// How well a hunt did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Every labelled campaign, by name.
    pub campaigns: Vec<CampaignScore>,
    /// How many labelled campaigns were found.
    pub found: u64,
    /// Found campaigns as a share of the labelled ones; absent when none is labelled.
    pub found_share: Option<f64>,
    /// Median [`CampaignScore::time_to_detect`] over the campaigns found.
    pub time_to_detect: Option<f64>,
    /// Accounts, whichever campaign they belong to.
    pub accounts: AccountScore,
    /// Exchanges of accounts that send a campaign's among others; absent when no exchange is labelled.
    pub exchanges: Option<ExchangeScore>,
    /// Every kind of honest user, by name, with the accounts wrongly flagged.
    pub roles: Vec<RoleScore>,
    /// How many findings there are.
    pub findings: u64,
    /// Findings by which no campaign counts as found.
    pub unmatched: Vec<Unmatched>,
    /// Adjusted Rand index of the findings, as groups of accounts, against the labelled campaigns: 1 is the same
    /// grouping, 0 is what chance gives. Every labelled or flagged account takes part. It stands in the campaign of its
    /// label (the first by name, if several) and in the finding that is surest of it (the first, if several are);
    /// in neither, it is a group of its own.
    pub grouping_ari: f64,
}

/// How well one labelled campaign was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CampaignScore {
    /// The campaign, as labelled.
    pub campaign: String,
    /// Its labelled accounts.
    pub accounts: u64,
    /// Its own exchanges: of an account with labelled exchanges those of this campaign, else all of the account's.
    pub exchanges: u64,
    /// Whether at least half of its accounts are in one finding of which at least 90 % are its own.
    pub found: bool,
    /// The finding that is compared: of those that find it the earliest, else the one that holds most of its accounts.
    pub finding: Option<String>,
    /// Its accounts in that finding as a share of its accounts.
    pub recall: f64,
    /// Its accounts in that finding as a share of the finding's accounts; absent when no finding holds any.
    pub purity: Option<f64>,
    /// Share of its own exchanges that had happened when it was detected, the detecting one included. Absent when it
    /// was not found or none of its exchanges was seen.
    pub time_to_detect: Option<f64>,
}

/// Accounts flagged against accounts labelled.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountScore {
    /// Accounts that take part in a labelled campaign.
    pub labelled: u64,
    /// Accounts that are members of any finding.
    pub flagged: u64,
    /// Accounts that are both.
    pub correct: u64,
    /// Correct as a share of flagged; absent when nothing was flagged.
    pub precision: Option<f64>,
    /// Correct as a share of labelled; absent when none is labelled.
    pub recall: Option<f64>,
}

/// Exchanges told to belong to a campaign against exchanges labelled, of accounts whose exchanges are labelled one by one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExchangeScore {
    /// Exchanges that belong to a labelled campaign.
    pub labelled: u64,
    /// Exchanges that were told to belong to a finding.
    pub told: u64,
    /// Exchanges that are both.
    pub correct: u64,
    /// Correct as a share of told; absent when none was told.
    pub precision: Option<f64>,
    /// Correct as a share of labelled.
    pub recall: Option<f64>,
}

/// Honest accounts of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoleScore {
    /// The kind of honest user; [`ROLE_UNNAMED`] where the label has none, [`ROLE_UNLABELLED`] where there is no label.
    pub role: String,
    /// Accounts of this kind.
    pub accounts: u64,
    /// Those of them that are members of a finding.
    pub flagged: u64,
    /// Flagged as a share of accounts.
    pub share: f64,
}

/// A finding by which no campaign counts as found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unmatched {
    /// The finding.
    pub finding: String,
    /// Its members.
    pub accounts: u64,
    /// The campaign with most of its accounts: a finding may hold a fragment of one, or a mix.
    pub closest: Option<String>,
    /// That campaign's share of its accounts; 0 when it holds nobody's.
    pub purity: f64,
}

/// One finding of a hunt.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its name.
    pub campaign: String,
    /// The time of the exchange that made it cross its threshold.
    pub detected_at: Time,
    /// Accounts with the probability that they take part; from [`MEMBER_PROBABILITY_MIN`] they are members.
    pub accounts: Vec<(String, f64)>,
}

/// Who and what belongs to which campaign.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    accounts: BTreeMap<String, AccountLabel>,
    exchanges: BTreeMap<String, Option<String>>,
}

/// The exchanges as far as scoring needs them. Feed it every exchange, in any order.
#[derive(Clone, Debug)]
pub struct Activity<'a> {
    labels: &'a Labels,
    accounts: BTreeMap<&'a str, AccountActivity<'a>>,
    unlabelled: BTreeSet<String>,
    /// Exchanges told to belong to a finding, and those of them that do, where exchanges are labelled.
    told: (usize, usize),
}

/// Role of honest accounts whose label names none.
pub const ROLE_UNNAMED: &str = "(no role)";
/// Role of accounts without a label.
pub const ROLE_UNLABELLED: &str = "(no label)";
/// From this probability an account counts as a member of a finding.
pub const MEMBER_PROBABILITY_MIN: f64 = 0.5;
/// Numerator and denominator of the share of a campaign's accounts that a finding must hold.
pub const FOUND_RECALL_MIN: (usize, usize) = (1, 2);
/// Numerator and denominator of the share of a finding's accounts that must be the campaign's own.
pub const FOUND_PURITY_MIN: (usize, usize) = (9, 10);

#[derive(Clone, Debug, PartialEq)]
enum AccountLabel {
    Honest { role: Option<String> },
    Campaigns(BTreeSet<String>),
}

#[derive(Clone, Debug, Default)]
struct AccountActivity<'a> {
    /// Exchanges that carry a label of their own, even that of no campaign.
    labelled: Vec<(Option<&'a str>, Time)>,
    /// Exchanges of a campaign's account that carry none.
    rest: Vec<Time>,
}

/// Labels that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Contradiction(String);

impl Labels {
    /// Labels an account; `None` is no campaign. An account may take part in several campaigns.
    ///
    /// # Errors
    ///
    /// When the account is already labelled as the opposite, or with another role.
    pub fn label_account(
        &mut self,
        account: &str,
        campaign: Option<&str>,
        role: Option<&str>,
    ) -> Result<(), Contradiction> {
        let new = match campaign {
            None => AccountLabel::Honest { role: role.map(str::to_owned) },
            Some(campaign) => AccountLabel::Campaigns(BTreeSet::from([campaign.to_owned()])),
        };
        let Some(known) = self.accounts.get_mut(account) else {
            self.accounts.insert(account.to_owned(), new);
            return Ok(());
        };
        match (known, new) {
            (AccountLabel::Campaigns(known), AccountLabel::Campaigns(new)) => known.extend(new),
            (known, new) if *known == new => {}
            (AccountLabel::Honest { .. }, AccountLabel::Honest { .. }) => {
                return Err(Contradiction(format!("account `{}` has two roles", account.escape_debug())));
            }
            _ => {
                let account = account.escape_debug();
                return Err(Contradiction(format!("account `{account}` is labelled both with and without a campaign")));
            }
        }
        Ok(())
    }

    /// Labels an exchange; `None` is no campaign.
    ///
    /// # Errors
    ///
    /// When the exchange is already labelled otherwise.
    pub fn label_exchange(&mut self, exchange: &str, campaign: Option<&str>) -> Result<(), Contradiction> {
        let campaign = campaign.map(str::to_owned);
        match self.exchanges.get(exchange) {
            Some(known) if *known != campaign => {
                Err(Contradiction(format!("exchange `{}` is labelled twice, differently", exchange.escape_debug())))
            }
            Some(_) => Ok(()),
            None => {
                self.exchanges.insert(exchange.to_owned(), campaign);
                Ok(())
            }
        }
    }

    /// The labelled campaigns with their accounts.
    fn campaigns(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut campaigns = BTreeMap::<&str, BTreeSet<&str>>::new();
        for campaign in self.exchanges.values().flatten() {
            campaigns.entry(campaign).or_default();
        }
        for (account, label) in &self.accounts {
            if let AccountLabel::Campaigns(names) = label {
                for name in names {
                    campaigns.entry(name).or_default().insert(account);
                }
            }
        }
        campaigns
    }
}

impl<'a> Activity<'a> {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(labels: &'a Labels) -> Self {
        Activity { labels, accounts: BTreeMap::new(), unlabelled: BTreeSet::new(), told: (0, 0) }
    }

    /// Takes in one exchange.
    pub fn see(&mut self, account: &str, time: Time, exchange: &str) {
        let Some((account, label)) = self.labels.accounts.get_key_value(account) else {
            if !self.unlabelled.contains(account) {
                self.unlabelled.insert(account.to_owned());
            }
            return;
        };
        if let AccountLabel::Campaigns(_) = label {
            let activity = self.accounts.entry(account).or_default();
            match self.labels.exchanges.get(exchange) {
                Some(campaign) => activity.labelled.push((campaign.as_deref(), time)),
                None => activity.rest.push(time),
            }
        }
    }

    /// Takes in that a hunt told an exchange to belong to a campaign. Feed it after every exchange was seen.
    pub fn told(&mut self, account: &str, exchange: &str) {
        if self.accounts.get(account).is_none_or(|activity| activity.labelled.is_empty()) {
            return;
        }
        self.told.0 += 1;
        self.told.1 += usize::from(self.labels.exchanges.get(exchange).is_some_and(Option::is_some));
    }

    fn score_exchanges(&self) -> Option<ExchangeScore> {
        let labelled = self.accounts.values().flat_map(|activity| &activity.labelled);
        let labelled = labelled.filter(|(campaign, _)| campaign.is_some()).count();
        let (told, correct) = self.told;
        (labelled > 0).then(|| ExchangeScore {
            labelled: count(labelled),
            told: count(told),
            correct: count(correct),
            precision: ratio(correct, told),
            recall: ratio(correct, labelled),
        })
    }

    /// The times of a campaign's own exchanges.
    fn own_times(&self, campaign: &str, accounts: &BTreeSet<&str>) -> Vec<Time> {
        let mut times = Vec::new();
        for activity in accounts.iter().filter_map(|account| self.accounts.get(account)) {
            if activity.labelled.is_empty() {
                times.extend(&activity.rest);
            } else {
                let own = activity.labelled.iter().filter(|(label, _)| *label == Some(campaign));
                times.extend(own.map(|(_, time)| time));
            }
        }
        times
    }
}

/// Scores `findings` against `labels`, with the exchanges that `activity` saw.
#[must_use]
pub fn score(findings: &[Found], labels: &Labels, activity: &Activity<'_>) -> Evaluation {
    let members: Vec<BTreeSet<&str>> = findings.iter().map(Found::members).collect();
    let truth = labels.campaigns();
    let flagged: BTreeSet<&str> = members.iter().flatten().copied().collect();

    let campaigns: Vec<CampaignScore> =
        truth.iter().map(|(name, accounts)| score_campaign(name, accounts, findings, &members, activity)).collect();
    let found = campaigns.iter().filter(|campaign| campaign.found).count();
    let unmatched = findings
        .iter()
        .zip(&members)
        .filter(|(_, members)| !truth.values().any(|accounts| finds(members, accounts)))
        .map(|(finding, members)| unmatched(finding, members, &truth))
        .collect();

    Evaluation {
        found: count(found),
        found_share: ratio(found, campaigns.len()),
        time_to_detect: median(campaigns.iter().filter_map(|campaign| campaign.time_to_detect).collect()),
        accounts: score_accounts(&truth, &flagged),
        exchanges: activity.score_exchanges(),
        roles: score_roles(labels, activity, &flagged),
        findings: count(findings.len()),
        unmatched,
        grouping_ari: grouping_ari(labels, findings, &flagged),
        campaigns,
    }
}

impl Found {
    fn members(&self) -> BTreeSet<&str> {
        let sure = self.accounts.iter().filter(|(_, probability)| *probability >= MEMBER_PROBABILITY_MIN);
        sure.map(|(account, _)| account.as_str()).collect()
    }
}

/// Whether a finding with these members finds the campaign with these accounts.
fn finds(members: &BTreeSet<&str>, accounts: &BTreeSet<&str>) -> bool {
    let own = members.intersection(accounts).count();
    own > 0 && at_least(own, accounts.len(), FOUND_RECALL_MIN) && at_least(own, members.len(), FOUND_PURITY_MIN)
}

/// Whether `part / whole` reaches a fraction, without rounding.
fn at_least(part: usize, whole: usize, (numerator, denominator): (usize, usize)) -> bool {
    part * denominator >= whole * numerator
}

fn score_campaign(
    name: &str,
    accounts: &BTreeSet<&str>,
    findings: &[Found],
    members: &[BTreeSet<&str>],
    activity: &Activity<'_>,
) -> CampaignScore {
    let times = activity.own_times(name, accounts);
    let candidates = || findings.iter().zip(members);
    let own = |members: &BTreeSet<&str>| members.intersection(accounts).count();

    // Of equals, `min_by_key` takes the first.
    let earliest = candidates()
        .filter(|(_, members)| finds(members, accounts))
        .min_by_key(|(finding, members)| (finding.detected_at, usize::MAX - own(members)));
    let closest = || {
        candidates()
            .filter(|(_, members)| own(members) > 0)
            .min_by_key(|(finding, members)| (usize::MAX - own(members), members.len(), finding.detected_at))
    };
    let compared = earliest.or_else(closest);
    let time_to_detect = earliest.and_then(|(finding, _)| {
        let before = times.iter().filter(|time| **time <= finding.detected_at).count();
        ratio(before, times.len())
    });
    CampaignScore {
        campaign: name.to_owned(),
        accounts: count(accounts.len()),
        exchanges: count(times.len()),
        found: earliest.is_some(),
        finding: compared.map(|(finding, _)| finding.campaign.clone()),
        recall: compared.and_then(|(_, members)| ratio(own(members), accounts.len())).unwrap_or(0.0),
        purity: compared.and_then(|(_, members)| ratio(own(members), members.len())),
        time_to_detect,
    }
}

fn unmatched(finding: &Found, members: &BTreeSet<&str>, truth: &BTreeMap<&str, BTreeSet<&str>>) -> Unmatched {
    let overlaps = truth.iter().map(|(name, accounts)| (*name, members.intersection(accounts).count()));
    let closest = overlaps.filter(|(_, own)| *own > 0).min_by_key(|(_, own)| usize::MAX - own);
    Unmatched {
        finding: finding.campaign.clone(),
        accounts: count(members.len()),
        closest: closest.map(|(name, _)| name.to_owned()),
        purity: closest.and_then(|(_, own)| ratio(own, members.len())).unwrap_or(0.0),
    }
}

fn score_accounts(truth: &BTreeMap<&str, BTreeSet<&str>>, flagged: &BTreeSet<&str>) -> AccountScore {
    let labelled: BTreeSet<&str> = truth.values().flatten().copied().collect();
    let correct = labelled.intersection(flagged).count();
    AccountScore {
        labelled: count(labelled.len()),
        flagged: count(flagged.len()),
        correct: count(correct),
        precision: ratio(correct, flagged.len()),
        recall: ratio(correct, labelled.len()),
    }
}

fn score_roles(labels: &Labels, activity: &Activity<'_>, flagged: &BTreeSet<&str>) -> Vec<RoleScore> {
    let honest = labels.accounts.iter().filter_map(|(account, label)| match label {
        AccountLabel::Honest { role } => Some((account.as_str(), role.as_deref().unwrap_or(ROLE_UNNAMED))),
        AccountLabel::Campaigns(_) => None,
    });
    let seen = activity.unlabelled.iter().map(String::as_str);
    let unlabelled: BTreeSet<&str> =
        seen.chain(flagged.iter().copied().filter(|account| !labels.accounts.contains_key(*account))).collect();

    let mut roles = BTreeMap::<&str, (usize, usize)>::new();
    for (account, role) in honest.chain(unlabelled.into_iter().map(|account| (account, ROLE_UNLABELLED))) {
        let (accounts, wrong) = roles.entry(role).or_default();
        *accounts += 1;
        *wrong += usize::from(flagged.contains(account));
    }
    let score = |(role, (accounts, flagged)): (&str, (usize, usize))| RoleScore {
        role: role.to_owned(),
        accounts: count(accounts),
        flagged: count(flagged),
        share: ratio(flagged, accounts).unwrap_or(0.0),
    };
    roles.into_iter().map(score).collect()
}

/// Hubert and Arabie, "Comparing partitions", 1985.
fn grouping_ari(labels: &Labels, findings: &[Found], flagged: &BTreeSet<&str>) -> f64 {
    let mut surest = BTreeMap::<&str, (f64, usize)>::new();
    for (index, finding) in findings.iter().enumerate() {
        let members = finding.accounts.iter().filter(|(_, probability)| *probability >= MEMBER_PROBABILITY_MIN);
        for (account, probability) in members {
            let best = surest.entry(account).or_insert((*probability, index));
            if *probability > best.0 {
                *best = (*probability, index);
            }
        }
    }
    let everybody: BTreeSet<&str> = labels.accounts.keys().map(String::as_str).chain(flagged.iter().copied()).collect();

    // Only groups of two or more hold pairs, so accounts that stand alone on either side are left out of the counts.
    let mut both = BTreeMap::<(&str, usize), usize>::new();
    let mut labelled = BTreeMap::<&str, usize>::new();
    let mut found = BTreeMap::<usize, usize>::new();
    for account in &everybody {
        let campaign = match labels.accounts.get(*account) {
            Some(AccountLabel::Campaigns(names)) => names.first().map(String::as_str),
            Some(AccountLabel::Honest { .. }) | None => None,
        };
        let finding = surest.get(account).map(|(_, index)| *index);
        if let Some(campaign) = campaign {
            *labelled.entry(campaign).or_default() += 1;
        }
        if let Some(finding) = finding {
            *found.entry(finding).or_default() += 1;
        }
        if let (Some(campaign), Some(finding)) = (campaign, finding) {
            *both.entry((campaign, finding)).or_default() += 1;
        }
    }
    let agreed: f64 = both.values().copied().map(pairs).sum();
    let labelled: f64 = labelled.values().copied().map(pairs).sum();
    let found: f64 = found.values().copied().map(pairs).sum();
    let possible = pairs(everybody.len());
    let expected = if possible > 0.0 { labelled * (found / possible) } else { 0.0 };
    let best = f64::midpoint(labelled, found);
    // Equal only where both sides are one group, or nobody is grouped on either: the groupings are the same.
    if best == expected { 1.0 } else { (agreed - expected) / (best - expected) }
}

fn pairs(members: usize) -> f64 {
    let members = members as f64;
    members * (members - 1.0).max(0.0) / 2.0
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

fn count(number: usize) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overall_time_to_detect_is_the_median_of_the_campaigns_found() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![0.3]), Some(0.3));
        assert_eq!(median(vec![0.9, 0.1]), Some(0.5));
        assert_eq!(median(vec![0.9, 0.1, 0.2]), Some(0.2));
    }
}
