//! The gateway as a person runs it: up, an account, a key, a request, what was recorded, and down again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::cli::{Folder, run};
use crate::postgres::Postgres;

/// A gateway of one test; it ends with it.
pub(crate) struct Gateway {
    process: Process,
    ready: Value,
    folder: Folder,
    data: String,
}

/// A process that does not outlive its test, whatever comes of it.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Gateway {
    fn start(test: &str, more: &[&str]) -> Gateway {
        Gateway::start_in(Folder::new(&format!("up-{test}")), more)
    }

    pub(crate) fn start_in(folder: Folder, more: &[&str]) -> Gateway {
        let data = folder.path("data");
        Gateway::start_on(folder, data, more)
    }

    /// On the data of another folder.
    fn start_on(folder: Folder, data: String, more: &[&str]) -> Gateway {
        let ready = folder.path("ready.json");
        let _ = std::fs::remove_file(&ready);
        let process = Command::new(env!("CARGO_BIN_EXE_stillwatch"))
            .args(["up", "--data", &data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", &ready])
            .args(more)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path("log")).expect("a file"))
            .spawn()
            .expect("a process");
        let mut process = Process(process);
        for _ in 0..600 {
            if let Ok(text) = std::fs::read(&ready) {
                let ready = serde_json::from_slice(&text).expect("JSON");
                return Gateway { process, ready, folder, data };
            }
            assert_eq!(process.0.try_wait().expect("a process"), None, "it ended before it was ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("it is not ready after 30 s");
    }

    /// Where callers are served.
    pub(crate) fn address(&self) -> &str {
        let url = self.ready.get("gateway").and_then(Value::as_str).expect("an address");
        url.trim_start_matches("http://")
    }

    /// What the admin API answers.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.admin("GET", path, "")
    }

    /// The same to something that is new.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.admin("POST", path, &body.to_string())
    }

    fn admin(&self, method: &str, path: &str, body: &str) -> Value {
        let url = self.ready.get("admin").and_then(Value::as_str).expect("an address");
        let file = self.ready.get("admin_key_file").and_then(Value::as_str).expect("a file");
        let key = std::fs::read_to_string(file).expect("a credential");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            key.trim(),
            body.len()
        );
        let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("a connection");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        let (head, body) = reply.split_once("\r\n\r\n").expect("a body");
        assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {reply}");
        serde_json::from_str(body).expect("JSON")
    }

    pub(crate) fn data(&self) -> String {
        self.data.clone()
    }

    /// What a command that manages it prints as JSON.
    pub(crate) fn manage(&self, args: &[&str]) -> Value {
        let data = self.data();
        let all: Vec<&str> = args.iter().copied().chain(["--data", &data, "--json"]).collect();
        let output = run(&all);
        assert_eq!(output.code, 0, "{output:?}");
        serde_json::from_str(&output.stdout).expect("JSON")
    }

    /// Makes an account with a key, and returns the key.
    pub(crate) fn key_of(&self, account: &str) -> String {
        self.manage(&["account", "add", "--id", account]);
        let key = self.manage(&["key", "add", "--account", account]);
        key.get("key").and_then(Value::as_str).expect("a key").to_owned()
    }

    /// Asks the model something; the status and the body of the reply.
    pub(crate) fn ask(&self, key: &str, text: &str) -> (u16, String) {
        let url = self.ready.get("gateway").and_then(Value::as_str).expect("an address");
        let body = serde_json::json!({"model": "mock-1", "messages": [{"role": "user", "content": text}]}).to_string();
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("a connection");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        let status = reply.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let body = reply.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        (status, body)
    }

    /// Whether all is well, as the admin API says it: the status and the body of the reply.
    fn readiness(&self) -> (u16, String) {
        let url = self.ready.get("admin").and_then(Value::as_str).expect("an address");
        let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("a connection");
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("sent");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        (reply.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), reply)
    }

    /// The file that its log goes to.
    pub(crate) fn log(&self) -> String {
        self.folder.path("log")
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process.0.id().to_string()]).status();
        assert!(status.expect("a signal").success());
    }

    /// Ends it as `signal` does; the exit code, none if it was killed.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, Folder) {
        self.signal(signal);
        let status = self.process.0.wait().expect("an end");
        (status.code(), self.folder)
    }
}

