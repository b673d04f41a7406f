//! Directions: what many exchanges mean on average, and how alike two averages are beside everybody's.
//!
//! All texts have much in common, and any two averages point nearly the same way. What counts is where they lie as seen from
//! the middle of all traffic.

use event::Meaning;
use event::meaning::{DIMENSIONS, LENGTH};
use serde::{Deserialize, Serialize};

/// The sum of meanings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Direction {
    #[serde(with = "crate::state::written::array")]
    sum: [i64; DIMENSIONS],
    count: u64,
}

impl Default for Direction {
    fn default() -> Direction {
        Direction { sum: [0; DIMENSIONS], count: 0 }
    }
}

impl Direction {
    /// Adds one meaning; one that is not known counts nothing.
    pub(crate) fn add(&mut self, meaning: &Meaning) {
        if meaning.known() {
            // 2^56 exchanges would overflow; saying that there are fewer lets it run in parallel lanes.
            let pairs = self.sum.iter_mut().zip(meaning.0);
            pairs.for_each(|(sum, number)| *sum = sum.wrapping_add(i64::from(number)));
            self.count += 1;
        }
    }

    /// Adds what another has.
    pub(crate) fn merge(&mut self, other: &Direction) {
        self.sum.iter_mut().zip(other.sum).for_each(|(sum, number)| *sum += number);
        self.count += other.count;
    }

    /// Lets it weigh half of what it did.
    pub(crate) fn fade(&mut self) {
        self.sum.iter_mut().for_each(|sum| *sum /= 2);
        self.count /= 2;
    }

    /// Where it lies as seen from the middle of `all`; none where it lies in the middle itself, or nothing is known.
    #[must_use]
    pub(crate) fn seen_from(&self, all: &Direction) -> Option<[f64; DIMENSIONS]> {
        if self.count == 0 || all.count == 0 {
            return None;
        }
        let mean = |direction: &Direction, at: usize| {
            direction.sum.get(at).map_or(0.0, |&sum| sum as f64) / direction.count as f64 / LENGTH
        };
        let from: [f64; DIMENSIONS] = std::array::from_fn(|at| mean(self, at) - mean(all, at));
        let length = from.iter().map(|number| number * number).sum::<f64>().sqrt();
        (length >= LENGTH_MIN).then(|| from.map(|number| number / length))
    }
}

/// The cosine of the angle between two unit vectors.
#[must_use]
pub(crate) fn cosine(a: &[f64; DIMENSIONS], b: &[f64; DIMENSIONS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Closer to the middle than this, a direction says nothing.
const LENGTH_MIN: f64 = 0.2;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Direction {
        let mut direction = Direction::default();
        texts.iter().for_each(|text| direction.add(&signals::meaning::of(text)));
        direction
    }

    #[test]
    fn what_means_the_same_lies_in_the_same_direction() {
        let grade =
            of(&["Rate the answer from one to ten for quality.", "Score this response for accuracy and quality."]);
        let judge = of(&[
            "Give the reply a grade that reflects its quality.",
            "Judge how accurate the response is and score it.",
        ]);
        let cook = of(&["How long do I boil potatoes for soup?", "A recipe for bread without yeast, please."]);
        let mut all = grade.clone();
        [&judge, &cook, &cook].into_iter().for_each(|direction| all.merge(direction));
        let seen = |direction: &Direction| direction.seen_from(&all).unwrap();
        assert!(cosine(&seen(&grade), &seen(&judge)) > 0.6);
        assert!(cosine(&seen(&grade), &seen(&cook)) < 0.0);
    }

    #[test]
    fn the_middle_has_no_direction() {
        let all = of(&["Rate the answer.", "Boil the potatoes."]);
        assert_eq!(all.seen_from(&all), None);
        assert_eq!(Direction::default().seen_from(&all), None);
        assert_eq!(all.count, 2);
    }
}
