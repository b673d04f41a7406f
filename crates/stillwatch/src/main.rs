//! Finds illicit distillation of AI models in the logs of their APIs.
//!
//! The binary is glue: what was typed ([`cli`]) becomes what is done ([`command`]), and that becomes an exit code.

mod accounts_file;
mod admin_client;
mod alerts;
mod buckets;
mod calls;
mod campaigns_file;
mod cli;
mod clock;
mod command;
mod configuration;
mod data_folder;
mod events;
mod failure;
mod frontier;
mod holds;
mod inputs;
mod intake;
mod lakes;
mod ledgers;
mod limited;
mod listing;
mod log;
mod machine;
mod output;
mod pipeline;
mod playbooks;
mod prices;
mod progress;
mod reading;
mod records;
mod replay;
mod sealing;
mod sensors;
mod sign_in;
mod table;
mod timestamps;
mod witnesses;

use std::process::ExitCode;

use clap::Parser;
use report::words;

/// Signals are made by the threads that parse and freed by the one that detects, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match cli::Cli::parse().command {
        cli::Command::Inspect(args) => command::inspect::run(&args),
        cli::Command::Hunt(args) => command::hunt::run(&args),
        cli::Command::Watch(args) => command::watch::run(&args),
        cli::Command::Simulate(args) => command::simulate::run(&args),
        cli::Command::Evaluate(args) => command::evaluate::run(&args),
        cli::Command::Fingerprint(args) => command::fingerprint::run(&args),
        cli::Command::Label(args) => command::label::run(&args.command),
        cli::Command::Demo(args) => command::demo::run(&args),
        cli::Command::Up(args) => command::up::run(&args),
        cli::Command::Config(args) => command::config::run(&args.command),
        cli::Command::Account(args) => command::account::run(&args.command),
        cli::Command::Key(args) => command::key::run(&args.command),
        cli::Command::Quota(args) => command::quota::run(&args.command),
        cli::Command::Policy(args) => command::policy::run(&args.command),
        cli::Command::Findings(args) => command::findings::run(&args),
        cli::Command::Response(args) => command::response::run(&args.command),
        cli::Command::Appeal(args) => command::appeal::run(&args.command),
        cli::Command::Person(args) => command::person::run(&args.command),
        cli::Command::Ledger(args) => command::ledger::run(&args.command),
        cli::Command::Case(args) => command::case::run(&args.command),
        cli::Command::Lake(args) => command::lake::run(&args.command),
        cli::Command::Seal(args) => command::seal::run(&args.command),
        cli::Command::Vault(args) => command::vault::run(&args.command),
        cli::Command::Playbook(args) => command::playbook::run(&args.command),
        cli::Command::Drill(args) => command::drill::run(&args.command),
        cli::Command::Audit(args) => command::audit::run(&args),
        cli::Command::Verify(args) => command::verify::run(&args),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            // Names of files come from whoever wrote them.
            eprintln!("stillwatch: {}", words::printable(&failure.to_string(), words::MESSAGE_CHARS_MAX));
            failure.exit().into()
        }
    }
}
