//! The objects of a text, each as it stands there or mended where it is damaged.

use crate::bad::{BadRecord, Damage, Notes};
use crate::json::{DAMAGE_KEY, Json, Object};
use crate::mend::mend_marking;
use crate::{limits, seam};

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
pub(crate) fn is_json(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'{' | b'[' | b'"'))
}
