//! What the simulator writes, measured on its output.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed, as it should")]

mod corpora;
mod determinism;
mod knobs;
mod leak;
mod look_alikes;

use std::collections::BTreeMap;

use serde_json::Value;
use simulator::{Output, Scenario, Summary, simulate};

/// What a scenario came out as.
struct World {
    exchanges: Vec<Value>,
    /// Every fact, in the order of the file.
    facts: Vec<Value>,
    /// Campaign or role of an account.
    labels: BTreeMap<String, String>,
    /// Exchanges labelled one by one.
    own: BTreeMap<String, String>,
    summary: Summary,
}

impl World {
    fn of(scenario: &Scenario) -> World {
        let ([exchanges, facts, labels], summary) = files(scenario);
        let mut world = World {
            exchanges: lines(&exchanges),
            facts: lines(&facts),
            labels: BTreeMap::new(),
            own: BTreeMap::new(),
            summary,
        };
        for label in lines(&labels) {
            let campaign = label["campaign"].as_str();
            if let Some(exchange) = label["exchange"].as_str() {
                world.own.insert(exchange.to_owned(), campaign.unwrap().to_owned());
            } else {
                let name = campaign.or(label["role"].as_str()).unwrap();
                world.labels.insert(label["account"].as_str().unwrap().to_owned(), name.to_owned());
            }
        }
        world
    }

    fn label(&self, exchange: &Value) -> &str {
        &self.labels[exchange["account"].as_str().unwrap()]
    }

    /// The exchanges of a campaign or role.
    fn of_label<'a>(&'a self, label: &'a str) -> impl Iterator<Item = &'a Value> {
        self.exchanges.iter().filter(move |exchange| self.label(exchange) == label)
    }

    /// Exchanges by account.
    fn counts(&self, label: &str) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for exchange in self.of_label(label) {
            *counts.entry(exchange["account"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    }

    /// The first facts of the accounts of a campaign or role.
    fn facts_of<'a>(&'a self, label: &'a str) -> impl Iterator<Item = &'a Value> {
        let own = move |fact: &&Value| self.labels.get(fact["account"].as_str().unwrap()).is_some_and(|l| l == label);
        self.facts.iter().filter(own).filter(|fact| fact["status"] == "active")
    }
}

fn files(scenario: &Scenario) -> ([String; 3], Summary) {
    let (mut exchanges, mut accounts, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    let mut output = Output { exchanges: &mut exchanges, accounts: &mut accounts, labels: &mut labels };
    let summary = simulate(scenario, None, &mut output).unwrap();
    ([exchanges, accounts, labels].map(|bytes| String::from_utf8(bytes).unwrap()), summary)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Hours since the scenario's start.
fn hours(value: &Value) -> f64 {
    let time: exchange::Time = value.as_str().unwrap().parse().unwrap();
    time.seconds_since("2026-07-20T00:00:00Z".parse().unwrap()) / 3600.0
}

/// A preset with few honest people, so that tests are quick.
fn small(name: &str, honest: u32, scale: f64) -> Scenario {
    let scenario = Scenario::by_name(name).unwrap().scaled(scale);
    Scenario { honest, honest_rate: 0.2, ..scenario }
}
