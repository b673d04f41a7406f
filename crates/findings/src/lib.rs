//! What a hunt ends with: campaigns, the evidence for each, and what could not be seen.
//!
//! Everything here is plain data that is written as it stands and read back the same. Facts (counts, times, texts) and inference (evidence,
//! probability) are in separate fields, and every inference carries the sentence that a person reads.

pub use event::Capability;
use exchange::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod identity;
mod measures;
pub mod number;
mod schema;

pub use identity::{Identity, Prints, Verdict};
pub use measures::{Estimate, Measures};
pub use schema::schema;

/// All that one hunt found.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Findings {
    /// The version of this form, [`VERSION`]; another one whenever something that is written changes its meaning or goes. What is new alone
    /// changes none.
    #[serde(default = "schema::version", deserialize_with = "schema::known")]
    pub version: u32,
    /// The campaigns, surest first.
    pub campaigns: Vec<Campaign>,
    /// Groups that act together but for which an honest explanation fits: why each was not reported.
    pub cleared: Vec<Cleared>,
    /// What the whole traffic looked like.
    pub population: Population,
    /// What the records did not show, and so could count neither for nor against anybody.
    pub blind_spots: Vec<String>,
    /// The error guarantee of this run.
    pub guarantee: Guarantee,
    /// Limits that were reached, with what happened there.
    pub limits_reached: Vec<String>,
}

impl Default for Findings {
    fn default() -> Findings {
        Findings {
            version: VERSION,
            campaigns: Vec::new(),
            cleared: Vec::new(),
            population: Population::default(),
            blind_spots: Vec::new(),
            guarantee: Guarantee::default(),
            limits_reached: Vec::new(),
        }
    }
}

/// The version of what is written.
pub const VERSION: u32 = 1;

/// One campaign: a group of accounts that harvest together.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Campaign {
    /// Its name in this run.
    pub id: String,
    /// The operator it is linked to; campaigns that succeed each other share one.
    pub operator: String,
    /// How it came back after closures, and what links it to earlier campaigns of the same operator, in words.
    pub lineage: Vec<String>,
    /// How it was discovered.
    pub discovery: Discovery,
    /// When the trial began (τ); only later records were tested.
    pub frozen_at: Time,
    /// The time of the exchange that made it cross its threshold.
    pub detected_at: Time,
    /// Its first exchange.
    pub first_seen: Time,
    /// Its last exchange.
    pub last_seen: Time,
    /// How many exchanges of its members belong to it.
    pub exchanges: u64,
    /// Tokens of its members' requests in it, as far as they were recorded.
    pub input_tokens: u64,
    /// Tokens of the answers, likewise.
    pub output_tokens: u64,
    /// The share of its exchanges of which tokens were recorded.
    pub tokens_known: f64,
    /// What was asked of which model, the most used first; one without a name stands last for all others.
    pub models: Vec<ModelTokens>,
    /// Groups of the same accounts, or with the same template, that were tested apart and are not told apart.
    pub further_wordings: u64,
    /// Its accounts, surest first; those from probability 0.5 are members.
    pub accounts: Vec<Member>,
    /// What it takes, strongest first.
    #[schemars(with = "Vec<schema::Taken>")]
    pub capabilities: Vec<Capability>,
    /// The evidence by independent family of signals, strongest first.
    pub evidence: Vec<Evidence>,
    /// The evidence in total.
    pub log10_e: f64,
    /// The threshold it had to cross.
    pub log10_threshold: f64,
    /// The fixed text of its requests and what varies in between.
    pub skeleton: Vec<Segment>,
    /// Some of its exchanges.
    pub samples: Vec<Sample>,
    /// The group drawn against the population.
    pub portrait: Portrait,
    /// What could not be seen of this group, in words.
    pub not_observed: Vec<String>,
    /// Honest explanations that were tried, and why each does not fit.
    pub alternatives: Vec<String>,
    /// What people said of it before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judgements: Vec<Judgement>,
    /// By what it is known again, for a person's verdict.
    pub identity: Identity,
}

