//! `stillwatch label`: records what a person says of a finding, takes it back, and lists what was said.
//!
//! Only ever adds to the file of labels. Refuses a finding that could not be known again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use detect::Label;
use detect::Labels;
use exchange::Time;
use findings::{Identity, Verdict};
use hyper::Method;
use serde::Serialize;
use serde_json::{Map, Value, json};
use verify::entry::Statement;

use crate::admin_client::AdminClient;
use crate::cli::{AddLabel, LabelCommand, LabelFile, ListLabels, Says, Server, UndoLabel};
use crate::failure::{Exit, Failure};
use crate::output::print;
use crate::{clock, data_folder, ledgers};
use report::words::{self, counted, minute, printable};
use watch::labels::{self, Book, Draft, Entry, Said, Undoing};

/// Does what was asked.
pub(crate) fn run(command: &LabelCommand) -> Result<Exit, Failure> {
    match command {
        LabelCommand::Add(args) => add(args),
        LabelCommand::List(args) => list(args),
        LabelCommand::Undo(args) => undo(args),
    }
}

/// Reads the labels for a hunt. A last line that was cut off is told and not used.
pub(crate) fn in_force(path: &Path) -> Result<Labels, Failure> {
    let book = read(path)?;
    Ok(Labels::new(book.in_force().cloned().collect()))
}

fn read(path: &Path) -> Result<Book, Failure> {
    let book = labels::read(path).map_err(Failure::unreadable)?;
    if let Some(line) = book.cut_off {
        let path = printable(&path.display().to_string(), words::MESSAGE_CHARS_MAX);
        eprintln!("incomplete: `{path}`:{line}: the last line is cut off and was not used");
    }
    Ok(book)
}

fn add(args: &AddLabel) -> Result<Exit, Failure> {
    if args.until.is_some() && args.verdict != Verdict::Research {
        return Err(Failure::usage(
            "--until goes with --verdict research only: other verdicts are taken back by `undo`",
        ));
    }
    let gateway = args.book.data.as_deref().map(gateway).transpose()?;
    let (name, text) = match (&args.from, &gateway) {
        (None, Some(gateway)) => (
            "what the gateway found".to_owned(),
            gateway.ask(Method::GET, "/api/v1/findings", None)?.to_string().into_bytes(),
        ),
        (from, _) => {
            let path = from.as_deref().unwrap_or(Path::new(""));
            let name = format!("`{}`", path.display());
            let text = fs::read(path).map_err(|error| Failure::bad_input(format!("{name} cannot be read: {error}")))?;
            (name, text)
        }
    };
    let identity = identity_in(&name, &text, &args.finding)?;
    let accounts = identity.accounts.len() as u64;
    let draft = Draft { verdict: args.verdict, until: args.until, finding: args.finding.clone(), identity };
    let labels = args.book.path();
    let said = said(&args.says, gateway.as_ref())?;
    let mut put_down = |id: &str| {
        let (verdict, until, at) = (args.verdict, args.until, said.time);
        let detail = json!({"label": id, "verdict": verdict, "until": until, "accounts": accounts, "said_at": at});
        put_down(&args.book, gateway.as_ref(), &said, &args.finding, detail)
    };
    let id = labels::add(&labels, &draft, &said, &mut put_down).map_err(Failure::unreadable)?;
    let labels = labels.display();
    let next = match gateway {
        Some(_) => "The gateway heeds it when its own time comes to that.".to_owned(),
        None => format!("Next: stillwatch hunt PATH --labels {labels}"),
    };
    print(&format!(
        "Wrote {id} to {labels}: {} is {}, for the {} looked at.\n{next}\n",
        printable(&args.finding, ID_CHARS),
        words::verdict_of_person(args.verdict),
        counted(accounts, "account"),
    ))?;
    Ok(Exit::Nothing)
}

