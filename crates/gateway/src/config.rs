//! The configuration file: TOML, read and checked whole before a port is bound.
//!
//! Promises that a mistake is told with its line and what was expected, and that nothing is silently left out: an
//! unknown key is a mistake. Secrets are not in it; it names the files that hold them.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use exchange::Assurance;
use hyper::Uri;
use hyper::header::HeaderName;
use hyper::http::uri::Scheme;
use policy::Rung;
use policy::amount::{Per, Unit};
use policy::network::Network;
use policy::price::Prices;
use policy::response::{Budget, Joiners, Rule};
use policy::token::{Issuer, KeySet};
use rustls::pki_types::ServerName;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::alerts::AlertTable;
use crate::health::Health;
use crate::identity::{self, NotFetched, Provider, Source};
use crate::lake::LakeTable;
use crate::ledger::LedgerTable;
use crate::limits::{
    ALERTS_MAX, EMBEDDING_DECIMALS_MAX, IDENTITIES_MAX, RULES_MAX, SHIELDED_EMBEDDING_DECIMALS, SHIELDED_OUTPUT_TOKENS,
    STALE_SECONDS, STALE_SECONDS_MAX, STALE_SECONDS_MIN,
};
use crate::sealing::SealingTable;
use crate::sensors::SensorTable;
use crate::shield::Caps;
use crate::sign_in::SignInTable;
use crate::tls::{self, BadCertificates};
use crate::trust::Trust;
use crate::upstream::{Credential, Server, Tls};
use crate::values::{parsed, parsed_list, parsed_one, told, told_list, told_one};
use crate::worker::Settings;

/// The configuration of a Stillwatch gateway.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where callers are served.
    #[serde(default = "default_listen")]
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Where it is managed.
    #[serde(default = "default_admin")]
    #[schemars(with = "String")]
    pub admin: SocketAddr,
    /// Everything that outlives the process.
    #[serde(default = "default_data")]
    pub data: PathBuf,
    /// Where accounts and keys are kept: `sqlite:PATH` or `postgres://…`; a file in the data folder when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// How long what is known of accounts, keys and quotas holds while the database is away.
    #[serde(default)]
    pub database_stale_seconds: StaleTime,
    /// The file with what hashes of keys are keyed with, the same for all gateways of one database; one in the data folder
    /// when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_pepper_file: Option<PathBuf>,
    /// The file with the prices of tokens by model, for quotas of costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices_file: Option<PathBuf>,
    /// How exchanges are recorded.
    #[serde(default)]
    pub recording: RecordingTable,
    /// Whether and how campaigns are looked for in what is recorded.
    #[serde(default)]
    pub detection: DetectionTable,
    /// How responses to accounts and campaigns are taken.
    #[serde(default)]
    pub response: ResponseTable,
    /// Who is told what becomes of campaigns.
    #[serde(default)]
    pub alert: Vec<AlertTable>,
    /// Sensors beside the gateway.
    #[serde(default)]
    pub sensor: SensorTable,
    /// Whether what is found and done is put down so that it can be proved.
    #[serde(default)]
    pub ledger: LedgerTable,
    /// Whether recorded texts are sealed.
    #[serde(default)]
    pub sealing: SealingTable,
    /// Whether recorded exchanges go into a lake.
    #[serde(default)]
    pub lake: LakeTable,
    /// How people sign in to the console.
    #[serde(default)]
    pub sign_in: SignInTable,
    /// Where callers reach it, as `scheme://host[:port]`: what proofs of possession have to be for.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Threads that serve; one a core when absent.
    #[serde(default)]
    pub workers: usize,
    /// How long requests under way may take when it ends, in seconds.
    #[serde(default = "default_drain")]
    pub drain_seconds: u64,
    /// TLS towards callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
    /// Whose word about a caller is taken.
    #[serde(default)]
    pub trust: TrustTable,
    /// What is let through besides the calls that are understood.
    #[serde(default)]
    pub allow: Allow,
    /// How much is left of what a permit does not hold.
    #[serde(default)]
    pub shield: Shield,
    /// Identity providers whose tokens hold in place of keys.
    #[serde(default)]
    pub identity: Vec<IdentityTable>,
    /// The model servers.
    #[serde(default)]
    pub upstream: Vec<Upstream>,
}

/// `[recording]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecordingTable {
    /// When what was written is made to outlive the machine: `never`, `always`, or after so many seconds.
    pub sync: SyncWhen,
    /// Bytes after which a file is closed and another begun.
    #[schemars(range(min = 1))]
    pub file_bytes: u64,
    /// Seconds after which a file is closed and another begun.
    #[schemars(range(min = 1))]
    pub file_seconds: u64,
    /// Bytes of all files together; the oldest are removed.
    pub kept_bytes: u64,
    /// Whether requests are turned away while exchanges cannot be recorded.
    pub required: bool,
}

impl Default for RecordingTable {
    fn default() -> Self {
        RecordingTable {
            sync: SyncWhen::Seconds(1),
            file_bytes: 256 << 20,
            file_seconds: 3600,
            kept_bytes: 64 << 30,
            required: false,
        }
    }
}

/// `[detection]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DetectionTable {
    /// Whether campaigns are looked for.
    pub enabled: bool,
    /// How sure a finding must be: the share of campaigns that may be honest groups.
    #[schemars(range(min = 0.000_001, max = 0.5))]
    pub alpha: f64,
    /// By how many seconds an exchange may be recorded later than one that began after it, and still count in the order of time.
    #[schemars(range(max = 3600))]
    pub lateness_seconds: u32,
}

/// `[response]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseTable {
    /// How many accounts one person, or a rule, may block; a block of more waits for a second person.
    pub block_alone_max: u32,
    /// What is done by itself when a campaign is strong enough.
    pub rule: Vec<RuleTable>,
}

impl Default for ResponseTable {
    fn default() -> Self {
        ResponseTable { block_alone_max: 50, rule: Vec::new() }
    }
}

