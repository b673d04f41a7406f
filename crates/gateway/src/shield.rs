//! What is held back: fields of requests and replies that help to train on a model, where the asker may not have them.
//!
//! Promises to leave everything else as it was: only the named fields go, and clients that read the reply go on
//! working, so reasoning is emptied and not cut out of its list. Runs only where something is to be held back. Refuses
//! to let pass what it cannot read: a reply that is no JSON, or an event that is none, is not delivered.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use policy::{Action, Actions};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::limits::EVENT_BYTES_MAX;

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
    /// An event is too long.
    #[error("an event of the reply is longer than {EVENT_BYTES_MAX} bytes")]
    TooLong,
}

/// The request without what is not granted: no probabilities are asked for, and one answer.
///
/// # Errors
///
/// When it is no JSON object.
pub fn request(body: &[u8], held: Actions) -> Result<Bytes, Unreadable> {
    let mut fields: BTreeMap<Cow<'_, str>, Cow<'_, RawValue>> =
        serde_json::from_slice::<BTreeMap<Cow<'_, str>, &RawValue>>(body)
            .map_err(|_| Unreadable::NotJson)?
            .into_iter()
            .map(|(key, value)| (key, Cow::Borrowed(value)))
            .collect();
    if held.has(Action::Logprobs) {
        fields.retain(|key, _| !matches!(key.as_ref(), "logprobs" | "top_logprobs" | "prompt_logprobs" | "n_probs"));
        let kept = fields.get("include").and_then(|include| {
            let mut include: Vec<String> = serde_json::from_str(include.get()).ok()?;
            include.retain(|extra| !extra.ends_with("logprobs"));
            serde_json::value::to_raw_value(&include).ok()
        });
        if let Some(kept) = kept {
            fields.insert(Cow::Borrowed("include"), Cow::Owned(kept));
        }
    }
    if held.has(Action::Alternatives) {
        fields.retain(|key, _| !matches!(key.as_ref(), "n" | "best_of" | "num_return_sequences" | "use_beam_search"));
    }
    serde_json::to_vec(&fields).map(Bytes::from).map_err(|_| Unreadable::NotJson)
}

/// The reply without what is not granted; the same bytes when there is nothing of it.
///
/// # Errors
///
/// When it is no JSON.
pub fn reply(body: &Bytes, held: Actions) -> Result<Bytes, Unreadable> {
    let mut value: Value = serde_json::from_slice(body).map_err(|_| Unreadable::NotJson)?;
    if !hold(&mut value, held) {
        return Ok(body.clone());
    }
    serde_json::to_vec(&value).map(Bytes::from).map_err(|_| Unreadable::NotJson)
}

/// Filters a stream of events, whatever pieces it comes in.
#[derive(Debug)]
pub struct Events {
    held: Actions,
    rest: BytesMut,
}

impl Events {
    /// A filter for one stream.
    #[must_use]
    pub fn new(held: Actions) -> Events {
        Events { held, rest: BytesMut::new() }
    }

    /// Takes in a piece and gives out the lines that are whole.
    ///
    /// # Errors
    ///
    /// When an event is too long or no JSON; the stream then has to end.
    pub fn push(&mut self, piece: &[u8]) -> Result<Bytes, Unreadable> {
        self.rest.extend_from_slice(piece);
        let mut out = BytesMut::with_capacity(piece.len());
        while let Some(end) = memchr::memchr(b'\n', &self.rest) {
            let line = self.rest.split_to(end + 1);
            self.line(&line, &mut out)?;
        }
        if self.rest.len() > EVENT_BYTES_MAX { Err(Unreadable::TooLong) } else { Ok(out.freeze()) }
    }

    /// What is left at the end of the stream.
    ///
    /// # Errors
    ///
    /// When it is no JSON.
    pub fn end(&mut self) -> Result<Bytes, Unreadable> {
        let line = self.rest.split();
        let mut out = BytesMut::new();
        self.line(&line, &mut out)?;
        Ok(out.freeze())
    }

