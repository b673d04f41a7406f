//! Content parts, turns and tools, as OpenAI, Anthropic, Bedrock Converse and OpenTelemetry write them.
//!
//! One reader serves all of them: their shapes differ enough to tell them apart part by part. A part of an unknown kind
//! keeps its text if it has one, else it counts as media; nothing here fails.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::bad::Notes;
use crate::fields::Fields;
use crate::json::{Json, Object};
use crate::limits;
use crate::record::{Content, Message, Part, Role, Tool};

/// What is said in a turn: a string, or parts, or one part.
pub(crate) fn content<'a>(json: Json<'a>, path: &'static str, notes: &mut Notes) -> Content<'a> {
    match json {
        Json::Text(text) => Content::Text(text),
        Json::Null => Content::default(),
        json => Content::Parts(parts(json, path, notes)),
    }
}

/// What is said in a turn, where content parts may stand as JSON in a string. A prompt may look like JSON, too, and say
/// more than a reader of parts would see: only text parts and nothing else are opened.
pub(crate) fn opened_parts(json: Json<'_>) -> Json<'_> {
    let Json::Text(text) = &json else { return json };
    if !text.trim_start().starts_with('[') {
        return json;
    }
    match Json::parse_owned(text) {
        Some(Json::List(list)) if !list.is_empty() && list.iter().all(is_text_part) => Json::List(list),
        _ => json,
    }
}

fn is_text_part(json: &Json<'_>) -> bool {
    let Json::Object(part) = json else { return false };
    let kind = part.get_text("type");
    part.keys().all(|key| matches!(key, "type" | "text" | "content"))
        && kind.is_some_and(|kind| matches!(kind, "text" | "input_text" | "output_text"))
        && (part.get_text("text").is_some() || part.get_text("content").is_some())
}

/// As [`content`], always as parts; an empty string is none.
pub(crate) fn parts<'a>(json: Json<'a>, path: &'static str, notes: &mut Notes) -> Vec<Part<'a>> {
    let mut out = Vec::new();
    match json {
        Json::List(list) => {
            out.reserve(list.len());
            list.into_iter().for_each(|json| part(json, path, notes, &mut out));
        }
        Json::Text(text) if text.is_empty() => {}
        json => part(json, path, notes, &mut out),
    }
    out
}

/// Turns, oldest first: a list of messages or Responses items, one of them, or a string, which is the caller's.
pub(crate) fn messages<'a>(json: Json<'a>, path: &'static str, notes: &mut Notes) -> Vec<Message<'a>> {
    let mut out = Vec::new();
    match json.unwrapped() {
        Json::List(list) => {
            out.reserve(list.len());
            list.into_iter().for_each(|json| message(json, path, notes, &mut out));
        }
        json => message(json, path, notes, &mut out),
    }
    keep_latest(&mut out, path, notes);
    out
}

/// Of more than [`limits::MESSAGES_MAX`] turns, keeps the first half and the latest; empty ones go before.
fn keep_latest(messages: &mut Vec<Message<'_>>, path: &'static str, notes: &mut Notes) {
    if messages.len() > limits::MESSAGES_MAX {
        messages.retain(|message| message.content.texts().any(|text| !text.is_empty()));
    }
    if let Some(excess @ 1..) = messages.len().checked_sub(limits::MESSAGES_MAX) {
        let kept = limits::MESSAGES_MAX / 2;
        messages.drain(kept..kept + excess);
        notes.warn(path, "[middle]", "fewer messages");
    }
}

/// The role a word stands for.
pub(crate) fn role(word: &str) -> Role {
    match word {
        "system" | "developer" => Role::System,
        "user" | "human" => Role::User,
        "assistant" | "model" | "ai" | "chatbot" => Role::Assistant,
        "tool" | "function" | "ipython" => Role::Tool,
        word if word.bytes().any(|byte| byte.is_ascii_uppercase()) => role(&word.to_ascii_lowercase()),
        _ => Role::Other,
    }
}

/// The tools on offer: names, or definitions of any kind.
pub(crate) fn tools<'a>(json: Json<'a>, path: &'static str, notes: &mut Notes) -> Vec<Tool<'a>> {
    let Some(list) = json.unwrapped().list() else {
        notes.warn(path, "tools", "a list");
        return Vec::new();
    };
    list.into_iter().filter_map(|json| tool(json, path, notes)).collect()
}

fn tool<'a>(json: Json<'a>, path: &'static str, notes: &mut Notes) -> Option<Tool<'a>> {
    let object = match json.unwrapped() {
        Json::Text(name) => {
            return Some(Tool { name, description: None });
        }
        Json::Object(object) => object,
        _ => {
            notes.warn(path, "tools[]", "a name or a definition");
            return None;
        }
    };
    let mut outer = Fields::new(path, object);
    // Tools that the provider runs have a type and perhaps no name.
    let kind = outer.text(&["server_label", "type"], notes);
    let inner = ["function", "toolSpec", "custom"].into_iter().find_map(|key| outer.fields_if(key, path));
    let mut fields = inner.unwrap_or(outer);
    let name = fields.text(&["name"], notes).or(kind);
    if name.is_none() {
        notes.warn(path, "tools[].name", "a string");
    }
    Some(Tool { name: name?, description: fields.text(&["description"], notes) })
}

fn message<'a>(json: Json<'a>, path: &'static str, notes: &mut Notes, out: &mut Vec<Message<'a>>) {
    let object = match json {
        Json::Text(text) => {
            return out.push(Message { role: Role::User, content: Content::Text(text) });
        }
        Json::Object(object) => object,
        // LangChain sends several conversations at once, which nearly always are one.
        Json::List(list) => return list.into_iter().for_each(|json| message(json, path, notes, out)),
        _ => return notes.warn(path, "[]", "a message"),
    };
    let object = of_langchain(object);
    if !object.has("role") && object.get_text("type").is_some_and(|kind| kind != "message") {
        return item(Json::Object(object), path, notes, out);
    }
    let mut fields = Fields::new(path, object);
    let role = fields.text(&["role"], notes).map_or(Role::Other, |word| role(&word));
    // OpenTelemetry puts the parts under `parts`.
    let body = fields.take("content").or_else(|| fields.take("parts")).unwrap_or(Json::Null);
    let mut said = content(body, path, notes);
    let reasoning = fields
        .take("reasoning_content")
        .or_else(|| fields.take("reasoning"))
        .and_then(Json::text)
        .filter(|text| !text.is_empty());
    let refusal = fields.take("refusal").and_then(Json::text);
    let calls = fields.take("tool_calls").into_iter().chain(fields.take("function_call"));
    let calls: Vec<Part> = calls.flat_map(|json| parts(json, path, notes)).collect();
    if reasoning.is_some() || refusal.is_some() || !calls.is_empty() {
        let spoken = match said {
            Content::Text(text) if text.is_empty() => Vec::new(),
            Content::Text(text) => vec![Part::Text(text)],
            Content::Parts(parts) => parts,
        };
        said = Content::Parts(
            reasoning
                .map(Part::Reasoning)
                .into_iter()
                .chain(spoken)
                .chain(refusal.map(Part::Text))
                .chain(calls)
                .collect(),
        );
    }
    out.push(Message { role, content: said });
}

