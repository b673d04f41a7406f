//! What opens the entries of a ledger, as files beside its log: one for every 256 entries, with a line for each that is there.

use serde::{Deserialize, Serialize};

use crate::entry::Opening;
use crate::tiles::WIDTH;

/// What opens one entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Which entry.
    pub index: u64,
    /// What opens it.
    pub opening: Opening,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not a statement of a ledger: {reason}")]
pub struct BadLine {
    line: usize,
    reason: String,
}

/// The file with what opens the entries from `n` times 256 on, below the folder of statements.
#[must_use]
pub fn path(n: u64) -> String {
    format!("{:06}/{:03}.jsonl", n / 1_000, n % 1_000)
}

/// Which file the entry `index` is in.
#[must_use]
pub fn file_of(index: u64) -> u64 {
    index / WIDTH
}

/// The lines of the `n`-th file, in the order of their entries, and whether it ends with a whole one: a last line without its end was not written whole, and is passed over.
///
/// # Errors
///
/// When a whole line cannot be read, or is for an entry that belongs elsewhere or had its line before.
pub fn read(bytes: &[u8], n: u64) -> Result<(Vec<Line>, bool), BadLine> {
    let (whole, rest) = bytes.split_at(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    let lines = (1..).zip(whole.split(|byte| *byte == b'\n')).filter(|(_, line)| !line.is_empty());
    let mut next = n.saturating_mul(WIDTH);
    let end = next.saturating_add(WIDTH);
    let parsed = lines.map(|(line, text)| {
        let wrong = |reason: String| BadLine { line, reason };
        let one: Line = serde_json::from_slice(text).map_err(|error| wrong(error.to_string()))?;
        if !(next..end).contains(&one.index) {
            return Err(wrong(format!("it is for entry {}; expected one from {next} to {}", one.index, end - 1)));
        }
        next = one.index + 1;
        Ok(one)
    });
    Ok((parsed.collect::<Result<_, _>>()?, rest.is_empty()))
}
