//! Knobs by name, for command lines and frontiers. A knob of the attack turns every campaign of the scenario.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::campaign::{Balance, Campaign, Schedule, SignUp};
use super::whole::{Preamble, Scenario};
use crate::fields::Fields;

/// A knob: its name, what it does, and how it takes a value.
type Knob = (&'static str, &'static str, Turn);

enum Turn {
    Scenario(fn(&mut Scenario, &str) -> Option<()>),
    Campaign(fn(&mut Campaign, &str) -> Option<()>),
}

/// A knob that is not there or does not take this value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadKnob {
    /// There is no such knob.
    #[error("no knob `{knob}`")]
    Unknown {
        /// What was asked for.
        knob: String,
    },
    /// The value does not fit.
    #[error("knob `{knob}` does not take `{value}`: {expected}")]
    Value {
        /// The knob.
        knob: String,
        /// What was given.
        value: String,
        /// What it takes.
        expected: &'static str,
    },
}

impl Scenario {
    /// All knobs by name, each with what it does and takes.
    pub fn knobs() -> impl Iterator<Item = (&'static str, &'static str)> {
        KNOBS.iter().map(|&(name, what, _)| (name, what))
    }

    /// Turns a knob; ranges are for [`Scenario::check`] to say.
    ///
    /// # Errors
    ///
    /// Where there is no such knob, or the value is no value for it.
    pub fn set(&mut self, knob: &str, value: &str) -> Result<(), BadKnob> {
        let Some((_, expected, turn)) = KNOBS.iter().find(|(name, ..)| *name == knob) else {
            return Err(BadKnob::Unknown { knob: knob.to_owned() });
        };
        let done = match turn {
            Turn::Scenario(turn) => turn(self, value),
            Turn::Campaign(turn) => self.campaigns.iter_mut().try_for_each(|campaign| turn(campaign, value)),
        };
        done.ok_or_else(|| BadKnob::Value { knob: knob.to_owned(), value: value.to_owned(), expected })
    }
}

/// Parses into the place of the knob.
fn put<T: std::str::FromStr>(place: &mut T, value: &str) -> Option<()> {
    *place = value.parse().ok()?;
    Some(())
}

/// As [`put`], for enums without data, by the names that they have in files.
fn name<T: DeserializeOwned>(place: &mut T, value: &str) -> Option<()> {
    *place = serde_json::from_value(Value::String(value.to_owned())).ok()?;
    Some(())
}

fn balance(value: &str) -> Option<Balance> {
    Some(match value.split_once(':') {
        None if value == "round_robin" => Balance::RoundRobin,
        None if value == "uniform" => Balance::Uniform,
        None if value == "poisson" => Balance::Poisson,
        Some(("lognormal", sigma)) => Balance::Lognormal(sigma.parse().ok()?),
        Some(("zipf", power)) => Balance::Zipf(power.parse().ok()?),
        _ => return None,
    })
}

fn schedule(value: &str) -> Option<Schedule> {
    Some(match value.split_once(':') {
        None if value == "continuous" => Schedule::Continuous,
        None if value == "people" => Schedule::People,
        Some(("runs", calls)) => Schedule::Runs { calls: calls.parse().ok()? },
        Some(("users", people)) => Schedule::Users { people: people.parse().ok()? },
        Some(("working_hours", offset)) => Schedule::WorkingHours { utc_offset: offset.parse().ok()? },
        Some(("bursts", bursts)) => {
            let (a_day, minutes) = bursts.split_once('x')?;
            Schedule::Bursts { a_day: a_day.parse().ok()?, minutes: minutes.parse().ok()? }
        }
        _ => return None,
    })
}

/// Families of fields, joined by `+`; `none` is none.
fn without(scenario: &mut Scenario, value: &str) -> Option<()> {
    scenario.without.clear();
    for family in value.split('+').filter(|family| *family != "none") {
        let mut fields = Fields::Facts;
        name(&mut fields, family)?;
        scenario.without.push(fields);
    }
    Some(())
}

