//! Rules about what callers may do and what is let through.

use super::common::key;
use crate::catalogue::{aisvs, atlas, llm, nist};
use crate::facts::{Control, Facts, Part};
use crate::rule::{Checked, Confidence, Hit, Persona, Place, Rule, Severity, when};

/// Tokens of a reply beyond which nothing is held back from whoever has no `long_output`.
const SHIELD_TOKENS_MAX: u64 = 32_768;
/// Decimals of a vector that are all that a 32-bit number has.
const SHIELD_DECIMALS_MAX: u8 = 6;
/// What gives more than a text, and makes extraction cheaper.
const TELLING: [&str; 3] = ["logprobs", "reasoning_text", "full_precision"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "unknown-accounts-unrestricted",
        title: "An account that nobody knows may do everything",
        why: "Policies deny nothing, so that a response is the first thing that ever stands in the way.",
        fix: "Begin from the default policies (`stillwatch policy show --default`), which tie what tells much to a known customer.",
        part: Part::Control,
        severity: Severity::High,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C5.2.1"), aisvs("v1.0-C11.3.2"), atlas("AML.M0019"), nist("ac-3"), nist("ac-6")],
        check: |facts| {
            strangers(facts, |tier, actions| {
                let all =
                    TELLING.iter().chain(&["high_rate", "batch"]).all(|action| actions.iter().any(|is| is == action));
                all.then(|| format!("tier {tier}: logprobs, reasoning, high rates and batches"))
            })
        },
    },
    Rule {
        id: "unknown-accounts-get-logprobs",
        title: "An account that nobody knows gets more than text",
        why: "Probabilities, hidden reasoning and whole vectors tell more of a model for each request than its text does.",
        fix: "Permit `logprobs`, `reasoning_text` and `full_precision` only to accounts with some assurance, in the policies.",
        part: Part::Control,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Pedantic,
        requirements: &[
            aisvs("v1.0-C11.3.2"),
            atlas("AML.M0002"),
            atlas("AML.T0063"),
            llm("LLM10:2025"),
            nist("si-15"),
        ],
        check: |facts| {
            strangers(facts, |tier, actions| {
                let given: Vec<&str> =
                    TELLING.into_iter().filter(|action| actions.iter().any(|is| is == action)).collect();
                (!given.is_empty()).then(|| format!("tier {tier}: {}", given.join(", ")))
            })
        },
    },
    Rule {
        id: "shield-too-wide",
        title: "What is held back from others is hardly anything",
        why: "A limit that no request reaches, or a precision that a number does not have, protects nothing.",
        fix: "Set `shield.output_tokens` and `shield.embedding_decimals` to what an ordinary caller needs.",
        part: Part::Configuration,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C11.3.2"), aisvs("v1.0-C7.1.2"), atlas("AML.M0002"), nist("si-15")],
        check: |facts| {
            let it = facts.configuration.as_ref()?;
            let long = it.shield_output_tokens > SHIELD_TOKENS_MAX;
            let exact = it.shield_decimals > SHIELD_DECIMALS_MAX;
            let told =
                format!("{} tokens of a reply, {} decimals of a vector", it.shield_output_tokens, it.shield_decimals);
            Some(when(long || exact, key(it, "shield"), told))
        },
    },
    Rule {
        id: "opaque-paths-allowed",
        title: "Paths are let through that the gateway does not understand",
        why: "What is asked there counts for no quota of tokens, is recorded as bytes, and no policy looks into it.",
        fix: "Take them from `allow.paths`, or let them lead to something that is no model.",
        part: Part::Configuration,
        severity: Severity::Medium,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C5.2.1"), atlas("AML.M0019"), nist("cm-7"), nist("sc-7.5")],
        check: |facts| {
            let it = facts.configuration.as_ref()?;
            Some(when(!it.open_paths.is_empty(), key(it, "allow.paths"), it.open_paths.join(", ")))
        },
    },
];

/// What strangers of each tier may do that they should not.
fn strangers(facts: &Facts, wrong: impl Fn(&str, &[String]) -> Option<String>) -> Checked {
    let Control { strangers, .. } = facts.control.as_ref()?;
    let told: Vec<String> = strangers.iter().filter_map(|stranger| wrong(&stranger.tier, &stranger.actions)).collect();
    Some(if told.is_empty() { Vec::new() } else { vec![Hit::new(Place::of("policies"), told.join("; "))] })
}
