//! What makes requests long: documents that people paste, and rules of house in front of products.
//!
//! Lengths are lognormal. The deviations are those of prompts in public conversation logs, where the mean is a few times
//! the median and one prompt in a hundred is a document.

use rand::Rng;

use super::grammar::Scene;
use super::language::Language;
use crate::draw::{chance, lognormal, stream};

/// So many documents one after the other.
pub(super) fn paste<R: Rng>(scene: &mut Scene<'_>, rule: &str, count: u32, rng: &mut R) -> String {
    (0..count).map(|_| scene.draw(rule, rng)).collect::<Vec<_>>().join("\n\n")
}

/// How many documents somebody pastes who pastes.
pub(super) fn documents<R: Rng>(rng: &mut R) -> u32 {
    (lognormal(rng, 4.0, 1.0) as u32).clamp(1, DOCUMENTS_MAX)
}

/// Rules of house, about `median` of them, the same for the same seed.
pub(super) fn rules(seed: u64, median: f64) -> String {
    let mut rng = stream(seed, &[RULES]);
    let count = (lognormal(&mut rng, median, 0.8) as u32).clamp(1, RULES_MAX);
    let mut scene = Language::English.scene("house_rule", seed, seed);
    (0..count).map(|_| format!("- {}", rule(&mut scene, &mut rng))).collect::<Vec<_>>().join("\n")
}

/// A rule: mostly in words that no other product has.
fn rule<R: Rng>(scene: &mut Scene<'_>, rng: &mut R) -> String {
    if chance(rng, 0.25) { scene.draw("house_rule", rng) } else { paste(scene, "prose", 2, rng) }
}

/// A system prompt of so many words, the same for the same seed.
pub(crate) fn preamble(seed: u64, words: usize) -> String {
    let mut rng = stream(seed, &[RULES, 1]);
    let mut scene = Language::English.scene("house_rule", seed, seed);
    let mut all: Vec<String> = Vec::new();
    while all.len() < words {
        all.extend(rule(&mut scene, &mut rng).split_whitespace().map(str::to_owned));
    }
    all.truncate(words);
    all.join(" ")
}

const DOCUMENTS_MAX: u32 = 40;
const RULES_MAX: u32 = 120;
const RULES: u64 = 0x7275;
