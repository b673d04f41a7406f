//! `stillwatch verify`: case files, receipts and whole ledgers, checked without asking anybody.

use std::path::Path;

use ::ledger::{Folder, View};
use ::verify::checkpoint::SignedCheckpoint;
use ::verify::note::{NotAKey, VerifierKey};
use ::verify::tiles::Tiles;
use ::verify::timestamp::Stamp;
use ::verify::trust::Trust;
use ::verify::{case, exhibit, ledger, limits, log, report};
use serde_json::{Value, json};
use store::bounded::{read_file, read_text};

use crate::cli;
use crate::failure::{Exit, Failure};
use crate::output::{print, print_json};
use crate::{ledgers, timestamps};

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
        let unread = |error| {
            Failure::bad_input(format!(
                "`{}` cannot be read: {error}; expected a case file, a receipt, or a folder with `log/checkpoint` or `checkpoint` in it",
                path.display()
            ))
        };
        let bytes = read_file(path, limits::CASE_BYTES_MAX).map_err(unread)?;
        if bytes.starts_with(case::BEGINS) {
            case_file(&bytes, key, args)
        } else {
            receipt(&String::from_utf8_lossy(&bytes), key, args)
        }
    }
}

fn case_file(bytes: &[u8], key: Option<VerifierKey>, args: &cli::Verify) -> Result<Exit, Failure> {
    let Some(key) = key else {
        return Err(Failure::usage(
            "a case file is worth what the key is worth that signed it: name the key by --key or --key-file, from somebody you trust",
        ));
    };
    let trust = trust(key, args)?;
    let checked = case::check(bytes, &trust);
    let checked =
        checked.map_err(|error| Failure::bad_input(format!("`{}` does not count: {error}", args.path.display())))?;
    if args.json {
        return print_json(&json!({
            "case": checked.manifest.case, "campaign": checked.manifest.campaign, "made_at": checked.manifest.made_at,
            "by": checked.manifest.by, "files": checked.manifest.files.len(), "entry": checked.export.index,
            "entries": checked.entries.len() + 1, "dated": checked.dated,
            "witnessed": (!trust.witnesses().is_empty()).then_some(checked.witnessed),
            "records": checked.records, "sealed": checked.sealed, "opened": checked.opened,
        }));
    }
    print(&report::case(&checked, &trust))?;
    Ok(Exit::Nothing)
}

fn key_in(path: &Path) -> Result<VerifierKey, Failure> {
    let text = text_in(path)?;
    let wrong = |error: NotAKey| Failure::bad_input(format!("`{}`: {error}", path.display()));
    text.trim_end().parse().map_err(wrong)
}

/// The text of a file with a key.
fn text_in(path: &Path) -> Result<String, Failure> {
    let unread = |reason: &dyn std::fmt::Display| {
        let expected = "expected a key, as `stillwatch ledger key` prints it";
        Failure::bad_input(format!("`{}` cannot be read: {reason}; {expected}", path.display()))
    };
    read_text(path, limits::RECEIPT_BYTES_MAX).map_err(|error| unread(&error))
}

/// Whose word is taken.
fn trust(key: VerifierKey, args: &cli::Verify) -> Result<Trust, Failure> {
    let authorities = args.authority.as_deref().map(timestamps::authorities).transpose();
    let authorities = authorities.map_err(|why| Failure::bad_input(format!("--authority: {why}")))?;
    let trust = Trust::new(key, args.witness.clone(), authorities.unwrap_or_default());
    trust.map_err(|error| Failure::usage(format!("--witness: {}", report::plain(&error.to_string()))))
}

fn receipt(text: &str, key: Option<VerifierKey>, args: &cli::Verify) -> Result<Exit, Failure> {
    let path = args.path.display();
    let Some(key) = key else {
        return Err(Failure::usage(
            "a receipt is worth what the key is worth that signed it: name the key by --key or --key-file, from somebody you trust",
        ));
    };
    let trust = trust(key, args)?;
    let shown = exhibit::check(text, &trust);
    let shown = shown.map_err(|error| Failure::bad_input(format!("`{path}` shows nothing: {error}")))?;
    let tree = shown.checkpoint.tree();
    if args.json {
        return print_json(&json!({
            "index": shown.index, "entries": tree.size, "at": shown.entry.at, "kind": shown.entry.kind,
            "statement": shown.statement, "signed_by": names(&shown.checkpoint), "timestamp": stamp(shown.stamp.as_ref()),
        }));
    }
    print(&report::receipt(&shown, trust.log()))?;
    Ok(Exit::Nothing)
}

fn stamp(stamp: Option<&Stamp>) -> Option<Value> {
    stamp.map(|stamp| json!({"time": stamp.time, "by": stamp.by}))
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
    if args.authority.is_some() {
        return Err(Failure::usage("--authority: timestamps are not in the log; name the folder of the whole ledger"));
    }
    let trust = trust(key, args)?;
    let key = trust.log();
    let wrong = |error: &dyn std::fmt::Display| Failure::bad_input(format!("`{}`: {error}", args.path.display()));
    let checked = log::check(&Tiles::new(Folder::new(&args.path)), key, trust.witnesses());
    let checkpoint = checked.map_err(|error| wrong(&error))?;
    trust.witnessed(&checkpoint).map_err(|error| wrong(&error))?;
    if args.json {
        return print_json(&json!({
            "name": key.name(), "entries": checkpoint.tree().size, "root": checkpoint.tree().root.to_base64(),
            "signed_by": names(&checkpoint),
        }));
    }
    print(&report::log(&checkpoint, key))?;
    Ok(Exit::Nothing)
}

fn whole(folder: &Path, key: Option<VerifierKey>, args: &cli::Verify) -> Result<Exit, Failure> {
    let is_own = key.is_none();
    let key = match key {
        Some(key) => key,
        None => View::open(folder).map_err(Failure::unreadable)?.key().clone(),
    };
    let trust = trust(key, args)?;
    let key = trust.log();
    let checked = ledger::check(&Folder::new(folder), &trust);
    let checked = checked.map_err(|error| Failure::bad_input(format!("`{}`: {error}", folder.display())))?;
    let checkpoint = &checked.checkpoint;
    let size = checkpoint.tree().size;
    if args.json {
        return print_json(&json!({
            "name": key.name(), "entries": size, "statements": checked.statements, "root": checkpoint.tree().root.to_base64(),
            "signed_by": names(checkpoint), "by_its_own_key": is_own, "timestamps": checked.timestamps,
            "last_timestamp": stamp(checked.last_timestamp.as_ref().map(|(_, stamp)| stamp)),
        }));
    }
    let mut out = report::ledger(&checked, key);
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
