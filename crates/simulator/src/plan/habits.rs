//! Honest groups whose habits make them look like one hand: clocks, quotas, shared tools, courses, vouchers.
//!
//! Promises that each of them is a group of strangers, or of one organisation, as it is met outside: what they share is
//! the tool or the occasion, and nothing else. What accounts ask within it is their own.

use exchange::{Assurance, Network};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::account::Label;
use super::planner::Planner;
use super::request::{Arrival, Work};
use crate::arrival::{DAY, HOUR, MINUTE, Ms, agent_run};
use crate::draw::{chance, lognormal, normal, pick, poisson, shuffle};
use crate::network::{Place, SoftwareKind, mail_domain};
use crate::role::Role;
use crate::text::Habit;

impl Planner<'_> {
    /// Single requests of strangers, of which some bring a phrase that many know; how much each likes it differs.
    pub(super) fn phrase(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        for _ in 0..size {
            let account = self.draft(Label::Honest(Role::Phrase), SoftwareKind::Library);
            let liking = lognormal(rng, 0.07, 0.9).min(0.8);
            let count = lognormal(rng, 24.0, 0.7).min(400.0) * self.scenario.honest_rate;
            let habit = self.habit(account, 1.0, 1.0, rng);
            for number in 0..poisson(rng, count) {
                let work = if chance(rng, liking) { Work::Habit(Habit::Phrase, group) } else { Work::Chat };
                self.single(account, work, number, habit.time(self.end, rng));
            }
        }
    }

    /// Programs after one tutorial: single requests at any time, in very different numbers.
    pub(super) fn tutorial(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        for _ in 0..size {
            let account = self.draft(Label::Honest(Role::Tutorial), SoftwareKind::Library);
            let count = lognormal(rng, 12.0, 1.1).min(600.0) * self.scenario.honest_rate;
            let habit = self.habit(account, 1.0, 1.0, rng);
            for number in 0..poisson(rng, count) {
                let at = habit.time(self.end, rng);
                self.single(account, Work::Habit(Habit::Tutorial, group), number, at);
            }
        }
    }

    /// Sites with one plugin. The host's clock starts it at a fixed interval, to a few seconds; what it sends is the
    /// site's own. Owners came over years and have nothing in common.
    pub(super) fn plugin(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        let usual = pick(rng, &[60, 120, 240, 360]).copied().unwrap_or(240) * MINUTE;
        for _ in 0..size {
            let account = self.draft(Label::Honest(Role::Plugin), SoftwareKind::Library);
            let place = self.world.place(Network::Hosting, None, rng);
            if let Some(account) = self.account_mut(account) {
                account.places = vec![place];
                account.facts.created = -(rng.random_range(5.0..505.0) * DAY as f64) as Ms;
                account.facts.closed = None;
            }
            // Few change what the plugin comes with.
            let every = if chance(rng, 0.2) { usual * 2 } else { usual };
            let phase = rng.random_range(0..every);
            let beats = (0..).map(|beat| phase + beat * every).take_while(|&at| at < self.end);
            let times: Vec<Ms> = beats.map(|at| at + (normal(rng).abs() * 2000.0) as Ms).collect();
            for (number, at) in (0..).zip(times) {
                // Now and then there is nothing to do.
                if chance(rng, 0.95) {
                    self.single(account, Work::Habit(Habit::Plugin, group), number, at);
                }
            }
        }
    }

    /// Readers of the same feeds, each with a workflow at hours of his own, of which the feeds are a part.
    pub(super) fn digest(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        for _ in 0..size {
            let account = self.draft(Label::Honest(Role::Digest), SoftwareKind::Library);
            let (hour, runs) = (rng.random_range(0.0..24.0), 1 + poisson(rng, 1.5));
            let from = self.accounts.get(account as usize).map_or(0, |account| account.facts.created).max(0);
            let mut number = 0;
            for day in 0..=self.end / DAY {
                for run in 0..runs {
                    let at = day * DAY + ((hour + f64::from(run) * 24.0 / f64::from(runs)) * HOUR as f64) as Ms;
                    let at = at + rng.random_range(0..20_000);
                    if at >= from {
                        self.single(account, Work::Habit(Habit::Digest, group), number, at);
                    }
                    number += 1;
                }
            }
        }
    }

    /// Small firms, a few seats each, on one subscription with a daily quota that most seats use up.
    pub(super) fn seats(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        let quota = rng.random_range(12..30);
        let mut left = size;
        while left > 0 {
            let seats = rng.random_range(2..9).min(left);
            left -= seats;
            let (payment, domain) = (rng.random(), mail_domain(rng));
            let office = self.world.place(Network::Business, None, rng);
            let mut country = None;
            for _ in 0..seats {
                let account = self.draft(Label::Honest(Role::Seat), SoftwareKind::Browser);
                if let Some(account) = self.account_mut(account) {
                    account.facts.payment = Some(payment);
                    account.facts.email_domain.clone_from(&domain);
                    account.facts.plan = "team";
                    account.facts.closed = None;
                    account.facts.created = account.facts.created.min(-2 * DAY);
                    account.country = country.get_or_insert(account.country);
                    if chance(rng, 0.8) {
                        account.places = vec![office.clone()];
                    }
                }
                let habit = self.habit(account, 1.0, 3.0, rng);
                let mut session = 0;
                for day in -1..=self.end / DAY {
                    let mut today = if chance(rng, 0.85) { quota } else { rng.random_range(1..quota) };
                    while today > 0 {
                        let start = habit.time_of(day, rng);
                        let times: Vec<Ms> = habit.times(start, rng).into_iter().take(today as usize).collect();
                        today -= times.len() as u32;
                        let times: Vec<Ms> = times.into_iter().filter(|at| (0..self.end).contains(at)).collect();
                        self.session(account, Work::Habit(Habit::Seat, group), session, &times);
                        session += 1;
                    }
                }
            }
        }
    }

    /// Shops of a platform that has grown lately: its machines send for all of them, each shop pays with its own key.
    pub(super) fn shops(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        let places: Vec<Place> = (0..3).map(|_| self.world.place(Network::Hosting, None, rng)).collect();
        let software = self.world.software(SoftwareKind::Library, rng);
        for _ in 0..size {
            let account = self.draft(Label::Honest(Role::Shop), SoftwareKind::Library);
            let fresh = chance(rng, 0.35);
            let place = pick(rng, &places).cloned();
            let mut offset = 0.0;
            if let Some(account) = self.account_mut(account) {
                account.places = place.into_iter().collect();
                account.software.clone_from(&software);
                account.end_users = lognormal(rng, 30.0, 1.0) as u32 + 3;
                account.facts.email_domain = mail_domain(rng);
                account.facts.payment = Some(rng.random());
                account.facts.closed = None;
                account.facts.created = if fresh {
                    -(rng.random_range(1.0..30.0) * DAY as f64) as Ms
                } else {
                    account.facts.created.min(-30 * DAY)
                };
                offset = account.country.utc_offset;
            }
            let mean = lognormal(rng, 14.0, 1.1).min(400.0) * self.scenario.honest_rate;
            let times = self.profile(offset, rng).arrivals(mean, 0, self.end, rng);
            self.items(account, Work::Habit(Habit::Shop, group), 0, times, 1);
        }
    }

    /// Students of one course, with accounts made for it within days: each grades texts of her own by one rubric, in an
    /// evening or two.
    pub(super) fn course(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        let domain = mail_domain(rng);
        self.students(Role::Course, Work::Habit(Habit::Rubric, group), (size, 6..11, 4.0), &domain, rng);
    }

    /// Students who got keys by a script within a minute, and each label the same number of items of their own.
    pub(super) fn homework(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        let domain = mail_domain(rng);
        self.students(Role::Homework, Work::Habit(Habit::Label, group), (size, 12..13, 0.0003), &domain, rng);
    }

    /// Students: how many, how many items each, and within how many days they were enrolled.
    fn students(
        &mut self,
        role: Role,
        work: Work,
        (size, each, days): (u32, std::ops::Range<u32>, f64),
        domain: &str,
        rng: &mut ChaCha8Rng,
    ) {
        let campus = self.world.place(Network::Business, None, rng);
        let enrolled = -(rng.random_range(1.0..10.0) * DAY as f64) as Ms;
        let mut zone = None;
        for _ in 0..size {
            let account = self.draft(Label::Honest(role), SoftwareKind::Library);
            let at_campus = chance(rng, 0.5);
            if let Some(account) = self.account_mut(account) {
                let facts = &mut account.facts;
                facts.program = "education";
                facts.email_domain = domain.to_owned();
                facts.created = enrolled - (rng.random::<f64>() * days * DAY as f64) as Ms;
                facts.plan = "free";
                facts.payment = None;
                facts.closed = None;
                facts.assurance = Assurance::Email;
                if at_campus {
                    account.places = vec![campus.clone()];
                }
                account.country = zone.get_or_insert(account.country);
            }
            let habit = self.habit(account, 1.0, 2.0, rng);
            let mut left = rng.random_range(each.clone());
            let sittings = rng.random_range(1..3);
            let mut number = 0;
            for sitting in 0..sittings {
                let mut at = habit.time(self.end - 2 * HOUR, rng);
                let here = if sitting + 1 == sittings { left } else { left / 2 };
                left -= here;
                for _ in 0..here {
                    self.arrivals.push(Arrival { at, account, work, serial: number, session: sitting, turn: 0 });
                    at += (lognormal(rng, 2.5, 0.8) * MINUTE as f64) as Ms;
                    number += 1;
                }
            }
        }
    }

    /// People who signed up in the days of an offer and use its gallery of prompts in a part of what they do.
    pub(super) fn voucher(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        let offer = (self.end as f64 * 0.3) as Ms;
        for _ in 0..size {
            let account = self.draft(Label::Honest(Role::Voucher), SoftwareKind::Browser);
            let created = offer - (lognormal(rng, 8.0, 1.0) * HOUR as f64) as Ms + 6 * HOUR;
            if let Some(account) = self.account_mut(account) {
                account.facts.created = created;
                account.facts.program = "trial";
                account.facts.plan = "plus";
                account.facts.payment = None;
                account.facts.closed = None;
                account.facts.assurance = Assurance::Email;
            }
            let habit = self.habit(account, 1.2, 2.5, rng);
            let liking = rng.random::<f64>();
            let first = self.arrivals.len();
            self.converse(account, Work::Chat, habit, created, self.end, rng);
            for arrival in self.arrivals.iter_mut().skip(first) {
                if arrival.turn == 0 && chance(rng, liking) {
                    arrival.work = Work::Habit(Habit::Gallery, group);
                }
            }
        }
    }

    /// An organisation whose contractors leave together: their accounts are closed within minutes, and others carry on
    /// with the same tool.
    pub(super) fn turnover(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        let (payment, domain) = (rng.random(), mail_domain(rng));
        let office = self.world.place(Network::Business, None, rng);
        let change = (self.end as f64 * rng.random_range(0.4..0.6)) as Ms;
        for number in 0..size {
            let account = self.draft(Label::Honest(Role::Turnover), SoftwareKind::Library);
            let (leaves, comes) = (number % 2 == 0, number % 2 == 1);
            if let Some(account) = self.account_mut(account) {
                let facts = &mut account.facts;
                facts.payment = Some(payment);
                facts.email_domain.clone_from(&domain);
                facts.plan = "team";
                facts.assurance = Assurance::Business;
                facts.created = if comes { change - rng.random_range(0..2 * HOUR) } else { facts.created.min(-DAY) };
                facts.closed = leaves.then(|| change + rng.random_range(0..5 * MINUTE));
                account.places = vec![office.clone()];
            }
            let habit = self.habit(account, 2.0, 3.0, rng);
            let (from, to) = if comes { (change, self.end) } else { (0, change) };
            self.converse(account, Work::Habit(Habit::Seat, group), habit, from, to, rng);
        }
    }

    /// An open evaluation: every participant runs the same list with the same harness, some of it or all.
    pub(super) fn shared_list(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        let opens = (self.end as f64 * 0.2) as Ms;
        for _ in 0..size {
            let account = self.draft(Label::Honest(Role::SharedList), SoftwareKind::Library);
            if let Some(account) = self.account_mut(account) {
                account.facts.closed = None;
                account.facts.created = account.facts.created.min(opens - HOUR);
            }
            let mut items: Vec<u32> = (0..LIST_ITEMS).collect();
            if chance(rng, 0.4) {
                shuffle(rng, &mut items);
            }
            items.truncate(if chance(rng, 0.6) {
                LIST_ITEMS as usize
            } else {
                rng.random_range(5..LIST_ITEMS) as usize
            });
            let mut at = opens + (rng.random::<f64>() * (self.end - opens - 2 * HOUR).max(1) as f64) as Ms;
            let gap = lognormal(rng, 20_000.0, 0.7);
            for item in items {
                let work = Work::Habit(Habit::List, group);
                self.arrivals.push(Arrival { at, account, work, serial: item, session: 0, turn: 0 });
                at += (gap * rng.random_range(0.5..1.5)) as Ms;
            }
        }
    }

    /// Repositories of strangers with one review bot on rented machines: a loop of calls for each push, in the hours in
    /// which people push; two thirds of them took it up when it came out.
    pub(super) fn review_bot(&mut self, group: u32, size: u32, rng: &mut ChaCha8Rng) {
        let runners: Vec<Place> = (0..14).map(|_| self.world.place(Network::Hosting, None, rng)).collect();
        for _ in 0..size {
            let account = self.draft(Label::Honest(Role::ReviewBot), SoftwareKind::Library);
            let fresh = chance(rng, 0.66);
            if let Some(account) = self.account_mut(account) {
                account.places.clone_from(&runners);
                account.rotates = true;
                account.facts.closed = None;
                account.facts.created = if fresh {
                    -(rng.random_range(0.5..7.0) * DAY as f64) as Ms
                } else {
                    account.facts.created.min(-7 * DAY)
                };
            }
            let habit = self.habit(account, 0.9, 1.0, rng);
            let pushes = poisson(rng, habit.sessions * self.end as f64 / DAY as f64 * self.scenario.honest_rate);
            for number in 0..pushes {
                let run = agent_run(habit.time(self.end, rng), rng);
                self.session(account, Work::Habit(Habit::Review, group), number, &run);
            }
        }
    }

    fn single(&mut self, account: u32, work: Work, number: u32, at: Ms) {
        self.arrivals.push(Arrival { at, account, work, serial: number, session: number, turn: 0 });
    }
}

/// Items of the list that everybody runs.
const LIST_ITEMS: u32 = 40;
