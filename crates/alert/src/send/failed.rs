//! Why an alert was not delivered, in words that may stand in the log.

use std::io;

use crate::limits::ATTEMPT_TIME_MAX;

/// Why an alert was not delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failed {
    /// No answer in time.
    #[error("it did not answer within {} s", ATTEMPT_TIME_MAX.as_secs())]
    Slow,
    /// It cannot be reached, or broke off.
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    /// It answered something else than that it took it.
    #[error("it answered {0}")]
    Status(u16),
    /// It refused for good, or the alert cannot be written for it.
    #[error("it refused for good: {0}")]
    ForGood(String),
}

impl Failed {
    /// Whether trying again is of no use.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Failed::ForGood(_))
    }
}
