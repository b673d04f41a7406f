//! Drawing a template from examples: what all of them say is fixed, what differs is a slot.
//!
//! Works on the excerpts that were kept, so what a skeleton shows can be checked against the samples beside it.

use std::collections::HashMap;

use event::Capability;
use foldhash::fast::FixedState;
use signals::sketch::{SHINGLE, shingle};
use signals::token::{Token, tokens};

use findings::{Discovery, Segment};

use crate::state::cluster::Cluster;

/// The template behind `texts`, drawn along the one that shows most of it.
#[must_use]
pub(crate) fn draw(texts: &[&str]) -> Vec<Segment> {
    let tokenized: Vec<Vec<Token>> = texts.iter().map(|text| tokens(text).collect()).collect();
    let mut seen_in: HashMap<u64, usize, FixedState> = HashMap::default();
    for tokens in &tokenized {
        let mut keys: Vec<u64> = tokens.windows(SHINGLE).map(|window| shingle(window).key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().for_each(|key| *seen_in.entry(key).or_default() += 1);
    }
    let enough = (texts.len() * 2).div_ceil(5).max(2);
    let fixed = |tokens: &[Token]| -> Vec<bool> {
        let mut fixed = vec![false; tokens.len()];
        for (at, window) in tokens.windows(SHINGLE).enumerate() {
            if seen_in.get(&shingle(window).key).is_some_and(|&count| count >= enough) {
                fixed.iter_mut().skip(at).take(SHINGLE).for_each(|fixed| *fixed = true);
            }
        }
        fixed
    };
    let drawn = texts.iter().zip(&tokenized).map(|(text, tokens)| segments(text, tokens, &fixed(tokens)));
    let all: Vec<Vec<Piece>> = drawn.collect();
    let weight =
        |pieces: &[Piece]| -> usize { pieces.iter().map(|piece| if piece.fixed { piece.text.len() } else { 0 }).sum() };
    let Some(best) = all.iter().max_by_key(|pieces| weight(pieces)) else { return Vec::new() };
    best.iter()
        .enumerate()
        .map(|(at, piece)| {
            if piece.fixed {
                return Segment::Fixed(piece.text.to_owned());
            }
            Segment::Slot(values(at, best, &all))
        })
        .collect()
}

/// The beginning of a cluster's template, or what joined it.
pub(crate) fn name(cluster: &Cluster) -> String {
    match cluster.discovery {
        Discovery::Infrastructure => "(accounts that share infrastructure)".to_owned(),
        Discovery::SignUp => "(accounts that signed up together)".to_owned(),
        Discovery::Intent => {
            format!("(accounts that ask for {})", cluster.asks.map_or("the same", Capability::name))
        }
        Discovery::Text | Discovery::Variants => {
            let sample = cluster.samples.first();
            sample.map_or_else(String::new, |sample| sample.excerpt.chars().take(100).collect())
        }
    }
}

/// A run of text that is fixed, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece<'a> {
    fixed: bool,
    text: &'a str,
}

fn segments<'a>(text: &'a str, tokens: &[Token], fixed: &[bool]) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut current: Option<bool> = None;
    let mut end = 0;
    for (token, &is_fixed) in tokens.iter().zip(fixed) {
        if current.is_some_and(|current| current != is_fixed) {
            // White space and punctuation between two pieces go with the fixed one.
            let cut = if is_fixed { end } else { token.start };
            pieces.extend(text.get(start..cut).map(|text| Piece { fixed: !is_fixed, text }));
            start = cut;
        }
        current = Some(is_fixed);
        end = end.max(token.end);
    }
    pieces.extend(current.and_then(|fixed| Some(Piece { fixed, text: text.get(start..)? })));
    pieces.retain(|piece| !piece.text.trim().is_empty());
    pieces
}

/// A few values of the slot at `at` of `best`: what the others have between the same fixed neighbours.
fn values(at: usize, best: &[Piece<'_>], all: &[Vec<Piece<'_>>]) -> Vec<String> {
    let before = at.checked_sub(1).and_then(|at| best.get(at)).map(|piece| tail(piece.text));
    let after = best.get(at + 1).map(|piece| front(piece.text));
    let own = best.get(at).map(|piece| piece.text);
    let others = all.iter().flat_map(|pieces| {
        pieces.iter().enumerate().filter(|(_, piece)| !piece.fixed).filter_map(|(i, piece)| {
            let previous = i.checked_sub(1).and_then(|i| pieces.get(i)).map(|piece| tail(piece.text));
            let next = pieces.get(i + 1).map(|piece| front(piece.text));
            (previous == before && next == after).then_some(piece.text)
        })
    });
    let mut values: Vec<String> = Vec::new();
    for value in own.into_iter().chain(others) {
        let value: String = value.trim().chars().take(VALUE_CHARS_MAX).collect();
        if !value.is_empty() && !values.contains(&value) && values.len() < VALUES_SHOWN_MAX {
            values.push(value);
        }
    }
    values
}

fn tail(text: &str) -> Option<u64> {
    tokens(text).last().map(|token| token.masked)
}

fn front(text: &str) -> Option<u64> {
    tokens(text).next().map(|token| token.masked)
}

/// Values shown of a slot.
const VALUES_SHOWN_MAX: usize = 5;
/// Characters shown of a value.
const VALUE_CHARS_MAX: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_text_and_slots() {
        let texts: Vec<String> = ["apples", "a very long journey home", "steel", "the blue notebook"]
            .iter()
            .map(|item| {
                format!("Please write down everything you know about {item}. Think it through in small steps first.")
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let drawn = draw(&texts);
        let [Segment::Fixed(head), Segment::Slot(values), Segment::Fixed(tail)] = drawn.as_slice() else {
            panic!("{drawn:?}")
        };
        assert_eq!(head.trim(), "Please write down everything you know about");
        assert!(tail.contains("Think it through in small steps first."));
        assert_eq!(values.len(), 4);
        assert!(values.contains(&"steel".to_owned()));
    }

    #[test]
    fn nothing_in_common_is_all_slot() {
        let drawn = draw(&["one two three four five six", "seven eight nine ten eleven twelve"]);
        assert!(matches!(drawn.as_slice(), [Segment::Slot(_)]), "{drawn:?}");
        assert_eq!(draw(&[]), []);
    }
}
