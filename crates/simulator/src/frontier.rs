//! The evasion frontier: how well hunts do while one knob of a scenario is turned.
//!
//! Promises the same text and the same picture for the same points. The picture is one self-contained SVG file: no
//! script, no font, no link; it follows the reader's light or dark setting, names every line at its end, marks each
//! with a shape of its own so that colour is never needed, and carries the numbers as text for those who do not see it.
//! Points that are not finite are left out of the picture, and shown as absent in the text.

use std::fmt::Write as _;

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
                number(point.value),
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

    /// The scores as an SVG line plot.
    #[must_use]
    pub fn svg(&self) -> String {
        let axis = Axis::over(self.points.iter().map(|point| point.value));
        let mut svg = String::new();
        // Writing into a `String` does not fail.
        let _ = self.head(&mut svg);
        let _ = self.grid(&axis, &mut svg);
        let _ = self.lines(&axis, &mut svg);
        svg.push_str("</svg>\n");
        svg
    }

    fn head(&self, svg: &mut String) -> std::fmt::Result {
        let (knob, scenario) = (escape(&self.knob), escape(&self.scenario));
        writeln!(
            svg,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d">"#
        )?;
        writeln!(svg, r#"<title id="t">Evasion frontier of {scenario} over {knob}</title>"#)?;
        write!(svg, r#"<desc id="d">"#)?;
        if self.points.is_empty() {
            write!(svg, "No points.")?;
        }
        for point in &self.points {
            write!(
                svg,
                "At {}: found {}, recall {}, precision {}, time to detect {}. ",
                number(point.value),
                percent(finite(point.found_share)),
                percent(finite(point.recall)),
                percent(finite(point.precision)),
                percent(finite(point.time_to_detect)),
            )?;
        }
        writeln!(svg, "</desc>\n<style>{STYLE}</style>")?;
        writeln!(svg, r#"<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>"#)?;
        writeln!(svg, r#"<text class="head" x="{LEFT}" y="26">{scenario}</text>"#)
    }

    /// Axes: shares upwards, the knob to the right with a tick at every point as long as ticks do not collide.
    fn grid(&self, axis: &Axis, svg: &mut String) -> std::fmt::Result {
        for quarter in 0..=4 {
            let share = f64::from(quarter) / 4.0;
            let y = height(share);
            writeln!(svg, r#"<path class="grid" d="M{LEFT} {y:.1}H{RIGHT}"/>"#)?;
            writeln!(
                svg,
                r#"<text class="end" x="{x:.1}" y="{:.1}">{} %</text>"#,
                y + 4.0,
                quarter * 25,
                x = LEFT - 8.0
            )?;
        }
        let mut free_from = f64::NEG_INFINITY;
        for value in self.points.iter().map(|point| point.value).filter(|value| value.is_finite()) {
            let x = axis.place(value);
            let label = number(value);
            let half = label.chars().count() as f64 * CHAR_WIDTH / 2.0;
            if x - half >= free_from {
                free_from = x + half + CHAR_WIDTH;
                writeln!(svg, r#"<path class="tick" d="M{x:.1} {BOTTOM}v5"/>"#)?;
                writeln!(svg, r#"<text class="middle" x="{x:.1}" y="{:.1}">{label}</text>"#, BOTTOM + 20.0)?;
            }
        }
        let middle = f64::midpoint(LEFT, RIGHT);
        writeln!(
            svg,
            r#"<text class="middle" x="{middle:.1}" y="{:.1}">{}{}</text>"#,
            BOTTOM + 42.0,
            escape(&self.knob),
            if axis.logarithmic { " (logarithmic)" } else { "" }
        )
    }

    fn lines(&self, axis: &Axis, svg: &mut String) -> std::fmt::Result {
        let mut ends = Vec::new();
        for series in &SERIES {
            writeln!(svg, r#"<g class="{}">"#, series.class)?;
            // A value that is absent breaks the line rather than being bridged.
            let mut pen_down = false;
            let mut path = String::new();
            let mut marks = String::new();
            let mut end = None;
            for point in &self.points {
                let share = finite((series.share)(point)).filter(|_| point.value.is_finite());
                let Some(share) = share else {
                    pen_down = false;
                    continue;
                };
                let (x, y) = (axis.place(point.value), height(share));
                write!(path, "{}{x:.1} {y:.1}", if pen_down { 'L' } else { 'M' })?;
                writeln!(marks, r#"<path class="mark" d="M{x:.1} {y:.1}{}"/>"#, series.mark)?;
                pen_down = true;
                end = Some((x, y));
            }
            if let Some((x, y)) = end {
                writeln!(svg, r#"<path class="line" d="{path}"/>"#)?;
                svg.push_str(&marks);
                ends.push((y, x, series));
            }
            writeln!(svg, "</g>")?;
        }
        direct_labels(ends, svg)
    }
}

/// Names the lines at their last points, moved apart where they would overlap.
fn direct_labels(mut ends: Vec<(f64, f64, &Series)>, svg: &mut String) -> std::fmt::Result {
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let needed = ends.len() as f64 * LABEL_HEIGHT;
    let mut free_from = TOP - LABEL_HEIGHT;
    for (index, (y, x, series)) in ends.into_iter().enumerate() {
        let lowest = BOTTOM - needed + (index as f64 + 1.0) * LABEL_HEIGHT;
        let label_y = y.min(lowest).max(free_from + LABEL_HEIGHT);
        free_from = label_y;
        writeln!(svg, r#"<g class="{}">"#, series.class)?;
        writeln!(svg, r#"<path class="lead" d="M{:.1} {y:.1}L{:.1} {label_y:.1}"/>"#, x + 7.0, RIGHT + 12.0)?;
        writeln!(svg, r#"<path class="mark" d="M{:.1} {label_y:.1}{}"/>"#, RIGHT + 18.0, series.mark)?;
        writeln!(svg, r#"<text class="name" x="{:.1}" y="{:.1}">{}</text>"#, RIGHT + 28.0, label_y + 4.0, series.name)?;
        writeln!(svg, "</g>")?;
    }
    Ok(())
}

/// One line of the plot.
struct Series {
    name: &'static str,
    class: &'static str,
    /// A shape around the current point, as path commands.
    mark: &'static str,
    share: fn(&FrontierPoint) -> Option<f64>,
}

const SERIES: [Series; 4] = [
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

/// Where the values of the knob stand: logarithmic where they are positive and span more than [`LOG_SPAN_MIN`].
struct Axis {
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (from, to) = (from.min(value), to.max(value));
        }
        Axis { from, to, logarithmic: from > 0.0 && to / from >= LOG_SPAN_MIN }
    }

    fn place(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.logarithmic { value.ln() } else { value };
        let span = scale(self.to) - scale(self.from);
        let share = if span > 0.0 { (scale(value) - scale(self.from)) / span } else { 0.5 };
        LEFT + share * (RIGHT - LEFT)
    }
}

fn height(share: f64) -> f64 {
    BOTTOM - share.clamp(0.0, 1.0) * (BOTTOM - TOP)
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

/// Text for XML, printable and short.
fn escape(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 600.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 356.0;
const LABEL_HEIGHT: f64 = 20.0;
/// About the width of a digit at the size of the text.
const CHAR_WIDTH: f64 = 7.5;
const LOG_SPAN_MIN: f64 = 20.0;

/// Colours after Okabe and Ito, darkened or lightened to 3:1 and more against their ground.
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}\
.head{font-size:15px;font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}\
.ground{fill:#fff}.grid{stroke:#d8dee4;fill:none}.tick{stroke:#59636e;fill:none}\
.line{fill:none;stroke:currentColor;stroke-width:2}.lead{fill:none;stroke:currentColor;stroke-dasharray:2 3}\
.mark{fill:currentColor}.name{font-weight:600}\
.found{color:#0072b2}.recall{color:#b35a00}.precision{color:#00785a}.time{color:#a8487d}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ground{fill:#0d1117}.grid{stroke:#30363d}.tick{stroke:#8d96a0}\
.found{color:#56b4e9}.recall{color:#e69f00}.precision{color:#2fc49a}.time{color:#e39bc5}}";

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
    fn text_and_picture() {
        insta::assert_snapshot!("text_80", frontier().text(80));
        insta::assert_snapshot!("svg", frontier().svg());
        assert_eq!(frontier().text(0), frontier().text(72));
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
            let svg = frontier.svg();
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
        let svg = gap.svg();
        let recall = svg.split(r#"<g class="recall">"#).nth(1).unwrap();
        let path = recall.split('"').nth(3).unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1), "{path}");
    }

    #[test]
    fn labels_never_overlap_and_stay_in_the_picture() {
        let same = Frontier { points: vec![point(1.0, [Some(0.0); 4]), point(2.0, [Some(0.0); 4])], ..frontier() };
        let svg = same.svg();
        let heights: Vec<f64> = svg
            .split(r#"<text class="name" x=""#)
            .skip(1)
            .map(|label| label.split('"').nth(2).unwrap().parse().unwrap())
            .collect();
        assert_eq!(heights.len(), 4);
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= LABEL_HEIGHT), "{heights:?}");
        assert!(heights.iter().all(|y| (TOP..=BOTTOM + 4.0).contains(y)), "{heights:?}");
    }

    #[test]
    fn json_reads_back() {
        let json = serde_json::to_string(&frontier()).unwrap();
        assert_eq!(serde_json::from_str::<Frontier>(&json).unwrap(), frontier());
    }

    #[test]
    fn wide_spans_are_logarithmic_from_the_limit_on() {
        let axis = |from, to| Axis::over([from, to].into_iter());
        assert!(axis(1.0, LOG_SPAN_MIN).logarithmic);
        assert!(!axis(1.0, LOG_SPAN_MIN - 0.001).logarithmic);
        assert!(!axis(0.0, 1000.0).logarithmic);
        assert_eq!(axis(1.0, 100.0).place(10.0), f64::midpoint(LEFT, RIGHT));
    }
}
