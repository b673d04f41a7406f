//! One measure of a campaign beside the same of every other group: how far accounts could stand for each other.

use askama::Template;
use findings::Estimate;

use super::scale::Scale;
use crate::words::{counted, either};

/// One measure of a group beside those of others.
#[derive(Template)]
#[template(path = "plot/strip.svg")]
pub struct Strip {
    id: String,
    description: String,
    zero: f64,
    others: Vec<(f64, f64)>,
    own: f64,
    error: (f64, f64),
}

impl Strip {
    /// Draws `own` beside `others`; none where there is nothing to compare it with.
    #[must_use]
    pub fn draw(id: &str, what: &str, own: Estimate, others: &[f64]) -> Option<Strip> {
        let reach = [own.value - 2.0 * own.error, own.value + 2.0 * own.error, 0.0];
        let all = || others.iter().copied().chain(reach).filter(|value| value.is_finite());
        if others.is_empty() || !own.value.is_finite() || !own.error.is_finite() {
            return None;
        }
        let (least, most) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        let room = (most - least).max(1.0) * 0.04;
        let scale = Scale::linear((least - room, most + room), (LEFT, RIGHT));
        let below = others.iter().filter(|value| **value < own.value).count() as u64;
        let description = format!(
            "{what}: of {}, {} {} nearer to accounts that stand for each other than this campaign is.",
            counted(others.len() as u64, "other group"),
            below,
            either(below, "is", "are"),
        );
        // Dots one above the other, so that many at one place show as many.
        let at = |(place, value): (usize, &f64)| (scale.at(*value), BASE - (place % ROWS) as f64 * ROW);
        Some(Strip {
            id: id.to_owned(),
            description,
            zero: scale.at(0.0),
            others: others.iter().enumerate().map(at).collect(),
            own: scale.at(own.value),
            error: (scale.at(own.value - 2.0 * own.error), scale.at(own.value + 2.0 * own.error)),
        })
    }

    /// The picture in words.
    pub fn description(&self) -> &str {
        &self.description
    }
}

const LEFT: f64 = 8.0;
const RIGHT: f64 = 352.0;
const BASE: f64 = 64.0;
const ROW: f64 = 6.0;
const ROWS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_lies_within_the_picture() {
        let own = Estimate { value: -40.0, error: 3.0, accounts: 9 };
        let strip = Strip::draw("s", "Content", own, &[1.0, 250.0, 3.0]).unwrap();
        for x in strip.others.iter().map(|other| other.0).chain([strip.own, strip.error.0, strip.error.1, strip.zero]) {
            assert!((LEFT..=RIGHT).contains(&x), "{x}");
        }
        assert!(strip.own < strip.zero);
        assert!(
            strip.description.contains("of 3 other groups") && strip.description.contains("0 are nearer"),
            "{}",
            strip.description
        );
        assert!(Strip::draw("s", "Content", own, &[]).is_none());
        assert!(Strip::draw("s", "Content", Estimate { value: f64::NAN, ..own }, &[1.0]).is_none());
    }
}
