//! The register of models: places put down, shown, checked, reviewed and taken out, each change after the ledger says so.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use ::audit::rules::REVIEW_DAYS_MAX;
use ::vault::{Content, Copy, Digest, Head, Register, Searched, State};
use exchange::Time;
use report::words::{counted, printable};
use serde_json::{Value, json};
use store::lock;

use super::common::{
    DIFFERENCES_SHOWN, NAME_CHARS, check_formats, failed, hashed, method, put_down, signed, threads_of, unread,
    with_bar,
};
use crate::cli::{VaultEntry, VaultInventory, VaultRegister};
use crate::command::seal;
use crate::failure::{Exit, Failure};
use crate::machine;
use crate::output::{print, print_json};

/// A day, in nanoseconds.
const DAY: i64 = 86_400_000_000_000;

pub(super) fn register(args: &VaultRegister) -> Result<Exit, Failure> {
    let VaultRegister { place, elsewhere, entry, .. } = args;
    let (host, place, model, signed_by, content) = match elsewhere {
        Some(host) => {
            if args.digest.as_ref().is_some_and(|digest| Digest::of_hex(digest).is_none()) {
                return Err(Failure::usage("--digest: expected 64 hexadecimal digits"));
            }
            let model = args.model.clone().unwrap_or_default();
            (host.clone(), place.display().to_string(), model, None, Content::Elsewhere { digest: args.digest.clone() })
        }
        None => {
            let whole = place.canonicalize().map_err(unread(place))?;
            let name =
                whole.to_str().ok_or_else(|| Failure::usage("the place has a name that is no UTF-8"))?.to_owned();
            let (model, signed_by, content) = looked_at(args, &whole)?;
            (machine::name()?, name, args.model.clone().unwrap_or(model), signed_by, content)
        }
    };
    let now = seal::now()?.to_string();
    let by = entry.by.clone();
    let copy =
        Copy { id: String::new(), model, host, place, by, since: now.clone(), reviewed: now, signed_by, content };
    let detail = json!({
        "model": copy.model, "host": copy.host, "place": copy.place, "content": copy.content.word(),
        "digest": copy.content.digest(), "signed_by": copy.signed_by,
    });
    let told = (copy.host.clone(), copy.place.clone(), copy.content.word());
    let is = (copy.content.digest().map(str::to_owned), copy.signed_by.clone());
    let (before, id) =
        changed(entry, "copy", &copy.model.clone(), detail, |register| register.put(copy).map_err(failed))?;
    let (host, place, word) = told;
    let known = if before.is_some() { "Put down anew as" } else { "Put down as" };
    let mut text =
        format!("{known} {id}: {} on {}, {word}.\n", printable(&place, NAME_CHARS), printable(&host, NAME_CHARS));
    if let Some(before) = before {
        if before.content.digest() != is.0.as_deref() {
            text.push_str("It held something else before; what it was is in the ledger only.\n");
        }
        if let Some(key) = before.signed_by.filter(|_| is.1.is_none()) {
            let _ = writeln!(
                text,
                "It was signed by the key {key} before, and counts as signed by nobody now: --signature and --key say otherwise."
            );
        }
    }
    print(&text)?;
    Ok(Exit::Nothing)
}

/// What lies at a place: what the model is called, the key that signed it, and its content.
fn looked_at(args: &VaultRegister, whole: &Path) -> Result<(String, Option<String>, Content), Failure> {
    if let Ok(head) = Head::read(whole) {
        if args.signature.is_some() {
            return Err(Failure::usage(
                "--signature: a locked model is compared with its hashes when it is locked, and signed before",
            ));
        }
        // As it lies there: nobody needs its key to see that it is another.
        let method = Content::method_of_locked();
        let files = ::vault::files::files(whole, &method.choice).map_err(failed)?;
        let manifest = hashed(whole, &files, &method, args.hashing.threads)?;
        return Ok((head.model, None, Content::locked(head.id, &manifest)));
    }
    let signed = args
        .signature
        .as_deref()
        .zip(args.key.as_deref())
        .map(|(signature, key)| signed(signature, key))
        .transpose()?;
    let method = match (&signed, &args.signature) {
        (Some((signed, _)), Some(signature)) => signed.method_with(whole, signature),
        _ => method(&args.hashing, None)?,
    };
    let files = ::vault::files::files(whole, &method.choice).map_err(failed)?;
    check_formats(&files, &args.allowed.allow_format)?;
    let manifest = hashed(whole, &files, &method, args.hashing.threads)?;
    if let Some((signed, _)) = &signed
        && let Some(first) = signed.manifest().differences(&manifest).first()
    {
        let told = printable(&first.to_string(), NAME_CHARS);
        return Err(Failure::bad_input(format!("`{}` is not what was signed: {told}", whole.display())));
    }
    Ok((manifest.model.clone(), signed.map(|(_, key)| key.id()), Content::of(&manifest)))
}

