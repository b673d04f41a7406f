//! JSON as a tree that borrows its strings, and typed access to it that drops what does not fit and says so.
//!
//! Formats are too loose for one derived struct: content is a string or parts, ids are strings or numbers, bodies are
//! objects or JSON in a string. So a record is parsed once into this tree and read from it. A tree has at most
//! [`limits::JSON_VALUES_MAX`] values; nesting is bounded by `serde_json` (128); of two equal keys the last counts.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::bad::{BadRecord, Damage, Damages, Notes, quote};
use crate::limits;
use crate::secret::secret_free;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Object<'a>),
}

/// A JSON object, its entries in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object<'a>(Vec<Entry<'a>>);

/// A key and its value, with the [`mark`] of the key, by which nearly all other keys are passed over when it is looked for.
#[derive(Clone, Debug, PartialEq)]
struct Entry<'a> {
    mark: u64,
    key: Cow<'a, str>,
    value: Json<'a>,
}

impl<'a> Entry<'a> {
    fn new(key: Cow<'a, str>, value: Json<'a>) -> Self {
        Entry { mark: mark(&key), key, value }
    }
}

impl<'a> Json<'a> {
    /// Parses a whole text.
    pub(crate) fn parse(text: &'a str) -> Result<Self, BadRecord> {
        Json::parsed(text, None)
    }

    /// As [`Json::parse`]; marks each object that has a key twice, for [`Object::take_damage`], and says whether there is one.
    pub(crate) fn parse_marking(text: &'a str) -> Result<(Self, bool), BadRecord> {
        let marked = Cell::new(false);
        let json = Json::parsed(text, Some(&marked))?;
        Ok((json, marked.get()))
    }

    fn parsed(text: &'a str, marked: Option<&Cell<bool>>) -> Result<Self, BadRecord> {
        let left = Cell::new(limits::JSON_VALUES_MAX);
        let mut parser = serde_json::Deserializer::from_str(text);
        Node { entries: RECORD_ENTRIES_USUAL, left: &left, marked }
            .deserialize(&mut parser)
            .and_then(|json| parser.end().map(|()| json))
            .map_err(|error| if error.is_data() { BadRecord::TooManyValues } else { not_json(&error) })
    }

    /// Whether a whole object stands at the beginning of a text, whatever follows it.
    pub(crate) fn begins_with_an_object(text: &str) -> bool {
        let mut objects =
            serde_json::Deserializer::from_str(text).into_iter::<std::collections::BTreeMap<String, IgnoredAny>>();
        objects.next().is_some_and(|object| object.is_ok())
    }

