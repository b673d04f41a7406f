//! Accounts, organisations, keys, responses, policies and quotas: kept in the database, and known to the gate.
//!
//! Every change is written first and known afterwards. What other processes write is asked for ([`Registry::refresh`]).
//! While the database is away the gate goes on with what it knew last, for the time that the gateway's settings name;
//! changes fail, and [`Registry::age`] tells for how long.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use alert::Notice;
use exchange::Time;
use gateway::gate::Gate;
use policy::appeal::Appeal;
use policy::directory::{Change, Cover, Directory, Full};
use policy::key::{ADMIN_BRAND, BRAND, Keys, RANDOM_BYTES, Secret};
use policy::policies::{BadPolicies, DEFAULT, Explanation, Subject};
use policy::quota::{Of, Quota, QuotaId, TooManyQuotas};
use policy::response::Budget;
use policy::{
    Account, AccountId, Binding, Key, KeyHash, KeyId, Organisation, OrganisationId, Policies, ResponseId, Rung, Scope,
    Status,
};
use serde::de::DeserializeOwned;
use store::control::{Changes, Control, ControlError, Entry, Place};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use policy::limits::QUOTAS_MAX;
use verify::entry::Statement;

use crate::case::Case;
use crate::journal;
use crate::kind::{
    ACCOUNT, ALERT, APPEAL, CASE, CERTIFICATE, COVER, KEY, ORGANISATION, PEPPER, PERSON, POLICIES, POLICY_VERSION,
    QUOTA, RESPONSE, SCHEDULE, SUSPICION, USE, VIEW, VISIT,
};
use crate::limits::{
    APPEALS_MAX, CASES_MAX, NOTES_MAX, PASSKEYS_EACH_MAX, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, PEOPLE_MAX,
    SCHEDULES_MAX, USES_MAX, VIEWS_EACH_MAX,
};
use crate::person::Person;
use crate::schedule::Schedule;
use crate::version::Version;

pub mod appeals;
pub mod cases;
pub mod people;
pub mod responses;
pub mod schedules;
pub mod versions;
pub mod views;

/// Who there is. Clones are the same registry.
#[derive(Clone, Debug)]
pub struct Registry {
    control: Control,
    gate: Arc<Gate>,
    keys: Arc<Keys>,
    known: Arc<AsyncMutex<Known>>,
    uses: Arc<Mutex<HashMap<String, Time>>>,
}

#[derive(Debug)]
struct Known {
    directory: Arc<Directory>,
    policies: Arc<Policies>,
    /// Whether the operator applied them.
    are_applied: bool,
    quotas: BTreeMap<String, Quota>,
    appeals: BTreeMap<String, Appeal>,
    people: BTreeMap<String, Person>,
    cases: BTreeMap<String, Case>,
    /// Policies that were applied, by their numbers.
    versions: BTreeMap<u64, Version>,
    /// Views that people saved, by whose they are and by their names.
    views: BTreeMap<String, BTreeMap<String, String>>,
    /// Hunts that are run again and again, by their ids.
    schedules: BTreeMap<String, Schedule>,
    /// When people were last in the console, by their names.
    visits: BTreeMap<String, Time>,
    /// When keys were last used, by their ids.
    uses: HashMap<String, Time>,
    /// The hash, as it is here, of a key that nobody has.
    pepper: Option<KeyHash>,
    revision: i64,
    /// That the database went back, until it is told.
    went_back: Option<WentBack>,
}

