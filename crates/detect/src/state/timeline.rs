//! Counts over time in at most [`BINS_MAX`] bins, which widen by doubling as time goes on.

use exchange::Time;
use serde::{Deserialize, Serialize};

use crate::state::room;

/// Counts over time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Timeline {
    /// Those in which anything came, each with its place, in order: of most clusters these are few.
    bins: Vec<(u16, u32)>,
    /// Number of the first bin since the epoch, in units of `seconds`.
    first: i64,
    seconds: i64,
}

impl Timeline {
    /// Counts one event. Events before the first bin count in the first one.
    pub(crate) fn count(&mut self, time: Time) {
        if self.bins.is_empty() {
            self.seconds = SECONDS_MIN;
            self.first = time.seconds().div_euclid(self.seconds);
        }
        while time.seconds().div_euclid(self.seconds) - self.first >= BINS_MAX as i64 {
            self.widen();
        }
        let bin = (time.seconds().div_euclid(self.seconds) - self.first).max(0) as u16;
        match self.bins.last_mut() {
            Some((last, count)) if *last == bin => *count = count.saturating_add(1),
            _ => self.count_at(bin),
        }
    }

    /// Counts one event in a bin that is not the last one.
    fn count_at(&mut self, bin: u16) {
        match self.bins.binary_search_by_key(&bin, |&(place, _)| place) {
            Ok(at) => {
                if let Some((_, count)) = self.bins.get_mut(at) {
                    *count = count.saturating_add(1);
                }
            }
            Err(at) => {
                room::for_one_more(&mut self.bins, 4);
                self.bins.insert(at, (bin, 1));
            }
        }
    }

    /// Forgets what came before.
    pub(crate) fn forget(&mut self, before: Time) {
        if self.seconds == 0 {
            return;
        }
        let bins = (before.seconds().div_euclid(self.seconds) - self.first).clamp(0, self.len() as i64);
        self.bins.retain_mut(|(place, _)| {
            let left = i64::from(*place) >= bins;
            *place = place.saturating_sub(bins as u16);
            left
        });
        self.first += bins;
    }

    /// How many bins there are from the first to the last in which anything came.
    fn len(&self) -> usize {
        self.bins.last().map_or(0, |&(last, _)| usize::from(last) + 1)
    }

    /// Seconds per bin.
    #[must_use]
    pub(crate) fn seconds(&self) -> i64 {
        self.seconds
    }

    /// The bins in order, the empty ones among them: start and count.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Time, u64)> {
        let starts = (self.first..).map(|bin| Time::from_seconds(bin * self.seconds));
        let mut kept = self.bins.iter().peekable();
        let counts = (0..self.len()).map(move |place| {
            kept.next_if(|&&(kept, _)| usize::from(kept) == place).map_or(0, |&(_, count)| u64::from(count))
        });
        starts.zip(counts)
    }

    fn widen(&mut self) {
        let mut wide: Vec<(u16, u32)> = Vec::new();
        for &(place, count) in &self.bins {
            let bin = ((self.first + i64::from(place)).div_euclid(2) - self.first.div_euclid(2)) as u16;
            match wide.last_mut() {
                Some((last, sum)) if *last == bin => *sum = sum.saturating_add(count),
                _ => wide.push((bin, count)),
            }
        }
        self.bins = wide;
        self.first = self.first.div_euclid(2);
        self.seconds *= 2;
    }
}

/// A length of time in words.
#[must_use]
pub(crate) fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The most bins.
pub(crate) const BINS_MAX: usize = 512;
/// Seconds per bin at first.
const SECONDS_MIN: i64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widens_at_the_limit_and_loses_nothing() {
        for (last_bin, seconds) in [(BINS_MAX as i64 - 1, SECONDS_MIN), (BINS_MAX as i64, 2 * SECONDS_MIN)] {
            let mut timeline = Timeline::default();
            for bin in 0..=last_bin {
                timeline.count(Time::from_seconds(7 * SECONDS_MIN + bin * SECONDS_MIN));
            }
            assert_eq!(timeline.seconds(), seconds);
            assert_eq!(timeline.iter().map(|(_, count)| count).sum::<u64>(), last_bin as u64 + 1);
            assert!(timeline.iter().count() <= BINS_MAX);
        }
    }

    #[test]
    fn empty_bins_are_told_and_what_came_before_is_forgotten() {
        let at = |bin: i64| Time::from_seconds(bin * SECONDS_MIN);
        let mut timeline = Timeline::default();
        [100, 104, 101, 104, 101].into_iter().for_each(|bin| timeline.count(at(bin)));
        let told = |timeline: &Timeline| timeline.iter().collect::<Vec<_>>();
        assert_eq!(told(&timeline), [(at(100), 1), (at(101), 2), (at(102), 0), (at(103), 0), (at(104), 2)]);
        timeline.forget(at(103));
        assert_eq!(told(&timeline), [(at(103), 0), (at(104), 2)]);
        timeline.forget(at(200));
        assert!(told(&timeline).is_empty());
    }

    #[test]
    fn late_events_count_in_the_first_bin() {
        let mut timeline = Timeline::default();
        timeline.count(Time::from_seconds(10_000));
        timeline.count(Time::from_seconds(1));
        assert_eq!(timeline.iter().map(|(_, count)| count).collect::<Vec<_>>(), [2]);
    }
}
