//! What is remembered of an account: who pays, what it holds, and how it tallies through the clusters.
//!
//! About 250 bytes an account, bounded by [`ACCOUNTS_MAX`] accounts of [`TALLIES_MAX`] tallies. Accounts collapse to the
//! paying entity before anything is counted: a verified organisation is one payer however many accounts and keys it has,
//! and so are checked businesses that share a payment instrument. Accounts without either stand for themselves, since a
//! shared card among unchecked accounts is what a campaign looks like.

use std::collections::{BTreeSet, HashMap};

use event::{Hash, Signals};
use exchange::{AccountFact, Assurance, Network, Time};
use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::limits::{ACCOUNTS_MAX, ADDRESSES_MAX, TALLIES_MAX};
use crate::state::facts::{Facts, Waiting};
use crate::state::value::{Held, Kind, Value, Values};
use crate::state::written;

/// Requests of one account at most this far apart belong to one session.
pub(crate) const SESSION_SECONDS: i64 = 600;
/// Exchanges of one account that tell whether it works in sessions, so that no heavy user decides.
pub(crate) const TRIALS_MAX: u8 = 3;

/// An account's number: its place among the accounts.
pub(crate) type AccountNo = u32;

/// One account.
#[derive(Debug, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: Box<str>,
    /// Who pays for it.
    pub payer: Hash,
    /// Whether a contract vouches for it; such accounts never make a campaign.
    pub vetted: bool,
    /// Its first exchange seen.
    pub first: Time,
    /// Its last exchange seen.
    pub last: Time,
    /// The one before.
    pub before: Time,
    /// Its exchanges.
    pub exchanges: u32,
    /// When it signed up.
    pub created: Option<Time>,
    /// When it was closed.
    pub closed: Option<Time>,
    /// What it holds.
    pub held: Held,
    /// Address blocks and network operators that it used beside those, the latest last, at most [`ADDRESSES_MAX`].
    pub further: Vec<(Kind, Value)>,
    /// The hours of the day (UTC) at which it was seen, one bit each.
    pub hours: u32,
    /// The cluster of accounts it shares infrastructure with.
    pub pool: Option<u32>,
    /// The cluster of accounts it signed up with.
    pub cohort: Option<u32>,
    /// The clusters it takes part in.
    pub tallies: Vec<Tally>,
}

/// How an account takes part in a cluster.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Tally {
    /// The cluster.
    pub cluster: u32,
    /// Its exchanges in the cluster.
    pub exchanges: u32,
    /// The account's exchanges, of any kind, up to the first of them.
    pub began: u32,
    /// Whether the account belongs to the group that is tested: by what it sent before τ, or since then by the rule that was
    /// fixed at τ. What made it a member never counts.
    pub entered: bool,
    /// Its exchanges in the cluster since it entered.
    pub after: u32,
    /// The account's exchanges, of any kind, when it entered.
    pub base: u32,
    /// What an even share of the group's exchanges had come to when it entered.
    pub exposure: f32,
    /// Core shingles of the cluster that they had, in total.
    pub core_hits: u32,
    /// The first of them.
    pub first: Time,
    /// Tokens of their requests, as far as they were recorded; stays at the largest number it can hold.
    pub input_tokens: u32,
    /// Tokens of their answers, likewise.
    pub output_tokens: u32,
    /// The last of them.
    pub last: Time,
    /// The first since it entered.
    pub first_after: Time,
    /// The first few exchanges since it entered, as they came, at most [`TRIALS_MAX`],
    pub trials: u8,
    /// and those of them that followed another of the account, of whatever kind, within a session
    /// ([`SESSION_SECONDS`]).
    pub follow_ons: u8,
    /// Whether a person vouches for the account's part in the cluster, which is then not tested.
    pub vouched: bool,
}

impl Tally {
    /// A tally that begins at `time`.
    #[must_use]
    pub fn new(cluster: u32, time: Time, began: u32) -> Tally {
        Tally {
            cluster,
            exchanges: 0,
            began,
            entered: false,
            after: 0,
            base: 0,
            exposure: 0.0,
            core_hits: 0,
            input_tokens: 0,
            output_tokens: 0,
            first: time,
            last: time,
            first_after: time,
            trials: 0,
            follow_ons: 0,
            vouched: false,
        }
    }

