//! Likeness: are the payers of a group interchangeable?
//!
//! Strangers who share a tool bring their own subjects and hours; accounts that one dispatcher feeds are samples of one
//! stream, and between them there is no more difference than chance gives. The statistic is a U-statistic: how much more
//! alike two requests of the same payer are than two requests of different payers of the group, in the words that vary
//! (weighed by how rare they are in the group) and in the hour of the day. Only the first request of each
//! session of an account counts, so that conversations do not pass for likeness, and hours are compared between different days only.
//! Accounts of one organisation are one payer: that colleagues ask for the same says nothing about strangers.
//!
//! Of every payer a sum of unit vectors is kept: the mean product over all pairs follows from sums and squared norms. O(1) an
//! exchange, bounded by [`LIKENESS_PAYERS_MAX`] payers a group; some hundred bytes for a payer with one request, up to
//! 0.7 KB for one with many.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use event::{Hash, Signals};
use exchange::Time;
use findings::Estimate;
use serde::{Deserialize, Serialize};

use crate::limits::LIKENESS_PAYERS_MAX;
use crate::state::sparse::Sparse;

/// What is kept of a group.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Likeness {
    payers: BTreeMap<Hash, Own>,
    /// Requests of further payers, which say nothing.
    left_out: u32,
    /// In how many requests each word was, by its hash.
    frequency: Sparse<u32, { FREQUENCIES / 64 }>,
    requests: u32,
    /// The hours of all of them.
    hours: Days,
}

/// What is kept of a payer: the sums of its requests' vectors.
#[derive(Debug, Serialize, Deserialize)]
struct Own {
    words: Words,
    times: Times,
}

/// A sum of vectors of words, with the sum of their squared norms.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Words {
    total: Sparse<f32, { WORDS / 64 }>,
    squares: f64,
    count: u32,
}

/// When a payer's requests came: most send one.
#[derive(Debug, Serialize, Deserialize)]
enum Times {
    Once(Time),
    Often(Box<Often>),
}

/// When several requests came.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Often {
    hours: Days,
    minutes: Minutes,
}

/// A sum of vectors of minutes of the hour, with the sum of their squared norms.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Minutes {
    total: [f32; MINUTES],
    squares: f64,
    count: u32,
}

/// Hours of the day as vectors, summed, with what pairs of one day come to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Days {
    total: [f64; HARMONICS],
    count: f64,
    /// Of the days that are over: sums of squared norms and of squared counts.
    squares: f64,
    counts: f64,
    day: i64,
    today: [f64; HARMONICS],
    today_count: f64,
}

impl Likeness {
    /// Counts a request that begins a session of one of the payer's accounts.
    ///
    /// Whether it is the first of a payer that is followed from now on; with no `room` none is.
    pub(crate) fn count(&mut self, payer: Hash, signals: &Signals, room: bool) -> bool {
        self.requests = self.requests.saturating_add(1);
        for &word in &signals.words {
            if let Some(count) = self.frequency.get_mut(word as usize % FREQUENCIES) {
                *count = count.saturating_add(1);
            }
        }
        // How rare a word is in the group has to be known before it is weighed.
        if self.requests <= WARM_UP {
            return false;
        }
        let new = !self.payers.contains_key(&payer);
        if new && (!room || self.payers.len() >= LIKENESS_PAYERS_MAX) {
            self.left_out = self.left_out.saturating_add(1);
            return false;
        }
        let words = self.weighed(signals);
        match self.payers.entry(payer) {
            Entry::Vacant(new) => {
                let own = new.insert(Own { words: Words::default(), times: Times::Once(signals.time) });
                own.words.add(&words);
            }
            Entry::Occupied(own) => {
                let own = own.into_mut();
                own.words.add(&words);
                own.times.add(signals.time);
            }
        }
        self.hours.add(signals.time);
        new
    }

    /// How many payers are followed.
    #[must_use]
    pub(crate) fn followed(&self) -> usize {
        self.payers.len()
    }

    /// Sessions of payers beyond [`LIKENESS_PAYERS_MAX`], which say nothing about the group.
    #[must_use]
    pub(crate) fn left_out(&self) -> u32 {
        self.left_out
    }

    /// Forgets payers.
    pub(crate) fn forget(&mut self, payers: &BTreeSet<Hash>) {
        self.payers.retain(|payer, _| !payers.contains(payer));
    }

