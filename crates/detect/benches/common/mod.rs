//! What the benchmarks have in common.

/// A word for a number: digits would count as a slot.
pub(crate) fn word(mut number: u64) -> String {
    let mut word = String::new();
    while number > 0 || word.is_empty() {
        word.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    word + "on"
}
