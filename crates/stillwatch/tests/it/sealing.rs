//! Recorded texts that are sealed: nowhere in clear, opened by who may, erased, held, closed by age, each put down.

#![expect(clippy::indexing_slicing, reason = "what is read here was written here")]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::{Folder, Ran, run, run_with};
use crate::up::{Gateway, within};

/// An evidence key of Ann.
pub(crate) struct Sealing {
    key: String,
    public: String,
    passphrase: String,
}

impl Sealing {
    /// One whose files are in `folder`.
    pub(crate) fn made(folder: &Folder) -> Sealing {
        let passphrase = folder.file("ann.txt", "a long passphrase\n");
        let key = folder.path("evidence.key");
        let made = run(&[
            "seal",
            "key",
            "--out",
            &key,
            "--name",
            "ann",
            "--purpose",
            "investigation",
            "--passphrase-file",
            &passphrase,
        ]);
        assert_eq!(made.code, 0, "{made:?}");
        Sealing { key, public: folder.path("evidence.pub"), passphrase }
    }

    /// What a configuration says of it.
    pub(crate) fn table(&self) -> String {
        format!("[sealing]\nkey = '{}'\n", self.public)
    }

    /// Opens what is asked for.
    pub(crate) fn open(&self, data: &str, asked: &[&str]) -> Ran {
        let words = ["seal", "open", "--data", data, "--purpose", "investigation", "--reason", "case 12"];
        run(&[&words[..], &self.unlocking(), asked].concat())
    }

    /// Exports a case file with texts that are opened for it.
    pub(crate) fn export(&self, data: &str, more: &[&str]) -> Ran {
        let words = ["case", "export", "cmp_1", "--data", data, "--reason", "for counsel", "--plain"];
        run(&[&words[..], &self.unlocking(), more].concat())
    }

    fn unlocking(&self) -> [&str; 6] {
        ["--key", &self.key, "--by", "ann", "--passphrase-file", &self.passphrase]
    }
}

