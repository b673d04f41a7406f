//! What changes do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use exchange::Time;
use lake::objects::Objects;
use lake::place::Day;
use lake::{Lake, LakeError, Mode, copy};

use super::help::{DAY, Dying, FINGERPRINTS, START, accounts, begin, erase, folder, ids, row, sealed};

fn day(text: &str) -> Day {
    Day::named(text).unwrap()
}

/// A lake of three days, ten accounts, thirty rows an account and day, in three lots a day.
fn filled(place: &std::path::Path) {
    let mut changing = begin(place).change().unwrap();
    for lot in 0..9 {
        let mut adding = changing.add(None);
        for n in 0..100 {
            let at = START + (lot / 3) * DAY + n;
            adding.push(row((lot * 100 + n) as usize, &format!("acc_{}", n % 10), at)).unwrap();
        }
        adding.finish().unwrap();
    }
    let facts = (0..10).map(|n| format!("{{\"time\":{START},\"account\":\"acc_{n}\",\"plan\":\"free\"}}\n"));
    changing.add_facts(&facts.collect::<String>()).unwrap();
}

#[test]
fn what_is_added_twice_is_there_once() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path());
    let once = ids(place.path());
    assert!(once.len() == 900 && once.values().all(|count| *count == 1));
    filled(place.path());
    assert_eq!(ids(place.path()), once);
    let mut changing = begin(place.path()).change().unwrap();
    changing.merge(&day("2030-01-01"), 2, Mode::Do, &mut |_, _| {}).unwrap();
    drop(changing);
    // Also where the parts were merged meanwhile.
    filled(place.path());
    assert_eq!(ids(place.path()), once);
}

#[test]
fn parts_are_put_together_when_their_day_is_over_or_there_are_many() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path());
    let lake = || Lake::open(folder(place.path())).unwrap();
    let parts = || lake().parts().unwrap().live.len();
    let before = parts();
    let mut changing = lake().change().unwrap();
    let would = changing.merge(&day("2026-05-29"), 4, Mode::Count, &mut |_, _| {}).unwrap();
    assert_eq!(parts(), before);
    let mut steps = Vec::new();
    let changed = changing.merge(&day("2026-05-29"), 4, Mode::Do, &mut |done, of| steps.push((done, of))).unwrap();
    assert_eq!((changed.rows, changed.written, changed.removed), (would.rows, would.written, would.removed));
    assert_eq!(changed.rows, 300);
    assert_eq!(steps.last(), Some(&(changed.written as usize, changed.written as usize)));
    assert_eq!(parts(), before - changed.removed as usize);
    let changed = changing.merge(&day("2026-05-29"), 3, Mode::Do, &mut |_, _| {}).unwrap();
    assert_eq!(changed.rows, 600);
    assert_eq!(changing.merge(&day("2030-01-01"), 2, Mode::Do, &mut |_, _| {}).unwrap(), lake::Changed::default());
    assert_eq!(ids(place.path()).len(), 900);
}

