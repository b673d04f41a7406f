//! What is to be simulated: who is there, who attacks, and every knob of the attack.
//!
//! Promises that a scenario is plain data: the same scenario and seed give the same files. [`Scenario::check`] refuses
//! what is over [`limits`](crate::limits) or makes no sense, naming the knob. [`Scenario::by_name`] knows the presets of
//! [`Scenario::NAMES`].

mod knobs;
mod presets;
mod worlds;

pub use knobs::BadKnob;
pub use worlds::{World, WorldKind};

use serde::{Deserialize, Serialize};

use crate::Role;
use crate::fields::Fields;
use crate::limits::{
    ACCOUNTS_MAX, CAMPAIGNS_MAX, COPIES_MAX, DAYS_MAX, EXCHANGES_MAX, PREAMBLE_WORDS_MAX, RUN_CALLS_MAX, WORDINGS_MAX,
};

/// A piece of time with everybody in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Where all randomness comes from.
    pub seed: u64,
    /// How long it lasts.
    pub days: f64,
    /// How many honest accounts there are, about; each role takes its share.
    pub honest: u32,
    /// The kinds of honest users; empty means all.
    pub roles: Vec<Role>,
    /// Mean requests of an honest account, multiplied.
    pub honest_rate: f64,
    /// The campaigns; none is a scenario too.
    pub campaigns: Vec<Campaign>,
    /// When a new model is released, in days from the start.
    pub release_day: Option<f64>,
    /// Files of the corpora to take text from, as paths without `.jsonl.zst` (`open/benign-oasst`). Empty means all of
    /// `open/`. Without corpora it says nothing.
    pub texts: Vec<String>,
    /// Families of fields that the logs lack.
    #[serde(default)]
    pub without: Vec<Fields>,
    /// A system prompt in front of the requests.
    #[serde(default)]
    pub preamble: Preamble,
    /// Whether prompts are logged as one text with the model's chat markup around the turns.
    #[serde(default)]
    pub markup: bool,
    /// Honest groups beside the mix of roles.
    #[serde(default)]
    pub crowds: Vec<Crowd>,
    /// Whether everybody honest is of one country, with few networks and two mail providers.
    #[serde(default)]
    pub alike: bool,
}

/// An honest group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crowd {
    /// What its accounts do.
    pub role: Role,
    /// How many there are.
    pub accounts: u32,
}

/// A system prompt that the deployment puts in front of requests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preamble {
    /// Its words; 0 is none.
    pub words: u32,
    /// The share of accounts whose requests it stands in front of.
    pub share: f64,
    /// How many there are, one for each of so many products; an account uses one product.
    pub products: u32,
}

impl Default for Preamble {
    fn default() -> Preamble {
        Preamble { words: 0, share: 1.0, products: 1 }
    }
}

/// One campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// Its name in the labels; campaigns of one name are waves of one campaign.
    pub name: String,
    /// Who runs it: campaigns of one operator share infrastructure.
    pub operator: u32,
    /// What it is after.
    pub harvest: Harvest,
    /// The language of its requests.
    pub language: Language,
    /// Accounts in use at a time.
    pub accounts: u32,
    /// Campaign requests per account, on average.
    pub requests: f64,
    /// Share of the template's words that change from request to request.
    pub variation: f64,
    /// In how many wordings the template is sent, each request in one of them; every other one in another language.
    pub wordings: u32,
    /// Share of each account's requests that are unrelated honest-looking traffic.
    pub cover: f64,
    /// How the work is spread over the accounts.
    pub balance: Balance,
    /// When it works.
    pub schedule: Schedule,
    /// When it begins, in days from the start.
    pub start_day: f64,
    /// How long it lasts, in days.
    pub days: f64,
    /// Which accounts are banned and what happens then.
    pub bans: Bans,
    /// 0: every account has its own address, card and mail domain, as honest people do; 1: a few of each serve all.
    pub sharing: f64,
    /// When its accounts signed up.
    pub sign_up: SignUp,
    /// Share of requests that move to the new model within a day of its release, beyond those who would anyway.
    pub pivot: f64,
    /// Share of work items that are asked a second time, through another account.
    pub overlap: f64,
    /// Whether all accounts send the same decoding settings and client.
    pub stack: Stack,
    /// Requests per session.
    pub session_requests: u32,
    /// Whether each request takes one of the template's wordings, or each account keeps one.
    #[serde(default)]
    pub worded_by: WordedBy,
    /// Share of the requests that try out all wordings, before three are kept; 0 keeps all to the end.
    #[serde(default)]
    pub probing: f64,
    /// How its prompts are written down.
    #[serde(default)]
    pub encoding: Encoding,
    /// How often each request is sent, one right after the other.
    #[serde(default = "once")]
    pub copies: u32,
    /// Exits that serve every account in rotation, request by request; 0 leaves each account its own places.
    #[serde(default)]
    pub exits: u32,
}