    fn line(&self, line: &[u8], out: &mut BytesMut) -> Result<(), Unreadable> {
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
        if hold(&mut value, self.held) {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(value.to_string().as_bytes());
            out.extend_from_slice(line.get(text.len()..).unwrap_or_default());
        } else {
            out.extend_from_slice(line);
        }
        Ok(())
    }
}

/// Empties what is held back, in a body or in an event; says whether there was any.
fn hold(value: &mut Value, held: Actions) -> bool {
    let mut changed = false;
    if held.has(Action::ReasoningText) {
        changed |= empty_event(value);
    }
    walk(value, held, &mut changed);
    if held.has(Action::Alternatives)
        && let Some(Value::Array(choices)) = value.get_mut("choices")
    {
        let before = choices.len();
        choices.retain(|choice| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0);
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
            let reasoning_item = kind == "reasoning";
            for (key, value) in object.iter_mut() {
                let emptied = match key.as_str() {
                    "logprobs" | "top_logprobs" | "prompt_logprobs" | "completion_probabilities"
                        if held.has(Action::Logprobs) =>
                    {
                        empty(value)
                    }
                    "reasoning_content" | "reasoning_details" | "thinking" if reasons => empty(value),
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
        Value::Object(_) => *value = Value::Null,
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
        let filtered = reply(&Bytes::copy_from_slice(body.as_bytes()), all()).unwrap();
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
        assert_eq!(reply(&Bytes::from_static(b"no json"), all()), Err(Unreadable::NotJson));
        let plain = Bytes::from_static(br#"{"b": 1.50, "a": "reasoning"}"#);
        assert_eq!(reply(&plain, all()), Ok(plain));
    }

    #[test]
    fn requests_no_longer_ask() {
        let body = br#"{"model":"m","messages":[{"role":"user","content":"logprobs"}],"logprobs":true,"top_logprobs":5,"n":4}"#;
        let filtered = request(body, all()).unwrap();
        let expected = r#"{"messages":[{"role":"user","content":"logprobs"}],"model":"m"}"#;
        assert_eq!(std::str::from_utf8(&filtered), Ok(expected));
        let body = br#"{"include":["message.output_text.logprobs","x"]}"#;
        assert_eq!(request(body, all()).unwrap().as_ref(), br#"{"include":["x"]}"#);
    }

    #[test]
    fn what_holds_nothing_back_is_the_same_bytes() {
        let stream = "event: x\r\ndata: {\"a\" : 1.50}\r\n\r\n: comment\n\ndata: [DONE]\n\n";
        let mut events = Events::new(all());
        let mut out = events.push(stream.as_bytes()).unwrap().to_vec();
        out.extend(events.end().unwrap());
        assert_eq!(out, stream.as_bytes());
    }

    #[test]
    fn events_have_a_limit() {
        let mut events = Events::new(all());
        assert!(events.push(&vec![b'x'; EVENT_BYTES_MAX]).is_ok());
        assert_eq!(events.push(b"x"), Err(Unreadable::TooLong));
        assert_eq!(Events::new(all()).push(b"data: {\"reasoning\":\n"), Err(Unreadable::NotJson));
    }

    #[test]
    fn no_line_hides_an_event() {
        for line in [
            "event: x\rdata: {\"reasoning\":\"because\"}\n",
            "\u{feff}data: {\"reasoning\":\"because\"}\n",
            "{\"reasoning\":\"because\"}\n",
        ] {
            assert_eq!(Events::new(all()).push(line.as_bytes()), Err(Unreadable::NotAnEvent), "{line:?}");
        }
        let hidden = "data: {\"a\":1}\rdata: {\"reasoning\":\"because\"}\n";
        assert_eq!(Events::new(all()).push(hidden.as_bytes()), Err(Unreadable::NotJson));
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
                let mut events = Events::new(all());
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