pub(super) fn review(copies: &[String], entry: &VaultEntry) -> Result<Exit, Failure> {
    let now = seal::now()?.to_string();
    let subject = copies.join(", ");
    changed(entry, "review", &subject, json!({"copies": copies}), |register| {
        match copies.iter().find(|id| !register.review(id, &now)) {
            Some(id) => Err(unknown(id)),
            None => Ok(()),
        }
    })?;
    print(&format!(
        "{} reviewed; again before {REVIEW_DAYS_MAX} days are over.\n",
        counted(copies.len() as u64, "place")
    ))?;
    Ok(Exit::Nothing)
}

pub(super) fn unregister(id: &str, entry: &VaultEntry) -> Result<Exit, Failure> {
    let gone =
        changed(entry, "copy_removed", id, json!({}), |register| register.remove(id).ok_or_else(|| unknown(id)))?;
    print(&format!(
        "{id} is no longer in the register: {} on {}. Whatever lies there lies there still.\n",
        gone.place, gone.host
    ))?;
    Ok(Exit::Nothing)
}

fn unknown(id: &str) -> Failure {
    Failure::bad_input(format!(
        "the register has no `{}`; `stillwatch vault inventory` shows what it has",
        printable(id, NAME_CHARS)
    ))
}

/// Changes the register, once the ledger says so and while nobody else does.
fn changed<T>(
    entry: &VaultEntry,
    kind: &str,
    subject: &str,
    detail: Value,
    change: impl FnOnce(&mut Register) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let _lock = locked(&entry.data)?;
    let mut register = Register::read(&entry.data).map_err(failed)?;
    // Tried before it is put down, so that what cannot be done is not.
    let done = change(&mut register)?;
    put_down(entry, kind, subject, detail)?;
    register.write(&entry.data).map_err(failed)?;
    Ok(done)
}

fn locked(data: &Path) -> Result<File, Failure> {
    let path = data.join("models.lock");
    lock::exclusive(&path).map_err(|error| Failure::io(format!("`{}`", path.display()), error))
}

/// A place, and what was found there.
struct Shown<'r> {
    copy: &'r Copy,
    /// None where nobody looked.
    state: Option<State>,
    needs_review: bool,
}

pub(super) fn show(args: &VaultInventory) -> Result<Exit, Failure> {
    let register = Register::read(&args.data).map_err(failed)?;
    let (now, host) = (seal::now()?, machine::name()?);
    let threads = threads_of(args.threads);
    let states: Vec<Option<State>> = if args.check {
        let bytes = register.copies().iter().map(|copy| copy.bytes(&host)).sum();
        with_bar(bytes, |progress| {
            register.copies().iter().map(|copy| copy.state(&host, threads, progress).map(Some)).collect()
        })?
    } else {
        vec![None; register.copies().len()]
    };
    let shown: Vec<Shown<'_>> = register
        .copies()
        .iter()
        .zip(states)
        .map(|(copy, state)| Shown { copy, state, needs_review: is_overdue(&copy.reviewed, now) })
        .collect();
    let Searched { found, unread, .. } = register.search(&host, &args.search).map_err(failed)?;
    let drifted = shown.iter().filter(|shown| shown.state.as_ref().is_some_and(State::is_drift)).count();
    let overdue = shown.iter().filter(|shown| args.check && shown.needs_review).count();
    match args.json {
        true => drop(print_json(&json!({
            "host": host, "copies": shown.iter().map(as_json).collect::<Vec<_>>(), "unknown": found, "unread": unread, "drifted": drifted,
        }))?),
        false => print(&as_text(&shown, &found, &unread, !args.search.is_empty()))?,
    }
    let mut wrong = Vec::new();
    if drifted > 0 {
        wrong.push(format!("{} not as they were put down", counted(drifted as u64, "place")));
    }
    if overdue > 0 {
        wrong.push(format!("{} to be reviewed (`stillwatch vault review`)", counted(overdue as u64, "place")));
    }
    if !found.is_empty() {
        wrong.push(format!("weights in {} that no register has", counted(found.len() as u64, "folder")));
    }
    if wrong.is_empty() { Ok(Exit::Nothing) } else { Err(Failure::bad_input(wrong.join("; "))) }
}

