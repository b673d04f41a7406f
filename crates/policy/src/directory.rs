//! Who there is: accounts, organisations, keys and certificates, found by what a request shows; and what is said and done about them.
//!
//! Promises lookups that take no lock and cost a hash: a directory is changed as a copy of what changed and swapped.
//! Bounded by [`ACCOUNTS_MAX`], [`KEYS_MAX`] and [`RESPONSES_MAX`].

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::account::{Account, Organisation};
use crate::id::{AccountId, KeyId, OrganisationId, ResponseId};
use crate::key::Key;
use crate::limits::{ACCOUNTS_MAX, KEYS_MAX, RESPONSES_MAX};
use crate::response::{Response, Responses, Target};
use crate::suspicion::Suspicion;

type Table<K, V> = HashMap<K, V, RandomState>;

/// Everybody who is known.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    accounts: Table<AccountId, Arc<Account>>,
    organisations: Table<OrganisationId, Arc<Organisation>>,
    keys: Table<Box<str>, Arc<Key>>,
    /// By the thumbprint of a client certificate: SHA-256, base64url.
    certificates: Table<Box<str>, AccountId>,
    responses: Table<ResponseId, Arc<Response>>,
    /// The responses that cover an account.
    covered: Table<AccountId, Arc<Vec<ResponseId>>>,
    /// The responses that covered an account which has left their campaign since, and may come back.
    left: Table<AccountId, Arc<Vec<ResponseId>>>,
    suspicions: Table<AccountId, Arc<Suspicion>>,
}

/// How a response is about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// It covers it.
    Holds,
    /// The account has left the campaign, and is covered again if it comes back.
    Left,
    /// It has nothing to do with it.
    Gone,
}

/// A change that has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the directory is full: at most {ACCOUNTS_MAX} accounts, {KEYS_MAX} keys and {RESPONSES_MAX} responses")]
pub struct Full;

/// Something that changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// An account is new or different.
    Account(Account),
    /// An organisation is new or different.
    Organisation(Organisation),
    /// A key is new or different.
    Key(Key),
    /// A certificate stands for an account from now on, or for nobody.
    Certificate {
        /// SHA-256 of it, base64url.
        thumbprint: String,
        /// Whose it is.
        account: Option<AccountId>,
    },
    /// A response is new or different.
    Response(Response),
    /// A response is gone; it covers nobody.
    ResponseGone(ResponseId),
    /// A response covers an account from now on, or no longer.
    Covered {
        /// The response.
        response: ResponseId,
        /// The account.
        account: AccountId,
        /// Whether it does: yes, not now, or never.
        cover: Cover,
    },
    /// Detection says something of an account.
    Suspicion(Suspicion),
    /// It says nothing of it any more.
    SuspicionGone(AccountId),
    /// A key is gone.
    KeyGone(KeyId),
    /// An account is gone.
    AccountGone(AccountId),
}

impl Directory {
    /// Takes a change in.
    ///
    /// # Errors
    ///
    /// When there is no room for it.
    pub fn apply(&mut self, change: Change) -> Result<(), Full> {
        self.apply_within(change, ACCOUNTS_MAX, KEYS_MAX)
    }

    fn apply_within(&mut self, change: Change, accounts: usize, keys: usize) -> Result<(), Full> {
        match change {
            Change::Account(account) => {
                let known = self.accounts.contains_key(&account.id);
                if !known && self.accounts.len() >= accounts {
                    return Err(Full);
                }
                self.accounts.insert(account.id.clone(), Arc::new(account));
            }
            Change::Organisation(organisation) => {
                let known = self.organisations.contains_key(&organisation.id);
                if !known && self.organisations.len() >= accounts {
                    return Err(Full);
                }
                self.organisations.insert(organisation.id.clone(), Arc::new(organisation));
            }
            Change::Key(key) => {
                let known = self.keys.contains_key(key.id.as_str());
                if !known && self.keys.len() >= keys {
                    return Err(Full);
                }
                self.keys.insert(key.id.as_str().into(), Arc::new(key));
            }
            Change::Certificate { thumbprint, account: Some(account) } => {
                let known = self.certificates.contains_key(thumbprint.as_str());
                if !known && self.certificates.len() >= keys {
                    return Err(Full);
                }
                self.certificates.insert(thumbprint.into(), account);
            }
            Change::Certificate { thumbprint, account: None } => {
                self.certificates.remove(thumbprint.as_str());
            }
            Change::Response(response) => {
                if !self.responses.contains_key(&response.id) && self.responses.len() >= RESPONSES_MAX {
                    return Err(Full);
                }
                self.responses.insert(response.id.clone(), Arc::new(response));
            }
            Change::ResponseGone(id) => {
                self.responses.remove(&id);
                for table in [&mut self.covered, &mut self.left] {
                    table.values_mut().for_each(|covers| Arc::make_mut(covers).retain(|other| *other != id));
                    table.retain(|_, covers| !covers.is_empty());
                }
            }
            Change::Covered { response, account, cover } => {
                for (table, is_in) in
                    [(&mut self.covered, cover == Cover::Holds), (&mut self.left, cover == Cover::Left)]
                {
                    if is_in {
                        if !table.contains_key(&account) && table.len() >= accounts {
                            return Err(Full);
                        }
                        let covers = Arc::make_mut(table.entry(account.clone()).or_default());
                        if let Err(place) = covers.binary_search(&response) {
                            covers.insert(place, response.clone());
                        }
                    } else if let Some(covers) = table.get_mut(&account) {
                        Arc::make_mut(covers).retain(|other| *other != response);
                        if covers.is_empty() {
                            table.remove(&account);
                        }
                    }
                }
            }
            Change::Suspicion(suspicion) => {
                let known = self.suspicions.contains_key(&suspicion.account);
                if !known && self.suspicions.len() >= accounts {
                    return Err(Full);
                }
                self.suspicions.insert(suspicion.account.clone(), Arc::new(suspicion));
            }
            Change::SuspicionGone(id) => {
                self.suspicions.remove(&id);
            }
            Change::KeyGone(id) => {
                self.keys.remove(id.as_str());
            }
            Change::AccountGone(id) => {
                self.accounts.remove(&id);
            }
        }
        Ok(())
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<&Arc<Account>> {
        self.accounts.get(id)
    }

    /// An organisation.
    #[must_use]
    pub fn organisation(&self, id: &OrganisationId) -> Option<&Arc<Organisation>> {
        self.organisations.get(id)
    }

    /// A key, by its public id.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&Arc<Key>> {
        self.keys.get(id)
    }