fn undo(args: &UndoLabel) -> Result<Exit, Failure> {
    let gateway = args.book.data.as_deref().map(gateway).transpose()?;
    let labels = args.book.path();
    let said = said(&args.says, gateway.as_ref())?;
    let mut put_down = |id: &str| {
        let detail = json!({"label": id, "undoes": args.id, "said_at": said.time});
        put_down(&args.book, gateway.as_ref(), &said, &args.id, detail)
    };
    let id = labels::undo(&labels, &args.id, &said, &mut put_down).map_err(Failure::unreadable)?;
    print(&format!("Wrote {id} to {}: {} is taken back.\n", labels.display(), printable(&args.id, ID_CHARS)))?;
    Ok(Exit::Nothing)
}

/// Puts a verdict down in the ledger of the gateway that it is said to, before it is written.
fn put_down(
    book: &LabelFile,
    gateway: Option<&AdminClient>,
    said: &Said<'_>,
    about: &str,
    detail: Value,
) -> Result<(), String> {
    let (Some(data), Some(gateway)) = (&book.data, gateway) else { return Ok(()) };
    let statement = ledgers::statement("verdict", &format!("person:{}", said.by), format!("finding:{about}"), detail);
    let statement = Statement { reason: Some(said.reason.to_owned()), ..statement };
    let appended = ledgers::open(data, None).and_then(|ledger| match ledger {
        // When it is put down is for the gateway's clock to say, whatever time the verdict is given.
        Some(mut ledger) => ledgers::append(&mut ledger, data, gateway.time()?, vec![statement]).map(drop),
        None => Ok(()),
    });
    appended.map_err(|failure| format!("the verdict cannot be put down in the ledger: {failure}"))
}

fn list(args: &ListLabels) -> Result<Exit, Failure> {
    let book = read(&args.book.path())?;
    let speaking = Labels::new(book.in_force().cloned().collect());
    let speaking: BTreeSet<&str> = speaking.iter().map(|label| label.id.as_str()).collect();
    let rows: Vec<Row<'_>> = book.labels.iter().map(|entry| Row::of(entry, &speaking)).collect();
    let text = if args.json {
        let mut text = serde_json::to_string_pretty(&rows).map_err(Failure::unreadable)?;
        text.push('\n');
        text
    } else if rows.is_empty() {
        "No labels.\n".to_owned()
    } else {
        rows.iter().map(Row::text).collect()
    };
    print(&text)?;
    Ok(Exit::Nothing)
}

/// A label as it is listed.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    state: State,
    verdict: Verdict,
    finding: &'a str,
    accounts: usize,
    by: &'a str,
    time: Time,
    reason: &'a str,
    until: Option<Time>,
    undone: Option<&'a Undoing>,
}

/// What became of a label.
#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    InForce,
    /// A later label speaks for all of its accounts.
    Superseded,
    Undone,
}

impl<'a> Row<'a> {
    fn of(entry: &'a Entry, speaking: &BTreeSet<&str>) -> Row<'a> {
        let Label { id, verdict, by, time, reason, until, identity } = &entry.label;
        let state = match &entry.undone {
            Some(_) => State::Undone,
            None if speaking.contains(id.as_str()) => State::InForce,
            None => State::Superseded,
        };
        Row {
            id,
            state,
            verdict: *verdict,
            finding: &entry.finding,
            accounts: identity.accounts.len(),
            by,
            time: *time,
            reason,
            until: *until,
            undone: entry.undone.as_ref(),
        }
    }

    fn text(&self) -> String {
        let until = self.until.map(|until| format!(" until {}", minute(until))).unwrap_or_default();
        let state = match (self.state, self.undone) {
            (State::Undone, Some(undone)) => format!(
                "\n  taken back by {} on {}: {}",
                printable(&undone.by, ID_CHARS),
                minute(undone.time),
                printable(&undone.reason, REASON_CHARS)
            ),
            (State::Superseded, _) => "\n  superseded by a later label".to_owned(),
            _ => String::new(),
        };
        format!(
            "{}  {}{until}, {} of {}, by {} on {}\n  {}{state}\n",
            self.id,
            words::verdict_of_person(self.verdict),
            counted(self.accounts as u64, "account"),
            printable(self.finding, ID_CHARS),
            printable(self.by, ID_CHARS),
            minute(self.time),
            printable(self.reason, REASON_CHARS),
        )
    }
}

/// Who says something, when and why; by a gateway's own clock where it is said to one.
fn said<'s>(says: &'s Says, gateway: Option<&AdminClient>) -> Result<Said<'s>, Failure> {
    let now = match (says.at, gateway) {
        (Some(at), _) => Some(at),
        (None, Some(gateway)) => Some(gateway.time()?),
        (None, None) => clock::now(),
    };
    let time = now.ok_or_else(|| Failure::usage("the clock cannot be read; name a time by --at"))?;
    Ok(Said { by: &says.by, time, reason: &says.reason })
}

