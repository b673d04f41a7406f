//! Sends the simulated traffic of a drill through its staging instance, as fast as that one's clock runs.
//!
//! Promises that each request is sent once, that none is sent before it is due, and that accounts held in reserve send nothing until the others are stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use drill::exercise::Milestone;
use drill::traffic::Truth;
use exchange::Time;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::playing::Playing;
use crate::failure::Failure;

/// Connections on which requests are sent.
const CONNECTIONS: usize = 8;
/// How often a request is tried where the connection breaks.
const TRIES: usize = 3;
/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Between the moment from which on a pool is stopped and the next requests of the one in reserve, as the team lives it.
const RESERVE_TIME: Duration = Duration::from_secs(30);
/// Who a caller is is told by these headers of the simulated record, which the staging instance trusts.
const SHOWN: [(&str, &str); 5] = [
    ("ip", "x-forwarded-for"),
    ("asn", "x-asn"),
    ("country", "x-country"),
    ("ja4", "x-ja4"),
    ("user_agent", "user-agent"),
];

/// Traffic that is to be sent, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    requests: Vec<Prepared>,
    /// How each account is seen by its gateway: its client's headers.
    clients: BTreeMap<String, Vec<(&'static str, String)>>,
    /// Accounts that go on with the work of others, by the others' names.
    reserve: BTreeMap<String, String>,
    /// Who is who.
    pub(super) truth: Truth,
}

/// A request that is to be sent.
#[derive(Debug)]
struct Prepared {
    due: Time,
    account: String,
    body: Bytes,
}

impl Traffic {
    /// That of simulated records, whose senders are known by their labels; half of the campaign's accounts wait where there is a reserve.
    pub(super) fn of(
        records: impl Iterator<Item = Result<Value, Failure>>,
        truth: Truth,
        has_reserve: bool,
    ) -> Result<Traffic, Failure> {
        let mut traffic = Traffic { truth, ..Traffic::default() };
        if has_reserve {
            // By name, which says nothing about anybody.
            let members: Vec<&String> = traffic.truth.campaign.iter().collect();
            let (first, second) = members.split_at(members.len().div_ceil(2));
            traffic.reserve =
                first.iter().zip(second).map(|(first, second)| ((*first).clone(), (*second).clone())).collect();
        }
        let waiting: BTreeSet<String> = traffic.reserve.values().cloned().collect();
        for record in records {
            let record = record?;
            let Some((account, due)) = account(&record).zip(time(&record)) else { continue };
            traffic.clients.entry(account.to_owned()).or_insert_with(|| client(&record));
            if waiting.contains(account) {
                continue;
            }
            traffic.truth.campaign_exchanges += u64::from(traffic.truth.campaign.contains(account));
            traffic.requests.push(Prepared { due, account: account.to_owned(), body: body(&record) });
        }
        traffic.requests.sort_by_key(|request| request.due);
        Ok(traffic)
    }

    /// Every account that sends something.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &String> {
        self.clients.keys()
    }

    /// When the first and the last request are due.
    pub(super) fn span(&self) -> Option<(Time, Time)> {
        Some((self.requests.first()?.due, self.requests.last()?.due))
    }
}

/// Sends everything until it is done or the drill is over.
///
/// # Errors
///
/// Where the staging instance cannot be reached.
pub(super) async fn send(
    traffic: Traffic,
    keys: BTreeMap<String, String>,
    authority: String,
    playing: Arc<Playing>,
) -> Result<(), Failure> {
    let shared = Arc::new(Shared {
        traffic,
        keys,
        authority,
        next: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
        playing,
        moved: Mutex::new(BTreeSet::new()),
    });
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        senders.spawn(Arc::clone(&shared).run());
    }
    while let Some(ended) = senders.join_next().await {
        ended.map_err(|error| Failure::io("traffic cannot be sent", error))??;
    }
    Ok(())
}

struct Shared {
    traffic: Traffic,
    keys: BTreeMap<String, String>,
    authority: String,
    next: AtomicUsize,
    failed: AtomicBool,
    playing: Arc<Playing>,
    /// Accounts whose work others go on with.
    moved: Mutex<BTreeSet<String>>,
}

impl Shared {
    async fn run(self: Arc<Shared>) -> Result<(), Failure> {
        let mut connection: Option<SendRequest<Full<Bytes>>> = None;
        while !self.failed.load(Ordering::Relaxed) {
            let Some(request) = self.traffic.requests.get(self.next.fetch_add(1, Ordering::Relaxed)) else { break };
            if !self.playing.wait_until(request.due).await {
                break;
            }
            let account = self.sender(&request.account);
            let status = self.ask(&mut connection, account, &request.body).await.inspect_err(|_| {
                self.failed.store(true, Ordering::Relaxed);
            })?;
            self.playing.sent(account, status.is_success());
        }
        Ok(())
    }

