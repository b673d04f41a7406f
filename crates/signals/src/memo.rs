//! What was worked out of texts that were read before: system prompts and the earlier turns of a conversation come again with every
//! request.
//!
//! Promises what reading the text anew would give: it is known by a hash that nobody finds a second text for. A text counts as one that
//! comes again from its second time on, so that what comes once takes no room. Each thread remembers for itself, so that none waits for
//! another; at [`SEEN_MAX`] texts or [`KNOWN_BYTES_MAX`] it begins anew.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

/// What is remembered of texts.
pub(crate) struct Memo<V> {
    /// Texts that came at least once.
    seen: HashSet<Key, FixedState>,
    /// What those come to that came again.
    known: HashMap<Key, V, FixedState>,
    known_bytes: usize,
}

type Key = [u8; 32];

/// A value that is remembered.
pub(crate) trait Remembered {
    /// Bytes that it takes beside its own size.
    fn bytes(&self) -> usize;
}

impl<V> Default for Memo<V> {
    fn default() -> Memo<V> {
        Memo { seen: HashSet::default(), known: HashMap::default(), known_bytes: 0 }
    }
}

impl<V: Remembered> Memo<V> {
    /// What `text` comes to, by `read` where that is not remembered; `use_it` is handed it.
    pub(crate) fn with<T>(&mut self, text: &str, read: impl FnOnce(&str) -> V, use_it: impl FnOnce(&V) -> T) -> T {
        if text.len() < KNOWN_BYTES_MIN {
            return use_it(&read(text));
        }
        let key = *blake3::hash(text.as_bytes()).as_bytes();
        if let Some(known) = self.known.get(&key) {
            return use_it(known);
        }
        let value = read(text);
        let used = use_it(&value);
        self.keep(key, value);
        used
    }

    fn keep(&mut self, key: Key, value: V) {
        if self.seen.len() >= SEEN_MAX || self.known_bytes >= KNOWN_BYTES_MAX {
            *self = Memo::default();
        }
        if !self.seen.insert(key) {
            self.known_bytes += size_of::<(Key, V)>() + value.bytes();
            self.known.insert(key, value);
        }
    }
}

/// Texts of which a thread knows that they came before.
const SEEN_MAX: usize = 32_768;
/// Bytes that it remembers of those that came again.
const KNOWN_BYTES_MAX: usize = 16 << 20;
/// A text of fewer bytes is read as fast as it is hashed and found.
const KNOWN_BYTES_MIN: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    struct Held(usize);

    impl Remembered for Held {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    /// Whether it had to be read.
    fn is_read(memo: &mut Memo<Held>, text: &str, bytes: usize) -> bool {
        let mut read = false;
        let value = memo.with(
            text,
            |_| {
                read = true;
                Held(bytes)
            },
            |held| held.0,
        );
        assert_eq!(value, bytes);
        read
    }

    fn text(number: usize) -> String {
        format!("{number:0width$}", width = KNOWN_BYTES_MIN)
    }

    #[test]
    fn a_text_that_came_twice_is_not_read_again() {
        let mut memo = Memo::default();
        let mut is_read = |text: &str| is_read(&mut memo, text, 1);
        assert_eq!([(); 4].map(|()| is_read(&text(0))), [true, true, false, false]);
        let short = "x".repeat(KNOWN_BYTES_MIN - 1);
        assert!((0..4).all(|_| is_read(&short)), "too short to be worth it");
    }

    #[test]
    fn at_its_limits_it_begins_anew() {
        let mut memo = Memo::default();
        let mut is_seen = |number| is_read(&mut memo, &text(number), 1);
        assert!(is_seen(0) && is_seen(0) && (1..SEEN_MAX).all(&mut is_seen));
        assert!(!is_seen(0), "there is room for as many");
        assert!(is_seen(SEEN_MAX) && is_seen(0), "and for one more it begins anew");

        let mut memo = Memo::default();
        let mut is_seen = |number, bytes| is_read(&mut memo, &text(number), bytes);
        assert_eq!([(); 3].map(|()| is_seen(0, KNOWN_BYTES_MAX)), [true, true, false]);
        assert!(is_seen(1, 1) && is_seen(0, KNOWN_BYTES_MAX));
    }
}
