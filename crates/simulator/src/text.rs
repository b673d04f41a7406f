//! What people, programs and campaigns ask, in this project's own words.
//!
//! Promises the same text for the same seeds on every machine. Refuses nothing. A [`Script`] is bounded by the grammars
//! in `texts/`, whose rules cannot repeat themselves. Honest people and campaigns draw from the same words and the same
//! answers: what tells them apart is what they do with many accounts.

mod campaign;
mod grammar;
mod habit;
mod long;
mod people;
mod rewording;
mod work;

use std::sync::LazyLock;

use rand::{Rng, RngExt};

use crate::draw::pick;
use grammar::{Grammar, Scene};

pub(crate) use campaign::{Harvest, Template, instruction, paraphrase, relayed};
pub(crate) use habit::{Habit, habit};
pub(crate) use long::preamble;
pub(crate) use people::{Persona, chat, coding, hackathon, public_agent};
pub(crate) use work::{batch_job, benchmark, class_exercise, load_test, product, research};

/// What somebody writes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// English, of everywhere.
    English,
    /// Chinese, in simplified characters.
    Chinese,
    /// Spanish; chat only, other work is done in English.
    Spanish,
    /// German; chat only, other work is done in English.
    German,
    /// Japanese; chat only, other work is done in English.
    Japanese,
}

/// A prompt and what the model says to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// What is asked.
    pub prompt: String,
    /// What is answered.
    pub answer: String,
}

/// A conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Script {
    /// The system prompt.
    pub system: Option<String>,
    /// The turns, at least one.
    pub turns: Vec<Turn>,
    /// Names of the tools offered to the model.
    pub tools: Vec<&'static str>,
    /// What the model thought before its first answer.
    pub reasoning: Option<String>,
}

/// How an answer is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Paragraphs, sometimes a list.
    Prose,
    /// A remark, code and a remark.
    Code,
    /// What this rule gives, as it is.
    Exact(&'static str),
}

impl Language {
    /// A scene in which `entry` can be drawn: English, if this language lacks it.
    fn scene(self, entry: &str, owner: u64, domain: u64) -> Scene<'static> {
        let own: &'static Grammar = match self {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
            Language::Spanish => &SPANISH,
            Language::German => &GERMAN,
            Language::Japanese => &JAPANESE,
        };
        let grammar = if own.rule(entry).is_some() { own } else { &ENGLISH };
        let domains = grammar.domains().max(1);
        // The remainder is below a usize.
        Scene::new(grammar, owner, (domain % domains as u64) as usize)
    }
}

impl Script {
    /// One prompt, its answer and the thought before it.
    fn ask<R: Rng>(scene: &mut Scene, prompt: String, layout: Layout, rng: &mut R) -> Script {
        let answer = answer(scene, layout, rng);
        let reasoning = Some(thought(scene, rng));
        Script { turns: vec![Turn { prompt, answer }], reasoning, ..Script::default() }
    }
}

fn answer<R: Rng>(scene: &mut Scene, layout: Layout, rng: &mut R) -> String {
    let mut parts = Vec::new();
    match layout {
        Layout::Exact(rule) => return scene.draw(rule, rng),
        Layout::Code => {
            parts.push(scene.draw("code_answer", rng));
            for _ in 0..pick(rng, &[0, 1, 1, 2, 4, 6]).copied().unwrap_or(0) {
                parts.push(scene.draw("code_remark", rng));
            }
        }
        Layout::Prose => {
            parts.push(scene.draw("answer_first", rng));
            for _ in 0..pick(rng, &[0, 1, 1, 2, 3, 4, 5, 7, 9, 14]).copied().unwrap_or(0) {
                parts.push(scene.draw("answer_more", rng));
            }
            if rng.random_bool(0.35) {
                parts.push(scene.draw("answer_last", rng));
            }
        }
    }
    parts.join("\n\n")
}

fn thought<R: Rng>(scene: &mut Scene, rng: &mut R) -> String {
    let sentences: Vec<String> = (0..rng.random_range(2..9)).map(|_| scene.draw("thought", rng)).collect();
    sentences.join(" ")
}

macro_rules! grammar {
    ($($file:literal),+) => {
        LazyLock::new(|| match Grammar::parse(concat!($(include_str!(concat!("../texts/", $file, ".grammar")), "\n"),+)) {
            Ok(grammar) => grammar,
            // The source is part of this crate, and a test reads it.
            Err(bad) => unreachable!("{bad}"),
        })
    };
}

static ENGLISH: LazyLock<Grammar> = grammar!(
    "english/words",
    "english/chat",
    "english/domains",
    "english/answers",
    "english/code",
    "english/products",
    "english/jobs",
    "english/study",
    "english/agents",
    "english/campaigns",
    "english/long",
    "english/prose",
    "english/habits",
    "english/lures"
);
static CHINESE: LazyLock<Grammar> = grammar!("chinese/chat", "chinese/work", "chinese/campaigns");
static SPANISH: LazyLock<Grammar> = grammar!("spanish");
static GERMAN: LazyLock<Grammar> = grammar!("german");
static JAPANESE: LazyLock<Grammar> = grammar!("japanese");

#[cfg(test)]
mod tests;
