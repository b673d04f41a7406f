//! What the texts promise: the same for the same seeds, every rule in use, and as much variation as was asked for.

use std::collections::BTreeSet;

use super::grammar::Grammar;
use super::language::{CHINESE, ENGLISH, GERMAN, JAPANESE, SPANISH};
use super::rewording::lost;
use super::*;
use crate::draw::stream;

const LANGUAGES: [Language; 5] =
    [Language::English, Language::Chinese, Language::Spanish, Language::German, Language::Japanese];

/// Rules that the code names.
const ENTRIES: &[&str] = &[
    "answer_first",
    "answer_more",
    "answer_last",
    "code_answer",
    "code_remark",
    "thought",
    "chat",
    "follow",
    "code",
    "code_follow",
    "hackathon_ask",
    "hackathon_system",
    "benchmark_frame",
    "exercise_own",
    "exercise_quoted",
    "exercise_set",
    "exercise_topic",
    "load_test",
    "research",
    "problem",
    "opening",
    "closing",
    "short_answer",
    "pasted",
    "pasted_lead",
    "house_rule",
    "habit_phrase",
    "tutorial_system",
    "digest_system",
    "seat_system",
    "shop_system",
    "shop_user",
    "rubric_system",
    "label_prompt",
    "gallery_prompt",
    "list_prompt",
    "review_system",
    "lure",
    "fresh",
    "direct",
    "relay_system",
];

fn grammars() -> [(&'static str, &'static Grammar); 5] {
    [
        ("english", &*ENGLISH),
        ("chinese", &*CHINESE),
        ("spanish", &*SPANISH),
        ("german", &*GERMAN),
        ("japanese", &*JAPANESE),
    ]
}

#[test]
fn every_rule_is_in_use() {
    let numbered = [
        ("product", work::PRODUCTS),
        ("batch", work::JOBS),
        ("benchmark", work::BENCHMARKS),
        ("exercise", work::EXERCISES),
        ("agent", people::AGENTS),
        ("plugin", habit::PLUGINS),
    ];
    let parts = ["_system", "_user", "_instructions", "_item", "_answer", "_set", "_topic", ""];
    let numbered = numbered.iter().flat_map(|(name, count)| {
        (0..*count).flat_map(move |number| parts.map(|part| format!("{name}{number}{part}")))
    });
    let harvests =
        ["trace", "grading", "data", "tool_use", "programming", "logits", "cleaning", "translation", "phrase"];
    let items = [
        "graded",
        "verdict",
        "seed_topic",
        "errand",
        "programming_task",
        "short_question",
        "raw_notes",
        "passage",
        "item",
    ];
    let entries: Vec<String> =
        numbered.chain(ENTRIES.iter().chain(&harvests).chain(&items).map(|name| (*name).to_owned())).collect();
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    for (language, grammar) in grammars() {
        assert_eq!(grammar.unused(&entries), Vec::<&str>::new(), "{language}");
    }
}

#[test]
fn the_same_seeds_give_the_same_text() {
    for language in LANGUAGES {
        let script = |seed: u64| {
            let mut rng = stream(seed, &[]);
            let persona = Persona::draw(language, &mut rng);
            chat(language, &persona, &mut rng)
        };
        assert_eq!(script(1), script(1));
        assert_ne!(script(1), script(2));
    }
    assert_eq!(load_test(7), load_test(7));
    assert_eq!(benchmark(7, 3), benchmark(7, 3));
    assert_ne!(benchmark(7, 3).turns, benchmark(7, 4).turns);
}

#[test]
fn people_seldom_ask_the_same() {
    let mut rng = stream(5, &[]);
    for language in LANGUAGES {
        let prompts: BTreeSet<String> = (0..400)
            .map(|_| {
                let persona = Persona::draw(language, &mut rng);
                chat(language, &persona, &mut rng).turns.swap_remove(0).prompt
            })
            .collect();
        assert!(prompts.len() > 320, "{language:?}: {} of 400 differ", prompts.len());
    }
}

#[test]
fn no_text_keeps_marks_of_the_grammar() {
    let mut rng = stream(6, &[]);
    for harvest in Harvest::ALL {
        for language in [Language::English, Language::Chinese] {
            let template = Template::draw(harvest, language, 0.3, None, &mut rng);
            for item in 0..20 {
                let script = template.request(item, &mut rng);
                let prompt = &script.turns.first().unwrap().prompt;
                assert!(prompt.chars().count() > 8, "{harvest:?} {language:?}: {prompt}");
                assert!(!prompt.contains("@own") && !prompt.contains("{^"), "{harvest:?} {language:?}: {prompt}");
            }
        }
    }
}

/// What share of the template's own words, those that all its requests hold without variation, a request lacks.
fn varied(harvest: Harvest, language: Language, variation: f64) -> f64 {
    let mut shares = Vec::new();
    for seed in 0..12 {
        let template = |variation| Template::draw(harvest, language, variation, None, &mut stream(seed, &[]));
        let whole = |script: &Script| format!("{} {}", script.system.as_deref().unwrap_or(""), script.turns[0].prompt);
        for item in 0..6 {
            let plain = whole(&template(0.0).request(item, &mut stream(9, &[item])));
            let other = whole(&template(variation).request(item, &mut stream(9, &[item])));
            shares.push(lost(language, &plain, &other) as f64 / lost(language, &plain, "") as f64);
        }
    }
    shares.iter().sum::<f64>() / shares.len() as f64
}

#[test]
fn variation_rises_with_its_knob() {
    for language in [Language::English, Language::Chinese] {
        let shares = [0.0, 0.1, 0.3, 0.6].map(|variation| varied(Harvest::ReasoningTrace, language, variation));
        assert!(shares[0] < 1e-9, "{language:?}: {shares:?}");
        assert!(shares.is_sorted(), "{language:?}: {shares:?}");
        assert!((0.04..=0.11).contains(&shares[1]), "{language:?}: {shares:?}");
        assert!((0.12..=0.31).contains(&shares[2]), "{language:?}: {shares:?}");
    }
}

#[test]
fn an_item_is_the_same_whoever_sends_it() {
    let template = Template::draw(Harvest::Coding, Language::English, 0.0, None, &mut stream(3, &[]));
    let prompt = |item, sender| template.request(item, &mut stream(sender, &[])).turns.swap_remove(0).prompt;
    assert_eq!(prompt(4, 1), prompt(4, 2));
    assert_ne!(prompt(4, 1), prompt(5, 1));
}
