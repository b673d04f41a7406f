//! The latest of many numbers, to know them when they come again.

use std::collections::{HashSet, VecDeque};

use foldhash::fast::FixedState;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Numbers that came lately, at most `MAX` of them; the oldest are forgotten.
#[derive(Debug, Default)]
pub(crate) struct Recent<const MAX: usize> {
    known: HashSet<u64, FixedState>,
    order: VecDeque<u64>,
}

impl<const MAX: usize> Recent<MAX> {
    /// Remembers a number. Whether it is new; one that is known stays as old as it is.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        let new = self.known.insert(number);
        if new {
            self.order.push_back(number);
        }
        while self.order.len() > MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        new
    }

    /// How many are known.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Those that are known, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.order.iter().copied()
    }

    /// Whether a number came lately.
    #[must_use]
    pub(crate) fn has(&self, number: u64) -> bool {
        self.known.contains(&number)
    }
}

/// The numbers, oldest first.
impl<const MAX: usize> Serialize for Recent<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.order)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Recent<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Recent<MAX>, D::Error> {
        let mut recent = Recent::default();
        Vec::<u64>::deserialize(deserializer)?.into_iter().for_each(|number| {
            recent.insert(number);
        });
        Ok(recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_at_the_limit_and_a_copy_knows_the_same() {
        let mut recent = Recent::<3>::default();
        assert!([1, 2, 3].into_iter().all(|number| recent.insert(number)) && recent.has(1));
        assert!(!recent.insert(1), "known, and not younger for that");
        assert!(recent.insert(4) && !recent.has(1) && recent.has(2));
        let mut copy: Recent<3> = postcard::from_bytes(&postcard::to_allocvec(&recent).unwrap()).unwrap();
        assert!(copy.insert(5) && !copy.has(2) && copy.has(3));
    }
}