fn once() -> u32 {
    1
}

/// Who keeps to one wording of a template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WordedBy {
    /// Nobody: each request is in one of them.
    #[default]
    Request,
    /// Each account.
    Account,
}

/// How prompts are written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As they are.
    #[default]
    Plain,
    /// In base64.
    Base64,
    /// In hexadecimal digits.
    Hex,
    /// Percent-encoded, as in addresses.
    Percent,
}

/// What a campaign is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Harvest {
    /// Hidden reasoning.
    ReasoningTrace,
    /// Scores against a rubric.
    Grading,
    /// New training data from examples.
    DataGeneration,
    /// Tool calls.
    ToolUse,
    /// Code.
    Coding,
    /// Log-probabilities.
    Logits,
    /// Captured reasoning, tidied up.
    TraceCleaning,
    /// Translations.
    Translation,
    /// One fixed phrase in otherwise free prompts.
    InjectedPhrase,
    /// Answers to what people ask: no template at all.
    HumanPrompts,
    /// Hidden reasoning, by techniques that have no words in common; one wording is one technique.
    Techniques,
    /// Hidden reasoning, asked for in a fresh paraphrase each time.
    Paraphrases,
    /// Answers to instructions as they stand in training sets: no template at all.
    Instructions,
    /// What the users of a foreign product ask, under that product's system prompt.
    Relay,
}

/// A language that people or campaigns write in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    English,
    /// Chinese.
    Chinese,
    /// Spanish.
    Spanish,
    /// German.
    German,
    /// Japanese.
    Japanese,
}

/// How a campaign's work is spread over its accounts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// One after the other, in a fixed order.
    RoundRobin,
    /// The same number for each, in random order.
    Uniform,
    /// Each request to an account drawn at random.
    Poisson,
    /// Accounts weigh as a lognormal of this deviation.
    Lognormal(f64),
    /// The account at rank r weighs r to the minus this.
    Zipf(f64),
}

/// When a campaign works.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Day and night.
    Continuous,
    /// Weekdays, nine to eighteen o'clock in the operator's time zone, this many hours east of UTC.
    WorkingHours {
        /// Hours east of UTC.
        utc_offset: i8,
    },
    /// So many bursts a day, of so many minutes.
    Bursts {
        /// Bursts a day.
        a_day: u32,
        /// Length of each.
        minutes: f64,
    },
    /// As honest people do: every account has its own hours, sessions and rate.
    People,
    /// In runs of about so many calls, seconds apart, each by one account.
    Runs {
        /// Calls of a run in the median.
        calls: u32,
    },
    /// As this many people behind it do; each of their conversations goes through one account.
    Users {
        /// People behind it.
        people: u32,
    },
}

/// Bans, and what the campaign does about them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bans {
    /// Share of the accounts that are banned.
    pub share: f64,
    /// When.
    pub when: BanTime,
    /// Minutes until a replacement takes over.
    pub replaced_minutes: f64,
}

/// When accounts are banned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BanTime {
    /// One by one, at any time.
    Spread,
    /// All within a few minutes, after this share of the campaign's time.
    Together(f64),
}

/// When a campaign's accounts signed up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignUp {
    /// As honest people do, over years.
    Organic,
    /// In one batch.
    Batch {
        /// Days between sign-up and first use.
        aged_days: f64,
        /// Hours over which the batch is spread.
        spread_hours: f64,
    },
}

/// How alike a campaign's clients are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stack {
    /// One client, one set of decoding settings.
    Uniform,
    /// As mixed as honest clients are.
    Varied,
}

