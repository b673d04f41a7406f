//! One call, one exchange: copies, attempts, traces, each with its limit.

use exchange::{Joiner, ReadOptions, ReadReport, Source, Time, limits, parse_chunk};
use serde_json::{Value, json};

use crate::{describe, read_all};

fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// What is read of some records: exchanges as JSON, and the report.
fn read(records: &[Value]) -> (Vec<Value>, ReadReport) {
    let (exchanges, report) = read_all(lines(records).as_bytes(), 1 << 20, None);
    (exchanges.iter().map(|json| serde_json::from_str(json).unwrap()).collect(), report)
}

/// How many calls went on when all records of a text were in, and before the end.
fn pushed(text: &str, joiner: &mut Joiner) -> usize {
    let (mut report, mut gone) = (ReadReport::default(), 0);
    for chunk in Source::new("test", text.as_bytes()) {
        let chunk = chunk.unwrap();
        let mut sink = |call: exchange::Call<'_>, line| {
            joiner.push(call.into_owned(), &chunk.source, line, &mut |_| gone += 1);
        };
        parse_chunk(&chunk, &ReadOptions::default(), &mut sink, &mut report);
    }
    gone
}

/// How often something was done with a record.
fn count(report: &ReadReport, what: &str) -> u64 {
    let found = report.remarks.iter().filter(|(remark, _)| remark.to_string().starts_with(what));
    found.map(|(_, tally)| tally.count).sum()
}

fn native(id: &str, account: &str, time: i64) -> Value {
    json!({"id": id, "time": time, "account": account, "request": {"messages": [{"role": "user", "content": "hi"}]}})
}

#[test]
fn the_same_record_twice_is_one_exchange() {
    let (exchanges, report) = read(&[native("a", "x", 1), native("a", "x", 1), native("b", "x", 1)]);
    assert_eq!((exchanges.len(), report.records, count(&report, "duplicate")), (2, 2, 1), "{}", describe(&report));
}

/// Who could choose ids freely must not make other records vanish with them.
#[test]
fn an_id_alone_makes_no_duplicate() {
    let (exchanges, _) = read(&[native("a", "x", 1), native("a", "y", 1), native("a", "x", 2)]);
    assert_eq!(exchanges.len(), 3);
}

/// Without ids, copies are known by what they say.
#[test]
fn records_without_ids_are_copies_if_they_say_the_same() {
    let record = |answer: &str| json!({"time": 1, "account": "x", "request": {}, "response": {"content": answer}});
    let (exchanges, report) = read(&[record("one"), record("one"), record("two")]);
    assert_eq!((exchanges.len(), count(&report, "duplicate")), (2, 1));
}

#[test]
fn duplicate_window() {
    let mut joiner = Joiner::default();
    let mut passed = |id: String| {
        let text = native(&id, "x", 1).to_string();
        let mut key = None;
        let mut sink = |call: exchange::Call<'_>| key = Some(call.key());
        exchange::read(&ReadOptions::default(), text.as_bytes(), "t", 1, &mut exchange::Notes::default(), &mut sink)
            .unwrap();
        joiner.passes(key.unwrap(), &"t".into(), 1)
    };
    assert!(passed("first".into()));
    for n in 0..limits::DUPLICATE_WINDOW - 1 {
        assert!(passed(n.to_string()));
    }
    assert!(!passed("first".into()), "within the window");
    assert!(passed("one more".into()));
    assert!(passed("first".into()), "one past the window");
}

fn litellm(id: &str, trace: &str, user: &str, time: f64, failed: bool) -> Value {
    json!({
        "id": id, "trace_id": trace, "call_type": "acompletion", "startTime": time, "model": "m",
        "status": if failed { "failure" } else { "success" },
        "metadata": {"user_api_key_user_id": user}, "messages": [{"role": "user", "content": "hi"}],
        "error_str": if failed { Value::from("no capacity") } else { Value::Null },
        "error_information": {"error_code": if failed { "429" } else { "" }},
        "response": if failed { json!({}) } else { json!({"choices": [{"message": {"content": "yes"}}]}) },
    })
}

#[test]
fn failed_attempts_and_the_success_are_one_call() {
    let (exchanges, report) = read(&[
        litellm("1", "t", "u", 1.0, true),
        litellm("2", "t", "u", 2.0, true),
        litellm("3", "t", "u", 3.0, false),
        // Nothing follows these two: one call that failed.
        litellm("4", "v", "u", 4.0, true),
        litellm("5", "v", "u", 5.0, true),
    ]);
    let ids: Vec<&str> = exchanges.iter().map(|exchange| exchange["id"].as_str().unwrap()).collect();
    assert_eq!((ids.as_slice(), count(&report, "attempt")), (["3", "5"].as_slice(), 3), "{}", describe(&report));
}

