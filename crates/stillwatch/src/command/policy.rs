//! `stillwatch policy`: what each account may do, checked, applied, explained, and tried on what was recorded.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use exchange::Time;
use gateway::ask::Ask;
use gateway::clock::{Clock as _, SystemClock};
use gateway::gate::HELD_BACK;
use gateway::route::route;
use hyper::Method;
use policy::directory::{Change, Directory};
use policy::limits::POLICIES_BYTES_MAX;
use policy::permit::Permits;
use policy::policies::{BadPolicies, DEFAULT, Problem, SCHEMA};
use policy::who::{Credential, Who};
use policy::{Actions, Policies, Scope};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::account::print_json;
use crate::admin_client::AdminClient;
use crate::cli::{PolicyCommand, Server};
use crate::failure::{Exit, Failure};
use crate::output::print;
use crate::{data_folder, listing, progress};

const POLICIES: &str = "/api/v1/policies";
/// Accounts that are listed where people read; machines get all.
const ACCOUNTS_SHOWN: usize = 20;
const DAY: i64 = 86_400_000_000_000;

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
        "Account {account}, {model}; measure: {rung}.\nA key may allow less than this.\n\n{}",
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

/// As a value in a query.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// What a recorded request is about.
#[derive(Deserialize)]
struct Recorded<'a> {
    time: i64,
    account: &'a str,
    key: Option<&'a str>,
    endpoint: &'a str,
    #[serde(borrow)]
    request: &'a RawValue,
}

/// What requests got, or would have got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Got {
    allowed: u64,
    /// Of those that are allowed: of how many something is held back that they asked for.
    held_back: u64,
    refused: u64,
}

