//! `stillwatch ledger`: what was put down, and receipts for it.

use ::ledger::{Known, View};
use ::verify::exhibit;
use gateway::ledger::{TimestampTable, WitnessTable};
use serde_json::{Value, json};

use crate::cli::LedgerCommand;
use crate::failure::{Exit, Failure};
use crate::output::{print, print_json, write_file};
use crate::timestamps::Authority;
use crate::witnesses::Witness;
use crate::{ledgers, listing, timestamps, witnesses};
use report::words::{self, printable};

/// Does what was asked.
pub(crate) fn run(command: &LedgerCommand) -> Result<Exit, Failure> {
    match command {
        LedgerCommand::Tail { entries, place } => tail(&ledgers::view(&place.data)?, *entries, place.json),
        LedgerCommand::Prove { index, out, closed, place } => {
            let view = ledgers::view(&place.data)?;
            let receipt = view.receipt(*index).map_err(Failure::unreadable)?;
            let size = view.checkpoint().map_err(Failure::unreadable)?.1.tree().size;
            let known = view.entry(*index, size).map_err(Failure::unreadable)?;
            let opening = if *closed { None } else { known.opening };
            let timestamp = view.timestamp(*index).map_err(Failure::unreadable)?;
            let receipt = exhibit::exhibit(receipt, &known.entry, opening, timestamp.as_ref());
            let receipt = receipt.map_err(Failure::unreadable)?.to_string();
            match (out, place.json) {
                (Some(path), _) => {
                    write_file(path, receipt.as_bytes())?;
                    print(&format!(
                        "Wrote {}.\nWhoever gets it checks it by:\n  stillwatch verify {} --key {}\n",
                        path.display(),
                        path.display(),
                        view.key()
                    ))?;
                    Ok(Exit::Nothing)
                }
                (None, true) => print_json(&json!({"index": index, "receipt": receipt, "key": view.key().to_string()})),
                (None, false) => print(&receipt).map(|()| Exit::Nothing),
            }
        }
        LedgerCommand::Checkpoint { place } => {
            let (note, checkpoint) = ledgers::view(&place.data)?.checkpoint().map_err(Failure::unreadable)?;
            let tree = checkpoint.tree();
            if place.json {
                let origin = &checkpoint.checkpoint().origin;
                return print_json(
                    &json!({"origin": origin, "entries": tree.size, "root": tree.root.to_base64(), "note": note}),
                );
            }
            print(&note).map(|()| Exit::Nothing)
        }
        LedgerCommand::Witness { url, key, place } => {
            let table = WitnessTable { url: url.clone(), key: key.clone(), authorities: None };
            let witness = Witness::new(&table).map_err(|(name, why)| Failure::usage(format!("--{name}: {why}")))?;
            let view = ledgers::view(&place.data)?;
            let refused = asking()?.block_on(witnesses::show(&view, std::slice::from_ref(&witness)))?;
            if let Some((name, why)) = refused.first() {
                return Err(Failure::service(format!("`{name}` did not sign: {why}")));
            }
            let (note, checkpoint) = match view.witnessed().map_err(Failure::unreadable)? {
                Some(witnessed) => witnessed,
                None => return Err(Failure::bad_input("there is no entry yet, and so nothing to sign")),
            };
            if place.json {
                return print_json(&json!({"entries": checkpoint.tree().size, "note": note}));
            }
            print(&note).map(|()| Exit::Nothing)
        }
        LedgerCommand::Timestamp { url, authority, place } => {
            let table = TimestampTable { url: url.clone(), authority: authority.clone(), seconds: 0 };
            let authority = Authority::new(&table).map_err(|(name, why)| Failure::usage(format!("--{name}: {why}")))?;
            let view = ledgers::view(&place.data)?;
            let stamp = match asking()?.block_on(timestamps::stamp(&view, &authority))? {
                Some(stamp) => stamp.map_err(|why| Failure::service(format!("there is no timestamp: {why}")))?,
                None => {
                    print("There is nothing new: the last timestamp is over all entries.\n")?;
                    return Ok(Exit::Nothing);
                }
            };
            if place.json {
                return print_json(&json!({"time": stamp.time, "by": stamp.by}));
            }
            let by = printable(stamp.by.as_deref().unwrap_or_default(), words::MESSAGE_CHARS_MAX);
            print(&format!("Stamped {} by {by}.\n", stamp.time.as_str())).map(|()| Exit::Nothing)
        }
        LedgerCommand::Key { place } => {
            let view = ledgers::view(&place.data)?;
            if place.json {
                return print_json(&json!({"key": view.key().to_string(), "name": view.key().name()}));
            }
            print(&format!("{}\n", view.key())).map(|()| Exit::Nothing)
        }
    }
}

/// What somebody elsewhere is asked with.
fn asking() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::io("nobody can be asked", error))
}

/// Shows the last entries.
fn tail(view: &View, entries: u64, is_json: bool) -> Result<Exit, Failure> {
    let (_, checkpoint) = view.checkpoint().map_err(Failure::unreadable)?;
    let size = checkpoint.tree().size;
    let first = size.saturating_sub(entries);
    let mut rows = Vec::new();
    for n in first / ::verify::tiles::WIDTH..size.div_ceil(::verify::tiles::WIDTH) {
        let part = view.part(n, size).map_err(Failure::unreadable)?;
        rows.extend(part.into_iter().filter(|known| known.index >= first).map(|known| row(&known)));
    }
    if is_json {
        return print_json(&json!({"name": view.key().name(), "size": size, "entries": rows}));
    }
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        let when = row.get("at").and_then(Value::as_str).and_then(|at| at.parse().ok()).map(words::minute);
        row.insert("time".to_owned(), json!(when));
        let statement = row.remove("statement");
        let said = |name: &str| statement.as_ref().and_then(|said| said.get(name)).cloned().unwrap_or_default();
        for name in ["actor", "subject", "reason"] {
            row.insert(name.to_owned(), said(name));
        }
        if statement.as_ref().is_none_or(Value::is_null) {
            row.insert("subject".to_owned(), json!("(what was said is not here)"));
        }
    }
    print(&listing::columns(&["index", "time", "kind", "actor", "subject", "reason"], &rows))?;
    print(&format!("{size} entries in {}\n", printable(view.key().name(), words::MESSAGE_CHARS_MAX)))?;
    Ok(Exit::Nothing)
}

fn row(known: &Known) -> Value {
    json!({
        "index": known.index,
        "at": known.entry.at,
        "kind": known.entry.kind,
        "hash": known.entry.hash.to_hex(),
        "statement": known.statement,
    })
}
