//! A conversation, with what the model says in it.

use rand::{Rng, RngExt};

use super::grammar::Scene;
use crate::draw::pick;

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
pub(super) enum Layout {
    /// Paragraphs, sometimes a list.
    Prose,
    /// A remark, code and a remark.
    Code,
    /// What this rule gives, as it is.
    Exact(&'static str),
}

impl Script {
    /// One prompt, its answer and the thought before it.
    pub(super) fn ask<R: Rng>(scene: &mut Scene, prompt: String, layout: Layout, rng: &mut R) -> Script {
        let answer = answer(scene, layout, rng);
        let reasoning = Some(thought(scene, rng));
        Script { turns: vec![Turn { prompt, answer }], reasoning, ..Script::default() }
    }
}

/// What the model answers.
pub(super) fn answer<R: Rng>(scene: &mut Scene, layout: Layout, rng: &mut R) -> String {
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

/// What the model thinks before it answers.
pub(super) fn thought<R: Rng>(scene: &mut Scene, rng: &mut R) -> String {
    let sentences: Vec<String> = (0..rng.random_range(2..9)).map(|_| scene.draw("thought", rng)).collect();
    sentences.join(" ")
}
