//! Campaigns: a work list, accounts to spread it over, and what is done against being seen.

use exchange::{Assurance, Network, Operation};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use super::account::{Adoption, Label, Settings};
use super::draft::operation;
use super::planner::Planner;
use super::request::{Arrival, Work};
use crate::arrival::{DAY, HOUR, Habit, MINUTE, Ms};
use crate::draw::{chance, exponential, lognormal, normal, pick, poisson, shuffle};
use crate::network::{Place, Software, SoftwareKind, country, mail_domain};
use crate::scenario::{Balance, BanTime, Campaign, Harvest, Schedule, SignUp, Stack};

/// How many different items the corpora hold for each campaign; `None` where they are made without end.
pub(crate) type Capacity = Vec<Option<u32>>;

/// A place in the pool: one account, and after a ban another.
struct Slot {
    account: u32,
    banned: Ms,
    /// Its replacement and from when on it works.
    next: Option<(u32, Ms)>,
}

/// What the accounts of one operator may share.
struct Infrastructure {
    cards: Vec<u64>,
    domains: Vec<String>,
    places: Vec<Place>,
    exits: Vec<Place>,
    programs: Vec<&'static str>,
}

/// What the accounts of a uniform campaign send.
struct Client {
    software: Software,
    settings: Settings,
    operation: Operation,
    model: u8,
}

