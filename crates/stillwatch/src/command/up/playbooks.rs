//! Playbooks that people walk through in the console.

use std::sync::Arc;

use console::Scribe;
use console::runs::{NotTaken, Runs as ForConsole, Said as SaidInConsole, Step};
use playbook::cacao::Playbook;
use playbook::run::Run;
use playbook::shipped;

use crate::failure::{Exit, Failure};
use crate::playbooks::{Runs, Said};

/// Those of this gateway's data folder.
#[derive(Debug)]
pub(super) struct Playbooks {
    pub(super) runs: Runs,
    pub(super) scribe: Arc<dyn Scribe>,
}

impl ForConsole for Playbooks {
    fn about(&self, case: &str) -> Result<Vec<(Run, Playbook)>, String> {
        let all = self.runs.all().map_err(|failure| failure.to_string())?;
        let about = all.iter().filter(|run| run.case.as_deref() == Some(case));
        about.map(|run| self.runs.known(&run.id).map_err(|failure| failure.to_string())).collect()
    }

    fn begin(&self, playbook: &str, case: &str, said: SaidInConsole) -> Result<Run, NotTaken> {
        let unknown = || {
            let names: Vec<&str> = shipped::all().into_iter().map(|(name, _)| name).collect();
            NotTaken::Refused(format!("`playbook`: expected one of {}", names.join(", ")))
        };
        let text = shipped::text(playbook).ok_or_else(unknown)?;
        let read = Playbook::read(text).map_err(|error| NotTaken::Failed(error.to_string()))?;
        self.runs.begin((&read, text), Some(case), said_as(&said), &mut |it| self.put_down(it)).map_err(not_taken)
    }

    fn step(&self, case: &str, run: &str, step: Step, said: SaidInConsole) -> Result<Run, NotTaken> {
        let (known, _) = self.runs.known(run).map_err(not_taken)?;
        if known.case.as_deref() != Some(case) {
            return Err(NotTaken::Refused(format!("{} is not about {case}", known.id)));
        }
        let did = (step.id.as_str(), step.outcome, step.note.as_str());
        let stepped = self.runs.step(run, did, said_as(&said), &mut |it| self.put_down(it));
        stepped.map(|(run, _)| run).map_err(not_taken)
    }
}

impl Playbooks {
    fn put_down(&self, statement: verify::entry::Statement) -> Result<(), Failure> {
        self.scribe.put_down(statement).map_err(Failure::service)
    }
}

fn said_as(said: &SaidInConsole) -> Said<'_> {
    Said { by: &said.by, at: said.at, reason: said.reason.as_deref() }
}

fn not_taken(failure: Failure) -> NotTaken {
    match failure.exit() {
        // What was asked for is not as it should be; what is kept cannot be read in the same way, which somebody has to look at all the same.
        Exit::Usage | Exit::Unreadable => NotTaken::Refused(failure.to_string()),
        _ => NotTaken::Failed(failure.to_string()),
    }
}
