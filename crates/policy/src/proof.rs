//! Proofs of possession (DPoP, RFC 9449): whoever uses a credential shows that it holds a private key, for this request
//! and now.
//!
//! Promises that a key or a token that was sold or stolen is useless without its private key, and that a proof is good
//! once. Refuses symmetric algorithms, proofs that hold a private key, proofs for another method, path, time or
//! credential.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use exchange::Time;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::limits::{JTI_BYTES_MAX, PROOF_BYTES_MAX, PROOFS_MAX};

/// How far the time in a proof may lie from ours, in seconds.
pub const PROOF_SECONDS_MAX: i64 = 60;

/// The algorithms that proofs and tokens may be signed with: asymmetric ones.
pub(crate) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
];

/// What a proof has to be for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// The method of the request.
    pub method: &'e str,
    /// Where we are known to be, as `scheme://host[:port]`.
    pub origins: &'e [String],
    /// The path of the request.
    pub path: &'e str,
    /// The credential that it goes with.
    pub credential: &'e str,
    /// The thumbprint (RFC 7638) of the key that the credential is bound to.
    pub thumbprint: &'e str,
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadProof {
    /// It is no proof at all.
    #[error("the proof cannot be read")]
    Shape,
    /// It is longer than a proof can be.
    #[error("the proof is longer than {PROOF_BYTES_MAX} bytes")]
    TooLong,
    /// It is another kind of token.
    #[error("the proof is not of type dpop+jwt")]
    Type,
    /// Its algorithm is symmetric or unknown.
    #[error("the proof is not signed with an asymmetric algorithm")]
    Algorithm,
    /// It holds a private key, which then is none.
    #[error("the proof shows a private key")]
    PrivateKey,
    /// It is signed by another key than the credential is bound to.
    #[error("the proof is by another key")]
    Key,
    /// The signature is wrong.
    #[error("the proof's signature is wrong")]
    Signature,
    /// It is for another request.
    #[error("the proof is for another method or address")]
    Request,
    /// It is for another credential.
    #[error("the proof is for another credential")]
    Credential,
    /// It was made too long ago, or in the future.
    #[error("the proof's time is more than {PROOF_SECONDS_MAX} seconds from now")]
    Time,
    /// It was used before.
    #[error("the proof was used before")]
    Replayed,
    /// Too many proofs are remembered to tell whether it was used before.
    #[error("too many proofs at once; none is accepted until some are too old")]
    Full,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    ath: Option<String>,
}

/// Checks a proof; says what to remember it by.
///
/// # Errors
///
/// When it does not prove what it has to.
pub fn verify(proof: &str, expected: &Expected<'_>, now: Time) -> Result<Used, BadProof> {
    if proof.len() > PROOF_BYTES_MAX {
        return Err(BadProof::TooLong);
    }
    let header = proof.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| BadProof::Shape)?;
    let header: serde_json::Value = serde_json::from_slice(&header).map_err(|_| BadProof::Shape)?;
    if header.get("typ").and_then(serde_json::Value::as_str) != Some("dpop+jwt") {
        return Err(BadProof::Type);
    }
    if header.get("crit").is_some() {
        return Err(BadProof::Shape);
    }
    let algorithm = header.get("alg").and_then(serde_json::Value::as_str).and_then(|name| name.parse().ok());
    let algorithm = algorithm.filter(|known| ALGORITHMS.contains(known)).ok_or(BadProof::Algorithm)?;
    let jwk = header.get("jwk").and_then(serde_json::Value::as_object).ok_or(BadProof::Shape)?;
    if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|member| jwk.contains_key(*member)) {
        return Err(BadProof::PrivateKey);
    }
    let jwk: Jwk = serde_json::from_value(serde_json::Value::Object(jwk.clone())).map_err(|_| BadProof::Shape)?;
    let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| BadProof::Shape)?;
    if !same(&thumbprint, expected.thumbprint) {
        return Err(BadProof::Key);
    }
    let key = DecodingKey::from_jwk(&jwk).map_err(|_| BadProof::Shape)?;
    let claims = decode::<Claims>(proof, &key, &unclocked(algorithm)).map_err(|_| BadProof::Signature)?.claims;
    if claims.htm != expected.method || !is_address(&claims.htu, expected) {
        return Err(BadProof::Request);
    }
    let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, expected.credential.as_bytes()));
    if !claims.ath.is_some_and(|given| same(&given, &hash)) {
        return Err(BadProof::Credential);
    }
    if claims.jti.is_empty() || claims.jti.len() > JTI_BYTES_MAX {
        return Err(BadProof::Shape);
    }
    if now.seconds().abs_diff(claims.iat) > PROOF_SECONDS_MAX.unsigned_abs() {
        return Err(BadProof::Time);
    }
    Ok(Used {
        id: xxh3_128(format!("{thumbprint} {}", claims.jti).as_bytes()),
        until: claims.iat.saturating_add(PROOF_SECONDS_MAX),
    })
}

