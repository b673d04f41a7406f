//! The lake by its commands: what a gateway recorded and logs of others, hunted, erased, held, closed by age, checked, copied.

#![expect(clippy::indexing_slicing, reason = "what is read here was written here")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::bucket::Bucket;
use crate::cli::{Folder, Ran, run, run_with};
use crate::sealing::{entries, having, sent};
use crate::up::{Gateway, within};

fn lake(words: &[&str]) -> Ran {
    run(&[&["lake"], words].concat())
}

fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("JSON: {ran:?}"))
}

/// A log with a campaign in it, and the lake of it.
fn added(name: &str) -> (Folder, String, String) {
    let folder = Folder::new(name);
    let (logs, at, key) =
        (folder.path("logs"), folder.path("lake"), folder.file("key", "00112233445566778899aabbccddeeff"));
    let made = run(&["simulate", "hydra", "--scale", "0.1", "--out", &logs]);
    assert_eq!(made.code, 0, "{made:?}");
    let ran = lake(&["add", &logs, "--lake", &at, "--key-file", &key]);
    assert_eq!(ran.code, 0, "{ran:?}");
    (folder, logs, at)
}

/// Whom a hunt names.
fn named(path: &str) -> Value {
    let ran = run(&["hunt", path, "--json"]);
    assert_eq!(ran.code, 10, "{ran:?}");
    let mut accounts: Vec<Value> = Vec::new();
    for campaign in json_of(&ran)["campaigns"].as_array().expect("campaigns") {
        accounts
            .extend(campaign["accounts"].as_array().expect("accounts").iter().map(|member| member["account"].clone()));
    }
    accounts.sort_by_key(Value::to_string);
    json!(accounts)
}

