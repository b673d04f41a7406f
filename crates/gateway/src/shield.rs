//! What is held back: fields of requests and replies that help to train on a model, where the asker may not have them.
//!
//! Promises to leave everything else as it was: only the named fields go, and clients that read the reply go on
//! working, so reasoning is emptied and not cut out of its list. Runs only where something is to be held back. Refuses
//! to let pass what it cannot read: a reply that is no JSON, or an event that is none, is not delivered.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use policy::{Action, Actions};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::fields::{self, Needs};
use crate::limits::{EVENT_BYTES_MAX, SHIELDED_EMBEDDING_DECIMALS, SHIELDED_OUTPUT_TOKENS};
use crate::route::Call;
use crate::thoughts::{self, Answers};

/// A reply that cannot be filtered, and so is not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// It is no JSON.
    #[error("the reply is no JSON, so nothing can be held back from it")]
    NotJson,
    /// A line of a stream is of no kind that is known, or ends in a way that readers see differently.
    #[error("a line of the reply is no line of an event")]
    NotAnEvent,
    /// A vector is of no kind that can be rounded.
    #[error("a vector of the reply is neither a list of numbers nor base64 of 32-bit floats")]
    NotAVector,
    /// A line of what came out of a batch holds no reply that is known.
    #[error("a line of the results is no reply to a request of the batch")]
    NotAResult,
    /// An event or a line is too long.
    #[error("an event of the reply is longer than {EVENT_BYTES_MAX} bytes")]
    TooLong,
}

/// How much is left of what is held back in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Tokens of a reply that may not be long.
    pub output_tokens: u64,
    /// Decimals of the numbers of a vector that may not be exact.
    pub embedding_decimals: u8,
}

impl Default for Caps {
    fn default() -> Self {
        Caps { output_tokens: SHIELDED_OUTPUT_TOKENS, embedding_decimals: SHIELDED_EMBEDDING_DECIMALS }
    }
}

/// What is held back of one request and its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The actions that are not permitted.
    pub held: Actions,
    /// How much is left of what is held back in part.
    pub caps: Caps,
    /// Texts that are completed, each of which has one answer where it may have no others.
    pub prompts: u64,
    /// Whether answers begin within reasoning.
    pub within: bool,
}

impl Hold {
    /// Of a request for one answer that begins as answers do.
    #[must_use]
    pub fn new(held: Actions, caps: Caps) -> Hold {
        Hold { held, caps, prompts: 1, within: false }
    }

    /// Of a request with this body for so many texts; `thinks` where the model is known to begin within reasoning.
    #[must_use]
    pub fn of(held: Actions, caps: Caps, body: &[u8], call: Call, prompts: u64, thinks: bool) -> Hold {
        let within = held.has(Action::ReasoningText) && (thinks || thoughts::are_opened(body, call));
        Hold { held, caps, prompts, within }
    }
}

/// The request without what is `held` back; the same bytes where it asks for nothing of it.
///
/// # Errors
///
/// When it is no JSON object.
pub fn request(body: &Bytes, call: Call, held: Actions, caps: Caps) -> Result<Bytes, Unreadable> {
    let mut fields: BTreeMap<Cow<'_, str>, Cow<'_, RawValue>> =
        serde_json::from_slice::<BTreeMap<Cow<'_, str>, &RawValue>>(body)
            .map_err(|_| Unreadable::NotJson)?
            .into_iter()
            .map(|(key, value)| (key, Cow::Borrowed(value)))
            .collect();
    let before = fields.len();
    fields.retain(|key, _| fields::may_stay(key, held));
    let mut changed = fields.len() != before;
    let extras = |extra: &str| {
        (held.has(Action::Logprobs) && extra.ends_with("logprobs"))
            || (held.has(Action::ReasoningText) && extra.starts_with("reasoning."))
    };
    if let Some(include) = fields.get("include")
        && let Ok(mut include) = serde_json::from_str::<Vec<String>>(include.get())
        && include.iter().any(|extra| extras(extra))
    {
        include.retain(|extra| !extras(extra));
        fields.insert(Cow::Borrowed("include"), Cow::Owned(raw(&include)?));
        changed = true;
    }
    if held.has(Action::LongOutput) && call.writes() {
        changed |= cap_output(&mut fields, call, caps.output_tokens)?;
    }
    if held.has(Action::FullPrecision) && call == Call::Embeddings {
        // Other ways to write vectors are none that can be rounded.
        let readable = |format: &RawValue| matches!(format.get(), "null" | "\"float\"" | "\"base64\"");
        let before = fields.len();
        fields.retain(|key, value| key != "encoding_format" || readable(value));
        changed |= fields.len() != before;
    }
    if !changed {
        return Ok(body.clone());
    }
    serde_json::to_vec(&fields).map(Bytes::from).map_err(|_| Unreadable::NotJson)
}

