//! What was typed, as inputs: files and folders of exchanges, the accounts file beside them, pipes, standard input.
//!
//! A file that is named is read whatever it is called. In folders, files are told by their names where these say something,
//! rotated and compressed ones too, and by their first bytes otherwise; what is passed over is named with the reason.
//! Labels are for scoring and are never handed out here, nor opened, whatever was typed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use exchange::{Glance, Source};
use gateway::lake::LakeTable;

use crate::{data_folder, lakes};

/// The inputs of a hunt.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// Files of exchanges, in the order of their names; `-` is standard input.
    pub exchanges: Vec<PathBuf>,
    /// Files of compact events.
    pub events: Vec<PathBuf>,
    /// Lakes.
    pub lakes: Vec<PathBuf>,
    /// Files of account facts.
    pub accounts: Vec<PathBuf>,
    /// Bytes in all files of exchanges; unknown when a pipe or standard input is among them.
    pub bytes: Option<u64>,
    /// What was passed over in folders, each with the reason.
    pub passed_over: Vec<String>,
    /// Files and folders met so far, by their real paths: what is named twice is read once.
    met: BTreeSet<PathBuf>,
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum InputError {
    /// A path cannot be opened.
    #[error("`{path}` cannot be read: {source}")]
    Unreadable {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file of events cannot be read.
    #[error("`{path}` cannot be read: {source}")]
    Events {
        /// The file.
        path: String,
        /// Why.
        source: event::file::Unread,
    },
    /// Fingerprints of two kinds.
    #[error(
        "the fingerprints of `{path}` ({kind}) cannot be compared with those of {other} ({other_kind}): hunt them apart"
    )]
    Mismatch {
        /// A file.
        path: String,
        /// What its fingerprints are.
        kind: String,
        /// What it was to be compared with.
        other: String,
        /// What the fingerprints of that are.
        other_kind: String,
    },
    /// Events where records are needed, or among them.
    #[error(
        "`{0}` holds compact events, which a hunt reads, and reads apart from records; name the records only, or the events only"
    )]
    EventsAmongRecords(String),
    /// A lake among other things.
    #[error(
        "`{0}` is a lake, which is read apart from records, as its fingerprints cannot be compared with theirs; name lakes only, or `stillwatch lake add` the others to it"
    )]
    LakeAmongRecords(String),
    /// A lake cannot be read.
    #[error("{0}")]
    Lake(#[from] lake::LakeError),
    /// The folders hold no file of exchanges.
    #[error("no exchanges in {0}: expected files of JSON records or tables, plain or compressed by gzip or zstd")]
    Nothing(String),
}

impl Inputs {
    /// The inputs behind `paths`. An accounts file beside the exchanges is used unless `accounts` names another.
    ///
    /// # Errors
    ///
    /// When a path that was named cannot be read, or none holds exchanges.
    pub(crate) fn find(paths: &[PathBuf], accounts: Option<&Path>) -> Result<Inputs, InputError> {
        let mut inputs = Inputs { bytes: Some(0), ..Inputs::default() };
        for path in paths {
            if is_standard(path) {
                if inputs.met.insert(path.clone()) {
                    inputs.exchanges.push(path.clone());
                }
                inputs.bytes = None;
                continue;
            }
            if LakeTable::is_in_store(path) {
                if inputs.met.insert(path.clone()) {
                    inputs.lake(path)?;
                }
                continue;
            }
            let unreadable = |source| InputError::Unreadable { path: path.display().to_string(), source };
            let metadata = fs::metadata(path).map_err(unreadable)?;
            if metadata.is_dir() {
                inputs.folder(path).map_err(unreadable)?;
            } else {
                inputs.file(path, &metadata).map_err(unreadable)?;
                inputs.beside(path);
            }
        }
        if let Some(accounts) = accounts {
            let unreadable = |source| InputError::Unreadable { path: accounts.display().to_string(), source };
            fs::metadata(accounts).map_err(unreadable)?;
            inputs.accounts = vec![accounts.to_owned()];
        }
        inputs.accounts.sort();
        inputs.accounts.dedup();
        if let Some(events) = inputs.events.first().filter(|_| !inputs.exchanges.is_empty()) {
            return Err(InputError::EventsAmongRecords(events.display().to_string()));
        }
        if let Some(lake) = inputs.lakes.first().filter(|_| inputs.exchanges.len() + inputs.events.len() > 0) {
            return Err(InputError::LakeAmongRecords(lake.display().to_string()));
        }
        if inputs.exchanges.is_empty() && inputs.events.is_empty() && inputs.lakes.is_empty() {
            let names: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
            let reasons = inputs.passed_over.iter().map(|reason| format!("; {reason}"));
            return Err(InputError::Nothing(names.join(", ") + &reasons.collect::<String>()));
        }
        Ok(inputs)
    }