    /// Counts one exchange with `core_hits` core shingles, which the frozen trial may match too. `before` is when the
    /// account sent anything before.
    pub fn count(&mut self, time: Time, before: Time, core_hits: u32, matches_frozen: bool) {
        self.exchanges = self.exchanges.saturating_add(1);
        self.core_hits = self.core_hits.saturating_add(core_hits);
        self.last = time;
        if matches_frozen && self.entered {
            if self.after == 0 {
                self.first_after = time;
            }
            self.after = self.after.saturating_add(1);
            if self.trials < TRIALS_MAX {
                self.trials += 1;
                self.follow_ons += u8::from(time.seconds_since(before) <= SESSION_SECONDS as f64);
            }
        }
    }

    /// Counts the tokens of one exchange, as far as they were recorded.
    pub fn spend(&mut self, signals: &Signals) {
        let add =
            |sum: u32, tokens: Option<u64>| sum.saturating_add(u32::try_from(tokens.unwrap_or(0)).unwrap_or(u32::MAX));
        self.input_tokens = add(self.input_tokens, signals.input_tokens);
        self.output_tokens = add(self.output_tokens, signals.output_tokens);
    }

    /// Forgets what was counted for the last trial.
    pub fn leave(&mut self) {
        *self = Tally { entered: false, after: 0, base: 0, exposure: 0.0, trials: 0, follow_ons: 0, ..*self };
    }

    /// Enters the group when the account has sent `exchanges` and an even share has come to `exposure`.
    pub fn enter(&mut self, exchanges: u32, exposure: f64) {
        self.leave();
        self.entered = true;
        self.base = exchanges;
        self.exposure = exposure as f32;
    }
}

impl Account {
    /// The account's tally in `cluster`.
    #[must_use]
    pub fn tally(&self, cluster: u32) -> Option<&Tally> {
        self.tallies.iter().find(|tally| tally.cluster == cluster)
    }

