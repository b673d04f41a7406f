//! Wrapped keys: what opens by them, and what does not any more.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use seal::keys::{Erased, Rewrapped};
use seal::limits::{ACCOUNT_BYTES_MAX, DAYS_MAX, ERASING_BYTES_MAX, RETIRED_MAX};
use seal::{AccountKey, Day, EvidenceKey, Keys, PublicKey, Sealer};
use verify::sealed::{KEY_BYTES, split};

const CLEAR: &[u8] = br#""id":"ex_1""#;

fn day(day: u32) -> Day {
    Day::of(&format!("2026-03-{day:02}T09:12:30Z")).unwrap()
}

fn names(accounts: &[&str]) -> BTreeSet<String> {
    accounts.iter().map(|account| (*account).to_owned()).collect()
}

fn erase(keys: &Keys, accounts: &[&str]) -> Erased {
    keys.begin_erasing(&names(accounts)).unwrap();
    keys.finish_erasing().unwrap()
}

/// Three days, on each of which two accounts sent something; the lines.
fn sealed(folder: &Path, public: &PublicKey) -> Vec<(u32, &'static str, Vec<u8>)> {
    let mut sealer = Sealer::new(public.clone(), Keys::open(folder).unwrap());
    let mut lines = Vec::new();
    for n in 1..=3 {
        for account in ["acc_1", "acc_2"] {
            let mut line = Vec::new();
            let text = format!("what {account} asked on day {n}").into_bytes();
            sealer.seal(account, &day(n), CLEAR, text, &mut line).unwrap();
            lines.push((n, account, line));
        }
    }
    sealer.flush(true).unwrap();
    lines
}

/// What a line says, where there is a key for it.
fn open(folder: &Path, key: &EvidenceKey, line: &[u8]) -> Option<String> {
    let (clear, sealed) = split(line).unwrap();
    let found = Keys::open(folder).unwrap().find(&BTreeSet::from([sealed.key.clone()])).unwrap();
    let (day, wrapped) = found.get(&sealed.key)?;
    let record = key.unwrap(wrapped, day).unwrap().record(&sealed.salt).unwrap();
    Some(String::from_utf8(sealed.open(&record, clear).unwrap().to_vec()).unwrap())
}

#[test]
fn what_was_sealed_opens_by_the_evidence_key_and_by_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (key, other) = (EvidenceKey::random().unwrap(), EvidenceKey::random().unwrap());
    let lines = sealed(folder.path(), key.public());
    for (n, account, line) in &lines {
        assert_eq!(open(folder.path(), &key, line).unwrap(), format!("what {account} asked on day {n}"));
    }
    // One key an account and day, one key and one salt a record.
    let keys = Keys::open(folder.path()).unwrap();
    let wrapped = keys.of(&day(1)).unwrap();
    assert_eq!(wrapped.len(), 2);
    assert!(other.unwrap(&wrapped[0], &day(1)).is_err());
    // Bound to its day, its account and its id.
    assert!(key.unwrap(&wrapped[0], &day(1)).is_ok());
    assert!(key.unwrap(&wrapped[0], &day(2)).is_err());
    let with = |account: &str, id: &str| {
        let mut changed = wrapped[0].clone();
        (changed.account, changed.id) = (account.to_owned(), id.to_owned());
        changed
    };
    let (account, id) = (&wrapped[0].account, &wrapped[0].id);
    assert!(key.unwrap(&with(account, id), &day(1)).is_ok());
    assert!(key.unwrap(&with("acc_2", id), &day(1)).is_err());
    assert!(key.unwrap(&with(account, &wrapped[1].id), &day(1)).is_err());
    // On disk there is nothing but wrapped keys, which only their owner may read.
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(folder.path().join("2026-03-01.keys")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn records_of_an_account_have_a_key_each() {
    let key = AccountKey::random().unwrap();
    let of = |byte: u8| key.record(&[byte; KEY_BYTES]).unwrap().to_hex();
    assert_ne!(of(1), of(2));
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), AccountKey::random().unwrap().record(&[1; KEY_BYTES]).unwrap().to_hex());
}

#[test]
fn an_account_that_is_erased_opens_no_more_and_others_do() {
    let folder = tempfile::tempdir().unwrap();
    let key = EvidenceKey::random().unwrap();
    let lines = sealed(folder.path(), key.public());
    let keys = Keys::open(folder.path()).unwrap();
    assert_eq!(erase(&keys, &["acc_1"]), Erased { keys: 3, days: 3 });
    for (_, account, line) in &lines {
        assert_eq!(open(folder.path(), &key, line).is_some(), *account == "acc_2");
    }
    let text = fs::read_to_string(folder.path().join("2026-03-01.keys")).unwrap();
    assert!(!text.contains("acc_1") && text.contains("acc_2"));
    assert_eq!(erase(&keys, &["acc_1"]), Erased::default());
    // A day of which nothing is left has no file.
    erase(&keys, &["acc_2"]);
    assert!(keys.days().unwrap().is_empty());
}

