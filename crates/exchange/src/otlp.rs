//! OpenTelemetry GenAI spans as OTLP/JSON (`ExportTraceServiceRequest`), one export to a line.
//!
//! Attribute names are still moving, so old and new ones are read: `gen_ai.input.messages`, `gen_ai.output.messages` and
//! `gen_ai.system_instructions` on the span or on an event; indexed `gen_ai.prompt.N.*` and `gen_ai.completion.N.*`;
//! events `gen_ai.content.prompt`, `gen_ai.content.completion`, `gen_ai.{system,user,assistant,tool}.message` and
//! `gen_ai.choice`. Spans that are no model call are stepped over and counted: those without `gen_ai.*` attributes, and
//! agent and tool spans, whose model calls have spans of their own.
//!
//! Attributes of the span, then of its resource; the first found wins:
//!
//! - `account`: `account.id`, `gen_ai.account`, `gen_ai.account.id`, `tenant.id`, `customer.id`, `enduser.id`,
//!   `user.id`, `traceloop.association.properties.user_id`, `organization.id`; last the resource's `service.name`
//! - `org`: `organization.id`, `org.id`, `openai.organization`
//! - `key`: `api_key.id`, `gen_ai.api_key.id`
//! - `end_user`: `gen_ai.request.user`, `gen_ai.user`, `user.id`, `enduser.id`, unless it is the account
//! - `session`: `gen_ai.conversation.id`, `session.id`, `traceloop.association.properties.session_id`
//! - `client`: `client.address`, `net.peer.ip`; `user_agent.original`, `http.user_agent`;
//!   `client.geo.country_iso_code`, `geo.country.iso_code`; `tls.client.ja4`
//! - `status`: `http.response.status_code`, `http.status_code`
//!
//! A bad span is reported as its line, once, and takes no other span with it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::bad::{BadRecord, Notes};
use crate::body::{self, Answer};
use crate::content::{self, into_text};
use crate::format::{Position, required_time, secret_free};
use crate::json::{Fields, Json, Object};
use crate::{Client, Exchange, Message, Operation, Params, Request, Tool, Usage, limits};

/// Reads one export.
pub(crate) fn read<'a>(
    mut record: Fields<'a>,
    position: &Position<'_>,
    notes: &mut Notes,
    sink: &mut dyn FnMut(Exchange<'a>),
) -> Result<(), BadRecord> {
    let Some(resource_spans) = record.take("resourceSpans").and_then(Json::list) else {
        return Err(BadRecord::Missing { field: "resourceSpans", expected: "a list" });
    };
    let mut first_error = None;
    let mut ordinal = 0;
    for mut group in resource_spans.into_iter().filter_map(Json::object) {
        let resource = group.take("resource").and_then(Json::object).map(|mut resource| attributes(&mut resource));
        let resource = resource.unwrap_or_default();
        for mut scope in take_list(&mut group, "scopeSpans").into_iter().filter_map(Json::object) {
            for span in take_list(&mut scope, "spans").into_iter().filter_map(Json::object) {
                ordinal += 1;
                match Span::open(span, &resource) {
                    None => notes.skipped_spans += 1,
                    Some(span) => match span.read(position, ordinal, notes) {
                        Ok(exchange) => sink(exchange),
                        Err(error) => first_error = first_error.or(Some(error)),
                    },
                }
            }
        }
    }
    first_error.map_or(Ok(()), Err)
}

const ACCOUNT: [&str; 9] = [
    "account.id",
    "gen_ai.account",
    "gen_ai.account.id",
    "tenant.id",
    "customer.id",
    "enduser.id",
    "user.id",
    "traceloop.association.properties.user_id",
    "organization.id",
];

/// A model call.
struct Span<'a, 'r> {
    span: Fields<'a>,
    attributes: Fields<'a>,
    resource: &'r Object<'a>,
    events: Vec<(Cow<'a, str>, Object<'a>)>,
}

impl<'a, 'r> Span<'a, 'r> {
    /// Takes a span apart; none if it is no model call.
    fn open(mut span: Object<'a>, resource: &'r Object<'a>) -> Option<Self> {
        let attributes = attributes(&mut span);
        let is_call = match attributes.get_text("gen_ai.operation.name") {
            Some(name) => operation(name).is_some(),
            None => attributes.keys().any(|key| CALL_PREFIXES.iter().any(|prefix| key.starts_with(prefix))),
        };
        if !is_call {
            return None;
        }
        let events = take_list(&mut span, "events").into_iter().filter_map(Json::object);
        let events = events.filter_map(|mut event| {
            let name = event.take("name")?.text()?;
            Some((name, self::attributes(&mut event)))
        });
        let events = events.collect();
        Some(Span {
            span: Fields::new("span", span),
            attributes: Fields::new("attributes", attributes),
            resource,
            events,
        })
    }

