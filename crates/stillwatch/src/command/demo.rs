//! `stillwatch demo`: a day of traffic with a hydra in it, hunted before your eyes.

use simulator::{Compression, Scenario};

use super::simulate;
use crate::cli::{Demo, Run};
use crate::command::hunt;
use crate::failure::{Exit, Failure};
use crate::inputs::Inputs;
use crate::output::{print, write_file};
use crate::progress;

/// Simulates, hunts, prints the table and writes the report.
pub(crate) fn run(args: &Demo) -> Result<Exit, Failure> {
    let mut scenario =
        Scenario::by_name("hydra").ok_or_else(|| Failure::usage("this build has no scenario `hydra`"))?;
    for (knob, value) in [("days", "1"), ("start_day", "0.25")] {
        scenario.set(knob, value).map_err(Failure::usage)?;
    }
    scenario.check().map_err(Failure::usage)?;
    let waiting = progress::waiting("simulating a day of traffic");
    let summary = simulator::simulate_into(&scenario, None, &args.out, Compression::Plain);
    waiting.finish_and_clear();
    let summary = summary.map_err(simulate::failure)?;
    print(&format!(
        "A day of simulated traffic: {} exchanges of {} accounts, {} of them a campaign that nobody has named yet.\n\n",
        summary.exchanges, summary.accounts, summary.campaign_accounts
    ))?;
    let inputs = Inputs::find(std::slice::from_ref(&args.out), None).map_err(Failure::unreadable)?;
    let outcome = hunt::hunt(&inputs, Run::default())?;
    hunt::tell_what_was_read(&outcome);
    let report = args.out.join("report.html");
    write_file(&report, hunt::page(&outcome, vec!["simulated traffic".into()], None, false)?.as_bytes())?;
    print(&hunt::shown(&outcome, None))?;
    print(&format!(
        "\nThe report is {0}: open it in a browser.\nTo see how right this is: stillwatch evaluate {1}\n",
        report.display(),
        args.out.display()
    ))?;
    Ok(Exit::Nothing)
}