/// A caller may choose the id of a trace: calls that succeed all count, and nobody else's failures go.
#[test]
fn attempts_of_others_or_at_something_else_do_not_join() {
    let mut other_question = litellm("2", "t", "u", 2.0, false);
    other_question["messages"] = json!([{"role": "user", "content": "something else"}]);
    let (exchanges, _) = read(&[
        litellm("1", "t", "u", 1.0, true),
        other_question,
        litellm("3", "t", "v", 3.0, false),
        litellm("4", "t", "v", 4.0, false),
    ]);
    assert_eq!(exchanges.len(), 4);
}

#[test]
fn a_trace_that_two_records_give_to_different_users_is_nobodys() {
    let trace = |user: &str| json!({"id": "t", "timestamp": "2026-04-12T10:00:00Z", "name": "n", "userId": user, "input": null});
    let call = json!({
        "id": "o", "traceId": "t", "projectId": "p", "type": "GENERATION", "startTime": "2026-04-12T10:00:01Z",
        "model": "m", "modelParameters": {"n": 1}, "input": "Hi", "output": "Hello",
    });
    for (records, account) in [
        (vec![trace("ann"), trace("ann"), call.clone()], "ann"),
        (vec![trace("ann"), trace("bob"), call.clone()], "p"),
        (vec![trace("ann"), trace("bob"), trace("ann"), call.clone()], "p"),
    ] {
        let (exchanges, _) = read(&records);
        assert_eq!(exchanges.iter().map(|call| call["account"].clone()).collect::<Vec<_>>(), [account], "{records:?}");
    }
}

fn span(trace: &str, id: &str, parent: &str, time: u64, attributes: Value) -> Value {
    let attributes: Vec<Value> = attributes
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| json!({"key": key, "value": {"stringValue": value}}))
        .collect();
    json!({"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "front"}}]},
        "scopeSpans": [{"spans": [{
            "traceId": trace, "spanId": id, "parentSpanId": parent, "name": "x",
            "startTimeUnixNano": (1_780_000_000 + time).to_string() + "000000000",
            "endTimeUnixNano": (1_780_000_001 + time).to_string() + "000000000", "attributes": attributes}]}]}]})
}

fn turn(trace: &str, id: &str, name: &str, text: &str) -> Value {
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
        "timeUnixNano": "1780000000000000000", "traceId": trace, "spanId": id, "eventName": name,
        "body": {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": text}}]}}}]}]}]})
}

fn chat() -> Value {
    json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m",
        "gen_ai.input.messages": r#"[{"role":"user","parts":[{"type":"text","content":"hi"}]}]"#})
}

/// Whoever calls may name any span as the one around his: only what ran within it and by the same account is the same call.
#[test]
fn a_call_within_a_call_is_of_the_same_account_and_time() {
    let by = |account: &str, id: &str, parent: &str, time: u64| {
        let mut attributes = chat();
        attributes["account.id"] = json!(account);
        span("ab", id, parent, time, attributes)
    };
    for (inner, count) in [(by("a", "02", "01", 1), 1), (by("b", "02", "01", 1), 2), (by("a", "02", "01", 100), 2)] {
        for order in [[by("a", "01", "", 1), inner.clone()], [inner.clone(), by("a", "01", "", 1)]] {
            let (exchanges, report) = read(&order);
            assert_eq!(exchanges.len(), count, "{}", describe(&report));
        }
    }
}

#[test]
fn who_and_from_where_may_stand_on_the_root_alone() {
    let root = span("aa", "01", "", 0, json!({"user.id": "u-1", "client.address": "203.0.113.9"}));
    let child = span("aa", "02", "01", 1, chat());
    let late = span("aa", "03", "01", 2, chat());
    for order in [vec![child.clone(), root.clone()], vec![root.clone(), child.clone()]] {
        let (exchanges, report) = read(&order);
        assert_eq!(exchanges.len(), 1, "{}", describe(&report));
        assert_eq!((&exchanges[0]["account"], &exchanges[0]["client"]["ip"]), (&json!("u-1"), &json!("203.0.113.9")));
        assert_eq!(count(&report, "joined"), 1);
    }
    // What comes after its trace was whole still learns who it was.
    let (exchanges, _) = read(&[child.clone(), root.clone(), late]);
    assert_eq!(exchanges.iter().filter(|exchange| exchange["account"] == "u-1").count(), 2);
    // A caller may choose the id of a trace: what is not around a call says nothing about it.
    let stranger = span("aa", "09", "", 1, chat());
    let (exchanges, _) = read(&[child, root, stranger]);
    assert_eq!(exchanges.iter().filter(|exchange| exchange["account"] == "u-1").count(), 1);
}

/// Where spans between are missing, the only account of a trace is taken from anywhere in it, and this is told.
#[test]
fn a_broken_chain_takes_the_only_account_of_its_trace() {
    let root = |id: &str, user: &str| span("aa", id, "", 0, json!({"user.id": user}));
    let sibling = |user: &str| span("aa", "05", "04", 0, json!({"user.id": user}));
    let child = span("aa", "02", "01", 1, chat());
    for other in [root("09", "u-1"), sibling("u-1")] {
        for records in [[child.clone(), other.clone()], [other, child.clone()]] {
            let (exchanges, report) = read(&records);
            assert_eq!((exchanges.len(), &exchanges[0]["account"]), (1, &json!("u-1")), "{}", describe(&report));
            assert_eq!(count(&report, "joined: account from a span that is not around"), 1, "{}", describe(&report));
        }
    }
    // Of several nobody is guessed, also where one of them is known by a call of his own.
    let mut own = chat();
    own["user.id"] = json!("u-2");
    for other in [sibling("u-2"), span("aa", "06", "", 1, own)] {
        let (exchanges, report) = read(&[child.clone(), root("09", "u-1"), other]);
        let of_front = exchanges.iter().filter(|exchange| exchange["account"] == "front").count();
        assert_eq!((of_front, count(&report, "not joined: account")), (1, 1), "{}", describe(&report));
    }
    // What is around a call goes before, and a chain that is whole takes nothing from beside it.
    let (exchanges, _) =
        read(&[child.clone(), span("aa", "01", "00", 0, json!({"user.id": "u-3"})), root("09", "u-1")]);
    assert_eq!(exchanges[0]["account"], "u-3");
    let (exchanges, _) = read(&[child, span("aa", "01", "", 0, json!({})), sibling("u-1")]);
    assert_eq!(exchanges[0]["account"], "front");
}

fn details(trace: &str, id: &str, user: Option<&str>, seconds: u64) -> Value {
    let mut attributes = chat();
    if let Some(user) = user {
        attributes["user.id"] = json!(user);
    }
    let pairs = attributes.as_object().unwrap().iter();
    let attributes: Vec<Value> =
        pairs.map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect();
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
        "timeUnixNano": format!("{}000000000", 1_780_000_000 + seconds), "traceId": trace, "spanId": id,
        "eventName": "gen_ai.client.inference.operation.details", "attributes": attributes}]}]}]})
}

