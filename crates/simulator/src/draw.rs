//! Seeded draws from the distributions that the simulator needs.
//!
//! Promises the same numbers on every platform: transcendental functions come from `libm`, randomness from a ChaCha
//! stream named by a seed and a path. Refuses nothing: parameters outside their domain are clamped to its edge.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The generator for one purpose: a stream of its own for every different `path`.
#[must_use]
pub(crate) fn stream(seed: u64, path: &[u64]) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(mix(seed, path))
}

/// A hash of `path` under `seed`: ids and tie-breaks that tell nothing.
#[must_use]
pub(crate) fn mix(seed: u64, path: &[u64]) -> u64 {
    path.iter().fold(scramble(seed ^ 0x9e37_79b9_7f4a_7c15), |state, &step| {
        scramble(state.rotate_left(23).wrapping_add(scramble(step ^ 0xd1b5_4a32_d192_ed03)))
    })
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
fn scramble(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Uniform in (0, 1): never 0, so that logarithms stay finite.
pub(crate) fn open01(rng: &mut impl Rng) -> f64 {
    rng.random::<f64>().max(f64::MIN_POSITIVE)
}

/// Whether an event of probability `p` happens.
pub(crate) fn chance(rng: &mut impl Rng, p: f64) -> bool {
    rng.random::<f64>() < p
}

/// Standard normal (Box and Muller).
pub(crate) fn normal(rng: &mut impl Rng) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(open01(rng)));
    radius * libm::cos(std::f64::consts::TAU * rng.random::<f64>())
}

/// Lognormal by its median and the deviation of its logarithm.
pub(crate) fn lognormal(rng: &mut impl Rng, median: f64, sigma: f64) -> f64 {
    median * libm::exp(sigma * normal(rng))
}

/// Exponential.
pub(crate) fn exponential(rng: &mut impl Rng, mean: f64) -> f64 {
    -mean * libm::log(open01(rng))
}

/// Gamma with mean 1 (Marsaglia and Tsang, 2000).
pub(crate) fn gamma_mean_one(rng: &mut impl Rng, shape: f64) -> f64 {
    let shape = shape.max(0.02);
    // Below one the method needs a shape above it and a power of a uniform.
    let (boosted, correction) =
        if shape < 1.0 { (shape + 1.0, libm::pow(open01(rng), 1.0 / shape)) } else { (shape, 1.0) };
    let d = boosted - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = normal(rng);
        let v = 1.0 + c * x;
        if v <= 0.0 {
            continue;
        }
        let v = v * v * v;
        if libm::log(open01(rng)) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return d * v * correction / shape;
        }
    }
}

/// Weibull with mean 1.
pub(crate) fn weibull_mean_one(rng: &mut impl Rng, shape: f64) -> f64 {
    let shape = shape.max(0.1);
    libm::pow(-libm::log(open01(rng)), 1.0 / shape) / libm::tgamma(1.0 + 1.0 / shape)
}

/// A whole number with this mean: rounded down or up at random, so that small means are kept on average.
pub(crate) fn rounded(rng: &mut impl Rng, mean: f64) -> u32 {
    let mean = mean.clamp(0.0, f64::from(u32::MAX));
    (mean + rng.random::<f64>()).floor() as u32
}

/// Poisson; by the normal approximation above a mean of 60.
pub(crate) fn poisson(rng: &mut impl Rng, mean: f64) -> u32 {
    if mean > 60.0 {
        return (mean + libm::sqrt(mean) * normal(rng)).round().clamp(0.0, f64::from(u32::MAX)) as u32;
    }
    let floor = libm::exp(-mean.max(0.0));
    let (mut count, mut product) = (0, open01(rng));
    while product > floor {
        count += 1;
        product *= open01(rng);
    }
    count
}

/// One of `items`, by weight.
pub(crate) fn weighted<'a, T>(rng: &mut impl Rng, items: &'a [T], weight: impl Fn(&T) -> f64) -> Option<&'a T> {
    let total: f64 = items.iter().map(&weight).sum();
    let mut left = rng.random::<f64>() * total;
    items
        .iter()
        .find(|item| {
            left -= weight(item);
            left < 0.0
        })
        // Rounding may leave nothing over at the very end.
        .or(items.last())
}

/// One of `items`, evenly.
pub(crate) fn pick<'a, T>(rng: &mut impl Rng, items: &'a [T]) -> Option<&'a T> {
    items.get(rng.random_range(0..items.len().max(1)))
}

/// Fisher and Yates.
pub(crate) fn shuffle<T>(rng: &mut impl Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.random_range(0..=last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_and_cv(mut draw: impl FnMut(&mut ChaCha8Rng) -> f64) -> (f64, f64) {
        let mut rng = stream(1, &[2]);
        let draws: Vec<f64> = (0..40_000).map(|_| draw(&mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        (mean, variance.sqrt() / mean)
    }

    #[test]
    fn draws_have_the_moments_they_should() {
        let check = |(mean, cv): (f64, f64), expected_mean: f64, expected_cv: f64| {
            assert!((mean / expected_mean - 1.0).abs() < 0.06, "mean {mean}, expected {expected_mean}");
            assert!((cv / expected_cv - 1.0).abs() < 0.1, "cv {cv}, expected {expected_cv}");
        };
        check(mean_and_cv(|rng| gamma_mean_one(rng, 0.25)), 1.0, 2.0);
        check(mean_and_cv(|rng| gamma_mean_one(rng, 4.0)), 1.0, 0.5);
        check(mean_and_cv(|rng| weibull_mean_one(rng, 1.0)), 1.0, 1.0);
        check(mean_and_cv(|rng| exponential(rng, 3.0)), 3.0, 1.0);
        check(mean_and_cv(|rng| lognormal(rng, 1.0, 0.5)), 1.133, 0.533);
        check(mean_and_cv(|rng| f64::from(poisson(rng, 9.0))), 9.0, 1.0 / 3.0);
        check(mean_and_cv(|rng| f64::from(poisson(rng, 900.0))), 900.0, 1.0 / 30.0);
    }

    #[test]
    fn paths_have_streams_of_their_own() {
        let first = |path: &[u64]| stream(7, path).random::<u64>();
        assert_eq!(first(&[1, 2]), first(&[1, 2]));
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
        assert_ne!(first(&[1]), first(&[1, 0]));
    }

    #[test]
    fn weights_are_followed_and_nothing_has_nothing() {
        let mut rng = stream(3, &[]);
        let ones = (0..10_000).filter(|_| *weighted(&mut rng, &[0, 1], |&i| [0.9, 0.1][i]).unwrap() == 1).count();
        assert!((850..1150).contains(&ones), "{ones}");
        assert_eq!(weighted(&mut rng, &[] as &[u8], |_| 1.0), None);
        assert_eq!(pick(&mut rng, &[] as &[u8]), None);
    }
}
