//! Log lines that wrap the bodies of a request and its response; what [`openai`](crate::openai) describes.
//!
//! Logs of this kind have no standard, so each fact is looked for under every name in common use, in a fixed order: on
//! the line itself, in its `metadata`, then beside the request body. Names that mean different things to different
//! loggers are not read.

use std::borrow::Cow;

use crate::bad::{BadRecord, Notes};
use crate::body::{self, Answer};
use crate::call::{Call, Who};
use crate::fields::Fields;
use crate::fields::required_time;
use crate::format::Format;
use crate::json::{Json, Object};
use crate::native;
use crate::place::{Half, Side};
use crate::position::Position;
use crate::record::{Client, Exchange, Operation, Request};
use crate::route::{POLL, Route};
use crate::secret::secret_free;
use crate::time::Time;

const TIME: [&str; 13] = [
    "time",
    "timestamp",
    "@timestamp",
    "ts",
    "created_at",
    "createdAt",
    "request_time",
    "requestTime",
    "requested_at",
    "start_time",
    "startTime",
    "date",
    "created",
];
const END_TIME: [&str; 4] = ["end_time", "endTime", "completed_at", "responded_at"];
const ACCOUNT: [&str; 7] = ["account", "account_id", "customer_id", "tenant_id", "accountId", "customerId", "tenantId"];
const ORG: [&str; 4] = ["org", "org_id", "organization", "organization_id"];
const PROJECT: [&str; 4] = ["project", "project_id", "workspace", "workspace_id"];
const KEY: [&str; 6] = ["key", "key_id", "api_key_id", "api_key_hash", "api_key", "apiKeyId"];
const USER: [&str; 3] = ["user", "user_id", "userId"];
const SESSION: [&str; 4] = ["session", "session_id", "conversation_id", "thread_id"];
const REQUEST: [&str; 7] =
    ["request", "request_body", "body", "requestBody", "request_payload", "requestPayload", "req"];
const RESPONSE: [&str; 6] = ["response", "response_body", "responseBody", "response_payload", "responsePayload", "res"];
const TURNS: [&str; 3] = ["messages", "input", "prompt"];
const METHOD: [&str; 10] = [
    "method",
    "http_method",
    "httpMethod",
    "request_method",
    "requestMethod",
    "http.method",
    "http.request.method",
    "request.method",
    "req.method",
    "httpRequest.requestMethod",
];
const PATH: [&str; 25] = [
    "path",
    "url",
    "uri",
    "endpoint",
    "route",
    "http_path",
    "http_url",
    "request_path",
    "request_uri",
    "request_url",
    "requestUrl",
    "requestPath",
    "http.target",
    "http.url",
    "http.path",
    "http.route",
    "url.path",
    "url.full",
    "request.path",
    "request.url",
    "request.uri",
    "req.path",
    "req.url",
    "httpRequest.requestUrl",
    "request",
];

/// Which API's bodies a line holds, if any.
pub(crate) fn recognise(record: &Object<'_>) -> Option<Format> {
    if is_queue_message(record) {
        return None;
    }
    let request = peek(record, &REQUEST);
    let response = peek(record, &RESPONSE);
    let result = record.get_object("result").and_then(|result| result.get_object("message"));
    let request_has = |key| request.as_ref().is_some_and(|body| body.has(key));
    let response_has = |key| response.as_ref().is_some_and(|body| body.has(key));
    let model = || request.as_ref().and_then(|body| body.get_text("model")).or_else(|| record.get_text("model"));
    let wrapped = ["model", "anthropic_version"].into_iter().any(request_has)
        || ["choices", "object", "output", "stop_reason", "candidates"].into_iter().any(response_has)
        || request_has("contents");
    let has_who = || ACCOUNT.into_iter().chain(USER).chain(KEY).any(|key| record.has(key));
    let flat = request.is_none()
        && (record.has("model") && TURNS.into_iter().any(|key| record.has(key))
            || ["messages", "prompt"].into_iter().any(|key| record.has(key)) && has_who());
    let reply = response.as_ref().is_some_and(|body| body.get_text("type") == Some("message"));
    let is_half = || !record.has("request") && told_half(record).is_some();
    if !wrapped && !flat && !reply && result.is_none() && !record.has("custom_id") && !is_half() {
        return None;
    }
    let anthropic = reply
        || result.is_some()
        || response_has("stop_reason")
        || request_has("anthropic_version")
        || (model().is_some_and(|model| model.starts_with("claude")) && !response_has("choices"));
    Some(if anthropic { Format::Anthropic } else { Format::OpenAi })
}

