//! Playbooks that people walk through, as files of a data folder.
//!
//! Promises that a run keeps the playbook as it was when it was begun, and that beginning and each step are put down before they are done.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use exchange::Time;
use playbook::cacao::Playbook;
use playbook::limits::PLAYBOOK_BYTES_MAX;
use playbook::run::{Done, Outcome, Run};
use report::words::printable;
use serde_json::{Value, json};
use store::bounded::read_text;
use store::{lock, whole};
use verify::entry::Statement;

use crate::failure::Failure;
use crate::ledgers;

/// The folder of the data folder in which runs are kept.
const FOLDER: &str = "playbooks";
/// Bytes of a run that is read.
const RUN_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Runs of one data folder. No more are begun.
const RUNS_MAX: usize = 10_000;
/// Characters of a name that is told.
const TEXT_CHARS: usize = 1_000;

/// The runs of a data folder.
#[derive(Debug)]
pub(crate) struct Runs {
    data: PathBuf,
}

/// Who says something, when and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    pub(crate) by: &'a str,
    pub(crate) at: Time,
    pub(crate) reason: Option<&'a str>,
}

impl Said<'_> {
    fn statement(self, kind: &str, run: &str, detail: Value) -> Statement {
        let statement = ledgers::statement(kind, &format!("person:{}", self.by), format!("run:{run}"), detail);
        Statement { reason: self.reason.map(str::to_owned), ..statement }
    }
}

/// Puts something down in the ledger.
pub(crate) type PutDown<'p> = &'p mut dyn FnMut(Statement) -> Result<(), Failure>;

impl Runs {
    /// Those of this data folder.
    pub(crate) fn of(data: &Path) -> Runs {
        Runs { data: data.to_owned() }
    }

    /// Every run, in the order in which they were begun.
    pub(crate) fn all(&self) -> Result<Vec<Run>, Failure> {
        let folder = self.data.join(FOLDER);
        let failed = |error| Failure::io(format!("`{}` cannot be read", folder.display()), error);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let paths = entries
            .map(|entry| entry.map(|entry| entry.path()).map_err(failed))
            .collect::<Result<Vec<PathBuf>, Failure>>()?;
        let is_run = |path: &&PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("run_") && name.ends_with(".json") && !name.ends_with(".cacao.json")
        };
        let mut runs = paths.iter().filter(is_run).map(|path| read_run(path)).collect::<Result<Vec<Run>, Failure>>()?;
        runs.sort_by_key(|run| (run.since, run.id.len(), run.id.clone()));
        Ok(runs)
    }

    /// A run, and the playbook as it was when it was begun.
    pub(crate) fn known(&self, id: &str) -> Result<(Run, Playbook), Failure> {
        let is_name = id
            .strip_prefix("run_")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
        let path = self.data.join(FOLDER).join(format!("{id}.json"));
        if !is_name || !path.is_file() {
            return Err(Failure::bad_input(format!(
                "there is no run `{}`; `stillwatch playbook status` names those there are",
                printable(id, TEXT_CHARS)
            )));
        }
        let run = read_run(&path)?;
        let beside = self.data.join(FOLDER).join(format!("{id}.cacao.json"));
        let text = read_text(&beside, PLAYBOOK_BYTES_MAX)
            .map_err(|error| Failure::io(format!("`{}` cannot be read", beside.display()), error))?;
        let bad = |error| Failure::bad_input(format!("`{}`: {error}", beside.display()));
        let playbook = Playbook::read(&text).map_err(bad)?;
        Ok((run, playbook))
    }

    /// Begins to walk through a playbook, whose text is kept with the run.
    pub(crate) fn begin(
        &self,
        (playbook, text): (&Playbook, &str),
        case: Option<&str>,
        said: Said<'_>,
        put_down: PutDown<'_>,
    ) -> Result<Run, Failure> {
        let folder = self.data.join(FOLDER);
        if !self.data.is_dir() {
            return Err(Failure::bad_input(format!(
                "there is no data folder `{}`; say where it is by --data",
                self.data.display()
            )));
        }
        fs::create_dir_all(&folder).map_err(|error| Failure::unwritable(&folder, &error))?;
        let _lock = locked(&folder)?;
        let known = self.all()?;
        if known.len() >= RUNS_MAX {
            return Err(Failure::bad_input(format!("`{}` has {RUNS_MAX} runs; move old ones away", folder.display())));
        }
        let last =
            known.iter().filter_map(|run| run.id.strip_prefix("run_")?.parse::<u64>().ok()).max().unwrap_or_default();
        let id = format!("run_{}", last.saturating_add(1));
        let run = Run::begin(playbook, id.clone(), case.map(str::to_owned), said.by.to_owned(), said.at);
        let detail = json!({"playbook": playbook.name, "id": playbook.id, "modified": playbook.modified, "case": case});
        put_down(said.statement("playbook", &id, detail))?;
        // The playbook as it was then goes with the run: whatever becomes of its file, the run goes on.
        let beside = folder.join(format!("{id}.cacao.json"));
        whole::write(&beside, text.as_bytes()).map_err(|error| Failure::unwritable(&beside, &error))?;
        keep(&folder, &run)?;
        Ok(run)
    }

    /// A step of a run is done, or is not.
    pub(crate) fn step(
        &self,
        id: &str,
        (step, outcome, note): (&str, Outcome, &str),
        said: Said<'_>,
        put_down: PutDown<'_>,
    ) -> Result<(Run, Playbook), Failure> {
        let folder = self.data.join(FOLDER);
        // Before it is locked, since a folder that is not there cannot be.
        self.known(id)?;
        let _lock = locked(&folder)?;
        let (mut run, playbook) = self.known(id)?;
        let (by, note) = (said.by.to_owned(), note.to_owned());
        let did = Done { step: step.to_owned(), outcome, by, at: said.at, note: note.clone() };
        run.step(&playbook, did).map_err(|error| Failure::bad_input(format!("{id}: {error}")))?;
        let name = playbook.step(step).map(|step| step.name.clone()).unwrap_or_default();
        let detail = json!({"step": step, "name": name, "outcome": outcome, "note": note});
        put_down(said.statement("playbook_step", id, detail))?;
        keep(&folder, &run)?;
        Ok((run, playbook))
    }
}

fn read_run(path: &Path) -> Result<Run, Failure> {
    let text = read_text(path, RUN_BYTES_MAX)
        .map_err(|error| Failure::io(format!("`{}` cannot be read", path.display()), error))?;
    let run: Result<Run, _> = serde_json::from_str(&text);
    match run {
        Ok(run) if run.is_known() => Ok(run),
        Ok(_) => Err(Failure::bad_input(format!("`{}` is no run of a playbook", path.display()))),
        Err(error) => Err(Failure::bad_input(format!("`{}` is no run of a playbook: {error}", path.display()))),
    }
}

fn locked(folder: &Path) -> Result<File, Failure> {
    let path = folder.join("lock");
    lock::exclusive(&path).map_err(|error| Failure::io(format!("`{}`", path.display()), error))
}

fn keep(folder: &Path, run: &Run) -> Result<(), Failure> {
    let path = folder.join(format!("{}.json", run.id));
    let text = serde_json::to_vec_pretty(run).map_err(Failure::unreadable)?;
    whole::write(&path, &text).map_err(|error| Failure::unwritable(&path, &error))
}
