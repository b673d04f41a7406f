//! A campaign, with every knob of the attack.

use serde::{Deserialize, Serialize};

use super::range::{BadScenario, within};
use crate::limits::{ACCOUNTS_MAX, COPIES_MAX, DAYS_MAX, EXCHANGES_MAX, RUN_CALLS_MAX, WORDINGS_MAX};

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

impl Campaign {
    /// The campaign of the default demo, by the name that its labels get: what the presets change from.
    #[must_use]
    pub fn named(name: &str) -> Campaign {
        Campaign {
            name: name.to_owned(),
            operator: 1,
            harvest: Harvest::ReasoningTrace,
            language: Language::English,
            accounts: 400,
            requests: 40.0,
            variation: 0.05,
            wordings: 1,
            cover: 0.0,
            balance: Balance::RoundRobin,
            schedule: Schedule::Continuous,
            start_day: 0.75,
            days: 1.0,
            bans: Bans { share: 0.08, when: BanTime::Spread, replaced_minutes: 20.0 },
            sharing: 0.5,
            sign_up: SignUp::Batch { aged_days: 6.0, spread_hours: 36.0 },
            pivot: 0.0,
            overlap: 0.0,
            stack: Stack::Uniform,
            session_requests: 1,
            worded_by: WordedBy::Request,
            probing: 0.0,
            encoding: Encoding::Plain,
            copies: 1,
            exits: 0,
        }
    }

    /// A campaign that behaves as honest people do in everything but what it is: for finding leaks of the label.
    #[must_use]
    pub fn neutral(name: &str) -> Campaign {
        Campaign {
            harvest: Harvest::HumanPrompts,
            schedule: Schedule::People,
            start_day: 0.0,
            days: DAYS_MAX,
            bans: Bans { share: 0.0, when: BanTime::Spread, replaced_minutes: 0.0 },
            sharing: 0.0,
            sign_up: SignUp::Organic,
            stack: Stack::Varied,
            ..Campaign::named(name)
        }
    }

    /// Whether it can be simulated.
    pub(super) fn check(&self) -> Result<(), BadScenario> {
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

/// The most cover traffic, as a share: one campaign request in a hundred.
pub(super) const COVER_MAX: f64 = 0.99;
