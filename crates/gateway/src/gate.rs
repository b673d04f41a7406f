//! The gate: who asks, by their key or certificate, and what policies and that credential allow.
//!
//! Promises that whoever is not known plainly is turned away, and that nothing goes on without a [`Pass`], which only
//! [`Gate::allow`] makes, out of a [`Permit`]. What is not permitted is refused; what a request or a reply can go
//! without ([`HELD_BACK`]) is held back instead, so that the rest is of use. Refuses what builds on stored things,
//! because nothing here knows whose these are. Accounts and keys are exchanged as a whole while requests go on
//! ([`Gate::replace`]), and so are policies ([`Gate::permits`]).

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use exchange::Time;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName};
use hyper::http::request::Parts;
use policy::amount::Amounts;
use policy::directory::Directory;
use policy::key::Keys;
use policy::permit::{Denied, Permits};
use policy::proof::UsedProofs;
use policy::quota::{Asker, NotReserved, Quotas, Reservation};
use policy::token::Identities;
use policy::who::{Reception, Shown, Who};
use policy::{Account, AccountId, Action, Actions, Permit, Policies, ResponseId, Rung};

use crate::ask::Ask;
use crate::freshness::Freshness;
use crate::refuse::Refusal;
use crate::route::Call;
use crate::trust::{Caller, Peer};

/// What is held back from a request and its reply where it is not permitted, and not refused.
pub const HELD_BACK: [Action; 6] = [
    Action::Logprobs,
    Action::ReasoningText,
    Action::Alternatives,
    Action::Sampling,
    Action::LongOutput,
    Action::FullPrecision,
];
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const PROOF: HeaderName = HeaderName::from_static("dpop");

/// Decides who comes in.
#[derive(Debug)]
pub struct Gate {
    directory: ArcSwap<Directory>,
    keys: Keys,
    identities: ArcSwap<Identities>,
    origins: Vec<String>,
    used: Mutex<UsedProofs>,
    permits: Permits,
    quotas: Arc<Quotas>,
    freshness: Freshness,
}

/// What a request shows of who sends it.
#[derive(Clone, Copy, Debug)]
pub struct Head<'h> {
    /// Its method, path and headers.
    pub parts: &'h Parts,
    /// The connection it came on.
    pub peer: &'h Peer,
    /// Where it comes from.
    pub caller: &'h Caller,
}

/// Somebody who may go on, for one request.
#[derive(Debug)]
pub struct Pass {
    permit: Permit,
    held: Actions,
    shadow: Option<Shadow>,
    reserved: Reservation,
}

/// What a request would have got if responses in shadow mode held as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// The rung that they would come to.
    pub rung: Rung,
    /// Whether it would have been refused.
    pub refused: bool,
    /// What would have been held back.
    pub held: Actions,
}

impl Gate {
    /// A gate that knows who is in `directory`, and allows what `policies` allow. Proofs of possession are for one of
    /// `origins`, written as [`policy::proof::origin`] does; without any, a key that is bound to a private key is turned
    /// away.
    #[must_use]
    pub fn new(
        directory: impl Into<Arc<Directory>>,
        keys: Keys,
        origins: Vec<String>,
        policies: Arc<Policies>,
    ) -> Gate {
        Gate {
            directory: ArcSwap::new(directory.into()),
            keys,
            identities: ArcSwap::default(),
            origins,
            used: Mutex::default(),
            permits: Permits::new(policies),
            quotas: Arc::default(),
            freshness: Freshness::default(),
        }
    }

    /// Knows who is in `directory` from now on, and nobody else.
    pub fn replace(&self, directory: impl Into<Arc<Directory>>) {
        self.directory.store(directory.into());
    }

