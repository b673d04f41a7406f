//! Compressed bodies over the wire: what goes on is what was decided on, and a bomb goes nowhere.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use gateway::limits::{BODY_BYTES_MAX, ZSTD_WINDOW_LOG_MAX};
use policy::Actions;

use crate::rig::{Answer, KEY, Rig, post, raw};

const CHAT: &str = r#"{"model":"mock-1","messages":[{"role":"user","content":"hello, hello, hello"}]}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8], window_log: u32) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(window_log).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A request with these headers on top.
fn send(rig: &Rig, path: &str, headers: &str, body: &[u8]) -> Answer {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n\
         connection: close\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    raw(rig.gateway.address(), &[head.as_bytes(), body].concat())
}

/// A chat of exactly `len` bytes.
fn chat_of(len: usize) -> Vec<u8> {
    let (before, after) = CHAT.split_at(CHAT.len() - 4);
    [before.as_bytes(), &vec![b'a'; len - CHAT.len()], after.as_bytes()].concat()
}

#[test]
fn what_goes_on_is_what_was_decided_on() {
    let mut rig = Rig::new(Actions::NONE);
    let direct = post(rig.mock.address(), "/v1/chat/completions", CHAT);
    for (encoding, body) in [
        ("gzip", gzip(CHAT.as_bytes())),
        ("X-GZIP", gzip(CHAT.as_bytes())),
        ("zstd", zstd(CHAT.as_bytes(), 20)),
        ("identity", CHAT.as_bytes().to_vec()),
    ] {
        let answer = send(&rig, "/v1/chat/completions", &format!("content-encoding: {encoding}\r\n"), &body);
        assert_eq!((answer.status, &answer.body), (200, &direct.body), "{encoding}");
        assert_eq!(rig.records.next().unwrap().request.as_ref(), CHAT.as_bytes(), "{encoding}");
    }
    // What is decided on is what is inside.
    let twice = gzip(br#"{"model":"a","model":"b"}"#);
    let answer = send(&rig, "/v1/chat/completions", "content-encoding: gzip\r\n", &twice);
    assert!(answer.status == 400 && String::from_utf8(answer.body).unwrap().contains("duplicate field"));
}

#[test]
fn other_encodings_are_refused_with_those_that_are_understood() {
    let rig = Rig::new(Actions::NONE);
    let body = gzip(&gzip(CHAT.as_bytes()));
    for headers in [
        "content-encoding: br\r\n",
        "content-encoding: deflate\r\n",
        "content-encoding: gzip, gzip\r\n",
        "content-encoding: gzip\r\ncontent-encoding: gzip\r\n",
        "content-encoding: identity\r\ncontent-encoding: gzip\r\n",
        "content-encoding:\r\n",
    ] {
        for (path, says) in
            [("/v1/chat/completions", r#""type":"invalid_request_error""#), ("/v1/messages", r#""type":"error""#)]
        {
            let answer = send(&rig, path, headers, &body);
            let text = String::from_utf8(answer.body).unwrap();
            assert_eq!(answer.status, 415, "{headers}: {text}");
            assert!(answer.head.contains("accept-encoding: gzip, zstd"), "{}", answer.head);
            assert!(text.contains("gzip, zstd") && text.contains(says), "{text}");
        }
    }
}

#[test]
fn what_is_not_compressed_as_it_says_is_refused() {
    let rig = Rig::new(Actions::NONE);
    let (packed, tailed) = (gzip(CHAT.as_bytes()), [gzip(CHAT.as_bytes()), gzip(b" ")].concat());
    for (encoding, body) in [
        ("gzip", CHAT.as_bytes()),
        ("zstd", CHAT.as_bytes()),
        ("zstd", &packed),
        ("gzip", &packed[..packed.len() - 1]),
        ("gzip", &tailed),
        ("zstd", &zstd(CHAT.as_bytes(), ZSTD_WINDOW_LOG_MAX + 1)),
    ] {
        let answer = send(&rig, "/v1/chat/completions", &format!("content-encoding: {encoding}\r\n"), body);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(answer.status == 400 && text.contains("content-encoding"), "{encoding}: {} {text}", answer.status);
    }
    let widest = zstd(CHAT.as_bytes(), ZSTD_WINDOW_LOG_MAX);
    assert_eq!(send(&rig, "/v1/chat/completions", "content-encoding: zstd\r\n", &widest).status, 200);
}

#[test]
fn a_bomb_is_refused_as_a_body_of_its_length_is() {
    let rig = Rig::new(Actions::NONE);
    let (whole, more) = (chat_of(BODY_BYTES_MAX), chat_of(BODY_BYTES_MAX + 1));
    for (encoding, fits, bursts) in [("gzip", gzip(&whole), gzip(&more)), ("zstd", zstd(&whole, 20), zstd(&more, 20))] {
        let headers = format!("content-encoding: {encoding}\r\n");
        assert_eq!(send(&rig, "/v1/chat/completions", &headers, &fits).status, 200, "{encoding}");
        assert_eq!(send(&rig, "/v1/chat/completions", &headers, &bursts).status, 413, "{encoding}");
    }
}
