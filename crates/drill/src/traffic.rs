//! The traffic of a drill: who is who, what was sent and what was answered, and since when next to nothing of the campaign is answered.
//!
//! Promises that what is sent and what is answered add up, and that a campaign counts as contained only where enough of its requests were looked at.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// Who is who, which the team does not know. Those count who sent something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Accounts of campaigns.
    pub campaign: BTreeSet<String>,
    /// All others.
    pub honest: BTreeSet<String>,
    /// Exchanges that campaigns send in the whole drill.
    pub campaign_exchanges: u64,
}

/// What was sent and answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// Exchanges that campaigns sent.
    pub campaign_sent: u64,
    /// Those of them that were answered.
    pub campaign_answered: u64,
    /// Exchanges that campaigns sent after detection named one.
    pub after_detection_sent: u64,
    /// Those of them that were answered.
    pub after_detection_answered: u64,
    /// Exchanges of everybody else.
    pub honest_sent: u64,
    /// Those of them that were not answered.
    pub honest_refused: u64,
}

/// What was sent and answered in a sixtieth of the traffic's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// Exchanges of campaigns that were answered.
    pub campaign_answered: u64,
    /// Exchanges of campaigns that were not.
    pub campaign_refused: u64,
    /// Exchanges of everybody else that were answered.
    pub honest_answered: u64,
    /// Exchanges of everybody else that were not.
    pub honest_refused: u64,
}

/// Into how many slices the traffic's time is divided.
pub const SLICES: usize = 60;

/// How many of the campaign's requests are looked at, to tell whether it is contained.
const WINDOW: usize = 40;
/// Of these so many may be answered where it is contained.
const CONTAINED_MAX: usize = WINDOW / 10;
/// And where so many are answered again, it is no longer.
const REOPENED_MIN: usize = WINDOW / 2;
const _: () = assert!(CONTAINED_MAX < REOPENED_MIN, "nothing is contained and open at once");

/// What happens to the traffic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    counted: Counted,
    slices: Vec<Slice>,
    /// The last requests of the campaign, and whether each was answered.
    last: VecDeque<(Moment, bool)>,
    first: Option<Moment>,
    contained: Option<Moment>,
    reopened: u32,
}

/// What changed about containment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Change {
    /// Next to nothing is answered, since that moment.
    Contained(Moment),
    /// Much is answered again.
    Reopened,
}

impl Flow {
    /// A request was sent.
    pub(crate) fn sent(
        &mut self,
        at: Moment,
        share: f64,
        is_of_campaign: bool,
        is_answered: bool,
        is_detected: bool,
    ) -> Option<Change> {
        self.slice(share, is_of_campaign, is_answered);
        let counted = &mut self.counted;
        if !is_of_campaign {
            counted.honest_sent += 1;
            counted.honest_refused += u64::from(!is_answered);
            return None;
        }
        self.first.get_or_insert(at);
        counted.campaign_sent += 1;
        counted.campaign_answered += u64::from(is_answered);
        if is_detected {
            counted.after_detection_sent += 1;
            counted.after_detection_answered += u64::from(is_answered);
        }
        self.last.push_back((at, is_answered));
        if self.last.len() > WINDOW {
            self.last.pop_front();
        }
        let answered = self.last.iter().filter(|(_, is_answered)| *is_answered).count();
        if self.contained.is_none() && self.last.len() == WINDOW && answered <= CONTAINED_MAX {
            // Since the first of them that was refused.
            let since = self.last.iter().find(|(_, is_answered)| !is_answered).map_or(at, |(since, _)| *since);
            self.contained = Some(since);
            return Some(Change::Contained(since));
        }
        if self.contained.is_some() && answered >= REOPENED_MIN {
            self.contained = None;
            self.reopened += 1;
            return Some(Change::Reopened);
        }
        None
    }

    fn slice(&mut self, share: f64, is_of_campaign: bool, is_answered: bool) {
        self.slices.resize(SLICES, Slice::default());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "held to what there is"
        )]
        let at = (share * SLICES as f64).clamp(0.0, (SLICES - 1) as f64) as usize;
        let Some(slice) = self.slices.get_mut(at) else { return };
        *match (is_of_campaign, is_answered) {
            (true, true) => &mut slice.campaign_answered,
            (true, false) => &mut slice.campaign_refused,
            (false, true) => &mut slice.honest_answered,
            (false, false) => &mut slice.honest_refused,
        } += 1;
    }

    /// What was sent and answered, by slices of the traffic's time.
    pub(crate) fn slices(&self) -> &[Slice] {
        &self.slices
    }

    /// What was sent and answered so far.
    pub(crate) fn counted(&self) -> Counted {
        self.counted
    }

    /// When the campaign sent its first request.
    pub(crate) fn first(&self) -> Option<Moment> {
        self.first
    }

    /// Since when next to nothing of the campaign is answered.
    pub(crate) fn contained(&self) -> Option<Moment> {
        self.contained
    }

    /// How often much was answered again after that.
    pub(crate) fn reopened(&self) -> u32 {
        self.reopened
    }
}
