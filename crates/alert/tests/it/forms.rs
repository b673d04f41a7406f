//! Every form as it is written: rules of whoever reads them rest on these names.

use std::collections::BTreeMap;

use alert::form::{self, Form};
use alert::planner::{Kept, Planner};
use alert::{Kind, Notice, Origin, Rules};
use serde_json::Value;
use watch::{Board, Campaign, Member};

fn origin() -> Origin {
    Origin {
        source: "00c0ffee00c0ffee".to_owned(),
        link: "http://127.0.0.1:8081/api/v1/campaigns/{id}".to_owned(),
        version: "0.1.0".to_owned(),
    }
}

fn notice(kind: Kind) -> Notice {
    Notice {
        generation: 1,
        kind,
        time: "2026-03-01T10:00:00.123456789Z".parse().unwrap(),
        campaign: "cmp_1".to_owned(),
        since: "2026-03-01T09:12:30Z".parse().unwrap(),
        accounts: 12,
        joined: if kind == Kind::Joined { 4 } else { 0 },
        log10_e: 7.25,
        log10_threshold: 4.5,
        rival: "a tool that unrelated people share".to_owned(),
    }
}

const KINDS: [Kind; 3] = [Kind::Detected, Kind::Joined, Kind::Withdrawn];

/// JSON to look at, its keys in order: which order they are written in depends on what else is built.
fn pretty(json: &str) -> String {
    serde_json::to_string_pretty(&sorted(serde_json::from_str(json).unwrap())).unwrap()
}

fn sorted(json: Value) -> Value {
    match json {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> = fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            fields.into_iter().collect()
        }
        Value::Array(list) => list.into_iter().map(sorted).collect(),
        other => other,
    }
}

#[test]
fn flat() {
    let all: Vec<String> = KINDS.map(|kind| pretty(&Form::Flat.json(&notice(kind), &origin()))).into();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn ocsf() {
    let all: Vec<String> = KINDS.map(|kind| pretty(&Form::Ocsf.json(&notice(kind), &origin()))).into();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn syslog() {
    let all: Vec<String> = KINDS.map(|kind| form::syslog::message(&notice(kind), &origin(), "{}")).into();
    insta::assert_snapshot!(all.join("\n"));
}

fn mail_of(notice: &Notice) -> String {
    let mailbox = |text: &str| text.parse().unwrap();
    let (from, to) =
        (mailbox("Wächter <alerts@example.com>"), [mailbox("a@example.com"), mailbox("B <b@example.org>")]);
    let message = form::mail::message(notice, &origin(), &from, &to, "2026-03-01T10:00:05Z".parse().unwrap());
    String::from_utf8(message.unwrap().formatted()).unwrap()
}

#[test]
fn mail() {
    let all: Vec<String> = KINDS.map(|kind| mail_of(&notice(kind)).replace("\r\n", "\n")).into();
    insta::assert_snapshot!(all.join("\n-- \n"));
}

#[test]
fn no_value_of_the_flat_form_is_an_object_or_a_list_and_keys_are_in_snake_case() {
    let object = form::flat::object(&notice(Kind::Joined), &origin());
    for (key, value) in object.as_object().unwrap() {
        assert!(!value.is_object() && !value.is_array(), "{key}");
        assert!(key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'), "{key}");
    }
}

#[test]
fn no_form_names_an_account() {
    let members = (0..5).map(|n| Member { account: format!("acc_private_{n}"), probability: 0.9 }).collect();
    let campaign = Campaign {
        id: "cmp_1".to_owned(),
        since: "2026-03-01T09:12:30Z".parse().unwrap(),
        log10_e: 7.25,
        log10_threshold: 4.5,
        rival: "a class".to_owned(),
        members,
    };
    let rules = Rules { repeat_seconds: 60, settle_seconds: 60, quiet: None, quiet_detected: false };
    let mut planner = Planner::new(rules, Kept::default());
    let board = Board { generation: 1, sequence: 1, campaigns: vec![campaign] };
    let notices = planner.step("2026-03-01T10:00:00Z".parse().unwrap(), &board, false);
    assert_eq!(notices.len(), 1);
    let told = &notices[0];
    let json = [Form::Flat, Form::Ocsf].map(|form| form.json(told, &origin()));
    let all = [json.concat(), form::syslog::message(told, &origin(), ""), mail_of(told)].concat();
    // Nor is one written down.
    let kept = serde_json::to_string(planner.kept()).unwrap();
    assert!(all.contains("cmp_1") && kept.contains("cmp_1"));
    assert!(!all.contains("acc_private") && !kept.contains("acc_private"), "{all} {kept}");
}
