//! The log of a running gateway: one JSON object a line on standard error.

use gateway::clock::{Clock as _, SystemClock};

/// One line of the log, as JSON on standard error. Nothing that a caller wrote goes here.
pub(crate) fn say(message: &str) {
    eprintln!("{}", serde_json::json!({"time": SystemClock.now(), "message": message}));
}
