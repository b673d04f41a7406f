//! Pictures of findings: where things lie is computed here, how they look is in `templates/plot`.
//!
//! Every picture of the report has a title and a description for those who hear the page, and a table of its numbers beside it.
//! Colours come from the page, so that a picture is readable in light, in dark and in print.

pub mod graph;
mod scale;
pub mod strip;

use askama::Template;
use exchange::Time;
use findings::{Mark, ShareBin, TimeBin};

use crate::words::{counted, grouped, minute, printable};
pub use scale::Scale;

/// What a picture over time is drawn for. Both are in the page, and its style shows the one that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paper {
    /// A desk, or print.
    Wide,
    /// A telephone: less wide, so that letters stay as large, and with fewer columns.
    Narrow,
}

impl Paper {
    /// The right edge of what is drawn.
    pub fn right(self) -> f64 {
        match self {
            Paper::Wide => 712.0,
            Paper::Narrow => 352.0,
        }
    }

    /// The most columns: each is at least four units wide, with a gap that can be seen.
    fn columns(self) -> usize {
        match self {
            Paper::Wide => 176,
            Paper::Narrow => 86,
        }
    }

    /// Ticks on the axis, at most about.
    fn ticks(self) -> i64 {
        match self {
            Paper::Wide => 7,
            Paper::Narrow => 4,
        }
    }

    /// What it is called in the style.
    fn class(self) -> &'static str {
        match self {
            Paper::Wide => "wide",
            Paper::Narrow => "narrow",
        }
    }
}

/// `bins` joined to as many columns as fit, so that none is lost and none too narrow to be seen; the last may be shorter.
pub fn joined(bins: &[TimeBin], paper: Paper) -> Vec<TimeBin> {
    let each = bins.len().div_ceil(paper.columns()).max(1);
    let join = |bins: &[TimeBin]| {
        Some(TimeBin {
            start: bins.first()?.start,
            seconds: bins.iter().fold(0, |sum, bin| bin.seconds.saturating_add(sum)),
            group: bins.iter().fold(0, |sum, bin| bin.group.saturating_add(sum)),
            population: bins.iter().fold(0, |sum, bin| bin.population.saturating_add(sum)),
        })
    };
    bins.chunks(each).filter_map(join).collect()
}

/// How long a column is, in words.
pub fn column(bins: &[TimeBin]) -> String {
    let seconds = bins.first().map_or(0, |bin| i64::from(bin.seconds));
    let span = span(seconds);
    if span.starts_with(|c: char| c.is_ascii_digit()) { span } else { format!("1 {span}") }
}

/// A bar, in units of the picture.
pub struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// A label on an axis, or a line across.
pub struct Tick {
    x: f64,
    label: String,
}

/// Activity over time: the campaign above, everybody else below, each on its own scale.
#[derive(Template)]
#[template(path = "plot/timeline.svg")]
pub struct Timeline {
    id: String,
    paper: Paper,
    column: String,
    description: String,
    panels: Vec<Panel>,
    ticks: Vec<Tick>,
    marks: Vec<Flag>,
    bottom: f64,
    height: f64,
}

struct Panel {
    class: &'static str,
    label: String,
    peak: String,
    top: f64,
    base: f64,
    bars: Vec<Bar>,
}

struct Flag {
    x: f64,
    y: f64,
    label: String,
    /// Where the label stands: right of the line, or left of it near the right edge.
    anchor: &'static str,
    text_x: f64,
}

