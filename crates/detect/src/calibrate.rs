//! Calibration: what a number measured of a group is worth as evidence, by the deployment's own groups.
//!
//! The unit is the group: every sign is one number a group, measured by the same code for the tested group and for those it is
//! compared to, which are all other groups that share no more than a quarter of their accounts with it; none is left out for
//! what it shows. Evidence is the ratio of two predictive densities of that number: of a group that one dispatcher feeds, and
//! of an honest one. The honest density is in part that of the groups themselves, smoothed, and in part a Student law around their
//! median with their median deviation, which a quarter of campaigns among them moves little; where there are few, constants
//! stand in. Both are widened by the number's own error. Certainty does not grow with the number of accounts beyond that: no
//! sign counts for more than [`E_MAX`].

use crate::account::AccountNo;
use crate::likeness::Estimate;
use crate::limits::COMPARED_MAX;
use crate::number::counted;

/// A sign that is calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// [`crate::evidence::dispersion`].
    Dispersion,
    /// [`crate::evidence::sessions`].
    Sessions,
    /// [`crate::evidence::interchange`], what is said.
    Content,
    /// [`crate::evidence::interchange`], when.
    Hours,
}

/// What is believed of a sign before anything is measured here.
#[derive(Clone, Copy, Debug)]
pub struct Law {
    /// Numbers are compared on the scale asinh(x / scale), which is a logarithm above it; 0 leaves them as they are.
    pub scale: f64,
    /// Centre and deviation of honest groups.
    pub honest: (f64, f64),
    /// Those of dispatched groups.
    pub dispatched: (f64, f64),
    /// The share of dispatchers that look like honest groups in it.
    pub imitated: f64,
    /// The share of the honest density that is that of the groups themselves, smoothed; the rest is the law around their median,
    /// which campaigns among them move less. Small where every honest kind of group that looks dispatched is a rival of its own.
    pub smoothed: f64,
    /// Whether numbers beyond the centre of dispatched groups are as good as those at it.
    pub one_sided: bool,
}

impl Law {
    /// A number and its error on the scale on which it is compared.
    #[must_use]
    pub fn scaled(&self, raw: Estimate) -> Estimate {
        if self.scale <= 0.0 {
            return raw;
        }
        let x = raw.value / self.scale;
        // The error carries over by the slope of asinh.
        let slope = 1.0 / (self.scale * (1.0 + x * x).sqrt());
        Estimate { value: libm::asinh(x), error: (raw.error * slope).min(ERROR_MAX), ..raw }
    }
}

/// What was measured of a group.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measures {
    /// How even its shares are,
    pub dispersion: Option<Estimate>,
    /// how it works in sessions,
    pub sessions: Option<Estimate>,
    /// how unlike its accounts are in content
    pub content: Option<Estimate>,
    /// and in hours.
    pub hours: Option<Estimate>,
}

/// A group that others are compared to.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its number.
    pub number: u32,
    /// Its accounts, in order.
    pub accounts: Vec<AccountNo>,
    /// What was measured.
    pub measures: Measures,
}

/// The deployment's own groups.
#[derive(Clone, Debug, Default)]
pub struct Calibration {
    /// Groups, each with its weight: those that share accounts weigh as one.
    units: Vec<(Unit, f64)>,
}

/// What a number is worth.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    /// ln of the e-value.
    pub ln_e: f64,
    /// Groups that it was compared to.
    pub groups: usize,
}

impl Calibration {
    /// By the first [`COMPARED_MAX`] of these groups.
    #[must_use]
    pub fn new(units: impl Iterator<Item = Unit>) -> Calibration {
        let units: Vec<Unit> = units.take(COMPARED_MAX).collect();
        let same = |unit: &Unit| units.iter().filter(|other| overlap(&unit.accounts, &other.accounts)).count();
        let weights: Vec<f64> = units.iter().map(|unit| 1.0 / same(unit).max(1) as f64).collect();
        Calibration { units: units.into_iter().zip(weights).collect() }
    }

    /// How many groups it rests on.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.units.len()
    }

    /// What a number measured of the group `number` with these accounts is worth.
    #[must_use]
    pub fn weigh(&self, sign: Sign, measured: Estimate, number: u32, accounts: &[AccountNo]) -> Weight {
        let mut own = accounts.to_vec();
        own.sort_unstable();
        let apart = self.units.iter().filter(|(unit, _)| unit.number != number && !overlap(&unit.accounts, &own));
        let others: Vec<(Estimate, f64)> =
            apart.filter_map(|(unit, weight)| Some((sign.of(&unit.measures)?, *weight))).collect();
        Weight { ln_e: ratio(sign.law(), measured, &others), groups: others.len() }
    }
}

