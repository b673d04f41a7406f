//! A ledger in a folder that is removed again.

use std::path::Path;

use ledger::{Ledger, SigningKey, View};
use serde_json::json;
use verify::entry::{EntryTime, SALT_BYTES, Statement};

pub(crate) const NAME: &str = "evidence.example.com/test";

pub(crate) fn key() -> SigningKey {
    SigningKey::new(NAME, [7; 32]).unwrap()
}

pub(crate) fn open(folder: &Path) -> Ledger {
    Ledger::open(folder, key()).unwrap()
}

pub(crate) fn view(folder: &Path) -> View {
    View::new(folder, key().public().clone())
}

pub(crate) fn at(second: u64) -> EntryTime {
    EntryTime::parse(&format!("2026-03-01T{:02}:{:02}:{:02}.000000000Z", second / 3600, second / 60 % 60, second % 60))
        .unwrap()
}

pub(crate) fn statement(n: u64) -> Statement {
    Statement {
        at: String::new(),
        kind: "verdict".to_owned(),
        actor: "person:ann".to_owned(),
        reason: Some("a class".to_owned()),
        subject: format!("campaign:cmp_{n}"),
        before: None,
        after: None,
        detail: json!({"number": n}),
    }
}

/// Salts that are all different, and the same each time.
pub(crate) fn salts() -> impl FnMut() -> Option<[u8; SALT_BYTES]> {
    let mut next = 0_u64;
    move || {
        next += 1;
        let mut salt = [0; SALT_BYTES];
        salt[..8].copy_from_slice(&next.to_le_bytes());
        Some(salt)
    }
}

/// Appends so many statements, numbered as their entries will be.
pub(crate) fn grow(ledger: &mut Ledger, count: u64) {
    let first = ledger.tree().size;
    let statements = (first..first + count).map(statement).collect();
    let appended = ledger.append(&at(first % 86_400), statements, &mut salts()).unwrap();
    assert_eq!(appended, first..first + count);
}

/// Every statement that can be read is the one that was appended under its number.
pub(crate) fn check(view: &View) -> u64 {
    let size = view.checkpoint().unwrap().1.tree().size;
    for n in 0..size.div_ceil(256) {
        for known in view.part(n, size).unwrap() {
            assert_eq!(known.statement.unwrap().subject, format!("campaign:cmp_{}", known.index));
        }
    }
    assert_eq!(view.tiles().root(size, size).unwrap(), view.checkpoint().unwrap().1.tree().root);
    size
}
