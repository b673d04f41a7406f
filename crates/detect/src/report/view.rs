//! What a report is written from.

use crate::judge::Judge;
use crate::state::State;

/// What is remembered, and what came of it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// What is remembered.
    pub state: &'a State,
    /// What came of it.
    pub judge: &'a Judge,
}
