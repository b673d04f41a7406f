//! What one exchange is: who asked which model for what, and what came back.
//!
//! Everything borrows from the text it was read from where it can. Only `time` and `account` are always there (`request`
//! may be empty); a missing field says nothing about anybody, so everything else is optional.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::time::Time;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name<'a>(#[serde(borrow)] pub Cow<'a, str>);

        impl $name<'_> {
            /// The id as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl $name<'_> {
            /// The same, independent of the text it was read from.
            #[must_use]
            pub fn into_owned(self) -> $name<'static> {
                $name(Cow::Owned(self.0.into_owned()))
            }
        }

        impl<'a> From<&'a str> for $name<'a> {
            fn from(text: &'a str) -> Self {
                $name(Cow::Borrowed(text))
            }
        }

        impl From<String> for $name<'_> {
            fn from(text: String) -> Self {
                $name(Cow::Owned(text))
            }
        }

        impl<'a> From<Cow<'a, str>> for $name<'a> {
            fn from(text: Cow<'a, str>) -> Self {
                $name(text)
            }
        }
    )*};
}

ids! {
    /// An exchange; unique.
    ExchangeId,
    /// An account: who pays, and the unit that gets banned.
    AccountId,
    /// A verified organisation that several accounts may belong to.
    OrgId,
    /// A credential's id, never its secret.
    KeyId,
    /// The caller's own id of the user it acts for.
    EndUserId,
    /// A conversation or agent run.
    SessionId,
}

/// One request to a model and what came back.
///
/// It serialises as one native record; [`crate::write_native`] writes it as a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Exchange<'a> {
    /// Generated from content and position when the source has none.
    pub id: ExchangeId<'a>,
    /// When the request arrived.
    pub time: Time,
    /// Who pays.
    pub account: AccountId<'a>,
    /// The verified organisation behind the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgId<'a>>,
    /// The credential used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId<'a>>,
    /// The caller's own user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_user: Option<EndUserId<'a>>,
    /// The conversation or agent run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId<'a>>,
    /// The kind of call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// The model asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Cow<'a, str>>,
    /// Where the request came from.
    #[serde(skip_serializing_if = "is_default")]
    pub client: Client<'a>,
    /// What was asked.
    pub request: Request<'a>,
    /// What came back.
    #[serde(skip_serializing_if = "is_default")]
    pub response: Response<'a>,
    /// What it cost.
    #[serde(skip_serializing_if = "is_default")]
    pub usage: Usage,
    /// The HTTP status of the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// From the request's arrival to the reply's end, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// What was computed from texts that are not here, where a provider keeps none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint<'a>>,
}

/// Keyed fingerprints instead of text, as `stillwatch fingerprint` computes them where the texts are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Fingerprint<'a> {
    /// What was asked: 24 hexadecimal digits a fingerprint, at most [`crate::limits::FINGERPRINT_BYTES_MAX`] in all.
    pub prints: Cow<'a, str>,
    /// What was answered: 16 hexadecimal digits a fingerprint.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub output: Cow<'a, str>,
    /// A sample of the words that were asked, as hashes: 8 hexadecimal digits a word.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub words: Cow<'a, str>,
    /// What was asked means, coarsely: 2 hexadecimal digits a number; absent where that is not known.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub meaning: Cow<'a, str>,
    /// What it is after, by the names of capabilities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub intents: Vec<Cow<'a, str>>,
    /// Whether it continues a conversation.
    #[serde(skip_serializing_if = "is_default")]
    pub follow_up: bool,
}

impl Fingerprint<'_> {
    /// Digits of one fingerprint of what was asked.
    pub const PRINT_DIGITS: usize = 24;
    /// Digits of one fingerprint of what was answered.
    pub const OUTPUT_DIGITS: usize = 16;
    /// Digits of one word.
    pub const WORD_DIGITS: usize = 8;
    /// Digits of a meaning.
    pub const MEANING_DIGITS: usize = 128;
}

/// The kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// OpenAI Chat Completions and look-alikes.
    Chat,
    /// Plain text completion.
    Completion,
    /// Embeddings.
    Embeddings,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Any of these, sent as a batch.
    Batch,
    /// A kind this version does not know.
    Other,
}

impl Operation {
    /// As native records write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Operation::Chat => "chat",
            Operation::Completion => "completion",
            Operation::Embeddings => "embeddings",
            Operation::Responses => "responses",
            Operation::Messages => "messages",
            Operation::Batch => "batch",
            Operation::Other => "other",
        }
    }

    /// What a word of a native record stands for.
    #[must_use]
    pub fn named(word: &str) -> Operation {
        match word {
            "chat" => Operation::Chat,
            "completion" => Operation::Completion,
            "embeddings" => Operation::Embeddings,
            "responses" => Operation::Responses,
            "messages" => Operation::Messages,
            "batch" => Operation::Batch,
            _ => Operation::Other,
        }
    }
}

/// Where a request came from.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Client<'a> {
    /// The address, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<Cow<'a, str>>,
    /// The autonomous system number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Cow<'a, str>>,
    /// The kind of network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// TLS client fingerprint; taken as input, never computed here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4: Option<Cow<'a, str>>,
    /// HTTP client fingerprint; taken as input, never computed here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4h: Option<Cow<'a, str>>,
    /// The `User-Agent` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Cow<'a, str>>,
}

/// The kind of network an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// A data centre.
    Hosting,
    /// A home.
    Residential,
    /// A mobile carrier.
    Mobile,
    /// A public VPN.
    Vpn,
    /// The Tor network.
    Tor,
    /// An office, a campus.
    Business,
    /// A kind this version does not know.
    Other,
}

