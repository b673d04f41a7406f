//! Who is there and when each request comes, before any text is written.
//!
//! A planned request takes 32 bytes, so that two million of them fit easily; texts are made one at a time, in the order
//! of time. Honest and campaign accounts are drafted by the same code and differ only where behaviour makes them.

mod account;
mod campaign;
mod draft;
mod habits;
mod honest;
mod planner;
mod request;

pub(crate) use account::{Account, Label};
pub(crate) use campaign::Capacity;
pub(crate) use planner::Plan;
pub(crate) use request::{Arrival, Work, template_seed};

use planner::Planner;

use crate::network::World;
use crate::scenario::Scenario;

/// Plans a scenario. `capacity` says how many different items the corpora hold for each campaign.
pub(crate) fn plan(scenario: &Scenario, world: &World, capacity: &Capacity) -> Plan {
    let mut planner = Planner::new(scenario, world);
    planner.honest();
    planner.campaigns(capacity);
    planner.finish()
}
