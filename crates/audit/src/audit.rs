//! An audit: every rule for a persona, what each found, and what nobody looked at.
//!
//! Promises that a rule counts as passed only where somebody looked, and that what is accepted is told beside what is not.

use std::collections::BTreeMap;

use exchange::Time;
use serde::{Deserialize, Serialize};
use verify::hash::Hash;

use crate::accepted::Accepted;
use crate::budget::{Budget, budgets};
use crate::catalogue::Catalogue;
use crate::facts::{Facts, Part};
use crate::limits::{FINDINGS_OF_A_RULE_MAX, MESSAGE_BYTES_MAX};
use crate::rule::{Confidence, Hit, Persona, Place, Rule, Severity};
use crate::rules;

/// What this is, in files.
pub const KIND: &str = "stillwatch audit 1";

/// What an audit came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// What this is.
    pub kind: String,
    /// When.
    pub at: Time,
    /// For whom.
    pub persona: Persona,
    /// What was looked at.
    pub parts: Vec<Part>,
    /// Every rule for the persona, and what it came to.
    pub rules: Vec<RuleResult>,
    /// What was found, gravest first.
    pub findings: Vec<Finding>,
    /// How fast somebody may ask, where that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<Budget>,
}

/// A rule, and what it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleResult {
    /// What it is called.
    pub id: String,
    /// What is wrong where it finds something.
    pub title: String,
    /// Why that matters.
    pub why: String,
    /// What to do.
    pub fix: String,
    /// What it looks at.
    pub part: Part,
    /// How grave it is.
    pub severity: Severity,
    /// Requirements of others that it speaks to.
    pub requirements: Vec<Cited>,
    /// What it came to.
    pub outcome: Outcome,
}

/// A requirement, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cited {
    /// Whose.
    pub catalogue: Catalogue,
    /// Which.
    pub id: String,
}

/// What a rule came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It found nothing.
    Passed,
    /// It found something.
    Found,
    /// Nobody looked at what it needs.
    NotLooked,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// By which rule.
    pub rule: String,
    /// How grave it is.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
    /// What tells it from others, and is the same as long as it stands: of the rule and the place.
    pub fingerprint: String,
    /// By whom and until when it is accepted, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
}

impl Audit {
    /// Looks at facts with every rule that is for somebody.
    #[must_use]
    pub fn of(facts: &Facts, at: Time, persona: Persona, accepted: &[Accepted]) -> Audit {
        let facts = Facts { at: Some(at), ..facts.clone() };
        let mut ruled = Vec::new();
        let mut findings = Vec::new();
        for rule in rules::all().into_iter().filter(|rule| rule.persona <= persona) {
            let found = (rule.check)(&facts);
            let outcome = match &found {
                None => Outcome::NotLooked,
                Some(hits) if hits.is_empty() => Outcome::Passed,
                Some(_) => Outcome::Found,
            };
            ruled.push(told(rule, outcome));
            findings.extend(of_rule(rule, found.unwrap_or_default(), accepted, at));
        }
        findings.sort_by(|one: &Finding, other| {
            (other.severity, &one.rule, &one.place).cmp(&(one.severity, &other.rule, &other.place))
        });
        Audit {
            kind: KIND.to_owned(),
            at,
            persona,
            parts: Part::ALL.into_iter().filter(|part| facts.has(*part)).collect(),
            rules: ruled,
            findings,
            budgets: facts.control.as_ref().map(|control| budgets(control, &facts.assumptions)).unwrap_or_default(),
        }
    }

    /// What is not accepted.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.accepted.is_none())
    }

    /// How many rules came to something.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.rules.iter().filter(|rule| rule.outcome == outcome).count()
    }
}

fn told(rule: &Rule, outcome: Outcome) -> RuleResult {
    let text = str::to_owned;
    RuleResult {
        id: text(rule.id),
        title: text(rule.title),
        why: text(rule.why),
        fix: text(rule.fix),
        part: rule.part,
        severity: rule.severity,
        requirements: rule.requirements.iter().map(|it| Cited { catalogue: it.catalogue, id: text(it.id) }).collect(),
        outcome,
    }
}

fn of_rule(rule: &Rule, hits: Vec<Hit>, accepted: &[Accepted], at: Time) -> Vec<Finding> {
    let left_out = hits.len().saturating_sub(FINDINGS_OF_A_RULE_MAX);
    let mut seen = BTreeMap::new();
    let mut finding = |Hit { place, message }: Hit| {
        // The same place twice gets a number, so that each keeps a fingerprint of its own.
        let times: &mut u32 = seen.entry(place.clone()).or_default();
        let fingerprint =
            Hash::of(&[rule.id.as_bytes(), b"\n", place.to_string().as_bytes(), b"\n", &times.to_be_bytes()]);
        *times += 1;
        let accepted = accepted.iter().find(|it| it.holds_for(rule.id, &place, at)).cloned();
        let fingerprint = fingerprint.to_hex().chars().take(32).collect();
        Finding {
            rule: rule.id.to_owned(),
            severity: rule.severity,
            confidence: rule.confidence,
            place,
            message: cut(message),
            fingerprint,
            accepted,
        }
    };
    let mut findings: Vec<Finding> = hits.into_iter().take(FINDINGS_OF_A_RULE_MAX).map(&mut finding).collect();
    if left_out > 0 {
        findings.push(finding(Hit::new(
            Place::of("further places"),
            format!("{left_out} more of the same, which are not listed"),
        )));
    }
    findings
}

fn cut(message: String) -> String {
    if message.len() <= MESSAGE_BYTES_MAX {
        return message;
    }
    let mut end = MESSAGE_BYTES_MAX;
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{} … (cut)", message.get(..end).unwrap_or_default())
}
