//! A playbook that somebody walks through: what is done, by whom and when, and what is to be done next.
//!
//! Promises that a step is done only while it is to be done, and that steps which run at once are all done before what comes after them.

use exchange::Time;
use serde::{Deserialize, Serialize};

use crate::cacao::{Playbook, StepKind};
use crate::limits::{DONE_MAX, NOTE_BYTES_MAX};

const KIND: &str = "stillwatch playbook run 1";

/// A playbook that somebody walks through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    kind: String,
    /// What it is called: `run_1`, `run_2`, ….
    pub id: String,
    /// Which playbook.
    pub playbook: String,
    /// Which version of it.
    pub modified: String,
    /// The case that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// Who began it.
    pub by: String,
    /// When.
    pub since: Time,
    /// What is done, in its order.
    pub done: Vec<Done>,
    /// What is to be done: paths through steps that run at once, each with the step it is at.
    tracks: Vec<Track>,
}

/// A path through a playbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Track {
    /// The step that is to be done.
    at: String,
    /// Within which steps that run at once, the innermost last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    within: Vec<String>,
}

/// A step that somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// Which.
    pub step: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Who.
    pub by: String,
    /// When.
    pub at: Time,
    /// What they noted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is done, or the answer is yes.
    Done,
    /// It failed, or the answer is no.
    Failed,
}

/// Why a step is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// It is another playbook, or another version of it.
    #[error("the run is of another version of the playbook: of {0}")]
    OtherVersion(String),
    /// It is not to be done now.
    #[error("`{0}` is not to be done now")]
    NotNow(String),
    /// More is noted than there is room for.
    #[error("expected a note of at most {NOTE_BYTES_MAX} bytes")]
    NoteTooLong,
    /// More was done than there is room for.
    #[error("{DONE_MAX} steps were done; begin another run")]
    TooMany,
}

impl Run {
    /// Begins to walk through a playbook.
    #[must_use]
    pub fn begin(playbook: &Playbook, id: String, case: Option<String>, by: String, since: Time) -> Run {
        let mut run = Run {
            kind: KIND.to_owned(),
            id,
            playbook: playbook.id.clone(),
            modified: playbook.modified.clone(),
            case,
            by,
            since,
            done: Vec::new(),
            tracks: vec![Track { at: playbook.start().to_owned(), within: Vec::new() }],
        };
        run.settle(playbook);
        run
    }

    /// Whether this is what such a file says that it is.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.kind == KIND
    }

    /// The steps that are to be done now.
    #[must_use]
    pub fn next(&self) -> Vec<&str> {
        self.tracks.iter().map(|track| track.at.as_str()).collect()
    }

    /// Whether all is done.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.tracks.is_empty()
    }

    /// Does a step that is to be done now.
    ///
    /// # Errors
    ///
    /// When it is not, or the run is of another version of the playbook.
    pub fn step(&mut self, playbook: &Playbook, done: Done) -> Result<(), NotDone> {
        if self.playbook != playbook.id || self.modified != playbook.modified {
            return Err(NotDone::OtherVersion(self.modified.clone()));
        }
        if done.note.len() > NOTE_BYTES_MAX {
            return Err(NotDone::NoteTooLong);
        }
        if self.done.len() >= DONE_MAX {
            return Err(NotDone::TooMany);
        }
        let not_now = || NotDone::NotNow(done.step.escape_debug().to_string());
        let track = self.tracks.iter_mut().find(|track| track.at == done.step).ok_or_else(not_now)?;
        let step = playbook.step(&done.step).ok_or_else(not_now)?;
        track.at = match (&step.kind, done.outcome) {
            (StepKind::Action { then, .. }, Outcome::Done) => then.clone(),
            (StepKind::Action { otherwise, .. }, Outcome::Failed) => otherwise.clone(),
            (StepKind::Condition { yes, .. }, Outcome::Done) => yes.clone(),
            (StepKind::Condition { no, .. }, Outcome::Failed) => no.clone(),
            _ => return Err(not_now()),
        };
        self.done.push(done);
        self.settle(playbook);
        Ok(())
    }

    /// Goes on over steps at which nobody does anything.
    fn settle(&mut self, playbook: &Playbook) {
        // Each turn leaves a start, ends a track, or opens steps that run at once. Steps that run at once are apart, so there are never more tracks than
        // steps; a circle of nothing but such steps would go on for ever, and stands still.
        for _ in 0..DONE_MAX {
            let idle = self.tracks.iter().position(|track| {
                playbook
                    .step(&track.at)
                    .is_none_or(|step| !matches!(step.kind, StepKind::Action { .. } | StepKind::Condition { .. }))
            });
            let Some(at) = idle else { return };
            let track = self.tracks.remove(at);
            match playbook.step(&track.at).map(|step| &step.kind) {
                Some(StepKind::Start { then }) => self.tracks.push(Track { at: then.clone(), within: track.within }),
                Some(StepKind::Parallel { branches, .. }) => {
                    let mut within = track.within.clone();
                    within.push(track.at.clone());
                    self.tracks
                        .extend(branches.iter().map(|branch| Track { at: branch.clone(), within: within.clone() }));
                }
                // An end ends what it is within, once nothing else is within that any more.
                _ => {
                    let mut within = track.within;
                    let Some(around) = within.pop() else { continue };
                    let is_last = !self.tracks.iter().any(|other| other.within.contains(&around));
                    if let (true, Some(StepKind::Parallel { then, .. })) =
                        (is_last, playbook.step(&around).map(|step| &step.kind))
                    {
                        self.tracks.push(Track { at: then.clone(), within });
                    }
                }
            }
        }
    }
}
