//! A folder of recorded files, read from a position on while they grow.
//!
//! Promises every whole line at least once, file by file in the order of their names, and within a file in its order. A line without its
//! newline is not there yet; in a file that is no longer written it never will be, and is counted as torn. Lines whose sum is not that of
//! their bytes are left out and counted. Files that went before they were read to their ends are counted as missed. Reads only: several
//! followers may read one folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::segment;

use crate::limits::{LINE_BYTES_MAX, READ_BYTES};

/// How far a folder is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// By the names of the files that were there last.
    files: BTreeMap<String, Progress>,
    /// What could not be read.
    pub lost: Lost,
}

/// How far a file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    read: u64,
    /// How long it was when it was last looked at.
    bytes: u64,
}

impl Position {
    /// The files that were read to their ends, by their names, each with its length then.
    pub fn finished(&self) -> impl Iterator<Item = (&str, u64)> {
        let read = self.files.iter().filter(|(_, progress)| progress.read == progress.bytes);
        read.map(|(name, progress)| (name.as_str(), progress.bytes))
    }
}

/// What could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Lines whose sum is not that of their bytes.
    pub damaged: u64,
    /// Lines that end with their file and without a newline.
    pub torn: u64,
    /// Files that were removed before they were read to their ends.
    pub files: u64,
}

/// Whole lines of one file.
#[derive(Debug, PartialEq, Eq)]
pub struct Lines {
    /// The name of the file.
    pub source: Arc<str>,
    /// The lines, each with its newline.
    pub text: Vec<u8>,
}

/// Reads a folder.
#[derive(Debug)]
pub struct Follower {
    folder: PathBuf,
    position: Position,
}

impl Follower {
    /// Reads `folder` from `position` on.
    #[must_use]
    pub fn new(folder: &Path, position: Position) -> Follower {
        Follower { folder: folder.to_owned(), position }
    }

    /// How far it has read.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The next lines, as many as are read at once; none where nothing new is there.
    ///
    /// # Errors
    ///
    /// When the folder or a file cannot be read; what was read before stays read.
    pub fn read(&mut self) -> io::Result<Option<Lines>> {
        let paths = self.look()?;
        let last = paths.len().saturating_sub(1);
        for (index, (name, path)) in paths.iter().enumerate() {
            let Some(progress) = self.position.files.get_mut(name) else { continue };
            // Shorter than it was: a line is being taken back, to be written again.
            if progress.bytes <= progress.read {
                continue;
            }
            let Some(mut text) = whole_lines(path, *progress).map_err(|error| named(path, &error))? else { continue };
            if text.is_empty() {
                if index < last {
                    // The writer has left it.
                    progress.read = progress.bytes;
                    self.position.lost.torn += 1;
                }
                continue;
            }
            progress.read += text.len() as u64;
            self.position.lost.damaged += leave_out_damaged(&mut text);
            return Ok(Some(Lines { source: name.as_str().into(), text }));
        }
        Ok(None)
    }

    /// Bytes that are recorded and not read yet, as far as it last looked.
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        self.position.files.values().map(|progress| progress.bytes.saturating_sub(progress.read)).sum()
    }

    /// The files there are, and how long each is.
    fn look(&mut self) -> io::Result<Vec<(String, PathBuf)>> {
        let mut found = Vec::new();
        let mut known = BTreeMap::new();
        for path in segment::files(&self.folder)? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let bytes = match path.metadata() {
                Ok(metadata) if !metadata.is_file() => continue,
                Ok(metadata) => metadata.len(),
                // Removed since, or no file of ours.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(named(&path, &error)),
            };
            let read = self.position.files.get(name).map_or(0, |progress| progress.read);
            known.insert(name.to_owned(), Progress { read, bytes });
            found.push((name.to_owned(), path));
        }
        let gone = self.position.files.iter().filter(|(name, _)| !known.contains_key(*name));
        self.position.lost.files += gone.filter(|(_, progress)| progress.read < progress.bytes).count() as u64;
        self.position.files = known;
        Ok(found)
    }
}

/// An error that names its file.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

/// The whole lines from where a file is read on; empty where there is none, and none where the file is gone.
fn whole_lines(path: &Path, progress: Progress) -> io::Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    file.seek(SeekFrom::Start(progress.read))?;
    let mut text = Vec::new();
    let mut most = READ_BYTES;
    loop {
        let before = text.len();
        file.by_ref().take((most - before) as u64).read_to_end(&mut text)?;
        if let Some(end) = text.iter().rposition(|byte| *byte == b'\n') {
            text.truncate(end + 1);
            return Ok(Some(text));
        }
        if text.len() < most {
            return Ok(Some(Vec::new()));
        }
        if most >= LINE_BYTES_MAX {
            return Ok(Some(text));
        }
        most = LINE_BYTES_MAX;
    }
}