/// `[[response.rule]]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleTable {
    /// Its name.
    pub name: String,
    /// The evidence from which on it responds, as a power of ten: 6 for a million to one.
    #[schemars(range(min = 2))]
    pub strength: u32,
    /// How likely an account must take part to be covered, in percent.
    #[serde(default = "default_probability")]
    #[schemars(range(min = 50, max = 99))]
    pub probability: u32,
    /// What is done: observe, alert, verify, share_budget, shield or block.
    #[schemars(with = "String")]
    pub rung: Rung,
    /// With verify: how well an account has to be known (email, phone, payment, business, contract).
    #[serde(default, skip_serializing_if = "is_none")]
    #[schemars(with = "String")]
    pub assurance: Assurance,
    /// With share_budget: what all who are covered may take together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetTable>,
    /// Whether accounts that join the campaign later are covered as well.
    #[serde(default = "default_true")]
    pub inherit: bool,
    /// Whether it only tells what it would change.
    #[serde(default)]
    pub shadow: bool,
    /// How long a response holds.
    #[serde(default = "default_hours")]
    #[schemars(range(min = 1))]
    pub hours: u32,
    /// Why, for those who read the responses.
    pub reason: String,
    /// With block: that accounts are to be blocked on a score alone.
    #[serde(default)]
    pub blocks_on_score_alone: bool,
}

/// What several accounts may take together.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetTable {
    /// What is counted: requests, tokens or micro_cost.
    #[schemars(with = "String")]
    pub unit: Unit,
    /// How much.
    pub amount: u64,
    /// In which time: second, minute, hour, day or thirty_days.
    #[schemars(with = "String")]
    pub per: Per,
}

const fn default_probability() -> u32 {
    90
}

const fn default_hours() -> u32 {
    72
}

const fn default_true() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_none(assurance: &Assurance) -> bool {
    *assurance == Assurance::None
}

impl RuleTable {
    /// Why it cannot be used, if it cannot: the key, and what was expected.
    fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let blocks = self.rung == Rung::Block && !self.shadow;
        if self.name.is_empty() || self.name.len() > 64 {
            Some(("name", "expected 1 to 64 bytes"))
        } else if self.reason.trim().is_empty() || self.reason.len() > 1_000 {
            Some(("reason", "expected 1 to 1000 bytes of text"))
        } else if self.strength < 2 {
            Some(("strength", "expected at least 2"))
        } else if !(50..=99).contains(&self.probability) {
            Some(("probability", "expected 50 to 99"))
        } else if self.hours == 0 {
            Some(("hours", "expected at least 1"))
        } else if self.rung == Rung::None {
            Some(("rung", "expected observe, alert, verify, share_budget, shield or block"))
        } else if (self.rung == Rung::Verify) != (self.assurance != Assurance::None) {
            Some(("assurance", "expected with `rung = \"verify\"`, and with no other"))
        } else if (self.rung == Rung::ShareBudget) != self.budget.is_some() {
            Some(("budget", "expected with `rung = \"share_budget\"`, and with no other"))
        } else if blocks && !self.blocks_on_score_alone {
            Some((
                "rung",
                "`block` on a score alone needs `blocks_on_score_alone = true`; `shadow = true` shows first whom it would meet",
            ))
        } else {
            None
        }
    }

    fn rule(&self) -> Rule {
        let budget = self.budget.map(|BudgetTable { unit, amount, per }| Budget { unit, amount, per });
        Rule {
            name: self.name.clone(),
            strength: self.strength.into(),
            probability: self.probability.into(),
            rung: self.rung,
            assurance: self.assurance,
            budget,
            joiners: if self.inherit { Joiners::Inherit } else { Joiners::Leave },
            shadow: self.shadow,
            hours: self.hours,
            reason: self.reason.clone(),
        }
    }
}

/// The most seconds of `lateness_seconds`.
const LATENESS_SECONDS_MAX: u32 = 3_600;

impl Default for DetectionTable {
    fn default() -> Self {
        DetectionTable { enabled: true, alpha: 0.05, lateness_seconds: 30 }
    }
}

/// When what was recorded is made to outlive the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncWhen {
    /// When the system thinks fit.
    Never,
    /// Before it counts as recorded.
    Always,
    /// At intervals of so many seconds, 1 to 3600.
    Seconds(u64),
}

/// How a time is written that may be a word instead.
#[derive(Deserialize)]
#[serde(untagged)]
enum WordOrSeconds {
    Word(String),
    Seconds(u64),
}

impl<'de> Deserialize<'de> for SyncWhen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match WordOrSeconds::deserialize(from)? {
            WordOrSeconds::Word(word) if word == "never" => Ok(SyncWhen::Never),
            WordOrSeconds::Word(word) if word == "always" => Ok(SyncWhen::Always),
            WordOrSeconds::Seconds(seconds) if (1..=3600).contains(&seconds) => Ok(SyncWhen::Seconds(seconds)),
            _ => Err(serde::de::Error::custom("expected `never`, `always` or 1 to 3600 seconds")),
        }
    }
}

impl Serialize for SyncWhen {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            SyncWhen::Never => to.serialize_str("never"),
            SyncWhen::Always => to.serialize_str("always"),
            SyncWhen::Seconds(seconds) => to.serialize_u64(*seconds),
        }
    }
}

impl JsonSchema for SyncWhen {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SyncWhen".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "string", "enum": ["never", "always"]},
            {"type": "integer", "minimum": 1, "maximum": 3600},
        ]})
    }
}

/// How long what was known last holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleTime {
    /// Whatever happens.
    Unlimited,
    /// So many seconds, [`STALE_SECONDS_MIN`] to [`STALE_SECONDS_MAX`].
    Seconds(u64),
}

impl Default for StaleTime {
    fn default() -> StaleTime {
        StaleTime::Seconds(STALE_SECONDS)
    }
}

impl StaleTime {
    /// As a length of time; none where there is no end.
    #[must_use]
    pub fn max(self) -> Option<Duration> {
        match self {
            StaleTime::Unlimited => None,
            StaleTime::Seconds(seconds) => Some(Duration::from_secs(seconds)),
        }
    }
}

impl Serialize for StaleTime {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            StaleTime::Unlimited => to.serialize_str("unlimited"),
            StaleTime::Seconds(seconds) => to.serialize_u64(*seconds),
        }
    }
}

impl JsonSchema for StaleTime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StaleTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "string", "enum": ["unlimited"]},
            {"type": "integer", "minimum": STALE_SECONDS_MIN, "maximum": STALE_SECONDS_MAX},
        ]})
    }
}