/// A message of LangChain as one with a role: what is serialised stands under `kwargs` or `data`, and its kind in `type`.
fn of_langchain(mut object: Object<'_>) -> Object<'_> {
    if object.has("role") {
        return object;
    }
    let kind =
        object.get_text("type").filter(|kind| matches!(*kind, "human" | "ai" | "system" | "tool")).map(str::to_owned);
    let key = if object.has("lc") { "kwargs" } else { "data" };
    let mut inner = match object.get_object(key) {
        Some(_) if key == "kwargs" || kind.is_some() => object.take(key).and_then(Json::object).unwrap_or_default(),
        _ if kind.is_some() => object,
        _ => return object,
    };
    if let Some(kind) = kind.or_else(|| inner.get_text("type").map(str::to_owned)) {
        inner.push(Cow::Borrowed("role"), Json::Text(Cow::Owned(kind)));
    }
    inner
}

/// A Responses item that is no message: a call, its result, reasoning.
fn item<'a>(json: Json<'a>, path: &'static str, notes: &mut Notes, out: &mut Vec<Message<'a>>) {
    let parts = parts(json, path, notes);
    let role = match parts.first() {
        Some(Part::ToolResult(_)) => Role::Tool,
        Some(Part::Reasoning(_) | Part::SealedReasoning(_) | Part::ToolCall { .. }) => Role::Assistant,
        Some(Part::Text(_) | Part::Media) => Role::User,
        None => return,
    };
    out.push(Message { role, content: Content::Parts(parts) });
}

