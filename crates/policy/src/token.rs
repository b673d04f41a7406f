//! Bearer tokens of an identity provider (JWT, RFC 7519; OpenID Connect): whose they are, and whether they hold.
//!
//! Promises that only tokens of configured issuers hold, signed with an asymmetric algorithm by a key that the issuer
//! publishes. What a token says about where its key is (`jku`, `x5u`, `jwk`) is not looked at. The keys are fetched by
//! whoever has a network; [`KeyCache`] says when. A token is checked once and remembered, at most [`TOKENS_MAX`] of them,
//! until its time is over or the keys of any issuer change.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use exchange::Time;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, decode, decode_header};
use serde_json::Value;

use crate::id::AccountId;
use crate::key::Binding;
use crate::limits::{ISSUER_KEY_BYTES_MAX, ISSUER_KEYS_MAX, TOKEN_BYTES_MAX, TOKENS_MAX};
use crate::proof::{ALGORITHMS, unclocked};

/// How far clocks may differ, in seconds.
pub const LEEWAY_SECONDS: i64 = 30;
/// Keys are fetched again when they are this old, in seconds.
pub const KEYS_FRESH_SECONDS: i64 = 600;
/// Keys that cannot be fetched again are used until they are this old, in seconds.
pub const KEYS_STALE_SECONDS: i64 = 24 * 3_600;
/// Keys are fetched no more often than this, in seconds, whatever tokens name.
pub const KEYS_PAUSE_SECONDS: i64 = 10;

/// An identity provider whose tokens hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// What its tokens say in `iss`.
    pub issuer: String,
    /// What they must have in `aud`.
    pub audience: String,
    /// The claim that names the account.
    pub account_claim: String,
}

/// The keys that an issuer publishes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeySet(Vec<Published>);

#[derive(Clone, Debug, PartialEq)]
struct Published {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    key: Jwk,
}

/// What a token that holds says.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// Whose it is.
    pub account: AccountId,
    /// What its holder must prove besides.
    pub binding: Option<Binding>,
    /// Until when it holds.
    pub expires: Time,
}

impl Claims {
    /// Whether its time is not over.
    fn hold(&self, now: Time) -> bool {
        now.seconds() < self.expires.seconds().saturating_add(LEEWAY_SECONDS)
    }
}

/// Why a token does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadToken {
    /// It is no token.
    #[error("the token cannot be read")]
    Shape,
    /// It is longer than a token can be.
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// It is not signed with an asymmetric algorithm, or not with the one its key is for.
    #[error("the token is not signed with an algorithm that is allowed")]
    Algorithm,
    /// Its issuer has published no such key; perhaps it has by now.
    #[error("the token is signed by a key that its issuer has not published")]
    UnknownKey,
    /// The signature is wrong.
    #[error("the token's signature is wrong")]
    Signature,
    /// It comes from somebody else.
    #[error("the token is of another issuer")]
    Issuer,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// Its time has not come or is over, or it names none.
    #[error("the token does not hold now")]
    Time,
    /// It names no account.
    #[error("the token names no account")]
    Account,
}

/// What is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a set of at most {ISSUER_KEYS_MAX} keys in {ISSUER_KEY_BYTES_MAX} bytes; expected a JWK set (RFC 7517)")]
pub struct BadKeySet;

impl KeySet {
    /// Reads a JWK set. Keys of kinds that are not used here are left out.
    ///
    /// # Errors
    ///
    /// When it is none, or too large.
    pub fn read(text: &[u8]) -> Result<KeySet, BadKeySet> {
        if text.len() > ISSUER_KEY_BYTES_MAX {
            return Err(BadKeySet);
        }
        let set: JwkSet = serde_json::from_slice(text).map_err(|_| BadKeySet)?;
        if set.keys.len() > ISSUER_KEYS_MAX {
            return Err(BadKeySet);
        }
        let published = |key: Jwk| Published {
            id: key.common.key_id.clone(),
            algorithm: key.common.key_algorithm.and_then(|name| name.to_string().parse().ok()),
            key,
        };
        Ok(KeySet(set.keys.into_iter().filter(Jwk::is_supported).map(published).collect()))
    }

