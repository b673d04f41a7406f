//! Pure functions from one exchange to its signals: what a single exchange shows, before anybody is compared to anybody.
//!
//! Promises that the same exchange gives the same signals, on any thread and any machine. Keeps no state that shows, takes O(size of
//! the exchange), and cannot fail: a field that is missing is a signal that is missing.

pub mod client;
pub mod decode;
pub mod fingerprint;
pub mod intent;
pub mod meaning;
mod memo;
pub mod profile;
pub mod sketch;
pub mod token;

use std::borrow::Cow;
use std::cell::RefCell;

use event::file::PRINTS_MAX;
use event::{Hash, NAME_BYTES_MAX, OUTPUT_PRINTS_MAX, Print, Signals, WORDS_MAX};
use exchange::{Content, Exchange, Message, Role};

use crate::memo::{Keys, Memo, Remembered};

/// The signals of one exchange.
#[must_use]
pub fn of(exchange: &Exchange<'_>) -> Signals {
    let printed = exchange.fingerprint.as_ref();
    let mut prints = printed.map(fingerprint::prints).unwrap_or_default();
    let mut texts = Vec::new();
    let mut meaning = meaning::Sum::default();
    let mut words = Vec::new();
    let read: Vec<(Cow<'_, str>, bool)> =
        asked(exchange).map(|(text, turn)| (decode::decoded(head(text, ENCODED_BYTES_MAX)), turn)).collect();
    let mut keys = Keys::default();
    for (text, turn) in &read {
        let text = head(text, TEXT_BYTES_MAX);
        let mut add = |sketch: &Sketch| {
            // What is over the limit of one exchange is cut off within a text, as it is read.
            if prints.len() + sketch.prints.len() >= PRINTS_MAX {
                sketch::winnow_with(text, &mut prints, |token| {
                    meaning.add(text, token);
                    words.extend(turn.then(|| word(token.masked)));
                });
                return;
            }
            prints.extend_from_slice(&sketch.prints);
            meaning.add_sum(&sketch.meaning);
            words.extend_from_slice(if *turn { &sketch.words } else { &[] });
        };
        SKETCHES.with_borrow_mut(|memo| memo.with(keys.of(text), Sketch::of, &mut add));
        texts.push(text);
    }
    Signals {
        time: exchange.time,
        exchange: exchange.id.as_str().into(),
        account: exchange.account.as_str().into(),
        org: exchange.org.as_ref().map(|org| Hash::of(org.as_str())),
        model: exchange.model.as_deref().map(Hash::of),
        model_name: head(exchange.model.as_deref().unwrap_or_default(), NAME_BYTES_MAX).into(),
        prints,
        words: sample(printed.map_or(words, fingerprint::words)),
        meaning: printed.map_or_else(|| meaning.meaning(), fingerprint::meaning),
        output: printed.map_or_else(|| output_sketch(exchange), fingerprint::output),
        intents: printed.map_or_else(|| intent::intents_with(exchange, &mut keys), fingerprint::intents),
        params: profile::params(&exchange.request.params),
        params_text: profile::words(&exchange.request.params).into(),
        client: client::profile(&exchange.client),
        follow_up: printed.is_some_and(|printed| printed.follow_up)
            || exchange.request.messages.iter().any(|message| message.role == Role::Assistant),
        excerpt: excerpt(&texts).into(),
        answer: answer(exchange).into(),
        input_tokens: exchange.usage.input_tokens,
        output_tokens: exchange.usage.output_tokens,
    }
}

/// The texts that carry a template: the system prompt, the definitions of tools, the first user turn and the last, and an answer
/// that the caller began. Turns in between were the last ones of earlier exchanges; to count them again with every further
/// turn was tried, and makes what long conversations repeat look like a template.
///
/// With each text comes whether it is a turn of the user.
fn asked<'e>(exchange: &'e Exchange<'_>) -> impl Iterator<Item = (&'e str, bool)> {
    let request = &exchange.request;
    let of = |role: Role| {
        request.messages.iter().filter(move |message| message.role == role).map(|message| &message.content)
    };
    let tools = request.tools.iter().filter_map(|tool| tool.description.as_deref());
    // A role that is not known here is still read by the model, so it is the caller's.
    let said = || {
        let asked = |message: &&Message<'_>| matches!(message.role, Role::User | Role::Other);
        request.messages.iter().filter(asked).map(|message| &message.content)
    };
    let first = said().next();
    let last = said().skip(1).last();
    let begun = request.messages.last().filter(|message| message.role == Role::Assistant);
    let turns = first.into_iter().chain(last).chain(begun.map(|message| &message.content));
    let system = request.system.iter().chain(of(Role::System));
    let fixed = system.flat_map(Content::texts).chain(tools).map(|text| (text, false));
    fixed.chain(turns.flat_map(Content::texts).map(|text| (text, true)))
}

