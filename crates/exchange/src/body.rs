//! Request and response bodies of the model APIs: OpenAI (Chat, Completions, Responses, Embeddings), Anthropic Messages,
//! Gemini, and the bodies Bedrock takes (Converse, Nova, Llama, Titan, Mistral).
//!
//! One reader serves all of them, by key; no key means different things in two of them at the same type. Only the first
//! of several choices is read. Usage counts cached tokens as input, which Anthropic and Converse report apart.

use std::borrow::Cow;

use crate::bad::Notes;
use crate::content::{content, messages, parts, tools};
use crate::fields::Fields;
use crate::json::{Json, Object};
use crate::record::{Content, Message, Params, Part, Request, Response, Usage};

/// Reads a request body.
pub(crate) fn request<'a>(body: &mut Fields<'a>, notes: &mut Notes) -> Request<'a> {
    let asked = asked(body, notes);
    Request { params: params(body, notes), ..asked }
}

/// Reads a request body but for its decoding settings.
pub(crate) fn asked<'a>(body: &mut Fields<'a>, notes: &mut Notes) -> Request<'a> {
    let path = body.path();
    let system = [
        "system",
        "instructions",
        "preamble",
        "systemInstruction",
        "system_instruction",
        // Not of an API, but of flat logs.
        "system_prompt",
        "system_message",
    ];
    let system = system.into_iter().find_map(|key| body.take(key)).map(said_in_parts);
    let mut request = Request {
        system: system.map(|json| content(json, "request.system", notes)),
        messages: turns(body, notes),
        ..Request::default()
    };
    for key in ["tools", "functions"] {
        request.tools.extend(body.take(key).into_iter().flat_map(|json| tools(json, path, notes)));
    }
    if let Some(mut config) = body.fields_if("toolConfig", "request.toolConfig") {
        request.tools.extend(config.take("tools").into_iter().flat_map(|json| tools(json, config.path(), notes)));
    }
    request
}

/// Where APIs put the turns.
pub(crate) const TURNS: [&str; 8] =
    ["messages", "contents", "chat_history", "input", "prompt", "inputText", "message", "texts"];

/// The turns, wherever an API puts them.
fn turns<'a>(body: &mut Fields<'a>, notes: &mut Notes) -> Vec<Message<'a>> {
    if let Some(json) = body.take("messages") {
        return messages(json, "request.messages", notes);
    }
    if let Some(json) = body.take("contents") {
        return messages(json, "request.contents", notes);
    }
    if let Some(json) = body.take("chat_history") {
        let mut turns = messages(json, "request.chat_history", notes);
        turns.extend(body.take("message").into_iter().flat_map(|json| messages(json, "request.message", notes)));
        return turns;
    }
    // The first three are read above.
    let other = TURNS.into_iter().skip(3).find_map(|key| match body.take(key)? {
        // The Responses API also takes a stored prompt by id; there is no text in it.
        Json::Object(_) => None,
        Json::List(tokens) if matches!(tokens.first(), Some(Json::Unsigned(_))) => {
            notes.warn(body.path(), key, "text instead of token numbers");
            None
        }
        Json::Text(text) if key == "prompt" => Some(templated(&text).unwrap_or(Json::Text(text))),
        json => Some(json),
    });
    other.map(|json| messages(json, "request.input", notes)).unwrap_or_default()
}

/// The turns of a prompt that is written as a chat model reads it, with marks around the roles. What stands outside of turns,
/// and roles that nobody knows, are the caller's.
fn templated(prompt: &str) -> Option<Json<'static>> {
    let prompt = prompt.trim_start();
    let prompt = prompt.strip_prefix("<|begin_of_text|>").or_else(|| prompt.strip_prefix("<s>")).unwrap_or(prompt);
    let (begin, behind_role, end) = TEMPLATES.into_iter().find(|(begin, ..)| prompt.trim_start().starts_with(begin))?;
    let turns = prompt.split(begin).filter_map(|turn| {
        let (role, said) = turn.split_once(behind_role).unwrap_or(("user", turn));
        let said = said.replace(end, "");
        let mut message = Object::default();
        let role = if matches!(role.trim(), "system" | "assistant") { role.trim() } else { "user" };
        message.push(Cow::Borrowed("role"), Json::Text(Cow::Owned(role.to_owned())));
        message.push(Cow::Borrowed("content"), Json::Text(Cow::Owned(said.trim().to_owned())));
        (!said.trim().is_empty()).then_some(Json::Object(message))
    });
    Some(Json::List(turns.collect()))
}

