//! Events as bytes: what their fingerprints are, then blocks of events, each with its length and a sum.
//!
//! Promises that what was written is read back as it was, or refused with the reason: another version of the form, another scheme of
//! fingerprints, bytes that are missing or changed. Does no IO: it makes bytes and takes them. A block is at most
//! [`BLOCK_BYTES_MAX`] long, so whoever reads needs no more room than that.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::{NAME_BYTES_MAX, OUTPUT_PRINTS_MAX, Signals, WORDS_MAX};

/// What a file of events begins with.
pub const MAGIC: &[u8] = b"stillwatch events\n";
/// The version of the form; another one whenever the bytes of an event change.
pub const VERSION: u16 = 1;
/// The longest block, and the longest header, in bytes.
pub const BLOCK_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes before what a file says of its fingerprints, and before each block.
pub const HEAD_BYTES: usize = 12;

/// What the fingerprints of a file are: only those of one scheme and one key can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprints {
    /// How they are made.
    pub scheme: String,
    /// Which key they are made with, by a number that does not show it; none where texts are fingerprinted as they are.
    pub key: Option<u64>,
}

impl std::fmt::Display for Fingerprints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.key {
            Some(key) => write!(f, "{} under key {key:016x}", self.scheme),
            None => write!(f, "{} without a key", self.scheme),
        }
    }
}

/// Why bytes are no events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// They do not begin as a file of events does.
    #[error("this is no file of events")]
    NoEvents,
    /// Another version wrote them.
    #[error(
        "this file of events has version {found} of the form, and this build reads version {VERSION}: make it anew from the records"
    )]
    Version {
        /// Its version.
        found: u16,
    },
    /// Bytes are missing or changed.
    #[error("damaged: {0}")]
    Damaged(&'static str),
}

/// The beginning of a file of events.
#[must_use]
pub fn begin(fingerprints: &Fingerprints) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    // Nothing in there can fail to be written.
    bytes.extend(framed(&postcard::to_allocvec(fingerprints).unwrap_or_default()));
    bytes
}

/// Whether bytes begin as a file of events does.
#[must_use]
pub fn is_begun(first: &[u8]) -> bool {
    first.starts_with(MAGIC)
}

/// Checks what stands before the first head: magic and version.
///
/// # Errors
///
/// When it is not the beginning of a file that this build reads.
pub fn check_begin(first: &[u8]) -> Result<(), Unread> {
    let version = first.strip_prefix(MAGIC).ok_or(Unread::NoEvents)?;
    let version: [u8; 2] = version.try_into().map_err(|_| Unread::Damaged("it ends within its head"))?;
    match u16::from_le_bytes(version) {
        VERSION => Ok(()),
        found => Err(Unread::Version { found }),
    }
}

/// What stands before the fingerprints and before each block: how long it is, and its sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    bytes: u32,
    sum: u64,
}

impl Head {
    /// Reads a head.
    ///
    /// # Errors
    ///
    /// When it announces more than [`BLOCK_BYTES_MAX`].
    pub fn read(head: [u8; HEAD_BYTES]) -> Result<Head, Unread> {
        let [a, b, c, d, sum @ ..] = head;
        let head = Head { bytes: u32::from_le_bytes([a, b, c, d]), sum: u64::from_le_bytes(sum) };
        if head.len() > BLOCK_BYTES_MAX {
            return Err(Unread::Damaged("a block is longer than any that is written"));
        }
        Ok(head)
    }

