//! What changed between two audits.

use crate::audit::{Audit, Finding};

/// What changed since another audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What was found now and not then, by its fingerprint.
    pub new: Vec<String>,
    /// What was found then and not now, though its rule looked.
    pub gone: Vec<Finding>,
    /// What was found then, whose rule did not look now.
    pub not_looked: Vec<Finding>,
}

impl Changes {
    /// From `before` to `now`. Of rules that did not look then, what is found now counts as new.
    #[must_use]
    pub fn between(before: &Audit, now: &Audit) -> Changes {
        let has =
            |audit: &Audit, fingerprint: &str| audit.findings.iter().any(|finding| finding.fingerprint == fingerprint);
        let looked = |rule: &str| {
            now.rules.iter().any(|ruled| ruled.id == rule && ruled.outcome != crate::audit::Outcome::NotLooked)
        };
        let left: Vec<&Finding> = before.findings.iter().filter(|finding| !has(now, &finding.fingerprint)).collect();
        let (gone, not_looked): (Vec<&Finding>, Vec<&Finding>) =
            left.into_iter().partition(|finding| looked(&finding.rule));
        // What was accepted then and is not any more is as if it were found for the first time.
        let was_open = |fingerprint: &str| before.open().any(|finding| finding.fingerprint == fingerprint);
        let new = now.findings.iter().filter(|finding| {
            if finding.accepted.is_some() {
                !has(before, &finding.fingerprint)
            } else {
                !was_open(&finding.fingerprint)
            }
        });
        Changes {
            new: new.map(|finding| finding.fingerprint.clone()).collect(),
            gone: gone.into_iter().cloned().collect(),
            not_looked: not_looked.into_iter().cloned().collect(),
        }
    }

    /// Whether it was not found before.
    #[must_use]
    pub fn is_new(&self, finding: &Finding) -> bool {
        self.new.contains(&finding.fingerprint)
    }
}
