//! Passkeys (WebAuthn): whether what a browser says was said by one, for this site, to what it was asked.
//!
//! Promises that one holds only where its holder was verified (by a PIN or a finger), at this site and not within another, with the challenge that
//! was asked. Who made an authenticator is not asked for, so that what one says of itself at the beginning is believed as the person's own word.
//! Counters are not kept: passkeys that are shared by a person's devices have none.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use admin::person::Passkey;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use exchange::Time;
use hyper::Uri;
use serde::{Deserialize, Serialize};

use crate::kept::Keeper;
use crate::limits::{ANSWERED_EACH_MAX, ANSWERED_MAX, CHALLENGE_TIME_MAX, PASSKEY_BYTES_MAX};
use crate::secret::NoRandom;

/// Asks browsers for passkeys, and takes each answer once.
#[derive(Debug)]
pub(crate) struct Desk {
    site: Site,
    keeper: Keeper,
    /// Questions that were answered, each with when it was asked and by which passkey.
    answered: Mutex<BTreeMap<String, (Time, String)>>,
}

/// What a browser is asked with, beside what makes each another one.
#[derive(Serialize, Deserialize)]
struct Challenge {
    /// Whom it is for; nobody yet who signs in.
    name: Option<String>,
    since: Time,
}

/// Of this site: what browsers call it, and by what passkeys are bound to it.
#[derive(Clone, Debug)]
struct Site {
    origin: String,
    host: String,
}

/// What a browser sends of a passkey, each field in base64url.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Shown {
    /// What it was asked with.
    pub(crate) challenge: String,
    pub(crate) id: String,
    pub(crate) client_data: String,
    pub(crate) authenticator_data: String,
    /// Of a new one: its public key, as SubjectPublicKeyInfo.
    #[serde(default)]
    pub(crate) key: String,
    /// Of a new one: its algorithm, by its number (RFC 9053).
    #[serde(default)]
    pub(crate) algorithm: String,
    #[serde(default)]
    pub(crate) signature: String,
}

/// Why it does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("what the browser sent is no passkey")]
    Shape,
    #[error("it was made for another site")]
    Site,
    #[error("it does not answer what was asked; try again")]
    Challenge,
    #[error("it did not verify who holds it, by a PIN or a finger")]
    Unverified,
    #[error("its algorithm is none of ES256, EdDSA and RS256")]
    Algorithm,
    #[error("it was used too often lately; try again later")]
    TooOften,
    #[error("its signature is wrong")]
    Signature,
}

/// The algorithms that are taken, the one that is liked most first, by their numbers (RFC 9053).
pub(crate) const ALGORITHMS: [i32; 3] = [-7, -8, -257];

const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const NEW: u8 = 1 << 6;
/// Where, in what an authenticator says of a new passkey, the length of its id is.
const ID_LENGTH_AT: usize = 53;

/// What an authenticator signs besides what the browser says.
struct Said {
    bytes: Vec<u8>,
    flags: u8,
}

impl Desk {
    /// One for a console that browsers reach at `url`.
    pub(crate) fn new(url: &str) -> Option<Desk> {
        let host = url.parse::<Uri>().ok()?.host()?.to_owned();
        let site = Site { origin: url.to_owned(), host };
        Some(Desk { site, keeper: Keeper::default(), answered: Mutex::default() })
    }

    /// By what passkeys are bound to this site.
    pub(crate) fn host(&self) -> &str {
        &self.site.host
    }

    /// What a browser is to be asked with, by somebody who is signed in or by whoever signs in.
    pub(crate) fn ask(&self, name: Option<&str>, now: Time) -> Result<String, NoRandom> {
        self.keeper.seal(&Challenge { name: name.map(str::to_owned), since: now })
    }

    /// A new passkey of somebody, which they call `label`.
    pub(crate) fn made(&self, shown: &Shown, name: &str, label: &str, now: Time) -> Result<Passkey, Refused> {
        self.answering(shown, Some(name), now, || self.site.made(shown, label, now))
    }

