//! What tokens cost: prices by model, in a text that the provider writes.
//!
//! Promises that a text is used whole or not at all, and that a mistake in it is named with its line and field. Prices are of a
//! million tokens, in one currency that is not converted. Bounded by [`PRICES_BYTES_MAX`]. What a model without a price cost is
//! not guessed ([`Prices::cost`]); where a budget must hold all the same, it counts as the dearest one ([`Prices::at_most`]).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::limits::PRICES_BYTES_MAX;

/// Tokens that a price is for.
const TOKENS: f64 = 1e6;

/// Prices by model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    currency: String,
    /// By the name of the model, or the beginning of names where a `*` ends it.
    models: BTreeMap<String, Price>,
}

/// The price of a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    input: Amount,
    output: Amount,
}

/// An amount that somebody may ask for: no less than nothing, and a number.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
struct Amount(f64);

impl TryFrom<f64> for Amount {
    type Error = String;

    fn try_from(amount: f64) -> Result<Amount, String> {
        if amount.is_finite() && amount >= 0.0 {
            Ok(Amount(amount))
        } else {
            Err(format!("{amount} is no price: expected a number from 0"))
        }
    }
}

/// Why there are no prices in a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadPrices {
    /// The line, from 1.
    pub line: usize,
    /// Why, with the field.
    pub reason: String,
}

impl Prices {
    /// The prices in a text: TOML.
    ///
    /// # Errors
    ///
    /// When it is too long or holds anything else.
    pub fn parse(text: &str) -> Result<Prices, BadPrices> {
        if text.len() > PRICES_BYTES_MAX {
            return Err(BadPrices { line: 1, reason: format!("the file has more than {PRICES_BYTES_MAX} bytes") });
        }
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            // The message alone does not say of which key a value is.
            let key = text.lines().nth(line - 1).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
            let key = key.map(|key| format!("`{key}`: ")).unwrap_or_default();
            BadPrices { line, reason: format!("{key}{}", error.message()) }
        })
    }

    /// The currency, as it is to be shown.
    #[must_use]
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// The price of a model: its own, or that of the longest beginning that fits.
    #[must_use]
    pub fn of(&self, model: &str) -> Option<Price> {
        let begins = |(name, price): (&String, &Price)| {
            let beginning = name.strip_suffix('*')?;
            model.starts_with(beginning).then_some((beginning.len(), *price))
        };
        let longest = || self.models.iter().filter_map(begins).max_by_key(|&(length, _)| length);
        self.models.get(model).copied().or_else(|| longest().map(|(_, price)| price))
    }

    /// What was taken of one model cost in the currency, none where it has no price.
    #[must_use]
    pub fn cost(&self, model: &str, input_tokens: u64, output_tokens: u64) -> Option<f64> {
        let price = self.of(model).filter(|_| !model.is_empty())?;
        Some(price.millionths(input_tokens, output_tokens) / TOKENS)
    }

    /// The highest price of tokens read, and of tokens written, of all models; none where no model has a price.
    #[must_use]
    pub fn at_most(&self) -> Option<Price> {
        let dearest =
            |of: fn(&Price) -> Amount| self.models.values().map(of).max_by(|one, other| one.0.total_cmp(&other.0));
        Some(Price { input: dearest(|price| price.input)?, output: dearest(|price| price.output)? })
    }
}

impl Price {
    /// What so many tokens cost, in millionths of the currency: a price of a million is that of one in millionths.
    fn millionths(self, input_tokens: u64, output_tokens: u64) -> f64 {
        input_tokens as f64 * self.input.0 + output_tokens as f64 * self.output.0
    }

    /// The same, rounded up.
    #[must_use]
    pub fn micro_cost(self, input_tokens: u64, output_tokens: u64) -> u64 {
        // What is larger than that is as much as there is.
        self.millionths(input_tokens, output_tokens).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: &str = "currency = \"EUR\"\n[models]\n\"m-2\" = { input = 3, output = 15.0 }\n\"m-*\" = { input = 1, output = 2 }\n\"m-2-*\" = { input = 5, output = 6 }\n";

    #[test]
    fn a_model_has_its_own_price_or_that_of_the_longest_beginning() {
        let prices = Prices::parse(PRICES).unwrap();
        assert_eq!(prices.currency(), "EUR");
        for (model, expected) in
            [("m-2", Some(18.0)), ("m-2-large", Some(11.0)), ("m-1", Some(3.0)), ("other", None), ("", None)]
        {
            assert_eq!(prices.cost(model, 1_000_000, 1_000_000), expected, "{model}");
        }
        assert_eq!(
            Prices::parse("currency = \"x\"\n[models]\n\"*\" = { input = 1, output = 1 }").unwrap().cost("", 1, 1),
            None
        );
    }

    #[test]
    fn a_budget_counts_upwards_and_the_dearest_where_nothing_is_known() {
        let prices = Prices::parse(PRICES).unwrap();
        let price = prices.of("m-2").unwrap();
        assert_eq!(
            [price.micro_cost(1, 1), price.micro_cost(0, 0), price.micro_cost(1_000_000, 0)],
            [18, 0, 3_000_000]
        );
        let cheap = Prices::parse("currency = \"x\"\n[models.m]\ninput = 0.3\noutput = 0").unwrap().of("m").unwrap();
        assert_eq!(
            [cheap.micro_cost(1, 9), cheap.micro_cost(10, 0), cheap.micro_cost(u64::MAX, 0)],
            [1, 3, 5_534_023_222_112_865_280]
        );
        assert_eq!(price.micro_cost(u64::MAX, u64::MAX), u64::MAX);
        let most = prices.at_most().unwrap();
        assert_eq!([most.micro_cost(1, 0), most.micro_cost(0, 1)], [5, 15]);
        assert_eq!(Prices::parse("currency = \"x\"\nmodels = {}").unwrap().at_most(), None);
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_field() {
        for (text, line, names) in [
            ("currency = 3\n[models]", 1, "currency"),
            ("[models]\n\"m\" = { input = 1, output = 2 }", 1, "currency"),
            ("currency = \"x\"\n[models.m]\ninput = 1\n", 2, "output"),
            ("currency = \"x\"\n[models.m]\ninput = -1\noutput = 2\n", 3, "input"),
            ("currency = \"x\"\n[models.m]\ninput = 1\noutput = nan\n", 4, "output"),
            ("currency = \"x\"\n[models.m]\ninput = \"1\"\noutput = 1\n", 3, "input"),
            ("currency = \"x\"\n[models.m]\ninput = 1\noutput = 1\nprice = 1\n", 5, "price"),
            ("currency = \"x\"\n[models.m\n", 2, ""),
        ] {
            let bad = Prices::parse(text).unwrap_err();
            assert!(bad.line == line && bad.reason.contains(names), "{text}: {bad}");
        }
    }

    #[test]
    fn files_are_read_up_to_their_limit() {
        let head = "currency = \"x\"\nmodels = {}\n#";
        let fill = |more: usize| format!("{head}{}", "x".repeat(PRICES_BYTES_MAX - head.len() + more));
        assert!(Prices::parse(&fill(0)).is_ok());
        assert!(Prices::parse(&fill(1)).unwrap_err().reason.contains("more than"));
    }
}
