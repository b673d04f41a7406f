//! Who is there and when each request comes, before any text is written.
//!
//! A planned request takes 32 bytes, so that two million of them fit easily; texts are made one at a time, in the order
//! of time. Honest and campaign accounts are drafted by the same code and differ only where behaviour makes them.

mod campaign;
mod draft;
mod habits;
mod honest;

pub(crate) use campaign::Capacity;
pub(crate) use draft::{Account, Adoption, Settings};
pub use honest::Role;
pub(crate) use honest::template_seed;

use rand_chacha::ChaCha8Rng;

use crate::arrival::{DAY, Ms};
use crate::draw::{mix, shuffle, stream};
use crate::network::World;
use crate::scenario::Scenario;
use crate::text::Habit;

/// Everything that will happen.
pub(crate) struct Plan {
    pub accounts: Vec<Account>,
    /// In the order of time.
    pub arrivals: Vec<Arrival>,
    /// What could not be planned as asked.
    pub notes: Vec<String>,
}

/// One request to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub at: Ms,
    pub account: u32,
    pub work: Work,
    /// Which conversation or item of the work.
    pub serial: u32,
    /// Which session of the account.
    pub session: u32,
    /// Which request of the conversation.
    pub turn: u8,
}

/// What is asked. The number names the template, product, class or event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    Chat,
    Coding,
    Product(u32),
    Agent(u32),
    Batch(u32),
    Benchmark(u32),
    Class(u32),
    Hackathon(u32),
    LoadTest(u32),
    Research(u32),
    Campaign(u32),
    /// What comes with a habit that strangers share.
    Habit(Habit, u32),
}

/// Who an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    Honest(Role),
    Campaign(u32),
}

/// Plans a scenario. `capacity` says how many different items the corpora hold for each campaign.
pub(crate) fn plan(scenario: &Scenario, world: &World, capacity: &Capacity) -> Plan {
    let mut planner = Planner {
        scenario,
        world,
        accounts: Vec::new(),
        arrivals: Vec::new(),
        notes: Vec::new(),
        end: (scenario.days * DAY as f64) as Ms,
    };
    planner.honest();
    planner.campaigns(capacity);
    planner.finish()
}

/// A plan in the making.
struct Planner<'a> {
    scenario: &'a Scenario,
    world: &'a World,
    accounts: Vec<Account>,
    arrivals: Vec<Arrival>,
    notes: Vec<String>,
    end: Ms,
}

impl Planner<'_> {
    /// The stream of randomness for one purpose.
    fn rng(&self, purpose: u64, number: u64) -> ChaCha8Rng {
        stream(self.scenario.seed, &[purpose, number])
    }

    fn account_mut(&mut self, number: u32) -> Option<&mut Account> {
        self.accounts.get_mut(number as usize)
    }

    fn release(&self) -> Option<Ms> {
        self.scenario.release_day.map(|day| (day * DAY as f64) as Ms)
    }

    /// Sorts by time and shuffles the accounts, so that neither order nor numbers tell who is who.
    fn finish(self) -> Plan {
        let seed = self.scenario.seed;
        let mut order: Vec<u32> = (0..self.accounts.len() as u32).collect();
        shuffle(&mut stream(seed, &[ORDER]), &mut order);
        let open = |account: &Account| account.facts.created..account.facts.closed.unwrap_or(Ms::MAX);
        let accounts_open: Vec<_> = self.accounts.iter().map(open).collect();
        let mut places = vec![0_u32; order.len()];
        let mut accounts: Vec<Option<Account>> = self.accounts.into_iter().map(Some).collect();
        let mut shuffled = Vec::with_capacity(order.len());
        for (new, &old) in order.iter().enumerate() {
            if let Some(place) = places.get_mut(old as usize) {
                *place = new as u32;
            }
            shuffled.extend(accounts.get_mut(old as usize).and_then(Option::take));
        }
        let mut arrivals = self.arrivals;
        arrivals.retain(|arrival| {
            // Nobody asks before signing up or after being closed.
            let account = accounts_open.get(arrival.account as usize);
            (0..self.end).contains(&arrival.at) && account.is_some_and(|open| open.contains(&arrival.at))
        });
        for arrival in &mut arrivals {
            arrival.account = places.get(arrival.account as usize).copied().unwrap_or_default();
        }
        // Within a millisecond the order is a hash's.
        let tie = |a: &Arrival| mix(seed, &[a.account.into(), a.session.into(), a.serial.into(), a.turn.into()]);
        arrivals.sort_unstable_by(|a, b| a.at.cmp(&b.at).then_with(|| tie(a).cmp(&tie(b))));
        Plan { accounts: shuffled, arrivals, notes: self.notes }
    }
}

const ORDER: u64 = 0x6f72;
