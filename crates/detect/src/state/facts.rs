//! What the provider said of accounts that have asked nothing yet.
//!
//! An accounts file names everybody who ever signed up. Only who asks something takes a place among the accounts, so that a
//! long file does not crowd out the accounts of its end, which are the newest. Bounded by [`FACTS_MAX`] accounts; beyond it the
//! facts that were told first are forgotten, and counted.

use std::collections::{HashMap, VecDeque};

use event::Hash;
use exchange::{AccountFact, Assurance, Time};
use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use crate::limits::FACTS_MAX;
use crate::state::value::Kind;
use crate::state::written;

/// What was said of one account; later facts replace earlier ones field by field.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// When it signed up.
    pub created: Option<Time>,
    /// When it was closed.
    pub closed: Option<Time>,
    /// When it was last said to be active; a closure before that is over.
    pub opened: Option<Time>,
    /// How well it is known.
    pub assurance: Option<Assurance>,
    /// The organisation it belongs to.
    pub org: Option<Hash>,
    texts: [Option<Box<str>>; Facts::KINDS.len()],
}

impl Facts {
    const KINDS: [Kind; 4] = [Kind::Payment, Kind::EmailDomain, Kind::Program, Kind::Plan];

    /// What one fact says.
    pub(crate) fn of(fact: &AccountFact<'_>) -> Facts {
        let mut facts = Facts::default();
        facts.learn(fact);
        facts
    }

    /// What is known of an account that holds these.
    pub(crate) fn known(
        (created, closed): (Option<Time>, Option<Time>),
        (assurance, org): (Option<Assurance>, Option<Hash>),
        held: impl Fn(Kind) -> Option<Box<str>>,
    ) -> Facts {
        Facts { created, closed, opened: None, assurance, org, texts: Facts::KINDS.map(held) }
    }

    /// The values it holds.
    pub(crate) fn values(&self) -> impl Iterator<Item = (Kind, &str)> {
        Facts::KINDS.into_iter().zip(&self.texts).filter_map(|(kind, text)| Some((kind, text.as_deref()?)))
    }

    /// When it was closed, unless it was opened again since.
    pub(crate) fn closed(&self, before: Option<Time>) -> Option<Time> {
        self.closed.or(before).filter(|&closed| self.opened.is_none_or(|opened| opened <= closed))
    }

    fn learn(&mut self, fact: &AccountFact<'_>) {
        self.created = fact.created.or(self.created);
        if fact.closed.is_none() && fact.status.as_deref() == Some("active") {
            self.opened = self.opened.max(Some(fact.time));
        }
        self.closed = fact.closed.or(self.closed);
        // A person's word about an account counts as a contract does.
        let assurance = if fact.cleared == Some(true) { Some(Assurance::Contract) } else { fact.assurance };
        self.assurance = assurance.or(self.assurance);
        self.org = fact.org.as_ref().map(|org| Hash::of(org.as_str())).or(self.org);
        let said = [&fact.payment, &fact.email_domain, &fact.program, &fact.plan];
        for (have, said) in self.texts.iter_mut().zip(said) {
            if let Some(text) = said.as_deref().filter(|text| !text.is_empty()) {
                *have = Some(text.into());
            }
        }
    }
}

/// The accounts that have asked nothing yet, by the hash of their id.
#[derive(Serialize, Deserialize)]
pub(crate) struct Waiting {
    #[serde(skip, default = "facts_max")]
    limit: usize,
    #[serde(with = "written::sorted")]
    facts: HashMap<u64, Box<Facts>, FixedState>,
    /// Oldest first; those that were taken out since are still here.
    order: VecDeque<u64>,
    /// Accounts whose facts were forgotten.
    pub forgotten: u64,
}

fn facts_max() -> usize {
    FACTS_MAX
}

impl Default for Waiting {
    fn default() -> Self {
        Waiting { limit: FACTS_MAX, facts: HashMap::default(), order: VecDeque::new(), forgotten: 0 }
    }
}

