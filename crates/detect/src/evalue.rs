//! The arithmetic of e-values: mixtures, likelihood ratios and thresholds that stay valid whenever one looks.
//!
//! An e-value is a non-negative number whose mean is at most one when nothing is going on; being 1000 or more then has
//! probability at most 1/1000 (Markov), and for a process of them at *any* time (Ville). Everything here is in natural
//! logarithms unless a name says `log10`.

/// log10 of a number given by its natural logarithm.
#[must_use]
pub(crate) fn log10(ln: f64) -> f64 {
    ln / std::f64::consts::LN_10
}

/// ln of the mean of e-values given by their logarithms: an e-value again, whatever their dependence.
/// With no values there is no evidence: ln 1 = 0.
#[must_use]
pub(crate) fn mean(lns: &[f64]) -> f64 {
    let largest = lns.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !largest.is_finite() {
        return if lns.is_empty() { 0.0 } else { largest };
    }
    let sum: f64 = lns.iter().map(|ln| (ln - largest).exp()).sum();
    largest + (sum / lns.len() as f64).ln()
}

/// ln of the likelihood ratio "some probability above `p0`" against "a probability of at most `p0`" for `hits` of `trials` in
/// order: the mean over [`RATES`] rates spaced evenly between the logarithms of `p0` and one. An e-process whatever the true
/// probability up to `p0` is, since each rate lies above it; fewer hits than `p0` expects are evidence of nothing.
#[must_use]
pub(crate) fn more_often(hits: u64, trials: u64, p0: f64) -> f64 {
    Rates::above(p0).mixture(hits, trials, |_| 0.0)
}

/// The rates of the mixture above one probability, worked out once for many who are compared with it.
pub(crate) struct Rates {
    /// ln of the probability of no hit at `p0`,
    ln_miss: f64,
    /// and of each rate: ln of how many times `p0` it is, and of no hit at it.
    rates: [(f64, f64); RATES],
}

impl Rates {
    /// The rates above `p0`.
    #[must_use]
    pub(crate) fn above(p0: f64) -> Rates {
        let rates = std::array::from_fn(|step| {
            let rate = p0.powf(1.0 - (step + 1) as f64 / RATES as f64).min(RATE_MAX.max(p0));
            ((rate / p0).ln(), (-rate).ln_1p())
        });
        Rates { ln_miss: (-p0).ln_1p(), rates }
    }

    /// As [`more_often`], among those who are looked at for having hit at least once: both likelihoods are conditional on that.
    #[must_use]
    pub(crate) fn more_often_given_one(&self, hits: u64, trials: u64) -> f64 {
        let any = |ln_miss: f64| (-libm::expm1(trials as f64 * ln_miss)).max(f64::MIN_POSITIVE).ln();
        let any_at_p0 = any(self.ln_miss);
        self.mixture(hits, trials, |ln_miss| any_at_p0 - any(ln_miss))
    }

    /// The mean over the rates of the likelihood ratio, each times `e` to what `given` says of its chance of no hit.
    fn mixture(&self, hits: u64, trials: u64, given: impl Fn(f64) -> f64) -> f64 {
        let misses = trials.saturating_sub(hits) as f64;
        let ratio = |(ln_times, ln_miss)| hits as f64 * ln_times + misses * (ln_miss - self.ln_miss) + given(ln_miss);
        mean(&self.rates.map(ratio))
    }
}

/// The e-value that a group's statistic gives beside those of groups that are known to be honest: the statistic by the mean of
/// all. When the group is exchangeable with these its expectation is one, whatever the statistic's law (Vovk, "Conformal
/// e-prediction", 2024); it never exceeds their number and one. Statistics are not negative; none among fewer than
/// [`CONFORMAL_MIN`].
#[must_use]
pub(crate) fn conformal(statistic: f64, honest: &[f64]) -> Option<f64> {
    let sum = honest.iter().sum::<f64>() + statistic;
    (honest.len() >= CONFORMAL_MIN && sum > 0.0).then(|| statistic * (honest.len() + 1) as f64 / sum)
}

/// Fewer honest groups are not enough to compare with.
pub(crate) const CONFORMAL_MIN: usize = 8;

