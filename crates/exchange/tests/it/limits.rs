//! Every limit, at the limit and one past it.

use exchange::{Damage, Format, Notes, ReadOptions, Source, Time, limits, read, read_exchanges};

use crate::{describe, read_all};

/// A native record padded with white space to `bytes`.
fn padded(bytes: usize) -> Vec<u8> {
    let (head, tail) = (r#"{"time":1,"#, r#""account":"a","request":{}}"#);
    let pad = " ".repeat(bytes - head.len() - tail.len());
    format!("{head}{pad}{tail}").into_bytes()
}

/// One byte past the limit a record is still read, and counts as damaged.
#[test]
fn record_bytes_max() {
    for newline in ["", "\n", "\r\n"] {
        let next = b"{\"time\":1,\"account\":\"b\",\"request\":{}}\n";
        for (bytes, damaged) in [(limits::RECORD_BYTES_MAX, 0), (limits::RECORD_BYTES_MAX + 1, 1)] {
            let mut text = padded(bytes);
            text.extend(newline.as_bytes());
            if !newline.is_empty() {
                text.extend(next);
            }
            let good = 2 - usize::from(newline.is_empty());
            let (exchanges, report) = read_all(&text, 1 << 20, None);
            assert_eq!(
                (exchanges.len(), report.bad_lines, report.damaged),
                (good, 0, damaged),
                "{newline:?} {}",
                describe(&report)
            );
            assert!(report.damage.iter().all(|(damage, tally)| *damage == Damage::Overlong && tally.line == 1));
        }
    }
    let text = padded(limits::RECORD_BYTES_MAX + 1);
    let refused = read(&ReadOptions::default(), &text, "x", 1, &mut Notes::default(), &mut |_| ());
    assert_eq!(refused.unwrap_err().to_string(), "longer than 16777216 bytes");
}

#[test]
fn record_bytes_max_spread_over_lines() {
    for (bytes, damaged) in [(limits::RECORD_BYTES_MAX, 0), (limits::RECORD_BYTES_MAX + 1, 1)] {
        let mut text = b"[\n".to_vec();
        text.extend(padded(bytes));
        text.extend(b"\n]\n");
        let (exchanges, report) = read_all(&text, 1 << 20, None);
        assert_eq!((exchanges.len(), report.bad_lines, report.damaged), (1, 0, damaged), "{}", describe(&report));
        assert!(report.damage.iter().all(|(damage, tally)| *damage == Damage::Overlong && tally.line == 2));
    }
}

/// A prompt of any length leaves the record that says who sent it.
#[test]
fn long_string_bytes_max() {
    let record = |prompt: &str| {
        format!(r#"{{"time":1,"request":{{"messages":[{{"role":"user","content":"{prompt}"}}]}},"account":"a"}}"#)
    };
    for chunk_bytes in [1 << 20, 64 << 20] {
        let text = record(&"p".repeat(2 * limits::RECORD_BYTES_MAX)) + "\n" + &record("next");
        let (exchanges, report) = read_all(text.as_bytes(), chunk_bytes, None);
        assert_eq!((exchanges.len(), report.bad_lines, report.damaged), (2, 0, 1), "{}", describe(&report));
        let kept = exchanges[0].bytes().filter(|byte| *byte == b'p').count();
        assert!((limits::LONG_STRING_BYTES_MAX..limits::LONG_STRING_BYTES_MAX + 9).contains(&kept), "{kept}");
    }
}

#[test]
fn json_values_max() {
    let other_values = 5;
    for (zeros, damaged) in [(0, 0), (1, 1)] {
        let zeros = vec!["0"; limits::JSON_VALUES_MAX - other_values + zeros].join(",");
        let text = format!(r#"{{"time":1,"account":"a","request":{{}},"x":[{zeros}]}}"#);
        let (exchanges, report) = read_all(text.as_bytes(), 1 << 20, None);
        assert_eq!((exchanges.len(), report.damaged), (1, damaged));
        assert!(report.damage.keys().all(|damage| *damage == Damage::Values), "{}", describe(&report));
    }
}

/// `serde_json` goes to 127 by itself; a record that is deeper is cut at this limit.
#[test]
fn nesting_max() {
    for (depth, damaged) in [(limits::NESTING_MAX, 0), (126, 0), (127, 1), (10_000, 1)] {
        let text =
            format!(r#"{{"time":1,"account":"a","request":{{}},"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let (exchanges, report) = read_all(text.as_bytes(), 1 << 20, None);
        assert_eq!((exchanges.len(), report.damaged), (1, damaged), "{depth}: {}", describe(&report));
    }
}

/// Behind a record that was cut off within that many brackets the next one is still found.
#[test]
fn brackets_followed_max() {
    for (depth, good) in [(limits::BRACKETS_FOLLOWED_MAX, 1), (limits::BRACKETS_FOLLOWED_MAX + 1, 0)] {
        let text = format!(r#"{}"x"{{"time":1,"account":"a","request":{{}}}}"#, r#"{"x":"#.repeat(depth));
        let (exchanges, report) = read_all(text.as_bytes(), 1 << 20, None);
        assert_eq!(exchanges.len(), good, "{depth}: {}", describe(&report));
    }
}

#[test]
fn unpack_depth_max() {
    let pack = |depth: usize| (0..depth).fold(padded(100), |bytes, _| zstd::encode_all(bytes.as_slice(), 1).unwrap());
    for (depth, good) in [(limits::UNPACK_DEPTH_MAX, 1), (limits::UNPACK_DEPTH_MAX + 1, 0)] {
        let (exchanges, report) = read_all(&pack(depth), 1 << 20, None);
        assert_eq!((exchanges.len(), report.broken_sources.len()), (good, 1 - good), "{}", describe(&report));
    }
}

#[test]
fn wrapped_depth_max() {
    for (depth, good) in [(limits::WRAPPED_DEPTH_MAX, 1), (limits::WRAPPED_DEPTH_MAX + 1, 0)] {
        let record = r#"{"time":1,"account":"a","request":{}}"#.to_owned();
        let wrapped = (0..depth).fold(record, |inner, _| format!(r#"{{"message":{}}}"#, serde_json::json!(inner)));
        let (exchanges, report) = read_all(wrapped.as_bytes(), 1 << 20, None);
        assert_eq!((exchanges.len(), report.bad_lines), (good, 1 - good as u64), "{}", describe(&report));
    }
}

#[test]
fn column_name_bytes_max() {
    let table = |bytes: usize| {
        let name = format!("user_{}", "x".repeat(bytes - 5));
        let columns = serde_json::json!(["time", "account", "model", "messages", name]);
        let row = serde_json::json!(["2026-04-12T10:00:00Z", "ann", "m", [{"role": "user", "content": "Hi"}], "bob"]);
        let text = serde_json::json!({"columns": columns, "rows": [row]}).to_string();
        let options = exchange::ReadOptions { account: vec![name], ..exchange::ReadOptions::default() };
        let mut accounts = Vec::new();
        let mut sink = |call: exchange::Call<'_>| accounts.push(call.exchange.account.as_str().to_owned());
        exchange::read(&options, text.as_bytes(), "log", 1, &mut exchange::Notes::default(), &mut sink).unwrap();
        accounts
    };
    assert_eq!(table(limits::COLUMN_NAME_BYTES_MAX), ["bob"]);
    assert_eq!(table(limits::COLUMN_NAME_BYTES_MAX + 1), ["ann"]);
}

#[test]
fn damaged_accounts_max() {
    for (count, kept) in [(limits::DAMAGED_ACCOUNTS_MAX, 0), (limits::DAMAGED_ACCOUNTS_MAX + 1, 1)] {
        let text: String =
            (0..count).map(|n| format!("{{\"time\":1,\"account\":\"a{n}\",\"request\":{{}},\"x\":NaN}}\n")).collect();
        let (_, report) = read_all(text.as_bytes(), 1 << 20, None);
        assert_eq!((report.damaged as usize, report.damaged_accounts.len()), (count, count - kept));
    }
}

#[test]
fn census_accounts_max_and_users_max() {
    let count = |accounts: usize, users: usize| {
        let text: String = (0..accounts.max(users))
            .map(|n| {
                let (account, user) = (n.min(accounts - 1), n.min(users - 1));
                format!("{{\"time\":{},\"account\":\"a{account}\",\"end_user\":\"u{user}\",\"request\":{{}}}}\n", n + 1)
            })
            .collect();
        let census = read_all(text.as_bytes(), 1 << 20, None).1.census;
        (census.accounts(), census.users())
    };
    assert_eq!(count(limits::CENSUS_ACCOUNTS_MAX, 1).0, limits::CENSUS_ACCOUNTS_MAX);
    assert_eq!(count(limits::CENSUS_ACCOUNTS_MAX + 1, 1).0, limits::CENSUS_ACCOUNTS_MAX);
    assert_eq!(count(1, limits::CENSUS_USERS_MAX).1, limits::CENSUS_USERS_MAX);
    assert_eq!(count(1, limits::CENSUS_USERS_MAX + 1).1, limits::CENSUS_USERS_MAX);
}

#[test]
fn past_seconds_max() {
    let reference = Time::from_seconds(1_780_000_000);
    let limit = 1_780_000_000 - limits::PAST_SECONDS_MAX;
    for (time, bad) in [(limit, 0), (limit - 1, 1)] {
        let text = format!(r#"{{"time":{time},"account":"a","request":{{}}}}"#);
        let (exchanges, report) = read_all(text.as_bytes(), 1 << 20, Some(reference));
        assert_eq!((exchanges.len() as u64, report.bad_lines), (1 - bad, bad), "{}", describe(&report));
    }
}

#[test]
fn id_bytes_max() {
    for (bytes, good) in [(limits::ID_BYTES_MAX, 1), (limits::ID_BYTES_MAX + 1, 0)] {
        let id = "i".repeat(bytes);
        let text = format!(r#"{{"time":1,"account":"{id}","request":{{}}}}"#);
        let (exchanges, report) = read_all(text.as_bytes(), 1 << 20, None);
        assert_eq!((exchanges.len(), report.bad_lines), (good, 1 - good as u64));
        let text = format!(r#"{{"time":1,"account":"a","session":"{id}","request":{{}}}}"#);
        let (exchanges, report) = read_all(text.as_bytes(), 1 << 20, None);
        assert_eq!((exchanges.len(), report.notes.warnings.len()), (1, 1 - good));
    }
}

#[test]
fn id_bytes_max_of_an_id_in_two_parts() {
    for (bytes, kept) in [(limits::ID_BYTES_MAX, true), (limits::ID_BYTES_MAX + 1, false)] {
        let (trace, span) = ("t".repeat(bytes / 2), "s".repeat(bytes - bytes / 2 - 1));
        let text = format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{trace}","spanId":"{span}",
                "startTimeUnixNano":"1780000000000000000","attributes":[
                    {{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},
                    {{"key":"account.id","value":{{"stringValue":"a"}}}}]}}]}}]}}]}}"#
        );
        let mut ids = Vec::new();
        let mut sink = |exchange: exchange::Exchange| ids.push(exchange.id.as_str().to_owned());
        read_exchanges(&text, &mut Notes::default(), &mut sink).unwrap();
        assert_eq!(ids.len(), 1);
        assert_eq!(ids[0].starts_with('t'), kept, "{bytes}");
        assert!(ids[0].len() <= limits::ID_BYTES_MAX);
    }
}

