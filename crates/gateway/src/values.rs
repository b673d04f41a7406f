//! Values of the configuration that have rules of their own: read and written by these.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Reads a value by its own rules.
pub(crate) fn parsed_one<'de, D: Deserializer<'de>, T: std::str::FromStr<Err: std::fmt::Display>>(
    from: D,
) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|error| serde::de::Error::custom(format!("`{}`: {error}", text.escape_default())))
}

pub(crate) fn parsed<'de, D: Deserializer<'de>, T: std::str::FromStr<Err: std::fmt::Display>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    parsed_one(from).map(Some)
}

pub(crate) fn parsed_list<'de, D: Deserializer<'de>, T: std::str::FromStr<Err: std::fmt::Display>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let one = |text: String| {
        text.parse().map_err(|error| serde::de::Error::custom(format!("`{}`: {error}", text.escape_default())))
    };
    texts.into_iter().map(one).collect()
}

/// Writes a value as [`parsed_one`] reads it.
pub(crate) fn told_one<S: Serializer, T: std::fmt::Display>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

pub(crate) fn told<S: Serializer, T: std::fmt::Display>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(ToString::to_string).serialize(to)
}

pub(crate) fn told_list<S: Serializer, T: std::fmt::Display>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(values.iter().map(ToString::to_string))
}
