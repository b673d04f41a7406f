//! Reasoning that a model writes between tags at the beginning of its answer, where its server has no parser for it.
//!
//! Promises to take it out of whole answers and of answers that come in pieces, wherever these are cut, and to leave every
//! answer alone that does not begin with such a tag. Of a whole answer that has the closing tag only, because the prompt
//! opened it, everything before that goes too; of one in pieces this is not known in time. Keeps no more of a text than a
//! tag is long.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::limits::{THINKING_ANSWERS_MAX, THINKING_BEGINNING_BYTES_MAX};

/// How models begin and end it: DeepSeek, Qwen and others; Magistral; Kimi.
const TAGS: [(&str, &str); 5] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
];

/// The answer without it.
pub(crate) fn without(answer: &str) -> &str {
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
    /// It is within, and this is the end of what came; the tag that ends it.
    Within(String, &'static str),
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
                    *self = Answer::Within(String::new(), close);
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
                if let Some((_, rest)) = text.split_once(*close) {
                    let rest = rest.to_owned();
                    *self = Answer::Over;
                    return self.push(&rest);
                }
                // As much as may be the beginning of the tag.
                let from = text.len().saturating_sub(close.len());
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
pub(crate) struct Answers(BTreeMap<u64, Answer>);

impl Answers {
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
            Some(_) => changed |= whole(event),
            None => {}
        }
        changed
    }

    fn text(&mut self, number: u64, text: Option<&mut Value>, is_last: bool) -> bool {
        if self.0.len() >= THINKING_ANSWERS_MAX && !self.0.contains_key(&number) {
            // More answers than there may be: of none of them is anything passed.
            return text.is_some_and(|text| std::mem::take(text) != Value::Null);
        }
        let answer = self.0.entry(number).or_insert_with(|| Answer::Begins(String::new()));
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

/// Takes reasoning out of the answers of a whole reply; says whether there was something.
pub(crate) fn whole(reply: &mut Value) -> bool {
    match reply {
        Value::Array(list) => list.iter_mut().fold(false, |changed, value| whole(value) | changed),
        Value::Object(object) => {
            let mut changed = false;
            for (key, value) in object.iter_mut() {
                changed |= match (key.as_str(), value) {
                    ("content" | "text", Value::String(text)) => {
                        let passed = without(text);
                        let cut = passed.len() != text.len();
                        if cut {
                            *text = passed.to_owned();
                        }
                        cut
                    }
                    // What a model hands to tools is no answer.
                    ("input" | "arguments", _) => false,
                    (_, value) => whole(value),
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
        let mut answers = Answers::default();
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
            assert_eq!(without(&answer), format!("Hello {open} there"));
            assert_eq!(streamed(&[&answer]), format!("Hello {open} there"));
        }
        assert_eq!(without("because</think>Hello"), "Hello");
        assert_eq!(without("<think>because"), "");
        for other in ["Hello", "", "<", "  <thin", "Use <think> and </think>.", "<thinker>x</thinker>"] {
            assert_eq!((without(other), streamed(&[other]).as_str()), (other, other));
        }
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
        assert!(whole(&mut reply) && !whole(&mut reply));
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
            prop_assert_eq!(streamed(&pieces), without(answer));
        }
    }
}
