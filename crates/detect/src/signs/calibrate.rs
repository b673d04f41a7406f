//! Calibration: what a number measured of a group is worth as evidence, by the deployment's own groups.
//!
//! The unit is the group: every sign is one number a group, measured by the same code for the tested group and for those it is
//! compared to, which are all other groups that share no more than a quarter of their accounts with it. None is left out for
//! what it shows in the sign that is weighed; by the signs of other causes campaigns weigh less ([`Credence`]). Evidence is the ratio of two predictive densities of that number: of a group that one dispatcher feeds, and
//! of an honest one. The honest density is in part that of the groups themselves, smoothed, and in part a Student law around their
//! median with their median deviation, which a quarter of campaigns among them moves little; where there are few, constants
//! stand in. Both are widened by the number's own error. Certainty does not grow with the number of accounts beyond that: no
//! sign counts for more than [`E_MAX`](crate::signs::distribution::E_MAX).

use std::cell::OnceCell;

use event::{Capability, Intents};
use serde::{Deserialize, Serialize};

use crate::evalue;
use crate::group::sample::Sample;
use crate::limits::COMPARED_MAX;
use crate::signs::distribution::{Distribution, Law, LeftOut, Point};
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
    pub number: Number,
}

/// A number that is measured of every group and compared with that of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Dispersion,
    Sessions,
    Items,
    Content,
    Hours,
    Bursts,
    Age,
    Payment,
    EmailDomain,
    Block,
    Asn,
    Program,
}

impl Number {
    /// How many there are.
    const COUNT: usize = Number::Program as usize + 1;

    fn of(self, measures: &Measures) -> Option<Estimate> {
        match self {
            Number::Dispersion => measures.dispersion,
            Number::Sessions => measures.sessions,
            Number::Items => measures.items,
            Number::Content => measures.content,
            Number::Hours => measures.hours,
            Number::Bursts => measures.bursts,
            Number::Age => measures.age,
            Number::Payment => measures.payment,
            Number::EmailDomain => measures.email_domain,
            Number::Block => measures.block,
            Number::Asn => measures.asn,
            Number::Program => measures.program,
        }
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
    /// Who is in it.
    pub who: Sample,
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
    /// Which of them each account is in, in the order of accounts; made when it is first needed.
    #[serde(skip)]
    places: OnceCell<Vec<(AccountNo, u16)>>,
    /// How each number is distributed; made when it is first needed.
    #[serde(skip)]
    distributions: [OnceCell<Distribution>; Number::COUNT],
}

/// The groups that one group is compared to.
#[derive(Clone, Debug)]
pub(crate) struct Others<'a> {
    calibration: &'a Calibration,
    left_out: LeftOut,
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
        let units: Vec<(Unit, f64)> = units.take(COMPARED_MAX).map(|unit| (unit, 1.0)).collect();
        let mut calibration = Calibration { units, ..Calibration::default() };
        let weight = |(unit, _): &(Unit, f64)| 1.0 / calibration.shared(&unit.who).len().max(1) as f64;
        let weights: Vec<f64> = calibration.units.iter().map(weight).collect();
        calibration.units.iter_mut().zip(weights).for_each(|((_, weight), by)| *weight = by);
        calibration
    }

    /// How many groups it rests on.
    #[must_use]
    pub(crate) fn groups(&self) -> usize {
        self.units.len()
    }

    /// Those that share no accounts to speak of with the group `number` of these accounts.
    #[must_use]
    pub(crate) fn apart_from(&self, number: u32, own: &Sample) -> Others<'_> {
        let mut left_out = LeftOut::default();
        let itself =
            (0..).zip(&self.units).filter(|(_, (unit, _))| unit.number == Some(number)).map(|(place, _)| place);
        itself.chain(self.shared(own)).for_each(|place| left_out.add(place));
        Others { calibration: self, left_out }
    }

    /// The places of the groups that share more than a few of these accounts.
    fn shared(&self, own: &Sample) -> Vec<usize> {
        let mut both = vec![0; self.units.len()];
        let mut rest = self.places.get_or_init(|| self.places()).as_slice();
        for account in own.accounts() {
            let (_, from) = rest.split_at(rest.partition_point(|(other, _)| other < account));
            let (same, after) = from.split_at(from.iter().take_while(|(other, _)| other == account).count());
            for &(_, place) in same {
                both.get_mut(usize::from(place)).into_iter().for_each(|count| *count += 1);
            }
            rest = after;
        }
        let shared = |(both, (unit, _)): (usize, &(Unit, f64))| own.are_one(&unit.who, both);
        let places = both.into_iter().zip(&self.units).enumerate().filter(|(_, one)| shared(*one));
        places.map(|(place, _)| place).collect()
    }

    fn places(&self) -> Vec<(AccountNo, u16)> {
        let of = |(place, (unit, _)): (u16, &(Unit, f64))| {
            unit.who.accounts().iter().map(move |&account| (account, place)).collect::<Vec<_>>()
        };
        let mut places: Vec<_> = (0..).zip(&self.units).flat_map(of).collect();
        places.sort_unstable();
        places
    }

    fn distribution(&self, sign: &Sign) -> &Distribution {
        let make = || {
            let point = |(place, (unit, weight)): (usize, &(Unit, f64))| {
                let weight = weight * unit.honest.of(sign.family);
                let smoothed = if unit.vouched { 0.0 } else { weight };
                Some(Point { place, measured: sign.law.bounded(sign.number.of(&unit.measures)?), weight, smoothed })
            };
            Distribution::of(self.units.iter().enumerate().filter_map(point))
        };
        #[expect(clippy::indexing_slicing, reason = "there is one for each number")]
        self.distributions[sign.number as usize].get_or_init(make)
    }
}

