//! The ledger of a data folder: opened to be read, or to append to it.

use std::path::{Path, PathBuf};

use exchange::Time;
use ledger::{Ledger, LedgerError, SigningKey, View};
use verify::entry::{EntryTime, SALT_BYTES, Statement};
use zeroize::Zeroizing;

use crate::failure::Failure;

const FOLDER: &str = "ledger";
const KEY: &str = "ledger-key";

/// Where the ledger of a data folder is.
pub(crate) fn folder(data: &Path) -> PathBuf {
    data.join(FOLDER)
}

fn key_file(data: &Path) -> PathBuf {
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

/// The ledger of a data folder, to append to it. Where there is none, one is begun with this name.
pub(crate) fn open(data: &Path, name: &str) -> Result<Ledger, Failure> {
    let file = key_file(data);
    let key = if file.exists() {
        SigningKey::read(&file).map_err(Failure::unreadable)?
    } else {
        if folder(data).exists() {
            let path = file.display();
            return Err(Failure::bad_input(format!(
                "`{path}` is missing, which the ledger is signed with: put it back from a copy, or move the folder `{}` away to begin another",
                folder(data).display()
            )));
        }
        let mut seed = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(seed.as_mut_slice())
            .map_err(|_| Failure::service("the machine gives no random bytes"))?;
        let key = SigningKey::new(name, *seed).map_err(Failure::unreadable)?;
        key.write(&file).map_err(Failure::unreadable)?;
        key
    };
    Ledger::open(&folder(data), key).map_err(Failure::unreadable)
}

/// The ledger of a data folder, to append to it; none where there is none.
pub(crate) fn open_if_there(data: &Path) -> Result<Option<Ledger>, Failure> {
    if key_file(data).exists() { open(data, "").map(Some) } else { Ok(None) }
}

/// Appends statements made at `now`.
pub(crate) fn append(ledger: &mut Ledger, now: Time, statements: Vec<Statement>) -> Result<(), Failure> {
    let Some(now) = entry_time(now) else {
        return Err(Failure::service(format!("the clock says {now}, which no entry of a ledger can say")));
    };
    let mut salt = || {
        let mut salt = [0; SALT_BYTES];
        aws_lc_rs::rand::fill(&mut salt).is_ok().then_some(salt)
    };
    ledger.append(&now, statements, &mut salt).map_err(Failure::unreadable)?;
    Ok(())
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
