//! Who is asking: from what a request shows to an account.
//!
//! Promises that whatever is not plain is nobody: two credentials, a header twice, a key that lapsed, a proof that is
//! missing. Why is told to the operator ([`Nobody`]) and never to the caller.

use std::net::IpAddr;
use std::sync::Arc;

use exchange::Time;

use crate::account::{Account, Organisation, Status};
use crate::directory::Directory;
use crate::id::AccountId;
use crate::key::{BRAND, Binding, Keys, Lapsed, NotAKey, Scope};
use crate::proof::{self, BadProof, Expected, Used};
use crate::response::Responses;
use crate::suspicion::Suspicion;
use crate::token::{BadToken, Identities};

/// What a request shows of who sends it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'r> {
    /// The credential of the header `Authorization: Bearer`.
    pub bearer: Option<&'r str>,
    /// The header `x-api-key`.
    pub api_key: Option<&'r str>,
    /// The header `DPoP`.
    pub proof: Option<&'r str>,
    /// The thumbprint of the client certificate: SHA-256, base64url.
    pub certificate: Option<&'r str>,
    /// Whether one of these headers was there twice.
    pub twice: bool,
    /// Where it comes from, by the word of somebody who is trusted.
    pub address: Option<IpAddr>,
    /// The method.
    pub method: &'r str,
    /// The path.
    pub path: &'r str,
}

/// Somebody.
#[derive(Clone, Debug)]
pub struct Who {
    /// The account.
    pub account: Arc<Account>,
    /// The organisation that it belongs to.
    pub organisation: Option<Arc<Organisation>>,
    /// The responses that cover the account.
    pub responses: Responses,
    /// What detection says of it.
    pub suspicion: Option<Arc<Suspicion>>,
    /// What it showed.
    pub credential: Credential,
    /// What that may be used for, at most.
    pub scope: Scope,
}

/// What was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An API key, by its public id.
    Key(Box<str>),
    /// A token of an identity provider, by its issuer and the account that it names.
    Token(Box<str>),
    /// A client certificate, by its thumbprint.
    Certificate(Box<str>),
    /// The word of somebody who is believed and asks for it, by his name.
    Word(Box<str>),
}

impl Credential {
    /// Its name in logs; no secret.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Credential::Key(name)
            | Credential::Token(name)
            | Credential::Certificate(name)
            | Credential::Word(name) => name,
        }
    }
}

