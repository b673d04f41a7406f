//! Tests of the whole: how the workspace is built, and the program as a person meets it.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that panics has failed, as it should")]

mod arrows;
mod audit;
#[path = "../../../verify/tests/it/authority.rs"]
mod authority;
mod bucket;
mod case;
mod cli;
mod clock;
mod config;
mod drill;
mod frame;
mod label;
mod lake;
mod ledger;
mod live;
mod package;
mod playbook;
#[path = "../../../store/src/postgres.rs"]
mod postgres;
mod sealing;
mod shapes;
mod up;
mod vault;
mod witness;
