//! Responses and what they rest on: what detection says of accounts, who is covered by what, and how that is taken back.
//!
//! Promises that a response and whom it covers are written before they hold, that undoing one leaves everybody as they were, and that
//! nobody is blocked by one person alone beyond the number that the operator allows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use exchange::Time;
use policy::directory::{Directory, Full};
use policy::limits::{QUOTAS_MAX, RESPONSES_MAX};
use policy::quota::TooManyQuotas;
use policy::response::{Approval, Joiners, Rule, Target, Undone};
use policy::{AccountId, Response, ResponseId, Rung, Suspicion};
use store::control::Entry;
use watch::{Board, Campaign};

use super::{ACCOUNT, COVER, Known, RESPONSE, Registry, RegistryError, SUSPICION, entry, missing, random};

/// Entries that are written at once; more come in several goes, which the database has time for.
const ENTRIES_AT_ONCE: usize = 2_000;
const HOUR: i64 = 3_600_000_000_000;

/// What detection says.
#[derive(Clone, Copy, Debug)]
pub struct DetectionReport<'a> {
    /// How everybody stands.
    pub board: &'a Board,
    /// Which detection says so, and since which beginning its campaigns have their names: `FOLDER.GENERATION`.
    pub source: &'a str,
    /// How many accounts one person, or a rule, may block.
    pub block_alone_max: u32,
    /// What is done by itself.
    pub rules: &'a [Rule],
    /// Whether it may not have seen everything yet, as when it reads the record anew: then nothing that was said is taken back.
    pub is_behind: bool,
}

impl<'a> DetectionReport<'a> {
    /// The name of the folder of a source `FOLDER.GENERATION`.
    fn folder(&self) -> &'a str {
        self.source.rsplit_once('.').map_or(self.source, |(folder, _)| folder)
    }
}

fn is_of(source: &str, folder: &str) -> bool {
    source.rsplit_once('.').is_some_and(|(known, _)| known == folder)
}

/// A response, and how many accounts it covers.
pub type Listed = (Arc<Response>, u64);

impl Registry {
    /// Reconciles policies and responses with what detection says: knows it from now on, and lets responses follow who joins their campaigns and who leaves them. How many entries
    /// changed.
    ///
    /// # Errors
    ///
    /// When it cannot be written; then it is as if it had not been reported, in whole or in part.
    pub async fn reconcile(&self, report: DetectionReport<'_>, now: Time) -> Result<usize, RegistryError> {
        let mut known = self.known.lock().await;
        let mut entries = suspicions(&known.directory, report);
        entries.extend(covers(&known.directory, report, now));
        for part in entries.chunks(ENTRIES_AT_ONCE) {
            self.put(&mut known, part).await?;
        }
        let mut changed = entries.len();
        for (response, members) in by_rule(&known.directory, report, now)? {
            let (_, covered) = self.take(&mut known, response, &members, report.block_alone_max).await?;
            changed += 1 + covered as usize;
        }
        Ok(changed)
    }

    /// Responds: to an account, or to those of `members` that are known here. A block of more accounts than `block_alone_max` waits for a
    /// second person.
    ///
    /// # Errors
    ///
    /// When the account is not there, there is no room, or it cannot be written.
    pub async fn respond(
        &self,
        response: Response,
        members: &[AccountId],
        block_alone_max: u32,
    ) -> Result<Listed, RegistryError> {
        let mut known = self.known.lock().await;
        self.take(&mut known, response, members, block_alone_max).await
    }

