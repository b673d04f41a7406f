//! Rows come back as they were.

use std::fs;
use std::path::Path;

use exchange::{
    AccountId, Client, Exchange, ExchangeId, Fingerprint, Network, Operation, OrgId, Params, Request, Time, Usage,
};
use lake::Step;
use lake::part::{Part, PartError, Writing};
use lake::row::Row;
use proptest::prelude::*;
use verify::sealed::{RecordKey, Sealed, split};

use super::help::{FINGERPRINTS, START, begin, exchange, folder, sealed};

fn part_of(rows: &[Row<'_>]) -> (tempfile::TempDir, Part) {
    let mut writing = Writing::new(FINGERPRINTS).unwrap();
    rows.iter().for_each(|row| writing.push(row).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.parquet");
    fs::write(&path, writing.finish(&[]).unwrap()).unwrap();
    let part = open(&path).unwrap();
    (folder, part)
}

fn open(path: &Path) -> Result<Part, PartError> {
    let file = fs::File::open(path).unwrap();
    let bytes = file.metadata().unwrap().len();
    Part::open(Box::new(file), bytes)
}

fn read(part: &Part) -> Vec<Row<'static>> {
    let mut rows = Vec::new();
    for batch in part.whole().unwrap() {
        let mut see = |row: Row<'_>| {
            rows.push(row.into_owned());
            Ok::<(), PartError>(())
        };
        batch.unwrap().each(&mut see).unwrap();
    }
    rows
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

prop_compose! {
    fn any_client()(
        ip in proptest::option::of(text()), asn in any::<Option<u32>>(), country in proptest::option::of("[A-Z]{2}"),
        network in proptest::option::of(prop_oneof![Just(Network::Hosting), Just(Network::Tor), Just(Network::Other)]),
        ja4 in proptest::option::of(text()), user_agent in proptest::option::of(text()),
    ) -> Client<'static> {
        let own = |text: Option<String>| text.map(Into::into);
        Client { ip: own(ip), asn, country: own(country), network, ja4: own(ja4), ja4h: None, user_agent: own(user_agent) }
    }
}

prop_compose! {
    fn any_params()(
        temperature in proptest::option::of(-2.0_f32..2.0), top_p in proptest::option::of(0.0_f32..1.0), max_tokens in any::<Option<u32>>(),
        n in any::<Option<u32>>(), logprobs in any::<Option<bool>>(), seed in any::<Option<i64>>(), stream in any::<Option<bool>>(),
        echo in any::<Option<bool>>(), top_logprobs in any::<Option<u32>>(), reasoning_effort in proptest::option::of(text()),
    ) -> Params<'static> {
        Params {
            temperature, top_p, max_tokens, n, logprobs, top_logprobs, logit_bias: logprobs, echo, seed, stream,
            reasoning_effort: reasoning_effort.map(Into::into),
        }
    }
}

