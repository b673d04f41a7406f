//! Sealed texts closed by age: their keys are destroyed when they are older than the configuration keeps them, but for accounts that are held.
//!
//! Promises that the ledger says so first, where there is one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gateway::clock::Clock;
use serde_json::json;
use tokio::sync::Mutex;

use super::bookkeeping::Bookkeeper;
use crate::failure::Failure;
use crate::holds::Holds;
use crate::log::say;
use crate::{ledgers, sealing};
use report::words::counted;

/// How often it is seen what is too old: a day ends once a day.
const STEP_TIME: Duration = Duration::from_secs(600);

/// Closes what is too old.
pub(super) struct Expiry {
    pub(super) data: PathBuf,
    /// For how many days texts can be opened.
    pub(super) days: u32,
    pub(super) books: Option<Arc<Mutex<Bookkeeper>>>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Expiry {
    /// Closes what is too old now, and again so often.
    pub(super) async fn run(self) {
        loop {
            if let Err(failure) = self.step().await {
                say(&format!("sealed texts are not closed by age: {failure}"));
            }
            tokio::time::sleep(STEP_TIME).await;
        }
    }

    async fn step(&self) -> Result<(), Failure> {
        let now = self.clock.now();
        let first = sealing::first_day(now, self.days)
            .ok_or_else(|| Failure::service(format!("the clock says {now}, of which no day can be told")))?;
        let changing = tokio::task::block_in_place(|| sealing::changing(&self.data))?;
        let held = Holds::read(&self.data)?.accounts();
        let keys = sealing::keys(&self.data)?;
        let expired = keys.expired(&first, &held).map_err(Failure::unreadable)?;
        if expired.keys == 0 {
            return Ok(());
        }
        if let Some(books) = &self.books {
            let detail = json!({"before": first.as_str(), "keys": expired.keys, "held": held.len()});
            books.lock().await.put_down(ledgers::statement("expiry", "stillwatch", "texts".to_owned(), detail))?;
        }
        keys.expire(&first, &held).map_err(Failure::unreadable)?;
        drop(changing);
        let keys = counted(expired.keys, "key");
        say(&format!("{keys} of texts from before {} were destroyed, as `sealing.keep_days` says", first.as_str()));
        Ok(())
    }
}