impl Campaign {
    /// The same campaign for somebody who may not read what was asked.
    #[must_use]
    pub fn without_texts(&self) -> Campaign {
        Campaign { skeleton: Vec::new(), samples: Vec::new(), ..self.clone() }
    }
}

/// The name of the campaign with a number.
#[must_use]
pub fn campaign_id(number: u32) -> String {
    format!("cmp_{number}")
}

/// What a person said of a group, beside what was found of it now.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Judgement {
    /// The label.
    pub label: String,
    /// What was said.
    pub verdict: Verdict,
    /// Who said it.
    pub by: String,
    /// When.
    pub time: Time,
    /// Why.
    pub reason: String,
    /// When it ends or ended.
    pub until: Option<Time>,
    /// Accounts of the finding that were not looked at then.
    pub new_accounts: Vec<String>,
}

/// How a trial came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Discovery {
    /// Several payers send the same template or phrase.
    Text,
    /// Several accounts are densely joined by rare shared infrastructure.
    Infrastructure,
    /// The same accounts send several templates, or wordings of one.
    Variants,
    /// A good part of what each account asks is after the same rare capability, in whatever words.
    Intent,
    /// Several accounts signed up in one burst.
    SignUp,
}

/// One account of a campaign.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// The account.
    pub account: String,
    /// How likely it takes part, given the evidence.
    pub probability: f64,
    /// Its exchanges that belong to the campaign.
    pub exchanges: u64,
    /// All its exchanges.
    pub exchanges_total: u64,
    /// Its first exchange in the campaign.
    pub first_seen: Time,
    /// Its last exchange in the campaign.
    pub last_seen: Time,
    /// Tokens of its requests in the campaign, and none where none were recorded.
    pub input_tokens: Option<u64>,
    /// Tokens of the answers, likewise.
    pub output_tokens: Option<u64>,
}

/// What a campaign took from one model.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ModelTokens {
    /// The model; empty for all that are not named.
    pub model: String,
    /// Its share of the exchanges.
    pub share: f64,
    /// Tokens of requests.
    pub input_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Of what stands for all others: how many further models these are; requests that name no model are among them, too.
    #[serde(default, skip_serializing_if = "is_none")]
    pub others: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_none(number: &u64) -> bool {
    *number == 0
}

/// Evidence from one family of signals. Families are chosen to be independent of each other.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The family of signals.
    pub family: SignalFamily,
    /// log10 of the e-value; negative speaks against a campaign.
    pub log10_e: f64,
    /// Whether it counts towards the threshold; what a group was found by does not.
    pub counts: bool,
    /// What it says, for a person.
    pub text: String,
    /// On how many records or accounts it rests.
    pub observations: u64,
}

/// The families of signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignalFamily {
    /// Accounts send one template at rates no unrelated account does.
    Template,
    /// Work is spread over accounts more evenly than any organic use.
    Evenness,
    /// A work list is split without overlap.
    WorkQueue,
    /// Accounts signed up together.
    SignUp,
    /// Rare payment instruments, networks, mail domains are shared.
    Infrastructure,
    /// Requests come as from a dispatcher, not in sessions as from people.
    Rhythm,
    /// Accounts are alike in what they send, as samples of one stream.
    Content,
    /// Accounts are alike in their hours.
    Hours,
    /// What is asked is worth harvesting.
    Intent,
    /// All accounts are silent when everybody else is not.
    Silence,
    /// New accounts carry on where closed ones stopped.
    Takeover,
    /// All accounts change from one model to another at once.
    Pivot,
    /// Answers are taken once, and asked for in one way.
    Reply,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// Text that stays the same.
    Fixed(String),
    /// Text that varies, with a few of its values.
    Slot(Vec<String>),
}

/// One exchange shown as an example.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// The exchange.
    pub exchange: String,
    /// Its account.
    pub account: String,
    /// Its time.
    pub time: Time,
    /// The beginning of what was asked.
    pub text: String,
    /// The beginning of the answer; empty where it was not recorded.
    pub answer: String,
}