#[test]
fn an_erased_account_is_gone_and_does_not_come_back() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path());
    let mut changing = Lake::open(folder(place.path())).unwrap().change().unwrap();
    let until = Time::from_seconds(START + DAY + 50);
    let would = changing.would_erase(&accounts(&["acc_3", "acc_none"]), until, &mut |_, _| {}).unwrap();
    assert_eq!(ids(place.path()).len(), 900);
    let changed = erase(&mut changing, &["acc_3", "acc_none"], until);
    assert_eq!((changed.rows, changed.written, changed.removed), (would.rows, would.written, would.removed));
    // All of the first day, and those of the second up to the time.
    assert_eq!(changed.rows, 30 + 15);
    drop(changing);
    let left = |account: &str| ids(place.path()).keys().filter(|(of, _)| of == account).count();
    assert_eq!((left("acc_3"), left("acc_4")), (45, 90));
    let bytes = |path: &std::path::Path| fs::read_to_string(path).unwrap_or_default();
    assert!(!bytes(&place.path().join("_accounts.jsonl")).contains("acc_3"));
    assert!(bytes(&place.path().join("_accounts.jsonl")).contains("acc_4"));
    filled(place.path());
    assert_eq!((left("acc_3"), left("acc_4")), (45, 90));
    assert!(!bytes(&place.path().join("_accounts.jsonl")).contains("acc_3"));
    let lake = Lake::open(folder(place.path())).unwrap();
    let checked = lake.check(&mut |_, _| {}, &mut |_| None).unwrap();
    assert_eq!((checked.faults, checked.rows), (Vec::<String>::new(), 855));
    let many: BTreeSet<String> = (0..=lake::limits::ERASED_AT_ONCE_MAX).map(|n| format!("acc_{n}")).collect();
    let mut changing = lake.change().unwrap();
    assert!(matches!(changing.begin_erasing(&many, until), Err(LakeError::TooMany(10_001))));
    let fitting = many.into_iter().skip(1).collect();
    changing.begin_erasing(&fitting, Time::from_seconds(0)).unwrap();
    assert_eq!(changing.unfinished().len(), 10_000);
    changing.finish_erasing(&mut |_, _| {}).unwrap();
    assert!(changing.unfinished().is_empty());
    // An earlier erasure holds on: a later one of less takes nothing back.
    drop(changing);
    filled(place.path());
    assert_eq!(left("acc_3"), 45);
}

#[test]
fn days_are_closed_but_for_held_accounts() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path());
    let mut changing = Lake::open(folder(place.path())).unwrap().change().unwrap();
    let held = accounts(&["acc_7"]);
    let would = changing.expire(&day("2026-05-30"), &held, Mode::Count, &mut |_, _| {}).unwrap();
    let changed = changing.expire(&day("2026-05-30"), &held, Mode::Do, &mut |_, _| {}).unwrap();
    assert_eq!((would.rows, would.removed, would.written), (changed.rows, changed.removed, changed.written));
    assert_eq!(changed.rows, 600 - 60);
    let left = ids(place.path());
    assert_eq!(left.len(), 360);
    assert_eq!(left.keys().filter(|(account, _)| account == "acc_7").count(), 90);
    let stat = changing.lake().stat(&mut |_, _| {}).unwrap();
    let days: Vec<(&str, u64, u64)> = stat.days.iter().map(|(day, of)| (day.as_str(), of.rows, of.accounts)).collect();
    assert_eq!(days, [("2026-05-28", 30, 1), ("2026-05-29", 30, 1), ("2026-05-30", 300, 10)]);
    assert_eq!(stat.accounts, 10);
}

