//! Audits of deployments as somebody sets them up, by the program.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use crate::cli::{Folder, Ran, run};
use crate::up::{Gateway, within};

fn audit(words: &[&str]) -> Ran {
    run(&[&["audit"], words].concat())
}

/// The rules that found something.
fn found(ran: &Ran) -> BTreeSet<String> {
    let told: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let findings = told.get("findings").and_then(Value::as_array).expect("findings");
    findings.iter().filter_map(|finding| finding.get("rule")?.as_str().map(str::to_owned)).collect()
}

const JSON: [&str; 4] = ["--without", "host", "--format", "json"];

#[test]
fn what_a_running_gateway_goes_by_and_a_ledger_that_was_put_back_are_seen() {
    let folder = Folder::new("audit-running");
    let config = folder.file("gateway.toml", "[detection]\nenabled = false\n");
    let gateway = Gateway::start_in(folder, &["--config", &config]);
    let data = gateway.data();
    let rules = || found(&audit(&[&["--data", &data][..], &JSON].concat()));
    assert!(rules().contains("detection-off"), "it is not told by what the gateway goes");
    assert!(!rules().contains("ledger-broken"));
    let (code, folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    let kept = folder.path("kept");
    let copied = std::process::Command::new("cp").args(["-r", &format!("{data}/ledger"), &kept]).status();
    assert!(copied.expect("a copy").success());
    let gateway = Gateway::start_in(folder, &[]);
    let (_, folder) = gateway.end("-TERM");
    assert!(!rules().contains("ledger-broken"));
    // As it was before the second start, with the checkpoint that is kept apart.
    std::fs::remove_dir_all(format!("{data}/ledger")).expect("removed");
    std::fs::rename(&kept, format!("{data}/ledger")).expect("put back");
    assert!(rules().contains("ledger-broken"), "a ledger that was put back is not seen");
    std::fs::remove_dir_all(format!("{data}/ledger")).expect("removed");
    assert!(rules().contains("ledger-broken"), "a ledger that is gone is not seen");
    let ran = audit(&["--data", &folder.path("nowhere")]);
    assert!(ran.code == 65 && ran.stderr.contains("there is no data folder"), "{ran:?}");
}

#[test]
fn audits_on_a_schedule_go_on() {
    let folder = Folder::new("audit-schedule");
    let data = folder.path("data");
    std::fs::create_dir(&data).expect("a folder");
    let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_stillwatch"))
        .args(["audit", "--data", &data, "--without", "host", "--schedule", "1"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a process");
    let kept = || std::fs::read_dir(format!("{data}/audits")).is_ok_and(|kept| kept.count() == 1);
    let is_kept = within(Duration::from_secs(20), kept);
    let goes_on = process.try_wait().is_ok_and(|ended| ended.is_none());
    process.kill().and_then(|()| process.wait()).expect("its end");
    assert!(is_kept && goes_on, "kept: {is_kept}, goes on: {goes_on}");
}

#[test]
fn a_deployment_as_it_comes_has_nothing_to_mend() {
    let gateway = Gateway::start_in(Folder::new("audit-default"), &[]);
    let data = gateway.data();
    let ran = audit(&["--data", &data, "--without", "host"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    assert!(ran.stdout.starts_with("Nothing was found that is not accepted."), "{}", ran.stdout);
    // It was looked at all of what is there, and what was not is told.
    assert!(ran.stdout.contains("not looked at: endpoint: asked only where it is named"), "{}", ran.stdout);
    for part in ["control", "ledger", "models"] {
        assert!(!ran.stdout.contains(&format!("not looked at: {part}")), "{part}: {}", ran.stdout);
    }
    // An account that may take without a limit is something to mend, and so is what an audit before did not have.
    assert_eq!(run(&["account", "add", "--id", "acc_1", "--data", &data]).code, 0);
    let ran = audit(&[&["--data", &data][..], &JSON].concat());
    assert_eq!((ran.code, found(&ran)), (14, ["accounts-without-limit".to_owned()].into()));
    let told = audit(&["--data", &data, "--without", "host", "--no-history"]);
    assert!(!told.stdout.contains("(new)"), "the last audit had it: {}", told.stdout);
    let quota = [
        "quota",
        "set",
        "day",
        "--of",
        "each-account",
        "--unit",
        "requests",
        "--amount",
        "1000",
        "--per",
        "day",
        "--data",
        &data,
    ];
    assert_eq!(run(&quota).code, 0);
    let ran = audit(&["--data", &data, "--without", "host"]);
    assert_eq!(ran.code, 13, "{ran:?}");
    for part in [
        "No longer found:\n  accounts-without-limit",
        "100 accounts without a high rate: 100000 exchanges a day, 1.5 days",
        "(set by day)",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    assert_eq!(audit(&["--data", &data, "--without", "host", "--budget-days", "1"]).code, 0);
}

#[test]
fn a_weak_configuration_is_told_by_its_keys_until_somebody_accepts_it() {
    let folder = Folder::new("audit-weak");
    let config = folder.file(
        "weak.toml",
        "listen = \"0.0.0.0:8080\"\nadmin = \"0.0.0.0:8081\"\ndatabase = \"postgres://sw:hunter2@db.example/sw\"\n\
         database_stale_seconds = \"unlimited\"\n[detection]\nenabled = false\nalpha = 0.4\n[response]\nblock_alone_max = 5000\n\
         [recording]\nsync = \"never\"\nkept_bytes = 1000\n[ledger]\nenabled = false\n[allow]\npaths = [\"/v1/fine_tuning/jobs\"]\n\
         [shield]\noutput_tokens = 1000000\n[[upstream]]\nurl = \"http://models.example:8000\"\n",
    );
    let data = folder.path("data");
    let weak = ["--config", &config, "--data", &data];
    let ran = audit(&[&weak[..], &JSON].concat());
    let expected = [
        "admin-address-open",
        "callers-in-clear",
        "database-unverified",
        "detection-alpha-high",
        "detection-off",
        "ledger-off",
        "block-alone-limit-high",
        "password-in-configuration",
        "opaque-paths-allowed",
        "records-kept-short",
        "records-not-synced",
        "server-in-clear",
        "server-without-credential",
        "shield-too-wide",
        "stale-state-unlimited",
    ];
    assert_eq!((ran.code, found(&ran)), (14, expected.map(str::to_owned).into()));
    assert!(!ran.stdout.contains("hunter2"), "a password is told");
    // What is accepted is told, and counts no more; with the rest as a baseline nothing is new.
    let accept = |text: &str| folder.file("accept.toml", text);
    let path = accept(
        "[[accept]]\nrule = \"detection-off\"\nreason = \"the hunt runs over the logs\"\nby = \"ann\"\nuntil = \"2100-01-01T00:00:00Z\"\n",
    );
    let ran = audit(&[&weak[..], &["--without", "host", "--accept", &path]].concat());
    assert!(ran.code == 14 && ran.stdout.contains("Accepted:\n  detection-off at "), "{ran:?}");
    let baseline = folder.file("before.json", audit(&[&weak[..], &JSON].concat()).stdout);
    let again = audit(&[&weak[..], &["--without", "host", "--baseline", &baseline]].concat());
    assert_eq!(again.code, 0, "{again:?}");
    for (text, expected) in [
        (
            "[[accept]]\nrule = \"x\"\nreason = \"r\"\nby = \"b\"\nuntil = \"2100-01-01T00:00:00Z\"\n",
            "accepted risk 1: there is no rule `x`",
        ),
        ("[[accept]]\nrule = \"detection-off\"\n", "missing field"),
        ("accept = 1", "invalid type"),
    ] {
        let ran = audit(&[&weak[..], &["--accept", &accept(text)]].concat());
        assert!(
            ran.code == 65 && ran.stderr.contains(expected) && ran.stderr.contains("accept.toml"),
            "{expected}: {ran:?}"
        );
    }
    let other = folder.file("other.json", "{}");
    let ran = audit(&[&weak[..], &["--baseline", &other]].concat());
    assert!(ran.code == 65 && ran.stderr.contains("is no audit"), "{ran:?}");
}

#[test]
fn an_endpoint_is_asked_for_what_it_should_not_give() {
    let gateway = Gateway::start_in(Folder::new("audit-endpoint"), &[]);
    let data = gateway.data();
    assert_eq!(run(&["account", "add", "--id", "acc_1", "--data", &data]).code, 0);
    let made = run(&["key", "add", "--account", "acc_1", "--data", &data, "--json"]);
    let made: Value = serde_json::from_str(&made.stdout).expect("JSON");
    let folder = Folder::new("audit-endpoint-key");
    let key = folder.file("key", made.get("key").and_then(Value::as_str).expect("a key"));
    let url = format!("http://{}", gateway.address());
    let words = ["--data", &data, "--endpoint", &url, "--endpoint-key-file", &key, "--endpoint-model", "mock-1"];
    let ran = audit(&[&words[..], &JSON].concat());
    let given = found(&ran);
    assert!(given.contains("endpoint-gives-logprobs") && given.contains("endpoint-gives-alternatives"), "{given:?}");
    assert!(!given.contains("endpoint-without-key") && !given.contains("endpoint-echoes"), "{given:?}");
    // With a response that takes these away they are not given any more.
    let shield = [
        "response",
        "apply",
        "--rung",
        "shield",
        "--account",
        "acc_1",
        "--reason",
        "a drill",
        "--by",
        "ann",
        "--data",
        &data,
    ];
    let taken = run(&shield);
    assert_eq!(taken.code, 0, "{taken:?}");
    let given = found(&audit(&[&words[..], &JSON].concat()));
    assert!(given.iter().all(|rule| !rule.starts_with("endpoint-")), "{given:?}");
    let wrong = folder.file("wrong", "sk-wrong");
    let ran =
        audit(&["--data", &data, "--endpoint", &url, "--endpoint-key-file", &wrong, "--endpoint-model", "mock-1"]);
    assert!(ran.code == 74 && ran.stderr.contains("answers 401 to a plain request"), "{ran:?}");
}

#[test]
fn a_model_server_that_others_reach_and_a_secret_that_others_read_are_found() {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { break };
            let _ = stream.read(&mut [0; 4_096]);
            let body = r#"{"object": "list", "data": [{"id": "m", "owned_by": "vllm"}]}"#;
            let _ =
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        }
    });
    let folder = Folder::new("audit-host");
    let data = folder.path("data");
    std::fs::create_dir(&data).expect("a folder");
    folder.file("data/admin-key", "x");
    let ran = audit(&["--data", &data, "--without", "ledger", "--format", "json"]);
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let messages: Vec<String> =
        told.get("findings").and_then(Value::as_array).expect("findings").iter().map(ToString::to_string).collect();
    let has = |parts: &[&str]| messages.iter().any(|message| parts.iter().all(|part| message.contains(part)));
    assert!(has(&["model-server-open", &format!("0.0.0.0:{port}"), "vLLM (GET /v1/models)"]), "{messages:#?}");
    assert!(has(&["secrets-open-to-others", "data/admin-key"]), "{messages:#?}");
}

#[test]
fn rules_are_named_and_explained() {
    let named = audit(&["--rules"]);
    assert!(named.code == 0 && named.stdout.contains("extraction-budget"), "{named:?}");
    let explained = audit(&["--explain", "model-unsafe-format"]);
    assert!(
        explained.stdout.contains("OWASP-AISVS 1.0 v1.0-C4.1.2") && explained.stdout.contains("What to do: "),
        "{explained:?}"
    );
    let unknown = audit(&["--explain", "x"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("there is no rule `x`"), "{unknown:?}");
    for words in
        [["--persona", "me"], ["--without", "endpoint"], ["--endpoint", "http://127.0.0.1:1"], ["--schedule", "0"]]
    {
        assert_eq!(audit(&words).code, 2, "{words:?}");
    }
}

#[test]
fn audits_are_written_as_others_read_them() {
    let folder = Folder::new("audit-formats");
    let data = folder.path("data");
    let config = folder.file("gateway.toml", "");
    for (format, has) in [("sarif", "\"version\": \"2.1.0\""), ("oscal", "\"assessment-results\"")] {
        let out = folder.path(format);
        let words = ["--config", &config, "--data", &data, "--without", "host", "--persona", "auditor"];
        let ran = audit(&[&words[..], &["--format", format, "--out", &out]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (13, ""), "{ran:?}");
        let text = std::fs::read_to_string(&out).expect("a file");
        assert!(text.contains(has) && serde_json::from_str::<Value>(&text).is_ok(), "{text}");
    }
    assert!(!std::path::Path::new(&data).exists(), "looking makes no data folder");
}

#[test]
fn a_page_tells_all_of_it_and_takes_nothing_from_what_it_shows() {
    let folder = Folder::new("audit-page");
    let config =
        folder.file("weak.toml", "admin = \"0.0.0.0:8081\"\n[allow]\npaths = [\"/<script>alert(1)</script>\"]\n");
    let words = ["--config", &config, "--data", &folder.path("data"), "--without", "host"].map(str::to_owned);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let rules = found(&audit(&[&words[..], &["--format", "json"]].concat()));
    let page = audit(&[&words[..], &["--format", "html"]].concat());
    assert_eq!((page.code, rules.len()), (14, 2), "{rules:?}");
    for rule in rules {
        assert!(page.stdout.contains(&format!("<code>{rule}</code>")), "{rule}: {}", page.stdout);
    }
    assert!(!page.stdout.contains("<script") && page.stdout.contains("<h2>Not looked at</h2>"), "{}", page.stdout);
    assert!(!page.stdout.contains(" src=") && !page.stdout.contains(" href="), "{}", page.stdout);
}

#[test]
fn a_thousand_audits_are_kept_and_the_oldest_go() {
    let folder = Folder::new("audit-kept");
    let data = folder.path("data");
    std::fs::create_dir(&data).expect("a folder");
    let kept = || {
        let names = std::fs::read_dir(format!("{data}/audits"))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let words = ["--data", &data, "--without", "host"];
    assert_eq!(audit(&words).code, 13, "there is no ledger");
    // Names before that of the first one, as older ones have.
    (0..999).for_each(|number| drop(folder.file(&format!("data/audits/{number:020}.json"), "{}")));
    assert_eq!(kept().len(), 1_000);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(audit(&words).code, 13);
    assert_eq!((kept().len(), kept().first().map(String::as_str)), (1_000, Some("00000000000000000001.json")));
}
