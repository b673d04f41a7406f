//! Recorded lines in append-only files, one JSON object to a line, each with its length and checksum.
//!
//! Promises that a line that was flushed is there after the process dies, and one that was synced after the machine does;
//! that a line that could not be written whole is taken back; and that what waits to be written is bounded
//! ([`SEGMENT_WAITING_BYTES_MAX`]). A process writes into files of its own, so a file's only damage can be its last line.
//! Files are closed at [`Rotation::bytes_max`] or [`Rotation::age_max`], and the oldest are removed over
//! [`Rotation::kept_bytes_max`].
//!
//! A line is `{"sum":"LENGTH-CHECKSUM",` and the rest of the object: the length of that rest in bytes as 8 hexadecimal
//! digits, and its XXH3 (64 bits) as 16. So it is what it is for every reader of JSON, and [`check`] tells whether it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use crate::limits::SEGMENT_WAITING_BYTES_MAX;
use crate::whole::sync_folder;

const BEGINS: &[u8] = b"{\"sum\":\"";
const BEHIND_SUM: &[u8] = b"\",";
/// `LENGTH-CHECKSUM`.
const SUM_BYTES: usize = 8 + 1 + 16;
const ENDING: &str = ".jsonl";

/// When files are closed, and when they are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// A file that is as long is closed.
    pub bytes_max: u64,
    /// A file that is as old is closed.
    pub age_max: Duration,
    /// Of all files together, as many bytes are kept; the oldest go.
    pub kept_bytes_max: u64,
}

/// A folder of recorded lines, and the file that is written.
#[derive(Debug)]
pub struct Segments {
    folder: PathBuf,
    rotation: Rotation,
    open: Option<Open>,
    /// Lines that are not written yet.
    waiting: Vec<u8>,
    /// How many files this process began.
    begun: u32,
}

#[derive(Debug)]
struct Open {
    name: String,
    file: File,
    /// Bytes of whole lines in it.
    bytes: u64,
    since: SystemTime,
}

impl Segments {
    /// Lines in `folder`, which is made if need be. Nothing is written yet.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made.
    pub fn open(folder: &Path, rotation: Rotation) -> io::Result<Segments> {
        fs::create_dir_all(folder)?;
        Ok(Segments { folder: folder.to_owned(), rotation, open: None, waiting: Vec::new(), begun: 0 })
    }

    /// Adds lines that [`write_line`] wrote, and leaves `lines` empty; says how many of them there was no room for.
    pub fn append(&mut self, lines: &mut Vec<u8>) -> u64 {
        if self.waiting.is_empty() && lines.len() <= SEGMENT_WAITING_BYTES_MAX {
            std::mem::swap(&mut self.waiting, lines);
            return 0;
        }
        if self.waiting.len().saturating_add(lines.len()) <= SEGMENT_WAITING_BYTES_MAX {
            self.waiting.append(lines);
            return 0;
        }
        let mut lost = 0;
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if self.waiting.len().saturating_add(line.len()) > SEGMENT_WAITING_BYTES_MAX {
                lost += 1;
            } else {
                self.waiting.extend_from_slice(line);
            }
        }
        lines.clear();
        lost
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.len()
    }

    /// Hands what waits to the system.
    ///
    /// # Errors
    ///
    /// When it cannot be written; then all of it waits on, and no half of a line stays in the file.
    pub fn flush(&mut self, now: SystemTime) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let is_full = |open: &Open| {
            let age = now.duration_since(open.since).unwrap_or_default();
            open.bytes >= self.rotation.bytes_max || age >= self.rotation.age_max
        };
        if self.open.as_ref().is_some_and(is_full) {
            self.close()?;
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin(now)?,
        };
        let written = open.file.write_all(&self.waiting);
        if written.is_ok() {
            open.bytes += self.waiting.len() as u64;
            self.waiting.clear();
            self.open = Some(open);
            return Ok(());
        }
        // Where even that fails the file is left, and the next line begins another one.
        if open.file.set_len(open.bytes).is_ok() {
            self.open = Some(open);
        }
        written
    }

    /// Waits until what was flushed is on disk.
    ///
    /// # Errors
    ///
    /// When it cannot be.
    pub fn sync(&mut self) -> io::Result<()> {
        self.open.as_ref().map_or(Ok(()), |open| open.file.sync_data())
    }

    /// Removes the oldest files over what is kept; says how many, and how many bytes they had.
    ///
    /// # Errors
    ///
    /// When they cannot be listed or removed.
    pub fn expire(&mut self) -> io::Result<(u64, u64)> {
        let files = files(&self.folder)?.into_iter().map(|path| path.metadata().map(|known| (path, known.len())));
        let files = files.collect::<io::Result<Vec<_>>>()?;
        let mut kept: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        let (mut removed, mut removed_bytes) = (0, 0);
        // The last one is being written.
        let oldest = files.len().saturating_sub(1);
        for (path, bytes) in files.into_iter().take(oldest) {
            if kept <= self.rotation.kept_bytes_max {
                break;
            }
            fs::remove_file(path)?;
            kept -= bytes;
            removed += 1;
            removed_bytes += bytes;
        }
        Ok((removed, removed_bytes))
    }

    /// Removes a file of which nobody needs anything any more who has read `bytes` of it; leaves the one that is written, and one that is longer.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub fn remove(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        let is_written = self.open.as_ref().is_some_and(|open| open.name == name);
        let path = self.folder.join(name);
        match path.metadata() {
            Ok(known) if known.len() == bytes && !is_written => fs::remove_file(&path),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn close(&mut self) -> io::Result<()> {
        self.sync()?;
        self.open = None;
        Ok(())
    }

    fn begin(&mut self, now: SystemTime) -> io::Result<Open> {
        let began = Timestamp::try_from(now).unwrap_or(Timestamp::UNIX_EPOCH).strftime("%Y%m%dT%H%M%S%3fZ");
        self.begun += 1;
        let name = format!("{began}-{}-{:06}{ENDING}", std::process::id(), self.begun);
        let path = self.folder.join(&name);
        let file = OpenOptions::new().append(true).create_new(true).open(&path)?;
        sync_folder(&path)?;
        Ok(Open { name, file, bytes: 0, since: now })
    }
}

