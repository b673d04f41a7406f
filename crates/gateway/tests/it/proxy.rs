//! What passes, and how; what does not, and what its caller hears.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway::limits::RELAYED_AT_ONCE;
use gateway::record::Seen;
use gateway::worker::Settings;
use policy::directory::Directory;
use policy::{Action, Actions};
use proptest::prelude::*;
use tokio::time::Instant;

use crate::faults::until;
use crate::rig::{KEY, Rig, parse, post, raw, unchunk};

const CHAT: &str = r#"{"model":"mock-1","messages":[{"role":"user","content":"hello"}]}"#;
/// An exchange as it is recorded.
fn line(seen: &Seen) -> Vec<u8> {
    let mut line = Vec::new();
    seen.write_line(&mut line);
    line
}

const STREAM: &str = r#"{"model":"mock-reasoner","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;

#[test]
fn replies_are_the_same_bytes() {
    let rig = Rig::new(Actions::NONE);
    for (path, body) in [
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", STREAM),
        ("/v1/completions", r#"{"model":"mock-1","prompt":"hello"}"#),
        ("/v1/responses", r#"{"model":"mock-reasoner","input":"hello","stream":true}"#),
        ("/v1/embeddings", r#"{"model":"mock-1","input":["a","b"]}"#),
        ("/v1/messages", r#"{"model":"mock-reasoner","max_tokens":9,"stream":true,"messages":[]}"#),
        ("/v1/messages/count_tokens", r#"{"model":"mock-1","messages":[]}"#),
        ("/v1/chat/completions", r#"{"model":"mock-error","messages":[]}"#),
    ] {
        let direct = post(rig.mock.address(), path, body);
        let through = rig.post(path, body);
        assert_eq!((through.status, &through.body), (direct.status, &direct.body), "{path} {body}");
    }
}

/// A reply of a server that nobody has met: fields and events that are not known, in pieces of any size.
fn reply() -> impl Strategy<Value = (bool, Vec<Vec<u8>>)> {
    let json = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no others", |number| number.is_finite())
            .prop_map(|number| format!("{number:?}")),
        ".{0,40}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just(r#"{"id":1,"id":2,"\u0061":null}"#.to_owned()),
        Just("[ {\"deep\" : [[[[]]]]},\t1e400 ]".to_owned()),
    ];
    let event = (prop::option::of("[a-z_.]{1,20}"), json, prop_oneof!["\n\n", "\r\n\r\n", "\n"]).prop_map(
        |(name, data, end)| {
            let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
            format!("{name}: a comment\nid: 7\ndata: {data}{end}").into_bytes()
        },
    );
    let pieces = prop::collection::vec(prop_oneof![event, prop::collection::vec(any::<u8>(), 1..2_000)], 0..30);
    (any::<bool>(), pieces, 1..5_000_usize)
        .prop_map(|(streamed, pieces, cut)| (streamed, pieces.concat().chunks(cut).map(<[u8]>::to_vec).collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_a_server_writes_comes_byte_for_byte((streamed, pieces) in reply()) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let rig = Rig::in_front_of(listener.local_addr().unwrap());
        let written = pieces.clone();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).unwrap() > 0);
            let kind = if streamed { "text/event-stream" } else { "application/json; x=\"y\"" };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nx-unknown: a\r\ntransfer-encoding: chunked\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            for piece in written {
                stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
                stream.write_all(&piece).unwrap();
                stream.write_all(b"\r\n").unwrap();
            }
            stream.write_all(b"0\r\n\r\n").unwrap();
            let _ = stream.read(&mut request);
        });
        let answer = rig.post("/v1/chat/completions", if streamed { STREAM } else { CHAT });
        drop(rig);
        server.join().unwrap();
        prop_assert_eq!(answer.status, 200);
        prop_assert!(answer.head.contains("x-unknown: a"));
        prop_assert_eq!(answer.body, pieces.concat());
    }

    #[test]
    fn what_a_client_writes_goes_byte_for_byte(more in prop::collection::vec(("[a-z_]{1,12}", ".{0,200}"), 0..20), spaces in "[ \t\r\n]{0,5}") {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let rig = Rig::in_front_of(listener.local_addr().unwrap());
        let fields: String = more.iter().enumerate().map(|(n, (key, text))| {
            format!("{spaces}\"zz_{n}_{key}\" :{spaces}{},", serde_json::to_string(text).unwrap())
        }).collect();
        let body = format!("{{{fields}{spaces}\"model\":\"m\",\"messages\":[1.0e5,\"\\u00e9\"]}}{spaces}");
        let length = body.len();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut piece = [0; 65536];
            let begins = |request: &[u8]| request.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
            while begins(&request).is_none_or(|at| request.len() < at + length) {
                let bytes = stream.read(&mut piece).unwrap();
                assert!(bytes > 0);
                request.extend_from_slice(&piece[..bytes]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
            request.split_off(begins(&request).unwrap())
        });
        let answer = rig.post("/v1/chat/completions", &body);
        prop_assert_eq!(answer.status, 200);
        prop_assert_eq!(String::from_utf8(server.join().unwrap()).unwrap(), body);
    }
}

/// While nobody confirms who may come in, what is known holds for the time that the settings name.
#[test]
fn what_is_known_is_used_until_it_is_too_old() {
    let rig = Rig::new(Actions::NONE);
    let ask = || rig.post("/v1/chat/completions", CHAT).status;
    let stale_time_max = Some(Duration::from_secs(2));
    let now = rig.settings.load_full();
    rig.settings.store(Arc::new(Settings { stale_time_max, servers: Arc::clone(&now.servers), ..Settings::default() }));
    rig.gate.freshness().confirm(Instant::now());
    assert_eq!(ask(), 200);
    std::thread::sleep(Duration::from_millis(2_010));
    assert_eq!(ask(), 503);
    let nobody = raw(rig.gateway.address(), b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert_eq!(nobody.status, 503, "nobody is told whether a key is known");
    rig.gate.freshness().confirm(Instant::now());
    assert_eq!(ask(), 200);
    rig.settings.store(now);
    std::thread::sleep(Duration::from_millis(10));
    assert_eq!(ask(), 200, "without a limit it holds for ever");
}

#[test]
fn what_is_not_served_is_refused_in_the_callers_dialect() {
    let rig = Rig::new(Actions::NONE);
    for (path, body, status, says) in [
        ("/tokenize", "{}", 404, "not_found"),
        ("/v1/chat/completions", "{", 400, "invalid_request_error"),
        ("/v1/chat/completions", r#"{"model":"a","model":"b"}"#, 400, "duplicate field `model`"),
        ("/v1/messages", "[]", 400, r#""type":"error""#),
    ] {
        let answer = rig.post(path, body);
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, status, "{path}: {text}");
        assert!(text.contains(says), "{path}: {text}");
    }
    let nobody = raw(
        rig.gateway.address(),
        format!(
            "POST /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{CHAT}",
            CHAT.len()
        )
        .as_bytes(),
    );
    assert_eq!(nobody.status, 401);
    assert!(String::from_utf8(nobody.body).unwrap().contains("authentication_error"));
}

#[test]
fn what_is_held_back_does_not_come() {
    let rig = Rig::new([Action::ReasoningText, Action::Logprobs].into_iter().collect());
    for body in [STREAM, &STREAM.replace("true", "false")] {
        let direct = post(rig.mock.address(), "/v1/chat/completions", body);
        let through = rig.post("/v1/chat/completions", body);
        assert_eq!(through.status, 200);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let reasons = |text: &str| {
            text.matches(r#""reasoning_content":""#).count() - text.matches(r#""reasoning_content":"""#).count()
        };
        let (direct, through) = (text(direct.body), text(through.body));
        assert!(reasons(&direct) > 0, "{direct}");
        assert_eq!(reasons(&through), 0, "{through}");
    }
}

/// Events that are there together go on together, and those that come later as soon as they come; what came before a
/// server died is delivered.
#[test]
fn what_is_there_goes_on_at_once_and_together() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let rig = Rig::in_front_of(listener.local_addr().unwrap());
    let (go_on, told) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).unwrap() > 0);
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let first: String = (0..50).map(|n| chunk(&format!("data: {n}\n\n"))).collect();
        stream.write_all((head.to_owned() + &first).as_bytes()).unwrap();
        told.recv().unwrap();
        stream.write_all((chunk("data: 50\n\n") + &chunk("data: 51\n\n")).as_bytes()).unwrap();
        // It dies here.
    });
    let mut stream = TcpStream::connect(rig.gateway.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = STREAM.len();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {length}\r\n\r\n{STREAM}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = Vec::new();
    let mut piece = [0; 65536];
    while !String::from_utf8_lossy(&reply).contains("data: 49\n\n") {
        let bytes = stream.read(&mut piece).unwrap();
        reply.extend_from_slice(&piece[..bytes]);
    }
    go_on.send(()).unwrap();
    let _ = stream.read_to_end(&mut reply);
    server.join().unwrap();
    let body = String::from_utf8(reply).unwrap().split_once("\r\n\r\n").unwrap().1.to_owned();
    let chunks = body.matches("\r\n").count() / 2;
    assert!(chunks <= 4, "{chunks} pieces: {body:?}");
    let whole = String::from_utf8(unchunk(body.as_bytes())).unwrap();
    assert_eq!(whole, (0..52).map(|n| format!("data: {n}\n\n")).collect::<String>());
    assert!(!body.ends_with("0\r\n\r\n"), "the caller learns that it broke off");
}

/// A server that is faster than its caller does not have everything gathered first.
#[test]
fn what_goes_on_together_has_a_limit() {
    const PIECE: usize = 1_024;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let rig = Rig::in_front_of(listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        let piece = format!("{PIECE:x}\r\n{}\r\n", "x".repeat(PIECE));
        stream.write_all((piece.repeat(4 * 1024) + "0\r\n\r\n").as_bytes()).unwrap();
        // Until the other end is done with it.
        let _ = stream.read(&mut request);
    });
    let mut stream = TcpStream::connect(rig.gateway.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{STREAM}",
        STREAM.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    // So that the server is ahead.
    std::thread::sleep(Duration::from_millis(300));
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    drop(rig);
    server.join().unwrap();
    let split = reply.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let (mut rest, mut sizes) = (&reply[split + 4..], Vec::new());
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        sizes.push(size);
        rest = &rest[(end + 2 + size + 2).min(rest.len())..];
    }
    assert_eq!(sizes.iter().sum::<usize>(), 4 * 1024 * PIECE);
    let largest = sizes.into_iter().max().unwrap();
    assert!((RELAYED_AT_ONCE..RELAYED_AT_ONCE + PIECE).contains(&largest), "{largest}");
}

