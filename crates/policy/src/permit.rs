//! Permits: what one request may do, as a value that later stages demand.
//!
//! Promises that a [`Permit`] is made in one place only ([`Permits::permit`]), out of what policies allow the account and
//! what its credential's scope leaves of that, and that a change of an account, its organisation, the responses to it,
//! what detection says of it or the policies holds for the next request. Decisions are remembered until then. Bounded by [`DECISIONS_MAX`].

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use exchange::Time;
use foldhash::fast::RandomState;

use crate::account::{Account, Organisation};
use crate::action::{Action, Actions};
use crate::id::AccountId;
use crate::limits::{DECIDED_MODELS_MAX, DECISIONS_MAX};
use crate::policies::{Decision, Policies, Subject};
use crate::response::{Force, Rung};
use crate::suspicion::Suspicion;
use crate::who::Who;

/// Tables that are locked apart, so that requests seldom wait for each other.
const SHARDS: usize = 64;
/// Of how many accounts the one is forgotten of which least is remembered.
const LOOKED_AT: usize = 8;

/// What one request may do. Nobody but [`Permits`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    actions: Actions,
    rung: Rung,
}

/// Why something is not in a permit; callers learn of a verification only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is not allowed.
    #[error("not allowed")]
    NotAllowed,
    /// It is not allowed before the account shows better who it is.
    #[error("not allowed before the account is verified")]
    NotVerified,
}

impl Permit {
    /// What is allowed.
    #[must_use]
    pub fn actions(&self) -> Actions {
        self.actions
    }

    /// Whether `action` is allowed.
    #[must_use]
    pub fn has(&self, action: Action) -> bool {
        self.actions.has(action)
    }

    /// The rung that the responses to the account came to.
    #[must_use]
    pub fn rung(&self) -> Rung {
        self.rung
    }
}

#[cfg(test)]
impl Permit {
    /// A permit for tests of what demands one.
    pub(crate) fn of(actions: Actions) -> Permit {
        Permit { actions, rung: Rung::None }
    }
}

/// Makes permits.
#[derive(Debug)]
pub struct Permits {
    policies: RwLock<Arc<Policies>>,
    shards: Vec<Mutex<HashMap<AccountId, Decided, RandomState>>>,
    /// Spreads accounts over the tables.
    spread: RandomState,
    accounts_max: usize,
    failures: AtomicU64,
}

/// What was decided for an account, and from what.
#[derive(Debug)]
struct Decided {
    policies: Arc<Policies>,
    account: Arc<Account>,
    organisation: Option<Arc<Organisation>>,
    force: Force,
    suspicion: Option<Arc<Suspicion>>,
    /// By the model, the oldest first.
    models: Vec<(Option<Box<str>>, Decision)>,
}

impl Permits {
    /// Permits by `policies`.
    #[must_use]
    pub fn new(policies: Arc<Policies>) -> Permits {
        Permits::with_room(policies, DECISIONS_MAX)
    }

    fn with_room(policies: Arc<Policies>, accounts_max: usize) -> Permits {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Permits {
            policies: RwLock::new(policies),
            shards,
            spread: RandomState::default(),
            accounts_max,
            failures: AtomicU64::new(0),
        }
    }

    /// These policies hold from the next request on.
    pub fn replace(&self, policies: Arc<Policies>) {
        *self.policies.write().unwrap_or_else(PoisonError::into_inner) = policies;
    }

