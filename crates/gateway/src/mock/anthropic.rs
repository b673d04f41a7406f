//! The mock's answers in the shapes of Anthropic's API.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::say::{Spoken, answer, pieces, set};

pub(super) fn messages(asked: &Value) -> Spoken {
    let Some(most) = asked.get("max_tokens").and_then(Value::as_u64) else {
        let error = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: Field required"}});
        return Spoken::Whole(StatusCode::BAD_REQUEST, error);
    };
    let answer = answer(asked, 0, None, &tools(asked), Some(most));
    let mut content = Vec::new();
    if let Some(reasoning) = &answer.reasoning {
        content.push(json!({"type": "thinking", "thinking": reasoning, "signature": "bW9jaw=="}));
    }
    if answer.calls.is_empty() {
        content.push(json!({"type": "text", "text": answer.text}));
    }
    for (number, (name, input)) in answer.calls.iter().enumerate() {
        content.push(json!({"type": "tool_use", "id": format!("toolu_{number}"), "name": name, "input": input}));
    }
    let reason = match (answer.calls.is_empty(), answer.cut) {
        (false, _) => "tool_use",
        (true, true) => "max_tokens",
        (true, false) => "end_turn",
    };
    let message = |content: &[Value], reason: Value, output: u64| {
        json!({"id": "msg_mock", "type": "message", "role": "assistant", "model": asked.get("model"), "content": content,
            "stop_reason": reason, "stop_sequence": null,
            "usage": {"input_tokens": answer.input_tokens, "output_tokens": output}})
    };
    if asked.get("stream").and_then(Value::as_bool) != Some(true) {
        return Spoken::Whole(StatusCode::OK, message(&content, json!(reason), answer.output_tokens));
    }
    let mut events = Vec::new();
    let mut event = |kind: &str, mut fields: Value| {
        set(&mut fields, "type", json!(kind));
        events.push(format!("event: {kind}\ndata: {fields}\n\n"));
    };
    event("message_start", json!({"message": message(&[], Value::Null, 1)}));
    event("ping", json!({}));
    for (index, block) in content.iter().enumerate() {
        let begun = match block["type"].as_str() {
            Some("thinking") => json!({"type": "thinking", "thinking": "", "signature": ""}),
            Some("text") => json!({"type": "text", "text": ""}),
            _ => json!({"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}}),
        };
        event("content_block_start", json!({"index": index, "content_block": begun}));
        let mut delta = |delta: Value| event("content_block_delta", json!({"index": index, "delta": delta}));
        match block["type"].as_str() {
            Some("thinking") => {
                for piece in pieces(block["thinking"].as_str().unwrap_or_default()) {
                    delta(json!({"type": "thinking_delta", "thinking": piece}));
                }
                delta(json!({"type": "signature_delta", "signature": block["signature"]}));
            }
            Some("text") => {
                for piece in pieces(&answer.text) {
                    delta(json!({"type": "text_delta", "text": piece}));
                }
            }
            _ => delta(json!({"type": "input_json_delta", "partial_json": block["input"].to_string()})),
        }
        event("content_block_stop", json!({"index": index}));
    }
    let usage = json!({"output_tokens": answer.output_tokens});
    event("message_delta", json!({"delta": {"stop_reason": reason, "stop_sequence": null}, "usage": usage}));
    event("message_stop", json!({}));
    Spoken::Events(events)
}

pub(super) fn count(asked: &Value) -> Value {
    json!({"input_tokens": asked.to_string().len() / 4})
}

/// The tools to call: all that may be, until their results are there.
fn tools(asked: &Value) -> Vec<(String, Value)> {
    let last = asked.get("messages").and_then(Value::as_array).and_then(|turns| turns.last());
    let answered = last
        .and_then(|turn| turn["content"].as_array())
        .is_some_and(|parts| parts.iter().any(|part| part["type"] == "tool_result"));
    let choice = asked.pointer("/tool_choice/type").and_then(Value::as_str);
    if answered || choice == Some("none") {
        return Vec::new();
    }
    let list = asked.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let single = asked.pointer("/tool_choice/disable_parallel_tool_use").and_then(Value::as_bool) == Some(true);
    let tool = |tool: &Value| {
        Some((tool.get("name")?.as_str()?.to_owned(), tool.get("input_schema").cloned().unwrap_or_default()))
    };
    list.iter().filter_map(tool).take(if single { 1 } else { list.len() }).collect()
}
