//! Every change interrupted at every step: what was acknowledged is there once, what was erased stays away.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use exchange::Time;
use lake::objects::Objects;
use lake::place::Day;
use lake::{Lake, LakeError, Mode};

use super::help::{DAY, Dying, FINGERPRINTS, START, accounts, folder, ids, row, sealed};

const FILE: &str = "20260528T202640000Z-1-000001.jsonl";

/// Takes in a recorded file in two goes, adds a log, merges parts, erases, and closes a day; each is told when it is acknowledged.
fn story(objects: Arc<dyn Objects>, done: &mut Vec<&'static str>) -> Result<(), LakeError> {
    let mut changing = Lake::begin(objects, FINGERPRINTS, &BTreeMap::new())?.change()?;
    changing.finish_erasing(&mut |_, _| {})?;
    for (what, until) in [("first lines", 30), ("all lines", 60)] {
        let first = changing.taken(FILE).lines;
        if first < until {
            let mut adding = changing.add(Some(FILE));
            (first..until).try_for_each(|n| adding.push(line(n as usize)))?;
            adding.finish()?;
            changing.took(FILE, until, until * 10)?;
        }
        if changing.taken(FILE).lines >= until {
            done.push(what);
        }
    }
    let mut adding = changing.add(None);
    (0..40).try_for_each(|n| adding.push(row(1000 + n, &format!("acc_{}", n % 5), START + n as i64)))?;
    adding.finish()?;
    done.push("log");
    changing.merge(&Day::of(Time::from_seconds(START + 9 * DAY)), 2, Mode::Do, &mut |_, _| {})?;
    changing.begin_erasing(&accounts(&["acc_1", "acc_2"]), Time::from_seconds(START + 9 * DAY))?;
    changing.finish_erasing(&mut |_, _| {})?;
    done.push("erased");
    changing.expire(&Day::of(Time::from_seconds(START + DAY)), &accounts(&["acc_3"]), Mode::Do, &mut |_, _| {})?;
    done.push("expired");
    Ok(())
}

/// A recorded line: half of them on the first day, half on the second.
fn line(n: usize) -> lake::row::Row<'static> {
    sealed(n, &format!("acc_{}", n % 5), START + (n as i64 % 2) * DAY, FILE).1
}

/// What there has to be after what is done, at least, and what may be at most.
fn check(place: &Path, done: &[&str]) {
    let found: BTreeMap<(String, String), usize> = ids(place);
    assert!(found.values().all(|count| *count == 1), "something is there twice after {done:?}");
    let has = |what: &str| done.contains(&what);
    let is_there = |account: usize, n: usize| found.contains_key(&(format!("acc_{account}"), format!("ex_{n}")));
    // What is being erased, and a day that is being closed, may be gone already.
    let (may_be_erased, may_be_expired) = (has("log"), has("erased"));
    for n in 0..60 {
        let is_in = if n < 30 { has("first lines") } else { has("all lines") };
        let is_erased = [1, 2].contains(&(n % 5));
        let is_first_day = n % 2 == 0 && n % 5 != 3;
        if is_in && !(may_be_erased && is_erased) && !(may_be_expired && is_first_day) {
            assert!(is_there(n % 5, n), "line {n} is gone after {done:?}");
        }
        if has("erased") && is_erased || has("expired") && is_first_day {
            assert!(!is_there(n % 5, n), "line {n} is back after {done:?}");
        }
    }
}

#[test]
fn whatever_is_interrupted_goes_on_where_it_was() {
    let mut changes = 0;
    loop {
        let place = tempfile::tempdir().unwrap();
        let (dying, mut done) = (Dying::new(place.path(), changes), Vec::new());
        let ended = story(Arc::clone(&dying) as Arc<dyn Objects>, &mut done);
        assert_eq!(ended.is_ok(), !dying.is_dead() || ended.is_ok());
        if Lake::open(folder(place.path())).is_ok() {
            check(place.path(), &done);
            // Again, and interrupted again a little later, as a service does that is started anew.
            let (dying, mut again) = (Dying::new(place.path(), 7), done.clone());
            let _ = story(dying, &mut again);
            check(place.path(), &again);
        }
        let mut last = Vec::new();
        story(folder(place.path()), &mut last).unwrap();
        check(place.path(), &last);
        let lake = Lake::open(folder(place.path())).unwrap();
        let checked = lake.check(&mut |_, _| {}, &mut |_| None).unwrap();
        assert!(checked.faults.is_empty(), "{:?}", checked.faults);
        let left = ids(place.path()).len();
        // Of the second day 18 lines of three accounts, and what is held of the first: 6 lines and 8 of the log.
        assert_eq!(left, 18 + 6 + 8, "after {changes} changes");
        if ended.is_ok() {
            break;
        }
        changes += 1;
    }
    assert!(changes > 40, "{changes}");
}