/// The smallest e-value, in ln, among those that e-BH rejects at level `alpha`, of `hypotheses` in all, the others' being at most
/// one: none when it rejects none. Holds the false discovery rate under any dependence, for e-values of one fixed time; running maxima are none (Wang and Ramdas, "False discovery rate
/// control with e-values", 2022).
#[must_use]
pub(crate) fn ebh(lns: &[f64], hypotheses: usize, alpha: f64) -> Option<f64> {
    let mut lns = lns.to_vec();
    lns.sort_by(|a, b| b.total_cmp(a));
    let all = lns.len().max(hypotheses) as f64;
    let rejected = |&(k, ln): &(usize, f64)| ln >= (all / (alpha * (k + 1) as f64)).ln();
    lns.into_iter().enumerate().rfind(rejected).map(|(_, ln)| ln)
}

/// The e-value, as its log10, from which e-BH rejects one of `hypotheses` at level `alpha` beside `others` (log10): of the largest k
/// such that k - 1 of these reach what k rejections ask of each.
#[must_use]
pub(crate) fn ebh_threshold(hypotheses: u64, others: &[f64], alpha: f64) -> f64 {
    let mut others = others.to_vec();
    others.sort_by(|a, b| b.total_cmp(a));
    let asked = |k: usize| (hypotheses.max(1) as f64 / (alpha * k as f64)).log10();
    let enough = others.iter().enumerate().rfind(|&(at, &other)| other >= asked(at + 2));
    asked(enough.map_or(1, |(at, _)| at + 2))
}

