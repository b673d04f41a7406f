//! Known wrappers: what stands around a record on its way through delivery streams, log shippers and databases.
//!
//! One rule serves all of them: an object of no known format may hold records, as an object or a list under any key, or as
//! text (JSON, also in base64 or compressed) under one of a few keys, to a depth of
//! [`limits::WRAPPED_DEPTH_MAX`]. A key is opened only if something within is of a known
//! format. Texts under other keys stay closed, since a prompt may be the text of a record. A time is taken from the
//! wrapper only where the record within has none.

use std::borrow::Cow;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::bad::Damages;
use crate::json::{Json, Object};
use crate::{limits, recognise, table};

/// The keys under which texts are opened, in the order in which they are tried, with the name of what wraps so.
const KEYS: [(&str, &str); 54] = [
    ("standard_logging_object", "LiteLLM callback"),
    ("logEvents", "CloudWatch"),
    ("@message", "CloudWatch Insights"),
    ("jsonPayload", "Google Cloud Logging"),
    ("textPayload", "Google Cloud Logging"),
    ("protoPayload", "Google Cloud Logging"),
    ("_source", "Elasticsearch"),
    ("_raw", "Splunk"),
    ("result", "Splunk"),
    ("hits", "Elasticsearch"),
    ("event.original", "Logstash"),
    ("original", "Logstash"),
    ("MESSAGE", "journald"),
    ("Message", "SNS"),
    ("Sns", "SNS"),
    ("body", "queue"),
    ("detail", "EventBridge"),
    ("payload", "queue"),
    ("content", "log shipper"),
    ("kinesis", "Kinesis"),
    ("Data", "Kinesis"),
    ("awslogs", "CloudWatch"),
    ("entries", "list of entries"),
    ("streams", "Loki"),
    ("values", "Loki"),
    ("value", "list of values"),
    ("events", "list of events"),
    ("records", "list of records"),
    ("Records", "list of records"),
    ("observations", "list of observations"),
    ("generations", "list of generations"),
    ("spans", "list of spans"),
    ("trace", "trace"),
    ("traces", "traces"),
    ("data", "list of data"),
    ("logs", "list of logs"),
    ("items", "list of items"),
    ("results", "list of results"),
    ("rows", "list of rows"),
    ("message", "log shipper"),
    ("log", "log shipper"),
    ("msg", "log shipper"),
    ("line", "log shipper"),
    ("event", "log shipper"),
    ("record", "log shipper"),
    ("attributes", "Datadog"),
    ("Body", "queue"),
    ("Messages", "queue"),
    ("after", "change of a row"),
    ("fields", "structured log"),
    ("call", "structured log"),
    ("request_log", "structured log"),
    ("json", "structured log"),
    ("raw", "structured log"),
];

/// What a wrapper holds.
pub(crate) struct Unwrapped<'a> {
    /// What wraps so.
    pub(crate) by: &'static str,
    /// The objects within, marked with what was wrong with their texts.
    pub(crate) objects: Vec<Object<'a>>,
    /// Texts within that are no JSON.
    pub(crate) others: u64,
    /// Whom the wrapper names.
    pub(crate) callers: Vec<String>,
}

