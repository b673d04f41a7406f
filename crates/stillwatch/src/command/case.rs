//! `stillwatch case`: a case file of one campaign, which is checked without us.
//!
//! Promises that the ledger has the case file before anybody does, and says who opened what for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use ::evidence::archive::Draft;
use ::evidence::limits::{ENTRIES_MAX, RECORDS_MAX};
use ::evidence::{Attachment, Case, Entry, Record};
use ::findings::{Campaign, Findings};
use ::ledger::{Known, View};
use ::verify::entry::Statement;
use ::verify::exhibit;
use ::verify::hash::Hash;
use ::verify::sealed::{self, RecordKey};
use ::verify::tiles::WIDTH;
use exchange::{Exchange, Notes, Time};
use hyper::Method;
use lake::place::{Day, shard_of};
use lake::row::Row;
use serde::Deserialize as _;
use serde_json::{Value, json};
use store::segment;
use zeroize::Zeroizing;

use super::seal::{Opening, append, opening, said};
use crate::admin_client::AdminClient;
use crate::cli::{CaseCommand, CaseExport};
use crate::failure::{Exit, Failure};
use crate::output::{print, print_json};
use crate::{clock, lakes, ledgers, progress, records};
use report::words;
use report::words::counted;

/// Bytes of what is put beside, all together.
const ATTACHED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a recorded line that goes into a case file. A longer one is passed over, and that is told.
const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Kinds of entries that bear on every account.
const GENERAL: [&str; 3] = ["policies", "quota", "expiry"];

/// Does what was asked.
pub(crate) fn run(command: &CaseCommand) -> Result<Exit, Failure> {
    match command {
        CaseCommand::Export(args) => export(args),
    }
}

fn export(args: &CaseExport) -> Result<Exit, Failure> {
    let data = &args.server.data;
    let now = clock::now().ok_or_else(|| Failure::service("the machine's clock cannot be read"))?;
    let findings = findings(args)?;
    let campaign = campaign(&findings, &args.campaign)?;
    let members: BTreeSet<&str> = words::members(campaign).collect();
    let case_id = args.case.clone().unwrap_or_else(|| campaign.id.clone());
    let view = ledgers::view(data)?;
    // Whoever may not open texts learns so before anything is read.
    let opening = args.plain.then(|| opening(&args.opening, &args.by)).transpose()?;
    // What was recorded a moment ago may not be in the ledger yet.
    let mut ledger = ledgers::open(data, None)?.ok_or_else(|| Failure::bad_input("the data folder has no ledger"))?;
    records::put_down_all(&mut ledger, data, now)?;
    drop(ledger);
    let (lines, total) = lines(data, campaign, &members, args.records as usize)?;
    let mut chosen = read(data, campaign, &members, lines)?;
    if let Some(opening) = &opening {
        open(data, opening, args, &case_id, &mut chosen)?;
    }
    let mut numbers: BTreeSet<u64> = chosen.iter().map(|record| record.line.entry).collect();
    let about = about(&view, &members, &campaign.id)?;
    let entries_left_out = about.len().saturating_sub(ENTRIES_MAX) as u64;
    numbers.extend(about.iter().rev().take(ENTRIES_MAX));
    let entries = numbers.iter().map(|index| entry(&view, *index)).collect::<Result<Vec<_>, _>>()?;
    let accounts = facts(data, &members)?;
    let attachments = attachments(&args.attach)?;
    let (made_at, key) = (now.to_string(), view.key().to_string());
    let case = Case {
        id: &case_id,
        made_at: &made_at,
        by: &args.by,
        version: env!("CARGO_PKG_VERSION"),
        ledger: &key,
        findings: &findings,
        campaign,
        accounts: &accounts,
        entries: &entries,
        entries_left_out,
        records: &chosen,
        records_total: total,
        attachments: &attachments,
    };
    let draft = Draft::of(&case).map_err(Failure::unreadable)?;
    let detail = json!({"case": case_id, "records": chosen.len(), "plain": args.plain, "accounts": members.len()});
    let subject = format!("campaign:{}", campaign.id);
    let exported = said(::verify::case::KIND, &args.by, Some(&args.reason), subject, detail);
    let index = append(data, Statement { after: Some(draft.hash().to_hex()), ..exported })?;
    let archive = draft.sealed(&entry(&view, index)?.receipt);
    let archive = archive.map_err(|error| Failure::unwritable(&args.out, &error))?;
    store::whole::write(&args.out, &archive).map_err(|error| Failure::unwritable(&args.out, &error))?;
    let hash = Hash::of(&[&archive]).to_hex();
    if args.server.json {
        return print_json(&json!({
            "case": case_id, "campaign": campaign.id, "file": args.out, "sha256": hash, "bytes": archive.len(),
            "records": chosen.len(), "records_total": total, "entries": entries.len(), "entry": index, "key": key,
        }));
    }
    print(&format!(
        "Wrote {} ({}, {} of {} of {}, {}); the ledger says so in entry {index}.\n  SHA-256 {hash}\nWhoever gets it checks it by:\n  stillwatch-verify {} --key {key}\n",
        args.out.display(),
        counted(archive.len() as u64, "byte"),
        chosen.len(),
        counted(total, "recorded line"),
        counted(members.len() as u64, "account"),
        counted(entries.len() as u64, "entry of the ledger").replace("entry of the ledgers", "entries of the ledger"),
        args.out.display(),
    ))?;
    Ok(Exit::Nothing)
}

