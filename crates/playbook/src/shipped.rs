//! Playbooks that come with the program.

use crate::cacao::Playbook;

const TEXTS: [(&str, &str); 3] = [
    ("campaign", include_str!("../playbooks/campaign.json")),
    ("weights", include_str!("../playbooks/weights.json")),
    ("appeal", include_str!("../playbooks/appeal.json")),
];

/// Each, by a short name.
#[must_use]
pub fn all() -> Vec<(&'static str, Playbook)> {
    // A test reads them.
    TEXTS.into_iter().filter_map(|(name, text)| Some((name, Playbook::read(text).ok()?))).collect()
}

/// The text of one, by its short name.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    TEXTS.into_iter().find(|(is, _)| *is == name).map(|(_, text)| text)
}
