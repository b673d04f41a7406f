//! The after-action report of a drill as a page that stands alone: no script, nothing from elsewhere.

use askama::Template;
use drill::Report;
use drill::exercise::Counts;
use drill::moment::{Moment, clock};
use drill::report::{Asked, Line};
use drill::traffic::Slice;

use crate::words::{minute, printable};

/// Characters of a text from outside that are shown.
const TEXT_CHARS: usize = 2_000;
/// The picture of the traffic, in units of its own.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 160.0;

#[derive(Template)]
#[template(path = "drill.html")]
struct Page<'a> {
    report: &'a Report,
    timeline: Vec<(String, String, String, f64)>,
    title: String,
    subtitle: String,
    durations: Vec<(&'static str, String, &'static str)>,
    remarks: Vec<String>,
    bars: Vec<Bar>,
    marks: Vec<Mark>,
    asked: Vec<Shown>,
    width: f64,
    height: f64,
}

/// What was sent in a slice of time, as a bar.
struct Bar {
    x: f64,
    width: f64,
    answered: f64,
    refused: f64,
}

/// Something that happened, as a line across the picture.
struct Mark {
    x: f64,
    /// Where its name stands, so that names do not cover each other.
    y: f64,
    name: &'static str,
    is_late: bool,
}

struct Shown {
    title: String,
    counts_as: &'static str,
    took: String,
    by: String,
    said: String,
    judged: &'static str,
    class: &'static str,
    expected: String,
    why: String,
}

/// The page.
///
/// # Errors
///
/// When it cannot be written.
pub fn page(report: &Report) -> Result<String, askama::Error> {
    let durations = report.durations().into_iter();
    let plain = |text: &str| printable(text, TEXT_CHARS);
    let line = |line: &Line| (line.at.clock(), plain(&line.what), plain(&line.by), line.at.sent * 100.0);
    let page = Page {
        report,
        timeline: report.timeline.iter().map(line).collect(),
        title: printable(&report.title, TEXT_CHARS),
        subtitle: format!(
            "{}, {} ({}), seed {}; held by {} on {}, {} minutes{}",
            report.told.id,
            printable(&report.exercise, TEXT_CHARS),
            report.difficulty,
            report.told.seed,
            printable(&report.told.by, TEXT_CHARS),
            minute(report.told.began),
            clock(report.told.seconds),
            if report.told.is_cut_short { ", ended before the traffic was over" } else { "" },
        ),
        durations: durations
            .map(|(name, took, what)| (name, took.map_or_else(|| "not reached".to_owned(), clock), what))
            .collect(),
        remarks: report.remarks(),
        bars: bars(&report.exchanges.slices),
        marks: marks(report),
        asked: report.asked.iter().map(shown).collect(),
        width: WIDTH,
        height: HEIGHT,
    };
    page.render()
}

#[expect(clippy::cast_precision_loss, reason = "a picture of some thousand exchanges")]
fn bars(slices: &[Slice]) -> Vec<Bar> {
    let most = slices.iter().map(|slice| slice.campaign_answered + slice.campaign_refused).max().unwrap_or(0).max(1);
    let (width, unit) = (WIDTH / slices.len().max(1) as f64, HEIGHT / most as f64);
    let bar = |(at, slice): (usize, &Slice)| Bar {
        x: at as f64 * width,
        width,
        answered: slice.campaign_answered as f64 * unit,
        refused: slice.campaign_refused as f64 * unit,
    };
    slices.iter().enumerate().map(bar).collect()
}

/// Milestones, by how far the traffic was.
fn marks(report: &Report) -> Vec<Mark> {
    let times = &report.times;
    let named = [
        ("first request", times.began),
        ("detected", times.detected),
        ("alert", times.alerted),
        ("case", times.case),
        ("restricted", times.restricted),
        ("contained", times.contained),
        ("told", times.notified),
    ];
    let takes = report.exchanges.seconds.max(1.0);
    let place = |(name, at): (&'static str, Option<Moment>)| {
        let share = (at?.seconds / takes).clamp(0.0, 1.0);
        Some((share * WIDTH, name))
    };
    let mut placed: Vec<(f64, &'static str)> = named.into_iter().filter_map(place).collect();
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mark = |(at, (x, name)): (usize, (f64, &'static str))| {
        #[expect(clippy::cast_precision_loss, reason = "seven at most")]
        let y = 14.0 + 14.0 * at as f64;
        Mark { x, y, name, is_late: x > WIDTH * 0.85 }
    };
    placed.into_iter().enumerate().map(mark).collect()
}

fn shown(asked: &Asked) -> Shown {
    let plain = |text: &str| printable(text, TEXT_CHARS);
    let (judged, class) = match (asked.answered, asked.is_right, asked.is_in_time) {
        (None, ..) => ("not answered", "wrong"),
        (_, None, _) => ("", ""),
        (_, Some(true), true) => ("right", "right"),
        (_, Some(true), false) => ("right, but late", "wrong"),
        (_, Some(false), _) => ("not right", "wrong"),
    };
    Shown {
        title: plain(&asked.title),
        counts_as: match asked.counts_as {
            Counts::Decision => "decision",
            Counts::Notification => "others are told",
            Counts::Nothing => "",
        },
        took: asked.answered.map_or_else(String::new, |at| clock((at.seconds - asked.arrived.seconds).max(0.0))),
        by: plain(&asked.by),
        said: plain(&asked.said),
        judged,
        class,
        expected: if asked.is_right == Some(false) { plain(&asked.expected) } else { String::new() },
        why: plain(&asked.why),
    }
}
