//! Each knob does what it says, measured on the output.

use std::collections::BTreeSet;

use simulator::fields::Fields;
use simulator::scenario::{Balance, BanTime, Bans, Encoding, Harvest, Preamble, Schedule, SignUp, Stack, WordedBy};
use simulator::{Campaign, Scenario};

use crate::{World, hours, small};

/// A campaign of 40 accounts alone.
fn alone(campaign: Campaign) -> World {
    World::of(&Scenario { honest: 0, campaigns: vec![Campaign { accounts: 40, ..campaign }], ..small("hydra", 0, 1.0) })
}

fn base() -> Campaign {
    Campaign { bans: Bans { share: 0.0, when: BanTime::Spread, replaced_minutes: 0.0 }, ..Campaign::named("c1") }
}

fn sorted_counts(world: &World) -> Vec<usize> {
    let mut counts: Vec<usize> = world.counts("c1").into_values().collect();
    counts.sort_unstable();
    counts
}

#[test]
fn every_preset_has_its_campaigns() {
    for (name, _) in Scenario::NAMES {
        let scenario = Scenario::by_name(name).unwrap();
        assert_eq!(scenario.check(), Ok(()), "{name}");
        let days = scenario.days.min(4.0);
        let world = World::of(&Scenario { honest_rate: 0.05, days, ..scenario.clone().scaled(0.01) });
        for campaign in &scenario.campaigns {
            assert!(world.of_label(&campaign.name).count() > 3, "{name} has no {}", campaign.name);
        }
        assert_eq!(world.summary.notes, [""; 0], "{name}");
    }
    assert_eq!(Scenario::by_name("hydr"), None);
}

#[test]
fn balance_sets_how_even_the_work_is_spread() {
    let spread = |balance| {
        let counts = sorted_counts(&alone(Campaign { balance, ..base() }));
        (counts[0], *counts.last().unwrap())
    };
    assert_eq!(spread(Balance::RoundRobin), (40, 40));
    assert_eq!(spread(Balance::Uniform), (40, 40));
    let (least, most) = spread(Balance::Poisson);
    assert!(least > 18 && most < 65 && most > least + 10, "{least} to {most}");
    let (least, most) = spread(Balance::Lognormal(1.0));
    assert!(least < 15 && most > 100, "{least} to {most}");
    let (least, most) = spread(Balance::Zipf(1.0));
    assert!(least < 20 && most > 250, "{least} to {most}");
}

