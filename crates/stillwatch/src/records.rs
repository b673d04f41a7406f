//! Recorded lines, committed to by the ledger: which line was recorded in which place, shown without the others.
//!
//! Promises that every whole line of a recorded file is in one batch at least, whose root an entry of the ledger has. Beside the ledger stand, for each
//! recorded file, the hashes of its lines and which entry has which batch, so that a line can be shown to have been there also when its neighbours are gone.
//! A batch that was put down just before a crash may be put down twice.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use ::ledger::{Ledger, View};
use exchange::Time;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::segment;
use verify::entry::Statement;
use verify::hash::{HASH_BYTES, Hash};
use verify::tree;

use crate::failure::Failure;
use crate::ledgers;

/// Where hashes of lines and batches are, in the folder of a ledger.
const FOLDER: &str = "records";
/// Lines of a batch. Further ones are in the next.
const LINES_MAX: u64 = 65_536;
/// Bytes of lines that are read for one batch.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Batches that are put down at once. What is left is put down the next time.
const BATCHES_MAX: usize = 64;

/// Lines of a file that one entry commits to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// The number of the first, counted from 0.
    pub(crate) first: u64,
    /// How many.
    pub(crate) lines: u64,
    /// Where the last one ends in the file.
    pub(crate) end: u64,
    /// The entry.
    pub(crate) entry: u64,
}

/// That a line was recorded: its place in a batch, and what leads from it to the root that the entry has.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) batch: Batch,
    pub(crate) proof: Vec<Hash>,
}

/// What is known of one recorded file.
struct Known {
    hashes: PathBuf,
    batches: PathBuf,
}

impl Known {
    fn of(data: &Path, file: &str) -> Known {
        let folder = ledgers::folder(data).join(FOLDER);
        Known { hashes: folder.join(format!("{file}.hashes")), batches: folder.join(format!("{file}.batches")) }
    }

    /// The batches that there are. A last line that a crash cut off was never acknowledged.
    fn batches(&self) -> io::Result<Vec<Batch>> {
        let text = match fs::read_to_string(&self.batches) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).map_err(io::Error::other))
            .collect()
    }

    /// Keeps the hashes of a batch, behind those of the batches before it.
    fn keep_hashes(&self, first: u64, leaves: &[Hash]) -> io::Result<()> {
        if let Some(folder) = self.hashes.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(&self.hashes)?;
        file.seek(SeekFrom::Start(first * HASH_BYTES as u64))?;
        let bytes: Vec<u8> = leaves.iter().flat_map(|leaf| *leaf.bytes()).collect();
        file.write_all(&bytes)?;
        file.sync_data()
    }

    /// Keeps which entry has a batch.
    fn keep_batch(&self, batches: &[Batch]) -> io::Result<()> {
        let mut text = Vec::new();
        for batch in batches {
            serde_json::to_writer(&mut text, batch)?;
            text.push(b'\n');
        }
        store::whole::write(&self.batches, &text)
    }

    /// The hashes of a batch's lines.
    fn leaves(&self, batch: &Batch) -> io::Result<Vec<Hash>> {
        let mut file = File::open(&self.hashes)?;
        file.seek(SeekFrom::Start(batch.first * HASH_BYTES as u64))?;
        let mut bytes = vec![0; batch.lines as usize * HASH_BYTES];
        io::Read::read_exact(&mut file, &mut bytes)?;
        let (hashes, _) = bytes.as_chunks::<HASH_BYTES>();
        Ok(hashes.iter().map(|bytes| Hash::new(*bytes)).collect())
    }
}

/// Lines that are in no batch yet.
struct Fresh {
    leaves: Vec<Hash>,
    end: u64,
}

/// The whole lines of a file from `start` on, up to the limits of a batch.
fn fresh(path: &Path, start: u64) -> io::Result<Fresh> {
    let mut input = File::open(path)?;
    input.seek(SeekFrom::Start(start))?;
    let mut input = BufReader::with_capacity(1 << 18, input);
    let (mut leaves, mut end, mut line) = (Vec::new(), start, Vec::new());
    while (leaves.len() as u64) < LINES_MAX && end - start < BYTES_MAX {
        line.clear();
        input.read_until(b'\n', &mut line)?;
        let Some(whole) = line.strip_suffix(b"\n") else { break };
        leaves.push(Hash::of_leaf(whole));
        end += line.len() as u64;
    }
    Ok(Fresh { leaves, end })
}

