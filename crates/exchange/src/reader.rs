//! One text to its calls.
//!
//! A text is one JSON object, or several joined; each is recognised on its own, so one file may mix formats. First its keys
//! are held against the tables of sources, then it is looked at as spans, as logged bodies of an API, and as a native
//! record; what is none of these may be a wrapper around records.

use std::borrow::Cow;

use crate::bad::{BadRecord, Notes, Remark};
use crate::call::{Call, Who};
use crate::fields::Fields;
use crate::format::{Format, SourceId};
use crate::json::{Json, Object};
use crate::mapping::{Layer, Mapping};
use crate::objects::{each_object, is_json};
use crate::options::ReadOptions;
use crate::position::Position;
use crate::recognise::{has_native_keys, is_native};
use crate::record::Exchange;
use crate::secret::secret_free;
use crate::span::{Flat, Kind};
use crate::{anthropic, envelope, limits, mapped, native, openai, span, typed, wrapper};

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
        object.tell_damage(notes);
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
        object.tell_damage(notes);
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
        object.tell_damage(notes);
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
