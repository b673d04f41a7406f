//! Work queue: is a list of items split without overlap?
//!
//! What varies in a template is the work item. A sharded list gives each item to one payer, or to a few when every item is
//! sampled several times. The statistic is the log-odds that another payer of the group asks for what one asked for. Weighed
//! against the deployment's own groups: free text hardly ever repeats, so where honest groups do not repeat either, disjoint items
//! say nothing.
//! Common items are no evidence against a campaign by themselves, since a dispatcher may ask few questions many times. What
//! tells a class, a benchmark or a load test is that each payer goes through the list *once*: fewer repeats within a payer
//! than items drawn at random would give ([`Overlap::once`]). That is a rival explanation.
//! Fails (says "disjoint") where the same item is worded anew each time.

use crate::signs::calibrate::{Number, Sign};
use crate::signs::distribution::Law;
use crate::signs::scene::{Scene, evidence};
use crate::state::trial::Items;
use findings::number::{counted, percent};
use findings::{Discovery, Estimate, Evidence, SignalFamily};

/// How the items of a group overlap.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overlap {
    /// The share of the other payers who ask for what one asked for, over all payers and what each asked for.
    pub common: f64,
    /// How much likelier (log10) it is that everybody goes through one list once than that each request is drawn from it at
    /// random; 0 where that cannot be told.
    pub once: f64,
}

impl Overlap {
    /// Of a group of `payers`; none where too little was seen.
    #[must_use]
    pub(crate) fn of(items: &Items, payers: usize) -> Option<Overlap> {
        let (_, asked) = totals(items);
        if asked < TRIALS_MIN || payers < 2 {
            return None;
        }
        let all = payers as f64;
        let again: f64 = items.iter().map(|(_, by)| by * (by - 1.0)).sum();
        let common = (again / (asked * (all - 1.0))).min(1.0);
        let (mut expected, mut repeats) = (0.0, 0.0);
        for (requests, by) in items.iter() {
            // How often the other payers draw it in the mean, by the share of them that draw it at all.
            let mean = -libm::log1p(-((by - 1.0) / (all - 1.0)).min(SHARE_MAX));
            // Who draws it at all draws it so much oftener than once.
            expected += if mean > 0.0 { by * (mean / -libm::expm1(-mean) - 1.0) } else { 0.0 };
            repeats += (f64::from(requests) - by).max(0.0);
        }
        // Poisson counts; a payer's requests depend on each other, as if there were half as many.
        let once = ((1.0 - AGAIN) * expected + repeats * libm::log(AGAIN)) / 2.0 / std::f64::consts::LN_10;
        Some(Overlap { common, once: once.clamp(-ONCE_MAX, ONCE_MAX) })
    }
}

/// The log-odds that another payer asks for the same.
#[must_use]
pub(crate) fn measure(items: &Items, payers: usize) -> Option<Estimate> {
    let (_, asked) = totals(items);
    Some(log_odds(Overlap::of(items, payers)?, asked, payers))
}

fn log_odds(overlap: Overlap, asked: f64, payers: usize) -> Estimate {
    let (yes, no) = (overlap.common * asked + 0.5, (1.0 - overlap.common) * asked + 0.5);
    let error = (2.0 * (1.0 / yes + 1.0 / no)).sqrt();
    Estimate { value: libm::log(yes / no), error, accounts: payers }
}

/// Weighs the overlap of items.
#[must_use]
pub(crate) fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let (items, payers) = (&scene.trial.items, scene.group.payers.len());
    let overlap = Overlap::of(items, payers)?;
    let (different, asked) = totals(items);
    let weight = scene.others.weigh(&SIGN, log_odds(overlap, asked, payers));
    let sent = match scene.cluster.discovery {
        Discovery::Text | Discovery::Variants => "The template was filled with",
        Discovery::Infrastructure | Discovery::Intent | Discovery::SignUp => "The group sent",
    };
    let what = if overlap.common < NONE {
        format!(
            "{sent} {}, and hardly any two payers sent the same one, as when one list of tasks is divided \
             among accounts.",
            counted(different, "different input")
        )
    } else {
        format!(
            "{sent} {}; on average {} of the other payers sent what one sent. A class, a benchmark or a \
             load test sends the same inputs from most accounts, once each.",
            counted(different, "different input"),
            percent(overlap.common)
        )
    };
    Some(evidence(SignalFamily::WorkQueue, weight.ln_e, asked as u64, format!("{what} {}", weight.basis())))
}

