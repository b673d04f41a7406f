//! What is said of accounts, and what people say of findings, as it is written down while a gateway runs.
//!
//! Promises each change once and with its own time, so that it takes its place among the exchanges. Accounts are a file of lines that only
//! grows (`accounts.jsonl`): one line whenever something about an account changes. What people say is read by whoever knows its form
//! ([`Verdicts`]), whole, whenever it changes.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use detect::Label;
use exchange::{Notes, Time, read_account};
use serde::{Deserialize, Serialize};

use crate::limits::READ_BYTES;

/// Something that is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Said {
    /// A line about an account.
    Account(Box<[u8]>),
    /// All verdicts in force.
    Verdicts(Vec<Label>),
}

/// How far the file of accounts is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    read: u64,
    /// Lines that could not be read.
    pub unread: u64,
}

/// What people said of findings: when the last of it was said, and what is in force.
pub type Verdicts = (Time, Vec<Label>);

/// The file of accounts.
#[derive(Debug)]
pub struct Accounts {
    path: PathBuf,
    progress: Progress,
}

impl Accounts {
    /// The file at `path`, read from `progress` on.
    #[must_use]
    pub fn new(path: PathBuf, progress: Progress) -> Accounts {
        Accounts { path, progress }
    }

    /// How far it is read.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// What is new, each with its time: as much as is read at once. Empty where there is nothing.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn read(&mut self) -> io::Result<Vec<(Time, Said)>> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", self.path.display()));
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file.map_err(named)?,
        };
        let bytes = file.metadata()?.len();
        if bytes < self.progress.read {
            // Another file in its place.
            self.progress.read = 0;
        }
        file.seek(SeekFrom::Start(self.progress.read))?;
        let mut text = Vec::new();
        file.take(READ_BYTES as u64).read_to_end(&mut text).map_err(named)?;
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        // No fact is as long: it can only be damage, which is left behind.
        let end = if end == 0 && text.len() == READ_BYTES { text.len() } else { end };
        self.progress.read += end as u64;
        let mut said = Vec::new();
        let lines = text.get(..end).unwrap_or_default().split(|byte| *byte == b'\n');
        for line in lines.map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
            match read_account(line, &mut Notes::default()) {
                Ok(fact) => said.push((fact.time, Said::Account(line.into()))),
                Err(_) => self.progress.unread += 1,
            }
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn each_line_comes_once_and_what_is_no_fact_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.jsonl");
        let mut accounts = Accounts::new(path.clone(), Progress::default());
        assert_eq!(accounts.read().unwrap(), []);
        let add = |text: &str| {
            let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let line = |time: i64| format!("{{\"time\":{time},\"account\":\"a\"}}\n");
        let said = |time: i64| (Time::from_seconds(time), Said::Account(line(time).trim().as_bytes().into()));
        add(&format!("{}no fact\n{}", line(1), &line(2)[..5]));
        assert_eq!((accounts.read().unwrap(), accounts.progress().unread), (vec![said(1)], 1));
        add(&line(2)[5..]);
        let mut accounts = Accounts::new(path.clone(), accounts.progress());
        assert_eq!((accounts.read().unwrap(), accounts.read().unwrap()), (vec![said(2)], vec![]));
        std::fs::write(&path, line(3)).unwrap();
        assert_eq!(accounts.read().unwrap(), [said(3)], "another file in its place");
        // What is damaged is left behind.
        std::fs::write(&path, vec![b'x'; READ_BYTES]).unwrap();
        let mut accounts = Accounts::new(path.clone(), Progress::default());
        assert_eq!(accounts.read().unwrap(), []);
        add(&format!("x\n{}", line(4)));
        assert_eq!((accounts.read().unwrap(), accounts.progress().unread), (vec![said(4)], 2));
    }
}
