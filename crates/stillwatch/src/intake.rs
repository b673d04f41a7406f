//! What a gateway recorded, taken into a lake: sealed lines as they are, others without their texts.
//!
//! Promises that every whole line is taken in once, also where this is interrupted, and that a sealed one comes out again byte for byte. Lines that
//! are no exchange are counted, and stay where they are.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use exchange::{Exchange, Notes};
use lake::row::{Origin, Row};
use lake::{Changing, LakeError};
use signals::fingerprint::{FingerprintKey, without_texts};
use store::segment;
use verify::sealed;

use crate::data_folder;
use crate::failure::Failure;

const BUFFER_BYTES: usize = 1 << 18;

/// What taking in came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TakenIn {
    /// Files with anything new in them.
    pub(crate) files: u64,
    /// Lines of them.
    pub(crate) lines: u64,
    /// Exchanges that are in the lake now.
    pub(crate) rows: u64,
    /// Exchanges of accounts that were erased, which are left out.
    pub(crate) erased: u64,
    /// Lines that are no exchange.
    pub(crate) bad: u64,
}

/// Takes along what the gateway knows of accounts.
fn take_facts(changing: &mut Changing, data: &Path) -> Result<(), Failure> {
    let path = data_folder::facts_in(&data_folder::recorded_in(data));
    match std::fs::read_to_string(&path) {
        Ok(lines) => Ok(changing.add_facts(&lines)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::io(format!("`{}` cannot be read", path.display()), error)),
    }
}

/// How many bytes of recorded files are not in the lake yet.
pub(crate) fn waiting(changing: &Changing, data: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for path in files(data)? {
        let known = path.metadata().map(|known| known.len()).unwrap_or_default();
        bytes += known.saturating_sub(changing.taken(name(&path)).bytes);
    }
    Ok(bytes)
}

/// Takes in every whole line that is not in the lake yet, and what is known of accounts; `watch` hears of bytes.
pub(crate) fn take_in(
    changing: &mut Changing,
    data: &Path,
    key: &FingerprintKey,
    watch: &mut dyn FnMut(u64),
) -> Result<TakenIn, Failure> {
    let mut all = TakenIn::default();
    for path in files(data)? {
        let stopped = |error| match error {
            Stopped::Lake(error) => Failure::from(error),
            Stopped::Record(error) => Failure::io(format!("`{}` cannot be read", path.display()), error),
        };
        let taken = take_in_file(changing, &path, key, watch).map_err(stopped)?;
        all.files += u64::from(taken.lines > 0);
        all.add(taken);
    }
    take_facts(changing, data)?;
    Ok(all)
}

impl TakenIn {
    /// Adds what another file came to.
    fn add(&mut self, other: TakenIn) {
        self.lines += other.lines;
        self.rows += other.rows;
        self.erased += other.erased;
        self.bad += other.bad;
    }
}

fn files(data: &Path) -> Result<Vec<std::path::PathBuf>, Failure> {
    let folder = data_folder::recorded_in(data);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    segment::files(&folder).map_err(|error| Failure::io(format!("`{}` cannot be read", folder.display()), error))
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Why a file was not taken in to its end.
enum Stopped {
    Lake(LakeError),
    Record(io::Error),
}

impl From<LakeError> for Stopped {
    fn from(error: LakeError) -> Stopped {
        Stopped::Lake(error)
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Stopped {
        Stopped::Record(error)
    }
}

fn take_in_file(
    changing: &mut Changing,
    path: &Path,
    key: &FingerprintKey,
    watch: &mut dyn FnMut(u64),
) -> Result<TakenIn, Stopped> {
    let file = name(path);
    let before = changing.taken(file);
    let fresh = whole_lines(path, before.bytes)?;
    let mut taken = TakenIn::default();
    if fresh == 0 {
        return Ok(taken);
    }
    let until = before.lines.saturating_add(fresh);
    let mut adding = changing.add(Some(file));
    let mut input = open_at(path, before.bytes)?;
    let (mut line, mut bytes) = (Vec::new(), before.bytes);
    for number in before.lines..until {
        line.clear();
        let read = input.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(Stopped::Record(io::Error::other("it is shorter than it was")));
        }
        bytes += read as u64;
        let rows = rows(&line, key, &Origin { file: file.into(), line: number });
        taken.bad += u64::from(rows.is_empty());
        rows.into_iter().try_for_each(|row| adding.push(row))?;
        watch(read as u64);
    }
    let added = adding.finish()?;
    changing.took(file, until, bytes)?;
    (taken.rows, taken.erased, taken.lines) = (added.rows, added.erased, until - before.lines);
    Ok(taken)
}

fn open_at(path: &Path, start: u64) -> io::Result<BufReader<File>> {
    let mut input = File::open(path)?;
    input.seek(SeekFrom::Start(start))?;
    Ok(BufReader::with_capacity(BUFFER_BYTES, input))
}

fn whole_lines(path: &Path, start: u64) -> io::Result<u64> {
    let mut input = open_at(path, start)?;
    let mut lines = 0;
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Ok(lines);
        }
        lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        let length = bytes.len();
        input.consume(length);
    }
}

/// The exchanges of a recorded line: one, or none where it is damaged.
fn rows(line: &[u8], key: &FingerprintKey, origin: &Origin<'_>) -> Vec<Row<'static>> {
    let own = || Some(Origin { file: origin.file.clone().into_owned().into(), line: origin.line });
    if let Some((clear, sealed)) = sealed::split(line) {
        return Row::of_sealed(clear, sealed, own()).into_iter().collect();
    }
    let mut rows = Vec::new();
    let mut see = |exchange: Exchange<'_>| rows.push(Row::of(without_texts(&exchange, key), own()).into_owned());
    if let Ok(text) = std::str::from_utf8(line) {
        // What cannot be read gives no row, which is counted.
        let _ = exchange::read_exchanges(text, &mut Notes::default(), &mut see);
    }
    rows
}
