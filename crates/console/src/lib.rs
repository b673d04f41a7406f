//! The console: pages on which an analyst sees whether somebody is taking the model, decides, and can justify and undo that.
//!
//! Promises that nothing is shown or done without a session of somebody who may ([`routes`](routes::all) names the role of each path), that no form of
//! another site does anything, that text from outside is shown escaped, and that every change is put down under the name of whoever made it.
//! Pages work without scripts; with them they follow what changes. Holds no state of its own but sessions, which end with the process.

mod accounts;
mod api;
mod assets;
mod audit;
mod bulk;
mod campaigns;
mod cases;
mod changes;
mod clusters;
mod context;
mod desk;
mod exchanges;
mod fault;
mod form;
mod frame;
mod graph;
mod guard;
pub mod hunt;
mod hunts;
mod kept;
pub mod limits;
mod live;
mod organisations;
mod overview;
mod passkey;
mod passkeys;
mod password;
mod people;
mod playbooks;
mod policies;
mod provider;
mod quotas;
mod reference;
mod responses;
#[cfg(test)]
mod rig;
mod route;
mod routes;
pub mod runs;
mod scheduler;
mod schedules;
mod search;
mod seats;
mod secret;
mod session;
mod settings;
mod sign_in;
mod table;
mod times;
mod upload;
mod verdicts;
mod views;
mod words;

pub use api::endpoints;
pub use context::{Configured, Console, Parts, Records, Scribe, SignIn, Trial};
pub use provider::Provider;
pub use routes::router;
pub use scheduler::keep_to;
