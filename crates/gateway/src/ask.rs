//! What the body of a request asks for: which model, which actions, how much at most.
//!
//! Promises that what is decided is what the server will read: a body that two JSON readers could understand
//! differently (a key twice, a key in other letters' case, text that is not UTF-8) is refused, and so is one that is no
//! JSON object. Reads the body once and keeps nothing of it but names and numbers.

use std::borrow::Cow;
use std::fmt;

use policy::{Action, Actions};
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::fields::{self, Needs};
use crate::limits::{ALTERNATIVES_MAX, FILES_REFERRED_MAX, MODEL_BYTES_MAX, OUTPUT_TOKENS_UNTOLD};
use crate::references::{self, References};
use crate::route::Call;

/// What a body asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    /// The model.
    pub model: Option<String>,
    /// What it wants to do.
    pub wanted: Actions,
    /// Of what is wanted, what is refused where it is not permitted though it could be held back: whoever asks on its behalf takes nothing out.
    pub strict: Actions,
    /// The most tokens that the reply may have, by the request's own words, all answers together.
    pub output_tokens_max: Option<u64>,
    /// How many texts are to be completed, each for itself.
    pub prompts: u64,
    /// How many answers there may be.
    pub answers: u64,
    /// Stored things that it builds on and of which nothing here knows whose they are: an earlier response, a conversation.
    pub builds_on: Vec<String>,
    /// Files that it refers to, by their ids.
    pub files: Vec<String>,
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
    /// It refers to too many files.
    #[error("a request may refer to {FILES_REFERRED_MAX} files at most")]
    TooManyFiles,
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
        let mut ask = fields(text)?.ask(call)?;
        if references::may_be_in(body) {
            let References { files, builds_on } = references::of(text, call).map_err(BadAsk::NotJson)?;
            ask.files = files;
            ask.builds_on.extend(builds_on);
            if ask.files.len() > FILES_REFERRED_MAX {
                return Err(BadAsk::TooManyFiles);
            }
        }
        Ok(ask)
    }

    /// The most tokens that a reply is taken to have, before it is there.
    pub(crate) fn output_tokens(&self, call: Call) -> u64 {
        if call.action() == Action::Embeddings { 0 } else { self.output_tokens_max.unwrap_or(OUTPUT_TOKENS_UNTOLD) }
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
    prompts: u64,
    /// What fields ask for by being there.
    wanted: Actions,
    tools: bool,
    output_tokens_max: Option<u64>,
    builds_on: Vec<Cow<'a, str>>,
    background: bool,
    /// The id of a prompt that a server keeps.
    stored_prompt: Option<String>,
}

impl Fields<'_> {
    fn ask(self, call: Call) -> Result<Ask, BadAsk> {
        let model = self.model.ok_or(BadAsk::NoModel)?;
        let printable = model.chars().all(|letter| !letter.is_control() && !letter.is_whitespace());
        if model.is_empty() || model.len() > MODEL_BYTES_MAX || !printable {
            return Err(BadAsk::BadModel);
        }
        let mut wanted = self.wanted.with(call.action());
        for (asked, action) in [
            (self.stream, Action::Stream),
            (self.alternatives.is_some_and(|count| count > 1), Action::Alternatives),
            (self.tools, Action::Tools),
            (self.background, Action::Batch),
            // Whether a model shows its reasoning, and how much it says, is not always for the request to say.
            (call.writes(), Action::ReasoningText),
            (call.writes(), Action::LongOutput),
            (call == Call::Embeddings, Action::FullPrecision),
        ] {
            if asked {
                wanted = wanted.with(action);
            }
        }
        let each = self.output_tokens_max;
        let stored_prompt = self.stored_prompt.filter(|_| call == Call::Responses);
        let prompts = if call == Call::Completion { self.prompts.max(1) } else { 1 };
        let answers = prompts.saturating_mul(u64::from(self.alternatives.unwrap_or(1).max(1)));
        Ok(Ask {
            model: Some(model.into_owned()),
            wanted,
            strict: Actions::NONE,
            output_tokens_max: each.map(|each| each.saturating_mul(answers)),
            prompts,
            answers,
            builds_on: self.builds_on.into_iter().map(Cow::into_owned).chain(stored_prompt).collect(),
            files: Vec::new(),
        })
    }
}

