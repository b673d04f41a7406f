//! What a search finds.

use std::collections::BTreeSet;

use exchange::{Exchange, Time};
use lake::place::Day;
use lake::search::{Column, Key, Only, Wanted};
use lake::{Lake, Mode};

use super::help::{DAY, START, begin, erase, folder, row};

const ALL: &dyn Fn(&Exchange<'_>) -> bool = &|_| true;

fn all<'w>() -> Wanted<'w> {
    Wanted {
        from: None,
        until: None,
        behind: None,
        accounts: None,
        only: &[],
        rows_max: u64::MAX,
        is_whole: false,
        is_wanted: ALL,
    }
}

/// Three days, ten accounts, three hundred rows a day, each in three lots.
fn filled(place: &std::path::Path) -> Lake {
    let mut changing = begin(place).change().unwrap();
    for lot in 0..9 {
        let mut adding = changing.add(None);
        for n in 0..100 {
            adding
                .push(row((lot * 100 + n) as usize, &format!("acc_{}", n % 10), START + (lot / 3) * DAY + n))
                .unwrap();
        }
        adding.finish().unwrap();
    }
    drop(changing);
    Lake::open(folder(place)).unwrap()
}

/// All pages of a search, row by row.
fn pages(lake: &Lake, wanted: Wanted<'_>, most: usize) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    loop {
        let behind = keys.last().cloned();
        let found = lake.latest(Wanted { behind: behind.as_ref(), ..wanted }, most).unwrap();
        assert!(found.broken.is_empty() && found.tired.is_none() && found.rows.len() <= most);
        assert!(!found.is_more || found.rows.len() == most);
        keys.extend(found.rows.iter().map(|row| {
            let (time, account, id) = row.order();
            (time, account.to_owned(), id.to_owned())
        }));
        if !found.is_more {
            return keys;
        }
    }
}

#[test]
fn pages_hold_every_row_once_the_latest_first() {
    let place = tempfile::tempdir().unwrap();
    let lake = filled(place.path());
    let whole = pages(&lake, all(), 10_000);
    assert_eq!(whole.len(), 900);
    assert!(whole.is_sorted_by(|one, other| one > other));
    for most in [1, 7, 100, 899, 900] {
        if most > 1 {
            assert_eq!(pages(&lake, all(), most), whole, "{most}");
        }
    }
    assert_eq!(lake.latest(all(), 1).unwrap().rows.len(), 1);
}

#[test]
fn a_search_is_narrowed_by_time_account_and_whatever_else_is_asked() {
    let place = tempfile::tempdir().unwrap();
    let lake = filled(place.path());
    let at = |seconds: i64| Some(Time::from_seconds(START + seconds));
    let day = Wanted { from: at(DAY), until: at(2 * DAY), ..all() };
    assert_eq!(pages(&lake, day, 1_000).len(), 300);
    let second = Wanted { from: at(DAY + 5), until: at(DAY + 6), ..all() };
    assert_eq!(pages(&lake, second, 1_000).len(), 3, "from the beginning of it, without its end");
    let accounts: BTreeSet<String> = ["acc_3", "acc_7", "nobody"].map(str::to_owned).into();
    let of_two = Wanted { accounts: Some(&accounts), ..all() };
    let found = pages(&lake, of_two, 50);
    assert!(found.len() == 180 && found.iter().all(|(_, account, _)| accounts.contains(account)));
    let none = Wanted { is_wanted: &|exchange| exchange.account.as_str() == "elsewhere", ..all() };
    assert!(pages(&lake, none, 10).is_empty());
}