    /// How many bytes come after it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes as usize
    }

    /// Whether none do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// What a file says of its fingerprints.
    ///
    /// # Errors
    ///
    /// When the bytes are not those that were written.
    pub fn fingerprints(self, bytes: &[u8]) -> Result<Fingerprints, Unread> {
        self.check(bytes)?;
        postcard::from_bytes(bytes).map_err(|_| Unread::Damaged("its head cannot be read"))
    }

    /// The events of a block.
    ///
    /// # Errors
    ///
    /// When the bytes are not those that were written, or an event has more of anything than an event can have.
    pub fn events(self, mut bytes: &[u8]) -> Result<Vec<Signals>, Unread> {
        self.check(bytes)?;
        let mut events = Vec::new();
        while !bytes.is_empty() {
            let (event, rest): (Signals, &[u8]) =
                postcard::take_from_bytes(bytes).map_err(|_| Unread::Damaged("an event cannot be read"))?;
            if !is_possible(&event) {
                return Err(Unread::Damaged("an event has more of something than an event can have"));
            }
            events.push(event);
            bytes = rest;
        }
        Ok(events)
    }

    fn check(self, bytes: &[u8]) -> Result<(), Unread> {
        let same = bytes.len() == self.len() && xxh3_64(bytes) == self.sum;
        same.then_some(()).ok_or(Unread::Damaged("the sum of a block is not that of its bytes"))
    }
}

/// An event is longer than a block can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {BLOCK_BYTES_MAX} bytes")]
pub struct TooLong;

/// Events that are not written yet.
#[derive(Debug, Default)]
pub struct Writer {
    block: Vec<u8>,
}

impl Writer {
    /// Takes an event; a block, when one is full.
    ///
    /// # Errors
    ///
    /// When the event is longer than a block can be, as one with an account of megabytes is. It is left out.
    pub fn push(&mut self, event: &Signals) -> Result<Option<Vec<u8>>, TooLong> {
        let bytes = postcard::to_allocvec(event).unwrap_or_default();
        if bytes.len() > BLOCK_BYTES_MAX {
            return Err(TooLong);
        }
        let full = (self.block.len() + bytes.len() > BLOCK_BYTES).then(|| self.finish());
        self.block.extend(bytes);
        Ok(full.filter(|full| !full.is_empty()))
    }

    /// The last block.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        let block = std::mem::take(&mut self.block);
        if block.is_empty() { block } else { framed(&block) }
    }
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(HEAD_BYTES + bytes.len());
    framed.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    framed.extend_from_slice(&xxh3_64(bytes).to_le_bytes());
    framed.extend_from_slice(bytes);
    framed
}

/// Whether an event has no more of anything than one that is made of an exchange.
fn is_possible(event: &Signals) -> bool {
    event.prints.len() <= PRINTS_MAX
        && event.words.len() <= WORDS_MAX
        && event.output.len() <= OUTPUT_PRINTS_MAX
        && event.model_name.len() <= NAME_BYTES_MAX
        && event.client.software_name.len() <= NAME_BYTES_MAX
}