    /// Whether a passkey says that its holder is here and now.
    pub(crate) fn holds(&self, passkey: &Passkey, shown: &Shown, now: Time) -> Result<(), Refused> {
        self.answering(shown, None, now, || self.site.holds(passkey, shown))
    }

    /// What an answer comes to, to a question that was asked here, lately, and of them.
    fn answering<T>(
        &self,
        shown: &Shown,
        name: Option<&str>,
        now: Time,
        comes_to: impl FnOnce() -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let challenge: Challenge = self.keeper.open(&shown.challenge).ok_or(Refused::Challenge)?;
        let age = |since: Time| now.nanos().saturating_sub(since.nanos());
        let most = CHALLENGE_TIME_MAX.as_nanos() as i64;
        if challenge.name.as_deref() != name || !(0..=most).contains(&age(challenge.since)) {
            return Err(Refused::Challenge);
        }
        let come = comes_to()?;
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.retain(|_, (since, _)| age(*since) <= most);
        if answered.contains_key(&shown.challenge) {
            return Err(Refused::Challenge);
        }
        let own = answered.values().filter(|(_, id)| *id == shown.id).count();
        if answered.len() >= ANSWERED_MAX || own >= ANSWERED_EACH_MAX {
            return Err(Refused::TooOften);
        }
        answered.insert(shown.challenge.clone(), (challenge.since, shown.id.clone()));
        Ok(come)
    }
}

impl Site {
    /// A new passkey of somebody.
    fn made(&self, shown: &Shown, name: &str, now: Time) -> Result<Passkey, Refused> {
        self.client(shown, "webauthn.create")?;
        let Said { bytes, flags } = self.said(shown)?;
        let id = decoded(&shown.id)?;
        let length = bytes.get(ID_LENGTH_AT..ID_LENGTH_AT + 2).ok_or(Refused::Shape)?;
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let said_id = bytes.get(ID_LENGTH_AT + 2..ID_LENGTH_AT + 2 + length);
        if flags & NEW == 0 || id.is_empty() || said_id != Some(&id) {
            return Err(Refused::Shape);
        }
        let algorithm = shown.algorithm.parse().map_err(|_| Refused::Algorithm)?;
        parsed(algorithm, &decoded(&shown.key)?)?;
        let (id, key, name) = (shown.id.clone(), shown.key.clone(), name.to_owned());
        Ok(Passkey { id, name, algorithm, key, since: now })
    }

    /// Whether a passkey says that its holder is here.
    fn holds(&self, passkey: &Passkey, shown: &Shown) -> Result<(), Refused> {
        if shown.id != passkey.id {
            return Err(Refused::Shape);
        }
        let client = self.client(shown, "webauthn.get")?;
        let Said { bytes, .. } = self.said(shown)?;
        let signed = [bytes.as_slice(), digest(&SHA256, &client).as_ref()].concat();
        let key = parsed(passkey.algorithm, &decoded(&passkey.key)?)?;
        key.verify_sig(&signed, &decoded(&shown.signature)?).map_err(|_| Refused::Signature)
    }

