//! Whose word whoever checks takes: the key of a log, witnesses that have to have signed, authorities that say when.

use crate::checkpoint::SignedCheckpoint;
use crate::note::{VerifierKey, can_witness};
use crate::timestamp::Authorities;

/// Whom somebody trusts. What is checked counts only as far as they vouch for it.
#[derive(Clone, Debug)]
pub struct Trust {
    log: VerifierKey,
    witnesses: Vec<VerifierKey>,
    authorities: Authorities,
}

/// Why a check cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the witness `{0}`: expected a key that cosigns (of the type 04) and is not the ledger's own")]
pub struct NotAWitness(String);

/// Somebody who is asked for does not vouch for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lacking {
    /// A witness.
    #[error("the witness `{0}` did not sign the checkpoint")]
    Witness(String),
    /// Every authority.
    #[error("no timestamp is with it")]
    Timestamp,
}

impl Trust {
    /// The key that has to have signed; the witnesses that all have to have; the authorities of which one has to have said when, where any are
    /// named.
    ///
    /// # Errors
    ///
    /// When a key cannot be that of a witness.
    pub fn new(log: VerifierKey, witnesses: Vec<VerifierKey>, authorities: Authorities) -> Result<Trust, NotAWitness> {
        match witnesses.iter().find(|key| !can_witness(key, &log)) {
            None => Ok(Trust { log, witnesses, authorities }),
            Some(key) => Err(NotAWitness(key.name().to_owned())),
        }
    }

    /// The key that has to have signed.
    #[must_use]
    pub fn log(&self) -> &VerifierKey {
        &self.log
    }

    /// The witnesses.
    #[must_use]
    pub fn witnesses(&self) -> &[VerifierKey] {
        &self.witnesses
    }

    /// The authorities.
    #[must_use]
    pub fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// That every witness signed.
    ///
    /// # Errors
    ///
    /// When one did not.
    pub fn witnessed(&self, checkpoint: &SignedCheckpoint) -> Result<(), Lacking> {
        let is_missing = |key: &&VerifierKey| !checkpoint.signed().iter().any(|signed| signed.key == **key);
        let missing = self.witnesses.iter().find(is_missing);
        missing.map_or(Ok(()), |key| Err(Lacking::Witness(key.name().to_owned())))
    }

    /// That there is a timestamp, where authorities were named.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(crate) fn dated(&self, is_dated: bool) -> Result<(), Lacking> {
        if is_dated || self.authorities.is_empty() { Ok(()) } else { Err(Lacking::Timestamp) }
    }
}
