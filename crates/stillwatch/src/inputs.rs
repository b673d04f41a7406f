//! What was typed, as inputs: files and folders of exchanges, the accounts file beside them, or standard input.
//!
//! Labels are for scoring and are never handed out here, whatever was typed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The inputs of a hunt.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// Files of exchanges, in the order of their names; `-` is standard input.
    pub exchanges: Vec<PathBuf>,
    /// Files of account facts.
    pub accounts: Vec<PathBuf>,
    /// Bytes in all files of exchanges; unknown when standard input is among them.
    pub bytes: Option<u64>,
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
    /// The folders hold no file of exchanges.
    #[error(
        "no exchanges in {0}: expected files that end in .jsonl, .ndjson, .json or .log, plain or with .zst or .gz"
    )]
    Nothing(String),
}

impl Inputs {
    /// The inputs behind `paths`. An accounts file beside the exchanges is used unless `accounts` names another.
    ///
    /// # Errors
    ///
    /// When a path cannot be read, or none holds exchanges.
    pub(crate) fn find(paths: &[PathBuf], accounts: Option<&Path>) -> Result<Inputs, InputError> {
        let mut inputs = Inputs { bytes: Some(0), ..Inputs::default() };
        for path in paths {
            if path.as_os_str() == "-" {
                if inputs.met.insert(path.clone()) {
                    inputs.exchanges.push(path.clone());
                }
                inputs.bytes = None;
                continue;
            }
            let unreadable = |source| InputError::Unreadable { path: path.display().to_string(), source };
            if fs::metadata(path).map_err(unreadable)?.is_dir() {
                inputs.folder(path)?;
            } else {
                inputs.file(path).map_err(unreadable)?;
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
        if inputs.exchanges.is_empty() {
            let names: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
            return Err(InputError::Nothing(names.join(", ")));
        }
        Ok(inputs)
    }

    fn folder(&mut self, folder: &Path) -> Result<(), InputError> {
        let unreadable = |source| InputError::Unreadable { path: folder.display().to_string(), source };
        // A link may lead back to a folder above.
        if !self.met.insert(folder.canonicalize().map_err(unreadable)?) {
            return Ok(());
        }
        let entries: Result<Vec<_>, _> = fs::read_dir(folder).map_err(unreadable)?.collect();
        let mut paths: Vec<PathBuf> = entries.map_err(unreadable)?.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                self.folder(&path)?;
            } else if role(&path) == Some(Role::Accounts) {
                self.accounts.push(path);
            } else if role(&path) == Some(Role::Exchanges) {
                let unreadable = |source| InputError::Unreadable { path: path.display().to_string(), source };
                self.file(&path).map_err(unreadable)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> io::Result<()> {
        if role(path) == Some(Role::Labels) {
            return Ok(());
        }
        if !self.met.insert(path.canonicalize()?) {
            return Ok(());
        }
        let bytes = fs::metadata(path)?.len();
        self.bytes = self.bytes.map(|sum| sum + bytes);
        self.exchanges.push(path.to_owned());
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
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    if path.as_os_str() == "-" { Ok(Box::new(io::stdin())) } else { Ok(Box::new(File::open(path)?)) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Exchanges,
    Accounts,
    Labels,
}

/// What a file in a folder is, by its name; none for what Stillwatch does not read.
fn role(path: &Path) -> Option<Role> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let plain = name.strip_suffix(".zst").or_else(|| name.strip_suffix(".gz")).unwrap_or(&name);
    match plain {
        "labels.jsonl" => Some(Role::Labels),
        "accounts.jsonl" => Some(Role::Accounts),
        // What a hunt itself writes.
        "campaigns.jsonl" | "findings.json" => None,
        _ => ENDINGS.iter().any(|ending| plain.ends_with(ending)).then_some(Role::Exchanges),
    }
}

const ENDINGS: [&str; 4] = [".jsonl", ".ndjson", ".json", ".log"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_file_is() {
        for (name, expected) in [
            ("exchanges.jsonl", Some(Role::Exchanges)),
            ("2026-07-24.JSONL.zst", Some(Role::Exchanges)),
            ("trace.json.gz", Some(Role::Exchanges)),
            ("accounts.jsonl.gz", Some(Role::Accounts)),
            ("labels.jsonl", Some(Role::Labels)),
            ("labels.jsonl.zst", Some(Role::Labels)),
            ("campaigns.jsonl", None),
            ("README.md", None),
        ] {
            assert_eq!(role(Path::new(name)), expected, "{name}");
        }
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
