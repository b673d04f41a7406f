//! `stillwatch seal`: keys for sealed texts, and what is done with these: opened, held, erased, closed by age.
//!
//! Promises that nothing is opened, erased or closed before the ledger says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use ::seal::evidence::Wrapped;
use ::seal::grant::ADMINISTRATION;
use ::seal::keys::{Erased, Rewrapped};
use ::seal::{AccountKey, Day, EvidenceKey, KeyFile, Lock, SealError, Token};
use ::verify::entry::Statement;
use ::verify::hash::Hash;
use ::verify::report::plain;
use ::verify::sealed::{self, Sealed};
use exchange::Time;
use lake::Lake;
use lake::place::{Partition, shard_of};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{segment, whole};
use zeroize::Zeroizing;

use crate::cli::{
    HoldCommand, LockedAnewBy, LockedBy, OnToken, OpenedBy, SealCommand, SealErase, SealExpire, SealOpen, Unlocking,
};
use crate::failure::{Exit, Failure};
use crate::holds::{Hold, Holds};
use crate::output::{print, print_json};
use crate::{clock, lakes, ledgers, listing, sealing};
use report::words::counted;

/// Records that are opened at once. For more the question has to be narrower.
const OPENED_MAX: usize = 100_000;
/// Bytes of lines with records that are opened at once, likewise.
const OPENED_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Bytes of a recorded line. A longer one is none of ours.
const LINE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Does what was asked.
pub(crate) fn run(command: &SealCommand) -> Result<Exit, Failure> {
    match command {
        SealCommand::Key { out, name, purpose, locked } => make(out, name, purpose, locked),
        SealCommand::Grant { unlocking, to, purpose, locked, data } => {
            let path = followed(&unlocking.key)?;
            let _lock = KeyFile::lock(&path).map_err(Failure::unreadable)?;
            let (mut file, granted) = unlocked(unlocking, ADMINISTRATION)?;
            file.grant(&granted, to, purpose, &anew(locked, &unlocking.locked.token)?).map_err(Failure::unreadable)?;
            let detail = json!({"key": granted.public().id(), "purposes": purpose});
            let said = said("grant", &unlocking.by, None, format!("person:{to}"), detail);
            append(data, said)?;
            file.write(&path).map_err(Failure::unreadable)?;
            print(&format!("Granted to {to}: {}.\n", purpose.join(", "))).map(|()| Exit::Nothing)
        }
        SealCommand::Revoke { unlocking, from, data } => {
            let path = followed(&unlocking.key)?;
            let _lock = KeyFile::lock(&path).map_err(Failure::unreadable)?;
            let (mut file, granted) = unlocked(unlocking, ADMINISTRATION)?;
            file.revoke(from).map_err(|error| Failure::usage(format!("--from `{from}`: {error}")))?;
            let detail = json!({"key": granted.public().id(), "purposes": []});
            append(data, said("grant", &unlocking.by, None, format!("person:{from}"), detail))?;
            file.write(&path).map_err(Failure::unreadable)?;
            let advice =
                "Whoever kept the key itself can use it still; `stillwatch seal rotate` puts another in its place.";
            print(&format!("Nothing is granted to {from} any more.\n{advice}\n")).map(|()| Exit::Nothing)
        }
        SealCommand::Rotate { unlocking, locked, data } => rotate(unlocking, locked, data),
        SealCommand::Rewrap { unlocking, data } => {
            let (_, key) = unlocked(unlocking, ADMINISTRATION)?;
            let keys = sealing::keys_there(data)?;
            append(
                data,
                said("rotation", &unlocking.by, None, "evidence key".to_owned(), json!({"to": key.public().id()})),
            )?;
            tell_rewrapped(keys.rewrap(&key).map_err(Failure::unreadable)?)
        }
        SealCommand::Open(args) => open(args),
        SealCommand::Hold { command } => hold(command),
        SealCommand::Erase(args) => erase(args),
        SealCommand::Expire(args) => expire(args),
        SealCommand::Status { data, json } => status(data, *json),
    }
}