    fn read(mut self, position: &Position<'_>, ordinal: u64, notes: &mut Notes) -> Result<Exchange<'a>, BadRecord> {
        let time = required_time(&mut self.span, &["startTimeUnixNano"])?;
        let org = self.id(&["organization.id", "org.id", "openai.organization"]);
        let user = self.id(&["gen_ai.request.user", "gen_ai.user", "user.id", "enduser.id"]).map(secret_free);
        let account = self.id(&ACCOUNT).or_else(|| find_id(self.resource, &["service.name"])).map(secret_free).ok_or(
            BadRecord::Missing {
                field: "attributes",
                expected: "`account.id`, `enduser.id` or `user.id` on the span or `service.name` on its resource",
            },
        )?;
        let key = self.id(&["api_key.id", "gen_ai.api_key.id"]).map(secret_free);
        let session = self.id(&["gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id"]);
        let id = self.span.id(&["spanId"], notes);
        let trace = self.span.id(&["traceId"], notes);
        let end = self.span.time(&["endTimeUnixNano"], notes).map(|end| end.seconds_since(time));
        let client = self.client(notes);
        self.lift_events();
        let request = self.request(notes);
        let mut answer = self.answer(notes);
        let attributes = &mut self.attributes;
        if answer.response.finish_reason.is_none()
            && let Some(Json::List(reasons)) = attributes.take("gen_ai.response.finish_reasons").map(Json::unwrapped)
        {
            reasons.into_iter().filter_map(Json::text).take(1).for_each(|reason| answer.finish(reason));
        }
        let operation = attributes.text(&["gen_ai.operation.name", "llm.request.type"], notes);
        Ok(Exchange {
            fingerprint: None,
            // A span's id is unique within its trace only.
            id: match (trace, id) {
                (Some(trace), Some(span)) if trace.len() + span.len() < limits::ID_BYTES_MAX => {
                    format!("{trace}/{span}").into()
                }
                _ => position.id(ordinal),
            },
            time,
            end_user: user.filter(|user| *user != account).map(Into::into),
            account: account.into(),
            org: org.map(Into::into),
            key: key.map(Into::into),
            session: session.map(Into::into),
            operation: operation.map(|name| self::operation(&name).unwrap_or(Operation::Other)),
            model: attributes.text(&["gen_ai.request.model", "gen_ai.response.model"], notes),
            client,
            request,
            response: answer.response,
            usage: usage(attributes, notes),
            status: attributes.whole(&["http.response.status_code", "http.status_code"], notes),
            duration_ms: end.filter(|seconds| *seconds >= 0.0).map(|seconds| seconds * 1e3),
        })
    }

    fn id(&self, keys: &[&str]) -> Option<Cow<'a, str>> {
        find_id(self.attributes.peek(), keys).or_else(|| find_id(self.resource, keys))
    }

