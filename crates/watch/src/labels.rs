//! The file of labels: what people said of findings, one line of JSON each, only ever added to.
//!
//! Promises that nothing in the file is changed or lost: a verdict is taken back by a further line, a line is on the disk
//! before it is called written, and a last line that was cut off is told and left where it is. Refuses a file with any other
//! bad line, which it names with its field: what a person decided is used whole or not at all. Holds [`LABELS_MAX`] labels in
//! force at most.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

pub use detect::Label;
use exchange::Time;
use findings::{Identity, Verdict};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What a file of labels says.
#[derive(Debug, Default)]
pub struct Book {
    /// The labels, in the order in which they were given.
    pub labels: Vec<Entry>,
    /// The number of the last line, when it was cut off.
    pub cut_off: Option<usize>,
    /// Places of the labels by their names.
    places: BTreeMap<String, usize>,
    /// Names given to lines so far, undoings among them.
    lines: usize,
}

/// A label with what became of it.
#[derive(Debug)]
pub struct Entry {
    /// The label.
    pub label: Label,
    /// The finding it was given to, by its name in the run that found it.
    pub finding: String,
    /// Who took it back, if anybody did.
    pub undone: Option<Undoing>,
}

/// How a label was taken back.
#[derive(Clone, Debug, Serialize)]
pub struct Undoing {
    /// The line that says so.
    pub id: String,
    /// When.
    pub time: Time,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Why a file of labels cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelsError {
    /// It cannot be opened, read or written.
    #[error("`{path}` cannot be {what}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What was to be done with it.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A line is no label.
    #[error("`{path}`:{line}: {reason}")]
    Bad {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The last line is not whole, so nothing can be added behind it.
    #[error("`{path}`:{line}: the last line is cut off; complete or remove it first. Nothing was written")]
    CutOff {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
    },
    /// There are as many labels as may be.
    #[error("`{path}` has {LABELS_MAX} labels in force, which is the most; undo one first. Nothing was written")]
    Full {
        /// The file.
        path: String,
    },
    /// It could not be put down elsewhere first.
    #[error("{0}. Nothing was written")]
    NotPutDown(String),
    /// There is no such label to take back.
    #[error("`{path}` has no label `{id}` in force. Nothing was written")]
    Unknown {
        /// The file.
        path: String,
        /// The name.
        id: String,
    },
}

/// A label to be written.
pub struct Draft {
    /// What is said.
    pub verdict: Verdict,
    /// When it ends.
    pub until: Option<Time>,
    /// Of which finding.
    pub finding: String,
    /// Of which group.
    pub identity: Identity,
}

/// Who says something, when and why.
pub struct Said<'a> {
    /// Who.
    pub by: &'a str,
    /// When.
    pub time: Time,
    /// Why.
    pub reason: &'a str,
}

/// Has a line put down elsewhere, by its name, before it is written.
pub type PutDown<'a> = &'a mut dyn FnMut(&str) -> Result<(), String>;

/// Reads a file of labels.
///
/// # Errors
///
/// When it cannot be read, or any line but one cut off at the end is no label.
pub fn read(path: &Path) -> Result<Book, LabelsError> {
    let text = fs::read(path).map_err(io_error(path, "read"))?;
    parse(&path.display().to_string(), &text)
}

/// Adds a label, and makes the file where there is none. Its name.
///
/// # Errors
///
/// When the file cannot be used or written, is full, or it cannot be put down elsewhere.
pub fn add(path: &Path, draft: &Draft, said: &Said<'_>, put_down: PutDown<'_>) -> Result<String, LabelsError> {
    let new = !path.exists();
    let (mut file, book, whole) = open(path, true)?;
    if book.in_force().count() >= LABELS_MAX {
        return Err(LabelsError::Full { path: path.display().to_string() });
    }
    let id = book.next_id();
    put_down(&id).map_err(LabelsError::NotPutDown)?;
    let Said { by, time, reason } = *said;
    let Draft { verdict, until, finding, identity } = draft;
    let line =
        LabelLine { version: VERSION, id: &id, time, by, reason, verdict: *verdict, until: *until, finding, identity };
    append(&mut file, &line, whole).map_err(io_error(path, "written"))?;
    if new {
        sync_folder(path).map_err(io_error(path, "written"))?;
    }
    Ok(id)
}

/// Takes a label back. The name of the line that says so.
///
/// # Errors
///
/// When the file cannot be used or written, has no such label in force, or it cannot be put down elsewhere.
pub fn undo(path: &Path, label: &str, said: &Said<'_>, put_down: PutDown<'_>) -> Result<String, LabelsError> {
    let unknown = || LabelsError::Unknown { path: path.display().to_string(), id: label.to_owned() };
    let (mut file, book, whole) = match open(path, false) {
        // Nobody said anything yet.
        Err(LabelsError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Err(unknown()),
        opened => opened?,
    };
    if !book.in_force().any(|known| known.id == label) {
        return Err(unknown());
    }
    let id = book.next_id();
    put_down(&id).map_err(LabelsError::NotPutDown)?;
    let Said { by, time, reason } = *said;
    let line = UndoLine { version: VERSION, id: &id, time, by, reason, undo: label };
    append(&mut file, &line, whole).map_err(io_error(path, "written"))?;
    Ok(id)
}

/// The group of a finding, read from where it stands in a line or document.
///
/// # Errors
///
/// The field that is wrong, and what was expected.
pub fn identity(object: &mut Map<String, Value>) -> Result<Identity, String> {
    let mut fields = field::<Map<String, Value>>(object, "", "identity")?;
    let within = "identity.";
    let identity = Identity {
        infrastructure: field(&mut fields, within, "infrastructure")?,
        template: field(&mut fields, within, "template")?,
        accounts: field(&mut fields, within, "accounts")?,
        payers: field(&mut fields, within, "payers")?,
        habits: field(&mut fields, within, "habits")?,
    };
    if identity.accounts.is_empty() {
        return Err("`identity.accounts` is empty, expected the accounts that were looked at".into());
    }
    if identity.template.0.is_empty() && !identity.infrastructure {
        return Err("`identity.template` is empty, expected what the group is known again by".into());
    }
    Ok(identity)
}

impl Book {
    /// Labels that nobody took back.
    pub fn in_force(&self) -> impl Iterator<Item = &Label> {
        self.labels.iter().filter(|entry| entry.undone.is_none()).map(|entry| &entry.label)
    }

    /// When the last of it was said; none where nothing was.
    pub fn last_said(&self) -> Option<Time> {
        let said = |entry: &Entry| entry.undone.as_ref().map(|undoing| undoing.time).max(Some(entry.label.time));
        self.labels.iter().filter_map(said).max()
    }

    fn next_id(&self) -> String {
        format!("lbl_{}", self.lines + 1)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        let mut object: Map<String, Value> =
            serde_json::from_slice(line).map_err(|error| format!("no JSON object: {error}"))?;
        match field::<u64>(&mut object, "", "version")? {
            VERSION => {}
            other => return Err(format!("`version` is {other}, expected {VERSION}")),
        }
        let id: String = field(&mut object, "", "id")?;
        if id != self.next_id() {
            return Err(format!("`id` is `{id}`, expected `{}`, as lines are numbered", self.next_id()));
        }
        let time = time(&mut object, "time")?.ok_or("`time` is missing")?;
        let by = field(&mut object, "", "by")?;
        let reason = field(&mut object, "", "reason")?;
        if object.contains_key("undo") {
            let undone: String = field(&mut object, "", "undo")?;
            let entry = self.places.get(&undone).and_then(|&place| self.labels.get_mut(place));
            let entry = entry.filter(|entry| entry.undone.is_none());
            let entry =
                entry.ok_or_else(|| format!("`undo` is `{undone}`, expected a label above that is in force"))?;
            entry.undone = Some(Undoing { id, time, by, reason });
        } else {
            let verdict = field(&mut object, "", "verdict")?;
            let until = time_until(&mut object, verdict)?;
            let finding = field(&mut object, "", "finding")?;
            let identity = identity(&mut object)?;
            self.places.insert(id.clone(), self.labels.len());
            let label = Label { id, verdict, by, time, reason, until, identity };
            self.labels.push(Entry { label, finding, undone: None });
        }
        self.lines += 1;
        Ok(())
    }
}

#[derive(Serialize)]
struct LabelLine<'a> {
    version: u64,
    id: &'a str,
    time: Time,
    by: &'a str,
    reason: &'a str,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
    finding: &'a str,
    identity: &'a Identity,
}

#[derive(Serialize)]
struct UndoLine<'a> {
    version: u64,
    id: &'a str,
    time: Time,
    by: &'a str,
    reason: &'a str,
    undo: &'a str,
}

