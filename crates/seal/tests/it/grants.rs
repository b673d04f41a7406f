//! Key files: who may use the private half, for what.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use seal::grant::ADMINISTRATION;
use seal::limits::{GRANTS_MAX, KEY_FILE_BYTES_MAX, PASSPHRASE_BYTES_MAX, WORD_BYTES_MAX};
use seal::{EvidenceKey, KeyFile, Lock};
use zeroize::Zeroizing;

fn words(text: &str) -> Lock {
    Lock::Passphrase(Zeroizing::new(text.to_owned()))
}

fn purposes(list: &[&str]) -> Vec<String> {
    list.iter().map(|purpose| (*purpose).to_owned()).collect()
}

/// A key file of Ann, who administers, and the key.
fn made() -> (KeyFile, EvidenceKey) {
    let key = EvidenceKey::random().unwrap();
    let file = KeyFile::new(&key, "ann", &purposes(&[ADMINISTRATION]), &words("ann's")).unwrap();
    (file, key)
}

/// A program that others' key services stand for: it turns every letter into another one, and back.
fn service(folder: &Path, body: &str) -> Lock {
    let path = folder.join("service");
    // Written by another process, so that no test beside this one has it open for writing when it is run.
    let mut made = Command::new("sh");
    made.arg("-c").arg(r#"printf '#!/bin/sh\n%s\n' "$1" > "$0" && chmod 700 "$0""#).arg(&path).arg(body);
    assert!(made.status().unwrap().success());
    Lock::Command(path)
}

#[test]
fn a_grant_opens_by_its_own_lock_and_for_its_own_purposes() {
    let (mut file, key) = made();
    file.grant(&key, "bob", &purposes(&["investigation", "appeal"]), &words("bob's")).unwrap();
    let opened = file.open("bob", "appeal", &words("bob's")).unwrap();
    assert_eq!((opened.name.as_str(), opened.purpose.as_str(), opened.key.public()), ("bob", "appeal", key.public()));
    let why = |name: &str, purpose: &str, lock: &str| file.open(name, purpose, &words(lock)).unwrap_err().to_string();
    assert!(why("bob", "appeal", "ann's").contains("does not open it"));
    assert!(why("bob", ADMINISTRATION, "bob's").contains("granted is investigation, appeal"));
    assert!(why("eve", "appeal", "bob's").contains("granted is to ann, bob"));
    assert!(why("bob", "appeal", "").contains("expected a passphrase of 1 to"));
    // Another grant takes the place of the first.
    file.grant(&key, "bob", &purposes(&["legal"]), &words("new")).unwrap();
    assert!(file.open("bob", "appeal", &words("bob's")).is_err() && file.open("bob", "legal", &words("new")).is_ok());
    assert!(file.revoke("bob").is_ok() && file.revoke("bob").is_err());
    assert!(file.open("bob", "legal", &words("new")).is_err());
    // Somebody has to be able to grant.
    assert!(file.revoke("ann").is_err() && file.grant(&key, "ann", &purposes(&["legal"]), &words("ann's")).is_err());
    assert!(file.open("ann", ADMINISTRATION, &words("ann's")).is_ok());
}

#[test]
fn a_rotated_key_file_opens_by_both_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.key");
    let (_, old) = made();
    let new = old.next().unwrap();
    let file = KeyFile::new(&new, "ann", &purposes(&[ADMINISTRATION]), &words("ann's")).unwrap();
    file.write(&path).unwrap();
    let opened = KeyFile::read(&path).unwrap().open("ann", ADMINISTRATION, &words("ann's")).unwrap().key;
    let day = seal::Day::of("2026-03-01").unwrap();
    for key in [&old, &new] {
        let wrapped = key.public().wrap(&seal::AccountKey::random().unwrap(), "acc_1", &day).unwrap();
        assert!(opened.unwrap(&wrapped, &day).is_ok());
    }
    assert_eq!(opened.public(), new.public());
}

