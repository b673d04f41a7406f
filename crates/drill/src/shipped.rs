//! Exercises that come with the program.

use crate::exercise::Exercise;

const TEXTS: [(&str, &str); 6] = [
    ("tutorial", include_str!("../exercises/tutorial.toml")),
    ("hydra", include_str!("../exercises/hydra.toml")),
    ("failover", include_str!("../exercises/failover.toml")),
    ("four-requests", include_str!("../exercises/four-requests.toml")),
    ("reasoning", include_str!("../exercises/reasoning.toml")),
    ("false-alarm", include_str!("../exercises/false-alarm.toml")),
];

/// Each, in the order in which one would take them.
#[must_use]
pub fn all() -> Vec<Exercise> {
    // A test reads them.
    TEXTS.into_iter().filter_map(|(_, text)| Exercise::read(text).ok()).collect()
}

/// The text of one, by its name.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    TEXTS.into_iter().find(|(is, _)| *is == name).map(|(_, text)| text)
}
