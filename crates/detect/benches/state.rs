//! How much memory the engine's state takes: a million accounts, described by their provider, and tens of thousands of
//! clusters of texts that several of them share. Prints the peak of the process; `cargo bench -p detect -- TEXTS`, for so many texts.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should say so and stop")]

mod common;

use common::word;
use detect::{Config, Engine};
use exchange::{Call, ReadOptions, ReadReport, Source, parse_accounts, parse_chunk};

fn main() {
    let texts = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(TEXTS);
    let mut engine = Engine::new(Config::default());
    let before = peak_kilobytes();
    let mut report = ReadReport::default();
    for batch in 0..ACCOUNTS / BATCH {
        let lines: String = (batch * BATCH..(batch + 1) * BATCH).map(fact).collect();
        for chunk in Source::new("accounts", lines.as_bytes()) {
            let chunk = chunk.expect("lines");
            parse_accounts(&chunk, None, &mut |fact| engine.learn(&fact), &mut report);
        }
    }
    for batch in 0..ACCOUNTS * EXCHANGES_EACH / BATCH {
        let lines: String = (batch * BATCH..(batch + 1) * BATCH).map(|number| exchange(number, texts)).collect();
        for chunk in Source::new("exchanges", lines.as_bytes()) {
            let chunk = chunk.expect("lines");
            let mut sink = |call: Call<'_>, _| engine.hunt(&signals::of(&call.exchange));
            parse_chunk(&chunk, &ReadOptions::default(), &mut sink, &mut report);
        }
    }
    assert_eq!(report.bad_lines, 0);
    let findings = engine.finish();
    let after = peak_kilobytes();
    println!(
        "{} accounts, {} exchanges, {} clusters: peak {} MB, of which {} MB before the first record",
        findings.population.accounts,
        findings.population.exchanges,
        findings.population.clusters,
        after / 1024,
        before / 1024
    );
}

fn fact(account: u64) -> String {
    format!(
        concat!(
            r#"{{"account":"acc_{:012x}","time":"2026-07-01T00:00:00Z","created":"2026-0{}-{:02}T0{}:00:00Z","#,
            r#""payment":"pf_{:x}","email_domain":"mail{}.example","plan":"payg"}}"#,
            "\n"
        ),
        account,
        1 + account % 6,
        1 + account % 28,
        account % 10,
        account * 2 / 3,
        account % 5000,
    )
}

/// Every other exchange has a text that tens of accounts share; the others are of the account's own.
fn exchange(number: u64, texts: u64) -> String {
    let account = number % ACCOUNTS;
    let shared = account % texts;
    let text = if number.is_multiple_of(2) == (number / ACCOUNTS).is_multiple_of(2) {
        let [a, b, c] = [7, 11, 13].map(|factor| shared * factor);
        format!(
            "Please tidy list {} of depot {} before truck {} of line {} leaves, then report.",
            word(shared),
            word(a),
            word(b),
            word(c)
        )
    } else {
        format!(
            "Question {} of mine is about {} and about {} as well.",
            word(number),
            word(number * 3 + 1),
            word(number * 5 + 2)
        )
    };
    let seconds = number / 50;
    format!(
        concat!(
            r#"{{"id":"ex_{}","time":"2026-07-20T{:02}:{:02}:{:02}Z","account":"acc_{:012x}","model":"m","#,
            r#""client":{{"ip":"10.{}.{}.7"}},"request":{{"messages":[{{"role":"user","content":"{}"}}]}}}}"#,
            "\n"
        ),
        number,
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        account,
        account % 200,
        account / 200 % 250,
        text
    )
}

/// The most memory the process has held.
fn peak_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

const ACCOUNTS: u64 = 1_000_000;
const EXCHANGES_EACH: u64 = 4;
const TEXTS: u64 = 25_000;
const BATCH: u64 = 10_000;