/// Of too many turns, empty ones go first, then those in the middle: neither hides what was asked.
#[test]
fn messages_max() {
    let kept = |contents: Vec<String>| {
        let turns: Vec<_> = contents.iter().map(|text| serde_json::json!({"role": "user", "content": text})).collect();
        let text = serde_json::json!({"time": 1, "account": "a", "request": {"messages": turns}}).to_string();
        let mut notes = Notes::default();
        let mut kept = Vec::new();
        let mut sink = |exchange: exchange::Exchange| {
            let turns = exchange.request.messages.iter().flat_map(|message| message.content.texts());
            kept = turns.map(str::to_owned).collect();
        };
        read_exchanges(&text, &mut notes, &mut sink).unwrap();
        (kept, notes.warnings.len())
    };
    let numbers = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
    assert_eq!(kept(numbers(limits::MESSAGES_MAX)), (numbers(limits::MESSAGES_MAX), 0));
    let (more, warnings) = kept(numbers(limits::MESSAGES_MAX + 1));
    assert_eq!((more.len(), warnings), (limits::MESSAGES_MAX, 1));
    assert_eq!((more[0].as_str(), more.last().unwrap()), ("0", &limits::MESSAGES_MAX.to_string()));
    let (hidden, warnings) =
        kept(["asked".to_owned()].into_iter().chain(vec![String::new(); limits::MESSAGES_MAX]).collect());
    assert_eq!((hidden, warnings), (vec!["asked".to_owned()], 0));
}

