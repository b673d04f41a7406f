//! Honest accounts: people, programs, and every kind of group that looks like a campaign and is none.

use exchange::{Assurance, Network, Operation};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::account::Label;
use super::planner::Planner;
use super::request::{Arrival, Work};
use crate::arrival::{DAY, HOUR, Habit, MINUTE, Ms, Profile, agent_run};
use crate::draw::{chance, exponential, lognormal, normal, rounded};
use crate::network::{SoftwareKind, mail_domain};
use crate::role::Role;

impl Role {
    /// All roles with their share of honest accounts and the least there are of each.
    pub(crate) const MIX: [(Role, f64, u32); 14] = [
        (Role::Chat, 0.44, 1),
        (Role::Developer, 0.18, 1),
        (Role::Saas, 0.01, 1),
        (Role::PublicAgent, 0.09, 1),
        (Role::PromptLibrary, 0.04, 1),
        (Role::Enterprise, 0.05, 3),
        (Role::Evaluation, 0.003, 2),
        (Role::Batch, 0.01, 1),
        (Role::Class, 0.04, 5),
        (Role::Hackathon, 0.025, 4),
        (Role::SharedNetwork, 0.05, 3),
        (Role::LoadTest, 0.001, 1),
        (Role::Research, 0.002, 2),
        (Role::Launch, 0.06, 2),
    ];

    /// Whether each account of this kind is on its own, rather than one of a group.
    fn alone(self) -> bool {
        matches!(
            self,
            Role::Chat
                | Role::Developer
                | Role::Saas
                | Role::PublicAgent
                | Role::PromptLibrary
                | Role::Evaluation
                | Role::Batch
                | Role::LoadTest
                | Role::Launch
        )
    }
}

