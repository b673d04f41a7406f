//! What people, programs and campaigns ask, in this project's own words.
//!
//! Promises the same text for the same seeds on every machine. Refuses nothing. A [`Script`] is bounded by the grammars
//! in `texts/`, whose rules cannot repeat themselves. Honest people and campaigns draw from the same words and the same
//! answers: what tells them apart is what they do with many accounts.

mod campaign;
mod grammar;
mod habit;
mod language;
mod long;
mod people;
mod rewording;
mod script;
mod work;

pub(crate) use campaign::{Harvest, Template, instruction, paraphrase, relayed};
pub(crate) use habit::{Habit, habit};
pub(crate) use language::Language;
pub(crate) use long::preamble;
pub(crate) use people::{Persona, chat, coding, hackathon, public_agent};
pub(crate) use script::Script;
pub(crate) use work::{batch_job, benchmark, class_exercise, load_test, product, research};

#[cfg(test)]
mod tests;
