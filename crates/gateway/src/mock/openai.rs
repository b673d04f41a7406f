//! The mock's answers in the shapes of OpenAI's API.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::say::{Answer, Spoken, answer, pieces, set};
use crate::limits::ALTERNATIVES_MAX;

/// The models that the mock has, and what each does.
pub const MODELS: [(&str, &str); 7] = [
    ("mock-1", "answers"),
    ("mock-reasoner", "answers with its reasoning"),
    ("mock-slow", "answers with a pause of 50 ms before every event"),
    ("mock-never", "never answers"),
    ("mock-dies", "breaks off in the middle of a stream"),
    ("mock-error", "answers with status 500"),
    ("mock-busy", "answers with status 429"),
];

const CREATED: u64 = 1_760_000_000;

pub(super) fn models() -> Value {
    let list: Vec<Value> = MODELS.iter().filter_map(|(name, _)| model(name)).collect();
    json!({"object": "list", "data": list})
}

pub(super) fn model(name: &str) -> Option<Value> {
    let (name, _) = MODELS.iter().find(|(known, _)| *known == name)?;
    Some(json!({"id": name, "object": "model", "created": CREATED, "owned_by": "stillwatch"}))
}

pub(super) fn chat(asked: &Value) -> Spoken {
    let schema = asked.pointer("/response_format/json_schema/schema");
    let count = asked.get("n").and_then(Value::as_u64).unwrap_or(1).min(ALTERNATIVES_MAX.into());
    let answers: Vec<Answer> =
        (0..count).map(|index| answer(asked, index, schema, &tools(asked), most(asked))).collect();
    let usage = usage(&answers);
    let model = asked.get("model").cloned().unwrap_or_default();
    if asked.get("stream").and_then(Value::as_bool) != Some(true) {
        let choices: Vec<Value> =
            answers.iter().enumerate().map(|(index, answer)| choice(asked, index, answer)).collect();
        return Spoken::Whole(
            StatusCode::OK,
            json!({"id": "chatcmpl-mock", "object": "chat.completion", "created": CREATED, "model": model,
                "choices": choices, "usage": usage}),
        );
    }
    let mut events = Vec::new();
    let chunk = |choices: Value, usage: Value| {
        let body = json!({"id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": CREATED, "model": model,
            "choices": choices, "usage": usage});
        format!("data: {body}\n\n")
    };
    for (index, answer) in answers.iter().enumerate() {
        let mut delta = |delta: Value, reason: Value, logprobs: Value| {
            let choice = json!([{"index": index, "delta": delta, "finish_reason": reason, "logprobs": logprobs}]);
            events.push(chunk(choice, Value::Null));
        };
        delta(json!({"role": "assistant", "content": ""}), Value::Null, Value::Null);
        for piece in answer.reasoning.iter().flat_map(|text| pieces(text)) {
            delta(json!({"reasoning_content": piece}), Value::Null, Value::Null);
        }
        for piece in pieces(&answer.text) {
            delta(json!({"content": piece}), Value::Null, logprobs(asked, piece));
        }
        for (number, (name, input)) in answer.calls.iter().enumerate() {
            let call = json!({"index": number, "id": format!("call_{number}"), "type": "function",
                "function": {"name": name, "arguments": ""}});
            delta(json!({"tool_calls": [call]}), Value::Null, Value::Null);
            let rest = json!({"index": number, "function": {"arguments": input.to_string()}});
            delta(json!({"tool_calls": [rest]}), Value::Null, Value::Null);
        }
        delta(json!({}), json!(reason(answer)), Value::Null);
    }
    if asked.pointer("/stream_options/include_usage").and_then(Value::as_bool) == Some(true) {
        events.push(chunk(json!([]), usage));
    }
    events.push("data: [DONE]\n\n".to_owned());
    Spoken::Events(events)
}