fn is_overdue(reviewed: &str, now: Time) -> bool {
    reviewed.parse::<Time>().map_or(true, |at| now.nanos().saturating_sub(at.nanos()) > REVIEW_DAYS_MAX as i64 * DAY)
}

fn as_json(Shown { copy, state, needs_review }: &Shown<'_>) -> Value {
    let differences = match state {
        Some(State::Changed(differences)) => differences.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let is_same = state.as_ref().filter(|state| **state != State::NotHere).map(|state| !state.is_drift());
    json!({
        "id": copy.id, "model": copy.model, "host": copy.host, "place": copy.place, "by": copy.by, "since": copy.since,
        "reviewed": copy.reviewed, "needs_review": needs_review, "signed_by": copy.signed_by, "content": copy.content.word(),
        "digest": copy.content.digest(), "state": state.as_ref().map(ToString::to_string), "is_same": is_same, "differences": differences,
    })
}

fn as_text(shown: &[Shown<'_>], found: &[PathBuf], unread: &[PathBuf], is_searched: bool) -> String {
    let mut text = String::new();
    if shown.is_empty() {
        text.push_str("The register has no place that holds a model; `stillwatch vault register` puts one down.\n");
    }
    let day = |time: &str| time.get(..10).unwrap_or(time).to_owned();
    for Shown { copy, state, needs_review } in shown {
        let Copy { id, model, host, place, by, since, reviewed, signed_by, content } = copy;
        let plain = |text: &str| printable(text, NAME_CHARS);
        let _ = writeln!(text, "{id}  {}: {} on {}, {}", plain(model), plain(place), plain(host), content.word());
        let signed = signed_by.as_ref().map(|key| format!(", signed by the key {}", plain(key))).unwrap_or_default();
        let due = if *needs_review { ", which is too long ago" } else { "" };
        let _ = writeln!(text, "    since {} by {}, reviewed {}{due}{signed}", day(since), plain(by), day(reviewed));
        if let Some(digest) = content.digest() {
            let _ = writeln!(text, "    {digest}");
        }
        match state {
            Some(State::Changed(differences)) => {
                for difference in differences.iter().take(DIFFERENCES_SHOWN) {
                    let _ = writeln!(text, "    {}", plain(&difference.to_string()));
                }
                if differences.len() > DIFFERENCES_SHOWN {
                    let _ =
                        writeln!(text, "    and {} more; `--json` names all", differences.len() - DIFFERENCES_SHOWN);
                }
            }
            Some(state) => drop(writeln!(text, "    {}", plain(&state.to_string()))),
            None => {}
        }
    }
    for folder in found {
        let _ = writeln!(
            text,
            "{}: weights, and no register has them",
            printable(&folder.display().to_string(), NAME_CHARS)
        );
    }
    for path in unread.iter().take(DIFFERENCES_SHOWN) {
        let _ = writeln!(text, "{}: may not be looked at", printable(&path.display().to_string(), NAME_CHARS));
    }
    if unread.len() > DIFFERENCES_SHOWN {
        let _ = writeln!(
            text,
            "and {} more that may not be looked at; `--json` names all",
            unread.len() - DIFFERENCES_SHOWN
        );
    }
    if is_searched && found.is_empty() {
        text.push_str("Every file of weights that was found is in the register.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_holds_for_183_days() {
        let now: Time = "2026-07-03T00:00:00Z".parse().expect("a time");
        let reviewed = |days: i64| Time::from_nanos(now.nanos() - days * DAY).to_string();
        assert_eq!([183, 184].map(|days| is_overdue(&reviewed(days), now)), [false, true]);
        assert!(is_overdue("at some time", now));
    }
}