/// Holds a reply to `most` tokens, by each field that says how many it may have, or by the one of its API.
fn cap_output(
    fields: &mut BTreeMap<Cow<'_, str>, Cow<'_, RawValue>>,
    call: Call,
    most: u64,
) -> Result<bool, Unreadable> {
    let (mut is_told, mut changed) = (false, false);
    for (key, value) in fields.iter_mut().filter(|(key, _)| fields::needs(key) == Some(Needs::OutputTokens)) {
        let asked = serde_json::from_str::<u64>(value.get()).ok();
        is_told |= key != "n_predict" && key != "max_new_tokens";
        if asked.is_none_or(|asked| asked > most) {
            *value = Cow::Owned(raw(&most)?);
            changed = true;
        }
    }
    // A server takes no more tokens for thinking than a reply may have.
    let thinks_too_long = |thinking: &RawValue| {
        let budget =
            serde_json::from_str::<Value>(thinking.get()).ok().and_then(|it| it.get("budget_tokens")?.as_u64());
        budget.is_some_and(|budget| budget >= most)
    };
    if fields.get("thinking").is_some_and(|thinking| thinks_too_long(thinking)) {
        fields.remove("thinking");
        changed = true;
    }
    if !is_told {
        let name = if call == Call::Responses { "max_output_tokens" } else { "max_tokens" };
        fields.insert(Cow::Borrowed(name), Cow::Owned(raw(&most)?));
    }
    Ok(changed || !is_told)
}

fn raw(value: &impl serde::Serialize) -> Result<Box<RawValue>, Unreadable> {
    serde_json::value::to_raw_value(value).map_err(|_| Unreadable::NotJson)
}

/// Whether something of what is `held` back can be in a reply, and not only be asked for.
#[must_use]
pub fn is_of_replies(held: Actions, call: Call) -> bool {
    let of_texts: Actions = [Action::Logprobs, Action::ReasoningText, Action::Alternatives].into_iter().collect();
    let of_vectors = call == Call::Embeddings && held.has(Action::FullPrecision);
    !held.and(of_texts).is_empty() || of_vectors
}

/// The reply without what is not granted; the same bytes when there is nothing of it.
///
/// # Errors
///
/// When it is no JSON.
pub fn reply(body: &Bytes, call: Call, hold: Hold) -> Result<Bytes, Unreadable> {
    let mut value: Value = serde_json::from_slice(body).map_err(|_| Unreadable::NotJson)?;
    if !filter(&mut value, call, hold)? {
        return Ok(body.clone());
    }
    serde_json::to_vec(&value).map(Bytes::from).map_err(|_| Unreadable::NotJson)
}

/// Takes out of a reply what is not granted; says whether there was any.
fn filter(value: &mut Value, call: Call, hold: Hold) -> Result<bool, Unreadable> {
    let Hold { held, caps, within, .. } = hold;
    let is_rounded =
        call == Call::Embeddings && held.has(Action::FullPrecision) && round_vectors(value, caps.embedding_decimals)?;
    let thought = held.has(Action::ReasoningText) && thoughts::whole(value, within);
    Ok(take_out(value, hold) || is_rounded || thought)
}

