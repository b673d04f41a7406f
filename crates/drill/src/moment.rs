//! When something happens in a drill: for the team, and for the staging instance, whose clock runs faster.

use exchange::Time;
use serde::{Deserialize, Serialize};

/// A moment of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Seconds since the drill began, as the team lives them.
    pub seconds: f64,
    /// What time it is for the staging instance.
    pub staging: Time,
    /// Which share of the campaign's exchanges had been sent, answered or not, from 0 to 1.
    pub sent: f64,
}

impl Moment {
    /// Minutes and seconds since the drill began, such as `12:05`.
    #[must_use]
    pub fn clock(self) -> String {
        clock(self.seconds)
    }
}

/// Minutes and seconds, such as `12:05`.
#[must_use]
pub fn clock(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held between zero and what fits")]
    let whole = seconds.clamp(0.0, 1e9) as u64;
    format!("{}:{:02}", whole / 60, whole % 60)
}