/// What a key is, seen once. A key that differs from a known one only in the case of its letters is refused: servers in
/// some languages read it as the same.
fn known(key: &str, seen: &mut u128) -> Result<Option<(&'static str, Needs)>, String> {
    let Some((index, name, needs)) = fields::find(key) else { return Ok(None) };
    if name != key {
        return Err(format!("unknown field `{}`; did you mean `{name}`?", key.escape_default()));
    }
    let bit = 1 << index;
    if *seen & bit != 0 {
        return Err(format!("duplicate field `{name}`"));
    }
    *seen |= bit;
    Ok(Some((name, needs)))
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
                        Some(("model", _)) => fields.model = map.next_value::<Option<Text<'de>>>()?.map(|text| text.0),
                        Some(("stream", _)) => fields.stream = map.next_value::<Option<bool>>()?.unwrap_or(false),
                        Some(("background", _)) => {
                            fields.background = map.next_value::<Option<bool>>()?.unwrap_or(false);
                        }
                        Some(("n" | "best_of" | "num_return_sequences" | "n_cmpl", _)) => {
                            let count = map.next_value::<Option<u32>>()?.unwrap_or(1);
                            if count > ALTERNATIVES_MAX {
                                let wrong = format!("`{key}` must be at most {ALTERNATIVES_MAX}");
                                return Err(de::Error::custom(wrong));
                            }
                            fields.alternatives = Some(fields.alternatives.unwrap_or(1).max(count));
                        }
                        Some(("include", _)) => {
                            let extras = map.next_value::<Option<Vec<Text<'de>>>>()?.unwrap_or_default();
                            if extras.iter().any(|extra| extra.0.ends_with("logprobs")) {
                                fields.wanted = fields.wanted.with(Action::Logprobs);
                            }
                        }
                        Some(("prompt", _)) => {
                            let Prompts { count, stored } = map.next_value::<Prompts>()?;
                            fields.prompts = count;
                            fields.stored_prompt = stored;
                        }
                        Some(("container", _)) => {
                            fields.builds_on.extend(map.next_value::<Option<Container<'de>>>()?.and_then(|it| it.0));
                        }
                        Some(("tools" | "functions", _)) => {
                            let Tools { count, containers } = map.next_value::<Option<Tools>>()?.unwrap_or_default();
                            fields.tools |= count > 0;
                            fields.builds_on.extend(containers.into_iter().map(Cow::Owned));
                        }
                        Some((_, Needs::OutputTokens)) => {
                            let most = map.next_value::<Option<OutputTokens>>()?.and_then(|most| most.0);
                            fields.output_tokens_max = fields.output_tokens_max.max(most);
                        }
                        Some(("previous_response_id" | "input_file_id", _)) => {
                            fields.builds_on.extend(map.next_value::<Option<Text<'de>>>()?.map(|text| text.0));
                        }
                        Some(("conversation", _)) => {
                            fields.builds_on.extend(map.next_value::<Option<Conversation<'de>>>()?.map(|it| it.0));
                        }
                        Some((_, needs)) if needs != Needs::Nothing => {
                            let value = map.next_value::<&RawValue>()?;
                            if !matches!(value.get(), "null" | "false") {
                                fields.wanted = fields.wanted.or(needs.wanted());
                            }
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

/// How many texts a prompt holds: one, or those of a list. A list of numbers is one text, by its tokens. An object with an id is
/// a prompt that a server keeps, in the API that has these.
struct Prompts {
    count: u64,
    stored: Option<String>,
}

impl<'de> Deserialize<'de> for Prompts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Stored {
            id: Option<String>,
        }
        let text = <&RawValue>::deserialize(from)?.get();
        if text.starts_with('{') {
            let stored = serde_json::from_str::<Stored>(text).map_err(de::Error::custom)?.id;
            return Ok(Prompts { count: 1, stored });
        }
        if !text.starts_with('[') {
            return Ok(Prompts { count: 1, stored: None });
        }
        let list: Vec<&RawValue> = serde_json::from_str(text).map_err(de::Error::custom)?;
        let texts = list.iter().filter(|item| item.get().starts_with(['"', '[', '{'])).count();
        Ok(Prompts { count: (texts as u64).max(1), stored: None })
    }
}

/// A container that tools run in, where it is one that is there already; a new one is described by an object, whose id, if it
/// has one, is of one that is there too.
struct Container<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Container<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form<'a> {
            Id(#[serde(borrow)] Cow<'a, str>),
            Object { id: Option<String> },
        }
        Ok(Container(match Form::deserialize(from)? {
            Form::Id(id) => Some(id),
            Form::Object { id } => id.map(Cow::Owned),
        }))
    }
}

/// How many tools there are, and the containers that they run in.
#[derive(Default)]
struct Tools {
    count: usize,
    containers: Vec<String>,
}

impl<'de> Deserialize<'de> for Tools {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Tool<'a> {
            #[serde(borrow)]
            container: Option<Container<'a>>,
        }
        let tools: Vec<&RawValue> = Vec::deserialize(from)?;
        let mut read = Tools { count: tools.len(), containers: Vec::new() };
        // Most are functions, and have none; what is no object is not looked into.
        for tool in tools.iter().filter(|tool| tool.get().starts_with('{')) {
            let Tool { container } = serde_json::from_str(tool.get()).map_err(de::Error::custom)?;
            read.containers.extend(container.and_then(|it| it.0).map(Cow::into_owned));
        }
        Ok(read)
    }
}

/// How many tokens a reply may have; none where a server reads a number below 0 as no limit.
struct OutputTokens(Option<u64>);

impl<'de> Deserialize<'de> for OutputTokens {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(OutputTokens(u64::try_from(i64::deserialize(from)?).ok()))
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
    use serde_json::json;

