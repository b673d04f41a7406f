//! Audits and rules as people read them.

use std::fmt::Write as _;

use audit::budget::Budget;
use audit::rule::Rule;
use audit::{Audit, Changes, Finding, Outcome, Part, rules};
use report::words::{counted, printable};
use serde::Serialize;

use crate::failure::Failure;

/// Characters of a place or message that are printed.
const TEXT_CHARS: usize = 500;

/// As JSON for people.
pub(super) fn lines(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(Failure::unreadable)
}

/// Every rule, by what it looks at.
pub(super) fn rules() -> String {
    let mut text = String::new();
    for part in Part::ALL {
        let of_part: Vec<&Rule> = rules::all().into_iter().filter(|rule| rule.part == part).collect();
        let _ = writeln!(text, "{} ({}):", part.name(), of_part.len());
        for rule in of_part {
            let _ = writeln!(
                text,
                "  {:<28} {:<13} {:<8}  {}",
                rule.id,
                rule.severity.name(),
                rule.persona.name(),
                rule.title
            );
        }
    }
    text
}

/// What a rule is about.
pub(super) fn rule(rule: &Rule) -> String {
    let mut text = format!(
        "{}\n{}.\n\nWhy: {}\nWhat to do: {}\n\nLooks at: {}\nSeverity: {}, confidence: {}, persona: {}\nSpeaks to:\n",
        rule.id,
        rule.title,
        rule.why,
        rule.fix,
        rule.part.name(),
        rule.severity,
        rule.confidence,
        rule.persona
    );
    for it in rule.requirements {
        let _ = writeln!(text, "  {} {} {}", it.catalogue.id(), it.catalogue.version(), it.id);
    }
    text
}

/// An audit: what was found, gravest first, what it cost to take the model's answers, and what nobody looked at.
pub(super) fn text(audit: &Audit, changes: Option<&Changes>, unlooked: &[(Part, String)]) -> String {
    let mut text = String::new();
    let plain = |text: &str| printable(text, TEXT_CHARS);
    let mut last = "";
    for finding in audit.open() {
        if finding.rule != last {
            if let Some(rule) = audit.rules.iter().find(|rule| rule.id == finding.rule) {
                let gap = if last.is_empty() { "" } else { "\n" };
                let _ = writeln!(
                    text,
                    "{gap}{}  {}\n  {}.\n  Why: {}\n  What to do: {}",
                    finding.severity, rule.id, rule.title, rule.why, rule.fix
                );
            }
            last = &finding.rule;
        }
        let new = if changes.is_some_and(|changes| changes.is_new(finding)) { " (new)" } else { "" };
        let _ = writeln!(text, "    {}: {}{new}", plain(&finding.place.to_string()), plain(&finding.message));
    }
    if last.is_empty() {
        text.push_str("Nothing was found that is not accepted.\n");
    }
    let accepted: Vec<&Finding> = audit.findings.iter().filter(|finding| finding.accepted.is_some()).collect();
    if !accepted.is_empty() {
        text.push_str("\nAccepted:\n");
    }
    for finding in accepted {
        if let Some(accepted) = &finding.accepted {
            let (by, reason) = (plain(&accepted.by), plain(&accepted.reason));
            let _ = writeln!(
                text,
                "  {} at {}, by {by} until {}: {reason}",
                finding.rule,
                plain(&finding.place.to_string()),
                accepted.until
            );
        }
    }
    if let Some(changes) = changes.filter(|changes| !changes.gone.is_empty()) {
        text.push_str("\nNo longer found:\n");
        for finding in &changes.gone {
            let _ = writeln!(text, "  {} at {}", finding.rule, plain(&finding.place.to_string()));
        }
    }
    text.push_str(&budgets(&audit.budgets));
    let _ = writeln!(
        text,
        "\n{} for the persona {}: {} passed, {} found something, {} looked at nothing.",
        counted(audit.rules.len() as u64, "rule"),
        audit.persona,
        audit.count(Outcome::Passed),
        audit.count(Outcome::Found),
        audit.count(Outcome::NotLooked)
    );
    for (part, why) in unlooked {
        let _ = writeln!(text, "  not looked at: {}: {}", part.name(), plain(why));
    }
    text
}

/// How fast somebody may ask.
fn budgets(budgets: &[Budget]) -> String {
    let mut text = String::new();
    if !budgets.is_empty() {
        text.push_str("\nExtraction budget (what quotas permit, at most):\n");
    }
    for Budget { who, exchanges_a_day, days, set_by, .. } in budgets {
        let _ = match (exchanges_a_day, days) {
            (Some(a_day), Some(days)) => {
                writeln!(
                    text,
                    "  {who}: {a_day:.0} exchanges a day, {days:.1} days for what is wanted (set by {})",
                    set_by.join(", ")
                )
            }
            _ => writeln!(text, "  {who}: no limit"),
        };
    }
    text
}