impl Planner<'_> {
    /// All campaigns.
    pub(super) fn campaigns(&mut self, capacity: &Capacity) {
        let scenario = self.scenario;
        for (number, campaign) in (0..).zip(&scenario.campaigns) {
            let room = capacity.get(number as usize).copied().flatten();
            self.campaign(number, campaign, room);
        }
    }

    fn campaign(&mut self, number: u32, campaign: &Campaign, room: Option<u32>) {
        let mut rng = self.rng(CAMPAIGN, u64::from(number));
        let start = (campaign.start_day * DAY as f64) as Ms;
        let end = (start + (campaign.days * DAY as f64) as Ms).min(self.end);
        if start >= end {
            self.notes.push(format!("campaign `{}` begins after the end and is left out", campaign.name));
            return;
        }
        let infrastructure = self.infrastructure(campaign);
        let client = self.client(&mut rng);
        let slots: Vec<Slot> = (0..campaign.accounts)
            .map(|_| self.slot(number, campaign, (start, end), &infrastructure, &client, &mut rng))
            .collect();
        let first = self.arrivals.len();
        match campaign.schedule {
            Schedule::People => self.as_people(number, campaign, &slots, (start, end), &mut rng),
            Schedule::Users { people } => self.relay(number, campaign, &slots, people, (start, end), &mut rng),
            _ => self.work_list(number, campaign, &slots, (start, end), room, &mut rng),
        }
        self.copy(campaign, first, &mut rng);
        self.cover(campaign, first, end, &mut rng);
    }

    /// Shared things belong to the operator, so that its campaigns share them.
    fn infrastructure(&self, campaign: &Campaign) -> Infrastructure {
        let mut rng = self.rng(OPERATOR, u64::from(campaign.operator));
        let of = |accounts_each: u32| campaign.accounts.div_ceil(accounts_each).max(1);
        let cards = (0..of(25)).map(|_| rng.random()).collect();
        let mut rng = self.rng(OPERATOR, u64::from(campaign.operator) | 1 << 32);
        let domains = (0..of(60))
            .map(|_| if chance(&mut rng, 0.5) { self.world.throwaway(&mut rng) } else { mail_domain(&mut rng) })
            .collect();
        let mut rng = self.rng(OPERATOR, u64::from(campaign.operator) | 2 << 32);
        let mut place = || {
            let network = if chance(&mut rng, 0.75) { Network::Hosting } else { Network::Vpn };
            let place = self.world.place(network, None, &mut rng);
            Place { spread: 40, ..place }
        };
        let places = (0..of(30)).map(|_| place()).collect();
        let exits = (0..campaign.exits).map(|_| place()).collect();
        let mut rng = self.rng(OPERATOR, u64::from(campaign.operator) | 3 << 32);
        let mut programs = ABUSED.to_vec();
        shuffle(&mut rng, &mut programs);
        programs.truncate(2);
        Infrastructure { cards, domains, places, exits, programs }
    }

    fn client(&self, rng: &mut impl Rng) -> Client {
        let software = self.world.software(SoftwareKind::Library, rng);
        Client {
            settings: Settings::draw(SoftwareKind::Library, rng),
            operation: operation(&software.user_agent, rng),
            software,
            model: 0,
        }
    }

    fn slot(
        &mut self,
        number: u32,
        campaign: &Campaign,
        (start, end): (Ms, Ms),
        infrastructure: &Infrastructure,
        client: &Client,
        rng: &mut ChaCha8Rng,
    ) -> Slot {
        let account = self.enrol(number, campaign, start, infrastructure, client, rng);
        if !chance(rng, campaign.bans.share) {
            return Slot { account, banned: Ms::MAX, next: None };
        }
        let banned = match campaign.bans.when {
            BanTime::Spread => rng.random_range(start..end),
            BanTime::Together(share) => start + (share * (end - start) as f64) as Ms + rng.random_range(0..BAN_SPREAD),
        };
        let delay = campaign.bans.replaced_minutes * rng.random_range(0.5..1.5);
        let from = banned + (delay * MINUTE as f64) as Ms;
        let next = self.enrol(number, campaign, from, infrastructure, client, rng);
        if let Some(account) = self.account_mut(account) {
            account.facts.closed = Some(banned);
        }
        Slot { account, banned, next: Some((next, from)) }
    }

    /// An account like anybody's, with what the campaign's knobs change about it.
    fn enrol(
        &mut self,
        number: u32,
        campaign: &Campaign,
        first_use: Ms,
        infrastructure: &Infrastructure,
        client: &Client,
        rng: &mut ChaCha8Rng,
    ) -> u32 {
        let people = campaign.schedule == Schedule::People && chance(rng, 0.85);
        let kind = if people { SoftwareKind::Browser } else { SoftwareKind::Library };
        let number = self.draft(Label::Campaign(number), kind);
        let Some(account) = self.account_mut(number) else { return number };
        if campaign.schedule != Schedule::People {
            account.facts.closed = None;
            account.facts.created = account.facts.created.min(first_use - HOUR);
        }
        if !matches!(campaign.harvest, Harvest::HumanPrompts | Harvest::Relay) {
            account.language = campaign.language;
        }
        if let SignUp::Batch { aged_days, spread_hours } = campaign.sign_up {
            let early = (rng.random::<f64>() - 0.5) * spread_hours * HOUR as f64;
            let created = campaign.start_day * DAY as f64 - aged_days * DAY as f64 + early;
            account.facts.created = (created as Ms).min(first_use - 10 * MINUTE);
            if chance(rng, 0.6) {
                account.facts.program = pick(rng, &infrastructure.programs).copied().unwrap_or("trial");
            }
        }
        let mut shares = || chance(rng, campaign.sharing);
        let (card, domain, place) = (shares(), shares(), shares());
        if card {
            account.facts.payment = pick(rng, &infrastructure.cards).copied();
            if account.facts.plan == "free" {
                account.facts.plan = "payg";
                account.facts.assurance = Assurance::Payment;
            }
        }
        if let (true, Some(domain)) = (domain, pick(rng, &infrastructure.domains)) {
            account.facts.email_domain.clone_from(domain);
        }
        if let (true, Some(place)) = (place, pick(rng, &infrastructure.places)) {
            account.places = vec![place.clone()];
        }
        if !infrastructure.exits.is_empty() {
            account.places.clone_from(&infrastructure.exits);
            account.rotates = true;
        }
        if campaign.stack == Stack::Uniform {
            account.software.clone_from(&client.software);
            account.settings = client.settings;
            account.operation = client.operation;
            account.model = client.model;
        }
        match campaign.harvest {
            Harvest::ReasoningTrace | Harvest::Techniques | Harvest::Paraphrases
                if campaign.stack == Stack::Uniform =>
            {
                account.settings.reasoning_effort = Some("high");
            }
            Harvest::Logits => {
                account.settings.logprobs = Some(true);
                account.settings.top_logprobs = Some(20);
            }
            _ => {}
        }
        if chance(rng, campaign.pivot) {
            account.adoption = Adoption { after: rng.random_range(0..DAY) };
        }
        number
    }

    /// The work list, item by item, each to the account whose turn it is.
    fn work_list(
        &mut self,
        number: u32,
        campaign: &Campaign,
        slots: &[Slot],
        (start, end): (Ms, Ms),
        room: Option<u32>,
        rng: &mut ChaCha8Rng,
    ) {
        let wanted = (f64::from(campaign.accounts) * campaign.requests / (1.0 + campaign.overlap)).round() as u32;
        let items = room.unwrap_or(u32::MAX).min(wanted);
        if items < wanted {
            let name = &campaign.name;
            self.notes.push(format!("campaign `{name}` has {items} items in the corpora, {wanted} were asked for"));
        }
        let again = (0..items).filter(|_| chance(rng, campaign.overlap)).collect::<Vec<u32>>();
        if let Schedule::Runs { calls } = campaign.schedule {
            return self.runs_of_items(number, campaign, slots, (items, calls), (start, end), rng);
        }
        let spans = spans(campaign.schedule, start, end, rng);
        let mut list: Vec<(u32, Ms)> = Vec::with_capacity(items as usize + again.len());
        let mut times: Vec<Ms> = (0..items).map(|_| within(&spans, rng)).collect();
        times.sort_unstable();
        list.extend((0..items).zip(times));
        list.extend(again.into_iter().map(|item| (item, within(&spans, rng))));
        let order = order(campaign.balance, slots.len(), list.len(), rng);
        let mut sent = vec![0_u32; slots.len() * 2];
        for ((item, at), turn) in list.into_iter().zip(order) {
            let Some((account, at)) = who(slots, turn, at, rng) else { continue };
            let count = sent.get_mut(turn);
            let session = count.map_or(0, |count| {
                *count += 1;
                (*count - 1) / campaign.session_requests
            });
            self.arrivals.push(Arrival { at, account, work: Work::Campaign(number), serial: item, session, turn: 0 });
        }
    }

    /// The work list in runs: a dispatcher gives an account some items, which it works off within minutes.
    fn runs_of_items(
        &mut self,
        number: u32,
        campaign: &Campaign,
        slots: &[Slot],
        (items, calls): (u32, u32),
        (start, end): (Ms, Ms),
        rng: &mut ChaCha8Rng,
    ) {
        let mut runs: Vec<std::ops::Range<u32>> = Vec::new();
        let mut next = 0;
        while next < items {
            let length = (lognormal(rng, f64::from(calls), 0.6) as u32).clamp(1, items - next);
            runs.push(next..next + length);
            next += length;
        }
        let order = order(campaign.balance, slots.len(), runs.len(), rng);
        for ((session, run), turn) in (0..).zip(runs).zip(order) {
            let at = rng.random_range(start..end);
            let Some((account, mut at)) = who(slots, turn, at, rng) else { continue };
            for item in run {
                self.arrivals.push(Arrival {
                    at,
                    account,
                    work: Work::Campaign(number),
                    serial: item,
                    session,
                    turn: 0,
                });
                at += (exponential(rng, 8000.0) + 1500.0) as Ms;
            }
        }
    }

    /// People behind a product, each with hours and habits of his own; every conversation goes through one account.
    fn relay(
        &mut self,
        number: u32,
        campaign: &Campaign,
        slots: &[Slot],
        people: u32,
        (start, end): (Ms, Ms),
        rng: &mut ChaCha8Rng,
    ) {
        let wanted = f64::from(campaign.accounts) * campaign.requests;
        let days = (end - start) as f64 / DAY as f64;
        let habits: Vec<Habit> = (0..people).map(|_| Habit::draw(country(rng).utc_offset, 1.0, 2.5, rng)).collect();
        let expected: f64 = habits.iter().map(|habit| habit.sessions * habit.turns * days).sum();
        let factor = wanted / expected.max(1e-9);
        let mut talks = Vec::new();
        for (person, habit) in (0..).zip(&habits) {
            let habit = Habit { sessions: habit.sessions * factor, ..*habit };
            talks.extend(habit.sessions(start, end, rng).into_iter().map(|session| (person, session.times)));
        }
        let order = order(campaign.balance, slots.len(), talks.len(), rng);
        for ((session, (person, times)), turn) in (0..).zip(talks).zip(order) {
            let Some(&first) = times.first() else { continue };
            let Some((account, from)) = who(slots, turn, first, rng) else { continue };
            for (turn, at) in (0..).zip(times) {
                let at = at + from - first;
                self.arrivals.push(Arrival {
                    at,
                    account,
                    work: Work::Campaign(number),
                    serial: person,
                    session,
                    turn,
                });
            }
        }
    }

    /// Sends each request of the campaign again, seconds later.
    fn copy(&mut self, campaign: &Campaign, first: usize, rng: &mut ChaCha8Rng) {
        let once: Vec<Arrival> = self.arrivals.iter().skip(first).copied().collect();
        for copy in 1..campaign.copies {
            for arrival in &once {
                let at = arrival.at + rng.random_range(500..9000);
                let session = arrival.session + copy * COPY_SESSIONS;
                self.arrivals.push(Arrival { at, session, ..*arrival });
            }
        }
    }

    /// Every account lives as a person does.
    fn as_people(
        &mut self,
        number: u32,
        campaign: &Campaign,
        slots: &[Slot],
        (start, end): (Ms, Ms),
        rng: &mut ChaCha8Rng,
    ) {
        for slot in slots {
            let lives = [(slot.account, start, slot.banned.min(end))];
            let lives = lives.into_iter().chain(slot.next.map(|(account, from)| (account, from, end)));
            for (account, from, to) in lives {
                let habit = self.habit(account, 0.5, 2.5, rng);
                let first = self.arrivals.len();
                self.converse(account, Work::Chat, habit, from, to, rng);
                if campaign.harvest == Harvest::HumanPrompts {
                    continue;
                }
                for (item, arrival) in (first as u32..).zip(self.arrivals.iter_mut().skip(first)) {
                    *arrival = Arrival { work: Work::Campaign(number), serial: item, turn: 0, ..*arrival };
                }
            }
        }
    }

    /// Unrelated traffic for every account of the campaign, in proportion to its work.
    fn cover(&mut self, campaign: &Campaign, first: usize, end: Ms, rng: &mut ChaCha8Rng) {
        if campaign.cover <= 0.0 {
            return;
        }
        let mut work: Vec<(u32, Ms)> =
            self.arrivals.iter().skip(first).map(|arrival| (arrival.account, arrival.at)).collect();
        work.sort_unstable();
        for own in work.chunk_by(|a, b| a.0 == b.0) {
            let (Some(&(account, from)), Some(&(_, last))) = (own.first(), own.last()) else { continue };
            let mut left = poisson(rng, own.len() as f64 * campaign.cover / (1.0 - campaign.cover));
            // A last session may run past the last item, but not past a ban.
            let closed = self.accounts.get(account as usize).and_then(|account| account.facts.closed);
            let to = closed.unwrap_or(end).max(last);
            let habit = self.habit(account, 1.0, 2.5, rng);
            let work = if chance(rng, 0.5) { Work::Chat } else { Work::Coding };
            let mut session = COVER_SESSIONS;
            while left > 0 {
                let at = from + (rng.random::<f64>() * (to - from) as f64) as Ms;
                let times = habit.times(at, rng);
                for (turn, at) in (0..).zip(times.into_iter().take(left as usize)) {
                    left -= 1;
                    let at = at.min(to);
                    self.arrivals.push(Arrival { at, account, work, serial: session, session, turn });
                }
                session += 1;
            }
        }
    }
}