/// A group that was looked at and not reported.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Cleared {
    /// Its name in this run.
    pub id: String,
    /// How many accounts.
    pub accounts: u64,
    /// How many exchanges.
    pub exchanges: u64,
    /// The beginning of its template, or what joined it.
    pub label: String,
    /// The evidence in total.
    pub log10_e: f64,
    /// The evidence by family of signals.
    pub evidence: Vec<Evidence>,
    /// Why it was not reported, in words.
    pub reason: String,
    /// What people said of it before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judgements: Vec<Judgement>,
    /// By what it is known again, for a person's verdict.
    pub identity: Identity,
}

/// The group drawn against the rest of the population.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Portrait {
    /// Activity over time.
    pub timeline: Vec<TimeBin>,
    /// Exchanges per account, in logarithmic bins: how even the group is beside the population.
    pub rates: Vec<ShareBin>,
    /// Share of account-hours by hour of the day (UTC, 24 bins): when the group is awake beside the population.
    pub hours: Vec<ShareBin>,
    /// Account age at the first exchange seen.
    pub ages: Vec<ShareBin>,
    /// Infrastructure: what is shared and what is not.
    pub infrastructure: Vec<TokenSharing>,
    /// Values that several members hold, and everybody else seldom: the most particular to the group first.
    #[serde(default)]
    pub shared: Vec<Shared>,
    /// Notable moments: τ, detection, closures, returns.
    pub marks: Vec<Mark>,
}

/// One bin of a timeline.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TimeBin {
    /// Its start.
    pub start: Time,
    /// Its length in seconds.
    pub seconds: u32,
    /// The campaign's exchanges.
    pub group: u64,
    /// Everybody else's exchanges.
    pub population: u64,
}

/// One bin of a distribution, as shares of the group and of the population. Each side sums to 1 over the bins.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShareBin {
    /// What the bin holds, short enough for an axis.
    pub label: String,
    /// Share of the group.
    pub group: f64,
    /// Share of the population.
    pub population: f64,
}

/// How one kind of infrastructure is shared in the group.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TokenSharing {
    /// The kind: payment instrument, mail domain, /24 network, …
    pub kind: String,
    /// Members for which it is known.
    pub known: u64,
    /// Distinct values among them.
    pub distinct: u64,
    /// Members that hold the value most particular to the group.
    pub largest: u64,
    /// That value.
    pub largest_value: String,
    /// Share of the population outside the group that holds that value.
    pub population_share: f64,
}

/// A value that several members hold.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Shared {
    /// The kind: payment instrument, mail domain, /24 network, …
    pub kind: String,
    /// The value.
    pub value: String,
    /// The members that hold it.
    pub accounts: Vec<String>,
    /// Share of the population outside the group that holds it.
    pub population_share: f64,
}

/// A notable moment of a campaign.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// When.
    pub time: Time,
    /// What happened, in a few words.
    pub label: String,
}

/// Exchanges of everybody in one interval of time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Traffic {
    /// Its start.
    pub start: Time,
    /// Its length in seconds.
    pub seconds: u32,
    /// The exchanges.
    pub exchanges: u64,
}

/// What the whole traffic looked like.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Population {
    /// Exchanges taken in.
    pub exchanges: u64,
    /// Accounts seen.
    pub accounts: u64,
    /// Payers, after accounts were collapsed to organisations.
    pub payers: u64,
    /// Clusters of texts that several payers share.
    pub clusters: u64,
    /// All exchanges over time; intervals without one are left out.
    #[serde(default)]
    pub timeline: Vec<Traffic>,
    /// The first exchange.
    pub first_seen: Option<Time>,
    /// The last exchange.
    pub last_seen: Option<Time>,
    /// Exchanges that arrived out of order by more than could be put right.
    pub late: u64,
}

/// The error guarantee, with the numbers of this run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Guarantee {
    /// The false discovery level.
    pub alpha: f64,
    /// Hypotheses tested so far.
    pub hypotheses: u64,
    /// The guarantee and its limits, in words.
    pub text: String,
}