/// What a turn begins with, what stands behind its role, and what it ends with: Llama's and Qwen's.
const TEMPLATES: [(&str, &str, &str); 2] =
    [("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"), ("<|im_start|>", "\n", "<|im_end|>")];

/// What Gemini puts under `parts`.
fn said_in_parts(json: Json<'_>) -> Json<'_> {
    match json {
        Json::Object(mut object) if object.has("parts") => object.take("parts").unwrap_or(Json::Null),
        json => json,
    }
}

/// Reads decoding settings, under any of their names.
pub(crate) fn params<'a>(fields: &mut Fields<'a>, notes: &mut Notes) -> Params<'a> {
    let mut params = Params {
        temperature: single(fields, &["temperature"], notes),
        top_p: single(fields, &["top_p", "topP"], notes),
        max_tokens: fields.whole(&MAX_TOKENS, notes),
        n: fields.whole(&["n"], notes),
        logprobs: None,
        top_logprobs: fields.whole(&["top_logprobs"], notes),
        logit_bias: fields.typed(&["logit_bias"], "true, false or an object", notes, |json| match json {
            Json::Bool(set) => Some(set),
            Json::Object(object) => Some(object.keys().next().is_some()),
            _ => None,
        }),
        echo: fields.flag(&["echo"], notes),
        seed: fields.whole(&["seed"], notes),
        stream: fields.flag(&["stream"], notes),
        reasoning_effort: reasoning_effort(fields, notes),
    };
    // Completions takes a number here: how many alternatives to report.
    match fields.take("logprobs") {
        None => {}
        Some(Json::Bool(asked)) => params.logprobs = Some(asked),
        Some(json) => {
            let count = json.whole();
            if count.is_none() {
                notes.warn(fields.path(), "logprobs", "true, false or a number");
            }
            params.logprobs = count.map(|_| true);
            params.top_logprobs = params.top_logprobs.or(count);
        }
    }
    if let Some(Json::List(extras)) = fields.take("include") {
        let asked = extras.into_iter().filter_map(Json::text).any(|extra| extra == "message.output_text.logprobs");
        params.logprobs = params.logprobs.or(asked.then_some(true));
    }
    for (key, path) in [
        ("inferenceConfig", "request.inferenceConfig"),
        ("textGenerationConfig", "request.textGenerationConfig"),
        ("generationConfig", "request.generationConfig"),
        ("generation_config", "request.generation_config"),
    ] {
        if let Some(mut config) = fields.fields_if(key, path) {
            params.temperature = params.temperature.or_else(|| single(&mut config, &["temperature"], notes));
            params.top_p = params.top_p.or_else(|| single(&mut config, &["topP", "top_p"], notes));
            params.max_tokens = params.max_tokens.or_else(|| config.whole(&MAX_TOKENS, notes));
            params.n = params.n.or_else(|| config.whole(&["candidateCount", "candidate_count"], notes));
            params.seed = params.seed.or_else(|| config.whole(&["seed"], notes));
            params.logprobs = params.logprobs.or_else(|| config.flag(&["responseLogprobs"], notes));
        }
    }
    params
}

const MAX_TOKENS: [&str; 9] = [
    "maxOutputTokens",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens_to_sample",
    "max_gen_len",
    "max_new_tokens",
    "maxTokens",
    "maxTokenCount",
];

fn single(fields: &mut Fields<'_>, keys: &[&'static str], notes: &mut Notes) -> Option<f32> {
    fields.typed(keys, "a number", notes, |json| Some(json.float()? as f32).filter(|value| value.is_finite()))
}

