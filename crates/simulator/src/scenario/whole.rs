//! A scenario as a whole: a piece of time with everybody in it.

use serde::{Deserialize, Serialize};

use super::campaign::Campaign;
use super::range::{BadScenario, within};
use crate::fields::Fields;
use crate::limits::{ACCOUNTS_MAX, CAMPAIGNS_MAX, DAYS_MAX, EXCHANGES_MAX, PREAMBLE_WORDS_MAX};
use crate::role::Role;

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

impl Scenario {
    /// Nobody, for two days.
    pub(crate) fn empty() -> Scenario {
        Scenario {
            name: String::new(),
            seed: 1,
            days: 2.0,
            honest: 0,
            roles: Vec::new(),
            honest_rate: 1.0,
            campaigns: Vec::new(),
            release_day: None,
            texts: Vec::new(),
            without: Vec::new(),
            preamble: Preamble::default(),
            markup: false,
            crowds: Vec::new(),
            alike: false,
        }
    }

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

/// About how many requests an honest account sends in a day, over all roles: for the limit on exchanges.
const HONEST_REQUESTS_A_DAY: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{COPIES_MAX, RUN_CALLS_MAX, WORDINGS_MAX};
    use crate::scenario::campaign::{BanTime, Bans, COVER_MAX, Schedule};

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
