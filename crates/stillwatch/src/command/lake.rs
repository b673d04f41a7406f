//! `stillwatch lake`: recorded exchanges as Parquet, added, merged, listed, closed by age, erased, checked, copied.
//!
//! Promises that nothing is removed before the ledger says so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ::lake::limits::PARTS_OF_TODAY_MAX;
use ::lake::place::Day;
use ::lake::row::Row;
use ::lake::{Added, Changed, Changing, Lake, LakeError, Mode, OfDay};
use ::verify::entry::Statement;
use ::verify::hash::Hash;
use ::verify::report::plain;
use exchange::{Exchange, Time};
use serde_json::{Value, json};
use signals::fingerprint::{FingerprintKey, without_texts};

use super::seal::{append, said};
use super::{fingerprint, hunt};
use crate::cli::{LakeAdd, LakeAt, LakeCommand, LakeWhy};
use crate::failure::{Exit, Failure};
use crate::holds::Holds;
use crate::inputs::Inputs;
use crate::intake::{self, TakenIn};
use crate::output::{print, print_json};
use crate::records::Committed;
use crate::{calls, clock, data_folder, lakes, ledgers, listing, progress, sealing};
use report::words::{counted, grouped};

/// Faults that are told each; all are counted.
const FAULTS_TOLD: usize = 20;

/// Does what was asked.
pub(crate) fn run(command: &LakeCommand) -> Result<Exit, Failure> {
    match command {
        LakeCommand::Add(args) => add(args),
        LakeCommand::Compact { at, dry_run } => compact(at, mode(*dry_run)),
        LakeCommand::Ls { at, day } => ls(at, day.as_deref()),
        LakeCommand::Stat { at } => stat(at),
        LakeCommand::Expire { at, days, why } => expire(at, *days, why),
        LakeCommand::Erase { at, account, why } => erase(at, account, why),
        LakeCommand::Verify { at } => verify(at),
        LakeCommand::Backup { at, to } => copy(at, &place(at), to, &BTreeMap::new(), "Backed up"),
        // Without what was erased since the backup was made, by the ledger.
        LakeCommand::Restore { at, from } => copy(at, from, &place(at), &lakes::erased(&at.data)?, "Restored"),
        LakeCommand::Unlock { at } => unlock(at),
    }
}

fn place(at: &LakeAt) -> PathBuf {
    at.lake.clone().unwrap_or_else(|| lakes::of_data(&at.data))
}

fn mode(dry_run: bool) -> Mode {
    if dry_run { Mode::Count } else { Mode::Do }
}

fn now() -> Result<Time, Failure> {
    clock::now().ok_or_else(|| Failure::service("the machine's clock cannot be read"))
}

/// Runs what tells how many of how many are done, with a progress bar.
fn watched<T>(what: &'static str, work: impl FnOnce(&mut dyn FnMut(usize, usize)) -> T) -> T {
    let bar = progress::steps(0).with_message(what);
    let done = work(&mut |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    done
}

fn add(args: &LakeAdd) -> Result<Exit, Failure> {
    let key = key(args)?;
    let inputs = Inputs::find(&args.paths, args.accounts.as_deref()).map_err(Failure::unreadable)?;
    hunt::tell_what_was_passed_over(&inputs);
    if let Some(lake) = inputs.lakes.first() {
        return Err(Failure::usage(format!(
            "`{}` is a lake; `stillwatch lake backup` copies one, and a hunt reads several",
            lake.display()
        )));
    }
    let mut changing = begin(&args.at, &key)?;
    for facts in &inputs.accounts {
        let lines = facts_in(facts)?;
        changing.add_facts(&lines)?;
    }
    let bar = progress::reading(inputs.bytes);
    let row = || |exchange: &Exchange<'_>| Row::of(without_texts(exchange, &key), None).into_owned();
    let mut watch = |step: calls::Step| {
        bar.set_position(step.bytes);
        bar.set_message(format!("{} exchanges", step.exchanges));
    };
    let mut adding = changing.add(None);
    let mut written = Ok(());
    let mut sink = |row: Row<'static>, _| {
        if written.is_ok() {
            written = adding.push(row);
        }
    };
    let read =
        calls::each(&inputs, &hunt::read_options(&args.records), hunt::threads(None), &row, &mut watch, &mut sink);
    bar.finish_and_clear();
    let report = read.map_err(Failure::unreadable)?.report;
    written?;
    let added = adding.finish()?;
    hunt::tell(&report, "exchanges");
    if report.records == 0 {
        return Err(Failure::bad_input(
            "nothing could be read as an exchange; `stillwatch inspect` says what was made of it",
        ));
    }
    let Added { rows, known, erased, parts, bytes } = added;
    if args.at.json {
        let told = json!({"exchanges": rows, "known": known, "erased": erased, "parts": parts, "bytes": bytes});
        return print_json(&told);
    }
    print(&format!(
        "Added {} to {}{}{}.\nNext: stillwatch hunt {}\n",
        counted(rows - known, "exchange"),
        place(&args.at).display(),
        if known > 0 { format!("; {} were there already", grouped(known)) } else { String::new() },
        if erased > 0 { format!("; {} of erased accounts were left out", grouped(erased)) } else { String::new() },
        place(&args.at).display(),
    ))?;
    Ok(Exit::Nothing)
}

