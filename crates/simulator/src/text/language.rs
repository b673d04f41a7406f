//! Languages, each with the grammar that its texts are drawn from.

use std::sync::LazyLock;

use super::grammar::{Grammar, Scene};

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

impl Language {
    /// A scene in which `entry` can be drawn: English, if this language lacks it.
    pub(super) fn scene(self, entry: &str, owner: u64, domain: u64) -> Scene<'static> {
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

macro_rules! grammar {
    ($($file:literal),+) => {
        LazyLock::new(|| match Grammar::parse(concat!($(include_str!(concat!("../../texts/", $file, ".grammar")), "\n"),+)) {
            Ok(grammar) => grammar,
            // The source is part of this crate, and a test reads it.
            Err(bad) => unreachable!("{bad}"),
        })
    };
}

pub(super) static ENGLISH: LazyLock<Grammar> = grammar!(
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
pub(super) static CHINESE: LazyLock<Grammar> = grammar!("chinese/chat", "chinese/work", "chinese/campaigns");
pub(super) static SPANISH: LazyLock<Grammar> = grammar!("spanish");
pub(super) static GERMAN: LazyLock<Grammar> = grammar!("german");
pub(super) static JAPANESE: LazyLock<Grammar> = grammar!("japanese");