/// What one text gives.
struct Sketch {
    prints: Box<[Print]>,
    meaning: meaning::Sum,
    /// The smallest few: of several texts the smallest are among those of each.
    words: Box<[u32]>,
}

impl Sketch {
    fn of(text: &str) -> Sketch {
        let (mut prints, mut words, mut meaning) = (Vec::new(), Vec::new(), meaning::Sum::default());
        sketch::winnow_with(text, &mut prints, |token| {
            meaning.add(text, token);
            words.push(word(token.masked));
        });
        Sketch { prints: prints.into(), meaning, words: sample(words) }
    }
}

impl Remembered for Sketch {
    fn bytes(&self) -> usize {
        size_of_val(&*self.prints) + size_of_val(&*self.words)
    }
}

thread_local! {
    /// Sketches of texts that were read before.
    static SKETCHES: RefCell<Memo<Sketch>> = RefCell::default();
}

/// A word's hash, spread so that the smallest say nothing about the words.
fn word(masked: u64) -> u32 {
    (masked.wrapping_mul(WORD_SPREAD) >> 32) as u32
}

/// The smallest of these hashes, each once.
fn sample(mut words: Vec<u32>) -> Box<[u32]> {
    words.sort_unstable();
    words.dedup();
    words.truncate(WORDS_MAX);
    words.into()
}