/// Why something cannot be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// There is no such thing.
    #[error("there is no {kind} `{id}`")]
    Missing {
        /// What sort of thing.
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// There is one already.
    #[error("there is already this {kind}: `{id}`")]
    Taken {
        /// What sort of thing.
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// Nobody waits for an approval.
    #[error("the response `{0}` waits for nobody's approval")]
    NotWanted(ResponseId),
    /// The second person is the first.
    #[error("`{0}` took this response; somebody else has to approve it")]
    SamePerson(String),
    /// It was taken back before.
    #[error("the response `{0}` is undone already")]
    Undone(ResponseId),
    /// It no longer holds.
    #[error("the key `{0}` no longer holds")]
    Lapsed(KeyId),
    /// There is no room.
    #[error(transparent)]
    Full(#[from] Full),
    /// Policies that cannot be used.
    #[error(transparent)]
    BadPolicies(#[from] BadPolicies),
    /// There are too many appeals, all of which wait or clear somebody.
    #[error("there are {APPEALS_MAX} appeals, all of which wait for a decision or were upheld")]
    TooManyAppeals,
    /// There are too many cases.
    #[error("there are {CASES_MAX} cases, none of which is closed")]
    TooManyCases,
    /// Somebody has too many views.
    #[error("you have {VIEWS_EACH_MAX} views, which is the most; remove one first")]
    TooManyViews,
    /// Somebody has too many passkeys.
    #[error("{PASSKEYS_EACH_MAX} passkeys are the most that somebody has; remove one first")]
    TooManyPasskeys,
    /// There are too many schedules.
    #[error("there are {SCHEDULES_MAX} schedules, which is the most; remove one first")]
    TooManySchedules,
    /// A case has too many notes.
    #[error("the case `{0}` has {NOTES_MAX} notes, which is the most; open another one")]
    TooManyNotes(String),
    /// There are too many people.
    #[error("{PEOPLE_MAX} people may sign in, which is the most")]
    TooManyPeople,
    /// Nobody would be left who manages people.
    #[error("`{0}` is the last who may manage people; make somebody else `admin` first")]
    LastAdmin(String),
    /// A password that somebody chose.
    #[error("expected a password of {PASSWORD_CHARS_MIN} characters or more, and at most {PASSWORD_BYTES_MAX} bytes")]
    BadPassword,
    /// There are too many quotas.
    #[error(transparent)]
    TooManyQuotas(#[from] TooManyQuotas),
    /// The database failed.
    #[error("the database cannot be used now")]
    Control(#[from] ControlError),
    /// The database holds something that this version cannot read.
    #[error("the database holds the {kind} `{id}`, which cannot be read: {reason}")]
    Unreadable {
        /// What sort of thing.
        kind: String,
        /// Its id.
        id: String,
        /// Why.
        reason: String,
    },
    /// No key of the database would work here.
    #[error(
        "the keys in the database are hashed with another pepper; expected a copy of `key-pepper` of the gateway that \
         made them, in the data folder or named by `key_pepper_file`"
    )]
    OtherPepper,
    /// The machine gives no random bytes.
    #[error("no random bytes can be had")]
    NoRandom,
}

/// The database has less than it had, an older copy of itself most likely. What it has now holds, and nothing else: also keys
/// that were revoked since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WentBack {
    /// The revision that it had.
    pub from: i64,
    /// The one that it had then.
    pub to: i64,
}

/// What a new key is for.
#[derive(Debug)]
pub struct NewKey {
    /// Whose it is.
    pub account: AccountId,
    /// A name for people.
    pub name: String,
    /// What it may be used for.
    pub scope: Scope,
    /// What its holder must prove besides.
    pub binding: Option<Binding>,
    /// Until when it holds.
    pub expires: Option<Time>,
}

impl Registry {
    /// Reads everything there is, and makes a gate that knows it. `pepper` is what hashes of keys are keyed with; see
    /// [`Gate::new`] for `origins`.
    ///
    /// # Errors
    ///
    /// When the database cannot be read, or holds something that cannot, or keys that are hashed with another pepper.
    pub async fn open(control: Control, pepper: [u8; 32], origins: Vec<String>) -> Result<Registry, RegistryError> {
        let mut known = Known::nothing()?;
        known.learn(&control).await?;
        // Of a key without any random, which no account has.
        let (_, _, pepper_hash) = Keys::new(pepper).mint(BRAND, [0; RANDOM_BYTES]);
        if known.pepper.is_none() {
            control.put(&[entry(PEPPER, "hash", &pepper_hash)]).await?;
            known.learn(&control).await?;
        }
        if known.pepper != Some(pepper_hash) {
            return Err(RegistryError::OtherPepper);
        }
        let (directory, policies) = (Arc::clone(&known.directory), Arc::clone(&known.policies));
        let gate = Arc::new(Gate::new(directory, Keys::new(pepper), origins, policies));
        gate.quotas().replace(known.quotas())?;
        let known = Arc::new(AsyncMutex::new(known));
        Ok(Registry { control, gate, keys: Arc::new(Keys::new(pepper)), known, uses: Arc::default() })
    }

    /// The same, with whatever it changes put down as done by somebody who is known by name.
    #[must_use]
    pub fn by(&self, person: &str) -> Registry {
        Registry { control: self.control.by(person), ..self.clone() }
    }

    /// The gate that knows who is in it.
    #[must_use]
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Learns what other processes changed; says, once, that the database went back.
    ///
    /// # Errors
    ///
    /// When the database cannot be read; then everything stays as it was.
    pub async fn refresh(&self) -> Result<Option<WentBack>, RegistryError> {
        let mut known = self.known.lock().await;
        self.learn(&mut known).await?;
        Ok(known.went_back.take())
    }

    /// How long ago the database last confirmed what is known.
    #[must_use]
    pub fn age(&self) -> std::time::Duration {
        self.gate.freshness().age(Instant::now())
    }

    /// Everybody, in the order of their ids.
    pub async fn accounts(&self) -> Vec<Arc<Account>> {
        let directory = self.directory().await;
        let mut accounts: Vec<Arc<Account>> = directory.accounts().cloned().collect();
        accounts.sort_by(|one, other| one.id.cmp(&other.id));
        accounts
    }

    /// The revision of what is known: greater after every change.
    pub async fn revision(&self) -> i64 {
        self.known.lock().await.revision
    }

    /// The keys that are asked for, in no order, each with its last use.
    pub async fn keys(&self, is_asked: impl Fn(&Key) -> bool) -> Vec<(Arc<Key>, Option<Time>)> {
        let known = self.known.lock().await;
        let waiting = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let used = |key: &Arc<Key>| waiting.get(key.id.as_str()).max(known.uses.get(key.id.as_str())).copied();
        let asked = known.directory.keys().filter(|key| is_asked(key));
        asked.map(|key| (Arc::clone(key), used(key))).collect()
    }

    /// One account.
    ///
    /// # Errors
    ///
    /// When there is none of that id.
    pub async fn account(&self, id: &AccountId) -> Result<Arc<Account>, RegistryError> {
        let directory = self.directory().await;
        directory.account(id).cloned().ok_or_else(|| missing(ACCOUNT, id.as_str()))
    }

    /// Adds an account.
    ///
    /// # Errors
    ///
    /// When its id is taken, its organisation is not there, or it cannot be written.
    pub async fn add_account(&self, account: Account) -> Result<Arc<Account>, RegistryError> {
        let mut known = self.known.lock().await;
        if known.directory.account(&account.id).is_some() {
            return Err(RegistryError::Taken { kind: ACCOUNT, id: account.id.to_string() });
        }
        self.put_account(&mut known, account).await
    }

    /// Adds the accounts of these that are not known.
    ///
    /// # Errors
    ///
    /// When they cannot be written, or there is no room for all of them; then none is added.
    pub async fn add_missing(&self, accounts: Vec<Account>) -> Result<(), RegistryError> {
        let mut known = self.known.lock().await;
        let missing = accounts.iter().filter(|account| known.directory.account(&account.id).is_none());
        let entries: Vec<Entry> = missing.map(|account| entry(ACCOUNT, account.id.as_str(), account)).collect();
        if entries.is_empty() { Ok(()) } else { self.put(&mut known, &entries).await }
    }

    /// Changes an account.
    ///
    /// # Errors
    ///
    /// When it is not there, its organisation is not there, or it cannot be written.
    pub async fn change_account(
        &self,
        id: &AccountId,
        change: impl FnOnce(&mut Account),
    ) -> Result<Arc<Account>, RegistryError> {
        let mut known = self.known.lock().await;
        let mut account = known.directory.account(id).map(|account| (**account).clone());
        let account = account.as_mut().ok_or_else(|| missing(ACCOUNT, id.as_str()))?;
        change(account);
        account.id = id.clone();
        self.put_account(&mut known, account.clone()).await
    }

    /// Closes an account for good.
    ///
    /// # Errors
    ///
    /// As [`Registry::change_account`].
    pub async fn close_account(&self, id: &AccountId) -> Result<Arc<Account>, RegistryError> {
        self.change_account(id, |account| account.status = Status::Closed).await
    }

    /// Adds or changes an organisation.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub async fn put_organisation(&self, organisation: Organisation) -> Result<(), RegistryError> {
        let mut known = self.known.lock().await;
        self.put(&mut known, &[entry(ORGANISATION, organisation.id.as_str(), &organisation)]).await
    }

    /// Every organisation, in the order of their ids.
    pub async fn organisations(&self) -> Vec<Arc<Organisation>> {
        let directory = self.directory().await;
        let mut organisations: Vec<Arc<Organisation>> = directory.organisations().cloned().collect();
        organisations.sort_by(|one, other| one.id.cmp(&other.id));
        organisations
    }

    /// Says whose a client certificate is, by its SHA-256 thumbprint in base64url; nobody's without an account.
    ///
    /// # Errors
    ///
    /// When the account is not there, or it cannot be written.
    pub async fn put_certificate(&self, thumbprint: &str, account: Option<&AccountId>) -> Result<(), RegistryError> {
        let mut known = self.known.lock().await;
        let entry = match account {
            Some(account) => {
                known.directory.account(account).ok_or_else(|| missing(ACCOUNT, account.as_str()))?;
                entry(CERTIFICATE, thumbprint, account)
            }
            None => Entry::gone(CERTIFICATE, thumbprint),
        };
        self.put(&mut known, &[entry]).await
    }

    /// Makes a key. The secret is in what is returned, and nowhere else.
    ///
    /// # Errors
    ///
    /// When its account is not there or closed, or it cannot be written.
    pub async fn add_key(&self, new: NewKey, now: Time) -> Result<(Key, Secret), RegistryError> {
        let mut known = self.known.lock().await;
        let account = known.directory.account(&new.account);
        if account.is_none_or(|account| account.status == Status::Closed) {
            return Err(missing("open account", new.account.as_str()));
        }
        let (key, secret) = self.mint(new, now)?;
        self.put(&mut known, &[entry(KEY, key.id.as_str(), &key)]).await?;
        Ok((key, secret))
    }

    /// Makes a key that takes the place of another, which ends at `until`.
    ///
    /// # Errors
    ///
    /// When it is not there or holds no longer, or it cannot be written.
    pub async fn rotate_key(&self, id: &KeyId, until: Time, now: Time) -> Result<(Key, Secret), RegistryError> {
        let mut known = self.known.lock().await;
        let mut old =
            known.directory.key(id.as_str()).map(|key| (**key).clone()).ok_or_else(|| missing(KEY, id.as_str()))?;
        if old.lapsed(now).is_some() {
            return Err(RegistryError::Lapsed(id.clone()));
        }
        let new = NewKey {
            account: old.account.clone(),
            name: old.name.clone(),
            scope: old.scope.clone(),
            binding: old.binding.clone(),
            expires: old.expires,
        };
        let (mut key, secret) = self.mint(new, now)?;
        key.replaces = Some(id.clone());
        old.expires = Some(old.expires.map_or(until, |expires| expires.min(until)));
        let both = [entry(KEY, old.id.as_str(), &old), entry(KEY, key.id.as_str(), &key)];
        self.put(&mut known, &both).await?;
        Ok((key, secret))
    }

    /// Ends a key now.
    ///
    /// # Errors
    ///
    /// When it is not there, or it cannot be written.
    pub async fn revoke_key(&self, id: &KeyId, now: Time) -> Result<Key, RegistryError> {
        let mut known = self.known.lock().await;
        let mut key =
            known.directory.key(id.as_str()).map(|key| (**key).clone()).ok_or_else(|| missing(KEY, id.as_str()))?;
        key.revoked = Some(key.revoked.map_or(now, |revoked| revoked.min(now)));
        self.put(&mut known, &[entry(KEY, key.id.as_str(), &key)]).await?;
        Ok(key)
    }

    /// The policies that hold, and whether the operator applied them.
    pub async fn policies(&self) -> (Arc<Policies>, bool) {
        let known = self.known.lock().await;
        (Arc::clone(&known.policies), known.are_applied)
    }

    /// Why an account may do each action with `model` at `now`, or not.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub async fn explain(
        &self,
        id: &AccountId,
        model: Option<&str>,
        now: Time,
    ) -> Result<(Rung, Vec<Explanation>), RegistryError> {
        let (directory, policies) = {
            let known = self.known.lock().await;
            (Arc::clone(&known.directory), Arc::clone(&known.policies))
        };
        let account = directory.account(id).ok_or_else(|| missing(ACCOUNT, id.as_str()))?;
        let subject = Subject::of(account, &directory, model, now);
        Ok((subject.force.rung, policies.explain(&subject)))
    }

    /// Every quota, in the order of their names.
    pub async fn quotas(&self) -> Vec<Quota> {
        self.known.lock().await.quotas.values().cloned().collect()
    }

    /// Adds or changes a quota.
    ///
    /// # Errors
    ///
    /// When there are too many, or it cannot be written.
    pub async fn put_quota(&self, quota: &Quota) -> Result<(), RegistryError> {
        let mut known = self.known.lock().await;
        let is_new = !known.quotas.contains_key(quota.id.as_str());
        if is_new && known.quotas().len() >= QUOTAS_MAX {
            return Err(TooManyQuotas.into());
        }
        self.put(&mut known, &[entry(QUOTA, quota.id.as_str(), quota)]).await
    }

    /// A quota holds no longer.
    ///
    /// # Errors
    ///
    /// When it is not there, or it cannot be written.
    pub async fn remove_quota(&self, id: &QuotaId) -> Result<(), RegistryError> {
        let mut known = self.known.lock().await;
        if !known.quotas.contains_key(id.as_str()) {
            return Err(missing(QUOTA, id.as_str()));
        }
        self.put(&mut known, &[Entry::gone(QUOTA, id.as_str())]).await
    }

    /// Takes note that a key was used.
    pub fn used(&self, key: &str, time: Time) {
        let Ok(mut uses) = self.uses.lock() else { return };
        if let Some(last) = uses.get_mut(key) {
            *last = time.max(*last);
        } else if uses.len() < USES_MAX {
            uses.insert(key.to_owned(), time);
        }
    }

    /// Writes down when keys were used.
    ///
    /// # Errors
    ///
    /// When it cannot be written; then it is tried again with the next ones.
    pub async fn save_uses(&self) -> Result<(), RegistryError> {
        let uses = self.uses.lock().map(|uses| uses.clone()).unwrap_or_default();
        if uses.is_empty() {
            return Ok(());
        }
        let entries: Vec<Entry> = uses.iter().map(|(key, time)| entry(USE, key, time)).collect();
        self.put(&mut *self.known.lock().await, &entries).await?;
        if let Ok(mut waiting) = self.uses.lock() {
            waiting.retain(|key, time| uses.get(key) != Some(time));
        }
        Ok(())
    }

    /// Makes the admin credential: what is kept by whoever runs the gateway, and its hash.
    ///
    /// # Errors
    ///
    /// When no random bytes can be had.
    pub fn mint_admin(pepper: [u8; 32]) -> Result<(Secret, KeyHash), RegistryError> {
        let (_, secret, hash) = Keys::new(pepper).mint(ADMIN_BRAND, random()?);
        Ok((secret, hash))
    }

    /// Has it put down that a destination is told of a campaign.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn put_alert(&self, destination: &str, notice: &Notice) -> Result<(), RegistryError> {
        let entry = entry(ALERT, &format!("{destination}/{}", notice.campaign), notice);
        self.put(&mut *self.known.lock().await, &[entry]).await
    }

    /// What was changed and is not in the ledger yet, and up to where that is.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn journal(&self) -> Result<Option<(Vec<Statement>, Place)>, RegistryError> {
        let changes = self.control.journal().await?;
        Ok(changes.last().map(|last| (journal::statements(&changes), last.place)))
    }

    /// Says that changes up to `place` are in the ledger.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn taken_down(&self, place: Place) -> Result<(), RegistryError> {
        Ok(self.control.forget(place).await?)
    }

    /// Everybody and everything that is known, as it is now.
    pub async fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.known.lock().await.directory)
    }

    fn mint(&self, new: NewKey, now: Time) -> Result<(Key, Secret), RegistryError> {
        let (id, secret, hash) = self.keys.mint(BRAND, random()?);
        let NewKey { account, name, scope, binding, expires } = new;
        let key = Key { id, account, name, hash, scope, binding, created: now, expires, revoked: None, replaces: None };
        Ok((key, secret))
    }

    async fn put_account(&self, known: &mut Known, account: Account) -> Result<Arc<Account>, RegistryError> {
        if let Some(id) = &account.organisation {
            self.organisation(known, id)?;
        }
        let id = account.id.clone();
        self.put(known, &[entry(ACCOUNT, id.as_str(), &account)]).await?;
        known.directory.account(&id).cloned().ok_or_else(|| missing(ACCOUNT, id.as_str()))
    }

    fn organisation(&self, known: &Known, id: &OrganisationId) -> Result<(), RegistryError> {
        known.directory.organisation(id).map(|_| ()).ok_or_else(|| missing(ORGANISATION, id.as_str()))
    }

    /// Writes, and then knows.
    async fn put(&self, known: &mut Known, entries: &[Entry]) -> Result<(), RegistryError> {
        // What has no room must not be written either.
        changed(&known.directory, entries)?;
        self.control.put(entries).await?;
        self.learn(known).await
    }

    async fn learn(&self, known: &mut Known) -> Result<(), RegistryError> {
        let (revision, asked) = (known.revision, Instant::now());
        known.learn(&self.control).await?;
        if known.revision != revision {
            self.gate.replace(Arc::clone(&known.directory));
            self.gate.permits().replace(Arc::clone(&known.policies));
            self.gate.quotas().replace(known.quotas())?;
        }
        self.gate.freshness().confirm(asked);
        Ok(())
    }
}

