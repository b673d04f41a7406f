//! Playbooks that people walk through, as the console asks for them: who keeps them is handed in.

use std::fmt::Debug;

use exchange::Time;
use playbook::cacao::Playbook;
use playbook::run::{Outcome, Run};

/// Keeps the playbooks that people walk through.
pub trait Runs: Debug + Send + Sync {
    /// Those that are about a case, each with the playbook as it was then, in the order in which they were begun.
    ///
    /// # Errors
    ///
    /// When they cannot be read: why.
    fn about(&self, case: &str) -> Result<Vec<(Run, Playbook)>, String>;

    /// Begins to walk through a playbook that comes with the program.
    ///
    /// # Errors
    ///
    /// When it is not begun: why.
    fn begin(&self, playbook: &str, case: &str, said: Said) -> Result<Run, NotTaken>;

    /// A step of a run about a case is done, or is not.
    ///
    /// # Errors
    ///
    /// When that is not put down: why.
    fn step(&self, case: &str, run: &str, step: Step, said: Said) -> Result<Run, NotTaken>;
}

/// Who says something, when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Who.
    pub by: String,
    /// When.
    pub at: Time,
    /// Why, where somebody says it.
    pub reason: Option<String>,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub id: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What is noted of it.
    pub note: String,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It is not as it was asked for: what was expected.
    Refused(String),
    /// It could not be put down or kept.
    Failed(String),
}
