//! From a planned request to a record.
//!
//! Everything that is not behaviour (ids, which fields show, their formats, token counts, durations, errors) is drawn
//! here by one code for honest and campaign traffic alike.

use std::borrow::Cow;

use exchange::{Client, Content, Exchange, Operation, Params, Request, Response, Time, Tool, Usage};

use rand::RngExt;

use crate::arrival::Ms;
use crate::asked::Asked;
use crate::draw::{chance, lognormal, mix, pick, stream};
use crate::plan::{Account, Arrival};
use crate::scenario::Scenario;

/// Writes records for planned requests.
pub(crate) struct Renderer {
    seed: u64,
    release: Option<Ms>,
}

impl Renderer {
    pub(crate) fn new(scenario: &Scenario) -> Renderer {
        let day = crate::arrival::DAY as f64;
        Renderer { seed: scenario.seed, release: scenario.release_day.map(|release| (release * day) as Ms) }
    }

    /// The record of one request.
    pub(crate) fn exchange<'a>(&self, account: &'a Account, arrival: &Arrival, asked: Asked<'a>) -> Exchange<'a> {
        let path = [account.seed, arrival.session.into(), arrival.serial.into(), arrival.turn.into()];
        let mut rng = stream(self.seed, &path);
        let session = mix(account.seed, &[SESSION, arrival.session.into()]);
        let outcome = match rng.random_range(0..1000) {
            0..4 => Outcome::Limited,
            4..7 => Outcome::Failed,
            7..12 => Outcome::Refused,
            _ => Outcome::Answered,
        };
        let input_tokens = asked.system.as_deref().map_or(0, tokens)
            + asked.messages.iter().flat_map(|message| message.content.texts().map(tokens)).sum::<u64>();
        let params = self.params(account);
        let answered = matches!(outcome, Outcome::Answered);
        let (answer, cut) = if answered { cut(asked.answer, params.max_tokens) } else { (Cow::Borrowed(""), false) };
        let thinks = params.reasoning_effort.is_some();
        let reasoning = asked.reasoning.filter(|_| answered && thinks);
        let reasoning_tokens = reasoning.as_deref().map_or(0, tokens) * 3;
        let refused = matches!(outcome, Outcome::Refused);
        let answer = if refused { Cow::Borrowed(pick(&mut rng, REFUSALS).copied().unwrap_or("")) } else { answer };
        let output_tokens = tokens(&answer) + reasoning_tokens;
        let speed = lognormal(&mut rng, 75.0, 0.3);
        let duration = 150.0 + lognormal(&mut rng, 250.0, 0.5) + output_tokens as f64 / speed * 1000.0;
        let cached = (arrival.turn > 0 && input_tokens > 1024).then_some(input_tokens * 3 / 4 / 128 * 128);
        let replied = answered || refused;
        let calls = answered && !asked.tools.is_empty() && chance(&mut rng, 0.4);
        let called: Vec<Cow<'a, str>> = if calls {
            pick(&mut rng, &asked.tools).map(|tool| Cow::Borrowed(*tool)).into_iter().collect()
        } else {
            vec![]
        };
        let finish = match (replied, cut, calls) {
            (false, ..) => None,
            (_, true, _) => Some("length"),
            (_, _, true) => Some("tool_calls"),
            _ => Some("stop"),
        };
        Exchange {
            fingerprint: None,
            id: id("ex_", mix(self.seed, &path), mix(session, &path)).into(),
            time: time(arrival.at),
            account: account_id(account).into(),
            org: account.facts.org.map(|org| format!("org_{:010x}", org >> 24).into()),
            key: Some(format!("key_{:010x}", mix(account.seed, &[KEY, self.key(account, session)]) >> 24).into()),
            end_user: self.end_user(account, session).map(Into::into),
            session: account.logged.session.then(|| format!("s_{session:016x}").into()),
            operation: Some(account.operation),
            model: Some(Cow::Borrowed(self.model(account, arrival.at, session))),
            client: self.client(account, if account.rotates { mix(session, &path) } else { session }),
            request: Request {
                system: asked.system.map(Content::Text),
                messages: asked.messages,
                tools: asked.tools.iter().map(|tool| Tool { name: Cow::Borrowed(*tool), description: None }).collect(),
                params,
            },
            response: Response {
                content: replied.then_some(answer),
                reasoning,
                tool_calls: called,
                finish_reason: finish.map(Cow::Borrowed),
                refused: refused.then_some(true),
            },
            usage: Usage {
                input_tokens: Some(input_tokens),
                output_tokens: replied.then_some(output_tokens),
                reasoning_tokens: (reasoning_tokens > 0).then_some(reasoning_tokens),
                cached_tokens: cached,
            },
            status: Some(match outcome {
                Outcome::Limited => 429,
                Outcome::Failed => 503,
                Outcome::Answered | Outcome::Refused => 200,
            }),
            duration_ms: account.logged.duration.then_some(duration.round()),
        }
    }

    fn params(&self, account: &Account) -> Params<'static> {
        let settings = &account.settings;
        Params {
            temperature: settings.temperature,
            top_p: settings.top_p,
            max_tokens: settings.max_tokens,
            n: settings.n,
            logprobs: settings.logprobs,
            top_logprobs: settings.top_logprobs,
            seed: settings.seed,
            stream: settings.stream.filter(|_| account.operation != Operation::Batch),
            reasoning_effort: settings.reasoning_effort.map(Cow::Borrowed),
            ..Params::default()
        }
    }

    fn client<'a>(&self, account: &'a Account, session: u64) -> Client<'a> {
        // Two sessions in three come from the usual place, unless every request takes another one of many.
        let places = account.places.len().max(1) as u64;
        let usual = mix(session, &[PLACE]) % 3 < 2;
        let other = match account.rotates {
            true => account.places.get((mix(session, &[PLACE, 1]) % places) as usize),
            false => account.places.get(1 + (mix(session, &[PLACE, 1]) % 2) as usize).filter(|_| !usual),
        };
        let Some(place) = other.or(account.places.first()) else { return Client::default() };
        let mut ip = String::new();
        // A home line changes its address now and then, a shared exit from session to session.
        place.address(mix(account.seed, &[PLACE, 2]), session, &mut ip);
        Client {
            ip: Some(ip.into()),
            asn: account.logged.asn.then_some(place.system),
            country: account.logged.asn.then_some(Cow::Borrowed(place.country)),
            network: account.logged.asn.then_some(place.network),
            ja4: account.logged.ja4.then_some(Cow::Borrowed(account.software.ja4.as_str())),
            ja4h: None,
            user_agent: account.logged.user_agent.then_some(Cow::Borrowed(account.software.user_agent.as_str())),
        }
    }

    fn key(&self, account: &Account, session: u64) -> u64 {
        // Some keys are used far more than others.
        let u = (mix(session, &[KEY]) >> 11) as f64 / (1_u64 << 53) as f64;
        (u * u * f64::from(account.keys)) as u64
    }

    fn end_user(&self, account: &Account, session: u64) -> Option<String> {
        let u = (mix(session, &[USER]) >> 11) as f64 / (1_u64 << 53) as f64;
        let user = (u * u * f64::from(account.end_users)) as u64;
        (account.end_users > 0).then(|| format!("u_{:010x}", mix(account.seed, &[USER, user]) >> 24))
    }

    fn model(&self, account: &Account, at: Ms, session: u64) -> &'static str {
        let new = self.release.is_some_and(|release| at >= release.saturating_add(account.adoption.after));
        if new {
            return NEW_MODEL;
        }
        // One session in seven tries another model.
        let other = mix(session, &[MODEL]);
        let index = if other.is_multiple_of(7) { other / 7 % MODELS.len() as u64 } else { account.model.into() };
        MODELS.get(index as usize).copied().unwrap_or(NEW_MODEL)
    }
}