    /// The words of a request as a unit vector: each at a place and with a sign of its own, rare ones more.
    fn weighed(&self, signals: &Signals) -> [f32; WORDS] {
        let mut vector = [0.0_f32; WORDS];
        for &word in &signals.words {
            let seen = self.frequency.get(word as usize % FREQUENCIES);
            let weight = (f64::from(self.requests + 1) / f64::from(seen.max(1))).ln() as f32;
            let sign = if word >> 31 == 0 { 1.0 } else { -1.0 };
            if let Some(place) = vector.get_mut((word >> 16) as usize % WORDS) {
                *place += sign * weight;
            }
        }
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if norm > 0.0 { vector.map(|x| x / norm) } else { vector }
    }

    /// How much more alike a payer's own requests are in words than those of different payers.
    #[must_use]
    pub(crate) fn words(&self) -> Option<Estimate> {
        excess(self.payers.values().map(|own| &own.words))
    }

    /// How much likelier (log10) it is that the payers keep clocks, as cron jobs do, than that they keep none: the requests of each
    /// come at the same minutes of the hour. 0 where too little was seen.
    #[must_use]
    pub(crate) fn clocks(&self) -> f64 {
        let Some(minutes) = repeated(self.often().map(|often| &often.minutes)) else { return 0.0 };
        let error = minutes.error.max(MINUTES_ERROR_MIN);
        let dealt = error.hypot(DEALT_DEVIATION);
        let up_to = |x: f64| 0.5 * libm::erfc((x - minutes.value) / (error * std::f64::consts::SQRT_2));
        // Kept strictly or within some twenty minutes.
        let kept = (up_to(KEPT) - up_to(1.0)) / (1.0 - KEPT);
        let z = minutes.value.max(0.0) / dealt;
        let none = libm::exp(-0.5 * z * z) / (dealt * std::f64::consts::TAU.sqrt());
        let (clocks, dispatched) = (
            (1.0 - SPREAD_CLOCKS) * kept + SPREAD_CLOCKS * none,
            DEALT_BY_CLOCK * kept + (1.0 - DEALT_BY_CLOCK) * none,
        );
        if dispatched > 0.0 { libm::log10(clocks / dispatched) } else { 0.0 }
    }

    /// Whether most requests come in one part of the day: the length of the mean direction of their hours is at least
    /// [`CONCENTRATED`].
    #[must_use]
    pub(crate) fn concentrated(&self) -> bool {
        let [x, y, ..] = self.hours.total;
        self.hours.count > 0.0 && x.hypot(y) / (self.hours.count * 0.5_f64.sqrt()) >= CONCENTRATED
    }

    /// The same in the hour of the day, between requests of different days.
    #[must_use]
    pub(crate) fn hours(&self) -> Option<Estimate> {
        hours(self.often().map(|often| &often.hours), &self.hours)
    }

    /// When those came who asked several times; one request alone has no pair.
    fn often(&self) -> impl Iterator<Item = &Often> {
        self.payers.values().filter_map(|own| match &own.times {
            Times::Once(_) => None,
            Times::Often(often) => Some(&**often),
        })
    }
}

impl Times {
    fn add(&mut self, time: Time) {
        if let Times::Once(first) = *self {
            let mut often = Box::<Often>::default();
            often.add(first);
            *self = Times::Often(often);
        }
        if let Times::Often(often) = self {
            often.add(time);
        }
    }
}

impl Often {
    fn add(&mut self, time: Time) {
        self.hours.add(time);
        self.minutes.add(&minutes(time));
    }
}

impl Words {
    fn add(&mut self, vector: &[f32; WORDS]) {
        self.squares += f64::from(vector.iter().map(|x| x * x).sum::<f32>());
        for (place, &x) in vector.iter().enumerate().filter(|&(_, &x)| x != 0.0) {
            if let Some(sum) = self.total.get_mut(place) {
                *sum += x;
            }
        }
        self.count += 1;
    }

    /// The product with a vector as long.
    fn dot(&self, other: &[f64; WORDS]) -> f64 {
        self.total.iter().map(|(place, a)| f64::from(a) * other.get(place).copied().unwrap_or(0.0)).sum()
    }

    fn norm(&self) -> f64 {
        self.total.iter().map(|(_, x)| f64::from(x) * f64::from(x)).sum()
    }
}

impl Minutes {
    fn add(&mut self, vector: &[f32; MINUTES]) {
        self.squares += f64::from(vector.iter().map(|x| x * x).sum::<f32>());
        self.total.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        self.count += 1;
    }

    fn norm(&self) -> f64 {
        self.total.iter().map(|&x| f64::from(x) * f64::from(x)).sum()
    }
}

