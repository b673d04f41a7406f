//! Whoever changes what was written is found out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ledger::{Ledger, LedgerError, SigningKey};
use verify::checkpoint::{BadCheckpoint, SignedCheckpoint};
use verify::note::BadNote;
use verify::receipt::{BadReceipt, Receipt};

use crate::stand::{NAME, at, check, grow, key, open, salts, statement, view};

/// A copy of a folder, as a thief or a backup has one.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("log")
}

#[test]
fn a_receipt_counts_for_its_entry_and_for_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    grow(&mut open(folder.path()), 300);
    let view = view(folder.path());
    let (key, other) = (key(), SigningKey::new(NAME, [8; 32]).unwrap());
    let text = view.receipt(77).unwrap().to_string();
    let receipt = Receipt::parse(&text).unwrap();
    assert_eq!(receipt.to_string(), text);
    let entry = view.tiles().entry(77, 300).unwrap();
    assert_eq!(receipt.check(&entry, key.public(), &[]).unwrap().tree().size, 300);
    // Another entry, a flipped bit, another place, a proof with a hash more or less, or two in the other order.
    let not_included = |receipt: &Receipt, entry: &[u8]| {
        matches!(receipt.check(entry, key.public(), &[]), Err(BadReceipt::NotIncluded { .. }))
    };
    assert!(not_included(&receipt, &view.tiles().entry(78, 300).unwrap()));
    for bit in 0..entry.len() * 8 {
        let mut flipped = entry.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(not_included(&receipt, &flipped), "{bit}");
    }
    for index in (0..400).filter(|index| *index != 77) {
        assert!(not_included(&Receipt { index, ..receipt.clone() }, &entry), "{index}");
    }
    let mut changed = receipt.clone();
    changed.proof.swap(0, 1);
    assert!(not_included(&changed, &entry));
    changed.proof.swap(0, 1);
    changed.proof.push(changed.proof[0]);
    assert!(not_included(&changed, &entry));
    changed.proof.truncate(3);
    assert!(not_included(&changed, &entry));
    // A key of the same name, and a checkpoint that was changed.
    let by_other = receipt.check(&entry, other.public(), &[]);
    assert!(matches!(by_other, Err(BadReceipt::Checkpoint(BadCheckpoint::NotByLog(_)))), "{by_other:?}");
    let larger = Receipt { checkpoint: receipt.checkpoint.replace("\n300\n", "\n301\n"), ..receipt.clone() };
    let larger = larger.check(&entry, key.public(), &[]);
    assert!(
        matches!(larger, Err(BadReceipt::Checkpoint(BadCheckpoint::Note(BadNote::WrongSignature(_))))),
        "{larger:?}"
    );
    for cut in 0..text.len() {
        let part = text.get(..cut).map(Receipt::parse);
        let counts = part.and_then(Result::ok).is_some_and(|part| part.check(&entry, key.public(), &[]).is_ok());
        assert!(!counts, "{cut} bytes of it");
    }
}

#[test]
fn a_flipped_bit_in_any_file_of_the_log_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    grow(&mut ledger, 256);
    grow(&mut ledger, 44);
    let files =
        ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44", "checkpoint"];
    for name in files {
        let path = log(folder.path()).join(name);
        let right = fs::read(&path).unwrap();
        for place in (0..right.len()).step_by(right.len() / 13) {
            let mut wrong = right.clone();
            wrong[place] ^= 4;
            fs::write(&path, &wrong).unwrap();
            let found = verify::log::check(&view(folder.path()).tiles().clone(), key().public(), &[]);
            assert!(found.is_err(), "{name}, byte {place}");
        }
        fs::write(&path, &right).unwrap();
    }
    let whole = verify::log::check(&view(folder.path()).tiles().clone(), key().public(), &[]).unwrap();
    assert_eq!(whole.tree().size, 300);
}

#[test]
fn entries_that_are_removed_reordered_or_put_in_again_are_found() {
    let folder = tempfile::tempdir().unwrap();
    grow(&mut open(folder.path()), 300);
    let view = view(folder.path());
    let path = log(folder.path()).join("tile/entries/001.p/44");
    let entries = view.tiles().entries(1, 300).unwrap();
    let write = |entries: &[Vec<u8>]| {
        let length = |entry: &[u8]| u16::try_from(entry.len()).unwrap().to_be_bytes();
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| [&length(entry)[..], entry].concat()).collect();
        fs::write(&path, bytes).unwrap();
    };
    let is_found = || verify::log::check(view.tiles(), key().public(), &[]).is_err();
    write(&entries);
    assert!(!is_found());
    write(&entries[..43]);
    assert!(is_found(), "removed");
    let mut other = entries.clone();
    other.swap(3, 4);
    write(&other);
    assert!(is_found(), "reordered");
    other.clone_from(&entries);
    other[5] = other[4].clone();
    write(&other);
    assert!(is_found(), "replayed");
}

