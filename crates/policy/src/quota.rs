//! Quotas: how much may be asked for in which time, by a key, an account, an organisation, a payment group, or a named
//! group of accounts that share one budget.
//!
//! Promises that requests at the same time never pass a limit together: what a request may take is reserved before it goes
//! on ([`Quotas::reserve`]) and what it took is settled afterwards ([`Quotas::settle`]); of a request that was never settled
//! everything reserved stays charged. Limits per second, minute and hour refill evenly (GCRA, ITU-T I.371): at most the
//! amount at once, and no more than that in any such time on the average. Those per day and per 30 days are budgets of
//! windows that begin at midnight UTC, or at whole multiples of 30 days since 1970. Time is handed in and may jump: a clock
//! that goes back refills nothing. Bounded by [`BUCKETS_MAX`].

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, RwLock};

use exchange::Time;
use foldhash::fast::RandomState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::action::Action;
use crate::amount::{Amounts, Per, Unit};
use crate::id::{AccountId, BadId, ResponseId};
use crate::limits::{BUCKETS_MAX, QUOTAS_MAX};
use crate::permit::Permit;

const SECOND: i64 = 1_000_000_000;
/// Tables that are locked apart, so that requests seldom wait for each other.
const SHARDS: usize = 64;

/// Whose requests share one limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "QuotaOf")]
pub enum Of {
    /// Those of each key, for itself.
    EachKey,
    /// Those of each account, for itself.
    EachAccount,
    /// Those of each organisation, for itself; an account without one is its own.
    EachOrganisation,
    /// Those of all accounts that pay with the same instrument; an account of which that is not known is its own.
    EachPaymentGroup,
    /// Those of one account.
    Account(AccountId),
    /// Those of all accounts in a named group together.
    Group(Vec<AccountId>),
    /// Those of all accounts together that a response has share a budget.
    Response(ResponseId),
    /// Those of everybody together.
    Everybody,
}

/// A limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Its name.
    pub id: QuotaId,
    /// Whose requests share it.
    pub of: Of,
    /// What is counted.
    pub unit: Unit,
    /// How much.
    pub amount: u64,
    /// In which time.
    pub per: Per,
    /// Whether it does not hold for those who may have a high rate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub except_high_rate: bool,
}

/// The name of a quota.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct QuotaId(AccountId);

impl QuotaId {
    /// The name as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for QuotaId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl std::str::FromStr for QuotaId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        text.parse().map(QuotaId)
    }
}

/// Who asks, as quotas see it.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The account.
    pub account: &'a Account,
    /// The credential, by its name.
    pub credential: &'a str,
    /// What it may do.
    pub permit: &'a Permit,
    /// The responses that have it share a budget.
    pub budgets: &'a [ResponseId],
}

/// A limit that was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// Which quota.
    pub quota: QuotaId,
    /// What it counts.
    pub unit: Unit,
    /// Its amount.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// After how many seconds as much may be there, at least 1; none where it never will be, since more was asked for than
    /// there ever is.
    pub retry_seconds: Option<u64>,
    /// After how many seconds all of it will be there.
    pub reset_seconds: u64,
    /// Whether the caller must not learn of it, since it shares it with others by a response.
    pub is_hidden: bool,
}

/// Why nothing was reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReserved {
    /// A limit was reached.
    Exhausted(Exhausted),
    /// A limit of costs holds, and nothing has a price.
    Unpriced,
}

/// What was reserved for a request.
#[derive(Debug, Default)]
#[must_use = "what is not settled stays charged"]
pub struct Reservation {
    taken: Vec<Taken>,
}

/// What was taken of one limit.
#[derive(Debug)]
struct Taken {
    quota: Arc<Quota>,
    key: BucketKey,
    amount: u64,
    /// [`Bucket::at`] behind it.
    at: i64,
}

/// One limit of one subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct BucketKey {
    quota: QuotaId,
    subject: Box<str>,
}

/// How far one limit of one subject is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Bucket {
    /// Of a limit that refills: when all of it will be there again, in nanoseconds. Of a window: when it began.
    at: i64,
    /// Of a window: how much of it is used.
    used: u64,
}

/// One bucket as it outlives the process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    quota: QuotaId,
    subject: Box<str>,
    #[serde(flatten)]
    bucket: Bucket,
}