impl Timeline {
    /// Draws `bins` with `marks`; none without bins.
    pub fn draw(id: &str, bins: &[TimeBin], marks: &[Mark], paper: Paper) -> Option<Timeline> {
        let bins = &joined(bins, paper);
        let axis = Axis::over(bins, paper)?;
        let top = MARKS_TOP + MARK_ROW * marks.len() as f64 + LABEL_ROW;
        let per = span(i64::from(bins.first()?.seconds));
        let panel = |class, what: &str, top: f64, of: fn(&TimeBin) -> u64| {
            let peak = bins.iter().map(of).max().unwrap_or(0);
            let base = top + PANEL_HEIGHT;
            let bars = bins.iter().filter(|bin| of(bin) > 0).map(|bin| {
                let height = (of(bin) as f64 / peak.max(1) as f64 * PANEL_HEIGHT).max(0.5);
                Bar { x: axis.at(bin.start), y: base - height, width: axis.width(bin), height }
            });
            let label = format!("{what}, exchanges per {per}");
            Panel { class, label, peak: grouped(peak), top, base, bars: bars.collect() }
        };
        let second = top + PANEL_HEIGHT + PANEL_GAP;
        let panels = vec![
            panel("group", "The campaign", top, |bin| bin.group),
            panel("others", "Everybody else", second, |bin| bin.population),
        ];
        let bottom = second + PANEL_HEIGHT;
        let mut flags: Vec<Flag> = Vec::new();
        for (row, mark) in marks.iter().enumerate() {
            let x = axis.at(mark.time).clamp(LEFT, paper.right());
            let label = format!("{}, {} UTC", printable(&mark.label, 80), minute(mark.time));
            let (anchor, text_x) = match paper {
                // Half of a telephone is too narrow for the words, which lie over the line then.
                Paper::Narrow => ("start", LEFT),
                Paper::Wide if x > f64::midpoint(LEFT, paper.right()) => ("end", x - 5.0),
                Paper::Wide => ("start", x + 5.0),
            };
            flags.push(Flag { x, y: MARKS_TOP + MARK_ROW * row as f64, label, anchor, text_x });
        }
        let sum: u64 = bins.iter().map(|bin| bin.group).sum();
        let busy = bins.iter().filter(|bin| bin.group > 0).count();
        let description = format!(
            "{} of the campaign, in {busy} of {} intervals of {per}. {}",
            counted(sum, "exchange"),
            bins.len(),
            flags.iter().map(|flag| flag.label.as_str()).collect::<Vec<_>>().join("; "),
        );
        let (id, column) = (format!("{id}-{}", paper.class()), column(bins));
        Some(Timeline {
            id,
            paper,
            column,
            description,
            panels,
            ticks: axis.ticks(),
            marks: flags,
            bottom,
            height: bottom + FOOT,
        })
    }
}

/// When each campaign was active, over all traffic.
#[derive(Template)]
#[template(path = "plot/lanes.svg")]
pub struct Lanes {
    id: String,
    paper: Paper,
    column: String,
    description: String,
    traffic: Panel,
    lanes: Vec<Lane>,
    ticks: Vec<Tick>,
    bottom: f64,
    height: f64,
}

struct Lane {
    name: String,
    bar: Bar,
    text_y: f64,
    detected: f64,
    text_x: f64,
    anchor: &'static str,
    class: &'static str,
}

/// A campaign's place in time.
pub struct Active {
    /// Its name.
    pub name: String,
    /// Its first exchange.
    pub first: Time,
    /// Its last exchange.
    pub last: Time,
    /// When it was detected.
    pub detected: Time,
}

