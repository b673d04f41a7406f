//! An exhibit: a receipt that has its entry with it, and what opens that, so that one file says what was logged, when, and that it was.
//!
//! The entry and the statement stand in the receipt's `extra` line, which nothing vouches for by itself; they count since the proof leads from
//! the entry to the checkpoint, and the entry commits to the statement.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::checkpoint::SignedCheckpoint;
use crate::dated::Dated;
use crate::entry::{BadOpening, Entry, NotAnEntry, Opening, Statement};
use crate::hash::Hash;
use crate::limits::{PROOF_HASHES_MAX, TIMESTAMP_BYTES_MAX};
use crate::receipt::{BadReceipt, Receipt};
use crate::timestamp::Stamp;
use crate::trust::{Lacking, Trust};

/// What stands in the `extra` line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extra {
    entry: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opening: Option<Opening>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp: Option<Written>,
}

/// A timestamp as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    answer: String,
    checkpoint: String,
    proof: Vec<String>,
}

/// A checkpoint with a timestamp, and the proof that leads from an entry to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// The checkpoint, and the authority's answer.
    pub dated: Dated,
    /// The proof.
    pub proof: Vec<Hash>,
}

impl Timestamp {
    fn written(&self) -> Written {
        Written {
            answer: STANDARD.encode(&self.dated.answer),
            checkpoint: self.dated.checkpoint.clone(),
            proof: self.proof.iter().map(Hash::to_base64).collect(),
        }
    }

    fn read(written: &Written) -> Option<Timestamp> {
        let answer = STANDARD.decode(&written.answer).ok().filter(|answer| answer.len() <= TIMESTAMP_BYTES_MAX)?;
        let hashes = written.proof.iter().take(PROOF_HASHES_MAX + 1).map(|hash| Hash::from_base64(hash));
        let proof: Vec<Hash> =
            hashes.collect::<Option<_>>().filter(|proof: &Vec<_>| proof.len() <= PROOF_HASHES_MAX)?;
        Some(Timestamp { dated: Dated { checkpoint: written.checkpoint.clone(), answer }, proof })
    }
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
    /// The timestamp cannot be read.
    #[error("the timestamp in its `extra` line cannot be read")]
    MalformedTimestamp,
    /// The timestamp does not count.
    #[error("its timestamp: {0}")]
    Timestamp(String),
    /// Somebody who was asked for does not vouch for it.
    #[error(transparent)]
    Lacking(#[from] Lacking),
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
    /// When it was there at the latest, by a timestamp that is with it.
    pub stamp: Option<Stamp>,
}

/// A receipt with its entry, what opens that, and a timestamp, where there is one.
///
/// # Errors
///
/// When it cannot be written.
pub fn exhibit(
    receipt: Receipt,
    entry: &Entry,
    opening: Option<Opening>,
    timestamp: Option<&Timestamp>,
) -> Result<Receipt, BadExhibit> {
    let entry = String::from_utf8(entry.bytes()).map_err(|_| NotAnEntry)?;
    let extra = serde_json::to_vec(&Extra { entry, opening, timestamp: timestamp.map(Timestamp::written) })
        .map_err(|_| BadExhibit::NoEntry)?;
    Ok(Receipt { extra: Some(extra), ..receipt })
}

/// Checks an exhibit, for which every witness and an authority that is trusted have to vouch.
///
/// # Errors
///
/// When it does not count.
pub fn check(text: &str, trust: &Trust) -> Result<Shown, BadExhibit> {
    let shown = shown(text, trust)?;
    trust.witnessed(&shown.checkpoint)?;
    trust.dated(shown.stamp.is_some())?;
    Ok(shown)
}

/// Checks an exhibit among others, of which the latest may lack a witness or a timestamp still.
///
/// # Errors
///
/// When it does not count.
pub(crate) fn shown(text: &str, trust: &Trust) -> Result<Shown, BadExhibit> {
    let receipt = Receipt::parse(text)?;
    let extra = receipt.extra.as_deref().ok_or(BadExhibit::NoEntry)?;
    let Extra { entry: bytes, opening, timestamp } = serde_json::from_slice(extra).map_err(|_| BadExhibit::NoEntry)?;
    let checkpoint = receipt.check(bytes.as_bytes(), trust.log(), trust.witnesses())?;
    let entry = Entry::parse(bytes.as_bytes())?;
    let statement = opening.map(|opening| opening.check(&entry)).transpose()?;
    let stamp = match timestamp {
        None => None,
        Some(written) => {
            let Timestamp { dated, proof } = Timestamp::read(&written).ok_or(BadExhibit::MalformedTimestamp)?;
            let this = (receipt.index, bytes.as_bytes(), &entry);
            let stamp = dated.shows(this, &proof, trust.log(), trust.authorities());
            Some(stamp.map_err(|wrong| BadExhibit::Timestamp(wrong.to_string()))?)
        }
    };
    Ok(Shown { index: receipt.index, entry, statement, checkpoint, stamp })
}
