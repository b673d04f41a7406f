//! What a campaign took, in tokens, by the model it was taken from.
//!
//! Tokens are counted by account in each cluster and by model in each cluster, not by both at once. What the members took is
//! divided over the models as the cluster's exchanges divide; with one model, which most campaigns have, that is exact.

use crate::state::conduct::Conduct;
use crate::state::value::{Kind, Values};
use findings::ModelTokens;

/// The tokens `input` and `output` of a cluster's members, by model, the most used first. What was asked of further models, or
/// of none that is named, stands last, without a name, with the number of these models.
pub(crate) fn by_model(conduct: &Conduct, values: &Values, input: u64, output: u64) -> Vec<ModelTokens> {
    let models = conduct.models();
    let all = conduct.exchanges.max(1) as f64;
    let mut used: Vec<ModelTokens> = models
        .iter()
        .map(|model| ModelTokens {
            model: values.name(values.find_hash(Kind::Model, model.model.0)).to_owned(),
            share: (model.exchanges / all).min(1.0),
            input_tokens: 0,
            output_tokens: 0,
            others: 0,
        })
        .collect();
    let named: f64 = used.iter().map(|model| model.share).sum();
    used.push(ModelTokens {
        model: String::new(),
        share: (1.0 - named).max(0.0),
        input_tokens: 0,
        output_tokens: 0,
        others: conduct.further_models(),
    });
    let inputs = divide(input, conduct.input_tokens, models.iter().map(|model| model.input_tokens));
    let outputs = divide(output, conduct.output_tokens, models.iter().map(|model| model.output_tokens));
    for ((model, input), output) in used.iter_mut().zip(inputs).zip(outputs) {
        (model.input_tokens, model.output_tokens) = (input, output);
    }
    let empty = |model: &ModelTokens| model.input_tokens == 0 && model.output_tokens == 0;
    if used.last().is_some_and(|rest| empty(rest) && rest.share <= REST_MIN) {
        used.pop();
    }
    used
}

/// `tokens` divided as `parts` and what is left of `whole` divide; the shares add up to `tokens`.
fn divide(tokens: u64, whole: u64, parts: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut left = tokens;
    let mut unnamed = whole;
    let mut shares: Vec<u64> = parts
        .map(|part| {
            unnamed = unnamed.saturating_sub(part);
            let share = u128::from(tokens) * u128::from(part) / u128::from(whole.max(1));
            let share = u64::try_from(share).unwrap_or(u64::MAX).min(left);
            left -= share;
            share
        })
        .collect();
    // What rounding leaves is of the model that was used most, unless something was asked of none that is named.
    if unnamed == 0
        && whole > 0
        && let Some(first) = shares.first_mut()
    {
        *first += left;
        left = 0;
    }
    shares.push(left);
    shares
}

/// A rest of the exchanges that is no more than rounding.
const REST_MIN: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_divided_and_none_is_lost() {
        for (tokens, whole, parts, expected) in [
            (100, 100, vec![100], vec![100, 0]),
            (100, 300, vec![200, 100], vec![67, 33, 0]),
            (100, 400, vec![200, 100], vec![50, 25, 25]),
            (100, 0, vec![0], vec![0, 100]),
            (0, 10, vec![10], vec![0, 0]),
            (u64::MAX, u64::MAX, vec![u64::MAX], vec![u64::MAX, 0]),
        ] {
            assert_eq!(divide(tokens, whole, parts.into_iter()), expected);
        }
    }
}
