//! Alerts: whoever the operator named is told what became of campaigns.
//!
//! Promises that no alert has any text of a request or the name of an account in it; that a campaign is told once, however it flickers
//! and however often the process is started; and that a destination which does not answer delays nobody: neither detection, nor requests,
//! nor other destinations. Refuses to decide anything: what detection says is what is told.
//!
//! [`planner`] says what is to be told when, as a state machine without IO or clock. [`form`] writes that down, [`send`] brings it somewhere,
//! [`delivery`] tries again, and [`Alerter`] is all of them together.

pub mod alerter;
pub mod counts;
pub mod delivery;
pub mod form;
pub mod kept;
pub mod limits;
pub mod notice;
pub mod pace;
pub mod planner;
pub mod queue;
pub mod quiet;
pub mod send;

pub use alerter::{Alerter, Destination, Setup};
pub use counts::Counts;
pub use notice::{Kind, Notice, Origin};
pub use planner::Rules;
pub use quiet::Quiet;
pub use send::Target;