impl Planner<'_> {
    /// Everybody honest.
    pub(super) fn honest(&mut self) {
        self.crowds();
        if self.scenario.honest == 0 {
            return;
        }
        let takes_part = |role: Role| self.scenario.roles.is_empty() || self.scenario.roles.contains(&role);
        let whole: f64 = Role::MIX.iter().filter(|(role, ..)| takes_part(*role)).map(|(_, share, _)| share).sum();
        for (number, &(role, share, least)) in (0..).zip(&Role::MIX).filter(|(_, (role, ..))| takes_part(*role)) {
            let mut rng = self.rng(ROLE, number);
            let count = rounded(&mut rng, f64::from(self.scenario.honest) * share / whole).max(least);
            let mut left = count;
            let mut group = 0;
            while left > 0 {
                let size = group_size(role, &mut rng).clamp(1, left);
                // A rest too small to be a group joins the last one.
                let size = if size > 1 && left - size < least { left } else { size };
                self.group(role, group, size, &mut rng);
                left -= size;
                group += 1;
            }
        }
    }

    /// Groups that a scenario names beside the mix.
    fn crowds(&mut self) {
        for (number, crowd) in (CROWDS..).zip(&self.scenario.crowds) {
            let mut rng = self.rng(CROWD, number.into());
            let (mut left, alone) = (crowd.accounts, crowd.role.alone());
            while left > 0 {
                let size = if alone { 1 } else { left };
                self.group(crowd.role, number, size, &mut rng);
                left -= size;
            }
        }
    }

    fn group(&mut self, role: Role, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        match role {
            Role::Chat => self.person(role, Work::Chat, 0.5, rng),
            Role::Developer => self.developer(rng),
            Role::Saas => self.product(group, rng),
            Role::PublicAgent => self.agent(role, rng.random_range(0..AGENTS), rng),
            Role::PromptLibrary => self.agent(role, AGENTS + skewed(PATTERNS, rng), rng),
            Role::Enterprise => self.enterprise(group, size, rng),
            Role::Evaluation => self.evaluation(group, rng),
            Role::Batch => self.batch(group, rng),
            Role::Class => self.class(group, size, rng),
            Role::Hackathon => self.hackathon(group, size, rng),
            Role::SharedNetwork => self.shared_network(size, rng),
            Role::LoadTest => self.load_test(group, rng),
            Role::Research => self.research(group, size, rng),
            Role::Launch => self.launch(rng),
            Role::Phrase => self.phrase(group, size, rng),
            Role::Tutorial => self.tutorial(group, size, rng),
            Role::Plugin => self.plugin(group, size, rng),
            Role::Digest => self.digest(group, size, rng),
            Role::Seat => self.seats(group, size, rng),
            Role::Shop => self.shops(group, size, rng),
            Role::Course => self.course(group, size, rng),
            Role::Homework => self.homework(group, size, rng),
            Role::Voucher => self.voucher(group, size, rng),
            Role::Turnover => self.turnover(group, size, rng),
            Role::SharedList => self.shared_list(group, size, rng),
            Role::ReviewBot => self.review_bot(group, size, rng),
        }
    }

    /// Requests of a person from sign-up on.
    pub(super) fn converse(&mut self, account: u32, work: Work, habit: Habit, from: Ms, to: Ms, rng: &mut ChaCha8Rng) {
        let habit = Habit { sessions: habit.sessions * self.scenario.honest_rate, ..habit };
        let from = from.max(self.accounts.get(account as usize).map_or(0, |account| account.facts.created)).max(0);
        for (number, session) in (0..).zip(habit.sessions(from, to, rng)) {
            self.session(account, work, number, &session.times);
        }
    }

    pub(super) fn session(&mut self, account: u32, work: Work, number: u32, times: &[Ms]) {
        for (turn, &at) in (0..).zip(times) {
            self.arrivals.push(Arrival { at, account, work, serial: number, session: number, turn });
        }
    }

    /// Single requests, one after the other, each an item of its own.
    pub(super) fn items(
        &mut self,
        account: u32,
        work: Work,
        first: u32,
        times: impl IntoIterator<Item = Ms>,
        per_session: u32,
    ) {
        for (number, at) in (0..).zip(times) {
            let serial = first + number;
            self.arrivals.push(Arrival { at, account, work, serial, session: number / per_session, turn: 0 });
        }
    }

    /// A person; drafted, with habits of its own.
    pub(super) fn habit(&self, account: u32, median_sessions: f64, turns: f64, rng: &mut ChaCha8Rng) -> Habit {
        let utc_offset = self.accounts.get(account as usize).map_or(0.0, |account| account.country.utc_offset);
        Habit::draw(utc_offset, median_sessions, turns, rng)
    }

    fn person(&mut self, role: Role, work: Work, median_sessions: f64, rng: &mut ChaCha8Rng) {
        let browser = chance(rng, 0.85);
        let account =
            self.draft(Label::Honest(role), if browser { SoftwareKind::Browser } else { SoftwareKind::Library });
        let habit = self.habit(account, median_sessions, 2.5, rng);
        self.converse(account, work, habit, 0, self.end, rng);
    }

    fn developer(&mut self, rng: &mut ChaCha8Rng) {
        let account = self.draft(Label::Honest(Role::Developer), SoftwareKind::Library);
        let habit = self.habit(account, 0.8, 4.0, rng);
        if chance(rng, 0.4) {
            return self.runs(account, Work::Coding, habit, rng);
        }
        self.converse(account, Work::Coding, habit, 0, self.end, rng);
    }

    /// An agent's runs: the same days as a person's, but bursts of calls.
    pub(super) fn runs(&mut self, account: u32, work: Work, habit: Habit, rng: &mut ChaCha8Rng) {
        let habit = Habit { turns: 1.0, sessions: habit.sessions * self.scenario.honest_rate, ..habit };
        let from = self.accounts.get(account as usize).map_or(0, |account| account.facts.created).max(0);
        for (number, session) in (0..).zip(habit.sessions(from, self.end, rng)) {
            for start in session.times {
                let run = agent_run(start, rng);
                self.session(account, work, number, &run);
            }
        }
    }

    fn agent(&mut self, role: Role, template: u32, rng: &mut ChaCha8Rng) {
        let account = self.draft(Label::Honest(role), SoftwareKind::Library);
        let habit = self.habit(account, 0.6, 2.0, rng);
        let work = Work::Agent(template);
        if role == Role::PublicAgent {
            return self.runs(account, work, habit, rng);
        }
        self.converse(account, work, habit, 0, self.end, rng);
    }

    fn product(&mut self, group: u32, rng: &mut ChaCha8Rng) {
        let account = self.draft(Label::Honest(Role::Saas), SoftwareKind::Library);
        let place = self.world.place(Network::Hosting, None, rng);
        let mut offset = 0.0;
        if let Some(account) = self.account_mut(account) {
            account.places = vec![place];
            account.end_users = lognormal(rng, 1500.0, 1.0) as u32 + 50;
            account.facts.plan = "scale";
            account.facts.closed = None;
            account.facts.created = account.facts.created.min(-20 * DAY);
            offset = account.country.utc_offset;
        }
        let mean = lognormal(rng, 250.0, 1.1).min(6000.0) * self.scenario.honest_rate;
        let times = self.profile(offset, rng).arrivals(mean, 0, self.end, rng);
        self.items(account, Work::Product(group), 0, times, 1);
    }

    pub(super) fn profile(&self, offset: f64, rng: &mut ChaCha8Rng) -> Profile {
        match self.world.profile(rng) {
            Some(profile) => profile,
            None => Profile::diurnal(offset, 0.75, rng),
        }
    }

    /// One customer: in turn with a verified organisation, without one (but checked, with one payer and mail domain),
    /// and as few accounts with hundreds of keys.
    fn enterprise(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        let (verified, many_keys) = (matches!(group % 3, 0), matches!(group % 3, 2));
        let (payment, org, domain) = (rng.random(), rng.random(), mail_domain(rng));
        let office = self.world.place(Network::Business, None, rng);
        let tool = Work::Product(ENTERPRISE_TOOLS + group);
        for _ in 0..size {
            let account = self.draft(Label::Honest(Role::Enterprise), SoftwareKind::Library);
            if let Some(account) = self.account_mut(account) {
                let facts = &mut account.facts;
                facts.payment = Some(payment);
                facts.email_domain.clone_from(&domain);
                facts.plan = "enterprise";
                facts.closed = None;
                facts.assurance = if verified { Assurance::Contract } else { Assurance::Business };
                facts.org = (verified || many_keys).then_some(org);
                account.keys = if many_keys { rng.random_range(100..400) } else { rng.random_range(1..12) };
                if chance(rng, 0.7) {
                    account.places = vec![office.clone()];
                }
            }
            let habit = self.habit(account, 1.5, 3.0, rng);
            // Half of the traffic comes from the company's own tool, the rest from its developers.
            let times = self.profile(habit.utc_offset, rng);
            let mean = lognormal(rng, 10.0, 1.0) * self.scenario.honest_rate;
            let times = times.arrivals(mean, 0, self.end, rng);
            self.items(account, tool, 0, times, 1);
            self.converse(account, Work::Coding, habit, 0, self.end, rng);
        }
    }

    /// Every item once, in order or shuffled by the harness, within hours; several organisations take the same suite.
    fn evaluation(&mut self, group: u32, rng: &mut ChaCha8Rng) {
        let account = self.draft(Label::Honest(Role::Evaluation), SoftwareKind::Library);
        let items = (400.0 * self.scenario.honest_rate.min(1.0)) as u32 + 20;
        let gap = (rng.random_range(2.0..8.0) * HOUR as f64) / f64::from(items);
        let start = rng.random::<f64>() * (self.end as f64 - gap * f64::from(items)).max(0.0);
        if let Some(account) = self.account_mut(account) {
            account.facts.org = chance(rng, 0.5).then(|| rng.random());
            account.settings.temperature = Some(0.0);
        }
        let mut at = start;
        let times: Vec<Ms> = (0..items)
            .map(|_| {
                at += exponential(rng, gap);
                at as Ms
            })
            .collect();
        self.items(account, Work::Benchmark(group % BENCHMARKS), 0, times, 1);
    }

    fn batch(&mut self, group: u32, rng: &mut ChaCha8Rng) {
        let account = self.draft(Label::Honest(Role::Batch), SoftwareKind::Library);
        if let Some(account) = self.account_mut(account) {
            account.operation = if chance(rng, 0.3) { Operation::Batch } else { account.operation };
            account.settings.temperature = Some(0.0);
            account.places.truncate(1);
        }
        let profile = Profile::nightly(rng.random_range(0.0..24.0), rng.random_range(0.5..3.0));
        let mean = lognormal(rng, 200.0, 0.8).min(3000.0) * self.scenario.honest_rate;
        let times = profile.arrivals(mean, 0, self.end, rng);
        self.items(account, Work::Batch(group), 0, times, u32::MAX);
    }

    fn class(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        let domain = mail_domain(rng);
        let campus = self.world.place(Network::Business, None, rng);
        let day = rng.random_range(0..(self.end / DAY).max(1)) * DAY;
        let mut utc_offset = None;
        let evening = day + (19.0 * HOUR as f64) as Ms;
        let exercises = rng.random_range(1..4);
        for _ in 0..size {
            let account = self.draft(Label::Honest(Role::Class), SoftwareKind::Browser);
            if let Some(account) = self.account_mut(account) {
                let facts = &mut account.facts;
                facts.program = "education";
                facts.email_domain.clone_from(&domain);
                facts.created = -(rng.random_range(0.2..20.0) * DAY as f64) as Ms;
                facts.plan = "free";
                facts.payment = None;
                facts.assurance = Assurance::Email;
                if chance(rng, 0.75) {
                    account.places = vec![campus.clone()];
                }
            }
            // The class is in one time zone, that of its first student.
            let own = self.accounts.get(account as usize).map_or(0.0, |account| account.country.utc_offset);
            let utc_offset = *utc_offset.get_or_insert(own);
            let mut at = evening as f64 - utc_offset * HOUR as f64 + normal(rng) * HOUR as f64;
            // Evenings of the Americas are in the next day of UTC.
            if at >= self.end as f64 {
                at -= DAY as f64;
            }
            for exercise in 0..exercises {
                for again in 0..1 + rounded(rng, 0.6) {
                    let session = exercise * 8 + again;
                    let work = Work::Class(group);
                    let arrival = Arrival { at: at.max(0.0) as Ms, account, work, serial: exercise, session, turn: 0 };
                    self.arrivals.push(arrival);
                    at += lognormal(rng, 6.0, 0.8) * MINUTE as f64;
                }
            }
            if chance(rng, 0.4) {
                let habit = self.habit(account, 0.3, 2.0, rng);
                self.converse(account, Work::Chat, habit, 0, self.end, rng);
            }
        }
    }

    fn hackathon(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        let venue = self.world.place(Network::Business, None, rng);
        let days = (self.end / DAY).max(1);
        let start = rng.random_range(0..days) * DAY + rng.random_range(6..14) * HOUR;
        let hours = if start + 30 * HOUR < self.end { 30 } else { 12 };
        let program = if chance(rng, 0.5) { "startup" } else { "trial" };
        for _ in 0..size {
            let account = self.draft(Label::Honest(Role::Hackathon), SoftwareKind::Library);
            if let Some(account) = self.account_mut(account) {
                account.facts.program = program;
                account.facts.created = start - (rng.random_range(-1.0..60.0) * HOUR as f64) as Ms;
                account.facts.plan = "free";
                account.facts.payment = None;
                account.facts.assurance = Assurance::Email;
                if chance(rng, 0.85) {
                    account.places = vec![venue.clone()];
                }
            }
            let created = self.accounts.get(account as usize).map_or(0, |account| account.facts.created);
            let mean = lognormal(rng, 5.0, 0.8) * self.scenario.honest_rate;
            let runs = 1 + rounded(rng, mean);
            for number in 0..runs {
                let at = start + (rng.random::<f64>() * (hours * HOUR) as f64) as Ms;
                let run = agent_run(at.max(created + MINUTE), rng);
                self.session(account, Work::Hackathon(group), number, &run);
            }
        }
    }

    fn shared_network(&mut self, size: u32, rng: &mut ChaCha8Rng) {
        let network = if chance(rng, 0.6) { Network::Mobile } else { Network::Business };
        let exits: Vec<_> = (0..3).map(|_| self.world.place(network, None, rng)).collect();
        let first = exits.first().map(|place| place.system);
        for _ in 0..size {
            let account = self.draft(Label::Honest(Role::SharedNetwork), SoftwareKind::Browser);
            let mut places: Vec<_> = exits.iter().filter(|place| Some(place.system) == first).cloned().collect();
            crate::draw::shuffle(rng, &mut places);
            if let Some(account) = self.account_mut(account) {
                account.places = places;
            }
            let habit = self.habit(account, 0.5, 2.5, rng);
            self.converse(account, Work::Chat, habit, 0, self.end, rng);
        }
    }

    fn load_test(&mut self, group: u32, rng: &mut ChaCha8Rng) {
        let account = self.draft(Label::Honest(Role::LoadTest), SoftwareKind::Library);
        let requests = (1500.0 * self.scenario.honest_rate) as u32;
        let start = rng.random::<f64>() * (self.end - HOUR).max(0) as f64;
        let times: Vec<Ms> =
            (0..requests).map(|_| (start + rng.random::<f64>() * 30.0 * MINUTE as f64) as Ms).collect();
        self.items(account, Work::LoadTest(group), 0, times, 1);
    }

    /// Approved, contracted, and otherwise just like a campaign: sharded work, even rates.
    fn research(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        let (org, payment, domain) = (rng.random(), rng.random(), mail_domain(rng));
        let place = self.world.place(Network::Business, None, rng);
        for shard in 0..size {
            let account = self.draft(Label::Honest(Role::Research), SoftwareKind::Library);
            if let Some(account) = self.account_mut(account) {
                account.facts.org = Some(org);
                account.facts.payment = Some(payment);
                account.facts.email_domain.clone_from(&domain);
                account.facts.program = "research";
                account.facts.assurance = Assurance::Contract;
                account.facts.closed = None;
                account.facts.created = account.facts.created.min(-30 * DAY);
                account.places = vec![place.clone()];
            }
            let mean = 250.0 * self.scenario.honest_rate;
            let times = Profile::diurnal(0.0, 0.2, rng).arrivals(mean, 0, self.end, rng);
            self.items(account, Work::Research(group), shard * 100_000, times, 20);
        }
    }

    /// Unrelated people who come at once, because there is something new.
    fn launch(&mut self, rng: &mut ChaCha8Rng) {
        let launch = self.release().unwrap_or(self.end * 2 / 5);
        let account = self.draft(Label::Honest(Role::Launch), SoftwareKind::Browser);
        let first = launch + (lognormal(rng, 4.0, 1.0) * HOUR as f64) as Ms;
        if let Some(account) = self.account_mut(account) {
            account.adoption.after = 0;
            if chance(rng, 0.7) {
                account.facts.created = first - (lognormal(rng, 10.0, 1.0) * MINUTE as f64) as Ms;
            }
        }
        let habit = self.habit(account, 1.0, 2.5, rng);
        let times = habit.times(first, rng);
        self.session(account, Work::Chat, FIRST_SESSION, &times);
        self.converse(account, Work::Chat, habit, first + HOUR, self.end, rng);
    }
}

