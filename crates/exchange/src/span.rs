//! Spans and log records of OpenTelemetry and its relatives, each as one flat object that a table can read.
//!
//! The same span is written in many ways: OTLP/JSON in camel case, snake case or as Go marshals it, under
//! `resourceSpans`, Tempo's `batches` or `instrumentationLibrarySpans`; as the console exporters print it; as Jaeger and
//! Zipkin have it; as a row of a database. Names are compared without case and underscores, attributes are taken as a
//! list of pairs or as an object, ids as hexadecimal or base64. In the flat object the attributes of the span keep their
//! names, those of its resource stand under `resource.`, what is its own under `span.`, and what its events say under
//! `event.`: turns (`event.turns`), choices (`event.choices`), any other attribute.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::bad::Damages;
use crate::content::{self, into_text};
use crate::json::{Json, Object};
use crate::place::Span;

/// One span or log record.
pub(crate) struct Flat<'a> {
    pub(crate) object: Object<'a>,
    pub(crate) span: Span,
    pub(crate) kind: Kind<'a>,
    /// What was marked as wrong with it.
    pub(crate) damage: Damages,
}

/// What a flat object was.
pub(crate) enum Kind<'a> {
    Span,
    /// A log record with turns of a call.
    Turns,
    /// A log record that tells a whole call.
    Details,
    /// Any other log record, with its body.
    Line(Json<'a>),
}

/// Takes an object apart into its spans and log records; gives it back if it is none of these. Where objects are marked
/// with what is wrong with each (see [`Object::take_damage`]), this is told of the span that they belong to.
pub(crate) fn open(mut object: Object<'_>, is_marked: bool) -> Result<Vec<Flat<'_>>, Object<'_>> {
    if !object.keys().any(may_begin) {
        return Err(object);
    }
    let mut found = Vec::new();
    let mut is_export = false;
    let damage_of = |object: &mut Object<'_>| if is_marked { object.take_damage() } else { Damages::default() };
    for (groups, scopes, items) in [
        (&["resourcespans", "batches"][..], &["scopespans", "instrumentationlibraryspans"][..], "spans"),
        (&["resourcelogs"][..], &["scopelogs", "instrumentationlibrarylogs"][..], "logrecords"),
    ] {
        let Some(groups) = named(&mut object, groups) else { continue };
        is_export = true;
        for mut group in groups.list().unwrap_or_default().into_iter().filter_map(Json::object) {
            let mut resource = named(&mut group, &["resource"]).and_then(Json::object).unwrap_or_default();
            let around = damage_of(&mut resource);
            let resource = attributes(&mut resource);
            let scopes = named(&mut group, scopes).and_then(Json::list).unwrap_or_default();
            for mut scope in scopes.into_iter().filter_map(Json::object) {
                let items_of = named(&mut scope, &[items]).and_then(Json::list).unwrap_or_default();
                for mut item in items_of.into_iter().filter_map(Json::object) {
                    let mut damage = damage_of(&mut item);
                    damage.extend(around);
                    let flat = if items == "spans" { span(item, &resource) } else { log(item, &resource) };
                    found.push(Flat { damage, ..flat });
                }
            }
        }
    }
    if is_export {
        return Ok(found);
    }
    // MLflow's traces: what is known of the trace beside its spans.
    if let (Some(info), true) = (object.get_object("info"), object.find("data.spans").is_some()) {
        let known = ["trace_metadata", "request_metadata", "tags"].map(|key| info.get(key).cloned().map(pairs));
        let mut resource = Object::default();
        known.into_iter().flatten().flatten().for_each(|(key, value)| resource.push(key, value));
        let spans = object.take_at("data.spans").and_then(Json::list).unwrap_or_default();
        return Ok(spans.into_iter().filter_map(Json::object).map(|item| span(item, &resource)).collect());
    }
    let mut object = unflattened(object);
    if is_span(&object) {
        let damage = damage_of(&mut object);
        let resource = named(&mut object, &["resourceattributes", "otelresourceattributes"]).map(pairs);
        let resource = resource.unwrap_or_else(|| {
            let resource = named(&mut object, &["resource", "process"]).and_then(Json::object);
            let resource = resource.map(|mut resource| (attributes(&mut resource), resource.take("serviceName")));
            let (mut resource, service) = resource.unwrap_or_default();
            push(&mut resource, "service.name", service);
            resource
        });
        let is_log = LOG_NAMES.iter().any(|name| has_named(&object, name));
        let flat = if is_log { log(object, &resource) } else { span(object, &resource) };
        return Ok(vec![Flat { damage, ..flat }]);
    }
    Err(object)
}

/// Whether an object is what [`open`] takes apart.
pub(crate) fn is_one(object: &Object<'_>) -> bool {
    object.keys().any(may_begin) && (EXPORTS.iter().any(|name| has_named(object, name)) || is_span(object))
}