pub(super) fn completion(asked: &Value) -> Spoken {
    let count = asked.get("n").and_then(Value::as_u64).unwrap_or(1).min(ALTERNATIVES_MAX.into());
    let answers: Vec<Answer> = (0..count).map(|index| answer(asked, index, None, &[], most(asked))).collect();
    let body = |choices: Value| {
        json!({"id": "cmpl-mock", "object": "text_completion", "created": CREATED, "model": asked.get("model"),
            "choices": choices, "usage": usage(&answers)})
    };
    if asked.get("stream").and_then(Value::as_bool) == Some(true) {
        let text = answers.first().map(|answer| answer.text.as_str()).unwrap_or_default();
        let event = |piece| body(json!([{"index": 0, "text": piece, "finish_reason": null, "logprobs": null}]));
        let events = pieces(text).map(|piece| format!("data: {}\n\n", event(piece)));
        return Spoken::Events(events.chain(["data: [DONE]\n\n".to_owned()]).collect());
    }
    let choices = answers.iter().enumerate();
    let choices = choices.map(|(index, answer)| {
        json!({"index": index, "text": answer.text, "finish_reason": reason(answer), "logprobs": null})
    });
    Spoken::Whole(StatusCode::OK, body(choices.collect()))
}

pub(super) fn responses(asked: &Value) -> Spoken {
    let schema = asked.pointer("/text/format/schema");
    let answer = answer(asked, 0, schema, &tools(asked), most(asked));
    let mut output = Vec::new();
    if let Some(reasoning) = &answer.reasoning {
        let summary = json!([{"type": "summary_text", "text": reasoning}]);
        output.push(json!({"type": "reasoning", "id": "rs_mock", "summary": summary}));
    }
    for (number, (name, input)) in answer.calls.iter().enumerate() {
        output.push(json!({"type": "function_call", "id": format!("fc_{number}"), "call_id": format!("call_{number}"),
            "name": name, "arguments": input.to_string(), "status": "completed"}));
    }
    if answer.calls.is_empty() {
        let content = json!([{"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}]);
        output.push(json!({"type": "message", "id": "msg_mock", "role": "assistant", "status": "completed", "content": content}));
    }
    let response = |status: &str, output: &[Value]| {
        json!({"id": "resp_mock", "object": "response", "created_at": CREATED, "status": status, "model": asked.get("model"),
            "output": output, "parallel_tool_calls": true, "tool_choice": "auto", "tools": [], "error": null,
            "incomplete_details": null, "instructions": null, "metadata": {}, "temperature": 1.0, "top_p": 1.0,
            "usage": {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens,
                "total_tokens": answer.input_tokens + answer.output_tokens,
                "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}})
    };
    if asked.get("stream").and_then(Value::as_bool) != Some(true) {
        return Spoken::Whole(StatusCode::OK, response("completed", &output));
    }
    let mut events = Vec::new();
    let mut event = |kind: &str, mut fields: Value| {
        set(&mut fields, "type", json!(kind));
        set(&mut fields, "sequence_number", json!(events.len()));
        events.push(format!("event: {kind}\ndata: {fields}\n\n"));
    };
    event("response.created", json!({"response": response("in_progress", &[])}));
    for (index, item) in output.iter().enumerate() {
        event("response.output_item.added", json!({"output_index": index, "item": begun(item)}));
        let id = item["id"].clone();
        match item["type"].as_str() {
            Some("message") => {
                let part = json!({"type": "output_text", "text": "", "annotations": [], "logprobs": []});
                let place = |mut fields: Value| {
                    set(&mut fields, "output_index", json!(index));
                    set(&mut fields, "content_index", json!(0));
                    set(&mut fields, "item_id", id.clone());
                    fields
                };
                event("response.content_part.added", place(json!({"part": part})));
                for piece in pieces(&answer.text) {
                    event("response.output_text.delta", place(json!({"delta": piece, "logprobs": []})));
                }
                event("response.output_text.done", place(json!({"text": answer.text, "logprobs": []})));
                event("response.content_part.done", place(json!({"part": item.pointer("/content/0")})));
            }
            Some("reasoning") => {
                let text = answer.reasoning.clone().unwrap_or_default();
                for piece in pieces(&text) {
                    let fields = json!({"output_index": index, "summary_index": 0, "item_id": id, "delta": piece});
                    event("response.reasoning_summary_text.delta", fields);
                }
                let fields = json!({"output_index": index, "summary_index": 0, "item_id": id, "text": text});
                event("response.reasoning_summary_text.done", fields);
            }
            _ => {
                let arguments = item["arguments"].clone();
                let fields = json!({"output_index": index, "item_id": id, "delta": arguments});
                event("response.function_call_arguments.delta", fields);
                let fields =
                    json!({"output_index": index, "item_id": id, "arguments": arguments, "name": item["name"]});
                event("response.function_call_arguments.done", fields);
            }
        }
        event("response.output_item.done", json!({"output_index": index, "item": item}));
    }
    event("response.completed", json!({"response": response("completed", &output)}));
    Spoken::Events(events)
}

pub(super) fn embeddings(asked: &Value) -> Value {
    let inputs = match asked.get("input") {
        Some(Value::Array(list)) if list.first().is_some_and(Value::is_string) => list.clone(),
        Some(other) => vec![other.clone()],
        None => Vec::new(),
    };
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let hash = xxhash_rust::xxh3::xxh3_64(input.to_string().as_bytes());
            let vector: Vec<f32> = (0..8).map(|at| f32::from((hash >> (8 * at)) as u8) / 255.0 - 0.5).collect();
            let embedding = if asked.get("encoding_format").and_then(Value::as_str) == Some("base64") {
                use base64::Engine as _;
                let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
                json!(base64::engine::general_purpose::STANDARD.encode(bytes))
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    json!({"object": "list", "data": data, "model": asked.get("model"), "usage": {"prompt_tokens": 8, "total_tokens": 8}})
}

/// An item of a response before it has any content.
fn begun(item: &Value) -> Value {
    let mut item = item.clone();
    for (key, empty) in [("content", json!([])), ("summary", json!([])), ("arguments", json!(""))] {
        if item.get(key).is_some() {
            set(&mut item, key, empty);
        }
    }
    if item.get("status").is_some() {
        set(&mut item, "status", json!("in_progress"));
    }
    item
}

fn choice(asked: &Value, index: usize, answer: &Answer) -> Value {
    let calls: Vec<Value> = answer
        .calls
        .iter()
        .enumerate()
        .map(|(number, (name, input))| {
            json!({"id": format!("call_{number}"), "type": "function",
                "function": {"name": name, "arguments": input.to_string()}})
        })
        .collect();
    let mut message = json!({"role": "assistant", "content": answer.text, "refusal": null});
    if !calls.is_empty() {
        set(&mut message, "content", Value::Null);
        set(&mut message, "tool_calls", Value::Array(calls));
    }
    if let Some(reasoning) = &answer.reasoning {
        set(&mut message, "reasoning_content", json!(reasoning));
    }
    json!({"index": index, "message": message, "finish_reason": reason(answer), "logprobs": logprobs(asked, &answer.text)})
}

fn logprobs(asked: &Value, text: &str) -> Value {
    if asked.get("logprobs").and_then(Value::as_bool) != Some(true) {
        return Value::Null;
    }
    let top = asked.get("top_logprobs").and_then(Value::as_u64).unwrap_or(0);
    let content: Vec<Value> = pieces(text)
        .map(|piece| {
            let others: Vec<Value> =
                (0..top).map(|rank| json!({"token": piece, "logprob": -0.1 - rank as f64, "bytes": null})).collect();
            json!({"token": piece, "logprob": -0.1, "bytes": null, "top_logprobs": others})
        })
        .collect();
    json!({"content": content, "refusal": null})
}

fn reason(answer: &Answer) -> &'static str {
    if answer.calls.is_empty() { if answer.cut { "length" } else { "stop" } } else { "tool_calls" }
}

fn usage(answers: &[Answer]) -> Value {
    let input = answers.first().map_or(0, |answer| answer.input_tokens);
    let output: u64 = answers.iter().map(|answer| answer.output_tokens).sum();
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output})
}

fn most(asked: &Value) -> Option<u64> {
    ["max_completion_tokens", "max_tokens", "max_output_tokens"].iter().find_map(|key| asked.get(key)?.as_u64())
}

/// The tools to call: all that may be, until their results are there.
fn tools(asked: &Value) -> Vec<(String, Value)> {
    let turns = asked.get("messages").or_else(|| asked.get("input")).and_then(Value::as_array);
    let last = turns.and_then(|turns| turns.last());
    let answered = last.is_some_and(|turn| turn["role"] == "tool" || turn["type"] == "function_call_output");
    if answered || asked.get("tool_choice").and_then(Value::as_str) == Some("none") {
        return Vec::new();
    }
    let list = asked.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let most = if asked.get("parallel_tool_calls").and_then(Value::as_bool) == Some(false) { 1 } else { list.len() };
    let function = |tool: &Value| {
        let function = tool.get("function").unwrap_or(tool);
        Some((function.get("name")?.as_str()?.to_owned(), function.get("parameters").cloned().unwrap_or_default()))
    };
    list.iter().filter_map(function).take(most).collect()
}
