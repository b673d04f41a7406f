//! `stillwatch policy`: what each account may do, checked, applied, explained, and tried on what was recorded.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use gateway::ask::Ask;
use gateway::clock::{Clock as _, SystemClock};
use hyper::Method;
use policy::Policies;
use policy::limits::POLICIES_BYTES_MAX;
use policy::permit::Permits;
use policy::policies::{BadPolicies, DEFAULT, Problem, SCHEMA};
use policy::who::Who;
use serde_json::{Value, json};

use crate::admin_client::AdminClient;
use crate::cli::{PolicyCommand, Server};
use crate::failure::{Exit, Failure};
use crate::output::{print, print_json};
use crate::{listing, replay};
use report::words::encoded;

const POLICIES: &str = "/api/v1/policies";

/// Does what was asked.
pub(crate) fn run(command: &PolicyCommand) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::Check { file, json } => check(file, *json),
        PolicyCommand::Schema => {
            print(SCHEMA)?;
            Ok(Exit::Nothing)
        }
        PolicyCommand::Show { default, server } => {
            let shown = if *default {
                json!({"source": "default", "text": DEFAULT})
            } else {
                AdminClient::new(server)?.ask(Method::GET, POLICIES, None)?
            };
            if server.json {
                return print_json(&shown);
            }
            print(shown.get("text").and_then(Value::as_str).unwrap_or_default())?;
            Ok(Exit::Nothing)
        }
        PolicyCommand::Apply { file, server } => {
            // Whatever is wrong is told with its file and line before a gateway is asked.
            let (policies, _) = checked(file)?;
            let body = json!({"text": &**policies.text()});
            changed(server, &AdminClient::new(server)?.ask(Method::PUT, POLICIES, Some(&body))?)
        }
        PolicyCommand::Reset { server } => {
            changed(server, &AdminClient::new(server)?.ask(Method::DELETE, POLICIES, None)?)
        }
        PolicyCommand::Explain { account, model, server } => explain(account, model.as_deref(), server),
        PolicyCommand::Simulate { file, days, server } => simulate(file, *days, server),
    }
}

fn check(file: &Path, json: bool) -> Result<Exit, Failure> {
    match (read(file)?, json) {
        (Ok((policies, warnings)), true) => {
            print_json(&json!({"ok": true, "count": policies.len(), "warnings": warnings}))
        }
        (Ok((policies, warnings)), false) => {
            let warned = told("warning", file, &warnings);
            print(&format!("{warned}{}: {} policies can be used.\n", file.display(), policies.len()))?;
            Ok(Exit::Nothing)
        }
        (Err(BadPolicies(problems)), true) => {
            print_json(&json!({"ok": false, "problems": problems}))?;
            Ok(Exit::Unreadable)
        }
        (Err(BadPolicies(problems)), false) => {
            print(&told("error", file, &problems))?;
            Ok(Exit::Unreadable)
        }
    }
}

/// A line for each problem, as compilers write them.
fn told(kind: &str, file: &Path, problems: &[Problem]) -> String {
    let line = |Problem { line, column, message }: &Problem| match line {
        0 => format!("{}: {kind}: {message}\n", file.display()),
        _ => format!("{}:{line}:{column}: {kind}: {message}\n", file.display()),
    };
    problems.iter().map(line).collect()
}

type Checked = Result<(Policies, Vec<Problem>), BadPolicies>;

fn read(file: &Path) -> Result<Checked, Failure> {
    let unreadable = |error| Failure::io(format!("`{}` cannot be read", file.display()), error);
    let mut text = String::new();
    // One byte more than there may be, so that a longer one is known to be longer.
    let limited = File::open(file).map_err(unreadable)?.take(POLICIES_BYTES_MAX as u64 + 1);
    BufReader::new(limited).read_to_string(&mut text).map_err(unreadable)?;
    Ok(Policies::checked(&text))
}

fn checked(file: &Path) -> Result<(Policies, Vec<Problem>), Failure> {
    let bad = |BadPolicies(problems)| Failure::bad_input(told("error", file, &problems).trim_end());
    read(file)?.map_err(bad)
}

fn changed(server: &Server, policies: &Value) -> Result<Exit, Failure> {
    if server.json {
        return print_json(policies);
    }
    let count = policies.get("count").and_then(Value::as_u64).unwrap_or_default();
    print(&format!("{count} policies hold now; other gateways on the same database take them up within a second.\n"))?;
    Ok(Exit::Nothing)
}

fn explain(account: &str, model: Option<&str>, server: &Server) -> Result<Exit, Failure> {
    let query = model.map(|model| format!("?model={}", encoded(model))).unwrap_or_default();
    let path = format!("/api/v1/accounts/{account}/permit{query}");
    let permit = AdminClient::new(server)?.ask(Method::GET, &path, None)?;
    if server.json {
        return print_json(&permit);
    }
    let rung = permit.get("rung").and_then(Value::as_str).unwrap_or_default();
    let actions = permit.get("actions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<Value> = actions.iter().map(row).collect();
    let model = model.map_or_else(|| "requests that name no model".to_owned(), |model| format!("model {model}"));
    print(&format!(
        "Account {account}, {model}; response: {rung}.\nA key may allow less than this.\n\n{}",
        listing::columns(&["action", "allowed", "by", "failures"], &rows)
    ))?;
    Ok(Exit::Nothing)
}

fn row(action: &Value) -> Value {
    let allowed = action.get("allowed") == Some(&Value::Bool(true));
    let mut by = action.get("policies").cloned().unwrap_or_default();
    if by.as_array().is_some_and(Vec::is_empty) {
        by = json!("no policy permits it");
    }
    json!({"action": action.get("action"), "allowed": if allowed { "yes" } else { "no" }, "by": by, "failures": action.get("failures")})
}

fn simulate(file: &Path, days: u32, server: &Server) -> Result<Exit, Failure> {
    let (then, _) = checked(file)?;
    let (now, then) = (in_force(&AdminClient::new(server)?)?, Permits::new(Arc::new(then)));
    let time = SystemClock.now();
    let under = |permits: &Permits, who: &Who, ask: &Ask| replay::outcome(permits, who, who.responses.force(time), ask);
    let (was, would) = (|who: &Who, ask: &Ask| under(&now, who, ask), |who: &Who, ask: &Ask| under(&then, who, ask));
    let comparison = replay::compare(server, days, time, &was, &would)?;
    replay::show(server, days, &comparison, ["policies", "as they hold", "as in the file"])
}

/// The policies that a gateway holds to now.
pub(crate) fn in_force(client: &AdminClient) -> Result<Permits, Failure> {
    let shown = client.ask(Method::GET, POLICIES, None)?;
    let policies = Policies::parse(shown.get("text").and_then(Value::as_str).unwrap_or_default());
    Ok(Permits::new(Arc::new(policies.map_err(Failure::unreadable)?)))
}