const EXPORTS: [&str; 3] = ["resourcespans", "batches", "resourcelogs"];

/// Whether a key may be one of those by which spans are known; it says no of most others at once.
fn may_begin(key: &str) -> bool {
    let first = key.bytes().next().map(|byte| byte.to_ascii_lowercase());
    matches!(
        (first, key.len()),
        (Some(b'r'), 12..=15) | (Some(b'b' | b'c'), 7) | (Some(b't'), 7..=8) | (Some(b'i'), 4) | (Some(b'c'), 16)
    )
}

/// Whether an object is a single span or log record: it stands in a trace and has attributes.
fn is_span(object: &Object<'_>) -> bool {
    let in_trace = ["traceid"].iter().any(|name| has_named(object, name))
        || object.get_object("context").is_some_and(|context| has_named(context, "traceid"));
    in_trace && ATTRIBUTES.iter().chain(&TAGS).any(|name| has_named(object, name))
}

const ATTRIBUTES: [&str; 3] = ["attributes", "spanattributes", "logattributes"];
/// Attributes of Jaeger and Zipkin. In Elasticsearch, Jaeger has those that are searched for in an object of their own, in
/// whose names `@` stands for a dot.
const TAGS: [&str; 2] = ["tags", "tag"];
const LOG_NAMES: [&str; 3] = ["severitynumber", "severitytext", "observedtimestamp"];

fn span<'a>(mut object: Object<'a>, resource: &Object<'a>) -> Flat<'a> {
    let mut flat = attributes(&mut object);
    let mut context = named(&mut object, &["context"]).and_then(Json::object).unwrap_or_default();
    let mut id =
        |names: &[&str]| named(&mut object, names).or_else(|| named(&mut context, names)).and_then(hexadecimal);
    let trace = id(&["traceid"]).unwrap_or_default();
    let span_id = id(&["spanid", "id"]).unwrap_or_default();
    let parent = id(&["parentspanid", "parentid"]).or_else(|| reference(&mut object));
    let start = named(&mut object, &["starttimeunixnano", "starttime", "starttimestamp", "timestamp"]);
    let start_time = start.clone().and_then(Json::time);
    let end = named(&mut object, &["endtimeunixnano", "endtime", "endtimestamp"]).and_then(Json::time);
    let duration = named(&mut object, &["duration", "durationnano", "durationms"]);
    let end = end.or_else(|| ended(start_time?, start.as_ref()?, &duration?));
    push(&mut flat, "span.start", start);
    push(&mut flat, "span.name", named(&mut object, &["name", "spanname", "operationname"]));
    let events = named(&mut object, &["events", "logs"]).and_then(Json::list).unwrap_or_default();
    let mut events: Vec<Event<'a>> = events.into_iter().filter_map(|event| Event::of(event.object()?)).collect();
    events.extend(Event::in_columns(&mut object));
    // Events are also written as JSON into an attribute.
    for key in ["events", "all_messages_events"] {
        if let Some(Json::List(list)) = flat.take(key).map(Json::unwrapped) {
            events.extend(list.into_iter().filter_map(|event| Event::of(event.object()?)));
        }
    }
    lift(&mut flat, events);
    with_resource(&mut flat, resource);
    Flat {
        object: flat,
        span: Span { trace, id: span_id, parent, end, is_log: false },
        kind: Kind::Span,
        damage: Damages::default(),
    }
}

fn log<'a>(mut object: Object<'a>, resource: &Object<'a>) -> Flat<'a> {
    let mut flat = attributes(&mut object);
    let mut id = |names: &[&str]| named(&mut object, names).and_then(hexadecimal);
    let trace = id(&["traceid"]).unwrap_or_default();
    let span_id = id(&["spanid"]).unwrap_or_default();
    let time = named(&mut object, &["timeunixnano", "timestamp", "time"])
        .or_else(|| named(&mut object, &["observedtimeunixnano", "observedtimestamp"]));
    push(&mut flat, "span.start", time);
    let name = named(&mut object, &["eventname"]).and_then(Json::text).filter(|name| !name.is_empty());
    let name = name.or_else(|| flat.take("event.name").and_then(Json::text)).unwrap_or_default();
    let body = named(&mut object, &["body"]).map(value);
    let tells_a_call = name == "gen_ai.client.inference.operation.details";
    let kind = if name.starts_with("gen_ai.") {
        let mut said = flat.clone();
        if let Some(Json::Object(body)) = body.map(Json::unwrapped) {
            body.into_iter().for_each(|(key, value)| said.push(key, value));
        }
        lift(&mut flat, vec![Event { name, said }]);
        if tells_a_call { Kind::Details } else { Kind::Turns }
    } else {
        Kind::Line(body.unwrap_or(Json::Null))
    };
    with_resource(&mut flat, resource);
    Flat {
        object: flat,
        span: Span { trace, id: span_id, parent: None, end: None, is_log: true },
        kind,
        damage: Damages::default(),
    }
}

