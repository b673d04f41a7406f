//! When requests come: rates, gaps and the hours of the day.
//!
//! Organic rates are heavy-tailed and arrivals are bursty: production clients have coefficients of variation of their
//! inter-arrival times above one, best fitted by gamma or Weibull renewal processes whose rate changes over the day
//! (ServeGen, Xiang et al., 2025). Without corpora the shapes below are parameters chosen to resemble that, not fits.

use rand::{Rng, RngExt};

use crate::draw::{exponential, gamma_mean_one, lognormal, rounded, weibull_mean_one};

/// Milliseconds since the scenario's start.
pub(crate) type Ms = i64;

pub(crate) const MINUTE: Ms = 60_000;
pub(crate) const HOUR: Ms = 60 * MINUTE;
pub(crate) const DAY: Ms = 24 * HOUR;

/// The day of a program that sends requests: relative rate and burstiness by ten-minute window.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub windows: Vec<Window>,
}

/// Ten minutes of a day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Which of the day, 0 to 143.
    pub number: u8,
    /// Requests per second, in any unit that is the same for all windows.
    pub rate: f64,
    /// The renewal process.
    pub gaps: Gaps,
}

/// The law of inter-arrival times.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gaps {
    /// Gamma of this shape.
    Gamma(f64),
    /// Weibull of this shape.
    Weibull(f64),
}

impl Profile {
    /// Traffic that follows the waking hours `utc_offset` hours east of UTC, more or less.
    pub(crate) fn diurnal(utc_offset: f64, depth: f64, rng: &mut impl Rng) -> Profile {
        let shape = lognormal(rng, 0.5, 0.5).clamp(0.1, 3.0);
        let windows = (0..144).map(|number| {
            let hour = (f64::from(number) / 6.0 + utc_offset).rem_euclid(24.0);
            let rate = 1.0 + depth * libm::cos((hour - 14.5) / 24.0 * std::f64::consts::TAU);
            Window { number, rate: rate.max(0.01), gaps: Gaps::Gamma(shape) }
        });
        Profile { windows: windows.collect() }
    }

    /// A job that runs from `hour` UTC for `hours`.
    pub(crate) fn nightly(hour: f64, hours: f64) -> Profile {
        let runs = |number: u8| (f64::from(number) / 6.0 - hour).rem_euclid(24.0) < hours;
        let windows = (0..144_u8).filter(|&number| runs(number));
        let windows = windows.map(|number| Window { number, rate: 1.0, gaps: Gaps::Gamma(4.0) });
        Profile { windows: windows.collect() }
    }

    /// Arrivals of `mean` a day, from `from` to `to`.
    pub(crate) fn arrivals(&self, mean: f64, from: Ms, to: Ms, rng: &mut impl Rng) -> Vec<Ms> {
        let total: f64 = self.windows.iter().map(|window| window.rate * 600.0).sum();
        let mut times = Vec::new();
        for day in from.div_euclid(DAY)..=to.div_euclid(DAY) {
            for window in &self.windows {
                let expected = mean * window.rate * 600.0 / total.max(1e-9);
                let start = day * DAY + i64::from(window.number) * 10 * MINUTE;
                window.gaps.fill(expected, start, 10 * MINUTE, rng, |time| {
                    if (from..to).contains(&time) {
                        times.push(time);
                    }
                });
            }
        }
        times
    }
}

impl Gaps {
    fn fill(mut self, expected: f64, start: Ms, length: Ms, rng: &mut impl Rng, mut each: impl FnMut(Ms)) {
        if expected <= 0.0 {
            return;
        }
        // Shapes of measured windows can be extreme; the laws are drawn within what their samplers hold to.
        match &mut self {
            Gaps::Gamma(shape) => *shape = shape.clamp(0.02, 1e4),
            Gaps::Weibull(shape) => *shape = shape.clamp(0.15, 1e2),
        }
        let mean_gap = length as f64 / expected;
        // The process is in its middle when the window opens: long gaps are met more often, at a random place.
        let met = match self {
            Gaps::Gamma(shape) => gamma_mean_one(rng, shape + 1.0) * (1.0 + 1.0 / shape),
            Gaps::Weibull(shape) => {
                let power = gamma_mean_one(rng, 1.0 + 1.0 / shape) * (1.0 + 1.0 / shape);
                libm::pow(power, 1.0 / shape) / libm::tgamma(1.0 + 1.0 / shape)
            }
        };
        let gap = |rng: &mut _| match self {
            Gaps::Gamma(shape) => mean_gap * gamma_mean_one(rng, shape),
            Gaps::Weibull(shape) => mean_gap * weibull_mean_one(rng, shape),
        };
        let mut at = rng.random::<f64>() * met * mean_gap;
        while at < length as f64 {
            each(start + at as Ms);
            at += gap(rng).max(1.0);
        }
    }
}

/// A person's habits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habit {
    /// Sessions a day.
    pub sessions: f64,
    /// Mean requests in a session.
    pub turns: f64,
    /// Hours east of UTC.
    pub utc_offset: f64,
    /// The local hour around which the person is active.
    pub hour: f64,
    /// Deviation in hours.
    pub spread: f64,
}

