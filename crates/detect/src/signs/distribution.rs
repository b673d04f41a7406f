//! How one number is distributed among the groups that others are compared with.
//!
//! Groups are put in order once, when they are measured, and not for each group that is weighed: then a median without the few groups
//! that share accounts with it is one walk along them.

use findings::Estimate;

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
    #[must_use]
    pub(crate) fn bounded(&self, measured: Estimate) -> Estimate {
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

/// What was measured of one group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    /// Its place among all groups.
    pub place: usize,
    /// The number, no further than a dispatcher's ([`Law::bounded`]),
    pub measured: Estimate,
    /// how much the group counts for the law around the median,
    pub weight: f64,
    /// and in the smoothed law.
    pub smoothed: f64,
}

/// A number as it was measured of all groups of which it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Distribution {
    /// By the number.
    points: Vec<Point>,
    /// The same by how rough the number is: error, weight and place among all groups.
    errors: Vec<(f64, f64, usize)>,
}

impl Distribution {
    /// Of these.
    #[must_use]
    pub(crate) fn of(points: impl Iterator<Item = Point>) -> Distribution {
        let mut points: Vec<Point> = points.map(Point::by_its_error).collect();
        let mut errors: Vec<_> = points.iter().map(|point| (point.measured.error, point.weight, point.place)).collect();
        points.sort_by(|a, b| a.measured.value.total_cmp(&b.measured.value));
        errors.sort_by(|a, b| a.0.total_cmp(&b.0));
        Distribution { points, errors }
    }

    /// Groups among it, but those left out.
    #[must_use]
    pub(crate) fn groups(&self, left_out: &LeftOut) -> usize {
        self.but(left_out).count()
    }

    /// ln of the ratio of the densities at `measured`: of a group that one dispatcher feeds, and of an honest one.
    #[must_use]
    pub(crate) fn ratio(&self, law: &Law, measured: Estimate, left_out: &LeftOut) -> f64 {
        let (centre, deviation) = law.dispatched;
        let measured = law.bounded(measured);
        let honest = self.honest(law, measured, left_out);
        let dispatched = normal(measured.value - centre, deviation.hypot(measured.error));
        let alternative = (1.0 - law.imitated) * dispatched + law.imitated * honest;
        // An honest group may be as a dispatched one is, however many were none.
        let null = honest + dispatched / E_MAX;
        (alternative / null.max(f64::MIN_POSITIVE)).ln()
    }

    /// The predictive density of an honest group's number. Rough numbers tell little of where honest groups lie and weigh little.
    fn honest(&self, law: &Law, measured: Estimate, left_out: &LeftOut) -> f64 {
        let (count, kernels) = self
            .but(left_out)
            .fold((0.0, 0.0), |(count, kernels), point| (count + point.weight, kernels + point.smoothed));
        let (prior_centre, prior_deviation) = law.honest;
        let share = count / (count + PRIOR_GROUPS);
        let middle = median(self.but(left_out).map(|point| (point.measured.value, point.weight)), count);
        let centre = share * middle.unwrap_or(prior_centre) + (1.0 - share) * prior_centre;
        let far = median(self.by_distance(centre, left_out), count);
        let deviation = MAD_TO_DEVIATION * far.unwrap_or(0.0);
        let errors = self.errors.iter().filter(|&&(.., place)| !left_out.has(place));
        // What lies between groups is what is left without their own errors.
        let rough = median(errors.map(|&(error, weight, _)| (error, weight)), count).unwrap_or(0.0);
        let between = (deviation * deviation - rough * rough).max(DEVIATION_MIN * DEVIATION_MIN);
        let variance = share * between + (1.0 - share) * prior_deviation * prior_deviation;
        let deviation = variance.sqrt().hypot(measured.error);
        let around = student(measured.value - centre, deviation, FREEDOM + FREEDOM_A_GROUP * count);
        // Narrower the more groups there are (Silverman's exponent).
        let width = variance.sqrt() * (count + 1.0).powf(-0.2);
        let prior = student(measured.value - prior_centre, prior_deviation.hypot(measured.error), FREEDOM);
        // Nothing here comes near what its square cannot hold.
        let width_squared = width * width + measured.error * measured.error;
        let kernel = |point: &Point| {
            let (far, error) = (measured.value - point.measured.value, point.measured.error);
            let variance = width_squared + error * error;
            if far * far > FAR * variance { 0.0 } else { point.smoothed * normal(far, variance.sqrt()) }
        };
        let smoothed = (self.but(left_out).map(kernel).sum::<f64>() + PRIOR_GROUPS * prior) / (kernels + PRIOR_GROUPS);
        law.smoothed * smoothed + (1.0 - law.smoothed) * around
    }