    /// Where it is reached from outside, if that is told: scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origins.first().map(String::as_str)
    }

    /// The identity providers whose tokens hold; none until they are put there.
    #[must_use]
    pub fn identities(&self) -> &ArcSwap<Identities> {
        &self.identities
    }

    /// What is allowed.
    #[must_use]
    pub fn permits(&self) -> &Permits {
        &self.permits
    }

    /// How old what it knows is.
    #[must_use]
    pub fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// How much may be asked for.
    #[must_use]
    pub fn quotas(&self) -> &Arc<Quotas> {
        &self.quotas
    }

    /// Who asks.
    ///
    /// # Errors
    ///
    /// When that is not plain; why is not told.
    pub fn identify(&self, head: &Head<'_>, now: Time) -> Result<Who, Refusal> {
        let headers = &head.parts.headers;
        let shown = Shown {
            bearer: text(headers, &AUTHORIZATION)?.map(bearer).transpose()?,
            api_key: text(headers, &API_KEY)?,
            proof: text(headers, &PROOF)?,
            certificate: head.peer.certificate.as_deref(),
            twice: false,
            address: Some(head.caller.address),
            method: head.parts.method.as_str(),
            path: head.parts.uri.path(),
        };
        let (directory, identities) = (self.directory.load(), self.identities.load());
        let reception =
            Reception { directory: &directory, keys: &self.keys, identities: &identities, origins: &self.origins };
        let (who, proof) = reception.who(&shown, now).map_err(|_| Refusal::Unauthenticated)?;
        if let Some(proof) = proof {
            let mut used = self.used.lock().map_err(|_| Refusal::Failed)?;
            used.spend(proof, now).map_err(|_| Refusal::Unauthenticated)?;
        }
        Ok(who)
    }

    /// Who an account is by the word of `teller`, who is believed; one that is not known is `stranger`.
    ///
    /// # Errors
    ///
    /// When the account may do nothing.
    pub fn told(&self, id: &AccountId, teller: &str, stranger: impl FnOnce() -> Account) -> Result<Who, Refusal> {
        let (directory, identities) = (self.directory.load(), self.identities.load());
        let reception =
            Reception { directory: &directory, keys: &self.keys, identities: &identities, origins: &self.origins };
        reception.by_word(id, teller, stranger).map_err(|_| Refusal::Forbidden)
    }

    /// Whether an account is known.
    #[must_use]
    pub fn knows(&self, id: &AccountId) -> bool {
        self.directory.load().account(id).is_some()
    }

    /// Lets `who` do what is asked, or not; `may_take` is reserved of every quota last, so that what is refused takes nothing.
    ///
    /// # Errors
    ///
    /// When policies or the credential's scope leave out what is asked, or a quota is used up.
    pub fn admit(&self, who: &Who, call: Call, ask: &Ask, may_take: Amounts, now: Time) -> Result<Pass, Refusal> {
        let mut pass = self.allow(who, call, ask, now)?;
        if call.is_generated() {
            pass.reserved = self.reserve(who, &pass, may_take, now)?;
        }
        Ok(pass)
    }

    /// The same, and nothing is reserved.
    ///
    /// # Errors
    ///
    /// When policies or the credential's scope leave out what is asked.
    pub fn allow(&self, who: &Who, call: Call, ask: &Ask, now: Time) -> Result<Pass, Refusal> {
        let scope = &who.scope;
        let held_back: Actions = HELD_BACK.into_iter().collect();
        let needed = ask.wanted.minus(held_back.minus(ask.strict));
        let permit = self.permits.permit(who, ask.model.as_deref(), needed, now);
        let permit = permit.map_err(|denied| match denied {
            Denied::NotAllowed => Refusal::Forbidden,
            Denied::NotVerified => Refusal::Unverified,
        })?;
        let held = held_by(&permit);
        let shadow = who.responses.force_with_shadows(now).map(|force| {
            let would = self.permits.permit_under(who, force, ask.model.as_deref(), needed);
            let held = would.map_or(Actions::NONE, |permit| held_by(&permit));
            Shadow { rung: force.rung, refused: would.is_err(), held }
        });
        if ask.model.as_deref().is_some_and(|model| !scope.has_model(model)) {
            return Err(Refusal::Forbidden);
        }
        // Nothing is read of a path that the operator listed, so it is for those only from whom nothing is kept.
        if call == Call::Listed && !(held.is_empty() && scope.models.is_empty()) {
            return Err(Refusal::Forbidden);
        }
        if !ask.builds_on.is_empty() {
            return Err(Refusal::Bad("Requests that build on something stored are not supported.".to_owned()));
        }
        Ok(Pass { permit, held, shadow, reserved: Reservation::default() })
    }

    /// Reserves of every quota what is going to be taken with a pass.
    ///
    /// # Errors
    ///
    /// When one is used up.
    pub fn reserve(&self, who: &Who, pass: &Pass, may_take: Amounts, now: Time) -> Result<Reservation, Refusal> {
        let budgets: Vec<ResponseId> = who.responses.budgets(now);
        let (account, credential) = (&who.account, who.credential.name());
        let asker = Asker { account, credential, permit: &pass.permit, budgets: &budgets };
        self.quotas.reserve(&asker, may_take, now).map_err(|reason| match reason {
            NotReserved::Exhausted(exhausted) => Refusal::Exhausted(Box::new(exhausted)),
            // What is not counted cannot be held to a limit.
            NotReserved::Unpriced => Refusal::Unavailable,
        })
    }
}