/// All quotas and how far they are used up.
#[derive(Debug)]
pub struct Quotas {
    rules: RwLock<Arc<Vec<Arc<Quota>>>>,
    shards: Vec<Mutex<HashMap<BucketKey, Bucket, RandomState>>>,
    /// Spreads limits over the tables.
    spread: RandomState,
    buckets_max: usize,
}

/// More quotas than there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are at most {QUOTAS_MAX} quotas")]
pub struct TooManyQuotas;

impl Default for Quotas {
    fn default() -> Self {
        Quotas::with_room(BUCKETS_MAX)
    }
}

impl Quotas {
    fn with_room(buckets_max: usize) -> Quotas {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Quotas { rules: RwLock::default(), shards, spread: RandomState::default(), buckets_max }
    }

    /// These quotas hold from now on, and no others. What was used of those that stay stays used.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub fn replace(&self, rules: Vec<Quota>) -> Result<(), TooManyQuotas> {
        if rules.len() > QUOTAS_MAX {
            return Err(TooManyQuotas);
        }
        let rules = Arc::new(rules.into_iter().map(Arc::new).collect());
        match self.rules.write() {
            Ok(mut known) => *known = rules,
            Err(poisoned) => *poisoned.into_inner() = rules,
        }
        Ok(())
    }

    fn rules(&self) -> Arc<Vec<Arc<Quota>>> {
        match self.rules.read() {
            Ok(rules) => Arc::clone(&rules),
            Err(poisoned) => Arc::clone(&poisoned.into_inner()),
        }
    }

    /// Reserves what a request may take of every limit that holds for `asker`, or nothing.
    ///
    /// # Errors
    ///
    /// When it is more than is left of one of them, or cannot be told.
    pub fn reserve(&self, asker: &Asker<'_>, amounts: Amounts, now: Time) -> Result<Reservation, NotReserved> {
        let mut reservation = Reservation::default();
        for (quota, key) in self.limits(asker) {
            let Some(amount) = amounts.of(quota.unit) else {
                self.give_back(reservation);
                return Err(NotReserved::Unpriced);
            };
            match self.with(&key, |bucket| bucket.take(&quota, amount, now.nanos()).map(|()| bucket.at)) {
                Ok(at) => reservation.taken.push(Taken { quota, key, amount, at }),
                Err(exhausted) => {
                    self.give_back(reservation);
                    return Err(NotReserved::Exhausted(exhausted));
                }
            }
        }
        Ok(reservation)
    }

    /// What was reserved for `asker` at `time` of the limits `of`, to be settled by whoever comes later; nothing is taken.
    pub fn reserved_before(&self, asker: &Asker<'_>, amounts: Amounts, time: Time, of: &[QuotaId]) -> Reservation {
        let rules = self.rules();
        let taken = rules.iter().filter(|quota| of.contains(&quota.id)).filter_map(|quota| {
            let (amount, key) = (amounts.of(quota.unit)?, quota.bucket_of(asker)?);
            // As if nothing else had been taken: then it gives back no more than it may.
            let mut alone = Bucket::new();
            alone.take(quota, amount, time.nanos()).ok()?;
            Some(Taken { quota: Arc::clone(quota), key, amount, at: alone.at })
        });
        Reservation { taken: taken.collect() }
    }

    /// The limits that hold for `asker`.
    fn limits(&self, asker: &Asker<'_>) -> Vec<(Arc<Quota>, BucketKey)> {
        let rules = self.rules();
        let hold = rules.iter().filter(|quota| !(quota.except_high_rate && asker.permit.has(Action::HighRate)));
        hold.filter_map(|quota| Some((Arc::clone(quota), quota.bucket_of(asker)?))).collect()
    }

    /// Whether costs are limited.
    #[must_use]
    pub fn count_costs(&self) -> bool {
        self.rules().iter().any(|quota| quota.unit == Unit::MicroCost)
    }

    /// Charges what a request took in place of what was reserved for it; where that cannot be told, it stays at that.
    pub fn settle(&self, reservation: Reservation, took: Amounts, now: Time) {
        for taken in reservation.taken {
            let took = took.of(taken.quota.unit).unwrap_or(taken.amount);
            self.with(&taken.key, |bucket| bucket.correct(&taken, took, now.nanos()));
        }
    }

    /// As if the request had never been.
    pub fn give_back(&self, reservation: Reservation) {
        for taken in reservation.taken {
            self.with(&taken.key, |bucket| bucket.correct(&taken, 0, i64::MIN));
        }
    }

    fn with<T>(&self, key: &BucketKey, change: impl FnOnce(&mut Bucket) -> T) -> T {
        let hash = self.spread.hash_one(key) as usize;
        let Some(shard) = self.shards.get(hash % self.shards.len().max(1)) else {
            return change(&mut Bucket::default());
        };
        let mut buckets = match shard.lock() {
            Ok(buckets) => buckets,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some(bucket) = buckets.get_mut(key) {
            return change(bucket);
        }
        if buckets.len() >= self.buckets_max.div_ceil(SHARDS) {
            // The one that is used up least, of a few: it loses least by being forgotten.
            let least = buckets.iter().take(16).min_by_key(|(_, bucket)| bucket.at).map(|(key, _)| key.clone());
            least.and_then(|key| buckets.remove(&key));
        }
        let mut bucket = Bucket::new();
        let outcome = change(&mut bucket);
        buckets.insert(key.clone(), bucket);
        outcome
    }

    /// Everything that is used up in part, to be written down.
    #[must_use]
    pub fn save(&self, now: Time) -> Vec<Saved> {
        let rules = self.rules();
        let per: HashMap<&QuotaId, Per> = rules.iter().map(|quota| (&quota.id, quota.per)).collect();
        let mut saved = Vec::new();
        for shard in &self.shards {
            let Ok(buckets) = shard.lock() else { continue };
            for (BucketKey { quota, subject }, bucket) in buckets.iter() {
                let is_used = per
                    .get(quota)
                    .is_some_and(|per| if per.is_window() { bucket.used > 0 } else { bucket.at > now.nanos() });
                if is_used {
                    saved.push(Saved { quota: quota.clone(), subject: subject.clone(), bucket: *bucket });
                }
            }
        }
        saved
    }

    /// Takes up what was written down.
    pub fn restore(&self, saved: Vec<Saved>) {
        for Saved { quota, subject, bucket } in saved {
            self.with(&BucketKey { quota, subject }, |known| *known = bucket);
        }
    }
}