/// The excess likeness within payers: of each payer with two requests or more the mean product of its own pairs less
/// that of pairs with others, weighed by how many pairs it has, few payers never more than their share.
fn excess<'a>(payers: impl Iterator<Item = &'a Words> + Clone) -> Option<Estimate> {
    let mut total = [0.0_f64; WORDS];
    let mut count = 0.0;
    for own in payers.clone() {
        for (place, x) in own.total.iter() {
            if let Some(sum) = total.get_mut(place) {
                *sum += f64::from(x);
            }
        }
        count += f64::from(own.count);
    }
    let pieces = payers.filter(|own| own.count >= 2 && count > f64::from(own.count)).map(|own| {
        let n = f64::from(own.count);
        let (norm, dot) = (own.norm(), own.dot(&total));
        let within = (norm - own.squares) / (n * (n - 1.0));
        let between = (dot - norm) / (n * (count - n));
        (within - between, (n * (n - 1.0) / 2.0).min(PAIRS_MAX))
    });
    weighed_mean(pieces.collect())
}

/// The mean product of a payer's own pairs, weighed as in [`excess`].
fn repeated<'a>(payers: impl Iterator<Item = &'a Minutes>) -> Option<Estimate> {
    let pieces = payers.map(|own| {
        let pairs = f64::from(own.count) * (f64::from(own.count) - 1.0);
        ((own.norm() - own.squares) / pairs, (pairs / 2.0).min(PAIRS_MAX))
    });
    weighed_mean(pieces.collect())
}

impl Days {
    fn add(&mut self, time: Time) {
        let seconds = time.seconds();
        let day = seconds.div_euclid(DAY);
        if day != self.day {
            self.close();
            self.day = day;
        }
        let angle = seconds.rem_euclid(DAY) as f64 / DAY as f64 * std::f64::consts::TAU;
        let vector = [libm::cos(angle), libm::sin(angle), libm::cos(2.0 * angle), libm::sin(2.0 * angle)]
            .map(|x| x * 0.5_f64.sqrt());
        self.today.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        self.today_count += 1.0;
        self.total.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        self.count += 1.0;
    }

    fn close(&mut self) {
        self.squares += self.today.iter().map(|x| x * x).sum::<f64>();
        self.counts += self.today_count * self.today_count;
        self.today = [0.0; HARMONICS];
        self.today_count = 0.0;
    }

    /// The sum of products over ordered pairs of different days, and how many such pairs there are.
    fn apart(&self) -> (f64, f64) {
        let mut copy = self.clone();
        copy.close();
        (norm(&copy.total) - copy.squares, copy.count * copy.count - copy.counts)
    }
}

/// The minute of the hour as a unit vector, by harmonics of an hour, half of one and a quarter.
fn minutes(time: Time) -> [f32; MINUTES] {
    let angle = time.seconds().rem_euclid(HOUR) as f64 / HOUR as f64 * std::f64::consts::TAU;
    let of = |times: f64| [libm::cos(times * angle), libm::sin(times * angle)];
    let ([a, b], [c, d], [e, f]) = (of(1.0), of(2.0), of(4.0));
    [a, b, c, d, e, f].map(|x| (x / 3.0_f64.sqrt()) as f32)
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum()
}

/// Excess likeness of hours, over pairs of different days: those of one payer less those of different ones.
fn hours<'a>(payers: impl Iterator<Item = &'a Days>, all: &Days) -> Option<Estimate> {
    let own: Vec<(f64, f64)> = payers.map(Days::apart).collect();
    let (sum, pairs) = all.apart();
    let between = sum - own.iter().map(|(sum, _)| sum).sum::<f64>();
    let others = pairs - own.iter().map(|(_, pairs)| pairs).sum::<f64>();
    if others < 1.0 {
        return None;
    }
    let between = between / others;
    let pieces = own.into_iter().filter(|(_, pairs)| *pairs >= 1.0);
    weighed_mean(pieces.map(|(sum, pairs)| (sum / pairs - between, (pairs / 2.0).min(PAIRS_MAX))).collect())
}

