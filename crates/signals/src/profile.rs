//! The parameter profile: decoding settings as one comparable value.
//!
//! Settings that vary from request to request by nature (the seed's value, a stream's choice) are left out; whether a seed
//! is set at all counts. Nothing logged gives no profile.

use exchange::Params;

use crate::{Hash, head};

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

/// The settings in words that a person can check, in the order of the profile; empty where none are set.
#[must_use]
pub fn words(params: &Params<'_>) -> String {
    let set = |name: &str, value: Option<String>| value.map(|value| format!("{name} {value}"));
    let hundredths = |value: f32| format!("{}", (f64::from(value) * 100.0).round() / 100.0);
    let flag = |value: bool| if value { "on" } else { "off" }.to_owned();
    let words = [
        set("temperature", params.temperature.map(hundredths)),
        set("top_p", params.top_p.map(hundredths)),
        set("max_tokens", params.max_tokens.map(|n| n.to_string())),
        set("n", params.n.map(|n| n.to_string())),
        set("logprobs", params.logprobs.map(flag)),
        set("top_logprobs", params.top_logprobs.map(|n| n.to_string())),
        set("logit_bias", params.logit_bias.map(flag)),
        set("echo", params.echo.map(flag)),
        set("seed", params.seed.map(|_| "set".to_owned())),
        set(
            "reasoning_effort",
            params.reasoning_effort.as_deref().map(|effort| head(effort, EFFORT_BYTES_MAX).to_owned()),
        ),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Bytes of the name of an effort that are shown.
const EFFORT_BYTES_MAX: usize = 20;

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
        assert_eq!(words(&a), "temperature 0.7, max_tokens 1024, seed set");
        assert_eq!(words(&Params::default()), "");
        assert_ne!(
            params(&Params { n: Some(1), ..Params::default() }),
            params(&Params { max_tokens: Some(1), ..Params::default() })
        );
    }
}