impl Quota {
    fn bucket_of(&self, asker: &Asker<'_>) -> Option<BucketKey> {
        Some(BucketKey { quota: self.id.clone(), subject: self.of.subject(asker)?.into() })
    }
}

impl Reservation {
    /// The limits of which something is reserved.
    pub fn limits(&self) -> impl Iterator<Item = &QuotaId> {
        self.taken.iter().map(|taken| &taken.quota.id)
    }
}

impl Of {
    /// Whose bucket a request takes from; none where the quota does not hold for it.
    fn subject<'a>(&self, asker: &Asker<'a>) -> Option<&'a str> {
        let account = asker.account;
        let id = account.id.as_str();
        match self {
            Of::EachKey => Some(asker.credential),
            Of::EachAccount => Some(id),
            Of::EachOrganisation => {
                Some(account.organisation.as_ref().map_or(id, |organisation| organisation.as_str()))
            }
            Of::EachPaymentGroup => Some(account.payment.as_ref().map_or(id, |payment| payment.as_str())),
            Of::Account(one) => (*one == account.id).then_some(""),
            Of::Group(accounts) => accounts.contains(&account.id).then_some(""),
            Of::Response(response) => asker.budgets.contains(response).then_some(""),
            Of::Everybody => Some(""),
        }
    }
}

impl Bucket {
    /// One of which nothing is used.
    fn new() -> Bucket {
        Bucket { at: i64::MIN, used: 0 }
    }

