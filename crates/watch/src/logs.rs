//! Log files that others write, read on as they grow.
//!
//! Promises every whole line once, whatever becomes of its file's name: files are told apart by what they are on disk, so that one that
//! rotation renames is read to its end, and one that takes its name from its beginning. A file that is shorter than it was, or begins otherwise,
//! has been written anew and is read from its beginning. Keeps no position beyond its own life.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exchange::{Call, Chunk, Exchange, Joiner, ReadOptions, ReadReport, Time, first_time, parse_chunk};

use crate::limits::{LINE_BYTES_MAX, READ_BYTES};

/// Reads logs.
#[derive(Debug, Default)]
pub struct Logs {
    /// By device and number.
    files: BTreeMap<(u64, u64), Progress>,
    /// What was begun last, so that every file has its turn.
    last: Option<(u64, u64)>,
}

#[derive(Clone, Debug)]
struct Progress {
    read: u64,
    /// The line that comes next.
    line: u64,
    /// How it began when it was first read: a file that begins otherwise is another one, though it has the number of one that is gone.
    head: Vec<u8>,
}

impl Progress {
    fn beginning() -> Progress {
        Progress { read: 0, line: 1, head: Vec::new() }
    }
}

impl Logs {
    /// The next whole lines of one of `paths`, as many as are read at once; none where nothing new is there.
    ///
    /// # Errors
    ///
    /// When a file that is there cannot be read.
    pub fn read(&mut self, paths: &[PathBuf]) -> io::Result<Option<Chunk>> {
        let mut found: BTreeMap<(u64, u64), (&Path, u64)> = BTreeMap::new();
        for path in paths {
            match path.metadata() {
                Ok(metadata) => drop(found.insert((metadata.dev(), metadata.ino()), (path, metadata.len()))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        // Files that are gone may have their numbers given to others.
        self.files.retain(|file, _| found.contains_key(file));
        let behind = |last: &(u64, u64)| (std::ops::Bound::Excluded(*last), std::ops::Bound::Unbounded);
        let turns = self.last.iter().flat_map(|last| found.range(behind(last))).chain(found.iter());
        for (&file, &(path, bytes)) in turns {
            let progress = self.files.entry(file).or_insert_with(Progress::beginning);
            if bytes < progress.read {
                *progress = Progress::beginning();
            }
            if bytes == progress.read {
                continue;
            }
            let text = match whole_lines(path, progress) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                text => text?,
            };
            if text.is_empty() {
                continue;
            }
            self.last = Some(file);
            let first_line = progress.line;
            progress.read += text.len() as u64;
            progress.line += memchr::memchr_iter(b'\n', &text).count() as u64;
            let source: Arc<str> = path.display().to_string().into();
            return Ok(Some(Chunk::of_lines(source, text, first_line)));
        }
        Ok(None)
    }
}

/// The whole lines from where a file is read on, or from its beginning where it is another one; what is longer than a line can be is
/// taken as it is.
fn whole_lines(path: &Path, progress: &mut Progress) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut head = Vec::new();
    file.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    if !head.starts_with(&progress.head) {
        *progress = Progress::beginning();
    }
    progress.head = head;
    file.seek(SeekFrom::Start(progress.read))?;
    let mut text = Vec::new();
    for most in [READ_BYTES, LINE_BYTES_MAX] {
        file.by_ref().take((most - text.len()) as u64).read_to_end(&mut text)?;
        if let Some(end) = memchr::memrchr(b'\n', &text) {
            text.truncate(end + 1);
            return Ok(text);
        }
        if text.len() < most {
            return Ok(Vec::new());
        }
    }
    Ok(text)
}

/// By how many of its first bytes a file is known again.
const HEAD_BYTES: u64 = 256;

/// Makes exchanges of the records of logs, in whatever format they are, with those of one call put together.
#[derive(Debug)]
pub struct Reader {
    options: ReadOptions,
    joiner: Joiner,
    report: ReadReport,
}

impl Reader {
    /// Reads with these options.
    #[must_use]
    pub fn new(options: ReadOptions) -> Reader {
        Reader { joiner: Joiner::new(options.clone()), options, report: ReadReport::default() }
    }

