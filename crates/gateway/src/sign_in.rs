//! `[sign_in]` of the configuration: how people sign in to the console.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyper::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identity;

/// The roles that people may have.
const ROLES: [&str; 4] = ["viewer", "analyst", "responder", "admin"];

/// `[sign_in]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SignInTable {
    /// Where browsers reach the console, as `https://host[:port]`, or `http://` to this machine itself. An identity provider leads back to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether people may sign in by a password.
    pub passwords: bool,
    /// Whether people may add passkeys (WebAuthn) and sign in by them. They are bound to the host of `url`.
    pub passkeys: bool,
    /// An identity provider (OpenID Connect) at which people sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<SignInProviderTable>,
}

/// `[sign_in.provider]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInProviderTable {
    /// What its tokens say in `iss`; it is described below that (OpenID Connect Discovery).
    pub issuer: String,
    /// As what the console is registered there.
    pub client_id: String,
    /// The file with the secret that it was given there, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// The claim that is a person's name here. An `email` counts where the provider says that it is verified.
    #[serde(default = "default_name_claim")]
    pub name_claim: String,
    /// The claim with the groups of a person. Without it people are let in one by one, as with passwords.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_claim: Option<String>,
    /// Which group of that claim has which role: `viewer`, `analyst`, `responder`, `admin`. Whoever is in several has the highest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, String>,
    /// The authorities by which its certificate is believed, PEM; the machine's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<PathBuf>,
}

fn default_name_claim() -> String {
    "email".to_owned()
}

impl Default for SignInTable {
    fn default() -> SignInTable {
        SignInTable { url: None, passwords: true, passkeys: false, provider: None }
    }
}

impl SignInTable {
    /// Why it cannot be used, if it cannot: the key, and what was expected.
    pub(crate) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let is_origin = |url: &String| {
            let is_bare = |uri: &Uri| matches!(uri.path(), "" | "/") && uri.query().is_none() && !url.ends_with('/');
            identity::usable(url).is_ok_and(|uri| is_bare(&uri))
        };
        if self.url.as_ref().is_some_and(|url| !is_origin(url)) {
            return Some((
                "url",
                "expected such as `https://console.example`, or `http://` to this machine, without a path",
            ));
        }
        let host = self.url.as_ref().and_then(|url| url.parse::<Uri>().ok()?.host().map(str::to_owned));
        let is_named = host.is_some_and(|host| !host.starts_with('[') && host.parse::<std::net::Ipv4Addr>().is_err());
        if self.passkeys && !is_named {
            return Some((
                "passkeys",
                "expected `url` beside it, with the name of a host: passkeys are bound to names",
            ));
        }
        let Some(provider) = &self.provider else {
            return (!self.passwords)
                .then_some(("passwords", "expected `[sign_in.provider]` beside it: nobody could sign in"));
        };
        if self.url.is_none() {
            return Some(("url", "expected where browsers reach the console; the provider leads back there"));
        }
        let has_roles = !provider.roles.is_empty();
        let is_role = |name: &String| ROLES.contains(&name.as_str());
        Some(match provider {
            it if it.client_id.is_empty() => ("provider.client_id", "expected some text"),
            it if it.name_claim.is_empty() => ("provider.name_claim", "expected some text"),
            it if identity::description(&it.issuer).is_err() => {
                ("provider.issuer", "expected such as `https://id.example`, or `http://` to this machine")
            }
            it if it.role_claim.is_some() != has_roles => {
                ("provider.roles", "expected `role_claim` and which group has which role, or neither")
            }
            it if !it.roles.keys().all(is_role) => {
                ("provider.roles", "expected `viewer`, `analyst`, `responder` or `admin`, each with a group")
            }
            _ => return None,
        })
    }
}
