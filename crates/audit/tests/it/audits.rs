//! What rules find, and what they do not.

use std::collections::BTreeSet;

use audit::facts::{Given, Quota, QuotaOf, Records, Unit};
use audit::limits::{ACCEPTED_MAX, FINDINGS_OF_A_RULE_MAX, MESSAGE_BYTES_MAX};
use audit::{Accepted, Audit, Changes, Facts, Outcome, Part, Persona, Severity, rules};

use crate::deployments::{also_wrong, now, right, time, wrong};

pub(crate) fn audit(facts: &Facts) -> Audit {
    Audit::of(facts, now(), Persona::Auditor, &[])
}

fn found(audit: &Audit) -> Vec<String> {
    audit.findings.iter().map(|finding| finding.rule.clone()).collect()
}

#[test]
fn a_deployment_that_is_right_has_no_finding_and_every_rule_looked() {
    let audit = audit(&right());
    assert_eq!(found(&audit), Vec::<String>::new());
    assert_eq!(audit.count(Outcome::Passed), rules::all().len());
    assert_eq!(audit.parts, Part::ALL);
}

#[test]
fn every_rule_finds_once_what_is_wrong() {
    let first = found(&audit(&wrong()));
    let second = found(&audit(&also_wrong()));
    let once: BTreeSet<String> = first.iter().cloned().collect();
    assert_eq!(once.len(), first.len(), "a rule found the same twice: {first:?}");
    let both: BTreeSet<&str> = first.iter().chain(&second).map(String::as_str).collect();
    let all: BTreeSet<&str> = rules::all().into_iter().map(|rule| rule.id).collect();
    assert_eq!(all.difference(&both).collect::<Vec<_>>(), Vec::<&&str>::new(), "these rules found nothing");
    assert!(all.len() >= 40, "{} rules", all.len());
}

#[test]
fn what_nobody_looked_at_is_not_passed() {
    let audit = audit(&Facts::default());
    assert_eq!((audit.count(Outcome::NotLooked), audit.findings.len()), (rules::all().len(), 0));
    // Within a part that somebody looked at, what could not be told is not passed either.
    let mut facts = right();
    facts.endpoint.as_mut().unwrap().asked.iter_mut().for_each(|(_, given)| *given = Given::NotTold);
    (facts.endpoint.as_mut().unwrap().burst, facts.endpoint.as_mut().unwrap().repeats_by_seed) = (None, None);
    let host = facts.host.as_mut().unwrap();
    (host.clock_synchronised, host.swaps, host.secret_variables) = (None, None, None);
    facts.ledger.as_mut().unwrap().exists = false;
    facts.records = Some(Records { exchanges: 99, ..Records::default() });
    facts.models.as_mut().unwrap().searched = false;
    let audit = Audit::of(&facts, now(), Persona::Auditor, &[]);
    let not_looked = |id: &str| audit.rules.iter().any(|rule| rule.id == id && rule.outcome == Outcome::NotLooked);
    for id in [
        "endpoint-echoes",
        "endpoint-no-rate-limit",
        "endpoint-repeats-by-seed",
        "clock-not-synchronised",
        "swap-on",
        "secrets-in-environment",
        "ledger-broken",
        "response-never-exercised",
        "playbook-never-exercised",
        "records-damaged",
        "weights-unregistered",
    ] {
        assert!(not_looked(id), "{id}");
    }
    assert!(!not_looked("endpoint-in-clear") && !not_looked("ledger-missing"));
}

#[test]
fn a_persona_has_the_rules_of_those_before_it() {
    let count = |persona| Audit::of(&wrong(), now(), persona, &[]).rules.len();
    let counts = Persona::ALL.iter().map(|persona| count(*persona)).collect::<Vec<_>>();
    assert!(counts.is_sorted_by(|one, other| one < other), "{counts:?}");
    assert_eq!(counts.last(), Some(&rules::all().len()));
}

#[test]
fn rules_say_what_they_mean_and_cite_ids_as_catalogues_write_them() {
    let mut ids = BTreeSet::new();
    for rule in rules::all() {
        assert!(
            ids.insert(rule.id) && rule.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
            "{}",
            rule.id
        );
        assert!(!rule.requirements.is_empty(), "{} cites nothing", rule.id);
        for text in [rule.why, rule.fix] {
            assert!(text.ends_with('.') && text.len() >= 20, "{}: {text}", rule.id);
        }
        assert!(!rule.title.ends_with('.') && !rule.title.contains('\n'), "{}", rule.id);
        for it in rule.requirements {
            let fits = match it.catalogue.id() {
                "OWASP-AISVS" => it.id.starts_with("v1.0-C"),
                "MITRE-ATLAS" => it.id.starts_with("AML.M") || it.id.starts_with("AML.T"),
                "OWASP-LLM" => it.id.starts_with("LLM") && it.id.ends_with(":2025"),
                // As OSCAL writes them.
                "NIST-SP-800-53" => it
                    .id
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte)),
                _ => it.id.starts_with("Appendix ") || it.id.starts_with("Measure "),
            };
            assert!(fits, "{}: {}", rule.id, it.id);
        }
    }
}

fn accepted(rule: &str, place: Option<&str>, until: &str) -> Accepted {
    let text = str::to_owned;
    Accepted {
        rule: text(rule),
        place: place.map(text),
        reason: text("an internal network"),
        by: text("ann"),
        until: time(until),
    }
}

