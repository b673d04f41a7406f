//! Files and batches: whose they are, what is decided of the requests within, and what comes out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex};

use gateway::limits::{PAGE_ASKED_MAX, STORED_REPLY_BYTES_MAX};
use policy::quota::Quota;
use policy::{Action, Actions};
use serde_json::{Value, json};

use crate::rig::{Answer, KEY, OTHER_KEY, Rig, TestKey, raw};

const CHAT: &str = "/v1/chat/completions";

fn ask(rig: &Rig, key: &TestKey, method: &str, path: &str, kind: &str, body: &str) -> Answer {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: {kind}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    raw(rig.gateway.address(), request.as_bytes())
}

fn get(rig: &Rig, key: &TestKey, path: &str) -> Answer {
    ask(rig, key, "GET", path, "application/json", "")
}

fn post(rig: &Rig, key: &TestKey, path: &str, body: &Value) -> Answer {
    ask(rig, key, "POST", path, "application/json", &body.to_string())
}

fn upload(rig: &Rig, key: &TestKey, purpose: &str, file: &str) -> Answer {
    let body = format!(
        "--XX\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\n{purpose}\r\n\
         --XX\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n{file}\r\n--XX--\r\n"
    );
    ask(rig, key, "POST", "/v1/files", "multipart/form-data; boundary=XX", &body)
}

