//! `stillwatch appeal`: what accounts appeal against, entered and decided.

use hyper::Method;
use serde_json::{Value, json};

use super::account::show;
use crate::admin_client::AdminClient;
use crate::cli::AppealCommand;
use crate::failure::{Exit, Failure};
use crate::listing;
use crate::output::{print, print_json};
use report::words::encoded;

const APPEALS: &str = "/api/v1/appeals";

/// Does what was asked.
pub(crate) fn run(command: &AppealCommand) -> Result<Exit, Failure> {
    match command {
        AppealCommand::List { server } => {
            let mut appeals = AdminClient::new(server)?.all(APPEALS, "appeals")?;
            if server.json {
                return print_json(&json!({"appeals": appeals}));
            }
            appeals.iter_mut().for_each(tell_state);
            print(&listing::columns(&["id", "state", "account", "since", "author", "text"], &appeals))?;
            Ok(Exit::Nothing)
        }
        AppealCommand::Open { account, text, by, server } => {
            let body = json!({"account": account, "text": text, "author": by});
            let appeal = AdminClient::new(server)?.ask(Method::POST, APPEALS, Some(&body))?;
            let id = appeal.get("id").and_then(Value::as_str).unwrap_or_default();
            let next = format!(
                "\nTo decide it:\n  stillwatch appeal decide {id} --upheld|--rejected --by NAME --reason TEXT\n"
            );
            show(server, &appeal, &next)
        }
        AppealCommand::Decide { id, upheld, by, reason, server, .. } => {
            let body = json!({"upheld": upheld, "author": by, "reason": reason});
            let path = format!("{APPEALS}/{}/decide", encoded(id));
            show(server, &AdminClient::new(server)?.ask(Method::POST, &path, Some(&body))?, "")
        }
    }
}

/// Says in a word how an appeal stands.
fn tell_state(appeal: &mut Value) {
    let upheld = appeal.get("ruling").and_then(|ruling| ruling.get("upheld")).and_then(Value::as_bool);
    let state = match upheld {
        None => "open",
        Some(true) => "upheld",
        Some(false) => "rejected",
    };
    if let Some(fields) = appeal.as_object_mut() {
        fields.insert("state".to_owned(), json!(state));
    }
}
