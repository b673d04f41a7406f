//! What the body of a request asks for: which model, which actions, how much at most.
//!
//! Promises that what is decided is what the server will read: a body that two JSON readers could understand
//! differently (a key twice, a key in other letters' case, text that is not UTF-8) is refused, and so is one that is no
//! JSON object. Reads the body once and keeps nothing of it but names and numbers.

use std::borrow::Cow;
use std::fmt;

use policy::{Action, Actions};
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::limits::{ALTERNATIVES_MAX, MODEL_BYTES_MAX};
use crate::route::Call;

/// What a body asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    /// The model.
    pub model: Option<String>,
    /// What it wants to do.
    pub wanted: Actions,
    /// The most tokens that the reply may have, by the request's own words, all alternatives together.
    pub output_tokens_max: Option<u64>,
    /// Stored things of a caller that it builds on: an earlier response, a conversation, a file.
    pub builds_on: Vec<String>,
}

/// Why a body is refused; the text may be shown to the caller, whose mistake it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadAsk {
    /// It is no text.
    #[error("the request body is not valid UTF-8")]
    NotUtf8,
    /// It is no JSON object with the fields it should have.
    #[error("the request body is not a JSON object that can be read: {0}")]
    NotJson(String),
    /// No model is named.
    #[error("you must provide a model parameter")]
    NoModel,
    /// The name is no name.
    #[error("the model parameter must be 1 to {MODEL_BYTES_MAX} printable characters")]
    BadModel,
}

impl Ask {
    /// Reads the body of `call`.
    ///
    /// # Errors
    ///
    /// When it is not what the call takes.
    pub fn read(call: Call, body: &[u8]) -> Result<Ask, BadAsk> {
        let text = std::str::from_utf8(body).map_err(|_| BadAsk::NotUtf8)?;
        fields(text)?.ask(call)
    }
}

fn fields(text: &str) -> Result<Fields<'_>, BadAsk> {
    serde_json::from_str(text).map_err(|error| BadAsk::NotJson(error.to_string()))
}

/// The fields of a body that matter here, of all APIs: no name means two things.
#[derive(Default)]
struct Fields<'a> {
    model: Option<Cow<'a, str>>,
    stream: bool,
    alternatives: Option<u32>,
    logprobs: bool,
    tools: bool,
    output_tokens_max: Option<u64>,
    builds_on: Vec<Cow<'a, str>>,
    background: bool,
}

impl Fields<'_> {
    fn ask(self, call: Call) -> Result<Ask, BadAsk> {
        let model = self.model.ok_or(BadAsk::NoModel)?;
        let printable = model.chars().all(|letter| !letter.is_control() && !letter.is_whitespace());
        if model.is_empty() || model.len() > MODEL_BYTES_MAX || !printable {
            return Err(BadAsk::BadModel);
        }
        let mut wanted = Actions::NONE.with(call.action());
        for (asked, action) in [
            (self.stream, Action::Stream),
            (self.alternatives.is_some_and(|count| count > 1), Action::Alternatives),
            (self.logprobs, Action::Logprobs),
            (self.tools, Action::Tools),
            (self.background, Action::Batch),
            // Whether a model shows its reasoning is not always for the request to say.
            (matches!(call, Call::Chat | Call::Responses | Call::Messages | Call::Completion), Action::ReasoningText),
        ] {
            if asked {
                wanted = wanted.with(action);
            }
        }
        let each = self.output_tokens_max;
        let count = u64::from(self.alternatives.unwrap_or(1).max(1));
        Ok(Ask {
            model: Some(model.into_owned()),
            wanted,
            output_tokens_max: each.map(|each| each.saturating_mul(count)),
            builds_on: self.builds_on.into_iter().map(Cow::into_owned).collect(),
        })
    }
}

