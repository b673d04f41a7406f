//! How hunts did over worlds: one row a world, over several seeds.
//!
//! Promises counts and plain ratios of counts; what could not be is absent. Time is that of the hunts alone.

use serde::Serialize;

use crate::evaluate::Evaluation;
use crate::evaluate::text::{Column, grouped, percent, table, wrap};
use crate::fields::Fields;
use crate::scenario::{World, WorldKind};

/// A table of worlds.
#[derive(Clone, Debug, Serialize)]
pub struct Worlds {
    /// One row a world and family of fields that was taken away.
    pub rows: Vec<Outcome>,
}

/// What came out of one world, over all seeds that were run.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The world.
    pub world: &'static str,
    /// Whether anybody may be found in it.
    pub hostile: bool,
    /// The family of fields that its logs lacked.
    pub without: Option<Fields>,
    /// Runs, one a seed.
    pub runs: u64,
    /// Groups that were tested.
    pub tested: u64,
    /// Campaigns that are there.
    pub campaigns: u64,
    /// Those of them that were found: at least half of the accounts, in a finding that is at least nine tenths its own.
    pub found: u64,
    /// Accounts of campaigns.
    pub accounts: u64,
    /// Those of them that were named.
    pub correct: u64,
    /// Honest accounts.
    pub honest: u64,
    /// Those of them that were named.
    pub honest_named: u64,
    /// Runs in which anybody honest was named.
    pub honest_runs: u64,
    /// Share of a campaign's exchanges that had been sent when it was found, for each that was.
    pub times: Vec<f64>,
    /// Seconds that the hunts took.
    pub seconds: f64,
}

impl Outcome {
    /// Nothing run yet.
    #[must_use]
    pub fn of(world: World, without: Option<Fields>) -> Outcome {
        Outcome {
            world: world.name,
            hostile: world.kind == WorldKind::Hostile,
            without,
            runs: 0,
            tested: 0,
            campaigns: 0,
            found: 0,
            accounts: 0,
            correct: 0,
            honest: 0,
            honest_named: 0,
            honest_runs: 0,
            times: Vec::new(),
            seconds: 0.0,
        }
    }

    /// Adds one run: its score, how many groups were tested and how long the hunt took.
    pub fn add(&mut self, evaluation: &Evaluation, tested: u64, seconds: f64) {
        let wrong: u64 = evaluation.roles.iter().map(|role| role.flagged).sum();
        self.runs += 1;
        self.tested += tested;
        self.campaigns += evaluation.campaigns.len() as u64;
        self.found += evaluation.found;
        self.accounts += evaluation.accounts.labelled;
        self.correct += evaluation.accounts.correct;
        self.honest += evaluation.roles.iter().map(|role| role.accounts).sum::<u64>();
        self.honest_named += wrong;
        self.honest_runs += u64::from(wrong > 0);
        self.times.extend(evaluation.campaigns.iter().filter_map(|campaign| campaign.time_to_detect));
        self.seconds += seconds;
    }

    fn cells(&self) -> Vec<String> {
        let of = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let name = self.without.map_or(self.world.to_owned(), |fields| format!("{} - {}", self.world, fields.name()));
        vec![
            name,
            grouped(self.runs),
            grouped(self.tested),
            if self.hostile { format!("{}/{}", self.found, self.campaigns) } else { String::new() },
            if self.hostile { percent(of(self.correct, self.accounts)) } else { String::new() },
            if self.hostile { percent(self.median_time()) } else { String::new() },
            format!("{}/{}", grouped(self.honest_named), grouped(self.honest)),
            grouped(self.honest_runs),
            format!("{:.1}", self.seconds),
        ]
    }

    fn median_time(&self) -> Option<f64> {
        let mut times = self.times.clone();
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied()
    }
}

impl Worlds {
    /// The table in lines of at most `width` columns.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let width = width.max(crate::evaluate::WIDTH_MIN);
        let columns = [
            Column::Left("world"),
            Column::Right("runs"),
            Column::Right("tested"),
            Column::Right("found"),
            Column::Right("recall"),
            Column::Right("time"),
            Column::Right("honest named"),
            Column::Right("in runs"),
            Column::Right("s"),
        ];
        let legend = "tested: groups; found: campaigns; recall: of their accounts; time: share of a campaign's exchanges \
                      that had been sent when it was found, median; honest named: accounts, of all honest ones; s: seconds \
                      of hunting";
        table(&columns, self.rows.iter().map(Outcome::cells).collect(), width) + &wrap(legend, width)
    }
}
