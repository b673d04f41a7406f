//! An audit as OSCAL assessment results (NIST), as programs for compliance read it.

use exchange::Time;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{Audit, Finding, Outcome, RuleResult};
use crate::catalogue::Catalogue;
use crate::facts::Part;
use crate::sarif::SPACE;

const VERSION: &str = "1.2.1";
/// What own properties are told by.
const NAMESPACE: &str = "urn:stillwatch:audit";

/// An audit. Each rule that looked is an observation and a finding about itself; each finding that stands is a risk.
#[must_use]
pub fn oscal(audit: &Audit, version: &str) -> Value {
    let at = audit.at;
    let id = |name: &str| Uuid::new_v5(&SPACE, format!("{at}\n{name}").as_bytes()).to_string();
    let looked: Vec<&RuleResult> = audit.rules.iter().filter(|rule| rule.outcome != Outcome::NotLooked).collect();
    let of =
        |rule: &RuleResult| audit.findings.iter().filter(|finding| finding.rule == rule.id).collect::<Vec<&Finding>>();
    let observations: Vec<Value> = looked.iter().map(|rule| observation(rule, &of(rule), at, &id)).collect();
    let findings: Vec<Value> = looked.iter().map(|rule| finding(rule, &of(rule), &id)).collect();
    let risks: Vec<Value> = audit.findings.iter().map(|it| risk(it, audit, &id)).collect();
    let mut controls: Vec<String> = looked
        .iter()
        .flat_map(|rule| &rule.requirements)
        .filter(|it| it.catalogue == Catalogue::Nist)
        .map(|it| it.id.clone())
        .collect();
    controls.sort();
    controls.dedup();
    let selection = if controls.is_empty() {
        json!({"include-all": {}})
    } else {
        json!({"include-controls": controls.iter().map(|id| json!({"control-id": id})).collect::<Vec<_>>()})
    };
    let mut result = json!({
        "uuid": id("result"),
        "title": "Controls against extraction",
        "description": format!("{} rules for the persona {}; {} of them looked at nothing.", audit.rules.len(), audit.persona, audit.count(Outcome::NotLooked)),
        "start": at.to_string(),
        "end": at.to_string(),
        "reviewed-controls": {"control-selections": [selection]},
    });
    // Lists that are empty are not permitted.
    if let Some(fields) = result.as_object_mut() {
        for (name, list) in [("observations", observations), ("findings", findings), ("risks", risks)] {
            if !list.is_empty() {
                fields.insert(name.to_owned(), Value::Array(list));
            }
        }
    }
    let plan = id("plan");
    json!({"assessment-results": {
        "uuid": id("assessment results"),
        "metadata": {
            "title": "Audit by stillwatch",
            "last-modified": at.to_string(),
            "version": format!("stillwatch-{version}"),
            "oscal-version": VERSION,
        },
        "import-ap": {"href": format!("#{plan}")},
        "results": [result],
        "back-matter": {"resources": [{"uuid": plan, "title": "The rules of stillwatch audit", "description": "No assessment plan was written apart from the rules, which the observations name."}]},
    }})
}

fn property(name: &str, value: &str) -> Value {
    json!({"name": name, "ns": NAMESPACE, "value": value})
}

fn observation(rule: &RuleResult, found: &[&Finding], at: Time, id: &impl Fn(&str) -> String) -> Value {
    let mut props = vec![property("rule", &rule.id), property("severity", rule.severity.name())];
    props.extend(
        rule.requirements.iter().map(|it| property("requirement", &format!("{} {}", it.catalogue.id(), it.id))),
    );
    let told = if found.is_empty() { "Nothing was found.".to_owned() } else { format!("{} found.", found.len()) };
    let mut observation = json!({
        "uuid": id(&format!("observation {}", rule.id)),
        "title": rule.title,
        "description": format!("{} {told}", rule.why),
        "props": props,
        "methods": [if rule.part == Part::Endpoint { "TEST" } else { "EXAMINE" }],
        "types": ["control-objective"],
        "collected": at.to_string(),
    });
    let evidence: Vec<Value> =
        found.iter().map(|it| json!({"description": line(&format!("{}: {}", it.place, it.message))})).collect();
    if let Some(fields) = observation.as_object_mut().filter(|_| !evidence.is_empty()) {
        fields.insert("relevant-evidence".to_owned(), Value::Array(evidence));
    }
    observation
}