    async fn take(
        &self,
        known: &mut Known,
        mut response: Response,
        members: &[AccountId],
        block_alone_max: u32,
    ) -> Result<Listed, RegistryError> {
        let directory = &known.directory;
        let covered: Vec<&AccountId> = match &response.target {
            Target::Account(account) => {
                directory.account(account).ok_or_else(|| missing(ACCOUNT, account.as_str()))?;
                vec![account]
            }
            Target::Campaign(_) => members.iter().filter(|account| may_be_covered(directory, account)).collect(),
        };
        // Before anybody is covered by it.
        let mut entries = Vec::new();
        if response.budget.is_some() && known.quotas().len() >= QUOTAS_MAX {
            entries =
                without_the_oldest(directory, response.since, |past| past.budget.is_some()).ok_or(TooManyQuotas)?;
        } else if directory.responses().count() >= RESPONSES_MAX {
            entries = without_the_oldest(directory, response.since, |_| true).ok_or(Full)?;
        }
        if response.rung == Rung::Block && !response.shadow && covered.len() > block_alone_max as usize {
            response.approval = Approval::Wanted;
        }
        let covers: Vec<Entry> = covered.iter().map(|account| cover(&response.id, account)).collect();
        entries.push(entry(RESPONSE, response.id.as_str(), &response));
        // It holds only once all whom it covers are written.
        for part in covers.chunks(ENTRIES_AT_ONCE) {
            self.put(known, part).await?;
        }
        self.put(known, &entries).await?;
        let stands = known.directory.response(&response.id).cloned();
        Ok((stands.ok_or_else(|| missing(RESPONSE, response.id.as_str()))?, covers.len() as u64))
    }

    /// Approves a response that waits for a second person.
    ///
    /// # Errors
    ///
    /// When it is not there or waits for nobody, when it is its own author who approves, or it cannot be written.
    pub async fn approve_response(&self, id: &ResponseId, author: &str) -> Result<Arc<Response>, RegistryError> {
        self.change_response(id, |response| {
            if response.approval != Approval::Wanted || response.undone.is_some() {
                return Err(RegistryError::NotWanted(id.clone()));
            }
            if is_same(&response.author, author) {
                return Err(RegistryError::SamePerson(author.to_owned()));
            }
            response.approval = Approval::By(author.to_owned());
            Ok(())
        })
        .await
    }

    /// Takes a response back: everybody whom it covered is as if it had never been.
    ///
    /// # Errors
    ///
    /// When it is not there or undone already, or it cannot be written.
    pub async fn undo_response(&self, id: &ResponseId, undone: Undone) -> Result<Arc<Response>, RegistryError> {
        self.change_response(id, |response| {
            if response.undone.is_some() {
                return Err(RegistryError::Undone(id.clone()));
            }
            response.undone = Some(undone);
            Ok(())
        })
        .await
    }

    async fn change_response(
        &self,
        id: &ResponseId,
        change: impl FnOnce(&mut Response) -> Result<(), RegistryError>,
    ) -> Result<Arc<Response>, RegistryError> {
        let mut known = self.known.lock().await;
        let response = known.directory.response(id).ok_or_else(|| missing(RESPONSE, id.as_str()))?;
        let mut response = (**response).clone();
        change(&mut response)?;
        self.put(&mut known, &[entry(RESPONSE, id.as_str(), &response)]).await?;
        known.directory.response(id).cloned().ok_or_else(|| missing(RESPONSE, id.as_str()))
    }

    /// Every response with how many accounts it covers, in the order of their ids.
    pub async fn responses(&self) -> Vec<Listed> {
        let directory = self.directory().await;
        let accounts = by_response(directory.covered());
        let count = |response: &Arc<Response>| accounts.get(&response.id).map_or(0, |accounts| accounts.len() as u64);
        let mut responses: Vec<Listed> =
            directory.responses().map(|response| (Arc::clone(response), count(response))).collect();
        responses.sort_by(|one, other| one.0.id.cmp(&other.0.id));
        responses
    }

