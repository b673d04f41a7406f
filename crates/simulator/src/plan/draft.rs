//! An account as it is drawn for anybody, honest or not.

use exchange::{Assurance, Network, Operation};
use rand::{Rng, RngExt};

use super::account::{Account, Adoption, Facts, Label, Logged, Settings};
use super::planner::Planner;
use crate::arrival::{DAY, Ms};
use crate::draw::{chance, exponential, lognormal, mix, pick, weighted};
use crate::network::{Country, Place, SoftwareKind, World, country, country_of, mail_domain, mail_provider};
use crate::scenario::Language;

impl Planner<'_> {
    /// Drafts an account and returns its number.
    pub(super) fn draft(&mut self, label: Label, software: SoftwareKind) -> u32 {
        let number = self.accounts.len() as u64;
        let mut rng = self.rng(ACCOUNT, number);
        let country = if self.scenario.alike {
            country_of(ALIKE_COUNTRY).unwrap_or(country(&mut rng))
        } else {
            country(&mut rng)
        };
        // Programs and their developers mostly speak English; people speak their own language, most of the time.
        let english = if software == SoftwareKind::Browser { 0.25 } else { 0.8 };
        let language = if chance(&mut rng, english) { Language::English } else { country.language };
        let mut facts = Facts::draw(self.world, self.end, country, software, &mut rng);
        if self.scenario.alike {
            facts.email_domain = mail_provider(&mut rng, ALIKE_MAIL).to_owned();
        }
        let software_sent = self.world.software(software, &mut rng);
        let account = Account {
            seed: mix(self.scenario.seed, &[ACCOUNT, number, 1]),
            label,
            country,
            language,
            places: places(self.world, software, country, &mut rng),
            rotates: false,
            operation: operation(&software_sent.user_agent, &mut rng),
            software: software_sent,
            settings: Settings::draw(software, &mut rng),
            logged: Logged::draw(&mut rng),
            model: model(&mut rng),
            adoption: Adoption { after: (lognormal(&mut rng, 12.0, 1.6) * DAY as f64) as Ms },
            keys: if chance(&mut rng, 0.15) { rng.random_range(2..5) } else { 1 },
            end_users: if software == SoftwareKind::Library && chance(&mut rng, 0.1) { 3 } else { 0 },
            facts,
        };
        self.accounts.push(account);
        number as u32
    }
}

impl Settings {
    /// What programs send varies widely; chat front ends hardly set anything.
    pub(super) fn draw(software: SoftwareKind, rng: &mut impl Rng) -> Settings {
        let busy = if software == SoftwareKind::Library { 1.0 } else { 0.4 };
        let mut settings = Settings::default();
        if chance(rng, 0.55 * busy) {
            settings.temperature = pick(rng, &[0.0, 0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.7, 0.8, 1.0]).copied();
        }
        if chance(rng, 0.12 * busy) {
            settings.top_p = pick(rng, &[0.9, 0.95, 1.0]).copied();
        }
        if chance(rng, 0.6 * busy) {
            settings.max_tokens = pick(rng, &[256, 512, 800, 1000, 1024, 1500, 2000, 2048, 4000, 4096, 8192]).copied();
        }
        if chance(rng, 0.05 * busy) {
            settings.n = Some(1);
        }
        if chance(rng, 0.02 * busy) {
            settings.logprobs = Some(true);
            settings.top_logprobs = pick(rng, &[1, 5]).copied();
        }
        if chance(rng, 0.04 * busy) {
            settings.seed = pick(rng, &[0, 1, 42, 1234]).copied();
        }
        if chance(rng, 0.6) {
            settings.stream = Some(chance(rng, 1.0 - 0.5 * busy));
        }
        if chance(rng, 0.3) {
            settings.reasoning_effort = pick(rng, &["low", "medium", "medium", "high"]).copied();
        }
        settings
    }
}

impl Logged {
    fn draw(rng: &mut impl Rng) -> Logged {
        Logged {
            session: chance(rng, 0.75),
            ja4: chance(rng, 0.85),
            user_agent: chance(rng, 0.97),
            asn: chance(rng, 0.95),
            duration: chance(rng, 0.95),
            payment: chance(rng, 0.97),
            phone: chance(rng, 0.5),
            plan: chance(rng, 0.97),
        }
    }
}