    /// Parses a text that does not live as long as the record.
    pub(crate) fn parse_owned(text: &str) -> Option<Json<'static>> {
        Json::parse(text).ok().map(Json::into_owned)
    }

    fn into_owned(self) -> Json<'static> {
        match self {
            Json::Null => Json::Null,
            Json::Bool(value) => Json::Bool(value),
            Json::Unsigned(value) => Json::Unsigned(value),
            Json::Signed(value) => Json::Signed(value),
            Json::Float(value) => Json::Float(value),
            Json::Text(text) => Json::Text(Cow::Owned(text.into_owned())),
            Json::List(list) => Json::List(list.into_iter().map(Json::into_owned).collect()),
            Json::Object(Object(entries)) => Json::Object(Object(
                entries
                    .into_iter()
                    .map(|entry| Entry {
                        mark: entry.mark,
                        key: Cow::Owned(entry.key.into_owned()),
                        value: entry.value.into_owned(),
                    })
                    .collect(),
            )),
        }
    }

    /// A value that may be written as JSON in a string, as what it stands for.
    pub(crate) fn unwrapped(self) -> Json<'a> {
        match &self {
            Json::Text(text) if text.trim_start().starts_with(['{', '[']) => Json::parse_owned(text).unwrap_or(self),
            _ => self,
        }
    }

    /// What stands at a path within.
    fn find(&self, path: &str) -> Option<&Json<'a>> {
        match self {
            Json::Object(object) => object.find(path),
            Json::List(list) => {
                let (index, rest) = path.split_once('.').map_or((path, None), |(index, rest)| (index, Some(rest)));
                let item = list.get(index.parse::<usize>().ok()?)?;
                rest.map_or(Some(item), |rest| item.find(rest))
            }
            _ => None,
        }
    }

    fn take_at(&mut self, path: &str) -> Option<Json<'a>> {
        match self {
            Json::Object(object) => object.take_at(path),
            Json::List(list) => {
                let (index, rest) = path.split_once('.').map_or((path, None), |(index, rest)| (index, Some(rest)));
                let item = list.get_mut(index.parse::<usize>().ok()?)?;
                match rest {
                    Some(rest) => item.take_at(rest),
                    None => Some(std::mem::replace(item, Json::Null)).filter(|item| *item != Json::Null),
                }
            }
            _ => None,
        }
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Json::Null => true,
            Json::Text(text) => text.is_empty(),
            Json::List(list) => list.is_empty(),
            Json::Object(object) => object.0.iter().all(|entry| entry.value == Json::Null),
            Json::Bool(_) | Json::Unsigned(_) | Json::Signed(_) | Json::Float(_) => false,
        }
    }

    fn is_damaged(&self) -> bool {
        match self {
            Json::Object(object) => object.is_damaged(),
            Json::List(list) => list.iter().any(Json::is_damaged),
            _ => false,
        }
    }

    fn take_damage(&mut self) -> Damages {
        match self {
            Json::Object(object) => object.take_damage(),
            Json::List(list) => {
                let mut damage = Damages::default();
                list.iter_mut().for_each(|value| damage.extend(value.take_damage()));
                damage
            }
            _ => Damages::default(),
        }
    }

    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn object(self) -> Option<Object<'a>> {
        if let Json::Object(object) = self { Some(object) } else { None }
    }

    pub(crate) fn list(self) -> Option<Vec<Json<'a>>> {
        if let Json::List(list) = self { Some(list) } else { None }
    }

    pub(crate) fn flag(self) -> Option<bool> {
        if let Json::Bool(flag) = self { Some(flag) } else { None }
    }

    /// A finite number, also as a string.
    pub(crate) fn float(self) -> Option<f64> {
        match self {
            Json::Unsigned(value) => Some(value as f64),
            Json::Signed(value) => Some(value as f64),
            Json::Float(value) => Some(value),
            Json::Text(text) => text.parse().ok(),
            _ => None,
        }
        .filter(|value| value.is_finite())
    }

    /// What this is, for a message.
    pub(crate) fn describe(&self) -> String {
        match self {
            Json::Null => "null".to_owned(),
            Json::Bool(value) => format!("`{value}`"),
            Json::Unsigned(value) => format!("the number `{value}`"),
            Json::Signed(value) => format!("the number `{value}`"),
            Json::Float(value) => format!("the number `{value}`"),
            Json::Text(text) if text.is_empty() => "an empty string".to_owned(),
            Json::Text(text) => {
                let shown = secret_free(Cow::Borrowed(text));
                format!("the string {}", quote(&shown))
            }
            Json::List(_) => "a list".to_owned(),
            Json::Object(_) => "an object".to_owned(),
        }
    }

    /// As JSON text.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl<'a> Object<'a> {
    pub(crate) fn push(&mut self, key: Cow<'a, str>, value: Json<'a>) {
        self.0.push(Entry::new(key, value));
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Json<'a>> {
        let mark = mark(key);
        let entry = self.0.iter().rev().find(|entry| entry.mark == mark && entry.key == key)?;
        Some(&entry.value).filter(|value| **value != Json::Null)
    }

    /// What stands at a path: a key, or keys and places in lists joined by dots.
    pub(crate) fn find(&self, path: &str) -> Option<&Json<'a>> {
        self.get(path).or_else(|| {
            path.match_indices('.').find_map(|(dot, _)| {
                let (head, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
                self.get(head)?.find(rest)
            })
        })
    }

    /// Takes what stands at a path.
    pub(crate) fn take_at(&mut self, path: &str) -> Option<Json<'a>> {
        if let Some(value) = self.take(path) {
            return Some(value);
        }
        path.match_indices('.').find_map(|(dot, _)| {
            let (head, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
            self.get_mut(head)?.take_at(rest)
        })
    }

    /// Puts `value` at a path whose objects are there.
    pub(crate) fn put_at(&mut self, path: &str, value: Json<'a>) {
        if let Some(slot) = self.get_mut(path) {
            *slot = value;
        } else if let Some((head, rest)) = path.split_once('.')
            && let Some(Json::Object(inner)) = self.get_mut(head)
        {
            inner.put_at(rest, value);
        }
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Json<'a>> {
        let mark = mark(key);
        self.0.iter_mut().rev().find(|entry| entry.mark == mark && entry.key == key).map(|entry| &mut entry.value)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Json<'a>> {
        self.0.iter_mut().map(|entry| &mut entry.value)
    }

    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = (&str, &mut Json<'a>)> {
        self.0.iter_mut().map(|entry| (&*entry.key, &mut entry.value))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn get_object(&self, key: &str) -> Option<&Object<'a>> {
        if let Some(Json::Object(object)) = self.get(key) { Some(object) } else { None }
    }

    pub(crate) fn get_text(&self, key: &str) -> Option<&str> {
        if let Some(Json::Text(text)) = self.get(key) { Some(text) } else { None }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|entry| entry.key.as_ref())
    }

    /// The first of its values.
    pub(crate) fn first(&self) -> Option<&Json<'a>> {
        self.0.first().map(|entry| &entry.value)
    }

    /// The marks of its keys.
    pub(crate) fn marks(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|entry| entry.mark)
    }

    /// Everything whose key begins with `prefix`, with the rest of the key.
    pub(crate) fn take_prefixed(&mut self, prefix: &str) -> Vec<(String, Json<'a>)> {
        let entries = self.0.iter_mut().filter_map(|entry| {
            let rest = entry.key.strip_prefix(prefix)?;
            Some((rest.to_owned(), std::mem::replace(&mut entry.value, Json::Null)))
        });
        entries.filter(|(_, value)| *value != Json::Null).collect()
    }

    /// Whether a key stands in it twice.
    pub(crate) fn repeats_a_key(&self) -> bool {
        // Nearly always the keys differ in their marks, and no text has to be compared.
        let differ = match self.0.as_slice() {
            [] | [_] => true,
            [a, b] => a.mark != b.mark,
            [a, b, c] => a.mark != b.mark && a.mark != c.mark && b.mark != c.mark,
            _ => {
                let mut met = Marks::default();
                !self.marks().any(|mark| met.meets(mark))
            }
        };
        if differ {
            return false;
        }
        let mut keys: Vec<&str> = self.keys().collect();
        keys.sort_unstable();
        keys.windows(2).any(|pair| matches!(pair, [one, other] if one == other))
    }

    /// Puts down what was wrong with this object, for [`Object::take_damage`].
    pub(crate) fn mark_damage(&mut self, damage: Damages) {
        if !damage.is_empty() {
            self.push(Cow::Borrowed(DAMAGE_KEY), Json::Unsigned(damage.bits().into()));
        }
    }

    /// Whether this object or one within it is marked.
    pub(crate) fn is_damaged(&self) -> bool {
        self.0.iter().any(|entry| entry.key == DAMAGE_KEY || entry.value.is_damaged())
    }

    /// What was wrong with this object and all within it. Whoever writes the mark into a record of his own accuses nobody
    /// but himself.
    pub(crate) fn take_damage(&mut self) -> Damages {
        let mut damage = Damages::default();
        self.0.retain_mut(|entry| match &mut entry.value {
            Json::Unsigned(bits) if entry.key == DAMAGE_KEY => {
                damage.extend(Damages::from_bits(*bits));
                false
            }
            value => {
                damage.extend(value.take_damage());
                true
            }
        });
        damage
    }

    /// Takes what was wrong with this object for what was wrong with the record, where objects are marked.
    pub(crate) fn tell_damage(&mut self, notes: &mut Notes) {
        if notes.marked {
            notes.damage.extend(self.take_damage());
        }
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Json<'a>> {
        match std::mem::replace(self.get_mut(key)?, Json::Null) {
            Json::Null => None,
            value => Some(value),
        }
    }
}

