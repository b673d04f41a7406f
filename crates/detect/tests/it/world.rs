//! Small worlds: accounts, requests and a hunt over them.

use std::collections::BTreeMap;

use detect::{Config, Engine, Findings};
use exchange::{Notes, Time};

pub(crate) const HOUR: u64 = 3600;
pub(crate) const DAY: u64 = 24 * HOUR;

/// What is known of accounts, and their requests.
#[derive(Default)]
pub(crate) struct World {
    accounts: BTreeMap<String, String>,
    /// Time in seconds, account and text.
    asked: Vec<(u64, String, String)>,
}

impl World {
    /// People with questions of their own, in sessions of a few, over four days.
    pub(crate) fn of_people(people: u64) -> World {
        let mut world = World::default();
        for person in 0..people {
            let account = format!("person{person}");
            world.sign_up(&account, person * 31 % 1000 * 60, "email");
            // A few ask much more than others.
            for i in 0..1 + 40 / (1 + person % 37) {
                let session = DAY / 2 + (person * 7919 + i / 4 * 86_413) % (3 * DAY);
                world.ask(&account, session + i % 4 * 90, &words(person * 1_000_000 + i * 100, 25));
            }
        }
        world
    }

    /// Says when an account signed up, in seconds, and how sure the provider is of it.
    pub(crate) fn sign_up(&mut self, account: &str, created: u64, assurance: &str) {
        let created = Time::from_seconds(created as i64);
        let fact = format!(
            r#"{{"time":"1970-01-01T00:00:00Z","account":"{account}","created":"{created}","assurance":"{assurance}","payment":"card-{account}"}}"#
        );
        self.accounts.insert(account.to_owned(), fact);
    }

    /// Says that an account is a seat of an organisation.
    pub(crate) fn seat(&mut self, account: &str, org: &str) {
        let fact = format!(r#"{{"time":"1970-01-01T00:00:00Z","account":"{account}","org":"{org}"}}"#);
        self.accounts.insert(account.to_owned(), fact);
    }

    /// Adds a request.
    pub(crate) fn ask(&mut self, account: &str, seconds: u64, text: &str) {
        self.asked.push((seconds, account.to_owned(), text.to_owned()));
    }

    /// Puts a text in front of every request.
    pub(crate) fn prefix(&mut self, before: &str) {
        self.asked.iter_mut().for_each(|(_, _, text)| *text = format!("{before} {text}"));
    }

    /// Takes away what accounts with this beginning asked from `time` on.
    pub(crate) fn silence(&mut self, accounts: &str, time: Time) {
        self.asked.retain(|(seconds, account, _)| !account.starts_with(accounts) || (*seconds as i64) < time.seconds());
    }

    /// What a hunt finds.
    #[expect(clippy::expect_used, reason = "the records are made here")]
    pub(crate) fn hunt(mut self) -> Findings {
        let mut engine = Engine::new(Config::default());
        for fact in self.accounts.values() {
            engine.learn(
                &exchange::read_account(fact.as_bytes(), &mut Notes::default()).expect("a fact as written here"),
            );
        }
        self.asked.sort();
        for (seconds, account, text) in &self.asked {
            let time = Time::from_seconds(*seconds as i64);
            let record = format!(
                r#"{{"time":"{time}","account":"{account}","request":{{"messages":[{{"role":"user","content":"{text}"}}]}}}}"#
            );
            exchange::read_exchanges(&record, &mut Notes::default(), &mut |exchange| {
                engine.hunt(&signals::of(&exchange));
            })
            .expect("a record as written here");
        }
        engine.finish()
    }
}

/// An item of a work list.
pub(crate) fn item(number: u64) -> String {
    words(number * 100 + 77_000_000_000, 12)
}

/// So many words that no other number gives.
pub(crate) fn words(number: u64, count: u64) -> String {
    (0..count).map(|i| word(number + i)).collect::<Vec<_>>().join(" ")
}

fn word(number: u64) -> String {
    let mut rest = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut letter = |of: &str| {
        let at = rest % of.len() as u64;
        rest /= of.len() as u64;
        of.chars().nth(at as usize).unwrap_or_default()
    };
    (0..4).flat_map(|_| [letter("bdfgklmnprst"), letter("aeiou")]).collect()
}