/// `reasoning_effort`, or `reasoning.effort`, `output_config.effort`, `thinking.type`.
fn reasoning_effort<'a>(fields: &mut Fields<'a>, notes: &mut Notes) -> Option<Cow<'a, str>> {
    let nested = |fields: &mut Fields<'a>, key, inner: &str| fields.fields_if(key, "request")?.take(inner)?.text();
    fields
        .text(&["reasoning_effort"], notes)
        .or_else(|| nested(fields, "reasoning", "effort"))
        .or_else(|| nested(fields, "output_config", "effort"))
        .or_else(|| nested(fields, "thinking", "type"))
}

/// A response, gathered from one body or from the chunks of a stream.
#[derive(Debug, Default)]
pub(crate) struct Answer<'a> {
    /// What came back.
    pub(crate) response: Response<'a>,
    /// What it cost.
    pub(crate) usage: Usage,
}

impl<'a> Answer<'a> {
    /// Reads a response body: an object, a list of stream chunks, or plain text.
    pub(crate) fn read(json: Json<'a>, notes: &mut Notes) -> Self {
        let mut answer = Answer::default();
        match json.unwrapped() {
            Json::Object(object) => answer.body(Fields::new("response", object), notes),
            Json::List(chunks) => chunks.into_iter().for_each(|chunk| answer.chunk(chunk, notes)),
            Json::Text(text) if is_event_stream(&text) => {
                // Lines that are no JSON, such as the final `[DONE]`, carry nothing.
                let events = text.lines().filter_map(|line| Json::parse_owned(line.strip_prefix("data:")?));
                events.for_each(|event| answer.chunk(event, notes));
            }
            Json::Text(text) => answer.say(text),
            Json::Null => {}
            _ => notes.warn("", "response", "an object"),
        }
        answer
    }

    /// Reads `content` given as a string or parts.
    pub(crate) fn content(&mut self, json: Json<'a>, path: &'static str, notes: &mut Notes) {
        match content(json, path, notes) {
            Content::Text(text) => self.say(text),
            Content::Parts(parts) => parts.into_iter().for_each(|part| self.part(part)),
        }
    }

    /// Reads a list of calls: names, or calls with their inputs.
    pub(crate) fn tool_calls(&mut self, json: Json<'a>, notes: &mut Notes) {
        let Some(list) = json.unwrapped().list() else {
            return notes.warn("response", "tool_calls", "a list");
        };
        for json in list {
            match json {
                Json::Text(name) => self.call(name),
                json => parts(json, "response.tool_calls", notes).into_iter().for_each(|part| self.part(part)),
            }
        }
    }

    /// Takes note of why the model stopped.
    pub(crate) fn finish(&mut self, reason: Cow<'a, str>) {
        if reason == "refusal" {
            self.response.refused = Some(true);
        }
        self.response.finish_reason = Some(reason);
    }

    /// Adds readable reasoning.
    pub(crate) fn reason(&mut self, text: Cow<'a, str>) {
        append(&mut self.response.reasoning, text);
    }

    fn say(&mut self, text: Cow<'a, str>) {
        append(&mut self.response.content, text);
    }

    fn call(&mut self, name: Cow<'a, str>) {
        if !name.is_empty() {
            self.response.tool_calls.push(name);
        }
    }

    fn refuse(&mut self, text: Cow<'a, str>) {
        if !text.is_empty() {
            self.response.refused = Some(true);
            self.say(text);
        }
    }

    fn part(&mut self, part: Part<'a>) {
        match part {
            Part::Text(text) => self.say(text),
            Part::Reasoning(text) => self.reason(text),
            Part::ToolCall { name, .. } => self.call(name),
            Part::SealedReasoning(_) | Part::ToolResult(_) | Part::Media => {}
        }
    }