/// The running gateway with the data folder `data`, whose findings are labelled.
fn gateway(data: &Path) -> Result<AdminClient, Failure> {
    AdminClient::new(&Server { data: data.to_owned(), server: None, admin_key_file: None, json: true })
}

impl LabelFile {
    /// The file.
    fn path(&self) -> PathBuf {
        self.data.as_deref().map_or_else(|| self.labels.clone(), data_folder::verdicts)
    }
}

/// The group of a finding, from what `hunt --json` or `hunt --campaigns-out` wrote, or a gateway told.
fn identity_in(name: &str, text: &[u8], finding: &str) -> Result<Identity, Failure> {
    let (mut known, mut wanted) = (Vec::new(), None);
    for (place, mut found) in findings(text).map_err(|reason| Failure::bad_input(format!("{name}{reason}")))? {
        let id =
            found.get("id").or_else(|| found.get("campaign")).and_then(Value::as_str).unwrap_or_default().to_owned();
        if id == finding {
            wanted = Some((place, labels::identity(&mut found)));
            break;
        }
        known.push(id);
    }
    match wanted {
        Some((_, Ok(identity))) => Ok(identity),
        Some((place, Err(reason))) => Err(Failure::bad_input(format!("{name}{place}: {finding}: {reason}"))),
        None if known.is_empty() => Err(Failure::bad_input(format!("{name} has no finding"))),
        None => {
            known.truncate(KNOWN_SHOWN);
            Err(Failure::bad_input(format!("{name} has no finding `{finding}`; it has {}", known.join(", "))))
        }
    }
}

type Found = (String, Map<String, Value>);

/// Every finding of a document or of lines, with its place.
fn findings(text: &[u8]) -> Result<Vec<Found>, String> {
    if let Ok(mut document) = serde_json::from_slice::<Map<String, Value>>(text)
        && document.contains_key("campaigns")
    {
        let lists = ["campaigns", "cleared"].map(|list| document.remove(list));
        let found = lists.into_iter().flatten().filter_map(|list| match list {
            Value::Array(list) => Some(list),
            _ => None,
        });
        let objects = found.flatten().filter_map(|found| match found {
            Value::Object(object) => Some((String::new(), object)),
            _ => None,
        });
        return Ok(objects.collect());
    }
    let lines = (1..).zip(text.split(|&byte| byte == b'\n')).filter(|(_, line)| !line.trim_ascii().is_empty());
    lines
        .map(|(number, line)| match serde_json::from_slice(line) {
            Ok(object) => Ok((format!(":{number}"), object)),
            Err(error) => {
                Err(format!(":{number}: expected what `hunt --campaigns-out` or `hunt --json` writes: {error}"))
            }
        })
        .collect()
}

/// Characters of a name that are shown.
const ID_CHARS: usize = 60;
/// Characters of a reason that are shown.
const REASON_CHARS: usize = 400;
/// Findings that are named where the one asked for is not there.
const KNOWN_SHOWN: usize = 10;
