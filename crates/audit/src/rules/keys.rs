//! Rules about keys of callers: how old, how wide, how used.

use exchange::Time;

use super::common::is_older;
use crate::catalogue::{aisvs, atlas, nist};
use crate::facts::{Facts, Key, Part};
use crate::rule::{Checked, Confidence, Hit, Persona, Place, Rule, Severity};

/// Days after which a key should have been replaced: a year, as many providers' own rules have it.
const KEY_DAYS_MAX: i64 = 365;
/// Days after which a key that nobody uses should end.
const UNUSED_DAYS_MAX: i64 = 90;
/// Networks (/24 or /48) from which one key is used in the records that were looked at, beyond which somebody else may have it.
const NETWORKS_MAX: u64 = 10;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "key-old",
        title: "A key is older than a year",
        why: "Keys leak over time, and with an old one nobody knows any more who has it.",
        fix: "Replace it: `stillwatch key rotate KEY`, which leaves the old one some time.",
        part: Part::Control,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[atlas("AML.T0012"), atlas("AML.T0091.000"), nist("ia-5"), nist("sc-12")],
        check: |facts| {
            each(facts, |key, at| is_older(key.created, at, KEY_DAYS_MAX).then(|| format!("made at {}", key.created)))
        },
    },
    Rule {
        id: "key-unused",
        title: "A key that nobody uses still holds",
        why: "Whoever finds it takes under the name of somebody who will not notice.",
        fix: "Revoke it: `stillwatch key revoke KEY`.",
        part: Part::Control,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[atlas("AML.T0012"), nist("ac-2.3"), nist("ia-5")],
        check: |facts| {
            each(facts, |key, at| {
                let last = key.used.unwrap_or(key.created);
                let told = key
                    .used
                    .map_or_else(|| format!("never used since {}", key.created), |used| format!("last used at {used}"));
                is_older(last, at, UNUSED_DAYS_MAX).then_some(told)
            })
        },
    },
    Rule {
        id: "key-without-expiry",
        title: "A key holds for ever",
        why: "A leaked key that ends by itself is worth less, and one that nobody revokes ends too.",
        fix: "Make keys with an end: `stillwatch key add --expires DATE`.",
        part: Part::Control,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Pedantic,
        requirements: &[aisvs("v1.0-C5.2.6"), nist("ia-5")],
        check: |facts| each(facts, |key, _| key.expires.is_none().then(|| "it has no end".to_owned())),
    },
    Rule {
        id: "key-unscoped",
        title: "A key may do whatever its account may, from anywhere",
        why: "A stolen key is then good for everything, everywhere.",
        fix: "Make keys for what they are for, with `--model`, `--action` or `--network`.",
        part: Part::Control,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Pedantic,
        requirements: &[aisvs("v1.0-C5.2.1"), nist("ac-6"), atlas("AML.M0019")],
        check: |facts| each(facts, |key, _| (!key.is_scoped).then(|| "its scope names nothing".to_owned())),
    },
    Rule {
        id: "key-unbound",
        title: "A key holds for whoever has its text",
        why: "Compromised keys are how campaigns get real customers' accounts; a bound key is of no use without its holder's own.",
        fix: "Bind keys of machines to a key or certificate of theirs (DPoP, mutual TLS).",
        part: Part::Control,
        severity: Severity::Informational,
        confidence: Confidence::High,
        persona: Persona::Auditor,
        requirements: &[atlas("AML.T0012"), nist("ia-5.2"), nist("sc-23")],
        check: |facts| each(facts, |key, _| (!key.is_bound).then(|| "it is bound to nothing".to_owned())),
    },
    Rule {
        id: "key-shared",
        title: "A key is used from many networks",
        why: "It is passed on, sold, or was stolen: one credential from many addresses is what the published campaigns looked like.",
        fix: "Ask its holder, rotate it, and scope the new one to their networks.",
        part: Part::Records,
        severity: Severity::Medium,
        confidence: Confidence::Low,
        persona: Persona::Regular,
        requirements: &[
            aisvs("v1.0-C12.2.2"),
            atlas("AML.T0012"),
            atlas("AML.T0008.005"),
            nist("ac-2.12"),
            nist("ia-4"),
        ],
        check: |facts| {
            let records = facts.records.as_ref().filter(|records| records.exchanges > 0)?;
            let many = records.networks_of_keys.iter().filter(|(_, networks)| *networks > NETWORKS_MAX);
            Some(
                many.map(|(key, networks)| {
                    Hit::new(Place::of(format!("key {key}")), format!("from {networks} networks"))
                })
                .collect(),
            )
        },
    },
];

/// What is wrong with each key, at the time of the audit.
fn each(facts: &Facts, wrong: impl Fn(&Key, Time) -> Option<String>) -> Checked {
    let (control, at) = (facts.control.as_ref()?, facts.at?);
    let told = |key: &Key| {
        wrong(key, at).map(|told| Hit::new(Place::of(format!("key {}", key.id)), format!("of {}: {told}", key.account)))
    };
    Some(control.keys.iter().filter_map(told).collect())
}