    fn client(&mut self, notes: &mut Notes) -> Client<'a> {
        let attributes = &mut self.attributes;
        Client {
            ip: attributes.id(&["client.address", "net.peer.ip"], notes),
            country: attributes.id(&["client.geo.country_iso_code", "geo.country.iso_code"], notes),
            ja4: attributes.id(&["tls.client.ja4"], notes),
            user_agent: attributes.text(&["user_agent.original", "http.user_agent"], notes),
            ..Client::default()
        }
    }

    /// Content recorded on events instead of the span becomes attributes of the span.
    fn lift_events(&mut self) {
        for key in [INPUT, OUTPUT, SYSTEM, TOOLS, "gen_ai.prompt", "gen_ai.completion"] {
            if !self.attributes.peek().has(key) {
                let found = self.events.iter_mut().find_map(|(_, event)| event.take(key));
                found.into_iter().for_each(|json| self.attributes.push(key, json));
            }
        }
    }

    fn request(&mut self, notes: &mut Notes) -> Request<'a> {
        let system = self.attributes.take(SYSTEM).map(Json::unwrapped);
        let whole = self.attributes.take(INPUT).or_else(|| self.attributes.take("gen_ai.prompt"));
        let mut messages = match whole.map(Json::unwrapped) {
            Some(Json::Object(mut body)) if body.has("messages") => {
                body.take("messages").map(|json| content::messages(json, INPUT, notes)).unwrap_or_default()
            }
            Some(json) => content::messages(json, INPUT, notes),
            None => Vec::new(),
        };
        if messages.is_empty() {
            messages = indexed(&mut self.attributes, "gen_ai.prompt.", notes);
        }
        if messages.is_empty() {
            messages = self.event_messages(notes);
        }
        let mut tools = self.attributes.take(TOOLS).map(|json| content::tools(json, TOOLS, notes)).unwrap_or_default();
        if tools.is_empty() {
            tools = indexed_tools(&mut self.attributes);
        }
        Request {
            system: system.map(|json| content::content(json, SYSTEM, notes)),
            messages,
            tools,
            params: params(&mut self.attributes, notes),
        }
    }

    /// One event to a turn.
    fn event_messages(&mut self, notes: &mut Notes) -> Vec<Message<'a>> {
        let turns = self.events.iter_mut().filter_map(|(name, event)| {
            let role = name.strip_prefix("gen_ai.")?.strip_suffix(".message")?;
            let mut turn = Object::default();
            turn.push(Cow::Borrowed("role"), Json::Text(Cow::Owned(role.to_owned())));
            for key in ["content", "tool_calls"] {
                let value = event.take(key).map(Json::unwrapped);
                value.into_iter().for_each(|value| turn.push(Cow::Borrowed(key), value));
            }
            Some(Json::Object(turn))
        });
        let turns = turns.collect();
        content::messages(Json::List(turns), "events", notes)
    }

    fn answer(&mut self, notes: &mut Notes) -> Answer<'a> {
        let mut answer = Answer::default();
        let whole = self.attributes.take(OUTPUT).or_else(|| self.attributes.take("gen_ai.completion"));
        match whole.map(Json::unwrapped) {
            Some(Json::List(choices)) => {
                choices.into_iter().take(1).for_each(|choice| output(choice, &mut answer, notes));
            }
            Some(json) => output(json, &mut answer, notes),
            None => {}
        }
        let choice = indexed_objects(&mut self.attributes, "gen_ai.completion.").into_values().next();
        choice.into_iter().for_each(|choice| output(Json::Object(choice), &mut answer, notes));
        if answer.response.content.is_none() {
            let choice = self.events.iter_mut().find(|(name, _)| name == "gen_ai.choice");
            for event in choice.into_iter().map(|(_, event)| std::mem::take(event)) {
                output(Json::Object(event), &mut answer, notes);
            }
        }
        answer
    }
}

const INPUT: &str = "gen_ai.input.messages";
const OUTPUT: &str = "gen_ai.output.messages";
const SYSTEM: &str = "gen_ai.system_instructions";
const TOOLS: &str = "gen_ai.tool.definitions";

/// What a span of a model call has when it does not name its operation.
const CALL_PREFIXES: [&str; 6] = [
    "gen_ai.request.",
    "gen_ai.prompt",
    "gen_ai.input.messages",
    "gen_ai.completion",
    "gen_ai.usage.",
    "llm.request.type",
];

/// The operation of a model call; none for spans of agents, tools and retrieval.
fn operation(name: &str) -> Option<Operation> {
    Some(match name {
        "chat" | "generate_content" => Operation::Chat,
        "text_completion" | "completion" => Operation::Completion,
        "embeddings" | "embedding" => Operation::Embeddings,
        "responses" => Operation::Responses,
        "messages" => Operation::Messages,
        _ => return None,
    })
}

/// One choice: a message with `parts` or `content`, under `message` in older events.
fn output<'a>(json: Json<'a>, answer: &mut Answer<'a>, notes: &mut Notes) {
    let mut fields = match json.unwrapped() {
        Json::Object(object) => Fields::new(OUTPUT, object),
        json => return answer.content(json, OUTPUT, notes),
    };
    let reason = fields.text(&["finish_reason"], notes);
    let message = fields.take("message").map(Json::unwrapped);
    let mut message = match message {
        Some(Json::Object(object)) => Fields::new(OUTPUT, object),
        Some(json) => return answer.content(json, OUTPUT, notes),
        None => fields,
    };
    if let Some(json) = message.take("parts").or_else(|| message.take("content")) {
        answer.content(json.unwrapped(), OUTPUT, notes);
    }
    message.text(&["reasoning", "reasoning_content"], notes).into_iter().for_each(|text| answer.reason(text));
    if let Some(json) = message.take("tool_calls") {
        answer.tool_calls(json, notes);
    }
    reason.into_iter().for_each(|reason| answer.finish(reason));
}

fn params<'a>(attributes: &mut Fields<'a>, notes: &mut Notes) -> Params<'a> {
    let mut named = Object::default();
    for (attribute, name) in [
        ("gen_ai.request.temperature", "temperature"),
        ("gen_ai.request.top_p", "top_p"),
        ("gen_ai.request.max_tokens", "max_tokens"),
        ("gen_ai.request.choice.count", "n"),
        ("gen_ai.request.seed", "seed"),
        ("gen_ai.request.stream", "stream"),
        ("llm.is_streaming", "stream"),
        ("gen_ai.request.logprobs", "logprobs"),
        ("gen_ai.request.top_logprobs", "top_logprobs"),
        ("gen_ai.request.reasoning_effort", "reasoning_effort"),
        ("gen_ai.request.reasoning.effort", "reasoning_effort"),
    ] {
        let value = attributes.take(attribute);
        value.into_iter().for_each(|value| named.push(Cow::Borrowed(name), value));
    }
    body::params(&mut Fields::new("gen_ai.request", named), notes)
}

