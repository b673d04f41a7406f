//! What is done about a campaign, step by step, and by when others have to be told.
//!
//! Promises that a playbook which is read can be walked to an end from every step, that what a playbook says to run is shown and never run, and that a
//! step is done once, by somebody. No IO and no clock.
//!
//! [`cacao`] reads playbooks (CACAO 2.0), [`shipped`] has those that come with the program, [`run`] is one that somebody walks through, and
//! [`deadline`] says by when others have to be told.

pub mod cacao;
pub mod deadline;
pub mod limits;
pub mod run;
pub mod shipped;

pub use cacao::{BadPlaybook, Playbook, Step, StepKind};
pub use deadline::{Deadline, Due};
pub use run::{Outcome, Run};
