//! Two deployments: one as it should be, and one that is wrong in every way.

use audit::facts::{
    Configuration, Control, Endpoint, Given, Host, Key, Ledger, ModelCopy, Models, OpenServer, Person, Quota, QuotaOf,
    Records, Server, Stranger, Unit,
};
use audit::{Assumptions, Facts};
use exchange::Time;

/// The time of the audits.
pub(crate) fn now() -> Time {
    time("2026-07-01T00:00:00Z")
}

pub(crate) fn time(text: &str) -> Time {
    text.parse().unwrap()
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn quota(id: &str, of: QuotaOf, amount: u64, seconds: u64) -> Quota {
    Quota { id: id.to_owned(), of, unit: Unit::Requests, amount, seconds, except_high_rate: false }
}

fn person(name: &str, role: &str, first_password_since: Option<Time>) -> Person {
    Person { name: name.to_owned(), role: role.to_owned(), first_password_since }
}

/// Nothing that any rule finds.
pub(crate) fn right() -> Facts {
    let configuration = Configuration {
        file: "stillwatch.toml".to_owned(),
        listen: "0.0.0.0:443".to_owned(),
        listen_is_local: false,
        admin: "127.0.0.1:8081".to_owned(),
        admin_is_local: true,
        tls: true,
        trusted_peers: texts(&["10.0.0.0/8"]),
        trusts_everybody: false,
        verifies_database: true,
        database_password: false,
        stale_seconds: Some(300),
        detection: true,
        alpha: 0.05,
        alerts: 1,
        response_rules: 1,
        response_rules_in_shadow: 0,
        block_alone_max: 50,
        recording_required: true,
        recording_synced: true,
        recording_bytes: 64 << 30,
        sealed: true,
        keep_days: Some(365),
        ledger: true,
        witnesses: 1,
        timestamps: true,
        strong_sign_in: true,
        passwords: false,
        open_paths: Vec::new(),
        shield_output_tokens: 4_096,
        shield_decimals: 4,
        servers: vec![Server {
            url: "https://models.example".to_owned(),
            is_local: false,
            tls: true,
            credential: true,
        }],
    };
    let key = Key {
        id: "key_1".to_owned(),
        account: "acc_1".to_owned(),
        created: time("2026-05-01T00:00:00Z"),
        expires: Some(time("2026-12-01T00:00:00Z")),
        used: Some(time("2026-06-30T00:00:00Z")),
        is_bound: true,
        is_scoped: true,
    };
    let control = Control {
        accounts: 2,
        keys: vec![key],
        quotas: vec![
            quota("day", QuotaOf::EachAccount, 500, 86_400),
            quota("payers", QuotaOf::EachPaymentGroup, 1_000, 86_400),
            quota("all", QuotaOf::Everybody, 4_000, 86_400),
        ],
        strangers: vec![Stranger { tier: "free".to_owned(), actions: texts(&["infer", "stream"]) }],
        people: vec![person("ann", "admin", None), person("bob", "responder", Some(time("2026-06-28T00:00:00Z")))],
        open_appeals: vec![time("2026-06-20T00:00:00Z")],
    };
    let ledger = Ledger {
        folder: "data/ledger".to_owned(),
        exists: true,
        entries: 100,
        checked: 100,
        faults: Vec::new(),
        last: Some(time("2026-06-30T00:00:00Z")),
        last_response: Some(time("2026-03-01T00:00:00Z")),
        last_drill: None,
        last_check: Some(time("2026-05-01T00:00:00Z")),
        last_failed_check: Some(time("2026-03-01T00:00:00Z")),
        last_playbook: Some(time("2026-03-01T00:00:00Z")),
    };
    let records = Records {
        folder: "data/exchanges".to_owned(),
        exchanges: 1_000,
        damaged: 10,
        without_account: 10,
        without_usage: 10,
        without_model: 10,
        without_address: 10,
        networks_of_keys: vec![("key_1".to_owned(), 10)],
    };
    let copy = ModelCopy {
        id: "copy_1".to_owned(),
        place: "/models/ours".to_owned(),
        in_clear: false,
        signed: true,
        reviewed_days: 183,
        holders_needed: Some(2),
        ..ModelCopy::default()
    };
    Facts {
        at: None,
        assumptions: Assumptions::default(),
        configuration: Some(configuration),
        control: Some(control),
        ledger: Some(ledger),
        records: Some(records),
        models: Some(Models { copies: vec![copy], unknown: Vec::new(), searched: true }),
        host: Some(Host {
            secret_variables: Some(Vec::new()),
            swaps: Some(Vec::new()),
            clock_synchronised: Some(true),
            ..Host::default()
        }),
        endpoint: Some(Endpoint {
            url: "https://api.example".to_owned(),
            is_local: false,
            tls: true,
            asked: ASKED.iter().map(|name| ((*name).to_owned(), Given::Refused)).collect(),
            burst: Some((60, 12)),
            repeats_by_seed: Some(false),
            ..Endpoint::default()
        }),
    }
}

const ASKED: [&str; 10] = [
    "logprobs",
    "top_logprobs",
    "completions logprobs",
    "prompt_logprobs",
    "logit_bias",
    "n",
    "echo",
    "reasoning",
    "return_token_ids",
    "return_prompt_text",
];

/// Everything that any rule finds, once, but for what cannot be wrong at once ([`also_wrong`] has that).
pub(crate) fn wrong() -> Facts {
    let mut facts = right();
    facts.configuration = Some(Configuration {
        admin: "0.0.0.0:8081".to_owned(),
        admin_is_local: false,
        tls: false,
        trusted_peers: Vec::new(),
        trusts_everybody: true,
        verifies_database: false,
        database_password: true,
        stale_seconds: None,
        detection: false,
        alpha: 0.21,
        alerts: 0,
        response_rules: 2,
        response_rules_in_shadow: 2,
        block_alone_max: 1_001,
        recording_required: false,
        recording_synced: false,
        recording_bytes: (1 << 30) - 1,
        keep_days: None,
        witnesses: 0,
        timestamps: false,
        passwords: true,
        open_paths: texts(&["/v1/fine_tuning/jobs"]),
        shield_output_tokens: 32_769,
        servers: vec![Server {
            url: "http://models.example".to_owned(),
            is_local: false,
            tls: false,
            credential: false,
        }],
        ..facts.configuration.unwrap()
    });
    let key = Key {
        created: time("2025-06-30T00:00:00Z"),
        expires: None,
        used: Some(time("2026-04-01T00:00:00Z")),
        is_bound: false,
        is_scoped: false,
        ..facts.control.unwrap().keys.remove(0)
    };
    facts.control = Some(Control {
        accounts: 1,
        keys: vec![key],
        quotas: vec![quota("day", QuotaOf::EachAccount, 500, 86_400)],
        strangers: vec![Stranger {
            tier: "free".to_owned(),
            actions: texts(&["infer", "logprobs", "reasoning_text", "full_precision", "high_rate", "batch"]),
        }],
        people: vec![person("ann", "admin", Some(time("2026-06-23T00:00:00Z")))],
        open_appeals: vec![time("2026-06-16T00:00:00Z")],
    });
    facts.ledger = Some(Ledger {
        faults: texts(&["entry 7 is not what the log says"]),
        last_response: Some(time("2025-12-29T00:00:00Z")),
        last_check: None,
        last_failed_check: Some(time("2025-12-29T00:00:00Z")),
        last_playbook: None,
        ..facts.ledger.unwrap()
    });
    facts.records = Some(Records {
        damaged: 12,
        without_account: 11,
        without_usage: 11,
        without_model: 11,
        without_address: 11,
        networks_of_keys: vec![("key_1".to_owned(), 11)],
        ..facts.records.unwrap()
    });
    let copy = ModelCopy {
        id: "copy_1".to_owned(),
        place: "/models/ours".to_owned(),
        in_clear: true,
        signed: false,
        drift: Some("`config.json` was changed".to_owned()),
        reviewed_days: 184,
        holders_needed: Some(1),
        unsafe_files: vec![("model.pt".to_owned(), "pickle: it is a pickle".to_owned())],
        open_files: vec![("model.pt".to_owned(), "0644".to_owned())],
    };
    facts.models = Some(Models { copies: vec![copy], unknown: texts(&["/home/ann/copied"]), searched: true });
    let server = |address: &str, product: &str, serves_models| OpenServer {
        address: address.to_owned(),
        product: product.to_owned(),
        serves_models,
        seen: "/version".to_owned(),
    };
    facts.host = Some(Host {
        open_servers: vec![server("0.0.0.0:8000", "vLLM", true), server("0.0.0.0:8265", "Ray", false)],
        open_secrets: vec![("data/admin-key".to_owned(), "0644".to_owned())],
        secret_variables: Some(texts(&["OPENAI_API_KEY"])),
        swaps: Some(texts(&["/swapfile"])),
        clock_synchronised: Some(false),
    });
    facts.endpoint = Some(Endpoint {
        url: "http://api.example".to_owned(),
        tls: false,
        without_key: texts(&["/v1/models answers 200"]),
        asked: ASKED.iter().map(|name| ((*name).to_owned(), Given::Given)).collect(),
        telling_headers: texts(&["server: uvicorn"]),
        burst: Some((60, 0)),
        repeats_by_seed: Some(true),
        ..facts.endpoint.unwrap()
    });
    facts
}

/// What cannot be wrong beside what [`wrong`] has.
pub(crate) fn also_wrong() -> Facts {
    let mut facts = right();
    facts.configuration = Some(Configuration {
        response_rules: 0,
        response_rules_in_shadow: 0,
        sealed: false,
        keep_days: None,
        ledger: false,
        strong_sign_in: false,
        passwords: true,
        ..facts.configuration.unwrap()
    });
    facts.control = Some(Control { quotas: Vec::new(), ..facts.control.unwrap() });
    facts.ledger = Some(Ledger { exists: false, entries: 0, checked: 0, last_response: None, ..facts.ledger.unwrap() });
    facts
}
