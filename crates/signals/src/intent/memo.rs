//! What texts mean that were read before: system prompts and the earlier turns of a conversation come again with every request.
//!
//! Promises what reading the text anew would give: it is known by a hash that nobody finds a second text for. Each thread
//! remembers for itself, so that none waits for another, and at most [`KNOWN_MAX`] texts; at more it begins anew.

use std::cell::RefCell;
use std::collections::HashMap;

use event::Intents;
use foldhash::fast::FixedState;

/// The meanings of `text`, by `read` if it was not read before.
pub(super) fn remembered(text: &str, read: impl FnOnce(&str) -> Intents) -> Intents {
    if text.len() < KNOWN_BYTES_MIN {
        return read(text);
    }
    let key = *blake3::hash(text.as_bytes()).as_bytes();
    if let Some(known) = KNOWN.with_borrow(|known| known.get(&key).copied()) {
        return known;
    }
    let intents = read(text);
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(key, intents);
    });
    intents
}

thread_local! {
    static KNOWN: RefCell<HashMap<[u8; 32], Intents, FixedState>> = RefCell::default();
}

/// Texts that a thread remembers.
const KNOWN_MAX: usize = 16_384;
/// A text of fewer bytes is read as fast as it is hashed and found.
const KNOWN_BYTES_MIN: usize = 48;

#[cfg(test)]
mod tests {
    use event::Capability;

    use super::*;

    #[test]
    fn a_text_is_read_once_and_forgotten_for_newer_ones() {
        let mut all = Intents::default();
        all.add(Capability::Coding, true);
        let text = |number: usize| format!("{number:0width$}", width = KNOWN_BYTES_MIN);
        let is_read = |text: &str| {
            let mut read = false;
            let found = remembered(text, |_| {
                read = true;
                all
            });
            assert_eq!(found, all);
            read
        };
        assert!(is_read(&text(0)) && !is_read(&text(0)));
        let short = "x".repeat(KNOWN_BYTES_MIN - 1);
        assert!(is_read(&short) && is_read(&short), "too short to be worth it");
        (1..KNOWN_MAX).for_each(|number| assert!(is_read(&text(number))));
        assert!(!is_read(&text(0)), "there is room for as many");
        assert!(is_read(&text(KNOWN_MAX)) && is_read(&text(0)), "and for one more it begins anew");
        assert!(KNOWN.with_borrow(HashMap::len) <= KNOWN_MAX);
    }
}
