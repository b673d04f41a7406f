//! What each command does, one a file.

pub(crate) mod account;
pub(crate) mod appeal;
pub(crate) mod audit;
pub(crate) mod case;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod evaluate;
pub(crate) mod findings;
pub(crate) mod fingerprint;
pub(crate) mod hunt;
pub(crate) mod inspect;
pub(crate) mod key;
pub(crate) mod label;
pub(crate) mod lake;
pub(crate) mod ledger;
pub(crate) mod person;
pub(crate) mod playbook;
pub(crate) mod policy;
pub(crate) mod quota;
pub(crate) mod response;
pub(crate) mod seal;
pub(crate) mod simulate;
pub(crate) mod up;
pub(crate) mod vault;
pub(crate) mod verify;
pub(crate) mod watch;