#[test]
fn columns_that_are_looked_at_first_leave_the_rows_that_are_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let lake = filled(place.path());
    let of = |column: Column, is_asked: fn(&str) -> bool| {
        let only = [Only::new(column, is_asked)];
        let found = pages(&lake, Wanted { only: &only, ..all() }, 50);
        assert!(
            lake.latest(Wanted { only: &only, ..all() }, 1_000).unwrap().looked_at == 900,
            "rows that are passed over count"
        );
        found
    };
    let is_two: &dyn Fn(&Exchange<'_>) -> bool = &|exchange| ["acc_3", "acc_7"].contains(&exchange.account.as_str());
    let expected = pages(&lake, Wanted { is_wanted: is_two, ..all() }, 50);
    assert_eq!(of(Column::Account, |account| ["acc_3", "acc_7"].contains(&account)), expected);
    let both = [
        Only::new(Column::Account, |account| account != "acc_1"),
        Only::new(Column::Account, |account| account < "acc_3"),
    ];
    assert_eq!(pages(&lake, Wanted { only: &both, ..all() }, 50).len(), 180);
    for column in [Column::Model, Column::Address, Column::Intent] {
        let there: &dyn Fn(&Exchange<'_>) -> bool = match column {
            Column::Model => &|exchange| exchange.model.is_some(),
            Column::Address => &|exchange| exchange.client.ip.is_some(),
            _ => &|exchange| exchange.fingerprint.as_ref().is_some_and(|print| !print.intents.is_empty()),
        };
        let expected = pages(&lake, Wanted { is_wanted: there, ..all() }, 50);
        assert!(!expected.is_empty());
        assert_eq!(of(column, |_| true), expected, "{column:?}: rows that have nothing there are not asked for");
        assert!(of(column, |_| false).is_empty());
    }
}

#[test]
fn what_cannot_be_asked_for_is_not_read() {
    let place = tempfile::tempdir().unwrap();
    let lake = filled(place.path());
    assert_eq!(lake.latest(all(), 1_000).unwrap().looked_at, 900);
    let last = lake.latest(all(), 10).unwrap();
    assert!(last.looked_at <= 300, "of one day only: {}", last.looked_at);
    let accounts: BTreeSet<String> = ["acc_3".to_owned()].into();
    assert!(lake.latest(Wanted { accounts: Some(&accounts), ..all() }, 1_000).unwrap().looked_at < 900);
}

#[test]
fn looking_stops_at_its_limit_and_goes_on_from_there() {
    let place = tempfile::tempdir().unwrap();
    let lake = filled(place.path());
    let none: &dyn Fn(&Exchange<'_>) -> bool = &|_| false;
    let within = |rows_max, until| Wanted { rows_max, until, is_wanted: none, ..all() };
    let found = lake.latest(within(300, None), 10).unwrap();
    assert_eq!((found.looked_at, found.is_more), (300, false));
    // The next day would be looked at with one row more.
    assert_eq!(lake.latest(within(301, None), 10).unwrap().looked_at, 600);
    let rest = lake.latest(within(u64::MAX, found.tired), 10).unwrap();
    assert_eq!((rest.looked_at, rest.tired), (600, None));
}

#[test]
fn who_is_erased_is_not_found() {
    let place = tempfile::tempdir().unwrap();
    let lake = filled(place.path());
    erase(&mut lake.change().unwrap(), &["acc_3"], Time::from_seconds(START + DAY));
    let found = pages(&Lake::open(folder(place.path())).unwrap(), all(), 1_000);
    assert_eq!(found.iter().filter(|(_, account, _)| account == "acc_3").count(), 60);
    assert_eq!(found.len(), 870);
}

/// Parts of the day that is searched are merged meanwhile.
#[test]
fn a_search_beside_merges_misses_nothing() {
    let place = tempfile::tempdir().unwrap();
    let lake = filled(place.path());
    let last = START + 2 * DAY;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..30 {
                let mut changing = Lake::open(folder(place.path())).unwrap().change().unwrap();
                let mut adding = changing.add(None);
                // Later than all that is searched for, by accounts that are.
                (0..10).for_each(|n| {
                    adding.push(row(10_000 + round * 10 + n, &format!("acc_{n}"), last + 5_000)).unwrap();
                });
                adding.finish().unwrap();
                changing.merge(&Day::named("2030-01-01").unwrap(), 2, Mode::Do, &mut |_, _| {}).unwrap();
            }
        });
        for _ in 0..30 {
            let found = lake.latest(Wanted { until: Some(Time::from_seconds(last + 1_000)), ..all() }, 1_000).unwrap();
            assert!(found.broken.is_empty(), "{:?}", found.broken);
            assert_eq!(found.rows.len(), 900);
        }
    });
}