/// A session: when each request comes.
pub(crate) struct Session {
    pub times: Vec<Ms>,
}

impl Habit {
    /// Somebody's habits. Session rates are lognormal with deviation 1.3 of the logarithm: the busiest of a thousand
    /// people has some fifty times the median.
    pub(crate) fn draw(utc_offset: f64, median_sessions: f64, turns: f64, rng: &mut impl Rng) -> Habit {
        Habit {
            sessions: lognormal(rng, median_sessions, 1.3).min(60.0),
            turns: lognormal(rng, turns, 0.35).clamp(1.0, 12.0),
            utc_offset,
            hour: 14.0 + 4.0 * crate::draw::normal(rng),
            spread: rng.random_range(1.5..4.5),
        }
    }

    /// Sessions from `from` to `to`.
    pub(crate) fn sessions(&self, from: Ms, to: Ms, rng: &mut impl Rng) -> Vec<Session> {
        let mut sessions = Vec::new();
        for day in from.div_euclid(DAY) - 1..=to.div_euclid(DAY) {
            for _ in 0..crate::draw::poisson(rng, self.sessions) {
                let start = self.time_of(day, rng);
                let times = self.times(start, rng);
                let times: Vec<Ms> = times.into_iter().filter(|time| (from..to).contains(time)).collect();
                if !times.is_empty() {
                    sessions.push(Session { times });
                }
            }
        }
        sessions
    }

    /// A time of this day, in the person's hours.
    pub(crate) fn time_of(&self, day: i64, rng: &mut impl Rng) -> Ms {
        let local = self.hour + self.spread * crate::draw::normal(rng);
        day * DAY + ((local - self.utc_offset) * HOUR as f64) as Ms
    }

    /// A time before `end`, in the person's hours.
    pub(crate) fn time(&self, end: Ms, rng: &mut impl Rng) -> Ms {
        for _ in 0..TRIES {
            let at = self.time_of(rng.random_range(-1..=end.div_euclid(DAY) + 1), rng);
            if (0..end).contains(&at) {
                return at;
            }
        }
        rng.random_range(0..end.max(1))
    }

    /// Requests of one session: a geometric number, with reading and typing between.
    pub(crate) fn times(&self, start: Ms, rng: &mut impl Rng) -> Vec<Ms> {
        let more = 1.0 - 1.0 / self.turns.max(1.0);
        let mut times = vec![start];
        let mut at = start;
        while times.len() < TURNS_MAX && crate::draw::chance(rng, more) {
            at += (lognormal(rng, 70.0, 1.0) * 1000.0).max(2000.0) as Ms;
            times.push(at);
        }
        times
    }
}

/// An agent's run: a burst of calls, seconds apart.
pub(crate) fn agent_run(start: Ms, rng: &mut impl Rng) -> Vec<Ms> {
    let mean = lognormal(rng, 5.0, 0.7);
    let calls = rounded(rng, mean).clamp(1, TURNS_MAX as u32);
    let mut at = start;
    (0..calls)
        .map(|_| {
            let now = at;
            at += (exponential(rng, 6000.0) + 1500.0) as Ms;
            now
        })
        .collect()
}

/// How often a time is drawn before any will do.
const TRIES: u32 = 50;
/// The most requests in a session.
const TURNS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::stream;

    #[test]
    fn profiles_keep_their_mean_and_their_hours() {
        let mut rng = stream(1, &[]);
        let counts: Vec<usize> =
            (0..40).map(|_| Profile::diurnal(0.0, 0.8, &mut rng).arrivals(500.0, 0, 2 * DAY, &mut rng).len()).collect();
        let mean = counts.iter().sum::<usize>() as f64 / 40.0;
        assert!((850.0..1250.0).contains(&mean), "{mean}");
        for gaps in [Gaps::Gamma(0.1), Gaps::Gamma(5.0), Gaps::Weibull(0.5), Gaps::Weibull(3.0)] {
            let mut count = 0;
            (0..4000).for_each(|_| gaps.fill(5.0, 0, HOUR, &mut rng, |_| count += 1));
            assert!((18_000..22_000).contains(&count), "{gaps:?} gives {count} of 20000");
        }
        let nightly = Profile::nightly(23.0, 2.0).arrivals(300.0, 0, 3 * DAY, &mut rng);
        assert!(!nightly.is_empty());
        assert!(nightly.iter().all(|time| [23, 0].contains(&(time.rem_euclid(DAY) / HOUR))));
    }

    #[test]
    fn people_sleep_and_stay_within_the_span() {
        let mut rng = stream(2, &[]);
        let habit = Habit { sessions: 30.0, turns: 2.0, utc_offset: 0.0, hour: 14.0, spread: 2.0 };
        let sessions = habit.sessions(0, 10 * DAY, &mut rng);
        let times: Vec<Ms> = sessions.into_iter().flat_map(|session| session.times).collect();
        assert!((400..800).contains(&times.len()), "{}", times.len());
        let night = times.iter().filter(|time| (0..6).contains(&(time.rem_euclid(DAY) / HOUR))).count();
        assert!(night * 50 < times.len());
        assert!(times.iter().all(|time| (0..10 * DAY).contains(time)));
    }
}