impl Lanes {
    /// Draws `campaigns` over the traffic in `bins`; none without bins.
    pub fn draw(bins: &[TimeBin], campaigns: &[Active], paper: Paper) -> Option<Lanes> {
        let bins = &joined(bins, paper);
        let axis = Axis::over(bins, paper)?;
        let per = span(i64::from(bins.first()?.seconds));
        let all = |bin: &TimeBin| bin.group + bin.population;
        let peak = bins.iter().map(all).max().unwrap_or(0);
        let (top, base) = (MARKS_TOP + 8.0, MARKS_TOP + 8.0 + PANEL_HEIGHT);
        let bars = bins.iter().filter(|bin| all(bin) > 0).map(|bin| {
            let height = (all(bin) as f64 / peak.max(1) as f64 * PANEL_HEIGHT).max(0.5);
            Bar { x: axis.at(bin.start), y: base - height, width: axis.width(bin), height }
        });
        let label = format!("All traffic, exchanges per {per}");
        let traffic = Panel { class: "others", label, peak: grouped(peak), top, base, bars: bars.collect() };
        let lanes: Vec<Lane> = campaigns
            .iter()
            .enumerate()
            .map(|(row, campaign)| {
                let y = base + LANES_GAP + LANE_ROW * row as f64;
                let (x, end) = (axis.at(campaign.first), axis.at(campaign.last));
                // Before the bar, after it, or else on it.
                let (class, anchor, text_x) = match () {
                    () if x - LEFT > LANE_NAME => ("note", "end", x - 6.0),
                    () if paper.right() - end > LANE_NAME => ("note", "start", end + 6.0),
                    () => ("on-lane", "start", x + 8.0),
                };
                Lane {
                    name: campaign.name.clone(),
                    bar: Bar { x, y, width: (end - x).max(2.0), height: LANE_HEIGHT },
                    text_y: y + LANE_HEIGHT - 5.0,
                    detected: axis.at(campaign.detected),
                    text_x,
                    anchor,
                    class,
                }
            })
            .collect();
        let description = campaigns
            .iter()
            .map(|c| {
                format!(
                    "{} from {} to {}, detected {} (UTC)",
                    c.name,
                    minute(c.first),
                    minute(c.last),
                    minute(c.detected)
                )
            })
            .collect::<Vec<_>>()
            .join("; ");
        let description = match campaigns {
            [] => {
                let sum: u64 = bins.iter().map(all).sum();
                format!("{}, at most {} per {per}; no campaign is known", counted(sum, "exchange"), grouped(peak))
            }
            _ => description,
        };
        let bottom = base + LANES_GAP + LANE_ROW * lanes.len() as f64;
        let (id, column) = (format!("all-{}", paper.class()), column(bins));
        Some(Lanes {
            id,
            paper,
            column,
            description,
            traffic,
            lanes,
            ticks: axis.ticks(),
            bottom,
            height: bottom + FOOT,
        })
    }
}

/// A distribution, the group beside the population.
#[derive(Template)]
#[template(path = "plot/shares.svg")]
pub struct Shares {
    id: String,
    description: String,
    columns: Vec<Column>,
    peak: String,
}

/// One bin of a distribution.
pub struct Column {
    /// What it holds.
    pub label: String,
    /// The group's share, as text.
    pub group_text: String,
    /// The population's share, as text.
    pub population_text: String,
    x: f64,
    group: Bar,
    population: Bar,
    labelled: bool,
}

impl Shares {
    /// Draws `bins`, leaving out those empty at both ends unless they go round the clock; none when all are empty.
    pub fn draw(id: &str, what: &str, bins: &[ShareBin]) -> Option<Shares> {
        let bins = if bins.len() == HOURS { bins } else { trimmed(bins) };
        let peak = bins.iter().map(|bin| bin.group.max(bin.population)).fold(0.0, f64::max);
        if peak <= 0.0 {
            return None;
        }
        let slot = (SHARES_RIGHT - SHARES_LEFT) / bins.len() as f64;
        let every = bins.len().div_ceil(LABELS_MAX);
        let bar = |x: f64, share: f64| {
            let height = share / peak * SHARES_HEIGHT;
            Bar { x, y: SHARES_BASE - height, width: slot * 0.38, height }
        };
        let columns: Vec<Column> = bins
            .iter()
            .enumerate()
            .map(|(place, bin)| {
                let left = SHARES_LEFT + slot * place as f64;
                Column {
                    label: bin.label.clone(),
                    group_text: percent(bin.group),
                    population_text: percent(bin.population),
                    x: left + slot / 2.0,
                    group: bar(left + slot * 0.1, bin.group),
                    population: bar(left + slot * 0.52, bin.population),
                    labelled: place.is_multiple_of(every),
                }
            })
            .collect();
        let most = bins.iter().max_by(|a, b| a.group.total_cmp(&b.group))?;
        let description = format!(
            "{what}. Most of the group, {}, is in the bin “{}”; of everybody else {} is.",
            percent(most.group),
            most.label,
            percent(most.population)
        );
        Some(Shares { id: id.to_owned(), description, columns, peak: percent(peak) })
    }