fn finding(rule: &RuleResult, found: &[&Finding], id: &impl Fn(&str) -> String) -> Value {
    let open: Vec<&&Finding> = found.iter().filter(|it| it.accepted.is_none()).collect();
    let control = rule
        .requirements
        .iter()
        .find(|it| it.catalogue == Catalogue::Nist)
        .map_or(rule.id.as_str(), |it| it.id.as_str());
    let state = if found.is_empty() { "satisfied" } else { "not-satisfied" };
    let mut finding = json!({
        "uuid": id(&format!("finding {}", rule.id)),
        "title": rule.title,
        "description": if open.is_empty() && !found.is_empty() { "Found, and accepted." } else if found.is_empty() { "Not found." } else { rule.fix.as_str() },
        "props": [property("rule", &rule.id)],
        "target": {
            "type": "objective-id",
            "target-id": control,
            "status": {"state": state, "reason": if found.is_empty() { "pass" } else { "fail" }},
        },
        "related-observations": [{"observation-uuid": id(&format!("observation {}", rule.id))}],
    });
    let risks: Vec<Value> =
        found.iter().map(|it| json!({"risk-uuid": id(&format!("risk {}", it.fingerprint))})).collect();
    if let Some(fields) = finding.as_object_mut().filter(|_| !risks.is_empty()) {
        fields.insert("related-risks".to_owned(), Value::Array(risks));
    }
    finding
}

fn risk(finding: &Finding, audit: &Audit, id: &impl Fn(&str) -> String) -> Value {
    let rule = audit.rules.iter().find(|rule| rule.id == finding.rule);
    let (title, why, fix) =
        rule.map_or(("", "", ""), |rule| (rule.title.as_str(), rule.why.as_str(), rule.fix.as_str()));
    let atlas = rule
        .into_iter()
        .flat_map(|rule| &rule.requirements)
        .filter(|it| it.catalogue == Catalogue::Atlas && it.id.starts_with("AML.T"));
    let threats: Vec<Value> = atlas.map(|it| json!({"system": Catalogue::Atlas.address(), "id": it.id})).collect();
    let mut risk = json!({
        "uuid": id(&format!("risk {}", finding.fingerprint)),
        "title": title,
        "description": line(&format!("{}: {}", finding.place, finding.message)),
        "statement": why,
        "status": if finding.accepted.is_some() { "deviation-approved" } else { "open" },
        "props": [
            property("severity", finding.severity.name()),
            property("confidence", finding.confidence.name()),
            property("fingerprint", &finding.fingerprint),
        ],
        "remediations": [{
            "uuid": id(&format!("remediation {}", finding.fingerprint)),
            "lifecycle": "recommendation",
            "title": "What to do",
            "description": fix,
        }],
    });
    if let Some(fields) = risk.as_object_mut() {
        if !threats.is_empty() {
            fields.insert("threat-ids".to_owned(), Value::Array(threats));
        }
        if let Some(accepted) = &finding.accepted {
            fields.insert("deadline".to_owned(), json!(accepted.until.to_string()));
            let why = line(&format!("Accepted by {}: {}", accepted.by, accepted.reason));
            let factor = json!({"uuid": id(&format!("accepted {}", finding.fingerprint)), "description": why});
            fields.insert("mitigating-factors".to_owned(), json!([factor]));
        }
    }
    risk
}

/// A text without what a line cannot have.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