impl Scenario {
    /// The same scenario with this seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Scenario {
        Scenario { seed, ..self }
    }

    /// The same scenario with the number of accounts multiplied; a campaign keeps at least two.
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Scenario {
        let times = |count: u32| (f64::from(count) * factor).round().clamp(0.0, f64::from(u32::MAX)) as u32;
        self.honest = times(self.honest);
        for crowd in &mut self.crowds {
            crowd.accounts = times(crowd.accounts).max(2);
        }
        for campaign in &mut self.campaigns {
            campaign.accounts = times(campaign.accounts).max(2);
        }
        self
    }

    /// Whether it can be simulated.
    ///
    /// # Errors
    ///
    /// Names the first knob whose value is out of range, with what was expected.
    pub fn check(&self) -> Result<(), BadScenario> {
        within("days", self.days, 0.01, DAYS_MAX)?;
        within("honest_rate", self.honest_rate, 0.0, 1000.0)?;
        within("release_day", self.release_day.unwrap_or(0.0), 0.0, DAYS_MAX)?;
        within("preamble.words", f64::from(self.preamble.words), 0.0, f64::from(PREAMBLE_WORDS_MAX))?;
        within("preamble.share", self.preamble.share, 0.0, 1.0)?;
        within("preamble.products", f64::from(self.preamble.products), 1.0, 1e3)?;
        within("campaigns", self.campaigns.len() as f64, 0.0, CAMPAIGNS_MAX as f64)?;
        for campaign in &self.campaigns {
            campaign.check().map_err(|bad| BadScenario { knob: format!("{}.{}", campaign.name, bad.knob), ..bad })?;
        }
        let accounts = self.campaigns.iter().map(|campaign| f64::from(campaign.accounts) * (1.0 + campaign.bans.share));
        let crowds: f64 = self.crowds.iter().map(|crowd| f64::from(crowd.accounts)).sum();
        within("accounts", accounts.sum::<f64>() + crowds + f64::from(self.honest), 0.0, ACCOUNTS_MAX as f64)?;
        let requests = |campaign: &Campaign| {
            f64::from(campaign.accounts) * campaign.requests * f64::from(campaign.copies) / (1.0 - campaign.cover)
        };
        let honest = (f64::from(self.honest) + crowds) * self.honest_rate * self.days * HONEST_REQUESTS_A_DAY;
        let exchanges = self.campaigns.iter().map(requests).sum::<f64>() + honest;
        within("exchanges", exchanges, 0.0, EXCHANGES_MAX as f64)
    }
}

impl Campaign {
    fn check(&self) -> Result<(), BadScenario> {
        within("accounts", f64::from(self.accounts), 1.0, ACCOUNTS_MAX as f64)?;
        within("requests", self.requests, 0.0, EXCHANGES_MAX as f64)?;
        within("variation", self.variation, 0.0, 1.0)?;
        within("wordings", f64::from(self.wordings), 1.0, f64::from(WORDINGS_MAX))?;
        within("cover", self.cover, 0.0, COVER_MAX)?;
        within("start_day", self.start_day, 0.0, DAYS_MAX)?;
        within("days", self.days, 0.001, DAYS_MAX)?;
        within("bans.share", self.bans.share, 0.0, 1.0)?;
        within("bans.replaced_minutes", self.bans.replaced_minutes, 0.0, DAYS_MAX * 1440.0)?;
        within("sharing", self.sharing, 0.0, 1.0)?;
        within("pivot", self.pivot, 0.0, 1.0)?;
        within("overlap", self.overlap, 0.0, 1.0)?;
        within("session_requests", f64::from(self.session_requests), 1.0, 1e6)?;
        within("probing", self.probing, 0.0, 1.0)?;
        within("copies", f64::from(self.copies), 1.0, f64::from(COPIES_MAX))?;
        within("exits", f64::from(self.exits), 0.0, 1e4)?;
        match self.balance {
            Balance::Lognormal(sigma) | Balance::Zipf(sigma) => within("balance", sigma, 0.0, 5.0),
            Balance::RoundRobin | Balance::Uniform | Balance::Poisson => Ok(()),
        }?;
        match self.schedule {
            Schedule::WorkingHours { utc_offset } => within("schedule.utc_offset", f64::from(utc_offset), -12.0, 14.0),
            Schedule::Bursts { a_day, minutes } => within("schedule.a_day", f64::from(a_day), 1.0, 1440.0)
                .and_then(|()| within("schedule.minutes", minutes, 0.1, 1440.0)),
            Schedule::Runs { calls } => within("schedule.calls", f64::from(calls), 1.0, f64::from(RUN_CALLS_MAX)),
            Schedule::Users { people } => within("schedule.people", f64::from(people), 1.0, ACCOUNTS_MAX as f64),
            Schedule::Continuous | Schedule::People => Ok(()),
        }?;
        match self.bans.when {
            BanTime::Together(share) => within("bans.when", share, 0.0, 1.0),
            BanTime::Spread => Ok(()),
        }?;
        match self.sign_up {
            SignUp::Batch { aged_days, spread_hours } => within("sign_up.aged_days", aged_days, 0.0, 3650.0)
                .and_then(|()| within("sign_up.spread_hours", spread_hours, 0.0, 87_600.0)),
            SignUp::Organic => Ok(()),
        }
    }
}

/// A knob out of its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{knob}` is {value}, expected {min} to {max}")]
pub struct BadScenario {
    /// The knob.
    pub knob: String,
    /// Its value.
    pub value: f64,
    /// The least it may be.
    pub min: f64,
    /// The most it may be.
    pub max: f64,
}