/// Account facts as lines.
fn facts_in(path: &Path) -> Result<String, Failure> {
    let mut lines = String::new();
    let mut learn = |fact: exchange::AccountFact<'_>| {
        lines += &fact.to_json();
        lines.push('\n');
    };
    let mut report = exchange::ReadReport::default();
    for chunk in crate::inputs::source(path).map_err(Failure::unreadable)? {
        match chunk {
            Ok(chunk) => exchange::parse_accounts(&chunk, clock::now(), &mut learn, &mut report),
            Err(error) => report.source_broke(&error),
        }
    }
    hunt::tell(&report, "account facts");
    Ok(lines)
}

/// The key that was named, or that of the data folder.
fn key(args: &LakeAdd) -> Result<FingerprintKey, Failure> {
    if let Some(path) = &args.key_file {
        return fingerprint::key(path);
    }
    let known = data_folder::known_fingerprint_key(&args.at.data)?;
    known.ok_or_else(|| {
        Failure::usage(format!(
            "expected --key-file, as `{}` is no data folder with a key; `openssl rand -hex 16 > key` makes one, which has to be kept for what is added later",
            args.at.data.display()
        ))
    })
}

fn begin(at: &LakeAt, key: &FingerprintKey) -> Result<Changing, Failure> {
    change(at, lakes::begin(&place(at), &at.data, key)?)
}

/// Has a lake for this process alone. Erasures that are finished are put down where there is a ledger.
fn change(at: &LakeAt, lake: Lake) -> Result<Changing, Failure> {
    lakes::change(lake, &mut |said| put_down(at, said))
}

fn open(at: &LakeAt) -> Result<Lake, Failure> {
    Ok(lakes::open(&place(at))?)
}

fn compact(at: &LakeAt, mode: Mode) -> Result<Exit, Failure> {
    // A lake of logs has no gateway beside it.
    let key = data_folder::known_fingerprint_key(&at.data)?;
    let mut changing = match (&key, mode) {
        (Some(key), Mode::Do) => begin(at, key)?,
        _ => change(at, open(at)?)?,
    };
    let waiting = intake::waiting(&changing, &at.data)?;
    let today = Day::of(now()?);
    let taken = match (&key, mode) {
        (Some(key), Mode::Do) => {
            let bar = progress::reading(Some(waiting));
            let taken = intake::take_in(&mut changing, &at.data, key, &mut |bytes| bar.inc(bytes))?;
            bar.finish_and_clear();
            taken
        }
        _ => TakenIn::default(),
    };
    let merged = watched("files", |watch| changing.merge(&today, PARTS_OF_TODAY_MAX, mode, watch))?;
    if at.json {
        return print_json(&json!({
            "dry_run": mode == Mode::Count, "recorded_bytes": waiting,
            "taken_in": {"files": taken.files, "lines": taken.lines, "exchanges": taken.rows, "erased": taken.erased, "bad_lines": taken.bad},
            "merged": told(&merged),
        }));
    }
    let mut text = String::new();
    match mode {
        Mode::Count => text += &format!("Would take in {} of what was recorded.\n", counted(waiting, "byte")),
        Mode::Do => {
            text += &format!(
                "Took in {} of {}{}{}.\n",
                counted(taken.rows, "exchange"),
                counted(taken.files, "recorded file"),
                if taken.erased > 0 {
                    format!("; {} of erased accounts were left out", grouped(taken.erased))
                } else {
                    String::new()
                },
                if taken.bad > 0 { format!("; {} are no exchange", counted(taken.bad, "line")) } else { String::new() },
            );
        }
    }
    let verb = if mode == Mode::Count { "Would merge" } else { "Merged" };
    if merged.written > 0 {
        text +=
            &format!("{verb} {} into {}.\n", counted(merged.written + merged.removed, "file"), grouped(merged.written));
    }
    print(&text).map(|()| Exit::Nothing)
}