/// Rounds the numbers of each vector, written as numbers or as base64 of 32-bit floats; says whether there was any.
fn round_vectors(reply: &mut Value, decimals: u8) -> Result<bool, Unreadable> {
    let mut any = false;
    for item in reply.get_mut("data").and_then(Value::as_array_mut).into_iter().flatten() {
        match item.get_mut("embedding") {
            Some(Value::Array(vector)) => {
                let exact: Option<Vec<f64>> = vector.iter().map(Value::as_f64).collect();
                let rounded = rounded(&exact.ok_or(Unreadable::NotAVector)?, decimals);
                *vector = rounded.into_iter().map(Value::from).collect();
            }
            Some(Value::String(text)) => {
                let bytes = BASE64.decode(text.as_bytes()).map_err(|_| Unreadable::NotAVector)?;
                let (numbers, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(Unreadable::NotAVector);
                }
                let exact: Vec<f64> = numbers.iter().map(|number| f64::from(f32::from_le_bytes(*number))).collect();
                let numbers = rounded(&exact, decimals).into_iter().map(|number| number as f32);
                *text = BASE64.encode(numbers.flat_map(f32::to_le_bytes).collect::<Vec<u8>>());
            }
            _ => return Err(Unreadable::NotAVector),
        }
        any = true;
    }
    Ok(any)
}

/// A vector with so many decimals of its numbers where its length is 1. Of a longer or shorter one as much is left, since
/// whoever asks may be able to choose the length.
fn rounded(vector: &[f64], decimals: u8) -> Vec<f64> {
    let length = vector.iter().map(|number| number * number).sum::<f64>().sqrt();
    let power = length.log10().round();
    if !power.is_finite() {
        // Nothing but zeros, or numbers of which nothing can be left.
        return vec![0.0; vector.len()];
    }
    let scale = 10_f64.powi(i32::from(decimals).saturating_sub(power as i32));
    vector.iter().map(|number| (number * scale).round() / scale).collect()
}

/// Filters what comes line by line, in whatever pieces: a stream of events, or what came out of a batch.
#[derive(Debug)]
pub struct Filter {
    hold: Hold,
    /// The call that each line is a reply to, where lines are results of a batch and no events.
    results_of: Option<Call>,
    answers: Answers,
    rest: BytesMut,
}

impl Filter {
    /// Of one stream of events.
    #[must_use]
    pub fn of_events(hold: Hold) -> Filter {
        Filter { hold, results_of: None, answers: Answers::new(hold.within), rest: BytesMut::new() }
    }

    /// Of the results of a batch, a line for each request of this call.
    #[must_use]
    pub fn of_results(call: Call, hold: Hold) -> Filter {
        Filter { results_of: Some(call), ..Filter::of_events(hold) }
    }

    /// Takes in a piece and gives out the lines that are whole.
    ///
    /// # Errors
    ///
    /// When a line is too long or cannot be read; what comes then has to end.
    pub fn push(&mut self, piece: &[u8]) -> Result<Bytes, Unreadable> {
        self.rest.extend_from_slice(piece);
        let mut out = BytesMut::with_capacity(piece.len());
        while let Some(end) = memchr::memchr(b'\n', &self.rest) {
            let line = self.rest.split_to(end + 1);
            self.line(&line, &mut out)?;
        }
        if self.rest.len() > EVENT_BYTES_MAX { Err(Unreadable::TooLong) } else { Ok(out.freeze()) }
    }