#[test]
fn a_hunt_in_a_lake_names_whom_a_hunt_in_the_log_names() {
    let (folder, logs, at) = added("lake-hunt");
    assert_eq!(named(&at), named(&logs));
    let key = folder.path("key");
    let again = json_of(&lake(&["add", &logs, "--lake", &at, "--key-file", &key, "--json"]));
    assert_eq!(again["exchanges"], again["known"]);
    assert_eq!(json_of(&lake(&["verify", "--lake", &at, "--json"]))["sound"], true);
    let stat = json_of(&lake(&["stat", "--lake", &at, "--json"]));
    assert_eq!(stat["exchanges"], again["exchanges"]);
    let inspected = json_of(&run(&["inspect", &at, "--json"]));
    assert_eq!((&inspected["read"]["exchanges"], &inspected["accounts"]), (&stat["exchanges"], &stat["accounts"]));
    // Put together, everything is the same.
    let merged = json_of(&lake(&["compact", "--lake", &at, "--data", "nowhere", "--json"]));
    assert_eq!(merged["merged"]["removed"], 0);
    // Fingerprints by another key, and texts, cannot be compared with it.
    let other = folder.file("other", "ffeeddccbbaa99887766554433221100");
    let refused = lake(&["add", &logs, "--lake", &at, "--key-file", &other]);
    assert!(refused.code == 65 && refused.stderr.contains("cannot compare"), "{refused:?}");
    let mixed = run(&["hunt", &at, &logs]);
    assert!(mixed.code == 65 && mixed.stderr.contains("read apart"), "{mixed:?}");
    let keyless = lake(&["add", &logs, "--lake", &at, "--data", "nowhere"]);
    assert!(keyless.code == 2 && keyless.stderr.contains("--key-file"), "{keyless:?}");
    for words in [
        &["stat", "--lake", "nowhere"][..],
        &["ls", "--lake", "nowhere"],
        &["compact", "--lake", "nowhere", "--data", "nowhere"],
    ] {
        let ran = lake(words);
        assert!(ran.code == 65 && ran.stderr.contains("there is no lake in `nowhere`"), "{ran:?}");
    }
    let wrong = lake(&["ls", "--lake", &at, "--day", "yesterday"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("2026-03-01"), "{wrong:?}");
}

#[test]
fn nothing_is_removed_without_the_ledger_unless_that_is_said() {
    let (_folder, logs, at) = added("lake-remove");
    let account = named(&logs)[0].as_str().expect("a name").to_owned();
    let erase = |more: &[&str]| {
        let words = [
            "erase",
            "--account",
            &account,
            "--by",
            "ann",
            "--reason",
            "asked",
            "--lake",
            &at,
            "--data",
            "nowhere",
            "--json",
        ];
        lake(&[&words[..], more].concat())
    };
    let refused = erase(&[]);
    assert!(refused.code == 65 && refused.stderr.contains("no ledger"), "{refused:?}");
    let would = json_of(&erase(&["--dry-run"]));
    let done = json_of(&erase(&["--without-ledger"]));
    assert_eq!((&would["exchanges"], would["dry_run"].as_bool()), (&done["exchanges"], Some(true)));
    assert!(done["exchanges"].as_u64() > Some(0), "{done}");
    assert_eq!(json_of(&erase(&["--dry-run"]))["exchanges"], 0);
    // Everything is older than a day by now.
    let expire = |more: &[&str]| {
        let words = [
            "expire", "--days", "1", "--by", "ann", "--reason", "policy", "--lake", &at, "--data", "nowhere", "--json",
        ];
        json_of(&lake(&[&words[..], more].concat()))
    };
    let would = expire(&["--dry-run"]);
    assert_eq!(expire(&["--without-ledger"])["exchanges"], would["exchanges"]);
    assert_eq!(json_of(&lake(&["stat", "--lake", &at, "--json"]))["exchanges"], 0);
}

#[test]
fn what_a_gateway_sealed_is_taken_in_erased_and_restored() {
    let (gateway, sealing) = sent("lake-gateway", "");
    let data = gateway.data();
    // A dry run begins nothing.
    let dry = lake(&["compact", "--data", &data, "--dry-run"]);
    assert!(dry.code == 65 && dry.stderr.contains("there is no lake"), "{dry:?}");
    assert!(!Path::new(&data).join("lake/_lake.json").exists());
    let compact = || json_of(&lake(&["compact", "--data", &data, "--json"]));
    // Beside a gateway that runs.
    let is_taken_in = || compact()["taken_in"]["exchanges"] == 2 || stat(&data)["exchanges"] == 2;
    assert!(within(std::time::Duration::from_secs(10), is_taken_in));
    let (code, folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    assert_eq!(compact()["taken_in"]["exchanges"], 0);
    let told = stat(&data);
    assert_eq!((&told["exchanges"], &told["sealed"], &told["accounts"]), (&json!(2), &json!(2), &json!(2)));
    // The ledger has their lines.
    let verified = json_of(&lake(&["verify", "--data", &data, "--json"]));
    assert_eq!((&verified["sound"], &verified["in_ledger"]), (&json!(true), &json!(2)), "{verified}");
    let backup = folder.path("backup");
    let ran = lake(&["backup", "--data", &data, "--to", &backup]);
    assert!(ran.code == 0 && ran.stdout.contains("2 exchanges"), "{ran:?}");
    assert_eq!(lake(&["backup", "--data", &data, "--to", &backup]).code, 65);
    // Held, nobody is erased; then one is, which the ledger says first.
    let hold = |verb: &str| {
        run(&[
            "seal",
            "hold",
            verb,
            "--account",
            "acc_1",
            "--case",
            "c1",
            "--by",
            "ann",
            "--reason",
            "r",
            "--data",
            &data,
        ])
    };
    assert_eq!(hold("add").code, 0);
    let erase =
        || lake(&["erase", "--account", "acc_1", "--by", "ann", "--reason", "asked", "--data", &data, "--json"]);
    let held = erase();
    assert!(held.code == 65 && held.stderr.contains("is held for `c1`"), "{held:?}");
    assert_eq!(hold("release").code, 0);
    assert_eq!(json_of(&erase())["exchanges"], 1);
    let (actor, subject, reason, detail) = entries(&data, "erasure").pop().expect("an entry");
    assert_eq!((actor.as_str(), subject.as_str(), reason.as_str()), ("person:ann", "account:acc_1", "asked"));
    assert_eq!(detail["of"], "lake");
    assert_eq!(stat(&data)["exchanges"], 1);
    // The lake is lost, and the backup is put back: what was erased since is erased again, as the ledger says.
    std::fs::remove_dir_all(Path::new(&data).join("lake")).expect("a lake");
    let restored = lake(&["restore", "--data", &data, "--from", &backup]);
    assert_eq!(restored.code, 0, "{restored:?}");
    let left = stat(&data);
    assert_eq!((&left["exchanges"], &left["accounts"]), (&json!(1), &json!(1)));
    assert_eq!(json_of(&lake(&["verify", "--data", &data, "--json"]))["sound"], true);
    // Also what the record still has of it does not come back.
    assert_eq!(compact()["taken_in"]["exchanges"], 0);
    // The sealed texts of the others open as before.
    let opened = sealing.open(&data, &["--account", "acc_2"]);
    assert!(opened.code == 0 && opened.stdout.contains("zymurgist2"), "{opened:?}");
    // Also where the recorded files are gone: they are in the lake.
    let files =
        |folder: &Path| std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let exchanges = Path::new(&data).join("exchanges");
    let recorded = files(&exchanges).filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    recorded
        .filter(|path| !path.ends_with("accounts.jsonl"))
        .for_each(|path| std::fs::remove_file(path).expect("a file"));
    let opened = sealing.open(&data, &["--account", "acc_2"]);
    assert!(
        opened.code == 0 && opened.stdout.contains("zymurgist2") && opened.stdout.lines().count() == 1,
        "{opened:?}"
    );
    let erased = sealing.open(&data, &["--account", "acc_1"]);
    assert!(erased.code == 65 && erased.stderr.contains("nothing sealed fits"), "{erased:?}");
    // A line that somebody changed in the lake is not the one that the ledger has.
    let parts = json_of(&lake(&["ls", "--data", &data, "--json"]));
    let part = Path::new(&data).join("lake").join(parts["parts"][0]["file"].as_str().expect("a name"));
    let mut bytes = std::fs::read(&part).expect("a part");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&part, bytes).expect("a part");
    let verified = lake(&["verify", "--data", &data]);
    assert!(verified.code == 65 && verified.stderr.contains("damaged"), "{verified:?}");
}

#[test]
fn a_lake_in_a_store_is_one_like_any_other() {
    let (folder, logs, at) = added("lake-store");
    let bucket = Bucket::start();
    let ask = |words: &[&str]| {
        let environment = bucket.environment();
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        run_with(words, &environment)
    };
    let place = "s3://lakes/of/ours";
    let key = folder.path("key");
    let ran = ask(&["lake", "add", &logs, "--lake", place, "--key-file", &key]);
    assert!(ran.code == 0 && ran.stdout.contains(place), "{ran:?}");
    // The same files as in a folder, byte for byte, and nothing else.
    let mut files: Vec<String> = Vec::new();
    for part in json_of(&lake(&["ls", "--lake", &at, "--json"]))["parts"].as_array().expect("parts") {
        files.push(format!("of/ours/{}", part["file"].as_str().expect("a name")));
    }
    let names = bucket.names();
    assert!(files.iter().all(|file| names.contains(file)), "{names:?}");
    assert!(!names.iter().any(|name| name.ends_with("_lock")) && names.len() == files.len() + 3, "{names:?}");
    let found = ask(&["hunt", place, "--json"]);
    assert_eq!(json_of(&found)["campaigns"], json_of(&run(&["hunt", &at, "--json"]))["campaigns"]);
    assert_eq!(json_of(&ask(&["lake", "verify", "--lake", place, "--json"]))["sound"], true);
    // One is erased; the backup in a folder is a lake, and so is what is put back from it.
    let account = json_of(&found)["campaigns"][0]["accounts"][0]["account"].as_str().expect("a name").to_owned();
    let words = [
        "lake",
        "erase",
        "--account",
        &account,
        "--by",
        "a",
        "--reason",
        "r",
        "--lake",
        place,
        "--data",
        "nowhere",
        "--without-ledger",
        "--json",
    ];
    assert!(json_of(&ask(&words))["exchanges"].as_u64() > Some(0));
    let backup = folder.path("backup");
    assert_eq!(ask(&["lake", "backup", "--lake", place, "--data", "nowhere", "--to", &backup]).code, 0);
    let again = "s3://lakes/again";
    assert_eq!(ask(&["lake", "restore", "--lake", again, "--data", "nowhere", "--from", &backup]).code, 0);
    let stat = |place: &str| json_of(&ask(&["lake", "stat", "--lake", place, "--json"]))["exchanges"].clone();
    assert_eq!(stat(again), stat(place));
    // Some requests failed by the way, and none of the commands did.
    assert!(bucket.asked() > 100, "{}", bucket.asked());
    // Who was killed leaves a lock, which nobody takes for his own.
    bucket.put("of/ours/_lock", b"0123 since 2026-01-01T00:00:00Z");
    let compact = || ask(&["lake", "compact", "--lake", place, "--data", "nowhere"]);
    let locked = compact();
    assert!(
        locked.code == 74 && locked.stderr.contains("since 2026-01-01") && locked.stderr.contains("lake unlock"),
        "{locked:?}"
    );
    assert_eq!(json_of(&ask(&["lake", "unlock", "--lake", place, "--json"]))["removed"], true);
    assert_eq!(compact().code, 0);
    assert_eq!(json_of(&ask(&["lake", "unlock", "--lake", place, "--json"]))["removed"], false);
    // What cannot be used is told, and no secret with it.
    let missing = ask(&["hunt", "s3://lakes/none"]);
    assert!(missing.code == 65 && missing.stderr.contains("there is no lake in `s3://lakes/none`"), "{missing:?}");
    let refused =
        run_with(&["lake", "ls", "--lake", place], &[("AWS_ENDPOINT_URL", bucket.environment()[0].1.as_str())]);
    assert!(
        refused.code == 74 && refused.stderr.contains("AWS_ACCESS_KEY_ID") && !refused.stderr.contains("nobody sees"),
        "{refused:?}"
    );
    let wrong = run_with(&["lake", "ls", "--lake", "s3://"], &[("AWS_ENDPOINT_URL", "nonsense")]);
    assert!(wrong.code == 74 && wrong.stderr.contains("AWS_ENDPOINT_URL"), "{wrong:?}");
}

#[test]
fn a_gateway_fills_its_lake_by_itself_and_closes_old_days() {
    let folder = Folder::new("lake-filled");
    std::fs::create_dir_all(folder.path("data/exchanges")).expect("a folder");
    let old = format!("{}{}", line("ex_old", "acc_1", 40), line("ex_held", "acc_2", 40));
    folder.file("data/exchanges/20200101T000000000Z-1-000001.jsonl", old);
    folder.file(
        "data/holds.json",
        r#"[{"account":"acc_2","case":"c1","by":"ann","reason":"r","since":"2026-01-01T00:00:00Z"}]"#,
    );
    let config = folder.file("gateway.toml", "[lake]\nenabled = true\nseconds = 10\nkeep_days = 30\n");
    let gateway = Gateway::start_in(folder, &["--config", &config]);
    let data = gateway.data();
    let (status, body) = gateway.ask(&gateway.key_of("acc_3"), "What is a warp?");
    assert_eq!(status, 200, "{body}");
    let at = Path::new(&data).join("lake");
    let is_filled = || at.join("_lake.json").is_file() && ids(&at).len() == 2 && !entries(&data, "expiry").is_empty();
    assert!(within(std::time::Duration::from_secs(40), is_filled));
    let (actor, subject, _, detail) = entries(&data, "expiry").pop().expect("an entry");
    assert_eq!((actor.as_str(), subject.as_str()), ("stillwatch", "lake"));
    assert_eq!((&detail["exchanges"], &detail["held"]), (&json!(1), &json!(1)));
    let found = ids(&at);
    assert!(found.contains_key("ex_held") && !found.contains_key("ex_old"), "{found:?}");
    // No text is in the lake, though the record has it.
    assert_eq!(having(&at, "What is a warp"), Vec::<String>::new());
    assert_eq!(gateway.end("-TERM").0, Some(0));
}

/// Rows of a lake by id, each as often as it is there.
fn ids(at: &Path) -> BTreeMap<String, usize> {
    let lake = lake::Lake::open(Arc::new(lake::objects::Folder::new(at))).expect("a lake");
    let mut ids = BTreeMap::new();
    let parts = lake.parts().expect("parts");
    assert!(parts.broken.is_empty(), "{:?}", parts.broken);
    let mut see = |_: &lake::Known, row: lake::row::Row<'_>| {
        *ids.entry(row.exchange().id.as_str().to_owned()).or_default() += 1;
        Ok::<(), lake::LakeError>(())
    };
    lake.rows(&parts.live, &mut see).expect("rows");
    ids
}

