//! Rules about what callers are answered, by trying it.

use crate::catalogue::{aisvs, atlas, llm, nist};
use crate::facts::{Endpoint, Facts, Given, Part};
use crate::rule::{Checked, Confidence, Hit, Persona, Place, Rule, Severity, when};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "endpoint-without-key",
        title: "Somebody without a key is answered",
        why: "Whoever takes is nobody, and nothing they do can be told apart or stopped.",
        fix: "Have every path of the API ask for a credential.",
        part: Part::Endpoint,
        severity: Severity::High,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C5.2.1"), atlas("AML.M0019"), nist("ia-8"), nist("ac-3")],
        check: |facts| {
            of(facts, |it| {
                it.without_key.iter().map(|told| Hit::new(Place::of(it.url.clone()), told.clone())).collect()
            })
        },
    },
    Rule {
        id: "endpoint-in-clear",
        title: "The endpoint is reached without TLS",
        why: "Keys and answers can be read on the way.",
        fix: "Serve it by `https://` only.",
        part: Part::Endpoint,
        severity: Severity::High,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[nist("sc-8.1"), atlas("AML.M0019")],
        check: |facts| {
            of(facts, |it| when(!it.tls && !it.is_local, Place::of(it.url.clone()), "it begins with `http://`"))
        },
    },
    Rule {
        id: "endpoint-gives-logprobs",
        title: "The key gets probabilities of tokens",
        why: "They tell far more of a model for each request than its text, and train a copy with fewer requests.",
        fix: "Permit `logprobs` only to whom it was agreed with.",
        part: Part::Endpoint,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C11.3.2"), atlas("AML.M0002"), atlas("AML.T0063"), llm("LLM10:2025")],
        check: |facts| given(facts, &["logprobs", "top_logprobs", "completions logprobs", "prompt_logprobs"]),
    },
    Rule {
        id: "endpoint-takes-logit-bias",
        title: "The key steers single tokens",
        why: "With a bias on tokens, probabilities can be found out one by one though they are not told.",
        fix: "Refuse `logit_bias`, or leave it out, for all but those who need it.",
        part: Part::Endpoint,
        severity: Severity::Medium,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C11.3.2"), atlas("AML.M0002"), llm("LLM10:2025")],
        check: |facts| given(facts, &["logit_bias"]),
    },
    Rule {
        id: "endpoint-gives-alternatives",
        title: "One request brings several answers",
        why: "A quota of requests then bounds a fraction of what is taken.",
        fix: "Count tokens in quotas as well, or permit `alternatives` only to whom it was agreed with.",
        part: Part::Endpoint,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C11.2.2"), atlas("AML.M0004"), llm("LLM10:2025")],
        check: |facts| given(facts, &["n"]),
    },
    Rule {
        id: "endpoint-echoes",
        title: "The prompt comes back with the answer",
        why: "With its probabilities any text can be scored by the model, which is a reward model for whoever trains another.",
        fix: "Refuse `echo`, or leave it out, for all but those who need it.",
        part: Part::Endpoint,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C11.3.2"), atlas("AML.M0002")],
        check: |facts| given(facts, &["echo"]),
    },
    Rule {
        id: "endpoint-gives-reasoning",
        title: "The key gets hidden reasoning",
        why: "Traces of reasoning are what the published campaigns were after first.",
        fix: "Permit `reasoning_text` only to whom it was agreed with, and name models whose prompt opens reasoning in `shield.thinking_models`.",
        part: Part::Endpoint,
        severity: Severity::Medium,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C11.3.2"), atlas("AML.T0024.002"), atlas("AML.M0002"), llm("LLM02:2025")],
        check: |facts| given(facts, &["reasoning"]),
    },
    Rule {
        id: "endpoint-gives-tokens",
        title: "The key gets numbers of tokens or the prompt as the model sees it",
        why: "They show the hidden system prompt and the template, and spare whoever trains a copy the tokeniser.",
        fix: "Refuse `return_token_ids` and the like; the gateway leaves fields out that it does not know.",
        part: Part::Endpoint,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C11.3.2"), aisvs("v1.0-C7.3.2"), llm("LLM07:2025"), atlas("AML.T0069")],
        check: |facts| given(facts, &["return_token_ids", "return_prompt_text"]),
    },
    Rule {
        id: "endpoint-repeats-by-seed",
        title: "The same seed brings the same answer",
        why: "Repeatable answers make it cheaper to tell what a change of the request changes.",
        fix: "Leave `seed` out for those who do not need it.",
        part: Part::Endpoint,
        severity: Severity::Informational,
        confidence: Confidence::Low,
        persona: Persona::Auditor,
        requirements: &[aisvs("v1.0-C11.3.2"), atlas("AML.M0002")],
        check: |facts| {
            let endpoint = facts.endpoint.as_ref()?;
            Some(when(endpoint.repeats_by_seed?, Place::of(endpoint.url.clone()), "two answers were the same"))
        },
    },
    Rule {
        id: "endpoint-tells-server",
        title: "Answers tell what serves the model",
        why: "Whoever looks for a weakness, or for another way to the server, knows what to try.",
        fix: "Take the headers away in front of the callers.",
        part: Part::Endpoint,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[atlas("AML.T0014"), atlas("AML.T0006"), nist("si-11")],
        check: |facts| {
            of(facts, |it| {
                when(!it.telling_headers.is_empty(), Place::of(it.url.clone()), it.telling_headers.join(", "))
            })
        },
    },
    Rule {
        id: "endpoint-no-rate-limit",
        title: "Many requests at once are all answered",
        why: "No limit for each second or minute held; what a key takes is bounded by the servers alone.",
        fix: "Set a quota of requests for each account and minute.",
        part: Part::Endpoint,
        severity: Severity::Low,
        confidence: Confidence::Low,
        persona: Persona::Pedantic,
        requirements: &[aisvs("v1.0-C11.2.2"), atlas("AML.M0004"), nist("sc-5")],
        check: |facts| {
            let endpoint = facts.endpoint.as_ref()?;
            let (sent, refused) = endpoint.burst?;
            let told = format!("{sent} at once, none was turned away");
            Some(when(refused == 0, Place::of(endpoint.url.clone()), told))
        },
    },
];

fn of(facts: &Facts, check: impl FnOnce(&Endpoint) -> Vec<Hit>) -> Checked {
    facts.endpoint.as_ref().map(check)
}

/// A finding for whatever of these was given; nothing is said where none of them could be judged.
fn given(facts: &Facts, names: &[&str]) -> Checked {
    let endpoint = facts.endpoint.as_ref()?;
    let asked: Vec<&(String, Given)> =
        endpoint.asked.iter().filter(|(name, _)| names.contains(&name.as_str())).collect();
    if asked.iter().all(|(_, given)| *given == Given::NotTold) {
        return None;
    }
    let given: Vec<&str> =
        asked.iter().filter(|(_, given)| *given == Given::Given).map(|(name, _)| name.as_str()).collect();
    Some(when(!given.is_empty(), Place::of(endpoint.url.clone()), given.join(", ")))
}
