//! The formats records arrive in, told apart by what a record contains and never by a file's name.
//!
//! A text is one JSON object, or several joined; each is recognised on its own, so one file may mix formats. First its keys
//! are held against the tables of sources, then it is looked at as spans, as logged bodies of an API, and as a native
//! record; what is none of these may be a wrapper around records.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::bad::{BadRecord, Damage, Notes, Remark};
use crate::call::{Call, Who};
use crate::json::{DAMAGE_KEY, Fields, Json, Object};
use crate::mapping::{Layer, Mapping};
use crate::mend::mend_marking;
use crate::options::ReadOptions;
use crate::span::{Flat, Kind};
use crate::{
    Exchange, ExchangeId, Time, anthropic, envelope, limits, mapped, native, openai, seam, span, typed, wrapper,
};

/// A format of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Stillwatch's own; see [`native`].
    Native,
    /// Logged OpenAI bodies; see [`openai`].
    OpenAi,
    /// Logged Anthropic bodies; see [`anthropic`].
    Anthropic,
    /// A source that is read by its table.
    Mapped(SourceId),
}

/// A source that has a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(usize);

impl Format {
    /// Every format.
    pub fn all() -> impl Iterator<Item = Format> {
        let mapped = (0..Mapping::all().len()).map(|at| Format::Mapped(SourceId(at)));
        [Format::Native, Format::OpenAi, Format::Anthropic].into_iter().chain(mapped)
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Native => "native",
            Format::OpenAi => "openai",
            Format::Anthropic => "anthropic",
            Format::Mapped(source) => source.table().map_or("", |table| table.name.as_str()),
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Format::Native => "Stillwatch's own records",
            Format::OpenAi => "logged OpenAI bodies",
            Format::Anthropic => "logged Anthropic bodies",
            Format::Mapped(source) => source.table().map_or("", |table| table.title.as_str()),
        }
    }

    /// Where its names are documented, and the version that was read; none for what this project or an API defines.
    #[must_use]
    pub fn documented(self) -> Option<(&'static str, &'static str)> {
        let Format::Mapped(source) = self else { return None };
        source.table().map(|table| (table.source.as_str(), table.version.as_str()))
    }

    /// Where its records name the caller's own user, for who takes these for accounts.
    #[must_use]
    pub fn end_user_path(self) -> Option<&'static str> {
        match self {
            Format::Native => Some("end_user"),
            Format::OpenAi => Some("request.user"),
            Format::Anthropic => Some("request.metadata.user_id"),
            Format::Mapped(source) => source.table()?.end_user.first().map(String::as_str),
        }
    }

    /// The format of one record that no wrapper is around, by its contents.
    #[must_use]
    pub fn recognise(json: &str) -> Option<Self> {
        recognise(&Json::parse(json).ok()?.object()?)
    }
}

impl SourceId {
    fn table(self) -> Option<&'static Mapping> {
        Mapping::all().get(self.0)
    }

    fn table_at(self) -> Option<(usize, &'static Mapping)> {
        self.table().map(|table| (self.0, table))
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
        let found = Format::all().find(|format| format.name() == name);
        found.ok_or_else(|| UnknownFormat { name: crate::bad::quote(name), known: names() })
    }
}

fn names() -> String {
    let names: Vec<&str> = Format::all().map(Format::name).collect();
    match names.split_last() {
        Some((last, names)) => format!("{} or {last}", names.join(", ")),
        None => String::new(),
    }
}

