//! Appeals: what accounts ask, and what is decided.
//!
//! Promises that who is cleared is covered by no response to a campaign and not counted as a member of any from then on, until that is taken back.

use exchange::Time;
use policy::appeal::{Appeal, Ruling};
use policy::response::{Target, Undone};
use policy::{Account, AccountId, AppealId};
use store::control::Entry;

use super::{ACCOUNT, APPEAL, Known, RESPONSE, Registry, RegistryError, entry, missing, random};
use crate::limits::APPEALS_MAX;

impl Registry {
    /// Every appeal, in the order of their ids.
    pub async fn appeals(&self) -> Vec<Appeal> {
        self.known.lock().await.appeals.values().cloned().collect()
    }

    /// Enters an appeal of an account.
    ///
    /// # Errors
    ///
    /// When the account is not there, there is no room, or it cannot be written.
    pub async fn open_appeal(
        &self,
        account: AccountId,
        text: String,
        author: String,
        now: Time,
    ) -> Result<Appeal, RegistryError> {
        let mut known = self.known.lock().await;
        known.directory.account(&account).ok_or_else(|| missing(ACCOUNT, account.as_str()))?;
        let mut entries = Vec::new();
        if known.appeals.len() >= APPEALS_MAX {
            entries.push(without_the_oldest(&known).ok_or(RegistryError::TooManyAppeals)?);
        }
        let [a, b, c, d, e, f, ..] = random()?;
        let number = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let id: AppealId = format!("apl_{number:012x}").parse().map_err(|_| RegistryError::NoRandom)?;
        let appeal = Appeal { id, account, text, author, since: now, ruling: None };
        entries.push(entry(APPEAL, appeal.id.as_str(), &appeal));
        self.put(&mut known, &entries).await?;
        Ok(appeal)
    }

    /// Decides an appeal, also one that was decided otherwise before. Where it is upheld the account is cleared, and responses to the account itself
    /// are undone; where it is not, an account that it cleared is cleared no longer.
    ///
    /// # Errors
    ///
    /// When it or its account is not there, or it cannot be written; then nothing is decided.
    pub async fn decide_appeal(&self, id: &AppealId, ruling: Ruling) -> Result<Appeal, RegistryError> {
        let mut known = self.known.lock().await;
        let mut appeal = known.appeals.get(id.as_str()).cloned().ok_or_else(|| missing(APPEAL, id.as_str()))?;
        let account = known.directory.account(&appeal.account).cloned();
        let account = account.ok_or_else(|| missing(ACCOUNT, appeal.account.as_str()))?;
        let was_upheld = appeal.ruling.as_ref().is_some_and(|before| before.upheld);
        let mut entries = Vec::new();
        if ruling.upheld != was_upheld {
            let cleared = ruling.upheld.then_some(ruling.time);
            let account = Account { cleared, ..(*account).clone() };
            entries.push(entry(ACCOUNT, account.id.as_str(), &account));
        }
        if ruling.upheld {
            let itself = Target::Account(account.id.clone());
            let holds = known.directory.responses_to(&account.id);
            let holds = holds.iter().filter(|response| response.target == itself && response.undone.is_none());
            let undone = Undone { time: ruling.time, author: ruling.author.clone(), reason: ruling.reason.clone() };
            entries.extend(holds.map(|response| {
                let mut response = (**response).clone();
                response.undone = Some(undone.clone());
                entry(RESPONSE, response.id.as_str(), &response)
            }));
        }
        appeal.ruling = Some(ruling);
        entries.push(entry(APPEAL, id.as_str(), &appeal));
        self.put(&mut known, &entries).await?;
        Ok(appeal)
    }
}

/// Makes room by removing the appeal that was rejected longest ago; none where none was.
fn without_the_oldest(known: &Known) -> Option<Entry> {
    let decided = known.appeals.values().filter_map(|appeal| {
        let ruling = appeal.ruling.as_ref().filter(|ruling| !ruling.upheld)?;
        Some((ruling.time, &appeal.id))
    });
    decided.min().map(|(_, id)| Entry::gone(APPEAL, id.as_str()))
}

#[cfg(test)]
mod tests {
    use policy::Rung;
    use serde_json::json;
    use store::control::Control;
    use watch::{Board, Campaign, Member};

    use super::*;
    use crate::registry::responses::DetectionReport;

    const NOW: Time = Time::from_seconds(1_000);

    fn ruling(upheld: bool) -> Ruling {
        Ruling { upheld, author: "bob".into(), reason: "a class".into(), time: NOW }
    }