#[test]
fn a_checkpoint_that_is_put_back_is_not_signed_over() {
    let (folder, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut ledger = open(folder.path());
    grow(&mut ledger, 10);
    copy(folder.path(), backup.path());
    grow(&mut ledger, 5);
    copy(&log(backup.path()), &log(folder.path()));
    let refused = ledger.append(&at(1), vec![statement(15)], &mut salts());
    assert!(matches!(refused, Err(LedgerError::NotContinued { known: 15, found: 10, .. })), "{refused:?}");
    assert_eq!(check(&view(folder.path())), 10, "nothing was written");
}

#[test]
fn a_fork_is_not_gone_on_from_and_two_checkpoints_prove_it() {
    let (folder, fork) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut ledger = open(folder.path());
    grow(&mut ledger, 10);
    copy(folder.path(), fork.path());
    grow(&mut ledger, 5);
    let mut other = open(fork.path());
    other.append(&at(3), (0..20).map(|_| statement(99)).collect(), &mut salts()).unwrap();
    copy(&log(fork.path()), &log(folder.path()));
    let refused = ledger.append(&at(1), vec![statement(15)], &mut salts());
    assert!(matches!(refused, Err(LedgerError::NotContinued { known: 15, found: 30, .. })), "{refused:?}");
}

#[test]
fn a_log_of_another_key_or_another_name_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    grow(&mut open(folder.path()), 3);
    for other in [SigningKey::new(NAME, [8; 32]).unwrap(), SigningKey::new("other.example.com", [7; 32]).unwrap()] {
        let refused = Ledger::open(folder.path(), other);
        assert!(matches!(refused, Err(LedgerError::OtherKey { .. })), "{refused:?}");
    }
}

#[test]
fn tiles_that_are_not_those_of_the_checkpoint_are_not_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    grow(&mut open(folder.path()), 3);
    let tile = log(folder.path()).join("tile/0/000.p/3");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[0] ^= 1;
    fs::write(&tile, bytes).unwrap();
    assert!(matches!(
        Ledger::open(folder.path(), key()),
        Err(LedgerError::NotContinued { .. } | LedgerError::OtherRoot(_))
    ));
}

#[test]
fn a_statement_that_is_changed_is_found_and_one_that_is_destroyed_leaves_the_log_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    grow(&mut ledger, 300);
    let path = folder.path().join("statements/000000/001.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("person:ann", "person:bob", 1)).unwrap();
    let changed = view(folder.path()).part(1, 300);
    assert!(matches!(changed, Err(LedgerError::Opening { index: 256, .. })), "{changed:?}");
    fs::write(&path, &text).unwrap();
    ledger.destroy(&BTreeSet::from([7, 256, 299])).unwrap();
    let left = fs::read_to_string(&path).unwrap();
    assert!(!left.contains("cmp_256") && !left.contains("cmp_299") && left.contains("cmp_298"));
    let known = view(folder.path()).entry(256, 300).unwrap();
    assert!(known.statement.is_none() && known.opening.is_none());
    verify::log::check(view(folder.path()).tiles(), key().public(), &[]).unwrap();
    grow(&mut ledger, 1);
    assert!(view(folder.path()).entry(299, 301).unwrap().statement.is_none());
    assert!(view(folder.path()).entry(300, 301).unwrap().statement.is_some());
}

#[test]
fn a_checkpoint_with_a_signature_twice_counts_it_once() {
    let folder = tempfile::tempdir().unwrap();
    grow(&mut open(folder.path()), 3);
    let (note, _) = view(folder.path()).checkpoint().unwrap();
    let line = note.lines().last().unwrap();
    let twice = format!("{note}{line}\n");
    let signed = SignedCheckpoint::parse(&twice, key().public(), &[]).unwrap();
    assert_eq!(signed.signed().len(), 1);
}

#[test]
fn a_ledger_without_its_checkpoint_is_not_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    grow(&mut ledger, 10);
    let kept = ledger.note().to_owned();
    fs::remove_file(log(folder.path()).join("checkpoint")).unwrap();
    let statements = fs::read(folder.path().join("statements/000000/000.jsonl")).unwrap();
    assert!(matches!(Ledger::open(folder.path(), key()), Err(LedgerError::NoCheckpoint(_))));
    assert_eq!(fs::read(folder.path().join("statements/000000/000.jsonl")).unwrap(), statements, "nothing is lost");
    fs::write(log(folder.path()).join("checkpoint"), &kept).unwrap();
    let mut ledger = open(folder.path());
    grow(&mut ledger, 3);
    // Whoever kept a checkpoint can see that it goes on from there, and that another does not.
    ledger.goes_on_from(&kept).unwrap();
    let other = tempfile::tempdir().unwrap();
    let mut fork = open(other.path());
    fork.append(&at(0), vec![statement(5)], &mut salts()).unwrap();
    let shorter = fork.note().to_owned();
    grow(&mut fork, 30);
    for note in [shorter.as_str(), fork.note()] {
        assert!(matches!(ledger.goes_on_from(note), Err(LedgerError::NotContinued { .. })));
    }
}