#[test]
fn an_erasure_that_was_interrupted_can_be_finished_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let key = EvidenceKey::random().unwrap();
    let lines = sealed(folder.path(), key.public());
    // As a crash leaves it after the first day.
    Keys::open(folder.path()).unwrap().begin_erasing(&names(&["acc_1"])).unwrap();
    fs::remove_file(folder.path().join("2026-03-01.keys")).unwrap();
    let keys = Keys::open(folder.path()).unwrap();
    assert_eq!(keys.erasing().unwrap(), names(&["acc_1"]));
    // Another one is joined, and takes nothing from the first.
    keys.begin_erasing(&names(&["acc_9"])).unwrap();
    assert_eq!(keys.finish_erasing().unwrap(), Erased { keys: 2, days: 2 });
    assert!(keys.erasing().unwrap().is_empty() && keys.of(&day(3)).unwrap().len() == 1);
    assert!(open(folder.path(), &key, &lines[4].2).is_none());
    // Where it cannot be told who was to be erased, nothing is finished.
    fs::write(folder.path().join("erasing"), "[\"acc").unwrap();
    assert!(keys.finish_erasing().is_err());
}

#[test]
fn what_is_sealed_by_a_key_that_was_erased_stays_closed() {
    let folder = tempfile::tempdir().unwrap();
    let key = EvidenceKey::random().unwrap();
    let mut sealer = Sealer::new(key.public().clone(), Keys::open(folder.path()).unwrap());
    let mut seal = |n: u32| {
        let mut line = Vec::new();
        sealer.seal("acc_1", &day(n), CLEAR, b"text".to_vec(), &mut line).unwrap();
        sealer.flush(true).unwrap();
        line
    };
    let before = seal(1);
    erase(&Keys::open(folder.path()).unwrap(), &["acc_1"]);
    let (same_day, next_day) = (seal(1), seal(2));
    assert!(open(folder.path(), &key, &before).is_none());
    assert!(open(folder.path(), &key, &same_day).is_none());
    assert!(open(folder.path(), &key, &next_day).is_some());
}

#[test]
fn days_are_closed_by_age_but_for_accounts_that_are_held() {
    let folder = tempfile::tempdir().unwrap();
    let key = EvidenceKey::random().unwrap();
    let lines = sealed(folder.path(), key.public());
    let (keys, held) = (Keys::open(folder.path()).unwrap(), names(&["acc_2"]));
    assert_eq!(keys.expired(&day(3), &held).unwrap(), Erased { keys: 2, days: 2 });
    assert_eq!(keys.expire(&day(3), &held).unwrap(), Erased { keys: 2, days: 2 });
    for (n, account, line) in &lines {
        assert_eq!(open(folder.path(), &key, line).is_some(), *n == 3 || *account == "acc_2");
    }
    assert_eq!(keys.expire(&day(3), &held).unwrap(), Erased::default());
}

#[test]
fn another_evidence_key_opens_what_was_sealed_before_and_after_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let old = EvidenceKey::random().unwrap();
    let lines = sealed(folder.path(), old.public());
    let new = old.next().unwrap();
    let opens = |key: &EvidenceKey| {
        lines.iter().all(|(n, account, line)| {
            open(folder.path(), key, line).as_deref() == Some(&*format!("what {account} asked on day {n}"))
        })
    };
    // Before anything is wrapped anew, and after it.
    assert!(opens(&new));
    let keys = Keys::open(folder.path()).unwrap();
    assert_eq!(keys.rewrap(&new).unwrap(), Rewrapped { wrapped: 6, others: 0 });
    assert_eq!(keys.rewrap(&new).unwrap(), Rewrapped::default());
    assert!(opens(&new));
    assert!(old.unwrap(&keys.of(&day(1)).unwrap()[0], &day(1)).is_err());
    // A gateway that was not told yet seals for the old one, which opens still.
    let mut sealer = Sealer::new(old.public().clone(), keys.clone());
    let mut line = Vec::new();
    sealer.seal("acc_3", &day(3), CLEAR, b"late".to_vec(), &mut line).unwrap();
    sealer.flush(true).unwrap();
    assert_eq!(open(folder.path(), &new, &line).as_deref(), Some("late"));
    let third = new.next().unwrap();
    assert_eq!(keys.rewrap(&third).unwrap(), Rewrapped { wrapped: 7, others: 0 });
    assert!(opens(&third));
    // Somebody else's stay as they are.
    assert_eq!(keys.rewrap(&EvidenceKey::random().unwrap()).unwrap(), Rewrapped { wrapped: 0, others: 7 });
    assert!(opens(&third));
    let mut many = old;
    while let Ok(next) = many.next() {
        many = next;
    }
    assert_eq!(
        many.next().unwrap_err().to_string(),
        format!("{RETIRED_MAX} keys are retired; expected at most as many")
    );
}