    fn report(board: &Board) -> DetectionReport<'_> {
        DetectionReport { board, source: "f.1", block_alone_max: 9, rules: &[], is_behind: false }
    }

    #[tokio::test]
    async fn who_is_cleared_is_covered_by_nothing_that_was_taken_for_a_campaign_until_that_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open_file(&folder.path().join("control.db")).await.unwrap();
        let registry = Registry::open(control, [7; 32], Vec::new()).await.unwrap();
        let ids: Vec<AccountId> = ["a", "b"].map(|id| id.parse().unwrap()).into();
        for id in &ids {
            let account = json!({"id": id, "created": "1970-01-01T00:00:00Z"});
            registry.add_account(serde_json::from_value(account).unwrap()).await.unwrap();
        }
        let members = ids.iter().map(|id| Member { account: id.as_str().into(), probability: 0.99 }).collect();
        let board = Board {
            campaigns: vec![Campaign {
                id: "cmp_1".into(),
                since: NOW,
                log10_e: 9.0,
                log10_threshold: 4.0,
                rival: String::new(),
                members,
            }],
            ..Board::default()
        };
        registry.reconcile(report(&board), NOW).await.unwrap();
        for target in [json!({"campaign": "cmp_1"}), json!({"account": "a"})] {
            let response = json!({"id": Registry::response_id().unwrap(), "target": target, "rung": "block", "joiners": "inherit",
                "since": "1970-01-01T00:00:00Z", "reason": "x", "author": "ann", "source": "f.1"});
            registry.respond(serde_json::from_value(response).unwrap(), &ids, 9).await.unwrap();
        }
        let rung = async |id: &str| {
            let known = registry.known.lock().await;
            known.directory.responses_to(&id.parse().unwrap()).force(NOW).rung
        };
        assert_eq!((rung("a").await, rung("b").await), (Rung::Block, Rung::Block));

        let appeal = registry.open_appeal("a".parse().unwrap(), "we teach".into(), "ann".into(), NOW).await.unwrap();
        assert_eq!(rung("a").await, Rung::Block, "nothing is decided");
        registry.decide_appeal(&appeal.id, ruling(true)).await.unwrap();
        assert_eq!((rung("a").await, rung("b").await), (Rung::None, Rung::Block));
        assert!(registry.blocked(NOW).await.iter().all(|id| id.as_str() == "b"));
        let is_suspected = async || {
            let known = registry.known.lock().await;
            let account = known.directory.account(&"a".parse().unwrap()).cloned().unwrap();
            known.directory.suspicion_of(&account).is_some()
        };
        assert!(!is_suspected().await);
        // Detection still counts it, as it may for some seconds.
        registry.reconcile(report(&board), NOW).await.unwrap();
        assert_eq!(rung("a").await, Rung::None);

        registry.decide_appeal(&appeal.id, ruling(false)).await.unwrap();
        registry.reconcile(report(&board), NOW).await.unwrap();
        assert_eq!(rung("a").await, Rung::Block, "it is a member as before");
        assert!(is_suspected().await);
        assert_eq!(registry.appeals().await.len(), 1);
    }

    #[tokio::test]
    async fn appeals_have_a_limit_and_what_waits_or_clears_stays() {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open_file(&folder.path().join("control.db")).await.unwrap();
        let registry = Registry::open(control, [7; 32], Vec::new()).await.unwrap();
        let account = json!({"id": "a", "created": "1970-01-01T00:00:00Z"});
        registry.add_account(serde_json::from_value(account).unwrap()).await.unwrap();
        let open = async || registry.open_appeal("a".parse().unwrap(), "x".into(), "ann".into(), NOW).await;
        let first = open().await.unwrap();
        let entries: Vec<Entry> = (1..APPEALS_MAX)
            .map(|n| {
                let id: AppealId = format!("apl_{n}").parse().unwrap();
                entry(APPEAL, id.as_str(), &Appeal { id: id.clone(), ..first.clone() })
            })
            .collect();
        registry.put(&mut *registry.known.lock().await, &entries).await.unwrap();
        assert!(matches!(open().await, Err(RegistryError::TooManyAppeals)));
        registry.decide_appeal(&first.id, ruling(true)).await.unwrap();
        assert!(matches!(open().await, Err(RegistryError::TooManyAppeals)), "it clears somebody");
        registry.decide_appeal(&first.id, ruling(false)).await.unwrap();
        open().await.unwrap();
        assert_eq!(registry.appeals().await.len(), APPEALS_MAX);
    }
}