/// The mean of pieces by weight, which is how many pairs each rests on, few payers never more than some of all. Those beyond the outer tenths
/// count as these do, so that some strangers in a group do not speak for it. The error is the scatter between pieces, and at
/// least that of as many pairs that have nothing in common; few pieces show their scatter badly.
fn weighed_mean(mut pieces: Vec<(f64, f64)>) -> Option<Estimate> {
    let count = pieces.len();
    let mut weights: Vec<f64> = pieces.iter().map(|(_, weight)| *weight).collect();
    weights.sort_by(f64::total_cmp);
    let usual = weights.get(count / 2).copied().unwrap_or(0.0);
    pieces.iter_mut().for_each(|(_, weight)| *weight = weight.min(usual * USUAL_TIMES));
    let weight: f64 = pieces.iter().map(|(_, weight)| weight).sum();
    if count < PAYERS_MIN || weight <= 0.0 {
        return None;
    }
    pieces.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (low, high) = (quantile(&pieces, weight * OUTER)?, quantile(&pieces, weight * (1.0 - OUTER))?);
    pieces.iter_mut().for_each(|(piece, _)| *piece = piece.clamp(low, high));
    let value = pieces.iter().map(|(piece, weight)| piece * weight).sum::<f64>() / weight;
    let scatter: f64 = pieces.iter().map(|(piece, weight)| (weight * (piece - value)).powi(2)).sum();
    let few = count as f64 / (count as f64 - 2.0) / (1.0 - 2.0 * OUTER);
    let error = (scatter.sqrt() * few / weight).hypot(PAIR_NOISE / weight.sqrt());
    Some(Estimate { value, error, accounts: count })
}

/// The piece up to which so much weight lies; pieces in order.
fn quantile(pieces: &[(f64, f64)], weight: f64) -> Option<f64> {
    let mut below = 0.0;
    let reached = |&&(_, own): &&(f64, f64)| {
        below += own;
        below >= weight
    };
    pieces.iter().find(reached).or(pieces.last()).map(|&(piece, _)| piece)
}

