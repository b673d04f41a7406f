//! Log lines that wrap the bodies of a request and its response; what [`openai`](crate::openai) describes.
//!
//! Logs of this kind have no standard, so each fact is looked for under every name in common use, in a fixed order: on
//! the line itself, in its `metadata`, then beside the request body. Names that mean different things to different
//! loggers are not read.

use std::borrow::Cow;

use crate::bad::{BadRecord, Notes};
use crate::body::{self, Answer};
use crate::call::{Call, Who};
use crate::format::{Position, required_time, secret_free};
use crate::json::{Fields, Json, Object};
use crate::{Client, Exchange, Format, Operation, Time, native, wrapper};

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

/// Which API's bodies a line holds, if any.
pub(crate) fn recognise(record: &Object<'_>) -> Option<Format> {
    if wrapper::is_queue_message(record) {
        return None;
    }
    let request = peek(record, &REQUEST);
    let response = peek(record, &RESPONSE);
    let result = record.get_object("result").and_then(|result| result.get_object("message"));
    let request_has = |key| request.as_ref().is_some_and(|body| body.has(key));
    let response_has = |key| response.as_ref().is_some_and(|body| body.has(key));
    let model = request.as_ref().and_then(|body| body.get_text("model")).or_else(|| record.get_text("model"));
    let wrapped = ["model", "anthropic_version"].into_iter().any(request_has)
        || ["choices", "object", "output", "stop_reason", "candidates"].into_iter().any(response_has)
        || request_has("contents");
    let has_who = || ACCOUNT.into_iter().chain(USER).chain(KEY).any(|key| record.has(key));
    let flat = request.is_none()
        && (record.has("model") && TURNS.into_iter().any(|key| record.has(key))
            || ["messages", "prompt"].into_iter().any(|key| record.has(key)) && has_who());
    let reply = response.as_ref().is_some_and(|body| body.get_text("type") == Some("message"));
    if !wrapped && !flat && !reply && result.is_none() && !record.has("custom_id") {
        return None;
    }
    let anthropic = reply
        || result.is_some()
        || response_has("stop_reason")
        || request_has("anthropic_version")
        || (model.is_some_and(|model| model.starts_with("claude")) && !response_has("choices"));
    Some(if anthropic { Format::Anthropic } else { Format::OpenAi })
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
    record: Fields<'a>,
    format: Format,
    has_account: bool,
    position: &Position<'_>,
    ordinal: u64,
    notes: &mut Notes,
) -> Result<Call<'a>, BadRecord> {
    let mut envelope = Envelope::open(record, notes);
    let reply = Reply::open(&mut envelope);
    let time = envelope.time(reply.created)?;
    let operation = envelope.operation(format, &reply);
    let org = envelope.id(&ORG, notes);
    let project = envelope.id(&PROJECT, notes);
    let key = envelope.id(&KEY, notes).map(secret_free);
    let user = envelope.id(&USER, notes).map(secret_free);
    let named = ["end_user", "end_user_id"];
    let end_user = envelope.id(&named, notes).or_else(|| envelope.body_user(notes)).map(secret_free);
    let (account, who) = [
        (envelope.id(&ACCOUNT, notes).map(secret_free), Who::Account),
        (org.clone(), Who::Org),
        (project.clone(), Who::Team),
        (key.clone(), Who::Key),
        (user.clone(), Who::User),
        (end_user.clone(), Who::EndUser),
    ]
    .into_iter()
    .find_map(|(id, who)| Some((secret_free(id?), who)))
    .or(has_account.then_some((Cow::Borrowed(""), Who::Nobody)))
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
    let request = body::request(body, notes);
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
    Ok(Call::alone(exchange, who))
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

    /// A batch repeats its `custom_id`s from run to run, so they are no ids.
    fn own_id(&mut self, notes: &mut Notes) -> Option<Cow<'a, str>> {
        self.id(&["id", "request_id"], notes)
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
            client.asn = client.asn.or_else(|| fields.whole(&["asn"], notes));
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

/// The response of a line and what is known beside its content.
#[derive(Default)]
struct Reply<'a> {
    body: Option<Json<'a>>,
    status: Option<u16>,
    id: Option<Cow<'a, str>>,
    model: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    created: Option<Time>,
}

impl<'a> Reply<'a> {
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
            let id = object.take("id").and_then(Json::id);
            reply.id = reply.id.or(id);
            reply.model = object.take("model").and_then(Json::text);
            reply.kind = object.get_text("object").map(|kind| Cow::Owned(kind.to_owned()));
            let created = object.take("created").or_else(|| object.take("created_at"));
            reply.created = created.and_then(Json::time);
        }
        reply.body = json;
        reply
    }
}