fn make(out: &Path, name: &str, purposes: &[String], locked: &LockedBy) -> Result<Exit, Failure> {
    let public = new_public_of(out)?;
    let key = EvidenceKey::random().map_err(Failure::unreadable)?;
    let mut all = vec![ADMINISTRATION.to_owned()];
    all.extend(purposes.iter().filter(|purpose| *purpose != ADMINISTRATION).cloned());
    let file = KeyFile::new(&key, name, &all, &lock(locked)?).map_err(Failure::unreadable)?;
    file.write(out).map_err(Failure::unreadable)?;
    write_public(&public, &key)?;
    print(&format!(
        "Wrote the evidence key to {out} and its public half to {public}.\n\
         Keep {out} and what locks it away from the gateway: whoever has both reads what is sealed; without them nobody does.\n\
         Next, in the configuration of the gateway, which only needs the public half:\n  [sealing]\n  key = \"{public}\"\n",
        out = out.display(),
        public = public.display(),
    ))?;
    Ok(Exit::Nothing)
}

/// Where the public half of a new key goes, whose file and itself are not there yet.
pub(super) fn new_public_of(out: &Path) -> Result<PathBuf, Failure> {
    let public = public_of(out);
    for path in [out, &public] {
        if path.exists() || *out == public {
            return Err(Failure::usage(format!("`{}` is there already; name another file by --out", path.display())));
        }
    }
    Ok(public)
}

/// Where the public half of the key in a file is.
fn public_of(path: &Path) -> PathBuf {
    path.with_extension("pub")
}

fn write_public(path: &Path, key: &EvidenceKey) -> Result<(), Failure> {
    let text = format!("{}\n", key.public());
    whole::write_for_all(path, text.as_bytes()).map_err(|error| Failure::unwritable(path, &error))
}

/// A file itself, where it is named by a link: what is written in the place of a link leaves the file as it was.
fn followed(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|error| Failure::io(format!("`{}` cannot be read", path.display()), error))
}

/// What locks a private key, as it was named.
pub(super) fn lock(locked: &LockedBy) -> Result<Lock, Failure> {
    let LockedBy { passphrase_file, pkcs11, command, token } = locked;
    one(passphrase_file.as_deref(), pkcs11.as_deref(), command.as_deref(), token)
}

/// What locks another grant; a token is told as for the first.
fn anew(locked: &LockedAnewBy, token: &OnToken) -> Result<Lock, Failure> {
    let LockedAnewBy { new_passphrase_file, new_pkcs11, new_command } = locked;
    one(new_passphrase_file.as_deref(), new_pkcs11.as_deref(), new_command.as_deref(), token)
}

fn one(
    passphrase_file: Option<&Path>,
    pkcs11: Option<&Path>,
    command: Option<&Path>,
    token: &OnToken,
) -> Result<Lock, Failure> {
    match (passphrase_file, pkcs11, command) {
        (Some(path), None, None) => Ok(Lock::Passphrase(passphrase(path)?)),
        (None, Some(module), None) => {
            let pin = token.pin_file.as_ref().ok_or_else(|| Failure::usage("expected --pin-file beside a token"))?;
            Ok(Lock::Token(Token {
                module: module.to_owned(),
                token: token.token.clone(),
                label: token.token_key.clone(),
                pin: passphrase(pin)?,
            }))
        }
        (None, None, Some(command)) => Ok(Lock::Command(command.to_owned())),
        _ => Err(Failure::usage("expected a file with a passphrase, a token, or a command")),
    }
}

/// The passphrase in a file: its first line.
pub(super) fn passphrase(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = store::bounded::read_text(path, ::seal::limits::PASSPHRASE_BYTES_MAX + 2).map(Zeroizing::new);
    let text = text.map_err(|error| Failure::io(format!("`{}` cannot be read", path.display()), error))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Failure::bad_input(format!("`{}`: expected a passphrase in its first line", path.display())));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn not_opened(path: &Path, by: &str, error: &SealError) -> Failure {
    Failure::bad_input(format!("`{}`, as {}: {error}", path.display(), plain(by)))
}