impl Known {
    fn nothing() -> Result<Known, BadPolicies> {
        Ok(Known {
            directory: Arc::default(),
            policies: Arc::new(Policies::parse(DEFAULT)?),
            are_applied: false,
            pepper: None,
            quotas: BTreeMap::new(),
            appeals: BTreeMap::new(),
            people: BTreeMap::new(),
            cases: BTreeMap::new(),
            versions: BTreeMap::new(),
            views: BTreeMap::new(),
            schedules: BTreeMap::new(),
            visits: BTreeMap::new(),
            uses: HashMap::default(),
            revision: 0,
            went_back: None,
        })
    }

    /// All that hold: those that were set, and those of responses that have accounts share a budget.
    fn quotas(&self) -> Vec<Quota> {
        let shared = self.directory.responses().filter_map(|response| {
            let Budget { unit, amount, per } = response.budget.filter(|_| response.undone.is_none())?;
            let id = response.id.as_str().parse().ok()?;
            Some(Quota { id, of: Of::Response(response.id.clone()), unit, amount, per, except_high_rate: false })
        });
        self.quotas.values().cloned().chain(shared).collect()
    }

    async fn learn(&mut self, control: &Control) -> Result<(), RegistryError> {
        let changes = control.since(self.revision).await?;
        if !changes.are_all {
            return self.take_up(changes);
        }
        let mut anew = Known::nothing()?;
        anew.take_up(changes)?;
        anew.went_back = Some(WentBack { from: self.revision, to: anew.revision });
        *self = anew;
        Ok(())
    }