impl<'de> Deserialize<'de> for StaleTime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match WordOrSeconds::deserialize(from)? {
            WordOrSeconds::Word(word) if word == "unlimited" => Ok(StaleTime::Unlimited),
            WordOrSeconds::Seconds(seconds) if (STALE_SECONDS_MIN..=STALE_SECONDS_MAX).contains(&seconds) => {
                Ok(StaleTime::Seconds(seconds))
            }
            _ => Err(serde::de::Error::custom(format!(
                "expected `unlimited` or {STALE_SECONDS_MIN} to {STALE_SECONDS_MAX} seconds"
            ))),
        }
    }
}

/// `[tls]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The chain that callers are shown, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authorities by which certificates of clients are believed, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_authorities: Option<PathBuf>,
    /// Whether a caller without a certificate is turned away.
    #[serde(default)]
    pub client_required: bool,
}

/// `[trust]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrustTable {
    /// Load balancers, by their networks.
    #[serde(deserialize_with = "parsed_list")]
    #[schemars(with = "Vec<String>")]
    pub peers: Vec<Network>,
    /// The header with the caller's address.
    #[serde(deserialize_with = "parsed", serialize_with = "told", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub address: Option<HeaderName>,
    /// The header with the caller's TLS fingerprint.
    #[serde(deserialize_with = "parsed", serialize_with = "told", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ja4: Option<HeaderName>,
    /// The header with the number of the caller's autonomous system.
    #[serde(deserialize_with = "parsed", serialize_with = "told", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub asn: Option<HeaderName>,
    /// The header with the caller's country.
    #[serde(deserialize_with = "parsed", serialize_with = "told", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub country: Option<HeaderName>,
}

/// `[allow]`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Allow {
    /// Paths, exactly as they are asked for.
    pub paths: Vec<String>,
    /// Headers of requests that are passed on.
    #[serde(deserialize_with = "parsed_list", serialize_with = "told_list")]
    #[schemars(with = "Vec<String>")]
    pub headers: Vec<HeaderName>,
}

/// `[shield]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shield {
    /// Tokens of a reply without `long_output`.
    #[schemars(range(min = 1))]
    pub output_tokens: u64,
    /// Models whose own prompt opens reasoning, so that their answers begin within it, while their server does not parse it:
    /// by name or by a beginning that ends in `*`.
    pub thinking_models: Vec<String>,
    /// Decimals of the numbers of a vector without `full_precision`.
    #[schemars(range(max = 7))]
    pub embedding_decimals: u8,
}

impl Default for Shield {
    fn default() -> Self {
        Shield {
            output_tokens: SHIELDED_OUTPUT_TOKENS,
            embedding_decimals: SHIELDED_EMBEDDING_DECIMALS,
            thinking_models: Vec::new(),
        }
    }
}

/// `[[identity]]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityTable {
    /// What its tokens say in `iss`.
    pub issuer: String,
    /// What they must have in `aud`.
    pub audience: String,
    /// The claim that names the account.
    #[serde(default = "default_account_claim")]
    pub account_claim: String,
    /// Where it publishes its keys, as a JWK set; found by OpenID Connect Discovery when this and `keys_file` are absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
    /// The file that holds its keys, as a JWK set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_file: Option<PathBuf>,
    /// The authorities by which its certificate is believed, PEM; the machine's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<PathBuf>,
}

/// `[[upstream]]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Its name, which no other has; host and port when absent. Files and batches that it keeps are found by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is, without `/v1`.
    #[serde(deserialize_with = "parsed_one", serialize_with = "told_one")]
    #[schemars(with = "String")]
    pub url: Uri,
    /// The models that it serves, by name or by a beginning that ends in `*`; empty for all.
    #[serde(default)]
    pub models: Vec<String>,
    /// Its share among those that serve a model, 1 to 1000.
    #[serde(default = "default_weight")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: u32,
    /// The file with the credential that it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The authorities by which its certificate is believed, PEM; the machine's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<PathBuf>,
    /// Where it is asked every five seconds how it is, below its URL, such as `/health`. One that does not answer with 2xx twice in
    /// a row is tried last until it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_path: Option<String>,
    /// How long a connection may take, in seconds.
    #[serde(default = "default_connect")]
    #[schemars(range(min = 1))]
    pub connect_seconds: u64,
    /// How long the first byte of a reply may take, in seconds.
    #[serde(default = "default_first_byte")]
    #[schemars(range(min = 1))]
    pub first_byte_seconds: u64,
    /// How long a pause within a reply may take, in seconds.
    #[serde(default = "default_pause")]
    #[schemars(range(min = 1))]
    pub pause_seconds: u64,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

fn default_admin() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8081))
}

fn default_data() -> PathBuf {
    PathBuf::from("stillwatch-data")
}

fn default_drain() -> u64 {
    30
}

fn default_account_claim() -> String {
    "sub".to_owned()
}

fn default_weight() -> u32 {
    1
}

fn default_connect() -> u64 {
    5
}

fn default_first_byte() -> u64 {
    600
}

fn default_pause() -> u64 {
    300
}

/// A URL without the passwords in it, to be shown. What looks like one is taken for one.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = match rest.rsplit_once('@') {
        Some((user, place)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:***@{place}"),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    let (place, query) = rest.split_once('?').map_or((rest.as_str(), None), |(place, query)| (place, Some(query)));
    let hidden = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("password") => format!("{name}=***"),
        _ => pair.to_owned(),
    };
    let query = query.map(|query| format!("?{}", query.split('&').map(hidden).collect::<Vec<_>>().join("&")));
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    format!("{scheme}{place}{}", query.unwrap_or_default())
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadConfig {
    /// The file cannot be read.
    #[error("{path}: cannot be read")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {reason}")]
    Wrong {
        /// Which.
        path: PathBuf,
        /// Where and what.
        reason: String,
    },
    /// A value cannot be used.
    #[error("{path}: `{field}`: {reason}")]
    Field {
        /// Which file.
        path: PathBuf,
        /// Which value.
        field: String,
        /// What was expected.
        reason: String,
    },
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificates(#[from] BadCertificates),
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: default_listen(),
            admin: default_admin(),
            data: default_data(),
            database: None,
            database_stale_seconds: StaleTime::default(),
            key_pepper_file: None,
            prices_file: None,
            recording: RecordingTable::default(),
            detection: DetectionTable::default(),
            response: ResponseTable::default(),
            alert: Vec::new(),
            sensor: SensorTable::default(),
            ledger: LedgerTable::default(),
            sealing: SealingTable::default(),
            sign_in: SignInTable::default(),
            lake: LakeTable::default(),
            origins: Vec::new(),
            workers: 0,
            drain_seconds: default_drain(),
            tls: None,
            trust: TrustTable::default(),
            allow: Allow::default(),
            shield: Shield::default(),
            identity: Vec::new(),
            upstream: Vec::new(),
        }
    }
}