impl Weight {
    /// What it rests on, in words.
    #[must_use]
    pub fn basis(&self) -> String {
        if self.groups >= GROUPS_MIN {
            format!("Calibrated on {} of this log.", counted(self.groups as u64, "other group"))
        } else {
            format!("Not calibrated: only {} of this log can be compared.", counted(self.groups as u64, "other group"))
        }
    }
}

impl Sign {
    fn law(self) -> &'static Law {
        match self {
            Sign::Dispersion => &crate::evidence::dispersion::LAW,
            Sign::Sessions => &crate::evidence::sessions::LAW,
            Sign::Content => &crate::evidence::interchange::CONTENT,
            Sign::Hours => &crate::evidence::interchange::HOURS,
        }
    }

    fn of(self, measures: &Measures) -> Option<Estimate> {
        match self {
            Sign::Dispersion => measures.dispersion,
            Sign::Sessions => measures.sessions,
            Sign::Content => measures.content,
            Sign::Hours => measures.hours,
        }
    }
}

/// ln of the ratio of densities at `measured`.
fn ratio(law: &Law, measured: Estimate, others: &[(Estimate, f64)]) -> f64 {
    let honest = honest(law, measured, others);
    let (centre, deviation) = law.dispatched;
    let value = if law.one_sided { measured.value.max(centre) } else { measured.value };
    let dispatched = normal(value - centre, deviation.hypot(measured.error));
    let alternative = (1.0 - law.imitated) * dispatched + law.imitated * honest;
    // An honest group may be as a dispatched one is, however many were none.
    let null = honest + dispatched / E_MAX;
    (alternative / null.max(f64::MIN_POSITIVE)).ln()
}

/// The predictive density of an honest group's number. Rough numbers tell little of where honest groups lie and weigh little.
fn honest(law: &Law, measured: Estimate, others: &[(Estimate, f64)]) -> f64 {
    let rough = |other: &Estimate| ROUGH * ROUGH / (ROUGH * ROUGH + other.error * other.error);
    let others = || others.iter().map(|(other, weight)| (other, weight * rough(other)));
    let count: f64 = others().map(|(_, weight)| weight).sum();
    let (prior_centre, prior_deviation) = law.honest;
    let share = count / (count + PRIOR_GROUPS);
    let middle = median(others().map(|(other, weight)| (other.value, weight)).collect());
    let centre = share * middle.unwrap_or(prior_centre) + (1.0 - share) * prior_centre;
    let far = median(others().map(|(other, weight)| ((other.value - centre).abs(), weight)).collect());
    let deviation = MAD_TO_DEVIATION * far.unwrap_or(0.0);
    let variance = share * deviation * deviation + (1.0 - share) * prior_deviation * prior_deviation;
    let around = student(measured.value - centre, variance.sqrt().max(DEVIATION_MIN).hypot(measured.error));
    // Narrower the more groups there are (Silverman's exponent).
    let width = variance.sqrt().max(DEVIATION_MIN) * (count + 1.0).powf(-0.2);
    let prior = student(measured.value - prior_centre, prior_deviation.hypot(measured.error));
    let kernel = |(other, weight): (&Estimate, f64)| {
        weight * normal(measured.value - other.value, width.hypot(measured.error).hypot(other.error))
    };
    let smoothed = (others().map(kernel).sum::<f64>() + PRIOR_GROUPS * prior) / (count + PRIOR_GROUPS);
    law.smoothed * smoothed + (1.0 - law.smoothed) * around
}

/// The value up to which half of the weight lies; none without weight.
fn median(mut values: Vec<(f64, f64)>) -> Option<f64> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    values
        .into_iter()
        .find(|(_, weight)| {
            below += weight;
            below >= half
        })
        .map(|(value, _)| value)
}

fn normal(far: f64, deviation: f64) -> f64 {
    let z = far / deviation;
    libm::exp(-0.5 * z * z) / (deviation * std::f64::consts::TAU.sqrt())
}

/// Student's law of [`FREEDOM`] degrees.
fn student(far: f64, deviation: f64) -> f64 {
    let z = far / deviation;
    // Γ(5/2) / (√(4π) Γ(2)) = 3/8.
    0.375 * libm::pow(1.0 + z * z / FREEDOM, -(FREEDOM + 1.0) / 2.0) / deviation
}