    /// Whose a certificate is.
    #[must_use]
    pub fn certificate(&self, thumbprint: &str) -> Option<&AccountId> {
        self.certificates.get(thumbprint)
    }

    /// A response.
    #[must_use]
    pub fn response(&self, id: &ResponseId) -> Option<&Arc<Response>> {
        self.responses.get(id)
    }

    /// Every response.
    pub fn responses(&self) -> impl Iterator<Item = &Arc<Response>> {
        self.responses.values()
    }

    /// The responses that cover an account; of one that is cleared, those to itself only.
    #[must_use]
    pub fn responses_to(&self, account: &AccountId) -> Responses {
        let is_cleared = self.accounts.get(account).is_some_and(|account| account.cleared.is_some());
        let covers = self.covered.get(account).into_iter().flat_map(|covers| covers.iter());
        let responses = covers.filter_map(|id| self.responses.get(id));
        let holds = |response: &&Arc<Response>| !is_cleared || matches!(response.target, Target::Account(_));
        responses.filter(holds).cloned().collect()
    }

    /// Every account that a response covers, each with those that do.
    pub fn covered(&self) -> impl Iterator<Item = (&AccountId, &[ResponseId])> {
        self.covered.iter().map(|(account, covers)| (account, covers.as_slice()))
    }

    /// Every account that has left a campaign, each with the responses that would cover it again.
    pub fn left(&self) -> impl Iterator<Item = (&AccountId, &[ResponseId])> {
        self.left.iter().map(|(account, covers)| (account, covers.as_slice()))
    }

    /// What detection says of an account, if anything.
    #[must_use]
    pub fn suspicion(&self, account: &AccountId) -> Option<&Arc<Suspicion>> {
        self.suspicions.get(account)
    }

    /// The same of an account that is known; nothing of one that is cleared.
    #[must_use]
    pub fn suspicion_of(&self, account: &Account) -> Option<&Arc<Suspicion>> {
        if account.cleared.is_some() { None } else { self.suspicion(&account.id) }
    }

    /// Everything that detection says.
    pub fn suspicions(&self) -> impl Iterator<Item = &Arc<Suspicion>> {
        self.suspicions.values()
    }

    /// Every account.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.accounts.values()
    }

    /// Every organisation.
    pub fn organisations(&self) -> impl Iterator<Item = &Arc<Organisation>> {
        self.organisations.values()
    }

    /// Every key.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.values()
    }

    /// How many accounts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str) -> Change {
        Change::Account(
            serde_json::from_value(serde_json::json!({"id": id, "created": "1970-01-01T00:00:00Z"})).unwrap(),
        )
    }

    #[test]
    fn it_has_a_limit_and_knows_what_is_known() {
        let mut directory = Directory::default();
        assert_eq!(directory.apply_within(account("a"), 2, 1), Ok(()));
        assert_eq!(directory.apply_within(account("b"), 2, 1), Ok(()));
        assert_eq!(directory.apply_within(account("b"), 2, 1), Ok(()), "known already");
        assert_eq!(directory.apply_within(account("c"), 2, 1), Err(Full));
        let certificate = |print: &str, account: Option<&str>| Change::Certificate {
            thumbprint: print.to_owned(),
            account: account.map(|id| id.parse().unwrap()),
        };
        assert_eq!(directory.apply_within(certificate("x", Some("a")), 2, 1), Ok(()));
        assert_eq!(directory.apply_within(certificate("y", Some("a")), 2, 1), Err(Full));
        assert_eq!(directory.certificate("x").map(AccountId::as_str), Some("a"));
        assert_eq!(directory.apply_within(certificate("x", None), 2, 1), Ok(()));
        assert_eq!((directory.certificate("x"), directory.len()), (None, 2));
    }
}