/// The private key, as somebody for a purpose.
fn unlocked(unlocking: &Unlocking, purpose: &str) -> Result<(KeyFile, EvidenceKey), Failure> {
    let file = KeyFile::read(&unlocking.key).map_err(Failure::unreadable)?;
    let granted = file.open(&unlocking.by, purpose, &lock(&unlocking.locked)?);
    let granted = granted.map_err(|error| not_opened(&unlocking.key, &unlocking.by, &error))?;
    Ok((file, granted.key))
}

/// The private key, as it was granted for reading.
pub(super) struct Opening {
    pub(super) purpose: String,
    key: EvidenceKey,
}

/// Unlocks the private key for somebody who reads.
pub(super) fn opening(args: &OpenedBy, by: &str) -> Result<Opening, Failure> {
    let path = args.key.as_ref().ok_or_else(|| Failure::usage("--plain: expected --key, which opens sealed texts"))?;
    let file = KeyFile::read(path).map_err(Failure::unreadable)?;
    let OpenedBy { passphrase_file, pkcs11, command, token, .. } = args;
    let lock = one(passphrase_file.as_deref(), pkcs11.as_deref(), command.as_deref(), token)?;
    let granted = file.open(by, &args.purpose, &lock).map_err(|error| not_opened(path, by, &error))?;
    Ok(Opening { purpose: args.purpose.clone(), key: granted.key })
}

impl Opening {
    /// The keys of accounts with these ids, as far as they were not destroyed.
    pub(super) fn keys(&self, data: &Path, ids: &BTreeSet<String>) -> Result<BTreeMap<String, AccountKey>, Failure> {
        let wrapped = sealing::keys_there(data)?.find(ids).map_err(Failure::unreadable)?;
        let unwrap = |(id, (day, wrapped)): (String, (Day, Wrapped))| {
            self.key.unwrap(&wrapped, &day).map(|key| (id, key)).map_err(Failure::unreadable)
        };
        wrapped.into_iter().map(unwrap).collect()
    }

    /// What tells the evidence key from others.
    pub(super) fn key_id(&self) -> String {
        self.key.public().id()
    }
}

/// What a person did.
pub(super) fn said(kind: &str, by: &str, reason: Option<&str>, subject: String, detail: Value) -> Statement {
    let statement = ledgers::statement(kind, &format!("person:{by}"), subject, detail);
    Statement { reason: reason.map(str::to_owned), ..statement }
}

/// Puts a statement down; which entry it is. Where there is no ledger nothing that has to be put down can be done.
pub(super) fn append(data: &Path, statement: Statement) -> Result<u64, Failure> {
    let ledger = ledgers::open(data, None)?;
    let mut ledger = ledger.ok_or_else(|| {
        Failure::bad_input(format!(
            "the data folder `{}` has no ledger, in which this has to be put down; `stillwatch up` begins one, or say where it is by --data",
            data.display()
        ))
    })?;
    ledgers::append(&mut ledger, data, now()?, vec![statement]).map(|entries| entries.start)
}

pub(super) fn now() -> Result<Time, Failure> {
    clock::now().ok_or_else(|| Failure::service("the machine's clock cannot be read"))
}