    fn but(&self, left_out: &LeftOut) -> impl DoubleEndedIterator<Item = &Point> {
        self.points.iter().filter(|point| !left_out.has(point.place))
    }

    /// How far from `centre` each lies, the nearest first, with its weight.
    fn by_distance(&self, centre: f64, left_out: &LeftOut) -> impl Iterator<Item = (f64, f64)> {
        let above = self.points.partition_point(|point| point.measured.value < centre);
        let (below, above) = self.points.split_at_checked(above).unwrap_or((&self.points, &[]));
        let far = move |point: &Point| ((point.measured.value - centre).abs(), point.weight);
        let kept = |point: &&Point| !left_out.has(point.place);
        let mut below = below.iter().rev().filter(kept).map(far).peekable();
        let mut above = above.iter().filter(kept).map(far).peekable();
        std::iter::from_fn(move || match (below.peek(), above.peek()) {
            (Some(low), Some(high)) if low.0 <= high.0 => below.next(),
            (Some(_), None) => below.next(),
            _ => above.next(),
        })
    }
}

impl Point {
    /// A rough number weighs little.
    fn by_its_error(self) -> Point {
        let Point { measured, weight, smoothed, .. } = self;
        let share = ROUGH * ROUGH / (ROUGH * ROUGH + measured.error * measured.error);
        Point { weight: weight * share, smoothed: smoothed * share, ..self }
    }
}

/// Groups that one is not compared with, by their places.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeftOut(Vec<u64>);

impl LeftOut {
    /// Leaves out the group at `place`.
    pub(crate) fn add(&mut self, place: usize) {
        let word = place / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (place % 64);
        }
    }

    /// Whether the group at `place` is left out.
    #[must_use]
    pub(crate) fn has(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }
}

