//! A write-ahead log and its checkpoints: what happened since the last checkpoint, so that a restart loses nothing.
//!
//! Promises that what was flushed comes back after the process dies at any moment, and what was synced after the
//! machine does. A journal is a folder of sealed files ([`crate::seal`]) with rising numbers; a checkpoint names the
//! first file that it does not cover, and is there whole or not at all. Refuses to guess: damage is reported with its
//! file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::seal::{Ending, MasterKey, Reader, SealError, Writer};
use crate::whole::sync_folder;

/// Bytes of a checkpoint in one sealed entry.
const PIECE_BYTES: usize = 1 << 20;
/// The last entry of a checkpoint, which shows that it is whole.
const SEAL: &[u8] = b"end";

/// A folder with a journal and its checkpoints.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    master: MasterKey,
    number: u64,
    writer: Writer,
    random: fn() -> [u8; 16],
}

/// What was there when a journal was opened.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The last checkpoint.
    pub checkpoint: Option<Vec<u8>>,
    /// The entries after it were this many.
    pub entries: u64,
    /// Files that end in the middle of an entry.
    pub torn: Vec<PathBuf>,
    /// Files that are damaged, from some entry on.
    pub damaged: Vec<PathBuf>,
}

impl Journal {
    /// Opens the journal in `folder`, making it if need be. The last checkpoint is handed to `restore`, and then every
    /// entry after it, in order, to `replay`. `random` gives 16 fresh random bytes.
    ///
    /// # Errors
    ///
    /// When something cannot be read or written; what `restore` says is passed on as `InvalidData`.
    pub fn open(
        folder: &Path,
        master: MasterKey,
        random: fn() -> [u8; 16],
        sink: &mut dyn Replay,
    ) -> Result<(Journal, Recovered), SealError> {
        let failed = |source| SealError::Failed { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let files = list(folder).map_err(failed)?;
        let mut recovered = Recovered::default();
        let mut first = 0;
        for (number, path) in files.checkpoints.iter().rev() {
            if let Some(checkpoint) = checkpoint(path, &master)?
                && sink.restore(&checkpoint)
            {
                first = *number;
                recovered.checkpoint = Some(checkpoint);
                break;
            }
            recovered.damaged.push(path.clone());
        }
        for (_, path) in files.journals.iter().filter(|(number, _)| *number >= first) {
            let mut reader = Reader::open(path, &master)?;
            let failed = |source| SealError::Failed { path: path.clone(), source };
            while let Some(entry) = reader.read().map_err(failed)? {
                sink.replay(&entry);
                recovered.entries += 1;
            }
            match reader.ending() {
                Some(Ending::Torn) => recovered.torn.push(path.clone()),
                Some(Ending::Damaged) => recovered.damaged.push(path.clone()),
                _ => {}
            }
        }
        let last = files.journals.iter().chain(&files.checkpoints).map(|(number, _)| *number).max().unwrap_or(0);
        let number = last + 1;
        let writer = Writer::create(&folder.join(journal_name(number)), &master, random())?;
        sync_folder(&folder.join("any")).map_err(failed)?;
        Ok((Journal { folder: folder.to_owned(), master, number, writer, random }, recovered))
    }

    /// Adds an entry; see [`Writer::append`].
    ///
    /// # Errors
    ///
    /// When it is too long.
    pub fn append(&mut self, entry: &[u8]) -> Result<(), SealError> {
        self.writer.append(entry)
    }

    /// See [`Writer::flush`].
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn flush(&mut self) -> Result<(), SealError> {
        self.writer.flush()
    }

    /// See [`Writer::sync`].
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn sync(&mut self) -> Result<(), SealError> {
        self.writer.sync()
    }

    /// Bytes since the last checkpoint.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.writer.bytes()
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.writer.pending_bytes()
    }

