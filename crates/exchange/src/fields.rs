//! Typed access to an object that drops what does not fit and says so.

use std::borrow::Cow;

use crate::bad::{BadRecord, Notes};
use crate::json::{Json, Object, mark, spread};
use crate::secret::secret_free;
use crate::time::Time;

/// An object that is being read: values are taken out by key, and what does not fit is noted under `path`.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    path: &'static str,
    object: Object<'a>,
    /// A bit for each of its keys: of the many names that a field may have, nearly all that are not there are told at once.
    keys: u64,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(path: &'static str, object: Object<'a>) -> Self {
        let keys = object.marks().fold(0, |keys, mark| keys | bit(mark));
        Fields { path, object, keys }
    }

    pub(crate) fn path(&self) -> &'static str {
        self.path
    }

    pub(crate) fn peek(&self) -> &Object<'a> {
        &self.object
    }

    /// Whether one of `keys` may be there. Most names that a field may have are not; where these are constants, that costs
    /// two instructions.
    #[inline(always)]
    fn may_have(&self, keys: &[&str]) -> bool {
        let bits = keys.iter().fold(0, |bits, key| bits | bit(mark(key)));
        self.keys & bits != 0
    }

    #[inline(always)]
    pub(crate) fn take(&mut self, key: &str) -> Option<Json<'a>> {
        if self.may_have(&[key]) { self.object.take(key) } else { None }
    }

    /// Puts what stands under a key under another one.
    pub(crate) fn rename(&mut self, from: &str, to: &'static str) {
        if let Some(value) = self.take(from) {
            self.push(to, value);
        }
    }

    fn push(&mut self, key: &'static str, value: Json<'a>) {
        self.keys |= bit(mark(key));
        self.object.push(Cow::Borrowed(key), value);
    }

    /// The first of `keys` that holds what `convert` accepts; those that hold something else are noted.
    #[inline(always)]
    pub(crate) fn typed<T>(
        &mut self,
        keys: &[&'static str],
        expected: &'static str,
        notes: &mut Notes,
        convert: impl Fn(Json<'a>) -> Option<T>,
    ) -> Option<T> {
        if self.may_have(keys) { self.converted(keys, expected, notes, convert) } else { None }
    }

    fn converted<T>(
        &mut self,
        keys: &[&'static str],
        expected: &'static str,
        notes: &mut Notes,
        convert: impl Fn(Json<'a>) -> Option<T>,
    ) -> Option<T> {
        keys.iter().find_map(|key| {
            let value = convert(self.take(key)?);
            if value.is_none() {
                notes.warn(self.path, key, expected);
            }
            value
        })
    }

    #[inline(always)]
    pub(crate) fn text(&mut self, keys: &[&'static str], notes: &mut Notes) -> Option<Cow<'a, str>> {
        self.typed(keys, "a string", notes, Json::text)
    }

    /// An id; empty ones count as missing.
    #[inline(always)]
    pub(crate) fn id(&mut self, keys: &[&'static str], notes: &mut Notes) -> Option<Cow<'a, str>> {
        if self.may_have(keys) { self.told_id(keys, notes) } else { None }
    }

    fn told_id(&mut self, keys: &[&'static str], notes: &mut Notes) -> Option<Cow<'a, str>> {
        keys.iter().find_map(|key| {
            let json = self.take(key)?;
            if matches!(&json, Json::Text(text) if text.is_empty()) {
                return None;
            }
            let id = json.id();
            if id.is_none() {
                notes.warn(self.path, key, "a short string");
            }
            id
        })
    }

    #[inline(always)]
    pub(crate) fn flag(&mut self, keys: &[&'static str], notes: &mut Notes) -> Option<bool> {
        self.typed(keys, "true or false", notes, Json::flag)
    }

    #[inline(always)]
    pub(crate) fn float(&mut self, keys: &[&'static str], notes: &mut Notes) -> Option<f64> {
        self.typed(keys, "a number", notes, Json::float)
    }

    #[inline(always)]
    pub(crate) fn whole<T: TryFrom<i128>>(&mut self, keys: &[&'static str], notes: &mut Notes) -> Option<T> {
        self.typed(keys, "a whole number in range", notes, Json::whole)
    }

    #[inline(always)]
    pub(crate) fn time(&mut self, keys: &[&'static str], notes: &mut Notes) -> Option<Time> {
        self.typed(keys, Time::EXPECTED, notes, Json::time)
    }

    #[inline(always)]
    pub(crate) fn list(&mut self, keys: &[&'static str], notes: &mut Notes) -> Option<Vec<Json<'a>>> {
        self.typed(keys, "a list", notes, Json::list)
    }

    /// A nested object, also as JSON in a string.
    pub(crate) fn fields(&mut self, key: &'static str, path: &'static str, notes: &mut Notes) -> Option<Fields<'a>> {
        let opened = |json: Json<'a>| match json.opened() {
            (Json::Object(object), damage) => Some((object, damage)),
            _ => None,
        };
        let (object, damage) = self.typed(&[key], "an object", notes, opened).unzip();
        notes.damage.extend(damage.unwrap_or_default());
        object.map(|object| Fields::new(path, object))
    }

    /// A nested object if there is one; anything else stays where it is.
    #[inline(always)]
    pub(crate) fn fields_if(&mut self, key: &'static str, path: &'static str) -> Option<Fields<'a>> {
        if self.may_have(&[key]) { self.object_if(key, path) } else { None }
    }

    fn object_if(&mut self, key: &'static str, path: &'static str) -> Option<Fields<'a>> {
        self.object.get_object(key)?;
        self.take(key)?.object().map(|object| Fields::new(path, object))
    }

    /// As [`Fields::fields_if`], also for JSON in a string.
    pub(crate) fn fields_if_unwrapped(
        &mut self,
        key: &'static str,
        path: &'static str,
        notes: &mut Notes,
    ) -> Option<Fields<'a>> {
        let (json, damage) = self.take(key)?.opened();
        notes.damage.extend(damage);
        match json {
            Json::Object(object) => Some(Fields::new(path, object)),
            other => {
                self.push(key, other);
                None
            }
        }
    }
}

/// The bit of a mark in a single word.
const fn bit(mark: u64) -> u64 {
    1 << (spread(mark) >> 58)
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
