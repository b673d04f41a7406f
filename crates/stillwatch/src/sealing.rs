//! Recorded lines sealed before they are written: what detection needs of a text stays as keyed fingerprints, the text itself is closed.
//!
//! Promises that no text reaches the disk in clear: a line that cannot be sealed is left out, and that is told.

use std::io;
use std::path::Path;

use exchange::{Exchange, Notes, Time};
use gateway::recorder::Closing;
use seal::{Day, Keys, PublicKey, Sealer};
use signals::fingerprint::{self, FingerprintKey};
use store::segment::{inside, write_line};

use crate::failure::Failure;
use crate::log::say;

/// Where wrapped keys of accounts are, in a data folder.
const KEYS: &str = "sealed-keys";
const DAY_SECONDS: i64 = 86_400;

/// The wrapped keys of a data folder.
pub(crate) fn keys(data: &Path) -> Result<Keys, Failure> {
    Keys::open(&data.join(KEYS)).map_err(Failure::unreadable)
}

/// The public half of an evidence key, in a file of its own or in a key file.
pub(crate) fn public_key(path: &Path) -> Result<PublicKey, String> {
    let text = ledger::folder::read_text(path, seal::limits::KEY_FILE_BYTES_MAX);
    let text = text.map_err(|error| format!("`{}`: {error}", path.display()))?;
    text.parse().map_err(|error| format!("`{}`: {error}", path.display()))
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
            let clear = fingerprint::seal(&exchange, &self.key).to_json();
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
    fn close(&mut self, lines: &mut Vec<u8>) {
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
    }

    fn flush(&mut self, is_synced: bool) -> io::Result<()> {
        self.sealer.flush(is_synced).map_err(io::Error::other)
    }
}