    /// The numbers, for a table.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

/// How much one kind of evidence says, for a campaign to the right and against it to the left.
#[derive(Template)]
#[template(path = "plot/weight.svg")]
pub struct Weight {
    bar: Bar,
    class: &'static str,
    zero: f64,
}

impl Weight {
    /// Draws `log10_e`, cut at [`WEIGHT_MAX`]; nothing where it is not a number.
    pub fn draw(log10_e: f64, counted: bool) -> Weight {
        let length =
            if log10_e.is_nan() { 0.0 } else { log10_e.clamp(-WEIGHT_MAX, WEIGHT_MAX) / WEIGHT_MAX * WEIGHT_HALF };
        let class = match (counted, length >= 0.0) {
            (false, _) => "aside",
            (true, true) => "group",
            (true, false) => "against",
        };
        Weight {
            bar: Bar { x: WEIGHT_HALF + length.min(0.0), y: 2.0, width: length.abs(), height: 8.0 },
            class,
            zero: WEIGHT_HALF,
        }
    }
}

/// The axis of time.
struct Axis {
    first: i64,
    seconds: i64,
    scale: Scale,
    paper: Paper,
}

impl Axis {
    fn over(bins: &[TimeBin], paper: Paper) -> Option<Axis> {
        let (first, last) = (bins.first()?, bins.last()?);
        let end = last.start.seconds() + i64::from(last.seconds);
        let (first, seconds) = (first.start.seconds(), (end - first.start.seconds()).max(1));
        let scale = Scale::linear((first as f64, (first + seconds) as f64), (LEFT, paper.right()));
        Some(Axis { first, seconds, scale, paper })
    }

    fn at(&self, time: Time) -> f64 {
        self.scale.at(time.seconds() as f64)
    }

    fn width(&self, bin: &TimeBin) -> f64 {
        let width = f64::from(bin.seconds) / self.seconds as f64 * (self.paper.right() - LEFT);
        if width > 3.0 { width - 0.6 } else { width }
    }

    /// Round times, a handful of them.
    fn ticks(&self) -> Vec<Tick> {
        let most = self.paper.ticks();
        let step = STEPS.into_iter().find(|step| self.seconds / step < most).unwrap_or(self.seconds / most);
        let start = self.first.div_euclid(step) + i64::from(self.first.rem_euclid(step) != 0);
        (start..)
            .map(|number| number.saturating_mul(step))
            .take_while(|&seconds| seconds <= self.first + self.seconds)
            .map(|seconds| {
                let time = Time::from_seconds(seconds);
                Tick { x: self.at(time), label: tick(time, step) }
            })
            .collect()
    }
}

/// A time on an axis: the day, and the hour where steps are shorter.
fn tick(time: Time, step: i64) -> String {
    let text = minute(time);
    let date = text.get(5..10).unwrap_or_default();
    let clock = text.get(11..).unwrap_or_default();
    if step >= DAY { date.to_owned() } else { format!("{date} {clock}") }
}

/// The bins without those that are empty on both sides at either end.
fn trimmed(bins: &[ShareBin]) -> &[ShareBin] {
    let used = |bin: &ShareBin| bin.group > 0.0 || bin.population > 0.0;
    let first = bins.iter().position(used).unwrap_or(0);
    let last = bins.iter().rposition(used).map_or(0, |last| last + 1);
    bins.get(first..last).unwrap_or_default()
}

/// A share as a percentage.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        few if few < 0.1 => "under 0.1 %".to_owned(),
        few if few < 10.0 => format!("{few:.1} %"),
        many => format!("{many:.0} %"),
    }
}

