//! What changed since somebody was last here, in a few lines.

use std::sync::Arc;

use exchange::Time;
use findings::Findings;
use report::words::{either, grouped};

use crate::context::Console;
use crate::hunt::HuntState;
use crate::hunts;
use crate::verdicts::book;

/// Something that changed, and where it stands.
pub(crate) struct Changed {
    pub(crate) what: String,
    pub(crate) to: &'static str,
}

/// Everything that changed since a time.
pub(crate) async fn since(console: &Arc<Console>, findings: Option<&Findings>, time: Time) -> Vec<Changed> {
    let registry = &console.admin.registry;
    let is_new = |when: Time| when > time;
    let mut changed = Vec::new();
    let mut tell = |count: usize, one: &str, many: &str, to: &'static str| {
        if count > 0 {
            changed
                .push(Changed { what: format!("{} {}", grouped(count as u64), either(count as u64, one, many)), to });
        }
    };
    if let Some(findings) = findings {
        let detected = findings.campaigns.iter().filter(|campaign| is_new(campaign.detected_at)).count();
        tell(detected, "campaign was detected", "campaigns were detected", "/campaigns");
        let active =
            findings.campaigns.iter().filter(|campaign| !is_new(campaign.detected_at) && is_new(campaign.last_seen));
        tell(active.count(), "known campaign went on", "known campaigns went on", "/campaigns");
    }
    let responses = registry.responses().await;
    let taken = responses.iter().filter(|(response, _)| is_new(response.since)).count();
    tell(taken, "response was taken", "responses were taken", "/responses");
    let undone =
        responses.iter().filter(|(response, _)| response.undone.as_ref().is_some_and(|undone| is_new(undone.time)));
    tell(undone.count(), "response was undone", "responses were undone", "/responses");
    let appeals = registry.appeals().await;
    let entered = appeals.iter().filter(|appeal| is_new(appeal.since)).count();
    tell(entered, "appeal was entered", "appeals were entered", "/responses#appeals");
    let decided =
        appeals.iter().filter(|appeal| appeal.ruling.as_ref().is_some_and(|ruling| is_new(ruling.time))).count();
    tell(decided, "appeal was decided", "appeals were decided", "/responses#appeals");
    let labels = book(console).await.map(|book| book.labels).unwrap_or_default();
    let said = labels.iter().filter(|entry| is_new(entry.label.time)).count();
    tell(said, "verdict was given", "verdicts were given", "/clusters#verdicts");
    let cases = registry.cases().await;
    let opened = cases.iter().filter(|case| is_new(case.since)).count();
    tell(opened, "case was opened", "cases were opened", "/cases");
    let noted =
        cases.iter().filter(|case| !is_new(case.since) && case.notes.iter().any(|note| is_new(note.time))).count();
    tell(noted, "older case has new notes", "older cases have new notes", "/cases");
    let versions = registry.policy_versions().await.iter().filter(|version| is_new(version.since)).count();
    tell(
        versions,
        "version of the policies was applied",
        "versions of the policies were applied",
        "/policies#versions",
    );
    let hunts = hunts::known(console).await.unwrap_or_default();
    let ended = |wanted: fn(&HuntState) -> Option<Time>| {
        hunts.iter().filter(|hunt| wanted(&hunt.state).is_some_and(is_new)).count()
    };
    let found = ended(|state| match state {
        HuntState::Done { at, campaigns: 1.., .. } => Some(*at),
        _ => None,
    });
    tell(found, "hunt found somebody", "hunts found somebody", "/hunts");
    let failed = ended(|state| match state {
        HuntState::Failed { at, .. } => Some(*at),
        _ => None,
    });
    tell(failed, "hunt did not come to its end", "hunts did not come to their end", "/hunts");
    changed
}
