//! The formats records arrive in, told apart by what a record contains and never by a file's name.
//!
//! [`read`] turns one text into its exchanges. It parses the text once, and once more where it is damaged; recognition looks
//! at a dozen keys, so every record is recognised on its own and one file may mix formats.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::bad::{BadRecord, Damage, Notes};
use crate::json::{Fields, Json, Object};
use crate::mend::mend;
use crate::{Exchange, ExchangeId, Time, anthropic, bedrock, envelope, limits, litellm, native, openai, otlp};

/// A format of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Stillwatch's own; see [`native`].
    Native,
    /// Logged OpenAI bodies; see [`openai`].
    OpenAi,
    /// Logged Anthropic bodies; see [`anthropic`].
    Anthropic,
    /// LiteLLM's standard logging payload; see [`litellm`].
    LiteLlm,
    /// Amazon Bedrock's model invocation log; see [`bedrock`].
    Bedrock,
    /// OpenTelemetry GenAI spans as OTLP/JSON; see [`otlp`].
    Otlp,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 6] =
        [Format::Native, Format::OpenAi, Format::Anthropic, Format::LiteLlm, Format::Bedrock, Format::Otlp];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Format::Native => "native",
            Format::OpenAi => "openai",
            Format::Anthropic => "anthropic",
            Format::LiteLlm => "litellm",
            Format::Bedrock => "bedrock",
            Format::Otlp => "otlp",
        }
    }

    /// The format of one record, by its contents.
    #[must_use]
    pub fn recognise(json: &str) -> Option<Self> {
        recognise(&Json::parse(json).ok()?.object()?)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Format::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| UnknownFormat { name: crate::bad::quote(name) })
    }
}

/// A name that is no format's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {name}, expected native, openai, anthropic, litellm, bedrock or otlp")]
pub struct UnknownFormat {
    name: String,
}

/// Where a record comes from. With its text it makes the id of an exchange that has none.
#[derive(Clone, Copy, Debug)]
pub struct Position<'p> {
    /// The name of the source.
    pub source: &'p str,
    /// The line the record begins on, counted from 1.
    pub line: u64,
    text: &'p [u8],
}

impl<'p> Position<'p> {
    /// The position of `text`.
    #[must_use]
    pub fn new(source: &'p str, line: u64, text: &'p [u8]) -> Self {
        Position { source, line, text }
    }

    /// The id of the `ordinal`th exchange here.
    pub(crate) fn id(&self, ordinal: u64) -> ExchangeId<'static> {
        let mut hash = Xxh3::new();
        hash.update(self.source.as_bytes());
        hash.update(&[0]);
        hash.update(&self.line.to_le_bytes());
        hash.update(&ordinal.to_le_bytes());
        hash.update(self.text);
        ExchangeId::from(format!("ex_{:032x}", hash.digest128()))
    }
}

/// Reads one text and hands its exchanges to `sink`. Without a `format` it is recognised; the one used is returned.
///
/// A text is one JSON object, or several joined, also behind something that is none (as container runtimes write a time
/// before each line). What is damaged is mended as far as it goes.
///
/// # Errors
///
/// Says why the text is not a record. A text may hold good exchanges beside a bad one: the good ones have reached `sink`
/// by then.
pub fn read<'a>(
    format: Option<Format>,
    text: &'a [u8],
    source: &str,
    line: u64,
    notes: &mut Notes,
    sink: &mut dyn FnMut(Exchange<'a>),
) -> Result<Format, BadRecord> {
    let position = Position::new(source, line, text);
    let mut used = Err(BadRecord::UnknownFormat);
    each_object(text, notes, &mut |object, notes| {
        let outcome = read_object(format, object, &position, notes, sink);
        // Of several objects in one text, the first that is bad says so.
        used = match (std::mem::replace(&mut used, Ok(Format::Native)), outcome) {
            (Err(BadRecord::UnknownFormat) | Ok(_), outcome) => outcome,
            (bad, _) => bad,
        };
    })
    .and_then(|refusal| match (used, refusal) {
        // Damaged, and what is left of it is nothing known: why it is no JSON tells more.
        (Err(BadRecord::UnknownFormat), Some(refusal)) => Err(refusal),
        (used, _) => used,
    })
}

fn read_object<'a>(
    format: Option<Format>,
    object: Object<'a>,
    position: &Position<'_>,
    notes: &mut Notes,
    sink: &mut dyn FnMut(Exchange<'a>),
) -> Result<Format, BadRecord> {
    let format = format.or_else(|| recognise(&object)).ok_or(BadRecord::UnknownFormat)?;
    let record = Fields::new("", object);
    match format {
        Format::Native => native::read(record, position, notes).map(sink)?,
        Format::OpenAi => openai::read(record, position, notes).map(sink)?,
        Format::Anthropic => anthropic::read(record, position, notes).map(sink)?,
        Format::LiteLlm => litellm::read(record, position, notes).map(sink)?,
        Format::Bedrock => bedrock::read(record, position, notes).map(sink)?,
        Format::Otlp => otlp::read(record, position, notes, sink)?,
    }
    Ok(format)
}