#[test]
fn a_log_record_that_tells_a_whole_call_is_one() {
    // Without a span, and without the span that it names.
    for (trace, id) in [("", ""), ("aa", "01")] {
        let (exchanges, report) = read(&[details(trace, id, Some("u-1"), 0)]);
        assert_eq!((exchanges.len(), report.bad_lines), (1, 0), "{}", describe(&report));
        assert_eq!(
            (&exchanges[0]["account"], &exchanges[0]["request"]["messages"][0]["content"][0]["text"]),
            (&json!("u-1"), &json!("hi"))
        );
    }
    // Beside its span it is no second one, in either order.
    let mut bare = chat();
    bare.as_object_mut().unwrap().remove("gen_ai.input.messages");
    bare["user.id"] = json!("u-1");
    let said = [Some("u-1"), None].into_iter().flat_map(|user| [(bare.clone(), user), (chat(), user)]);
    for (call, user) in said {
        let records = [span("aa", "01", "", 0, call), details("aa", "01", user, 1)];
        for records in [records.to_vec(), records.iter().rev().cloned().collect()] {
            let (exchanges, report) = read(&records);
            assert_eq!((exchanges.len(), report.bad_lines), (1, 0), "{}", describe(&report));
            assert_eq!(exchanges[0]["request"]["messages"].as_array().unwrap().len(), 1);
        }
    }
    // Of nobody it is none.
    let (exchanges, report) = read(&[details("", "", None, 0), turn("", "", "gen_ai.user.message", "lost")]);
    assert_eq!((exchanges.len(), report.bad_lines, count(&report, "not joined")), (0, 0, 2), "{}", describe(&report));
}

/// By the records' own times, in whatever order they are read.
#[test]
fn turns_are_joined_within_the_bound() {
    let mut bare = chat();
    bare.as_object_mut().unwrap().remove("gen_ai.input.messages");
    bare["user.id"] = json!("u-1");
    // A span of one second.
    let limit = limits::JOIN_SECONDS_MAX + 1;
    for (seconds, joined) in [(limit, 1), (limit + 1, 0)] {
        let records = [span("aa", "01", "", 0, bare.clone()), details("aa", "01", None, seconds)];
        for records in [records.to_vec(), records.iter().rev().cloned().collect()] {
            let (exchanges, report) = read(&records);
            assert_eq!((exchanges.len(), count(&report, "joined: turns")), (1, joined), "{}", describe(&report));
        }
    }
}

