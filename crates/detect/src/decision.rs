//! From evidence to a verdict: what must come together before a group is reported.
//!
//! Three questions have causes of their own, so their evidence multiplies: is the *work* divided as by a dispatcher
//! (evenness, rhythm, work queue), do the accounts have a common *origin* (sign-up, infrastructure), is what they ask worth
//! *taking* (intent)? Within origin the e-values are averaged, since one event — a class, a hackathon — explains both; and
//! where the accounts come from one place, such an event is the simplest explanation of origin, which then counts nothing.
//! A group is reported when the product crosses the threshold, at least two questions say yes on their own (or work leaves no
//! doubt, where nothing is known of origin), and nothing says no: work that overlaps, or rates as uneven as people's, clear a group whatever else it shows.

use crate::evalue;
use crate::evidence::infrastructure::Place;
use crate::finding::{Evidence, SignalFamily};
use crate::number::{counted, either};

/// A verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The evidence that counts.
    pub log10_e: f64,
    /// Why the group is not reported, when it is not.
    pub cleared: Option<String>,
}

/// Decides on a group of `payers`.
#[must_use]
pub fn decide(evidence: &[Evidence], place: Place, payers: usize, log10_threshold: f64) -> Decision {
    let of = |family: SignalFamily| evidence.iter().find(|e| e.family == family).map(|e| e.log10_e);
    let rhythm = of(SignalFamily::Rhythm).unwrap_or(0.0);
    // A dispatcher may imitate how unevenly people use things, but a lesson or a timer is as even as a dispatcher.
    let evenness = of(SignalFamily::Evenness).unwrap_or(0.0).max(UNEVEN_MIN);
    let evenness = if rhythm <= IN_SITTINGS { evenness.min(EVEN_IN_SITTINGS_MAX) } else { evenness };
    let work_queue = of(SignalFamily::WorkQueue).unwrap_or(0.0);
    let origin: Vec<f64> = [SignalFamily::SignUp, SignalFamily::Infrastructure]
        .into_iter()
        .filter_map(of)
        .map(|log10_e| log10_e * std::f64::consts::LN_10)
        .collect();
    let origin_unknown = origin.is_empty();
    let origin = match place {
        Place::One => 0.0,
        Place::Many => evalue::log10(evalue::mean(&origin)),
    };
    let purpose = of(SignalFamily::Intent).unwrap_or(0.0);
    let work = evenness + rhythm + work_queue;
    let log10_e = work + origin + purpose + conduct(evidence);
    // Where nothing is known of sign-up and infrastructure, a single question can be enough if the answer leaves no doubt.
    let alone = origin_unknown && evenness + rhythm >= WORK_ALONE && rhythm >= RHYTHM_ALONE;
    let saying_yes = [work >= WORK_YES, origin >= YES, purpose >= YES].into_iter().filter(|&yes| yes).count();
    let cleared = if payers == 0 {
        Some("nobody has taken part since it was noticed".into())
    } else if payers < PAYERS_MIN {
        let take = either(payers as u64, "takes", "take");
        Some(format!("only {} {take} part since it was noticed", counted(payers as u64, "payer")))
    } else if work_queue <= NO {
        Some(
            "the accounts ask the same things, as a class, a benchmark or a load test does; a work list would be split"
                .into(),
        )
    } else if evenness <= NO && evenness + rhythm <= NO {
        Some(
            "the accounts use it as unevenly as unrelated people use a popular tool, and in sittings as they do".into(),
        )
    } else if log10_e < log10_threshold {
        Some(format!("the evidence (10^{log10_e:.1}) does not reach the threshold (10^{log10_threshold:.1})"))
    } else if saying_yes < QUESTIONS_MIN && !alone && place == Place::One {
        Some("the accounts come from one place, as a class, an office or an event does, and nothing else sets them apart".into())
    } else if saying_yes < QUESTIONS_MIN && !alone {
        Some("only one kind of evidence speaks for it: that is not enough for a finding".into())
    } else {
        None
    };
    Decision { log10_e, cleared }
}

