//! Looks at the staging instance of a drill, through its admin API: what stands, and what the team did.

use std::collections::BTreeSet;

use drill::look::{Case, Effect, Look, Response, Standing};
use hyper::Method;
use report::words::encoded;
use serde_json::Value;

use super::staging::covered;
use crate::admin_client::AdminClient;
use crate::failure::Failure;

/// How likely an account must take part to count as named: as for what the console lists.
const NAMED: f64 = 0.5;

/// What it shows now.
pub(super) fn look(admin: &AdminClient) -> Result<Look, Failure> {
    let verdicts = admin.ask(Method::GET, "/api/v1/verdicts", None)?;
    let appeals = admin.all("/api/v1/appeals", "appeals")?;
    Ok(Look {
        campaigns: campaigns(admin)?,
        responses: admin
            .all("/api/v1/responses", "responses")?
            .iter()
            .filter_map(|told| response(admin, told).transpose())
            .collect::<Result<_, _>>()?,
        cases: admin.all("/api/v1/cases", "cases")?.iter().filter_map(case).collect(),
        verdicts: named(list(&verdicts, "verdicts"), "author"),
        decided: named(&appeals.into_iter().filter_map(ruled).collect::<Vec<_>>(), "by"),
    })
}

fn campaigns(admin: &AdminClient) -> Result<Vec<Standing>, Failure> {
    let told = admin.ask(Method::GET, "/api/v1/campaigns", None)?;
    let mut campaigns = Vec::new();
    for campaign in list(&told, "campaigns") {
        let Some(id) = text(campaign, "id") else { continue };
        // It may stand no longer by now.
        let Ok(members) = admin.all(&format!("/api/v1/campaigns/{}", encoded(id)), "members") else { continue };
        let sure = members.iter().filter(|member| member.get("probability").and_then(Value::as_f64) >= Some(NAMED));
        let members = sure.filter_map(|member| text(member, "account")).map(str::to_owned).collect();
        campaigns.push(Standing { id: id.to_owned(), members });
    }
    Ok(campaigns)
}

fn response(admin: &AdminClient, told: &Value) -> Result<Option<Response>, Failure> {
    let (Some(id), Some(rung), Some(state)) = (text(told, "id"), text(told, "rung"), text(told, "state")) else {
        return Ok(None);
    };
    let is_in_force = state == "holds";
    Ok(Some(Response {
        id: id.to_owned(),
        rung: rung.to_owned(),
        effect: Effect::of(rung),
        is_in_force,
        author: text(told, "author").unwrap_or_default().to_owned(),
        approved_by: told.pointer("/approval/by").and_then(Value::as_str).map(str::to_owned),
        undone_by: told.get("undone").and_then(|undone| text(undone, "author")).map(str::to_owned),
        covers: told.get("accounts").and_then(Value::as_u64).unwrap_or_default(),
        accounts: if is_in_force { covered(admin, id)? } else { BTreeSet::new() },
    }))
}

fn case(told: &Value) -> Option<Case> {
    let campaigns = told.get("campaigns").and_then(Value::as_array);
    Some(Case {
        id: text(told, "id")?.to_owned(),
        by: text(told, "by").unwrap_or_default().to_owned(),
        is_about_campaign: campaigns.is_some_and(|campaigns| !campaigns.is_empty()),
    })
}

/// An appeal that is decided, with whoever did.
fn ruled(appeal: Value) -> Option<Value> {
    let author = appeal.pointer("/ruling/author")?.clone();
    Some(serde_json::json!({"id": appeal.get("id")?, "by": author}))
}

fn named(all: &[Value], by: &str) -> Vec<(String, String)> {
    let one = |it: &Value| Some((text(it, "id")?.to_owned(), text(it, by).unwrap_or_default().to_owned()));
    all.iter().filter_map(one).collect()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}
