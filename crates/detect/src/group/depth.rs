//! Depth: how much of a cluster's skeleton the requests of an account show.
//!
//! Senders of one template show the same share of it, over and over; those who share a phrase with it show less, and those
//! whose own longer template shares that phrase and was taken into the same cluster show more. Both are strangers to the
//! group. Depth is compared as a ratio, and with more leave where few requests tell.

use crate::state::account::Tally;

/// The depth that is usual in a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Depth {
    /// ln of the mean core shingles an exchange has.
    usual: f64,
    /// How far from it many requests may be.
    leave: f64,
}

impl Depth {
    /// The depth around which half of the weight lies closest together, and how close; none without accounts. An account
    /// weighs as much as it has requests, up to [`WEIGHT_MAX`]: those who share a phrase by chance send it once or twice.
    #[must_use]
    pub(crate) fn usual<'a>(tallies: impl Iterator<Item = &'a Tally>) -> Option<Depth> {
        let weigh = |tally: &'a Tally| Some((ln_depth(tally)?, f64::from(tally.exchanges.min(WEIGHT_MAX))));
        let mut depths: Vec<(f64, f64)> = tallies.filter_map(weigh).collect();
        depths.sort_by(|a, b| a.0.total_cmp(&b.0));
        let half = depths.iter().map(|&(_, weight)| weight).sum::<f64>() / 2.0;
        let (mut narrowest, mut inside, mut last) = (None::<(f64, f64)>, 0.0, depths.iter());
        let mut end = f64::NEG_INFINITY;
        for &(start, weight) in &depths {
            while inside < half {
                let Some(&(depth, weight)) = last.next() else { break };
                inside += weight;
                end = depth;
            }
            if inside < half {
                break;
            }
            if narrowest.is_none_or(|(first, last)| end - start < last - first) {
                narrowest = Some((start, end));
            }
            inside -= weight;
        }
        let (first, last) = narrowest?;
        let leave = (LEAVE_WIDTHS * (last - first)).clamp(LEAVE_MIN, LEAVE_MAX);
        Some(Depth { usual: f64::midpoint(first, last), leave })
    }

    /// Whether an account's requests show about as much as usual.
    #[must_use]
    pub(crate) fn fits(self, tally: &Tally) -> bool {
        let leave = self.leave * (1.0 + LEAVE_FEW / f64::from(tally.exchanges.max(1)).sqrt());
        ln_depth(tally).is_none_or(|depth| (depth - self.usual).abs() <= leave)
    }
}

/// ln of an account's mean core shingles an exchange; none when it has none, as after a merge of clusters.
fn ln_depth(tally: &Tally) -> Option<f64> {
    (tally.core_hits > 0 && tally.exchanges > 0)
        .then(|| f64::from(tally.core_hits).ln() - f64::from(tally.exchanges).ln())
}

/// Requests of an account that add to its weight.
const WEIGHT_MAX: u32 = 10;
/// Twice the width of the densest half is nearly three standard deviations of a bell.
const LEAVE_WIDTHS: f64 = 2.0;
/// A fifth less or a quarter more always fits,
const LEAVE_MIN: f64 = 0.22;
/// and less than half or more than twice as much never, where many requests tell.
const LEAVE_MAX: f64 = std::f64::consts::LN_2;
/// How much more leave an account with a single request has.
const LEAVE_FEW: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::Time;

    fn tally(core_hits: u32, exchanges: u32) -> Tally {
        Tally { core_hits, exchanges, ..Tally::new(0, Time::MIN, 0) }
    }

    #[test]
    fn senders_of_less_or_more_than_the_template_do_not_fit() {
        let group: Vec<Tally> = [120, 125, 130, 128, 122, 20, 30, 490].map(|hits| tally(hits, 10)).to_vec();
        let depth = Depth::usual(group.iter()).unwrap();
        let fit: Vec<bool> = group.iter().map(|tally| depth.fits(tally)).collect();
        assert_eq!(fit, [true, true, true, true, true, false, false, false]);
    }

    #[test]
    fn many_who_send_a_phrase_once_do_not_outweigh_few_who_send_the_template() {
        let senders = (0..20).map(|i| tally(480 + i, 40));
        let strangers = (0..60).map(|_| tally(2, 1));
        let group: Vec<Tally> = senders.chain(strangers).collect();
        let depth = Depth::usual(group.iter()).unwrap();
        assert_eq!(group.iter().filter(|tally| depth.fits(tally)).count(), 20);
    }

    #[test]
    fn single_requests_have_more_leave() {
        let depth = Depth::usual([tally(12, 1)].iter()).unwrap();
        assert!(depth.fits(&tally(8, 1)));
        assert!(!depth.fits(&tally(800, 100)));
        assert!(!depth.fits(&tally(2, 1)));
    }

    #[test]
    fn what_is_not_known_fits() {
        assert_eq!(Depth::usual([tally(0, 3)].iter()), None);
        assert!(Depth { usual: 1.0, leave: LEAVE_MIN }.fits(&tally(0, 3)));
    }
}