/// A length of time, in its largest whole unit.
fn span(seconds: i64) -> String {
    let (number, unit) = match seconds {
        DAY.. if seconds % DAY == 0 => (seconds / DAY, "day"),
        3600.. if seconds % 3600 == 0 => (seconds / 3600, "hour"),
        60.. if seconds % 60 == 0 => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    if number == 1 { unit.to_owned() } else { format!("{number} {unit}s") }
}

const DAY: i64 = 86_400;
/// Steps between ticks.
const STEPS: [i64; 12] = [60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY];
/// Labels below a distribution, at most about.
const LABELS_MAX: usize = 8;
/// Bins of a distribution over the clock.
const HOURS: usize = 24;
/// Evidence beyond this (log10) makes no longer bar.
const WEIGHT_MAX: f64 = 8.0;
const WEIGHT_HALF: f64 = 60.0;

const LEFT: f64 = 8.0;
const MARKS_TOP: f64 = 14.0;
const MARK_ROW: f64 = 16.0;
const LABEL_ROW: f64 = 10.0;
const PANEL_HEIGHT: f64 = 78.0;
const PANEL_GAP: f64 = 30.0;
const FOOT: f64 = 38.0;
const LANES_GAP: f64 = 12.0;
const LANE_ROW: f64 = 24.0;
const LANE_HEIGHT: f64 = 18.0;
/// Room that the name of a campaign takes.
const LANE_NAME: f64 = 70.0;
const SHARES_LEFT: f64 = 8.0;
const SHARES_RIGHT: f64 = 352.0;
const SHARES_BASE: f64 = 150.0;
const SHARES_HEIGHT: f64 = 126.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(count: i64) -> Vec<TimeBin> {
        (0..count)
            .map(|i| TimeBin { start: Time::from_seconds(i * 3600), seconds: 3600, group: i as u64 % 3, population: 9 })
            .collect()
    }

    #[test]
    fn bars_stay_within_the_picture() {
        let marks = [Mark { time: Time::from_seconds(i64::from(u32::MAX)), label: "late".into() }];
        for paper in [Paper::Wide, Paper::Narrow] {
            let right = paper.right();
            let plot = Timeline::draw("t", &bins(240), &marks, paper).unwrap();
            for bar in plot.panels.iter().flat_map(|panel| &panel.bars) {
                assert!(bar.x >= LEFT && bar.x + bar.width <= right + 1e-9 && bar.y >= 0.0, "{} {}", bar.x, bar.width);
            }
            assert_eq!(plot.marks[0].x, right);
        }
    }

    #[test]
    fn columns_are_as_many_as_fit_and_lose_nothing() {
        for paper in [Paper::Wide, Paper::Narrow] {
            let most = paper.columns();
            for (count, columns, seconds) in [(1, 1, 3600), (most, most, 3600), (most + 1, most / 2 + 1, 7200)] {
                let bins = bins(count as i64);
                let columns_drawn = joined(&bins, paper);
                let sum = |bins: &[TimeBin]| bins.iter().map(|bin| bin.group + bin.population).sum::<u64>();
                assert_eq!((columns_drawn.len(), columns_drawn[0].seconds), (columns, seconds), "{paper:?} {count}");
                assert_eq!(sum(&columns_drawn), sum(&bins));
            }
        }
        assert_eq!(joined(&[], Paper::Wide).len(), 0);
        assert_eq!(
            [column(&joined(&bins(80), Paper::Wide)), column(&joined(&bins(90), Paper::Narrow))],
            ["1 hour", "2 hours"]
        );
    }

    #[test]
    fn ticks_are_few_and_round() {
        for hours in [1, 24, 100, 24 * 30, 24 * 400] {
            for paper in [Paper::Wide, Paper::Narrow] {
                let ticks = Axis::over(&bins(hours), paper).unwrap().ticks();
                assert!((1..=paper.ticks() as usize + 2).contains(&ticks.len()), "{hours}: {}", ticks.len());
            }
        }
        assert_eq!(tick(Time::from_seconds(DAY + 3600), 3600), "01-02 01:00");
        assert_eq!(tick(Time::from_seconds(DAY), DAY), "01-02");
    }

    #[test]
    fn empty_distributions_are_not_drawn() {
        let bin = |group, population| ShareBin { label: "1".into(), group, population };
        assert!(Shares::draw("s", "x", &[bin(0.0, 0.0)]).is_none());
        assert_eq!(Shares::draw("s", "x", &[bin(0.0, 0.0), bin(1.0, 0.5), bin(0.0, 0.5)]).unwrap().columns.len(), 2);
        assert!(Timeline::draw("t", &[], &[], Paper::Wide).is_none());
    }

    #[test]
    fn weights_point_both_ways_and_stop_at_their_limit() {
        assert_eq!(Weight::draw(f64::INFINITY, true).bar.width, WEIGHT_HALF);
        assert_eq!(Weight::draw(-2.0, true).class, "against");
        assert_eq!(Weight::draw(f64::NAN, true).bar.width, 0.0);
    }

    #[test]
    fn lengths_of_time_in_words() {
        for (seconds, words) in [(60, "minute"), (3600, "hour"), (7200, "2 hours"), (90, "90 seconds"), (DAY, "day")] {
            assert_eq!(span(seconds), words);
        }
    }
}