    /// Who sends what this account would: the one in reserve, once it is stopped.
    fn sender<'s>(&'s self, account: &'s String) -> &'s String {
        let Some(reserve) = self.traffic.reserve.get(account) else { return account };
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        if !moved.contains(account) {
            let stopped = self.playing.since(Milestone::Contained);
            if stopped.is_none_or(|since| since < RESERVE_TIME) {
                return account;
            }
            // All of the first pool at once, and for good: that is how published campaigns did it.
            moved.extend(self.traffic.reserve.keys().cloned());
        }
        reserve
    }

    async fn ask(
        &self,
        connection: &mut Option<SendRequest<Full<Bytes>>>,
        account: &str,
        body: &Bytes,
    ) -> Result<StatusCode, Failure> {
        let mut trouble = String::new();
        for _ in 0..TRIES {
            let ready = match connection.take() {
                Some(ready) if ready.is_ready() => Ok(ready),
                _ => connect(&self.authority).await,
            };
            let mut sender = match ready {
                Ok(sender) => sender,
                Err(error) => {
                    trouble = error;
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            };
            let request = self.request(account, body)?;
            let answered = tokio::time::timeout(ANSWER_TIME_MAX, async {
                let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
                let status = response.status();
                let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
                body.map_err(|error| error.to_string())?;
                Ok::<StatusCode, String>(status)
            });
            match answered.await {
                Ok(Ok(status)) => {
                    *connection = Some(sender);
                    return Ok(status);
                }
                Ok(Err(error)) => trouble = error,
                Err(_) => "no answer came".clone_into(&mut trouble),
            }
        }
        Err(Failure::service(format!("the staging instance at {} does not answer: {trouble}", self.authority)))
    }

    fn request(&self, account: &str, body: &Bytes) -> Result<Request<Full<Bytes>>, Failure> {
        let key = self.keys.get(account).map(String::as_str).unwrap_or_default();
        let mut request = Request::post("/v1/chat/completions")
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {key}"));
        for (name, value) in self.traffic.clients.get(account).into_iter().flatten() {
            request = request.header(*name, value);
        }
        request.body(Full::new(body.clone())).map_err(|error| Failure::io("a request cannot be made", error))
    }
}

async fn connect(authority: &str) -> Result<SendRequest<Full<Bytes>>, String> {
    let stream = TcpStream::connect(authority).await.map_err(|error| error.to_string())?;
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

fn account(record: &Value) -> Option<&str> {
    record.get("account")?.as_str()
}

fn time(record: &Value) -> Option<Time> {
    record.get("time")?.as_str()?.parse().ok()
}

/// What the client of a record shows of itself.
fn client(record: &Value) -> Vec<(&'static str, String)> {
    let shown = |(field, header): (&str, &'static str)| {
        let value = match record.get("client")?.get(field)? {
            Value::String(text) => text.clone(),
            Value::Null => return None,
            other => other.to_string(),
        };
        Some((header, value))
    };
    SHOWN.into_iter().filter_map(shown).collect()
}

/// What the caller of a record would have sent.
fn body(record: &Value) -> Bytes {
    let null = Value::Null;
    let request = record.get("request").unwrap_or(&null);
    let mut messages = Vec::new();
    if let Some(system) = request.get("system").filter(|system| !system.is_null()) {
        messages.push(json!({"role": "system", "content": system}));
    }
    match request.get("messages") {
        Some(Value::Array(all)) => messages.extend(all.iter().cloned()),
        Some(text @ Value::String(_)) => messages.push(json!({"role": "user", "content": text})),
        _ => {}
    }
    let mut made = Map::new();
    made.insert("model".to_owned(), record.get("model").cloned().unwrap_or_else(|| json!("mock-1")));
    made.insert("messages".to_owned(), Value::Array(messages));
    let params = request.get("params").and_then(Value::as_object).into_iter().flatten();
    for (name, value) in params.filter(|(name, value)| *name != "stream" && !value.is_null()) {
        made.insert(name.clone(), value.clone());
    }
    let tools: Vec<Value> = request.get("tools").and_then(Value::as_array).into_iter().flatten().map(tool).collect();
    if !tools.is_empty() {
        made.insert("tools".to_owned(), Value::Array(tools));
    }
    Bytes::from(Value::Object(made).to_string())
}

fn tool(tool: &Value) -> Value {
    let function = match tool {
        Value::Object(known) if known.contains_key("type") => return tool.clone(),
        Value::Object(_) => tool.clone(),
        name => json!({"name": name}),
    };
    json!({"type": "function", "function": function})
}
