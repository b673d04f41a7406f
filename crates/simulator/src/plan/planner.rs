//! A plan in the making: whoever and whatever has been drafted so far, and the plan that comes of it.

use rand_chacha::ChaCha8Rng;

use super::account::Account;
use super::request::Arrival;
use crate::arrival::{DAY, Ms};
use crate::draw::{mix, shuffle, stream};
use crate::network::World;
use crate::scenario::Scenario;

/// Everything that will happen.
pub(crate) struct Plan {
    pub accounts: Vec<Account>,
    /// In the order of time.
    pub arrivals: Vec<Arrival>,
    /// What could not be planned as asked.
    pub notes: Vec<String>,
}

/// A plan in the making.
pub(super) struct Planner<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) world: &'a World,
    pub(super) accounts: Vec<Account>,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) notes: Vec<String>,
    pub(super) end: Ms,
}

impl<'a> Planner<'a> {
    /// A plan with nobody in it.
    pub(super) fn new(scenario: &'a Scenario, world: &'a World) -> Planner<'a> {
        Planner {
            scenario,
            world,
            accounts: Vec::new(),
            arrivals: Vec::new(),
            notes: Vec::new(),
            end: (scenario.days * DAY as f64) as Ms,
        }
    }
}

impl Planner<'_> {
    /// The stream of randomness for one purpose.
    pub(super) fn rng(&self, purpose: u64, number: u64) -> ChaCha8Rng {
        stream(self.scenario.seed, &[purpose, number])
    }

    pub(super) fn account_mut(&mut self, number: u32) -> Option<&mut Account> {
        self.accounts.get_mut(number as usize)
    }

    pub(super) fn release(&self) -> Option<Ms> {
        self.scenario.release_day.map(|day| (day * DAY as f64) as Ms)
    }

    /// Sorts by time and shuffles the accounts, so that neither order nor numbers tell who is who.
    pub(super) fn finish(self) -> Plan {
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