impl Facts {
    /// Sign-ups grow over the years, so ages fall off exponentially; some sign up while the scenario runs.
    fn draw(world: &World, end: Ms, country: &Country, software: SoftwareKind, rng: &mut impl Rng) -> Facts {
        let age = exponential(rng, AGE_MEAN_DAYS) % AGE_MAX_DAYS;
        let plans: &[(&str, f64)] = match software {
            SoftwareKind::Browser => &[("free", 0.5), ("plus", 0.38), ("team", 0.12)],
            SoftwareKind::Library => &[("free", 0.2), ("payg", 0.6), ("team", 0.15), ("scale", 0.05)],
        };
        let plan = weighted(rng, plans, |&(_, share)| share).map_or("free", |&(plan, _)| plan);
        let pays = plan != "free" || chance(rng, 0.1);
        let known = if pays { PAYING } else { FREE };
        let mail = match rng.random::<f64>() {
            ..0.7 => mail_provider(rng, usize::MAX).to_owned(),
            ..0.72 => world.throwaway(rng),
            _ => mail_domain(rng),
        };
        Facts {
            created: end - (age * DAY as f64) as Ms,
            org: None,
            plan,
            program: weighted(rng, PROGRAMS, |&(_, share)| share).map_or("none", |&(program, _)| program),
            assurance: weighted(rng, known, |&(_, share)| share).map_or(Assurance::Email, |&(assurance, _)| assurance),
            payment: pays.then(|| rng.random()),
            email_domain: mail,
            phone_country: country.code,
            // Honest accounts are closed too, by their owners or for not paying.
            closed: chance(rng, 0.01).then(|| (rng.random::<f64>() * end as f64) as Ms),
        }
    }
}

/// Where somebody sends from: people from home, some also from work or the road; programs from a data centre or home.
fn places(world: &World, software: SoftwareKind, country: &Country, rng: &mut impl Rng) -> Vec<Place> {
    let kinds: &[(Network, f64)] = match software {
        SoftwareKind::Browser => &[
            (Network::Residential, 0.62),
            (Network::Mobile, 0.16),
            (Network::Business, 0.15),
            (Network::Vpn, 0.06),
            (Network::Hosting, 0.01),
        ],
        SoftwareKind::Library => {
            &[(Network::Hosting, 0.5), (Network::Residential, 0.27), (Network::Business, 0.2), (Network::Vpn, 0.03)]
        }
    };
    let count = 1 + usize::from(chance(rng, 0.35)) + usize::from(chance(rng, 0.1));
    let mut place = || {
        let network = weighted(rng, kinds, |&(_, share)| share).map_or(Network::Residential, |&(network, _)| network);
        let at_home = !matches!(network, Network::Hosting | Network::Vpn);
        world.place(network, at_home.then_some(country), rng)
    };
    (0..count).map(|_| place()).collect()
}

/// The kind of call that this client makes.
pub(super) fn operation(user_agent: &str, rng: &mut impl Rng) -> Operation {
    if user_agent.starts_with("anthropic") {
        Operation::Messages
    } else if chance(rng, 0.3) {
        Operation::Responses
    } else {
        Operation::Chat
    }
}

fn model(rng: &mut impl Rng) -> u8 {
    weighted(rng, &[(0, 0.5), (1, 0.3), (2, 0.1), (3, 0.1)], |&(_, share)| share).map_or(0, |&(model, _)| model)
}

const ACCOUNT: u64 = 0x6163;
/// Where everybody is who is alike, and how many mail providers they use.
const ALIKE_COUNTRY: &str = "DE";
const ALIKE_MAIL: usize = 2;
const AGE_MEAN_DAYS: f64 = 330.0;
const AGE_MAX_DAYS: f64 = 1400.0;

const PROGRAMS: &[(&str, f64)] =
    &[("none", 0.9), ("education", 0.03), ("startup", 0.03), ("trial", 0.025), ("research", 0.01), ("partner", 0.005)];
const PAYING: &[(Assurance, f64)] = &[(Assurance::Payment, 0.82), (Assurance::Phone, 0.1), (Assurance::Business, 0.08)];
const FREE: &[(Assurance, f64)] = &[(Assurance::Email, 0.6), (Assurance::Phone, 0.38), (Assurance::None, 0.02)];
