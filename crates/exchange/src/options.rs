//! How records are to be read, where the records themselves leave a choice.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::address;
use crate::call::{Call, Who};
use crate::format::Format;
use crate::json::{Json, Object};
use crate::secret::secret_free;
use crate::time::Time;

/// The choices, the same for all records of a run.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The format of every record; recognised by content when absent.
    pub format: Option<Format>,
    /// Paths of which the first that a record has names its account; the format decides otherwise.
    pub account: Vec<String>,
    /// How many proxies of one's own end each list of forwarded addresses; the first public address is taken when absent.
    pub trusted_proxies: Option<usize>,
    /// Now: records much later or much earlier are refused.
    pub now: Option<Time>,
    /// The accounts that the provider's own list names.
    pub known: Option<KnownAccounts>,
    /// Which identity of a record is the account, where it is not the one that its format says. It is decided for a whole log
    /// and never record by record: what a caller can write would otherwise choose whom his records accuse.
    pub account_is: Option<Who>,
    /// Whether all records name the same organisation, as the log of one provider's own does. It then says nothing, and is left
    /// out; else everybody would be one payer.
    pub one_org: bool,
}

/// The accounts of an accounts file.
#[derive(Clone, Debug, Default)]
pub struct KnownAccounts(Arc<[KnownAccount]>);

impl KnownAccounts {
    /// Whether `account` is one.
    #[must_use]
    pub fn has(&self, account: &str) -> bool {
        self.0.binary_search(&KnownAccount::from(account)).is_ok()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The account of an accounts file, as [`KnownAccounts`] keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownAccount(u64);

impl From<&str> for KnownAccount {
    fn from(account: &str) -> Self {
        KnownAccount(xxh3_64(account.as_bytes()))
    }
}

impl FromIterator<KnownAccount> for KnownAccounts {
    fn from_iter<I: IntoIterator<Item = KnownAccount>>(accounts: I) -> Self {
        let mut accounts: Vec<KnownAccount> = accounts.into_iter().collect();
        accounts.sort_unstable();
        accounts.dedup();
        KnownAccounts(accounts.into())
    }
}

impl ReadOptions {
    /// With the format of every record.
    #[must_use]
    pub fn of(format: Format) -> Self {
        ReadOptions { format: Some(format), ..ReadOptions::default() }
    }

    /// Settles what does not depend on the format: which identity is the account, and the forms of values.
    pub(crate) fn settle(&self, call: &mut Call<'_>) {
        self.settle_account(call);
        let exchange = &mut call.exchange;
        if let Some(ip) = exchange.client.ip.take_if(|ip| !address::is_plain(ip)) {
            exchange.client.ip = Some(address::client(ip, self.trusted_proxies));
        }
        if let Some(name) = exchange.model.take_if(|name| !is_bare(name)) {
            exchange.model = Some(model(name));
        }
    }

    /// The account at the first of the paths that were asked for, also within JSON in a string.
    pub(crate) fn chosen_account<'a>(&self, record: &Object<'a>) -> Option<Cow<'a, str>> {
        self.account.iter().find_map(|path| id_at(record, path)).map(secret_free)
    }

    /// The first account that the accounts file names among the values of the objects at `paths`.
    pub(crate) fn known_among<'a>(&self, record: &Object<'a>, paths: &[String]) -> Option<Cow<'a, str>> {
        let known = self.known.as_ref().filter(|known| !known.is_empty())?;
        let objects = paths.iter().filter_map(|path| record.find(path)?.clone().unwrapped().object());
        objects.flatten().find_map(|(_, value)| value.id().map(secret_free).filter(|id| known.has(id)))
    }

    fn settle_account(&self, call: &mut Call<'_>) {
        let Some(who) = self.account_is else { return };
        if let Some(id) = identity(call, who) {
            call.exchange.account = id.into();
            call.who = who;
        }
    }
}

/// The id at a path; what holds JSON in a string on the way is opened.
fn id_at<'a>(record: &Object<'a>, path: &str) -> Option<Cow<'a, str>> {
    if let Some(id) = record.find(path).and_then(|json| json.clone().id()) {
        return Some(id);
    }
    path.match_indices('.').find_map(|(dot, _)| {
        let (head, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
        match record.get(head)? {
            Json::Object(inner) => id_at(inner, rest),
            text @ Json::Text(_) => id_at(&text.clone().opened().0.object()?, rest),
            _ => None,
        }
    })
}

/// The identities that may take the place of the account.
const OTHER_IDENTITIES: [Who; 3] = [Who::Key, Who::EndUser, Who::Org];

fn identity<'a>(call: &Call<'a>, who: Who) -> Option<Cow<'a, str>> {
    let exchange = &call.exchange;
    match who {
        Who::Key => exchange.key.as_ref().map(|key| key.0.clone()),
        Who::EndUser => exchange.end_user.as_ref().map(|user| user.0.clone()),
        Who::Org => exchange.org.as_ref().map(|org| org.0.clone()),
        _ => None,
    }
}

/// Whether the calls at the beginning of a log all name the same organisation.
#[derive(Clone, Debug, Default)]
pub struct OrgsNamed {
    org: Option<String>,
    differ: bool,
    accounts: BTreeSet<KnownAccount>,
}

