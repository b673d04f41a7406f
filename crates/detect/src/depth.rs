//! Depth: how much of a family's skeleton the requests of an account show.
//!
//! Senders of one template show the same share of it, over and over; those who share a phrase with it show less, and those
//! whose own longer template shares that phrase and was taken into the same family show more. Both are strangers to the
//! group. Depth is compared as a ratio, and with more leave where few requests tell.

use crate::account::Stride;

/// The depth that is usual in a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Depth {
    /// ln of the mean core shingles an exchange has.
    usual: f64,
    /// How far from it many requests may be.
    leave: f64,
}

impl Depth {
    /// The depth around which half of the accounts lie closest together, and how close; none without accounts.
    #[must_use]
    pub fn usual<'a>(strides: impl Iterator<Item = &'a Stride>) -> Option<Depth> {
        let mut depths: Vec<f64> = strides.filter_map(ln_depth).collect();
        depths.sort_by(f64::total_cmp);
        let half = depths.len().div_ceil(2).max(1);
        let width = |(first, last): &(f64, f64)| last - first;
        let densest = depths
            .windows(half)
            .filter_map(|window| Some((*window.first()?, *window.last()?)))
            .min_by(|a, b| width(a).total_cmp(&width(b)))?;
        let leave = (LEAVE_WIDTHS * width(&densest)).clamp(LEAVE_MIN, LEAVE_MAX);
        Some(Depth { usual: f64::midpoint(densest.0, densest.1), leave })
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
        Stride { core_hits, exchanges, ..Stride::new(0, Time::MIN) }
    }

    #[test]
    fn senders_of_less_or_more_than_the_template_do_not_fit() {
        let group: Vec<Stride> = [120, 125, 130, 128, 122, 20, 30, 490].map(|hits| stride(hits, 10)).to_vec();
        let depth = Depth::usual(group.iter()).unwrap();
        let fit: Vec<bool> = group.iter().map(|stride| depth.fits(stride)).collect();
        assert_eq!(fit, [true, true, true, true, true, false, false, false]);
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
