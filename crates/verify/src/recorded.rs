//! Recorded lines: that one was recorded, in which file and place, by an entry that commits to a batch of lines.
//!
//! Promises that a line counts only where the proof leads from it to the root that the entry's statement has.

use crate::entry::Statement;
use crate::hash::Hash;
use crate::tree::is_included;

/// The kind of entries that commit to recorded lines.
pub const KIND: &str = "records";

/// Whether a statement commits to `line`, given without its newline, as the `number`-th of its file, counted from 0.
#[must_use]
pub fn is_committed(statement: &Statement, line: &[u8], number: u64, proof: &[Hash]) -> bool {
    let of = |name: &str| statement.detail.get(name).and_then(serde_json::Value::as_u64);
    let root = statement.after.as_deref().and_then(Hash::from_hex);
    let (Some(first), Some(lines), Some(root)) = (of("first"), of("lines"), root) else { return false };
    let Some(place) = number.checked_sub(first) else { return false };
    statement.kind == KIND && is_included(place, lines, Hash::of_leaf(line), proof, root)
}

/// The file that a statement commits to lines of.
#[must_use]
pub fn file(statement: &Statement) -> Option<&str> {
    statement.subject.strip_prefix("record:")
}
