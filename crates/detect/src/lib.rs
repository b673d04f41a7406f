//! The streaming detection engine: clusters of text, trials, evidence, campaigns.
//!
//! Promises the same findings for the same records in the same order, in bounded state ([`limits`]). Refuses to read a
//! clock, to do IO, to ban on a score: it writes facts. Arrows point downward only: what is remembered ([`state`]) knows of nothing
//! else; [`group`] says who belongs to a cluster of texts; [`propose`] makes and grows clusters and begins trials of them, frozen at τ;
//! [`signs`] measure and weigh what came later against the other groups of this deployment; [`judge`] says what must come together;
//! [`forget`] forgets what is idle;
//! [`report`] writes the findings; [`Engine`] runs them all, one exchange after another; and [`snapshot`] writes down what it remembers.

mod engine;
mod evalue;
mod forget;
mod group;
mod judge;
mod labels;
pub mod limits;
mod order;
mod propose;
mod report;
mod signs;
mod snapshot;
mod standings;
mod state;

pub use engine::Engine;
pub use findings::Findings;
pub use judge::Config;
pub use labels::{Label, Labels};
pub use order::Order;
pub use report::{Recount, Trace};
pub use snapshot::{Unrestored, VERSION};
pub use standings::{CampaignStanding, Change, Standing};
pub use state::value::Kind;
