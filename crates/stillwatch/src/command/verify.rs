//! `stillwatch verify`: receipts and whole ledgers, checked without asking anybody.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ::ledger::{Folder, View};
use ::verify::checkpoint::SignedCheckpoint;
use ::verify::note::VerifierKey;
use ::verify::{exhibit, ledger, limits, report};
use serde_json::{Value, json};

use crate::cli;
use crate::failure::{Exit, Failure};
use crate::ledgers;
use crate::output::{print, print_json};

/// Does what was asked.
pub(crate) fn run(args: &cli::Verify) -> Result<Exit, Failure> {
    let key = match (&args.key, &args.key_file) {
        (Some(key), _) => Some(key.clone()),
        (None, Some(path)) => Some(key_in(path)?),
        (None, None) => None,
    };
    match ledger_in(&args.path) {
        Some(folder) => whole(&folder, key, args),
        None => receipt(key, args),
    }
}

fn key_in(path: &Path) -> Result<VerifierKey, Failure> {
    let wrong = |reason: String| Failure::bad_input(format!("`{}`: {reason}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    text.trim_end().parse().map_err(|error: ::verify::note::NotAKey| wrong(error.to_string()))
}

/// The folder of the ledger that a path is about: itself, its log, or the one of a data folder.
fn ledger_in(path: &Path) -> Option<PathBuf> {
    let is_ledger = |folder: &Path| folder.join("log/checkpoint").is_file();
    let own = path.to_owned();
    let above = path.join("checkpoint").is_file().then(|| path.parent().map(Path::to_owned)).flatten();
    [Some(own), above, Some(ledgers::folder(path))].into_iter().flatten().find(|folder| is_ledger(folder))
}

/// Sees that every witness that is asked for signed.
fn witnessed(checkpoint: &SignedCheckpoint, args: &cli::Verify) -> Result<(), Failure> {
    match checkpoint.lacks(&args.witness) {
        None => Ok(()),
        Some(name) => Err(Failure::bad_input(format!("the witness `{name}` did not sign the checkpoint"))),
    }
}

fn receipt(key: Option<VerifierKey>, args: &cli::Verify) -> Result<Exit, Failure> {
    let path = args.path.display();
    let unread = |error: io::Error| Failure::bad_input(format!("`{path}` cannot be read: {error}"));
    if !fs::metadata(&args.path).map_err(unread)?.is_file() {
        let expected = "expected a receipt, or a folder with `log/checkpoint` in it";
        return Err(Failure::bad_input(format!("`{path}` is neither a receipt nor a ledger; {expected}")));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(&args.path).map_err(unread)?;
    file.take(limits::RECEIPT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() > limits::RECEIPT_BYTES_MAX {
        return Err(Failure::bad_input(format!(
            "`{path}` has more than {} bytes, and is no receipt",
            limits::RECEIPT_BYTES_MAX
        )));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| Failure::bad_input(format!("`{path}` is no text, and so no receipt")))?;
    let Some(key) = key else {
        return Err(Failure::usage(
            "a receipt is worth what the key is worth that signed it: name the key by --key or --key-file, from somebody you trust",
        ));
    };
    let shown = exhibit::check(&text, &key, &args.witness)
        .map_err(|error| Failure::bad_input(format!("`{path}` shows nothing: {error}")))?;
    witnessed(&shown.checkpoint, args)?;
    let tree = shown.checkpoint.tree();
    if args.json {
        return print_json(&json!({
            "index": shown.index, "entries": tree.size, "at": shown.entry.at, "kind": shown.entry.kind,
            "statement": shown.statement, "signed_by": names(&shown.checkpoint),
        }));
    }
    print(&report::receipt(&shown, &key))?;
    Ok(Exit::Nothing)
}

fn names(checkpoint: &SignedCheckpoint) -> Vec<Value> {
    checkpoint.signed().iter().map(|signed| json!({"name": signed.key.name(), "time": signed.time})).collect()
}

fn whole(folder: &Path, key: Option<VerifierKey>, args: &cli::Verify) -> Result<Exit, Failure> {
    let is_own = key.is_none();
    let key = match key {
        Some(key) => key,
        None => View::open(folder).map_err(Failure::unreadable)?.key().clone(),
    };
    let checked = ledger::check(&Folder::new(folder), &key, &args.witness);
    let (checkpoint, here) = checked.map_err(|error| Failure::bad_input(format!("`{}`: {error}", folder.display())))?;
    witnessed(&checkpoint, args)?;
    let size = checkpoint.tree().size;
    if args.json {
        return print_json(&json!({
            "name": key.name(), "entries": size, "statements": here, "root": checkpoint.tree().root.to_base64(),
            "signed_by": names(&checkpoint), "by_its_own_key": is_own,
        }));
    }
    let mut out = report::ledger(&checkpoint, here, &key);
    if is_own {
        out += &format!(
            "\nChecked by the key that stands beside it. That shows that it is of one piece, and not whose it is: name the key by --key, from\n\
             somebody you trust.\n  {}\n",
            key
        );
    }
    print(&out)?;
    Ok(Exit::Nothing)
}
