//! What a campaign cost, by the prices that a provider gives.

use findings::Campaign;
use policy::price::Prices;

/// What a campaign cost.
pub struct Cost {
    /// The sum over the models that have a price.
    pub amount: f64,
    /// Models without one, as they are named; empty for those that are not named.
    pub unpriced: Vec<String>,
}

/// What a campaign took.
pub fn cost_of(prices: &Prices, campaign: &Campaign) -> Cost {
    let mut cost = Cost { amount: 0.0, unpriced: Vec::new() };
    for model in &campaign.models {
        match prices.cost(&model.model, model.input_tokens, model.output_tokens) {
            Some(amount) => cost.amount += amount,
            None => cost.unpriced.push(model.model.clone()),
        }
    }
    cost
}
