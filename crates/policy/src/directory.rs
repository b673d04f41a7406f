//! Who there is: accounts, organisations, keys and certificates, found by what a request shows.
//!
//! Promises lookups that take no lock and cost a hash: a directory is changed as a copy of what changed and swapped.
//! Bounded by [`ACCOUNTS_MAX`] and [`KEYS_MAX`].

use std::collections::HashMap;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use crate::account::{Account, Organisation};
use crate::id::{AccountId, KeyId, OrganisationId};
use crate::key::Key;
use crate::limits::{ACCOUNTS_MAX, KEYS_MAX};
use crate::standing::Standing;

type Table<K, V> = HashMap<K, V, Xxh3DefaultBuilder>;

/// Everybody who is known.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    accounts: Table<AccountId, Arc<Account>>,
    organisations: Table<OrganisationId, Arc<Organisation>>,
    keys: Table<Box<str>, Arc<Key>>,
    /// By the thumbprint of a client certificate: SHA-256, base64url.
    certificates: Table<Box<str>, AccountId>,
    /// Measures that were taken against accounts.
    standings: Table<AccountId, Arc<Standing>>,
}

/// A change that has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the directory is full: at most {ACCOUNTS_MAX} accounts and {KEYS_MAX} keys")]
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
    /// A measure was taken against an account.
    Standing(Standing),
    /// It was taken back.
    StandingGone(AccountId),
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
            Change::Standing(standing) => {
                let known = self.standings.contains_key(&standing.account);
                if !known && self.standings.len() >= accounts {
                    return Err(Full);
                }
                self.standings.insert(standing.account.clone(), Arc::new(standing));
            }
            Change::StandingGone(id) => {
                self.standings.remove(&id);
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

    /// The measure that was taken against an account, if any.
    #[must_use]
    pub fn standing(&self, account: &AccountId) -> Option<&Arc<Standing>> {
        self.standings.get(account)
    }

    /// Every measure.
    pub fn standings(&self) -> impl Iterator<Item = &Arc<Standing>> {
        self.standings.values()
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