/// A block is written when it has about so many bytes.
const BLOCK_BYTES: usize = 256 * 1024;
/// The most fingerprints of an event.
pub const PRINTS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use exchange::Time;

    use super::*;
    use crate::{Capability, ClientProfile, Hash, Intents, Meaning, Print};

    fn event(number: u64) -> Signals {
        Signals {
            time: Time::from_seconds(number as i64),
            exchange: format!("e{number}").into(),
            account: "a".into(),
            org: None,
            model: Some(Hash(7)),
            model_name: "m".into(),
            prints: (0..number % 50).map(|i| Print { key: i << 40, exact: i as u32 }).collect(),
            words: [1, 2, u32::MAX].into(),
            meaning: Meaning::default(),
            output: vec![u64::MAX],
            intents: std::iter::once(Capability::Grading).collect::<Intents>(),
            params: None,
            params_text: "".into(),
            client: ClientProfile::default(),
            follow_up: number.is_multiple_of(2),
            excerpt: "".into(),
            answer: "".into(),
            input_tokens: Some(number),
            output_tokens: None,
        }
    }

    fn head(bytes: &[u8]) -> (Result<Head, Unread>, &[u8]) {
        let (head, rest) = bytes.split_first_chunk().unwrap();
        (Head::read(*head), rest)
    }

    /// The events of a file, one block after another.
    fn read(file: &[u8]) -> Result<(Fingerprints, Vec<Signals>), Unread> {
        let (first, rest) = file.split_at(MAGIC.len() + 2);
        check_begin(first)?;
        let (described, rest) = head(rest);
        let described = described?;
        let (text, mut rest) = rest.split_at(described.len());
        let fingerprints = described.fingerprints(text)?;
        let mut events = Vec::new();
        while !rest.is_empty() {
            let (block, bytes) = head(rest);
            let block = block?;
            let (bytes, after) = bytes.split_at(block.len());
            events.extend(block.events(bytes)?);
            rest = after;
        }
        Ok((fingerprints, events))
    }

    fn written(events: &[Signals]) -> Vec<u8> {
        let fingerprints = Fingerprints { scheme: "some".into(), key: Some(9) };
        let (mut file, mut writer) = (begin(&fingerprints), Writer::default());
        for event in events {
            file.extend(writer.push(event).unwrap().unwrap_or_default());
        }
        file.extend(writer.finish());
        file
    }

    #[test]
    fn what_was_written_is_read_back() {
        let events: Vec<Signals> = (0..3000).map(event).collect();
        let file = written(&events);
        assert!(is_begun(&file) && file.len() > 2 * BLOCK_BYTES, "several blocks");
        let (fingerprints, read) = read(&file).unwrap();
        assert_eq!(fingerprints.to_string(), "some under key 0000000000000009");
        assert!(read == events);
        assert!(Writer::default().finish().is_empty(), "no block without events");
    }

    /// Whoever changes what an event is written as raises [`VERSION`], and then this.
    #[test]
    fn the_bytes_of_this_version_stay() {
        let bytes = written(&(0..60).map(event).collect::<Vec<_>>());
        assert_eq!((VERSION, xxh3_64(&bytes)), (1, 18_291_398_653_908_222_677));
    }

    #[test]
    fn every_byte_that_is_changed_is_noticed() {
        let file = written(&(0..20).map(event).collect::<Vec<_>>());
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 0x10;
            // A length that is changed would lead beyond the end.
            let told = std::panic::catch_unwind(|| read(&changed).is_err()).unwrap_or(true);
            assert!(told, "byte {at}");
        }
        let mut newer = file.clone();
        newer[MAGIC.len()] = VERSION as u8 + 1;
        assert_eq!(read(&newer), Err(Unread::Version { found: VERSION + 1 }));
    }

    #[test]
    fn what_no_event_can_have_is_refused() {
        let of = |change: fn(&mut Signals)| {
            let mut odd = event(1);
            change(&mut odd);
            read(&written(&[odd])).is_ok()
        };
        assert!(of(|event| event.prints = vec![Print { key: 1, exact: 1 }; PRINTS_MAX]));
        assert!(!of(|event| event.prints = vec![Print { key: 1, exact: 1 }; PRINTS_MAX + 1]));
        assert!(of(|event| event.words = vec![1; WORDS_MAX].into()));
        assert!(!of(|event| event.words = vec![1; WORDS_MAX + 1].into()));
        assert!(of(|event| event.output = vec![1; OUTPUT_PRINTS_MAX]));
        assert!(!of(|event| event.output = vec![1; OUTPUT_PRINTS_MAX + 1]));
        let odd = |bytes: usize| Signals { account: "a".repeat(bytes).into(), ..event(1) };
        let rest = postcard::to_allocvec(&odd(BLOCK_BYTES_MAX)).unwrap().len() - BLOCK_BYTES_MAX;
        assert!(Writer::default().push(&odd(BLOCK_BYTES_MAX - rest)).is_ok());
        assert_eq!(Writer::default().push(&odd(BLOCK_BYTES_MAX - rest + 1)), Err(TooLong));
        let head = |bytes: usize| {
            let mut head = [0; HEAD_BYTES];
            head[..4].copy_from_slice(&(bytes as u32).to_le_bytes());
            Head::read(head).is_ok()
        };
        assert!(head(BLOCK_BYTES_MAX) && !head(BLOCK_BYTES_MAX + 1));
    }
}