    /// Reads a candidate of Gemini.
    fn candidate(&mut self, json: Json<'a>, notes: &mut Notes) {
        let Some(object) = json.object() else { return };
        let mut candidate = Fields::new("response.candidates[]", object);
        candidate.text(&["finishReason", "finish_reason"], notes).into_iter().for_each(|reason| self.finish(reason));
        let Some(said) = candidate.take("content").map(said_in_parts).and_then(Json::list) else { return };
        for part in said {
            match part {
                Json::Object(mut part) if part.get("thought") == Some(&Json::Bool(true)) => {
                    part.take("text").and_then(Json::text).into_iter().for_each(|text| self.reason(text));
                }
                Json::Object(mut part) if part.has("functionCall") => {
                    let call = part.take("functionCall").and_then(Json::object);
                    call.and_then(|mut call| call.take("name")?.text()).into_iter().for_each(|name| self.call(name));
                }
                part => {
                    parts(part, "response.candidates[].content", notes).into_iter().for_each(|part| self.part(part));
                }
            }
        }
    }

    /// Reads a response body, or a chunk that carries whole values.
    fn body(&mut self, mut body: Fields<'a>, notes: &mut Notes) {
        if let Some(json) = body.take("usage") {
            self.usage = usage(json, notes);
        }
        if let Some(json) = body.take("usageMetadata").or_else(|| body.take("usage_metadata")) {
            self.usage = usage(json, notes);
        }
        if let Some(candidate) = body.list(&["candidates"], notes).and_then(|list| list.into_iter().next()) {
            self.candidate(candidate, notes);
        }
        if let Some(choice) = body.list(&["choices"], notes).and_then(|choices| choices.into_iter().next()) {
            self.choice(choice, notes);
        }
        if let Some(json) = body.take("content") {
            self.content(json, "response.content", notes);
        }
        if let Some(json) = body.take("output") {
            self.output(json, notes);
        }
        // Convenience copies, read only where the structured form is missing.
        let plain = ["output_text", "completion", "generation", "outputText", "text"];
        if let (None, Some(text)) = (&self.response.content, body.text(&plain, notes)) {
            self.say(text);
        }
        for (key, inner) in [("results", "outputText"), ("outputs", "text")] {
            let first = body.take(key).and_then(Json::list).and_then(|list| list.into_iter().next()?.object());
            if let Some(mut first) = first {
                first.take(inner).and_then(Json::text).into_iter().for_each(|text| self.say(text));
                let reason = first.take("completionReason").or_else(|| first.take("stop_reason"));
                reason.and_then(Json::text).into_iter().for_each(|reason| self.finish(reason));
            }
        }
        if let Some(mut details) = body.fields_if("incomplete_details", "response.incomplete_details") {
            details.text(&["reason"], notes).into_iter().for_each(|reason| self.finish(reason));
        }
        let reason = body.text(&["stop_reason", "stopReason", "finish_reason", "completionReason"], notes);
        reason.into_iter().for_each(|reason| self.finish(reason));
        if self.response.finish_reason.is_none() && body.peek().get_text("object") == Some("response") {
            body.text(&["status"], notes).into_iter().for_each(|status| self.finish(status));
        }
    }

    fn choice(&mut self, json: Json<'a>, notes: &mut Notes) {
        let Some(object) = json.object() else {
            return notes.warn("response", "choices[]", "an object");
        };
        let mut choice = Fields::new("response.choices[]", object);
        let message = choice.fields_if("message", "response.choices[].message");
        if let Some(message) = message.or_else(|| choice.fields_if("delta", "response.choices[].delta")) {
            self.message(message, notes);
        }
        choice.text(&["text"], notes).into_iter().for_each(|text| self.say(text));
        choice.text(&["finish_reason"], notes).into_iter().for_each(|reason| self.finish(reason));
    }

    fn message(&mut self, mut message: Fields<'a>, notes: &mut Notes) {
        if let Some(json) = message.take("content") {
            self.content(json, message.path(), notes);
        }
        let reasoning = message.take("reasoning_content").or_else(|| message.take("reasoning"));
        reasoning.and_then(Json::text).into_iter().for_each(|text| self.reason(text));
        message.text(&["refusal"], notes).into_iter().for_each(|text| self.refuse(text));
        if let Some(json) = message.take("tool_calls") {
            // A stream names a call in its first chunk only; the later ones carry pieces of its input.
            for call in json.list().unwrap_or_default() {
                let named = call.object().and_then(|mut call| call.take("function").or_else(|| call.take("custom")));
                let name = named.and_then(Json::object).and_then(|mut function| function.take("name")?.text());
                name.into_iter().for_each(|name| self.call(name));
            }
        }
        if let Some(mut call) = message.fields_if("function_call", message.path()) {
            call.text(&["name"], notes).into_iter().for_each(|name| self.call(name));
        }
    }

