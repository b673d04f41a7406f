//! Recorded lines sealed before they are written: what detection needs of a text stays as keyed fingerprints, the text itself is closed.
//!
//! Promises that no text reaches the disk in clear: a line that cannot be sealed is left out, and that is told.

use std::fs::File;
use std::io;
use std::path::Path;

use exchange::{Exchange, Notes, Time};
use gateway::recorder::Closing;
use seal::{Day, Keys, PublicKey, Sealer};
use serde_json::json;
use signals::fingerprint::{self, FingerprintKey};
use store::segment::{inside, write_line};
use verify::entry::Statement;

use crate::failure::Failure;
use crate::ledgers;
use crate::log::say;

/// Where wrapped keys of accounts are, in a data folder.
const KEYS: &str = "sealed-keys";
/// Held by whoever erases, holds or closes by age.
const LOCK: &str = "lock-erasing";
pub(crate) const DAY_SECONDS: i64 = 86_400;

/// The wrapped keys of a data folder, for a gateway that seals there.
pub(crate) fn keys(data: &Path) -> Result<Keys, Failure> {
    Keys::open(&data.join(KEYS)).map_err(Failure::unreadable)
}

/// The same, of a data folder that is there.
pub(crate) fn keys_there(data: &Path) -> Result<Keys, Failure> {
    if data.is_dir() {
        return keys(data);
    }
    Err(Failure::bad_input(format!("there is no data folder `{}`; say where it is by --data", data.display())))
}

/// Has what is erased, held or closed by age be changed by one alone, until what is returned is dropped.
pub(crate) fn changing(data: &Path) -> Result<File, Failure> {
    let path = data.join(LOCK);
    store::lock::exclusive(&path).map_err(|error| Failure::io(format!("`{}` cannot be taken", path.display()), error))
}

/// That an erasure of an account that was interrupted is finished.
pub(crate) fn resumed(account: &str) -> Statement {
    let statement = ledgers::statement("erasure", "stillwatch", format!("account:{account}"), json!({"of": "texts"}));
    Statement { reason: Some("an erasure that was interrupted".to_owned()), ..statement }
}

/// Finishes an erasure that was interrupted, after `put_down` has put it down for each account; how many accounts.
pub(crate) fn finish_erasing(
    data: &Path,
    put_down: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<usize, Failure> {
    if !data.join(KEYS).is_dir() {
        return Ok(0);
    }
    let _changing = changing(data)?;
    let keys = keys(data)?;
    let accounts = keys.erasing().map_err(Failure::unreadable)?;
    for account in &accounts {
        put_down(account)?;
    }
    keys.finish_erasing().map_err(Failure::unreadable)?;
    Ok(accounts.len())
}

/// The public half of an evidence key, in a file of its own or in a key file.
pub(crate) fn public_key(path: &Path) -> Result<PublicKey, String> {
    let text = store::bounded::read_text(path, seal::limits::KEY_FILE_BYTES_MAX);
    let text = text.map_err(|error| format!("`{}`: {error}", path.display()))?;
    text.parse().map_err(|error| {
        let advice = if text.trim_start().starts_with('{') { "; name the file that ends in `.pub`" } else { "" };
        format!("`{}`: {error}{advice}", path.display())
    })
}

/// The first day that is not older than so many days at `now`.
pub(crate) fn first_day(now: Time, days: u32) -> Option<Day> {
    Day::of(&Time::from_seconds(now.seconds() - i64::from(days) * DAY_SECONDS).to_string())
}

/// Seals the lines of a recorder.
pub(crate) struct Closer {
    sealer: Sealer,
    key: FingerprintKey,
    sealed: Vec<u8>,
}

impl Closer {
    pub(crate) fn new(sealer: Sealer, key: FingerprintKey) -> Closer {
        Closer { sealer, key, sealed: Vec::new() }
    }

    /// Seals one line, given without the brace that opens it, its sum and its newline.
    fn seal(&mut self, inside: &[u8]) -> Result<(), String> {
        let text = [b"{", inside].concat();
        let of = std::str::from_utf8(&text).map_err(|_| "it is no text".to_owned())?;
        let mut shown = None;
        let mut see = |exchange: Exchange<'_>| {
            let day = Day::of(&exchange.time.to_string());
            let clear = fingerprint::without_texts(&exchange, &self.key).to_json();
            shown = day.map(|day| (exchange.account.as_str().to_owned(), day, clear));
        };
        exchange::read_exchanges(of, &mut Notes::default(), &mut see).map_err(|error| error.to_string())?;
        let (account, day, clear) = shown.ok_or("it is no exchange")?;
        let clear = clear.strip_prefix('{').and_then(|clear| clear.strip_suffix('}')).unwrap_or_default();
        let mut closed = Ok(());
        let before = self.sealed.len();
        let (sealer, sealed) = (&mut self.sealer, &mut self.sealed);
        write_line(sealed, |line| closed = sealer.seal(&account, &day, clear.as_bytes(), text, line));
        closed.map_err(|error| {
            self.sealed.truncate(before);
            error.to_string()
        })
    }
}

impl Closing for Closer {
    fn close(&mut self, lines: &mut Vec<u8>) -> u64 {
        self.sealed.clear();
        let mut lost = Vec::new();
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let sealed = inside(line).ok_or_else(|| "it has no sum".to_owned()).and_then(|inside| self.seal(inside));
            lost.extend(sealed.err());
        }
        if let Some(why) = lost.first() {
            say(&format!("{} exchanges cannot be sealed and are not recorded; of the first: {why}", lost.len()));
        }
        // What stood there in clear is not left in memory that others write into.
        zeroize::Zeroize::zeroize(lines);
        std::mem::swap(lines, &mut self.sealed);
        lost.len() as u64
    }

    fn flush(&mut self, is_synced: bool) -> io::Result<()> {
        self.sealer.flush(is_synced).map_err(|error| io::Error::other(Failure::unreadable(error).to_string()))
    }
}
