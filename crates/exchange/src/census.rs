//! Who and what the records of a log name, counted as they are read.
//!
//! It answers what decides whether a hunt can find anybody: as what the accounts were found, whether one of them holds the
//! users of many, which fields are there. Memory is bounded by [`limits::CENSUS_ACCOUNTS_MAX`] accounts with
//! [`limits::CENSUS_USERS_MAX`] end users in all.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

use crate::account::placeholder;
use crate::call::{Call, Who};
use crate::limits;
use crate::options::ReadOptions;
use crate::record::{Exchange, Role};
use crate::time::Time;

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Calls.
    pub calls: u64,
    /// Calls by as what their account was found, in the order of [`Who::ALL`].
    who: [u64; Who::ALL.len()],
    /// Calls whose account the accounts file names.
    pub known: u64,
    /// The earliest and the latest call.
    pub span: Option<(Time, Time)>,
    /// Calls that have each field, in the order of [`Field::ALL`].
    fields: [u64; Field::ALL.len()],
    /// Calls whose account is a word for none, by that word.
    placeholders: BTreeMap<&'static str, u64>,
    /// The organisations that calls name.
    orgs: Orgs,
    /// Accounts by hash, up to a limit.
    accounts: Hashes,
    /// The end users of each account that has any, by the account's hash.
    users: HashMap<u64, Users, BuildHasherDefault<AsItIs>>,
    users_held: usize,
}

type Hashes = HashSet<u64, BuildHasherDefault<AsItIs>>;

/// Takes a number for its own hash, since it is one.
#[derive(Clone, Copy, Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// How many organisations there are, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Orgs {
    #[default]
    None,
    One(String),
    Several,
}

impl Orgs {
    fn see(&mut self, org: &str) {
        match self {
            Orgs::None => *self = Orgs::One(org.to_owned()),
            Orgs::One(have) if have != org => *self = Orgs::Several,
            Orgs::One(_) | Orgs::Several => {}
        }
    }
}

/// The end users of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Users {
    account: String,
    /// Calls that name one.
    calls: u64,
    users: Hashes,
}

/// A field that a record may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Turns or a prompt.
    Prompt,
    /// A system prompt of its own.
    System,
    /// The model's answer, or a call of a tool.
    Answer,
    /// The model.
    Model,
    /// Settings such as temperature.
    Settings,
    /// Tools on offer.
    Tools,
    /// The client's address.
    Address,
    /// Its network: number, kind or country.
    Network,
    /// Its TLS fingerprint.
    Tls,
    /// Its software.
    UserAgent,
    /// The credential.
    Key,
    /// The organisation.
    Organisation,
    /// The caller's own user.
    EndUser,
    /// The conversation.
    Session,
    /// Token counts.
    Tokens,
    /// The status.
    Status,
    /// How long it took.
    Duration,
}

impl Field {
    /// Every field.
    pub const ALL: [Field; 17] = [
        Field::Prompt,
        Field::System,
        Field::Answer,
        Field::Model,
        Field::Settings,
        Field::Tools,
        Field::Address,
        Field::Network,
        Field::Tls,
        Field::UserAgent,
        Field::Key,
        Field::Organisation,
        Field::EndUser,
        Field::Session,
        Field::Tokens,
        Field::Status,
        Field::Duration,
    ];

    /// In a word or two.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Field::Prompt => "prompt",
            Field::System => "system prompt",
            Field::Answer => "answer",
            Field::Model => "model",
            Field::Settings => "settings",
            Field::Tools => "tools",
            Field::Address => "client address",
            Field::Network => "network",
            Field::Tls => "TLS fingerprint",
            Field::UserAgent => "user agent",
            Field::Key => "credential",
            Field::Organisation => "organisation",
            Field::EndUser => "end user",
            Field::Session => "session",
            Field::Tokens => "token counts",
            Field::Status => "status",
            Field::Duration => "duration",
        }
    }

    fn is_in(self, exchange: &Exchange<'_>) -> bool {
        let client = &exchange.client;
        match self {
            Field::Prompt => !exchange.request.messages.is_empty() || exchange.fingerprint.is_some(),
            Field::System => {
                let request = &exchange.request;
                request.system.is_some() || request.messages.iter().any(|turn| turn.role == Role::System)
            }
            Field::Answer => {
                let is_printed = exchange.fingerprint.as_ref().is_some_and(|prints| !prints.output.is_empty());
                exchange.response.content.is_some() || !exchange.response.tool_calls.is_empty() || is_printed
            }
            Field::Model => exchange.model.is_some(),
            Field::Settings => !crate::record::is_default(&exchange.request.params),
            Field::Tools => !exchange.request.tools.is_empty(),
            Field::Address => client.ip.is_some(),
            Field::Network => client.asn.is_some() || client.network.is_some() || client.country.is_some(),
            Field::Tls => client.ja4.is_some(),
            Field::UserAgent => client.user_agent.is_some(),
            Field::Key => exchange.key.is_some(),
            Field::Organisation => exchange.org.is_some(),
            Field::EndUser => exchange.end_user.is_some(),
            Field::Session => exchange.session.is_some(),
            Field::Tokens => exchange.usage.output_tokens.is_some() || exchange.usage.input_tokens.is_some(),
            Field::Status => exchange.status.is_some(),
            Field::Duration => exchange.duration_ms.is_some(),
        }
    }
}