/// Whether an object is a message of SQS, whose body is no body of a request.
fn is_queue_message(object: &Object<'_>) -> bool {
    object.has("messageId") && object.has("body") && ["receiptHandle", "md5OfBody"].iter().any(|key| object.has(key))
}

/// Why a line tells of a request that asked no model, by its method and path. What was asked and answered is a call, whatever
/// its path says, since a caller writes the path.
pub(crate) fn no_call(record: &Object<'_>) -> Option<&'static str> {
    let why = route(record).no_call()?;
    if why == POLL && peek(record, &RESPONSE).is_some_and(|body| progress(&body) == Some(Progress::Done)) {
        return None;
    }
    let asked = peek(record, &REQUEST).as_deref().is_some_and(has_turns);
    (!asked || !is_answered(record)).then_some(why)
}

/// Whether a line holds what a model said: an answer of any API, or a stream as a text or a list.
fn is_answered(record: &Object<'_>) -> bool {
    match peek(record, &RESPONSE) {
        Some(body) => ["choices", "output", "content", "candidates", "completion"].iter().any(|key| body.has(key)),
        None => RESPONSE.into_iter().filter_map(|key| record.get(key)).any(|response| !response.is_empty()),
    }
}

/// How far the answer of a background call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Pending,
    Done,
}

fn progress(response: &Object<'_>) -> Option<Progress> {
    if response.get_text("object") != Some("response") {
        return None;
    }
    match response.get_text("status")? {
        "queued" | "in_progress" => Some(Progress::Pending),
        "completed" | "incomplete" | "failed" | "cancelled" => Some(Progress::Done),
        _ => None,
    }
}

/// Which part of a call a line holds, where it says that it holds a request only or a response only.
fn told_half(record: &Object<'_>) -> Option<Half> {
    let side = ["type", "event_type", "record_type", "event", "kind", "direction"].into_iter().find_map(|key| {
        let word = record.get_text(key)?.to_ascii_lowercase();
        match word.rsplit(['.', '_', '-', ':', ' ']).next()? {
            "request" => Some(Side::Asked),
            "response" => Some(Side::Answered),
            _ => None,
        }
    })?;
    let other = if side == Side::Asked { &RESPONSE[..] } else { &["request", "request_body", "requestBody"][..] };
    if other.iter().any(|key| record.has(key)) || is_body(record) {
        return None;
    }
    let id = |key: &str| record.get(key)?.clone().id();
    let span = || Some(format!("{}/{}", id("trace_id")?, id("span_id")?));
    let id =
        HALF_ID.into_iter().find_map(id).map(Cow::into_owned).or_else(span).or_else(|| Some(id("id")?.into_owned()))?;
    Some(Half { side, id })
}

const HALF_ID: [&str; 9] = [
    "request_id",
    "requestId",
    "x-request-id",
    "x_request_id",
    "call_id",
    "callId",
    "litellm_call_id",
    "correlation_id",
    "correlationId",
];

/// Whether a line names a method of HTTP, and so tells of a request.
pub(crate) fn names_method(record: &Object<'_>) -> bool {
    route(record).has_method()
}

/// Whether a key may be the beginning of a method's or path's name; it says no of those of a native record at once.
fn may_be_wire(key: &str) -> bool {
    match key.as_bytes() {
        [b'm', b'e', b't', ..] | [b'h', b't', b't', ..] | [b'p', b'a', b't', ..] | [b'u', b'r', b'i' | b'l', ..] => {
            true
        }
        [b'e', b'n', b'd', b'p', ..] | [b'r', b'o', b'u', ..] => true,
        [b'r', b'e', b'q', ..] => key != "request",
        _ => false,
    }
}