/// A name that is no format's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {name}, expected {known}")]
pub struct UnknownFormat {
    name: String,
    known: String,
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

/// Reads one text and hands what it holds to `sink`, each with the format it was in.
///
/// A text is one JSON object, or several joined, also behind something that is none (as container runtimes write a time
/// before each line). What is damaged is mended as far as it goes.
///
/// # Errors
///
/// Says why the text, or something in it, is not a record. What is good in it has reached `sink` by then.
pub fn read<'a>(
    options: &ReadOptions,
    text: &'a [u8],
    source: &str,
    line: u64,
    notes: &mut Notes,
    sink: &mut dyn FnMut(Call<'a>),
) -> Result<(), BadRecord> {
    let mut reader = Reader {
        options,
        position: Position::new(source, line, text),
        ordinal: 0,
        around: Vec::new(),
        unpack_left: limits::UNPACKED_BYTES_MAX,
        sink,
    };
    let mut read = Ok(());
    let refusal = each_object(text, notes, &mut |object, notes| {
        let outcome = reader.object(object, 0, notes);
        if read.is_ok() {
            read = outcome;
        }
    })?;
    // A caller may have written such a line, in what a program says of him.
    if read.is_ok() && !is_json(text) {
        notes.remark(Remark::Unwrapped("words before a record"));
    }
    match (read, refusal) {
        // Damaged, and what is left of it is nothing known: why it is no JSON tells more.
        (Err(BadRecord::UnknownFormat), Some(refusal)) => Err(refusal),
        (read, _) => read,
    }
}

/// Reads one text whose calls stand alone, such as a line that this project wrote.
///
/// # Errors
///
/// As [`read`].
pub fn read_exchanges<'a>(
    text: &'a str,
    notes: &mut Notes,
    sink: &mut dyn FnMut(Exchange<'a>),
) -> Result<(), BadRecord> {
    read(&ReadOptions::default(), text.as_bytes(), "text", 1, notes, &mut |call| sink(call.exchange))
}

/// Reads the objects of one text.
struct Reader<'r, 'a> {
    options: &'r ReadOptions,
    position: Position<'r>,
    /// Exchanges read of the text so far.
    ordinal: u64,
    /// Whom the wrappers around the record name.
    around: Vec<String>,
    /// Bytes that may still be unpacked for this text, in all its wrappers.
    unpack_left: usize,
    sink: &'r mut dyn FnMut(Call<'a>),
}

