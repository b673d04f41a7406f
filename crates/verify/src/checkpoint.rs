//! Checkpoints (C2SP `tlog-checkpoint`): what a log says that it is at some time, signed.

use std::fmt;

use crate::hash::Hash;
use crate::note::{BadNote, Note, Signed, VerifierKey};
use crate::tree::Tree;

/// What a log says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log it is.
    pub origin: String,
    /// Its tree.
    pub tree: Tree,
    /// Lines that the log added.
    pub extension: Vec<String>,
}

/// A checkpoint that was signed by those who are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    signed: Vec<Signed>,
}

/// Why a checkpoint does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadCheckpoint {
    /// It is no note, or nobody who is trusted signed it.
    #[error(transparent)]
    Note(#[from] BadNote),
    /// The text is not that of a checkpoint.
    #[error("not a checkpoint; expected the origin, the number of entries and the root in base64, a line each")]
    Malformed,
    /// It is of another log.
    #[error("a checkpoint of `{found}`; expected one of `{expected}`")]
    OtherLog {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// The log itself did not sign it.
    #[error("no signature of the log `{0}` itself")]
    NotByLog(String),
}

impl Checkpoint {
    /// Reads the text of a checkpoint.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(text: &str) -> Result<Checkpoint, BadCheckpoint> {
        let mut lines = text.strip_suffix('\n').ok_or(BadCheckpoint::Malformed)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(BadCheckpoint::Malformed);
        };
        let size = decimal(size).ok_or(BadCheckpoint::Malformed)?;
        let root = Hash::from_base64(root).ok_or(BadCheckpoint::Malformed)?;
        let extension: Vec<String> = lines.map(str::to_owned).collect();
        if origin.is_empty() || extension.iter().any(String::is_empty) {
            return Err(BadCheckpoint::Malformed);
        }
        Ok(Checkpoint { origin: origin.to_owned(), tree: Tree { size, root }, extension })
    }
}

impl fmt::Display for Checkpoint {
    /// Its text, which is signed.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n{}\n{}", self.origin, self.tree.size, self.tree.root.to_base64())?;
        self.extension.iter().try_for_each(|line| writeln!(out, "{line}"))
    }
}

impl SignedCheckpoint {
    /// Reads a checkpoint of the log `log` and checks its signatures: the log's own has to be there, and those of `witnesses` have to be right
    /// where they are.
    ///
    /// # Errors
    ///
    /// When it does not count.
    pub fn parse(note: &str, log: &VerifierKey, witnesses: &[VerifierKey]) -> Result<SignedCheckpoint, BadCheckpoint> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin != log.name() {
            let expected = log.name().to_owned();
            return Err(BadCheckpoint::OtherLog { found: checkpoint.origin, expected });
        }
        note.signed_by(std::slice::from_ref(log)).map_err(|bad| match bad {
            BadNote::Unsigned(_) => BadCheckpoint::NotByLog(log.name().to_owned()),
            other => BadCheckpoint::Note(other),
        })?;
        let keys: Vec<VerifierKey> = [std::slice::from_ref(log), witnesses].concat();
        let signed = note.signed_by(&keys)?;
        Ok(SignedCheckpoint { checkpoint, signed })
    }

    /// What was signed.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Its tree.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.checkpoint.tree
    }

    /// Who signed it, of those who are trusted.
    #[must_use]
    pub fn signed(&self) -> &[Signed] {
        &self.signed
    }
}

/// A number as it is written in checkpoints and proofs: without a sign, and without zeros before it.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
