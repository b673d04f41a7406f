//! Writing native records: what [`read`](crate::read) reads back as it was.

use std::io::{self, Write};

use serde::Serialize;

use crate::account::AccountFact;
use crate::record::Exchange;

impl Exchange<'_> {
    /// As one native record, without a newline. Numbers that JSON has no form for (NaN, infinities) become null.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl AccountFact<'_> {
    /// As one line of `accounts.jsonl`, without the newline.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Writes one native record and a newline.
///
/// # Errors
///
/// Passes on what `output` says.
pub fn write_native(exchange: &Exchange<'_>, output: &mut impl Write) -> io::Result<()> {
    write_line(exchange, output)
}

/// Writes one line of `accounts.jsonl`.
///
/// # Errors
///
/// Passes on what `output` says.
pub fn write_account(fact: &AccountFact<'_>, output: &mut impl Write) -> io::Result<()> {
    write_line(fact, output)
}

fn write_line(value: &impl Serialize, output: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    output.write_all(b"\n")
}