#[test]
fn late_records_of_earlier_days_share_the_keys_of_those_days() {
    let folder = tempfile::tempdir().unwrap();
    let mut sealer = Sealer::new(EvidenceKey::random().unwrap().public().clone(), Keys::open(folder.path()).unwrap());
    let days = DAYS_MAX as u32;
    for n in (0..20).map(|n| n % days) {
        sealer.seal("acc_1", &day(n + 1), CLEAR, b"text".to_vec(), &mut Vec::new()).unwrap();
    }
    sealer.flush(true).unwrap();
    let keys = Keys::open(folder.path()).unwrap();
    assert!((0..days).all(|n| keys.of(&day(n + 1)).unwrap().len() == 1));
    // With one day more the earliest is forgotten, and gets another key.
    for n in [days, 0] {
        sealer.seal("acc_1", &day(n + 1), CLEAR, b"text".to_vec(), &mut Vec::new()).unwrap();
    }
    sealer.flush(true).unwrap();
    assert_eq!(keys.of(&day(1)).unwrap().len(), 2);
}

#[test]
fn a_line_that_a_crash_cut_off_costs_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let key = EvidenceKey::random().unwrap();
    sealed(folder.path(), key.public());
    let path = folder.path().join("2026-03-01.keys");
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 20]).unwrap();
    let keys = Keys::open(folder.path()).unwrap();
    assert_eq!(keys.of(&day(1)).unwrap().len(), 1);
    // What is added afterwards stands alone.
    let wrapped = key.public().wrap(&AccountKey::random().unwrap(), "acc_3", &day(1)).unwrap();
    keys.add(&day(1), std::slice::from_ref(&wrapped)).unwrap();
    assert_eq!(keys.of(&day(1)).unwrap().last(), Some(&wrapped));
    // What is no key stays where it is, and stops nothing.
    let text = fs::read(&path).unwrap();
    fs::write(&path, [&text[..], &[0; 64], b"\n"].concat()).unwrap();
    assert_eq!(erase(&keys, &["acc_3"]), Erased { keys: 1, days: 1 });
    assert!(fs::read(&path).unwrap().windows(64).any(|window| window == [0; 64]));
    // A pipe in its place is not waited for.
    fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(keys.of(&day(1)).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn names_of_accounts_have_a_limit() {
    let key = EvidenceKey::random().unwrap();
    let wrap = |bytes: usize| key.public().wrap(&AccountKey::random().unwrap(), &"x".repeat(bytes), &day(1));
    assert!(wrap(ACCOUNT_BYTES_MAX).is_ok() && wrap(ACCOUNT_BYTES_MAX + 1).is_err());
}

#[test]
fn what_is_erased_at_once_has_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::open(folder.path()).unwrap();
    // In brackets and quotation marks.
    let name = |bytes: usize| BTreeSet::from(["x".repeat(bytes - 4)]);
    assert!(keys.begin_erasing(&name(ERASING_BYTES_MAX + 1)).is_err());
    assert!(keys.erasing().unwrap().is_empty());
    keys.begin_erasing(&name(ERASING_BYTES_MAX)).unwrap();
    assert_eq!(keys.finish_erasing().unwrap(), Erased::default());
    assert!(keys.erasing().unwrap().is_empty());
}

#[test]
fn public_keys_are_read_strictly() {
    let public = EvidenceKey::random().unwrap().public().clone();
    let text = public.to_string();
    assert_eq!(format!(" {text}\n").parse::<PublicKey>().unwrap(), public);
    for wrong in ["", "stillwatch-evidence+", &text[1..], &text.replacen('+', "+0", 1), &format!("{text}AAAA")] {
        assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
    }
    assert!(Day::of("2026-3-01").is_none() && Day::of("2026").is_none() && Day::of("2026-03-01").is_some());
}