fn told(changed: &Changed) -> Value {
    let Changed { rows, written, removed, bytes_before, bytes_after } = changed;
    json!({"exchanges": rows, "written": written, "removed": removed, "bytes_before": bytes_before, "bytes_after": bytes_after})
}

fn ls(at: &LakeAt, day: Option<&str>) -> Result<Exit, Failure> {
    let day = day.map(|day| {
        Day::named(day).ok_or_else(|| Failure::usage(format!("--day `{day}`: expected a day such as 2026-03-01")))
    });
    let day = day.transpose()?;
    let parts = open(at)?.parts_where(&|partition| day.as_ref().is_none_or(|day| *day == partition.day))?;
    for broken in &parts.broken {
        eprintln!("damaged: {}", plain(&broken.to_string()));
    }
    let rows: Vec<Value> = parts
        .live
        .iter()
        .map(|part| {
            let per_row = part.bytes / part.rows.max(1);
            json!({"file": part.name.to_string(), "exchanges": part.rows, "bytes": part.bytes, "bytes_an_exchange": per_row})
        })
        .collect();
    if at.json {
        let broken: Vec<String> = parts.broken.iter().map(ToString::to_string).collect();
        return print_json(&json!({"parts": rows, "damaged": broken}));
    }
    print(&listing::columns(&["file", "exchanges", "bytes", "bytes_an_exchange"], &rows)).map(|()| Exit::Nothing)
}

fn stat(at: &LakeAt) -> Result<Exit, Failure> {
    let lake = open(at)?;
    let stat = watched("files", |watch| lake.stat(watch))?;
    let row = |(day, of): (&Day, &OfDay)| {
        let OfDay { parts, rows, sealed, bytes, accounts } = of;
        json!({"day": day.as_str(), "exchanges": rows, "accounts": accounts, "sealed": sealed, "files": parts, "bytes": bytes, "bytes_an_exchange": bytes / rows.max(&1)})
    };
    let rows: Vec<Value> = stat.days.iter().map(row).collect();
    let sum = |of: &dyn Fn(&OfDay) -> u64| stat.days.values().map(of).sum::<u64>();
    let (exchanges, bytes, sealed) = (sum(&|of| of.rows), sum(&|of| of.bytes), sum(&|of| of.sealed));
    if at.json {
        return print_json(&json!({
            "days": rows, "exchanges": exchanges, "accounts": stat.accounts, "sealed": sealed, "bytes": bytes, "fingerprints": lake.fingerprints(),
        }));
    }
    let table =
        listing::columns(&["day", "exchanges", "accounts", "sealed", "files", "bytes", "bytes_an_exchange"], &rows);
    print(&format!(
        "{table}\n{} of {} in {}, {} each; {} with sealed texts; fingerprints of {}\n",
        counted(exchanges, "exchange"),
        counted(stat.accounts, "account"),
        counted(bytes, "byte"),
        grouped(bytes / exchanges.max(1)),
        grouped(sealed),
        plain(lake.fingerprints()),
    ))
    .map(|()| Exit::Nothing)
}