    /// The policies that hold.
    #[must_use]
    pub fn policies(&self) -> Arc<Policies> {
        Arc::clone(&self.policies.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What `who` may do with `model`, at `now`.
    ///
    /// # Errors
    ///
    /// When something of `needed` is not allowed.
    pub fn permit(&self, who: &Who, model: Option<&str>, needed: Actions, now: Time) -> Result<Permit, Denied> {
        self.permit_under(who, who.responses.force(now), model, needed)
    }

    /// What `who` could do with `model` if the responses that cover it came to `force`.
    ///
    /// # Errors
    ///
    /// When something of `needed` would not be allowed.
    pub fn permit_under(
        &self,
        who: &Who,
        force: Force,
        model: Option<&str>,
        needed: Actions,
    ) -> Result<Permit, Denied> {
        let decision = self.decision(who, force, model);
        let rung = force.rung;
        if !decision.failed.is_empty() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        let actions = decision.allowed.and(who.scope.actions);
        let missing = needed.minus(actions);
        if missing.is_empty() {
            Ok(Permit { actions, rung })
        } else if missing.minus(decision.after_verification.and(who.scope.actions)).is_empty() {
            Err(Denied::NotVerified)
        } else {
            Err(Denied::NotAllowed)
        }
    }

    /// Requests at whose decision a policy failed, so that something was denied.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn decision(&self, who: &Who, force: Force, model: Option<&str>) -> Decision {
        let policies = self.policies();
        let (organisation, suspicion) = (who.organisation.as_deref(), who.suspicion.as_deref());
        let subject = Subject { account: &who.account, organisation, force, suspicion, model };
        let id = &who.account.id;
        let hash = self.spread.hash_one(id) as usize;
        let Some(shard) = self.shards.get(hash % self.shards.len().max(1)) else {
            return policies.decide(&subject);
        };
        let is_same = |decided: &Decided| {
            Arc::ptr_eq(&decided.policies, &policies)
                && Arc::ptr_eq(&decided.account, &who.account)
                && same(decided.organisation.as_ref(), who.organisation.as_ref())
                && decided.force == force
                && same(decided.suspicion.as_ref(), who.suspicion.as_ref())
        };
        let lock = || shard.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(id).filter(|decided| is_same(decided)).and_then(|decided| decided.of(model));
        if let Some(decision) = known {
            return decision;
        }
        // Nobody waits for a decision of somebody else's.
        let decision = policies.decide(&subject);
        let mut accounts = lock();
        if !accounts.contains_key(id) && accounts.len() >= self.accounts_max.div_ceil(SHARDS) {
            let fewest = accounts.iter().take(LOOKED_AT).min_by_key(|(_, decided)| decided.models.len());
            let gone = fewest.map(|(id, _)| id.clone());
            gone.and_then(|id| accounts.remove(&id));
        }
        let fresh = || Decided {
            policies: Arc::clone(&policies),
            account: Arc::clone(&who.account),
            organisation: who.organisation.clone(),
            force,
            suspicion: who.suspicion.clone(),
            models: Vec::new(),
        };
        let decided = accounts.entry(id.clone()).or_insert_with(fresh);
        if !is_same(decided) {
            *decided = fresh();
        }
        if decided.models.len() >= DECIDED_MODELS_MAX {
            decided.models.remove(0);
        }
        decided.models.push((model.map(Into::into), decision));
        decision
    }
}

impl Decided {
    fn of(&self, model: Option<&str>) -> Option<Decision> {
        self.models.iter().find(|(name, _)| name.as_deref() == model).map(|(_, decision)| *decision)
    }
}

fn same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use exchange::Assurance;
    use serde_json::json;

    use super::*;
    use crate::key::Scope;
    use crate::who::Credential;

    const NOW: Time = Time::from_seconds(1_000);

    fn who(id: &str) -> Who {
        let account = json!({"id": id, "created": "1970-01-01T00:00:00Z"});
        Who {
            account: Arc::new(serde_json::from_value(account).unwrap()),
            organisation: None,
            responses: crate::Responses::default(),
            suspicion: None,
            credential: Credential::Key("key-1".into()),
            scope: Scope::default(),
        }
    }

    fn covered(rung: Rung, until: i64) -> crate::Responses {
        let response = json!({"id": "r", "target": {"account": "a"}, "rung": rung, "assurance": "phone",
            "since": "1970-01-01T00:00:00Z", "until": Time::from_seconds(until), "reason": "", "author": "ann"});
        std::iter::once(Arc::new(serde_json::from_value(response).unwrap())).collect()
    }

    fn permits(text: &str) -> Permits {
        Permits::new(Arc::new(Policies::parse(text).unwrap()))
    }

    fn needs(actions: &[Action]) -> Actions {
        actions.iter().copied().collect()
    }

    const INFER: &[Action] = &[Action::Infer];
    const ALL: &str = "@id(\"all\") permit (principal, action, resource);";

    #[test]
    fn a_permit_is_what_policies_allow_and_the_scope_leaves() {
        let permits =
            permits("@id(\"two\") permit (principal, action in [Action::\"infer\", Action::\"stream\"], resource);");
        let mut asker = who("a");
        let permit = permits.permit(&asker, Some("m"), needs(INFER), NOW).unwrap();
        assert_eq!(permit.actions().to_string(), "infer, stream");
        asker.scope.actions = needs(&[Action::Infer, Action::Batch]);
        assert_eq!(permits.permit(&asker, Some("m"), needs(INFER), NOW).unwrap().actions().to_string(), "infer");
        for missing in [Action::Stream, Action::Batch, Action::Tools] {
            assert_eq!(permits.permit(&asker, Some("m"), needs(&[missing]), NOW), Err(Denied::NotAllowed));
        }
    }