/// Whether a line is itself the body of a request. Its `message` is what a log shipper says.
fn is_body(line: &Object<'_>) -> bool {
    TURNS.iter().chain(&["contents"]).any(|key| line.has(key))
}

/// Whether an object within a line is what a caller wrote, so that its keys are his.
fn has_turns(body: &Object<'_>) -> bool {
    body::TURNS.iter().any(|key| body.has(key))
}

/// The method and path on a line, or around the request body in it; not those that stand among what the caller wrote.
fn route<'r>(record: &'r Object<'_>) -> Route<'r> {
    let mut route = Route::default();
    // A native record has none of these names, and must not pay for them.
    let may_name = record.keys().any(may_be_wire)
        || match record.get("request") {
            Some(Json::Object(inner)) => ["method", "path", "url"].iter().any(|key| inner.has(key)),
            Some(Json::Text(text)) => text.contains(" /"),
            _ => false,
        };
    let is_callers = |path: &str| {
        let (within, _) = path.split_once('.').unwrap_or_default();
        record.get_object(within).is_some_and(has_turns)
    };
    if may_name && !is_body(record) {
        let text =
            |path: &&str| if let Some(Json::Text(text)) = record.find(path) { Some(text.as_ref()) } else { None };
        METHOD.iter().filter(|path| !is_callers(path)).filter_map(text).for_each(|word| route.method(word));
        PATH.iter().filter(|path| !is_callers(path)).filter_map(text).for_each(|path| route.path(path));
    }
    route
}

/// The first of `keys` that holds an object, or what its `body` holds; also where either is JSON in a string.
fn peek<'o, 'a>(record: &'o Object<'a>, keys: &[&str]) -> Option<Cow<'o, Object<'a>>> {
    let open = |json: &'o Json<'a>| match json {
        Json::Object(object) => Some(Cow::Borrowed(object)),
        json @ Json::Text(_) => json.clone().opened().0.object().map(Cow::Owned),
        _ => None,
    };
    let outer = keys.iter().find_map(|key| open(record.get(key)?))?;
    match outer {
        Cow::Borrowed(object) => object.get("body").and_then(open).or(Some(Cow::Borrowed(object))),
        Cow::Owned(mut object) => {
            let inner = object.take("body").and_then(|json| json.opened().0.object());
            Some(Cow::Owned(inner.unwrap_or(object)))
        }
    }
}

/// Reads one line.
pub(crate) fn read<'a>(
    mut record: Fields<'a>,
    format: Format,
    has_account: bool,
    position: &Position<'_>,
    ordinal: u64,
    notes: &mut Notes,
) -> Result<Call<'a>, BadRecord> {
    let told_half = told_half(record.peek());
    let is_answer = |half: &Option<Half>| half.as_ref().is_some_and(|half| half.side == Side::Answered);
    if is_answer(&told_half) {
        ["body", "payload", "data"].into_iter().for_each(|key| record.rename(key, "response"));
    }
    let is_poll = route(record.peek()).no_call() == Some(POLL);
    let mut envelope = Envelope::open(record, notes);
    let attempts = envelope.attempts();
    let has_error = envelope.has_error();
    let reply = Reply::open(&mut envelope);
    let half = told_half.or_else(|| reply.half(is_poll));
    let time = envelope.time(reply.created)?;
    let operation = envelope.operation(format, &reply);
    let Customer { account, org, project, key } = envelope.customer(notes);
    let user = envelope.id(&USER, notes).map(secret_free);
    let named = ["end_user", "end_user_id"];
    let end_user = envelope.id(&named, notes).or_else(|| envelope.body_user(notes)).map(secret_free);
    let (account, who) = [
        (account, Who::Account),
        (org.clone(), Who::Org),
        (project.clone(), Who::Team),
        (key.clone(), Who::Key),
        (user.clone(), Who::User),
        (end_user.clone(), Who::EndUser),
    ]
    .into_iter()
    .find_map(|(id, who)| Some((id?, who)))
    .or((has_account || half.is_some()).then_some((Cow::Borrowed(""), Who::Nobody)))
    .ok_or(BadRecord::Missing {
        field: "account",
        expected: "an `account`, `organization`, `project`, `api_key_id` or `user` beside the bodies",
    })?;
    let session = envelope.id(&SESSION, notes).or_else(|| envelope.body_conversation());
    let client = envelope.client(notes);
    let duration_ms = envelope.duration_ms(time, notes);
    let id = envelope.own_id(notes).or(reply.id);
    let status = reply.status.or_else(|| envelope.status());
    let body = envelope.body.as_mut().unwrap_or(&mut envelope.line);
    let model = body.text(&["model"], notes).or(reply.model);
    let request = if is_answer(&half) { Request::default() } else { body::request(body, notes) };
    let has_error = has_error || reply.has_error;
    let answer = reply.body.map(|json| Answer::read(json, notes)).unwrap_or_default();
    let exchange = Exchange {
        fingerprint: None,
        id: id.map_or_else(|| position.id(ordinal), Into::into),
        time,
        account: account.into(),
        org: org.map(Into::into),
        key: key.map(Into::into),
        end_user: end_user.or(user).map(Into::into),
        session: session.map(Into::into),
        operation: Some(operation),
        model: model.or_else(|| envelope.line.text(&["model"], notes)),
        client,
        request,
        response: answer.response,
        usage: answer.usage,
        status,
        duration_ms,
    };
    let mut call = Call::alone(exchange, who);
    let response = &call.exchange.response;
    call.failed |= has_error && response.content.is_none() && response.tool_calls.is_empty();
    call.is_call = !is_answer(&half);
    (call.attempts, call.half) = (attempts, half);
    Ok(call)
}