#[test]
fn a_recorded_file_is_taken_in_from_where_it_ended() {
    let place = tempfile::tempdir().unwrap();
    // Names of every kind, two of which are the same up to the first dot.
    for (nth, file) in
        ["20260528T202640000Z-1-000001.jsonl", "app.one.jsonl", "app.two.jsonl", "2026 07.jsonl", &"x".repeat(200)]
            .into_iter()
            .enumerate()
    {
        let mut changing = begin(place.path()).change().unwrap();
        for (until, bytes) in [(40, 400), (100, 1000)] {
            let first = changing.taken(file).lines;
            let mut adding = changing.add(Some(file));
            (first..until).for_each(|n| adding.push(sealed((nth * 100) + n as usize, "acc", START, file).1).unwrap());
            let added = adding.finish().unwrap();
            assert_eq!((added.rows, added.known), (until - first, 0));
            changing.took(file, until, bytes).unwrap();
        }
        assert_eq!(changing.taken(file).bytes, 1000);
        let all = ids(place.path());
        assert!(all.len() == (nth + 1) * 100 && all.values().all(|count| *count == 1));
    }
    // What was taken in is not known any more: taken in again, it is there once.
    fs::remove_file(place.path().join("_taken.json")).unwrap();
    let mut changing = begin(place.path()).change().unwrap();
    let mut adding = changing.add(Some("app.one.jsonl"));
    (100..250).for_each(|n| adding.push(sealed(n, "acc", START, "app.one.jsonl").1).unwrap());
    let added = adding.finish().unwrap();
    assert_eq!((added.rows, added.known, added.parts), (150, 150, 0));
    drop(changing);
    // Nonsense is told.
    fs::write(place.path().join("_taken.json"), r#"{"a":{"lines":18446744073709551615,"bytes":0}}"#).unwrap();
    let told = begin(place.path()).change().unwrap_err().to_string();
    assert!(told.contains("more lines than bytes"), "{told}");
}

#[test]
fn what_cannot_be_compared_or_understood_is_refused() {
    let place = tempfile::tempdir().unwrap();
    assert!(matches!(Lake::open(folder(place.path())), Err(LakeError::NoLake(_))));
    filled(place.path());
    let told = Lake::begin(folder(place.path()), "another key", &BTreeMap::new()).unwrap_err().to_string();
    assert!(told.contains("another key") && told.contains(FINGERPRINTS), "{told}");
    let about = place.path().join("_lake.json");
    let text = fs::read_to_string(&about).unwrap();
    fs::write(&about, text.replace("\"version\":1", "\"version\":2")).unwrap();
    let told = Lake::open(folder(place.path())).unwrap_err().to_string();
    assert!(told.contains("version 2"), "{told}");
    fs::write(&about, "{").unwrap();
    let told = Lake::open(folder(place.path())).unwrap_err().to_string();
    assert!(told.contains("_lake.json"), "{told}");
}

#[test]
fn damage_is_told_and_nothing_is_changed_beside_it() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path());
    let lake = Lake::open(folder(place.path())).unwrap();
    let parts = lake.parts().unwrap().live;
    let path = |n: usize| place.path().join(parts[n].name.to_string());
    // One is cut off, one lies in another's day, and somebody put a file of his own there.
    let bytes = fs::read(path(0)).unwrap();
    fs::write(path(0), &bytes[..bytes.len() / 2]).unwrap();
    let other = path(1).to_string_lossy().replace("2026-05-28", "2026-06-01");
    fs::create_dir_all(std::path::Path::new(&other).parent().unwrap()).unwrap();
    fs::rename(path(1), &other).unwrap();
    fs::write(place.path().join("notes.txt"), "mine").unwrap();
    let checked = lake
        .check(&mut |_, _| {}, &mut |row| (row.exchange().id.as_str() == "ex_500").then(|| "odd".to_owned()))
        .unwrap();
    assert!(checked.faults.iter().any(|fault| fault.contains(&parts[0].name.to_string())), "{:?}", checked.faults);
    assert!(checked.faults.iter().any(|fault| fault.contains("2026-06-01") && fault.contains("another day or shard")));
    assert!(checked.faults.iter().any(|fault| fault.ends_with("exchange `ex_500`: odd")));
    assert_eq!(checked.others, ["notes.txt"]);
    let mut changing = lake.change().unwrap();
    assert!(changing.merge(&day("2030-01-01"), 2, Mode::Do, &mut |_, _| {}).is_err());
    assert!(changing.expire(&day("2030-01-01"), &BTreeSet::new(), Mode::Do, &mut |_, _| {}).is_err());
    // A hunt reads the rest, and says what it could not read.
    let mut rows = 0;
    let lakes = [changing.lake().clone()];
    let make = || |_: &exchange::Exchange<'_>| ();
    let broken = lake::by_time(&lakes, 2, &make, &mut |_| {}, &mut |_, ()| rows += 1).unwrap();
    assert_eq!((broken.len(), rows), (1, 900 - parts[0].rows));
}

