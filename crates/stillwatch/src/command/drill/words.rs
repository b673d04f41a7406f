//! How what arrives in a drill is said.

use drill::exercise::{Milestone, Question};
use drill::moment::clock;
use drill::run::Arrived;
use report::words::printable;

/// Characters of a text that is printed.
const TEXT_CHARS: usize = 8_000;

/// The paragraphs of a text, each as one line.
pub(super) fn paragraphs(text: &str) -> impl Iterator<Item = String> {
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.filter(|paragraph| !paragraph.is_empty())
}

/// What somebody has to do, so that something counts as done.
pub(super) fn to_be_done(milestone: Milestone) -> &'static str {
    match milestone {
        Milestone::Detected => "wait until detection names the campaign",
        Milestone::Alerted => "wait until an alert tells of it",
        Milestone::Case => "open a case about the campaign: `Open a case about it` on its page",
        Milestone::Verdict => "say what a finding is, by a verdict",
        Milestone::Restricted => "respond by verify, a shared budget, a shield or a block",
        Milestone::Blocked => "block, and have it approved where that is needed",
        Milestone::Undone => "take a response back",
        Milestone::AppealDecided => "decide an appeal",
        Milestone::Contained => "respond so that next to nothing of the campaign is answered any more",
    }
}

/// An inject that arrived, for a terminal.
pub(super) fn told(arrived: &Arrived, deadline: Option<f64>) -> String {
    let inject = &arrived.inject;
    let plain = |text: &str| printable(text, TEXT_CHARS);
    let mut text = format!("\n[{}] {}: {}\n", arrived.at.clock(), plain(&inject.from), plain(&inject.title));
    for paragraph in paragraphs(&inject.text) {
        text.push_str(&format!("  {}\n", plain(&paragraph)));
    }
    if let Some(ask) = &inject.ask {
        match &ask.question {
            Question::Choice { options, .. } => {
                for (at, option) in options.iter().enumerate() {
                    text.push_str(&format!("    {}. {}\n", at + 1, plain(option)));
                }
            }
            Question::Do(milestone) => text.push_str(&format!("  To be done: {}.\n", to_be_done(*milestone))),
            Question::Number { .. } | Question::Words => {}
        }
        if let Some(until) = deadline {
            text.push_str(&format!("  Until {}.\n", clock(until)));
        }
    }
    text
}