#[test]
fn an_accepted_risk_is_told_and_ends() {
    let open = |all: &[Accepted]| {
        let audit = Audit::of(&wrong(), now(), Persona::Auditor, all);
        let is_open = audit.open().any(|finding| finding.rule == "detection-off");
        (audit.findings.len() - audit.open().count(), is_open)
    };
    assert_eq!(open(&[accepted("detection-off", None, "2026-07-01T00:00:01Z")]), (1, false));
    assert_eq!(
        open(&[accepted("detection-off", Some("stillwatch.toml: detection.enabled"), "2027-01-01T00:00:00Z")]),
        (1, false)
    );
    assert_eq!(
        open(&[accepted("detection-off", Some("other.toml: detection.enabled"), "2027-01-01T00:00:00Z")]),
        (0, true)
    );
    assert_eq!(open(&[accepted("detection-off", None, "2026-07-01T00:00:00Z")]), (0, true), "it ended just now");
}

#[test]
fn what_cannot_be_accepted_is_told_by_its_number() {
    let names: Vec<&str> = rules::all().into_iter().map(|rule| rule.id).collect();
    let good = accepted("detection-off", None, "2027-01-01T00:00:00Z");
    let wrong = |change: fn(&mut Accepted)| {
        let mut second = good.clone();
        change(&mut second);
        Accepted::check(&[good.clone(), second], &names).map_err(|error| error.to_string())
    };
    assert_eq!(wrong(|_| {}), Ok(()));
    assert!(wrong(|it| it.rule = "x".to_owned()).unwrap_err().starts_with("accepted risk 2: there is no rule `x`"));
    assert!(wrong(|it| it.reason = " ".to_owned()).unwrap_err().contains("expected a reason"));
    assert!(wrong(|it| it.by.clear()).unwrap_err().contains("by whom"));
    assert_eq!(Accepted::check(&vec![good.clone(); ACCEPTED_MAX], &names), Ok(()));
    assert!(
        Accepted::check(&vec![good.clone(); ACCEPTED_MAX + 1], &names)
            .unwrap_err()
            .to_string()
            .contains("at most 1000")
    );
}

#[test]
fn fingerprints_stay_while_numbers_change_and_audits_are_compared_by_them() {
    let before = audit(&wrong());
    let mut facts = wrong();
    facts.configuration.as_mut().unwrap().alpha = 0.3;
    facts.configuration.as_mut().unwrap().detection = true;
    facts.host = None;
    facts.models.as_mut().unwrap().unknown.push("/home/bob".to_owned());
    let now = audit(&facts);
    let changes = Changes::between(&before, &now);
    let new: Vec<&str> = now
        .findings
        .iter()
        .filter(|finding| changes.is_new(finding))
        .map(|finding| finding.place.name.as_str())
        .collect();
    assert_eq!(new, ["weights"]);
    assert_eq!(changes.gone.iter().map(|finding| finding.rule.as_str()).collect::<Vec<_>>(), ["detection-off"]);
    assert!(changes.not_looked.len() >= 6 && changes.not_looked.iter().all(|finding| finding.rule != "detection-off"));
    // Written and read again it is the same.
    let text = serde_json::to_string(&now).unwrap();
    assert_eq!(serde_json::from_str::<Audit>(&text).unwrap(), now);
}

#[test]
fn findings_and_messages_have_limits() {
    let with = |count: usize| {
        let mut facts = right();
        facts.models.as_mut().unwrap().unknown = (0..count).map(|number| format!("/m/{number}")).collect();
        audit(&facts).findings
    };
    assert_eq!(with(FINDINGS_OF_A_RULE_MAX).len(), FINDINGS_OF_A_RULE_MAX);
    let over = with(FINDINGS_OF_A_RULE_MAX + 1);
    assert_eq!(over.len(), FINDINGS_OF_A_RULE_MAX + 1);
    assert!(over.iter().any(|finding| finding.message == "1 more of the same, which are not listed"));
    let long = |bytes: usize| {
        let mut facts = right();
        facts.ledger.as_mut().unwrap().faults = vec!["ü".repeat(bytes / 2)];
        audit(&facts).findings.remove(0).message
    };
    assert_eq!(long(MESSAGE_BYTES_MAX).len(), MESSAGE_BYTES_MAX);
    assert!(long(MESSAGE_BYTES_MAX + 2).ends_with("ü … (cut)"));
}

#[test]
fn gravest_comes_first_and_the_budget_is_told_with_what_sets_it() {
    let mut facts = right();
    let quota = Quota {
        id: "minute".to_owned(),
        of: QuotaOf::EachAccount,
        unit: Unit::Requests,
        amount: 10,
        seconds: 60,
        except_high_rate: false,
    };
    facts.control.as_mut().unwrap().quotas = vec![quota];
    let of_persona = Audit::of(&facts, now(), Persona::Regular, &[]);
    let told: Vec<(&str, &str)> =
        of_persona.findings.iter().map(|it| (it.rule.as_str(), it.message.as_str())).collect();
    let expected =
        "100 accounts without a high rate: 150000 exchanges in 0.1 days; at least 30 are wanted (set by minute)";
    assert_eq!(told, [("extraction-budget", expected)]);
    // An account asks 14,400 times a day.
    assert_eq!(of_persona.budgets.first().unwrap().exchanges_a_day, Some(14_400.0));
    let severities: Vec<Severity> = audit(&wrong()).findings.iter().map(|finding| finding.severity).collect();
    assert!(severities.is_sorted_by(|one, other| one >= other), "{severities:?}");
}