#[test]
fn a_copy_is_a_lake_and_keeps_what_was_erased_meanwhile() {
    let (place, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(place.path());
    let copied = copy(folder(place.path()), &folder(backup.path()), &BTreeMap::new(), &mut |_, _| {}).unwrap();
    assert_eq!(copied.rows, 900);
    assert_eq!(ids(backup.path()), ids(place.path()));
    assert!(matches!(
        copy(folder(place.path()), &folder(backup.path()), &BTreeMap::new(), &mut |_, _| {}),
        Err(LakeError::LakeThere(_))
    ));
    let mut changing = Lake::open(folder(place.path())).unwrap().change().unwrap();
    erase(&mut changing, &["acc_1"], Time::from_seconds(START + 9 * DAY));
    drop(changing);
    // The lake is lost but for what was erased; the backup is put back.
    for entry in fs::read_dir(place.path()).unwrap() {
        let path = entry.unwrap().path();
        match path.file_name().unwrap().to_str().unwrap() {
            "_erased.json" => {}
            _ if path.is_dir() => fs::remove_dir_all(path).unwrap(),
            _ => fs::remove_file(path).unwrap(),
        }
    }
    let other = [("acc_2".to_owned(), Time::from_seconds(START + 9 * DAY))].into();
    copy(folder(backup.path()), &folder(place.path()), &other, &mut |_, _| {}).unwrap();
    let back = ids(place.path());
    assert!(back.len() == 720 && !back.keys().any(|(account, _)| ["acc_1", "acc_2"].contains(&account.as_str())));
    let checked = Lake::open(folder(place.path())).unwrap().check(&mut |_, _| {}, &mut |_| None).unwrap();
    assert_eq!((checked.faults.len(), checked.rows), (0, 720));
}

#[test]
fn a_copy_that_was_interrupted_is_no_lake_and_is_begun_anew() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path());
    let mut changes = 0;
    loop {
        let backup = tempfile::tempdir().unwrap();
        let dying = Dying::new(backup.path(), changes);
        let to: Arc<dyn Objects> = dying;
        if copy(folder(place.path()), &to, &BTreeMap::new(), &mut |_, _| {}).is_ok() {
            break;
        }
        // Nobody takes what is there for a lake, nor makes one of it.
        assert!(matches!(Lake::open(folder(backup.path())), Err(LakeError::HalfCopied(_) | LakeError::NoLake(_))));
        if changes > 0 {
            let begun = Lake::begin(folder(backup.path()), FINGERPRINTS, &BTreeMap::new());
            assert!(matches!(begun, Err(LakeError::HalfCopied(_))), "{begun:?} after {changes}");
        }
        let copied = copy(folder(place.path()), &folder(backup.path()), &BTreeMap::new(), &mut |_, _| {}).unwrap();
        assert_eq!(copied.rows, 900);
        changes += 7;
    }
    assert!(changes > 70, "{changes}");
    // Parts without what says which lake they are of are nobody's to change.
    fs::remove_file(place.path().join("_lake.json")).unwrap();
    let begun = Lake::begin(folder(place.path()), FINGERPRINTS, &BTreeMap::new()).unwrap_err().to_string();
    assert!(begun.contains("files of a lake") && begun.contains("_lake.json"), "{begun}");
}

#[test]
fn what_is_erased_stays_away_from_a_lake_that_is_begun_anew() {
    let place = tempfile::tempdir().unwrap();
    let erased = [("acc_3".to_owned(), Time::from_seconds(START + 9 * DAY))].into();
    drop(Lake::begin(folder(place.path()), FINGERPRINTS, &erased).unwrap());
    filled(place.path());
    assert_eq!(ids(place.path()).len(), 810);
}

#[test]
fn logs_that_overlap_are_there_once_and_what_was_closed_comes_back_when_it_is_added() {
    let place = tempfile::tempdir().unwrap();
    let add = |range: std::ops::Range<usize>| {
        let mut adding = begin(place.path()).change().unwrap();
        let mut adding = adding.add(None);
        range.for_each(|n| adding.push(row(n, &format!("acc_{}", n % 10), START + n as i64 % 7 * DAY)).unwrap());
        adding.finish().unwrap()
    };
    assert_eq!((add(0..300).known, add(200..500).known, add(0..500).known), (0, 100, 500));
    let all = ids(place.path());
    assert!(all.len() == 500 && all.values().all(|count| *count == 1));
    let mut changing = begin(place.path()).change().unwrap();
    let removed = changing.expire(&day("2026-05-30"), &accounts(&["acc_1"]), Mode::Do, &mut |_, _| {}).unwrap().rows;
    drop(changing);
    let added = add(0..500);
    assert_eq!((added.known, removed > 50), (500 - removed, true));
    assert_eq!(ids(place.path()).len(), 500);
}

