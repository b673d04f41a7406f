//! Nothing but behaviour tells who belongs to a campaign: for every field, presence, format, length, prefix and order
//! are independent of the label when a campaign behaves as honest people do.

use std::collections::BTreeMap;

use serde_json::Value;
use simulator::{Campaign, Role, Scenario};

use crate::{World, hours, small};

#[test]
fn fields_are_independent_of_the_label() {
    let world =
        World::of(&Scenario { campaigns: vec![Campaign { accounts: 900, ..Campaign::neutral("c1") }], ..people() });
    let observations = observe(&world);
    let labels: Vec<bool> = observations.iter().map(|(campaign, _)| *campaign).collect();
    assert!(labels.iter().filter(|campaign| **campaign).count() > 200);
    let features: Vec<&BTreeMap<String, String>> = observations.iter().map(|(_, features)| features).collect();
    for (name, z) in deviations(&labels, &features) {
        assert!(z < Z_MAX, "`{name}` depends on the label: {z:.1} deviations");
    }
    // The control: labels dealt at random pass the same test.
    let dealt: Vec<bool> = (0..labels.len()).map(|index| labels[(index * 7919) % labels.len()]).collect();
    assert!(deviations(&dealt, &features).iter().all(|(_, z)| *z < Z_MAX));
}

#[test]
fn the_test_finds_what_behaviour_gives_away() {
    let world =
        World::of(&Scenario { campaigns: vec![Campaign { accounts: 300, ..Campaign::named("c1") }], ..people() });
    let observations = observe(&world);
    let labels: Vec<bool> = observations.iter().map(|(campaign, _)| *campaign).collect();
    let features: Vec<&BTreeMap<String, String>> = observations.iter().map(|(_, features)| features).collect();
    let found = deviations(&labels, &features);
    // Behaviour tells, but never a name or a place in a file.
    for (name, z) in &found {
        let form = ["/id ", "/account ", "/key ", "/session ", "/time ", "fact /account ", "label rank"];
        assert!(*z < Z_MAX || !form.iter().any(|form| name.starts_with(form)), "`{name}` tells: {z:.1}");
    }
    let told = |name: &str| found.iter().any(|(feature, z)| feature == name && *z > Z_MAX);
    assert!(told("fact /created age") && told("/client/network value"), "{found:?}");
}

fn people() -> Scenario {
    Scenario { roles: vec![Role::Chat], honest_rate: 1.0, days: 1.0, ..small("honest", 900, 1.0) }
}

/// One account's features, from its first exchange and its first fact; accounts are independent, exchanges are not.
fn observe(world: &World) -> Vec<(bool, BTreeMap<String, String>)> {
    let mut first: BTreeMap<&str, (usize, &Value)> = BTreeMap::new();
    for (place, exchange) in world.exchanges.iter().enumerate() {
        first.entry(exchange["account"].as_str().unwrap()).or_insert((place, exchange));
    }
    let facts: BTreeMap<&str, (usize, &Value)> = world
        .facts
        .iter()
        .enumerate()
        .rev()
        .map(|(at, fact)| (fact["account"].as_str().unwrap(), (at, fact)))
        .collect();
    let accounts = world.labels.len();
    let mut observations = Vec::new();
    for (rank, (account, label)) in world.labels.iter().enumerate() {
        let (place, exchange) = first[account.as_str()];
        let (fact_place, fact) = facts[account.as_str()];
        let mut features = BTreeMap::new();
        for pointer in FIELDS {
            describe(pointer, exchange.pointer(pointer), &mut features);
        }
        for pointer in FACTS {
            describe(&format!("fact {pointer}"), fact.pointer(pointer), &mut features);
        }
        let mut add = |name: &str, value: String| features.insert(name.to_owned(), value);
        add("label rank", (rank * 8 / accounts).to_string());
        add("exchange rank", (place * 8 / world.exchanges.len()).to_string());
        add("fact rank", (fact_place * 8 / world.facts.len()).to_string());
        add("fact /created age", ((-hours(&fact["created"]) / 24.0).max(1.0).log2() as i64 / 2).to_string());
        add("key order", keys(exchange));
        let messages = exchange["request"]["messages"].as_array().unwrap();
        add("messages", messages.len().to_string());
        observations.push((label == "c1", features));
    }
    observations
}