impl Pass {
    /// What the request may do.
    #[must_use]
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// What is held back.
    #[must_use]
    pub fn held(&self) -> Actions {
        self.held
    }

    /// What it would have got if responses in shadow mode held as well; none where there are none.
    #[must_use]
    pub fn shadow(&self) -> Option<Shadow> {
        self.shadow
    }

    /// What was reserved of quotas, to be settled.
    pub fn take_reserved(&mut self) -> Reservation {
        std::mem::take(&mut self.reserved)
    }
}

/// What is held back where only as much is permitted.
fn held_by(permit: &Permit) -> Actions {
    HELD_BACK.into_iter().filter(|action| !permit.has(*action)).collect()
}

/// The text of a header that may be there once.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Unauthenticated);
    }
    value.to_str().map(Some).map_err(|_| Refusal::Unauthenticated)
}

/// The credential of an `Authorization` header. One of another scheme is no credential, and not as if there were none.
fn bearer(value: &str) -> Result<&str, Refusal> {
    let (scheme, credential) = value.split_once(' ').ok_or(Refusal::Unauthenticated)?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("dpop");
    if known { Ok(credential.trim()) } else { Err(Refusal::Unauthenticated) }
}

/// The id of an exchange: random, so that nobody guesses another's.
///
/// # Errors
///
/// When the machine gives no random bytes.
pub fn exchange_id() -> Result<String, Refusal> {
    thread_local! {
        // Many at once: each call of the generator costs more than the bytes do.
        static NUMBERS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    let number = NUMBERS.with_borrow_mut(|bytes| {
        if bytes.is_empty() {
            bytes.resize(EXCHANGE_IDS_AT_ONCE * EXCHANGE_ID_BYTES, 0);
            if aws_lc_rs::rand::fill(bytes).is_err() {
                bytes.clear();
            }
        }
        let rest = bytes.len().saturating_sub(EXCHANGE_ID_BYTES);
        let number = bytes.get(rest..).and_then(|number| number.first_chunk::<EXCHANGE_ID_BYTES>().copied());
        bytes.truncate(rest);
        number
    });
    let number = number.ok_or(Refusal::Failed)?;
    let mut id = String::with_capacity(EXCHANGE_ID.len() + 2 * number.len());
    id.push_str(EXCHANGE_ID);
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    number.iter().for_each(|byte| id.extend([digit(byte >> 4), digit(byte & 0xf)]));
    Ok(id)
}

/// What ids of exchanges begin with.
const EXCHANGE_ID: &str = "ex_";
/// Random bytes of an id.
const EXCHANGE_ID_BYTES: usize = 16;
/// For how many ids random bytes are fetched.
const EXCHANGE_IDS_AT_ONCE: usize = 64;

/// A number that nobody guesses.
///
/// # Errors
///
/// When the machine gives no random bytes.
pub(crate) fn random() -> Result<u128, Refusal> {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| Refusal::Failed)?;
    Ok(u128::from_le_bytes(random))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};
    use aws_lc_rs::encoding::{AsBigEndian, EcPublicKeyUncompressedBin};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use hyper::{Method, Request};
    use policy::directory::Change;
    use policy::key::{BRAND, RANDOM_BYTES};
    use policy::{Binding, Key, Scope};
    use serde_json::json;

    use super::*;
    use crate::route::route;

    const NOW: Time = Time::from_seconds(1_000);

    /// A gate that knows one key, changed by `change`; and that key.
    fn gate(change: impl FnOnce(&mut Key)) -> (Gate, String) {
        let keys = Keys::new([5; 32]);
        let (id, secret, hash) = keys.mint(BRAND, [9; RANDOM_BYTES]);
        let mut key: Key = serde_json::from_value(
            json!({"id": id, "account": "acct", "hash": hash, "created": "1970-01-01T00:00:00Z"}),
        )
        .unwrap();
        change(&mut key);
        let account = serde_json::from_value(json!({"id": "acct", "created": "1970-01-01T00:00:00Z"})).unwrap();
        let mut directory = Directory::default();
        directory.apply(Change::Account(account)).unwrap();
        directory.apply(Change::Key(key)).unwrap();
        let policies = Arc::new(Policies::parse(policy::policies::DEFAULT).unwrap());
        (Gate::new(directory, keys, Vec::new(), policies), secret.expose().to_owned())
    }

    fn identify(gate: &Gate, headers: &[(&str, &str)]) -> Result<Who, Refusal> {
        let mut request = Request::post("/v1/chat/completions");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let address = "192.0.2.1".parse().unwrap();
        let peer = Peer { address, certificate: None, tls: false };
        let caller = Caller { address, ja4: None, asn: None, country: None };
        gate.identify(&Head { parts: &parts, peer: &peer, caller: &caller }, NOW)
    }

    fn admit(scope: Scope, path: &str, body: &str) -> Result<Pass, Refusal> {
        let (gate, key) = gate(|key| key.scope = scope);
        let who = identify(&gate, &[("x-api-key", &key)]).unwrap();
        let listed = ["/listed".to_owned()];
        let route = route(&Method::POST, path, &listed).unwrap();
        let ask =
            if route.call == Call::Listed { Ask::default() } else { Ask::read(route.call, body.as_bytes()).unwrap() };
        gate.admit(&who, route.call, &ask, Amounts::default(), NOW)
    }

    /// Also over several fetches of random bytes.
    #[test]
    fn no_two_exchanges_have_one_id() {
        let ids: std::collections::BTreeSet<String> =
            (0..3 * EXCHANGE_IDS_AT_ONCE).map(|_| exchange_id().unwrap()).collect();
        assert_eq!(ids.len(), 3 * EXCHANGE_IDS_AT_ONCE);
        let is_sound = |id: &String| {
            let digits = id.strip_prefix(EXCHANGE_ID).unwrap();
            digits.len() == 32 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        };
        assert!(ids.iter().all(is_sound), "{ids:?}");
    }

    #[test]
    fn a_key_is_shown_once_and_in_one_way() {
        let (gate, key) = gate(|_| {});
        let with = |scheme: &str| format!("{scheme} {key}");
        let (bearer, lower, basic) = (with("Bearer"), with("bearer"), with("Basic"));
        for good in [("authorization", &bearer), ("authorization", &lower), ("x-api-key", &key)] {
            assert!(identify(&gate, &[(good.0, good.1)]).is_ok(), "{good:?}");
        }
        let bad: [&[(&str, &str)]; 9] = [
            &[],
            &[("authorization", "")],
            &[("authorization", &key)],
            &[("authorization", &basic)],
            &[("authorization", "Bearer ")],
            &[("x-api-key", "sw_x")],
            &[("authorization", &bearer), ("x-api-key", &key)],
            &[("authorization", &basic), ("x-api-key", &key)],
            &[("x-api-key", &key), ("x-api-key", &key)],
        ];
        for headers in bad {
            assert_eq!(identify(&gate, headers).unwrap_err(), Refusal::Unauthenticated, "{headers:?}");
        }
    }

    #[test]
    fn what_is_revoked_or_bound_comes_in_no_longer() {
        for change in [
            (|key: &mut Key| key.revoked = Some(NOW)) as fn(&mut Key),
            |key| key.expires = Some(NOW),
            |key| key.binding = Some(Binding::Dpop("x".into())),
            |key| key.binding = Some(Binding::Certificate("x".into())),
            |key| key.scope.networks = vec!["10.0.0.0/8".parse().unwrap()],
        ] {
            let (gate, key) = gate(change);
            assert_eq!(identify(&gate, &[("x-api-key", &key)]).unwrap_err(), Refusal::Unauthenticated);
        }
        let (gate, key) = gate(|_| {});
        gate.replace(Directory::default());
        assert_eq!(identify(&gate, &[("x-api-key", &key)]).unwrap_err(), Refusal::Unauthenticated);
    }

    #[test]
    fn a_bound_key_is_good_with_its_private_key_only_and_a_proof_once() {
        let (holder, stranger) = (Holder::new(), Holder::new());
        let thumbprint = holder.thumbprint();
        let (gate, key) = gate(|key| key.binding = Some(Binding::Dpop(thumbprint)));
        let gate = Gate { origins: vec!["https://api.example".to_owned()], ..gate };
        let with = |proof: &str| identify(&gate, &[("authorization", &format!("DPoP {key}")), ("dpop", proof)]);
        let proof = holder.prove(&key, "one");
        assert!(with(&proof).is_ok());
        for bad in [&proof, &stranger.prove(&key, "two"), &holder.prove("sw_other", "three"), ""] {
            assert_eq!(with(bad).unwrap_err(), Refusal::Unauthenticated, "{bad}");
        }
        assert!(with(&holder.prove(&key, "four")).is_ok());
        assert_eq!(identify(&gate, &[("x-api-key", &key)]).unwrap_err(), Refusal::Unauthenticated);
    }

    /// Somebody with a private key.
    struct Holder(EcdsaKeyPair, String);

    impl Holder {
        fn new() -> Holder {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            let point: EcPublicKeyUncompressedBin<'_> = pair.public_key().as_be_bytes().unwrap();
            let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(&point.as_ref()[from..from + 32]);
            // The members in the order that RFC 7638 hashes them in.
            let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, coordinate(1), coordinate(33));
            Holder(pair, jwk)
        }

        fn thumbprint(&self) -> String {
            URL_SAFE_NO_PAD.encode(digest(&SHA256, self.1.as_bytes()))
        }

        /// A proof for a chat request of [`identify`].
        fn prove(&self, key: &str, id: &str) -> String {
            let ath = URL_SAFE_NO_PAD.encode(digest(&SHA256, key.as_bytes()));
            let header = format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{}}}"#, self.1);
            let htu = "https://api.example/v1/chat/completions";
            let claims = json!({"jti": id, "htm": "POST", "htu": htu, "iat": NOW.seconds(), "ath": ath}).to_string();
            let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    #[test]
    fn a_scope_is_kept() {
        let only = |actions: &[Action]| Scope { actions: actions.iter().copied().collect(), ..Scope::default() };
        let chat = "/v1/chat/completions";
        assert!(admit(only(&[Action::Infer]), chat, r#"{"model":"m"}"#).is_ok());
        assert_eq!(admit(only(&[]), chat, r#"{"model":"m"}"#).unwrap_err(), Refusal::Forbidden);
        let stream = r#"{"model":"m","stream":true}"#;
        assert_eq!(admit(only(&[Action::Infer]), chat, stream).unwrap_err(), Refusal::Forbidden);
        let embed = admit(only(&[Action::Infer]), "/v1/embeddings", r#"{"model":"m","input":"x"}"#);
        assert_eq!(embed.unwrap_err(), Refusal::Forbidden);
        let models = Scope { models: vec!["cheap*".to_owned()], ..Scope::default() };
        assert!(admit(models.clone(), chat, r#"{"model":"cheap-1"}"#).is_ok());
        assert_eq!(admit(models.clone(), chat, r#"{"model":"dear"}"#).unwrap_err(), Refusal::Forbidden);
        assert!(admit(Scope::default(), "/listed", "").is_ok());
        for scope in [models, only(&[Action::Infer])] {
            assert_eq!(admit(scope, "/listed", "").unwrap_err(), Refusal::Forbidden);
        }
    }

    #[test]
    fn what_is_held_back_is_what_the_scope_leaves_out() {
        let without = Scope { actions: Actions::ALL.without(Action::Logprobs), ..Scope::default() };
        let body = r#"{"model":"m","logprobs":true}"#;
        let pass = admit(without, "/v1/chat/completions", body).unwrap();
        assert_eq!(pass.held().to_string(), "logprobs");
        let all = admit(Scope::default(), "/v1/chat/completions", body).unwrap();
        assert!(all.held().is_empty() && exchange_id().unwrap() != exchange_id().unwrap());
    }

    /// What policies take away goes the same ways as what a scope leaves out.
    #[test]
    fn policies_refuse_and_hold_back() {
        let body = r#"{"model":"m-1","stream":true}"#;
        let admit = |policies: &str| {
            let (gate, key) = gate(|_| {});
            gate.permits().replace(Arc::new(Policies::parse(policies).unwrap()));
            let who = identify(&gate, &[("x-api-key", &key)]).unwrap();
            let route = route(&Method::POST, "/v1/chat/completions", &[]).unwrap();
            let ask = Ask::read(route.call, body.as_bytes()).unwrap();
            let pass = gate.admit(&who, route.call, &ask, Amounts::default(), NOW);
            (pass.map(|pass| pass.held().to_string()), gate.permits().failures())
        };
        let with = |more: &str| format!("@id(\"all\") permit (principal, action, resource); {more}");
        assert_eq!(admit(&with("")).0.unwrap(), "");
        assert_eq!(admit("").0.unwrap_err(), Refusal::Forbidden);
        let held = with("@id(\"x\") forbid (principal, action == Action::\"reasoning_text\", resource);");
        assert_eq!(admit(&held).0.unwrap(), "reasoning_text");
        for forbidden in [
            "@id(\"x\") forbid (principal, action == Action::\"stream\", resource);",
            "@id(\"x\") forbid (principal, action, resource) when { resource.name like \"m-*\" };",
            "@id(\"x\") forbid (principal == Account::\"acct\", action, resource);",
        ] {
            assert_eq!(admit(&with(forbidden)).0.unwrap_err(), Refusal::Forbidden, "{forbidden}");
        }
        let fails = "@id(\"x\") forbid (principal, action, resource) when { principal.assurance - 9223372036854775807 - 2 > 0 };";
        let (refused, failures) = admit(&with(fails));
        assert_eq!((refused.unwrap_err(), failures), (Refusal::Forbidden, 1));
    }

    #[test]
    fn nothing_builds_on_what_is_stored() {
        let body = r#"{"model":"m","input":"x","previous_response_id":"resp_1"}"#;
        assert!(matches!(admit(Scope::default(), "/v1/responses", body), Err(Refusal::Bad(_))));
    }
}
