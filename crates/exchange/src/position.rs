//! Where a record comes from, which gives its exchange an id where it has none.

use xxhash_rust::xxh3::Xxh3;

use crate::record::ExchangeId;

/// Where a record comes from. With its text it makes the id of an exchange that has none.
#[derive(Clone, Copy, Debug)]
pub struct Position<'p> {
    /// The name of the source.
    pub source: &'p str,
    /// The line the record begins on, counted from 1.
    pub line: u64,
    text: &'p [u8],
}

impl<'p> Position<'p> {
    /// The position of `text`.
    #[must_use]
    pub fn new(source: &'p str, line: u64, text: &'p [u8]) -> Self {
        Position { source, line, text }
    }

    /// The id of the `ordinal`th exchange here.
    pub(crate) fn id(&self, ordinal: u64) -> ExchangeId<'static> {
        let mut hash = Xxh3::new();
        hash.update(self.source.as_bytes());
        hash.update(&[0]);
        hash.update(&self.line.to_le_bytes());
        hash.update(&ordinal.to_le_bytes());
        hash.update(self.text);
        ExchangeId::from(format!("ex_{:032x}", hash.digest128()))
    }
}