    /// Each of these is asked for again with what was decided before in memory.
    #[test]
    fn every_change_holds_for_the_next_request() {
        let permits = permits(crate::policies::DEFAULT);
        let mut asker = who("a");
        let allowed = |asker: &Who, now| permits.permit(asker, Some("m"), needs(INFER), now).is_ok();
        assert!(allowed(&asker, NOW) && allowed(&asker, NOW));
        asker.responses = covered(Rung::Block, 2_000);
        assert!(!allowed(&asker, NOW) && !allowed(&asker, NOW));
        assert!(allowed(&asker, Time::from_seconds(2_000)), "the response is over");
        asker.responses = crate::Responses::default();
        assert!(allowed(&asker, NOW));
        let high = |asker: &Who| permits.permit(asker, Some("m"), Actions::NONE, NOW).unwrap().has(Action::HighRate);
        assert!(!high(&asker));
        asker.account = Arc::new(Account { tier: crate::account::Tier::Business, ..(*asker.account).clone() });
        assert!(high(&asker));
        let watchful = "@id(\"all\") permit (principal, action, resource) unless {
            principal has suspicion && principal.suspicion.strength >= 6 && principal.suspicion.campaign like \"cmp_*\" };";
        permits.replace(Arc::new(Policies::parse(watchful).unwrap()));
        let suspicion = |strength: i64| {
            let said = json!({"account": "a", "campaign": "cmp_1", "strength": strength, "probability": 97,
                "since": "1970-01-01T00:00:00Z", "rival": "a tool", "source": "s"});
            Some(Arc::new(serde_json::from_value(said).unwrap()))
        };
        for (strength, expected) in [(5, true), (6, false), (5, true)] {
            asker.suspicion = suspicion(strength);
            assert!(allowed(&asker, NOW) == expected && allowed(&asker, NOW) == expected, "{strength}");
        }
        asker.suspicion = None;
        assert!(allowed(&asker, NOW));
        permits.replace(Arc::new(Policies::parse("").unwrap()));
        assert!(!allowed(&asker, NOW), "nothing is permitted by no policy");
    }

    #[test]
    fn who_has_to_show_better_who_it_is_hears_so_and_may_afterwards() {
        let permits = permits(crate::policies::DEFAULT);
        let mut asker = who("a");
        asker.responses = covered(Rung::Verify, 2_000);
        let batch = |asker: &Who, more: &[Action]| {
            permits.permit(asker, Some("m"), needs(&[&[Action::Batch], more].concat()), NOW).map(|_| ())
        };
        assert_eq!(batch(&asker, &[]), Err(Denied::NotVerified));
        assert_eq!(batch(&asker, &[Action::HighRate]), Err(Denied::NotAllowed), "it would not have it afterwards");
        asker.account = Arc::new(Account { assurance: Assurance::Phone, ..(*asker.account).clone() });
        assert_eq!(batch(&asker, &[]), Ok(()));
        asker.account = Arc::new(Account { assurance: Assurance::Email, ..(*asker.account).clone() });
        let organisation = json!({"id": "o", "assurance": "contract", "created": "1970-01-01T00:00:00Z"});
        asker.organisation = Some(Arc::new(serde_json::from_value(organisation).unwrap()));
        assert_eq!(batch(&asker, &[]), Ok(()), "its organisation is known");
    }

    #[test]
    fn what_is_remembered_has_limits() {
        let permits = Permits::with_room(Arc::new(Policies::parse(ALL).unwrap()), SHARDS);
        let ask = |id: &str, model: &str| permits.permit(&who(id), Some(model), needs(INFER), NOW).is_ok();
        assert!((0..300).all(|n| ask(&format!("a{n}"), "m")));
        let held = || permits.shards.iter().map(|shard| shard.lock().unwrap().len()).sum::<usize>();
        assert!(held() <= SHARDS, "{}", held());
        let asker = who("b");
        let models = || {
            let shards = permits
                .shards
                .iter()
                .filter_map(|shard| shard.lock().unwrap().get(&asker.account.id).map(|decided| decided.models.len()));
            shards.sum::<usize>()
        };
        for n in 0..=DECIDED_MODELS_MAX {
            assert!(permits.permit(&asker, Some(&format!("m{n}")), needs(INFER), NOW).is_ok());
            assert_eq!(models(), (n + 1).min(DECIDED_MODELS_MAX));
        }
    }
}