/// The keys that are looked at. A key that differs from one of them only in the case of its letters is refused: servers
/// in some languages read it as the same.
const KEYS: [&str; 23] = [
    "model",
    "stream",
    "n",
    "best_of",
    "logprobs",
    "top_logprobs",
    "prompt_logprobs",
    "include",
    "tools",
    "functions",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "previous_response_id",
    "conversation",
    "input_file_id",
    "background",
    "messages",
    "input",
    "prompt",
    "n_probs",
    "num_return_sequences",
    "use_beam_search",
];

/// What a key was, seen once.
fn known(key: &str, seen: &mut u32) -> Result<Option<&'static str>, String> {
    let Some((index, name)) = KEYS.iter().enumerate().find(|(_, name)| name.eq_ignore_ascii_case(key)) else {
        return Ok(None);
    };
    if *name != key {
        return Err(format!("unknown field `{}`; did you mean `{name}`?", key.escape_default()));
    }
    let bit = 1 << index;
    if *seen & bit != 0 {
        return Err(format!("duplicate field `{name}`"));
    }
    *seen |= bit;
    Ok(Some(name))
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Fields<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
                let mut fields = Fields::default();
                let mut seen = 0;
                while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                    match known(&key, &mut seen).map_err(de::Error::custom)? {
                        Some("model") => fields.model = map.next_value::<Option<Text<'de>>>()?.map(|text| text.0),
                        Some("stream") => fields.stream = map.next_value::<Option<bool>>()?.unwrap_or(false),
                        Some("background") => fields.background = map.next_value::<Option<bool>>()?.unwrap_or(false),
                        Some("n" | "best_of" | "num_return_sequences") => {
                            let count = map.next_value::<Option<u32>>()?.unwrap_or(1);
                            if count > ALTERNATIVES_MAX {
                                let wrong = format!("`{key}` must be at most {ALTERNATIVES_MAX}");
                                return Err(de::Error::custom(wrong));
                            }
                            fields.alternatives = Some(fields.alternatives.unwrap_or(1).max(count));
                        }
                        Some("logprobs" | "top_logprobs" | "prompt_logprobs" | "n_probs") => {
                            fields.logprobs |= map.next_value::<Option<Flag>>()?.is_some_and(|flag| flag.0);
                        }
                        Some("include") => {
                            let extras = map.next_value::<Option<Vec<Text<'de>>>>()?.unwrap_or_default();
                            fields.logprobs |= extras.iter().any(|extra| extra.0.ends_with("logprobs"));
                        }
                        Some("tools" | "functions") => {
                            fields.tools |= map.next_value::<Option<Filled>>()?.is_some_and(|list| list.0);
                        }
                        Some("max_tokens" | "max_completion_tokens" | "max_output_tokens") => {
                            let most = map.next_value::<Option<u64>>()?;
                            fields.output_tokens_max = fields.output_tokens_max.max(most);
                        }
                        Some("previous_response_id" | "input_file_id") => {
                            fields.builds_on.extend(map.next_value::<Option<Text<'de>>>()?.map(|text| text.0));
                        }
                        Some("conversation") => {
                            fields.builds_on.extend(map.next_value::<Option<Conversation<'de>>>()?.map(|it| it.0));
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(fields)
            }
        }

        from.deserialize_map(Reader)
    }
}

/// A text, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// True, or a number: Completions and vLLM take counts. Zero counts too, as it asks for the chosen tokens'
/// probabilities.
struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Flag;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("true, false or a number")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Flag, E> {
                Ok(Flag(true))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Flag, E> {
                Ok(Flag(true))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Flag, E> {
                Ok(Flag(true))
            }
        }

        from.deserialize_any(Reader)
    }
}

/// Whether a list has anything in it.
struct Filled(bool);

impl<'de> Deserialize<'de> for Filled {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Filled;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Filled, S::Error> {
                let mut filled = false;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    filled = true;
                }
                Ok(Filled(filled))
            }
        }

        from.deserialize_seq(Reader)
    }
}

