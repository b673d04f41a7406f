//! Rules about records: whether there are any, and what they say.

use super::common::{configuration, key};
use crate::catalogue::{aisvs, atlas, nist};
use crate::facts::{Facts, Part, Records};
use crate::rule::{Checked, Confidence, Persona, Place, Rule, Severity, when};

/// Bytes of all records together that hold some days of a small service.
const KEPT_BYTES_MIN: u64 = 1 << 30;
/// Of a hundred records, so many may lack what all should have.
const LACK_PERCENT_MAX: u64 = 1;
/// Exchanges from which on a share says something.
const EXCHANGES_MIN: u64 = 100;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "recording-not-required",
        title: "Requests are served that cannot be recorded",
        why: "With a full disk nothing is seen of what is taken, and a full disk can be had by sending much.",
        fix: "Set `recording.required = true`, if you would rather turn callers away than not see them.",
        part: Part::Configuration,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Auditor,
        requirements: &[aisvs("v1.0-C12.1.1"), atlas("AML.M0024"), nist("au-5"), nist("au-4")],
        check: |facts| {
            configuration(facts, |it| when(!it.recording_required, key(it, "recording.required"), "it is false"))
        },
    },
    Rule {
        id: "records-not-synced",
        title: "What was recorded is never made to outlive the machine",
        why: "A crash or a pulled plug takes the record of what was just done, and with it the evidence.",
        fix: "Set `recording.sync` to seconds, or to `always`.",
        part: Part::Configuration,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[nist("au-9"), nist("au-5")],
        check: |facts| {
            configuration(facts, |it| when(!it.recording_synced, key(it, "recording.sync"), "it is `never`"))
        },
    },
    Rule {
        id: "records-kept-short",
        title: "Few records are kept",
        why: "A campaign of many accounts with few requests each shows over days, and a case needs what was sent weeks ago.",
        fix: "Raise `recording.kept_bytes`, or take records into the lake.",
        part: Part::Configuration,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[nist("au-11"), nist("au-4"), atlas("AML.M0024")],
        check: |facts| {
            configuration(facts, |it| {
                let place = key(it, "recording.kept_bytes");
                when(
                    it.recording_bytes < KEPT_BYTES_MIN,
                    place,
                    format!("{} bytes; fewer than {KEPT_BYTES_MIN}", it.recording_bytes),
                )
            })
        },
    },
    Rule {
        id: "texts-in-clear",
        title: "Recorded texts lie in clear",
        why: "Whoever reads the disk has what customers sent, and the answers that are the model's worth.",
        fix: "Name the public half of an evidence key in `sealing.key` (`stillwatch seal key`).",
        part: Part::Configuration,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Pedantic,
        requirements: &[atlas("AML.M0012"), nist("sc-28.1"), nist("au-9.3")],
        check: |facts| configuration(facts, |it| when(!it.sealed, key(it, "sealing.key"), "there is none")),
    },
    Rule {
        id: "texts-never-expire",
        title: "Sealed texts can be opened for good",
        why: "What is kept without need can be asked for, stolen and held against you.",
        fix: "Set `sealing.keep_days`; holds keep what a case needs.",
        part: Part::Configuration,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Auditor,
        requirements: &[nist("si-12"), nist("au-11")],
        check: |facts| {
            configuration(facts, |it| {
                when(it.sealed && it.keep_days.is_none(), key(it, "sealing.keep_days"), "there is none")
            })
        },
    },
    Rule {
        id: "records-without-account",
        title: "Records do not say whose they are",
        why: "Without accounts nobody can be told apart, and a campaign is no more than a pile of requests.",
        fix: "Have every caller named: see `stillwatch inspect` for what the records say, and `--account` for where.",
        part: Part::Records,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C12.2.5"), aisvs("v1.0-C12.1.1"), nist("au-3")],
        check: |facts| lacking(facts, |records| records.without_account, "have no account"),
    },
    Rule {
        id: "records-without-model",
        title: "Records do not say which model was asked",
        why: "That a group turns to a new model together, and what was taken of which, cannot be seen.",
        fix: "Record the request's `model` and the answer's.",
        part: Part::Records,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C12.1.3"), nist("au-3")],
        check: |facts| lacking(facts, |records| records.without_model, "name no model"),
    },
    Rule {
        id: "records-without-usage",
        title: "Answers are recorded without their tokens",
        why: "How much was taken cannot be told, neither to those who decide nor to a court.",
        fix: "Have the model server report usage, also for streams (`stream_options.include_usage`).",
        part: Part::Records,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C12.1.3"), aisvs("v1.0-C12.2.5"), nist("au-3")],
        check: |facts| lacking(facts, |records| records.without_usage, "are answered and name no tokens"),
    },
    Rule {
        id: "records-without-address",
        title: "Records do not say where callers were",
        why: "Shared proxies and addresses, which tie accounts together, cannot be seen.",
        fix: "Have the proxy in front say the address, and name it in `trust`.",
        part: Part::Records,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C12.1.1"), nist("au-3"), atlas("AML.T0008.005")],
        check: |facts| lacking(facts, |records| records.without_address, "have no address"),
    },
    Rule {
        id: "records-damaged",
        title: "Records are damaged",
        why: "What cannot be read is not looked at, and damage on purpose is a way to hide.",
        fix: "Look at `stillwatch inspect`, which tells damage by its reason and by whose records it is in.",
        part: Part::Records,
        severity: Severity::Medium,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[nist("au-9"), nist("si-7")],
        check: |facts| lacking(facts, |records| records.damaged, "cannot be read"),
    },
];

/// A finding where more records lack something than by chance; nothing is said of few.
fn lacking(facts: &Facts, count: impl Fn(&Records) -> u64, what: &str) -> Checked {
    let records = facts.records.as_ref()?;
    let (some, all) = (count(records), records.exchanges.saturating_add(records.damaged));
    if all < EXCHANGES_MIN {
        return None;
    }
    let is_too_much = some.saturating_mul(100) > all.saturating_mul(LACK_PERCENT_MAX);
    let told = format!("{some} of the last {all} {what}");
    Some(when(is_too_much, Place::within(&records.folder, "records"), told))
}