impl Waiting {
    /// Remembers a fact.
    pub(crate) fn learn(&mut self, account: u64, fact: &AccountFact<'_>) {
        match self.facts.get_mut(&account) {
            Some(facts) => facts.learn(fact),
            None => self.wait(account, Facts::of(fact)),
        }
    }

    /// Remembers what is known of an account.
    pub(crate) fn wait(&mut self, account: u64, facts: Facts) {
        if self.facts.insert(account, facts.into()).is_some() {
            return;
        }
        self.order.push_back(account);
        while self.facts.len() > self.limit {
            let Some(oldest) = self.order.pop_front() else { return };
            self.forgotten += u64::from(self.facts.remove(&oldest).is_some());
        }
    }

    /// What was said of an account, which asks now.
    pub(crate) fn take(&mut self, account: u64) -> Option<Box<Facts>> {
        let facts = self.facts.remove(&account);
        if self.facts.is_empty() {
            // Nobody waits any more: neither does the room for a whole file of them.
            self.facts.shrink_to_fit();
            self.order = VecDeque::new();
        } else if self.order.len() > 2 * self.facts.len() + ORDER_MIN {
            self.order.retain(|account| self.facts.contains_key(account));
        }
        facts
    }
}

/// Places of those that were taken out are given up from here.
const ORDER_MIN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(account: &str) -> AccountFact<'_> {
        let text = format!(r#"{{"time":1,"account":"{account}","payment":"p"}}"#);
        let leaked: &'static str = Box::leak(text.into_boxed_str());
        exchange::read_account(leaked.as_bytes(), &mut exchange::Notes::default()).unwrap()
    }

    #[test]
    fn a_persons_word_counts_as_a_contract_until_a_later_fact_lacks_it() {
        let fact = |cleared: Option<bool>| AccountFact {
            assurance: Some(Assurance::Email),
            cleared,
            ..exchange::read_account(
                br#"{"time":"2026-01-01T00:00:00Z","account":"a"}"#,
                &mut exchange::Notes::default(),
            )
            .unwrap()
        };
        let mut facts = Facts::of(&fact(None));
        for (cleared, expected) in
            [(Some(true), Assurance::Contract), (None, Assurance::Email), (Some(false), Assurance::Email)]
        {
            facts.learn(&fact(cleared));
            assert_eq!(facts.assurance, Some(expected), "{cleared:?}");
        }
    }

    #[test]
    fn a_closure_is_over_once_the_account_is_active_again() {
        let said = |lines: &[(i64, &str, Option<i64>)]| {
            let mut facts = Facts::default();
            for (time, status, closed) in lines {
                let fact = AccountFact {
                    time: Time::from_seconds(*time),
                    status: Some((*status).into()),
                    closed: closed.map(Time::from_seconds),
                    ..fact("a")
                };
                facts.learn(&fact);
            }
            facts.closed(None).map(Time::seconds)
        };
        assert_eq!(said(&[(1, "active", None), (9, "closed", Some(9))]), Some(9));
        assert_eq!(said(&[(1, "active", None), (9, "active", Some(9)), (20, "active", None)]), None);
        assert_eq!(
            said(&[(20, "active", None), (9, "closed", Some(9)), (1, "active", None)]),
            None,
            "in whatever order"
        );
        assert_eq!(said(&[(9, "closed", Some(9)), (20, "active", None), (30, "closed", Some(30))]), Some(30));
        assert_eq!(said(&[(9, "closed", Some(9)), (20, "suspended", None)]), Some(9));
    }

    #[test]
    fn the_oldest_are_forgotten_beyond_the_limit() {
        let mut waiting = Waiting { limit: 2, ..Waiting::default() };
        for (number, account) in ["a", "b"].into_iter().enumerate() {
            waiting.learn(number as u64, &fact(account));
        }
        assert_eq!(waiting.forgotten, 0);
        waiting.learn(2, &fact("c"));
        assert_eq!(waiting.forgotten, 1);
        assert!(waiting.take(0).is_none() && waiting.take(1).is_some() && waiting.take(2).is_some());
        assert_eq!(Waiting::default().limit, FACTS_MAX);
    }
}