/// The files of `folder`, the oldest first.
///
/// # Errors
///
/// When it cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Ours begin with their time; others may put files of their own beside them.
        let is_ours = |name: &str| name.ends_with(ENDING) && name.starts_with(|first: char| first.is_ascii_digit());
        if entry.file_name().to_str().is_some_and(is_ours) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Appends a line: `write` appends a JSON object without a newline, with at least one entry.
pub fn write_line(lines: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    lines.extend_from_slice(BEGINS);
    let sum_begins = lines.len();
    lines.extend_from_slice(&[b'0'; SUM_BYTES]);
    lines.push(b'"');
    let object_begins = lines.len();
    write(lines);
    let (head, object) = lines.split_at_mut(object_begins);
    let place = head.get_mut(sum_begins..sum_begins + SUM_BYTES);
    if let (Some(place), Some((brace, rest))) = (place, object.split_first_mut()) {
        place.copy_from_slice(&sum(rest));
        // What opened the object now parts it from its sum.
        *brace = b',';
    }
    lines.push(b'\n');
}

fn sum(rest: &[u8]) -> [u8; SUM_BYTES] {
    let mut sum = [b'0'; SUM_BYTES];
    // It has as many bytes as are written: no line has 2^32.
    let _ = write!(sum.as_mut_slice(), "{:08x}-{:016x}", rest.len(), xxh3_64(rest));
    sum
}

/// The object of a line, without its newline and its sum, and without the brace that opens it.
#[must_use]
pub fn inside(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(BEGINS)?.get(SUM_BYTES..)?.strip_prefix(BEHIND_SUM)
}