    /// A response and the accounts that it covers, in their order.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub async fn response(&self, id: &ResponseId) -> Result<(Arc<Response>, Vec<AccountId>), RegistryError> {
        let directory = self.directory().await;
        let response = directory.response(id).cloned().ok_or_else(|| missing(RESPONSE, id.as_str()))?;
        let covered = by_response(directory.covered()).remove(id).unwrap_or_default();
        Ok((response, covered.into_iter().cloned().collect()))
    }

    /// Everything that detection says, in the order of accounts.
    pub async fn suspicions(&self) -> Vec<Arc<Suspicion>> {
        let mut suspicions: Vec<Arc<Suspicion>> = self.directory().await.suspicions().cloned().collect();
        suspicions.sort_by(|one, other| one.account.cmp(&other.account));
        suspicions
    }

    /// Every account that is blocked at `now`.
    pub async fn blocked(&self, now: Time) -> BTreeSet<AccountId> {
        let directory = self.directory().await;
        let accounts = directory.covered().map(|(account, _)| account);
        let is_blocked = |account: &&AccountId| directory.responses_to(account).force(now).rung == Rung::Block;
        accounts.filter(is_blocked).cloned().collect()
    }

    /// A name for a response that no other has.
    ///
    /// # Errors
    ///
    /// When no random bytes can be had.
    pub fn response_id() -> Result<ResponseId, RegistryError> {
        let [a, b, c, d, e, f, ..] = random()?;
        let number = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        format!("rsp_{number:012x}").parse().map_err(|_| RegistryError::NoRandom)
    }
}

/// Whether a response to a campaign may cover an account.
fn may_be_covered(directory: &Directory, account: &AccountId) -> bool {
    directory.account(account).is_some_and(|account| account.cleared.is_none())
}

/// Makes room by removing the response that was undone or over longest ago at `now`, of those that `may_go`; none where there is none.
fn without_the_oldest(directory: &Directory, now: Time, may_go: impl Fn(&Response) -> bool) -> Option<Vec<Entry>> {
    let past = directory.responses().filter(|response| may_go(response)).filter_map(|response| {
        let over = response.until.filter(|until| *until <= now);
        Some((response.undone.as_ref().map(|undone| undone.time).or(over)?, &response.id))
    });
    let (_, id) = past.min()?;
    let covers =
        by_response(directory.covered()).remove(id).into_iter().chain(by_response(directory.left()).remove(id));
    let covers = covers.flatten().map(|account| Entry::gone(COVER, &place(id, account)));
    Some(std::iter::once(Entry::gone(RESPONSE, id.as_str())).chain(covers).collect())
}

/// The accounts of each response.
fn by_response<'d>(
    covers: impl Iterator<Item = (&'d AccountId, &'d [ResponseId])>,
) -> BTreeMap<&'d ResponseId, BTreeSet<&'d AccountId>> {
    let mut accounts: BTreeMap<&ResponseId, BTreeSet<&AccountId>> = BTreeMap::new();
    for (account, ids) in covers {
        for id in ids {
            accounts.entry(id).or_default().insert(account);
        }
    }
    accounts
}

/// Whether two names are one but for case and spaces.
fn is_same(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    plain(one) == plain(other)
}

fn place(response: &ResponseId, account: &AccountId) -> String {
    format!("{response}/{account}")
}

fn cover(response: &ResponseId, account: &AccountId) -> Entry {
    entry(COVER, &place(response, account), &true)
}

/// The members of a campaign that take part at least so likely, in percent.
pub(crate) fn likely(campaign: &Campaign, percent: i64) -> impl Iterator<Item = AccountId> {
    let likely = campaign.members.iter().filter(move |member| in_percent(member.probability) >= percent);
    likely.filter_map(|member| member.account.parse().ok())
}

fn in_percent(probability: f64) -> i64 {
    (probability * 100.0).floor() as i64
}