impl Others<'_> {
    /// What a number measured of the group is worth.
    #[must_use]
    pub(crate) fn weigh(&self, sign: &Sign, measured: Estimate) -> Weight {
        let distribution = self.calibration.distribution(sign);
        Weight {
            ln_e: distribution.ratio(&sign.law, measured, &self.left_out),
            groups: distribution.groups(&self.left_out),
        }
    }

    fn units(&self) -> impl Iterator<Item = &(Unit, f64)> {
        let units = self.calibration.units.iter().enumerate();
        units.filter(|(place, _)| !self.left_out.has(*place)).map(|(_, unit)| unit)
    }

    /// What a statistic of conduct is worth, beside those of the other groups ([`evalue::conformal`]); none among few. Costs a factor
    /// of two at most when it is nothing.
    #[must_use]
    pub(crate) fn rank(&self, of: fn(&Measures) -> Option<f64>, statistic: f64) -> Option<Weight> {
        let others: Vec<f64> = self.units().filter_map(|(unit, _)| of(&unit.measures)).collect();
        let e = evalue::conformal(statistic, &others)?;
        Some(Weight { ln_e: evalue::mean(&[0.0, e.ln()]), groups: others.len() })
    }

    /// How many ask for `capability` in a good part of their requests, of how many that are known to ask for anything; likely campaigns weigh less.
    #[must_use]
    pub(crate) fn asking(&self, capability: Capability) -> (f64, f64) {
        let weighed = |unit: &Unit, weight| weight * unit.honest.of(SignalFamily::Intent);
        let known = self.units().filter_map(|(unit, weight)| Some((unit.asks?, weighed(unit, weight))));
        known.fold((0.0, 0.0), |(asking, all), (asks, weight)| {
            (asking + if asks.has(capability) { weight } else { 0.0 }, all + weight)
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

/// The signs that are weighed by other groups as far as these are honest.
const CALIBRATED: [SignalFamily; 8] = [
    SignalFamily::Evenness,
    SignalFamily::Rhythm,
    SignalFamily::WorkQueue,
    SignalFamily::Content,
    SignalFamily::Hours,
    SignalFamily::SignUp,
    SignalFamily::Infrastructure,
    SignalFamily::Intent,
];
/// Honest groups for each dispatched one, before anything is seen: a fifth of all groups are campaigns'.
const HONEST_ODDS: f64 = 4.0;
/// Fewer groups to compare with are not enough to call a number calibrated.
pub(crate) const GROUPS_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(value: f64, error: f64) -> Estimate {
        Estimate { value, error, accounts: 50 }
    }

    #[test]
    fn campaigns_do_not_excuse_each_other() {
        let unit = |number: AccountNo, dispersion, honest| Unit {
            number: Some(number),
            vouched: false,
            honest,
            who: Sample::new(vec![number], 1),
            measures: Measures { dispersion: Some(at(dispersion, 0.1)), ..Measures::default() },
            asks: None,
        };
        let with = |honest: Credence| {
            let people = (0..30).map(|i| unit(i, 2.2 + f64::from(i % 10) * 0.2, Credence::default()));
            let campaigns = (30..40).map(|i| unit(i, 0.0, honest));
            let calibration = Calibration::new(people.chain(campaigns));
            calibration
                .apart_from(99, &Sample::new(vec![99], 1))
                .weigh(&crate::signs::dispersion::SIGN, at(0.0, 0.1))
                .ln_e
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
    fn groups_of_the_same_accounts_weigh_as_one() {
        let unit = |number, accounts: &[AccountNo]| Unit {
            number: Some(number),
            vouched: false,
            honest: Credence::default(),
            who: Sample::new(accounts.to_vec(), 1),
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
            who: Sample::new(vec![number], 1),
            measures: Measures::default(),
            asks: None,
        };
        for (given, kept) in [(COMPARED_MAX, COMPARED_MAX), (COMPARED_MAX + 1, COMPARED_MAX)] {
            assert_eq!(Calibration::new((0..given as u32).map(unit)).groups(), kept);
        }
    }
}
