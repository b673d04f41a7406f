//! Every kind of honest user is there and looks like what it is.

use std::collections::BTreeSet;

use simulator::Scenario;

use crate::{World, small};

#[test]
fn honest_traffic_has_every_role_and_no_campaign() {
    let world = World::of(&small("honest", 500, 1.0));
    let roles: BTreeSet<&str> = world.labels.values().map(String::as_str).collect();
    let expected = [
        "batch",
        "chat",
        "class",
        "developer",
        "enterprise",
        "evaluation",
        "hackathon",
        "launch",
        "load_test",
        "prompt_library",
        "public_agent",
        "research",
        "saas",
        "shared_network",
    ];
    assert_eq!(roles.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(world.summary.campaign_accounts, 0);
    assert_eq!(world.summary.exchanges, world.exchanges.len() as u64);

    let distinct = |label: &'static str, pointer: &str| -> usize {
        world
            .of_label(label)
            .map(|exchange| exchange.pointer(pointer).cloned().unwrap_or_default().to_string())
            .collect::<BTreeSet<_>>()
            .len()
    };
    let accounts = |label: &str| world.counts(label).len();
    assert_eq!(distinct("load_test", "/request/messages"), 1, "a load test sends one prompt");
    assert_eq!(distinct("saas", "/request/system"), accounts("saas"), "one template per product");
    assert!(distinct("saas", "/end_user") > 50, "a product names its users");
    assert!(distinct("public_agent", "/request/system") < accounts("public_agent") / 2, "an agent's prompt is shared");
    assert!(distinct("enterprise", "/key") > 30, "an enterprise has many keys");
    assert!(world.facts_of("class").all(|fact| fact["program"] == "education" || fact["program"].is_null()));
    assert!(world.facts_of("research").all(|fact| fact["assurance"] == "contract" && fact["org"].is_string()));
    let suite: BTreeSet<String> = world.of_label("evaluation").map(|e| e["request"]["messages"].to_string()).collect();
    assert!(suite.len() < world.of_label("evaluation").count() * 3 / 4 + 60, "organisations replay the same suite");
}

#[test]
fn enterprises_share_one_payer_with_and_without_an_organisation() {
    let scenario = Scenario { roles: vec![simulator::Role::Enterprise], ..small("honest", 300, 1.0) };
    let world = World::of(&scenario);
    let with =
        |org: bool| world.facts_of("enterprise").filter(move |fact| fact["org"].is_string() == org).collect::<Vec<_>>();
    for facts in [with(true), with(false)] {
        let payers: BTreeSet<String> = facts.iter().map(|fact| fact["payment"].to_string()).collect();
        assert!(
            facts.len() > 10 && payers.len() < facts.len() / 4,
            "{} accounts, {} payers",
            facts.len(),
            payers.len()
        );
    }
    assert!(with(false).iter().all(|fact| fact["assurance"] == "business"));
}

#[test]
fn organic_rates_have_heavy_tails() {
    let scenario = Scenario { honest_rate: 1.0, roles: vec![simulator::Role::Developer], ..small("honest", 300, 1.0) };
    let world = World::of(&scenario);
    let mut counts: Vec<usize> = world.counts("developer").into_values().collect();
    counts.sort_unstable();
    let top: usize = counts.iter().rev().take(counts.len() / 10).sum();
    let total: usize = counts.iter().sum();
    assert!(top * 10 > total * 3, "the busiest tenth sends {top} of {total}");
}
