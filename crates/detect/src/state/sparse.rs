//! An array of which most numbers are zero and take no room: a bit each says which are kept.

use serde::{Deserialize, Serialize};

use crate::state::{room, written};

/// Of `64 * WORDS` numbers those that were ever touched.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Written<T, WORDS>")]
pub(crate) struct Sparse<T, const WORDS: usize> {
    /// A bit for each place.
    #[serde(with = "written::array")]
    kept: [u64; WORDS],
    /// How many are kept of the places before each word of bits: to count them anew for every number takes longest of all.
    #[serde(skip)]
    before: [u16; WORDS],
    /// The numbers kept, in the order of their places; as many as there are bits.
    values: Vec<T>,
}

/// What is written of one.
#[derive(Deserialize)]
struct Written<T, const WORDS: usize> {
    #[serde(with = "written::array")]
    kept: [u64; WORDS],
    values: Vec<T>,
}

impl<T, const WORDS: usize> From<Written<T, WORDS>> for Sparse<T, WORDS> {
    fn from(Written { kept, values }: Written<T, WORDS>) -> Self {
        let mut sum = 0;
        let before = kept.map(|bits| {
            let before = sum;
            sum += bits.count_ones() as u16;
            before
        });
        Sparse { kept, before, values }
    }
}

impl<T, const WORDS: usize> Default for Sparse<T, WORDS> {
    fn default() -> Self {
        const { assert!(WORDS * 64 <= u16::MAX as usize) };
        Sparse { kept: [0; WORDS], before: [0; WORDS], values: Vec::new() }
    }
}

impl<T: Copy + Default, const WORDS: usize> Sparse<T, WORDS> {
    /// The number at `place`.
    #[must_use]
    pub(crate) fn get(&self, place: usize) -> T {
        match self.find(place) {
            Some((at, true)) => self.values.get(at).copied().unwrap_or_default(),
            _ => T::default(),
        }
    }

    /// The number at `place`, to change; none beyond the end.
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let (at, kept) = self.find(place)?;
        if !kept {
            room::for_one_more(&mut self.values, 4);
            self.values.insert(at.min(self.values.len()), T::default());
            *self.kept.get_mut(place / 64)? |= 1 << (place % 64);
            self.before.iter_mut().skip(place / 64 + 1).for_each(|before| *before += 1);
        }
        self.values.get_mut(at)
    }

    /// The numbers kept, each with its place, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, T)> + '_ {
        let places = (0..).zip(&self.kept).flat_map(|(word, &bits)| ones(bits).map(move |bit| word * 64 + bit));
        places.zip(self.values.iter().copied())
    }

    /// Where among those kept the number at `place` is or would be, and whether it is.
    fn find(&self, place: usize) -> Option<(usize, bool)> {
        let (bits, before) = (self.kept.get(place / 64)?, self.before.get(place / 64)?);
        let below = bits & ((1 << (place % 64)) - 1);
        Some((usize::from(*before) + below.count_ones() as usize, bits >> (place % 64) & 1 == 1))
    }
}

/// The places of the bits that are set.
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (bits != 0).then(|| bits.trailing_zeros())?;
        bits &= bits - 1;
        Some(bit as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_holds_what_an_array_holds(added in prop::collection::vec((0_usize..200, 1_u32..9), 0..80)) {
            let (mut sparse, mut dense) = (Sparse::<u32, 3>::default(), [0_u32; 192]);
            for (place, by) in added {
                prop_assert_eq!(sparse.get_mut(place).map(|number| *number += by), dense.get_mut(place).map(|number| *number += by));
            }
            let written = postcard::to_allocvec(&sparse).unwrap();
            let read: Sparse<u32, 3> = postcard::from_bytes(&written).unwrap();
            prop_assert!((0..200).all(|place| sparse.get(place) == dense.get(place).copied().unwrap_or(0)));
            prop_assert!((0..200).all(|place| read.get(place) == sparse.get(place)));
            let kept: Vec<(usize, u32)> = sparse.iter().collect();
            let expected: Vec<(usize, u32)> = dense.into_iter().enumerate().filter(|&(_, number)| number > 0).collect();
            prop_assert_eq!(kept, expected);
        }
    }
}
