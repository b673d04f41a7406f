//! What an engine remembers, written down: restored and fed what came later it finds what it would have found without that.
//!
//! The bytes are the same for the same records. They hold excerpts of requests and names of accounts, as records do, and belong
//! where records are kept. Another version of the format is refused and not guessed at.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::judge::{Config, Judge, Round};
use crate::labels::Labels;
use crate::standings::Standings;
use crate::state::State;

/// Everything of an engine but what it is told anew: how sure a finding must be, and what people said.
#[derive(Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub(crate) state: State,
    pub(crate) judge: Judge,
    /// The labels that were in force, by name.
    labels: Vec<String>,
    pub(crate) due: VecDeque<u32>,
    pub(crate) round: Option<Round>,
    pub(crate) standings: Standings,
}

/// Why a snapshot was not restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrestored {
    /// It does not begin as one.
    #[error("this is no snapshot of Stillwatch")]
    NoSnapshot,
    /// It was written by another version.
    #[error(
        "this snapshot has version {found} of the format, and this build reads version {VERSION}: hunt the records again"
    )]
    Version {
        /// Its version.
        found: u16,
    },
    /// Bytes are missing or changed.
    #[error("this snapshot is cut off or damaged")]
    Damaged,
}

/// A snapshot that lacks how everybody stands.
pub(crate) struct Begun(Vec<u8>);

/// Begins a snapshot of what is remembered.
pub(crate) fn begin(state: &State, judge: &Judge, due: &VecDeque<u32>, round: Option<&Round>) -> Begun {
    // The fields of [`Remembered`] in its order, borrowed.
    #[derive(Serialize)]
    struct Written<'a>(&'a State, &'a Judge, Vec<&'a str>, &'a VecDeque<u32>, Option<&'a Round>);

    let labels = judge.labels.iter().map(|label| label.id.as_str()).collect();
    // Nothing in there has a length that is not known, which is all that this could fail for.
    Begun(postcard::to_allocvec(&Written(state, judge, labels, due, round)).unwrap_or_default())
}

impl Begun {
    /// The whole snapshot.
    pub(crate) fn end(self, standings: &Standings) -> Vec<u8> {
        let mut body = self.0;
        body.extend(postcard::to_allocvec(standings).unwrap_or_default());
        let mut bytes = Vec::with_capacity(HEAD + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&xxh3_64(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }
}

/// What a snapshot remembers, for a judge who asks as much as `config` says and has heard of `labels`.
pub(crate) fn read(bytes: &[u8], config: Config, labels: Labels) -> Result<Remembered, Unrestored> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(Unrestored::NoSnapshot)?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(Unrestored::Damaged)?;
    let found = u16::from_le_bytes(*version);
    if found != VERSION {
        return Err(Unrestored::Version { found });
    }
    let (sum, body) = rest.split_first_chunk::<8>().ok_or(Unrestored::Damaged)?;
    if u64::from_le_bytes(*sum) != xxh3_64(body) {
        return Err(Unrestored::Damaged);
    }
    let mut remembered: Remembered = postcard::from_bytes(body).map_err(|_| Unrestored::Damaged)?;
    if !labels.iter().map(|label| &label.id).eq(&remembered.labels) {
        // What is known of the old ones is found anew of those there are.
        remembered.state.forget_labels();
    }
    remembered.judge.config = config;
    remembered.judge.labels = labels;
    Ok(remembered)
}

/// What a snapshot begins with.
const MAGIC: &[u8] = b"stillwatch state\n";
/// The version of the format; another one whenever anything that is remembered changes.
pub const VERSION: u16 = 14;
/// Bytes before what is remembered.
const HEAD: usize = MAGIC.len() + 2 + 8;
