//! Values that accounts hold (payment instruments, networks, mail domains, …), each with how many hold it.
//!
//! Popularity is what makes a shared value mean something or nothing: half the population behind one carrier's network is
//! no group, three accounts on one unheard-of card are. Bounded by [`VALUES_MAX`]; beyond it a value is as if unknown.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::limits::{NAMES_MAX, VALUES_MAX};
use crate::state::written;

/// A kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// Payment instrument.
    Payment,
    /// Mail domain at sign-up.
    EmailDomain,
    /// Address block.
    Block,
    /// Autonomous system.
    Asn,
    /// Country of the address.
    Country,
    /// Kind of network.
    Network,
    /// Sign-up programme.
    Program,
    /// Plan.
    Plan,
    /// Client software.
    Software,
    /// Decoding settings.
    Params,
    /// Model asked for.
    Model,
}

impl Kind {
    /// Every kind, in a fixed order.
    pub const ALL: [Kind; 11] = [
        Kind::Payment,
        Kind::EmailDomain,
        Kind::Block,
        Kind::Asn,
        Kind::Country,
        Kind::Network,
        Kind::Program,
        Kind::Plan,
        Kind::Software,
        Kind::Params,
        Kind::Model,
    ];

    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Payment => "payment instrument",
            Kind::EmailDomain => "mail domain",
            Kind::Block => "address block",
            Kind::Asn => "network operator",
            Kind::Country => "country",
            Kind::Network => "kind of network",
            Kind::Program => "sign-up programme",
            Kind::Plan => "plan",
            Kind::Software => "client software",
            Kind::Params => "decoding settings",
            Kind::Model => "model",
        }
    }
}

/// A value, interned. Zero stands for "not known".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Value(u32);

impl Value {
    /// Whether it is known.
    #[must_use]
    pub fn known(self) -> bool {
        self.0 != 0
    }
}

/// The values each account holds, one per kind.
pub(crate) type Held = [Value; Kind::ALL.len()];

/// All values seen.
#[derive(Serialize, Deserialize)]
pub(crate) struct Values {
    /// How many are kept.
    #[serde(skip, default = "values_max")]
    limit: usize,
    /// How many names of hashed values may still be kept.
    names_left: usize,
    #[serde(with = "written::sorted")]
    ids: HashMap<u64, Value, FixedState>,
    facts: Vec<Fact>,
    /// Those that nobody holds any more, to give out again.
    free: BTreeSet<Value>,
    /// Accounts for which a value of the kind is known.
    known: [u64; Kind::ALL.len()],
}

#[derive(Serialize, Deserialize)]
struct Fact {
    kind: Kind,
    holders: u32,
    name: Box<str>,
    /// Whether its name counts among those of [`NAMES_MAX`].
    counted: bool,
}

fn values_max() -> usize {
    VALUES_MAX
}

impl Default for Values {
    fn default() -> Self {
        Values {
            limit: VALUES_MAX,
            names_left: NAMES_MAX,
            ids: HashMap::default(),
            facts: Vec::new(),
            free: BTreeSet::new(),
            known: [0; Kind::ALL.len()],
        }
    }
}

impl Values {
    /// The value written `name`; none where the table is full.
    pub(crate) fn intern(&mut self, kind: Kind, name: &str) -> Value {
        let key = xxh3_64_with_seed(name.as_bytes(), kind as u64);
        self.intern_key(kind, key, || name.into())
    }

    /// The value with a hash of its own, named only when it is new.
    pub(crate) fn intern_hash(&mut self, kind: Kind, hash: u64, name: impl FnOnce() -> Box<str>) -> Value {
        self.intern_key(kind, hash_key(kind, hash), name)
    }

    /// The value with a hash of its own whose name a caller may choose: beyond [`NAMES_MAX`] of them the name is not kept,
    /// and the hash is told instead.
    pub(crate) fn intern_named(&mut self, kind: Kind, hash: u64, name: &str) -> Value {
        let kept = self.names_left > 0 && !name.is_empty();
        let before = self.ids.len();
        let value = self.intern_hash(kind, hash, || {
            if kept { name.into() } else { format!("{:08x} (only its fingerprint is kept)", hash >> 32).into() }
        });
        if kept && self.ids.len() > before {
            self.names_left -= 1;
            self.fact_mut(value).into_iter().for_each(|fact| fact.counted = true);
        }
        value
    }

    /// The value with this hash, where it was met.
    #[must_use]
    pub(crate) fn find_hash(&self, kind: Kind, hash: u64) -> Value {
        self.ids.get(&hash_key(kind, hash)).copied().unwrap_or_default()
    }

    fn intern_key(&mut self, kind: Kind, key: u64, name: impl FnOnce() -> Box<str>) -> Value {
        if let Some(&value) = self.ids.get(&key) {
            return value;
        }
        if self.free.is_empty() && self.facts.len() >= self.limit {
            return Value::default();
        }
        let fact = Fact { kind, holders: 0, name: name(), counted: false };
        let value = self.free.pop_first().unwrap_or(Value(self.facts.len() as u32 + 1));
        match self.fact_mut(value) {
            Some(free) => *free = fact,
            None => self.facts.push(fact),
        }
        self.ids.insert(key, value);
        value
    }

