//! What the mock says: words made from the request, structured values made from a schema.

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

/// What the mock says: all at once, as a file, or event by event.
pub(super) enum Spoken {
    Whole(StatusCode, Value),
    File(Bytes),
    Events(Vec<String>),
}

/// An answer that says what is wrong.
pub(super) fn error(message: &str) -> Value {
    json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": null}})
}

/// The answer to a request.
pub(super) struct Answer {
    /// The text.
    pub(super) text: String,
    /// The reasoning, when the model shows any.
    pub(super) reasoning: Option<String>,
    /// Tools that are called, with their inputs.
    pub(super) calls: Vec<(String, Value)>,
    /// Tokens of the request, roughly.
    pub(super) input_tokens: u64,
    /// Tokens of the answer, roughly.
    pub(super) output_tokens: u64,
    /// Whether the answer was cut for its length.
    pub(super) cut: bool,
}

const WORDS: [&str; 32] = [
    "still", "water", "runs", "deep", "under", "the", "old", "bridge", "where", "a", "heron", "waits", "for", "the",
    "morning", "light", "and", "nothing", "moves", "but", "reeds", "in", "wind", "while", "far", "bells", "tell",
    "that", "day", "has", "begun", "again",
];

/// Makes the `index`th answer to `asked`. The `schema` is there when structured output was asked for, `tools` when some
/// may be called.
pub(super) fn answer(
    asked: &Value,
    index: u64,
    schema: Option<&Value>,
    tools: &[(String, Value)],
    most: Option<u64>,
) -> Answer {
    let prompt = asked.get("messages").or_else(|| asked.get("input")).or_else(|| asked.get("prompt")).unwrap_or(asked);
    let prompt = prompt.to_string();
    let model = asked.get("model").and_then(Value::as_str).unwrap_or_default();
    let mut state = xxh3_64(prompt.as_bytes()) ^ index;
    let mut words = |count: usize| {
        let mut text = String::new();
        for number in 0..count {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let word = WORDS.get((state >> 59) as usize).copied().unwrap_or("water");
            if number > 0 {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    };
    let reasoning = model.contains("reasoner").then(|| words(20));
    let calls: Vec<_> = tools
        .iter()
        .map(|(name, schema)| (name.clone(), value(Some(schema).filter(|schema| schema.is_object()))))
        .collect();
    let wanted = 24;
    let length = most.map_or(wanted, |most| wanted.min(most.max(1) as usize));
    let text = match schema {
        _ if !calls.is_empty() => String::new(),
        Some(schema) => value(Some(schema)).to_string(),
        None => words(length),
    };
    let output_tokens =
        text.split(' ').count() as u64 + reasoning.as_ref().map_or(0, |text| text.split(' ').count() as u64);
    Answer {
        text,
        reasoning,
        calls,
        input_tokens: prompt.len() as u64 / 4,
        output_tokens,
        cut: length < wanted && schema.is_none(),
    }
}

/// A value that fits a JSON schema.
fn value(schema: Option<&Value>) -> Value {
    let Some(schema) = schema else { return json!({}) };
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|values| values.first()) {
        return first.clone();
    }
    if let Some(fixed) = schema.get("const") {
        return fixed.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => json!("water"),
        Some("integer" | "number") => json!(7),
        Some("boolean") => json!(true),
        Some("array") => json!([value(schema.get("items"))]),
        Some("null") => Value::Null,
        _ => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let fields = properties.into_iter().flatten().map(|(name, schema)| (name.clone(), value(Some(schema))));
            Value::Object(fields.collect::<Map<_, _>>())
        }
    }
}

/// The pieces that a text is streamed in.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

/// Sets a field of an object.
pub(super) fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