    fn take(&mut self, quota: &Quota, amount: u64, now: i64) -> Result<(), Exhausted> {
        let exhausted = |remaining: u64, retry: Option<i64>, reset: i64| Exhausted {
            quota: quota.id.clone(),
            unit: quota.unit,
            limit: quota.amount,
            remaining,
            retry_seconds: retry.filter(|_| amount <= quota.amount).map(seconds),
            reset_seconds: seconds(reset),
            is_hidden: matches!(quota.of, Of::Response(_)),
        };
        let per = quota.per.nanos();
        if quota.per.is_window() {
            let begun = now.div_euclid(per).saturating_mul(per);
            // A clock that went back opens no old window again.
            if begun > self.at {
                *self = Bucket { at: begun, used: 0 };
            }
            let left = quota.amount.saturating_sub(self.used);
            if amount > left {
                let next = self.at.saturating_add(per).saturating_sub(now);
                return Err(exhausted(left, Some(next), next));
            }
            self.used = self.used.saturating_add(amount);
            return Ok(());
        }
        // Everything that is used is as many nanoseconds ahead of now as it takes to refill.
        let cost = duration(amount, quota);
        let ahead = self.at.saturating_sub(now).max(0);
        if cost > per.saturating_sub(ahead) {
            let left = u128::try_from(per.saturating_sub(ahead)).unwrap_or(0) * u128::from(quota.amount) / per as u128;
            let wait = cost.saturating_add(ahead).saturating_sub(per);
            return Err(exhausted(u64::try_from(left).unwrap_or(u64::MAX), Some(wait), ahead));
        }
        self.at = self.at.max(now).saturating_add(cost);
        Ok(())
    }

    /// Charges `took` in place of what was `taken`.
    fn correct(&mut self, taken: &Taken, took: u64, now: i64) {
        let Taken { quota, amount: reserved, at, .. } = taken;
        if quota.per.is_window() {
            // What was reserved in a window that is over is over with it.
            if self.at == *at {
                self.used = self.used.saturating_sub(*reserved).saturating_add(took);
            }
            return;
        }
        let (reserved, took) = (duration(*reserved, quota), duration(took, quota));
        if took > reserved {
            // More than was reserved is owed from now on.
            self.at = self.at.max(now).saturating_add(took.saturating_sub(reserved));
        } else {
            // What has refilled since is not given back a second time.
            let left = at.saturating_sub(now).max(0);
            self.at = self.at.saturating_sub(reserved.saturating_sub(took).min(left));
        }
    }
}

