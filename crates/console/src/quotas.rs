//! Quotas: how much may be asked for, by whom, in which time; set and taken away.

use std::sync::Arc;

use admin::person::Role;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use policy::amount::{Per, Unit};
use policy::quota::{Of, Quota};
use report::words::{counted, encoded, printable};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::context::Console;
use crate::fault::{Fault, Page};
use crate::frame::{Frame, drawn};
use crate::route::{Needs, Route};
use crate::session::Visit;
use crate::table::{Asked, Cell, Column, Row, Table};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/quotas", Needs::Role(Role::Viewer), get(quotas)),
        Route::post("/quotas", Needs::Role(Role::Responder), post(set)),
        Route::post("/quotas/{id}/remove", Needs::Role(Role::Responder), post(remove)),
    ]
}

#[derive(Template)]
#[template(path = "quotas.html")]
struct Quotas {
    frame: Frame,
    table: Table,
    names: Vec<String>,
    can_change: bool,
}

async fn quotas(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Page {
    let Query(asked) = query?;
    let quotas = console.admin.registry.quotas().await;
    let table = table(&quotas);
    if let Some(saved) = table.saved(&asked) {
        return Ok(saved);
    }
    drawn(&Quotas {
        frame: Frame::new(&console, &visit, "Quotas", "/quotas"),
        table: table.part(&asked),
        names: quotas.iter().map(|quota| quota.id.to_string()).collect(),
        can_change: visit.may(Role::Responder),
    })
}

fn table(quotas: &[Quota]) -> Table {
    let row = |quota: &Quota| {
        let of = match &quota.of {
            Of::Account(account) => {
                Cell::text(format!("account {account}")).to(format!("/accounts/{}", encoded(account.as_str())))
            }
            of => Cell::text(whose(of)),
        };
        let cells = vec![
            Cell::text(quota.id.as_str()),
            of,
            Cell::number(quota.amount),
            Cell::text(unit(quota.unit)),
            Cell::text(per(quota.per)),
            Cell::text(if quota.except_high_rate { "who may ask at a high rate" } else { "nobody" }),
        ];
        Row::new(quota.id.as_str(), cells)
    };
    let columns = [
        Column::text("quota"),
        Column::text("holds for"),
        Column::number("at most"),
        Column::text("of"),
        Column::text("in"),
        Column::text("but for"),
    ];
    Table::new("quotas", "Quotas", &columns, quotas.iter().map(row).collect())
        .or("No quota is set. Those of responses that share a budget are on the pages of responses.")
}

fn whose(of: &Of) -> String {
    match of {
        Of::EachKey => "each key, for itself".to_owned(),
        Of::EachAccount => "each account, for itself".to_owned(),
        Of::EachOrganisation => "each organisation, for itself".to_owned(),
        Of::EachPaymentGroup => "those who pay with one instrument, together".to_owned(),
        Of::Account(account) => format!("account {account}"),
        Of::Group(accounts) => {
            let names: Vec<&str> = accounts.iter().take(5).map(|account| account.as_str()).collect();
            let more = if accounts.len() > names.len() { ", …" } else { "" };
            format!("{} together: {}{more}", counted(accounts.len() as u64, "account"), names.join(", "))
        }
        Of::Response(response) => format!("those of {response}, together"),
        Of::Everybody => "everybody together".to_owned(),
    }
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Requests => "requests",
        Unit::Tokens => "tokens, read and written",
        Unit::MicroCost => "millionths of the currency of prices",
    }
}

fn per(per: Per) -> &'static str {
    match per {
        Per::Second => "a second",
        Per::Minute => "a minute",
        Per::Hour => "an hour",
        Per::Day => "a day, from midnight UTC",
        Per::ThirtyDays => "30 days",
    }
}

/// A quota as it is filled in.
#[derive(Debug, Deserialize)]
struct Filled {
    id: String,
    of: String,
    /// Of whom, where that is not all of a kind: accounts, with blanks between.
    #[serde(default)]
    accounts: String,
    unit: String,
    amount: String,
    per: String,
    #[serde(default)]
    except_high_rate: String,
}