/// Whom a line names as the customer, in all ways in which it may.
#[derive(Debug, Default, PartialEq)]
struct Customer<'a> {
    account: Option<Cow<'a, str>>,
    org: Option<Cow<'a, str>>,
    project: Option<Cow<'a, str>>,
    key: Option<Cow<'a, str>>,
}

impl<'a> Customer<'a> {
    fn of<const N: usize>(mut places: [&mut Fields<'a>; N], notes: &mut Notes) -> Self {
        let mut id =
            |keys: &[&'static str]| places.iter_mut().find_map(|fields| fields.id(keys, notes)).map(secret_free);
        Customer { account: id(&ACCOUNT), org: id(&ORG), project: id(&PROJECT), key: id(&KEY) }
    }
}

/// A line taken apart. Without a `body`, the line is the body.
struct Envelope<'a> {
    line: Fields<'a>,
    metadata: Fields<'a>,
    /// What surrounds the request body: method, path, headers.
    wire: Fields<'a>,
    body: Option<Fields<'a>>,
}

impl<'a> Envelope<'a> {
    fn open(mut line: Fields<'a>, notes: &mut Notes) -> Self {
        let mut wire = Fields::new("request", Object::default());
        let mut body = REQUEST.into_iter().find_map(|key| line.fields_if_unwrapped(key, "request", notes));
        if let Some(inner) = body.as_mut().and_then(|outer| outer.fields_if_unwrapped("body", "request.body", notes)) {
            wire = body.replace(inner).unwrap_or(wire);
        }
        let metadata = if body.is_some() { line.fields("metadata", "metadata", notes) } else { None };
        Envelope { line, metadata: metadata.unwrap_or_else(|| Fields::new("metadata", Object::default())), wire, body }
    }

    fn places(&mut self) -> [&mut Fields<'a>; 3] {
        [&mut self.line, &mut self.metadata, &mut self.wire]
    }

    fn id(&mut self, keys: &[&'static str], notes: &mut Notes) -> Option<Cow<'a, str>> {
        self.places().into_iter().find_map(|fields| fields.id(keys, notes))
    }

    /// Whom a line names. What stands on the line itself was written by the logger, while metadata may be what the caller
    /// sent along: where the line names somebody, metadata names nobody else.
    fn customer(&mut self, notes: &mut Notes) -> Customer<'a> {
        let on_line = Customer::of([&mut self.line, &mut self.wire], notes);
        if on_line != Customer::default() {
            return on_line;
        }
        Customer::of([&mut self.metadata], notes)
    }

    /// A batch repeats its `custom_id`s from run to run, so they are no ids.
    fn own_id(&mut self, notes: &mut Notes) -> Option<Cow<'a, str>> {
        self.id(&["id", "request_id"], notes)
    }