impl OrgsNamed {
    /// Looks at a call.
    pub fn see(&mut self, call: &Call<'_>) {
        let org = call.exchange.org.as_ref().map(|org| org.as_str());
        match (&self.org, org) {
            (None, Some(org)) => self.org = Some(org.to_owned()),
            (have, org) => self.differ |= have.as_deref() != org,
        }
        if self.accounts.len() < ACCOUNTS_OF_ONE_ORG {
            self.accounts.insert(KnownAccount::from(call.exchange.account.as_str()));
        }
    }

    /// Whether it is one for all, and all are enough to tell.
    #[must_use]
    pub fn are_one(&self) -> bool {
        self.org.is_some() && !self.differ && self.accounts.len() >= ACCOUNTS_OF_ONE_ORG
    }
}

/// Accounts that must name the same organisation before it is taken for that of the log's owner. A customer may have as many;
/// that a log begins with nobody else is not likely.
const ACCOUNTS_OF_ONE_ORG: usize = 20;

/// Which identities of some calls an accounts file names.
#[derive(Clone, Debug, Default)]
pub struct Named {
    accounts: u64,
    others: [u64; OTHER_IDENTITIES.len()],
}

impl Named {
    /// Looks at a call.
    pub fn see(&mut self, call: &Call<'_>, known: &KnownAccounts) {
        self.accounts += u64::from(known.has(call.exchange.account.as_str()));
        for (count, who) in self.others.iter_mut().zip(OTHER_IDENTITIES) {
            *count += u64::from(identity(call, who).is_some_and(|id| known.has(&id)));
        }
    }

    /// Which identity is the account: another one only if the file names none of the accounts and some of these.
    #[must_use]
    pub fn account_is(&self) -> Option<Who> {
        let most = self.others.iter().zip(OTHER_IDENTITIES).max_by_key(|(count, _)| **count)?;
        (self.accounts == 0 && *most.0 > 0).then_some(most.1)
    }
}

/// A model's name without the provider, path or region before it.
fn model(name: Cow<'_, str>) -> Cow<'_, str> {
    if is_bare(&name) {
        return name;
    }
    let last = name.rsplit('/').find(|part| !part.is_empty()).unwrap_or(&name);
    let mut bare = last;
    while let Some((_, rest)) = bare.split_once('.').filter(|(region, _)| REGIONS.contains(region)) {
        bare = rest;
    }
    if bare.len() == name.len() { name } else { Cow::Owned(bare.to_owned()) }
}

/// Whether a model's name has nothing before it.
fn is_bare(name: &str) -> bool {
    !name.bytes().any(|byte| matches!(byte, b'/' | b'.'))
}

/// Regions that Bedrock's inference profiles begin with.
const REGIONS: [&str; 9] = ["us", "eu", "apac", "ap", "global", "jp", "au", "ca", "us-gov"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_one_name() {
        for (name, expected) in [
            ("gpt-4o", "gpt-4o"),
            ("openai/gpt-4o", "gpt-4o"),
            ("azure/eu/gpt-4o", "gpt-4o"),
            ("us.anthropic.claude-x-v1:0", "anthropic.claude-x-v1:0"),
            ("anthropic.claude-x-v1:0", "anthropic.claude-x-v1:0"),
            ("publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
            ("arn:aws:bedrock:us-east-1::inference-profile/eu.meta.llama-v1:0", "meta.llama-v1:0"),
            ("gpt-4.1", "gpt-4.1"),
            ("models/", "models"),
            ("/", "/"),
        ] {
            assert_eq!(model(Cow::Borrowed(name)), expected);
        }
    }

    #[test]
    fn an_account_is_found_within_json_in_a_string() {
        let options = ReadOptions { account: vec!["metadata.user.id".into(), "team".into()], ..ReadOptions::default() };
        for (record, expected) in [
            (r#"{"metadata":"{\"user\":{\"id\":\"ann\"}}"}"#, Some("ann")),
            (r#"{"metadata":{"user":"{\"id\":\"ann\"}"},"team":"t"}"#, Some("ann")),
            (r#"{"metadata":"{\"user.id\":\"ann\"}"}"#, Some("ann")),
            (r#"{"metadata":"no JSON","team":"t"}"#, Some("t")),
            (r#"{"metadata":"{\"user\":\"ann\"}"}"#, None),
        ] {
            let record = Json::parse(record).unwrap().object().unwrap();
            assert_eq!(options.chosen_account(&record).as_deref(), expected);
        }
    }

    #[test]
    fn a_known_account_is_found_under_any_key() {
        let known = ["ann"].into_iter().map(KnownAccount::from).collect();
        let options = ReadOptions { known: Some(known), ..ReadOptions::default() };
        let record = Json::parse(r#"{"free":{"stage":"production","caller":"ann"},"other":{"x":"ann"}}"#).unwrap();
        let record = record.object().unwrap();
        assert_eq!(options.known_among(&record, &["free".into()]).as_deref(), Some("ann"));
        assert_eq!(options.known_among(&record, &["caller".into()]), None);
        assert_eq!(ReadOptions::default().known_among(&record, &["free".into()]), None);
    }

    #[test]
    fn known_accounts_are_found() {
        let known: KnownAccounts = ["b", "a", "b"].into_iter().map(KnownAccount::from).collect();
        assert_eq!(known.len(), 2);
        assert!(known.has("a") && known.has("b") && !known.has("c"));
    }
}