/// Checks that look at no clock: times are checked against the time that is handed in.
pub(crate) fn unclocked(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.set_required_spec_claims::<&str>(&[]);
    validation
}

/// Whether two texts are the same, in the same time wherever they differ.
pub(crate) fn same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// The address without query and fragment, as RFC 9449 compares it: scheme and host in any case, a usual port left out.
fn is_address(given: &str, expected: &Expected<'_>) -> bool {
    let given = given.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = given.split_once("://") else { return false };
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    path == expected.path && expected.origins.iter().any(|origin| *origin == self::origin(scheme, authority))
}

/// An origin in its usual form.
#[must_use]
pub fn origin(scheme: &str, authority: &str) -> String {
    let scheme = scheme.to_ascii_lowercase();
    let authority = authority.to_ascii_lowercase();
    let usual = if scheme == "https" { ":443" } else { ":80" };
    format!("{scheme}://{}", authority.strip_suffix(usual).unwrap_or(&authority))
}

/// What a proof is remembered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    id: u128,
    /// Until when it would be good, in seconds.
    until: i64,
}

/// The proofs that were used and would still be good: at most [`PROOFS_MAX`].
#[derive(Debug, Default)]
pub struct UsedProofs {
    ids: BTreeSet<u128>,
    by_end: BTreeMap<i64, Vec<u128>>,
}

impl UsedProofs {
    /// Uses a proof up.
    ///
    /// # Errors
    ///
    /// When it was used before, or that cannot be told.
    pub fn spend(&mut self, used: Used, now: Time) -> Result<(), BadProof> {
        self.spend_within(used, now, PROOFS_MAX)
    }

