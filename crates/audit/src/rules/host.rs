//! Rules about this machine.

use crate::catalogue::{aisvs, atlas, gpai, llm, nist};
use crate::facts::{Facts, Host, OpenServer, Part};
use crate::rule::{Checked, Confidence, Hit, Persona, Place, Rule, Severity, when};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "model-server-open",
        title: "A model server answers other machines without a credential",
        why: "Whoever reaches it gets answers, and often the model itself, past every limit, record and policy of the gateway.",
        fix: "Bind it to 127.0.0.1 or to a network of its own, and have it ask for a key.",
        part: Part::Host,
        severity: Severity::High,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[
            aisvs("v1.0-C5.2.1"),
            atlas("AML.M0019"),
            atlas("AML.T0049"),
            llm("LLM10:2025"),
            nist("sc-7.5"),
            gpai("Appendix 4.3"),
        ],
        check: |facts| servers(facts, true),
    },
    Rule {
        id: "management-open",
        title: "A server that manages models or watches them answers other machines without a credential",
        why: "It tells what runs where, and some of them run whatever they are sent, where the weights are.",
        fix: "Bind it to 127.0.0.1, or put something in front that asks for a credential.",
        part: Part::Host,
        severity: Severity::High,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[
            atlas("AML.T0049"),
            atlas("AML.T0075"),
            atlas("AML.M0019"),
            nist("cm-7"),
            nist("sc-7.5"),
            gpai("Appendix 4.3"),
        ],
        check: |facts| servers(facts, false),
    },
    Rule {
        id: "secrets-open-to-others",
        title: "Others on the machine may read a secret",
        why: "The admin credential opens everything, and the pepper and keys let whoever has them pass for others.",
        fix: "`chmod go-rwx` the file, and replace the secret if somebody else could have read it.",
        part: Part::Host,
        severity: Severity::High,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[atlas("AML.T0055"), nist("ia-5.6"), nist("sc-28"), nist("ac-6")],
        check: |facts| {
            of(facts, |it| {
                it.open_secrets
                    .iter()
                    .map(|(file, mode)| Hit::new(Place::within(file, "mode"), format!("mode {mode}")))
                    .collect()
            })
        },
    },
    Rule {
        id: "secrets-in-environment",
        title: "The environment of the gateway holds what looks like a secret",
        why: "Every process that it starts has it, and so does whoever may look at its process.",
        fix: "Put it into a file that only the gateway reads, and name the file.",
        part: Part::Host,
        severity: Severity::Low,
        confidence: Confidence::Low,
        persona: Persona::Regular,
        requirements: &[atlas("AML.T0055"), nist("ia-5.7")],
        check: |facts| {
            let variables = facts.host.as_ref()?.secret_variables.as_ref()?;
            Some(when(!variables.is_empty(), Place::of("environment"), variables.join(", ")))
        },
    },
    Rule {
        id: "swap-on",
        title: "Memory may be written to a disk",
        why: "Weights that were decrypted into memory, and keys, may lie on the disk in clear.",
        fix: "Turn swap off (`swapoff -a`), or encrypt it with a key of each start.",
        part: Part::Host,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Pedantic,
        requirements: &[nist("sc-28"), nist("sc-4"), gpai("Appendix 4.2")],
        check: |facts| {
            let swaps = facts.host.as_ref()?.swaps.as_ref()?;
            Some(when(!swaps.is_empty(), Place::of("swap"), swaps.join(", ")))
        },
    },
    Rule {
        id: "clock-not-synchronised",
        title: "The clock follows no other",
        why: "Times in records, in the ledger and in a case are worth what the clock is.",
        fix: "Run an NTP client, such as chrony or systemd-timesyncd.",
        part: Part::Host,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[nist("au-8"), nist("sc-45")],
        check: |facts| {
            let is_synchronised = facts.host.as_ref()?.clock_synchronised?;
            Some(when(!is_synchronised, Place::of("clock"), "the system says that it is not synchronised"))
        },
    },
];

fn of(facts: &Facts, check: impl FnOnce(&Host) -> Vec<Hit>) -> Checked {
    facts.host.as_ref().map(check)
}

fn servers(facts: &Facts, serves_models: bool) -> Checked {
    of(facts, |it| {
        let hit = |server: &OpenServer| {
            Hit::new(Place::of(server.address.clone()), format!("{} ({})", server.product, server.seen))
        };
        it.open_servers.iter().filter(|server| server.serves_models == serves_models).map(hit).collect()
    })
}
