//! Identity providers: where each publishes its keys, and keeping them fresh.
//!
//! Promises that keys come over TLS, from a file, or from this machine itself, and from nowhere that a token names; that
//! what cannot be fetched leaves the old keys in place for the time that [`policy::token::KeyCache`] names; and that no
//! request waits for it. Bounded by [`IDENTITY_TIME_MAX`] a question and
//! [`policy::limits::ISSUER_KEY_BYTES_MAX`] an answer. Redirections are not followed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use exchange::Time;
use http_body_util::Full;
use hyper::header::{ACCEPT, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use policy::limits::ISSUER_KEY_BYTES_MAX;
use policy::token::{BadKeySet, Identities, Issuer, KeyCache, KeySet};
use serde::Deserialize;
use tokio::time::timeout;

use crate::limits::IDENTITY_TIME_MAX;
use crate::outward::{self, host};

/// Where what describes an issuer stands, below its URL (OpenID Connect Discovery 1.0, section 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// An identity provider whose tokens hold, and where its keys are.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Whose tokens these are.
    pub issuer: Issuer,
    /// Where it publishes its keys.
    pub source: Source,
    /// How TLS is spoken there.
    pub tls: Arc<rustls::ClientConfig>,
}

/// Where keys are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// At a URL.
    Keys(Uri),
    /// Where the description at this URL says.
    Described(Uri),
    /// In a file.
    File(PathBuf),
}

/// Why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotFetched {
    /// The place cannot be used.
    #[error("`{0}` is not a URL that can be used; expected https://, or http:// to this machine itself")]
    Url(String),
    /// The file cannot be read.
    #[error("{path}: cannot be read: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be reached.
    #[error("`{0}` cannot be reached: {1}")]
    Unreachable(Uri, io::Error),
    /// It said no, or something else than yes.
    #[error("`{0}` answered {1}")]
    Status(Uri, StatusCode),
    /// It took too long.
    #[error("`{0}` did not answer within {seconds} s", seconds = IDENTITY_TIME_MAX.as_secs())]
    TooSlow(Uri),
    /// What describes it is no description of it.
    #[error("`{0}` does not describe the issuer; expected its `issuer` as configured, and `jwks_uri`")]
    Description(Uri),
    /// What it publishes are no keys.
    #[error(transparent)]
    Keys(#[from] BadKeySet),
}

/// The URL of what describes an issuer.
///
/// # Errors
///
/// When the issuer is no URL, so that its keys must be told.
pub fn description(issuer: &str) -> Result<Uri, NotFetched> {
    usable(&format!("{}{DISCOVERY}", issuer.trim_end_matches('/')))
}

/// A URL whose answer can be believed: nobody between here and there may have changed it.
///
/// # Errors
///
/// When it is another.
pub fn usable(url: &str) -> Result<Uri, NotFetched> {
    let wrong = || NotFetched::Url(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let is_here = || match host(&uri) {
        Some("localhost") => true,
        Some(host) => host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    };
    let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    match uri.scheme_str() {
        Some("https") if is_plain => Ok(uri),
        Some("http") if is_plain && is_here() => Ok(uri),
        _ => Err(wrong()),
    }
}

impl Provider {
    /// Its keys, as it publishes them now.
    ///
    /// # Errors
    ///
    /// When they cannot be had.
    pub async fn fetch(&self) -> Result<KeySet, NotFetched> {
        let uri = match &self.source {
            Source::File(path) => {
                let text = std::fs::read(path).map_err(|source| NotFetched::File { path: path.clone(), source })?;
                return Ok(KeySet::read(&text)?);
            }
            Source::Keys(uri) => uri.clone(),
            Source::Described(place) => {
                let text = self.get(place).await?;
                let told: Description =
                    serde_json::from_slice(&text).map_err(|_| NotFetched::Description(place.clone()))?;
                if told.issuer != self.issuer.issuer {
                    return Err(NotFetched::Description(place.clone()));
                }
                usable(&told.jwks_uri)?
            }
        };
        Ok(KeySet::read(&self.get(&uri).await?)?)
    }

    async fn get(&self, uri: &Uri) -> Result<Bytes, NotFetched> {
        timeout(IDENTITY_TIME_MAX, self.get_at_leisure(uri))
            .await
            .unwrap_or_else(|_| Err(NotFetched::TooSlow(uri.clone())))
    }

    async fn get_at_leisure(&self, uri: &Uri) -> Result<Bytes, NotFetched> {
        let failed = |error| NotFetched::Unreachable(uri.clone(), error);
        let mut request = Request::new(Full::default());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = outward::ask(uri, &self.tls, request, ISSUER_KEY_BYTES_MAX).await;
        match answer.map_err(failed)? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(NotFetched::Status(uri.clone(), status)),
        }
    }

    /// Whether `other` has the same keys, wherever its trust comes from.
    fn is_same(&self, other: &Provider) -> bool {
        (&self.issuer, &self.source) == (&other.issuer, &other.source)
    }
}

/// What OpenID Connect Discovery says of an issuer, as far as it is of use here.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

/// Keeps the keys of identity providers fresh.
#[derive(Debug, Default)]
pub struct Keeper {
    providers: Arc<Vec<Provider>>,
    caches: Vec<KeyCache>,
    /// What tokens are checked with now.
    published: Vec<Option<KeySet>>,
}

impl Keeper {
    /// Fetches what is due of `providers`, and puts it where tokens are checked. Tells what could not be fetched; its old
    /// keys hold on as long as they may.
    pub async fn step(
        &mut self,
        providers: &Arc<Vec<Provider>>,
        identities: &ArcSwap<Identities>,
        now: Time,
    ) -> Vec<(String, NotFetched)> {
        let is_changed = self.take_up(providers);
        let mut failures = Vec::new();
        let unknown = identities.load().missed();
        for (provider, cache) in self.providers.iter().zip(&mut self.caches) {
            if cache.wants(unknown, now) {
                cache.trying(now);
                match provider.fetch().await {
                    Ok(keys) => cache.fetched(keys, now),
                    Err(failure) => failures.push((provider.issuer.issuer.clone(), failure)),
                }
            }
        }
        let current: Vec<_> = self.caches.iter().map(|cache| cache.keys(now).cloned()).collect();
        // Only then, since tokens that were checked are forgotten with it.
        if is_changed || current != self.published {
            let issuers = self.providers.iter().map(|provider| provider.issuer.clone());
            identities.store(Arc::new(Identities::new(issuers.zip(current.iter().cloned()).collect())));
            self.published = current;
        }
        failures
    }

    /// Whether others are configured than before. Those that stay keep their keys.
    fn take_up(&mut self, providers: &Arc<Vec<Provider>>) -> bool {
        if Arc::ptr_eq(providers, &self.providers) {
            return false;
        }
        let kept = |provider: &Provider| {
            let known = self.providers.iter().zip(&self.caches).find(|(known, _)| known.is_same(provider));
            known.map(|(_, cache)| cache.clone()).unwrap_or_default()
        };
        self.caches = providers.iter().map(kept).collect();
        self.providers = Arc::clone(providers);
        true
    }
}