fn expire(at: &LakeAt, days: u32, why: &LakeWhy) -> Result<Exit, Failure> {
    let lake = open(at)?;
    let first = lakes::first_day(now()?, days);
    // Nobody is held between this and the end of it.
    let _changing = at.data.is_dir().then(|| sealing::changing(&at.data)).transpose()?;
    let held = if at.data.is_dir() { Holds::read(&at.data)?.accounts() } else { BTreeSet::new() };
    let mut changing = change(at, lake)?;
    let would = watched("files", |watch| changing.expire(&first, &held, Mode::Count, watch))?;
    if why.dry_run || would.rows == 0 {
        return tell_removed(at, &would, why.dry_run);
    }
    let detail = json!({"of": "lake", "before": first.as_str(), "exchanges": would.rows, "held": held.len()});
    refuse_without_ledger(at, why)?;
    put_down(at, said("expiry", &why.by, Some(&why.reason), "lake".to_owned(), detail))?;
    let changed = watched("files", |watch| changing.expire(&first, &held, Mode::Do, watch))?;
    tell_removed(at, &changed, false)
}

fn erase(at: &LakeAt, accounts: &[String], why: &LakeWhy) -> Result<Exit, Failure> {
    let lake = open(at)?;
    let _changing = at.data.is_dir().then(|| sealing::changing(&at.data)).transpose()?;
    if at.data.is_dir() {
        Holds::read(&at.data)?.refuse(accounts)?;
    }
    let accounts: BTreeSet<String> = accounts.iter().cloned().collect();
    // The clock tells whole seconds, and what was sent within this one is erased as well.
    let until = Time::from_seconds(now()?.seconds().saturating_add(1));
    if why.dry_run {
        let mut changing = change(at, lake)?;
        let would = watched("files", |watch| changing.would_erase(&accounts, until, watch))?;
        return tell_removed(at, &would, true);
    }
    refuse_without_ledger(at, why)?;
    let mut changing = change(at, lake)?;
    // First, so that whatever is interrupted from here on is finished, and put down, by the next change.
    changing.begin_erasing(&accounts, until)?;
    for account in &accounts {
        let subject = format!("account:{account}");
        put_down(at, said(lakes::ERASURE, &why.by, Some(&why.reason), subject, lakes::erasure(until)))?;
    }
    let changed = watched("files", |watch| changing.finish_erasing(watch))?;
    tell_removed(at, &changed, false)
}

/// That what is removed can be put down, or need not be.
fn refuse_without_ledger(at: &LakeAt, why: &LakeWhy) -> Result<(), Failure> {
    if ledgers::folder(&at.data).is_dir() || why.without_ledger {
        return Ok(());
    }
    Err(Failure::bad_input(format!(
        "the data folder `{}` has no ledger, in which this has to be put down; say where it is by --data, or do it --without-ledger",
        at.data.display()
    )))
}

/// Puts down in the ledger what is about to be removed, where there is one.
fn put_down(at: &LakeAt, said: Statement) -> Result<(), Failure> {
    if ledgers::folder(&at.data).is_dir() {
        append(&at.data, said)?;
    }
    Ok(())
}

fn tell_removed(at: &LakeAt, changed: &Changed, dry_run: bool) -> Result<Exit, Failure> {
    if at.json {
        let mut told = told(changed);
        if let Some(fields) = told.as_object_mut() {
            fields.insert("dry_run".to_owned(), json!(dry_run));
        }
        return print_json(&told);
    }
    let verb = if dry_run { "Would remove" } else { "Removed" };
    let what = format!("{} and write {} anew", counted(changed.removed, "file"), grouped(changed.written));
    let what = if dry_run { what } else { what.replace("write", "wrote") };
    print(&format!(
        "{verb} {}: {verb2} {what}.\n",
        counted(changed.rows, "exchange"),
        verb2 = if dry_run { "would remove" } else { "removed" }
    ))
    .map(|()| Exit::Nothing)
}