/// Something that happened within a span.
struct Event<'a> {
    name: Cow<'a, str>,
    said: Object<'a>,
}

impl<'a> Event<'a> {
    fn of(mut event: Object<'a>) -> Option<Self> {
        let name = event.take("name").or_else(|| event.take("event.name"))?.text()?;
        let said = if event.has("attributes") { attributes(&mut event) } else { event };
        Some(Event { name, said })
    }
}

impl<'a> Event<'a> {
    /// Events as ClickHouse has them: a column of names and one of attributes.
    fn in_columns(object: &mut Object<'a>) -> Vec<Self> {
        let mut column = |name| object.take(name).map(Json::unwrapped).and_then(Json::list).unwrap_or_default();
        let (names, attributes) = (column("Events.Name"), column("Events.Attributes"));
        let rows = names.into_iter().zip(attributes);
        rows.filter_map(|(name, said)| Some(Event { name: name.text()?, said: pairs(said) })).collect()
    }
}

/// Puts what events say beside the attributes of their span.
fn lift<'a>(flat: &mut Object<'a>, events: Vec<Event<'a>>) {
    let (mut turns, mut choices) = (Vec::new(), Vec::new());
    let mut lifted = BTreeSet::new();
    for Event { name, mut said } in events {
        if let Some(role) = name.strip_prefix("gen_ai.").and_then(|name| name.strip_suffix(".message")) {
            let mut turn = Object::default();
            turn.push(Cow::Borrowed("role"), Json::Text(Cow::Owned(role.to_owned())));
            let content = said.take("content").map(content::opened_parts);
            let calls = said.take("tool_calls").map(Json::unwrapped);
            for (key, value) in [("content", content), ("tool_calls", calls)] {
                value.into_iter().for_each(|value| turn.push(Cow::Borrowed(key), value));
            }
            turns.push(Json::Object(turn));
        } else if name == "gen_ai.choice" {
            choices.push(Json::Object(said));
        } else if name.starts_with("gen_ai.") {
            for (key, value) in said {
                let key = format!("event.{key}");
                if lifted.insert(key.clone()) {
                    flat.push(Cow::Owned(key), value);
                }
            }
        }
    }
    for (key, list) in [("event.turns", turns), ("event.choices", choices)] {
        if !list.is_empty() {
            flat.push(Cow::Borrowed(key), Json::List(list));
        }
    }
}

fn with_resource<'a>(flat: &mut Object<'a>, resource: &Object<'a>) {
    for (key, value) in resource.clone() {
        flat.push(Cow::Owned(format!("resource.{key}")), value);
    }
}

fn push<'a>(flat: &mut Object<'a>, key: &'static str, value: Option<Json<'a>>) {
    value.into_iter().for_each(|value| flat.push(Cow::Borrowed(key), value));
}

/// When a span with a duration ended. Jaeger and Zipkin count microseconds, as their start does; databases nanoseconds.
fn ended(start: crate::time::Time, written: &Json<'_>, duration: &Json<'_>) -> Option<crate::time::Time> {
    let duration: i64 = duration.clone().whole()?;
    let is_micros =
        matches!(written, Json::Unsigned(number) if (100_000_000_000_000..100_000_000_000_000_000).contains(number));
    let nanos = if is_micros { duration.checked_mul(1_000)? } else { duration };
    Some(crate::time::Time::from_nanos(start.nanos().checked_add(nanos)?))
}

/// The parent among Jaeger's references.
fn reference(object: &mut Object<'_>) -> Option<String> {
    let references = named(object, &["references"])?.list()?;
    let mut parent = references.into_iter().filter_map(Json::object).next()?;
    named(&mut parent, &["spanid"]).and_then(hexadecimal)
}

/// An id in lower-case hexadecimal; none if it is empty or all zeros.
fn hexadecimal(json: Json<'_>) -> Option<String> {
    let id = json.id()?;
    let id = id.strip_prefix("0x").unwrap_or(&id).to_ascii_lowercase_if_hex();
    (!id.is_empty() && id.bytes().any(|byte| byte != b'0')).then_some(id)
}

trait Hex {
    fn to_ascii_lowercase_if_hex(&self) -> String;
}

impl Hex for str {
    fn to_ascii_lowercase_if_hex(&self) -> String {
        if self.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return self.to_ascii_lowercase();
        }
        // 8 or 16 bytes.
        match STANDARD.decode(self) {
            Ok(bytes) if matches!(bytes.len(), 8 | 16) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            _ => self.to_owned(),
        }
    }
}