/// Leaves out lines that are not as they were written; how many.
fn leave_out_damaged(text: &mut Vec<u8>) -> u64 {
    let lines = || text.split_inclusive(|byte| *byte == b'\n');
    let is_whole = |line: &[u8]| line.strip_suffix(b"\n").is_some_and(segment::check);
    let damaged = lines().filter(|line| !is_whole(line)).count();
    if damaged > 0 {
        *text = lines().filter(|line| is_whole(line)).flatten().copied().collect();
    }
    damaged as u64
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    fn line(number: usize) -> Vec<u8> {
        let mut line = Vec::new();
        segment::write_line(&mut line, |line| line.extend_from_slice(format!("{{\"n\":{number}}}").as_bytes()));
        line
    }

    fn add(folder: &Path, file: &str, bytes: &[u8]) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(folder.join(file)).unwrap();
        file.write_all(bytes).unwrap();
    }

    fn all(follower: &mut Follower) -> Vec<u8> {
        std::iter::from_fn(|| follower.read().unwrap()).flat_map(|lines| lines.text).collect()
    }

    #[test]
    fn whole_lines_come_once_while_files_grow_and_others_begin() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut follower = Follower::new(folder, Position::default());
        assert_eq!(follower.read().unwrap(), None);
        add(folder, "accounts.jsonl", b"{\"not\":\"a recorded file\"}\n");
        fs::create_dir(folder.join("0.jsonl")).unwrap();
        add(folder, "1.jsonl", &[line(1), line(2)].concat());
        assert_eq!(all(&mut follower), [line(1), line(2)].concat());
        let (half, rest) = (&line(3)[..9], &line(3)[9..]);
        add(folder, "1.jsonl", half);
        assert_eq!((all(&mut follower), follower.waiting_bytes()), (vec![], 9));
        // On from a position that was written down.
        let written = postcard::to_allocvec(follower.position()).unwrap();
        let mut follower = Follower::new(folder, postcard::from_bytes(&written).unwrap());
        add(folder, "1.jsonl", rest);
        add(folder, "2.jsonl", &line(4));
        assert_eq!(all(&mut follower), [line(3), line(4)].concat());
        assert_eq!((follower.waiting_bytes(), follower.position().lost), (0, Lost::default()));
        let lengths = [line(1), line(2), line(3)].concat().len() as u64;
        let finished: Vec<_> = follower.position().finished().collect();
        assert_eq!(finished, [("1.jsonl", lengths), ("2.jsonl", line(4).len() as u64)]);
        add(folder, "2.jsonl", b"more");
        follower.read().unwrap();
        assert_eq!(follower.position().finished().count(), 1);
    }

    #[test]
    fn what_is_torn_damaged_or_gone_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut damaged = line(2);
        damaged[4] ^= 1;
        add(folder, "1.jsonl", &[line(1), damaged, line(3)[..12].to_vec()].concat());
        let mut follower = Follower::new(folder, Position::default());
        assert_eq!(all(&mut follower), line(1));
        assert_eq!(follower.position().lost, Lost { damaged: 1, ..Lost::default() });
        add(folder, "2.jsonl", &line(4));
        assert_eq!(all(&mut follower), line(4));
        assert_eq!(follower.position().lost, Lost { damaged: 1, torn: 1, files: 0 });
        assert!(all(&mut follower).is_empty(), "once");
        // One that was seen and is gone before it was read, one that was read, and one that was never seen.
        add(folder, "3.jsonl", &line(5)[..3]);
        follower.read().unwrap();
        fs::remove_file(folder.join("3.jsonl")).unwrap();
        fs::remove_file(folder.join("1.jsonl")).unwrap();
        follower.read().unwrap();
        assert_eq!(follower.position().lost, Lost { damaged: 1, torn: 1, files: 1 });
    }

    #[test]
    fn a_file_that_is_shorter_than_it_was_waits_until_it_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        add(folder, "1.jsonl", &[line(1), line(2)].concat());
        let mut follower = Follower::new(folder, Position::default());
        all(&mut follower);
        let file = fs::OpenOptions::new().write(true).open(folder.join("1.jsonl")).unwrap();
        file.set_len(line(1).len() as u64).unwrap();
        assert!(all(&mut follower).is_empty());
        add(folder, "1.jsonl", &[line(2), line(3)].concat());
        assert_eq!(all(&mut follower), line(3));
    }

    #[test]
    fn a_line_over_the_limit_costs_itself_only() {
        let long = |bytes: usize| {
            let mut long = Vec::new();
            segment::write_line(&mut long, |line| line.resize(line.len() + 1 + bytes, b'{'));
            long
        };
        let rest = long(0).len();
        for (bytes, expected) in [(LINE_BYTES_MAX, 0), (LINE_BYTES_MAX + 1, 2)] {
            let folder = tempfile::tempdir().unwrap();
            add(folder.path(), "1.jsonl", &[long(bytes - rest), line(1)].concat());
            let mut follower = Follower::new(folder.path(), Position::default());
            let read = all(&mut follower);
            assert!(read.ends_with(&line(1)));
            assert_eq!(follower.position().lost.damaged, expected, "{bytes}");
        }
    }
}