/// What detection says: of a running gateway, or in a file that a hunt wrote.
fn findings(args: &CaseExport) -> Result<Findings, Failure> {
    let told: Value = match &args.findings {
        None => AdminClient::new(&args.server)?.ask(Method::GET, "/api/v1/findings", None)?,
        Some(path) => {
            let bytes = std::fs::read(path)
                .map_err(|error| Failure::io(format!("`{}` cannot be read", path.display()), error))?;
            serde_json::from_slice(&bytes).map_err(|error| {
                Failure::bad_input(format!(
                    "`{}`: {error}; expected what `stillwatch hunt --json` prints",
                    path.display()
                ))
            })?
        }
    };
    let expected = |error| {
        Failure::bad_input(format!(
            "what was found cannot be read: {error}; expected what `stillwatch hunt --json` prints"
        ))
    };
    Findings::deserialize(&told).map_err(expected)
}

fn campaign<'f>(findings: &'f Findings, id: &str) -> Result<&'f Campaign, Failure> {
    findings.campaigns.iter().find(|campaign| campaign.id == id).ok_or_else(|| {
        let ids: Vec<&str> = findings.campaigns.iter().map(|campaign| campaign.id.as_str()).collect();
        let known =
            if ids.is_empty() { "none is reported".to_owned() } else { format!("reported are {}", ids.join(", ")) };
        Failure::usage(format!("there is no campaign `{id}`; {known}"))
    })
}

/// A recorded line of a member.
#[derive(Clone, Debug)]
struct Line {
    file: String,
    number: u64,
    /// Where it begins there; nothing where the file is gone, and the line is in the lake.
    start: Option<u64>,
    account: String,
    exchange: String,
    time: Time,
    status: Option<u64>,
}