    /// `output`: Responses items, or a Converse message.
    fn output(&mut self, json: Json<'a>, notes: &mut Notes) {
        match json {
            Json::Object(mut object) => {
                if let Some(message) = object.take("message").and_then(Json::object) {
                    self.message(Fields::new("response.output.message", message), notes);
                }
            }
            Json::List(items) => {
                for item in items {
                    match item {
                        Json::Object(mut object) if object.get_text("type") == Some("message") => {
                            for part in object.take("content").and_then(Json::list).unwrap_or_default() {
                                self.output_part(part, notes);
                            }
                        }
                        item => parts(item, "response.output", notes).into_iter().for_each(|part| self.part(part)),
                    }
                }
            }
            Json::Text(text) => self.say(text),
            _ => notes.warn("response", "output", "a list of items or a message"),
        }
    }

    fn output_part(&mut self, json: Json<'a>, notes: &mut Notes) {
        match json {
            Json::Object(mut object) if object.get_text("type") == Some("refusal") => {
                object.take("refusal").and_then(Json::text).into_iter().for_each(|text| self.refuse(text));
            }
            json => parts(json, "response.output[].content", notes).into_iter().for_each(|part| self.part(part)),
        }
    }

    /// Reads one event of a stream: Anthropic, Responses, Converse, or a chunk shaped like a body.
    fn chunk(&mut self, json: Json<'a>, notes: &mut Notes) {
        let Some(object) = json.unwrapped().object() else {
            return notes.warn("response", "[]", "a stream event");
        };
        let mut event = Fields::new("response[]", object);
        // Server-sent events are also logged with their name beside the data.
        if let Some(data) = event.fields_if("data", "response[].data") {
            event = data;
        }
        let earlier = self.usage;
        match event.peek().get_text("type").unwrap_or_default() {
            "message_start" => {
                if let Some(message) = event.fields_if("message", "response[].message") {
                    self.body(message, notes);
                }
            }
            "content_block_start" => {
                if let Some(block) = event.take("content_block") {
                    parts(block, "response[].content_block", notes).into_iter().for_each(|part| self.part(part));
                }
            }
            "content_block_delta" | "message_delta" => self.delta(event, notes),
            "response.completed" | "response.incomplete" | "response.failed" => {
                if let Some(body) = event.fields_if("response", "response[].response") {
                    self.response = Response::default();
                    self.body(body, notes);
                }
            }
            "response.output_text.delta" => {
                event.text(&["delta"], notes).into_iter().for_each(|text| self.say(text));
            }
            "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => {
                event.text(&["delta"], notes).into_iter().for_each(|text| self.reason(text));
            }
            kind if kind.starts_with("response.") => {}
            _ => self.converse(event, notes),
        }
        self.usage = later(earlier, self.usage);
    }

    fn delta(&mut self, mut event: Fields<'a>, notes: &mut Notes) {
        if let Some(json) = event.take("usage") {
            self.usage = usage(json, notes);
        }
        let Some(mut delta) = event.fields_if("delta", "response[].delta") else {
            return;
        };
        delta.text(&["text"], notes).into_iter().for_each(|text| self.say(text));
        delta.text(&["thinking"], notes).into_iter().for_each(|text| self.reason(text));
        delta.text(&["stop_reason"], notes).into_iter().for_each(|reason| self.finish(reason));
        if let Some(mut reasoning) = delta.fields_if("reasoningContent", "response[].delta.reasoningContent") {
            reasoning.text(&["text"], notes).into_iter().for_each(|text| self.reason(text));
        }
    }

    /// A Converse event, each under its own key; anything else is read as a body.
    fn converse(&mut self, mut event: Fields<'a>, notes: &mut Notes) {
        if let Some(delta) = event.fields_if("contentBlockDelta", "response[].contentBlockDelta") {
            return self.delta(delta, notes);
        }
        if let Some(mut start) = event.fields_if("contentBlockStart", "response[].contentBlockStart") {
            let part = start.take("start").map(|json| parts(json, start.path(), notes));
            return part.into_iter().flatten().for_each(|part| self.part(part));
        }
        if let Some(stop) = event.fields_if("messageStop", "response[].messageStop") {
            return self.body(stop, notes);
        }
        if let Some(metadata) = event.fields_if("metadata", "response[].metadata") {
            return self.body(metadata, notes);
        }
        // Chunks of Titan and Llama repeat `outputText` and `generation`; they add up.
        let text = event.text(&["outputText", "generation", "completion"], notes);
        text.into_iter().for_each(|text| self.say(text));
        self.body(event, notes);
    }
}

