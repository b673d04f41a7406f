//! The ledger, kept up with what is changed: by people over the admin API, by rules, by detection, and by this process itself.
//!
//! Promises that every journalled change is put down, also after the process died: a change stays in the database's journal until the ledger has
//! it. So a change that was put down just before a crash may be put down twice.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use admin::Registry;
use console::Scribe;
use gateway::clock::Clock;
use gateway::config::Config;
use ledger::{Ledger, View};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use verify::entry::Statement;
use verify::hash::Hash;

use crate::failure::Failure;
use crate::log::say;
use crate::timestamps::Authority;
use crate::witnesses::Witness;
use crate::{ledgers, records, sealing, timestamps, witnesses};

/// Puts down what is changed.
#[derive(Debug)]
pub(super) struct Bookkeeper {
    ledger: Ledger,
    /// The folder that it is in.
    data: PathBuf,
    registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
    /// What goes wrong now, and was told.
    trouble: Option<String>,
    /// The same, of what is recorded.
    records_trouble: Option<String>,
}

impl Bookkeeper {
    /// Opens the ledger of a data folder, or begins one; `source` names the folder.
    pub(super) fn open(
        data: &Path,
        config: &Config,
        source: &str,
        registry: &Arc<Registry>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Bookkeeper, Failure> {
        let name = config.ledger.name.clone().unwrap_or_else(|| format!("stillwatch/{source}"));
        let ledger = ledgers::open(data, Some(&name))?;
        let ledger = ledger.ok_or_else(|| Failure::service("no ledger was begun"))?;
        let known = ledger.view().key().name();
        if config.ledger.name.as_deref().is_some_and(|name| name != known) {
            return Err(Failure::bad_input(format!(
                "`ledger.name`: the ledger in the data folder is called `{known}`, for good; expected that, or none"
            )));
        }
        if let Some(last) = ledgers::is_ahead(&ledger, clock.now()) {
            say(&format!(
                "the last entry of the ledger says {last}, later than it is: until then every entry will say that time"
            ));
        }
        let (registry, clock) = (Arc::clone(registry), Arc::clone(clock));
        Ok(Bookkeeper { ledger, data: data.to_owned(), registry, clock, trouble: None, records_trouble: None })
    }

    /// The ledger, to be read.
    pub(super) fn view(&self) -> View {
        self.ledger.view().clone()
    }

    /// Puts down that this process began, ended, or took up its configuration, with the hash of that.
    pub(super) fn note(&mut self, kind: &str, configuration: &Path) -> Result<(), Failure> {
        // Without a file the defaults hold.
        let text = std::fs::read(configuration).unwrap_or_default();
        let detail = json!({"version": env!("CARGO_PKG_VERSION")});
        let statement = ledgers::statement(kind, "stillwatch", "configuration".to_owned(), detail);
        let statement = Statement { after: Some(Hash::of(&[&text]).to_hex()), ..statement };
        self.put_down(statement)
    }

    /// Puts a statement down, whose time is now.
    pub(super) fn put_down(&mut self, statement: Statement) -> Result<(), Failure> {
        let now = self.clock.now();
        tokio::task::block_in_place(|| ledgers::append(&mut self.ledger, &self.data, now, vec![statement]).map(drop))
    }

    /// Puts down what is in the journal, and tells when that goes wrong.
    pub(super) async fn step(&mut self) {
        let trouble = self.take_down().await.err().map(|failure| failure.to_string());
        match (&self.trouble, &trouble) {
            (None, Some(trouble)) => {
                say(&format!("changes are not put down in the ledger, and wait in the database: {trouble}"));
            }
            (Some(_), None) => say("changes are put down in the ledger again"),
            _ => {}
        }
        self.trouble = trouble;
    }

    /// Finishes an erasure of sealed texts that was interrupted. Where that cannot be, what is sealed from now on is sealed all the same.
    pub(super) fn finish_erasing(&mut self) {
        let data = self.data.clone();
        let finished = sealing::finish_erasing(&data, &mut |account| self.put_down(sealing::resumed(account)));
        match finished {
            Ok(0) => {}
            Ok(accounts) => say(&format!("finished an erasure of {accounts} accounts that was interrupted")),
            Err(failure) => say(&format!("an erasure that was interrupted cannot be finished: {failure}")),
        }
    }

    /// Puts down what was recorded since the last time, all of it at the end, and tells when that goes wrong.
    pub(super) fn put_down_records(&mut self, is_end: bool) {
        let (now, ledger, data) = (self.clock.now(), &mut self.ledger, &self.data);
        let put_down = tokio::task::block_in_place(|| {
            if is_end {
                records::put_down_all(ledger, data, now)
            } else {
                records::put_down(ledger, data, now).map(drop)
            }
        });
        let trouble = put_down.err().map(|failure| failure.to_string());
        if let Some(trouble) = trouble.as_ref().filter(|trouble| self.records_trouble.as_ref() != Some(trouble)) {
            say(&format!("what is recorded is not put down in the ledger: {trouble}"));
        }
        self.records_trouble = trouble;
    }

    async fn take_down(&mut self) -> Result<(), Failure> {
        let failed = |error| Failure::io("the journal of changes", error);
        while let Some((statements, place)) = self.registry.journal().await.map_err(failed)? {
            tokio::task::block_in_place(|| {
                ledgers::append(&mut self.ledger, &self.data, self.clock.now(), statements)
            })?;
            self.registry.taken_down(place).await.map_err(failed)?;
        }
        Ok(())
    }
}

/// Puts down what the console is asked to.
#[derive(Debug)]
pub(super) struct Putting {
    pub(super) books: Option<Arc<Mutex<Bookkeeper>>>,
    pub(super) runtime: Handle,
}

impl Scribe for Putting {
    fn put_down(&self, statement: Statement) -> Result<(), String> {
        let Some(books) = &self.books else { return Ok(()) };
        let put_down = self.runtime.block_on(async { books.lock().await.put_down(statement) });
        put_down.map_err(|failure| format!("it cannot be put down in the ledger: {failure}"))
    }
}

/// Shows checkpoints to witnesses.
pub(super) struct Showing {
    view: View,
    witnesses: Vec<Witness>,
    /// Who did not sign, and why, as it was told.
    told: Vec<(String, String)>,
}

impl Showing {
    pub(super) fn new(view: View, witnesses: Vec<Witness>) -> Showing {
        Showing { view, witnesses, told: Vec::new() }
    }

