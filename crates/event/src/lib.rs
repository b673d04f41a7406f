//! What one exchange leaves behind, as plain data: whoever works out what an exchange shows writes it, and detection reads it.
//!
//! Promises one compact, versioned form ([`mod@file`]), in which no text needs to be kept. Knows neither how it was made nor what it is for.

pub mod capability;
pub mod client;
pub mod file;
pub mod meaning;

use exchange::Time;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

pub use capability::{Capability, Intents};
pub use client::ClientProfile;
pub use meaning::Meaning;

/// What one exchange shows. Ids are hashes, apart from those a finding must name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signals {
    /// When.
    pub time: Time,
    /// The exchange, for exhibits.
    pub exchange: Box<str>,
    /// Who pays.
    pub account: Box<str>,
    /// The verified organisation, when the record names one.
    pub org: Option<Hash>,
    /// The model asked for.
    pub model: Option<Hash>,
    /// Its name, cut at [`NAME_BYTES_MAX`]; empty where there is none.
    pub model_name: Box<str>,
    /// Fingerprints of what the caller wrote: system prompt, definitions of tools, first user turn and last.
    pub prints: Vec<Print>,
    /// A consistent sample of the words of the user's first turn and last, as hashes: of each text the smallest, so that texts which
    /// share words share words of the sample. Sorted; at most [`WORDS_MAX`]. System prompts are left out: who runs many accounts can
    /// give each its own.
    pub words: Box<[u32]>,
    /// What that means, coarsely.
    pub meaning: Meaning,
    /// A few fingerprints of what the model answered, to know it again when it comes back as input.
    pub output: Vec<u64>,
    /// What it is after.
    pub intents: Intents,
    /// Decoding settings as one value; absent when none were logged.
    pub params: Option<Hash>,
    /// The same in words, for a person; empty when none were logged.
    pub params_text: Box<str>,
    /// Where it came from.
    pub client: ClientProfile,
    /// Whether it continues a conversation.
    pub follow_up: bool,
    /// What was asked, or its beginning and end, for exhibits and for drawing the template.
    pub excerpt: Box<str>,
    /// The beginning of the answer, for exhibits.
    pub answer: Box<str>,
    /// Tokens of the request, where they were recorded.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer, where they were recorded.
    pub output_tokens: Option<u64>,
}

/// A hash that stands for an opaque value: equal values have equal hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hash(pub u64);

impl Hash {
    /// The hash of a text.
    #[must_use]
    pub fn of(text: &str) -> Hash {
        Hash(xxh3_64(text.as_bytes()))
    }
}

/// One fingerprint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// Identifies the shingle, with digits made equal.
    #[serde(with = "postcard::fixint::le")]
    pub key: u64,
    /// Tells shingles apart whose digits differ.
    #[serde(with = "postcard::fixint::le")]
    pub exact: u32,
}

/// The most words kept of an exchange.
pub const WORDS_MAX: usize = 96;
/// The most bytes of the name of a model or of client software.
pub const NAME_BYTES_MAX: usize = 160;
/// The most fingerprints kept of an answer.
pub const OUTPUT_PRINTS_MAX: usize = 8;
