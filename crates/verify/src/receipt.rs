//! Receipts (C2SP `tlog-proof`): that an entry is in a log, to be checked without the log.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{BadCheckpoint, SignedCheckpoint, decimal};
use crate::hash::Hash;
use crate::limits::PROOF_HASHES_MAX;
use crate::note::VerifierKey;
use crate::tree::is_included;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A receipt that nobody has checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What was put along, which nothing vouches for.
    pub extra: Option<Vec<u8>>,
    /// Which entry of the log it is for, counted from 0.
    pub index: u64,
    /// Hashes from the entry's sibling to the root's child.
    pub proof: Vec<Hash>,
    /// The checkpoint, as a note.
    pub checkpoint: String,
}

/// Why a receipt does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadReceipt {
    /// It is no receipt.
    #[error("not a receipt; expected `{FIRST_LINE}`, the index, a proof, an empty line and a checkpoint")]
    Malformed,
    /// Its checkpoint does not count.
    #[error(transparent)]
    Checkpoint(#[from] BadCheckpoint),
    /// The proof does not lead from the entry to the checkpoint.
    #[error(
        "the proof does not show that this entry is number {index} of the log's {size}: the entry was changed, or the receipt is of another"
    )]
    NotIncluded {
        /// Which entry.
        index: u64,
        /// How many the checkpoint knows.
        size: u64,
    },
}

impl Receipt {
    /// Reads a receipt.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(text: &str) -> Result<Receipt, BadReceipt> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(BadReceipt::Malformed)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(BadReceipt::Malformed);
        }
        let extra = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            Some(extra) => {
                let extra = STANDARD.decode(extra).map_err(|_| BadReceipt::Malformed)?;
                lines.next();
                Some(extra)
            }
            None => None,
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or(BadReceipt::Malformed)?;
        let proof: Option<Vec<Hash>> = lines.by_ref().take(PROOF_HASHES_MAX).map(Hash::from_base64).collect();
        let proof = proof.filter(|_| lines.next().is_none()).ok_or(BadReceipt::Malformed)?;
        Ok(Receipt { extra, index, proof, checkpoint: checkpoint.to_owned() })
    }

    /// That `entry` is in the log `log`, by its word and that of those of `witnesses` who signed; the checkpoint that says so.
    ///
    /// # Errors
    ///
    /// When that is not shown.
    pub fn check(
        &self,
        entry: &[u8],
        log: &VerifierKey,
        witnesses: &[VerifierKey],
    ) -> Result<SignedCheckpoint, BadReceipt> {
        let checkpoint = SignedCheckpoint::parse(&self.checkpoint, log, witnesses)?;
        let tree = checkpoint.tree();
        if !is_included(self.index, tree.size, Hash::of_leaf(entry), &self.proof, tree.root) {
            return Err(BadReceipt::NotIncluded { index: self.index, size: tree.size });
        }
        Ok(checkpoint)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(out, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(out, "index {}", self.index)?;
        self.proof.iter().try_for_each(|hash| writeln!(out, "{}", hash.to_base64()))?;
        write!(out, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_has_a_limit() {
        let of = |hashes: usize| Receipt {
            extra: None,
            index: 0,
            proof: vec![Hash::of_nothing(); hashes],
            checkpoint: "x\n".to_owned(),
        };
        assert_eq!(Receipt::parse(&of(PROOF_HASHES_MAX).to_string()), Ok(of(PROOF_HASHES_MAX)));
        assert_eq!(Receipt::parse(&of(PROOF_HASHES_MAX + 1).to_string()), Err(BadReceipt::Malformed));
    }
}