#[test]
fn an_outer_span_is_a_call_where_none_within_it_is() {
    let outer = span(
        "aa",
        "01",
        "",
        0,
        json!({"ai.operationId": "ai.generateText", "ai.prompt": r#"{"prompt":"hi"}"#,
        "ai.telemetry.metadata.userId": "u-1", "ai.response.text": "yes"}),
    );
    let inner = |id: &str, time| {
        span(
            "aa",
            id,
            "01",
            time,
            json!({"ai.operationId": "ai.generateText.doGenerate", "ai.response.text": "step",
            "ai.prompt.messages": r#"[{"role":"user","content":"hi"}]"#}),
        )
    };
    let (exchanges, report) = read(std::slice::from_ref(&outer));
    assert_eq!((exchanges.len(), report.by_format.len()), (1, 1), "{}", describe(&report));
    assert_eq!((&exchanges[0]["account"], &exchanges[0]["response"]["content"]), (&json!("u-1"), &json!("yes")));
    // With one within, or two steps, these are the calls, in any order.
    for steps in [vec![inner("02", 1)], vec![inner("02", 1), inner("03", 2)]] {
        for at in 0..=steps.len() {
            let mut records = steps.clone();
            records.insert(at, outer.clone());
            let (exchanges, report) = read(&records);
            assert_eq!(exchanges.len(), steps.len(), "{at} {}", describe(&report));
            assert!(exchanges.iter().all(|call| call["response"]["content"] == "step" && call["account"] == "u-1"));
            assert_eq!(count(&report, "skipped: span around a call"), 1, "{}", describe(&report));
        }
    }
}

#[test]
fn turns_may_stand_in_log_records() {
    let mut attributes = chat();
    attributes.as_object_mut().unwrap().remove("gen_ai.input.messages");
    attributes["user.id"] = json!("u-1");
    let call = span("aa", "01", "", 0, attributes);
    let asked = turn("aa", "01", "gen_ai.user.message", "question");
    let system = turn("aa", "01", "gen_ai.system.message", "be brief");
    let alone = turn("bb", "09", "gen_ai.user.message", "lost");
    let (exchanges, report) = read(&[system, asked, call, alone]);
    assert_eq!(exchanges.len(), 1);
    assert_eq!(
        exchanges[0]["request"]["messages"],
        json!([{"role": "system", "content": "be brief"}, {"role": "user", "content": "question"}])
    );
    assert_eq!((count(&report, "joined"), count(&report, "not joined")), (2, 1), "{}", describe(&report));
}

#[test]
fn a_call_within_a_call_is_one() {
    let mut outer = chat();
    outer["user.id"] = json!("u-1");
    let (exchanges, report) = read(&[span("aa", "02", "01", 1, chat()), span("aa", "01", "", 0, outer.clone())]);
    assert_eq!((exchanges.len(), count(&report, "joined")), (1, 1), "{}", describe(&report));
    // Several calls within one span are the calls.
    let (exchanges, report) = read(&[
        span("aa", "02", "01", 1, chat()),
        span("aa", "03", "01", 2, chat()),
        span("aa", "01", "", 0, outer.clone()),
    ]);
    assert_eq!((exchanges.len(), count(&report, "skipped")), (2, 1), "{}", describe(&report));
    // The inner one may come late.
    let (exchanges, report) = read(&[span("aa", "01", "", 0, outer.clone()), span("aa", "02", "01", 1, chat())]);
    assert_eq!((exchanges.len(), count(&report, "joined")), (1, 1), "{}", describe(&report));
    // A failed one and its repetition are one.
    let mut failed = chat();
    failed["error.type"] = json!("429");
    let (exchanges, report) =
        read(&[span("aa", "02", "01", 1, failed), span("aa", "03", "01", 2, chat()), span("aa", "01", "", 0, outer)]);
    assert_eq!(
        (exchanges.len(), count(&report, "attempt"), count(&report, "joined")),
        (1, 1, 1),
        "{}",
        describe(&report)
    );
}

#[test]
fn spans_that_go_round_in_a_circle_are_read() {
    let (exchanges, _) = read(&[span("aa", "01", "02", 0, chat()), span("aa", "02", "01", 1, chat())]);
    assert!(!exchanges.is_empty());
}

/// Gives a joiner calls that wait for their root, and says after each how many have gone on.
fn waiting(calls: usize, advance: Option<i64>) -> usize {
    let text: String =
        (1..=calls).map(|n| format!("{}\n", span(&format!("{n:032x}"), "02", "01", 0, chat()))).collect();
    let mut joiner = Joiner::default();
    let mut gone = pushed(&text, &mut joiner);
    if let Some(seconds) = advance {
        joiner.advance(Time::from_seconds(1_780_000_000 + seconds), &mut |_| gone += 1);
    }
    gone
}

#[test]
fn join_seconds_max() {
    let limit = limits::JOIN_SECONDS_MAX as i64;
    assert_eq!(waiting(1, Some(limit)), 0);
    assert_eq!(waiting(1, Some(limit + 1)), 1);
}

/// A caller who puts everything under one trace makes nothing wait for ever.
#[test]
fn trace_spans_max() {
    let gone = |spans: usize| {
        let text: String =
            (1..=spans).map(|n| format!("{}\n", span("aa", &format!("{n:016x}"), "ffff", 0, chat()))).collect();
        pushed(&text, &mut Joiner::default())
    };
    assert_eq!(gone(limits::TRACE_SPANS_MAX - 1), 0);
    assert_eq!(gone(limits::TRACE_SPANS_MAX), limits::TRACE_SPANS_MAX);
    // Full, it begins anew: what comes after waits again, so nothing of it is kept for ever.
    assert_eq!(gone(limits::TRACE_SPANS_MAX + 1), limits::TRACE_SPANS_MAX);
    assert_eq!(gone(2 * limits::TRACE_SPANS_MAX), 2 * limits::TRACE_SPANS_MAX);
}

#[test]
fn join_waiting_max() {
    assert_eq!(waiting(limits::JOIN_WAITING_MAX, None), 0);
    assert_eq!(waiting(limits::JOIN_WAITING_MAX + 1, None), 1);
}

/// Lines of a gateway that logs every request, by method and path.
#[test]
fn requests_that_ask_no_model_are_skipped_with_a_reason() {
    let listing = json!({"object": "list", "data": [{"id": "m-2", "object": "model"}]});
    let asked = json!({"model": "claude-x", "messages": [{"role": "user", "content": "hi"}]});
    for (record, why) in [
        (json!({"ts": 1, "account": "a", "method": "GET", "path": "/v1/models", "response": listing}), "listing"),
        (json!({"ts": 1, "account": "a", "http_method": "GET", "url": "https://x/v1/files"}), "listing"),
        (json!({"ts": 1, "account": "a", "http": {"method": "POST", "target": "/v1/batches"}}), "listing"),
        (json!({"ts": 1, "account": "a", "request": {"method": "GET", "path": "/v1/models"}}), "listing"),
        (json!({"ts": 1, "method": "GET", "path": "/healthz", "status": 200}), "health check"),
        (json!({"ts": 1, "request": "GET /healthz HTTP/1.1", "account": "a"}), "health check"),
        (
            json!({"ts": 1, "account": "a", "method": "POST", "endpoint": "/v1/messages/count_tokens", "request": asked,
                "response": {"input_tokens": 4}}),
            "count of tokens",
        ),
        (
            json!({"ts": 1, "account": "a", "request.method": "GET", "request.url": "/v1/responses/resp_1",
                "response": {"object": "response", "id": "resp_1", "status": "in_progress"}}),
            "poll of an answer",
        ),
    ] {
        let (exchanges, report) = read(std::slice::from_ref(&record));
        let skipped = count(&report, &format!("skipped: {why}"));
        assert_eq!((exchanges.len(), report.bad_lines, skipped), (0, 0, 1), "{record}\n{}", describe(&report));
    }
}

/// A caller writes the path that he asks for, so it hides nothing that was answered, and no other words hide anything.
#[test]
fn a_path_hides_no_call() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "GET /healthz"}]});
    let answer = json!({"object": "chat.completion", "choices": [{"message": {"content": "GET /v1/models"}}]});
    for (method, path) in [
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/chat/completions?/v1/messages/count_tokens"),
        ("POST", "/v1/messages/count_tokens"),
        ("GET", "/v1/models"),
        ("chat", "models"),
    ] {
        let record =
            json!({"ts": 1, "account": "a", "method": method, "path": path, "request": body, "response": answer});
        assert_eq!(read(&[record]).0.len(), 1, "{method} {path}");
    }
    let unanswered =
        json!({"ts": 1, "account": "a", "method": "POST", "path": "/v1/chat/completions", "request": body});
    assert_eq!(read(&[unanswered]).0.len(), 1);
    // Keys among what he wrote are no method and no path, and make no half of a call of it.
    let named = json!({"model": "m", "messages": body["messages"], "method": "GET", "path": "/v1/models",
        "type": "response", "request_id": "r"});
    let mut flat = named.clone();
    (flat["ts"], flat["account"]) = (json!(1), json!("a"));
    let within = json!({"ts": 1, "account": "a", "request": named});
    let text = json!({"ts": 1, "account": "a", "request": named.to_string()});
    for record in [flat, within, text] {
        assert_eq!(read(std::slice::from_ref(&record)).0.len(), 1, "{record}");
    }
}

