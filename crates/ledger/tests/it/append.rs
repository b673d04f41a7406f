//! Appending: by several at once, where the disk fails, and after a crash.

use std::fs;

use ledger::limits::{APPENDED_MAX, STATEMENT_BYTES_MAX};
use ledger::{Ledger, LedgerError, SigningKey};
use serde_json::json;

use crate::stand::{at, check, grow, key, open, salts, statement, view};

#[test]
fn what_was_appended_is_there_for_whoever_opens_it_next() {
    let folder = tempfile::tempdir().unwrap();
    grow(&mut open(folder.path()), 600);
    assert_eq!(check(&view(folder.path())), 600);
    grow(&mut open(folder.path()), 1);
    assert_eq!(check(&view(folder.path())), 601);
    let known = view(folder.path()).entry(600, 601).unwrap();
    assert_eq!(known.statement.unwrap().detail, json!({"number": 600}));
}

#[test]
fn whoever_appends_goes_on_from_what_others_appended() {
    let folder = tempfile::tempdir().unwrap();
    let mut both = [open(folder.path()), open(folder.path())];
    let mut next = 0;
    for (which, count) in [(0, 3), (1, 300), (0, 1), (1, 2)] {
        let appended =
            both[which].append(&at(next), (next..next + count).map(statement).collect(), &mut salts()).unwrap();
        assert_eq!(appended, next..next + count);
        next += count;
    }
    assert_eq!(check(&view(folder.path())), next);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let folder = folder.path().to_owned();
            std::thread::spawn(move || {
                let mut ledger = open(&folder);
                let mut entries = Vec::new();
                for _ in 0..20 {
                    entries.extend(ledger.append(&at(0), vec![statement(0), statement(1)], &mut salts()).unwrap());
                }
                entries
            })
        })
        .collect();
    let mut entries: Vec<u64> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    entries.sort_unstable();
    assert_eq!(entries, (next..next + 160).collect::<Vec<_>>(), "each has a place of its own");
}

#[test]
fn time_never_runs_backwards() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    for (now, then) in [(100, 100), (50, 100), (200, 200)] {
        let index = ledger.append(&at(now), vec![statement(0)], &mut salts()).unwrap().start;
        let known = ledger.view().entry(index, index + 1).unwrap();
        assert_eq!(known.entry.at, at(then));
        assert_eq!(known.statement.unwrap().at, at(then).as_str());
        // Whoever opens it next goes on from there.
        ledger = open(folder.path());
    }
}

#[test]
fn limits_hold_at_and_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let many = |count: usize| (0..count as u64).map(statement).collect::<Vec<_>>();
    assert_eq!(ledger.append(&at(0), many(APPENDED_MAX), &mut salts()).unwrap().end, APPENDED_MAX as u64);
    let refused = ledger.append(&at(0), many(APPENDED_MAX + 1), &mut salts());
    assert!(matches!(refused, Err(LedgerError::Refused(_))));
    let mut long = statement(0);
    long.at = at(0).as_str().to_owned();
    long.reason = Some(String::new());
    let around = serde_json::to_string(&long).unwrap().len();
    for (bytes, fits) in [(STATEMENT_BYTES_MAX, true), (STATEMENT_BYTES_MAX + 1, false)] {
        long.reason = Some("r".repeat(bytes - around));
        assert_eq!(ledger.append(&at(0), vec![long.clone()], &mut salts()).is_ok(), fits, "{bytes}");
    }
    let mut odd = statement(0);
    odd.kind = "Verdict".to_owned();
    assert!(matches!(ledger.append(&at(0), vec![odd], &mut salts()), Err(LedgerError::Refused(_))));
    assert_eq!(view(folder.path()).checkpoint().unwrap().1.tree().size, APPENDED_MAX as u64 + 1);
}

