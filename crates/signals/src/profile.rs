//! The parameter profile: decoding settings as one comparable value.
//!
//! Settings that vary from request to request by nature (the seed's value, a stream's choice) are left out; whether a seed
//! is set at all counts. Nothing logged gives no profile.

use exchange::Params;

use crate::Hash;

/// The profile of one request's settings.
#[must_use]
pub fn params(params: &Params<'_>) -> Option<Hash> {
    let set = [
        params.temperature.map(|t| (t * 100.0).round() as u64),
        params.top_p.map(|p| (p * 100.0).round() as u64),
        params.max_tokens.map(u64::from),
        params.n.map(u64::from),
        params.logprobs.map(u64::from),
        params.top_logprobs.map(u64::from),
        params.logit_bias.map(u64::from),
        params.echo.map(u64::from),
        params.seed.map(|_| 1),
        params.reasoning_effort.as_deref().map(|effort| Hash::of(effort).0),
    ];
    if set.iter().all(Option::is_none) {
        return None;
    }
    let hash = set.iter().fold(0_u64, |hash, value| {
        let value = value.map_or(0, |value| value.wrapping_add(1));
        (hash ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31)
    });
    Some(Hash(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_settings_are_equal_and_nothing_is_nothing() {
        let a = Params { temperature: Some(0.7), max_tokens: Some(1024), seed: Some(1), ..Params::default() };
        let b = Params { seed: Some(99), ..a.clone() };
        let c = Params { seed: None, ..a.clone() };
        assert_eq!(params(&a), params(&b));
        assert_ne!(params(&a), params(&c));
        assert_eq!(params(&Params::default()), None);
        assert_ne!(
            params(&Params { n: Some(1), ..Params::default() }),
            params(&Params { max_tokens: Some(1), ..Params::default() })
        );
    }
}