impl Config {
    /// Reads a file. Paths in it are relative to its folder.
    ///
    /// # Errors
    ///
    /// When it cannot be read or is not what it should be.
    pub fn read(path: &Path) -> Result<Config, BadConfig> {
        let unreadable = |source| BadConfig::Unreadable { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let mut config = Config::parse(path, &text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let place = |path: &mut PathBuf| *path = folder.join(&*path);
        if let Some(tls) = &mut config.tls {
            place(&mut tls.certificate);
            place(&mut tls.key);
            tls.client_authorities.iter_mut().for_each(place);
        }
        place(&mut config.data);
        let files = config.key_pepper_file.iter_mut().chain(&mut config.prices_file).chain(&mut config.sensor.key_file);
        files.chain(&mut config.sealing.key).for_each(place);
        config.ledger.witness.iter_mut().flat_map(|witness| &mut witness.authorities).for_each(place);
        config.ledger.timestamp.iter_mut().for_each(|timestamp| place(&mut timestamp.authority));
        // Of a store it is no path.
        config.lake.place.iter_mut().filter(|place| !LakeTable::is_in_store(place)).for_each(place);
        if let Some(provider) = &mut config.sign_in.provider {
            provider.client_secret_file.iter_mut().chain(&mut provider.authorities).for_each(place);
        }
        for identity in &mut config.identity {
            identity.keys_file.iter_mut().chain(&mut identity.authorities).for_each(place);
        }
        for alert in &mut config.alert {
            let password = alert.mail.iter_mut().flat_map(|mail| &mut mail.password_file);
            alert.key_file.iter_mut().chain(&mut alert.authorities).chain(password).for_each(place);
        }
        for upstream in &mut config.upstream {
            upstream.key_file.iter_mut().chain(&mut upstream.authorities).for_each(place);
        }
        Ok(config)
    }

    /// Reads the text of a file called `path`.
    ///
    /// # Errors
    ///
    /// When it is not what it should be.
    pub fn parse(path: &Path, text: &str) -> Result<Config, BadConfig> {
        let mut config: Config = toml::from_str(text).map_err(|error| BadConfig::Wrong {
            path: path.to_owned(),
            reason: error.to_string().trim_end().to_owned(),
        })?;
        config.settle(path)?;
        Ok(config)
    }

    /// Checks every value, and writes some as they are compared.
    ///
    /// # Errors
    ///
    /// When one cannot be used; `path` says where it stands.
    pub fn settle(&mut self, path: &Path) -> Result<(), BadConfig> {
        let config = self;
        let wrong = |field: String, reason: &str| {
            Err(BadConfig::Field { path: path.to_owned(), field, reason: reason.to_owned() })
        };
        for origin in &mut config.origins {
            match origin.split_once("://") {
                Some((scheme, host)) if !host.is_empty() && !host.contains('/') => {
                    *origin = policy::proof::origin(scheme, host);
                }
                _ => return wrong("origins".to_owned(), "expected `scheme://host[:port]` without a path"),
            }
        }
        let schemes = ["sqlite:", "postgres://", "postgresql://"];
        if config.database.as_ref().is_some_and(|url| !schemes.iter().any(|scheme| url.starts_with(scheme))) {
            return wrong("database".to_owned(), "expected `sqlite:PATH` or `postgres://USER@HOST/NAME`");
        }
        for (index, upstream) in config.upstream.iter().enumerate() {
            let field = |name: &str| format!("upstream[{index}].{name}");
            let scheme = upstream.url.scheme_str();
            if !matches!(scheme, Some("http" | "https")) || upstream.url.authority().is_none() {
                return wrong(field("url"), "expected http:// or https:// with a host");
            }
            if upstream.url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
                return wrong(field("url"), "expected no credential; `key_file` names the file that holds it");
            }
            if upstream.url.query().is_some() || upstream.url.path().ends_with("/v1") {
                return wrong(
                    field("url"),
                    "expected no query and no `/v1` at the end; paths of the API are added to it",
                );
            }
            if config.upstream.iter().take(index).any(|other| other.name() == upstream.name()) {
                return wrong(
                    field("name"),
                    "expected one that no other server has; files and batches are found by it",
                );
            }
            if !(1..=1_000).contains(&upstream.weight) {
                return wrong(field("weight"), "expected 1 to 1000");
            }
            let is_path = |path: &String| path.starts_with('/') && path.parse::<Uri>().is_ok();
            if !upstream.health_path.as_ref().is_none_or(is_path) {
                return wrong(field("health_path"), "expected a path that begins with `/`");
            }
            if upstream.connect_seconds == 0 || upstream.first_byte_seconds == 0 || upstream.pause_seconds == 0 {
                return wrong(field("…_seconds"), "expected at least 1");
            }
        }
        if config.identity.len() > IDENTITIES_MAX {
            return wrong("identity".to_owned(), &format!("expected at most {IDENTITIES_MAX}"));
        }
        for (index, identity) in config.identity.iter().enumerate() {
            let field = |name: &str| format!("identity[{index}].{name}");
            for (name, value) in [
                ("issuer", &identity.issuer),
                ("audience", &identity.audience),
                ("account_claim", &identity.account_claim),
            ] {
                if value.is_empty() {
                    return wrong(field(name), "expected some text");
                }
            }
            if identity.keys.is_some() && identity.keys_file.is_some() {
                return wrong(field("keys_file"), "expected `keys` or `keys_file`, not both");
            }
            identity.source().map_err(|error| BadConfig::Field {
                path: path.to_owned(),
                field: field(if identity.keys.is_some() { "keys" } else { "issuer" }),
                reason: error.to_string(),
            })?;
            let is_same =
                |other: &IdentityTable| (&other.issuer, &other.audience) == (&identity.issuer, &identity.audience);
            if config.identity.iter().take(index).any(is_same) {
                return wrong(field("audience"), "expected an issuer with an audience once");
            }
        }
        if config.alert.len() > ALERTS_MAX {
            return wrong("alert".to_owned(), &format!("expected at most {ALERTS_MAX}"));
        }
        if !config.alert.is_empty() && !config.detection.enabled {
            return wrong("alert".to_owned(), "expected `detection.enabled`; nothing is told without detection");
        }
        for (index, alert) in config.alert.iter().enumerate() {
            let field = |name: &str| format!("alert[{index}].{name}");
            if let Err((name, reason)) = alert.check() {
                return wrong(field(name), &reason);
            }
            if config.alert.iter().take(index).any(|other| other.name == alert.name) {
                return wrong(field("name"), "expected one that no other destination has; what was told is kept by it");
            }
        }
        if let Some((name, expected)) = config.sensor.wrong([config.listen, config.admin], config.tls.is_some()) {
            return wrong(format!("sensor.{name}"), expected);
        }
        if let Some((name, expected)) = config.ledger.wrong() {
            return wrong(format!("ledger.{name}"), expected);
        }
        if let Some((name, expected)) = config.sign_in.wrong() {
            return wrong(format!("sign_in.{name}"), expected);
        }
        if let Some((name, expected)) = config.sealing.wrong() {
            return wrong(format!("sealing.{name}"), expected);
        }
        if let Some((name, expected)) = config.lake.wrong() {
            return wrong(format!("lake.{name}"), expected);
        }
        let recording = &config.recording;
        if recording.file_bytes == 0 || recording.file_seconds == 0 {
            return wrong("recording.file_…".to_owned(), "expected at least 1");
        }
        if !(0.000_001..=0.5).contains(&config.detection.alpha) {
            return wrong("detection.alpha".to_owned(), "expected 0.000001 to 0.5");
        }
        if config.detection.lateness_seconds > LATENESS_SECONDS_MAX {
            return wrong("detection.lateness_seconds".to_owned(), "expected at most 3600");
        }
        if config.response.rule.len() > RULES_MAX {
            return wrong("response.rule".to_owned(), &format!("expected at most {RULES_MAX}"));
        }
        for (index, rule) in config.response.rule.iter().enumerate() {
            let field = |name: &str| format!("response.rule[{index}].{name}");
            if let Some((name, expected)) = rule.wrong() {
                return wrong(field(name), expected);
            }
            if config.response.rule.iter().take(index).any(|other| other.name == rule.name) {
                return wrong(field("name"), "expected one that no other rule has; its responses are found by it");
            }
        }
        if config.shield.output_tokens == 0 {
            return wrong("shield.output_tokens".to_owned(), "expected at least 1");
        }
        if config.shield.embedding_decimals > EMBEDDING_DECIMALS_MAX {
            return wrong("shield.embedding_decimals".to_owned(), "expected at most 7");
        }
        if config.allow.paths.iter().any(|path| !path.starts_with('/')) {
            return wrong("allow.paths".to_owned(), "expected paths that begin with `/`");
        }
        Ok(())
    }

    /// The form of the file, for editors: a JSON schema of draft 2020-12.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Config>().into()
    }

