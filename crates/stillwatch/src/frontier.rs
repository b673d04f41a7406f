//! The evasion frontier as a line plot: how well hunts do while one knob of a scenario is turned.
//!
//! Promises the same picture for the same points. It is one self-contained SVG file: no script, no font, no link; it follows
//! the reader's light or dark setting (in colours after Okabe and Ito, darkened or lightened to 3:1 and more against their
//! ground), names every line at its end, marks each with a shape of its own so that colour is never needed, and carries the
//! numbers as text for those who do not see it. Points that are not finite are left out.

use std::fmt::Write as _;

use askama::Template;
use simulator::frontier::{Frontier, FrontierPoint};

use report::plot::Scale;
use report::words::printable;

/// The frontier as an SVG file.
pub(crate) fn svg(frontier: &Frontier) -> askama::Result<String> {
    Picture::draw(frontier).render().map(|svg| svg + "\n")
}

#[derive(Template)]
#[template(path = "frontier.svg")]
struct Picture {
    scenario: String,
    knob: String,
    description: String,
    left: f64,
    right: f64,
    bottom: f64,
    middle: f64,
    /// Where the labels of ticks stand, and the knob's name below them.
    ticks_y: f64,
    knob_y: f64,
    is_logarithmic: bool,
    shares: Vec<Share>,
    ticks: Vec<Tick>,
    lines: Vec<Line>,
    names: Vec<Name>,
}

/// A line across at a share.
struct Share {
    percent: u32,
    y: f64,
    text_x: f64,
    text_y: f64,
}

/// A value of the knob on its axis.
struct Tick {
    x: f64,
    label: String,
}

/// One line of the plot.
struct Line {
    series: &'static Series,
    path: String,
    places: Vec<(f64, f64)>,
}

/// The name of a line, at its last point.
struct Name {
    series: &'static Series,
    y: f64,
    lead: (f64, f64),
    lead_x: f64,
    mark_x: f64,
    text_x: f64,
    text_y: f64,
}

impl Picture {
    fn draw(frontier: &Frontier) -> Picture {
        let points = &frontier.points;
        let values = Scale::over(points.iter().map(|point| point.value), (LEFT, RIGHT));
        let shares = Scale::linear((0.0, 1.0), (BOTTOM, TOP));
        let lines: Vec<Line> = SERIES.iter().map(|series| Line::draw(series, points, values, shares)).collect();
        let description = match points.as_slice() {
            [] => "No points.".to_owned(),
            points => points.iter().map(|point| point.sentence() + " ").collect(),
        };
        Picture {
            scenario: printable(&frontier.scenario, NAME_CHARS),
            knob: printable(&frontier.knob, NAME_CHARS),
            description,
            left: LEFT,
            right: RIGHT,
            bottom: BOTTOM,
            middle: f64::midpoint(LEFT, RIGHT),
            ticks_y: BOTTOM + 20.0,
            knob_y: BOTTOM + 42.0,
            is_logarithmic: values.is_logarithmic(),
            shares: (0..=4).map(|quarter| Share::at(quarter, shares)).collect(),
            ticks: ticks(points, values),
            names: names(&lines),
            lines,
        }
    }
}

impl Share {
    fn at(quarter: u32, shares: Scale) -> Share {
        let y = shares.at(f64::from(quarter) / 4.0);
        Share { percent: quarter * 25, y, text_x: LEFT - 8.0, text_y: y + 4.0 }
    }
}

/// A tick at every point, as long as ticks do not collide.
fn ticks(points: &[FrontierPoint], values: Scale) -> Vec<Tick> {
    let mut free_from = f64::NEG_INFINITY;
    let mut ticks = Vec::new();
    for point in points.iter().filter(|point| point.value.is_finite()) {
        let (x, label) = (values.at(point.value), point.value_text());
        let half = label.chars().count() as f64 * CHAR_WIDTH / 2.0;
        if x - half >= free_from {
            free_from = x + half + CHAR_WIDTH;
            ticks.push(Tick { x, label });
        }
    }
    ticks
}

impl Line {
    /// A value that is absent breaks the line rather than being bridged.
    fn draw(series: &'static Series, points: &[FrontierPoint], values: Scale, shares: Scale) -> Line {
        let mut line = Line { series, path: String::new(), places: Vec::new() };
        let mut pen_down = false;
        for point in points {
            let share = (series.share)(point).filter(|share| share.is_finite() && point.value.is_finite());
            let Some(share) = share else {
                pen_down = false;
                continue;
            };
            let (x, y) = (values.at(point.value), shares.at(share));
            // Writing into a `String` does not fail.
            let _ = write!(line.path, "{}{x:.1} {y:.1}", if pen_down { 'L' } else { 'M' });
            line.places.push((x, y));
            pen_down = true;
        }
        line
    }
}

