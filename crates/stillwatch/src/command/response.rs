//! `stillwatch response`: what is done about an account or a campaign: listed, simulated, taken, approved, undone.

use std::collections::BTreeSet;

use exchange::Time;
use gateway::ask::Ask;
use gateway::clock::{Clock as _, SystemClock};
use hyper::Method;
use policy::Rung;
use policy::response::Force;
use policy::who::Who;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::account::show;
use super::policy::in_force;
use crate::admin_client::AdminClient;
use crate::cli::{ResponseApply, ResponseCommand, ResponseSimulate, Target};
use crate::failure::{Exit, Failure};
use crate::output::{print, print_json};
use crate::{listing, replay};
use report::words::encoded;

const RESPONSES: &str = "/api/v1/responses";
const HOUR: i64 = 3_600_000_000_000;

/// Does what was asked.
pub(crate) fn run(command: &ResponseCommand) -> Result<Exit, Failure> {
    match command {
        ResponseCommand::List { server } => {
            let responses = AdminClient::new(server)?.all(RESPONSES, "responses")?;
            if server.json {
                return print_json(&json!({"responses": responses}));
            }
            let columns = ["id", "state", "rung", "target", "accounts", "since", "until", "author", "reason"];
            print(&listing::columns(&columns, &responses))?;
            Ok(Exit::Nothing)
        }
        ResponseCommand::Show { id, server } => {
            let client = AdminClient::new(server)?;
            let mut shown = client.ask(Method::GET, &format!("{RESPONSES}/{id}"), None)?;
            let accounts = client.all(&format!("{RESPONSES}/{id}"), "accounts")?;
            let mut response = shown.get_mut("response").map(Value::take).unwrap_or_default();
            if let Some(fields) = response.as_object_mut() {
                fields.insert("accounts".to_owned(), Value::Array(accounts));
            }
            show(server, &response, "")
        }
        ResponseCommand::Apply(args) => apply(args),
        ResponseCommand::Approve { id, by, server } => {
            let body = json!({"author": by});
            let path = format!("{RESPONSES}/{id}/approve");
            show(server, &AdminClient::new(server)?.ask(Method::POST, &path, Some(&body))?, "")
        }
        ResponseCommand::Undo { id, by, reason, server } => {
            let body = json!({"author": by, "reason": reason});
            let path = format!("{RESPONSES}/{id}/undo");
            show(server, &AdminClient::new(server)?.ask(Method::POST, &path, Some(&body))?, "")
        }
        ResponseCommand::Simulate(args) => simulate(args),
    }
}

fn apply(args: &ResponseApply) -> Result<Exit, Failure> {
    let client = AdminClient::new(&args.server)?;
    let until = match (args.until, args.hours) {
        (Some(until), _) => Some(until),
        (None, Some(hours)) => Some(Time::from_nanos(client.time()?.nanos().saturating_add(i64::from(hours) * HOUR))),
        (None, None) => None,
    };
    let body = json!({
        "target": target(&args.target),
        "rung": args.measure.rung.replace('-', "_"),
        "assurance": args.measure.assurance.as_deref().unwrap_or("none"),
        "budget": args.budget.as_deref().map(budget).transpose()?,
        "probability": args.probability,
        "joiners": args.joiners,
        "shadow": args.shadow,
        "until": until,
        "reason": args.reason,
        "author": args.by,
    });
    let taken = client.ask(Method::POST, RESPONSES, Some(&body))?;
    let id = taken.get("id").and_then(Value::as_str).unwrap_or_default();
    let next = if taken.get("state") == Some(&json!("waits")) {
        format!(
            "\nIt blocks more accounts than one person may, and does nothing until somebody else approves it:\n  \
             stillwatch response approve {id} --by NAME\n"
        )
    } else {
        format!("\nTo take it back:\n  stillwatch response undo {id} --by NAME --reason TEXT\n")
    };
    show(&args.server, &taken, &next)
}

fn target(target: &Target) -> Value {
    match (&target.account, &target.campaign) {
        (Some(account), _) => json!({"account": account}),
        (None, campaign) => json!({"campaign": campaign}),
    }
}

/// A budget as it is typed: `1000 requests per day`.
fn budget(text: &str) -> Result<Value, Failure> {
    let wrong = || {
        Failure::usage(format!(
            "--budget `{text}`: expected an amount, a unit and a time, such as `1000 requests per day` or `2000000 tokens per hour`"
        ))
    };
    let [amount, unit, per, time] = text.split_whitespace().collect::<Vec<_>>()[..] else { return Err(wrong()) };
    let amount: u64 = amount.parse().map_err(|_| wrong())?;
    let times = ["second", "minute", "hour", "day", "thirty-days"];
    if !matches!(unit, "requests" | "tokens") || per != "per" || !times.contains(&time) {
        return Err(wrong());
    }
    Ok(json!({"unit": unit, "amount": amount, "per": time.replace('-', "_")}))
}

fn simulate(args: &ResponseSimulate) -> Result<Exit, Failure> {
    let client = AdminClient::new(&args.server)?;
    let permits = in_force(&client)?;
    let covered: BTreeSet<String> = match (&args.target.account, &args.target.campaign) {
        (Some(account), _) => {
            client.ask(Method::GET, &format!("/api/v1/accounts/{}", encoded(account)), None)?;
            std::iter::once(account.clone()).collect()
        }
        (None, campaign) => {
            let campaign = campaign.as_deref().unwrap_or_default();
            let members = client.all(&format!("/api/v1/campaigns/{campaign}"), "members")?;
            members.iter().filter_map(|member| Some(member.get("account")?.as_str()?.to_owned())).collect()
        }
    };
    let response = Force {
        rung: word(&args.measure.rung.replace('-', "_"))?,
        assurance: word(args.measure.assurance.as_deref().unwrap_or("none"))?,
    };
    let time = SystemClock.now();
    let was = |who: &Who, ask: &Ask| replay::outcome(&permits, who, who.responses.force(time), ask);
    let would = |who: &Who, ask: &Ask| {
        let force = who.responses.force(time);
        let (rung, assurance): (Rung, _) = (force.rung.max(response.rung), force.assurance.max(response.assurance));
        let force = if covered.contains(who.account.id.as_str()) { Force { rung, assurance } } else { force };
        replay::outcome(&permits, who, force, ask)
    };
    if args.measure.rung == "share-budget" {
        eprintln!("note: what a shared budget would turn away is not simulated, only what its rung takes");
    }
    let comparison = replay::compare(&args.server, args.days, time, &was, &would)?;
    replay::show(&args.server, args.days, &comparison, ["responses", "as they are", "with this one"])
}

fn word<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_value(json!(text)).map_err(Failure::unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_typed_as_they_are_said() {
        let read = budget("1000 requests per day").unwrap_or_default();
        assert_eq!(read, json!({"unit": "requests", "amount": 1000, "per": "day"}));
        assert_eq!(budget(" 5  tokens per thirty-days").unwrap_or_default()["per"], "thirty_days");
        for wrong in [
            "",
            "1000",
            "1000 requests",
            "-1 requests per day",
            "9 wishes per day",
            "9 requests a day",
            "9 requests per year",
        ] {
            assert!(budget(wrong).is_err(), "{wrong}");
        }
    }
}