/// A crash leaves files that no checkpoint speaks of: of each kind, whole or in part.
#[test]
fn what_a_crash_left_is_passed_over_and_written_over() {
    for size in [1, 255, 256, 300, 512] {
        let folder = tempfile::tempdir().unwrap();
        grow(&mut open(folder.path()), size);
        let checkpoint = fs::read(folder.path().join("log/checkpoint")).unwrap();
        // It was going to append these, and died before the checkpoint.
        let mut dying = open(folder.path());
        dying.append(&at(9), (0..700).map(|_| statement(u64::MAX)).collect(), &mut salts()).unwrap();
        fs::write(folder.path().join("log/checkpoint"), &checkpoint).unwrap();
        let statements = folder.path().join("statements/000000");
        let last = statements.join(format!("{:03}.jsonl", (size + 699) / 256));
        let text = fs::read_to_string(&last).unwrap();
        fs::write(&last, &text[..text.len() - 3]).unwrap();
        assert_eq!(view(folder.path()).checkpoint().unwrap().1.tree().size, size);
        grow(&mut open(folder.path()), 400);
        assert_eq!(check(&view(folder.path())), size + 400, "{size}");
    }
}

/// Whoever takes away what a crash left may be killed as well: here the last file cannot be removed, so that it stops there.
#[test]
fn what_a_crash_left_is_taken_away_from_its_end_so_that_no_gap_hides_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    grow(&mut ledger, 10);
    let file = |n: u64| folder.path().join(format!("statements/000000/{n:03}.jsonl"));
    fs::write(file(1), "left\n").unwrap();
    fs::write(file(2), "left\n").unwrap();
    fs::create_dir(file(3)).unwrap();
    let failed = ledger.append(&at(1), vec![statement(10)], &mut salts());
    assert!(matches!(failed, Err(LedgerError::Failed { .. })), "{failed:?}");
    assert!(file(1).exists() && file(2).exists(), "a gap");
    fs::remove_dir(file(3)).unwrap();
    grow(&mut ledger, 600);
    assert_eq!(check(&view(folder.path())), 610);
}

#[test]
fn where_the_disk_fails_nothing_is_signed_and_it_goes_on_when_it_works() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    grow(&mut ledger, 10);
    // Where the next tile belongs there is a folder.
    let blocked = folder.path().join("log/tile/0/000.p/15");
    fs::create_dir_all(&blocked).unwrap();
    let failed = ledger.append(&at(1), (10..15).map(statement).collect(), &mut salts());
    assert!(matches!(failed, Err(LedgerError::Failed { .. })), "{failed:?}");
    assert_eq!(check(&view(folder.path())), 10);
    fs::remove_dir(&blocked).unwrap();
    grow(&mut ledger, 5);
    assert_eq!(check(&view(folder.path())), 15);
}

#[test]
fn whoever_waits_too_long_for_another_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let held = fs::File::open(folder.path().join("lock")).unwrap();
    held.lock().unwrap();
    let refused = ledger.append(&at(0), vec![statement(0)], &mut salts());
    assert!(matches!(refused, Err(LedgerError::Failed { .. })), "{refused:?}");
    drop(held);
    grow(&mut ledger, 1);
}

#[test]
fn a_key_is_read_as_it_was_written_and_nothing_else_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger-key");
    key().write(&path).unwrap();
    assert_eq!(SigningKey::read(&path).unwrap().public(), key().public());
    assert!(key().write(&path).is_err(), "no key is written over");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    for wrong in [
        "",
        "PRIVATE+KEY+",
        &text.replace("evidence", "evidenze"),
        &text.replace("KEY+", "KEY-"),
        &text[..text.len() - 9],
    ] {
        fs::write(&path, wrong).unwrap();
        assert!(SigningKey::read(&path).is_err(), "{wrong}");
    }
    for wrong in ["", "two words", "a+b", "a;b", "\u{202e}", "$(x)"] {
        assert!(SigningKey::new(wrong, [1; 32]).is_err(), "{wrong}");
    }
    assert!(Ledger::open(folder.path(), SigningKey::new(&"n".repeat(255), [1; 32]).unwrap()).is_ok());
    assert!(SigningKey::new(&"n".repeat(256), [1; 32]).is_err());
}