fn line(custom_id: &str, body: &Value) -> String {
    json!({"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body}).to_string() + "\n"
}

fn told(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap()
}

fn id(answer: &Answer) -> String {
    told(answer)["id"].as_str().unwrap().to_owned()
}

fn make_batch(rig: &Rig, input: &str) -> Answer {
    post(rig, &KEY, "/v1/batches", &json!({"input_file_id": input, "endpoint": CHAT, "completion_window": "24h"}))
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200);
    answer.body.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

#[test]
fn a_batch_is_handed_in_made_and_fetched_by_who_owns_it() {
    let mut rig = Rig::keeping(Actions::NONE);
    let file = line("one", &json!({"model": "mock-1", "messages": [{"role": "user", "content": "a"}], "n": 2}))
        + &line("two", &json!({"model": "mock-reasoner", "messages": [], "max_tokens": 9}));
    let input = id(&upload(&rig, &KEY, "batch", &file));
    assert_eq!(get(&rig, &KEY, &format!("/v1/files/{input}/content")).body, file.as_bytes());
    let batch = told(&make_batch(&rig, &input));
    let (batch, output) = (batch["id"].as_str().unwrap(), batch["output_file_id"].as_str().unwrap());
    // The file of results is found once the batch was looked at, and by nobody else.
    assert_eq!(told(&get(&rig, &KEY, &format!("/v1/batches/{batch}")))["status"], "completed");
    let results = lines(&get(&rig, &KEY, &format!("/v1/files/{output}/content")));
    assert_eq!((results.len(), &results[1]["custom_id"]), (2, &json!("two")));
    assert_eq!(results[0]["response"]["body"]["choices"].as_array().unwrap().len(), 2);
    assert!(!results[1]["response"]["body"]["choices"][0]["message"]["reasoning_content"].is_null());
    for path in [
        format!("/v1/files/{input}"),
        format!("/v1/files/{input}/content"),
        format!("/v1/files/{output}/content"),
        format!("/v1/batches/{batch}"),
        "/v1/files/none".to_owned(),
    ] {
        assert_eq!(get(&rig, &OTHER_KEY, &path).status, 404, "{path}");
    }
    let stolen = json!({"input_file_id": input, "endpoint": CHAT, "completion_window": "24h"});
    assert_eq!(post(&rig, &OTHER_KEY, "/v1/batches", &stolen).status, 404);
    assert_eq!(post(&rig, &OTHER_KEY, &format!("/v1/batches/{batch}/cancel"), &json!({})).status, 404);
    assert_eq!(ask(&rig, &OTHER_KEY, "DELETE", &format!("/v1/files/{input}"), "x", "").status, 404);
    // Lists hold what is one's own.
    assert_eq!(told(&get(&rig, &OTHER_KEY, "/v1/files"))["data"], json!([]));
    let list = told(&get(&rig, &KEY, "/v1/files"));
    let ids: Vec<&str> = list["data"].as_array().unwrap().iter().filter_map(|file| file["id"].as_str()).collect();
    assert_eq!((ids.as_slice(), &list["has_more"]), (&[output, input.as_str()][..], &json!(false)));
    let page = told(&get(&rig, &KEY, "/v1/files?limit=1"));
    assert_eq!((&page["has_more"], &page["last_id"]), (&json!(true), &json!(output)));
    let page = told(&get(&rig, &KEY, &format!("/v1/files?limit=1&after={output}")));
    assert_eq!((&page["has_more"], &page["data"][0]["id"]), (&json!(false), &json!(input)));
    assert_eq!(get(&rig, &OTHER_KEY, &format!("/v1/files?after={output}")).status, 400);
    // Each request was recorded, as often as it was asked.
    let recorded: Vec<_> = rig.records.by_ref().take(2).map(|seen| (seen.path, seen.status)).collect();
    assert!(recorded.iter().all(|(path, status)| path == CHAT && *status == 202), "{recorded:?}");
    assert_eq!(make_batch(&rig, &input).status, 200);
    assert_eq!(rig.records.by_ref().take(2).count(), 2);
    // What is gone is gone.
    assert_eq!(ask(&rig, &KEY, "DELETE", &format!("/v1/files/{input}"), "x", "").status, 200);
    assert_eq!(get(&rig, &KEY, &format!("/v1/files/{input}")).status, 404);
    assert_eq!(make_batch(&rig, &input).status, 404);
}

#[test]
fn what_is_held_back_goes_from_each_request_and_each_reply_of_a_batch() {
    let held = Actions::NONE.with(Action::Logprobs).with(Action::ReasoningText).with(Action::Sampling);
    let rig = Rig::keeping(held);
    let body = json!({"model": "mock-reasoner", "messages": [], "logprobs": true, "seed": 7, "verbose": true});
    let input = id(&upload(&rig, &KEY, "batch", &line("one", &body)));
    let kept = get(&rig, &KEY, &format!("/v1/files/{input}/content"));
    assert_eq!(lines(&kept)[0]["body"], json!({"model": "mock-reasoner", "messages": []}));
    let batch = told(&make_batch(&rig, &input));
    get(&rig, &KEY, &format!("/v1/batches/{}", batch["id"].as_str().unwrap()));
    let output = batch["output_file_id"].as_str().unwrap();
    let results = lines(&get(&rig, &KEY, &format!("/v1/files/{output}/content")));
    let message = &results[0]["response"]["body"]["choices"][0]["message"];
    assert!(
        message["reasoning_content"].as_str().is_none_or(str::is_empty) && message["content"].is_string(),
        "{message}"
    );

    let messages = json!({"requests": [{"custom_id": "one", "params":
        {"model": "mock-reasoner", "max_tokens": 50, "messages": [], "temperature": 1, "thinking": {"type": "enabled", "budget_tokens": 20}}}]});
    let batch = told(&post(&rig, &KEY, "/v1/messages/batches", &messages));
    let id = batch["id"].as_str().unwrap();
    // A client goes where it is told to, and shows its key there.
    assert_eq!(batch["results_url"], format!("/v1/messages/batches/{id}/results"));
    let results = lines(&get(&rig, &KEY, &format!("/v1/messages/batches/{id}/results")));
    for block in results[0]["result"]["message"]["content"].as_array().unwrap() {
        assert!(block["thinking"].as_str().is_none_or(str::is_empty), "{block}");
    }
    assert_eq!(get(&rig, &OTHER_KEY, &format!("/v1/messages/batches/{id}/results")).status, 404);
    assert_eq!(told(&get(&rig, &KEY, "/v1/messages/batches"))["data"][0]["results_url"], batch["results_url"]);
    assert_eq!(ask(&rig, &KEY, "DELETE", &format!("/v1/messages/batches/{id}"), "x", "").status, 200);
    assert_eq!(get(&rig, &KEY, &format!("/v1/messages/batches/{id}")).status, 404);
}

#[test]
fn who_may_not_hand_in_batches_does_not() {
    let rig = Rig::keeping(Actions::NONE.with(Action::Batch));
    let file = line("one", &json!({"model": "mock-1", "messages": []}));
    assert_eq!(upload(&rig, &KEY, "batch", &file).status, 403);
    let messages = json!({"requests": [{"custom_id": "one", "params": {"model": "mock-1", "max_tokens": 5}}]});
    assert_eq!(post(&rig, &KEY, "/v1/messages/batches", &messages).status, 403);
    assert_eq!(get(&rig, &KEY, "/v1/batches").status, 403);
    // A file for something else is no batch, whatever is in it.
    let input = id(&upload(&rig, &KEY, "user_data", &file));
    assert_eq!(make_batch(&rig, &input).status, 403);
    let rig = Rig::keeping(Actions::NONE);
    let input = id(&upload(&rig, &KEY, "user_data", &file));
    assert_eq!(make_batch(&rig, &input).status, 400);
}

#[test]
fn all_requests_of_a_batch_are_charged_before_it_is_made_and_settled_when_it_is_over() {
    let rig = Rig::keeping(Actions::NONE);
    let quota = |unit: &str, amount: u64| -> Quota {
        let quota = json!({"id": unit, "of": "each_account", "unit": unit, "amount": amount, "per": "day"});
        serde_json::from_value(quota).unwrap()
    };
    rig.gate.quotas().replace(vec![quota("requests", 10), quota("tokens", 3_000)]).unwrap();
    let body = json!({"model": "mock-1", "messages": [{"role": "user", "content": "a"}], "max_tokens": 500});
    let five: String = (0..5).map(|n| line(&n.to_string(), &body)).collect();
    // 1 request for the file, 5 for the batch, and again; tokens would not do for two batches at once.
    let input = id(&upload(&rig, &KEY, "batch", &five));
    let batch = id(&make_batch(&rig, &input));
    assert_eq!(make_batch(&rig, &input).status, 429);
    // What was not used comes back once it is seen that it is over, and only once.
    for _ in 0..3 {
        get(&rig, &KEY, &format!("/v1/batches/{batch}"));
    }
    let ten: String = (0..10).map(|n| line(&n.to_string(), &body)).collect();
    let many = id(&upload(&rig, &KEY, "batch", &ten));
    assert_eq!(make_batch(&rig, &many).status, 429, "more requests than are left");
    let one = id(&upload(
        &rig,
        &KEY,
        "batch",
        &line("one", &json!({"model": "mock-1", "messages": [], "max_tokens": 2_000})),
    ));
    assert_eq!(make_batch(&rig, &one).status, 200);
}

#[test]
fn a_request_refers_to_files_of_its_own_account_only() {
    let rig = Rig::keeping(Actions::NONE);
    let mine = id(&upload(&rig, &KEY, "user_data", "text"));
    let refers = |file: &str| json!({"model": "mock-1", "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": file}}]}]});
    assert_eq!(post(&rig, &KEY, CHAT, &refers(&mine)).status, 200);
    assert_eq!(post(&rig, &OTHER_KEY, CHAT, &refers(&mine)).status, 404);
    assert_eq!(post(&rig, &KEY, CHAT, &refers("file-unknown")).status, 404);
    assert_eq!(upload(&rig, &OTHER_KEY, "batch", &line("one", &refers(&mine))).status, 404);
    // Where nothing knows whose files are, no request refers to any.
    let plain = Rig::new(Actions::NONE);
    assert_eq!(post(&plain, &KEY, CHAT, &refers(&mine)).status, 404);
    assert_eq!(get(&plain, &KEY, "/v1/files").status, 404);
}