fn rotate(unlocking: &Unlocking, locked: &LockedAnewBy, data: &Path) -> Result<Exit, Failure> {
    let path = followed(&unlocking.key)?;
    let public = public_of(&path);
    let _lock = KeyFile::lock(&path).map_err(Failure::unreadable)?;
    let (file, old) = unlocked(unlocking, ADMINISTRATION)?;
    let keys = sealing::keys_there(data)?;
    let key = old.next().map_err(Failure::unreadable)?;
    let own = file.grants().iter().find(|grant| grant.name == unlocking.by);
    let purposes = own.map(|grant| grant.purposes.clone()).unwrap_or_default();
    let anew = KeyFile::new(&key, &unlocking.by, &purposes, &anew(locked, &unlocking.locked.token)?)
        .map_err(Failure::unreadable)?;
    let detail = json!({"from": old.public().id(), "to": key.public().id()});
    append(data, said("rotation", &unlocking.by, None, "evidence key".to_owned(), detail))?;
    // The file has the old key as well, so that whatever is interrupted from here on loses nothing.
    anew.write(&path).map_err(Failure::unreadable)?;
    write_public(&public, &key)?;
    tell_rewrapped(keys.rewrap(&key).map_err(Failure::unreadable)?)?;
    print(&format!(
        "{} has the new key, and the old one to open what was sealed for it.\nNext: give {} to the gateway and restart it, run `stillwatch seal rewrap` for what was sealed \
         until then and for other data folders, and grant others anew.\n",
        unlocking.key.display(),
        public.display()
    ))?;
    Ok(Exit::Nothing)
}

fn tell_rewrapped(rewrapped: Rewrapped) -> Result<Exit, Failure> {
    let mut told = format!("Wrapped {} for the current evidence key.\n", counted(rewrapped.wrapped, "key"));
    if rewrapped.others > 0 {
        told += &format!(
            "{} stay as they are: they are for an evidence key that is not in this file.\n",
            counted(rewrapped.others, "key")
        );
    }
    print(&told).map(|()| Exit::Nothing)
}

/// What stands in clear of a sealed record.
#[derive(Deserialize)]
struct Clear {
    id: String,
    time: Time,
    account: String,
}

/// A sealed record that was asked for.
struct Found {
    clear: Vec<u8>,
    shown: Clear,
    sealed: Sealed,
}

fn open(args: &SealOpen) -> Result<Exit, Failure> {
    if args.account.is_empty() && args.exchange.is_empty() {
        return Err(Failure::usage("say whose texts or which: expected --account or --exchange"));
    }
    if let Some(out) = args.out.as_ref().filter(|out| out.exists()) {
        return Err(Failure::usage(format!("`{}` is there already; name another file by --out", out.display())));
    }
    let (_, key) = unlocked(&args.unlocking, &args.purpose)?;
    let mut found = find(args)?;
    let ids: BTreeSet<String> = found.iter().map(|found| found.sealed.key.clone()).collect();
    let wrapped = sealing::keys_there(&args.data)?.find(&ids).map_err(Failure::unreadable)?;
    // What was erased or closed by age is not there.
    let before = found.len();
    found.retain(|found| wrapped.contains_key(&found.sealed.key));
    let closed = before - found.len();
    if found.is_empty() {
        let destroyed = "its keys were destroyed: it was erased, or closed by age";
        let why = if closed > 0 { destroyed } else { "nothing sealed fits" };
        return Err(Failure::bad_input(format!("there is nothing to open: {why}")));
    }
    let ids: String = found.iter().map(|found| format!("{}\n", found.shown.id)).collect();
    let accounts: BTreeSet<&str> = found.iter().map(|found| found.shown.account.as_str()).collect();
    let detail = json!({
        "purpose": args.purpose, "case": args.case, "records": found.len(), "accounts": accounts.len(),
        "exchanges": Hash::of(&[ids.as_bytes()]).to_hex(), "key": key.public().id(),
    });
    let subject = match (accounts.first(), accounts.len()) {
        (Some(account), 1) => format!("account:{account}"),
        _ => format!("{} accounts", accounts.len()),
    };
    append(&args.data, said("reading", &args.unlocking.by, Some(&args.reason), subject, detail))?;
    let unwrapped = |(id, (day, wrapped)): &(String, (Day, Wrapped))| (id.clone(), key.unwrap(wrapped, day));
    let wrapped: Vec<_> = wrapped.into_iter().collect();
    let keys: BTreeMap<String, Result<AccountKey, SealError>> = wrapped.iter().map(unwrapped).collect();
    let (mut out, mut wrong) = (Zeroizing::new(Vec::new()), Vec::new());
    for Found { clear, shown, sealed } in &found {
        match opened(&keys, clear, sealed) {
            Ok(text) => {
                out.extend_from_slice(&text);
                out.push(b'\n');
            }
            Err(why) => wrong.push(format!("exchange `{}`: {why}", shown.id)),
        }
    }
    let opened = (found.len() - wrong.len()) as u64;
    match &args.out {
        Some(path) => {
            whole::write(path, &out).map_err(|error| Failure::unwritable(path, &error))?;
            print(&format!("Opened {} to {}; the ledger says so.\n", counted(opened, "record"), path.display()))?;
        }
        None => print(&String::from_utf8_lossy(&out))?,
    }
    if closed > 0 {
        eprintln!("{} cannot be opened any more: erased, or closed by age", counted(closed as u64, "record"));
    }
    match wrong.first() {
        None => Ok(Exit::Nothing),
        Some(first) => {
            Err(Failure::bad_input(format!("{} cannot be opened; {first}", counted(wrong.len() as u64, "record"))))
        }
    }
}

