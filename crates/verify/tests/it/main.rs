//! `stillwatch-verify` as whoever gets a receipt runs it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod authority;
mod timestamps;

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::{Ledger, SigningKey};
use verify::entry::{EntryTime, Statement};
use verify::exhibit::exhibit;
use verify::note::{Scheme, VerifierKey};

/// What it says, and its exit code.
fn run(words: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_stillwatch-verify")).args(words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A ledger with 300 entries, of which one says what a terminal would obey.
fn made(folder: &Path) -> Ledger {
    let mut ledger = Ledger::open(folder, SigningKey::new("evidence.example.com", [7; 32]).unwrap()).unwrap();
    let statement = |n: u64| Statement {
        at: String::new(),
        kind: "verdict".to_owned(),
        actor: "person:ann".to_owned(),
        reason: Some(if n == 7 { "\u{1b}[2J\nIt counts".to_owned() } else { format!("reason {n}") }),
        subject: format!("campaign:cmp_{n}"),
        before: None,
        after: None,
        detail: serde_json::Value::Null,
    };
    let now = EntryTime::parse("2026-03-01T09:12:30.123456789Z").unwrap();
    ledger.append(&now, (0..300).map(statement).collect(), &mut || Some([3; 32])).unwrap();
    ledger
}

fn receipt(ledger: &Ledger, index: u64) -> String {
    let known = ledger.view().entry(index, 300).unwrap();
    exhibit(ledger.view().receipt(index).unwrap(), &known.entry, known.opening, None).unwrap().to_string()
}

#[test]
fn it_says_what_counts_and_where_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("ledger");
    let ledger = made(&place);
    let key = ledger.view().key().to_string();
    let path = folder.path().join("receipt");
    let (file, whole) = (path.to_str().unwrap(), place.to_str().unwrap());

    fs::write(&path, receipt(&ledger, 299)).unwrap();
    let (code, shown, _) = run(&[file, "--key", &key]);
    assert_eq!(code, 0);
    assert!(shown.starts_with("It counts: entry 299 of 300 in evidence.example.com.\n"), "{shown}");
    assert!(shown.contains("  why     reason 299\n"), "{shown}");
    // Nothing in it moves a terminal or passes for a line of ours.
    fs::write(&path, receipt(&ledger, 7)).unwrap();
    let (_, shown, _) = run(&[file, "--key", &key]);
    assert!(shown.contains(r"  why     \u{1b}[2J\nIt counts"), "{shown}");
    fs::write(&path, receipt(&ledger, 7).replace("index 7", "index 8")).unwrap();
    let (code, shown, wrong) = run(&[file, "--key", &key]);
    assert!(code == 65 && shown.is_empty() && wrong.contains("number 8 of the log's 300"), "{wrong}");
    let other = SigningKey::new("evidence.example.com", [8; 32]).unwrap().public().to_string();
    fs::write(&path, receipt(&ledger, 7)).unwrap();
    assert_eq!(run(&[file, "--key", &other]).0, 65);
    let witness = |seed: u8| {
        let pair = SigningKey::new("evidence.example.com", [seed; 32]).unwrap();
        let text = pair.public().to_string();
        let public = STANDARD.decode(text.splitn(3, '+').nth(2).unwrap()).unwrap();
        VerifierKey::new("evidence.example.com", Scheme::Cosignature, public[1..].try_into().unwrap())
            .unwrap()
            .to_string()
    };
    // A witness that has the ledger's name has not signed because the ledger did, and the ledger's own key is nobody's witness.
    let (code, _, wrong) = run(&[file, "--key", &key, "--witness", &witness(8)]);
    assert!(code == 65 && wrong.contains("did not sign"), "{wrong}");
    for own in [&key, &witness(7)] {
        let (code, _, wrong) = run(&[file, "--key", &key, "--witness", own]);
        assert!(code == 2 && wrong.contains("not the ledger's own"), "{wrong}");
    }

    let (code, shown, _) = run(&[whole, "--key", &key]);
    assert!(code == 0 && shown.contains("300 entries") && shown.contains("here for 300"), "{shown}");
    let statements = place.join("statements/000000/001.jsonl");
    let text = fs::read_to_string(&statements).unwrap();
    fs::write(&statements, text.replace("reason 260", "reason 261")).unwrap();
    let (code, _, wrong) = run(&[whole, "--key", &key]);
    assert!(code == 65 && wrong.contains("entry 260, in statements/000000/001.jsonl"), "{wrong}");
    // Nothing is put in beside what is there.
    let first = text.lines().next().unwrap();
    for forged in [format!("{first}\n{text}"), format!("{text}{}\n", first.replace("\"index\":256", "\"index\":77777"))]
    {
        fs::write(&statements, forged).unwrap();
        let (code, _, wrong) = run(&[whole, "--key", &key]);
        assert!(code == 65 && wrong.contains("is not a statement of a ledger: it is for entry"), "{wrong}");
    }
    let alone = place.join("log");
    let (code, shown, _) = run(&[alone.to_str().unwrap(), "--key", &key]);
    assert!(code == 0 && shown.contains("300 entries") && !shown.contains("What was said"), "{shown}");
    fs::remove_file(&statements).unwrap();
    let (code, shown, _) = run(&[whole, "--key", &key]);
    assert!(code == 0 && shown.contains("here for 256"), "{shown}");
    fs::write(place.join("log/tile/entries/001.p/44"), "").unwrap();
    let (code, _, wrong) = run(&[whole, "--key", &key]);
    assert!(code == 65 && wrong.contains("log/tile/entries/001.p/44: expected 44 entries"), "{wrong}");
}

#[test]
fn what_is_typed_wrong_ends_with_2_and_help_with_0() {
    let key = SigningKey::new("k", [8; 32]).unwrap().public().to_string();
    for words in
        [&[][..], &["x"], &["--key", &key], &["x", "--key"], &["x", "--key", "k"], &["x", "y", "--key", &key], &["-x"]]
    {
        let (code, shown, wrong) = run(words);
        assert!(code == 2 && shown.is_empty() && wrong.contains("Usage:"), "{words:?}: {wrong}");
    }
    assert_eq!(run(&["--help"]).0, 0);
    let (code, _, wrong) = run(&["/nowhere", "--key", &key]);
    assert!(code == 65 && wrong.contains("No such file"), "{wrong}");
}
