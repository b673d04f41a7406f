//! What a case is made of.

use findings::{Campaign, Findings};
use verify::entry::Statement;
use zeroize::Zeroizing;

/// A case, before it is put into words.
#[derive(Clone, Copy, Debug)]
pub struct Case<'c> {
    /// What it is called.
    pub id: &'c str,
    /// When it is made, as text.
    pub made_at: &'c str,
    /// Who makes it.
    pub by: &'c str,
    /// The version of the program.
    pub version: &'c str,
    /// The key of the ledger that vouches for it, as text.
    pub ledger: &'c str,
    /// What detection says.
    pub findings: &'c Findings,
    /// Of which the campaign is this.
    pub campaign: &'c Campaign,
    /// What was known of the members, a line of JSON each time something changed.
    pub accounts: &'c [String],
    /// What the ledger says about the campaign, its members, and measures in general, in order.
    pub entries: &'c [Entry],
    /// How many earlier ones there are that are not among them.
    pub entries_left_out: u64,
    /// Recorded lines of members.
    pub records: &'c [Record],
    /// How many recorded lines of members there are in all.
    pub records_total: u64,
    /// What the operator puts beside: terms, notices, licences.
    pub attachments: &'c [Attachment],
}

/// An entry of the ledger, with its receipt.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number.
    pub index: u64,
    /// When it was put down.
    pub at: String,
    /// What was said; none where that was destroyed.
    pub statement: Option<Statement>,
    /// The receipt, as text.
    pub receipt: String,
}

/// A recorded line, and what it says of itself in clear.
#[derive(Clone, Debug)]
pub struct Record {
    /// The exchange.
    pub exchange: String,
    /// When.
    pub time: String,
    /// Who sent it.
    pub account: String,
    /// The line, and where it is committed to.
    pub line: verify::case::Record,
    /// The HTTP status of the answer, where it was recorded.
    pub status: Option<u64>,
    /// Whether it is sealed.
    pub is_sealed: bool,
    /// What it says, where it was sealed and opened.
    pub text: Option<Zeroizing<Vec<u8>>>,
}

/// A file that the operator puts beside.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// What it is called, without a folder.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Case<'_> {
    /// The entries of these kinds.
    pub(crate) fn entries_of<'s>(&'s self, kinds: &'s [&str]) -> impl Iterator<Item = (&'s Entry, &'s Statement)> {
        let said = |entry: &'s Entry| entry.statement.as_ref().map(|statement| (entry, statement));
        self.entries.iter().filter_map(said).filter(|(_, statement)| kinds.contains(&statement.kind.as_str()))
    }
}

/// What an exhibit of records is called: `R00001`.
pub(crate) fn record_name(at: usize) -> String {
    format!("R{:05}", at + 1)
}
