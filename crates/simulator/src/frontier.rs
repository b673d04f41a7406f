//! The evasion frontier: how well hunts do while one knob of a scenario is turned.
//!
//! Promises the same text for the same points. Points that are not finite are shown as absent.

use serde::{Deserialize, Serialize};

use crate::evaluate::text::{Column, grouped, percent, printable, table, wrap};

/// Scores over the values of one knob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frontier {
    /// What is turned, with its unit if it has one: `accounts`, `exchanges per account and day`.
    pub knob: String,
    /// The scenario it is turned in.
    pub scenario: String,
    /// The scores, by rising value.
    pub points: Vec<FrontierPoint>,
}

/// Mean scores at one value of the knob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrontierPoint {
    /// The value of the knob.
    pub value: f64,
    /// Over how many seeds the means are taken.
    pub seeds: u64,
    /// Share of campaign accounts that were flagged.
    pub recall: Option<f64>,
    /// Share of flagged accounts that are campaign accounts; absent when none was flagged.
    pub precision: Option<f64>,
    /// Share of campaigns found.
    pub found_share: Option<f64>,
    /// Share of a campaign's exchanges that had happened at detection; absent when none was found.
    pub time_to_detect: Option<f64>,
    /// Honest accounts flagged, per seed.
    pub false_positive_accounts: f64,
}

impl Frontier {
    /// The scores as a table of lines of at most `width` columns, but never less than
    /// [`WIDTH_MIN`](crate::evaluate::WIDTH_MIN).
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let width = width.max(crate::evaluate::WIDTH_MIN);
        let columns = [
            Column::Right("value"),
            Column::Right("seeds"),
            Column::Right("found"),
            Column::Right("recall"),
            Column::Right("precision"),
            Column::Right("time"),
            Column::Right("false positives"),
        ];
        let rows = self.points.iter().map(|point| {
            vec![
                point.value_text(),
                grouped(point.seeds),
                percent(finite(point.found_share)),
                percent(finite(point.recall)),
                percent(finite(point.precision)),
                percent(finite(point.time_to_detect)),
                number(point.false_positive_accounts),
            ]
        });
        let title = format!("{} over {}", printable(&self.scenario), printable(&self.knob));
        let legend = "found: share of campaigns; recall, precision: of accounts; time: share of a campaign's exchanges \
                      that had happened at detection; false positives: honest accounts flagged per seed";
        if self.points.is_empty() {
            return format!("{}no points\n", wrap(&title, width));
        }
        wrap(&title, width) + "\n" + &table(&columns, rows.collect(), width) + &wrap(legend, width)
    }
}

impl FrontierPoint {
    /// The value of the knob, as text.
    #[must_use]
    pub fn value_text(&self) -> String {
        number(self.value)
    }

    /// The scores in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!(
            "At {}: found {}, recall {}, precision {}, time to detect {}.",
            self.value_text(),
            percent(finite(self.found_share)),
            percent(finite(self.recall)),
            percent(finite(self.precision)),
            percent(finite(self.time_to_detect)),
        )
    }
}

fn finite(share: Option<f64>) -> Option<f64> {
    share.filter(|share| share.is_finite())
}

/// A number in at most three decimals, without trailing zeros.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(value: f64, scores: [Option<f64>; 4]) -> FrontierPoint {
        let [found_share, recall, precision, time_to_detect] = scores;
        FrontierPoint { value, seeds: 5, recall, precision, found_share, time_to_detect, false_positive_accounts: 0.4 }
    }

    fn frontier() -> Frontier {
        Frontier {
            knob: "exchanges per account & day".to_owned(),
            scenario: "slow <harvest>\u{1b}[31m".to_owned(),
            points: vec![
                point(1.0, [Some(0.0), Some(0.0), None, None]),
                point(4.0, [Some(0.2), Some(0.15), Some(0.9), Some(0.8)]),
                point(20.0, [Some(0.8), Some(0.7), Some(0.97), Some(0.31)]),
                point(100.0, [Some(1.0), Some(0.985), Some(0.99), Some(0.04)]),
            ],
        }
    }

    #[test]
    fn text_is_as_wide_as_asked_for() {
        insta::assert_snapshot!("text_80", frontier().text(80));
        assert_eq!(frontier().text(0), frontier().text(72));
    }

    #[test]
    fn json_reads_back() {
        let json = serde_json::to_string(&frontier()).unwrap();
        assert_eq!(serde_json::from_str::<Frontier>(&json).unwrap(), frontier());
    }
}