    /// Writes a checkpoint of everything so far, and forgets what it covers.
    ///
    /// # Errors
    ///
    /// When it cannot be written; then everything stays as it was.
    pub fn checkpoint(&mut self, state: &[u8]) -> Result<(), SealError> {
        let number = self.number + 1;
        let writer = Writer::create(&self.folder.join(journal_name(number)), &self.master, (self.random)())?;
        let partial = self.folder.join(format!("{}.partial", checkpoint_name(number)));
        let path = self.folder.join(checkpoint_name(number));
        let written = self.write(&partial, &path, state);
        if let Err(error) = written {
            // Neither may stay: the next attempt makes them anew.
            let _ = fs::remove_file(&partial);
            let _ = fs::remove_file(self.folder.join(journal_name(number)));
            return Err(error);
        }
        self.writer = writer;
        self.number = number;
        let failed = |source| SealError::Failed { path: self.folder.clone(), source };
        let files = list(&self.folder).map_err(failed)?;
        for (old, path) in files.journals.into_iter().chain(files.checkpoints) {
            if old < number {
                fs::remove_file(&path).map_err(|source| SealError::Failed { path: path.clone(), source })?;
            }
        }
        Ok(())
    }

    fn write(&self, partial: &Path, path: &Path, state: &[u8]) -> Result<(), SealError> {
        let failed = |source| SealError::Failed { path: path.to_owned(), source };
        match fs::remove_file(partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let mut writer = Writer::create(partial, &self.master, (self.random)())?;
        for piece in state.chunks(PIECE_BYTES) {
            writer.append(piece)?;
            writer.flush()?;
        }
        writer.append(SEAL)?;
        writer.sync()?;
        fs::rename(partial, path).map_err(failed)?;
        sync_folder(path).map_err(failed)
    }
}

/// Takes what a journal holds.
pub trait Replay {
    /// Takes a checkpoint; says whether it could be used. If not, the one before is tried.
    fn restore(&mut self, checkpoint: &[u8]) -> bool;
    /// Takes an entry.
    fn replay(&mut self, entry: &[u8]);
}

/// The state of a checkpoint; `None` when it is not whole.
fn checkpoint(path: &Path, master: &MasterKey) -> Result<Option<Vec<u8>>, SealError> {
    let mut reader = Reader::open(path, master)?;
    let failed = |source| SealError::Failed { path: path.to_owned(), source };
    let mut state = Vec::new();
    let mut last: Option<Vec<u8>> = None;
    while let Some(piece) = reader.read().map_err(failed)? {
        state.extend(last.replace(piece).unwrap_or_default());
    }
    let whole = reader.ending() == Some(Ending::Whole) && last.as_deref() == Some(SEAL);
    Ok(whole.then_some(state))
}

#[derive(Default)]
struct Files {
    journals: Vec<(u64, PathBuf)>,
    checkpoints: Vec<(u64, PathBuf)>,
}

fn journal_name(number: u64) -> String {
    format!("journal-{number:016x}.sealed")
}

fn checkpoint_name(number: u64) -> String {
    format!("checkpoint-{number:016x}.sealed")
}

fn list(folder: &Path) -> io::Result<Files> {
    let mut files = Files::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".sealed")) else { continue };
        let Some((kind, number)) = stem.split_once('-') else { continue };
        let Ok(number) = u64::from_str_radix(number, 16) else { continue };
        match kind {
            "journal" => files.journals.push((number, entry.path())),
            "checkpoint" => files.checkpoints.push((number, entry.path())),
            _ => {}
        }
    }
    files.journals.sort();
    files.checkpoints.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random() -> [u8; 16] {
        let mut bytes = [0; 16];
        aws_lc_rs::rand::fill(&mut bytes).unwrap();
        bytes
    }

    #[derive(Default)]
    struct Seen {
        checkpoint: Vec<u8>,
        entries: Vec<String>,
    }

    impl Replay for Seen {
        fn restore(&mut self, checkpoint: &[u8]) -> bool {
            self.checkpoint = checkpoint.to_vec();
            true
        }

        fn replay(&mut self, entry: &[u8]) {
            self.entries.push(String::from_utf8(entry.to_vec()).unwrap());
        }
    }

    fn open(folder: &Path) -> (Journal, Recovered, Seen) {
        let mut seen = Seen::default();
        let (journal, recovered) = Journal::open(folder, MasterKey::new([7; 32]), random, &mut seen).unwrap();
        (journal, recovered, seen)
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("stillwatch-journal-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn what_was_flushed_comes_back() {
        let folder = folder("flushed");
        let (mut journal, _, _) = open(&folder);
        journal.append(b"one").unwrap();
        journal.append(b"two").unwrap();
        journal.flush().unwrap();
        journal.append(b"never flushed").unwrap();
        drop(journal);
        let (mut journal, _, seen) = open(&folder);
        assert_eq!(seen.entries, ["one", "two"]);
        journal.append(b"three").unwrap();
        journal.sync().unwrap();
        journal.checkpoint(&vec![9; PIECE_BYTES + 1]).unwrap();
        journal.append(b"four").unwrap();
        journal.flush().unwrap();
        let (_, recovered, seen) = open(&folder);
        assert_eq!((seen.checkpoint.len(), seen.entries), (PIECE_BYTES + 1, vec!["four".to_owned()]));
        assert!(recovered.torn.is_empty() && recovered.damaged.is_empty());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_cut_anywhere_gives_whole_entries_only() {
        let folder = folder("cut");
        let (mut journal, _, _) = open(&folder);
        for entry in ["a", "bb", "ccc"] {
            journal.append(entry.as_bytes()).unwrap();
        }
        journal.flush().unwrap();
        let path = folder.join(journal_name(1));
        let whole = fs::read(&path).unwrap();
        let mut most = 0;
        for length in 0..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let mut reader = Reader::open(&path, &MasterKey::new([7; 32])).unwrap();
            let mut count = 0;
            while reader.read().unwrap().is_some() {
                count += 1;
            }
            assert_ne!(reader.ending(), Some(Ending::Damaged), "{length}");
            assert!(count >= most);
            most = count;
        }
        assert_eq!(most, 3);
        for at in 24..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            let mut reader = Reader::open(&path, &MasterKey::new([7; 32])).unwrap();
            let mut count = 0;
            while let Some(entry) = reader.read().unwrap() {
                assert_eq!(entry, ["a", "bb", "ccc"][count].as_bytes());
                count += 1;
            }
            assert!(count < 3, "a changed byte {at} was not noticed");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_checkpoint_that_is_not_whole_is_not_used() {
        let folder = folder("half");
        let (mut journal, _, _) = open(&folder);
        journal.append(b"one").unwrap();
        journal.checkpoint(b"state one").unwrap();
        let (_, path) = list(&folder).unwrap().checkpoints.pop().unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let (_, recovered, seen) = open(&folder);
        assert!(seen.checkpoint.is_empty());
        assert_eq!(recovered.damaged, [path]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn another_key_opens_nothing() {
        let folder = folder("key");
        let (mut journal, _, _) = open(&folder);
        journal.append(b"secret words").unwrap();
        journal.flush().unwrap();
        let path = folder.join(journal_name(1));
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
        let mut reader = Reader::open(&path, &MasterKey::new([8; 32])).unwrap();
        assert_eq!((reader.read().unwrap(), reader.ending()), (None, Some(Ending::Damaged)));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn entries_have_a_limit() {
        use crate::limits::ENTRY_BYTES_MAX;
        let folder = folder("limit");
        let (mut journal, _, _) = open(&folder);
        journal.append(&vec![0; ENTRY_BYTES_MAX]).unwrap();
        let error = journal.append(&vec![0; ENTRY_BYTES_MAX + 1]).unwrap_err();
        assert!(matches!(error, SealError::TooLong { .. }));
        journal.flush().unwrap();
        fs::remove_dir_all(folder).unwrap();
    }
}
