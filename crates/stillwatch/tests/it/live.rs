//! A campaign among honest customers, sent through a running gateway in compressed time: told, responded to, and nobody else touched. Texts are
//! sealed, so that detection goes by fingerprints.

#![expect(clippy::indexing_slicing, reason = "what is read here was written here")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use exchange::Time;
use serde_json::{Value, json};
use simulator::{Output, World, simulate};

use crate::cli::{Folder, run};
use crate::sealing::Sealing;
use crate::up::{Gateway, within};

/// How many times as fast as the machine's the clock of the gateway runs: two days in 20 seconds.
const SPEED: i64 = 8_640;

/// What somebody sends.
struct Sent {
    time: Time,
    account: String,
    head: String,
    body: String,
}

#[test]
fn a_campaign_is_found_and_stopped_while_it_runs_and_nobody_else_is_touched() {
    let (records, facts, campaign) = simulated();
    let begins = records.first().expect("exchanges").time;
    let folder = Folder::new("live");
    let sealing = Sealing::made(&folder);
    let config = folder.file(
        "gateway.toml",
        sealing.table()
            + "[trust]\npeers = ['127.0.0.0/8']\naddress = 'x-forwarded-for'\nasn = 'x-asn'\nja4 = 'x-ja4'\n\
         [response]\nblock_alone_max = 1000\n[[response.rule]]\nname = 'stop'\nstrength = 3\nrung = 'block'\n\
         blocks_on_score_alone = true\nreason = 'a drill'\n",
    );
    // Accounts are there the day before.
    let day_before = Time::from_seconds(begins.seconds() - 86_400);
    let gateway = Gateway::start_in(folder, &["--config", &config, "--drill-begins", &day_before.to_string()]);
    let keys = accounts(&gateway, &records, &facts);
    let (code, folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    let clock = ["--drill-begins", &begins.to_string(), "--drill-speed", &SPEED.to_string()];
    let gateway = Gateway::start_in(folder, &[&["--config", &config], &clock[..]].concat());
    // Whoever is named by a reload is told as well.
    let (soc, address) = datagrams();
    let before = std::fs::read_to_string(&config).expect("the configuration");
    let named = format!("{before}[[alert]]\nname = 'soc'\nsyslog = 'udp://{address}'\n");
    std::fs::write(&config, named).expect("written");
    gateway.signal("-HUP");
    let answers = drive(&gateway, &records, &keys);
    let mut alert = [0; 4_096];
    let length = soc.recv(&mut alert).expect("an alert");
    assert!(String::from_utf8_lossy(&alert[..length]).contains(" campaign_detected "));

    let (of_campaign, of_others): (Vec<_>, Vec<_>) =
        answers.iter().partition(|(index, _)| campaign.contains(&records[**index].account));
    let touched: Vec<_> = of_others
        .iter()
        .filter(|(_, status)| **status != 200)
        .map(|(index, status)| (&records[**index].account, status, records[**index].time))
        .collect();
    assert!(touched.is_empty(), "somebody honest was touched: {touched:?} {:?}", gateway.get("/api/v1/responses"));
    let refused = of_campaign.iter().filter(|(_, status)| **status == 403).count();
    let responses = gateway.manage(&["response", "list"]);
    assert!(refused * 10 > of_campaign.len(), "{refused} of {} were stopped: {responses}", of_campaign.len());
    assert_eq!(responses["responses"][0]["author"], "rule:stop");

    // All of it is put down: what was found, who was told, what was done about it and by which rule.
    let data = gateway.data();
    for (kind, actor) in
        [("finding", "stillwatch"), ("alert", "stillwatch"), ("response", "rule:stop"), ("cover", "stillwatch")]
    {
        let is_down = || {
            let entries = run(&["ledger", "tail", "-n", "100000", "--data", &data, "--json"]).stdout;
            let entries: Value = serde_json::from_str(&entries).expect("JSON");
            let is_it = |entry: &Value| entry["kind"] == kind && entry["statement"]["actor"] == actor;
            entries["entries"].as_array().expect("entries").iter().any(is_it)
        };
        assert!(within(Duration::from_secs(10), is_down), "{kind} of {actor}");
    }
    let is_read = || gateway.get("/api/v1/detection")["behind_bytes"] == 0;
    assert!(within(Duration::from_secs(30), is_read), "detection does not catch up");
    let members = |findings: &Value| -> BTreeSet<String> {
        let campaigns = findings["campaigns"].as_array().expect("campaigns").iter();
        let accounts = campaigns.flat_map(|campaign| campaign["accounts"].as_array().expect("accounts"));
        let sure = accounts.filter(|account| account["probability"].as_f64() >= Some(0.5));
        sure.filter_map(|account| account["account"].as_str().map(str::to_owned)).collect()
    };
    let live = members(&gateway.get("/api/v1/findings"));
    let data = gateway.data();
    let (code, folder) = gateway.end("-TERM");
    assert_eq!(code, Some(0));
    let hunted: Value = serde_json::from_str(&run(&["hunt", &data, "--json"]).stdout).expect("JSON");
    let hunted = members(&hunted);
    assert!(live.is_subset(&campaign) && live.len() * 10 > campaign.len() * 9, "{} of {}", live.len(), campaign.len());
    let both = live.intersection(&hunted).count();
    assert!(
        both * 20 > hunted.len() * 19 && both * 20 > live.len() * 19,
        "{live:?} and a hunt over the record {hunted:?}"
    );
    // The record as it would be without sealing, which is hunted by its texts.
    let texts = folder.path("opened.jsonl");
    let accounts: BTreeSet<&str> = records.iter().map(|record| record.account.as_str()).collect();
    let whose: Vec<&str> = accounts.iter().flat_map(|account| ["--account", *account]).collect();
    let opened = sealing.open(&data, &[&whose[..], &["--out", &texts]].concat());
    assert_eq!(opened.code, 0, "{opened:?}");
    let facts = format!("{data}/exchanges/accounts.jsonl");
    let by_text: Value =
        serde_json::from_str(&run(&["hunt", &texts, "--accounts", &facts, "--json"]).stdout).expect("JSON");
    let by_text = members(&by_text);
    // A case file of it, with texts that were opened for it.
    let (findings, case) = (folder.path("hunt.json"), folder.path("case.zip"));
    std::fs::write(&findings, run(&["hunt", &data, "--json"]).stdout).expect("written");
    let exported = sealing.export(&data, &["--findings", &findings, "--out", &case]);
    assert_eq!(exported.code, 0, "{exported:?}");
    let key = run(&["ledger", "key", "--data", &data]).stdout;
    let checked: Value =
        serde_json::from_str(&run(&["verify", &case, "--key", key.trim(), "--json"]).stdout).expect("JSON");
    assert_eq!((&checked["records"], &checked["opened"]), (&json!(200), &json!(200)), "{checked}");
    // Taken into a lake, the same are named; and where the recorded files are gone, the case file is made of what is there.
    assert_eq!(run(&["lake", "compact", "--data", &data]).code, 0);
    let in_lake = run(&["hunt", &format!("{data}/lake"), "--json"]).stdout;
    assert_eq!(members(&serde_json::from_str(&in_lake).expect("JSON")), hunted);
    for entry in std::fs::read_dir(format!("{data}/exchanges")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if !path.ends_with("accounts.jsonl") {
            std::fs::remove_file(path).expect("a recorded file");
        }
    }
    let again = folder.path("again.zip");
    let exported = sealing.export(&data, &["--findings", &findings, "--out", &again]);
    assert_eq!(exported.code, 0, "{exported:?}");
    let checked: Value =
        serde_json::from_str(&run(&["verify", &again, "--key", key.trim(), "--json"]).stdout).expect("JSON");
    assert_eq!((&checked["records"], &checked["opened"]), (&json!(200), &json!(200)), "{checked}");
    let both = by_text.intersection(&hunted).count();
    assert!(both * 20 > by_text.len() * 19 && both * 20 > hunted.len() * 19, "{by_text:?} by texts, {hunted:?} sealed");
}

/// Where datagrams come to, and its address.
fn datagrams() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
    let address = socket.local_addr().expect("an address").to_string();
    (socket, address)
}