fn usage(attributes: &mut Fields<'_>, notes: &mut Notes) -> Usage {
    Usage {
        input_tokens: attributes.whole(&["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"], notes),
        output_tokens: attributes.whole(&["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"], notes),
        reasoning_tokens: attributes
            .whole(&["gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"], notes),
        cached_tokens: attributes
            .whole(&["gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"], notes),
    }
}

/// Turns written as `PREFIX N . field`, in the order of N.
fn indexed<'a>(attributes: &mut Fields<'a>, prefix: &str, notes: &mut Notes) -> Vec<Message<'a>> {
    let turns = indexed_objects(attributes, prefix).into_values().map(Json::Object).collect();
    content::messages(Json::List(turns), "attributes", notes)
}

/// The objects written as `PREFIX N . field`; tool calls within are indexed again.
fn indexed_objects<'a>(attributes: &mut Fields<'a>, prefix: &str) -> BTreeMap<u32, Object<'a>> {
    let mut objects: BTreeMap<u32, Object<'a>> = BTreeMap::new();
    let mut calls: BTreeMap<(u32, u32), Object<'a>> = BTreeMap::new();
    for (key, value) in attributes.take_prefixed(prefix) {
        let Some((index, field)) = split_index(&key) else {
            continue;
        };
        match field.strip_prefix("tool_calls.").and_then(split_index) {
            Some((call, field)) => {
                calls.entry((index, call)).or_default().push(Cow::Owned(field.to_owned()), value);
            }
            None => objects.entry(index).or_default().push(Cow::Owned(field.to_owned()), value.unwrapped()),
        }
    }
    let mut lists: BTreeMap<u32, Vec<Json<'a>>> = BTreeMap::new();
    for ((index, _), call) in calls {
        lists.entry(index).or_default().push(Json::Object(call));
    }
    for (index, list) in lists {
        objects.entry(index).or_default().push(Cow::Borrowed("tool_calls"), Json::List(list));
    }
    objects
}

fn indexed_tools<'a>(attributes: &mut Fields<'a>) -> Vec<Tool<'a>> {
    let tools = indexed_objects(attributes, "llm.request.functions.").into_values();
    let tools = tools.filter_map(|mut tool| {
        let name = tool.take("name")?.text()?;
        Some(Tool { name, description: tool.take("description").and_then(Json::text) })
    });
    tools.collect()
}

fn split_index(key: &str) -> Option<(u32, &str)> {
    let (index, field) = key.split_once('.')?;
    Some((index.parse().ok()?, field))
}

fn find_id<'a>(attributes: &Object<'a>, keys: &[&str]) -> Option<Cow<'a, str>> {
    keys.iter().find_map(|key| attributes.get(key)?.clone().id())
}

fn take_list<'a>(object: &mut Object<'a>, key: &str) -> Vec<Json<'a>> {
    object.take(key).and_then(Json::list).unwrap_or_default()
}

/// The `attributes` of a span, event or resource as one object.
fn attributes<'a>(object: &mut Object<'a>) -> Object<'a> {
    pairs(take_list(object, "attributes"))
}

fn pairs<'a>(list: Vec<Json<'a>>) -> Object<'a> {
    let mut object = Object::default();
    for mut entry in list.into_iter().filter_map(Json::object) {
        let key = entry.take("key").and_then(Json::text);
        let value = entry.take("value").and_then(Json::object).map(any_value);
        if let (Some(key), Some(value)) = (key, value) {
            object.push(key, value);
        }
    }
    object
}

/// An `AnyValue`, as the plain value it stands for.
fn any_value<'a>(value: Object<'a>) -> Json<'a> {
    let Some((kind, json)) = value.into_iter().next() else {
        return Json::Null;
    };
    match (kind.as_ref(), json) {
        // JSON has no 64-bit integers, so they come as strings.
        ("intValue", Json::Text(text)) => text.parse().map_or(Json::Text(text), Json::Signed),
        ("arrayValue", Json::Object(mut array)) => {
            let values = take_list(&mut array, "values").into_iter().filter_map(Json::object);
            Json::List(values.map(any_value).collect())
        }
        ("kvlistValue", Json::Object(mut list)) => Json::Object(pairs(take_list(&mut list, "values"))),
        ("stringValue" | "boolValue" | "intValue" | "doubleValue", json) => json,
        (_, json) => Json::Text(Cow::Owned(into_text(json).into_owned())),
    }
}
