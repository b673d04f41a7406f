//! Depth: how much of a family's skeleton the requests of an account show.
//!
//! Senders of one template show the same share of it, over and over; those who share a phrase with it show less, and those
//! whose own longer template shares that phrase and was taken into the same family show more. Both are strangers to the
//! group. Depth is compared as a ratio, and with more leave where few requests tell.

use crate::state::account::Stride;

/// The depth that is usual in a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Depth {
    /// ln of the mean core shingles an exchange has.
    usual: f64,
    /// How far from it many requests may be.
    leave: f64,
}

impl Depth {
    /// The depth around which half of the weight lies closest together, and how close; none without accounts. An account
    /// weighs as much as it has requests, up to [`WEIGHT_MAX`]: those who share a phrase by chance send it once or twice.
    #[must_use]
    pub fn usual<'a>(strides: impl Iterator<Item = &'a Stride>) -> Option<Depth> {
        let weigh = |stride: &'a Stride| Some((ln_depth(stride)?, f64::from(stride.exchanges.min(WEIGHT_MAX))));
        let mut depths: Vec<(f64, f64)> = strides.filter_map(weigh).collect();
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
    pub fn fits(self, stride: &Stride) -> bool {
        let leave = self.leave * (1.0 + LEAVE_FEW / f64::from(stride.exchanges.max(1)).sqrt());
        ln_depth(stride).is_none_or(|depth| (depth - self.usual).abs() <= leave)
    }
}

/// ln of an account's mean core shingles an exchange; none when it has none, as after a merge of families.
fn ln_depth(stride: &Stride) -> Option<f64> {
    (stride.core_hits > 0 && stride.exchanges > 0)
        .then(|| f64::from(stride.core_hits).ln() - f64::from(stride.exchanges).ln())
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

    fn stride(core_hits: u32, exchanges: u32) -> Stride {
        Stride { core_hits, exchanges, ..Stride::new(0, Time::MIN, 0) }
    }

    #[test]
    fn senders_of_less_or_more_than_the_template_do_not_fit() {
        let group: Vec<Stride> = [120, 125, 130, 128, 122, 20, 30, 490].map(|hits| stride(hits, 10)).to_vec();
        let depth = Depth::usual(group.iter()).unwrap();
        let fit: Vec<bool> = group.iter().map(|stride| depth.fits(stride)).collect();
        assert_eq!(fit, [true, true, true, true, true, false, false, false]);
    }

    #[test]
    fn many_who_send_a_phrase_once_do_not_outweigh_few_who_send_the_template() {
        let senders = (0..20).map(|i| stride(480 + i, 40));
        let strangers = (0..60).map(|_| stride(2, 1));
        let group: Vec<Stride> = senders.chain(strangers).collect();
        let depth = Depth::usual(group.iter()).unwrap();
        assert_eq!(group.iter().filter(|stride| depth.fits(stride)).count(), 20);
    }

    #[test]
    fn single_requests_have_more_leave() {
        let depth = Depth::usual([stride(12, 1)].iter()).unwrap();
        assert!(depth.fits(&stride(8, 1)));
        assert!(!depth.fits(&stride(800, 100)));
        assert!(!depth.fits(&stride(2, 1)));
    }

    #[test]
    fn what_is_not_known_fits() {
        assert_eq!(Depth::usual([stride(0, 3)].iter()), None);
        assert!(Depth { usual: 1.0, leave: LEAVE_MIN }.fits(&stride(0, 3)));
    }
}
