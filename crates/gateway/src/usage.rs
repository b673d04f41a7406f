//! How many tokens an exchange used: by the reply's own count, or estimated where it has none.
//!
//! A reply says so at its top, or in the first and last events of its stream. What stands deeper is what a model wrote,
//! and a caller may have told it to. Estimates take four bytes for a token, and each event of a stream for one.

use std::borrow::Cow;

use bytes::Bytes;
use policy::amount::Amounts;
use policy::price::Price;
use serde::Deserialize;

use crate::limits::USAGE_EVENTS;

const BYTES_A_TOKEN: u64 = 4;
/// A server that tells less than one part in so many of what was written, by the estimate, tells of one answer: no text has
/// so long tokens.
const TOLD_SHARE: u64 = 2;

/// The tokens of a request, estimated.
pub(crate) fn input_tokens(request: &[u8]) -> u64 {
    (request.len() as u64).div_ceil(BYTES_A_TOKEN)
}

/// Tokens of an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Read.
    pub(crate) input: u64,
    /// Written.
    pub(crate) output: u64,
}

impl Used {
    /// What quotas count of them.
    pub(crate) fn amounts(self, price: Option<Price>) -> Amounts {
        Amounts {
            requests: 1,
            tokens: self.input.saturating_add(self.output),
            micro_cost: price.map(|price| price.micro_cost(self.input, self.output)),
        }
    }
}

/// The tokens of an exchange that may have so many answers. Some servers tell the tokens of one of several only; that shows
/// where there is much more text than they tell, and then it counts for each.
pub(crate) fn tokens(reply: &[Bytes], streamed: bool, input_tokens: u64, answers: u64) -> Used {
    let whole;
    let reply: &[u8] = match reply {
        [one] => one,
        pieces => {
            whole = pieces.concat();
            &whole
        }
    };
    let used = if streamed { of_stream(reply, input_tokens) } else { of_body(reply, input_tokens) };
    if answers <= 1 {
        return used;
    }
    let written = if streamed { events(reply).count() as u64 } else { written(reply) };
    let is_of_one = written >= used.output.saturating_mul(TOLD_SHARE);
    let told = if is_of_one { used.output.saturating_mul(answers) } else { used.output };
    Used { input: used.input.max(input_tokens), output: told.max(written) }
}

fn of_body(reply: &[u8], input_tokens: u64) -> Used {
    let told = serde_json::from_slice::<Told>(reply).ok().and_then(Told::usage);
    Used {
        input: told.and_then(Usage::input).unwrap_or(input_tokens),
        output: told.map_or_else(|| (reply.len() as u64).div_ceil(BYTES_A_TOKEN), Usage::output),
    }
}

fn of_stream(reply: &[u8], input_tokens: u64) -> Used {
    let events: Vec<&[u8]> = events(reply).collect();
    let ends = events.iter().take(USAGE_EVENTS).chain(events.iter().rev().take(USAGE_EVENTS).rev());
    let told = ends.filter_map(|event| serde_json::from_slice::<Told>(event).ok()?.usage());
    // Each event tells what is known by then.
    let told = told.reduce(|earlier, later| Usage { input: later.input.or(earlier.input), ..later }.at_least(earlier));
    match told {
        Some(usage) => Used { input: usage.input().unwrap_or(input_tokens), output: usage.output() },
        None => Used { input: input_tokens, output: events.len() as u64 },
    }
}

fn events(reply: &[u8]) -> impl Iterator<Item = &[u8]> {
    reply.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data:"))
}

/// The tokens of all answers of a body, estimated by their texts.
fn written(reply: &[u8]) -> u64 {
    let Ok(answers) = serde_json::from_slice::<Answers<'_>>(reply) else { return 0 };
    let texts = answers.choices.into_iter().flat_map(|choice| {
        let message = choice.message.unwrap_or_default();
        [choice.text, message.content, message.reasoning_content]
    });
    texts.flatten().map(|text| (text.len() as u64).div_ceil(BYTES_A_TOKEN)).sum()
}

/// The texts of a body's answers.
#[derive(Deserialize)]
struct Answers<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
}

#[derive(Default, Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Cow<'a, str>>,
}

/// Where a body or an event says what was used.
#[derive(Deserialize)]
struct Told {
    usage: Option<Usage>,
    message: Option<Within>,
    response: Option<Within>,
}

#[derive(Deserialize)]
struct Within {
    usage: Option<Usage>,
}