/// Different items, and payers that asked for one, summed over items.
fn totals(items: &Items) -> (u64, f64) {
    items.iter().fold((0, 0.0), |(different, asked), (_, by)| (different + 1, asked + by))
}

/// How honest groups and dispatched ones share items.
pub(crate) const SIGN: Sign = Sign {
    family: SignalFamily::WorkQueue,
    law: Law {
        scale: 0.0,
        // From free text that never repeats to one list for everybody, nearer to the first: so the mean of the ratio over simulated honest
        // groups is 1.12, where with -4 and 2.5 it was 1.33.
        honest: (-5.0, 2.0),
        dispatched: (-6.0, 1.5),
        // Lists of few questions, each asked many times.
        imitated: 0.3,
        smoothed: 0.5,
        one_sided: true,
    },
    number: Number::Items,
};
/// Fewer requests give no evidence.
const TRIALS_MIN: f64 = 12.0;
/// An item is never taken to be asked by a larger share of payers.
const SHARE_MAX: f64 = 0.99;
/// Of the repeats that random draws would give, who goes through a list once has so many all the same: retries.
const AGAIN: f64 = 0.1;
/// What [`Overlap::once`] never exceeds: in few cases it tells more than a hundred others would.
const ONCE_MAX: f64 = 2.0;
/// Smaller shares are as good as none.
const NONE: f64 = 0.002;

#[cfg(test)]
mod tests {
    use super::*;
    use event::Hash;

    /// `payers` ask `each` requests out of `list` items: the item of a payer's request by its number.
    fn of(payers: u64, each: u64, item: impl Fn(u64, u64) -> u64) -> (Overlap, Estimate) {
        let mut items = Items::default();
        for payer in 0..payers {
            (0..each).for_each(|request| items.count(item(payer, request), Hash::of(&payer.to_string())));
        }
        (Overlap::of(&items, payers as usize).unwrap(), measure(&items, payers as usize).unwrap())
    }

    fn at_random(payer: u64, request: u64, list: u64) -> u64 {
        ((payer * 1000 + request).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) % list
    }

    #[test]
    fn a_list_that_everybody_runs_once_is_told_from_few_questions_asked_at_random() {
        let (benchmark, _) = of(40, 20, |_, request| request);
        assert!(benchmark.common > 0.8 && benchmark.once >= ONCE_MAX, "{benchmark:?}");
        let (few, _) = of(30, 24, |payer, request| at_random(payer, request, 8));
        assert!(few.common > 0.8 && few.once < -1.0, "{few:?}");
    }

    #[test]
    fn a_divided_list_and_own_items_are_disjoint_and_tell_nothing_of_lists() {
        let (divided, measured) = of(40, 20, |payer, request| payer * 20 + request);
        assert!(divided.common < NONE && divided.once.abs() < 0.1, "{divided:?}");
        assert!(measured.value < -6.0, "{measured:?}");
        let (own, _) = of(40, 20, |payer, request| payer * 20 + request / 2);
        assert!(own.common < NONE, "{own:?}");
    }

    #[test]
    fn few_requests_say_nothing() {
        let mut items = Items::default();
        (0..TRIALS_MIN as u64 - 1).for_each(|item| items.count(item, Hash(item)));
        assert!(Overlap::of(&items, 6).is_none());
        items.count(99, Hash(0));
        assert!(Overlap::of(&items, 6).is_some());
    }
}
