//! Tells the formats of records apart by what a record contains, and never by a file's name.

use std::borrow::Cow;

use crate::format::{Format, SourceId};
use crate::json::{Json, Object};
use crate::mapping::{Layer, Mapping};
use crate::{envelope, span};

impl Format {
    /// The format of one record that no wrapper is around, by its contents.
    #[must_use]
    pub fn recognise(json: &str) -> Option<Self> {
        recognise(&Json::parse(json).ok()?.object()?)
    }
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
pub(crate) fn is_native(record: &Object<'_>) -> bool {
    record.has("request") && has_native_keys(record)
}

pub(crate) fn has_native_keys(record: &Object<'_>) -> bool {
    let mut keys = ["request", "time", "account", "timestamp", "account_id"].into_iter().filter(|key| record.has(key));
    keys.nth(1).is_some()
}