    fn take_up(&mut self, changes: Changes) -> Result<(), RegistryError> {
        if changes.entries.is_empty() {
            self.revision = changes.revision;
            return Ok(());
        }
        if let Some(directory) = changed(&self.directory, &changes.entries)? {
            self.directory = Arc::new(directory);
        }
        for entry in &changes.entries {
            match entry.kind.as_str() {
                QUOTA => {
                    match &entry.body {
                        Some(body) => self.quotas.insert(entry.id.clone(), parsed(entry, body)?),
                        None => self.quotas.remove(&entry.id),
                    };
                }
                APPEAL => {
                    match &entry.body {
                        Some(body) => self.appeals.insert(entry.id.clone(), parsed(entry, body)?),
                        None => self.appeals.remove(&entry.id),
                    };
                }
                CASE => {
                    match &entry.body {
                        Some(body) => self.cases.insert(entry.id.clone(), parsed(entry, body)?),
                        None => self.cases.remove(&entry.id),
                    };
                }
                PERSON => {
                    match &entry.body {
                        Some(body) => self.people.insert(entry.id.clone(), parsed(entry, body)?),
                        None => self.people.remove(&entry.id),
                    };
                }
                POLICIES => {
                    let text = entry.body.as_ref().map(|body| parsed::<String>(entry, body)).transpose()?;
                    let policies = Policies::parse(text.as_deref().unwrap_or(DEFAULT));
                    let unreadable = |error: BadPolicies| unreadable(entry, error.to_string());
                    (self.policies, self.are_applied) = (Arc::new(policies.map_err(unreadable)?), text.is_some());
                }
                POLICY_VERSION => {
                    let number = entry.id.parse().map_err(|_| unreadable(entry, "its id is no number".to_owned()))?;
                    match &entry.body {
                        Some(body) => self.versions.insert(number, parsed(entry, body)?),
                        None => self.versions.remove(&number),
                    };
                }
                PEPPER => {
                    self.pepper = entry.body.as_ref().map(|body| parsed(entry, body)).transpose()?;
                }
                VIEW => {
                    let (person, name) =
                        entry.id.split_once('\n').ok_or_else(|| unreadable(entry, "its id is none".to_owned()))?;
                    let own = self.views.entry(person.to_owned()).or_default();
                    match &entry.body {
                        Some(body) => own.insert(name.to_owned(), parsed(entry, body)?),
                        None => own.remove(name),
                    };
                }
                SCHEDULE => {
                    match &entry.body {
                        Some(body) => self.schedules.insert(entry.id.clone(), parsed(entry, body)?),
                        None => self.schedules.remove(&entry.id),
                    };
                }
                VISIT => {
                    match &entry.body {
                        Some(body) => self.visits.insert(entry.id.clone(), parsed(entry, body)?),
                        None => self.visits.remove(&entry.id),
                    };
                }
                USE => {
                    if let Some(body) = &entry.body {
                        self.uses.insert(entry.id.clone(), parsed(entry, body)?);
                    }
                }
                _ => {}
            }
        }
        self.revision = changes.revision;
        Ok(())
    }
}

