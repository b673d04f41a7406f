//! Calibration: what a number measured of a group is worth as evidence, by the deployment's own groups.
//!
//! The unit is the group: every sign is one number a group, measured by the same code for the tested group and for those it is
//! compared to, which are all other groups that share no more than a quarter of their accounts with it. None is left out for
//! what it shows in the sign that is weighed; by the signs of other causes campaigns weigh less ([`Credence`]). Evidence is the ratio of two predictive densities of that number: of a group that one dispatcher feeds, and
//! of an honest one. The honest density is in part that of the groups themselves, smoothed, and in part a Student law around their
//! median with their median deviation, which a quarter of campaigns among them moves little; where there are few, constants
//! stand in. Both are widened by the number's own error. Certainty does not grow with the number of accounts beyond that: no
//! sign counts for more than [`E_MAX`].

use event::{Capability, Intents};
use serde::{Deserialize, Serialize};

use crate::evalue;
use crate::group::overlap;
use crate::limits::COMPARED_MAX;
use crate::state::account::AccountNo;
use findings::number::counted;
use findings::{Estimate, Measures, SignalFamily};

/// A sign that is calibrated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sign {
    /// Its line in a finding.
    pub family: SignalFamily,
    /// What is believed of it beforehand.
    pub law: Law,
    /// Which of the numbers measured of a group it is.
    pub of: fn(&Measures) -> Option<Estimate>,
}

/// What is believed of a sign before anything is measured here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Law {
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
    /// A number beyond what a dispatcher shows, as that.
    fn bounded(&self, measured: Estimate) -> Estimate {
        let bound = if self.one_sided { self.dispatched.0 } else { f64::NEG_INFINITY };
        Estimate { value: measured.value.max(bound), ..measured }
    }

    /// A number and its error on the scale on which it is compared.
    #[must_use]
    pub(crate) fn scaled(&self, raw: Estimate) -> Estimate {
        if self.scale <= 0.0 {
            return raw;
        }
        let x = raw.value / self.scale;
        // The error carries over by the slope of asinh.
        let slope = 1.0 / (self.scale * (1.0 + x * x).sqrt());
        Estimate { value: libm::asinh(x), error: (raw.error * slope).min(ERROR_MAX), ..raw }
    }
}

/// A group that others are compared to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Unit {
    /// Its number; none where it is known from a label alone.
    pub number: Option<u32>,
    /// Whether it is known from a label. It counts for where the middle of honest groups lies and not for how they are spread around
    /// it: one group that somebody vouched for must not excuse all that look like it.
    pub vouched: bool,
    /// How likely it is honest, for each calibrated sign by what all signs of other causes say.
    pub honest: Credence,
    /// Its accounts, in order.
    pub accounts: Vec<AccountNo>,
    /// What was measured.
    pub measures: Measures,
    /// What a good part of its requests is after; not known of a group that is known from a label.
    pub asks: Option<Intents>,
}

/// How likely a group is honest, for each sign by the signs of all other causes: so campaigns do not excuse each other, and no group is left
/// out for what it shows in the sign that is weighed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Credence([f64; CALIBRATED.len()]);

/// The deployment's own groups.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Calibration {
    /// Groups, each with its weight: those that share accounts weigh as one.
    units: Vec<(Unit, f64)>,
}

/// The groups that one group is compared to, each with its weight.
#[derive(Clone, Debug, Default)]
pub(crate) struct Others<'a> {
    units: Vec<(&'a Unit, f64)>,
}

/// What a number is worth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    /// ln of the e-value.
    pub ln_e: f64,
    /// Groups that it was compared to.
    pub groups: usize,
}

impl Credence {
    /// By what the evidence of all causes but that of a sign comes to (log10).
    pub(crate) fn by(apart: impl Fn(SignalFamily) -> f64) -> Credence {
        Credence(CALIBRATED.map(|sign| HONEST_ODDS / (HONEST_ODDS + libm::pow(10.0, apart(sign)))))
    }

