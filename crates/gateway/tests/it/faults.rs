//! What goes wrong on the wire: callers that lie, stall, leave or send too much.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway::limits::{
    BODY_BYTES_MAX, CHECK_TIME_MAX, HEAD_BYTES_MAX, HEADERS_MAX, QUERY_BYTES_MAX, UNREAD_BYTES_MAX, UNREAD_TIME_MAX,
};
use gateway::upstream::Server;
use gateway::worker::Settings;
use policy::Actions;
use tokio::time::Instant;

use crate::rig::{KEY, Rig, parse, raw, server};

const CHAT: &str = r#"{"model":"mock-1","messages":[{"role":"user","content":"hello"}]}"#;

/// Requests that two servers could cut at different places. None may reach the mock as two.
#[test]
fn smuggling_is_refused() {
    let rig = Rig::new(Actions::NONE);
    let inner = "GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n";
    for (what, headers, body) in [
        ("both lengths", "content-length: 5\r\ntransfer-encoding: chunked\r\n".to_owned(), format!("0\r\n\r\n{inner}")),
        ("two lengths", format!("content-length: {}\r\ncontent-length: 0\r\n", CHAT.len()), CHAT.to_owned()),
        ("a length with a sign", format!("content-length: +{}\r\n", CHAT.len()), CHAT.to_owned()),
        ("a list of lengths", format!("content-length: {}, 7\r\n", CHAT.len()), CHAT.to_owned()),
        ("an unknown coding", "transfer-encoding: xchunked\r\n".to_owned(), format!("0\r\n\r\n{inner}")),
        ("chunked not last", "transfer-encoding: chunked, identity\r\n".to_owned(), format!("0\r\n\r\n{inner}")),
        (
            "a chunk size with a sign",
            "transfer-encoding: chunked\r\n".to_owned(),
            "+5\r\nhello\r\n0\r\n\r\n".to_owned(),
        ),
        ("a chunk size out of range", "transfer-encoding: chunked\r\n".to_owned(), "fffffffffffffffff\r\n".to_owned()),
        ("a space before the colon", format!("content-length : {}\r\n", CHAT.len()), CHAT.to_owned()),
        (
            "a bare line feed in a header",
            format!("x: a\ncontent-length: 3\r\ncontent-length: {}\r\n", CHAT.len()),
            CHAT.to_owned(),
        ),
        ("a folded header", format!("x: a\r\n content-length: {}\r\n", CHAT.len()), CHAT.to_owned()),
        ("a null in a header", format!("x: a\0b\r\ncontent-length: {}\r\n", CHAT.len()), CHAT.to_owned()),
    ] {
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n{headers}connection: close\r\n\r\n{body}"
        );
        let answer = raw(rig.gateway.address(), request.as_bytes());
        assert!(answer.status != 200, "{what} passed: {}", answer.head);
        let second = String::from_utf8_lossy(&answer.body).contains("HTTP/1.1");
        assert!(!second, "{what} was answered twice");
    }
}

#[test]
fn what_a_client_says_about_itself_changes_nothing() {
    let rig = Rig::new(Actions::NONE);
    for (what, line, headers, expected) in [
        ("another host", "POST /v1/chat/completions", "host: admin.internal", 200),
        ("an absolute target", "POST http://evil.example/v1/chat/completions", "host: x", 200),
        ("a rewritten target", "POST /v1/models/../chat/completions", "host: x", 404),
        (
            "a header that other servers rewrite by",
            "POST /v1/chat/completions",
            "host: x\r\nx-original-url: /admin",
            200,
        ),
        ("another method", "POST /v1/models", "host: x\r\nx-http-method-override: GET", 405),
    ] {
        let request = format!(
            "{line} HTTP/1.1\r\n{headers}\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{CHAT}",
            CHAT.len()
        );
        assert_eq!(raw(rig.gateway.address(), request.as_bytes()).status, expected, "{what}");
    }
}

