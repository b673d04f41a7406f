//! Whether the controls against extraction are there: rules over what was found out about a deployment.
//!
//! Promises that a rule counts as passed only where somebody looked at what it needs, that what it cites is an id of a catalogue that is named with
//! its version, and that what is accepted is told with by whom, why and until when. No IO and no clock: whoever asks brings [`Facts`].
//!
//! [`facts`] are what rules look at; [`rule`] is what a rule is, and [`rules`] has each. [`audit`] runs them, [`accepted`] are risks that somebody
//! takes, [`history`] compares two audits, [`budget`] is how fast a model's answers may be taken. [`sarif`] and [`oscal`] write an audit for others.

pub mod accepted;
pub mod assumptions;
pub mod audit;
pub mod budget;
pub mod catalogue;
pub mod facts;
pub mod history;
pub mod limits;
pub mod oscal;
pub mod rule;
pub mod rules;
pub mod sarif;

pub use accepted::Accepted;
pub use assumptions::Assumptions;
pub use audit::{Audit, Finding, Outcome};
pub use facts::{Facts, Part};
pub use history::Changes;
pub use rule::{Confidence, Persona, Severity};