    /// Hands the exchanges of a chunk to `each`, and those of earlier ones that need not wait any more.
    pub fn read(&mut self, chunk: &Chunk, each: &mut dyn FnMut(&Exchange<'_>)) {
        if let Some(first) = first_time(chunk, &self.options) {
            self.advance(first, each);
        }
        let joiner = &mut self.joiner;
        let mut see = |call: Call<'_>, line| {
            if call.stands_alone() {
                if joiner.passes(call.key(), &chunk.source, line) {
                    each(&call.exchange);
                }
            } else {
                joiner.push(call.into_owned(), &chunk.source, line, &mut |exchange| each(&exchange));
            }
        };
        parse_chunk(chunk, &self.options, &mut see, &mut self.report);
        self.report.merge(self.joiner.take_report());
    }

    /// Everything that comes is later than `time`: hands what need not wait any more to `each`.
    pub fn advance(&mut self, time: Time, each: &mut dyn FnMut(&Exchange<'_>)) {
        self.joiner.advance(time, &mut |exchange| each(&exchange));
    }

    /// Hands what still waits for other records of its call to `each`.
    pub fn finish(&mut self, each: &mut dyn FnMut(&Exchange<'_>)) {
        self.joiner.finish(&mut |exchange| each(&exchange));
        self.report.merge(self.joiner.take_report());
    }

    /// From when on something may still come that waits for another record of its call.
    #[must_use]
    pub fn earliest(&self) -> Option<Time> {
        self.joiner.earliest()
    }

    /// Whether anything waits for another record of its call.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.joiner.waits()
    }

    /// The account of the reading so far.
    #[must_use]
    pub fn report(&self) -> &ReadReport {
        &self.report
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write as _;

    use super::*;

    fn add(path: &Path, text: &str) {
        OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn rotation_loses_and_repeats_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (log, old) = (folder.path().join("app.log"), folder.path().join("app.log.1"));
        let paths = [log.clone(), old.clone()];
        let mut logs = Logs::default();
        let mut read = |paths: &[PathBuf]| {
            let mut text = String::new();
            while let Some(chunk) = logs.read(paths).unwrap() {
                for (line, record) in chunk.records() {
                    text += &format!("{line}:{} ", std::str::from_utf8(record).unwrap());
                }
            }
            text
        };
        assert_eq!(read(&paths), "");
        add(&log, "a\nb\nhal");
        assert_eq!(read(&paths), "1:a 2:b ");
        fs::rename(&log, &old).unwrap();
        add(&old, "f\n");
        add(&log, "c\n");
        let both = read(&paths);
        assert!(both == "1:c 3:half " || both == "3:half 1:c ", "{both}");
        // Copied and emptied, as some rotate.
        fs::write(&log, "").unwrap();
        assert_eq!(read(&paths), "");
        add(&log, "d\n");
        assert_eq!(read(&paths), "1:d ");
        // Emptied and written anew, longer than before.
        fs::write(&log, "other\nlines\n").unwrap();
        assert_eq!(read(&paths), "1:other 2:lines ");
        fs::remove_file(&old).unwrap();
        assert_eq!(read(&paths), "");
    }

    #[test]
    fn a_line_over_the_limit_is_taken_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        for (bytes, pieces) in [(LINE_BYTES_MAX - 1, 1), (LINE_BYTES_MAX, 2)] {
            fs::write(&path, [vec![b'x'; bytes], b"\n".to_vec()].concat()).unwrap();
            let mut logs = Logs::default();
            let read = std::iter::from_fn(|| logs.read(std::slice::from_ref(&path)).unwrap());
            assert_eq!(read.count(), pieces, "{bytes}");
        }
    }
}
