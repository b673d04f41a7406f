//! Spans: the attributes of each convention, and the encodings that spans are written in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::traffic::Call;

/// A span or log record before it is encoded.
#[derive(Clone)]
pub(super) struct Span {
    pub(super) trace: String,
    pub(super) id: String,
    pub(super) parent: Option<String>,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) attributes: Vec<(String, Value)>,
    /// Names and attributes.
    pub(super) events: Vec<(String, Vec<(String, Value)>)>,
}

/// The span of a call.
pub(super) fn span(call: &Call, attributes: Vec<(String, Value)>) -> Span {
    Span {
        trace: call.trace.clone(),
        id: call.span.clone(),
        parent: None,
        start: call.time.nanos(),
        end: call.end().nanos(),
        attributes,
        events: Vec::new(),
    }
}

fn named<const N: usize>(attributes: [(&str, Value); N]) -> Vec<(String, Value)> {
    attributes.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

fn text(value: impl Into<Value>) -> Value {
    json!(value.into().to_string())
}

// The conventions.

/// What the common convention says of a call beside its texts, and of its client.
fn common(call: &Call) -> Vec<(String, Value)> {
    named([
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.request.model", json!(call.model)),
        ("gen_ai.usage.input_tokens", json!(call.tokens.0)),
        ("gen_ai.usage.output_tokens", json!(call.tokens.1)),
    ])
}

fn client(call: &Call) -> Vec<(String, Value)> {
    named([("client.address", json!(call.address)), ("user_agent.original", json!(call.agent))])
}

fn parts(turns: &[(String, String)]) -> Value {
    let turn = |(role, text): &(String, String)| json!({"role": role, "parts": [{"type": "text", "content": text}]});
    Value::from(turns.iter().map(turn).collect::<Vec<_>>())
}

/// The texts, as the newest version of the common convention has them.
fn texts(call: &Call) -> Vec<(String, Value)> {
    let answer =
        json!([{"role": "assistant", "parts": [{"type": "text", "content": call.answer}], "finish_reason": "stop"}]);
    let mut attributes =
        named([("gen_ai.input.messages", text(parts(&call.turns))), ("gen_ai.output.messages", text(answer))]);
    if let Some(system) = &call.system {
        let system = json!([{"type": "text", "content": system}]);
        attributes.push(("gen_ai.system_instructions".to_owned(), text(system)));
    }
    attributes
}

/// The texts under numbered names.
fn indexed(call: &Call, asked: &str, answered: &str) -> Vec<(String, Value)> {
    let mut attributes = Vec::new();
    for (at, turn) in call.chat().iter().enumerate() {
        attributes.push((format!("{asked}.{at}.role"), turn["role"].clone()));
        attributes.push((format!("{asked}.{at}.content"), turn["content"].clone()));
    }
    attributes.push((format!("{answered}.0.role"), json!("assistant")));
    attributes.push((format!("{answered}.0.content"), json!(call.answer)));
    attributes
}

fn account(call: &Call, name: &str) -> Vec<(String, Value)> {
    vec![(name.to_owned(), json!(call.account))]
}

pub(super) fn otlp(call: &Call) -> Span {
    span(call, [common(call), client(call), account(call, "account.id"), texts(call)].concat())
}

pub(super) fn otlp_indexed(call: &Call) -> Span {
    let texts = indexed(call, "gen_ai.prompt", "gen_ai.completion");
    span(call, [common(call), client(call), account(call, "enduser.id"), texts].concat())
}

/// A turn to an event of the span, as they were before 1.37.
pub(super) fn otlp_events(call: &Call) -> Span {
    let mut span = span(call, [common(call), client(call), account(call, "user.id")].concat());
    span.events = turns(call);
    span
}

fn turns(call: &Call) -> Vec<(String, Vec<(String, Value)>)> {
    let turn = |turn: &Value| {
        let role = turn["role"].as_str().expect("a role");
        (format!("gen_ai.{role}.message"), named([("role", json!(role)), ("content", turn["content"].clone())]))
    };
    let mut events: Vec<_> = call.chat().iter().map(turn).collect();
    let choice = named([("index", json!(0)), ("finish_reason", json!("stop")), ("message", text(call.reply()))]);
    events.push(("gen_ai.choice".to_owned(), choice));
    events
}

/// All texts in two events, as they were before the turns had events of their own.
pub(super) fn otlp_content_events(call: &Call) -> Span {
    let mut span = span(call, [common(call), client(call), account(call, "user.id")].concat());
    span.events = vec![
        ("gen_ai.content.prompt".to_owned(), named([("gen_ai.prompt", text(call.chat()))])),
        ("gen_ai.content.completion".to_owned(), named([("gen_ai.completion", text(vec![call.reply()]))])),
    ];
    span
}

pub(super) fn litellm_otlp(call: &Call) -> Span {
    let proxy = named([
        ("metadata.user_api_key_user_id", json!(call.account)),
        ("metadata.requester_ip_address", json!(call.address)),
        ("metadata.user_agent", json!(call.agent)),
    ]);
    span(call, [common(call), proxy, texts(call)].concat())
}

pub(super) fn langfuse_otlp(call: &Call) -> Span {
    let usage = json!({"input": call.tokens.0, "output": call.tokens.1});
    let attributes = named([
        ("langfuse.observation.type", json!("generation")),
        ("langfuse.observation.model.name", json!(call.model)),
        ("langfuse.observation.input", text(call.chat())),
        ("langfuse.observation.output", text(call.reply())),
        ("langfuse.observation.usage_details", text(usage)),
        ("langfuse.user.id", json!(call.account)),
        ("langfuse.trace.metadata.client_ip", json!(call.address)),
        ("langfuse.trace.metadata.user_agent", json!(call.agent)),
    ]);
    span(call, attributes)
}

pub(super) fn openinference(call: &Call) -> Span {
    let mut attributes = named([
        ("openinference.span.kind", json!("LLM")),
        ("llm.model_name", json!(call.model)),
        ("llm.token_count.prompt", json!(call.tokens.0)),
        ("llm.token_count.completion", json!(call.tokens.1)),
        ("user.id", json!(call.account)),
        ("metadata", text(json!({"client_ip": call.address, "user_agent": call.agent}))),
    ]);
    for (name, value) in indexed(call, "llm.input_messages", "llm.output_messages") {
        let (turn, field) = name.rsplit_once('.').expect("a field of a turn");
        attributes.push((format!("{turn}.message.{field}"), value));
    }
    span(call, attributes)
}

/// Bodies instead of turns.
pub(super) fn openinference_bodies(call: &Call) -> Span {
    let attributes = named([
        ("openinference.span.kind", json!("LLM")),
        ("llm.model_name", json!(call.model)),
        ("user.id", json!(call.account)),
        ("metadata", text(json!({"client_ip": call.address, "user_agent": call.agent}))),
        ("input.value", text(call.chat_request())),
        ("output.value", text(call.chat_response())),
    ]);
    span(call, attributes)
}

pub(super) fn vercel(call: &Call) -> Span {
    let attributes = named([
        ("ai.operationId", json!("ai.generateText.doGenerate")),
        ("ai.model.id", json!(call.model)),
        ("ai.telemetry.metadata.userId", json!(call.account)),
        ("ai.telemetry.metadata.ip", json!(call.address)),
        ("ai.request.headers.user-agent", json!(call.agent)),
        ("ai.prompt.messages", text(call.chat())),
        ("ai.response.text", json!(call.answer)),
        ("ai.response.finishReason", json!("stop")),
        ("ai.usage.inputTokens", json!(call.tokens.0)),
        ("ai.usage.outputTokens", json!(call.tokens.1)),
    ]);
    span(call, attributes)
}

pub(super) fn openllmetry(call: &Call) -> Span {
    let attributes = named([
        ("llm.request.type", json!("chat")),
        ("gen_ai.request.model", json!(call.model)),
        ("gen_ai.usage.prompt_tokens", json!(call.tokens.0)),
        ("gen_ai.usage.completion_tokens", json!(call.tokens.1)),
        ("traceloop.association.properties.user_id", json!(call.account)),
    ]);
    let texts = indexed(call, "gen_ai.prompt", "gen_ai.completion");
    span(call, [attributes, client(call), texts].concat())
}

pub(super) fn openllmetry_old(call: &Call) -> Span {
    let attributes = named([
        ("llm.request.type", json!("chat")),
        ("llm.request.model", json!(call.model)),
        ("llm.usage.prompt_tokens", json!(call.tokens.0)),
        ("llm.usage.completion_tokens", json!(call.tokens.1)),
        ("traceloop.association.properties.user_id", json!(call.account)),
    ]);
    let texts = indexed(call, "llm.prompts", "llm.completions");
    span(call, [attributes, client(call), texts].concat())
}

/// pydantic-ai, with its turns as JSON in an attribute.
pub(super) fn logfire(call: &Call) -> Span {
    let events = turns(call).into_iter().map(|(name, said)| {
        let mut event: Map<String, Value> = said.into_iter().collect();
        if name == "gen_ai.choice" {
            event.insert("message".to_owned(), call.reply());
        }
        event.insert("event.name".to_owned(), json!(name));
        Value::Object(event)
    });
    let attributes = named([
        ("logfire.msg_template", json!("chat {gen_ai.request.model}")),
        ("model_request_parameters", json!("{}")),
        ("user_id", json!(call.account)),
        ("events", text(events.collect::<Vec<_>>())),
    ]);
    span(call, [common(call), client(call), attributes].concat())
}

/// Logfire's own instrumentation of clients.
pub(super) fn logfire_client(call: &Call) -> Span {
    let usage = json!({"prompt_tokens": call.tokens.0, "completion_tokens": call.tokens.1});
    let attributes = named([
        ("logfire.msg_template", json!("Chat Completion with {request_data[model]!r}")),
        ("request_data", text(call.chat_request())),
        ("response_data", text(json!({"message": call.reply(), "usage": usage}))),
        ("user_id", json!(call.account)),
    ]);
    span(call, [client(call), attributes].concat())
}

fn mlflow_span(call: &Call) -> Span {
    let usage = json!({"input_tokens": call.tokens.0, "output_tokens": call.tokens.1});
    let attributes = named([
        ("mlflow.spanType", text("CHAT_MODEL")),
        ("mlflow.spanInputs", text(call.chat_request())),
        ("mlflow.spanOutputs", text(call.chat_response())),
        ("mlflow.chat.tokenUsage", text(usage)),
    ]);
    span(call, attributes)
}

/// An exported trace, with its user beside the spans.
pub(super) fn mlflow_trace(call: &Call) -> Value {
    let info = json!({"trace_id": call.trace, "state": "OK", "trace_metadata": {"mlflow.trace.user": call.account}, "tags": {}});
    json!({"info": info, "data": {"spans": [snake(&mlflow_span(call), &object)]}})
}

pub(super) fn mlflow(call: &Call) -> Span {
    let mut span = mlflow_span(call);
    span.attributes.extend(account(call, "mlflow.trace.user"));
    span
}

// The encodings of a single span.

/// Attributes as an object.
fn object(attributes: &[(String, Value)]) -> Value {
    Value::Object(attributes.iter().cloned().collect())
}

/// Attributes as a list of pairs.
fn pairs(attributes: &[(String, Value)]) -> Value {
    let pair = |(key, value): &(String, Value)| json!({"key": key, "value": any_value(value)});
    attributes.iter().map(pair).collect()
}

/// A value as OTLP/JSON has it.
pub(super) fn any_value(value: &Value) -> Value {
    match value {
        Value::Bool(truth) => json!({"boolValue": truth}),
        Value::Number(number) if number.is_f64() => json!({"doubleValue": number}),
        Value::Number(number) => json!({"intValue": number.to_string()}),
        Value::Array(list) => json!({"arrayValue": {"values": list.iter().map(any_value).collect::<Vec<_>>()}}),
        Value::Object(object) => {
            let values = object.iter().map(|(key, value)| json!({"key": key, "value": any_value(value)}));
            json!({"kvlistValue": {"values": values.collect::<Vec<_>>()}})
        }
        text => json!({"stringValue": text}),
    }
}

fn snake_pairs(attributes: &[(String, Value)]) -> Value {
    let value = |value: &Value| match value {
        Value::Number(number) => json!({"int_value": number}),
        text => json!({"string_value": text}),
    };
    attributes.iter().map(|(key, said)| json!({"key": key, "value": value(said)})).collect()
}

fn go_pairs(attributes: &[(String, Value)]) -> Value {
    let value = |value: &Value| match value {
        Value::Number(number) => json!({"Value": {"IntValue": number}}),
        text => json!({"Value": {"StringValue": text}}),
    };
    attributes.iter().map(|(key, said)| json!({"key": key, "value": value(said)})).collect()
}

type Attributes = dyn Fn(&[(String, Value)]) -> Value;

fn events(span: &Span, attributes: &Attributes) -> Vec<Value> {
    span.events.iter().map(|(name, said)| json!({"name": name, "attributes": attributes(said)})).collect()
}

fn camel(span: &Span) -> Value {
    json!({
        "traceId": span.trace, "spanId": span.id, "parentSpanId": span.parent.clone().unwrap_or_default(),
        "name": "chat", "kind": 3, "startTimeUnixNano": span.start.to_string(), "endTimeUnixNano": span.end.to_string(),
        "attributes": pairs(&span.attributes), "events": events(span, &pairs), "status": {},
    })
}

fn snake(span: &Span, attributes: &Attributes) -> Value {
    json!({
        "trace_id": span.trace, "span_id": span.id, "parent_span_id": span.parent, "name": "chat",
        "start_time_unix_nano": span.start, "end_time_unix_nano": span.end,
        "attributes": attributes(&span.attributes), "events": events(span, attributes),
    })
}

fn base64_ids(span: &Span) -> Span {
    let packed = |id: &str| {
        let digits: Vec<char> = id.chars().collect();
        let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hexadecimal");
        STANDARD.encode(digits.chunks(2).map(byte).collect::<Vec<u8>>())
    };
    Span {
        trace: packed(&span.trace),
        id: packed(&span.id),
        parent: span.parent.as_deref().map(packed),
        ..span.clone()
    }
}

fn service() -> Value {
    json!({"attributes": [{"key": "service.name", "value": {"stringValue": "front"}}]})
}

// The encodings of many spans.

/// Spans in exports of so many.
fn exports(spans: &[Span], many: usize, export: impl Fn(&[Span]) -> Value) -> Vec<Value> {
    spans.chunks(many).map(export).collect()
}

pub(super) fn one_to_an_export(spans: &[Span]) -> Vec<Value> {
    in_camel_case(spans, 1)
}

pub(super) fn many_to_an_export(spans: &[Span]) -> Vec<Value> {
    in_camel_case(spans, 50)
}

fn in_camel_case(spans: &[Span], many: usize) -> Vec<Value> {
    exports(spans, many, |spans| {
        let spans: Vec<Value> = spans.iter().map(camel).collect();
        json!({"resourceSpans": [{"resource": service(), "scopeSpans": [{"scope": {"name": "x"}, "spans": spans}]}]})
    })
}

pub(super) fn instrumentation_library(spans: &[Span]) -> Vec<Value> {
    exports(spans, 5, |spans| {
        let spans: Vec<Value> = spans.iter().map(camel).collect();
        json!({"resourceSpans": [{"resource": service(), "instrumentationLibrarySpans": [{"spans": spans}]}]})
    })
}

pub(super) fn in_snake_case(spans: &[Span]) -> Vec<Value> {
    exports(spans, 5, |spans| {
        let spans: Vec<Value> = spans.iter().map(|span| snake(span, &snake_pairs)).collect();
        json!({"resource_spans": [{"resource": {"attributes": []}, "scope_spans": [{"spans": spans}]}]})
    })
}

pub(super) fn marshalled_by_go(spans: &[Span]) -> Vec<Value> {
    exports(spans, 5, |spans| {
        let spans: Vec<Value> = spans.iter().map(|span| snake(&base64_ids(span), &go_pairs)).collect();
        json!({"resource_spans": [{"resource": {}, "scope_spans": [{"scope": {}, "spans": spans}]}]})
    })
}

pub(super) fn tempo(spans: &[Span]) -> Vec<Value> {
    exports(spans, 5, |spans| {
        let spans: Vec<Value> = spans.iter().map(|span| camel(&base64_ids(span))).collect();
        json!({"batches": [{"resource": service(), "scopeSpans": [{"scope": {}, "spans": spans}]}]})
    })
}

pub(super) fn python_console(spans: &[Span]) -> Vec<Value> {
    let span = |span: &Span| {
        let time = |nanos| exchange::Time::from_nanos(nanos).to_string();
        json!({
            "name": "chat",
            "context": {"trace_id": format!("0x{}", span.trace), "span_id": format!("0x{}", span.id), "trace_state": "[]"},
            "kind": "SpanKind.CLIENT", "parent_id": span.parent.as_ref().map(|id| format!("0x{id}")),
            "start_time": time(span.start), "end_time": time(span.end), "status": {"status_code": "UNSET"},
            "attributes": object(&span.attributes), "events": events(span, &object), "links": [],
            "resource": {"attributes": {"service.name": "front"}, "schema_url": ""},
        })
    };
    spans.iter().map(span).collect()
}

pub(super) fn javascript_console(spans: &[Span]) -> Vec<Value> {
    let span = |span: &Span| {
        json!({
            "resource": {"attributes": {"service.name": "front"}}, "instrumentationScope": {"name": "x"},
            "traceId": span.trace, "parentId": span.parent, "name": "chat", "id": span.id, "kind": 2,
            "timestamp": span.start / 1000, "duration": (span.end - span.start) / 1000,
            "attributes": object(&span.attributes), "status": {"code": 0}, "events": events(span, &object), "links": [],
        })
    };
    spans.iter().map(span).collect()
}

fn jaeger_tags(attributes: &[(String, Value)]) -> Value {
    let kind = |value: &Value| if value.is_number() { "int64" } else { "string" };
    attributes.iter().map(|(key, value)| json!({"key": key, "type": kind(value), "value": value})).collect()
}

fn jaeger_span(span: &Span) -> Value {
    let parent = |id: &String| json!({"refType": "CHILD_OF", "traceID": span.trace, "spanID": id});
    json!({
        "traceID": span.trace, "spanID": span.id, "operationName": "chat",
        "references": span.parent.iter().map(parent).collect::<Vec<_>>(), "startTime": span.start / 1000,
        "duration": (span.end - span.start) / 1000, "tags": jaeger_tags(&span.attributes), "logs": [], "processID": "p1",
    })
}

pub(super) fn jaeger(spans: &[Span]) -> Vec<Value> {
    exports(spans, 1, |spans| {
        let processes = json!({"p1": {"serviceName": "front", "tags": []}});
        let trace = spans.first().map(|span| span.trace.as_str());
        let spans: Vec<Value> = spans.iter().map(jaeger_span).collect();
        json!({"data": [{"traceID": trace, "spans": spans, "processes": processes}], "total": 0, "errors": null})
    })
}

/// Jaeger's spans in Elasticsearch, with all tags as fields.
pub(super) fn jaeger_in_elasticsearch(spans: &[Span]) -> Vec<Value> {
    let span = |span: &Span| {
        let mut written = jaeger_span(span);
        written["tags"] = json!([]);
        written["tag"] = object(
            &span.attributes.iter().map(|(key, value)| (key.replace('.', "@"), value.clone())).collect::<Vec<_>>(),
        );
        written["process"] = json!({"serviceName": "front", "tags": []});
        json!({"_index": "jaeger-span-2026-07-20", "_id": span.id, "_source": written})
    };
    spans.iter().map(span).collect()
}

pub(super) fn zipkin(spans: &[Span]) -> Vec<Value> {
    exports(spans, 5, |spans| {
        let as_text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let span = |span: &Span| {
            let tags: Vec<(String, Value)> =
                span.attributes.iter().map(|(key, value)| (key.clone(), json!(as_text(value)))).collect();
            json!({
                "traceId": span.trace, "id": span.id, "parentId": span.parent, "name": "chat",
                "timestamp": span.start / 1000, "duration": (span.end - span.start) / 1000,
                "localEndpoint": {"serviceName": "front"}, "tags": object(&tags),
            })
        };
        spans.iter().map(span).collect()
    })
}

pub(super) fn clickhouse(spans: &[Span]) -> Vec<Value> {
    let span = |span: &Span| {
        let as_text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let texts = |attributes: &[(String, Value)]| -> Vec<(String, Value)> {
            attributes.iter().map(|(key, value)| (key.clone(), json!(as_text(value)))).collect()
        };
        json!({
            "Timestamp": exchange::Time::from_nanos(span.start).to_string().replace('T', " ").trim_end_matches('Z'),
            "TraceId": span.trace, "SpanId": span.id, "ParentSpanId": span.parent.clone().unwrap_or_default(),
            "SpanName": "chat", "ServiceName": "front", "ResourceAttributes": {"service.name": "front"},
            "SpanAttributes": object(&texts(&span.attributes)), "Duration": span.end - span.start,
            "Events.Name": span.events.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            "Events.Attributes": span.events.iter().map(|(_, said)| object(&texts(said))).collect::<Vec<_>>(),
        })
    };
    spans.iter().map(span).collect()
}

// Calls whose facts stand apart.

fn logs(records: Vec<Value>) -> Value {
    json!({"resourceLogs": [{"resource": service(), "scopeLogs": [{"scope": {}, "logRecords": records}]}]})
}

fn spans_of(spans: &[Span]) -> Value {
    in_camel_case(spans, spans.len()).into_iter().next().expect("an export")
}

/// A span without texts, and one log record with all of them.
fn beside(call: &Call) -> (Value, Value) {
    let span = span(call, [common(call), client(call), account(call, "account.id")].concat());
    let record = json!({
        "timeUnixNano": span.end.to_string(), "traceId": call.trace, "spanId": call.span,
        "eventName": "gen_ai.client.inference.operation.details", "severityNumber": 9,
        "attributes": pairs(&texts(call)),
    });
    (spans_of(&[span]), logs(vec![record]))
}

pub(super) fn logs_after_spans(calls: &[Call]) -> Vec<Value> {
    calls.iter().map(beside).flat_map(|(span, log)| [span, log]).collect()
}

pub(super) fn logs_before_spans(calls: &[Call]) -> Vec<Value> {
    calls.iter().map(beside).flat_map(|(span, log)| [log, span]).collect()
}

/// A log record to each turn.
pub(super) fn turns_in_logs(calls: &[Call]) -> Vec<Value> {
    let call = |call: &Call| {
        let span = span(call, [common(call), client(call), account(call, "account.id")].concat());
        let record = |(name, said): (String, Vec<(String, Value)>)| {
            let body: Map<String, Value> = said.into_iter().collect();
            json!({
                "timeUnixNano": call.time.nanos().to_string(), "traceId": call.trace, "spanId": call.span,
                "severityNumber": 9, "body": any_value(&Value::Object(body)),
                "attributes": [{"key": "event.name", "value": {"stringValue": name}}],
            })
        };
        [logs(turns(call).into_iter().map(record).collect()), spans_of(&[span])]
    };
    calls.iter().flat_map(call).collect()
}

/// The span of a call within one of the application, which alone knows the account.
fn around(call: &Call) -> (Span, Span) {
    let inner = Span { parent: Some(call.root()), ..span(call, [common(call), texts(call)].concat()) };
    let outer = span(call, [client(call), account(call, "account.id")].concat());
    let outer = Span { id: call.root(), start: inner.start - 1_000_000, end: inner.end + 1_000_000, ..outer };
    (inner, outer)
}

pub(super) fn account_on_the_root(calls: &[Call]) -> Vec<Value> {
    calls.iter().map(around).map(|(inner, outer)| spans_of(&[inner, outer])).collect()
}

pub(super) fn children_before_parents(calls: &[Call]) -> Vec<Value> {
    calls.iter().map(around).flat_map(|(inner, outer)| [spans_of(&[inner]), spans_of(&[outer])]).collect()
}

pub(super) fn parents_before_children(calls: &[Call]) -> Vec<Value> {
    calls.iter().map(around).flat_map(|(inner, outer)| [spans_of(&[outer]), spans_of(&[inner])]).collect()
}

/// A row of Phoenix, whose columns are named after the path of what they hold.
pub(super) fn phoenix(call: &Call) -> Value {
    let turn = |turn: &Value| json!({"message.role": turn["role"], "message.content": turn["content"]});
    json!({
        "name": "chat", "span_kind": "LLM", "context.trace_id": call.trace, "context.span_id": call.span,
        "parent_id": null, "start_time": call.rfc3339(), "end_time": call.end().to_string(),
        "attributes.llm.model_name": call.model, "attributes.user.id": call.account,
        "attributes.llm.token_count.prompt": call.tokens.0, "attributes.llm.token_count.completion": call.tokens.1,
        "attributes.metadata": {"client_ip": call.address, "user_agent": call.agent},
        "attributes.llm.input_messages": call.chat().iter().map(turn).collect::<Vec<_>>(),
        "attributes.llm.output_messages": [turn(&call.reply())],
    })
}
