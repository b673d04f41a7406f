//! What tokens cost: prices by model, from a file that the provider writes.
//!
//! Promises that a file is used whole or not at all, and that a mistake in it is named with its line and field. Prices are of a
//! million tokens, in one currency that is not converted. Bounded by [`PRICES_BYTES_MAX`]. What a model without a price cost is
//! not guessed: it is named.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use detect::finding::Campaign;
use serde::Deserialize;

/// Bytes of a file of prices, at most.
pub(crate) const PRICES_BYTES_MAX: u64 = 1 << 20;

/// Prices by model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    /// The currency, as it is to be shown.
    pub(crate) currency: String,
    /// By the name of the model, or the beginning of names where a `*` ends it.
    models: BTreeMap<String, Price>,
}

/// The price of a million tokens.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    input: Amount,
    output: Amount,
}

/// An amount that somebody may ask for: no less than nothing, and a number.
#[derive(Clone, Copy, Debug, Deserialize)]
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

/// What a campaign cost.
pub(crate) struct Cost {
    /// The sum over the models that have a price.
    pub(crate) amount: f64,
    /// Models without one, as they are named; empty for those that are not named.
    pub(crate) unpriced: Vec<String>,
}

/// Why prices could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PricesError {
    /// The file cannot be read.
    #[error("`{path}` cannot be read: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It holds something else.
    #[error("`{path}`:{line}: {reason}")]
    Bad {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why, with the field.
        reason: String,
    },
}

impl Prices {
    /// The prices in a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or holds anything else.
    pub(crate) fn read(path: &Path) -> Result<Prices, PricesError> {
        let unreadable = |error| PricesError::Io { path: path.to_owned(), error };
        let mut text = String::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(PRICES_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
        Prices::parse(&text).map_err(|(line, reason)| PricesError::Bad { path: path.to_owned(), line, reason })
    }

    /// The prices in a text, or the line and the reason why there are none.
    pub(crate) fn parse(text: &str) -> Result<Prices, (usize, String)> {
        if text.len() as u64 > PRICES_BYTES_MAX {
            return Err((1, format!("the file has more than {PRICES_BYTES_MAX} bytes")));
        }
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            // The message alone does not say of which key a value is.
            let key = text.lines().nth(line - 1).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
            let key = key.map(|key| format!("`{key}`: ")).unwrap_or_default();
            (line, format!("{key}{}", error.message()))
        })
    }

    /// The price of a model: its own, or that of the longest beginning that fits.
    fn of(&self, model: &str) -> Option<Price> {
        let begins = |(name, price): (&String, &Price)| {
            let beginning = name.strip_suffix('*')?;
            model.starts_with(beginning).then_some((beginning.len(), *price))
        };
        let longest = || self.models.iter().filter_map(begins).max_by_key(|&(length, _)| length);
        self.models.get(model).copied().or_else(|| longest().map(|(_, price)| price))
    }

    /// What was taken of one model, none where it has no price.
    pub(crate) fn cost(&self, model: &str, input_tokens: u64, output_tokens: u64) -> Option<f64> {
        let Price { input: Amount(input), output: Amount(output) } = self.of(model).filter(|_| !model.is_empty())?;
        Some((input_tokens as f64 * input + output_tokens as f64 * output) / TOKENS)
    }

    /// What a campaign took.
    pub(crate) fn cost_of(&self, campaign: &Campaign) -> Cost {
        let mut cost = Cost { amount: 0.0, unpriced: Vec::new() };
        for model in &campaign.models {
            match self.cost(&model.model, model.input_tokens, model.output_tokens) {
                Some(amount) => cost.amount += amount,
                None => cost.unpriced.push(model.model.clone()),
            }
        }
        cost
    }
}

/// Tokens that a price is for.
const TOKENS: f64 = 1e6;

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: &str = "currency = \"EUR\"\n[models]\n\"m-2\" = { input = 3, output = 15.0 }\n\"m-*\" = { input = 1, output = 2 }\n\"m-2-*\" = { input = 5, output = 6 }\n";

    #[test]
    fn a_model_has_its_own_price_or_that_of_the_longest_beginning() {
        let prices = Prices::parse(PRICES).unwrap();
        assert_eq!(prices.currency, "EUR");
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
            let (at, reason) = Prices::parse(text).unwrap_err();
            assert!(at == line && reason.contains(names), "{text}: {at}: {reason}");
        }
    }

    #[test]
    fn files_are_read_up_to_their_limit() {
        let head = "currency = \"x\"\nmodels = {}\n#";
        let fill = |more: usize| format!("{head}{}", "x".repeat(PRICES_BYTES_MAX as usize - head.len() + more));
        assert!(Prices::parse(&fill(0)).is_ok());
        assert!(Prices::parse(&fill(1)).unwrap_err().1.contains("more than"));
    }
}