prop_compose! {
    fn any_exchange()(
        id in text(), account in text(), org in proptest::option::of(text()), model in proptest::option::of(text()),
        nanos in 0_i64..4_000_000_000_000_000_000, client in any_client(), params in any_params(),
        tokens in any::<Option<u32>>(), status in any::<Option<u16>>(), duration_ms in proptest::option::of(0.0_f64..1e9),
        prints in proptest::option::of("([0-9a-f]{24}){0,3}"), words in "([0-9a-f]{8}){0,3}",
        intents in proptest::collection::vec("[a-z_]{1,8}", 0..3), follow_up in any::<bool>(),
    ) -> Exchange<'static> {
        Exchange {
            id: ExchangeId::from(id), time: Time::from_nanos(nanos), account: AccountId::from(account),
            org: org.map(OrgId::from), key: None, end_user: None, session: None, operation: Some(Operation::Messages),
            model: model.map(Into::into), client, request: Request { params, ..Request::default() },
            response: exchange::Response::default(),
            usage: Usage { input_tokens: tokens.map(u64::from), output_tokens: None, reasoning_tokens: tokens.map(u64::from), cached_tokens: None },
            status, duration_ms,
            fingerprint: prints.map(|prints| Fingerprint {
                prints: prints.into(), output: "".into(), words: words.into(), meaning: "".into(),
                intents: intents.into_iter().map(Into::into).collect(), follow_up,
            }),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_field_comes_back(exchanges in proptest::collection::vec(any_exchange(), 1..8)) {
        let mut rows: Vec<Row<'static>> = exchanges.into_iter().map(|exchange| Row::of(exchange, None)).collect();
        rows.sort_by(|a, b| a.order().cmp(&b.order()));
        let (_folder, part) = part_of(&rows);
        prop_assert_eq!(part.rows(), rows.len() as u64);
        part.check(&mut |_| {}).unwrap();
        prop_assert_eq!(read(&part), rows);
    }
}

#[test]
fn texts_are_left_out() {
    let line = r#"{"time":1780000000,"account":"a","key":"k","end_user":"u","session":"s","request":{"messages":"a secret question","tools":["t"]},"response":{"content":"a secret answer"}}"#;
    let mut rows = Vec::new();
    let mut see = |exchange: Exchange<'_>| rows.push(Row::of(exchange, None).into_owned());
    exchange::read_exchanges(line, &mut exchange::Notes::default(), &mut see).unwrap();
    let (folder, part) = part_of(&rows);
    let bytes = fs::read(folder.path().join("part.parquet")).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"secret"));
    let shown = read(&part)[0].exchange().to_json();
    assert!(!shown.contains("secret") && shown.contains(r#""messages":[]"#), "{shown}");
}

#[test]
fn a_sealed_line_comes_back_byte_for_byte_and_opens() {
    let lines: Vec<(Vec<u8>, Row<'static>)> =
        (0..50).map(|n| sealed(n, "acc", START, "20260528T202640000Z-1-000001.jsonl")).collect();
    // One whose clear part is written in another way, as an earlier build might.
    let clear =
        br#""time": "2026-05-28T20:26:40.0000001Z", "account":"acc","id":"odd", "later":[1],"request":{"messages":[]}"#;
    let odd = Sealed::close("key_1", [9; 32], &RecordKey::new([9; 32]), clear, b"odd".to_vec()).unwrap();
    let odd = Row::of_sealed(clear, odd, None).unwrap();
    let rows: Vec<Row<'static>> = lines.iter().map(|(_, row)| row.clone()).chain([odd]).collect();
    let (_folder, part) = part_of(&rows);
    assert_eq!(part.sealed(), 51);
    for (row, (line, _)) in read(&part).iter().zip(&lines) {
        assert_eq!(row.line().as_ref(), Some(line));
        let n = row.origin().unwrap().line as u8;
        assert_eq!(split(line).unwrap().0, &*row.clear());
        let opened = row.sealed().unwrap().open(&RecordKey::new([n; 32]), &row.clear()).unwrap();
        assert_eq!(*opened, format!("what was asked {n}").into_bytes());
    }
    let odd = &read(&part)[50];
    assert_eq!(*odd.sealed().unwrap().open(&RecordKey::new([9; 32]), &odd.clear()).unwrap(), b"odd");
    assert_eq!(&*odd.clear(), clear);
}

#[test]
fn a_part_that_was_changed_is_told() {
    let rows: Vec<Row<'static>> =
        (0..200).map(|n| sealed(n, &format!("acc_{}", n % 7), START + n as i64, "f").1).collect();
    let (folder, part) = part_of(&rows);
    part.check(&mut |_| {}).unwrap();
    let bytes = fs::read(folder.path().join("part.parquet")).unwrap();
    let mut unnoticed = 0;
    // A bit in every 13th byte. Only filters, which are not read, and the mark at the beginning may go unnoticed.
    for at in (0..bytes.len()).step_by(13) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        let path = folder.path().join("changed.parquet");
        fs::write(&path, &changed).unwrap();
        let result = open(&path).and_then(|part| {
            part.check(&mut |_| {})?;
            Ok(read(&part))
        });
        if let Ok(read) = result {
            assert!(read == rows, "a change at {at} passed, and rows are others");
            unnoticed += 13;
        }
    }
    assert!(unnoticed < 4_096 + 13, "changes of {unnoticed} of {} bytes went unnoticed", bytes.len());
    for cut in [0, 4, bytes.len() / 2, bytes.len() - 1] {
        let path = folder.path().join("cut.parquet");
        fs::write(&path, &bytes[..cut]).unwrap();
        assert!(open(&path).is_err());
    }
}

#[test]
fn rows_out_of_order_are_told() {
    let rows = [Row::of(exchange(1, "a", START + 1), None), Row::of(exchange(0, "a", START), None)];
    let (_folder, part) = part_of(&rows);
    assert!(part.check(&mut |_| {}).unwrap_err().to_string().contains("out of order"));
}

#[test]
fn all_rows_come_in_the_order_of_time_whatever_the_threads_and_the_parts() {
    let place = tempfile::tempdir().unwrap();
    let mut changing = begin(place.path()).change().unwrap();
    // Ten times as many at one moment, so that ties have to be broken.
    let row = |n: usize| Row::of(exchange(n, &format!("acc_{}", n % 37), START + (n / 100) as i64 * 3600), None);
    for lot in 0..4 {
        let mut adding = changing.add(None);
        (0..1000).filter(|n| n % 4 == lot).for_each(|n| adding.push(row(n)).unwrap());
        assert_eq!(adding.finish().unwrap().rows, 250);
    }
    let order = |threads: usize| {
        let lake = lake::Lake::open(folder(place.path())).unwrap();
        let (mut ids, mut last) = (Vec::new(), Step::default());
        let make = |exchange: &Exchange<'_>| (exchange.time, exchange.id.as_str().to_owned());
        let lakes = [lake];
        let broken = lake::by_time(&lakes, threads, &|| make, &mut |step| last = step, &mut |time, (its, id)| {
            assert_eq!(time, its);
            ids.push((time, id));
        });
        assert!(broken.unwrap().is_empty());
        assert_eq!((last.rows, last.of), (1000, 1000));
        ids
    };
    let one = order(1);
    assert!(one.is_sorted_by(|a, b| a.0 <= b.0) && one.len() == 1000);
    assert_eq!(order(3), one);
    let merged =
        changing.merge(&lake::place::Day::named("2030-01-01").unwrap(), 2, lake::Mode::Do, &mut |_, _| {}).unwrap();
    assert_eq!(merged.rows, 1000);
    assert_eq!(order(2), one);
    assert_eq!(changing.lake().fingerprints(), FINGERPRINTS);
}