/// Under which a mended object says what was wrong with it.
pub(crate) const DAMAGE_KEY: &str = "\0damage";

impl<'a> IntoIterator for Object<'a> {
    type Item = (Cow<'a, str>, Json<'a>);
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Entries<'a> {
        Entries(self.0.into_iter())
    }
}

/// The keys and values of an object, in order.
#[derive(Debug)]
pub(crate) struct Entries<'a>(std::vec::IntoIter<Entry<'a>>);

impl<'a> Iterator for Entries<'a> {
    type Item = (Cow<'a, str>, Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|entry| (entry.key, entry.value))
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Unsigned(value) => serializer.serialize_u64(*value),
            Json::Signed(value) => serializer.serialize_i64(*value),
            Json::Float(value) => serializer.serialize_f64(*value),
            Json::Text(text) => serializer.serialize_str(text),
            Json::List(list) => serializer.collect_seq(list),
            Json::Object(Object(entries)) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for Entry { key, value, .. } in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// Lists and objects under these keys are stepped over unread: they are large, and nothing here looks at them.
const UNREAD: [(u64, &str); 3] =
    [(mark("logprobs"), "logprobs"), (mark("embedding"), "embedding"), (mark("b64_json"), "b64_json")];

/// Builds a [`Json`], counting down the values that may still come.
#[derive(Clone, Copy)]
struct Node<'b> {
    /// Entries that an object usually has: the outermost ones are large.
    entries: usize,
    left: &'b Cell<usize>,
    /// Whether an object was marked; none where nobody asks.
    marked: Option<&'b Cell<bool>>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Json<'de>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| de::Error::custom("too many values"))?;
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Signed(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut entries = Vec::with_capacity(self.entries);
        let within = Node { entries: OBJECT_ENTRIES_USUAL, ..self };
        while let Some(key) = map.next_key_seed(Key)? {
            let mark = mark(&key);
            let value = if UNREAD.iter().any(|(unread, name)| *unread == mark && *name == key) {
                map.next_value_seed(Scalar { node: within })?
            } else {
                map.next_value_seed(within)?
            };
            entries.push(Entry { mark, key, value });
        }
        let mut object = Object(entries);
        if let Some(marked) = self.marked
            && object.repeats_a_key()
        {
            object.mark_damage(Damage::DuplicateKey.into());
            marked.set(true);
        }
        Ok(Json::Object(object))
    }
}