/// Whether something comes to be so within `time`.
pub(crate) fn within(time: Duration, is_so: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        let (is_so, in_time) = (is_so(), begun.elapsed() <= time);
        if is_so || !in_time {
            return is_so && in_time;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Everything that was recorded, once `count` exchanges are there.
fn recorded(data: &str, count: usize) -> String {
    for _ in 0..200 {
        let files = std::fs::read_dir(Path::new(data).join("exchanges")).expect("a folder");
        let paths = files.map(|file| file.expect("a file").path()).filter(|path| !path.ends_with("accounts.jsonl"));
        let texts = paths.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
        let texts = texts.map(|path| std::fs::read_to_string(path).expect("a text"));
        let text: String = texts.collect();
        if text.lines().count() >= count {
            return text;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("not recorded after 10 s");
}

#[test]
fn policies_are_checked_tried_applied_and_explained() {
    let gateway = Gateway::start("policy", &[]);
    let (ann, bob) = (gateway.key_of("ann"), gateway.key_of("bob"));
    assert_eq!(
        (gateway.ask(&ann, "Hello").0, gateway.ask(&bob, "Hello").0, gateway.ask(&bob, "Again").0),
        (200, 200, 200)
    );
    recorded(&gateway.data(), 3);
    let file = gateway.folder.path("mine.cedar");
    let write = |text: &str| std::fs::write(&file, text).expect("written");
    let check = || run(&["policy", "check", &file]);

    write("@id(\"bob\")\nforbid (principal == Account::\"bob\", action, resource) when { principal.colour == 1 };\n");
    let wrong = check();
    assert!(wrong.code == 65 && wrong.stdout.contains("mine.cedar:2:"), "{wrong:?}");
    let data = gateway.data();
    assert_eq!(run(&["policy", "apply", &file, "--data", &data]).code, 65);
    assert_eq!(gateway.manage(&["policy", "show"]).get("source"), Some(&"default".into()), "the old ones hold on");

    let shipped = run(&["policy", "show", "--default"]).stdout;
    write(&format!("{shipped}\n@id(\"no-bob\")\nforbid (principal == Account::\"bob\", action, resource);\n"));
    assert_eq!(check().code, 0);
    let simulated = gateway.manage(&["policy", "simulate", &file]);
    assert_eq!(simulated["now"], serde_json::json!({"allowed": 3, "held_back": 0, "refused": 0}), "{simulated}");
    assert_eq!(simulated["then"], serde_json::json!({"allowed": 1, "held_back": 0, "refused": 2}), "{simulated}");
    assert!(
        simulated["accounts"]["bob"]["different"] == 2 && simulated["accounts"].get("ann").is_none(),
        "{simulated}"
    );
    gateway.manage(&["policy", "apply", &file]);
    assert_eq!((gateway.ask(&ann, "Hello").0, gateway.ask(&bob, "Hello").0), (200, 403));
    let explained = gateway.manage(&["policy", "explain", "bob", "--model", "mock-1"]);
    assert_eq!(
        explained["actions"][0],
        serde_json::json!({"action": "infer", "allowed": false, "policies": ["no-bob"]})
    );
    let lines = recorded(&data, 5);
    assert!(lines.contains(r#""outcome":"refused""#), "{lines}");
    gateway.manage(&["policy", "reset"]);
    assert_eq!(gateway.ask(&bob, "Hello").0, 200);
    let (code, _) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
}

#[test]
fn from_the_first_start_to_a_hunt_in_what_was_recorded() {
    let gateway = Gateway::start("whole", &[]);
    let key = gateway.key_of("acc_1");
    let (status, body) = gateway.ask(&key, "Hello, who is there?");
    assert!(status == 200 && body.contains("chat.completion"), "{status} {body}");
    assert_eq!(gateway.ask("sw_nobody", "Hello").0, 401);
    let lines = recorded(&gateway.data(), 1);
    assert!(lines.contains("Hello, who is there?") && lines.contains("\"account\":\"acc_1\"") && !lines.contains(&key));
    let facts = Path::new(&gateway.data()).join("exchanges/accounts.jsonl");
    let is_known = || std::fs::read_to_string(&facts).is_ok_and(|facts| facts.contains("\"account\":\"acc_1\""));
    assert!((0..100).any(|_| is_known() || {
        std::thread::sleep(Duration::from_millis(50));
        false
    }));
    let hunted = run(&["hunt", &gateway.data()]);
    assert!(
        hunted.code == 0 && hunted.stdout.contains("1 exchange of 1 account") && hunted.stderr.is_empty(),
        "{hunted:?}"
    );
    let (code, folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    let log = std::fs::read_to_string(folder.path("log")).expect("a log");
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()) && log.contains("ending"), "{log}");
    assert!(!log.contains("who is there") && !log.contains(&key[20..]) && !log.contains("sw_nobody"), "{log}");
}

#[test]
fn a_revoked_key_and_a_closed_account_are_out_at_once() {
    let gateway = Gateway::start("revoked", &[]);
    let key = gateway.key_of("acc_1");
    assert_eq!(gateway.ask(&key, "x").0, 200);
    let id = key.split('_').nth(1).expect("an id").to_owned();
    let new = gateway.manage(&["key", "rotate", &id, "--overlap", "60"]);
    let new = new.get("key").and_then(Value::as_str).expect("a key");
    assert_eq!((gateway.ask(&key, "x").0, gateway.ask(new, "x").0), (200, 200));
    gateway.manage(&["key", "revoke", &id]);
    assert_eq!((gateway.ask(&key, "x").0, gateway.ask(new, "x").0), (401, 200));
    gateway.manage(&["account", "change", "acc_1", "--status", "suspended"]);
    assert_ne!(gateway.ask(new, "x").0, 200);
    gateway.manage(&["account", "change", "acc_1", "--status", "active"]);
    assert_eq!(gateway.ask(new, "x").0, 200);
    gateway.manage(&["account", "close", "acc_1"]);
    assert_ne!(gateway.ask(new, "x").0, 200);
}

/// However many ask at once, no more is granted than there is; the rest hear when to come back, and a restart gives nothing.
#[test]
fn a_quota_holds_for_all_at_once_and_over_a_restart() {
    let gateway = Gateway::start("quota", &[]);
    let keys = [gateway.key_of("acc_1"), gateway.key_of("acc_2")];
    let other = gateway.key_of("acc_3");
    let set =
        ["quota", "set", "ring", "--of", "group=acc_1,acc_2", "--unit", "requests", "--amount", "10", "--per", "day"];
    gateway.manage(&set);
    let granted: usize = std::thread::scope(|scope| {
        let ask = |n: usize| gateway.ask(if n.is_multiple_of(2) { &keys[0] } else { &keys[1] }, "x").0;
        let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || (0..5).filter(|_| ask(n) == 200).count())).collect();
        threads.into_iter().map(|thread| thread.join().expect("answers")).sum()
    });
    assert_eq!(granted, 10);
    let (status, body) = gateway.ask(&keys[0], "x");
    assert!(
        status == 429 && body.contains("Rate limit reached for requests") && !body.contains("ring"),
        "{status} {body}"
    );
    assert_eq!(gateway.ask(&other, "x").0, 200);
    let (_, folder) = gateway.end("-TERM");
    let again = Gateway::start_in(folder, &[]);
    assert_eq!((again.ask(&keys[1], "x").0, again.ask(&other, "x").0), (429, 200));
    again.manage(&["quota", "remove", "ring"]);
    assert_eq!(again.ask(&keys[1], "x").0, 200);
}

/// What was answered and counted as recorded is there after the process was killed, and so are accounts and keys.
#[test]
fn a_kill_costs_nothing_that_was_recorded() {
    let gateway = Gateway::start("killed", &[]);
    let key = gateway.key_of("acc_1");
    (0..20).for_each(|n| assert_eq!(gateway.ask(&key, &format!("question {n}")).0, 200));
    let before = recorded(&gateway.data(), 20);
    let (code, folder) = gateway.end("-KILL");
    assert_eq!(code, None);
    let again = Gateway::start_in(folder, &[]);
    assert_eq!(again.ask(&key, "after").0, 200);
    let after = recorded(&again.data(), 21);
    assert!(before.lines().all(|line| after.contains(line)) && after.contains("after"));
}

#[test]
fn a_data_folder_belongs_to_one_gateway_and_its_secrets_to_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let gateway = Gateway::start("owned", &[]);
    let data = gateway.data();
    let second = run(&["up", "--data", &data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    assert!(
        second.code == 74 && second.stderr.contains("in use by another process with the role `gateway`"),
        "{second:?}"
    );
    for (name, mode) in [("", 0o700), ("admin-key", 0o600), ("key-pepper", 0o600)] {
        let metadata = std::fs::metadata(Path::new(&data).join(name)).expect("it is there");
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
    }
}

/// A block ends when the account's appeal is upheld, which detection hears of; who decides otherwise later takes that back.
#[test]
fn an_appeal_that_is_upheld_frees_its_account() {
    let gateway = Gateway::start("appeal", &[]);
    let key = gateway.key_of("acc_1");
    let block = ["response", "apply", "--account", "acc_1", "--rung", "block", "--by", "ann", "--reason", "x"];
    gateway.manage(&block);
    assert_eq!(gateway.ask(&key, "hello").0, 403);
    let appeal = gateway.manage(&["appeal", "open", "--account", "acc_1", "--text", "we teach", "--by", "ann"]);
    let id = appeal["id"].as_str().expect("an id").to_owned();
    assert_eq!(gateway.ask(&key, "hello").0, 403, "nothing is decided");
    let decide = |how: &str| gateway.manage(&["appeal", "decide", &id, how, "--by", "bob", "--reason", "a school"]);
    assert_eq!(decide("--upheld")["ruling"]["author"], "bob");
    assert_eq!(gateway.ask(&key, "hello").0, 200);
    assert_eq!(gateway.manage(&["response", "list"])["responses"][0]["state"], "undone");
    let facts = Path::new(&gateway.data()).join("exchanges/accounts.jsonl");
    let last_fact = || {
        let text = std::fs::read_to_string(&facts).unwrap_or_default();
        text.lines().next_back().and_then(|line| serde_json::from_str::<Value>(line).ok()).unwrap_or_default()
    };
    assert!(within(Duration::from_secs(5), || last_fact()["cleared"] == true), "{}", last_fact());
    assert_eq!(decide("--rejected")["ruling"]["upheld"], false);
    assert!(within(Duration::from_secs(5), || last_fact().get("cleared").is_none()), "{}", last_fact());
    assert_eq!(gateway.manage(&["appeal", "list"])["appeals"][0]["id"], id.as_str());
}

/// One process serves and records, and another detects and is managed; each role is one process's.
#[test]
fn roles_are_shared_out_between_processes() {
    let serving = Gateway::start("roles", &["--roles", "gateway"]);
    let beside = Folder::new("up-roles-beside");
    let deciding = Gateway::start_on(beside, serving.data(), &["--roles", "detect,console"]);
    assert!(serving.ready.get("admin").is_none() && deciding.ready.get("gateway").is_none());
    let key = deciding.key_of("acc_1");
    assert!(within(Duration::from_secs(10), || serving.ask(&key, "hello").0 == 200), "the key is not known");
    let is_read = || {
        let went = deciding.get("/api/v1/detection");
        let read = ["exchanges", "waiting"].iter().filter_map(|name| went[name].as_u64()).sum::<u64>();
        went["behind_bytes"] == 0 && read > 0
    };
    assert!(within(Duration::from_secs(10), is_read), "{:?}", deciding.get("/api/v1/detection"));
    deciding.manage(&[
        "response",
        "apply",
        "--account",
        "acc_1",
        "--rung",
        "block",
        "--by",
        "ann",
        "--reason",
        "x",
        "--hours",
        "1",
    ]);
    assert!(within(Duration::from_secs(10), || serving.ask(&key, "hello").0 == 403), "the block is not known");
    let data = serving.data();
    for role in ["gateway", "detect", "console"] {
        let second =
            run(&["up", "--data", &data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--roles", role]);
        assert!(second.code == 74 && second.stderr.contains(&format!("with the role `{role}`")), "{second:?}");
    }
    assert_eq!(deciding.end("-TERM").0, Some(0));
    assert_eq!(serving.end("-TERM").0, Some(0));
}

/// A configuration that can be used is taken up as a whole; one that cannot leaves everything as it was.
#[test]
fn the_configuration_is_read_anew_whole_or_not_at_all() {
    let folder = Folder::new("up-reload");
    let config = folder.file("gateway.toml", "");
    let gateway = Gateway::start_in(folder, &["--config", &config]);
    let key = gateway.key_of("acc_1");
    let listed = || {
        let url = gateway.ready.get("gateway").and_then(Value::as_str).expect("an address");
        let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("a connection");
        let request =
            format!("GET /listed HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        // The mock knows no such path either, and says so in other words.
        !reply.contains("\"code\":\"not_found\"")
    };
    let soon = |expected: bool| {
        (0..100).any(|_| {
            listed() == expected || {
                std::thread::sleep(Duration::from_millis(50));
                false
            }
        })
    };
    assert!(!listed());
    std::fs::write(&config, "[allow]\npaths = ['/listed']\n").expect("written");
    gateway.signal("-HUP");
    assert!(soon(true));
    std::fs::write(&config, "[allow]\npaths = []\n[[upstream]]\nurl = 'here'\n").expect("written");
    gateway.signal("-HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert!(listed());
    std::fs::write(&config, "").expect("written");
    gateway.signal("-HUP");
    assert!(soon(false));
    assert_eq!(gateway.ask(&key, "x").0, 200);
}

/// A key that an identity provider publishes, and a token that it signed for `acc_token`, valid to the end of 2099; the
/// private key was thrown away.
const PUBLISHED: &str = r#"{"keys":[{"kty":"EC","x":"Gso-_ARRmYraDuwQUyzuWiXmM0V7go8i4jZRk_nUUkQ","y":"_EPM6itcnh_L9pnc3OR_LePdOwR5rTnFFIJ_o9hSf4c","crv":"P-256","kid":"test","alg":"ES256"}]}"#;
const TOKEN: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6InRlc3QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJtb2RlbHMiLCJzdWIiOiJhY2NfdG9rZW4iLCJleHAiOjQxMDI0NDQ4MDB9.X9mxlCdTz_fPETVd97-mfgs_NG0ksM7rBwFhevAqe25NBl8hn_HnzlvhEUJeGfk67xabwCTmk2mEyFxUthJNvA";

#[test]
fn a_token_of_an_identity_provider_stands_for_an_account() {
    let folder = Folder::new("up-identity");
    folder.file("published.json", PUBLISHED);
    let identity = "[[identity]]\nissuer = 'https://id.example'\naudience = 'models'\n";
    let config = folder.file("gateway.toml", format!("{identity}keys_file = 'published.json'\n"));
    let gateway = Gateway::start_in(folder, &["--config", &config]);
    assert_eq!(gateway.ask(TOKEN, "x").0, 401, "no such account");
    gateway.manage(&["account", "add", "--id", "acc_token"]);
    assert_eq!(gateway.ask(TOKEN, "x").0, 200);
    gateway.manage(&["quota", "set", "one", "--of", "each-key", "--unit", "requests", "--amount", "1", "--per", "day"]);
    assert_eq!([gateway.ask(TOKEN, "x").0, gateway.ask(TOKEN, "x").0], [200, 429]);
    // A provider that cannot be reached keeps nobody else out, and is told.
    std::fs::write(&config, format!("{identity}keys = 'http://127.0.0.1:1/keys'\n")).expect("written");
    gateway.signal("-HUP");
    assert!(within(Duration::from_secs(10), || gateway.ask(TOKEN, "x").0 == 401));
    let (status, reply) = gateway.readiness();
    assert!(
        status == 200 && reply.contains("the keys of the identity provider `https://id.example` are not known"),
        "{reply}"
    );
    assert_eq!(gateway.ask(&gateway.key_of("acc_1"), "x").0, 200);
}

#[test]
fn costs_are_a_quota_where_there_are_prices() {
    let folder = Folder::new("up-costs");
    let prices = "currency = 'EUR'\n[models]\n'dear' = { input = 1000, output = 1000000 }\n";
    folder.file("prices.toml", prices);
    let config = folder.file("gateway.toml", "prices_file = 'prices.toml'\n");
    let gateway = Gateway::start_in(folder, &["--config", &config]);
    let key = gateway.key_of("acc_1");
    // The mock's model has no price, and counts as the dearest: an answer of 4,096 tokens may cost 4,096 EUR.
    gateway.manage(&[
        "quota",
        "set",
        "spend",
        "--of",
        "each-account",
        "--unit",
        "cost",
        "--amount",
        "4097.5",
        "--per",
        "day",
    ]);
    let first = gateway.ask(&key, "x");
    assert_eq!(first.0, 200);
    let (status, body) = gateway.ask(&key, "x");
    assert!(status == 429 && body.contains("spend"), "{body}");
    // Without prices nothing tells what it costs.
    std::fs::write(&config, "").expect("written");
    gateway.signal("-HUP");
    assert!(within(Duration::from_secs(10), || gateway.ask(&key, "x").0 == 503));
    assert!(gateway.readiness().1.contains("a quota of costs is set"));
    gateway.manage(&["quota", "remove", "spend"]);
    assert_eq!(gateway.ask(&key, "x").0, 200);
}

/// Without its database the gateway goes on with what it knows for the time it was told, and then no longer.
#[test]
fn a_database_that_is_away_is_done_without_for_a_time() {
    let mut postgres = Postgres::new();
    let folder = Folder::new("up-away");
    let text = format!("database = '{}'\ndatabase_stale_seconds = 10\n", postgres.url());
    let config = folder.file("gateway.toml", text);
    let gateway = Gateway::start_in(folder, &["--config", &config]);
    let key = gateway.key_of("acc_1");
    assert_eq!((gateway.ask(&key, "x").0, gateway.readiness().0), (200, 200));
    postgres.stop();
    assert_eq!(gateway.ask(&key, "x").0, 200);
    let add = |id| run(&["account", "add", "--id", id, "--data", &gateway.data(), "--json"]);
    let failed = add("acc_2");
    assert!(failed.code == 74 && failed.stderr.contains("the database cannot be used now"), "{failed:?}");
    // Told before it stops anything, and then it does.
    let stale = || gateway.readiness().1.contains("the last known state is stale");
    assert!(within(Duration::from_secs(8), stale));
    assert_eq!((gateway.ask(&key, "x").0, gateway.readiness().0), (200, 200));
    assert!(within(Duration::from_secs(12), || gateway.ask(&key, "x").0 == 503));
    let (status, reply) = gateway.readiness();
    assert!(status == 503 && reply.contains("what is known holds for 10 s; requests are turned away"), "{reply}");
    postgres.start();
    assert!(within(Duration::from_secs(8), || gateway.ask(&key, "x").0 == 200));
    let (status, reply) = gateway.readiness();
    assert!(status == 200 && reply.contains("\"reasons\":[]"), "{reply}");
    assert_eq!(add("acc_2").code, 0);
    let (code, folder) = gateway.end("-TERM");
    let log = std::fs::read_to_string(folder.path("log")).expect("a log");
    assert!(code == Some(0) && log.contains("hold on") && log.contains("are kept again"), "{log}");
}

/// Two gateways share who there is, once they hash keys alike; one that does not is told so and does not start.
#[test]
fn two_gateways_on_one_database_know_the_same_keys() {
    let postgres = Postgres::new();
    let database = format!("database = '{}'\n", postgres.url());
    let folder = Folder::new("up-first");
    let config = folder.file("gateway.toml", &database);
    let first = Gateway::start_in(folder, &["--config", &config]);
    let other = Folder::new("up-other");
    let start = ["up", "--config", &config, "--data", &other.path("data"), "--listen", "127.0.0.1:0"];
    let wrong = run(&[&start[..], &["--admin", "127.0.0.1:0"]].concat());
    assert!(wrong.code == 74 && wrong.stderr.contains("hashed with another pepper"), "{wrong:?}");
    let folder = Folder::new("up-second");
    let config = folder.file("gateway.toml", format!("{database}key_pepper_file = 'pepper'\n"));
    let missing = run(&["up", "--config", &config]);
    assert!(missing.code == 65 && missing.stderr.contains("`key_pepper_file`: there is no"), "{missing:?}");
    std::fs::copy(Path::new(&first.data()).join("key-pepper"), folder.path("pepper")).expect("a copy");
    let second = Gateway::start_in(folder, &["--config", &config]);
    let second_knows = |key: &str, status| within(Duration::from_secs(1), || second.ask(key, "x").0 == status);
    let first_knows = |key: &str, status| within(Duration::from_secs(1), || first.ask(key, "x").0 == status);
    let keys = [first.key_of("acc_1"), second.key_of("acc_2")];
    assert!(second_knows(&keys[0], 200) && first_knows(&keys[1], 200));
    let id = |key: &str| key.split('_').nth(1).expect("an id").to_owned();
    first.manage(&["key", "revoke", &id(&keys[0])]);
    assert!(second_knows(&keys[0], 401) && second_knows(&keys[1], 200));
    second.manage(&["key", "revoke", &id(&keys[1])]);
    assert!(first_knows(&keys[1], 401));
    // What one recorded is found without a pepper beside it.
    recorded(&second.data(), 1);
    assert_eq!(run(&["hunt", &second.data()]).code, 0);
}

#[test]
fn what_cannot_be_used_is_told_with_its_exit_code() {
    let folder = Folder::new("up-wrong");
    let data = folder.path("data");
    let config = folder.file("gateway.toml", "listen = 5\n");
    let wrong = run(&["up", "--config", &config]);
    assert!(wrong.code == 65 && wrong.stderr.contains("gateway.toml") && wrong.stderr.contains("line 1"), "{wrong:?}");
    let missing = run(&["up", "--config", &folder.path("none.toml")]);
    assert!(missing.code == 65 && missing.stderr.contains("none.toml"), "{missing:?}");
    assert_eq!(run(&["up", "--listen", "here"]).code, 2);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let busy = run(&["up", "--data", &data, "--listen", &address, "--admin", "127.0.0.1:0"]);
    assert!(busy.code == 74 && busy.stderr.contains("cannot be listened on"), "{busy:?}");
    let nobody = run(&["account", "list", "--data", &folder.path("elsewhere")]);
    assert!(nobody.code == 74 && nobody.stderr.contains("stillwatch up"), "{nobody:?}");
}

#[test]
fn detection_follows_what_is_recorded_and_goes_on_after_a_restart() {
    let gateway = Gateway::start("detection", &[]);
    let key = gateway.key_of("acc_1");
    assert_eq!(gateway.ask(&key, "Hello").0, 200);
    let seen = |gateway: &Gateway| {
        let data = gateway.data();
        let found = run(&["findings", "--data", &data, "--json"]);
        assert_eq!(found.code, 0, "{found:?}");
        let (_, ready) = gateway.readiness();
        assert!(!ready.contains("detection"), "{ready}");
        serde_json::from_str::<Value>(&found.stdout).expect("JSON")
    };
    let read = |gateway: &Gateway, count: &str| {
        let shown = run(&["findings", "--data", &gateway.data()]).stdout;
        shown.contains(count)
    };
    assert!(within(Duration::from_secs(10), || read(&gateway, "1 exchange of a running gateway")));
    assert_eq!(seen(&gateway)["campaigns"], serde_json::json!([]));
    let (code, folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    assert!(Path::new(&folder.path("data")).join("detection.state").is_file());
    let gateway = Gateway::start_in(folder, &[]);
    assert!(read(&gateway, "1 exchange of a running gateway"), "known without reading it again");
    assert_eq!(gateway.ask(&key, "Hello again").0, 200);
    assert!(within(Duration::from_secs(10), || read(&gateway, "2 exchanges of a running gateway")));
    gateway.end("-TERM");
}

#[test]
fn a_response_holds_until_it_is_undone_and_one_in_shadow_mode_is_told_only() {
    let gateway = Gateway::start("response", &[]);
    let (ann, bob) = (gateway.key_of("ann"), gateway.key_of("bob"));
    let apply = |args: &[&str]| {
        let all: Vec<&str> =
            ["response", "apply", "--by", "eve", "--reason", "case 7"].iter().chain(args).copied().collect();
        let taken = gateway.manage(&all);
        taken.get("id").and_then(Value::as_str).expect("an id").to_owned()
    };
    let undo = |id: &str| gateway.manage(&["response", "undo", id, "--by", "cat", "--reason", "a class"]);
    let hello = |key: &str| gateway.ask(key, "Hello");
    let before = hello(&ann);
    assert_eq!(before.0, 200);

    let shadow = apply(&["--account", "ann", "--rung", "block", "--shadow"]);
    assert_eq!((hello(&ann).0, hello(&bob).0), (200, 200), "nothing changes");
    let lines = recorded(&gateway.data(), 3);
    let told = r#""shadow":{"outcome":"refused","held":[],"rung":"block"}"#;
    assert_eq!(lines.matches(told).count(), 1, "{lines}");
    undo(&shadow);

    let simulated = gateway.manage(&["response", "simulate", "--account", "ann", "--rung", "block"]);
    assert_eq!((&simulated["then"]["refused"], &simulated["different"]), (&2.into(), &2.into()), "{simulated}");
    assert!(simulated["accounts"].get("bob").is_none(), "{simulated}");

    let block = apply(&["--account", "ann", "--rung", "block", "--hours", "1"]);
    let refused = hello(&ann);
    assert_eq!((refused.0, hello(&bob).0), (403, 200));
    for word in ["case 7", "eve", "campaign", "block", "rung", "response"] {
        assert!(!refused.1.contains(word), "`{word}` is told to the caller: {}", refused.1);
    }
    let listed = gateway.manage(&["response", "list"]);
    let states: Vec<&str> =
        listed["responses"].as_array().expect("a list").iter().filter_map(|one| one["state"].as_str()).collect();
    assert!(states.contains(&"holds") && states.contains(&"undone"), "{listed}");
    undo(&block);
    assert_eq!(hello(&ann).0, 200);

    let shared = apply(&["--account", "bob", "--rung", "share-budget", "--budget", "2 requests per day"]);
    assert_eq!((hello(&bob).0, hello(&bob).0, hello(&bob).0, hello(&ann).0), (200, 200, 429, 200));
    undo(&shared);
    assert_eq!(hello(&bob).0, 200);
    let missing = run(&["response", "undo", "rsp_1", "--by", "x", "--reason", "y", "--data", &gateway.data()]);
    assert!(missing.code == 2 && missing.stderr.contains("there is no response `rsp_1`"), "{missing:?}");
    gateway.end("-TERM");
}