    fn of(&self, sign: SignalFamily) -> f64 {
        CALIBRATED.iter().zip(&self.0).find(|&(&known, _)| known == sign).map_or(1.0, |(_, &honest)| honest)
    }
}

impl Default for Credence {
    fn default() -> Self {
        Credence([1.0; CALIBRATED.len()])
    }
}

impl Calibration {
    /// By the first [`COMPARED_MAX`] of these groups.
    #[must_use]
    pub(crate) fn new(units: impl Iterator<Item = Unit>) -> Calibration {
        let units: Vec<Unit> = units.take(COMPARED_MAX).collect();
        let same = |unit: &Unit| units.iter().filter(|other| overlap(&unit.accounts, &other.accounts)).count();
        let weights: Vec<f64> = units.iter().map(|unit| 1.0 / same(unit).max(1) as f64).collect();
        Calibration { units: units.into_iter().zip(weights).collect() }
    }

    /// How many groups it rests on.
    #[must_use]
    pub(crate) fn groups(&self) -> usize {
        self.units.len()
    }

    /// Those that share no accounts to speak of with the group `number` of these accounts.
    #[must_use]
    pub(crate) fn apart_from(&self, number: u32, accounts: &[AccountNo]) -> Others<'_> {
        let mut own = accounts.to_vec();
        own.sort_unstable();
        let apart = |unit: &Unit| unit.number != Some(number) && !overlap(&unit.accounts, &own);
        Others { units: self.units.iter().filter(|(unit, _)| apart(unit)).map(|(unit, w)| (unit, *w)).collect() }
    }
}

impl Others<'_> {
    /// What a number measured of the group is worth.
    #[must_use]
    pub(crate) fn weigh(&self, sign: &Sign, measured: Estimate) -> Weight {
        let other = |&(unit, weight): &(&Unit, f64)| {
            let weight = weight * unit.honest.of(sign.family);
            let smoothed = if unit.vouched { 0.0 } else { weight };
            Some(Other { measured: sign.law.bounded((sign.of)(&unit.measures)?), weight, smoothed })
        };
        let others: Vec<Other> = self.units.iter().filter_map(other).collect();
        Weight { ln_e: ratio(&sign.law, measured, &others), groups: others.len() }
    }

    /// What a statistic of conduct is worth, beside those of the other groups ([`evalue::conformal`]); none among few. Costs a factor
    /// of two at most when it is nothing.
    #[must_use]
    pub(crate) fn rank(&self, of: fn(&Measures) -> Option<f64>, statistic: f64) -> Option<Weight> {
        let others: Vec<f64> = self.units.iter().filter_map(|(unit, _)| of(&unit.measures)).collect();
        let e = evalue::conformal(statistic, &others)?;
        Some(Weight { ln_e: evalue::mean(&[0.0, e.ln()]), groups: others.len() })
    }

    /// How many ask for `capability` in a good part of their requests, of how many that are known to ask for anything.
    #[must_use]
    pub(crate) fn asking(&self, capability: Capability) -> (f64, f64) {
        let known = self.units.iter().filter_map(|(unit, weight)| Some((unit.asks?, weight)));
        known.fold((0.0, 0.0), |(asking, all), (asks, weight)| {
            (asking + if asks.has(capability) { *weight } else { 0.0 }, all + weight)
        })
    }
}

impl Weight {
    /// What it rests on, in words.
    #[must_use]
    pub(crate) fn basis(&self) -> String {
        if self.groups >= GROUPS_MIN {
            format!("Calibrated on {} of this log.", counted(self.groups as u64, "other group"))
        } else {
            format!("Not calibrated: only {} of this log can be compared.", counted(self.groups as u64, "other group"))
        }
    }
}

/// What was measured of another group.
#[derive(Clone, Copy)]
struct Other {
    measured: Estimate,
    /// How much it counts for the law around the median,
    weight: f64,
    /// and in the smoothed law.
    smoothed: f64,
}

impl Other {
    /// A rough number weighs little.
    fn by_its_error(&self) -> Other {
        let Other { measured, weight, smoothed } = *self;
        let share = ROUGH * ROUGH / (ROUGH * ROUGH + measured.error * measured.error);
        Other { measured, weight: weight * share, smoothed: smoothed * share }
    }
}

