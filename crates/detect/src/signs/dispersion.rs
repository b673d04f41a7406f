//! Dispersion: is work spread over payers more evenly than people use anything?
//!
//! What each payer sent since it entered the group is compared with an even share of what all members sent meanwhile. The
//! statistic is the squared coefficient of variation of their rates beyond chance (the method of moments for gamma rates): 0
//! when a dispatcher deals at random, below it when it deals in turn, 1 for exponential rates, several for people. What a
//! payer sent before it entered, and what made it a member, does not count, so nobody is chosen for what is measured.
//! Weighed against the deployment's own groups. Fails when an attacker draws rates from a heavy-tailed law, or when honest
//! users are held to equal use (a clock, a quota, a lesson): these are rivals that explain it.

use crate::group::Payer;
use crate::signs::calibrate::{Number, Sign};
use crate::signs::distribution::Law;
use crate::signs::scene::{Scene, evidence};
use findings::number::{counted, grouped};
use findings::{Estimate, Evidence, SignalFamily};

/// The squared coefficient of variation of the payers' rates beyond chance, on the scale of [`SIGN`].
#[must_use]
pub(crate) fn measure(payers: &[Payer]) -> Option<Estimate> {
    let known = || payers.iter().filter(|payer| payer.share >= SHARE_MIN);
    let count = known().count();
    let squares: f64 = known().map(|payer| payer.share * payer.share).sum();
    let total: f64 = known().map(|payer| payer.share).sum();
    if count < PAYERS_MIN || total < EXCHANGES_MIN {
        return None;
    }
    let sent: f64 = known().map(|payer| payer.exchanges as f64).sum();
    // Those who are left out for having had no time yet take a little with them.
    let even = sent / total;
    let pieces = || {
        known().map(|payer| {
            let share = payer.share * even;
            let far = payer.exchanges as f64 - share;
            (far * far - share, share * share)
        })
    };
    let squares = squares * even * even;
    let value = pieces().map(|(piece, _)| piece).sum::<f64>() / squares.max(f64::MIN_POSITIVE);
    let scatter: f64 = pieces().map(|(piece, square)| (piece - value * square).powi(2)).sum();
    // The scatter of counts alone, which a few equal counts hide.
    let chance = 2.0 * total * total / count as f64;
    let error = (scatter + chance).sqrt() / squares.max(f64::MIN_POSITIVE);
    Some(SIGN.law.scaled(Estimate { value, error, accounts: count }))
}

/// Weighs how even the shares are.
#[must_use]
pub(crate) fn weigh(scene: &Scene<'_>) -> Option<Evidence> {
    let payers = &scene.group.payers;
    let measured = measure(payers)?;
    let weight = scene.others.weigh(&SIGN, measured);
    let mut counts: Vec<u64> = payers.iter().map(|payer| payer.exchanges).collect();
    counts.sort_unstable();
    let quantile = |q: usize| counts.get((counts.len() - 1) * q / 100).copied().unwrap_or(0);
    let text = format!(
        "Since they became members, {} sent {}; the middle 80 % of them sent {} to {} each. {} {}",
        counted(counts.len() as u64, "payer"),
        counted(counts.iter().sum::<u64>(), "request"),
        grouped(quantile(10)),
        grouped(quantile(90)),
        if weight.ln_e >= 0.0 {
            "That is more even than use by unrelated customers, of whom a few send most."
        } else {
            "That is as uneven as use by unrelated customers, of whom a few send most."
        },
        weight.basis()
    );
    Some(evidence(SignalFamily::Evenness, weight.ln_e, counts.iter().sum(), text))
}

/// How dispersed honest groups and dispatched ones are.
pub(crate) const SIGN: Sign = Sign {
    family: SignalFamily::Evenness,
    law: Law {
        scale: 0.2,
        // People's rates are lognormal with a deviation of 1 to 1.3 of the logarithm, tools' less.
        honest: (3.0, 1.0),
        dispatched: (0.0, 0.5),
        // Rates as people have them cost a campaign little.
        imitated: 0.3,
        smoothed: 0.5,
        one_sided: true,
    },
    number: Number::Dispersion,
};
/// An even share below this has had no time to tell.
const SHARE_MIN: f64 = 0.5;
/// Fewer payers give no evidence,
const PAYERS_MIN: usize = 6;
/// and so do fewer exchanges.
const EXCHANGES_MIN: f64 = 12.0;

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::Time;

    fn of(counts: &[u64]) -> f64 {
        let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
        let payer = |&exchanges: &u64| Payer {
            payer: event::Hash(0),
            account: 0,
            exchanges,
            share: mean,
            first: Time::from_seconds(0),
        };
        measure(&counts.iter().map(payer).collect::<Vec<_>>()).unwrap().value
    }

    #[test]
    fn shares_dealt_out_are_even_and_those_of_people_are_not() {
        let dealt: Vec<u64> = (0..60).map(|i| 8 + i * 7 % 5).collect();
        assert!(of(&dealt) < 0.2, "{}", of(&dealt));
        let people: Vec<u64> = (0..60).map(|i| 1 + 400 / (1 + i * i)).collect();
        assert!(of(&people) > 3.0, "{}", of(&people));
    }

    #[test]
    fn few_payers_and_few_exchanges_say_nothing() {
        let payer =
            |share| Payer { payer: event::Hash(0), account: 0, exchanges: 9, share, first: Time::from_seconds(0) };
        assert_eq!(measure(&[payer(9.0); PAYERS_MIN - 1]), None);
        assert!(measure(&[payer(9.0); PAYERS_MIN]).is_some());
        assert_eq!(measure(&[payer(SHARE_MIN - 0.1); 60]), None);
    }
}