/// Hands every object of a text to `sink`, mended where it is damaged; what was wrong is in `notes` by then. Returns what
/// the strict parser said of a text that had to be mended.
pub(crate) fn each_object<'a>(
    text: &'a [u8],
    notes: &mut Notes,
    sink: &mut dyn FnMut(Object<'a>, &mut Notes),
) -> Result<Option<BadRecord>, BadRecord> {
    if text.len() > limits::RECORD_BYTES_MAX {
        return Err(BadRecord::TooLong);
    }
    let start = text.iter().position(|byte| *byte == b'{').filter(|start| *start > 0 && !is_json(text));
    let strict = match std::str::from_utf8(text.get(start.unwrap_or(0)..).unwrap_or_default()) {
        Ok(text) => Json::parse_noting(text),
        Err(error) => Err(BadRecord::NotUtf8 { column: error.valid_up_to() + 1 }),
    };
    let refusal = match strict {
        Ok((Json::Object(object), repeats)) => {
            if repeats {
                notes.damage.insert(Damage::DuplicateKey);
            }
            sink(object, notes);
            return Ok(None);
        }
        Ok((other, _)) => {
            return Err(BadRecord::Wrong { field: "record", found: other.describe(), expected: "an object" });
        }
        Err(refusal) => refusal,
    };
    // What holds nothing but the beginning of an object is no record that was damaged.
    let (mut at, mut found) = (0, false);
    let blank = |text: &[u8]| text.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b',');
    while let Some(begin) = text.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'{')) {
        if found && !blank(text.get(at..at + begin).unwrap_or_default()) {
            notes.damage.insert(Damage::Syntax);
        }
        let mended = mend(text.get(at + begin..).unwrap_or_default());
        at += begin + mended.end.max(1);
        if let Json::Object(object) = mended.json
            && object.keys().next().is_some()
        {
            notes.damage.extend(mended.damage);
            found = true;
            sink(object, notes);
        }
    }
    if found && !blank(text.get(at..).unwrap_or_default()) {
        notes.damage.insert(Damage::Syntax);
    }
    if found { Ok(Some(refusal)) } else { Err(refusal) }
}

/// Whether a text begins as JSON does, and so has nothing before its object.
fn is_json(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'{' | b'[' | b'"'))
}

/// Tells formats apart by keys that no other format has; bodies logged as they were sent come before native records,
/// because a native request never has a `model` and a native response never has `choices`.
fn recognise(record: &Object<'_>) -> Option<Format> {
    if record.has("resourceSpans") {
        return Some(Format::Otlp);
    }
    if record.has("schemaType") && record.has("modelId") {
        return Some(Format::Bedrock);
    }
    if record.has("standard_logging_object") || (record.has("startTime") && record.has("call_type")) {
        return Some(Format::LiteLlm);
    }
    if let Some(format) = envelope::recognise(record) {
        return Some(format);
    }
    let native = ["request", "account", "account_id", "time", "timestamp"];
    (native.into_iter().filter(|key| record.has(key)).count() >= 2).then_some(Format::Native)
}

/// The time of a record, under the first of `keys` that it has.
pub(crate) fn required_time(record: &mut Fields<'_>, keys: &[&'static str]) -> Result<Time, BadRecord> {
    required(record, keys, Time::EXPECTED, Json::time)
}

/// The account of a record, under the first of `keys` that it has.
pub(crate) fn required_account<'a>(record: &mut Fields<'a>, keys: &[&'static str]) -> Result<Cow<'a, str>, BadRecord> {
    required(record, keys, "an id of at most 2048 bytes", Json::id).map(secret_free)
}

fn required<'a, T>(
    record: &mut Fields<'a>,
    keys: &[&'static str],
    expected: &'static str,
    convert: impl Fn(Json<'a>) -> Option<T>,
) -> Result<T, BadRecord> {
    let Some((key, json)) = keys.iter().find_map(|key| Some((*key, record.take(key)?))) else {
        return Err(BadRecord::Missing { field: keys.first().copied().unwrap_or_default(), expected });
    };
    let found = json.clone();
    convert(json).ok_or_else(|| BadRecord::Wrong { field: key, found: found.describe(), expected })
}

/// An id without the secret it may be: API keys are replaced by a 64-bit hash, far too short to hold a key's entropy, so
/// that equal keys stay equal and none can be recovered.
pub(crate) fn secret_free(id: Cow<'_, str>) -> Cow<'_, str> {
    let bearer = id.strip_prefix("Bearer ");
    let secret = bearer.unwrap_or(&id);
    if bearer.is_some() || SECRET_PREFIXES.iter().any(|prefix| secret.starts_with(prefix)) {
        Cow::Owned(format!("key_{:016x}", xxh3_64(secret.as_bytes())))
    } else {
        id
    }
}

/// What the secrets of model APIs begin with.
const SECRET_PREFIXES: [&str; 10] = ["sk-", "sk_", "pk-", "rk-", "xai-", "gsk_", "AIza", "AKIA", "hf_", "ABSK"];