/// ln of the ratio of densities at `measured`.
fn ratio(law: &Law, measured: Estimate, others: &[Other]) -> f64 {
    let (centre, deviation) = law.dispatched;
    let measured = law.bounded(measured);
    let honest = honest(law, measured, others);
    let dispatched = normal(measured.value - centre, deviation.hypot(measured.error));
    let alternative = (1.0 - law.imitated) * dispatched + law.imitated * honest;
    // An honest group may be as a dispatched one is, however many were none.
    let null = honest + dispatched / E_MAX;
    (alternative / null.max(f64::MIN_POSITIVE)).ln()
}

/// The predictive density of an honest group's number. Rough numbers tell little of where honest groups lie and weigh little.
fn honest(law: &Law, measured: Estimate, others: &[Other]) -> f64 {
    let others: Vec<Other> = others.iter().map(Other::by_its_error).collect();
    let weighed = |of: fn(Estimate) -> f64| others.iter().map(|other| (of(other.measured), other.weight)).collect();
    let count: f64 = others.iter().map(|other| other.weight).sum();
    let (prior_centre, prior_deviation) = law.honest;
    let share = count / (count + PRIOR_GROUPS);
    let middle = median(weighed(|other| other.value));
    let centre = share * middle.unwrap_or(prior_centre) + (1.0 - share) * prior_centre;
    let far = median(others.iter().map(|other| ((other.measured.value - centre).abs(), other.weight)).collect());
    let deviation = MAD_TO_DEVIATION * far.unwrap_or(0.0);
    // What lies between groups is what is left without their own errors.
    let rough = median(weighed(|other| other.error)).unwrap_or(0.0);
    let between = (deviation * deviation - rough * rough).max(DEVIATION_MIN * DEVIATION_MIN);
    let variance = share * between + (1.0 - share) * prior_deviation * prior_deviation;
    let deviation = variance.sqrt().hypot(measured.error);
    let around = student(measured.value - centre, deviation, FREEDOM + FREEDOM_A_GROUP * count);
    // Narrower the more groups there are (Silverman's exponent).
    let width = variance.sqrt() * (count + 1.0).powf(-0.2);
    let prior = student(measured.value - prior_centre, prior_deviation.hypot(measured.error), FREEDOM);
    // Nothing here comes near what its square cannot hold.
    let width_squared = width * width + measured.error * measured.error;
    let kernel = |Other { measured: other, smoothed, .. }: &Other| {
        smoothed * normal(measured.value - other.value, (width_squared + other.error * other.error).sqrt())
    };
    let kernels: f64 = others.iter().map(|other| other.smoothed).sum();
    let smoothed = (others.iter().map(kernel).sum::<f64>() + PRIOR_GROUPS * prior) / (kernels + PRIOR_GROUPS);
    law.smoothed * smoothed + (1.0 - law.smoothed) * around
}

/// The value up to which half of the weight lies; none without weight.
fn median(mut values: Vec<(f64, f64)>) -> Option<f64> {
    let weight = |values: &[(f64, f64)]| values.iter().map(|(_, weight)| weight).sum::<f64>();
    let half = weight(&values) / 2.0;
    let (mut below, mut rest) = (0.0, values.as_mut_slice());
    // Halves what is left until little is: to sort all of it takes longer.
    while rest.len() > SORTED_MAX {
        let middle = rest.len() / 2;
        rest.select_nth_unstable_by(middle, |a, b| a.0.total_cmp(&b.0));
        let (low, high) = rest.split_at_mut(middle);
        let low_weight = weight(low);
        rest = if below + low_weight >= half {
            low
        } else {
            below += low_weight;
            high
        };
    }
    rest.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let reached = |&&(_, weight): &&(f64, f64)| {
        below += weight;
        below >= half
    };
    rest.iter().find(reached).map(|&(value, _)| value)
}