impl Got {
    fn add(&mut self, outcome: Option<Actions>) {
        match outcome {
            None => self.refused += 1,
            Some(held) => {
                self.allowed += 1;
                self.held_back += u64::from(!held.is_empty());
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Compared {
    now: Got,
    then: Got,
    /// Requests that would have got something else.
    different: u64,
}

/// Who is known, as a running gateway tells it.
struct Known {
    directory: Directory,
    scopes: BTreeMap<String, Scope>,
}

impl Known {
    fn ask(client: &AdminClient) -> Result<Known, Failure> {
        let mut directory = Directory::default();
        let mut known = |path: &str, name: &str, change: fn(Value) -> serde_json::Result<Change>| {
            for item in client.all(path, name)? {
                directory.apply(change(item).map_err(Failure::unreadable)?).map_err(Failure::unreadable)?;
            }
            Ok::<(), Failure>(())
        };
        known("/api/v1/organisations", "organisations", |item| {
            Ok(Change::Organisation(serde_json::from_value(item)?))
        })?;
        known("/api/v1/accounts", "accounts", |item| Ok(Change::Account(serde_json::from_value(item)?)))?;
        known("/api/v1/standings", "standings", |item| Ok(Change::Standing(serde_json::from_value(item)?)))?;
        let mut scopes = BTreeMap::new();
        for mut key in client.all("/api/v1/keys", "keys")? {
            let scope = key.get_mut("scope").map(Value::take).unwrap_or_default();
            let id = key.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            scopes.insert(id, serde_json::from_value(scope).map_err(Failure::unreadable)?);
        }
        Ok(Known { directory, scopes })
    }

    fn who(&self, recorded: &Recorded<'_>) -> Option<Who> {
        let account = Arc::clone(self.directory.account(&recorded.account.parse().ok()?)?);
        let organisation = account.organisation.as_ref().and_then(|id| self.directory.organisation(id)).cloned();
        let standing = self.directory.standing(&account.id).cloned();
        let key = recorded.key.unwrap_or_default();
        let scope = self.scopes.get(key).cloned().unwrap_or_default();
        Some(Who { account, organisation, standing, credential: Credential::Key(key.into()), scope })
    }
}

fn simulate(file: &Path, days: u32, server: &Server) -> Result<Exit, Failure> {
    let (then, _) = checked(file)?;
    let client = AdminClient::new(server)?;
    let now = client.ask(Method::GET, POLICIES, None)?;
    let now = Policies::parse(now.get("text").and_then(Value::as_str).unwrap_or_default());
    let (now, then) = (Permits::new(Arc::new(now.map_err(Failure::unreadable)?)), Permits::new(Arc::new(then)));
    let known = Known::ask(&client)?;
    let time = SystemClock.now();
    let since = time.nanos().saturating_sub(i64::from(days) * DAY);

    let mut total = Compared::default();
    let mut accounts: BTreeMap<String, Compared> = BTreeMap::new();
    let mut left_out = 0_u64;
    let bar = progress::waiting("requests");
    for line in lines(&server.data)? {
        let line = line?;
        bar.tick();
        // What was cut by a crash at the end of a file, or changed since, is no request that is known.
        let recorded = store::segment::check(line.as_bytes()).then(|| serde_json::from_str::<Recorded<'_>>(&line));
        let Some(Ok(recorded)) = recorded else {
            left_out += 1;
            continue;
        };
        if recorded.time < since {
            continue;
        }
        let asked = known.who(&recorded).and_then(|who| Some((who, ask(&recorded)?)));
        let Some((who, ask)) = asked else {
            left_out += 1;
            continue;
        };
        let (was, would) = (outcome(&now, &who, &ask, time), outcome(&then, &who, &ask, time));
        for compared in [&mut total, accounts.entry(recorded.account.to_owned()).or_default()] {
            compared.now.add(was);
            compared.then.add(would);
            compared.different += u64::from(was != would);
        }
    }
    bar.finish_and_clear();
    show(server, days, total, &accounts, left_out)
}

fn ask(recorded: &Recorded<'_>) -> Option<Ask> {
    let route = route(&Method::POST, recorded.endpoint, &[]).ok()?;
    Ask::read(route.call, recorded.request.get().as_bytes()).ok()
}

/// What is held back of what is asked for; none where it is refused.
fn outcome(permits: &Permits, who: &Who, ask: &Ask, time: Time) -> Option<Actions> {
    let may_be_held: Actions = HELD_BACK.into_iter().collect();
    let permit = permits.permit(who, ask.model.as_deref(), ask.wanted.minus(may_be_held), time);
    permit.ok().map(|permit| ask.wanted.minus(permit.actions()))
}

/// The lines of everything that was recorded, oldest file first.
fn lines(data: &Path) -> Result<impl Iterator<Item = Result<String, Failure>>, Failure> {
    let missing = || Failure::bad_input(format!("`{}` is no data folder with recorded exchanges", data.display()));
    let folder = data_folder::recorded(data).ok_or_else(missing)?;
    let failed = move |error| Failure::io("recorded exchanges cannot be read", error);
    let files = store::segment::files(&folder).map_err(failed)?;
    let opened = files.into_iter().map(move |path| File::open(path).map_err(failed));
    Ok(opened.flat_map(move |file| {
        let (file, failure) = match file {
            Ok(file) => (Some(file), None),
            Err(failure) => (None, Some(Err(failure))),
        };
        let lines = file.into_iter().flat_map(|file| BufReader::new(file).lines());
        lines.map(move |line| line.map_err(failed)).chain(failure)
    }))
}

fn show(
    server: &Server,
    days: u32,
    total: Compared,
    accounts: &BTreeMap<String, Compared>,
    left_out: u64,
) -> Result<Exit, Failure> {
    let mut different: Vec<(&String, &Compared)> =
        accounts.iter().filter(|(_, compared)| compared.different > 0).collect();
    different.sort_by_key(|(id, compared)| (std::cmp::Reverse(compared.different), *id));
    if server.json {
        let accounts: serde_json::Map<String, Value> =
            different.iter().map(|(id, compared)| ((*id).clone(), json!(compared))).collect();
        return print_json(&json!({"days": days, "now": total.now, "then": total.then, "different": total.different,
            "left_out": left_out, "accounts": accounts}));
    }
    let requests = total.now.allowed + total.now.refused;
    let line = |name: &str, got: Got| json!({"policies": name, "allowed": got.allowed, "of these held back": got.held_back, "refused": got.refused});
    let sums = [line("as they hold", total.now), line("as in the file", total.then)];
    let mut text = format!(
        "{requests} requests of the last {days} days; {} of them would have got something else (accounts: {}).\n\n{}",
        total.different,
        different.len(),
        listing::columns(&["policies", "allowed", "of these held back", "refused"], &sums)
    );
    if left_out > 0 {
        text += &format!("\n{left_out} lines were left out: cut off, or of accounts or calls that are not known.\n");
    }
    if !different.is_empty() {
        let row = |(id, compared): &(&String, &Compared)| {
            json!({"account": id, "different": compared.different, "refused now": compared.now.refused,
                "refused then": compared.then.refused, "held back now": compared.now.held_back,
                "held back then": compared.then.held_back})
        };
        let rows: Vec<Value> = different.iter().take(ACCOUNTS_SHOWN).map(row).collect();
        let columns = ["account", "different", "refused now", "refused then", "held back now", "held back then"];
        text += &format!("\n{}", listing::columns(&columns, &rows));
        if different.len() > ACCOUNTS_SHOWN {
            text += &format!("and {} more accounts; --json lists them all.\n", different.len() - ACCOUNTS_SHOWN);
        }
    }
    print(&text)?;
    Ok(Exit::Nothing)
}