/// Places of the words' vectors.
const WORDS: usize = 128;
/// Counters of how frequent words are.
const FREQUENCIES: usize = 4096;
/// Requests spread evenly over six hours come to 0.9, over eight to 0.83; people of one time zone to about 0.4.
const CONCENTRATED: f64 = 0.87;
/// The first and the second harmonic of the day.
const HARMONICS: usize = 4;
/// Requests that are only counted.
const WARM_UP: u32 = 12;
/// Pairs of one payer that weigh, at most,
const PAIRS_MAX: f64 = 45.0;
/// and how many times as many as the median payer's.
const USUAL_TIMES: f64 = 4.0;
/// The share of the weight on either side that counts as what lies next to it.
const OUTER: f64 = 0.1;
/// How far the product of two unrelated requests scatters: one over the root of [`WORDS`].
const PAIR_NOISE: f64 = 0.09;
/// Fewer payers with pairs say nothing.
const PAYERS_MIN: usize = 5;
/// Seconds of a day.
const DAY: i64 = 86_400;
/// Seconds of an hour.
const HOUR: i64 = 3_600;
/// Three harmonics of the hour.
const MINUTES: usize = 6;
/// A clock that is kept within twenty minutes comes to more; kept strictly it comes to 1.
const KEPT: f64 = 0.25;
/// How far groups without a clock lie from 0: turns at a constant rate come at the same minutes for a while.
const DEALT_DEVIATION: f64 = 0.07;
/// Scheduled tools that spread their work over the hour all the same: one in ten.
const SPREAD_CLOCKS: f64 = 0.1;
/// Dispatchers that start each payer's requests by a clock: hardly one in twenty.
const DEALT_BY_CLOCK: f64 = 0.05;
/// A mean over pairs of minutes is never taken to be more exact.
const MINUTES_ERROR_MIN: f64 = 0.02;

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::Notes;

    fn signals(seconds: i64, text: &str) -> Signals {
        let record = format!(
            r#"{{"time":"{}","account":"a","request":{{"messages":[{{"role":"user","content":"{text}"}}]}}}}"#,
            Time::from_seconds(seconds)
        );
        let mut seen = None;
        exchange::read_exchanges(&record, &mut Notes::default(), &mut |exchange| seen = Some(signals::of(&exchange)))
            .unwrap();
        seen.unwrap()
    }

    /// Words of a subject, by the number of a request: fifty words a subject, of which each request has eight.
    fn words(subject: u64, request: u64) -> String {
        let word = |i: u64| (request * 7919 + i * 104_729) % 50 + subject * 50;
        (0..8).map(|i| format!("w{}x", letters(word(i)))).collect::<Vec<_>>().join(" ")
    }

    fn letters(number: u64) -> String {
        number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
    }

    const TEMPLATE: &str = "Say what you make of these words and of how they belong together";

    #[test]
    fn accounts_of_one_stream_are_interchangeable_and_people_are_not() {
        let of = |subject: fn(u64, u64) -> u64| {
            let mut likeness = Likeness::default();
            for i in 0..600_u64 {
                let text = format!("{TEMPLATE}: {}", words(subject(i % 30, i), i));
                likeness.count(Hash(i % 30), &signals(i as i64 * 997, &text), true);
            }
            likeness.words().unwrap()
        };
        let dealt = of(|_, request| (request.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) % 12);
        let people = of(|account, _| account % 12);
        assert!(dealt.value.abs() < 0.02, "{dealt:?}");
        assert!(people.value > 0.1 && people.value > 10.0 * people.error, "{people:?}");
    }

    #[test]
    fn some_strangers_do_not_speak_for_a_group() {
        let mut likeness = Likeness::default();
        let mut ask = |account: u64, subject: u64, i: u64| {
            let text = format!("{TEMPLATE}: {}", words(subject, i));
            likeness.count(Hash(account), &signals(i as i64 * 997, &text), true);
        };
        for i in 0..480_u64 {
            ask(i % 120, (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) % 12, i);
        }
        // Three send sixteen times as much, each on one subject.
        for i in 480..672 {
            ask(120 + i % 3, 20 + i % 3, i);
        }
        let words = likeness.words().unwrap();
        // Without the bound on what one account weighs, or on how far a piece counts, both are larger.
        assert!(words.value < 0.006 && words.error < 0.008, "{words:?}");
    }

    #[test]
    fn people_keep_their_hours_and_a_dispatcher_has_none() {
        let of = |second_of_day: fn(i64, i64) -> i64| {
            let mut likeness = Likeness::default();
            for day in 0..6 {
                for account in 0..24 {
                    let seconds = day * DAY + second_of_day(account, day);
                    likeness.count(Hash(account as u64), &signals(seconds, "anything at all"), true);
                }
            }
            likeness.hours().unwrap()
        };
        let people = of(|account, day| account * 3600 + day * 300);
        let dealt = of(|account, day| (account * 7 + day * 11) % 24 * 3600);
        assert!(people.value > 0.5, "{people:?}");
        assert!(dealt.value.abs() < 0.15, "{dealt:?}");
        // A group that works on one afternoon and the night after shows nothing by that.
        let event = of(|account, day| if day == 0 { 64_800 + account * 600 } else { account * 600 });
        assert!(event.value.abs() < 0.15, "{event:?}");
    }

    #[test]
    fn a_cron_job_is_a_strict_clock_and_a_dispatcher_is_none() {
        let of = |second: fn(i64, i64) -> i64| {
            let mut likeness = Likeness::default();
            for beat in 0..12 {
                for account in 0..24 {
                    let seconds = beat * 4 * HOUR + second(account, beat);
                    likeness.count(Hash(account as u64), &signals(seconds, "anything at all"), true);
                }
            }
            likeness.clocks()
        };
        assert!(of(|account, beat| account * 149 + beat % 3) > 1.2);
        assert!(of(|account, beat| (account * 7919 + beat * 104_729) % HOUR) < -0.9);
        assert!(of(|_, beat| 60 + beat % 3) > 1.2, "everybody's at the full hour");
        assert_eq!(Likeness::default().clocks(), 0.0);
    }

    #[test]
    fn only_days_apart_have_hours_to_compare() {
        let mut likeness = Likeness::default();
        for i in 0..200 {
            likeness.count(Hash((i % 20) as u64), &signals(i64::from(i) * 100, "anything at all"), true);
        }
        assert_eq!(likeness.hours(), None);
        assert!(likeness.concentrated());
    }

    #[test]
    fn without_room_no_payer_is_new() {
        let mut likeness = Likeness::default();
        (0..WARM_UP).for_each(|i| assert!(!likeness.count(Hash(u64::from(i)), &signals(0, "anything at all"), true)));
        assert!(likeness.count(Hash(1), &signals(0, "anything at all"), true));
        assert!(!likeness.count(Hash(1), &signals(0, "anything at all"), false), "known, and counted on");
        assert!(!likeness.count(Hash(2), &signals(0, "anything at all"), false));
        assert_eq!((likeness.followed(), likeness.left_out()), (1, 1));
    }

    #[test]
    fn payers_are_followed_up_to_the_limit() {
        let mut likeness = Likeness::default();
        for i in 0..(LIKENESS_PAYERS_MAX as u32 + WARM_UP + 1) {
            likeness.count(Hash(u64::from(i)), &signals(0, "anything at all"), true);
        }
        assert_eq!((likeness.payers.len(), likeness.left_out()), (LIKENESS_PAYERS_MAX, 1));
        likeness.count(Hash(u64::from(WARM_UP)), &signals(0, "anything at all"), true);
        assert_eq!(
            likeness.payers.get(&Hash(u64::from(WARM_UP))).map(|own| own.words.count),
            Some(2),
            "those within are counted on"
        );
    }
}
