//! From trials to findings: clusters of the same accounts become one campaign, and all that a person needs is written down.

mod campaign;
mod portrait;
mod spend;
mod template;
mod trace;
mod view;
mod vouched;

use findings::Findings;

use crate::judge::Judge;
use crate::standings::{Reported, Standings};
use crate::state::State;
pub use trace::{Recount, Trace};
use view::View;

/// All findings of what is remembered, as the last looks left it, and with what to find their exchanges again. Campaigns are named as they
/// stand.
#[must_use]
pub(crate) fn findings(state: &State, judge: &Judge, standings: &mut Standings) -> (Findings, Trace) {
    campaign::findings(View { state, judge }, standings)
}

/// The campaigns that are reported, as the last looks left them, strongest first.
#[must_use]
pub(crate) fn reported(state: &State, judge: &Judge) -> Vec<Reported> {
    campaign::reported(View { state, judge })
}
