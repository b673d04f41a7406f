//! `stillwatch evaluate`: how right a hunt is, in one folder, as an attacker's knob rises, and over many worlds.

mod without;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use detect::{Findings, Trace};
use exchange::{Call, ReadOptions, ReadReport, parse_chunk};
use simulator::evaluate::{Activity, Evaluation, Found, Labels, read_campaigns, read_labels, score};
use simulator::fields::Fields;
use simulator::frontier::{Frontier, FrontierPoint};
use simulator::worlds::{Outcome, Worlds};
use simulator::{Compression, World};

use super::{hunt, simulate};
use crate::cli::{Evaluate, Traffic};
use crate::failure::{Exit, Failure};
use crate::inputs::{self, Inputs};
use crate::output::{print, write_file};
use crate::{frontier, progress};

/// Scores a folder, or draws a frontier.
pub(crate) fn run(args: &Evaluate) -> Result<Exit, Failure> {
    if let Some(frontier) = &args.frontier {
        return draw(args, frontier);
    }
    if let Some(names) = &args.worlds {
        return worlds(args, names);
    }
    let Some(folder) = &args.folder else { return Err(Failure::usage("name a folder, or a knob by --frontier")) };
    let evaluation = evaluate(folder, args)?;
    print(&if args.json { json(&evaluation)? } else { evaluation.text(hunt::width()) })?;
    Ok(Exit::Nothing)
}

/// A hunt's score, how many groups it tested and how long it took.
struct Scored {
    evaluation: Evaluation,
    tested: u64,
    seconds: f64,
}

/// Hunts `folder`, or takes the findings that were given, and scores them, accounts and exchanges.
fn evaluate(folder: &Path, args: &Evaluate) -> Result<Evaluation, Failure> {
    let (inputs, labels) = read(folder)?;
    let timer = progress::waiting("");
    let (found, trace, read) = match &args.campaigns {
        Some(path) => {
            let found = read_campaigns(&path.display().to_string(), open(path)?).map_err(Failure::unreadable)?;
            (found, Trace::default(), ReadOptions::default())
        }
        None => {
            let outcome = hunt::hunt(&inputs, args.run)?;
            hunt::tell_what_was_read(&outcome);
            (found(outcome.findings), outcome.trace, outcome.read)
        }
    };
    timer.finish_and_clear();
    let mut activity = Activity::new(&labels);
    see(&inputs, &mut activity)?;
    hunt::trace(&inputs, args.run, &read, &trace, &mut |_, signals| {
        activity.told(&signals.account, &signals.exchange);
    })?;
    Ok(score(&found, &labels, &activity))
}

/// The inputs and the labels of a folder.
fn read(folder: &Path) -> Result<(Inputs, Labels), Failure> {
    let inputs = Inputs::find(&[folder.to_owned()], None).map_err(Failure::unreadable)?;
    let path = folder.join("labels.jsonl");
    let labels = read_labels(&path.display().to_string(), open(&path)?).map_err(Failure::unreadable)?;
    Ok((inputs, labels))
}

/// Findings as far as scoring needs them.
fn found(findings: Findings) -> Vec<Found> {
    let found = findings.campaigns.into_iter().map(|campaign| Found {
        campaign: campaign.id,
        detected_at: campaign.detected_at,
        accounts: campaign.accounts.into_iter().map(|member| (member.account, member.probability)).collect(),
    });
    found.collect()
}