/// The responses that rules take now: to campaigns that are strong enough, and to which no response of the rule holds or was undone.
fn by_rule(
    directory: &Directory,
    report: DetectionReport<'_>,
    now: Time,
) -> Result<Vec<(Response, Vec<AccountId>)>, RegistryError> {
    let mut taken = Vec::new();
    for rule in report.rules {
        let author = rule.author();
        for campaign in &report.board.campaigns {
            let target = Target::Campaign(campaign.id.clone());
            let stands = |known: &Arc<Response>| {
                let is_over = known.until.is_some_and(|until| until <= now);
                known.author == author
                    && known.target == target
                    && known.source == report.source
                    && (known.undone.is_some() || !is_over)
            };
            if (campaign.log10_e.floor() as i64) < rule.strength || directory.responses().any(stands) {
                continue;
            }
            let until = now.nanos().saturating_add(i64::from(rule.hours).saturating_mul(HOUR));
            let response = Response {
                id: Registry::response_id()?,
                target,
                rung: rule.rung,
                assurance: rule.assurance,
                budget: rule.budget,
                probability: rule.probability,
                joiners: rule.joiners,
                shadow: rule.shadow,
                since: now,
                until: Some(Time::from_nanos(until)),
                reason: rule.reason.clone(),
                author: author.clone(),
                approval: Approval::Needless,
                source: report.source.to_owned(),
                undone: None,
            };
            taken.push((response, likely(campaign, rule.probability).collect()));
        }
    }
    Ok(taken)
}

/// What changes in what is said of accounts.
fn suspicions(directory: &Directory, report: DetectionReport<'_>) -> Vec<Entry> {
    let mut said: BTreeMap<AccountId, Suspicion> = BTreeMap::new();
    for campaign in &report.board.campaigns {
        for member in &campaign.members {
            let Ok(account) = member.account.parse::<AccountId>() else { continue };
            if directory.account(&account).is_none() {
                continue;
            }
            let suspicion = Suspicion {
                account: account.clone(),
                campaign: campaign.id.clone(),
                strength: campaign.log10_e.floor() as i64,
                probability: in_percent(member.probability),
                since: campaign.since,
                rival: campaign.rival.clone(),
                source: report.source.to_owned(),
            };
            let surest = said.get(&account);
            if surest
                .is_none_or(|known| (known.probability, known.strength) < (suspicion.probability, suspicion.strength))
            {
                said.insert(account, suspicion);
            }
        }
    }
    // What an earlier generation of it said is of nobody else.
    let is_ours = |known: &Suspicion| known.source == report.source || is_of(&known.source, report.folder());
    let is_gone = |known: &Suspicion| !report.is_behind && is_ours(known) && !said.contains_key(&known.account);
    let gone = directory.suspicions().filter(|known| is_gone(known));
    let gone: Vec<Entry> = gone.map(|known| Entry::gone(SUSPICION, known.account.as_str())).collect();
    let is_new = |new: &&Suspicion| {
        let known = directory.suspicion(&new.account);
        // Another detection that is as sure has the word.
        known.is_none_or(|known| if is_ours(known) { **known != **new } else { known.strength < new.strength })
    };
    let new = said.values().filter(is_new).map(|new| entry(SUSPICION, new.account.as_str(), new));
    gone.into_iter().chain(new).collect()
}

/// Who is covered anew, and who no longer: whoever joins a campaign where joiners inherit, and whoever left one that stands.
fn covers(directory: &Directory, report: DetectionReport<'_>, now: Time) -> Vec<Entry> {
    let (nobody, mut entries) = (BTreeSet::new(), Vec::new());
    let (covered, left) = (by_response(directory.covered()), by_response(directory.left()));
    for response in
        directory.responses().filter(|response| response.source == report.source && response.undone.is_none())
    {
        let Target::Campaign(id) = &response.target else { continue };
        if response.until.is_some_and(|until| until <= now) {
            continue;
        }
        // One that stands no longer keeps its response until that is over or undone: it may come back within minutes.
        let Some(campaign) = report.board.campaigns.iter().find(|campaign| campaign.id == *id) else { continue };
        let members: BTreeSet<AccountId> = likely(campaign, response.probability).collect();
        let covered = covered.get(&response.id).unwrap_or(&nobody);
        let is_member = |account: &AccountId| members.contains(account) && may_be_covered(directory, account);
        let has_left = |account: &&&AccountId| !report.is_behind && !is_member(account);
        let leaving: Vec<&&AccountId> = covered.iter().filter(has_left).collect();
        entries.extend(leaving.iter().map(|account| entry(COVER, &place(&response.id, account), &false)));
        let (inherits, may_come_back) =
            (response.joiners == Joiners::Inherit, left.get(&response.id).unwrap_or(&nobody));
        let joined = members.iter().filter(|account| {
            let is_free = may_be_covered(directory, account) && !covered.contains(account);
            is_free && (inherits || may_come_back.contains(account))
        });
        // One that waits for a second person is approved with all whom it covers by then.
        let is_bounded = response.rung == Rung::Block && !response.shadow && response.approval == Approval::Needless;
        let room = if is_bounded {
            (report.block_alone_max as usize).saturating_sub(covered.len() - leaving.len())
        } else {
            usize::MAX
        };
        entries.extend(joined.take(room).map(|account| cover(&response.id, account)));
    }
    entries
}