    /// The key that a token names; without a name, the only one.
    fn find(&self, id: Option<&str>) -> Option<&Published> {
        match id {
            Some(id) => self.0.iter().find(|published| published.id.as_deref() == Some(id)),
            None => self.0.first().filter(|_| self.0.len() == 1),
        }
    }
}

impl Issuer {
    /// Checks a token.
    ///
    /// # Errors
    ///
    /// When it does not hold.
    pub fn verify(&self, token: &str, keys: &KeySet, now: Time) -> Result<Claims, BadToken> {
        self.claims(&self.checked(token, keys, now)?)
    }

    /// All that a token says, which holds: of this issuer, for this audience, and now.
    ///
    /// # Errors
    ///
    /// When it does not hold.
    pub fn checked(&self, token: &str, keys: &KeySet, now: Time) -> Result<Value, BadToken> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(BadToken::TooLong);
        }
        let header = decode_header(token).map_err(|_| BadToken::Shape)?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(BadToken::Algorithm);
        }
        if header.crit.is_some() {
            return Err(BadToken::Shape);
        }
        let published = keys.find(header.kid.as_deref()).ok_or(BadToken::UnknownKey)?;
        if published.algorithm.is_some_and(|only| only != header.alg) {
            return Err(BadToken::Algorithm);
        }
        let key = DecodingKey::from_jwk(&published.key).map_err(|_| BadToken::UnknownKey)?;
        let claims = decode::<Value>(token, &key, &unclocked(header.alg)).map_err(|_| BadToken::Signature)?.claims;
        self.is_for_us(&claims, now)?;
        Ok(claims)
    }

    fn is_for_us(&self, claims: &Value, now: Time) -> Result<(), BadToken> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(self.issuer.as_str()) {
            return Err(BadToken::Issuer);
        }
        let named = match claims.get("aud") {
            Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(&self.audience)),
            Some(Value::String(one)) => *one == self.audience,
            _ => false,
        };
        if !named {
            return Err(BadToken::Audience);
        }
        let expires = seconds(claims, "exp").ok_or(BadToken::Time)?;
        let from = seconds(claims, "nbf").into_iter().chain(seconds(claims, "iat")).max().unwrap_or(i64::MIN);
        let clock = now.seconds();
        if clock >= expires.saturating_add(LEEWAY_SECONDS) || clock < from.saturating_sub(LEEWAY_SECONDS) {
            return Err(BadToken::Time);
        }
        Ok(())
    }

    fn claims(&self, claims: &Value) -> Result<Claims, BadToken> {
        let account = claims.get(&self.account_claim).and_then(Value::as_str);
        let account = account.and_then(|account| account.parse().ok()).ok_or(BadToken::Account)?;
        let expires = seconds(claims, "exp").ok_or(BadToken::Time)?;
        let bound = |name: &str| claims.pointer(&format!("/cnf/{name}")).and_then(Value::as_str).map(str::to_owned);
        let binding = bound("jkt").map(Binding::Dpop).or_else(|| bound("x5t#S256").map(Binding::Certificate));
        // A token that is bound in a way that is not understood is not one without a binding.
        if binding.is_none() && claims.get("cnf").is_some() {
            return Err(BadToken::Shape);
        }
        Ok(Claims { account, binding, expires: Time::from_seconds(expires) })
    }
}

/// A claim that is a time, in whole seconds.
fn seconds(claims: &Value, name: &str) -> Option<i64> {
    claims.get(name).and_then(Value::as_f64).map(|seconds| seconds as i64)
}

/// The identity providers, with the keys that each published.
#[derive(Debug, Default)]
pub struct Identities {
    issuers: Vec<(Issuer, Option<KeySet>)>,
    checked: Mutex<HashMap<[u8; 32], (usize, Claims)>>,
    /// Whether a token named a key that is not there.
    missed: AtomicBool,
}

