//! What a gateway puts down, as whoever keeps it and whoever checks it see it.

#![expect(clippy::indexing_slicing, reason = "what is read here was written here")]

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::cli::{Folder, run};
use crate::clock::Clock;
use crate::up::{Gateway, within};
use crate::witness::Witness;

/// The last entries: kind, actor, subject and reason.
fn tail(data: &str) -> Vec<[String; 4]> {
    let output = run(&["ledger", "tail", "--data", data, "--json", "-n", "1000"]);
    assert_eq!(output.code, 0, "{output:?}");
    let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |entry: &Value| {
        let said = &entry["statement"];
        [text(&entry["kind"]), text(&said["actor"]), text(&said["subject"]), text(&said["reason"])]
    };
    json["entries"].as_array().expect("entries").iter().map(of).collect()
}

fn key(data: &str) -> String {
    run(&["ledger", "key", "--data", data]).stdout.trim().to_owned()
}

#[test]
fn what_people_do_is_put_down_and_a_receipt_of_it_is_checked_without_the_ledger() {
    let gateway = Gateway::start_in(Folder::new("ledger-receipt"), &[]);
    let data = gateway.data();
    gateway.manage(&["account", "add", "--id", "acc_1"]);
    let taken = gateway.manage(&[
        "response",
        "apply",
        "--account",
        "acc_1",
        "--rung",
        "shield",
        "--reason",
        "odd requests",
        "--by",
        "ann",
    ]);
    let response = taken["id"].as_str().expect("an id");
    gateway.manage(&["response", "undo", response, "--by", "bob", "--reason", "a class"]);
    let subject = format!("response:{response}");
    let expected = [
        ["start", "stillwatch", "configuration", ""],
        ["account", "admin", "account:acc_1", ""],
        ["response", "person:ann", &subject, "odd requests"],
        ["response", "person:bob", &subject, "a class"],
    ];
    let all_there = || {
        let told = tail(&data);
        expected.iter().all(|entry| told.iter().any(|told| told == entry))
    };
    assert!(within(Duration::from_secs(10), all_there), "{:?}", tail(&data));
    gateway.signal("-HUP");
    assert!(within(Duration::from_secs(10), || tail(&data).iter().any(|[kind, ..]| kind == "reload")));
    let index = tail(&data).iter().position(|[_, actor, ..]| actor == "person:ann").expect("an entry").to_string();
    let (code, folder) = gateway.end("-TERM");
    assert_eq!((code, tail(&data).pop().map(|[kind, ..]| kind).as_deref()), (Some(0), Some("end")));

    let (receipt, closed) = (folder.path("receipt"), folder.path("closed"));
    for (path, more) in [(&receipt, &[][..]), (&closed, &["--closed"])] {
        let output = run(&[&["ledger", "prove", &index, "--out", path, "--data", &data], more].concat());
        assert_eq!(output.code, 0, "{output:?}");
    }
    let key = key(&data);
    // Whoever checks it has nothing but the file and the key.
    std::fs::remove_dir_all(&data).expect("removed");
    let shown = run(&["verify", &receipt, "--key", &key]);
    assert!(shown.code == 0 && shown.stdout.contains("why     odd requests"), "{shown:?}");
    let shown = run(&["verify", &closed, "--key", &key]);
    assert!(shown.code == 0 && !shown.stdout.contains("odd requests"), "{shown:?}");
    let text = std::fs::read_to_string(&receipt).expect("a receipt");
    let changed = folder.file("changed", text.replacen("index ", "index 1", 1));
    let refused = run(&["verify", &changed, "--key", &key]);
    assert!(refused.code == 65 && refused.stderr.contains("does not show that this entry is number 1"), "{refused:?}");
    let other = "stillwatch/other+38b917ff+Aad6K4nz3LYKZTT2m6CknTcJipwoaa+OskUcpttuSeVS";
    assert_eq!(run(&["verify", &receipt, "--key", other]).code, 2, "no key");
    assert_eq!(run(&["verify", &receipt]).code, 2, "no key is named");
}