#[cfg(test)]
mod tests {
    use exchange::Assurance;
    use policy::amount::{Per, Unit};
    use policy::policies::Explanation;
    use policy::response::Budget;
    use policy::{Account, Rung};
    use proptest::prelude::*;
    use serde_json::json;
    use store::control::Control;
    use watch::Member;

    use super::*;

    const NOW: Time = Time::from_seconds(1_000);
    const ALONE: u32 = 3;

    async fn registry(accounts: usize) -> (Registry, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open_file(&folder.path().join("control.db")).await.unwrap();
        let registry = Registry::open(control, [7; 32], Vec::new()).await.unwrap();
        for number in 0..accounts {
            let account: Account =
                serde_json::from_value(json!({"id": format!("a{number}"), "created": "1970-01-01T00:00:00Z"})).unwrap();
            registry.add_account(account).await.unwrap();
        }
        (registry, folder)
    }

    fn board(campaigns: &[(&str, std::ops::Range<usize>)]) -> Board {
        let campaign = |(id, members): &(&str, std::ops::Range<usize>)| Campaign {
            id: (*id).to_owned(),
            since: NOW,
            log10_e: 6.7,
            log10_threshold: 2.5,
            rival: "a tool".to_owned(),
            members: members.clone().map(|n| Member { account: format!("a{n}"), probability: 0.987 }).collect(),
        };
        Board { generation: 1, sequence: 1, campaigns: campaigns.iter().map(campaign).collect() }
    }