fn background(id: &str, account: &str, time: i64) -> Value {
    json!({"ts": time, "account": account, "method": "POST", "path": "/v1/responses",
        "request": {"model": "m", "input": "hi", "background": true},
        "response": {"object": "response", "id": id, "status": "queued", "output": []}})
}

fn poll(id: &str, account: &str, time: i64, status: &str) -> Value {
    let said = json!([{"type": "message", "content": [{"type": "output_text", "text": "yes"}]}]);
    let output = if status == "completed" { said } else { json!([]) };
    json!({"ts": time, "account": account, "method": "GET", "path": format!("/v1/responses/{id}"),
        "response": {"object": "response", "id": id, "status": status, "output": output}})
}

#[test]
fn a_background_call_and_its_polls_are_one_call_with_its_answer() {
    let (call, waits) = (background("resp_1", "a", 1), poll("resp_1", "a", 2, "in_progress"));
    let (exchanges, report) = read(&[call.clone(), waits, poll("resp_1", "a", 9, "completed")]);
    assert_eq!((exchanges.len(), report.bad_lines), (1, 0), "{}", describe(&report));
    assert_eq!(exchanges[0]["response"], json!({"content": "yes", "finish_reason": "completed"}));
    assert_eq!((count(&report, "skipped: poll"), count(&report, "joined: an answer")), (1, 1));
    // An answer that is fetched again, or by somebody else, adds nothing; a call without one goes on.
    let others = [poll("resp_1", "b", 9, "completed"), call];
    let (exchanges, report) = read(&others);
    assert_eq!((exchanges.len(), &exchanges[0]["response"]["content"]), (1, &Value::Null));
    assert_eq!(count(&report, "not joined"), 2, "{}", describe(&report));
}