    /// Forgets what nobody holds.
    pub(crate) fn forget(&mut self) {
        let facts = &mut self.facts;
        let (free, names_left) = (&mut self.free, &mut self.names_left);
        self.ids.retain(|_, value| {
            let fact = value.0.checked_sub(1).and_then(|place| facts.get_mut(place as usize));
            let Some(fact) = fact.filter(|fact| fact.holders == 0) else { return true };
            *names_left += usize::from(fact.counted);
            *fact = Fact { kind: fact.kind, holders: 0, name: "".into(), counted: false };
            free.insert(*value);
            false
        });
    }

    /// One more account holds `value`.
    pub(crate) fn hold(&mut self, value: Value) {
        self.hold_too(value);
        if let Some(known) = self.known_mut(value) {
            *known += 1;
        }
    }

    /// An account no longer holds `value`.
    pub(crate) fn release(&mut self, value: Value) {
        self.release_too(value);
        if let Some(known) = self.known_mut(value) {
            *known = known.saturating_sub(1);
        }
    }

    /// One more account holds `value` beside another of its kind.
    pub(crate) fn hold_too(&mut self, value: Value) {
        if let Some(fact) = self.fact_mut(value) {
            fact.holders += 1;
        }
    }

    /// An account no longer holds `value` beside another of its kind.
    pub(crate) fn release_too(&mut self, value: Value) {
        if let Some(fact) = self.fact_mut(value) {
            fact.holders = fact.holders.saturating_sub(1);
        }
    }

    /// How many accounts hold `value`.
    #[must_use]
    pub(crate) fn holders(&self, value: Value) -> u64 {
        self.fact(value).map_or(0, |fact| u64::from(fact.holders))
    }

    /// For how many accounts a value of `kind` is known.
    #[must_use]
    pub(crate) fn known(&self, kind: Kind) -> u64 {
        self.known.get(kind as usize).copied().unwrap_or(0)
    }

    /// The value as it was written.
    #[must_use]
    pub(crate) fn name(&self, value: Value) -> &str {
        self.fact(value).map_or("", |fact| &fact.name)
    }

    fn known_mut(&mut self, value: Value) -> Option<&mut u64> {
        let kind = self.fact(value)?.kind;
        self.known.get_mut(kind as usize)
    }

    fn fact_mut(&mut self, value: Value) -> Option<&mut Fact> {
        self.facts.get_mut(value.0.checked_sub(1)? as usize)
    }

    fn fact(&self, value: Value) -> Option<&Fact> {
        self.facts.get(value.0.checked_sub(1)? as usize)
    }
}

/// Under what a hashed value of a kind is kept.
fn hash_key(kind: Kind, hash: u64) -> u64 {
    hash.rotate_left(kind as u32 + 1) ^ kind as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_equal_values_within_a_kind() {
        let mut values = Values::default();
        let card = values.intern(Kind::Payment, "x");
        assert_eq!(card, values.intern(Kind::Payment, "x"));
        assert_ne!(card, values.intern(Kind::EmailDomain, "x"));
        values.hold(card);
        values.hold(card);
        values.release(card);
        assert_eq!((values.holders(card), values.known(Kind::Payment)), (1, 1));
        assert_eq!(values.name(card), "x");
    }

    #[test]
    fn values_beyond_the_limit_are_unknown() {
        let mut values = Values { limit: 2, ..Values::default() };
        let known = ["a", "b", "c", "a"].map(|name| values.intern(Kind::Payment, name).known());
        assert_eq!(known, [true, true, false, true]);
        assert_eq!(Values::default().limit, VALUES_MAX);
    }

    #[test]
    fn names_beyond_the_limit_are_told_by_their_hash() {
        let mut values = Values { names_left: 2, ..Values::default() };
        let named: Vec<String> = [(1_u64 << 32, "m-1"), (2 << 32, "m-2"), (1 << 32, "m-1"), (3 << 32, "m-3")]
            .map(|(hash, name)| values.intern_named(Kind::Model, hash, name))
            .map(|value| values.name(value).to_owned())
            .into();
        assert_eq!(named, ["m-1", "m-2", "m-1", "00000003 (only its fingerprint is kept)"]);
        assert_eq!(values.name(values.find_hash(Kind::Model, 2 << 32)), "m-2");
        assert!(!values.find_hash(Kind::Software, 2 << 32).known());
        assert_eq!(Values::default().names_left, NAMES_MAX);
    }

    #[test]
    fn the_unknown_value_is_held_by_nobody() {
        let mut values = Values::default();
        values.hold(Value::default());
        assert_eq!(values.holders(Value::default()), 0);
        assert!(!Value::default().known());
    }
}
