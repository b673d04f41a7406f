//! The named scenarios.

use super::campaign::{Balance, BanTime, Bans, Campaign, Harvest, Language, Schedule, SignUp, Stack};
use super::whole::Scenario;
use super::worlds::World;

impl Scenario {
    /// The names of all presets with what each shows, the default first.
    pub const NAMES: [(&str, &str); 14] = [
        (
            "hydra",
            "400 accounts harvest reasoning within a day among 3,000 honest ones, partly on shared infrastructure",
        ),
        ("honest", "no campaign, every kind of honest user that looks like one"),
        ("sparse", "4,000 accounts send four requests each within two days"),
        ("covered", "nine in ten requests of each campaign account are unrelated, honest-looking traffic"),
        ("own-infrastructure", "every campaign account has an address, a card and a mail domain of its own"),
        ("varied", "three in ten words of the campaign's template change from request to request"),
        ("failover", "the whole pool is banned at half time and a second pool takes over within minutes"),
        ("injected-phrase", "one fixed phrase is put into otherwise free prompts"),
        ("judge", "a rubric is put to the model over a work list, to train a reward model"),
        ("chinese", "reasoning is harvested in Chinese, in the operator's working hours"),
        ("pivot", "most of the campaign moves to a new model within a day of its release"),
        ("patient", "aged accounts send a few requests a day over three weeks"),
        ("no-template", "prompts as people write them are harvested in shards, over shared infrastructure"),
        ("mixed", "several campaigns at once, two of them by one operator"),
    ];

    /// The preset or the [`World`] of this name; `None` if there is none.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Scenario> {
        let hydra = || Campaign::named("c1");
        let (days, campaigns) = match name {
            "hydra" => (2.0, vec![hydra()]),
            "honest" => (2.0, vec![]),
            "sparse" => {
                let sparse = Campaign { accounts: 4_000, requests: 4.0, days: 2.0, start_day: 0.5, ..hydra() };
                (3.0, vec![Campaign { balance: Balance::Uniform, sharing: 0.2, ..sparse }])
            }
            "covered" => (2.0, vec![Campaign { cover: 0.9, requests: 15.0, ..hydra() }]),
            "own-infrastructure" => (2.0, vec![Campaign { sharing: 0.0, stack: Stack::Varied, ..hydra() }]),
            "varied" => (2.0, vec![Campaign { variation: 0.3, ..hydra() }]),
            "failover" => {
                let bans = Bans { share: 1.0, when: BanTime::Together(0.5), replaced_minutes: 5.0 };
                (2.0, vec![Campaign { bans, accounts: 200, requests: 80.0, ..hydra() }])
            }
            "injected-phrase" => (2.0, vec![Campaign { harvest: Harvest::InjectedPhrase, ..hydra() }]),
            "judge" => (2.0, vec![Campaign { harvest: Harvest::Grading, ..hydra() }]),
            "chinese" => {
                let schedule = Schedule::WorkingHours { utc_offset: 8 };
                (2.0, vec![Campaign { language: Language::Chinese, schedule, start_day: 0.0, days: 2.0, ..hydra() }])
            }
            "pivot" => {
                let pivot = Campaign { pivot: 0.8, start_day: 0.25, days: 3.5, ..hydra() };
                (4.0, vec![Campaign { harvest: Harvest::Coding, balance: Balance::Poisson, ..pivot }])
            }
            "patient" => {
                let sign_up = SignUp::Batch { aged_days: 120.0, spread_hours: 24.0 * 30.0 };
                let patient = Campaign { sign_up, start_day: 1.0, days: 20.0, requests: 60.0, ..hydra() };
                let patient = Campaign { balance: Balance::Lognormal(0.4), sharing: 0.3, ..patient };
                (21.0, vec![Campaign { accounts: 150, schedule: Schedule::WorkingHours { utc_offset: 8 }, ..patient }])
            }
            "no-template" => {
                let open = Campaign { harvest: Harvest::HumanPrompts, sharing: 0.8, ..hydra() };
                (2.0, vec![Campaign { balance: Balance::Uniform, ..open }])
            }
            "mixed" => (3.0, mixed()),
            _ => return World::by_name(name).map(|world| world.scenario()),
        };
        Some(Scenario {
            name: name.to_owned(),
            days,
            honest: if name == "patient" { 800 } else { 3_000 },
            campaigns,
            release_day: Some(if name == "pivot" { 2.0 } else { days * 0.6 }),
            ..Scenario::empty()
        })
    }
}

fn mixed() -> Vec<Campaign> {
    vec![
        Campaign { accounts: 250, ..Campaign::named("c1") },
        Campaign {
            harvest: Harvest::Grading,
            accounts: 80,
            requests: 60.0,
            start_day: 1.2,
            days: 1.5,
            balance: Balance::Poisson,
            ..Campaign::named("c2")
        },
        Campaign {
            operator: 2,
            harvest: Harvest::TraceCleaning,
            language: Language::Chinese,
            accounts: 60,
            requests: 50.0,
            start_day: 0.5,
            days: 2.0,
            schedule: Schedule::WorkingHours { utc_offset: 8 },
            variation: 0.15,
            cover: 0.5,
            ..Campaign::named("c3")
        },
        Campaign {
            operator: 3,
            harvest: Harvest::DataGeneration,
            accounts: 120,
            requests: 12.0,
            start_day: 1.0,
            days: 1.8,
            balance: Balance::Lognormal(0.5),
            sharing: 0.0,
            stack: Stack::Varied,
            ..Campaign::named("c4")
        },
    ]
}
