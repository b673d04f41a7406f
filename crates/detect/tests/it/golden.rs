//! World in, findings out: what is found in a handful of small worlds, word for word, so that no number of detection can
//! change unseen.

#![expect(clippy::expect_used, reason = "everything read here was written here")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use detect::{Config, Engine, Findings};
use exchange::{AccountFact, Notes};
use simulator::{Output, Scenario, World, simulate};

/// Half of each world: enough for groups to be tested, quick enough for every run of the tests.
const SCALE: f64 = 0.5;

#[test]
fn worlds_give_the_findings_they_gave_before() {
    for name in ["everybody", "phrase", "plugin", "template", "nine-in-ten", "paraphrases", "preamble-half"] {
        let world = World::by_name(name).expect("a world");
        insta::assert_snapshot!(name, hunted(world));
    }
}

fn hunted(world: World) -> String {
    let (exchanges, accounts, labels) = simulated(world);
    let truth = truth(&labels);
    told(&findings(&exchanges, &accounts), &truth)
}

/// The exchanges, accounts and labels of a world.
pub(crate) fn simulated(world: World) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    written(&world.scenario().with_seed(7).scaled(SCALE))
}

/// The exchanges, accounts and labels of a scenario.
pub(crate) fn written(scenario: &Scenario) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (mut exchanges, mut accounts, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    let mut output = Output { exchanges: &mut exchanges, accounts: &mut accounts, labels: &mut labels };
    simulate(scenario, None, &mut output).expect("a world that can be simulated");
    (exchanges, accounts, labels)
}

fn findings(exchanges: &[u8], accounts: &[u8]) -> Findings {
    let mut engine = learnt(Engine::new(Config::default()), accounts);
    for line in std::str::from_utf8(exchanges).expect("text").lines() {
        exchange::read_exchanges(line, &mut Notes::default(), &mut |exchange| engine.hunt(&signals::of(&exchange)))
            .expect("a record as written");
    }
    engine.finish()
}

/// The engine with what is known of accounts.
pub(crate) fn learnt(mut engine: Engine, accounts: &[u8]) -> Engine {
    for line in accounts.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let fact: AccountFact<'_> = exchange::read_account(line, &mut Notes::default()).expect("a fact as written");
        engine.learn(&fact);
    }
    engine
}

/// Who is what, by account.
pub(crate) fn truth(labels: &[u8]) -> BTreeMap<String, String> {
    let mut truth = BTreeMap::new();
    for line in std::str::from_utf8(labels).expect("text").lines() {
        let label: serde_json::Value = serde_json::from_str(line).expect("a label");
        let field = |name: &str| label.get(name).and_then(serde_json::Value::as_str);
        if let Some(account) = field("account") {
            let kind = field("campaign").or(field("role")).unwrap_or("?");
            truth.insert(account.to_owned(), kind.to_owned());
        }
    }
    truth
}

/// Everything that is found, apart from names and samples.
fn told(findings: &Findings, truth: &BTreeMap<String, String>) -> String {
    let mut text = format!("groups tested: {}\n", findings.guarantee.hypotheses);
    for campaign in &findings.campaigns {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for member in campaign.accounts.iter().filter(|member| member.probability >= 0.5) {
            *kinds.entry(truth.get(&member.account).map_or("?", String::as_str)).or_default() += 1;
        }
        let mean =
            campaign.accounts.iter().map(|member| member.probability).sum::<f64>() / campaign.accounts.len() as f64;
        let _ = writeln!(text, "\n{} {:?} {kinds:?} mean probability {mean:.4}", campaign.id, campaign.discovery);
        let _ = writeln!(
            text,
            "  {} exchanges, first {}, last {}, frozen {}, detected {}",
            campaign.exchanges, campaign.first_seen, campaign.last_seen, campaign.frozen_at, campaign.detected_at
        );
        let _ = writeln!(
            text,
            "  10^{:.2} of 10^{:.2}, {:?}",
            campaign.log10_e, campaign.log10_threshold, campaign.capabilities
        );
        for evidence in &campaign.evidence {
            let _ = writeln!(text, "  {:?} 10^{:.2} {}", evidence.family, evidence.log10_e, evidence.text);
        }
    }
    for cleared in &findings.cleared {
        let _ =
            writeln!(text, "\ncleared: {} accounts 10^{:.2}: {}", cleared.accounts, cleared.log10_e, cleared.reason);
    }
    text
}