fn describe(name: &str, value: Option<&Value>, features: &mut BTreeMap<String, String>) {
    let mut add = |what: &str, value: String| features.insert(format!("{name} {what}"), value);
    add("presence", value.is_some().to_string());
    let Some(value) = value else { return };
    let text = value.as_str().map_or(value.to_string(), str::to_owned);
    let kind: String = text.chars().take(40).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    add("type", format!("{}{}", value.is_string(), value.is_number()));
    add("length", (text.len().max(1).ilog2()).to_string());
    add("prefix", text.chars().take(4).collect());
    if OPEN.contains(&name) {
        return;
    }
    add("value", kind);
}

fn keys(value: &Value) -> String {
    // The parsed order is alphabetical; what can differ is which keys there are.
    value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
}

/// By how many standard deviations each feature departs from independence: χ² over the table of label by category, as a
/// normal deviate (Wilson and Hilferty, 1931). Rare categories are counted together.
fn deviations(labels: &[bool], observations: &[&BTreeMap<String, String>]) -> Vec<(String, f64)> {
    let names: std::collections::BTreeSet<&String> = observations.iter().flat_map(|features| features.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let mut table: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
        for (label, features) in labels.iter().zip(observations) {
            if let Some(category) = features.get(name) {
                table.entry(category).or_default()[usize::from(*label)] += 1.0;
            }
        }
        let (common, rare): (Vec<[f64; 2]>, Vec<[f64; 2]>) =
            table.into_values().partition(|[honest, campaign]| honest + campaign >= 20.0);
        let mut cells = common;
        let rest = rare.iter().fold([0.0, 0.0], |sum, cell| [sum[0] + cell[0], sum[1] + cell[1]]);
        if rest[0] + rest[1] >= 20.0 {
            cells.push(rest);
        }
        if cells.len() < 2 {
            continue;
        }
        let total = |side: usize| cells.iter().map(|cell| cell[side]).sum::<f64>();
        let (honest, campaign) = (total(0), total(1));
        let term = |cell: &[f64; 2]| {
            let both = cell[0] + cell[1];
            let expected = [both * honest / (honest + campaign), both * campaign / (honest + campaign)];
            (0..2).map(|side| (cell[side] - expected[side]).powi(2) / expected[side]).sum::<f64>()
        };
        let chi_square: f64 = cells.iter().map(term).sum();
        let k = (cells.len() - 1) as f64;
        let z = ((chi_square / k).cbrt() - (1.0 - 2.0 / (9.0 * k))) / (2.0 / (9.0 * k)).sqrt();
        found.push((name.clone(), z));
    }
    found
}

/// About one in thirty thousand by chance, for some 120 features.
const Z_MAX: f64 = 4.0;

const FIELDS: &[&str] = &[
    "/id",
    "/time",
    "/account",
    "/org",
    "/key",
    "/end_user",
    "/session",
    "/operation",
    "/model",
    "/client/ip",
    "/client/asn",
    "/client/country",
    "/client/network",
    "/client/ja4",
    "/client/user_agent",
    "/request/system",
    "/request/messages/0/role",
    "/request/messages/0/content",
    "/request/tools",
    "/request/params",
    "/request/params/temperature",
    "/request/params/max_tokens",
    "/request/params/stream",
    "/request/params/seed",
    "/request/params/reasoning_effort",
    "/response/content",
    "/response/reasoning",
    "/response/finish_reason",
    "/response/refused",
    "/usage/input_tokens",
    "/usage/output_tokens",
    "/usage/reasoning_tokens",
    "/usage/cached_tokens",
    "/status",
    "/duration_ms",
];
const FACTS: &[&str] = &[
    "/time",
    "/account",
    "/org",
    "/created",
    "/plan",
    "/program",
    "/assurance",
    "/payment",
    "/email_domain",
    "/phone_country",
    "/status",
    "/closed",
];
/// Fields whose value is a name or free text: only their form is compared.
const OPEN: &[&str] = &["/id", "/account", "/key", "/session", "/time", "fact /time", "fact /created", "fact /account"];
