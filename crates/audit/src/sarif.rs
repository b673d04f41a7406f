//! An audit as SARIF 2.1.0 (OASIS), as programs that show findings read it.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{Audit, Cited, Finding, Outcome, RuleResult};
use crate::catalogue::Catalogue;
use crate::history::Changes;
use crate::rule::Severity;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// What names of this program are made from, for ids that are the same every time.
pub(crate) const SPACE: Uuid =
    Uuid::from_bytes([0x5c, 0x0e, 0x6a, 0x1d, 0x93, 0x47, 0x4d, 0x2b, 0x8e, 0x51, 0x0a, 0xc4, 0x77, 0x1f, 0x3b, 0xe2]);

/// An audit, with what changed since another one where that is known.
#[must_use]
pub fn sarif(audit: &Audit, changes: Option<&Changes>, version: &str) -> Value {
    let taxonomies = taxonomies(audit);
    let rules: Vec<Value> = audit.rules.iter().map(|rule| descriptor(rule, &taxonomies)).collect();
    let mut results: Vec<Value> = audit
        .findings
        .iter()
        .map(|finding| result(finding, audit, changes.map(|changes| changes.is_new(finding))))
        .collect();
    let gone = changes.iter().flat_map(|changes| &changes.gone);
    results.extend(gone.filter_map(|finding| {
        let mut result = result(finding, audit, None);
        result.as_object_mut()?.insert("baselineState".to_owned(), json!("absent"));
        Some(result)
    }));
    let not_looked = audit.rules.iter().filter(|rule| rule.outcome == Outcome::NotLooked);
    let notes: Vec<Value> = not_looked
        .map(|rule| {
            json!({
                "level": "note",
                "message": {"text": format!("{}: nobody looked at {}", rule.id, rule.part.name())},
                "associatedRule": {"id": rule.id},
            })
        })
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "stillwatch",
                "version": version,
                "rules": rules,
                "supportedTaxonomies": taxonomies.iter().enumerate().map(|(index, (catalogue, _))| component(*catalogue, index)).collect::<Vec<_>>(),
            }},
            "automationDetails": {"id": "stillwatch/audit/"},
            "invocations": [{"executionSuccessful": true, "endTimeUtc": audit.at.to_string(), "toolExecutionNotifications": notes}],
            "taxonomies": taxonomies.iter().map(|(catalogue, ids)| taxonomy(*catalogue, ids)).collect::<Vec<_>>(),
            "results": results,
        }],
    })
}

/// Each catalogue that a rule cites, with what of it is cited.
fn taxonomies(audit: &Audit) -> Vec<(Catalogue, Vec<String>)> {
    let ids = |catalogue: Catalogue| {
        let cited = audit.rules.iter().flat_map(|rule| &rule.requirements).filter(|it| it.catalogue == catalogue);
        let mut ids: Vec<String> = cited.map(|it| it.id.clone()).collect();
        ids.sort();
        ids.dedup();
        (catalogue, ids)
    };
    Catalogue::ALL.into_iter().map(ids).filter(|(_, ids)| !ids.is_empty()).collect()
}

fn component(catalogue: Catalogue, index: usize) -> Value {
    json!({"name": catalogue.id(), "index": index, "guid": guid(catalogue)})
}

fn guid(catalogue: Catalogue) -> String {
    Uuid::new_v5(&SPACE, catalogue.id().as_bytes()).to_string()
}

fn taxonomy(catalogue: Catalogue, ids: &[String]) -> Value {
    json!({
        "name": catalogue.id(),
        "version": catalogue.version(),
        "guid": guid(catalogue),
        "organization": catalogue.organisation(),
        "informationUri": catalogue.address(),
        "shortDescription": {"text": catalogue.title()},
        "isComprehensive": false,
        "taxa": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>(),
    })
}

fn descriptor(rule: &RuleResult, taxonomies: &[(Catalogue, Vec<String>)]) -> Value {
    let relationship = |cited: &Cited| {
        let at = taxonomies.iter().position(|(catalogue, _)| *catalogue == cited.catalogue)?;
        let within = taxonomies.get(at)?.1.iter().position(|id| *id == cited.id)?;
        Some(json!({
            "target": {"id": cited.id, "index": within, "toolComponent": component(cited.catalogue, at)},
            "kinds": ["relevant"],
        }))
    };
    json!({
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.fix},
        "defaultConfiguration": {"level": level(rule.severity)},
        "relationships": rule.requirements.iter().filter_map(relationship).collect::<Vec<_>>(),
        "properties": {"severity": rule.severity.name(), "part": rule.part.name(), "security-severity": score(rule.severity)},
    })
}

fn result(finding: &Finding, audit: &Audit, is_new: Option<bool>) -> Value {
    let index = audit.rules.iter().position(|rule| rule.id == finding.rule);
    let title = index.and_then(|index| audit.rules.get(index)).map_or("", |rule| rule.title.as_str());
    let logical =
        json!([{"name": finding.place.name, "fullyQualifiedName": finding.place.to_string(), "kind": "resource"}]);
    let location = match &finding.place.file {
        Some(file) => {
            json!({"physicalLocation": {"artifactLocation": {"uri": uri(file)}}, "logicalLocations": logical})
        }
        None => json!({"logicalLocations": logical}),
    };
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level(finding.severity),
        "message": {"text": format!("{title}: {}", finding.message)},
        "locations": [location],
        "partialFingerprints": {"stillwatchFinding/v1": finding.fingerprint},
        "properties": {"severity": finding.severity.name(), "confidence": finding.confidence.name()},
    });
    if let Some(fields) = result.as_object_mut() {
        if let Some(index) = index {
            fields.insert("ruleIndex".to_owned(), json!(index));
        }
        if let Some(is_new) = is_new {
            fields.insert("baselineState".to_owned(), json!(if is_new { "new" } else { "unchanged" }));
        }
        if let Some(accepted) = &finding.accepted {
            let why = format!("{} (accepted by {} until {})", accepted.reason, accepted.by, accepted.until);
            fields.insert(
                "suppressions".to_owned(),
                json!([{"kind": "external", "status": "accepted", "justification": why}]),
            );
        }
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational | Severity::Low => "note",
        Severity::Medium => "warning",
        Severity::High => "error",
    }
}

/// What GitHub sorts findings by, from 0.0 to 10.0.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "1.0",
        Severity::Low => "3.0",
        Severity::Medium => "5.5",
        Severity::High => "8.0",
    }
}

/// A path as a reference: what has a meaning in one is escaped, and one from the root names a file of this machine.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let escaped: String = path
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    if path.starts_with('/') { format!("file://{escaped}") } else { escaped }
}