/// Every file below a folder that has a text in it.
pub(crate) fn having(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(having(&path, text));
        } else {
            let bytes = std::fs::read(&path).expect("a file");
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// The last entries of a kind: who, about what, why, and what besides.
pub(crate) fn entries(data: &str, kind: &str) -> Vec<(String, String, String, Value)> {
    let output = run(&["ledger", "tail", "--data", data, "--json", "-n", "1000"]);
    let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |entry: &Value| {
        let said = &entry["statement"];
        (text(&said["actor"]), text(&said["subject"]), text(&said["reason"]), said["detail"].clone())
    };
    json["entries"].as_array().expect("entries").iter().filter(|entry| entry["kind"] == kind).map(of).collect()
}

/// What somebody asks, with words that nothing else has.
fn asked(n: usize) -> String {
    format!("Grade the answer of zymurgist{n} below from 1 to 5 by this rubric, and give your reasons first, please.")
}

/// A gateway that seals, to which two accounts sent a request each.
pub(crate) fn sent(name: &str, table: &str) -> (Gateway, Sealing) {
    let folder = Folder::new(name);
    let sealing = Sealing::made(&folder);
    let config = folder.file("gateway.toml", format!("{}{table}", sealing.table()));
    let gateway = Gateway::start_in(folder, &["--config", &config]);
    for n in 1..=2 {
        let key = gateway.key_of(&format!("acc_{n}"));
        let (status, body) = gateway.ask(&key, &asked(n));
        assert_eq!(status, 200, "{body}");
    }
    (gateway, sealing)
}

#[test]
fn no_text_is_on_disk_in_clear_and_who_may_opens_it_as_it_was() {
    let (gateway, sealing) = sent("sealing-open", "");
    let data = gateway.data();
    let (code, folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    for text in ["zymurgist", "rubric", "finish_reason"] {
        assert_eq!(having(Path::new(&data), text), Vec::<String>::new(), "{text}");
    }
    // What detection needs is there.
    let inspected: Value = serde_json::from_str(&run(&["inspect", &data, "--json"]).stdout).expect("JSON");
    assert_eq!(inspected["read"]["exchanges"], 2, "{inspected}");
    // Opened, it is the record as it would have been.
    let out = folder.path("opened.jsonl");
    let opened = sealing.open(&data, &["--account", "acc_1", "--case", "case-12", "--out", &out]);
    assert_eq!(opened.code, 0, "{opened:?}");
    let text = std::fs::read_to_string(&out).expect("records");
    let record: Value = serde_json::from_str(&text).expect("a record");
    assert_eq!(record["request"]["messages"][0]["content"], asked(1));
    assert_eq!(record["decision"]["outcome"], "allowed");
    assert!(text.lines().count() == 1 && !text.contains("zymurgist2"));
    let (actor, subject, reason, detail) = entries(&data, "reading").pop().expect("an entry");
    assert_eq!((actor.as_str(), subject.as_str(), reason.as_str()), ("person:ann", "account:acc_1", "case 12"));
    assert_eq!(
        (&detail["records"], &detail["case"], &detail["purpose"]),
        (&json!(1), &json!("case-12"), &json!("investigation"))
    );
    // Who may not does not, and what is not asked for well is told.
    let refused = run(&[
        &["seal", "open", "--data", &data, "--purpose", "research", "--reason", "x", "--account", "acc_1"],
        &sealing.unlocking()[..],
    ]
    .concat());
    assert!(refused.code == 65 && refused.stderr.contains("`research` is not granted to `ann`"), "{refused:?}");
    let nothing = sealing.open(&data, &[]);
    assert!(nothing.code == 2 && nothing.stderr.contains("--account or --exchange"), "{nothing:?}");
    let nobody = sealing.open(&data, &["--account", "acc_9"]);
    assert!(nobody.code == 65 && nobody.stderr.contains("nothing sealed fits"), "{nobody:?}");
    assert_eq!(entries(&data, "reading").len(), 1);
    // A record that was changed is not shown; the reading of it is put down all the same.
    let record = std::fs::read_dir(Path::new(&data).join("exchanges")).expect("a folder");
    let record = record.map(|entry| entry.expect("an entry").path());
    let record = record.into_iter().find(|path| path.to_string_lossy().contains("/2")).expect("a record");
    let line = std::fs::read_to_string(&record).expect("lines");
    std::fs::write(&record, line.replace("\"status\":200", "\"status\":500")).expect("written");
    let changed = sealing.open(&data, &["--account", "acc_1"]);
    assert!(changed.code == 65 && changed.stderr.contains("was changed") && changed.stdout.is_empty(), "{changed:?}");
    assert_eq!(entries(&data, "reading").len(), 2);
    // Without a ledger that would say so nothing is opened.
    std::fs::write(&record, line).expect("written");
    std::fs::rename(Path::new(&data).join("ledger"), folder.path("ledger")).expect("moved");
    let unsaid = sealing.open(&data, &["--account", "acc_1"]);
    assert!(unsaid.code == 65 && unsaid.stdout.is_empty(), "{unsaid:?}");
}

#[test]
fn who_is_erased_is_opened_no_more_unless_a_case_holds_it() {
    let (gateway, sealing) = sent("sealing-erase", "");
    let data = gateway.data();
    let (_, _folder) = gateway.end("-TERM");
    let words = |command: &[&str], more: &[&str]| {
        run(&[
            command,
            &["--account", "acc_1", "--by", "ann", "--reason", "asked to be forgotten", "--data", &data],
            more,
        ]
        .concat())
    };
    let held = words(&["seal", "hold", "add"], &["--case", "case-12"]);
    assert_eq!(held.code, 0, "{held:?}");
    let refused = words(&["seal", "erase"], &[]);
    assert!(refused.code == 65 && refused.stderr.contains("held for `case-12`"), "{refused:?}");
    assert!(run(&["seal", "hold", "list", "--data", &data]).stdout.contains("case-12"));
    assert_eq!(words(&["seal", "hold", "release"], &["--case", "case-12"]).code, 0);
    assert_eq!(words(&["seal", "hold", "release"], &["--case", "case-12"]).code, 2);
    let would = words(&["seal", "erase"], &["--dry-run"]);
    assert!(would.stdout.contains("Would destroy 1 key"), "{would:?}");
    assert_eq!(sealing.open(&data, &["--account", "acc_1"]).code, 0);
    assert!(entries(&data, "erasure").is_empty());
    let erased = words(&["seal", "erase"], &[]);
    assert!(erased.stdout.contains("Destroyed 1 key"), "{erased:?}");
    let closed = sealing.open(&data, &["--account", "acc_1"]);
    assert!(closed.code == 65 && closed.stderr.contains("its keys were destroyed"), "{closed:?}");
    assert_eq!(sealing.open(&data, &["--account", "acc_2"]).code, 0);
    let (actor, subject, reason, _) = entries(&data, "erasure").pop().expect("an entry");
    assert_eq!((&*actor, &*subject, &*reason), ("person:ann", "account:acc_1", "asked to be forgotten"));
    assert_eq!(entries(&data, "hold").len(), 2);
    // The ledger is whole.
    let key = run(&["ledger", "key", "--data", &data]).stdout;
    assert_eq!(run(&["verify", &data, "--key", key.trim()]).code, 0);
}

#[test]
fn what_is_granted_rotated_and_closed_by_age_is_put_down() {
    let (gateway, sealing) = sent("sealing-keys", "keep_days = 1\n");
    let data = gateway.data();
    // The gateway closes by itself what is older.
    let keys = Path::new(&data).join("sealed-keys");
    let day = || {
        let mut paths = std::fs::read_dir(&keys).into_iter().flatten().flatten().map(|entry| entry.path());
        paths.find(|path| path.extension().is_some_and(|ending| ending == "keys"))
    };
    let keys_of = |day: &Path| std::fs::read_to_string(day).expect("keys").matches("\"id\"").count();
    assert!(within(Duration::from_secs(10), || day().is_some_and(|day| keys_of(&day) == 2)));
    let today = day().expect("a day");
    let old = keys.join("2020-01-01.keys");
    std::fs::copy(&today, &old).expect("copied");
    let (_, folder) = gateway.end("-TERM");
    let config = folder.path("gateway.toml");
    let gateway = Gateway::start_in(folder, &["--config", &config]);
    assert!(within(Duration::from_secs(10), || !old.exists()));
    let (code, folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    let (actor, _, _, detail) = entries(&data, "expiry").pop().expect("an entry");
    assert_eq!((actor.as_str(), &detail["keys"]), ("stillwatch", &json!(2)));
    assert!(run(&["seal", "status", "--data", &data]).stdout.contains("2"));
    // Bob is granted, and then is not.
    let theirs = folder.file("bob.txt", "another passphrase\n");
    let granted = run(&[
        &["seal", "grant", "--to", "bob", "--purpose", "appeal", "--new-passphrase-file", &theirs, "--data", &data],
        &sealing.unlocking()[..],
    ]
    .concat());
    assert_eq!(granted.code, 0, "{granted:?}");
    let as_bob = || {
        run(&[
            "seal",
            "open",
            "--account",
            "acc_1",
            "--data",
            &data,
            "--purpose",
            "appeal",
            "--reason",
            "an appeal",
            "--by",
            "bob",
            "--key",
            &sealing.key,
            "--passphrase-file",
            &theirs,
        ])
    };
    assert!(as_bob().stdout.contains("zymurgist1"));
    let revoked = run(&[&["seal", "revoke", "--from", "bob", "--data", &data], &sealing.unlocking()[..]].concat());
    assert_eq!(revoked.code, 0, "{revoked:?}");
    assert!(as_bob().stderr.contains("nothing is granted to `bob`"));
    // Another key in the place of the first opens what was sealed for that.
    let before = std::fs::read_to_string(&sealing.public).expect("a key");
    let rotated = run(&[
        &["seal", "rotate", "--new-passphrase-file", &sealing.passphrase, "--data", &data],
        &sealing.unlocking()[..],
    ]
    .concat());
    assert!(rotated.code == 0 && rotated.stdout.contains("Wrapped 2 keys"), "{rotated:?}");
    assert_ne!(std::fs::read_to_string(&sealing.public).expect("a key"), before);
    assert!(sealing.open(&data, &["--account", "acc_1"]).stdout.contains("zymurgist1"));
    assert_eq!((entries(&data, "grant").len(), entries(&data, "rotation").len()), (2, 1));
}

#[test]
fn holds_that_are_added_at_once_all_hold_and_an_interrupted_erasure_is_finished_and_said() {
    let (gateway, sealing) = sent("sealing-once", "");
    let data = gateway.data();
    let (_, folder) = gateway.end("-TERM");
    std::thread::scope(|scope| {
        for n in 0..8 {
            let data = &data;
            scope.spawn(move || {
                let (account, words) = (format!("acc_held_{n}"), ["seal", "hold", "add", "--case", "c", "--by", "ann"]);
                let added = run(&[&words[..], &["--reason", "r", "--data", data, "--account", &account]].concat());
                assert_eq!(added.code, 0, "{added:?}");
            });
        }
    });
    let listed: Value =
        serde_json::from_str(&run(&["seal", "hold", "list", "--data", &data, "--json"]).stdout).expect("JSON");
    assert_eq!(listed["holds"].as_array().map(Vec::len), Some(8), "{listed}");
    // As a crash leaves it.
    std::fs::write(Path::new(&data).join("sealed-keys/erasing"), r#"["acc_1"]"#).expect("written");
    let gateway = Gateway::start_in(folder, &[]);
    let (_, _folder) = gateway.end("-TERM");
    let closed = sealing.open(&data, &["--account", "acc_1"]);
    assert!(closed.code == 65 && closed.stderr.contains("its keys were destroyed"), "{closed:?}");
    let (actor, subject, reason, _) = entries(&data, "erasure").pop().expect("an entry");
    assert_eq!((&*actor, &*subject, &*reason), ("stillwatch", "account:acc_1", "an erasure that was interrupted"));
    // What cannot be is told.
    let nowhere = run(&["seal", "status", "--data", "/nowhere/at/all"]);
    assert!(nowhere.code == 65 && nowhere.stderr.contains("there is no data folder"), "{nowhere:?}");
    let empty = run(&["seal", "erase", "--account", "acc_2", "--by", "ann", "--reason", " ", "--data", &data]);
    assert!(empty.code == 2 && empty.stderr.contains("expected some text"), "{empty:?}");
}

#[test]
fn what_is_sealed_between_a_rotation_and_a_restart_is_not_lost() {
    let (gateway, sealing) = sent("sealing-rotation", "");
    let data = gateway.data();
    let rotate = || {
        let anew = ["seal", "rotate", "--new-passphrase-file", &sealing.passphrase, "--data", &data];
        run(&[&anew[..], &sealing.unlocking()].concat())
    };
    assert_eq!(rotate().code, 0);
    // It seals for the old key still.
    let key = gateway.key_of("acc_3");
    assert_eq!(gateway.ask(&key, &asked(3)).0, 200);
    let (_, _folder) = gateway.end("-TERM");
    let opens = || (1..=3).all(|n| sealing.open(&data, &["--account", &format!("acc_{n}")]).stdout.contains(&asked(n)));
    assert!(opens());
    assert_eq!(rotate().code, 0);
    assert!(opens());
    let rewrapped = run(&[&["seal", "rewrap", "--data", &data], &sealing.unlocking()[..]].concat());
    assert!(rewrapped.code == 0 && rewrapped.stdout.contains("Wrapped 0 keys"), "{rewrapped:?}");
    // Times are times, and a moment has no fraction to hide behind.
    let none = sealing.open(&data, &["--account", "acc_1", "--from", "2100-01-01"]);
    assert!(none.stderr.contains("nothing sealed fits"), "{none:?}");
    let odd = sealing.open(&data, &["--account", "acc_1", "--from", "yesterday"]);
    assert!(odd.code == 2 && odd.stderr.contains("expected a date"), "{odd:?}");
    // One damaged record does not close the others.
    let record = std::fs::read_dir(Path::new(&data).join("exchanges")).expect("a folder");
    let record = record.map(|entry| entry.expect("an entry").path());
    let record = record.into_iter().find(|path| path.to_string_lossy().contains("/2")).expect("a record");
    let lines = std::fs::read_to_string(&record).expect("lines");
    std::fs::write(&record, lines.replacen("\"status\":200", "\"status\":500", 1)).expect("written");
    let some = sealing.open(&data, &["--account", "acc_1", "--account", "acc_2", "--account", "acc_3"]);
    let count = (1..=3).filter(|n| some.stdout.contains(&asked(*n))).count();
    assert!(some.code == 65 && count == 2 && some.stderr.contains("1 record cannot be opened; exchange `"), "{some:?}");
}

/// Makes a token called `drill` with the PIN 1234; where SoftHSM is told of it.
pub(crate) fn token(folder: &Folder) -> String {
    std::fs::create_dir(folder.path("tokens")).expect("a folder");
    let conf = folder.file("softhsm2.conf", format!("directories.tokendir = {}\n", folder.path("tokens")));
    let made = std::process::Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "drill", "--pin", "1234", "--so-pin", "5678"])
        .env("SOFTHSM2_CONF", &conf)
        .output()
        .expect("SoftHSM is needed, which `./check test` installs");
    assert!(made.status.success(), "{made:?}");
    conf
}

/// Where SoftHSM's library is.
pub(crate) fn soft_hsm() -> &'static str {
    let known = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ];
    known.into_iter().find(|path| Path::new(path).exists()).expect("SoftHSM is needed, which `./check test` installs")
}

