//! Audits as other programs read them.

use audit::oscal::oscal;
use audit::sarif::sarif;
use audit::{Audit, Changes, Facts, Finding, Persona};
use serde_json::Value;

use crate::audits::audit;
use crate::deployments::{also_wrong, now, right, wrong};

fn shown(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// A part of the wrong deployment, for whoever runs it.
fn weak_host() -> Audit {
    let Facts { host, .. } = wrong();
    Audit::of(&Facts { host, ..Facts::default() }, now(), Persona::Regular, &[])
}

#[test]
fn a_weak_deployment_as_lines() {
    let line =
        |finding: &Finding| format!("{} {} {}: {}", finding.severity, finding.rule, finding.place, finding.message);
    let both = [audit(&wrong()), audit(&also_wrong())];
    let lines: Vec<String> = both.iter().flat_map(|audit| &audit.findings).map(line).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_weak_machine_as_sarif() {
    let mut whole = sarif(&weak_host(), None, "0.0.0");
    // One rule and one note of each kind show the form.
    for list in ["/runs/0/tool/driver/rules", "/runs/0/invocations/0/toolExecutionNotifications"] {
        whole.pointer_mut(list).and_then(Value::as_array_mut).unwrap().truncate(1);
    }
    insta::assert_snapshot!(shown(&whole));
}

#[test]
fn a_weak_machine_as_oscal() {
    insta::assert_snapshot!(shown(&oscal(&weak_host(), "0.0.0")));
}

#[test]
fn sarif_tells_what_is_new_and_what_is_gone() {
    let (before, now) = (audit(&wrong()), audit(&also_wrong()));
    let written = sarif(&now, Some(&Changes::between(&before, &now)), "0.0.0");
    let results = written.pointer("/runs/0/results").and_then(Value::as_array).unwrap();
    let states =
        |state: &str| results.iter().filter(|result| result.get("baselineState").is_some_and(|is| is == state)).count();
    assert!(states("new") > 0 && states("absent") > 0 && states("unchanged") > 0, "{results:?}");
    assert_eq!(states("new") + states("absent") + states("unchanged"), results.len());
}

#[test]
fn ids_are_the_same_for_the_same_audit_and_no_list_of_oscal_is_empty() {
    let none = Audit::of(&right(), now(), Persona::Regular, &[]);
    assert_eq!(oscal(&none, "0.0.0"), oscal(&none, "0.0.0"));
    fn empty(value: &Value) -> bool {
        match value {
            Value::Array(all) => all.is_empty() || all.iter().any(empty),
            Value::Object(fields) => fields.values().any(empty),
            _ => false,
        }
    }
    assert!(!empty(&oscal(&none, "0.0.0")) && !empty(&oscal(&audit(&Default::default()), "0.0.0")));
}