/// Names the lines at their last points, moved apart where they would overlap.
fn names(lines: &[Line]) -> Vec<Name> {
    let mut ends: Vec<(&'static Series, f64, f64)> =
        lines.iter().filter_map(|line| line.places.last().map(|&(x, y)| (line.series, x, y))).collect();
    ends.sort_by(|a, b| a.2.total_cmp(&b.2));
    let needed = ends.len() as f64 * LABEL_HEIGHT;
    let mut free_from = TOP - LABEL_HEIGHT;
    let name = |(index, (series, x, end)): (usize, (&'static Series, f64, f64))| {
        let lowest = BOTTOM - needed + (index as f64 + 1.0) * LABEL_HEIGHT;
        let y = end.min(lowest).max(free_from + LABEL_HEIGHT);
        free_from = y;
        Name {
            series,
            y,
            lead: (x + 7.0, end),
            lead_x: RIGHT + 12.0,
            mark_x: RIGHT + 18.0,
            text_x: RIGHT + 28.0,
            text_y: y + 4.0,
        }
    };
    ends.into_iter().enumerate().map(name).collect()
}

/// What a line shows.
struct Series {
    name: &'static str,
    class: &'static str,
    /// A shape around the current point, as path commands.
    mark: &'static str,
    share: fn(&FrontierPoint) -> Option<f64>,
}

static SERIES: [Series; 4] = [
    Series { name: "campaigns found", class: "found", mark: "m-4.5-4.5h9v9h-9z", share: |point| point.found_share },
    Series {
        name: "recall",
        class: "recall",
        mark: "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
        share: |point| point.recall,
    },
    Series { name: "precision", class: "precision", mark: "m0-6l6 6l-6 6l-6-6z", share: |point| point.precision },
    Series { name: "time to detect", class: "time", mark: "m0-6l6 10h-12z", share: |point| point.time_to_detect },
];

const LEFT: f64 = 64.0;
const RIGHT: f64 = 600.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 356.0;
const LABEL_HEIGHT: f64 = 20.0;
/// About the width of a digit at the size of the text.
const CHAR_WIDTH: f64 = 7.5;
/// Characters of a name.
const NAME_CHARS: usize = 40;

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

    fn svg(frontier: &Frontier) -> String {
        super::svg(frontier).unwrap()
    }

    #[test]
    fn the_picture_stays_the_same() {
        insta::assert_snapshot!(svg(&frontier()));
    }

    #[test]
    fn the_picture_is_well_formed_and_self_contained_whatever_the_points() {
        let strange = Frontier {
            knob: "\"'<&>\u{202e}\n".to_owned(),
            scenario: "x".repeat(10_000),
            points: vec![
                point(f64::NAN, [Some(1.0); 4]),
                point(-3.0, [Some(f64::INFINITY), Some(7.0), Some(-7.0), None]),
                point(-3.0, [Some(0.5); 4]),
            ],
        };
        let empty = Frontier { points: vec![], ..frontier() };
        for frontier in [frontier(), strange, empty] {
            let svg = svg(&frontier);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert!(!svg.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{svg}");
            for outside in ["href", "url(", "@import", "<script", "&<"] {
                assert!(!svg.contains(outside), "{outside} in {svg}");
            }
            assert_eq!(svg.matches("<g ").count(), svg.matches("</g>").count());
            assert_eq!(svg.matches("<text ").count(), svg.matches("</text>").count());
            assert!(svg.contains(r#"role="img" aria-labelledby="t d""#));
        }
    }

    #[test]
    fn absent_values_break_lines() {
        let mut gap = frontier();
        gap.points[2].recall = None;
        let svg = svg(&gap);
        let recall = svg.split(r#"<g class="recall">"#).nth(1).unwrap();
        let path = recall.split('"').nth(3).unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1), "{path}");
    }

    #[test]
    fn labels_never_overlap_and_stay_in_the_picture() {
        let same = Frontier { points: vec![point(1.0, [Some(0.0); 4]), point(2.0, [Some(0.0); 4])], ..frontier() };
        let svg = svg(&same);
        let heights: Vec<f64> = svg
            .split(r#"<text class="name" x=""#)
            .skip(1)
            .map(|label| label.split('"').nth(2).unwrap().parse().unwrap())
            .collect();
        assert_eq!(heights.len(), 4);
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= LABEL_HEIGHT), "{heights:?}");
        assert!(heights.iter().all(|y| (TOP..=BOTTOM + 4.0).contains(y)), "{heights:?}");
    }
}
