//! Rules about detection, alerts and responses.

use super::common::{configuration, is_older, key};
use crate::catalogue::{aisvs, atlas, gpai, llm, nist};
use crate::facts::Part;
use crate::rule::{Confidence, Persona, Place, Rule, Severity, when};

/// How sure a finding must be at least: more than a fifth of campaigns being honest groups would have people stop believing them.
const ALPHA_MAX: f64 = 0.2;
/// Accounts that one person blocks without a second at most. The default is 50.
const BLOCK_ALONE_MAX: u32 = 1_000;
/// Days after which appeals should be decided.
const APPEAL_DAYS_MAX: i64 = 14;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "detection-off",
        title: "Nobody looks for campaigns",
        why: "Each request and each account of a campaign looks honest; only what they have in common tells.",
        fix: "Set `detection.enabled = true`, or run `stillwatch watch` over the records.",
        part: Part::Configuration,
        severity: Severity::High,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[
            aisvs("v1.0-C11.3.1"),
            aisvs("v1.0-C12.2.2"),
            atlas("AML.M0024"),
            llm("LLM10:2025"),
            nist("si-4.2"),
            gpai("Measure 3.5"),
        ],
        check: |facts| configuration(facts, |it| when(!it.detection, key(it, "detection.enabled"), "it is turned off")),
    },
    Rule {
        id: "detection-alpha-high",
        title: "Many findings may be honest groups",
        why: "Findings that are often wrong are believed no longer, and honest customers are shut out.",
        fix: "Lower `detection.alpha`; 0.05 is the default.",
        part: Part::Configuration,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C12.2.2"), nist("si-4")],
        check: |facts| {
            configuration(facts, |it| {
                when(
                    it.alpha > ALPHA_MAX,
                    key(it, "detection.alpha"),
                    format!("{} of the campaigns may be honest groups", it.alpha),
                )
            })
        },
    },
    Rule {
        id: "no-alerts",
        title: "Nobody is told of a campaign",
        why: "A campaign goes on until somebody happens to look at the console.",
        fix: "Add an `[[alert]]`: a webhook, a syslog server or a mailbox.",
        part: Part::Configuration,
        severity: Severity::Medium,
        confidence: Confidence::Medium,
        persona: Persona::Pedantic,
        requirements: &[
            aisvs("v1.0-C12.2.4"),
            aisvs("v1.0-C11.3.4"),
            nist("si-4.5"),
            nist("ir-6.1"),
            gpai("Appendix 4.5"),
        ],
        check: |facts| configuration(facts, |it| when(it.alerts == 0, key(it, "alert"), "there is no destination")),
    },
    Rule {
        id: "no-response-rules",
        title: "Nothing is done by itself, however strong the evidence",
        why: "A campaign of thousands of accounts takes what it wants in the hours before somebody decides.",
        fix: "Add a `[[response.rule]]` that costs honest callers little, such as `shield` or `share_budget`, and try it with `shadow = true`.",
        part: Part::Configuration,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Pedantic,
        requirements: &[aisvs("v1.0-C11.3.4"), nist("ir-4.1"), nist("si-7.5")],
        check: |facts| {
            configuration(facts, |it| when(it.response_rules == 0, key(it, "response.rule"), "there is no rule"))
        },
    },
    Rule {
        id: "rules-only-in-shadow",
        title: "Every rule only tells what it would do",
        why: "Shadow mode is for trying a rule; nothing is held back by it.",
        fix: "Take `shadow` from the rules that proved right.",
        part: Part::Configuration,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C11.3.4"), nist("ir-4.1")],
        check: |facts| {
            configuration(facts, |it| {
                let all = it.response_rules > 0 && it.response_rules == it.response_rules_in_shadow;
                when(all, key(it, "response.rule"), format!("all {} have `shadow = true`", it.response_rules))
            })
        },
    },
    Rule {
        id: "block-alone-limit-high",
        title: "One person may block very many accounts",
        why: "A mistake, or one stolen session, shuts customers out by the thousand.",
        fix: "Lower `response.block_alone_max`; 50 is the default.",
        part: Part::Configuration,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[nist("ac-5"), nist("ac-3.2")],
        check: |facts| {
            configuration(facts, |it| {
                let place = key(it, "response.block_alone_max");
                when(
                    it.block_alone_max > BLOCK_ALONE_MAX,
                    place,
                    format!("{} accounts; more than {BLOCK_ALONE_MAX}", it.block_alone_max),
                )
            })
        },
    },
    Rule {
        id: "appeals-overdue",
        title: "Somebody who was shut out waits for an answer",
        why: "Whoever was wrongly named has no other way back, and what they are told decides whether the next one says anything.",
        fix: "Decide the appeals under Responses in the console.",
        part: Part::Control,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[nist("ir-4"), nist("ir-7")],
        check: |facts| {
            let control = facts.control.as_ref()?;
            let at = facts.at?;
            let late = control.open_appeals.iter().filter(|since| is_older(**since, at, APPEAL_DAYS_MAX)).count();
            Some(when(late > 0, Place::of("appeals"), format!("{late} wait for more than {APPEAL_DAYS_MAX} days")))
        },
    },
];
