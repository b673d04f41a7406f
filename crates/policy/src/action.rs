//! What a request may ask for: the actions that policy allows one by one.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// Something a request does that policy allows or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Action {
    /// Ask a model at all.
    Infer,
    /// See the probabilities of tokens.
    Logprobs,
    /// See the text of reasoning.
    ReasoningText,
    /// Get the reply while it is made.
    Stream,
    /// Hand in many requests at once, to be answered later.
    Batch,
    /// More than one reply to one request.
    Alternatives,
    /// Let the model call tools.
    Tools,
    /// Turn texts into vectors.
    Embeddings,
    /// Use more than the usual rate.
    HighRate,
    /// See which models there are.
    ListModels,
    /// Choose how tokens are drawn: temperature, seed, bias and the like.
    Sampling,
    /// Get replies that are longer than usual.
    LongOutput,
    /// Get vectors as exact as the model makes them.
    FullPrecision,
}

impl Action {
    /// All of them, in the order of their bits.
    pub const ALL: [Action; 13] = [
        Action::Infer,
        Action::Logprobs,
        Action::ReasoningText,
        Action::Stream,
        Action::Batch,
        Action::Alternatives,
        Action::Tools,
        Action::Embeddings,
        Action::HighRate,
        Action::ListModels,
        Action::Sampling,
        Action::LongOutput,
        Action::FullPrecision,
    ];

    /// Its name in policies, scopes and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Action::Infer => "infer",
            Action::Logprobs => "logprobs",
            Action::ReasoningText => "reasoning_text",
            Action::Stream => "stream",
            Action::Batch => "batch",
            Action::Alternatives => "alternatives",
            Action::Tools => "tools",
            Action::Embeddings => "embeddings",
            Action::HighRate => "high_rate",
            Action::ListModels => "list_models",
            Action::Sampling => "sampling",
            Action::LongOutput => "long_output",
            Action::FullPrecision => "full_precision",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl fmt::Display for Action {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Action {
    type Err = BadAction;

    fn from_str(text: &str) -> Result<Self, BadAction> {
        Action::ALL.into_iter().find(|action| action.name() == text).ok_or_else(|| BadAction(text.to_owned()))
    }
}

/// A text that names no action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no action; expected one of {}", .0.escape_default(), Actions::ALL)]
pub struct BadAction(String);

/// A set of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actions(u16);

impl Actions {
    /// None.
    pub const NONE: Actions = Actions(0);
    /// Every action there is.
    pub const ALL: Actions = Actions((1 << Action::ALL.len()) - 1);

    /// Whether `action` is one of them.
    #[must_use]
    pub const fn has(self, action: Action) -> bool {
        self.0 & action.bit() != 0
    }

    /// These and `action`.
    #[must_use]
    pub const fn with(self, action: Action) -> Actions {
        Actions(self.0 | action.bit())
    }

    /// These without `action`.
    #[must_use]
    pub const fn without(self, action: Action) -> Actions {
        Actions(self.0 & !action.bit())
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Actions) -> Actions {
        Actions(self.0 & other.0)
    }

    /// Those that are in either.
    #[must_use]
    pub const fn or(self, other: Actions) -> Actions {
        Actions(self.0 | other.0)
    }

    /// Those of these that are not in `other`.
    #[must_use]
    pub const fn minus(self, other: Actions) -> Actions {
        Actions(self.0 & !other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |action| self.has(*action))
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        actions.into_iter().fold(Actions::NONE, Actions::with)
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, action) in self.iter().enumerate() {
            write!(out, "{}{action}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl JsonSchema for Actions {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Actions".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Vec<Action>>()
    }
}

impl Serialize for Actions {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Actions {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Vec::<Action>::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_its_name_and_its_bit() {
        for (index, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(action as usize, index);
            assert_eq!(action.name().parse(), Ok(action));
            assert_eq!(serde_json::to_string(&action).unwrap(), format!("\"{action}\""));
            assert!(Actions::ALL.has(action) && !Actions::NONE.has(action));
            assert!(!Actions::ALL.without(action).has(action));
        }
        assert_eq!(Actions::ALL.iter().count(), Action::ALL.len());
        assert!("inference".parse::<Action>().unwrap_err().to_string().contains("infer, logprobs"));
    }

    #[test]
    fn sets_are_written_as_lists() {
        let set: Actions = [Action::Stream, Action::Infer].into_iter().collect();
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(json, r#"["infer","stream"]"#);
        assert_eq!(serde_json::from_str::<Actions>(&json).unwrap(), set);
        assert_eq!(set.to_string(), "infer, stream");
        assert!(set.minus(set).is_empty());
    }
}