/// Where only the response names the account, it is the call's, whomever the caller says he is.
#[test]
fn the_account_of_a_response_is_that_of_its_request() {
    let mut nobody = asked("r", "a", 1);
    nobody.as_object_mut().unwrap().remove("account");
    let mut forged = nobody.clone();
    forged["body"]["user"] = json!("victim");
    for request in [nobody.clone(), forged] {
        let (exchanges, report) = read(&[request, answered("r", Some("b"), 3, "yes")]);
        assert_eq!((exchanges.len(), report.bad_lines), (1, 0), "{}", describe(&report));
        assert_eq!((&exchanges[0]["account"], &exchanges[0]["response"]["content"]), (&json!("b"), &json!("yes")));
    }
    let (exchanges, report) = read(&[nobody]);
    assert_eq!((exchanges.len(), report.bad_lines), (0, 1), "{}", describe(&report));
}

/// What was answered is no failed attempt, even where its stream broke off at the end.
#[test]
fn a_call_that_was_answered_is_folded_into_no_other() {
    let call = |n: i64, status: u16, answer: &str| {
        json!({"timestamp": 1_780_000_000 + n, "account": "a", "idempotency_key": "k", "status": status,
            "request": {"model": "m", "messages": [{"role": "user", "content": "x"}]},
            "response": {"choices": [{"message": {"content": answer}}]}})
    };
    let (exchanges, _) = read(&[call(1, 499, "one"), call(2, 499, "two"), call(3, 200, "three")]);
    assert_eq!(exchanges.len(), 3);
    let (exchanges, _) = read(&[call(1, 499, ""), call(2, 499, ""), call(3, 200, "three")]);
    assert_eq!(exchanges.len(), 1);
}

fn asked(id: &str, account: &str, time: i64) -> Value {
    json!({"type": "request", "request_id": id, "account": account, "time": time,
        "body": {"model": "m", "messages": [{"role": "user", "content": "hi"}]}})
}

fn answered(id: &str, account: Option<&str>, time: i64, text: &str) -> Value {
    let mut record = json!({"type": "response", "request_id": id, "time": time, "status": 200,
        "body": {"model": "m", "choices": [{"message": {"content": text}}], "usage": {"prompt_tokens": 3}}});
    if let Some(account) = account {
        record["account"] = json!(account);
    }
    record
}

