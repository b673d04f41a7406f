//! Served outputs, remembered by a few fingerprints each, to know them again when they come back as input.

use event::Print;
use serde::{Deserialize, Serialize, Serializer};

use crate::limits::OUTPUTS_MAX;
use crate::state::recent::Recent;

/// Fingerprints of recent outputs; the oldest are forgotten beyond [`OUTPUTS_MAX`].
#[derive(Default, Deserialize)]
#[serde(from = "Recent<OUTPUTS_MAX>")]
pub(crate) struct Outputs {
    recent: Recent<OUTPUTS_MAX>,
    /// A bit for each that came, by a hash, made anew from those that are known after so many more: nearly all that is asked quotes
    /// nothing, and is known by it to do so.
    came: Vec<u64>,
    /// How many came since.
    marked: usize,
}

impl Outputs {
    /// Remembers an output by its sketch.
    pub(crate) fn remember(&mut self, sketch: &[u64]) {
        for &key in sketch {
            if self.recent.insert(key) {
                self.mark(key);
            }
        }
    }

    /// Whether what was asked quotes a remembered output at length.
    #[must_use]
    pub(crate) fn echo(&self, asked: &[Print]) -> bool {
        let known = |print: &&Print| self.may_have_come(print.key) && self.recent.has(print.key);
        asked.iter().filter(known).take(ECHO_PRINTS).count() >= ECHO_PRINTS
    }

    fn mark(&mut self, key: u64) {
        self.marked += 1;
        if self.marked > MARKED_MAX {
            self.came.fill(0);
            self.marked = self.recent.len();
            for key in self.recent.iter() {
                set(&mut self.came, key);
            }
        }
        if self.came.is_empty() {
            self.came.resize(BITS / u64::BITS as usize, 0);
        }
        set(&mut self.came, key);
    }

    fn may_have_come(&self, key: u64) -> bool {
        let (word, bit) = place(key);
        self.came.get(word).is_some_and(|word| word & bit != 0)
    }
}

impl From<Recent<OUTPUTS_MAX>> for Outputs {
    fn from(recent: Recent<OUTPUTS_MAX>) -> Outputs {
        let keys: Vec<u64> = recent.iter().collect();
        let mut outputs = Outputs { recent, ..Outputs::default() };
        keys.into_iter().for_each(|key| outputs.mark(key));
        outputs
    }
}

impl Serialize for Outputs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.recent.serialize(serializer)
    }
}

fn set(came: &mut [u64], key: u64) {
    let (word, bit) = place(key);
    if let Some(word) = came.get_mut(word) {
        *word |= bit;
    }
}

/// Where the bit of a fingerprint is: by its low bits, since of those that are chosen the high ones are small.
fn place(key: u64) -> (usize, u64) {
    let bit = key as usize % BITS;
    (bit / u64::BITS as usize, 1 << (bit % u64::BITS as usize))
}

/// Fingerprints in common from which an output counts as quoted.
const ECHO_PRINTS: usize = 4;
/// Bits: eight for each output that is remembered.
const BITS: usize = 8 * OUTPUTS_MAX;
/// So many marked bits are enough: a quarter of all.
const MARKED_MAX: usize = 2 * OUTPUTS_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(keys: std::ops::Range<u64>) -> Vec<Print> {
        keys.map(|key| Print { key, exact: 0 }).collect()
    }

    #[test]
    fn quotations_at_length_are_echoes() {
        let mut outputs = Outputs::default();
        outputs.remember(&[1, 2, 3, 4, 5]);
        assert!(outputs.echo(&asked(2..9)));
        assert!(!outputs.echo(&asked(3..9)));
    }

    #[test]
    fn the_oldest_are_forgotten_at_the_limit() {
        let mut outputs = Outputs::default();
        let keys: Vec<u64> = (0..OUTPUTS_MAX as u64).collect();
        outputs.remember(&keys);
        assert!(outputs.echo(&asked(0..4)));
        outputs.remember(&[u64::MAX]);
        assert!(!outputs.echo(&asked(0..4)));
        assert!(outputs.echo(&asked(1..5)));
    }

    #[test]
    fn what_is_known_is_known_after_marks_were_made_anew_and_after_it_was_read() {
        let mut outputs = Outputs::default();
        for i in 0..=MARKED_MAX as u64 {
            outputs.remember(&[i.wrapping_mul(0x9E37_79B9_7F4A_7C15)]);
        }
        assert!(outputs.marked < MARKED_MAX, "made anew");
        let latest: Vec<Print> = (MARKED_MAX as u64 - 3..=MARKED_MAX as u64)
            .map(|i| Print { key: i.wrapping_mul(0x9E37_79B9_7F4A_7C15), exact: 0 })
            .collect();
        assert!(outputs.echo(&latest));
        let read: Outputs = postcard::from_bytes(&postcard::to_allocvec(&outputs).unwrap()).unwrap();
        assert!(read.echo(&latest));
    }
}