#[test]
fn what_was_not_written_to_its_end_is_removed_and_what_is_no_file_is_told() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path());
    let parts = Lake::open(folder(place.path())).unwrap().parts().unwrap().live;
    let half = place.path().join(format!("{}.part", parts[0].name));
    fs::write(&half, "half of it").unwrap();
    drop(Lake::open(folder(place.path())).unwrap().change().unwrap());
    assert!(!half.exists());
    // The same part under another name is there twice; a day that is a link is not looked into, and that is told.
    let path = place.path().join(parts[0].name.to_string());
    fs::copy(&path, path.with_file_name("copied.parquet")).unwrap();
    let checked = Lake::open(folder(place.path())).unwrap().check(&mut |_, _| {}, &mut |_| None).unwrap();
    assert!(checked.faults.iter().any(|fault| fault.ends_with("it is there twice")), "{:?}", checked.faults);
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), place.path().join("day=2026-01-01")).unwrap();
    let told = Lake::open(folder(place.path())).unwrap().parts().unwrap_err().to_string();
    assert!(told.contains("day=2026-01-01") && told.contains("neither a file nor a folder"), "{told}");
}

#[test]
fn a_hunt_beside_changes_misses_nothing() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path());
    let lakes = [Lake::open(folder(place.path())).unwrap()];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..30 {
                let mut changing = Lake::open(folder(place.path())).unwrap().change().unwrap();
                let mut adding = changing.add(None);
                // Exchanges of another day, so that those that are counted stay the same.
                adding.push(row(10_000 + round, "acc_1", START + 30 * DAY)).unwrap();
                adding.push(row(20_000 + round, "acc_2", START + 30 * DAY)).unwrap();
                adding.finish().unwrap();
                changing.merge(&day("2030-01-01"), 2, Mode::Do, &mut |_, _| {}).unwrap();
            }
        });
        for _ in 0..30 {
            let mut rows = 0;
            let mut sink = |time: Time, ()| rows += u32::from(time < Time::from_seconds(START + 20 * DAY));
            let make = || |_: &exchange::Exchange<'_>| ();
            let broken = lake::by_time(&lakes, 2, &make, &mut |_| {}, &mut sink).unwrap();
            assert!(broken.is_empty(), "{broken:?}");
            assert_eq!(rows, 900);
        }
    });
}

#[test]
fn partitions_that_are_remembered_no_longer_are_looked_at_again() {
    let place = tempfile::tempdir().unwrap();
    let mut changing = begin(place.path()).change().unwrap();
    let days = lake::limits::PARTITIONS_MAX as i64 + 1;
    for known in [0, days as u64, days as u64] {
        let mut adding = changing.add(None);
        (0..days).for_each(|n| adding.push(row(n as usize, "acc", START + n * DAY)).unwrap());
        assert_eq!(adding.finish().unwrap().known, known);
    }
}

#[test]
fn a_note_over_its_limit_is_not_read() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path());
    let told = |bytes: usize| {
        fs::File::create(place.path().join("_taken.json")).unwrap().set_len(bytes as u64).unwrap();
        Lake::open(folder(place.path())).unwrap().change().unwrap_err().to_string()
    };
    let (at, over) = (told(lake::limits::NOTE_BYTES_MAX), told(lake::limits::NOTE_BYTES_MAX + 1));
    assert!(!at.contains("more than") && over.contains("more than 67108864 bytes"), "{at} {over}");
}

#[test]
fn one_process_changes_it_at_a_time() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path());
    let open = || Lake::open(folder(place.path())).unwrap();
    let held = store::lock::exclusive(&place.path().join("_lock")).unwrap();
    assert!(open().stat(&mut |_, _| {}).is_ok());
    drop(held);
    assert!(open().change().is_ok());
}