    /// Whether the database can only be the one that is meant: a file, on this machine, or with a certificate that is checked.
    #[must_use]
    pub fn verifies_its_database(&self) -> bool {
        let Some(url) = self.database.as_deref().filter(|url| !url.starts_with("sqlite:")) else { return true };
        let Ok(url) = url.parse::<Uri>() else { return false };
        let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let checked = |pair: &str| matches!(pair, "sslmode=verify-ca" | "sslmode=verify-full");
        is_here || url.query().is_some_and(|query| query.split('&').any(checked))
    }

    /// The same without any secret, to be shown.
    #[must_use]
    pub fn without_secrets(&self) -> Config {
        let alert = self.alert.iter().map(AlertTable::without_secrets).collect();
        Config { database: self.database.as_deref().map(without_password), alert, ..self.clone() }
    }

    /// It as the text of a file, every default written out.
    ///
    /// # Errors
    ///
    /// When a path cannot be written, because it is no text.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// Whose word about a caller is taken.
    #[must_use]
    pub fn trust(&self) -> Trust {
        let table = self.trust.clone();
        Trust { peers: table.peers, address: table.address, ja4: table.ja4, asn: table.asn, country: table.country }
    }

    /// What may be exchanged while the gateway runs.
    ///
    /// # Errors
    ///
    /// When a file that is named cannot be read or used; `path` is where the configuration stands.
    pub fn settings(&self, path: &Path) -> Result<Settings, BadConfig> {
        Ok(Settings {
            needs_recording: self.recording.required,
            block_alone_max: self.response.block_alone_max,
            rules: self.response.rule.iter().map(RuleTable::rule).collect(),
            stale_time_max: self.database_stale_seconds.max(),
            trust: self.trust(),
            listed: self.allow.paths.clone(),
            thinking: self.shield.thinking_models.clone(),
            passed: self.allow.headers.clone(),
            caps: Caps { output_tokens: self.shield.output_tokens, embedding_decimals: self.shield.embedding_decimals },
            prices: self.prices_file.as_deref().map(prices).transpose()?.map(Arc::new),
            identities: Arc::new(self.identities(path)?),
            servers: Arc::new(self.servers(path)?),
        })
    }

    fn identities(&self, path: &Path) -> Result<Vec<Provider>, BadConfig> {
        self.identity.iter().enumerate().map(|(index, identity)| identity.provider(path, index)).collect()
    }

    /// The model servers.
    ///
    /// # Errors
    ///
    /// When a file that is named cannot be read or used.
    pub fn servers(&self, path: &Path) -> Result<Vec<Server>, BadConfig> {
        self.upstream.iter().enumerate().map(|(index, upstream)| upstream.server(path, index)).collect()
    }
}

impl IdentityTable {
    fn source(&self) -> Result<Source, NotFetched> {
        match (&self.keys, &self.keys_file) {
            (Some(url), _) => identity::usable(url).map(Source::Keys),
            (None, Some(file)) => Ok(Source::File(file.clone())),
            (None, None) => identity::description(&self.issuer).map(Source::Described),
        }
    }