fn normal(far: f64, deviation: f64) -> f64 {
    let z = far / deviation;
    libm::exp(-0.5 * z * z) / (deviation * std::f64::consts::TAU.sqrt())
}

/// Student's law.
fn student(far: f64, deviation: f64, freedom: f64) -> f64 {
    let z = far / deviation;
    let half = f64::midpoint(freedom, 1.0);
    let ln = libm::lgamma(half) - libm::lgamma(freedom / 2.0) - 0.5 * libm::log(freedom * std::f64::consts::PI);
    libm::exp(ln - half * libm::log1p(z * z / freedom)) / deviation
}

/// So few values are sorted.
const SORTED_MAX: usize = 16;
/// What no sign exceeds: a thousand honest groups would have to be seen for more.
pub(crate) const E_MAX: f64 = 1000.0;
/// The signs that are calibrated.
const CALIBRATED: [SignalFamily; 7] = [
    SignalFamily::Evenness,
    SignalFamily::Rhythm,
    SignalFamily::WorkQueue,
    SignalFamily::Content,
    SignalFamily::Hours,
    SignalFamily::SignUp,
    SignalFamily::Infrastructure,
];
/// Honest groups for each dispatched one, before anything is seen: a fifth of all groups are campaigns'.
const HONEST_ODDS: f64 = 4.0;
/// Fewer groups to compare with are not enough to call a number calibrated.
pub(crate) const GROUPS_MIN: usize = 8;
/// A number this rough weighs half.
const ROUGH: f64 = 0.5;
/// What is believed beforehand weighs as so many groups.
const PRIOR_GROUPS: f64 = 6.0;
/// Degrees of freedom of the law around the median: heavy tails, since its deviation is estimated,
const FREEDOM: f64 = 4.0;
/// by a median, which takes three groups to tell what one does by a mean of squares.
const FREEDOM_A_GROUP: f64 = 0.35;
/// The median deviation of a normal law is this much smaller than its standard deviation.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// Honest groups are never taken to be more alike than this.
const DEVIATION_MIN: f64 = 0.3;
/// A number is never taken to be rougher than this.
const ERROR_MAX: f64 = 3.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signs::interchange;

    const CONTENT: Law = interchange::CONTENT.law;

    fn at(value: f64, error: f64) -> Estimate {
        Estimate { value, error, accounts: 50 }
    }

    #[test]
    fn what_no_honest_group_shows_is_evidence_and_what_many_show_is_none() {
        let one = |value| Other { measured: at(value, 0.1), weight: 1.0, smoothed: 1.0 };
        let honest: Vec<Other> = (0..30).map(|i| one(2.2 + f64::from(i % 10) * 0.2)).collect();
        let log10 = |law: &Law, measured, others: &[Other]| ratio(law, measured, others) / std::f64::consts::LN_10;
        let content = |measured, others: &[Other]| log10(&CONTENT, measured, others);
        assert!(content(at(0.0, 0.1), &honest) > 2.0);
        assert!(content(at(3.0, 0.1), &honest) < -1.0);
        assert!(content(at(0.0, 3.0), &honest).abs() < 0.7, "a rough number says little");
        assert!(content(at(0.0, 0.1), &[]) > 0.5, "what is believed beforehand counts less");
        assert!(content(at(-9.0, 0.1), &honest) <= E_MAX.log10() + 1e-9);
        let quarter: Vec<Other> = honest.iter().copied().chain((0..10).map(|_| one(0.0))).collect();
        let smoothed = Law { smoothed: 0.5, ..CONTENT };
        let (robust, by_the_groups) = (content(at(0.0, 0.1), &quarter), log10(&smoothed, at(0.0, 0.1), &quarter));
        assert!(by_the_groups < 1.0 && robust > by_the_groups + 0.2, "{robust} {by_the_groups}");
    }

    #[test]
    fn one_group_that_somebody_vouched_for_excuses_none_that_look_like_it() {
        let one = |value, smoothed| Other { measured: at(value, 0.1), weight: 1.0, smoothed };
        let honest: Vec<Other> = (0..30).map(|i| one(2.2 + f64::from(i % 10) * 0.2, 1.0)).collect();
        let with = |smoothed| [&honest[..], &[one(0.0, smoothed)]].concat();
        let of = |others: &[Other]| ratio(&crate::signs::dispersion::SIGN.law, at(0.0, 0.1), others);
        assert!((of(&with(0.0)) - of(&honest)).abs() < 0.7, "{} {}", of(&with(0.0)), of(&honest));
        assert!(of(&with(1.0)) < of(&with(0.0)) - 0.7, "one that was seen counts: {}", of(&with(1.0)));
    }

    #[test]
    fn campaigns_do_not_excuse_each_other() {
        let unit = |number: AccountNo, dispersion, honest| Unit {
            number: Some(number),
            vouched: false,
            honest,
            accounts: vec![number],
            measures: Measures { dispersion: Some(at(dispersion, 0.1)), ..Measures::default() },
            asks: None,
        };
        let with = |honest: Credence| {
            let people = (0..30).map(|i| unit(i, 2.2 + f64::from(i % 10) * 0.2, Credence::default()));
            let campaigns = (30..40).map(|i| unit(i, 0.0, honest));
            let calibration = Calibration::new(people.chain(campaigns));
            calibration.apart_from(99, &[99]).weigh(&crate::signs::dispersion::SIGN, at(0.0, 0.1)).ln_e
                / std::f64::consts::LN_10
        };
        let known = with(Credence::by(|_| 3.0));
        let unknown = with(Credence::default());
        assert!(known > unknown + 0.5, "{known} {unknown}");
        // By a sign of its own cause nothing is left out.
        let by_itself = with(Credence::by(|sign| if sign == SignalFamily::Evenness { 0.0 } else { 3.0 }));
        assert!((by_itself - unknown).abs() < 0.2, "{by_itself} {unknown}");
    }

    #[test]
    fn beyond_what_a_dispatcher_shows_a_number_counts_as_much_as_that() {
        let honest: Vec<Other> = (0..30)
            .map(|i| Other { measured: at(2.2 + f64::from(i % 10) * 0.2, 0.1), weight: 1.0, smoothed: 1.0 })
            .collect();
        let of = |value| ratio(&crate::signs::dispersion::SIGN.law, at(value, 0.1), &honest);
        assert!((of(-3.0) - of(0.0)).abs() < 1e-9);
    }

    #[test]
    fn groups_of_the_same_accounts_weigh_as_one() {
        let unit = |number, accounts: &[AccountNo]| Unit {
            number: Some(number),
            vouched: false,
            honest: Credence::default(),
            accounts: accounts.to_vec(),
            measures: Measures::default(),
            asks: None,
        };
        let calibration = Calibration::new([unit(1, &[1, 2, 3]), unit(2, &[2, 3, 4]), unit(3, &[7, 8])].into_iter());
        let weights: Vec<f64> = calibration.units.iter().map(|(_, weight)| *weight).collect();
        assert_eq!(weights, [0.5, 0.5, 1.0]);
    }

    #[test]
    fn groups_are_compared_with_up_to_the_limit() {
        let unit = |number| Unit {
            number: Some(number),
            vouched: false,
            honest: Credence::default(),
            accounts: vec![number],
            measures: Measures::default(),
            asks: None,
        };
        for (given, kept) in [(COMPARED_MAX, COMPARED_MAX), (COMPARED_MAX + 1, COMPARED_MAX)] {
            assert_eq!(Calibration::new((0..given as u32).map(unit)).groups(), kept);
        }
    }

    #[test]
    fn densities_sum_to_one() {
        let sum =
            |density: fn(f64, f64) -> f64| (-4000..4000).map(|i| density(f64::from(i) * 0.01, 0.7) * 0.01).sum::<f64>();
        assert!((sum(normal) - 1.0).abs() < 1e-6);
        assert!((sum(|far, deviation| student(far, deviation, 4.0)) - 1.0).abs() < 1e-3);
        assert!((sum(|far, deviation| student(far, deviation, 30.0)) - 1.0).abs() < 1e-3);
    }
}