/// Whether a line, without its newline, is whole and as it was written.
#[must_use]
pub fn check(line: &[u8]) -> bool {
    let Some(told) = line.strip_prefix(BEGINS) else { return false };
    let Some((told, rest)) = told.split_at_checked(SUM_BYTES) else { return false };
    rest.strip_prefix(BEHIND_SUM).is_some_and(|rest| told == sum(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEPS_ALL: Rotation =
        Rotation { bytes_max: 1 << 20, age_max: Duration::from_secs(60), kept_bytes_max: 1 << 30 };

    /// How many had no room.
    fn add(segments: &mut Segments, object: &[u8]) -> u64 {
        let mut lines = Vec::new();
        write_line(&mut lines, |line| line.extend_from_slice(object));
        segments.append(&mut lines)
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_000_000 + seconds)
    }

    fn texts(folder: &Path) -> Vec<String> {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.into_iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    #[test]
    fn lines_are_json_and_say_whether_they_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut segments = Segments::open(folder.path(), KEEPS_ALL).unwrap();
        for n in 0..3 {
            assert_eq!(add(&mut segments, format!(r#"{{"n":{n},"text":"é"}}"#).as_bytes()), 0);
        }
        assert!(texts(folder.path()).is_empty());
        segments.flush(at(0)).unwrap();
        segments.sync().unwrap();
        let lines = texts(folder.path()).concat();
        assert_eq!(lines.lines().count(), 3);
        for (n, line) in lines.lines().enumerate() {
            assert!(check(line.as_bytes()) && line.contains(&format!("\"n\":{n},")), "{line}");
            assert_eq!(inside(line.as_bytes()), Some(format!(r#""n":{n},"text":"é"}}"#).as_bytes()));
            assert!(!check(line.replace('é', "e").as_bytes()) && !check(&line.as_bytes()[..line.len() - 1]));
        }
        assert!(!check(b"") && !check(b"{\"sum\":\"") && !check(b"{\"n\":1}"));
    }

    #[test]
    fn files_are_closed_by_length_and_age_and_the_oldest_removed() {
        let folder = tempfile::tempdir().unwrap();
        let line = br#"{"n":1}"#;
        let bytes = BEGINS.len() + SUM_BYTES + BEHIND_SUM.len() + line.len();
        let rotation = Rotation {
            bytes_max: 2 * bytes as u64,
            age_max: Duration::from_secs(60),
            kept_bytes_max: 3 * bytes as u64,
        };
        let mut segments = Segments::open(folder.path(), rotation).unwrap();
        // By length after two lines, by age after the third.
        for second in [0, 1, 2, 61, 62] {
            assert_eq!(add(&mut segments, line), 0);
            segments.flush(at(second)).unwrap();
        }
        let counts = |folder: &Path| texts(folder).iter().map(|text| text.lines().count()).collect::<Vec<_>>();
        assert_eq!(counts(folder.path()), [2, 2, 1]);
        assert_eq!(add(&mut segments, line), 0);
        segments.flush(at(122)).unwrap();
        assert_eq!(counts(folder.path()), [2, 2, 1, 1]);
        fs::write(folder.path().join("accounts.jsonl"), "x\n").unwrap();
        assert_eq!(segments.expire().unwrap(), (2, 4 * bytes as u64));
        assert_eq!(counts(folder.path()), [1, 1, 1]);
        assert_eq!(segments.expire().unwrap(), (0, 0));
    }

    #[test]
    fn a_file_that_was_read_is_removed_unless_it_is_written_or_longer() {
        let folder = tempfile::tempdir().unwrap();
        let rotation = Rotation { age_max: Duration::from_secs(60), ..KEEPS_ALL };
        let mut segments = Segments::open(folder.path(), rotation).unwrap();
        for second in [0, 61] {
            assert_eq!(add(&mut segments, br#"{"n":1}"#), 0);
            segments.flush(at(second)).unwrap();
        }
        let there = || files(folder.path()).unwrap();
        let [closed, written] = &there()[..] else { panic!("{:?}", there()) };
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = closed.metadata().unwrap().len();
        segments.remove(&name(closed), bytes - 1).unwrap();
        segments.remove(&name(written), bytes).unwrap();
        assert_eq!(there().len(), 2);
        segments.remove(&name(closed), bytes).unwrap();
        assert_eq!(there(), std::slice::from_ref(written));
        segments.remove(&name(closed), bytes).unwrap();
    }

    #[test]
    fn what_waits_has_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let mut segments = Segments::open(folder.path(), KEEPS_ALL).unwrap();
        let around = BEGINS.len() + SUM_BYTES + BEHIND_SUM.len();
        let line = |bytes: usize| [b"{\"", "x".repeat(bytes - 6).as_bytes(), b"\":1}"].concat();
        let fits = line(SEGMENT_WAITING_BYTES_MAX - around);
        assert_eq!(add(&mut segments, br#"{"n":1}"#), 0);
        segments.flush(at(0)).unwrap();
        assert_eq!(add(&mut segments, &[fits.as_slice(), b" "].concat()), 1);
        assert_eq!(add(&mut segments, &fits), 0);
        assert_eq!(segments.waiting_bytes(), SEGMENT_WAITING_BYTES_MAX);
        assert_eq!(add(&mut segments, br#"{"n":1}"#), 1);
        segments.flush(at(0)).unwrap();
        assert_eq!(add(&mut segments, br#"{"n":1}"#), 0);
    }

    /// What cannot be written waits until it can, and no half of a line stays.
    #[test]
    fn a_line_that_cannot_be_written_waits() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let mut segments = Segments::open(&inner, KEEPS_ALL).unwrap();
        assert_eq!(add(&mut segments, br#"{"n":1}"#), 0);
        fs::remove_dir(&inner).unwrap();
        assert!(segments.flush(at(0)).is_err() && segments.waiting_bytes() > 0);
        fs::create_dir(&inner).unwrap();
        segments.flush(at(1)).unwrap();
        assert_eq!((texts(&inner).concat().lines().count(), segments.waiting_bytes()), (1, 0));
    }
}