/// The directory with what entries change in it; none where they change nothing.
fn changed(directory: &Directory, entries: &[Entry]) -> Result<Option<Directory>, RegistryError> {
    let changes: Vec<Change> =
        entries.iter().filter_map(|entry| change(entry).transpose()).collect::<Result<_, _>>()?;
    if changes.is_empty() {
        return Ok(None);
    }
    let mut changed = directory.clone();
    changes.into_iter().try_for_each(|change| changed.apply(change))?;
    Ok(Some(changed))
}

/// What an entry changes in the directory; nothing where its kind is kept for something else.
fn change(entry: &Entry) -> Result<Option<Change>, RegistryError> {
    let id = || unreadable(entry, "its id is none".to_owned());
    Ok(Some(match (entry.kind.as_str(), &entry.body) {
        (ACCOUNT, Some(body)) => Change::Account(parsed(entry, body)?),
        (ACCOUNT, None) => Change::AccountGone(entry.id.parse().map_err(|_| id())?),
        (ORGANISATION, Some(body)) => Change::Organisation(parsed(entry, body)?),
        (RESPONSE, Some(body)) => Change::Response(parsed(entry, body)?),
        (RESPONSE, None) => Change::ResponseGone(entry.id.parse().map_err(|_| id())?),
        (COVER, body) => {
            let (response, account) = covered(entry).ok_or_else(id)?;
            let cover = match body {
                Some(body) if parsed::<bool>(entry, body)? => Cover::Holds,
                Some(_) => Cover::Left,
                None => Cover::Gone,
            };
            Change::Covered { response, account, cover }
        }
        (SUSPICION, Some(body)) => Change::Suspicion(parsed(entry, body)?),
        (SUSPICION, None) => Change::SuspicionGone(entry.id.parse().map_err(|_| id())?),
        (KEY, Some(body)) => Change::Key(parsed(entry, body)?),
        (KEY, None) => Change::KeyGone(entry.id.parse().map_err(|_| id())?),
        (CERTIFICATE, Some(body)) => {
            Change::Certificate { thumbprint: entry.id.clone(), account: Some(parsed(entry, body)?) }
        }
        (CERTIFICATE, None) => Change::Certificate { thumbprint: entry.id.clone(), account: None },
        _ => return Ok(None),
    }))
}