/// A server of the test's own: what it was asked, and what it says to that.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn saying(says: impl Fn(&str) -> (&'static str, String) + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                let (mut first, mut length) = (String::new(), 0);
                lines.read_line(&mut first).unwrap();
                loop {
                    let mut line = String::new();
                    lines.read_line(&mut line).unwrap();
                    if let Some(bytes) = line.strip_prefix("content-length: ") {
                        length = bytes.trim().parse().unwrap();
                    }
                    if line.trim().is_empty() {
                        break;
                    }
                }
                let mut body = vec![0; length];
                lines.read_exact(&mut body).unwrap();
                let asked = first.rsplit_once(' ').unwrap().0.to_owned();
                let (status, body) = says(&asked);
                told.lock().unwrap().push(asked);
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
                let _ = stream.write_all(head.as_bytes());
            }
        });
        Server { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// A server may give out an id twice: by what is in a file, after a restart, or because it was asked again.
#[test]
fn what_is_another_s_stays_whatever_id_a_server_gives_out() {
    let file = line("a", &json!({"model": "m"}));
    let server = Server::saying(move |asked| match asked {
        "GET /v1/files/file-1/content" => ("200 OK", file.clone()),
        _ => ("200 OK", r#"{"id":"file-1"}"#.to_owned()),
    });
    let rig = Rig::keeping_in_front_of(server.address);
    assert_eq!(upload(&rig, &OTHER_KEY, "user_data", "mine").status, 200);
    assert_eq!(upload(&rig, &KEY, "user_data", "mine").status, 500);
    assert_eq!(server.asked(), ["POST /v1/files"; 2], "nothing is undone");
    assert_eq!(get(&rig, &OTHER_KEY, "/v1/files/file-1").status, 200);
    // To its owner the new one is the one that counts: this batch has more requests than may be asked.
    let quota = json!({"id": "day", "of": "each_account", "unit": "requests", "amount": 10, "per": "day"});
    rig.gate.quotas().replace(vec![serde_json::from_value(quota).unwrap()]).unwrap();
    for (lines, expected) in [(1, 200), (20, 429)] {
        let file = line("a", &json!({"model": "m"})).repeat(lines);
        assert_eq!(upload(&rig, &OTHER_KEY, "batch", &file).status, 200);
        let batch = json!({"input_file_id": "file-1", "endpoint": CHAT, "completion_window": "24h"});
        assert_eq!(post(&rig, &OTHER_KEY, "/v1/batches", &batch).status, expected, "{lines}");
    }
}

/// Clients follow, show their keys there, and get what nobody filtered.
#[test]
fn nobody_is_sent_elsewhere() {
    let elsewhere = "302 Found\r\nlocation: http://192.0.2.1/signed";
    let server = Server::saying(move |asked| match asked {
        "POST /v1/files" => ("200 OK", r#"{"id":"file-1"}"#.to_owned()),
        _ => (elsewhere, String::new()),
    });
    let rig = Rig::keeping_in_front_of(server.address);
    assert_eq!(upload(&rig, &KEY, "user_data", "mine").status, 200);
    for path in ["/v1/files/file-1", "/v1/files/file-1/content", "/v1/models"] {
        let answer = get(&rig, &KEY, path);
        assert!(answer.status == 500 && !answer.head.contains("192.0.2.1"), "{path}: {}", answer.head);
    }
    assert_eq!(post(&rig, &KEY, CHAT, &json!({"model": "m"})).status, 500);
}

/// A list is made of what is there; what a server does not know now, it may know again.
#[test]
fn what_is_gone_is_left_out_of_a_list_and_not_forgotten() {
    let next = AtomicU32::new(0);
    let is_away = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&is_away);
    let server = Server::saying(move |asked| match asked {
        "POST /v1/files" => ("200 OK", json!({"id": format!("f{}", next.fetch_add(1, SeqCst))}).to_string()),
        _ => {
            let id = asked.rsplit_once('/').unwrap().1;
            let is_gone = told.load(SeqCst) && matches!(id, "f5" | "f4" | "f3" | "f2");
            if is_gone { ("404 Not Found", "{}".to_owned()) } else { ("200 OK", json!({"id": id}).to_string()) }
        }
    });
    let rig = Rig::keeping_in_front_of(server.address);
    (0..6).for_each(|_| assert_eq!(upload(&rig, &KEY, "user_data", "x").status, 200));
    let ids = |query: &str| {
        let page = told_page(&get(&rig, &KEY, &format!("/v1/files{query}")));
        (page.0.join(" "), page.1, page.2)
    };
    assert_eq!(ids("?limit=1"), ("f1".to_owned(), "f1".to_owned(), true));
    assert_eq!(ids("?limit=2"), ("f1 f0".to_owned(), "f0".to_owned(), false));
    assert_eq!(ids("?limit=1&after=f1"), ("f0".to_owned(), "f0".to_owned(), false));
    is_away.store(false, SeqCst);
    assert_eq!(ids("?limit=2&after="), ("f5 f4".to_owned(), "f4".to_owned(), true));
    assert_eq!(get(&rig, &KEY, "/v1/files/f5").status, 200);
}

/// However many are gone, a list asks for so many only, and goes on behind them.
#[test]
fn a_page_asks_servers_for_so_many_and_no_more() {
    let next = AtomicU32::new(0);
    let server = Server::saying(move |asked| match asked {
        "POST /v1/files" => ("200 OK", json!({"id": format!("f{}", next.fetch_add(1, SeqCst))}).to_string()),
        _ => match asked.rsplit_once('/').unwrap().1 {
            "f0" => ("200 OK", r#"{"id":"f0"}"#.to_owned()),
            _ => ("404 Not Found", "{}".to_owned()),
        },
    });
    let rig = Rig::keeping_in_front_of(server.address);
    (0..=PAGE_ASKED_MAX).for_each(|_| assert_eq!(upload(&rig, &KEY, "user_data", "x").status, 200));
    server.asked();
    let (ids, last, has_more) = told_page(&get(&rig, &KEY, "/v1/files"));
    assert_eq!((ids.len(), last.as_str(), has_more), (0, "f1", true));
    assert_eq!(server.asked().len(), PAGE_ASKED_MAX as usize);
    let (ids, _, has_more) = told_page(&get(&rig, &KEY, "/v1/files?after=f1"));
    assert_eq!((ids.as_slice(), has_more), (&["f0".to_owned()][..], false));
}

fn told_page(answer: &Answer) -> (Vec<String>, String, bool) {
    let page = told(answer);
    let ids = page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
    (ids.collect(), page["last_id"].as_str().unwrap_or_default().to_owned(), page["has_more"].as_bool().unwrap())
}

/// Where it is not known what became of a batch, it was made.
#[test]
fn a_batch_of_which_nothing_is_heard_stays_charged() {
    let file = line("a", &json!({"model": "m"})).repeat(5);
    let kept = file.clone();
    let reply = |bytes: usize| {
        let rest = r#"{"id":"b1","x":""}"#.len();
        format!(r#"{{"id":"b1","x":"{}"}}"#, "x".repeat(bytes - rest))
    };
    let (long, most) = (reply(STORED_REPLY_BYTES_MAX + 1), reply(STORED_REPLY_BYTES_MAX));
    let server = Server::saying(move |asked| match asked {
        "POST /v1/files" => ("200 OK", r#"{"id":"file-1"}"#.to_owned()),
        "GET /v1/files/file-1/content" => ("200 OK", kept.clone()),
        "GET /v1/files/file-1" => ("200 OK", most.clone()),
        _ => ("200 OK", long.clone()),
    });
    let rig = Rig::keeping_in_front_of(server.address);
    let quota = json!({"id": "day", "of": "each_account", "unit": "requests", "amount": 10, "per": "day"});
    rig.gate.quotas().replace(vec![serde_json::from_value(quota).unwrap()]).unwrap();
    assert_eq!(upload(&rig, &KEY, "batch", &file).status, 200);
    assert_eq!([make_batch(&rig, "file-1").status, make_batch(&rig, "file-1").status], [503, 429]);
    assert_eq!(get(&rig, &KEY, "/v1/files/file-1").body.len(), STORED_REPLY_BYTES_MAX);
}

/// A list of batches tells of files that came out, so they are somebody's from then on, and so is what is over.
#[test]
fn a_list_of_batches_does_as_much_as_a_look_at_each() {
    let rig = Rig::keeping(Actions::NONE);
    let input = id(&upload(&rig, &KEY, "batch", &line("one", &json!({"model": "mock-1", "messages": []}))));
    let batch = told(&make_batch(&rig, &input));
    let output = batch["output_file_id"].as_str().unwrap();
    // The answer to who made it tells as much.
    assert_eq!(get(&rig, &KEY, &format!("/v1/files/{output}/content")).status, 200);
    let listed = told(&get(&rig, &KEY, "/v1/batches"));
    assert_eq!((&listed["data"][0]["id"], listed["data"].as_array().unwrap().len()), (&batch["id"], 1));
    // A model would read what is taken out for the caller.
    let refers = json!({"model": "mock-1", "messages": [{"content": [{"type": "file", "file": {"file_id": output}}]}]});
    assert_eq!(post(&rig, &KEY, CHAT, &refers).status, 400);
}

/// What a server made is not told when it cannot be put down whose it is, and is undone.
#[test]
fn while_the_database_is_away_nothing_is_handed_in_or_found() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let rig = Rig::keeping_in_front_of(listener.local_addr().unwrap());
    let database = rig.database.as_ref().unwrap();
    database.runtime.block_on(database.control.close());
    let server = std::thread::spawn(move || {
        let mut asked = Vec::new();
        let (mut stream, _) = listener.accept().unwrap();
        for reply in ["{\"id\":\"file-1\"}", "{}"] {
            let mut head = Vec::new();
            let mut buffer = [0; 4096];
            while !head.ends_with(b"--\r\n") && !head.starts_with(b"DELETE") {
                let count = stream.read(&mut buffer).unwrap();
                head.extend_from_slice(&buffer[..count]);
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            asked.push(text.lines().next().unwrap().to_owned());
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{reply}", reply.len());
            stream.write_all(head.as_bytes()).unwrap();
        }
        asked
    });
    assert_eq!(upload(&rig, &KEY, "user_data", "text").status, 503);
    assert_eq!(server.join().unwrap(), ["POST /v1/files HTTP/1.1", "DELETE /v1/files/file-1 HTTP/1.1"]);
    assert_eq!(get(&rig, &KEY, "/v1/files/file-1").status, 503);
    assert_eq!(get(&rig, &KEY, "/v1/files").status, 503);
}