/// Why a request comes from nobody; for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Nobody {
    /// It shows nothing.
    #[error("no credential")]
    NoCredential,
    /// It shows several, of which none counts.
    #[error("several credentials")]
    Several,
    /// What it shows is no key.
    #[error(transparent)]
    NotAKey(#[from] NotAKey),
    /// The key is not known, or its secret is wrong.
    #[error("unknown key")]
    UnknownKey,
    /// The key does not hold.
    #[error(transparent)]
    Lapsed(#[from] Lapsed),
    /// The token does not hold.
    #[error(transparent)]
    BadToken(#[from] BadToken),
    /// The certificate stands for nobody.
    #[error("unknown certificate")]
    UnknownCertificate,
    /// The account is not known.
    #[error("unknown account")]
    UnknownAccount,
    /// The account may do nothing.
    #[error("the account is suspended")]
    Suspended,
    /// The account is closed.
    #[error("the account is closed")]
    Closed,
    /// The credential may not be used from there.
    #[error("outside the credential's networks")]
    Network,
    /// The credential is bound to a private key, and nothing proves that it is there.
    #[error("the credential is bound to a key, and no proof was shown")]
    NoProof,
    /// The proof proves nothing.
    #[error(transparent)]
    BadProof(#[from] BadProof),
    /// The credential is bound to a certificate that was not shown.
    #[error("the credential is bound to another certificate")]
    NoCertificate,
}

/// Tells who is asking.
#[derive(Debug)]
pub struct Reception<'d> {
    /// Everybody who is known.
    pub directory: &'d Directory,
    /// What checks keys.
    pub keys: &'d Keys,
    /// Identity providers.
    pub identities: &'d Identities,
    /// Where we are known to be, for proofs: `scheme://host[:port]`.
    pub origins: &'d [String],
}

impl Reception<'_> {
    /// Who sends a request; and a proof that has to be spent ([`proof::UsedProofs`]) before that is believed.
    ///
    /// # Errors
    ///
    /// Says why it is nobody.
    pub fn who(&self, shown: &Shown<'_>, now: Time) -> Result<(Who, Option<Used>), Nobody> {
        if shown.twice {
            return Err(Nobody::Several);
        }
        let (who, binding, text) = match (shown.bearer, shown.api_key, shown.certificate) {
            (Some(_), Some(_), _) => return Err(Nobody::Several),
            (Some(text), None, _) | (None, Some(text), _) => {
                let (who, binding) = self.by_text(text, now)?;
                (who, binding, text)
            }
            (None, None, Some(certificate)) => (self.by_certificate(certificate)?, None, ""),
            (None, None, None) => return Err(Nobody::NoCredential),
        };
        is_active(&who.account)?;
        if !who.scope.networks.is_empty() && !shown.address.is_some_and(|address| who.scope.has_address(address)) {
            return Err(Nobody::Network);
        }
        let used = match &binding {
            None => None,
            Some(Binding::Certificate(print)) => {
                let holds = shown.certificate.is_some_and(|shown| proof::same(shown, print));
                if !holds {
                    return Err(Nobody::NoCertificate);
                }
                None
            }
            Some(Binding::Dpop(thumbprint)) => {
                let given = shown.proof.ok_or(Nobody::NoProof)?;
                let expected = Expected {
                    method: shown.method,
                    origins: self.origins,
                    path: shown.path,
                    credential: text,
                    thumbprint,
                };
                Some(proof::verify(given, &expected, now)?)
            }
        };
        Ok((who, used))
    }

    /// Who an account is by the word of `teller`; one that is not known is `stranger`.
    ///
    /// # Errors
    ///
    /// When the account may do nothing.
    pub fn by_word(&self, id: &AccountId, teller: &str, stranger: impl FnOnce() -> Account) -> Result<Who, Nobody> {
        let account = self.directory.account(id).cloned().unwrap_or_else(|| Arc::new(stranger()));
        is_active(&account)?;
        Ok(self.somebody(account, Credential::Word(teller.into()), Scope::default()))
    }

    fn by_text(&self, text: &str, now: Time) -> Result<(Who, Option<Binding>), Nobody> {
        if text.starts_with(BRAND) || self.identities.is_empty() {
            let (id, hash) = self.keys.read(BRAND, text)?;
            let key = self.directory.key(id).filter(|key| key.hash == hash).ok_or(Nobody::UnknownKey)?;
            if let Some(lapsed) = key.lapsed(now) {
                return Err(lapsed.into());
            }
            let account = self.directory.account(&key.account).ok_or(Nobody::UnknownAccount)?;
            let who = self.somebody(Arc::clone(account), Credential::Key(id.into()), key.scope.clone());
            return Ok((who, key.binding.clone()));
        }
        let (issuer, claims) = self.identities.verify(text, now)?;
        let account = self.directory.account(&claims.account).ok_or(Nobody::UnknownAccount)?;
        let credential = Credential::Token(format!("{} {}", issuer.issuer, account.id).into());
        Ok((self.somebody(Arc::clone(account), credential, Scope::default()), claims.binding))
    }

    fn by_certificate(&self, thumbprint: &str) -> Result<Who, Nobody> {
        let account = self.directory.certificate(thumbprint).ok_or(Nobody::UnknownCertificate)?;
        let account = self.directory.account(account).ok_or(Nobody::UnknownAccount)?;
        Ok(self.somebody(Arc::clone(account), Credential::Certificate(thumbprint.into()), Scope::default()))
    }

    fn somebody(&self, account: Arc<Account>, credential: Credential, scope: Scope) -> Who {
        let organisation = account.organisation.as_ref().and_then(|id| self.directory.organisation(id)).cloned();
        let responses = self.directory.responses_to(&account.id);
        let suspicion = self.directory.suspicion_of(&account).cloned();
        Who { account, organisation, responses, suspicion, credential, scope }
    }
}

fn is_active(account: &Account) -> Result<(), Nobody> {
    match account.status {
        Status::Active => Ok(()),
        Status::Suspended => Err(Nobody::Suspended),
        Status::Closed => Err(Nobody::Closed),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::directory::Change;
    use crate::key::{RANDOM_BYTES, Secret};

    const NOW: Time = Time::from_seconds(1_000);

    struct Known {
        directory: Directory,
        keys: Keys,
        secret: Secret,
    }

    /// An account with a key that is changed by `key`, and itself by `account`.
    fn known(account: serde_json::Value, change: impl FnOnce(&mut crate::key::Key)) -> Known {
        let keys = Keys::new([5; 32]);
        let (id, secret, hash) = keys.mint(BRAND, [9; RANDOM_BYTES]);
        let mut directory = Directory::default();
        let mut fields = json!({"id": "acct", "created": "1970-01-01T00:00:00Z"});
        fields.as_object_mut().unwrap().extend(account.as_object().unwrap().clone());
        directory.apply(Change::Account(serde_json::from_value(fields).unwrap())).unwrap();
        let mut key = crate::key::Key {
            id,
            account: "acct".parse().unwrap(),
            name: String::new(),
            hash,
            scope: Scope::default(),
            binding: None,
            created: Time::from_seconds(0),
            expires: None,
            revoked: None,
            replaces: None,
        };
        change(&mut key);
        directory.apply(Change::Key(key)).unwrap();
        let certificate = Change::Certificate { thumbprint: "print".into(), account: Some("acct".parse().unwrap()) };
        directory.apply(certificate).unwrap();
        Known { directory, keys, secret }
    }

    impl Known {
        fn ask(&self, change: impl for<'s> FnOnce(&mut Shown<'s>, &'s str)) -> Result<String, Nobody> {
            let reception = Reception {
                directory: &self.directory,
                keys: &self.keys,
                identities: &Identities::default(),
                origins: &[],
            };
            let mut shown = Shown { method: "POST", path: "/v1/messages", ..Shown::default() };
            change(&mut shown, self.secret.expose());
            reception.who(&shown, NOW).map(|(who, _)| who.account.id.to_string())
        }
    }

    #[test]
    fn a_key_a_token_or_a_certificate_is_somebody() {
        let known = known(json!({}), |_| {});
        assert_eq!(known.ask(|shown, key| shown.bearer = Some(key)), Ok("acct".to_owned()));
        assert_eq!(known.ask(|shown, key| shown.api_key = Some(key)), Ok("acct".to_owned()));
        assert_eq!(known.ask(|shown, _| shown.certificate = Some("print")), Ok("acct".to_owned()));
    }

    #[test]
    fn everything_else_is_nobody() {
        let plain = known(json!({}), |_| {});
        assert_eq!(plain.ask(|_, _| {}), Err(Nobody::NoCredential));
        assert_eq!(
            plain.ask(|shown, key| (shown.bearer, shown.api_key) = (Some(key), Some(key))),
            Err(Nobody::Several)
        );
        assert_eq!(plain.ask(|shown, key| (shown.bearer, shown.twice) = (Some(key), true)), Err(Nobody::Several));
        assert_eq!(plain.ask(|shown, _| shown.bearer = Some("sk-x")), Err(Nobody::NotAKey(NotAKey::Brand)));
        assert_eq!(plain.ask(|shown, _| shown.certificate = Some("other")), Err(Nobody::UnknownCertificate));
        let (_, stranger, _) = plain.keys.mint(BRAND, [8; RANDOM_BYTES]);
        let text = stranger.expose().to_owned();
        let reception = Reception {
            directory: &plain.directory,
            keys: &plain.keys,
            identities: &Identities::default(),
            origins: &[],
        };
        let shown = Shown { bearer: Some(&text), ..Shown::default() };
        assert_eq!(reception.who(&shown, NOW).unwrap_err(), Nobody::UnknownKey);
        // The id of a key that is known with a secret that is not.
        let guessed = Keys::new([5; 32]);
        let mut random = [9; RANDOM_BYTES];
        random[RANDOM_BYTES - 1] = 0;
        let (_, wrong, _) = guessed.mint(BRAND, random);
        let shown = Shown { bearer: Some(wrong.expose()), ..Shown::default() };
        assert_eq!(reception.who(&shown, NOW).unwrap_err(), Nobody::UnknownKey);

        for (account, expected) in
            [(json!({"status": "suspended"}), Nobody::Suspended), (json!({"status": "closed"}), Nobody::Closed)]
        {
            assert_eq!(known(account, |_| {}).ask(|shown, key| shown.bearer = Some(key)), Err(expected));
        }
        type Changed = (fn(&mut crate::key::Key), Nobody);
        let changes: [Changed; 6] = [
            (|key| key.expires = Some(NOW), Nobody::Lapsed(Lapsed::Expired)),
            (|key| key.revoked = Some(NOW), Nobody::Lapsed(Lapsed::Revoked)),
            (|key| key.account = "gone".parse().unwrap(), Nobody::UnknownAccount),
            (|key| key.scope.networks = vec!["10.0.0.0/8".parse().unwrap()], Nobody::Network),
            (|key| key.binding = Some(Binding::Dpop("x".into())), Nobody::NoProof),
            (|key| key.binding = Some(Binding::Certificate("x".into())), Nobody::NoCertificate),
        ];
        for (change, expected) in changes {
            assert_eq!(known(json!({}), change).ask(|shown, key| shown.bearer = Some(key)), Err(expected));
        }
        let late = known(json!({}), |key| key.created = Time::from_seconds(1_001));
        assert_eq!(late.ask(|shown, key| shown.bearer = Some(key)), Err(Nobody::Lapsed(Lapsed::NotYet)));
    }

    #[test]
    fn a_key_that_is_bound_is_good_with_its_certificate_and_network_only() {
        let bound = known(json!({}), |key| key.binding = Some(Binding::Certificate("print".into())));
        assert_eq!(
            bound.ask(|shown, key| (shown.bearer, shown.certificate) = (Some(key), Some("print"))),
            Ok("acct".into())
        );
        let wrong = bound.ask(|shown, key| (shown.bearer, shown.certificate) = (Some(key), Some("other")));
        assert_eq!(wrong, Err(Nobody::NoCertificate));
        let near = known(json!({}), |key| key.scope.networks = vec!["10.0.0.0/8".parse().unwrap()]);
        let from = |address: &str| {
            let address = address.parse().unwrap();
            near.ask(|shown, key| (shown.bearer, shown.address) = (Some(key), Some(address)))
        };
        assert_eq!((from("10.1.2.3"), from("11.1.2.3")), (Ok("acct".into()), Err(Nobody::Network)));
        let garbage = known(json!({}), |key| key.binding = Some(Binding::Dpop("x".into())));
        let shown = garbage.ask(|shown, key| (shown.bearer, shown.proof) = (Some(key), Some("a.b.c")));
        assert_eq!(shown, Err(Nobody::BadProof(BadProof::Shape)));
    }
}