/// What was used, in the words of each API.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Usage {
    #[serde(alias = "prompt_tokens", alias = "input_tokens")]
    input: Option<u64>,
    #[serde(alias = "completion_tokens", alias = "output_tokens")]
    output: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

impl Told {
    fn usage(self) -> Option<Usage> {
        let within = |within: Option<Within>| within.and_then(|within| within.usage);
        self.usage.or_else(|| within(self.message)).or_else(|| within(self.response))
    }
}

impl Usage {
    fn input(self) -> Option<u64> {
        let cached = [self.cache_creation_input_tokens, self.cache_read_input_tokens].into_iter().flatten();
        self.input.map(|input| cached.fold(input, u64::saturating_add))
    }

    fn output(self) -> u64 {
        self.output.unwrap_or(0)
    }

    fn at_least(self, earlier: Usage) -> Usage {
        Usage {
            output: self.output.max(earlier.output),
            cache_creation_input_tokens: self.cache_creation_input_tokens.or(earlier.cache_creation_input_tokens),
            cache_read_input_tokens: self.cache_read_input_tokens.or(earlier.cache_read_input_tokens),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reply: &str, streamed: bool, expected: u64) {
        for pieces in [1, 3] {
            let length = reply.len().div_ceil(pieces).max(1);
            let pieces: Vec<Bytes> = reply.as_bytes().chunks(length).map(Bytes::copy_from_slice).collect();
            assert_eq!(tokens(&pieces, streamed, 10, 1).amounts(None).tokens, expected, "{reply}");
        }
    }

    /// llama.cpp tells the tokens of one answer, of however many there are.
    #[test]
    fn of_several_answers_all_count() {
        let answer = |index: usize| format!(r#"{{"index":{index},"text":"{}"}}"#, "word".repeat(50));
        let reply = |count: usize| {
            let choices: Vec<String> = (0..count).map(answer).collect();
            let usage = r#"{"prompt_tokens":3,"completion_tokens":50}"#;
            vec![Bytes::from(format!(r#"{{"choices":[{}],"usage":{usage}}}"#, choices.join(",")))]
        };
        assert_eq!(tokens(&reply(4), false, 10, 4), Used { input: 10, output: 200 });
        assert_eq!(tokens(&reply(4), false, 10, 1), Used { input: 3, output: 50 });
        let events: String = (0..200).map(|n| format!("data: {{\"choices\":[{{\"index\":{}}}]}}\n\n", n % 4)).collect();
        let last = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":50}}\n\n";
        let stream = [Bytes::from(events), Bytes::from_static(last.as_bytes())];
        assert_eq!(tokens(&stream, true, 10, 4), Used { input: 10, output: 201 });
        assert_eq!(tokens(&stream, true, 10, 1), Used { input: 3, output: 50 });
        // Who tells them all is believed.
        let told = r#"{"choices":[{"message":{"content":"one"}},{"message":{"content":null}}],"usage":{"prompt_tokens":30,"completion_tokens":9}}"#;
        assert_eq!(tokens(&[Bytes::from(told)], false, 10, 4), Used { input: 30, output: 9 });
    }

    #[test]
    fn a_reply_tells_what_it_used() {
        check(r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#, false, 7);
        check(
            r#"{"content":[],"usage":{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":100}}"#,
            false,
            107,
        );
        check(r#"{"data":[],"usage":{"prompt_tokens":3,"total_tokens":3}}"#, false, 3);
        check(
            "data: {\"choices\":[{}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n",
            true,
            7,
        );
        check(
            "event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":30,\"output_tokens\":1}}}\n\n\
             data: {\"delta\":{}}\n\ndata: {\"usage\":{\"output_tokens\":12}}\n\n",
            true,
            42,
        );
        check("data: {\"response\":{\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}}\n\n", true, 3);
    }

    #[test]
    fn what_is_not_told_is_estimated() {
        check(r#"{"choices":[]}"#, false, 10 + 4);
        check("data: {\"choices\":[]}\n\ndata: {\"choices\":[]}\n\n", true, 10 + 2);
        check("", true, 10);
        check("<html>", false, 10 + 2);
    }

    /// What a model writes counts for nothing: a caller may have told it what to write.
    #[test]
    fn what_a_model_writes_is_not_believed() {
        check(
            r#"{"content":[{"input":{"usage":{"output_tokens":0}}}],"usage":{"input_tokens":3,"output_tokens":4}}"#,
            false,
            7,
        );
        check(r#"{"content":[{"input":{"usage":{"input_tokens":0,"output_tokens":0}}}]}"#, false, 10 + 18);
    }
}
