//! What a request refers to wherever in it: files, and other things that servers keep.
//!
//! Promises to find every key that an API has for it, as a server would: one that is there twice, is spelled in other letters'
//! case or has something else than texts is refused. Keeps nothing of the body but these ids. What a tool takes, a schema
//! describes or `metadata` holds is left out: a key there may have any name.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::route::Call;

/// What a body refers to, by ids.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct References {
    /// Files.
    pub(crate) files: Vec<String>,
    /// Things of which nothing here knows whose they are.
    pub(crate) builds_on: Vec<String>,
}

/// Keys of files.
const FILES: [&str; 2] = ["file_id", "file_ids"];
/// Keys of other things.
const OTHERS: [&str; 3] = ["vector_store_ids", "container_id", "skill_id"];
/// Keys at the top below which nothing refers to anything: schemas, and what a caller notes.
const NOTES: [&str; 8] = [
    "metadata",
    "response_format",
    "text",
    "output_format",
    "output_config",
    "structured_outputs",
    "guided_json",
    "json_schema",
];

/// Whether a body may refer to anything: without a key that ends in `_id`, `_ids` or is `id`, as it is or with letters
/// escaped, it does not, and needs no second look.
pub(crate) fn may_be_in(body: &[u8]) -> bool {
    let is_id = |at: usize| {
        let next = body.get(at + 1..at + 3).is_some_and(|next| next.eq_ignore_ascii_case(b"id"));
        next && matches!(body.get(at + 3), Some(b'"' | b's' | b'S'))
    };
    let is_escaped = |at: usize| matches!(body.get(at + b"\\u00".len()), Some(b'2'..=b'7'));
    memchr::memchr2_iter(b'_', b'"', body).any(is_id) || memchr::memmem::find_iter(body, b"\\u00").any(is_escaped)
}

/// What a body refers to.
///
/// # Errors
///
/// When a key that refers to something cannot be read in one way only.
pub(crate) fn of(text: &str, call: Call) -> Result<References, String> {
    let mut found = References::default();
    let mut body = serde_json::Deserializer::from_str(text);
    Walk { place: Place::Top, call, found: &mut found }.deserialize(&mut body).map_err(|error| error.to_string())?;
    Ok(found)
}

/// Where in a body something stands, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The body itself.
    Top,
    /// Below `messages`.
    Messages,
    /// In the list `input` of a request for a response.
    Items,
    /// An item of that list.
    Item,
    /// Below `tools`.
    Tools,
    /// What a message has of sound.
    Audio,
    /// Elsewhere.
    Else,
}

impl Place {
    /// Where what stands behind a key is; none where nothing refers to anything.
    fn behind(self, key: &str, call: Call) -> Option<Place> {
        Some(match (self, key) {
            (Place::Top, key) if NOTES.contains(&key) => return None,
            (Place::Messages, "input" | "arguments") | (Place::Tools, "parameters" | "input_schema") => return None,
            (Place::Top, "messages") => Place::Messages,
            (Place::Top, "input") if call == Call::Responses => Place::Items,
            (Place::Top, "tools" | "functions") => Place::Tools,
            (Place::Messages, "audio") => Place::Audio,
            (Place::Messages | Place::Tools, _) => self,
            _ => Place::Else,
        })
    }

    /// Where the items of a list are.
    fn within(self) -> Place {
        match self {
            Place::Items => Place::Item,
            Place::Item | Place::Top | Place::Audio => Place::Else,
            place => place,
        }
    }
}

/// Goes through a value, and puts down what it finds.
struct Walk<'f> {
    place: Place,
    call: Call,
    found: &'f mut References,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<(), S::Error> {
        let Walk { place, call, found } = self;
        let place = place.within();
        while list.next_element_seed(Walk { place, call, found: &mut *found })?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Walk { place, call, found } = self;
        let (mut seen, mut id, mut is_reference, mut others) = ([false; FILES.len() + OTHERS.len()], None, false, 0);
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            let mut keys = FILES.iter().chain(&OTHERS).enumerate();
            if let Some((index, name)) = keys.find(|(_, name)| name.eq_ignore_ascii_case(&key)) {
                if *name != key {
                    let told = key.escape_default();
                    return Err(de::Error::custom(format!("unknown field `{told}`; did you mean `{name}`?")));
                }
                if seen.get_mut(index).is_some_and(|seen| std::mem::replace(seen, true)) {
                    return Err(de::Error::custom(format!("duplicate field `{name}`")));
                }
                let Ids(ids) = map.next_value::<Ids>()?;
                let into = if FILES.contains(name) { &mut found.files } else { &mut found.builds_on };
                into.extend(ids);
                continue;
            }
            match (place, key.as_ref()) {
                (Place::Item | Place::Audio, "id") if id.is_none() => id = Some(map.next_value::<Ids>()?),
                (Place::Item | Place::Audio, "id") => return Err(de::Error::custom("duplicate field `id`")),
                (Place::Item, "type") => {
                    let kind = map.next_value::<Option<Key<'de>>>()?;
                    is_reference |= kind.is_some_and(|Key(kind)| kind == "item_reference");
                }
                (_, key) => {
                    others += 1;
                    match place.behind(key, call) {
                        Some(place) => map.next_value_seed(Walk { place, call, found: &mut *found })?,
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
            }
        }
        // An item that is nothing but its id stands for one that a server keeps, and so does the id of a sound.
        if place == Place::Audio || is_reference || others == 0 {
            found.builds_on.extend(id.into_iter().flat_map(|Ids(ids)| ids));
        }
        Ok(())
    }
}