#[test]
fn a_request_and_its_response_may_be_two_records() {
    let records = [asked("r", "a", 1), answered("r", None, 3, "yes")];
    for records in [records.to_vec(), records.iter().rev().cloned().collect()] {
        let (exchanges, report) = read(&records);
        assert_eq!((exchanges.len(), report.bad_lines), (1, 0), "{}", describe(&report));
        let call = &exchanges[0];
        assert_eq!((&call["account"], &call["response"]["content"]), (&json!("a"), &json!("yes")));
        assert_eq!((&call["duration_ms"], &call["status"]), (&json!(2000.0), &json!(200)));
        assert_eq!(call["usage"]["input_tokens"], 3);
    }
    // Each copied, as streams deliver at least once.
    let (exchanges, report) = read(&[&records[..], &records[..]].concat());
    assert_eq!((exchanges.len(), count(&report, "duplicate")), (1, 2), "{}", describe(&report));
    // One without the other.
    let (exchanges, report) = read(&[asked("r", "a", 1), answered("s", None, 2, "yes")]);
    assert_eq!((exchanges.len(), report.bad_lines, count(&report, "not joined")), (1, 0, 2), "{}", describe(&report));
}

/// An id that somebody else has too takes nobody's answer to another account.
#[test]
fn an_answer_goes_to_no_other_account() {
    let (exchanges, report) = read(&[asked("r", "a", 1), answered("r", Some("b"), 2, "of b")]);
    assert_eq!((&exchanges[0]["response"]["content"], count(&report, "joined: ")), (&Value::Null, 0));
    // Where two wait for an answer that names nobody, neither gets it; one that names its account is sure.
    let two = [asked("r", "a", 1), asked("r", "b", 1)];
    let (exchanges, report) = read(&[&two[..], &[answered("r", None, 2, "of whom?")]].concat());
    assert!(exchanges.iter().all(|call| call["response"]["content"].is_null()), "{}", describe(&report));
    let (exchanges, _) = read(&[&two[..], &[answered("r", Some("b"), 2, "of b")]].concat());
    let of = |account: &str| exchanges.iter().find(|call| call["account"] == account).unwrap();
    assert_eq!((&of("a")["response"]["content"], &of("b")["response"]["content"]), (&Value::Null, &json!("of b")));
    // Whoever uses an id again makes none of his calls vanish.
    let (exchanges, _) = read(&[asked("r", "a", 1), asked("r", "a", 2), answered("r", None, 3, "of the second")]);
    assert_eq!(exchanges.len(), 2);
}

#[test]
fn an_answer_is_joined_within_the_bound() {
    let limit = limits::JOIN_SECONDS_MAX as i64;
    for (seconds, joined) in [(limit, 1), (limit + 1, 0)] {
        let (exchanges, report) = read(&[asked("r", "a", 1), answered("r", None, 1 + seconds, "yes")]);
        assert_eq!((exchanges.len(), count(&report, "joined: ")), (1, joined), "{}", describe(&report));
    }
}

fn attempt(ids: Value, account: &str, time: i64, status: u16) -> Value {
    let mut record = json!({"time": time, "account": account, "status_code": status,
        "request": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
        "response": if status < 400 { json!({"choices": [{"message": {"content": "yes"}}]}) } else { json!({"error": "x"}) }});
    for (key, value) in ids.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

/// Under each id that loggers write; an id may be the caller's, so the account and what was asked must be equal.
#[test]
fn retries_under_any_id_in_common_are_one_call() {
    for (first, second) in [
        (json!({"request_id": "r"}), json!({"request_id": "r"})),
        (json!({"headers": {"x-request-id": "r"}}), json!({"headers": {"x-request-id": "r"}})),
        (json!({"idempotency_key": "k", "request_id": "1"}), json!({"idempotency_key": "k", "request_id": "2"})),
        (json!({"metadata": {"litellm_call_id": "c"}}), json!({"metadata": {"litellm_call_id": "c"}})),
        (json!({"session_id": "s", "trace_id": "t"}), json!({"session_id": "s", "trace_id": "t"})),
    ] {
        let again = |time, status| attempt(second.clone(), "a", time, status);
        let (exchanges, report) = read(&[attempt(first.clone(), "a", 1, 500), again(2, 429), again(3, 200)]);
        assert_eq!((exchanges.len(), count(&report, "attempt")), (1, 2), "{first}\n{}", describe(&report));
        assert_eq!(exchanges[0]["status"], 200);
        // What succeeded is no attempt, nobody else's failure goes, and a failure that nothing follows is a call.
        assert_eq!(read(&[again(1, 200), again(2, 200)]).0.len(), 2);
        assert_eq!(read(&[again(1, 500), attempt(second.clone(), "b", 2, 200)]).0.len(), 2);
        assert_eq!(read(&[again(1, 500)]).0.len(), 1);
        let mut other = again(2, 200);
        other["request"]["messages"][0]["content"] = json!("something else");
        assert_eq!(read(&[again(1, 500), other]).0.len(), 2);
        // Nor what comes long after.
        let limit = limits::JOIN_SECONDS_MAX as i64;
        assert_eq!(read(&[again(1, 500), again(1 + limit, 200)]).0.len(), 1);
        assert_eq!(read(&[again(1, 500), again(2 + limit, 200)]).0.len(), 2);
    }
    // A trace alone is the caller's, and holds many calls.
    let trace = || json!({"trace_id": "t"});
    assert_eq!(read(&[attempt(trace(), "a", 1, 500), attempt(trace(), "a", 2, 200)]).0.len(), 2);
}

/// A response in a record of its own may say that the call failed.
#[test]
fn a_request_whose_response_failed_may_be_tried_again() {
    let mut failed = answered("r", None, 2, "");
    failed["status"] = json!(503);
    failed["body"] = json!({"error": {"message": "overloaded"}});
    let (exchanges, report) = read(&[asked("r", "a", 1), failed, asked("r", "a", 3), answered("r", None, 4, "yes")]);
    assert_eq!((exchanges.len(), count(&report, "attempt")), (1, 1), "{}", describe(&report));
    assert_eq!(exchanges[0]["response"]["content"], "yes");
}

fn bedrock(id: &str, arn: &str, seconds: u64, error: Option<&str>, temperature: f64) -> Value {
    let mut record = json!({"schemaType": "ModelInvocationLog", "accountId": "1", "identity": {"arn": arn},
        "timestamp": 1_780_000_000 + seconds, "requestId": id, "operation": "Converse", "modelId": "m",
        "input": {"inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "hi"}]}],
            "inferenceConfig": {"temperature": temperature}}}});
    match error {
        Some(error) => record["errorCode"] = json!(error),
        None => record["output"] = json!({"outputBodyJson": {"output": {"message": {"content": [{"text": "yes"}]}}}}),
    }
    record
}

