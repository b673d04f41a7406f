//! What went wrong in other gateways, each as a test of its own.

use std::net::TcpListener;
use std::time::Duration;

use policy::directory::{Change, Directory};
use policy::key::{BRAND, Keys, RANDOM_BYTES};
use policy::quota::Quota;
use policy::{Action, Actions, Key};
use serde_json::{Value, json};

use crate::rig::{Answer, KEY, Rig, raw};

const BODY: &str =
    r#"{"model":"mock-1","max_tokens":5,"messages":[{"role":"user","content":"hello"}],"input":"a","prompt":"a"}"#;

fn ask(rig: &Rig, line: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!("{line} HTTP/1.1\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    raw(rig.gateway.address(), request.as_bytes())
}

fn with_key(more: &str) -> String {
    format!("host: x\r\nauthorization: Bearer {KEY}\r\n{more}")
}

fn requests_a_day(rig: &Rig, amount: u64) {
    let quota = json!({"id": "day", "of": "each_account", "unit": "requests", "amount": amount, "per": "day"});
    rig.gate.quotas().replace(vec![serde_json::from_value::<Quota>(quota).unwrap()]).unwrap();
}

/// Requests were routed by the header `Host`, past the check of keys.
#[test]
fn no_host_opens_a_door() {
    let rig = Rig::new(Actions::NONE);
    let admin = "POST /api/v1/keys";
    for host in ["host: 127.0.0.1:8081\r\n", "host: localhost\r\n", "host: admin\r\n", "host: \r\n", ""] {
        assert!(matches!(ask(&rig, "POST /v1/chat/completions", host, BODY).status, 400 | 401), "{host}");
        assert!(matches!(ask(&rig, admin, host, "{}").status, 400 | 404), "{host}");
    }
    let headers = with_key("").replace("host: x", "host: admin");
    assert_eq!(ask(&rig, "POST /v1/chat/completions", &headers, BODY).status, 200);
    assert_eq!(ask(&rig, admin, &headers, "{}").status, 404);
}

/// A check that failed left somebody without a name, who was served.
#[test]
fn who_cannot_be_told_is_nobody() {
    let mut rig = Rig::new(Actions::NONE);
    for credential in [
        "",
        "authorization: Bearer\r\n",
        "authorization: Bearer \r\n",
        "authorization: \r\n",
        "authorization: Basic Og==\r\n",
        "authorization: Bearer null\r\n",
        "authorization: Bearer undefined\r\n",
        "x-api-key: \r\n",
        "authorization: Bearer e30.e30.\r\n",
    ] {
        let answer = ask(&rig, "POST /v1/chat/completions", &format!("host: x\r\n{credential}"), BODY);
        assert_eq!(answer.status, 401, "{credential}");
    }
    let settled = ask(&rig, "POST /v1/chat/completions", &with_key(""), BODY);
    assert_eq!((settled.status, rig.records.next().unwrap().account.id.as_str()), (200, "acct"), "nothing before it");
}

/// A header of the client said where the request was to go.
#[test]
fn no_header_names_a_server() {
    let rig = Rig::new(Actions::NONE);
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let url = format!("http://{}", elsewhere.local_addr().unwrap());
    let names = [
        "x-upstream-url",
        "x-base-url",
        "x-target-url",
        "x-portkey-custom-host",
        "helicone-target-url",
        "x-forwarded-host",
        "x-original-url",
        "x-litellm-api-base",
        "api-base",
        "forwarded",
        "x-host",
        "x-proxy-target",
    ];
    let headers: String = names.iter().map(|name| format!("{name}: {url}\r\n")).collect();
    let body = BODY.replacen('{', &format!(r#"{{"api_base":"{url}","base_url":"{url}","#), 1);
    assert_eq!(ask(&rig, "POST /v1/chat/completions", &with_key(&headers), &body).status, 200);
    assert_eq!(ask(&rig, &format!("POST {url}/v1/chat/completions"), &with_key(""), BODY).status, 200);
    std::thread::sleep(Duration::from_millis(50));
    assert!(elsewhere.accept().is_err(), "nobody came");
}

/// Keys stood in error messages.
#[test]
fn no_answer_repeats_a_credential() {
    let rig = Rig::new(Actions::NONE);
    let canary = "canary-7Qx";
    for headers in [
        format!("host: x\r\nauthorization: Bearer {canary}\r\n"),
        format!("host: x\r\nauthorization: {canary} x\r\n"),
        format!("host: x\r\nx-api-key: {canary}\r\nanthropic-version: 2023-06-01\r\n"),
        format!("host: x\r\nauthorization: Bearer a.{canary}.b\r\ndpop: {canary}\r\n"),
        with_key("").replace("x\r\nauth", &format!("x\r\nx-api-key: {canary}\r\nauth")),
    ] {
        for line in ["POST /v1/chat/completions", "GET /v1/models", "POST /v1/nothing"] {
            let answer = ask(&rig, line, &headers, BODY);
            let told = answer.head + &String::from_utf8_lossy(&answer.body);
            assert!(answer.status >= 400 && !told.to_lowercase().contains(&canary.to_lowercase()), "{told}");
        }
    }
}

/// A limit was made and stood in nobody's way; others stood before some paths only.
#[test]
fn a_limit_stands_before_every_path_that_costs() {
    let rig = Rig::keeping(Actions::NONE);
    requests_a_day(&rig, 1);
    let served = |line: &str, headers: &str, body: &str| ask(&rig, line, headers, body).status;
    assert_eq!(served("POST /v1/chat/completions", &with_key(""), BODY), 200);
    for path in ["chat/completions", "completions", "responses", "embeddings", "messages"] {
        assert_eq!(served(&format!("POST /v1/{path}"), &with_key(""), BODY), 429, "{path}");
        assert_eq!(served(&format!("POST /v1/{path}/"), &with_key(""), BODY), 429, "{path}");
    }
    let batch = json!({"requests": [{"custom_id": "a", "params": {"model": "m", "max_tokens": 1}}]}).to_string();
    assert_eq!(served("POST /v1/messages/batches", &with_key(""), &batch), 429);
    let form = "--XX\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nuser_data\r\n\
                --XX\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nx\r\n--XX--\r\n";
    assert_eq!(served("POST /v1/files", &with_key("content-type: multipart/form-data; boundary=XX\r\n"), form), 429);
}

/// A name in the body or a header was taken for who asks, so that limits were passed by other names.
#[test]
fn no_name_that_a_client_gives_is_believed() {
    let mut rig = Rig::new(Actions::NONE);
    requests_a_day(&rig, 1);
    for (n, expected) in [(0, 200), (1, 429), (2, 429)] {
        let mut body: Value = serde_json::from_str(BODY).unwrap();
        body["user"] = json!(format!("user-{n}"));
        body["metadata"] = json!({"user_id": format!("user-{n}"), "account": "other"});
        let headers = with_key(&format!(
            "x-forwarded-for: 192.0.2.{n}\r\nx-real-ip: 192.0.2.{n}\r\nforwarded: for=192.0.2.{n}\r\n\
             openai-organization: org-{n}\r\nx-user-id: user-{n}\r\n"
        ));
        assert_eq!(ask(&rig, "POST /v1/chat/completions", &headers, &body.to_string()).status, expected, "{n}");
    }
    let seen = rig.records.next().unwrap();
    assert_eq!(
        (seen.account.id.as_str(), seen.caller.as_ref().unwrap().address.to_string().as_str()),
        ("acct", "127.0.0.1")
    );
}

/// Paths that two programs read differently came past the check.
#[test]
fn no_spelling_of_a_path_passes_the_check() {
    let rig = Rig::new(Actions::NONE);
    for path in [
        "/v1/chat/completions#/v1/models",
        "/v1/%63hat/completions",
        "/v1/chat%2fcompletions",
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/models/..%2fchat/completions",
        "/v1/models/../../tokenize",
        "/v1/models/%2e%2e/tokenize",
        "/v1/chat/completions/..;/tokenize",
        "\\v1\\chat\\completions",
        "http://x/tokenize",
        "http://x//v1/chat/completions",
        "*",
    ] {
        let status = |headers: &str| ask(&rig, &format!("POST {path}"), headers, BODY).status;
        let (mine, strangers) = (status(&with_key("")), status("host: x\r\n"));
        // A fragment is no part of what is asked for.
        let is_fragment = path.contains('#');
        assert!(matches!(mine, 400 | 404 | 405) || (is_fragment && mine == 200), "{path}: {mine}");
        assert!(matches!(strangers, 400 | 401 | 404 | 405), "{path}: {strangers}");
    }
}

/// Whoever was turned away for their address used up the quota of the key's owner.
#[test]
fn who_is_turned_away_uses_up_nothing() {
    let rig = Rig::new(Actions::NONE);
    requests_a_day(&rig, 1);
    let directory = |networks: Value, actions: Actions| {
        let (id, _, hash) = Keys::new([1; 32]).mint(BRAND, [9; RANDOM_BYTES]);
        let scope = json!({"models": [], "actions": actions, "networks": networks});
        let created = "1970-01-01T00:00:00Z";
        let key = json!({"id": id, "account": "acct", "hash": hash, "scope": scope, "created": created});
        let mut directory = Directory::default();
        let account = json!({"id": "acct", "created": created});
        directory.apply(Change::Account(serde_json::from_value(account).unwrap())).unwrap();
        directory.apply(Change::Key(serde_json::from_value::<Key>(key).unwrap())).unwrap();
        directory
    };
    let ask = || ask(&rig, "POST /v1/chat/completions", &with_key(""), BODY).status;
    rig.gate.replace(directory(json!(["192.0.2.0/24"]), Actions::ALL));
    assert!((0..3).all(|_| ask() == 401));
    rig.gate.replace(directory(json!([]), Actions::ALL.without(Action::Infer)));
    assert!((0..3).all(|_| ask() == 403));
    rig.gate.replace(directory(json!(["127.0.0.0/8"]), Actions::ALL));
    assert_eq!((ask(), ask()), (200, 429));
}

/// WebSockets and forms took ways where nobody looked at keys.
#[test]
fn no_upgrade_and_no_form_passes_the_check() {
    let rig = Rig::keeping(Actions::NONE);
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let form = "content-type: multipart/form-data; boundary=XX\r\n";
    let body = "--XX\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--XX--\r\n";
    let strange = "host: x\r\n";
    for (line, headers, body, expected) in [
        ("GET /v1/realtime", with_key(upgrade), "", 404),
        ("GET /v1/chat/completions", with_key(upgrade), "", 405),
        ("POST /v1/chat/completions", format!("{strange}{upgrade}"), BODY, 401),
        ("POST /v1/chat/completions", with_key(form), body, 400),
        ("POST /v1/chat/completions", format!("{strange}{form}"), body, 401),
        ("POST /v1/files", format!("{strange}{form}"), body, 401),
        ("POST /v1/audio/transcriptions", with_key(form), body, 404),
    ] {
        assert_eq!(ask(&rig, line, &headers, body).status, expected, "{line} {headers}");
    }
    // One that may ask is answered as without it, and nothing is switched.
    let answer = ask(&rig, "POST /v1/chat/completions", &with_key(upgrade), BODY);
    assert!(answer.status == 200 && !answer.head.contains("upgrade"), "{}", answer.head);
}
