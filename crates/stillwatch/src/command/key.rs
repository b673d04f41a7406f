//! `stillwatch key`: the keys of a running gateway.

use hyper::Method;
use serde_json::{Map, Value, json};

use super::account::show;
use crate::admin_client::AdminClient;
use crate::cli::{KeyAdd, KeyCommand};
use crate::failure::{Exit, Failure};
use crate::listing;
use crate::output::{print, print_json};

/// Does what was asked.
pub(crate) fn run(command: &KeyCommand) -> Result<Exit, Failure> {
    match command {
        KeyCommand::Add(args) => {
            let client = AdminClient::new(&args.server)?;
            let key = client.ask(Method::POST, "/api/v1/keys", Some(&asked(args)))?;
            show(&args.server, &key, ONCE)
        }
        KeyCommand::List { account, server } => {
            let of = account.as_ref().map(|account| format!("?account={account}")).unwrap_or_default();
            let keys = AdminClient::new(server)?.all(&format!("/api/v1/keys{of}"), "keys")?;
            if server.json {
                return print_json(&json!({"keys": keys}));
            }
            print(&listing::columns(&["id", "account", "name", "state", "created", "expires", "last_used"], &keys))?;
            Ok(Exit::Nothing)
        }
        KeyCommand::Rotate { id, overlap, server } => {
            let body = json!({"overlap_seconds": overlap});
            let key = AdminClient::new(server)?.ask(Method::POST, &format!("/api/v1/keys/{id}/rotate"), Some(&body))?;
            show(server, &key, ONCE)
        }
        KeyCommand::Revoke { id, server } => {
            let key = AdminClient::new(server)?.ask(Method::POST, &format!("/api/v1/keys/{id}/revoke"), None)?;
            show(server, &key, "")
        }
    }
}

const ONCE: &str = "Keep `key` now: it is not shown again.\n";

fn asked(args: &KeyAdd) -> Value {
    let mut scope = Map::new();
    for (name, list) in [("models", &args.models), ("networks", &args.networks), ("actions", &args.actions)] {
        if !list.is_empty() {
            scope.insert(name.to_owned(), json!(list));
        }
    }
    let binding = match (&args.dpop, &args.certificate) {
        (Some(thumbprint), _) => Some(json!({"dpop": thumbprint})),
        (None, Some(thumbprint)) => Some(json!({"certificate": thumbprint})),
        (None, None) => None,
    };
    let told = [
        ("account", Some(json!(args.account))),
        ("name", args.name.as_ref().map(|name| json!(name))),
        ("scope", Some(Value::Object(scope))),
        ("binding", binding),
        ("expires", args.expires.as_ref().map(|expires| json!(expires))),
    ];
    told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