/// Which response covers which account, as an entry says it.
fn covered(entry: &Entry) -> Option<(ResponseId, AccountId)> {
    let (response, account) = entry.id.split_once('/')?;
    Some((response.parse().ok()?, account.parse().ok()?))
}

fn parsed<T: DeserializeOwned>(entry: &Entry, body: &str) -> Result<T, RegistryError> {
    serde_json::from_str(body).map_err(|error| unreadable(entry, error.to_string()))
}

fn unreadable(entry: &Entry, reason: String) -> RegistryError {
    RegistryError::Unreadable { kind: entry.kind.clone(), id: entry.id.clone(), reason }
}

fn entry(kind: &str, id: &str, what: &impl serde::Serialize) -> Entry {
    // What is kept here are our own types, which are written without fail.
    Entry::new(kind, id, serde_json::to_string(what).unwrap_or_default())
}

fn missing(kind: &'static str, id: &str) -> RegistryError {
    RegistryError::Missing { kind, id: id.to_owned() }
}

fn random() -> Result<[u8; RANDOM_BYTES], RegistryError> {
    let mut random = [0; RANDOM_BYTES];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| RegistryError::NoRandom)?;
    Ok(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The database of a standby that was behind, or one that was restored.
    #[tokio::test]
    async fn what_an_older_copy_of_the_database_has_holds_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (now, older) = (folder.path().join("control.db"), folder.path().join("older.db"));
        let account =
            |id: &str| Entry::new(ACCOUNT, id, format!(r#"{{"id":"{id}","created":"1970-01-01T00:00:00Z"}}"#));
        let control = Control::open_file(&now).await.unwrap();
        control.put(&[account("a")]).await.unwrap();
        control.close().await;
        std::fs::copy(&now, &older).unwrap();
        let control = Control::open_file(&now).await.unwrap();
        control.put(&[account("b")]).await.unwrap();
        control.put(&[account("c")]).await.unwrap();
        let mut known = Known::nothing().unwrap();
        let ids = |known: &Known| {
            let mut ids: Vec<String> = known.directory.accounts().map(|account| account.id.to_string()).collect();
            ids.sort();
            ids
        };
        known.learn(&control).await.unwrap();
        assert_eq!((ids(&known), known.went_back), (["a", "b", "c"].map(str::to_owned).to_vec(), None));
        let older = Control::open_file(&older).await.unwrap();
        known.learn(&older).await.unwrap();
        assert_eq!((ids(&known), known.went_back), (vec!["a".to_owned()], Some(WentBack { from: 3, to: 1 })));
        // And on from there.
        older.put(&[account("d")]).await.unwrap();
        known.learn(&older).await.unwrap();
        assert_eq!(ids(&known), ["a", "d"]);
    }
}
