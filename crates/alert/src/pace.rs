//! How failed deliveries are tried again: pauses that double, up to a longest one, and an end.
//!
//! Chance is handed in, so that many who failed at once do not come back at once, and tests know what comes.

use std::time::Duration;

use crate::limits::{PAUSE_MAX, PAUSE_MIN, RETRY_TIME_MAX};

/// How often is tried, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The first pause.
    pub pause_min: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// How long after it came up an alert is tried again.
    pub time_max: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { pause_min: PAUSE_MIN, pause_max: PAUSE_MAX, time_max: RETRY_TIME_MAX }
    }
}

impl Pace {
    /// How long is waited after so many failures in a row, the first being 0: from half of the pause to all of it, by `random`.
    #[must_use]
    pub fn pause(&self, failures: u32, random: u64) -> Duration {
        let whole = self.pause_min.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX)).min(self.pause_max);
        // Bits of a number that a float holds exactly.
        let part = f64::from(u32::try_from(random >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        whole.mul_f64(0.5 + part / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_chance_takes_at_most_half_away() {
        let pace = Pace::default();
        assert_eq!(pace.pause(0, u64::MAX), PAUSE_MIN);
        assert_eq!(pace.pause(0, 0), PAUSE_MIN / 2);
        assert_eq!(pace.pause(3, u64::MAX), PAUSE_MIN * 8);
        // 2 s, doubled eight times, is less than ten minutes; doubled nine times it is more.
        assert_eq!(pace.pause(8, u64::MAX), PAUSE_MIN * 256);
        for failures in [9, 31, 32, u32::MAX] {
            assert_eq!(pace.pause(failures, u64::MAX), PAUSE_MAX, "{failures}");
        }
    }
}