impl Network {
    /// As native records write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Network::Hosting => "hosting",
            Network::Residential => "residential",
            Network::Mobile => "mobile",
            Network::Vpn => "vpn",
            Network::Tor => "tor",
            Network::Business => "business",
            Network::Other => "other",
        }
    }

    /// What a word of a native record stands for.
    #[must_use]
    pub fn named(word: &str) -> Network {
        match word {
            "hosting" => Network::Hosting,
            "residential" => Network::Residential,
            "mobile" => Network::Mobile,
            "vpn" => Network::Vpn,
            "tor" => Network::Tor,
            "business" => Network::Business,
            _ => Network::Other,
        }
    }
}

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Request<'a> {
    /// The system prompt, apart from the turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<Content<'a>>,
    /// The turns, oldest first. A system prompt among them stays there.
    pub messages: Vec<Message<'a>>,
    /// The tools on offer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool<'a>>,
    /// Decoding settings.
    #[serde(skip_serializing_if = "is_default")]
    pub params: Params<'a>,
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Content<'a>,
}

/// Who speaks in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// System or developer.
    System,
    /// The caller.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
    /// A role this version does not know.
    Other,
}

/// What is said in a turn: plain text, or parts in order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Content<'a> {
    /// Plain text.
    Text(Cow<'a, str>),
    /// Content parts as OpenAI and Anthropic write them.
    Parts(Vec<Part<'a>>),
}

impl<'a> Content<'a> {
    /// The texts in it, in order: plain text, tool results, tool inputs; no reasoning, no media.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self {
            Content::Text(text) => (Some(text.as_ref()), [].as_slice()),
            Content::Parts(parts) => (None, parts.as_slice()),
        };
        one.into_iter().chain(many.iter().filter_map(Part::text))
    }
}

impl Default for Content<'_> {
    fn default() -> Self {
        Content::Text(Cow::Borrowed(""))
    }
}

/// One content part.
#[derive(Clone, Debug, PartialEq)]
pub enum Part<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// The model's reasoning, readable.
    Reasoning(Cow<'a, str>),
    /// The model's reasoning as an opaque blob (encrypted or signed).
    SealedReasoning(Cow<'a, str>),
    /// A tool called, by name, with its input as JSON text.
    ToolCall {
        /// The tool's name.
        name: Cow<'a, str>,
        /// Its input.
        input: Cow<'a, str>,
    },
    /// What a tool returned.
    ToolResult(Cow<'a, str>),
    /// An image, sound or document; not looked into.
    Media,
}

impl Part<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Part::Text(text) | Part::ToolResult(text) => Some(text),
            Part::ToolCall { input, .. } => Some(input),
            Part::Reasoning(_) | Part::SealedReasoning(_) | Part::Media => None,
        }
    }
}

/// Each variant as the content part of that meaning which reads back exactly as it was.
impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut entry = |key, value: &str| map.serialize_entry(key, value);
        match self {
            Part::Text(text) => entry("type", "text").and_then(|()| entry("text", text)),
            Part::Reasoning(text) => entry("type", "thinking").and_then(|()| entry("thinking", text)),
            Part::SealedReasoning(blob) => entry("type", "redacted_thinking").and_then(|()| entry("data", blob)),
            Part::ToolCall { name, input } => entry("type", "function_call")
                .and_then(|()| entry("name", name))
                .and_then(|()| entry("arguments", input)),
            Part::ToolResult(text) => entry("type", "tool_result").and_then(|()| entry("content", text)),
            Part::Media => entry("type", "image"),
        }?;
        map.end()
    }
}

/// A tool on offer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tool<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its description, when the full definition was logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Cow<'a, str>>,
}

/// Decoding settings. Absent means the caller left it to the server, or the source does not log it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Params<'a> {
    /// Sampling temperature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Nucleus sampling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// Output budget in tokens, under any of its names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Alternatives asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// Whether log-probabilities were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    /// How many alternatives' log-probabilities per token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u32>,
    /// Whether token biases were set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logit_bias: Option<bool>,
    /// Whether the prompt is to be echoed back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo: Option<bool>,
    /// Sampling seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Whether the reply is streamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// How hard the model is to think.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<Cow<'a, str>>,
}

impl Params<'_> {
    /// These settings, and those of `others` where these have none.
    pub(crate) fn or(self, others: Self) -> Self {
        Params {
            temperature: self.temperature.or(others.temperature),
            top_p: self.top_p.or(others.top_p),
            max_tokens: self.max_tokens.or(others.max_tokens),
            n: self.n.or(others.n),
            logprobs: self.logprobs.or(others.logprobs),
            top_logprobs: self.top_logprobs.or(others.top_logprobs),
            logit_bias: self.logit_bias.or(others.logit_bias),
            echo: self.echo.or(others.echo),
            seed: self.seed.or(others.seed),
            stream: self.stream.or(others.stream),
            reasoning_effort: self.reasoning_effort.or(others.reasoning_effort),
        }
    }
}

/// What came back. Every field may be missing: a log of requests alone is a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Response<'a> {
    /// The answer's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Cow<'a, str>>,
    /// The readable reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Cow<'a, str>>,
    /// Names of the tools called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<Cow<'a, str>>,
    /// Why the model stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<Cow<'a, str>>,
    /// Whether the model refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<bool>,
}

/// What an exchange cost, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Of the reply, reasoning included when the source counts it so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Of the reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Of the request, served from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
}

/// How well the provider knows who stands behind an account, weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// Not at all.
    #[default]
    None,
    /// A mail address was confirmed.
    Email,
    /// A telephone number was confirmed.
    Phone,
    /// A payment went through.
    Payment,
    /// A business was checked.
    Business,
    /// A contract was signed.
    Contract,
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
