//! Reasoning that a model writes between tags at the beginning of its answer, where its server has no parser for it.
//!
//! Promises to take it out of whole answers and of answers that come in pieces, wherever these are cut, and to leave every
//! answer alone that does not begin with such a tag. Where the request opened it ([`are_opened`]) every answer begins within,
//! and of one that does not close it nothing is left. Of a whole answer that has the closing tag only, because the model's
//! own prompt opened it, everything before that goes too; of one in pieces this is not known in time, unless it is said of
//! the model. Keeps no more of a text than a tag is long.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::limits::{THINKING_ANSWERS_MAX, THINKING_BEGINNING_BYTES_MAX};
use crate::route::Call;

/// How models begin and end it: DeepSeek, Qwen and others; Magistral; Kimi.
const TAGS: [(&str, &str); 5] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
];

/// Bytes of the longest tag that ends it.
const CLOSE_BYTES_MAX: usize = 12;

/// Bytes of the beginning of a tag, at the end of a text, that a model is taken to go on with.
const PARTIAL_BYTES_MIN: usize = 2;

/// Whether the answers to a request begin within reasoning, because what they go on from opened it: the last message, where
/// it is the model's own, or the text to be completed.
pub(crate) fn are_opened(body: &[u8], call: Call) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return false };
    let list = |name: &str| body.get(name).and_then(Value::as_array).and_then(|list| list.last());
    match call {
        Call::Completion => match body.get("prompt") {
            Some(Value::Array(prompts)) => prompts.iter().any(|prompt| is_open(&text(prompt))),
            Some(prompt) => is_open(&text(prompt)),
            None => false,
        },
        Call::Chat | Call::Messages => list("messages").is_some_and(opens),
        Call::Responses => list("input").is_some_and(opens),
        _ => false,
    }
}

fn opens(message: &Value) -> bool {
    let is_the_models =
        message.get("role").and_then(Value::as_str).is_some_and(|role| matches!(role, "assistant" | "model"));
    is_the_models && message.get("content").is_some_and(|content| is_open(&text(content)))
}

/// A text, or those of a list of parts as one.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text").unwrap_or(part).as_str()).collect(),
        _ => String::new(),
    }
}

/// Whether a text opens reasoning and does not close it, or ends in what may become a tag that does.
fn is_open(text: &str) -> bool {
    TAGS.iter().any(|(open, close)| {
        let rest = text.rsplit_once(close).map_or(text, |(_, rest)| rest);
        let end = rest.trim_end();
        // A tag without its last letter is one to a model.
        let stem = open.get(..open.len() - open.chars().next_back().map_or(0, char::len_utf8)).unwrap_or(open);
        let partial =
            || (PARTIAL_BYTES_MIN..open.len()).any(|at| open.get(..at).is_some_and(|part| end.ends_with(part)));
        rest.contains(stem) || partial()
    })
}

/// What stands behind the first tag that closes any reasoning.
fn behind(answer: &str) -> Option<&str> {
    let closed = |(_, close): &(&str, &str)| answer.find(*close).map(|at| (at, at + close.len()));
    let (_, end) = TAGS.iter().filter_map(closed).min()?;
    answer.get(end..)
}

/// The answer without it; `within` where it begins within.
pub(crate) fn without(answer: &str, within: bool) -> &str {
    if within {
        return behind(answer).unwrap_or_default().trim_start();
    }
    let trimmed = answer.trim_start();
    for (open, close) in TAGS {
        if let Some(inside) = trimmed.strip_prefix(open) {
            return inside.split_once(close).map_or("", |(_, rest)| rest.trim_start());
        }
        if let Some((_, rest)) = answer.split_once(close).filter(|(before, _)| !before.contains(open)) {
            return rest.trim_start();
        }
    }
    answer
}

