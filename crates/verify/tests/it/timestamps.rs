//! Timestamps that OpenSSL gave, and what passes for one.

use std::fs;
use std::path::Path;

use ledger::{Ledger, SigningKey, View};
use verify::dated::{BadDate, Dated};
use verify::entry::{EntryTime, Statement};
use verify::exhibit::{self, BadExhibit};
use verify::hash::Hash;
use verify::ledger::BadLedger;
use verify::limits::TIMESTAMP_BYTES_MAX;
use verify::timestamp::{Authorities, BadTimestamp, check, check_answer, request};
use verify::trust::{Lacking, Trust};

use crate::authority::{Authority, openssl, words};

const NONCE: [u8; 8] = [7; 8];

fn authorities(of: &Authority) -> Authorities {
    Authorities::read(&fs::read(of.root()).unwrap()).unwrap()
}

/// Whether OpenSSL takes an answer for one over a file.
fn takes(authority: &Authority, answer: &Path, over: &Path) -> bool {
    let (answer, over, root) = (answer.to_str().unwrap(), over.to_str().unwrap(), authority.root());
    let words = ["ts", "-verify", "-in", answer, "-data", over, "-CAfile", root.to_str().unwrap()];
    openssl(root.parent().unwrap(), &words).status.success()
}

fn text() -> Hash {
    Hash::of(&[b"what was there"])
}

