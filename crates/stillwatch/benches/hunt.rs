//! How fast a hunt is, stage by stage, beside reading and parsing alone.
//!
//! `cargo bench -p stillwatch` simulates traffic, runs every stage several times in turn and prints medians and ratios.
//! For counting instructions (`./bench instructions`), `-- --simulate FOLDER` writes traffic and `-- --once STAGE FILE` runs one stage once over
//! a file.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should say so and stop")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use detect::{Config, Engine};
use exchange::{Call, ReadOptions, ReadReport, Source, parse_chunk};
use simulator::{Compression, Scenario};

/// What is measured, each with all that comes before it.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// Lines are cut off.
    Read,
    /// Records are parsed: what everything is compared to.
    Parse,
    /// Fingerprints and hints are computed.
    Signals,
    /// The engine takes them in and ends with findings.
    Detect,
}

const STAGES: [(&str, Stage); 4] =
    [("read", Stage::Read), ("parse", Stage::Parse), ("signals", Stage::Signals), ("detect", Stage::Detect)];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--once") {
        let stage = args.get(at + 1).and_then(|name| STAGES.iter().find(|(known, _)| known == name));
        let (_, stage) = stage.expect("a stage: read, parse, signals or detect");
        let path = args.get(at + 2).expect("a file of exchanges");
        let exchanges = once(*stage, &fs::read(path).expect("the file can be read"));
        println!("{exchanges}");
        return;
    }
    if let Some(at) = args.iter().position(|arg| arg == "--simulate") {
        simulate("hydra", Path::new(args.get(at + 1).expect("a folder")));
        return;
    }
    let folder = std::env::temp_dir().join(format!("stillwatch-bench-{}", std::process::id()));
    simulate("mixed", &folder);
    measure(&folder.join("exchanges.jsonl"));
    fs::remove_dir_all(&folder).ok();
}

/// One pass over `bytes` on one thread; the number of exchanges.
fn once(stage: Stage, bytes: &[u8]) -> u64 {
    let mut engine = Engine::new(Config::default());
    let mut report = ReadReport::default();
    let mut sum = 0_u64;
    for chunk in Source::new("bench", bytes) {
        let chunk = chunk.expect("the simulation wrote what can be read");
        let mut sink = |Call { exchange, .. }: Call<'_>, _| match stage {
            Stage::Read => {}
            Stage::Parse => sum = sum.wrapping_add(exchange.time.seconds() as u64),
            Stage::Signals => sum = sum.wrapping_add(signals::of(&exchange).prints.len() as u64),
            Stage::Detect => engine.hunt(&signals::of(&exchange)),
        };
        if stage != Stage::Read {
            parse_chunk(&chunk, &ReadOptions::default(), &mut sink, &mut report);
        }
    }
    std::hint::black_box((sum, engine.finish().campaigns.len()));
    report.census.calls
}

fn simulate(scenario: &str, folder: &Path) {
    let scenario = Scenario::by_name(scenario).expect("a preset");
    simulator::simulate_into(&scenario, None, folder, Compression::Plain).expect("traffic can be simulated");
}

fn measure(path: &Path) {
    let bytes = fs::read(path).expect("the traffic can be read");
    let mut times: Vec<(String, Vec<Duration>)> =
        STAGES.iter().map(|(name, _)| ((*name).to_owned(), Vec::new())).collect();
    times.extend(THREADS.map(|threads| (format!("hunt, {threads} threads"), Vec::new())));
    let mut exchanges = 0;
    for _ in 0..ROUNDS {
        let mut all = times.iter_mut().map(|(_, times)| times);
        for (_, stage) in STAGES {
            let (records, time) = timed(|| once(stage, &bytes));
            exchanges = exchanges.max(records);
            all.next().expect("a place for each").push(time);
        }
        for threads in THREADS {
            let ((), time) = timed(|| hunt(path, threads));
            all.next().expect("a place for each").push(time);
        }
    }
    let megabytes = bytes.len() as f64 / 1e6;
    println!(
        "{exchanges} exchanges, {megabytes:.0} MB, {:.0} bytes each; medians of {ROUNDS} rounds\n",
        bytes.len() as f64 / exchanges as f64
    );
    println!("{:<18} {:>10} {:>8} {:>14}", "stage", "exch/s", "MB/s", "time / parse");
    let median = |times: &[Duration]| {
        let mut times = times.to_vec();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64()
    };
    let parse = times.iter().find(|(name, _)| name == "parse").map_or(1.0, |(_, times)| median(times));
    for (name, times) in &times {
        let seconds = median(times);
        println!(
            "{name:<18} {:>10.0} {:>8.0} {:>14.2}",
            exchanges as f64 / seconds,
            megabytes / seconds,
            seconds / parse
        );
    }
}

/// The program itself, from file to findings.
fn hunt(path: &Path, threads: usize) {
    let status = Command::new(env!("CARGO_BIN_EXE_stillwatch"))
        .args(["hunt", "--json", "--threads", &threads.to_string()])
        .arg(path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the program runs");
    assert_eq!(status.code(), Some(10), "it finds the campaigns");
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = std::time::Instant::now();
    let outcome = run();
    (outcome, start.elapsed())
}

const ROUNDS: usize = 5;
const THREADS: [usize; 2] = [1, 2];
