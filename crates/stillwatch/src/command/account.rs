//! `stillwatch account`: the accounts of a running gateway.

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::admin_client::AdminClient;
use crate::cli::{AccountCommand, AccountFacts, Server};
use crate::failure::{Exit, Failure};
use crate::listing;
use crate::output::{print, print_json};

/// Does what was asked.
pub(crate) fn run(command: &AccountCommand) -> Result<Exit, Failure> {
    match command {
        AccountCommand::Add(args) => {
            let client = AdminClient::new(&args.server)?;
            let mut account = facts(&client, &args.facts)?;
            account.insert("id".to_owned(), json!(args.id));
            let account = client.ask(Method::POST, "/api/v1/accounts", Some(&Value::Object(account)))?;
            let next = format!("Make a key for it: stillwatch key add --account {}\n", args.id);
            show(&args.server, &account, &next)
        }
        AccountCommand::List { server } => {
            let accounts = AdminClient::new(server)?.all("/api/v1/accounts", "accounts")?;
            if server.json {
                return print_json(&json!({"accounts": accounts}));
            }
            let columns = ["id", "name", "organisation", "tier", "assurance", "status", "created"];
            print(&listing::columns(&columns, &accounts))?;
            Ok(Exit::Nothing)
        }
        AccountCommand::Show { id, server } => {
            let account = AdminClient::new(server)?.ask(Method::GET, &path(id, ""), None)?;
            show(server, &account, "")
        }
        AccountCommand::Change(args) => {
            let client = AdminClient::new(&args.server)?;
            let mut change = facts(&client, &args.facts)?;
            if let Some(status) = &args.status {
                change.insert("status".to_owned(), json!(status));
            }
            let account = client.ask(Method::PATCH, &path(&args.id, ""), Some(&Value::Object(change)))?;
            show(&args.server, &account, "")
        }
        AccountCommand::Close { id, server } => {
            let account = AdminClient::new(server)?.ask(Method::POST, &path(id, "/close"), None)?;
            show(server, &account, "")
        }
    }
}

fn path(id: &str, what: &str) -> String {
    format!("/api/v1/accounts/{id}{what}")
}

/// What was said of an account; an organisation that is not there yet is made.
fn facts(client: &AdminClient, facts: &AccountFacts) -> Result<Map<String, Value>, Failure> {
    if let Some(org) = &facts.org {
        let known = client.all("/api/v1/organisations", "organisations")?;
        if !known.iter().any(|known| known.get("id").and_then(Value::as_str) == Some(org)) {
            client.ask(Method::POST, "/api/v1/organisations", Some(&json!({"id": org})))?;
        }
    }
    let told = [
        ("name", &facts.name),
        ("organisation", &facts.org),
        ("tier", &facts.tier),
        ("assurance", &facts.assurance),
        ("programme", &facts.programme),
        ("payment", &facts.payment),
        ("region", &facts.region),
    ];
    Ok(told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?)))).collect())
}

/// Prints one thing, and what to do next.
pub(super) fn show(server: &Server, thing: &Value, next: &str) -> Result<Exit, Failure> {
    if server.json {
        return print_json(thing);
    }
    print(&format!("{}{next}", listing::fields(thing)))?;
    Ok(Exit::Nothing)
}
