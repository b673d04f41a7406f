//! Rules about the files of models.

use crate::catalogue::{aisvs, atlas, gpai, llm, nist};
use crate::facts::{Facts, ModelCopy, Part};
use crate::rule::{Checked, Confidence, Hit, Persona, Place, Rule, Severity};

/// Days after which somebody has to say again that a model is needed at a place, and by those who may read it: six months, as appendix 4 of the safety
/// and security chapter of the EU's code of practice for general-purpose AI has it.
pub const REVIEW_DAYS_MAX: u64 = 183;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "weights-unregistered",
        title: "Weights lie where no register has them",
        why: "A copy that nobody knows of is one that nobody guards, and the easiest one to take.",
        fix: "Put it down (`stillwatch vault register`) or remove it.",
        part: Part::Models,
        severity: Severity::Medium,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[
            aisvs("v1.0-C3.1.1"),
            atlas("AML.M0005"),
            atlas("AML.T0035"),
            nist("cm-8"),
            nist("cm-12"),
            gpai("Appendix 4.2"),
        ],
        check: |facts| {
            let models = facts.models.as_ref().filter(|models| models.searched)?;
            let unknown = models.unknown.iter();
            Some(unknown.map(|folder| Hit::new(Place::within(folder, "weights"), "no register has them")).collect())
        },
    },
    Rule {
        id: "model-changed",
        title: "A model is not what was put down",
        why: "Somebody changed, replaced or took it, and what is served may be something else.",
        fix: "Compare it with what was signed, and put it down anew if the change was yours.",
        part: Part::Models,
        severity: Severity::High,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[
            aisvs("v1.0-C3.1.3"),
            atlas("AML.M0014"),
            atlas("AML.T0018"),
            llm("LLM04:2025"),
            nist("si-7.1"),
        ],
        check: |facts| each(facts, |copy| copy.drift.clone()),
    },
    Rule {
        id: "model-unsigned",
        title: "Nobody vouches for a model",
        why: "Whether the files are those that were trained and tested can be told by nobody.",
        fix: "Sign it (`stillwatch vault sign`), and register it with `--signature` and `--key`.",
        part: Part::Models,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[
            aisvs("v1.0-C3.1.2"),
            aisvs("v1.0-C6.1.3"),
            atlas("AML.M0013"),
            llm("LLM03:2025"),
            nist("si-7.15"),
            nist("cm-14"),
        ],
        check: |facts| {
            each(facts, |copy| {
                (copy.in_clear && !copy.signed).then(|| "it was put down without a signature".to_owned())
            })
        },
    },
    Rule {
        id: "model-unsafe-format",
        title: "A file of a model may run code when it is loaded",
        why: "Whoever can change it runs what they want where the weights are in memory.",
        fix: "Convert it to safetensors or GGUF, or take it out.",
        part: Part::Models,
        severity: Severity::High,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[
            aisvs("v1.0-C4.1.2"),
            aisvs("v1.0-C6.1.1"),
            atlas("AML.T0011.000"),
            atlas("AML.M0011"),
            llm("LLM03:2025"),
            nist("si-3"),
        ],
        check: |facts| files(facts, |copy| &copy.unsafe_files),
    },
    Rule {
        id: "weights-open-to-others",
        title: "Others on the machine may read or change the weights",
        why: "Any account of the machine, and any service that is broken into, has the model.",
        fix: "`chmod go-rwx` the files, and let only the serving user have them.",
        part: Part::Models,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[atlas("AML.M0005"), nist("ac-6"), nist("mp-2"), gpai("Appendix 4.3")],
        check: |facts| files(facts, |copy| &copy.open_files),
    },
    Rule {
        id: "weights-in-clear",
        title: "Weights lie in clear",
        why: "Whoever has the disk, a snapshot or a backup has the model.",
        fix: "Lock them (`stillwatch vault lock`) and serve them from memory (`stillwatch vault open`).",
        part: Part::Models,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Pedantic,
        requirements: &[aisvs("v1.0-C4.3.4"), atlas("AML.M0012"), nist("sc-28.1"), gpai("Appendix 4.2")],
        check: |facts| each(facts, |copy| copy.in_clear.then(|| "its files are in clear".to_owned())),
    },
    Rule {
        id: "review-overdue",
        title: "Nobody said for half a year that a model is still needed at a place",
        why: "Copies and people who may read them are left over from what is long done.",
        fix: "Look who may read it and whether it is needed, and say so: `stillwatch vault review COPY`.",
        part: Part::Models,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[nist("ac-6.7"), nist("cm-7.1"), gpai("Appendix 4.3")],
        check: |facts| {
            each(facts, |copy| {
                (copy.reviewed_days > REVIEW_DAYS_MAX).then(|| format!("for {} days", copy.reviewed_days))
            })
        },
    },
    Rule {
        id: "one-holder-unlocks",
        title: "One person alone opens a locked model",
        why: "One stolen key, or one person who leaves with it, is enough.",
        fix: "Lock it anew with `--needed 2` or more.",
        part: Part::Models,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C5.2.6"), nist("ac-3.2"), nist("ac-5"), gpai("Appendix 4.4")],
        check: |facts| each(facts, |copy| (copy.holders_needed == Some(1)).then(|| "one holder is needed".to_owned())),
    },
];

fn place(copy: &ModelCopy) -> Place {
    Place::within(&copy.place, copy.id.clone())
}

fn each(facts: &Facts, wrong: impl Fn(&ModelCopy) -> Option<String>) -> Checked {
    let copies = facts.models.as_ref()?.copies.iter();
    Some(copies.filter_map(|copy| wrong(copy).map(|told| Hit::new(place(copy), told))).collect())
}

fn files(facts: &Facts, wrong: impl Fn(&ModelCopy) -> &Vec<(String, String)>) -> Checked {
    let copies = facts.models.as_ref()?.copies.iter();
    let hit = |copy: &ModelCopy, (file, told): &(String, String)| {
        Hit::new(Place::within(&copy.place, format!("{} {file}", copy.id)), told.clone())
    };
    Some(copies.flat_map(|copy| wrong(copy).iter().map(move |file| hit(copy, file))).collect())
}