/// How long `amount` takes to refill, rounded up so that rounding never gives anything away.
fn duration(amount: u64, quota: &Quota) -> i64 {
    let nanos = (u128::from(amount) * quota.per.nanos() as u128).div_ceil(u128::from(quota.amount.max(1)));
    let nanos = if quota.amount == 0 && amount > 0 { u128::MAX } else { nanos };
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

fn seconds(nanos: i64) -> u64 {
    u64::try_from(nanos.max(0)).unwrap_or(0).div_ceil(SECOND as u64).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::action::Actions;

    fn account(id: &str, more: serde_json::Value) -> Account {
        let mut account = json!({"id": id, "created": "1970-01-01T00:00:00Z"});
        account.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(account).unwrap()
    }

    fn quotas(rules: serde_json::Value) -> Quotas {
        let quotas = Quotas::default();
        quotas.replace(serde_json::from_value(rules).unwrap()).unwrap();
        quotas
    }

    fn asker(account: &Account) -> Asker<'_> {
        static NONE: std::sync::LazyLock<Permit> = std::sync::LazyLock::new(|| Permit::of(Actions::NONE));
        Asker { account, credential: "key-1", permit: &NONE, budgets: &[] }
    }

    fn at(seconds: i64) -> Time {
        Time::from_seconds(1_780_000_000 + seconds)
    }

    impl NotReserved {
        fn exhausted(self) -> Exhausted {
            match self {
                NotReserved::Exhausted(exhausted) => exhausted,
                NotReserved::Unpriced => panic!("nothing has a price"),
            }
        }
    }

    #[test]
    fn costs_are_limited_and_what_has_no_price_is_not_let_through() {
        let ann = account("ann", json!({}));
        let rules = json!([
            {"id": "first", "of": "each_account", "unit": "requests", "amount": 2, "per": "day"},
            {"id": "spend", "of": "each_account", "unit": "micro_cost", "amount": 1_000_000, "per": "day"},
        ]);
        let quotas = quotas(rules);
        assert!(quotas.count_costs());
        let cost = |micro_cost| Amounts { requests: 1, tokens: 5, micro_cost };
        let reserve = |micro_cost| quotas.reserve(&asker(&ann), cost(micro_cost), at(0));
        for _ in 0..9 {
            assert_eq!(reserve(None).unwrap_err(), NotReserved::Unpriced, "and takes nothing of the other one");
        }
        let first = reserve(Some(900_000)).unwrap();
        assert_eq!(reserve(Some(100_001)).unwrap_err().exhausted().unit, Unit::MicroCost);
        quotas.settle(first, cost(Some(1)), at(0));
        let second = reserve(Some(999_999)).unwrap();
        quotas.settle(second, cost(None), at(0));
        assert!(reserve(Some(1)).is_err(), "what cannot be told stays at what was reserved");
    }

    const NOTHING: Amounts = Amounts { requests: 1, tokens: 0, micro_cost: Some(0) };

    #[test]
    fn a_rate_refills_evenly_and_a_budget_at_midnight() {
        let ann = account("ann", json!({}));
        let minute =
            quotas(json!([{"id": "rpm", "of": "each_account", "unit": "requests", "amount": 60, "per": "minute"}]));
        let ask = |quotas: &Quotas, second| quotas.reserve(&asker(&ann), NOTHING, at(second)).map(|_| ());
        assert!((0..60).all(|_| ask(&minute, 0).is_ok()));
        let told = ask(&minute, 0).unwrap_err().exhausted();
        assert_eq!((told.remaining, told.retry_seconds, told.reset_seconds), (0, Some(1), 60));
        assert!(ask(&minute, 1).is_ok() && ask(&minute, 1).is_err());
        assert!((0..60).all(|_| ask(&minute, 3600).is_ok()) && ask(&minute, 3600).is_err());

        let day = quotas(json!([{"id": "rpd", "of": "each_account", "unit": "requests", "amount": 2, "per": "day"}]));
        // 2026-05-28T20:26:40Z: midnight is 12,800 seconds away.
        assert!(ask(&day, 0).is_ok() && ask(&day, 0).is_ok());
        let told = ask(&day, 10).unwrap_err().exhausted();
        assert_eq!((told.retry_seconds, told.reset_seconds), (Some(12_790), 12_790));
        assert!(ask(&day, 12_799).is_err() && ask(&day, 12_800).is_ok());
        // A clock that goes back opens no window again.
        assert!(ask(&day, 0).is_ok() && ask(&day, 0).is_err() && ask(&day, 12_800).is_err());
    }

    #[test]
    fn who_shares_a_limit_shares_it() {
        let (ann, bob) = (
            account("ann", json!({"organisation": "o", "payment": "p"})),
            account("bob", json!({"organisation": "o"})),
        );
        let cat = account("cat", json!({"payment": "p"}));
        for (of, shared) in [
            (json!("each_account"), [false, false]),
            (json!("each_organisation"), [true, false]),
            (json!("each_payment_group"), [false, true]),
            (json!({"group": ["ann", "cat"]}), [false, true]),
            (json!("everybody"), [true, true]),
            (json!("each_key"), [true, true]),
        ] {
            for (other, is_shared) in [&bob, &cat].into_iter().zip(shared) {
                let quotas = quotas(json!([{"id": "q", "of": of, "unit": "requests", "amount": 1, "per": "day"}]));
                assert!(quotas.reserve(&asker(&ann), NOTHING, at(0)).is_ok());
                let second = quotas.reserve(&asker(other), NOTHING, at(0));
                assert_eq!(second.is_err(), is_shared, "{of} {}", other.id);
            }
        }
        let shared =
            quotas(json!([{"id": "r", "of": {"response": "r"}, "unit": "requests", "amount": 1, "per": "day"}]));
        let budgets = ["r".parse().unwrap()];
        let covered = |account| Asker { budgets: &budgets, ..asker(account) };
        assert!(shared.reserve(&asker(&ann), NOTHING, at(0)).is_ok(), "whom it does not cover");
        assert!(shared.reserve(&covered(&ann), NOTHING, at(0)).is_ok());
        assert!(shared.reserve(&covered(&cat), NOTHING, at(0)).is_err());
        let one = quotas(json!([{"id": "q", "of": {"account": "ann"}, "unit": "requests", "amount": 0, "per": "day"}]));
        assert!(
            one.reserve(&asker(&ann), NOTHING, at(0)).is_err() && one.reserve(&asker(&bob), NOTHING, at(0)).is_ok()
        );
    }

    #[test]
    fn what_was_taken_is_charged_in_place_of_what_was_reserved() {
        let ann = account("ann", json!({}));
        let tokens = |tokens| Amounts { tokens, micro_cost: Some(0), ..Amounts::default() };
        for per in ["minute", "day"] {
            let quotas =
                quotas(json!([{"id": "t", "of": "each_account", "unit": "tokens", "amount": 1000, "per": per}]));
            let reserve = |count| quotas.reserve(&asker(&ann), tokens(count), at(0));
            let first = reserve(800).unwrap();
            assert_eq!(reserve(300).unwrap_err().exhausted().remaining, 200);
            quotas.settle(first, tokens(100), at(0));
            let second = reserve(900).unwrap();
            quotas.settle(second, tokens(950), at(0));
            assert!(reserve(1).is_err(), "more than was reserved is owed: {per}");
            let never = reserve(1001).unwrap_err().exhausted();
            assert_eq!(never.retry_seconds, None);
        }
    }

    /// A batch is settled hours after it was reserved, maybe by another process.
    #[test]
    fn what_is_settled_late_gives_back_no_more_than_it_still_holds() {
        let ann = account("ann", json!({}));
        let tokens = |tokens| Amounts { tokens, micro_cost: Some(0), ..Amounts::default() };
        for (per, late, is_over) in
            [("minute", 30, false), ("minute", 60, true), ("day", 60, false), ("day", 86_400, true)]
        {
            for is_resumed in [false, true] {
                let quotas =
                    quotas(json!([{"id": "t", "of": "each_account", "unit": "tokens", "amount": 1000, "per": per}]));
                let reserve = |count, second| quotas.reserve(&asker(&ann), tokens(count), at(second));
                let first = reserve(1000, 0).unwrap();
                let limits: Vec<QuotaId> = first.limits().cloned().collect();
                // Of a limit that was made since, nothing was taken that could be given back.
                let none = quotas.reserved_before(&asker(&ann), tokens(1000), at(0), &[]);
                assert!(none.limits().next().is_none());
                quotas.give_back(none);
                let again = is_over.then(|| reserve(1000, late).unwrap());
                let first =
                    if is_resumed { quotas.reserved_before(&asker(&ann), tokens(1000), at(0), &limits) } else { first };
                quotas.settle(first, tokens(0), at(late));
                assert_eq!(reserve(1000, late).is_ok(), !is_over, "{per} {late} {is_resumed}");
                drop(again);
            }
        }
    }

    #[test]
    fn a_batch_takes_as_many_requests_as_it_has() {
        let ann = account("ann", json!({}));
        let rules = json!([{"id": "r", "of": "each_account", "unit": "requests", "amount": 10, "per": "day"}]);
        let quotas = quotas(rules);
        let reserve = |requests| quotas.reserve(&asker(&ann), Amounts { requests, ..NOTHING }, at(0));
        assert!(reserve(11).is_err());
        let batch = reserve(9).unwrap();
        assert!(reserve(1).is_ok() && reserve(1).is_err());
        quotas.settle(batch, Amounts { requests: 4, ..NOTHING }, at(1));
        assert!(reserve(6).is_err() && reserve(5).is_ok());
    }

    #[test]
    fn the_usual_rate_does_not_hold_for_who_may_have_a_high_one() {
        let ann = account("ann", json!({}));
        let rule = json!({"id": "q", "of": "each_account", "unit": "requests", "amount": 0, "per": "day"});
        let mut usual = rule.clone();
        usual["except_high_rate"] = json!(true);
        let high = Permit::of(Actions::ALL);
        for (rule, asker, expected) in [
            (&rule, Asker { permit: &high, ..asker(&ann) }, false),
            (&usual, Asker { permit: &high, ..asker(&ann) }, true),
            (&usual, asker(&ann), false),
        ] {
            assert_eq!(quotas(json!([rule])).reserve(&asker, NOTHING, at(0)).is_ok(), expected, "{rule}");
        }
    }

    #[test]
    fn of_several_limits_all_are_taken_or_none() {
        let ann = account("ann", json!({}));
        let quotas = quotas(json!([
            {"id": "rpm", "of": "each_account", "unit": "requests", "amount": 2, "per": "minute"},
            {"id": "tpm", "of": "each_account", "unit": "tokens", "amount": 10, "per": "minute"},
        ]));
        let reserve = |tokens| {
            quotas
                .reserve(&asker(&ann), Amounts { tokens, micro_cost: Some(0), ..Amounts::default() }, at(0))
                .map(|_| ())
        };
        assert!((0..5).all(|_| reserve(11).unwrap_err().exhausted().quota.as_str() == "tpm"));
        assert!(reserve(5).is_ok() && reserve(5).is_ok());
        assert_eq!(reserve(0).unwrap_err().exhausted().quota.as_str(), "rpm");
    }

    #[test]
    fn requests_at_the_same_time_never_pass_a_limit_together() {
        let ann = account("ann", json!({}));
        for per in ["hour", "day"] {
            let quotas =
                quotas(json!([{"id": "q", "of": "each_account", "unit": "tokens", "amount": 1000, "per": per}]));
            let granted: usize = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            let ask = || {
                                quotas.reserve(
                                    &asker(&ann),
                                    Amounts { tokens: 7, micro_cost: Some(0), ..Amounts::default() },
                                    at(0),
                                )
                            };
                            (0..100).filter(|_| ask().is_ok()).count()
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert_eq!(granted, 1000 / 7, "{per}");
        }
    }

    #[test]
    fn what_is_used_up_outlives_the_process() {
        let ann = account("ann", json!({}));
        let rules = json!([
            {"id": "rpm", "of": "each_account", "unit": "requests", "amount": 3, "per": "hour"},
            {"id": "rpd", "of": "each_account", "unit": "requests", "amount": 3, "per": "day"},
        ]);
        let before = quotas(rules.clone());
        assert!((0..3).all(|_| before.reserve(&asker(&ann), NOTHING, at(0)).is_ok()));
        let saved = serde_json::to_string(&before.save(at(0))).unwrap();
        let after = quotas(rules);
        after.restore(serde_json::from_str(&saved).unwrap());
        assert!(after.reserve(&asker(&ann), NOTHING, at(1)).is_err());
    }

    #[test]
    fn quotas_and_buckets_have_a_limit() {
        let rule = |n: usize| Quota {
            id: format!("q{n}").parse().unwrap(),
            of: Of::EachAccount,
            unit: Unit::Requests,
            amount: 1,
            per: Per::Day,
            except_high_rate: false,
        };
        let quotas = Quotas::with_room(SHARDS);
        assert_eq!(quotas.replace((0..QUOTAS_MAX).map(rule).collect()), Ok(()));
        assert_eq!(quotas.replace((0..=QUOTAS_MAX).map(rule).collect()), Err(TooManyQuotas));
        quotas.replace(vec![rule(0)]).unwrap();
        for n in 0..1000 {
            let account = account(&format!("a{n}"), json!({}));
            assert!(quotas.reserve(&asker(&account), NOTHING, at(0)).is_ok());
        }
        let held: usize = quotas.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(held <= SHARDS, "{held}");
    }

    proptest! {
        /// However requests come, no more is granted from any moment on than what is there at once and what refills.
        #[test]
        fn a_rate_is_never_passed(amount in 1_u64..50, gaps in proptest::collection::vec((0_i64..3_000, 1_u64..20), 1..200)) {
            let ann = account("ann", json!({}));
            let quotas = quotas(json!([{"id": "q", "of": "each_account", "unit": "tokens", "amount": amount, "per": "second"}]));
            let mut now = 0;
            let mut granted: Vec<(i64, u64)> = Vec::new();
            for (gap, tokens) in gaps {
                now += gap * 1_000_000;
                let time = Time::from_nanos(1_780_000_000 * SECOND + now);
                if quotas.reserve(&asker(&ann), Amounts { tokens, micro_cost: Some(0), ..Amounts::default() }, time).is_ok() {
                    granted.push((now, tokens));
                }
            }
            for (from, (start, _)) in granted.iter().enumerate() {
                let mut sum = 0;
                for (time, tokens) in granted.iter().skip(from) {
                    sum += tokens;
                    let allowed = amount as f64 + amount as f64 * (time - start) as f64 / SECOND as f64;
                    prop_assert!(sum as f64 <= allowed + 1e-6, "{sum} of {allowed}");
                }
            }
        }
    }
}