    /// What the browser says of where it is and what it was asked.
    fn client(&self, shown: &Shown, kind: &str) -> Result<Vec<u8>, Refused> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Client {
            r#type: String,
            challenge: String,
            origin: String,
            #[serde(default)]
            cross_origin: bool,
        }
        let bytes = decoded(&shown.client_data)?;
        let client: Client = serde_json::from_slice(&bytes).map_err(|_| Refused::Shape)?;
        if client.r#type != kind {
            return Err(Refused::Shape);
        }
        if client.origin != self.origin || client.cross_origin {
            return Err(Refused::Site);
        }
        // As text it is what was sent out, so that it is encoded once more.
        if client.challenge != URL_SAFE_NO_PAD.encode(&shown.challenge) {
            return Err(Refused::Challenge);
        }
        Ok(bytes)
    }

    /// What the authenticator says of where it is and who holds it.
    fn said(&self, shown: &Shown) -> Result<Said, Refused> {
        let bytes = decoded(&shown.authenticator_data)?;
        let (site, rest) = bytes.split_at_checked(32).ok_or(Refused::Shape)?;
        let flags = *rest.first().ok_or(Refused::Shape)?;
        // The flags are followed by a counter.
        if rest.len() < 5 {
            return Err(Refused::Shape);
        }
        if site != digest(&SHA256, self.host.as_bytes()).as_ref() {
            return Err(Refused::Site);
        }
        if flags & PRESENT == 0 || flags & VERIFIED == 0 {
            return Err(Refused::Unverified);
        }
        Ok(Said { bytes, flags })
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, Refused> {
    if text.len() > PASSKEY_BYTES_MAX {
        return Err(Refused::Shape);
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::Shape)
}

fn parsed(algorithm: i32, key: &[u8]) -> Result<ParsedPublicKey, Refused> {
    let by: &'static dyn VerificationAlgorithm = match algorithm {
        -7 => &ECDSA_P256_SHA256_ASN1,
        -8 => &ED25519,
        -257 => &RSA_PKCS1_2048_8192_SHA256,
        _ => return Err(Refused::Algorithm),
    };
    ParsedPublicKey::new(by, key).map_err(|_| Refused::Shape)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    const NOW: Time = Time::from_seconds(1_800_000_000);

    /// An authenticator as this site's own browser shows it, and what it says otherwise than it should.
    struct Authenticator {
        pair: EcdsaKeyPair,
        id: Vec<u8>,
        origin: &'static str,
        kind: Option<&'static str>,
        site: &'static str,
        flags: u8,
        cross_origin: bool,
    }

    fn authenticator() -> Authenticator {
        Authenticator {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            id: vec![7; 20],
            origin: "https://console.example:8443",
            kind: None,
            site: "console.example",
            flags: PRESENT | VERIFIED,
            cross_origin: false,
        }
    }

    fn encoded(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    impl Authenticator {
        fn client(&self, kind: &str, challenge: &str) -> String {
            let said = json!({
                "type": self.kind.unwrap_or(kind), "challenge": encoded(challenge), "origin": self.origin, "crossOrigin": self.cross_origin,
            });
            said.to_string()
        }

        fn site_and_flags(&self, more: u8) -> Vec<u8> {
            let mut said = digest(&SHA256, self.site.as_bytes()).as_ref().to_vec();
            said.push(self.flags | more);
            said.extend([0, 0, 0, 1]);
            said
        }

        fn made(&self, challenge: &str) -> Shown {
            let mut said = self.site_and_flags(NEW);
            said.extend([0; 16]);
            said.extend((self.id.len() as u16).to_be_bytes());
            said.extend(&self.id);
            said.extend(b"the same key once more");
            let key: PublicKeyX509Der<'_> = self.pair.public_key().as_der().unwrap();
            Shown {
                challenge: challenge.to_owned(),
                id: encoded(&self.id),
                client_data: encoded(self.client("webauthn.create", challenge)),
                authenticator_data: encoded(said),
                key: encoded(key.as_ref()),
                algorithm: "-7".to_owned(),
                signature: String::new(),
            }
        }

        fn shown(&self, challenge: &str) -> Shown {
            let (client, said) = (self.client("webauthn.get", challenge), self.site_and_flags(0));
            let signed = [said.as_slice(), digest(&SHA256, client.as_bytes()).as_ref()].concat();
            Shown {
                challenge: challenge.to_owned(),
                id: encoded(&self.id),
                client_data: encoded(client),
                authenticator_data: encoded(said),
                signature: encoded(self.pair.sign(&SystemRandom::new(), &signed).unwrap()),
                ..Shown::default()
            }
        }
    }

    fn desk() -> Desk {
        Desk::new("https://console.example:8443").unwrap()
    }

    fn later(seconds: i64) -> Time {
        Time::from_seconds(NOW.seconds() + seconds)
    }

    #[test]
    fn a_passkey_is_made_and_signs_its_holder_in_once_for_each_question() {
        let (desk, own) = (desk(), authenticator());
        let asked = desk.ask(Some("ann"), NOW).unwrap();
        let passkey = desk.made(&own.made(&asked), "ann", "laptop", NOW).unwrap();
        assert_eq!((passkey.id.as_str(), passkey.name.as_str()), (encoded(&own.id).as_str(), "laptop"));
        let again = desk.made(&own.made(&asked), "ann", "laptop", NOW);
        assert_eq!(again, Err(Refused::Challenge));
        let asked = desk.ask(None, NOW).unwrap();
        let shown = own.shown(&asked);
        assert_eq!(desk.holds(&passkey, &shown, NOW), Ok(()));
        assert_eq!(desk.holds(&passkey, &shown, NOW), Err(Refused::Challenge), "it counts once");
        let other = Passkey {
            key: encoded(Ed25519KeyPair::generate().unwrap().public_key()),
            algorithm: -8,
            ..passkey.clone()
        };
        let shown = own.shown(&desk.ask(None, NOW).unwrap());
        assert_eq!(desk.holds(&other, &shown, NOW), Err(Refused::Signature));
        assert_eq!(desk.holds(&passkey, &shown, NOW), Ok(()), "what was refused was no answer");
    }

    #[test]
    fn one_that_answers_something_else_elsewhere_or_for_somebody_else_does_not_hold() {
        let (desk, own) = (desk(), authenticator());
        let passkey = desk.made(&own.made(&desk.ask(Some("ann"), NOW).unwrap()), "ann", "x", NOW).unwrap();
        let refused = |change: &dyn Fn(&mut Authenticator)| {
            let mut odd = Authenticator {
                pair: EcdsaKeyPair::from_pkcs8(
                    &ECDSA_P256_SHA256_ASN1_SIGNING,
                    own.pair.to_pkcs8v1().unwrap().as_ref(),
                )
                .unwrap(),
                ..authenticator()
            };
            change(&mut odd);
            let new = desk.made(&odd.made(&desk.ask(Some("ann"), NOW).unwrap()), "ann", "x", NOW).err();
            let known = desk.holds(&passkey, &odd.shown(&desk.ask(None, NOW).unwrap()), NOW).err();
            (new, known)
        };
        let both = |why| (Some(why), Some(why));
        assert_eq!(refused(&|_| {}), (None, None));
        assert_eq!(refused(&|odd| odd.origin = "https://console.example"), both(Refused::Site));
        assert_eq!(refused(&|odd| odd.origin = "https://evil.example"), both(Refused::Site));
        assert_eq!(refused(&|odd| odd.cross_origin = true), both(Refused::Site));
        assert_eq!(refused(&|odd| odd.site = "evil.example"), both(Refused::Site));
        assert_eq!(refused(&|odd| odd.flags = PRESENT), both(Refused::Unverified));
        assert_eq!(refused(&|odd| odd.flags = VERIFIED), both(Refused::Unverified));
        assert_eq!(refused(&|odd| odd.kind = Some("payment.get")), both(Refused::Shape));
        assert_eq!(refused(&|odd| odd.pair = authenticator().pair).1, Some(Refused::Signature));
        assert_eq!(refused(&|odd| odd.id = vec![8; 20]).1, Some(Refused::Shape));
        for (name, asked, now) in [
            ("bob", desk.ask(Some("ann"), NOW).unwrap(), NOW),
            ("ann", desk.ask(None, NOW).unwrap(), NOW),
            ("ann", Desk::new("https://console.example:8443").unwrap().ask(Some("ann"), NOW).unwrap(), NOW),
            ("ann", "guess".to_owned(), NOW),
            ("ann", desk.ask(Some("ann"), NOW).unwrap(), later(CHALLENGE_TIME_MAX.as_secs() as i64 + 1)),
            ("ann", desk.ask(Some("ann"), NOW).unwrap(), later(-1)),
        ] {
            assert_eq!(desk.made(&own.made(&asked), name, "x", now), Err(Refused::Challenge));
        }
        let last = later(CHALLENGE_TIME_MAX.as_secs() as i64);
        assert!(desk.made(&own.made(&desk.ask(Some("ann"), NOW).unwrap()), "ann", "x", last).is_ok());
        // What was asked is what the browser says it was asked, too.
        let (one, other) = (desk.ask(Some("ann"), NOW).unwrap(), desk.ask(Some("ann"), NOW).unwrap());
        let crossed = Shown { challenge: other, ..own.made(&one) };
        assert_eq!(desk.made(&crossed, "ann", "x", NOW), Err(Refused::Challenge));
    }

    #[test]
    fn odd_fields_are_refused_and_never_more() {
        let (desk, own) = (desk(), authenticator());
        let refused = |change: &dyn Fn(&mut Shown)| {
            let mut shown = own.made(&desk.ask(Some("ann"), NOW).unwrap());
            change(&mut shown);
            desk.made(&shown, "ann", "x", NOW).err()
        };
        let shape = Some(Refused::Shape);
        assert_eq!(refused(&|shown| shown.client_data = encoded("[]")), shape);
        assert_eq!(refused(&|shown| shown.client_data = "!".to_owned()), shape);
        for length in [0, 31, 32, 36, ID_LENGTH_AT, ID_LENGTH_AT + 1, ID_LENGTH_AT + 2, ID_LENGTH_AT + 21] {
            assert_eq!(
                refused(&|shown| {
                    let said = URL_SAFE_NO_PAD.decode(&shown.authenticator_data).unwrap();
                    shown.authenticator_data = encoded(&said[..length]);
                }),
                shape,
                "{length}"
            );
        }
        assert_eq!(refused(&|shown| shown.id = String::new()), shape);
        assert_eq!(refused(&|shown| shown.id = encoded([8; 20])), shape);
        assert_eq!(refused(&|shown| shown.key = encoded("no key")), shape);
        assert_eq!(refused(&|shown| shown.key = String::new()), shape);
        assert_eq!(refused(&|shown| shown.algorithm = "-8".to_owned()), shape, "the key is of another kind");
        for odd in ["0", "-47", "", "7777777777"] {
            assert_eq!(refused(&|shown| shown.algorithm = odd.to_owned()), Some(Refused::Algorithm));
        }
        let padded = |shown: &mut Shown, characters: usize| {
            let mut said = URL_SAFE_NO_PAD.decode(&shown.authenticator_data).unwrap();
            said.resize(characters / 4 * 3, 0);
            shown.authenticator_data = encoded(said);
        };
        assert_eq!(refused(&|shown| padded(shown, PASSKEY_BYTES_MAX)), None);
        assert_eq!(refused(&|shown| padded(shown, PASSKEY_BYTES_MAX + 4)), shape);
    }

    #[test]
    fn so_many_answers_are_remembered_until_they_are_too_old() {
        let (desk, own) = (desk(), authenticator());
        let passkey = desk.made(&own.made(&desk.ask(Some("ann"), NOW).unwrap()), "ann", "x", NOW).unwrap();
        let holds = |at: Time| desk.holds(&passkey, &own.shown(&desk.ask(None, at).unwrap()), at);
        {
            let mut answered = desk.answered.lock().unwrap();
            answered.clear();
            answered.extend((1..ANSWERED_MAX).map(|number| (number.to_string(), (NOW, String::new()))));
        }
        assert_eq!((holds(NOW), holds(NOW)), (Ok(()), Err(Refused::TooOften)));
        let after = later(CHALLENGE_TIME_MAX.as_secs() as i64 + 1);
        for _ in 0..ANSWERED_EACH_MAX {
            assert_eq!(holds(after), Ok(()));
        }
        assert_eq!(holds(after), Err(Refused::TooOften), "nobody takes the room of others");
    }
}