    /// Every value of `kind` that it holds or used lately.
    pub fn values(&self, kind: Kind) -> impl Iterator<Item = Value> + '_ {
        let further = self.further.iter().filter(move |(further, _)| *further == kind).map(|&(_, value)| value);
        std::iter::once(self.holds(kind)).filter(|value| value.known()).chain(further)
    }

    /// Takes in a value that it uses beside the first of its kind.
    fn uses_too(&mut self, kind: Kind, value: Value, values: &mut Values) {
        if !value.known() || self.holds(kind) == value || self.further.last() == Some(&(kind, value)) {
            return;
        }
        match self.further.iter().position(|&known| known == (kind, value)) {
            Some(at) => {
                self.further.remove(at);
            }
            None => values.hold_too(value),
        }
        if self.further.len() >= ADDRESSES_MAX {
            let (_, oldest) = self.further.remove(0);
            values.release_too(oldest);
        }
        self.further.push((kind, value));
    }

    /// The value it holds of `kind`, the first that was seen of it.
    #[must_use]
    pub fn holds(&self, kind: Kind) -> Value {
        self.held.get(kind as usize).copied().unwrap_or_default()
    }

    /// The tally in `cluster`, new when there was none; the flag tells. Once there are [`TALLIES_MAX`], a new tally
    /// replaces the least used one of the clusters that are not `followed`, or else of all: what people share by chance
    /// must not push out what is being tested.
    pub fn tally_mut(
        &mut self,
        cluster: u32,
        time: Time,
        followed: impl Fn(u32) -> bool,
    ) -> (Option<&mut Tally>, bool) {
        if let Some(at) = self.tallies.iter().position(|tally| tally.cluster == cluster) {
            return (self.tallies.get_mut(at), false);
        }
        let tally = Tally::new(cluster, time, self.exchanges);
        if self.tallies.len() < TALLIES_MAX {
            // Most accounts take part in one cluster or two: room for more would be most of the memory.
            self.tallies.reserve_exact(1);
            self.tallies.push(tally);
            return (self.tallies.last_mut(), true);
        }
        let least = self.tallies.iter_mut().min_by_key(|tally| (followed(tally.cluster), tally.exchanges, tally.last));
        match least {
            Some(least) => {
                *least = tally;
                (Some(least), true)
            }
            None => (None, false),
        }
    }

    /// Takes in what the provider says.
    fn learn(&mut self, facts: &Facts, values: &mut Values) {
        self.created = facts.created.or(self.created);
        self.closed = facts.closed(self.closed);
        for (kind, text) in facts.values() {
            let value = values.intern(kind, text);
            hold(&mut self.held, kind, value, self.exchanges > 0, values);
        }
        if let Some(assurance) = facts.assurance {
            self.vetted = assurance == Assurance::Contract;
            let payment = self.holds(Kind::Payment);
            if assurance >= Assurance::Business && payment.known() {
                self.payer = Hash::of(values.name(payment));
            }
        }
        if let Some(org) = facts.org {
            self.payer = org;
        }
    }

    /// What the provider said of it; none where it said nothing.
    fn facts(&self, values: &Values) -> Option<Facts> {
        let org = (self.payer != Hash::of(&self.id)).then_some(self.payer);
        let assurance = self.vetted.then_some(Assurance::Contract);
        let held =
            |kind: Kind| Some(self.holds(kind)).filter(|value| value.known()).map(|value| values.name(value).into());
        let facts = Facts::known((self.created, self.closed), (assurance, org), held);
        let said = self.created.is_some() || self.closed.is_some() || self.vetted || org.is_some();
        (said || facts.values().next().is_some()).then_some(facts)
    }

    fn new(id: &str) -> Account {
        Account {
            id: id.into(),
            payer: Hash::of(id),
            vetted: false,
            first: Time::MIN,
            last: Time::MIN,
            before: Time::MIN,
            exchanges: 0,
            created: None,
            closed: None,
            held: Held::default(),
            further: Vec::new(),
            hours: 0,
            pool: None,
            cohort: None,
            tallies: Vec::new(),
        }
    }
}

/// All accounts.
#[derive(Serialize, Deserialize)]
pub(crate) struct Accounts {
    /// How many are kept.
    #[serde(skip, default = "accounts_max")]
    limit: usize,
    /// By the hash of the id, or of the next free one where ids collide.
    #[serde(with = "written::sorted")]
    numbers: HashMap<u64, AccountNo, FixedState>,
    list: Vec<Account>,
    /// Numbers of accounts that are forgotten, to give out again.
    free: BTreeSet<AccountNo>,
    /// What was said of accounts that have asked nothing yet.
    waiting: Waiting,
    /// Records of accounts beyond the limit.
    pub refused: u64,
}

fn accounts_max() -> usize {
    ACCOUNTS_MAX
}

impl Default for Accounts {
    fn default() -> Self {
        Accounts {
            limit: ACCOUNTS_MAX,
            numbers: HashMap::default(),
            list: Vec::new(),
            free: BTreeSet::new(),
            waiting: Waiting::default(),
            refused: 0,
        }
    }
}

impl Accounts {
    /// The account with this number.
    #[must_use]
    pub(crate) fn get(&self, number: AccountNo) -> Option<&Account> {
        self.list.get(number as usize)
    }

    /// The account with this number, to change.
    pub(crate) fn get_mut(&mut self, number: AccountNo) -> Option<&mut Account> {
        self.list.get_mut(number as usize)
    }

    /// The number of the account with this id, if it has one.
    #[must_use]
    pub(crate) fn known(&self, id: &str) -> Option<AccountNo> {
        self.place(id).ok()
    }

    /// The number of the account with this id, or the key under which it is to be entered.
    fn place(&self, id: &str) -> Result<AccountNo, u64> {
        let mut key = xxh3_64(id.as_bytes());
        while let Some(&number) = self.numbers.get(&key) {
            if self.get(number).is_some_and(|account| &*account.id == id) {
                return Ok(number);
            }
            key = key.wrapping_add(1);
        }
        Err(key)
    }