/// What the signs of conduct come to: their average, since one cause, a program on a timer, may explain all of them. They are no
/// question of their own.
fn conduct(evidence: &[Evidence]) -> f64 {
    let signs = [SignalFamily::Silence, SignalFamily::Takeover, SignalFamily::Pivot, SignalFamily::Reply];
    let of = evidence.iter().filter(|piece| signs.contains(&piece.family));
    let lns: Vec<f64> = of.map(|piece| piece.log10_e * std::f64::consts::LN_10).collect();
    if lns.is_empty() { 0.0 } else { evalue::log10(evalue::mean(&lns)) }
}

/// Fewer payers are no group.
const PAYERS_MIN: usize = 6;
/// A question says yes from here on (log10).
const YES: f64 = 0.5;
/// Work is split rather than used from here on: it is the question that parts a campaign from an event.
const WORK_YES: f64 = 1.0;
/// Evenness and rhythm are enough alone, where the origin is not known, from here on (log10), and
const WORK_ALONE: f64 = 8.0;
/// only with this much of rhythm.
const RHYTHM_ALONE: f64 = 2.0;
/// A question says no from here down (log10).
const NO: f64 = -1.0;
/// Uneven use speaks against a campaign this much at most.
const UNEVEN_MIN: f64 = -2.0;
/// Rhythm says that use comes in sittings from here down (log10).
const IN_SITTINGS: f64 = -2.0;
/// Even use that comes in sittings speaks for one this much at most.
const EVEN_IN_SITTINGS_MAX: f64 = 1.0;
/// Questions that must say yes.
const QUESTIONS_MIN: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(pieces: &[(SignalFamily, f64)], place: Place, payers: usize) -> Option<String> {
        let evidence: Vec<Evidence> = pieces
            .iter()
            .map(|&(family, log10_e)| Evidence { family, log10_e, counts: true, text: String::new(), observations: 1 })
            .collect();
        decide(&evidence, place, payers, 3.0).cleared
    }

    #[test]
    fn two_questions_must_say_yes_and_none_no() {
        use SignalFamily::{Evenness, Infrastructure, Intent, Rhythm, SignUp, WorkQueue};
        for (pieces, payers, reported) in [
            (vec![(Evenness, 5.0), (Intent, 1.0)], 50, true),
            (vec![(Evenness, 5.0), (SignUp, 4.0)], 50, true),
            (vec![(Evenness, 6.0)], 50, false),
            (vec![(Evenness, 6.0), (Rhythm, 3.0)], 50, true),
            (vec![(Evenness, 6.0), (Rhythm, 1.9)], 50, false),
            (vec![(Evenness, 6.0), (Rhythm, 3.0), (SignUp, 0.0)], 50, false),
            (vec![(Evenness, 6.0), (Rhythm, 3.0), (WorkQueue, -1.0)], 50, false),
            (vec![(SignUp, 6.0), (Infrastructure, 6.0)], 50, false),
            (vec![(Evenness, 5.0), (WorkQueue, -3.0), (SignUp, 6.0)], 50, false),
            (vec![(Evenness, -4.0), (SignUp, 6.0), (Intent, 1.3)], 50, false),
            (vec![(Evenness, 1.0), (Intent, 1.0)], 50, false),
            (vec![(Evenness, 5.0), (Intent, 1.0)], PAYERS_MIN, true),
            (vec![(Evenness, 5.0), (Intent, 1.0)], PAYERS_MIN - 1, false),
            (vec![], 50, false),
        ] {
            assert_eq!(decided(&pieces, Place::Many, payers).is_none(), reported, "{pieces:?} {payers}");
        }
    }

    #[test]
    fn one_place_explains_origin() {
        use SignalFamily::{Evenness, Infrastructure, Intent, SignUp};
        let event = [(Evenness, 5.0), (SignUp, 6.0), (Infrastructure, 6.0)];
        assert!(decided(&event, Place::Many, 50).is_none());
        assert!(decided(&event, Place::One, 50).is_some());
        assert!(decided(&[(Evenness, 5.0), (SignUp, 6.0), (Intent, 1.0)], Place::One, 50).is_none());
    }

    #[test]
    fn origin_counts_once() {
        let piece = |family, log10_e| Evidence { family, log10_e, counts: true, text: String::new(), observations: 1 };
        let both = [piece(SignalFamily::SignUp, 4.0), piece(SignalFamily::Infrastructure, 4.0)];
        assert!((decide(&both, Place::Many, 50, 3.0).log10_e - 4.0).abs() < 1e-9);
    }
}