async fn set(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    form: Result<Form<Filled>, FormRejection>,
) -> Page {
    let Form(filled) = form?;
    let quota = read(&filled)?;
    console.registry(&visit).put_quota(&quota).await?;
    console.sessions.leave(&visit, format!("{} holds from now on.", quota.id));
    Ok(Redirect::to("/quotas").into_response())
}

fn read(filled: &Filled) -> Result<Quota, Fault> {
    let Filled { id, of, accounts, unit, amount, per, except_high_rate } = filled;
    let named: Vec<&str> = accounts.split([' ', ',', '\n', '\r', '\t']).filter(|name| !name.is_empty()).collect();
    let of = match (of.as_str(), named.as_slice()) {
        ("account", [one]) => json!({"account": one}),
        ("account", _) => return Err(Fault::bad("`accounts`: expected one account")),
        ("group", []) => return Err(Fault::bad("`accounts`: expected the accounts of the group")),
        ("group", several) => json!({"group": several}),
        (each, []) => json!(each),
        (_, _) => return Err(Fault::bad("`accounts`: name some only for one account or a group")),
    };
    let amount = amount.replace([' ', ',', '\u{a0}'], "");
    Ok(Quota {
        id: id.trim().parse().map_err(|error| Fault::bad(format!("`id`: {error}")))?,
        of: word(
            "of",
            of,
            "each_key, each_account, each_organisation, each_payment_group, everybody, account or group",
        )?,
        unit: word("unit", json!(unit), "requests, tokens or micro_cost")?,
        amount: amount.parse().map_err(|_| Fault::bad("`amount`: expected a whole number"))?,
        per: word("per", json!(per), "second, minute, hour, day or thirty_days")?,
        except_high_rate: !except_high_rate.is_empty(),
    })
}

fn word<T: DeserializeOwned>(field: &str, value: serde_json::Value, expected: &str) -> Result<T, Fault> {
    serde_json::from_value(value)
        .map_err(|error| Fault::bad(format!("`{field}`: expected {expected} ({})", printable(&error.to_string(), 200))))
}

async fn remove(
    State(console): State<Arc<Console>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
) -> Page {
    let quota = id.parse().map_err(|error| Fault::bad(format!("`id`: {error}")))?;
    console.registry(&visit).remove_quota(&quota).await?;
    console.sessions.leave(&visit, format!("{} holds no longer.", printable(&id, 128)));
    Ok(Redirect::to("/quotas").into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(of: &str, accounts: &str) -> Filled {
        let text = str::to_owned;
        Filled {
            id: text("daily"),
            of: text(of),
            accounts: text(accounts),
            unit: text("tokens"),
            amount: text("2 000 000"),
            per: text("day"),
            except_high_rate: String::new(),
        }
    }

    #[test]
    fn what_is_filled_in_is_read_or_refused_by_its_field() {
        let quota = read(&filled("group", "a1, a2\na3")).unwrap();
        assert_eq!((quota.amount, whose(&quota.of).as_str()), (2_000_000, "3 accounts together: a1, a2, a3"));
        assert_eq!(read(&filled("each_account", "")).unwrap().of, Of::EachAccount);
        for (of, accounts, field) in [
            ("account", "", "accounts"),
            ("account", "a b", "accounts"),
            ("group", " ", "accounts"),
            ("everybody", "a", "accounts"),
            ("nobody", "", "of"),
            ("account", "a/b", "of"),
        ] {
            let fault = read(&filled(of, accounts)).unwrap_err();
            assert!(fault.message().starts_with(&format!("`{field}`")), "{}", fault.message());
        }
        let odd = Filled { amount: "-1".to_owned(), ..filled("everybody", "") };
        assert!(read(&odd).unwrap_err().message().starts_with("`amount`"));
    }
}