/// What a sealed record says.
fn opened(
    keys: &BTreeMap<String, Result<AccountKey, SealError>>,
    clear: &[u8],
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let account = keys.get(&sealed.key).ok_or("its key is missing")?.as_ref().map_err(SealError::to_string)?;
    let record = account.record(&sealed.salt).map_err(|error| error.to_string())?;
    sealed.open(&record, clear).map_err(|error| error.to_string())
}

/// The sealed records that were asked for, as they are met.
struct Finding<'a> {
    args: &'a SealOpen,
    found: Vec<Found>,
    bytes: usize,
    /// Their exchanges: what is in a lake may be recorded still.
    met: BTreeSet<String>,
}

impl Finding<'_> {
    fn see(&mut self, found: Found) -> Result<(), Failure> {
        let Found { clear, shown, sealed } = &found;
        let args = self.args;
        let is_asked = args.account.contains(&shown.account) || args.exchange.contains(&shown.id);
        let is_within = args.from.is_none_or(|from| shown.time >= from) && args.to.is_none_or(|to| shown.time < to);
        if !is_asked || !is_within || !self.met.insert(shown.id.clone()) {
            return Ok(());
        }
        self.bytes += clear.len() + sealed.text.len();
        self.found.push(found);
        if self.found.len() > OPENED_MAX || self.bytes > OPENED_BYTES_MAX {
            return Err(Failure::usage(format!(
                "more than {OPENED_MAX} records fit, or {OPENED_BYTES_MAX} bytes; narrow it by --from and --to, and open them in parts"
            )));
        }
        Ok(())
    }
}

