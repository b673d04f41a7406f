//! The small pieces that pages are made of: words, numbers that are seen first, evidence with its weight, text from outside made harmless.

use findings::Evidence;

use crate::limits;
use crate::plot::{Weight, percent};
use crate::words::{grouped, printable, signal_name};

/// A word of a heading; a date is one that is not broken at its hyphens.
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) date: bool,
}

/// A text by words, with its dates known as such.
pub(crate) fn unbroken(text: &str) -> Vec<Word> {
    let date = |word: &str| word.len() == 10 && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    text.split(' ').map(|word| Word { text: word.to_owned(), date: date(word) }).collect()
}

/// A number that is seen first.
pub(crate) struct Tile {
    pub(crate) value: String,
    pub(crate) label: &'static str,
}

/// One family of signals and what it says.
pub(crate) struct Weighed {
    pub(crate) name: &'static str,
    pub(crate) text: String,
    pub(crate) value: String,
    pub(crate) weight: Weight,
    pub(crate) aside: bool,
    pub(crate) observations: String,
}

impl Weighed {
    pub(crate) fn new(evidence: &Evidence) -> Weighed {
        let aside = !evidence.counts;
        Weighed {
            name: signal_name(evidence.family),
            text: sentence(&evidence.text),
            value: exponent(evidence.log10_e),
            weight: Weight::draw(evidence.log10_e, !aside),
            aside,
            observations: grouped(evidence.observations),
        }
    }
}

/// An e-value as an exponent of ten.
pub(crate) fn exponent(log10: f64) -> String {
    if log10.is_nan() {
        return "?".to_owned();
    }
    let text = format!("{log10:.1}").replace('-', "−");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// A probability that never claims to be certain.
pub(crate) fn probability(probability: f64) -> String {
    if probability > 0.999 { "over 99.9 %".to_owned() } else { percent(probability) }
}

pub(crate) fn identifier(text: &str) -> String {
    printable(text, limits::ID_CHARS)
}

pub(crate) fn sentence(text: &str) -> String {
    printable(text, limits::SENTENCE_CHARS)
}

pub(crate) fn sentences(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| sentence(text)).collect()
}

/// A text with its line breaks kept.
pub(crate) fn lines(text: &str) -> String {
    let cut: String = text.chars().take(limits::TEXT_CHARS).collect();
    let more = if text.chars().nth(limits::TEXT_CHARS).is_some() { "…" } else { "" };
    // Spaces at the ends keep a piece of a template apart from its neighbours.
    let space = |c: Option<char>| if c.is_some_and(char::is_whitespace) { " " } else { "" };
    let line = |line: &str| {
        let (before, after) = (space(line.chars().next()), space(line.chars().last()));
        format!("{before}{}{after}", printable(line, limits::TEXT_CHARS))
    };
    cut.split('\n').map(line).collect::<Vec<_>>().join("\n") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_and_cut() {
        assert_eq!(lines("a\n b\u{7}"), "a\n b\u{fffd}");
        let long = "x".repeat(limits::TEXT_CHARS);
        assert_eq!(lines(&long), long);
        assert!(lines(&(long + "y")).ends_with("x…"));
    }
}
