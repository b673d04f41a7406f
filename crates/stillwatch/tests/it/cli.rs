//! The program as a person or a script meets it: exit codes, what is said where, and that nothing counts but records and
//! flags.
//!
//! Every test runs the binary, on traffic that the binary itself simulates: a campaign that stands out, and honest
//! customers only. It is simulated once for all tests of a process; each test then writes what it needs into a folder of
//! its own, which goes when the test ends. No run may take longer than [`WAITS_MAX`] waits.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use exchange::Time;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

// Exit codes.

#[test]
fn exit_codes_are_those_that_the_help_names() {
    let help = run(&["--help"]);
    assert_eq!(help.code, 0);
    let promised = "Exit codes: 0 nothing found, 10 campaigns found, 11 to 14 an audit found something, 2 wrong usage, \
                    65 input that cannot be read.";
    // Long lines are wrapped.
    let words = help.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(promised), "{}", help.stdout);
}

#[test]
fn found_campaigns_end_with_10() {
    let folder = Folder::new("found");
    let hunted = run(&["hunt", &hydra().write_to(&folder)]);
    assert_eq!(hunted.code, 10, "{hunted:?}");
    assert!(hunted.stdout.starts_with("1 campaign was found: "), "{}", hunted.stdout);
    assert_eq!(hunted.stderr, "");
}

#[test]
fn honest_traffic_ends_with_0() {
    let folder = Folder::new("honest");
    let hunted = run(&["hunt", &honest().write_to(&folder)]);
    assert_eq!(hunted.code, 0, "{hunted:?}");
    assert!(hunted.stdout.starts_with("No campaign was found in "), "{}", hunted.stdout);
    assert_eq!(hunted.stderr, "");
}

#[test]
fn a_hunt_that_another_process_began_ends_with_it() {
    let folder = Folder::new("begun");
    // Nobody ever writes into it.
    let pipe = folder.path("log.jsonl");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let hunted = run_on(&["hunt", &pipe, "--json", "--ends-with-input"], b"");
    assert_eq!((hunted.code, hunted.stdout.as_str()), (74, ""), "{hunted:?}");
}