impl<'a> Reader<'_, 'a> {
    fn object(&mut self, object: Object<'a>, depth: usize, notes: &mut Notes) -> Result<(), BadRecord> {
        let mut object = typed::plain(object);
        let chosen = self.options.format;
        if let Some(Format::Native | Format::OpenAi | Format::Anthropic) = chosen {
            return self.bodies(object, chosen, notes);
        }
        let table =
            chosen.and_then(|format| if let Format::Mapped(source) = format { source.table_at() } else { None });
        if let Some(table) = table.filter(|(_, table)| table.layer == Layer::Record) {
            return self.mapped(object, table, notes);
        }
        // Most records are native, and no source has these three keys.
        let stands_alone = chosen.is_none() && ["request", "account", "time"].into_iter().all(|key| object.has(key));
        if !stands_alone {
            if chosen.is_none()
                && let Some(table) = Mapping::of(Layer::Record, &object)
            {
                return self.mapped(object, table, notes);
            }
            object = match span::open(object, notes.marked) {
                Ok(flats) => return self.flats(flats, depth, notes),
                Err(object) => object,
            };
        }
        if chosen.is_none()
            && let Some(format) = envelope::recognise(&object).or_else(|| is_native(&object).then_some(Format::Native))
        {
            return self.bodies(object, Some(format), notes);
        }
        // Before wrappers: what such a request brought back is no record.
        if chosen.is_none() && envelope::names_method(&object) && self.skips(&object, notes) {
            return Ok(());
        }
        if object.get_text("messageType") == Some("CONTROL_MESSAGE") {
            notes.remark(Remark::Skipped("control message of CloudWatch"));
            return Ok(());
        }
        // Of a record that was damaged, what is missing is no reason to look for another one in its texts.
        let is_damaged = !notes.damage.is_empty() || (notes.marked && object.is_damaged());
        let may_wrap = depth < limits::WRAPPED_DEPTH_MAX && !(is_damaged && has_native_keys(&object));
        let opened = if may_wrap { wrapper::open(&mut object, &mut self.unpack_left) } else { None };
        let Some(within) = opened else {
            // Whatever it lacks is told.
            return if chosen.is_none() && has_native_keys(&object) {
                self.bodies(object, Some(Format::Native), notes)
            } else {
                Err(BadRecord::UnknownFormat)
            };
        };
        // Texts that were opened are marked as well.
        notes.marked = true;
        notes.take_damage_of(&mut object);
        let around = notes.damage;
        let callers = self.around.len();
        self.around.extend(within.callers);
        let mut read = Ok(());
        for inner in within.objects {
            notes.damage = around;
            match self.object(inner, depth + 1, notes) {
                Ok(()) => notes.remark(Remark::Unwrapped(within.by)),
                Err(bad) => read = read.and(Err(bad)),
            }
        }
        notes.damage = around;
        self.around.truncate(callers);
        (0..within.others).for_each(|_| notes.remark(Remark::Skipped("text that is no JSON")));
        read
    }

    /// Takes note of a logged request that asked no model.
    fn skips(&self, object: &Object<'_>, notes: &mut Notes) -> bool {
        let why = envelope::no_call(object);
        why.into_iter().for_each(|why| notes.remark(Remark::Skipped(why)));
        why.is_some()
    }

    /// Logged bodies and native records.
    fn bodies(&mut self, mut object: Object<'a>, format: Option<Format>, notes: &mut Notes) -> Result<(), BadRecord> {
        let format = format.unwrap_or(Format::Native);
        if self.skips(&object, notes) {
            return Ok(());
        }
        notes.take_damage_of(&mut object);
        let account = self.options.chosen_account(&object);
        let record = Fields::new("", object);
        self.ordinal += 1;
        let id = self.ordinal - 1;
        let read = match format {
            Format::OpenAi => openai::read(record, account.is_some(), &self.position, id, notes),
            Format::Anthropic => anthropic::read(record, account.is_some(), &self.position, id, notes),
            _ => native::read(record, account.is_some(), &self.position, id, notes),
        };
        read.map(|call| self.hand_over(format, call, account, notes))
    }

    fn mapped(
        &mut self,
        mut object: Object<'a>,
        (at, table): (usize, &'static Mapping),
        notes: &mut Notes,
    ) -> Result<(), BadRecord> {
        notes.take_damage_of(&mut object);
        object = table.told(object);
        if let Some(why) = table.skips(&object) {
            notes.remark(Remark::Skipped(why));
            return Ok(());
        }
        let place = table.place(&object);
        // What others are part of may say who asked.
        let is_whole = place.as_ref().is_some_and(|place| place.parent.is_none());
        if !table.is_call(&object) && !is_whole {
            notes.remark(Remark::Skipped("no model call"));
            return Ok(());
        }
        let account = self.options.chosen_account(&object);
        self.ordinal += 1;
        let caller = self.options.known_among(&object, &table.known_end_user);
        let mut call = mapped::read(object, table, &self.position, self.ordinal - 1, place, account.is_some(), notes)?;
        call.exchange.end_user = caller.map(Into::into).or(call.exchange.end_user);
        self.hand_over(Format::Mapped(SourceId(at)), call, account, notes);
        Ok(())
    }

    /// Spans and log records. A bad one takes no other with it.
    fn flats(&mut self, mut flats: Vec<Flat<'a>>, depth: usize, notes: &mut Notes) -> Result<(), BadRecord> {
        let mut read = Ok(());
        // A trace is whole when its root is there.
        flats.sort_by_key(|flat| flat.span.parent.is_none());
        let around = notes.damage;
        for Flat { object, span, kind, damage } in flats {
            notes.damage = around;
            notes.damage.extend(damage);
            let chosen = match self.options.format {
                Some(Format::Mapped(source)) => source.table_at(),
                _ => None,
            };
            let Some((at, table)) = chosen.or_else(|| Mapping::of(Layer::Span, &object)) else { continue };
            let (is_log, may_be_call) = match kind {
                Kind::Span => (false, true),
                Kind::Turns => (true, false),
                Kind::Details => (true, true),
                // A shipped log line, which may be a record.
                Kind::Line(body) => {
                    match body.unwrapped() {
                        Json::Object(body) if depth < limits::WRAPPED_DEPTH_MAX => {
                            let inner = self.object(body, depth + 1, notes);
                            if inner.is_ok() {
                                notes.remark(Remark::Unwrapped("OTLP log record"));
                            } else {
                                notes.remark(Remark::Skipped("log record that is no model call"));
                            }
                        }
                        _ => notes.remark(Remark::Skipped("log record that is no model call")),
                    }
                    continue;
                }
            };
            let skipped = table.skips(&object);
            let may_be_call = may_be_call && skipped.is_none();
            let account = self.options.chosen_account(&object);
            self.ordinal += 1;
            let has_account = account.is_some();
            match mapped::read(object, table, &self.position, self.ordinal - 1, Some(span), has_account, notes) {
                Ok(mut call) => {
                    call.is_call &= may_be_call;
                    call.is_outer &= skipped.is_none();
                    if !call.is_call && !is_log && !call.is_outer {
                        notes.remark(Remark::Skipped(skipped.unwrap_or("span that is no model call")));
                    }
                    self.hand_over(Format::Mapped(SourceId(at)), call, account, notes);
                }
                Err(bad) => read = read.and(Err(bad)),
            }
        }
        read
    }

    fn hand_over(&mut self, format: Format, mut call: Call<'a>, account: Option<Cow<'a, str>>, notes: &mut Notes) {
        call.format = format;
        call.damage = notes.damage;
        if let Some(account) = account {
            call.exchange.account = account.into();
            call.who = Who::Account;
        }
        // What stands beside a caller's name may be what he wrote: a record within it can name nobody else.
        if !self.around.is_empty() && call.who != Who::Nobody && !self.around.iter().any(|caller| is_of(&call, caller))
        {
            return notes.remark(Remark::Skipped("text of a caller that is a record of another"));
        }
        self.options.settle(&mut call);
        (self.sink)(call);
    }
}