/// Opens a wrapper; none if nothing in the object is of a known format.
///
/// `left` is how many bytes may still be unpacked.
pub(crate) fn open<'a>(object: &mut Object<'a>, left: &mut usize) -> Option<Unwrapped<'a>> {
    table::spread(object);
    let time = TIMES.into_iter().find_map(|key| object.get(key)).cloned();
    // The account that EventBridge names is the operator's own.
    let who = WHO.into_iter().filter(|_| !is_event_bridge(object));
    let who: Vec<(&str, Json<'a>)> = who.filter_map(|key| Some((key, object.get(key)?.clone()))).collect();
    let callers = CALLERS.into_iter().filter(|_| !is_event_bridge(object));
    let callers: Vec<String> = callers.filter_map(|key| object.get(key)?.clone().id()).map(Cow::into_owned).collect();
    // What names a caller is a record or stands right around one: its texts are his.
    let deepest = if callers.is_empty() { limits::WRAPPED_DEPTH_MAX } else { 1 };
    let mut within = match known(object, deepest, left) {
        Some(within) => within,
        None => any(object, deepest, left)?,
    };
    within.callers = callers;
    for inner in &mut within.objects {
        if let Some(time) = time.clone().filter(|_| !TIMES.iter().any(|key| inner.has(key))) {
            inner.push(Cow::Borrowed("time"), time);
        }
        // A trace names its user once, around all of its calls.
        for (key, value) in &who {
            if !inner.has(key) {
                inner.push(Cow::Borrowed(*key), value.clone());
            }
        }
    }
    Some(within)
}

/// What stands under the first known key that holds a record.
fn known<'a>(object: &mut Object<'a>, deepest: usize, left: &mut usize) -> Option<Unwrapped<'a>> {
    let (key, by) = KEYS.into_iter().find(|(key, _)| {
        object.get_mut(key).is_some_and(|value| {
            unpack(value, left);
            holds_a_record(value, deepest, left)
        })
    })?;
    let mut within = Unwrapped { by, objects: Vec::new(), others: 0, callers: Vec::new() };
    gather(object.take(key)?, &mut within, left);
    Some(within)
}

/// What stands under any other keys, where they hold records.
fn any<'a>(object: &mut Object<'a>, deepest: usize, left: &mut usize) -> Option<Unwrapped<'a>> {
    let mut within = Unwrapped { by: "an object around it", objects: Vec::new(), others: 0, callers: Vec::new() };
    for value in object.values_mut() {
        if matches!(value, Json::Object(_) | Json::List(_)) && holds_a_record(value, deepest, left) {
            gather(std::mem::replace(value, Json::Null), &mut within, left);
        }
    }
    (!within.objects.is_empty()).then_some(within)
}

/// Whether something of a known format stands in a value, within `levels` objects. Texts under known keys are opened on the
/// way, but for those of turns.
fn holds_a_record(value: &mut Json<'_>, levels: usize, left: &mut usize) -> bool {
    match value {
        Json::Object(object) => {
            if recognise::is_known(object) {
                return true;
            }
            table::spread(object);
            levels > 1
                && !object.has("role")
                && object.entries_mut().any(|(key, value)| {
                    if KEYS.iter().any(|(known, _)| *known == key) {
                        unpack(value, left);
                    }
                    holds_a_record(value, levels - 1, left)
                })
        }
        // A list of records, or of pairs of a time and a record.
        Json::List(items) => items.iter_mut().take(ITEMS_LOOKED_AT).any(|item| {
            unpack(item, left);
            match item {
                Json::List(pair) => pair.iter_mut().take(ITEMS_LOOKED_AT).any(|item| {
                    unpack(item, left);
                    matches!(item, Json::Object(_)) && holds_a_record(item, levels, left)
                }),
                Json::Object(_) => holds_a_record(item, levels, left),
                _ => false,
            }
        }),
        _ => false,
    }
}

/// Items of a list that are looked at to see whether it is one of records.
const ITEMS_LOOKED_AT: usize = 16;

/// Replaces a text by the JSON that it stands for: as it is, in another text, behind a prefix, in base64, perhaps compressed
/// by gzip, or as a list of bytes.
fn unpack(value: &mut Json<'_>, left: &mut usize) {
    let text = match value {
        // A text that cannot be opened stays as it is.
        Json::Text(text) if text.len() <= *left => std::mem::take(text).into_owned(),
        Json::List(bytes) if bytes.len() <= *left => match text_of(bytes) {
            Some(text) => text,
            None => return,
        },
        _ => return,
    };
    *value = match text.trim_start().starts_with('"').then(|| Json::parse_owned(&text)).flatten() {
        // JSON in a text in a text.
        Some(Json::Text(inner)) => opened(inner.into_owned(), left).ok(),
        _ => None,
    }
    .map_or_else(|| opened(text, left), Ok)
    .or_else(|text| match unpacked(&text, *left).map(|inner| opened(inner, left)) {
        Some(Ok(json)) => Ok(json),
        _ => Err(text),
    })
    .unwrap_or_else(|text| Json::Text(Cow::Owned(text)));
}

