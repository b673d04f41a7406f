//! `stillwatch simulate`: labelled traffic from a named scenario.

use simulator::{Compression, Scenario, SimulateError, World};

use crate::cli::{Simulate, Traffic};
use crate::failure::{Exit, Failure};
use crate::output::print;
use crate::progress;

/// Writes traffic, or names the scenarios.
pub(crate) fn run(args: &Simulate) -> Result<Exit, Failure> {
    if args.scenario == "list" {
        print(&list())?;
        return Ok(Exit::Nothing);
    }
    let scenario = scenario(&args.scenario, &args.traffic)?;
    let Some(folder) = &args.out else {
        return Err(Failure::usage("name a folder to write to: --out DIR"));
    };
    let there = ["exchanges.jsonl", "exchanges.jsonl.zst", "accounts.jsonl", "labels.jsonl"];
    if let Some(name) = there.into_iter().find(|name| !args.overwrite && folder.join(name).exists()) {
        let path = folder.join(name);
        return Err(Failure::usage(format!("`{}` is there already; --overwrite writes over it", path.display())));
    }
    let compression = if args.zstd { Compression::Zstd } else { Compression::Plain };
    let waiting = progress::waiting("simulating");
    let summary = simulator::simulate_into(&scenario, args.traffic.corpora.as_deref(), folder, compression);
    waiting.finish_and_clear();
    let summary = summary.map_err(failure)?;
    let mut text = format!(
        "Wrote {} exchanges of {} accounts to {}; {} exchanges of {} accounts belong to campaigns.\n",
        summary.exchanges,
        summary.accounts,
        folder.display(),
        summary.campaign_exchanges,
        summary.campaign_accounts
    );
    for note in &summary.notes {
        text.push_str(&format!("Note: {note}\n"));
    }
    text.push_str(&format!("Next: stillwatch hunt {0}, or stillwatch evaluate {0} to score it.\n", folder.display()));
    print(&text)?;
    Ok(Exit::Nothing)
}

/// The scenario that was named, with its knobs turned.
pub(crate) fn scenario(name: &str, traffic: &Traffic) -> Result<Scenario, Failure> {
    let unknown = || Failure::usage(format!("no scenario `{name}`; `stillwatch simulate list` names them all"));
    let mut scenario = Scenario::by_name(name).ok_or_else(unknown)?.with_seed(traffic.seed).scaled(traffic.scale);
    scenario.texts.clone_from(&traffic.texts);
    for knob in &traffic.knobs {
        let (knob, value) =
            knob.split_once('=').ok_or_else(|| Failure::usage(format!("--set takes KNOB=VALUE, not `{knob}`")))?;
        scenario.set(knob, value).map_err(Failure::usage)?;
    }
    scenario.check().map_err(Failure::usage)?;
    Ok(scenario)
}

/// What kind of failure a simulation ended with.
pub(crate) fn failure(error: SimulateError) -> Failure {
    match error {
        SimulateError::Scenario(_) | SimulateError::UnknownText { .. } => Failure::usage(error),
        error => Failure::unreadable(error),
    }
}

fn list() -> String {
    let line = |(name, what): (&str, &str)| format!("  {name:<20} {what}\n");
    let scenarios: String = Scenario::NAMES.into_iter().map(line).collect();
    let worlds: String = World::ALL.iter().map(|world| line((world.name, world.shows))).collect();
    let knobs: String = Scenario::knobs().map(line).collect();
    format!(
        "Scenarios:\n{scenarios}\nWorlds, small ones for `stillwatch evaluate --worlds`:\n{worlds}\nKnobs, for --set KNOB=VALUE:\n{knobs}"
    )
}
