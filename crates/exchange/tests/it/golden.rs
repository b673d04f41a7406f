//! Self-written logs of every format, and what is read of them. The golden files lie beside the inputs.

use std::collections::BTreeMap;

use exchange::{AccountFact, Format, ReadReport, Source, parse_accounts};
use serde_json::Value;

use crate::{describe, read_all};

#[test]
fn every_format() {
    for format in Format::all() {
        let path = format!("{}/tests/golden/{format}.jsonl", env!("CARGO_MANIFEST_DIR"));
        let (exchanges, report) = read_all(&std::fs::read(path).unwrap(), 1 << 20, None);
        assert!(report.by_format.contains_key(&format), "{format}: {:?}", report.by_format);
        snapshot(&format.to_string(), &exchanges, &report);
    }
}

/// By these keys a record is taken for one that no table knows, before any is looked at.
#[test]
fn no_source_has_the_three_keys_of_a_native_record() {
    for format in Format::all().filter(|format| matches!(format, Format::Mapped(_))) {
        let path = format!("{}/tests/golden/{format}.jsonl", env!("CARGO_MANIFEST_DIR"));
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let Ok(record) = serde_json::from_str::<Value>(line) else { continue };
            let has = |key| record.get(key).is_some();
            assert!(!(has("request") && has("account") && has("time")), "{format}: {line}");
        }
    }
}

#[test]
fn accounts() {
    let path = format!("{}/tests/golden/accounts.jsonl", env!("CARGO_MANIFEST_DIR"));
    let chunk = Source::new("test", std::fs::File::open(path).unwrap()).next().unwrap().unwrap();
    let mut report = ReadReport::default();
    let mut facts = Vec::new();
    parse_accounts(&chunk, None, &mut |fact: AccountFact| facts.push(fact.to_json()), &mut report);
    snapshot("accounts", &facts, &report);
}

#[test]
fn what_was_read_is_written_so_that_it_reads_the_same() {
    for format in Format::all() {
        let path = format!("{}/tests/golden/{format}.jsonl", env!("CARGO_MANIFEST_DIR"));
        let (first, _) = read_all(&std::fs::read(path).unwrap(), 1 << 20, None);
        let (second, report) = read_all(first.join("\n").as_bytes(), 1 << 20, None);
        for (one, other) in first.iter().zip(&second) {
            assert_eq!(one, other, "{format}");
        }
        assert_eq!(first.len(), second.len(), "{format}");
        assert_eq!(report.by_format.keys().copied().collect::<Vec<_>>(), [Format::Native]);
        assert_eq!(report.notes.warnings.len(), 0, "{}", describe(&report));
    }
}

/// By the names of its fields, whether or not another crate of the build makes `serde_json` keep their order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(list) => list.into_iter().map(sorted).collect(),
        Value::Object(object) => {
            let fields: BTreeMap<String, Value> =
                object.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            fields.into_iter().collect()
        }
        other => other,
    }
}

fn snapshot(name: &str, records: &[String], report: &ReadReport) {
    let records: Vec<Value> = records.iter().map(|json| sorted(serde_json::from_str(json).unwrap())).collect();
    let text = format!("{}\n\n{}", describe(report), serde_json::to_string_pretty(&records).unwrap());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