    /// The number of the account with this id, new when it was not known; none beyond [`ACCOUNTS_MAX`].
    pub(crate) fn number(&mut self, id: &str) -> Option<AccountNo> {
        let key = match self.place(id) {
            Ok(number) => return Some(number),
            Err(key) => key,
        };
        let number = match self.free.pop_first() {
            Some(number) => {
                *self.list.get_mut(number as usize)? = Account::new(id);
                number
            }
            None if self.list.len() >= self.limit => {
                self.refused += 1;
                return None;
            }
            None => {
                self.list.push(Account::new(id));
                (self.list.len() - 1) as AccountNo
            }
        };
        self.numbers.insert(key, number);
        Some(number)
    }

    /// Forgets an account: its place stays empty until [`Self::give_out_again`], and what the provider said of it waits for it to come back.
    pub(crate) fn forget(&mut self, number: AccountNo, values: &mut Values) {
        let Some(place) = self.list.get_mut(number as usize) else { return };
        let account = std::mem::replace(place, Account::new(""));
        account.held.iter().for_each(|&value| values.release(value));
        account.further.iter().for_each(|&(_, value)| values.release_too(value));
        let key = xxh3_64(account.id.as_bytes());
        let facts = account.facts(values);
        // Ids whose hashes collide stand in a row, which has no gap.
        let mut row = Vec::new();
        let mut at = key;
        while let Some(other) = self.numbers.remove(&at) {
            row.extend((other != number).then_some(other));
            at = at.wrapping_add(1);
        }
        for other in row {
            let Some(id) = self.get(other).map(|account| account.id.clone()) else { continue };
            if let Err(free) = self.place(&id) {
                self.numbers.insert(free, other);
            }
        }
        if let Some(facts) = facts {
            self.waiting.wait(key, facts);
        }
    }

    /// Gives out the numbers of forgotten accounts again, which nothing refers to any more.
    pub(crate) fn give_out_again(&mut self, numbers: &BTreeSet<AccountNo>) {
        self.free.extend(numbers);
    }

    /// How many there can be.
    #[must_use]
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Keeps fewer, to try what happens at the limit.
    #[cfg(test)]
    pub(crate) fn limited(limit: usize) -> Accounts {
        Accounts { limit, ..Accounts::default() }
    }

    /// How many there are.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.numbers.len()
    }

    /// Every account, to change.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Account> {
        self.list.iter_mut()
    }

    /// Every account, in the order of first mention.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Account> {
        self.list.iter()
    }

    /// Takes in what the provider says of an account. One that has asked nothing yet takes no place.
    pub(crate) fn learn(&mut self, fact: &AccountFact<'_>, values: &mut Values) {
        let id = fact.account.as_str();
        match self.known(id).and_then(|number| self.get_mut(number)) {
            Some(account) => account.learn(&Facts::of(fact), values),
            None => self.waiting.learn(xxh3_64(id.as_bytes()), fact),
        }
    }

    /// Accounts whose facts were forgotten before they asked anything.
    #[must_use]
    pub(crate) fn forgotten(&self) -> u64 {
        self.waiting.forgotten
    }

    /// Takes in one exchange's account, client and settings; the account's number, none beyond the limit.
    pub(crate) fn observe(&mut self, signals: &Signals, values: &mut Values) -> Option<AccountNo> {
        let before = self.count();
        let number = self.number(&signals.account)?;
        let facts = if self.count() > before { self.waiting.take(xxh3_64(signals.account.as_bytes())) } else { None };
        let account = self.get_mut(number)?;
        if let Some(facts) = facts {
            account.learn(&facts, values);
        }
        if account.exchanges == 0 {
            account.first = signals.time;
            account.held.iter().for_each(|&value| values.hold(value));
        }
        account.before = account.last;
        account.last = account.last.max(signals.time);
        account.exchanges = account.exchanges.saturating_add(1);
        account.hours |= 1 << (signals.time.seconds().rem_euclid(86_400) / 3600);
        if let Some(org) = signals.org {
            account.payer = org;
        }
        let client = &signals.client;
        for (kind, hash) in [
            (Kind::Block, client.block.map(|block| block_hash(&block))),
            (Kind::Asn, client.asn.map(u64::from)),
            (Kind::Country, client.country.map(|[a, b]| u64::from(a) << 8 | u64::from(b))),
            (Kind::Network, client.network.map(|network| network as u64)),
            (Kind::Software, client.software.map(|hash| hash.0)),
            (Kind::Params, signals.params.map(|hash| hash.0)),
            (Kind::Model, signals.model.map(|hash| hash.0)),
        ] {
            let Some(hash) = hash else { continue };
            let first = !account.holds(kind).known();
            if !first && !matches!(kind, Kind::Block | Kind::Asn) {
                continue;
            }
            let value = match kind {
                Kind::Software => values.intern_named(kind, hash, &client.software_name),
                Kind::Params => values.intern_named(kind, hash, &signals.params_text),
                Kind::Model => values.intern_named(kind, hash, &signals.model_name),
                _ => values.intern_hash(kind, hash, || name(kind, hash, signals)),
            };
            if first {
                hold(&mut account.held, kind, value, true, values);
            } else {
                account.uses_too(kind, value, values);
            }
        }
        Some(number)
    }
}