#[test]
fn bodies_and_heads_have_limits() {
    let rig = Rig::new(Actions::NONE);
    let says = |length: usize| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    // Refused by what it says, before it is sent.
    assert_eq!(raw(rig.gateway.address(), says(BODY_BYTES_MAX + 1).as_bytes()).status, 413);
    let padded = |bytes: usize| format!("{}{}", CHAT, " ".repeat(bytes - CHAT.len()));
    assert_eq!(rig.post("/v1/chat/completions", &padded(BODY_BYTES_MAX)).status, 200);
    // Refused when it turns out to be too long.
    let chunked = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ntransfer-encoding: chunked\r\n\
         connection: close\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        BODY_BYTES_MAX + 1,
        padded(BODY_BYTES_MAX + 1)
    );
    let answer = raw(rig.gateway.address(), chunked.as_bytes());
    assert!(matches!(answer.status, 0 | 413), "{}", answer.head);
    let asks = |query: usize, header: usize| {
        let (query, header) = ("q".repeat(query), "h".repeat(header));
        format!(
            "GET /v1/models?{query} HTTP/1.1\r\nx: {header}\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n\r\n"
        )
    };
    assert_eq!(raw(rig.gateway.address(), asks(QUERY_BYTES_MAX, 1).as_bytes()).status, 200);
    assert_eq!(raw(rig.gateway.address(), asks(QUERY_BYTES_MAX + 1, 1).as_bytes()).status, 400);
    let rest = asks(1, 0).len();
    assert_eq!(raw(rig.gateway.address(), asks(1, HEAD_BYTES_MAX / 2).as_bytes()).status, 200);
    assert!(matches!(raw(rig.gateway.address(), asks(1, HEAD_BYTES_MAX + 1 - rest).as_bytes()).status, 0 | 431));
    let many = |count: usize| {
        let headers: String = (0..count).map(|index| format!("x-{index}: 1\r\n")).collect();
        format!("GET /v1/models HTTP/1.1\r\n{headers}authorization: Bearer {KEY}\r\nconnection: close\r\n\r\n")
    };
    assert_eq!(raw(rig.gateway.address(), many(HEADERS_MAX - 2).as_bytes()).status, 200);
    assert_eq!(raw(rig.gateway.address(), many(HEADERS_MAX - 1).as_bytes()).status, 431);
}