/// Whether two groups share more than a quarter of the smaller one's accounts; both in order.
fn overlap(a: &[AccountNo], b: &[AccountNo]) -> bool {
    let (mut i, mut j, mut both) = (0, 0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        both += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    both * OVERLAP_ONE_IN > a.len().min(b.len())
}

/// What no sign exceeds: a thousand honest groups would have to be seen for more.
pub const E_MAX: f64 = 1000.0;
/// Fewer groups to compare with are not enough to call a number calibrated.
pub const GROUPS_MIN: usize = 8;
/// A number this rough weighs half.
const ROUGH: f64 = 0.5;
/// What is believed beforehand weighs as so many groups.
const PRIOR_GROUPS: f64 = 6.0;
/// Degrees of freedom of the law around the median: heavy tails, since its deviation is estimated.
const FREEDOM: f64 = 4.0;
/// The median deviation of a normal law is this much smaller than its standard deviation.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// Honest groups are never taken to be more alike than this.
const DEVIATION_MIN: f64 = 0.3;
/// A number is never taken to be rougher than this.
const ERROR_MAX: f64 = 3.0;
/// Groups that share more than one account in this many are not apart.
const OVERLAP_ONE_IN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::interchange::CONTENT;

    fn at(value: f64, error: f64) -> Estimate {
        Estimate { value, error, accounts: 50 }
    }

    #[test]
    fn what_no_honest_group_shows_is_evidence_and_what_many_show_is_none() {
        let one = |value| (at(value, 0.1), 1.0);
        let honest: Vec<(Estimate, f64)> = (0..30).map(|i| one(2.2 + f64::from(i % 10) * 0.2)).collect();
        let log10 =
            |law: &Law, measured, others: &[(Estimate, f64)]| ratio(law, measured, others) / std::f64::consts::LN_10;
        let content = |measured, others: &[(Estimate, f64)]| log10(&CONTENT, measured, others);
        assert!(content(at(0.0, 0.1), &honest) > 2.0);
        assert!(content(at(3.0, 0.1), &honest) < -1.0);
        assert!(content(at(0.0, 3.0), &honest).abs() < 0.7, "a rough number says little");
        assert!(content(at(0.0, 0.1), &[]) > 0.5, "what is believed beforehand counts less");
        assert!(content(at(-9.0, 0.1), &honest) <= E_MAX.log10() + 1e-9);
        let quarter: Vec<(Estimate, f64)> = honest.iter().copied().chain((0..10).map(|_| one(0.0))).collect();
        let smoothed = Law { smoothed: 0.5, ..CONTENT };
        let (robust, by_the_groups) = (content(at(0.0, 0.1), &quarter), log10(&smoothed, at(0.0, 0.1), &quarter));
        assert!(by_the_groups < 1.0 && robust > by_the_groups + 0.2, "{robust} {by_the_groups}");
    }

    #[test]
    fn groups_of_the_same_accounts_weigh_as_one() {
        let unit = |number, accounts: &[AccountNo]| Unit {
            number,
            accounts: accounts.to_vec(),
            measures: Measures::default(),
        };
        let calibration = Calibration::new([unit(1, &[1, 2, 3]), unit(2, &[2, 3, 4]), unit(3, &[7, 8])].into_iter());
        let weights: Vec<f64> = calibration.units.iter().map(|(_, weight)| *weight).collect();
        assert_eq!(weights, [0.5, 0.5, 1.0]);
    }

    #[test]
    fn groups_are_compared_with_up_to_the_limit() {
        let unit = |number| Unit { number, accounts: vec![number], measures: Measures::default() };
        for (given, kept) in [(COMPARED_MAX, COMPARED_MAX), (COMPARED_MAX + 1, COMPARED_MAX)] {
            assert_eq!(Calibration::new((0..given as u32).map(unit)).groups(), kept);
        }
    }

    #[test]
    fn densities_sum_to_one() {
        let sum =
            |density: fn(f64, f64) -> f64| (-4000..4000).map(|i| density(f64::from(i) * 0.01, 0.7) * 0.01).sum::<f64>();
        assert!((sum(normal) - 1.0).abs() < 1e-6);
        assert!((sum(student) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn groups_that_share_accounts_are_not_compared() {
        assert!(!overlap(&[1, 2, 3, 4], &[4, 5, 6, 7]));
        assert!(overlap(&[1, 2, 3, 4], &[3, 4, 6, 7]));
        assert!(!overlap(&[], &[1]));
    }
}