/// An answer that comes in pieces.
#[derive(Debug)]
enum Answer {
    /// What came of it may be the beginning of a tag.
    Begins(String),
    /// It is within, and this is the end of what came; the tag that ends it, any where none is given.
    Within(String, Option<&'static str>),
    /// It is over, and the answer itself has not begun.
    Over,
    /// The rest goes on as it is.
    Passes,
}

impl Answer {
    /// Takes in a piece, and gives out what goes on.
    fn push(&mut self, piece: &str) -> String {
        match self {
            Answer::Passes => piece.to_owned(),
            Answer::Over => {
                let rest = piece.trim_start();
                if !rest.is_empty() {
                    *self = Answer::Passes;
                }
                rest.to_owned()
            }
            Answer::Begins(text) => {
                text.push_str(piece);
                let trimmed = text.trim_start();
                if let Some((inside, close)) =
                    TAGS.iter().find_map(|(open, close)| Some((trimmed.strip_prefix(open)?.to_owned(), *close)))
                {
                    *self = Answer::Within(String::new(), Some(close));
                    return self.push(&inside);
                }
                if TAGS.iter().any(|(open, _)| open.starts_with(trimmed)) && text.len() <= THINKING_BEGINNING_BYTES_MAX
                {
                    return String::new();
                }
                let text = std::mem::take(text);
                *self = Answer::Passes;
                text
            }
            Answer::Within(text, close) => {
                text.push_str(piece);
                let rest = match *close {
                    Some(close) => text.split_once(close).map(|(_, rest)| rest),
                    None => behind(text),
                };
                if let Some(rest) = rest {
                    let rest = rest.to_owned();
                    *self = Answer::Over;
                    return self.push(&rest);
                }
                // As much as may be the beginning of the tag.
                let from = text.len().saturating_sub(CLOSE_BYTES_MAX);
                let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
                text.drain(..from);
                String::new()
            }
        }
    }

    /// What is left at its end: a beginning that was no tag after all.
    fn end(&mut self) -> String {
        match std::mem::replace(self, Answer::Passes) {
            Answer::Begins(text) => text,
            _ => String::new(),
        }
    }
}

/// The answers of one stream, each by its number.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    known: BTreeMap<u64, Answer>,
    /// Whether they begin within reasoning.
    within: bool,
}

impl Answers {
    /// None yet; `within` where each begins within reasoning.
    pub(crate) fn new(within: bool) -> Answers {
        Answers { known: BTreeMap::new(), within }
    }

    /// Takes reasoning out of an event; says whether there was something.
    pub(crate) fn filter(&mut self, event: &mut Value) -> bool {
        let mut changed = false;
        let index = |value: &Value| value.get("index").and_then(Value::as_u64).unwrap_or(0);
        for choice in event.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten() {
            let number = index(choice);
            let is_last = choice.get("finish_reason").is_some_and(|reason| !reason.is_null());
            let is_chat = choice.get("delta").is_some();
            let text = if is_chat {
                choice.get_mut("delta").and_then(|delta| delta.get_mut("content"))
            } else {
                choice.get_mut("text")
            };
            changed |= self.text(number, text, is_last);
        }
        let number = index(event);
        match event.get("type").and_then(Value::as_str) {
            Some("content_block_delta") => {
                let text = event.get_mut("delta").and_then(|delta| delta.get_mut("text"));
                changed |= self.text(number, text, false);
            }
            Some("response.output_text.delta") => {
                let number = event.get("output_index").and_then(Value::as_u64).unwrap_or(0);
                changed |= self.text(number, event.get_mut("delta"), false);
            }
            Some(_) => changed |= whole(event, self.within),
            None => {}
        }
        changed
    }

