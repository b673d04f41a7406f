//! The statements that entries commit to, beside the log: what is destroyed when somebody is erased.
//!
//! A file for every 256 entries, with a line for each that has a statement here. What comes after the last checkpoint was never acknowledged:
//! it is passed over, and taken away by the next who appends.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use store::bounded::read_file;
use store::whole::{self, sync_folder};
use verify::entry::Opening;
use verify::limits::STATEMENTS_BYTES_MAX;
use verify::statements::{Line, file_of};

/// Statements in a folder.
#[derive(Clone, Debug)]
pub(crate) struct Statements(PathBuf);

impl Statements {
    pub(crate) fn new(folder: PathBuf) -> Statements {
        Statements(folder)
    }

    /// Of 256 entries, beginning with the `n`-th such.
    fn file(&self, n: u64) -> PathBuf {
        self.0.join(verify::statements::path(n))
    }

    /// Puts down the openings of entries from `first` on, which are on disk when this returns. There are `first` entries in the log.
    pub(crate) fn append(&self, first: u64, openings: &[Opening]) -> io::Result<()> {
        self.cut(first)?;
        let mut openings = (first..).zip(openings).peekable();
        while let Some((index, _)) = openings.peek() {
            let n = file_of(*index);
            let in_file = std::iter::from_fn(|| openings.next_if(|(index, _)| file_of(*index) == n));
            let text = text_of(in_file.map(|(index, opening)| Line { index, opening: opening.clone() }))?;
            let path = self.file(n);
            let is_new = !path.exists();
            if let Some(folder) = path.parent().filter(|_| is_new) {
                fs::create_dir_all(folder)?;
                sync_folder(folder)?;
            }
            let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
            file.write_all(&text)?;
            file.sync_data()?;
            if is_new {
                sync_folder(&path)?;
            }
        }
        Ok(())
    }

    /// Takes away what was put down for entries that are not in the log, of which there are `size`.
    fn cut(&self, size: u64) -> io::Result<()> {
        let n = file_of(size);
        let known = read(&self.file(n), n)?;
        let is_cut = known.ends_with_whole_line && known.lines.iter().all(|line| line.index < size);
        if !is_cut {
            self.write(n, known.lines.into_iter().filter(|line| line.index < size))?;
        }
        // The last first, so that one who is killed meanwhile leaves no gap, behind which nobody would look.
        let mut later = Vec::new();
        for path in (n + 1..).map(|later| self.file(later)) {
            if !path.try_exists()? {
                break;
            }
            later.push(path);
        }
        for path in later.iter().rev() {
            fs::remove_file(path)?;
            sync_folder(path)?;
        }
        Ok(())
    }

    fn write(&self, n: u64, lines: impl Iterator<Item = Line>) -> io::Result<()> {
        whole::write(&self.file(n), &text_of(lines)?)
    }

    /// What opens the entry `index`, if that is here.
    pub(crate) fn opening(&self, index: u64) -> io::Result<Option<Opening>> {
        let n = file_of(index);
        let lines = read(&self.file(n), n)?.lines;
        Ok(lines.into_iter().find(|line| line.index == index).map(|line| line.opening))
    }

    /// What opens the entries of the `n`-th 256, with their numbers.
    pub(crate) fn openings(&self, n: u64) -> io::Result<Vec<(u64, Opening)>> {
        Ok(read(&self.file(n), n)?.lines.into_iter().map(|line| (line.index, line.opening)).collect())
    }

    /// Destroys what opens these entries.
    pub(crate) fn destroy(&self, indexes: &BTreeSet<u64>) -> io::Result<()> {
        let files: BTreeSet<u64> = indexes.iter().map(|index| file_of(*index)).collect();
        for n in files {
            let lines = read(&self.file(n), n)?.lines;
            if lines.iter().any(|line| indexes.contains(&line.index)) {
                self.write(n, lines.into_iter().filter(|line| !indexes.contains(&line.index)))?;
            }
        }
        Ok(())
    }
}

/// Lines as they are in a file.
fn text_of(lines: impl Iterator<Item = Line>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, &line)?;
        text.push(b'\n');
    }
    Ok(text)
}

struct Known {
    lines: Vec<Line>,
    ends_with_whole_line: bool,
}

/// The lines of the `n`-th file; none where there is no file. A last line without its end was not written whole, and is passed over.
fn read(path: &Path, n: u64) -> io::Result<Known> {
    let text = match read_file(path, STATEMENTS_BYTES_MAX) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    };
    let (lines, ends_with_whole_line) = verify::statements::read(&text, n)
        .map_err(|bad| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {bad}", path.display())))?;
    Ok(Known { lines, ends_with_whole_line })
}