    /// What is left at the end.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn end(&mut self) -> Result<Bytes, Unreadable> {
        let line = self.rest.split();
        let mut out = BytesMut::new();
        self.line(&line, &mut out)?;
        Ok(out.freeze())
    }

    fn line(&mut self, line: &[u8], out: &mut BytesMut) -> Result<(), Unreadable> {
        match self.results_of {
            None => self.event(line, out),
            Some(call) => self.result(call, line, out),
        }
    }

    fn event(&mut self, line: &[u8], out: &mut BytesMut) -> Result<(), Unreadable> {
        let text = line.trim_ascii_end();
        let Some(data) = text.strip_prefix(b"data:") else {
            // A line that a reader could take for something else may hold anything.
            let known = [b"event:".as_slice(), b"id:", b"retry:", b":"].iter().any(|field| text.starts_with(field));
            if !(text.is_empty() || known) || text.contains(&b'\r') {
                return Err(Unreadable::NotAnEvent);
            }
            out.extend_from_slice(line);
            return Ok(());
        };
        let data = data.trim_ascii_start();
        if data.is_empty() || data == b"[DONE]" {
            out.extend_from_slice(line);
            return Ok(());
        }
        let mut value: Value = serde_json::from_slice(data).map_err(|_| Unreadable::NotJson)?;
        let thought = self.hold.held.has(Action::ReasoningText) && self.answers.filter(&mut value);
        if take_out(&mut value, self.hold) || thought {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(value.to_string().as_bytes());
            out.extend_from_slice(line.get(text.len()..).unwrap_or_default());
        } else {
            out.extend_from_slice(line);
        }
        Ok(())
    }

    fn result(&self, call: Call, line: &[u8], out: &mut BytesMut) -> Result<(), Unreadable> {
        let text = line.trim_ascii_end();
        if text.is_empty() {
            out.extend_from_slice(line);
            return Ok(());
        }
        let mut value: Value = serde_json::from_slice(text).map_err(|_| Unreadable::NotJson)?;
        let within = match (value.get("response"), value.get("result"), value.get("error")) {
            (Some(_), None, _) => "/response/body",
            (None, Some(_), _) => "/result/message",
            (None, None, Some(_)) => "/error",
            _ => return Err(Unreadable::NotAResult),
        };
        // A text may be a reply that somebody wrote as one.
        if value.pointer(within).is_some_and(Value::is_string) && within != "/error" {
            return Err(Unreadable::NotAResult);
        }
        let mut changed = value.pointer_mut(within).map_or(Ok(false), |reply| filter(reply, call, self.hold))?;
        // Also what a server tells beside its reply.
        changed |= take_out(&mut value, self.hold);
        if changed {
            out.extend_from_slice(value.to_string().as_bytes());
            out.extend_from_slice(line.get(text.len()..).unwrap_or_default());
        } else {
            out.extend_from_slice(line);
        }
        Ok(())
    }
}

/// Empties what is held back, in a body or in an event; says whether there was any.
fn take_out(value: &mut Value, hold: Hold) -> bool {
    let held = hold.held;
    let mut changed = false;
    if held.has(Action::ReasoningText) {
        changed |= empty_event(value);
    }
    walk(value, held, &mut changed);
    if held.has(Action::Alternatives)
        && let Some(Value::Array(choices)) = value.get_mut("choices")
    {
        let before = choices.len();
        // The first of each text: where others are not asked for, answers are numbered as these are.
        choices.retain(|choice| choice.get("index").and_then(Value::as_u64).unwrap_or(0) < hold.prompts);
        changed |= choices.len() != before;
    }
    changed
}

/// Goes through a reply. Tool inputs and structured output are strings in it, so a key of theirs is never met, except
/// Anthropic's `input`, which is left out.
fn walk(value: &mut Value, held: Actions, changed: &mut bool) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|value| walk(value, held, changed)),
        Value::Object(object) => {
            let reasons = held.has(Action::ReasoningText);
            let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
            let (reasoning_item, redacted) = (kind == "reasoning", kind == "redacted_thinking");
            for (key, value) in object.iter_mut() {
                let emptied = match key.as_str() {
                    key if held.has(Action::Logprobs) && tells_probabilities(key) => empty(value),
                    "reasoning_content" | "reasoning_details" | "reasoning_text" | "thinking" | "thinking_blocks"
                    | "thoughts"
                        if reasons =>
                    {
                        empty(value)
                    }
                    // What llama.cpp tells of itself: the prompt as it was, tokens, the answer before it was parsed.
                    "__verbose" if reasons || held.has(Action::Logprobs) => empty(value),
                    "data" if reasons && redacted => empty(value),
                    "reasoning" if reasons && !value.is_object() => empty(value),
                    "content" | "summary" | "encrypted_content" if reasons && reasoning_item => empty(value),
                    "input" | "arguments" => continue,
                    _ => {
                        walk(value, held, changed);
                        continue;
                    }
                };
                *changed |= emptied;
            }
        }
        _ => {}
    }
}

