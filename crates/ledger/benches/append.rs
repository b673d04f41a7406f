//! How many entries a second are appended with all on disk, by how many go together; and what receipts cost. `./bench ledger` runs it.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench: it measures time, and ends where it cannot"
)]

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use ledger::{Ledger, SigningKey};
use serde_json::json;
use verify::entry::{EntryTime, Statement};

/// Each measurement goes on for so long at least.
const LEAST: Duration = Duration::from_secs(2);

fn main() {
    let folder = tempfile::tempdir_in(std::env::var_os("LEDGER_BENCH_FOLDER").unwrap_or(".".into())).unwrap();
    println!("one write of 4 KB and its fsync: {:.0} a second", syncs(folder.path()));
    for together in [1_u64, 16, 256, 4_096, 65_536] {
        let place = folder.path().join(together.to_string());
        let mut ledger = Ledger::open(&place, SigningKey::new("bench", [7; 32]).unwrap()).unwrap();
        let began = Instant::now();
        while began.elapsed() < LEAST {
            append(&mut ledger, together);
        }
        let (size, seconds) = (ledger.tree().size, began.elapsed().as_secs_f64());
        println!(
            "{together:>6} together: {:>9.0} entries/s, {:>7.1} appends/s",
            size as f64 / seconds,
            size as f64 / together as f64 / seconds
        );
        if together == 65_536 {
            receipts(&ledger, size);
        }
    }
}

fn syncs(folder: &std::path::Path) -> f64 {
    let mut file = File::create(folder.join("sync")).unwrap();
    let (mut count, began) = (0, Instant::now());
    while began.elapsed() < LEAST {
        file.write_all(&[0; 4_096]).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

fn append(ledger: &mut Ledger, count: u64) {
    let statement = |n: u64| Statement {
        at: String::new(),
        kind: "response".to_owned(),
        actor: "person:ann".to_owned(),
        reason: Some("odd requests".to_owned()),
        subject: format!("response:rsp_{n}"),
        before: None,
        after: Some("51b242aec4dc898d0eba09fd0efacd1cb16364732de76b0b132dfbe99ef892b5".to_owned()),
        detail: json!({"revision": n}),
    };
    let now = EntryTime::parse("2026-03-01T09:12:30.123456789Z").unwrap();
    let mut next = 0_u64;
    let mut salt = || {
        next += 1;
        let mut salt = [0; 32];
        salt.iter_mut().zip(next.to_le_bytes()).for_each(|(byte, random)| *byte = random);
        Some(salt)
    };
    ledger.append(&now, (0..count).map(statement).collect(), &mut salt).unwrap();
}

fn receipts(ledger: &Ledger, size: u64) {
    let (mut count, mut bytes, began) = (0_u64, 0, Instant::now());
    while began.elapsed() < LEAST {
        bytes += ledger.view().receipt((count * 7_919) % size).unwrap().to_string().len() as u64;
        count += 1;
    }
    let each = began.elapsed().as_secs_f64() * 1e6 / count as f64;
    println!("a receipt of {size} entries, made and checked: {each:.0} us, {} bytes", bytes / count);
    let began = Instant::now();
    verify::log::check(ledger.view().tiles(), ledger.view().key(), &[]).unwrap();
    println!("the whole log checked: {:.0} entries/s", size as f64 / began.elapsed().as_secs_f64());
}
