//! The ledger of a data folder: opened to be read, or to append to it.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use exchange::Time;
use ledger::{Ledger, LedgerError, SigningKey, View};
use serde_json::Value;
use store::whole;
use verify::checkpoint::SignedCheckpoint;
use verify::entry::{EntryTime, SALT_BYTES, Statement};
use verify::note::VerifierKey;
use verify::tree::Tree;
use zeroize::Zeroizing;

use crate::failure::Failure;

const FOLDER: &str = "ledger";
const KEY: &str = "ledger-key";
/// The last checkpoint that was signed here, apart from the ledger itself.
const KNOWN: &str = "ledger-known";

/// Where the ledger of a data folder is.
pub(crate) fn folder(data: &Path) -> PathBuf {
    data.join(FOLDER)
}

/// Whether a data folder has a ledger.
pub(crate) fn is_there(data: &Path) -> bool {
    folder(data).join("log/checkpoint").is_file()
}

pub(crate) fn key_file(data: &Path) -> PathBuf {
    data.join(KEY)
}

/// The ledger of a data folder, to be read.
pub(crate) fn view(data: &Path) -> Result<View, Failure> {
    View::open(&folder(data)).map_err(|error| match error {
        LedgerError::Missing(_) => Failure::bad_input(format!(
            "the data folder `{}` has no ledger; `stillwatch up` begins one, or say where it is by --data",
            data.display()
        )),
        other => Failure::unreadable(other),
    })
}

/// The ledger of a data folder, to append to it. Where there is none, one is begun with the name to `begin` with; none without such a name.
pub(crate) fn open(data: &Path, begin: Option<&str>) -> Result<Option<Ledger>, Failure> {
    let (file, folder) = (key_file(data), folder(data));
    let failed = |error| Failure::io(format!("`{}` cannot be used", folder.display()), error);
    let is_empty = match fs::read_dir(&folder) {
        Ok(mut entries) => Some(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    let key = match (file.exists(), is_empty) {
        (true, Some(_)) => SigningKey::read(&file).map_err(Failure::unreadable)?,
        (true, None) => {
            return Err(Failure::bad_input(format!(
                "the folder `{}` is missing, which is signed with `{}`: put it back from a copy, or move that key away to begin another ledger",
                folder.display(),
                file.display()
            )));
        }
        (false, Some(false)) => {
            return Err(Failure::bad_input(format!(
                "`{}` is missing, which the ledger is signed with: put it back from a copy, or move the folder `{}` away to begin another ledger",
                file.display(),
                folder.display()
            )));
        }
        (false, _) => {
            let Some(name) = begin else { return Ok(None) };
            fs::create_dir_all(&folder).map_err(failed)?;
            let mut seed = Zeroizing::new([0; 32]);
            let filled = aws_lc_rs::rand::fill(seed.as_mut_slice());
            filled.map_err(|_| Failure::service("the machine gives no random bytes"))?;
            let key = SigningKey::new(name, *seed).map_err(Failure::unreadable)?;
            key.write(&file).map_err(Failure::unreadable)?;
            key
        }
    };
    let ledger = Ledger::open(&folder, key).map_err(Failure::unreadable)?;
    // Its folder by itself may have been put back to an older copy.
    match fs::read_to_string(data.join(KNOWN)) {
        Ok(note) => ledger.goes_on_from(&note).map_err(Failure::unreadable)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Failure::io(format!("`{}` cannot be read", data.join(KNOWN).display()), error)),
    }
    Ok(Some(ledger))
}

/// What is wrong where a ledger was put back to an earlier state: the checkpoint that was signed here last, which is kept apart, says more.
pub(crate) fn put_back(data: &Path, key: &VerifierKey, now: Tree) -> Option<String> {
    let note = fs::read_to_string(data.join(KNOWN)).ok()?;
    let known = match SignedCheckpoint::parse(&note, key, &[]) {
        Ok(checkpoint) => checkpoint.tree(),
        Err(error) => return Some(format!("`{}` is no checkpoint of it: {error}", data.join(KNOWN).display())),
    };
    (known.size > now.size || (known.size == now.size && known.root != now.root))
        .then(|| format!("it was put back: {} entries were signed for here, and {} are there", known.size, now.size))
}

/// What somebody did, to which more can be added.
pub(crate) fn statement(kind: &str, actor: &str, subject: String, detail: Value) -> Statement {
    Statement {
        at: String::new(),
        kind: kind.to_owned(),
        actor: actor.to_owned(),
        reason: None,
        subject,
        before: None,
        after: None,
        detail,
    }
}

/// Appends statements made at `now` to the ledger of a data folder; which entries they are.
pub(crate) fn append(
    ledger: &mut Ledger,
    data: &Path,
    now: Time,
    statements: Vec<Statement>,
) -> Result<Range<u64>, Failure> {
    let Some(now) = entry_time(now) else {
        return Err(Failure::service(format!("the clock says {now}, which no entry of a ledger can say")));
    };
    let mut salt = || {
        let mut salt = [0; SALT_BYTES];
        aws_lc_rs::rand::fill(&mut salt).is_ok().then_some(salt)
    };
    let entries = ledger.append(&now, statements, &mut salt).map_err(Failure::unreadable)?;
    let path = data.join(KNOWN);
    let kept = whole::write(&path, ledger.note().as_bytes());
    kept.map_err(|error| Failure::io(format!("`{}` cannot be written", path.display()), error))?;
    Ok(entries)
}

/// All statements that stand beside a ledger, in order.
pub(crate) fn statements(view: &View) -> Result<Vec<Statement>, Failure> {
    let size = view.checkpoint().map_err(Failure::unreadable)?.1.tree().size;
    let mut statements = Vec::new();
    for n in 0..size.div_ceil(verify::tiles::WIDTH) {
        let part = view.part(n, size).map_err(Failure::unreadable)?;
        statements.extend(part.into_iter().filter_map(|known| known.statement));
    }
    Ok(statements)
}

/// By how much the last entry is later than `now`, if it is: entries are never earlier than those before them.
pub(crate) fn is_ahead(ledger: &Ledger, now: Time) -> Option<String> {
    let last = ledger.last()?;
    (Some(last) > entry_time(now).as_ref()).then(|| last.as_str().to_owned())
}

/// A time as entries say it: to the nanosecond.
fn entry_time(time: Time) -> Option<EntryTime> {
    let text = time.to_string();
    let whole = text.strip_suffix('Z')?;
    let (seconds, fraction) = whole.split_once('.').unwrap_or((whole, ""));
    EntryTime::parse(&format!("{seconds}.{fraction:0<9}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_to_the_nanosecond() {
        for (time, said) in [
            ("2026-03-01T09:12:30Z", "2026-03-01T09:12:30.000000000Z"),
            ("2026-03-01T09:12:30.5Z", "2026-03-01T09:12:30.500000000Z"),
            ("2026-03-01T09:12:30.000000001Z", "2026-03-01T09:12:30.000000001Z"),
        ] {
            assert_eq!(entry_time(time.parse().unwrap()), EntryTime::parse(said), "{time}");
        }
    }
}
