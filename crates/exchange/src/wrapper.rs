//! Known wrappers: what stands around a record on its way through delivery streams, log shippers and databases.
//!
//! One rule serves all of them: an object of no known format may hold records under one of a few keys, as an object, a
//! list, or JSON in a string, to a depth of [`limits::WRAPPED_DEPTH_MAX`](crate::limits::WRAPPED_DEPTH_MAX). A time is
//! taken from the wrapper only where the record within has none.

use std::borrow::Cow;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::bad::Damages;
use crate::json::{Json, Object};

/// The keys, in the order in which they are tried, with the name of what wraps so.
const KEYS: [(&str, &str); 46] = [
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
    ("attributes", "Datadog"),
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
];

/// What a wrapper holds.
pub(crate) struct Unwrapped<'a> {
    /// What wraps so.
    pub(crate) by: &'static str,
    /// The objects within, each with what was wrong with its text.
    pub(crate) objects: Vec<(Object<'a>, Damages)>,
    /// Texts within that are no JSON.
    pub(crate) others: u64,
}

/// Opens a wrapper; none if the object is no known one.
pub(crate) fn open<'a>(object: &mut Object<'a>) -> Option<Unwrapped<'a>> {
    let time = TIMES.into_iter().find_map(|key| object.get(key)).cloned();
    // The account that EventBridge names is the operator's own.
    let who = WHO.into_iter().filter(|_| !is_event_bridge(object));
    let who: Vec<(&str, Json<'a>)> = who.filter_map(|key| Some((key, object.get(key)?.clone()))).collect();
    KEYS.into_iter().find_map(|(key, by)| {
        let mut within = Unwrapped { by, objects: Vec::new(), others: 0 };
        let json = match object.get(key)? {
            Json::Text(text) if text.trim_start().starts_with(['{', '[']) => object.take(key)?,
            Json::Text(text) => Json::Text(Cow::Owned(unpacked(text)?)),
            Json::Object(_) | Json::List(_) => object.take(key)?,
            _ => return None,
        };
        gather(json, &mut within);
        if within.objects.is_empty() {
            return None;
        }
        for (inner, _) in &mut within.objects {
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
    })
}

/// Whether an object is an event of EventBridge, which has a time and an account as native records do.
pub(crate) fn is_event_bridge(object: &Object<'_>) -> bool {
    object.has("detail-type") && object.has("detail")
}

/// Whether an object is a message of SQS, whose body is no body of a request.
pub(crate) fn is_queue_message(object: &Object<'_>) -> bool {
    object.has("messageId") && object.has("body") && ["receiptHandle", "md5OfBody"].iter().any(|key| object.has(key))
}

/// A text that holds JSON behind a prefix, or in base64, perhaps compressed by gzip, as streams and queues pass it on.
fn unpacked(text: &str) -> Option<String> {
    if let Some(start) = text.find("{\"") {
        return text.get(start..).map(str::to_owned);
    }
    let bytes = STANDARD.decode(text.trim()).ok()?;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        let most = crate::limits::RECORD_BYTES_MAX as u64;
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).take(most).read_to_end(&mut plain).ok()?;
        plain
    } else {
        bytes
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.trim_start().starts_with(['{', '[']).then_some(text)
}

fn gather<'a>(json: Json<'a>, within: &mut Unwrapped<'a>) {
    let (json, around) = json.opened();
    match json {
        Json::Object(object) => within.objects.push((object, around)),
        Json::List(list) => {
            for item in list {
                let (item, mut damage) = item.opened();
                damage.extend(around);
                match item {
                    Json::Object(object) => within.objects.push((object, damage)),
                    // Loki's lines: a time and a text.
                    Json::List(pair) => {
                        for (item, within_it) in pair.into_iter().map(Json::opened) {
                            let mut damage = damage;
                            damage.extend(within_it);
                            within.objects.extend(item.object().map(|object| (object, damage)));
                        }
                    }
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

/// Names of whom a record is about, that stand around records at times.
const WHO: [&str; 6] = ["userId", "user_id", "sessionId", "session_id", "account", "account_id"];