/// Recorded lines of members, so many at most, spread over accounts and time; and how many there are in all.
fn lines(data: &Path, campaign: &Campaign, members: &BTreeSet<&str>, most: usize) -> Result<(Vec<Line>, u64), Failure> {
    let folder = data.join("exchanges");
    let failed = |error| Failure::io(format!("`{}` cannot be read", folder.display()), error);
    let files = if folder.is_dir() { segment::files(&folder).map_err(failed)? } else { Vec::new() };
    // What is not recorded any more may be in the lake.
    let names: BTreeSet<String> =
        files.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    let bytes = files.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum();
    let bar = progress::reading(Some(bytes));
    let mut of: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    let mut total = 0;
    for path in files {
        let Some(file) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let mut input = BufReader::with_capacity(1 << 18, File::open(&path).map_err(failed)?);
        let (mut text, mut number, mut start) = (Vec::new(), 0, 0);
        loop {
            text.clear();
            let read = input.read_until(b'\n', &mut text).map_err(failed)?;
            // A last line without its newline is not there yet.
            if read == 0 || text.last() != Some(&b'\n') {
                break;
            }
            let mut see = |exchange: Exchange<'_>| {
                let is_within = (campaign.first_seen..=campaign.last_seen).contains(&exchange.time);
                if members.contains(exchange.account.as_str()) && is_within {
                    total += 1;
                    of.entry(exchange.account.as_str().to_owned()).or_default().push(Line {
                        file: file.to_owned(),
                        number,
                        start: Some(start),
                        account: exchange.account.as_str().to_owned(),
                        exchange: exchange.id.as_str().to_owned(),
                        time: exchange.time,
                        status: exchange.status.map(u64::from),
                    });
                }
            };
            if let Ok(text) = std::str::from_utf8(&text) {
                // A line that is no exchange is none of a member.
                let _ = exchange::read_exchanges(text, &mut Notes::default(), &mut see);
            }
            (number, start) = (number + 1, start + read as u64);
            bar.inc(read as u64);
        }
    }
    bar.finish_and_clear();
    let mut see = |row: Row<'_>| {
        let exchange = row.exchange();
        let Some(origin) = row.origin().filter(|origin| !names.contains(origin.file.as_ref())) else { return Ok(()) };
        total += 1;
        // Of what was not sealed the lake has no line.
        if row.sealed().is_some() {
            of.entry(exchange.account.as_str().to_owned()).or_default().push(Line {
                file: origin.file.clone().into_owned(),
                number: origin.line,
                start: None,
                account: exchange.account.as_str().to_owned(),
                exchange: exchange.id.as_str().to_owned(),
                time: exchange.time,
                status: exchange.status.map(u64::from),
            });
        }
        Ok(())
    };
    in_lake(data, campaign, members, &mut see)?;
    Ok((spread(of, most.min(RECORDS_MAX)), total))
}

