//! What a value stands for as an id, a whole number or a time, in every form that loggers write these.
//!
//! Some values say their own type, as databases export them: DynamoDB's (`{"S":"…"}`), MongoDB's (`{"$date":…}`) and times in
//! parts (`{"seconds":…,"nanos":…}`).

use std::borrow::Cow;

use crate::json::{Json, Object};
use crate::limits;
use crate::time::Time;

/// Names of types, of which a value of DynamoDB has one as its only key.
const DYNAMODB: [&str; 7] = ["S", "N", "BOOL", "NULL", "M", "L", "SS"];
const MONGODB: [&str; 6] = ["$date", "$numberLong", "$numberInt", "$numberDouble", "$oid", "$numberDecimal"];

impl<'a> Json<'a> {
    /// An id: a text without the blanks around it or a whole number, not empty, within [`limits::ID_BYTES_MAX`].
    pub(crate) fn id(self) -> Option<Cow<'a, str>> {
        match self {
            Json::Text(text) => Some(trimmed(text)),
            Json::Unsigned(value) => Some(Cow::Owned(value.to_string())),
            Json::Signed(value) => Some(Cow::Owned(value.to_string())),
            Json::Object(object) => scalar(object)?.id(),
            _ => None,
        }
        .filter(|id| !id.is_empty() && id.len() <= limits::ID_BYTES_MAX)
    }

    /// A whole number that fits, also as a string or with a fraction of zero.
    pub(crate) fn whole<T: TryFrom<i128>>(self) -> Option<T> {
        let value = match self {
            Json::Unsigned(value) => i128::from(value),
            Json::Signed(value) => i128::from(value),
            Json::Float(value) if value.fract() == 0.0 && value.abs() < 1e18 => value as i128,
            Json::Text(text) => text.parse().ok()?,
            Json::Object(object) => return scalar(object)?.whole(),
            _ => return None,
        };
        T::try_from(value).ok()
    }

    /// A time in any of the forms [`Time`] is read from.
    pub(crate) fn time(self) -> Option<Time> {
        match self {
            Json::Unsigned(value) => Time::from_epoch_whole(i64::try_from(value).ok()?),
            Json::Signed(value) => Time::from_epoch_whole(value),
            Json::Float(value) => Time::from_epoch_float(value),
            Json::Text(text) => text.parse().ok(),
            // Seconds and nanoseconds, as JavaScript's tracing writes them.
            Json::List(parts) => match parts.as_slice() {
                [Json::Unsigned(seconds), Json::Unsigned(nanos @ 0..1_000_000_000)] => {
                    let nanos = i64::try_from(*nanos).ok()?;
                    let time = Time::from_epoch_whole(i64::try_from(*seconds).ok()?)?;
                    time.nanos().checked_add(nanos).map(Time::from_nanos)
                }
                _ => None,
            },
            Json::Object(object) => time(object),
            _ => None,
        }
    }

    /// What it was expected to be that is no time, for a message.
    pub(crate) fn time_expected(&self) -> &'static str {
        if let Json::Text(text) = self { Time::expected(text) } else { Time::EXPECTED }
    }
}