enum Outcome {
    Answered,
    Refused,
    Limited,
    Failed,
}

/// An account's id.
pub(crate) fn account_id(account: &Account) -> String {
    format!("acc_{:012x}", mix(account.seed, &[ID]) >> 16)
}

/// The time of a planned request.
pub(crate) fn time(at: Ms) -> Time {
    Time::from_nanos((START_SECONDS * 1000).saturating_add(at).saturating_mul(1_000_000))
}

/// An id of 128 random bits; the exchange id, for labels.
pub(crate) fn exchange_id(scenario_seed: u64, account: &Account, arrival: &Arrival) -> String {
    let path = [account.seed, arrival.session.into(), arrival.serial.into(), arrival.turn.into()];
    let session = mix(account.seed, &[SESSION, arrival.session.into()]);
    id("ex_", mix(scenario_seed, &path), mix(session, &path))
}

fn id(prefix: &str, high: u64, low: u64) -> String {
    format!("{prefix}{high:016x}{:010x}", low >> 24)
}

/// About as many tokens as a text has: four bytes of Latin script each, two of every three bytes of Chinese.
fn tokens(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    ascii / 4 + (text.len() as u64 - ascii) / 4 + 1
}

/// Cuts an answer to the output budget; says whether it did.
fn cut(answer: Cow<'_, str>, max_tokens: Option<u32>) -> (Cow<'_, str>, bool) {
    let bytes = max_tokens.map_or(usize::MAX, |tokens| tokens as usize * 4);
    if answer.len() <= bytes {
        return (answer, false);
    }
    let end = (0..=bytes).rev().find(|&at| answer.is_char_boundary(at)).unwrap_or(0);
    (answer.get(..end).unwrap_or_default().to_owned().into(), true)
}

/// 2026-07-20T00:00:00Z, a Monday.
pub(crate) const START_SECONDS: i64 = 1_784_505_600;

const MODELS: [&str; 4] = ["frontier-2", "frontier-2-mini", "frontier-1", "frontier-2-code"];
const NEW_MODEL: &str = "frontier-3";
const REFUSALS: &[&str] = &[
    "I'm sorry, but I can't help with that.",
    "I can't assist with this request.",
    "That is not something I can help with, but I am happy to look at a related question.",
];

const ID: u64 = 1;
const SESSION: u64 = 2;
const KEY: u64 = 3;
const USER: u64 = 4;
const MODEL: u64 = 5;
const PLACE: u64 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_begin_on_a_monday() {
        assert_eq!(time(0).to_string(), "2026-07-20T00:00:00Z");
        assert_eq!(START_SECONDS / 86_400 % 7, 4, "day 0 of the epoch was a Thursday");
    }

    #[test]
    fn answers_are_cut_between_characters() {
        assert_eq!(cut("abcdefgh".into(), Some(2)), ("abcdefgh".into(), false));
        assert_eq!(cut("abcdefghi".into(), Some(2)), ("abcdefgh".into(), true));
        assert_eq!(cut("ab思考过".into(), Some(1)), ("ab".into(), true));
    }
}