#[test]
fn what_an_authority_signed_counts_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let keys = [
        ("rsa", "-algorithm RSA -pkeyopt rsa_keygen_bits:3072"),
        ("p256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
        ("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
    ];
    let made = |name: &str, key: &str| Authority::made(&folder.path().join(name), &words(key), "timeStamping");
    for (name, key) in keys {
        let authority = made(name, key);
        let answer = authority.answer(&request(&text(), NONCE));
        let stamp = check_answer(&answer, &text(), NONCE, &authorities(&authority)).unwrap();
        assert_eq!(stamp.by.as_deref(), Some("Clock of tests"), "{name}");
        // OpenSSL tells the same time.
        let told = openssl(authority.root().parent().unwrap(), &words("ts -reply -in answer.tsr -text")).stdout;
        let clock = stamp.time.as_str().get(11..19).unwrap();
        assert!(String::from_utf8(told).unwrap().contains(clock), "{stamp:?}");
    }
    let authority = made("one", keys[1].1);
    let answer = authority.answer(&request(&text(), NONCE));
    let trusted = authorities(&authority);
    // Another text, another request, and an authority that nobody named.
    assert_eq!(check(&answer, &Hash::of(&[b"what was not"]), &trusted), Err(BadTimestamp::OtherText));
    assert_eq!(check_answer(&answer, &text(), [8; 8], &trusted), Err(BadTimestamp::OtherRequest));
    let other = made("other", keys[1].1);
    let not_trusted = check(&answer, &text(), &authorities(&other));
    assert!(
        matches!(&not_trusted, Err(BadTimestamp::NotTrusted { name, .. }) if name == "Clock of tests"),
        "{not_trusted:?}"
    );
    // Without any nobody vouches for it.
    assert_eq!(check(&answer, &text(), &Authorities::default()).unwrap().by, None);
    // No bit of what is signed may be another, and no byte may be missing.
    let counted = check(&answer, &text(), &trusted).unwrap();
    for at in 0..answer.len() {
        let mut changed = answer.clone();
        changed[at] ^= 1;
        // The status and the certificate of the root are signed by nobody; what they say is not taken.
        assert!(check(&changed, &text(), &trusted).map_or(true, |stamp| stamp == counted), "byte {at}");
        assert!(check(&answer[..at], &text(), &trusted).is_err(), "{at} bytes");
    }
    assert!(check(&[&answer[..], b"0"].concat(), &text(), &trusted).is_err());
}

/// The same timestamp, signed by the key of somebody else.
fn signed_again(answer: &[u8], by: &Authority) -> Vec<u8> {
    let root = by.root();
    let folder = root.parent().unwrap();
    fs::write(folder.join("other.tsr"), answer).unwrap();
    let steps = [
        "ts -reply -in other.tsr -token_out -out token",
        "cms -verify -noverify -inform DER -in token -out content",
        "cms -sign -binary -cades -in content -econtent_type 1.2.840.113549.1.9.16.1.4 -nodetach -signer leaf.pem -inkey leaf.key -outform DER -out signed",
    ];
    for step in steps {
        let output = openssl(folder, &words(step));
        assert!(output.status.success(), "{step}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let token = fs::read(folder.join("signed")).unwrap();
    let granted = [0x30, 3, 2, 1, 0];
    let length = u16::try_from(granted.len() + token.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82], &length[..], &granted, &token].concat()
}

#[test]
fn a_certificate_that_is_for_something_else_gives_no_timestamps() {
    let folder = tempfile::tempdir().unwrap();
    let key = words("-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    let made = |name: &str, usage: &str| Authority::made(&folder.path().join(name), &key, usage);
    let (one, time, web) = (made("one", "timeStamping"), made("time", "timeStamping"), made("web", "serverAuth"));
    // Certificates count from the second in which they were made: the time comes after all of them.
    let answer = one.answer(&request(&text(), NONCE));
    let by_time = check(&signed_again(&answer, &time), &text(), &authorities(&time));
    assert_eq!(by_time.unwrap().by.as_deref(), Some("Clock of tests"));
    let by_web = check(&signed_again(&answer, &web), &text(), &authorities(&web));
    assert!(
        matches!(&by_web, Err(BadTimestamp::NotTrusted { reason, .. }) if reason.contains("EKU") || reason.contains("Eku")),
        "{by_web:?}"
    );
}

#[test]
fn refusals_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::of_rsa(folder.path());
    // SHA-1 in place of SHA-256, which this authority does not stamp.
    let mut asked = request(&text(), NONCE);
    asked[15] = 4;
    assert_eq!(check(&authority.answer(&asked), &text(), &authorities(&authority)), Err(BadTimestamp::Refused(2)));
}

/// A ledger with 300 entries of now, of which the checkpoints of 100 and of 300 entries are stamped.
fn stamped(folder: &Path, authority: &Authority) -> Ledger {
    let mut ledger = Ledger::open(folder, SigningKey::new("evidence.example.com", [7; 32]).unwrap()).unwrap();
    for _ in 0..3 {
        grow(&mut ledger, &now(authority));
        if ledger.tree().size != 200 {
            stamp(ledger.view(), authority);
        }
    }
    ledger
}

/// The time of an authority's clock.
fn now(authority: &Authority) -> EntryTime {
    check(&authority.answer(&request(&text(), NONCE)), &text(), &Authorities::default()).unwrap().time
}

fn grow(ledger: &mut Ledger, at: &EntryTime) {
    let statement = |n: u64| Statement {
        at: String::new(),
        kind: "verdict".to_owned(),
        actor: "person:ann".to_owned(),
        reason: None,
        subject: format!("campaign:cmp_{n}"),
        before: None,
        after: None,
        detail: serde_json::Value::Null,
    };
    ledger.append(at, (0..100).map(statement).collect(), &mut || Some([3; 32])).unwrap();
}

fn stamp(view: &View, authority: &Authority) {
    let (_, signed) = view.checkpoint().unwrap();
    let checkpoint = signed.checkpoint().to_string();
    let answer = authority.answer(&request(&Hash::of(&[checkpoint.as_bytes()]), NONCE));
    view.keep_timestamp(signed.tree().size, &Dated { checkpoint, answer }).unwrap();
}

fn trust(view: &View, authority: &Authority) -> Trust {
    Trust::new(view.key().clone(), Vec::new(), authorities(authority)).unwrap()
}

fn whole(view: &View, folder: &Path, authority: &Authority) -> Result<verify::ledger::Checked, BadLedger> {
    verify::ledger::check(&ledger::Folder::new(folder), &trust(view, authority))
}

fn receipt(view: &View, index: u64) -> String {
    let known = view.entry(index, view.checkpoint().unwrap().1.tree().size).unwrap();
    let timestamp = view.timestamp(index).unwrap();
    let receipt = view.receipt(index).unwrap();
    exhibit::exhibit(receipt, &known.entry, known.opening, timestamp.as_ref()).unwrap().to_string()
}

#[test]
fn receipts_have_the_first_timestamp_over_their_entry_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::of_rsa(&folder.path().join("authority"));
    let place = folder.path().join("ledger");
    let ledger = stamped(&place, &authority);
    let view = ledger.view();
    let checked = whole(view, &place, &authority).unwrap();
    assert_eq!((checked.timestamps, checked.last_timestamp.map(|(size, _)| size)), (2, Some(300)));
    // What OpenSSL gave it takes back, as the files are.
    let file = |name: &str| place.join("timestamps").join(name);
    let (answer, over) = (file("00000000000000000100.tsr"), file("00000000000000000100.checkpoint"));
    assert!(takes(&authority, &answer, &over));
    assert!(!takes(&authority, &answer, &file("00000000000000000300.checkpoint")));
    for (index, size) in [(0, 100), (99, 100), (100, 300), (299, 300)] {
        let timestamp = view.timestamp(index).unwrap().unwrap();
        assert!(timestamp.dated.checkpoint.contains(&format!("\n{size}\n")), "{index}");
        let text = receipt(view, index);
        let shown = exhibit::check(&text, &trust(view, &authority)).unwrap();
        assert_eq!(shown.stamp.unwrap().by.as_deref(), Some("Clock of tests"));
        assert!(text.len() < 16 * 1024, "{} bytes", text.len());
    }
    // The timestamp of another entry's receipt.
    let known = view.entry(5, 300).unwrap();
    let mut other = view.timestamp(5).unwrap().unwrap();
    other.proof = view.timestamp(6).unwrap().unwrap().proof;
    let moved = exhibit::exhibit(view.receipt(5).unwrap(), &known.entry, None, Some(&other)).unwrap().to_string();
    let moved = exhibit::check(&moved, &trust(view, &authority));
    assert!(matches!(&moved, Err(BadExhibit::Timestamp(why)) if why.contains("100 entries")), "{moved:?}");
    // None where one is asked for.
    let bare = exhibit::exhibit(view.receipt(5).unwrap(), &known.entry, None, None).unwrap().to_string();
    let bare = exhibit::check(&bare, &trust(view, &authority));
    assert_eq!(bare, Err(BadExhibit::Lacking(Lacking::Timestamp)));
    fs::remove_dir_all(place.join("timestamps")).unwrap();
    assert!(matches!(whole(view, &place, &authority), Err(BadLedger::Lacking(Lacking::Timestamp))));
}

#[test]
fn entries_that_were_backdated_are_told_by_timestamps() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::of_rsa(&folder.path().join("authority"));
    let key = || SigningKey::new("evidence.example.com", [7; 32]).unwrap();
    let is = |place: &Path, view: &View, index: u64, is_ahead: bool| match whole(view, place, &authority) {
        Err(BadLedger::Timestamp { source: BadDate::Backdated { index: found, .. }, .. }) => {
            !is_ahead && found == index
        }
        Err(BadLedger::Timestamp { source: BadDate::Ahead { index: found, .. }, .. }) => is_ahead && found == index,
        _ => false,
    };
    let time = |text: &str| EntryTime::parse(text).unwrap();
    // Entries that are there later than they say.
    let place = folder.path().join("backdated");
    let mut ledger = Ledger::open(&place, key()).unwrap();
    grow(&mut ledger, &time("2026-03-01T09:12:30.000000000Z"));
    stamp(ledger.view(), &authority);
    assert!(whole(ledger.view(), &place, &authority).is_ok());
    grow(&mut ledger, &time("2026-03-01T09:12:31.000000000Z"));
    assert!(is(&place, ledger.view(), 100, false));
    // Entries that say a time that has not come yet.
    let place = folder.path().join("ahead");
    let mut ledger = Ledger::open(&place, key()).unwrap();
    grow(&mut ledger, &time("2300-03-01T09:12:30.000000000Z"));
    stamp(ledger.view(), &authority);
    assert!(is(&place, ledger.view(), 99, true));
    let shown = exhibit::check(&receipt(ledger.view(), 99), &trust(ledger.view(), &authority));
    assert!(matches!(&shown, Err(BadExhibit::Timestamp(why)) if why.contains("the clock was wrong")), "{shown:?}");
}