/// The smallest few fingerprints of the answer, so that an answer and a quotation of most of it share some.
fn output_sketch(exchange: &Exchange<'_>) -> Vec<u64> {
    let mut prints = Vec::new();
    for text in exchange.response.content.as_deref().into_iter().chain(exchange.response.reasoning.as_deref()) {
        sketch::winnow(head(text, TEXT_BYTES_MAX), &mut prints);
    }
    let mut keys: Vec<u64> = prints.into_iter().map(|print| print.key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.truncate(OUTPUT_PRINTS_MAX);
    keys
}

/// The beginning of the answer: its text, or else what was reasoned, or the tools that were called.
fn answer(exchange: &Exchange<'_>) -> String {
    let response = &exchange.response;
    let said = response.content.as_deref().or(response.reasoning.as_deref()).filter(|text| !text.trim().is_empty());
    match said {
        Some(text) => head(text, ANSWER_BYTES_MAX).to_owned(),
        None if response.tool_calls.is_empty() => String::new(),
        None => {
            let mut calls = "calls".to_owned();
            for name in &response.tool_calls {
                if calls.len() >= ANSWER_BYTES_MAX {
                    break;
                }
                calls.push(' ');
                calls.push_str(head(name, ANSWER_BYTES_MAX - calls.len().min(ANSWER_BYTES_MAX)));
            }
            calls
        }
    }
}

/// The beginning of what was asked and, where that is long, its end too: what a template asks about often comes last.
fn excerpt(texts: &[&str]) -> String {
    let all = texts.iter().map(|text| text.len() + 1).sum::<usize>().saturating_sub(1);
    let front = if all <= EXCERPT_BYTES_MAX { EXCERPT_BYTES_MAX } else { EXCERPT_BYTES_MAX / 2 };
    let mut excerpt = String::new();
    for text in texts {
        if excerpt.len() >= front {
            break;
        }
        if !excerpt.is_empty() {
            excerpt.push('\n');
        }
        excerpt.push_str(head(text, front - excerpt.len().min(front)));
    }
    if all > EXCERPT_BYTES_MAX {
        let mut room = EXCERPT_BYTES_MAX.saturating_sub(front + EXCERPT_GAP.len());
        let mut ends = Vec::new();
        for text in texts.iter().rev() {
            if room == 0 {
                break;
            }
            let end = tail(text, room);
            room = room.saturating_sub(end.len() + 1);
            ends.push(end);
        }
        ends.reverse();
        excerpt.push_str(EXCERPT_GAP);
        excerpt.push_str(&ends.join("\n"));
    }
    excerpt
}

/// At most `bytes` of the end of `text`, cut between characters.
fn tail(text: &str, bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.get(start..).unwrap_or(text)
}

/// At most `bytes` of the beginning of `text`, cut between characters.
fn head(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// An odd constant with well spread bits.
const WORD_SPREAD: u64 = 0xD6E8_FEB8_6659_FD93;
/// The most bytes of one text that are looked at for what is encoded in them.
const ENCODED_BYTES_MAX: usize = 3 * TEXT_BYTES_MAX;
/// The most bytes of one text that are fingerprinted.
pub const TEXT_BYTES_MAX: usize = 32 * 1024;
/// The most bytes of an excerpt.
pub const EXCERPT_BYTES_MAX: usize = 1536;
/// What stands in an excerpt for a middle that is not kept.
pub const EXCERPT_GAP: &str = "\n[…]\n";
/// The most bytes kept of the beginning of an answer.
pub const ANSWER_BYTES_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::Notes;

    fn prints(request: &str) -> Vec<u64> {
        let record = format!(r#"{{"time":"2026-07-20T12:00:00Z","account":"a","request":{request}}}"#);
        let mut prints = Vec::new();
        let mut sink = |exchange: Exchange<'_>| {
            prints.extend(of(&exchange).prints.into_iter().map(|print| print.key));
        };
        exchange::read_exchanges(&record, &mut Notes::default(), &mut sink).unwrap();
        prints
    }

    fn signals(record: &str) -> Signals {
        let mut seen = None;
        let mut sink = |exchange: Exchange<'_>| seen = Some(of(&exchange));
        exchange::read_exchanges(record, &mut Notes::default(), &mut sink).unwrap();
        seen.unwrap()
    }

    /// What is remembered of texts changes nothing, also where an exchange has more fingerprints than are kept.
    #[test]
    fn what_comes_again_gives_the_same() {
        let word =
            |n: usize| [n / 676, n / 26, n].map(|n| char::from(b'a' + (n % 26) as u8)).iter().collect::<String>();
        let words = |from: usize, count: usize| -> String {
            (from..from + count).map(|n| format!("{} ", word(n * 7919))).collect()
        };
        for count in [20, 600, 8_000] {
            let texts =
                [words(1, count), words(90_000, count), "grade the answer from 1 to 5 by this rubric".repeat(9)];
            let record = |order: [usize; 3]| {
                let turns = order.map(|n| format!(r#"{{"role":"user","content":"{}"}}"#, texts[n])).join(",");
                format!(
                    r#"{{"id":"e","time":"2026-07-20T12:00:00Z","account":"a","request":{{"system":"{}","messages":[{turns}]}}}}"#,
                    words(70_000, count)
                )
            };
            let fresh: Vec<Signals> = [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
                .map(|order| {
                    let record = record(order);
                    std::thread::spawn(move || signals(&record)).join().unwrap()
                })
                .into();
            for _ in 0..3 {
                let again = [[0, 1, 2], [2, 0, 1], [1, 2, 0]].map(|order| signals(&record(order)));
                assert_eq!(again.to_vec(), fresh, "{count}");
            }
            assert_eq!(fresh[0].prints.len() == PRINTS_MAX, count == 8_000, "{}", fresh[0].prints.len());
        }
    }

    #[test]
    fn excerpts_have_both_ends_of_what_is_long() {
        let fits = "é".repeat((EXCERPT_BYTES_MAX - 4) / 2);
        assert_eq!(excerpt(&[&fits, "end"]), format!("{fits}\nend"));
        assert_eq!(excerpt(&[&fits, "end"]).len(), EXCERPT_BYTES_MAX);
        let long = excerpt(&["begin", &fits, "the end"]);
        assert!(long.starts_with("begin\né") && long.ends_with("é\nthe end") && long.contains(EXCERPT_GAP), "{long}");
        assert!((EXCERPT_BYTES_MAX - 8..=EXCERPT_BYTES_MAX).contains(&long.len()), "{}", long.len());
        assert_eq!(excerpt(&[]), "");
    }

    #[test]
    fn words_are_those_of_the_users_turns_up_to_the_limit() {
        let words = |system: &str, user: &str| {
            let asked = format!(r#"{{"system":"{system}","messages":[{{"role":"user","content":"{user}"}}]}}"#);
            signals(&format!(r#"{{"time":1,"account":"a","request":{asked}}}"#)).words
        };
        let many = |count: usize| (0..count).map(|i| format!("w{}", "x".repeat(i + 1))).collect::<Vec<_>>().join(" ");
        assert_eq!(words("", &many(WORDS_MAX)).len(), WORDS_MAX);
        assert_eq!(words("", &many(WORDS_MAX + 1)).len(), WORDS_MAX);
        assert_eq!(words("", "one two two"), words("three four five", "two one"));
    }

    #[test]
    fn names_and_answers_are_kept_up_to_their_limits() {
        for more in [0, 1] {
            let (name, answer) = ("m".repeat(NAME_BYTES_MAX + more), "w".repeat(ANSWER_BYTES_MAX + more));
            let record = format!(
                r#"{{"time":1,"account":"a","model":"{name}","client":{{"user_agent":"{name}"}},"request":{{}},
                    "response":{{"content":"{answer}"}},"usage":{{"input_tokens":3,"output_tokens":4}}}}"#
            );
            let signals = signals(&record);
            assert_eq!((signals.model_name.len(), signals.answer.len()), (NAME_BYTES_MAX, ANSWER_BYTES_MAX));
            assert_eq!(signals.client.software_name.len(), NAME_BYTES_MAX);
            assert_eq!((signals.input_tokens, signals.output_tokens), (Some(3), Some(4)));
        }
        assert_eq!(
            &*signals(r#"{"time":1,"account":"a","request":{},"response":{"tool_calls":["run","see"]}}"#).answer,
            "calls run see"
        );
        assert_eq!(&*signals(r#"{"time":1,"account":"a","request":{}}"#).answer, "");
    }

    #[test]
    fn the_names_of_tools_that_were_called_are_kept_up_to_the_limit_of_an_answer() {
        let answer = |calls: &[&str]| {
            let calls = calls.iter().map(|name| format!(r#""{name}""#)).collect::<Vec<_>>().join(",");
            signals(&format!(r#"{{"time":1,"account":"a","request":{{}},"response":{{"tool_calls":[{calls}]}}}}"#))
                .answer
        };
        let half = "n".repeat(ANSWER_BYTES_MAX / 2);
        let kept = answer(&[&half, &half, "last"]);
        assert_eq!(kept.len(), ANSWER_BYTES_MAX);
        assert!(kept.starts_with("calls n") && kept.ends_with('n'), "{kept}");
    }

    #[test]
    fn a_template_shows_wherever_the_caller_puts_it() {
        let template = "Lay out every deduction in order and close with the bare result of the exercise.";
        let user = |text: &str| format!(r#"{{"role":"user","content":"{text}"}}"#);
        let said = |text: &str| format!(r#"{{"role":"assistant","content":"{text}"}}"#);
        let turns = |turns: &[String]| format!(r#"{{"messages":[{}]}}"#, turns.join(","));
        let known = prints(&turns(&[user(template)]));
        assert!(known.len() > 3);
        let other = "What is the capital of the country that Lima lies in, please?";
        for request in [
            format!(r#"{{"system":"{template}","messages":[{}]}}"#, user(other)),
            format!(
                r#"{{"messages":[{}],"tools":[{{"type":"function","function":{{"name":"run","description":"{template}"}}}}]}}"#,
                user(other)
            ),
            turns(&[user(other), said("Lima."), user(template)]),
            turns(&[user(other), said(template)]),
        ] {
            let shown = prints(&request);
            assert!(known.iter().all(|print| shown.contains(print)), "{request}");
        }
        let answered = prints(&turns(&[user(other), said(template), user(other)]));
        assert!(!known.iter().any(|print| answered.contains(print)), "what the model said is not the caller's");
    }
}
