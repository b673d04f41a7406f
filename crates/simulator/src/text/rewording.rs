//! Other words for the same: synonyms, in a number that is asked for.
//!
//! Promises that capitals and punctuation stay. Counts words where a language has spaces, and characters in Chinese and
//! Japanese. Refuses nothing: where there are too few synonyms, fewer words change.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rand::Rng;

use super::language::Language;
use crate::draw::{pick, shuffle};

/// `text` with about `goal` units in other words, and how many there are.
pub(super) fn reworded<R: Rng>(language: Language, text: &str, goal: usize, rng: &mut R) -> (String, usize) {
    let synonyms = if spaced(text) { &*ENGLISH } else { &*CHINESE };
    let mut tokens = tokens(text, synonyms);
    let mut order: Vec<usize> = (0..tokens.len()).collect();
    shuffle(rng, &mut order);
    let mut changed = 0;
    for at in order {
        let Some(token) = tokens.get_mut(at) else { continue };
        if changed >= goal {
            break;
        }
        let lower = token.to_lowercase();
        let Some(others) = synonyms.get(lower.as_str()) else { continue };
        let others: Vec<&str> = others.iter().copied().filter(|other| *other != lower).collect();
        if let Some(other) = pick(rng, &others) {
            changed += lost(language, token, other);
            *token = like(token, other);
        }
    }
    (tokens.concat(), changed)
}

/// How many units of `old` are not in `new`.
pub(super) fn lost(language: Language, old: &str, new: &str) -> usize {
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    for unit in units(language, new) {
        *left.entry(unit).or_default() += 1;
    }
    let kept = |unit: String| left.get_mut(&unit).filter(|count| **count > 0).map(|count| *count -= 1).is_some();
    units(language, old).map(kept).filter(|kept| !kept).count()
}

/// Words, or characters where there are no spaces.
fn units(language: Language, text: &str) -> impl Iterator<Item = String> {
    let by_character = matches!(language, Language::Chinese | Language::Japanese) && !spaced(text);
    let split = move |c: char| !c.is_alphanumeric() && c != '\'';
    let runs = text.split(split).filter(|run| !run.is_empty()).map(str::to_lowercase);
    runs.flat_map(move |run| if by_character { run.chars().map(String::from).collect() } else { vec![run] })
}

fn spaced(text: &str) -> bool {
    text.chars().filter(|c| c.is_alphabetic()).take(40).all(|c| c < '\u{3000}')
}

/// Words that have synonyms, the longest first where words are not set apart, and what is between them.
fn tokens(text: &str, synonyms: &Synonyms) -> Vec<String> {
    if spaced(text) {
        let mut tokens: Vec<String> = Vec::new();
        let mut word = false;
        for c in text.chars() {
            match tokens.last_mut() {
                Some(last) if c.is_alphabetic() == word => last.push(c),
                _ => tokens.push(c.into()),
            }
            word = c.is_alphabetic();
        }
        return tokens;
    }
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let known = |length: usize| {
            let end = rest.char_indices().nth(length).map_or(rest.len(), |(end, _)| end);
            rest.get(..end).filter(|token| synonyms.contains_key(token))
        };
        let token = (1..=LETTERS_MAX).rev().find_map(known).unwrap_or(rest.get(..first.len_utf8()).unwrap_or(rest));
        tokens.push(token.to_owned());
        rest = rest.get(token.len()..).unwrap_or_default();
    }
    tokens
}

/// `other` with the first letter's case of `token`.
fn like(token: &str, other: &str) -> String {
    let mut chars = other.chars();
    match chars.next() {
        Some(first) if token.starts_with(char::is_uppercase) => first.to_uppercase().chain(chars).collect(),
        _ => other.to_owned(),
    }
}

/// For each word, the line that it is in.
type Synonyms = BTreeMap<&'static str, Vec<&'static str>>;

fn read(source: &'static str) -> Synonyms {
    let lines =
        source.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(',').map(str::trim).collect());
    lines.flat_map(|line: Vec<_>| line.clone().into_iter().map(move |word| (word, line.clone()))).collect()
}

static ENGLISH: LazyLock<Synonyms> = LazyLock::new(|| read(include_str!("../../texts/english/synonyms.txt")));
static CHINESE: LazyLock<Synonyms> = LazyLock::new(|| read(include_str!("../../texts/chinese/synonyms.txt")));
/// The longest Chinese word that is looked for, in characters.
const LETTERS_MAX: usize = 4;
