//! What the extraction budget takes for granted of whoever extracts.

use serde::{Deserialize, Serialize};

/// What somebody is taken to want, and to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assumptions {
    /// Exchanges that are wanted. 150,000 by default: the smallest campaign that Anthropic published in February 2026.
    pub exchanges: u64,
    /// Accounts that ask for them. 100 by default; campaigns that were published had up to 24,000.
    pub accounts: u64,
    /// Accounts that pay with one instrument. 10 by default.
    pub accounts_of_an_instrument: u64,
    /// Tokens of an exchange, asked and answered. 1,000 by default.
    pub tokens: u64,
    /// Days that it should take at least. 30 by default.
    pub days: u64,
}

impl Default for Assumptions {
    fn default() -> Self {
        Assumptions { exchanges: 150_000, accounts: 100, accounts_of_an_instrument: 10, tokens: 1_000, days: 30 }
    }
}