#[test]
fn cover_is_its_share_and_only_work_is_labelled() {
    let world = alone(Campaign { cover: 0.75, ..base() });
    let all = world.of_label("c1").count();
    assert_eq!(world.own.len(), 1600);
    assert_eq!(world.summary.campaign_exchanges, 1600);
    let share = 1.0 - world.own.len() as f64 / all as f64;
    assert!((share - 0.75).abs() < 0.02, "{share}");
    let ids: BTreeSet<&str> = world.exchanges.iter().map(|e| e["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), world.exchanges.len(), "ids are unique");
    assert!(world.own.keys().all(|id| ids.contains(id.as_str())));
}

#[test]
fn work_is_shared_out_without_overlap_but_for_the_knob() {
    let repeated = |overlap| {
        let world = alone(Campaign { overlap, variation: 0.0, ..base() });
        let texts: BTreeSet<String> = world.of_label("c1").map(|e| e["request"]["messages"].to_string()).collect();
        1.0 - texts.len() as f64 / world.exchanges.len() as f64
    };
    // A few items of the own text come out the same by chance.
    assert!(repeated(0.0) < 0.05, "{}", repeated(0.0));
    assert!((repeated(0.5) - 1.0 / 3.0).abs() < 0.05, "{}", repeated(0.5));
}

#[test]
fn a_template_comes_in_as_many_wordings_as_asked() {
    let beginnings = |wordings| {
        let world = alone(Campaign { wordings, variation: 0.0, ..base() });
        let beginning = |e: &serde_json::Value| {
            let asked = e.pointer("/request/system").or(e.pointer("/request/messages/0/content")).unwrap();
            asked.as_str().unwrap().chars().take(12).collect::<String>()
        };
        world.exchanges.iter().map(beginning).collect::<BTreeSet<_>>()
    };
    let (one, many) = (beginnings(1), beginnings(12));
    assert_eq!(one.len(), 1, "{one:?}");
    assert!(many.len() > 4, "{many:?}");
    let chinese = |text: &&String| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    assert!((1..many.len()).contains(&many.iter().filter(chinese).count()), "{many:?}");
}

#[test]
fn sharing_and_stack_set_what_accounts_have_in_common() {
    let distinct = |campaign: Campaign, pointer: &str, facts: bool| {
        let world = alone(campaign);
        let values: Vec<_> = if facts { world.facts.iter().collect() } else { world.exchanges.iter().collect() };
        values.iter().filter_map(|value| value.pointer(pointer)).map(ToString::to_string).collect::<BTreeSet<_>>().len()
    };
    let with = |sharing| Campaign { sharing, ..base() };
    for (pointer, few) in [("/payment", 2), ("/email_domain", 1)] {
        assert_eq!(distinct(with(1.0), pointer, true), few, "{pointer}");
    }
    assert!(distinct(with(0.0), "/payment", true) > 20);
    assert!(distinct(with(1.0), "/client/asn", false) <= 2);
    assert!(distinct(with(0.0), "/client/asn", false) > 20);
    assert_eq!(distinct(base(), "/request/params", false), 1);
    assert!(distinct(Campaign { stack: Stack::Varied, ..base() }, "/request/params", false) > 15);
}

#[test]
fn schedules_are_kept() {
    let hours_of = |schedule| {
        let world = alone(Campaign { schedule, start_day: 0.0, days: 2.0, ..base() });
        world.exchanges.iter().map(|e| hours(&e["time"])).collect::<Vec<f64>>()
    };
    let working = hours_of(Schedule::WorkingHours { utc_offset: 8 });
    assert!(working.iter().all(|hour| (1.0..10.0).contains(&hour.rem_euclid(24.0))));
    let continuous = hours_of(Schedule::Continuous);
    let first_half = continuous.iter().filter(|hour| **hour < 24.0).count();
    assert!((700..900).contains(&first_half), "{first_half}");
    let bursts: BTreeSet<i64> =
        hours_of(Schedule::Bursts { a_day: 4, minutes: 6.0 }).iter().map(|hour| (hour * 10.0) as i64).collect();
    assert!(bursts.len() <= 16, "8 bursts of a tenth of an hour touch {} tenths", bursts.len());
    let people =
        World::of(&Scenario { honest_rate: 1.0, campaigns: vec![Campaign::neutral("c1")], ..small("hydra", 0, 1.0) });
    let counts = sorted_counts(&people);
    assert!(counts.last().unwrap() > &(counts[counts.len() / 2] * 5), "people are uneven");
}

#[test]
fn banned_pools_go_silent_and_replacements_take_over() {
    let bans = Bans { share: 1.0, when: BanTime::Together(0.5), replaced_minutes: 5.0 };
    let world = alone(Campaign { bans, start_day: 0.0, ..base() });
    assert_eq!(world.counts("c1").len(), 80);
    assert_eq!(world.exchanges.len(), 1600);
    let closed: Vec<&serde_json::Value> = world.facts.iter().filter(|fact| fact["status"] == "closed").collect();
    assert_eq!(closed.len(), 40);
    for fact in closed {
        let at = hours(&fact["closed"]);
        assert!((12.0..12.1).contains(&at), "{at}");
        let last = world.exchanges.iter().filter(|e| e["account"] == fact["account"]).map(|e| hours(&e["time"]));
        assert!(last.fold(0.0, f64::max) <= at);
    }
    let after = world.exchanges.iter().filter(|e| hours(&e["time"]) > 12.3).count();
    assert!((700..900).contains(&after), "{after}");
}

#[test]
fn sign_up_ages_and_batches() {
    let created = |sign_up| {
        let world = alone(Campaign { sign_up, ..base() });
        world.facts.iter().map(|fact| hours(&fact["created"]) / 24.0).collect::<Vec<f64>>()
    };
    let batch = created(SignUp::Batch { aged_days: 10.0, spread_hours: 24.0 });
    assert!(batch.iter().all(|day| (-9.8..-8.7).contains(day)), "{batch:?}");
    let organic = created(SignUp::Organic);
    assert!(organic.iter().filter(|day| **day < -100.0).count() > 15);
}

#[test]
fn a_pivot_moves_to_the_new_model_within_a_day() {
    let moved = |pivot| {
        let campaign = Campaign { pivot, start_day: 0.0, days: 4.0, accounts: 40, ..base() };
        let scenario = Scenario { days: 4.0, release_day: Some(2.0), honest: 0, ..small("hydra", 0, 1.0) };
        let world = World::of(&Scenario { campaigns: vec![campaign], ..scenario });
        let late: Vec<_> = world.exchanges.iter().filter(|e| hours(&e["time"]) > 72.0).collect();
        assert!(world.exchanges.iter().filter(|e| hours(&e["time"]) < 48.0).all(|e| e["model"] != "frontier-3"));
        late.iter().filter(|e| e["model"] == "frontier-3").count() as f64 / late.len() as f64
    };
    assert!(moved(0.0) < 0.35, "{}", moved(0.0));
    assert!(moved(0.8) > 0.65, "{}", moved(0.8));
}

#[test]
fn campaigns_of_one_operator_share_infrastructure() {
    let campaign = |name: &str, operator| Campaign { operator, sharing: 1.0, accounts: 30, ..Campaign::named(name) };
    let campaigns = vec![campaign("c1", 1), campaign("c2", 1), campaign("c3", 2)];
    let world = World::of(&Scenario { campaigns, ..small("hydra", 0, 1.0) });
    let cards = |label| world.facts_of(label).map(|fact| fact["payment"].to_string()).collect::<BTreeSet<_>>();
    assert!(cards("c1").intersection(&cards("c2")).count() > 0);
    assert!(cards("c1").iter().filter(|card| *card != "null").all(|card| !cards("c3").contains(card)));
}

#[test]
fn fields_that_are_taken_away_are_gone_from_everybody_and_nothing_else_changes() {
    let scenario = small("hydra", 60, 0.1);
    let whole = World::of(&scenario);
    let gone: [(Fields, &[&str], &[&str]); 10] = [
        (Fields::Network, &["/client/ip", "/client/asn", "/client/country", "/client/network"], &[]),
        (Fields::Client, &["/client/ja4", "/client/user_agent"], &[]),
        (Fields::Sessions, &["/session", "/key", "/end_user"], &[]),
        (Fields::Settings, &["/request/params", "/request/tools"], &[]),
        (Fields::Answers, &["/response"], &[]),
        (Fields::Usage, &["/usage", "/status", "/duration_ms"], &[]),
        (Fields::Payment, &[], &["/payment", "/plan", "/program", "/assurance"]),
        (Fields::Mail, &[], &["/email_domain", "/phone_country"]),
        (Fields::SignUp, &[], &["/created"]),
        (Fields::Facts, &["/org"], &["/account"]),
    ];
    for (fields, exchange, fact) in gone {
        let world = World::of(&Scenario { without: vec![fields], ..scenario.clone() });
        assert_eq!(world.exchanges.len(), whole.exchanges.len());
        for (paths, records) in [(exchange, &world.exchanges), (fact, &world.facts)] {
            for path in paths {
                let there = |value: &&serde_json::Value| {
                    value.pointer(path).is_some_and(|value| !value.as_object().is_some_and(|fields| fields.is_empty()))
                };
                assert_eq!(records.iter().find(there), None, "{fields:?} {path}");
            }
        }
        let same =
            |path: &str| world.exchanges.iter().zip(&whole.exchanges).all(|(a, b)| a.pointer(path) == b.pointer(path));
        assert!(same("/id") && same("/request/messages") && same("/time"), "{fields:?}");
    }
    let dates = World::of(&Scenario { without: vec![Fields::TimeOfDay], ..scenario });
    assert!(dates.exchanges.iter().all(|exchange| hours(&exchange["time"]) % 24.0 == 0.0));
}

#[test]
fn requests_are_framed_as_asked() {
    let prompt =
        |exchange: &serde_json::Value| exchange["request"]["messages"][0]["content"].as_str().unwrap().to_owned();
    let system = |exchange: &serde_json::Value| exchange["request"]["system"].as_str().map(str::to_owned);
    let base64 = alone(Campaign { encoding: Encoding::Base64, ..base() });
    assert!(base64.exchanges.iter().all(|exchange| !prompt(exchange).contains([' ', '.'])));
    let front = |preamble| World::of(&Scenario { preamble, ..small("honest", 100, 0.2) });
    let all = front(Preamble { words: 30, share: 1.0, products: 1 });
    let first = |text: &String| text.split_whitespace().take(30).collect::<Vec<_>>().join(" ");
    let fronts: BTreeSet<String> = all.exchanges.iter().map(|exchange| first(&system(exchange).unwrap())).collect();
    assert_eq!(fronts.len(), 1);
    let five = front(Preamble { words: 30, share: 1.0, products: 5 });
    let fronts: BTreeSet<String> = five.exchanges.iter().map(|exchange| first(&system(exchange).unwrap())).collect();
    assert_eq!(fronts.len(), 5);
    let markup = World::of(&Scenario { markup: true, ..small("honest", 100, 0.2) });
    assert!(markup.exchanges.iter().all(|exchange| prompt(exchange).ends_with("assistant<|end_header_id|>\n\n")));
    assert!(markup.exchanges.iter().all(|exchange| system(exchange).is_none()));
}

#[test]
fn copies_exits_and_runs_are_what_they_say() {
    let twice = alone(Campaign { copies: 2, ..base() });
    let once = alone(base());
    assert!((twice.exchanges.len() as f64 / once.exchanges.len() as f64 - 2.0).abs() < 0.02);
    let addresses = |campaign| {
        let world = alone(campaign);
        let mut of: std::collections::BTreeMap<String, BTreeSet<String>> = Default::default();
        for exchange in &world.exchanges {
            let address = exchange["client"]["ip"].to_string();
            of.entry(exchange["account"].to_string()).or_default().insert(address);
        }
        of.values().map(BTreeSet::len).sum::<usize>() as f64 / of.len() as f64
    };
    assert!(addresses(Campaign { exits: 50, ..base() }) > 15.0);
    assert!(addresses(Campaign { sharing: 0.0, ..base() }) < 8.0);
    let runs = alone(Campaign { schedule: Schedule::Runs { calls: 10 }, balance: Balance::Poisson, ..base() });
    let mut last: std::collections::BTreeMap<String, f64> = Default::default();
    let close = |exchange: &&serde_json::Value| {
        let at = hours(&exchange["time"]);
        last.insert(exchange["account"].to_string(), at).is_some_and(|before| at - before < 0.02)
    };
    let share = runs.exchanges.iter().filter(close).count() as f64 / runs.exchanges.len() as f64;
    assert!(share > 0.8, "{share}");
}

/// The share of the requests that have the commonest run of four words.
fn commonest(exchanges: &[serde_json::Value]) -> f64 {
    let mut runs: std::collections::BTreeMap<String, usize> = Default::default();
    for exchange in exchanges {
        let said = exchange["request"]["messages"][0]["content"].as_str().unwrap();
        let text = format!("{} {said}", exchange["request"]["system"].as_str().unwrap_or(""));
        let words: Vec<&str> = text.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 1).collect();
        let own: BTreeSet<String> = words.windows(4).map(|run| run.join(" ")).collect();
        own.into_iter().for_each(|run| *runs.entry(run).or_default() += 1);
    }
    runs.into_values().max().unwrap_or(0) as f64 / exchanges.len().max(1) as f64
}

#[test]
fn techniques_are_tried_and_three_are_kept() {
    let probing = Campaign { harvest: Harvest::Techniques, wordings: 40, probing: 0.25, variation: 0.0, ..base() };
    let world = alone(Campaign { bans: Bans { share: 0.0, ..base().bans }, stack: Stack::Varied, ..probing });
    let (tried, kept) = world.exchanges.split_at(world.exchanges.len() / 4);
    assert!(commonest(tried) < 0.15, "{}", commonest(tried));
    assert!(commonest(kept) > 0.25, "{}", commonest(kept));
}

#[test]
fn an_account_keeps_its_wording_if_asked() {
    let within = |worded_by| {
        let campaign = Campaign { wordings: 20, worded_by, variation: 0.0, stack: Stack::Varied, ..base() };
        let world = alone(campaign);
        let mut of: std::collections::BTreeMap<String, Vec<serde_json::Value>> = Default::default();
        for exchange in &world.exchanges {
            of.entry(exchange["account"].to_string()).or_default().push(exchange.clone());
        }
        of.values().map(|own| commonest(own)).sum::<f64>() / of.len() as f64
    };
    let (account, request) = (within(WordedBy::Account), within(WordedBy::Request));
    assert!(account > 0.95 && request < 0.4, "{account} {request}");
}

#[test]
fn a_relay_carries_the_conversations_of_people_behind_it() {
    let relay = Campaign {
        harvest: Harvest::Relay,
        schedule: Schedule::Users { people: 200 },
        balance: Balance::Lognormal(1.0),
        start_day: 0.0,
        days: 2.0,
        ..base()
    };
    let world = alone(relay);
    let systems: BTreeSet<String> =
        world.exchanges.iter().map(|exchange| exchange["request"]["system"].to_string()).collect();
    assert_eq!(systems.len(), 1, "one product");
    let counts = sorted_counts(&world);
    assert!(counts[counts.len() - 1] > 4 * counts[counts.len() / 2].max(1), "uneven: {counts:?}");
    let turns = world.exchanges.iter().filter(|exchange| exchange["request"]["messages"].as_array().unwrap().len() > 1);
    assert!(turns.count() * 8 > world.exchanges.len());
}
