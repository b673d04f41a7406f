//! `simulate NAME OUTDIR [--seed N] [--scale X] [--corpora DIR] [--texts A,B] [--set KNOB=VALUE] [--zst]`

use std::path::PathBuf;
use std::process::ExitCode;

use simulator::{Compression, Scenario, simulate_into};

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: impl Iterator<Item = String>) -> Result<String, String> {
    let names = || Scenario::NAMES.map(|(name, what)| format!("{name}: {what}")).join("\n");
    let name = args.next().ok_or_else(names)?;
    let folder = PathBuf::from(args.next().ok_or("expected a folder")?);
    let mut scenario = Scenario::by_name(&name).ok_or_else(names)?;
    let (mut corpora, mut compression) = (None, Compression::Plain);
    while let Some(flag) = args.next() {
        if flag == "--zst" {
            compression = Compression::Zstd;
            continue;
        }
        let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let bad = |_| format!("{flag} does not take `{value}`");
        match flag.as_str() {
            "--seed" => scenario = scenario.with_seed(value.parse().map_err(|_| bad(()))?),
            "--scale" => scenario = scenario.scaled(value.parse().map_err(|_| bad(()))?),
            "--corpora" => corpora = Some(PathBuf::from(value)),
            "--set" => {
                let (knob, value) = value.split_once('=').ok_or("expected KNOB=VALUE")?;
                scenario.set(knob, value).map_err(|error| error.to_string())?;
            }
            "--texts" => scenario.texts = value.split(',').map(str::to_owned).collect(),
            _ => return Err(format!("no flag {flag}")),
        }
    }
    let summary =
        simulate_into(&scenario, corpora.as_deref(), &folder, compression).map_err(|error| error.to_string())?;
    Ok(format!("{summary:#?}"))
}
