//! Coming back: when many accounts of a campaign are closed at once, who takes over, how soon, and with how much.
//!
//! A pool's demand does not end with its accounts: a work list that is half done is given to others. What is told here is
//! counted and not inferred, and counts towards no threshold: accounts can be closed because they were found. What closures
//! say for a group is weighed by the evidence of takeover alone.

use exchange::Time;

use crate::state::timeline::{Timeline, span};
use findings::number::{counted, either, many};

/// When an account of a campaign was first seen in it, and when it was closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Its first exchange in the campaign.
    pub first: Time,
    /// When it was closed.
    pub closed: Option<Time>,
}

/// Accounts that were closed together, and what came after.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wave {
    /// The middle one of the closures.
    pub time: Time,
    /// How many accounts were closed.
    pub closed: usize,
    /// Seconds after which accounts took over that had sent nothing of the campaign before, in order.
    pub successors: Vec<i64>,
    /// The campaign's rate after the closures as a share of that before; none where too little was seen.
    pub demand: Option<f64>,
}

/// Every wave of closures of a campaign whose exchanges are in `timeline`, in order.
pub(crate) fn waves(spans: &[Span], timeline: &Timeline) -> Vec<Wave> {
    let mut closed: Vec<Time> = spans.iter().filter_map(|span| span.closed).collect();
    closed.sort_unstable();
    let enough = CLOSED_MIN.max(spans.len() / CLOSED_ONE_IN);
    let apart = |a: &Time, b: &Time| b.seconds_since(*a) <= WAVE_GAP_SECONDS;
    let groups: Vec<&[Time]> = closed.chunk_by(apart).filter(|wave| wave.len() >= enough).collect();
    let wave = |(at, group): (usize, &&[Time])| {
        let (first, time) = (group.first()?, *group.get(group.len() / 2)?);
        let until = groups.get(at + 1).and_then(|next| next.first()).copied();
        let mut successors: Vec<i64> = spans
            .iter()
            .filter(|span| span.first > *first && until.is_none_or(|until| span.first < until))
            .map(|span| (span.first.seconds() - time.seconds()).max(0))
            .collect();
        successors.sort_unstable();
        Some(Wave { time, closed: group.len(), successors, demand: demand(timeline, *first) })
    };
    groups.iter().enumerate().filter_map(wave).collect()
}

/// The rate after `time` as a share of that before, over as long as both were seen, in bins that lie wholly on one side.
fn demand(timeline: &Timeline, time: Time) -> Option<f64> {
    let seconds = timeline.seconds().max(1);
    let bin = |start: Time| (start.seconds() - time.seconds()).div_euclid(seconds);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for (start, count) in timeline.iter() {
        match bin(start) {
            // The bin in which it happened, and the one in which others take over, tell of neither.
            -1 | 0 => {}
            ..-1 => before.push(count),
            1.. => after.push(count),
        }
    }
    let length = before.len().min(after.len());
    let sum = |counts: &mut dyn Iterator<Item = &u64>| counts.take(length).sum::<u64>();
    let (before, after) = (sum(&mut before.iter().rev()), sum(&mut after.iter()));
    (before >= EXCHANGES_MIN).then(|| after as f64 / before as f64)
}

impl Wave {
    /// Whether others took over.
    pub(crate) fn came_back(&self) -> bool {
        self.successors.len() >= SUCCESSORS_MIN
    }

    /// What happened, in words.
    pub(crate) fn text(&self) -> String {
        let were = either(self.closed as u64, "was", "were");
        let closed = format!("{} {were} closed around {}", counted(self.closed as u64, "account"), minute(self.time));
        let (Some(&first), true) = (self.successors.first(), self.came_back()) else {
            return format!("{closed}; it has not been seen to come back.");
        };
        let half = self.successors.get(self.successors.len() / 2).copied().unwrap_or(first);
        let demand = match self.demand {
            Some(share) => format!(" It then sent {:.0} % as much as before.", share * 100.0),
            None => String::new(),
        };
        format!(
            "{closed}, and it came back: {} accounts took over that had sent nothing of it before, the first {} later and half \
             of them within {}.{demand}",
            many(self.successors.len()),
            span(first),
            span(half)
        )
    }
}

fn minute(time: Time) -> String {
    let text = time.to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ") + " UTC"
}

/// Fewer closures are no wave,
const CLOSED_MIN: usize = 6;
/// and nor are those of fewer than one account in this many.
const CLOSED_ONE_IN: usize = 10;
/// Closures of one wave are at most this far apart.
const WAVE_GAP_SECONDS: f64 = 3600.0;
/// Fewer accounts take nothing over.
const SUCCESSORS_MIN: usize = 3;
/// Fewer exchanges before say nothing about the rate.
const EXCHANGES_MIN: u64 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Time {
        Time::from_seconds(minutes * 60)
    }

    fn timeline(minutes: impl Iterator<Item = i64>) -> Timeline {
        let mut timeline = Timeline::default();
        minutes.for_each(|minute| timeline.count(at(minute)));
        timeline
    }

    #[test]
    fn a_second_pool_takes_over() {
        let first = (0..20).map(|i| Span { first: at(i), closed: Some(at(1000 + i / 4)) });
        let second = (0..18).map(|i| Span { first: at(1008 + i), closed: None });
        let spans: Vec<Span> = first.chain(second).collect();
        let waves = waves(&spans, &timeline(0..2000));
        let [wave] = waves.as_slice() else { panic!("{waves:?}") };
        assert_eq!((wave.closed, wave.successors.len(), wave.came_back()), (20, 18, true));
        assert!((wave.demand.unwrap() - 1.0).abs() < 0.05, "{:?}", wave.demand);
        assert_eq!(
            wave.text(),
            "20 accounts were closed around 1970-01-01 16:42 UTC, and it came back: 18 accounts took over that had sent \
             nothing of it before, the first 6 minutes later and half of them within 15 minutes. It then sent 100 % as much \
             as before."
        );
    }

    #[test]
    fn an_end_is_an_end_and_scattered_closures_are_no_wave() {
        let ended: Vec<Span> = (0..20).map(|i| Span { first: at(i), closed: Some(at(1000)) }).collect();
        let waves_of = |spans: &[Span]| waves(spans, &timeline(0..1000));
        assert!(waves_of(&ended).first().unwrap().text().ends_with("it has not been seen to come back."));
        let scattered: Vec<Span> = (0..20).map(|i| Span { first: at(i), closed: Some(at(1000 + 200 * i)) }).collect();
        assert_eq!(waves_of(&scattered), []);
    }
}
