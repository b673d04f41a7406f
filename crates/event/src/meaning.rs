//! Where a text lies among all texts: a direction, coarse enough to compare what groups ask on average.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

    /// The cosine of the angle to another; 0 where one is not known.
    #[must_use]
    pub fn cosine(&self, other: &Meaning) -> f64 {
        let product: i32 = self.0.iter().zip(&other.0).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
        f64::from(product) / (LENGTH * LENGTH)
    }
}

/// Its numbers as bytes.
impl Serialize for Meaning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0)
    }
}

impl<'de> Deserialize<'de> for Meaning {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Meaning, D::Error> {
        let numbers = Vec::<i8>::deserialize(deserializer)?;
        let found = numbers.len();
        let numbers = numbers.try_into();
        numbers.map(Meaning).map_err(|_| D::Error::custom(format_args!("expected {DIMENSIONS} numbers, found {found}")))
    }
}