/// What members sent during a campaign, in the lake of the data folder, where there is one.
fn in_lake(
    data: &Path,
    campaign: &Campaign,
    members: &BTreeSet<&str>,
    see: &mut dyn FnMut(Row<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let place = lakes::of_data(data);
    if !lakes::is_lake(&place) {
        return Ok(());
    }
    let lake = lakes::open(&place)?;
    let shards: BTreeSet<u64> = members.iter().map(|account| shard_of(account)).collect();
    let days = Day::of(campaign.first_seen)..=Day::of(campaign.last_seen);
    let parts = lake.parts_where(&|partition| shards.contains(&partition.shard) && days.contains(&partition.day))?;
    if let Some(error) = parts.broken.into_iter().next() {
        return Err(error.into());
    }
    lake.rows(&parts.live, &mut |_, row| {
        let exchange = row.exchange();
        let is_within = (campaign.first_seen..=campaign.last_seen).contains(&exchange.time);
        if is_within && members.contains(exchange.account.as_str()) { see(row) } else { Ok(()) }
    })
}

/// So many lines at most, as many of each account as of every other, over its time.
fn spread(of: BTreeMap<String, Vec<Line>>, most: usize) -> Vec<Line> {
    let mut chosen = Vec::new();
    let mut left = most;
    let mut accounts = of.len();
    for (_, mut lines) in of {
        lines.sort_by_key(|line| line.time);
        let share = left.div_ceil(accounts.max(1)).min(left).min(lines.len());
        accounts -= 1;
        left -= share;
        let last = lines.len().saturating_sub(1);
        let at = |n: usize| if share < 2 { 0 } else { n * last / (share - 1) };
        chosen.extend((0..share).filter_map(|n| lines.get(at(n)).cloned()));
    }
    chosen.sort_by(|a, b| (a.time, &a.exchange).cmp(&(b.time, &b.exchange)));
    chosen
}

/// These lines as they are recorded, each with its place in the ledger. Those that the ledger does not have yet are left out, and that is told.
fn read(data: &Path, campaign: &Campaign, members: &BTreeSet<&str>, lines: Vec<Line>) -> Result<Vec<Record>, Failure> {
    let folder = data.join("exchanges");
    let failed =
        |error: std::io::Error| Failure::io(format!("records in `{}` cannot be read", folder.display()), error);
    let (mut chosen, mut missing) = (Vec::new(), 0);
    let mut wanted: BTreeMap<(String, u64), Vec<u8>> = lines
        .iter()
        .filter(|line| line.start.is_none())
        .map(|line| ((line.file.clone(), line.number), Vec::new()))
        .collect();
    if !wanted.is_empty() {
        in_lake(data, campaign, members, &mut |row| {
            let at = row.origin().map(|origin| (origin.file.clone().into_owned(), origin.line));
            if let (Some(text), Some(line)) = (at.and_then(|at| wanted.get_mut(&at)), row.line()) {
                *text = line;
            }
            Ok(())
        })?;
    }
    for line in lines {
        let mut text = Vec::new();
        match line.start {
            Some(start) => {
                let mut input = BufReader::new(File::open(folder.join(&line.file)).map_err(failed)?);
                input.seek(SeekFrom::Start(start)).map_err(failed)?;
                std::io::Read::take(&mut input, LINE_BYTES_MAX as u64 + 1)
                    .read_until(b'\n', &mut text)
                    .map_err(failed)?;
            }
            None => {
                let kept = wanted.remove(&(line.file.clone(), line.number)).unwrap_or_default();
                if kept.len() <= LINE_BYTES_MAX {
                    text = kept;
                    text.push(b'\n');
                }
            }
        }
        let place = records::place(data, &line.file, line.number).map_err(failed)?;
        let (Some(place), Some(b'\n')) = (place, text.pop()) else {
            missing += 1;
            continue;
        };
        let is_sealed = sealed::split(&text).is_some();
        let Ok(text) = String::from_utf8(text) else { continue };
        chosen.push(Record {
            exchange: line.exchange,
            time: line.time.to_string(),
            account: line.account,
            status: line.status,
            line: ::verify::case::Record {
                file: line.file,
                line: line.number,
                entry: place.batch.entry,
                proof: place.proof.iter().map(Hash::to_base64).collect(),
                key: None,
                record: text,
            },
            is_sealed,
            text: None,
        });
    }
    if missing > 0 {
        eprintln!(
            "left out {}: they are longer than {LINE_BYTES_MAX} bytes, or were recorded just now",
            counted(missing, "recorded line")
        );
    }
    Ok(chosen)
}

/// The key of a record, and what it says.
type Opened = (Zeroizing<String>, Zeroizing<Vec<u8>>);

/// Puts the key of each sealed record beside it, after the ledger said so.
fn open(data: &Path, opening: &Opening, args: &CaseExport, case: &str, chosen: &mut [Record]) -> Result<(), Failure> {
    let seals: Vec<_> = chosen.iter().map(|record| sealed::split(record.line.record.as_bytes())).collect();
    let ids: BTreeSet<String> = seals.iter().flatten().map(|(_, sealed)| sealed.key.clone()).collect();
    let keys = opening.keys(data, &ids)?;
    let count = seals.iter().flatten().filter(|(_, sealed)| keys.contains_key(&sealed.key)).count();
    let exchanges: String = chosen.iter().map(|record| format!("{}\n", record.exchange)).collect();
    let detail = json!({
        "purpose": opening.purpose, "case": case, "records": count,
        "exchanges": Hash::of(&[exchanges.as_bytes()]).to_hex(), "key": opening.key_id(),
    });
    append(data, said("reading", &args.by, Some(&args.reason), format!("campaign:{}", args.campaign), detail))?;
    let opened: Vec<Option<Opened>> = seals
        .iter()
        .map(|seal| {
            let Some((clear, sealed)) = seal else { return Ok(None) };
            let Some(account) = keys.get(&sealed.key) else { return Ok(None) };
            let key: RecordKey = account.record(&sealed.salt).map_err(Failure::unreadable)?;
            let text = sealed.open(&key, clear).map_err(Failure::unreadable)?;
            Ok(Some((key.to_hex(), text)))
        })
        .collect::<Result<_, Failure>>()?;
    for (record, key) in chosen.iter_mut().zip(opened) {
        (record.line.key, record.text) = key.map(|(key, text)| (key.to_string(), text)).unzip();
    }
    Ok(())
}

/// The entries that bear on members, the campaign, or all accounts, by their numbers in order.
fn about(view: &View, members: &BTreeSet<&str>, campaign: &str) -> Result<Vec<u64>, Failure> {
    let size = view.checkpoint().map_err(Failure::unreadable)?.1.tree().size;
    let mut found = Vec::new();
    for n in 0..size.div_ceil(WIDTH) {
        for Known { index, statement, .. } in view.part(n, size).map_err(Failure::unreadable)? {
            let Some(statement) = statement.filter(|statement| statement.kind != ::verify::recorded::KIND) else {
                continue;
            };
            let is_named = |word: &str| word == campaign || members.contains(word);
            let is_about =
                statement.subject.split([':', '/', ' ']).any(is_named) || names(&statement.detail, &is_named);
            if is_about || GENERAL.contains(&statement.kind.as_str()) {
                found.push(index);
            }
        }
    }
    Ok(found)
}

/// Whether any text in JSON is one of these names.
fn names(value: &Value, is_named: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => text.split([':', '/']).any(is_named),
        Value::Array(items) => items.iter().any(|item| names(item, is_named)),
        Value::Object(fields) => fields.values().any(|field| names(field, is_named)),
        _ => false,
    }
}