/// The JSON that a text is, in the bytes that are left; gives back a text that is none.
fn opened(text: String, left: &mut usize) -> Result<Json<'static>, String> {
    let bytes = text.len();
    match Json::Text(Cow::Owned(text)).opened() {
        (Json::Text(text), _) => Err(text.into_owned()),
        (json, damage) => {
            *left = left.saturating_sub(bytes);
            Ok(marked(json, damage))
        }
    }
}

/// The objects of a value, marked with what was wrong with its text.
fn marked(json: Json<'static>, damage: Damages) -> Json<'static> {
    match json {
        Json::Object(mut object) => {
            object.mark_damage(damage);
            Json::Object(object)
        }
        Json::List(items) => Json::List(items.into_iter().map(|item| marked(item, damage)).collect()),
        json => json,
    }
}

/// A list of bytes as the text that they are, as journald writes what holds control characters.
fn text_of(bytes: &[Json<'_>]) -> Option<String> {
    if !matches!(bytes.first(), Some(Json::Unsigned(0..=255))) {
        return None;
    }
    let byte = |json: &Json<'_>| if let Json::Unsigned(byte) = json { u8::try_from(*byte).ok() } else { None };
    let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
    Some(String::from_utf8_lossy(&bytes?).into_owned())
}

/// Whether an object is an event of EventBridge, which has a time and an account as native records do.
pub(crate) fn is_event_bridge(object: &Object<'_>) -> bool {
    object.has("detail-type") && object.has("detail")
}

/// A text that holds JSON behind a prefix, or in base64, perhaps compressed by gzip, as streams and queues pass it on.
fn unpacked(text: &str, left: usize) -> Option<String> {
    if let Some(start) = text.find("{\"") {
        return text.get(start..).map(str::to_owned);
    }
    let bytes = STANDARD.decode(text.trim()).ok()?;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        let most = left as u64;
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).take(most).read_to_end(&mut plain).ok()?;
        plain
    } else {
        bytes
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.trim_start().starts_with(['{', '[']).then_some(text)
}

fn gather<'a>(mut json: Json<'a>, within: &mut Unwrapped<'a>, left: &mut usize) {
    unpack(&mut json, left);
    match json {
        Json::Object(object) => within.objects.push(object),
        Json::List(items) => {
            for mut item in items {
                unpack(&mut item, left);
                match item {
                    Json::Object(object) => within.objects.push(object),
                    // Loki's lines: a time and a text.
                    Json::List(pair) => within.objects.extend(pair.into_iter().filter_map(|mut item| {
                        unpack(&mut item, left);
                        item.object()
                    })),
                    _ => within.others += 1,
                }
            }
        }
        _ => within.others += 1,
    }
}

/// Names of times, on wrappers and in records.
const TIMES: [&str; 12] = [
    "time",
    "timestamp",
    "@timestamp",
    "ts",
    "startTime",
    "start_time",
    "created_at",
    "request_time",
    "requested_at",
    "receiveTimestamp",
    "logging_time",
    "started_at",
];

/// Names of callers, as logs have them.
const CALLERS: [&str; 15] = [
    "account",
    "account_id",
    "accountId",
    "user",
    "user_id",
    "userId",
    "customer",
    "customer_id",
    "customerId",
    "tenant",
    "tenant_id",
    "tenantId",
    "api_key_id",
    "apiKeyId",
    "key_id",
];

/// Names of whom a record is about, that stand around records at times.
const WHO: [&str; 6] = ["userId", "user_id", "sessionId", "session_id", "account", "account_id"];