#[test]
fn whoever_can_write_the_file_cannot_widen_a_grant() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.key");
    let (mut file, key) = made();
    file.grant(&key, "bob", &purposes(&["appeal"]), &words("bob's")).unwrap();
    file.write(&path).unwrap();
    assert_eq!(KeyFile::read(&path).unwrap(), file);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("bob's"));
    let with = |from: &str, to: &str| {
        assert!(text.contains(from));
        fs::write(&path, text.replace(from, to)).unwrap();
        KeyFile::read(&path)
    };
    let wider = with("\"appeal\"", "\"administration\"").unwrap();
    assert!(wider.open("bob", ADMINISTRATION, &words("bob's")).is_err());
    let renamed = with("\"bob\"", "\"eve\"").unwrap();
    assert!(renamed.open("eve", "appeal", &words("bob's")).is_err());
    // The name and a purpose as one word, which another name would pass for.
    assert!(with("\"bob\"", "\"bob\\nappeal\"").is_err() && with("\"bob\"", "\"ann\"").is_err());
    // The public half of somebody else, for whom the gateway would seal.
    let public = key.public().to_string();
    let other = EvidenceKey::random().unwrap().public().to_string();
    assert!(with(&public, &other).unwrap().open("bob", "appeal", &words("bob's")).is_err());
    let memory =
        with("\"kib\": 65536", "\"kib\": 4194304").unwrap().open("bob", "appeal", &words("bob's")).unwrap_err();
    assert!(memory.to_string().contains("KiB of memory"), "{memory}");
    let passes = with("\"passes\": 3", "\"passes\": 17").unwrap().open("bob", "appeal", &words("bob's")).unwrap_err();
    assert!(passes.to_string().contains("17 passes"), "{passes}");
    assert!(with("evidence key 1", "evidence key 2").is_err());
}

#[test]
fn a_command_locks_and_unlocks_and_what_goes_wrong_with_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (mut file, key) = made();
    let rot = service(folder.path(), "tr 'A-Za-z' 'N-ZA-Mn-za-m'");
    file.grant(&key, "carl", &purposes(&["legal"]), &rot).unwrap();
    assert_eq!(file.open("carl", "legal", &rot).unwrap().key.public(), key.public());
    // Another service, none, and a passphrase in its place.
    let why = |lock: &Lock| file.open("carl", "legal", lock).unwrap_err().to_string();
    assert!(
        why(&service(folder.path(), "echo AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")).contains("does not open it")
    );
    assert!(why(&service(folder.path(), "echo no >&2; exit 3")).contains("ended with exit status: 3"));
    assert!(why(&service(folder.path(), "true")).contains("expected one line"));
    // What it leaves behind is not waited for.
    let left = service(folder.path(), "tr 'A-Za-z' 'N-ZA-Mn-za-m'; sleep 100 &");
    assert_eq!(file.open("carl", "legal", &left).unwrap().key.public(), key.public());
    assert!(why(&service(folder.path(), "echo AAAA")).contains("something else than 32 bytes"));
    assert!(why(&Lock::Command(folder.path().join("none"))).contains("none unwrap: No such file"));
    assert!(why(&words("x")).contains("locked by a command, and not by a passphrase"));
    let ann = file.open("ann", ADMINISTRATION, &rot).unwrap_err().to_string();
    assert!(ann.contains("locked by a passphrase, and not by the command"), "{ann}");
}

#[test]
fn grants_have_limits() {
    let folder = tempfile::tempdir().unwrap();
    let quick = service(folder.path(), "cat");
    let key = EvidenceKey::random().unwrap();
    let mut file = KeyFile::new(&key, "p0", &purposes(&[ADMINISTRATION]), &quick).unwrap();
    for n in 1..GRANTS_MAX {
        file.grant(&key, &format!("p{n}"), &purposes(&["x"]), &quick).unwrap();
    }
    assert!(file.grant(&key, "more", &purposes(&["x"]), &quick).is_err());
    assert!(file.grant(&key, "p3", &purposes(&["y"]), &quick).is_ok());
    let word = |bytes: usize| KeyFile::new(&key, &"n".repeat(bytes), &purposes(&[ADMINISTRATION]), &quick);
    assert!(word(WORD_BYTES_MAX).is_ok() && word(WORD_BYTES_MAX + 1).is_err() && word(0).is_err());
    assert!(KeyFile::new(&key, "two words", &purposes(&[ADMINISTRATION]), &quick).is_err());
    assert!(KeyFile::new(&key, "ann", &[], &quick).is_err());
    let passphrase = |bytes: usize| KeyFile::new(&key, "ann", &purposes(&[ADMINISTRATION]), &words(&"w".repeat(bytes)));
    assert!(passphrase(PASSPHRASE_BYTES_MAX).is_ok() && passphrase(PASSPHRASE_BYTES_MAX + 1).is_err());
    let path = folder.path().join("key");
    let sized = |bytes: usize| {
        fs::write(&path, " ".repeat(bytes)).unwrap();
        KeyFile::read(&path).unwrap_err().to_string()
    };
    assert!(sized(KEY_FILE_BYTES_MAX).contains("expected the key file"));
    assert!(sized(KEY_FILE_BYTES_MAX + 1).contains("cannot be read"));
}