/// `WORDS`, `WORDS:SHARE` or `WORDS:SHARE:PRODUCTS`.
fn preamble(scenario: &mut Scenario, value: &str) -> Option<()> {
    let mut parts = value.split(':');
    let mut preamble = Preamble { words: parts.next()?.parse().ok()?, ..Default::default() };
    if let Some(share) = parts.next() {
        preamble.share = share.parse().ok()?;
    }
    if let Some(products) = parts.next() {
        preamble.products = products.parse().ok()?;
    }
    scenario.preamble = preamble;
    parts.next().is_none().then_some(())
}

fn aged(campaign: &mut Campaign, value: &str) -> Option<()> {
    campaign.sign_up = match (value, campaign.sign_up) {
        ("organic", _) => SignUp::Organic,
        (days, SignUp::Batch { spread_hours, .. }) => SignUp::Batch { aged_days: days.parse().ok()?, spread_hours },
        (days, SignUp::Organic) => SignUp::Batch { aged_days: days.parse().ok()?, spread_hours: 24.0 },
    };
    Some(())
}

const KNOBS: &[Knob] = &[
    ("days", "length of the scenario in days", Turn::Scenario(|s, v| put(&mut s.days, v))),
    ("honest", "honest accounts, about", Turn::Scenario(|s, v| put(&mut s.honest, v))),
    ("honest_rate", "factor on honest requests", Turn::Scenario(|s, v| put(&mut s.honest_rate, v))),
    (
        "release_day",
        "day of a model release, from 0, or `none`",
        Turn::Scenario(|s, v| {
            s.release_day = if v == "none" { None } else { Some(v.parse().ok()?) };
            Some(())
        }),
    ),
    (
        "without",
        "families of fields that the logs lack, joined by +: network, client, sessions, settings, answers, usage, \
         payment, mail, sign_up, facts, time_of_day or none",
        Turn::Scenario(without),
    ),
    (
        "preamble",
        "WORDS:SHARE:PRODUCTS, a system prompt of so many words in front of the requests of so many accounts, one for \
         each product",
        Turn::Scenario(preamble),
    ),
    (
        "markup",
        "whether prompts are logged with chat markup, true or false",
        Turn::Scenario(|s, v| put(&mut s.markup, v)),
    ),
    (
        "alike",
        "whether honest accounts are of one country, few networks and two mail providers, true or false",
        Turn::Scenario(|s, v| put(&mut s.alike, v)),
    ),
    ("accounts", "accounts of each campaign", Turn::Campaign(|c, v| put(&mut c.accounts, v))),
    ("requests", "campaign requests per account", Turn::Campaign(|c, v| put(&mut c.requests, v))),
    (
        "wordings",
        "wordings of the template, every other one in another language",
        Turn::Campaign(|c, v| put(&mut c.wordings, v)),
    ),
    ("variation", "share of template words that change, 0 to 1", Turn::Campaign(|c, v| put(&mut c.variation, v))),
    ("cover", "share of unrelated requests, 0 to 0.99", Turn::Campaign(|c, v| put(&mut c.cover, v))),
    (
        "balance",
        "round_robin, uniform, poisson, lognormal:SIGMA or zipf:POWER",
        Turn::Campaign(|c, v| {
            c.balance = balance(v)?;
            Some(())
        }),
    ),
    (
        "schedule",
        "continuous, working_hours:UTC_OFFSET, bursts:A_DAYxMINUTES, people, runs:CALLS or users:PEOPLE",
        Turn::Campaign(|c, v| {
            c.schedule = schedule(v)?;
            Some(())
        }),
    ),
    ("start_day", "first day of each campaign, from 0", Turn::Campaign(|c, v| put(&mut c.start_day, v))),
    ("campaign_days", "length of each campaign in days", Turn::Campaign(|c, v| put(&mut c.days, v))),
    ("bans", "share of accounts banned, 0 to 1", Turn::Campaign(|c, v| put(&mut c.bans.share, v))),
    ("sharing", "shared infrastructure, 0 (none) to 1", Turn::Campaign(|c, v| put(&mut c.sharing, v))),
    ("aged_days", "days between sign-up and use, or `organic`", Turn::Campaign(aged)),
    ("pivot", "share that moves to a new model at once, 0 to 1", Turn::Campaign(|c, v| put(&mut c.pivot, v))),
    ("overlap", "share of items asked twice, 0 to 1", Turn::Campaign(|c, v| put(&mut c.overlap, v))),
    ("stack", "uniform or varied clients and settings", Turn::Campaign(|c, v| name(&mut c.stack, v))),
    ("session_requests", "requests per session", Turn::Campaign(|c, v| put(&mut c.session_requests, v))),
    (
        "worded_by",
        "who keeps one of the wordings, request or account",
        Turn::Campaign(|c, v| name(&mut c.worded_by, v)),
    ),
    (
        "probing",
        "share of requests before three wordings are kept, 0 to 1",
        Turn::Campaign(|c, v| put(&mut c.probing, v)),
    ),
    ("encoding", "plain, base64, hex or percent", Turn::Campaign(|c, v| name(&mut c.encoding, v))),
    ("copies", "how often each request is sent", Turn::Campaign(|c, v| put(&mut c.copies, v))),
    (
        "exits",
        "exits in rotation for every account, 0 for places of its own",
        Turn::Campaign(|c, v| put(&mut c.exits, v)),
    ),
    (
        "harvest",
        "reasoning_trace, grading, data_generation, tool_use, coding, logits, trace_cleaning, translation, \
         injected_phrase, human_prompts, techniques, paraphrases, instructions or relay",
        Turn::Campaign(|c, v| name(&mut c.harvest, v)),
    ),
    ("language", "english, chinese, spanish, german or japanese", Turn::Campaign(|c, v| name(&mut c.language, v))),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_knob_takes_a_value_and_refuses_nonsense() {
        for (knob, value) in [
            ("without", "network+facts"),
            ("preamble", "40:0.5:5"),
            ("markup", "true"),
            ("alike", "true"),
            ("worded_by", "account"),
            ("probing", "0.2"),
            ("encoding", "base64"),
            ("copies", "2"),
            ("exits", "50"),
            ("days", "3"),
            ("honest", "7"),
            ("honest_rate", "0.5"),
            ("release_day", "none"),
            ("accounts", "9"),
            ("requests", "3"),
            ("variation", "0.4"),
            ("wordings", "12"),
            ("cover", "0.9"),
            ("balance", "zipf:1.5"),
            ("schedule", "bursts:4x10"),
            ("start_day", "0.1"),
            ("campaign_days", "0.5"),
            ("bans", "0.3"),
            ("sharing", "0.1"),
            ("aged_days", "organic"),
            ("pivot", "0.5"),
            ("overlap", "0.2"),
            ("stack", "varied"),
            ("session_requests", "5"),
            ("harvest", "logits"),
            ("language", "german"),
        ] {
            let mut scenario = Scenario::by_name("hydra").unwrap();
            let before = scenario.clone();
            scenario.set(knob, value).unwrap();
            assert_ne!(scenario, before, "{knob}");
            assert_eq!(scenario.check(), Ok(()), "{knob}");
            assert!(matches!(scenario.set(knob, "nonsense"), Err(BadKnob::Value { .. })), "{knob}");
        }
        assert_eq!(Scenario::knobs().count(), 31);
    }

    #[test]
    fn messages_name_the_knob() {
        let mut scenario = Scenario::by_name("hydra").unwrap();
        assert_eq!(scenario.set("covr", "1").unwrap_err().to_string(), "no knob `covr`");
        let bad = scenario.set("balance", "even").unwrap_err().to_string();
        assert_eq!(
            bad,
            "knob `balance` does not take `even`: round_robin, uniform, poisson, lognormal:SIGMA or zipf:POWER"
        );
    }
}