/// Whether a field of a reply tells how probable tokens were, or what they were made from: OpenAI, vLLM, SGLang,
/// llama.cpp.
fn tells_probabilities(key: &str) -> bool {
    key.contains("logprob")
        || matches!(
            key,
            "completion_probabilities"
                | "probs"
                | "top_probs"
                | "prob"
                | "hidden_states"
                | "token_ids"
                | "prompt_token_ids"
                | "output_ids"
        )
}

/// Events of the Responses API carry a piece of reasoning under a name that tells nothing.
fn empty_event(event: &mut Value) -> bool {
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
    if !kind.starts_with("response.reasoning") {
        return false;
    }
    let mut changed = false;
    for key in ["delta", "text"] {
        changed |= event.get_mut(key).is_some_and(empty);
    }
    if let Some(text) = event.get_mut("part").and_then(|part| part.get_mut("text")) {
        changed |= empty(text);
    }
    changed
}

/// Empties a value and keeps its type, so that clients with types go on reading it; says whether there was something.
fn empty(value: &mut Value) -> bool {
    match value {
        Value::String(text) if !text.is_empty() => text.clear(),
        Value::Array(list) if !list.is_empty() => list.clear(),
        Value::Object(_) | Value::Number(_) => *value = Value::Null,
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all() -> Actions {
        [Action::Logprobs, Action::ReasoningText, Action::Alternatives].into_iter().collect()
    }

    fn check(body: &str, expected: &str) {
        let filtered =
            reply(&Bytes::copy_from_slice(body.as_bytes()), Call::Chat, Hold::new(all(), Caps::default())).unwrap();
        let parsed: Value = serde_json::from_slice(&filtered).unwrap();
        assert_eq!(parsed, serde_json::from_str::<Value>(expected).unwrap(), "{body}");
    }

    #[test]
    fn nothing_that_is_held_back_stays() {
        check(
            r#"{"choices":[{"index":0,"message":{"content":"hi","reasoning_content":"because","reasoning":"so"},
                "logprobs":{"content":[{"token":"hi"}]}},{"index":1,"message":{"content":"ho"}}]}"#,
            r#"{"choices":[{"index":0,"message":{"content":"hi","reasoning_content":"","reasoning":""},"logprobs":null}]}"#,
        );
        check(
            r#"{"content":[{"type":"thinking","thinking":"because","signature":"s"},{"type":"text","text":"hi"},
                {"type":"tool_use","input":{"thinking":"kept","logprobs":[1]}}]}"#,
            r#"{"content":[{"type":"thinking","thinking":"","signature":"s"},{"type":"text","text":"hi"},
                {"type":"tool_use","input":{"thinking":"kept","logprobs":[1]}}]}"#,
        );
        check(
            r#"{"reasoning":{"effort":"high"},"output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"because"}],
                "content":[{"type":"reasoning_text","text":"so"}]},
                {"type":"message","content":[{"type":"output_text","text":"hi","logprobs":[1]}]}]}"#,
            r#"{"reasoning":{"effort":"high"},"output":[{"type":"reasoning","summary":[],"content":[]},
                {"type":"message","content":[{"type":"output_text","text":"hi","logprobs":[]}]}]}"#,
        );
        check(
            r#"{"type":"response.reasoning_summary_text.delta","delta":"because"}"#,
            r#"{"type":"response.reasoning_summary_text.delta","delta":""}"#,
        );
        let whole = |body: &Bytes| reply(body, Call::Chat, Hold::new(all(), Caps::default()));
        assert_eq!(whole(&Bytes::from_static(b"no json")), Err(Unreadable::NotJson));
        let plain = Bytes::from_static(br#"{"b": 1.50, "a": "reasoning"}"#);
        assert_eq!(whole(&plain), Ok(plain));
    }

    fn asked(body: &str, call: Call, held: &[Action]) -> Value {
        let held = held.iter().copied().collect();
        let caps = Caps { output_tokens: 100, embedding_decimals: 2 };
        let filtered = request(&Bytes::copy_from_slice(body.as_bytes()), call, held, caps).unwrap();
        serde_json::from_slice(&filtered).unwrap()
    }

    #[test]
    fn requests_no_longer_ask() {
        let chat = |body: &str, held: &[Action]| asked(body, Call::Chat, held);
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let body =
            r#"{"model":"m","messages":[{"role":"user","content":"logprobs"}],"logprobs":true,"top_logprobs":5,"n":4}"#;
        let expected = r#"{"messages":[{"content":"logprobs","role":"user"}],"model":"m"}"#;
        assert_eq!(chat(body, &[Action::Logprobs, Action::Alternatives]), json(expected));
        let body = r#"{"include":["message.output_text.logprobs","reasoning.encrypted_content","x"]}"#;
        assert_eq!(chat(body, &[Action::Logprobs, Action::ReasoningText]), json(r#"{"include":["x"]}"#));
        assert_eq!(chat(body, &[Action::Sampling]), json(body));
    }

    /// Every field that needs something, whatever it asks for, goes where that is held back and stays where it is not.
    #[test]
    fn every_known_way_to_ask_is_taken_out() {
        for (name, needs) in fields::FIELDS {
            let wanted = needs.wanted();
            if wanted.is_empty() {
                continue;
            }
            let body = format!(r#"{{"model":"m","{name}":1}}"#);
            for action in wanted.iter() {
                assert!(asked(&body, Call::Completion, &[action]).get(name).is_none(), "{name} {action}");
            }
            let others: Vec<Action> = Actions::ALL.minus(wanted).iter().collect();
            assert!(asked(r#"{"model":"m","unheard_of":1}"#, Call::Completion, &others).get("unheard_of").is_none());
            assert_eq!(asked(&body, Call::Completion, &others)[name], 1, "{name}");
        }
    }

    #[test]
    fn each_text_keeps_its_first_answer() {
        let held = Actions::NONE.with(Action::Alternatives);
        let body = Bytes::from_static(br#"{"choices":[{"index":0},{"index":1},{"index":2},{"index":3}]}"#);
        for (prompts, left) in [(1, 1), (3, 3), (9, 4)] {
            let hold = Hold { prompts, ..Hold::new(held, Caps::default()) };
            let filtered: Value = serde_json::from_slice(&reply(&body, Call::Completion, hold).unwrap()).unwrap();
            assert_eq!(filtered["choices"].as_array().unwrap().len(), left);
        }
    }

    #[test]
    fn replies_are_no_longer_than_may_be() {
        let long = [Action::LongOutput];
        for (call, body, expected) in [
            (Call::Chat, r#"{"model":"m"}"#, r#"{"max_tokens":100,"model":"m"}"#),
            (Call::Chat, r#"{"max_tokens":101}"#, r#"{"max_tokens":100}"#),
            (Call::Chat, r#"{"max_tokens":100}"#, r#"{"max_tokens":100}"#),
            (Call::Chat, r#"{"max_tokens":null}"#, r#"{"max_tokens":100}"#),
            (Call::Chat, r#"{"max_completion_tokens":5000}"#, r#"{"max_completion_tokens":100}"#),
            (
                Call::Chat,
                r#"{"max_tokens":9,"max_completion_tokens":5000}"#,
                r#"{"max_completion_tokens":100,"max_tokens":9}"#,
            ),
            (Call::Completion, r#"{"n_predict":-1,"ignore_eos":true}"#, r#"{"max_tokens":100,"n_predict":100}"#),
            (Call::Responses, "{}", r#"{"max_output_tokens":100}"#),
            (Call::Messages, r#"{"max_tokens":4096}"#, r#"{"max_tokens":100}"#),
            (Call::Messages, r#"{"max_tokens":9,"thinking":{"budget_tokens":100}}"#, r#"{"max_tokens":9}"#),
            (
                Call::Messages,
                r#"{"max_tokens":9,"thinking":{"budget_tokens":5}}"#,
                r#"{"max_tokens":9,"thinking":{"budget_tokens":5}}"#,
            ),
            (Call::Embeddings, "{}", "{}"),
        ] {
            let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(asked(body, call, &long), json(expected), "{body}");
            assert_eq!(asked(body, call, &[]), json(body));
        }
    }

    #[test]
    fn vectors_are_rounded_however_they_are_written() {
        let held: Actions = [Action::FullPrecision].into_iter().collect();
        let caps = Caps { output_tokens: 1, embedding_decimals: 2 };
        let answer = |body: String| reply(&Bytes::from(body), Call::Embeddings, Hold::new(held, caps));
        let json = |body: String| serde_json::from_slice::<Value>(&answer(body).unwrap()).unwrap();
        let numbers = json(r#"{"data":[{"embedding":[0.123456,-0.987654,1]}]}"#.to_owned());
        assert_eq!(numbers["data"][0]["embedding"], serde_json::json!([0.12, -0.99, 1.0]));
        let exact = BASE64.encode([0.123_456_f32, -0.987_654].map(f32::to_le_bytes).concat());
        let expected = BASE64.encode([0.12_f32, -0.99].map(f32::to_le_bytes).concat());
        assert_eq!(json(format!(r#"{{"data":[{{"embedding":"{exact}"}}]}}"#))["data"][0]["embedding"], expected);
        // Whatever the server made of their length, as much is left.
        let unit = [0.141_849_9, -0.077_251_5, 0.986_8];
        let first = rounded(&unit, 2);
        for power in [-6, -1, 0, 3, 5] {
            let factor = 10_f64.powi(power);
            let scaled: Vec<f64> = rounded(&unit.map(|number| number * factor), 2);
            let back: Vec<String> = scaled.iter().map(|number| format!("{:.6}", number / factor)).collect();
            assert_eq!(back, first.iter().map(|number| format!("{number:.6}")).collect::<Vec<_>>(), "{power}");
        }
        assert_eq!(rounded(&[0.0, 0.0], 2), [0.0, 0.0]);
        assert_eq!(rounded(&[1e300, 1.0], 2), [0.0, 0.0], "a length that is no number");
        for bad in [r#""AAA""#, r#""AAAAAAA=""#, r#"{"x":1}"#, r#"["a"]"#] {
            assert_eq!(answer(format!(r#"{{"data":[{{"embedding":{bad}}}]}}"#)), Err(Unreadable::NotAVector), "{bad}");
        }
        let asks = |format: &str| {
            asked(&format!(r#"{{"encoding_format":"{format}"}}"#), Call::Embeddings, &[Action::FullPrecision])
        };
        assert_eq!(
            (asks("base64").to_string(), asks("bytes").to_string()),
            (r#"{"encoding_format":"base64"}"#.to_owned(), "{}".to_owned())
        );
    }

    /// What model servers are known to tell besides what the APIs document.
    #[test]
    fn every_known_spelling_is_emptied() {
        let secret = "because";
        for (field, held) in [
            (r#""reasoning_content":"because""#, Action::ReasoningText),
            (r#""reasoning":"because""#, Action::ReasoningText),
            (r#""reasoning_details":[{"type":"reasoning.text","text":"because"}]"#, Action::ReasoningText),
            (r#""reasoning_text":"because""#, Action::ReasoningText),
            (r#""thinking":"because""#, Action::ReasoningText),
            (r#""thinking_blocks":[{"type":"thinking","thinking":"because"}]"#, Action::ReasoningText),
            (r#""thoughts":"because""#, Action::ReasoningText),
            (r#""x":{"type":"redacted_thinking","data":"because"}"#, Action::ReasoningText),
            (r#""x":{"type":"reasoning","encrypted_content":"because"}"#, Action::ReasoningText),
            (r#""logprobs":{"content":[{"token":"because"}]}"#, Action::Logprobs),
            (r#""prompt_logprobs":[{"7":{"decoded_token":"because"}}]"#, Action::Logprobs),
            (r#""completion_probabilities":[{"tok_str":"because"}]"#, Action::Logprobs),
            (r#""probs":[{"token":"because"}]"#, Action::Logprobs),
            (r#""meta_info":{"output_token_logprobs":[[-0.1,7,"because"]]}"#, Action::Logprobs),
            (r#""hidden_states":["because"]"#, Action::Logprobs),
            (r#""token_ids":["because"]"#, Action::Logprobs),
            (r#""__verbose":{"content":"because"}"#, Action::ReasoningText),
            (r#""__verbose":{"tokens":["because"]}"#, Action::Logprobs),
        ] {
            let held: Actions = [held].into_iter().collect();
            let body = format!(r#"{{"choices":[{{"index":0,{field},"message":{{"content":"hi"}}}}]}}"#);
            let whole = reply(&Bytes::from(body.clone()), Call::Chat, Hold::new(held, Caps::default())).unwrap();
            let mut events = Filter::of_events(Hold::new(held, Caps::default()));
            let streamed = events.push(format!("data: {body}\n\n").as_bytes()).unwrap();
            for filtered in [whole, streamed] {
                let text = std::str::from_utf8(&filtered).unwrap();
                assert!(!text.contains(secret) && text.contains("hi"), "{text}");
            }
        }
    }

    #[test]
    fn what_holds_nothing_back_is_the_same_bytes() {
        let stream = "event: x\r\ndata: {\"a\" : 1.50}\r\n\r\n: comment\n\ndata: [DONE]\n\n";
        let mut events = Filter::of_events(Hold::new(all(), Caps::default()));
        let mut out = events.push(stream.as_bytes()).unwrap().to_vec();
        out.extend(events.end().unwrap());
        assert_eq!(out, stream.as_bytes());
    }

    #[test]
    fn events_have_a_limit() {
        let mut events = Filter::of_events(Hold::new(all(), Caps::default()));
        assert!(events.push(&vec![b'x'; EVENT_BYTES_MAX]).is_ok());
        assert_eq!(events.push(b"x"), Err(Unreadable::TooLong));
        assert_eq!(
            Filter::of_events(Hold::new(all(), Caps::default())).push(b"data: {\"reasoning\":\n"),
            Err(Unreadable::NotJson)
        );
    }

    #[test]
    fn no_line_hides_an_event() {
        for line in [
            "event: x\rdata: {\"reasoning\":\"because\"}\n",
            "\u{feff}data: {\"reasoning\":\"because\"}\n",
            "{\"reasoning\":\"because\"}\n",
        ] {
            assert_eq!(
                Filter::of_events(Hold::new(all(), Caps::default())).push(line.as_bytes()),
                Err(Unreadable::NotAnEvent),
                "{line:?}"
            );
        }
        let hidden = "data: {\"a\":1}\rdata: {\"reasoning\":\"because\"}\n";
        assert_eq!(
            Filter::of_events(Hold::new(all(), Caps::default())).push(hidden.as_bytes()),
            Err(Unreadable::NotJson)
        );
    }

    proptest! {
        /// However a stream is cut, the same comes out, and no reasoning in it.
        #[test]
        fn pieces_do_not_matter(cuts in proptest::collection::vec(0_usize..400, 0..20)) {
            let stream = "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"secret\",\"content\":\"é\"}}]}\n\n\
                event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\",\
                \"thinking\":\"secret\"}}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\ndata: [DONE]";
            let filtered = |cuts: &[usize]| {
                let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % stream.len()).collect();
                cuts.sort_unstable();
                let mut events = Filter::of_events(Hold::new(all(), Caps::default()));
                let mut out = Vec::new();
                let mut from = 0;
                for cut in cuts.into_iter().chain([stream.len()]) {
                    out.extend(events.push(&stream.as_bytes()[from..cut]).unwrap());
                    from = cut;
                }
                out.extend(events.end().unwrap());
                out
            };
            let whole = filtered(&[]);
            prop_assert!(memchr::memmem::find(&whole, b"secret").is_none());
            prop_assert!(memchr::memmem::find(&whole, "é".as_bytes()).is_some());
            prop_assert_eq!(filtered(&cuts), whole);
        }
    }
}
