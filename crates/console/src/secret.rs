//! Texts that nobody else may know or guess: made, compared, and taken from forms and answers.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize as _, Deserializer};
use zeroize::Zeroizing;

/// No random bytes can be had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoRandom;

/// A text that nobody guesses.
pub(crate) fn random() -> Result<String, NoRandom> {
    let mut bytes = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub(crate) fn same(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// A text that is wiped when it is done with.
pub(crate) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}

/// Such a text, where there is one.
pub(crate) fn some_secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Option::<String>::deserialize(from).map(|text| text.map(Zeroizing::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_each_another_and_the_same_as_themselves_only() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_eq!(URL_SAFE_NO_PAD.decode(&one).unwrap().len(), 32);
        assert!(same(&one, &one) && !same(&one, &other) && !same(&one, &one[..42]) && !same(&one, ""));
    }
}
