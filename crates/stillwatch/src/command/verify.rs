//! `stillwatch verify`: receipts and whole ledgers, checked without asking anybody.

use std::fs;
use std::path::{Path, PathBuf};

use ::ledger::View;
use ::verify::checkpoint::SignedCheckpoint;
use ::verify::note::VerifierKey;
use ::verify::tiles::WIDTH;
use ::verify::{exhibit, limits, log};
use serde_json::{Value, json};

use crate::cli;
use crate::failure::{Exit, Failure};
use crate::ledgers;
use crate::output::{print, print_json};
use crate::words::{MESSAGE_CHARS_MAX, printable};

/// Does what was asked.
pub(crate) fn run(args: &cli::Verify) -> Result<Exit, Failure> {
    let key = match (&args.key, &args.key_file) {
        (Some(key), _) => Some(key.clone()),
        (None, Some(path)) => Some(key_in(path)?),
        (None, None) => None,
    };
    match ledger_in(&args.path) {
        Some(folder) => ledger(&folder, key, args),
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
    let signed = |key: &&VerifierKey| !checkpoint.signed().iter().any(|signed| signed.name == key.name());
    match args.witness.iter().find(signed) {
        None => Ok(()),
        Some(key) => Err(Failure::bad_input(format!("the witness `{}` did not sign the checkpoint", key.name()))),
    }
}

/// Who signed a checkpoint, in words.
fn signers(checkpoint: &SignedCheckpoint) -> String {
    let name = |name: &str| printable(name, MESSAGE_CHARS_MAX);
    let signed = checkpoint.signed().iter().map(|signed| match signed.time {
        None => name(&signed.name),
        Some(time) => {
            let time = i64::try_from(time).ok().map(exchange::Time::from_seconds);
            format!(
                "{}, which saw it {}",
                name(&signed.name),
                time.map_or("sometime".to_owned(), |time| time.to_string())
            )
        }
    });
    signed.collect::<Vec<_>>().join("; ")
}

fn receipt(key: Option<VerifierKey>, args: &cli::Verify) -> Result<Exit, Failure> {
    let path = args.path.display();
    let bytes_max = limits::NOTE_BYTES_MAX as u64 * 4;
    let length =
        fs::metadata(&args.path).map_err(|error| Failure::bad_input(format!("`{path}` cannot be read: {error}")))?;
    if length.is_dir() {
        return Err(Failure::bad_input(format!("`{path}`: there is no ledger in it; expected `log/checkpoint`")));
    }
    if length.len() > bytes_max {
        return Err(Failure::bad_input(format!("`{path}` has more than {bytes_max} bytes, and is no receipt")));
    }
    let text = fs::read_to_string(&args.path)
        .map_err(|error| Failure::bad_input(format!("`{path}` cannot be read as text: {error}")))?;
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
    let mut out = format!(
        "It counts: entry {} of {} in {}.\nSigned by {}.\n\n  logged  {}\n  kind    {}\n",
        shown.index,
        tree.size,
        printable(key.name(), MESSAGE_CHARS_MAX),
        signers(&shown.checkpoint),
        shown.entry.at.as_str(),
        shown.entry.kind,
    );
    match &shown.statement {
        Some(said) => {
            let mut line = |name: &str, text: Option<&str>| {
                if let Some(text) = text {
                    out += &format!("  {name:<7} {}\n", printable(text, MESSAGE_CHARS_MAX));
                }
            };
            line("who", Some(&said.actor));
            line("what", Some(&said.subject));
            line("why", said.reason.as_deref());
            line("before", said.before.as_deref());
            line("after", said.after.as_deref());
            if !said.detail.is_null() {
                line("detail", Some(&said.detail.to_string()));
            }
        }
        None => out += "  what was said is not in it: it is only shown that something was\n",
    }
    out += "\nThe time is that of the clock of whoever kept the ledger.\n";
    print(&out)?;
    Ok(Exit::Nothing)
}

fn names(checkpoint: &SignedCheckpoint) -> Vec<Value> {
    checkpoint.signed().iter().map(|signed| json!({"name": signed.name, "time": signed.time})).collect()
}

fn ledger(folder: &Path, key: Option<VerifierKey>, args: &cli::Verify) -> Result<Exit, Failure> {
    let is_own = key.is_none();
    let view = match key {
        Some(key) => View::new(folder, key),
        None => View::open(folder).map_err(Failure::unreadable)?,
    };
    let wrong = |error: &dyn std::fmt::Display| Failure::bad_input(format!("`{}`: {error}", folder.display()));
    let checkpoint = log::check(view.tiles(), view.key(), &args.witness).map_err(|error| wrong(&error))?;
    witnessed(&checkpoint, args)?;
    let size = checkpoint.tree().size;
    let mut here = 0_u64;
    for n in 0..size.div_ceil(WIDTH) {
        let part = view.part(n, size).map_err(|error| wrong(&error))?;
        here += part.iter().filter(|known| known.statement.is_some()).count() as u64;
    }
    if args.json {
        return print_json(&json!({
            "name": view.key().name(), "entries": size, "statements": here, "root": checkpoint.tree().root.to_base64(),
            "signed_by": names(&checkpoint), "by_its_own_key": is_own,
        }));
    }
    let mut out = format!(
        "It counts: {} in {}, none changed, removed, moved or put in, up to the signed root.\nSigned by {}.\n\
         What was said is here for {here}, and fits each.\n",
        if size == 1 { "1 entry".to_owned() } else { format!("{size} entries") },
        printable(view.key().name(), MESSAGE_CHARS_MAX),
        signers(&checkpoint),
    );
    if is_own {
        out += &format!(
            "\nChecked by the key that stands beside it. That shows that it is of one piece, and not whose it is: name the key by --key, from\n\
             somebody you trust.\n  {}\n",
            view.key()
        );
    }
    print(&out)?;
    Ok(Exit::Nothing)
}