/// Rates in the mixture of [`more_often`].
const RATES: usize = 12;
/// No rate is taken to be higher.
const RATE_MAX: f64 = 0.99;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_bh_rejects_as_many_as_are_large_enough_together() {
        let of = |es: &[f64], alpha| {
            ebh(&es.iter().map(|e| e.ln()).collect::<Vec<_>>(), 0, alpha).map(|ln| ln.exp().round())
        };
        assert_eq!(of(&[], 0.1), None);
        assert_eq!(of(&[39.0, 1.0, 1.0, 1.0], 0.1), None);
        assert_eq!(of(&[40.0, 1.0, 1.0, 1.0], 0.1), Some(40.0));
        // Two of 20 each are enough where one of 39 is not.
        assert_eq!(of(&[20.0, 20.0, 1.0, 1.0], 0.1), Some(20.0));
        assert_eq!(of(&[1.0, 11.0, 11.0, 11.0, 9.0], 0.5), Some(9.0));
        // Those who were never seen to do it count among all.
        let ln = 39.0_f64.ln();
        assert_eq!((ebh(&[ln], 3, 0.1), ebh(&[ln], 4, 0.1)), (Some(ln), None));
    }

    #[test]
    fn a_conformal_e_value_has_mean_one_under_exchangeability() {
        // Every group in turn among the others: the e-values of all of them sum to their number, whatever the statistics.
        let statistics: Vec<f64> = (0..20).map(|i| f64::from(i * i % 17) + if i == 3 { 1e6 } else { 0.0 }).collect();
        let sum: f64 = (0..statistics.len())
            .map(|at| {
                let others: Vec<f64> =
                    statistics.iter().enumerate().filter(|&(i, _)| i != at).map(|(_, &s)| s).collect();
                conformal(statistics[at], &others).unwrap()
            })
            .sum();
        assert!((sum - 20.0).abs() < 1e-9);
        assert_eq!(conformal(5.0, &[1.0; CONFORMAL_MIN - 1]), None);
        assert_eq!(conformal(1.0, &[1.0; CONFORMAL_MIN]), Some(1.0));
        assert_eq!(conformal(0.0, &[0.0; CONFORMAL_MIN]), None);
    }

    #[test]
    fn the_mean_of_evalues() {
        assert_eq!(mean(&[]), 0.0);
        assert!((mean(&[1000.0, 1000.0]) - 1000.0).abs() < 1e-9);
        assert!((mean(&[0.0, 3.0_f64.ln()]) - 2.0_f64.ln()).abs() < 1e-12);
        assert_eq!(mean(&[f64::NEG_INFINITY]), f64::NEG_INFINITY);
    }

    #[test]
    fn mixtures_mean_one_at_the_edge_of_the_null_and_less_within() {
        // All outcomes of 6 trials, each sequence of k hits equally likely.
        let mean_at = |p: f64| -> f64 {
            (0..=6_u64)
                .map(|k| {
                    let sequences = [1.0, 6.0, 15.0, 20.0, 15.0, 6.0, 1.0][k as usize];
                    sequences * p.powi(k as i32) * (1.0 - p).powi(6 - k as i32) * more_often(k, 6, 0.2).exp()
                })
                .sum()
        };
        assert!((mean_at(0.2) - 1.0).abs() < 1e-9, "{}", mean_at(0.2));
        assert!(mean_at(0.1) < 1.0 && mean_at(0.01) < 1.0);
    }

    #[test]
    fn one_hit_is_none_among_those_who_have_one() {
        for (trials, p0) in [(2, 0.01), (7, 0.01), (28, 0.01), (7, 0.1)] {
            assert!(Rates::above(p0).more_often_given_one(1, trials) < 0.2, "1 of {trials} at {p0}");
        }
        assert!(Rates::above(0.01).more_often_given_one(1, 7) < more_often(1, 7, 0.01) - 1.5);
        assert!(Rates::above(0.01).more_often_given_one(7, 7) > 20.0);
    }

    #[test]
    fn seldom_is_no_evidence() {
        for (hits, trials, p0) in [(0, 100, 0.1), (1, 100, 0.2), (1, 10_000, 1e-3), (0, 1_000_000, 1e-4)] {
            assert!(more_often(hits, trials, p0) < 0.0, "{hits} of {trials} at {p0}");
        }
        assert!(more_often(4, 4, 1e-3) > 20.0);
    }

    /// Ville's inequality, tried: whoever looks after every request and stops at the worst is wrong at most as often as α says.
    #[test]
    fn stopping_whenever_one_likes_is_wrong_at_most_as_often_as_said() {
        let mut state = 0x5EED_u64;
        let mut uniform = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        const RUNS: u32 = 10_000;
        for (p0, requests) in [(0.01, 300), (0.1, 100)] {
            let mut crossed = [0_u32; 3];
            for _ in 0..RUNS {
                let (mut hits, mut highest) = (0, f64::NEG_INFINITY);
                for trials in 1..=requests {
                    hits += u64::from(uniform() < p0);
                    highest = highest.max(more_often(hits, trials, p0));
                }
                for (count, alpha) in crossed.iter_mut().zip(ALPHAS) {
                    *count += u32::from(highest >= -f64::ln(alpha));
                }
            }
            for (count, alpha) in crossed.into_iter().zip(ALPHAS) {
                // Three standard deviations of a count of that many.
                let expected = alpha * f64::from(RUNS);
                assert!(f64::from(count) <= expected + 3.0 * expected.sqrt(), "{count} of {RUNS} at {alpha}, p0 {p0}");
            }
            assert!(crossed[0] > 0, "a test that nothing ever crosses says nothing");
        }
    }

    const ALPHAS: [f64; 3] = [0.1, 0.01, 0.001];

    #[test]
    fn thresholds_are_those_of_e_bh() {
        let of = |hypotheses, others: &[f64]| {
            let others: Vec<f64> = others.iter().map(|e| e.log10()).collect();
            10_f64.powf(ebh_threshold(hypotheses, &others, 0.1)).round()
        };
        assert_eq!(of(0, &[]), 10.0);
        assert_eq!(of(4, &[]), 40.0);
        assert_eq!((of(4, &[20.0]), of(4, &[19.0])), (20.0, 40.0), "two of 20 each are enough, one is not");
        assert_eq!(of(4, &[19.0, 14.0]), 13.0, "three of 13 are enough where two of 20 are not there");
        assert_eq!(of(4, &[1.0, 2.0, 1e9]), 20.0, "what is small counts for nothing");
        // The same as by the procedure itself.
        let es: Vec<f64> = [39.0, 21.0, 14.0, 9.0, 2.0].iter().map(|e: &f64| e.ln()).collect();
        for (at, &own) in es.iter().enumerate() {
            let others: Vec<f64> = es.iter().enumerate().filter(|&(i, _)| i != at).map(|(_, &ln)| log10(ln)).collect();
            let rejected = ebh(&es, 5, 0.1).is_some_and(|enough| own >= enough);
            assert_eq!(log10(own) >= ebh_threshold(5, &others, 0.1), rejected, "{at}");
        }
    }
}