    /// Ids that a call has in common with what is tried again after it failed, one of each kind.
    fn attempts(&self) -> Vec<String> {
        let places = [self.line.peek(), self.metadata.peek(), self.wire.peek()];
        let headers = places.into_iter().filter_map(|place| place.get_object("headers"));
        let places: Vec<&Object<'a>> = places.into_iter().chain(headers).collect();
        let id = |keys: &[&str]| {
            let found = places.iter().find_map(|place| keys.iter().find_map(|key| place.get(key)?.clone().id()));
            found.map(Cow::into_owned)
        };
        let in_session = || Some(format!("{} {}", id(&SESSION)?, id(&["trace_id", "traceId"])?));
        [
            id(&["idempotency_key", "idempotencyKey", "idempotency-key", "Idempotency-Key"]),
            id(&["litellm_call_id"]),
            id(&["request_id", "requestId", "x_request_id", "x-request-id", "X-Request-Id", "X-Request-ID"]),
            in_session(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn has_error(&self) -> bool {
        ["error", "error_message", "error_code", "error_type"].iter().any(|key| is_error(self.line.peek().get(key)))
    }

    fn time(&mut self, created: Option<Time>) -> Result<Time, BadRecord> {
        for fields in self.places() {
            if TIME.into_iter().any(|key| fields.peek().has(key)) {
                return required_time(fields, &TIME);
            }
        }
        created.ok_or(BadRecord::Missing { field: "time", expected: Time::EXPECTED })
    }

    fn duration_ms(&mut self, time: Time, notes: &mut Notes) -> Option<f64> {
        let mut places = self.places().into_iter();
        places.find_map(|fields| {
            fields.float(&["duration_ms", "latency_ms", "response_time_ms", "elapsed_ms"], notes).or_else(|| {
                let seconds = fields.time(&END_TIME, notes)?.seconds_since(time);
                (seconds >= 0.0).then_some(seconds * 1e3)
            })
        })
    }

    /// The HTTP status; `status` may also be a word.
    fn status(&mut self) -> Option<u16> {
        ["status_code", "http_status", "status"].into_iter().find_map(|key| self.line.take(key)?.whole())
    }

    /// The user that the request body names.
    fn body_user(&mut self, notes: &mut Notes) -> Option<Cow<'a, str>> {
        let body = self.body.as_mut().unwrap_or(&mut self.line);
        body.id(&["user", "safety_identifier"], notes).or_else(|| {
            let mut metadata = body.fields_if("metadata", "request.metadata")?;
            metadata.id(&["user_id"], notes)
        })
    }

    fn body_conversation(&mut self) -> Option<Cow<'a, str>> {
        match self.body.as_mut().unwrap_or(&mut self.line).take("conversation")? {
            Json::Object(mut object) => object.take("id")?.id(),
            json => json.id(),
        }
    }

    fn client(&mut self, notes: &mut Notes) -> Client<'a> {
        let mut client = match self.line.fields_if("client", "client") {
            Some(fields) => native::client(fields, notes),
            None => Client::default(),
        };
        let mut headers = self.wire.fields_if("headers", "request.headers");
        let mut line_headers = self.line.fields_if("headers", "headers");
        for fields in self.places() {
            let ip = ["ip", "client_ip", "ip_address", "remote_addr", "remote_ip"];
            client.ip = client.ip.or_else(|| fields.id(&ip, notes));
            client.asn = client.asn.or_else(|| fields.whole(&["asn", "asn_number", "as_number"], notes));
            client.country = client.country.or_else(|| fields.id(&["country"], notes));
            client.ja4 = client.ja4.or_else(|| fields.id(&["ja4"], notes));
            client.ja4h = client.ja4h.or_else(|| fields.id(&["ja4h"], notes));
            client.user_agent = client.user_agent.or_else(|| fields.text(&["user_agent"], notes));
        }
        for fields in [&mut headers, &mut line_headers].into_iter().flatten() {
            client.user_agent = client.user_agent.or_else(|| fields.text(&["user-agent", "User-Agent"], notes));
        }
        client
    }