/// Who serves the slot at this time: its account, its replacement, or, between the two, another slot. Without anybody
/// the request waits.
fn who(slots: &[Slot], turn: usize, at: Ms, rng: &mut impl Rng) -> Option<(u32, Ms)> {
    let own = slots.get(turn)?;
    let serves = |slot: &Slot| match slot.next {
        _ if at < slot.banned => Some(slot.account),
        Some((next, from)) if at >= from => Some(next),
        _ => None,
    };
    let others = slots.iter().cycle().skip(turn).take(FAILOVER_TRIES.min(slots.len()));
    let (next, from) = match others.into_iter().find_map(serves) {
        Some(account) => return Some((account, at)),
        None => own.next?,
    };
    Some((next, from + exponential(rng, 30_000.0) as Ms))
}

/// When the campaign works.
fn spans(schedule: Schedule, start: Ms, end: Ms, rng: &mut impl Rng) -> Vec<(Ms, Ms)> {
    let days = start.div_euclid(DAY) - 1..=end.div_euclid(DAY) + 1;
    let spans: Vec<(Ms, Ms)> = match schedule {
        Schedule::Continuous | Schedule::People | Schedule::Runs { .. } | Schedule::Users { .. } => vec![(start, end)],
        Schedule::WorkingHours { utc_offset } => days
            .filter(|day| day.rem_euclid(7) < 5)
            .map(|day| day * DAY - i64::from(utc_offset) * HOUR)
            .map(|midnight| (midnight + 9 * HOUR, midnight + 18 * HOUR))
            .collect(),
        Schedule::Bursts { a_day, minutes } => {
            let every = DAY / i64::from(a_day.max(1));
            let length = (minutes * MINUTE as f64) as Ms;
            let mut at = |begin: Ms| begin + (rng.random::<f64>() * (every - length).max(0) as f64) as Ms;
            days.flat_map(|day| (0..i64::from(a_day)).map(move |burst| day * DAY + burst * every))
                .map(&mut at)
                .map(|begin| (begin, begin + length))
                .collect()
        }
    };
    let cut: Vec<(Ms, Ms)> =
        spans.into_iter().map(|(from, to)| (from.max(start), to.min(end))).filter(|(from, to)| from < to).collect();
    // No working hour within the campaign: then it works all the time.
    if cut.is_empty() { vec![(start, end)] } else { cut }
}