fn parse(path: &str, text: &[u8]) -> Result<Book, LabelsError> {
    let mut book = Book::default();
    let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    for (number, line) in (1..).zip(&lines) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        // A line that was written whole ends; one that does not end and cannot be read was never called written.
        let ends = line.ends_with(b"\n");
        if !ends && serde_json::from_slice::<Value>(line).is_err() {
            book.cut_off = Some(number);
            break;
        }
        book.take(line).map_err(|reason| LabelsError::Bad { path: path.to_owned(), line: number, reason })?;
        if book.in_force().count() > LABELS_MAX {
            let reason = format!("one label more than {LABELS_MAX} in force, which is the most");
            return Err(LabelsError::Bad { path: path.to_owned(), line: number, reason });
        }
    }
    Ok(book)
}

/// Opens a file to add to it, for nobody else meanwhile. Also whether its last line ends.
fn open(path: &Path, create: bool) -> Result<(File, Book, bool), LabelsError> {
    let opened = OpenOptions::new().read(true).append(true).create(create).open(path);
    let mut file = opened.map_err(io_error(path, "opened"))?;
    match file.lock() {
        Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(io_error(path, "locked")(error)),
        _ => {}
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(io_error(path, "read"))?;
    let book = parse(&path.display().to_string(), &text)?;
    if let Some(line) = book.cut_off {
        return Err(LabelsError::CutOff { path: path.display().to_string(), line });
    }
    Ok((file, book, text.is_empty() || text.ends_with(b"\n")))
}

/// Writes a line in one piece, and waits until it is on the disk.
fn append(file: &mut File, line: &impl Serialize, whole: bool) -> io::Result<()> {
    let mut bytes = if whole { Vec::new() } else { b"\n".to_vec() };
    serde_json::to_writer(&mut bytes, line)?;
    bytes.push(b'\n');
    file.write_all(&bytes)?;
    file.sync_all()
}

/// Waits until a file that was just made is in its folder.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn io_error(path: &Path, what: &'static str) -> impl Fn(io::Error) -> LabelsError {
    let path = path.display().to_string();
    move |source| LabelsError::Io { path: path.clone(), what, source }
}

