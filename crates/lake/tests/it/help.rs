//! Rows and stores that tests make.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use exchange::{AccountId, Client, Exchange, ExchangeId, Fingerprint, Time};
use lake::objects::{Folder, Held, Object, Objects, Stored};
use lake::row::{Origin, Row};
use lake::{Lake, LakeError};
use verify::sealed::{RecordKey, Sealed};

pub(crate) const FINGERPRINTS: &str = "a scheme, key 1";
/// 2026-05-28T20:26:40Z.
pub(crate) const START: i64 = 1_780_000_000;
pub(crate) const DAY: i64 = 86_400;

pub(crate) fn exchange(n: usize, account: &str, seconds: i64) -> Exchange<'static> {
    let line = r#"{"time":1,"account":"a","request":{"messages":[],"params":{"temperature":0.7,"max_tokens":64}},"usage":{"input_tokens":12},"status":200,"duration_ms":1.25,"model":"m"}"#;
    let mut read = None;
    exchange::read_exchanges(line, &mut exchange::Notes::default(), &mut |exchange| read = Some(exchange.into_owned()))
        .unwrap();
    let read = read.unwrap();
    let client = Client { ip: n.is_multiple_of(3).then(|| format!("203.0.113.{}", n % 250).into()), ..read.client };
    Exchange {
        client,
        id: ExchangeId::from(format!("ex_{n}")),
        time: Time::from_nanos(seconds * 1_000_000_000 + n as i64),
        account: AccountId::from(account.to_owned()),
        fingerprint: Some(Fingerprint {
            prints: "0123456789abcdef01234567".repeat(n % 5).into(),
            follow_up: n.is_multiple_of(2),
            intents: if n.is_multiple_of(4) { vec!["grading".into(), "coding".into()] } else { Vec::new() },
            ..Fingerprint::default()
        }),
        ..read
    }
}

pub(crate) fn row(n: usize, account: &str, seconds: i64) -> Row<'static> {
    Row::of(exchange(n, account, seconds), None)
}

/// A recorded line, sealed, and the row of it.
pub(crate) fn sealed(n: usize, account: &str, seconds: i64, file: &str) -> (Vec<u8>, Row<'static>) {
    let json = exchange(n, account, seconds).to_json();
    let clear = &json.as_bytes()[1..json.len() - 1];
    let key = RecordKey::new([n as u8; 32]);
    let closed =
        Sealed::close("key_1", [n as u8; 32], &key, clear, format!("what was asked {n}").into_bytes()).unwrap();
    let mut line = Vec::new();
    store::segment::write_line(&mut line, |line| closed.write_line(clear, line));
    line.pop();
    let (clear, closed) = verify::sealed::split(&line).unwrap();
    let origin = Origin { file: file.to_owned().into(), line: n as u64 };
    let row = Row::of_sealed(clear, closed, Some(origin)).unwrap();
    (line, row)
}

pub(crate) fn folder(path: &Path) -> Arc<dyn Objects> {
    Arc::new(Folder::new(path))
}

pub(crate) fn begin(path: &Path) -> Lake {
    Lake::begin(folder(path), FINGERPRINTS, &BTreeMap::new()).unwrap()
}

/// How often each exchange of each account is in a lake, by all parts that count.
pub(crate) fn ids(path: &Path) -> BTreeMap<(String, String), usize> {
    let lake = Lake::open(folder(path)).unwrap();
    let parts = lake.parts().unwrap();
    assert!(parts.broken.is_empty(), "{:?}", parts.broken);
    let mut ids = BTreeMap::new();
    let mut see = |_: &lake::Known, row: Row<'_>| {
        let key = (row.exchange().account.as_str().to_owned(), row.exchange().id.as_str().to_owned());
        *ids.entry(key).or_default() += 1;
        Ok::<(), LakeError>(())
    };
    lake.rows(&parts.live, &mut see).unwrap();
    ids
}

pub(crate) fn accounts(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A store that dies after so many changes, as a machine does: nothing works any more then.
#[derive(Debug)]
pub(crate) struct Dying {
    inner: Folder,
    left: AtomicUsize,
}

impl Dying {
    pub(crate) fn new(path: &Path, changes: usize) -> Arc<Dying> {
        Arc::new(Dying { inner: Folder::new(path), left: AtomicUsize::new(changes) })
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    fn change(&self) -> io::Result<()> {
        let one_less = |left: usize| left.checked_sub(1);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .map(drop)
            .map_err(|_| io::Error::other("dead"))
    }

    fn alive(&self) -> io::Result<()> {
        if self.is_dead() { Err(io::Error::other("dead")) } else { Ok(()) }
    }
}

impl Objects for Dying {
    fn place(&self) -> String {
        self.inner.place()
    }

    fn list(&self) -> io::Result<Vec<Object>> {
        self.alive()?;
        self.inner.list()
    }

    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        self.alive()?;
        self.inner.read(name, bytes_max)
    }

    fn open(&self, name: &str, bytes: u64) -> io::Result<(Box<dyn Stored>, u64)> {
        self.alive()?;
        self.inner.open(name, bytes)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.change()?;
        self.inner.write(name, bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change()?;
        self.inner.remove(name)
    }

    fn lock(&self) -> io::Result<Box<dyn Held>> {
        self.alive()?;
        self.inner.lock()
    }
}

/// Erases accounts, from the beginning to the end.
pub(crate) fn erase(changing: &mut lake::Changing, names: &[&str], until: exchange::Time) -> lake::Changed {
    changing.begin_erasing(&accounts(names), until).unwrap();
    changing.finish_erasing(&mut |_, _| {}).unwrap()
}