    fn spend_within(&mut self, used: Used, now: Time, most: usize) -> Result<(), BadProof> {
        let kept = self.by_end.split_off(&now.seconds());
        for id in std::mem::replace(&mut self.by_end, kept).into_values().flatten() {
            self.ids.remove(&id);
        }
        if self.ids.contains(&used.id) {
            return Err(BadProof::Replayed);
        }
        if self.ids.len() >= most {
            return Err(BadProof::Full);
        }
        self.ids.insert(used.id);
        self.by_end.entry(used.until).or_default().push(used.id);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsBigEndian;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::{Value, json};

    use super::*;

    const NOW: Time = Time::from_seconds(1_760_000_000);

    struct Holder {
        pair: EcdsaKeyPair,
        jwk: Value,
    }

    impl Holder {
        fn new() -> Holder {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            let point: aws_lc_rs::encoding::EcPublicKeyUncompressedBin<'_> = pair.public_key().as_be_bytes().unwrap();
            let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(&point.as_ref()[from..from + 32]);
            let jwk = json!({"kty": "EC", "crv": "P-256", "x": coordinate(1), "y": coordinate(33)});
            Holder { pair, jwk }
        }

        fn thumbprint(&self) -> String {
            serde_json::from_value::<Jwk>(self.jwk.clone()).unwrap().thumbprint(ThumbprintHash::SHA256).unwrap()
        }

        fn header(&self) -> Value {
            json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk})
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let code = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let message = format!("{}.{}", code(header), code(claims));
            let signature = self.pair.sign(&aws_lc_rs::rand::SystemRandom::new(), message.as_bytes()).unwrap();
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    fn claims() -> Value {
        let ath = URL_SAFE_NO_PAD.encode(digest(&SHA256, b"sw_key"));
        json!({"jti": "one", "htm": "POST", "htu": "https://API.example:443/v1/messages?x=1", "iat": NOW.seconds(), "ath": ath})
    }

    fn check(holder: &Holder, header: &Value, claims: &Value) -> Result<Used, BadProof> {
        let origins = ["https://api.example".to_owned()];
        let expected = Expected {
            method: "POST",
            origins: &origins,
            path: "/v1/messages",
            credential: "sw_key",
            thumbprint: &holder.thumbprint(),
        };
        verify(&holder.sign(header, claims), &expected, NOW)
    }

    #[test]
    fn a_proof_is_for_one_request_and_one_credential() {
        let (holder, other) = (Holder::new(), Holder::new());
        assert!(check(&holder, &holder.header(), &claims()).is_ok());
        let with = |mut value: Value, key: &str, new: Value| {
            value[key] = new;
            value
        };
        let seconds = NOW.seconds();
        for (key, new, expected) in [
            ("htm", json!("GET"), BadProof::Request),
            ("htu", json!("https://api.example/v1/models"), BadProof::Request),
            ("htu", json!("https://evil.example/v1/messages"), BadProof::Request),
            ("htu", json!("http://api.example/v1/messages"), BadProof::Request),
            ("ath", json!("x"), BadProof::Credential),
            ("ath", Value::Null, BadProof::Credential),
            ("iat", json!(seconds - PROOF_SECONDS_MAX - 1), BadProof::Time),
            ("iat", json!(seconds + PROOF_SECONDS_MAX + 1), BadProof::Time),
            ("jti", json!(""), BadProof::Shape),
            ("jti", json!("x".repeat(JTI_BYTES_MAX + 1)), BadProof::Shape),
        ] {
            assert_eq!(
                check(&holder, &holder.header(), &with(claims(), key, new.clone())),
                Err(expected),
                "{key} {new}"
            );
        }
        for at in [seconds - PROOF_SECONDS_MAX, seconds + PROOF_SECONDS_MAX] {
            assert!(check(&holder, &holder.header(), &with(claims(), "iat", json!(at))).is_ok());
        }
        assert!(check(&holder, &holder.header(), &with(claims(), "jti", json!("x".repeat(JTI_BYTES_MAX)))).is_ok());
        let mut private = holder.jwk.clone();
        private["d"] = json!("secret");
        for (key, new, expected) in [
            ("typ", json!("JWT"), BadProof::Type),
            ("alg", json!("none"), BadProof::Algorithm),
            ("alg", json!("HS256"), BadProof::Algorithm),
            ("alg", json!("ES384"), BadProof::Signature),
            ("jwk", private, BadProof::PrivateKey),
            ("jwk", other.jwk.clone(), BadProof::Key),
            ("jwk", Value::Null, BadProof::Shape),
            ("crit", json!(["b64"]), BadProof::Shape),
        ] {
            assert_eq!(
                check(&holder, &with(holder.header(), key, new.clone()), &claims()),
                Err(expected),
                "{key} {new}"
            );
        }
        // Signed by somebody else, in the name of the holder.
        let forged = other.sign(&holder.header(), &claims());
        let origins = ["https://api.example".to_owned()];
        let thumbprint = holder.thumbprint();
        let expected = Expected {
            method: "POST",
            origins: &origins,
            path: "/v1/messages",
            credential: "sw_key",
            thumbprint: &thumbprint,
        };
        assert_eq!(verify(&forged, &expected, NOW), Err(BadProof::Signature));
        for garbage in ["", ".", "..", "a.b.c", &"x".repeat(PROOF_BYTES_MAX)] {
            assert_eq!(verify(garbage, &expected, NOW), Err(BadProof::Shape), "{garbage}");
        }
        assert_eq!(verify(&"x".repeat(PROOF_BYTES_MAX + 1), &expected, NOW), Err(BadProof::TooLong));
    }

    /// The key and the thumbprint of RFC 7638, section 3.1.
    #[test]
    fn thumbprints_are_the_published_ones() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let jwk: Jwk = serde_json::from_value(json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256"})).unwrap();
        let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).unwrap();
        assert_eq!(thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn a_proof_is_good_once_and_the_table_has_a_limit() {
        let mut used = UsedProofs::default();
        let proof = |id: u128, until: i64| Used { id, until };
        let at = Time::from_seconds;
        for id in 0..4 {
            assert_eq!(used.spend_within(proof(id, 100), at(50), 4), Ok(()));
            assert_eq!(used.spend_within(proof(id, 100), at(100), 4), Err(BadProof::Replayed));
        }
        assert_eq!(used.spend_within(proof(4, 100), at(100), 4), Err(BadProof::Full));
        assert_eq!(used.spend_within(proof(4, 200), at(101), 4), Ok(()), "the others are too old to be used again");
        assert_eq!(used.ids.len(), 1);
    }
}