/// An entry with its receipt.
fn entry(view: &View, index: u64) -> Result<Entry, Failure> {
    let receipt = view.receipt(index).map_err(Failure::unreadable)?;
    let size = view.checkpoint().map_err(Failure::unreadable)?.1.tree().size;
    let known = view.entry(index, size).map_err(Failure::unreadable)?;
    let timestamp = view.timestamp(index).map_err(Failure::unreadable)?;
    let receipt = exhibit::exhibit(receipt, &known.entry, known.opening, timestamp.as_ref());
    let receipt = receipt.map_err(Failure::unreadable)?.to_string();
    Ok(Entry { index, at: known.entry.at.as_str().to_owned(), statement: known.statement, receipt })
}

/// What was known of members, line by line.
fn facts(data: &Path, members: &BTreeSet<&str>) -> Result<Vec<String>, Failure> {
    let path = data.join("exchanges/accounts.jsonl");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::io(format!("`{}` cannot be read", path.display()), error)),
    };
    let is_member = |line: &&str| {
        let fact = exchange::read_account(line.as_bytes(), &mut Notes::default());
        fact.is_ok_and(|fact| members.contains(fact.account.as_str()))
    };
    Ok(text.lines().filter(is_member).map(str::to_owned).collect())
}

fn attachments(paths: &[std::path::PathBuf]) -> Result<Vec<Attachment>, Failure> {
    let (mut attachments, mut left) = (Vec::new(), ATTACHED_BYTES_MAX);
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.filter(|name| name.chars().all(|sign| sign.is_alphanumeric() || " ._-()".contains(sign)));
        let name = name.ok_or_else(|| {
            Failure::usage(format!(
                "--attach `{}`: expected a file whose name has letters, digits, spaces and `._-()` only",
                path.display()
            ))
        })?;
        if attachments.iter().any(|other: &Attachment| other.name == name) {
            return Err(Failure::usage(format!("--attach: two files are called `{name}`; rename one")));
        }
        let bytes = store::bounded::read_file(path, left);
        let bytes = bytes.map_err(|error| {
            Failure::io(
                format!("`{}` cannot be attached (at most {ATTACHED_BYTES_MAX} bytes in all)", path.display()),
                error,
            )
        })?;
        left -= bytes.len();
        attachments.push(Attachment { name: name.to_owned(), bytes });
    }
    Ok(attachments)
}
