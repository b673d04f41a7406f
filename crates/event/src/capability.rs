//! What there is to harvest, one by one and as sets.

use serde::{Deserialize, Serialize};

/// What a campaign takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// The model's hidden or step-by-step reasoning.
    ReasoningTrace,
    /// Grades, comparisons, rewards.
    Grading,
    /// New training instructions and data.
    DataGeneration,
    /// Tool use and agent behaviour.
    ToolUse,
    /// Program code.
    Coding,
    /// Log-probabilities and other outputs that expose parameters.
    Logits,
    /// Cleaning of outputs captured before.
    TraceCleaning,
    /// Translations in bulk.
    Translation,
    /// Answers that do not say which model gives them: a prompt that forbids to tell, or lends a foreign brand.
    Concealment,
    /// Answers in general; nothing narrower could be told.
    General,
}

impl Capability {
    /// Every capability, in a fixed order; [`Capability::index`] is the place in it.
    pub const ALL: [Capability; 10] = [
        Capability::ReasoningTrace,
        Capability::Grading,
        Capability::DataGeneration,
        Capability::ToolUse,
        Capability::Coding,
        Capability::Logits,
        Capability::TraceCleaning,
        Capability::Translation,
        Capability::Concealment,
        Capability::General,
    ];

    /// Its place in [`Capability::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name in files.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Capability::ReasoningTrace => "reasoning_trace",
            Capability::Grading => "grading",
            Capability::DataGeneration => "data_generation",
            Capability::ToolUse => "tool_use",
            Capability::Coding => "coding",
            Capability::Logits => "logits",
            Capability::TraceCleaning => "trace_cleaning",
            Capability::Translation => "translation",
            Capability::Concealment => "concealment",
            Capability::General => "general",
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Capability::ReasoningTrace => "reasoning traces",
            Capability::Grading => "grading",
            Capability::DataGeneration => "data generation",
            Capability::ToolUse => "tool use",
            Capability::Coding => "coding",
            Capability::Logits => "log-probabilities",
            Capability::TraceCleaning => "trace cleaning",
            Capability::Translation => "translation",
            Capability::Concealment => "concealment of the model",
            Capability::General => "general answers",
        }
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intents(u16);

impl Intents {
    /// Adds `capability` when `yes` holds.
    pub fn add(&mut self, capability: Capability, yes: bool) {
        self.0 |= u16::from(yes) << capability.index();
    }

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Intents) -> Intents {
        Intents(self.0 | other.0)
    }

    /// Whether `capability` is in the set.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.0 >> capability.index() & 1 == 1
    }

    /// The capabilities in the set.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |&capability| self.has(capability))
    }
}

impl FromIterator<Capability> for Intents {
    fn from_iter<T: IntoIterator<Item = Capability>>(capabilities: T) -> Intents {
        let mut intents = Intents::default();
        capabilities.into_iter().for_each(|capability| intents.add(capability, true));
        intents
    }
}