/// Makes `value` the one held of `kind`. Only accounts that were seen count as holders.
fn hold(held: &mut Held, kind: Kind, value: Value, seen: bool, values: &mut Values) {
    let Some(place) = held.get_mut(kind as usize) else { return };
    if *place == value {
        return;
    }
    if seen {
        values.release(*place);
        values.hold(value);
    }
    *place = value;
}

fn block_hash(block: &event::client::Block) -> u64 {
    match *block {
        event::client::Block::V4([a, b, c]) => u64::from(u32::from_be_bytes([0, a, b, c])),
        event::client::Block::V6([a, b, c]) => 1 << 63 | u64::from(a) << 32 | u64::from(b) << 16 | u64::from(c),
    }
}

fn name(kind: Kind, hash: u64, signals: &Signals) -> Box<str> {
    let client = &signals.client;
    match kind {
        Kind::Block => client.block.map(|block| block.to_string()).unwrap_or_default().into(),
        Kind::Asn => format!("AS{hash}").into(),
        Kind::Country => client
            .country
            .map(|code| code.iter().map(|&b| char::from(b)).collect::<String>())
            .unwrap_or_default()
            .into(),
        Kind::Network => client.network.map_or("", network_name).into(),
        _ => format!("{:08x}", hash >> 32).into(),
    }
}