/// Whether a call names a caller, as whatever.
fn is_of(call: &Call<'_>, caller: &str) -> bool {
    let exchange = &call.exchange;
    let ids = [
        Some(exchange.account.as_str()),
        exchange.key.as_ref().map(|key| key.as_str()),
        exchange.org.as_ref().map(|org| org.as_str()),
        exchange.end_user.as_ref().map(|user| user.as_str()),
    ];
    let caller = secret_free(Cow::Borrowed(caller));
    ids.into_iter().flatten().any(|id| id == caller)
}

/// Hands every object of a text to `sink`, mended where it is damaged, with what was wrong with it in the notes. Returns
/// what the strict parser said of a text that had to be mended.
pub(crate) fn each_object<'a>(
    text: &'a [u8],
    notes: &mut Notes,
    sink: &mut dyn FnMut(Object<'a>, &mut Notes),
) -> Result<Option<BadRecord>, BadRecord> {
    if text.len() > limits::RECORD_BYTES_MAX {
        return Err(BadRecord::TooLong);
    }
    let text = if is_json(text) { text } else { seam::behind_an_end(text).unwrap_or(text) };
    let (text, strict) = match std::str::from_utf8(text) {
        Ok(text) if !is_json(text.as_bytes()) => behind_a_prefix(text),
        Ok(text) => (text, Json::parse_marking(text)),
        Err(error) => return mended_or(BadRecord::NotUtf8 { column: error.valid_up_to() + 1 }, text, notes, sink),
    };
    let text = text.as_bytes();
    notes.marked = false;
    match strict {
        Ok((Json::Object(object), marked)) => {
            notes.marked = marked;
            sink(object, notes);
            Ok(None)
        }
        // A record as JSON in a string.
        Ok((Json::Text(inner), _)) if inner.trim_start().starts_with('{') => {
            let (json, damage) = Json::Text(inner).opened();
            notes.damage.extend(damage);
            let described = json.describe();
            let object = json.object();
            let wrong = BadRecord::Wrong { field: "record", found: described, expected: "an object" };
            object.map(|object| sink(object, notes)).map_or(Err(wrong), |()| Ok(None))
        }
        Ok((other, _)) => Err(BadRecord::Wrong { field: "record", found: other.describe(), expected: "an object" }),
        Err(refusal) => mended_or(refusal, text, notes, sink),
    }
}

fn mended_or<'a>(
    refusal: BadRecord,
    text: &[u8],
    notes: &mut Notes,
    sink: &mut dyn FnMut(Object<'a>, &mut Notes),
) -> Result<Option<BadRecord>, BadRecord> {
    match mended(text, notes, sink) {
        0 => Err(refusal),
        1.. => Ok(Some(refusal)),
    }
}

/// Hands every object of a damaged text to `sink`, and says how many there were.
fn mended<'a>(text: &[u8], notes: &mut Notes, sink: &mut dyn FnMut(Object<'a>, &mut Notes)) -> usize {
    let mut found = 0;
    let around = notes.damage;
    notes.marked = true;
    let blank = |text: &[u8]| text.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b',');
    for part in seam::parts(text) {
        let mut at = 0;
        while let Some(begin) = part.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'{')) {
            let mended = mend_marking(part.get(at + begin..).unwrap_or_default());
            at += begin + mended.end.max(1);
            notes.damage = around;
            // What stands between an object and the next one, or the end.
            let rest = part.get(at..).unwrap_or_default();
            let gap = rest.iter().position(|byte| *byte == b'{').unwrap_or(rest.len());
            if !blank(rest.get(..gap).unwrap_or_default()) {
                notes.damage.insert(Damage::Syntax);
            }
            // What holds nothing but the beginning of an object is no record that was damaged.
            if let Json::Object(object) = mended.json
                && object.keys().any(|key| key != DAMAGE_KEY)
            {
                found += 1;
                sink(object, notes);
            }
        }
    }
    notes.damage = around;
    found
}