fn within(spans: &[(Ms, Ms)], rng: &mut impl Rng) -> Ms {
    let total: Ms = spans.iter().map(|(from, to)| to - from).sum();
    let mut left = rng.random_range(0..total.max(1));
    for &(from, to) in spans {
        if left < to - from {
            return from + left;
        }
        left -= to - from;
    }
    0
}

/// Which slot takes each request.
fn order(balance: Balance, slots: usize, requests: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let slots = slots.max(1);
    let weights: Vec<f64> = match balance {
        Balance::RoundRobin => return (0..requests).map(|request| request % slots).collect(),
        Balance::Uniform => {
            let mut order: Vec<usize> = (0..requests).map(|request| request % slots).collect();
            shuffle(rng, &mut order);
            return order;
        }
        Balance::Poisson => vec![1.0; slots],
        Balance::Lognormal(sigma) => (0..slots).map(|_| libm::exp(sigma * normal(rng))).collect(),
        Balance::Zipf(power) => (0..slots).map(|rank| libm::pow(1.0 + rank as f64, -power)).collect(),
    };
    let mut total = 0.0;
    let sums: Vec<f64> = weights
        .iter()
        .map(|weight| {
            total += weight;
            total
        })
        .collect();
    let draw = |rng: &mut ChaCha8Rng| rng.random::<f64>() * total;
    (0..requests)
        .map(|_| {
            let at = draw(rng);
            sums.partition_point(|&sum| sum <= at).min(slots - 1)
        })
        .collect()
}

const CAMPAIGN: u64 = 0x6361;
const OPERATOR: u64 = 0x6f70;
/// The sign-up paths abused most (Anthropic, February 2026).
const ABUSED: &[&str] = &["education", "research", "startup", "trial"];
/// Within how long a pool is banned.
const BAN_SPREAD: Ms = 4 * MINUTE;
/// Slots tried before a request waits.
const FAILOVER_TRIES: usize = 64;
/// Session numbers of cover traffic begin here.
const COVER_SESSIONS: u32 = 2_000_000;
/// Those of each further copy of a request begin so much later.
const COPY_SESSIONS: u32 = 100_000_000;
