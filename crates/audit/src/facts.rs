//! What was found out about a deployment, as plain data: rules look at nothing else.
//!
//! Promises that what was not looked at is told from what is not there: each part is absent where nobody looked.

use exchange::Time;
use serde::{Deserialize, Serialize};

use crate::assumptions::Assumptions;

/// Everything that was found out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Facts {
    /// When.
    pub at: Option<Time>,
    /// What somebody is taken to want, and to have.
    pub assumptions: Assumptions,
    /// How the gateway is configured.
    pub configuration: Option<Configuration>,
    /// What the running gateway knows: accounts, keys, quotas, policies, people.
    pub control: Option<Control>,
    /// The ledger.
    pub ledger: Option<Ledger>,
    /// What was recorded lately.
    pub records: Option<Records>,
    /// The register of models, and folders that were named.
    pub models: Option<Models>,
    /// This machine.
    pub host: Option<Host>,
    /// Where callers are served, as it answers.
    pub endpoint: Option<Endpoint>,
}

impl Facts {
    /// Whether somebody looked at a part.
    #[must_use]
    pub fn has(&self, part: Part) -> bool {
        match part {
            Part::Configuration => self.configuration.is_some(),
            Part::Control => self.control.is_some(),
            Part::Ledger => self.ledger.is_some(),
            Part::Records => self.records.is_some(),
            Part::Models => self.models.is_some(),
            Part::Host => self.host.is_some(),
            Part::Endpoint => self.endpoint.is_some(),
        }
    }
}

/// A part of the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// How the gateway is configured.
    Configuration,
    /// What the running gateway knows.
    Control,
    /// The ledger.
    Ledger,
    /// What was recorded lately.
    Records,
    /// Models and their copies.
    Models,
    /// This machine.
    Host,
    /// Where callers are served.
    Endpoint,
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 7] =
        [Part::Configuration, Part::Control, Part::Ledger, Part::Records, Part::Models, Part::Host, Part::Endpoint];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Part::Configuration => "configuration",
            Part::Control => "control",
            Part::Ledger => "ledger",
            Part::Records => "records",
            Part::Models => "models",
            Part::Host => "host",
            Part::Endpoint => "endpoint",
        }
    }
}

/// How the gateway is configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// The file; empty where there is none, but flags and the environment.
    pub file: String,
    /// Where callers are served.
    pub listen: String,
    /// Whether only this machine reaches that address.
    pub listen_is_local: bool,
    /// Where it is managed.
    pub admin: String,
    /// Whether only this machine reaches that address.
    pub admin_is_local: bool,
    /// Whether callers speak TLS with it.
    pub tls: bool,
    /// Networks whose word about a caller's address is taken.
    pub trusted_peers: Vec<String>,
    /// Those of them that are everybody.
    pub trusts_everybody: bool,
    /// Whether the certificate of the database is verified, where it is on another machine.
    pub verifies_database: bool,
    /// Whether the text of the configuration holds the password of the database.
    pub database_password: bool,
    /// For how many seconds what is known holds while the database is away; none for ever.
    pub stale_seconds: Option<u64>,
    /// Whether campaigns are looked for.
    pub detection: bool,
    /// How sure a finding must be.
    pub alpha: f64,
    /// How many destinations are told of campaigns.
    pub alerts: usize,
    /// Rules that respond by themselves.
    pub response_rules: usize,
    /// Those of them that only tell what they would do.
    pub response_rules_in_shadow: usize,
    /// How many accounts one person may block.
    pub block_alone_max: u32,
    /// Whether a request is turned away that cannot be recorded.
    pub recording_required: bool,
    /// Whether what was recorded is ever made to outlive the machine.
    pub recording_synced: bool,
    /// Bytes of all records together.
    pub recording_bytes: u64,
    /// Whether texts are sealed.
    pub sealed: bool,
    /// After how many days sealed texts can be opened no longer.
    pub keep_days: Option<u32>,
    /// Whether there is a ledger.
    pub ledger: bool,
    /// Witnesses of its checkpoints.
    pub witnesses: usize,
    /// Whether an authority says when they were there.
    pub timestamps: bool,
    /// Whether people sign in at a provider or by passkeys.
    pub strong_sign_in: bool,
    /// Whether they may sign in by passwords.
    pub passwords: bool,
    /// Paths that are let through without being understood.
    pub open_paths: Vec<String>,
    /// Tokens of a reply without `long_output`.
    pub shield_output_tokens: u64,
    /// Decimals of a vector without `full_precision`.
    pub shield_decimals: u8,
    /// The model servers.
    pub servers: Vec<Server>,
}

/// A model server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Where it is.
    pub url: String,
    /// Whether it is on this machine.
    pub is_local: bool,
    /// Whether it is spoken to in TLS.
    pub tls: bool,
    /// Whether it is shown a credential.
    pub credential: bool,
}

/// What the running gateway knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// Accounts that may ask.
    pub accounts: u64,
    /// Keys that hold.
    pub keys: Vec<Key>,
    /// How much may be asked for.
    pub quotas: Vec<Quota>,
    /// What an account nobody knows may do, by its tier, where no response holds.
    pub strangers: Vec<Stranger>,
    /// People who may sign in to the console.
    pub people: Vec<Person>,
    /// Appeals that wait for a decision, by when they were entered.
    pub open_appeals: Vec<Time>,
}