/// A conversation, by its id or as an object that has it.
struct Conversation<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Conversation<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form<'a> {
            Id(#[serde(borrow)] Cow<'a, str>),
            Object { id: String },
        }
        Ok(Conversation(match Form::deserialize(from)? {
            Form::Id(id) => id,
            Form::Object { id } => Cow::Owned(id),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(body: &str) -> Result<Ask, BadAsk> {
        Ask::read(Call::Chat, body.as_bytes())
    }

    #[test]
    fn what_is_wanted_is_read_from_the_body() {
        for (body, expected) in [
            (r#"{"model":"m","messages":[]}"#, "infer, reasoning_text"),
            (r#"{"model":"m","stream":true}"#, "infer, reasoning_text, stream"),
            (r#"{"model":"m","stream":null,"n":1,"tools":[],"logprobs":false}"#, "infer, reasoning_text"),
            (r#"{"model":"m","n":2}"#, "infer, reasoning_text, alternatives"),
            (r#"{"model":"m","best_of":2,"n":1}"#, "infer, reasoning_text, alternatives"),
            (r#"{"model":"m","logprobs":true}"#, "infer, logprobs, reasoning_text"),
            (r#"{"model":"m","logprobs":0}"#, "infer, logprobs, reasoning_text"),
            (r#"{"model":"m","n_probs":3}"#, "infer, logprobs, reasoning_text"),
            (r#"{"model":"m","prompt_logprobs":1}"#, "infer, logprobs, reasoning_text"),
            (r#"{"model":"m","include":["message.output_text.logprobs"]}"#, "infer, logprobs, reasoning_text"),
            (r#"{"model":"m","tools":[{"type":"function"}]}"#, "infer, reasoning_text, tools"),
        ] {
            assert_eq!(chat(body).unwrap().wanted.to_string(), expected, "{body}");
        }
        let ask = chat(r#"{"model":"m","max_tokens":10,"max_completion_tokens":20,"n":3}"#).unwrap();
        assert_eq!((ask.model.as_deref(), ask.output_tokens_max), (Some("m"), Some(60)));
        let ask = Ask::read(Call::Responses, br#"{"model":"m","previous_response_id":"r","conversation":{"id":"c"}}"#);
        assert_eq!(ask.unwrap().builds_on, ["r", "c"]);
    }

    #[test]
    fn what_two_readers_would_read_differently_is_refused() {
        for (body, expected) in [
            (r#"{"model":"cheap","model":"dear"}"#, "duplicate field `model`"),
            (r#"{"model":"cheap","mod\u0065l":"dear"}"#, "duplicate field `model`"),
            (r#"{"model":"cheap","Model":"dear"}"#, "did you mean `model`"),
            (r#"{"model":"m","STREAM":true}"#, "did you mean `stream`"),
            (r#"{"model":"m","n":129}"#, "`n` must be at most 128"),
            (r#"{"model":"m"} {"model":"dear"}"#, "trailing characters"),
            (r#"{"model":"m","stream":"yes"}"#, "invalid type"),
            (r#"[{"model":"m"}]"#, "expected an object"),
            (r#"{"model":"m""#, "EOF"),
            ("", "EOF"),
        ] {
            let error = chat(body).unwrap_err().to_string();
            assert!(error.contains(expected), "{body}: {error}");
        }
        assert_eq!(Ask::read(Call::Chat, b"{\"model\":\"\xff\"}"), Err(BadAsk::NotUtf8));
        assert_eq!(chat("{}"), Err(BadAsk::NoModel));
        assert!(chat(r#"{"model":"m","n":128}"#).is_ok());
    }

    #[test]
    fn names_of_models_have_a_limit() {
        let named = |name: &str| chat(&format!("{{\"model\":\"{name}\"}}"));
        assert!(named(&"m".repeat(MODEL_BYTES_MAX)).is_ok());
        for bad in ["", "a b", "a\\nb", "a\\u0000", &"m".repeat(MODEL_BYTES_MAX + 1)] {
            assert_eq!(named(bad), Err(BadAsk::BadModel), "{bad}");
        }
    }
}
