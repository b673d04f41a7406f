//! How long `Engine::observe` takes at worst: 300,000 accounts, of which some send one template in a fifth of all traffic and the others texts of
//! their own and texts that tens share; the senders signed up within a day, the others over two years. Prints the median and the upper percentiles of `observe` and of `tick`, and what takes longest;
//! `cargo bench -p detect --bench observe`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should say so and stop")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod common;

use std::time::{Duration, Instant};

use common::word;
use detect::{Config, Engine};
use event::Signals;
use exchange::{Notes, Time};

fn main() {
    let mut engine = Engine::new(Config::default());
    (0..ACCOUNTS).for_each(|account| sign_up(&mut engine, account));
    let (mut observed, mut ticked) = (Vec::new(), Vec::new());
    for number in 0..EXCHANGES {
        let signals = signals(number);
        let begun = Instant::now();
        engine.observe(&signals);
        observed.push(begun.elapsed());
        // Between two exchanges there is time for some of the work that waits.
        for _ in 0..TICKS {
            let begun = Instant::now();
            if !engine.tick() {
                break;
            }
            ticked.push(begun.elapsed());
        }
    }
    let findings = engine.findings();
    println!(
        "{} accounts, {} exchanges, {} clusters, {} campaigns",
        findings.population.accounts,
        findings.population.exchanges,
        findings.population.clusters,
        findings.campaigns.len()
    );
    tell("observe", observed);
    tell("tick", ticked);
}

fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times.get(((times.len() - 1) as f64 * share) as usize).copied().unwrap_or_default();
    println!(
        "{what}: {} calls, median {:?}, 99 % {:?}, 99.9 % {:?}, 99.99 % {:?}, longest {:?}",
        times.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(0.9999),
        at(1.0)
    );
}

fn sign_up(engine: &mut Engine, account: u64) {
    let seconds = if account < SENDERS {
        YEARS + account * DAY / SENDERS
    } else {
        (account * 7919) % ACCOUNTS * YEARS / ACCOUNTS
    };
    let created = Time::from_seconds((SIGN_UPS_FROM + seconds) as i64);
    let fact = format!(
        r#"{{"time":"{created}","account":"acc_{account:x}","created":"{created}","payment":"card {account}"}}"#
    );
    engine.learn(&exchange::read_account(fact.as_bytes(), &mut Notes::default()).expect("a fact as it is read"));
}

fn signals(number: u64) -> Signals {
    let any = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = any ^ any >> 29;
    let kind = mixed % 5;
    let account = if kind == 0 { mixed / 5 % SENDERS } else { SENDERS + mixed / 5 % (ACCOUNTS - SENDERS) };
    let text = if kind == 0 {
        format!(
            "Work through the exercise below in small numbered steps, justify each of them, and finish with nothing but the \
             bare result on a line of its own. Exercise: {} {} {}",
            word(mixed >> 8),
            word(mixed >> 20),
            word(mixed >> 32)
        )
    } else if kind == 1 {
        let shared = account % 20_000;
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
            "Question {} of mine is about {} and about {} as well, and I would like to hear what {} has to do with it.",
            word(number),
            word(mixed),
            word(mixed >> 13),
            word(mixed >> 27)
        )
    };
    let seconds = number / 40;
    let record = format!(
        concat!(
            r#"{{"id":"ex_{}","time":"2026-07-{:02}T{:02}:{:02}:{:02}Z","account":"acc_{:x}","model":"m","#,
            r#""client":{{"ip":"10.{}.{}.7"}},"request":{{"messages":[{{"role":"user","content":"{}"}}]}}}}"#
        ),
        number,
        1 + seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        account,
        account % 200,
        account / 200 % 250,
        text
    );
    let mut seen = None;
    exchange::read_exchanges(&record, &mut Notes::default(), &mut |exchange| seen = Some(signals::of(&exchange)))
        .expect("a record as it is read");
    seen.expect("an exchange")
}

/// Seconds of two years, and of a day.
const YEARS: u64 = 730 * DAY;
const DAY: u64 = 86_400;
/// When the first signed up: two years and two days before the first exchange, 1 July 2026.
const SIGN_UPS_FROM: u64 = 1_782_864_000 - YEARS - 2 * DAY;
const ACCOUNTS: u64 = 300_000;
/// Accounts that send the template.
const SENDERS: u64 = 3_000;
const EXCHANGES: u64 = 2_000_000;
/// Ticks between two exchanges at most.
const TICKS: usize = 2;