#[test]
fn a_ledger_that_was_changed_is_told_with_the_place() {
    let gateway = Gateway::start_in(Folder::new("ledger-changed"), &[]);
    let data = gateway.data();
    for n in 0..3 {
        gateway.manage(&["account", "add", "--id", &format!("acc_{n}")]);
    }
    let (code, _folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    let key = key(&data);
    let whole = run(&["verify", &data, "--key", &key, "--json"]);
    let shown: Value = serde_json::from_str(&whole.stdout).expect("JSON");
    assert_eq!((whole.code, &shown["entries"], &shown["statements"]), (0, &5.into(), &5.into()), "{whole:?}");
    let own = run(&["verify", &data]);
    assert!(own.code == 0 && own.stdout.contains("not whose it is"), "{own:?}");
    let ledger = PathBuf::from(&data).join("ledger");
    let change = |file: &str, from: &str, to: &str, told: &str| {
        let path = ledger.join(file);
        let right = std::fs::read(&path).expect("a file");
        let place = right.windows(from.len()).position(|part| part == from.as_bytes()).expect("what is changed");
        let (before, after) = (&right[..place], &right[place + from.len()..]);
        std::fs::write(&path, [before, to.as_bytes(), after].concat()).expect("written");
        let refused = run(&["verify", &data, "--key", &key]);
        assert!(refused.code == 65 && refused.stderr.contains(told), "{refused:?}");
        std::fs::write(&path, right).expect("written");
    };
    change(
        "statements/000000/000.jsonl",
        "account:acc_1",
        "account:acc_7",
        "entry 2, in statements/000000/000.jsonl: the statement is not the one",
    );
    change("log/tile/entries/000.p/5", "\"account\"", "\"akkount\"", "entry 1, in tile/entries/000.p/5");
    change("log/checkpoint", "\n5\n", "\n4\n", "the signature of");
    assert_eq!(run(&["verify", &data, "--key", &key]).code, 0);
}

#[test]
fn what_was_changed_before_a_crash_is_put_down_after_it() {
    let mut gateway = Gateway::start_in(Folder::new("ledger-crash"), &[]);
    let data = gateway.data();
    for round in 0..3 {
        let ids: Vec<String> = (0..5).map(|n| format!("acc_{round}_{n}")).collect();
        for id in &ids {
            gateway.manage(&["account", "add", "--id", id]);
        }
        let (_, folder) = gateway.end("-KILL");
        gateway = Gateway::start_in(folder, &[]);
        let is_down = || {
            let told = tail(&data);
            ids.iter().all(|id| told.iter().any(|[_, _, subject, _]| *subject == format!("account:{id}")))
        };
        assert!(within(Duration::from_secs(10), is_down), "{:?}", tail(&data));
    }
    let (code, folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    assert_eq!(run(&["verify", &data, "--key", &key(&data)]).code, 0);
    // An older copy of the ledger alone is not gone on from, and one without its checkpoint or its folder is not begun anew.
    let (ledger, older) = (PathBuf::from(&data).join("ledger"), PathBuf::from(&data).join("older"));
    let refused = |told: &str| {
        let refused = run(&["up", "--data", &data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        assert!(refused.code == 65 && refused.stderr.contains(told), "{refused:?}");
    };
    copy(&ledger, &older);
    let (code, folder) = Gateway::start_in(folder, &[]).end("-TERM");
    assert_eq!(code, Some(0));
    let newer = PathBuf::from(&data).join("newer");
    std::fs::rename(&ledger, &newer).expect("moved");
    refused("is missing, which is signed with");
    std::fs::rename(&older, &ledger).expect("moved");
    refused("does not go on from that of");
    std::fs::remove_dir_all(&ledger).expect("removed");
    std::fs::rename(&newer, &ledger).expect("moved");
    std::fs::rename(ledger.join("log/checkpoint"), ledger.join("kept")).expect("moved");
    refused("the checkpoint is missing, and there are entries");
    std::fs::rename(ledger.join("kept"), ledger.join("log/checkpoint")).expect("moved");
    // Without its key nothing is put down, and nobody is served.
    std::fs::remove_file(PathBuf::from(&data).join("ledger-key")).expect("removed");
    let refused = run(&["up", "--data", &data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    assert!(refused.code == 65 && refused.stderr.contains("ledger-key"), "{refused:?}");
    let off = folder.file("off.toml", "[ledger]\nenabled = false\n");
    let gateway = Gateway::start_in(folder, &["--config", &off]);
    gateway.manage(&["account", "add", "--id", "acc_off"]);
    assert_eq!(gateway.end("-TERM").0, Some(0));
}

#[test]
fn a_verdict_is_put_down_when_it_was_and_a_clock_that_ran_ahead_is_told() {
    let gateway = Gateway::start_in(Folder::new("ledger-time"), &["--drill-begins", "2100-01-01T00:00:00Z"]);
    let data = gateway.data();
    let (code, folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    let finding = r#"{"id":"cmp_1","identity":{"infrastructure":true,"template":"0123456789abcdef","accounts":["a1"],"payers":"","habits":null}}"#;
    let finding = folder.file("finding.json", finding);
    let gateway = Gateway::start_in(folder, &[]);
    let log = std::fs::read_to_string(gateway.log()).expect("a log");
    assert!(log.contains("the last entry of the ledger says 2100-01-01T") && log.contains("later than it is"), "{log}");
    let said = ["label", "add", "cmp_1", "--verdict", "benign", "--by", "ann", "--reason", "a class"];
    let at = ["--at", "2200-01-01T00:00:00Z", "--from", &finding, "--data", &data];
    let labelled = run(&[&said[..], &at].concat());
    assert_eq!(labelled.code, 0, "{labelled:?}");
    let output = run(&["ledger", "tail", "--data", &data, "--json", "-n", "1"]);
    let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let entry = &json["entries"][0];
    assert!(entry["at"].as_str().is_some_and(|at| at.starts_with("2100-01-01T")), "{entry}");
    assert_eq!((&entry["kind"], &entry["statement"]["actor"]), (&"verdict".into(), &"person:ann".into()));
    assert_eq!(entry["statement"]["detail"]["said_at"], "2200-01-01T00:00:00Z");
    assert_eq!(gateway.end("-TERM").0, Some(0));
}

#[test]
fn a_witness_signs_what_goes_on_and_tells_a_ledger_that_was_put_back() {
    let gateway = Gateway::start_in(Folder::new("ledger-witness"), &[]);
    let data = gateway.data();
    gateway.manage(&["account", "add", "--id", "acc_1"]);
    assert!(within(Duration::from_secs(10), || tail(&data).len() == 2));
    let key = key(&data);
    let witness = Witness::start(&key);
    let (url, its_key) = (witness.url(), witness.key());
    let show = || run(&["ledger", "witness", "--url", &url, "--key", &its_key, "--data", &data]);
    let shown = show();
    assert!(shown.code == 0 && shown.stdout.contains("witness.example.com/w1"), "{shown:?}");
    assert_eq!(witness.seen(), 2);
    // A gateway that is told of it shows it everything.
    let (code, folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    let backup = folder.path("backup");
    copy(&PathBuf::from(&data), &PathBuf::from(&backup));
    let config = folder.file(
        "witness.toml",
        format!("[ledger]\nwitness_seconds = 1\n[[ledger.witness]]\nurl = '{url}/'\nkey = '{its_key}'\n"),
    );
    let gateway = Gateway::start_in(folder, &["--config", &config]);
    gateway.manage(&["account", "add", "--id", "acc_2"]);
    assert!(within(Duration::from_secs(10), || witness.seen() >= 5), "{} {:?}", witness.seen(), tail(&data));
    let (_, folder) = gateway.end("-TERM");
    // Receipts have its signature with them.
    let receipt = folder.path("receipt");
    let proved = || run(&["ledger", "prove", "1", "--out", &receipt, "--data", &data]);
    assert_eq!(proved().code, 0);
    let verified = || run(&["verify", &receipt, "--key", &key, "--witness", &its_key]);
    let shown = verified();
    assert!(shown.code == 0 && shown.stdout.contains("w1, who saw it 2026-03-01"), "{shown:?}");
    // An older copy is put in its place.
    std::fs::remove_dir_all(&data).expect("removed");
    copy(&PathBuf::from(&backup), &PathBuf::from(&data));
    let gateway = Gateway::start_in(folder, &["--config", &config]);
    let log = gateway.log();
    let told = || std::fs::read_to_string(&log).expect("a log").contains("the ledger was put back to an older copy");
    assert!(within(Duration::from_secs(10), told), "{}", std::fs::read_to_string(&log).expect("a log"));
    // It goes on from there, which the witness never signs.
    for n in 0..5 {
        gateway.manage(&["account", "add", "--id", &format!("acc_other_{n}")]);
    }
    let is_fork = || std::fs::read_to_string(&log).expect("a log").contains("the ledger is forked");
    assert!(within(Duration::from_secs(10), is_fork), "{}", std::fs::read_to_string(&log).expect("a log"));
    let (code, _folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    std::fs::remove_file(PathBuf::from(&data).join("ledger/witnessed")).expect("removed");
    assert_eq!(proved().code, 0);
    let unsigned = verified();
    assert!(unsigned.code == 65 && unsigned.stderr.contains("did not sign"), "{unsigned:?}");
}

#[test]
fn an_authority_says_when_a_checkpoint_was_there_and_receipts_show_it() {
    let folder = Folder::new("ledger-timestamp");
    let clock = Clock::start(&PathBuf::from(folder.path("clock")));
    let (url, root) = (clock.url(), clock.root());
    let config = folder
        .file("timestamp.toml", format!("[ledger.timestamp]\nurl = '{url}'\nauthority = '{root}'\nseconds = 1\n"));
    let gateway = Gateway::start_in(folder, &["--config", &config]);
    let data = gateway.data();
    gateway.manage(&["account", "add", "--id", "acc_1"]);
    let stamped = |least: u64| {
        let folder = std::fs::read_dir(PathBuf::from(&data).join("ledger/timestamps"));
        let name = |entry: std::fs::DirEntry| entry.file_name().into_string().expect("a name");
        let names = folder.into_iter().flatten().flatten().map(name);
        names.filter_map(|name| name.strip_suffix(".tsr")?.parse::<u64>().ok()).any(|size| size >= least)
    };
    assert!(within(Duration::from_secs(20), || stamped(2)), "{:?}", tail(&data));
    // While it does not answer that is told, and what is put down meanwhile is stamped later.
    let log = gateway.log();
    let told = |text: &str| std::fs::read_to_string(&log).expect("a log").contains(text);
    clock.set_down(true);
    gateway.manage(&["account", "add", "--id", "acc_2"]);
    assert!(within(Duration::from_secs(20), || told("has no timestamp by http://127.0.0.1")));
    clock.set_down(false);
    assert!(within(Duration::from_secs(20), || stamped(3)), "{:?}", tail(&data));
    assert!(within(Duration::from_secs(20), || told("again")));
    let (code, folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    // What came at the end is stamped by hand.
    let stamp = || run(&["ledger", "timestamp", "--url", &url, "--authority", &root, "--data", &data]);
    let shown = stamp();
    assert!(shown.code == 0 && shown.stdout.contains("by Clock of tests"), "{shown:?}");
    assert!(stamp().stdout.contains("nothing new"));
    let (key, receipt) = (key(&data), folder.path("receipt"));
    assert_eq!(run(&["ledger", "prove", "1", "--out", &receipt, "--data", &data]).code, 0);
    let verified = run(&["verify", &receipt, "--key", &key, "--authority", &root]);
    assert!(verified.code == 0 && verified.stdout.contains("at the latest: Clock of tests says so"), "{verified:?}");
    let unnamed = run(&["verify", &receipt, "--key", &key]);
    assert!(unnamed.code == 0 && unnamed.stdout.contains("It was not checked who signed that"), "{unnamed:?}");
    let whole = run(&["verify", &data, "--key", &key, "--authority", &root, "--json"]);
    let json: Value = serde_json::from_str(&whole.stdout).expect("JSON");
    assert_eq!(json["last_timestamp"]["by"], "Clock of tests", "{whole:?}");
    // What somebody else signed is not kept.
    let other = Clock::start(&PathBuf::from(folder.path("other")));
    std::fs::remove_dir_all(PathBuf::from(&data).join("ledger/timestamps")).expect("removed");
    let refused = run(&["ledger", "timestamp", "--url", &other.url(), "--authority", &root, "--data", &data]);
    assert!(refused.code != 0 && refused.stderr.contains("no authority vouches"), "{refused:?}");
    assert!(!stamped(1));
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}
