//! What rules look at of a configuration.

use std::net::IpAddr;
use std::path::Path;

use audit::facts::{Configuration, Server};
use gateway::config::{Config, StaleTime, SyncWhen};
use hyper::Uri;

/// The facts of a configuration, which stands at `path` where it is in a file.
pub(super) fn facts(config: &Config, path: Option<&Path>) -> Configuration {
    let rules = &config.response.rule;
    let strong = config.sign_in.passkeys || config.sign_in.provider.is_some();
    Configuration {
        file: path.map(|path| path.display().to_string()).unwrap_or_default(),
        listen: config.listen.to_string(),
        listen_is_local: config.listen.ip().is_loopback(),
        admin: config.admin.to_string(),
        admin_is_local: config.admin.ip().is_loopback(),
        tls: config.tls.is_some(),
        trusted_peers: config.trust.peers.iter().map(ToString::to_string).collect(),
        trusts_everybody: config.trust.peers.iter().any(|peer| is_everywhere(&peer.to_string())),
        verifies_database: config.verifies_its_database(),
        database_password: config.database.as_deref().is_some_and(|url| *url != *shown(config)),
        stale_seconds: match config.database_stale_seconds {
            StaleTime::Unlimited => None,
            StaleTime::Seconds(seconds) => Some(seconds),
        },
        detection: config.detection.enabled,
        alpha: config.detection.alpha,
        alerts: config.alert.len(),
        response_rules: rules.len(),
        response_rules_in_shadow: rules.iter().filter(|rule| rule.shadow).count(),
        block_alone_max: config.response.block_alone_max,
        recording_required: config.recording.required,
        recording_synced: config.recording.sync != SyncWhen::Never,
        recording_bytes: config.recording.kept_bytes,
        sealed: config.sealing.key.is_some(),
        keep_days: config.sealing.keep_days,
        ledger: config.ledger.enabled,
        witnesses: config.ledger.witness.len(),
        timestamps: config.ledger.timestamp.is_some(),
        strong_sign_in: strong,
        passwords: config.sign_in.passwords,
        open_paths: config.allow.paths.clone(),
        shield_output_tokens: config.shield.output_tokens,
        shield_decimals: config.shield.embedding_decimals,
        servers: config.upstream.iter().map(|upstream| server(&upstream.url, upstream.key_file.is_some())).collect(),
    }
}

/// The URL of the database as it is shown to people.
fn shown(config: &Config) -> String {
    config.without_secrets().database.unwrap_or_default()
}

fn server(url: &Uri, credential: bool) -> Server {
    Server { url: url.to_string(), is_local: is_local(url), tls: url.scheme_str() == Some("https"), credential }
}

/// Whether a URL leads to this machine.
pub(super) fn is_local(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a network is so wide that whoever trusts it trusts everybody: no proxy's is, and two halves of all addresses are as wide as all of them.
fn is_everywhere(network: &str) -> bool {
    let Some((address, bits)) = network.rsplit_once('/') else { return false };
    let least = if address.contains(':') { WIDEST_V6 } else { WIDEST_V4 };
    bits.parse::<u8>().is_ok_and(|bits| bits < least)
}

/// Bits of the widest network of IPv4 that somebody may have for himself, such as 10.0.0.0/8.
const WIDEST_V4: u8 = 8;
/// The same of IPv6, such as fc00::/7.
const WIDEST_V6: u8 = 7;
