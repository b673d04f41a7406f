//! Silence: is the whole group silent at times when everybody else is not?
//!
//! Accounts that somebody drives fall silent together: for maintenance, for the night of the one who drives them, while a
//! work list is written. Statistic: the share of its exchanges that a group should have sent in the bins in which it sent
//! none, if it followed everybody's times of day. Null: the group is like the deployment's other groups,
//! whose silences are measured in the same way; they are silent too, all the more when they live in one time zone. Calibrated by
//! rank among these alone ([`crate::evalue::conformal`]), so nothing is assumed of how silences come about.
//! Needs [`EXCHANGES_MIN`] exchanges, and so many a bin that chance alone leaves hardly any empty. Fails for an honest group of
//! one time zone or one event among worldwide ones, which is why it counts with the other signs of conduct only.

use crate::signs::scene::{Scene, conduct_evidence};
use crate::state::timeline::Timeline;
use findings::number::percent;
use findings::{Evidence, SignalFamily};

/// Weighs when the group is silent.
#[must_use]
pub(crate) fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let silent = silent(&scene.trial.timeline, scene.timeline)?;
    let text = if silent > 0.0 {
        format!(
            "All accounts of the group paused at the same times: {} of all requests of other customers came while none of \
             these accounts sent anything. Customers who have nothing to do with each other do not pause together, unless \
             they live in one time zone.",
            percent(silent)
        )
    } else {
        "The accounts of the group never all paused at once while other customers went on.".to_owned()
    };
    conduct_evidence(scene, SignalFamily::Silence, |measures| measures.silence, silent, text)
}

/// The share of a group's exchanges that should have come in its empty bins; none when too little was seen.
#[must_use]
pub(crate) fn silent(group: &Timeline, everybody: &Timeline) -> Option<f64> {
    let mut seconds = everybody.seconds().max(1);
    let total: u64 = group.iter().map(|(_, count)| count).sum();
    if total < EXCHANGES_MIN {
        return None;
    }
    let span = group.iter().count() as i64 * group.seconds();
    while span * EXCHANGES_A_BIN as i64 > seconds * total as i64 {
        seconds *= 2;
    }
    if span < seconds * BINS_MIN {
        return None;
    }
    let (group, everybody) = (rebinned(group, seconds), rebinned(everybody, seconds));
    // The first bin and the last are cut off by when the group was noticed and by the end of the log.
    let (first, last) = (group.first()?.0 + 1, group.last()?.0 - 1);
    let inside = |&&(bin, _): &&(i64, u64)| (first..=last).contains(&bin);
    let all: u64 = everybody.iter().filter(inside).map(|&(_, count)| count).sum();
    let sent = |bin: i64| group.binary_search_by_key(&bin, |&(bin, _)| bin).is_ok();
    let empty: u64 = everybody.iter().filter(inside).filter(|&&(bin, _)| !sent(bin)).map(|&(_, count)| count).sum();
    (all > 0).then(|| empty as f64 / all as f64)
}

/// Counts by bin of `seconds`, those that are not empty.
fn rebinned(timeline: &Timeline, seconds: i64) -> Vec<(i64, u64)> {
    let mut bins: Vec<(i64, u64)> = Vec::new();
    for (start, count) in timeline.iter().filter(|&(_, count)| count > 0) {
        let bin = start.seconds().div_euclid(seconds);
        match bins.last_mut() {
            Some((last, sum)) if *last == bin => *sum += count,
            _ => bins.push((bin, count)),
        }
    }
    bins
}

/// Fewer exchanges say nothing.
const EXCHANGES_MIN: u64 = 60;
/// Bins are so wide that the group sends this many in one on average: chance leaves one in 400 empty.
const EXCHANGES_A_BIN: u64 = 6;
/// Fewer bins say nothing.
const BINS_MIN: i64 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::Time;

    fn timeline(minutes: impl Iterator<Item = i64>) -> Timeline {
        let mut timeline = Timeline::default();
        minutes.for_each(|minute| timeline.count(Time::from_seconds(minute * 60)));
        timeline
    }

    #[test]
    fn a_group_that_pauses_is_silent_and_one_that_follows_the_rest_is_not() {
        let everybody = timeline(0..6000);
        let pausing = timeline((0..6000).filter(|minute| minute % 1200 < 900 && minute % 3 == 0));
        let steady = timeline((0..6000).step_by(4));
        assert!((0.15..0.3).contains(&silent(&pausing, &everybody).unwrap()));
        assert_eq!(silent(&steady, &everybody), Some(0.0));
    }

    #[test]
    fn few_exchanges_say_nothing() {
        let everybody = timeline(0..6000);
        assert_eq!(silent(&timeline((0..5900).step_by(100)), &everybody), None);
        assert_eq!(silent(&timeline(0..30), &everybody), None);
    }
}