#[test]
fn a_reply_that_breaks_off_breaks_off_for_the_caller_too() {
    let rig = Rig::new(Actions::NONE);
    let answer = rig.post("/v1/chat/completions", &STREAM.replace("mock-reasoner", "mock-dies"));
    assert_eq!(answer.status, 200);
    assert!(!String::from_utf8(answer.body).unwrap().contains("[DONE]"));
}

#[test]
fn probabilities_and_alternatives_are_neither_asked_for_nor_given() {
    let body = r#"{"model":"mock-1","n":3,"logprobs":true,"top_logprobs":2,"messages":[]}"#;
    let choices = |answer: crate::rig::Answer| {
        let reply: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        (reply["choices"].as_array().unwrap().len(), reply["choices"][0]["logprobs"].is_null())
    };
    assert_eq!(choices(Rig::new(Actions::NONE).post("/v1/chat/completions", body)), (3, false));
    let mut rig = Rig::new([Action::Alternatives, Action::Logprobs].into_iter().collect());
    assert_eq!(choices(rig.post("/v1/chat/completions", body)), (1, true));
    // What was asked for is told, and that it was held back.
    let seen = rig.records.next().unwrap();
    assert_eq!(
        (seen.request.as_ref(), seen.decision.held.to_string()),
        (body.as_bytes(), "logprobs, alternatives".to_owned())
    );
}