    fn provider(&self, path: &Path, index: usize) -> Result<Provider, BadConfig> {
        let wrong = |name: &str, reason: String| BadConfig::Field {
            path: path.to_owned(),
            field: format!("identity[{index}].{name}"),
            reason,
        };
        if let Some(file) = &self.keys_file {
            let unreadable = |source| BadConfig::Unreadable { path: file.clone(), source };
            let text = fs::read(file).map_err(unreadable)?;
            KeySet::read(&text).map_err(|bad| wrong("keys_file", format!("{}: {bad}", file.display())))?;
        }
        Ok(Provider {
            issuer: Issuer {
                issuer: self.issuer.clone(),
                audience: self.audience.clone(),
                account_claim: self.account_claim.clone(),
            },
            source: self.source().map_err(|error| wrong("keys", error.to_string()))?,
            tls: Arc::new(tls::towards(self.authorities.as_deref())?),
        })
    }
}

impl Upstream {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().or_else(|| Some(self.url.authority()?.as_str())).unwrap_or_default()
    }

    /// A server at `url` that serves every model, with everything else as usual.
    #[must_use]
    pub fn at(url: Uri) -> Upstream {
        Upstream {
            name: None,
            url,
            models: Vec::new(),
            weight: default_weight(),
            key_file: None,
            authorities: None,
            health_path: None,
            connect_seconds: default_connect(),
            first_byte_seconds: default_first_byte(),
            pause_seconds: default_pause(),
        }
    }

    fn server(&self, path: &Path, index: usize) -> Result<Server, BadConfig> {
        let wrong = |name: &str, reason: &str| BadConfig::Field {
            path: path.to_owned(),
            field: format!("upstream[{index}].{name}"),
            reason: reason.to_owned(),
        };
        let authority = self.url.authority().cloned().ok_or_else(|| wrong("url", "expected a host"))?;
        let scheme = self.url.scheme().cloned().unwrap_or(Scheme::HTTP);
        let credential = match &self.key_file {
            None => None,
            Some(file) => Some(
                Credential::new(&secret(file)?)
                    .ok_or_else(|| wrong("key_file", "expected one line of printable text"))?,
            ),
        };
        let tls = if scheme == Scheme::HTTPS {
            let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
            let name = ServerName::try_from(host)
                .map_err(|_| wrong("url", "expected a name or an address that TLS can check"))?;
            Some(Tls { name, config: Arc::new(tls::towards(self.authorities.as_deref())?) })
        } else {
            None
        };
        Ok(Server {
            name: self.name().to_owned(),
            scheme,
            authority,
            prefix: self.url.path().trim_end_matches('/').to_owned(),
            models: self.models.clone(),
            weight: self.weight,
            credential,
            connect_time_max: Duration::from_secs(self.connect_seconds),
            first_byte_time_max: Duration::from_secs(self.first_byte_seconds),
            pause_time_max: Duration::from_secs(self.pause_seconds),
            tls,
            health_path: self.health_path.clone(),
            health: Health::default(),
        })
    }
}

