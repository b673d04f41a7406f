//! `stillwatch-verify`: checks receipts and ledgers of Stillwatch where nothing else of it is.
//!
//! Reads what it is given and nothing else: no network, no clock, no settings.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use verify::note::VerifierKey;
use verify::tiles::{CHECKPOINT, Source, Tiles, read_bounded};
use verify::timestamp::Authorities;
use verify::trust::Trust;
use verify::{case, exhibit, ledger, limits, log, report};

const HELP: &str = "\
Checks a case file, a receipt or a whole ledger of Stillwatch, without asking anybody.

Usage: stillwatch-verify PATH --key KEY [--witness KEY]... [--authority FILE]

  PATH           a case file (.zip), a receipt (.tlog-proof), or the folder of a ledger or of its log
  --key KEY      the key that has to have signed it, from somebody you trust
  --witness KEY  a witness whose signature has to be there
  --authority FILE  certificates (PEM) of authorities that say when; one has to have said so

Exit codes: 0 it is what it says, 65 it is not, 2 wrong usage.
";

fn main() -> ExitCode {
    let asked = match Asked::read(std::env::args_os().skip(1)) {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("stillwatch-verify: {wrong}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match check(&asked) {
        Ok(shown) => {
            print!("{shown}");
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            eprintln!("stillwatch-verify: {}: {}", report::plain(&asked.path.to_string_lossy()), report::plain(&wrong));
            ExitCode::from(65)
        }
    }
}

/// What was typed.
struct Asked {
    path: PathBuf,
    trust: Trust,
}

impl Asked {
    /// None where help is asked for.
    fn read(words: impl Iterator<Item = OsString>) -> Result<Option<Asked>, String> {
        let (mut path, mut key, mut witnesses, mut authorities) = (None, None, Vec::new(), Authorities::default());
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = |name: &str| {
                let text = words.next().and_then(|value| value.into_string().ok());
                text.ok_or_else(|| format!("expected something after {name}"))
            };
            let key_in =
                |name: &str, text: String| text.parse::<VerifierKey>().map_err(|wrong| format!("{name}: {wrong}"));
            match word.to_str() {
                Some("-h" | "--help") => return Ok(None),
                Some("--key") if key.is_none() => key = Some(key_in("--key", value("--key")?)?),
                Some("--witness") => witnesses.push(key_in("--witness", value("--witness")?)?),
                Some("--authority") if authorities.is_empty() => {
                    let path = PathBuf::from(value("--authority")?);
                    let pem = read(&path, limits::NOTE_BYTES_MAX).map_err(|wrong| format!("--authority: {wrong}"))?;
                    authorities = Authorities::read(&pem).map_err(|wrong| format!("--authority: {wrong}"))?;
                }
                Some(flag) if flag.starts_with('-') => {
                    return Err(format!("`{}` is not known, or given twice", report::plain(flag)));
                }
                _ if path.is_none() => path = Some(PathBuf::from(word)),
                _ => return Err("expected one path".to_owned()),
            }
        }
        match (path, key) {
            (Some(path), Some(key)) => {
                let trust = Trust::new(key, witnesses, authorities).map_err(|wrong| format!("--witness: {wrong}"))?;
                Ok(Some(Asked { path, trust }))
            }
            (None, _) => Err("expected a path".to_owned()),
            (_, None) => {
                Err("expected --key: what is checked is worth what the key is worth that signed it".to_owned())
            }
        }
    }
}

/// What is shown, or why nothing is.
fn check(asked: &Asked) -> Result<String, String> {
    let Asked { path, trust } = asked;
    if path.join(CHECKPOINT).is_file() {
        let log = Tiles::new(Folder(path));
        let checkpoint = log::check(&log, trust.log(), trust.witnesses()).map_err(|wrong| wrong.to_string())?;
        trust.witnessed(&checkpoint).map_err(|wrong| wrong.to_string())?;
        Ok(report::log(&checkpoint, trust.log()))
    } else if path.is_dir() {
        let checked = ledger::check(&Folder(path), trust).map_err(|wrong| wrong.to_string())?;
        Ok(report::ledger(&checked, trust.log()))
    } else {
        let bytes = read(path, limits::CASE_BYTES_MAX).map_err(|wrong| wrong.to_string())?;
        if bytes.starts_with(case::BEGINS) {
            let checked = case::check(&bytes, trust).map_err(|wrong| wrong.to_string())?;
            return Ok(report::case(&checked, trust));
        }
        let text = String::from_utf8(bytes).map_err(|_| "it is no text, and so no receipt".to_owned())?;
        let shown = exhibit::check(&text, trust).map_err(|wrong| wrong.to_string())?;
        Ok(report::receipt(&shown, trust.log()))
    }
}

/// A folder of this machine.
struct Folder<'p>(&'p Path);

impl Source for Folder<'_> {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        read(&self.0.join(path), bytes_max)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(self.0.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        // What has no name that is text is none of ours.
        let name = |entry: io::Result<std::fs::DirEntry>| entry.map(|entry| entry.file_name().into_string().ok());
        entries.filter_map(|entry| name(entry).transpose()).collect()
    }
}

fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    // Before it is opened, which for a pipe would wait for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    read_bounded(std::fs::File::open(path)?, bytes_max)
}