/// What an exchange cost, under any of the names in use.
pub(crate) fn usage(json: Json<'_>, notes: &mut Notes) -> Usage {
    let Some(object) = json.object() else {
        notes.warn("", "usage", "an object");
        return Usage::default();
    };
    let mut fields = Fields::new("usage", object);
    let mut usage = Usage {
        input_tokens: fields
            .whole(&["input_tokens", "prompt_tokens", "inputTokens", "inputTokenCount", "promptTokenCount"], notes),
        output_tokens: fields.whole(
            &["output_tokens", "completion_tokens", "outputTokens", "outputTokenCount", "candidatesTokenCount"],
            notes,
        ),
        reasoning_tokens: fields.whole(&["reasoning_tokens", "thoughtsTokenCount"], notes),
        cached_tokens: fields.whole(&["cached_tokens", "cachedContentTokenCount"], notes),
    };
    for key in ["completion_tokens_details", "output_tokens_details"] {
        if let Some(mut details) = fields.fields_if(key, "usage.output_tokens_details") {
            let tokens = details.whole(&["reasoning_tokens", "thinking_tokens"], notes);
            usage.reasoning_tokens = usage.reasoning_tokens.or(tokens);
        }
    }
    for key in ["prompt_tokens_details", "input_tokens_details"] {
        if let Some(mut details) = fields.fields_if(key, "usage.input_tokens_details") {
            usage.cached_tokens = usage.cached_tokens.or(details.whole(&["cached_tokens"], notes));
        }
    }
    let read: Option<u64> = fields.whole(&["cache_read_input_tokens", "cacheReadInputTokens"], notes);
    let written: Option<u64> = fields.whole(&["cache_creation_input_tokens", "cacheWriteInputTokens"], notes);
    // Counts beside `cached_tokens` only repeat it.
    if usage.cached_tokens.is_none() && (read.is_some() || written.is_some()) {
        let apart = read.unwrap_or(0).saturating_add(written.unwrap_or(0));
        usage.input_tokens = usage.input_tokens.map(|tokens| tokens.saturating_add(apart));
        usage.cached_tokens = read;
    }
    usage
}

/// Of two counts of one stream, field by field: the later one where it has a value.
fn later(earlier: Usage, later: Usage) -> Usage {
    Usage {
        input_tokens: later.input_tokens.max(earlier.input_tokens),
        output_tokens: later.output_tokens.or(earlier.output_tokens),
        reasoning_tokens: later.reasoning_tokens.or(earlier.reasoning_tokens),
        cached_tokens: later.cached_tokens.or(earlier.cached_tokens),
    }
}

/// Whether a logged body is the text of server-sent events.
fn is_event_stream(text: &str) -> bool {
    text.starts_with("data:") || text.starts_with("event:")
}

fn append<'a>(slot: &mut Option<Cow<'a, str>>, text: Cow<'a, str>) {
    match slot {
        Some(have) if !have.is_empty() => have.to_mut().push_str(&text),
        slot => *slot = Some(text),
    }
}