#[test]
fn wrong_usage_ends_with_2() {
    let folder = Folder::new("usage");
    let log = folder.file("log.jsonl", THREE_RECORDS);
    let out = folder.path("out");
    let cases: [(&[&str], &str); 13] = [
        (&[], "Usage: stillwatch"),
        (&["hnt"], "'hnt'"),
        (&["hunt"], "<PATH>"),
        (&["hunt", &log, "--quiet"], "'--quiet'"),
        (&["hunt", &log, "--format", "csv"], "'csv'"),
        (&["hunt", &log, "--alpha", "0"], "'--alpha <LEVEL>'"),
        (&["hunt", &log, "--threads", "0"], "'--threads <N>'"),
        (&["hunt", &log, "--bad-lines-max", "1.1"], "'--bad-lines-max <SHARE>'"),
        (&["simulate", "hydra"], "--out DIR"),
        (&["simulate", "hidra", "--out", &out], "`hidra`"),
        (&["simulate", "--out", &out, "--set", "acounts=3"], "`acounts`"),
        (&["simulate", "--out", &out, "--set", "cover=2"], "cover"),
        (&["evaluate"], "<DIR>"),
    ];
    for (args, named) in cases {
        let ran = run(args);
        assert_eq!(ran.code, 2, "{args:?} {ran:?}");
        assert!(ran.stderr.contains(named), "{args:?} does not say `{named}`: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
    assert!(!folder.0.join("out").exists(), "wrong usage wrote something");
}

#[test]
fn unreadable_input_ends_with_65_and_is_named() {
    let folder = Folder::new("unreadable");
    let log = folder.file("log.jsonl", THREE_RECORDS);
    let missing = folder.path("missing.jsonl");
    let garbage = folder.file("garbage.jsonl", "no record\nnone either\n");
    let binary = folder.file("binary.jsonl", [0xff, 0xfe, 0, 1, b'\n']);
    let facts = folder.file("facts.jsonl", r#"{"time":"2026-07-20T11:00:00Z","account":"a","plan":"free"}"#);
    let broken = folder.file("broken.jsonl.gz", &gzip(THREE_RECORDS.as_bytes())[..12]);
    let labels = folder.file("only/labels.jsonl", r#"{"account":"a","campaign":null}"#);
    let only_labels = folder.path("only");
    let beyond = folder.path("missing/found.jsonl");
    let cases: [(&[&str], &str); 12] = [
        (&[&missing], &missing),
        (&[&log, &missing], &missing),
        (&[&log, "--accounts", &missing], &missing),
        (&[&garbage], &garbage),
        (&[&log, "--format", "otlp"], &log),
        (&[&binary], &binary),
        (&[&facts], &facts),
        (&[&broken], &broken),
        (&[&labels], &labels),
        (&[&only_labels], &only_labels),
        (&[&log, "--campaigns-out", &beyond], &beyond),
        (&[&log, "--report", &beyond], &beyond),
    ];
    for (args, named) in cases {
        let hunted = run(&[&["hunt"], args].concat());
        assert_eq!(hunted.code, 65, "{args:?} {hunted:?}");
        assert!(hunted.stderr.contains(named), "{args:?} does not name `{named}`: {}", hunted.stderr);
        assert!(hunted.stderr.lines().last().is_some_and(|line| line.starts_with("stillwatch: ")), "{hunted:?}");
        assert_eq!(hunted.stdout, "", "{args:?}");
    }
    let piped = run_on(&["hunt", "-"], b"no record\n");
    assert_eq!(piped.code, 65, "{piped:?}");
    assert!(piped.stderr.contains("standard input:1: "), "{}", piped.stderr);
}

#[test]
fn account_facts_that_cannot_be_read_end_with_65() {
    let folder = Folder::new("facts");
    let log = folder.file("log.jsonl", THREE_RECORDS);
    let garbage = folder.file("facts.jsonl", "no fact\n");
    for accounts in [garbage, folder.path("")] {
        let hunted = run(&["hunt", &log, "--accounts", &accounts]);
        assert!(hunted.stderr.contains(&accounts), "{hunted:?}");
        assert_eq!(hunted.code, 65, "{hunted:?}");
    }
}

// The same records and flags give the same findings.

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let folder = Folder::new("threads");
    let log = hydra().write_to(&folder);
    let (found, page) = (folder.path("found"), folder.path("page.html"));
    let outputs = ["1", "2", "5"].map(|threads| {
        let hunt = ["hunt", &log, "--threads", threads, "--campaigns-out", &found, "--report", &page];
        let (shown, written) = (run(&hunt), run(&[&hunt[..], &["--json"]].concat()));
        assert_eq!((shown.code, written.code), (10, 10), "{shown:?}");
        (shown.stdout, written.stdout, read(&found), read(&page))
    });
    let [one, two, five] = outputs;
    assert!(one == two, "two threads differ from one");
    assert!(one == five, "five threads differ from one");
    assert_eq!(one.1, hydra().findings(), "as many threads as there are cores");
}

#[test]
fn what_is_followed_is_told_as_it_comes_out_and_names_whom_a_hunt_names() {
    let folder = Folder::new("watch");
    let log = hydra().write_to(&folder);
    let watched = run(&["watch", &log, "--once", "--json"]);
    assert_eq!(watched.code, 10, "{watched:?}");
    let mut named = BTreeSet::new();
    let mut last = String::new();
    for line in watched.stdout.lines() {
        let change: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let (what, account) = (change["change"].as_str().expect("a change"), change["account"].as_str());
        match (what, account) {
            ("joined", Some(account)) => assert!(named.insert(account.to_owned()), "told twice"),
            ("left", Some(account)) => assert!(named.remove(account), "it had not joined"),
            ("withdrawn", None) => named.clear(),
            ("detected", None) => assert!(change["log10_e"].as_f64() > change["log10_threshold"].as_f64(), "{line}"),
            other => panic!("{other:?}"),
        }
        assert!(last.as_str() <= change["time"].as_str().expect("a time"), "in the order of time");
        change["time"].as_str().expect("a time").clone_into(&mut last);
    }
    let found: serde_json::Value = serde_json::from_str(hydra().findings()).expect("JSON");
    let accounts = found["campaigns"][0]["accounts"].as_array().expect("accounts");
    let hunted: BTreeSet<String> = accounts
        .iter()
        .filter(|member| member["probability"].as_f64() >= Some(0.5))
        .filter_map(|member| member["account"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(named, hunted);
    let shown = run(&["watch", &log, "--once"]);
    assert!(shown.stdout.contains("cmp_1  detected, ") && shown.stderr.contains("1 campaign at the end"), "{shown:?}");
    assert_eq!(run(&["watch", &folder.path("missing")]).code, 65);
}

#[test]
fn compressed_piped_or_split_the_log_gives_the_same() {
    let folder = Folder::new("kinds");
    let traffic = hydra();
    let plain = traffic.exchanges.as_bytes();
    let (gz, zst) = (gzip(plain), zstd::encode_all(plain, 3).expect("memory takes it"));
    let accounts = folder.file("facts/accounts.jsonl", &traffic.accounts);
    let (first, second) = traffic.exchanges.split_at(after_line(&traffic.exchanges, 3000));
    folder.file("split/a.jsonl", second);
    folder.file("split/b.jsonl", first);
    let found = folder.path("found.jsonl");
    let mut written = BTreeSet::new();
    let mut same = |path: &str, input: &[u8], what: &str| {
        let hunted = run_on(&["hunt", path, "--accounts", &accounts, "--json", "--campaigns-out", &found], input);
        assert_eq!(hunted.code, 10, "{what}: {}", hunted.stderr);
        assert!(hunted.stdout == traffic.findings(), "{what} gives other findings");
        written.insert(read(&found));
    };
    same(&folder.file("plain/log.jsonl", plain), b"", "plain");
    same(&folder.file("gz/log.jsonl.gz", &gz), b"", "gzip");
    same(&folder.file("zst/log.jsonl.zst", &zst), b"", "zstd");
    same(&folder.path("split"), b"", "two files");
    same("-", plain, "a pipe");
    same("-", &gz, "a pipe of gzip");
    same("-", &zst, "a pipe of zstd");
    assert_eq!(written.len(), 1, "--campaigns-out differs");
}

#[test]
fn a_file_named_twice_is_read_once() {
    let folder = Folder::new("twice");
    let log = folder.file("log.jsonl", THREE_RECORDS);
    for paths in [[&log, &log], [&folder.path(""), &log]] {
        let hunted = run(&["hunt", paths[0], paths[1], "--json"]);
        assert_eq!(hunted.json()["read"]["exchanges"], 3, "{paths:?}");
    }
}

// Labels are for scoring.

#[test]
fn labels_are_never_read() {
    let folder = Folder::new("labels");
    let log = hydra().write_to(&folder);
    let unchanged = |what: &str| {
        let hunted = run(&["hunt", &log, "--json"]);
        assert_eq!((hunted.code, hunted.stderr.as_str()), (10, ""), "{what}");
        assert!(hunted.stdout == hydra().findings(), "labels that are {what} change the findings");
    };
    unchanged("absent");
    let labels = folder.file("log/labels.jsonl", &hydra().labels);
    unchanged("right");
    folder.file("log/labels.jsonl", "garbage\u{0}\n{");
    folder.file("log/labels.jsonl.zst", "garbage");
    unchanged("garbage");
    // Exchanges in the place of labels would count if they were read.
    folder.file("log/labels.jsonl", &hydra().exchanges);
    unchanged("exchanges");
    let named = run(&["hunt", &folder.path("log/exchanges.jsonl"), &labels, "--json"]);
    assert!(named.stdout == hydra().findings(), "labels that are named are read");
}

/// Opening a pipe that nobody writes to never ends, so a hunt that ends has not opened it.
#[cfg(unix)]
#[test]
fn labels_are_not_even_opened() {
    let folder = Folder::new("fifo");
    let log = hydra().write_to(&folder);
    let made = Command::new("mkfifo").arg(folder.path("log/labels.jsonl")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo");
    for path in [log, folder.path("log/exchanges.jsonl")] {
        let hunted = run(&["hunt", &path, "--json"]);
        assert!(hunted.stdout == hydra().findings(), "{path}");
    }
}

// Lines that cannot be read.

#[test]
fn a_broken_line_is_told_and_changes_nothing_else() {
    let folder = Folder::new("broken");
    let before = after_line(&hydra().exchanges, 3000);
    for (broken, reason) in [
        (&b"{\"time\":\"2026-07-20T12:00"[..], "not JSON: "),
        (b"\xff\xfe", "not UTF-8 at byte 1"),
        (br#"{"time":"2026-07-20T12:00:00Z","request":{}}"#, "`account` is missing"),
        (br#"{"time":"2026-07-20T12:00:00Z","account":{},"request":{}}"#, "`account` is an object"),
        (
            br#"{"time":"2199-07-20T12:00:00Z","account":"a","request":{}}"#,
            "`time` is `2199-07-20T12:00:00Z`, more than 24 hours ahead",
        ),
    ] {
        let (first, second) = hydra().exchanges.as_bytes().split_at(before);
        let log = hydra().write_to(&folder);
        let path = folder.file("log/exchanges.jsonl", [first, broken, b"\n", second].concat());
        let hunted = run(&["hunt", &log, "--json"]);
        assert_eq!(hunted.code, 10, "{hunted:?}");
        let told = format!("skipped {path}:3001: {reason}");
        assert!(hunted.stderr.starts_with(&told) && hunted.stderr.lines().count() == 1, "{told}: {}", hunted.stderr);
        let mut document = hunted.json();
        assert_eq!(document["read"]["bad_lines"], 1);
        document["read"]["bad_lines"] = json!(0);
        assert!(document == parsed(hydra().findings()), "`{reason}` changes the findings");
    }
}

#[test]
fn a_broken_line_among_account_facts_is_told_too() {
    let folder = Folder::new("broken-facts");
    let log = hydra().write_to(&folder);
    let path = folder.file("log/accounts.jsonl", format!("{}{{\n", hydra().accounts));
    let hunted = run(&["hunt", &log, "--json"]);
    let line = hydra().accounts.lines().count() + 1;
    assert!(hunted.stderr.starts_with(&format!("skipped {path}:{line}: not JSON: ")), "{}", hunted.stderr);
    let mut document = hunted.json();
    assert_eq!((hunted.code, &document["read"]["bad_account_lines"]), (10, &json!(1)));
    document["read"]["bad_account_lines"] = json!(0);
    assert!(document == parsed(hydra().findings()), "a broken account fact changes the findings");
}

#[test]
fn many_broken_lines_are_counted_and_some_shown() {
    let folder = Folder::new("many");
    let log = folder.file("log.jsonl", format!("{THREE_RECORDS}{}", "{\n".repeat(25)));
    let hunted = run(&["hunt", &log, "--json"]);
    assert_eq!((hunted.code, &hunted.json()["read"]["bad_lines"]), (0, &json!(25)));
    let lines: Vec<&str> = hunted.stderr.lines().collect();
    assert_eq!(lines.len(), 13, "{lines:#?}");
    assert!(lines[11].starts_with("warning: 25 of 28 lines could not be read"), "{lines:#?}");
    assert!(lines[12].starts_with("warning: all 3 calls are of one account"), "{lines:#?}");
    assert!(lines[0].starts_with(&format!("skipped {log}:4: ")), "{lines:#?}");
    assert!(lines[9].starts_with(&format!("skipped {log}:13: ")), "{lines:#?}");
    assert_eq!(lines[10], "skipped 15 more lines of exchanges");
}

#[test]
fn more_bad_lines_than_allowed_end_with_65() {
    let folder = Folder::new("share");
    let log = folder.file("log.jsonl", format!("{THREE_RECORDS}{{\n"));
    let (found, page) = (folder.path("found.jsonl"), folder.path("page.html"));
    let allowing =
        |share| run(&["hunt", &log, "--bad-lines-max", share, "--campaigns-out", &found, "--report", &page, "--json"]);
    let beyond = allowing("0.249");
    assert_eq!((beyond.code, beyond.stdout.as_str()), (65, ""), "{beyond:?}");
    assert!(
        beyond.stderr.ends_with("1 of 4 lines could not be read, more than --bad-lines-max 0.249 allows\n"),
        "{}",
        beyond.stderr
    );
    assert!(beyond.stderr.contains(&format!("{log}:4: ")), "{}", beyond.stderr);
    assert!(!folder.0.join("found.jsonl").exists() && !folder.0.join("page.html").exists(), "half a result is written");
    let limit = allowing("0.25");
    assert_eq!((limit.code, &limit.json()["read"]["bad_lines"]), (0, &json!(1)), "{limit:?}");
    assert!(folder.0.join("found.jsonl").exists() && folder.0.join("page.html").exists());
}

#[test]
fn a_campaign_is_not_told_when_too_much_could_not_be_read() {
    let folder = Folder::new("share-found");
    let log = hydra().write_to(&folder);
    folder.file("log/zz.jsonl", "{\n");
    let lines = hydra().exchanges.lines().count() + 1;
    let hunt = |share: f64| run(&["hunt", &log, "--json", "--bad-lines-max", &share.to_string()]);
    let limit = hunt(1.0 / lines as f64);
    assert_eq!(limit.code, 10, "{limit:?}");
    let beyond = hunt(0.99 / lines as f64);
    assert_eq!((beyond.code, beyond.stdout.as_str()), (65, ""), "{beyond:?}");
}

// Little to read.

#[test]
fn where_nothing_was_read_nobody_is_told_that_nothing_was_found() {
    let folder = Folder::new("empty");
    let (empty, blank) = (folder.file("empty.jsonl", ""), folder.file("blank.jsonl", "\n  \r\n\n"));
    let (gz, page) = (folder.file("empty.jsonl.gz", gzip(b"")), folder.path("page.html"));
    let health = folder.file(
        "health.jsonl",
        r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"message":"CWL CONTROL MESSAGE: Checking health"}]}"#,
    );
    let cases = [(empty.as_str(), "no record at all"), (&blank, "no record at all"), (&gz, "no record at all")];
    for (path, why) in cases.into_iter().chain([("-", "no record at all"), (&health, "control message of CloudWatch")])
    {
        let hunted = run(&["hunt", path, "--report", &page]);
        assert_eq!((hunted.code, hunted.stdout.as_str()), (65, ""), "{path}: {hunted:?}");
        assert!(hunted.stderr.contains(why), "{path}: {}", hunted.stderr);
        assert!(!std::path::Path::new(&page).exists(), "{path}");
    }
    let nobody = folder.file("nobody.jsonl", r#"{"time":1780000000,"request":{}}"#);
    let hunted = run(&["hunt", &nobody]);
    assert!(hunted.code == 65 && hunted.stderr.contains("by --account"), "{hunted:?}");
}

/// All accounts of one organisation, or all with one text: what is told is why nobody can be found.
#[test]
fn where_no_group_can_be_found_the_reason_is_told() {
    let folder = Folder::new("one-payer");
    let record = |n: u64, org: &str, text: &str| {
        let time = 1_780_000_000 + n * 60;
        format!(
            "{{\"time\":{time},\"account\":\"a{}\"{org},\"request\":{{\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}}}\n",
            n % 20
        )
    };
    let log =
        |org: &str, text: &dyn Fn(u64) -> String| -> String { (0..400).map(|n| record(n, org, &text(n))).collect() };
    let one_org = folder.file("org.jsonl", log(",\"org\":\"ours\"", &|n| format!("question number {n}")));
    for command in ["hunt", "inspect"] {
        let seen = run(&[command, &one_org]).stdout.replace("\n  ", " ");
        assert!(seen.contains("all 20 accounts name the same organisation, ours; it was left out"), "{seen}");
        // A pipe is read only once, so there is no look at its beginning.
        let seen = run_on(&[command, "-"], read(&one_org).as_bytes()).stdout.replace("\n  ", " ");
        assert!(seen.contains("the same organisation, ours, and so are one payer: no group"), "{seen}");
    }
    let payers = |path: &str| run(&["hunt", path, "--json"]).json()["population"]["payers"].clone();
    assert_eq!(payers(&one_org), json!(20));
    // Of several organisations each is one payer, however many accounts it has.
    let two = folder.file("two.jsonl", read(&one_org) + &record(400, ",\"org\":\"theirs\"", "another question"));
    assert_eq!(payers(&two), json!(2));
    let same =
        "You are the assistant of a shop for garden tools and answer every question politely and in two sentences";
    let one_text = folder.file("text.jsonl", log("", &|n| format!("{same}: {n}")));
    let spots = run(&["hunt", &one_text, "--json"]).json()["blind_spots"].to_string();
    assert!(spots.contains("nearly everybody is in one group"), "{spots}");
}

/// All requests of the campaign, from one account: it takes several to act together.
#[test]
fn one_account_alone_is_no_campaign() {
    let folder = Folder::new("alone");
    let members = hydra().campaign_accounts();
    let theirs = |record: &mut Value| {
        let hers = record["account"].as_str().is_some_and(|account| members.contains(account));
        record["account"] = json!("acc_alone");
        hers
    };
    let log = folder.file("log.jsonl", rewritten(&hydra().exchanges, theirs));
    let hunted = run(&["hunt", &log, "--json"]);
    let document = hunted.json();
    assert_eq!((hunted.code, &document["campaigns"]), (0, &json!([])), "{}", hunted.stdout);
    assert_eq!(document["population"]["accounts"], 1);
    assert!(document["read"]["exchanges"].as_u64().is_some_and(|exchanges| exchanges > 500), "{}", document["read"]);
}

// Missing fields count neither for nor against anybody, and are named.

#[test]
fn what_is_not_logged_is_named_and_held_against_nobody() {
    let folder = Folder::new("bare");
    let bare = |record: &mut Value| {
        *record = json!({
            "time": record["time"], "account": record["account"], "request": {"messages": record["request"]["messages"]},
        });
        true
    };
    assert_eq!(parsed(hydra().findings())["blind_spots"], json!([]), "everything is in the log");
    for (name, traffic) in [("hydra", hydra()), ("honest", honest())] {
        let log = folder.file(&format!("{name}.jsonl"), rewritten(&traffic.exchanges, bare));
        let hunted = run(&["hunt", &log, "--json"]);
        assert!(matches!(hunted.code, 0 | 10) && hunted.stderr.is_empty(), "{hunted:?}");
        let document = hunted.json();
        assert_eq!((&document["read"]["bad_lines"], &document["read"]["account_facts"]), (&json!(0), &json!(0)));
        let spots = document["blind_spots"].to_string();
        for missing in ["payment", "mail domain", "address", "software", "settings", "Sign-up"] {
            assert!(spots.contains(missing), "`{missing}` is not among the blind spots: {spots}");
        }
        let reported = members(&document);
        let accused: Vec<_> = reported.difference(&traffic.campaign_accounts()).cloned().collect();
        assert_eq!(accused, [""; 0], "honest accounts of {name}");
    }
}

#[test]
fn only_what_is_missing_is_named() {
    let folder = Folder::new("no-client");
    let log = hydra().write_to(&folder);
    let without = |record: &mut Value| record.as_object_mut().is_some_and(|record| record.remove("client").is_some());
    folder.file("log/exchanges.jsonl", rewritten(&hydra().exchanges, without));
    let spots = run(&["hunt", &log, "--json"]).json()["blind_spots"].to_string();
    for (named, word) in [(true, "address"), (true, "software"), (false, "payment"), (false, "Sign-up")] {
        assert_eq!(spots.contains(word), named, "`{word}` in {spots}");
    }
}

#[test]
fn a_log_without_prompts_says_so() {
    let folder = Folder::new("no-prompts");
    let log = hydra().write_to(&folder);
    let without = |record: &mut Value| {
        record["request"] = json!({"params": record["request"]["params"]});
        true
    };
    folder.file("log/exchanges.jsonl", rewritten(&hydra().exchanges, without));
    let spots = run(&["hunt", &log, "--json"]).json()["blind_spots"].to_string();
    assert!(["prompt", "text", "template"].iter().any(|word| spots.contains(word)), "{spots}");
}

// What goes to a pipe is text.

#[test]
fn a_pipe_gets_no_progress_bar_and_no_colour() {
    let folder = Folder::new("pipe");
    let log = hydra().write_to(&folder);
    folder.file("log/labels.jsonl", &hydra().labels);
    folder.file("log/zz.jsonl", "{\n");
    let (page, out) = (folder.path("page.html"), folder.path("out"));
    let cases: [&[&str]; 7] = [
        &["hunt", &log, "--report", &page],
        &["hunt", &log, "--json"],
        &["hunt", "-"],
        &["hunt", "--nonsense"],
        &["evaluate", &log],
        &["simulate", "--out", &out, "--set", "days=1", "--set", "honest=20", "--set", "accounts=9"],
        &["hunt", &out, "--format", "litellm"],
    ];
    for args in cases {
        let ran = run_on(args, hydra().exchanges.as_bytes());
        ran.is_plain(&format!("{args:?}"));
    }
}

#[test]
fn hostile_records_cannot_reach_the_terminal() {
    let folder = Folder::new("hostile");
    let hostile = |record: &mut Value| {
        let account = record["account"].as_str().map(|account| format!("\u{1b}[31m\r{account}\u{202e}"));
        record["account"] = json!(account.clone());
        // Not before every request, or all would share a text.
        if record["request"].is_object() && account.as_deref().is_some_and(|account| account.contains("acc_0")) {
            record["request"]["system"] = json!("\u{1b}]0;owned\u{7}\u{9b}2J");
        }
        true
    };
    let log = folder.file("log.jsonl", rewritten(&hydra().exchanges, hostile));
    folder.file("accounts.jsonl", rewritten(&hydra().accounts, hostile));
    folder
        .file("more.jsonl", "{\"time\":\"\\u001b[2J\",\"account\":\"a\",\"request\":{}}\n\u{1b}[2J\u{9b}\r\u{202e}\n");
    let hunted = run(&["hunt", &folder.path("")]);
    hunted.is_plain("hunt");
    assert!(hunted.stdout.contains("acc_"), "no account was shown, so nothing was tested: {}", hunted.stdout);
    assert!(hunted.stderr.contains("`time` is "), "{}", hunted.stderr);
    let page = folder.path("page.html");
    run(&["hunt", &log, "--report", &page]).is_plain("report");
    let page = read(&page);
    assert!(page.contains("acc_") && !page.contains(['\u{1b}', '\u{7}', '\u{9b}', '\r', '\u{202e}']), "the report");
}

/// What was found is worth more than the file it should have gone to.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_no_findings_and_is_an_error() {
    let folder = Folder::new("full");
    let log = hydra().write_to(&folder);
    for flag in ["--report", "--campaigns-out", "--accounts-out", "--exchanges-out"] {
        let hunted = run(&["hunt", &log, flag, "/dev/full"]);
        assert_eq!(hunted.code, 65, "{flag}: {hunted:?}");
        assert!(hunted.stdout.contains("campaign"), "{flag}: {}", hunted.stdout);
        assert!(hunted.stderr.contains("`/dev/full` cannot be written"), "{flag}: {}", hunted.stderr);
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device of Linux");
    let status = Command::new(env!("CARGO_BIN_EXE_stillwatch")).args(["hunt", &log]).stdout(full).status();
    assert_eq!(status.expect("the program runs").code(), Some(65));
}

/// Every account is in the table of accounts, and what a campaign took is told in tokens and in money.
#[test]
fn accounts_tokens_and_their_cost_are_told() {
    let folder = Folder::new("accounts-out");
    let log = hydra().write_to(&folder);
    let (table, page) = (folder.path("accounts.csv"), folder.path("page.html"));
    let prices = folder.file("prices.toml", "currency = \"EUR\"\n[models]\n\"*\" = { input = 3, output = 15 }\n");
    let args = ["hunt", &log, "--json", "--accounts-out", &table, "--prices", &prices, "--report", &page];
    let hunted = run(&args);
    assert_eq!(hunted.code, 10, "{hunted:?}");
    let found = parsed(&hunted.stdout);
    let accounts: usize = found["campaigns"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|c| c["accounts"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!(read(&table).lines().count(), accounts + 1);
    let campaign = &found["campaigns"][0];
    let (input, output) = (campaign["input_tokens"].as_u64(), campaign["output_tokens"].as_u64());
    let sum = |field: &str| {
        let members = campaign["accounts"].as_array().expect("a list").iter();
        members.filter(|m| m["probability"].as_f64() >= Some(0.5)).filter_map(|m| m[field].as_u64()).sum::<u64>()
    };
    assert_eq!((input, output), (Some(sum("input_tokens")), Some(sum("output_tokens"))));
    let of_models = |field: &str| {
        campaign["models"].as_array().expect("a list").iter().filter_map(|m| m[field].as_u64()).sum::<u64>()
    };
    assert_eq!((input, output), (Some(of_models("input_tokens")), Some(of_models("output_tokens"))));
    assert!(found["costs"][0]["amount"].as_f64() > Some(0.0), "{}", found["costs"]);
    // No group that is said to be spared is the campaign's own.
    let theirs: Vec<&Value> = campaign["accounts"].as_array().expect("a list").iter().map(|m| &m["account"]).collect();
    for group in found["cleared"].as_array().expect("a list") {
        let accounts = group["identity"]["accounts"].as_array().expect("a list");
        let inside = accounts.iter().filter(|account| theirs.contains(account)).count();
        assert!(inside == 0 || inside * 2 < accounts.len(), "{group}");
    }
    let page = read(&page);
    assert!(page.contains("at the prices given") && page.contains("answered: "));
    let bad = folder.file("bad.toml", "currency = \"EUR\"\n[models]\n\"*\" = { input = -3, output = 15 }\n");
    let refused = run(&["hunt", &log, "--prices", &bad]);
    assert!(refused.code == 65 && refused.stderr.contains("bad.toml`:3: "), "{refused:?}");
}

/// What the README shows of a finding is what the demo of this build finds.
#[test]
fn the_sample_in_the_readme_is_of_this_build() {
    let folder = Folder::new("readme");
    let (traffic, found) = (folder.path("demo"), folder.path("found.jsonl"));
    assert_eq!(run(&["demo", "--out", &traffic]).code, 0);
    assert_eq!(run(&["hunt", &traffic, "--campaigns-out", &found]).code, 10);
    let actual = parsed(read(&found).lines().next().expect("a campaign"));
    let readme = read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"));
    let block = readme.split("## What a finding looks like").nth(1).and_then(|rest| rest.split("```").nth(1));
    let shown = parsed(block.and_then(|block| block.strip_prefix("json")).expect("a sample"));
    for (key, value) in shown.as_object().expect("an object") {
        match value.as_array().filter(|_| key != "capabilities") {
            // Cut short: each item that is shown is there.
            Some(items) => {
                let all = actual[key].as_array().expect("a list");
                assert!(items.iter().all(|item| all.contains(item)), "`{key}` of the sample, and {all:?}");
            }
            None => assert_eq!(value, &actual[key], "`{key}` of the sample"),
        }
    }
    let accounts = actual["accounts"].as_array().expect("accounts").iter();
    let members = accounts.filter(|account| account["probability"].as_f64() >= Some(0.5)).count();
    assert!(readme.contains(&format!("one campaign of {members} accounts")), "{members} accounts");
}

#[test]
fn simulated_traffic_is_not_written_over_unasked() {
    let folder = Folder::new("over");
    let out = folder.path("traffic");
    let simulate = |more: &[&str]| run(&[&["simulate", "--scale", "0.05", "--out", &out], more].concat()).code;
    assert_eq!((simulate(&[]), simulate(&[]), simulate(&["--overwrite"])), (0, 2, 0));
}

#[cfg(unix)]
#[test]
fn a_pipe_can_be_named() {
    let folder = Folder::new("fifo");
    let pipe = folder.path("log.pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, THREE_RECORDS).expect("somebody reads it")
    });
    let hunted = run(&["hunt", &pipe, "--json"]);
    writer.join().expect("it was written");
    assert_eq!((hunted.code, &hunted.json()["read"]["exchanges"]), (0, &json!(3)), "{hunted:?}");
}

#[test]
fn an_inspection_says_what_is_there_and_fails_where_nothing_is() {
    let folder = Folder::new("inspect");
    let log = folder.file("log.jsonl", THREE_RECORDS);
    let seen = run(&["inspect", &log, "--json"]);
    let document = seen.json();
    assert_eq!((seen.code, &document["read"]["exchanges"], &document["accounts"]), (0, &json!(3), &json!(1)));
    assert!(document["read"]["warnings"][0].as_str().is_some_and(|text| text.contains("one account")), "{document}");
    assert!(document["blind"].as_array().is_some_and(|blind| !blind.is_empty()), "{document}");
    let secret = folder
        .file("secret.jsonl", r#"{"time":1780000000,"account":"a","key":"my-own-secret","request":{"messages":"hi"}}"#);
    let seen = run(&["inspect", &secret]);
    assert!(seen.code == 0 && !seen.stdout.contains("my-own-secret"), "{}", seen.stdout);
    let facts = folder.file("facts.jsonl", r#"{"colour":"green"}"#);
    let seen = run(&["inspect", &log, &facts]);
    assert!(seen.code == 65 && seen.stderr.contains(&facts), "{seen:?}");
    // In a folder, what is empty or no log costs nothing as long as something is read.
    folder.file("some/log.jsonl", THREE_RECORDS);
    folder.file("some/empty.jsonl", "");
    folder.file("some/other.jsonl", r#"{"colour":"green"}"#);
    assert_eq!(run(&["inspect", &folder.path("some")]).code, 0);
    assert!(run(&["inspect", "--formats"]).stdout.contains("openinference"));
}

#[test]
fn who_is_the_account_can_be_chosen() {
    let folder = Folder::new("who");
    let record = |n: u64, user: &str| {
        format!(
            "{{\"time\":{},\"account\":\"front-end\",\"request\":{{\"metadata\":{{\"person\":\"{user}\"}}}}}}\n",
            1_780_000_000 + n
        )
    };
    let log = folder.file("log.jsonl", (0..9).map(|n| record(n, &format!("p{}", n % 3))).collect::<String>());
    let accounts = |args: &[&str]| run(&[&["inspect", &log, "--json"], args].concat()).json()["accounts"].clone();
    assert_eq!(accounts(&[]), json!(1));
    assert_eq!(accounts(&["--account", "nowhere,request.metadata.person"]), json!(3));
}

#[cfg(unix)]
#[test]
fn names_of_files_cannot_reach_the_terminal() {
    let folder = Folder::new("names");
    folder.file("log.jsonl", THREE_RECORDS);
    // A link that leads nowhere can be read by nobody, not even by root.
    let link = folder.path("\u{1b}[2J\r\u{202e}.jsonl");
    std::os::unix::fs::symlink("nowhere", &link).expect("a link");
    let hunted = run(&["hunt", &link]);
    assert_eq!(hunted.code, 65, "{hunted:?}");
    hunted.is_plain("an error");
    // In a folder it costs nothing but itself.
    let hunted = run(&["hunt", &folder.path("")]);
    assert!(hunted.code == 0 && hunted.stderr.contains("passed over: "), "{hunted:?}");
    hunted.is_plain("a file that was passed over");
}

// Campaigns for other tools.

/// A line of `--campaigns-out`: exactly these fields in exactly this order, or it is not written back as it was.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    campaign: String,
    detected_at: String,
    first_seen: String,
    last_seen: String,
    exchanges: u64,
    accounts: Vec<Account>,
    capabilities: Vec<String>,
    evidence: Vec<Evidence>,
    log10_e: Box<RawValue>,
    operator: String,
    frozen_at: String,
    identity: Identity,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    infrastructure: bool,
    template: String,
    accounts: Vec<String>,
    payers: String,
    habits: Option<Box<RawValue>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Account {
    account: String,
    probability: Box<RawValue>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Evidence {
    family: String,
    log10_e: Box<RawValue>,
    text: String,
}

#[test]
fn campaigns_are_written_with_the_fields_of_the_format() {
    let folder = Folder::new("campaigns");
    let (out, found) = (folder.path("traffic"), folder.path("found.jsonl"));
    assert_eq!(run(&["simulate", "mixed", "--seed", "4", "--out", &out]).code, 0);
    let hunted = run(&["hunt", &out, "--json", "--campaigns-out", &found]);
    assert_eq!(hunted.code, 10, "{}", hunted.stderr);
    let document = hunted.json();
    let campaigns = document["campaigns"].as_array().unwrap();
    let written = read(&found);
    assert!(campaigns.len() > 1, "one campaign has no order");
    assert_eq!(written.lines().count(), campaigns.len());
    assert!(written.ends_with('\n'));
    let mut surer = f64::INFINITY;
    for (text, campaign) in written.lines().zip(campaigns) {
        let line: Line = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(serde_json::to_string(&line).unwrap(), text, "fields and their order");

        let [detected, first, last, frozen] =
            [&line.detected_at, &line.first_seen, &line.last_seen, &line.frozen_at].map(|time| time.parse().unwrap());
        let _: Time = first;
        assert!(first <= frozen && frozen <= detected && detected <= last, "{text}");
        let members = line.accounts.iter().map(|account| number(&account.probability));
        assert!(members.is_sorted_by(|a, b| a >= b), "surest first: {text}");
        assert!(line.accounts.iter().all(|a| (0.0..=1.0).contains(&number(&a.probability))), "{text}");
        assert!(line.accounts.iter().filter(|a| number(&a.probability) >= 0.5).count() > 1, "{text}");
        let names: BTreeSet<&str> = line.accounts.iter().map(|account| account.account.as_str()).collect();
        assert_eq!(names.len(), line.accounts.len(), "an account is there once: {text}");
        assert!(line.exchanges > 0 && !line.capabilities.is_empty() && !line.operator.is_empty(), "{text}");
        assert!(!line.evidence.is_empty() && line.evidence.iter().all(|e| e.text.ends_with('.')), "{text}");
        assert!(line.evidence.iter().all(|e| FAMILIES.contains(&e.family.as_str())), "{text}");
        assert!(line.evidence.iter().all(|e| number(&e.log10_e).is_finite()), "{text}");
        assert!(number(&line.log10_e) > 2.0 && number(&line.log10_e) <= surer, "surest first: {text}");
        surer = number(&line.log10_e);

        // What `--json` says of the same campaign.
        let line = parsed(text);
        assert_eq!(line["campaign"], campaign["id"]);
        for field in ["detected_at", "first_seen", "last_seen", "exchanges", "capabilities", "log10_e", "operator"] {
            assert_eq!(line[field], campaign[field], "{field}");
        }
        assert_eq!((&line["frozen_at"], &line["identity"]), (&campaign["frozen_at"], &campaign["identity"]));
        for (list, fields) in
            [("accounts", &["account", "probability"][..]), ("evidence", &["family", "log10_e", "text"])]
        {
            let (ours, theirs) = (line[list].as_array().unwrap(), campaign[list].as_array().unwrap());
            assert_eq!(ours.len(), theirs.len(), "{list}");
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert!(fields.iter().all(|field| ours[field] == theirs[field]), "{ours} {theirs}");
            }
        }
    }
}

#[test]
fn no_campaign_is_an_empty_file() {
    let folder = Folder::new("no-campaign");
    let log = folder.file("log.jsonl", THREE_RECORDS);
    let found = folder.file("found.txt", "from an earlier run\n");
    assert_eq!(run(&["hunt", &log, "--campaigns-out", &found]).code, 0);
    assert_eq!(read(&found), "");
}

#[test]
fn what_was_written_can_be_scored() {
    let folder = Folder::new("scored");
    let log = hydra().write_to(&folder);
    folder.file("log/labels.jsonl", &hydra().labels);
    let found = folder.path("found.jsonl");
    assert_eq!(run(&["hunt", &log, "--campaigns-out", &found]).code, 10);
    let (written, hunted) =
        (run(&["evaluate", &log, "--campaigns", &found, "--json"]), run(&["evaluate", &log, "--json"]));
    assert_eq!(written.json()["found"], 1, "{}", written.stdout);
    assert_eq!(written.stdout, hunted.stdout);
}

#[test]
fn a_world_hunted_without_each_family_of_fields_is_judged_as_its_own_log_would_be() {
    let worlds = ["evaluate", "--worlds=template", "--scale", "0.3", "--json"];
    let rows = |more: &[&str]| {
        let mut table = run(&[&worlds[..], more].concat()).json();
        let rows = table["rows"].as_array_mut().unwrap();
        rows.iter_mut().for_each(|row| row["seconds"] = Value::Null);
        rows.clone()
    };
    let each = rows(&["--each-without"]);
    assert_eq!(each.len(), 12);
    assert_eq!(each[0], rows(&[])[0], "with every field");
    assert!(each[0]["correct"].as_u64() > Some(10), "{}", each[0]);
    for family in ["network", "answers", "usage", "facts", "time_of_day"] {
        let own = rows(&["--set", &format!("without={family}")]);
        let mut without = each.iter().find(|row| row["without"] == family).unwrap().clone();
        without["without"] = Value::Null;
        assert_eq!(without, own[0], "{family}");
    }
}

/// Whether a hunt that wrote the exchanges `told` says the same of them everywhere: how many, whose and since when.
fn are_the_numbers_of(told: &[Value], log: &str, folder: &Folder) {
    let (again, page, csv) = (folder.path("again.jsonl"), folder.path("page.html"), folder.path("accounts.csv"));
    let hunted =
        run(&["hunt", log, "--json", "--exchanges-out", &again, "--report", &page, "--accounts-out", &csv]).json();
    for campaign in hunted.pointer("/campaigns").and_then(Value::as_array).into_iter().flatten() {
        let own: Vec<&Value> = told.iter().filter(|line| line["campaign"] == campaign["id"]).collect();
        assert_eq!(campaign["exchanges"], own.len());
        let mut times: Vec<&str> = own.iter().filter_map(|line| line["time"].as_str()).collect();
        times.sort_unstable();
        let ends = [times.first().copied(), times.last().copied()];
        assert_eq!([campaign["first_seen"].as_str(), campaign["last_seen"].as_str()], ends, "only its own dates");
        for member in campaign["accounts"].as_array().expect("accounts") {
            let of = own.iter().filter(|line| line["account"] == member["account"]).count();
            let sure = member["probability"].as_f64().is_some_and(|probability| probability >= 0.5);
            assert!(!sure || member["exchanges"] == of, "{member}: {of}");
        }
        let bins = campaign.pointer("/portrait/timeline").and_then(Value::as_array);
        assert_eq!(bins.into_iter().flatten().filter_map(|bin| bin["group"].as_u64()).sum::<u64>(), own.len() as u64);
        let shares: f64 =
            campaign["models"].as_array().expect("models").iter().filter_map(|m| m["share"].as_f64()).sum();
        assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    }
    let page = read(&page);
    let exchanges = told.len().to_string();
    let grouped = match exchanges.len() {
        ..=3 => exchanges,
        length => format!("{},{}", &exchanges[..length - 3], &exchanges[length - 3..]),
    };
    assert!(page.contains(&format!("<dt>exchanges</dt><dd>{grouped}</dd>")), "{grouped}");
    assert!(page.contains("each counted for one campaign"), "how they were counted is told");
}

#[test]
fn the_exchanges_of_a_campaign_are_told_from_cover() {
    let folder = Folder::new("exchanges");
    let (log, told) = (folder.path("traffic"), folder.path("told.jsonl"));
    let knobs = ["--set", "days=2", "--set", "honest=200", "--set", "accounts=80", "--set", "cover=0.5"];
    assert_eq!(run(&[&["simulate", "hydra", "--out", &log], &knobs[..]].concat()).code, 0);
    assert_eq!(run(&["hunt", &log, "--exchanges-out", &told]).code, 10);
    let labels: BTreeSet<String> = read(&format!("{log}/labels.jsonl"))
        .lines()
        .map(parsed)
        .filter(|label| label["campaign"].is_string())
        .filter_map(|label| label["exchange"].as_str().map(str::to_owned))
        .collect();
    let told: Vec<Value> = read(&told).lines().map(parsed).collect();
    are_the_numbers_of(&told, &log, &folder);
    let right = told.iter().filter(|line| line["exchange"].as_str().is_some_and(|id| labels.contains(id))).count();
    assert!(right * 10 >= told.len() * 9, "{right} of {} told are the campaign's", told.len());
    assert!(right * 10 >= labels.len() * 8, "{right} of {} are told", labels.len());
    let scored = run(&["evaluate", &log, "--json"]).json();
    assert_eq!(scored["exchanges"]["labelled"], labels.len(), "{}", scored["exchanges"]);
    assert_eq!(scored["exchanges"]["correct"], right, "{}", scored["exchanges"]);
    let piped = run_on(&["hunt", "-", "--exchanges-out", &folder.path("out")], b"");
    assert_eq!(piped.code, 2, "{piped:?}");
}

#[test]
fn a_log_that_comes_in_parts_is_hunted_as_one() {
    let folder = Folder::new("state");
    let lines: Vec<&str> = hydra().exchanges.lines().collect();
    let (accounts, state) = (folder.file("accounts.jsonl", &hydra().accounts), folder.path("state"));
    let mut last = Value::Null;
    for (number, part) in lines.chunks(lines.len().div_ceil(3)).enumerate() {
        let part = folder.file(&format!("part{number}.jsonl"), part.join("\n"));
        let ran = run(&["hunt", &part, "--accounts", &accounts, "--state", &state, "--json"]);
        assert!(ran.code == 0 || ran.code == 10, "{}", ran.stderr);
        last = ran.json();
    }
    let whole = parsed(hydra().findings());
    for what in ["campaigns", "cleared", "population", "guarantee"] {
        assert!(last[what] == whole[what], "`{what}` of the parts and of the whole differ");
    }
    let log = folder.file("again.jsonl", lines[lines.len() - 50..].join("\n"));
    let again = run(&["hunt", &log, "--state", &state, "--json"]).json();
    assert_eq!(again["campaigns"][0]["id"], whole["campaigns"][0]["id"]);
    assert_eq!(again["population"]["late"], 49, "all but the last of them are older than what was seen");
    let (odd, before) = (folder.file("odd", "{}"), std::fs::read(&state).expect("a state"));
    let refused = run(&["hunt", &log, "--state", &odd]);
    assert!(refused.code == 65 && refused.stderr.contains("odd`: this is no snapshot of Stillwatch"), "{refused:?}");
    let unread = folder.file("unread.jsonl", "{}");
    assert_eq!(run(&["hunt", &unread, "--state", &state]).code, 65);
    assert!(std::fs::read(&state).expect("a state") == before, "what cannot be read changes no state");
}

#[test]
fn a_hunt_within_a_span_is_one_over_what_was_sent_within_it() {
    let folder = Folder::new("span");
    let log = hydra().write_to(&folder);
    let time = |line: &str| parsed(line)["time"].as_str().map(str::to_owned).expect("a time");
    let mut times: Vec<String> = hydra().exchanges.lines().map(time).collect();
    times.sort();
    let (from, until) = (times[times.len() / 8].clone(), times[times.len() * 7 / 8].clone());
    let within: Vec<&str> =
        hydra().exchanges.lines().filter(|line| (from.clone()..until.clone()).contains(&time(line))).collect();
    let (part, accounts) =
        (folder.file("part.jsonl", within.join("\n")), folder.file("facts.jsonl", &hydra().accounts));
    let alone = run(&["hunt", &part, "--accounts", &accounts, "--json"]).json();
    let span = run(&["hunt", &log, "--from", &from, "--until", &until, "--json"]).json();
    assert!(span["population"]["exchanges"] == json!(within.len()) && !members(&span).is_empty());
    for what in ["campaigns", "cleared", "population", "guarantee"] {
        assert!(span[what] == alone[what], "`{what}` of the span and of the part differ");
    }
    let wrong = run(&["hunt", &log, "--from", &until, "--until", &from]);
    assert_eq!((wrong.code, wrong.stderr.contains("--from has to be before --until")), (2, true), "{wrong:?}");
}

#[test]
fn without_texts_the_same_accounts_are_found() {
    let folder = Folder::new("sealed");
    let log = hydra().write_to(&folder);
    let (key, sealed) = (folder.file("key", "0123456789abcdef0123456789ABCDEF\n"), folder.path("sealed.jsonl"));
    let ran = run(&["fingerprint", &log, "--key-file", &key, "--out", &sealed]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.is_plain("fingerprint");
    let written = read(&sealed);
    assert_eq!(written.lines().count(), hydra().exchanges.lines().count());
    for line in written.lines().take(50) {
        let record = parsed(line);
        assert!(record["request"]["messages"] == json!([]) && record.get("response").is_none(), "{line}");
    }
    let accounts = folder.path("log/accounts.jsonl");
    let hunted = run(&["hunt", &sealed, "--accounts", &accounts, "--json"]);
    assert_eq!(hunted.code, 10, "{}", hunted.stderr);
    let document = hunted.json();
    assert_eq!(members(&document), members(&parsed(hydra().findings())));
    assert!(document["blind_spots"].to_string().contains("fingerprints instead of texts"), "{document}");
    let short = folder.file("short", "0123");
    let refused = run(&["fingerprint", &log, "--key-file", &short, "--out", &sealed]);
    assert_eq!(refused.code, 65);
    assert!(refused.stderr.contains("32 hexadecimal digits") && !refused.stderr.contains("0123"), "{}", refused.stderr);
}

#[test]
fn findings_are_what_their_schema_says() {
    let ran = run(&["hunt", "--schema"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let (schema, mut findings) = (ran.json(), parsed(hydra().findings()));
    let beside = findings.as_object_mut().and_then(|document| document.remove("read"));
    assert!(beside.is_some(), "what was read is told beside the findings");
    conforms(&schema, &schema, &findings, "findings");
    assert_eq!(run(&["hunt", "--schema", "logs"]).code, 2);
}

/// Whether a value has the type that a schema says, no field beyond it and all that it requires.
fn conforms(root: &Value, schema: &Value, value: &Value, path: &str) {
    if let Some(at) = schema.get("$ref").and_then(Value::as_str) {
        let place = at.strip_prefix('#').expect("a place in the schema");
        return conforms(root, root.pointer(place).expect("a definition"), value, path);
    }
    if let Some(either) = ["anyOf", "oneOf"].into_iter().find_map(|word| schema.get(word)?.as_array()) {
        let fits = |one: &&Value| match one.get("type").and_then(Value::as_str) {
            Some("null") => value.is_null(),
            Some("object") => {
                let required = one.get("required").and_then(Value::as_array);
                required.is_some_and(|all| all.iter().all(|field| value.get(field.as_str().unwrap_or("")).is_some()))
            }
            _ => {
                let some = one.get("enum").is_some() || one.get("$ref").is_some();
                one.get("const") == Some(value) || some && !value.is_null()
            }
        };
        let one = either.iter().find(fits).unwrap_or_else(|| panic!("{path}: {value} is none of {either:?}"));
        return conforms(root, one, value, path);
    }
    if let Some(all) = schema.get("enum").and_then(Value::as_array) {
        assert!(all.contains(value), "{path}: {value}");
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(some)) => some.iter().filter_map(Value::as_str).collect(),
        _ => vec![kind],
    };
    assert!(types.contains(&kind) || kind == "integer" && types.contains(&"number"), "{path}: {kind} of {types:?}");
    for (field, inner) in value.as_object().into_iter().flatten() {
        let known = schema.get("properties").and_then(|fields| fields.get(field));
        conforms(root, known.unwrap_or_else(|| panic!("{path}.{field} is unknown")), inner, &format!("{path}.{field}"));
    }
    for field in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        assert!(value.get(field).is_some(), "{path}.{field} is missing");
    }
    for inner in value.as_array().into_iter().flatten() {
        conforms(root, schema.get("items").expect("a schema of items"), inner, &format!("{path}[]"));
    }
}

#[test]
fn compact_events_are_hunted_like_the_records_that_they_are_of() {
    let folder = Folder::new("compact");
    let log = hydra().write_to(&folder);
    let lines: Vec<&str> = hydra().exchanges.lines().collect();
    // Every other record in a file of its own: files are merged by time.
    let part = |name: &str, odd: usize| {
        folder.file(name, lines.iter().skip(odd).step_by(2).fold(String::new(), |text, line| text + line + "\n"))
    };
    let (even, odd) = (part("even.jsonl", 0), part("odd.jsonl", 1));
    let keys = [folder.file("key", "0123456789abcdef0123456789abcdef"), folder.file("other", "ff".repeat(16))];
    let compact = |log: &str, key: &str, name: &str| {
        let out = folder.path(name);
        let ran = run(&["fingerprint", log, "--key-file", key, "--out", &out, "--compact"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        out
    };
    let (a, b) = (compact(&even, &keys[0], "a.events"), compact(&odd, &keys[0], "b.events"));
    let other = compact(&odd, &keys[1], "other.events");
    let accounts = folder.path("log/accounts.jsonl");
    let (state, sent) = (folder.path("state"), folder.path("sent.jsonl"));
    let hunted = run(&["hunt", &a, &b, "--accounts", &accounts, "--json", "--state", &state, "--exchanges-out", &sent]);
    assert_eq!(hunted.code, 10, "{}", hunted.stderr);
    let (document, plain) = (hunted.json(), parsed(hydra().findings()));
    assert_eq!(members(&document), members(&plain));
    assert_eq!(document["population"], plain["population"], "none is lost, and none is late");
    // Unlike records without text they say which words vary.
    assert_eq!(families(&document), families(&plain));
    assert!(read(&sent).lines().count() as u64 >= document["campaigns"][0]["exchanges"].as_u64().expect("a number"));
    // What cannot be compared is refused.
    let refused = |args: &[&str], code: i32, why: &str| {
        let ran = run(args);
        assert!(ran.code == code && ran.stderr.contains(why), "{ran:?}");
    };
    refused(&["hunt", &a, &other], 65, "cannot be compared");
    refused(&["hunt", &other, "--state", &state], 65, "what the file named by --state remembers");
    refused(&["hunt", &a, &log], 65, "holds compact events");
    refused(&["inspect", &a], 65, "holds compact events");
    let mut bytes = std::fs::read(&a).expect("events");
    bytes.truncate(bytes.len() - 7);
    let cut = folder.file("cut.events", &bytes);
    let ran = run(&["hunt", &cut, "--accounts", &accounts, "--json"]);
    assert!(ran.code == 10 && ran.stderr.contains("cut.events` was read up to its event"), "{}", ran.stderr);
    let head = folder.file("head.events", &bytes[..25]);
    refused(&["hunt", &head], 65, "it ends within its head");
    bytes[18] = 9;
    let newer = folder.file("newer.events", &bytes);
    refused(&["hunt", &newer], 65, "version 9 of the form");
}

/// The signs of the first campaign.
fn families(document: &Value) -> Vec<&str> {
    let evidence = document.pointer("/campaigns/0/evidence").and_then(Value::as_array).expect("evidence");
    evidence.iter().filter_map(|piece| piece.get("family")?.as_str()).collect()
}

#[test]
fn the_report_says_who_since_when_and_why() {
    let folder = Folder::new("report");
    let log = hydra().write_to(&folder);
    let page = folder.path("page.html");
    assert_eq!(run(&["hunt", &log, "--report", &page]).code, 10);
    let page = read(&page);
    for part in ["1 campaign was found", "Why: the evidence", "The template", "What was not observed", "<svg"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn help_teaches() {
    assert!(run(&["hunt", "--help"]).stdout.contains("Examples"));
    let list = run(&["simulate", "list"]).stdout;
    assert!(list.contains("own-infrastructure") && list.contains("requests"), "{list}");
}

// Streams that end too early.

#[test]
fn what_comes_before_the_end_of_a_truncated_stream_is_hunted() {
    let folder = Folder::new("truncated");
    let traffic = hydra();
    let plain = traffic.exchanges.as_bytes();
    let accounts = folder.file("facts/accounts.jsonl", &traffic.accounts);
    let zst = zstd::encode_all(plain, 3).expect("memory takes it");
    for (name, bytes) in [("log.jsonl.gz", gzip(plain)), ("log.jsonl.zst", zst)] {
        let cut = folder.file(name, &bytes[..bytes.len() / 20 * 19]);
        let hunted = run(&["hunt", &cut, "--accounts", &accounts, "--json"]);
        assert_eq!(hunted.code, 10, "{name}: {}", hunted.stderr);
        let told = format!("incomplete: {cut}: truncated: ");
        assert!(hunted.stderr.lines().any(|line| line.starts_with(&told)), "{name}: {}", hunted.stderr);
        let document = hunted.json();
        assert!(document["read"]["incomplete"].to_string().contains(name), "{}", document["read"]);
        // At most the line that was cut off is broken.
        assert!(document["read"]["bad_lines"].as_u64().is_some_and(|bad| bad <= 1), "{}", document["read"]);

        // The same as of a log that ends there.
        let lines = usize::try_from(document["read"]["exchanges"].as_u64().unwrap()).unwrap();
        let all = traffic.exchanges.lines().count();
        assert!(lines > all / 10 * 8 && lines < all, "{name}: {lines} of {all}");
        let whole = folder.file("whole.jsonl", unpacked(name, &bytes[..bytes.len() / 20 * 19]));
        let whole = run(&["hunt", &whole, "--accounts", &accounts, "--json"]).json();
        for part in ["campaigns", "cleared", "population", "blind_spots", "guarantee", "limits_reached"] {
            assert!(document[part] == whole[part], "{name}: {part} differs");
        }
    }
}

// What the tests above are made of.

/// Traffic, as text.
pub(crate) struct Traffic {
    pub(crate) exchanges: String,
    pub(crate) accounts: String,
    pub(crate) labels: String,
    findings: OnceLock<String>,
}

/// A campaign that stands out, in two days.
pub(crate) fn hydra() -> &'static Traffic {
    static HYDRA: OnceLock<Traffic> = OnceLock::new();
    HYDRA.get_or_init(|| Traffic::simulated("hydra", &["days=2", "honest=220", "accounts=140", "requests=16"]))
}

/// Honest customers only, in two days.
fn honest() -> &'static Traffic {
    static HONEST: OnceLock<Traffic> = OnceLock::new();
    HONEST.get_or_init(|| Traffic::simulated("honest", &["days=2", "honest=100"]))
}

impl Traffic {
    fn simulated(scenario: &str, knobs: &[&str]) -> Traffic {
        Traffic::seeded(scenario, "1", knobs)
    }

    pub(crate) fn seeded(scenario: &str, seed: &str, knobs: &[&str]) -> Traffic {
        let folder = Folder::new(&format!("simulated-{scenario}-{seed}-{}", knobs.join("-")));
        let out = folder.path("");
        let mut args = vec!["simulate", scenario, "--seed", seed, "--out", &out];
        knobs.iter().for_each(|knob| args.extend(["--set", knob]));
        let simulated = run(&args);
        assert_eq!(simulated.code, 0, "{simulated:?}");
        let [exchanges, accounts, labels] =
            ["exchanges", "accounts", "labels"].map(|name| read(&folder.path(&format!("{name}.jsonl"))));
        Traffic::of(exchanges, accounts, labels)
    }

    pub(crate) fn of(exchanges: String, accounts: String, labels: String) -> Traffic {
        Traffic { exchanges, accounts, labels, findings: OnceLock::new() }
    }

    /// Writes a folder `log` with exchanges and accounts in it, and without labels.
    pub(crate) fn write_to(&self, folder: &Folder) -> String {
        folder.file("log/exchanges.jsonl", &self.exchanges);
        folder.file("log/accounts.jsonl", &self.accounts);
        folder.path("log")
    }

    /// What `--json` prints of it.
    pub(crate) fn findings(&self) -> &str {
        self.findings.get_or_init(|| {
            let folder = Folder::new(&format!("findings-{self:p}"));
            let hunted = run(&["hunt", &self.write_to(&folder), "--json"]);
            assert_eq!((hunted.code, hunted.stderr.as_str()), (10, ""));
            hunted.stdout
        })
    }

    /// The accounts that are labelled as belonging to a campaign.
    pub(crate) fn campaign_accounts(&self) -> BTreeSet<String> {
        let labels = self.labels.lines().map(parsed);
        let theirs = labels.filter(|label| label.get("campaign").is_some_and(Value::is_string));
        theirs.filter_map(|label| label.get("account")?.as_str().map(str::to_owned)).collect()
    }
}

/// A folder of one test, which goes with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("stillwatch-cli-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().expect("a folder for temporary files in UTF-8")
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// How a run ended and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// What it printed, as JSON.
    pub(crate) fn json(&self) -> Value {
        parsed(&self.stdout)
    }

    /// Checks that it printed text only: nothing that moves a cursor, colours, or turns a line around.
    pub(crate) fn is_plain(&self, what: &str) {
        for text in [&self.stdout, &self.stderr] {
            let wrong = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
            assert_eq!(wrong, None, "{what}: {text:?}");
        }
    }
}

/// Runs the program with an empty standard input.
pub(crate) fn run(args: &[&str]) -> Ran {
    run_on(args, b"")
}

/// The same with variables of the environment.
pub(crate) fn run_with(args: &[&str], variables: &[(&str, &str)]) -> Ran {
    run_in(args, b"", variables)
}

/// Runs the program, with pipes to all sides.
fn run_on(args: &[&str], input: &[u8]) -> Ran {
    run_in(args, input, &[])
}

/// The same with variables of the environment.
fn run_in(args: &[&str], input: &[u8], variables: &[(&str, &str)]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stillwatch"))
        .args(args)
        // They ask for colours in a pipe, too.
        .env_remove("CLICOLOR_FORCE")
        .env_remove("FORCE_COLOR")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else { panic!("pipes to all sides") };
    thread::scope(|scope| {
        // Whoever does not read its input ends the pipe, which is no failure of the one who writes.
        scope.spawn(move || stdin.write_all(input).ok());
        let stdout = scope.spawn(move || text_of(stdout));
        let stderr = scope.spawn(move || text_of(stderr));
        let mut waits = 0;
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            waits += 1;
            if waits > WAITS_MAX {
                child.kill().expect("a child");
                panic!("{args:?} does not end");
            }
            thread::sleep(WAIT);
        };
        let code = status.code().unwrap_or_else(|| panic!("{args:?} was ended by a signal: {status}"));
        Ran { code, stdout: stdout.join().expect("text"), stderr: stderr.join().expect("text") }
    })
}

fn text_of(mut pipe: impl Read) -> String {
    let mut text = String::new();
    pipe.read_to_string(&mut text).expect("UTF-8");
    text
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn number(json: &RawValue) -> f64 {
    json.get().parse().unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// The accounts that are reported as members.
pub(crate) fn members(document: &Value) -> BTreeSet<String> {
    let campaigns = document.get("campaigns").and_then(Value::as_array).into_iter().flatten();
    let accounts = campaigns.filter_map(|campaign| campaign.get("accounts")?.as_array()).flatten();
    let members =
        accounts.filter(|account| account.get("probability").and_then(Value::as_f64).is_some_and(|p| p >= 0.5));
    members.filter_map(|account| account.get("account")?.as_str().map(str::to_owned)).collect()
}

/// The records of a log as `change` leaves them, without those it is false for.
pub(crate) fn rewritten(log: &str, mut change: impl FnMut(&mut Value) -> bool) -> String {
    let mut text = String::new();
    for line in log.lines() {
        let mut record = parsed(line);
        if change(&mut record) {
            text.push_str(&record.to_string());
            text.push('\n');
        }
    }
    text
}

/// Where the text after so many lines begins.
fn after_line(text: &str, lines: usize) -> usize {
    text.split_inclusive('\n').take(lines).map(str::len).sum()
}

/// What comes before the end of a truncated stream.
fn unpacked(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut reader: Box<dyn Read> = match name.ends_with("gz") {
        true => Box::new(flate2::read::GzDecoder::new(bytes)),
        false => Box::new(zstd::Decoder::new(bytes).expect("a stream")),
    };
    let (mut all, mut byte) = (Vec::new(), [0; 1]);
    while matches!(reader.read(&mut byte), Ok(1)) {
        all.push(byte[0]);
    }
    all
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Three exchanges of one account.
const THREE_RECORDS: &str = r#"{"time":"2026-07-20T12:00:00Z","account":"a","request":{"messages":[{"role":"user","content":"Hello"}]}}
{"time":"2026-07-20T12:01:00Z","account":"a","request":{"messages":[{"role":"user","content":"What is a hydra?"}]}}
{"time":"2026-07-20T12:02:00Z","account":"a","request":{"messages":[{"role":"user","content":"Thank you"}]}}
"#;
/// The families of evidence, as they are written.
const FAMILIES: [&str; 13] = [
    "template",
    "evenness",
    "work_queue",
    "sign_up",
    "infrastructure",
    "rhythm",
    "content",
    "hours",
    "intent",
    "silence",
    "takeover",
    "pivot",
    "reply",
];
/// How long to wait before looking again whether a run has ended.
const WAIT: Duration = Duration::from_millis(10);
/// Waits after which a run hangs: two minutes, for the slowest of machines.
const WAITS_MAX: u32 = 12_000;
