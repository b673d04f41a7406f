//! An exhibit: a receipt that has its entry with it, and what opens that, so that one file says what was logged, when, and that it was.
//!
//! The entry and the statement stand in the receipt's `extra` line, which nothing vouches for by itself; they count since the proof leads from
//! the entry to the checkpoint, and the entry commits to the statement.

use serde::{Deserialize, Serialize};

use crate::checkpoint::SignedCheckpoint;
use crate::entry::{BadOpening, Entry, NotAnEntry, Opening, Statement};
use crate::note::VerifierKey;
use crate::receipt::{BadReceipt, Receipt};

/// What stands in the `extra` line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extra {
    entry: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opening: Option<Opening>,
}

/// Why an exhibit does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadExhibit {
    /// The receipt does not count.
    #[error(transparent)]
    Receipt(#[from] BadReceipt),
    /// It has no entry with it.
    #[error(
        "the receipt has no entry with it; expected one in its `extra` line, such as `stillwatch ledger prove` writes"
    )]
    NoEntry,
    /// The entry is none.
    #[error(transparent)]
    Entry(#[from] NotAnEntry),
    /// The statement is not the one that was logged.
    #[error(transparent)]
    Opening(#[from] BadOpening),
}

/// What an exhibit shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Which entry of the log it is.
    pub index: u64,
    /// The entry.
    pub entry: Entry,
    /// What was said; none where that was destroyed or kept back.
    pub statement: Option<Statement>,
    /// The checkpoint over it.
    pub checkpoint: SignedCheckpoint,
}

/// A receipt with its entry, and what opens that.
///
/// # Errors
///
/// When it cannot be written.
pub fn exhibit(receipt: Receipt, entry: &Entry, opening: Option<Opening>) -> Result<Receipt, BadExhibit> {
    let entry = String::from_utf8(entry.bytes()).map_err(|_| NotAnEntry)?;
    let extra = serde_json::to_vec(&Extra { entry, opening }).map_err(|_| BadExhibit::NoEntry)?;
    Ok(Receipt { extra: Some(extra), ..receipt })
}

/// Checks an exhibit.
///
/// # Errors
///
/// When it does not count.
pub fn check(text: &str, log: &VerifierKey, witnesses: &[VerifierKey]) -> Result<Shown, BadExhibit> {
    let receipt = Receipt::parse(text)?;
    let extra = receipt.extra.as_deref().ok_or(BadExhibit::NoEntry)?;
    let Extra { entry, opening } = serde_json::from_slice(extra).map_err(|_| BadExhibit::NoEntry)?;
    let checkpoint = receipt.check(entry.as_bytes(), log, witnesses)?;
    let entry = Entry::parse(entry.as_bytes())?;
    let statement = opening.map(|opening| opening.check(&entry)).transpose()?;
    Ok(Shown { index: receipt.index, entry, statement, checkpoint })
}