impl Census {
    /// Counts a call.
    pub(crate) fn see(&mut self, call: &Call<'_>, options: &ReadOptions) {
        self.see_exchange(&call.exchange, call.who, options);
    }

    pub(crate) fn see_exchange(&mut self, exchange: &Exchange<'_>, who: Who, options: &ReadOptions) {
        let account = exchange.account.as_str();
        self.calls += 1;
        if let Some(count) = self.who.get_mut(who as usize) {
            *count += 1;
        }
        self.known += u64::from(options.known.as_ref().is_some_and(|known| known.has(account)));
        if let Some(word) = placeholder(account) {
            *self.placeholders.entry(word).or_default() += 1;
        }
        self.saw(exchange.time, exchange.time);
        for (count, field) in self.fields.iter_mut().zip(Field::ALL) {
            *count += u64::from(field.is_in(exchange));
        }
        let hash = xxh3_64(account.as_bytes());
        if self.accounts.len() < limits::CENSUS_ACCOUNTS_MAX {
            self.accounts.insert(hash);
        }
        if let Some(org) = &exchange.org {
            self.orgs.see(org.as_str());
        }
        if let Some(user) = &exchange.end_user {
            self.add_users(hash, account, 1, [xxh3_64(user.as_str().as_bytes())]);
        }
    }

    /// Adds what was counted elsewhere.
    pub(crate) fn merge(&mut self, other: Census) {
        self.calls += other.calls;
        for (count, more) in self.who.iter_mut().zip(other.who) {
            *count += more;
        }
        self.known += other.known;
        for (word, count) in other.placeholders {
            *self.placeholders.entry(word).or_default() += count;
        }
        if let Some((first, last)) = other.span {
            self.saw(first, last);
        }
        for (count, more) in self.fields.iter_mut().zip(other.fields) {
            *count += more;
        }
        match other.orgs {
            Orgs::None => {}
            Orgs::One(org) => self.orgs.see(&org),
            Orgs::Several => self.orgs = Orgs::Several,
        }
        for account in other.accounts {
            if self.accounts.len() < limits::CENSUS_ACCOUNTS_MAX {
                self.accounts.insert(account);
            }
        }
        // In an order of their own, since a limit may cut it.
        let mut users: Vec<(u64, Users)> = other.users.into_iter().collect();
        users.sort_unstable_by_key(|(hash, _)| *hash);
        for (hash, of) in users {
            let mut users: Vec<u64> = of.users.into_iter().collect();
            users.sort_unstable();
            self.add_users(hash, &of.account, of.calls, users);
        }
    }

    /// Calls whose account was found as this.
    #[must_use]
    pub fn found_as(&self, who: Who) -> u64 {
        self.who.get(who as usize).copied().unwrap_or_default()
    }

    /// The words for no account (`-`, `unknown`, …) that stand in place of one, each with its calls.
    pub fn placeholders(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.placeholders.iter().map(|(word, count)| (*word, *count))
    }

    /// The share of calls that have a field; none where there was no call.
    #[must_use]
    pub fn share(&self, field: Field) -> Option<f64> {
        let count = Field::ALL.iter().zip(self.fields).find(|(have, _)| **have == field)?.1;
        (self.calls > 0).then(|| count as f64 / self.calls as f64)
    }

    /// The organisation that all calls name, where they all name the same.
    #[must_use]
    pub fn only_org(&self) -> Option<&str> {
        match &self.orgs {
            Orgs::One(org) if self.share(Field::Organisation) == Some(1.0) => Some(org),
            _ => None,
        }
    }

    /// How many accounts were met, up to [`limits::CENSUS_ACCOUNTS_MAX`].
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// How many end users were met, up to [`limits::CENSUS_USERS_MAX`].
    #[must_use]
    pub fn users(&self) -> usize {
        self.users_held
    }

    /// The account with the most end users, how many these are, and how many of its calls name one.
    #[must_use]
    pub fn most_users(&self) -> Option<(&str, usize, u64)> {
        let counts = self.users.values().map(|of| (of.account.as_str(), of.users.len(), of.calls));
        counts.max_by_key(|(account, users, _)| (*users, std::cmp::Reverse(*account)))
    }

    fn saw(&mut self, first: Time, last: Time) {
        self.span = Some(match self.span {
            Some((earliest, latest)) => (earliest.min(first), latest.max(last)),
            None => (first, last),
        });
    }

    fn add_users(&mut self, hash: u64, account: &str, calls: u64, users: impl IntoIterator<Item = u64>) {
        if self.users_held >= limits::CENSUS_USERS_MAX && !self.users.contains_key(&hash) {
            return;
        }
        let of = self.users.entry(hash).or_default();
        if of.account.is_empty() {
            account.clone_into(&mut of.account);
        }
        of.calls += calls;
        for user in users {
            if self.users_held < limits::CENSUS_USERS_MAX {
                self.users_held += usize::from(of.users.insert(user));
            }
        }
    }
}
