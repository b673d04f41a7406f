//! Worlds that detection has to be right in: each is a scenario with a name, and says who may be found in it.
//!
//! Honest worlds hold one kind of group that looks like a campaign and is none, beside everybody else; nobody may be
//! named in them. Hostile worlds hold one campaign each. They are small, so that many seeds can be run.

use super::campaign::{
    Balance, BanTime, Bans, Campaign, Encoding, Harvest, Language, Schedule, SignUp, Stack, WordedBy,
};
use super::whole::{Crowd, Preamble, Scenario};
use crate::role::Role;

/// A world by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub shows: &'static str,
    /// Who may be found.
    pub kind: WorldKind,
}

/// Who may be found in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorldKind {
    /// Nobody.
    Honest,
    /// The accounts of its campaign and nobody else.
    Hostile,
}

const fn honest(name: &'static str, shows: &'static str) -> World {
    World { name, shows, kind: WorldKind::Honest }
}

const fn hostile(name: &'static str, shows: &'static str) -> World {
    World { name, shows, kind: WorldKind::Hostile }
}

impl World {
    /// Every world, honest ones first.
    pub const ALL: [World; 35] = [
        honest("phrase", "300 strangers put one phrase that many know into some of their single requests"),
        honest("tutorial", "150 small programs after one tutorial send single requests as they come"),
        honest("plugin", "80 sites with one plugin that their hosts' clocks start"),
        honest("workflow", "85 readers of the same feeds with a scheduled digest each"),
        honest("seats", "100 seats of small firms use up a daily quota of one product"),
        honest("shops", "118 shops of a growing white-label platform behind three addresses"),
        honest("course", "64 students with accounts made for a course grade texts by its rubric"),
        honest("homework", "64 students with keys made within a minute label twelve items of their own each"),
        honest("hackathon", "80 participants with new accounts at one venue"),
        honest("launch", "400 strangers sign up within hours of a release"),
        honest("voucher", "150 strangers sign up in the days of an offer and use its gallery of prompts"),
        honest("turnover", "an organisation closes 40 accounts within minutes and opens 40 others"),
        honest("shared-list", "40 participants of an evaluation run the same list"),
        honest("review-bot", "72 repositories use one review bot on fourteen rented machines"),
        honest("alike", "1,500 people of one country, few networks and two mail providers"),
        honest("everybody", "all of these habits at once, half as many of each"),
        hostile("relay", "60 accounts carry the users of a foreign product, unevenly, in conversations"),
        hostile("agents", "80 accounts harvest tool calls in runs, each account with a system prompt in other words"),
        hostile("paraphrases", "1,500 accounts send four requests each, every one in a fresh paraphrase"),
        hostile("direct-german", "120 accounts send direct instructions without a template, in German"),
        hostile("probing", "100 accounts try forty techniques, then keep three"),
        hostile("exits", "80 accounts without a template leave by fifty exits in rotation"),
        hostile("base64", "80 accounts send their template in base64"),
        hostile("twice", "80 accounts send every request twice"),
        hostile("people-shared", "100 accounts live as people do, on shared infrastructure"),
        hostile("people-own", "100 accounts live as people do, each on infrastructure of its own"),
        hostile("preamble-all", "a system prompt of 300 words stands in front of everybody's requests"),
        hostile("preamble-half", "a system prompt of 40 words stands in front of half of all accounts' requests"),
        hostile("preamble-products", "five products put 200 words each in front of everybody's requests"),
        hostile("markup", "everybody's prompts are logged with chat markup"),
        hostile("template", "120 accounts with one template, as in the demo"),
        hostile("own", "120 accounts with one template, each with infrastructure of its own and aged"),
        hostile("nine-in-ten", "120 accounts, nine in ten of whose requests are unrelated"),
        hostile("prompts", "120 accounts on shared infrastructure harvest what people write"),
        hostile("many", "eleven of these campaigns at once, beside all of the honest habits"),
    ];