/// An SDK of Bedrock tries again under a new id: only a throttled request and an equal one are taken for attempts.
#[test]
fn retry_seconds_max() {
    const THROTTLED: Option<&str> = Some("ThrottlingException");
    let limit = limits::RETRY_SECONDS_MAX;
    let first = || bedrock("1", "arn:x:user/ann", 0, THROTTLED, 0.5);
    for (follows, expected) in [
        (bedrock("2", "arn:x:user/ann", limit, None, 0.5), 1),
        (bedrock("2", "arn:x:user/ann", limit, THROTTLED, 0.5), 1),
        (bedrock("2", "arn:x:user/ann", limit + 1, None, 0.5), 2),
        (bedrock("2", "arn:x:user/bob", 1, None, 0.5), 2),
        (bedrock("2", "arn:x:user/ann", 1, None, 0.6), 2),
    ] {
        let (exchanges, report) = read(&[first(), follows.clone()]);
        let attempts = 2 - expected as u64;
        assert_eq!((exchanges.len(), count(&report, "attempt")), (expected, attempts), "{follows}");
    }
    // Other failures, and what succeeded, are calls each.
    let failed = bedrock("1", "arn:x:user/ann", 0, Some("InternalServerException"), 0.5);
    assert_eq!(read(&[failed, bedrock("2", "arn:x:user/ann", 1, None, 0.5)]).0.len(), 2);
    let good = |id: &str, seconds| bedrock(id, "arn:x:user/ann", seconds, None, 0.5);
    assert_eq!(read(&[good("1", 0), good("2", 1)]).0.len(), 2);
    // Vertex names the throttling in the response.
    let vertex = |id: &str, seconds: u64, response: Value| {
        json!({"logging_time": 1_780_000_000 + seconds, "request_id": id, "model": "m", "api_method": "generateContent",
            "full_request": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "labels": {"user_id": "u"}},
            "full_response": response})
    };
    let throttled = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}});
    let good = json!({"candidates": [{"content": {"parts": [{"text": "yes"}]}}]});
    let (exchanges, report) = read(&[vertex("1", 0, throttled), vertex("2", 5, good)]);
    assert_eq!((exchanges.len(), count(&report, "attempt")), (1, 1), "{}", describe(&report));
}

/// Failures that nothing follows, and halves without their others, wait in bounded number.
#[test]
fn what_waits_is_bounded_whatever_it_waits_for() {
    for kind in ["attempt", "half"] {
        let gone = |records: usize| {
            let text: String = (0..records)
                .map(|n| match kind {
                    "half" => asked(&n.to_string(), "a", 1),
                    _ => attempt(json!({"request_id": n.to_string()}), "a", 1, 500),
                })
                .map(|record| format!("{record}\n"))
                .collect();
            pushed(&text, &mut Joiner::default())
        };
        assert_eq!(gone(limits::JOIN_WAITING_MAX), 0, "{kind}");
        assert_eq!(gone(limits::JOIN_WAITING_MAX + 1), 1, "{kind}");
    }
}
