//! `kill -9` at moments that have nothing to do with what is being written.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::stand::{at, check, key, open, salts, statement, view};

const FOLDER: &str = "LEDGER_TEST_FOLDER";
const KILLS: u64 = 200;
/// Kills of one ledger, so that none grows for long.
const KILLS_OF_ONE: u64 = 25;

/// Numbers that look random.
fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    n ^ (n >> 29)
}

/// Appends without an end, and says what was acknowledged.
#[test]
#[ignore = "the process that is killed"]
#[expect(clippy::disallowed_methods, reason = "how the one that kills it tells it where")]
fn appends_until_it_is_killed() {
    let folder = std::env::var(FOLDER).unwrap();
    let mut ledger = open(Path::new(&folder));
    let mut out = std::io::stderr();
    loop {
        let first = ledger.tree().size;
        let count = 1 + mixed(first) % 300;
        let appended =
            ledger.append(&at(first % 86_400), (first..first + count).map(statement).collect(), &mut salts()).unwrap();
        writeln!(out, "acknowledged {}", appended.end).unwrap();
    }
}

#[test]
fn what_was_acknowledged_is_there_and_the_log_is_valid_after_two_hundred_kills() {
    let mut folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    let mut grown = 0;
    for kill in 0..KILLS {
        if kill % KILLS_OF_ONE == 0 {
            folder = tempfile::tempdir().unwrap();
            acknowledged = 0;
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::appends_until_it_is_killed", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(4_000 + mixed(kill) % 40_000));
        child.kill().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        child.wait().unwrap();
        let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let last = whole.lines().next_back();
        let last = last.and_then(|line| line.strip_prefix("acknowledged ")?.parse().ok()).unwrap_or(acknowledged);
        assert!(!said.contains("panicked"), "{said}");
        if !folder.path().join("log/checkpoint").exists() {
            assert_eq!(last, 0);
            continue;
        }
        let size = view(folder.path()).checkpoint().unwrap().1.tree().size;
        assert!(size >= last && last >= acknowledged, "{size} entries, {last} acknowledged, {acknowledged} before");
        acknowledged = last;
        if (kill + 1) % 5 == 0 {
            assert_eq!(check(&view(folder.path())), size);
            let whole = verify::log::check(view(folder.path()).tiles(), key().public(), &[]).unwrap();
            assert_eq!(whole.tree().size, size);
            grown = grown.max(size);
        }
    }
    assert!(grown > 1_000, "they were killed while they appended: {grown} entries");
}