/// The value under a name that is written in any case, with underscores or without.
fn named<'a>(object: &mut Object<'a>, names: &[&str]) -> Option<Json<'a>> {
    names.iter().find_map(|name| {
        let key = object.keys().find(|key| same_name(key, name))?.to_owned();
        object.take(&key)
    })
}

fn has_named(object: &Object<'_>, name: &str) -> bool {
    object.keys().any(|key| same_name(key, name) && object.has(key))
}

fn same_name(key: &str, name: &str) -> bool {
    key.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase()).eq(name.bytes())
}

/// The attributes of a span, log record, event or resource as one object.
fn attributes<'a>(object: &mut Object<'a>) -> Object<'a> {
    let mut found = named(object, &ATTRIBUTES).map(pairs).unwrap_or_default();
    for (key, value) in TAGS.into_iter().filter_map(|name| named(object, &[name])).flat_map(pairs) {
        found.push(if key.contains('@') { Cow::Owned(key.replace('@', ".")) } else { key }, value);
    }
    found
}

/// A row of Phoenix or Arize, whose columns are named after the path of what they hold, as the span that it was.
fn unflattened(object: Object<'_>) -> Object<'_> {
    if !object.has("context.trace_id") {
        return object;
    }
    let (mut span, mut attributes) = (Object::default(), Object::default());
    for (key, value) in object {
        match (key.strip_prefix("attributes."), key.strip_prefix("context.")) {
            (Some(name), _) if TURNS.contains(&name) => turns_of(name, value, &mut attributes),
            (Some(name), _) => attributes.push(Cow::Owned(name.to_owned()), value),
            (_, Some(name)) => span.push(Cow::Owned(name.to_owned()), value),
            _ => span.push(key, value),
        }
    }
    let kind = span.get("span_kind").filter(|_| !attributes.has("openinference.span.kind")).cloned();
    push(&mut attributes, "openinference.span.kind", kind);
    span.push(Cow::Borrowed("attributes"), Json::Object(attributes));
    span
}

/// Attributes of OpenInference that stand for a list of turns.
const TURNS: [&str; 2] = ["llm.input_messages", "llm.output_messages"];

/// Turns in a list, under numbered keys as they stand on a span.
fn turns_of<'a>(name: &str, turns: Json<'a>, attributes: &mut Object<'a>) {
    let turns = turns.unwrapped().list().unwrap_or_default();
    for (turn, at) in turns.into_iter().filter_map(Json::object).zip(0..) {
        turn.into_iter().for_each(|(key, value)| attributes.push(Cow::Owned(format!("{name}.{at}.{key}")), value));
    }
}

/// Attributes as a list of pairs (`key` and `value`), as an object, or as either in a string.
fn pairs(json: Json<'_>) -> Object<'_> {
    match json.unwrapped() {
        Json::Object(object) => object,
        Json::List(list) => {
            let mut object = Object::default();
            for mut entry in list.into_iter().filter_map(Json::object) {
                let key = named(&mut entry, &["key"]).and_then(Json::text);
                if let (Some(key), Some(value)) = (key, named(&mut entry, &["value", "vstr"]).map(value)) {
                    object.push(key, value);
                }
            }
            object
        }
        _ => Object::default(),
    }
}

/// An `AnyValue`, as the plain value it stands for; what is none stays as it is.
fn value(json: Json<'_>) -> Json<'_> {
    let Json::Object(mut object) = json else { return json };
    // Go marshals the variant in an object of its own.
    if object.keys().eq(["Value"]) {
        return object.take("Value").map_or(Json::Null, value);
    }
    let Some(kind) = object.keys().next().map(str::to_owned) else { return Json::Null };
    let mut inner = || object.take(&kind).unwrap_or(Json::Null);
    if same_name(&kind, "intvalue") {
        // JSON has no 64-bit integers, so they come as strings.
        return match inner() {
            Json::Text(text) => text.parse().map_or(Json::Text(text), Json::Signed),
            json => json,
        };
    }
    if ["stringvalue", "boolvalue", "doublevalue"].iter().any(|name| same_name(&kind, name)) {
        return inner();
    }
    if same_name(&kind, "bytesvalue") {
        return Json::Text(Cow::Owned(into_text(inner()).into_owned()));
    }
    for (name, is_list) in [("arrayvalue", true), ("kvlistvalue", false)] {
        if same_name(&kind, name) {
            let values = match inner() {
                Json::Object(mut object) => named(&mut object, &["values"]).and_then(Json::list),
                json => json.list(),
            };
            let values = values.unwrap_or_default();
            return if is_list {
                Json::List(values.into_iter().map(value).collect())
            } else {
                Json::Object(pairs(Json::List(values)))
            };
        }
    }
    Json::Object(object)
}
