//! What is recorded goes into a lake so often, in a thread that stands back behind requests; and what is too old there is removed.
//!
//! Promises that the ledger says first what is removed, where there is one. May be ended anywhere: the next time goes on.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use gateway::clock::Clock;
use lake::limits::PARTS_OF_TODAY_MAX;
use lake::place::Day;
use lake::{Changing, Mode};
use serde_json::json;
use signals::fingerprint::FingerprintKey;
use tokio::sync::Mutex;
use verify::entry::Statement;

use super::bookkeeping::Bookkeeper;
use super::detection::stand_back;
use crate::failure::Failure;
use crate::holds::Holds;
use crate::log::say;
use crate::{intake, lakes, ledgers, sealing};
use report::words::counted;

/// Fills a lake.
pub(super) struct Filling {
    pub(super) data: PathBuf,
    /// Where the lake is.
    pub(super) place: PathBuf,
    pub(super) key: FingerprintKey,
    pub(super) every: Duration,
    /// For how many days exchanges stay.
    pub(super) keep_days: Option<u32>,
    pub(super) books: Option<Arc<Mutex<Bookkeeper>>>,
    pub(super) clock: Arc<dyn Clock>,
}

/// After which time a lake is first filled.
const FIRST: Duration = Duration::from_secs(5);

impl Filling {
    /// Begins; ends with what is returned.
    pub(super) fn start(self) -> Result<Sender<()>, Failure> {
        let (ends, ended) = channel();
        let started = thread::Builder::new().name("lake".to_owned()).spawn(move || self.run(&ended));
        started.map(|_| ends).map_err(|error| Failure::io("no thread can be started for the lake", error))
    }

    fn run(&self, ended: &Receiver<()>) {
        stand_back();
        // Soon for the first time, so that what was recorded before can be searched.
        let mut wait = FIRST.min(self.every);
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(std::mem::replace(&mut wait, self.every)) {
            if let Err(failure) = self.step() {
                say(&format!("the lake is not filled: {failure}"));
            }
        }
    }

    fn open(&self) -> Result<Changing, Failure> {
        let lake = lakes::begin(&self.place, &self.data, &self.key)?;
        lakes::change(lake, &mut |said| self.put_down(said))
    }

    fn put_down(&self, said: Statement) -> Result<(), Failure> {
        self.books.as_ref().map_or(Ok(()), |books| books.blocking_lock().put_down(said))
    }

    fn step(&self) -> Result<(), Failure> {
        let now = self.clock.now();
        let mut changing = self.open()?;
        let taken = intake::take_in(&mut changing, &self.data, &self.key, &mut |_| {})?;
        changing.merge(&Day::of(now), PARTS_OF_TODAY_MAX, Mode::Do, &mut |_, _| {})?;
        if taken.bad > 0 {
            say(&format!("{} of the record are no exchange, and not in the lake", counted(taken.bad, "line")));
        }
        let Some(days) = self.keep_days else { return Ok(()) };
        let first = lakes::first_day(now, days);
        drop(changing);
        // Nobody is held while days are closed. In the same order as everybody else takes both.
        let _changing = sealing::changing(&self.data)?;
        let mut changing = self.open()?;
        let held = Holds::read(&self.data)?.accounts();
        let would = changing.expire(&first, &held, Mode::Count, &mut |_, _| {})?;
        if would.rows == 0 {
            return Ok(());
        }
        let detail = json!({"of": "lake", "before": first.as_str(), "exchanges": would.rows, "held": held.len()});
        self.put_down(ledgers::statement("expiry", "stillwatch", "lake".to_owned(), detail))?;
        let changed = changing.expire(&first, &held, Mode::Do, &mut |_, _| {})?;
        let exchanges = counted(changed.rows, "exchange");
        say(&format!(
            "{exchanges} from before {} were removed from the lake, as `lake.keep_days` says",
            first.as_str()
        ));
        Ok(())
    }
}
