//! What is told while records come.

#![expect(clippy::expect_used, reason = "everything read here was written here")]

use std::collections::BTreeSet;

use detect::{Change, Config, Engine, Findings, Labels};
use exchange::Notes;
use simulator::World;

use crate::golden::{learnt, simulated, truth};
use crate::snapshot::{feed, restored, vouched};

fn named(findings: &Findings) -> BTreeSet<String> {
    let members = findings.campaigns.iter().flat_map(|campaign| &campaign.accounts);
    members.filter(|member| member.probability >= 0.5).map(|member| member.account.clone()).collect()
}

#[test]
fn campaigns_are_told_as_they_are_detected_and_keep_their_numbers() {
    let (exchanges, accounts, labels) = simulated(World::by_name("template").expect("a world"));
    let truth = truth(&labels);
    let records: Vec<&str> = std::str::from_utf8(&exchanges).expect("UTF-8").lines().collect();
    let mut engine = learnt(Engine::new(Config::default()), &accounts);
    let (mut detected, mut standing, mut first) = (Vec::new(), BTreeSet::new(), None);
    let mut proposed = BTreeSet::new();
    for (at, part) in records.chunks(250).enumerate() {
        feed(&mut engine, part);
        for change in engine.update() {
            match change {
                Change::Proposed { trial } => assert!(proposed.insert(trial), "told twice"),
                Change::Detected { campaign } => detected.push((campaign, at)),
                Change::Joined { account, .. } => {
                    assert!(standing.insert(account), "told twice");
                }
                Change::Left { account, .. } => {
                    standing.remove(&account);
                }
                Change::Withdrawn { .. } => panic!("withdrawn after {at} parts"),
            }
        }
        if at % 7 == 3 {
            engine = restored(&engine);
            assert_eq!(engine.update(), [], "nothing changes by being restored");
        }
        first = first.or_else(|| engine.findings().campaigns.first().map(|campaign| campaign.id.clone()));
    }
    let [(number, at)] = detected.as_slice() else { panic!("{detected:?}") };
    assert!(at * 250 < records.len() / 2, "detected after {at} parts");
    let now = engine.findings();
    assert_eq!(proposed.len() as u64, now.guarantee.hypotheses, "every group that is tested was told");
    assert_eq!(first, Some(format!("cmp_{number}")));
    assert_eq!(now.campaigns.first().map(|campaign| campaign.id.clone()), first);
    let told: BTreeSet<String> =
        standing.iter().filter_map(|&account| engine.account(account)).map(str::to_owned).collect();
    assert_eq!(told, named(&now), "whom the changes name and whom the findings name");
    for account in &told {
        assert_eq!(engine.standing(account).map(|standing| standing.campaign), Some(*number));
    }
    // One evaluation works off the campaign's own items, without its template.
    let strangers: Vec<&String> =
        told.iter().filter(|account| truth.get(*account).is_none_or(|kind| kind != "c1")).collect();
    assert!(told.len() > 60 && strangers.is_empty(), "{} accounts, and of them {strangers:?}", told.len());
    assert_eq!(engine.standing("nobody"), None);
    let before = engine.snapshot();
    let _ = engine.findings();
    assert!(engine.snapshot() == before, "to ask for findings changes nothing");
    assert_eq!(engine.finish().campaigns.first().map(|campaign| campaign.id.clone()), first);
}

#[test]
fn exchanges_that_come_twice_are_counted_once() {
    let (exchanges, accounts, _) = simulated(World::by_name("template").expect("a world"));
    let records: Vec<&str> = std::str::from_utf8(&exchanges).expect("UTF-8").lines().collect();
    let hunted = |twice: bool| {
        let mut engine = learnt(Engine::new(Config::default()), &accounts);
        for part in records.chunks(40) {
            feed(&mut engine, part);
            if twice {
                engine = restored(&engine);
                feed(&mut engine, part);
            }
        }
        assert_eq!(engine.duplicates(), if twice { records.len() as u64 } else { 0 });
        engine.finish()
    };
    let (once, twice) = (hunted(false), hunted(true));
    let told = |findings: &Findings| serde_json::to_string(&findings.campaigns).expect("JSON");
    assert_eq!(told(&once), told(&twice));
    assert!(twice.limits_reached.iter().any(|told| told.contains("came a second time and were counted once")));
}

