//! `stillwatch quota`: how much may be asked for.

use hyper::Method;
use serde_json::{Value, json};

use super::account::{print_json, show};
use super::{Exit, Failure, print};
use crate::admin_client::AdminClient;
use crate::cli::QuotaCommand;
use crate::listing;

/// Does what was asked.
pub(crate) fn run(command: &QuotaCommand) -> Result<Exit, Failure> {
    match command {
        QuotaCommand::Set(args) => {
            let quota = json!({
                "id": args.id, "of": of(&args.of)?, "unit": args.unit, "amount": args.amount,
                "per": args.per.replace('-', "_"), "except_high_rate": args.except_high_rate,
            });
            let quota = AdminClient::new(&args.server)?.ask(Method::POST, "/api/v1/quotas", Some(&quota))?;
            show(&args.server, &quota, "")
        }
        QuotaCommand::List { server } => {
            let quotas = AdminClient::new(server)?.all("/api/v1/quotas", "quotas")?;
            if server.json {
                return print_json(&json!({"quotas": quotas}));
            }
            print(&listing::columns(&["id", "of", "unit", "amount", "per", "except_high_rate"], &quotas))?;
            Ok(Exit::Nothing)
        }
        QuotaCommand::Remove { id, server } => {
            AdminClient::new(server)?.ask(Method::DELETE, &format!("/api/v1/quotas/{id}"), None)?;
            if server.json { print_json(&json!({"id": id, "removed": true})) } else { Ok(Exit::Nothing) }
        }
    }
}

/// Whose requests share a quota, as it is typed.
fn of(text: &str) -> Result<Value, Failure> {
    match text.split_once('=') {
        Some(("account", id)) => Ok(json!({"account": id})),
        Some(("group", ids)) => Ok(json!({"group": ids.split(',').collect::<Vec<_>>()})),
        None if matches!(
            text,
            "each-key" | "each-account" | "each-organisation" | "each-payment-group" | "everybody"
        ) =>
        {
            Ok(json!(text.replace('-', "_")))
        }
        _ => Err(Failure::usage(format!(
            "--of `{text}`: expected each-key, each-account, each-organisation, each-payment-group, everybody, account=ID or \
             group=ID,ID"
        ))),
    }
}