/// The field `name` of `object`, said to be within `within`. A field that may be absent is null then.
fn field<T: DeserializeOwned>(object: &mut Map<String, Value>, within: &str, name: &str) -> Result<T, String> {
    let value = object.remove(name).ok_or_else(|| format!("`{within}{name}` is missing"))?;
    serde_json::from_value(value).map_err(|error| format!("`{within}{name}`: {error}"))
}

fn time(object: &mut Map<String, Value>, name: &str) -> Result<Option<Time>, String> {
    if !object.contains_key(name) {
        return Ok(None);
    }
    let text: String = field(object, "", name)?;
    text.parse().map(Some).map_err(|error| format!("`{name}` is `{text}`, {error}"))
}

fn time_until(object: &mut Map<String, Value>, verdict: Verdict) -> Result<Option<Time>, String> {
    match time(object, "until")? {
        Some(_) if verdict != Verdict::Research => Err("`until` is there, expected only with `research`".into()),
        until => Ok(until),
    }
}

/// The form of the lines.
const VERSION: u64 = 1;
/// Labels in force, at most. A further one is refused, and so is a file with more.
pub const LABELS_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    /// As many labels, a line each.
    fn lines(labels: usize) -> String {
        (1..=labels)
            .map(|number| {
                format!(
                    r#"{{"version":1,"id":"lbl_{number}","time":"2026-08-01T00:00:00Z","by":"ann","reason":"a course","verdict":"benign","finding":"cmp_1","identity":{{"infrastructure":false,"template":"{number:016x}","accounts":["a"],"payers":"","habits":null}}}}"#
                ) + "\n"
            })
            .collect()
    }

    fn undo(number: usize, label: usize) -> String {
        format!(
            r#"{{"version":1,"id":"lbl_{number}","time":"2026-08-01T00:00:00Z","by":"ann","reason":"no","undo":"lbl_{label}"}}"#
        ) + "\n"
    }

    #[test]
    fn as_many_labels_are_in_force_as_the_limit_says_and_no_more() {
        let full = lines(LABELS_MAX);
        assert_eq!(parse("l", full.as_bytes()).unwrap().in_force().count(), LABELS_MAX);
        let error = parse("l", lines(LABELS_MAX + 1).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`l`:{}: one label more than {LABELS_MAX}", LABELS_MAX + 1)), "{error}");
        let undone = full.clone() + &undo(LABELS_MAX + 1, 1);
        assert_eq!(parse("l", undone.as_bytes()).unwrap().in_force().count(), LABELS_MAX - 1);

        let path = std::env::temp_dir().join(format!("stillwatch-labels-{}", std::process::id()));
        fs::write(&path, &full).unwrap();
        let identity = Identity { infrastructure: true, accounts: ["a".to_owned()].into(), ..Identity::default() };
        let draft = Draft { verdict: Verdict::Benign, until: None, finding: "cmp_1".into(), identity };
        let said = Said { by: "ann", time: Time::from_seconds(1), reason: "a course" };
        assert!(matches!(add(&path, &draft, &said, &mut |_| Ok(())), Err(LabelsError::Full { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), full, "nothing was written");
        fs::write(&path, undone).unwrap();
        let refused = add(&path, &draft, &said, &mut |_| Err("the ledger is full".to_owned()));
        assert!(matches!(refused, Err(LabelsError::NotPutDown(_))));
        assert_eq!(read(&path).unwrap().in_force().count(), LABELS_MAX - 1, "nothing was written");
        assert_eq!(add(&path, &draft, &said, &mut |_| Ok(())).unwrap(), format!("lbl_{}", LABELS_MAX + 2));
        assert_eq!(read(&path).unwrap().in_force().count(), LABELS_MAX);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_last_line_is_cut_off_only_when_it_is_not_whole() {
        let text = lines(2);
        let whole = parse("l", text.trim_end().as_bytes()).unwrap();
        assert_eq!((whole.labels.len(), whole.cut_off), (2, None));
        for end in text.len() / 2 + 1..text.len() - 1 {
            let cut = parse("l", &text.as_bytes()[..end]).unwrap();
            assert_eq!((cut.labels.len(), cut.cut_off), (1, Some(2)), "{}", &text[..end]);
        }
        let inside = text[..text.len() / 2 - 5].to_owned() + "\n" + &undo(2, 1);
        assert!(matches!(parse("l", inside.as_bytes()), Err(LabelsError::Bad { line: 1, .. })));
    }

    #[test]
    fn a_removed_line_is_noticed() {
        let text = lines(3);
        let without: String =
            text.lines().filter(|line| !line.contains("lbl_2")).map(|line| format!("{line}\n")).collect();
        let error = parse("l", without.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "`l`:2: `id` is `lbl_3`, expected `lbl_2`, as lines are numbered");
    }
}
