//! What a log shows to a witness and gets back (C2SP `tlog-witness`).
//!
//! Promises that a witness's signature is taken only where it is one, over the checkpoint that was shown.

use crate::checkpoint::{SignedCheckpoint, decimal};
use crate::hash::Hash;
use crate::note::VerifierKey;

/// Behind the URL of a witness, where checkpoints are shown.
pub const ADD_CHECKPOINT: &str = "/add-checkpoint";

/// What is shown: a checkpoint, and that it goes on from the one of `old` entries that the witness saw last.
#[must_use]
pub fn request(old: u64, proof: &[Hash], checkpoint: &str) -> String {
    let proof: String = proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
    format!("old {old}\n{proof}\n{checkpoint}")
}

/// How many entries a witness saw last, by its answer that it saw another number.
#[must_use]
pub fn conflict(answer: &str) -> Option<u64> {
    decimal(answer.strip_suffix('\n')?)
}

/// The checkpoint with the witness's signature, by its answer; none where that has no right one.
#[must_use]
pub fn cosigned(checkpoint: &str, answer: &str, log: &VerifierKey, witness: &VerifierKey) -> Option<String> {
    let note = format!("{checkpoint}{answer}");
    let signed = SignedCheckpoint::parse(&note, log, std::slice::from_ref(witness)).ok()?;
    // Of a note that was shown before another signature may be there; only what came now is looked for.
    let own = SignedCheckpoint::parse(checkpoint, log, std::slice::from_ref(witness)).ok()?;
    (signed.signed().len() > own.signed().len()).then_some(note)
}