    /// The world of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<World> {
        World::ALL.into_iter().find(|world| world.name == name)
    }

    /// What is in it.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        let mut scenario = Scenario {
            name: self.name.to_owned(),
            honest: 600,
            honest_rate: 0.6,
            days: 2.0,
            release_day: Some(1.2),
            ..Scenario::empty()
        };
        let crowds: &[(Role, u32)] = match self.name {
            "phrase" => &[(Role::Phrase, 300)],
            "tutorial" => &[(Role::Tutorial, 150)],
            "plugin" => &[(Role::Plugin, 80)],
            "workflow" => &[(Role::Digest, 85)],
            "seats" => &[(Role::Seat, 100)],
            "shops" => &[(Role::Shop, 118)],
            "course" => &[(Role::Course, 64)],
            "homework" => &[(Role::Homework, 64)],
            "hackathon" => &[(Role::Hackathon, 80)],
            "launch" => &[(Role::Launch, 400)],
            "voucher" => &[(Role::Voucher, 150)],
            "turnover" => &[(Role::Turnover, 80)],
            "shared-list" => &[(Role::SharedList, 40)],
            "review-bot" => &[(Role::ReviewBot, 72)],
            "everybody" | "many" => &[
                (Role::Phrase, 150),
                (Role::Tutorial, 75),
                (Role::Plugin, 40),
                (Role::Digest, 42),
                (Role::Seat, 50),
                (Role::Shop, 59),
                (Role::Course, 32),
                (Role::Homework, 32),
                (Role::Hackathon, 40),
                (Role::Launch, 200),
                (Role::Voucher, 75),
                (Role::Turnover, 40),
                (Role::SharedList, 20),
                (Role::ReviewBot, 36),
            ],
            _ => &[],
        };
        scenario.crowds = crowds.iter().map(|&(role, accounts)| Crowd { role, accounts }).collect();
        match self.name {
            "plugin" | "workflow" => scenario.days = 4.0,
            "turnover" | "course" | "homework" => scenario.days = 3.0,
            "alike" => (scenario.alike, scenario.honest) = (true, 1_500),
            "many" => (scenario.days, scenario.honest) = (4.0, 2_000),
            "preamble-all" => scenario.preamble = Preamble { words: 300, ..Preamble::default() },
            "preamble-half" => scenario.preamble = Preamble { words: 40, share: 0.5, products: 1 },
            "preamble-products" => scenario.preamble = Preamble { words: 200, share: 1.0, products: 5 },
            "markup" => scenario.markup = true,
            _ => {}
        }
        scenario.campaigns = match (self.name, self.kind) {
            (_, WorldKind::Honest) => Vec::new(),
            ("many", _) => {
                (1..).zip(MANY).map(|(number, of)| Campaign { operator: number, ..campaign(of, of) }).collect()
            }
            _ => vec![campaign("c1", self.name)],
        };
        scenario
    }
}

/// The campaign of a hostile world.
fn campaign(name: &str, world: &str) -> Campaign {
    let base = Campaign { accounts: 120, requests: 30.0, ..Campaign::named(name) };
    let own = Campaign { sharing: 0.0, stack: Stack::Varied, ..base.clone() };
    let people = Campaign { schedule: Schedule::People, accounts: 100, days: 1.2, start_day: 0.5, ..own.clone() };
    match world {
        "relay" => Campaign {
            harvest: Harvest::Relay,
            schedule: Schedule::Users { people: 400 },
            balance: Balance::Lognormal(1.0),
            accounts: 60,
            requests: 40.0,
            start_day: 0.3,
            days: 1.6,
            ..base
        },
        "agents" => Campaign {
            harvest: Harvest::ToolUse,
            schedule: Schedule::Runs { calls: 8 },
            balance: Balance::Poisson,
            wordings: 40,
            worded_by: WordedBy::Account,
            variation: 0.3,
            accounts: 80,
            requests: 40.0,
            ..base
        },
        "paraphrases" => Campaign {
            harvest: Harvest::Paraphrases,
            balance: Balance::Uniform,
            accounts: 1_500,
            requests: 4.0,
            sharing: 0.2,
            start_day: 0.3,
            days: 1.5,
            ..base
        },
        "direct-german" => {
            Campaign { harvest: Harvest::Instructions, language: Language::German, sharing: 0.3, ..base }
        }
        "probing" => Campaign {
            harvest: Harvest::Techniques,
            wordings: 40,
            probing: 0.25,
            accounts: 100,
            requests: 40.0,
            ..base
        },
        "exits" => Campaign { harvest: Harvest::HumanPrompts, exits: 50, accounts: 80, requests: 12.0, ..base },
        "base64" => Campaign { encoding: Encoding::Base64, accounts: 80, requests: 20.0, ..base },
        "twice" => Campaign { copies: 2, accounts: 80, requests: 20.0, sharing: 0.0, ..base },
        "people-shared" => Campaign { sharing: 1.0, ..people },
        "people-own" => Campaign { sign_up: SignUp::Organic, ..people },
        "own" => Campaign {
            sign_up: SignUp::Batch { aged_days: 150.0, spread_hours: 24.0 * 120.0 },
            bans: Bans { share: 0.0, when: BanTime::Spread, replaced_minutes: 0.0 },
            ..own
        },
        "nine-in-ten" => Campaign { cover: 0.9, requests: 12.0, ..base },
        "prompts" => Campaign { harvest: Harvest::HumanPrompts, sharing: 0.8, balance: Balance::Uniform, ..base },
        _ => base,
    }
}

/// Those that come together in one world.
const MANY: [&str; 11] = [
    "template",
    "own",
    "relay",
    "agents",
    "direct-german",
    "probing",
    "exits",
    "base64",
    "nine-in-ten",
    "prompts",
    "people-shared",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_world_can_be_simulated_and_has_what_it_says() {
        for world in World::ALL {
            let scenario = world.scenario();
            assert_eq!(scenario.check(), Ok(()), "{}", world.name);
            assert_eq!(scenario.campaigns.is_empty(), world.kind == WorldKind::Honest, "{}", world.name);
            assert_eq!(World::by_name(world.name), Some(world));
        }
    }
}
