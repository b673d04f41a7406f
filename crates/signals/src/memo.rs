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

/// A text with what it is known by; nothing where it is too short to be remembered.
#[derive(Clone, Copy)]
pub(crate) struct Text<'t> {
    text: &'t str,
    key: Option<Key>,
}

/// The keys of texts of one exchange: what is read for two things is hashed once.
#[derive(Default)]
pub(crate) struct Keys<'t>(Vec<(&'t str, Key)>);

impl<'t> Keys<'t> {
    /// `text` with its key.
    pub(crate) fn of(&mut self, text: &'t str) -> Text<'t> {
        if text.len() < KNOWN_BYTES_MIN {
            return Text { text, key: None };
        }
        // The same place in memory, and not only the same letters: to compare these would take as long.
        let known = self.0.iter().find(|(known, _)| std::ptr::eq(*known, text));
        let key = known.map_or_else(|| *blake3::hash(text.as_bytes()).as_bytes(), |&(_, key)| key);
        if known.is_none() && self.0.len() < KEYS_MAX {
            self.0.push((text, key));
        }
        Text { text, key: Some(key) }
    }
}

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
    pub(crate) fn with<T>(&mut self, text: Text<'_>, read: impl FnOnce(&str) -> V, use_it: impl FnOnce(&V) -> T) -> T {
        let Text { text, key } = text;
        let Some(key) = key else { return use_it(&read(text)) };
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
/// Texts of one exchange of which keys are kept; those of further ones are worked out again.
const KEYS_MAX: usize = 16;
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
            Keys::default().of(text),
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
    fn texts_of_one_exchange_have_the_same_keys_within_the_limit_and_beyond() {
        let texts: Vec<String> = (0..=KEYS_MAX).map(text).collect();
        let mut keys = Keys::default();
        for _ in 0..2 {
            for text in &texts {
                assert_eq!(keys.of(text).key, Some(*blake3::hash(text.as_bytes()).as_bytes()));
            }
        }
        assert_eq!(keys.0.len(), KEYS_MAX);
        // A part of a text that begins at the same place is another text.
        let longer = format!("{} and more", texts[0]);
        let part = longer.get(..KNOWN_BYTES_MIN).unwrap();
        let mut keys = Keys::default();
        assert!(keys.of(&longer).key != keys.of(part).key && keys.of(part).key == keys.of(&texts[0]).key);
        assert_eq!(keys.of(longer.get(..KNOWN_BYTES_MIN - 1).unwrap()).key, None);
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