#[test]
fn future_seconds_max() {
    let reference = Time::from_seconds(1_780_000_000);
    let limit = 1_780_000_000 + limits::FUTURE_SECONDS_MAX;
    for (time, bad) in [(limit, 0), (limit + 1, 1)] {
        let text = format!(r#"{{"time":{time},"account":"a","request":{{}}}}"#);
        let (exchanges, report) = read_all(text.as_bytes(), 1 << 20, Some(reference));
        assert_eq!((exchanges.len() as u64, report.bad_lines), (1 - bad, bad));
        if bad > 0 {
            assert_eq!(
                report.kept[0].to_string(),
                "test:1: `time` is `2026-05-29T20:26:41Z`, more than 24 hours ahead"
            );
        }
        assert_eq!(read_all(text.as_bytes(), 1 << 20, None).1.bad_lines, 0);
    }
}

#[test]
fn bad_lines_kept_max() {
    for count in [limits::BAD_LINES_KEPT_MAX, limits::BAD_LINES_KEPT_MAX + 1] {
        let (_, report) = read_all("?\n".repeat(count).as_bytes(), 1 << 20, None);
        assert_eq!((report.bad_lines, report.kept.len()), (count as u64, limits::BAD_LINES_KEPT_MAX));
        let mut merged = report.clone();
        merged.merge(report.clone());
        assert_eq!((merged.bad_lines, merged.kept.len()), (2 * count as u64, limits::BAD_LINES_KEPT_MAX));
    }
}

#[test]
fn quote_chars_max() {
    for (chars, cut) in [(limits::QUOTE_CHARS_MAX, ""), (limits::QUOTE_CHARS_MAX + 1, "…")] {
        let name = "ü".repeat(chars);
        let shown = format!("unknown format `{}{cut}`", "ü".repeat(limits::QUOTE_CHARS_MAX));
        assert!(name.parse::<Format>().unwrap_err().to_string().starts_with(&shown));
    }
}

#[test]
fn zstd_window_log_max() {
    for (window_log, good) in [(limits::ZSTD_WINDOW_LOG_MAX, 1), (limits::ZSTD_WINDOW_LOG_MAX + 1, 0)] {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        std::io::Write::write_all(&mut encoder, b"{\"time\":1,\"account\":\"a\",\"request\":{}}\n").unwrap();
        let (exchanges, report) = read_all(&encoder.finish().unwrap(), 1 << 20, None);
        assert_eq!((exchanges.len(), report.broken_sources.len()), (good, 1 - good), "{}", describe(&report));
    }
}

#[test]
fn first_time_records_max() {
    for (bad, found) in [(limits::FIRST_TIME_RECORDS_MAX - 1, true), (limits::FIRST_TIME_RECORDS_MAX, false)] {
        let text = "?\n".repeat(bad) + r#"{"time":1,"account":"a","request":{}}"#;
        let chunk = Source::new("x", text.as_bytes()).next().unwrap().unwrap();
        assert_eq!(exchange::first_time(&chunk, &ReadOptions::default()), found.then_some(Time::from_seconds(1)));
    }
}

#[test]
fn chunk_bytes() {
    let record = |bytes: usize| String::from_utf8(padded(bytes - 1)).unwrap() + "\n";
    for (bytes, chunks) in [(limits::CHUNK_BYTES, 1), (limits::CHUNK_BYTES + 1, 2)] {
        let text = record(bytes / 2) + &record(bytes - bytes / 2);
        let lengths: Vec<usize> = Source::new("x", text.as_bytes()).map(|chunk| chunk.unwrap().text.len()).collect();
        assert_eq!((lengths.len(), lengths.iter().sum::<usize>()), (chunks, bytes), "{lengths:?}");
    }
}

#[test]
fn fingerprint_bytes_max() {
    for (digits, kept) in [(limits::FINGERPRINT_BYTES_MAX, true), (limits::FINGERPRINT_BYTES_MAX + 24, false)] {
        let prints = "0".repeat(digits);
        let record = format!(
            r#"{{"time":"2026-07-20T12:00:00Z","account":"a","request":{{}},"fingerprint":{{"prints":"{prints}"}}}}"#
        );
        let mut read = None;
        let mut sink = |exchange: exchange::Exchange<'_>| read = Some(exchange.fingerprint.is_some());
        read_exchanges(&record, &mut Notes::default(), &mut sink).unwrap();
        assert_eq!(read, Some(kept), "{digits}");
    }
}

/// One line more that is begun, and the oldest is handed out as far as it came.
#[test]
fn lines_begun_max() {
    let line = |id: usize, is_last: bool| {
        let record =
            format!(r#"{{"time":1,"account":"a","request":{{"messages":[{{"role":"user","content":"{id}"}}]}}}}"#);
        let (begin, end) = record.split_at(record.len() - 3);
        let line = serde_json::json!({
            "container_id": "c", "source": "stdout", "log": if is_last { end } else { begin },
            "partial_message": "true", "partial_id": id.to_string(), "partial_last": is_last.to_string(),
        });
        format!("{line}\n")
    };
    for (count, damaged) in [(limits::LINES_BEGUN_MAX, 0), (limits::LINES_BEGUN_MAX + 1, 1)] {
        let begins = (0..count).map(|id| line(id, false));
        let log: String = begins.chain((0..count).map(|id| line(id, true))).collect();
        let (exchanges, report) = read_all(log.as_bytes(), 1 << 20, None);
        assert_eq!((exchanges.len(), report.damaged), (count, damaged), "{}", describe(&report));
    }
}