#[test]
fn what_is_refused_is_handed_over_with_the_reason() {
    let mut rig = Rig::new([Action::Stream].into_iter().collect());
    let answer = rig.post("/v1/chat/completions", STREAM);
    let seen = rig.records.next().unwrap();
    assert_eq!((seen.status, seen.decision.refused), (403, Some("forbidden")));
    assert_eq!((seen.request.as_ref(), seen.reply.concat()), (STREAM.as_bytes(), answer.body));
    let line: serde_json::Value = serde_json::from_slice(&line(&seen)).unwrap();
    assert_eq!((&line["decision"]["outcome"], &line["decision"]["reason"]), (&"refused".into(), &"forbidden".into()));
}

#[test]
fn what_went_by_is_handed_over_once() {
    let mut rig = Rig::new(Actions::NONE);
    for (body, streamed) in [(CHAT, false), (STREAM, true)] {
        let answer = rig.post("/v1/chat/completions", body);
        let seen = rig.records.next().unwrap();
        assert_eq!((seen.account.id.as_str(), seen.status, seen.streamed), ("acct", 200, streamed));
        assert_eq!((seen.request.as_ref(), seen.reply.concat()), (body.as_bytes(), answer.body));
        assert_eq!(seen.caller.as_ref().unwrap().address.to_string(), "127.0.0.1");
        assert!(!String::from_utf8(line(&seen)).unwrap().contains(&KEY.to_string()));
    }
    rig.post("/v1/messages/count_tokens", r#"{"model":"mock-1","messages":[]}"#);
    rig.post("/tokenize", "{}");
    let counters = rig.tap.counters();
    assert_eq!((counters.offered.load(Ordering::Relaxed), counters.shed.load(Ordering::Relaxed)), (2, 0));
}

#[test]
fn a_caller_that_leaves_before_the_reply_is_handed_over_too() {
    let mut rig = Rig::new(Actions::NONE);
    let body = CHAT.replace("mock-1", "mock-never");
    let mut stream = TcpStream::connect(rig.gateway.address()).unwrap();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    assert!(until(|| rig.stats.requests.load(Ordering::Relaxed) == 1));
    drop(stream);
    assert!(until(|| rig.stats.left.load(Ordering::Relaxed) == 1), "the work goes on without its caller");
    let seen = rig.records.next().unwrap();
    assert_eq!((seen.status, seen.reply.len()), (0, 0));
}

#[test]
fn who_is_no_longer_known_is_turned_away_at_once() {
    let rig = Rig::new(Actions::NONE);
    assert_eq!(rig.post("/v1/chat/completions", CHAT).status, 200);
    rig.gate.replace(Directory::default());
    let answer = rig.post("/v1/chat/completions", CHAT);
    assert_eq!(answer.status, 401);
    assert!(!String::from_utf8(answer.body).unwrap().contains(&KEY.to_string()), "no key is echoed");
}

#[test]
fn what_is_under_way_comes_to_its_end_on_a_drain() {
    let rig = Rig::new(Actions::NONE);
    let body = STREAM.replace("mock-reasoner", "mock-slow");
    let mut stream = TcpStream::connect(rig.gateway.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = vec![0; 16];
    stream.read_exact(&mut reply).unwrap();
    rig.gateway.drain(Duration::from_secs(20));
    stream.read_to_end(&mut reply).unwrap();
    assert!(String::from_utf8(parse(&reply).body).unwrap().ends_with("data: [DONE]\n\n"));
}
