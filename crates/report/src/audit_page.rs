//! An audit as a page that stands alone: no script, nothing from elsewhere.

use std::cmp::Reverse;

use askama::Template;
use audit::audit::RuleResult;
use audit::budget::Budget;
use audit::{Audit, Changes, Finding, Outcome, Part};

use crate::words::printable;

/// Characters of a text from outside that are shown.
const TEXT_CHARS: usize = 500;

/// A rule with what it found.
struct Group<'a> {
    rule: &'a RuleResult,
    findings: Vec<Shown>,
}

/// Something that was found, as it is shown.
struct Shown {
    rule: String,
    place: String,
    message: String,
    is_new: bool,
    /// By whom, until when and why it is accepted, where it is.
    accepted: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page<'a> {
    audit: &'a Audit,
    version: &'a str,
    groups: Vec<Group<'a>>,
    accepted: Vec<Shown>,
    gone: Vec<Shown>,
    budgets: &'a [Budget],
    not_looked: Vec<&'a RuleResult>,
    passed: Vec<&'a RuleResult>,
    unlooked: Vec<(&'static str, String)>,
}

/// The page, with what changed since another audit where that is known, and why parts were not looked at.
///
/// # Errors
///
/// When it cannot be written.
pub fn page(
    audit: &Audit,
    changes: Option<&Changes>,
    unlooked: &[(Part, String)],
    version: &str,
) -> Result<String, askama::Error> {
    let shown = |finding: &Finding| Shown {
        rule: finding.rule.clone(),
        place: printable(&finding.place.to_string(), TEXT_CHARS),
        message: printable(&finding.message, TEXT_CHARS),
        is_new: changes.is_some_and(|changes| changes.is_new(finding)),
        accepted: finding.accepted.as_ref().map_or_else(String::new, |it| {
            format!("by {} until {}: {}", printable(&it.by, TEXT_CHARS), it.until, printable(&it.reason, TEXT_CHARS))
        }),
    };
    let of = |outcome: Outcome| audit.rules.iter().filter(move |rule| rule.outcome == outcome);
    let found = of(Outcome::Found).map(|rule| Group {
        rule,
        findings: audit.open().filter(|finding| finding.rule == rule.id).map(shown).collect(),
    });
    let mut groups: Vec<Group<'_>> = found.filter(|group| !group.findings.is_empty()).collect();
    groups.sort_by_key(|group| Reverse(group.rule.severity));
    let page = Page {
        audit,
        version,
        groups,
        accepted: audit.findings.iter().filter(|finding| finding.accepted.is_some()).map(shown).collect(),
        gone: changes.iter().flat_map(|changes| &changes.gone).map(shown).collect(),
        budgets: &audit.budgets,
        not_looked: of(Outcome::NotLooked).collect(),
        passed: of(Outcome::Passed).collect(),
        unlooked: unlooked.iter().map(|(part, why)| (part.name(), printable(why, TEXT_CHARS))).collect(),
    };
    page.render()
}