#[test]
fn a_key_on_a_token_locks_and_unlocks() {
    let (gateway, sealing) = sent("sealing-token", "");
    let data = gateway.data();
    let (_, folder) = gateway.end("-TERM");
    let conf = token(&folder);
    let (pin, wrong) = (folder.file("pin", "1234\n"), folder.file("wrong", "9999\n"));
    let with = |args: &[&str]| run_with(args, &[("SOFTHSM2_CONF", &conf)]);
    // Bob's grant is locked by the token.
    let granted = with(
        &[
            &["seal", "grant", "--to", "bob", "--purpose", "appeal", "--new-pkcs11", soft_hsm(), "--pin-file", &pin],
            &["--data", &*data][..],
            &sealing.unlocking(),
        ]
        .concat(),
    );
    assert_eq!(granted.code, 0, "{granted:?}");
    let open = |pin: &str, more: &[&str]| {
        let words =
            ["seal", "open", "--account", "acc_1", "--data", &data, "--purpose", "appeal", "--reason", "an appeal"];
        let key = ["--by", "bob", "--key", &sealing.key, "--pkcs11", soft_hsm(), "--pin-file", pin];
        with(&[&words[..], &key, more].concat())
    };
    assert!(open(&pin, &[]).stdout.contains(&asked(1)));
    assert!(open(&pin, &["--token", "drill"]).stdout.contains(&asked(1)));
    for (pin, more, why) in [
        (&wrong, &[][..], "PIN"),
        (&pin, &["--token-key", "other"][..], "the token has no key `other`"),
        (&pin, &["--token", "none"][..], "there are drill"),
    ] {
        let refused = open(pin, more);
        assert!(refused.code == 65 && refused.stderr.contains(why) && refused.stdout.is_empty(), "{refused:?}");
    }
}