    use super::*;

    fn chat(body: &str) -> Result<Ask, BadAsk> {
        Ask::read(Call::Chat, body.as_bytes())
    }

    #[test]
    fn what_is_wanted_is_read_from_the_body() {
        for (body, expected) in [
            (r#"{"model":"m","messages":[]}"#, "infer, reasoning_text, long_output"),
            (r#"{"model":"m","stream":true}"#, "infer, reasoning_text, stream, long_output"),
            (r#"{"model":"m","stream":null,"n":1,"tools":[],"logprobs":false}"#, "infer, reasoning_text, long_output"),
            (r#"{"model":"m","n":2}"#, "infer, reasoning_text, alternatives, long_output"),
            (r#"{"model":"m","best_of":2,"n":1}"#, "infer, reasoning_text, alternatives, long_output"),
            (r#"{"model":"m","logprobs":true}"#, "infer, logprobs, reasoning_text, long_output"),
            (r#"{"model":"m","logprobs":0}"#, "infer, logprobs, reasoning_text, long_output"),
            (r#"{"model":"m","n_probs":3}"#, "infer, logprobs, reasoning_text, long_output"),
            (r#"{"model":"m","prompt_logprobs":1}"#, "infer, logprobs, reasoning_text, long_output"),
            (
                r#"{"model":"m","include":["message.output_text.logprobs"]}"#,
                "infer, logprobs, reasoning_text, long_output",
            ),
            (r#"{"model":"m","tools":[{"type":"function"}]}"#, "infer, reasoning_text, tools, long_output"),
        ] {
            assert_eq!(chat(body).unwrap().wanted.to_string(), expected, "{body}");
        }
        for (field, expected) in [
            (r#""temperature":0"#, Some(Action::Sampling)),
            (r#""seed":7"#, Some(Action::Sampling)),
            (r#""seed":null"#, None),
            (r#""return_hidden_states":true"#, Some(Action::Logprobs)),
            (r#""return_hidden_states":false"#, None),
            (r#""ignore_eos":true"#, Some(Action::LongOutput)),
        ] {
            let wanted = chat(&format!(r#"{{"model":"m",{field}}}"#)).unwrap().wanted;
            let usual = chat(r#"{"model":"m"}"#).unwrap().wanted;
            assert_eq!(wanted, expected.map_or(usual, |action| usual.with(action)), "{field}");
        }
        let both = chat(r#"{"model":"m","logit_bias":{"5":100}}"#).unwrap().wanted;
        assert!(both.has(Action::Logprobs) && both.has(Action::Sampling));
        assert_eq!(chat(r#"{"model":"m","n_predict":-1}"#).unwrap().output_tokens_max, None);
        let ask = chat(r#"{"model":"m","max_tokens":10,"max_completion_tokens":20,"n":3}"#).unwrap();
        assert_eq!((ask.model.as_deref(), ask.output_tokens_max), (Some("m"), Some(60)));
        for (prompt, prompts) in [
            (r#""a""#, 1),
            (r#"["a"]"#, 1),
            (r#"["a","b","c"]"#, 3),
            ("[1,2,3]", 1),
            ("[[1,2],[3]]", 2),
            (r#"["a",[1,2]]"#, 2),
            (r#"{"prompt_string":"a"}"#, 1),
            ("null", 1),
        ] {
            let body = format!(r#"{{"model":"m","prompt":{prompt},"n_cmpl":2,"max_tokens":10}}"#);
            let ask = Ask::read(Call::Completion, body.as_bytes()).unwrap();
            let expected = (prompts, 2 * prompts, Some(20 * prompts));
            assert_eq!((ask.prompts, ask.answers, ask.output_tokens_max), expected, "{prompt}");
        }
        let ask = Ask::read(Call::Responses, br#"{"model":"m","previous_response_id":"r","conversation":{"id":"c"}}"#);
        assert_eq!(ask.unwrap().builds_on, ["r", "c"]);
    }

    #[test]
    fn what_is_stored_and_nobody_s_is_found_at_the_top() {
        for body in [
            r#"{"model":"m","tools":[{"type":"code_interpreter","container":"c1"}]}"#,
            r#"{"model":"m","container":"c1"}"#,
            r#"{"model":"m","container":{"id":"c1"}}"#,
            r#"{"model":"m","prompt":{"id":"p1"}}"#,
        ] {
            assert!(!Ask::read(Call::Responses, body.as_bytes()).unwrap().builds_on.is_empty(), "{body}");
        }
        let many = |count: usize| {
            let ids = vec!["f"; count];
            Ask::read(Call::Chat, json!({"model": "m", "x": {"file_ids": ids}}).to_string().as_bytes())
        };
        assert_eq!(many(FILES_REFERRED_MAX).unwrap().files.len(), FILES_REFERRED_MAX);
        assert_eq!(many(FILES_REFERRED_MAX + 1), Err(BadAsk::TooManyFiles));
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