/// A key that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// When it was made.
    pub created: Time,
    /// When it ends.
    pub expires: Option<Time>,
    /// When it was used last.
    pub used: Option<Time>,
    /// Whether it is bound to a key or certificate of its holder.
    pub is_bound: bool,
    /// Whether its scope names models, actions or networks.
    pub is_scoped: bool,
}

/// A limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Its name.
    pub id: String,
    /// Whose requests share it.
    pub of: QuotaOf,
    /// What it counts.
    pub unit: Unit,
    /// How much.
    pub amount: u64,
    /// In how many seconds.
    pub seconds: u64,
    /// Whether it does not hold for those who may have a high rate.
    pub except_high_rate: bool,
}

/// Whose requests share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaOf {
    /// Those of each key.
    EachKey,
    /// Those of each account.
    EachAccount,
    /// Those of each organisation; an account without one is its own.
    EachOrganisation,
    /// Those of all who pay with one instrument.
    EachPaymentGroup,
    /// Those of everybody.
    Everybody,
    /// Those of some that are named.
    Some,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Requests.
    Requests,
    /// Tokens.
    Tokens,
    /// Costs.
    Cost,
}

/// What an account of which nobody knows anything may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// Its tier.
    pub tier: String,
    /// What it may do.
    pub actions: Vec<String>,
}

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name.
    pub name: String,
    /// What they may do.
    pub role: String,
    /// Since when they still have the password that was made for them.
    pub first_password_since: Option<Time>,
}

/// The ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Where it is.
    pub folder: String,
    /// Whether there is one.
    pub exists: bool,
    /// Entries.
    pub entries: u64,
    /// Entries that were checked, from the end.
    pub checked: u64,
    /// What is wrong with it.
    pub faults: Vec<String>,
    /// When the last entry was put down.
    pub last: Option<Time>,
    /// When a response was taken last.
    pub last_response: Option<Time>,
    /// When a drill was held last.
    pub last_drill: Option<Time>,
    /// When it was last looked, with simulated traffic, whether a campaign is noticed in time, and it was.
    pub last_check: Option<Time>,
    /// When it was last looked and it was not.
    pub last_failed_check: Option<Time>,
    /// When a step of a playbook was done last.
    pub last_playbook: Option<Time>,
}

/// What was recorded lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Where.
    pub folder: String,
    /// Exchanges that were looked at.
    pub exchanges: u64,
    /// Lines that could not be read.
    pub damaged: u64,
    /// Those without an account.
    pub without_account: u64,
    /// Those that were answered and say no tokens.
    pub without_usage: u64,
    /// Those without a model.
    pub without_model: u64,
    /// Those without an address, not even one as a hash.
    pub without_address: u64,
    /// Keys, each with the networks that it was used from.
    pub networks_of_keys: Vec<(String, u64)>,
}

/// Models and their copies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Models {
    /// Places that hold one.
    pub copies: Vec<ModelCopy>,
    /// Folders with weights that no register has.
    pub unknown: Vec<String>,
    /// Whether somebody looked for those.
    pub searched: bool,
}

/// A place that holds a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCopy {
    /// What it is called in the register.
    pub id: String,
    /// Where it is.
    pub place: String,
    /// Whether its files are in clear.
    pub in_clear: bool,
    /// Whether a signature was checked when it was put down.
    pub signed: bool,
    /// What became of it, where that is not what it was.
    pub drift: Option<String>,
    /// Since how many days somebody last said that it is needed.
    pub reviewed_days: u64,
    /// Of a locked one: how many holders are needed.
    pub holders_needed: Option<usize>,
    /// Files of formats that may run something, each with why.
    pub unsafe_files: Vec<(String, String)>,
    /// Files that others than their owner may read or write, each with its mode.
    pub open_files: Vec<(String, String)>,
}

/// This machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Servers that other machines reach, and that answered without a credential.
    pub open_servers: Vec<OpenServer>,
    /// Files with secrets that others than their owner may read, each with its mode.
    pub open_secrets: Vec<(String, String)>,
    /// Names of variables in the environment of the gateway that look like secrets; none where no gateway runs, or its environment may not be read.
    pub secret_variables: Option<Vec<String>>,
    /// Places on a disk that memory may be written to; none where the machine does not tell.
    pub swaps: Option<Vec<String>>,
    /// Whether the clock follows another; none where the machine does not tell.
    pub clock_synchronised: Option<bool>,
}

/// A server that answered without a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenServer {
    /// The address that it listens at.
    pub address: String,
    /// What it is.
    pub product: String,
    /// Whether it serves models, or manages those who do.
    pub serves_models: bool,
    /// By what it was known.
    pub seen: String,
}

/// How something that was asked for was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// It was in the answer.
    Given,
    /// There was an answer without it.
    LeftOut,
    /// The request was turned away.
    Refused,
    /// There is no such path, or nothing that can be judged.
    NotTold,
}

/// Where callers are served, as it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Where.
    pub url: String,
    /// Whether it is on this machine.
    pub is_local: bool,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// What answered without a credential, or with a wrong one.
    pub without_key: Vec<String>,
    /// Each thing that was asked for, and how that was answered.
    pub asked: Vec<(String, Given)>,
    /// Headers that tell what serves.
    pub telling_headers: Vec<String>,
    /// Requests that were sent at once, and how many of them were turned away for their rate.
    pub burst: Option<(u32, u32)>,
    /// Whether two requests with the same seed were answered alike, and two without one were not.
    pub repeats_by_seed: Option<bool>,
}
