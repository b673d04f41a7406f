//! What recorded requests would have got under something else: other policies, or another response.
//!
//! Takes accounts, keys, responses and what detection says as they are now, and leaves quotas out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;

use exchange::Time;
use gateway::ask::Ask;
use gateway::gate::HELD_BACK;
use gateway::route::route;
use hyper::Method;
use policy::comparison::{Compared, Comparison, Got, Outcome};
use policy::directory::{Change, Cover, Directory};
use policy::permit::Permits;
use policy::response::Force;
use policy::who::{Credential, Who};
use policy::{Actions, Response, Scope};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::admin_client::AdminClient;
use crate::cli::Server;
use crate::failure::{Exit, Failure};
use crate::output::{print, print_json};
use crate::{data_folder, listing, progress};

/// Accounts that are listed where people read; machines get all.
const ACCOUNTS_SHOWN: usize = 20;
const DAY: i64 = 86_400_000_000_000;

/// Goes through what was recorded in the last `days` before `now` and says of each request what it `was` to get and what it `would` have got.
pub(crate) fn compare(
    server: &Server,
    days: u32,
    now: Time,
    was: &dyn Fn(&Who, &Ask) -> Outcome,
    would: &dyn Fn(&Who, &Ask) -> Outcome,
) -> Result<Comparison, Failure> {
    let known = Known::ask(&AdminClient::new(server)?)?;
    let missing =
        || Failure::bad_input(format!("`{}` is no data folder with recorded exchanges", server.data.display()));
    let folder = data_folder::recorded(&server.data).ok_or_else(missing)?;
    let since = Time::from_nanos(now.nanos().saturating_sub(i64::from(days).saturating_mul(DAY)));
    let bar = progress::waiting("requests");
    let go_on = || {
        bar.tick();
        true
    };
    let comparison = known.compare(&folder, since, was, would, &go_on);
    bar.finish_and_clear();
    comparison
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

/// Who is known to a running gateway.
pub(crate) struct Known {
    directory: Arc<Directory>,
    scopes: BTreeMap<String, Scope>,
}

impl Known {
    /// As its registry knows them.
    pub(crate) fn of(directory: Arc<Directory>) -> Known {
        let scopes = directory.keys().map(|key| (key.id.to_string(), key.scope.clone())).collect();
        Known { directory, scopes }
    }

    /// As it tells them.
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
        known("/api/v1/suspicions", "suspicions", |item| Ok(Change::Suspicion(serde_json::from_value(item)?)))?;
        let mut covers = Vec::new();
        for mut item in client.all("/api/v1/responses", "responses")? {
            // What is told of it besides what it is.
            let fields = item.as_object_mut();
            fields
                .into_iter()
                .for_each(|fields| ["state", "accounts"].iter().for_each(|name| drop(fields.remove(*name))));
            let response: Response = serde_json::from_value(item).map_err(Failure::unreadable)?;
            covers.push(response.id.clone());
            directory.apply(Change::Response(response)).map_err(Failure::unreadable)?;
        }
        for response in covers {
            for account in client.all(&format!("/api/v1/responses/{response}"), "accounts")? {
                let account = serde_json::from_value(account).map_err(Failure::unreadable)?;
                let covered = Change::Covered { response: response.clone(), account, cover: Cover::Holds };
                directory.apply(covered).map_err(Failure::unreadable)?;
            }
        }
        let mut scopes = BTreeMap::new();
        for mut key in client.all("/api/v1/keys", "keys")? {
            let scope = key.get_mut("scope").map(Value::take).unwrap_or_default();
            let id = key.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            scopes.insert(id, serde_json::from_value(scope).map_err(Failure::unreadable)?);
        }
        Ok(Known { directory: Arc::new(directory), scopes })
    }

    /// Goes through what was recorded in a folder since a time, the latest file first, for as long as it may `go_on`.
    pub(crate) fn compare(
        &self,
        folder: &Path,
        since: Time,
        was: &dyn Fn(&Who, &Ask) -> Outcome,
        would: &dyn Fn(&Who, &Ask) -> Outcome,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Comparison, Failure> {
        let mut comparison = Comparison::default();
        for line in lines(folder)? {
            let line = line?;
            if !go_on() {
                comparison.is_cut = true;
                break;
            }
            // What was cut by a crash at the end of a file, or changed since, is no request that is known.
            let recorded = store::segment::check(line.as_bytes()).then(|| serde_json::from_str::<Recorded<'_>>(&line));
            let Some(Ok(recorded)) = recorded else {
                comparison.left_out += 1;
                continue;
            };
            if recorded.time < since.nanos() {
                continue;
            }
            match self.who(&recorded).and_then(|who| Some((who, ask(&recorded)?))) {
                Some((who, ask)) => comparison.add(recorded.account, was(&who, &ask), would(&who, &ask)),
                None => comparison.left_out += 1,
            }
        }
        Ok(comparison)
    }

    fn who(&self, recorded: &Recorded<'_>) -> Option<Who> {
        let account = Arc::clone(self.directory.account(&recorded.account.parse().ok()?)?);
        let organisation = account.organisation.as_ref().and_then(|id| self.directory.organisation(id)).cloned();
        let responses = self.directory.responses_to(&account.id);
        let suspicion = self.directory.suspicion(&account.id).cloned();
        let key = recorded.key.unwrap_or_default();
        let scope = self.scopes.get(key).cloned().unwrap_or_default();
        Some(Who { account, organisation, responses, suspicion, credential: Credential::Key(key.into()), scope })
    }
}

fn ask(recorded: &Recorded<'_>) -> Option<Ask> {
    let route = route(&Method::POST, recorded.endpoint, &[]).ok()?;
    Ask::read(route.call, recorded.request.get().as_bytes()).ok()
}

/// What is held back of what is asked for; none where it is refused.
pub(crate) fn outcome(permits: &Permits, who: &Who, force: Force, ask: &Ask) -> Outcome {
    let may_be_held: Actions = HELD_BACK.into_iter().collect();
    let permit = permits.permit_under(who, force, ask.model.as_deref(), ask.wanted.minus(may_be_held));
    permit.ok().map(|permit| ask.wanted.minus(permit.actions()))
}

/// The lines of everything that was recorded, latest file first.
pub(crate) fn lines(folder: &Path) -> Result<impl Iterator<Item = Result<String, Failure>>, Failure> {
    let failed = move |error| Failure::io("recorded exchanges cannot be read", error);
    let files = store::segment::files(folder).map_err(failed)?;
    let opened = files.into_iter().rev().map(move |path| File::open(path).map_err(failed));
    Ok(opened.flat_map(move |file| {
        let (file, failure) = match file {
            Ok(file) => (Some(file), None),
            Err(failure) => (None, Some(Err(failure))),
        };
        let lines = file.into_iter().flat_map(|file| BufReader::new(file).lines());
        lines.map(move |line| line.map_err(failed)).chain(failure)
    }))
}

/// Shows a comparison. `names` says what is compared, and what the one and the other are called.
pub(crate) fn show(server: &Server, days: u32, comparison: &Comparison, names: [&str; 3]) -> Result<Exit, Failure> {
    let Comparison { total, left_out, .. } = comparison;
    let [what, as_it_is, instead] = names;
    let different = comparison.different();
    if server.json {
        let accounts: serde_json::Map<String, Value> =
            different.iter().map(|(id, compared)| ((*id).to_owned(), json!(compared))).collect();
        return print_json(&json!({"days": days, "now": total.now, "then": total.then, "different": total.different,
            "left_out": left_out, "accounts": accounts}));
    }
    let requests = total.now.allowed + total.now.refused;
    let line = |name: &str, got: Got| json!({what: name, "allowed": got.allowed, "of these held back": got.held_back, "refused": got.refused});
    let sums = [line(as_it_is, total.now), line(instead, total.then)];
    let mut text = format!(
        "{requests} requests of the last {days} days; {} of them would have got something else (accounts: {}).\n\n{}",
        total.different,
        different.len(),
        listing::columns(&[what, "allowed", "of these held back", "refused"], &sums)
    );
    if *left_out > 0 {
        text += &format!("\n{left_out} lines were left out: cut off, or of accounts or calls that are not known.\n");
    }
    if !different.is_empty() {
        let row = |(id, compared): &(&str, &Compared)| {
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