/// The prices in a file.
fn prices(path: &Path) -> Result<Prices, BadConfig> {
    let unreadable = |source| BadConfig::Unreadable { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    Prices::parse(&text).map_err(|bad| BadConfig::Wrong { path: path.to_owned(), reason: bad.to_string() })
}

/// The secret in a file, without the newline at its end.
fn secret(path: &Path) -> Result<String, BadConfig> {
    let unreadable = |source| BadConfig::Unreadable { path: path.to_owned(), source };
    fs::read_to_string(path).map(|text| text.trim_end_matches(['\r', '\n']).to_owned()).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, BadConfig> {
        Config::parse(Path::new("gateway.toml"), text)
    }

    #[test]
    fn paths_of_a_file_are_relative_to_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.toml");
        let text = "[sign_in]\nurl = 'https://c'\n[sign_in.provider]\nissuer = 'https://i'\nclient_id = 'c'\nclient_secret_file = 's'\n\
                    [sealing]\nkey = 'e.pub'\n[lake]\nenabled = true\nplace = 'l'\n\
                    [ledger.timestamp]\nurl = 'http://t.example'\nauthority = 'a.pem'\n\
                    [[ledger.witness]]\nurl = 'http://w.example'\nkey = 'k'\nauthorities = 'w.pem'\n";
        fs::write(&path, text).unwrap();
        let config = Config::read(&path).unwrap();
        let within = |name: &str| Some(folder.path().join(name));
        let secret = config.sign_in.provider.and_then(|provider| provider.client_secret_file);
        assert_eq!(secret, within("s"));
        assert_eq!((config.sealing.key, config.lake.place), (within("e.pub"), within("l")));
        assert_eq!(config.ledger.timestamp.map(|timestamp| timestamp.authority), within("a.pem"));
        assert_eq!(config.ledger.witness[0].authorities, within("w.pem"));
        fs::write(&path, "[lake]\nenabled = true\nplace = 's3://b/l'\n").unwrap();
        assert_eq!(Config::read(&path).unwrap().lake.place, Some(PathBuf::from("s3://b/l")));
    }

    #[test]
    fn an_empty_file_is_a_configuration() {
        let config = parse("").unwrap();
        assert_eq!(config.listen.port(), 8080);
        assert!(config.listen.ip().is_loopback());
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn a_whole_one_is_read() {
        let config = parse(
            "listen = '0.0.0.0:443'\norigins = ['HTTPS://API.example:443']\n[trust]\npeers = ['10.0.0.0/8']\naddress = 'X-Forwarded-For'\n\
             [allow]\npaths = ['/health']\n[[upstream]]\nurl = 'http://127.0.0.1:8000/base/'\nmodels = ['m*']\nweight = 3\n",
        )
        .unwrap();
        assert_eq!(config.origins, ["https://api.example"]);
        assert_eq!(config.trust.address, Some(HeaderName::from_static("x-forwarded-for")));
        let servers = config.servers(Path::new("gateway.toml")).unwrap();
        assert_eq!((servers[0].prefix.as_str(), servers[0].weight), ("/base", 3));
    }

    #[test]
    fn a_database_elsewhere_is_verified_by_its_certificate() {
        for (url, is_known) in [
            ("sqlite:control.db", true),
            ("postgres://u@127.0.0.1:5432/db", true),
            ("postgres://u@[::1]/db", true),
            ("postgres://u@localhost/db", true),
            ("postgres://u:p@db.example/db", false),
            ("postgres://u@db.example/db?sslmode=require", false),
            ("postgres://u@db.example/db?sslrootcert=a.pem&sslmode=verify-full", true),
            ("postgresql://u@db.example/db?sslmode=verify-ca", true),
            ("postgres://u@localhost.example/db", false),
        ] {
            let config = parse(&format!("database = '{url}'")).unwrap();
            assert_eq!(config.verifies_its_database(), is_known, "{url}");
        }
        assert!(parse("").unwrap().verifies_its_database());
    }

    #[test]
    fn what_is_known_holds_for_a_time_that_can_be_named() {
        assert_eq!(parse("").unwrap().database_stale_seconds.max(), Some(Duration::from_secs(STALE_SECONDS)));
        assert_eq!(parse("database_stale_seconds = 'unlimited'").unwrap().database_stale_seconds.max(), None);
        for (seconds, is_fine) in [
            (0, false),
            (STALE_SECONDS_MIN - 1, false),
            (STALE_SECONDS_MIN, true),
            (STALE_SECONDS_MAX, true),
            (STALE_SECONDS_MAX + 1, false),
        ] {
            let read = parse(&format!("database_stale_seconds = {seconds}"));
            assert_eq!(read.is_ok_and(|config| config.database_stale_seconds == StaleTime::Seconds(seconds)), is_fine);
        }
    }

    #[test]
    fn identity_providers_have_a_limit_and_stand_once() {
        let one = |n: usize| format!("[[identity]]\nissuer = 'https://i{n}'\naudience = 'a'\n");
        let many = |count: usize| (0..count).map(one).collect::<String>();
        assert_eq!(parse(&many(IDENTITIES_MAX)).unwrap().identity.len(), IDENTITIES_MAX);
        let error = parse(&many(IDENTITIES_MAX + 1)).unwrap_err().to_string();
        assert!(error.contains("`identity`: expected at most 16"), "{error}");
        let error = parse(&one(1).repeat(2)).unwrap_err().to_string();
        assert!(error.contains("`identity[1].audience`: expected an issuer with an audience once"), "{error}");
    }

    #[test]
    fn rules_respond_as_they_are_written_and_block_on_a_score_only_where_that_is_said() {
        let rule = |name: &str, more: &str| {
            format!("[[response.rule]]\nname = '{name}'\nstrength = 6\nreason = 'agreed'\n{more}\n")
        };
        let shared = rule("r", "rung = 'share_budget'\nbudget = {unit = 'requests', amount = 9, per = 'day'}");
        let config = parse(&shared).unwrap();
        let [read] = &config.response.rule[..] else { panic!() };
        let read = read.rule();
        assert_eq!(
            (read.rung, read.probability, read.joiners, read.hours),
            (Rung::ShareBudget, 90, Joiners::Inherit, 72)
        );
        assert!(parse(&rule("r", "rung = 'block'\nblocks_on_score_alone = true")).is_ok());
        assert!(parse(&rule("r", "rung = 'block'\nshadow = true")).is_ok());
        for (more, expected) in [
            ("rung = 'block'", "`response.rule[0].rung`: `block` on a score alone needs"),
            ("rung = 'none'", "`response.rule[0].rung`: expected observe"),
            ("rung = 'verify'", "`response.rule[0].assurance`"),
            ("rung = 'shield'\nassurance = 'phone'", "`response.rule[0].assurance`"),
            ("rung = 'share_budget'", "`response.rule[0].budget`"),
            ("rung = 'shield'\nprobability = 49", "`response.rule[0].probability`: expected 50 to 99"),
            ("rung = 'shield'\nprobability = 100", "`response.rule[0].probability`: expected 50 to 99"),
            ("rung = 'shield'\nhours = 0", "`response.rule[0].hours`"),
            ("rung = 'shout'", "unknown variant `shout`"),
        ] {
            let error = parse(&rule("r", more)).unwrap_err().to_string();
            assert!(error.contains(expected), "{more}: {error}");
        }
        let twice = [shared.clone(), shared].concat();
        assert!(parse(&twice).unwrap_err().to_string().contains("`response.rule[1].name`"));
        let many = |count: usize| (0..count).map(|n| rule(&n.to_string(), "rung = 'alert'")).collect::<String>();
        assert_eq!(parse(&many(RULES_MAX)).unwrap().response.rule.len(), RULES_MAX);
        assert!(parse(&many(RULES_MAX + 1)).unwrap_err().to_string().contains("expected at most 32"));
    }

    #[test]
    fn destinations_of_alerts_have_a_limit_and_names_of_their_own() {
        let one = |n: usize| format!("[[alert]]\nname = 'n{n}'\nsyslog = 'udp://h:514'\n");
        let many = |count: usize| (0..count).map(one).collect::<String>();
        assert_eq!(parse(&many(ALERTS_MAX)).unwrap().alert.len(), ALERTS_MAX);
        let error = parse(&many(ALERTS_MAX + 1)).unwrap_err().to_string();
        assert!(error.contains("`alert`: expected at most 16"), "{error}");
        let error = parse(&one(1).repeat(2)).unwrap_err().to_string();
        assert!(error.contains("`alert[1].name`: expected one that no other"), "{error}");
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, expected) in [
            ("listem = '1.2.3.4:1'", "unknown field `listem`"),
            ("\nlisten = 5", "line 2"),
            ("listen = 'here'", "invalid socket address"),
            ("origins = ['api.example']", "`origins`: expected"),
            ("[trust]\npeers = ['10.0.0.0']", "`10.0.0.0`"),
            ("[trust]\nja4 = 'a b'", "`a b`"),
            ("[[upstream]]\nurl = 'ftp://x'", "`upstream[0].url`: expected http"),
            ("[[upstream]]\nurl = 'http://x/v1'", "no `/v1`"),
            (
                "[[upstream]]\nurl = 'http://x'\n[[upstream]]\nurl = 'http://x/2'",
                "`upstream[1].name`: expected one that no",
            ),
            ("[[upstream]]\nurl = 'http://x'\nhealth_path = 'health'", "`upstream[0].health_path`: expected a path"),
            ("[[upstream]]\nurl = 'http://x'\nweight = 0", "`upstream[0].weight`: expected 1 to 1000"),
            ("[[upstream]]\nurl = 'http://x'\nkey = 'sk'", "unknown field `key`"),
            ("[allow]\npaths = ['health']", "`allow.paths`"),
            ("[recording]\nsync = 'often'", "expected `never`, `always` or 1 to 3600 seconds"),
            ("[recording]\nsync = 3601", "expected `never`, `always` or 1 to 3600 seconds"),
            ("database = 'mysql://x'", "`database`: expected `sqlite:PATH` or `postgres://"),
            ("database_stale_seconds = 'never'", "expected `unlimited` or 2 to 31536000 seconds"),
            ("[shield]\noutput_tokens = 0", "`shield.output_tokens`: expected at least 1"),
            ("[shield]\nembedding_decimals = 8", "`shield.embedding_decimals`: expected at most 7"),
            ("[detection]\nenabled = false\n[[alert]]\nname = 'a'", "`alert`: expected `detection.enabled`"),
            ("[[alert]]\nname = 'a'", "`alert[0].webhook`: expected exactly one of"),
            ("[[alert]]\nname = 'a'\nsyslog = 'udp://h'\nform = 'xml'", "unknown variant `xml`"),
            (
                "[[alert]]\nname = 'a'\nmail = {relay = 'r', from = 'a@b', to = ['a@b'], user = 'u'}",
                "`alert[0].mail.password_file`: expected with `user`",
            ),
            (
                "[[alert]]\nname = 'a'\nmail = {relay = 'r', from = 'a@b', to = ['a@b'], user = 'u', password_file = 'p'}",
                "`alert[0].mail.starttls`: expected `true`",
            ),
            ("[sensor]\nlisten = '127.0.0.1:1'", "`sensor.key_file`: expected the file"),
            ("[sensor]\nlisten = '0.0.0.0:1'\nkey_file = 'k'", "`sensor.listen`: expected an address of this machine"),
            ("[sign_in]\nurl = 'http://c.example'", "`sign_in.url`: expected such as `https://console.example`"),
            ("[sign_in]\nurl = 'https://c.example/x'", "`sign_in.url`: expected such as"),
            ("[sign_in]\nurl = 'https://c.example/'", "`sign_in.url`: expected such as"),
            ("[sign_in]\npasskeys = true", "`sign_in.passkeys`: expected `url` beside it"),
            ("[sign_in]\nurl = 'https://192.0.2.1'\npasskeys = true", "`sign_in.passkeys`: expected `url` beside it"),
            ("[sign_in]\nurl = 'https://[::1]:8'\npasskeys = true", "`sign_in.passkeys`: expected `url` beside it"),
            ("[sign_in]\npasswords = false", "`sign_in.passwords`: expected `[sign_in.provider]`"),
            ("[sign_in.provider]\nissuer = 'https://i'\nclient_id = 'c'", "`sign_in.url`: expected where browsers"),
            (
                "[sign_in]\nurl = 'https://c'\n[sign_in.provider]\nissuer = 'http://192.0.2.1'\nclient_id = 'c'",
                "`sign_in.provider.issuer`: expected",
            ),
            (
                "[sign_in]\nurl = 'https://c'\n[sign_in.provider]\nissuer = 'https://i'\nclient_id = 'c'\nrole_claim = 'g'",
                "`sign_in.provider.roles`: expected `role_claim` and",
            ),
            (
                "[sign_in]\nurl = 'https://c'\n[sign_in.provider]\nissuer = 'https://i'\nclient_id = 'c'\nrole_claim = 'g'\nroles = { boss = 'b' }",
                "`sign_in.provider.roles`: expected `viewer`",
            ),
            ("[sealing]\nkeep_days = 3", "`sealing.keep_days`: expected `key` beside it"),
            ("[sealing]\nkey = 'k'\nkeep_days = 0", "`sealing.keep_days`: expected at least 1"),
            ("[lake]\nenabled = true\nseconds = 9", "`lake.seconds`: expected at least 10"),
            ("[lake]\nenabled = true\nkeep_days = 0", "`lake.keep_days`: expected at least 1"),
            ("[lake]\nkeep_days = 3", "`lake.keep_days`: expected `enabled = true` beside it"),
            ("[lake]\nplace = 'l'", "`lake.place`: expected `enabled = true` beside it"),
            ("[ledger]\nwitness_seconds = 0", "`ledger.witness_seconds`: expected at least 1"),
            ("[ledger]\nname = 'two words'", "`ledger.name`: expected 1 to 255 letters"),
            ("[sensor]\nkey_file = 'k'", "`sensor.listen`: expected an address; nothing else"),
            (
                "listen = '127.0.0.1:7'\n[sensor]\nlisten = '0.0.0.0:7'",
                "`sensor.listen`: expected an address and port that",
            ),
            (
                "admin = '127.0.0.1:7'\n[sensor]\nlisten = '127.0.0.1:7'",
                "`sensor.listen`: expected an address and port that",
            ),
            ("[sensor]\ntier = 'gold'", "unknown variant `gold`"),
            ("[sensor]\nenvoy_account_header = 'a b'", "`a b`"),
            ("[recording]\nfile_bytes = 0", "`recording.file_…`: expected at least 1"),
            (
                "[[identity]]\nissuer = 'i'\naudience = 'a'",
                "`identity[0].issuer`: `i/.well-known/openid-configuration` is not",
            ),
            ("[[identity]]\nissuer = 'https://i'\naudience = ''", "`identity[0].audience`: expected some text"),
            (
                "[[identity]]\nissuer = 'i'\naudience = 'a'\nkeys = 'http://192.0.2.1/'",
                "`identity[0].keys`: `http://192.0.2.1/`",
            ),
            ("[[identity]]\nissuer = 'i'\naudience = 'a'\nkeys = 'https://u:p@i/'", "`identity[0].keys`"),
            ("[[identity]]\nissuer = 'i'\naudience = 'a'\nkeys = 'https://i/'\nkeys_file = 'f'", "not both"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with("gateway.toml: ") && error.contains(expected), "{text}: {error}");
        }
    }
}
