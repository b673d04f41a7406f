//! Known wrappers: what stands around a record on its way through delivery streams, log shippers and databases.
//!
//! One rule serves all of them: an object of no known format may hold records under one of a few keys, as an object, a
//! list, or JSON in a string, to a depth of [`limits::WRAPPED_DEPTH_MAX`](crate::limits::WRAPPED_DEPTH_MAX). A time is
//! taken from the wrapper only where the record within has none.

use std::borrow::Cow;

use crate::json::{Json, Object};

/// The keys, in the order in which they are tried, with the name of what wraps so.
const KEYS: [(&str, &str); 28] = [
    ("standard_logging_object", "LiteLLM callback"),
    ("logEvents", "CloudWatch"),
    ("@message", "CloudWatch Insights"),
    ("jsonPayload", "Google Cloud Logging"),
    ("textPayload", "Google Cloud Logging"),
    ("protoPayload", "Google Cloud Logging"),
    ("_source", "Elasticsearch"),
    ("_raw", "Splunk"),
    ("hits", "Elasticsearch"),
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
    /// The objects within.
    pub(crate) objects: Vec<Object<'a>>,
    /// Texts within that are no JSON.
    pub(crate) others: u64,
}

/// Opens a wrapper; none if the object is no known one.
pub(crate) fn open<'a>(object: &mut Object<'a>) -> Option<Unwrapped<'a>> {
    let time = TIMES.into_iter().find_map(|key| object.get(key)).cloned();
    KEYS.into_iter().find_map(|(key, by)| {
        let mut within = Unwrapped { by, objects: Vec::new(), others: 0 };
        let json = match object.get(key)? {
            Json::Text(text) if !text.trim_start().starts_with(['{', '[']) => return None,
            Json::Text(_) | Json::Object(_) | Json::List(_) => object.take(key)?,
            _ => return None,
        };
        gather(json, &mut within);
        if within.objects.is_empty() {
            return None;
        }
        for inner in &mut within.objects {
            if let Some(time) = time.clone().filter(|_| !TIMES.iter().any(|key| inner.has(key))) {
                inner.push(Cow::Borrowed("time"), time);
            }
        }
        Some(within)
    })
}

fn gather<'a>(json: Json<'a>, within: &mut Unwrapped<'a>) {
    match json.unwrapped() {
        Json::Object(object) => within.objects.push(object),
        Json::List(list) => {
            for item in list {
                match item.unwrapped() {
                    Json::Object(object) => within.objects.push(object),
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