/// How many accounts a group has; 1 where everybody is on his own.
fn group_size(role: Role, rng: &mut ChaCha8Rng) -> u32 {
    match role {
        Role::Enterprise => lognormal(rng, 40.0, 0.6) as u32,
        Role::Class => rng.random_range(24..70),
        Role::Hackathon => rng.random_range(30..90),
        Role::SharedNetwork => lognormal(rng, 60.0, 0.5) as u32,
        Role::Research => rng.random_range(1..5),
        _ => 1,
    }
}

/// A number below `count`, the small ones far more often: popularity.
fn skewed(count: u32, rng: &mut ChaCha8Rng) -> u32 {
    let u: f64 = rng.random();
    (libm::pow(u, 2.5) * f64::from(count)) as u32
}

const ROLE: u64 = 0x726f;
const CROWD: u64 = 0x6372;
/// Where the numbers of crowds begin among the groups.
const CROWDS: u32 = 100_000;
/// Popular agents, and after them the patterns of a prompt library.
const AGENTS: u32 = 5;
const PATTERNS: u32 = 40;
const BENCHMARKS: u32 = 2;
/// Where the numbers of enterprises' own tools begin among the products.
const ENTERPRISE_TOOLS: u32 = 1_000_000;
/// A session number that no habit reaches.
const FIRST_SESSION: u32 = 1_000_000;