    fn folder(&mut self, folder: &Path) -> io::Result<()> {
        if lakes::is_lake(folder) {
            if self.met.insert(folder.canonicalize()?) {
                self.lake(folder).map_err(io::Error::other)?;
            }
            return Ok(());
        }
        // What else is in a gateway's data folder is no log.
        let recorded = data_folder::recorded(folder);
        let folder = recorded.as_deref().unwrap_or(folder);
        // A link may lead back to a folder above.
        if !self.met.insert(folder.canonicalize()?) {
            return Ok(());
        }
        let entries: Result<Vec<_>, _> = fs::read_dir(folder)?.collect();
        let mut paths: Vec<PathBuf> = entries?.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if let Err(error) = self.entry(&path) {
                self.passed_over.push(format!("`{}` cannot be read: {error}", path.display()));
            }
        }
        Ok(())
    }

    fn lake(&mut self, place: &Path) -> Result<(), lake::LakeError> {
        let bytes = lakes::bytes(place)?;
        self.bytes = self.bytes.map(|sum| sum + bytes);
        if !lakes::open(place)?.facts()?.is_empty() {
            self.accounts.push(place.join(lake::FACTS));
        }
        self.lakes.push(place.to_owned());
        Ok(())
    }

    /// Something in a folder. What cannot be read costs itself only.
    fn entry(&mut self, path: &Path) -> io::Result<()> {
        let role = role(path);
        if matches!(role, Role::Labels | Role::Ours) {
            return Ok(());
        }
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            return self.folder(path);
        }
        if !metadata.is_file() {
            self.passed_over.push(format!("`{}` is no file; name it to read it", path.display()));
            return Ok(());
        }
        if role == Role::Accounts {
            self.accounts.push(path.to_owned());
            return Ok(());
        }
        let mut first = Vec::new();
        File::open(path)?.take(GLANCE_BYTES).read_to_end(&mut first)?;
        if event::file::is_begun(&first) {
            return self.file(path, &metadata);
        }
        match Glance::at(&first) {
            Glance::Records => self.file(path, &metadata)?,
            Glance::Nothing => {}
            // The name says that it is one: what is wrong with it is told line by line.
            Glance::Other if role == Role::Exchanges => self.file(path, &metadata)?,
            Glance::Other => self.passed_over.push(format!("`{}` does not look like a log", path.display())),
            Glance::Unsupported { what, advice } => {
                self.passed_over.push(format!("`{}` is {what}, which is not read; {advice}", path.display()));
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, metadata: &fs::Metadata) -> io::Result<()> {
        if role(path) == Role::Labels {
            return Ok(());
        }
        // A pipe behind `<(…)` has no real path.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if !self.met.insert(real) {
            return Ok(());
        }
        let bytes = metadata.is_file().then_some(metadata.len());
        self.bytes = self.bytes.zip(bytes).map(|(sum, bytes)| sum + bytes);
        let mut first = Vec::new();
        if metadata.is_file() {
            File::open(path)?.take(event::file::MAGIC.len() as u64).read_to_end(&mut first)?;
        }
        let files = if event::file::is_begun(&first) { &mut self.events } else { &mut self.exchanges };
        files.push(path.to_owned());
        Ok(())
    }

    fn beside(&mut self, file: &Path) {
        let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let found = ["accounts.jsonl", "accounts.jsonl.zst", "accounts.jsonl.gz"].map(|name| folder.join(name));
        self.accounts.extend(found.into_iter().filter(|path| path.is_file() && path != file).take(1));
    }
}

/// Opens a file, or standard input for `-`.
///
/// # Errors
///
/// When it cannot be opened.
pub(crate) fn source(path: &Path) -> Result<Source<'static>, InputError> {
    let name = name(path);
    if is_standard(path) {
        return Ok(Source::new(name, io::stdin()));
    }
    if let Some(place) = path.parent().filter(|place| LakeTable::is_in_store(place)) {
        return Ok(Source::new(name, io::Cursor::new(lakes::open(place)?.facts()?.into_bytes())));
    }
    match File::open(path) {
        Ok(file) => Ok(Source::new(name, file)),
        Err(source) => Err(InputError::Unreadable { path: name, source }),
    }
}