    fn operation(&mut self, format: Format, reply: &Reply<'_>) -> Operation {
        if self.line.peek().has("custom_id") {
            return Operation::Batch;
        }
        for key in ["endpoint", "path", "url", "operation"] {
            let texts = [self.line.peek().get_text(key), self.wire.peek().get_text(key)];
            if let Some(operation) = texts.into_iter().flatten().find_map(endpoint) {
                return operation;
            }
        }
        let body = self.body.as_ref().unwrap_or(&self.line).peek();
        if format == Format::Anthropic {
            return if body.has("prompt") { Operation::Completion } else { Operation::Messages };
        }
        match reply.kind.as_deref() {
            Some("text_completion") => Operation::Completion,
            Some("response") => Operation::Responses,
            Some("list") => Operation::Embeddings,
            Some(kind) if kind.starts_with("chat.") => Operation::Chat,
            _ if body.has("messages") => Operation::Chat,
            _ if body.has("prompt") => Operation::Completion,
            _ if body.get_text("model").is_some_and(|model| model.contains("embed")) => Operation::Embeddings,
            _ if body.has("input") => Operation::Responses,
            _ => Operation::Other,
        }
    }
}

/// The operation behind a path, or behind its own name.
fn endpoint(path: &str) -> Option<Operation> {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    Some(match path.rsplit('/').next().unwrap_or_default() {
        "completions" if path.ends_with("chat/completions") => Operation::Chat,
        "chat" => Operation::Chat,
        "completions" | "completion" | "complete" => Operation::Completion,
        "embeddings" => Operation::Embeddings,
        "responses" => Operation::Responses,
        "messages" => Operation::Messages,
        "batches" | "batch" => Operation::Batch,
        _ => return None,
    })
}

fn is_error(json: Option<&Json<'_>>) -> bool {
    json.is_some_and(|json| !json.is_empty() && !matches!(json, Json::Bool(false) | Json::Unsigned(0)))
}

/// The response of a line and what is known beside its content.
#[derive(Default)]
struct Reply<'a> {
    body: Option<Json<'a>>,
    status: Option<u16>,
    id: Option<Cow<'a, str>>,
    /// The id within the response body.
    own_id: Option<Cow<'a, str>>,
    model: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    created: Option<Time>,
    progress: Option<Progress>,
    has_error: bool,
}

impl<'a> Reply<'a> {
    /// The part of a background call: its answer comes with a poll.
    fn half(&self, is_poll: bool) -> Option<Half> {
        let side = match (self.progress?, is_poll) {
            (Progress::Pending, false) => Side::Asked,
            (Progress::Done, true) => Side::Answered,
            _ => return None,
        };
        Some(Half { side, id: format!("answer {}", self.own_id.as_ref()?) })
    }

    fn open(envelope: &mut Envelope<'a>) -> Self {
        let mut reply = Reply::default();
        let mut json = RESPONSE.into_iter().find_map(|key| envelope.line.take(key)).map(Json::unwrapped);
        // Anthropic batches put the message into a result.
        if json.is_none()
            && let Some(mut result) = envelope.line.fields_if("result", "result")
        {
            json = result.take("message");
        }
        if let Some(Json::Object(object)) = &mut json {
            reply.status = object.take("status_code").and_then(Json::whole);
            reply.id = object.take("request_id").and_then(Json::id);
            if object.has("body") {
                json = object.take("body").map(Json::unwrapped);
            }
        }
        if let Some(Json::Object(object)) = &mut json {
            reply.progress = progress(object);
            reply.has_error = is_error(object.get("error"));
            reply.own_id = object.take("id").and_then(Json::id);
            reply.id = reply.id.or_else(|| reply.own_id.clone());
            reply.model = object.take("model").and_then(Json::text);
            reply.kind = object.get_text("object").map(|kind| Cow::Owned(kind.to_owned()));
            let created = object.take("created").or_else(|| object.take("created_at"));
            reply.created = created.and_then(Json::time);
        }
        reply.body = json;
        reply
    }
}
