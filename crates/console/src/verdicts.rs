//! Verdicts: what people said of a finding, and taking that back. The ledger has each before the file of verdicts has it.

use std::path::PathBuf;
use std::sync::Arc;

use admin::answer::words as some_words;
use axum::http::StatusCode;
use exchange::Time;
use findings::{Findings, Identity, Verdict};
use serde_json::json;
use verify::entry::Statement;
use verify::hash::Hash;
use watch::labels::{self, Draft, LabelsError};

use crate::context::Console;
use crate::fault::Fault;

/// What somebody says of a finding.
pub(crate) struct Said {
    pub(crate) finding: String,
    /// By what the finding was known that was looked at, where somebody looked.
    pub(crate) known: Option<String>,
    pub(crate) verdict: Verdict,
    pub(crate) until: Option<Time>,
    pub(crate) reason: String,
}

/// The file of verdicts.
pub(crate) async fn book(console: &Console) -> Result<labels::Book, Fault> {
    let path = console.verdicts.clone();
    let read = tokio::task::spawn_blocking(move || match labels::read(&path) {
        Err(LabelsError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(labels::Book::default())
        }
        read => read,
    });
    read.await.map_err(broken)?.map_err(broken)
}

fn broken(why: impl std::fmt::Display) -> Fault {
    Fault::new(StatusCode::SERVICE_UNAVAILABLE, format!("verdicts cannot be read or written: {why}"))
}

/// What tells a group from another one that has its name later.
pub(crate) fn known_by(identity: &Identity) -> String {
    let written = serde_json::to_vec(&(&identity.template, identity.infrastructure)).unwrap_or_default();
    Hash::of(&[&written]).to_hex()
}

/// By what a finding is known again: of a campaign or of a cluster.
fn identity(findings: &Findings, id: &str) -> Result<Identity, Fault> {
    let campaigns = findings.campaigns.iter().map(|campaign| (&campaign.id, &campaign.identity));
    let cleared = findings.cleared.iter().map(|cleared| (&cleared.id, &cleared.identity));
    let found = campaigns.chain(cleared).find(|(known, _)| *known == id);
    found.map(|(_, identity)| identity.clone()).ok_or_else(|| Fault::missing(format!("there is no finding `{id}` now")))
}

/// Writes what somebody says of a finding; the name of the verdict, and how many accounts it is about.
pub(crate) async fn say(console: &Arc<Console>, by: &str, said: Said) -> Result<(String, u64), Fault> {
    let Said { finding, known, verdict, until, reason } = said;
    some_words("reason", &reason)?;
    let now = console.admin.clock.now();
    let findings = console.desk.findings(&console.admin).await?;
    let identity = identity(&findings, &finding)?;
    // Clusters are named by their place among others, which changes.
    if known.is_some_and(|known| known != known_by(&identity)) {
        let message = format!(
            "`{finding}` is another group now, or its text has changed; nothing was said of it. Look again, and say it then"
        );
        return Err(Fault::new(StatusCode::CONFLICT, message));
    }
    if identity.accounts.is_empty() || (identity.template.0.is_empty() && !identity.infrastructure) {
        return Err(Fault::new(
            StatusCode::CONFLICT,
            "this finding could not be known again, so nothing can be said of it",
        ));
    }
    let accounts = identity.accounts.len() as u64;
    let draft = Draft { verdict, until, finding: finding.clone(), identity };
    let detail =
        move |id: &str| json!({"label": id, "verdict": verdict, "until": until, "accounts": accounts, "said_at": now});
    let add = move |path: &PathBuf, said: &labels::Said<'_>, put_down: labels::PutDown<'_>| {
        labels::add(path, &draft, said, put_down)
    };
    let id = written(console, by, reason, finding, detail, add).await?;
    Ok((id, accounts))
}

/// Takes a verdict back.
pub(crate) async fn take_back(console: &Arc<Console>, by: &str, label: &str, reason: String) -> Result<(), Fault> {
    some_words("reason", &reason)?;
    let (undone, now) = (label.to_owned(), console.admin.clock.now());
    let detail = move |id: &str| json!({"label": id, "undoes": undone, "said_at": now});
    let undone = label.to_owned();
    let undo = move |path: &PathBuf, said: &labels::Said<'_>, put_down: labels::PutDown<'_>| {
        labels::undo(path, &undone, said, put_down)
    };
    written(console, by, reason, label.to_owned(), detail, undo).await?;
    Ok(())
}

/// Writes a line of the file of verdicts, once the ledger has it; its name.
async fn written(
    console: &Arc<Console>,
    by: &str,
    reason: String,
    about: String,
    detail: impl Fn(&str) -> serde_json::Value + Send + 'static,
    write: impl FnOnce(&PathBuf, &labels::Said<'_>, labels::PutDown<'_>) -> Result<String, LabelsError> + Send + 'static,
) -> Result<String, Fault> {
    let (console, by, time) = (Arc::clone(console), by.to_owned(), console.admin.clock.now());
    let written = tokio::task::spawn_blocking(move || {
        let mut put_down = |id: &str| {
            console.scribe.put_down(Statement {
                at: String::new(),
                kind: "verdict".to_owned(),
                actor: format!("person:{by}"),
                reason: Some(reason.clone()),
                subject: format!("finding:{about}"),
                before: None,
                after: None,
                detail: detail(id),
            })
        };
        write(&console.verdicts, &labels::Said { by: &by, time, reason: &reason }, &mut put_down)
    });
    written.await.map_err(broken)?.map_err(|error| match error {
        LabelsError::Unknown { .. } => Fault::missing(error.to_string()),
        LabelsError::Full { .. } => Fault::new(StatusCode::INSUFFICIENT_STORAGE, error.to_string()),
        _ => broken(error),
    })
}
