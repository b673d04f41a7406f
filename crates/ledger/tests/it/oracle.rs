//! Other implementations of the same formats read what is written here, and come to the same.

use std::path::Path;

use proptest::prelude::*;
use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::{Error, Hash as TheirHash, HashReader as _, Tile, TileHashReader, TileReader};
use verify::hash::Hash;
use verify::tree::{Tree, is_continued};

use crate::stand::{NAME, grow, key, open, view};

/// The tiles of a log, as `tlog_tiles` reads them.
struct Files<'f>(&'f Path);

impl TileReader for Files<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        // Its paths name the height, as those of Go's checksum database do.
        let read = |tile: &Tile| {
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            std::fs::read(self.0.join("log").join(&path))
                .map_err(|error| Error::InvalidInput(format!("{path}: {error}")))
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

fn theirs(hash: Hash) -> TheirHash {
    TheirHash(*hash.bytes())
}

fn all_theirs(hashes: Vec<Hash>) -> Vec<TheirHash> {
    hashes.into_iter().map(theirs).collect()
}

/// What `tlog_tiles` makes of a log: the same root and the same proofs, which it takes.
fn compare(folder: &Path, indexes: &[u64], sizes: &[u64]) {
    let view = view(folder);
    let tree = view.checkpoint().unwrap().1.tree();
    let files = Files(folder);
    let root = theirs(tree.root);
    let reader = TileHashReader::new(tree.size, root, &files);
    assert_eq!(tlog_tiles::tree_hash(tree.size, &reader).unwrap(), root);
    for &index in indexes {
        let ours = all_theirs(view.tiles().inclusion(index, tree.size).unwrap());
        assert_eq!(tlog_tiles::prove_record(tree.size, index, &reader).unwrap(), ours, "{index} of {}", tree.size);
        let leaf = tlog_tiles::record_hash(&view.tiles().entry(index, tree.size).unwrap());
        tlog_tiles::check_record(&ours, tree.size, root, index, leaf).unwrap();
        view.receipt(index).unwrap();
    }
    for &old in sizes {
        let ours = view.tiles().continuation(old, tree.size).unwrap();
        let old_root = view.tiles().root(old, tree.size).unwrap();
        assert!(is_continued(Tree { size: old, root: old_root }, tree, &ours), "{old} of {}", tree.size);
        if old > 0 {
            let ours = all_theirs(ours);
            assert_eq!(tlog_tiles::prove_tree(tree.size, old, &reader).unwrap(), ours, "{old} of {}", tree.size);
            tlog_tiles::check_tree(&ours, tree.size, root, old, theirs(old_root)).unwrap();
        }
    }
    assert!(reader.read_hashes(&[]).is_ok());
}

#[test]
fn another_implementation_comes_to_the_same_roots_and_proofs() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let mut size = 0;
    for step in [1, 1, 1, 4, 248, 1, 1, 255, 1, 500, 64_000, 511, 1, 300] {
        grow(&mut ledger, step);
        size += step;
        let some = [0, 1, 2, 7, 254, 255, 256, 511, 512, 65_279, 65_280, 65_535, 65_536, size / 2, size - 1];
        let indexes: Vec<u64> = some.into_iter().filter(|index| *index < size).collect();
        let sizes: Vec<u64> = some.into_iter().chain([size]).filter(|old| *old <= size).collect();
        compare(folder.path(), &indexes, &sizes);
    }
    assert!(size > 65_536, "three levels of tiles");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn however_it_grows_it_is_the_tree_that_others_compute(steps in prop::collection::vec(1_u64..400, 1..6), ends in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(folder.path());
        for step in &steps {
            if ends {
                ledger = open(folder.path());
            }
            grow(&mut ledger, *step);
        }
        let size: u64 = steps.iter().sum();
        let sizes: Vec<u64> = steps.iter().scan(0, |sum, step| { *sum += step; Some(*sum) }).collect();
        compare(folder.path(), &[0, size / 3, size - 1], &sizes);
    }
}

#[test]
fn another_implementation_takes_our_checkpoints_and_keys() {
    let folder = tempfile::tempdir().unwrap();
    grow(&mut open(folder.path()), 300);
    let (note, checkpoint) = view(folder.path()).checkpoint().unwrap();
    let key = key();
    let verifier = StandardVerifier::new(&key.public().to_string()).unwrap();
    let read = Note::from_bytes(note.as_bytes()).unwrap();
    let (verified, _) = read.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((verified.len(), verified[0].name()), (1, NAME));
    let theirs = tlog_tiles::Checkpoint::from_bytes(read.text());
    let theirs = theirs.unwrap();
    assert_eq!((theirs.origin(), theirs.size()), (NAME, 300));
    assert_eq!(theirs.hash().0, *checkpoint.tree().root.bytes());
    // And ours what it signs with the same key.
    let signer = StandardSigner::new(&key.to_text()).unwrap();
    let mut other = Note::new(read.text(), &[]).unwrap();
    other.add_sigs(&[&signer]).unwrap();
    assert_eq!(String::from_utf8(other.to_bytes()).unwrap(), note, "Ed25519 signs the same text alike");
}
