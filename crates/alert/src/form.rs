//! The forms in which a notice is written down; pure functions, each in a module of its own.
//!
//! Promises that names in them stay: rules of whoever reads them rest on those.

pub mod flat;
pub mod mail;
pub mod ocsf;
pub mod syslog;

use crate::notice::{Notice, Origin};

/// A form of JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// One flat object of our own, as rules for logs want it.
    #[default]
    Flat,
    /// A Detection Finding of the Open Cybersecurity Schema Framework.
    Ocsf,
}

impl Form {
    /// The notice in this form, on one line.
    #[must_use]
    pub fn json(self, notice: &Notice, origin: &Origin) -> String {
        match self {
            Form::Flat => flat::object(notice, origin).to_string(),
            Form::Ocsf => ocsf::finding(notice, origin).to_string(),
        }
    }
}
