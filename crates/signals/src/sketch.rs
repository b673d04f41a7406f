//! Winnowed shingle fingerprints: the part of a text that survives when something is put before, behind or into it.
//!
//! Promises that two texts which share a run of [`GUARANTEE`] tokens share a fingerprint (Schleimer, Wilkerson and Aiken,
//! "Winnowing: local algorithms for document fingerprinting", SIGMOD 2003), with about one fingerprint for every
//! 2.5 tokens. The first and the last shingle of a text are always kept, since templates begin and end with fixed text.
//! O(bytes); a text gives at most [`PRINTS_MAX`] fingerprints.

use event::Print;
use event::file::PRINTS_MAX;

use crate::token::{Token, tokens};

/// Tokens in a shingle.
pub const SHINGLE: usize = 5;
/// Shingles in a winnowing window.
pub const WINDOW: usize = 4;
/// Any shared run of this many tokens shares a fingerprint.
pub const GUARANTEE: usize = SHINGLE + WINDOW - 1;
/// How fingerprints are made, to tell them from those that are made in another way: another one whenever the same text gives others.
pub const SCHEME: &str = "winnowed shingles 5/4, tokens 1";

/// Adds the fingerprints of `text` to `prints`.
pub fn winnow(text: &str, prints: &mut Vec<Print>) {
    winnow_with(text, prints, |_| {});
}

/// Adds the fingerprints of `text` to `prints`, and shows `see` each token on the way.
pub fn winnow_with(text: &str, prints: &mut Vec<Print>, mut see: impl FnMut(&Token)) {
    let mut window = Window::default();
    let mut last: Option<Print> = None;
    let (mut recent, mut count) = ([(0, 0); SHINGLE], 0_usize);
    for token in tokens(text) {
        if prints.len() >= PRINTS_MAX {
            return;
        }
        see(&token);
        push(&mut recent, (token.masked, token.exact));
        count += 1;
        if count < SHINGLE {
            continue;
        }
        let print = hashed(&recent);
        if count == SHINGLE {
            prints.push(print);
        }
        if let Some(chosen) = window.push(print) {
            push_new(prints, chosen);
        }
        last = Some(print);
    }
    match last {
        Some(print) => push_new(prints, print),
        // Shorter than a shingle: the whole text is one.
        None if count > 0 => prints.push(hashed(recent.get(SHINGLE - count..).unwrap_or(&[]))),
        None => {}
    }
}

/// The shingle of consecutive tokens; also of fewer than [`SHINGLE`], for texts that have no more.
#[must_use]
pub fn shingle(tokens: &[Token]) -> Print {
    hashed(&tokens.iter().map(|token| (token.masked, token.exact)).collect::<Vec<_>>())
}

/// The shingle of tokens that have these hashes: masked and exact.
fn hashed(tokens: &[(u64, u64)]) -> Print {
    let (mut key, mut exact) = (tokens.len() as u64, 0_u64);
    for token in tokens {
        key = (key ^ token.0).wrapping_mul(K).rotate_left(29);
        exact = (exact ^ token.1).wrapping_mul(K).rotate_left(29);
    }
    // The product's high bits are the well mixed ones; fold them down.
    key ^= key >> 32;
    exact ^= exact >> 32;
    Print { key: key.wrapping_mul(K), exact: (exact.wrapping_mul(K) >> 32) as u32 }
}

/// Adds one at the end in place of the first.
fn push<T: Copy, const N: usize>(last: &mut [T; N], one: T) {
    last.copy_within(1.., 0);
    if let Some(end) = last.last_mut() {
        *end = one;
    }
}

fn push_new(prints: &mut Vec<Print>, print: Print) {
    if prints.last() != Some(&print) && prints.len() < PRINTS_MAX {
        prints.push(print);
    }
}

/// The last few shingles; gives the smallest whenever that is a new one.
#[derive(Default)]
struct Window {
    last: [Print; WINDOW],
    pushed: usize,
    chosen: Option<usize>,
}

impl Window {
    fn push(&mut self, print: Print) -> Option<Print> {
        push(&mut self.last, print);
        self.pushed += 1;
        if self.pushed < WINDOW {
            return None;
        }
        // The rightmost smallest, so that runs of equal shingles give few fingerprints.
        let (back, smallest) = self.last.iter().rev().enumerate().min_by_key(|(_, print)| print.key)?;
        let chosen = self.pushed - back;
        if self.chosen == Some(chosen) {
            return None;
        }
        self.chosen = Some(chosen);
        Some(*smallest)
    }
}

/// An odd constant with well spread bits (the fractional part of the golden ratio).
const K: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<u64> {
        let mut prints = Vec::new();
        winnow(text, &mut prints);
        prints.iter().map(|print| print.key).collect()
    }

    fn words(from: usize, count: usize) -> String {
        (from..from + count)
            .map(|i| format!("w{}x", (b'a' + (i % 26) as u8) as char).repeat(1 + i / 26))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Whoever changes how texts are fingerprinted gives the way another name, [`SCHEME`], and then changes this.
    #[test]
    fn the_fingerprints_of_this_scheme_stay() {
        let mut prints = Vec::new();
        for text in [
            "Lay out every deduction in order, keep each of the 12 steps short, and close with the bare result.",
            "Отвечай по шагам и приведи только итог в конце. 一步一步地推理,最后只给出答案。",
        ] {
            winnow(text, &mut prints);
        }
        let all = prints.iter().fold(0_u64, |all, print| {
            (all.rotate_left(7) ^ print.key ^ u64::from(print.exact)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        });
        assert_eq!((SCHEME, prints.len(), all), ("winnowed shingles 5/4, tokens 1", 16, 11_623_486_823_609_795_740));
    }

    #[test]
    fn a_shared_run_of_the_guaranteed_length_shares_a_print() {
        for start in 0..40 {
            let shared = words(200 + start, GUARANTEE);
            let a = keys(&format!("{} {shared} {}", words(0, 30), words(40, 30)));
            let b = keys(&format!("{} {shared} {}", words(80, start + 1), words(130, 17)));
            assert!(a.iter().any(|key| b.contains(key)), "run at {start}");
        }
    }

    #[test]
    fn density_is_about_two_fifths() {
        let text = words(0, 400);
        let density = keys(&text).len() as f64 / 400.0;
        assert!((0.3..0.5).contains(&density), "{density}");
    }

    #[test]
    fn short_texts_have_one_print_and_empty_ones_none() {
        assert_eq!(keys("").len(), 0);
        assert_eq!(keys("yes").len(), 1);
        assert_eq!(keys("one two three four five").len(), 1);
        assert_ne!(keys("yes"), keys("no"));
    }

    #[test]
    fn prints_stop_at_their_limit() {
        for extra in [0, 1] {
            let mut prints = vec![Print { key: 0, exact: 0 }; PRINTS_MAX - 1 + extra];
            winnow(&words(0, 300), &mut prints);
            assert_eq!(prints.len(), PRINTS_MAX);
        }
    }
}
