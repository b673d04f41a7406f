//! Witnesses of a ledger: they are shown its checkpoints, and sign those that go on from what they were shown before.
//!
//! Promises that a signature is kept only where it is right, and that a witness that saw more than there is now is told: then the ledger was put
//! back. Bounded by [`ANSWER_TIME_MAX`] and [`ANSWER_BYTES_MAX`] a question.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway::config::Config;
use gateway::ledger::WitnessTable;
use gateway::{identity, outward};
use http_body_util::Full;
use hyper::{Method, Request, StatusCode, Uri};
use ledger::View;
use verify::checkpoint::SignedCheckpoint;
use verify::note::{Scheme, VerifierKey};
use verify::witness;

use crate::failure::Failure;

/// How long a witness may take to answer. It is asked again the next time.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of its answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A witness.
#[derive(Clone, Debug)]
pub(crate) struct Witness {
    url: Uri,
    key: VerifierKey,
    tls: Arc<rustls::ClientConfig>,
}

impl Witness {
    /// One at a URL; why it cannot be used, with the name of what is wrong.
    pub(crate) fn new(table: &WitnessTable) -> Result<Witness, (&'static str, String)> {
        let place = format!("{}{}", table.url.trim_end_matches('/'), witness::ADD_CHECKPOINT);
        let url = identity::usable(&place).map_err(|error| ("url", error.to_string()))?;
        let key: VerifierKey = table.key.parse().map_err(|error: verify::note::NotAKey| ("key", error.to_string()))?;
        if key.scheme() != Scheme::Cosignature {
            return Err((
                "key",
                "expected a key that cosigns (of the type 04), which signs the time as well".to_owned(),
            ));
        }
        let tls = gateway::tls::towards(table.authorities.as_deref());
        let tls = tls.map_err(|error| ("authorities", error.to_string()))?;
        Ok(Witness { url, key, tls: Arc::new(tls) })
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        self.key.name()
    }

    /// Asks it to sign a checkpoint; the checkpoint with its signature.
    async fn ask(&self, view: &View, note: &str, old: u64) -> Result<String, String> {
        let log = view.key();
        let size = SignedCheckpoint::parse(note, log, &[]).map_err(|error| error.to_string())?.tree().size;
        let (status, answer) = self.post(view, note, old, size).await?;
        let (status, answer) = match (status, witness::conflict(&answer)) {
            (StatusCode::CONFLICT, Some(seen)) if seen > size => {
                return Err(format!(
                    "it saw {seen} entries, and there are {size}: the ledger was put back to an older copy, or another one is signed with its key"
                ));
            }
            (StatusCode::CONFLICT, Some(seen)) => self.post(view, note, seen, size).await?,
            _ => (status, answer),
        };
        match status {
            StatusCode::OK => witness::cosigned(note, &answer, log, &self.key)
                .ok_or_else(|| "its answer has no signature of its key over this checkpoint".to_owned()),
            StatusCode::UNPROCESSABLE_ENTITY => {
                Err("it does not take this checkpoint for one that goes on from what it saw: the ledger is forked, most likely".to_owned())
            }
            StatusCode::NOT_FOUND => Err(format!("it does not know the ledger `{}`", log.name())),
            status => Err(format!("it answered {status}")),
        }
    }

    async fn post(&self, view: &View, note: &str, old: u64, size: u64) -> Result<(StatusCode, String), String> {
        let proof = view.tiles().continuation(old, size).map_err(|error| error.to_string())?;
        let mut request = Request::new(Full::new(Bytes::from(witness::request(old, &proof, note))));
        *request.method_mut() = Method::POST;
        let asked = outward::ask(&self.url, &self.tls, request, ANSWER_BYTES_MAX);
        let answer = tokio::time::timeout(ANSWER_TIME_MAX, asked).await;
        let (status, body) = answer.map_err(|_| "it does not answer".to_owned())?.map_err(|error| error.to_string())?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// The witnesses of a configuration, which stands at `path`.
pub(crate) fn configured(config: &Config, path: &Path) -> Result<Vec<Witness>, Failure> {
    let each = |(index, table): (usize, &WitnessTable)| {
        Witness::new(table).map_err(|(key, reason)| {
            Failure::bad_input(format!("{}: `ledger.witness[{index}].{key}`: {reason}", path.display()))
        })
    };
    config.ledger.witness.iter().enumerate().map(each).collect()
}

/// Shows the checkpoint to all witnesses who have not signed it, and keeps what they signed; who did not, and why.
pub(crate) async fn show(view: &View, witnesses: &[Witness]) -> Result<Vec<(String, String)>, Failure> {
    let (mut note, checkpoint) = view.checkpoint().map_err(Failure::unreadable)?;
    if checkpoint.tree().size == 0 {
        return Ok(Vec::new());
    }
    let witnessed = view.witnessed().map_err(Failure::unreadable)?;
    if let Some((known, _)) = witnessed.as_ref().filter(|(_, known)| known.checkpoint() == checkpoint.checkpoint()) {
        note.clone_from(known);
    }
    let mut failed = Vec::new();
    let mut is_new = false;
    for witness in witnesses {
        let signed = |note: &str| {
            let parsed = SignedCheckpoint::parse(note, view.key(), std::slice::from_ref(&witness.key)).ok();
            parsed.filter(|parsed| parsed.signed().iter().any(|signed| signed.key == witness.key))
        };
        if signed(&note).is_some() {
            continue;
        }
        let old = witnessed.as_ref().and_then(|(known, _)| signed(known)).map_or(0, |known| known.tree().size);
        match witness.ask(view, &note, old).await {
            Ok(cosigned) => (note, is_new) = (cosigned, true),
            Err(why) => failed.push((witness.name().to_owned(), why)),
        }
    }
    if is_new {
        view.keep_witnessed(&note).map_err(Failure::unreadable)?;
    }
    Ok(failed)
}
