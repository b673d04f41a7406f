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

use crate::token::Token;

/// Numbers in a vector.
pub const DIMENSIONS: usize = 64;

/// A direction: a vector whose length is about [`LENGTH`], or zero for a text without known words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning(pub [i8; DIMENSIONS]);

/// The length of a [`Meaning`].
pub const LENGTH: f64 = 127.0;

impl Default for Meaning {
    fn default() -> Meaning {
        Meaning([0; DIMENSIONS])
    }
}

impl Meaning {
    /// Whether the text had known words.
    #[must_use]
    pub fn known(&self) -> bool {
        self.0.iter().any(|&number| number != 0)
    }

    /// The meaning of a text.
    #[must_use]
    pub fn of(text: &str) -> Meaning {
        let mut sum = Sum::default();
        crate::token::tokens(text).for_each(|token| sum.add(text, &token));
        sum.meaning()
    }

    /// The cosine of the angle to another; 0 where one is not known.
    #[must_use]
    pub fn cosine(&self, other: &Meaning) -> f64 {
        let product: i32 = self.0.iter().zip(&other.0).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
        f64::from(product) / (LENGTH * LENGTH)
    }
}

/// The sum of word vectors, while a text is read.
#[derive(Clone, Debug)]
pub struct Sum([i32; DIMENSIONS]);

impl Default for Sum {
    fn default() -> Sum {
        Sum([0; DIMENSIONS])
    }
}

impl Sum {
    /// Adds a token of `text`.
    pub fn add(&mut self, text: &str, token: &Token) {
        let table = &*TABLE;
        if let Some(vector) = table.get(token.masked).or_else(|| table.get(shorter(text, token)?)) {
            for (sum, &number) in self.0.iter_mut().zip(vector) {
                *sum += i32::from(number);
            }
        }
    }

    /// The direction of the sum.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        let square: f64 = self.0.iter().map(|&number| f64::from(number) * f64::from(number)).sum();
        if square == 0.0 {
            return Meaning::default();
        }
        let scale = LENGTH / square.sqrt();
        Meaning(self.0.map(|number| (f64::from(number) * scale).round() as i8))
    }
}

/// The hash of a token's first two characters, where words have other words run into them: scripts without spaces, Korean.
fn shorter(text: &str, token: &Token) -> Option<u64> {
    let token = text.get(token.start..token.end)?;
    let first = token.chars().next()?;
    (first >= '\u{0E00}').then(|| crate::token::hash(token.chars().take(2)))
}

/// The table of word vectors.
struct Table {
    /// For each slot one more than the row of the word that hashes there, or 0.
    slots: Vec<u16>,
    keys: Vec<u64>,
    vectors: Vec<[i8; DIMENSIONS]>,
}

impl Table {
    /// Reads the table: the number of words and of dimensions, the hashes of the words, their vectors.
    fn read(bytes: &[u8]) -> Table {
        let rows = bytes.first_chunk().map_or(0, |&rows| u32::from_le_bytes(rows) as usize).min(usize::from(u16::MAX));
        let (keys, vectors) = bytes.get(8..).and_then(|rest| rest.split_at_checked(rows * 8)).unwrap_or_default();
        let keys: Vec<u64> = keys.as_chunks().0.iter().map(|&key| u64::from_le_bytes(key)).collect();
        let vectors = vectors.as_chunks().0.iter().map(|row: &[u8; DIMENSIONS]| row.map(|byte| byte as i8)).collect();
        let mut table = Table { slots: vec![0; SLOTS], keys, vectors };
        for (row, &key) in (1_u16..).zip(&table.keys) {
            let mut slot = slot(key);
            while table.slots.get(slot).is_some_and(|&taken| taken != 0) {
                slot = (slot + 1) % SLOTS;
            }
            if let Some(free) = table.slots.get_mut(slot) {
                *free = row;
            }
        }
        table
    }

    fn get(&self, key: u64) -> Option<&[i8; DIMENSIONS]> {
        let mut slot = slot(key);
        loop {
            let row = usize::from(*self.slots.get(slot)?).checked_sub(1)?;
            if self.keys.get(row) == Some(&key) {
                return self.vectors.get(row);
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

fn slot(key: u64) -> usize {
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 47) as usize % SLOTS
}

/// Twice as many as rows at most, so that there is always a free one.
const SLOTS: usize = 1 << 17;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_bytes!("../data/meaning.bin")));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert!(TABLE.keys.len() > 20_000);
        assert_eq!(TABLE.keys.len(), TABLE.vectors.len());
        assert!(TABLE.keys.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(TABLE.keys.iter().all(|&key| TABLE.get(key).is_some()));
        assert!(TABLE.get(7).is_none());
    }

    #[test]
    fn the_same_in_another_wording_or_language_is_closer_than_something_else() {
        let of = Meaning::of;
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
        assert!(!Meaning::of("").known());
        assert!(!Meaning::of("xqzv 12345 !!").known());
        assert_eq!(Meaning::of("").cosine(&Meaning::of("answer")), 0.0);
    }

    #[test]
    fn a_broken_table_is_an_empty_one() {
        for bytes in [&[][..], &[9, 0, 0, 0], &[255; 40]] {
            let table = Table::read(bytes);
            assert!(table.get(u64::MAX).is_none() && table.get(0).is_none());
        }
    }
}