fn verify(at: &LakeAt) -> Result<Exit, Failure> {
    let lake = open(at)?;
    let view = ledgers::folder(&at.data).is_dir().then(|| ledgers::view(&at.data)).transpose()?;
    let mut committed = view.as_ref().map(|view| Committed::new(view, &at.data));
    let (mut shown, mut unknown) = (0, 0);
    let mut see = |row: &Row<'_>| {
        let (Some(committed), Some(line), Some(origin)) = (&mut committed, row.line(), row.origin()) else {
            return None;
        };
        match committed.leaf(&origin.file, origin.line) {
            Ok(Some(leaf)) if leaf == Hash::of_leaf(&line) => shown += 1,
            Ok(Some(_)) => return Some("its line is not the one that the ledger has".to_owned()),
            Ok(None) => unknown += 1,
            Err(why) => return Some(why),
        }
        None
    };
    let checked = watched("files", |watch| lake.check(watch, &mut see))?;
    let is_sound = checked.faults.is_empty();
    if at.json {
        print_json(&json!({
            "sound": is_sound, "parts": checked.parts, "exchanges": checked.rows, "faults": checked.faults, "others": checked.others,
            "in_ledger": shown, "not_in_ledger": unknown,
        }))?;
    } else {
        for fault in checked.faults.iter().take(FAULTS_TOLD) {
            eprintln!("{}", plain(fault));
        }
        let more = checked.faults.len().saturating_sub(FAULTS_TOLD);
        if more > 0 {
            eprintln!("{}", counted(more as u64, "more fault"));
        }
        if !is_sound {
            eprintln!("Put files that are damaged back from a backup, or move them away: hunts read the rest.");
        }
        for other in &checked.others {
            eprintln!("not of the lake: `{}`", plain(other));
        }
        print(&format!(
            "Read {} in {}: {}.\n{}",
            counted(checked.rows, "exchange"),
            counted(checked.parts, "file"),
            if is_sound { "all as written".to_owned() } else { counted(checked.faults.len() as u64, "fault") },
            match (&view, shown + unknown) {
                (Some(_), 1..) => format!(
                    "Of sealed exchanges, {} are as the ledger has them{}.\n",
                    grouped(shown),
                    if unknown > 0 {
                        format!("; {} are not in it, or not yet", grouped(unknown))
                    } else {
                        String::new()
                    }
                ),
                _ => String::new(),
            }
        ))?;
    }
    if is_sound { Ok(Exit::Nothing) } else { Ok(Exit::Unreadable) }
}

fn copy(at: &LakeAt, from: &Path, to: &Path, erased: &BTreeMap<String, Time>, verb: &str) -> Result<Exit, Failure> {
    if is_within(to, from) || is_within(from, to) {
        return Err(Failure::usage(format!(
            "`{}` and `{}` are one in the other; name a place beside",
            from.display(),
            to.display()
        )));
    }
    let (source, target) = (lakes::objects(from)?, lakes::objects(to)?);
    let copied = watched("files", |watch| ::lake::copy(source, &target, erased, watch))?;
    if at.json {
        return print_json(
            &json!({"to": target.place(), "parts": copied.parts, "exchanges": copied.rows, "bytes": copied.bytes}),
        );
    }
    print(&format!(
        "{verb} {} in {} to {}, and read them again.\n",
        counted(copied.rows, "exchange"),
        counted(copied.parts, "file"),
        to.display()
    ))
    .map(|()| Exit::Nothing)
}

/// Whether one place is another or within it, as far as they are there.
fn is_within(inner: &Path, outer: &Path) -> bool {
    let real = |path: &Path| {
        path.canonicalize().unwrap_or_else(|_| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
    };
    real(inner).starts_with(real(outer))
}

fn unlock(at: &LakeAt) -> Result<Exit, Failure> {
    let objects = lakes::objects(&place(at))?;
    let was_there =
        objects.unlock().map_err(|error| Failure::io(format!("the lock in `{}` stays", objects.place()), error))?;
    if at.json {
        return print_json(&json!({"removed": was_there}));
    }
    let told = if was_there { "Removed the lock of" } else { "There is no lock to remove at" };
    print(&format!("{told} {}.\n", objects.place())).map(|()| Exit::Nothing)
}

impl From<LakeError> for Failure {
    fn from(error: LakeError) -> Failure {
        if error.is_io() { Failure::service(error) } else { Failure::bad_input(error) }
    }
}