/// What a file of exchanges is called in messages.
pub(crate) fn name(path: &Path) -> String {
    if is_standard(path) { "standard input".to_owned() } else { path.display().to_string() }
}

fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Exchanges,
    Accounts,
    Labels,
    /// What a hunt itself writes.
    Ours,
    /// The name does not say.
    Unknown,
}

/// What a file in a folder is, by its name.
fn role(path: &Path) -> Role {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Role::Unknown };
    let name = name.to_ascii_lowercase();
    let plain = COMPRESSED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    match plain {
        "labels.jsonl" => Role::Labels,
        "accounts.jsonl" => Role::Accounts,
        "campaigns.jsonl" | "findings.json" | "verdicts.jsonl" | "report.html" => Role::Ours,
        _ if ENDINGS.iter().any(|ending| unrotated(plain).ends_with(ending)) => Role::Exchanges,
        _ => Role::Unknown,
    }
}

/// A name without the number or the day that rotation put behind it (`app.log.1`, `app.log-20260615`).
fn unrotated(name: &str) -> &str {
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | ':'));
    if bare.len() < name.len() { bare.trim_end_matches('.') } else { name }
}

const ENDINGS: [&str; 5] = [".jsonl", ".ndjson", ".json", ".log", ".csv"];
const COMPRESSED: [&str; 4] = [".zst", ".zstd", ".gz", ".gzip"];
/// Bytes of a file that tell what it is.
const GLANCE_BYTES: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_file_is() {
        for (name, expected) in [
            ("exchanges.jsonl", Role::Exchanges),
            ("2026-07-24.JSONL.zst", Role::Exchanges),
            ("trace.json.gz", Role::Exchanges),
            ("app.log.1", Role::Exchanges),
            ("app.log.2.gz", Role::Exchanges),
            ("app.log-20260615", Role::Exchanges),
            ("app.log.2026-06-15.zst", Role::Exchanges),
            ("export.csv", Role::Exchanges),
            ("accounts.jsonl.gz", Role::Accounts),
            ("labels.jsonl", Role::Labels),
            ("labels.jsonl.zst", Role::Labels),
            ("campaigns.jsonl", Role::Ours),
            ("README.md", Role::Unknown),
            ("part-0001", Role::Unknown),
        ] {
            assert_eq!(role(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn a_folder_is_read_by_content_and_what_is_passed_over_is_named() {
        let folder = std::env::temp_dir().join(format!("stillwatch-folder-{}", std::process::id()));
        fs::create_dir_all(folder.join("below")).unwrap();
        for (name, content) in [
            ("a.log.1", "{}\n"),
            ("part-0001", "{\"time\":1}\n"),
            ("below/export.txt", "[{}]"),
            ("README.md", "# Notes\n"),
            ("old.parquet", "PAR1xxxxxxxxxxxx"),
            ("empty.jsonl", ""),
        ] {
            fs::write(folder.join(name), content).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("nowhere", folder.join("gone.jsonl")).unwrap();
        let inputs = Inputs::find(std::slice::from_ref(&folder), None).unwrap();
        let found: Vec<PathBuf> = ["a.log.1", "below/export.txt", "part-0001"].map(|name| folder.join(name)).into();
        assert_eq!(inputs.exchanges, found);
        let told = inputs.passed_over.join("\n");
        assert_eq!(inputs.passed_over.len(), if cfg!(unix) { 3 } else { 2 }, "{told}");
        assert!(told.contains("README.md` does not look like a log") && told.contains("is Parquet"), "{told}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn labels_are_never_handed_out() {
        let folder = std::env::temp_dir().join(format!("stillwatch-inputs-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["a.jsonl", "accounts.jsonl", "labels.jsonl"] {
            fs::write(folder.join(name), "{}\n").unwrap();
        }
        let inputs = Inputs::find(std::slice::from_ref(&folder), None).unwrap();
        assert_eq!(inputs.exchanges, [folder.join("a.jsonl")]);
        assert_eq!(inputs.accounts, [folder.join("accounts.jsonl")]);
        assert!(matches!(Inputs::find(&[folder.join("labels.jsonl")], None), Err(InputError::Nothing(_))));
        fs::remove_dir_all(&folder).unwrap();
    }
}