impl Identities {
    /// These issuers, and no others; without keys, no token of theirs holds.
    #[must_use]
    pub fn new(issuers: Vec<(Issuer, Option<KeySet>)>) -> Identities {
        Identities { issuers, ..Identities::default() }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// The issuers whose keys are not known, so that no token of theirs holds.
    pub fn without_keys(&self) -> impl Iterator<Item = &str> {
        self.issuers.iter().filter(|(_, keys)| keys.is_none()).map(|(issuer, _)| issuer.issuer.as_str())
    }

    /// Whether, since the last time this was asked, a token named a key that is not there; perhaps it is published by now.
    pub fn missed(&self) -> bool {
        self.missed.swap(false, Ordering::Relaxed)
    }

    /// Whose a token is, and what it says.
    ///
    /// # Errors
    ///
    /// When it does not hold.
    pub fn verify(&self, token: &str, now: Time) -> Result<(&Issuer, Claims), BadToken> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(BadToken::TooLong);
        }
        let hash = *blake3::hash(token.as_bytes()).as_bytes();
        let known = self.checked.lock().ok().and_then(|checked| checked.get(&hash).cloned());
        if let Some((index, claims)) = known
            && claims.hold(now)
            && let Some((issuer, _)) = self.issuers.get(index)
        {
            return Ok((issuer, claims));
        }
        let mut why = BadToken::Issuer;
        for (index, (issuer, keys)) in self.issuers.iter().enumerate() {
            match keys.as_ref().ok_or(BadToken::UnknownKey).and_then(|keys| issuer.verify(token, keys, now)) {
                Ok(claims) => {
                    self.remember(hash, index, &claims, now);
                    return Ok((issuer, claims));
                }
                // Of several issuers the one that it names is right.
                Err(BadToken::Issuer) => {}
                Err(bad) => why = bad,
            }
        }
        if why == BadToken::UnknownKey {
            self.missed.store(true, Ordering::Relaxed);
        }
        Err(why)
    }

    fn remember(&self, hash: [u8; 32], index: usize, claims: &Claims, now: Time) {
        let Ok(mut checked) = self.checked.lock() else { return };
        if checked.len() >= TOKENS_MAX {
            checked.retain(|_, (_, claims)| claims.hold(now));
        }
        if checked.len() >= TOKENS_MAX {
            checked.clear();
        }
        checked.insert(hash, (index, claims.clone()));
    }
}

/// The keys of an issuer, and when to fetch them anew.
#[derive(Clone, Debug, Default)]
pub struct KeyCache {
    keys: KeySet,
    fetched: Option<Time>,
    tried: Option<Time>,
}

impl KeyCache {
    /// The keys, as long as they are not too old to be believed.
    #[must_use]
    pub fn keys(&self, now: Time) -> Option<&KeySet> {
        self.fetched.filter(|fetched| age(*fetched, now) < KEYS_STALE_SECONDS).map(|_| &self.keys)
    }

    /// Whether to fetch them now; `unknown` when a token named a key that is not there.
    #[must_use]
    pub fn wants(&self, unknown: bool, now: Time) -> bool {
        let rested = self.tried.is_none_or(|tried| age(tried, now) >= KEYS_PAUSE_SECONDS);
        let old = self.fetched.is_none_or(|fetched| age(fetched, now) >= KEYS_FRESH_SECONDS);
        rested && (unknown || old)
    }

    /// They are being fetched.
    pub fn trying(&mut self, now: Time) {
        self.tried = Some(now);
    }

    /// They came.
    pub fn fetched(&mut self, keys: KeySet, now: Time) {
        self.keys = keys;
        self.fetched = Some(now);
    }
}