/// A line of a log, `days` old.
fn line(id: &str, account: &str, days: i64) -> String {
    let time = exchange::Time::from_seconds(now() - days * 86_400);
    format!(
        r#"{{"id":"{id}","time":"{time}","account":"{account}","request":{{"messages":"What is {id}?"}},"status":200}}"#
    ) + "\n"
}

#[expect(clippy::disallowed_methods, reason = "what the program closes by age is of the days before today")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    since.as_secs() as i64
}

/// Runs it and kills it after some time; whether it had ended well by then.
fn killed(words: &[&str], after: std::time::Duration) -> bool {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_stillwatch"))
        .args(words)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    if after < std::time::Duration::MAX {
        std::thread::sleep(after);
        child.kill().ok();
    }
    child.wait().expect("it ends").success()
}

#[test]
fn killed_two_hundred_times_it_loses_nothing_and_nothing_erased_comes_back() {
    let folder = Folder::new("lake-kills");
    let (data, at) = (folder.path("data"), folder.path("data/lake"));
    let recorded = Path::new(&data).join("exchanges");
    std::fs::create_dir_all(&recorded).expect("a folder");
    folder.file("data/fingerprint-key", "00112233445566778899aabbccddeeff\n");
    let segment = recorded.join("20260101T000000000Z-1-000001.jsonl");
    // What is acknowledged has to be there; what was killed before may be.
    let (mut sure, mut maybe, mut gone) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut written, mut acknowledged, mut kills) = (Vec::new(), 0, 0);
    for round in 0..250_usize {
        // Every fifth comes to its end; how far the others come is for the machine to say.
        let after = std::time::Duration::from_millis(4 + (round as u64 * 37) % 60);
        let after = if round % 5 == 4 { std::time::Duration::MAX } else { after };
        let owner =
            |n: usize| if n.is_multiple_of(7) { format!("gone_{}", round / 40) } else { format!("acc_{}", n % 5) };
        let fresh: Vec<(String, String, String)> = (0..40)
            .map(|n| (format!("ex_{round}_{n}"), owner(n), if n == 3 { 50 } else { 1 }))
            .map(|(id, account, days)| (line(&id, &account, days), id, account))
            .collect();
        let lines: String = fresh.iter().map(|(line, _, _)| line.as_str()).collect();
        let ids = fresh.iter().map(|(_, id, account)| (id.clone(), account.clone()));
        let ended = match round % 4 {
            // A log is added, and until that is acknowledged it is added again.
            0 => {
                let log = folder.file(&format!("log-{round}.jsonl"), &lines);
                maybe.extend(ids.clone());
                let ended = killed(&["lake", "add", &log, "--data", &data], after);
                let ran = if ended { 0 } else { lake(&["add", &log, "--data", &data]).code };
                assert_eq!(ran, 0);
                sure.extend(ids);
                ended
            }
            // A gateway records more, which is taken in, and files are merged.
            1 | 2 => {
                let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&segment).expect("a file");
                std::io::Write::write_all(&mut file, lines.as_bytes()).expect("it is written");
                written.extend(ids);
                maybe.extend(written.iter().cloned());
                let ended = killed(&["lake", "compact", "--data", &data], after);
                if ended {
                    sure.extend(written.iter().cloned());
                }
                ended
            }
            _ if round % 8 == 3 => {
                let account = format!("gone_{}", round / 40);
                let words = [
                    "lake",
                    "erase",
                    "--account",
                    &account,
                    "--by",
                    "a",
                    "--reason",
                    "r",
                    "--data",
                    &data,
                    "--without-ledger",
                ];
                let ended = killed(&words, after);
                if ended {
                    gone.insert(account);
                }
                ended
            }
            _ => killed(
                &["lake", "expire", "--days", "30", "--by", "a", "--reason", "r", "--data", &data, "--without-ledger"],
                after,
            ),
        };
        acknowledged += usize::from(ended);
        kills += usize::from(!ended);
        if round % 10 == 9 && Path::new(&at).join("_lake.json").is_file() {
            check_kills(Path::new(&at), &sure, &maybe, &gone, round);
        }
    }
    assert!(acknowledged >= 50 && kills > 60, "{acknowledged} {kills}");
    let ran = lake(&["compact", "--data", &data]);
    assert_eq!(ran.code, 0, "{ran:?}");
    sure.extend(written);
    check_kills(Path::new(&at), &sure, &maybe, &gone, 250);
    let verified = lake(&["verify", "--data", &data]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

fn check_kills(
    at: &Path,
    sure: &BTreeSet<(String, String)>,
    maybe: &BTreeSet<(String, String)>,
    gone: &BTreeSet<String>,
    round: usize,
) {
    let found = ids(at);
    assert!(found.values().all(|count| *count == 1), "something is there twice after round {round}");
    for (id, account) in sure {
        // Whose erasure may have begun, and whose day may be closed, may be gone.
        let may_be_gone = account.starts_with("gone_") || id.ends_with("_3");
        assert!(may_be_gone || found.contains_key(id), "{id} of {account} is gone after round {round}");
    }
    let owners: BTreeMap<&String, &String> = maybe.iter().map(|(id, account)| (id, account)).collect();
    for id in found.keys() {
        let owner = owners.get(id).expect("only what was written is there");
        assert!(!gone.contains(*owner), "{id} of {owner} is back after round {round}");
    }
}

fn stat(data: &str) -> Value {
    let ran = lake(&["stat", "--data", data, "--json"]);
    if ran.code == 0 { json_of(&ran) } else { Value::Null }
}