fn see(inputs: &Inputs, activity: &mut Activity<'_>) -> Result<(), Failure> {
    for path in &inputs.exchanges {
        for chunk in inputs::source(path).map_err(Failure::unreadable)? {
            // A hunt of the same file has told what is wrong with it.
            let Ok(chunk) = chunk else { break };
            let mut see = |call: Call<'_>, _| {
                let exchange = &call.exchange;
                activity.see(exchange.account.as_str(), exchange.time, exchange.id.as_str());
            };
            parse_chunk(&chunk, &ReadOptions::default(), &mut see, &mut ReadReport::default());
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    File::open(path).map(BufReader::new).map_err(|source| {
        Failure::unreadable(inputs::InputError::Unreadable { path: path.display().to_string(), source })
    })
}

/// Simulates, hunts and scores at every value of a knob, over several seeds.
fn draw(args: &Evaluate, frontier: &str) -> Result<Exit, Failure> {
    let (knob, values) = frontier
        .split_once('=')
        .ok_or_else(|| Failure::usage("--frontier takes KNOB=VALUE,VALUE,… such as cover=0,0.5,0.9"))?;
    let values: Result<Vec<f64>, Failure> = values
        .split(',')
        .map(|value| value.parse().map_err(|_| Failure::usage(format!("`{value}` is no number for `{knob}`"))))
        .collect();
    let mut values = values?;
    values.sort_by(f64::total_cmp);
    let bar = progress::steps(values.len() as u64 * args.seeds.get());
    let mut points = Vec::new();
    for value in values {
        let mut evaluations = Vec::new();
        for seed in 0..args.seeds.get() {
            bar.set_message(format!("{knob} = {value}"));
            evaluations.push(simulated(args, knob, value, args.traffic.seed + seed)?);
            bar.inc(1);
        }
        points.push(point(value, &evaluations));
    }
    bar.finish_and_clear();
    let frontier = Frontier { knob: knob.to_owned(), scenario: args.scenario.clone(), points };
    if let Some(path) = &args.svg {
        write_file(path, frontier::svg(&frontier).map_err(Failure::unreadable)?.as_bytes())?;
    }
    print(&if args.json { json(&frontier)? } else { frontier.text(hunt::width()) })?;
    Ok(Exit::Nothing)
}

/// One simulation with the knob at `value`, hunted and scored.
fn simulated(args: &Evaluate, knob: &str, value: f64, seed: u64) -> Result<Evaluation, Failure> {
    let mut traffic = Traffic { seed, ..args.traffic.clone() };
    traffic.knobs.push(format!("{knob}={value}"));
    in_simulated(&args.scenario, &traffic, |folder| hunted(folder, args)).map(|scored| scored.evaluation)
}

/// Simulates into a folder of its own and does something with it.
fn in_simulated<T>(
    name: &str,
    traffic: &Traffic,
    work: impl FnOnce(&Path) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let scenario = simulate::scenario(name, traffic)?;
    let folder = std::env::temp_dir().join(format!("stillwatch-evaluate-{}-{}", std::process::id(), traffic.seed));
    let done = simulator::simulate_into(&scenario, traffic.corpora.as_deref(), &folder, Compression::Plain)
        .map_err(simulate::failure)
        .and_then(|_| work(&folder));
    std::fs::remove_dir_all(&folder).ok();
    done
}

/// Hunts `folder` and scores whom it names.
fn hunted(folder: &Path, args: &Evaluate) -> Result<Scored, Failure> {
    let (inputs, labels) = read(folder)?;
    let timer = progress::waiting("");
    let findings = hunt::hunt(&inputs, args.run)?.findings;
    let seconds = timer.elapsed().as_secs_f64();
    timer.finish_and_clear();
    let mut activity = Activity::new(&labels);
    see(&inputs, &mut activity)?;
    Ok(scored(findings, &labels, &activity, seconds))
}

/// Simulates a world and hunts it with every family of fields and without each, in the order of [`Fields::ALL`].
fn simulated_without(args: &Evaluate, name: &str, mut traffic: Traffic) -> Result<Vec<Scored>, Failure> {
    let families: Vec<Option<Fields>> = std::iter::once(None).chain(without::together().map(Some)).collect();
    let mut scored = in_simulated(name, &traffic, |folder| hunted_without(folder, args, &families))?;
    traffic.knobs.push(format!("without={}", without::APART.name()));
    scored.push(in_simulated(name, &traffic, |folder| hunted(folder, args))?);
    Ok(scored)
}

/// Hunts `folder` without each of `families`, of one reading, and scores whom each hunt names.
fn hunted_without(folder: &Path, args: &Evaluate, families: &[Option<Fields>]) -> Result<Vec<Scored>, Failure> {
    let (inputs, labels) = read(folder)?;
    let timer = progress::waiting("");
    let mut activities: Vec<Activity<'_>> = families.iter().map(|_| Activity::new(&labels)).collect();
    let found = without::hunts(&inputs, args.run, families, &mut |place, signals| {
        if let Some(activity) = activities.get_mut(place) {
            activity.see(&signals.account, signals.time, &signals.exchange);
        }
    })?;
    let seconds = timer.elapsed().as_secs_f64() / families.len().max(1) as f64;
    timer.finish_and_clear();
    Ok(found.into_iter().zip(&activities).map(|(found, activity)| scored(found, &labels, activity, seconds)).collect())
}

fn scored(findings: Findings, labels: &Labels, activity: &Activity<'_>, seconds: f64) -> Scored {
    let tested = findings.guarantee.hypotheses;
    Scored { evaluation: score(&found(findings), labels, activity), tested, seconds }
}

/// Runs worlds, each with every seed and, if asked, without each family of fields, and prints a table.
fn worlds(args: &Evaluate, names: &str) -> Result<Exit, Failure> {
    let unknown = |name| Failure::usage(format!("no world `{name}`; `stillwatch simulate list` names them all"));
    let worlds: Vec<World> = match names {
        "all" => World::ALL.to_vec(),
        names => {
            names.split(',').map(|name| World::by_name(name).ok_or_else(|| unknown(name))).collect::<Result<_, _>>()?
        }
    };
    let families = if args.each_without { Fields::ALL.as_slice() } else { &[] };
    let bar = progress::steps(worlds.len() as u64 * args.seeds.get());
    let mut rows = Vec::new();
    for world in worlds {
        let without = std::iter::once(None).chain(families.iter().copied().map(Some));
        let mut outcomes: Vec<Outcome> = without.map(|without| Outcome::of(world, without)).collect();
        for seed in 0..args.seeds.get() {
            bar.set_message(world.name);
            let traffic = Traffic { seed: args.traffic.seed + seed, ..args.traffic.clone() };
            let scored = if args.each_without {
                simulated_without(args, world.name, traffic)?
            } else {
                vec![in_simulated(world.name, &traffic, |folder| hunted(folder, args))?]
            };
            for (outcome, Scored { evaluation, tested, seconds }) in outcomes.iter_mut().zip(&scored) {
                outcome.add(evaluation, *tested, *seconds);
            }
            bar.inc(1);
        }
        rows.append(&mut outcomes);
    }
    bar.finish_and_clear();
    let table = Worlds { rows };
    print(&if args.json { json(&table)? } else { table.text(hunt::width()) })?;
    Ok(Exit::Nothing)
}

fn point(value: f64, evaluations: &[Evaluation]) -> FrontierPoint {
    FrontierPoint {
        value,
        seeds: evaluations.len() as u64,
        recall: mean(evaluations.iter().filter_map(|e| e.accounts.recall)),
        precision: mean(evaluations.iter().filter_map(|e| e.accounts.precision)),
        found_share: mean(evaluations.iter().filter_map(|e| e.found_share)),
        time_to_detect: mean(evaluations.iter().filter_map(|e| e.time_to_detect)),
        false_positive_accounts: mean(
            evaluations.iter().map(|e| e.accounts.flagged.saturating_sub(e.accounts.correct) as f64),
        )
        .unwrap_or(0.0),
    }
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = numbers.fold((0.0, 0_u32), |(sum, count), number| (sum + number, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(Failure::unreadable)
}