/// A key or a short text, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// An id, a list of them, or none.
struct Ids(Vec<String>);

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "an id must be a text, or a list of texts")]
        enum Form {
            None(()),
            One(String),
            Many(Vec<String>),
        }
        Ok(Ids(match Form::deserialize(from)? {
            Form::None(()) => Vec::new(),
            Form::One(id) => vec![id],
            Form::Many(ids) => ids,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(call: Call, body: &str) -> Result<References, String> {
        if may_be_in(body.as_bytes()) { of(body, call) } else { Ok(References::default()) }
    }

    #[test]
    fn files_are_found_wherever_a_request_refers_to_them() {
        for (call, body, files) in [
            (Call::Chat, r#"{"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f1"}}]}]}"#, "f1"),
            (Call::Responses, r#"{"input":[{"content":[{"type":"input_image","file_id":"f1"}]}]}"#, "f1"),
            (
                Call::Responses,
                r#"{"type":"tool_use","input":[{"content":[{"type":"input_file","file_id":"f1"}]}]}"#,
                "f1",
            ),
            (Call::Messages, r#"{"messages":[{"content":[{"source":{"type":"file","fil\u0065_id":"f1"}}]}]}"#, "f1"),
            (Call::Responses, r#"{"tools":[{"container":{"type":"auto","file_ids":["f1","f2"]}}]}"#, "f1 f2"),
            (Call::Chat, r#"{"messages":[{"content":"file_id: f1, or {\"file_id\":\"f1\"}"}]}"#, ""),
            (Call::Messages, r#"{"messages":[{"content":[{"type":"tool_use","input":{"file_id":7}}]}]}"#, ""),
            (Call::Chat, r#"{"tools":[{"function":{"parameters":{"properties":{"file_id":{"type":"string"}}}}}]}"#, ""),
            (Call::Chat, r#"{"response_format":{"schema":{"properties":{"file_id":{"type":"string"}}}}}"#, ""),
            (Call::Chat, r#"{"metadata":{"file_id":"f1"}}"#, ""),
            (Call::Chat, r#"{"messages":[{"file_id":null}]}"#, ""),
        ] {
            let found = found(call, body).unwrap();
            assert_eq!((found.files.join(" ").as_str(), found.builds_on.len()), (files, 0), "{body}");
        }
    }

    #[test]
    fn other_stored_things_are_found() {
        for (call, body) in [
            (Call::Responses, r#"{"tools":[{"type":"file_search","vector_store_ids":["v1"]}]}"#),
            (Call::Responses, r#"{"tools":[{"environment":{"type":"container_reference","container_id":"c1"}}]}"#),
            (Call::Messages, r#"{"container":{"skills":[{"type":"custom","skill_id":"s1"}]}}"#),
            (Call::Responses, r#"{"input":[{"type":"item_reference","id":"m1"}]}"#),
            (Call::Responses, r#"{"input":[{"id":"m1"}]}"#),
            (Call::Responses, r#"{"input":[{"id":"m1","type":"image_generation_call"}]}"#),
            (Call::Chat, r#"{"messages":[{"role":"assistant","audio":{"id":"a1"}}]}"#),
        ] {
            let found = found(call, body).unwrap();
            assert_eq!((found.builds_on.len(), found.files.len()), (1, 0), "{body}");
        }
        // What a model said, as it comes back, has an id and is there itself.
        for (call, body) in [
            (Call::Responses, r#"{"input":[{"type":"message","id":"m1","role":"assistant","content":[]}]}"#),
            (Call::Chat, r#"{"messages":[{"tool_calls":[{"id":"call_1","type":"function"}]}]}"#),
            (Call::Messages, r#"{"messages":[{"content":[{"type":"tool_result","tool_use_id":"t1"}]}]}"#),
        ] {
            assert_eq!(found(call, body), Ok(References::default()), "{body}");
        }
    }

    #[test]
    fn what_two_readers_would_find_differently_is_refused() {
        for (body, expected) in [
            (r#"{"messages":[{"file":{"file_id":"f1","file_id":null}}]}"#, "duplicate field `file_id`"),
            (r#"{"messages":[{"file":{"fil\u0065_id":null,"file_id":"f1"}}]}"#, "duplicate field `file_id`"),
            (r#"{"messages":[{"file":{"File_Id":"f1"}}]}"#, "did you mean `file_id`"),
            (r#"{"messages":[{"file":{"FILE_ID":"f1"}}]}"#, "did you mean `file_id`"),
            (r#"{"messages":[{"file":{"file_id":{"id":"f1"}}}]}"#, "must be a text"),
            (r#"{"messages":[{"file":{"file_id":7}}]}"#, "must be a text"),
        ] {
            let error = found(Call::Chat, body).unwrap_err();
            assert!(error.contains(expected), "{body}: {error}");
        }
    }

    /// A small body may become a large one, and a large one has no room for a tree of it.
    #[test]
    fn a_deep_body_is_refused_and_a_wide_one_is_gone_through() {
        assert!(of(&"[".repeat(500), Call::Chat).is_err());
        let wide = format!(r#"{{"messages":[{{"file_id":"f"}}{}]}}"#, ",[]".repeat(100_000));
        assert_eq!(of(&wide, Call::Chat).unwrap().files, ["f"]);
    }
}
