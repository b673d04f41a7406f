//! `[sensor]` of the configuration: where sensors beside the gateway connect, and whose account a call is that they tell of.

use std::net::SocketAddr;
use std::path::PathBuf;

use hyper::header::HeaderName;
use policy::account::Tier;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::values::{parsed, told};

/// `[sensor]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SensorTable {
    /// Where sensors connect: OTLP and Envoy over gRPC, OTLP and LiteLLM over HTTP. Nobody is listened to when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
    /// The file with the key that sensors show, 32 printable characters at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The header in which Envoy names the account, which Envoy itself must set. When absent, callers show keys of Stillwatch's.
    #[serde(deserialize_with = "parsed", serialize_with = "told", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub envoy_account_header: Option<HeaderName>,
    /// The field of LiteLLM's `request_data` that names the account.
    pub litellm_account: String,
    /// Paths in OTLP's spans and log records, of which the first that is there names the account; their format decides when empty.
    pub otlp_account: Vec<String>,
    /// What an account is taken to have bought of which only a sensor told: free, standard, business or enterprise.
    #[schemars(with = "String")]
    pub tier: Tier,
}

impl Default for SensorTable {
    fn default() -> Self {
        SensorTable {
            listen: None,
            key_file: None,
            envoy_account_header: None,
            litellm_account: "user_api_key_hash".to_owned(),
            otlp_account: Vec::new(),
            tier: Tier::Standard,
        }
    }
}

impl SensorTable {
    /// Why it cannot be used, if it cannot: the key, and what was expected. `taken` is where callers are served and where it is managed.
    pub(crate) fn wrong(&self, taken: [SocketAddr; 2], has_tls: bool) -> Option<(&'static str, &'static str)> {
        let Some(listen) = self.listen else {
            let is_empty = *self == SensorTable::default();
            return (!is_empty)
                .then_some(("listen", "expected an address; nothing else of `[sensor]` does anything without one"));
        };
        if listen.port() != 0 && taken.iter().any(|other| overlap(listen, *other)) {
            Some(("listen", "expected an address and port that neither `listen` nor `admin` has"))
        } else if self.key_file.is_none() {
            Some(("key_file", "expected the file with the key that sensors show"))
        } else if !listen.ip().is_loopback() && !has_tls {
            Some((
                "listen",
                "expected an address of this machine's own, such as 127.0.0.1:8082, or `[tls]`: prompts go by here",
            ))
        } else if self.litellm_account.is_empty() {
            Some(("litellm_account", "expected the name of a field, such as `user_api_key_hash`"))
        } else {
            None
        }
    }
}

/// Whether two listeners cannot be there at once.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (is_any || one.ip() == other.ip())
}