/// The sealed records that were asked for: those that a gateway recorded, and those in its lake.
fn find(args: &SealOpen) -> Result<Vec<Found>, Failure> {
    let folder = args.data.join("exchanges");
    let failed = |error| Failure::io(format!("`{}` cannot be read", folder.display()), error);
    let mut finding = Finding { args, found: Vec::new(), bytes: 0, met: BTreeSet::new() };
    for path in segment::files(&folder).map_err(failed)? {
        let mut input = BufReader::new(File::open(&path).map_err(failed)?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = std::io::Read::take(&mut input, LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(failed)?;
            if read == 0 {
                break;
            }
            let Some((clear, sealed)) = sealed::split(&line) else { continue };
            let object = [b"{", clear, b"}"].concat();
            let Ok(shown) = serde_json::from_slice::<Clear>(&object) else { continue };
            finding.see(Found { clear: clear.to_vec(), shown, sealed })?;
        }
    }
    let place = args.lake.clone().unwrap_or_else(|| lakes::of_data(&args.data));
    if args.lake.is_some() || lakes::is_lake(&place) {
        find_in_lake(&mut finding, &lakes::open(&place)?)?;
    }
    Ok(finding.found)
}

fn find_in_lake(finding: &mut Finding<'_>, lake: &Lake) -> Result<(), Failure> {
    let args = finding.args;
    let shards: BTreeSet<u64> = args.account.iter().map(|account| shard_of(account)).collect();
    let (from, to) = (args.from.map(lake::place::Day::of), args.to.map(lake::place::Day::of));
    let may_have = |partition: &Partition| {
        let is_shard = !args.exchange.is_empty() || shards.contains(&partition.shard);
        let is_day = from.as_ref().is_none_or(|from| partition.day >= *from);
        is_shard && is_day && to.as_ref().is_none_or(|to| partition.day <= *to)
    };
    let parts = lake.parts_where(&may_have)?;
    if let Some(error) = parts.broken.into_iter().next() {
        return Err(error.into());
    }
    lake.rows(&parts.live, &mut |_, row| {
        let Some(sealed) = row.sealed().cloned() else { return Ok(()) };
        let exchange = row.exchange();
        let (id, account) = (exchange.id.as_str().to_owned(), exchange.account.as_str().to_owned());
        let shown = Clear { id, time: exchange.time, account };
        finding.see(Found { clear: row.clear().into_owned(), shown, sealed })
    })
}

fn hold(command: &HoldCommand) -> Result<Exit, Failure> {
    match command {
        HoldCommand::Add { account, case, by, reason, data } => {
            sealing::keys_there(data)?;
            resume(data)?;
            let _changing = sealing::changing(data)?;
            let mut holds = Holds::read(data)?;
            let detail = json!({"case": case, "held": true});
            append(data, said("hold", by, Some(reason), format!("account:{account}"), detail))?;
            let since = now()?.to_string();
            let (account, case) = (account.clone(), case.clone());
            let told = format!(
                "Held: what {} sent is neither erased nor closed by age until the hold for {} is released.\n",
                plain(&account),
                plain(&case)
            );
            holds.add(Hold { account, case, by: by.clone(), reason: reason.clone(), since })?;
            print(&told).map(|()| Exit::Nothing)
        }
        HoldCommand::Release { account, case, by, reason, data } => {
            let _changing = sealing::changing(data)?;
            let mut holds = Holds::read(data)?;
            if !holds.all().iter().any(|hold| (&hold.account, &hold.case) == (account, case)) {
                return Err(Failure::usage(format!("`{account}` is not held for `{case}`")));
            }
            let detail = json!({"case": case, "held": false});
            append(data, said("hold", by, Some(reason), format!("account:{account}"), detail))?;
            holds.release(account, case)?;
            print(&format!("Released: {} is not held for {} any more.\n", plain(account), plain(case)))
                .map(|()| Exit::Nothing)
        }
        HoldCommand::List { data, json } => {
            let rows: Vec<Value> =
                Holds::read(data)?.all().iter().filter_map(|hold| serde_json::to_value(hold).ok()).collect();
            if *json {
                return print_json(&json!({"holds": rows}));
            }
            print(&listing::columns(&["account", "case", "since", "by", "reason"], &rows)).map(|()| Exit::Nothing)
        }
    }
}

/// Finishes an erasure that was interrupted, and puts that down.
fn resume(data: &Path) -> Result<(), Failure> {
    let resumed = sealing::finish_erasing(data, &mut |account| append(data, sealing::resumed(account)).map(drop))?;
    if resumed > 0 {
        eprintln!("finished an erasure of {} that was interrupted", counted(resumed as u64, "account"));
    }
    Ok(())
}

fn erase(args: &SealErase) -> Result<Exit, Failure> {
    let keys = sealing::keys_there(&args.data)?;
    resume(&args.data)?;
    // Nobody is held between this and the end of it.
    let _changing = sealing::changing(&args.data)?;
    Holds::read(&args.data)?.refuse(&args.account)?;
    let accounts: BTreeSet<String> = args.account.iter().cloned().collect();
    if args.dry_run {
        let mut would = Erased::default();
        for day in keys.days().map_err(Failure::unreadable)? {
            let of_day = keys.of(&day).map_err(Failure::unreadable)?;
            let count = of_day.iter().filter(|key| accounts.contains(&key.account)).count() as u64;
            would.keys += count;
            would.days += u64::from(count > 0);
        }
        return tell_erased(would, "Would destroy", args.json);
    }
    // What is to be erased is written down first, so that it is done where the ledger says it, also after a crash.
    keys.begin_erasing(&accounts).map_err(Failure::unreadable)?;
    for account in &accounts {
        append(
            &args.data,
            said("erasure", &args.by, Some(&args.reason), format!("account:{account}"), json!({"of": "texts"})),
        )?;
    }
    let erased = keys.finish_erasing().map_err(Failure::unreadable)?;
    tell_erased(erased, "Destroyed", args.json)
}

fn tell_erased(erased: Erased, verb: &str, is_json: bool) -> Result<Exit, Failure> {
    if is_json {
        return print_json(&json!({"keys": erased.keys, "days": erased.days, "done": verb == "Destroyed"}));
    }
    let (keys, days) = (counted(erased.keys, "key"), counted(erased.days, "day"));
    let what = if erased.keys == 0 {
        "nothing is sealed by any.".to_owned()
    } else {
        format!("of {days}: what they sealed cannot be opened any more.")
    };
    print(&format!("{verb} {keys}; {what}\n")).map(|()| Exit::Nothing)
}

fn expire(args: &SealExpire) -> Result<Exit, Failure> {
    let keys = sealing::keys_there(&args.data)?;
    let _changing = sealing::changing(&args.data)?;
    let held = Holds::read(&args.data)?.accounts();
    let first = first_day(now()?, args.days)?;
    let would = keys.expired(&first, &held).map_err(Failure::unreadable)?;
    if args.dry_run || would.keys == 0 {
        return tell_erased(would, if args.dry_run { "Would destroy" } else { "Destroyed" }, args.json);
    }
    let detail = json!({"before": first.as_str(), "keys": would.keys, "held": held.len()});
    append(&args.data, said("expiry", &args.by, None, "texts".to_owned(), detail))?;
    let erased = keys.expire(&first, &held).map_err(Failure::unreadable)?;
    tell_erased(erased, "Destroyed", args.json)
}

/// The first day that is not older than so many days.
fn first_day(now: Time, days: u32) -> Result<Day, Failure> {
    sealing::first_day(now, days)
        .ok_or_else(|| Failure::service(format!("the clock says {now}, of which no day can be told")))
}

fn status(data: &Path, is_json: bool) -> Result<Exit, Failure> {
    let keys = sealing::keys_there(data)?;
    let held = Holds::read(data)?.accounts();
    let mut rows = Vec::new();
    for day in keys.days().map_err(Failure::unreadable)? {
        let of_day = keys.of(&day).map_err(Failure::unreadable)?;
        let by: BTreeSet<&str> = of_day.iter().map(|key| key.by.as_str()).collect();
        let accounts: BTreeSet<&str> = of_day.iter().map(|key| key.account.as_str()).collect();
        let held = accounts.iter().filter(|account| held.contains(**account)).count();
        let by: Vec<&str> = by.into_iter().collect();
        rows.push(
            json!({"day": day.as_str(), "accounts": accounts.len(), "held": held, "evidence_key": by.join(", ")}),
        );
    }
    if is_json {
        return print_json(&json!({"days": rows}));
    }
    if rows.is_empty() {
        return print("Nothing is sealed here; `stillwatch seal key` begins.\n").map(|()| Exit::Nothing);
    }
    print(&listing::columns(&["day", "accounts", "held", "evidence_key"], &rows)).map(|()| Exit::Nothing)
}
