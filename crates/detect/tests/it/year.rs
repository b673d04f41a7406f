//! A year in one engine: what is idle is forgotten, what goes on is not, and nothing grows.

#![expect(clippy::expect_used, reason = "everything read here was written here")]

use std::collections::BTreeSet;

use detect::limits::{EPOCH_DAYS, FORGOTTEN_DAYS};
use detect::{Change, Config, Engine};
use event::Signals;
use exchange::{AccountFact, Notes, Time};
use simulator::{Campaign, Scenario, World};

use crate::golden::written;
use crate::snapshot::restored;

/// What comes in a year: exchanges in order of time, and what the provider says of accounts on the day on which it says so.
#[derive(Default)]
struct Year {
    exchanges: Vec<Signals>,
    facts: Vec<(i64, String)>,
}

impl Year {
    /// Adds a scenario that begins on `day`, with accounts and exchanges of its own.
    fn add(&mut self, day: i64, scenario: &Scenario) {
        let (text, accounts, _) = written(scenario);
        let text = std::str::from_utf8(&text).expect("UTF-8");
        let mut exchanges = Vec::new();
        for line in text.lines() {
            exchange::read_exchanges(line, &mut Notes::default(), &mut |exchange| {
                exchanges.push(signals::of(&exchange));
            })
            .expect("a record as the simulator writes it");
        }
        let start = exchanges.iter().map(|signals| signals.time.seconds()).min().expect("exchanges");
        let shift = (FIRST + day) * DAY - start.div_euclid(DAY) * DAY;
        let shifted = |time: Time| Time::from_seconds(time.seconds() + shift);
        self.exchanges.extend(exchanges.into_iter().map(|signals| Signals {
            time: shifted(signals.time),
            account: format!("{day}-{}", signals.account).into(),
            exchange: format!("{day}-{}", signals.exchange).into(),
            ..signals
        }));
        for line in std::str::from_utf8(&accounts).expect("UTF-8").lines() {
            let fact = exchange::read_account(line.as_bytes(), &mut Notes::default()).expect("a fact as written");
            let created = fact.created.map_or(0, |time| shifted(time).seconds());
            let field = |name: &str, value: Option<&str>| {
                value.map_or_else(String::new, |value| format!(r#","{name}":"{value}""#))
            };
            let fact = format!(
                r#"{{"time":{created},"account":"{day}-{}","created":{created}{}{}}}"#,
                fact.account.as_str(),
                field("payment", fact.payment.as_deref()),
                field("email_domain", fact.email_domain.as_deref())
            );
            self.facts.push((day, fact));
        }
    }
}

/// People, some of them with a tool in common, for so many days.
fn people(days: f64, seed: u64) -> Scenario {
    let world = World::by_name("tutorial").expect("a world").scenario().scaled(0.3);
    Scenario { days, honest_rate: 1.0 / days, ..world }.with_seed(seed)
}

/// A campaign among people.
fn campaign(days: f64, seed: u64) -> Scenario {
    let world = World::by_name("template").expect("a world").scenario().scaled(0.3);
    let campaigns = world.campaigns.iter().map(|campaign| Campaign {
        accounts: 60,
        requests: days,
        start_day: 1.0,
        days: days - 2.0,
        ..campaign.clone()
    });
    Scenario { days, honest_rate: 1.0 / days, campaigns: campaigns.collect(), ..world }.with_seed(seed)
}

/// What is known at the end of a month.
#[derive(Debug, PartialEq)]
struct Known {
    findings: String,
    campaigns: Vec<String>,
    accounts: u64,
    bytes: usize,
}

/// What is known month by month, and the campaigns that were told, each with the day.
fn lived(year: &Year, restores: bool) -> (Vec<Known>, Vec<(i64, Change)>) {
    let mut engine = Engine::new(Config::default());
    let (mut months, mut changes) = (Vec::new(), Vec::new());
    for day in 0..365 {
        for (_, fact) in year.facts.iter().filter(|(said, _)| *said == day) {
            let fact: AccountFact<'_> = exchange::read_account(fact.as_bytes(), &mut Notes::default()).expect("a fact");
            engine.learn(&fact);
        }
        let from = year.exchanges.partition_point(|signals| signals.time.seconds() < (FIRST + day) * DAY);
        let rest = year.exchanges.get(from..).unwrap_or_default();
        for signals in rest.iter().take_while(|signals| signals.time.seconds() < (FIRST + day + 1) * DAY) {
            engine.hunt(signals);
        }
        let told = |change: &Change| matches!(change, Change::Detected { .. } | Change::Withdrawn { .. });
        changes.extend(engine.update().into_iter().filter(told).map(|change| (day, change)));
        if restores && day % 9 == 4 {
            engine = restored(&engine);
        }
        if day % 30 == 29 || day == 364 {
            let findings = engine.findings();
            months.push(Known {
                campaigns: findings.campaigns.iter().map(|campaign| campaign.id.clone()).collect(),
                accounts: findings.population.accounts,
                findings: serde_json::to_string(&findings).expect("JSON"),
                bytes: engine.snapshot().len(),
            });
        }
    }
    (months, changes)
}

#[test]
fn a_year_takes_no_more_room_than_a_season_and_tells_what_goes_on() {
    let mut year = Year::default();
    year.add(0, &people(364.0, 1));
    for month in (0..12).filter(|month| ![2, 3, 11].contains(month)) {
        year.add(month * 30, &people(28.0, 10 + month as u64));
    }
    year.add(62, &campaign(50.0, 2));
    year.add(330, &campaign(34.0, 3));
    year.exchanges.sort_by_key(|signals| signals.time);
    let (months, changes) = lived(&year, false);
    let found: Vec<Vec<&str>> =
        months.iter().map(|known| known.campaigns.iter().map(String::as_str).collect()).collect();
    let (none, spring, last) = (vec![], vec!["cmp_1"], vec!["cmp_2"]);
    let mut expected = vec![&none; 2];
    // The campaign of spring ends on day 110, and a turn of an epoch comes 90 to 120 days after.
    expected.extend([&spring; 5]);
    expected.extend([&none; 4]);
    expected.extend([&last; 2]);
    assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    let withdrawn = changes.iter().find(|(_, change)| *change == Change::Withdrawn { campaign: 1 });
    let idle = withdrawn.map_or(0, |(day, _)| day - 110);
    assert!((FORGOTTEN_DAYS..=FORGOTTEN_DAYS + EPOCH_DAYS).contains(&idle), "{changes:?}");
    // Whom it remembers.
    let seen_since = |days: i64| {
        let since = (FIRST + 365 - days) * DAY;
        let recent = year.exchanges.iter().filter(|signals| signals.time.seconds() >= since);
        recent.map(|signals| &signals.account).collect::<BTreeSet<_>>().len() as u64
    };
    let [.., end] = months.as_slice() else { panic!("no month") };
    assert!((seen_since(FORGOTTEN_DAYS)..=seen_since(FORGOTTEN_DAYS + EPOCH_DAYS)).contains(&end.accounts));
    assert!(end.accounts * 3 < seen_since(365), "{} of {}", end.accounts, seen_since(365));
    // Half a year later it takes half as much again: texts that are still used, and the table of outputs, which has a limit. Without forgetting it takes
    // 2.3 times as much.
    let growth = end.bytes as f64 / months.get(5).map_or(1.0, |known| known.bytes as f64);
    assert!(growth < 1.75, "{growth}");
    assert!(lived(&year, true).0 == months, "restored forty times it knows the same");
}

const DAY: i64 = 86_400;
/// The first day of the year, since 1970.
const FIRST: i64 = 20_000;