/// A text without the blanks around it.
fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    // Nearly always there are none.
    if let (Some(b'!'..=b'~'), Some(b'!'..=b'~')) = (text.as_bytes().first(), text.as_bytes().last()) {
        return text;
    }
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// A record whose values all say their type, without the types; any other as it is. Its first value tells nearly always.
pub(crate) fn plain(mut record: Object<'_>) -> Object<'_> {
    let first = |record: &Object<'_>| record.first().is_some_and(is_dynamodb);
    // An export of a table has its items under a key.
    if record.keys().eq(["Item"])
        && record.get_object("Item").is_some_and(first)
        && let Some(Json::Object(item)) = record.take("Item")
    {
        record = item;
    }
    if !first(&record) || !record.keys().all(|key| record.get(key).is_none_or(is_dynamodb)) {
        return record;
    }
    untyped_entries(record)
}

/// What a single typed value stands for.
fn scalar(mut object: Object<'_>) -> Option<Json<'_>> {
    let name = only_key(&object).filter(|key| MONGODB.contains(key) || matches!(*key, "S" | "N"))?.to_owned();
    object.take(&name)
}

/// A time of a typed value, or in seconds and a fraction.
fn time(mut object: Object<'_>) -> Option<Time> {
    let mut part = |names: [&str; 4]| names.into_iter().find_map(|name| object.take(name))?.whole::<i64>();
    let Some(seconds) = part(["seconds", "_seconds", "epochSecond", "Seconds"]) else { return scalar(object)?.time() };
    let nanos = part(["nanos", "_nanoseconds", "nano", "nanoseconds"]).unwrap_or(0);
    Some(Time::from_nanos(Time::from_epoch_whole(seconds)?.nanos().checked_add(nanos)?))
}

fn only_key<'o>(object: &'o Object<'_>) -> Option<&'o str> {
    let mut keys = object.keys();
    keys.next().filter(|_| keys.next().is_none())
}

fn is_dynamodb(json: &Json<'_>) -> bool {
    matches!(json, Json::Object(object) if only_key(object).is_some_and(|key| DYNAMODB.contains(&key)))
}

/// Nesting is bounded by the parser of JSON.
fn untyped(json: Json<'_>) -> Json<'_> {
    let mut object = match json {
        Json::Object(object) if only_key(&object).is_some_and(|key| DYNAMODB.contains(&key)) => object,
        json => return json,
    };
    let Some(name) = only_key(&object).map(str::to_owned) else { return Json::Null };
    match (name.as_str(), object.take(&name)) {
        ("N", Some(Json::Text(text))) => number(text),
        ("M", Some(Json::Object(inner))) => Json::Object(untyped_entries(inner)),
        ("L", Some(Json::List(items))) => Json::List(items.into_iter().map(untyped).collect()),
        ("NULL", _) | (_, None) => Json::Null,
        (_, Some(value)) => value,
    }
}

fn untyped_entries(object: Object<'_>) -> Object<'_> {
    let mut plain = Object::default();
    object.into_iter().for_each(|(key, value)| plain.push(key, untyped(value)));
    plain
}

fn number(text: Cow<'_, str>) -> Json<'_> {
    let whole = text.parse().map(Json::Signed).ok();
    let number = whole.or_else(|| text.parse().ok().filter(|number: &f64| number.is_finite()).map(Json::Float));
    number.unwrap_or(Json::Text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object<'_> {
        Json::parse(text).unwrap().object().unwrap()
    }

    #[test]
    fn records_lose_their_types() {
        let plain = |text| Json::Object(super::plain(object(text))).to_text();
        let typed =
            r#"{"id":{"S":"a"},"n":{"N":"1.5"},"m":{"M":{"l":{"L":[{"N":"2"},{"NULL":true}]}}},"b":{"BOOL":true}}"#;
        let expected = r#"{"id":"a","n":1.5,"m":{"l":[2,null]},"b":true}"#;
        assert_eq!(plain(typed), expected);
        let item = format!(r#"{{"Item":{typed}}}"#);
        assert_eq!(Json::Object(super::plain(object(&item))).to_text(), expected);
        for other in [r#"{"S":"a"}"#, r#"{"a":{"S":"x"},"b":1}"#, r#"{"a":{"S":"x","N":"1"}}"#, "{}", r#"{"Item":1}"#] {
            assert_eq!(plain(other), other);
        }
    }

    #[test]
    fn times_in_parts() {
        for text in [
            r#"{"seconds":1781510547,"nanos":500000000}"#,
            r#"{"_seconds":"1781510547","_nanoseconds":500000000}"#,
            r#"{"$date":"2026-06-15T08:02:27.5Z"}"#,
            r#"{"$date":{"$numberLong":"1781510547500"}}"#,
            r#"{"N":"1781510547.5"}"#,
            r#"{"S":"2026-06-15T08:02:27.5Z"}"#,
        ] {
            let time = Json::parse(text).unwrap().time().map(|time| time.to_string());
            assert_eq!(time.as_deref(), Some("2026-06-15T08:02:27.5Z"), "{text}");
        }
        for text in
            ["{}", r#"{"seconds":"soon"}"#, r#"{"seconds":99999999999,"nanos":9223372036854775807}"#, r#"{"x":1}"#]
        {
            assert_eq!(Json::parse(text).unwrap().time(), None, "{text}");
        }
    }

    #[test]
    fn ids_are_trimmed_and_lose_their_types() {
        for text in [r#"" ann ""#, r#"{"S":"ann"}"#, r#"{"$oid":"ann"}"#] {
            assert_eq!(Json::parse(text).unwrap().id().as_deref(), Some("ann"));
        }
        assert_eq!(Json::parse(r#""  ""#).unwrap().id(), None);
    }
}
