//! The order of time: what comes out of order waits for what is earlier, by a watermark in the time of the events themselves.
//!
//! The watermark lies as far behind the latest event as events may be late ([`Order::with_lateness`]); what is at it or before it is ready.
//! Who reads files to their ends needs no watermark and lets events wait for as many others as there is room for. Events that come later than
//! that are handed on all the same and counted. Bounded: with [`WAITING_MAX`] waiting the earliest goes on, unless it is held back; then with
//! [`HELD_BACK_MAX`] more. It is plain data, so that what waits can be written down beside what an engine remembers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use exchange::Time;
use serde::{Deserialize, Serialize};

use crate::limits::{HELD_BACK_MAX, WAITING_MAX};

/// Events of whatever kind that wait for earlier ones.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Order<T> {
    heap: BinaryHeap<Reverse<Waiting<T>>>,
    lateness: Option<i64>,
    watermark: Option<Time>,
    /// Everything that comes is at this time or later; none where anything may come.
    earliest: Option<Time>,
    arrived: u64,
    latest: Option<Time>,
    late: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Waiting<T> {
    time: Time,
    arrival: u64,
    event: T,
}

impl<T> Order<T> {
    /// Events wait for as many others as there is room for. `latest` is the time of the last that was handed on before.
    #[must_use]
    pub fn new(latest: Option<Time>) -> Order<T> {
        let heap = BinaryHeap::new();
        Order { heap, lateness: None, watermark: None, earliest: None, arrived: 0, latest, late: 0 }
    }

    /// Events wait until one comes that is later by more than `seconds`.
    #[must_use]
    pub fn with_lateness(seconds: i64, latest: Option<Time>) -> Order<T> {
        Order { lateness: Some(seconds), ..Order::new(latest) }
    }

    /// Events wait until one comes that is later by more than `seconds`, from now on.
    pub fn allow_lateness(&mut self, seconds: i64) {
        self.lateness = Some(seconds);
    }

    /// Takes an event.
    pub fn push(&mut self, time: Time, event: T) {
        if let Some(seconds) = self.lateness {
            self.pass(Time::from_seconds(time.seconds().saturating_sub(seconds)));
        }
        self.push_aside(time, event);
    }

    /// Takes an event that tells nothing of how late others may be, as one of another kind does.
    pub fn push_aside(&mut self, time: Time, event: T) {
        self.arrived += 1;
        self.heap.push(Reverse(Waiting { time, arrival: self.arrived, event }));
    }

    /// Says that nothing earlier comes any more, as when a clock tells it.
    pub fn pass(&mut self, watermark: Time) {
        self.watermark = self.watermark.max(Some(watermark));
    }

    /// Says from when on something may still come, which others are to wait for.
    pub fn hold_back(&mut self, earliest: Option<Time>) {
        self.earliest = earliest;
    }

    /// The next event that is ready.
    pub fn ready(&mut self) -> Option<T> {
        let first = self.heap.peek().map(|Reverse(waiting)| waiting.time)?;
        let passed = self.watermark.is_some_and(|watermark| first <= watermark);
        let is_held_back = self.earliest.is_some_and(|earliest| first >= earliest);
        let room = if is_held_back { WAITING_MAX + HELD_BACK_MAX } else { WAITING_MAX };
        if passed || self.heap.len() > room { self.next() } else { None }
    }

    /// The next event, ready or not.
    #[expect(clippy::should_implement_trait, reason = "what waits can be pushed in between")]
    pub fn next(&mut self) -> Option<T> {
        let Reverse(Waiting { time, event, .. }) = self.heap.pop()?;
        self.late += u64::from(self.latest.is_some_and(|latest| time < latest));
        self.latest = self.latest.max(Some(time));
        Some(event)
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.heap.len()
    }

    /// How many were handed on although later ones had been before.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Waiting<T> {}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.arrival).cmp(&(other.time, other.arrival))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    /// Pushes events one after another and takes what is ready.
    fn taken(order: &mut Order<i64>, times: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let mut taken = Vec::new();
        for time in times {
            order.push(at(time), time);
            taken.extend(std::iter::from_fn(|| order.ready()));
        }
        taken
    }

    #[test]
    fn events_wait_as_long_as_others_may_be_late_and_come_in_order() {
        let mut order = Order::with_lateness(10, None);
        assert_eq!(taken(&mut order, [100, 95, 104, 99, 109]), [95, 99], "those before 99");
        assert_eq!(taken(&mut order, [110]), [100]);
        order.pass(at(109));
        assert_eq!(std::iter::from_fn(|| order.ready()).collect::<Vec<_>>(), [104, 109]);
        // Later than is allowed: handed on at once, and counted.
        assert_eq!((taken(&mut order, [50]), order.late()), (vec![50], 1));
        assert_eq!((order.next(), order.next(), order.waiting()), (Some(110), None, 0));
    }

    #[test]
    fn without_a_watermark_as_many_wait_as_there_is_room_for() {
        let mut order = Order::new(None);
        let all = (0..WAITING_MAX as i64).rev();
        assert!(taken(&mut order, all).is_empty());
        assert_eq!(taken(&mut order, [-1]), [-1]);
        assert_eq!(order.late(), 0);
        order.hold_back(Some(at(0)));
        let more = WAITING_MAX as i64..(WAITING_MAX + HELD_BACK_MAX) as i64;
        assert!(taken(&mut order, more).is_empty());
        assert_eq!(taken(&mut order, [1 << 40]), [0]);
    }

    #[test]
    fn what_is_older_than_what_came_before_is_late() {
        let mut order = Order::new(Some(at(7)));
        [3, 8, 9].into_iter().for_each(|time| order.push(at(time), time));
        assert_eq!(std::iter::from_fn(|| order.next()).collect::<Vec<_>>(), [3, 8, 9]);
        assert_eq!(order.late(), 1);
    }
}
