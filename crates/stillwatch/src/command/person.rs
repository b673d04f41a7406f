//! `stillwatch person`: people who may sign in to the console of a running gateway.

use hyper::Method;
use serde_json::{Value, json};

use super::account::show;
use crate::admin_client::AdminClient;
use crate::cli::PersonCommand;
use crate::failure::{Exit, Failure};
use crate::listing;
use crate::output::{print, print_json};
use report::words::encoded;

const PEOPLE: &str = "/api/v1/people";

/// Does what was asked.
pub(crate) fn run(command: &PersonCommand) -> Result<Exit, Failure> {
    match command {
        PersonCommand::Add { name, role, server } => {
            let client = AdminClient::new(server)?;
            let person = client.ask(Method::POST, PEOPLE, Some(&json!({"name": name, "role": role})))?;
            let next = format!(
                "\nThe password is shown this once, and is to be changed at the first sign-in:\n  {}/sign-in\n",
                client.url()
            );
            show(server, &person, &next)
        }
        PersonCommand::List { server } => {
            let people = AdminClient::new(server)?.all(PEOPLE, "people")?;
            if server.json {
                return print_json(&json!({"people": people}));
            }
            print(&listing::columns(&["name", "role", "state", "must_change", "since", "changed"], &people))?;
            Ok(Exit::Nothing)
        }
        PersonCommand::Change { name, role, shut_out, let_in, server } => {
            let ended = (*shut_out || *let_in).then_some(*shut_out);
            let body = json!({"role": role, "ended": ended});
            let path = format!("{PEOPLE}/{}", encoded(name));
            show(server, &AdminClient::new(server)?.ask(Method::PATCH, &path, Some(&body))?, "")
        }
        PersonCommand::Reset { name, server } => {
            let path = format!("{PEOPLE}/{}/password", encoded(name));
            let reset: Value = AdminClient::new(server)?.ask(Method::POST, &path, None)?;
            show(server, &reset, "\nThe password is shown this once, and is to be changed at the next sign-in.\n")
        }
    }
}
