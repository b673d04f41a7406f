//! What this gateway recorded, for the console to read: its lake, and single lines of its files.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use console::{Records, Trial};
use gateway::ask::Ask;
use lake::Lake;
use policy::comparison::Comparison;
use policy::permit::Permits;
use policy::who::Who;
use store::segment;

use tokio::time::Instant;

use crate::lakes;
use crate::replay::{self, Known};

/// Bytes of a recorded line. None that a gateway wrote is longer.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How long a simulation may look at what was recorded. What is earlier is not looked at, which is told.
const SIMULATION_TIME_MAX: Duration = Duration::from_secs(10);

/// Where it is.
#[derive(Debug)]
pub(super) struct Recorded {
    /// The folder of recorded files.
    pub(super) folder: PathBuf,
    /// The lake.
    pub(super) place: PathBuf,
}

impl Records for Recorded {
    fn lake(&self) -> Result<Option<Lake>, String> {
        if !lakes::is_lake(&self.place) {
            return Ok(None);
        }
        lakes::open(&self.place).map(Some).map_err(|error| error.to_string())
    }

    fn line(&self, file: &str, line: u64) -> Result<Option<Vec<u8>>, String> {
        // By the files that there are, so that no name leads elsewhere.
        let files = segment::files(&self.folder).map_err(|error| error.to_string())?;
        let is_it = |path: &&PathBuf| path.file_name().and_then(|name| name.to_str()) == Some(file);
        let Some(path) = files.iter().find(is_it) else { return Ok(None) };
        let input = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| error.to_string())?,
        };
        let mut input = BufReader::new(input);
        let mut text = Vec::new();
        for _ in 0..=line {
            text.clear();
            let read = input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text);
            if read.map_err(|error| error.to_string())? == 0 {
                return Ok(None);
            }
        }
        Ok(Some(text))
    }

    fn simulate(&self, trial: Trial) -> Result<Comparison, String> {
        let Trial { directory, now, then, since, at } = trial;
        let (now, then) = (Permits::new(now), Permits::new(then));
        let under =
            |permits: &Permits, who: &Who, ask: &Ask| replay::outcome(permits, who, who.responses.force(at), ask);
        let (was, would) =
            (|who: &Who, ask: &Ask| under(&now, who, ask), |who: &Who, ask: &Ask| under(&then, who, ask));
        let end = Instant::now() + SIMULATION_TIME_MAX;
        let compared = Known::of(directory).compare(&self.folder, since, &was, &would, &|| Instant::now() < end);
        compared.map_err(|failure| failure.to_string())
    }
}