fn network_name(network: Network) -> &'static str {
    match network {
        Network::Hosting => "hosting",
        Network::Residential => "residential",
        Network::Mobile => "mobile",
        Network::Vpn => "vpn",
        Network::Tor => "tor",
        Network::Business => "business",
        Network::Other => "other",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A fact that says nothing of an account.
    pub(crate) fn fact(account: &str) -> AccountFact<'_> {
        AccountFact {
            time: Time::from_seconds(0),
            account: account.into(),
            org: None,
            created: None,
            plan: None,
            program: None,
            assurance: None,
            payment: None,
            email_domain: None,
            phone_country: None,
            status: None,
            closed: None,
            cleared: None,
        }
    }

    #[test]
    fn facts_take_no_place_before_the_first_exchange() {
        let (mut accounts, mut values) = (Accounts { limit: 1, ..Accounts::default() }, Values::default());
        for account in ["sleeper", "asks"] {
            accounts.learn(&AccountFact { org: Some("o".into()), ..fact(account) }, &mut values);
        }
        assert_eq!(accounts.iter().len(), 0);
        let text = r#"{"time":1,"account":"asks","request":{}}"#;
        let mut sink = |exchange: exchange::Exchange<'_>| {
            accounts.observe(&signals::of(&exchange), &mut values);
        };
        exchange::read_exchanges(text, &mut exchange::Notes::default(), &mut sink).unwrap();
        assert_eq!(accounts.iter().map(|account| account.payer).collect::<Vec<_>>(), [Hash::of("o")]);
    }

    #[test]
    fn accounts_beyond_the_limit_are_refused_and_counted() {
        let mut accounts = Accounts { limit: 2, ..Accounts::default() };
        assert_eq!(["a", "b", "c", "a", "d"].map(|id| accounts.number(id)), [Some(0), Some(1), None, Some(0), None]);
        assert_eq!((accounts.iter().len(), accounts.refused), (2, 2));
        assert_eq!(Accounts::default().limit, ACCOUNTS_MAX);
    }

    #[test]
    fn the_latest_addresses_are_kept_up_to_their_limit_and_count_as_held() {
        let (mut account, mut values) = (Account::new("a"), Values::default());
        let blocks: Vec<Value> =
            (0..=ADDRESSES_MAX as u64 + 1).map(|hash| values.intern_hash(Kind::Block, hash, || "b".into())).collect();
        hold(&mut account.held, Kind::Block, blocks[0], true, &mut values);
        for &block in &blocks[..=ADDRESSES_MAX] {
            account.uses_too(Kind::Block, block, &mut values);
        }
        let held = |account: &Account| account.values(Kind::Block).collect::<Vec<_>>();
        assert_eq!(held(&account), blocks[..=ADDRESSES_MAX]);
        // One that is used again is the latest; beyond the limit the one goes that was not used for longest.
        account.uses_too(Kind::Block, blocks[1], &mut values);
        account.uses_too(Kind::Block, blocks[ADDRESSES_MAX + 1], &mut values);
        assert_eq!(held(&account).len(), ADDRESSES_MAX + 1);
        assert!(held(&account).contains(&blocks[1]) && !held(&account).contains(&blocks[2]));
        let holders: Vec<u32> = blocks[..4].iter().map(|&block| values.holders(block) as u32).collect();
        assert_eq!(holders, [1, 1, 0, 1]);
        assert_eq!(values.known(Kind::Block), 1, "the account is one, however many blocks it used");
    }

    #[test]
    fn organisations_and_checked_businesses_are_one_payer_and_cards_alone_are_not() {
        let (mut accounts, mut values) = (Accounts::default(), Values::default());
        let with = |account, org: Option<&'static str>, payment: Option<&'static str>, assurance| AccountFact {
            org: org.map(Into::into),
            payment: payment.map(Into::into),
            assurance: Some(assurance),
            ..fact(account)
        };
        for fact in [
            with("a1", Some("o"), None, Assurance::Email),
            with("a2", Some("o"), Some("card"), Assurance::Email),
            with("b1", None, Some("invoice"), Assurance::Business),
            with("b2", None, Some("invoice"), Assurance::Business),
            with("c1", None, Some("stolen"), Assurance::Payment),
            with("c2", None, Some("stolen"), Assurance::Payment),
        ] {
            accounts.number(fact.account.as_str());
            accounts.learn(&fact, &mut values);
        }
        let payers: Vec<Hash> = accounts.iter().map(|account| account.payer).collect();
        assert_eq!(payers[0], payers[1]);
        assert_eq!(payers[2], payers[3]);
        assert_ne!(payers[4], payers[5]);
    }

    #[test]
    fn strides_stay_within_their_limit_and_the_least_used_goes() {
        let mut account = Account::new("a");
        for cluster in 0..TALLIES_MAX as u32 {
            let (tally, new) = account.tally_mut(cluster, Time::from_seconds(i64::from(cluster)), |_| false);
            tally.unwrap().exchanges = 10 - cluster.min(9);
            assert!(new);
        }
        assert_eq!(account.tallies.len(), TALLIES_MAX);
        let (_, new) = account.tally_mut(99, Time::from_seconds(100), |cluster| cluster > 2 && cluster < 99);
        assert!(new);
        assert_eq!(account.tallies.len(), TALLIES_MAX);
        assert!(account.tally(2).is_none(), "the least used of those that are not followed went");
        assert!(account.tally(0).is_some() && account.tally(TALLIES_MAX as u32 - 1).is_some());
        let (_, new) = account.tally_mut(100, Time::from_seconds(100), |_| true);
        assert!(new && account.tallies.len() == TALLIES_MAX && account.tally(99).is_none(), "or else of all");
    }
}
