//! Rules about addresses, what is spoken in clear, and whose word is taken.

use super::common::{configuration, key};
use crate::catalogue::{aisvs, atlas, gpai, llm, nist};
use crate::facts::Part;
use crate::rule::{Confidence, Hit, Persona, Rule, Severity, when};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "admin-address-open",
        title: "Other machines reach the admin address, which speaks no TLS",
        why: "Whoever listens on the way has the admin credential, and with it every account, key, policy and text.",
        fix: "Bind `admin` to 127.0.0.1 and put a proxy with TLS in front, or reach it through a tunnel.",
        part: Part::Configuration,
        severity: Severity::High,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C5.2.1"), atlas("AML.M0019"), nist("sc-8"), nist("sc-7"), gpai("Appendix 4.3")],
        check: |facts| {
            configuration(facts, |it| {
                when(
                    !it.admin_is_local,
                    key(it, "admin"),
                    format!("`{}` is reached from other machines in clear", it.admin),
                )
            })
        },
    },
    Rule {
        id: "callers-in-clear",
        title: "Callers from other machines are served without TLS",
        why: "Keys and answers can be read and taken on the way, and a stolen key extracts under somebody else's name.",
        fix: "Give `[tls]` a certificate, or name the proxies in front that speak TLS in `trust.peers`.",
        part: Part::Configuration,
        severity: Severity::High,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[atlas("AML.M0019"), llm("LLM02:2025"), nist("sc-8.1"), gpai("Appendix 4.1")],
        check: |facts| {
            configuration(facts, |it| {
                let is_open = !it.listen_is_local && !it.tls && it.trusted_peers.is_empty();
                when(is_open, key(it, "tls"), format!("`{}` is reached from other machines in clear", it.listen))
            })
        },
    },
    Rule {
        id: "everybody-trusted",
        title: "Everybody's word about a caller's address is taken",
        why: "Whoever extracts writes another address into each request, so that shared addresses and networks of keys say nothing.",
        fix: "Name only the networks of your own proxies in `trust.peers`.",
        part: Part::Configuration,
        severity: Severity::High,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C12.2.5"), atlas("AML.M0024"), nist("au-3"), nist("sc-7")],
        check: |facts| {
            configuration(facts, |it| {
                let peers = it.trusted_peers.join(", ");
                when(it.trusts_everybody, key(it, "trust.peers"), format!("{peers} holds every address there is"))
            })
        },
    },
    Rule {
        id: "database-unverified",
        title: "The certificate of the database is not verified",
        why: "Whoever answers in its place makes accounts and keys without limits.",
        fix: "Add `?sslmode=verify-full` to `database`.",
        part: Part::Configuration,
        severity: Severity::High,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[atlas("AML.M0019"), nist("sc-8.1"), nist("sc-23")],
        check: |facts| {
            configuration(facts, |it| {
                when(
                    !it.verifies_database,
                    key(it, "database"),
                    "it is on another machine, and anybody can answer in its place",
                )
            })
        },
    },
    Rule {
        id: "password-in-configuration",
        title: "The configuration holds a password",
        why: "It is copied with the file, into backups, tickets and repositories.",
        fix: "Give the database in the environment (`STILLWATCH_DATABASE`) or let it know the machine otherwise.",
        part: Part::Configuration,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[atlas("AML.T0055"), llm("LLM02:2025"), nist("ia-5.7")],
        check: |facts| {
            configuration(facts, |it| when(it.database_password, key(it, "database"), "its URL has a password in it"))
        },
    },
    Rule {
        id: "server-in-clear",
        title: "A model server on another machine is spoken to in clear",
        why: "Prompts, answers and the server's credential can be read on the way.",
        fix: "Give its `url` as `https://`, with `authorities` where its certificate is your own.",
        part: Part::Configuration,
        severity: Severity::Medium,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[atlas("AML.M0019"), nist("sc-8.1"), gpai("Appendix 4.2")],
        check: |facts| {
            configuration(facts, |it| {
                let open = it.servers.iter().filter(|server| !server.is_local && !server.tls);
                open.map(|server| {
                    Hit::new(key(it, &format!("upstream {}", server.url)), "its `url` begins with `http://`")
                })
                .collect()
            })
        },
    },
    Rule {
        id: "server-without-credential",
        title: "A model server on another machine is shown no credential",
        why: "If it asks for none, whoever reaches it gets answers past every limit, record and policy of the gateway.",
        fix: "Have the server ask for a credential and name it by `key_file`, and let only the gateway reach it.",
        part: Part::Configuration,
        severity: Severity::Medium,
        confidence: Confidence::Low,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C5.2.1"), atlas("AML.M0019"), nist("ac-3"), nist("ia-9")],
        check: |facts| {
            configuration(facts, |it| {
                let open = it.servers.iter().filter(|server| !server.is_local && !server.credential);
                open.map(|server| Hit::new(key(it, &format!("upstream {}", server.url)), "it has no `key_file`"))
                    .collect()
            })
        },
    },
    Rule {
        id: "stale-state-unlimited",
        title: "What was known of accounts and keys holds without end while the database is away",
        why: "Whoever was shut out or cut down goes on for as long as the database can be kept from answering.",
        fix: "Set `database_stale_seconds` to a time, such as 300.",
        part: Part::Configuration,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[aisvs("v1.0-C5.2.1"), nist("ac-3"), nist("ac-2.3")],
        check: |facts| {
            configuration(facts, |it| {
                when(it.stale_seconds.is_none(), key(it, "database_stale_seconds"), "it is `unlimited`")
            })
        },
    },
];