/// Reads one part; a reasoning part may give several.
fn part<'a>(json: Json<'a>, path: &'static str, notes: &mut Notes, out: &mut Vec<Part<'a>>) {
    let object = match json {
        Json::Text(text) => return out.push(Part::Text(text)),
        Json::Object(object) => object,
        _ => return notes.warn(path, "content", "a string or content parts"),
    };
    let mut fields = Fields::new(path, object);
    let kind = fields.take("type").and_then(Json::text);
    match kind.as_deref() {
        Some("text" | "input_text" | "output_text") => text(&mut fields, path, notes, out),
        Some("refusal") => out.extend(fields.text(&["refusal", "content"], notes).map(Part::Text)),
        Some("thinking" | "reasoning" | "reasoning_text" | "summary_text" | "redacted_thinking") => {
            reasoning(&mut fields, path, notes, out);
        }
        Some(kind) if is_call(kind) => call(&mut fields, path, notes, out),
        Some(kind) if is_result(kind) => result(&mut fields, path, notes, out),
        Some(kind) if is_media(kind) => {
            out.push(Part::Media);
            document(&mut fields, path, notes, out);
        }
        Some("item_reference" | "compaction" | "cache_point") => {}
        Some(_) | None => untagged(&mut fields, kind.is_some(), path, notes, out),
    }
}

fn is_call(kind: &str) -> bool {
    kind.ends_with("tool_use") || kind.ends_with("_call") || kind == "function"
}

fn is_result(kind: &str) -> bool {
    kind.ends_with("_result") || kind.ends_with("_call_output") || kind.ends_with("_call_response")
}

fn is_media(kind: &str) -> bool {
    let kind = kind.strip_prefix("input_").unwrap_or(kind);
    let starts = ["image", "audio", "file", "document", "video", "media", "blob", "uri", "container_upload"];
    starts.iter().any(|start| kind.starts_with(start))
}

/// The texts that a document or file brings along: a model reads them like any other.
fn document<'a>(fields: &mut Fields<'a>, path: &'static str, notes: &mut Notes, out: &mut Vec<Part<'a>>) {
    for key in ["title", "context", "text", "content"] {
        match fields.take(key) {
            Some(Json::Text(text)) if !text.is_empty() => out.push(Part::Text(text)),
            Some(json @ Json::List(_)) => out.extend(parts(json, path, notes)),
            _ => {}
        }
    }
    let mut inner = fields.fields_if("file", path);
    let file = inner.as_mut().unwrap_or(fields);
    if let Some(Json::Text(data)) = file.take("file_data") {
        out.extend(text_file(&data).map(|text| Part::Text(Cow::Owned(text))));
    }
    if let Some(mut source) = fields.fields_if("source", path) {
        if source.peek().get_text("type") == Some("text") {
            out.extend(source.take("data").and_then(Json::text).map(Part::Text));
        }
        if let Some(json) = source.take("content") {
            out.extend(parts(json, path, notes));
        }
    }
}

/// A file that is text, as a `data:` URL. It is no longer than what it was written as.
fn text_file(data: &str) -> Option<String> {
    let (kind, data) = data.strip_prefix("data:")?.split_once(',')?;
    let is_text =
        kind.starts_with("text/") || kind.starts_with("application/json") || kind.starts_with("application/xml");
    if !is_text || !kind.ends_with(";base64") {
        return None;
    }
    String::from_utf8(STANDARD.decode(data.trim()).ok()?).ok().filter(|text| !text.is_empty())
}

/// A text part: `text` (a string, or an object with `value`), or `content` as OpenTelemetry writes it.
fn text<'a>(fields: &mut Fields<'a>, path: &'static str, notes: &mut Notes, out: &mut Vec<Part<'a>>) {
    let text = match fields.take("text").or_else(|| fields.take("content")) {
        Some(Json::Text(text)) => Some(text),
        Some(Json::Object(mut object)) => object.take("value").or_else(|| object.take("text")).and_then(Json::text),
        _ => None,
    };
    match text {
        Some(text) => out.push(Part::Text(text)),
        None => notes.warn(path, "content[].text", "a string"),
    }
}