/// Puts down what was recorded since the last time; how many lines.
pub(crate) fn put_down(ledger: &mut Ledger, data: &Path, now: Time) -> Result<u64, Failure> {
    let folder = data.join("exchanges");
    let failed =
        |error: io::Error| Failure::io(format!("the records in `{}` cannot be put down", folder.display()), error);
    if !folder.is_dir() {
        return Ok(0);
    }
    let (mut count, mut batches_now) = (0, 0);
    for path in segment::files(&folder).map_err(failed)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let known = Known::of(data, name);
        let mut batches = known.batches().map_err(failed)?;
        while batches_now < BATCHES_MAX {
            let (first, start) = batches.last().map_or((0, 0), |last| (last.first + last.lines, last.end));
            let is_longer = fs::metadata(&path).map(|file| file.len() > start);
            // It may have been removed meanwhile, as the oldest of too much.
            if !is_longer.unwrap_or(false) {
                break;
            }
            let Fresh { leaves, end } = fresh(&path, start).map_err(failed)?;
            if leaves.is_empty() {
                break;
            }
            let lines = leaves.len() as u64;
            known.keep_hashes(first, &leaves).map_err(failed)?;
            let detail = json!({"first": first, "lines": lines});
            let kind = verify::recorded::KIND;
            let statement = ledgers::statement(kind, "stillwatch", format!("record:{name}"), detail);
            let statement = Statement { after: Some(tree::root(&leaves).to_hex()), ..statement };
            let entry = ledgers::append(ledger, data, now, vec![statement])?.start;
            batches.push(Batch { first, lines, end, entry });
            known.keep_batch(&batches).map_err(failed)?;
            (count, batches_now) = (count + lines, batches_now + 1);
        }
    }
    Ok(count)
}

/// Puts down all that was recorded so far.
pub(crate) fn put_down_all(ledger: &mut Ledger, data: &Path, now: Time) -> Result<(), Failure> {
    while put_down(ledger, data, now)? > 0 {}
    Ok(())
}

/// Where the `line`-th line of a recorded file is committed to; none where it is not yet.
pub(crate) fn place(data: &Path, file: &str, line: u64) -> io::Result<Option<Place>> {
    let known = Known::of(data, file);
    let batch = known.batches()?.into_iter().find(|batch| (batch.first..batch.first + batch.lines).contains(&line));
    let Some(batch) = batch else { return Ok(None) };
    let proof = tree::inclusion(&known.leaves(&batch)?, (line - batch.first) as usize);
    Ok(Some(Place { batch, proof }))
}

/// A batch, and its leaves once somebody looked.
type Looked = (Batch, Option<Vec<Hash>>);

/// Recorded lines as the ledger has them, for many lines one after the other.
pub(crate) struct Committed<'v> {
    view: &'v View,
    data: &'v Path,
    /// The batches of files that were asked for, each with its leaves once they were found to be those of its entry.
    files: BTreeMap<String, Vec<Looked>>,
}

impl<'v> Committed<'v> {
    pub(crate) fn new(view: &'v View, data: &'v Path) -> Committed<'v> {
        Committed { view, data, files: BTreeMap::new() }
    }

    /// The hash of a line; none where no entry has it. Says in words where what stands beside the ledger is not what its entry has.
    pub(crate) fn leaf(&mut self, file: &str, line: u64) -> Result<Option<Hash>, String> {
        let known = Known::of(self.data, file);
        if !self.files.contains_key(file) {
            let batches = known.batches().map_err(|error| error.to_string())?;
            self.files.insert(file.to_owned(), batches.into_iter().map(|batch| (batch, None)).collect());
        }
        let batches = self.files.get_mut(file).into_iter().flatten();
        let mut fitting = batches.filter(|(batch, _)| (batch.first..batch.first + batch.lines).contains(&line));
        let Some((batch, leaves)) = fitting.next() else { return Ok(None) };
        let leaves = match leaves {
            Some(leaves) => leaves,
            None => {
                let read = known.leaves(batch).map_err(|error| error.to_string())?;
                let root = tree::root(&read).to_hex();
                let size = self.view.checkpoint().map_err(|error| error.to_string())?.1.tree().size;
                let entry = self.view.entry(batch.entry, size).map_err(|error| error.to_string())?;
                let has = entry.statement.filter(|statement| statement.kind == verify::recorded::KIND);
                if has.and_then(|statement| statement.after) != Some(root) {
                    return Err(format!("entry {} of the ledger is not that of its line", batch.entry));
                }
                leaves.insert(read)
            }
        };
        Ok(leaves.get((line - batch.first) as usize).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_hashed_up_to_the_limits() {
        let path = std::env::temp_dir().join(format!("stillwatch-records-{}.jsonl", std::process::id()));
        fs::write(&path, "one\ntwo\nthr").unwrap();
        let read = fresh(&path, 0).unwrap();
        assert_eq!((read.leaves, read.end), (vec![Hash::of_leaf(b"one"), Hash::of_leaf(b"two")], 8));
        assert!(fresh(&path, 8).unwrap().leaves.is_empty());
        fs::write(&path, "\n".repeat(LINES_MAX as usize + 1)).unwrap();
        assert_eq!(fresh(&path, 0).unwrap().leaves.len() as u64, LINES_MAX);
        assert_eq!(fresh(&path, LINES_MAX).unwrap().leaves.len(), 1);
        fs::remove_file(&path).unwrap();
    }
}
