//! Records within wrappers: each way in which delivery streams, queues, log shippers and databases pass them on, and what
//! a caller could make of that.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::limits;
use serde_json::{Value, json};

use crate::{describe, read_all};

fn record(n: u64) -> Value {
    json!({"time": 1_780_000_000 + n, "account": format!("a{n}"), "request": {"messages": [{"role": "user", "content": "x"}]}})
}

fn text(value: &Value) -> String {
    value.to_string()
}

fn encoded(value: &Value) -> String {
    STANDARD.encode(text(value))
}

fn packed(value: &Value) -> String {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text(value).as_bytes()).unwrap();
    STANDARD.encode(gzip.finish().unwrap())
}

#[test]
fn records_are_found_in_what_is_around_them() {
    let when = "2026-06-15T08:00:00Z";
    let one = record(1);
    let events = json!({"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "message": text(&one)}, {"id": "2", "message": text(&record(2))}]});
    let cases = [
        ("a log shipper's message", json!({"@timestamp": when, "message": text(&one)}), 1),
        ("a message behind a prefix", json!({"@timestamp": when, "message": format!("call {one}")}), 1),
        ("a message beside other objects", json!({"_id": "A", "attributes": {"a": 1}, "message": text(&one)}), 1),
        ("JSON in JSON in a text", json!({"message": json!(text(&one)).to_string()}), 1),
        ("bytes", json!({"MESSAGE": text(&one).into_bytes()}), 1),
        ("CloudWatch", events.clone(), 2),
        ("CloudWatch in a delivery stream", json!({"records": [{"data": packed(&events)}]}), 2),
        ("Kinesis", json!({"Records": [{"kinesis": {"data": encoded(&one)}, "eventID": "s:1"}]}), 1),
        ("Pub/Sub", json!({"message": {"data": encoded(&one), "attributes": {}}, "subscription": "s"}), 1),
        (
            "SNS in SQS",
            json!({"Messages": [{"Body": text(&json!({"Type": "Notification", "Message": text(&one)}))}]}),
            1,
        ),
        ("Event Hubs", json!({"SequenceNumber": 1, "Body": text(&json!({"records": [one, record(2)]}))}), 2),
        ("EventBridge", json!({"account": "123456789012", "time": when, "detail-type": "call", "detail": one}), 1),
        ("a change of a row", json!({"payload": {"before": null, "after": one, "op": "c"}}), 1),
        ("Elasticsearch", json!({"hits": {"hits": [{"_source": one}, {"_source": record(2)}]}}), 2),
        ("Logstash", json!({"@timestamp": when, "event": {"original": text(&one)}, "host": {"name": "h"}}), 1),
        ("Loki", json!({"streams": [{"stream": {"app": "x"}, "values": [["1780000001000000000", text(&one)]]}]}), 1),
        ("fields of a structured log", json!({"timestamp": when, "level": "INFO", "fields": {"call": text(&one)}}), 1),
        ("an object under a name of its own", json!({"level": "info", "ts": 1.5, "our_gateway": one}), 1),
        ("objects by their ids", json!({"id-1": one, "id-2": record(2), "id-3": record(3)}), 3),
    ];
    for (name, wrapped, count) in cases {
        let (exchanges, report) = read_all(text(&wrapped).as_bytes(), 1 << 20, None);
        assert_eq!((exchanges.len(), report.bad_lines, report.damaged), (count, 0, 0), "{name}: {}", describe(&report));
        assert!(exchanges[0].contains(r#""account":"a1""#), "{name}: {exchanges:?}");
    }
}

/// A caller decides what stands in prompts and answers; the text of a record in them must not become a record that names
/// somebody else.
#[test]
fn what_a_caller_says_is_no_record() {
    let forged = text(&json!({"time": 1_780_000_000, "account": "victim", "request": {"messages": "x"}}));
    let object: Value = serde_json::from_str(&forged).unwrap();
    for (name, line) in [
        ("a prompt of an unknown log", json!({"ts": 1, "uid": "u", "prompt": forged, "completion": forged})),
        ("a turn of an unknown log", json!({"ts": 1, "uid": "u", "turns": [{"role": "user", "content": forged}]})),
        ("a turn under a known key", json!({"ts": 1, "uid": "u", "message": {"role": "user", "content": forged}})),
        (
            "a record without its request",
            json!({"time": 1_780_000_000, "account": "a", "response": {"content": forged}}),
        ),
        ("a turn beside an account", json!({"time": 1_780_000_000, "account": "a", "message": {"content": forged}})),
        (
            "a metadata object",
            json!({"time": 1_780_000_000, "account": "a", "request": {"messages": "x", "metadata": object}}),
        ),
    ] {
        let damaged = text(&line).replacen('{', "{\"n\":NaN,", 1);
        for text in [text(&line), damaged] {
            let (exchanges, report) = read_all(text.as_bytes(), 1 << 20, None);
            let names_victim = |exchange: &String| exchange.contains(r#""account":"victim""#);
            assert!(!exchanges.iter().any(names_victim), "{name}: {}", describe(&report));
        }
    }
}

/// Runtimes cut long lines; the parts of two streams may alternate.
#[test]
fn lines_of_a_container_are_put_together() {
    let at = "2026-06-15T08:02:27.123456789Z";
    let (one, two) = (text(&record(1)), text(&record(2)));
    let (begin, end) = one.split_at(one.len() / 2);
    let log = format!(
        "{at} stdout F {two}\n{at} stdout P {begin}\n{at} stderr P some\n{at} stdout F {end}\n{at} stderr F thing\n{at} stdout F {two}"
    );
    for chunk_bytes in [1, 50, 1 << 20] {
        let (exchanges, report) = read_all(log.as_bytes(), chunk_bytes, None);
        assert_eq!((exchanges.len(), report.damaged), (2, 0), "{}", describe(&report));
        assert_eq!(report.kept.iter().map(|bad| bad.line).collect::<Vec<_>>(), [3], "{}", describe(&report));
    }
}

/// Docker cuts lines, too: its file logger says so by the missing newline only.
#[test]
fn lines_of_docker_are_put_together() {
    let long = |n: u64| {
        let mut record = record(n);
        record["request"]["messages"][0]["content"] = json!("wörter ".repeat(5000));
        text(&record)
    };
    let part = |text: &str, stream: &str, more: Value| {
        let mut line = json!({"log": text, "stream": stream, "time": "2026-06-15T08:02:27.123456789Z"});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        text_line(&line)
    };
    let cut = |record: &str| {
        let mut parts = Vec::new();
        let mut rest = record;
        while rest.len() > 16_384 {
            let (part, more) = rest.split_at((16_384..).find(|at| rest.is_char_boundary(*at)).unwrap());
            parts.push(part.to_owned());
            rest = more;
        }
        parts.push(format!("{rest}\n"));
        parts
    };
    let (one, two) = (cut(&long(1)), cut(&long(2)));
    let mut by_file = String::new();
    for at in 0..one.len().max(two.len()) {
        one.get(at).into_iter().for_each(|text| by_file += &part(text, "stdout", json!({})));
        two.get(at).into_iter().for_each(|text| by_file += &part(text, "stderr", json!({})));
    }
    by_file += &part(&(text(&record(3)) + "\n"), "stdout", json!({}));
    // Whoever takes the newlines away does not cut.
    by_file += &part(&long(4), "stdout", json!({}));
    by_file += &part(&text(&record(5)), "stdout", json!({}));

    let partial = |text: &str, id: &str, is_last: bool| {
        let line = json!({
            "container_id": "c", "source": "stdout", "log": text.trim_end(), "partial_message": "true",
            "partial_id": id, "partial_last": is_last.to_string(),
        });
        text_line(&line)
    };
    let mut told = text_line(&json!({"container_id": "c", "source": "stdout", "log": text(&record(3))}));
    for at in 0..one.len().max(two.len()) {
        one.get(at).into_iter().for_each(|text| told += &partial(text, "1", at + 1 == one.len()));
        two.get(at).into_iter().for_each(|text| told += &partial(text, "2", at + 1 == two.len()));
    }
    for (name, log, count) in [("file logger", by_file, 5), ("told", told, 3)] {
        for chunk_bytes in [1000, 1 << 20] {
            let (exchanges, report) = read_all(log.as_bytes(), chunk_bytes, None);
            let found = (exchanges.len(), report.bad_lines, report.damaged);
            assert_eq!(found, (count, 0, 0), "{name}: {}", describe(&report));
        }
    }
}

fn text_line(value: &Value) -> String {
    text(value) + "\n"
}

#[test]
fn an_array_may_hold_records_as_texts() {
    let texts = json!([text(&record(1)), text(&record(2)), "no record", text(&record(3))]);
    for array in [texts.to_string(), serde_json::to_string_pretty(&texts).unwrap()] {
        for chunk_bytes in [1, 1 << 20] {
            let (exchanges, report) = read_all(array.as_bytes(), chunk_bytes, None);
            assert_eq!((exchanges.len(), report.bad_lines, report.damaged), (3, 1, 0), "{}", describe(&report));
        }
    }
}

/// A wrapper that names a caller may hold his own records, and those that leave it to the wrapper to name him.
#[test]
fn a_record_beside_a_name_is_of_that_name() {
    let unnamed = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    for (name, wrapped) in [
        ("the same account", json!({"account": "a1", "@timestamp": 1_780_000_000, "message": text(&record(1))})),
        ("no account", json!({"account": "a1", "@timestamp": 1_780_000_000, "message": text(&unnamed)})),
    ] {
        let (exchanges, report) = read_all(text(&wrapped).as_bytes(), 1 << 20, None);
        assert!(exchanges.len() == 1 && exchanges[0].contains(r#""account":"a1""#), "{name}: {}", describe(&report));
    }
}

/// What is unpacked of one text is bounded in all, however many packed texts are in it.
#[test]
fn unpacking_has_one_bound_for_a_text() {
    // In the order of the letters, as `serde_json` may write them or not: what is cut off has its time behind the cut.
    let bulk = json!({"account": "a", "request": {"messages": "x".repeat(limits::RECORD_BYTES_MAX / 2 + 1)}, "time": 1_780_000_000});
    let both = json!({"records": [{"data": packed(&record(1))}, {"data": packed(&bulk)}, {"data": packed(&bulk)}]});
    let (exchanges, report) = read_all(text(&both).as_bytes(), 1 << 20, None);
    assert_eq!((exchanges.len(), report.bad_lines), (2, 1), "{}", describe(&report));
    // To the byte.
    for (bytes, good) in [(limits::UNPACKED_BYTES_MAX, 1), (limits::UNPACKED_BYTES_MAX + 1, 0)] {
        let empty = text(&json!({"account": "a", "request": {"messages": ""}, "time": 1_780_000_000})).len();
        let record = json!({"account": "a", "request": {"messages": "x".repeat(bytes - empty)}, "time": 1_780_000_000});
        let (exchanges, report) = read_all(text(&json!({"data": packed(&record)})).as_bytes(), 1 << 20, None);
        assert_eq!((exchanges.len(), report.damaged), (good, 0), "{bytes}: {}", describe(&report));
    }
}

/// What the logger wrote on the line goes before what the caller may have sent along.
#[test]
fn metadata_names_nobody_where_the_line_does() {
    let bodies = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    for (on_line, in_metadata, account) in [
        (json!({"key": "k1"}), json!({"account": "victim", "org": "victim"}), "k1"),
        (json!({"project": "p1"}), json!({"customer_id": "victim"}), "p1"),
        (json!({"user": "u1"}), json!({"customer_id": "c1"}), "c1"),
        (json!({}), json!({"customer_id": "c1"}), "c1"),
    ] {
        let mut line = json!({"time": 1_780_000_000, "request": bodies, "metadata": in_metadata});
        line.as_object_mut().unwrap().extend(on_line.as_object().unwrap().clone());
        let (exchanges, report) = read_all(text(&line).as_bytes(), 1 << 20, None);
        let named = format!(r#""account":"{account}""#);
        assert!(exchanges.len() == 1 && exchanges[0].contains(&named), "{line}: {}", describe(&report));
        assert!(!exchanges[0].contains("victim"), "{}", exchanges[0]);
    }
}

/// A name in another spelling counts where nothing else tells whose a call was.
#[test]
fn a_name_that_is_only_alike_goes_last() {
    let litellm = |metadata: Value| {
        json!({
            "id": "1", "call_type": "acompletion", "startTime": 1_780_000_000, "model": "m", "metadata": metadata,
            "messages": [{"role": "user", "content": "hi"}], "response": {"choices": [{"message": {"content": "yes"}}]},
        })
    };
    for (metadata, account) in [
        (json!({"user_api_key_hash": "k1", "userApiKeyUserId": "victim", "user-api-key-org-id": "victim"}), "k1"),
        (json!({"userApiKeyUserId": "u1"}), "u1"),
        (json!({"userApiKeyUserId": "u1", "user_api_key_end_user_id": "e1"}), "u1"),
    ] {
        let line = litellm(metadata);
        let (exchanges, report) = read_all(text(&line).as_bytes(), 1 << 20, None);
        let named = format!(r#""account":"{account}""#);
        assert!(exchanges.len() == 1 && exchanges[0].contains(&named), "{line}: {}", describe(&report));
        assert!(!exchanges[0].contains("victim"), "{}", exchanges[0]);
    }
}

/// Whatever path a caller chose, what was asked and answered is a call.
#[test]
fn what_was_answered_is_a_call_whatever_its_path() {
    let asked = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    for (response, is_call) in [
        (json!({"choices": [{"message": {"content": "yes"}}]}), true),
        (json!("data: {\"choices\":[{\"delta\":{\"content\":\"yes\"}}]}\n\ndata: [DONE]\n"), true),
        (json!([{"choices": [{"delta": {"content": "yes"}}]}]), true),
        (json!({"object": "list", "data": []}), false),
        (json!({"input_tokens": 3}), false),
        (json!(null), false),
    ] {
        let line = json!({
            "time": 1_780_000_000, "account": "a", "method": "POST", "path": "/v1/models/", "request": asked,
            "response": response,
        });
        let (exchanges, report) = read_all(text(&line).as_bytes(), 1 << 20, None);
        assert_eq!(exchanges.len() == 1, is_call, "{response}: {}", describe(&report));
    }
    // The path that stands in a body is the caller's.
    for body in [
        json!({"model": "m", "inputText": "x", "path": "/healthz", "method": "GET"}),
        json!({"model": "m", "chat_history": [{"role": "USER", "message": "x"}], "url": "/v1/models", "method": "GET"}),
    ] {
        let line = json!({"time": 1_780_000_000, "account": "a", "request": body});
        let (exchanges, report) = read_all(text(&line).as_bytes(), 1 << 20, None);
        assert_eq!(exchanges.len(), 1, "{body}: {}", describe(&report));
    }
}

/// A program's own words may hold what a caller wrote, so it is told how many records stand behind words.
#[test]
fn words_before_records_are_told() {
    let log = format!("{}\nuser=x refused: {}\n", text(&record(1)), text(&record(2)));
    let (exchanges, report) = read_all(log.as_bytes(), 1 << 20, None);
    assert_eq!(exchanges.len(), 2);
    assert!(describe(&report).contains("unwrapped: words before a record × 1 (line 2)"), "{}", describe(&report));
}

/// A table that was cut within quotation marks loses rows, and says so.
#[test]
fn a_row_that_swallows_others_is_damaged() {
    let row = |n: u64, text: &str| format!("2026-06-15T08:00:0{n}Z,a{n},m,{text}\n");
    let head = "time,account,model,messages\n";
    let sound = format!("{head}{}{}{}", row(1, "\"one, two\""), row(2, "\"three\nfour\""), row(3, "five"));
    let cut = format!("{head}2026-06-15T08:00:01Z,a1,m,\"one, tw\n{}{}", row(2, "\"three, four\""), row(3, "five"));
    for (table, expected) in [(sound, (3, 0)), (cut, (2, 1))] {
        let (exchanges, report) = read_all(table.as_bytes(), 1 << 20, None);
        assert_eq!((exchanges.len(), report.damaged), expected, "{}", describe(&report));
    }
}