#[test]
fn what_people_say_while_it_runs_is_heeded() {
    let (exchanges, accounts, _) = simulated(World::by_name("template").expect("a world"));
    let records: Vec<&str> = std::str::from_utf8(&exchanges).expect("UTF-8").lines().collect();
    let mut engine = learnt(Engine::new(Config::default()), &accounts);
    feed(&mut engine, &records[..records.len() * 2 / 3]);
    engine.update();
    let found = engine.findings().campaigns;
    let [campaign] = found.as_slice() else { panic!("{} campaigns", found.len()) };
    engine.heed(vouched(campaign, campaign.identity.clone()));
    while engine.tick() {}
    assert!(engine.update().contains(&Change::Withdrawn { campaign: 1 }), "at once, and not with its next request");
    assert_eq!(engine.findings().campaigns.len(), 0);
    engine.heed(Labels::default());
    feed(&mut engine, &records[records.len() * 2 / 3..]);
    let again = engine.finish().campaigns;
    assert_eq!(again.iter().map(|campaign| &*campaign.id).collect::<Vec<_>>(), ["cmp_1"], "taken back, it is the same");
}

#[test]
fn accounts_may_change_who_pays() {
    let (exchanges, accounts, labels) = simulated(World::by_name("template").expect("a world"));
    let truth = truth(&labels);
    let records: Vec<&str> = std::str::from_utf8(&exchanges).expect("UTF-8").lines().collect();
    let hunted = |moved: bool| {
        let mut engine = learnt(Engine::new(Config::default()), &accounts);
        feed(&mut engine, &records[..records.len() / 2]);
        for account in truth.iter().filter(|(_, kind)| moved && *kind == "c1").map(|(account, _)| account) {
            let fact = format!(r#"{{"time":"2026-07-22T00:00:00Z","account":"{account}","org":"one"}}"#);
            engine.learn(&exchange::read_account(fact.as_bytes(), &mut Notes::default()).expect("a fact"));
        }
        feed(&mut engine, &records[records.len() / 2..]);
        engine.finish()
    };
    assert_eq!(hunted(false).campaigns.len(), 1);
    let moved = hunted(true);
    assert!(moved.population.payers < moved.population.accounts - 50);
    assert_eq!(moved.campaigns.len(), 0, "an organisation is one payer, and no group");
}

/// A round of measures is many pieces of work, and one that is under way is remembered.
#[test]
fn a_round_that_is_under_way_is_gone_on_with() {
    let (exchanges, accounts, _) = simulated(World::by_name("everybody").expect("a world"));
    let records: Vec<&str> = std::str::from_utf8(&exchanges).expect("UTF-8").lines().collect();
    let (first, rest) = records.split_at(records.len() / 2);
    let mut engine = learnt(Engine::new(Config::default()), &accounts);
    observe(&mut engine, first);
    let ticks = std::iter::from_fn(|| restored_if_ticked(&mut engine)).count();
    let mut whole = learnt(Engine::new(Config::default()), &accounts);
    observe(&mut whole, first);
    let at_once = std::iter::from_fn(|| whole.tick().then_some(())).count();
    assert_eq!(ticks, at_once);
    assert!(engine.snapshot() == whole.snapshot());
    feed(&mut engine, rest);
    feed(&mut whole, rest);
    let told = |engine: Engine| serde_json::to_string(&engine.finish()).expect("JSON");
    assert!(told(engine) == told(whole));
}

/// Does one piece of work and goes on from a snapshot; nothing where there was no work.
fn restored_if_ticked(engine: &mut Engine) -> Option<()> {
    engine.tick().then(|| *engine = restored(engine))
}

#[test]
fn work_that_is_put_off_delays_detection_and_nothing_else() {
    let (exchanges, accounts, _) = simulated(World::by_name("template").expect("a world"));
    let records: Vec<&str> = std::str::from_utf8(&exchanges).expect("UTF-8").lines().collect();
    let mut engine = learnt(Engine::new(Config::default()), &accounts);
    for (at, part) in records.chunks(100).enumerate() {
        observe(&mut engine, part);
        if at == 5 {
            // Work that waits is remembered.
            let (mut whole, mut again) = (restored(&engine), restored(&engine));
            let ticks = |engine: &mut Engine| std::iter::from_fn(|| engine.tick().then_some(())).count();
            let (first, second) = (ticks(&mut whole), ticks(&mut again));
            assert!(first > 0 && first == second, "{first} {second}");
            assert!(whole.snapshot() == again.snapshot());
        }
        while engine.tick() {}
        assert!(!engine.tick(), "nothing is left");
    }
    let campaigns = engine.finish().campaigns;
    assert_eq!(campaigns.len(), 1);
    assert!(campaigns.iter().all(|campaign| campaign.accounts.len() > 60));
}

/// Feeds an engine records without the work that they make due.
fn observe(engine: &mut Engine, records: &[&str]) {
    for record in records {
        exchange::read_exchanges(record, &mut Notes::default(), &mut |exchange| {
            engine.observe(&signals::of(&exchange));
        })
        .expect("a record as the simulator writes it");
    }
}
