//! `stillwatch quota`: how much may be asked for.

use hyper::Method;
use serde_json::{Value, json};

use super::account::show;
use crate::admin_client::AdminClient;
use crate::cli::QuotaCommand;
use crate::failure::{Exit, Failure};
use crate::listing;
use crate::output::{print, print_json};

/// Does what was asked.
pub(crate) fn run(command: &QuotaCommand) -> Result<Exit, Failure> {
    match command {
        QuotaCommand::Set(args) => {
            let (unit, amount) = amount(&args.unit, &args.amount)?;
            let quota = json!({
                "id": args.id, "of": of(&args.of)?, "unit": unit, "amount": amount,
                "per": args.per.replace('-', "_"), "except_high_rate": args.except_high_rate,
            });
            let quota = AdminClient::new(&args.server)?.ask(Method::POST, "/api/v1/quotas", Some(&quota))?;
            show(&args.server, &quota, "")
        }
        QuotaCommand::List { server } => {
            let mut quotas = AdminClient::new(server)?.all("/api/v1/quotas", "quotas")?;
            if server.json {
                return print_json(&json!({"quotas": quotas}));
            }
            quotas.iter_mut().for_each(in_the_currency);
            print(&listing::columns(&["id", "of", "unit", "amount", "per", "except_high_rate"], &quotas))?;
            Ok(Exit::Nothing)
        }
        QuotaCommand::Remove { id, server } => {
            AdminClient::new(server)?.ask(Method::DELETE, &format!("/api/v1/quotas/{id}"), None)?;
            if server.json { print_json(&json!({"id": id, "removed": true})) } else { Ok(Exit::Nothing) }
        }
    }
}

/// Decimals of an amount of the currency, since costs are counted in millionths.
const DECIMALS: usize = 6;

/// What is counted and how much, as the gateway counts it.
fn amount(unit: &str, text: &str) -> Result<(&'static str, u64), Failure> {
    let wrong = |expected| Failure::usage(format!("--amount `{text}`: expected {expected}"));
    let unit = match unit {
        "cost" => "micro_cost",
        "tokens" => "tokens",
        _ => "requests",
    };
    if unit != "micro_cost" {
        return text.parse().map(|amount| (unit, amount)).map_err(|_| wrong("a whole number"));
    }
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_number =
        !whole.is_empty() && [whole, decimals].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_number || decimals.len() > DECIMALS {
        return Err(wrong("an amount with at most 6 decimals, such as 12.50"));
    }
    format!("{whole}{decimals:0<DECIMALS$}").parse().map(|amount| (unit, amount)).map_err(|_| wrong("less"))
}

/// Writes a limit of costs as [`amount`] reads it.
fn in_the_currency(quota: &mut Value) {
    let micro = quota.get("amount").and_then(Value::as_u64).filter(|_| quota.get("unit") == Some(&json!("micro_cost")));
    if let (Some(micro), Some(fields)) = (micro, quota.as_object_mut()) {
        fields.insert("unit".to_owned(), json!("cost"));
        fields.insert("amount".to_owned(), json!(format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_typed_in_the_currency_and_counted_in_millionths() {
        for (text, expected) in [("12.50", 12_500_000), ("0.000001", 1), ("250", 250_000_000), ("0", 0)] {
            assert_eq!(amount("cost", text).ok(), Some(("micro_cost", expected)), "{text}");
        }
        for text in ["", ".5", "1e3", "-1", "1.0000001", "1,5", "99999999999999999999"] {
            assert!(amount("cost", text).is_err(), "{text}");
        }
        assert_eq!(amount("tokens", "100").ok(), Some(("tokens", 100)));
        assert!(amount("requests", "1.5").is_err());
        let mut quota = json!({"unit": "micro_cost", "amount": 12_500_001});
        in_the_currency(&mut quota);
        assert_eq!(quota, json!({"unit": "cost", "amount": "12.500001"}));
        let mut quota = json!({"unit": "tokens", "amount": 5});
        in_the_currency(&mut quota);
        assert_eq!(quota, json!({"unit": "tokens", "amount": 5}));
    }
}