/// Reasoning: readable text, then what is sealed (a signature or an encrypted copy).
fn reasoning<'a>(fields: &mut Fields<'a>, path: &'static str, notes: &mut Notes, out: &mut Vec<Part<'a>>) {
    for key in ["thinking", "text", "reasoning", "summary", "content"] {
        match fields.take(key) {
            Some(Json::Text(text)) if text.is_empty() => {}
            Some(Json::Text(text)) => out.push(Part::Reasoning(text)),
            Some(json @ Json::List(_)) => {
                let parts = parts(json, path, notes).into_iter().map(|part| match part {
                    Part::Text(text) => Part::Reasoning(text),
                    part => part,
                });
                out.extend(parts.filter(|part| !matches!(part, Part::Reasoning(text) if text.is_empty())));
            }
            _ => {}
        }
    }
    let sealed = ["signature", "data", "encrypted_content"].into_iter().filter_map(|key| fields.take(key)?.text());
    out.extend(sealed.filter(|blob| !blob.is_empty()).map(Part::SealedReasoning));
}

/// A tool call; OpenAI nests it under `function` or `custom`.
fn call<'a>(fields: &mut Fields<'a>, path: &'static str, notes: &mut Notes, out: &mut Vec<Part<'a>>) {
    let mut inner = ["function", "custom"].into_iter().find_map(|key| fields.fields_if(key, path));
    let fields = inner.as_mut().unwrap_or(fields);
    let input = ["input", "arguments", "action"].into_iter().find_map(|key| fields.take(key));
    let input = input.map_or(Cow::Borrowed(""), into_text);
    match fields.text(&["name", "server_label"], notes) {
        Some(name) => out.push(Part::ToolCall { name, input }),
        None if input.is_empty() => notes.warn(path, "content[].name", "a string"),
        // Built-in tools of the Responses API have a type and no name.
        None => out.push(Part::ToolCall { name: Cow::Borrowed(""), input }),
    }
}

/// What a tool returned: a string, nested parts, or anything else as JSON.
fn result<'a>(fields: &mut Fields<'a>, path: &'static str, notes: &mut Notes, out: &mut Vec<Part<'a>>) {
    let body = ["content", "output", "response", "result"].into_iter().find_map(|key| fields.take(key));
    let text = match body {
        None => Cow::Borrowed(""),
        Some(json @ Json::List(_)) => joined(&Content::Parts(parts(json, path, notes))),
        Some(json) => into_text(json),
    };
    out.push(Part::ToolResult(text));
}

/// Parts told apart by their key: Bedrock Converse, and whatever else has a text.
fn untagged<'a>(fields: &mut Fields<'a>, tagged: bool, path: &'static str, notes: &mut Notes, out: &mut Vec<Part<'a>>) {
    if matches!(fields.peek().get("text"), Some(Json::Text(_) | Json::Object(_))) {
        return text(fields, path, notes, out);
    }
    if fields.peek().has("function") {
        return call(fields, path, notes, out);
    }
    if let Some(mut inner) = fields.fields_if("toolUse", path) {
        return call(&mut inner, path, notes, out);
    }
    if let Some(mut inner) = fields.fields_if("toolResult", path) {
        return result(&mut inner, path, notes, out);
    }
    if let Some(mut inner) = fields.fields_if("guardContent", path) {
        return text(&mut inner, path, notes, out);
    }
    if let Some(mut inner) = fields.fields_if("reasoningContent", path) {
        let mut readable = inner.fields_if("reasoningText", path);
        reasoning(readable.as_mut().unwrap_or(&mut inner), path, notes, out);
        return out.extend(inner.take("redactedContent").and_then(Json::text).map(Part::SealedReasoning));
    }
    if ["image", "document", "video", "audio"].into_iter().any(|key| fields.peek().has(key)) {
        return out.push(Part::Media);
    }
    if fields.peek().has("json") {
        return out.extend(fields.take("json").map(|json| Part::Text(into_text(json))));
    }
    if fields.peek().has("name") {
        return call(fields, path, notes, out);
    }
    if fields.peek().has("cachePoint") {
        return;
    }
    notes.warn(path, "content[].type", "a known kind of part");
    if tagged {
        out.push(Part::Media);
    }
}

/// A value as text: a string as it is, anything else as JSON.
pub(crate) fn into_text(json: Json<'_>) -> Cow<'_, str> {
    match json {
        Json::Text(text) => text,
        json => Cow::Owned(json.to_text()),
    }
}

/// The texts of `content`, one to a line.
fn joined<'a>(content: &Content<'a>) -> Cow<'a, str> {
    let mut texts = content.texts();
    let (Some(first), None) = (texts.next(), texts.next()) else {
        return Cow::Owned(content.texts().collect::<Vec<_>>().join("\n"));
    };
    Cow::Owned(first.to_owned())
}