    fn text(&mut self, number: u64, text: Option<&mut Value>, is_last: bool) -> bool {
        if self.known.len() >= THINKING_ANSWERS_MAX && !self.known.contains_key(&number) {
            // More answers than there may be: of none of them is anything passed.
            return text.is_some_and(|text| std::mem::take(text) != Value::Null);
        }
        let begins = || match self.within {
            true => Answer::Within(String::new(), None),
            false => Answer::Begins(String::new()),
        };
        let answer = self.known.entry(number).or_insert_with(begins);
        match text {
            Some(Value::String(text)) => {
                let mut passed = answer.push(text);
                if is_last {
                    passed += &answer.end();
                }
                let changed = passed != *text;
                *text = passed;
                changed
            }
            Some(other) if is_last => {
                let rest = answer.end();
                let changed = !rest.is_empty();
                if changed {
                    *other = Value::String(rest);
                }
                changed
            }
            _ => false,
        }
    }
}

/// Takes reasoning out of the answers of a whole reply, `within` where they begin within it; says whether there was something.
pub(crate) fn whole(reply: &mut Value, within: bool) -> bool {
    match reply {
        Value::Array(list) => list.iter_mut().fold(false, |changed, value| whole(value, within) | changed),
        Value::Object(object) => {
            let mut changed = false;
            for (key, value) in object.iter_mut() {
                changed |= match (key.as_str(), value) {
                    ("content" | "text", Value::String(text)) => {
                        let passed = without(text, within);
                        let cut = passed.len() != text.len();
                        if cut {
                            *text = passed.to_owned();
                        }
                        cut
                    }
                    // What a model hands to tools is no answer.
                    ("input" | "arguments", _) => false,
                    (_, value) => whole(value, within),
                };
            }
            changed
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn streamed(pieces: &[&str]) -> String {
        streamed_from(pieces, false)
    }

    fn streamed_from(pieces: &[&str], within: bool) -> String {
        let mut answers = Answers::new(within);
        let mut out = String::new();
        for (at, piece) in pieces.iter().enumerate() {
            let reason = if at + 1 == pieces.len() { json!("stop") } else { Value::Null };
            let mut event = json!({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": reason}]});
            answers.filter(&mut event);
            out += event["choices"][0]["delta"]["content"].as_str().unwrap();
        }
        out
    }

    #[test]
    fn what_stands_between_tags_goes() {
        for (open, close) in TAGS {
            let answer = format!("\n{open}because 1 < 2{close}\n\nHello {open} there");
            assert_eq!(without(&answer, false), format!("Hello {open} there"));
            assert_eq!(streamed(&[&answer]), format!("Hello {open} there"));
        }
        assert_eq!(without("because</think>Hello", false), "Hello");
        assert_eq!(without("<think>because", false), "");
        for other in ["Hello", "", "<", "  <thin", "Use <think> and </think>.", "<thinker>x</thinker>"] {
            assert_eq!((without(other, false), streamed(&[other]).as_str()), (other, other));
        }
    }

    /// A caller who opens it himself gets none of it either.
    #[test]
    fn what_the_request_opened_goes_until_it_is_closed() {
        for (call, body, expected) in [
            (Call::Chat, json!({"messages": [{"role": "assistant", "content": "<think>\n"}]}), true),
            (
                Call::Chat,
                json!({"messages": [{"role": "assistant", "content": [{"type": "text", "text": "<th"}, {"type": "text", "text": "ink>"}]}]}),
                true,
            ),
            (Call::Chat, json!({"messages": [{"role": "assistant", "content": "Well, <thin"}]}), true),
            (Call::Chat, json!({"messages": [{"role": "assistant", "content": "<think>so</think> And "}]}), false),
            (Call::Chat, json!({"messages": [{"role": "assistant", "content": "<think>so</think><think"}]}), true),
            (Call::Chat, json!({"messages": [{"role": "user", "content": "<think>"}]}), false),
            (
                Call::Chat,
                json!({"messages": [{"role": "assistant", "content": "<think>"}, {"role": "user", "content": "x"}]}),
                false,
            ),
            (
                Call::Messages,
                json!({"messages": [{"role": "assistant", "content": [{"type": "text", "text": "<thinking>"}]}]}),
                true,
            ),
            (
                Call::Responses,
                json!({"input": [{"role": "assistant", "content": [{"type": "output_text", "text": "<think>\n"}]}]}),
                true,
            ),
            (Call::Responses, json!({"input": "<think>"}), false),
            (Call::Completion, json!({"prompt": "Question\n[THINK]"}), true),
            (Call::Completion, json!({"prompt": ["a", "b ◁think▷"]}), true),
            (Call::Completion, json!({"prompt": "if a < b and <br>"}), false),
        ] {
            assert_eq!(are_opened(body.to_string().as_bytes(), call), expected, "{body}");
        }
        for (pieces, left) in [
            (vec!["because", "</thi", "nk>\n", "Hello"], "Hello"),
            (vec!["because"], ""),
            (vec!["so</thinking>a</think>b"], "a</think>b"),
            (vec!["\u{e9}".repeat(40).as_str(), "[/THINK] fine"], "fine"),
        ] {
            assert_eq!((streamed_from(&pieces, true).as_str(), without(&pieces.concat(), true)), (left, left));
        }
        assert_eq!(CLOSE_BYTES_MAX, TAGS.iter().map(|(_, close)| close.len()).max().unwrap());
    }

    #[test]
    fn events_of_every_api_are_known() {
        let secret = "<think>because</think>hi";
        for event in [
            json!({"choices": [{"index": 0, "delta": {"content": secret}}]}),
            json!({"choices": [{"index": 3, "text": secret}]}),
            json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": secret}}),
            json!({"type": "response.output_text.delta", "output_index": 1, "delta": secret}),
            json!({"type": "response.output_text.done", "text": secret}),
            json!({"type": "response.completed", "response": {"output": [{"content": [{"text": secret}]}]}}),
        ] {
            let mut filtered = event.clone();
            assert!(Answers::default().filter(&mut filtered), "{event}");
            assert_eq!(filtered.to_string(), event.to_string().replace("<think>because</think>", ""));
        }
        let mut reply = json!({"choices": [{"message": {"content": secret, "tool_calls": [{"arguments": secret}]}}]});
        assert!(whole(&mut reply, false) && !whole(&mut reply, false));
        assert_eq!(reply["choices"][0]["message"]["tool_calls"][0]["arguments"], secret);
    }

    #[test]
    fn answers_of_a_stream_have_a_limit() {
        let mut answers = Answers::default();
        let mut said = |number: usize| {
            let mut event = json!({"choices": [{"index": number, "delta": {"content": "hi"}}]});
            answers.filter(&mut event);
            event["choices"][0]["delta"]["content"].clone()
        };
        assert!((0..THINKING_ANSWERS_MAX).all(|number| said(number) == "hi"));
        assert_eq!(said(THINKING_ANSWERS_MAX), Value::Null);
        assert_eq!(said(0), "hi");
    }

    #[test]
    fn a_beginning_has_a_limit() {
        let secret = "<think>because</think>hi";
        let around = |bytes: usize| streamed(&[&" ".repeat(bytes), secret]);
        assert_eq!(around(THINKING_BEGINNING_BYTES_MAX), "hi");
        assert!(around(THINKING_BEGINNING_BYTES_MAX + 1).ends_with(secret));
    }

    proptest! {
        /// However an answer is cut, the same of it goes on.
        #[test]
        fn pieces_do_not_matter(cuts in proptest::collection::vec(0_usize..60, 0..8), which in 0_usize..4) {
            let answer = ["<think>é because </thi </think>\n Hello", "  Hello <think>", "◁think▷so◁/think▷hi", "<thinner"][which];
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (answer.len() + 1)).filter(|cut| answer.is_char_boundary(*cut)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([answer.len()]) {
                pieces.push(&answer[from..cut]);
                from = cut;
            }
            prop_assert_eq!(streamed(&pieces), without(answer, false));
        }
    }
}