/// The value up to which half of the weight lies, of values in order that weigh `all` together; none without weight.
fn median(values: impl Iterator<Item = (f64, f64)>, all: f64) -> Option<f64> {
    let (mut below, mut last) = (0.0, None);
    for (value, weight) in values {
        below += weight;
        last = Some(value);
        if below >= all / 2.0 {
            break;
        }
    }
    last
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

/// What no sign exceeds: a thousand honest groups would have to be seen for more.
pub(crate) const E_MAX: f64 = 1000.0;
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
/// A group so many deviations away (their square) adds less than what is believed beforehand can show in 64 bits.
const FAR: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signs::interchange;

    const CONTENT: Law = interchange::CONTENT.law;

    fn at(value: f64, error: f64) -> Estimate {
        Estimate { value, error, accounts: 50 }
    }

    fn point(value: f64, smoothed: f64) -> Point {
        Point { place: 0, measured: at(value, 0.1), weight: 1.0, smoothed }
    }

    fn ratio(law: &Law, measured: Estimate, others: &[Point]) -> f64 {
        Distribution::of(others.iter().copied()).ratio(law, measured, &LeftOut::default())
    }

    #[test]
    fn what_no_honest_group_shows_is_evidence_and_what_many_show_is_none() {
        let one = |value| point(value, 1.0);
        let honest: Vec<Point> = (0..30).map(|i| one(2.2 + f64::from(i % 10) * 0.2)).collect();
        let log10 = |law: &Law, measured, others: &[Point]| ratio(law, measured, others) / std::f64::consts::LN_10;
        let content = |measured, others: &[Point]| log10(&CONTENT, measured, others);
        assert!(content(at(0.0, 0.1), &honest) > 2.0);
        assert!(content(at(3.0, 0.1), &honest) < -1.0);
        assert!(content(at(0.0, 3.0), &honest).abs() < 0.7, "a rough number says little");
        assert!(content(at(0.0, 0.1), &[]) > 0.5, "what is believed beforehand counts less");
        assert!(content(at(-9.0, 0.1), &honest) <= E_MAX.log10() + 1e-9);
        let quarter: Vec<Point> = honest.iter().copied().chain((0..10).map(|_| one(0.0))).collect();
        let smoothed = Law { smoothed: 0.5, ..CONTENT };
        let (robust, by_the_groups) = (content(at(0.0, 0.1), &quarter), log10(&smoothed, at(0.0, 0.1), &quarter));
        assert!(by_the_groups < 1.0 && robust > by_the_groups + 0.2, "{robust} {by_the_groups}");
    }

    #[test]
    fn one_group_that_somebody_vouched_for_excuses_none_that_look_like_it() {
        let one = |value, smoothed| point(value, smoothed);
        let honest: Vec<Point> = (0..30).map(|i| one(2.2 + f64::from(i % 10) * 0.2, 1.0)).collect();
        let with = |smoothed| [&honest[..], &[one(0.0, smoothed)]].concat();
        let of = |others: &[Point]| ratio(&crate::signs::dispersion::SIGN.law, at(0.0, 0.1), others);
        assert!((of(&with(0.0)) - of(&honest)).abs() < 0.7, "{} {}", of(&with(0.0)), of(&honest));
        assert!(of(&with(1.0)) < of(&with(0.0)) - 0.7, "one that was seen counts: {}", of(&with(1.0)));
    }

    #[test]
    fn beyond_what_a_dispatcher_shows_a_number_counts_as_much_as_that() {
        let honest: Vec<Point> = (0..30).map(|i| point(2.2 + f64::from(i % 10) * 0.2, 1.0)).collect();
        let of = |value| ratio(&crate::signs::dispersion::SIGN.law, at(value, 0.1), &honest);
        assert!((of(-3.0) - of(0.0)).abs() < 1e-9);
    }

    #[test]
    fn densities_sum_to_one() {
        let sum =
            |density: fn(f64, f64) -> f64| (-4000..4000).map(|i| density(f64::from(i) * 0.01, 0.7) * 0.01).sum::<f64>();
        assert!((sum(normal) - 1.0).abs() < 1e-6);
        assert!((sum(|far, deviation| student(far, deviation, 4.0)) - 1.0).abs() < 1e-3);
        assert!((sum(|far, deviation| student(far, deviation, 30.0)) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn what_is_left_out_is_as_if_it_had_not_been_measured() {
        let points: Vec<Point> =
            (0..130).map(|place| Point { place, ..point(f64::from(place as u32 * 7919 % 130) * 0.03, 1.0) }).collect();
        let (mut left_out, mut kept) = (LeftOut::default(), Vec::new());
        for point in &points {
            if point.place % 3 == 0 { left_out.add(point.place) } else { kept.push(*point) }
        }
        let all = Distribution::of(points.into_iter());
        assert_eq!(all.groups(&left_out), kept.len());
        let without = all.ratio(&CONTENT, at(0.4, 0.2), &left_out);
        assert!((without - ratio(&CONTENT, at(0.4, 0.2), &kept)).abs() < 1e-12);
        assert!((without - all.ratio(&CONTENT, at(0.4, 0.2), &LeftOut::default())).abs() > 1e-6);
    }

    #[test]
    fn medians_are_by_weight_and_distances_come_in_order() {
        assert_eq!(median([(1.0, 1.0), (2.0, 3.0), (9.0, 1.0)].into_iter(), 5.0), Some(2.0));
        assert_eq!(median(std::iter::empty(), 0.0), None);
        let points = [0.0, 1.0, 2.0, 5.0].map(|value| point(value, 1.0));
        let far: Vec<f64> =
            Distribution::of(points.into_iter()).by_distance(1.5, &LeftOut::default()).map(|(far, _)| far).collect();
        assert_eq!(far, [0.5, 0.5, 1.5, 3.5]);
    }
}
