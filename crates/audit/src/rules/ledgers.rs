//! Rules about the ledger, and whether what it should tell of ever happens.

use super::common::{configuration, is_older, key};
use crate::catalogue::{aisvs, gpai, nist};
use crate::facts::Part;
use crate::rule::{Confidence, Hit, Persona, Place, Rule, Severity, when};

/// Days within which a response should have been taken or drilled once.
const EXERCISE_DAYS_MAX: i64 = 183;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "ledger-off",
        title: "What is found and done is not put down",
        why: "Nobody can show later what was found, when, and what was done about it by whom.",
        fix: "Set `ledger.enabled = true`; the process with the role `console` keeps it.",
        part: Part::Configuration,
        severity: Severity::High,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C12.5.3"), aisvs("v1.0-C12.4.3"), nist("au-10"), nist("au-2"), gpai("Measure 9.4")],
        check: |facts| configuration(facts, |it| when(!it.ledger, key(it, "ledger.enabled"), "it is turned off")),
    },
    Rule {
        id: "ledger-broken",
        title: "The ledger does not hold",
        why: "Something was changed, taken away or lost, and from there on it proves nothing.",
        fix: "Keep a copy as it is, look at `stillwatch verify`, and find out who could write there.",
        part: Part::Ledger,
        severity: Severity::High,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[nist("au-9.3"), nist("au-10"), nist("si-7.1")],
        check: |facts| {
            let ledger = facts.ledger.as_ref().filter(|ledger| ledger.exists)?;
            let hit = |fault: &String| Hit::new(Place::within(&ledger.folder, "ledger"), fault.clone());
            Some(ledger.faults.iter().map(hit).collect())
        },
    },
    Rule {
        id: "ledger-missing",
        title: "There is no ledger",
        why: "Nothing that was found or done can be proved.",
        fix: "Start the gateway with the role `console`, which begins one.",
        part: Part::Ledger,
        severity: Severity::Medium,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[nist("au-10"), nist("au-2")],
        check: |facts| {
            let ledger = facts.ledger.as_ref()?;
            Some(when(!ledger.exists, Place::within(&ledger.folder, "ledger"), "none is there"))
        },
    },
    Rule {
        id: "no-witnesses",
        title: "Nobody outside sees the ledger's checkpoints",
        why: "Whoever has its key could write another history; a witness would notice.",
        fix: "Add a `[[ledger.witness]]` that somebody else runs.",
        part: Part::Configuration,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Pedantic,
        requirements: &[nist("au-9.2"), nist("au-10")],
        check: |facts| {
            configuration(facts, |it| when(it.ledger && it.witnesses == 0, key(it, "ledger.witness"), "there is none"))
        },
    },
    Rule {
        id: "no-timestamps",
        title: "Nobody else says when something was put down",
        why: "The times of the ledger are this machine's word only.",
        fix: "Name a timestamp authority in `[ledger.timestamp]`.",
        part: Part::Configuration,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Pedantic,
        requirements: &[nist("au-8"), nist("sc-45.1")],
        check: |facts| {
            configuration(facts, |it| when(it.ledger && !it.timestamps, key(it, "ledger.timestamp"), "there is none"))
        },
    },
    Rule {
        id: "response-never-exercised",
        title: "No response was taken and no drill was held for half a year",
        why: "A control that nobody ever used does not work on the day when it is needed.",
        fix: "Hold a drill, or take a response to a test account and undo it.",
        part: Part::Ledger,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Pedantic,
        requirements: &[aisvs("v1.0-C11.3.4"), nist("ir-3"), nist("ir-2"), gpai("Appendix 4.5")],
        check: |facts| {
            let ledger = facts.ledger.as_ref().filter(|ledger| ledger.exists)?;
            let at = facts.at?;
            let last = ledger.last_response.max(ledger.last_drill);
            let is_over = last.is_none_or(|last| is_older(last, at, EXERCISE_DAYS_MAX));
            let told =
                last.map_or_else(|| "none was ever taken".to_owned(), |last| format!("the last one was at {last}"));
            Some(when(is_over, Place::within(&ledger.folder, "ledger"), told))
        },
    },
    Rule {
        id: "campaign-not-noticed",
        title: "A simulated campaign was not noticed in time",
        why: "What a staging gateway with this configuration does not notice, the real one does not either.",
        fix: "Look at the report of the check, mend what it names, and run `stillwatch drill check` again.",
        part: Part::Ledger,
        severity: Severity::High,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C11.3.1"), nist("si-4"), nist("ca-8"), gpai("Appendix 4.5")],
        check: |facts| {
            let ledger = facts.ledger.as_ref().filter(|ledger| ledger.exists)?;
            let failed =
                ledger.last_failed_check.filter(|failed| ledger.last_check.is_none_or(|passed| passed < *failed));
            let told =
                failed.map_or_else(String::new, |at| format!("it was looked at {at}, and never since with success"));
            Some(when(failed.is_some(), Place::within(&ledger.folder, "ledger"), told))
        },
    },
    Rule {
        id: "campaign-never-replayed",
        title: "Nobody looked for half a year whether a campaign would be noticed",
        why: "Detection, alerts and the way to whoever is on call may each have broken unseen.",
        fix: "Run `stillwatch drill check --config FILE`, on a schedule.",
        part: Part::Ledger,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Pedantic,
        requirements: &[aisvs("v1.0-C11.3.1"), nist("si-4"), nist("ca-8")],
        check: |facts| {
            let ledger = facts.ledger.as_ref().filter(|ledger| ledger.exists)?;
            let at = facts.at?;
            let last = ledger.last_check.max(ledger.last_failed_check);
            let is_over = last.is_none_or(|last| is_older(last, at, EXERCISE_DAYS_MAX));
            let told = last.map_or_else(|| "nobody ever did".to_owned(), |last| format!("the last time was {last}"));
            Some(when(is_over, Place::within(&ledger.folder, "drills"), told))
        },
    },
    Rule {
        id: "playbook-never-exercised",
        title: "Nobody walked through a playbook for half a year",
        why: "Whoever has to act in the night does what they did before; what is only written down is not found.",
        fix: "Walk through one with a test case: `stillwatch playbook begin campaign`.",
        part: Part::Ledger,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Pedantic,
        requirements: &[aisvs("v1.0-C11.3.4"), nist("ir-8"), nist("ir-3"), nist("ir-2")],
        check: |facts| {
            let ledger = facts.ledger.as_ref().filter(|ledger| ledger.exists)?;
            let at = facts.at?;
            let is_over = ledger.last_playbook.is_none_or(|last| is_older(last, at, EXERCISE_DAYS_MAX));
            let told = ledger
                .last_playbook
                .map_or_else(|| "nobody ever did".to_owned(), |last| format!("the last step was done at {last}"));
            Some(when(is_over, Place::within(&ledger.folder, "playbooks"), told))
        },
    },
];
