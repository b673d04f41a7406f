//! `stillwatch verify`: receipts and whole ledgers, checked without asking anybody.

use std::path::Path;

use ::ledger::folder::read_text;
use ::ledger::{Folder, View};
use ::verify::checkpoint::SignedCheckpoint;
use ::verify::note::{NotAKey, VerifierKey, can_witness};
use ::verify::tiles::Tiles;
use ::verify::{exhibit, ledger, limits, log, report};
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
    let path = &args.path;
    let below = ledgers::folder(path);
    if path.join("log/checkpoint").is_file() {
        whole(path, key, args)
    } else if path.join("checkpoint").is_file() {
        log_alone(key, args)
    } else if below.join("log/checkpoint").is_file() {
        whole(&below, key, args)
    } else {
        receipt(key, args)
    }
}

fn key_in(path: &Path) -> Result<VerifierKey, Failure> {
    let text = text_in(path)?;
    let wrong = |error: NotAKey| Failure::bad_input(format!("`{}`: {error}", path.display()));
    text.trim_end().parse().map_err(wrong)
}

/// The text of a file that is no longer than a receipt may be.
fn text_in(path: &Path) -> Result<String, Failure> {
    let unread = |reason: &dyn std::fmt::Display| {
        let expected = "expected a receipt or a key, or a folder with `log/checkpoint` or `checkpoint` in it";
        Failure::bad_input(format!("`{}` cannot be read: {reason}; {expected}", path.display()))
    };
    read_text(path, limits::RECEIPT_BYTES_MAX).map_err(|error| unread(&error))
}

/// The witnesses that are asked for, where each can be one.
fn witnesses<'a>(args: &'a cli::Verify, log: &VerifierKey) -> Result<&'a [VerifierKey], Failure> {
    match args.witness.iter().find(|key| !can_witness(key, log)) {
        None => Ok(&args.witness),
        Some(key) => Err(Failure::usage(format!(
            "--witness `{}`: expected a key that cosigns (of the type 04) and is not the ledger's own",
            report::plain(key.name())
        ))),
    }
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
    let text = text_in(&args.path)?;
    let Some(key) = key else {
        return Err(Failure::usage(
            "a receipt is worth what the key is worth that signed it: name the key by --key or --key-file, from somebody you trust",
        ));
    };
    let shown = exhibit::check(&text, &key, witnesses(args, &key)?)
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

/// A log without its statements, as somebody who keeps these gives it away.
fn log_alone(key: Option<VerifierKey>, args: &cli::Verify) -> Result<Exit, Failure> {
    let Some(key) = key else {
        return Err(Failure::usage(
            "name the key that has to have signed the log by --key or --key-file, from somebody you trust",
        ));
    };
    let checked = log::check(&Tiles::new(Folder::new(&args.path)), &key, witnesses(args, &key)?);
    let checkpoint = checked.map_err(|error| Failure::bad_input(format!("`{}`: {error}", args.path.display())))?;
    witnessed(&checkpoint, args)?;
    if args.json {
        return print_json(&json!({
            "name": key.name(), "entries": checkpoint.tree().size, "root": checkpoint.tree().root.to_base64(),
            "signed_by": names(&checkpoint),
        }));
    }
    print(&report::log(&checkpoint, &key))?;
    Ok(Exit::Nothing)
}

fn whole(folder: &Path, key: Option<VerifierKey>, args: &cli::Verify) -> Result<Exit, Failure> {
    let is_own = key.is_none();
    let key = match key {
        Some(key) => key,
        None => View::open(folder).map_err(Failure::unreadable)?.key().clone(),
    };
    let checked = ledger::check(&Folder::new(folder), &key, witnesses(args, &key)?);
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
            report::plain(&key.to_string())
        );
    }
    print(&out)?;
    Ok(Exit::Nothing)
}