/// A number that differs for most keys: some of their bytes and their length.
pub(crate) const fn mark(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let some = if let Some(first) = bytes.first_chunk::<8>() {
        u64::from_le_bytes(*first)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        u32::from_le_bytes(*first) as u64 | (u32::from_le_bytes(*last) as u64) << 32
    } else if let (Some(first), Some(last)) = (bytes.first(), bytes.last()) {
        *first as u64 | (*last as u64) << 8
    } else {
        0
    };
    some ^ (bytes.len() as u64) << 56
}

/// A set of marks as bits: of a mark that is not in it, it nearly always says so, in a few instructions.
#[derive(Debug)]
pub(crate) struct Marks([u64; MARK_WORDS]);

/// Words of [`Marks`], a power of two: enough that the marks of a usual object seldom fall on the same bit.
const MARK_WORDS: usize = 32;

impl Default for Marks {
    fn default() -> Self {
        Marks([0; MARK_WORDS])
    }
}

impl Marks {
    /// Adds a mark; says whether it may have been there.
    pub(crate) fn meets(&mut self, mark: u64) -> bool {
        let (word, bit) = place(mark);
        let Some(word) = self.0.get_mut(word) else { return true };
        let met = *word & bit != 0;
        *word |= bit;
        met
    }

    /// Whether a mark may be there.
    pub(crate) fn may_hold(&self, mark: u64) -> bool {
        let (word, bit) = place(mark);
        self.0.get(word).is_none_or(|word| word & bit != 0)
    }
}

/// The word and the bit of a mark.
fn place(mark: u64) -> (usize, u64) {
    let hash = spread(mark);
    ((hash >> 59) as usize % MARK_WORDS, 1 << (hash >> 53 & 63))
}

/// Fibonacci hashing: the highest bits depend on all.
pub(crate) const fn spread(mark: u64) -> u64 {
    mark.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

const RECORD_ENTRIES_USUAL: usize = 24;
const OBJECT_ENTRIES_USUAL: usize = 6;

/// As [`Node`], but steps over lists and objects.
struct Scalar<'b> {
    node: Node<'b>,
}

impl<'de> DeserializeSeed<'de> for Scalar<'_> {
    type Value = Json<'de>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json<'de>, E> {
        self.node.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Json<'de>, E> {
        self.node.visit_bool(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Json<'de>, E> {
        self.node.visit_u64(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Json<'de>, E> {
        self.node.visit_i64(value)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Json<'de>, E> {
        self.node.visit_f64(value)
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        self.node.visit_borrowed_str(text)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Json<'de>, E> {
        self.node.visit_str(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Json::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Json::Null)
    }
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

fn not_json(error: &serde_json::Error) -> BadRecord {
    let reason = error.to_string();
    let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason).to_owned();
    BadRecord::NotJson { reason, column: error.column() }
}
