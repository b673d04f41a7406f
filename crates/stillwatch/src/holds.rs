//! Legal holds: accounts whose sealed texts may not be erased, nor closed by age, while a case is open.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use store::bounded::read_file;
use store::whole;
use verify::report::plain;

use crate::failure::Failure;

/// Where holds are, in a data folder.
const FILE: &str = "holds.json";
/// Bytes of that file. A longer one is refused.
const FILE_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Holds at once. A further one is refused.
pub(crate) const HOLDS_MAX: usize = 100_000;

/// A hold on an account for a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hold {
    /// The account.
    pub(crate) account: String,
    /// The case.
    pub(crate) case: String,
    /// Who asked for it.
    pub(crate) by: String,
    /// Why.
    pub(crate) reason: String,
    /// Since when.
    pub(crate) since: String,
}

/// The holds of a data folder.
#[derive(Debug)]
pub(crate) struct Holds {
    path: PathBuf,
    holds: Vec<Hold>,
}

impl Holds {
    /// Reads them.
    pub(crate) fn read(data: &Path) -> Result<Holds, Failure> {
        let path = data.join(FILE);
        let holds = match read_file(&path, FILE_BYTES_MAX) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Failure::bad_input(format!("`{}` cannot be read as holds: {error}", path.display()))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Failure::io(format!("`{}` cannot be read", path.display()), error)),
        };
        Ok(Holds { path, holds })
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Hold] {
        &self.holds
    }

    /// The accounts that are held.
    pub(crate) fn accounts(&self) -> BTreeSet<String> {
        self.holds.iter().map(|hold| hold.account.clone()).collect()
    }

    /// The hold on an account, if there is one.
    fn of(&self, account: &str) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.account == account)
    }

    /// Refuses where any of these accounts is held.
    pub(crate) fn refuse(&self, accounts: &[String]) -> Result<(), Failure> {
        let Some(hold) = accounts.iter().find_map(|account| self.of(account)) else { return Ok(()) };
        Err(Failure::bad_input(format!(
            "`{}` is held for `{}` since {}: nothing is erased of it before the hold is released",
            plain(&hold.account),
            plain(&hold.case),
            hold.since.get(..10).unwrap_or_default()
        )))
    }

    /// Adds one; another on the same account for the same case takes its place.
    pub(crate) fn add(&mut self, hold: Hold) -> Result<(), Failure> {
        self.holds.retain(|other| (&other.account, &other.case) != (&hold.account, &hold.case));
        if self.holds.len() >= HOLDS_MAX {
            return Err(Failure::usage(format!("there are {HOLDS_MAX} holds, and no more can be kept")));
        }
        self.holds.push(hold);
        self.write()
    }

    /// Takes one away; whether there was one.
    pub(crate) fn release(&mut self, account: &str, case: &str) -> Result<bool, Failure> {
        let before = self.holds.len();
        self.holds.retain(|hold| (hold.account.as_str(), hold.case.as_str()) != (account, case));
        let was_there = self.holds.len() < before;
        if was_there {
            self.write()?;
        }
        Ok(was_there)
    }

    fn write(&self) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(&self.holds).map_err(Failure::unreadable)?;
        whole::write(&self.path, &text).map_err(|error| Failure::unwritable(&self.path, &error))
    }
}
