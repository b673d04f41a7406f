//! The right edge of a log: what is needed to append to it, and the files that appending makes.

use verify::hash::{HASH_BYTES, Hash};
use verify::tiles::{BadTiles, Of, Source, Tiles, WIDTH, of_row, path, width};
use verify::tree::Tree;

/// What of a log is not in full tiles yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    size: u64,
    /// By level, the hashes of the tile that is not full.
    levels: Vec<Vec<Hash>>,
    /// The entries of the bundle that is not full, as they are in its file.
    bundle: Vec<u8>,
}

/// A file of the log: its path in the log, and what is in it.
pub(crate) type File = (String, Vec<u8>);

impl Edge {
    /// The edge of a log of `size` entries.
    pub(crate) fn read<S: Source>(tiles: &Tiles<S>, size: u64) -> Result<Edge, BadTiles> {
        let mut edge = Edge { size, ..Edge::default() };
        for level in 0.. {
            let on_level = size.checked_shr(level * 8).unwrap_or(0);
            if on_level == 0 {
                break;
            }
            let n = on_level / WIDTH;
            edge.levels.push(if on_level.is_multiple_of(WIDTH) { Vec::new() } else { tiles.hashes(level, n, size)? });
        }
        if !size.is_multiple_of(WIDTH) {
            for entry in tiles.entries(size / WIDTH, size)? {
                edge.add_to_bundle(&entry);
            }
        }
        Ok(edge)
    }

    pub(crate) fn tree(&self) -> Tree {
        let mut root: Option<Hash> = None;
        for level in &self.levels {
            // What came of the levels below stands for fewer entries than each hash here.
            let row: Vec<Hash> = level.iter().copied().chain(root).collect();
            root = of_row(&row);
        }
        Tree { size: self.size, root: root.unwrap_or_else(Hash::of_nothing) }
    }

    /// Appends entries; the files that have to be there before a checkpoint says so.
    pub(crate) fn append(&mut self, entries: &[Vec<u8>]) -> Vec<File> {
        let mut files = Vec::new();
        let before = self.size;
        for entry in entries {
            self.add_to_bundle(entry);
            self.add(0, Hash::of_leaf(entry), &mut files);
            self.size += 1;
            if self.size.is_multiple_of(WIDTH) {
                let bundle = std::mem::take(&mut self.bundle);
                files.push((path(Of::Entries, self.size / WIDTH - 1, WIDTH), bundle));
            }
        }
        if !self.size.is_multiple_of(WIDTH) {
            files.push((path(Of::Entries, self.size / WIDTH, self.size % WIDTH), self.bundle.clone()));
        }
        for (level, hashes) in (0..).zip(&self.levels) {
            let n = self.size.checked_shr(level * 8).unwrap_or(0) / WIDTH;
            // One that did not grow is there.
            let is_new = width(level, n, before) < hashes.len() as u64;
            if !hashes.is_empty() && is_new {
                files.push((path(Of::Hashes(level), n, hashes.len() as u64), bytes_of(hashes)));
            }
        }
        files
    }

    fn add_to_bundle(&mut self, entry: &[u8]) {
        let length = u16::try_from(entry.len()).unwrap_or_else(|_| unreachable!("lengths are checked before"));
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(entry);
    }

    /// Adds a hash to a level; one that fills its tile makes one for the level above.
    fn add(&mut self, level: u32, hash: Hash, files: &mut Vec<File>) {
        while self.levels.len() <= level as usize {
            self.levels.push(Vec::new());
        }
        let Some(row) = self.levels.get_mut(level as usize) else { return };
        row.push(hash);
        if (row.len() as u64) < WIDTH {
            return;
        }
        let full = std::mem::take(row);
        // This entry is not counted yet.
        let n = (self.size + 1).checked_shr(level * 8).unwrap_or(0) / WIDTH - 1;
        files.push((path(Of::Hashes(level), n, WIDTH), bytes_of(&full)));
        if let Some(above) = of_row(&full) {
            self.add(level + 1, above, files);
        }
    }
}

fn bytes_of(hashes: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * HASH_BYTES);
    hashes.iter().for_each(|hash| bytes.extend_from_slice(hash.bytes()));
    bytes
}