    fn report(board: &Board) -> DetectionReport<'_> {
        DetectionReport { board, source: "here", block_alone_max: ALONE, rules: &[], is_behind: false }
    }

    fn ids(numbers: std::ops::Range<usize>) -> Vec<AccountId> {
        numbers.map(|number| format!("a{number}").parse().unwrap()).collect()
    }

    fn response(target: Target, rung: Rung, joiners: Joiners) -> Response {
        Response {
            id: Registry::response_id().unwrap(),
            target,
            rung,
            assurance: if rung == Rung::Verify { Assurance::Phone } else { Assurance::None },
            budget: (rung == Rung::ShareBudget).then_some(Budget { unit: Unit::Requests, amount: 5, per: Per::Hour }),
            probability: 50,
            joiners,
            shadow: false,
            since: NOW,
            until: None,
            reason: "seen".to_owned(),
            author: "ann".to_owned(),
            approval: Approval::Needless,
            source: "here".to_owned(),
            undone: None,
        }
    }

    fn undone() -> Undone {
        Undone { time: NOW, author: "bob".to_owned(), reason: "a class".to_owned() }
    }

    fn cmp_1() -> Target {
        Target::Campaign("cmp_1".to_owned())
    }

    async fn covered(registry: &Registry, id: &ResponseId) -> Vec<AccountId> {
        registry.response(id).await.unwrap().1
    }

    #[tokio::test]
    async fn policies_know_what_detection_says_and_forget_it_with_it() {
        let (registry, _folder) = registry(4).await;
        let said = async || {
            let suspicions = registry.suspicions().await;
            suspicions
                .iter()
                .map(|said| format!("{} {} {}", said.account, said.campaign, said.strength))
                .collect::<Vec<_>>()
        };
        // Of accounts that are not known here nothing is said.
        let first = board(&[("cmp_1", 0..2), ("cmp_2", 3..9)]);
        assert_eq!(registry.reconcile(report(&first), NOW).await.unwrap(), 3);
        assert_eq!(said().await, ["a0 cmp_1 6", "a1 cmp_1 6", "a3 cmp_2 6"]);
        assert_eq!(registry.suspicions().await[0].probability, 98);
        assert_eq!(registry.reconcile(report(&first), NOW).await.unwrap(), 0, "nothing changed");
        let nothing = Board::default();
        let behind = DetectionReport { is_behind: true, ..report(&nothing) };
        assert_eq!(registry.reconcile(behind, NOW).await.unwrap(), 0, "it may not have come to them yet");
        // Another detection on the same database neither takes it back nor is taken back.
        let other = board(&[("cmp_1", 2..3)]);
        registry.reconcile(DetectionReport { source: "there", ..report(&other) }, NOW).await.unwrap();
        assert_eq!(registry.reconcile(report(&board(&[("cmp_1", 1..2)])), NOW).await.unwrap(), 2);
        assert_eq!(said().await, ["a1 cmp_1 6", "a2 cmp_1 6"]);
    }

    #[tokio::test]
    async fn whoever_joins_inherits_where_that_is_the_rule_and_whoever_leaves_is_free() {
        let (registry, _folder) = registry(9).await;
        let inherits = response(cmp_1(), Rung::Shield, Joiners::Inherit);
        let leaves = response(cmp_1(), Rung::Verify, Joiners::Leave);
        for response in [&inherits, &leaves] {
            registry.respond(response.clone(), &ids(0..3), ALONE).await.unwrap();
        }
        registry.reconcile(report(&board(&[("cmp_1", 1..5)])), NOW).await.unwrap();
        assert_eq!(covered(&registry, &inherits.id).await, ids(1..5));
        assert_eq!(covered(&registry, &leaves.id).await, ids(1..3));
        registry.reconcile(report(&board(&[("cmp_1", 0..5)])), NOW).await.unwrap();
        assert_eq!(covered(&registry, &leaves.id).await, ids(0..3), "who comes back is covered as before");
        registry.reconcile(report(&board(&[("cmp_1", 1..5)])), NOW).await.unwrap();
        let few = board(&[("cmp_1", 1..2)]);
        registry.reconcile(DetectionReport { is_behind: true, ..report(&few) }, NOW).await.unwrap();
        assert_eq!(covered(&registry, &inherits.id).await, ids(1..5), "it may not have come to all of them yet");
        // One that stands no longer may come back within minutes.
        registry.reconcile(report(&board(&[])), NOW).await.unwrap();
        assert_eq!(covered(&registry, &inherits.id).await, ids(1..5));
        registry.undo_response(&inherits.id, undone()).await.unwrap();
        registry.reconcile(report(&board(&[("cmp_1", 1..7)])), NOW).await.unwrap();
        assert_eq!(covered(&registry, &inherits.id).await, ids(1..5), "what is undone grows no more");
    }

    #[tokio::test]
    async fn names_of_campaigns_that_begin_anew_are_of_other_campaigns() {
        let (registry, _folder) = registry(9).await;
        let nothing = board(&[]);
        let first = DetectionReport { source: "folder.1", ..report(&nothing) };
        let block = Response { source: first.source.to_owned(), ..response(cmp_1(), Rung::Shield, Joiners::Inherit) };
        registry.reconcile(DetectionReport { board: &board(&[("cmp_1", 0..3)]), ..first }, NOW).await.unwrap();
        registry.respond(block.clone(), &ids(0..3), ALONE).await.unwrap();
        let second = DetectionReport { source: "folder.2", ..first };
        registry.reconcile(DetectionReport { board: &board(&[("cmp_1", 5..8)]), ..second }, NOW).await.unwrap();
        assert_eq!(covered(&registry, &block.id).await, ids(0..3), "it stays with those whom it was about");
        let suspected: Vec<String> = registry.suspicions().await.iter().map(|said| said.account.to_string()).collect();
        assert_eq!(suspected, ["a5", "a6", "a7"], "what it said before is forgotten");
    }

    #[tokio::test]
    async fn nobody_blocks_more_than_so_many_alone() {
        let (registry, _folder) = registry(9).await;
        let rung = async |account: &str| registry.explain(&account.parse().unwrap(), None, NOW).await.unwrap().0;
        let few = response(cmp_1(), Rung::Block, Joiners::Inherit);
        registry.respond(few.clone(), &ids(0..ALONE as usize), ALONE).await.unwrap();
        assert_eq!(rung("a0").await, Rung::Block, "at the limit");
        registry.reconcile(report(&board(&[("cmp_1", 0..7)])), NOW).await.unwrap();
        assert_eq!(covered(&registry, &few.id).await, ids(0..3), "who joins does not lead beyond it");
        registry.undo_response(&few.id, undone()).await.unwrap();

        let many = response(cmp_1(), Rung::Block, Joiners::Inherit);
        registry.respond(many.clone(), &ids(0..ALONE as usize + 1), ALONE).await.unwrap();
        assert_eq!(rung("a0").await, Rung::None, "beyond it, and nobody else has agreed");
        for same in [" Ann", "ANN "] {
            let same = registry.approve_response(&many.id, same).await;
            assert!(matches!(same, Err(RegistryError::SamePerson(_))), "{same:?}");
        }
        registry.reconcile(report(&board(&[("cmp_1", 0..6)])), NOW).await.unwrap();
        assert_eq!(covered(&registry, &many.id).await, ids(0..6), "it is approved with whom it covers by then");
        registry.approve_response(&many.id, "bob").await.unwrap();
        assert_eq!(rung("a0").await, Rung::Block);
        let again = registry.approve_response(&many.id, "cat").await;
        assert!(matches!(again, Err(RegistryError::NotWanted(_))), "{again:?}");
        registry.reconcile(report(&board(&[("cmp_1", 0..7)])), NOW).await.unwrap();
        assert_eq!(covered(&registry, &many.id).await, ids(0..7));
    }

    #[tokio::test]
    async fn a_rule_responds_once_and_not_where_a_person_took_it_back() {
        let (registry, _folder) = registry(9).await;
        let rule = Rule {
            name: "strong".to_owned(),
            strength: 6,
            probability: 90,
            rung: Rung::Shield,
            assurance: Assurance::None,
            budget: None,
            joiners: Joiners::Inherit,
            shadow: false,
            hours: 1,
            reason: "as agreed".to_owned(),
        };
        let rules = [rule.clone(), Rule { name: "stronger".to_owned(), strength: 7, ..rule }];
        let mut standing = board(&[("cmp_1", 0..3)]);
        standing.campaigns[0].members[2].probability = 0.899;
        let reconcile = async |board: &Board, now| {
            registry.reconcile(DetectionReport { rules: &rules, ..report(board) }, now).await.unwrap()
        };
        reconcile(&standing, NOW).await;
        let [(response, 2)] = &registry.responses().await[..] else { panic!("{:?}", registry.responses().await) };
        assert_eq!((response.author.as_str(), covered(&registry, &response.id).await), ("rule:strong", ids(0..2)));
        standing.campaigns[0].members[2].probability = 0.9;
        reconcile(&standing, NOW).await;
        assert_eq!(registry.responses().await.len(), 1, "once");
        assert_eq!(covered(&registry, &response.id).await, ids(0..3), "who is likely enough by now");
        let later = Time::from_seconds(1_000 + 3_600);
        reconcile(&standing, later).await;
        assert_eq!(registry.responses().await.len(), 2, "anew once it is over");
        for (response, _) in registry.responses().await {
            registry.undo_response(&response.id, undone()).await.unwrap();
        }
        reconcile(&standing, Time::from_seconds(1_000_000)).await;
        assert_eq!(registry.responses().await.len(), 2, "a person took it back");
    }

    #[tokio::test]
    async fn there_is_room_where_something_is_over_and_none_where_all_hold() {
        let (registry, _folder) = registry(1).await;
        let to_a = || Target::Account("a0".parse().unwrap());
        for (rung, limit) in [(Rung::Shield, RESPONSES_MAX), (Rung::ShareBudget, QUOTAS_MAX)] {
            let put = async |responses: Vec<Response>| {
                let entries: Vec<Entry> =
                    responses.iter().map(|response| entry(RESPONSE, response.id.as_str(), response)).collect();
                registry.put(&mut *registry.known.lock().await, &entries).await.unwrap();
            };
            let over = Response { until: Some(NOW), ..response(to_a(), rung, Joiners::Leave) };
            let named = |number| Response { id: format!("rsp_{number}").parse().unwrap(), ..over.clone() };
            put((0..limit).map(named).collect()).await;
            let new = response(to_a(), rung, Joiners::Leave);
            registry.respond(new.clone(), &[], ALONE).await.unwrap();
            let kept = registry.responses().await;
            assert!(kept.len() == limit && kept.iter().any(|(kept, _)| kept.id == new.id), "the oldest made room");
            put(kept.iter().map(|(kept, _)| Response { until: None, ..(**kept).clone() }).collect()).await;
            registry.respond(response(to_a(), rung, Joiners::Leave), &[], ALONE).await.unwrap_err();
            let gone: Vec<Entry> =
                registry.responses().await.iter().map(|(kept, _)| Entry::gone(RESPONSE, kept.id.as_str())).collect();
            registry.put(&mut *registry.known.lock().await, &gone).await.unwrap();
        }
    }

    /// What everybody may do, and which quotas there are.
    async fn state(registry: &Registry, accounts: usize) -> (Vec<(Rung, Vec<Explanation>)>, usize) {
        let mut may = Vec::new();
        for account in ids(0..accounts) {
            may.push(registry.explain(&account, Some("m"), NOW).await.unwrap());
        }
        (may, registry.known.lock().await.quotas().len())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Whatever was taken in whatever order, also while campaigns change, once all of it is undone it is as if nothing had been.
        #[test]
        fn everything_undone_leaves_the_state_as_before(
            steps in prop::collection::vec((1_usize..7, any::<bool>(), any::<bool>(), 0_usize..5, 1_usize..5), 1..6),
            order in any::<u64>(),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (registry, _folder) = registry(6).await;
                let before = state(&registry, 6).await;
                let mut taken = Vec::new();
                for &(rung, one, inherit, from, more) in &steps {
                    let members = ids(from..(from + more).min(6));
                    let target = if one { Target::Account(members[0].clone()) } else { cmp_1() };
                    let joiners = if inherit { Joiners::Inherit } else { Joiners::Leave };
                    let new = response(target, Rung::ALL[rung], joiners);
                    let (response, covers) = registry.respond(new, &members, ALONE).await.unwrap();
                    if response.approval == Approval::Wanted && inherit {
                        registry.approve_response(&response.id, "bob").await.unwrap();
                    }
                    if covers > 0 && response.approval == Approval::Needless && rung > 2 {
                        prop_assert_ne!(&state(&registry, 6).await, &before);
                    }
                    taken.push(response.id.clone());
                    let standing = board(&[("cmp_1", from.saturating_sub(1)..from + 1)]);
                    registry.reconcile(report(&standing), NOW).await.unwrap();
                    registry.reconcile(report(&board(&[])), NOW).await.unwrap();
                }
                while !taken.is_empty() {
                    let id = taken.swap_remove(order as usize % taken.len());
                    registry.undo_response(&id, undone()).await.unwrap();
                }
                prop_assert_eq!(&state(&registry, 6).await, &before);
                Ok(())
            })?;
        }
    }
}
