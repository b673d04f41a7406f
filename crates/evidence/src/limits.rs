//! Every limit of this crate, and what happens at it.

/// Recorded lines in a case file. Further ones are left out, and the report says how many there are.
pub const RECORDS_MAX: usize = 20_000;
/// Members that the report lists. Further ones are counted there, and are in the facts.
pub const MEMBERS_SHOWN_MAX: usize = 500;
/// Entries of the ledger in a case file. Further ones are left out, the oldest first, and the report says how many.
pub const ENTRIES_MAX: usize = 5_000;
/// Characters of a text from outside that the report shows.
pub const TEXT_CHARS_MAX: usize = 600;
/// Rows of exhibits that the report lists. Further ones are counted there.
pub const EXHIBITS_SHOWN_MAX: usize = 500;