/// Seconds since, and a great many when the clock was set back.
fn age(since: Time, now: Time) -> i64 {
    let seconds = now.seconds().saturating_sub(since.seconds());
    if seconds < 0 { i64::MAX } else { seconds }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsBigEndian;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    const NOW: Time = Time::from_seconds(1_760_000_000);

    fn issuer() -> Issuer {
        Issuer { issuer: "https://id.example".into(), audience: "models".into(), account_claim: "sub".into() }
    }

    fn published(pair: &EcdsaKeyPair, id: &str) -> Value {
        let point: aws_lc_rs::encoding::EcPublicKeyUncompressedBin<'_> = pair.public_key().as_be_bytes().unwrap();
        let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(&point.as_ref()[from..from + 32]);
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": id, "x": coordinate(1), "y": coordinate(33)})
    }

    fn token(pair: &EcdsaKeyPair, header: Value, change: (&str, Value)) -> String {
        let seconds = NOW.seconds();
        let mut claims = json!({"iss": "https://id.example", "aud": ["models", "x"], "sub": "acct-1", "iat": seconds, "exp": seconds + 60});
        claims[change.0] = change.1;
        let code = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", code(&header), code(&claims));
        let signature = pair.sign(&aws_lc_rs::rand::SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn only_tokens_of_the_issuer_hold() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let stranger = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let oct = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "mac", "alg": "HS256"});
        let set = json!({"keys": [published(&pair, "one"), {"kty": "none of ours"}, oct]}).to_string();
        let keys = KeySet::read(set.as_bytes()).unwrap();
        let header = json!({"alg": "ES256", "kid": "one"});
        let seconds = NOW.seconds();
        let verify = |token: &str| issuer().verify(token, &keys, NOW).map(|claims| claims.account.to_string());
        assert_eq!(verify(&token(&pair, header.clone(), ("x", json!(1)))), Ok("acct-1".to_owned()));
        for (claim, value, expected) in [
            ("iss", json!("https://evil.example"), BadToken::Issuer),
            ("aud", json!("others"), BadToken::Audience),
            ("aud", Value::Null, BadToken::Audience),
            ("exp", json!(seconds - LEEWAY_SECONDS), BadToken::Time),
            ("exp", Value::Null, BadToken::Time),
            ("nbf", json!(seconds + LEEWAY_SECONDS + 1), BadToken::Time),
            ("sub", json!("a b"), BadToken::Account),
            ("sub", Value::Null, BadToken::Account),
            ("cnf", json!({"new": "way"}), BadToken::Shape),
        ] {
            assert_eq!(verify(&token(&pair, header.clone(), (claim, value.clone()))), Err(expected), "{claim} {value}");
        }
        for (header, expected) in [
            (json!({"alg": "none", "kid": "one"}), BadToken::Shape),
            (json!({"alg": "HS256", "kid": "mac"}), BadToken::Algorithm),
            (json!({"alg": "HS256", "kid": "one"}), BadToken::Algorithm),
            (json!({"alg": "RS256", "kid": "one"}), BadToken::Algorithm),
            (json!({"alg": "ES256", "kid": "two"}), BadToken::UnknownKey),
            (json!({"alg": "ES256", "kid": "two", "jwk": published(&stranger, "two")}), BadToken::UnknownKey),
            (json!({"alg": "ES256", "kid": "one", "crit": ["x"]}), BadToken::Shape),
        ] {
            assert_eq!(verify(&token(&pair, header.clone(), ("x", json!(1)))), Err(expected), "{header}");
        }
        assert_eq!(verify(&token(&stranger, header.clone(), ("x", json!(1)))), Err(BadToken::Signature));
        assert_eq!(verify(&"x".repeat(TOKEN_BYTES_MAX)), Err(BadToken::Shape));
        assert_eq!(verify(&"x".repeat(TOKEN_BYTES_MAX + 1)), Err(BadToken::TooLong));
        let bound = token(&pair, header, ("cnf", json!({"jkt": "print"})));
        assert_eq!(issuer().verify(&bound, &keys, NOW).unwrap().binding, Some(Binding::Dpop("print".to_owned())));
    }

    #[test]
    fn a_token_is_checked_once_until_its_time_is_over() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let keys = KeySet::read(json!({"keys": [published(&pair, "one")]}).to_string().as_bytes()).unwrap();
        let other = Issuer { issuer: "https://other.example".into(), ..issuer() };
        let known = Identities::new(vec![(other, None), (issuer(), Some(keys))]);
        let text = token(&pair, json!({"alg": "ES256", "kid": "one"}), ("x", json!(1)));
        for _ in 0..2 {
            let (issuer, claims) = known.verify(&text, NOW).unwrap();
            assert_eq!((issuer.issuer.as_str(), claims.account.as_str()), ("https://id.example", "acct-1"));
            assert_eq!(known.checked.lock().unwrap().len(), 1);
        }
        let last = Time::from_seconds(NOW.seconds() + 60 + LEEWAY_SECONDS - 1);
        assert!(known.verify(&text, last).is_ok());
        assert_eq!(known.verify(&text, Time::from_seconds(last.seconds() + 1)).unwrap_err(), BadToken::Time);
        // A change of one byte is another token.
        let mut forged = text.clone().into_bytes();
        forged[text.find('.').unwrap() + 5] ^= 1;
        assert!(known.verify(&String::from_utf8(forged).unwrap(), NOW).is_err());
        assert!(!known.missed());
        let renamed = token(&pair, json!({"alg": "ES256", "kid": "two"}), ("x", json!(1)));
        assert_eq!(known.verify(&renamed, NOW).unwrap_err(), BadToken::UnknownKey);
        assert!(known.missed() && !known.missed());
        let early = Identities::new(vec![(issuer(), None)]);
        assert_eq!(early.verify(&text, NOW).unwrap_err(), BadToken::UnknownKey);
        assert!(early.missed(), "keys that are not there yet are asked for");
    }

    #[test]
    fn tokens_that_are_remembered_have_a_limit() {
        let known = Identities::new(vec![(issuer(), None)]);
        let claims = |seconds| Claims {
            account: "acct-1".parse().unwrap(),
            binding: None,
            expires: Time::from_seconds(NOW.seconds() + seconds),
        };
        let hash = |n: usize| *blake3::hash(&n.to_le_bytes()).as_bytes();
        let count = || known.checked.lock().unwrap().len();
        (0..TOKENS_MAX).for_each(|n| known.remember(hash(n), 0, &claims(if n < 10 { -60 } else { 60 }), NOW));
        assert_eq!(count(), TOKENS_MAX);
        known.remember(hash(TOKENS_MAX), 0, &claims(60), NOW);
        assert_eq!(count(), TOKENS_MAX - 9, "those whose time is over make room");
        (0..9).for_each(|n| known.remember(hash(n), 0, &claims(60), NOW));
        known.remember(hash(9), 0, &claims(60), NOW);
        assert_eq!(count(), 1, "or all of them, which are checked again");
    }

    #[test]
    fn sets_of_keys_have_limits() {
        let set = |count: usize| json!({"keys": vec![json!({"kty": "oct", "k": "YQ"}); count]}).to_string();
        assert!(KeySet::read(set(ISSUER_KEYS_MAX).as_bytes()).is_ok());
        assert!(KeySet::read(set(ISSUER_KEYS_MAX + 1).as_bytes()).is_err());
        let padded = |bytes: usize| format!("{{\"keys\":[]}}{}", " ".repeat(bytes - 11));
        assert!(KeySet::read(padded(ISSUER_KEY_BYTES_MAX).as_bytes()).is_ok());
        assert!(KeySet::read(padded(ISSUER_KEY_BYTES_MAX + 1).as_bytes()).is_err());
    }

    #[test]
    fn keys_are_fetched_when_they_must_be_and_not_more_often() {
        let at = Time::from_seconds;
        let mut cache = KeyCache::default();
        assert!(cache.wants(false, at(0)) && cache.keys(at(0)).is_none());
        cache.trying(at(0));
        assert!(!cache.wants(true, at(KEYS_PAUSE_SECONDS - 1)) && cache.wants(true, at(KEYS_PAUSE_SECONDS)));
        cache.fetched(KeySet::default(), at(0));
        assert!(!cache.wants(false, at(KEYS_FRESH_SECONDS - 1)) && cache.wants(false, at(KEYS_FRESH_SECONDS)));
        assert!(cache.keys(at(KEYS_STALE_SECONDS - 1)).is_some() && cache.keys(at(KEYS_STALE_SECONDS)).is_none());
    }
}