    /// Shows what there is, and again so often.
    pub(super) async fn run(mut self, every: Duration) {
        loop {
            let failed = match witnesses::show(&self.view, &self.witnesses).await {
                Ok(failed) => failed,
                Err(failure) => vec![("all witnesses".to_owned(), failure.to_string())],
            };
            for (name, why) in failed.iter().filter(|one| !self.told.contains(one)) {
                say(&format!("the ledger's checkpoint is not signed by {name}: {why}"));
            }
            for (name, _) in self.told.iter().filter(|(name, _)| failed.iter().all(|(other, _)| other != name)) {
                say(&format!("the ledger's checkpoint is signed by {name} again"));
            }
            self.told = failed;
            tokio::time::sleep(every).await;
        }
    }
}

/// Has checkpoints stamped.
pub(super) struct Stamping {
    view: View,
    authority: Authority,
    /// Why the authority gave no timestamp, as it was told.
    told: Option<String>,
}

impl Stamping {
    pub(super) fn new(view: View, authority: Authority) -> Stamping {
        Stamping { view, authority, told: None }
    }

    /// Has what there is stamped, and again so often.
    pub(super) async fn run(mut self, every: Duration) {
        let place = self.authority.place().to_string();
        loop {
            let failed = match timestamps::stamp(&self.view, &self.authority).await {
                Ok(Some(Err(why))) => Some(why),
                Ok(_) => None,
                Err(failure) => Some(failure.to_string()),
            };
            match &failed {
                Some(why) if self.told.as_ref() != Some(why) => {
                    say(&format!("the ledger's checkpoint has no timestamp by {place}: {why}"));
                }
                None if self.told.is_some() => {
                    say(&format!("the ledger's checkpoint has a timestamp by {place} again"));
                }
                _ => {}
            }
            self.told = failed;
            tokio::time::sleep(every).await;
        }
    }
}
