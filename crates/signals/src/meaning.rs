//! Meaning: where a text lies among all texts, by the mean of its words' vectors.
//!
//! Promises that texts which say the same in other words, or in another language of the list, lie closer together than texts
//! that say something else. It is coarse: word order does not matter, and a word that is not in the table counts nothing. So it
//! is good for comparing what *groups* ask on average, and no verdict on one text.
//!
//! The table (`data/meaning.bin`, 8 bits a number) is part of the program; `tools/meaning/derive` makes it anew and says from
//! what. Weighted means of word vectors are a strong baseline for sentences (Arora, Liang and Ma, "A simple but tough-to-beat
//! baseline for sentence embeddings", ICLR 2017). O(tokens), a microsecond or two for a usual request.

use std::sync::LazyLock;

use event::Meaning;
use event::meaning::{DIMENSIONS, LENGTH};

use crate::token::Token;

/// The meaning of a text.
#[must_use]
pub fn of(text: &str) -> Meaning {
    let mut sum = Sum::default();
    crate::token::tokens(text).for_each(|token| sum.add(text, &token));
    sum.meaning()
}

/// The sum of word vectors, while a text is read.
#[derive(Clone, Debug)]
pub struct Sum {
    /// Of all but the last few words.
    total: [i32; DIMENSIONS],
    /// Of the last few words: half the width, which is what makes a sum twice as fast.
    last: [i16; DIMENSIONS],
    /// How many words these are.
    words: u8,
}

impl Default for Sum {
    fn default() -> Sum {
        Sum { total: [0; DIMENSIONS], last: [0; DIMENSIONS], words: 0 }
    }
}

impl Sum {
    /// Adds a token of `text`.
    pub fn add(&mut self, text: &str, token: &Token) {
        let table = &*TABLE;
        let Some(vector) = table.get(token.masked).or_else(|| table.get(shorter(text, token)?)) else { return };
        for (sum, &number) in self.last.iter_mut().zip(vector) {
            // 255 words of 127 at most: cannot overflow, and saying so lets it run in parallel lanes.
            *sum = sum.wrapping_add(i16::from(number));
        }
        self.words += 1;
        if self.words == u8::MAX {
            self.carry();
        }
    }

    /// Adds what another text comes to.
    pub fn add_sum(&mut self, other: &Sum) {
        for (sum, (total, last)) in self.total.iter_mut().zip(other.total.iter().zip(&other.last)) {
            *sum = sum.saturating_add(*total).saturating_add(i32::from(*last));
        }
    }

    fn carry(&mut self) {
        for (sum, number) in self.total.iter_mut().zip(&mut self.last) {
            *sum = sum.saturating_add(i32::from(std::mem::take(number)));
        }
        self.words = 0;
    }

    /// The direction of the sum.
    #[must_use]
    pub fn meaning(mut self) -> Meaning {
        self.carry();
        let square: i64 = self.total.iter().map(|&number| i64::from(number) * i64::from(number)).sum();
        if square == 0 {
            return Meaning::default();
        }
        let scale = (LENGTH / (square as f64).sqrt()) as f32;
        Meaning(self.total.map(|number| {
            let scaled = number as f32 * scale;
            // Rounds half away from zero, without a call.
            (scaled + 0.5_f32.copysign(scaled)) as i8
        }))
    }
}

/// The hash of a token's first two characters, where words have other words run into them: scripts without spaces, Korean.
fn shorter(text: &str, token: &Token) -> Option<u64> {
    // Scripts of the first blocks are spaced and have short codes.
    text.as_bytes().get(token.start).filter(|&&byte| byte >= 0xE0)?;
    let token = text.get(token.start..token.end)?;
    let first = token.chars().next()?;
    (first >= '\u{0E00}').then(|| crate::token::hash(token.chars().take(2)))
}

/// The table of word vectors.
struct Table {
    /// For each slot some bits of the hash of the word there, and one more than its row; or 0. Few bits, so that the slots fit
    /// a processor's cache: an unknown word passes for a known one once in tens of thousands.
    slots: Vec<(u16, u16)>,
    vectors: Vec<[i8; DIMENSIONS]>,
}

impl Table {
    /// Reads the table: the number of words and of dimensions, the hashes of the words, their vectors.
    fn read(bytes: &[u8]) -> Table {
        let rows = bytes.first_chunk().map_or(0, |&rows| u32::from_le_bytes(rows) as usize).min(ROWS_MAX);
        let (keys, vectors) = bytes.get(8..).and_then(|rest| rest.split_at_checked(rows * 8)).unwrap_or_default();
        let vectors = vectors.as_chunks().0.iter().map(|row: &[u8; DIMENSIONS]| row.map(|byte| byte as i8)).collect();
        let mut table = Table { slots: vec![(0, 0); SLOTS], vectors };
        for (row, &key) in (1_u16..).zip(keys.as_chunks().0) {
            let (mut slot, bits) = place(u64::from_le_bytes(key));
            while table.slots.get(slot).is_some_and(|&(_, taken)| taken != 0) {
                slot = (slot + 1) % SLOTS;
            }
            if let Some(free) = table.slots.get_mut(slot) {
                *free = (bits, row);
            }
        }
        table
    }

    fn get(&self, key: u64) -> Option<&[i8; DIMENSIONS]> {
        let (mut slot, bits) = place(key);
        loop {
            let &(found, row) = self.slots.get(slot)?;
            let row = usize::from(row).checked_sub(1)?;
            if found == bits {
                return self.vectors.get(row);
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

/// Where a word is looked for, and the bits by which it is known there.
fn place(key: u64) -> (usize, u16) {
    let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((hash >> 48) as usize % SLOTS, (hash >> 32) as u16)
}

/// More than rows, so that there is always a free one.
const SLOTS: usize = 1 << 16;
/// Rows, at most; further words are unknown.
const ROWS_MAX: usize = SLOTS / 4 * 3;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_bytes!("../data/meaning.bin")));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let words = TABLE.slots.iter().filter(|slot| slot.1 > 0).count();
        assert!(words > 20_000);
        assert_eq!(words, TABLE.vectors.len());
        assert!(TABLE.get(7).is_none());
    }

    #[test]
    fn the_same_in_another_wording_or_language_is_closer_than_something_else() {
        let of = super::of;
        let grade = of("Rate the answer, score its quality and accuracy.");
        let others = ["Cook the soup with vegetables.", "Translate the letter."];
        for same in [
            "Judge how accurate the response is and give it a grade.",
            "Bewerte die Antwort: Qualität und Genauigkeit.",
            "Evalúa la respuesta: calidad y precisión.",
            "请评价回答的质量和准确性。",
        ] {
            let near = grade.cosine(&of(same));
            for other in others {
                let far = grade.cosine(&of(other));
                assert!(near > far + 0.15, "{same}: {near:.2}, {other}: {far:.2}");
            }
        }
    }

    #[test]
    fn a_text_without_known_words_has_no_meaning() {
        assert!(!of("").known());
        assert!(!of("xqzv 12345 !!").known());
        assert_eq!(of("").cosine(&of("answer")), 0.0);
    }

    #[test]
    fn a_long_text_means_what_it_repeats() {
        assert_eq!(of(&"score the answer ".repeat(4000)), of("score the answer"));
    }

    #[test]
    fn a_broken_table_is_an_empty_one() {
        for bytes in [&[][..], &[9, 0, 0, 0], &[255; 40]] {
            let table = Table::read(bytes);
            assert!(table.get(u64::MAX).is_none() && table.get(0).is_none());
        }
    }
}