/// The text from its first object on, and what the strict parser says of it. What stands before may hold braces, too: it
/// is what a client calls itself.
fn behind_a_prefix(text: &str) -> (&str, Result<(Json<'_>, bool), BadRecord>) {
    for start in memchr::memchr_iter(b'{', text.as_bytes()).take(PREFIX_BRACES_MAX) {
        let Some(rest) = text.get(start..) else { continue };
        let parsed = Json::parse_marking(rest);
        if matches!(parsed, Ok((Json::Object(_), _))) || (parsed.is_err() && Json::begins_with_an_object(rest)) {
            return (rest, parsed);
        }
    }
    (text, Json::parse_marking(text))
}

/// Braces behind which an object is looked for.
const PREFIX_BRACES_MAX: usize = 16;

/// Whether a text begins as JSON does, and so has nothing before its object.
fn is_json(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'{' | b'[' | b'"'))
}

/// Bodies logged as they were sent come before native records, because a native request never has a `model` and a native
/// response never has `choices`.
fn recognise(record: &Object<'_>) -> Option<Format> {
    if let Some((at, _)) = Mapping::of(Layer::Record, record) {
        return Some(Format::Mapped(SourceId(at)));
    }
    if let Ok(flats) = span::open(record.clone(), false) {
        let first = flats.first()?;
        return Mapping::of(Layer::Span, &first.object).map(|(at, _)| Format::Mapped(SourceId(at)));
    }
    envelope::recognise(record).or_else(|| is_native(record).then_some(Format::Native))
}

/// Whether the columns of a table are those of a format.
pub(crate) fn knows_columns(names: &[&str]) -> bool {
    let mut record = Object::default();
    for name in names {
        record.push(Cow::Owned((*name).to_owned()), Json::Text(Cow::Borrowed("x")));
    }
    recognise(&record).is_some()
}

/// Whether a record is of a format that stands alone, or a batch of spans.
pub(crate) fn is_known(record: &Object<'_>) -> bool {
    Mapping::of(Layer::Record, record).is_some()
        || span::is_one(record)
        || envelope::recognise(record).is_some()
        || is_native(record)
        || record.get_text("messageType") == Some("CONTROL_MESSAGE")
}

/// Whether a record is a native one. Without a request it may be a wrapper, which has an account and a time, too.
fn is_native(record: &Object<'_>) -> bool {
    record.has("request") && has_native_keys(record)
}

fn has_native_keys(record: &Object<'_>) -> bool {
    let mut keys = ["request", "time", "account", "timestamp", "account_id"].into_iter().filter(|key| record.has(key));
    keys.nth(1).is_some()
}

/// The time of a record, under the first of `keys` that it has.
pub(crate) fn required_time(record: &mut Fields<'_>, keys: &[&'static str]) -> Result<Time, BadRecord> {
    required(record, keys, |found| found.map_or(Time::EXPECTED, Json::time_expected), Json::time)
}

/// The account of a record, under the first of `keys` that it has.
pub(crate) fn required_account<'a>(record: &mut Fields<'a>, keys: &[&'static str]) -> Result<Cow<'a, str>, BadRecord> {
    required(record, keys, |_| "an id of at most 2048 bytes", Json::id).map(secret_free)
}

fn required<'a, T>(
    record: &mut Fields<'a>,
    keys: &[&'static str],
    expected: impl Fn(Option<&Json<'a>>) -> &'static str,
    convert: impl Fn(Json<'a>) -> Option<T>,
) -> Result<T, BadRecord> {
    let Some((key, json)) = keys.iter().find_map(|key| Some((*key, record.take(key)?))) else {
        return Err(BadRecord::Missing { field: keys.first().copied().unwrap_or_default(), expected: expected(None) });
    };
    let found = json.clone();
    let wrong = || BadRecord::Wrong { field: key, found: found.describe(), expected: expected(Some(&found)) };
    convert(json).ok_or_else(wrong)
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