#[test]
fn a_ledger_that_was_rewritten_with_its_own_key_does_not_fit_its_timestamps() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::of_rsa(&folder.path().join("authority"));
    let place = folder.path().join("ledger");
    stamped(&place, &authority);
    let kept = folder.path().join("kept");
    fs::rename(place.join("timestamps"), &kept).unwrap();
    fs::remove_dir_all(&place).unwrap();
    // Another history with the same key, and the timestamps of the first one.
    let mut other = Ledger::open(&place, SigningKey::new("evidence.example.com", [7; 32]).unwrap()).unwrap();
    let earlier = EntryTime::parse("2026-03-01T09:12:30.000000000Z").unwrap();
    (0..3).for_each(|_| grow(&mut other, &earlier));
    assert!(verify::ledger::check(&ledger::Folder::new(&place), &trust(other.view(), &authority)).is_err());
    fs::rename(&kept, place.join("timestamps")).unwrap();
    let rewritten = whole(other.view(), &place, &authority);
    assert!(matches!(rewritten, Err(BadLedger::Timestamp { source: BadDate::OtherRoot(100), .. })), "{rewritten:?}");
}

#[test]
fn authorities_that_were_not_named_are_passed_over_and_a_ledger_that_was_put_back_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::of_rsa(&folder.path().join("authority"));
    let other = Authority::of_rsa(&folder.path().join("other"));
    let place = folder.path().join("ledger");
    let mut ledger = stamped(&place, &authority);
    grow(&mut ledger, &now(&authority));
    stamp(ledger.view(), &other);
    let counts = |by: &Authority| whole(ledger.view(), &place, by).map(|checked| checked.timestamps);
    assert_eq!((counts(&authority).unwrap(), counts(&other).unwrap()), (2, 1));
    // One that is none is no reason for no other.
    let garbage = place.join("timestamps/00000000000000000200.tsr");
    fs::write(&garbage, "x").unwrap();
    fs::write(place.join("timestamps/00000000000000000200.checkpoint"), "x").unwrap();
    let first = ledger.view().timestamp(150).unwrap().unwrap();
    assert!(first.dated.checkpoint.contains("\n300\n"));
    assert!(counts(&authority).is_err());
    fs::remove_file(&garbage).unwrap();
    // The same ledger with fewer entries, and the timestamps that it had.
    let older = folder.path().join("older");
    let mut ledger = Ledger::open(&older, SigningKey::new("evidence.example.com", [7; 32]).unwrap()).unwrap();
    grow(&mut ledger, &now(&authority));
    fs::rename(place.join("timestamps"), older.join("timestamps")).unwrap();
    fs::remove_file(older.join("timestamps/00000000000000000100.tsr")).unwrap();
    let back = whole(ledger.view(), &older, &authority);
    let is_told =
        matches!(back, Err(BadLedger::Timestamp { source: BadDate::PutBack { stamped: 300, size: 100 }, .. }));
    assert!(is_told, "{back:?}");
}

#[test]
fn what_is_read_of_timestamps_has_limits() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::of_rsa(&folder.path().join("authority"));
    let place = folder.path().join("ledger");
    let ledger = stamped(&place, &authority);
    let path = place.join("timestamps/00000000000000000100.tsr");
    let mut answer = fs::read(&path).unwrap();
    answer.resize(TIMESTAMP_BYTES_MAX, 0);
    fs::write(&path, &answer).unwrap();
    let at_limit = whole(ledger.view(), &place, &authority);
    assert!(matches!(at_limit, Err(BadLedger::Timestamp { source: BadDate::Timestamp(_), .. })), "{at_limit:?}");
    answer.push(0);
    fs::write(&path, &answer).unwrap();
    let over = whole(ledger.view(), &place, &authority);
    assert!(matches!(over, Err(BadLedger::Timestamp { source: BadDate::Unread(_), .. })), "{over:?}");
    let pem = fs::read(authority.root()).unwrap();
    let many = |count: usize| pem.repeat(count);
    assert!(Authorities::read(&many(16)).is_ok());
    assert!(Authorities::read(&many(17)).is_err());
    assert!(Authorities::read(b"").is_err());
}