/// What a world is simulated to: what is sent, in order; what is known of accounts; who is in the campaign.
fn simulated() -> (Vec<Sent>, BTreeMap<String, Value>, BTreeSet<String>) {
    let scenario = World::by_name("template").expect("a world").scenario().with_seed(1).scaled(0.5);
    let (mut exchanges, mut accounts, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    let mut output = Output { exchanges: &mut exchanges, accounts: &mut accounts, labels: &mut labels };
    simulate(&scenario, None, &mut output).expect("a world that can be simulated");
    let lines = |text: &[u8]| -> Vec<Value> {
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect()
    };
    let mut records: Vec<Sent> = lines(&exchanges).iter().map(sent).collect();
    records.sort_by_key(|record| record.time);
    let name = |fact: &Value| fact["account"].as_str().expect("an account").to_owned();
    let facts = lines(&accounts).into_iter().map(|fact| (name(&fact), fact)).collect();
    let of_campaign = |label: &Value| label["campaign"].is_string() && label["account"].is_string();
    let campaign = lines(&labels).iter().filter(|label| of_campaign(label)).map(name).collect();
    (records, facts, campaign)
}

/// A record as its caller sent it.
fn sent(record: &Value) -> Sent {
    let client = &record["client"];
    let mut head = String::new();
    for (name, value) in [("x-forwarded-for", "ip"), ("x-asn", "asn"), ("x-ja4", "ja4"), ("user-agent", "user_agent")] {
        match &client[value] {
            Value::String(text) => head += &format!("{name}: {text}\r\n"),
            Value::Number(number) => head += &format!("{name}: {number}\r\n"),
            _ => {}
        }
    }
    let request = &record["request"];
    let mut messages = request["messages"].as_array().cloned().unwrap_or_default();
    if let Some(text) = request["messages"].as_str() {
        messages.push(json!({"role": "user", "content": text}));
    }
    if let Some(system) = request["system"].as_str() {
        messages.insert(0, json!({"role": "system", "content": system}));
    }
    let mut body = json!({"model": record["model"], "messages": messages});
    for (name, value) in request["params"].as_object().into_iter().flatten() {
        if !value.is_null() && name != "stream" {
            body[name] = value.clone();
        }
    }
    Sent {
        time: record["time"].as_str().expect("a time").parse().expect("a time"),
        account: record["account"].as_str().expect("an account").to_owned(),
        head,
        body: body.to_string(),
    }
}

/// Makes everybody who sends something, each with a key.
fn accounts(gateway: &Gateway, records: &[Sent], facts: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let names: BTreeSet<&String> = records.iter().map(|record| &record.account).collect();
    let known: BTreeSet<String> =
        names.iter().filter_map(|name| facts.get(*name)?["org"].as_str().map(str::to_owned)).collect();
    for organisation in known {
        gateway.post("/api/v1/organisations", &json!({"id": organisation}));
    }
    let make = |name: &&String| {
        let fact = facts.get(*name).cloned().unwrap_or_default();
        let mut new = json!({"id": name, "created": fact["created"], "assurance": fact["assurance"], "programme": fact["program"],
            "payment": fact["payment"], "organisation": fact["org"]});
        new.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        gateway.post("/api/v1/accounts", &new);
        let key = gateway.post("/api/v1/keys", &json!({"account": name}));
        ((*name).clone(), key["key"].as_str().expect("a key").to_owned())
    };
    names.iter().map(make).collect()
}

/// Sends everything when its time has come by the gateway's clock; the status of each answer, by its place.
fn drive(gateway: &Gateway, records: &[Sent], keys: &BTreeMap<String, String>) -> BTreeMap<usize, u16> {
    let begins = records.first().expect("exchanges").time;
    let (next, answers, began) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()), now());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let stream = TcpStream::connect(gateway.address()).expect("a connection");
                let mut reader = BufReader::new(stream);
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(record) = records.get(index) else { break };
                    let nanos = (record.time.nanos() - begins.nanos()) / SPEED;
                    let due = Duration::from_nanos(u64::try_from(nanos).expect("in order"));
                    std::thread::sleep(due.saturating_sub(began.elapsed()));
                    let request = format!(
                        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{}content-type: application/json\r\n\
                         content-length: {}\r\n\r\n{}",
                        keys[&record.account],
                        record.head,
                        record.body.len(),
                        record.body
                    );
                    reader.get_mut().write_all(request.as_bytes()).expect("sent");
                    let status = answer(&mut reader);
                    answers.lock().unwrap_or_else(PoisonError::into_inner).insert(index, status);
                }
            });
        }
    });
    answers.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Reads an answer to its end; its status.
fn answer(reader: &mut BufReader<TcpStream>) -> u16 {
    let (mut status, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("an answer");
        let line = line.trim_end().to_ascii_lowercase();
        status = status.or_else(|| line.split(' ').nth(1)?.parse().ok());
        if let Some(bytes) = line.strip_prefix("content-length: ") {
            length = bytes.parse().expect("a length");
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    status.expect("a status")
}

#[expect(clippy::disallowed_methods, reason = "what is sent when; the gateway has a clock of its own")]
fn now() -> Instant {
    Instant::now()
}