/// A caller who is refused learns why, though he had not sent everything yet, and may go on on the same connection.
#[test]
fn who_is_refused_while_sending_learns_why() {
    let rig = Rig::new(Actions::NONE);
    for (line, key, expected) in [
        ("POST /v1/uploads", KEY.to_string(), 404),
        ("POST /v1/models", KEY.to_string(), 405),
        ("POST /v1/chat/completions", "wrong".to_owned(), 401),
    ] {
        let mut stream = TcpStream::connect(rig.gateway.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let (piece, pieces) = ("x".repeat(64 * 1024), 32);
        let head = format!(
            "{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n",
            piece.len() * pieces
        );
        stream.write_all(head.as_bytes()).unwrap();
        for _ in 0..pieces {
            std::thread::sleep(Duration::from_millis(2));
            stream.write_all(piece.as_bytes()).unwrap();
        }
        let again =
            format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n\r\n");
        stream.write_all(again.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let statuses: Vec<&str> = reply.split("HTTP/1.1 ").skip(1).map(|reply| &reply[..3]).collect();
        assert_eq!(statuses, [expected.to_string().as_str(), "200"], "{line}");
    }
}

#[test]
fn what_is_let_come_of_a_refused_body_has_a_limit() {
    let rig = Rig::new(Actions::NONE);
    // A little more may have come with the last piece.
    for (bytes, reads_on) in [(UNREAD_BYTES_MAX, true), (UNREAD_BYTES_MAX + (1 << 20), false)] {
        let mut stream = TcpStream::connect(rig.gateway.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let head = format!("POST /v1/uploads HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{bytes:x}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let body = vec![b'x'; bytes];
        let sent = stream.write_all(&body).and_then(|()| {
            stream.write_all(b"\r\n0\r\n\r\nGET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        });
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        let answers = String::from_utf8_lossy(&reply).matches("HTTP/1.1 ").count();
        assert_eq!((sent.is_ok() && answers == 2), reads_on, "{bytes}: {answers}");
    }
    // Who waits to be asked for the body is told at once, and the connection closed.
    let expects = "POST /v1/uploads HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    let began = Instant::now();
    let answer = raw(rig.gateway.address(), expects.as_bytes());
    assert!(answer.status == 404 && began.elapsed() < UNREAD_TIME_MAX, "{}", answer.head);
}

#[test]
fn what_is_let_come_of_a_refused_body_has_a_time() {
    let rig = Rig::new(Actions::NONE);
    for (pause, is_let_come) in
        [(UNREAD_TIME_MAX - Duration::from_secs(2), true), (UNREAD_TIME_MAX + Duration::from_secs(2), false)]
    {
        let mut stream = TcpStream::connect(rig.gateway.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(b"POST /v1/uploads HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n").unwrap();
        std::thread::sleep(pause);
        let again = b"12345GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let sent = stream.write_all(again);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        let answers = String::from_utf8_lossy(&reply).matches("HTTP/1.1 ").count();
        assert_eq!(sent.is_ok() && answers == 2, is_let_come, "{pause:?}: {answers}");
    }
}

#[test]
fn a_caller_that_leaves_ends_the_work() {
    let rig = Rig::new(Actions::NONE);
    let body = CHAT.replace("mock-1\"", "mock-slow\",\"stream\":true");
    let mut stream = TcpStream::connect(rig.gateway.address()).unwrap();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut piece = [0; 64];
    assert!(stream.read(&mut piece).unwrap() > 0);
    drop(stream);
    assert!(until(|| rig.stats.left.load(Ordering::Relaxed) == 1), "the relay goes on without its caller");
    assert!(until(|| rig.gateway.open() == 0));
}

#[test]
fn idle_connections_are_cheap_and_do_not_keep_others_out() {
    let rig = Rig::new(Actions::NONE);
    // As many as the process may open, up to what is promised.
    let idle: Vec<TcpStream> = (0..10_000).map_while(|_| TcpStream::connect(rig.gateway.address()).ok()).collect();
    assert!(idle.len() >= 400, "only {} connections could be opened", idle.len());
    let room = idle.len() - 100;
    drop(idle.into_iter().skip(room).collect::<Vec<_>>());
    assert_eq!(rig.post("/v1/chat/completions", CHAT).status, 200);
}

#[test]
fn a_server_that_is_away_is_unavailable() {
    let rig = Rig::away();
    let answer = rig.post("/v1/chat/completions", CHAT);
    assert_eq!(answer.status, 503);
    assert!(String::from_utf8(answer.body).unwrap().contains("overloaded"));
}

/// A server that takes too long to say how it is counts as not well, and one that is only slow does not.
#[test]
fn a_health_check_has_a_time() {
    let server_that_takes = |pause: Duration| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request);
                    std::thread::sleep(pause);
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
                });
            }
        });
        Server { health_path: Some("/".to_owned()), ..server(address) }
    };
    let margin = Duration::from_secs(2);
    let servers = [CHECK_TIME_MAX + margin, CHECK_TIME_MAX - margin].map(server_that_takes);
    let servers = std::sync::Arc::new(Vec::from(servers));
    let rig = Rig::new(Actions::NONE);
    let settings = Settings { servers: std::sync::Arc::clone(&servers), ..Settings::default() };
    rig.settings.store(std::sync::Arc::new(settings));
    assert!((0..4).any(|_| until(|| servers[0].health.fails_checks())));
    assert!(!servers[1].health.fails_checks());
}

/// A server that says it is not well is tried last, and again once it is; nobody had to meet it for that.
#[test]
fn a_server_is_asked_how_it_is() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let rig = Rig::new(Actions::NONE);
    let status = std::sync::Arc::new(std::sync::atomic::AtomicU16::new(503));
    let told = std::sync::Arc::clone(&status);
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let bytes = stream.read(&mut request).unwrap();
            assert!(request[..bytes].starts_with(b"GET /well HTTP/1.1\r\n"));
            let status = told.load(Ordering::SeqCst);
            write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    let server = Server { health_path: Some("/well".to_owned()), ..server(address) };
    let servers = std::sync::Arc::new(vec![server]);
    let settings = Settings { servers: std::sync::Arc::clone(&servers), ..Settings::default() };
    rig.settings.store(std::sync::Arc::new(settings));
    // It is asked every five seconds, and has to fail twice.
    let comes = |condition: &dyn Fn() -> bool| (0..3).any(|_| until(condition));
    assert!(comes(&|| servers[0].health.fails_checks()));
    status.store(204, Ordering::SeqCst);
    assert!(comes(&|| !servers[0].health.fails_checks()));
}

#[test]
fn another_server_answers_when_one_is_away() {
    let rig = Rig::half_away();
    for _ in 0..6 {
        assert_eq!(rig.post("/v1/chat/completions", CHAT).status, 200);
    }
}

#[test]
fn connections_are_used_again_and_drained() {
    let rig = Rig::new(Actions::NONE);
    let mut stream = TcpStream::connect(rig.gateway.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n{CHAT}",
        CHAT.len()
    );
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = vec![0; 65_536];
        let read = stream.read(&mut reply).unwrap();
        assert_eq!(parse(&reply[..read]).status, 200);
    }
    assert_eq!(rig.stats.connections.load(Ordering::Relaxed), 1);
    rig.gateway.drain(Duration::from_secs(10));
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.is_empty());
}

/// Whether `condition` comes true within ten seconds.
pub(crate) fn until(condition: impl Fn() -> bool) -> bool {
    (0..1_000).any(|_| {
        let come = condition();
        if !come {
            std::thread::sleep(Duration::from_millis(10));
        }
        come
    })
}