fn within(knob: &str, value: f64, min: f64, max: f64) -> Result<(), BadScenario> {
    // Written so that NaN is refused too.
    if value >= min && value <= max { Ok(()) } else { Err(BadScenario { knob: knob.to_owned(), value, min, max }) }
}

/// The most cover traffic, as a share: one campaign request in a hundred.
const COVER_MAX: f64 = 0.99;

/// About how many requests an honest account sends in a day, over all roles: for the limit on exchanges.
const HONEST_REQUESTS_A_DAY: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_at_the_limit_and_one_past_it() {
        let honest = || Scenario { honest_rate: 0.0, ..Scenario::by_name("honest").unwrap() };
        let named = |count: usize| vec![Campaign { accounts: 1, requests: 1.0, ..Campaign::named("c") }; count];
        let whole = |accounts, requests| Campaign {
            accounts,
            requests,
            bans: Bans { share: 0.0, when: BanTime::Spread, replaced_minutes: 0.0 },
            ..Campaign::named("c")
        };
        let runs = |calls| Campaign { schedule: Schedule::Runs { calls }, ..whole(1, 1.0) };
        let front = |words| Preamble { words, ..Preamble::default() };
        for (limit, past, knob) in [
            (Scenario { days: DAYS_MAX, ..honest() }, Scenario { days: DAYS_MAX + 1.0, ..honest() }, "days"),
            (
                Scenario { honest: ACCOUNTS_MAX as u32, ..honest() },
                Scenario { honest: ACCOUNTS_MAX as u32 + 1, ..honest() },
                "accounts",
            ),
            (
                Scenario { campaigns: named(CAMPAIGNS_MAX), ..honest() },
                Scenario { campaigns: named(CAMPAIGNS_MAX + 1), ..honest() },
                "campaigns",
            ),
            (
                Scenario { campaigns: vec![whole(1, EXCHANGES_MAX as f64)], ..honest() },
                Scenario { campaigns: vec![whole(1, EXCHANGES_MAX as f64), whole(1, 1.0)], ..honest() },
                "exchanges",
            ),
            (
                Scenario { campaigns: vec![Campaign { cover: COVER_MAX, ..whole(1, 1.0) }], ..honest() },
                Scenario { campaigns: vec![Campaign { cover: 1.0, ..whole(1, 1.0) }], ..honest() },
                "c.cover",
            ),
            (
                Scenario { campaigns: vec![Campaign { wordings: WORDINGS_MAX, ..whole(1, 1.0) }], ..honest() },
                Scenario { campaigns: vec![Campaign { wordings: WORDINGS_MAX + 1, ..whole(1, 1.0) }], ..honest() },
                "c.wordings",
            ),
            (
                Scenario { campaigns: vec![Campaign { copies: COPIES_MAX, ..whole(1, 1.0) }], ..honest() },
                Scenario { campaigns: vec![Campaign { copies: COPIES_MAX + 1, ..whole(1, 1.0) }], ..honest() },
                "c.copies",
            ),
            (
                Scenario { campaigns: vec![runs(RUN_CALLS_MAX)], ..honest() },
                Scenario { campaigns: vec![runs(RUN_CALLS_MAX + 1)], ..honest() },
                "c.schedule.calls",
            ),
            (
                Scenario { preamble: front(PREAMBLE_WORDS_MAX), ..honest() },
                Scenario { preamble: front(PREAMBLE_WORDS_MAX + 1), ..honest() },
                "preamble.words",
            ),
        ] {
            assert_eq!(limit.check(), Ok(()), "{knob}");
            assert_eq!(past.check().unwrap_err().knob, knob);
        }
    }

    #[test]
    fn nonsense_is_named() {
        let nan = Scenario { days: f64::NAN, ..Scenario::by_name("honest").unwrap() };
        assert_eq!(nan.check().unwrap_err().to_string(), "`days` is NaN, expected 0.01 to 366");
        let sharing = Campaign { sharing: 1.5, ..Campaign::named("c1") };
        let scenario = Scenario { campaigns: vec![sharing], ..Scenario::by_name("honest").unwrap() };
        assert_eq!(scenario.check().unwrap_err().to_string(), "`c1.sharing` is 1.5, expected 0 to 1");
    }

    #[test]
    fn scenarios_survive_being_written_down() {
        for (name, _) in Scenario::NAMES {
            let scenario = Scenario::by_name(name).unwrap();
            let json = serde_json::to_string(&scenario).unwrap();
            assert_eq!(serde_json::from_str::<Scenario>(&json).unwrap(), scenario);
        }
    }
}
