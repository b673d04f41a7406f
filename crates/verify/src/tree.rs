//! Proofs about a Merkle tree: that an entry is in it, and that one tree goes on from another.
//!
//! Promises that a proof is taken only for what it proves (RFC 9162, sections 2.1.3.2 and 2.1.4.2, whose trees are those of RFC 6962). Knows
//! nothing of where hashes are kept.

use crate::hash::Hash;
use crate::limits::PROOF_HASHES_MAX;

/// Whether `proof` shows that `leaf` is the entry `index` of the tree of `size` entries with this root.
#[must_use]
pub fn is_included(index: u64, size: u64, leaf: Hash, proof: &[Hash], root: Hash) -> bool {
    if index >= size || proof.len() > PROOF_HASHES_MAX {
        return false;
    }
    let (mut place, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if place % 2 == 1 || place == last {
            hash = Hash::of_node(sibling, &hash);
            // The right edge of the tree has no sibling on levels where it stands alone.
            while place != 0 && place.is_multiple_of(2) {
                place /= 2;
                last /= 2;
            }
        } else {
            hash = Hash::of_node(&hash, sibling);
        }
        place /= 2;
        last /= 2;
    }
    last == 0 && hash == root
}

/// The root of the tree with these leaves.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of_nothing(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(split(more.len()));
            Hash::of_node(&root(left), &root(right))
        }
    }
}

/// What shows that the leaf `index` is in the tree with these leaves; nothing where there is no such leaf.
#[must_use]
pub fn inclusion(leaves: &[Hash], index: usize) -> Vec<Hash> {
    let (mut leaves, mut index, mut proof) = (leaves, index, Vec::new());
    while leaves.len() > 1 && index < leaves.len() {
        let (left, right) = leaves.split_at(split(leaves.len()));
        if index < left.len() {
            proof.push(root(right));
            leaves = left;
        } else {
            proof.push(root(left));
            (leaves, index) = (right, index - left.len());
        }
    }
    proof.reverse();
    proof
}

/// The largest power of two that is less than `count`, of at least 2.
fn split(count: usize) -> usize {
    1 << (count - 1).ilog2()
}

/// A tree, as whoever signs it says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree {
    /// How many entries it has.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// Whether `proof` shows that the entries of `old` are the first of those of `new`.
#[must_use]
pub fn is_continued(old: Tree, new: Tree, proof: &[Hash]) -> bool {
    if old.size > new.size || proof.len() > PROOF_HASHES_MAX {
        return false;
    }
    if old.size == new.size {
        return proof.is_empty() && old.root == new.root;
    }
    if old.size == 0 {
        return proof.is_empty() && old.root == Hash::of_nothing();
    }
    let mut path = proof.iter();
    let first = if old.size.is_power_of_two() { Some(&old.root) } else { path.next() };
    let Some(first) = first else { return false };
    let (mut place, mut last) = (old.size - 1, new.size - 1);
    while place % 2 == 1 {
        place /= 2;
        last /= 2;
    }
    let (mut old_root, mut new_root) = (*first, *first);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place % 2 == 1 || place == last {
            old_root = Hash::of_node(sibling, &old_root);
            new_root = Hash::of_node(sibling, &new_root);
            while place != 0 && place.is_multiple_of(2) {
                place /= 2;
                last /= 2;
            }
        } else {
            new_root = Hash::of_node(&new_root, sibling);
        }
        place /= 2;
        last /= 2;
    }
    last == 0 && old_root == old.root && new_root == new.root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_of_small_trees_is_shown_and_no_other() {
        for size in 1..40_usize {
            let leaves: Vec<Hash> = (0..size).map(|n| Hash::of_leaf(&[n as u8])).collect();
            let root = root(&leaves);
            for index in 0..size {
                let proof = inclusion(&leaves, index);
                for (other, leaf) in leaves.iter().enumerate() {
                    let is_it = is_included(other as u64, size as u64, *leaf, &proof, root);
                    assert_eq!(is_it, other == index, "{other} by the proof of {index} of {size}");
                }
            }
            assert!(inclusion(&leaves, size).is_empty());
        }
    }
}
