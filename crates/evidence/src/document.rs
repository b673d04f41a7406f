//! A document, before it is drawn: headings, paragraphs, lists and tables.
//!
//! Promises that whatever text from outside is in it carries nothing that moves a terminal, hides or reorders text: it is escaped when it is put in.

use crate::limits::TEXT_CHARS_MAX;

/// A piece of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading of the first, second or third rank.
    Heading(u8, String),
    /// A paragraph.
    Text(String),
    /// A paragraph that has to be seen.
    Note(String),
    /// A list.
    List(Vec<String>),
    /// A table: what its columns are called, how wide they are of 100, and its rows.
    Table(Vec<&'static str>, Vec<u8>, Vec<Vec<String>>),
    /// A line to be filled in by hand, and what for.
    Blank(&'static str),
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it is called.
    pub title: String,
    /// What is in it.
    pub blocks: Vec<Block>,
}

impl Document {
    pub(crate) fn new(title: String) -> Document {
        Document { title, blocks: Vec::new() }
    }

    pub(crate) fn heading(&mut self, text: &str) {
        self.blocks.push(Block::Heading(1, text.to_owned()));
    }

    pub(crate) fn subheading(&mut self, text: &str) {
        self.blocks.push(Block::Heading(2, text.to_owned()));
    }

    pub(crate) fn minor(&mut self, text: &str) {
        self.blocks.push(Block::Heading(3, text.to_owned()));
    }

    pub(crate) fn text(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Text(text.into()));
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Note(text.into()));
    }

    /// A list; `otherwise` where there is nothing in it.
    pub(crate) fn list(&mut self, items: Vec<String>, otherwise: &str) {
        if items.is_empty() { self.text(otherwise) } else { self.blocks.push(Block::List(items)) }
    }

    /// A table; `otherwise` where there is no row.
    pub(crate) fn table(&mut self, columns: &[(&'static str, u8)], rows: Vec<Vec<String>>, otherwise: &str) {
        if rows.is_empty() {
            self.text(otherwise);
            return;
        }
        let (names, widths) = columns.iter().copied().unzip();
        self.blocks.push(Block::Table(names, widths, rows));
    }

    pub(crate) fn blank(&mut self, what: &'static str) {
        self.blocks.push(Block::Blank(what));
    }
}

/// Text from outside, cut and with whatever does not print escaped.
#[must_use]
pub fn outside(text: &str) -> String {
    let cut: String = text.chars().take(TEXT_CHARS_MAX).collect();
    let mut shown = verify::report::plain(&cut);
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        shown += "…";
    }
    shown
}
